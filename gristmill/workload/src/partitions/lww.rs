//! What visits say beside their statements where the greatest timestamp wins, and what their reads may ask.
//!
//! Such a visit is one write, one batch of writes of one partition, or one read; it carries a timestamp of the plan's
//! [`Clock`]. Reads stay within what CQL can say: one partition in the order of its keys or against it, no joins, no OFFSET.

use super::clock::Clock;
use super::config::{Config, Ends, Mistake, Reads, Writes};
use super::dice::Dice;
use super::view::{Column, View};
use datagen::schema::ColumnId;
use datagen::stream::{Stream, draw};
use datagen::value::Type;
use history::{
    Aggregate, Condition, Consistency, End, Extras, From, Op, Parts, Predicate, Query, Relation, RowChoice,
    Select, Stamp, Step,
};
use serde::{Deserialize, Serialize};

/// Options of discipline `lww`. Chances are in 16.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Lww {
    /// Where timestamps come from.
    pub clock: Clock,
    /// A batch goes through the batch log.
    pub logged_in_16: u8,
    /// A write of some cells of a row, of shared cells, or a deletion of cells is one of elements instead, in tables that have
    /// columns with elements of their own.
    pub elements_in_16: u8,
    /// A writing visit's data dies after some time.
    pub ttl_in_16: u8,
    /// After so many seconds; one of these.
    pub ttls: Vec<u32>,
    /// By how many milliseconds the target's clock and ours may come apart while a value lives. Only then is it open whether it
    /// is there, besides the second that the target's own rounding takes.
    pub expiry_slack_ms: u32,
    /// Consistency levels of writes; one of these for each visit.
    pub write_levels: Vec<Consistency>,
    /// Consistency levels of reads.
    pub read_levels: Vec<Consistency>,
    /// Nodes that are asked in turn.
    pub nodes: u16,
    /// A read of columns asks for their write timestamps.
    pub stamps_in_16: u8,
    /// A read of columns asks for the shared ones.
    pub shared_in_16: u8,
    /// A read comes in pages.
    pub paged_in_16: u8,
    /// Rows of a page; one of these.
    pub pages: Vec<u32>,
    /// A read of several partitions limits each.
    pub per_partition_in_16: u8,
    /// A read of a whole table is one of a range of tokens, where partitions have them.
    pub ring_in_16: u8,
    /// A read of columns of one partition asks how long they still live, where the target says it.
    pub ttls_in_16: u8,
    /// A sum of whole numbers is an average instead, where that is exact.
    pub average_in_16: u8,
    /// There are sums at all: where two databases are compared, both must say the same of nothing.
    pub sums: bool,
    /// Writes without a time to live of their own that leave it to a table with `default_time_to_live`, in 16; the others say
    /// that they live for ever.
    pub table_ttl_in_16: u8,
}

impl Default for Lww {
    fn default() -> Lww {
        Lww {
            clock: Clock::default(),
            logged_in_16: 4,
            elements_in_16: 8,
            ttl_in_16: 0,
            ttls: vec![86_400],
            expiry_slack_ms: 500,
            write_levels: vec![Consistency::Quorum],
            read_levels: vec![Consistency::Quorum],
            nodes: 1,
            stamps_in_16: 12,
            shared_in_16: 10,
            paged_in_16: 4,
            pages: vec![1, 2, 3, 7, 100],
            per_partition_in_16: 6,
            ring_in_16: 0,
            ttls_in_16: 0,
            average_in_16: 0,
            sums: true,
            table_ttl_in_16: 0,
        }
    }
}

impl Lww {
    /// With what only CQL has: ranges of tokens, `ttl()`, `avg()`.
    #[must_use]
    pub fn cql(self) -> Lww {
        Lww {
            ring_in_16: 8,
            ttls_in_16: 3,
            average_in_16: 8,
            table_ttl_in_16: 12,
            ..self
        }
    }
}

