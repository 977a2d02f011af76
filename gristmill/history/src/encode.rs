//! The canonical bytes of a visit, and their digest (F4): what the log keeps of what was meant.
//!
//! One direction only: visits are regenerated, never read back. H3: equal visits have equal bytes, and different visits
//! different ones, since every list is preceded by its length and every variant by its tag.
//!
//! The same walk without the values gives the shape of a step: what it has in common with others of the same text.

use crate::ast::{
    Aggregate, Cells, ChangeKind, Condition, Consistency, End, From, Op, Parts, Query, Relation, RowChoice,
    Select, Stamp, Step, Visit,
};
use crate::{Level, Part};
use datagen::universe::Slice;
use datagen::value::Order;
use xxhash_rust::xxh3::xxh3_64;

impl Visit {
    /// Appends the canonical bytes of the visit.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut w = Writer { out, values: true };
        w.num(self.lts.0);
        w.tag(level(self.level));
        w.list(&self.writes, |w, p| w.part(*p));
        w.list(&self.steps, Writer::step);
        w.tag(match self.end {
            End::Autocommit => 0,
            End::Commit => 1,
            End::Rollback => 2,
            End::Batch { logged } => 3 + u8::from(logged),
        });
        if let Some(stamp) = &self.stamp {
            w.stamp(stamp);
        }
    }

    /// The digest of the canonical bytes (XXH3, 64 bits). `scratch` is cleared and reused, so that a loop allocates once.
    pub fn digest(&self, scratch: &mut Vec<u8>) -> u64 {
        scratch.clear();
        self.encode(scratch);
        xxh3_64(scratch)
    }
}

impl Step {
    /// Appends what the step is without its values: steps of one shape differ in the positions, bounds, cells and counts that
    /// they name, not in how many these are or of which columns.
    pub fn shape(&self, out: &mut Vec<u8>) {
        Writer { out, values: false }.step(self);
    }
}

/// Appends numbers as LEB128.
struct Writer<'a> {
    out: &'a mut Vec<u8>,
    /// Whether values are appended, or only what has them.
    values: bool,
}

