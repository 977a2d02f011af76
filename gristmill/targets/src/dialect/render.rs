//! The walk: one function for each kind of request, the same for placeholders and for values in place.

mod stamped;

use super::{Conflict, Dialect, Extreme, Script, Slot, Statement, Tuples, Want};
use crate::cell::Cell;
use crate::layout::{Col, Keys, Layout, TableLayout};
use crate::target::Request;
use datagen::schema::ColumnId;
use datagen::universe::Slice;
use datagen::value::Order;
use history::{
    Aggregate, Cells, Condition, From, Level, Op, Parts, Predicate, Query, Relation, RowChoice, Select, Step,
};
pub(crate) use stamped::in_key_order;
use std::fmt::Write as _;

/// How the two tables of a join are called.
const ROWS: &str = "t";
const SHARED: &str = "s";

const INSERT: &str = "INSERT INTO ";

pub(super) fn request(
    script: &mut Script,
    d: &Dialect,
    layout: &Layout,
    request: &Request<'_>,
    literal: bool,
) {
    let w = |script: &mut Script, write: &dyn Fn(&mut Writer<'_>)| {
        let texts = !script.values_only;
        let statement = script.next();
        write(&mut Writer {
            statement,
            d,
            literal,
            texts,
            views: matches!(request, Request::Stamped { .. }),
        });
    };
    match request {
        Request::Begin { level, writes } => {
            let words = (d.begin)(*level, *writes);
            words.split("; ").for_each(|word| w(script, &|w| w.push(word)));
        }
        Request::Commit => w(script, &|w| w.push("COMMIT")),
        Request::Rollback => w(script, &|w| w.push("ROLLBACK")),
        Request::Step(Step::Savepoint(n)) => w(script, &|w| w.name("SAVEPOINT s", *n)),
        Request::Step(Step::RollbackTo(n)) => w(script, &|w| w.name("ROLLBACK TO SAVEPOINT s", *n)),
        Request::Step(Step::Read(query)) => w(script, &|w| w.query(layout.table(query.table), query)),
        Request::Stamped { steps, stamp, batch } => {
            let one = |script: &mut Script, step: &Step| match step {
                Step::Write(op) => w(script, &|w| {
                    w.stamped_op(layout.table(op.part().table), op, stamp.timestamp);
                    if let (Some(condition), true) = (&stamp.condition, w.texts) {
                        // SQL has no words for it: the reference does it, and people are told.
                        w.push(match condition {
                            Condition::NotExists => " /* if the row is not there */",
                            Condition::Exists => " /* if the row is there */",
                            Condition::Equals { .. } => " /* if a cell has a certain value */",
                        });
                    }
                }),
                Step::Read(query) => {
                    w(script, &|w| w.stamped_query(layout.table(query.table), query));
                }
                Step::Change(change) => {
                    w(script, &|w| {
                        w.push(&super::ddl::change(layout.table(change.table), change))
                    });
                }
                Step::Savepoint(_) | Step::RollbackTo(_) => unreachable!("lww has no transactions"),
            };
            if batch.is_none() {
                steps.iter().for_each(|step| one(script, step));
                return;
            }
            w(script, &|w| w.push((d.begin)(Level::ReadCommitted, true)));
            in_key_order(steps).into_iter().for_each(|step| one(script, step));
            w(script, &|w| w.push("COMMIT"));
        }
        Request::Step(Step::Change(change)) => {
            w(script, &|w| {
                w.push(&super::ddl::change(layout.table(change.table), change))
            });
        }
        Request::Step(Step::Write(op)) => {
            let table = layout.table(op.part().table);
            w(script, &|w| w.op(table, op));
            if let (Op::DeletePartition { part }, Some(companion)) = (op, &table.companion) {
                w(script, &|w| {
                    w.push("DELETE FROM ");
                    w.push(companion);
                    w.push(" WHERE ");
                    w.whole_key(&table.parts, "", part.position);
                });
            }
        }
    }
}

struct Writer<'a> {
    statement: &'a mut Statement,
    d: &'a Dialect,
    literal: bool,
    /// Whether text, slots and answer are written, too, or only values.
    texts: bool,
    /// Whether views are read.
    views: bool,
}

