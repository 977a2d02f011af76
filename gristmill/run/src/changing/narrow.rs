//! A visit without a column.

use crate::shrink::{narrower, narrower_read};
use datagen::schema::ColumnId;
use history::{Condition, Step, Visit};

/// The visit without a column of a table; `None` where nothing is left of it.
pub(super) fn without(visit: Visit, table: u16, column: ColumnId) -> Option<Visit> {
    if !visit.names(table, column) {
        return Some(visit);
    }
    let condition = visit.stamp.and_then(|stamp| stamp.condition);
    if matches!(condition, Some(Condition::Equals { column: c, .. }) if c == column) {
        return None;
    }
    let stays = |id: ColumnId| id != column;
    let steps: Vec<Step> = visit
        .steps
        .into_iter()
        .filter_map(|step| match step {
            Step::Write(op) if op.part().table == table => narrower(&op, &stays).map(Step::Write),
            Step::Read(mut query) if query.table == table => {
                query.filter.retain(|p| p.column != column);
                query.order.retain(|(id, _)| *id != column);
                narrower_read(&query, &stays).map(Step::Read)
            }
            other => Some(other),
        })
        .collect();
    if steps.is_empty() {
        return None;
    }
    Some(Visit {
        writes: history::explicit::written(&steps),
        steps,
        ..visit
    })
}
