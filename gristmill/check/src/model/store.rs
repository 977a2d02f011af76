//! Partitions kept between answers: one head each, checkpoints behind it, all of it forgettable.
//!
//! Invariants:
//! * S1 a head holds exactly the committed writers up to its `lts`, all of them acknowledged before every snapshot that
//!   may still be asked for (the floor): so a later answer only ever adds to it.
//! * S2 what is kept only saves time: a forgotten partition is walked back to its last whole delete and played again.
//! * S3 what stands on a head between two answers can be taken back: whole writers, one after another as the partition saw
//!   them, and on top of them at most the first steps of one visit that asked. Whoever comes next keeps of it what he must
//!   see, too, and takes back the rest: the statements of a visit are judged one after another, each played once.
//! * S4 entries are locked in the order of their partitions, shards never while an entry is waited for.

use super::apply::{apply, effective, plain, takes_back};
use super::{Booked, Enc, Keep, Partition, Shards, Visits, partition::Compact};
use crate::judged::{Options, Overlap};
use crate::layout::TableLayout;
use crate::span::{Seen, Viewer};
use history::{Claim, End, Lts, Op, Part, Regenerate, Step, Tick, Tracker, Visit};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Visits remembered while walking back, so that they are not regenerated on the way forward.
const WALK_KEPT: usize = 4096;

/// Checkpoints of one partition; the oldest goes.
const CHECKPOINTS: usize = 16;

/// What is known of a partition.
pub(crate) struct Entry {
    /// The partition as of `lts`; `None` when it was forgotten.
    head: Option<Partition>,
    /// Every committed writer up to here is in the head.
    lts: Lts,
    /// When the last of them was acknowledged.
    by: Tick,
    /// Writers that stand on the head, oldest first (S3).
    standing: Vec<Standing>,
    /// The visit whose first steps stand on top.
    own: Option<Own>,
    /// Oldest first, none newer than the head.
    checkpoints: VecDeque<Checkpoint>,
    since_checkpoint: u32,
    /// The first writers after `lts`, without a gap: facts of the plan, found once.
    ahead: VecDeque<Lts>,
    /// The partition key's canonical bytes.
    key: Option<Enc>,
    booked: Booked,
}

impl Default for Entry {
    /// Nothing known: before every visit, before every moment.
    fn default() -> Self {
        Self {
            head: None,
            lts: Lts(0),
            by: Tick(0),
            standing: Vec::new(),
            own: None,
            checkpoints: VecDeque::new(),
            since_checkpoint: 0,
            ahead: VecDeque::new(),
            key: None,
            booked: Booked::default(),
        }
    }
}

fn serves(lts: Lts, by: Tick, viewer: &Viewer) -> bool {
    match viewer.own {
        Some(own) => lts < own,
        None => by < viewer.snapshot.sent,
    }
}

/// A writer that stands on a head.
struct Standing {
    lts: Lts,
    /// When it was acknowledged.
    by: Tick,
    /// Where the journal stood before it.
    mark: usize,
}

/// A visit's own steps, as far as they stand on top.
struct Own {
    lts: Lts,
    steps: usize,
    /// Where the journal stood before them.
    mark: usize,
}

#[derive(Clone)]
struct Checkpoint {
    lts: Lts,
    by: Tick,
    state: Compact,
}

/// What stands on a prepared partition: writers from the first one that only may be visible.
#[derive(Default)]
pub(crate) struct Tail {
    /// In the order of the plan; `None` where the visit must be visible.
    pub(crate) visits: Vec<(Arc<Visit>, Option<Overlap>)>,
    /// Visits applied on the way.
    pub(crate) replayed: u64,
}

impl Entry {
    /// The partition and its key's bytes. Panics unless prepared.
    pub(crate) fn parts(&mut self) -> (&mut Partition, &Enc) {
        let head = self.head.as_mut().expect("prepared before it is used");
        (head, self.key.as_ref().expect("prepared before it is used"))
    }

    /// The partition. Panics unless prepared.
    pub(crate) fn partition(&mut self) -> &mut Partition {
        self.head.as_mut().expect("prepared before it is used")
    }

    /// The last whole writer that is in the head or stands on it.
    fn through(&self) -> Lts {
        self.standing.last().map_or(self.lts, |s| s.lts)
    }

