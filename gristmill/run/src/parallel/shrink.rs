//! A recorded parallel run made small: the trace is edited, never the plan (P46), and a step is kept when the finding comes back
//! with its own signature (P47).
//!
//! ```text
//!   trace ──▶ lines ──▶ without a session, a unit, a bracket, a line, a clause ──▶ trace of a try ──▶ sent again, judged again
//!                ▲                                                                        │ the same finding: kept
//!                └────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Invariants:
//! * M1 who makes an object takes its users along; nothing is drawn again, so nothing moves.
//! * M2 a try begins with nothing of ours on the target, and leaves nothing.
//! * M3 a case is smaller than the one before in lines, or in bytes of its statements.

use super::plainer::plainer;
use super::trace::{self, Record};
use crate::RunError;
use crate::causes::signature;
use crate::clock::Clock;
use crate::life::open_target;
use crate::parallel::{Tongue, tongue};
use crate::plan::{Plan, Scenario, Stop};
use crate::shrink::{Attempts, Doing, Options, Script, Shrunk, Sizes, Smaller, remove};
use check::parallel::without_names;
use history::artefact::Folder;
use history::parallel::{Answer, At, FrameOp, ObjectId, ObjectKind, Op, Target, TxState};
use history::verdict::Cause;
use history::{Progress, SessionId, Shape, Tick, Verdict, Watcher};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Runs of the whole record by which it is seen how surely it fails.
const SURE: u32 = 3;
/// Runs of one case at most, where failing takes luck.
const EACH_MAX: u32 = 50;

/// One recorded statement.
#[derive(Clone)]
struct Line {
    op: Arc<Op>,
    sql: Arc<str>,
    copy: Option<Arc<[u8]>>,
    sent: Tick,
    answered: Tick,
    answer: Answer,
    /// Its session had a new connection before it.
    fresh: bool,
}

impl Line {
    fn session(&self) -> SessionId {
        self.op.at.session
    }

    fn makes(&self) -> impl Iterator<Item = ObjectId> + '_ {
        self.op.slots.iter().filter_map(|slot| match slot {
            Target::New { object, .. } => Some(*object),
            _ => None,
        })
    }

    fn uses(&self) -> impl Iterator<Item = ObjectId> + '_ {
        self.op.slots.iter().filter_map(|slot| match slot {
            Target::Object { object, .. } => Some(*object),
            _ => None,
        })
    }
}

/// What is left, in the order in which it was sent.
#[derive(Clone)]
struct Case(Vec<Line>);

impl Case {
    /// The answered statements of a trace.
    fn read(folder: &Path) -> Result<Case, RunError> {
        let mut lines: Vec<Line> = Vec::new();
        let mut open: BTreeMap<At, Line> = BTreeMap::new();
        let mut fresh: BTreeSet<SessionId> = BTreeSet::new();
        let nothing = Answer {
            said: history::parallel::Said::Unknown {
                code: String::new(),
                text: String::new(),
            },
            state: TxState::Idle,
        };
        for record in trace::read(folder)? {
            match record {
                Record::Opened {
                    session, incarnation, ..
                } if incarnation > 1 => {
                    fresh.insert(session);
                }
                Record::Sent {
                    tick, op, sql, copy, ..
                } => {
                    let session = op.at.session;
                    let line = Line {
                        op: Arc::new(op.into_owned()),
                        sql: sql.into(),
                        copy: copy.map(Into::into),
                        sent: tick,
                        answered: tick,
                        answer: nothing.clone(),
                        fresh: fresh.remove(&session),
                    };
                    open.insert(line.op.at, line);
                }
                Record::Answered { at, tick, answer, .. } => {
                    if let Some(line) = open.remove(&at) {
                        lines.push(Line {
                            answered: tick,
                            answer,
                            ..line
                        });
                    }
                }
                _ => {}
            }
        }
        lines.sort_by_key(|line| line.sent);
        Ok(Case(lines))
    }

    /// Writes it as a trace.
    fn write(&self, folder: &Path, plan: u64) -> Result<(), RunError> {
        let mut records = Vec::new();
        for line in &self.0 {
            if line.fresh {
                records.push((
                    line.sent,
                    Record::Opened {
                        session: line.session(),
                        incarnation: 2,
                        tick: line.sent,
                        process: 0,
                    },
                ));
            }
            records.push((
                line.sent,
                Record::Sent {
                    tick: line.sent,
                    ns: line.sent.0,
                    op: Cow::Borrowed(&*line.op),
                    sql: Cow::Borrowed(&line.sql),
                    copy: line.copy.as_deref().map(Cow::Borrowed),
                },
            ));
            records.push((
                line.answered,
                Record::Answered {
                    at: line.op.at,
                    tick: line.answered,
                    ns: line.answered.0,
                    answer: line.answer.clone(),
                },
            ));
        }
        records.sort_by_key(|(tick, _)| *tick);
        trace::write_all(folder, plan, records.into_iter().map(|(_, record)| record))
    }