impl Config {
    /// This workload under discipline `lww`: visits of one request each, operations that mean something there, reads that
    /// CQL can say. What has no counterpart gives its weight to what is nearest.
    #[must_use]
    pub fn lww(mut self) -> Config {
        for visit in &mut self.visits {
            visit.partitions = visit.partitions.min(1);
            visit.reads = if visit.writes > 0 { 0 } else { 1 };
            visit.autocommit = visit.writes + visit.reads == 1;
            visit.strict = false;
        }
        let w = &self.writes;
        self.writes = Writes {
            insert: 0,
            upsert: w.insert + w.upsert,
            ..w.clone()
        };
        let r = &self.reads;
        self.reads = Reads {
            partition: r.partition + r.shared + r.inner_join + r.left_join,
            shared: 0,
            inner_join: 0,
            left_join: 0,
            ..r.clone()
        };
        self.ends = Ends {
            commit: 1,
            rollback: 0,
            savepoint: 0,
            savepoint_kept: 0,
        };
        self.shapes.by_regular_in_16 = 0;
        self.shapes.offset_in_16 = 0;
        self.shapes.numeric_sums = false;
        self.lww = Some(Lww::default());
        self
    }

    /// Mistakes of a configuration under `lww`.
    pub(super) fn lww_mistakes(&self, lww: &Lww) -> Vec<Mistake> {
        let mut found = Vec::new();
        let mut expect = |holds: bool, key: String, value: &dyn ToString, remedy: &str| {
            if !holds {
                let (value, remedy) = (value.to_string(), remedy.to_owned());
                found.push(Mistake { key, value, remedy });
            }
        };
        if let Some((key, value, remedy)) = lww.clock.mistake() {
            expect(false, format!("lww.clock.{key}"), &value, remedy);
        }
        for (key, chance) in [
            ("logged", lww.logged_in_16),
            ("elements", lww.elements_in_16),
            ("ttl", lww.ttl_in_16),
            ("stamps", lww.stamps_in_16),
            ("shared", lww.shared_in_16),
            ("paged", lww.paged_in_16),
            ("per-partition", lww.per_partition_in_16),
            ("ring", lww.ring_in_16),
            ("ttls", lww.ttls_in_16),
            ("average", lww.average_in_16),
            ("table-ttl", lww.table_ttl_in_16),
        ] {
            let remedy = "at most 16 of 16 are possible";
            expect(chance <= 16, format!("lww.{key}-in-16"), &chance, remedy);
        }
        let some = "at least one is needed";
        expect(
            !lww.write_levels.is_empty(),
            "lww.write-levels".to_owned(),
            &"empty",
            some,
        );
        expect(
            !lww.read_levels.is_empty(),
            "lww.read-levels".to_owned(),
            &"empty",
            some,
        );
        expect(
            lww.nodes > 0,
            "lww.nodes".to_owned(),
            &lww.nodes,
            "at least 1 is needed",
        );
        let whole = |list: &[u32]| list.iter().all(|n| *n > 0);
        let ttls = lww.ttl_in_16 == 0 || (!lww.ttls.is_empty() && whole(&lww.ttls));
        expect(
            ttls,
            "lww.ttls".to_owned(),
            &format!("{:?}", lww.ttls),
            "give some, of at least a second",
        );
        let pages = lww.paged_in_16 == 0 || (!lww.pages.is_empty() && whole(&lww.pages));
        expect(
            pages,
            "lww.pages".to_owned(),
            &format!("{:?}", lww.pages),
            "give some, of at least a row",
        );
        for (i, visit) in self.visits.iter().enumerate().filter(|(_, v)| v.weight > 0) {
            let (p, w, r) = (visit.partitions, visit.writes, visit.reads);
            let one = p <= 1 && (w == 0 || r == 0) && r <= 1 && !visit.strict;
            let remedy = "under lww a visit writes one partition, or is one read";
            expect(
                one,
                format!("visits[{i}] ({})", visit.name),
                &format!("{p} partitions, {w} writes and {r} reads"),
                remedy,
            );
        }
        let no = |weights: u32| weights == 0;
        let remedy = "these have no meaning under lww: give them weight 0";
        expect(
            no(self.writes.insert),
            "writes.insert".to_owned(),
            &self.writes.insert,
            remedy,
        );
        let r = &self.reads;
        let others = r.shared + r.inner_join + r.left_join;
        expect(no(others), "reads".to_owned(), &"with shared or joins", remedy);
        found
    }
}

