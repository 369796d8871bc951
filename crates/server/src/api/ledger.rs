//! What the ledger says: entries, conversions, balances, payouts, holds, statements.

use axum::Json;
use axum::http::StatusCode;
use axum::response::Response;
use data_encoding::HEXLOWER;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sponsorhub_app::campaigns;
use sponsorhub_app::earnings::Earnings;
use sponsorhub_app::workers::payout_reference;
use sponsorhub_core::actor::{Action, Role, Side};
use sponsorhub_core::hold::HoldDecision;
use sponsorhub_core::ids::{CampaignId, EnrollmentId, Seq};
use sponsorhub_core::ledger::account::Account;
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::ledger::kind::Kind;
use sponsorhub_core::ledger::records::Payout;
use sponsorhub_core::merkle::leaf_hash;
use sponsorhub_core::refusal::Refusal;
use sponsorhub_core::time::{day_of, plus_days};
use sponsorhub_store::store::EntryRow;

use super::caller::{Caller, not_found};
use super::extract::{Content, Nothing, Path, body_of};
use super::notes::About;
use super::once::Seed;
use super::{Fault, Page, money};
use crate::problem::Problem;
use crate::words;

/// An entry's bytes as JSON, with its leaf in the tree.
fn entry(bytes: &[u8]) -> Value {
    let mut entry: Value = serde_json::from_slice(bytes).unwrap_or_default();
    entry["leaf"] = json!(HEXLOWER.encode(&leaf_hash(bytes).0));
    entry
}

/// All entries of a campaign, in order.
pub(super) async fn entries(
    caller: Caller,
    Path(campaign): Path<CampaignId>,
    page: Page,
) -> Result<Json<Value>, Problem> {
    caller.may(Action::ReadLedger)?;
    tokio::task::block_in_place(|| {
        caller.sees(campaign)?;
        let mut page = scanned(&caller, campaign, &page, |row| Some(entry(row.bytes)))?;
        for entry in page["data"].as_array_mut().into_iter().flatten() {
            entry["note"] = caller.note_of(campaign, entry)?;
        }
        Ok(Json(page))
    })
}

/// Conversions and reversals; a creator sees their own.
pub(super) async fn conversions(
    caller: Caller,
    Path(campaign): Path<CampaignId>,
    page: Page,
) -> Result<Json<Value>, Problem> {
    caller.may(if caller.role == Role::Creator {
        Action::ReadOwnEarnings
    } else {
        Action::ReadLedger
    })?;
    tokio::task::block_in_place(|| {
        caller.sees(campaign)?;
        let own = own(&caller, campaign)?;
        let is_own = |entry: &Value| {
            let enrollment = entry["enrollment"].as_str().unwrap_or_default();
            own.as_ref().is_none_or(|own| own.iter().any(|one| one == enrollment))
        };
        let conversion = |row: &EntryRow<'_>| {
            let result = match row.kind {
                Kind::ConversionAccepted => "accepted",
                Kind::ConversionHeld => "held",
                Kind::ConversionRejected => "rejected",
                Kind::ConversionReversed => "reversed",
                _ => return None,
            };
            let mut shown = entry(row.bytes);
            shown["result"] = json!(result);
            Some(shown).filter(is_own)
        };
        scanned(&caller, campaign, &page, conversion).map(Json)
    })
}

