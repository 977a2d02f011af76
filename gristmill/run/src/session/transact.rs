//! One attempt of a visit: its statements, their ticks, what became of it.

use super::{Attempt, Client};
use crate::RunError;
use crate::refusal::reason;
use history::log::What;
use history::{Address, Answer, Answered, End, Reason, ReasonKind, Snapshot, Span, Step, Tick, Visit};
use targets::Request;
use targets::outcome::{Ended, Ending, outcome};

/// Ticks of one statement, and what was said.
struct Said {
    answer: Answer,
    span: Span,
}

impl Client<'_> {
    /// Sends everything, ends it, writes down what became of it. The tracker holds the outcome afterwards; where it is
    /// unknown, it is still to be settled.
    pub(super) fn attempt(&mut self, visit: &Visit, attempt: u8, digest: u64) -> Result<Attempt, RunError> {
        let world = self.world;
        self.sent = 0;
        self.steps_sent = 0;
        self.connection.open()?;
        world.tracker.reserve(visit.lts)?;
        // The tracker outlives this process too; the log is for judging.
        if world.plan.is_checked() {
            let what = What::Invoke {
                lts: visit.lts,
                attempt,
                digest,
            };
            world.log(self.me, what)?;
        }
        world.tracker.begin(visit.lts, attempt, self.me);
        let (ended, completed) = match visit.end {
            End::Autocommit | End::Batch { .. } => self.single(visit, attempt)?,
            End::Commit | End::Rollback => self.transaction(visit, attempt)?,
        };
        if world.plan.is_checked() {
            let what = What::Complete {
                lts: visit.lts,
                attempt,
                outcome: ended.outcome,
                end_sent: ended.end_sent,
                statements: u16::try_from(self.steps_sent)
                    .expect("a visit has fewer steps than step numbers"),
                sent: self.sent,
            };
            world.log(self.me, what)?;
        }
        world.tracker.end(visit.lts, ended.outcome, completed);
        Ok(ended)
    }

    /// A visit that is one request: a statement that commits by itself, or a batch.
    fn single(&mut self, visit: &Visit, attempt: u8) -> Result<(Attempt, Tick), RunError> {
        let request = match (Request::stamped(visit), visit.steps.as_slice()) {
            (Some(stamped), _) => stamped,
            (None, [step]) => Request::Step(step),
            (None, _) => panic!("visit {}: autocommit is one statement", visit.lts),
        };
        let address = Address {
            lts: visit.lts,
            attempt,
            step: 0,
        };
        let index = visit.change().is_some_and(|change| !change.what.is_alone());
        if index {
            self.world.building.begins();
        }
        let said = self.send(address, &request, true);
        if index {
            self.world.building.ends(self.world.clock.ns());
        }
        let Said { answer, span } = said?;
        let failed = reason(&answer).map(|r| (0, r.clone()));
        let what = Ended {
            end: visit.end,
            begin: None,
            steps: &[&answer],
            ends: &[],
        };
        let outcome = outcome(self.world.rules, what);
        self.answers.push(Answered {
            address,
            session: self.me,
            span,
            snapshot: span,
            answer,
        });
        Ok((
            Attempt {
                outcome,
                failed,
                end_sent: Some(span.sent),
            },
            span.answered,
        ))
    }

    fn transaction(&mut self, visit: &Visit, attempt: u8) -> Result<(Attempt, Tick), RunError> {
        let at = |step| Address {
            lts: visit.lts,
            attempt,
            step,
        };
        let first = self.answers.len();
        let begin = Request::Begin {
            level: visit.level,
            writes: !visit.writes.is_empty(),
        };
        let begin = self.send(at(Address::BEGIN), &begin, false)?;
        let mut failed = reason(&begin.answer).map(|r| (Address::BEGIN, r.clone()));
        if failed.is_none() {
            failed = self.steps(visit, attempt, begin.span)?;
        }
        let mut last = begin.span.answered;
        let mut end_sent = None;
        let mut ends: Vec<(Ending, Answer)> = Vec::new();
        if failed.is_none() && visit.end == End::Commit {
            let commit = self.send(at(Address::END), &Request::Commit, true)?;
            failed = reason(&commit.answer).map(|r| (Address::END, r.clone()));
            end_sent = Some(commit.span.sent);
            last = commit.span.answered;
            ends.push((Ending::Commit, commit.answer));
        }
        let begun = !matches!(begin.answer, Answer::Refused(_));
        let open =
            begun && (end_sent.is_none() || (failed.is_some() && !self.world.rules.refused_commit_ends));
        if open && self.connection.is_usable() {
            let rollback = self.send(at(Address::END), &Request::Rollback, false)?;
            failed = failed.or_else(|| reason(&rollback.answer).map(|r| (Address::END, r.clone())));
            last = rollback.span.answered;
            ends.push((Ending::Rollback, rollback.answer));
        }
        let steps: Vec<&Answer> = self.answers[first..].iter().map(|a| &a.answer).collect();
        let ends: Vec<(Ending, &Answer)> = ends.iter().map(|(word, answer)| (*word, answer)).collect();
        let what = Ended {
            end: visit.end,
            begin: Some(&begin.answer),
            steps: &steps,
            ends: &ends,
        };
        let outcome = outcome(self.world.rules, what);
        Ok((
            Attempt {
                outcome,
                failed,
                end_sent,
            },
            last.max(self.answers.last().map_or(last, |a| a.span.answered)),
        ))
    }

    /// The steps of a transaction until one gives no result.
    fn steps(&mut self, visit: &Visit, attempt: u8, begin: Span) -> Result<Option<(u16, Reason)>, RunError> {
        let mut first_message = None;
        let mut snapshot = None;
        for (step, number) in visit.steps.iter().zip(0..) {
            let address = Address {
                lts: visit.lts,
                attempt,
                step: number,
            };
            let Said { answer, span } = self.send(address, &Request::Step(step), false)?;
            let failed = reason(&answer).map(|r| (number, r.clone()));
            let sent = *first_message.get_or_insert(span.sent);
            let statement = matches!(step, Step::Read(_) | Step::Write(_));
            let taken = match self.world.claim.snapshot {
                Snapshot::Statement => span,
                Snapshot::Begin => begin,
                // Taken by then at the latest when the first statement that needs one has answered.
                Snapshot::FirstMessage => snapshot.unwrap_or(Span {
                    sent,
                    answered: span.answered,
                }),
            };
            if statement {
                snapshot.get_or_insert(taken);
            }
            self.answers.push(Answered {
                address,
                session: self.me,
                span,
                snapshot: taken,
                answer,
            });
            if failed.is_some() {
                return Ok(failed);
            }
        }
        Ok(None)
    }

    /// One statement with its ticks. `ends`: it makes the visit's effects visible (F2).
    fn send(&mut self, address: Address, request: &Request<'_>, ends: bool) -> Result<Said, RunError> {
        let world = self.world;
        if let Some(baton) = &world.baton {
            baton.pass(self.me.0);
        }
        if !self.connection.is_usable() {
            // A fault took the connection while we were between two statements: nothing of this one was sent.
            let now = world.ticks.take();
            let reason = Reason {
                kind: ReasonKind::Disconnected,
                code: String::new(),
                text: "the connection was lost before the statement was sent".to_owned(),
            };
            return Ok(Said {
                answer: Answer::Refused(reason),
                span: Span {
                    sent: now,
                    answered: world.ticks.take(),
                },
            });
        }
        // Faults and lies know a step by the number that it had before other steps were taken out of its visit.
        let known_as = Address {
            step: world.history.number(address.lts, address.step),
            ..address
        };
        let strike = world.faults.before(world, self.me, known_as, ends)?;
        let sent = world.ticks.take();
        if ends {
            world.tracker.sent(address.lts, sent);
        }
        let began = world.clock.ns();
        let executed = self.connection.execute(known_as, request);
        let took = world.clock.ns() - began;
        let answered = world.ticks.take();
        world.latencies.add(&mut self.timed, kind(request), took);
        if let Some(strike) = strike {
            self.struck |= strike.is_whole();
            world.faults.after(self.me, strike);
        }
        if matches!(request, Request::Step(_) | Request::Stamped { .. }) {
            self.sent = fold(self.sent, executed.digest);
            self.steps_sent += 1;
        }
        Ok(Said {
            answer: executed.answer,
            span: Span { sent, answered },
        })
    }
}

/// What a statement's latency is counted under.
fn kind(request: &Request<'_>) -> &'static str {
    match request {
        Request::Begin { .. } => "begin",
        Request::Step(step) => step_kind(step),
        Request::Stamped { batch: Some(_), .. } => "batch",
        Request::Stamped { steps, .. } => steps.first().map_or("batch", step_kind),
        Request::Commit => "commit",
        Request::Rollback => "rollback",
    }
}

fn step_kind(step: &Step) -> &'static str {
    match step {
        Step::Write(op) => op.kind(),
        Step::Read(query) => query.kind(),
        Step::Savepoint(_) | Step::RollbackTo(_) => "savepoint",
        Step::Change(change) => change.what.name(),
    }
}

/// Folds the digest of one more step into that of an attempt (F4).
pub(crate) fn fold(before: u64, digest: u64) -> u64 {
    datagen::stream::mix(before ^ digest).wrapping_add(0x9e37_79b9_7f4a_7c15)
}