/// Draws of a visit's stamp, in this order.
mod drawn {
    pub(super) const LOGGED: u64 = 0;
    pub(super) const TTL: u64 = 1;
    pub(super) const LEVEL: u64 = 2;
    pub(super) const NODE: u64 = 3;
    pub(super) const CONDITION: u64 = 4;
    pub(super) const ELEMENTS: u64 = 5;
    pub(super) const AMOUNTS: u64 = 6;
    pub(super) const DEATHS: u64 = 7;
}

/// How visit `n` ends and what it says beside its steps. `ops`: its writes, 0 of a read.
/// `conditional`: the table's writes are lightweight transactions; then the first one stays, and its condition is drawn.
/// `written`: the table that is written.
pub(super) fn ending(
    lww: &Lww,
    (seed, n): (u64, u64),
    steps: &mut Vec<Step>,
    conditional: Option<&View>,
    written: Option<&View>,
) -> (End, Stamp) {
    let mut condition = None;
    if let Some(view) = conditional {
        steps.truncate(1);
        let mut dice = Dice::new(draw(seed, Stream::Stamp, &[n, drawn::CONDITION]));
        condition = steps
            .first_mut()
            .and_then(|step| self::condition(step, view, &mut dice));
        if let Some(Step::Read(query)) = steps.first_mut() {
            serial(query, view, &mut dice);
        }
    }
    let ops = steps.iter().filter(|step| matches!(step, Step::Write(_))).count();
    let dice = |what| Dice::new(draw(seed, Stream::Stamp, &[n, what]));
    let levels = if ops > 0 {
        &lww.write_levels
    } else {
        &lww.read_levels
    };
    let level = dice(drawn::LEVEL).pick(levels).copied();
    let mut life = dice(drawn::TTL);
    let counts = written.is_some_and(|view| view.counts);
    let lists = written.is_some_and(|view| view.lists);
    let mortal = ops > 0 && !counts && !lists && condition.is_none();
    let ttl = if mortal && life.in_16(lww.ttl_in_16) {
        life.pick(&lww.ttls).copied()
    } else {
        let given = written.and_then(|view| view.time_to_live);
        given.filter(|_| mortal && life.in_16(lww.table_ttl_in_16))
    };
    let stamp = Stamp {
        condition,
        timestamp: lww.clock.timestamp(seed, history::Lts(n + 1)),
        ttl,
        consistency: match (conditional, ops) {
            (Some(_), 0) => Consistency::Serial,
            _ => level.expect("checked: there is at least one"),
        },
        node: u16::try_from(dice(drawn::NODE).below(usize::from(lww.nodes)))
            .expect("below a number of 16 bits"),
    };
    let end = if ops > 1 {
        End::Batch {
            logged: !counts && dice(drawn::LOGGED).in_16(lww.logged_in_16),
        }
    } else {
        End::Autocommit
    };
    (end, stamp)
}

/// Makes elements of some of the writes of visit `n`, where the table has any.
pub(super) fn elements(lww: &Lww, (seed, n): (u64, u64), steps: &mut [Step], view: &View) {
    if !view.elements || view.conditional {
        return;
    }
    for (i, step) in (0..).zip(steps) {
        let mut dice = Dice::new(draw(seed, Stream::Stamp, &[n, drawn::ELEMENTS, i]));
        let (row, columns) = match step {
            Step::Write(Op::Update { row, .. } | Op::DeleteCells { row, .. }) => (Some(*row), &view.regular),
            Step::Write(Op::Shared { .. }) => (None, &view.shared),
            _ => continue,
        };
        let columns: Vec<&Column> = columns.iter().filter(|c| c.domain.elements().is_some()).collect();
        let Some(column) = dice.pick(&columns).filter(|_| dice.in_16(lww.elements_in_16)) else {
            continue;
        };
        let slots = column.domain.elements().expect("it has elements");
        let all: Vec<usize> = (0..slots.slots()).collect();
        let many = if dice.in_16(8) { 1 } else { 3 };
        let mut chosen: Vec<usize> = dice.some(&all).copied().collect();
        while chosen.len() > many {
            chosen.remove(dice.below(chosen.len()));
        }
        let value = |dice: &mut Dice, slot: usize| {
            let number = dice.below(usize::try_from(slots.values(slot)).expect("few values"));
            u64::try_from(number).expect("few values")
        };
        let elements = chosen.into_iter().map(|slot| {
            // From a list nothing is taken.
            let removes = dice.in_16(6) && !slots.are_listed();
            let value = (!removes).then(|| value(&mut dice, slot));
            (u16::try_from(slot).expect("few slots"), value)
        });
        let (elements, column) = (elements.collect(), column.id);
        if let Step::Write(op) = step {
            *op = Op::Elements {
                part: op.part(),
                row,
                column,
                elements,
            };
        }
    }
}

