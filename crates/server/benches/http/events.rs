//! Reports that have never been sent: each with a signed click and an external id of its own.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use sponsorhub_app::keyring_file;
use sponsorhub_app::ports::random;
use sponsorhub_core::attribution::click::{AgentFingerprint, ClickToken, NetworkFingerprint};
use sponsorhub_core::attribution::key_set::KeySet;
use sponsorhub_core::ids::{CampaignId, ClickId};

use crate::fixture::{Fixture, FixtureChance, now};

/// Events of one run: more than any machine sends in its seconds.
const EVENTS: u32 = 300_000;

struct Shop {
    keys: KeySet,
    fixture: Fixture,
}

pub(crate) struct Events {
    stored: Shop,
    without: Shop,
    number: u64,
}

fn shop(data: &Path, fixture: &Fixture) -> Shop {
    let keyring = keyring_file::read(data).expect("the fixture made one");
    Shop { keys: KeySet::new(&keyring), fixture: fixture.clone() }
}

impl Events {
    pub(crate) fn new(
        data: &Path,
        fixture: &Fixture,
        (bare, bare_fixture): (&Path, &Fixture),
    ) -> Self {
        Self { stored: shop(data, fixture), without: shop(bare, bare_fixture), number: 0 }
    }

    pub(crate) fn campaign(&self) -> CampaignId {
        self.stored.fixture.campaign
    }

    fn report(&mut self, is_stored: bool, out: &mut String) {
        self.number += 1;
        let number = self.number;
        let Shop { keys, fixture } = if is_stored { &self.stored } else { &self.without };
        let creators = u64::try_from(fixture.enrollments.len()).expect("few");
        let creator = number % creators;
        let index = usize::try_from(creator).expect("few");
        // An hour before the order, from a network of its own: nothing to doubt.
        let ordered = now() - 60_000;
        let click = ClickId::try_new(ordered - 3_600_000, random(&FixtureChance)).expect("now");
        let token = ClickToken {
            campaign: fixture.campaign,
            enrollment: fixture.enrollments[index],
            link: u32::try_from(creator).expect("few") + 1,
            click,
            network: NetworkFingerprint(number.to_be_bytes()),
            agent: AgentFingerprint([7; 8]),
        };
        let token = token.sign(keys);
        let time = rfc3339(ordered);
        write!(
            out,
            r#"{{"source":"shop","external_id":"order-{number}","type":"sale","occurred_at":"{time}","amount":{},"currency":"USD","click":"{token}"}}"#,
            1_000 + number % 9_000
        )
        .expect("writing to a string");
    }

    fn key(&self, is_stored: bool) -> &str {
        let shop = if is_stored { &self.stored } else { &self.without };
        &shop.fixture.api_key
    }

    /// A script that sends one report a request.
    pub(crate) fn script(&mut self, directory: &Path, is_stored: bool) -> PathBuf {
        let path = directory.join("reports.ndjson");
        let mut file = std::io::BufWriter::new(std::fs::File::create(&path).expect("writable"));
        let mut line = String::new();
        for _ in 0..EVENTS {
            line.clear();
            self.report(is_stored, &mut line);
            writeln!(file, "{line}").expect("writable");
        }
        file.flush().expect("writable");
        let text = format!(
            "local lines = io.lines('{}')\nwrk.method = 'POST'\n\
             wrk.headers['Authorization'] = 'Bearer {}'\n\
             request = function() return wrk.format(nil, nil, nil, lines()) end\n",
            path.display(),
            self.key(is_stored)
        );
        let script = directory.join("reports.lua");
        std::fs::write(&script, text).expect("writable");
        script
    }

    /// A script that sends many reports a request.
    pub(crate) fn batches(&mut self, directory: &Path, lines: u32, is_stored: bool) -> PathBuf {
        const REQUESTS: u32 = 240;
        for request in 0..REQUESTS {
            let mut text = String::new();
            for _ in 0..lines {
                self.report(is_stored, &mut text);
                text.push('\n');
            }
            let path = directory.join(format!("batch-{request}.ndjson"));
            std::fs::write(path, text).expect("writable");
        }
        let text = format!(
            "local i = -1\nwrk.method = 'POST'\nwrk.headers['Authorization'] = 'Bearer {}'\n\
             request = function() i = i + 1\n\
             local file = io.open('{}/batch-' .. i .. '.ndjson')\n\
             local body = file:read('*a'); file:close()\n\
             return wrk.format(nil, nil, nil, body) end\n",
            self.key(is_stored),
            directory.display()
        );
        let script = directory.join("batches.lua");
        std::fs::write(&script, text).expect("writable");
        script
    }
}

/// A time of the day that these milliseconds lie in, by the civil calendar.
fn rfc3339(ms: i64) -> String {
    let (days, in_day) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    // Days from 1970-03-01 in eras of 400 years; March begins the year, so leap days end it.
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    let (hour, minute) = (in_day / 3_600_000, in_day / 60_000 % 60);
    let (second, ms) = (in_day / 1_000 % 60, in_day % 1_000);
    format!("{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}
