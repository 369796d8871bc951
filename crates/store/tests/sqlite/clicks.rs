//! The click log: all clicks once, days that come and go, and what happens when it cannot write.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::Stdio;

use rusqlite::Connection;
use sponsorhub_core::ids::{CampaignId, EnrollmentId};
use sponsorhub_store::clicks::{ClickHour, HOUR_MS};
use sponsorhub_store::sqlite::{ClickWriter, SqliteClickReader};
use sponsorhub_store::{
    Click, ClickLog as _, ClickOptions, ClickReader as _, SqliteClickLog, StoreError, Verdict,
};

use crate::disk::run_on_tmpfs;
use crate::world::{DAY, T, campaign_id, enrollment_id, mixed};
use crate::{setting, this_test};

const KILLED: &str = "SPONSORHUB_CLICKS_KILLED";
const FULL_DISK: &str = "SPONSORHUB_CLICKS_FULL_DISK";

fn click(number: u64, at: i64) -> Click {
    let verdicts = Verdict::ALL;
    let verdict = usize::try_from(number).expect("small") % verdicts.len();
    Click {
        click_id: mixed("click", number),
        campaign: campaign_id(number % 2),
        enrollment: enrollment_id(number % 6 / 2),
        link: u32::try_from(number % 6).expect("small") + 1,
        at,
        verdict: verdicts[verdict],
        network: 7_u64.to_be_bytes(),
        agent: number.to_be_bytes(),
    }
}

fn open(directory: &Path) -> ClickWriter {
    ClickWriter::open(directory, &ClickOptions::default()).expect("opens")
}

fn raw(directory: &Path) -> Connection {
    Connection::open(directory.join("clicks.db")).expect("opens")
}

/// A click as its row says it.
fn rows(connection: &Connection, table: &str) -> Vec<Click> {
    let all = format!(
        "SELECT click_id, campaign_id, enrollment_id, link, at_ms, verdict, network, agent
         FROM {table} ORDER BY no"
    );
    let mut statement = connection.prepare(&all).expect("valid");
    let rows = statement.query_map([], |row| {
        let code: u8 = row.get(5)?;
        Ok(Click {
            click_id: row.get(0)?,
            campaign: CampaignId(row.get(1)?),
            enrollment: EnrollmentId(row.get(2)?),
            link: row.get(3)?,
            at: row.get(4)?,
            verdict: *Verdict::ALL.iter().find(|verdict| verdict.code() == code).expect("known"),
            network: row.get(6)?,
            agent: row.get(7)?,
        })
    });
    rows.expect("runs").collect::<Result<_, _>>().expect("rows")
}

/// How many clicks all days have, which must be what the hours say.
fn written(directory: &Path) -> u64 {
    let days = SqliteClickReader::open(directory).expect("opens").days().expect("reads");
    let by_days: u64 = days.iter().map(|(_, clicks)| clicks).sum();
    let sum = "SELECT ifnull(sum(clicks), 0) FROM click_hours";
    let by_hours: i64 = raw(directory).query_row(sum, [], |row| row.get(0)).expect("a sum");
    assert_eq!(i64::try_from(by_days), Ok(by_hours), "clicks and their sums share a commit");
    by_days
}

#[test]
fn every_click_of_two_threads_is_there_once_the_log_is_closed() {
    let directory = tempfile::tempdir().expect("a directory");
    let options = ClickOptions { shard_clicks_max: 200_000, ..ClickOptions::default() };
    let log = SqliteClickLog::open(directory.path(), &options).expect("opens");
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let log = &log;
            scope.spawn(move || {
                let own = thread * 100_000..thread * 100_000 + 100_000;
                assert!(own.clone().all(|number| log.record(click(number, T))), "none is dropped");
            });
        }
    });
    drop(log);
    assert_eq!(written(directory.path()), 200_000);
    let mut found: Vec<_> = rows(&raw(directory.path()), "clicks_20241004");
    found.sort_by_key(|click| click.agent);
    assert!(found.iter().copied().eq((0..200_000).map(|number| click(number, T))), "each once");
}

