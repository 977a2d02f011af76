//! What is left of a partition, as the fewest writes: each cell at its own timestamp, and nothing of what was deleted.
//!
//! Must not know: how a write is sent.

use super::cell::{CLASH, Cell, Expiring, Kind};
use super::cells::Area;
use super::merged::Merged;
use crate::judged::Remains;
use crate::layout::TableLayout;
use datagen::schema::ColumnId;
use history::{Amounts, Cells, Elements, Op, Part};
use std::collections::BTreeMap;

/// Two expiring values of one timestamp.
const UNTOLD: &str = "two values of one timestamp expire, and nobody can tell which of them is there";

/// Of one timestamp and one time to live: what is written together.
type Together = BTreeMap<(i64, Expiring), Cells>;
/// The same of elements, each column by itself.
type Apart = BTreeMap<((i64, Expiring), ColumnId), Elements>;

/// Rows by position, then the shared cells; of each row what makes it be there by itself first.
pub(crate) fn remains(
    table: &TableLayout,
    merged: &Merged,
    part: Part,
) -> Result<Vec<Remains>, &'static str> {
    let mut all = Vec::new();
    let ttl = |expiring: Expiring| {
        merged
            .expiries()
            .get(expiring as usize - 1)
            .map(|expiry| expiry.ttl)
    };
    let mut add = |(timestamp, expiring): (i64, Expiring), op| {
        all.push(Remains {
            timestamp,
            ttl: if expiring == 0 { None } else { ttl(expiring) },
            op,
        });
    };
    for (row, slot) in merged.rows() {
        let cells = merged.row(*slot);
        let live = cells.first().expect("liveness is the first cell");
        let (mut together, apart) = together(Area::row(table), cells)?;
        let row = *row;
        if live.kind == Kind::Value {
            if live.expiring == CLASH {
                return Err(UNTOLD);
            }
            let at = (live.timestamp, live.expiring);
            let cells = together.remove(&at).unwrap_or_default();
            add(at, Op::Upsert { part, row, cells });
        }
        for (at, cells) in together {
            add(at, Op::Update { part, row, cells });
        }
        for (at, op) in of_elements(part, Some(row), apart) {
            add(at, op);
        }
        if let Some(op) = sum(part, Some(row), Area::row(table), cells) {
            add((0, 0), op);
        }
    }
    let (together, apart) = together(Area::shared(table), merged.shared())?;
    for (at, cells) in together {
        add(at, Op::Shared { part, cells });
    }
    for (at, op) in of_elements(part, None, apart) {
        add(at, op);
    }
    if let Some(op) = sum(part, None, Area::shared(table), merged.shared()) {
        add((0, 0), op);
    }
    Ok(all)
}

/// What was added to the counters of a row, at once; `None` where there are none.
fn sum(part: Part, row: Option<u64>, area: Area<'_>, cells: &[Cell]) -> Option<Op> {
    let sums = cells.iter().enumerate().filter_map(|(slot, cell)| {
        let (column, _) = area.place(slot)?;
        Some((area.id(column), cell.sum()?))
    });
    let mut amounts: Amounts = sums.collect();
    amounts.sort_unstable();
    (!amounts.is_empty()).then_some(Op::Add { part, row, amounts })
}

/// Writes of elements, which replace nothing but themselves.
fn of_elements(part: Part, row: Option<u64>, apart: Apart) -> impl Iterator<Item = ((i64, Expiring), Op)> {
    apart.into_iter().map(move |((at, column), elements)| {
        let op = Op::Elements {
            part,
            row,
            column,
            elements,
        };
        (at, op)
    })
}

/// The values among these cells, but for liveness: whole columns, and elements.
fn together(area: Area<'_>, cells: &[Cell]) -> Result<(Together, Apart), &'static str> {
    let (mut together, mut apart) = (Together::new(), Apart::new());
    for (slot, cell) in cells
        .iter()
        .enumerate()
        .filter(|(_, cell)| cell.kind == Kind::Value)
    {
        let Some((column, element)) = area.place(slot) else {
            continue;
        };
        if cell.expiring == CLASH {
            return Err(UNTOLD);
        }
        let (at, id) = ((cell.timestamp, cell.expiring), area.id(column));
        match element {
            None => together.entry(at).or_default().push((id, Some(cell.value))),
            Some(element) => {
                let element = u16::try_from(element).expect("few elements");
                apart
                    .entry((at, id))
                    .or_default()
                    .push((element, Some(cell.value)));
            }
        }
    }
    together.values_mut().for_each(|cells| cells.sort_unstable());
    Ok((together, apart))
}
