//! Gristmill as a library: a plan in, a verdict out, with somebody watching.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut settings = gristmill::Settings::default();
//! settings.set("target", "reference:", "target")?;
//! settings.set("visits", "1000", "visits")?;
//! let request = gristmill::Request::new(settings)?;
//! let ending = gristmill::run(&request.plan, &mut gristmill::Nobody)?;
//! assert_eq!(ending.verdict.status, gristmill::Status::Clean);
//! # Ok(()) }
//! ```
//!
//! A run through this face lives in the caller's process: an embedded engine that crashes takes it along. The command
//! line (feature `cli`, on by default) puts a child process in between; `default-features = false` leaves out what only
//! the command line needs.

mod dry;

mod statements;
mod written;

pub use ::run::plan::{Mistake, PlanError, Settings};
pub use ::run::{Ending, Plan, RunError, clean};
pub use dry::{DryRun, dry_run};
pub use history::progress::Progress;
pub use history::verdict::Cause;
pub use history::{Finding, Status, Verdict, Watcher};

pub use statements::{Form, statements};
pub use written::{Held, History, Live, Seen, Steps, Wrong, partition};

/// What a test's own reads are made of, and the values that come back.
pub mod ask {
    pub use datagen::schema::{ColumnId, Table};
    pub use datagen::value::{Order, Value};
    pub use history::ast::*;
    pub use history::{Lts, Part};
}

use ::run::plan::split_password;
use history::artefact::{Folder, STORE};
use std::path::Path;
use std::sync::Arc;
use targets::target::Environment;

/// Our own version, with the commit that it was built from where that is known: `0.1.0 (880902b1f3)`.
pub const VERSION: &str = env!("GRISTMILL_VERSION");

/// A plan, and the password that must never be part of it.
#[derive(Clone)]
pub struct Request {
    /// The plan, its target without password.
    pub plan: Plan,
    /// The password that the target's URL held.
    pub password: Option<String>,
}

impl Request {
    /// Draws the plan of some settings; connects to nothing.
    pub fn new(settings: Settings) -> Result<Request, PlanError> {
        let password = settings.target.as_deref().and_then(|url| split_password(url).1);
        let plan = settings.plan(&environment(password.as_deref()))?;
        Ok(Request { plan, password })
    }
}

/// Runs a plan in this process; its folder is made in `.gristmill`. Passwords are looked up in the environment.
pub fn run(plan: &Plan, watcher: &mut dyn Watcher) -> Result<Ending, RunError> {
    run_in(Path::new(STORE), plan, None, watcher)
}

/// Runs a plan in this process, its folder in `store`, with a password that the plan does not hold.
pub fn run_in(
    store: &Path,
    plan: &Plan,
    password: Option<&str>,
    watcher: &mut dyn Watcher,
) -> Result<Ending, RunError> {
    let mut ending = ::run::run(plan, store, password, watcher)?;
    VERSION.clone_into(&mut ending.verdict.gristmill);
    Folder::open(&ending.folder)?.write_verdict(&ending.verdict)?;
    Ok(ending)
}

/// A watcher that looks away.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Watcher for Nobody {
    fn see(&mut self, _: &Progress) {}
}

/// The environment of this process, in which a password given here takes precedence.
pub fn environment(password: Option<&str>) -> Environment {
    let password = password.map(str::to_owned);
    Arc::new(move |name| match (&password, name) {
        (Some(password), "PGPASSWORD") => Some(password.clone()),
        _ => std::env::var(name).ok(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_runs_a_plan_and_has_its_verdict_and_its_folder() {
        let store = tempfile::tempdir().unwrap();
        let mut settings = Settings::default();
        for (key, value) in [("target", "reference:"), ("visits", "1500"), ("seed", "7")] {
            settings.set(key, value, key).unwrap();
        }
        let request = Request::new(settings).unwrap();
        let ending = run_in(store.path(), &request.plan, None, &mut Nobody).unwrap();
        assert_eq!(ending.verdict.status, Status::Clean, "{:?}", ending.verdict);
        let folder = Folder::open(&ending.folder).unwrap();
        assert_eq!(folder.verdict().unwrap().unwrap(), ending.verdict);
        assert!(ending.verdict.gristmill.starts_with(env!("CARGO_PKG_VERSION")));
    }
}
