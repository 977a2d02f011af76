//! What is left of a partition, as the fewest writes: each cell at its own timestamp, and nothing of what was deleted.
//!
//! Must not know: how a write is sent.

use super::cell::{CLASH, Cell, Expiring, Kind};
use super::merged::Merged;
use crate::judged::Remains;
use crate::layout::TableLayout;
use datagen::schema::ColumnId;
use history::{Cells, Op, Part};
use std::collections::BTreeMap;

/// Two expiring values of one timestamp.
const UNTOLD: &str = "two values of one timestamp expire, and nobody can tell which of them is there";

/// Of one timestamp and one time to live: what is written together.
type Together = BTreeMap<(i64, Expiring), Cells>;

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
        let (live, cells) = merged
            .row(*slot)
            .split_first()
            .expect("liveness is the first cell");
        let mut together = together(cells, |c| table.regular_id(c))?;
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
    }
    for (at, cells) in together(merged.shared(), |c| table.shared_id(c))? {
        add(at, Op::Shared { part, cells });
    }
    Ok(all)
}

/// The values among these cells.
fn together(cells: &[Cell], id: impl Fn(usize) -> ColumnId) -> Result<Together, &'static str> {
    let mut together = Together::new();
    for (c, cell) in cells
        .iter()
        .enumerate()
        .filter(|(_, cell)| cell.kind == Kind::Value)
    {
        if cell.expiring == CLASH {
            return Err(UNTOLD);
        }
        let at = (cell.timestamp, cell.expiring);
        together.entry(at).or_default().push((id(c), Some(cell.value)));
    }
    together.values_mut().for_each(|cells| cells.sort_unstable());
    Ok(together)
}
