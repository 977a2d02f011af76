//! One run of a case against a fresh target, and whether it failed in the same way.
//!
//! An engine that lives in this process and may take it down, or must be killed, gets a worker; a server and the reference are
//! run from here.

use crate::RunError;
use crate::causes::signature;
use crate::fault::{FaultKind, Needs};
use crate::life::{Circumstances, environment, live, open_target};
use crate::parallel::Recorded;
use crate::plan::Plan;
use crate::supervisor::{Ended, Supervision, go_on};
use history::artefact::Folder;
use history::verdict::Cause;
use history::{Finding, Kind, Progress, Verdict, Watcher};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where cases are run.
pub(crate) struct Attempts<'a> {
    with: &'a Supervision<'a>,
    class: String,
    scratch: PathBuf,
    runs: u64,
    worker: bool,
    interrupted: bool,
}

/// Folders of tries lie here, in the folder of the run that is shrunk, where memory has no room for them.
const SCRATCH: &str = ".tries";
/// Files in memory: a try is not there to survive anything, and a hundred small files a try are slow on a disk.
const MEMORY: &str = "/dev/shm";
/// Bytes that must be free there.
const ROOM: u64 = 1 << 30;
/// Bytes of answers that wait for the judge in a try.
pub(super) const EVIDENCE_BYTES: u64 = 8 << 20;

/// Where the tries of a run's shrinking lie: always the same place for the same run, so that what a killed search left behind
/// is removed by the next.
fn scratch(folder: &Folder) -> PathBuf {
    let path = folder.path();
    let room = nix::sys::statvfs::statvfs(MEMORY)
        .ok()
        .map(|fs| fs.blocks_available() * fs.fragment_size());
    if room.is_none_or(|room| room < ROOM) {
        return path.join(SCRATCH);
    }
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = xxhash_rust::xxh3::xxh3_64(whole.as_os_str().as_encoded_bytes());
    Path::new(MEMORY).join(format!("gristmill-{name:016x}"))
}

impl<'a> Attempts<'a> {
    pub(crate) fn new(
        folder: &Folder,
        plan: &Plan,
        finding: &Finding,
        with: &'a Supervision<'a>,
    ) -> Result<Attempts<'a>, RunError> {
        let scratch = scratch(folder);
        remove(&scratch)?;
        std::fs::create_dir_all(&scratch).map_err(|e| RunError::io(scratch.display().to_string(), e))?;
        let target = open_target(plan, &scratch, &environment(with.password), BTreeMap::new())?;
        let describe = target.describe();
        let kills = |kind: FaultKind| kind.fault().needs == Needs::Kill;
        let killed = plan.faults.keys().copied().any(kills) || plan.faults_at.iter().any(|f| kills(f.fault));
        let worker = describe.embedded
            && describe.scheme != "reference"
            && (killed || matches!(finding.kind, Kind::Crash | Kind::Hang));
        Ok(Attempts {
            with,
            class: signature(finding),
            scratch,
            runs: 0,
            worker,
            interrupted: false,
        })
    }

    /// Whether somebody wants the search to end.
    pub(crate) fn interrupted(&mut self) -> bool {
        self.interrupted = self.interrupted || self.with.interrupts.try_recv().is_ok();
        self.interrupted
    }

    /// Runs a plan in a folder that is gone afterwards; the finding, if it came back.
    pub(super) fn fails(&mut self, plan: &Plan) -> Result<Option<Cause>, RunError> {
        let path = self.next_path();
        let ended = self.keep(plan, &path);
        remove(&path)?;
        Ok(ended?.2)
    }

    /// Where the next run may have its folder.
    pub(crate) fn next_path(&mut self) -> PathBuf {
        self.runs += 1;
        self.scratch.join(self.runs.to_string())
    }

    /// Runs a plan in a new folder.
    pub(super) fn keep(
        &mut self,
        plan: &Plan,
        path: &Path,
    ) -> Result<(Folder, Verdict, Option<Cause>), RunError> {
        self.keep_of(plan, path, None)
    }

    /// The same; of the parallel workload: with the statements of the trace in another folder.
    pub(crate) fn keep_of(
        &mut self,
        plan: &Plan,
        path: &Path,
        recorded: Option<&Path>,
    ) -> Result<(Folder, Verdict, Option<Cause>), RunError> {
        let folder = Folder::create(path)?;
        folder.write("plan.toml", plan.write().as_bytes())?;
        let verdict = if self.worker {
            let with = Supervision {
                known: None,
                schedule_of: recorded,
                interrupts: self.with.interrupts.clone(),
                ..*self.with
            };
            match go_on(&folder, plan, &with, &mut Nobody)? {
                Ended::Verdict(ending) => ending.verdict,
                Ended::Killed { .. } => return Err(RunError::Worker("was interrupted twice".to_owned())),
                Ended::Failed(failure) => return Err(RunError::Failed(failure)),
            }
        } else {
            let circumstances = Circumstances {
                environment: environment(self.with.password),
                recorded: recorded.map(Recorded::read).transpose()?.map(Arc::new),
                ..Circumstances::default()
            };
            live(&folder, circumstances, &mut Nobody)?
        };
        self.interrupted |= verdict.interrupted;
        let found = verdict
            .causes
            .iter()
            .find(|c| signature(&c.finding) == self.class);
        let found = found.cloned();
        Ok((folder, verdict, found))
    }
}

impl Drop for Attempts<'_> {
    fn drop(&mut self) {
        // What is left costs room and nothing else; the next search removes it.
        let _ = std::fs::remove_dir_all(&self.scratch);
    }
}

/// Removes a folder if it is there.
pub(crate) fn remove(path: &Path) -> Result<(), RunError> {
    match std::fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(RunError::io(path.display().to_string(), e))
        }
        _ => Ok(()),
    }
}

struct Nobody;

impl Watcher for Nobody {
    fn see(&mut self, _: &Progress) {}
}
