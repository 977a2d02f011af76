//! A history in stages: visits of another history, and between them visits that read every partition written so far.
//!
//! ```text
//! base      1 ───────── 1000 │               │ 1001 ──────── 2000 │
//! staged    1 ───────── 1000 │ 1001 ── 1250  │ 1251 ──────── 2250 │ 2251 ── 2700
//!           load 1000        │ validate      │ load 1000          │ validate
//! ```
//! A validation is a read of each partition, whole, in the order of its rows and against it, and of its shared cells. One of
//! replicas does so once for each node, at consistency level ONE: what such a read must show is what was acknowledged by all.
//! Which partitions those are is a function of the base, so a staged history is as reproducible as its base.
//!
//! Invariants:
//! * V1 the base's visits keep their order; between two validations nothing is left out of it.
//! * V2 numbers are laid out from the front, each once: what was answered stays so, whoever asks in whatever order.
//! * V3 the last stage ends the history: there is nothing `from` there on.
//! * V4 a load whose length is a time has no end until it is over; then another history is made, which knows it.

use crate::plan::{Stage, Stages};
use crate::whole::{self, Asked};
use datagen::schema::{Schema, Table};
use datagen::value::Order;
use history::{Consistency, End, Lts, Part, Query, Regenerate, Select, Step, Visit};
use parking_lot::RwLock;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The reads that show everything of a partition: its rows, forward and, where there can be several, reversed; then its
/// shared cells, where its table has any. `stamped`: each row carries the shared cells.
fn reads(table: &Table, part: Part, stamped: bool) -> Vec<Query> {
    let keys = table.clustering.iter().map(|k| (k.column.id, k.order));
    let mut queries = vec![whole::rows(table, part, keys.clone().collect(), stamped)];
    if !table.clustering.is_empty() {
        let reversed = keys.map(|(id, order)| match order {
            Order::Asc => (id, Order::Desc),
            Order::Desc => (id, Order::Asc),
        });
        queries.push(whole::rows(table, part, reversed.collect(), stamped));
    }
    if !stamped {
        queries.extend(whole::shared(table, part));
    }
    queries
}

/// How many queries [`reads`] gives.
fn reads_of(table: &Table, stamped: bool) -> u64 {
    1 + u64::from(!table.clustering.is_empty()) + u64::from(!stamped && !table.shared.is_empty())
}

/// What a stretch of numbers is.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Load,
    /// Reads of the first so many partitions.
    Validate(usize),
    /// The same, of each node after the other; so many reads a node.
    Replicas(usize, u64),
}

/// How each node is asked for its own copy.
#[derive(Debug, Clone, Default)]
pub(crate) struct Replicas {
    /// How many nodes there are; 0: they are not asked.
    pub(crate) nodes: u16,
    /// Tables that only say something when they are read serially.
    pub(crate) but: BTreeSet<u16>,
}

#[derive(Debug, Clone, Copy)]
struct Stretch {
    /// Its first number.
    first: u64,
    visits: u64,
    /// Visits of the base before it.
    base_before: u64,
    kind: Kind,
}

/// What is laid out so far.
#[derive(Debug, Default)]
struct Laid {
    stretches: Vec<Stretch>,
    /// Numbers laid out; the next is one more.
    numbers: u64,
    base: u64,
    /// Visits of the base that were looked through for partitions.
    looked_through: u64,
    stages: u64,
    /// The first visit of a load whose end is not known.
    open: Option<Lts>,
    /// Partitions by their first write, and how many reads those up to and including each need.
    parts: Vec<(Part, u64)>,
    /// The same, of those whose replicas are asked.
    copies: Vec<(Part, u64)>,
    seen: BTreeSet<Part>,
}

/// Visits of a load whose end is not known: more than there can be.
const OPEN: u64 = 1 << 48;

/// See the module.
pub(crate) struct Staged {
    base: Arc<dyn Regenerate>,
    stages: Stages,
    replicas: Replicas,
    schema: Arc<Schema>,
    /// What the load's reads of each table ask for beside their statements.
    asked: Vec<Asked>,
    laid: RwLock<Laid>,
}

impl Staged {
    /// `replicas`: only where a stage asks for them.
    pub(crate) fn new(base: Arc<dyn Regenerate>, stages: Stages, replicas: Replicas) -> Staged {
        assert!(
            !stages.round.is_empty() && stages.rounds > 0,
            "stages are at least one"
        );
        let schema = base.schema(Lts(1));
        Staged {
            asked: whole::asked(base.as_ref(), schema.tables.len()),
            schema,
            base,
            stages,
            replicas,
            laid: RwLock::default(),
        }
    }

    /// How many visits the history has. Lays all of it out.
    pub(crate) fn visits(&self) -> u64 {
        self.lay_until(&|_| false);
        self.laid.read().numbers
    }

    /// The first visit of a load whose length is a time, and not known yet: nothing comes after it so far. Lays all out.
    pub(crate) fn open(&self) -> Option<Lts> {
        self.lay_until(&|_| false);
        self.laid.read().open
    }

