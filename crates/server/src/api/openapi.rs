//! `/api/openapi.json`, made of the table of routes.

use axum::Json;
use serde_json::{Map, Value, json};
use sponsorhub_core::actor::{Role, Scope};

use super::lists::{Filter, LIMIT, LIMIT_MAX};
use super::schemas;
use super::table::{ROUTES, Route};

pub(super) async fn show() -> Json<Value> {
    Json(document())
}

fn content(schema: &str, media: &str) -> Value {
    json!({ media: { "schema": { "$ref": format!("#/components/schemas/{schema}") } } })
}

fn parameters(route: &Route) -> Vec<Value> {
    let names = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut all: Vec<Value> = names
        .map(|name| {
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
        })
        .collect();
    if route.answer.ends_with("List") {
        let limit =
            json!({ "type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT });
        all.push(json!({ "name": "limit", "in": "query", "schema": limit }));
        all.push(json!({ "name": "cursor", "in": "query", "schema": { "type": "string" } }));
        all.extend(route.filters.iter().map(Filter::described));
    }
    if route.method != "get" {
        let key = json!({ "type": "string", "maxLength": 255 });
        all.push(json!({ "name": "Idempotency-Key", "in": "header", "schema": key }));
    }
    if is_edit(route) {
        let about = "the version that was seen; another one is 412 `version_changed`";
        let tag = json!({ "type": "string" });
        all.push(json!({
            "name": "If-Match", "in": "header", "description": about, "schema": tag,
        }));
    }
    all
}

/// Whether a route edits a thing that others may edit too.
fn is_edit(route: &Route) -> bool {
    let is_rotation = route.path == "/webhooks/{webhook}/rotate";
    is_rotation
        || (matches!(route.method, "put" | "patch") && route.path.contains('{'))
        || (route.method == "delete" && route.path == "/webhooks/{webhook}")
}

/// With which statuses a request may be refused.
fn refusals(route: &Route) -> Vec<u16> {
    let mut all = vec![400, 401, 403, 429, 503];
    if route.path.contains('{') {
        all.push(404);
    }
    if route.method != "get" {
        // Too slow, in conflict with what is there, too large, another request under the same key.
        all.extend([408, 409, 413, 422]);
    }
    if is_edit(route) {
        all.push(412);
    }
    all
}

/// Roles, and scopes of API keys.
fn who_may(route: &Route) -> String {
    let Some(action) = route.action else { return "everybody who is signed in".to_owned() };
    let roles = action.roles().iter().map(|role| role.name().to_owned());
    let scopes = Scope::ALL.into_iter().filter(|scope| scope.allows(action));
    let scopes = scopes.map(|scope| format!("API keys with {}", scope.name()));
    // What a key may do beyond, a viewer of its brand may as well.
    let scopes = scopes.filter(|_| action.roles().contains(&Role::Viewer));
    roles.chain(scopes).collect::<Vec<_>>().join(", ")
}

fn problem() -> Value {
    json!({
        "description": "a problem; `code` is stable",
        "content": content("Problem", "application/problem+json"),
    })
}

/// What shops report: not below `/api/v1`, and by an API key alone.
fn reports() -> [(&'static str, Value); 2] {
    let operation = |summary: &str, id: &str, body: Value, answer: Value| {
        let mut responses = json!({ "200": { "description": "done", "content": answer } });
        for status in [400, 401, 403, 408, 409, 413, 422, 500, 503] {
            responses[status.to_string()] = problem();
        }
        let scope = Scope::ConversionsWrite.name();
        json!({
            "summary": summary,
            "description": format!("Who may: API keys with {scope}. Never limited in its rate."),
            "operationId": id,
            "security": [{ "api_key": [] }],
            "parameters": [{
                "name": "SponsorHub-Signature", "in": "header", "schema": { "type": "string" },
                "description": "where the key asks for it: t=<Unix seconds>,v1=<hex>",
            }],
            "requestBody": { "required": true, "content": body },
            "responses": responses,
        })
    };
    let lines = || json!({ "application/x-ndjson": { "schema": { "type": "string" } } });
    let (json, told) =
        (content("Report", "application/json"), content("ReportTold", "application/json"));
    let one = "Report an order or a refund; the answer has its receipt";
    let many =
        "Report up to 10,000, one a line; the answer has a line for each and the checkpoints";
    [
        ("/v", json!({ "post": operation(one, "report", json, told) })),
        ("/v/batch", json!({ "post": operation(many, "report_batch", lines(), lines()) })),
    ]
}

fn operation(route: &Route) -> Value {
    let done = json!({
        "description": "done",
        "content": content(route.answer, "application/json"),
    });
    let mut operation = json!({
        "summary": route.about,
        "description": format!("Who may: {}.", who_may(route)),
        "parameters": parameters(route),
        "responses": { route.status.to_string(): done },
    });
    for status in refusals(route) {
        operation["responses"][status.to_string()] = problem();
    }
    if let Some(action) = route.action {
        operation["operationId"] = json!(format!("{}:{}", action.name(), route.path));
    }
    if let Some(body) = route.body {
        operation["requestBody"] =
            json!({ "required": body != "Nothing", "content": content(body, "application/json") });
    }
    operation
}

/// The whole document.
pub(super) fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    paths.extend(reports().map(|(path, operations)| (path.to_owned(), operations)));
    for route in ROUTES {
        let path = paths.entry(format!("/api/v1{}", route.path)).or_insert_with(|| json!({}));
        path[route.method] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "SponsorHub",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Amounts are whole minor units, times milliseconds since 1970.",
        },
        "security": [{ "session": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas::all(),
            "securitySchemes": {
                "session": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" },
                "api_key": { "type": "http", "scheme": "bearer", "bearerFormat": "shk_…" },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_there_and_every_reference_leads_somewhere() {
        let document = document();
        for route in ROUTES {
            let operation = &document["paths"][format!("/api/v1{}", route.path)][route.method];
            assert!(operation["responses"][route.status.to_string()].is_object(), "{}", route.path);
        }
        let text = document.to_string();
        let names: Vec<_> = text.split("#/components/schemas/").skip(1).collect();
        assert!(names.len() > ROUTES.len());
        for name in names {
            let name = name.split('"').next().expect("a quote ends it");
            assert!(document["components"]["schemas"][name].is_object(), "{name}");
        }
    }
}
