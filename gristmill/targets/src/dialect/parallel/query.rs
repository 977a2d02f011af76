//! Queries and writes.

use super::{Writer, say};
use history::parallel::expr::{ColumnRef, Expr};
use history::parallel::statement::{
    Body, Conflict, Delete, From, Insert, Join, Query, Rows, Select, SetOp, Source, Update, Wait,
};
use std::fmt::Write;

impl Writer<'_> {
    pub(super) fn query(&mut self, query: &Query) {
        if !query.with.is_empty() {
            self.put("WITH ");
            self.put_if(query.with.iter().any(|t| t.recursive), "RECURSIVE ");
            self.list(&query.with, |w, t| {
                say!(w, "q{} (", t.number);
                w.list(0..t.query.body.width(), |w, i| say!(w, "x{i}"));
                w.put(") AS ");
                match t.materialized {
                    Some(true) => w.put("MATERIALIZED "),
                    Some(false) => w.put("NOT MATERIALIZED "),
                    None => {}
                }
                w.put("(");
                w.query(&t.query);
                w.put(")");
            });
            self.put(" ");
        }
        self.body(&query.body);
        if !query.order.is_empty() {
            self.put(" ORDER BY ");
            self.sorts(&query.order);
        }
        match (query.limit, query.offset) {
            (Some(n), _) => say!(self, " LIMIT {n}"),
            (None, Some(_)) => self.put(self.language.no_limit),
            (None, None) => {}
        }
        if let Some(n) = query.offset {
            say!(self, " OFFSET {n}");
        }
        if let Some(lock) = query.lock {
            self.put(" ");
            self.put(self.language.locks[usize::from(lock.share) * 2 + usize::from(lock.weak)]);
            self.put(match lock.wait {
                Wait::Block => "",
                Wait::NoWait => " NOWAIT",
                Wait::Skip => " SKIP LOCKED",
            });
        }
    }

    fn body(&mut self, body: &Body) {
        match body {
            Body::Select(select) => self.select(select),
            Body::Set { op, all, left, right } => {
                self.side(left, false);
                self.put(match op {
                    SetOp::Union => " UNION ",
                    SetOp::Intersect => " INTERSECT ",
                    SetOp::Except => " EXCEPT ",
                });
                self.put_if(*all, "ALL ");
                self.side(right, true);
            }
            Body::Values(rows) => {
                self.put("VALUES ");
                self.list(rows, |w, row| {
                    w.put("(");
                    w.list(row, |w, e| w.expr(e));
                    w.put(")");
                });
            }
        }
    }

    /// One side of a set operation. Where brackets are not taken, all operations bind alike and to the left.
    fn side(&mut self, body: &Body, right: bool) {
        if !matches!(body, Body::Set { .. }) {
            self.body(body);
        } else if self.language.brackets_sets {
            self.put("(");
            self.body(body);
            self.put(")");
        } else if right {
            self.put("SELECT * FROM (");
            self.body(body);
            self.put(")");
        } else {
            self.body(body);
        }
    }

    fn select(&mut self, select: &Select) {
        self.put("SELECT ");
        self.put_if(select.distinct, "DISTINCT ");
        if select.outputs.is_empty() {
            self.put("*");
        }
        self.list(select.outputs.iter().enumerate(), |w, (i, e)| {
            w.expr(e);
            say!(w, " AS x{i}");
        });
        if let Some(from) = &select.from {
            self.put(" FROM ");
            self.from(from);
        }
        self.filter(select.filter.as_ref());
        if !select.group.is_empty() {
            self.put(" GROUP BY ");
            self.list(&select.group, |w, e| w.expr(e));
        }
        if let Some(having) = &select.having {
            self.put(" HAVING ");
            self.expr(having);
        }
    }

    fn filter(&mut self, filter: Option<&Expr>) {
        if let Some(filter) = filter {
            self.put(" WHERE ");
            self.expr(filter);
        }
    }

    fn from(&mut self, from: &From) {
        match from {
            From::One { source, alias } => {
                match source {
                    Source::Slot(slot) => self.slot(*slot),
                    Source::Expression(n) => say!(self, "q{n}"),
                    Source::Query(query, lateral) => {
                        self.put_if(*lateral, "LATERAL ");
                        self.put("(");
                        self.query(query);
                        self.put(")");
                    }
                }
                say!(self, " AS r{alias}");
                if let Source::Query(query, _) = source
                    && let Body::Values(_) = query.body
                {
                    self.put(" (");
                    self.list(0..query.body.width(), |w, i| say!(w, "x{i}"));
                    self.put(")");
                }
            }
            From::Join {
                kind,
                left,
                right,
                on,
            } => {
                self.from(left);
                self.put(match kind {
                    Join::Inner => " JOIN ",
                    Join::Left => " LEFT JOIN ",
                    Join::Right => " RIGHT JOIN ",
                    Join::Full => " FULL JOIN ",
                    Join::Cross => " CROSS JOIN ",
                });
                let brackets = matches!(**right, From::Join { .. });
                self.put_if(brackets, "(");
                self.from(right);
                self.put_if(brackets, ")");
                if let Some(on) = on {
                    self.put(" ON ");
                    self.expr(on);
                }
            }
        }
    }

    pub(super) fn insert(&mut self, insert: &Insert) {
        self.put("INSERT INTO ");
        self.slot(insert.table);
        if !insert.columns.is_empty() {
            self.put(" ");
            self.columns(&insert.columns);
        }
        match &insert.rows {
            Rows::Values(rows) => {
                self.put(" VALUES ");
                self.list(rows, |w, row| {
                    w.put("(");
                    w.list(row, |w, cell| match cell {
                        Some(e) => w.expr(e),
                        None => w.put("DEFAULT"),
                    });
                    w.put(")");
                });
            }
            Rows::Query(query) => {
                self.put(" ");
                self.query(query);
            }
            Rows::Defaults => self.put(self.language.defaults),
        }
        if let Some(conflict) = &insert.conflict {
            self.conflict(conflict);
        }
        self.returning(&insert.returning);
    }

    fn conflict(&mut self, conflict: &Conflict) {
        if self.language.on_conflict {
            self.put(" ON CONFLICT");
            if !conflict.target.is_empty() {
                self.put(" ");
                self.columns(&conflict.target);
            }
            self.put(if conflict.set.is_empty() {
                " DO NOTHING"
            } else {
                " DO UPDATE SET "
            });
        } else {
            self.put(" ON DUPLICATE KEY UPDATE ");
            if let (true, Some(key)) = (conflict.set.is_empty(), conflict.target.first()) {
                // Nothing is done to the row that is there.
                self.named(key);
                self.put(" = ");
                self.named(key);
            }
        }
        self.list(&conflict.set, |w, (column, value)| {
            w.named(column);
            w.put(" = ");
            w.expr(value);
        });
    }

    pub(super) fn update(&mut self, update: &Update) {
        self.put("UPDATE ");
        self.slot(update.table);
        say!(self, " AS r{}", update.alias);
        self.put(" SET ");
        self.list(&update.set, |w, (column, value)| {
            w.named(column);
            w.put(" = ");
            match value {
                Some(e) => w.expr(e),
                None => w.put("DEFAULT"),
            }
        });
        if let Some(from) = &update.from {
            self.put(" FROM ");
            self.from(from);
        }
        self.filter(update.filter.as_ref());
        self.returning(&update.returning);
    }

    pub(super) fn delete(&mut self, delete: &Delete) {
        self.put("DELETE FROM ");
        self.slot(delete.table);
        if self.language.delete_alias {
            say!(self, " AS r{}", delete.alias);
        } else {
            self.unaliased = Some((delete.alias, delete.table));
        }
        if let Some(using) = &delete.using {
            self.put(" USING ");
            self.from(using);
        }
        self.filter(delete.filter.as_ref());
        self.returning(&delete.returning);
    }

    fn returning(&mut self, returning: &[Expr]) {
        if returning.is_empty() {
            return;
        }
        self.put(" RETURNING ");
        self.list(returning, |w, e| {
            w.expr(e);
            if !matches!(
                e,
                Expr::Column {
                    column: ColumnRef::Kept(_),
                    ..
                }
            ) {
                w.put(" AS x");
            }
        });
    }
}
