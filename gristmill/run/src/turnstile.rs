//! Who may go next under discipline `ordered`: visits that share a partition run one after another in lts order, others
//! run at once.
//!
//! ```text
//! visits in lts order ─▶ window (look-ahead) ─▶ one queue a partition ─▶ ready: first in all its queues ─▶ a session
//! ```
//!
//! It knows visits and partitions; it does not know sessions, databases or time.
//!
//! Invariants:
//! * U1 two visits in flight never write one partition, and the one that goes first has the smaller lts.
//! * U2 a visit takes all its partitions at once: nobody holds one and waits for another, so nobody waits in a ring.
//! * U3 a visit that writes nothing never waits.
//! * U4 a skipped visit is reported to `skipped` before any later visit of any of its partitions is released (F16).
//! * U5 with recorded overlaps, a visit starts when everything that had finished before it in the record has finished,
//!   and on the session that it had; whoever waits too long for that is let through, and it is counted.
//! * U6 after `stop`, what was admitted is still handed out: the visits of a run are the numbers 1 to n, without a gap but
//!   for those that the history itself has not.
//! * U7 a visit that changes what others may name runs alone: it goes when everything before it has ended, and nothing is
//!   admitted until it has.
//! * U8 a visit that follows another one is done by the same session, next. It holds nothing: it only reads.

use crate::replay::{Place, Schedule};
use datagen::schema::SizeClass;
use history::{Lts, Part, Parts, Regenerate, SessionId, Step, Visit};
use parking_lot::{Condvar, Mutex};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// What is told of a visit that will never run.
pub(crate) type Skipped = Box<dyn Fn(Lts) + Send + Sync>;
/// Whether a visit has ended before (in an earlier life of the worker).
pub(crate) type Done = Box<dyn Fn(Lts) -> bool + Send + Sync>;

/// See [`Options::follows`].
pub(crate) type Follows = Box<dyn Fn(Lts) -> bool + Send + Sync>;

/// How a turnstile is set up.
pub(crate) struct Options {
    /// The first visit; earlier ones have ended.
    pub first: Lts,
    /// The last visit; `Lts(u64::MAX)` where only time ends the run.
    pub last: Lts,
    /// Visits that may wait for a partition while later ones overtake them.
    pub look_ahead: usize,
    /// Told of each visit that is skipped, under the lock.
    pub skipped: Skipped,
    /// Visits that ended in an earlier life of the worker are passed over.
    pub done: Done,
    /// The highest lts for which `done` may be true.
    pub done_until: Lts,
    /// Recorded overlaps to follow.
    pub schedule: Option<Arc<Schedule>>,
    /// Which visits keep out of each other's way.
    pub exclusion: Exclusion,
    /// Whether a visit is for the session that did the one before it, right after that; not with recorded overlaps.
    pub follows: Follows,
}

/// Which visits keep out of each other's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exclusion {
    /// Visits that write a partition run one after another; reads go at any time (discipline `ordered`).
    Writers,
    /// Whoever writes or reads a partition runs alone on it.
    All,
    /// None: everything races (discipline `lww`).
    None,
}

impl Exclusion {
    /// The partitions that a visit has for itself while it runs, sorted, none twice.
    fn held<'v>(self, visit: &'v Visit, narrow: &dyn Fn(u16) -> u64) -> Cow<'v, [Part]> {
        match self {
            Exclusion::Writers => Cow::Borrowed(&visit.writes),
            Exclusion::None => Cow::Borrowed(&[]),
            Exclusion::All => {
                let mut held = visit.writes.clone();
                for step in &visit.steps {
                    let Step::Read(query) = step else { continue };
                    let table = query.table;
                    let part = |position| Part { table, position };
                    match &query.parts {
                        Parts::One(position) => held.push(part(*position)),
                        Parts::In(positions) => held.extend(positions.iter().copied().map(part)),
                        Parts::All | Parts::Ring { .. } => held.extend((0..narrow(table)).map(part)),
                    }
                }
                held.sort_unstable();
                held.dedup();
                Cow::Owned(held)
            }
        }
    }
}

/// The gate between the plan and the sessions.
pub(crate) struct Turnstile {
    history: Arc<dyn Regenerate>,
    options: Options,
    inner: Mutex<Inner>,
    changed: Condvar,
}

/// What a session is given.
#[derive(Debug)]
pub(crate) enum Taken {
    /// Go. Hand the visit back with [`Turnstile::release`].
    Go(Arc<Visit>),
    /// Every admitted visit waits for a partition that is in flight.
    Wait,
    /// There is nothing left.
    End,
}

