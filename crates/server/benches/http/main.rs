//! The HTTP surface against yardsticks of the same minutes. Prints one JSON object on stdout.
//!
//! wrk drives; it, nginx and the servers share the machine and one scheduling class. Every row is the
//! median of three rounds, in each of which ours and its yardstick run one after the other. Events
//! are made beforehand: each has a click of its own, so none is a duplicate and none is held.
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![expect(clippy::float_arithmetic, reason = "rates are not money")]

#[path = "../../examples/fixture.rs"]
mod fixture;

#[path = "../../../store/benches/store/report.rs"]
mod report;

mod events;

mod growth;

mod machine;

mod pages;

mod plain;

use std::path::Path;

use machine::{Server, Wrk, nginx, wrk};
use report::{Report, Target, progress};

const ROUNDS: usize = 3;
const SECONDS: u32 = 3;
const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

/// Rounds of two, one after the other.
fn alternate(
    mut ours: impl FnMut(usize) -> Wrk,
    mut theirs: impl FnMut(usize) -> Wrk,
) -> (Vec<Wrk>, Vec<Wrk>) {
    (0..ROUNDS).map(|round| (ours(round), theirs(round))).unzip()
}

fn rates(runs: &[Wrk]) -> Vec<f64> {
    runs.iter().map(|run| run.rate).collect()
}

fn p99(runs: &[Wrk]) -> Vec<f64> {
    runs.iter().map(|run| run.p99_ms).collect()
}

fn redirects(report: &mut Report, directory: &Path, server: &Server, made: &fixture::Fixture) {
    let script = directory.join("visit.lua");
    let links: Vec<_> = made.links.iter().map(|link| format!("\"/r/{link}\"")).collect();
    let text = format!(
        "local links = {{{}}}\nlocal i = 0\nwrk.headers['User-Agent'] = '{BROWSER}'\n\
         request = function() i = i % #links + 1; return wrk.format('GET', links[i]) end\n",
        links.join(",")
    );
    std::fs::write(&script, text).expect("writable");
    let ours = |_| wrk(&server.url("/"), 64, SECONDS, Some(&script));
    let bare = |_| wrk(&server.url("/bare/x"), 64, SECONDS, None);
    let name = "GET /r, click recorded, 64 connections";
    if let Some(nginx) = nginx(directory) {
        let (runs, theirs) = alternate(ours, |_| wrk(&nginx.url("/x"), 64, SECONDS, None));
        let yardstick = ("nginx return 302", &rates(&theirs)[..]);
        report.row(name, &rates(&runs), Some(yardstick), Target::Ratio(0.85));
        let theirs = p99(&theirs);
        let most = report::median(&theirs).max(10.0);
        report.at_most(("p99 of GET /r", "ms"), &p99(&runs), most, Some(("nginx", &theirs)));
        let (runs, theirs) = alternate(ours, bare);
        let yardstick = ("a bare redirect in the same server", &rates(&theirs)[..]);
        report.row("the same, beside it", &rates(&runs), Some(yardstick), Target::None);
    } else {
        progress("NOT RUN: nginx is not installed; held against a bare redirect instead");
        let (runs, theirs) = alternate(ours, bare);
        let yardstick = ("a bare redirect in the same server", &rates(&theirs)[..]);
        report.row(name, &rates(&runs), Some(yardstick), Target::Ratio(0.7));
        report.at_most(("p99 of GET /r", "ms"), &p99(&runs), 10.0, None);
    }
}

fn reports(
    report: &mut Report,
    directory: &Path,
    (server, without): (&Server, &Server),
    source: &mut events::Events,
) {
    for (connections, target) in [(64, 0.5), (256, 0.7)] {
        let (mut runs, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let lua = source.script(directory, true);
            runs.push(wrk(&server.url("/v"), connections, SECONDS, Some(&lua)));
            let lua = source.script(directory, false);
            theirs.push(wrk(&without.url("/v"), connections, SECONDS, Some(&lua)));
        }
        let name = format!("POST /v, durable, deduplicated, {connections} connections");
        let yardstick = ("the same without storage", &rates(&theirs)[..]);
        report.row(&name, &rates(&runs), Some(yardstick), Target::Ratio(target));
        let limit = if connections == 256 { 25.0 } else { f64::INFINITY };
        let name = format!("p99 of POST /v at {connections} connections");
        let yardstick = ("without storage", &p99(&theirs)[..]);
        report.at_most((&name, "ms"), &p99(&runs), limit, Some(yardstick));
    }
}

fn batches(
    report: &mut Report,
    (directory, data): (&Path, &Path),
    server: &Server,
    source: &mut events::Events,
) {
    const LINES: u32 = 5_000;
    let (mut runs, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let lua = source.batches(directory, LINES, true);
        let run = wrk(&server.url("/v/batch"), 4, SECONDS, Some(&lua));
        runs.push(run.rate * f64::from(LINES));
        let data_entries = plain::entries(data, source.campaign(), 262_144);
        theirs.push(plain::insert(&data_entries));
    }
    let name = "POST /v/batch, 5,000 lines a request, 4 connections";
    report.row(name, &runs, Some(("one-table insert", &theirs)), Target::Ratio(0.4));
}

fn main() {
    if std::env::args().any(|argument| argument == "pages") {
        // It needs nothing of what the others do.
        let mut report = Report::new();
        pages::measure(&mut report, machine::directory().path());
        return report.print();
    }
    let directory = machine::directory();
    let mut report = Report::new();
    let data = directory.path().join("data");
    let made = fixture::make(&data, &fixture::plan(50));
    let server = Server::start(&data, &[]);
    let idle = server.resident_mib();
    // Whoever tunes one part need not wait for the rest.
    let asked = |name: &str| {
        let mut only = std::env::args().skip_while(|argument| argument != "--only").skip(1);
        only.next().is_none_or(|only| only == name)
    };
    if asked("redirects") {
        redirects(&mut report, directory.path(), &server, &made);
    }
    let bare = directory.path().join("without");
    let made_without = fixture::make(&bare, &fixture::plan(50));
    let without = Server::start(&bare, &["--without-storage"]);
    let mut source = events::Events::new(&data, &made, (&bare, &made_without));
    if asked("reports") {
        reports(&mut report, directory.path(), (&server, &without), &mut source);
    }
    if asked("batches") {
        batches(&mut report, (directory.path(), &data), &server, &mut source);
    }
    let memory = "resident memory, just started";
    report.at_most((memory, "MiB"), &[idle], f64::INFINITY, None);
    // 128 MiB and the page caches: 64 MiB of the writer's and what readers and clicks have.
    let memory = "resident memory after all of the above, page caches of 64 MiB included";
    report.at_most((memory, "MiB"), &[server.resident_mib()], 192.0, None);
    drop((server, without));
    if asked("growth") {
        growth::measure(&mut report, directory.path());
    }
    if asked("pages") {
        pages::measure(&mut report, directory.path());
    }
    report.print();
}
