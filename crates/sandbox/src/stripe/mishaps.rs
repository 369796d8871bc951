//! Faults on the way out: a script that says what goes wrong with which event on its way to an
//! endpoint.
//!
//! Each delivery takes the first part of the script that fits the type of its event; a part that has
//! been used as often as it says is gone. Whatever happens to a delivery, the event stays in the list
//! of events, as with the provider itself.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::chance::Chance;
use crate::faults::{always, once};

/// What goes wrong with one delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Mishap {
    /// It begins only after a while.
    Late {
        /// How long, milliseconds of the sandbox's clock.
        ms: i64,
    },
    /// It is made twice.
    Doubled,
    /// Others that come after it are made first.
    Reordered {
        /// How many of the same endpoint.
        behind: u32,
    },
    /// It is never made.
    Lost,
}

/// One part of the script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct MishapLine {
    /// What the type of the event begins with; any where it is empty.
    pub event: String,
    /// What happens.
    #[serde(flatten)]
    pub fault: Mishap,
    /// How often.
    pub times: u32,
    /// In how many of a thousand cases a delivery that fits is hit, by the sandbox's seed.
    pub permille: u32,
}

/// A part as drivers write it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    event: String,
    fault: String,
    ms: Option<i64>,
    behind: Option<u32>,
    #[serde(default = "once")]
    times: u32,
    #[serde(default = "always")]
    permille: u32,
}

impl TryFrom<Written> for MishapLine {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { event, fault, ms, behind, times, permille } = written;
        crate::faults::check(times, permille)?;
        let fault = match (fault.as_str(), ms, behind) {
            ("late", Some(ms), None) if ms > 0 => Mishap::Late { ms },
            ("doubled", None, None) => Mishap::Doubled,
            ("reordered", None, behind) if behind != Some(0) => {
                Mishap::Reordered { behind: behind.unwrap_or(1) }
            }
            ("lost", None, None) => Mishap::Lost,
            _ => {
                return Err("fault is late with ms above 0, doubled, reordered with or without \
                            behind above 0, or lost"
                    .to_owned());
            }
        };
        Ok(Self { event, fault, times, permille })
    }
}

/// The script, and how much of it has happened.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Mishaps {
    waiting: VecDeque<MishapLine>,
    happened: u64,
}

impl Mishaps {
    pub(crate) fn script(&mut self, lines: Vec<MishapLine>) {
        self.waiting.extend(lines.into_iter().filter(|line| line.times > 0));
    }

    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// What goes wrong with a delivery of an event of this type, if anything.
    pub(crate) fn take(&mut self, r#type: &str, chance: &mut Chance) -> Option<Mishap> {
        let mut waiting = self.waiting.iter_mut();
        let line = waiting.find(|line| {
            r#type.starts_with(line.event.as_str()) && chance.happens(line.permille)
        })?;
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
    fn a_script_is_read_as_it_is_documented_and_used_up() {
        let text = r#"[{"event":"charge.","fault":"late","ms":50},{"fault":"doubled","times":2},
                       {"event":"refund","fault":"reordered"},{"fault":"lost"}]"#;
        let lines: Vec<MishapLine> = serde_json::from_str(text).expect("lines");
        let (mut mishaps, mut chance) = (Mishaps::default(), Chance::new(1));
        mishaps.script(lines);
        let mut take = |r#type| mishaps.take(r#type, &mut chance);
        assert_eq!(take("refund.created"), Some(Mishap::Doubled));
        assert_eq!(take("charge.updated"), Some(Mishap::Late { ms: 50 }));
        assert_eq!(take("charge.updated"), Some(Mishap::Doubled));
        assert_eq!(take("refund.created"), Some(Mishap::Reordered { behind: 1 }));
        assert_eq!(take("refund.created"), Some(Mishap::Lost));
        assert_eq!(take("refund.created"), None);
        assert_eq!(mishaps.happened, 5);
    }

    #[test]
    fn what_no_script_may_say_is_refused() {
        for text in [
            r#"{"fault":"early"}"#,
            r#"{"fault":"late"}"#,
            r#"{"fault":"late","ms":0}"#,
            r#"{"fault":"lost","ms":1}"#,
            r#"{"fault":"reordered","behind":0}"#,
            r#"{"fault":"doubled","evnt":"charge."}"#,
            r#"{"fault":"doubled","permille":1001}"#,
        ] {
            assert!(serde_json::from_str::<MishapLine>(text).is_err(), "{text}");
        }
    }
}
