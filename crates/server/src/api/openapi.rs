//! `/api/openapi.json`, made of the table of routes.

use axum::Json;
use serde_json::{Map, Value, json};

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
    matches!(route.method, "put" | "patch") && route.path.contains('{')
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

fn operation(route: &Route) -> Value {
    let roles = route.action.map_or_else(
        || "everybody who is signed in".to_owned(),
        |action| {
            let roles: Vec<_> = action.roles().iter().map(|role| role.name()).collect();
            roles.join(", ")
        },
    );
    let problem = || {
        json!({
            "description": "a problem; `code` is stable",
            "content": content("Problem", "application/problem+json"),
        })
    };
    let done = json!({
        "description": "done",
        "content": content(route.answer, "application/json"),
    });
    let mut operation = json!({
        "summary": route.about,
        "description": format!("Who may: {roles}."),
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