struct Waiting {
    visit: Arc<Visit>,
    /// How many of its partitions have another visit before it.
    behind: usize,
}

struct Inner {
    next: u64,
    last: u64,
    waiting: BTreeMap<u64, Waiting>,
    queues: BTreeMap<Part, VecDeque<u64>>,
    /// First in all their queues, and free to go at any time.
    ready: BTreeSet<u64>,
    /// First in all their queues, with a place in the record: by the session that had them, then by how many had finished
    /// before.
    placed: BTreeMap<SessionId, BTreeSet<(usize, u64)>>,
    retired: BTreeSet<Part>,
    sleepers: usize,
    aborted: bool,
    record: Progress,
    /// Visits that were handed out and not released.
    flying: usize,
    /// The one that runs alone.
    alone: Option<u64>,
    /// By the visit that goes before: those that follow it.
    followers: BTreeMap<u64, Arc<Visit>>,
    /// By session: what it does next.
    own: BTreeMap<SessionId, Arc<Visit>>,
}

/// What came of a try to admit the next visit.
enum Admitted {
    Go(Arc<Visit>),
    Queued,
    /// It runs alone, or another one does.
    Blocked,
}

/// How far a recorded order is followed.
#[derive(Default)]
struct Progress {
    /// Which ranks have finished, and how many from the first on without a gap.
    finished: Vec<bool>,
    prefix: usize,
    /// Visits that waited too long for their place.
    forced: u64,
}

/// How long a visit waits for its place in a record.
const PATIENCE: Duration = Duration::from_millis(500);

impl Turnstile {
    /// A turnstile over the visits of `history`.
    pub(crate) fn new(history: Arc<dyn Regenerate>, options: Options) -> Turnstile {
        let inner = Inner {
            next: options.first.0,
            last: options.last.0,
            waiting: BTreeMap::new(),
            queues: BTreeMap::new(),
            ready: BTreeSet::new(),
            placed: BTreeMap::new(),
            retired: BTreeSet::new(),
            sleepers: 0,
            aborted: false,
            flying: 0,
            alone: None,
            followers: BTreeMap::new(),
            own: BTreeMap::new(),
            record: Progress {
                finished: vec![false; options.schedule.as_ref().map_or(0, |s| s.finished())],
                ..Progress::default()
            },
        };
        Turnstile {
            history,
            options,
            inner: Mutex::new(inner),
            changed: Condvar::new(),
        }
    }

    /// The next visit for a session, waiting until there is one; `None` when there is nothing left. Calls `idle` once if it
    /// has to wait.
    pub(crate) fn take(&self, who: SessionId, idle: impl FnOnce()) -> Option<Arc<Visit>> {
        let mut inner = self.inner.lock();
        let mut idle = Some(idle);
        loop {
            match self.next(&mut inner, who, false) {
                Taken::Go(visit) => return Some(visit),
                Taken::End => return None,
                Taken::Wait => {
                    if let Some(idle) = idle.take() {
                        idle();
                    }
                    inner.sleepers += 1;
                    if self.options.schedule.is_none() {
                        self.changed.wait(&mut inner);
                    } else if self.changed.wait_for(&mut inner, PATIENCE).timed_out()
                        && let Taken::Go(visit) = self.next(&mut inner, who, true)
                    {
                        inner.sleepers -= 1;
                        inner.record.forced += 1;
                        return Some(visit);
                    }
                    inner.sleepers -= 1;
                }
            }
        }
    }

    /// The next visit, if one is ready.
    pub(crate) fn try_take(&self, who: SessionId) -> Taken {
        self.next(&mut self.inner.lock(), who, false)
    }

    /// Visits that waited too long for their place in the record.
    pub(crate) fn forced(&self) -> u64 {
        self.inner.lock().record.forced
    }

    /// The visit has ended, and is settled: the next ones of its partitions may go.
    pub(crate) fn release(&self, visit: &Visit) {
        let held = self.held(visit);
        self.free(&held, visit.lts);
        let mut inner = self.inner.lock();
        inner.flying -= 1;
        if inner.alone == Some(visit.lts.0) {
            inner.alone = None;
        }
        if inner.sleepers > 0 && inner.flying == 0 {
            self.changed.notify_all();
        }
        self.wake(&inner);
    }

