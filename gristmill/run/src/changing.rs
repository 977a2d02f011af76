//! A history in which a table's schema changes while visits go on, and in which what maintenance may not change is read right
//! after it.
//!
//! ```text
//! base       41 ── 42 ── 43 ── 44 ── 45
//! changing   41 ──  C ──  V ── 44'── 45'     C: a change of the schema   V: a partition, read whole
//! ```
//! Some visits of the base give way: where the plan's faults have a change of the schema, or, the visit before, something that
//! is done to the server as a whole (flush, …, kill). While a column is away, the others say what they say without it. All of
//! that is a function of the plan, so a run, its check, its replay and its shrunk form see the same.
//!
//! Invariants:
//! * C1 numbers stay: every visit has the number that the base gives it.
//! * C2 of a table at most one column is away at a time, and one index at most comes and goes.
//! * C3 a drop deletes up to the greatest timestamp of all visits before it; a visit after it whose timestamp is not above that
//!   names the column no more, whether the column is away or back: what the database would do with such a cell depends on
//!   when it puts its files in order.
//! * C4 what C is laid out from the front, once: what was answered stays so, whoever asks in whatever order.

mod narrow;

use crate::fault::{FaultKind, Needs, Schedule};
use crate::plan::Plan;
use crate::whole::{self, Asked};
use datagen::domain::Limits;
use datagen::schema::{Column, ColumnId, Schema, Table};
use datagen::stream::{Stream, below, chance, draw};
use datagen::value::Type;
use history::{
    Address, Change, ChangeKind, Consistency, End, From, Lts, Op, Part, Parts, Predicate, Regenerate,
    Relation, RowChoice, Select, Stamp, State, Step, Tracker, Visit,
};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Which columns of a plan's tables come and go, and which get an index: by table and column.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Changeable {
    /// Those that an index comes and goes on.
    pub indexed: Vec<(u16, u16)>,
    /// Those that are dropped and added again; none of them is ever indexed.
    pub dropped: Vec<(u16, u16)>,
}

/// Visits before a visit that are looked through for a partition to read, or for a value to look for.
const LOOKED_BACK: u64 = 256;
/// How far the layout goes beyond what was asked for: more than visits can be open at once.
const AHEAD: u64 = 1 << 14;
/// The share of the filters on a table with an index that are put to the index.
const BY_INDEX: (u64, u64) = (1, 2);

/// A change of the schema.
#[derive(Debug, Clone, Copy)]
struct Event {
    lts: Lts,
    change: Change,
    /// Of a drop: up to which timestamp it deletes.
    timestamp: i64,
    /// Of an index: where a value of its column was written, and which.
    written: Option<(Part, u64)>,
}

/// What is laid out so far.
#[derive(Debug, Default)]
struct Laid {
    through: u64,
    /// The greatest timestamp up to there.
    timestamp: i64,
    events: BTreeMap<u64, Event>,
    /// The numbers of the events of a table that drop and add columns, and of those that make and drop indexes.
    columns: BTreeMap<u16, Vec<u64>>,
    indexes: BTreeMap<u16, Vec<u64>>,
}

/// See the module.
pub(crate) struct Changing {
    base: Arc<dyn Regenerate>,
    schema: Arc<Schema>,
    schedule: Schedule,
    seed: u64,
    changeable: Changeable,
    /// Whether something is ever done to the server as a whole, and whether more than the first statement of a visit can be
    /// struck by it.
    maintained: bool,
    transactions: bool,
    asked: Vec<Asked>,
    laid: RwLock<Laid>,
}

