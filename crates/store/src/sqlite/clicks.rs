//! The click log on SQLite: a file and a writer of its own, so that clicks never hold a ledger up.
//!
//! A step machine like the sequencer: [`ClickWriter::step`] takes out what waits and writes it in
//! one transaction, clicks and sums; a thread that calls it every few milliseconds is all that a
//! server adds. `synchronous=NORMAL`: a commit does not wait for the disk. A killed process loses
//! what waits; a machine without power what was committed since the log was last moved to the
//! database, which [`ClickLog::tick`] does and SQLite itself does every 1,000 pages. The file is whole in either
//! case. What cannot be written is dropped and counted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use rusqlite::{Connection, OpenFlags, params};
use sponsorhub_core::ids::{CampaignId, EnrollmentId};
use sponsorhub_core::time::day_of;

use super::click_queue::ClickQueue;
use super::click_reader::{SqliteClickReader, days, table};
use super::lock::Lock;
use super::open::{self, Known, fault};
use crate::clicks::{Click, ClickLog, ClickReader, ClickStats, HOUR_MS, Verdict};
use crate::error::{Cause, StoreError};

/// Name of the database in the data directory, and of the lock beside it.
pub(super) const DATABASE: &str = "clicks.db";
const LOCK: &str = "clicks.lock";

/// "`SpHc`" marks the file as ours; it has one version so far.
pub(super) const KNOWN: Known = (0x5370_4863, 1);

/// Sums by hour since 1970. The only table that outlives its clicks. Rows only grow.
const SCHEMA: &str = "
    CREATE TABLE click_hours (
        campaign_id BLOB NOT NULL,
        link INTEGER NOT NULL,
        enrollment_id BLOB NOT NULL,
        hour INTEGER NOT NULL,
        clicks INTEGER NOT NULL,
        credited INTEGER NOT NULL,
        PRIMARY KEY (campaign_id, link, enrollment_id, hour)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX click_hours_by_enrollment ON click_hours (campaign_id, enrollment_id, hour);
    PRAGMA user_version = 1;";

/// How a click log is opened.
#[derive(Clone, Debug)]
pub struct ClickOptions {
    /// How long a group gathers, milliseconds.
    pub group_ms: u64,
    /// Clicks that may wait in each of four shards; a thread pushes to one of them.
    pub shard_clicks_max: usize,
}

impl Default for ClickOptions {
    fn default() -> Self {
        Self { group_ms: 3, shard_clicks_max: 1 << 16 }
    }
}

/// What a step did.
#[derive(Clone, Debug, Default)]
pub struct ClickReport {
    /// Clicks that were written.
    pub clicks: usize,
    /// Clicks that were lost.
    pub dropped: usize,
    /// Days that left.
    pub days_dropped: usize,
    /// Why something was not written.
    pub failed: Option<StoreError>,
}

/// The writer of a click log.
#[derive(Debug)]
pub struct ClickWriter {
    connection: Connection,
    queue: Arc<ClickQueue>,
    /// What the step in progress writes; kept for its memory.
    group: Vec<Click>,
    /// Days that have a table.
    days: BTreeSet<i64>,
    /// Held until the writer goes.
    _lock: Lock,
}

impl ClickWriter {
    /// Opens the click log of a data directory, makes what is missing, and owns it until dropped.
    ///
    /// # Errors
    /// [`StoreError`], one for each thing that can be wrong with a data directory.
    pub fn open(directory: &Path, options: &ClickOptions) -> Result<Self, StoreError> {
        std::fs::create_dir_all(directory).map_err(|error| open::of_directory(directory, error))?;
        let lock = Lock::take(directory, LOCK)?;
        let path = directory.join(DATABASE);
        let opening = |error| open::of_opening(&path, error);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&path, flags).map_err(opening)?;
        let version = open::version(&connection, &path, KNOWN)?;
        prepare(&mut connection, version).map_err(opening)?;
        let days = days(&connection).map_err(fault)?.into_iter().collect();
        let queue = Arc::new(ClickQueue::new(options.shard_clicks_max));
        Ok(Self { connection, queue, group: Vec::new(), days, _lock: lock })
    }

    /// Takes a click; see [`ClickLog::record`].
    pub fn record(&self, click: Click) -> bool {
        self.queue.push(click)
    }

    /// Has the next step drop old days; see [`ClickLog::tick`].
    pub fn tick(&self, now: i64, keep_days: u32) {
        self.queue.ask_for_tick(now, keep_days);
    }

    /// How it is doing.
    pub fn stats(&self) -> ClickStats {
        self.queue.stats()
    }

    /// Writes what waits, and drops old days where that was asked for.
    pub fn step(&mut self) -> ClickReport {
        let mut report = ClickReport::default();
        self.group.clear();
        self.queue.drain(&mut self.group);
        let clicks = self.group.len();
        if clicks > 0 {
            match self.write() {
                Ok(()) => {
                    report.clicks = clicks;
                    self.queue.count(clicks);
                }
                Err(error) => {
                    report.dropped = clicks;
                    report.failed = Some(self.fail(clicks, error));
                }
            }
        }
        if let Some((now, keep_days)) = self.queue.take_tick() {
            match self.drop_days(day_of(now) - i64::from(keep_days)) {
                Ok(dropped) => report.days_dropped = dropped,
                Err(error) => report.failed = Some(self.fail(0, error)),
            }
        }
        report
    }

    fn fail(&mut self, clicks: usize, error: rusqlite::Error) -> StoreError {
        if !self.connection.is_autocommit() {
            // SQLite may have rolled back by itself; then there is nothing to do.
            drop(self.connection.execute_batch("ROLLBACK"));
        }
        let fault = fault(error);
        self.queue.count_lost(clicks, fault.clone());
        fault
    }

    fn write(&mut self) -> rusqlite::Result<()> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        // Nearly always all of one day, and in order already.
        self.group.sort_by_key(|click| day_of(click.at));
        let mut fresh = Vec::new();
        for clicks in self.group.chunk_by(|a, b| day_of(a.at) == day_of(b.at)) {
            let day = day_of(clicks[0].at);
            let table = table(&self.connection, day)?;
            if !self.days.contains(&day) {
                create_day(&self.connection, &table)?;
                fresh.push(day);
            }
            insert(&self.connection, &table, clicks)?;
        }
        add_up(&self.connection, &self.group)?;
        self.connection.execute_batch("COMMIT")?;
        self.days.extend(fresh);
        Ok(())
    }

    /// Drops the days before this one.
    fn drop_days(&mut self, first_kept: i64) -> rusqlite::Result<usize> {
        let old: Vec<_> = self.days.range(..first_kept).copied().collect();
        for day in &old {
            let table = table(&self.connection, *day)?;
            self.connection.execute_batch(&format!("DROP TABLE {table}"))?;
            self.days.remove(day);
        }
        super::checkpoint::move_log(&self.connection)?;
        Ok(old.len())
    }
}

