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
//!
//! [[known]]
//! kind = "unexpected-error"
//! code = "XX000"               # of a refusal, instead of a shape
//! text = "could not find attribute {} in subquery targetlist"   # the whole text; {} is anything; every text if not given
//! link = "https://example.org/bug/2"
//! expires = 2027-01-31
//! ```
//!
//! What is on the list and was not met is said: it may be mended.

use crate::clock;
use history::verdict::Cause;
use history::{Finding, Kind, Shape};
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
    shape: Option<String>,
    code: Option<String>,
    text: Option<String>,
    action: Option<String>,
    link: String,
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
        if let Some(entry) = known.iter().find(|e| e.shape.is_none() && e.code.is_none()) {
            let what = format!("the entry of {} has neither `shape` nor `code`", entry.link);
            return Err(serde::de::Error::custom(what));
        }
        Ok(Known {
            entries: known,
            today: day(unix_seconds),
        })
    }

    /// Whether a finding that was seen so many times is tolerated today.
    pub fn tolerates(&self, finding: &Finding, times: u64) -> bool {
        let alive = |e: &&Entry| e.is_alive(self.today) && e.times.is_none_or(|most| times <= most);
        self.entries.iter().filter(alive).any(|e| e.is(finding))
    }

    /// What became of each entry among such causes, in words: how often it was met, or that it was not.
    pub fn met(&self, causes: &[Cause]) -> Vec<String> {
        let one = |e: &Entry| {
            let of = causes.iter().filter(|cause| e.is(&cause.finding));
            let times: u64 = of.map(|cause| cause.times).sum();
            let end = if e.is_alive(self.today) {
                String::new()
            } else {
                format!(", and the entry ended on {}", e.expires)
            };
            match times {
                0 => format!("{} was not met{end}: it may be mended", e.link),
                1 => format!("{} was met once{end}", e.link),
                n => format!("{} was met {n} times{end}", e.link),
            }
        };
        self.entries.iter().map(one).collect()
    }
}

impl Entry {
    fn is_alive(&self, today: Day) -> bool {
        self.expires
            .date
            .is_some_and(|d| (d.year, d.month, d.day) >= today)
    }

    fn is(&self, finding: &Finding) -> bool {
        let said = match &finding.shape {
            Shape::Refused { code, text } => Some((code, text)),
            _ => None,
        };
        self.kind == finding.kind
            && self.shape.as_ref().is_none_or(|s| *s == finding.shape.name())
            && self.action.as_ref().is_none_or(|a| *a == finding.action)
            && self
                .code
                .as_ref()
                .is_none_or(|c| said.is_some_and(|(code, _)| c == code))
            && self
                .text
                .as_ref()
                .is_none_or(|t| said.is_some_and(|(_, text)| fits(t, text)))
    }
}

/// Whether the whole text is the pattern's; `{}` is anything.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((before, after)) = pattern.split_once("{}") else {
        return pattern == text;
    };
    let Some(rest) = text.strip_prefix(before) else {
        return false;
    };
    let ends = rest.char_indices().map(|(i, _)| i).chain([rest.len()]);
    ends.into_iter().any(|end| fits(after, &rest[end..]))
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
