//! Which columns a visit names: what it cannot say while one of them is dropped.

use crate::ast::{Aggregate, Condition, Op, Query, Select, Step, Visit};
use datagen::schema::ColumnId;

impl Visit {
    /// Whether a statement of it names a column of a table, or its condition does. What changes the schema names nothing.
    pub fn names(&self, table: u16, column: ColumnId) -> bool {
        let condition = self.stamp.and_then(|stamp| stamp.condition);
        let compared = matches!(condition, Some(Condition::Equals { column: c, .. }) if c == column);
        self.steps.iter().any(|step| match step {
            Step::Write(op) => op.part().table == table && (compared || op_names(op, column)),
            Step::Read(query) => query.table == table && query_names(query, column),
            Step::Savepoint(_) | Step::RollbackTo(_) | Step::Change(_) => false,
        })
    }
}

fn op_names(op: &Op, column: ColumnId) -> bool {
    match op {
        Op::Insert { cells, .. }
        | Op::Upsert { cells, .. }
        | Op::Update { cells, .. }
        | Op::Shared { cells, .. } => cells.iter().any(|(c, _)| *c == column),
        Op::DeleteCells { columns, .. } => columns.contains(&column),
        Op::Elements { column: c, .. } => *c == column,
        Op::Add { amounts, .. } => amounts.iter().any(|(c, _)| *c == column),
        Op::DeleteRow { .. } | Op::DeleteSlice { .. } | Op::DeletePartition { .. } => false,
    }
}

fn query_names(query: &Query, column: ColumnId) -> bool {
    let of = |all: &[Aggregate]| all.iter().any(|a| a.column() == Some(column));
    let selected = match &query.select {
        Select::Columns(all) | Select::Distinct(all) => all.contains(&column),
        Select::Aggregates(all) => of(all),
        Select::Group { by, aggregates } => by.contains(&column) || of(aggregates),
    };
    selected
        || query.filter.iter().any(|p| p.column == column)
        || query.order.iter().any(|(c, _)| *c == column)
}
