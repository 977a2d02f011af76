//! The smallest run that still fails in the same way: what is left of a finding when everything that it does not need has
//! been taken out of its run.
//!
//! ```text
//! run's folder ─▶ first case: the proof, its partitions, everything       (choose)
//!                   │ fails again
//!                   ▼
//!                 take out: sessions, visits, steps, faults, tables, columns   (cuts)
//!                 make plain: reads, cells, keys, values, numbers              (plain)
//!                   │ each try is a run against a fresh target                 (attempt)
//!                   ▼
//!                 shrunk/: a run's folder that replays, history.mill, one script a session
//! ```
//! A case is a written history ([`history::Explicit`]): what was taken out is not in it, so the model has the same holes as the
//! run. Visits and steps keep their numbers, by which lies and faults are drawn, until nothing else can be taken away.
//!
//! Invariants:
//! * K1 a case is accepted only if it failed with the finding's own signature, as surely as the first case did, and is smaller
//!   than the one before.
//! * K2 at the end nothing can be taken out by itself: each single removal was tried on the case that is left (unless a
//!   limit or an interrupt ended the search, which is said).
//! * K3 every try has a folder and a target of its own, and leaves neither behind.

mod attempt;
mod case;
mod choose;
mod cuts;
mod plain;
mod scripts;
mod search;
#[cfg(test)]
mod tests;

pub use case::Sizes;
pub use scripts::{Doing, Script};

use crate::RunError;
use crate::causes::signature;
use crate::clock::Clock;
use crate::life::{history, read_plan};
use crate::plan::Plan;
use crate::supervisor::Supervision;
pub(crate) use attempt::{Attempts, remove};
pub(crate) use cuts::{narrower, narrower_read};
use history::artefact::Folder;
use history::notation::HistoryFile;
use history::tracker::TrackerFile;
use history::verdict::Cause;
use history::{Status, Verdict, Watcher};
use search::Search;
use std::path::PathBuf;
use std::time::Duration;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Which finding of the run, from 1 in the order of its verdict; `None`: the first that is not tolerated.
    pub finding: Option<usize>,
    /// How often the result is run, to say how often it fails.
    pub times: u32,
    /// Runs that are tried at most.
    pub tries_max: u64,
}

/// Tries of a search where nobody says otherwise.
pub const TRIES_MAX: u64 = 5_000;

impl Default for Options {
    fn default() -> Options {
        Options {
            finding: None,
            times: 10,
            tries_max: TRIES_MAX,
        }
    }
}

/// What came of it.
#[derive(Debug)]
pub enum Shrunk {
    /// The finding did not come back, not even in the whole run again.
    NotAgain {
        /// Its signature.
        class: String,
        /// Runs that were tried.
        tries: u64,
    },
    /// A smaller run that fails.
    Smaller(Box<Smaller>),
}

/// A smaller run that fails, and how it was come by.
#[derive(Debug)]
pub struct Smaller {
    /// What the finding and the result share: kind, shape, kind of statement.
    pub class: String,
    /// Of the recorded run.
    pub before: Sizes,
    /// Of the result.
    pub after: Sizes,
    /// Runs that were tried.
    pub tries: u64,
    /// How long that took.
    pub took: Duration,
    /// The result was run so often …
    pub times: u32,
    /// … and failed so often.
    pub again: u32,
    /// Why the search ended before nothing more could be taken out, if it did.
    pub cut_short: Option<&'static str>,
    /// The folder of a run of the result.
    pub folder: PathBuf,
    /// What that run ended with.
    pub verdict: Verdict,
    /// The finding in it.
    pub cause: Cause,
    /// The history, as `run --history` reads it; "" of a run of the parallel workload, whose trace is in the folder.
    pub history: String,
    /// Tables, and one script a session, to be pasted into the database's own shell.
    pub scripts: Vec<Script>,
}

/// The file of a shrunk run that holds its history.
pub const HISTORY: &str = "history.mill";

