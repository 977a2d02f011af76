//! From the AST and the schema to statements. The differences between dialects are one table; the walk is one.
//!
//! The same walk renders for execution (placeholders, values apart in canonical bytes) and for people (values in place),
//! so that what a finding shows is what was sent.
//!
//! Knows no driver and no connection. Invariants:
//! * D1 the `i`-th placeholder of the text belongs to the `i`-th value of [`Statement::params`].
//! * D2 a statement's digest is a function of its text and its values alone.
//! * D3 every statement has an `answer`: one entry for each column that comes back, none for a write.
//! * D4 requests of one shape have one text: a session writes it once, afterwards only their values.

#[cfg_attr(
    not(feature = "cassandra"),
    expect(
        dead_code,
        unused_imports,
        reason = "what is left is what an export says to cqlsh"
    )
)]
pub(crate) mod cql;
pub(crate) mod ddl;
mod literal;
mod mysql;
pub mod parallel;
mod postgres;
mod render;
mod sqlite;
#[cfg(test)]
mod tests;
mod views;

use crate::cell::Cell;
use crate::layout::{Col, Layout};
use crate::target::{Rendered, Request};
use datagen::value::Type;
use history::{
    Aggregate, Answer, Condition, Discipline, From, Level, Op, Parts, Reason, ReasonKind, Select, Stamp, Step,
};
use std::sync::Arc;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

pub(crate) use ddl::objects;
pub(crate) use mysql::{BYTES_MAX as MARIADB_BYTES_MAX, MARIADB, MODE as MARIADB_MODE};
pub(crate) use postgres::POSTGRES;

pub(crate) use sqlite::{DIGITS_MAX as SQLITE_DIGITS_MAX, SQLITE};

/// What differs between the SQL databases.
pub(crate) struct Dialect {
    /// Writes the statements of a request.
    pub(crate) walk: Walk,
    /// What placeholders begin with.
    pub(crate) placeholder: char,
    /// Whether their number follows: `$1`, `?1`, or only `?`.
    pub(crate) numbered: bool,
    /// What an insert says that may meet a row of its key.
    pub(crate) conflict: Conflict,
    /// How a list of composite keys is written.
    pub(crate) tuples: Tuples,
    /// The column's type with its collation; `None` where the type is not offered.
    pub(crate) column_type: fn(Type) -> Option<String>,
    /// Appends a literal of a column's value.
    pub(crate) literal: fn(Cell<'_>, &mut String),
    /// BEGIN at a level, for writing or only for reading; statements with `; ` between them where it takes several.
    pub(crate) begin: fn(Level, bool) -> &'static str,
    /// What stands before and after the statements of a batch (logged, or not), each a statement of its own.
    pub(crate) batch: fn(bool) -> (&'static str, &'static str),
    /// Whether a primary key keeps DESC; where not, an index of its own does.
    pub(crate) descending_keys: bool,
    /// What follows a column's name in a key or an index: how much of it is kept there, where that must be said.
    pub(crate) indexed: fn(&Col) -> String,
    /// What follows the closing bracket of CREATE TABLE, by the table's index.
    pub(crate) table_options: fn(usize) -> &'static str,
    /// `min` and `max` of a type: what stands before and after the column. Types without them have a way round.
    pub(crate) extreme: fn(Type, Extreme) -> (&'static str, &'static str),
    /// `sum` of a type: what stands before and after the column.
    pub(crate) sum: fn(Type) -> (&'static str, &'static str),
    /// What to put behind two values of a type that are equal and may not be identical, so that their order tells them
    /// apart; `None` where equal is identical.
    pub(crate) told_apart: fn(Type) -> Option<&'static str>,
}

/// Writes the statements of a request into a script, with its values in place or apart.
pub(crate) type Walk = fn(&mut Script, &Dialect, &Layout, &Request<'_>, bool);

/// What a session is told beside the statements of a request.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(
    not(feature = "cassandra"),
    expect(dead_code, reason = "only Cassandra is told of them")
)]
pub(crate) struct Beside {
    /// What the visit says beside its statements.
    pub(crate) stamp: Option<Stamp>,
    /// Rows of a page of what is read.
    pub(crate) page: Option<u32>,
}

/// How `(a, b) IN (…)` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tuples {
    /// `(a, b) IN ((1, 2), (3, 4))`
    Rows,
    /// `(a, b) IN (VALUES (1, 2), (3, 4))`
    Values,
}

