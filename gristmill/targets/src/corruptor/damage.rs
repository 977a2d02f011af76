//! One kind of damage each, to rows in canonical bytes. `None` where there is nothing to damage.

use crate::cell::{Cell, parts};
use crate::flaws::Flaw;
use crate::layout::TableLayout;
use datagen::schema::ColumnId;
use datagen::value::{Kind, Type};
use history::{Aggregate, Query, Rows, Select};

/// The cells of an answer, row by row.
type Table<'a> = Vec<Vec<Cell<'a>>>;

/// The rows with the damage that a flaw does, drawn by `choice`.
pub(super) fn damaged(
    flaw: Flaw,
    choice: u64,
    table: &TableLayout,
    query: &Query,
    rows: &Rows,
) -> Option<Rows> {
    let mut cells = taken(rows);
    let several = matches!(
        query.select,
        Select::Columns(_) | Select::Distinct(_) | Select::Group { .. }
    );
    match flaw {
        Flaw::WrongCount => return wrong_count(choice, query, cells),
        Flaw::SwappedRows => {
            let at: Vec<usize> = (1..cells.len())
                .filter(|i| sorted_apart(query, &cells[i - 1], &cells[*i]))
                .collect();
            let i = *pick(&at, choice)?;
            cells.swap(i - 1, i);
        }
        Flaw::ForgottenRow if several => {
            let i = index(cells.len(), choice)?;
            cells.remove(i);
        }
        Flaw::DuplicatedRow if several => {
            let i = index(cells.len(), choice)?;
            cells.insert(i, cells[i].clone());
        }
        Flaw::WrongCell => {
            let i = index(cells.len(), choice >> 16)?;
            let (j, other) = changed(choice, values(query, &cells[i]))?;
            cells[i][j] = other;
        }
        Flaw::WrongTimestamp if query.extras.stamps => {
            let i = index(cells.len(), choice >> 16)?;
            let before = values(query, &cells[i]).len();
            let cells_read = if query.extras.ttls { 2 } else { 1 };
            let stamps = (cells[i].len() - before) / cells_read;
            let (j, other) = changed(choice, &cells[i][before..before + stamps])?;
            cells[i][before + j] = other;
        }
        Flaw::WrongTtl if query.extras.ttls => {
            let i = index(cells.len(), choice >> 16)?;
            let values = values(query, &cells[i]).len();
            let parts = if query.extras.stamps { 2 } else { 1 };
            let ttls = (cells[i].len() - values) / parts;
            let j = cells[i].len() - 1 - index(ttls, choice)?;
            cells[i][j] = match cells[i][j] {
                // Longer than any clock allows; and what lives for ever, or is not there, dies soon.
                Cell::Int(n) => Cell::Int(n + 1_000_000),
                _ => Cell::Int(7),
            };
        }
        Flaw::HiddenElement if several => return hidden_element(choice, table, query, cells),
        Flaw::HiddenValue if several => return hidden_value(choice, query, cells),
        Flaw::ExtraRow if several => {
            let i = index(cells.len(), choice)?;
            let mut extra = cells[i].clone();
            let (j, other) = changed(choice, values(query, &extra))?;
            extra[j] = other;
            cells.insert(i + 1, extra);
        }
        Flaw::ShownValue => return shown_value(choice, table, query, &cells),
        _ => return None,
    }
    Some(put(&cells))
}

/// Leaves out the last element of a list, set or map; one that is left without any is NULL.
fn hidden_element(choice: u64, table: &TableLayout, query: &Query, cells: Table<'_>) -> Option<Rows> {
    // What is left of it outlives the rows that are made of it.
    let mut left = Vec::new();
    let mut cells = cells;
    let size = |id: &ColumnId| match table.any(*id).ty {
        Type::Composite(composite) => match composite.kind {
            Kind::List | Kind::Set => Some(1),
            Kind::Map => Some(2),
            _ => None,
        },
        _ => None,
    };
    let sized: Vec<(usize, usize)> = selected(query)
        .iter()
        .enumerate()
        .filter_map(|(j, id)| Some((j, size(id)?)))
        .collect();
    let whole = |row: usize, column: usize| match cells[row][column] {
        Cell::Composite(run) if !run.is_empty() => Some(run),
        _ => None,
    };
    let places: Vec<(usize, usize, usize)> = (0..cells.len())
        .flat_map(|i| sized.iter().map(move |(j, size)| (i, *j, *size)))
        .filter(|(i, j, _)| whole(*i, *j).is_some())
        .collect();
    let (i, j, size) = *pick(&places, choice)?;
    let all: Vec<Cell<'_>> = parts(whole(i, j)?).collect();
    all[..all.len() - size]
        .iter()
        .for_each(|part| part.put(&mut left));
    cells[i][j] = match left.is_empty() {
        true => Cell::Null,
        false => Cell::Composite(&left),
    };
    Some(put(&cells))
}

fn taken(rows: &Rows) -> Table<'_> {
    rows.iter()
        .map(|mut row| {
            let mut cells = Vec::new();
            while !row.is_empty() {
                cells.push(Cell::take(&mut row));
            }
            cells
        })
        .collect()
}

fn put(cells: &Table<'_>) -> Rows {
    let mut rows = Rows::default();
    for row in cells {
        for cell in row {
            cell.put(&mut rows.bytes);
        }
        rows.end_row();
    }
    rows
}

fn index(n: usize, choice: u64) -> Option<usize> {
    let n = u64::try_from(n).expect("an index fits");
    (n > 0).then(|| usize::try_from(choice % n).expect("an index fits"))
}