    /// Whether the asking visit's own steps stand on top, and what follows them up to its statement only adds to them: then
    /// all below is as it must be, too, since whatever a visit stands on was over before it began.
    fn goes_on(&self, viewer: &Viewer, steps: &[Step]) -> bool {
        self.own.as_ref().is_some_and(|own| {
            viewer.own == Some(own.lts) && steps.get(own.steps..).is_some_and(|more| !takes_back(more))
        })
    }

    /// Takes back what stands and this viewer need not see. A visit's own steps are left where it may turn out that he must
    /// see the whole of it.
    fn keep_for(&mut self, viewer: &Viewer) {
        let kept = self.standing.partition_point(|s| {
            serves(s.lts, s.by, viewer) && viewer.unknown.is_none_or(|unknown| s.lts < unknown)
        });
        let own_is_before = self
            .own
            .as_ref()
            .is_some_and(|own| viewer.own.is_none_or(|me| own.lts < me));
        if kept < self.standing.len() || !own_is_before {
            self.take_own_back();
        }
        if let Some(first) = self.standing.get(kept) {
            let mark = first.mark;
            self.partition().undo(mark);
            self.standing.truncate(kept);
        }
    }

    fn take_own_back(&mut self) {
        if let Some(own) = self.own.take() {
            self.partition().undo(own.mark);
        }
    }

    /// Takes back everything that stands.
    fn take_back(&mut self) {
        self.own = None;
        self.standing.clear();
        if let Some(head) = &mut self.head {
            head.stop();
        }
    }

    /// Makes writers that stand a part of the head, those that were acknowledged by then.
    fn settle(&mut self, final_by: Tick) {
        let settled = self.standing.partition_point(|s| s.by <= final_by);
        let Some(last) = settled.checked_sub(1).map(|i| &self.standing[i]) else {
            return;
        };
        (self.lts, self.by) = (last.lts, last.by);
        self.since_checkpoint += u32::try_from(settled).expect("fewer than 2^32 writers stand");
        let next = self.standing.get(settled).map(|s| s.mark);
        let next = next.or_else(|| self.own.as_ref().map(|own| own.mark));
        let head = self.head.as_mut().expect("what stands, stands on a head");
        let mark = next.unwrap_or_else(|| head.mark());
        head.settle(mark);
        self.standing.drain(..settled);
        self.standing.iter_mut().for_each(|s| s.mark -= mark);
        if let Some(own) = &mut self.own {
            own.mark -= mark;
        }
        self.pass_by();
    }

    /// Forgets the writers that are in the head now.
    fn pass_by(&mut self) {
        while self.ahead.front().is_some_and(|w| *w <= self.lts) {
            self.ahead.pop_front();
        }
    }

    /// Whether the head holds nothing that this viewer need not see.
    pub(crate) fn serves(&self, viewer: &Viewer) -> bool {
        self.head.is_none() || serves(self.lts, self.by, viewer)
    }

    /// An entry to answer one viewer who looks below the head; not kept.
    pub(crate) fn past(&self, viewer: &Viewer) -> Entry {
        let base = self
            .checkpoints
            .iter()
            .rev()
            .find(|c| serves(c.lts, c.by, viewer));
        Entry {
            checkpoints: base.cloned().into_iter().collect(),
            key: self.key.clone(),
            ..Entry::default()
        }
    }

    fn keep_checkpoint(&mut self) {
        let Some(head) = &self.head else { return };
        if self.checkpoints.back().is_some_and(|c| c.lts == self.lts) {
            return;
        }
        self.checkpoints.push_back(Checkpoint {
            lts: self.lts,
            by: self.by,
            state: head.compact(),
        });
        if self.checkpoints.len() > CHECKPOINTS {
            self.checkpoints.pop_front();
        }
        self.since_checkpoint = 0;
    }
}

impl Keep for Entry {
    fn size(&self) -> usize {
        let head = self.head.as_ref().map_or(0, Partition::bytes);
        size_of::<Self>()
            + 8 * self.ahead.len()
            + head
            + self.checkpoints.iter().map(|c| c.state.bytes()).sum::<usize>()
    }

    /// The head first (a checkpoint stays), then everything.
    fn shrink(&mut self) -> bool {
        if self.head.is_some() {
            self.take_back();
            self.keep_checkpoint();
            self.head = None;
            let newest = self.checkpoints.pop_back();
            self.checkpoints.clear();
            self.checkpoints.extend(newest);
            true
        } else {
            false
        }
    }