    /// How many partitions the last validation reads. Lays all of it out.
    pub(crate) fn partitions(&self) -> u64 {
        self.lay_until(&|_| false);
        self.laid.read().parts.len() as u64
    }

    /// The partitions that the last validation reads, by their first write. Lays all of it out.
    pub(crate) fn parts(&self) -> Vec<Part> {
        self.lay_until(&|_| false);
        self.laid.read().parts.iter().map(|(part, _)| *part).collect()
    }

    /// The first and the last visit of the first validation that ends at or after `lts`; `None`: there is none any more.
    pub(crate) fn validation(&self, lts: Lts) -> Option<(Lts, Lts)> {
        let found = |laid: &Laid| {
            let mut of = laid.stretches.iter();
            of.find(|s| !matches!(s.kind, Kind::Load) && s.first + s.visits > lts.0)
                .map(|s| (Lts(s.first), Lts(s.first + s.visits - 1)))
        };
        self.lay_until(&|laid| found(laid).is_some());
        found(&self.laid.read())
    }

    /// Lays out stretches until `enough`, or all of them.
    fn lay_until(&self, enough: &dyn Fn(&Laid) -> bool) {
        let end = u64::from(self.stages.rounds) * self.stages.round.len() as u64;
        let done = |laid: &Laid| laid.stages == end || enough(laid);
        if done(&self.laid.read()) {
            return;
        }
        let mut laid = self.laid.write();
        while !done(&laid) {
            let at = usize::try_from(laid.stages % self.stages.round.len() as u64).expect("an index");
            let (visits, kind) = match self.stages.round[at] {
                Stage::Load(visits) | Stage::LoadFor(_, Some(visits)) => (visits, Kind::Load),
                Stage::LoadFor(_, None) => (OPEN, Kind::Load),
                Stage::Validate => {
                    self.look_through(&mut laid);
                    let reads = laid.parts.last().map_or(0, |(_, reads)| *reads);
                    (reads, Kind::Validate(laid.parts.len()))
                }
                Stage::ValidateReplicas => {
                    self.look_through(&mut laid);
                    let reads = laid.copies.last().map_or(0, |(_, reads)| *reads);
                    let all = reads * u64::from(self.replicas.nodes);
                    (all, Kind::Replicas(laid.copies.len(), reads))
                }
            };
            let stretch = Stretch {
                first: laid.numbers + 1,
                visits,
                base_before: laid.base,
                kind,
            };
            laid.stages += 1;
            if visits == OPEN {
                laid.open = Some(Lts(stretch.first));
                laid.stages = end;
            }
            laid.numbers += visits;
            if matches!(kind, Kind::Load) {
                laid.base += visits;
            }
            if visits > 0 {
                laid.stretches.push(stretch);
            }
        }
    }

    /// Which partitions the visits laid out so far write.
    fn look_through(&self, laid: &mut Laid) {
        let mut writes = Vec::new();
        let mut next = Lts(laid.looked_through + 1);
        while let Some(lts) = self.base.from(next).filter(|lts| lts.0 <= laid.base) {
            next = Lts(lts.0 + 1);
            self.base.writes(lts, &mut writes);
            for part in &writes {
                if laid.seen.insert(*part) {
                    let before = laid.parts.last().map_or(0, |(_, reads)| *reads);
                    let reads = reads_of(self.schema.table(part.table), self.is_stamped());
                    laid.parts.push((*part, before + reads));
                    if !self.replicas.but.contains(&part.table) {
                        let before = laid.copies.last().map_or(0, |(_, reads)| *reads);
                        laid.copies.push((*part, before + reads));
                    }
                }
            }
        }
        laid.looked_through = laid.base;
    }

    /// The stretch that a number lies in; `None`: beyond the end.
    fn stretch(&self, lts: Lts) -> Option<Stretch> {
        self.lay_until(&|laid| laid.numbers >= lts.0);
        let laid = self.laid.read();
        let after = laid.stretches.partition_point(|s| s.first <= lts.0);
        let stretch = *laid.stretches.get(after.checked_sub(1)?)?;
        (lts.0 < stretch.first + stretch.visits).then_some(stretch)
    }

    /// The visit of the base that has this number.
    fn base_of(&self, lts: Lts) -> Option<Lts> {
        let stretch = self.stretch(lts)?;
        matches!(stretch.kind, Kind::Load).then(|| Lts(stretch.base_before + lts.0 - stretch.first + 1))
    }

    /// Visits of the base whose numbers are at most `lts`.
    fn base_until(&self, lts: Lts) -> u64 {
        match self.stretch(lts) {
            Some(s) if matches!(s.kind, Kind::Load) => s.base_before + lts.0 - s.first + 1,
            Some(s) => s.base_before,
            None if lts.0 == 0 => 0,
            None => self.laid.read().base,
        }
    }

