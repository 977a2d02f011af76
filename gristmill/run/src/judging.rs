//! Judging while the load runs: answers are parked until nothing that overlaps them is open (F5), explained on any number of
//! threads, and concluded in the order in which they were answered.
//!
//! ```text
//! sessions ─▶ inbox ─▶ parked, by answered tick
//!                        │ below the low-water mark
//!                        ▼
//!                      explain × n ─▶ conclude ─▶ counts, findings
//! ```
//!
//! Invariants:
//! * J1 an answer is explained only when it lies below the low-water mark, and the mark is read before the inbox is emptied.
//! * J2 answers are concluded in ascending order of their answered tick, over the whole run.
//! * J3 the judge's floor never passes the snapshot of a parked answer, nor the low-water mark.
//! * J4 the verdict is the same on any number of threads.

mod counts;
mod pool;

use crate::RunError;
use crate::account::Account;
use crate::causes::sent_digest;
use crate::evidence::Held;
use crate::inbox::Batch;
use crate::life::LeftOver;
use crate::world::World;
use check::Judged;
pub(crate) use counts::Compared;
use datagen::stream::{Stream, chance, draw};
use history::{Answered, Counts, Lts, Tick};
use pool::Pool;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Answers that are explained before anything else is looked at again: the clock, interrupts, the floor (J3).
const AT_ONCE: usize = 256;
/// The share of visits whose digests are compared with what was sent, beside those that a finding cites (F4).
const SAMPLE: (u64, u64) = (1, 512);
/// How long the judge waits for answers before it looks at the mark again.
const LOOK_AGAIN: Duration = Duration::from_millis(8);

/// An answer that waits.
struct Parked {
    answered: Answered,
    batch: usize,
}

/// A visit whose answers wait.
struct Open {
    held: Held,
    left_ns: u64,
    answers: usize,
    waiting: usize,
    /// Of an earlier life: its visit is counted.
    again: bool,
}

/// The judging thread's state.
pub(crate) struct Judging<'w> {
    world: &'w World,
    pool: Option<Pool<'w>>,
    order: BinaryHeap<Reverse<(Tick, usize)>>,
    /// When the snapshots of parked answers began; those of answers that are judged meanwhile are dropped when they come up.
    began: BinaryHeap<Reverse<(Tick, Tick, usize)>>,
    parked: Slab<Parked>,
    open: Slab<Open>,
    batches: Vec<Batch>,
    compared: Compared,
    checked: u64,
    /// What earlier lives have counted, and what they told of it.
    before: &'w Account,
    /// The last answer that was concluded.
    through: Tick,
    /// Answers that are judged and not in a written account.
    unwritten: Vec<(Held, usize)>,
}

