//! What throw-away servers have in common, whichever they are: files in the folder of the run, a port and a password that
//! never change in its life, an environment without anything of the person who tests, an end that leaves nothing behind.

use crate::Unusable;
use crate::process;
use crate::target::OpenOptions;
use crate::url::{decode, split_query};
use nix::sys::signal::Signal;
use parking_lot::Mutex;
use std::fs;
use std::io::{self, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Between two looks at a server that starts or stops.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);
/// Looks until it is given up: one minute.
pub(crate) const PAUSES_MAX: u32 = 3_000;

/// The servers of this process, so that two targets of one folder share one.
pub(crate) struct Shared<T>(Mutex<Vec<Weak<T>>>);

impl<T> Shared<T> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// The one that somebody holds already, or a new one.
    pub(crate) fn find(&self, is: impl Fn(&T) -> bool, new: impl FnOnce() -> T) -> Arc<T> {
        let mut all = self.0.lock();
        all.retain(|one| one.strong_count() > 0);
        if let Some(found) = all.iter().filter_map(Weak::upgrade).find(|one| is(one)) {
            return found;
        }
        let new = Arc::new(new());
        all.push(Arc::downgrade(&new));
        new
    }
}

/// The server's own folder in that of the run, whole.
pub(crate) fn folder(options: &OpenOptions, name: &str) -> PathBuf {
    std::path::absolute(&options.folder)
        .unwrap_or_else(|_| options.folder.clone())
        .join(name)
}

/// What the URL of a server of our own may say: where its programs are (`bin`), and its settings (`set=name=value`), beside
/// room for as many connections as sessions need. Errors: anything else, with `programs` as what `bin` is a folder of.
pub(crate) fn parameters(
    url: &str,
    options: &OpenOptions,
    programs: &str,
) -> Result<(Option<PathBuf>, Vec<String>), Unusable> {
    let bad = |what: String, remedy: &str| Unusable::usage(url, what, remedy);
    let mut bin = None;
    let mut settings = vec![format!("max_connections={}", u32::from(options.sessions) + 24)];
    for (key, value) in split_query(url.split_once('?').map_or("", |(_, query)| query)) {
        let value = decode(value).ok_or_else(|| bad(format!("`{value}` is not percent-encoded"), ""))?;
        match key {
            "bin" => bin = Some(PathBuf::from(value)),
            "set" if value.contains('=') => settings.push(value),
            "set" => return Err(bad(format!("set={value} sets nothing"), "write set=name=value")),
            other => {
                let remedy = format!("known are bin (a folder with {programs}) and set (name=value)");
                return Err(bad(format!("unknown parameter `{other}`"), &remedy));
            }
        }
    }
    Ok((bin, settings))
}

/// Below these ports are others' well-known ones.
const PORT_MIN: u16 = 10_240;
/// Ports that are tried before one is taken that the system gives.
const PORTS_TRIED: usize = 100;

/// Ports to try, at last 0 for whichever the system gives. They lie below those that it gives by itself to whoever connects or
/// listens: a server that is down between a kill and its next start finds its own free again.
pub(crate) fn ports() -> io::Result<impl Iterator<Item = u16>> {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let given: u16 = range
        .split_whitespace()
        .next()
        .and_then(|first| first.parse().ok())
        .unwrap_or(32_768);
    let mut drawn = [0; 2 * PORTS_TRIED];
    fs::File::open("/dev/urandom")?.read_exact(&mut drawn)?;
    let span = given.saturating_sub(PORT_MIN).max(1);
    let ours = (0..PORTS_TRIED)
        .filter(move |_| span > 1_000)
        .map(move |n| PORT_MIN + u16::from_le_bytes([drawn[2 * n], drawn[2 * n + 1]]) % span);
    Ok(ours.chain(std::iter::repeat_n(0, PORTS_TRIED)))
}

/// A free port of 127.0.0.1 the first time, the same one ever after.
pub(crate) fn port(home: &Path) -> io::Result<u16> {
    let file = home.join("port");
    let known = fs::read_to_string(&file).ok();
    if let Some(port) = known.and_then(|text| text.trim().parse().ok()) {
        return Ok(port);
    }
    let free = ports()?.find_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok());
    let free = free.ok_or_else(|| io::Error::other("no port is free"))?;
    let port = free.local_addr()?.port();
    fs::write(&file, port.to_string())?;
    Ok(port)
}

/// 32 random digits the first time, the same ever after; nobody else may read the file.
pub(crate) fn password(home: &Path) -> io::Result<String> {
    let file = home.join("password");
    if let Ok(password) = fs::read_to_string(&file) {
        return Ok(password);
    }
    let mut bytes = [0; 16];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let password: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    fs::write(&file, &password)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    Ok(password)
}

/// A command in a folder that writes into a log there. A language or settings of the person who tests must not leak into
/// the server.
pub(crate) fn command(program: &Path, home: &Path, log: &str) -> io::Result<Command> {
    let file = fs::File::options()
        .create(true)
        .append(true)
        .open(home.join(log))?;
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .current_dir(home)
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .process_group(0);
    Ok(command)
}

/// Whether something comes true within a minute.
pub(crate) fn wait_until(done: impl Fn() -> bool) -> bool {
    for _ in 0..PAUSES_MAX {
        if done() {
            return true;
        }
        process::pause(PAUSE);
    }
    false
}

/// Asks a server to end, and sees that it does.
pub(crate) fn stop(child: &mut Child, how: Signal) {
    process::signal(child.id(), how);
    for _ in 0..500 {
        if matches!(child.try_wait(), Ok(Some(_)) | Err(_)) {
            return;
        }
        process::pause(PAUSE);
    }
    // One of its processes does not hear it; none may be left.
    for pid in process::children(child.id()).iter().chain([&child.id()]) {
        process::signal(*pid, Signal::SIGKILL);
    }
    drop(child.wait());
}

/// Ends a server of an earlier life of ours that did not hear of our death, if this process is one: its command line names
/// the folder, for the number may be somebody else's by now.
pub(crate) fn end_old(pid: u32, folder: &Path, signals: &[Signal]) {
    let ours = || {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        process::is_alive(pid) && String::from_utf8_lossy(&line).contains(&folder.display().to_string())
    };
    for signal in signals {
        if !ours() {
            return;
        }
        process::signal(pid, *signal);
        for _ in 0..250 {
            if !ours() {
                return;
            }
            process::pause(PAUSE);
        }
    }
}

/// The last three lines of a log.
pub(crate) fn last_lines(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(3).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" / ")
}