/// How an insert speaks of a row that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conflict {
    /// `INSERT INTO t … ON CONFLICT (k) DO UPDATE SET v = excluded.v`, `… ON CONFLICT DO NOTHING`
    OnConflict,
    /// `INSERT INTO t … ON DUPLICATE KEY UPDATE v = VALUES(v)`, `INSERT IGNORE INTO t …`
    OnDuplicateKey,
}

/// Which end of a column an aggregate looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extreme {
    Min,
    Max,
}

/// What comes back in one column of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    /// A value of a column's type.
    Value(Type),
    /// A count.
    Count,
    /// A sum over a column of the type: an `Int` for integers, a `Numeric` of the column's scale otherwise.
    Sum(Type),
    /// A write timestamp, or NULL.
    Stamp,
}

/// What a placeholder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// A value of a column's type.
    Value(Type),
    /// A row count (LIMIT, OFFSET).
    Count,
    /// A write timestamp.
    Stamp,
}

/// One statement, ready to be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Statement {
    /// Its text.
    pub(crate) sql: String,
    /// The values of its placeholders, canonical, one after another.
    pub(crate) params: Vec<u8>,
    /// What each placeholder stands for.
    pub(crate) slots: Vec<Slot>,
    /// What comes back in each column; empty for a write.
    pub(crate) answer: Vec<Want>,
    /// The hash of `sql`.
    hash: u64,
}

impl Statement {
    /// One without values.
    pub(crate) fn of(sql: &str) -> Self {
        let mut statement = Self {
            sql: sql.to_owned(),
            ..Self::default()
        };
        statement.seal();
        statement
    }

    fn clear(&mut self) {
        self.sql.clear();
        self.params.clear();
        self.slots.clear();
        self.answer.clear();
    }

    /// Its text is written.
    fn seal(&mut self) {
        self.hash = xxh3_64(self.sql.as_bytes());
    }

    /// The values of the placeholders, in order.
    pub(crate) fn cells(&self) -> impl Iterator<Item = Cell<'_>> {
        let mut rest = self.params.as_slice();
        self.slots.iter().map(move |_| Cell::take(&mut rest))
    }
}

/// The statements of one request; its buffers are used again for the next.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    /// Those of the last request, in order.
    statements: Vec<Statement>,
    /// How many of them the walk has begun.
    used: usize,
    /// Whether the walk writes only values, into statements whose text is there.
    values_only: bool,
    /// Statements whose text was written for requests before, in the place that the hash of their shape gives.
    kept: Vec<Kept>,
    /// Where the statements of the last request go back to: place, shape's hash, how many.
    lent: Vec<(usize, u64, usize)>,
    shape: Vec<u8>,
    /// Of the last request, where the dialect has something beside its statements.
    pub(crate) beside: Beside,
}

/// The statements of one shape that nobody uses: as many times `each` as one request had.
#[derive(Debug, Clone, Default)]
struct Kept {
    shape: Vec<u8>,
    hash: u64,
    each: usize,
    spare: Vec<Statement>,
}

/// Shapes whose texts a session keeps: a workload has some dozens.
const SHAPES: usize = 256;

impl Script {
    /// The statements, in order.
    pub(crate) fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// The digest of them all (F4).
    fn digest(&self) -> u64 {
        self.statements().iter().fold(0, |seed, s| {
            xxh3_64_with_seed(&s.params, s.hash ^ seed.rotate_left(1))
        })
    }

    fn next(&mut self) -> &mut Statement {
        if self.used == self.statements.len() {
            self.statements.push(Statement::default());
        }
        let statement = &mut self.statements[self.used];
        if self.values_only {
            statement.params.clear();
        } else {
            statement.clear();
        }
        self.used += 1;
        statement
    }

    /// Renders a request with placeholders.
    fn render(&mut self, dialect: &Dialect, layout: &Layout, request: &Request<'_>) {
        self.write(dialect, layout, request, false);
    }

    /// The same where dialect and layout never change: each text is written once (D4). The statements of a batch are kept one
    /// by one: hardly two batches are alike.
    fn render_next(&mut self, dialect: &Dialect, layout: &Layout, request: &Request<'_>) {
        self.take_back();
        let Request::Stamped {
            steps,
            stamp,
            batch: Some(logged),
        } = request
        else {
            self.lend(dialect, layout, request);
            return;
        };
        let (begin, end) = (dialect.batch)(*logged);
        self.lend_words(begin);
        for step in render::in_key_order(steps) {
            let steps = std::slice::from_ref(step);
            let batch = None;
            self.lend(dialect, layout, &Request::Stamped { steps, stamp, batch });
        }
        self.lend_words(end);
    }

