//! A partition where the greatest timestamp wins, as a plain list of writes: every question looks at all of them.

use super::state::{Content, Line, is_in};
use datagen::schema::{ColumnId, Table};
use datagen::value::{Nulls, Value};
use history::{ChangeKind, Lts, Op, Part, Semantics, Step, Ties, Visit};
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// One write of a visit.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) lts: Lts,
    pub(crate) timestamp: i64,
    pub(crate) ttl: Option<u32>,
    pub(crate) did: Did,
    /// NULLs that it lists are what is left of a deletion.
    pub(crate) deletes: bool,
}

/// What a write does to a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Did {
    Op(Op),
    /// A column of its table was dropped.
    Dropped(ColumnId),
}

impl Written {
    /// The operation; of a drop there is none.
    pub(crate) fn op(&self) -> Option<&Op> {
        match &self.did {
            Did::Op(op) => Some(op),
            Did::Dropped(_) => None,
        }
    }
}

/// The writes of a visit to a partition.
pub(crate) fn written(visit: &Visit, part: Part) -> Vec<Written> {
    let stamp = visit.stamp.expect("every visit has a timestamp under lww");
    let ops = visit.steps.iter().filter_map(|step| match step {
        Step::Write(op) if op.part() == part => Some(Did::Op(op.clone())),
        Step::Change(change) if change.table == part.table && change.what == ChangeKind::DropColumn => {
            Some(Did::Dropped(change.column))
        }
        _ => None,
    });
    ops.map(|did| Written {
        lts: visit.lts,
        timestamp: stamp.timestamp,
        ttl: stamp.ttl,
        did,
        deletes: false,
    })
    .collect()
}

/// What stands in a cell.
enum Stands {
    Nothing,
    /// Value, timestamp, and whose it is where it expires.
    Value(Value, i64, Option<(Lts, u32)>),
    /// Two expiring values at one timestamp.
    Doubt,
}

/// What is asked of the writes of one partition.
pub(crate) struct Race<'a> {
    pub(crate) table: &'a Table,
    pub(crate) writes: &'a [Written],
    /// Visits whose expiring values are gone.
    pub(crate) expired: &'a BTreeSet<Lts>,
    pub(crate) semantics: &'a Semantics,
}