#[test]
fn a_thread_writes_without_being_asked_and_after_it_slept() {
    let directory = tempfile::tempdir().expect("a directory");
    let log = SqliteClickLog::open(directory.path(), &ClickOptions::default()).expect("opens");
    let mut reader = log.reader().expect("a reader");
    for number in 0..20 {
        assert!(log.record(click(number, T)));
        // The writer has gone to sleep, or is about to, each time that all is written.
        let is_written = (0..20_000_000).any(|_| {
            std::thread::yield_now();
            log.stats().recorded > number
        });
        assert!(is_written, "the writer was woken");
        assert_eq!(reader.days().expect("reads"), [(T / DAY, number + 1)]);
    }
    assert!(log.stats().commits == 20 && log.stats().waiting == 0);
}

#[test]
fn a_day_has_its_own_table_and_each_hour_its_sums() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut writer = open(directory.path());
    // Over two midnights, 40 clicks an hour, and groups that end anywhere.
    let clicks: Vec<_> = (0..2_400).map(|n| click(n, T - 6 * HOUR_MS + 90_000 * n_ms(n))).collect();
    for group in clicks.chunks(170) {
        assert!(group.iter().all(|click| writer.record(*click)));
        assert_eq!(writer.step().clicks, group.len());
    }
    assert_eq!(writer.step().clicks, 0);
    let connection = raw(directory.path());
    let tables = ["clicks_20241003", "clicks_20241004", "clicks_20241005", "clicks_20241006"];
    let stored: Vec<_> = tables.iter().flat_map(|table| rows(&connection, table)).collect();
    assert_eq!(stored, clicks, "in the order in which they came");
    let mut reader = SqliteClickReader::open(directory.path()).expect("opens");
    let day = T / DAY;
    let days = [(day - 1, 240), (day, 960), (day + 1, 960), (day + 2, 240)];
    assert_eq!(reader.days().expect("reads"), days);
    let hours = |is_one: &dyn Fn(&Click) -> bool, (from, to): (i64, i64)| {
        let mut sums: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
        for click in clicks.iter().filter(|click| is_one(click)) {
            let sum = sums.entry(click.at - click.at % HOUR_MS).or_default();
            sum.0 += 1;
            sum.1 += u64::from(click.verdict == Verdict::Credited);
        }
        let hour = |(at, (clicks, credited))| ClickHour { at, clicks, credited };
        sums.range(from..to).map(|(at, sum)| hour((*at, *sum))).collect::<Vec<_>>()
    };
    let (campaign, enrollment) = (campaign_id(1), enrollment_id(2));
    for span in [(0, i64::MAX), (T, T + DAY), (T + 1, T + HOUR_MS + 1), (T, T), (T + 1, T + 2)] {
        let of_campaign = hours(&|click| click.campaign == campaign, span);
        assert_eq!(reader.hours_of_campaign(campaign, span).expect("reads"), of_campaign);
        let of_link = hours(&|click| click.campaign == campaign && click.link == 4, span);
        assert_eq!(reader.hours_of_link(campaign, 4, span).expect("reads"), of_link);
        let of_enrollment =
            hours(&|click| click.campaign == campaign && click.enrollment == enrollment, span);
        let found = reader.hours_of_enrollment(campaign, enrollment, span).expect("reads");
        assert_eq!(found, of_enrollment);
    }
    assert_eq!(reader.hours_of_link(campaign_id(9), 4, (0, i64::MAX)).expect("reads"), []);
    assert_eq!(reader.hours_of_campaign(campaign, (0, i64::MAX)).expect("reads").len(), 60);
}

fn n_ms(number: u64) -> i64 {
    i64::try_from(number).expect("small")
}

