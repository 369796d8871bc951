//! Reading clicks and their sums, beside the writer or from another process.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, Params, params};
use sponsorhub_core::ids::{CampaignId, EnrollmentId};

use super::clicks::{DATABASE, KNOWN};
use super::open::{self, fault};
use super::position::unsigned;
use crate::clicks::{ClickHour, ClickReader, HOUR_MS};
use crate::error::StoreError;

/// The name of a day's table. SQLite knows the calendar.
pub(super) fn table(connection: &Connection, day: i64) -> rusqlite::Result<String> {
    let sql = "SELECT 'clicks_' || strftime('%Y%m%d', ?1 * 86400, 'unixepoch')";
    connection.prepare_cached(sql)?.query_row([day], |row| row.get(0))
}

/// The days that have a table, oldest first.
pub(super) fn days(connection: &Connection) -> rusqlite::Result<Vec<i64>> {
    let mut statement = connection.prepare_cached(
        "SELECT unixepoch(substr(name, 8, 4) || '-' || substr(name, 12, 2) || '-'
            || substr(name, 14, 2)) / 86400
         FROM sqlite_schema WHERE type = 'table'
            AND name GLOB 'clicks_[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]' ORDER BY name",
    )?;
    statement.query_map([], |row| row.get(0))?.collect()
}

/// A reader with a connection of its own.
#[derive(Debug)]
pub struct SqliteClickReader(Connection);

impl SqliteClickReader {
    /// Opens the click log of a directory, which another process may be writing to.
    ///
    /// # Errors
    /// [`StoreError::NoDatabase`], a database that is not ours or newer, and faults.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join(DATABASE);
        if !path.exists() {
            return Err(StoreError::NoDatabase(directory.to_owned()));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opening = |error| open::of_opening(&path, error);
        let connection = Connection::open_with_flags(&path, flags).map_err(opening)?;
        connection.busy_timeout(std::time::Duration::from_secs(10)).map_err(opening)?;
        if open::version(&connection, &path, KNOWN)? == 0 {
            return Err(StoreError::NoDatabase(directory.to_owned()));
        }
        Ok(Self(connection))
    }

    fn hours(&self, sql: &str, params: impl Params) -> Result<Vec<ClickHour>, StoreError> {
        let read = || -> rusqlite::Result<Vec<_>> {
            let mut statement = self.0.prepare_cached(sql)?;
            let hours = statement.query_map(params, |row| {
                Ok(ClickHour {
                    at: row.get::<_, i64>(0)? * HOUR_MS,
                    clicks: unsigned(row.get(1)?),
                    credited: unsigned(row.get(2)?),
                })
            })?;
            hours.collect()
        };
        read().map_err(fault)
    }
}

/// The first hour that begins at this time or later.
fn first_hour(at: i64) -> i64 {
    at.div_euclid(HOUR_MS) + i64::from(at.rem_euclid(HOUR_MS) != 0)
}

macro_rules! hours {
    ($where:literal) => {
        concat!(
            "SELECT hour, sum(clicks), sum(credited) FROM click_hours
             WHERE campaign_id = ?1 AND hour >= ?2 AND hour < ?3",
            $where,
            " GROUP BY hour ORDER BY hour"
        )
    };
}

impl ClickReader for SqliteClickReader {
    fn hours_of_link(
        &mut self,
        campaign: CampaignId,
        link: u32,
        (from, to): (i64, i64),
    ) -> Result<Vec<ClickHour>, StoreError> {
        let span = params![campaign.0, first_hour(from), first_hour(to), link];
        self.hours(hours!(" AND link = ?4"), span)
    }

    fn hours_of_enrollment(
        &mut self,
        campaign: CampaignId,
        enrollment: EnrollmentId,
        (from, to): (i64, i64),
    ) -> Result<Vec<ClickHour>, StoreError> {
        let span = params![campaign.0, first_hour(from), first_hour(to), enrollment.0];
        self.hours(hours!(" AND enrollment_id = ?4"), span)
    }

    fn hours_of_campaign(
        &mut self,
        campaign: CampaignId,
        (from, to): (i64, i64),
    ) -> Result<Vec<ClickHour>, StoreError> {
        self.hours(hours!(""), params![campaign.0, first_hour(from), first_hour(to)])
    }

    fn days(&mut self) -> Result<Vec<(i64, u64)>, StoreError> {
        let read = || -> rusqlite::Result<Vec<_>> {
            let snapshot = self.0.unchecked_transaction()?;
            let mut totals = Vec::new();
            for day in days(&snapshot)? {
                // Rows never leave, so the last number is the count.
                let table = table(&snapshot, day)?;
                let last = format!("SELECT ifnull(max(no), 0) FROM {table}");
                totals.push((day, unsigned(snapshot.query_row(&last, [], |row| row.get(0))?)));
            }
            Ok(totals)
        };
        read().map_err(fault)
    }
}
