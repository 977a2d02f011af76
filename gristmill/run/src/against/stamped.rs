//! What two databases may do differently though both keep the rule that the greatest timestamp wins.
//!
//! | what                                | what is compared |
//! |-------------------------------------|------------------|
//! | equal timestamps of different values | nothing of the partition, where the two decide ties by different rules |
//! | values that expire                  | nothing of the partition: the answers come at two moments |
//! | lightweight transactions            | nothing of the partition: their order, and their timestamps, are each database's own |
//! | reads that too few replicas answer  | nothing: either may lack what was acknowledged |
//! | all else                            | exactly |

use crate::plan::Plan;
use datagen::schema::ColumnId;
use history::{Consistency, Op, Part, Semantics, Stamp, Step};
use std::collections::{BTreeMap, BTreeSet};

const TIES: &str =
    "two writes of a cell of its partition have one timestamp, and the two decide that otherwise";
const EXPIRES: &str = "what its partition holds expires, and the two are asked at two moments";
const CONDITIONAL: &str = "lightweight transactions have an order of each database's own";
const LEVEL: &str = "its level may miss what was acknowledged";

/// The cells of each partition that were written, by timestamp, row and column.
pub(super) type Seen = BTreeMap<Part, BTreeSet<(i64, Option<u64>, ColumnId)>>;

/// See the module.
#[derive(Debug)]
pub(super) struct Rules {
    /// Both decide ties alike.
    ties_alike: bool,
    /// By how much a visit's timestamp may be below that of an earlier one.
    displacement: i64,
    /// The weakest level of a write.
    weakest: Consistency,
    /// How many replicas there are, of the one that has more.
    replicas: u16,
}

impl Rules {
    pub(super) fn of(plan: &Plan, first: &Semantics, second: &Semantics) -> Rules {
        let drawn = plan.workload.lww.as_ref().filter(|_| plan.history.is_none());
        let given = plan.history.iter().flatten().filter_map(|line| line.visit.stamp);
        let levels = drawn.iter().flat_map(|lww| lww.write_levels.iter().copied());
        let replicas = first.replicas.max(second.replicas);
        let levels = levels.chain(given.map(|stamp| stamp.consistency));
        Rules {
            ties_alike: first.ties == second.ties,
            displacement: drawn.map_or(i64::MAX, |lww| lww.clock.displacement()),
            weakest: levels
                .min_by_key(|level| level.replicas(replicas))
                .unwrap_or(Consistency::All),
            replicas,
        }
    }

    /// Why the partition cannot be compared any more after this visit, if so.
    pub(super) fn sets_apart(
        &self,
        seen: &mut Seen,
        part: Part,
        steps: &[Step],
        stamp: &Stamp,
    ) -> Option<&'static str> {
        if stamp.condition.is_some() {
            return Some(CONDITIONAL);
        }
        if stamp.ttl.is_some() {
            return Some(EXPIRES);
        }
        if self.ties_alike {
            return None;
        }
        let given = seen.entry(part).or_default();
        let mut again = false;
        for (row, column) in cells(part, steps) {
            again |= !given.insert((stamp.timestamp, row, column));
        }
        // What no later visit can meet is forgotten.
        let newest = given.last().map_or(stamp.timestamp, |(timestamp, ..)| *timestamp);
        let least = newest
            .saturating_sub(self.displacement)
            .saturating_sub(self.displacement);
        *given = given.split_off(&(least, None, ColumnId(0)));
        again.then_some(TIES)
    }

    /// Whether both must show the same to a read, as far as its own words go.
    pub(super) fn may_ask(&self, stamp: &Stamp) -> Result<(), &'static str> {
        let meets = self.replicas <= 1 || stamp.consistency.meets(self.weakest, self.replicas);
        if meets { Ok(()) } else { Err(LEVEL) }
    }
}

/// The cells of the partition that the steps write; a deletion beats a value everywhere, and is none.
fn cells(part: Part, steps: &[Step]) -> impl Iterator<Item = (Option<u64>, ColumnId)> {
    let ops = steps.iter().filter_map(move |step| match step {
        Step::Write(op) if op.part() == part => Some(op),
        _ => None,
    });
    ops.flat_map(|op| {
        let named: &[(ColumnId, Option<u64>)] = match op {
            Op::Insert { cells, .. }
            | Op::Upsert { cells, .. }
            | Op::Update { cells, .. }
            | Op::Shared { cells, .. } => cells,
            _ => &[],
        };
        named.iter().map(move |(column, _)| (op.row(), *column))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use history::Cells;

    fn part() -> Part {
        Part {
            table: 0,
            position: 7,
        }
    }

    fn stamp(timestamp: i64) -> Stamp {
        Stamp {
            timestamp,
            ttl: None,
            consistency: Consistency::Quorum,
            node: 0,
            condition: None,
        }
    }

    fn writes(rows: &[u64]) -> Vec<Step> {
        let write = |row: &u64| {
            let mut cells = Cells::new();
            cells.push((ColumnId(3), Some(*row)));
            Step::Write(Op::Upsert {
                part: part(),
                row: *row,
                cells,
            })
        };
        rows.iter().map(write).collect()
    }

    #[test]
    fn equal_timestamps_set_apart_only_where_they_are_decided_otherwise() {
        let rules = |ties_alike| Rules {
            ties_alike,
            displacement: 32,
            weakest: Consistency::Quorum,
            replicas: 3,
        };
        let (alike, otherwise) = (rules(true), rules(false));
        let mut seen = Seen::new();
        let twice = writes(&[1, 1]);
        assert_eq!(alike.sets_apart(&mut seen, part(), &twice, &stamp(5)), None);
        assert_eq!(
            otherwise.sets_apart(&mut seen, part(), &twice, &stamp(5)),
            Some(TIES)
        );
        let once = writes(&[1, 2]);
        assert_eq!(otherwise.sets_apart(&mut seen, part(), &once, &stamp(6)), None);
        let elsewhere = writes(&[3]);
        assert_eq!(
            otherwise.sets_apart(&mut seen, part(), &elsewhere, &stamp(6)),
            None
        );
        assert_eq!(
            otherwise.sets_apart(&mut seen, part(), &once, &stamp(6)),
            Some(TIES)
        );
        assert_eq!(otherwise.sets_apart(&mut seen, part(), &once, &stamp(500)), None);
        assert_eq!(seen[&part()].len(), 2, "what is long over is forgotten");
        let dies = Stamp {
            ttl: Some(9),
            ..stamp(501)
        };
        assert_eq!(alike.sets_apart(&mut seen, part(), &once, &dies), Some(EXPIRES));
    }
}
