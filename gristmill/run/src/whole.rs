//! Reads that show everything of a partition: what settling asks for, and what a validation asks for.

use datagen::schema::{ColumnId, Table};
use datagen::value::Order;
use history::{Extras, From, Part, Parts, Query, RowChoice, Select};

/// The rows of a partition in an order, with all of its row's columns; with the shared cells in each where rows carry them.
pub(crate) fn rows(table: &Table, part: Part, order: Vec<(ColumnId, Order)>, carried: bool) -> Query {
    let clustering = table.clustering.iter().map(|k| k.column.id);
    let regular = table.regular.iter().map(|c| c.id);
    let shared = table.shared.iter().filter(|_| carried).map(|c| c.id);
    let columns = clustering.chain(regular).chain(shared).collect();
    read(From::Table, part, columns, order)
}

/// The shared cells of a partition; `None` where its table has none.
pub(crate) fn shared(table: &Table, part: Part) -> Option<Query> {
    let columns: Vec<_> = table.shared.iter().map(|c| c.id).collect();
    (!columns.is_empty()).then(|| read(From::Shared, part, columns, Vec::new()))
}

fn read(from: From, part: Part, columns: Vec<ColumnId>, order: Vec<(ColumnId, Order)>) -> Query {
    Query {
        table: part.table,
        from,
        parts: Parts::One(part.position),
        rows: RowChoice::All,
        filter: Vec::new(),
        select: Select::Columns(columns),
        order,
        limit: None,
        offset: 0,
        extras: Extras::default(),
    }
}
