//! Write operations: which kind, which row, which cells.

use datagen::select::Walk;
use datagen::stream::{GOLDEN, mix};
use datagen::universe::Slice;
use history::{Cells, Op, Step};

use super::dice::Dice;
use super::view::{Column, View};
use super::{Draws, Partitions, Spot};

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
            Kind::DeleteCells if view.nullable.is_empty() => Kind::UpdateSome.on(view),
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

/// Appends the operation `i` of the visit, the `slot`-th one on its partition. `kind` is one that the table can do.
///
/// Cells are put together where they stay: a step is long, and moving it costs as much as drawing it.
#[inline]
pub(super) fn op(
    p: &Partitions,
    draws: &Draws,
    i: u64,
    kind: Kind,
    spot: &Spot<'_>,
    slot: u32,
    into: &mut Vec<Step>,
) {
    let (view, part) = (spot.view, spot.part);
    let row = || row(p, spot, slot);
    let mut push = |op| into.push(Step::Write(op));
    let (cells, strict) = (Cells::new(), false);
    let (columns, named) = match kind {
        Kind::Insert => {
            let row = row();
            push(Op::Insert {
                part,
                row,
                cells,
                strict,
            });
            (&view.regular, Named::New)
        }
        Kind::Upsert => {
            let row = row();
            push(Op::Upsert { part, row, cells });
            (&view.regular, Named::New)
        }
        Kind::UpdateAll | Kind::UpdateSome => {
            let row = row();
            push(Op::Update { part, row, cells });
            let all = kind == Kind::UpdateAll;
            (&view.regular, if all { Named::All } else { Named::Some })
        }
        Kind::Shared => {
            push(Op::Shared { part, cells });
            (&view.shared, Named::Shared)
        }
        Kind::DeleteRow => return push(Op::DeleteRow { part, row: row() }),
        Kind::DeleteCells => {
            let mut dice = Dice::new(draws.columns.then(i));
            return push(Op::DeleteCells {
                part,
                row: row(),
                columns: dice.some(&view.nullable).copied().collect(),
            });
        }
        Kind::DeleteRange | Kind::DeleteSlice => {
            let mut dice = Dice::new(p.keys.bounds.at(&[draws.n, i]));
            let other = spot.rows.at(dice.below(view.rows as usize) as u64);
            return push(Op::DeleteSlice {
                part,
                slice: slice(view, row(), other, kind == Kind::DeleteRange, &mut dice),
            });
        }
        Kind::DeletePartition => return push(Op::DeletePartition { part }),
    };
    fill(draws, i, columns, named, last_cells(into));
}

/// Appends the INSERT that is refused where the row exists: the only operation `i` of the visit.
pub(super) fn strict(p: &Partitions, draws: &Draws, i: u64, spot: &Spot<'_>, into: &mut Vec<Step>) {
    into.push(Step::Write(Op::Insert {
        part: spot.part,
        row: row(p, spot, 0),
        cells: Cells::new(),
        strict: true,
    }));
    fill(draws, i, &spot.view.regular, Named::New, last_cells(into));
}

/// The cells of the write that was appended last.
#[inline]
fn last_cells(steps: &mut [Step]) -> &mut Cells {
    match steps.last_mut() {
        Some(Step::Write(
            Op::Insert { cells, .. }
            | Op::Upsert { cells, .. }
            | Op::Update { cells, .. }
            | Op::Shared { cells, .. },
        )) => cells,
        _ => unreachable!("a write with cells was appended"),
    }
}

/// The position of the row that the `slot`-th operation on this partition touches.
#[inline]
fn row(p: &Partitions, spot: &Spot<'_>, slot: u32) -> u64 {
    let (rows, per_visit) = (spot.view.rows, u32::from(p.config.rows.per_visit));
    let slot = u64::from(if slot < per_visit { slot } else { slot % per_visit });
    let index = match p.config.rows.walk {
        Walk::Offset => match spot.start + slot {
            index if index < rows => index,
            index => index % rows,
        },
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

/// Appends the cells that a write of these columns sets.
#[inline]
fn fill(draws: &Draws, i: u64, columns: &[Column], named: Named, into: &mut Cells) {
    let (mut value_at, mut flags_at) = (draws.value.then(i), draws.null.then(i));
    let (masks, sure) = match named {
        Named::Some | Named::Shared => {
            let masks = draws.columns.then(i);
            (masks, (mix(masks) % columns.len().max(1) as u64) as usize)
        }
        Named::New | Named::All => (0, 0),
    };
    into.reserve(columns.len());
    for (j, column) in columns.iter().enumerate() {
        value_at = value_at.wrapping_add(GOLDEN);
        flags_at = flags_at.wrapping_add(GOLDEN);
        let flags = mix(flags_at);
        let left_out = match named {
            Named::New => column.chances.unset(flags),
            Named::All => false,
            Named::Some | Named::Shared => {
                let chosen = (masks >> (j % 64)) & 1 == 1 || j == sure;
                !chosen && (named == Named::Some || column.nullable)
            }
        };
        if left_out {
            continue;
        }
        let cell = if column.chances.null(flags) {
            None
        } else {
            Some(column.value(flags, mix(value_at)))
        };
        into.push((column.id, cell));
    }
}
