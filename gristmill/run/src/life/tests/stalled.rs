//! A server that stops answering: one process of it, a lock that somebody else holds, all of it.

use super::plan;
use super::postgres::{first_write, installed, local};
use crate::life::{Circumstances, environment, live, new_folder, open_target, targets_folder};
use history::artefact::Folder;
use history::log::{Reader, What};
use history::{Address, Kind, Progress, SessionId, Status, Verdict, Watcher};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use targets::{OpenOptions, Request, Session};

fn send(pid: i32, signal: Signal) {
    // A process that is gone needs none.
    let _ = kill(Pid::from_raw(pid), signal);
}

/// Stops the server process of session 1 when the load runs, and lets it go on when that was found.
#[derive(Default)]
struct Stopper {
    folder: PathBuf,
    stopped: Option<i32>,
}

impl Watcher for Stopper {
    fn see(&mut self, progress: &Progress) {
        match progress {
            Progress::Started { folder, .. } => self.folder = PathBuf::from(folder),
            Progress::Load { visits, .. } if *visits > 20 && self.stopped.is_none() => {
                let log = Reader::open(&Folder::open(&self.folder).unwrap().log()).unwrap();
                let first = log
                    .filter(|r| r.session == SessionId(1))
                    .find_map(|r| match r.what {
                        What::Connected { identity, .. } => Some(identity),
                        _ => None,
                    });
                // Others may have done twenty visits before it is connected: then at the next look.
                let Some(identity) = first else { return };
                let pid = identity.split(' ').next().unwrap().parse().unwrap();
                send(pid, Signal::SIGSTOP);
                self.stopped = Some(pid);
            }
            Progress::Found(_) => send(self.stopped.unwrap(), Signal::SIGCONT),
            _ => {}
        }
    }
}

#[test]
fn a_server_process_that_does_not_answer_is_a_hang_and_named() {
    if !installed() {
        return;
    }
    let store = tempfile::tempdir().unwrap();
    let plan = plan("postgres:local", "sessions=3 time=10m deadline=2s settle=4s");
    let mut stopper = Stopper::default();
    let verdict = crate::run(&plan, store.path(), None, &mut stopper)
        .unwrap()
        .verdict;
    assert_eq!(verdict.status, Status::Finding, "{:?}", verdict.doubts);
    let cause = &verdict.causes[0];
    assert_eq!(cause.finding.kind, Kind::Hang, "{cause:?}");
    // Its own session says so, or another one that waits for a lock inside the server which the stopped one holds.
    let process = format!("server process {} (", stopper.stopped.unwrap());
    let named = cause.seen.contains(&process) || cause.seen.contains("waits for LWLock");
    assert!(named, "{}", cause.seen);
}

/// Holds the row that a visit will write, until that was complained of.
struct Holder {
    session: Option<Box<dyn Session>>,
    visit: history::Visit,
}

impl Holder {
    fn ask(&mut self, request: &Request<'_>) {
        let at = Address {
            lts: self.visit.lts,
            attempt: 0,
            step: 0,
        };
        let session = self.session.as_mut().unwrap();
        session.execute(at, request, std::time::Duration::from_secs(10));
    }
}

impl Watcher for Holder {
    fn see(&mut self, progress: &Progress) {
        match progress {
            Progress::Started { .. } => {
                let visit = self.visit.clone();
                self.ask(&Request::Begin {
                    level: visit.level,
                    writes: true,
                });
                self.ask(&Request::Step(&visit.steps[0]));
            }
            Progress::Note(text) if text.contains("waited") => self.session = None,
            _ => {}
        }
    }
}

#[test]
fn a_lock_of_somebody_else_is_a_doubt_and_said_to_be_not_ours() {
    if !installed() {
        return;
    }
    let store = tempfile::tempdir().unwrap();
    let plan = local("sessions=3 visits=200 deadline=2s");
    let visit = first_write(&plan);
    let folder = new_folder(&plan, store.path()).unwrap();
    let files = targets_folder(&folder).unwrap();
    let target = open_target(&plan, &files, &environment(None), BTreeMap::new()).unwrap();
    // The server is started here; the tables are made by the run, before it says that it has begun.
    target.facts().unwrap();
    let schema = std::sync::Arc::new(plan.schema.clone());
    let session = Some(target.connect(SessionId(99), &schema).unwrap());
    let mut holder = Holder { session, visit };
    let verdict = live(&folder, Circumstances::default(), &mut holder).unwrap();
    assert_eq!(verdict.status, Status::Unknown, "{:#?}", verdict.causes);
    let said =
        |doubt: &&String| doubt.contains("waited 2 s for somebody else") && doubt.contains("(not ours: ");
    assert_eq!(
        verdict.doubts.iter().filter(said).count(),
        1,
        "{:?}",
        verdict.doubts
    );
}