    /// Adds the statements of a request, of which one shape has one text.
    fn lend(&mut self, dialect: &Dialect, layout: &Layout, request: &Request<'_>) {
        let mut shape = std::mem::take(&mut self.shape);
        shape.clear();
        put_shape(dialect, layout, request, &mut shape);
        let (from, place) = (self.statements.len(), self.find(&shape));
        self.shape = shape;
        self.used = from;
        self.values_only = self.take(place);
        (dialect.walk)(self, dialect, layout, request, false);
        if !std::mem::take(&mut self.values_only) {
            self.statements[from..].iter_mut().for_each(Statement::seal);
        }
        self.note(place, from);
    }

    /// Adds a statement that is always the same.
    fn lend_words(&mut self, words: &'static str) {
        let mut shape = std::mem::take(&mut self.shape);
        shape.clear();
        shape.push(u8::MAX);
        shape.extend_from_slice(words.as_bytes());
        let (from, place) = (self.statements.len(), self.find(&shape));
        self.shape = shape;
        if !self.take(place) {
            self.statements.push(Statement::of(words));
        }
        self.note(place, from);
    }

    /// The place of a shape; whatever else was kept there is forgotten.
    fn find(&mut self, shape: &[u8]) -> usize {
        if self.kept.len() < SHAPES {
            self.kept.resize_with(SHAPES, Kept::default);
        }
        let hash = xxh3_64(shape);
        let place = usize::try_from(hash % SHAPES as u64).expect("below SHAPES");
        let kept = &mut self.kept[place];
        if kept.shape != shape {
            kept.spare.clear();
            kept.shape.clear();
            kept.shape.extend_from_slice(shape);
            (kept.hash, kept.each) = (hash, 0);
        }
        place
    }

    /// Takes the statements of a place, where there are some to spare.
    fn take(&mut self, place: usize) -> bool {
        let kept = &mut self.kept[place];
        let Some(rest) = kept.spare.len().checked_sub(kept.each).filter(|_| kept.each > 0) else {
            return false;
        };
        self.statements.extend(kept.spare.drain(rest..));
        true
    }

    /// Notes where the statements from one on belong.
    fn note(&mut self, place: usize, from: usize) {
        let kept = &mut self.kept[place];
        kept.each = self.statements.len() - from;
        self.lent.push((place, kept.hash, kept.each));
    }

    /// Puts the statements of the last request back.
    fn take_back(&mut self) {
        let mut statements = self.statements.drain(..);
        for (place, hash, many) in self.lent.drain(..) {
            let kept = &mut self.kept[place];
            let theirs = statements.by_ref().take(many);
            if kept.hash == hash {
                kept.spare.extend(theirs);
            } else {
                theirs.for_each(drop);
            }
        }
        drop(statements);
        self.used = 0;
    }

    fn write(&mut self, dialect: &Dialect, layout: &Layout, request: &Request<'_>, literal: bool) {
        self.take_back();
        (dialect.walk)(self, dialect, layout, request, literal);
        self.statements.iter_mut().for_each(Statement::seal);
    }
}

/// Appends what the text of a request depends on: all but its values.
fn put_shape(dialect: &Dialect, layout: &Layout, request: &Request<'_>, into: &mut Vec<u8>) {
    match request {
        Request::Begin { level, writes } => {
            into.push(0);
            into.extend_from_slice((dialect.begin)(*level, *writes).as_bytes());
        }
        Request::Commit => into.push(1),
        Request::Rollback => into.push(2),
        Request::Step(step) => {
            into.push(3);
            step.shape(into);
        }
        Request::Stamped { steps, stamp, batch } => {
            into.push(4 + batch.map_or(0, |logged| 1 + u8::from(logged)));
            let written = steps.iter().find_map(|step| match step {
                Step::Write(op) => Some(op.part().table),
                _ => None,
            });
            // What its table gives by itself is not said.
            let given = written.and_then(|table| layout.table(table).time_to_live);
            into.push(u8::from(stamp.ttl != given));
            match stamp.condition {
                None => into.push(0),
                Some(Condition::NotExists) => into.push(1),
                Some(Condition::Exists) => into.push(2),
                Some(Condition::Equals { column, .. }) => {
                    into.push(3);
                    into.extend_from_slice(&column.0.to_le_bytes());
                }
            }
            into.extend_from_slice(&steps.len().to_le_bytes());
            // ALTER takes no placeholders.
            if let [Step::Change(_)] = steps {
                into.extend_from_slice(&stamp.timestamp.to_le_bytes());
            }
            let mut put = |step: &Step| {
                step.shape(into);
                // In front or behind is another text, where the column is a list.
                if let Step::Write(history::Op::Elements { elements, .. }) = step {
                    let in_front = datagen::domain::Elements::IN_FRONT;
                    into.extend(
                        elements
                            .iter()
                            .map(|(_, number)| u8::from(*number == Some(in_front))),
                    );
                }
            };
            match batch {
                None => steps.iter().for_each(&mut put),
                Some(_) => render::in_key_order(steps).into_iter().for_each(&mut put),
            }
        }
    }
}

