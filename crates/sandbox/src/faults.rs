//! Faults on the way in: a script that says what goes wrong with which request.
//!
//! Each request takes the first part of the script that fits it, by method and beginning of the
//! path; a part that has been used as often as it says is gone. What a fault means to a request is
//! up to whoever answers it: the edge cuts connections, the rooms delay and refuse.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::chance::Chance;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    /// The connection ends and nothing has happened.
    CutBefore,
    /// It happens, and the connection ends without an answer.
    CutAfter,
    /// It happens only after a while; also if nobody waits for it any more.
    HangBefore {
        /// How long, milliseconds of real time.
        ms: u64,
    },
    /// It happens, and the answer comes only after a while.
    HangAfter {
        /// How long, milliseconds of real time.
        ms: u64,
    },
    /// 500, kept under the idempotency key and given again to whoever repeats the request.
    #[serde(rename = "stored_500")]
    Stored500 {
        /// Whether it happened all the same.
        effect: bool,
    },
    /// 429: refused at the door, nothing is kept.
    RateLimited,
    /// 409: somebody else is at the same object; nothing is kept.
    Conflict,
    /// It happens as it was ordered, and the answer says another amount.
    OtherAmount,
    /// A definite no, kept under the idempotency key: nothing happens.
    Refused,
}

/// One part of the script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct FaultLine {
    /// Of which requests; any method where it is not said.
    pub method: Option<String>,
    /// What the path begins with.
    pub path: String,
    /// What happens to them.
    #[serde(flatten)]
    pub fault: Fault,
    /// How often.
    pub times: u32,
    /// In how many of a thousand cases a request that fits is hit, by the sandbox's seed.
    pub permille: u32,
}

/// A part as drivers write it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    method: Option<String>,
    path: String,
    fault: String,
    ms: Option<u64>,
    effect: Option<bool>,
    #[serde(default = "once")]
    times: u32,
    #[serde(default = "always")]
    permille: u32,
}

impl TryFrom<Written> for FaultLine {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { method, path, fault, ms, effect, times, permille } = written;
        crate::faults::check(times, permille)?;
        let fault = match (fault.as_str(), ms, effect) {
            ("cut_before", None, None) => Fault::CutBefore,
            ("cut_after", None, None) => Fault::CutAfter,
            ("hang_before", Some(ms), None) => Fault::HangBefore { ms },
            ("hang_after", Some(ms), None) => Fault::HangAfter { ms },
            ("stored_500", None, effect) => Fault::Stored500 { effect: effect.unwrap_or(false) },
            ("rate_limited", None, None) => Fault::RateLimited,
            ("conflict", None, None) => Fault::Conflict,
            ("other_amount", None, None) => Fault::OtherAmount,
            ("refused", None, None) => Fault::Refused,
            _ => {
                return Err("fault is cut_before, cut_after, hang_before or hang_after with ms, \
                            stored_500 with or without effect, rate_limited, conflict, \
                            other_amount, or refused"
                    .to_owned());
            }
        };
        Ok(Self { method, path, fault, times, permille })
    }
}

/// How often, and in how many of a thousand cases.
pub(crate) fn check(times: u32, permille: u32) -> Result<(), String> {
    if times > 0 && (1..=1_000).contains(&permille) {
        return Ok(());
    }
    Err("times is more than 0, permille 1 to 1000".to_owned())
}

pub(crate) fn once() -> u32 {
    1
}

pub(crate) fn always() -> u32 {
    1_000
}

impl FaultLine {
    /// Happens once, to the next request that fits.
    pub fn once(method: &str, path: &str, fault: Fault) -> Self {
        let (method, path) = (Some(method.to_owned()), path.to_owned());
        Self { method, path, fault, times: once(), permille: always() }
    }

    fn fits(&self, method: &str, path: &str) -> bool {
        let is_method = self.method.as_ref().is_none_or(|m| m.eq_ignore_ascii_case(method));
        is_method && path.starts_with(&self.path)
    }
}

/// The script, and how much of it has happened.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Faults {
    waiting: VecDeque<FaultLine>,
    happened: u64,
}

impl Faults {
    pub(crate) fn script(&mut self, lines: Vec<FaultLine>) {
        self.waiting.extend(lines.into_iter().filter(|line| line.times > 0));
    }

    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// What goes wrong with this request, if anything.
    pub(crate) fn take(&mut self, method: &str, path: &str, chance: &mut Chance) -> Option<Fault> {
        let fits = |line: &&mut FaultLine| line.fits(method, path) && chance.happens(line.permille);
        let line = self.waiting.iter_mut().find(fits)?;
        line.times -= 1;
        let fault = line.fault;
        self.waiting.retain(|line| line.times > 0);
        self.happened += 1;
        Some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_takes_the_first_part_that_fits_and_uses_it_up() {
        let (mut faults, mut chance) = (Faults::default(), Chance::new(1));
        let cut = FaultLine::once("POST", "/v1/transfers", Fault::CutAfter);
        let twice = FaultLine { times: 2, ..FaultLine::once("POST", "/v1/", Fault::Conflict) };
        faults.script(vec![cut, twice]);
        let mut take = |method, path| faults.take(method, path, &mut chance);
        assert_eq!(take("GET", "/v1/transfers"), None);
        assert_eq!(take("POST", "/v1/refunds"), Some(Fault::Conflict));
        assert_eq!(take("POST", "/v1/transfers"), Some(Fault::CutAfter));
        assert_eq!(take("POST", "/v1/transfers"), Some(Fault::Conflict));
        assert_eq!(take("POST", "/v1/transfers"), None);
        assert_eq!(faults.happened, 3);
    }

    #[test]
    fn a_script_is_read_as_it_is_documented() {
        let text = r#"{"path":"/v1/transfers","fault":"hang_before","ms":50}"#;
        let line: FaultLine = serde_json::from_str(text).expect("a line");
        assert_eq!(line.fault, Fault::HangBefore { ms: 50 });
        assert_eq!((line.times, line.permille, line.method), (1, 1_000, None));
        let text = r#"{"path":"/","fault":"stored_500","effect":true,"times":3}"#;
        let line: FaultLine = serde_json::from_str(text).expect("a line");
        assert_eq!(line.fault, Fault::Stored500 { effect: true });
        for text in [
            r#"{"path":"/","fault":"flood"}"#,
            r#"{"path":"/","fault":"hang_before"}"#,
            r#"{"path":"/","fault":"cut_after","ms":1}"#,
            r#"{"path":"/","fault":"cut_after","tims":3}"#,
            r#"{"path":"/","fault":"cut_after","times":0}"#,
            r#"{"path":"/","fault":"cut_after","permille":0}"#,
            r#"{"path":"/","fault":"cut_after","permille":1001}"#,
        ] {
            assert!(serde_json::from_str::<FaultLine>(text).is_err(), "{text}");
        }
    }
}
