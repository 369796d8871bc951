//! `GET /api/docs`: the served document for people, on one page without a script or a request elsewhere.

use std::fmt::Write as _;

use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse as _, Response};
use serde_json::Value;

use super::codes::Row;
use super::openapi;

/// The only style of the page.
const STYLE: &str = "\
:root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;margin:0}\
main{max-width:60rem;margin:2rem auto;padding:0 1rem}h2{margin-top:2.5rem;overflow-wrap:anywhere}\
code{overflow-wrap:anywhere}dt{margin-top:.6rem}dd{margin-left:1.2rem}\
nav ul{padding-left:0;list-style:none;columns:22rem}nav li{break-inside:avoid;margin:.2rem 0}";

/// Text as HTML shows it.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A schema in a few words: a name, a list of them, a type.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return format!("<a href=\"#{0}\">{0}</a>", escape(name));
    }
    if let Some(any) = schema["anyOf"].as_array().or_else(|| schema["oneOf"].as_array()) {
        return any.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    if let Some(words) = schema["enum"].as_array() {
        let words = words.iter().filter_map(Value::as_str).map(escape);
        return words.map(|word| format!("<code>{word}</code>")).collect::<Vec<_>>().join(", ");
    }
    match &schema["type"] {
        Value::String(name) if name == "array" => format!("list of {}", kind(&schema["items"])),
        Value::String(name) => escape(name),
        Value::Array(names) => {
            names.iter().filter_map(Value::as_str).map(escape).collect::<Vec<_>>().join(" or ")
        }
        _ => "anything".to_owned(),
    }
}

fn fields(page: &mut String, schema: &Value) -> std::fmt::Result {
    let Some(properties) = schema["properties"].as_object() else { return Ok(()) };
    let required = schema["required"].as_array();
    page.push_str("<dl>\n");
    for (name, property) in properties {
        let is_required = required.is_some_and(|all| all.iter().any(|one| one == name.as_str()));
        let must = if is_required { "" } else { ", optional" };
        writeln!(page, "<dt><code>{}</code></dt><dd>{}{must}</dd>", escape(name), kind(property))?;
    }
    page.push_str("</dl>\n");
    Ok(())
}

fn operation(page: &mut String, method: &str, path: &str, operation: &Value) -> std::fmt::Result {
    let text = |name: &str| escape(operation[name].as_str().unwrap_or_default());
    let method = method.to_uppercase();
    let anchor = anchor(&method, path);
    writeln!(page, "<h2 id=\"{anchor}\"><code>{method} {}</code></h2>", escape(path))?;
    writeln!(page, "<p>{}. {}</p>\n<dl>", text("summary"), text("description"))?;
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let name = escape(parameter["name"].as_str().unwrap_or_default());
        let place = escape(parameter["in"].as_str().unwrap_or_default());
        let kind = kind(&parameter["schema"]);
        let about = parameter["description"].as_str().map(|about| format!("; {}", escape(about)));
        let about = about.unwrap_or_default();
        writeln!(page, "<dt><code>{name}</code></dt><dd>{kind}, in {place}{about}</dd>")?;
    }
    let content = |of: &Value| {
        let content = of["content"].as_object()?;
        content.values().next().map(|one| kind(&one["schema"]))
    };
    if let Some(kind) = content(&operation["requestBody"]) {
        writeln!(page, "<dt>body</dt><dd>{kind}</dd>")?;
    }
    let mut problems = Vec::new();
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let kind = content(response).unwrap_or_default();
        if status.starts_with('2') {
            writeln!(page, "<dt>{}</dt><dd>{kind}</dd>", escape(status))?;
        } else {
            problems.push(escape(status));
        }
    }
    let problems = problems.join(", ");
    writeln!(page, "<dt>{problems}</dt><dd><a href=\"#Problem\">Problem</a></dd>")?;
    page.push_str("</dl>\n");
    Ok(())
}

