//! Two answers to one query: alike, different, or nobody can say.

use datagen::schema::{ColumnId, Place, Schema};
use datagen::value::{Nulls, Value};
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

/// What two databases do alike, beside what they keep.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alike {
    /// Where NULL sorts.
    pub(super) nulls: bool,
    /// In which order the elements of a list that is not frozen stand: each gives them times of its own clock, so only where no
    /// two visits can overlap and one node does them all.
    pub(super) lists: bool,
}

/// Compares two answers to a query over equal tables: as sequences where the query orders them totally, as multisets where
/// nothing is cut off. A list is a multiset of its elements, too, where their order may differ.
pub(super) fn compare(schema: &Schema, query: &Query, first: &Rows, second: &Rows, alike: Alike) -> Compared {
    let total = is_total(schema, query, alike.nulls);
    let lists = if alike.lists {
        Vec::new()
    } else {
        lists(schema, query)
    };
    if query.limit.is_some() && !total {
        return Compared::Not("LIMIT under an order that leaves ties, or sorts NULL otherwise");
    }
    let sorted = |rows: &Rows| -> Vec<Vec<u8>> {
        let mut all: Vec<Vec<u8>> = rows.iter().map(|row| settled(row, &lists)).collect();
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

/// Where lists that are not frozen stand in the rows of an answer.
fn lists(schema: &Schema, query: &Query) -> Vec<usize> {
    let table = schema.table(query.table);
    let (Select::Columns(columns) | Select::Distinct(columns)) = &query.select else {
        return Vec::new();
    };
    let is_list = |(_, id): &(usize, &ColumnId)| {
        let elements = table.domain(**id).elements();
        elements.is_some_and(|elements| elements.are_listed())
    };
    columns
        .iter()
        .enumerate()
        .filter(is_list)
        .map(|(at, _)| at)
        .collect()
}

/// A row with the elements of these lists sorted; one that cannot be read as it is.
fn settled(row: &[u8], lists: &[usize]) -> Vec<u8> {
    if lists.is_empty() {
        return row.to_vec();
    }
    let (mut rest, mut out, mut at) = (row, Vec::new(), 0);
    while !rest.is_empty() {
        match Value::decode(&mut rest) {
            Ok(Value::Composite(mut elements)) if lists.contains(&at) => {
                elements.sort_by(|a, b| a.compare(b, Nulls::First));
                Value::Composite(elements).encode(&mut out);
            }
            Ok(value) => value.encode(&mut out),
            Err(_) => return row.to_vec(),
        }
        at += 1;
    }
    out
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

#[cfg(test)]
mod tests {
    use super::*;
    use datagen::domain::Limits;
    use datagen::schema::{Column, Definition, KeyColumn, SizeClass};
    use datagen::value::Type;

    fn schema() -> Schema {
        let column = |id, ty: &str| {
            let ty: Type = ty.parse().unwrap();
            Column {
                id: ColumnId(id),
                name: format!("c{id}"),
                ty,
                nullable: id > 0,
                limits: Limits::default().for_key(100),
            }
        };
        let table = Definition {
            name: "t".to_owned(),
            size: SizeClass::Narrow { partitions: 2 },
            rows_max: 1,
            partition: vec![KeyColumn {
                column: column(0, "int32"),
                order: datagen::value::Order::Asc,
            }],
            regular: vec![column(1, "list<int32>"), column(2, "frozen<list<int32>>")],
            ..Definition::default()
        };
        Schema::new(vec![table]).unwrap()
    }

    fn row(list: &[i64], frozen: &[i64]) -> Rows {
        let mut rows = Rows::default();
        for all in [list, frozen] {
            Value::Composite(all.iter().map(|n| Value::Int(*n)).collect()).encode(&mut rows.bytes);
        }
        rows.end_row();
        rows
    }

    #[test]
    fn a_list_is_compared_by_its_elements_where_their_order_is_each_databases_own() {
        let schema = schema();
        let visit = "1: read t0/0 select c1,c2 | auto at 1 one";
        let visit: history::Visit = visit.parse().unwrap();
        let history::Step::Read(query) = &visit.steps[0] else {
            panic!("it reads");
        };
        let alike = |a: &Rows, b: &Rows, lists| {
            let alike = Alike { nulls: true, lists };
            compare(&schema, query, a, b, alike) == Compared::Alike
        };
        let (first, second) = (row(&[1, 2, 1], &[1, 2]), row(&[2, 1, 1], &[1, 2]));
        assert!(alike(&first, &second, false));
        assert!(!alike(&first, &second, true), "one session: the order is known");
        assert!(!alike(&first, &row(&[1, 2, 2], &[1, 2]), false), "not as often");
        assert!(!alike(&first, &row(&[1, 2], &[1, 2]), false), "one is missing");
        assert!(
            !alike(&first, &row(&[1, 2, 1], &[2, 1]), false),
            "a frozen list has one order"
        );
    }
}