fn prepare(connection: &mut Connection, version: usize) -> rusqlite::Result<()> {
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    connection.execute_batch(
        "PRAGMA page_size = 16384;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = NORMAL;
         PRAGMA recursive_triggers = ON;
         PRAGMA trusted_schema = OFF;",
    )?;
    if version == 0 {
        let making = connection.transaction()?;
        making.execute_batch(SCHEMA)?;
        making.pragma_update(None, "application_id", KNOWN.0)?;
        making.commit()?;
    }
    Ok(())
}

/// A day's table: append-only, and without any index beside the order in which clicks came.
fn create_day(connection: &Connection, table: &str) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "CREATE TABLE {table} (
            no INTEGER PRIMARY KEY,
            click_id BLOB NOT NULL,
            campaign_id BLOB NOT NULL,
            enrollment_id BLOB NOT NULL,
            link INTEGER NOT NULL,
            at_ms INTEGER NOT NULL,
            verdict INTEGER NOT NULL,
            network BLOB NOT NULL,
            agent BLOB NOT NULL
        ) STRICT;
        CREATE TRIGGER {table}_never_change BEFORE UPDATE ON {table}
        BEGIN SELECT raise(ABORT, 'clicks are append-only'); END;
        CREATE TRIGGER {table}_never_leave BEFORE DELETE ON {table}
        BEGIN SELECT raise(ABORT, 'clicks are append-only'); END;"
    ))
}

