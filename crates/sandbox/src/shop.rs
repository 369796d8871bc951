//! A shop that sells one thing: it keeps the click token that a link left in its address, and
//! reports orders from its server to the product's `/v`, as shops do.

use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::clerk::cookie;
use crate::client;
use crate::html::{escape, page};
use crate::sandbox::Sandbox;

/// Whom the shop reports to.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShopSettings {
    /// The product's address, without a path.
    pub product_url: String,
    /// The key that reports are sent with.
    pub api_key: String,
    /// What the shop calls itself.
    #[serde(default = "source")]
    pub source: String,
    /// What it calls an order.
    #[serde(default = "event_type")]
    pub event_type: String,
}

fn source() -> String {
    "sandbox-shop".to_owned()
}

fn event_type() -> String {
    "sale".to_owned()
}

impl ShopSettings {
    /// With the names that the shop has by itself.
    pub fn new(product_url: impl Into<String>, api_key: impl Into<String>) -> Self {
        let (product_url, api_key) = (product_url.into(), api_key.into());
        Self { product_url, api_key, source: source(), event_type: event_type() }
    }
}

impl std::fmt::Debug for ShopSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { product_url, source, event_type, .. } = self;
        f.debug_struct("ShopSettings")
            .field("product_url", product_url)
            .field("api_key", &"***")
            .field("source", source)
            .field("event_type", event_type)
            .finish()
    }
}

/// What the shop remembers.
#[derive(Debug, Default)]
pub(crate) struct Shop {
    pub(crate) settings: Option<ShopSettings>,
}

/// Something that was bought.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The shop's number.
    pub external_id: String,
    /// What was paid, minor units.
    pub amount: i64,
    /// As in `USD`.
    pub currency: String,
    /// The click token that came with the buyer.
    #[serde(default)]
    pub click: Option<String>,
    /// The promo code that the buyer typed.
    #[serde(default)]
    pub code: Option<String>,
    /// When, as in `2026-01-05T12:00:00Z`; now where it is not said.
    #[serde(default)]
    pub occurred_at: Option<String>,
    /// What kind of event; an order where it is not said.
    #[serde(default)]
    pub r#type: Option<String>,
}

/// Something that was given back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShopRefund {
    /// The shop's number of the refund.
    pub external_id: String,
    /// The shop's number of the order.
    pub reverses: String,
    /// How much more is given back, minor units; all that is left where it is not said.
    #[serde(default)]
    pub amount: Option<i64>,
    /// As in `USD`; needed with an amount.
    #[serde(default)]
    pub currency: Option<String>,
    /// When, as with an order.
    #[serde(default)]
    pub occurred_at: Option<String>,
}

/// What the product answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reported {
    /// The status of the answer.
    pub status: u16,
    /// Its body; a text where it is not JSON.
    pub body: Value,
}

pub(crate) fn router() -> Router<Sandbox> {
    Router::new().route("/shop/", get(show)).route("/shop/checkout", post(buy))
}

/// Reports an order.
pub(crate) async fn report_order(sandbox: &Sandbox, order: &Order) -> std::io::Result<Reported> {
    let settings = settings(sandbox)?;
    let report = json!({
        "source": settings.source,
        "external_id": order.external_id,
        "type": order.r#type.as_ref().unwrap_or(&settings.event_type),
        "occurred_at": occurred_at(sandbox, order.occurred_at.as_ref())?,
        "amount": order.amount,
        "currency": order.currency,
        "click": order.click,
        "code": order.code,
    });
    send(&settings, report).await
}

/// Reports a refund.
pub(crate) async fn report_refund(
    sandbox: &Sandbox,
    refund: &ShopRefund,
) -> std::io::Result<Reported> {
    let settings = settings(sandbox)?;
    let report = json!({
        "source": settings.source,
        "external_id": refund.external_id,
        "type": "reversal",
        "reverses": refund.reverses,
        "occurred_at": occurred_at(sandbox, refund.occurred_at.as_ref())?,
        "amount": refund.amount,
        "currency": refund.currency,
    });
    send(&settings, report).await
}

fn settings(sandbox: &Sandbox) -> std::io::Result<ShopSettings> {
    let settings = sandbox.with(|state| state.shop.settings.clone());
    settings.ok_or_else(|| std::io::Error::other("the shop was not told whom to report to"))
}

