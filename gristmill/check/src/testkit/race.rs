//! Visits that race: writes of one partition with timestamps that repeat and go back.

use super::draw::{Draws, draw_op};
use datagen::schema::Schema;
use history::{Consistency, End, Level, Lts, Op, Part, Stamp, Step, Visit};

/// A visit that writes a partition: one statement, or a batch; at one of so many timestamps.
pub(crate) fn draw_write(draws: &mut Draws, schema: &Schema, part: Part, lts: Lts, times: usize) -> Visit {
    let ops = if draws.one_in(3) { 2 + draws.below(3) } else { 1 };
    let steps: Vec<Step> = (0..ops)
        .map(|_| {
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