impl<'w> Judging<'w> {
    /// With `checkers` threads of the scope beside this one; one of them would only wait for the other, so 0 and 1 are none.
    pub(crate) fn new<'s>(
        world: &'w World,
        left_over: &'w LeftOver,
        scope: &'s std::thread::Scope<'s, 'w>,
    ) -> Judging<'w>
    where
        'w: 's,
    {
        let checkers = usize::from(world.plan.checkers);
        Judging {
            world,
            pool: (checkers > 1).then(|| Pool::new(world, scope, checkers)),
            order: BinaryHeap::new(),
            began: BinaryHeap::new(),
            parked: Slab::new(),
            open: Slab::new(),
            batches: Vec::new(),
            compared: Compared::default(),
            checked: left_over.ended,
            before: &left_over.account,
            through: left_over.account.through,
            unwritten: Vec::new(),
        }
    }

    /// Judges a portion of what can be judged; waits a little if there is nothing. Returns whether there was anything.
    pub(crate) fn round(&mut self) -> Result<bool, RunError> {
        let mark = self.world.ticks.low_water();
        let wait = if self.is_ripe(mark) {
            Duration::ZERO
        } else {
            LOOK_AGAIN
        };
        self.take_in(wait)?;
        let any = self.is_ripe(mark);
        if any {
            self.judge_some(mark)?;
        }
        // After each portion, not only when nothing is left: heads that stand still make every answer of a backlog replay
        // all of it, and the judge never catches up.
        self.raise_floor(mark);
        if !self.is_ripe(mark) {
            self.world.inbox.judged(mark);
        }
        Ok(any)
    }

    /// What could only be said when every answer was judged; the answers themselves are counted.
    pub(crate) fn finish(&mut self) -> Result<(), RunError> {
        for finding in self.world.judge.finish() {
            self.world.causes.judged(finding);
        }
        self.look_at_findings()
    }

    /// J3. Above the mark there may be answers whose snapshots began long before it.
    fn raise_floor(&mut self, mark: Tick) {
        while let Some(Reverse((sent, answered, at))) = self.began.peek() {
            let parked = self.parked.get(*at);
            if parked
                .is_some_and(|p| p.answered.span.answered == *answered && p.answered.snapshot.sent == *sent)
            {
                break;
            }
            self.began.pop();
        }
        let oldest = self
            .began
            .peek()
            .map_or(mark, |Reverse((sent, ..))| (*sent).min(mark));
        self.world.judge.floor(oldest);
    }

    /// Visits whose answers are all judged.
    pub(crate) fn checked(&self) -> u64 {
        self.checked
    }

    /// Since when the oldest answer waits, on the run's clock.
    pub(crate) fn waits_since(&self) -> Option<u64> {
        self.open.iter().map(|o| o.left_ns).min()
    }

    /// What was compared so far, in earlier lives too.
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = self.compared.counts();
        counts.add(&self.before.counts);
        counts
    }

    /// Whether the account should be written before its time: for room in the ring, or because somebody waits for it.
    pub(crate) fn is_account_due(&self) -> bool {
        self.world.account_wanted.load(Ordering::SeqCst) || self.world.ring.wants_room()
    }

    /// Writes down what is judged; then the ring may forget it (N2).
    pub(crate) fn write_account(&mut self) -> Result<(), RunError> {
        let world = self.world;
        world.causes.gather(world)?;
        let account = Account {
            through: self.through,
            counts: self.counts(),
            causes: world.causes.families(),
            lies: world.lies(&self.before.lies),
            idle_ns: world.idle_ns.load(Ordering::Relaxed),
            latency: world.latencies.buckets(),
        };
        account.write(world.ring.dir())?;
        for (held, answers) in self.unwritten.drain(..) {
            world.ring.judged(held, answers);
        }
        world.account_wanted.store(false, Ordering::SeqCst);
        Ok(())
    }

    fn is_ripe(&self, mark: Tick) -> bool {
        self.order.peek().is_some_and(|Reverse((tick, _))| *tick < mark)
    }

    fn take_in(&mut self, wait: Duration) -> Result<(), RunError> {
        let mut batches = std::mem::take(&mut self.batches);
        self.world.inbox.take(&mut batches, wait);
        for mut batch in batches.drain(..) {
            self.sample(&batch)?;
            let again = batch.sample.is_none();
            if let Some(visit) = batch.visit.take() {
                self.world.judge.offer(visit);
            }
            if batch.answers.is_empty() {
                self.checked += 1;
                continue;
            }
            let answers = batch.answers.len();
            let open = self.open.insert(Open {
                held: batch.held,
                left_ns: batch.left_ns,
                answers,
                waiting: answers,
                again,
            });
            for answered in batch.answers {
                let (tick, sent) = (answered.span.answered, answered.snapshot.sent);
                let at = self.parked.insert(Parked {
                    answered,
                    batch: open,
                });
                self.order.push(Reverse((tick, at)));
                self.began.push(Reverse((sent, tick, at)));
            }
        }
        self.batches = batches;
        Ok(())
    }

    fn judge_some(&mut self, mark: Tick) -> Result<(), RunError> {
        let mut some = Vec::new();
        let mut of = Vec::new();
        let mut last = Vec::new();
        while some.len() < AT_ONCE && self.is_ripe(mark) {
            let Some(Reverse((_, at))) = self.order.pop() else {
                break;
            };
            let parked = self.parked.remove(at);
            of.push(parked.batch);
            last.push(parked.answered.span.answered);
            some.push(parked.answered);
        }
        let explained = match &self.pool {
            Some(pool) => pool.explain(some)?,
            None => some.into_iter().map(|a| self.world.judge.explain(a)).collect(),
        };
        for ((explained, batch), tick) in explained.into_iter().zip(of).zip(last) {
            let lts = explained.address().lts;
            let judged = self.world.judge.conclude(explained);
            if tick <= self.before.through {
                self.one_judged(batch);
                continue;
            }
            match judged {
                Judged::Explained(e) => {
                    self.compared.explained(&e);
                    if e.read {
                        self.compare_for(lts);
                    }
                }
                Judged::NotCompared(why) => self.compared.not_compared(why),
                Judged::Broken(finding) => {
                    self.compared.broken(&finding);
                    self.world.causes.judged(*finding);
                    // While the answer is still held.
                    self.look_at_findings()?;
                }
            }
            self.through = tick;
            self.one_judged(batch);
        }
        Ok(())
    }

    /// Counts what a read was for beside itself: to see what must not have changed, or what an index finds.
    fn compare_for(&mut self, lts: Lts) {
        let Some(changing) = &self.world.changing else {
            return;
        };
        if let Some(kind) = changing.after(lts) {
            self.compared.also(kind);
        }
        if changing.is_by_index(lts) {
            self.compared.also("read-by-index");
        }
    }

    fn look_at_findings(&mut self) -> Result<(), RunError> {
        self.world.causes.gather(self.world)?;
        if self.world.plan.stop.reached(self.world.causes.total()) {
            self.world.turnstile.stop();
        }
        Ok(())
    }

    fn one_judged(&mut self, batch: usize) {
        let open = self.open.get_mut(batch);
        open.waiting -= 1;
        if open.waiting == 0 {
            let open = self.open.remove(batch);
            self.unwritten.push((open.held, open.answers));
            self.checked += u64::from(!open.again);
        }
    }

    /// Of some visits: what is regenerated now is what was meant and sent then.
    fn sample(&mut self, batch: &Batch) -> Result<(), RunError> {
        let drawn = draw(
            self.world.plan.seed.0,
            Stream::Sample,
            &[batch.lts.0, u64::from(batch.attempt)],
        );
        let Some(digests) = batch
            .sample
            .as_ref()
            .filter(|_| chance(drawn, SAMPLE.0, SAMPLE.1))
        else {
            return Ok(());
        };
        let lts = batch.lts;
        let visit = self
            .world
            .history
            .visit(lts)
            .ok_or(RunError::Regenerated { lts })?;
        let same = visit.digest(&mut Vec::new()) == digests.meant
            && sent_digest(&self.world.archive(), &visit, digests.steps) == digests.sent;
        if same {
            Ok(())
        } else {
            Err(RunError::Regenerated { lts })
        }
    }
}

/// Values by a small number that is used again when its value is gone.
struct Slab<T> {
    slots: Vec<Option<T>>,
    free: Vec<usize>,
}

impl<T> Slab<T> {
    fn new() -> Slab<T> {
        Slab {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }

    fn insert(&mut self, value: T) -> usize {
        if let Some(at) = self.free.pop() {
            self.slots[at] = Some(value);
            return at;
        }
        self.slots.push(Some(value));
        self.slots.len() - 1
    }

    fn get(&self, at: usize) -> Option<&T> {
        self.slots.get(at).and_then(Option::as_ref)
    }

    fn get_mut(&mut self, at: usize) -> &mut T {
        self.slots[at]
            .as_mut()
            .expect("a number that was given and not taken back")
    }

    fn remove(&mut self, at: usize) -> T {
        let value = self.slots[at]
            .take()
            .expect("a number that was given and not taken back");
        self.free.push(at);
        if self.free.len() == self.slots.len() {
            // Nothing is left: do not walk over a long list of holes for ever.
            self.slots.clear();
            self.free.clear();
        }
        value
    }

    fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().flatten()
    }
}
