//! The committed store: every row with its versions, oldest first. A read at `s` sees of each row its last version ≤ `s`.
//!
//! Knows nothing of sessions' buffers, queries or lies; it keeps what lies need (older versions, deleted rows) when asked.
//!
//! Invariants:
//! * R1 versions of a row have strictly rising commit numbers.
//! * R2 a commit's versions appear all at once, under one commit number.
//! * R3 a version that some open snapshot can see is never removed.

use history::{Lts, Part, SessionId};
use std::collections::{BTreeMap, BTreeSet};

/// Cells of a row, one for each regular (or shared) column of its table, in their order; `None` is NULL.
pub(super) type Row = Vec<Option<u64>>;

/// Names a row: its partition and its position there; the companion row of a partition has no position, and comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) part: Part,
    pub(super) row: Option<u64>,
}

/// What a transaction changes: the new row, or `None` where it is removed.
pub(super) type Changes = BTreeMap<Key, Option<Row>>;

#[derive(Debug, Clone)]
struct Version {
    at: u64,
    by: Lts,
    row: Option<Row>,
}

#[derive(Debug, Default)]
pub(super) struct Store {
    /// The number of the last commit.
    now: u64,
    rows: BTreeMap<Key, Vec<Version>>,
    /// The last commit that changed a partition, and the one before.
    changed: BTreeMap<Part, (u64, u64)>,
    /// What the open transactions see.
    snapshots: BTreeMap<SessionId, u64>,
    /// Keep older versions and deleted rows for the lies.
    keep: bool,
}

impl Store {
    pub(super) fn new(keep: bool) -> Self {
        Self {
            keep,
            ..Self::default()
        }
    }

    pub(super) fn now(&self) -> u64 {
        self.now
    }

    /// Remembers that a session reads at the present; versions from here on are kept until [`Store::release`].
    pub(super) fn hold(&mut self, who: SessionId) -> u64 {
        self.snapshots.insert(who, self.now);
        self.now
    }

    pub(super) fn release(&mut self, who: SessionId) {
        self.snapshots.remove(&who);
    }

    /// Nobody reads any more.
    pub(super) fn release_all(&mut self) {
        self.snapshots.clear();
    }

    /// The row as a snapshot sees it.
    pub(super) fn get(&self, key: Key, at: u64) -> Option<&Row> {
        visible(self.rows.get(&key)?, at)?.row.as_ref()
    }

    /// The rows of a partition (or, without one, of a whole table) as a snapshot sees them, companions included.
    pub(super) fn range(&self, from: Key, to: Key, at: u64) -> impl Iterator<Item = (Key, &Row)> {
        self.rows
            .range(from..=to)
            .filter_map(move |(key, versions)| Some((*key, visible(versions, at)?.row.as_ref()?)))
    }

    /// Whether a partition was changed after a snapshot.
    pub(super) fn changed_after(&self, part: Part, at: u64) -> bool {
        self.changed.get(&part).is_some_and(|(last, _)| *last > at)
    }

    /// Whether any partition of a table was changed after a snapshot.
    pub(super) fn table_changed_after(&self, table: u16, at: u64) -> bool {
        let (first, last) = (
            Part { table, position: 0 },
            Part {
                table,
                position: u64::MAX,
            },
        );
        self.changed.range(first..=last).any(|(_, (last, _))| *last > at)
    }

    /// Applies a transaction as the next commit.
    pub(super) fn apply(&mut self, by: Lts, changes: Changes) -> u64 {
        self.now += 1;
        let oldest = self.snapshots.values().min().copied().unwrap_or(self.now);
        let mut parts = BTreeSet::new();
        for (key, row) in changes {
            parts.insert(key.part);
            let versions = self.rows.entry(key).or_default();
            versions.push(Version {
                at: self.now,
                by,
                row,
            });
            let needed = versions.iter().rposition(|v| v.at <= oldest).unwrap_or(0);
            let needed = if self.keep {
                needed.min(versions.len().saturating_sub(4))
            } else {
                needed
            };
            versions.drain(..needed);
            if !self.keep && versions.len() == 1 && versions[0].row.is_none() {
                self.rows.remove(&key);
            }
        }
        for part in parts {
            let (last, before) = self.changed.entry(part).or_default();
            (*before, *last) = (*last, self.now);
        }
        self.now
    }

    // What follows is for lies.

    /// The snapshot just before the last change of any of these partitions.
    pub(super) fn before_last_change(&self, parts: &BTreeSet<Part>) -> Option<u64> {
        parts
            .iter()
            .filter_map(|p| self.changed.get(p))
            .map(|(last, _)| last - 1)
            .max()
    }

    /// The row as it was before the last visit that changed it, if it was there at all.
    pub(super) fn before_last(&self, key: Key, at: u64) -> Option<&Row> {
        let versions = self.rows.get(&key)?;
        let last = versions.iter().rposition(|v| v.at <= at)?;
        let by = versions[last].by;
        versions[..last].iter().rev().find(|v| v.by != by)?.row.as_ref()
    }

    /// Rows of a range that a snapshot sees as deleted, with the cells that they had.
    pub(super) fn deleted(&self, from: Key, to: Key, at: u64) -> impl Iterator<Item = (Key, &Row)> {
        self.rows.range(from..=to).filter_map(move |(key, versions)| {
            let last = versions.iter().rposition(|v| v.at <= at)?;
            if versions[last].row.is_some() {
                return None;
            }
            Some((*key, versions[..last].iter().rev().find_map(|v| v.row.as_ref())?))
        })
    }

    /// Takes commits back as if they had never been; says how many of them changed anything that was still there.
    pub(super) fn forget(&mut self, commits: &BTreeSet<u64>) -> u64 {
        let mut missed = BTreeSet::new();
        for versions in self.rows.values_mut() {
            if let Some(last) = versions.last()
                && commits.contains(&last.at)
            {
                missed.insert(last.at);
            }
            versions.retain(|v| !commits.contains(&v.at));
        }
        self.rows.retain(|_, versions| !versions.is_empty());
        u64::try_from(missed.len()).expect("fewer commits than 2^64")
    }
}

fn visible(versions: &[Version], at: u64) -> Option<&Version> {
    versions.iter().rev().find(|v| v.at <= at)
}
