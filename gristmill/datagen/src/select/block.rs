//! A block: how many visits of which role, and the closed-form numbers that follow from a visit's rank.
//!
//! Ranks are the visits of a block sorted by role: rank r of a role has touch numbers, write numbers and read
//! numbers that are a product and a sum away, so nothing is counted.

use serde::{Deserialize, Serialize};

/// What some visits of each block do, in numbers only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Visits of this role in each unit of the layout; all roles of a layout together make the unit.
    pub visits: u32,
    /// Partitions each of them writes; 0 for a visit that writes nothing.
    pub partitions: u16,
    /// Write operations of each.
    pub writes: u16,
    /// Reads of each.
    pub reads: u16,
}

/// The place of one visit: its role and the numbers of its touches, writes and reads over the whole run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat {
    /// Index of the role in the layout.
    pub role: usize,
    /// Number of the block.
    pub block: u64,
    /// How many visits of this role come before, in the order of ranks: 0, 1, 2, … without gaps.
    pub ordinal: u64,
    /// Number of the first touch, write and read; the others follow without gaps.
    pub first_touch: u64,
    /// See `first_touch`.
    pub first_write: u64,
    /// See `first_touch`.
    pub first_read: u64,
}

/// A role with the ranks and numbers it starts at within a block.
#[derive(Clone, Copy, Debug)]
struct Span {
    role: Role,
    visits: u64,
    rank: u64,
    touch: u64,
    write: u64,
    read: u64,
}

/// The layout of every block.
#[derive(Clone, Debug)]
pub(super) struct Block {
    spans: Vec<Span>,
    /// Per block.
    pub(super) visits: u64,
    pub(super) touches: u64,
    writes: u64,
    reads: u64,
}

impl Block {
    /// `units` times the roles.
    pub(super) fn new(roles: &[Role], units: u64) -> Block {
        let mut block = Block {
            spans: Vec::new(),
            visits: 0,
            touches: 0,
            writes: 0,
            reads: 0,
        };
        for &role in roles {
            let visits = u64::from(role.visits) * units;
            block.spans.push(Span {
                role,
                visits,
                rank: block.visits,
                touch: block.touches,
                write: block.writes,
                read: block.reads,
            });
            block.visits += visits;
            block.touches += visits * u64::from(role.partitions);
            block.writes += visits * u64::from(role.writes);
            block.reads += visits * u64::from(role.reads);
        }
        block
    }

    /// The seat of rank `rank` in block `number`.
    pub(super) fn seat(&self, number: u64, rank: u64) -> Seat {
        let role = match self.spans.as_slice() {
            [_] => 0,
            spans => spans.partition_point(|span| span.rank <= rank) - 1,
        };
        let span = &self.spans[role];
        let nth = rank - span.rank;
        Seat {
            role,
            block: number,
            ordinal: number * span.visits + nth,
            first_touch: number * self.touches + span.touch + nth * u64::from(span.role.partitions),
            first_write: number * self.writes + span.write + nth * u64::from(span.role.writes),
            first_read: number * self.reads + span.read + nth * u64::from(span.role.reads),
        }
    }

    pub(super) fn role(&self, role: usize) -> &Role {
        &self.spans[role].role
    }

    /// The rank of the visit that owns `touch`, a touch number within the block.
    pub(super) fn rank_of_touch(&self, touch: u64) -> u64 {
        let span = match self.spans.as_slice() {
            [only] => only,
            spans => &spans[spans.partition_point(|span| span.touch <= touch) - 1],
        };
        let nth = match u64::from(span.role.partitions) {
            1 => touch - span.touch,
            partitions => (touch - span.touch) / partitions,
        };
        span.rank + nth
    }
}
