//! What becomes of a visit whose end is unknown, or whose session may still hold something (F6, F43).

use super::{Attempt, Client};
use crate::RunError;
use crate::life::LeftOver;
use crate::whole;
use crate::world::World;
use check::{Probe, Settled};
use history::log::{Fate, What};
use history::{
    Address, Answer, Answered, Change, Discipline, Lts, Outcome, Part, Span, State, Step, Tick, Tracker,
    Visit,
};
use std::time::Duration;
use targets::{Gone, Identity, Request};

/// Step numbers of the whole-partition reads that settle a visit begin here.
pub(super) const PROBE: u16 = 0xF000;
/// Between two looks whether a server session is gone.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Settles what an earlier life of the worker left open (F38), before anything else is sent.
pub(crate) fn settle_left_over(world: &World, left_over: &LeftOver) -> Result<(), RunError> {
    for lts in &left_over.open {
        let track = world.tracker.get(*lts);
        let mut client = Client::new(world, track.session);
        let visit = world
            .history
            .visit(*lts)
            .ok_or(RunError::Regenerated { lts: *lts })?;
        let state = match (track.state, track.visible_from) {
            (State::Open, Tick(u64::MAX)) => client.close_off(*lts, track.attempt, Outcome::Rejected)?,
            (State::Open, _) => client.close_off(*lts, track.attempt, Outcome::Unknown)?,
            (state, _) => state,
        };
        if world.plan.discipline == Discipline::Lww {
            client.leave_open(&visit, state)?;
            client.make_up_for(&visit)?;
            continue;
        }
        client.settle(&visit, track.attempt, state, left_over.identity(track.session))?;
    }
    Ok(())
}

