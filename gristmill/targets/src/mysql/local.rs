//! A throw-away server from the binaries on this machine: in the folder of the run, on loopback, with a password that nobody
//! else knows.
//!
//! ```text
//!   FOLDER/mariadb/   data/  tmp/  log  install.log  password  port  pid  init.sql
//! ```
//!
//! Started by its first use; found running by a second target of the same folder in this process; started again from its
//! files after our own crash. Ends with the last target, or by the system when this process dies.
//!
//! Invariants:
//! * P1 the port never changes in the life of a folder;
//! * P2 durability settings are the server's defaults unless the URL says otherwise: they are being judged;
//! * P3 there is no moment at which it can be entered without the password: users are made before it listens.

use super::client::Client;
use super::config::Config;
use crate::Unusable;
use crate::process;
use crate::target::OpenOptions;
use crate::throwaway::{self, PAUSE, PAUSES_MAX, last_lines, stop};
use nix::sys::signal::Signal;
use nix::unistd::geteuid;
use parking_lot::Mutex;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Child;
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

/// The two programs of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    server: PathBuf,
    install: PathBuf,
}

static LOCALS: throwaway::Shared<Local> = throwaway::Shared::new();

impl Local {
    /// The server of the folder; starts nothing. Errors: parameters.
    pub(super) fn of(url: &str, options: &OpenOptions) -> Result<Arc<Self>, Unusable> {
        let (bin, settings) = throwaway::parameters(url, options, "mariadbd and mariadb-install-db")?;
        let folder = throwaway::folder(options, "mariadb");
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

    /// The number of its process; 0 of one that does not run.
    pub(super) fn process(&self) -> u32 {
        self.state.lock().child.as_ref().map_or(0, Child::id)
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

    /// Ends it at once.
    pub(super) fn kill9(&self) -> Result<(), Unusable> {
        let mut state = self.state.lock();
        state.down = true;
        let Some(mut child) = state.child.take() else {
            return Ok(());
        };
        process::signal(child.id(), Signal::SIGKILL);
        let waited = child.wait().map(drop);
        waited.map_err(|e| self.broken("it cannot be waited for", &e))
    }

    /// Starts it from its files, and waits until it answers; one that runs is stopped in order before.
    pub(super) fn restart(&self) -> Result<(), Unusable> {
        let mut state = self.state.lock();
        if let Some(mut child) = state.child.take() {
            stop(&mut child, Signal::SIGTERM);
        }
        self.start(&mut state).map(drop)
    }

    fn broken(&self, what: &str, error: &io::Error) -> Unusable {
        Unusable::server(self.url.clone(), format!("{what}: {error}"), "")
    }

    fn start(&self, state: &mut State) -> Result<Arc<Config>, Unusable> {
        if self.folder.as_os_str().as_encoded_bytes().contains(&b':') {
            return Err(Unusable::usage(
                self.url.clone(),
                format!(
                    "MariaDB takes {} for a list of folders, because of the colon",
                    self.folder.display()
                ),
                "run in a folder without one",
            ));
        }
        let binaries = self.binaries()?;
        let home = &self.folder;
        let file = |e| self.broken(&home.display().to_string(), &e);
        fs::create_dir_all(home).map_err(file)?;
        fs::set_permissions(home, fs::Permissions::from_mode(0o700)).map_err(file)?;
        // Not the system's: two servers that make their tables at one time have met there.
        fs::create_dir_all(home.join("tmp")).map_err(file)?;
        let password = throwaway::password(home).map_err(|e| self.broken("no password can be made", &e))?;
        let port = throwaway::port(home).map_err(|e| self.broken("no port is free", &e))?;
        let data = home.join("data");
        if !data.join("installed").exists() {
            self.install(&binaries, &data)?;
        }
        let old = fs::read_to_string(home.join("pid")).ok();
        if let Some(pid) = old.and_then(|text| text.trim().parse().ok()) {
            throwaway::end_old(pid, home, &[Signal::SIGKILL]);
        }
        self.users(&password).map_err(file)?;
        let mut command = throwaway::command(&binaries.server, home, "log").map_err(file)?;
        command.arg("--no-defaults");
        if geteuid().is_root() {
            // It drops nothing by itself when it is told so: its files are ours alone.
            command.arg("--user=root");
        }
        command
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--tmpdir={}", home.join("tmp").display()))
            .arg(format!("--port={port}"))
            .arg(format!("--socket={}", home.join("socket").display()))
            .arg(format!("--pid-file={}", home.join("pid").display()))
            .arg(format!("--init-file={}", home.join("init.sql").display()))
            .args([
                "--bind-address=127.0.0.1",
                "--skip-name-resolve",
                "--skip-log-bin",
            ])
            .args(["--innodb-buffer-pool-size=128M", "--innodb-log-file-size=32M"])
            .args(self.settings.iter().map(|setting| format!("--{setting}")));
        let child = process::spawn(command, Signal::SIGKILL)
            .map_err(|e| self.broken("mariadbd cannot be started", &e))?;
        state.child = Some(child);
        let url = format!("mysql://gristmill:{password}@127.0.0.1:{port}/gristmill");
        let mut config = Config::parse(&url, &self.environment)?;
        config.shown.clone_from(&self.url);
        let config = Arc::new(config);
        self.await_answer(state, &config)?;
        state.config = Some(Arc::clone(&config));
        state.down = false;
        Ok(config)
    }

    /// What it does before it listens: one user with a password, one database, nobody else.
    fn users(&self, password: &str) -> io::Result<()> {
        let file = self.folder.join("init.sql");
        let text = format!(
            "CREATE DATABASE IF NOT EXISTS gristmill;\n\
             CREATE USER IF NOT EXISTS gristmill@'%' IDENTIFIED BY '{password}';\n\
             GRANT ALL ON *.* TO gristmill@'%' WITH GRANT OPTION;\n\
             DELETE FROM mysql.global_priv WHERE User <> 'gristmill' AND User <> 'mariadb.sys';\n\
             FLUSH PRIVILEGES;\n"
        );
        fs::write(&file, text)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600))
    }