impl Changing {
    /// The visits of a plan with what its faults change of them; `None`: nothing. A written history has its changes written.
    pub(crate) fn of(plan: &Plan, base: &Arc<dyn Regenerate>) -> Option<Arc<Changing>> {
        let schedule = Schedule::new(plan.seed.0, &plan.faults, &plan.faults_at);
        let whole = |kind: FaultKind| matches!(kind.fault().needs, Needs::Kill | Needs::Maintain(_));
        let maintained = schedule.kinds().any(whole);
        let changes = schedule
            .kinds()
            .any(|k| matches!(k.fault().needs, Needs::Change(_)));
        if plan.history.is_some() || !(maintained || changes) {
            return None;
        }
        let schema = base.schema(Lts(1));
        Some(Arc::new(Changing {
            asked: whole::asked(base.as_ref(), schema.tables.len()),
            base: Arc::clone(base),
            schedule,
            seed: plan.seed.0,
            changeable: plan.changes.clone().unwrap_or_default(),
            maintained,
            transactions: plan.discipline == history::Discipline::Ordered,
            schema,
            laid: RwLock::new(Laid {
                timestamp: i64::MIN,
                ..Laid::default()
            }),
        }))
    }

    /// What a visit is read after, where it is such a read: in the words that it is counted under.
    pub(crate) fn after(&self, lts: Lts) -> Option<&'static str> {
        self.validated(lts)?;
        self.struck(Lts(lts.0 - 1))
    }

    /// Changes of the schema that were made up to a visit, by the names of their faults: earlier lives of the worker included.
    pub(crate) fn made(&self, tracker: &dyn Tracker, last: Lts) -> BTreeMap<String, u64> {
        self.lay(last.0);
        let mut made = BTreeMap::new();
        for (lts, event) in self.laid.read().events.range(..=last.0) {
            if tracker.get(Lts(*lts)).state == State::Committed {
                let alone = event.change.what.is_alone();
                let kind = if alone { FaultKind::Alter } else { FaultKind::Index };
                *made.entry(kind.name().to_owned()).or_default() += 1;
            }
        }
        made
    }

    /// Whether a visit reads by a column that has an index at that moment, as the plan has it.
    pub(crate) fn is_by_index(&self, lts: Lts) -> bool {
        if self.changeable.indexed.is_empty() {
            return false;
        }
        let by_index = |step: &Step| {
            let Step::Read(query) = step else { return false };
            let column = self.indexed(query.table, lts).map(|event| event.change.column);
            column.is_some_and(|column| query.filter.iter().any(|p| p.column == column))
        };
        self.visit(lts)
            .is_some_and(|visit| visit.steps.iter().any(by_index))
    }

    fn lay(&self, upto: u64) {
        if self.laid.read().through >= upto {
            return;
        }
        let mut laid = self.laid.write();
        while laid.through < upto {
            let lts = Lts(laid.through + 1);
            if let Some(event) = self.event(&laid, lts) {
                let table = event.change.table;
                let of = if event.change.what.is_alone() {
                    &mut laid.columns
                } else {
                    &mut laid.indexes
                };
                of.entry(table).or_default().push(lts.0);
                laid.events.insert(lts.0, event);
            }
            if !self.changeable.dropped.is_empty()
                && let Some(stamp) = self.base.visit(lts).and_then(|visit| visit.stamp)
            {
                laid.timestamp = laid.timestamp.max(stamp.timestamp);
            }
            laid.through = lts.0;
        }
    }

    /// The change that the faults have at a visit, if they have one.
    fn event(&self, laid: &Laid, lts: Lts) -> Option<Event> {
        let kind = self.schedule.change_at(lts)?;
        let drawn = |n: u64| draw(self.seed, Stream::Fault, &[lts.0, n, u64::MAX]);
        let pick = |of: &[(u16, u16)]| {
            let at = below(drawn(0), u64::try_from(of.len()).expect("few columns"));
            (!of.is_empty()).then(|| of[usize::try_from(at).expect("an index")])
        };
        let last = |of: &BTreeMap<u16, Vec<u64>>, table: u16| {
            of.get(&table)
                .and_then(|all| all.last())
                .map(|lts| laid.events[lts].change)
        };
        let (lists, from) = match kind {
            FaultKind::Index => (&laid.indexes, &self.changeable.indexed),
            _ => (&laid.columns, &self.changeable.dropped),
        };
        let (table, column) = pick(from)?;
        let before = last(lists, table);
        let (what, column) = match (kind, before) {
            (FaultKind::Index, Some(c)) if c.what == ChangeKind::CreateIndex => {
                (ChangeKind::DropIndex, c.column)
            }
            (FaultKind::Index, _) => (ChangeKind::CreateIndex, ColumnId(column)),
            (_, Some(c)) if c.what == ChangeKind::DropColumn => (ChangeKind::AddColumn, c.column),
            _ => (ChangeKind::DropColumn, ColumnId(column)),
        };
        // A drop before every write would delete nothing.
        if what == ChangeKind::DropColumn && laid.timestamp == i64::MIN {
            return None;
        }
        let change = Change { table, column, what };
        Some(Event {
            lts,
            change,
            timestamp: laid.timestamp,
            written: (what == ChangeKind::CreateIndex)
                .then(|| self.written(change, lts))
                .flatten(),
        })
    }

    /// A value of a column that a visit before wrote, and where.
    fn written(&self, change: Change, lts: Lts) -> Option<(Part, u64)> {
        let back = (lts.0.saturating_sub(LOOKED_BACK).max(1)..lts.0).rev();
        let of = |op: &Op| match op {
            Op::Insert { part, cells, .. }
            | Op::Upsert { part, cells, .. }
            | Op::Update { part, cells, .. }
                if part.table == change.table =>
            {
                let (_, value) = cells.iter().find(|(c, _)| *c == change.column)?;
                Some((*part, (*value)?))
            }
            _ => None,
        };
        back.filter_map(|lts| self.base.visit(Lts(lts)))
            .find_map(|visit| {
                visit.steps.iter().find_map(|step| match step {
                    Step::Write(op) => of(op),
                    _ => None,
                })
            })
    }

    /// What is done to the server or its schema by a visit, in the words that reads after it are counted under.
    fn struck(&self, lts: Lts) -> Option<&'static str> {
        if lts.0 == 0 {
            return None;
        }
        self.lay(lts.0);
        if let Some(event) = self.laid.read().events.get(&lts.0) {
            return Some(if event.change.what.is_alone() {
                "read-after-alter"
            } else {
                "read-after-index"
            });
        }
        if !self.maintained {
            return None;
        }
        let at = |step: u16, ends: bool| {
            let address = Address {
                lts,
                attempt: 0,
                step,
            };
            self.schedule.at(address, ends).and_then(words)
        };
        if !self.transactions {
            return at(0, true);
        }
        let visit = self.base.visit(lts)?;
        let steps = 0..u16::try_from(visit.steps.len()).unwrap_or(u16::MAX);
        let transaction = [Address::BEGIN, Address::END]
            .into_iter()
            .filter(|_| visit.end != End::Autocommit);
        steps.chain(transaction).find_map(|step| at(step, false))
    }

    /// The partition that a visit reads instead of what the base has there.
    fn validated(&self, lts: Lts) -> Option<Part> {
        let before = Lts(lts.0.checked_sub(1)?);
        self.lay(lts.0);
        self.struck(before)?;
        let table = {
            let laid = self.laid.read();
            if laid.events.contains_key(&lts.0) {
                return None;
            }
            laid.events.get(&before.0).map(|event| event.change.table)
        };
        let drawn = draw(self.seed, Stream::Fault, &[lts.0, 1, u64::MAX]);
        let from = before
            .0
            .saturating_sub(below(drawn, before.0.min(LOOKED_BACK / 4)));
        let mut writes = Vec::new();
        let mut first = |lts: u64| {
            self.base.writes(Lts(lts), &mut writes);
            let fits = |part: &&Part| table.is_none_or(|table| part.table == table);
            writes.iter().find(fits).copied()
        };
        let back = from.saturating_sub(LOOKED_BACK).max(1)..=from;
        back.rev().chain((from + 1..before.0).rev()).find_map(&mut first)
    }

    /// Whether another visit stands where the base has one.
    fn gives_way(&self, lts: Lts) -> bool {
        self.lay(lts.0);
        self.laid.read().events.contains_key(&lts.0) || self.validated(lts).is_some()
    }

    /// The index of a table at a visit, as the plan has it.
    fn indexed(&self, table: u16, lts: Lts) -> Option<Event> {
        self.lay(lts.0);
        let laid = self.laid.read();
        let all = laid.indexes.get(&table)?;
        let last = all[..all.partition_point(|n| *n < lts.0)].last()?;
        let event = laid.events[last];
        (event.change.what == ChangeKind::CreateIndex).then_some(event)
    }

    /// Columns of a table that a visit with a timestamp may not name.
    fn unnamed(&self, table: u16, lts: Lts, timestamp: Option<i64>) -> Vec<ColumnId> {
        self.lay(lts.0);
        let laid = self.laid.read();
        let Some(all) = laid.columns.get(&table) else {
            return Vec::new();
        };
        let mut columns = Vec::new();
        let before = &all[..all.partition_point(|n| *n <= lts.0)];
        for (n, number) in before.iter().rev().enumerate() {
            let Event {
                change,
                timestamp: upto,
                ..
            } = laid.events[number];
            let drops = change.what == ChangeKind::DropColumn;
            if drops && (n == 0 || timestamp.is_some_and(|t| t <= upto)) {
                columns.push(change.column);
            }
            // Drops go up to ever greater timestamps.
            if drops && timestamp.is_none_or(|t| t > upto) {
                break;
            }
        }
        columns
    }

    /// The visit of a change.
    fn change(&self, event: &Event) -> Visit {
        let asked = self.asked[usize::from(event.change.table)];
        Visit {
            lts: event.lts,
            level: asked.level,
            writes: Vec::new(),
            steps: vec![Step::Change(event.change)],
            end: End::Autocommit,
            stamp: asked.stamp.map(|stamp| Stamp {
                timestamp: if event.change.what.is_alone() {
                    event.timestamp
                } else {
                    stamp.timestamp
                },
                // The schema is one for all replicas.
                consistency: Consistency::All,
                ..stamp
            }),
        }
    }

    /// A partition, whole; after an index was made, what it finds.
    fn read(&self, lts: Lts, part: Part) -> Visit {
        let asked = self.asked[usize::from(part.table)];
        let table = self.schema.table(part.table);
        let order = table.clustering.iter().map(|k| (k.column.id, k.order)).collect();
        let mut part = part;
        let mut query = whole::rows(table, part, order, asked.stamp.is_some());
        query.extras.stamps = asked.stamps;
        let made = self.laid.read().events.get(&(lts.0 - 1)).copied();
        if let Some((at, value)) = made.and_then(|event| event.written) {
            let column = made.expect("it has a value").change.column;
            part = at;
            query.parts = Parts::One(part.position);
            query.filter = vec![equals(column, value)];
            query.order.clear();
        }
        Visit {
            lts,
            level: asked.level,
            writes: Vec::new(),
            steps: vec![Step::Read(query)],
            end: End::Autocommit,
            stamp: asked.stamp,
        }
    }

    /// Some of the reads with a filter look for a value of the column that has an index.
    fn by_index(&self, visit: &mut Visit) {
        let [Step::Read(query)] = visit.steps.as_mut_slice() else {
            return;
        };
        let fits = !query.filter.is_empty()
            && matches!((&query.parts, &query.rows), (Parts::One(_), RowChoice::All))
            && matches!((query.from, &query.select), (From::Table, Select::Columns(_)));
        let drawn = draw(self.seed, Stream::Fault, &[visit.lts.0, 2, u64::MAX]);
        if !fits || !chance(drawn, BY_INDEX.0, BY_INDEX.1) {
            return;
        }
        let event = self.indexed(query.table, visit.lts);
        if let Some((event, (part, value))) = event.and_then(|event| Some((event, event.written?))) {
            query.parts = Parts::One(part.position);
            query.filter = vec![equals(event.change.column, value)];
        }
    }

    /// Under `lww` a read that may be put to an index asks for no order, and so for no LIMIT: Cassandra refuses both together,
    /// and rows come in the order of the key anyway. Nor does it ask for the inside of something frozen beside: Cassandra 5.0.9
    /// then leaves rows out. Whether the index stands at that moment nobody knows beforehand.
    fn unordered(&self, visit: &mut Visit) {
        for step in &mut visit.steps {
            let Step::Read(query) = step else { continue };
            let comes_and_goes = |p: &Predicate| self.changeable.indexed.contains(&(query.table, p.column.0));
            if !self.transactions && query.filter.iter().any(comes_and_goes) {
                query.order.clear();
                query.limit = None;
                let table = self.schema.table(query.table);
                let frozen = |p: &Predicate| table.domain(p.column).ty().is_frozen();
                query
                    .filter
                    .retain(|p| p.relation.inner().is_none() || !frozen(p));
            }
        }
    }

    /// The visits that drop a column of a table after one, as far as matters: up to `until`.
    fn drops(&self, table: u16, after: Lts, until: u64, into: &mut Vec<Lts>) {
        let laid = self.laid.read();
        let all = laid.columns.get(&table).map_or(&[][..], Vec::as_slice);
        let later = all[all.partition_point(|n| *n <= after.0)..]
            .iter()
            .take_while(|n| **n <= until);
        let drops = later.filter(|n| laid.events[n].change.what == ChangeKind::DropColumn);
        into.extend(drops.map(|n| Lts(*n)));
    }
}

