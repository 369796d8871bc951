//! `sponsorhub what-if`: what a campaign would have cost on past orders, before a cent is spent.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};
use sponsorhub_app::fees::Fees;
use sponsorhub_app::orders::{Orders, Reading, Shape, Units, read_orders};
use sponsorhub_app::reading;
use sponsorhub_app::what_if::{Estimate, ends_at, what_if};
use sponsorhub_core::campaign::terms::Terms;
use sponsorhub_core::money::Minor;

use crate::words::{date, money};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Past orders, as CSV: `order_id`, `customer_id`, `ordered_on`, `amount` or `amount_minor`, `currency`.
    #[arg(long, value_name = "FILE")]
    orders: PathBuf,
    /// Terms as JSON, as `POST /api/v1/campaigns` takes them; `ends_at` follows from the orders.
    #[arg(long, value_name = "FILE")]
    terms: PathBuf,
    /// Amounts that are all whole numbers count whole units and not cents.
    #[arg(long)]
    whole_units: bool,
    /// Creators; each customer is credited to one of them by its id.
    #[arg(long, default_value_t = 12, value_name = "COUNT",
          value_parser = clap::value_parser!(u64).range(1..=10_000))]
    creators: u64,
    /// Every so many orders one is given back a week later; without it none is.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    reverse_every: Option<u64>,
    /// Print one JSON object instead of lines for people.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let units = if arguments.whole_units { Units::Whole } else { Units::Minor };
    let orders = orders_of(&arguments.orders, units)?;
    let terms = terms_of(&arguments.terms, &orders)?;
    let shape = Shape { creators: arguments.creators, reverse_every: arguments.reverse_every };
    let estimate = what_if(&orders, &terms, shape).context("these terms on these orders")?;
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&to_json(&estimate))?)?;
    } else {
        // Cents are what the column's name says.
        if orders.reading != Reading::Numbers(Units::Minor) {
            writeln!(out, "{}", read_as(orders.reading))?;
        }
        print(&estimate, &mut out)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads a file of orders.
pub(crate) fn orders_of(path: &Path, units: Units) -> Result<Orders> {
    let at = || path.display().to_string();
    read_orders(&std::fs::read(path).with_context(at)?, units).with_context(at)
}

/// How the amounts of a file were read, for people.
pub(crate) const fn read_as(reading: Reading) -> &'static str {
    match reading {
        Reading::Numbers(Units::Minor) => "Amounts were read as cents: 5000 is 50.00.",
        Reading::Numbers(Units::Whole) => "Amounts were read as whole units: 50 is 50.00.",
        Reading::Point => "Amounts were read as whole units, with a point before the cents: 50.00.",
        Reading::Comma => "Amounts were read as whole units, with a comma before the cents: 50,00.",
    }
}

fn terms_of(path: &Path, orders: &Orders) -> Result<Terms> {
    let at = || path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(at)?;
    let mut said: Map<String, Value> = serde_json::from_str(&text).with_context(at)?;
    said.insert("ends_at".to_owned(), json!(ends_at(orders)));
    reading::terms(&said, Fees::default()).with_context(at)
}

fn to_json(estimate: &Estimate) -> Value {
    let creators = estimate.creators.iter().enumerate().map(|(number, share)| {
        json!({
            "creator": number,
            "orders": share.orders,
            "commission_minor": share.commission.0,
            "base_minor": share.base.0,
        })
    });
    let months = estimate.months.iter().map(|((year, month), it)| {
        json!({
            "month": format!("{year:04}-{month:02}"),
            "orders": it.orders,
            "amount_minor": it.amount.0,
            "commission_minor": it.commission.0,
            "fees_minor": it.fees.0,
            "unmet_minor": it.unmet.0,
        })
    });
    json!({
        "currency": estimate.currency.code(),
        "budget_minor": estimate.budget.0,
        "orders": estimate.orders,
        "rejected": estimate.rejected,
        "uncredited": estimate.uncredited,
        "reversed": estimate.reversed,
        "amount_minor": estimate.amount.0,
        "earned_minor": estimate.earned().0,
        "fees_minor": estimate.fees.0,
        "left_minor": estimate.left().0,
        "unmet_minor": estimate.unmet.0,
        "exhausted_on": estimate.exhausted_on.map(date),
        "creators": creators.collect::<Vec<_>>(),
        "months": months.collect::<Vec<_>>(),
    })
}

fn print(estimate: &Estimate, out: &mut impl Write) -> std::io::Result<()> {
    let show = |amount: Minor| money(amount, estimate.currency);
    let Estimate { orders, reversed, amount, .. } = estimate;
    writeln!(out, "{orders} orders of {}, {reversed} of them given back", show(*amount))?;
    if estimate.rejected > 0 {
        writeln!(out, "{} are smaller than the terms pay for", estimate.rejected)?;
    }
    for (what, amount) in [
        ("budget", estimate.budget),
        ("creators would have got", estimate.earned()),
        ("platform fees", estimate.fees),
        ("back to the brand", estimate.left()),
        ("demand beyond the budget", estimate.unmet),
    ] {
        writeln!(out, "  {what:<26} {:>18}", show(amount))?;
    }
    match estimate.exhausted_on.map(date) {
        Some(day) => writeln!(out, "the budget first did not suffice on {day}")?,
        None => writeln!(out, "the budget sufficed for every order")?,
    }
    if estimate.uncredited > 0 {
        let count = estimate.uncredited;
        writeln!(out, "the campaign paused then; {count} orders after it are credited to nobody")?;
    }
    writeln!(
        out,
        "\n{:<8} {:>8} {:>18} {:>16} {:>14} {:>16}",
        "month", "orders", "worth", "commission", "fees", "unmet"
    )?;
    for ((year, month), it) in &estimate.months {
        writeln!(
            out,
            "{year:04}-{month:02}  {:>8} {:>18} {:>16} {:>14} {:>16}",
            it.orders,
            show(it.amount),
            show(it.commission),
            show(it.fees),
            show(it.unmet)
        )?;
    }
    writeln!(out, "\n{:<8} {:>8} {:>16} {:>14}", "creator", "orders", "commission", "base")?;
    for (number, share) in estimate.creators.iter().enumerate() {
        let (commission, base) = (show(share.commission), show(share.base));
        writeln!(out, "{number:<8} {:>8} {commission:>16} {base:>14}", share.orders)?;
    }
    Ok(())
}
