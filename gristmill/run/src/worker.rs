//! The child process that does the work: a folder in, lines out. An embedded engine that aborts takes this process down and
//! nothing else.
//!
//! Invariants:
//! * W1 everything it needs is in the folder and the environment; passwords only in the latter.
//! * W2 it does not outlive its supervisor: the kernel kills it when the supervisor ends.
//! * W3 a panic leaves a marker in the folder, an error a last line; a verdict, or neither, is a crash.

mod line;

pub(crate) use line::Line;

use crate::RunError;
use crate::known::Known;
use crate::life::{Circumstances, environment, live, read_plan};
use crate::parallel::Recorded;
use crate::replay::Schedule;
use history::artefact::Folder;
use history::{Progress, Watcher};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The environment variable that holds the supervisor's process id.
pub(crate) const SUPERVISOR: &str = "GRISTMILL_SUPERVISOR";
/// The copy of `--known FILE` in the folder.
pub(crate) const KNOWN: &str = "known.toml";
/// The exit code of a worker that has said why on its last line.
pub(crate) const FAILED: u8 = 5;

/// What the hidden command `worker` is given.
#[derive(Debug, Clone)]
pub struct Orders {
    /// The folder, which holds a plan.
    pub folder: PathBuf,
    /// The folder of the run whose recorded overlaps are to be followed.
    pub schedule_of: Option<PathBuf>,
}

/// Runs what the folder says. The verdict is in the folder when this returns success.
pub fn main(orders: &Orders) -> ExitCode {
    if die_with_supervisor().is_err() {
        return ExitCode::from(FAILED);
    }
    leave_a_marker(&orders.folder);
    match work(orders) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let code = error.exit_code();
            say(&Line::Failed {
                code,
                message: error.to_string(),
                remedy: error.remedy(),
            });
            ExitCode::from(FAILED)
        }
    }
}

fn work(orders: &Orders) -> Result<(), RunError> {
    let folder = Folder::open(&orders.folder)?;
    let interrupt = Arc::new(AtomicBool::new(false));
    // Whoever signals the worker itself, or all processes of a container, means the same as the supervisor.
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&interrupt))
            .map_err(|e| RunError::io("cannot listen for signals", e))?;
    }
    say(&Line::Listening);
    let known = folder.path().join(KNOWN);
    let parallel = read_plan(&folder)?.parallel.is_some();
    let circumstances = Circumstances {
        environment: environment(None),
        interrupt,
        known: if known.exists() {
            Known::read(&known)?
        } else {
            Known::default()
        },
        schedule: match &orders.schedule_of {
            Some(path) if !parallel => Some(Arc::new(Schedule::read(&Folder::open(path)?)?)),
            _ => None,
        },
        recorded: match &orders.schedule_of {
            Some(path) if parallel => Some(Arc::new(Recorded::read(path)?)),
            _ => None,
        },
    };
    live(&folder, circumstances, &mut Lines).map(drop)
}

/// Whether somebody would start this process again.
pub(crate) fn is_supervised() -> bool {
    std::env::var_os(SUPERVISOR).is_some()
}

/// Asks to be killed with signal 9 and started again: how a plan kills an embedded engine. Does not return.
pub(crate) fn die() -> ! {
    say(&Line::KillMe);
    loop {
        std::thread::park();
    }
}

/// W2. The kernel's promise holds from the moment it is asked; a supervisor that ended before that is noticed here.
fn die_with_supervisor() -> nix::Result<()> {
    set_pdeathsig(Signal::SIGKILL)?;
    let expected = std::env::var(SUPERVISOR).ok().and_then(|v| v.parse::<i32>().ok());
    match expected {
        Some(pid) if nix::unistd::getppid().as_raw() != pid => Err(nix::errno::Errno::ESRCH),
        _ => Ok(()),
    }
}

/// W3. The panic's words go to the folder, and to standard error as always.
fn leave_a_marker(folder: &Path) {
    let path = folder.join("panic.txt");
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        // A marker that cannot be written leaves the words on standard error, which the supervisor keeps too.
        let _ = std::fs::write(&path, format!("{info}\n"));
        before(info);
    }));
}

/// A watcher whose eyes are in another process.
struct Lines;

impl Watcher for Lines {
    fn see(&mut self, progress: &Progress) {
        say(&Line::Progress(progress.clone()));
    }
}

/// A supervisor that does not listen any more is about to take us with it.
fn say(line: &Line) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(&line.write()).and_then(|()| out.flush());
}
