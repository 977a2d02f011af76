//! `--known FILE`: findings to tolerate, each with a link and a day on which it ends.
//!
//! ```toml
//! [[known]]
//! kind = "wrong-result"
//! shape = "missing row"
//! action = "read-range"        # or every action
//! link = "https://example.org/bug/1"
//! expires = 2027-01-31
//! times = 3                    # at most; every number if not given
//! ```

use crate::clock;
use history::{Finding, Kind};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// What is tolerated.
#[derive(Debug, Clone, Default)]
pub struct Known {
    entries: Vec<Entry>,
    today: Day,
}

/// Year, month, day.
type Day = (u16, u8, u8);

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    kind: Kind,
    shape: String,
    action: Option<String>,
    #[serde(rename = "link")]
    _link: String,
    expires: toml::value::Datetime,
    times: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    known: Vec<Entry>,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {what}", path.display())]
pub struct KnownError {
    path: PathBuf,
    what: String,
}

impl Known {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Known, KnownError> {
        let error = |what: String| KnownError {
            path: path.to_owned(),
            what,
        };
        let text = std::fs::read_to_string(path).map_err(|e| error(e.to_string()))?;
        Known::parse(&text, clock::unix_seconds()).map_err(|e| error(e.to_string()))
    }

    fn parse(text: &str, unix_seconds: u64) -> Result<Known, toml::de::Error> {
        let File { known } = toml::from_str(text)?;
        Ok(Known {
            entries: known,
            today: day(unix_seconds),
        })
    }

    /// Whether a finding that was seen so many times is tolerated today.
    pub fn tolerates(&self, finding: &Finding, times: u64) -> bool {
        self.entries.iter().any(|e| {
            let alive = e
                .expires
                .date
                .is_some_and(|d| (d.year, d.month, d.day) >= self.today);
            alive
                && e.kind == finding.kind
                && e.shape == finding.shape.name()
                && e.action.as_ref().is_none_or(|a| *a == finding.action)
                && e.times.is_none_or(|most| times <= most)
        })
    }
}

/// The day of a number of seconds since 1970, in UTC.
/// Source: H. Hinnant, *chrono-Compatible Low-Level Date Algorithms*, `civil_from_days`.
fn day(unix_seconds: u64) -> Day {
    let z = unix_seconds / 86_400 + 719_468;
    let era = z / 146_097;
    let doe = z % 146_097;
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + u64::from(month <= 2);
    let small = |n: u64| u8::try_from(n).expect("a day or a month");
    (
        u16::try_from(year).unwrap_or(u16::MAX),
        small(month),
        small(doy - (153 * mp + 2) / 5 + 1),
    )
}

#[cfg(test)]
mod tests;
