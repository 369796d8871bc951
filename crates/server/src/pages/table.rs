//! Every page once: method, path, who may open it, and who answers.
//!
//! Like the API's table it makes the router; the suite in `tests/pages` reads it and asks for each line as
//! each kind of caller.

use axum::Extension;
use axum::routing::{MethodRouter, get, post};
use sponsorhub_core::actor::{Action, Side};

use super::{admin, brand, creator, live, open, public};
use crate::shared::Shared;

/// Who may open a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// Everybody.
    Open,
    /// Whoever has signed in, also before they joined.
    SignedIn,
    /// That side, and of it the roles that may do this.
    Side(Side, Action),
}

const fn brand(action: Action) -> Door {
    Door::Side(Side::Brand, action)
}

const fn creator(action: Action) -> Door {
    Door::Side(Side::Creator, action)
}

const OPERATOR: Door = Door::Side(Side::Admin, Action::Operate);

struct Page {
    path: &'static str,
    door: Door,
    handler: fn() -> MethodRouter<Shared>,
}

macro_rules! pages {
    ($($method:ident $path:literal, $door:expr, $handler:path;)*) => {
        const PAGES: &[Page] = &[$(Page {
            path: $path,
            door: $door,
            handler: || $method($handler),
        }),*];
    };
}

pages! {
    get "/", Door::Open, open::landing;
    get "/sign-in", Door::Open, open::sign_in;
    get "/c/{campaign}", Door::Open, public::proof_of_funds;
    get "/how-it-works", Door::Open, public::honest;
    post "/sign-out", Door::Open, open::sign_out;
    post "/theme", Door::Open, open::theme;
    get "/join", Door::SignedIn, open::joining;
    post "/join", Door::SignedIn, open::join;
    get "/live/campaigns/{campaign}", Door::SignedIn, live::campaign;
    get "/brand", brand(Action::ReadCampaign), brand::list::show;
    get "/brand/new", brand(Action::CreateCampaign), brand::new::ask;
    post "/brand/new", brand(Action::CreateCampaign), brand::new::open;
    get "/brand/what-if", brand(Action::CreateCampaign), brand::what_if::ask;
    post "/brand/what-if", brand(Action::CreateCampaign), brand::what_if::compute;
    get "/brand/shop", brand(Action::ReadLedger), brand::shop::show;
    post "/brand/shop/keys", brand(Action::ManageKeys), brand::shop::issue;
    post "/brand/shop/keys/{key}/revoke", brand(Action::ManageKeys), brand::shop::revoke;
    post "/brand/shop/try", brand(Action::ReadLedger), brand::shop::attempt;
    get "/brand/campaigns/{campaign}", brand(Action::ReadBalances), brand::campaign::show;
    get "/brand/campaigns/{campaign}/conversions", brand(Action::ReadLedger), brand::entries::conversions;
    get "/brand/campaigns/{campaign}/conversions.csv", brand(Action::ReadLedger), brand::entries::file;
    get "/brand/campaigns/{campaign}/holds", brand(Action::ReadLedger), brand::holds::show;
    post "/brand/campaigns/{campaign}/holds", brand(Action::PlaceHold), brand::holds::doubt;
    post "/brand/campaigns/{campaign}/holds/{conversion}/release", brand(Action::ReleaseHold), brand::holds::release;
    get "/brand/campaigns/{campaign}/money", brand(Action::ReadBalances), brand::money::show;
    get "/brand/campaigns/{campaign}/ledger", brand(Action::ReadLedger), brand::entries::ledger;
    get "/brand/campaigns/{campaign}/fund", brand(Action::OpenDeposit), brand::steps::funding;
    post "/brand/campaigns/{campaign}/fund", brand(Action::OpenDeposit), brand::steps::fund;
    get "/brand/campaigns/{campaign}/steps/{step}", brand(Action::ReadBalances), brand::steps::ask;
    post "/brand/campaigns/{campaign}/steps/{step}", brand(Action::ReadBalances), brand::steps::take;
    get "/creator", creator(Action::ReadOwnEarnings), creator::home::show;
    post "/creator/account", creator(Action::ManageRecipient), creator::home::onboard;
    get "/creator/campaigns", creator(Action::ReadCampaign), creator::join::list;
    get "/creator/campaigns/{campaign}", creator(Action::ReadOwnEarnings), creator::campaign::show;
    post "/creator/campaigns/{campaign}/links", creator(Action::MakeLink), creator::campaign::make_link;
    get "/creator/campaigns/{campaign}/links/{link}/qr.svg", creator(Action::ReadOwnEarnings), creator::share::qr;
    post "/creator/campaigns/{campaign}/codes", creator(Action::MakeCode), creator::campaign::make_code;
    get "/creator/campaigns/{campaign}/statement", creator(Action::ReadOwnEarnings), creator::statement::show;
    get "/creator/campaigns/{campaign}/statement.csv", creator(Action::ReadOwnEarnings), creator::statement::file;
    get "/creator/campaigns/{campaign}/payouts/{payout}", creator(Action::ReadPayouts), creator::payout::show;
    post "/creator/campaigns/{campaign}/join", creator(Action::Enroll), creator::join::join;
    get "/admin", OPERATOR, admin::overview::show;
    get "/admin/holds", OPERATOR, admin::holds::holds;
    get "/admin/workers", OPERATOR, admin::workers::show;
    post "/admin/workers/{job}/{step}", OPERATOR, admin::workers::take;
    get "/admin/webhooks", OPERATOR, admin::webhooks::show;
    post "/admin/webhooks/events/{event}/replay", OPERATOR, admin::webhooks::replay;
    get "/admin/webhooks/out", OPERATOR, admin::webhooks::out;
    get "/admin/webhooks/out/{webhook}", OPERATOR, admin::webhooks::deliveries;
    post "/admin/webhooks/out/{webhook}/{delivery}/replay", OPERATOR, admin::webhooks::send_again;
    get "/admin/people", OPERATOR, admin::people::users;
    post "/admin/people/users/{user}", OPERATOR, admin::people::suspend;
    get "/admin/people/brands", OPERATOR, admin::people::brands;
    post "/admin/people/brands/{brand}/name", OPERATOR, admin::people::name;
    get "/admin/people/creators", OPERATOR, admin::people::creators;
    post "/admin/people/creators/{creator}/erase", OPERATOR, admin::people::erase;
    get "/admin/access-log", OPERATOR, admin::log::accesses;
    get "/admin/keys", OPERATOR, admin::log::keyring;
    post "/admin/campaigns/{campaign}/holds/{conversion}/release", OPERATOR, admin::holds::release;
    post "/admin/campaigns/{campaign}/holds/{conversion}/uphold", OPERATOR, admin::holds::uphold;
    post "/admin/campaigns/{campaign}/payouts/{payout}/retry", OPERATOR, admin::overview::retry;
    post "/admin/campaigns/{campaign}/payouts/{payout}/cancel", OPERATOR, admin::overview::give_up;
}

/// Every path once.
pub(super) fn paths() -> impl Iterator<Item = &'static str> {
    let is_first =
        |at: usize| PAGES.iter().position(|page| page.path == PAGES[at].path) == Some(at);
    (0..PAGES.len()).filter(move |at| is_first(*at)).map(|at| PAGES[at].path)
}

/// All methods of a path, each behind its door.
pub(super) fn of_path(path: &str) -> MethodRouter<Shared> {
    let pages = PAGES.iter().filter(|page| page.path == path);
    pages.fold(MethodRouter::new(), |all, page| {
        all.merge((page.handler)().route_layer(Extension(page.door)))
    })
}
