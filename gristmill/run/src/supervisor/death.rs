//! A worker ended without a verdict: what that means (F37).

use super::{Ended, Failure};
use crate::RunError;
use crate::life::{Ending, history, open_target, read_plan, targets_folder};
use crate::plan::Plan;
use crate::recheck::after_death;
use crate::verdict::FORMAT;
use history::artefact::Folder;
use history::log::Reader;
use history::tracker::TrackerFile;
use history::verdict::{Cause, Sent};
use history::{
    Address, Certainty, Counts, Finding, Kind, Lts, SessionId, Shape, Span, State, Status, Tick, Tracker,
    Verdict,
};
use nix::sys::signal::Signal;
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// Visits by what became of them, those that were at work not among them; and how long the load had run, in milliseconds.
fn count(folder: &Folder, plan: &Plan) -> Result<(BTreeMap<String, u64>, u64), RunError> {
    // The plan of the folder knows how many visits the loads took.
    let plan = read_plan(folder).unwrap_or_else(|_| plan.clone());
    let (tracker, visits) = (TrackerFile::open(&folder.tracker())?, history(&plan)?);
    let last = tracker.highest();
    let writing = (1..=last.0).map(Lts).filter(|lts| {
        !matches!(tracker.get(*lts).state, State::Waiting | State::Skipped)
            && visits.visit(*lts).is_some_and(|v| !v.writes.is_empty())
    });
    let writing = writing.count() as u64;
    let last_ns = Reader::open(&folder.log())?.last().map_or(0, |record| record.ns);
    let visits = crate::verdict::visits(&tracker, visits.as_ref(), last, writing);
    Ok((visits, last_ns / 1_000_000))
}

/// How it ended, and what it said last.
pub(super) struct Death {
    pub(super) status: ExitStatus,
    pub(super) errors: String,
}

impl Death {
    /// A signal with an embedded engine is a finding; a kill that is not ours is a doubt; everything else is our own fault.
    pub(super) fn ended(self, folder: &Folder, plan: &Plan) -> Result<Ended, RunError> {
        let how = self.how();
        if !self.errors.is_empty() {
            folder.write("worker.stderr", self.errors.as_bytes())?;
        }
        let signal = self.status.signal().and_then(|n| Signal::try_from(n).ok());
        let panicked = folder.panic().exists();
        let embedded = embedded(folder, plan);
        let verdict = match signal {
            Some(Signal::SIGKILL) => doubt(
                folder,
                plan,
                format!(
                    "the worker was killed from outside ({how}), perhaps for want of memory; `gristmill resume {}` goes on with it",
                    folder.name()
                ),
            ),
            Some(_) if embedded && !panicked => crash(folder, plan, how),
            _ => {
                let words = std::fs::read_to_string(folder.panic()).unwrap_or(self.errors);
                let words = words.trim();
                let message = if words.is_empty() {
                    format!("our own fault: the worker ended without a verdict ({how})")
                } else {
                    format!("our own fault: the worker ended without a verdict ({how}): {words}")
                };
                let remedy = format!("please report this with the folder {}", folder.path().display());
                return Ok(Ended::Failed(Failure {
                    code: 5,
                    message,
                    remedy,
                    folder: folder.path().to_owned(),
                }));
            }
        };
        folder.write_verdict(&verdict)?;
        Ok(Ended::Verdict(Box::new(Ending {
            verdict,
            folder: folder.path().to_owned(),
        })))
    }

    fn how(&self) -> String {
        match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(n)) => match Signal::try_from(n) {
                Ok(signal) => signal.as_str().to_owned(),
                Err(_) => format!("signal {n}"),
            },
            (None, None) => "for no reason that the system gives".to_owned(),
        }
    }
}

/// Whether the engine lives in the worker. A target that can no longer be opened does not.
fn embedded(folder: &Folder, plan: &Plan) -> bool {
    targets_folder(folder)
        .and_then(|files| open_target(plan, &files, &crate::life::environment(None), BTreeMap::new()))
        .is_ok_and(|target| target.describe().embedded)
}

