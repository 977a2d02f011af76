//! The walk where the greatest timestamp wins (discipline `lww`): a write guards itself by the timestamps that stand beside
//! the cells, a deletion is a tombstone, a read asks the views.
//!
//! Invariants:
//! * a write is one statement, and the same in whichever order it and others are applied;
//! * the statements of a batch are in the order of the keys that they lock, the same in every session (F36).

use super::Writer;
use crate::cell::Cell;
use crate::dialect::{Slot, Want};
use crate::layout::{Col, Keys, TableLayout};
use datagen::schema::ColumnId;
use datagen::universe::Slice;
use datagen::value::{Order, Type};
use history::{Amounts, Op, Query, Select, Step};
use std::fmt::Write as _;

/// The steps of a batch in the order of what they lock: companions, rows, tombstones, each by its key.
pub(crate) fn in_key_order(steps: &[Step]) -> Vec<&Step> {
    fn lock(step: &Step) -> (u8, u64, Option<&Slice>) {
        match step {
            Step::Write(op) => match op {
                Op::Shared { .. } => (0, 0, None),
                Op::Insert { row, .. } | Op::Upsert { row, .. } | Op::Update { row, .. } => (1, *row, None),
                Op::DeleteCells { row, .. } => (1, *row, None),
                Op::Elements { row, .. } => (1, row.unwrap_or(0), None),
                Op::Add { row, .. } => (u8::from(row.is_some()), row.unwrap_or(0), None),
                Op::DeletePartition { .. } => (2, 0, None),
                Op::DeleteRow { row, .. } => (3, *row, None),
                Op::DeleteSlice { slice, .. } => (4, 0, Some(slice)),
            },
            Step::Read(_) | Step::Savepoint(_) | Step::RollbackTo(_) | Step::Change(_) => (5, 0, None),
        }
    }
    let mut all: Vec<&Step> = steps.iter().collect();
    all.sort_by(|a, b| lock(a).cmp(&lock(b)));
    all
}

/// What a tombstone covers.
enum Covers<'a> {
    Row(u64),
    Slice(&'a Slice),
    Partition,
}

