//! The folder of a run: the one place that knows its file names, and how files come there whole.
//!
//! ```text
//! .gristmill/                   a store of runs
//! ├─ latest -> 7b3f0c           the run that began last, replays aside
//! └─ 7b3f0c/
//!    ├─ format                  what this folder is, and the version of its format; locked while the run lives
//!    ├─ plan.toml               every option and draw, written before the first action
//!    ├─ log/                    who did what when               (`crate::log`)
//!    ├─ tracker                 what became of each visit       (`crate::tracker`)
//!    ├─ evidence/               ring of answers not yet judged
//!    ├─ registry                what must be cleaned up on the target
//!    ├─ verdict.json            what the run ends with
//!    ├─ junit.xml
//!    ├─ findings/1-missing-row/ finding.json, finding.txt, session1.sql …
//!    ├─ panic.txt               last words of a worker that panicked
//!    └─ target/                 data and logs of a `:local` server, SQLite's file
//! ```
//! `docs/formats/artefact.md` says what each holds.
//!
//! Invariants:
//! * R1 a file that is replaced is replaced as a whole: written beside, synced, renamed ([`Folder::write`]).
//! * R2 a folder that lives (its `format` is locked) is never removed, nor one that names what is left on a database, nor one
//!   whose verdict is a finding unless asked.
//! * R3 a folder of a newer format is refused, never guessed at.

#[cfg(test)]
mod tests;

use crate::{Status, Verdict};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Version of the folder's format that this code writes, and the newest that it reads.
pub const VERSION: u32 = 1;
/// The store that is used when none is named.
pub const STORE: &str = ".gristmill";
/// How many runs without a finding a store keeps.
pub const KEEP: usize = 20;

const LATEST: &str = "latest";
const FORMAT: &str = "format";
const REGISTRY: &str = "registry";
const TITLE: &str = "gristmill run, format ";

/// Why a folder cannot be made, opened or written. The messages end with the remedy.
#[derive(Debug, thiserror::Error)]
pub enum ArtefactError {
    /// No such folder.
    #[error("there is no run {name} in {}{}", store.display(), known(.near))]
    NoSuchRun {
        /// As asked for.
        name: String,
        /// Where it was looked for.
        store: PathBuf,
        /// Runs that are there, the latest first, at most five.
        near: Vec<String>,
    },
    /// Something else lies there.
    #[error("{} is not the folder of a run: it has no file `{FORMAT}` of ours", path.display())]
    NotARun {
        /// What was opened.
        path: PathBuf,
    },
    /// Written by a newer gristmill.
    #[error("{} was written by a newer gristmill (folder format {found}, this one reads up to {VERSION}): use that one", path.display())]
    Newer {
        /// The folder.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// Another process works in it.
    #[error("{} is in use by another gristmill", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// A file of it is not what it should be.
    #[error("{}: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Anything the file system says.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

fn known(near: &[String]) -> String {
    if near.is_empty() {
        String::new()
    } else {
        format!(" (there are {})", near.join(", "))
    }
}

/// Whether everything that a run makes on a target lies in the run's own folder, or in memory.
pub fn lives_in_folder(url: &str) -> bool {
    let (scheme, rest) = url.split_once(':').unwrap_or((url, ""));
    match scheme {
        "reference" => true,
        "sqlite" => rest.is_empty() || rest == ":memory:",
        "duckdb" => rest.is_empty() || rest.starts_with('?'),
        _ => rest == "local" || rest.starts_with("local?"),
    }
}

/// A folder that holds runs.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

/// The folder of one run.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Held for as long as the run lives; `None` for those who only read.
    lock: Option<File>,
}

/// What a store says of one run, for lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its verdict's status; `None`: it did not end.
    pub status: Option<Status>,
    /// A process works in it.
    pub alive: bool,
}