#[test]
fn old_days_leave_and_their_sums_stay() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut writer = open(directory.path());
    for day in 0..5 {
        assert!(writer.record(click(0, T + day * DAY)));
    }
    writer.step();
    let mut reader = SqliteClickReader::open(directory.path()).expect("opens");
    let mut days = |writer: &mut ClickWriter, now, keep_days| {
        writer.tick(now, keep_days);
        let dropped = writer.step().days_dropped;
        let left = reader.days().expect("reads");
        (dropped, left.iter().map(|(day, _)| day - T / DAY).collect::<Vec<_>>())
    };
    assert_eq!(days(&mut writer, T + 5 * DAY - 1, 4), (0, vec![0, 1, 2, 3, 4]));
    assert_eq!(days(&mut writer, T + 5 * DAY, 4), (1, vec![1, 2, 3, 4]), "its fourth day is over");
    assert_eq!(days(&mut writer, T + 5 * DAY, 4), (0, vec![1, 2, 3, 4]));
    // A click that comes late makes its day again, after a restart too.
    drop(writer);
    let mut writer = open(directory.path());
    assert!(writer.record(click(0, T)) && writer.record(click(0, T + DAY)));
    assert_eq!(writer.step().clicks, 2);
    assert_eq!(days(&mut writer, T + 5 * DAY, 2), (3, vec![3, 4]));
    let mut reader = SqliteClickReader::open(directory.path()).expect("opens");
    let hours = reader.hours_of_campaign(campaign_id(0), (0, i64::MAX)).expect("reads");
    let clicks: Vec<_> = hours.iter().map(|hour| hour.clicks).collect();
    assert_eq!(clicks, [2, 2, 1, 1, 1], "sums outlive their clicks");
}

#[test]
fn a_full_queue_drops_and_counts_and_takes_again_once_written() {
    let directory = tempfile::tempdir().expect("a directory");
    let options = ClickOptions { shard_clicks_max: 10, ..ClickOptions::default() };
    let mut writer = ClickWriter::open(directory.path(), &options).expect("opens");
    let taken: Vec<_> = (0..15).map(|number| writer.record(click(number, T))).collect();
    assert_eq!(taken, [[true; 10].as_slice(), &[false; 5]].concat());
    let stats = writer.stats();
    assert_eq!((stats.waiting, stats.dropped_when_full, stats.recorded), (10, 5, 0));
    assert_eq!(writer.step().clicks, 10);
    assert!(writer.record(click(20, T)));
    // A time without a date spoils nothing for the clicks beside it.
    assert!(!writer.record(click(21, i64::MAX)) && !writer.record(click(22, -1)));
    assert_eq!(writer.step().clicks, 1);
    let stats = writer.stats();
    assert_eq!((stats.waiting, stats.dropped_when_full, stats.recorded), (0, 7, 11));
    assert_eq!((stats.commits, stats.dropped_by_fault), (2, 0));
    assert_eq!(written(directory.path()), 11);
}

#[test]
fn a_group_that_cannot_be_written_is_lost_alone_and_leaves_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut writer = open(directory.path());
    let raw = raw(directory.path());
    raw.execute_batch(
        "CREATE TRIGGER broken BEFORE INSERT ON click_hours
         BEGIN SELECT raise(ABORT, 'broken'); END",
    )
    .expect("a trigger");
    assert!((0..3).all(|number| writer.record(click(number, T))));
    let report = writer.step();
    assert_eq!((report.clicks, report.dropped), (0, 3));
    assert!(matches!(report.failed, Some(StoreError::Corrupt(_))));
    raw.execute_batch("DROP TRIGGER broken").expect("it is there");
    assert!(writer.record(click(4, T)));
    assert_eq!(writer.step().clicks, 1, "the day's table is made again");
    let stats = writer.stats();
    assert_eq!((stats.recorded, stats.dropped_by_fault), (1, 3));
    assert!(stats.last_fault.is_some());
    assert_eq!(written(directory.path()), 1);
}

#[test]
fn raw_sql_cannot_change_clicks() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut writer = open(directory.path());
    assert!(writer.record(click(0, T)));
    writer.step();
    let raw = raw(directory.path());
    for attack in ["UPDATE clicks_20241004 SET verdict = 0", "DELETE FROM clicks_20241004"] {
        let error = raw.execute_batch(attack).expect_err(attack).to_string();
        assert!(error.contains("append-only"), "{attack}: {error}");
    }
}

#[test]
fn a_log_has_one_owner_and_refuses_what_is_not_its_own() {
    let directory = tempfile::tempdir().expect("a directory");
    let empty = SqliteClickReader::open(directory.path());
    assert!(matches!(empty, Err(StoreError::NoDatabase(_))));
    let owner = open(directory.path());
    let try_open = || ClickWriter::open(directory.path(), &ClickOptions::default());
    assert!(matches!(try_open(), Err(StoreError::Locked(path)) if path == directory.path()));
    drop(owner);
    raw(directory.path()).pragma_update(None, "user_version", 7).expect("a pragma");
    assert!(matches!(try_open(), Err(StoreError::NewerDatabase { found: 7, known: 1 })));
    fs::remove_file(directory.path().join("clicks.db")).expect("it is there");
    raw(directory.path()).execute_batch("CREATE TABLE poems (line TEXT)").expect("valid");
    assert!(matches!(try_open(), Err(StoreError::NotOurDatabase(_))));
}

