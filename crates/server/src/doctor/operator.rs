//! What an operator has to set right.

use sponsorhub_core::campaign::state::State;
use sponsorhub_core::disbursement::DisbursementState;
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::time::{DAY_MS, plus_days};
use sponsorhub_store::StoreError;
use sponsorhub_store::registry::Endpoint;

use super::{Finding, Severity};
use crate::shared::Shared;
use crate::words;

/// Campaigns that are looked through at a time.
const PAGE: usize = 1_000;

/// How far the workers may be behind, milliseconds.
const BEHIND_MS: i64 = 600_000;

/// How long no webhook may have come, milliseconds.
const SILENT_MS: i64 = 7 * DAY_MS;

/// For how long the provider holds a balance in most countries, days. It is two years in the United States
/// and ten days in Thailand, and the account's country is not known here.
const HOLDING_DAYS: i64 = 90;

/// Everything that an operator can do something about.
pub(crate) fn findings(shared: &Shared) -> Result<Vec<Finding>, StoreError> {
    let now = shared.clock.now();
    let mut found = work(shared, now);
    found.extend(paused(shared)?);
    found.extend(webhooks(shared, now));
    found.extend(proxy(shared));
    found.extend(identity(shared));
    found.extend(campaigns(shared, now)?);
    Ok(super::sorted(found))
}

fn work(shared: &Shared, now: i64) -> Vec<Finding> {
    let standing = shared.workers.standing();
    let mut found = Vec::new();
    for (name, job) in &standing.jobs {
        let Some(error) = &job.error else { continue };
        let fix = "set right what the error says; the work goes on by itself";
        let mut finding = Finding::new(Severity::Error, "job_failed", error, fix);
        finding.saw(job.last_run_at);
        finding.example = Some((*name).to_owned());
        found.push(finding);
    }
    if standing.settled_at != 0 && now - standing.settled_at > BEHIND_MS {
        let meaning = "the workers have had something left to do for more than ten minutes";
        let mut finding =
            Finding::new(Severity::Warning, "work_behind", meaning, "see GET /api/v1/workers");
        finding.last_at = Some(standing.settled_at);
        found.push(finding);
    }
    for (currency, holding) in &standing.holdings {
        if holding.missing().is_positive() {
            let missing = words::money(holding.missing(), *currency);
            let meaning = format!("{missing}, which campaigns hold, are not at the provider");
            let fix = "bring the money back, and set the provider's payouts to manual";
            found.push(Finding::new(Severity::Error, "funds_missing", &meaning, fix));
        }
    }
    found
}

/// Jobs that somebody paused and may have forgotten.
fn paused(shared: &Shared) -> Result<Vec<Finding>, StoreError> {
    let paused = shared.desk.registry(|registry| registry.paused_jobs())?;
    let found = paused.into_iter().map(|paused| {
        let meaning = format!("the job {} is paused, and what it does waits", paused.job);
        let fix = "resume it at /admin/workers when the reason is gone";
        let mut finding = Finding::new(Severity::Warning, "job_paused", &meaning, fix);
        finding.saw(paused.since);
        finding.example = Some(paused.job);
        finding
    });
    Ok(found.collect())
}

fn webhooks(shared: &Shared, now: i64) -> Vec<Finding> {
    let endpoints = [
        (Endpoint::Account, "/webhooks/stripe", "its own account"),
        (Endpoint::Connect, "/webhooks/stripe/connect", "connected accounts"),
    ];
    let mut found = Vec::new();
    for (endpoint, path, name) in endpoints {
        let (believed, refused) = shared.heard.last(endpoint);
        if let Some(at) = refused.filter(|at| believed.is_none_or(|good| good < *at)) {
            let meaning =
                format!("the newest webhook at {path} was refused: its signature is wrong");
            let fix = "set the secret of that endpoint as the provider shows it; the log says more";
            // Where others get through, a stranger may have sent this one.
            let severity = if believed.is_none() { Severity::Error } else { Severity::Warning };
            let mut finding = Finding::new(severity, "webhook_refused", &meaning, fix);
            finding.saw(at);
            finding.example = Some(endpoint.name().to_owned());
            found.push(finding);
        } else if believed.is_none_or(|at| now - at > SILENT_MS) {
            let meaning = format!("no webhook about {name} so far, or not for a week");
            let fix = format!("see at the provider that its endpoint is {path}");
            let mut finding = Finding::new(Severity::Warning, "webhook_silent", &meaning, &fix);
            finding.last_at = believed;
            finding.example = Some(endpoint.name().to_owned());
            found.push(finding);
        }
    }
    found
}