fn insert(connection: &Connection, table: &str, clicks: &[Click]) -> rusqlite::Result<()> {
    // Many rows a statement: what a statement costs beside its rows is spread over them.
    let (many, rest) = clicks.split_at(clicks.len() - clicks.len() % ROWS);
    for (clicks, rows) in [(many, ROWS), (rest, 1)] {
        if clicks.is_empty() {
            continue;
        }
        let mut statement = connection.prepare_cached(&insert_sql(table, rows))?;
        for lot in clicks.chunks(rows) {
            for (click, first) in lot.iter().zip((1..).step_by(COLUMNS)) {
                statement.raw_bind_parameter(first, click.click_id)?;
                statement.raw_bind_parameter(first + 1, click.campaign.0)?;
                statement.raw_bind_parameter(first + 2, click.enrollment.0)?;
                statement.raw_bind_parameter(first + 3, click.link)?;
                statement.raw_bind_parameter(first + 4, click.at)?;
                statement.raw_bind_parameter(first + 5, click.verdict.code())?;
                statement.raw_bind_parameter(first + 6, click.network)?;
                statement.raw_bind_parameter(first + 7, click.agent)?;
            }
            statement.raw_execute()?;
        }
    }
    Ok(())
}

/// Clicks of one statement, and columns of one click.
const ROWS: usize = 16;
const COLUMNS: usize = 8;

fn insert_sql(table: &str, rows: usize) -> String {
    let row = format!("({})", ["?"; COLUMNS].join(","));
    let columns = "click_id, campaign_id, enrollment_id, link, at_ms, verdict, network, agent";
    format!("INSERT INTO {table} ({columns}) VALUES {}", vec![row; rows].join(","))
}

/// Adds clicks to the sums of their hours.
fn add_up(connection: &Connection, clicks: &[Click]) -> rusqlite::Result<()> {
    let mut sums: BTreeMap<(CampaignId, u32, EnrollmentId, i64), (i64, i64)> = BTreeMap::new();
    for click in clicks {
        let hour = click.at.div_euclid(HOUR_MS);
        let place = (click.campaign, click.link, click.enrollment, hour);
        let (clicks, credited) = sums.entry(place).or_default();
        *clicks += 1;
        *credited += i64::from(click.verdict == Verdict::Credited);
    }
    let mut add = connection.prepare_cached(
        "INSERT INTO click_hours (campaign_id, link, enrollment_id, hour, clicks, credited)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET clicks = clicks + ?5, credited = credited + ?6",
    )?;
    for ((campaign, link, enrollment, hour), (clicks, credited)) in sums {
        add.execute(params![campaign.0, link, enrollment.0, hour, clicks, credited])?;
    }
    Ok(())
}

/// The click log of a data directory, with a thread that writes to it.
#[derive(Debug)]
pub struct SqliteClickLog {
    directory: PathBuf,
    queue: Arc<ClickQueue>,
    writer: Option<JoinHandle<()>>,
}

/// Takes nothing more when the writer's thread ends, also by a panic.
struct Abandon(Arc<ClickQueue>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl SqliteClickLog {
    /// Opens the click log of a data directory and starts its writer.
    ///
    /// # Errors
    /// [`StoreError`], one for each thing that can be wrong with a data directory.
    pub fn open(directory: &Path, options: &ClickOptions) -> Result<Self, StoreError> {
        let mut writer = ClickWriter::open(directory, options)?;
        let queue = Arc::clone(&writer.queue);
        let group_ms = options.group_ms;
        let write = move || {
            let abandon = Abandon(Arc::clone(&writer.queue));
            while abandon.0.wait() {
                abandon.0.pause(group_ms);
                writer.step();
            }
        };
        let writer = std::thread::Builder::new().name("click-writer".into()).spawn(write);
        let writer = writer.map_err(|error| StoreError::Unavailable(Cause::new(error)))?;
        Ok(Self { directory: directory.to_owned(), queue, writer: Some(writer) })
    }
}

impl ClickLog for SqliteClickLog {
    fn record(&self, click: Click) -> bool {
        self.queue.push(click)
    }

    fn tick(&self, now: i64, keep_days: u32) {
        self.queue.ask_for_tick(now, keep_days);
    }

    fn stats(&self) -> ClickStats {
        self.queue.stats()
    }

    fn reader(&self) -> Result<Box<dyn ClickReader>, StoreError> {
        Ok(Box::new(SqliteClickReader::open(&self.directory)?))
    }
}

impl Drop for SqliteClickLog {
    /// Writes what waits and gives the file back.
    fn drop(&mut self) {
        self.queue.close();
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has told so on the way.
            drop(writer.join());
        }
    }
}
