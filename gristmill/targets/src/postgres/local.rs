//! A throw-away server from the binaries on this machine: in the folder of the run, on loopback, with a password that
//! nobody else knows, as an unprivileged user when we are root.
//!
//! ```text
//!   FOLDER/postgres/   data/  log  initdb.log  password  port
//! ```
//!
//! Started by its first use; found running by a second target of the same folder in this process; started again from its
//! files after our own crash. Ends with the last target, or by the system when this process dies.
//!
//! Invariants:
//! * P1 the port never changes in the life of a folder;
//! * P2 durability settings are the server's defaults unless the URL says otherwise: they are being judged.

use super::config::Config;
use super::wire::Wire;
use crate::Unusable;
use crate::process;
use crate::target::OpenOptions;
use crate::throwaway::{self, PAUSE, PAUSES_MAX, last_lines, stop, wait_until};
use nix::sys::signal::Signal;
use nix::unistd::{User, geteuid};
use parking_lot::Mutex;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;

/// One folder's server.
pub(super) struct Local {
    url: String,
    folder: PathBuf,
    bin: Option<PathBuf>,
    settings: Vec<String>,
    environment: crate::target::Environment,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    child: Option<Child>,
    config: Option<Arc<Config>>,
    /// Killed on purpose: not to be started by anything but a restart.
    down: bool,
}

static LOCALS: throwaway::Shared<Local> = throwaway::Shared::new();

