//! Every page of a campaign with a million conversions: how long the server takes for it, and how much
//! comes over the wire.

use std::path::Path;
use std::time::{Duration, Instant};

use sponsorhub_core::ids::CreatorId;
use sponsorhub_sandbox::{ClockStart, Options, Sandbox, TokenWanted};
use sponsorhub_store::Change;
use sponsorhub_store::Store as _;
use sponsorhub_store::registry::{ApiChange, User};

use crate::fixture::{self, Fixture, now};
use crate::growth::fill;
use crate::machine::Server;
use crate::report::{Report, progress};

const CONVERSIONS: u64 = 1_000_000;

/// Loads of each page.
const LOADS: usize = 15;

/// The most that a page may take at the server, milliseconds; one that nobody else slows down.
const MOST_MS: f64 = 50.0;

/// The most that a page may weigh, kB.
const MOST_KB: f64 = 150.0;

fn users(data: &Path, made: &Fixture) -> CreatorId {
    let at = now();
    let store = fixture::open(data, &fixture::keyring(data, at), at);
    let mapped = store.registry().expect("reads").enrollments(made.campaign).expect("reads");
    let creator = mapped[0].creator.expect("somebody's");
    for (subject, role, party) in [
        ("user_owner", "owner", Some(made.brand.0)),
        ("user_creator", "creator", Some(creator.0)),
        ("user_operator", "admin", None),
    ] {
        let user = User {
            subject: subject.to_owned(),
            role: role.to_owned(),
            party,
            organisation: None,
            created_at: at,
            changed_at: at,
            suspended_at: None,
            suspended_by_operator: false,
        };
        fixture::record(&store, Change::Api(ApiChange::KeepUser(user)));
    }
    creator
}

/// Who is asked for what, without the beginning of the address.
fn pages(made: &Fixture) -> Vec<(&'static str, String)> {
    let here = format!("/brand/campaigns/{}", made.campaign);
    let (old, one) = (CONVERSIONS / 2, made.enrollments[0]);
    let brand = [
        "/brand".to_owned(),
        here.clone(),
        format!("{here}/conversions"),
        format!("{here}/conversions?before={old}"),
        format!("{here}/holds"),
        format!("{here}/holds?before={old}"),
        format!("{here}/money"),
        format!("{here}/ledger"),
        format!("{here}/ledger?enrollment={one}"),
        format!("{here}/ledger?kind=deposit"),
        format!("{here}/fund"),
        format!("/c/{}", made.campaign),
        "/brand/what-if".to_owned(),
        "/brand/what-if?sample=1".to_owned(),
        "/brand/new".to_owned(),
        "/brand/shop".to_owned(),
    ];
    let creator = [
        "/creator".to_owned(),
        "/creator/campaigns".to_owned(),
        format!("/creator/campaigns/{}", made.campaign),
        format!("/creator/campaigns/{}/statement", made.campaign),
    ];
    let operator = [
        "/admin",
        "/admin/holds",
        "/admin/workers",
        "/admin/webhooks",
        "/admin/webhooks/out",
        "/admin/people",
        "/admin/people/brands",
        "/admin/people/creators",
        "/admin/access-log",
        "/admin/keys",
    ]
    .map(str::to_owned);
    let of = |who, pages: Vec<String>| pages.into_iter().map(move |page| (who, page));
    of("brand", brand.into())
        .chain(of("creator", creator.into()))
        .chain(of("admin", operator.into()))
        .collect()
}

/// Measures each page, after what has come in was rolled up.
pub(crate) fn measure(report: &mut Report, directory: &Path) {
    let (data, made) = fill(directory, CONVERSIONS);
    users(&data, &made);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("threads");
    let options = Options { clock: ClockStart::Real, ..Options::default() };
    let sandbox = runtime.block_on(Sandbox::start(options)).expect("a port");
    let server = Server::start_with(&data, &[], &sandbox.base_url);
    progress("waiting until everything is rolled up");
    std::thread::sleep(Duration::from_secs(5));
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build();
    let client = client.expect("a client");
    let token = |who: &str| {
        let user = if who == "brand" {
            "owner"
        } else if who == "admin" {
            "operator"
        } else {
            who
        };
        let wanted = TokenWanted {
            user: format!("user_{user}"),
            role: Some(who.to_owned()),
            azp: Some(server.url("")),
            ttl_s: Some(100_000),
            ..TokenWanted::default()
        };
        sandbox.sandbox.token(&wanted).expect("issued").token
    };
    let load = |who: &str, path: &str| {
        let request = client.get(server.url(path)).header("accept", "text/html");
        let request = request.header("cookie", format!("__session={}", token(who)));
        runtime.block_on(async {
            let begun = Instant::now();
            let answer = request.send().await.expect("answers");
            let status = answer.status();
            let bytes = answer.bytes().await.expect("read");
            let took = begun.elapsed();
            let text = String::from_utf8_lossy(&bytes);
            assert_eq!(status, 200, "{path} as {who}: {text}");
            (took.as_secs_f64() * 1_000.0, f64::from(u32::try_from(bytes.len()).expect("small")))
        })
    };
    for (who, path) in pages(&made) {
        // The first fills caches, as the first visitor of a day does; it is told, not judged.
        let (first, bytes) = load(who, &path);
        let runs: Vec<f64> = (0..LOADS).map(|_| load(who, &path).0).collect();
        let shown = path.replace(&made.campaign.to_string(), "…");
        let shown = shown.replace(&made.enrollments[0].to_string(), "…");
        let name = format!("page {shown}, 1,000,000 conversions");
        report.at_most((&name, "ms"), &runs, MOST_MS, Some(("its first load", &[first])));
        report.at_most((&format!("weight of {shown}"), "kB"), &[bytes / 1_000.0], MOST_KB, None);
    }
}
