//! `/brand/what-if`: what a campaign would have cost on past orders, before anybody opens one.
//!
//! The file says who bought what, so nothing of it is kept: it is in memory while it is read, no text of it
//! is shown or logged, and the answer is made of amounts, counts and months alone. While a file comes it has
//! one of its brand's places for batches, and the computation, of which there is one at a time, runs beside
//! the threads that answer requests.

mod shown;
mod upload;
mod wish;

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use sponsorhub_app::orders::{Reading, Units, read_orders};
use sponsorhub_app::what_if::{Estimate, WhatIfError, what_if};
use sponsorhub_core::campaign::terms::Terms;
use sponsorhub_core::refusal::Refusal;

use super::super::columns::Picture;
use super::super::form::Form;
use super::super::page;
use super::super::shell::Shell;
use super::super::visitor::Visitor;
use super::field::Field;
use crate::bodies::Held;
use crate::problem::Problem;
use shown::Shown;
use wish::{Plan, Wish};

/// Orders to try it on.
const SAMPLE: &[u8] = include_bytes!("../../../../../../examples/sample-orders.csv");

/// When whoever found it busy may come again, seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

#[derive(Template)]
#[template(path = "brand/what_if.html")]
struct Page {
    shell: Shell,
    fields: Vec<Field>,
    /// What is wrong with the file.
    wrong: Option<String>,
    /// Whether a form was sent, and its file is gone.
    is_sent: bool,
    is_busy: bool,
    shown: Option<Shown>,
}

/// Orders as they came.
enum Source {
    Sample,
    File(Held),
}

/// The answer, under which terms, and how the amounts were read.
#[derive(Debug)]
struct Computed {
    terms: Terms,
    estimate: Estimate,
    reading: Reading,
}

/// `GET /brand/what-if`: the form; with `sample` in its address, what comes of the sample.
pub(in super::super) async fn ask(
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let form = Form::of_query(query);
    if form.has("sample") {
        return answer(&visitor, &form, Ok(Some(Source::Sample))).await;
    }
    let wish = Wish::read(&form, visitor.caller.shared.fees);
    show(&visitor, &wish, StatusCode::OK, |_| {})
}

/// `POST /brand/what-if`: the same on the orders of a file.
pub(in super::super) async fn compute(
    visitor: Visitor,
    request: Request,
) -> Result<Response, Problem> {
    let shared = &visitor.caller.shared;
    let brand = visitor.caller.brand()?;
    let _place = shared.places.take(brand).await.map_err(|_| Problem::busy())?;
    let upload = upload::read(shared, request).await?;
    let source = match upload.file {
        _ if upload.form.has("sample") => Ok(Some(Source::Sample)),
        file => file.map(|file| file.map(Source::File)),
    };
    answer(&visitor, &upload.form, source).await
}

/// Computes it, or says what is wrong where it is.
async fn answer(
    visitor: &Visitor,
    form: &Form,
    source: Result<Option<Source>, String>,
) -> Result<Response, Problem> {
    let shared = &visitor.caller.shared;
    let wish = Wish::read(form, shared.fees);
    let refuse = |wrong: Option<String>| {
        show(visitor, &wish, StatusCode::UNPROCESSABLE_ENTITY, |page| page.wrong = wrong)
    };
    let source = match source {
        Ok(Some(source)) => source,
        Ok(None) => return refuse(Some("choose a file".to_owned())),
        Err(wrong) => return refuse(Some(wrong)),
    };
    let Some(plan) = wish.plan() else { return refuse(None) };
    let Ok(permit) = Arc::clone(&shared.what_if).try_acquire_owned() else {
        let busy =
            show(visitor, &wish, StatusCode::SERVICE_UNAVAILABLE, |page| page.is_busy = true);
        return busy.map(|mut busy| {
            busy.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
            busy
        });
    };
    let is_sample = matches!(source, Source::Sample);
    let computing = tokio::task::spawn_blocking(move || {
        // Whoever goes away meanwhile lets nobody else in before this has ended.
        let _permit = permit;
        match source {
            // Its amounts are cents, whatever those of somebody's file are.
            Source::Sample => estimate(SAMPLE, Units::Minor, &plan),
            Source::File(file) => estimate(&file, plan.units, &plan),
        }
    });
    match computing.await.map_err(|_| Problem::busy())? {
        Err(wrong) => refuse(Some(wrong)),
        Ok(computed) => {
            let opening = wish.opening(computed.estimate.currency);
            show(visitor, &wish, StatusCode::OK, |page| {
                page.fields = wish.fields(Some(&computed.terms));
                page.is_sent = !is_sample;
                page.shown = Some(Shown::new(computed, is_sample, opening));
            })
        }
    }
}

/// Reads orders and lets a campaign run over them; or says what is wrong with the file.
fn estimate(file: &[u8], units: Units, plan: &Plan) -> Result<Computed, String> {
    let orders = read_orders(file, units).map_err(|error| error.to_string())?;
    let terms = plan.terms(&orders).map_err(|(field, fix)| format!("{field}: {fix}"))?;
    let estimate = what_if(&orders, &terms, plan.shape).map_err(|error| match error {
        WhatIfError::Refused(Refusal::Field { field: "terms.ends_at", .. }) => {
            "a campaign lasts at most 24 months, and these orders span more: leave out the older ones"
                .to_owned()
        }
        other => other.to_string(),
    })?;
    Ok(Computed { terms, estimate, reading: orders.reading })
}

fn show(
    visitor: &Visitor,
    wish: &Wish,
    status: StatusCode,
    change: impl FnOnce(&mut Page),
) -> Result<Response, Problem> {
    let mut shown = Page {
        shell: visitor.titled("What if"),
        fields: wish.fields(None),
        wrong: None,
        is_sent: status != StatusCode::OK,
        is_busy: false,
        shown: None,
    };
    change(&mut shown);
    page(status, &shown)
}

#[cfg(test)]
mod tests {
    use sponsorhub_app::fees::Fees;

    use super::*;

    #[test]
    fn orders_of_more_than_24_months_are_told_so() {
        let plan = Wish::read(&Form::default(), Fees::default()).plan().expect("the usual");
        let head = "order_id,customer_id,ordered_on,amount_minor,currency\n";
        let file = format!("{head}a,1,1997-01-01,500,USD\nb,1,2001-01-01,500,USD\n");
        let wrong = estimate(file.as_bytes(), plan.units, &plan).expect_err("too long");
        assert!(wrong.starts_with("a campaign lasts at most 24 months"), "{wrong}");
        let computed = estimate(SAMPLE, Units::Minor, &plan).expect("the sample fits");
        assert_eq!(computed.estimate.orders, 1_500);
        assert_eq!(computed.terms.platform_fee_bps, 500);
    }
}