impl Writer<'_> {
    fn tag(&mut self, tag: u8) {
        self.out.push(tag);
    }

    fn num(&mut self, mut n: u64) {
        if n < 0x80 {
            self.out.push(u8::try_from(n).expect("below 128"));
            return;
        }
        let mut bytes = [0; 10];
        let mut length = 0;
        while n >= 0x80 {
            bytes[length] = u8::try_from(n & 0x7f).expect("seven bits") | 0x80;
            length += 1;
            n >>= 7;
        }
        bytes[length] = u8::try_from(n).expect("below 128");
        self.out.extend_from_slice(&bytes[..=length]);
    }

    fn value(&mut self, n: u64) {
        if self.values {
            self.num(n);
        }
    }

    /// A number whose presence is part of the shape; 0 where there is none.
    fn some(&mut self, n: u64) {
        self.num(if self.values { n } else { n.min(1) });
    }

    /// Descriptors use all 64 bits, so LEB128 would cost ten bytes.
    fn descriptor(&mut self, d: Option<u64>) {
        match d {
            _ if !self.values => {}
            None => self.tag(0),
            Some(d) => {
                let mut bytes = [1; 9];
                bytes[1..].copy_from_slice(&d.to_le_bytes());
                self.out.extend_from_slice(&bytes);
            }
        }
    }

    fn list<T>(&mut self, items: &[T], each: impl Fn(&mut Self, &T)) {
        self.num(items.len() as u64);
        for item in items {
            each(self, item);
        }
    }

    fn part(&mut self, p: Part) {
        self.num(u64::from(p.table));
        self.value(p.position);
    }

    fn cells(&mut self, cells: &Cells) {
        self.list(cells, |w, (column, d)| {
            w.num(u64::from(column.0));
            w.descriptor(*d);
        });
    }

    fn slice(&mut self, s: &Slice) {
        self.list(&s.prefix, |w, digit| w.value(u64::from(*digit)));
        for end in [&s.lower, &s.upper] {
            match end {
                None => self.tag(0),
                Some((digit, inclusive)) => {
                    self.tag(1 + u8::from(*inclusive));
                    self.value(u64::from(*digit));
                }
            }
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Write(op) => {
                self.tag(0);
                self.op(op);
            }
            Step::Read(query) => {
                self.tag(1);
                self.query(query);
            }
            Step::Savepoint(n) => {
                self.tag(2);
                self.tag(*n);
            }
            Step::RollbackTo(n) => {
                self.tag(3);
                self.tag(*n);
            }
            Step::Change(change) => {
                self.tag(4);
                self.tag(match change.what {
                    ChangeKind::CreateIndex => 0,
                    ChangeKind::DropIndex => 1,
                    ChangeKind::DropColumn => 2,
                    ChangeKind::AddColumn => 3,
                });
                self.num(u64::from(change.table));
                self.num(u64::from(change.column.0));
            }
        }
    }

    fn op(&mut self, op: &Op) {
        let tag = match op {
            Op::Insert { strict, .. } => u8::from(*strict),
            Op::Upsert { .. } => 2,
            Op::Update { .. } => 3,
            Op::Shared { .. } => 4,
            Op::DeleteRow { .. } => 5,
            Op::DeleteCells { .. } => 6,
            Op::DeleteSlice { .. } => 7,
            Op::DeletePartition { .. } => 8,
            Op::Elements { .. } => 9,
            Op::Add { .. } => 10,
        };
        self.tag(tag);
        self.part(op.part());
        match op {
            Op::Insert { row, cells, .. } | Op::Upsert { row, cells, .. } | Op::Update { row, cells, .. } => {
                self.value(*row);
                self.cells(cells);
            }
            Op::Shared { cells, .. } => self.cells(cells),
            Op::DeleteRow { row, .. } => self.value(*row),
            Op::DeleteCells { row, columns, .. } => {
                self.value(*row);
                self.list(columns, |w, c| w.num(u64::from(c.0)));
            }
            Op::Elements {
                row,
                column,
                elements,
                ..
            } => {
                self.tag(u8::from(row.is_some()));
                row.iter().for_each(|row| self.value(*row));
                self.num(u64::from(column.0));
                self.list(elements, |w, (slot, value)| {
                    w.num(u64::from(*slot));
                    w.tag(u8::from(value.is_some()));
                    value.iter().for_each(|value| w.value(*value));
                });
            }
            Op::Add { row, amounts, .. } => {
                self.tag(u8::from(row.is_some()));
                row.iter().for_each(|row| self.value(*row));
                self.list(amounts, |w, (column, amount)| {
                    w.num(u64::from(column.0));
                    // Taking away has other words than adding.
                    w.tag(u8::from(*amount < 0 && *amount != i64::MIN));
                    w.value(amount.cast_unsigned());
                });
            }
            Op::DeleteSlice { slice, .. } => self.slice(slice),
            Op::DeletePartition { .. } => {}
        }
    }

    fn query(&mut self, q: &Query) {
        self.num(u64::from(q.table));
        self.tag(match q.from {
            From::Table => 0,
            From::Shared => 1,
            From::InnerJoin => 2,
            From::LeftJoin => 3,
        });
        match &q.parts {
            Parts::One(p) => {
                self.tag(0);
                self.value(*p);
            }
            Parts::In(list) => {
                self.tag(1);
                self.list(list, |w, p| w.value(*p));
            }
            Parts::All => self.tag(2),
            Parts::Ring { after, upto } => {
                self.tag(3);
                for bound in [after, upto] {
                    // Which of them there are is part of the shape.
                    self.tag(u8::from(bound.is_some()));
                    bound.iter().for_each(|position| self.value(*position));
                }
            }
        }
        match &q.rows {
            RowChoice::All => self.tag(0),
            RowChoice::One(r) => {
                self.tag(1);
                self.value(*r);
            }
            RowChoice::In(list) => {
                self.tag(2);
                self.list(list, |w, r| w.value(*r));
            }
            RowChoice::Slice(s) => {
                self.tag(3);
                self.slice(s);
            }
        }
        self.list(&q.filter, |w, p| {
            w.num(u64::from(p.column.0));
            w.tag(relation(p.relation));
            w.descriptor(Some(p.value));
        });
        match &q.select {
            Select::Columns(columns) => {
                self.tag(0);
                self.list(columns, |w, c| w.num(u64::from(c.0)));
            }
            Select::Distinct(columns) => {
                self.tag(1);
                self.list(columns, |w, c| w.num(u64::from(c.0)));
            }
            Select::Aggregates(aggregates) => {
                self.tag(2);
                self.list(aggregates, Writer::aggregate);
            }
            Select::Group { by, aggregates } => {
                self.tag(3);
                self.list(by, |w, c| w.num(u64::from(c.0)));
                self.list(aggregates, Writer::aggregate);
            }
        }
        self.list(&q.order, |w, (c, order)| {
            w.num(u64::from(c.0));
            w.tag(u8::from(*order == Order::Desc));
        });
        self.some(q.limit.map_or(0, |n| u64::from(n) + 1));
        self.some(u64::from(q.offset));
        // Histories without them keep the bytes that they had: nothing follows a query that could begin with this tag.
        if !q.extras.is_none() {
            self.tag(EXTRAS);
            self.tag(u8::from(q.extras.stamps) | u8::from(q.extras.ttls) << 1);
            self.some(q.extras.per_partition.map_or(0, |n| u64::from(n) + 1));
            self.some(q.extras.page.map_or(0, |n| u64::from(n) + 1));
        }
    }

    fn stamp(&mut self, stamp: &Stamp) {
        self.descriptor(Some(stamp.timestamp.cast_unsigned()));
        self.num(stamp.ttl.map_or(0, |n| u64::from(n) + 1));
        let place = Consistency::ALL
            .iter()
            .position(|(level, _)| *level == stamp.consistency);
        self.num(place.expect("ALL lists every level") as u64);
        self.num(u64::from(stamp.node));
        match stamp.condition {
            None => {}
            Some(Condition::NotExists) => self.tag(1),
            Some(Condition::Exists) => self.tag(2),
            Some(Condition::Equals { column, value }) => {
                self.tag(3);
                self.num(u64::from(column.0));
                self.descriptor(value);
            }
        }
    }

    fn aggregate(&mut self, a: &Aggregate) {
        let (tag, column) = match a {
            Aggregate::CountRows => (0, None),
            Aggregate::Count(c) => (1, Some(c)),
            Aggregate::Min(c) => (2, Some(c)),
            Aggregate::Max(c) => (3, Some(c)),
            Aggregate::Sum(c) => (4, Some(c)),
            Aggregate::Avg(c) => (5, Some(c)),
        };
        self.tag(tag);
        if let Some(c) = column {
            self.num(u64::from(c.0));
        }
    }
}

/// Marks what only some queries say.
const EXTRAS: u8 = 0x7f;

fn level(level: Level) -> u8 {
    match level {
        Level::ReadUncommitted => 0,
        Level::ReadCommitted => 1,
        Level::RepeatableRead => 2,
        Level::Snapshot => 3,
        Level::Serializable => 4,
    }
}

fn relation(relation: Relation) -> u8 {
    match relation {
        Relation::Eq => 0,
        Relation::Ne => 1,
        Relation::Lt => 2,
        Relation::Le => 3,
        Relation::Gt => 4,
        Relation::Ge => 5,
        Relation::IsNull => 6,
        Relation::IsNotNull => 7,
        Relation::Contains => 8,
        Relation::ContainsKey => 9,
        Relation::ContainsEntry => 10,
    }
}
