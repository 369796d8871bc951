//! A browser without a window: it shows a cookie, asks for pages, and sends forms as browsers do.

use reqwest::{Client, Method, RequestBuilder, StatusCode};

use crate::world::World;

/// What a page says.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Seen {
    /// A header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Where it sends the browser.
    pub(crate) fn location(&self) -> &str {
        self.header("location")
    }

    /// The key of the form that leads there.
    pub(crate) fn key_of(&self, action: &str) -> String {
        let (_, form) = self.text.split_once(&format!("action=\"{action}\"")).expect("a form");
        let (_, key) = form.split_once("name=\"key\" value=\"").expect("a key");
        key.split('"').next().expect("its end").to_owned()
    }
}

/// Somebody with a browser.
pub(crate) struct Reader<'a> {
    pub(crate) world: &'a World,
    client: Client,
    pub(crate) session: Option<String>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(world: &'a World, session: Option<String>) -> Self {
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build();
        Self { world, client: client.expect("a client"), session }
    }

    /// Somebody who has signed in.
    pub(crate) fn of(world: &'a World, who: (&str, &str)) -> Self {
        Self::new(world, Some(world.token(who.0, who.1)))
    }

    /// A request without anything that says where it comes from.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.world.address));
        let request = request.header("accept", "text/html,application/xhtml+xml");
        match &self.session {
            Some(session) => request.header("cookie", format!("__session={session}")),
            None => request,
        }
    }

    pub(crate) async fn seen(request: RequestBuilder) -> Seen {
        let mut response = request.send().await.expect("answers");
        let (status, headers) = (response.status(), response.headers().clone());
        let kind = headers.get("content-type").and_then(|kind| kind.to_str().ok());
        if kind.is_some_and(|kind| kind.starts_with("text/event-stream")) {
            // It goes on: what it begins with is enough.
            let first = response.chunk().await.expect("a chunk").unwrap_or_default();
            let text = String::from_utf8_lossy(&first).into_owned();
            return Seen { status, headers, text };
        }
        Seen { status, headers, text: response.text().await.expect("text") }
    }

    pub(crate) async fn get(&self, path: &str) -> Seen {
        Self::seen(self.request(Method::GET, path)).await
    }

    /// A form of a page of ours.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Seen {
        let request = self.request(Method::POST, path).header("origin", &self.world.address);
        let request = request.header("sec-fetch-site", "same-origin");
        Self::seen(Self::filled(request, fields)).await
    }

    pub(crate) fn filled(request: RequestBuilder, fields: &[(&str, &str)]) -> RequestBuilder {
        let pairs = fields.iter().map(|(name, value)| format!("{name}={}", quoted(value)));
        let body = pairs.collect::<Vec<_>>().join("&");
        request.header("content-type", "application/x-www-form-urlencoded").body(body)
    }
}

/// A text as a form has it.
pub(crate) fn quoted(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

/// Method and path of every page, as the table of pages has them.
pub(crate) fn pages() -> Vec<(Method, String)> {
    let table = include_str!("../../src/pages/table.rs");
    let (_, rows) = table.split_once("pages! {\n").expect("the table");
    let (rows, _) = rows.split_once("\n}").expect("its end");
    let row = |line: &str| {
        let (method, rest) = line.trim().split_once(" \"").expect("a method");
        let (path, _) = rest.split_once('"').expect("a path");
        (method.to_uppercase().parse().expect("a method"), path.to_owned())
    };
    rows.lines().map(row).collect()
}
