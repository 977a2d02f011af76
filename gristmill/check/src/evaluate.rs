//! What a query answers over given partitions, in canonical bytes.
//!
//! ```text
//!  query ──▶ Plan (columns found, pieces merged)
//!  Plan × views ──▶ chosen rows ──▶ equal byte for byte, in order? ──▶ explained
//!                                 └▶ Expected: rows by sort key ──▶ compare
//! ```
//!
//! Must not know: visits, snapshots, choices. Descriptors are compared, never values: their order is the values' order.

mod aggregate;
mod expected;
mod plan;

pub(crate) use expected::Expected;
pub(crate) use plan::{Area, Plan, projected};

use crate::compare;
use crate::layout::Source;
use crate::lww::{Life, Merged, life_of};
use crate::model::{Enc, EncView, Partition};
use datagen::domain::Domain;
use datagen::value::{Order, Value};
use history::{From, Part, Parts, Predicate, Relation, RowChoice, Rows, Select};

/// One partition under one choice.
pub(crate) struct View<'a> {
    pub(crate) part: Part,
    pub(crate) key: &'a Enc,
    pub(crate) partition: &'a mut Partition,
    /// Where cells have timestamps: what `partition` is the visible face of.
    pub(crate) merged: Option<&'a Merged>,
    /// How long values that expire have still to live, by their number less one.
    pub(crate) lives: &'a [Life],
}

/// A row of a view; the companion row alone where `slot` is [`RowAt::SHARED`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowAt {
    pub(crate) view: u32,
    pub(crate) slot: u32,
    pub(crate) position: u64,
}

impl RowAt {
    /// Not a row of the table.
    pub(crate) const SHARED: u32 = u32::MAX;
}

/// Whether the query over these partitions may give this answer.
pub(crate) fn explains(plan: &Plan<'_>, views: &mut [View<'_>], answer: &Rows) -> bool {
    let mut rows = choose(plan, views);
    encode(plan, views, &rows);
    if let Select::Columns(_) = plan.query.select {
        order(plan, views, &mut rows);
        let (from, to) = plan.window(rows.len());
        if to - from != answer.len() {
            return false;
        }
        if same(plan, views, &rows[from..to], answer) {
            return true;
        }
        if plan.clustered && plan.natural.is_some() {
            let several = matches!(plan.query.parts, Parts::In(_)) && to - from == rows.len();
            return several && in_some_order(plan, views, &rows, answer);
        }
    }
    compare::fits(&Expected::new(plan, views, rows), answer)
}

/// The rows that the query's partitions, rows and filter choose, partition after partition, by position.
pub(crate) fn choose(plan: &Plan<'_>, views: &[View<'_>]) -> Vec<RowAt> {
    let mut chosen = Vec::new();
    for (i, view) in (0u32..).zip(views) {
        let partition = &*view.partition;
        let shared = partition.shared();
        let keep = |slot: u32| {
            plan.filter
                .iter()
                .all(|(source, p)| holds(plan, partition, slot, *source, p))
        };
        let alone = RowAt {
            view: i,
            slot: RowAt::SHARED,
            position: 0,
        };
        match plan.query.from {
            From::Shared => {
                let there = shared.is_some() || (plan.is_cql && !partition.rows().is_empty());
                if there && keep(RowAt::SHARED) {
                    chosen.push(alone);
                }
                continue;
            }
            From::InnerJoin if shared.is_none() => continue,
            _ => {}
        }
        let before = chosen.len();
        let mut push = |rows: &[(u64, u32)]| {
            chosen.reserve(rows.len());
            for (position, slot) in rows {
                if plan.filter.is_empty() || keep(*slot) {
                    chosen.push(RowAt {
                        view: i,
                        slot: *slot,
                        position: *position,
                    });
                }
            }
        };
        match &plan.query.rows {
            RowChoice::All => push(partition.rows()),
            RowChoice::One(at) => push(partition.range(&(*at..*at + 1))),
            RowChoice::In(list) => list.iter().for_each(|at| push(partition.range(&(*at..*at + 1)))),
            RowChoice::Slice(slice) => push(partition.range(&plan.table.rows_of(slice))),
        }
        if plan.shows_shared_alone() && shared.is_some() && partition.rows().is_empty() {
            chosen.push(alone);
        }
        if let Some(most) = plan.query.extras.per_partition {
            let surplus = (chosen.len() - before).saturating_sub(most as usize);
            if plan.natural == Some(true) {
                chosen.drain(before..before + surplus);
            } else {
                chosen.truncate(chosen.len() - surplus);
            }
        }
    }
    chosen
}

/// The chosen rows as they are answered where that is known: in their order, LIMIT and OFFSET applied.
pub(crate) fn in_order(plan: &Plan<'_>, views: &mut [View<'_>]) -> Vec<RowAt> {
    let mut rows = choose(plan, views);
    order(plan, views, &mut rows);
    let (from, to) = plan.window(rows.len());
    rows[from..to].to_vec()
}

