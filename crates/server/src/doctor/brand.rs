//! Why a brand's events of the last week did not count.

use std::collections::BTreeMap;

use sponsorhub_app::api_keys::CONVERSIONS_WRITE;
use sponsorhub_core::ids::BrandId;
use sponsorhub_core::ledger::kind::Kind;
use sponsorhub_core::time::{DAY_MS, day_of};
use sponsorhub_store::StoreError;
use sponsorhub_store::registry::{NEAR_MISSES_MAX, Party};

use super::{Finding, Severity};
use crate::shared::Shared;

/// What is looked at: this many days.
const DAYS: i64 = 7;

/// Newest entries of a ledger that are looked at.
const ENTRIES: usize = 5_000;

/// Credited clicks of a day after which silence of the shop is odd.
const CLICKS_WITHOUT_EVENT: u64 = 100;

/// Everything that a brand can do something about.
pub(crate) fn findings(shared: &Shared, brand: BrandId) -> Result<Vec<Finding>, StoreError> {
    let now = shared.clock.now();
    let mut found = refused(shared, brand, now)?;
    found.extend(recorded(shared, brand, now)?);
    found.extend(silence(shared, brand, now)?);
    found.extend(keys(shared, brand, now)?);
    found.extend(endpoints(shared, brand)?);
    Ok(super::sorted(found))
}

/// What a code means to a brand, and how bad it is. What is not named here says its fix itself.
fn advice(code: &str) -> (Severity, &'static str) {
    match code {
        "occurred_in_future" => (Severity::Error, "the clock of the reporting server is ahead"),
        "occurred_too_long_ago" => (Severity::Error, "reported after the replay window"),
        "occurred_before_click" => (Severity::Warning, "the order is older than its click"),
        "click_expired" => (Severity::Warning, "the click is older than the attribution window"),
        "click_not_credited" => (Severity::Warning, "the campaign was not live at the click"),
        "campaign_takes_no_events" | "campaign_over" => {
            (Severity::Error, "the campaign is not live, or is over")
        }
        "code_not_valid" => (Severity::Warning, "the promo code is unknown, another's or expired"),
        "currency_mismatch" => (Severity::Error, "another currency than the campaign's"),
        "type_not_paid" => (Severity::Warning, "the terms pay nothing for this type of event"),
        "signature_stale" => (Severity::Error, "signed by a clock that is more than 5 minutes off"),
        "signature_missing"
        | "signature_malformed"
        | "signature_wrong"
        | "signature_key_revoked" => (Severity::Error, "the signature of a report is not right"),
        "api_key_unknown" => (Severity::Error, "a key that was revoked or expired is still used"),
        "duplicate_with_other_content" => {
            (Severity::Error, "one order was reported twice with different content")
        }
        _ => (Severity::Error, "a report was refused"),
    }
}

fn refused(shared: &Shared, brand: BrandId, now: i64) -> Result<Vec<Finding>, StoreError> {
    let most = usize::try_from(NEAR_MISSES_MAX).unwrap_or(usize::MAX);
    let from_day = day_of(now) - DAYS;
    let (misses, counts) = shared.desk.registry(|registry| {
        Ok::<_, StoreError>((
            registry.near_misses(brand, None, most)?,
            registry.near_miss_counts(brand, from_day)?,
        ))
    })?;
    let mut by_code: BTreeMap<String, Finding> = BTreeMap::new();
    for one in counts {
        let (severity, meaning) = advice(&one.code);
        let finding = by_code.entry(one.code.clone()).or_insert_with(|| Finding {
            count: 0,
            ..Finding::new(severity, &one.code, meaning, "see `detail` of the answer to the report")
        });
        finding.count += one.count;
    }
    // Newest first: the first one of a code is its example.
    for (_, miss) in misses.into_iter().filter(|(_, miss)| day_of(miss.at) >= from_day) {
        let Some(finding) = by_code.get_mut(&miss.code) else { continue };
        if finding.example.is_none() {
            finding.fix = miss.detail;
            let place = miss.field.map_or_else(String::new, |field| format!(" at `{field}`"));
            let whose = miss.campaign.map_or_else(String::new, |of| format!(" in {of}"));
            finding.example = Some(format!("{}{place}{whose}", miss.code));
        }
        finding.saw(miss.at);
    }
    Ok(by_code.into_values().collect())
}

