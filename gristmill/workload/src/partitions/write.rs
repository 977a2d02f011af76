//! Write operations: which kind, which row, which cells.

use datagen::schema::ColumnId;
use datagen::select::Walk;
use datagen::stream::{GOLDEN, mix};
use datagen::universe::Slice;
use history::{Cells, Op};

use super::dice::Dice;
use super::view::{Column, View};
use super::{Partitions, Spot};

/// Kinds of writes, in the order of the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Insert,
    Upsert,
    UpdateAll,
    UpdateSome,
    Shared,
    DeleteRow,
    DeleteCells,
    DeleteRange,
    DeleteSlice,
    DeletePartition,
}

impl Kind {
    pub(super) const ALL: [Kind; 10] = [
        Kind::Insert,
        Kind::Upsert,
        Kind::UpdateAll,
        Kind::UpdateSome,
        Kind::Shared,
        Kind::DeleteRow,
        Kind::DeleteCells,
        Kind::DeleteRange,
        Kind::DeleteSlice,
        Kind::DeletePartition,
    ];

    /// What stands for this kind in a table that cannot do it.
    pub(super) fn on(self, view: &View) -> Kind {
        match self {
            Kind::Shared if view.shared.is_empty() => Kind::Upsert,
            Kind::DeleteCells if !view.regular.iter().any(|c| c.nullable) => Kind::UpdateSome.on(view),
            Kind::UpdateAll | Kind::UpdateSome if view.regular.is_empty() => Kind::Upsert,
            Kind::DeleteRange | Kind::DeleteSlice if view.clustering.is_empty() => Kind::DeleteRow,
            kind => kind,
        }
    }

    /// Two statements where the database has no shared columns of its own: never an autocommit visit.
    pub(super) fn spans_tables(self, view: &View) -> bool {
        self == Kind::DeletePartition && !view.shared.is_empty()
    }
}

/// Which columns a write names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    /// All, but for those that are left unset and may be NULL: the row may be new.
    New,
    /// Every one.
    All,
    /// At least one.
    Some,
    /// At least one, and those that may not be NULL: the companion row may be new.
    Shared,
}

/// The operation `i` of visit `n`, the `slot`-th one on its partition. `kind` is one that the table can do.
pub(super) fn op(p: &Partitions, n: u64, i: u64, kind: Kind, spot: &Spot<'_>, slot: u32) -> Op {
    let (view, part) = (spot.view, spot.part);
    let row = || row(p, spot, slot);
    match kind {
        Kind::Insert => Op::Insert {
            part,
            row: row(),
            cells: cells(p, n, i, &view.regular, Named::New),
            strict: false,
        },
        Kind::Upsert => Op::Upsert {
            part,
            row: row(),
            cells: cells(p, n, i, &view.regular, Named::New),
        },
        Kind::UpdateAll => Op::Update {
            part,
            row: row(),
            cells: cells(p, n, i, &view.regular, Named::All),
        },
        Kind::UpdateSome => Op::Update {
            part,
            row: row(),
            cells: cells(p, n, i, &view.regular, Named::Some),
        },
        Kind::Shared => Op::Shared {
            part,
            cells: cells(p, n, i, &view.shared, Named::Shared),
        },
        Kind::DeleteRow => Op::DeleteRow { part, row: row() },
        Kind::DeleteCells => {
            let nullable: Vec<ColumnId> = view.regular.iter().filter(|c| c.nullable).map(|c| c.id).collect();
            let mut dice = Dice::new(p.keys.columns.at(&[n, i]));
            Op::DeleteCells {
                part,
                row: row(),
                columns: dice.some(&nullable).copied().collect(),
            }
        }
        Kind::DeleteRange | Kind::DeleteSlice => {
            let mut dice = Dice::new(p.keys.bounds.at(&[n, i]));
            let other = spot.rows.at(dice.below(view.rows as usize) as u64);
            Op::DeleteSlice {
                part,
                slice: slice(view, row(), other, kind == Kind::DeleteRange, &mut dice),
            }
        }
        Kind::DeletePartition => Op::DeletePartition { part },
    }
}