    fn booked(&mut self) -> &mut Booked {
        &mut self.booked
    }
}

/// See the module.
pub(crate) struct Store {
    history: Arc<dyn Regenerate>,
    tracker: Arc<dyn Tracker>,
    claim: Claim,
    update_creates_rows: bool,
    options: Options,
    shards: Shards<Part, Entry>,
    visits: Visits,
    floor: AtomicU64,
}

impl Store {
    pub(crate) fn new(
        history: Arc<dyn Regenerate>,
        tracker: Arc<dyn Tracker>,
        claim: Claim,
        update_creates_rows: bool,
        options: Options,
    ) -> Self {
        Self {
            visits: Visits::new(Arc::clone(&history), super::visits::KEPT),
            history,
            tracker,
            claim,
            update_creates_rows,
            shards: Shards::new(&options),
            options,
            floor: AtomicU64::new(0),
        }
    }

    /// The visit; `None` is a hole.
    pub(crate) fn visit(&self, lts: Lts) -> Option<Arc<Visit>> {
        self.visits.get(lts)
    }

    /// Takes a visit that is at hand, so that it need not be regenerated.
    pub(crate) fn offer(&self, visit: Arc<Visit>) {
        self.visits.offer(visit);
    }

    /// Raises the floor; a lower one is ignored.
    pub(crate) fn raise_floor(&self, tick: Tick) {
        self.floor.fetch_max(tick.0, Ordering::Relaxed);
    }

    /// Whether anything is kept. Without real time every snapshot may be as old as it likes, so no head is ever safe.
    fn keeps(&self) -> bool {
        self.options.bytes_max > 0 && self.claim.real_time
    }

    /// The entry of a partition, empty where nothing is known. Lock several in the order of their partitions (S3).
    pub(crate) fn entry(&self, part: Part) -> Arc<Mutex<Entry>> {
        if !self.keeps() {
            return Arc::default();
        }
        self.shards.entry(part, part)
    }

    /// Accounts for what the entry has become, and forgets others where memory is short.
    pub(crate) fn release(&self, part: Part, entry: &mut Entry) {
        if !self.keeps() {
            return;
        }
        if let Some(head) = &mut entry.head {
            head.clean();
        }
        self.shards.release(part, entry);
    }