/// Conversions that are in the ledger and earn nothing, or not yet.
fn recorded(shared: &Shared, brand: BrandId, now: i64) -> Result<Vec<Finding>, StoreError> {
    let campaigns = shared.desk.registry(|registry| registry.campaigns(brand))?;
    let mut by_code: BTreeMap<String, Finding> = BTreeMap::new();
    for campaign in campaigns {
        let head = shared.desk.read(|reader| reader.head(campaign))?.map_or(0, |head| head.seq);
        let first = head.saturating_sub(ENTRIES as u64).saturating_add(1);
        shared.desk.read(|reader| {
            reader.scan(campaign, first, ENTRIES, &mut |row| {
                if !matches!(row.kind, Kind::ConversionRejected | Kind::ConversionHeld) {
                    return;
                }
                let entry: serde_json::Value =
                    serde_json::from_slice(row.bytes).unwrap_or_default();
                let at = entry["at"].as_i64().unwrap_or_default();
                if at < now - DAYS * DAY_MS {
                    return;
                }
                let reason = entry["body"]["reason"].as_str();
                let (severity, code, meaning, fix) = match reason {
                    Some(reason) => (
                        Severity::Warning,
                        reason,
                        "recorded and rejected by a rule of the campaign",
                        "nothing to repeat; the terms say what is paid for",
                    ),
                    None => (
                        Severity::Warning,
                        "conversion_held",
                        "held on suspicion; it counts at its deadline unless it is upheld",
                        "look at the campaign's holds and release what is right",
                    ),
                };
                let finding = by_code.entry(code.to_owned()).or_insert_with(|| Finding {
                    count: 0,
                    ..Finding::new(severity, code, meaning, fix)
                });
                finding.count += 1;
                finding.example = Some(format!("entry {} of {campaign}", row.seq));
                finding.saw(at);
            })
        })?;
    }
    Ok(by_code.into_values().collect())
}

/// Campaigns that people come through while no shop reports anything.
fn silence(shared: &Shared, brand: BrandId, now: i64) -> Result<Vec<Finding>, StoreError> {
    let campaigns = shared.desk.registry(|registry| registry.campaigns(brand))?;
    let mut clicks = shared.clicks.reader()?;
    let mut found = Vec::new();
    for campaign in campaigns {
        let hours = clicks.hours_of_campaign(campaign, (now - DAY_MS, now))?;
        let credited: u64 = hours.iter().map(|hour| hour.credited).sum();
        if credited < CLICKS_WITHOUT_EVENT {
            continue;
        }
        let head = shared.desk.read(|reader| reader.head(campaign))?.map_or(0, |head| head.seq);
        let first = head.saturating_sub(ENTRIES as u64).saturating_add(1);
        let mut last = None;
        shared.desk.read(|reader| {
            reader.scan(campaign, first, ENTRIES, &mut |row| {
                if matches!(row.kind, Kind::ConversionAccepted | Kind::ConversionHeld) {
                    last = Some(row.at);
                }
            })
        })?;
        if last.is_none_or(|at| at < now - DAY_MS) {
            let meaning = format!("{credited} credited clicks in a day, and no order was reported");
            let fix =
                "see that the shop keeps the click's parameter and reports orders with its key";
            found.push(Finding {
                count: credited,
                last_at: last,
                example: Some(campaign.to_string()),
                ..Finding::new(Severity::Warning, "clicks_without_event", &meaning, fix)
            });
        }
    }
    Ok(found)
}

fn keys(shared: &Shared, brand: BrandId, now: i64) -> Result<Vec<Finding>, StoreError> {
    let keys = sponsorhub_app::api_keys::list(&*shared.store, brand)?;
    let mut found = Vec::new();
    for mut key in keys.into_iter().filter(|key| key.revoked_at.is_none()) {
        key.last_used_at = shared.noted.last_use(key.id).or(key.last_used_at);
        let reports = key.scopes.iter().any(|scope| scope == CONVERSIONS_WRITE);
        let is_over = key.expires_at.is_some_and(|at| at <= now);
        let (code, meaning, fix) = if is_over {
            ("api_key_expired", "a key has expired", "issue another and use it, or revoke this one")
        } else if reports && key.last_used_at.is_none() && now - key.created_at > DAY_MS {
            let fix = "set it in the shop, or revoke it";
            ("api_key_never_used", "a key for reports was never used", fix)
        } else {
            continue;
        };
        found.push(Finding {
            example: Some(key.id.to_string()),
            last_at: key.last_used_at,
            ..Finding::new(Severity::Warning, code, meaning, fix)
        });
    }
    Ok(found)
}

fn endpoints(shared: &Shared, brand: BrandId) -> Result<Vec<Finding>, StoreError> {
    let endpoints = shared.desk.registry(|registry| registry.webhooks(Party::Brand(brand)))?;
    let mut found = Vec::new();
    for one in endpoints {
        let (severity, code, meaning, at) = match (&one.disabled, one.failing_since) {
            (Some(off), _) if off.why != "by_owner" => (
                Severity::Error,
                "webhook_disabled",
                "an endpoint is told nothing any more",
                off.at,
            ),
            (None, Some(since)) => {
                (Severity::Warning, "webhook_failing", "an endpoint takes nothing", since)
            }
            _ => continue,
        };
        let fix = "see its deliveries, repair it, and enable it again";
        let mut finding = Finding::new(severity, code, meaning, fix);
        finding.saw(at);
        finding.example = Some(one.id.to_string());
        found.push(finding);
    }
    Ok(found)
}