fn occurred_at(sandbox: &Sandbox, said: Option<&String>) -> std::io::Result<String> {
    if let Some(said) = said {
        return Ok(said.clone());
    }
    let nanoseconds = i128::from(sandbox.now_ms()) * 1_000_000;
    let time = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds);
    time.map_err(std::io::Error::other)?.format(&Rfc3339).map_err(std::io::Error::other)
}

async fn send(settings: &ShopSettings, mut report: Value) -> std::io::Result<Reported> {
    if let Some(fields) = report.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let key = HeaderValue::from_str(&format!("Bearer {}", settings.api_key));
    headers.insert(header::AUTHORIZATION, key.map_err(std::io::Error::other)?);
    let url = format!("{}/v", settings.product_url.trim_end_matches('/'));
    let (status, body) = client::post(&url, headers, report.to_string().into_bytes()).await?;
    let text = || Value::String(String::from_utf8_lossy(&body).into_owned());
    let body = serde_json::from_slice(&body).unwrap_or_else(|_| text());
    Ok(Reported { status, body })
}

/// The parameter, and the cookie that keeps it.
const CLICK: &str = "sh_click";

#[derive(Debug, Deserialize)]
struct Landing {
    sh_click: Option<String>,
}

async fn show(Query(landing): Query<Landing>, headers: HeaderMap) -> Response {
    let click = landing.sh_click.filter(|click| is_plain(click));
    let says = if click.is_some() || cookie(&headers, CLICK).is_some() {
        "<p id=\"click\">You came through a creator's link.</p>"
    } else {
        "<p id=\"click\">Nobody sent you.</p>"
    };
    let body = format!(
        "{says}\n<form method=\"post\" action=\"/shop/checkout\">\n\
         <p><label>Amount in cents <input name=\"amount\" value=\"5000\" inputmode=\"numeric\" required></label></p>\n\
         <p><label>Currency <input name=\"currency\" value=\"USD\" required></label></p>\n\
         <p><label>Promo code <input name=\"code\"></label></p>\n\
         <button id=\"buy\">Buy</button>\n</form>"
    );
    let mut response = page(StatusCode::OK, "A good kettle", &body);
    if let Some(click) = click {
        let kept = format!("{CLICK}={click}; Path=/shop/; SameSite=Lax; HttpOnly");
        if let Ok(kept) = HeaderValue::from_str(&kept) {
            response.headers_mut().insert(header::SET_COOKIE, kept);
        }
    }
    response
}

/// What can be kept in a cookie as it is.
fn is_plain(text: &str) -> bool {
    let fits = |letter: u8| letter.is_ascii_alphanumeric() || b"-_.~".contains(&letter);
    !text.is_empty() && text.len() <= 512 && text.bytes().all(fits)
}

#[derive(Debug, Deserialize)]
struct Bought {
    amount: i64,
    currency: String,
    #[serde(default)]
    code: String,
}

async fn buy(
    State(sandbox): State<Sandbox>,
    headers: HeaderMap,
    Form(bought): Form<Bought>,
) -> Response {
    let order = Order {
        external_id: sandbox.with(|state| state.chance.id("order")),
        amount: bought.amount,
        currency: bought.currency,
        click: cookie(&headers, CLICK),
        code: Some(bought.code).filter(|code| !code.is_empty()),
        ..Order::default()
    };
    match report_order(&sandbox, &order).await {
        Ok(Reported { status, body }) => {
            let answer = serde_json::to_string_pretty(&body).unwrap_or_default();
            let body = format!(
                "<p>Order <code id=\"order\">{}</code>. The report was answered \
                 <strong id=\"status\">{status}</strong>:</p>\n<pre id=\"answer\">{}</pre>",
                escape(&order.external_id),
                escape(&answer)
            );
            page(StatusCode::OK, "Thank you", &body)
        }
        Err(error) => {
            let body = format!("<p>The order was not reported: {}</p>", escape(&error.to_string()));
            page(StatusCode::BAD_GATEWAY, "Thank you", &body)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_fits_into_a_cookie_is_kept() {
        assert!(is_plain("Ab-_9.~"));
        for text in ["", "a;b", "a b", "a\nb", "é", &"a".repeat(513)] {
            assert!(!is_plain(text), "{text}");
        }
    }

    #[test]
    fn keys_are_not_printed() {
        let printed = format!("{:?}", ShopSettings::new("http://p", "shk_sandbox_secret"));
        assert!(!printed.contains("secret"), "{printed}");
    }
}
