//! Partitions that many write at once: of each cell the greatest timestamp wins (discipline `lww`).
//!
//! ```text
//!  visits ──▶ merged (cell, ranges): what is there, whatever the order of application
//!               │ store: a head a partition, what is sure for every later read; the rest is taken back again
//!               ▼
//!  answer ──▶ see: which visits must, may, may not be visible ──▶ solve: which of those that may explain it
//!               │ image: the visible rows, evaluated by the same code as under `ordered`
//!               ▼
//!             trace: who wrote, who deleted ──▶ finding        seen: what was seen stays seen
//! ```
//!
//! Invariants:
//! * W1 nothing here assumes that timestamps rise with the numbers of visits, but for [`crate::Options::displacement`].
//! * W2 nothing settles an unknown visit: it may be visible in every later read, until it cannot matter any more.
//! * W4 lightweight transactions have tables of their own and no timestamps of ours: `serial` judges them, nothing else does.
//! * W3 visits that may be visible are chosen freely of each other: a read at a quorum may show a later one without an
//!   earlier one.

mod cell;
mod cells;
mod counted;
mod difference;
mod effects;
mod explain;
mod image;
mod judge;
mod lists;
mod merged;
mod ranges;
mod remains;
mod scene;
mod see;
mod seen;
mod serial;
mod solve;
mod store;
mod trace;

pub(crate) use cell::Cell;
pub(crate) use explain::BY_PLAN;
pub(crate) use judge::Racing;
pub(crate) use merged::{Merged, Place as Column};
pub(crate) use scene::{Clock, Life, life_of};
pub(crate) use seen::Raced;
pub(crate) use serial::Awaited;

use crate::judged::Options;

/// How many writers of a partition in a row may be still to come, before one that has begun.
pub(crate) fn late_max(options: &Options) -> u32 {
    match options.discipline {
        history::Discipline::Lww => options.sessions,
        // One after another: the first that has not begun is followed by no other.
        history::Discipline::Ordered => 1,
    }
}

#[cfg(test)]
mod tests;