impl Client<'_> {
    /// Ends a visit whose worker died in it: its end was never sent, or nobody heard the answer.
    fn close_off(&self, lts: Lts, attempt: u8, outcome: Outcome) -> Result<State, RunError> {
        let track = self.world.tracker.get(lts);
        let end_sent = (track.visible_from != Tick(u64::MAX)).then_some(track.visible_from);
        let what = What::Complete {
            lts,
            attempt,
            outcome,
            end_sent,
            statements: 0,
            sent: 0,
        };
        let tick = self.world.log(self.me, what)?;
        self.world.tracker.end(lts, outcome, tick);
        Ok(if outcome == Outcome::Unknown {
            State::Unknown
        } else {
            State::Rejected
        })
    }

    /// Settles the attempt if its end is unknown; waits for its server session if the connection broke. Returns the state
    /// that the tracker holds afterwards.
    pub(super) fn settle_if_needed(
        &mut self,
        visit: &Visit,
        attempt: u8,
        ended: &Attempt,
    ) -> Result<State, RunError> {
        let state = match ended.outcome {
            Outcome::Committed => return Ok(State::Committed),
            Outcome::Rejected if self.connection.is_usable() => return Ok(State::Rejected),
            Outcome::Rejected => State::Rejected,
            Outcome::Unknown => State::Unknown,
        };
        self.connection.close();
        if self.world.plan.discipline == Discipline::Lww {
            return self.leave_open(visit, state);
        }
        let identity = self.connection.identity().cloned();
        self.settle(visit, attempt, state, identity.as_ref())
    }

    /// Under `lww` nothing waits for a visit whose end nobody knows: it stays possible until it is seen, or something with a
    /// greater timestamp lies over it.
    fn leave_open(&mut self, visit: &Visit, state: State) -> Result<State, RunError> {
        if let Some(change) = visit.change().filter(|change| change.what.is_alone()) {
            return self.ask_catalog(visit, change, state);
        }
        if state == State::Unknown && visit.writes.is_empty() {
            self.set(visit, State::Rejected, Fate::Alike)?;
            return Ok(State::Rejected);
        }
        Ok(state)
    }

    /// Whether a column was dropped or added, the catalog says; at the settle limit it stays unknown.
    fn ask_catalog(&mut self, visit: &Visit, change: &Change, state: State) -> Result<State, RunError> {
        if state != State::Unknown {
            return Ok(state);
        }
        let since = self.world.clock.elapsed();
        loop {
            match self.world.target.shows(&self.world.schema, change) {
                Ok(true) => return self.set(visit, State::Committed, Fate::Committed),
                Ok(false) => return self.set(visit, State::Rejected, Fate::Rejected),
                Err(_) if self.out_of_patience(since) => return Ok(state),
                Err(_) => self.world.pause(LOOK_AGAIN),
            }
        }
    }

    /// A column that was to be dropped or added when an earlier life of the worker ended, and was not, is now.
    fn make_up_for(&mut self, visit: &Visit) -> Result<(), RunError> {
        let alone = visit.change().is_some_and(|change| change.what.is_alone());
        let track = self.world.tracker.get(visit.lts);
        if !alone || track.state != State::Rejected {
            return Ok(());
        }
        let digest = visit.digest(&mut self.scratch);
        let ended = self.attempt(visit, track.attempt + 1, digest)?;
        self.settle_if_needed(visit, track.attempt + 1, &ended)?;
        self.connection.close();
        Ok(())
    }

    /// The same for a visit whose server session was `identity`, and whose connection is closed.
    pub(super) fn settle(
        &mut self,
        visit: &Visit,
        attempt: u8,
        state: State,
        identity: Option<&Identity>,
    ) -> Result<State, RunError> {
        if visit.writes.is_empty() {
            // Nothing that anybody could ever see.
            if state == State::Unknown {
                self.set(visit, State::Rejected, Fate::Alike)?;
            }
            return Ok(State::Rejected);
        }
        let since = self.world.clock.elapsed();
        if !self.wait_gone(since, identity) {
            return self.give_up(visit, state);
        }
        if state == State::Rejected {
            return Ok(State::Rejected);
        }
        let Some(probes) = self.probe(visit, attempt, since)? else {
            return self.give_up(visit, state);
        };
        match self.world.judge.settle(visit.lts, &probes) {
            Settled::Committed => self.set(visit, State::Committed, Fate::Committed),
            Settled::Rejected => self.set(visit, State::Rejected, Fate::Rejected),
            // Both states read the same; a read that overlapped the visit may have seen it.
            Settled::Alike => self.set(visit, State::Committed, Fate::Alike),
            Settled::Broken(finding) => {
                // Probes lie in no ring of answers, so the second judge looks at them here and now (G1).
                let Settled::Broken(_) = self.world.judge.settle_again(visit.lts, &probes) else {
                    return Err(RunError::Disagreement {
                        signature: finding.signature(),
                        read: finding.read,
                    });
                };
                self.world.causes.own(*finding);
                self.world.inbox.ring();
                self.give_up(visit, state)
            }
        }
    }

    /// Polls until the server session is gone; `false` at the settle limit.
    fn wait_gone(&self, since: Duration, identity: Option<&Identity>) -> bool {
        let Some(identity) = identity else { return true };
        loop {
            match self.world.target.gone(identity) {
                Gone::Gone => return true,
                Gone::StillThere | Gone::CannotTell(_) => {}
            }
            if self.out_of_patience(since) {
                return false;
            }
            self.world.pause(LOOK_AGAIN);
        }
    }

    fn out_of_patience(&self, since: Duration) -> bool {
        self.world.is_over() || self.world.clock.elapsed() - since >= self.world.plan.settle()
    }

    /// Reads every partition of the visit whole, rows and shared cells; `None` at the settle limit.
    fn probe(&mut self, visit: &Visit, attempt: u8, since: Duration) -> Result<Option<Vec<Probe>>, RunError> {
        let mut probes = Vec::new();
        let mut number = PROBE;
        for part in &visit.writes {
            let mut rows = 0;
            let table = self.world.schema.table(part.table).clone();
            let all = whole::rows(&table, *part, Vec::new(), false);
            for query in std::iter::once(all).chain(whole::shared(&table, *part)) {
                let step = Step::Read(query.clone());
                let address = Address {
                    lts: visit.lts,
                    attempt,
                    step: number,
                };
                number += 1;
                let answered = loop {
                    self.connection.open()?;
                    let sent = self.world.ticks.take();
                    let executed = self.connection.execute(address, &Request::Step(&step));
                    let span = Span {
                        sent,
                        answered: self.world.ticks.take(),
                    };
                    if let Answer::Rows(found) = &executed.answer {
                        rows += found.len();
                        let session = self.me;
                        break Answered {
                            address,
                            session,
                            span,
                            snapshot: span,
                            answer: executed.answer,
                        };
                    }
                    if self.out_of_patience(since) {
                        self.log_probe(visit, *part, u32::MAX)?;
                        return Ok(None);
                    }
                    self.world.pause(LOOK_AGAIN);
                };
                probes.push(Probe { query, answered });
            }
            self.log_probe(visit, *part, u32::try_from(rows).unwrap_or(u32::MAX - 1))?;
        }
        Ok(Some(probes))
    }

    fn log_probe(&self, visit: &Visit, part: Part, rows: u32) -> Result<(), RunError> {
        self.world
            .log(
                self.me,
                What::Probe {
                    lts: visit.lts,
                    part,
                    rows,
                },
            )
            .map(|_| ())
    }

    /// It stays possible until it is seen: its partitions are written no more.
    fn give_up(&mut self, visit: &Visit, state: State) -> Result<State, RunError> {
        let world = self.world;
        if state == State::Unknown {
            world.log(
                self.me,
                What::Settled {
                    lts: visit.lts,
                    fate: Fate::Open,
                },
            )?;
        }
        world
            .note("a visit could not be settled within the settle limit: its partitions are written no more");
        world.turnstile.retire(&visit.writes, visit.lts);
        Ok(state)
    }

    fn set(&mut self, visit: &Visit, state: State, fate: Fate) -> Result<State, RunError> {
        let tick = self.world.log(self.me, What::Settled { lts: visit.lts, fate })?;
        let outcome = if state == State::Committed {
            Outcome::Committed
        } else {
            Outcome::Rejected
        };
        self.world.tracker.settle(visit.lts, outcome, tick);
        Ok(state)
    }
}