impl Store {
    /// The store at `root`, which need not exist.
    pub fn new(root: &Path) -> Store {
        Store {
            root: root.to_owned(),
        }
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Makes and locks the folder of a new run: `id`, or `id-2`, `id-3`, … where that is taken; points `latest` at it.
    pub fn create(&self, id: &str) -> Result<Folder, ArtefactError> {
        let folder = self.create_aside(id)?;
        self.point_latest(&folder.name())?;
        Ok(folder)
    }

    /// The same for a run that was made from another one: `latest` stays at what the person ran last, so that
    /// `replay latest` twice replays the same run twice.
    pub fn create_aside(&self, id: &str) -> Result<Folder, ArtefactError> {
        fs::create_dir_all(&self.root).map_err(|e| ArtefactError::io(&self.root, e))?;
        let mut n = 1u64;
        let path = loop {
            let name = if n == 1 {
                id.to_owned()
            } else {
                format!("{id}-{n}")
            };
            let path = self.root.join(name);
            match fs::create_dir(&path) {
                Ok(()) => break path,
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => n += 1,
                Err(e) => return Err(ArtefactError::io(&path, e)),
            }
        };
        Folder { lock: None, path }.begun()
    }

    /// Finds a run: by its name in this store, by `latest`, or by a path to its folder.
    pub fn find(&self, name: &str) -> Result<Folder, ArtefactError> {
        let here = self.root.join(name);
        if !name.is_empty() && here.is_dir() {
            let real = if name == LATEST {
                here.canonicalize().map_err(|e| ArtefactError::io(&here, e))?
            } else {
                here
            };
            return Folder::open(&real);
        }
        if Path::new(name).exists() {
            return Folder::open(Path::new(name));
        }
        let near = self.newest_first()?.into_iter().take(5).collect();
        Err(ArtefactError::NoSuchRun {
            name: name.to_owned(),
            store: self.root.clone(),
            near,
        })
    }

    /// Every run of the store, the latest first. Folders of newer formats are listed too.
    pub fn list(&self) -> Result<Vec<Listed>, ArtefactError> {
        let names = self.newest_first()?.into_iter();
        Ok(names
            .map(|name| {
                let folder = Folder {
                    path: self.root.join(&name),
                    lock: None,
                };
                Listed {
                    status: folder.status(),
                    alive: folder.is_alive(),
                    name,
                }
            })
            .collect())
    }

    /// Removes the oldest runs that ended without a finding, but for the `keep` latest ones. With `findings`, those with
    /// one are removed like the others. Runs that live stay, and those that left
    /// something on a database. Returns the names of those removed.
    ///
    /// Only folders that this store made are touched: others have no `format` of ours.
    pub fn prune(&self, keep: usize, findings: bool) -> Result<Vec<String>, ArtefactError> {
        let mut removed = Vec::new();
        let may_go = |listed: &Listed| !listed.alive && (findings || listed.status != Some(Status::Finding));
        for listed in self.list()?.into_iter().filter(may_go).skip(keep) {
            let path = self.root.join(&listed.name);
            // What it made is still on a database: without its registry nobody knows what that was.
            if self.owes(&listed.name) {
                continue;
            }
            // A run may be taken up again between the look and here: the lock decides.
            let Ok(folder) = (Folder {
                path: path.clone(),
                lock: None,
            })
            .locked() else {
                continue;
            };
            fs::remove_dir_all(&path).map_err(|e| ArtefactError::io(&path, e))?;
            drop(folder);
            removed.push(listed.name);
        }
        Ok(removed)
    }

    /// Whether a run's registry names what is to be removed outside of its folder.
    fn owes(&self, name: &str) -> bool {
        let registry = fs::read_to_string(self.root.join(name).join(REGISTRY)).unwrap_or_default();
        let mut targets = registry.lines().filter_map(|line| line.strip_prefix("target "));
        targets.any(|url| !lives_in_folder(url))
    }

    fn point_latest(&self, name: &str) -> Result<(), ArtefactError> {
        let (link, beside) = (self.root.join(LATEST), self.root.join(format!(".latest-{name}")));
        let swap = || {
            std::os::unix::fs::symlink(name, &beside)?;
            fs::rename(&beside, &link)
        };
        swap().map_err(|e| ArtefactError::io(&link, e))
    }

    /// Names of the folders with a `format` of ours, by the time at which that was written.
    fn newest_first(&self) -> Result<Vec<String>, ArtefactError> {
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(ArtefactError::io(&self.root, e)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|e| ArtefactError::io(&self.root, e))?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let format = entry.path().join(FORMAT);
            if name == LATEST || !fs::read_to_string(&format).is_ok_and(|text| text.starts_with(TITLE)) {
                continue;
            }
            let made = fs::metadata(&format)
                .and_then(|m| m.modified())
                .map_err(|e| ArtefactError::io(&format, e))?;
            found.push((made, name));
        }
        found.sort_unstable_by(|a, b| b.cmp(a));
        Ok(found.into_iter().map(|(_, name)| name).collect())
    }
}

impl Folder {
    /// Makes and locks the folder of a run at a path where nothing is yet; no store knows of it.
    pub fn create(path: &Path) -> Result<Folder, ArtefactError> {
        fs::create_dir_all(path).map_err(|e| ArtefactError::io(path, e))?;
        Folder {
            lock: None,
            path: path.to_owned(),
        }
        .begun()
    }

    /// Says what the folder is, and locks it.
    fn begun(self) -> Result<Folder, ArtefactError> {
        self.write(FORMAT, format!("{TITLE}{VERSION}\n").as_bytes())?;
        self.locked()
    }

