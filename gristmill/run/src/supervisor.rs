//! The small process in front: makes the folder, starts the worker, passes on what it says, and turns its death into a
//! verdict (F37).
//!
//! ```text
//!  terminal ── Ctrl-C ──▶ supervisor ── SIGINT, SIGKILL ──▶ worker ──▶ target, :local server
//!              screen ◀── watcher ◀───── lines of JSON ─────┘
//! ```
//!
//! Invariants:
//! * V1 the worker has a process group of its own: what a terminal sends to us does not reach it by itself.
//! * V2 a worker that ended without a verdict and without a reason of ours is a crash where the engine lived in it, and our
//!   own fault where it did not.
//! * V3 however it ends, the folder has a verdict or the words of what went wrong.
//! * V4 signals of one moment are one interrupt, and a worker is told of it when it listens, not before.

mod death;
mod interrupts;

use crate::RunError;
use crate::life::{Ending, new_folder, new_folder_aside, read_plan};
use crate::plan::Plan;
use crate::worker::{KNOWN, Line, SUPERVISOR};
use crossbeam_channel::{Receiver, never, select, unbounded};
use death::Death;
use history::artefact::Folder;
use history::log::Reader;
use history::{Progress, Watcher};
pub use interrupts::interrupts;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

/// How a supervised run ended.
#[derive(Debug)]
pub enum Ended {
    /// With a verdict.
    Verdict(Box<Ending>),
    /// The second interrupt: the worker was killed, the folder can be gone on with.
    Killed {
        /// The folder.
        folder: PathBuf,
    },
    /// Without a verdict.
    Failed(Failure),
}

/// Why a run has no verdict, and the exit code that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// 3 usage, 4 target, 5 our own fault.
    pub code: u8,
    /// What, and where.
    pub message: String,
    /// The remedy, or "".
    pub remedy: String,
    /// The folder, where one was made.
    pub folder: PathBuf,
}

/// What a supervisor needs besides the plan.
#[derive(Debug)]
pub struct Supervision<'a> {
    /// The store of runs.
    pub store: &'a Path,
    /// The program whose hidden command `worker` is the worker: usually [`std::env::current_exe`].
    pub program: &'a Path,
    /// Given to the worker in its environment, never in a file.
    pub password: Option<&'a str>,
    /// The list of known findings.
    pub known: Option<&'a Path>,
    /// The folder of the run whose recorded overlaps are to be followed.
    pub schedule_of: Option<&'a Path>,
    /// One message an interrupt; see [`interrupts`].
    pub interrupts: Receiver<()>,
}

/// No interrupts: for callers that have their own way to end.
pub fn no_interrupts() -> Receiver<()> {
    never()
}

/// Makes the folder of a new run and supervises its worker.
///
/// Must be called from a thread that lives until it returns (the worker dies with the thread that started it).
/// Errors are those of making the folder and starting the worker; everything later is an [`Ended`].
pub fn supervise(plan: &Plan, with: &Supervision<'_>, watcher: &mut dyn Watcher) -> Result<Ended, RunError> {
    let folder = match with.schedule_of {
        None => new_folder(plan, with.store)?,
        Some(_) => new_folder_aside(plan, with.store)?,
    };
    go_on(&folder, plan, with, watcher)
}

/// Goes on with a run that was killed, or whose worker was, before the load had ended.
///
/// Must be called from a thread that lives until it returns. Errors: another process is at it; its load has ended; those of
/// starting the worker.
pub fn resume(folder: &Folder, with: &Supervision<'_>, watcher: &mut dyn Watcher) -> Result<Ended, RunError> {
    let plan = read_plan(folder)?;
    if plan.parallel.is_some() {
        // What its sessions had open went with them.
        return Err(RunError::NothingToResume { run: folder.name() });
    }
    let folder = Folder::open(folder.path())?.locked()?;
    if folder.log().exists() {
        let mut log = Reader::open(&folder.log())?;
        log.by_ref().for_each(drop);
        if log.ending() == Some(&history::log::Ending::Closed) {
            return Err(RunError::NothingToResume { run: folder.name() });
        }
    }
    go_on(&folder, &plan, with, watcher)
}

