//! One workload's part of tables that several write at once: every `of`-th partition, in the order of the seed.
//!
//! ```text
//! index in the order of all    0   1   2   3   4   5   6   7 …
//! share 1 of 3                 0           1           2
//! share 2 of 3                     0           1           2
//! share 3 of 3                         0           1
//! ```
//!
//! - **H1** Each partition is in exactly one share, and its index there and in the order of all are inverses.
//! - **H2** Decks and blocks are those of a workload that is alone: a share is exact by itself.

use datagen::stream::{Stream, draw};
use serde::{Deserialize, Serialize};

/// Number of the draw of a share's seed in [`Stream::Plan`]; others are drawn by whoever makes plans.
const DRAWN: u64 = 3;

/// Which partitions are ours. Its workload writes and reads no others, and no table as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Share {
    /// Counted from 1.
    pub index: u16,
    /// How many there are.
    pub of: u16,
}

impl Share {
    /// Everything is ours.
    pub const WHOLE: Share = Share { index: 1, of: 1 };

    /// Whether there are no others.
    pub fn is_whole(self) -> bool {
        self.of == 1
    }

    /// How many of so many partitions are ours.
    pub(super) fn count(self, all: u64) -> u64 {
        let (index, of) = (u64::from(self.index), u64::from(self.of));
        (all + of.saturating_sub(index)).checked_div(of).unwrap_or(0)
    }

    /// The index in the order of all. Inverse: [`Share::index`].
    #[inline]
    pub(super) fn of_all(self, index: u64) -> u64 {
        index * u64::from(self.of) + u64::from(self.index - 1)
    }

    /// The index in this share, if it has that partition.
    #[inline]
    pub(super) fn index(self, of_all: u64) -> Option<u64> {
        let of = u64::from(self.of);
        (of_all % of == u64::from(self.index - 1)).then_some(of_all / of)
    }

    /// The seed of what is done to the partitions.
    pub(super) fn seed(self, seed: u64) -> u64 {
        draw(seed, Stream::Plan, &[DRAWN, u64::from(self.index)])
    }
}
