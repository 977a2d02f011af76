//! Logical time to write timestamps and back: which writes race with equal, falling or skewed timestamps.
//!
//! A clock is data of the plan and knows no time of day. Timestamps are microseconds, as targets keep them.
//!
//! - **K1** `lts(timestamp(n))` holds `n`, and only visits with that timestamp: [`Clock::lts`] is the inverse as a set (ties).
//! - **K2** A visit's timestamp is below that of an earlier visit by at most [`Clock::displacement`].

use datagen::perm::Perm;
use datagen::stream::{Stream, below, draw};
use history::Lts;
use serde::{Deserialize, Serialize};

/// Where timestamps come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Clock {
    /// The timestamp of the visit before the first.
    pub base: i64,
    /// How timestamps follow the visits.
    pub policy: Policy,
}

/// How timestamps follow the visits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Policy {
    /// Each visit one more than the visit before (Harry's).
    Rising,
    /// So many visits share one timestamp.
    Ties {
        /// How many; at least 1.
        group: u64,
    },
    /// In windows of so many visits the timestamps come in any order.
    Regressions {
        /// How many; at least 1.
        window: u64,
    },
    /// So many clients, each with a clock that is wrong by at most so much.
    Skewed {
        /// How many; at least 1.
        clients: u64,
        /// Ahead or behind, in microseconds.
        by: u64,
    },
}

impl Default for Clock {
    /// Four clients whose clocks are a little wrong, so that timestamps fall and meet; from a time that is no server's.
    fn default() -> Clock {
        Clock {
            base: 1_000_000_000,
            policy: Policy::Skewed { clients: 4, by: 16 },
        }
    }
}

/// The most that a policy may move timestamps, so that they stay far from the ends of their range.
pub const DISPLACEMENT_MAX: u64 = 1 << 40;
const _: () = assert!(DISPLACEMENT_MAX < i64::MAX.unsigned_abs());

impl Clock {
    /// The timestamp of a visit.
    pub fn timestamp(&self, seed: u64, lts: Lts) -> i64 {
        let n = lts.0.saturating_sub(1);
        let place = match self.policy {
            Policy::Rising => n,
            Policy::Ties { group } => n / group,
            Policy::Regressions { window } => {
                let block = n / window;
                block * window + order(seed, block, window).at(n % window)
            }
            Policy::Skewed { clients, by } => return self.base + 1 + signed(n) + skew(seed, clients, by, n),
        };
        self.base + 1 + signed(place)
    }

    /// The visits with this timestamp, ascending.
    pub fn lts(&self, seed: u64, timestamp: i64) -> Vec<Lts> {
        let Some(place) = timestamp.checked_sub(self.base).and_then(|t| t.checked_sub(1)) else {
            return Vec::new();
        };
        let number = |n: u64| Lts(n + 1);
        if let Policy::Skewed { clients, by } = self.policy {
            let mut found: Vec<Lts> = (0..clients)
                .map(|client| place - offset(seed, by, client))
                .filter_map(|n| u64::try_from(n).ok())
                .filter(|n| signed(*n) + skew(seed, clients, by, *n) == place)
                .map(number)
                .collect();
            found.sort_unstable();
            found.dedup();
            return found;
        }
        let Ok(place) = u64::try_from(place) else {
            return Vec::new();
        };
        match self.policy {
            Policy::Ties { group } => (place * group..(place + 1) * group).map(number).collect(),
            Policy::Regressions { window } => {
                let block = place / window;
                let n = block * window + order(seed, block, window).index(place % window);
                vec![number(n)]
            }
            Policy::Rising | Policy::Skewed { .. } => vec![number(place)],
        }
    }

    /// By how much a visit's timestamp may be below that of an earlier one.
    pub fn displacement(&self) -> i64 {
        match self.policy {
            Policy::Rising | Policy::Ties { .. } => 0,
            Policy::Regressions { window } => signed(window),
            Policy::Skewed { by, .. } => 2 * signed(by),
        }
    }

    /// What the numbers must be; `None`: they are.
    pub(super) fn mistake(&self) -> Option<(&'static str, u64, &'static str)> {
        const SOME: &str = "1 to 2^40 are possible";
        let fine = |n: u64| (1..=DISPLACEMENT_MAX).contains(&n);
        match self.policy {
            Policy::Ties { group } if !fine(group) => Some(("policy.ties.group", group, SOME)),
            Policy::Regressions { window } if !fine(window) => {
                Some(("policy.regressions.window", window, SOME))
            }
            Policy::Skewed { clients, .. } if clients == 0 || clients > 1000 => {
                Some(("policy.skewed.clients", clients, "1 to 1000 are possible"))
            }
            Policy::Skewed { by, .. } if !fine(by) => Some(("policy.skewed.by", by, SOME)),
            _ => None,
        }
    }
}

/// Which place in its window each visit has.
fn order(seed: u64, block: u64, window: u64) -> Perm {
    Perm::new(draw(seed, Stream::Clock, &[0, block]), window)
}

/// The error of the clock of the client that a visit belongs to.
fn skew(seed: u64, clients: u64, by: u64, n: u64) -> i64 {
    offset(seed, by, below(draw(seed, Stream::Clock, &[1, n]), clients))
}

/// The error of a client's clock, from `-by` to `by`.
fn offset(seed: u64, by: u64, client: u64) -> i64 {
    signed(below(draw(seed, Stream::Clock, &[2, client]), 2 * by + 1)) - signed(by)
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).expect("numbers of visits and displacements are far below 2^63")
}

#[cfg(test)]
mod tests;