/// Stops every process of a server when the load runs.
struct StopAll {
    postmaster: i32,
    stopped: Vec<i32>,
}

impl Watcher for StopAll {
    fn see(&mut self, progress: &Progress) {
        if matches!(progress, Progress::Load { visits, .. } if *visits > 20) && self.stopped.is_empty() {
            send(self.postmaster, Signal::SIGSTOP);
            self.stopped = children(self.postmaster);
            self.stopped.push(self.postmaster);
            for pid in &self.stopped {
                send(*pid, Signal::SIGSTOP);
            }
        }
    }
}

fn children(of: i32) -> Vec<i32> {
    let all = std::fs::read_dir("/proc").unwrap().map_while(Result::ok);
    all.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let parent: i32 = stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()?;
        (parent == of).then_some(pid)
    })
    .collect()
}

/// A run on a server whose processes are all stopped in the middle of it.
fn on_a_frozen_server(store: &Path) -> Verdict {
    let server = targets::open("postgres:local", &OpenOptions::new(store, "gmtest")).unwrap();
    server.facts().unwrap();
    let word = |name: &str| {
        let text = std::fs::read_to_string(store.join("postgres").join(name)).unwrap();
        text.lines().next().unwrap().trim().to_owned()
    };
    let url = format!(
        "postgres://gristmill@127.0.0.1:{}/postgres?sslmode=disable&connect_timeout=2",
        word("port")
    );
    let plan = plan(&url, "sessions=2 time=10m deadline=1s settle=2s");
    let mut watcher = StopAll {
        postmaster: word("data/postmaster.pid").parse().unwrap(),
        stopped: Vec::new(),
    };
    let ending = crate::run(&plan, store, Some(&word("password")), &mut watcher);
    for pid in &watcher.stopped {
        send(*pid, Signal::SIGCONT);
    }
    assert!(!watcher.stopped.is_empty());
    ending.unwrap().verdict
}

#[test]
fn a_server_that_stops_as_a_whole_is_a_hang_and_the_run_has_its_verdict() {
    if !installed() {
        return;
    }
    let store = tempfile::tempdir().unwrap();
    let verdict = on_a_frozen_server(store.path());
    assert_eq!(verdict.status, Status::Finding, "{:?}", verdict.doubts);
    let hang = verdict
        .causes
        .iter()
        .find(|c| c.finding.kind == Kind::Hang)
        .unwrap();
    assert!(
        hang.seen.contains("does not answer another connection either"),
        "{}",
        hang.seen
    );
    assert!(verdict.counts.answers > 0);
    let left = |doubt: &String| {
        doubt.starts_with("what was made is still there (") && doubt.contains("gristmill clean ")
    };
    assert!(verdict.doubts.iter().any(left), "{:?}", verdict.doubts);
}

/// Somebody ends the server for good in the middle of a run.
struct Ender(i32, Signal);

impl Watcher for Ender {
    fn see(&mut self, progress: &Progress) {
        if matches!(progress, Progress::Load { visits, .. } if *visits > 20) {
            send(self.0, self.1);
        }
    }
}

#[test]
fn a_server_that_goes_away_is_a_crash_and_not_a_hang() {
    ended_by(Signal::SIGQUIT);
}

#[test]
fn a_server_that_a_stranger_kills_with_signal_9_has_crashed() {
    ended_by(Signal::SIGKILL);
}

fn ended_by(signal: Signal) {
    if !installed() {
        return;
    }
    let store = tempfile::tempdir().unwrap();
    let server = targets::open("postgres:local", &OpenOptions::new(store.path(), "gmtest")).unwrap();
    server.facts().unwrap();
    let word = |name: &str| {
        let text = std::fs::read_to_string(store.path().join("postgres").join(name)).unwrap();
        text.lines().next().unwrap().trim().to_owned()
    };
    let url = format!(
        "postgres://gristmill@127.0.0.1:{}/postgres?sslmode=disable",
        word("port")
    );
    let plan = plan(&url, "sessions=2 time=10m settle=2s");
    let mut ender = Ender(word("data/postmaster.pid").parse().unwrap(), signal);
    let verdict = crate::run(&plan, store.path(), Some(&word("password")), &mut ender)
        .unwrap()
        .verdict;
    assert_eq!(verdict.status, Status::Finding, "{:?}", verdict.doubts);
    assert!(
        verdict.causes.iter().all(|c| c.finding.kind == Kind::Crash),
        "{:#?}",
        verdict.causes
    );
}
