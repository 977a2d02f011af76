//! One life of a worker: from a folder with a plan to a verdict. A folder with an empty log is a new run, any other is gone
//! on with (F38).
//!
//! Invariants:
//! * Y1 the plan is in the folder before anything else is done, the registry before anything is made on a target.
//! * Y2 when a life ends by an error or a panic, no thread of it is left, and the folder stays valid.

pub(crate) mod head;
mod left_over;
mod load;
mod setup;

use crate::RunError;
use crate::known::Known;
use crate::parallel::Recorded;
use crate::plan::Plan;
use crate::replay::Schedule;
use history::artefact::{Folder, Store};
use history::{Verdict, Watcher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use targets::target::Environment;

pub(crate) use left_over::LeftOver;
pub(crate) use load::Loaded;
pub use setup::history;
pub(crate) use setup::{judge, judge_of, open_target, replicas, targets_folder};

/// What a run ends with.
#[derive(Debug, Clone, PartialEq)]
pub struct Ending {
    /// Its verdict.
    pub verdict: Verdict,
    /// Its folder.
    pub folder: PathBuf,
}

/// What a life is given besides its folder.
#[derive(Clone)]
pub(crate) struct Circumstances {
    /// Where passwords are looked up.
    pub(crate) environment: Environment,
    /// Set by whoever wants the load to end now.
    pub(crate) interrupt: Arc<AtomicBool>,
    /// Findings to tolerate.
    pub(crate) known: Known,
    /// Recorded overlaps to follow.
    pub(crate) schedule: Option<Arc<Schedule>>,
    /// Of the parallel workload: recorded statements to send again.
    pub(crate) recorded: Option<Arc<Recorded>>,
}

impl Default for Circumstances {
    fn default() -> Circumstances {
        Circumstances {
            environment: Arc::new(|name| std::env::var(name).ok()),
            interrupt: Arc::new(AtomicBool::new(false)),
            known: Known::default(),
            schedule: None,
            recorded: None,
        }
    }
}

/// Runs a plan in this process: makes a folder in `store`, writes the plan, runs, writes the verdict. For tests and for
/// whoever uses us as a library; the command line runs plans in a child, which may crash.
///
/// `password` is given to the target where it asks for one; the environment is asked otherwise.
pub fn run(
    plan: &Plan,
    store: &Path,
    password: Option<&str>,
    watcher: &mut dyn Watcher,
) -> Result<Ending, RunError> {
    let folder = new_folder(plan, store)?;
    let circumstances = Circumstances {
        environment: environment(password),
        ..Circumstances::default()
    };
    let verdict = live(&folder, circumstances, watcher)?;
    Ok(Ending {
        verdict,
        folder: folder.path().to_owned(),
    })
}

/// The process's environment, with a password that takes precedence.
pub(crate) fn environment(password: Option<&str>) -> Environment {
    let password = password.map(str::to_owned);
    Arc::new(move |name| match (&password, name) {
        (Some(password), "PGPASSWORD") => Some(password.clone()),
        _ => std::env::var(name).ok(),
    })
}

/// Makes the folder of a new run and writes its plan (Y1).
pub(crate) fn new_folder(plan: &Plan, store: &Path) -> Result<Folder, RunError> {
    with_plan(Store::new(store).create(&plan.seed.to_string())?, plan)
}

/// The same for a run that repeats another one: the store's `latest` stays.
pub(crate) fn new_folder_aside(plan: &Plan, store: &Path) -> Result<Folder, RunError> {
    with_plan(Store::new(store).create_aside(&plan.seed.to_string())?, plan)
}

fn with_plan(folder: Folder, plan: &Plan) -> Result<Folder, RunError> {
    let name = folder.path().join("plan.toml");
    debug_assert_eq!(name, folder.plan());
    folder.write("plan.toml", plan.write().as_bytes())?;
    Ok(folder)
}

/// Reads the plan of a folder.
pub(crate) fn read_plan(folder: &Folder) -> Result<Plan, RunError> {
    let path = folder.plan();
    let text = std::fs::read_to_string(&path).map_err(|e| RunError::io(path.display().to_string(), e))?;
    Ok(Plan::read(&text)?)
}

/// One life in a folder that holds a plan: sets up or takes over, loads, judges, writes the verdict.
pub(crate) fn live(
    folder: &Folder,
    circumstances: Circumstances,
    watcher: &mut dyn Watcher,
) -> Result<Verdict, RunError> {
    let mut plan = read_plan(folder)?;
    if plan.parallel.is_some() {
        return crate::parallel::live(folder, plan, &circumstances, watcher);
    }
    let mut before = None;
    loop {
        let first = before.is_none();
        let setup = setup::set_up(folder, plan.clone(), &circumstances, before.take(), watcher)?;
        if first {
            watcher.see(&head::started(&setup, folder));
        }
        let loaded = load::load(&setup.world, &setup.left_over, &circumstances, watcher)?;
        if let (Some(visits), Some(stages)) = (loaded.stage, &plan.stages) {
            // What comes after a load whose length was a time is known only now: the folder says it, and is gone on with.
            plan.stages = Some(stages.close(visits));
            folder.write("plan.toml", plan.write().as_bytes())?;
            before = Some(Arc::clone(&setup.world.target));
            continue;
        }
        let verdict = setup.finish(folder, loaded)?;
        folder.write_verdict(&verdict)?;
        return Ok(verdict);
    }
}

#[cfg(test)]
pub(crate) mod tests;
