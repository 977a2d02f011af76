//! What must be cleaned up on a target, written down and synced before it is made: after any death of ours, `clean` or the
//! next run knows what was ours.

use crate::RunError;
use history::artefact::Folder;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

/// The list of one run.
pub(crate) struct Registry {
    path: PathBuf,
}

impl Registry {
    pub(crate) fn open(folder: &Folder) -> Result<Registry, RunError> {
        Ok(Registry {
            path: folder.registry(),
        })
    }

    /// Writes down what is about to be made: target, prefix, then one object a line. Returns when it is on disk.
    pub(crate) fn note(&self, target: &str, prefix: &str, objects: &[String]) -> Result<(), RunError> {
        let error = |e| RunError::io(self.path.display().to_string(), e);
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path)
            .map_err(error)?;
        let mut text = format!("target {target}\nprefix {prefix}\n");
        for object in objects {
            let line = object.split_whitespace().collect::<Vec<_>>().join(" ");
            text.push_str(&format!("object {line}\n"));
        }
        file.write_all(text.as_bytes()).map_err(error)?;
        file.sync_all().map_err(error)?;
        let folder = self.path.parent().expect("a file in a folder");
        File::open(folder).and_then(|f| f.sync_all()).map_err(error)
    }

    /// Everything was removed.
    pub(crate) fn done(&self) -> Result<(), RunError> {
        match std::fs::remove_file(&self.path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(RunError::io(self.path.display().to_string(), e))
            }
            _ => Ok(()),
        }
    }

    /// Everything on one target was removed. What is on others stays written down.
    pub(crate) fn done_with(&self, target: &str) -> Result<(), RunError> {
        let error = |e| RunError::io(self.path.display().to_string(), e);
        let text = std::fs::read_to_string(&self.path).map_err(error)?;
        let mut others = String::new();
        let mut other = false;
        for line in text.lines() {
            if let Some(of) = line.strip_prefix("target ") {
                other = of != target;
            }
            if other {
                others += line;
                others.push('\n');
            }
        }
        if others.is_empty() {
            return self.done();
        }
        std::fs::write(&self.path, others).map_err(error)
    }

    /// Whether something is on this target.
    pub(crate) fn names(&self, target: &str) -> bool {
        let text = std::fs::read_to_string(&self.path).unwrap_or_default();
        text.lines()
            .any(|line| line.strip_prefix("target ") == Some(target))
    }

    /// Target and prefix that are still to be cleaned up, if any.
    pub(crate) fn open_entry(&self) -> Option<(String, String)> {
        let text = std::fs::read_to_string(&self.path).ok()?;
        let value = |key: &str| text.lines().find_map(|l| l.strip_prefix(key)).map(str::to_owned);
        Some((value("target ")?, value("prefix ")?))
    }
}