    /// Brings an entry to where everything that must be visible is applied, up to the first writer that only may be; what
    /// follows is returned. Where nothing follows and the viewer is a visit in a partition of its own, its steps before
    /// `step` stand, too. Afterwards the partition records. The entry must serve the viewer. `Err`: the answer was handed
    /// over too early; nothing is changed then.
    pub(crate) fn prepare(
        &self,
        entry: &mut Entry,
        table: &TableLayout,
        part: Part,
        viewer: &Viewer,
        visit: &Visit,
        step: usize,
    ) -> Result<Tail, &'static str> {
        let steps = &visit.steps[..step.min(visit.steps.len())];
        if entry.goes_on(viewer, steps) {
            self.play_own(entry, table, part, visit.lts, steps);
            return Ok(Tail::default());
        }
        if entry.key.is_none() {
            entry.key = Some(table.encode_part_key(part.position));
        }
        let mut tail = Tail::default();
        let final_by = self.final_by(viewer);
        if entry.head.is_none() {
            tail.replayed += self.rebuild(entry, table, part, viewer, visit.lts, final_by)?;
        }
        entry.settle(final_by);
        self.checkpoint(entry);
        entry.keep_for(viewer);
        let list = self.writers(entry, part, viewer)?;
        // Without real time: whoever is followed by a must is one himself.
        let last_must = list.iter().rposition(|(_, s)| matches!(s, Seen::Must(_)));
        for (i, (lts, seen)) in list.iter().enumerate() {
            let Some(writer) = self.visits.get(*lts) else {
                continue;
            };
            let overlap = match seen {
                Seen::May(o) if !self.claim.real_time && last_must.is_some_and(|m| i < m) && !o.unknown => {
                    None
                }
                Seen::May(o) => Some(*o),
                _ => None,
            };
            if overlap.is_some() && writer.end == End::Rollback {
                continue;
            }
            if overlap.is_some() || !tail.visits.is_empty() {
                tail.visits.push((writer, overlap));
                continue;
            }
            let by = if let Seen::Must(by) = seen { *by } else { Tick(0) };
            self.put_on(entry, table, part, &writer, by, final_by);
            tail.replayed += 1;
        }
        entry.take_own_back();
        entry.partition().record();
        if viewer.own.is_some() && tail.visits.is_empty() {
            self.play_own(entry, table, part, visit.lts, steps);
        }
        Ok(tail)
    }

    /// Puts a whole writer on what is there: into the head where that is final, on top of it otherwise.
    fn put_on(
        &self,
        entry: &mut Entry,
        table: &TableLayout,
        part: Part,
        writer: &Visit,
        by: Tick,
        final_by: Tick,
    ) {
        if let Some(own) = entry.own.take() {
            let more = writer.steps.get(own.steps..).filter(|more| !takes_back(more));
            if let (true, Some(more)) = (own.lts == writer.lts, more) {
                self.play_plain(entry.partition(), table, part, more);
                let (lts, mark) = (writer.lts, own.mark);
                entry.standing.push(Standing { lts, by, mark });
                entry.settle(final_by);
                return;
            }
            entry.partition().undo(own.mark);
        }
        if !entry.standing.is_empty() || by > final_by {
            let lts = writer.lts;
            let partition = entry.partition();
            partition.record();
            let mark = partition.mark();
            self.play(partition, table, part, writer);
            entry.standing.push(Standing { lts, by, mark });
            return;
        }
        let partition = entry.partition();
        partition.stop();
        self.play(partition, table, part, writer);
        (entry.lts, entry.by) = (writer.lts, by);
        entry.pass_by();
        entry.since_checkpoint += 1;
        self.checkpoint(entry);
    }

    /// Keeps a checkpoint where one is due; while something stands it has to wait.
    fn checkpoint(&self, entry: &mut Entry) {
        let due = entry.since_checkpoint >= self.options.checkpoint_every.max(1);
        if due && self.keeps() && entry.standing.is_empty() && entry.own.is_none() {
            entry.keep_checkpoint();
        }
    }

    /// Makes a visit's first steps stand on top, those that stand already not again.
    fn play_own(&self, entry: &mut Entry, table: &TableLayout, part: Part, lts: Lts, steps: &[Step]) {
        let Some(own) = &mut entry.own else {
            // Nothing to play, and below it there may be more to come as yet.
            if steps.is_empty() {
                return;
            }
            let partition = entry.partition();
            let mark = partition.mark();
            self.play_steps(partition, table, part, steps);
            let steps = steps.len();
            entry.own = Some(Own { lts, steps, mark });
            return;
        };
        let more = &steps[own.steps..];
        own.steps = steps.len();
        self.play_plain(entry.partition(), table, part, more);
    }

    /// Plays the statement itself, a write of the visit's own partition whose steps before it stand: how many rows it
    /// affects. It stands then, too.
    pub(crate) fn play_next(
        &self,
        entry: &mut Entry,
        table: &TableLayout,
        visit: Lts,
        step: usize,
        op: &Op,
    ) -> u64 {
        let partition = entry.head.as_mut().expect("prepared before it is used");
        let own = entry.own.get_or_insert_with(|| Own {
            lts: visit,
            steps: step,
            mark: partition.mark(),
        });
        assert!(
            own.lts == visit && own.steps == step,
            "its steps before this one stand"
        );
        own.steps += 1;
        apply(partition, table, op, self.update_creates_rows)
    }

    /// The writers after those that stand, each with what it is to the viewer, without those that left nothing; up to the
    /// end.
    fn writers(
        &self,
        entry: &mut Entry,
        part: Part,
        viewer: &Viewer,
    ) -> Result<Vec<(Lts, Seen)>, &'static str> {
        let mut list = Vec::new();
        let mut more = Vec::new();
        let through = entry.through();
        for i in entry.ahead.iter().take_while(|w| **w <= through).count().. {
            if i == entry.ahead.len() {
                let last = entry.ahead.back().copied().unwrap_or(entry.lts);
                self.history.writers_after(part, last, &mut more);
                entry.ahead.extend(more.drain(..));
            }
            let Some(&lts) = entry.ahead.get(i) else { break };
            match viewer.sees(lts, &*self.tracker, &self.claim)? {
                Seen::End => break,
                Seen::Not => {}
                seen => list.push((lts, seen)),
            }
        }
        Ok(list)
    }

    /// Applies what a visit leaves in a partition.
    pub(crate) fn play(&self, partition: &mut Partition, table: &TableLayout, part: Part, visit: &Visit) {
        self.play_steps(partition, table, part, &visit.steps);
    }

    /// Applies what the first steps of a visit leave in a partition.
    pub(crate) fn play_steps(
        &self,
        partition: &mut Partition,
        table: &TableLayout,
        part: Part,
        steps: &[Step],
    ) {
        if takes_back(steps) {
            for op in effective(steps, part) {
                apply(partition, table, op, self.update_creates_rows);
            }
        } else {
            self.play_plain(partition, table, part, steps);
        }
    }

    /// The same for steps that take nothing back.
    fn play_plain(&self, partition: &mut Partition, table: &TableLayout, part: Part, steps: &[Step]) {
        for op in plain(steps, part) {
            apply(partition, table, op, self.update_creates_rows);
        }
    }

    /// What would be affected by a write, which is taken back at once. The partition must be recording.
    pub(crate) fn affected(&self, partition: &mut Partition, table: &TableLayout, op: &Op) -> u64 {
        let mark = partition.mark();
        let n = apply(partition, table, op, self.update_creates_rows);
        partition.undo(mark);
        n
    }

    /// Up to which acknowledgement a change may be made for good.
    fn final_by(&self, viewer: &Viewer) -> Tick {
        if self.keeps() {
            Tick(self.floor.load(Ordering::Relaxed)).min(viewer.snapshot.sent)
        } else {
            viewer.snapshot.sent
        }
    }

    /// Makes a head anew from the newest checkpoint that may be used, or from the last committed whole delete, or from
    /// nothing; up to `near` at most.
    fn rebuild(
        &self,
        entry: &mut Entry,
        table: &TableLayout,
        part: Part,
        viewer: &Viewer,
        near: Lts,
        final_by: Tick,
    ) -> Result<u64, &'static str> {
        let base = entry
            .checkpoints
            .iter()
            .rev()
            .find(|c| serves(c.lts, c.by, viewer));
        let (state, lts, by) = match base {
            Some(c) => (Partition::restore(table.regular_count(), &c.state), c.lts, c.by),
            None => (Partition::new(table.regular_count()), Lts(0), Tick(0)),
        };
        let near = viewer.own.map_or(near, |own| Lts(own.0 - 1));
        let mut back: VecDeque<(Lts, Tick, Option<Arc<Visit>>)> = VecDeque::new();
        let mut from_nothing = false;
        let mut at = Lts(near.0.saturating_add(1));
        let mut before = VecDeque::new();
        let mut more = Vec::new();
        loop {
            if before.is_empty() {
                self.history.writers_before(part, at, &mut more);
                before.extend(more.drain(..));
            }
            let Some(w) = before.pop_front().filter(|w| *w > lts) else {
                break;
            };
            at = w;
            match viewer.sees(w, &*self.tracker, &self.claim)? {
                Seen::Must(by) if by <= final_by => {
                    let Some(visit) = self.visits.once(w) else {
                        continue;
                    };
                    let whole =
                        effective(&visit.steps, part).any(|op| matches!(op, Op::DeletePartition { .. }));
                    back.push_front((w, by, Some(visit)));
                    if let Some(old) = back.get_mut(WALK_KEPT) {
                        old.2 = None;
                    }
                    if whole {
                        from_nothing = true;
                        break;
                    }
                }
                // Whatever is not final, and all that follows it, is played by the caller on top.
                Seen::Must(_) | Seen::May(_) => back.clear(),
                Seen::Not | Seen::End => {}
            }
        }
        let (mut state, mut lts, mut by) = if from_nothing {
            (Partition::new(table.regular_count()), Lts(0), Tick(0))
        } else {
            (state, lts, by)
        };
        let mut replayed = 0;
        for (w, acknowledged, visit) in back {
            let visit = visit
                .or_else(|| self.visits.once(w))
                .expect("it was there on the way back");
            self.play(&mut state, table, part, &visit);
            (lts, by) = (w, acknowledged);
            replayed += 1;
        }
        entry.head = Some(state);
        entry.ahead.clear();
        entry.lts = lts;
        entry.by = by;
        entry.since_checkpoint = 0;
        Ok(replayed)
    }
}
