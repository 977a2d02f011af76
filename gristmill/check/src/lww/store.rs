//! Racing partitions kept between answers: one head each, everything in it sure for every answer that may still come.
//!
//! ```text
//!  head      visits acknowledged before the floor: merged for good
//!  standing  acknowledged before the last reader began: merged, newest acknowledgement last, may be taken back
//!  pending   begun, but none of these: open then, unknown, acknowledged later, at a level that promises nothing
//!  ahead     later writers of the plan, found once
//! ```
//!
//! Invariants:
//! * R1 a head holds only visits that every later reader must see; merging them is final and needs no order.
//! * R2 every writer up to `through` is in the head, standing, pending, or left nothing.
//! * R3 what is kept only saves time: a forgotten partition is merged again from its first writer.
//! * R4 entries are locked in the order of their partitions, shards never while an entry is waited for.

use super::counted::Pasts;
use super::effects::{merge, stamp};
use super::image::{refresh, refresh_all};
use super::merged::{Dirty, Merged};
use super::see::{Promise, Seen, Viewer};
use crate::judged::Spread;
use crate::judged::{Options, Overlap};
use crate::layout::TableLayout;
use crate::model::{Booked, Enc, KEPT, Keep, Partition, Shards, Visits};
use history::{Consistency, Lts, Part, Regenerate, Semantics, Tick, Ties, Tracker, Visit};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Visits merged into a head before it is looked over for what can be forgotten.
const TIDY_EVERY: u32 = if cfg!(test) { 2 } else { 64 };

/// What is known of a partition, for readers who need writes to be taken by so many replicas.
pub(crate) struct Entry {
    merged: Merged,
    image: Partition,
    /// Whether the two above were made.
    made: bool,
    through: Lts,
    /// The latest acknowledgement in the head.
    by: Tick,
    standing: Vec<Standing>,
    /// Ascending.
    pending: Vec<Lts>,
    ahead: VecDeque<Lts>,
    since_tidy: u32,
    key: Option<Enc>,
    booked: Booked,
}

impl Default for Entry {
    /// Nothing known: before every visit, before every moment.
    fn default() -> Self {
        Self {
            merged: Merged::default(),
            image: Partition::default(),
            made: false,
            through: Lts(0),
            by: Tick(0),
            standing: Vec::new(),
            pending: Vec::new(),
            ahead: VecDeque::new(),
            since_tidy: 0,
            key: None,
            booked: Booked::default(),
        }
    }
}

struct Standing {
    lts: Lts,
    by: Tick,
    mark: Mark,
}

/// A place in the journals of a partition and its face.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    merged: usize,
    image: usize,
}

/// Visits that a reader may see, in no order that matters.
#[derive(Default)]
pub(crate) struct Tail {
    pub(crate) may: Vec<(Arc<Visit>, Overlap)>,
    /// Visits merged on the way.
    pub(crate) replayed: u64,
}

impl Entry {
    /// The face, the partition, and its key's bytes. Panics unless prepared.
    pub(crate) fn parts(&mut self) -> (&mut Partition, &mut Merged, &Enc) {
        let key = self.key.as_ref().expect("prepared before it is used");
        (&mut self.image, &mut self.merged, key)
    }

    /// What was merged.
    pub(crate) fn merged(&self) -> &Merged {
        &self.merged
    }

    /// What of it is visible.
    pub(crate) fn image(&self) -> &Partition {
        &self.image
    }