fn equals(column: ColumnId, value: u64) -> Predicate {
    Predicate {
        column,
        relation: Relation::Eq,
        value,
    }
}

/// What reads after something that was done to the server as a whole are counted under; `None`: it was done to less.
fn words(kind: FaultKind) -> Option<&'static str> {
    match kind {
        FaultKind::Kill => Some("read-after-kill"),
        FaultKind::Restart => Some("read-after-restart"),
        FaultKind::Flush => Some("read-after-flush"),
        FaultKind::Compact => Some("read-after-compact"),
        FaultKind::Repair => Some("read-after-repair"),
        _ => None,
    }
}

impl Regenerate for Changing {
    fn schema(&self, _: Lts) -> Arc<Schema> {
        Arc::clone(&self.schema)
    }

    fn visit(&self, lts: Lts) -> Option<Visit> {
        self.lay(lts.0);
        let event = self.laid.read().events.get(&lts.0).copied();
        if let Some(event) = event {
            return Some(self.change(&event));
        }
        let mut visit = match self.validated(lts) {
            Some(part) => self.read(lts, part),
            None => self.base.visit(lts)?,
        };
        self.by_index(&mut visit);
        self.unordered(&mut visit);
        let mut tables: Vec<u16> = visit.writes.iter().map(|part| part.table).collect();
        tables.extend(visit.steps.iter().filter_map(|step| match step {
            Step::Read(query) => Some(query.table),
            _ => None,
        }));
        tables.sort_unstable();
        tables.dedup();
        for table in tables {
            let writes = visit.writes.iter().any(|part| part.table == table);
            let timestamp = visit.stamp.filter(|_| writes).map(|stamp| stamp.timestamp);
            for column in self.unnamed(table, lts, timestamp) {
                visit = narrow::without(visit, table, column)?;
            }
        }
        Some(visit)
    }

