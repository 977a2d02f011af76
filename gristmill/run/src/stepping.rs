//! Visits one at a time: each is sent, answered and judged before the next one is made, so that who makes them can look first.
//!
//! ```text
//!  a visit ─▶ its session ─▶ answers ─▶ judge over all visits so far ─▶ what was seen, or a finding
//! ```
//! Nothing overlaps, so an answer has one right value, and every visit has ended when it is judged.
//!
//! Invariants:
//! * G1 what is made on the target is registered first, and removed by [`Stepping::end`].
//! * G2 a visit whose end is not known ends the stepping: nothing is guessed.

use crate::RunError;
use crate::causes::{Archive, in_a_word, make};
use crate::known::Known;
use crate::life::{environment, judge_of, new_folder, open_target, targets_folder};
use crate::plan::{Plan, PlanError};
use crate::registry::Registry;
use check::Judged;
use history::artefact::Folder;
use history::verdict::Cause;
use history::{
    Address, Answer, Answered, End, Explicit, Finding, Line, Lts, Outcome, Regenerate, SessionId, Snapshot,
    Span, State, Tick, Track, Tracker, Visit,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use targets::outcome::{Ended, Ending, Rules, outcome};
use targets::{Request, Session, Target, Unusable};

/// See the module.
pub struct Stepping {
    plan: Plan,
    folder: Folder,
    target: Arc<dyn Target>,
    registry: Registry,
    sessions: BTreeMap<SessionId, Box<dyn Session>>,
    lines: Vec<Line>,
    tracks: BTreeMap<Lts, Track>,
    /// All answers so far.
    answers: Vec<Answered>,
    tick: u64,
    compared: u64,
}

/// What became of a visit.
#[derive(Debug)]
pub struct Step {
    /// What was said to its steps.
    pub answers: Vec<Answered>,
    /// What is wrong with it.
    pub cause: Option<Cause>,
}

impl Stepping {
    /// Makes a plan's tables on its target; the folder lies in `store`.
    ///
    /// # Errors
    /// The target cannot be used.
    pub fn begin(plan: &Plan, store: &Path, password: Option<&str>) -> Result<Stepping, RunError> {
        let folder = new_folder(plan, store)?;
        let files = targets_folder(&folder)?;
        let target = open_target(plan, &files, &environment(password), BTreeMap::new())?;
        target.facts()?;
        let registry = Registry::open(&folder)?;
        let schema = Arc::new(plan.schema.clone());
        registry.note(&plan.target, &plan.prefix, &target.plan_of_objects(&schema))?;
        target.prepare(&schema)?;
        Ok(Stepping {
            plan: plan.clone(),
            folder,
            target,
            registry,
            sessions: BTreeMap::new(),
            lines: Vec::new(),
            tracks: BTreeMap::new(),
            answers: Vec::new(),
            tick: 0,
            compared: 0,
        })
    }

    /// Sends a visit, which comes after all before it, and judges what is said to it.
    ///
    /// # Errors
    /// It does not fit the visits before it; the database does not say how it ended.
    pub fn visit(&mut self, line: Line) -> Result<Step, RunError> {
        let visit = line.visit.clone();
        let who = line.session;
        self.lines.push(Line {
            beside: Vec::new(),
            ..line
        });
        let schema = Arc::new(self.plan.schema.clone());
        let visits = Explicit::new(schema, self.lines.clone()).map_err(PlanError::Misfits)?;
        let first = self.answers.len();
        let (ended, from) = self.send(who, &visit)?;
        let by = self.tick();
        let state = match ended {
            Outcome::Committed => State::Committed,
            Outcome::Rejected => State::Rejected,
            Outcome::Unknown => return Err(self.unknown(&visit).into()),
        };
        let track = Track {
            state,
            attempt: 0,
            session: who,
            visible_from: from,
            visible_by: by,
        };
        self.tracks.insert(visit.lts, track);
        let visits = Arc::new(visits) as Arc<dyn Regenerate>;
        let answers = self.answers[first..].to_vec();
        let cause = self.judge(&visits, &answers)?;
        Ok(Step { answers, cause })
    }

    /// How many answers were compared.
    pub fn compared(&self) -> u64 {
        self.compared
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Removes what was made.
    ///
    /// # Errors
    /// The target does not let it go.
    pub fn end(mut self) -> Result<(), RunError> {
        self.sessions.clear();
        self.target.cleanup()?;
        self.registry.done()
    }

    fn tick(&mut self) -> Tick {
        self.tick += 1;
        Tick(self.tick)
    }

    fn unknown(&self, visit: &Visit) -> Unusable {
        let what = format!("nobody knows how visit {} ended: it got no answer", visit.lts);
        Unusable::server(self.plan.target.clone(), what, "begin again")
    }

    /// One request with its ticks.
    fn ask(
        &mut self,
        who: SessionId,
        at: Address,
        request: &Request<'_>,
    ) -> Result<(Answer, Span), RunError> {
        if self.sessions.get(&who).is_none_or(|session| session.broken()) {
            let schema = Arc::new(self.plan.schema.clone());
            let fresh = self.target.connect(who, &schema)?;
            self.sessions.insert(who, fresh);
        }
        let sent = self.tick();
        let deadline = self.plan.deadline();
        let session = self.sessions.get_mut(&who).expect("connected above");
        let answer = session.execute(at, request, deadline).answer;
        let span = Span {
            sent,
            answered: self.tick(),
        };
        Ok((answer, span))
    }

    /// What became of a visit, and when it may have been seen first.
    fn send(&mut self, who: SessionId, visit: &Visit) -> Result<(Outcome, Tick), RunError> {
        let at = |step| Address {
            lts: visit.lts,
            attempt: 0,
            step,
        };
        let rules = Rules::of(self.target.describe().scheme);
        if matches!(visit.end, End::Autocommit | End::Batch { .. }) {
            let request = Request::of(visit).next().expect("a visit asks something");
            let (answer, span) = self.ask(who, at(0), &request)?;
            let ended = Ended {
                end: visit.end,
                begin: None,
                steps: &[&answer],
                ends: &[],
            };
            let became = outcome(rules, ended);
            self.keep(who, at(0), span, span, answer);
            return Ok((became, span.sent));
        }
        let begin = Request::Begin {
            level: visit.level,
            writes: !visit.writes.is_empty(),
        };
        let (begun, began) = self.ask(who, at(Address::BEGIN), &begin)?;
        let first = self.answers.len();
        let mut fine = is_done(&begun);
        let mut taken: Option<Span> = None;
        for (step, number) in visit.steps.iter().zip(0..) {
            if !fine {
                break;
            }
            let (answer, span) = self.ask(who, at(number), &Request::Step(step))?;
            fine = is_done(&answer);
            let snapshot = match self.plan.claim.snapshot {
                Snapshot::Statement => span,
                Snapshot::Begin => began,
                Snapshot::FirstMessage => *taken.get_or_insert(span),
            };
            self.keep(who, at(number), span, snapshot, answer);
        }
        let commits = fine && visit.end == End::Commit;
        let (word, request) = match commits {
            true => (Ending::Commit, Request::Commit),
            false => (Ending::Rollback, Request::Rollback),
        };
        let (said, ended_at) = self.ask(who, at(Address::END), &request)?;
        let mut ends = vec![(word, said)];
        if commits && matches!(ends[0].1, Answer::Refused(_)) && !rules.refused_commit_ends {
            let (said, _) = self.ask(who, at(Address::END), &Request::Rollback)?;
            ends.push((Ending::Rollback, said));
        }
        let steps: Vec<&Answer> = self.answers[first..].iter().map(|a| &a.answer).collect();
        let ends: Vec<(Ending, &Answer)> = ends.iter().map(|(word, answer)| (*word, answer)).collect();
        let ended = Ended {
            end: visit.end,
            begin: Some(&begun),
            steps: &steps,
            ends: &ends,
        };
        Ok((outcome(rules, ended), ended_at.sent))
    }

    fn keep(&mut self, session: SessionId, address: Address, span: Span, snapshot: Span, answer: Answer) {
        self.answers.push(Answered {
            address,
            session,
            span,
            snapshot,
            answer,
        });
    }

    /// Judges answers by everything so far.
    fn judge(
        &mut self,
        visits: &Arc<dyn Regenerate>,
        answers: &[Answered],
    ) -> Result<Option<Cause>, RunError> {
        let tracker = Arc::new(Tracks(self.tracks.clone()));
        let plan = &self.plan;
        let judge = judge_of(plan, plan.claim, visits, tracker, self.target.as_ref());
        for answered in answers {
            let said = match &answered.answer {
                Answer::Rows(_) | Answer::Affected(_) => in_a_word(&answered.answer),
                // A strict insert that met its key is judged like a read; what is refused besides was looked at by whoever asked.
                Answer::Refused(reason) if reason.kind == history::ReasonKind::Duplicate => {
                    in_a_word(&answered.answer)
                }
                Answer::Refused(_) | Answer::Unknown(_) => continue,
            };
            match judge.conclude(judge.explain(answered.clone())) {
                Judged::Explained(_) => self.compared += 1,
                Judged::NotCompared(_) => {}
                Judged::Broken(finding) => {
                    self.compared += 1;
                    let mut all = self.answers.iter().cloned();
                    let again = judge.again(&mut all, &finding);
                    return self.cause(visits, &again, *finding, said).map(Some);
                }
            }
        }
        Ok(None)
    }

    fn cause(
        &self,
        visits: &Arc<dyn Regenerate>,
        again: &Judged,
        mut finding: Finding,
        said: String,
    ) -> Result<Cause, RunError> {
        match again {
            Judged::Broken(_) => {}
            Judged::Explained(_) => {
                return Err(RunError::Disagreement {
                    signature: crate::causes::signature(&finding),
                    read: finding.read,
                });
            }
            Judged::NotCompared(why) => {
                finding.certainty = history::Certainty::Likely;
                finding.doubt = format!("judged once: the second judge could not look again ({why})");
            }
        }
        let archive = Archive {
            history: visits.as_ref(),
            schema: &self.plan.schema,
            target: self.target.as_ref(),
            claim: &self.plan.claim,
            log_folder: &self.folder.log(),
            logged_until: Lts(0),
        };
        make(&archive, finding, Some(said), &Known::default())
    }
}

fn is_done(answer: &Answer) -> bool {
    matches!(answer, Answer::Rows(_) | Answer::Affected(_))
}

/// What became of the visits so far.
struct Tracks(BTreeMap<Lts, Track>);

impl Tracker for Tracks {
    fn get(&self, lts: Lts) -> Track {
        let never = Tick(u64::MAX);
        self.0.get(&lts).copied().unwrap_or(Track {
            state: State::Waiting,
            attempt: 0,
            session: SessionId(0),
            visible_from: never,
            visible_by: never,
        })
    }

    fn settled(&self, _: Lts) -> Option<Tick> {
        None
    }
}