    /// Until it answers, ends, or a minute is over.
    fn await_answer(&self, state: &mut State, config: &Config) -> Result<(), Unusable> {
        let child = state.child.as_mut().expect("just started");
        let log = self.folder.join("log");
        let see = format!("see {}", log.display());
        for _ in 0..PAUSES_MAX {
            if Client::connect(config, None).is_ok() {
                return Ok(());
            }
            if let Ok(Some(status)) = child.try_wait() {
                state.child = None;
                let what = format!("mariadbd ended at once ({status}): {}", last_lines(&log));
                return Err(Unusable::server(self.url.clone(), what, see));
            }
            process::pause(PAUSE);
        }
        let what = "mariadbd did not answer for a minute";
        Err(Unusable::server(self.url.clone(), what, see))
    }

    /// Makes the system tables. Cut off in the middle, it begins again.
    fn install(&self, binaries: &Binaries, data: &Path) -> Result<(), Unusable> {
        let file = |e| self.broken(&data.display().to_string(), &e);
        if data.exists() {
            fs::remove_dir_all(data).map_err(file)?;
        }
        let mut command = throwaway::command(&binaries.install, &self.folder, "install.log").map_err(file)?;
        command.arg("--no-defaults");
        if geteuid().is_root() {
            command.arg("--user=root");
        }
        command
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--tmpdir={}", self.folder.join("tmp").display()))
            .args([
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                "--skip-name-resolve",
            ]);
        let log = self.folder.join("install.log");
        let status = process::spawn(command, Signal::SIGKILL).and_then(|mut child| child.wait());
        match status {
            Ok(status) if status.success() => fs::write(data.join("installed"), "").map_err(file),
            Ok(status) => {
                let what = format!("mariadb-install-db failed ({status}): {}", last_lines(&log));
                Err(Unusable::server(
                    self.url.clone(),
                    what,
                    format!("see {}", log.display()),
                ))
            }
            Err(e) => Err(self.broken("mariadb-install-db cannot be started", &e)),
        }
    }

    /// The server's programs: as said, or where Debian keeps them.
    fn binaries(&self) -> Result<Binaries, Unusable> {
        if let Some(bin) = &self.bin {
            return binaries_in(std::slice::from_ref(bin)).ok_or_else(|| {
                let what = format!("there is no mariadbd and mariadb-install-db in {}", bin.display());
                Unusable::usage(self.url.clone(), what, "name the folder of the server's binaries")
            });
        }
        find_binaries().ok_or_else(|| {
            let remedy = "install the server (Debian: apt-get install mariadb-server), or say where it is: mysql:local?bin=DIR";
            Unusable::server(self.url.clone(), "no MariaDB server is installed here", remedy)
        })
    }
}

/// Where the server's programs are on this machine, if they are.
pub(super) fn find_binaries() -> Option<Binaries> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"].map(PathBuf::from));
    binaries_in(&folders)
}

fn binaries_in(folders: &[PathBuf]) -> Option<Binaries> {
    let find = |name: &str| {
        let mut all = folders.iter().map(|folder| folder.join(name));
        all.find(|program| program.is_file())
    };
    Some(Binaries {
        server: find("mariadbd")?,
        install: find("mariadb-install-db")?,
    })
}

impl Drop for Local {
    fn drop(&mut self) {
        if let Some(mut child) = self.state.lock().child.take() {
            // Nobody will look at its files again: it need not put them in order.
            stop(&mut child, Signal::SIGKILL);
        }
    }
}
