//! Identities that travel through the whole house. All are plain numbers, all print short.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Logical timestamp: the number of a visit. Starts at 1, because `rng(0, s)` is the same number for every stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lts(pub u64);

impl fmt::Display for Lts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Time in judgements: one counter per process (F3), a total order without equal values. Not a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tick(pub u64);

/// A client session of the run, numbered from 1. The logical one: a reconnect keeps it (F12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub u16);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}", self.0)
    }
}

/// A partition: the table's index in the schema and a position in its universe of partition keys.
/// A table and its companion (shared columns) have the same partition numbers (F32).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Part {
    /// Index into `Schema::tables`.
    pub table: u16,
    /// Position in the universe of the table's partition keys.
    pub position: u64,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{}/{}", self.table, self.position)
    }
}

/// Names one statement: visit, attempt (0 is the first), step (index into `Visit::steps`).
/// BEGIN has step `u16::MAX - 1`, COMMIT or ROLLBACK `u16::MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    /// The visit.
    pub lts: Lts,
    /// Which try of the visit, from 0.
    pub attempt: u8,
    /// Index into the visit's steps, or [`Address::BEGIN`], [`Address::END`].
    pub step: u16,
}

impl Address {
    /// The step number of BEGIN.
    pub const BEGIN: u16 = u16::MAX - 1;
    /// The step number of COMMIT or ROLLBACK at the end.
    pub const END: u16 = u16::MAX;
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            Self::BEGIN => write!(f, "{}.{}.begin", self.lts, self.attempt),
            Self::END => write!(f, "{}.{}.end", self.lts, self.attempt),
            step => write!(f, "{}.{}.{step}", self.lts, self.attempt),
        }
    }
}