/// The INSERT that is refused where the row exists: the only operation `i` of visit `n`.
pub(super) fn strict(p: &Partitions, n: u64, i: u64, spot: &Spot<'_>) -> Op {
    let cells = cells(p, n, i, &spot.view.regular, Named::New);
    Op::Insert {
        part: spot.part,
        row: row(p, spot, 0),
        cells,
        strict: true,
    }
}

/// The position of the row that the `slot`-th operation on this partition touches.
fn row(p: &Partitions, spot: &Spot<'_>, slot: u32) -> u64 {
    let (rows, per_visit) = (spot.view.rows, u32::from(p.config.rows.per_visit));
    let slot = u64::from(slot % per_visit);
    let index = match p.config.rows.walk {
        Walk::Offset => (spot.start + slot) % rows,
        walk => walk.row(spot.row_key, rows, spot.touch.nth, u64::from(per_visit), slot),
    };
    spot.rows.at(index)
}

/// A slice of rows near the row at `a`: an equality prefix of it, then a column bounded on both ends (`both`, by
/// the digits of `a` and `b`), or on one, or, where there is a prefix, on none.
///
/// The table must have a clustering column.
pub(super) fn slice(view: &View, a: u64, b: u64, both: bool, dice: &mut Dice) -> Slice {
    let column = dice.below(view.clustering.len());
    let prefix: Vec<u32> = (0..column).map(|j| view.universe.digit(a, j)).collect();
    let (a, b) = (view.universe.digit(a, column), view.universe.digit(b, column));
    let bits = dice.bits();
    let (first, second) = (bits & 1 == 1, bits & 2 == 2);
    if both {
        return Slice {
            prefix,
            lower: Some((a.min(b), first)),
            upper: Some((a.max(b), second)),
        };
    }
    let bound = Some((a, first));
    if column > 0 && bits & 12 == 0 {
        Slice {
            prefix,
            lower: None,
            upper: None,
        }
    } else if second {
        Slice {
            prefix,
            lower: bound,
            upper: None,
        }
    } else {
        Slice {
            prefix,
            lower: None,
            upper: bound,
        }
    }
}

fn cells(p: &Partitions, n: u64, i: u64, columns: &[Column], named: Named) -> Cells {
    let values = &p.config.values;
    let (value_at, flags_at) = (p.keys.value.at(&[n, i]), p.keys.null.at(&[n, i]));
    let (masks, sure) = match named {
        Named::Some | Named::Shared => {
            let masks = p.keys.columns.at(&[n, i]);
            (masks, (mix(masks) % columns.len().max(1) as u64) as usize)
        }
        Named::New | Named::All => (u64::MAX, 0),
    };
    let mut cells = Vec::with_capacity(columns.len());
    for (j, column) in columns.iter().enumerate() {
        let step = (j as u64 + 1).wrapping_mul(GOLDEN);
        let flags = mix(flags_at.wrapping_add(step));
        let byte = |k: u32| ((flags >> (8 * k)) & 255) as u16;
        let chosen = (masks >> (j % 64)) & 1 == 1 || j == sure;
        let left_out = match named {
            Named::New => column.nullable && byte(0) < values.unset_in_256,
            Named::All => false,
            Named::Some => !chosen,
            Named::Shared => !chosen && column.nullable,
        };
        if left_out {
            continue;
        }
        let cell = if column.nullable && byte(1) < values.null_in_256 {
            None
        } else {
            let bits = mix(value_at.wrapping_add(step));
            Some(if byte(2) < column.recurring_in_256 {
                column.recurring[(flags >> 32) as usize % column.recurring.len()]
            } else if byte(3) < values.special_in_256 {
                column.special(bits)
            } else {
                column.any(bits)
            })
        };
        cells.push((column.id, cell));
    }
    cells
}