fn crash(folder: &Folder, plan: &Plan, how: String) -> Verdict {
    let (before, open, statements) = judged(folder, plan);
    let seen = format!("the engine ended the process that it lived in: {how}");
    let finding = Finding {
        kind: Kind::Crash,
        shape: Shape::Died { how },
        read: Address {
            lts: Lts(0),
            attempt: 0,
            step: 0,
        },
        session: SessionId(0),
        span: Span {
            sent: Tick(0),
            answered: Tick(0),
        },
        snapshot: Span {
            sent: Tick(0),
            answered: Tick(0),
        },
        action: String::new(),
        part: None,
        row: None,
        column: None,
        proof: open.clone(),
        certainty: Certainty::Certain,
        doubt: String::new(),
    };
    let cause = Cause {
        finding,
        times: 1,
        known: false,
        statements,
        promised: "an embedded engine answers or refuses; it does not end the process".to_owned(),
        seen,
        proof: match open.as_slice() {
            [] if !plan.is_checked() => "what was at work was not logged (--check none)".to_owned(),
            [] if plan.parallel.is_some() => "these statements had no answer yet".to_owned(),
            [] => "no visit was at work".to_owned(),
            [one] => format!("visit {one} was at work"),
            several => {
                let names: Vec<String> = several.iter().map(ToString::to_string).collect();
                format!("visits {} were at work", names.join(", "))
            }
        },
        how_sure: "certain: the operating system says so".to_owned(),
    };
    Verdict {
        status: Status::Finding,
        causes: [vec![cause], before.causes.clone()].concat(),
        ..before
    }
}

fn doubt(folder: &Folder, plan: &Plan, words: String) -> Verdict {
    let (before, ..) = judged(folder, plan);
    Verdict {
        status: before.status.max(Status::Unknown),
        doubts: [vec![words], before.doubts.clone()].concat(),
        ..before
    }
}

/// What the worker left, judged: a verdict without the reason of its end, the visits that were at work, their statements.
fn judged(folder: &Folder, plan: &Plan) -> (Verdict, Vec<Lts>, Vec<Sent>) {
    let mut verdict = empty(plan);
    if plan.parallel.is_some() {
        let statements = crate::parallel::at_work(folder.path()).unwrap_or_default();
        verdict
            .visits
            .insert("unknown".to_owned(), statements.len() as u64);
        return (verdict, Vec::new(), statements);
    }
    // A worker that died before it had begun has left neither tracker nor log.
    if !folder.tracker().exists() || !folder.log().exists() {
        return (verdict, Vec::new(), Vec::new());
    }
    let counted = count(folder, plan).and_then(|counted| Ok((counted, after_death(folder)?)));
    match counted {
        Ok(((visits, load_ms), (open, statements, recheck))) => {
            verdict.visits = visits;
            verdict.load_ms = load_ms;
            verdict.counts = recheck.counts;
            verdict.doubts = recheck.notes;
            if !recheck.causes.is_empty() {
                verdict.status = Status::Finding;
            }
            verdict.causes = recheck.causes;
            (verdict, open, statements)
        }
        Err(error) => {
            verdict.doubts = vec![format!("what ran before cannot be judged: {error}")];
            (verdict, Vec::new(), Vec::new())
        }
    }
}

/// A verdict that has compared nothing.
fn empty(plan: &Plan) -> Verdict {
    Verdict {
        format: FORMAT,
        status: Status::Unknown,
        interrupted: false,
        seed: plan.seed.to_string(),
        target: plan.target.clone(),
        server: String::new(),
        settings: BTreeMap::new(),
        driver: String::new(),
        gristmill: env!("CARGO_PKG_VERSION").to_owned(),
        types: BTreeMap::new(),
        setup: BTreeMap::new(),
        visits: BTreeMap::new(),
        load_ms: 0,
        counts: Counts::default(),
        never_compared: Vec::new(),
        never_drawn: Vec::new(),
        left_out: Vec::new(),
        doubts: Vec::new(),
        causes: Vec::new(),
        faults: BTreeMap::new(),
        lies: BTreeMap::new(),
        idle_percent: 0,
        latency: BTreeMap::new(),
        statements: None,
    }
}
