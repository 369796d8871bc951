//! `/brand/shop`: how the brand's shop reports orders: its API keys, an order to try, and what the doctor
//! finds.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use sponsorhub_app::api_keys::{self, CONVERSIONS_WRITE};
use sponsorhub_app::intake::{IntakeError, Ready, Reporter};
use sponsorhub_app::velocity::OnTheWay;
use sponsorhub_core::actor::Action;
use sponsorhub_core::ids::ApiKeyId;
use sponsorhub_core::money::Currency;

use super::super::act::{act, key};
use super::super::form::Form;
use super::super::rows::Asked;
use super::super::shell::Shell;
use super::super::show::{Chip, Moment, chip, done, short};
use super::super::visitor::Visitor;
use super::super::{go, page};
use crate::api::{Fault, Path, Query};
use crate::doctor::{Severity, brand};
use crate::problem::Problem;

/// A key that may be used, or may be again never.
struct Key {
    id: ApiKeyId,
    short: String,
    scopes: String,
    state: Chip,
    created_at: Moment,
    used_at: Option<Moment>,
    ends_at: Option<Moment>,
    /// The key of the form that revokes it; none where it is over.
    form: Option<String>,
}

/// Something that the doctor found.
struct Found {
    severity: Chip,
    count: u64,
    meaning: String,
    fix: String,
    last_at: Option<Moment>,
}

/// What was issued a moment ago, shown this one time.
struct Issued {
    id: String,
    secret: Option<String>,
    signing_secret: Option<String>,
}

/// An order to try, as it was filled in, and what would become of it.
struct Trial {
    code: String,
    event: String,
    amount: String,
    currency: String,
    told: Option<(Chip, String)>,
}

impl Default for Trial {
    fn default() -> Self {
        let (event, amount) = ("sale".to_owned(), "50.00".to_owned());
        Self { code: String::new(), event, amount, currency: "USD".to_owned(), told: None }
    }
}