fn pick<T>(list: &[T], choice: u64) -> Option<&T> {
    index(list.len(), choice).map(|i| &list[i])
}

/// The cells of a row before its timestamps.
fn values<'r, 'a>(query: &Query, row: &'r [Cell<'a>]) -> &'r [Cell<'a>] {
    match query.extras.stamps || query.extras.ttls {
        true => &row[..selected(query).len()],
        false => row,
    }
}

/// The columns at the front of each row of the answer.
fn selected(query: &Query) -> &[ColumnId] {
    match &query.select {
        Select::Columns(ids) | Select::Distinct(ids) | Select::Group { by: ids, .. } => ids,
        Select::Aggregates(_) => &[],
    }
}

/// Whether ORDER BY puts two rows apart, as far as the answer shows: a column that is sorted by and not selected hides
/// what comes after it.
fn sorted_apart(query: &Query, a: &[Cell<'_>], b: &[Cell<'_>]) -> bool {
    for (id, _) in &query.order {
        let Some(i) = selected(query).iter().position(|s| s == id) else {
            return false;
        };
        // −0 and 0 are equal to the cell's `==` too, which is what sorting needs.
        if a[i] != b[i] {
            return true;
        }
    }
    false
}

fn wrong_count(choice: u64, query: &Query, mut cells: Table<'_>) -> Option<Rows> {
    let (before, aggregates) = match &query.select {
        Select::Aggregates(list) => (0, list),
        Select::Group { by, aggregates } => (by.len(), aggregates),
        Select::Columns(_) | Select::Distinct(_) => return None,
    };
    let counts: Vec<usize> = aggregates
        .iter()
        .enumerate()
        .filter(|(_, a)| matches!(a, Aggregate::CountRows | Aggregate::Count(_)))
        .map(|(i, _)| before + i)
        .collect();
    let column = *pick(&counts, choice)?;
    let row = index(cells.len(), choice >> 16)?;
    let Cell::Int(n) = cells[row][column] else {
        return None;
    };
    cells[row][column] = Cell::Int(n + 1);
    Some(put(&cells))
}

/// One of the row's cells that is not NULL, and another value of its type.
fn changed<'a>(choice: u64, row: &[Cell<'a>]) -> Option<(usize, Cell<'a>)> {
    let some: Vec<usize> = (0..row.len()).filter(|i| other(row[*i]).is_some()).collect();
    let i = *pick(&some, choice)?;
    Some((i, other(row[i])?))
}

/// Another value of the same type; `None` for NULL and for what has no other that is easily made.
fn other(cell: Cell<'_>) -> Option<Cell<'_>> {
    let step = |v: i64| if v > 0 { v - 1 } else { v + 1 };
    Some(match cell {
        Cell::Null => return None,
        Cell::Bool(v) => Cell::Bool(!v),
        Cell::Int(v) => Cell::Int(step(v)),
        Cell::Float32(v) => Cell::Float32(if v == 0.0 { 1.0 } else { -v }),
        Cell::Float64(v) => Cell::Float64(if v == 0.0 { 1.0 } else { -v }),
        Cell::Numeric(v, s) => Cell::Numeric(if v > 0 { v - 1 } else { v + 1 }, s),
        Cell::Text("") => Cell::Text("x"),
        Cell::Text(v) => Cell::Text(&v[..v.char_indices().next_back()?.0]),
        Cell::Bytes([]) => Cell::Bytes(&[0]),
        Cell::Bytes(v) => Cell::Bytes(&v[..v.len() - 1]),
        Cell::Uuid(mut v) => {
            v[15] ^= 1;
            Cell::Uuid(v)
        }
        Cell::Date(v) => Cell::Date(if v > 0 { v - 1 } else { v + 1 }),
        Cell::Time(v) => Cell::Time(step(v)),
        Cell::Timestamp(v) => Cell::Timestamp(step(v)),
        Cell::TimestampTz(v) => Cell::TimestampTz(step(v)),
        // Without its last part.
        Cell::Composite(all) => {
            let (mut rest, mut last) = (all, None);
            while !rest.is_empty() {
                last = Some(all.len() - rest.len());
                Cell::take(&mut rest);
            }
            Cell::Composite(&all[..last?])
        }
    })
}

/// A value of a selected column shows as NULL.
fn hidden_value(choice: u64, query: &Query, mut cells: Table<'_>) -> Option<Rows> {
    let width = selected(query).len();
    let some: Vec<(usize, usize)> = (0..cells.len())
        .flat_map(|row| (0..width).map(move |column| (row, column)))
        .filter(|(row, column)| cells[*row][*column] != Cell::Null)
        .collect();
    let (row, column) = *pick(&some, choice)?;
    cells[row][column] = Cell::Null;
    Some(put(&cells))
}

/// A NULL of a selected column shows the column's least value.
fn shown_value(choice: u64, table: &TableLayout, query: &Query, cells: &Table<'_>) -> Option<Rows> {
    let ids = selected(query);
    let nulls: Vec<(usize, usize)> = (0..cells.len())
        .flat_map(|row| (0..ids.len()).map(move |column| (row, column)))
        .filter(|(row, column)| cells[*row][*column] == Cell::Null)
        .collect();
    let (row, column) = *pick(&nulls, choice)?;
    let mut bytes = Vec::new();
    table.any(ids[column]).inflate_into(0, &mut bytes);
    let mut shown = cells.clone();
    shown[row][column] = Cell::take(&mut bytes.as_slice());
    Some(put(&shown))
}