#[test]
fn a_killed_log_opens_again_with_everything_that_was_written() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut before = 0;
    for lines in [1, 10, 100] {
        let mut command = this_test("clicks::inside_the_click_writer", KILLED, directory.path());
        let mut writer = command.stdout(Stdio::piped()).spawn().expect("starts");
        let output = BufReader::new(writer.stdout.take().expect("piped"));
        let mut told: Vec<u64> = Vec::new();
        for line in output.lines() {
            if let Some(count) = line.expect("readable").strip_prefix("written ")
                && let Some(count) = count.strip_suffix('.')
            {
                told.push(count.parse().expect("a number"));
                if told.len() == lines {
                    // SIGKILL: the writer goes on until it arrives, and then does nothing more.
                    writer.kill().expect("it runs");
                }
            }
        }
        writer.wait().expect("it has ended");
        let recorded = told.last().expect("it told something");
        drop(open(directory.path()));
        let now = written(directory.path());
        assert!(now >= before + recorded, "{now} of {before} + {recorded}");
        before = now;
    }
}

#[test]
#[ignore = "runs inside the test above, to be killed"]
fn inside_the_click_writer() {
    let directory = setting(KILLED).expect("the test above says where");
    let log = SqliteClickLog::open(&directory, &ClickOptions::default()).expect("opens");
    let mut out = std::io::stdout();
    let mut number = 0;
    loop {
        for _ in 0..=number % 137 {
            log.record(click(number, T + n_ms(number)));
            number += 1;
        }
        std::thread::yield_now();
        writeln!(out, "written {}.", log.stats().recorded).expect("the test reads");
    }
}

#[test]
fn a_full_disk_drops_clicks_and_the_log_goes_on_when_there_is_room() {
    let directory = tempfile::tempdir().expect("a directory");
    let inner = this_test("clicks::inside_a_small_disk", FULL_DISK, directory.path());
    run_on_tmpfs(&inner, directory.path(), "size=4m");
}

#[test]
#[ignore = "runs inside the test above, on a file system of its own"]
fn inside_a_small_disk() {
    let directory = setting(FULL_DISK).expect("the test above says where");
    let ballast = directory.join("ballast");
    fs::write(&ballast, vec![0; 2 << 20]).expect("room for the ballast");
    let mut writer = open(&directory);
    let mut group = |from: u64| {
        let taken = (from..from + 500).all(|number| writer.record(click(number, T)));
        assert!(taken, "a redirect is never told of the disk");
        let report = writer.step();
        (report, writer.stats())
    };
    let mut groups = 0;
    let full = loop {
        let (report, _) = group(groups * 500);
        match report.failed {
            Some(error) => break error,
            None => groups += 1,
        }
        assert!(groups < 1_000, "4 MiB have an end");
    };
    assert!(matches!(full, StoreError::DiskFull), "{full:?}");
    assert!(groups > 2, "{groups} groups fitted");
    for _ in 0..3 {
        assert_eq!(group(0).0.dropped, 500);
    }
    fs::remove_file(&ballast).expect("it is there");
    let (report, stats) = group(0);
    assert_eq!((report.clicks, report.dropped), (500, 0));
    assert_eq!((stats.recorded, stats.dropped_by_fault), ((groups + 1) * 500, 4 * 500));
    assert_eq!(written(&directory), (groups + 1) * 500);
}

#[test]
fn codes_and_names_of_verdicts_are_stable() {
    let all = Verdict::ALL.iter().map(|verdict| format!("{} {}", verdict.code(), verdict.name()));
    let stable = [
        "0 credited",
        "1 not_navigation",
        "2 prefetch",
        "3 head_request",
        "4 declared_bot",
        "5 not_live",
        "6 enrollment_ended",
    ];
    assert_eq!(all.collect::<Vec<_>>(), stable);
}
