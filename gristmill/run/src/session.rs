//! One client of the database: takes visits from the turnstile, sends their statements, writes down what came back.
//!
//! Invariants:
//! * S1 `invoke` is in the log before the first byte of a visit leaves, `complete` before the next `invoke` (A5).
//! * S2 the tracker knows `visible_from` before COMMIT (or the autocommit statement) is sent (F2).
//! * S3 BEGIN is sent after all partitions are granted (F9); a visit is released only when nothing of it can still happen:
//!   acknowledged, or settled, or its partitions retired (F6, F43).
//! * S4 answers are handed over before the session's mark moves (T2).
//! * S5 nothing is sent twice but by the plan: a new attempt is an event of its own.

mod connection;
mod settle;
mod transact;

use crate::RunError;
use crate::fault::Witness;
use crate::inbox::{Batch, Digests};
use crate::latency::{LATE, Portion};
use crate::refusal::{self, Explained, Witnesses};
use crate::turnstile::Taken;
use crate::world::World;
use connection::Connection;
use history::{
    Address, Answer, Answered, Certainty, End, Finding, Kind, Op, Outcome, Reason, ReasonKind, SessionId,
    Shape, Span, State, Step, Tick, Visit,
};
pub(crate) use settle::settle_left_over;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use targets::{Identity, Stall, exhausted};
pub(crate) use transact::fold;

/// Visits by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) committed: u64,
    pub(crate) rejected: u64,
    /// By plan.
    pub(crate) rolled_back: u64,
    pub(crate) unknown: u64,
    pub(crate) writing: u64,
    /// Attempts that met a busy lock in lock-step pace and were repeated.
    pub(crate) busy: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Tally) {
        self.committed += other.committed;
        self.rejected += other.rejected;
        self.rolled_back += other.rolled_back;
        self.unknown += other.unknown;
        self.writing += other.writing;
        self.busy += other.busy;
    }
}

/// One client.
pub(crate) struct Client<'w> {
    world: &'w World,
    me: SessionId,
    connection: Connection<'w>,
    tally: Tally,
    answers: Vec<Answered>,
    timed: Portion,
    scratch: Vec<u8>,
    /// Of the current attempt: the step digests folded, and how many steps were sent.
    sent: u64,
    steps_sent: usize,
    /// A statement of its last visit has something done to the server as a whole: its next visit comes after that.
    struck: bool,
}

/// Frees the others if this thread panics.
struct Farewell<'w>(&'w World, SessionId);

impl Drop for Farewell<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.abort();
        }
        if let Some(baton) = &self.0.baton {
            baton.leave(self.1.0);
        }
    }
}

/// Runs a session until the turnstile has nothing left.
pub(crate) fn run(world: &World, me: SessionId) -> Tally {
    let farewell = Farewell(world, me);
    if let Some(baton) = &world.baton {
        baton.join(me.0);
    }
    let mut client = Client::new(world, me);
    if let Err(error) = client.work() {
        world.ticks.end(me.0);
        world.fail(error);
    }
    let tally = client.tally;
    world.latencies.hand_over(&mut client.timed);
    drop(client);
    drop(farewell);
    // Perhaps the last one: the judge need not sleep on.
    world.inbox.ring();
    tally
}

/// What an attempt ended with.
struct Attempt {
    outcome: Outcome,
    /// The first statement that did not give a result, if any: its step and what it was told. What was said to the ROLLBACK
    /// after it is no reason of the failure.
    failed: Option<(u16, Reason)>,
    /// The tick before the end was sent, if it was.
    end_sent: Option<Tick>,
}

impl Attempt {
    fn failed_by(&self) -> Option<ReasonKind> {
        self.failed.as_ref().map(|(_, reason)| reason.kind)
    }
}