    /// A place to come back to.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            merged: self.merged.mark(),
            image: self.image.mark(),
        }
    }

    /// Takes back everything after a place.
    pub(crate) fn undo(&mut self, mark: Mark) {
        self.merged.undo(mark.merged);
        self.image.undo(mark.image);
    }

    /// Whether the head holds nothing that this viewer need not see.
    pub(crate) fn serves(&self, viewer: &Viewer) -> bool {
        self.by < viewer.snapshot.sent
    }

    fn make(&mut self, table: &TableLayout, part: Part, ties: Ties) {
        if !self.made {
            self.merged = Merged::new(table, ties);
            self.image = Partition::new(table.regular_count());
            self.key = Some(table.encode_part_key(part.position));
            self.made = true;
        }
    }

    /// Takes back the standing visits that a viewer need not see.
    fn keep_for(&mut self, viewer: &Viewer) {
        let kept = self.standing.partition_point(|s| s.by < viewer.snapshot.sent);
        self.take_back(kept);
    }

    fn take_back(&mut self, kept: usize) {
        let Some(first) = self.standing.get(kept) else {
            return;
        };
        let mark = first.mark;
        self.undo(mark);
        self.pending.extend(self.standing.drain(kept..).map(|s| s.lts));
        self.pending.sort_unstable();
    }

    /// Makes standing visits a part of the head, those that were acknowledged by then.
    fn settle(&mut self, final_by: Tick) {
        let settled = self.standing.partition_point(|s| s.by <= final_by);
        let Some(last) = settled.checked_sub(1) else {
            return;
        };
        self.by = self.by.max(self.standing[last].by);
        self.since_tidy += u32::try_from(settled).expect("fewer than 2^32 visits stand");
        let mark = self.standing.get(settled).map_or_else(|| self.mark(), |s| s.mark);
        self.merged.settle(mark.merged);
        self.image.settle(mark.image);
        self.standing.drain(..settled);
        for s in &mut self.standing {
            s.mark.merged -= mark.merged;
            s.mark.image -= mark.image;
        }
    }
}

impl Keep for Entry {
    fn size(&self) -> usize {
        size_of::<Self>()
            + self.merged.bytes()
            + self.image.bytes()
            + 8 * (self.ahead.len() + self.pending.len())
    }

    /// There is nothing between a head and nothing.
    fn shrink(&mut self) -> bool {
        false
    }

    fn booked(&mut self) -> &mut Booked {
        &mut self.booked
    }
}

/// See the module.
pub(crate) struct Store {
    history: Arc<dyn Regenerate>,
    tracker: Arc<dyn Tracker>,
    pub(crate) promise: Promise,
    ties: Ties,
    options: Options,
    /// When everything acknowledged before was on every replica, if somebody told.
    spread: Option<Spread>,
    /// By partition, and by how many replicas must have taken a write.
    shards: Shards<(Part, u16), Entry>,
    pub(crate) visits: Visits,
    pub(super) counted: Pasts,
    floor: AtomicU64,
}

impl Store {
    pub(crate) fn new(
        history: Arc<dyn Regenerate>,
        tracker: Arc<dyn Tracker>,
        real_time: bool,
        semantics: &Semantics,
        options: Options,
    ) -> Self {
        Self {
            visits: Visits::new(Arc::clone(&history), if options.bytes_max > 0 { KEPT } else { 1 }),
            history,
            tracker,
            promise: Promise {
                real_time,
                replicas: semantics.replicas.max(1),
            },
            ties: semantics.ties,
            spread: None,
            shards: Shards::new(&options),
            options,
            counted: Pasts::default(),
            floor: AtomicU64::new(0),
        }
    }

    pub(crate) fn set_spread(&mut self, spread: Spread) {
        self.spread = Some(spread);
    }

    /// When everything that was acknowledged by a tick was on every replica; `None`: not before a reader asked.
    pub(crate) fn spread(&self, by: Tick, asked: Tick) -> Option<Tick> {
        self.spread.as_ref().and_then(|spread| spread(by, asked))
    }

    /// What became of a visit.
    pub(super) fn track(&self, lts: Lts) -> history::Track {
        self.tracker.get(lts)
    }

    /// The next writers of a partition, some of them; nothing is added behind the last one.
    pub(super) fn writers_after(&self, part: Part, lts: Lts, into: &mut Vec<Lts>) {
        self.history.writers_after(part, lts, into);
    }