/// When a row or partition of counters dies at the earliest, and how many times twice that at the latest.
const YOUNG: u64 = 64;
const AGES: usize = 12;

/// From which visit on nothing is added to what is named by `of` any more; `None`: it lives for ever.
fn death(seed: u64, of: &[u64], chance: u8) -> Option<u64> {
    let mut dice = Dice::new(draw(seed, Stream::Stamp, of));
    let mortal = dice.in_16(chance);
    let young = YOUNG << dice.below(AGES);
    mortal.then(|| young + dice.below(usize::try_from(young).unwrap_or(usize::MAX)) as u64)
}

/// Makes an addition of every write of visit `n`, where the table has counters; or a deletion, where row or partition has had
/// its day: from then on it is deleted and never added to again, because what a deleted counter shows then is open. Most amounts are so
/// different that no two sums of some of them are alike.
pub(super) fn amounts((seed, n): (u64, u64), steps: &mut [Step], view: &View) {
    if !view.counts {
        return;
    }
    for (i, step) in (0..).zip(steps) {
        let Step::Write(op) = step else { continue };
        let mut dice = Dice::new(draw(seed, Stream::Stamp, &[n, drawn::AMOUNTS, i]));
        let part = op.part();
        let name = [u64::from(part.table), drawn::DEATHS, part.position, 0, 0];
        if death(seed, &name, 1).is_some_and(|from| n >= from) {
            *op = Op::DeletePartition { part };
            continue;
        }
        let shared = matches!(op, Op::Shared { .. } | Op::DeletePartition { .. }) && !view.shared.is_empty();
        let any = |dice: &mut Dice| view.row(part.position, dice.below(view.rows as usize) as u64);
        let row = (!shared).then(|| op.row().unwrap_or_else(|| any(&mut dice)));
        if let Some(row) = row {
            let name = [u64::from(part.table), drawn::DEATHS, part.position, 1, row];
            if death(seed, &name, 3).is_some_and(|from| n >= from) {
                *op = Op::DeleteRow { part, row };
                continue;
            }
        }
        let all = if shared || view.regular.is_empty() {
            &view.shared
        } else {
            &view.regular
        };
        let all: Vec<ColumnId> = all.iter().map(|column| column.id).collect();
        let columns = dice.some(&all);
        let mut amount = || match dice.below(16) {
            0 => 1,
            1 => -1,
            2 => 0,
            // Some of them wrap around.
            3 => i64::MAX,
            _ => i64::from(dice.bits() as i32),
        };
        let amounts = columns.map(|id| (*id, amount())).collect();
        *op = Op::Add { part, row, amounts };
    }
}