/// Supervises a worker in a folder that is there: a new run's, or one that was interrupted. The folder is locked by us.
pub fn go_on(
    folder: &Folder,
    plan: &Plan,
    with: &Supervision<'_>,
    watcher: &mut dyn Watcher,
) -> Result<Ended, RunError> {
    if let Some(known) = with.known {
        crate::known::Known::read(known)?;
        let text = std::fs::read(known).map_err(|e| RunError::io(known.display().to_string(), e))?;
        folder.write(KNOWN, &text)?;
    }
    let mut interrupts: u32 = 0;
    loop {
        let mut life = Life::start(folder, with)?;
        let end = life.watch(with, watcher, &mut interrupts);
        let errors = life.errors();
        let status = life
            .child
            .wait()
            .map_err(|e| RunError::io("cannot wait for the worker", e))?;
        let death = match end {
            End::KillMe if interrupts <= 1 => continue,
            End::KillMe | End::Interrupted => {
                return Ok(Ended::Killed {
                    folder: folder.path().to_owned(),
                });
            }
            End::Failed {
                code,
                message,
                remedy,
            } => {
                let folder = folder.path().to_owned();
                return Ok(Ended::Failed(Failure {
                    code,
                    message,
                    remedy,
                    folder,
                }));
            }
            End::Silent => Death { status, errors },
        };
        if let (true, Some(verdict)) = (death.status.success(), folder.verdict()?) {
            return Ok(Ended::Verdict(Box::new(Ending {
                verdict,
                folder: folder.path().to_owned(),
            })));
        }
        let ended = death.ended(folder, plan)?;
        if let Ended::Verdict(ending) = &ended {
            for cause in ending.verdict.causes.iter().filter(|c| !c.known) {
                watcher.see(&Progress::Found(Box::new(cause.clone())));
            }
        }
        return Ok(ended);
    }
}

/// How a worker's output ended.
enum End {
    KillMe,
    Interrupted,
    Failed {
        code: u8,
        message: String,
        remedy: String,
    },
    Silent,
}

/// One life of a worker.
struct Life {
    child: Child,
    lines: Receiver<Line>,
    errors: Option<thread::JoinHandle<String>>,
}

impl Life {
    fn start(folder: &Folder, with: &Supervision<'_>) -> Result<Life, RunError> {
        let mut command = Command::new(with.program);
        command.arg("worker").arg(folder.path());
        if let Some(path) = with.schedule_of {
            command.arg("--schedule-of").arg(path);
        }
        if let Some(password) = with.password {
            command.env("PGPASSWORD", password);
        }
        command
            .env(SUPERVISOR, std::process::id().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut child = command
            .spawn()
            .map_err(|e| RunError::io(with.program.display().to_string(), e))?;
        let out = child.stdout.take().expect("standard output is piped");
        let err = child.stderr.take().expect("standard error is piped");
        let (send, lines) = unbounded();
        let reader = thread::Builder::new()
            .name("worker-lines".to_owned())
            .spawn(move || {
                for line in BufReader::new(out).lines().map_while(Result::ok) {
                    // A line that is not ours was printed by an engine; it must not end the run.
                    let Some(line) = Line::read(&line) else { continue };
                    if send.send(line).is_err() {
                        return;
                    }
                }
            });
        let errors = thread::Builder::new()
            .name("worker-errors".to_owned())
            .spawn(move || last_words(err));
        let (Ok(_), Ok(errors)) = (reader, errors) else {
            let _ = child.kill();
            return Err(RunError::Worker(
                "could not be listened to: no thread to be had".to_owned(),
            ));
        };
        Ok(Life {
            child,
            lines,
            errors: Some(errors),
        })
    }

    /// Passes on what the worker says until it says nothing more.
    fn watch(&mut self, with: &Supervision<'_>, watcher: &mut dyn Watcher, interrupts: &mut u32) -> End {
        let pid = Pid::from_raw(
            i32::try_from(self.child.id()).expect("process ids are positive numbers of 31 bits"),
        );
        let mut end = End::Silent;
        let mut listens = false;
        loop {
            select! {
                recv(self.lines) -> line => match line {
                    Ok(Line::Listening) => {
                        listens = true;
                        if *interrupts > 0 {
                            let _ = kill(pid, Signal::SIGINT);
                        }
                    }
                    Ok(Line::Progress(progress)) => watcher.see(&progress),
                    Ok(Line::KillMe) => {
                        // It waits for this; an error means that it is gone already.
                        let _ = kill(pid, Signal::SIGKILL);
                        end = End::KillMe;
                    }
                    Ok(Line::Failed { code, message, remedy }) => end = End::Failed { code, message, remedy },
                    Err(_) => return end,
                },
                recv(with.interrupts) -> message => {
                    if message.is_err() {
                        continue;
                    }
                    *interrupts += 1;
                    if *interrupts == 1 {
                        // Before it listens the signal would end it like a crash.
                        if listens {
                            let _ = kill(pid, Signal::SIGINT);
                        }
                    } else {
                        let _ = kill(pid, Signal::SIGKILL);
                        end = End::Interrupted;
                    }
                }
            }
        }
    }

    fn errors(&mut self) -> String {
        self.errors
            .take()
            .and_then(|handle| handle.join().ok())
            .unwrap_or_default()
    }
}

/// The end of what a worker wrote to standard error, at most 16 KiB.
fn last_words(mut from: impl Read) -> String {
    const KEPT: usize = 16 * 1024;
    let mut kept: Vec<u8> = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(n) = from.read(&mut buffer) {
        if n == 0 {
            break;
        }
        kept.extend_from_slice(&buffer[..n]);
        if kept.len() > 2 * KEPT {
            kept.drain(..kept.len() - KEPT);
        }
    }
    String::from_utf8_lossy(&kept[kept.len().saturating_sub(KEPT)..]).into_owned()
}
