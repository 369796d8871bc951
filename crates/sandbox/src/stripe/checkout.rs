//! `/v1/checkout/sessions`, and what can be read of the payments behind them.

use serde_json::Value;

use super::books::{Books, Due};
use super::error::Refusal;
use super::form::Params;
use super::object::{IntentPlan, PaymentStatus, Session, SessionStatus};
use super::shelf::{Object as _, Page};

/// Least amount of a charge, minor units.
const AMOUNT_MIN: i64 = 50;

/// Largest amount of a charge, minor units.
const AMOUNT_MAX: i64 = 99_999_999;

const DAY_S: i64 = 86_400;
const SHORTEST_S: i64 = 1_800;

/// What is bought, summed up.
struct Basket {
    title: String,
    currency: String,
    amount: i64,
}

pub(crate) fn create(books: &mut Books, mut params: Params) -> Result<Value, Refusal> {
    let mode = params.required_choice("mode", &["payment"])?;
    let basket = basket(&mut params)?;
    let success_url = params.required_text("success_url")?;
    let cancel_url = params.text("cancel_url")?;
    let client_reference_id = reference(&mut params)?;
    let customer_email = params.text("customer_email")?;
    let metadata = params.metadata()?;
    let plan = plan(&mut params)?;
    let mut payment_method_types = params.list("payment_method_types")?;
    if payment_method_types.is_empty() {
        payment_method_types = vec!["card".to_owned(), "us_bank_account".to_owned()];
    }
    let expires_at = expires_at(&mut params, books.now_s())?;
    params.finish()?;

    let id = books.chance.id("cs_test");
    let session = Session {
        object: "checkout.session",
        amount_subtotal: basket.amount,
        amount_total: basket.amount,
        cancel_url,
        client_reference_id,
        created: books.now_s(),
        currency: basket.currency,
        customer: None,
        customer_email,
        expires_at,
        livemode: false,
        metadata,
        mode,
        payment_intent: None,
        payment_method_types,
        payment_status: PaymentStatus::Unpaid,
        status: SessionStatus::Open,
        success_url: Some(success_url),
        url: Some(format!("{}/pay/{id}", books.base_url)),
        title: basket.title,
        plan,
        id,
    };
    books.when(expires_at.saturating_mul(1_000), Due::Expire(session.id.clone()));
    let rendered = session.render();
    books.sessions.put(session);
    Ok(rendered)
}

fn basket(params: &mut Params) -> Result<Basket, Refusal> {
    let mut items = params.required_level("line_items")?;
    let mut sum = Basket { title: String::new(), currency: String::new(), amount: 0 };
    for number in items.names() {
        let mut item = items.required_level(&number)?;
        let quantity = item.amount("quantity")?.unwrap_or(1);
        let mut price = item.required_level("price_data")?;
        let currency = price.required_currency("currency")?;
        let unit = price.required_amount("unit_amount")?;
        let mut product = price.required_level("product_data")?;
        let name = product.required_text("name")?;
        product.text("description")?;
        product.metadata()?;
        product.finish()?;
        price.finish()?;
        item.finish()?;
        if !sum.currency.is_empty() && sum.currency != currency {
            let message = "All line items must have the same currency.";
            return Err(Refusal::parameter("parameter_invalid", "line_items", message));
        }
        sum.amount = sum.amount.saturating_add(unit.saturating_mul(quantity));
        if !sum.title.is_empty() {
            sum.title.push_str(", ");
        }
        sum.title.push_str(&name);
        sum.currency = currency;
    }
    items.finish()?;
    if sum.amount < AMOUNT_MIN {
        let message = "The Checkout Session's total amount must be at least 50 minor units.";
        return Err(Refusal::parameter("amount_too_small", "line_items", message));
    }
    if sum.amount > AMOUNT_MAX {
        let message = "The Checkout Session's total amount must be no more than 999,999.99.";
        return Err(Refusal::parameter("amount_too_large", "line_items", message));
    }
    Ok(sum)
}

fn reference(params: &mut Params) -> Result<Option<String>, Refusal> {
    let reference = params.text("client_reference_id")?;
    if reference.as_ref().is_some_and(|text| text.chars().count() > 200) {
        let message = "client_reference_id can have up to 200 characters.";
        return Err(Refusal::parameter("parameter_invalid", "client_reference_id", message));
    }
    Ok(reference)
}

fn plan(params: &mut Params) -> Result<IntentPlan, Refusal> {
    let Some(mut level) = params.level("payment_intent_data")? else {
        return Ok(IntentPlan::default());
    };
    let plan = IntentPlan {
        description: level.text("description")?,
        metadata: level.metadata()?,
        transfer_group: level.text("transfer_group")?,
    };
    level.finish()?;
    Ok(plan)
}

fn expires_at(params: &mut Params, now_s: i64) -> Result<i64, Refusal> {
    let longest = now_s.saturating_add(DAY_S);
    let expires_at = params.integer("expires_at")?.unwrap_or(longest);
    if (now_s.saturating_add(SHORTEST_S)..=longest).contains(&expires_at) {
        return Ok(expires_at);
    }
    let message = "The `expires_at` timestamp must be between 30 minutes and 24 hours from now.";
    Err(Refusal::parameter("parameter_invalid", "expires_at", message))
}

pub(crate) fn list(books: &Books, mut params: Params) -> Result<Value, Refusal> {
    let page = Page::of(&mut params)?;
    let intent = params.text("payment_intent")?;
    let status = params.choice("status", &["open", "complete", "expired"])?;
    params.finish()?;
    books.sessions.page(&page, "/v1/checkout/sessions", |session| {
        let is_status = status.is_none_or(|wanted| {
            wanted
                == match session.status {
                    SessionStatus::Open => "open",
                    SessionStatus::Complete => "complete",
                    SessionStatus::Expired => "expired",
                }
        });
        is_status && (intent.is_none() || session.payment_intent == intent)
    })
}

pub(crate) fn expire(books: &mut Books, id: &str, params: Params) -> Result<Value, Refusal> {
    params.finish()?;
    if books.sessions.in_path(id)?.status != SessionStatus::Open {
        let message = "Only Checkout Sessions with a status in [\"open\"] can be expired.";
        return Err(Refusal::uncoded(message));
    }
    books.expire(id);
    Ok(books.sessions.in_path(id)?.render())
}

/// Lists that need nothing but their own filters.
pub(crate) fn list_charges(books: &Books, mut params: Params) -> Result<Value, Refusal> {
    let page = Page::of(&mut params)?;
    let intent = params.text("payment_intent")?;
    let group = params.text("transfer_group")?;
    params.finish()?;
    books.charges.page(&page, "/v1/charges", |charge| {
        (intent.is_none() || charge.payment_intent == intent)
            && (group.is_none() || charge.transfer_group == group)
    })
}

pub(crate) fn list_balance_transactions(
    books: &Books,
    mut params: Params,
) -> Result<Value, Refusal> {
    let page = Page::of(&mut params)?;
    let source = params.text("source")?;
    let r#type = params.text("type")?;
    params.finish()?;
    books.balance_transactions.page(&page, "/v1/balance_transactions", |one| {
        source.as_ref().is_none_or(|source| *source == one.source)
            && r#type.as_ref().is_none_or(|r#type| *r#type == one.r#type)
    })
}
