//! Child processes that must not outlive us: started from a thread that lives as long as this process, because the
//! system ties their death to the death of the thread that started them.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use parking_lot::Mutex;
use std::io;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

type Job = (Command, Sender<io::Result<Child>>);

/// Starts a process that gets `at_our_death` when this process dies, however it dies.
pub(crate) fn spawn(mut command: Command, at_our_death: Signal) -> io::Result<Child> {
    static SPAWNER: OnceLock<Mutex<Sender<Job>>> = OnceLock::new();
    tie(&mut command, at_our_death);
    let spawner = SPAWNER.get_or_init(|| {
        let (jobs, inbox) = channel::<Job>();
        std::thread::Builder::new()
            .name("spawner".into())
            .spawn(move || {
                while let Ok((mut command, answer)) = inbox.recv() {
                    // Whoever asked may have panicked meanwhile; then nobody wants the child.
                    if let Err(unwanted) = answer.send(command.spawn())
                        && let Ok(mut child) = unwanted.0
                    {
                        drop(child.kill());
                    }
                }
            })
            .expect("a thread can be started");
        Mutex::new(jobs)
    });
    let (answer, outcome) = channel();
    spawner
        .lock()
        .send((command, answer))
        .expect("the spawner lives as long as the process");
    outcome.recv().expect("the spawner answers")
}

#[cfg(target_os = "linux")]
fn tie(command: &mut Command, signal: Signal) {
    use std::os::unix::process::CommandExt;
    let us = nix::unistd::getpid();
    // After the user was changed, which would clear the setting; the hook runs last.
    #[expect(
        unsafe_code,
        reason = "the hook calls nothing but prctl, getppid and _exit-like return: signal-safe"
    )]
    unsafe {
        command.pre_exec(move || {
            nix::sys::prctl::set_pdeathsig(signal)?;
            // We may have died before the line above.
            if nix::unistd::getppid() != us {
                return Err(io::Error::from_raw_os_error(nix::libc::ESRCH));
            }
            Ok(())
        });
    }
}

#[cfg(not(target_os = "linux"))]
fn tie(_: &mut Command, _: Signal) {}

/// Waits a little; nothing wakes it but time.
pub(crate) fn pause(a_while: Duration) {
    std::thread::park_timeout(a_while);
}

/// Sends a signal; a process that is gone already is no error.
pub(crate) fn signal(pid: u32, signal: Signal) {
    // The only other error is a process that is not ours, and then it is not the one we started.
    let _ = kill(pid_of(pid), signal);
}

pub(crate) fn is_alive(pid: u32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    match state {
        // The state stands behind the name, which may hold anything but is in brackets.
        Ok(text) => text
            .rsplit(')')
            .next()
            .is_some_and(|rest| !rest.trim_start().starts_with('Z')),
        Err(_) => cfg!(not(target_os = "linux")) && kill(pid_of(pid), None).is_ok(),
    }
}

/// The processes whose parent this one is.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    let Ok(all) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = all
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // pid (name) state parent …
        let parent_of = stat
            .rsplit(')')
            .next()
            .and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok());
        parent_of == Some(parent)
    })
    .collect()
}

/// The memory that a process holds, in KiB; `None` where the system does not say.
#[cfg(feature = "cassandra")]
pub(crate) fn resident_kib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Seconds since a process began, to a hundredth; `None` where the system does not say.
#[cfg(feature = "cassandra")]
pub(crate) fn age(pid: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Field 22, the third being the first behind the name; hundredths on every Linux.
    let began: f64 = stat
        .rsplit(')')
        .next()?
        .split_whitespace()
        .nth(19)?
        .parse()
        .ok()?;
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    let now: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    Some(now - began / 100.0)
}

fn pid_of(pid: u32) -> Pid {
    Pid::from_raw(i32::try_from(pid).expect("a process id"))
}