impl Local {
    /// The server of the folder; starts nothing. Errors: parameters.
    pub(super) fn of(url: &str, options: &OpenOptions) -> Result<Arc<Self>, Unusable> {
        let (bin, settings) = throwaway::parameters(url, options, "initdb and postgres")?;
        let folder = throwaway::folder(options, "postgres");
        let new = || Self {
            url: url.to_owned(),
            folder: folder.clone(),
            bin,
            settings,
            environment: Arc::clone(&options.environment),
            state: Mutex::default(),
        };
        Ok(LOCALS.find(|local| local.folder == folder, new))
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn is_running(&self) -> bool {
        self.state.lock().child.is_some()
    }

    /// Where it listens; starts it the first time.
    pub(super) fn config(&self) -> Result<Arc<Config>, Unusable> {
        let mut state = self.state.lock();
        if let Some(config) = &state.config
            && (state.child.is_some() || state.down)
        {
            return Ok(Arc::clone(config));
        }
        self.start(&mut state)
    }

    /// Ends every process of it at once.
    pub(super) fn kill9(&self) -> Result<(), Unusable> {
        let mut state = self.state.lock();
        state.down = true;
        let Some(mut child) = state.child.take() else {
            return Ok(());
        };
        // Stopped, it starts no more of them while they are counted.
        process::signal(child.id(), Signal::SIGSTOP);
        let children = process::children(child.id());
        for pid in children.iter().chain([&child.id()]) {
            process::signal(*pid, Signal::SIGKILL);
        }
        let ended = child
            .wait()
            .map(drop)
            .map_err(|e| self.broken("it cannot be waited for", &e));
        wait_until(|| !children.iter().any(|pid| process::is_alive(*pid)));
        ended
    }

    /// Starts it from its files, and waits until it answers.
    pub(super) fn restart(&self) -> Result<(), Unusable> {
        let mut state = self.state.lock();
        if let Some(mut child) = state.child.take() {
            stop(&mut child, Signal::SIGINT);
        }
        self.start(&mut state).map(drop)
    }

    fn broken(&self, what: &str, error: &io::Error) -> Unusable {
        Unusable::server(self.url.clone(), format!("{what}: {error}"), "")
    }

    fn start(&self, state: &mut State) -> Result<Arc<Config>, Unusable> {
        let bin = self.binaries()?;
        let owner =
            owner().map_err(|what| Unusable::server(self.url.clone(), what, "create a user `postgres`"))?;
        let home = self.home(owner.as_ref())?;
        let data = home.join("data");
        let password = throwaway::password(&home).map_err(|e| self.broken("no password can be made", &e))?;
        if !data.join("PG_VERSION").exists() {
            self.init(&bin, &home, owner.as_ref(), &password)?;
        }
        await_end_of_old(&data);
        let port = throwaway::port(&home).map_err(|e| self.broken("no port is free", &e))?;
        let mut command = self.command(&bin.join("postgres"), &home, owner.as_ref(), "log")?;
        command.arg("-D").arg(&data);
        for setting in [
            format!("port={port}"),
            "listen_addresses=127.0.0.1".into(),
            "unix_socket_directories=".into(),
        ]
        .iter()
        .chain(&self.settings)
        {
            command.arg("-c").arg(setting);
        }
        let child = process::spawn(command, Signal::SIGQUIT)
            .map_err(|e| self.broken("postgres cannot be started", &e))?;
        state.child = Some(child);
        let url = format!("postgres://gristmill:{password}@127.0.0.1:{port}/postgres?sslmode=disable");
        let mut config = Config::parse(&url, &self.environment)?;
        config.shown.clone_from(&self.url);
        let config = Arc::new(config);
        self.await_answer(state, &config, &home)?;
        state.config = Some(Arc::clone(&config));
        state.down = false;
        Ok(config)
    }

    /// Until it answers, ends, or a minute is over.
    fn await_answer(&self, state: &mut State, config: &Config, home: &Path) -> Result<(), Unusable> {
        let child = state.child.as_mut().expect("just started");
        for _ in 0..PAUSES_MAX {
            if Wire::connect(config, None, &[]).is_ok() {
                return Ok(());
            }
            if let Ok(Some(status)) = child.try_wait() {
                state.child = None;
                let what = format!(
                    "postgres ended at once ({status}): {}",
                    last_lines(&home.join("log"))
                );
                return Err(Unusable::server(
                    self.url.clone(),
                    what,
                    format!("see {}", home.join("log").display()),
                ));
            }
            process::pause(PAUSE);
        }
        let remedy = format!("see {}", home.join("log").display());
        Err(Unusable::server(
            self.url.clone(),
            "postgres did not answer for a minute",
            remedy,
        ))
    }

    /// `initdb`, with a superuser that has a password.
    fn init(&self, bin: &Path, home: &Path, owner: Option<&User>, password: &str) -> Result<(), Unusable> {
        let secret = home.join("initdb.password");
        let write = || -> io::Result<()> {
            fs::write(&secret, password)?;
            fs::set_permissions(&secret, fs::Permissions::from_mode(0o600))?;
            give(&secret, owner)
        };
        write().map_err(|e| self.broken("the password cannot be handed over", &e))?;
        let mut command = self.command(&bin.join("initdb"), home, owner, "initdb.log")?;
        command
            .arg("-D")
            .arg(home.join("data"))
            .arg("--pwfile")
            .arg(&secret);
        command.args([
            "-U",
            "gristmill",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]);
        let status = process::spawn(command, Signal::SIGKILL).and_then(|mut child| child.wait());
        let removed = fs::remove_file(&secret);
        match status.and_then(|status| removed.map(|()| status)) {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => {
                let what = format!(
                    "initdb failed ({status}): {}",
                    last_lines(&home.join("initdb.log"))
                );
                Err(Unusable::server(
                    self.url.clone(),
                    what,
                    format!("see {}", home.join("initdb.log").display()),
                ))
            }
            Err(e) => Err(self.broken("initdb cannot be started", &e)),
        }
    }

    /// A command of the server's user, in the server's folder, writing into a log there.
    fn command(
        &self,
        program: &Path,
        home: &Path,
        owner: Option<&User>,
        log: &str,
    ) -> Result<Command, Unusable> {
        let mut command = throwaway::command(program, home, log)
            .map_err(|e| self.broken(&home.join(log).display().to_string(), &e))?;
        if let Some(user) = owner {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        Ok(command)
    }

    /// The folder of the server: in the run's, or, where its user may not go there, a temporary one with a link to it.
    fn home(&self, owner: Option<&User>) -> Result<PathBuf, Unusable> {
        let make = |folder: &Path| -> io::Result<()> {
            fs::create_dir_all(folder)?;
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
            give(folder, owner)
        };
        if let Ok(link) = fs::read_link(&self.folder)
            && link.is_dir()
        {
            return Ok(link);
        }
        let parent = self.folder.parent().expect("the folder of the run").to_owned();
        let done = || -> io::Result<PathBuf> {
            fs::create_dir_all(&parent)?;
            if owner.is_none_or(|user| may_pass(&parent, user)) {
                make(&self.folder)?;
                return Ok(self.folder.clone());
            }
            let hash = xxhash_rust::xxh3::xxh3_64(self.folder.as_os_str().as_encoded_bytes());
            let other = std::env::temp_dir().join(format!("gristmill-postgres-{hash:016x}"));
            make(&other)?;
            std::os::unix::fs::symlink(&other, &self.folder)?;
            Ok(other)
        };
        done().map_err(|e| self.broken(&self.folder.display().to_string(), &e))
    }

    /// The folder of `initdb` and `postgres`: as said, as `pg_config` says, or the newest where Debian keeps them.
    fn binaries(&self) -> Result<PathBuf, Unusable> {
        let whole = |folder: &Path| folder.join("initdb").exists() && folder.join("postgres").exists();
        if let Some(bin) = &self.bin {
            if whole(bin) {
                return Ok(bin.clone());
            }
            let what = format!("there is no initdb and postgres in {}", bin.display());
            return Err(Unusable::usage(
                self.url.clone(),
                what,
                "name the folder of the server's binaries",
            ));
        }
        find_binaries().ok_or_else(|| {
            let remedy = "install the server (Debian: apt-get install postgresql), or say where it is: postgres:local?bin=DIR";
            Unusable::server(self.url.clone(), "no PostgreSQL server is installed here", remedy)
        })
    }
}

/// Where the server's binaries are on this machine, if they are.
pub(super) fn find_binaries() -> Option<PathBuf> {
    let whole = |folder: &PathBuf| folder.join("initdb").exists() && folder.join("postgres").exists();
    let told = Command::new("pg_config").arg("--bindir").output().ok();
    let told = told
        .and_then(|o| String::from_utf8(o.stdout).ok())
        .map(|text| PathBuf::from(text.trim()));
    if let Some(bin) = told.filter(whole) {
        return Some(bin);
    }
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|e| Some((e.file_name().to_str()?.parse().ok()?, e.path().join("bin"))))
        .filter(|(_, bin)| whole(bin))
        .collect();
    found.sort();
    found.pop().map(|(_, bin)| bin)
}

/// The user that the server runs as: nobody special, but not root, which it refuses. `None`: we ourselves.
pub(super) fn owner() -> Result<Option<User>, String> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let by_name = |name: &str| User::from_name(name).ok().flatten();
    match by_name("postgres").or_else(|| by_name("nobody")) {
        Some(user) => Ok(Some(user)),
        None => {
            Err("we are root, which PostgreSQL refuses, and there is no user `postgres` or `nobody`".into())
        }
    }
}