    fn held<'v>(&self, visit: &'v Visit) -> Cow<'v, [Part]> {
        let narrow = |table| match self.history.schema(visit.lts).table(table).size {
            SizeClass::Narrow { partitions } => u64::from(partitions),
            SizeClass::Wide => 0,
        };
        self.options.exclusion.held(visit, &narrow)
    }

    fn free(&self, writes: &[Part], lts: Lts) {
        if writes.is_empty() && self.options.schedule.is_none() {
            return;
        }
        let mut inner = self.inner.lock();
        inner.leave(writes, lts.0, &|lts| self.place(lts));
        if let Some(schedule) = &self.options.schedule {
            if let Some(rank) = schedule.rank(lts) {
                inner.record.finish(rank);
            }
            self.changed.notify_all();
        }
        self.wake(&inner);
    }

    /// No visit may write these partitions any more; call before releasing the visit that could not be settled. Visits that
    /// wait for them, and later ones that want them, are skipped.
    pub(crate) fn retire(&self, parts: &[Part], holder: Lts) {
        let mut inner = self.inner.lock();
        for part in parts {
            inner.retired.insert(*part);
            let behind: Vec<u64> = inner.queues.get(part).map_or_else(Vec::new, |q| {
                q.iter().copied().filter(|l| *l != holder.0).collect()
            });
            for lts in behind {
                (self.options.skipped)(Lts(lts));
                let waiting = inner
                    .waiting
                    .remove(&lts)
                    .expect("a visit in a queue, not its head's holder, is waiting");
                inner.unready(lts, self.place(lts));
                if inner.followers.remove(&lts).is_some() {
                    (self.options.skipped)(Lts(lts + 1));
                }
                if let Some(rank) = self.options.schedule.as_ref().and_then(|s| s.rank(Lts(lts))) {
                    inner.record.finish(rank);
                }
                inner.leave(&self.held(&waiting.visit), lts, &|lts| self.place(lts));
            }
        }
        self.wake(&inner);
    }

    /// Admits nothing more. Returns the last visit that was admitted.
    pub(crate) fn stop(&self) -> Lts {
        let mut inner = self.inner.lock();
        inner.last = inner.last.min(inner.next - 1);
        self.changed.notify_all();
        Lts(inner.last)
    }

    /// Hands out nothing more, not even what was admitted.
    pub(crate) fn abort(&self) {
        let mut inner = self.inner.lock();
        inner.last = inner.last.min(inner.next - 1);
        inner.aborted = true;
        self.changed.notify_all();
    }

    /// The last visit that was admitted so far.
    pub(crate) fn admitted(&self) -> Lts {
        Lts(self.inner.lock().next - 1)
    }

    /// Whether the last visit was admitted.
    pub(crate) fn is_stopped(&self) -> bool {
        let inner = self.inner.lock();
        inner.next > inner.last
    }

    /// Whether visits of the plan were not admitted and will not be.
    pub(crate) fn was_cut_short(&self) -> bool {
        self.inner.lock().last < self.options.last.0
    }

    fn wake(&self, inner: &Inner) {
        if inner.sleepers > 0 && (!inner.ready.is_empty() || inner.next > inner.last || self.has_room(inner))
        {
            self.changed.notify_all();
        }
    }

    fn place(&self, lts: u64) -> Option<Place> {
        self.options.schedule.as_ref()?.place(Lts(lts))
    }

    fn has_room(&self, inner: &Inner) -> bool {
        inner.waiting.len() < self.options.look_ahead
    }

    fn next(&self, inner: &mut Inner, who: SessionId, impatient: bool) -> Taken {
        let taken = self.choose(inner, who, impatient);
        if let Taken::Go(visit) = &taken {
            inner.flying += 1;
            if let Some(follower) = inner.followers.remove(&visit.lts.0) {
                inner.own.insert(who, follower);
            }
        }
        taken
    }

    fn choose(&self, inner: &mut Inner, who: SessionId, impatient: bool) -> Taken {
        if inner.aborted {
            return Taken::End;
        }
        loop {
            if let Some(visit) = inner.own.remove(&who) {
                return Taken::Go(visit);
            }
            if let Some(visit) = self.first_ready(inner, who, impatient) {
                return Taken::Go(visit);
            }
            if inner.next > inner.last {
                return if inner.waiting.is_empty() {
                    Taken::End
                } else {
                    Taken::Wait
                };
            }
            if !self.has_room(inner) {
                return Taken::Wait;
            }
            match self.admit(inner) {
                Admitted::Go(visit) => return Taken::Go(visit),
                Admitted::Queued => {}
                Admitted::Blocked => return Taken::Wait,
            }
        }
    }

    /// The first visit that stands first in all its queues, and whose place in the record has come.
    fn first_ready(&self, inner: &mut Inner, who: SessionId, impatient: bool) -> Option<Arc<Visit>> {
        let prefix = inner.record.prefix;
        let first = |set: &BTreeSet<(usize, u64)>| set.first().copied();
        let mine = inner.placed.get(&who).and_then(first);
        let lts = match mine {
            Some((after, lts)) if after <= prefix => Some(lts),
            _ if !inner.ready.is_empty() => inner.ready.first().copied(),
            _ if impatient => inner.placed.values().filter_map(first).min().map(|(_, lts)| lts),
            _ => None,
        }?;
        inner.unready(lts, self.place(lts));
        Some(inner.waiting.remove(&lts).expect("who is ready is there").visit)
    }

    /// Takes the next number into the window; gives the visit at once if nothing stands before it.
    fn admit(&self, inner: &mut Inner) -> Admitted {
        let Some(Lts(lts)) = self.history.from(Lts(inner.next)).filter(|l| l.0 <= inner.last) else {
            inner.last = inner.next - 1;
            return Admitted::Queued;
        };
        if inner.alone.is_some() {
            return Admitted::Blocked;
        }
        if lts <= self.options.done_until.0 && (self.options.done)(Lts(lts)) {
            inner.next = lts + 1;
            return Admitted::Queued;
        }
        let skipped = |inner: &mut Inner| {
            inner.next = lts + 1;
            (self.options.skipped)(Lts(lts));
            Admitted::Queued
        };
        let Some(visit) = self.history.visit(Lts(lts)) else {
            return skipped(inner);
        };
        if !inner.retired.is_empty() && visit.writes.iter().any(|p| inner.retired.contains(p)) {
            return skipped(inner);
        }
        if visit.change().is_some_and(|change| change.what.is_alone()) {
            if inner.flying > 0 || !inner.waiting.is_empty() || !inner.own.is_empty() {
                return Admitted::Blocked;
            }
            inner.alone = Some(lts);
        }
        inner.next = lts + 1;
        self.reserve(inner, lts);
        let mut behind = 0;
        for part in self.held(&visit).iter() {
            let queue = inner.queues.entry(*part).or_default();
            behind += usize::from(!queue.is_empty());
            queue.push_back(lts);
        }
        let visit = Arc::new(visit);
        if behind == 0 && self.options.schedule.is_none() {
            return Admitted::Go(visit);
        }
        if behind == 0 {
            inner.make_ready(lts, self.place(lts));
        }
        inner.waiting.insert(lts, Waiting { visit, behind });
        Admitted::Queued
    }

    /// Admits the visit that follows another one together with it.
    fn reserve(&self, inner: &mut Inner, lts: u64) {
        let next = Lts(lts + 1);
        let is_done = || next <= self.options.done_until && (self.options.done)(next);
        if self.options.schedule.is_some()
            || self.options.exclusion == Exclusion::All
            || next.0 > inner.last
            || !(self.options.follows)(next)
            || is_done()
        {
            return;
        }
        if let Some(visit) = self.history.visit(next) {
            inner.next = next.0 + 1;
            inner.followers.insert(lts, Arc::new(visit));
        }
    }
}

