//! The walk over a request that writes CQL.

use super::{APPLY, BATCHES, write_typed};
use crate::cell::Cell;
use crate::dialect::render::in_key_order;
use crate::dialect::{Beside, Dialect, Script, Slot, Statement, Want};
use crate::layout::{Col, Keys, Layout, TableLayout, quoted};
use crate::target::Request;
use datagen::domain::Elements;
use datagen::schema::ColumnId;
use datagen::universe::Slice;
use datagen::value::{Composite, Kind, Order, Type, Value};
use history::{
    Aggregate, Cells, Condition, Consistency, From, Op, Parts, Predicate, Query, Relation, RowChoice, Select,
    Stamp, Step,
};
use std::fmt::Write as _;

/// Writes the statements of a request into the script. For people a batch is one text and a read says its pages.
pub(super) fn request(
    script: &mut Script,
    d: &Dialect,
    layout: &Layout,
    request: &Request<'_>,
    literal: bool,
) {
    script.beside = beside(request);
    match request {
        Request::Begin { level, writes } => one(script, d, literal, |w| w.push((d.begin)(*level, *writes))),
        Request::Commit => one(script, d, literal, |w| w.push("COMMIT")),
        Request::Rollback => one(script, d, literal, |w| w.push("ROLLBACK")),
        Request::Step(step) => one(script, d, literal, |w| w.step(layout, step, None)),
        Request::Stamped { steps, stamp, batch } => match (batch, *steps) {
            (None, steps) => {
                for step in steps {
                    one(script, d, literal, |w| w.step(layout, step, Some(stamp)));
                }
            }
            (Some(logged), steps) if literal => one(script, d, literal, |w| {
                w.push(begin(layout, logged, steps));
                for step in in_key_order(steps) {
                    w.push(" ");
                    w.step(layout, step, Some(stamp));
                    w.push(";");
                }
                w.push(" ");
                w.push(APPLY);
            }),
            (Some(logged), steps) => {
                one(script, d, literal, |w| w.push(begin(layout, logged, steps)));
                for step in in_key_order(steps) {
                    one(script, d, literal, |w| w.step(layout, step, Some(stamp)));
                }
                one(script, d, literal, |w| w.push(APPLY));
            }
        },
    }
}

fn begin(layout: &Layout, logged: &bool, steps: &[Step]) -> &'static str {
    let counts = |step: &Step| matches!(step, Step::Write(op) if layout.table(op.part().table).counts());
    BATCHES[if steps.iter().all(counts) {
        2
    } else {
        usize::from(!logged)
    }]
}

fn beside(request: &Request<'_>) -> Beside {
    let (steps, stamp) = match request {
        Request::Stamped { steps, stamp, .. } => (*steps, Some(**stamp)),
        Request::Step(step) => (std::slice::from_ref(*step), None),
        Request::Begin { .. } | Request::Commit | Request::Rollback => (&[][..], None),
    };
    let page = steps.iter().find_map(|step| match step {
        Step::Read(query) => query.extras.page,
        Step::Write(_) | Step::Savepoint(_) | Step::RollbackTo(_) | Step::Change(_) => None,
    });
    Beside { stamp, page }
}

fn one(script: &mut Script, d: &Dialect, literal: bool, write: impl FnOnce(&mut Writer<'_>)) {
    let texts = !script.values_only;
    let statement = script.next();
    write(&mut Writer {
        statement,
        d,
        literal,
        texts,
    });
}

struct Writer<'a> {
    statement: &'a mut Statement,
    d: &'a Dialect,
    literal: bool,
    /// Whether text, slots and answer are written, too, or only values.
    texts: bool,
}