fn give(path: &Path, owner: Option<&User>) -> io::Result<()> {
    owner.map_or(Ok(()), |user| {
        std::os::unix::fs::chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
    })
}

/// Whether the user may go through every folder of a path.
fn may_pass(path: &Path, user: &User) -> bool {
    path.ancestors().all(|folder| {
        fs::metadata(folder).is_ok_and(|meta| {
            let mode = meta.mode();
            if meta.uid() == user.uid.as_raw() {
                mode & 0o100 != 0
            } else if meta.gid() == user.gid.as_raw() {
                mode & 0o010 != 0
            } else {
                mode & 0o001 != 0
            }
        })
    })
}

/// A server of an earlier life of ours got its signal when we died; it may need a moment, or another signal.
fn await_end_of_old(data: &Path) {
    let Ok(text) = fs::read_to_string(data.join("postmaster.pid")) else {
        return;
    };
    let Some(pid) = text.lines().next().and_then(|l| l.trim().parse::<u32>().ok()) else {
        return;
    };
    throwaway::end_old(pid, data, &[Signal::SIGQUIT, Signal::SIGKILL]);
}

impl Drop for Local {
    fn drop(&mut self) {
        if let Some(mut child) = self.state.lock().child.take() {
            stop(&mut child, Signal::SIGINT);
        }
        // A temporary folder leaves its log behind, and goes.
        if let Ok(elsewhere) = fs::read_link(&self.folder)
            && fs::remove_file(&self.folder).is_ok()
            && fs::create_dir_all(&self.folder).is_ok()
        {
            drop(fs::copy(elsewhere.join("log"), self.folder.join("log")));
            drop(fs::remove_dir_all(elsewhere));
        }
    }
}