/// The name of a route in links to it.
fn anchor(method: &str, path: &str) -> String {
    let path = path.trim_start_matches("/api/v1/");
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    format!("{}-{}", method.to_lowercase(), path.chars().map(plain).collect::<String>())
}

/// Links to everything on the page.
fn contents(page: &mut String, document: &Value) -> std::fmt::Result {
    page.push_str("<nav aria-label=\"Contents\"><ul>\n");
    for (path, operations) in document["paths"].as_object().into_iter().flatten() {
        for (method, one) in operations.as_object().into_iter().flatten() {
            let (method, about) = (method.to_uppercase(), one["summary"].as_str());
            let (anchor, about) = (anchor(&method, path), escape(about.unwrap_or_default()));
            let path = escape(path.trim_start_matches("/api/v1"));
            writeln!(page, "<li><a href=\"#{anchor}\">{method} {path}</a> {about}</li>")?;
        }
    }
    page.push_str("<li><a href=\"#shapes\">Shapes</a></li>\n</ul></nav>\n");
    Ok(())
}

/// The page of a document.
fn page(document: &Value) -> Result<String, std::fmt::Error> {
    let info = |name: &str| escape(document["info"][name].as_str().unwrap_or_default());
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{0} API</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>{0} API {1}</h1>\n<p>{2} The same for programs: \
         <a href=\"/api/openapi.json\">openapi.json</a>.</p>\n",
        info("title"),
        info("version"),
        info("description")
    );
    contents(&mut page, document)?;
    for (path, operations) in document["paths"].as_object().into_iter().flatten() {
        for (method, one) in operations.as_object().into_iter().flatten() {
            operation(&mut page, method, path, one)?;
        }
    }
    page.push_str("<h2 id=\"shapes\">Shapes</h2>\n");
    for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
        writeln!(page, "<h3 id=\"{0}\"><code>{0}</code></h3>", escape(name))?;
        fields(&mut page, schema)?;
    }
    page.push_str("</main>\n</body>\n</html>\n");
    Ok(page)
}

pub(super) async fn show() -> Response {
    respond(page(&openapi::document()).unwrap_or_default())
}

/// The page of a problem's code.
pub(super) fn problem(code: &str, rows: &[Row]) -> Response {
    let code = escape(code);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Problem {code}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1><code>{code}</code></h1>\n<dl>\n"
    );
    for Row { statuses, about } in rows {
        let about = escape(about).replace('`', "");
        page.extend(["<dt>", &escape(statuses), "</dt><dd>", &about, "</dd>\n"]);
    }
    page += "</dl>\n<p>The answer's <code>detail</code> says more, and its <code>field</code> where. \
             <a href=\"/api/docs\">The API</a></p>\n</main>\n</body>\n</html>\n";
    respond(page)
}

fn respond(page: String) -> Response {
    let mut response = Html(page).into_response();
    let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'";
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::table::ROUTES;

    #[test]
    fn every_route_and_shape_is_on_the_page_and_every_link_leads_somewhere() {
        let document = openapi::document();
        let page = page(&document).expect("room");
        for route in ROUTES {
            let head = format!("{} /api/v1{}</code>", route.method.to_uppercase(), route.path);
            assert!(page.contains(&head), "{head}");
        }
        let links: Vec<_> = page.split("href=\"#").skip(1).collect();
        assert!(links.len() > 2 * ROUTES.len(), "contents, and what each route is about");
        let ids: Vec<_> =
            page.split(" id=\"").skip(1).filter_map(|id| id.split('"').next()).collect();
        let once: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(once.len(), ids.len(), "each name is there once");
        for link in links {
            let name = link.split('"').next().expect("a quote ends it");
            assert!(page.contains(&format!("id=\"{name}\"")), "{name}");
        }
        assert!(!page.contains("<script") && !page.contains("https://"), "it asks nobody else");
        assert_eq!(escape("<a href=\"x\">&"), "&lt;a href=&quot;x&quot;&gt;&amp;");
    }
}
