//! Bookkeeping: every visit that writes a partition leaves its number beside it, and reads of those numbers are compared
//! like any other. A visit that was lost shows even where later ones have written over all that it wrote.
//!
//! ```text
//! t         p ─┬─ rows                 visit 17 writes p: its operations, and one row more
//! t_visits  p ─┴─ 3, 9, 17             must ⊆ list ⊆ must ∪ may: what the model says of any rows
//! ```
//! The list is a table of its own with the same partition key, so it needs nothing of a database that other tables do not.
//!
//! - **B1** A partition of the list is written by exactly the visits that write the partition that it is about.
//! - **B2** Nothing is ever taken from a list.

use datagen::domain::Domain;
use datagen::schema::{ColumnId, Schema, Table};
use datagen::value::Value;
use history::{Cells, Lts, Op, Part};

/// What the name of a table's list ends with.
pub const VISITS: &str = "_visits";

/// The list of a table.
#[derive(Debug)]
pub(super) struct List {
    /// Its table.
    pub(super) table: u16,
    /// Its columns: the row's key, the number of the visit.
    pub(super) columns: [ColumnId; 2],
    rows: u64,
    numbers: Domain,
}

impl List {
    /// The list that the schema has of a table, if any.
    pub(super) fn of(schema: &Schema, table: &Table) -> Option<List> {
        let number = schema.find(&format!("{}{VISITS}", table.name))?;
        let list = schema.table(number);
        let (key, visit) = (list.clustering.first()?, list.regular.first()?);
        (list.partitions().len() == table.partitions().len()).then(|| List {
            table: number,
            columns: [key.column.id, visit.id],
            rows: list.rows().len(),
            numbers: list.domain(visit.id).clone(),
        })
    }

    /// The partition of the list that is about this one.
    pub(super) fn part(&self, of: Part) -> Part {
        Part {
            table: self.table,
            position: of.position,
        }
    }

    /// What a visit leaves in it.
    pub(super) fn entry(&self, of: Part, lts: Lts) -> Op {
        let number = i64::try_from(lts.0).ok();
        let visit = number.and_then(|n| self.numbers.deflate(&Value::Int(n)));
        let mut cells = Cells::new();
        cells.push((self.columns[1], visit));
        Op::Upsert {
            part: self.part(of),
            row: lts.0 % self.rows,
            cells,
        }
    }
}