/// Makes a recorded finding small. The result's folder is `shrunk` in the run's own (`shrunk-2` for its second finding); what
/// an earlier search left there is replaced.
///
/// # Errors
/// [`RunError::NothingToShrink`] for a run without the finding; and what ends a run without a verdict.
pub fn shrink(
    folder: &Folder,
    options: &Options,
    with: &Supervision<'_>,
    watcher: &mut dyn Watcher,
) -> Result<Shrunk, RunError> {
    let clock = Clock::start(Duration::ZERO);
    let plan = read_plan(folder)?;
    let (number, cause) = chosen(folder, options.finding)?;
    let class = signature(&cause.finding);
    let name = match number {
        1 => "shrunk".to_owned(),
        n => format!("shrunk-{n}"),
    };
    if plan.parallel.is_some() {
        let attempts = Attempts::new(folder, &plan, &cause.finding, with)?;
        return crate::parallel::shrink(
            folder,
            &plan,
            (&name, &cause),
            options,
            attempts,
            (&clock, watcher),
        );
    }
    let visits = history(&plan)?;
    let tracker = TrackerFile::open(&folder.tracker())?;
    let before = before(&plan, &tracker);
    let attempts = Attempts::new(folder, &plan, &cause.finding, with)?;
    let mut search = Search::new(attempts, &plan, &class, options.tries_max, &clock, watcher)?;
    let recorded = choose::Recorded::read(folder, &plan, visits.as_ref(), &tracker)?;
    if !search.begin(&mut recorded.cases(&cause.finding))? {
        let tries = search.tries();
        return Ok(Shrunk::NotAgain { class, tries });
    }
    search.run()?;
    let kept = search.measure(&folder.path().join(name), options.times)?;
    let Some((found, verdict, cause)) = kept.failed else {
        let tries = search.tries();
        return Ok(Shrunk::NotAgain { class, tries });
    };
    let case = search.best();
    let file = HistoryFile {
        seed: Some(plan.seed.0),
        tables: case
            .schema
            .tables
            .iter()
            .map(|t| t.definition().clone())
            .collect(),
        lines: case.lines.clone(),
        ..HistoryFile::default()
    };
    let smaller = Smaller {
        class,
        before,
        after: case.sizes(),
        tries: search.tries(),
        took: clock.elapsed(),
        times: kept.times,
        again: kept.again,
        cut_short: search.cut_short(),
        folder: found.path().to_owned(),
        history: file.to_string(),
        scripts: scripts::scripts(case, search.target(), &cause),
        verdict,
        cause,
    };
    found.write(HISTORY, smaller.history.as_bytes())?;
    for script in &smaller.scripts {
        found.write(&script.name, script.text.as_bytes())?;
    }
    Ok(Shrunk::Smaller(Box::new(smaller)))
}

/// The finding that is asked for, and its number.
fn chosen(folder: &Folder, asked: Option<usize>) -> Result<(usize, Cause), RunError> {
    let nothing = |why: String, remedy: &'static str| RunError::NothingToShrink {
        run: folder.name(),
        why,
        remedy,
    };
    let Some(verdict) = folder.verdict()? else {
        let remedy = "let it end: `gristmill replay` runs its plan again";
        return Err(nothing("the run left no verdict".to_owned(), remedy));
    };
    if verdict.status != Status::Finding && verdict.causes.is_empty() {
        let remedy = "name a run that found something: `gristmill list runs` shows them";
        return Err(nothing("the run has no finding".to_owned(), remedy));
    }
    let many = verdict.causes.len();
    let index = match asked {
        Some(n) => n.checked_sub(1),
        None => verdict.causes.iter().position(|c| !c.known).or(Some(0)),
    };
    match index.and_then(|i| Some((i + 1, verdict.causes.get(i)?.clone()))) {
        Some(found) => Ok(found),
        None => Err(nothing(
            format!("it has no finding {}: there are {many}", asked.unwrap_or(0)),
            "`gristmill report` shows them; --finding counts from 1",
        )),
    }
}

fn before(plan: &Plan, tracker: &TrackerFile) -> Sizes {
    let columns = |t: &datagen::schema::Table| t.columns().count();
    Sizes {
        visits: match &plan.history {
            Some(lines) => lines.len(),
            None => usize::try_from(tracker.highest().0).unwrap_or(usize::MAX),
        },
        sessions: usize::from(plan.sessions),
        tables: plan.schema.tables.len(),
        columns: plan.schema.tables.iter().map(columns).sum(),
        ..Sizes::default()
    }
}
