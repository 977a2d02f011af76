//! Deletions of rows and of ranges of rows: intervals of positions, each with the greatest timestamp that covers it.
//!
//! Invariants:
//! * L3 intervals are sorted, not empty, do not overlap, and two neighbours that touch differ in their timestamps: so two
//!   lists that delete the same are the same list.

use super::cell::NEVER;
use std::ops::Range;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Interval {
    from: u64,
    to: u64,
    timestamp: i64,
}

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ranges {
    list: Vec<Interval>,
}

impl Ranges {
    /// The timestamp up to which a row is deleted; [`NEVER`] where it is not.
    #[inline]
    pub(crate) fn at(&self, position: u64) -> i64 {
        if self.list.is_empty() {
            return NEVER;
        }
        let next = self.list.partition_point(|i| i.from <= position);
        match next.checked_sub(1).map(|i| self.list[i]) {
            Some(i) if position < i.to => i.timestamp,
            _ => NEVER,
        }
    }

    /// Memory, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Interval>() * self.list.capacity()
    }

    /// Whether nothing is deleted.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether [`Self::add`] would change anything.
    pub(crate) fn lacks(&self, range: &Range<u64>, timestamp: i64) -> bool {
        let mut at = range.start;
        let first = self.list.partition_point(|i| i.to <= at);
        for i in &self.list[first..] {
            if at >= range.end {
                return false;
            }
            if i.from > at || i.timestamp < timestamp {
                return true;
            }
            at = i.to;
        }
        at < range.end
    }

    /// Deletes a range up to a timestamp, where that says more than what is there.
    pub(crate) fn add(&mut self, range: Range<u64>, timestamp: i64) {
        if range.is_empty() {
            return;
        }
        let first = self.list.partition_point(|i| i.to <= range.start);
        let last = self.list.partition_point(|i| i.from < range.end);
        if first == last {
            let new = Interval {
                from: range.start,
                to: range.end,
                timestamp,
            };
            self.list.insert(first, new);
            self.join(first.saturating_sub(1), first + 2);
            return;
        }
        let mut pieces = Vec::with_capacity(2 * (last - first) + 3);
        let mut at = range.start;
        for old in &self.list[first..last] {
            let mut piece = |from: u64, to: u64, timestamp: i64| {
                if from < to {
                    pieces.push(Interval { from, to, timestamp });
                }
            };
            piece(old.from, old.from.max(range.start), old.timestamp);
            piece(at, old.from.max(at), timestamp);
            let (from, to) = (old.from.max(range.start), old.to.min(range.end));
            piece(from, to, old.timestamp.max(timestamp));
            at = to;
            piece(old.to.min(range.end).max(old.from), old.to, old.timestamp);
        }
        if at < range.end {
            pieces.push(Interval {
                from: at,
                to: range.end,
                timestamp,
            });
        }
        let end = first + pieces.len();
        self.list.splice(first..last, pieces);
        self.join(first.saturating_sub(1), end + 1);
    }

    /// Forgets what ends at or before a timestamp.
    pub(crate) fn forget(&mut self, upto: i64) {
        self.list.retain(|i| i.timestamp > upto);
    }

    /// Joins neighbours among `list[from..to]`.
    fn join(&mut self, from: usize, to: usize) {
        let mut i = from;
        let mut to = to.min(self.list.len());
        while i + 1 < to {
            let (a, b) = (self.list[i], self.list[i + 1]);
            if a.to == b.from && a.timestamp == b.timestamp {
                self.list[i].to = b.to;
                self.list.remove(i + 1);
                to -= 1;
            } else {
                i += 1;
            }
        }
    }
}
