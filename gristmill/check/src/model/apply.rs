//! How visits change a partition, one after another in the order of their numbers. The place for a second way, by
//! timestamps, is beside this function: the store underneath is the same.

use crate::layout::TableLayout;
use crate::model::Partition;
use history::{Op, Part, Step};

/// Applies one write; returns how many rows it affects. A strict insert of a row that exists changes nothing.
pub(crate) fn apply(
    partition: &mut Partition,
    table: &TableLayout,
    op: &Op,
    update_creates_rows: bool,
) -> u64 {
    match op {
        Op::Insert { row, cells, .. } => {
            let (slot, new) = partition.insert(*row);
            if new {
                set(partition, table, slot, cells);
            }
            u64::from(new)
        }
        Op::Upsert { row, cells, .. } => {
            let (slot, new) = partition.insert(*row);
            if !new {
                partition.touch(slot);
            }
            set(partition, table, slot, cells);
            1
        }
        Op::Update { row, cells, .. } => match partition.find(*row) {
            Some(slot) => {
                partition.touch(slot);
                set(partition, table, slot, cells);
                1
            }
            None if update_creates_rows => {
                let (slot, _) = partition.insert(*row);
                set(partition, table, slot, cells);
                1
            }
            None => 0,
        },
        Op::Shared { cells, .. } => {
            let changes = cells.iter().map(|(c, d)| (table.shared_index(*c), *d));
            partition.write_shared(table.shared_count(), changes);
            1
        }
        Op::DeleteRow { row, .. } => u64::from(partition.remove_one(*row)),
        Op::DeleteCells { row, columns, .. } => match partition.find(*row) {
            Some(slot) => {
                partition.touch(slot);
                for c in columns {
                    partition.set(slot, table.regular_index(*c), None);
                }
                1
            }
            None => 0,
        },
        Op::Elements { .. } => unreachable!("elements are written only where the greatest timestamp wins"),
        Op::Add { .. } => unreachable!("counters are added to only where the greatest timestamp wins"),
        Op::DeleteSlice { slice, .. } => partition.remove(&table.rows_of(slice)),
        Op::DeletePartition { .. } => {
            let rows = partition.clear();
            let shared = u64::from(partition.shared().is_some());
            if shared == 1 {
                partition.set_shared(None);
            }
            rows + shared
        }
    }
}

fn set(partition: &mut Partition, table: &TableLayout, slot: u32, cells: &history::Cells) {
    for (c, d) in cells {
        partition.set(slot, table.regular_index(*c), *d);
    }
}

/// The writes to one partition that stand after some first steps of a visit: those that a later ROLLBACK TO SAVEPOINT among
/// these steps has not undone.
pub(crate) fn effective(steps: &[Step], part: Part) -> impl Iterator<Item = &Op> {
    let undone = undone(steps);
    steps.iter().enumerate().filter_map(move |(i, step)| match step {
        Step::Write(op)
            if op.part() == part && !undone.iter().any(|(from, to)| (*from..*to).contains(&i)) =>
        {
            Some(op)
        }
        _ => None,
    })
}

/// Whether these steps take earlier ones back.
pub(crate) fn takes_back(steps: &[Step]) -> bool {
    steps.iter().any(|step| matches!(step, Step::RollbackTo(_)))
}

/// The writes to one partition among steps that take nothing back.
pub(crate) fn plain(steps: &[Step], part: Part) -> impl Iterator<Item = &Op> {
    steps.iter().filter_map(move |step| match step {
        Step::Write(op) if op.part() == part => Some(op),
        _ => None,
    })
}

/// Ranges of steps that a rollback to a savepoint took back. A savepoint of a number that exists hides the older one.
fn undone(steps: &[Step]) -> Vec<(usize, usize)> {
    let mut undone = Vec::new();
    let mut savepoints: Vec<(u8, usize)> = Vec::new();
    for (i, step) in steps.iter().enumerate() {
        match step {
            Step::Savepoint(n) => savepoints.push((*n, i)),
            Step::RollbackTo(n) => {
                if let Some(at) = savepoints.iter().rposition(|(m, _)| m == n) {
                    undone.push((savepoints[at].1, i));
                    savepoints.truncate(at + 1);
                }
            }
            Step::Write(_) | Step::Read(_) | Step::Change(_) => {}
        }
    }
    undone
}
