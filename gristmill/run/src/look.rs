//! `check RUN` on a database that still holds a run's data: every partition that the run wrote is read whole, forward and
//! reversed, and compared with what the model says that it must hold after the run's last visit, or after any other.
//!
//! ```text
//! plan ─▶ visits 1 … at ─▶ their partitions ─▶ reads ─▶ database ─▶ judge: the model after visit `at`
//! tracker ─▶ what became of them ─────────────────────────────────────┘
//! ```
//! Nothing else writes meanwhile, so whatever was acknowledged must be there, whoever wrote it: the claim is that of the
//! plan, made strict.
//!
//! Invariants:
//! * K1 nothing is written, neither to the database nor to what the run recorded.
//! * K2 without a tracker (a data set that was exported) every visit is taken to have done what it planned.

use crate::RunError;
use crate::causes::{Archive, Families, in_a_word, make, signature};
use crate::judging::Compared;
use crate::known::Known;
use crate::life::{environment, history, judge_of, open_target, read_plan, replicas, targets_folder};
use crate::plan::{Length, Plan, Stage, Stages, split_password};
use crate::registry::Registry;
use crate::repairs::Repairs;
use crate::staged::{Replicas, Staged};
use check::{Judge, Judged};
use history::artefact::Folder;
use history::progress::Planned;
use history::tracker::TrackerFile;
use history::verdict::Cause;
use history::{
    Address, Answer, Answered, Atomic, Certainty, Check, Claim, Counts, End, Finding, Lts, Progress,
    Regenerate, SessionId, Span, State, Tick, Track, Tracker, Watcher,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use targets::{Request, Target, Unusable};

/// What is looked at, where it is not what the run left where it left it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Look<'a> {
    /// The state after this visit; `None`: after the last.
    pub at: Option<Lts>,
    /// The database that holds it; `None`: that of the plan.
    pub url: Option<&'a str>,
    /// Its password, where the URL has none; `None`: as the environment says.
    pub password: Option<&'a str>,
    /// Each node is asked for its own copy.
    pub replicas: bool,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Looked {
    /// The database, without its password.
    pub target: String,
    /// Its version.
    pub server: String,
    /// The visit whose state it was compared with.
    pub at: Lts,
    /// Partitions that were read.
    pub partitions: u64,
    /// What was compared.
    pub counts: Counts,
    /// Findings by cause.
    pub causes: Vec<Cause>,
    /// What should be known beside it.
    pub notes: Vec<String>,
}

/// A run that ended at a visit: its history with reads of everything after it, and what became of its visits.
pub(crate) struct Frozen {
    pub(crate) history: Arc<Staged>,
    pub(crate) tracker: Arc<dyn Tracker>,
    pub(crate) at: Lts,
    /// Visits up to there of which nobody knows whether they happened.
    pub(crate) unknown: u64,
    /// What became of the visits was recorded, not assumed.
    pub(crate) is_recorded: bool,
}

impl Frozen {
    /// The run of a folder after visit `at`, or after its last.
    pub(crate) fn of(folder: &Folder, plan: &Plan, at: Option<Lts>) -> Result<Frozen, RunError> {
        Frozen::asking(folder, plan, at, Replicas::default())
    }

    /// The same, with reads of each node's copy where there are nodes.
    fn asking(folder: &Folder, plan: &Plan, at: Option<Lts>, replicas: Replicas) -> Result<Frozen, RunError> {
        let visits = history(plan)?;
        let tracker = match folder.tracker().exists() {
            true => Some(TrackerFile::open(&folder.tracker())?),
            false => None,
        };
        let last = match (&tracker, plan.length) {
            (Some(tracker), Length::Visits(visits)) => tracker.highest().min(Lts(visits)),
            (Some(tracker), _) => tracker.highest(),
            (None, Length::Visits(visits)) => Lts(visits),
            (None, Length::TimeMs(_) | Length::Stages) => Lts(0),
        };
        Frozen::at(visits, tracker, last, at, replicas)
    }

    /// The same of what a plan says alone: everything happens as planned.
    pub(crate) fn planned(plan: &Plan, at: Lts) -> Result<Frozen, RunError> {
        Frozen::at(history(plan)?, None, at, Some(at), Replicas::default())
    }

    fn at(
        visits: Arc<dyn Regenerate>,
        tracker: Option<TrackerFile>,
        last: Lts,
        at: Option<Lts>,
        replicas: Replicas,
    ) -> Result<Frozen, RunError> {
        let at = at.unwrap_or(last);
        if at > last || at == Lts(0) {
            return Err(RunError::NoSuchVisit { at, last });
        }
        let stages = Stages {
            round: match replicas.nodes {
                0 => vec![Stage::Load(at.0), Stage::Validate],
                _ => vec![Stage::Load(at.0), Stage::ValidateReplicas],
            },
            rounds: 1,
        };
        let is_recorded = tracker.is_some();
        let until = Until {
            recorded: tracker,
            visits: Arc::clone(&visits),
            at,
        };
        let open = |lts: &Lts| until.get(*lts).state == State::Unknown;
        let unknown = (1..=at.0).map(Lts).filter(open).count() as u64;
        Ok(Frozen {
            history: Arc::new(Staged::new(visits, stages, replicas)),
            tracker: Arc::new(until),
            at,
            unknown,
            is_recorded,
        })
    }

    /// The last visit that the run's log may know: later ones are reads of ours under numbers of its.
    fn logged_until(&self, plan: &Plan) -> Lts {
        if plan.is_checked() && self.is_recorded {
            self.at
        } else {
            Lts(0)
        }
    }

    /// The judge of what a database holds now.
    pub(crate) fn judge(&self, plan: &Plan, target: &dyn Target) -> Judge {
        // Whatever the load compared: this look is for everything.
        let plan = &Plan {
            check: Check::Exhaustive,
            ..plan.clone()
        };
        let history = Arc::clone(&self.history) as Arc<dyn Regenerate>;
        judge_of(
            plan,
            strict(plan.claim),
            &history,
            Arc::clone(&self.tracker),
            target,
        )
    }

    /// What was not settled, in words.
    pub(crate) fn notes(&self) -> Vec<String> {
        match self.unknown {
            0 => Vec::new(),
            n => vec![format!("{n} visits were never settled: each may be there or not")],
        }
    }
}

/// What is promised when nothing else happens: everything acknowledged is there, whole.
fn strict(claim: Claim) -> Claim {
    Claim {
        real_time: true,
        hidden_until_commit: true,
        atomic: Atomic::Visit,
        ..claim
    }
}

/// What became of the visits up to one, the later ones never begun.
struct Until {
    /// `None`: what was planned happened (K2).
    recorded: Option<TrackerFile>,
    visits: Arc<dyn Regenerate>,
    at: Lts,
}

impl Tracker for Until {
    fn get(&self, lts: Lts) -> Track {
        let never = Tick(u64::MAX);
        let waiting = Track {
            state: State::Waiting,
            attempt: 0,
            session: SessionId(0),
            visible_from: never,
            visible_by: never,
        };
        if lts > self.at {
            return waiting;
        }
        let Some(recorded) = &self.recorded else {
            let kept = self
                .visits
                .visit(lts)
                .is_some_and(|visit| visit.end != End::Rollback);
            return Track {
                state: if kept { State::Committed } else { State::Rejected },
                session: SessionId(1),
                visible_from: Tick(2 * lts.0),
                visible_by: Tick(2 * lts.0 + 1),
                ..waiting
            };
        };
        let track = recorded.get(lts);
        // Of a run that was killed: its end was never sent, or nobody heard the answer.
        let state = match track.state {
            State::Open if track.visible_from == never => State::Rejected,
            State::Open => State::Unknown,
            State::Waiting => State::Skipped,
            state => state,
        };
        Track { state, ..track }
    }

    fn settled(&self, lts: Lts) -> Option<Tick> {
        self.recorded
            .as_ref()
            .filter(|_| lts <= self.at)
            .and_then(|r| r.settled(lts))
    }
}

/// The first tick of a look: later than any of a run.
const FIRST_TICK: u64 = 1 << 62;
/// Reads between two words to the watcher.
const SAID_EVERY: u64 = 256;

/// Whether the run was told to leave its data on the database, and nobody has removed it since.
///
/// Errors: the folder's plan cannot be read.
pub fn is_kept(folder: &Folder) -> Result<bool, RunError> {
    Ok(read_plan(folder)?.keep && !folder.is_alive() && Registry::open(folder)?.open_entry().is_some())
}

/// Reads what the database holds of a run, and compares it. Nothing may write the run's tables meanwhile.
///
/// Errors: the folder is in use or has no such visit; the database cannot be reached, or does not hold the run's tables.
pub fn look(folder: &Folder, look: &Look<'_>, watcher: &mut dyn Watcher) -> Result<Looked, RunError> {
    let folder = Folder::open(folder.path())?.locked()?;
    let mut plan = read_plan(&folder)?;
    let mut password = look.password.map(str::to_owned);
    if let Some(url) = look.url {
        let (url, secret) = split_password(url);
        plan.target = url;
        password = secret.or(password);
    }
    let files = targets_folder(&folder)?;
    let target = open_target(&plan, &files, &environment(password.as_deref()), BTreeMap::new())?;
    let copies = target.semantics().replicas;
    let replicas = match look.replicas {
        true if copies > 1 => Replicas {
            nodes: replicas(&plan).nodes.max(copies),
            ..replicas(&plan)
        },
        true => {
            return Err(Unusable::usage(
                plan.target.clone(),
                "it keeps one copy of everything",
                "leave out --replicas, or name a cluster with --target",
            )
            .into());
        }
        false => Replicas::default(),
    };
    let frozen = Frozen::asking(&folder, &plan, look.at, replicas)?;
    let facts = target.facts()?;
    let repairs = Repairs::of(folder.path())?;
    let mut looking = Looking {
        judge: frozen
            .judge(&plan, target.as_ref())
            .with_repairs(Arc::new(move |by, asked| repairs.between(by, asked))),
        plan: &plan,
        frozen: &frozen,
        target: target.as_ref(),
        compared: Compared::default(),
        causes: Families::default(),
        tick: FIRST_TICK,
    };
    looking.read_all(&folder, watcher)?;
    Ok(Looked {
        target: plan.target.clone(),
        server: facts.version,
        at: frozen.at,
        partitions: frozen.history.partitions(),
        counts: looking.compared.counts(),
        causes: looking.causes.sorted(),
        notes: frozen.notes(),
    })
}

struct Looking<'a> {
    judge: Judge,
    plan: &'a Plan,
    frozen: &'a Frozen,
    target: &'a dyn Target,
    compared: Compared,
    causes: Families,
    tick: u64,
}

