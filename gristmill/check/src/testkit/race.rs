//! Visits that race: writes of one partition with timestamps that repeat and go back.

use super::draw::{Draws, draw_op};
use datagen::schema::{ColumnId, Schema};
use history::{Consistency, Elements, End, Level, Lts, Op, Part, Stamp, Step, Visit};

/// A visit that writes a partition: one statement, or a batch; at one of so many timestamps.
pub(crate) fn draw_write(draws: &mut Draws, schema: &Schema, part: Part, lts: Lts, times: usize) -> Visit {
    let ops = if draws.one_in(3) { 2 + draws.below(3) } else { 1 };
    let steps: Vec<Step> = (0..ops)
        .map(|_| {
            if let Some(op) = draw_add(draws, schema, part).or_else(|| draw_elements(draws, schema, part)) {
                return Step::Write(op);
            }
            Step::Write(match draw_op(draws, schema, part) {
                Op::Insert { part, row, cells, .. } => Op::Upsert { part, row, cells },
                other => other,
            })
        })
        .collect();
    let end = match steps.len() {
        1 => End::Autocommit,
        _ => End::Batch {
            logged: draws.one_in(2),
        },
    };
    Visit {
        lts,
        level: Level::ReadCommitted,
        writes: vec![part],
        steps,
        end,
        stamp: Some(stamp(draws, times)),
    }
}

/// What is added to counters, or their deletion, in a table of them; nothing is drawn for others.
fn draw_add(draws: &mut Draws, schema: &Schema, part: Part) -> Option<Op> {
    let table = schema.table(part.table);
    if !table.counts() {
        return None;
    }
    let rows = usize::try_from(table.rows().len()).expect("few rows");
    if draws.one_in(8) {
        let row = draws.below(rows.min(4)) as u64;
        let all = draws.one_in(4);
        return Some(if all {
            Op::DeletePartition { part }
        } else {
            Op::DeleteRow { part, row }
        });
    }
    let shared = draws.one_in(4) && !table.shared.is_empty();
    let columns = if shared { &table.shared } else { &table.regular };
    let first = draws.below(columns.len());
    // Small ones, whose sums meet, and one that wraps around.
    let all = columns.iter().enumerate().filter_map(|(i, column)| {
        let amount = [1, -1, 2, 5, 0, i64::MAX][draws.below(6)];
        (i == first || draws.one_in(2)).then_some((column.id, amount))
    });
    let amounts = all.collect();
    let row = (!shared).then(|| draws.below(rows.min(4)) as u64);
    Some(Op::Add { part, row, amounts })
}

/// A write of elements, in a third of all writes to a table that has them; nothing is drawn for others.
fn draw_elements(draws: &mut Draws, schema: &Schema, part: Part) -> Option<Op> {
    let table = schema.table(part.table);
    let columns = table.regular.iter().map(|c| (false, c.id));
    let columns = columns.chain(table.shared.iter().map(|c| (true, c.id)));
    let with: Vec<(bool, ColumnId)> = columns
        .filter(|(_, id)| table.domain(*id).elements().is_some())
        .collect();
    if with.is_empty() || !draws.one_in(3) {
        return None;
    }
    let (shared, column) = draws.pick(&with);
    let elements = table.domain(column).elements().expect("it has elements");
    let rows = usize::try_from(table.rows().len()).expect("few rows");
    let row = (!shared).then(|| draws.below(rows) as u64);
    let first = draws.below(elements.slots());
    let mut list = Elements::new();
    for slot in 0..elements.slots() {
        if slot == first || draws.one_in(3) {
            // Few values, so that equal timestamps meet equal values.
            let value = draws.below(elements.values(slot).min(3) as usize) as u64;
            list.push((
                u16::try_from(slot).expect("few slots"),
                // From a list nothing is taken.
                (elements.are_listed() || !draws.one_in(3)).then_some(value),
            ));
        }
    }
    list.truncate(3);
    Some(Op::Elements {
        part,
        row,
        column,
        elements: list,
    })
}

/// What a visit says beside its statements.
pub(crate) fn stamp(draws: &mut Draws, times: usize) -> Stamp {
    Stamp {
        condition: None,
        timestamp: 1_000 + draws.below(times) as i64,
        ttl: draws.one_in(5).then_some(100),
        consistency: Consistency::One,
        node: 0,
    }
}
