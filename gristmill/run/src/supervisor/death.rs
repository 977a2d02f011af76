//! A worker ended without a verdict: what that means (F37).

use super::{Ended, Failure};
use crate::RunError;
use crate::life::{Ending, open_target, targets_folder};
use crate::plan::Plan;
use crate::verdict::FORMAT;
use history::artefact::Folder;
use history::verdict::Cause;
use history::{
    Address, Certainty, Counts, Finding, Kind, Lts, SessionId, Shape, Span, Status, Tick, Verdict,
};
use nix::sys::signal::Signal;
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

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
                plan,
                format!(
                    "the worker was killed from outside ({how}), perhaps for want of memory; the folder can be gone on with"
                ),
            ),
            Some(_) if embedded && !panicked => crash(plan, how),
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

fn crash(plan: &Plan, how: String) -> Verdict {
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
        proof: Vec::new(),
        certainty: Certainty::Certain,
        doubt: String::new(),
    };
    let cause = Cause {
        finding,
        times: 1,
        known: false,
        statements: Vec::new(),
        promised: "an embedded engine answers or refuses; it does not end the process".to_owned(),
        seen,
        proof: "the log's last records say which statements were at work".to_owned(),
        how_sure: "certain: the operating system says so".to_owned(),
    };
    Verdict {
        status: Status::Finding,
        causes: vec![cause],
        ..empty(plan)
    }
}

fn doubt(plan: &Plan, words: String) -> Verdict {
    Verdict {
        status: Status::Unknown,
        doubts: vec![words],
        ..empty(plan)
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
    }
}
