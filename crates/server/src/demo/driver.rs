//! Whoever plays the story: brand, creators, buyers and the shop, over HTTP and nothing else.
//!
//! Everything may be sent again: calls carry idempotency keys, orders have numbers. So a server that
//! is killed and started again in the middle of the story costs time and changes nothing.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

/// How often something is tried while a server is away.
const TRIES: u32 = 1_500;

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// The browser of a buyer.
const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// Who operates the installation, by the identity provider's id.
pub(crate) const OPERATOR: &str = "user_operator";

/// In whose name something is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum As<'a> {
    /// The brand of the story.
    Brand,
    /// One of its creators.
    Creator(&'a str),
    /// Who operates the installation.
    Admin,
}

impl As<'_> {
    fn user(self) -> String {
        match self {
            Self::Brand => "marta".to_owned(),
            Self::Creator(name) => name.to_owned(),
            Self::Admin => OPERATOR.to_owned(),
        }
    }

    const fn role(self) -> &'static str {
        match self {
            Self::Brand => "brand",
            Self::Creator(_) => "creator",
            Self::Admin => "admin",
        }
    }
}

/// Speaks to a product and to a sandbox.
#[derive(Clone, Debug)]
pub(crate) struct Driver {
    client: Client,
    product: String,
    sandbox: String,
}

