//! Every route once: method, path, who may, what it is, what goes in and out, and who answers.

use axum::routing::{MethodRouter, delete, get, patch, post, put};
use sponsorhub_core::actor::Action;

use super::lists::{self, Filter};
use super::{
    access, campaigns, deposits, disbursements, doctor, endpoints, enrollments, erasure, events,
    keys, ledger, me, oversight, parties, payments, team, webhooks, workers,
};
use crate::shared::Shared;

/// A route.
#[derive(Clone, Copy)]
pub(super) struct Route {
    pub(super) method: &'static str,
    /// Below `/api/v1`.
    pub(super) path: &'static str,
    /// None: everybody who is signed in.
    pub(super) action: Option<Action>,
    pub(super) about: &'static str,
    /// Name of the schema of the body.
    pub(super) body: Option<&'static str>,
    /// Name of the schema of the answer.
    pub(super) answer: &'static str,
    pub(super) status: u16,
    /// By what a list can be narrowed.
    pub(super) filters: &'static [Filter],
    handler: fn() -> MethodRouter<Shared>,
}

macro_rules! filters {
    () => {
        &[]
    };
    ($filters:expr) => {
        $filters
    };
}

macro_rules! routes {
    ($($method:ident $path:literal, $action:expr, $about:literal,
       $body:expr => $status:literal $answer:literal, $handler:path $(, by $filters:expr)?;)*) => {
        /// All routes, in the order in which a campaign lives.
        pub(super) const ROUTES: &[Route] = &[$(Route {
            method: stringify!($method),
            path: $path,
            action: $action,
            about: $about,
            body: $body,
            answer: $answer,
            status: $status,
            filters: filters!($($filters)?),
            handler: || $method($handler),
        }),*];
    };
}

const NO_BODY: Option<&str> = Some("Nothing");