impl<'w> Client<'w> {
    fn new(world: &'w World, me: SessionId) -> Client<'w> {
        Client {
            world,
            me,
            connection: Connection::new(world, me),
            tally: Tally::default(),
            answers: Vec::new(),
            timed: Portion::default(),
            scratch: Vec::new(),
            sent: 0,
            steps_sent: 0,
            struck: false,
        }
    }

    fn work(&mut self) -> Result<(), RunError> {
        self.connection.open()?;
        while let Some(visit) = self.next() {
            self.visit(&visit)?;
            if self.world.log.is_full() {
                return Err(RunError::DiskFull {
                    path: self.world.log_folder.clone(),
                });
            }
        }
        Ok(())
    }

    fn next(&mut self) -> Option<Arc<Visit>> {
        while std::mem::take(&mut self.struck) && self.world.faults.is_under_way() && !self.world.is_over() {
            self.world.pause(TURN);
            self.struck = true;
        }
        let late = self.wait_for_its_moment();
        let visit = self.take();
        if let (Some(late), Some(_)) = (late, &visit) {
            self.world.latencies.add(&mut self.timed, LATE, late);
        }
        visit
    }

    fn take(&mut self) -> Option<Arc<Visit>> {
        let world = self.world;
        let Some(baton) = &world.baton else {
            let mut since = None;
            let visit = world.turnstile.take(self.me, || since = Some(world.clock.ns()));
            if let Some(since) = since {
                world
                    .idle_ns
                    .fetch_add(world.clock.ns() - since, Ordering::Relaxed);
            }
            return visit;
        };
        loop {
            match world.turnstile.try_take(self.me) {
                Taken::Go(visit) => return Some(visit),
                Taken::End => return None,
                Taken::Wait => baton.park(self.me.0),
            }
        }
    }

    /// Holds no partition while it waits. How late it is then, in nanoseconds; `None` without a rate.
    fn wait_for_its_moment(&self) -> Option<u64> {
        let world = self.world;
        let pacer = world.pacer.as_ref()?;
        let due = pacer.moment(world.clock.ns());
        loop {
            let now = world.clock.ns();
            if now >= due || world.turnstile.is_stopped() {
                return Some(now.saturating_sub(due));
            }
            world.pause(Duration::from_nanos(due - now).min(LOOK_UP));
        }
    }

    fn visit(&mut self, visit: &Arc<Visit>) -> Result<(), RunError> {
        let world = self.world;
        self.wait_for_room();
        let digest = visit.digest(&mut self.scratch);
        let mut attempt = 0;
        world.ticks.begin(self.me.0);
        let ended = loop {
            let began = world.clock.ns();
            let ended = self.attempt(visit, attempt, digest)?;
            // Before another connection is opened: a fault is known by the connection that it hit.
            let faults = world.faults.witness(self.me, began);
            let identity = ended
                .failed
                .as_ref()
                .and_then(|_| self.connection.identity().cloned());
            // While it still waits: settling closes the connection.
            let stall = self.stall(&ended, faults, identity.as_ref());
            let settled = self.settle_if_needed(visit, attempt, &ended)?;
            self.explain_failure(visit, attempt, &ended, faults, identity.as_ref(), stall, began);
            self.hand_over(visit, attempt, digest)?;
            if !self.again(visit, &ended, settled, attempt) {
                break ended;
            }
            attempt += 1;
        };
        self.count(visit, &ended);
        world.ticks.end(self.me.0);
        world.turnstile.release(visit);
        world.ended.fetch_add(1, Ordering::Relaxed);
        if let Some(baton) = &world.baton {
            world.inbox.wait_judged(world.ticks.low_water());
            baton.wake();
            baton.pass(self.me.0);
        }
        Ok(())
    }

    /// Whether there is another attempt. None while one is unknown (F15).
    fn again(&mut self, visit: &Visit, ended: &Attempt, state: State, attempt: u8) -> bool {
        if state != State::Rejected || attempt == ATTEMPT_MAX || self.world.is_over() {
            return false;
        }
        // What others may name depends on it.
        if visit.change().is_some_and(|change| change.what.is_alone()) {
            return attempt < CHANGES_MAX;
        }
        match (&self.world.baton, ended.failed_by()) {
            (Some(baton), Some(ReasonKind::Busy)) => {
                self.tally.busy += 1;
                baton.busy(self.me.0);
                true
            }
            (
                _,
                Some(
                    ReasonKind::Serialization
                    | ReasonKind::Deadlock
                    | ReasonKind::Busy
                    | ReasonKind::RolledBack,
                ),
            ) => attempt < self.world.plan.retries,
            _ => false,
        }
    }

    fn count(&mut self, visit: &Visit, ended: &Attempt) {
        self.tally.writing += u64::from(!visit.writes.is_empty());
        *match (ended.outcome, visit.end, ended.failed_by()) {
            (Outcome::Committed, ..) => &mut self.tally.committed,
            (Outcome::Unknown, ..) => &mut self.tally.unknown,
            (Outcome::Rejected, End::Rollback, None) => &mut self.tally.rolled_back,
            // A strict insert that met its key: the plan drew it, the judge judges it.
            (Outcome::Rejected, _, Some(ReasonKind::Duplicate)) => &mut self.tally.rolled_back,
            (Outcome::Rejected, ..) => &mut self.tally.rejected,
        } += 1;
    }

    fn wait_for_room(&self) {
        let world = self.world;
        if !world.ring.is_full() {
            return;
        }
        world.note("the ring of answers is full: sessions wait for the judge (evidence-bytes)");
        let since = world.clock.ns();
        while !world.is_over() && !world.ring.wait_for_room(Duration::from_millis(20)) {
            world.inbox.ring();
        }
        world
            .idle_ns
            .fetch_add(world.clock.ns() - since, Ordering::Relaxed);
    }

    /// Evidence first, then the judge. A refusal that promises nothing but itself, and a silence, have been looked at here
    /// and are no answers of the model.
    fn hand_over(&mut self, visit: &Arc<Visit>, attempt: u8, digest: u64) -> Result<(), RunError> {
        let world = self.world;
        self.answers.retain(|a| match &a.answer {
            Answer::Rows(_) | Answer::Affected(_) => true,
            Answer::Refused(reason) => reason.kind == ReasonKind::Duplicate,
            Answer::Unknown(_) => false,
        });
        if !world.plan.is_checked() {
            self.answers.clear();
            return Ok(());
        }
        let lost = |e| RunError::evidence_in(world.ring.dir(), e);
        world.calls.append(visit, &self.answers).map_err(lost)?;
        let held = world.ring.append(&self.answers).map_err(lost)?;
        let answers = std::mem::take(&mut self.answers);
        world.inbox.leave(Batch {
            lts: visit.lts,
            visit: Some(Arc::clone(visit)),
            attempt,
            sample: Some(Digests {
                meant: digest,
                sent: self.sent,
                steps: self.steps_sent,
            }),
            held,
            answers,
            left_ns: world.clock.ns(),
        });
        Ok(())
    }

    /// What the server says about a statement that missed its deadline, if nothing of ours held it up. A lock of somebody
    /// else's is said at once: whoever holds it may be waiting for a word.
    fn stall(&self, ended: &Attempt, faults: Witness, identity: Option<&Identity>) -> Option<Stall> {
        let world = self.world;
        match ended.failed_by() {
            Some(ReasonKind::Deadline) if !faults.connection => {}
            _ => return None,
        }
        let stall = world.target.stalled(identity?, &world.faults.processes())?;
        if stall.outsider {
            let seconds = world.plan.deadline_ms / 1000;
            world.doubt(format!(
                "session {} waited {seconds} s for somebody else: {}",
                self.me.0, stall.words
            ));
        }
        Some(stall)
    }

    /// A refusal, or silence, that nothing of the run explains is a finding of ours, not of the judge.
    #[expect(clippy::too_many_arguments, reason = "all that is known of one attempt")]
    fn explain_failure(
        &mut self,
        visit: &Visit,
        attempt: u8,
        ended: &Attempt,
        faults: Witness,
        identity: Option<&Identity>,
        stall: Option<Stall>,
        began: u64,
    ) {
        let world = self.world;
        let Some((step, reason)) = &ended.failed else {
            return;
        };
        let (step, kind) = (*step, reason.kind);
        if world.baton.is_some() && kind == ReasonKind::Busy {
            return;
        }
        let connection_lost = matches!(kind, ReasonKind::Disconnected | ReasonKind::Unavailable);
        let witnesses = Witnesses {
            company: world.plan.sessions > 1 || world.plan.agent.is_some(),
            cancel: faults.cancel,
            connection: faults.connection,
            // Other agents do their faults to the same server.
            outside: !world.plan.outside.is_empty()
                || (world.plan.agent.is_some()
                    && !(world.plan.faults.is_empty() && world.plan.faults_at.is_empty())),
            failed_before: false,
            restarted: connection_lost
                && !faults.connection
                && (reason.code == CRASH_OF_ANOTHER
                    || identity.is_some_and(|i| self.connection.server_restarted(i))),
            building: matches!(visit.steps.get(usize::from(step)), Some(Step::Read(_)))
                && world.building.since(began),
            may_be_duplicate: matches!(
                visit.steps.get(usize::from(step)),
                Some(Step::Write(Op::Insert { strict: true, .. }))
            ),
        };
        let Explained::Finding(kind) = refusal::explain(kind, witnesses) else {
            if kind == ReasonKind::Other {
                world.building.refused();
            }
            return;
        };
        if let Some(what) = exhausted(reason) {
            world.doubt(format!(
                "the load ended early, the database has no {what} left: {}",
                reason.text
            ));
            world.turnstile.stop();
            return;
        }
        if stall.as_ref().is_some_and(|stall| stall.outsider) {
            return;
        }
        let address = Address {
            lts: visit.lts,
            attempt,
            step,
        };
        let answered = self.answers.iter().rev().find(|a| a.address == address);
        let nothing_answered = || Span {
            sent: Tick(0),
            answered: world.ticks.now(),
        };
        let span = answered.map_or_else(nothing_answered, |a| a.span);
        let finding = Finding {
            kind,
            shape: match kind {
                Kind::Hang => Shape::Stalled {
                    waited_ms: world.plan.deadline_ms,
                    waiting_for: stall.map_or_else(String::new, |stall| stall.words),
                },
                Kind::Crash => Shape::Died {
                    how: reason.text.clone(),
                },
                _ => Shape::Refused {
                    code: reason.code.clone(),
                    text: reason.text.clone(),
                },
            },
            read: address,
            session: self.me,
            span,
            snapshot: span,
            action: action(visit, step).to_owned(),
            part: visit.writes.first().copied(),
            row: None,
            column: None,
            proof: Vec::new(),
            certainty: Certainty::Certain,
            doubt: String::new(),
        };
        world.causes.own(finding);
        world.inbox.ring();
    }
}

/// Between two looks whether what was done to the server is done.
const TURN: Duration = Duration::from_millis(2);
/// How long a session waits for its moment before it looks whether the load has ended.
const LOOK_UP: Duration = Duration::from_millis(20);
/// Attempts at dropping or adding a column.
const CHANGES_MAX: u8 = 3;
/// Attempts are numbered in five bits (F3).
const ATTEMPT_MAX: u8 = 31;
/// PostgreSQL ends every session when one of its processes crashed: the server goes on under the same name.
const CRASH_OF_ANOTHER: &str = "57P02";

fn action(visit: &Visit, step: u16) -> &'static str {
    match step {
        Address::BEGIN => "begin",
        Address::END if visit.end == End::Rollback => "rollback",
        Address::END => "commit",
        step => match visit.steps.get(usize::from(step)) {
            Some(Step::Write(op)) => op.kind(),
            Some(Step::Read(query)) => query.kind(),
            Some(Step::Savepoint(_)) => "savepoint",
            Some(Step::RollbackTo(_)) => "rollback to savepoint",
            Some(Step::Change(change)) => change.what.name(),
            None => "",
        },
    }
}