impl Writer<'_> {
    fn push(&mut self, text: &str) {
        if self.texts {
            self.statement.sql.push_str(text);
        }
    }

    fn name(&mut self, text: &str, n: u8) {
        if self.texts {
            write!(self.statement.sql, "{text}{n}").expect("a String takes everything");
        }
    }

    /// A column, with its table's alias and a dot before it unless the alias is "".
    fn column(&mut self, alias: &str, col: &Col) {
        if !alias.is_empty() {
            self.push(alias);
            self.push(".");
        }
        self.push(&col.name);
    }

    /// The value whose canonical bytes begin at `from` in `params`: a placeholder, or the value itself.
    fn slot(&mut self, slot: Slot, from: usize) {
        if !self.texts {
            return;
        }
        if self.literal {
            let mut rest = &self.statement.params[from..];
            let cell = Cell::take(&mut rest);
            (self.d.literal)(cell, &mut self.statement.sql);
            self.statement.params.truncate(from);
        } else {
            self.placeholder(slot);
        }
    }

    fn placeholder(&mut self, slot: Slot) {
        let Statement { sql, slots, .. } = &mut *self.statement;
        slots.push(slot);
        sql.push(self.d.placeholder);
        if self.d.numbered {
            sql.push_str(itoa::Buffer::new().format(slots.len()));
        }
    }

    /// A value of a column by its descriptor; `None` is NULL.
    fn value(&mut self, col: &Col, descriptor: Option<u64>) {
        let from = self.statement.params.len();
        match descriptor {
            None => Cell::Null.put(&mut self.statement.params),
            Some(d) => col.inflate_into(d, &mut self.statement.params),
        }
        self.slot(Slot::Value(col.ty), from);
    }

    fn count(&mut self, n: u32) {
        let from = self.statement.params.len();
        Cell::Int(i64::from(n)).put(&mut self.statement.params);
        self.slot(Slot::Count, from);
    }

    /// The values of a whole key, `between` before each with its column (`between` writes "c = " or ", ").
    fn key(&mut self, keys: &Keys, position: u64, mut between: impl FnMut(&mut Self, usize, &Col)) {
        let from = self.statement.params.len();
        keys.universe.inflate_into(position, &mut self.statement.params);
        if !self.texts {
            return;
        }
        if !self.literal {
            for (i, col) in keys.columns.iter().enumerate() {
                between(self, i, col);
                self.placeholder(Slot::Value(col.ty));
            }
            return;
        }
        let bytes = self.statement.params.split_off(from);
        let mut rest = bytes.as_slice();
        for (i, col) in keys.columns.iter().enumerate() {
            between(self, i, col);
            (self.d.literal)(Cell::take(&mut rest), &mut self.statement.sql);
        }
    }

    /// `a = 1 AND b = 2`
    fn whole_key(&mut self, keys: &Keys, alias: &str, position: u64) {
        self.key(keys, position, |w, i, col| {
            w.push(if i == 0 { "" } else { " AND " });
            w.column(alias, col);
            w.push(" = ");
        });
    }

    /// `a IN (1, 2)` or `(a, b) IN ((1, 2), (3, 4))`
    fn keys_in(&mut self, keys: &Keys, alias: &str, positions: &[u64]) {
        let composite = keys.columns.len() > 1;
        if composite && self.views && self.d.tuples == Tuples::Values {
            return self.any_key(keys, alias, positions);
        }
        self.push(if composite { "(" } else { "" });
        for (i, col) in keys.columns.iter().enumerate() {
            self.push(if i == 0 { "" } else { ", " });
            self.column(alias, col);
        }
        self.push(if composite { ") IN (" } else { " IN (" });
        if composite && self.d.tuples == Tuples::Values {
            self.push("VALUES ");
        }
        for (n, position) in positions.iter().enumerate() {
            self.push(if n == 0 { "" } else { ", " });
            self.push(if composite { "(" } else { "" });
            self.key(keys, *position, |w, i, _| w.push(if i == 0 { "" } else { ", " }));
            self.push(if composite { ")" } else { "" });
        }
        self.push(")");
    }

    /// `((a = 1 AND b = 2) OR (a = 3 AND b = 4))`, which SQLite hands down into a view.
    fn any_key(&mut self, keys: &Keys, alias: &str, positions: &[u64]) {
        for (n, position) in positions.iter().enumerate() {
            self.push(if n == 0 { "((" } else { ") OR (" });
            self.whole_key(keys, alias, *position);
        }
        self.push("))");
    }

    /// The value that a digit of one column of a key names.
    fn digit(&mut self, keys: &Keys, at: usize, digit: u32) {
        let from = self.statement.params.len();
        let descriptor = keys.universe.descriptor(at, digit);
        keys.universe
            .domain(at)
            .inflate_into(descriptor, &mut self.statement.params);
        self.slot(Slot::Value(keys.columns[at].ty), from);
    }

    /// ` AND a = 1 AND b >= 2 AND b < 5`: bounds are in the order of positions, which DESC turns round.
    fn slice(&mut self, keys: &Keys, alias: &str, slice: &Slice) {
        for (at, digit) in slice.prefix.iter().enumerate() {
            self.push(" AND ");
            self.column(alias, &keys.columns[at]);
            self.push(" = ");
            self.digit(keys, at, *digit);
        }
        let at = slice.prefix.len();
        let above = [" > ", " >= "];
        let below = [" < ", " <= "];
        for (bound, ascending, descending) in [(slice.lower, above, below), (slice.upper, below, above)] {
            let Some((digit, inclusive)) = bound else { continue };
            self.push(" AND ");
            self.column(alias, &keys.columns[at]);
            let signs = if keys.universe.order(at) == Order::Desc {
                descending
            } else {
                ascending
            };
            self.push(signs[usize::from(inclusive)]);
            self.digit(keys, at, digit);
        }
    }

    fn op(&mut self, table: &TableLayout, op: &Op) {
        match op {
            Op::Insert {
                part,
                row,
                cells,
                strict,
            } => {
                let ignore = !strict && self.d.conflict == Conflict::OnDuplicateKey;
                let word = if ignore { "INSERT IGNORE INTO " } else { INSERT };
                self.insert(word, table, part.position, Some(*row), cells);
                if !strict && self.d.conflict == Conflict::OnConflict {
                    self.push(" ON CONFLICT DO NOTHING");
                }
            }
            Op::Upsert { part, row, cells } => {
                self.insert(INSERT, table, part.position, Some(*row), cells);
                self.on_conflict_update(table, &[&table.parts, &table.rows], cells);
            }
            Op::Shared { part, cells } => {
                self.insert(INSERT, table, part.position, None, cells);
                self.on_conflict_update(table, &[&table.parts], cells);
            }
            Op::Update { part, row, cells } => {
                self.update(table);
                self.assignments(table, cells);
                self.where_row(table, part.position, *row);
            }
            Op::DeleteCells { part, row, columns } => {
                self.update(table);
                for (i, id) in columns.iter().enumerate() {
                    self.push(if i == 0 { "" } else { ", " });
                    self.column("", table.any(*id));
                    self.push(" = NULL");
                }
                self.where_row(table, part.position, *row);
            }
            Op::Elements { .. } => self.push("-- elements are not offered: no column here has any"),
            Op::Add { .. } => self.push("-- counters are not offered: no column here is one"),
            Op::DeleteRow { part, row } => {
                self.delete(table);
                self.where_row(table, part.position, *row);
            }
            Op::DeleteSlice { part, slice } => {
                self.delete(table);
                self.push(" WHERE ");
                self.whole_key(&table.parts, "", part.position);
                self.slice(&table.rows, "", slice);
            }
            Op::DeletePartition { part } => {
                self.delete(table);
                self.push(" WHERE ");
                self.whole_key(&table.parts, "", part.position);
            }
        }
    }

    fn update(&mut self, table: &TableLayout) {
        self.push("UPDATE ");
        self.push(&table.name);
        self.push(" SET ");
    }

    fn delete(&mut self, table: &TableLayout) {
        self.push("DELETE FROM ");
        self.push(&table.name);
    }

    fn where_row(&mut self, table: &TableLayout, partition: u64, row: u64) {
        self.push(" WHERE ");
        self.whole_key(&table.parts, "", partition);
        if !table.rows.columns.is_empty() {
            self.push(" AND ");
            self.whole_key(&table.rows, "", row);
        }
    }

    /// `INSERT INTO t (p, c, v) VALUES (1, 2, 3)`; without a row it is the companion that is written.
    fn insert(&mut self, word: &str, table: &TableLayout, partition: u64, row: Option<u64>, cells: &Cells) {
        if self.texts {
            self.push(word);
            self.insert_into(table, row, cells);
        }
        self.push(") VALUES (");
        self.key(&table.parts, partition, |w, i, _| {
            w.push(if i == 0 { "" } else { ", " })
        });
        if let Some(row) = row {
            self.key(&table.rows, row, |w, _, _| w.push(", "));
        }
        for (id, descriptor) in cells {
            self.push(", ");
            self.value(table.any(*id), *descriptor);
        }
        self.push(")");
    }

    /// `t (p, c, v`
    fn insert_into(&mut self, table: &TableLayout, row: Option<u64>, cells: &Cells) {
        self.push(if row.is_some() {
            &table.name
        } else {
            table.companion()
        });
        self.push(" (");
        let keys = table
            .parts
            .columns
            .iter()
            .chain(row.iter().flat_map(|_| table.rows.columns.iter()));
        for (i, col) in keys.enumerate() {
            self.push(if i == 0 { "" } else { ", " });
            self.push(&col.name);
        }
        for (id, _) in cells {
            self.push(", ");
            self.push(&table.any(*id).name);
        }
    }

    /// ` ON CONFLICT (p, c) DO UPDATE SET v = excluded.v`. Without cells a key column is set to itself, so that the row
    /// counts as affected all the same.
    fn on_conflict_update(&mut self, table: &TableLayout, keys: &[&Keys], cells: &Cells) {
        if !self.texts {
            return;
        }
        match self.d.conflict {
            Conflict::OnConflict => {
                self.push(" ON CONFLICT (");
                for (i, col) in keys.iter().flat_map(|k| &k.columns).enumerate() {
                    self.push(if i == 0 { "" } else { ", " });
                    self.push(&col.name);
                }
                self.push(") DO UPDATE SET ");
            }
            Conflict::OnDuplicateKey => self.push(" ON DUPLICATE KEY UPDATE "),
        }
        let first_key = [table.parts.columns[0].id];
        let set: &mut dyn Iterator<Item = &ColumnId> = if cells.is_empty() {
            &mut first_key.iter()
        } else {
            &mut cells.iter().map(|(id, _)| id)
        };
        for (i, id) in set.enumerate() {
            let name = &table.any(*id).name;
            self.push(if i == 0 { "" } else { ", " });
            self.push(name);
            match self.d.conflict {
                Conflict::OnConflict => {
                    self.push(" = excluded.");
                    self.push(name);
                }
                Conflict::OnDuplicateKey => {
                    self.push(" = VALUES(");
                    self.push(name);
                    self.push(")");
                }
            }
        }
    }

    fn assignments(&mut self, table: &TableLayout, cells: &Cells) {
        for (i, (id, descriptor)) in cells.iter().enumerate() {
            let col = table.any(*id);
            self.push(if i == 0 { "" } else { ", " });
            self.push(&col.name);
            self.push(" = ");
            self.value(col, *descriptor);
        }
    }

    fn query(&mut self, table: &TableLayout, q: &Query) {
        let joined = matches!(q.from, From::InnerJoin | From::LeftJoin);
        let alias = |id: ColumnId| match (joined, table.is_shared(id)) {
            (false, _) => "",
            (true, true) => SHARED,
            (true, false) => ROWS,
        };
        let keys = if joined { ROWS } else { "" };
        if !self.texts {
            self.conditions(table, q, keys, &alias);
            self.limit(q);
            return;
        }
        self.push("SELECT ");
        match &q.select {
            Select::Columns(columns) => self.columns(table, columns, &alias),
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
        match q.from {
            From::Table => self.push(&table.name),
            From::Shared => self.push(table.companion()),
            From::InnerJoin => self.join(table, " JOIN "),
            From::LeftJoin => self.join(table, " LEFT JOIN "),
        }
        self.conditions(table, q, keys, &alias);
        if let Select::Group { by, .. } = &q.select
            && !by.is_empty()
        {
            self.push(" GROUP BY ");
            for (i, id) in by.iter().enumerate() {
                self.push(if i == 0 { "" } else { ", " });
                self.column(alias(*id), table.any(*id));
            }
        }
        for (i, (id, order)) in q.order.iter().enumerate() {
            self.push(if i == 0 { " ORDER BY " } else { ", " });
            self.column(alias(*id), table.any(*id));
            self.push(if *order == Order::Desc { " DESC" } else { "" });
        }
        self.limit(q);
    }

    fn limit(&mut self, q: &Query) {
        if let Some(limit) = q.limit {
            self.push(" LIMIT ");
            self.count(limit);
            if q.offset > 0 {
                self.push(" OFFSET ");
                self.count(q.offset);
            }
        }
    }

    fn conditions(
        &mut self,
        table: &TableLayout,
        q: &Query,
        keys: &str,
        alias: &dyn Fn(ColumnId) -> &'static str,
    ) {
        let mut began = false;
        let mut and = |w: &mut Self| {
            w.push(if began { " AND " } else { " WHERE " });
            began = true;
        };
        match &q.parts {
            Parts::One(position) => {
                and(self);
                self.whole_key(&table.parts, keys, *position);
            }
            Parts::In(positions) => {
                and(self);
                self.keys_in(&table.parts, keys, positions);
            }
            // No SQL target is asked for one: they say so before.
            Parts::All | Parts::Ring { .. } => {}
        }
        match &q.rows {
            RowChoice::One(row) if !table.rows.columns.is_empty() => {
                and(self);
                self.whole_key(&table.rows, keys, *row);
            }
            RowChoice::In(rows) if !table.rows.columns.is_empty() => {
                and(self);
                self.keys_in(&table.rows, keys, rows);
            }
            RowChoice::Slice(slice) if !q.rows.is_every() => {
                and(self);
                // The slice writes ` AND ` before each of its conditions; the first one is ours.
                let at = self.statement.sql.len();
                self.slice(&table.rows, keys, slice);
                if self.texts {
                    self.statement.sql.replace_range(at..at + " AND ".len(), "");
                }
            }
            RowChoice::All | RowChoice::One(_) | RowChoice::In(_) | RowChoice::Slice(_) => {}
        }
        for predicate in &q.filter {
            and(self);
            self.predicate(table, predicate, alias(predicate.column));
        }
    }

    fn join(&mut self, table: &TableLayout, word: &str) {
        self.push(&table.name);
        self.push(" ");
        self.push(ROWS);
        self.push(word);
        self.push(table.companion());
        self.push(" ");
        self.push(SHARED);
        for (i, col) in table.parts.columns.iter().enumerate() {
            self.push(if i == 0 { " ON " } else { " AND " });
            self.column(SHARED, col);
            self.push(" = ");
            self.column(ROWS, col);
        }
    }

    fn predicate(&mut self, table: &TableLayout, p: &Predicate, alias: &str) {
        let col = table.any(p.column);
        self.column(alias, col);
        let sign = match p.relation {
            Relation::Eq => " = ",
            Relation::Ne => " <> ",
            Relation::Lt => " < ",
            Relation::Le => " <= ",
            Relation::Gt => " > ",
            Relation::Ge => " >= ",
            Relation::IsNull => return self.push(" IS NULL"),
            Relation::IsNotNull => return self.push(" IS NOT NULL"),
            Relation::Contains | Relation::ContainsKey | Relation::ContainsEntry => {
                unreachable!("SQL targets keep no collections")
            }
        };
        self.push(sign);
        self.value(col, Some(p.value));
    }

    fn columns(&mut self, table: &TableLayout, ids: &[ColumnId], alias: &dyn Fn(ColumnId) -> &'static str) {
        for (i, id) in ids.iter().enumerate() {
            let col = table.any(*id);
            self.push(if i == 0 { "" } else { ", " });
            self.column(alias(*id), col);
            self.statement.answer.push(Want::Value(col.ty));
        }
    }

    fn aggregates(
        &mut self,
        table: &TableLayout,
        aggregates: &[Aggregate],
        alias: &dyn Fn(ColumnId) -> &'static str,
        first: bool,
    ) {
        for (i, aggregate) in aggregates.iter().enumerate() {
            self.push(if first && i == 0 { "" } else { ", " });
            let (id, (before, after), want): (_, _, fn(&Col) -> Want) = match aggregate {
                Aggregate::CountRows => {
                    self.push("count(*)");
                    self.statement.answer.push(Want::Count);
                    continue;
                }
                Aggregate::Count(id) => (*id, ("count(", ")"), |_| Want::Count),
                Aggregate::Min(id) => (*id, (self.d.extreme)(table.any(*id).ty, Extreme::Min), |c| {
                    Want::Value(c.ty)
                }),
                Aggregate::Max(id) => (*id, (self.d.extreme)(table.any(*id).ty, Extreme::Max), |c| {
                    Want::Value(c.ty)
                }),
                Aggregate::Sum(id) => (*id, (self.d.sum)(table.any(*id).ty), |c| Want::Sum(c.ty)),
                Aggregate::Avg(id) => (*id, ("avg(", ")"), |c| Want::Sum(c.ty)),
            };
            let col = table.any(id);
            self.push(before);
            self.column(alias(id), col);
            self.push(after);
            self.statement.answer.push(want(col));
        }
    }
}