    /// Without some lines, and without whoever uses what they make.
    fn without(&self, gone: &BTreeSet<usize>) -> Case {
        let mut gone = gone.clone();
        let mut objects: BTreeSet<ObjectId> = BTreeSet::new();
        loop {
            let made = gone.iter().flat_map(|i| self.0[*i].makes());
            let before = objects.len();
            objects.extend(made);
            if objects.len() == before {
                break;
            }
            let users = self.0.iter().enumerate();
            let users = users.filter(|(_, line)| line.uses().any(|id| objects.contains(&id)));
            gone.extend(users.map(|(i, _)| i));
        }
        let mut fresh: BTreeSet<SessionId> = BTreeSet::new();
        let mut left = Vec::new();
        for (i, line) in self.0.iter().enumerate() {
            if gone.contains(&i) {
                if line.fresh {
                    fresh.insert(line.session());
                }
                continue;
            }
            left.push(Line {
                fresh: line.fresh || fresh.remove(&line.session()),
                ..line.clone()
            });
        }
        Case(left)
    }

    /// Lines that stand and fall together: transactions, and statements by themselves.
    fn units(&self) -> Vec<BTreeSet<usize>> {
        let mut units: Vec<BTreeSet<usize>> = Vec::new();
        let mut open: BTreeMap<SessionId, BTreeSet<usize>> = BTreeMap::new();
        for (i, line) in self.0.iter().enumerate() {
            let unit = open.entry(line.session()).or_default();
            unit.insert(i);
            if line.answer.state == TxState::Idle {
                units.push(std::mem::take(unit));
            }
        }
        units.extend(open.into_values().filter(|unit| !unit.is_empty()));
        units
    }

    /// The first and the last line of each transaction, and of each savepoint.
    fn brackets(&self) -> Vec<BTreeSet<usize>> {
        let frames = |unit: &BTreeSet<usize>| -> BTreeSet<usize> {
            let is = |i: &usize| {
                matches!(
                    self.0[*i].op.frame(),
                    Some(FrameOp::Begin { .. } | FrameOp::Commit | FrameOp::Rollback)
                )
            };
            unit.iter().copied().filter(is).collect()
        };
        let mut all: Vec<BTreeSet<usize>> = self.units().iter().map(frames).collect();
        for unit in self.units() {
            let mut named: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
            for i in unit {
                if let Some(FrameOp::Savepoint(name) | FrameOp::Release(name) | FrameOp::RollbackTo(name)) =
                    self.0[i].op.frame()
                {
                    named.entry(name.to_string()).or_default().insert(i);
                }
            }
            all.extend(named.into_values());
        }
        all.retain(|bracket| !bracket.is_empty());
        all
    }

    fn sessions(&self) -> BTreeMap<SessionId, BTreeSet<usize>> {
        let mut all: BTreeMap<SessionId, BTreeSet<usize>> = BTreeMap::new();
        for (i, line) in self.0.iter().enumerate() {
            all.entry(line.session()).or_default().insert(i);
        }
        all
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|line| line.sql.len()).sum()
    }

    fn sizes(&self) -> Sizes {
        let tables = |line: &Line| line.makes().filter(|id| id.kind == ObjectKind::Table).count();
        Sizes {
            visits: self.0.len(),
            steps: self.0.len(),
            sessions: self.sessions().keys().filter(|who| who.0 > 0).count(),
            tables: self.0.iter().map(tables).sum(),
            characters: self.bytes(),
            ..Sizes::default()
        }
    }

    /// One script a session; what another session must have ended first stands between the statements.
    fn scripts(&self, cause: &Cause) -> Vec<Script> {
        let mut scripts: BTreeMap<SessionId, Script> = BTreeMap::new();
        let mut known: BTreeMap<SessionId, BTreeMap<SessionId, usize>> = BTreeMap::new();
        for (at, line) in self.0.iter().enumerate() {
            let me = line.session();
            let script = scripts.entry(me).or_insert_with(|| Script {
                name: match me.0 {
                    0 => "before.sql".to_owned(),
                    n => format!("session{n}.sql"),
                },
                text: match me.0 {
                    0 => "-- first, in any session\n".to_owned(),
                    n => format!("-- session {n}: a connection of its own\n"),
                },
                doings: Vec::new(),
            });
            let waited = known.entry(me).or_default();
            for (other, lines) in self.sessions() {
                let ended = lines.iter().filter(|i| self.0[**i].answered < line.sent).count();
                let before = waited.insert(other, ended).unwrap_or(0);
                if other != me && other.0 > 0 && ended > before {
                    script.text += &format!(
                        "-- when session {} has ended {ended} of its statements:\n",
                        other.0
                    );
                }
            }
            if line.fresh {
                script.text += "-- on a new connection:\n";
            }
            let sql = line.sql.replace('\n', " ");
            script.text += &format!("{sql};\n");
            if let Some(copy) = &line.copy {
                script.text += &format!("{}\\.\n", String::from_utf8_lossy(copy));
            }
            let here = cause.finding.session == me && cause.finding.read.lts.0 == line.op.at.op;
            let seen = here.then(|| cause.seen.clone());
            if let Some(seen) = &seen {
                let flat = |text: &str| text.replace('\n', " ");
                script.text += &format!(
                    "-- wrong: {}\n-- promised: {}\n",
                    flat(seen),
                    flat(&cause.promised)
                );
            }
            script.doings.push(Doing {
                at,
                statements: vec![sql],
                seen,
            });
        }
        scripts.into_values().collect()
    }
}

