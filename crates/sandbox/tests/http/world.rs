//! A sandbox with a small client, and a listener that remembers what it was sent.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sponsorhub_sandbox::{Options, Retries, Running, Sandbox};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub(crate) const DAY_MS: i64 = 86_400_000;
pub(crate) const KEY: &str = "Bearer sk_test_1";

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("JSON")
    }

    /// The body of a success.
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()
    }

    /// Status, type, code and parameter of a refusal.
    pub(crate) fn refusal(&self) -> (u16, String, String, String) {
        let error = &self.json()["error"];
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        (self.status, text("type"), text("code"), text("param"))
    }

    pub(crate) fn code(&self) -> String {
        self.refusal().2
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// One request on a connection of its own; an error where the connection ended without an answer.
pub(crate) async fn request(
    url: &str,
    method: Method,
    headers: &[(&str, &str)],
    body: String,
) -> Result<Answer, hyper::Error> {
    let uri: Uri = url.parse().expect("an address");
    let authority = uri.authority().expect("a host").to_string();
    let stream = TcpStream::connect(&authority).await.expect("somebody listens");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { drop(connection.await) });
    let path = uri.path_and_query().expect("a path").as_str();
    let mut request = Request::builder().method(method).uri(path).header("host", authority);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::<Bytes>::from(body)).expect("a request");
    let response = sender.send_request(request).await?;
    let (parts, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    let text = String::from_utf8(body.to_vec()).expect("UTF-8");
    Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, text })
}

pub(crate) struct World {
    pub(crate) running: Running,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let retries = Retries { first: Duration::from_millis(5), attempts_max: 8 };
        let options = Options { retries, ..options };
        Self { running: Sandbox::start(options).await.expect("starts") }
    }

    pub(crate) fn sandbox(&self) -> &Sandbox {
        &self.running.sandbox
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.running.base_url)
    }

    pub(crate) fn advance(&self, by_ms: i64) {
        self.sandbox().advance_ms(by_ms).expect("forward");
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let headers = [("authorization", KEY)];
        request(&self.url(path), Method::GET, &headers, String::new()).await.expect("an answer")
    }

    /// Posts a form; brackets stay as they are.
    pub(crate) async fn post(&self, path: &str, form: &str) -> Answer {
        self.try_post(path, form, None).await.expect("an answer")
    }

    pub(crate) async fn post_with_key(&self, path: &str, form: &str, key: &str) -> Answer {
        self.try_post(path, form, Some(key)).await.expect("an answer")
    }

    pub(crate) async fn try_post(
        &self,
        path: &str,
        form: &str,
        key: Option<&str>,
    ) -> Result<Answer, hyper::Error> {
        let mut headers =
            vec![("authorization", KEY), ("content-type", "application/x-www-form-urlencoded")];
        headers.extend(key.map(|key| ("idempotency-key", key)));
        request(&self.url(path), Method::POST, &headers, form.to_owned()).await
    }

    /// What a driver in another process does.
    pub(crate) async fn control(&self, path: &str, body: Value) -> Answer {
        let headers = [("content-type", "application/json")];
        let url = self.url(path);
        request(&url, Method::POST, &headers, body.to_string()).await.expect("an answer")
    }

    pub(crate) async fn open_session(&self, amount: i64) -> String {
        let form = format!(
            "mode=payment&line_items[0][quantity]=1\
             &line_items[0][price_data][currency]=usd\
             &line_items[0][price_data][unit_amount]={amount}\
             &line_items[0][price_data][product_data][name]=Deposit\
             &success_url=http://p/done&client_reference_id=cmp_1\
             &payment_intent_data[transfer_group]=cmp_1\
             &payment_intent_data[metadata][campaign]=cmp_1"
        );
        text(&self.post("/v1/checkout/sessions", &form).await.ok()["id"])
    }

    /// A session paid by card, over the control API; its charge.
    pub(crate) async fn charge(&self, amount: i64) -> String {
        let session = self.open_session(amount).await;
        let path = format!("/_control/checkout/{session}/pay");
        let paid =
            self.control(&path, json!({ "method": "card", "outcome": "succeed" })).await.ok();
        let intent = text(&paid["payment_intent"]);
        text(&self.get(&format!("/v1/payment_intents/{intent}")).await.ok()["latest_charge"])
    }

    /// A connected account that may be paid.
    pub(crate) async fn creator(&self) -> String {
        let form = "type=express&country=US&capabilities[transfers][requested]=true";
        let account = text(&self.post("/v1/accounts", form).await.ok()["id"]);
        let path = format!("/_control/accounts/{account}/onboard");
        self.control(&path, json!({})).await.ok();
        account
    }

    /// Types of all events, oldest first.
    pub(crate) async fn events(&self) -> Vec<String> {
        let list = self.get("/v1/events?limit=100").await.ok();
        let mut types: Vec<String> =
            array(&list["data"]).iter().map(|event| text(&event["type"])).collect();
        types.reverse();
        types
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text, not {value}")).to_owned()
}

pub(crate) fn array(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("a list, not {value}"))
}

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Got {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

#[derive(Clone, Default)]
struct Memory {
    got: Arc<Mutex<Vec<Got>>>,
    statuses: Arc<Mutex<VecDeque<u16>>>,
}

/// Somebody who is posted to.
pub(crate) struct Listener {
    pub(crate) url: String,
    memory: Memory,
    /// Ends with the listener.
    _task: JoinSet<()>,
}

impl Listener {
    /// Answers with these statuses, one after the other, and then with 200.
    pub(crate) async fn new(statuses: &[u16]) -> Self {
        let memory = Memory::default();
        memory.statuses.lock().expect("no panic").extend(statuses);
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = TcpListener::bind(any).await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let router = Router::new().fallback(remember).with_state(memory.clone());
        let mut task = JoinSet::new();
        task.spawn(async move { axum::serve(listener, router).await.expect("serves") });
        Self { url, memory, _task: task }
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.memory.got.lock().expect("no panic").clone()
    }
}

async fn remember(
    State(memory): State<Memory>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, &'static str) {
    let path = uri.path().to_owned();
    memory.got.lock().expect("no panic").push(Got { path, headers, body });
    let status = memory.statuses.lock().expect("no panic").pop_front().unwrap_or(200);
    (StatusCode::from_u16(status).expect("a status"), r#"{"result":"accepted"}"#)
}
