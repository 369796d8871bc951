//! Canaries through the pages: each field of each form, each part of an address, each query.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};

use super::{AGENT, DISPLAYS, EMAIL, HIDDEN, NAME, ORDER, Sender, displayed, form};
use crate::cast::shows;

const PEOPLE: [&str; 3] = ["owner", "creator", "admin"];

/// Method and path of each page, as the table of pages has them.
fn pages() -> Vec<(Method, String)> {
    let table = concat!(env!("CARGO_MANIFEST_DIR"), "/src/pages/table.rs");
    let table = std::fs::read_to_string(table).expect("the table of pages");
    let lines = table.lines().map(str::trim);
    let pages = lines.filter_map(|line| {
        let (method, rest) = line.split_once(" \"/")?;
        let method = match method {
            "get" => Method::GET,
            "post" => Method::POST,
            _ => return None,
        };
        Some((method, format!("/{}", rest.split('"').next()?)))
    });
    pages.collect()
}

/// Names of the fields in a page's forms.
fn fields(html: &str) -> BTreeSet<String> {
    let fields = html.split(" name=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let fields = fields.filter(|name| !matches!(*name, "viewport" | "color-scheme" | "key"));
    fields.map(str::to_owned).collect()
}

impl Sender<'_> {
    /// As a browser does who has signed in here.
    async fn open(
        &mut self,
        who: &str,
        (method, path): (&Method, &str),
        body: Option<String>,
    ) -> String {
        let world = &self.play.world;
        self.sent += 1;
        let session = self.play.bearer(shows(who)).expect("a token");
        let request = world.client.request(method.clone(), format!("{}{path}", world.address));
        // A page tells its sender where they came from; what is searched later is asked for plainly.
        let is_plain = *method == Method::GET && !path.contains('?');
        let from = if is_plain { String::new() } else { format!("?mail={EMAIL}&order={ORDER}") };
        let request = request
            .header("accept", "text/html")
            .header("user-agent", AGENT)
            .header("referer", format!("{}/{from}", world.address))
            .header("cookie", format!("__session={session}; seen={NAME}; theme={EMAIL}"))
            .header("origin", &world.address);
        let request = match body {
            Some(body) => {
                request.header("content-type", "application/x-www-form-urlencoded").body(body)
            }
            None => request,
        };
        let answer = request.send().await.expect("answers");
        assert!(answer.status() != StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        self.done += usize::from(answer.status().is_success() || answer.status().is_redirection());
        if answer.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream") {
            return String::new();
        }
        answer.text().await.expect("text")
    }

    /// Everything that people can type; returns what the pages show, to be searched.
    pub(super) async fn pages(&mut self) -> Vec<(String, Vec<u8>)> {
        // Who has joined is not asked for a name any more.
        let (mut shown, mut names) = (Vec::new(), BTreeSet::from(["name".to_owned()]));
        for (method, path) in pages() {
            if method != Method::GET || path.starts_with("/live/") {
                continue;
            }
            let here = self.things.fill(&path).replace("{step}", "complete");
            for who in PEOPLE {
                for value in HIDDEN.map(form) {
                    let queries = format!("{here}?cursor={value}&kind={value}&{value}={value}");
                    self.open(who, (&method, &queries), None).await;
                }
                let page = self.open(who, (&method, &here), None).await;
                names.extend(fields(&page));
                shown.push((format!("{path} as {who}"), page.into_bytes()));
            }
        }
        for needed in ["reason", "amount", "destination", "readable", "budget"] {
            assert!(names.contains(needed), "no page asks for {needed}: {names:?}");
        }
        for (method, path) in pages() {
            if method != Method::POST || path == "/sign-out" {
                continue;
            }
            let here = self.things.fill(&path).replace("{step}", "complete");
            for name in &names {
                let is_shown = DISPLAYS.iter().any(|(_, field)| field == name);
                let values =
                    if is_shown { displayed(name) } else { HIDDEN.map(str::to_owned).into() };
                for value in values {
                    for who in PEOPLE {
                        let body = format!("{}={}", form(name), form(&value));
                        self.open(who, (&method, &here), Some(body)).await;
                    }
                }
            }
        }
        shown
    }
}