/// Makes the write a lightweight transaction of one row, and says on what it depends; `None` of a read.
fn condition(step: &mut Step, view: &View, dice: &mut Dice) -> Option<Condition> {
    let Step::Write(op) = step else { return None };
    let part = op.part();
    let row = op
        .row()
        .unwrap_or_else(|| view.row(part.position, dice.below(view.rows as usize) as u64));
    let compared: Vec<_> = view
        .regular
        .iter()
        .filter(|c| c.identity && !c.recurring.is_empty())
        .collect();
    match op {
        Op::Upsert { .. } => return Some(Condition::NotExists),
        Op::Update { .. } | Op::DeleteRow { .. } | Op::DeleteCells { .. } => {}
        Op::Insert { .. }
        | Op::Shared { .. }
        | Op::Elements { .. }
        | Op::Add { .. }
        | Op::DeleteSlice { .. }
        | Op::DeletePartition { .. } => {
            *op = Op::DeleteRow { part, row };
        }
    }
    match dice.pick(&compared) {
        Some(column) if dice.in_16(10) => Some(Condition::Equals {
            column: column.id,
            value: if dice.in_16(2) {
                None
            } else {
                dice.pick(&column.recurring).copied()
            },
        }),
        _ => Some(Condition::Exists),
    }
}

/// A serial read is of one partition, on one page; the timestamps there are the database's own.
fn serial(query: &mut Query, view: &View, dice: &mut Dice) {
    query.extras = Extras::default();
    let position = match &query.parts {
        Parts::One(_) => return,
        Parts::In(positions) => dice.pick(positions).copied(),
        Parts::All | Parts::Ring { .. } => None,
    };
    let any = || view.position(dice.below(view.partitions as usize) as u64);
    query.parts = Parts::One(position.unwrap_or_else(any));
}

/// Comparisons that ALLOW FILTERING answers, of each column one, or a bound a side.
fn fit_filter(query: &mut Query, position: u64, view: &View) {
    let mut kept: Vec<Predicate> = Vec::new();
    for mut condition in std::mem::take(&mut query.filter) {
        match condition.relation {
            // These have no words in CQL.
            Relation::IsNull | Relation::IsNotNull => continue,
            Relation::Ne => condition.relation = Relation::Eq,
            Relation::Eq | Relation::Lt | Relation::Le | Relation::Gt | Relation::Ge => {}
            Relation::Contains | Relation::ContainsKey | Relation::ContainsEntry => {}
        }
        if kept.iter().all(|other| goes_with(other, &condition)) {
            kept.push(condition);
        }
    }
    query.filter = kept;
    if query.filter.is_empty() {
        return;
    }
    if matches!(query.parts, Parts::In(_)) {
        query.parts = Parts::One(position);
    }
    if matches!(query.rows, RowChoice::In(_)) {
        query.rows = RowChoice::All;
    }
    let indexed = |p: &Predicate| view.regular.iter().any(|c| c.id == p.column && c.indexed);
    // Cassandra 5.0.9 leaves rows out where an index answers a part of the question and another part is about the inside of
    // something frozen: each by itself is answered, and is drawn.
    let frozen = |p: &Predicate| {
        let column = view.regular.iter().find(|c| c.id == p.column);
        p.relation.inner().is_some() && column.is_some_and(|c| c.domain.ty().is_frozen())
    };
    if query.filter.iter().any(|p| indexed(p) && !frozen(p)) {
        query.filter.retain(|p| !frozen(p));
    }
    if query.filter.iter().any(indexed) {
        // An index answers in its own order.
        query.order.clear();
        query.limit = None;
    }
}

/// Whether two conditions may stand beside each other: a column takes one equation, or a bound a side, or any number of
/// questions about what is inside of it.
fn goes_with(a: &Predicate, b: &Predicate) -> bool {
    match (a.relation.inner(), b.relation.inner()) {
        (Some(_), Some(_)) => return true,
        (None, None) => {}
        _ => return a.column != b.column,
    }
    let side = |p: &Predicate| match p.relation {
        Relation::Lt | Relation::Le => 1,
        Relation::Gt | Relation::Ge => 2,
        _ => 3,
    };
    a.column != b.column || side(a) & side(b) == 0
}

/// Aggregates that CQL and SQL both compute exactly.
fn fit_aggregates(lww: &Lww, dice: &mut Dice, view: &View, aggregates: &mut [Aggregate]) {
    for aggregate in aggregates {
        let Aggregate::Sum(id) = *aggregate else { continue };
        if !lww.sums {
            *aggregate = Aggregate::Count(id);
            continue;
        }
        let ty = view.regular.iter().find(|c| c.id == id).map(|c| c.domain.ty());
        let whole = !matches!(ty, Some(Type::Numeric { .. } | Type::Decimal));
        if whole && dice.in_16(lww.average_in_16) {
            *aggregate = Aggregate::Avg(id);
        }
    }
}