impl Writer<'_> {
    /// A write with its timestamp. An insert is a lightweight transaction, which no SQL target offers: sessions refuse it
    /// ([`super::super::not_offered`]) and what is written for it is a remark.
    pub(super) fn stamped_op(&mut self, table: &TableLayout, op: &Op, at: i64) {
        match op {
            Op::Insert { .. } => self.push("-- an insert is not offered where the greatest timestamp wins"),
            Op::Upsert { part, row, cells } => {
                let cells = cells.iter().copied();
                self.merge(table, part.position, Some((*row, true)), cells, at);
            }
            Op::Update { part, row, cells } => {
                let cells = cells.iter().copied();
                self.merge(table, part.position, Some((*row, false)), cells, at);
            }
            Op::DeleteCells { part, row, columns } => {
                let cells = columns.iter().map(|id| (*id, None));
                self.merge(table, part.position, Some((*row, false)), cells, at);
            }
            Op::Shared { part, cells } => {
                self.merge(table, part.position, None, cells.iter().copied(), at);
            }
            Op::Elements { .. } => self.push("-- elements are not offered: no column here has any"),
            Op::Add { part, row, amounts } => self.add(table, part.position, *row, amounts),
            Op::DeleteRow { part, row } => self.tombstone(table, part.position, &Covers::Row(*row), at),
            Op::DeleteSlice { part, slice } => {
                self.tombstone(table, part.position, &Covers::Slice(slice), at);
            }
            Op::DeletePartition { part } => {
                self.tombstone(table, part.position, &Covers::Partition, at);
            }
        }
    }

    fn timestamp(&mut self, at: i64) {
        let from = self.statement.params.len();
        Cell::Int(at).put(&mut self.statement.params);
        self.slot(Slot::Stamp, from);
    }

    /// `INSERT … ON CONFLICT DO UPDATE`, in which each cell is decided by its own timestamps. `row` is its position, and
    /// whether the write makes the row alive; without a row it is the companion that is written.
    fn merge(
        &mut self,
        table: &TableLayout,
        partition: u64,
        row: Option<(u64, bool)>,
        cells: impl Iterator<Item = (ColumnId, Option<u64>)> + Clone,
        at: i64,
    ) {
        let liveness = row.is_some_and(|(_, alive)| alive);
        let columns = || cells.clone().map(|(id, _)| table.any(id));
        let keys = [&table.parts, &table.rows];
        let keys = if row.is_some() { &keys[..] } else { &keys[..1] };
        if self.texts {
            self.push("INSERT INTO ");
            self.push(if row.is_some() {
                &table.name
            } else {
                table.companion()
            });
            self.push(" AS t (");
            self.key_names(keys);
            if liveness {
                self.push(", ");
                self.push(&table.hidden.liveness);
            }
            for col in columns() {
                for name in [&col.name, &col.stamp] {
                    self.push(", ");
                    self.push(name);
                }
            }
        }
        self.push(") VALUES (");
        self.key(&table.parts, partition, |w, i, _| {
            w.push(if i == 0 { "" } else { ", " });
        });
        if let Some((row, _)) = row {
            self.key(&table.rows, row, |w, _, _| w.push(", "));
        }
        if liveness {
            self.push(", ");
            self.timestamp(at);
        }
        for (id, descriptor) in cells.clone() {
            self.push(", ");
            self.value(table.any(id), descriptor);
            self.push(", ");
            self.timestamp(at);
        }
        self.push(")");
        if !self.texts {
            return;
        }
        self.push(" ON CONFLICT (");
        self.key_names(keys);
        self.push(") DO UPDATE SET ");
        let mut first = true;
        if liveness {
            first = false;
            self.greatest(&table.hidden.liveness);
        }
        for col in columns() {
            self.push(if first { "" } else { ", " });
            first = false;
            self.winner(col);
            self.push(", ");
            self.greatest(&col.stamp);
        }
    }

    /// `INSERT … ON CONFLICT DO UPDATE SET c = t.c + excluded.c`: a counter that is not there begins with 0. Only the
    /// reference has counters: it is shown in these words.
    fn add(&mut self, table: &TableLayout, partition: u64, row: Option<u64>, amounts: &Amounts) {
        let keys = [&table.parts, &table.rows];
        let keys = if row.is_some() { &keys[..] } else { &keys[..1] };
        self.push("INSERT INTO ");
        self.push(if row.is_some() {
            &table.name
        } else {
            table.companion()
        });
        self.push(" AS t (");
        if self.texts {
            self.key_names(keys);
        }
        for (id, _) in amounts {
            self.push(", ");
            self.push(&table.any(*id).name);
        }
        self.push(") VALUES (");
        self.key(&table.parts, partition, |w, i, _| {
            w.push(if i == 0 { "" } else { ", " });
        });
        if let Some(row) = row {
            self.key(&table.rows, row, |w, _, _| w.push(", "));
        }
        for (id, n) in amounts {
            self.push(", ");
            let from = self.statement.params.len();
            Cell::Int(*n).put(&mut self.statement.params);
            self.slot(Slot::Value(table.any(*id).ty), from);
        }
        self.push(") ON CONFLICT (");
        if self.texts {
            self.key_names(keys);
        }
        self.push(") DO UPDATE SET ");
        for (i, (id, _)) in amounts.iter().enumerate() {
            let c = &table.any(*id).name;
            self.push(if i == 0 { "" } else { ", " });
            self.push(&format!("{c} = coalesce(t.{c}, 0) + excluded.{c}"));
        }
    }

    fn key_names(&mut self, keys: &[&Keys]) {
        for (i, col) in keys.iter().flat_map(|k| &k.columns).enumerate() {
            self.push(if i == 0 { "" } else { ", " });
            self.push(&col.name);
        }
    }

    /// `ts = CASE WHEN t.ts > excluded.ts THEN t.ts ELSE excluded.ts END`: NULL, never written, is not greater.
    fn greatest(&mut self, ts: &str) {
        let sql = &mut self.statement.sql;
        write!(
            sql,
            "{ts} = CASE WHEN t.{ts} > excluded.{ts} THEN t.{ts} ELSE excluded.{ts} END"
        )
        .expect("a String takes everything");
    }

    /// The value of the greater timestamp; of two with the same, NULL, which is a deletion, then the greater.
    fn winner(&mut self, col: &Col) {
        let (c, ts) = (&col.name, &col.stamp);
        let sql = &mut self.statement.sql;
        write!(
            sql,
            "{c} = CASE WHEN t.{ts} IS NULL OR excluded.{ts} > t.{ts} \
             OR (excluded.{ts} = t.{ts} AND (excluded.{c} IS NULL OR excluded.{c} > t.{c}"
        )
        .expect("a String takes everything");
        if let Some(as_told) = (self.d.told_apart)(col.ty) {
            write!(
                sql,
                " OR (excluded.{c} = t.{c} AND excluded.{c}{as_told} > t.{c}{as_told})"
            )
            .expect("a String takes everything");
        }
        write!(sql, ")) THEN excluded.{c} ELSE t.{c} END").expect("a String takes everything");
    }

    /// A row of the table of tombstones; the greatest timestamp stays.
    fn tombstone(&mut self, table: &TableLayout, partition: u64, covers: &Covers<'_>, at: i64) {
        let hidden = &table.hidden;
        self.push("INSERT INTO ");
        self.push(&hidden.tombs);
        self.push(" AS t (");
        if self.texts {
            self.key_names(&[&table.parts]);
        }
        self.push(", ");
        self.push(&hidden.what);
        self.push(", ");
        self.push(&hidden.at);
        if self.texts {
            self.bound_names(table, covers);
        }
        self.push(") VALUES (");
        self.key(&table.parts, partition, |w, i, _| {
            w.push(if i == 0 { "" } else { ", " });
        });
        self.push(", ");
        self.what(covers);
        self.push(", ");
        self.timestamp(at);
        self.bound_values(table, covers);
        if self.texts {
            self.push(") ON CONFLICT (");
            self.key_names(&[&table.parts]);
            self.push(", ");
            self.push(&hidden.what);
            self.push(") DO UPDATE SET ");
            self.greatest(&hidden.at);
        }
    }

    /// The name of what is covered within its partition.
    fn what(&mut self, covers: &Covers<'_>) {
        if let Covers::Partition = covers {
            return self.push("'partition'");
        }
        let from = self.statement.params.len();
        Cell::Text(&name_of(covers)).put(&mut self.statement.params);
        self.slot(Slot::Value(Type::Text), from);
    }

    fn bound_names(&mut self, table: &TableLayout, covers: &Covers<'_>) {
        for (j, bounds) in table.hidden.bounds.iter().enumerate() {
            let (from, to) = covers.ends(table, j);
            for (there, (value, included)) in [(from, &bounds.from), (to, &bounds.to)] {
                if there.is_some() {
                    for name in [value, included] {
                        self.push(", ");
                        self.push(name);
                    }
                }
            }
        }
    }

    fn bound_values(&mut self, table: &TableLayout, covers: &Covers<'_>) {
        for j in 0..table.rows.columns.len() {
            let (from, to) = covers.ends(table, j);
            for (digit, inclusive) in [from, to].into_iter().flatten() {
                self.push(", ");
                self.digit(&table.rows, j, digit);
                self.push(if inclusive { ", 1" } else { ", 0" });
            }
        }
    }

    /// A read of the views.
    pub(super) fn stamped_query(&mut self, table: &TableLayout, q: &Query) {
        let alias = |_: ColumnId| "";
        if self.texts {
            self.push("SELECT ");
            match &q.select {
                Select::Columns(columns) => {
                    self.columns(table, columns, &alias);
                    if q.extras.stamps {
                        self.stamps(table, columns);
                    }
                }
                Select::Distinct(columns) => {
                    self.push("DISTINCT ");
                    self.columns(table, columns, &alias);
                }
                Select::Aggregates(aggregates) => self.aggregates(table, aggregates, &alias, true),
                Select::Group { by, aggregates } => {
                    self.columns(table, by, &alias);
                    self.aggregates(table, aggregates, &alias, by.is_empty());
                }
            }
            self.push(" FROM ");
            if q.extras.per_partition.is_some() {
                self.push("(SELECT x.*, row_number() OVER (PARTITION BY ");
                self.key_names(&[&table.parts]);
                self.clustering_order(table, q);
                self.push(") AS ");
                self.push(&table.hidden.nth);
                self.push(" FROM ");
            }
            self.source(table, q);
        }
        self.conditions(table, q, "", &alias);
        if let Some(most) = q.extras.per_partition {
            self.push(") y WHERE ");
            self.push(&table.hidden.nth);
            self.push(" <= ");
            self.count(most);
        }
        if self.texts {
            if let Select::Group { by, .. } = &q.select
                && !by.is_empty()
            {
                self.push(" GROUP BY ");
                for (i, id) in by.iter().enumerate() {
                    self.push(if i == 0 { "" } else { ", " });
                    self.push(&table.any(*id).name);
                }
            }
            for (i, (id, order)) in q.order.iter().enumerate() {
                self.push(if i == 0 { " ORDER BY " } else { ", " });
                self.push(&table.any(*id).name);
                self.push(if *order == Order::Desc { " DESC" } else { "" });
            }
        }
        self.limit(q);
    }

    /// The view that answers a read, under the name `x`. Where a read asks for whole partitions without a condition, one without
    /// rows whose shared cells are not all gone answers a row of them alone.
    fn source(&mut self, table: &TableLayout, q: &Query) {
        let hidden = &table.hidden;
        let Some(all) = &hidden.all else {
            self.push(&hidden.live);
            return self.push(" x");
        };
        if q.filter.is_empty() && q.rows.is_every() {
            self.push(all);
            self.push(" x");
        } else if q.select.columns().any(|id| table.is_shared(id)) {
            self.push("(SELECT * FROM ");
            self.push(all);
            self.push(" WHERE ");
            self.push(&hidden.row);
            self.push(" = 1) x");
        } else {
            self.push(&hidden.live);
            self.push(" x");
        }
    }

    /// ` ORDER BY c DESC, …`: as the table is clustered, or all the way round where the query is sorted so.
    fn clustering_order(&mut self, table: &TableLayout, q: &Query) {
        let reversed = reversed(table, q);
        for (j, col) in table.rows.columns.iter().enumerate() {
            self.push(if j == 0 { " ORDER BY " } else { ", " });
            self.push(&col.name);
            let descending = table.rows.universe.order(j) == Order::Desc;
            self.push(if descending != reversed { " DESC" } else { "" });
        }
    }

    /// The write timestamps of the columns that are cells.
    fn stamps(&mut self, table: &TableLayout, columns: &[ColumnId]) {
        for id in columns {
            let col = table.any(*id);
            if !col.stamp.is_empty() {
                self.push(", ");
                self.push(&col.stamp);
                self.statement.answer.push(Want::Stamp);
            }
        }
    }
}