fn order(plan: &Plan<'_>, views: &[View<'_>], rows: &mut Vec<RowAt>) {
    if plan.natural == Some(true) {
        rows.reverse();
    } else if plan.natural.is_none() {
        expected::sort(plan, views, rows);
    } else if plan.clustered && matches!(plan.query.parts, Parts::All | Parts::Ring { .. }) {
        let place = |row: &RowAt| plan.table.place_on_ring(views[row.view as usize].part.position);
        rows.sort_by_key(place);
    }
}

/// Whether the answer is the rows of one partition after those of another, in any order of partitions. `rows` come partition
/// by partition.
fn in_some_order(plan: &Plan<'_>, views: &[View<'_>], rows: &[RowAt], answer: &Rows) -> bool {
    let blocks: Vec<&[RowAt]> = rows.chunk_by(|a, b| a.view == b.view).collect();
    let seen: Vec<&[u8]> = answer.iter().collect();
    let begins = |block: usize, rest: &[&[u8]]| {
        let block = blocks[block];
        let mut written = Vec::new();
        rest.len() >= block.len()
            && block
                .iter()
                .zip(rest)
                .all(|(row, seen)| is_row(plan, views, *row, seen, &mut written))
    };
    let sizes: Vec<usize> = blocks.iter().map(|block| block.len()).collect();
    follow(&sizes, &begins, &mut vec![false; blocks.len()], &seen)
}

/// Whether the blocks that are not used yet are the answer's rest, in some order. `begins`: whether a block may be its beginning.
fn follow(
    sizes: &[usize],
    begins: &dyn Fn(usize, &[&[u8]]) -> bool,
    used: &mut [bool],
    rest: &[&[u8]],
) -> bool {
    if rest.is_empty() {
        return used.iter().all(|used| *used);
    }
    for i in 0..sizes.len() {
        if used[i] || !begins(i, rest) {
            continue;
        }
        used[i] = true;
        if follow(sizes, begins, used, &rest[sizes[i]..]) {
            return true;
        }
        used[i] = false;
    }
    false
}

/// Makes the canonical bytes of everything that will be compared.
pub(crate) fn encode(plan: &Plan<'_>, views: &mut [View<'_>], rows: &[RowAt]) {
    if plan.reads_rows {
        for row in rows.iter().filter(|row| row.slot != RowAt::SHARED) {
            views[row.view as usize]
                .partition
                .encode(plan.table, row.position, row.slot);
        }
    }
    if plan.reads_shared {
        for view in views {
            view.partition.encode_shared(plan.table);
        }
    }
}

/// The bytes of an area of a row.
fn area<'a>(plan: &'a Plan<'_>, view: &'a View<'_>, row: RowAt, area: Area) -> EncView<'a> {
    match area {
        Area::Part => view.key.view(plan.table.part_key_count()),
        Area::Row if row.slot == RowAt::SHARED => plan.table.null_row(),
        Area::Row => view.partition.encoding(row.slot),
        Area::Shared => view.partition.shared_encoding(plan.table),
    }
}

/// The projected bytes of a row, piece by piece, without timestamps.
fn pieces<'a>(plan: &'a Plan<'_>, views: &'a [View<'_>], row: RowAt) -> impl Iterator<Item = &'a [u8]> + 'a {
    let view = &views[row.view as usize];
    plan.pieces
        .iter()
        .map(move |piece| area(plan, view, row, piece.area).columns(piece.from, piece.to))
}

/// The timestamps that follow a row's columns, NULL where the cell is.
fn stamps<'a>(plan: &'a Plan<'_>, views: &'a [View<'_>], row: RowAt) -> impl Iterator<Item = Value> + 'a {
    let view = &views[row.view as usize];
    plan.stamps.iter().map(move |source| {
        let timestamp = standing(plan, view, row, source).map(|cell| cell.timestamp);
        timestamp.map_or(Value::Null, Value::Int)
    })
}

/// What stands behind a cell that is shown.
fn standing<'a>(
    plan: &Plan<'_>,
    view: &'a View<'_>,
    row: RowAt,
    source: &Source,
) -> Option<&'a crate::lww::Cell> {
    let merged = view.merged?;
    match source {
        Source::Regular(c) if row.slot != RowAt::SHARED => {
            view.partition.cell(row.slot, *c)?;
            Some(&merged.row(merged.find(row.position)?)[plan.table.regular_slots().first(*c)])
        }
        Source::Shared(c) => {
            view.partition.shared()?[*c]?;
            Some(&merged.shared()[plan.table.shared_slots().first(*c)])
        }
        _ => None,
    }
}

/// The first cell of a row whose time to live is not what it may be: its column, what it may be, and what was answered.
/// `rest`: the bytes of the answer after the timestamps; `None` in it: it is not even a number.
pub(crate) fn wrong_life(
    plan: &Plan<'_>,
    view: &View<'_>,
    row: RowAt,
    mut rest: &[u8],
) -> Option<(Source, Option<Life>, Option<Value>)> {
    for source in &plan.ttls {
        let may = standing(plan, view, row, source).and_then(|cell| life_of(cell, view.lives));
        let seen = Value::decode(&mut rest).ok();
        let fits = match (&seen, may) {
            (Some(Value::Null), None) => true,
            (Some(Value::Int(n)), Some((fewest, most))) => (fewest..=most).contains(n),
            _ => false,
        };
        if !fits {
            return Some((*source, may, seen));
        }
    }
    None
}

