//! Two answers to one query: alike, different, or nobody can say.

use datagen::schema::{ColumnId, Place, Schema};
use datagen::value::Value;
use history::{Query, RowChoice, Rows, Select};

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Compared {
    Alike,
    /// What the first says where the other says something else.
    Different(String, String),
    /// Why not.
    Not(&'static str),
}

/// Compares two answers to a query over equal tables: as sequences where the query orders them totally, as multisets where
/// nothing is cut off.
pub(super) fn compare(
    schema: &Schema,
    query: &Query,
    first: &Rows,
    second: &Rows,
    nulls_alike: bool,
) -> Compared {
    let total = is_total(schema, query, nulls_alike);
    if query.limit.is_some() && !total {
        return Compared::Not("LIMIT under an order that leaves ties, or sorts NULL otherwise");
    }
    let sorted = |rows: &Rows| -> Vec<Vec<u8>> {
        let mut all: Vec<Vec<u8>> = rows.iter().map(<[u8]>::to_vec).collect();
        if !total {
            all.sort_unstable();
        }
        all
    };
    let (a, b) = (sorted(first), sorted(second));
    if a == b {
        return Compared::Alike;
    }
    let at = a
        .iter()
        .zip(&b)
        .position(|(a, b)| a != b)
        .unwrap_or_else(|| a.len().min(b.len()));
    let shown = |rows: &[Vec<u8>]| {
        let row = rows.get(at).map_or_else(|| "no row".to_owned(), |row| words(row));
        format!("{} rows, there {row}", rows.len())
    };
    Compared::Different(shown(&a), shown(&b))
}

/// Whether the order leaves no two rows where either may come first, and both databases mean the same order.
fn is_total(schema: &Schema, query: &Query, nulls_alike: bool) -> bool {
    if query.order.is_empty() || !matches!(query.select, Select::Columns(_)) {
        return false;
    }
    let table = schema.table(query.table);
    let ordered = |id: ColumnId| query.order.iter().any(|(by, _)| *by == id);
    let one_partition = matches!(query.parts, history::Parts::One(_));
    let partition = one_partition || table.partition.iter().all(|k| ordered(k.column.id));
    let one_row = matches!(query.rows, RowChoice::One(_));
    let rows = one_row || table.clustering.iter().all(|k| ordered(k.column.id));
    let is_key = |id: ColumnId| matches!(table.place(id), Place::Partition(_) | Place::Clustering(_));
    let nulls = nulls_alike || query.order.iter().all(|(id, _)| is_key(*id));
    partition && rows && nulls
}

/// A row for people.
fn words(row: &[u8]) -> String {
    let mut rest = row;
    let mut values = Vec::new();
    while !rest.is_empty() {
        match Value::decode(&mut rest) {
            Ok(value) => values.push(value.to_string()),
            Err(_) => {
                values.push("what cannot be read".to_owned());
                break;
            }
        }
    }
    format!("({})", values.join(", "))
}
