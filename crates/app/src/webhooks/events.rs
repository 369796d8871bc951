//! What is told of an entry: its type, where it is, ids and amounts. Never who somebody is, what they
//! wrote, or what another brand or creator may not see.

use serde_json::{Map, Value, json};
use sponsorhub_core::ids::Seq;
use sponsorhub_core::ledger::entry::Entry;
use sponsorhub_core::ledger::event::conversion::Taken;
use sponsorhub_core::ledger::kind::{Body, Kind, Scope};
use sponsorhub_core::money::{Currency, Minor};
use sponsorhub_store::registry::Party;
use time::OffsetDateTime;

/// The type of an event that means nothing: somebody tries an endpoint.
pub const TEST: &str = "webhook.test";

/// Kinds of entries that are told of, and the types of their events.
const TYPES: [(Kind, &str); 25] = [
    (Kind::CampaignStateChanged, "campaign.state_changed"),
    (Kind::DepositConfirmed, "deposit.confirmed"),
    (Kind::DepositFailed, "deposit.failed"),
    (Kind::DepositDisputed, "deposit.disputed"),
    (Kind::DepositDisputeClosed, "deposit.dispute_closed"),
    (Kind::DepositReversed, "deposit.reversed"),
    (Kind::DepositReinstated, "deposit.reinstated"),
    (Kind::EnrollmentStarted, "enrollment.started"),
    (Kind::EnrollmentEnded, "enrollment.ended"),
    (Kind::ConversionAccepted, "conversion.accepted"),
    (Kind::ConversionHeld, "conversion.held"),
    (Kind::ConversionRejected, "conversion.rejected"),
    (Kind::ConversionReversed, "conversion.reversed"),
    (Kind::HoldPlaced, "hold.placed"),
    (Kind::HoldReleased, "hold.released"),
    (Kind::HoldUpheld, "hold.upheld"),
    (Kind::PayoutPlanned, "payout.planned"),
    (Kind::PayoutCancelled, "payout.cancelled"),
    (Kind::DisbursementPaid, "payout.paid"),
    (Kind::DisbursementFailed, "payout.failed"),
    (Kind::DisbursementReversed, "payout.reversed"),
    (Kind::RefundPlanned, "refund.planned"),
    (Kind::RefundPaid, "refund.paid"),
    (Kind::RefundFailed, "refund.failed"),
    (Kind::RefundSettledOutside, "refund.settled_outside"),
];

/// The type of events about entries of this kind; none where nobody is told.
pub fn type_of(kind: Kind) -> Option<&'static str> {
    TYPES.iter().find(|(known, _)| *known == kind).map(|(_, name)| *name)
}

/// The types that an owner can hear: a creator only hears what concerns an enrollment.
pub fn types_of(owner: Party) -> impl Iterator<Item = &'static str> {
    let is_heard = move |kind: Kind| match owner {
        Party::Brand(_) => true,
        Party::Creator(_) => kind.scope() == Scope::Enrollment,
    };
    TYPES.iter().filter(move |(kind, _)| is_heard(*kind)).map(|(_, name)| *name)
}

/// A time as RFC 3339 writes it, to the millisecond.
pub(super) fn timestamp(at: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at) * 1_000_000);
    let time = time.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    let (hour, minute, second, ms) =
        (time.hour(), time.minute(), time.second(), time.millisecond());
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// The entry that has the amount which this one leaves out.
pub(super) fn names(body: &Body) -> Option<Seq> {
    match body {
        Body::DepositConfirmed(body) => Some(body.deposit),
        Body::DepositFailed(body) => Some(body.deposit),
        Body::PayoutCancelled(body) => Some(body.payout),
        Body::DisbursementPaid(body) => Some(body.payout),
        Body::DisbursementFailed(body) => Some(body.payout),
        Body::DisbursementReversed(body) => Some(body.payout),
        Body::RefundPaid(body) => Some(body.refund),
        Body::RefundFailed(body) => Some(body.refund),
        Body::RefundSettledOutside(body) => Some(body.refund),
        _ => None,
    }
}

/// What an entry that is named says of amounts.
fn amount_of(body: &Body) -> Option<Minor> {
    match body {
        Body::DepositExpected(body) => Some(body.amount),
        Body::PlatformAdvanced(body) => Some(body.amount),
        Body::PayoutPlanned(body) => Some(body.amount),
        Body::RefundPlanned(body) => Some(body.amount),
        _ => None,
    }
}