routes! {
    get "/me", None, "Who the caller is here", None => 200 "Me", me::show;
    put "/me", None, "Join as brand or creator", Some("Join") => 200 "Me", me::join;
    post "/campaigns", Some(Action::CreateCampaign), "Open a campaign",
        Some("Terms") => 201 "Campaign", campaigns::create;
    get "/campaigns", Some(Action::ReadCampaign), "Campaigns that the caller sees",
        None => 200 "CampaignList", campaigns::list, by lists::OF_CAMPAIGNS;
    get "/campaigns/{campaign}", Some(Action::ReadCampaign), "A campaign",
        None => 200 "Campaign", campaigns::show;
    post "/campaigns/{campaign}/deposits", Some(Action::OpenDeposit), "Open a checkout for a deposit",
        Some("OpenDeposit") => 201 "Deposit", deposits::open;
    get "/campaigns/{campaign}/deposits", Some(Action::ReadBalances), "Its deposits",
        None => 200 "DepositList", deposits::list, by lists::OF_DEPOSITS;
    post "/campaigns/{campaign}/launch", Some(Action::LaunchCampaign),
        "Go live, if the confirmed funds cover the budget", NO_BODY => 200 "Campaign", campaigns::launch;
    post "/campaigns/{campaign}/pause", Some(Action::PauseCampaign), "Credit no clicks for a while",
        NO_BODY => 200 "Campaign", campaigns::pause;
    post "/campaigns/{campaign}/resume", Some(Action::ResumeCampaign), "Credit clicks again",
        NO_BODY => 200 "Campaign", campaigns::resume;
    post "/campaigns/{campaign}/complete", Some(Action::CompleteCampaign), "End it",
        NO_BODY => 200 "Campaign", campaigns::complete;
    post "/campaigns/{campaign}/cancel", Some(Action::CancelCampaign), "Give it up before it is live",
        NO_BODY => 200 "Campaign", campaigns::cancel;
    post "/campaigns/{campaign}/enrollments", Some(Action::Enroll), "Take part by the current terms",
        NO_BODY => 201 "Enrollment", enrollments::enroll;
    get "/campaigns/{campaign}/enrollments", Some(Action::ReadCampaign),
        "Who takes part; a creator sees themself", None => 200 "EnrollmentList", enrollments::list;
    post "/campaigns/{campaign}/enrollments/{enrollment}/end", Some(Action::EndEnrollment),
        "End a part; what is earned stays", NO_BODY => 200 "Enrollment", enrollments::end;
    post "/campaigns/{campaign}/enrollments/{enrollment}/links", Some(Action::MakeLink), "Make a link",
        Some("WantedLink") => 201 "Link", enrollments::make_link;
    get "/campaigns/{campaign}/enrollments/{enrollment}/links", Some(Action::ReadCampaign), "Its links",
        None => 200 "LinkList", enrollments::links;
    post "/campaigns/{campaign}/enrollments/{enrollment}/codes", Some(Action::MakeCode),
        "Make a promo code", Some("WantedCode") => 201 "Code", enrollments::make_code;
    get "/campaigns/{campaign}/enrollments/{enrollment}/codes", Some(Action::ReadCampaign),
        "Its promo codes", None => 200 "CodeList", enrollments::codes;
    get "/campaigns/{campaign}/conversions", Some(Action::ReadCampaign),
        "Conversions and reversals; a creator sees their own", None => 200 "ConversionList",
        ledger::conversions, by lists::OF_CONVERSIONS;
    get "/campaigns/{campaign}/ledger", Some(Action::ReadLedger), "All entries, in order",
        None => 200 "EntryList", ledger::entries, by lists::OF_ENTRIES;
    get "/campaigns/{campaign}/balances", Some(Action::ReadBalances), "All accounts",
        None => 200 "Balances", ledger::balances;
    get "/campaigns/{campaign}/holds", Some(Action::ReadCampaign), "Holds; a creator sees their own",
        None => 200 "HoldList", ledger::holds, by lists::OF_HOLDS;
    post "/campaigns/{campaign}/holds", Some(Action::PlaceHold), "Doubt a conversion",
        Some("PlaceHold") => 201 "Hold", ledger::place_hold;
    post "/campaigns/{campaign}/holds/{conversion}/release", Some(Action::ReleaseHold),
        "Let a held conversion count", NO_BODY => 200 "Hold", ledger::release_hold;
    post "/campaigns/{campaign}/holds/{conversion}/uphold", Some(Action::UpholdHold),
        "Let a held conversion earn nothing", Some("UpholdHold") => 200 "Hold", ledger::uphold_hold;
    get "/campaigns/{campaign}/payouts", Some(Action::ReadPayouts), "Payouts; a creator sees their own",
        None => 200 "PayoutList", ledger::payouts, by lists::OF_PAYOUTS;
    get "/campaigns/{campaign}/payouts/{payout}", Some(Action::ReadPayouts),
        "A payout; a creator sees their own", None => 200 "Payout", ledger::payout_shown;
    get "/campaigns/{campaign}/refunds", Some(Action::ReadBalances), "Its refunds to the brand",
        None => 200 "RefundList", oversight::refunds, by lists::OF_REFUNDS;
    get "/campaigns/{campaign}/statements/{enrollment}", Some(Action::ReadStatements),
        "What a creator earned", None => 200 "Statement", ledger::statement;
    post "/recipient", Some(Action::ManageRecipient),
        "Have an account at the payment provider, and an address for its questions",
        NO_BODY => 201 "Recipient", payments::onboard;
    get "/recipient", Some(Action::ManageRecipient), "What the account may do",
        None => 200 "Recipient", payments::show;
    get "/recipient/bank-payouts", Some(Action::ManageRecipient),
        "What went on from it to a bank: a later fact than a payout, and the provider's",
        None => 200 "BankPayoutList", payments::bank_payouts;
    post "/api-keys", Some(Action::ManageKeys), "Issue a key for the brand's shop",
        Some("IssueKey") => 201 "ApiKey", keys::issue;
    get "/api-keys", Some(Action::ManageKeys), "The brand's keys", None => 200 "ApiKeyList", keys::list;
    delete "/api-keys/{key}", Some(Action::ManageKeys), "Revoke a key", None => 200 "ApiKeyId",
        keys::revoke;
    post "/api-keys/{key}/rotate", Some(Action::ManageKeys),
        "Issue the key that takes over; both are valid for a while", Some("RotateKey") => 201 "ApiKey",
        keys::rotate;
    get "/team", Some(Action::ReadTeam), "Who is in the brand's team", None => 200 "UserList",
        team::list, by lists::OF_TEAM;
    put "/team/{user}", Some(Action::ManageTeam), "Change what somebody in the team may do",
        Some("Place") => 200 "User", team::change;
    get "/users", Some(Action::Operate), "Everybody who ever joined", None => 200 "UserList",
        team::users, by lists::OF_USERS;
    put "/users/{user}", Some(Action::Operate), "Suspend a user, or let them in again",
        Some("Suspension") => 200 "User", team::suspend;
    post "/creators/{creator}/erasure", Some(Action::Operate),
        "Shut a creator out and erase them: now, or when their campaigns are over and nothing is owed",
        NO_BODY => 200 "Erasure", erasure::ask;
    put "/brands/{brand}", Some(Action::Operate),
        "Give a brand another name, as when it was that of somebody who has gone",
        Some("NewName") => 200 "Brand", erasure::name_brand;
    post "/webhooks", Some(Action::ManageWebhooks), "Have events of one's own sent to an address",
        Some("WantedWebhook") => 201 "NewWebhook", webhooks::create;
    get "/webhooks", Some(Action::ManageWebhooks), "The caller's endpoints", None => 200 "WebhookList",
        webhooks::list;
    get "/webhooks/{webhook}", Some(Action::ManageWebhooks), "An endpoint", None => 200 "Webhook",
        webhooks::show;
    patch "/webhooks/{webhook}", Some(Action::ManageWebhooks),
        "Change its address or events, disable or enable it", Some("ChangeWebhook") => 200 "Webhook",
        webhooks::change;
    delete "/webhooks/{webhook}", Some(Action::ManageWebhooks), "Remove it, with its deliveries",
        None => 200 "WebhookId", webhooks::remove;
    post "/webhooks/{webhook}/rotate", Some(Action::ManageWebhooks),
        "Give it the next secret; both sign for a while", Some("RotateWebhook") => 200 "NewWebhook",
        webhooks::rotate;
    post "/webhooks/{webhook}/test", Some(Action::ManageWebhooks), "Send it an event that means nothing",
        NO_BODY => 200 "WebhookId", webhooks::test;
    get "/webhooks/{webhook}/deliveries", Some(Action::ManageWebhooks),
        "What was sent to it and what came of it, newest first", None => 200 "DeliveryList",
        webhooks::deliveries, by lists::OF_DELIVERIES;
    post "/webhooks/{webhook}/deliveries/{delivery}/replay", Some(Action::ManageWebhooks),
        "Send the same message again", NO_BODY => 200 "WebhookId", webhooks::replay;
    get "/access-log", Some(Action::Operate), "Who asked for changes, newest first",
        None => 200 "AccessList", access::list, by lists::OF_ACCESSES;
    get "/disbursements", Some(Action::Operate), "Payouts of all campaigns whose money has not arrived",
        None => 200 "DisbursementList", disbursements::list, by lists::OF_DISBURSEMENTS;
    get "/campaigns/{campaign}/exchanges", Some(Action::Operate),
        "What was sent to the payment provider to move money, with its ids of the exchanges",
        None => 200 "ExchangeList", disbursements::exchanges;
    post "/campaigns/{campaign}/payouts/{payout}/retry", Some(Action::Operate),
        "Try a payout again at once", NO_BODY => 200 "Payout", disbursements::retry;
    post "/campaigns/{campaign}/payouts/{payout}/cancel", Some(Action::Operate),
        "Give up a payout that is not under way", Some("CancelPayout") => 200 "Payout",
        disbursements::cancel;
    post "/campaigns/{campaign}/refunds/{refund}/settle-outside", Some(Action::Operate),
        "Say that a refund is paid by other means; two operators must", Some("SettleOutside") => 200 "Settling",
        oversight::settle;
    post "/campaigns/{campaign}/advances", Some(Action::Operate),
        "Say that the operator's own money came in; two operators must", Some("OpenDeposit") => 200 "Advance",
        oversight::advance;
    get "/workers", Some(Action::Operate), "How the work stands that nobody asks for",
        None => 200 "Workers", workers::show;
    post "/workers/{job}/pause", Some(Action::Operate),
        "Let a job do nothing from its next run on, until it is resumed; also after a restart",
        NO_BODY => 200 "Job", workers::pause;
    post "/workers/{job}/resume", Some(Action::Operate), "Let a paused job go on",
        NO_BODY => 200 "Job", workers::resume;
    post "/workers/{job}/run", Some(Action::Operate), "Run a job at once, whatever it waits for",
        NO_BODY => 200 "Job", workers::run;
    get "/provider-events", Some(Action::Operate),
        "What the payment provider told and what came of it, newest first",
        None => 200 "ProviderEventList", events::list, by lists::OF_EVENTS;
    post "/provider-events/{event}/replay", Some(Action::Operate),
        "Read again what an event is about, and book what the ledger does not have yet",
        NO_BODY => 200 "ReplayedEvent", events::replay;
    get "/webhook-endpoints", Some(Action::Operate), "Endpoints of all brands and creators",
        None => 200 "WebhookEndpointList", endpoints::list, by lists::OF_ENDPOINTS;
    get "/webhook-endpoints/{webhook}/deliveries", Some(Action::Operate),
        "What was sent to an endpoint and what came of it, newest first",
        None => 200 "DeliveryList", endpoints::deliveries, by lists::OF_DELIVERIES;
    post "/webhook-endpoints/{webhook}/deliveries/{delivery}/replay", Some(Action::Operate),
        "Send the same message again", NO_BODY => 200 "WebhookId", endpoints::replay;
    get "/brands", Some(Action::Operate), "All brands", None => 200 "ListedBrandList", parties::brands;
    get "/creators", Some(Action::Operate), "All creators", None => 200 "ListedCreatorList",
        parties::creators, by lists::OF_CREATORS;
    get "/keyring", Some(Action::Operate),
        "Under which keys the platform signs, without the keys themselves", None => 200 "Keyring",
        parties::keyring;
    get "/doctor", Some(Action::ReadLedger),
        "Why events did not count, for a brand; what is misconfigured or stuck, for an operator",
        None => 200 "FindingList", doctor::show;
}

/// Every path once.
pub(super) fn paths() -> impl Iterator<Item = &'static str> {
    let is_first =
        |at: usize| ROUTES.iter().position(|route| route.path == ROUTES[at].path) == Some(at);
    (0..ROUTES.len()).filter(move |at| is_first(*at)).map(|at| ROUTES[at].path)
}

/// All methods of a path.
pub(super) fn of_path(path: &str) -> MethodRouter<Shared> {
    let routes = ROUTES.iter().filter(|route| route.path == path);
    routes.fold(MethodRouter::new(), |all, route| all.merge((route.handler)()))
}
