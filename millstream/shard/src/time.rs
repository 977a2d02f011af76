//! Times and frontiers.
//!
//! Must not know shards, batches or stores: only which times are done.
//!
//! Invariants:
//! 1. A frontier is one time or closed, and frontiers are totally ordered; `Closed` is the greatest.
//! 2. Advancing a time to a frontier never makes it smaller.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A point in a collection's history, in milliseconds by convention.
///
/// An alias, not a newtype: dataflow systems implement their traits for `u64`, and one integer type on
/// both sides saves a conversion per update.
pub type Timestamp = u64;

/// The times that may still change: everything at or after one time, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Frontier {
    /// Times `>= t` are open, times `< t` are complete.
    At(Timestamp),
    /// No time is open: the collection has ended.
    Closed,
}

impl Frontier {
    /// The frontier of a collection that has not begun.
    pub const MIN: Frontier = Frontier::At(0);

    /// Whether `time` is at or beyond this frontier, i.e. still open.
    pub fn less_equal(self, time: Timestamp) -> bool {
        match self {
            Frontier::At(t) => t <= time,
            Frontier::Closed => false,
        }
    }

    /// Whether `time` is strictly beyond this frontier's time.
    pub fn less_than(self, time: Timestamp) -> bool {
        match self {
            Frontier::At(t) => t < time,
            Frontier::Closed => false,
        }
    }

    /// The one time of this frontier, or none when it is closed.
    pub fn time(self) -> Option<Timestamp> {
        match self {
            Frontier::At(t) => Some(t),
            Frontier::Closed => None,
        }
    }

    /// Whether nothing is open any more.
    pub fn is_closed(self) -> bool {
        self == Frontier::Closed
    }

    /// The smallest time that compares with everything beyond this frontier the way `time` does.
    ///
    /// `max(t, f)`; under a closed frontier no time is distinguished and `Timestamp::MAX` is returned.
    pub fn advance(self, time: Timestamp) -> Timestamp {
        match self {
            Frontier::At(f) => time.max(f),
            Frontier::Closed => Timestamp::MAX,
        }
    }
}

impl fmt::Display for Frontier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Frontier::At(t) => write!(f, "{{{t}}}"),
            Frontier::Closed => write!(f, "{{}}"),
        }
    }
}

#[cfg(test)]
mod tests;