/// A page of the entries that are shown and asked for.
fn scanned(
    caller: &Caller,
    campaign: CampaignId,
    page: &Page,
    shown: impl Fn(&EntryRow<'_>) -> Option<Value>,
) -> Result<Value, Problem> {
    page.gather(page.after()?, |after, count| {
        let mut rows = Vec::new();
        let mut each = |row: EntryRow<'_>| rows.push((row.seq, shown(&row)));
        let desk = &caller.shared.desk;
        let from = after.saturating_add(1);
        desk.read(|reader| reader.scan(campaign, from, count, &mut each)).map_err(Fault::from)?;
        Ok(rows)
    })
}

/// The enrollments of a creator who asks, as texts; none for who sees all.
fn own(caller: &Caller, campaign: CampaignId) -> Result<Option<Vec<String>>, Problem> {
    if caller.role != Role::Creator {
        return Ok(None);
    }
    let own = caller.enrollments()?.into_iter().filter(|(of, _)| *of == campaign);
    Ok(Some(own.map(|(_, enrollment)| enrollment.to_string()).collect()))
}

/// Every account, and of those that are kept for each enrollment the parts.
pub(super) async fn balances(
    caller: Caller,
    Path(campaign): Path<CampaignId>,
) -> Result<Json<Value>, Problem> {
    caller.may(Action::ReadBalances)?;
    tokio::task::block_in_place(|| {
        caller.sees(campaign)?;
        let looked = caller.shared.desk.look(campaign, |state| {
            let currency = state.terms().currency;
            let mut accounts = Map::new();
            for account in Account::ALL {
                accounts.insert(account.name().to_owned(), json!(state.balance(account).0));
            }
            let parts = state.numbered_enrollments().map(|(no, enrollment)| {
                let mut of = Map::new();
                for account in Account::ALL {
                    let balance = state.balances().of(account, no);
                    if !balance.is_zero() {
                        of.insert(account.name().to_owned(), json!(balance.0));
                    }
                }
                (enrollment.id.to_string(), Value::Object(of))
            });
            json!({
                "currency": currency.code(),
                "accounts": accounts,
                "enrollments": parts.collect::<Map<_, _>>(),
                "free": money(state.free(), currency),
                "unmet_demand": money(state.unmet(), currency),
                "difference": state.balances().difference().0,
                "as_of_entry": state.head(),
            })
        });
        Ok(Json(looked.map_err(Fault::from)?))
    })
}

pub(super) fn payout(campaign: CampaignId, state: &Campaign, seq: Seq, payout: &Payout) -> Value {
    json!({
        "payout": seq,
        "enrollment": state.enrollment(payout.enrollment).id,
        "amount": money(payout.amount, state.terms().currency),
        "state": words::payout(payout.state),
        "planned_on": plus_days(0, u32::try_from(payout.day).unwrap_or_default()),
        "deposit": payout.deposit,
        "attempts": payout.attempts,
        "reference": payout_reference(campaign, seq),
    })
}

/// A creator sees their own.
pub(super) async fn payouts(
    caller: Caller,
    Path(campaign): Path<CampaignId>,
    page: Page,
) -> Result<Json<Value>, Problem> {
    caller.may(Action::ReadPayouts)?;
    let looked = caller.look_at(campaign, |state, is_seen| {
        let payouts = state.payouts().iter();
        let payouts = payouts.filter(|(_, one)| is_seen(state.enrollment(one.enrollment).id));
        page.cut(payouts.map(|(seq, one)| (*seq, payout(campaign, state, *seq, one))))
    });
    looked?.map(Json)
}

/// One payout; a creator sees their own.
pub(super) async fn payout_shown(
    caller: Caller,
    Path((campaign, seq)): Path<(CampaignId, Seq)>,
) -> Result<Json<Value>, Problem> {
    caller.may(Action::ReadPayouts)?;
    let looked = caller.look_at(campaign, |state, is_seen| {
        let one = state.payouts().get(&seq)?;
        let is_seen = is_seen(state.enrollment(one.enrollment).id);
        is_seen.then(|| payout(campaign, state, seq, one))
    });
    Ok(Json(looked?.ok_or_else(not_found)?))
}

/// What a creator earned, in words for people; the owner of the enrollment, its brand and operators.
pub(super) async fn statement(
    caller: Caller,
    Path((campaign, enrollment)): Path<(CampaignId, EnrollmentId)>,
) -> Result<Json<Value>, Problem> {
    caller.may(Action::ReadStatements)?;
    tokio::task::block_in_place(|| {
        caller.owns(campaign, enrollment)?;
        let today = day_of(caller.shared.clock.now());
        let looked = caller.shared.desk.look(campaign, |state| {
            let no = state.enrollment_no(enrollment)?;
            let currency = state.terms().currency;
            let earned = Earnings::of(state, no, today);
            let payouts = state.payouts().iter().filter(|(_, payout)| payout.enrollment == no);
            let lines = payouts.map(|(seq, one)| payout(campaign, state, *seq, one));
            Some(json!({
                "enrollment": enrollment,
                "pending": money(earned.pending, currency),
                "held": money(earned.held, currency),
                "matured": money(earned.matured, currency),
                "on_its_way": money(earned.on_its_way, currency),
                "paid": money(earned.paid, currency),
                "clawed_back": money(earned.clawed_back, currency),
                "unclaimed": money(earned.unclaimed, currency),
                "base_reserved": money(earned.base_reserved, currency),
                "payouts": lines.collect::<Vec<_>>(),
                "as_of_entry": state.head(),
            }))
        });
        Ok(Json(looked.map_err(Fault::from)?.ok_or_else(not_found)?))
    })
}

/// A creator sees their own.
pub(super) async fn holds(
    caller: Caller,
    Path(campaign): Path<CampaignId>,
    page: Page,
) -> Result<Json<Value>, Problem> {
    caller.may(Action::ReadCampaign)?;
    let looked = caller.look_at(campaign, |state, is_seen| {
        let holds = state.holds().iter().filter_map(|(conversion, hold)| {
            let enrollment = state.enrollment(hold.enrollment).id;
            let shown = json!({
                "conversion": conversion,
                "enrollment": enrollment,
                "is_open": hold.open,
                "deadline": hold.deadline,
            });
            is_seen(enrollment).then_some((*conversion, shown))
        });
        page.cut(holds)
    });
    looked?.map(Json)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    conversion: Seq,
    reason: String,
    deadline: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Uphold {
    reason: String,
}

/// Refuses reasons that are none, or too long.
pub(super) fn reason(reason: &str) -> Result<(), Problem> {
    if (1..=200).contains(&reason.len()) {
        return Ok(());
    }
    Err(Fault::Field("reason", "1 to 200 bytes".to_owned()).into())
}

fn hold_at(caller: &Caller, campaign: CampaignId, conversion: Seq) -> Result<Value, Problem> {
    let looked = caller.shared.desk.look(campaign, |state| {
        let hold = state.holds().get(&conversion);
        hold.map(|hold| {
            json!({
                "conversion": conversion,
                "enrollment": state.enrollment(hold.enrollment).id,
                "is_open": hold.open,
                "deadline": hold.deadline,
            })
        })
    });
    looked.map_err(Fault::from)?.ok_or_else(not_found)
}

pub(super) async fn place_hold(
    caller: Caller,
    Path(campaign): Path<CampaignId>,
    body: Content,
) -> Result<Response, Problem> {
    caller.may(Action::PlaceHold)?;
    let Place { conversion, reason: why, deadline } = body_of(&body)?;
    reason(&why)?;
    tokio::task::block_in_place(|| caller.sees(campaign))?;
    caller
        .once(
            &body,
            |_| {},
            async |seed| {
                let now = caller.shared.clock.now();
                tokio::task::block_in_place(|| {
                    may_hold(&caller, (campaign, conversion), deadline, now)?;
                    let about = (campaign, About::Conversion(conversion));
                    caller.with_note(about, &why, &seed, |note| {
                        let place = (conversion, note.as_str(), deadline);
                        let desk = &caller.shared.desk;
                        forgive(&seed, campaigns::place_hold(desk, campaign, place, now))
                    })?;
                    Ok((StatusCode::CREATED, hold_at(&caller, campaign, conversion)?))
                })
            },
        )
        .await
}

/// A brand doubts a conversion once: by doubt after doubt it could put a payout off for as long as it
/// likes. An operator may look again.
fn may_hold(
    caller: &Caller,
    (campaign, conversion): (CampaignId, Seq),
    deadline: Option<i64>,
    now: i64,
) -> Result<(), Problem> {
    if deadline.is_some_and(|deadline| deadline <= now) {
        let fix = "a time to come, milliseconds since 1970".to_owned();
        return Err(Fault::Field("deadline", fix).into());
    }
    let looked = caller
        .shared
        .desk
        .look(campaign, |state| state.holds().get(&conversion).is_some_and(|hold| !hold.open));
    if looked.map_err(Fault::from)? && caller.role.side() == Side::Brand {
        let detail = "it was held before and that was settled; ask the operator to look again";
        return Err(Problem::new(StatusCode::CONFLICT, "held_before", detail));
    }
    Ok(())
}

/// A repetition whose first try came through is no error.
fn forgive(
    seed: &Seed,
    done: Result<(), sponsorhub_app::desk::CommandError>,
) -> Result<(), Problem> {
    use sponsorhub_app::desk::CommandError;
    match done {
        Err(CommandError::Refused(Refusal::Thing { .. })) if seed.is_repeat => Ok(()),
        other => Ok(other.map_err(Fault::from)?),
    }
}

async fn end_hold(
    caller: Caller,
    (campaign, conversion): (CampaignId, Seq),
    body: Content,
    why: Option<&str>,
) -> Result<Response, Problem> {
    tokio::task::block_in_place(|| {
        caller.sees(campaign)?;
        hold_at(&caller, campaign, conversion)
    })?;
    caller
        .once(
            &body,
            |_| {},
            async |seed| {
                let (desk, now) = (&caller.shared.desk, caller.shared.clock.now());
                tokio::task::block_in_place(|| {
                    let end = |decision: &HoldDecision| {
                        let ended = campaigns::end_hold(desk, campaign, conversion, decision, now);
                        forgive(&seed, ended)
                    };
                    let about = (campaign, About::Conversion(conversion));
                    let uphold = |note| end(&HoldDecision::Uphold(note));
                    match why {
                        Some(why) => caller.with_note(about, why, &seed, uphold)?,
                        None => end(&HoldDecision::Release)?,
                    }
                    Ok((StatusCode::OK, hold_at(&caller, campaign, conversion)?))
                })
            },
        )
        .await
}

pub(super) async fn release_hold(
    caller: Caller,
    Path(place): Path<(CampaignId, Seq)>,
    body: Content,
) -> Result<Response, Problem> {
    caller.may(Action::ReleaseHold)?;
    let Nothing {} = body_of(&body)?;
    end_hold(caller, place, body, None).await
}

pub(super) async fn uphold_hold(
    caller: Caller,
    Path(place): Path<(CampaignId, Seq)>,
    body: Content,
) -> Result<Response, Problem> {
    caller.may(Action::UpholdHold)?;
    let Uphold { reason: why } = body_of(&body)?;
    reason(&why)?;
    end_hold(caller, place, body, Some(&why)).await
}