impl Writer<'_> {
    fn push(&mut self, text: &str) {
        if self.texts {
            self.statement.sql.push_str(text);
        }
    }

    /// The separator of a list: the first time one, then the other.
    fn comma(&mut self, first: &mut bool) {
        self.push(if std::mem::take(first) { "" } else { ", " });
    }

    fn and(&mut self, first: &mut bool) {
        self.push(if std::mem::take(first) { " WHERE " } else { " AND " });
    }

    /// The value whose canonical bytes begin at `from` in `params`: a placeholder, or the value itself.
    fn slot(&mut self, slot: Slot, from: usize) {
        if !self.texts {
            return;
        }
        if self.literal {
            let mut rest = &self.statement.params[from..];
            match (slot, Cell::take(&mut rest)) {
                (Slot::Value(ty), cell) => write_typed(ty, cell, &mut self.statement.sql),
                (_, cell) => (self.d.literal)(cell, &mut self.statement.sql),
            }
            self.statement.params.truncate(from);
        } else {
            self.statement.slots.push(slot);
            self.statement.sql.push('?');
        }
    }

    fn value(&mut self, col: &Col, descriptor: Option<u64>) {
        let from = self.statement.params.len();
        match descriptor {
            None => Cell::Null.put(&mut self.statement.params),
            Some(d) => col.inflate_into(d, &mut self.statement.params),
        }
        self.slot(Slot::Value(col.ty), from);
    }

    /// A number that is no column's: a timestamp, or a count.
    fn number(&mut self, slot: Slot, n: i64) {
        let from = self.statement.params.len();
        Cell::Int(n).put(&mut self.statement.params);
        self.slot(slot, from);
    }

    /// The values of a whole key, `between` before each with its column.
    fn key(&mut self, keys: &Keys, position: u64, mut between: impl FnMut(&mut Self, usize, &Col)) {
        for (i, col) in keys.columns.iter().enumerate() {
            between(self, i, col);
            let (digit, from) = (keys.universe.digit(position, i), self.statement.params.len());
            self.put_digit(keys, i, digit);
            self.slot(Slot::Value(col.ty), from);
        }
    }

    fn put_digit(&mut self, keys: &Keys, at: usize, digit: u32) {
        let descriptor = keys.universe.descriptor(at, digit);
        keys.universe
            .domain(at)
            .inflate_into(descriptor, &mut self.statement.params);
    }

    fn digit(&mut self, keys: &Keys, at: usize, digit: u32) {
        let from = self.statement.params.len();
        self.put_digit(keys, at, digit);
        self.slot(Slot::Value(keys.columns[at].ty), from);
    }

    /// `WHERE a = 1 AND b = 2`
    fn whole_key(&mut self, keys: &Keys, position: u64, first: &mut bool) {
        self.key(keys, position, |w, _, col| {
            w.and(first);
            w.push(&col.name);
            w.push(" = ");
        });
    }

    /// `WHERE a IN (1, 2)` or `WHERE (a, b) IN ((1, 2), (3, 4))`
    fn keys_in(&mut self, keys: &Keys, positions: &[u64], first: &mut bool) {
        let composite = keys.columns.len() > 1;
        self.and(first);
        self.push(if composite { "(" } else { "" });
        for (i, col) in keys.columns.iter().enumerate() {
            self.push(if i == 0 { "" } else { ", " });
            self.push(&col.name);
        }
        self.push(if composite { ") IN (" } else { " IN (" });
        for (n, position) in positions.iter().enumerate() {
            self.push(if n == 0 { "" } else { ", " });
            self.push(if composite { "(" } else { "" });
            self.key(keys, *position, |w, i, _| w.push(if i == 0 { "" } else { ", " }));
            self.push(if composite { ")" } else { "" });
        }
        self.push(")");
    }

    /// Bounds are in the order of positions, which DESC turns round.
    fn slice(&mut self, keys: &Keys, slice: &Slice, first: &mut bool) {
        for (at, digit) in slice.prefix.iter().enumerate() {
            self.and(first);
            self.push(&keys.columns[at].name);
            self.push(" = ");
            self.digit(keys, at, *digit);
        }
        let at = slice.prefix.len();
        let (above, below) = ([" > ", " >= "], [" < ", " <= "]);
        for (bound, ascending, descending) in [(slice.lower, above, below), (slice.upper, below, above)] {
            let Some((digit, inclusive)) = bound else { continue };
            self.and(first);
            self.push(&keys.columns[at].name);
            let signs = match keys.universe.order(at) {
                Order::Asc => ascending,
                Order::Desc => descending,
            };
            self.push(signs[usize::from(inclusive)]);
            self.digit(keys, at, digit);
        }
    }

    fn step(&mut self, layout: &Layout, step: &Step, stamp: Option<&Stamp>) {
        match step {
            Step::Write(op) => self.op(layout.table(op.part().table), op, stamp),
            Step::Read(query) => {
                self.query(layout.table(query.table), query);
                if self.literal {
                    self.remark(query, stamp);
                }
            }
            // CQL has no such thing: the server is asked all the same, and says so.
            Step::Savepoint(n) => self.named("SAVEPOINT s", *n),
            Step::RollbackTo(n) => self.named("ROLLBACK TO SAVEPOINT s", *n),
            Step::Change(change) => {
                let table = layout.table(change.table);
                self.push(&super::change(table, change, stamp.map(|s| s.timestamp)));
            }
        }
    }

    fn named(&mut self, text: &str, n: u8) {
        if self.texts {
            write!(self.statement.sql, "{text}{n}").expect("a String takes everything");
        }
    }

    /// For people: what is not in a statement but beside it.
    fn remark(&mut self, query: &Query, stamp: Option<&Stamp>) {
        let level = stamp.map(|s| s.consistency).filter(|c| *c != Consistency::One);
        let named = |c: Consistency| c.name().replace('-', "_").to_uppercase();
        let mut words: Vec<String> = level.map(named).into_iter().collect();
        words.extend(query.extras.page.map(|rows| format!("pages of {rows}")));
        if !words.is_empty() {
            self.push(&format!(" /* {} */", words.join(", ")));
        }
    }

    fn op(&mut self, table: &TableLayout, op: &Op, stamp: Option<&Stamp>) {
        match op {
            Op::Insert { part, row, cells, .. } => {
                self.insert(table, part.position, *row, cells);
                self.push(" IF NOT EXISTS");
                self.lives_for_ever(table, stamp);
            }
            Op::Upsert { part, row, cells } => {
                self.insert(table, part.position, *row, cells);
                // Behind the condition, where there is one.
                if stamp.is_some_and(|s| s.condition.is_none()) {
                    self.using(table, stamp);
                }
            }
            Op::Update { part, row, cells } => {
                self.update(table, cells, stamp);
                self.where_row(table, part.position, *row);
            }
            Op::Shared { part, cells } => {
                self.update(table, cells, stamp);
                self.whole_key(&table.parts, part.position, &mut true);
            }
            Op::DeleteCells { part, row, columns } => {
                self.push("DELETE ");
                for (i, id) in columns.iter().enumerate() {
                    self.push(if i == 0 { "" } else { ", " });
                    self.push(&table.any(*id).name);
                }
                self.push(" ");
                self.from(table, stamp);
                self.where_row(table, part.position, *row);
            }
            Op::Elements {
                part,
                row,
                column,
                elements,
            } => {
                self.elements(table, table.any(*column), elements, stamp);
                match row {
                    Some(row) => self.where_row(table, part.position, *row),
                    None => self.whole_key(&table.parts, part.position, &mut true),
                }
            }
            Op::Add { part, row, amounts } => {
                self.push("UPDATE ");
                self.push(&table.name);
                self.push(" SET ");
                for (i, (id, n)) in amounts.iter().enumerate() {
                    self.push(if i == 0 { "" } else { ", " });
                    self.add(table.any(*id), *n);
                }
                match row {
                    Some(row) => self.where_row(table, part.position, *row),
                    None => self.whole_key(&table.parts, part.position, &mut true),
                }
            }
            Op::DeleteRow { part, row } => {
                self.push("DELETE ");
                self.from(table, stamp);
                self.where_row(table, part.position, *row);
            }
            Op::DeleteSlice { part, slice } => {
                self.push("DELETE ");
                self.from(table, stamp);
                let mut first = true;
                self.whole_key(&table.parts, part.position, &mut first);
                self.slice(&table.rows, slice, &mut first);
            }
            Op::DeletePartition { part } => {
                self.push("DELETE ");
                self.from(table, stamp);
                self.whole_key(&table.parts, part.position, &mut true);
            }
        }
        let condition = stamp.and_then(|s| s.condition.as_ref());
        if let (Some(condition), false) = (condition, matches!(op, Op::Insert { .. })) {
            self.condition(table, condition);
            if matches!(op, Op::Upsert { .. }) {
                self.lives_for_ever(table, stamp);
            }
        }
    }

    /// `c = c + 5` or `c = c - 5`; the least number of 64 bits cannot be taken away.
    fn add(&mut self, col: &Col, n: i64) {
        let less = n.checked_neg().filter(|_| n < 0);
        let sign = if less.is_some() { " - " } else { " + " };
        for text in [col.name.as_str(), " = ", &col.name, sign] {
            self.push(text);
        }
        self.number(Slot::Value(col.ty), less.unwrap_or(n));
    }

    /// `UPDATE t SET c = c + {1}, c = c - {2}` or `SET c[1] = 2` or `SET c."f" = 3`, or a DELETE of what is only removed; of a list
    /// `SET c = [1] + c, c = c + [2]`.
    fn elements(
        &mut self,
        table: &TableLayout,
        col: &Col,
        list: &[(u16, Option<u64>)],
        stamp: Option<&Stamp>,
    ) {
        let (Some(composite), Some(slots)) = (col.ty.cells(), col.elements()) else {
            panic!("column {} has no elements of its own", col.name);
        };
        let removed = list.iter().all(|(_, value)| value.is_none());
        let is_udt = composite.kind == Kind::Udt;
        if removed && (is_udt || list.len() == 1) {
            self.push("DELETE ");
            for (i, (slot, _)) in list.iter().enumerate() {
                self.push(if i == 0 { "" } else { ", " });
                self.push(&col.name);
                self.element(composite, &slots, *slot);
            }
            self.push(" ");
            return self.from(table, stamp);
        }
        self.push("UPDATE ");
        self.push(&table.name);
        self.using(table, stamp);
        self.push(" SET ");
        let mut first = true;
        if is_udt || (composite.kind == Kind::Map && list.len() == 1) {
            for (slot, value) in list {
                self.comma(&mut first);
                self.push(&col.name);
                self.element(composite, &slots, *slot);
                self.push(" = ");
                let ty = slots.value_type(usize::from(*slot)).expect("it has values");
                let value = value.and_then(|v| slots.value(usize::from(*slot), v));
                self.typed(ty, &value.unwrap_or(Value::Null));
            }
            return;
        }
        if slots.are_listed() {
            return self.listed(col, &slots, list);
        }
        let set = Type::set_of(composite.parts[0]);
        for (sign, adds) in [(" + ", true), (" - ", false)] {
            let mut values = Vec::new();
            for (slot, value) in list.iter().filter(|(_, value)| value.is_some() == adds) {
                let slot = usize::from(*slot);
                values.extend(slots.key(slot));
                values.extend(value.and_then(|v| slots.value(slot, v)));
            }
            if values.is_empty() {
                continue;
            }
            self.comma(&mut first);
            self.push(&col.name);
            self.push(" = ");
            self.push(&col.name);
            self.push(sign);
            let ty = if adds { col.ty } else { set };
            self.typed(ty, &Value::Composite(values.into()));
        }
    }

    /// `c = [1] + c, c = c + [2]`
    fn listed(&mut self, col: &Col, slots: &Elements<'_>, list: &[(u16, Option<u64>)]) {
        let mut first = true;
        for in_front in [true, false] {
            let there = |number: &Option<u64>| (*number == Some(Elements::IN_FRONT)) == in_front;
            let chosen = list.iter().filter(|(_, number)| there(number));
            let values: Vec<Value> = chosen
                .filter_map(|(slot, _)| slots.key(usize::from(*slot)))
                .collect();
            if values.is_empty() {
                continue;
            }
            let values = Value::Composite(values.into());
            self.comma(&mut first);
            self.push(&col.name);
            self.push(" = ");
            if in_front {
                self.typed(col.ty, &values);
                self.push(" + ");
                self.push(&col.name);
            } else {
                self.push(&col.name);
                self.push(" + ");
                self.typed(col.ty, &values);
            }
        }
    }

    /// `[1]` or `."f"`
    fn element(&mut self, composite: &Composite, slots: &Elements<'_>, slot: u16) {
        let slot = usize::from(slot);
        match slots.key(slot) {
            Some(key) => {
                self.push("[");
                self.typed(composite.parts[0], &key);
                self.push("]");
            }
            None => {
                self.push(".");
                self.push(&quoted(&composite.names[slot]));
            }
        }
    }

    /// A value that is no whole column's.
    fn typed(&mut self, ty: Type, value: &Value) {
        let from = self.statement.params.len();
        value.encode(&mut self.statement.params);
        self.slot(Slot::Value(ty), from);
    }

    /// ` IF EXISTS`, ` IF c = 5`: the end of a lightweight transaction.
    fn condition(&mut self, table: &TableLayout, condition: &Condition) {
        match condition {
            Condition::NotExists => self.push(" IF NOT EXISTS"),
            Condition::Exists => self.push(" IF EXISTS"),
            Condition::Equals { column, value } => {
                let col = table.any(*column);
                self.push(" IF ");
                self.push(&col.name);
                self.push(" = ");
                self.value(col, *value);
            }
        }
    }

    /// ` USING TIMESTAMP 5 AND TTL 60`; a lightweight transaction has the server's clock.
    fn using(&mut self, table: &TableLayout, stamp: Option<&Stamp>) {
        let Some(stamp) = stamp.filter(|s| s.condition.is_none()) else {
            return self.lives_for_ever(table, stamp);
        };
        self.at(stamp);
        // What the table gives by itself is left to it.
        if stamp.ttl != table.time_to_live {
            self.push(" AND TTL ");
            self.number(Slot::Count, i64::from(stamp.ttl.unwrap_or(0)));
        }
    }

    /// ` USING TTL 0`, of a lightweight transaction on a table that gives a time to live to what has none.
    fn lives_for_ever(&mut self, table: &TableLayout, stamp: Option<&Stamp>) {
        if stamp.is_some() && table.time_to_live.is_some() {
            self.push(" USING TTL 0");
        }
    }

    /// ` USING TIMESTAMP 5`
    fn at(&mut self, stamp: &Stamp) {
        self.push(" USING TIMESTAMP ");
        self.number(Slot::Stamp, stamp.timestamp);
    }

    /// `FROM t USING TIMESTAMP 5`; a deletion lives for ever.
    fn from(&mut self, table: &TableLayout, stamp: Option<&Stamp>) {
        self.push("FROM ");
        self.push(&table.name);
        // Counters are deleted at the server's own time.
        if let Some(stamp) = stamp.filter(|s| s.condition.is_none() && !table.counts()) {
            self.at(stamp);
        }
    }

    fn update(&mut self, table: &TableLayout, cells: &Cells, stamp: Option<&Stamp>) {
        self.push("UPDATE ");
        self.push(&table.name);
        self.using(table, stamp);
        self.push(" SET ");
        for (i, (id, descriptor)) in cells.iter().enumerate() {
            let col = table.any(*id);
            self.push(if i == 0 { "" } else { ", " });
            self.push(&col.name);
            self.push(" = ");
            self.value(col, *descriptor);
        }
    }

    fn where_row(&mut self, table: &TableLayout, partition: u64, row: u64) {
        let mut first = true;
        self.whole_key(&table.parts, partition, &mut first);
        self.whole_key(&table.rows, row, &mut first);
    }

    fn insert(&mut self, table: &TableLayout, partition: u64, row: u64, cells: &Cells) {
        self.push("INSERT INTO ");
        self.push(&table.name);
        self.push(" (");
        let mut first = true;
        for col in table.parts.columns.iter().chain(&table.rows.columns) {
            self.comma(&mut first);
            self.push(&col.name);
        }
        for (id, _) in cells {
            self.push(", ");
            self.push(&table.any(*id).name);
        }
        self.push(") VALUES (");
        let mut first = true;
        self.key(&table.parts, partition, |w, _, _| w.comma(&mut first));
        self.key(&table.rows, row, |w, _, _| w.push(", "));
        for (id, descriptor) in cells {
            self.push(", ");
            self.value(table.any(*id), *descriptor);
        }
        self.push(")");
    }

    fn query(&mut self, table: &TableLayout, q: &Query) {
        self.push("SELECT ");
        let mut first = true;
        match &q.select {
            Select::Columns(columns) => {
                if q.from == From::Shared {
                    self.push("DISTINCT ");
                }
                self.columns(table, columns, &mut first);
                if q.extras.stamps {
                    self.beside(table, columns, "writetime(", Want::Stamp, &mut first);
                }
                if q.extras.ttls {
                    self.beside(table, columns, "ttl(", Want::Count, &mut first);
                }
            }
            Select::Distinct(columns) => {
                self.push("DISTINCT ");
                self.columns(table, columns, &mut first);
            }
            Select::Aggregates(aggregates) => self.aggregates(table, aggregates, &mut first),
            Select::Group { by, aggregates } => {
                self.columns(table, by, &mut first);
                self.aggregates(table, aggregates, &mut first);
            }
        }
        if !q.rows.is_every() && !table.rows.columns.is_empty() && only_of_partition(table, q) {
            // Who chooses rows must select something of them. Nobody reads it.
            self.comma(&mut first);
            self.push(&table.rows.columns[0].name);
        }
        self.push(" FROM ");
        self.push(&table.name);
        let filtering = self.conditions(table, q);
        if let Select::Group { by, .. } = &q.select {
            for (i, id) in by.iter().enumerate() {
                self.push(if i == 0 { " GROUP BY " } else { ", " });
                self.push(&table.any(*id).name);
            }
        }
        let constant =
            |id: ColumnId| matches!(q.parts, Parts::One(_)) && table.parts.columns.iter().any(|c| c.id == id);
        let mut began = false;
        // Of one partition, the columns of its key are constants.
        for (id, order) in q.order.iter().filter(|(id, _)| !constant(*id)) {
            self.push(if std::mem::replace(&mut began, true) {
                ", "
            } else {
                " ORDER BY "
            });
            self.push(&table.any(*id).name);
            self.push(if *order == Order::Desc { " DESC" } else { " ASC" });
        }
        if let Some(rows) = q.extras.per_partition {
            self.push(" PER PARTITION LIMIT ");
            self.number(Slot::Count, i64::from(rows));
        }
        if let Some(rows) = q.limit {
            self.push(" LIMIT ");
            self.number(Slot::Count, i64::from(rows));
        }
        if filtering {
            self.push(" ALLOW FILTERING");
        }
    }

    /// WHERE; whether the server must look at more rows than it answers.
    fn conditions(&mut self, table: &TableLayout, q: &Query) -> bool {
        let mut first = true;
        match &q.parts {
            Parts::One(position) => self.whole_key(&table.parts, *position, &mut first),
            Parts::In(positions) => self.keys_in(&table.parts, positions, &mut first),
            Parts::All => {}
            Parts::Ring { after, upto } => {
                for (bound, sign) in [(after, " > "), (upto, " <= ")] {
                    if let Some(position) = bound {
                        self.and(&mut first);
                        self.token(&table.parts, *position, sign);
                    }
                }
            }
        }
        let keyless = first;
        match &q.rows {
            RowChoice::One(row) => self.whole_key(&table.rows, *row, &mut first),
            RowChoice::In(rows) if !table.rows.columns.is_empty() => {
                self.keys_in(&table.rows, rows, &mut first);
            }
            RowChoice::Slice(slice) => self.slice(&table.rows, slice, &mut first),
            RowChoice::All | RowChoice::In(_) => {}
        }
        for predicate in &q.filter {
            self.and(&mut first);
            self.predicate(table, predicate);
        }
        !q.filter.is_empty() || keyless && !first
    }

    /// `token(a, b) > token(1, 2)`
    fn token(&mut self, keys: &Keys, position: u64, sign: &str) {
        for (i, col) in keys.columns.iter().enumerate() {
            self.push(if i == 0 { "token(" } else { ", " });
            self.push(&col.name);
        }
        self.push(")");
        self.push(sign);
        self.push("token");
        self.key(keys, position, |w, i, _| w.push(if i == 0 { "(" } else { ", " }));
        self.push(")");
    }

    fn predicate(&mut self, table: &TableLayout, p: &Predicate) {
        let col = table.any(p.column);
        self.push(&col.name);
        self.push(match p.relation {
            Relation::Eq => " = ",
            Relation::Ne => " != ",
            Relation::Lt => " < ",
            Relation::Le => " <= ",
            Relation::Gt => " > ",
            Relation::Ge => " >= ",
            Relation::IsNull => return self.push(" IS NULL"),
            Relation::IsNotNull => return self.push(" IS NOT NULL"),
            Relation::Contains => " CONTAINS ",
            Relation::ContainsKey => " CONTAINS KEY ",
            Relation::ContainsEntry => "[",
        });
        let Some(inner) = p.relation.inner() else {
            return self.value(col, Some(p.value));
        };
        let asked = col.inside().expect("a collection").asked(inner, p.value);
        for (i, (ty, value)) in asked.into_iter().enumerate() {
            self.push(if i == 0 { "" } else { "] = " });
            self.typed(ty, &value);
        }
    }

    fn columns(&mut self, table: &TableLayout, ids: &[ColumnId], first: &mut bool) {
        for id in ids {
            let col = table.any(*id);
            self.comma(first);
            self.push(&col.name);
            self.want(Want::Value(col.ty));
        }
    }

    /// `writetime(c)` or `ttl(c)` of every selected column that is not of the key.
    fn beside(
        &mut self,
        table: &TableLayout,
        ids: &[ColumnId],
        function: &str,
        want: Want,
        first: &mut bool,
    ) {
        // Of a column of several cells there are several: they are not asked for.
        let cells = ids.iter().filter_map(|id| table.cell_column(*id));
        for col in cells.filter(|col| col.ty.is_dated()) {
            self.comma(first);
            self.push(function);
            self.push(&col.name);
            self.push(")");
            self.want(want);
        }
    }

    fn aggregates(&mut self, table: &TableLayout, aggregates: &[Aggregate], first: &mut bool) {
        for aggregate in aggregates {
            self.comma(first);
            let (name, id) = match aggregate {
                Aggregate::CountRows => {
                    self.push("count(*)");
                    self.want(Want::Count);
                    continue;
                }
                Aggregate::Count(id) => ("count(", *id),
                Aggregate::Min(id) => ("min(", *id),
                Aggregate::Max(id) => ("max(", *id),
                Aggregate::Sum(id) => ("sum(", *id),
                Aggregate::Avg(id) => ("avg(", *id),
            };
            let col = table.any(id);
            self.push(name);
            self.push(&col.name);
            self.push(")");
            self.want(match aggregate {
                Aggregate::Count(_) | Aggregate::CountRows => Want::Count,
                Aggregate::Min(_) | Aggregate::Max(_) => Want::Value(col.ty),
                Aggregate::Sum(_) | Aggregate::Avg(_) => Want::Sum(col.ty),
            });
        }
    }

    fn want(&mut self, want: Want) {
        if self.texts {
            self.statement.answer.push(want);
        }
    }
}

/// Whether a read selects static columns and none of a row.
fn only_of_partition(table: &TableLayout, q: &Query) -> bool {
    let partition = |id: ColumnId| table.parts.columns.iter().any(|c| c.id == id);
    let mut columns = q.select.columns().peekable();
    columns.peek().is_some() && columns.all(|id| partition(id) || table.is_shared(id))
}