impl Race<'_> {
    /// Everything that is visible; `None` where somebody's clock decides which of two values stands.
    pub(crate) fn content(&self) -> Option<Content> {
        let mut content = Content::default();
        let mut rows: Vec<u64> = self.writes.iter().filter_map(|w| w.op()?.row()).collect();
        rows.sort_unstable();
        rows.dedup();
        for row in rows {
            let deleted = self.deleted(row);
            let live = match self.stands(deleted, |op| match op {
                Op::Insert { row: r, .. } | Op::Upsert { row: r, .. } if *r == row => Some(Some(Value::Null)),
                _ => None,
            }) {
                Stands::Doubt => return None,
                Stands::Nothing => false,
                Stands::Value(..) => true,
            };
            let mut line = Line::new();
            for column in &self.table.regular {
                line.extend(self.sum(Some(row), column.id).map(|sum| (column.id, sum)));
                if self.table.domain(column.id).elements().is_some() {
                    let value = self.composite(Some(row), column.id, deleted)?;
                    line.extend(value.map(|value| (column.id, value)));
                    continue;
                }
                let gone = deleted.max(self.dropped(column.id));
                let stands = self.stands(gone, |op| self.regular(op, row, column.id));
                match stands {
                    Stands::Doubt => return None,
                    Stands::Nothing => {}
                    Stands::Value(value, timestamp, life) => {
                        line.insert(column.id, value);
                        content.stamps.insert((Some(row), column.id), timestamp);
                        content
                            .lives
                            .extend(life.map(|life| ((Some(row), column.id), life)));
                    }
                }
            }
            if live || !line.is_empty() {
                content.rows.insert(row, line);
            }
        }
        let gone = self.newest(|op| matches!(op, Op::DeletePartition { .. }));
        let mut shared = Line::new();
        for column in &self.table.shared {
            if self.table.domain(column.id).elements().is_some() {
                let value = self.composite(None, column.id, gone)?;
                shared.extend(value.map(|value| (column.id, value)));
                continue;
            }
            let gone = gone.max(self.dropped(column.id));
            let stands = self.stands(gone, |op| match op {
                Op::Shared { cells, .. } => self.listed(cells, column.id),
                _ => None,
            });
            match stands {
                Stands::Doubt => return None,
                Stands::Nothing => {}
                Stands::Value(value, timestamp, life) => {
                    shared.insert(column.id, value);
                    content.stamps.insert((None, column.id), timestamp);
                    content.lives.extend(life.map(|life| ((None, column.id), life)));
                }
            }
        }
        let sum = |column: &datagen::schema::Column| Some((column.id, self.sum(None, column.id)?));
        shared.extend(self.table.shared.iter().filter_map(sum));
        content.shared = (!shared.is_empty()).then_some(shared);
        Some(content)
    }

    /// The value of a column whose elements are cells: each stands for itself, above the last deletion of all of them.
    /// `None`: somebody's clock decides.
    fn composite(&self, row: Option<u64>, column: ColumnId, deleted: Option<i64>) -> Option<Option<Value>> {
        let elements = self.table.domain(column).elements().expect("it has elements");
        let whole = |op: &Op| match op {
            Op::Insert { row: r, cells, .. }
            | Op::Upsert { row: r, cells, .. }
            | Op::Update { row: r, cells, .. }
                if Some(*r) == row =>
            {
                cells.iter().find(|(c, _)| *c == column).map(|(_, d)| *d)
            }
            Op::Shared { cells, .. } if row.is_none() => {
                cells.iter().find(|(c, _)| *c == column).map(|(_, d)| *d)
            }
            _ => None,
        };
        let emptied = self.writes.iter().filter_map(|w| match w.op()? {
            Op::DeleteCells { row: r, columns, .. } if Some(*r) == row && columns.contains(&column) => {
                Some(w.timestamp)
            }
            // What it replaces is older by at least one.
            op => whole(op).map(|_| w.timestamp - i64::from(!w.deletes)),
        });
        let deleted = deleted.max(emptied.max());
        let mut parts = Vec::new();
        for slot in 0..elements.slots() {
            let value = |number| elements.value(slot, number).unwrap_or(Value::Null);
            let stands = self.stands(deleted, |op| match op {
                Op::Elements {
                    row: r,
                    column: c,
                    elements,
                    ..
                } if (*r, *c) == (row, column) => {
                    let (_, number) = elements.iter().find(|(s, _)| usize::from(*s) == slot)?;
                    Some(number.map(value))
                }
                op => {
                    let entries = elements.split(whole(op)??);
                    let (_, number) = entries.into_iter().find(|(s, _)| *s == slot)?;
                    Some(Some(value(number)))
                }
            });
            let stands = match stands {
                Stands::Doubt => return None,
                Stands::Nothing => None,
                Stands::Value(value, ..) => Some(value),
            };
            match (elements.key(slot), elements.value(slot, 0)) {
                (None, _) => parts.push(stands.unwrap_or(Value::Null)),
                (Some(key), has) => {
                    let there = stands.is_some();
                    parts.extend(there.then_some(key));
                    parts.extend(stands.filter(|_| has.is_some()));
                }
            }
        }
        let something = parts.iter().any(|part| !part.is_null());
        Some(something.then(|| Value::Composite(parts.into())))
    }

    /// What was added to a counter; `None`: nothing ever.
    fn sum(&self, row: Option<u64>, column: ColumnId) -> Option<Value> {
        let all = |op: &Op| matches!(op, Op::DeletePartition { .. });
        if row
            .map_or_else(|| self.newest(all), |row| self.deleted(row))
            .is_some()
        {
            return None;
        }
        let added = self.writes.iter().filter_map(|w| match w.op()? {
            Op::Add { row: r, amounts, .. } if *r == row => {
                amounts.iter().find(|(c, _)| *c == column).map(|(_, n)| *n)
            }
            _ => None,
        });
        added.reduce(i64::wrapping_add).map(Value::Int)
    }

    fn regular(&self, op: &Op, row: u64, column: ColumnId) -> Option<Option<Value>> {
        match op {
            Op::Insert { row: r, cells, .. }
            | Op::Upsert { row: r, cells, .. }
            | Op::Update { row: r, cells, .. }
                if *r == row =>
            {
                self.listed(cells, column)
            }
            Op::DeleteCells { row: r, columns, .. } if *r == row && columns.contains(&column) => Some(None),
            _ => None,
        }
    }

    /// What a list of cells says of a column: nothing, NULL, or a value.
    fn listed(&self, cells: &history::Cells, column: ColumnId) -> Option<Option<Value>> {
        let (_, d) = cells.iter().find(|(c, _)| *c == column)?;
        Some(d.map(|d| self.table.domain(column).inflate(d)))
    }

    fn newest(&self, is: impl Fn(&Op) -> bool) -> Option<i64> {
        self.writes
            .iter()
            .filter(|w| w.op().is_some_and(&is))
            .map(|w| w.timestamp)
            .max()
    }

    /// Up to when a column was dropped.
    fn dropped(&self, column: ColumnId) -> Option<i64> {
        let drops = |w: &&Written| matches!(w.did, Did::Dropped(c) if c == column);
        self.writes.iter().filter(drops).map(|w| w.timestamp).max()
    }

    fn deleted(&self, row: u64) -> Option<i64> {
        self.newest(|op| match op {
            Op::DeletePartition { .. } => true,
            Op::DeleteRow { row: r, .. } => *r == row,
            Op::DeleteSlice { slice, .. } => is_in(self.table, row, slice),
            _ => false,
        })
    }

    /// Of all writes that say something: the newest above the deletion, ties decided.
    fn stands(&self, deleted: Option<i64>, says: impl Fn(&Op) -> Option<Option<Value>>) -> Stands {
        let all: Vec<(&Written, Option<Value>)> = self
            .writes
            .iter()
            .filter(|w| deleted.is_none_or(|d| w.timestamp > d))
            .filter_map(|w| says(w.op()?).map(|v| (w, v)))
            .collect();
        let Some(newest) = all.iter().map(|(w, _)| w.timestamp).max() else {
            return Stands::Nothing;
        };
        let tied: Vec<&(&Written, Option<Value>)> =
            all.iter().filter(|(w, _)| w.timestamp == newest).collect();
        if tied.iter().any(|(_, v)| v.is_none()) {
            return Stands::Nothing;
        }
        let expire: BTreeSet<Lts> = tied
            .iter()
            .filter(|(w, _)| w.ttl.is_some())
            .map(|(w, _)| w.lts)
            .collect();
        if expire.len() > 1 {
            return Stands::Doubt;
        }
        let mut best: Option<&Value> = None;
        for (w, value) in &tied {
            if !expire.is_empty() && !expire.contains(&w.lts) {
                continue;
            }
            let value = value.as_ref().expect("no tombstone among them");
            if best.is_none_or(|b| greater(value, b, self.semantics.ties)) {
                best = Some(value);
            }
        }
        if expire.iter().any(|lts| self.expired.contains(lts)) {
            return Stands::Nothing;
        }
        let life = tied.iter().find_map(|(w, _)| Some((w.lts, w.ttl?)));
        Stands::Value(best.expect("one of them stands").clone(), newest, life)
    }
}