impl Driver {
    /// A driver of these two, by their addresses without a slash at the end.
    pub(crate) fn new(product: String, sandbox: String) -> Result<Self> {
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(30))
            .build()?;
        Ok(Self { client, product, sandbox })
    }

    /// Asks the product's API; the answer's body. `step` names what is done, once and for all.
    pub(crate) async fn api(
        &self,
        who: As<'_>,
        (method, path): (Method, &str),
        body: Option<Value>,
        step: &str,
    ) -> Result<Value> {
        let url = format!("{}/api/v1{path}", self.product);
        let mut last = String::from("no answer");
        for _ in 0..TRIES {
            // A token lives for a minute of the sandbox's time: a fresh one for each try.
            let token = self.token(who).await?;
            let mut request = self.client.request(method.clone(), &url).bearer_auth(token);
            if method != Method::GET {
                request = request.header("idempotency-key", format!("demo:{step}"));
            }
            if let Some(body) = &body {
                request = request.json(body);
            }
            match answer(request).await {
                Some((status, body)) if status.is_success() => return Ok(body),
                None => {}
                // Busy, or its clock is still behind the one that the token was made by.
                Some((
                    status @ (StatusCode::SERVICE_UNAVAILABLE | StatusCode::UNAUTHORIZED),
                    body,
                )) => last = format!("{status} {body}"),
                Some((status, body)) => bail!("{step}: {method} {path}: {status} {body}"),
            }
            tokio::time::sleep(PAUSE / 5).await;
        }
        bail!("{step}: {method} {path}: {last}");
    }

    /// Reads from the product's API.
    pub(crate) async fn get(&self, who: As<'_>, path: &str) -> Result<Value> {
        self.api(who, (Method::GET, path), None, path).await
    }

    /// Changes something by the product's API.
    pub(crate) async fn post(
        &self,
        who: As<'_>,
        path: &str,
        body: Value,
        step: &str,
    ) -> Result<Value> {
        self.api(who, (Method::POST, path), Some(body), step).await
    }

    async fn token(&self, who: As<'_>) -> Result<String> {
        let wanted = json!({ "user": who.user(), "role": who.role(), "azp": self.product });
        let issued = self.control(Method::POST, "clerk/token", Some(wanted)).await?;
        text(&issued, "/token")
    }

    /// Has the sandbox do something.
    pub(crate) async fn control(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value> {
        let url = format!("{}/_control/{path}", self.sandbox);
        let mut request = self.client.request(method, url);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let (status, body) = answer(request).await.context("the sandbox does not answer")?;
        ensure!(status.is_success(), "sandbox, {path}: {status} {body}");
        Ok(body)
    }

    /// The sandbox's time, milliseconds.
    pub(crate) async fn now(&self) -> Result<i64> {
        number(&self.control(Method::GET, "clock", None).await?, "/now_ms")
    }

    /// Moves time on to `at`, milliseconds, and waits until everything that is due then is done.
    pub(crate) async fn move_to(&self, at: i64) -> Result<()> {
        if at > self.now().await? {
            self.control(Method::POST, "clock", Some(json!({ "set_ms": at }))).await?;
        }
        self.settle().await
    }

    /// Moves time on to `at`, milliseconds, and waits until the workers have done what is due.
    pub(crate) async fn reach(&self, at: i64) -> Result<()> {
        if at > self.now().await? {
            self.control(Method::POST, "clock", Some(json!({ "set_ms": at }))).await?;
        }
        for _ in 0..TRIES {
            let standing = self.get(As::Admin, "/workers").await?;
            if number(&standing, "/settled_at")? >= at {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        bail!("the workers do not come to rest at {at}");
    }

    /// Moves time on by `ms` and waits.
    pub(crate) async fn wait(&self, ms: i64) -> Result<()> {
        self.move_to(self.now().await?.saturating_add(ms)).await
    }

    /// Lets single seconds pass until one passes in which nothing happens.
    pub(crate) async fn settle(&self) -> Result<()> {
        let mut before = self.settled().await?;
        for _ in 0..60 {
            let at = self.now().await?.saturating_add(1_500);
            self.control(Method::POST, "clock", Some(json!({ "set_ms": at }))).await?;
            let after = self.settled().await?;
            if after == before {
                return Ok(());
            }
            before = after;
        }
        bail!("the workers do not come to rest");
    }

    /// Waits until the workers find nothing to do at the sandbox's time; how much they did so far.
    async fn settled(&self) -> Result<Vec<Value>> {
        let now = self.now().await?;
        for _ in 0..TRIES {
            let deliveries = self.control(Method::GET, "deliveries?wait_ms=2000", None).await?;
            let standing = self.get(As::Admin, "/workers").await?;
            let is_quiet = deliveries["is_quiet"] == Value::Bool(true);
            if number(&standing, "/settled_at")? >= now && is_quiet {
                let jobs = standing["jobs"].as_array().cloned().unwrap_or_default();
                return Ok(jobs.into_iter().map(|job| job["done"].clone()).collect());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        bail!("the workers do not come to rest at {now}");
    }

    /// A buyer follows a link from an address; the click token that the shop gets.
    pub(crate) async fn click(&self, link: &str, address: &str) -> Result<String> {
        let url = format!("{}{link}", self.product);
        for _ in 0..TRIES {
            let request = self
                .client
                .get(&url)
                .header("user-agent", BROWSER)
                .header("sec-fetch-mode", "navigate")
                .header("sec-fetch-dest", "document")
                .header("x-forwarded-for", address);
            if let Ok(response) = request.send().await {
                let location = response.headers().get("location").context("no redirect")?;
                let location = location.to_str()?.to_owned();
                let (_, token) = location.split_once("sh_click=").context("no click token")?;
                return Ok(token.split('&').next().unwrap_or_default().to_owned());
            }
            tokio::time::sleep(PAUSE).await;
        }
        bail!("{link}: no answer");
    }

    /// The shop reports something to `/v`; what it was answered.
    pub(crate) async fn report(&self, what: &str, body: Value) -> Result<Value> {
        let url = format!("{}/_control/shop/{what}", self.sandbox);
        for _ in 0..TRIES {
            let request = self.client.post(&url).json(&body);
            let reported = answer(request).await.context("the sandbox does not answer")?;
            let (status, reported) = reported;
            let answered = reported["status"].as_u64().unwrap_or_default();
            match (status, answered) {
                (StatusCode::OK, 200..=299) => return Ok(reported["body"].clone()),
                // Nobody was there, or there was no room: shops try again.
                (StatusCode::BAD_GATEWAY, _) | (_, 503) => {}
                _ => bail!("{what} {body}: {status} {reported}"),
            }
            tokio::time::sleep(PAUSE).await;
        }
        bail!("{what} {body}: no answer");
    }
}

impl Driver {
    /// A shop's server reports many events at once; a line for each, and one for all.
    pub(crate) async fn batch(&self, key: &str, lines: &[Value]) -> Result<Vec<Value>> {
        let url = format!("{}/v/batch", self.product);
        let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
        let body = lines.join("\n");
        let mut last = String::from("no answer");
        for _ in 0..TRIES {
            let request = self.client.post(&url).bearer_auth(key).body(body.clone());
            // Nobody was there, or there was no room: shops send the same again.
            if let Ok(response) = request.send().await {
                let status = response.status();
                let text = response.text().await.unwrap_or_default();
                let told: Result<Vec<Value>, _> = text.lines().map(serde_json::from_str).collect();
                let is_busy = |line: &Value| line["problem"]["status"] == json!(503);
                match told {
                    Ok(told) if status.is_success() && !told.iter().any(is_busy) => {
                        return Ok(told);
                    }
                    _ if status.is_client_error() => bail!("{url}: {status} {text}"),
                    _ => last = format!("{status} {text}"),
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        bail!("{url}: {last}");
    }
}

/// Status and body; none where nobody answered.
async fn answer(request: reqwest::RequestBuilder) -> Option<(StatusCode, Value)> {
    let response = request.send().await.ok()?;
    let status = response.status();
    let body = response.bytes().await.ok()?;
    let other = || Value::String(String::from_utf8_lossy(&body).into_owned());
    Some((status, serde_json::from_slice(&body).unwrap_or_else(|_| other())))
}

/// A text inside an answer.
pub(crate) fn text(value: &Value, pointer: &str) -> Result<String> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    Ok(found.with_context(|| format!("no text {pointer} in {value}"))?.to_owned())
}

/// A whole number inside an answer.
pub(crate) fn number(value: &Value, pointer: &str) -> Result<i64> {
    let found = value.pointer(pointer).and_then(Value::as_i64);
    found.with_context(|| format!("no number {pointer} in {value}"))
}