/// A drawn read as CQL can say it.
pub(super) fn fit(lww: &Lww, dice: &mut Dice, view: &View, position: u64, mut query: Query) -> Query {
    query.from = From::Table;
    query.offset = 0;
    if view.counts {
        query.filter.clear();
    }
    fit_filter(&mut query, position, view);
    match &mut query.select {
        Select::Aggregates(aggregates) => fit_aggregates(lww, dice, view, aggregates),
        Select::Group { by, aggregates } => {
            // From the left of the primary key, as far as some column.
            let depth = dice.below(view.clustering.len() + 1);
            let clustering = view.clustering.iter().take(depth).map(|(id, _)| *id);
            *by = view.keys.iter().copied().chain(clustering).collect();
            fit_aggregates(lww, dice, view, aggregates);
        }
        Select::Distinct(columns) => {
            let shared = view.shared.iter().map(|column| column.id);
            *columns = view.keys.clone();
            columns.extend(shared.filter(|_| dice.in_16(12)));
            query.filter.clear();
            query.rows = RowChoice::All;
        }
        Select::Columns(columns) => {
            if dice.in_16(lww.shared_in_16) {
                let shared = view.shared.iter().map(|column| column.id);
                columns.extend(shared.filter(|id| !columns.contains(id)).collect::<Vec<_>>());
            }
            // CQL chooses no rows where it is asked for nothing of a row.
            let of_a_row = |id: &ColumnId| {
                view.clustering.iter().any(|(c, _)| c == id) || view.regular.iter().any(|c| c.id == *id)
            };
            if !columns.iter().any(of_a_row) {
                let clustering = view.clustering.first().map(|(id, _)| *id);
                columns.extend(clustering.or_else(|| view.regular.first().map(|c| c.id)));
            }
        }
    }
    match query.parts {
        // IN over a key of several columns has no words in CQL.
        Parts::In(_) if view.keys.len() > 1 => query.parts = Parts::One(position),
        Parts::All | Parts::Ring { .. } => {
            query.rows = RowChoice::All;
            if dice.in_16(lww.ring_in_16) {
                query.parts = ring(dice, view);
            }
        }
        Parts::One(_) | Parts::In(_) => {}
    }
    let several = !matches!(query.parts, Parts::One(_));
    let columns = matches!(query.select, Select::Columns(_));
    if several || !columns {
        query.order.clear();
        query.limit = None;
    }
    if !columns {
        return query;
    }
    let mut some = |chance: u8, sizes: &[u32]| {
        if dice.in_16(chance) {
            dice.pick(sizes).copied()
        } else {
            None
        }
    };
    let page = some(lww.paged_in_16, &lww.pages);
    if let (Some(_), Select::Columns(columns)) = (page, &mut query.select) {
        // Pages are read one after another, and which row was on which is told by their keys alone.
        let parts = view.keys.iter().filter(|_| several).copied();
        let keys = parts.chain(view.clustering.iter().map(|(id, _)| *id));
        let keys: Vec<ColumnId> = keys.filter(|id| !columns.contains(id)).collect();
        columns.extend(keys);
    }
    query.extras = Extras {
        page,
        per_partition: if several {
            some(lww.per_partition_in_16, &[1, 2, 3, 5])
        } else {
            None
        },
        stamps: dice.in_16(lww.stamps_in_16) && !view.counts,
        ttls: dice.in_16(lww.ttls_in_16) && !view.counts,
    };
    query
}

/// A range of tokens between two partitions, or from one on, or up to one.
fn ring(dice: &mut Dice, view: &View) -> Parts {
    let mut bound = || {
        let index = dice.below(usize::try_from(view.partitions).unwrap_or(usize::MAX)) as u64;
        (!dice.in_16(3)).then(|| view.position(index))
    };
    Parts::Ring {
        after: bound(),
        upto: bound(),
    }
}