    fn from(&self, lts: Lts) -> Option<Lts> {
        self.base.from(lts)
    }

    fn away(&self, table: u16, at: Lts) -> Vec<ColumnId> {
        self.unnamed(table, at, None)
    }

    fn changes(&self, until: Lts) -> Vec<Lts> {
        self.lay(until.0);
        let laid = self.laid.read();
        let all = laid.events.range(..=until.0);
        all.filter(|(_, event)| event.change.what.is_alone())
            .map(|(n, _)| Lts(*n))
            .collect()
    }

    fn number(&self, lts: Lts, step: u16) -> u16 {
        self.base.number(lts, step)
    }

    fn writer_after(&self, part: Part, lts: Lts) -> Option<Lts> {
        let mut all = Vec::new();
        self.writers_after(part, lts, &mut all);
        all.first().copied()
    }

    fn writers_after(&self, part: Part, lts: Lts, into: &mut Vec<Lts>) {
        let first = into.len();
        let mut after = lts;
        // What lies beyond has not begun: whoever asks will ask again.
        let horizon = self.laid.read().through.max(lts.0) + AHEAD;
        loop {
            let mut of_base = Vec::new();
            self.base.writers_after(part, after, &mut of_base);
            let last = of_base.last().copied();
            let until = last.map_or(horizon, |last| last.0.min(horizon));
            self.lay(until);
            into.extend(
                of_base
                    .into_iter()
                    .filter(|lts| lts.0 <= until && !self.gives_way(*lts)),
            );
            self.drops(part.table, after, until, into);
            into[first..].sort_unstable();
            match last {
                Some(last) if into.len() == first && last.0 < horizon => after = last,
                _ => return,
            }
        }
    }

