//! The same run again: the plan from its folder, the visits at the overlaps that the log recorded (F25), `n` of `m` times.
//!
//! Invariants:
//! * X1 a replay needs the folder and a running target, nothing else (A8).
//! * X2 it failed again when it ends with a finding of one of the recorded signatures; anything else is said beside.

mod schedule;

pub(crate) use schedule::Place;
pub use schedule::Schedule;

use crate::RunError;
use crate::causes::signature;
use crate::life::read_plan;
use crate::plan::{Length, Plan};
use crate::supervisor::{Ended, Supervision, supervise};
use history::artefact::Folder;
use history::tracker::TrackerFile;
use history::{Status, Verdict, Watcher};
use std::collections::BTreeSet;

/// What came of running again.
#[derive(Debug)]
pub struct Replayed {
    /// How often it was run.
    pub times: u32,
    /// How often it ended with a recorded finding; where the record has none, how often it was clean.
    pub again: u32,
    /// Signatures that the record has.
    pub recorded: Vec<String>,
    /// Signatures that the record has not, and how often each.
    pub others: Vec<(String, u32)>,
    /// How each ended.
    pub endings: Vec<Ended>,
}

/// Runs a recorded plan again, `times` times, each in a folder of its own. Ends early when one does not come to a verdict.
pub fn replay(
    folder: &Folder,
    times: u32,
    with: &Supervision<'_>,
    watcher: &mut dyn Watcher,
) -> Result<Replayed, RunError> {
    let plan = plan(folder)?;
    let recorded: BTreeSet<String> = folder.verdict()?.map(|v| signatures(&v)).unwrap_or_default();
    let with = Supervision {
        schedule_of: Some(folder.path()),
        interrupts: with.interrupts.clone(),
        ..*with
    };
    let mut replayed = Replayed {
        times: 0,
        again: 0,
        recorded: recorded.iter().cloned().collect(),
        others: Vec::new(),
        endings: Vec::new(),
    };
    for _ in 0..times {
        let ended = supervise(&plan, &with, watcher)?;
        let Ended::Verdict(ending) = &ended else {
            replayed.endings.push(ended);
            break;
        };
        replayed.times += 1;
        let found = signatures(&ending.verdict);
        let again = if recorded.is_empty() {
            matches!(ending.verdict.status, Status::Clean | Status::Unchecked)
        } else {
            !found.is_disjoint(&recorded)
        };
        replayed.again += u32::from(again);
        for other in found.difference(&recorded) {
            match replayed.others.iter_mut().find(|(s, _)| s == other) {
                Some((_, n)) => *n += 1,
                None => replayed.others.push((other.clone(), 1)),
            }
        }
        let interrupted = ending.verdict.interrupted;
        replayed.endings.push(ended);
        if interrupted {
            break;
        }
    }
    Ok(replayed)
}

/// The plan of a run with its length in visits: those that were begun in the record.
pub fn plan(folder: &Folder) -> Result<Plan, RunError> {
    let plan = read_plan(folder)?;
    if plan.parallel.is_some() {
        // Its statements are those of the trace.
        return Ok(plan);
    }
    if !folder.tracker().exists() {
        return Err(RunError::NeverBegan { run: folder.name() });
    }
    let begun = TrackerFile::open(&folder.tracker())?.highest();
    Ok(Plan {
        length: Length::Visits(begun.0.max(1)),
        // Its visits are the same without the others.
        agent: None,
        ..plan
    })
}

fn signatures(verdict: &Verdict) -> BTreeSet<String> {
    verdict
        .causes
        .iter()
        .filter(|c| !c.known)
        .map(|c| signature(&c.finding))
        .collect()
}