impl Covers<'_> {
    /// The digits that bound column `j`, by value: the least, and the greatest. DESC turns the order of digits round.
    #[expect(clippy::type_complexity, reason = "two of what a slice has two of")]
    fn ends(&self, table: &TableLayout, j: usize) -> (Option<(u32, bool)>, Option<(u32, bool)>) {
        let equal = |digit| (Some((digit, true)), Some((digit, true)));
        let universe = &table.rows.universe;
        match self {
            Covers::Partition => (None, None),
            Covers::Row(row) => equal(universe.digit(*row, j)),
            Covers::Slice(slice) => match slice.prefix.get(j) {
                Some(digit) => equal(*digit),
                None if j > slice.prefix.len() => (None, None),
                None if universe.order(j) == Order::Desc => (slice.upper, slice.lower),
                None => (slice.lower, slice.upper),
            },
        }
    }
}

/// Two things of one name are the same thing.
fn name_of(covers: &Covers<'_>) -> String {
    let slice = match covers {
        Covers::Partition => return "partition".to_owned(),
        Covers::Row(row) => return format!("row {row}"),
        Covers::Slice(slice) => slice,
    };
    let mut name = "slice".to_owned();
    for digit in &slice.prefix {
        write!(name, " ={digit}").expect("a String takes everything");
    }
    for (sign, bound) in [(" >", slice.lower), (" <", slice.upper)] {
        if let Some((digit, inclusive)) = bound {
            let equal = if inclusive { "=" } else { "" };
            write!(name, "{sign}{equal}{digit}").expect("a String takes everything");
        }
    }
    name
}

/// Whether a read is sorted against the order in which the table is clustered.
fn reversed(table: &TableLayout, q: &Query) -> bool {
    let place = |id: ColumnId| table.rows.columns.iter().position(|c| c.id == id);
    let first = q.order.iter().find_map(|(id, order)| Some((place(*id)?, *order)));
    first.is_some_and(|(j, order)| order != table.rows.universe.order(j))
}