    fn writer_before(&self, part: Part, lts: Lts) -> Option<Lts> {
        self.lay(lts.0.saturating_sub(1));
        let mut of_base = self.base.writer_before(part, lts);
        while let Some(writer) = of_base.filter(|writer| self.gives_way(*writer)) {
            of_base = self.base.writer_before(part, writer);
        }
        let mut drops = Vec::new();
        let from = of_base.unwrap_or(Lts(0));
        self.drops(part.table, from, lts.0.saturating_sub(1), &mut drops);
        drops.last().copied().or(of_base)
    }

    fn writers_before(&self, part: Part, lts: Lts, into: &mut Vec<Lts>) {
        into.extend(self.writer_before(part, lts));
    }
}

/// The columns of a schema that may come and go and be indexed, as far as `says` allows: half of each table's are for the one,
/// half for the other. Tables that `left_out` names are left alone, and those of counters, whose cells have no timestamps up to
/// which they could be deleted.
pub(crate) fn changeable(
    schema: &Schema,
    left_out: &dyn Fn(&Table) -> bool,
    says: &dyn Fn(&Change) -> bool,
) -> Changeable {
    let mut found = Changeable::default();
    for (table, number) in schema
        .tables
        .iter()
        .zip(0..)
        .filter(|(table, _)| !left_out(table) && !table.counts())
    {
        let may = |column: ColumnId, what| {
            says(&Change {
                table: number,
                column,
                what,
            })
        };
        let mut indexed: Vec<u16> = table
            .regular
            .iter()
            .filter(|c| is_looked_up(c) && may(c.id, ChangeKind::CreateIndex))
            .map(|c| c.id.0)
            .collect();
        let cells = table.regular.iter().chain(&table.shared);
        let cells = cells.filter(|c| c.nullable && is_plain(c));
        let dropped = cells.map(|c| c.id).filter(|id| may(*id, ChangeKind::DropColumn));
        let dropped: Vec<u16> = dropped.map(|id| id.0).collect();
        if indexed.len() > 1 || !dropped.iter().any(|c| !indexed.contains(c)) {
            indexed.truncate(indexed.len().div_ceil(2));
        }
        let free = dropped.into_iter().filter(|c| !indexed.contains(c));
        found.dropped.extend(free.map(|column| (number, column)));
        found
            .indexed
            .extend(indexed.into_iter().map(|column| (number, column)));
    }
    found
}

/// Whether a column can be looked up by: its values have an order in which equal means identical, and are short enough for an
/// entry of an index.
fn is_looked_up(column: &Column) -> bool {
    let Limits {
        identity,
        text_bytes_max,
        bytes_max,
        ..
    } = column.limits;
    let identical = identity || !matches!(column.ty, Type::Float32 | Type::Float64);
    let short = match column.ty {
        Type::Text | Type::Ascii => text_bytes_max <= ENTRY_BYTES_MAX,
        Type::Bytes => bytes_max <= ENTRY_BYTES_MAX,
        _ => true,
    };
    is_plain(column) && column.ty.orders() && identical && short
}

/// Whether it is a scalar: what is made of others is dropped and indexed in ways of its own.
fn is_plain(column: &Column) -> bool {
    !matches!(column.ty, Type::Composite(_))
}

/// Servers bound the size of an index entry, the strictest of them near this.
const ENTRY_BYTES_MAX: u32 = 1000;

#[cfg(test)]
mod tests;