/// Without its webhooks, who leaves the identity provider is neither shut out nor erased here.
fn identity(shared: &Shared) -> Option<Finding> {
    if !shared.clients.identity_webhooks.is_set() {
        let meaning =
            "who is deleted or leaves at the identity provider is not shut out and erased here";
        let fix =
            "have it send its webhooks to /webhooks/clerk, and set SPONSORHUB_CLERK_WEBHOOK_SECRET";
        return Some(Finding::new(Severity::Warning, "identity_unheard", meaning, fix));
    }
    let (believed, refused) = shared.heard.last_of_identity();
    let at = refused.filter(|at| believed.is_none_or(|good| good < *at))?;
    let meaning = "the newest webhook at /webhooks/clerk was refused: its signature is wrong";
    let fix = "set SPONSORHUB_CLERK_WEBHOOK_SECRET as the identity provider shows it";
    // Where others get through, a stranger may have sent this one.
    let severity = if believed.is_none() { Severity::Error } else { Severity::Warning };
    let mut finding = Finding::new(severity, "webhook_refused", meaning, fix);
    finding.saw(at);
    finding.example = Some("identity".to_owned());
    Some(finding)
}

/// A proxy that is not trusted makes all visitors one, and their limits shared.
fn proxy(shared: &Shared) -> Option<Finding> {
    let at = shared.heard.last_forwarded()?;
    let meaning =
        "X-Forwarded-For came from an address that is no trusted proxy, and was not believed";
    let fix = "if a proxy of yours stands there, name its network by --trusted-proxy; else a visitor made it up";
    let mut finding = Finding::new(Severity::Warning, "proxy_not_trusted", meaning, fix);
    finding.saw(at);
    Some(finding)
}

/// Until when money may stay at the provider: the campaign's end, known or planned, and its windows and
/// clearing days.
fn closes_at(state: &Campaign) -> i64 {
    let terms = state.terms();
    // Each is a year at most.
    let days = terms.attribution_window_days + terms.replay_window_days + terms.clearing_days;
    state.closes_at().unwrap_or_else(|| plus_days(terms.ends_at, days))
}

fn campaigns(shared: &Shared, now: i64) -> Result<Vec<Finding>, StoreError> {
    let meaning = "payouts whose transfer failed or whose outcome is unknown";
    let fix = "see GET /api/v1/disbursements";
    let mut stuck =
        Finding { count: 0, ..Finding::new(Severity::Error, "disbursement_open", meaning, fix) };
    let meaning = "campaigns whose money may be kept longer than the provider holds a balance in most countries (90 days; two years in the US): until their windows and clearing days are over";
    let fix = "look up how long the provider holds a balance in your country; end them sooner, or pay in parts";
    let mut long =
        Finding { count: 0, ..Finding::new(Severity::Warning, "holding_limit", meaning, fix) };
    let mut after = 0;
    loop {
        let page = shared.desk.read(|reader| reader.campaigns(after, PAGE))?;
        for listed in &page {
            after = listed.no;
            let looked = shared.desk.look(listed.campaign, |state| {
                use DisbursementState::{Failed, Unknown};
                let is_stuck = |of: &DisbursementState| matches!(of, Failed | Unknown);
                let stuck = state.payouts().values().filter(|one| is_stuck(&one.state)).count();
                let is_running =
                    matches!(state.state(), State::Funded | State::Live | State::Paused);
                let is_open = is_running || state.state() == State::Completed;
                (stuck, is_open && closes_at(state) > now + HOLDING_DAYS * DAY_MS)
            });
            // A ledger that cannot be folded is the audit's matter, and named in the log.
            let Ok((payouts, is_long)) = looked else { continue };
            if payouts > 0 {
                stuck.count += u64::try_from(payouts).unwrap_or(u64::MAX);
                stuck.example = Some(listed.campaign.to_string());
            }
            if is_long {
                long.count += 1;
                long.example = Some(listed.campaign.to_string());
            }
        }
        if page.len() < PAGE {
            break;
        }
    }
    Ok([stuck, long].into_iter().filter(|one| one.count > 0).collect())
}