/// Appends the projected bytes of a row.
pub(crate) fn project(plan: &Plan<'_>, views: &[View<'_>], row: RowAt, into: &mut Vec<u8>) {
    for piece in pieces(plan, views, row) {
        into.extend_from_slice(piece);
    }
    for stamp in stamps(plan, views, row) {
        stamp.encode(into);
    }
}

/// Whether the answer is these rows in this order, byte for byte. There are as many rows in it.
fn same(plan: &Plan<'_>, views: &[View<'_>], rows: &[RowAt], answer: &Rows) -> bool {
    let mut written = Vec::new();
    rows.iter()
        .zip(answer.iter())
        .all(|(row, seen)| is_row(plan, views, *row, seen, &mut written))
}

/// Whether a row of the answer is this one, byte for byte; times to live may be any that they may have. `written`: scratch.
fn is_row(plan: &Plan<'_>, views: &[View<'_>], row: RowAt, seen: &[u8], written: &mut Vec<u8>) -> bool {
    let view = &views[row.view as usize];
    let mut rest = seen;
    for piece in &plan.pieces {
        let bytes = area(plan, view, row, piece.area).columns(piece.from, piece.to);
        match rest.strip_prefix(bytes) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    if !plan.stamps.is_empty() {
        written.clear();
        for stamp in stamps(plan, views, row) {
            stamp.encode(written);
        }
        match rest.strip_prefix(&written[..]) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    match plan.ttls.is_empty() {
        true => rest.is_empty(),
        false => wrong_life(plan, view, row, rest).is_none(),
    }
}

/// The descriptor in a column of a row, brought to its equality class; digits stand for key columns. `None` is NULL.
pub(crate) fn descriptor(plan: &Plan<'_>, views: &[View<'_>], row: RowAt, source: Source) -> Option<u64> {
    let view = &views[row.view as usize];
    match source {
        Source::PartKey(j) => Some(plan.table.part_digit(view.part.position, j)),
        Source::RowKey(_) if row.slot == RowAt::SHARED => None,
        Source::RowKey(j) => Some(plan.table.row_digit(row.position, j)),
        Source::Regular(_) | Source::Shared(_) => cell(plan, view.partition, row.slot, source),
    }
}

fn cell(plan: &Plan<'_>, partition: &Partition, slot: u32, source: Source) -> Option<u64> {
    let d = match source {
        Source::Regular(_) if slot == RowAt::SHARED => None,
        Source::Regular(c) => partition.cell(slot, c),
        Source::Shared(c) => partition.shared().and_then(|s| s[c]),
        Source::PartKey(_) | Source::RowKey(_) => {
            unreachable!("conditions stand on regular and shared columns")
        }
    };
    d.map(|d| plan.table.class(source, d))
}

fn holds(plan: &Plan<'_>, partition: &Partition, slot: u32, source: Source, p: &Predicate) -> bool {
    passes(plan, source, p, cell(plan, partition, slot, source))
}

/// Whether a descriptor, brought to its equality class, passes a condition; `None` is NULL.
pub(crate) fn passes(plan: &Plan<'_>, source: Source, p: &Predicate, d: Option<u64>) -> bool {
    let value = || plan.table.class(source, p.value);
    match (p.relation, d) {
        (Relation::IsNull, d) => d.is_none(),
        (Relation::IsNotNull, d) => d.is_some(),
        (_, None) => false,
        (Relation::Eq, Some(d)) => d == value(),
        (Relation::Ne, Some(d)) => d != value(),
        (Relation::Lt, Some(d)) => d < value(),
        (Relation::Le, Some(d)) => d <= value(),
        (Relation::Gt, Some(d)) => d > value(),
        (Relation::Ge, Some(d)) => d >= value(),
        (Relation::Contains | Relation::ContainsKey | Relation::ContainsEntry, Some(d)) => {
            let inside = plan.table.source_domain(source).and_then(Domain::inside);
            let inner = p.relation.inner().expect("it is about the inside");
            inside.is_some_and(|inside| inside.holds(d, inner, p.value))
        }
    }
}

/// A number whose order is the order that is asked for, NULL in its place.
pub(crate) fn order_key(plan: &Plan<'_>, source: Source, d: Option<u64>, order: Order) -> u128 {
    // Digits of a descending key column are turned round already.
    let turned = match (d, plan.table.is_turned(source)) {
        (Some(d), true) => Some(u64::MAX - d),
        (d, _) => d,
    };
    let ascending = match (turned, plan.nulls) {
        (Some(d), history::Nulls::First) => u128::from(d) + 1,
        (Some(d), history::Nulls::Last) => u128::from(d),
        (None, history::Nulls::First) => 0,
        (None, history::Nulls::Last) => 1 << 64,
    };
    match order {
        Order::Asc => ascending,
        Order::Desc => u128::MAX - ascending,
    }
}