impl Progress {
    fn finish(&mut self, rank: usize) {
        self.finished[rank] = true;
        while self.finished.get(self.prefix) == Some(&true) {
            self.prefix += 1;
        }
    }
}

impl Inner {
    /// It stands first in all its queues.
    fn make_ready(&mut self, lts: u64, place: Option<Place>) {
        match place {
            None => self.ready.insert(lts),
            Some(place) => self
                .placed
                .entry(place.session)
                .or_default()
                .insert((place.after, lts)),
        };
    }

    /// It goes, or will never go.
    fn unready(&mut self, lts: u64, place: Option<Place>) {
        match place {
            None => self.ready.remove(&lts),
            Some(place) => self
                .placed
                .get_mut(&place.session)
                .is_some_and(|set| set.remove(&(place.after, lts))),
        };
    }

    /// Takes a visit out of its queues; whoever stood right behind it moves up.
    fn leave(&mut self, writes: &[Part], lts: u64, place: &dyn Fn(u64) -> Option<Place>) {
        for part in writes {
            let queue = self
                .queues
                .get_mut(part)
                .expect("a visit in flight is in the queues of its partitions");
            let at = queue
                .iter()
                .position(|l| *l == lts)
                .expect("a visit in flight is in the queues of its partitions");
            queue.remove(at);
            let Some(&first) = queue.front() else {
                self.queues.remove(part);
                continue;
            };
            if at == 0 {
                let waiting = self
                    .waiting
                    .get_mut(&first)
                    .expect("whoever is not first in a queue waits");
                waiting.behind -= 1;
                if waiting.behind == 0 {
                    self.make_ready(first, place(first));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