/// What a finding and a smaller one share.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Class {
    signature: String,
    text: String,
}

impl Class {
    fn of(cause: &Cause) -> Class {
        let text = match &cause.finding.shape {
            Shape::Refused { text, .. } => without_names(text),
            _ => String::new(),
        };
        Class {
            signature: signature(&cause.finding),
            text,
        }
    }
}

struct Search<'a> {
    attempts: Attempts<'a>,
    plan: Plan,
    class: Class,
    best: Case,
    each: u32,
    tries: u64,
    tries_max: u64,
    room: PathBuf,
    clock: &'a Clock,
    watcher: &'a mut dyn Watcher,
    cut_short: Option<&'static str>,
}

impl Search<'_> {
    /// Sends a case again in a folder; what came of it.
    fn keep(&mut self, case: &Case, path: &Path) -> Result<(Folder, Verdict, Option<Cause>), RunError> {
        self.tries += 1;
        remove(&self.room)?;
        std::fs::create_dir_all(&self.room).map_err(|e| RunError::io(self.room.display().to_string(), e))?;
        case.write(&self.room, self.plan.digest())?;
        let (folder, verdict, _) = self.attempts.keep_of(&self.plan, path, Some(&self.room))?;
        let cause = verdict.causes.iter().find(|cause| Class::of(cause) == self.class);
        let cause = cause.cloned();
        Ok((folder, verdict, cause))
    }

    fn once(&mut self, case: &Case) -> Result<bool, RunError> {
        let path = self.attempts.next_path();
        let kept = self.keep(case, &path);
        remove(&path)?;
        let found = kept?.2.is_some();
        let sizes = self.best.sizes();
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        self.watcher.see(&Progress::Shrinking {
            visits: count(sizes.visits),
            sessions: count(sizes.sessions),
            statements: count(sizes.steps),
            tries: self.tries,
            elapsed_ms: u64::try_from(self.clock.elapsed().as_millis()).unwrap_or(u64::MAX),
            class: self.class.signature.clone(),
        });
        Ok(found)
    }

    /// Whether the whole record fails, and how surely.
    fn begin(&mut self) -> Result<bool, RunError> {
        let whole = self.best.clone();
        let mut failed = 0;
        let mut times = 0;
        while times < SURE || (failed == 0 && times < 2 * SURE) {
            times += 1;
            failed += u32::from(self.once(&whole)?);
            if self.is_over() {
                break;
            }
        }
        if failed > 0 {
            self.each = match failed == times {
                true => 1,
                false => (3 * times).div_ceil(failed).min(EACH_MAX),
            };
        }
        Ok(failed > 0)
    }

    fn is_over(&mut self) -> bool {
        if self.attempts.interrupted() {
            self.cut_short = Some("interrupted");
        } else if self.tries >= self.tries_max {
            self.cut_short = Some("the limit of tries was reached");
        }
        self.cut_short.is_some()
    }

    /// Takes the case if it fails.
    fn accept(&mut self, case: Case) -> Result<bool, RunError> {
        let smaller = (case.0.len(), case.bytes()) < (self.best.0.len(), self.best.bytes());
        if !smaller || case.0.is_empty() {
            return Ok(false);
        }
        for _ in 0..self.each {
            if self.is_over() {
                return Ok(false);
            }
            if self.once(&case)? {
                self.best = case;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes out what can be taken out, in ever smaller pieces, the latest first; `true`: something went.
    fn reduce(&mut self, pieces: fn(&Case) -> Vec<BTreeSet<usize>>) -> Result<bool, RunError> {
        let mut any = false;
        let mut size = pieces(&self.best).len().div_ceil(2);
        while size > 0 {
            let mut end = pieces(&self.best).len();
            while end > 0 {
                let all = pieces(&self.best);
                end = end.min(all.len());
                let start = end.saturating_sub(size);
                let gone: BTreeSet<usize> = all[start..end].iter().flatten().copied().collect();
                if self.accept(self.best.without(&gone))? {
                    any = true;
                }
                if self.cut_short.is_some() {
                    return Ok(any);
                }
                end = start;
            }
            size = match size {
                1 => 0,
                n => n.div_ceil(2),
            };
        }
        Ok(any)
    }

    /// What was sent after the finding's answer.
    fn cut_tail(&mut self, cause: &Cause) -> Result<(), RunError> {
        let at = |line: &&Line| {
            line.session() == cause.finding.session && line.op.at.op == cause.finding.read.lts.0
        };
        let Some(answered) = self.best.0.iter().find(at).map(|line| line.answered) else {
            return Ok(());
        };
        let late = self.best.0.iter().enumerate();
        let late = late.filter(|(_, line)| line.sent > answered).map(|(i, _)| i);
        let gone = late.collect();
        self.accept(self.best.without(&gone)).map(drop)
    }

    /// Clauses of the statements that are left.
    fn clauses(&mut self, tongue: Tongue) -> Result<(), RunError> {
        let mut i = 0;
        while i < self.best.0.len() && self.cut_short.is_none() {
            let mut went = false;
            for op in plainer(&self.best.0[i].op) {
                let rendered = targets::parallel::render(&op, tongue.language);
                let mut case = self.best.clone();
                let line = &mut case.0[i];
                line.op = Arc::new(op);
                line.sql = rendered.sql.into();
                line.copy = rendered.copy.map(Into::into);
                if self.accept(case)? {
                    went = true;
                    break;
                }
            }
            if !went {
                i += 1;
            }
        }
        Ok(())
    }

    fn run(&mut self, cause: &Cause, tongue: Tongue) -> Result<(), RunError> {
        self.cut_tail(cause)?;
        loop {
            let sessions = |case: &Case| case.sessions().into_values().collect();
            let mut any = self.reduce(sessions)?;
            any |= self.reduce(Case::units)?;
            any |= self.reduce(Case::brackets)?;
            any |= self.reduce(|case| (0..case.0.len()).map(|i| BTreeSet::from([i])).collect())?;
            if !any || self.cut_short.is_some() {
                break;
            }
        }
        self.clauses(tongue)
    }
}

/// Makes a recorded finding small; see [`crate::shrink::shrink`].
pub(crate) fn shrink<'a>(
    folder: &Folder,
    plan: &Plan,
    (name, cause): (&str, &Cause),
    options: &Options,
    mut attempts: Attempts<'a>,
    (clock, watcher): (&'a Clock, &'a mut dyn Watcher),
) -> Result<Shrunk, RunError> {
    let mut plan = plan.clone();
    plan.stop = Stop::Never;
    plan.keep = false;
    if let Some(parallel) = &mut plan.parallel {
        // What was done on purpose is not done again: what needs it does not come back, and is told so.
        parallel.scenario = Scenario::Regression;
    }
    let target = open_target(
        &plan,
        &std::env::temp_dir(),
        &crate::life::environment(None),
        BTreeMap::new(),
    )?;
    let tongue = tongue(target.describe().scheme).expect("it has run on such a target");
    let whole = Case::read(folder.path())?;
    let before = whole.sizes();
    let class = Class::of(cause);
    let room = attempts.next_path().with_extension("recorded");
    let mut search = Search {
        attempts,
        plan,
        class: class.clone(),
        best: whole,
        each: 1,
        tries: 0,
        tries_max: options.tries_max,
        room,
        clock,
        watcher,
        cut_short: None,
    };
    if !search.begin()? {
        return Ok(Shrunk::NotAgain {
            class: class.signature,
            tries: search.tries,
        });
    }
    search.run(cause, tongue)?;
    let (best, tries) = (search.best.clone(), search.tries);
    let path = folder.path().join(name);
    remove(&path)?;
    let (mut times, mut again, mut kept) = (0, 0, None);
    while times < options.times.max(1) {
        times += 1;
        if kept.is_some() {
            again += u32::from(search.once(&best)?);
        } else {
            let (found, verdict, cause) = search.keep(&best, &path)?;
            match cause {
                Some(cause) => {
                    again += 1;
                    kept = Some((found, verdict, cause));
                }
                None => remove(&path)?,
            }
        }
    }
    let Some((found, verdict, cause)) = kept else {
        return Ok(Shrunk::NotAgain {
            class: class.signature,
            tries: search.tries,
        });
    };
    let scripts = best.scripts(&cause);
    for script in &scripts {
        found.write(&script.name, script.text.as_bytes())?;
    }
    Ok(Shrunk::Smaller(Box::new(Smaller {
        class: class.signature,
        before,
        after: best.sizes(),
        tries,
        took: clock.elapsed(),
        times,
        again,
        cut_short: search.cut_short,
        folder: found.path().to_owned(),
        verdict,
        cause,
        history: String::new(),
        scripts,
    })))
}