    /// The number of a visit of the base; `None`: no stage comes to it.
    fn number_of(&self, base: Lts) -> Option<Lts> {
        self.lay_until(&|laid| laid.base >= base.0);
        let laid = self.laid.read();
        let below = laid.stretches.partition_point(|s| s.base_before < base.0);
        let stretch = laid.stretches.get(below.checked_sub(1)?)?;
        if !matches!(stretch.kind, Kind::Load) {
            return None;
        }
        let within = base.0 - stretch.base_before;
        (within <= stretch.visits).then(|| Lts(stretch.first + within - 1))
    }

    fn is_stamped(&self) -> bool {
        self.asked.iter().any(|asked| asked.stamp.is_some())
    }

    /// The read at an index of a validation.
    fn read(&self, parts: &[(Part, u64)], index: u64, before: u64) -> Query {
        let at = parts.partition_point(|(_, reads)| *reads <= index);
        let (part, until) = parts[at];
        let queries = reads(self.schema.table(part.table), part, self.is_stamped());
        let back = usize::try_from(until - index).expect("reads of one partition are few");
        let mut query = queries[queries.len() - back].clone();
        // What is dropped when the base ends is no column of what is read then.
        let away = self.base.away(part.table, Lts(before));
        if let Select::Columns(columns) = &mut query.select {
            columns.retain(|id| !away.contains(id));
        }
        query
    }
}

impl Regenerate for Staged {
    fn schema(&self, _: Lts) -> Arc<Schema> {
        Arc::clone(&self.schema)
    }

    fn visit(&self, lts: Lts) -> Option<Visit> {
        let stretch = self.stretch(lts)?;
        let index = lts.0 - stretch.first;
        match stretch.kind {
            Kind::Load => {
                let visit = self.base.visit(Lts(stretch.base_before + index + 1))?;
                Some(Visit { lts, ..visit })
            }
            Kind::Validate(parts) => Some(self.validating(
                lts,
                self.read(&self.laid.read().parts[..parts], index, stretch.base_before),
            )),
            Kind::Replicas(parts, reads) => {
                let read = self.read(
                    &self.laid.read().copies[..parts],
                    index % reads,
                    stretch.base_before,
                );
                let mut visit = self.validating(lts, read);
                if let Some(stamp) = &mut visit.stamp {
                    stamp.consistency = Consistency::One;
                    stamp.node = u16::try_from(index / reads).expect("nodes are numbered in 16 bits");
                }
                Some(visit)
            }
        }
    }

    fn from(&self, lts: Lts) -> Option<Lts> {
        let stretch = self.stretch(lts)?;
        match stretch.kind {
            Kind::Validate(_) | Kind::Replicas(..) => Some(lts),
            Kind::Load => {
                let base = Lts(stretch.base_before + lts.0 - stretch.first + 1);
                match self.base.from(base) {
                    Some(found) if found == base => Some(lts),
                    Some(found) if found.0 <= stretch.base_before + stretch.visits => {
                        Some(Lts(stretch.first + found.0 - stretch.base_before - 1))
                    }
                    // Holes up to the end of the stretch.
                    _ => self.from(Lts(stretch.first + stretch.visits)),
                }
            }
        }
    }

    fn number(&self, lts: Lts, step: u16) -> u16 {
        self.base_of(lts)
            .map_or(step, |base| self.base.number(base, step))
    }

    fn writer_after(&self, part: Part, lts: Lts) -> Option<Lts> {
        let base = self.base.writer_after(part, Lts(self.base_until(lts)))?;
        self.number_of(base)
    }

    fn writers_after(&self, part: Part, lts: Lts, into: &mut Vec<Lts>) {
        let mut base = Vec::new();
        self.base
            .writers_after(part, Lts(self.base_until(lts)), &mut base);
        into.extend(base.into_iter().map_while(|b| self.number_of(b)));
    }

    fn writer_before(&self, part: Part, lts: Lts) -> Option<Lts> {
        let base = self.base.writer_before(part, self.after_those_before(lts))?;
        self.number_of(base)
    }

    fn writers_before(&self, part: Part, lts: Lts, into: &mut Vec<Lts>) {
        let mut base = Vec::new();
        self.base
            .writers_before(part, self.after_those_before(lts), &mut base);
        into.extend(base.into_iter().map_while(|b| self.number_of(b)));
    }
}

impl Staged {
    /// A visit that reads.
    fn validating(&self, lts: Lts, read: Query) -> Visit {
        let Asked { level, stamp, .. } = self.asked[usize::from(read.table)];
        Visit {
            lts,
            level,
            writes: Vec::new(),
            steps: vec![Step::Read(read)],
            end: End::Autocommit,
            stamp,
        }
    }

    /// The visit of the base right after those whose numbers are below `lts`.
    fn after_those_before(&self, lts: Lts) -> Lts {
        Lts(self.base_until(Lts(lts.0.saturating_sub(1))) + 1)
    }
}

#[cfg(test)]
mod tests;