    /// Opens the folder of a run to read it, or as the worker of the process that holds its lock.
    pub fn open(path: &Path) -> Result<Folder, ArtefactError> {
        let not = || ArtefactError::NotARun {
            path: path.to_owned(),
        };
        let text = match fs::read_to_string(path.join(FORMAT)) {
            Ok(text) => text,
            Err(e) if matches!(e.kind(), io::ErrorKind::PermissionDenied) => {
                return Err(ArtefactError::io(&path.join(FORMAT), e));
            }
            Err(_) => return Err(not()),
        };
        let version = text.strip_prefix(TITLE).map(str::trim_end).ok_or_else(not)?;
        let found: u32 = version.parse().map_err(|_| not())?;
        if found > VERSION {
            return Err(ArtefactError::Newer {
                path: path.to_owned(),
                found,
            });
        }
        Ok(Folder {
            path: path.to_owned(),
            lock: None,
        })
    }

    /// Locks the folder for as long as the value lives; the lock dies with the process.
    ///
    /// Errors: another process holds it.
    pub fn locked(self) -> Result<Folder, ArtefactError> {
        let format = self.path.join(FORMAT);
        let file = File::open(&format).map_err(|e| ArtefactError::io(&format, e))?;
        match file.try_lock() {
            Ok(()) => Ok(Folder {
                lock: Some(file),
                ..self
            }),
            Err(fs::TryLockError::WouldBlock) => Err(ArtefactError::InUse { path: self.path }),
            Err(fs::TryLockError::Error(e)) => Err(ArtefactError::io(&format, e)),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this value holds the folder's lock.
    pub fn is_locked(&self) -> bool {
        self.lock.is_some()
    }

    /// Its last component: the run's name in the store.
    pub fn name(&self) -> String {
        self.path
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    /// `plan.toml`
    pub fn plan(&self) -> PathBuf {
        self.path.join("plan.toml")
    }

    /// The folder of the log.
    pub fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// The tracker.
    pub fn tracker(&self) -> PathBuf {
        self.path.join("tracker")
    }

    /// The folder of the ring of answers (F10).
    pub fn evidence(&self) -> PathBuf {
        self.path.join("evidence")
    }

    /// What must be cleaned up on the target.
    pub fn registry(&self) -> PathBuf {
        self.path.join(REGISTRY)
    }

    /// `verdict.json`
    pub fn verdict_file(&self) -> PathBuf {
        self.path.join("verdict.json")
    }

    /// `junit.xml`
    pub fn junit(&self) -> PathBuf {
        self.path.join("junit.xml")
    }

    /// Words of a worker that panicked (F37).
    pub fn panic(&self) -> PathBuf {
        self.path.join("panic.txt")
    }

    /// The folder of findings.
    pub fn findings(&self) -> PathBuf {
        self.path.join("findings")
    }

    /// The folder of finding `n` (from 1), named after its shape; made if needed.
    pub fn finding(&self, n: usize, shape: &str) -> Result<PathBuf, ArtefactError> {
        let path = self.findings().join(format!("{n}-{}", shape.replace(' ', "-")));
        fs::create_dir_all(&path).map_err(|e| ArtefactError::io(&path, e))?;
        Ok(path)
    }

    /// Data and logs of a `:local` server, SQLite's file.
    pub fn target(&self) -> PathBuf {
        self.path.join("target")
    }

    /// Puts a file in its place as a whole: a reader, or whoever comes after a crash, finds the old bytes or the new ones.
    /// `name` may hold folders, which are made.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), ArtefactError> {
        write_whole(&self.path.join(name), bytes)
    }

    /// Writes `verdict.json`.
    pub fn write_verdict(&self, verdict: &Verdict) -> Result<(), ArtefactError> {
        let mut text = serde_json::to_string_pretty(verdict).expect("a verdict has no maps with odd keys");
        text.push('\n');
        write_whole(&self.verdict_file(), text.as_bytes())
    }

    /// Reads `verdict.json`; `None`: the run did not end.
    pub fn verdict(&self) -> Result<Option<Verdict>, ArtefactError> {
        let path = self.verdict_file();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(ArtefactError::io(&path, e)),
        };
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|e| ArtefactError::Damaged {
                path,
                what: e.to_string(),
            })
    }

    /// Whether a process holds its lock.
    pub fn is_alive(&self) -> bool {
        let Ok(file) = File::open(self.path.join(FORMAT)) else {
            return false;
        };
        match file.try_lock() {
            Ok(()) => false,
            Err(fs::TryLockError::WouldBlock) => true,
            Err(fs::TryLockError::Error(_)) => false,
        }
    }

    fn status(&self) -> Option<Status> {
        #[derive(serde::Deserialize)]
        struct Only {
            status: Status,
        }
        let text = fs::read_to_string(self.verdict_file()).ok()?;
        serde_json::from_str::<Only>(&text).ok().map(|only| only.status)
    }
}

/// Writes beside, syncs, renames, syncs the folder.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), ArtefactError> {
    let folder = path.parent().expect("a file lies in a folder");
    let name = path.file_name().expect("a file has a name").to_string_lossy();
    let beside = folder.join(format!(".{name}.new"));
    let swap = || {
        fs::create_dir_all(folder)?;
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        File::open(folder)?.sync_all()
    };
    swap().map_err(|e| ArtefactError::io(path, e))
}

impl ArtefactError {
    fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}