/// Whether a value beats another one at one timestamp.
fn greater(a: &Value, b: &Value, ties: Ties) -> bool {
    let order = match ties {
        Ties::Greatest => a.compare(b, Nulls::First),
        Ties::GreatestBytes => by_bytes(a, b),
    };
    order == Ordering::Greater
}

/// The order of serialized values.
fn by_bytes(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        // The sign is the highest bit, so what is negative is greater; within a sign nothing changes.
        (Value::Int(x), Value::Int(y))
        | (Value::Timestamp(x), Value::Timestamp(y))
        | (Value::TimestampTz(x), Value::TimestampTz(y)) => (*x < 0).cmp(&(*y < 0)).then(x.cmp(y)),
        (Value::Float32(x), Value::Float32(y)) => x.to_bits().cmp(&y.to_bits()),
        (Value::Float64(x), Value::Float64(y)) => x.to_bits().cmp(&y.to_bits()),
        (Value::Numeric(x, s), Value::Numeric(y, t)) => s.cmp(t).then_with(|| numeric(*x).cmp(&numeric(*y))),
        // The number of parts, then each with its length first; that of NULL is −1, all ones.
        (Value::Composite(x), Value::Composite(y)) => {
            let length = |v: &Value| match v {
                Value::Text(text) => text.len(),
                _ => 0,
            };
            let part = |(x, y): (&Value, &Value)| {
                let nulls = x.is_null().cmp(&y.is_null());
                nulls.then(length(x).cmp(&length(y))).then_with(|| by_bytes(x, y))
            };
            let parts = x.iter().zip(y).map(part);
            x.len()
                .cmp(&y.len())
                .then(parts.fold(Ordering::Equal, Ordering::then))
        }
        _ => a.compare(b, Nulls::First),
    }
}

/// The bytes of a whole number, as Java's `BigInteger.toByteArray` gives them.
fn numeric(mut n: i128) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = i8::from_le_bytes([n.to_le_bytes()[0]]);
        bytes.insert(0, n.to_le_bytes()[0]);
        n >>= 8;
        if (n == 0 && low >= 0) || (n == -1 && low < 0) {
            return bytes;
        }
    }
}
