//! Taking in on a ledger of five million entries, beside one of a tenth.

use std::path::{Path, PathBuf};
use std::sync::mpsc;

use sponsorhub_core::ids::{CompositeKey, Fingerprint, Salt};
use sponsorhub_core::ledger::event::conversion::{ConversionAccepted, Taken};
use sponsorhub_core::ledger::kind::Body;
use sponsorhub_core::money::Minor;
use sponsorhub_store::{Intake, Store as _};

use crate::events::Events;
use crate::fixture::{self, Fixture, now};
use crate::machine::{Server, wrk};
use crate::report::{Report, Target, progress};
use crate::{ROUNDS, SECONDS, rates};

/// Entries of a commit while a ledger grows.
const LOT: u64 = 8_192;

/// Reports of a request.
const LINES: u32 = 5_000;

struct Grown {
    data: PathBuf,
    made: Fixture,
    server: Server,
}

/// A server on a campaign that has so many conversions already.
fn grown(directory: &Path, entries: u64) -> Grown {
    let (data, made) = fill(directory, entries);
    progress(&format!("a server on {entries} entries"));
    let server = Server::start(&data, &[]);
    Grown { data, made, server }
}

/// A directory with a campaign that has so many conversions already. How they came in is measured
/// elsewhere, so they are handed to the store.
pub(crate) fn fill(directory: &Path, entries: u64) -> (PathBuf, Fixture) {
    let data = directory.join(format!("grown-{entries}"));
    let made = fixture::make(&data, &fixture::plan(50));
    let at = now();
    let keyring = fixture::keyring(&data, at);
    let store = fixture::open(&data, &keyring, at);
    let (send, answers) = mpsc::channel();
    for first in (0..entries).step_by(usize::try_from(LOT).expect("small")) {
        let lot = (first..entries.min(first + LOT)).map(|number| event(&made, number, at));
        let send = send.clone();
        let reply = Box::new(move |answer: Result<Vec<_>, _>| {
            send.send(answer.expect("a commit").len()).expect("somebody counts");
        });
        store.take_in(lot.collect(), reply).expect("room");
        // Two lots on their way are enough.
        if first > LOT {
            answers.recv().expect("an answer");
        }
    }
    drop((send, store));
    (data, made)
}

fn event(made: &Fixture, number: u64, at: i64) -> Intake {
    let creator = usize::try_from(number).expect("fits") % made.enrollments.len();
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let bytes: [u8; 16] =
        [mixed.to_be_bytes(), number.to_be_bytes()].concat().try_into().expect("16");
    let body = Body::from(ConversionAccepted(Taken {
        amount: Minor(1_000 + i64::try_from(number % 9_000).expect("small")),
        artifact: format!("click_{number:026}"),
        click_at: at - 3_600_000,
        fingerprint: Fingerprint(bytes),
        key: CompositeKey(bytes),
        occurred_at: at - 60_000,
        risk: None,
        r#type: "sale".to_owned(),
    }));
    Intake::try_new(made.campaign, made.enrollments[creator], &body, Salt(bytes)).expect("an event")
}

/// `/v/batch` on a large and on a small ledger, and what a conversion takes in memory.
pub(crate) fn measure(report: &mut Report, directory: &Path) {
    let (small, large) = (grown(directory, 500_000), grown(directory, 5_000_000));
    let mut source = Events::new(&large.data, &large.made, (&small.data, &small.made));
    let (mut runs, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let lua = source.batches(directory, LINES, true);
        runs.push(wrk(&large.server.url("/v/batch"), 4, SECONDS, Some(&lua)));
        let lua = source.batches(directory, LINES, false);
        theirs.push(wrk(&small.server.url("/v/batch"), 4, SECONDS, Some(&lua)));
    }
    let per_line = |rates: Vec<f64>| -> Vec<f64> {
        rates.into_iter().map(|rate| rate * f64::from(LINES)).collect()
    };
    let (runs, theirs) = (per_line(rates(&runs)), per_line(rates(&theirs)));
    let yardstick = ("at 500,000 entries", &theirs[..]);
    report.row("POST /v/batch at 5,000,000 entries", &runs, Some(yardstick), Target::Ratio(0.8));
    let more = large.server.resident_mib() - small.server.resident_mib();
    let each = more * 1_048_576.0 / 4_500_000.0;
    let name = "memory, the folded state of a campaign";
    report.at_most((name, "bytes/conversion"), &[each], f64::INFINITY, None);
}