impl Looking<'_> {
    fn tick(&mut self) -> Tick {
        self.tick += 1;
        Tick(self.tick)
    }

    fn read_all(&mut self, folder: &Folder, watcher: &mut dyn Watcher) -> Result<(), RunError> {
        let me = SessionId(1);
        let schema = Arc::new(self.plan.schema.clone());
        let mut session = self.target.connect(me, &schema)?;
        let (first, last) = (self.frozen.at.0 + 1, self.frozen.history.visits());
        for lts in first..=last {
            let visit = self
                .frozen
                .history
                .visit(Lts(lts))
                .ok_or(RunError::Regenerated { lts: Lts(lts) })?;
            let address = Address {
                lts: visit.lts,
                attempt: 0,
                step: 0,
            };
            let request = Request::of(&visit).next().expect("a read is one request");
            let sent = self.tick();
            let executed = session.execute(address, &request, self.plan.deadline());
            let span = Span {
                sent,
                answered: self.tick(),
            };
            if let Answer::Refused(reason) | Answer::Unknown(reason) = &executed.answer {
                return Err(self.not_there(&reason.text).into());
            }
            self.judge_one(
                folder,
                Answered {
                    address,
                    session: me,
                    span,
                    snapshot: span,
                    answer: executed.answer,
                },
            )?;
            if (lts - first).is_multiple_of(SAID_EVERY) || lts == last {
                watcher.see(&self.progress(lts + 1 - first, last + 1 - first));
            }
        }
        // Lightweight transactions are judged up to the floor: the last reads of them only now.
        for finding in self.judge.finish() {
            self.found(folder, finding, None)?;
        }
        Ok(())
    }

    fn not_there(&self, why: &str) -> Unusable {
        Unusable::server(
            self.plan.target.clone(),
            format!("it does not hold what {} made: {why}", self.plan.prefix),
            "a run leaves its data there with --keep; name the database that has them with --target",
        )
    }

    fn judge_one(&mut self, folder: &Folder, answered: Answered) -> Result<(), RunError> {
        // Nothing older comes after it.
        self.judge.floor(answered.snapshot.sent);
        match self.judge.conclude(self.judge.explain(answered.clone())) {
            Judged::Explained(e) => self.compared.explained(&e),
            Judged::NotCompared(why) => self.compared.not_compared(why),
            Judged::Broken(finding) => {
                self.compared.broken(&finding);
                self.found(folder, *finding, Some(answered))?;
            }
        }
        Ok(())
    }

    /// Takes a finding in; `answered`: where it is about one answer.
    fn found(
        &mut self,
        folder: &Folder,
        finding: Finding,
        answered: Option<Answered>,
    ) -> Result<(), RunError> {
        if self.causes.count(&finding) {
            return Ok(());
        }
        let said = answered.as_ref().map(|a| in_a_word(&a.answer));
        let finding = self.judge_again(answered, finding)?;
        let archive = Archive {
            history: self.frozen.history.as_ref(),
            schema: &self.plan.schema,
            target: self.target,
            claim: &self.plan.claim,
            log_folder: &folder.log(),
            logged_until: self.frozen.logged_until(self.plan),
        };
        let repeats = signature(&finding);
        let cause = make(&archive, finding, said, &Known::default())?;
        self.causes.add(repeats, cause);
        Ok(())
    }

    /// The second judge looks too, as for any finding.
    fn judge_again(&self, answered: Option<Answered>, mut finding: Finding) -> Result<Finding, RunError> {
        match self.judge.again(&mut answered.into_iter(), &finding) {
            Judged::Broken(_) => Ok(finding),
            Judged::Explained(_) => Err(RunError::Disagreement {
                signature: signature(&finding),
                read: finding.read,
            }),
            Judged::NotCompared(why) => {
                finding.certainty = Certainty::Likely;
                finding.doubt = format!("judged once: the second judge could not look again ({why})");
                Ok(finding)
            }
        }
    }

    fn progress(&self, reads: u64, of: u64) -> Progress {
        Progress::Load {
            visits: reads,
            rate: 0,
            checked: reads,
            behind_ms: 0,
            findings: self.causes.iter().map(|c| c.times).sum(),
            elapsed_ms: 0,
            of: Planned::Visits(of),
            phase: "reading what is there".to_owned(),
            beside: Vec::new(),
        }
    }
}
