//! Our end of the process in which the engine lives.
//!
//! Invariants:
//! * a session that waits hears of the process's end at once;
//! * a process is never asked for more than one session's statement at a time by that session;
//! * it does not outlive us.

use super::lines::{Ask, Hello, Reply, State, Welcome, What};
use crate::process;
use nix::sys::signal::Signal;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child as Process, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// How long opening a database may take: its log is played back.
const GREETING: Duration = Duration::from_secs(60);
/// How long an orderly end may take.
const FAREWELL: Duration = Duration::from_secs(10);

/// Why there is no process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotBegun {
    Library(String),
    Database(String),
    Process(String),
}

type Waiting = Arc<Mutex<Option<BTreeMap<u64, Sender<Reply>>>>>;

pub(super) struct Child {
    process: Mutex<Process>,
    /// `None`: it was told to end.
    to: Mutex<Option<ChildStdin>>,
    /// Who waits for answers; `None`: the process has ended.
    waiting: Waiting,
    pub(super) version: String,
    /// Which life of the engine this is.
    pub(super) life: String,
}

impl Child {
    /// Starts the program, and has it open the database.
    pub(super) fn begin(mut program: Command, hello: &Hello, life: u64) -> Result<Self, NotBegun> {
        let broken = |e: std::io::Error| NotBegun::Process(e.to_string());
        program.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = process::spawn(program, Signal::SIGKILL).map_err(broken)?;
        let pid = child.id();
        let out = child.stdout.take().expect("it was asked to be piped");
        let mut to = child.stdin.take().expect("it was asked to be piped");
        let waiting: Waiting = Arc::new(Mutex::new(Some(BTreeMap::new())));
        let (greet, greeted) = channel();
        let listeners = Arc::clone(&waiting);
        std::thread::Builder::new()
            .name("duckdb".to_owned())
            .spawn(move || listen(BufReader::new(out), &greet, &listeners))
            .expect("a thread can be started");
        let mut line = serde_json::to_string(hello).expect("paths of ours are texts");
        line.push('\n');
        let welcome = to
            .write_all(line.as_bytes())
            .ok()
            .and_then(|()| greeted.recv_timeout(GREETING).ok());
        let end = |mut child: Process| {
            // The only errors are of a process that has ended.
            drop(child.kill());
            drop(child.wait());
        };
        match welcome {
            Some(Welcome::Version(version)) => Ok(Self {
                process: Mutex::new(child),
                to: Mutex::new(Some(to)),
                waiting,
                version,
                life: format!("process {pid}, life {life}"),
            }),
            Some(Welcome::Library(what)) => {
                end(child);
                Err(NotBegun::Library(what))
            }
            Some(Welcome::Database(what)) => {
                end(child);
                Err(NotBegun::Database(what))
            }
            None => {
                end(child);
                Err(NotBegun::Process(
                    "the process of the engine ended before it had opened the database".to_owned(),
                ))
            }
        }
    }

    /// The number of the process: tests end it.
    #[cfg(test)]
    pub(super) fn pid(&self) -> u32 {
        self.process.lock().id()
    }

    /// A place for a session's answers.
    pub(super) fn join(&self, session: u64) -> Receiver<Reply> {
        let (answers, inbox) = channel();
        if let Some(waiting) = self.waiting.lock().as_mut() {
            waiting.insert(session, answers);
        }
        inbox
    }

    /// Whether a session can still do something.
    pub(super) fn holds(&self, session: u64) -> bool {
        self.waiting
            .lock()
            .as_ref()
            .is_some_and(|waiting| waiting.contains_key(&session))
    }

    /// Whether the process is there.
    pub(super) fn lives(&self) -> bool {
        self.waiting.lock().is_some()
    }

    /// `Err`: it has ended.
    pub(super) fn tell(&self, session: u64, what: What) -> Result<(), ()> {
        let mut line = serde_json::to_string(&Ask { session, what }).expect("texts can be written");
        line.push('\n');
        let mut to = self.to.lock();
        to.as_mut().ok_or(())?.write_all(line.as_bytes()).map_err(|_| ())
    }

    /// Waits for an answer. `Err(true)`: the process has ended; `Err(false)`: not in time.
    pub(super) fn hear(&self, inbox: &Receiver<Reply>, deadline: Duration) -> Result<Reply, bool> {
        inbox
            .recv_timeout(deadline)
            .map_err(|e| e == RecvTimeoutError::Disconnected)
    }

    /// Ends it at once, and waits until it has ended.
    pub(super) fn kill(&self) {
        let mut process = self.process.lock();
        drop(process.kill());
        drop(process.wait());
        drop(self.to.lock().take());
        *self.waiting.lock() = None;
    }

    /// How it ended, if it has: waits a little for that.
    pub(super) fn end(&self) -> String {
        use std::os::unix::process::ExitStatusExt;
        let mut process = self.process.lock();
        for _ in 0..100 {
            if let Ok(Some(status)) = process.try_wait() {
                return match (status.signal(), status.code()) {
                    (Some(signal), _) => format!("by signal {signal}"),
                    (None, code) => format!("with exit code {}", code.unwrap_or(-1)),
                };
            }
            process::pause(Duration::from_millis(10));
        }
        "nobody knows how".to_owned()
    }
}

/// Ends in order: what is in memory goes into the file.
impl Drop for Child {
    fn drop(&mut self) {
        drop(self.to.lock().take());
        let (step, mut left) = (Duration::from_millis(5), FAREWELL);
        while !left.is_zero() {
            if !matches!(self.process.lock().try_wait(), Ok(None)) {
                return;
            }
            process::pause(step);
            left = left.saturating_sub(step);
        }
        self.kill();
    }
}

/// Passes answers to who waits for them, until the process closes its output. What is no line of ours is passed over: the
/// engine may print.
fn listen(out: impl BufRead, greet: &Sender<Welcome>, waiting: &Waiting) {
    let mut greeted = false;
    for line in out.lines() {
        let Ok(line) = line else { break };
        if !greeted {
            if let Ok(welcome) = serde_json::from_str(&line) {
                greeted = true;
                drop(greet.send(welcome));
            }
            continue;
        }
        let Ok(reply) = serde_json::from_str::<Reply>(&line) else {
            continue;
        };
        let mut waiting = waiting.lock();
        let Some(sessions) = waiting.as_mut() else { break };
        if reply.state == State::Closed {
            sessions.remove(&reply.session);
        } else if let Some(session) = sessions.get(&reply.session) {
            // A session that is gone wants no answer.
            drop(session.send(reply));
        }
    }
    *waiting.lock() = None;
}