    /// How many sessions there are.
    pub(super) fn sessions(&self) -> usize {
        self.options.sessions as usize
    }

    /// What was acknowledged by then is the same for every viewer that is still to come, but for some that are late.
    pub(super) fn floor(&self) -> Tick {
        Tick(self.floor.load(Ordering::Relaxed))
    }

    /// Raises the floor; a lower one is ignored.
    pub(crate) fn raise_floor(&self, tick: Tick) {
        self.floor.fetch_max(tick.0, Ordering::Relaxed);
    }

    /// Without real time every reader sees something else, so nothing is worth keeping.
    fn keeps(&self) -> bool {
        self.options.bytes_max > 0 && self.promise.real_time
    }

    /// The entry of a partition for readers at a level, empty where nothing is known.
    pub(crate) fn entry(&self, part: Part, read: Consistency) -> Arc<Mutex<Entry>> {
        if !self.keeps() {
            return Arc::default();
        }
        self.shards.entry(part, (part, self.promise.need(read)))
    }

    /// Books an entry's memory after use, and forgets others where there is too much.
    pub(crate) fn release(&self, part: Part, entry: &mut Entry) {
        if self.keeps() {
            self.shards.release(part, entry);
        }
    }

    /// Brings an entry to what a viewer must see; what he may see is returned. `Err`: why the answer cannot be compared.
    pub(crate) fn prepare(
        &self,
        entry: &mut Entry,
        table: &TableLayout,
        part: Part,
        viewer: &Viewer,
    ) -> Result<Tail, &'static str> {
        entry.make(table, part, self.ties);
        let final_by = if self.keeps() {
            Tick(self.floor.load(Ordering::Relaxed)).min(viewer.snapshot.sent)
        } else {
            viewer.snapshot.sent
        };
        entry.keep_for(viewer);
        entry.settle(final_by);
        if entry.since_tidy >= TIDY_EVERY {
            // Then every writer up to `through` that is not in the head is pending.
            entry.take_back(0);
            self.tidy(entry);
        }
        let mut tail = Tail::default();
        let mut must = self.gather(entry, part, viewer, &mut tail)?;
        must.sort_unstable();
        let finals = must.partition_point(|(by, _)| *by <= final_by);
        if finals > 0 {
            let stood = entry.standing.len();
            if stood > 0 {
                must.extend(entry.standing.iter().map(|s| (s.by, s.lts)));
                entry.take_back(0);
                let back: Vec<Lts> = must[must.len() - stood..].iter().map(|(_, lts)| *lts).collect();
                entry.pending.retain(|lts| !back.contains(lts));
                must[finals..].sort_unstable();
            }
            self.absorb(entry, table, part, &must[..finals], &mut tail);
        }
        entry.merged.record();
        entry.image.record();
        for (by, lts) in &must[finals..] {
            let mark = entry.mark();
            let Some(visit) = self.visits.get(*lts) else {
                continue;
            };
            self.put(entry, table, part, &visit);
            entry.standing.push(Standing {
                lts: *lts,
                by: *by,
                mark,
            });
            tail.replayed += 1;
        }
        Ok(tail)
    }

    /// Sorts the writers that are not merged yet: those that must be visible are returned, those that may go to the tail.
    fn gather(
        &self,
        entry: &mut Entry,
        part: Part,
        viewer: &Viewer,
        tail: &mut Tail,
    ) -> Result<Vec<(Tick, Lts)>, &'static str> {
        let mut must = Vec::new();
        let mut may = Vec::new();
        let mut left = Vec::new();
        let sees = |lts: Lts| {
            let level = || self.visits.get(lts).map(|v| stamp(&v).consistency);
            let spread = |by| self.spread(by, viewer.snapshot.sent);
            self.promise
                .sees(lts, &self.tracker.get(lts), viewer, level, spread)
        };
        for lts in &entry.pending {
            match sees(*lts)? {
                Seen::Must(by) => must.push((by, *lts)),
                Seen::May(overlap) => {
                    may.push(overlap);
                    left.push(*lts);
                }
                Seen::Late => left.push(*lts),
                Seen::Not => {}
            }
        }
        let mut more = Vec::new();
        // Those that are late wait, if another one follows that is not.
        let mut late: Vec<Lts> = Vec::new();
        let mut passed = 0;
        for i in 0.. {
            if i == entry.ahead.len() {
                let last = entry.ahead.back().copied().unwrap_or(entry.through);
                self.history.writers_after(part, last, &mut more);
                entry.ahead.extend(more.drain(..));
            }
            let Some(lts) = entry.ahead.get(i).copied() else {
                break;
            };
            match sees(lts)? {
                // Each session holds one visit: more than that, and all that follows is later still.
                Seen::Late if late.len() >= self.options.sessions as usize => break,
                Seen::Late => {
                    late.push(lts);
                    continue;
                }
                Seen::Must(by) => must.push((by, lts)),
                Seen::May(overlap) => {
                    may.push(overlap);
                    left.push(lts);
                }
                Seen::Not => continue,
            }
            left.append(&mut late);
            passed = i + 1;
        }
        if let Some(last) = passed.checked_sub(1) {
            entry.through = entry.ahead[last];
            entry.ahead.drain(..passed);
        }
        left.sort_unstable();
        entry.pending = left;
        for overlap in may {
            if let Some(visit) = self.visits.get(overlap.lts) {
                tail.may.push((visit, overlap));
            }
        }
        Ok(must)
    }

    /// Merges visits for good. Nothing stands.
    fn absorb(
        &self,
        entry: &mut Entry,
        table: &TableLayout,
        part: Part,
        visits: &[(Tick, Lts)],
        tail: &mut Tail,
    ) {
        entry.merged.stop();
        entry.image.stop();
        let mut dirty = Dirty::default();
        let many = visits.len() > 8;
        for (by, lts) in visits {
            entry.by = entry.by.max(*by);
            let merged = &mut entry.merged;
            let there = self.visits.look(*lts, |visit| {
                let changed = if many { None } else { Some(&mut dirty) };
                merge(merged, table, part, visit, changed);
            });
            if there.is_none() {
                continue;
            }
            tail.replayed += 1;
        }
        if many {
            let known: Vec<u64> = entry.image.rows().iter().map(|(p, _)| *p).collect();
            for position in known {
                if entry.merged.find(position).is_none() {
                    entry.image.remove_one(position);
                }
            }
            refresh_all(&mut entry.image, &entry.merged, table, &[]);
        } else {
            refresh(&mut entry.image, &entry.merged, table, &mut dirty, &[]);
        }
        let more = u32::try_from(visits.len()).unwrap_or(u32::MAX);
        entry.since_tidy = entry.since_tidy.saturating_add(more);
    }

    /// Forgets deletions that no visit to come can fall under. Nothing stands.
    fn tidy(&self, entry: &mut Entry) {
        entry.since_tidy = 0;
        entry.merged.stop();
        entry.image.stop();
        entry.merged.tidy_expiries();
        let oldest = entry.pending.first().copied().unwrap_or(entry.through);
        let Some(visit) = self
            .visits
            .once(oldest)
            .filter(|_| self.options.displacement < i64::MAX)
        else {
            return;
        };
        let below = stamp(&visit).timestamp.saturating_sub(self.options.displacement);
        entry.merged.forget(below);
    }

    /// Merges a visit so that it can be taken back.
    pub(crate) fn put(&self, entry: &mut Entry, table: &TableLayout, part: Part, visit: &Visit) {
        let mut dirty = Dirty::default();
        merge(&mut entry.merged, table, part, visit, Some(&mut dirty));
        refresh(&mut entry.image, &entry.merged, table, &mut dirty, &[]);
    }
}