#[derive(Template)]
#[template(path = "brand/shop.html")]
struct Shop {
    shell: Shell,
    done: Option<&'static str>,
    address: String,
    keys: Vec<Key>,
    /// Whether the reader may issue and revoke.
    may_manage: bool,
    new_key: String,
    issued: Option<Issued>,
    trial: Trial,
    currencies: [&'static str; 3],
    found: Vec<Found>,
}

fn keys(visitor: &Visitor, now: i64) -> Result<Vec<Key>, Problem> {
    let (brand, shared) = (visitor.caller.brand()?, &visitor.caller.shared);
    let known = api_keys::list(&*shared.store, brand).map_err(Fault::from)?;
    let row = |one: api_keys::Listed| {
        let is_expired = one.expires_at.is_some_and(|at| at <= now);
        let state = match one.revoked_at {
            Some(_) => chip("calm", "Revoked"),
            None if is_expired => chip("calm", "Expired"),
            None => chip("good", "Valid"),
        };
        Key {
            id: one.id,
            short: short(&one.id.to_string()),
            scopes: one.scopes.join(", "),
            state,
            created_at: Moment(one.created_at),
            used_at: shared.noted.last_use(one.id).or(one.last_used_at).map(Moment),
            ends_at: one.revoked_at.or(one.expires_at).map(Moment),
            form: (one.revoked_at.is_none() && !is_expired).then(key),
        }
    };
    Ok(known.into_iter().rev().map(row).collect())
}

fn found(visitor: &Visitor) -> Result<Vec<Found>, Problem> {
    let findings = brand::findings(&visitor.caller.shared, visitor.caller.brand()?);
    let row = |one: crate::doctor::Finding| Found {
        severity: match one.severity {
            Severity::Error => chip("bad", "Not working"),
            Severity::Warning => chip("wait", "Look at it"),
            Severity::Ok => chip("good", "Healthy"),
        },
        count: one.count,
        meaning: one.meaning,
        fix: one.fix,
        last_at: one.last_at.map(Moment),
    };
    Ok(findings.map_err(Fault::from)?.into_iter().map(row).collect())
}

fn shown(visitor: &Visitor, issued: Option<Issued>, trial: Trial) -> Result<Shop, Problem> {
    let shared = &visitor.caller.shared;
    Ok(Shop {
        shell: visitor.titled("Your shop"),
        done: None,
        address: format!("{}/v", shared.public_url),
        keys: keys(visitor, shared.clock.now())?,
        may_manage: visitor.caller.may(Action::ManageKeys).is_ok(),
        new_key: key(),
        issued,
        trial,
        currencies: Currency::ALL.map(Currency::code),
        found: found(visitor)?,
    })
}

/// `GET /brand/shop`.
pub(in super::super) async fn show(
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    tokio::task::block_in_place(|| {
        let mut shop = shown(&visitor, None, Trial::default())?;
        shop.done = asked.done.as_deref().and_then(done);
        page(StatusCode::OK, &shop)
    })
}

/// `POST /brand/shop/keys`: its answer is the only page that has the secret.
pub(in super::super) async fn issue(visitor: Visitor, form: Form) -> Result<Response, Problem> {
    let body = json!({ "scopes": [CONVERSIONS_WRITE], "needs_signature": form.has("signed") });
    let answer = act(&visitor.caller, &form, ("POST", "/api-keys"), &body).await?;
    let text = |name: &str| answer[name].as_str().map(str::to_owned);
    let issued = Issued {
        id: text("id").unwrap_or_default(),
        secret: text("secret"),
        signing_secret: text("signing_secret"),
    };
    tokio::task::block_in_place(|| {
        page(StatusCode::OK, &shown(&visitor, Some(issued), Trial::default())?)
    })
}

/// `POST /brand/shop/keys/{key}/revoke`.
pub(in super::super) async fn revoke(
    visitor: Visitor,
    Path(key): Path<ApiKeyId>,
    form: Form,
) -> Result<Response, Problem> {
    act(&visitor.caller, &form, ("DELETE", &format!("/api-keys/{key}")), &json!({})).await?;
    Ok(go("/brand/shop?done=revoked"))
}

/// What would become of an order that came now; nothing is kept of it.
fn would_be(visitor: &Visitor, order: &Value) -> Result<(Chip, String), Problem> {
    let shared = &visitor.caller.shared;
    let who = Reporter { brand: visitor.caller.brand()? };
    let (body, now) = (order.to_string(), shared.clock.now());
    let ready = shared.intaker.prepare(who, body.as_bytes(), &mut OnTheWay::default(), now);
    let verdict = ready.and_then(|ready| match ready {
        Ready::DryRun(submitted) | Ready::Submit(submitted) => shared.intaker.would_be(&submitted),
    });
    match verdict {
        Ok(verdict) => {
            let told = format!("Such an order would be {}.", verdict.name());
            let tone = if verdict.name() == "accepted" { "good" } else { "wait" };
            Ok((chip(tone, if tone == "good" { "Accepted" } else { "Recorded" }), told))
        }
        Err(IntakeError::Refused(refused)) => {
            let Problem { code, detail, .. } = Problem::of_refused(&refused);
            Ok((chip("bad", "Refused"), format!("{code}: {detail}")))
        }
        Err(IntakeError::Conflict { .. }) => {
            Ok((chip("bad", "Refused"), "an order of this number is there already".to_owned()))
        }
        Err(IntakeError::Store(error)) => Err(Fault::from(error).into()),
    }
}

/// `POST /brand/shop/try`.
pub(in super::super) async fn attempt(visitor: Visitor, form: Form) -> Result<Response, Problem> {
    let amount = form.amount("amount")?;
    let text = |name: &str| form.text(name).to_owned();
    let mut trial = Trial {
        code: text("code"),
        event: text("event"),
        amount: text("amount"),
        currency: text("currency"),
        told: None,
    };
    tokio::task::block_in_place(|| {
        let order = json!({
            "source": "page", "external_id": key(), "type": trial.event, "amount": amount,
            "currency": trial.currency, "code": trial.code, "dry_run": true,
            "occurred_at": Moment(visitor.caller.shared.clock.now()).plain(),
        });
        trial.told = Some(would_be(&visitor, &order)?);
        page(StatusCode::OK, &shown(&visitor, None, trial)?)
    })
}