/// The body of the message about an entry; `named` is the entry that [`names`] asks for.
pub(super) fn message(
    kind: &str,
    entry: &Entry,
    named: Option<&Body>,
    currency: Currency,
) -> Value {
    let mut data = Map::new();
    let money = |amount: Minor| json!({ "amount": amount.0, "currency": currency.code() });
    data.insert("campaign".to_owned(), json!(entry.campaign));
    data.insert("seq".to_owned(), json!(entry.seq));
    if let Some((enrollment, _)) = entry.enrollment {
        data.insert("enrollment".to_owned(), json!(enrollment));
    }
    if let Some(amount) = named.and_then(amount_of).or_else(|| own_amount(&entry.body)) {
        data.insert("amount".to_owned(), money(amount));
    }
    if let Value::Object(more) = more(entry) {
        data.extend(more);
    }
    json!({ "type": kind, "timestamp": timestamp(entry.at), "data": data })
}

fn own_amount(body: &Body) -> Option<Minor> {
    match body {
        Body::DepositDisputed(body) => Some(body.amount),
        Body::DepositReversed(body) => Some(body.amount),
        Body::ConversionAccepted(body) => Some(body.0.amount),
        Body::ConversionHeld(body) => Some(body.taken.amount),
        Body::ConversionRejected(body) => Some(body.taken.amount),
        Body::ConversionReversed(body) => Some(body.amount),
        other => amount_of(other),
    }
}

/// What else is told by kind. Reasons that people write are not; codes are.
fn more(entry: &Entry) -> Value {
    let taken = |taken: &Taken| json!({ "conversion": entry.seq, "event_type": taken.r#type });
    match &entry.body {
        Body::CampaignStateChanged(body) => json!({ "state": body.to, "cause": body.cause }),
        Body::DepositConfirmed(body) => json!({ "deposit": body.deposit }),
        Body::DepositFailed(body) => json!({ "deposit": body.deposit }),
        Body::DepositDisputed(body) => json!({ "deposit": body.deposit }),
        Body::DepositDisputeClosed(body) => {
            json!({ "deposit": body.deposit, "outcome": body.outcome })
        }
        Body::DepositReversed(body) => json!({ "deposit": body.deposit, "cause": body.cause }),
        Body::DepositReinstated(body) => json!({ "deposit": body.deposit }),
        Body::ConversionAccepted(body) => taken(&body.0),
        Body::ConversionHeld(body) => {
            let mut more = taken(&body.taken);
            more["deadline"] = json!(timestamp(body.deadline));
            more
        }
        Body::ConversionRejected(body) => {
            let mut more = taken(&body.taken);
            more["reason"] = json!(body.reason);
            more
        }
        Body::ConversionReversed(body) => json!({ "conversion": body.conversion }),
        Body::HoldPlaced(body) => {
            json!({ "conversion": body.conversion, "deadline": timestamp(body.deadline) })
        }
        Body::HoldReleased(body) => json!({ "conversion": body.conversion }),
        Body::HoldUpheld(body) => json!({ "conversion": body.conversion }),
        Body::PayoutPlanned(body) => json!({ "payout": entry.seq, "deposit": body.deposit }),
        Body::PayoutCancelled(body) => json!({ "payout": body.payout }),
        Body::DisbursementPaid(body) => json!({ "payout": body.payout, "attempt": body.attempt }),
        Body::DisbursementFailed(body) => {
            json!({ "payout": body.payout, "attempt": body.attempt })
        }
        Body::DisbursementReversed(body) => json!({ "payout": body.payout }),
        Body::RefundPlanned(body) => json!({ "refund": entry.seq, "deposit": body.deposit }),
        Body::RefundPaid(body) => json!({ "refund": body.refund }),
        Body::RefundFailed(body) => json!({ "refund": body.refund }),
        Body::RefundSettledOutside(body) => json!({ "refund": body.refund }),
        _ => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use sponsorhub_core::ids::{BrandId, CreatorId};

    use super::*;

    #[test]
    fn a_creator_hears_of_enrollments_and_a_brand_of_all() {
        let brand: Vec<_> = types_of(Party::Brand(BrandId([1; 16]))).collect();
        let creator: Vec<_> = types_of(Party::Creator(CreatorId([1; 16]))).collect();
        assert_eq!((brand.len(), creator.len()), (25, 14));
        assert!(creator.iter().all(|name| brand.contains(name)));
        assert!(!creator.iter().any(|name| name.starts_with("deposit.")), "{creator:?}");
    }

    #[test]
    fn times_are_written_as_rfc_3339_writes_them() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(timestamp(1_772_323_199_987), "2026-02-28T23:59:59.987Z");
        assert_eq!(timestamp(-1), "1969-12-31T23:59:59.999Z");
    }
}