/// What SQL targets and the reference leave out of a request under `lww`, in a few words. `conditional`: lightweight transactions
/// are offered.
pub(crate) fn not_offered(request: &Request<'_>, conditional: bool) -> Option<&'static str> {
    let Request::Stamped { steps, stamp, .. } = request else {
        return None;
    };
    let insert = |step: &Step| matches!(step, Step::Write(Op::Insert { .. }));
    let joined = |step: &Step| matches!(step, Step::Read(query) if !matches!(query.from, From::Table | From::LeftJoin));
    let of_a_ring = |step: &Step| match step {
        Step::Read(query) => {
            let average = |a: &Aggregate| matches!(a, Aggregate::Avg(_));
            let averages = match &query.select {
                Select::Aggregates(list) | Select::Group { aggregates: list, .. } => list.iter().any(average),
                Select::Columns(_) | Select::Distinct(_) => false,
            };
            averages || query.extras.ttls || matches!(query.parts, Parts::Ring { .. })
        }
        Step::Write(_) | Step::Savepoint(_) | Step::RollbackTo(_) | Step::Change(_) => false,
    };
    if steps.iter().any(of_a_ring) {
        Some("a range of tokens, ttl() or avg()")
    } else if stamp.ttl.is_some() {
        Some("a time to live")
    } else if stamp.condition.is_some() && !conditional {
        Some("a lightweight transaction")
    } else if steps.iter().any(joined) {
        Some("a read of the shared columns alone or by a join (they are read with their rows)")
    } else if steps.iter().any(insert) {
        Some("an insert that does nothing where the row exists")
    } else {
        None
    }
}

/// The refusal of what is [`not_offered`].
pub(crate) fn refusal(request: &Request<'_>, conditional: bool) -> Option<Answer> {
    let what = not_offered(request, conditional)?;
    Some(Answer::Refused(Reason {
        kind: ReasonKind::Other,
        code: String::new(),
        text: format!("{what} is not offered here where the greatest timestamp wins"),
    }))
}

/// What is [`not_offered`], for `Target::left_out`; and pages, which are passed over: a read is one.
pub(crate) fn left_out_of(discipline: Discipline) -> impl Iterator<Item = String> {
    let words: &[&str] = match discipline {
        Discipline::Ordered => &[],
        Discipline::Lww => &[
            "under lww ranges of tokens, ttl(), avg(), time to live, lightweight transactions, inserts that look first, reads of the shared columns \
             alone or by a join, and pages (a read is one)",
        ],
    };
    words.iter().map(|words| (*words).to_owned())
}

/// Writes requests as the sessions of a target send them, one after another; its buffers are used again.
pub struct Renderer {
    dialect: &'static Dialect,
    layout: Arc<Layout>,
    /// What was written last.
    pub(crate) script: Script,
}

impl Renderer {
    pub(crate) fn new(dialect: &'static Dialect, layout: Arc<Layout>) -> Self {
        Self {
            dialect,
            layout,
            script: Script::default(),
        }
    }

    /// Writes a request; its digest (F4), a function of the statements' text and values.
    pub fn render(&mut self, request: &Request<'_>) -> u64 {
        self.script.render_next(self.dialect, &self.layout, request);
        self.script.digest()
    }

    /// What was written last.
    pub(crate) fn statements(&self) -> &[Statement] {
        self.script.statements()
    }

    /// What it writes about.
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }
}

/// The statements of a request with their values in place.
pub(crate) fn text(dialect: &Dialect, layout: &Layout, request: &Request<'_>) -> Vec<String> {
    let mut script = Script::default();
    script.write(dialect, layout, request, true);
    script.statements().iter().map(|s| s.sql.clone()).collect()
}

/// A request ready to be replayed.
pub(crate) fn rendered(dialect: &Dialect, layout: &Arc<Layout>, request: &Request<'_>) -> Rendered {
    let mut script = Script::default();
    script.render(dialect, layout, request);
    Rendered(script)
}
