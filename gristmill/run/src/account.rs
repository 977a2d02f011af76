//! What was judged so far, kept for the next life of the worker, so that the verdict of a run that was killed and gone on
//! with counts everything once.
//!
//! Invariants:
//! * N1 answers are concluded in the order of their answered ticks, so one tick says which are in the account.
//! * N2 a segment of the ring is free only when its answers are in an account that was written: what a killed worker had
//!   judged is either counted here or still held there.

use crate::RunError;
use crate::causes::Families;
use crate::latency::Buckets;
use history::{Counts, Tick};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

const NAME: &str = "account.json";
const BESIDE: &str = ".account.new";

/// The account of a run. Empty where nothing was judged yet.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct Account {
    /// Answers up to this tick are counted here.
    pub(crate) through: Tick,
    /// What was compared.
    pub(crate) counts: Counts,
    /// Findings, those that no answer shows (refusals, stalls) included.
    pub(crate) causes: Families,
    /// Lies told by the corruptor.
    pub(crate) lies: BTreeMap<String, u64>,
    /// How long sessions waited for a partition.
    pub(crate) idle_ns: u64,
    /// How long statements took.
    #[serde(default)]
    pub(crate) latency: Buckets,
}

impl Account {
    /// Reads the account beside the ring's segments.
    pub(crate) fn read(dir: &Path) -> Result<Account, RunError> {
        let path = dir.join(NAME);
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|e| RunError::io(path.display().to_string(), io::Error::other(e))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Account::default()),
            Err(e) => Err(RunError::io(path.display().to_string(), e)),
        }
    }

    /// Puts it in the old one's place as a whole. Not synced: it must outlive this process, not the machine.
    pub(crate) fn write(&self, dir: &Path) -> Result<(), RunError> {
        let bytes = serde_json::to_vec(self).expect("an account has only text keys");
        let beside = dir.join(BESIDE);
        std::fs::write(&beside, bytes)
            .and_then(|()| std::fs::rename(&beside, dir.join(NAME)))
            .map_err(|e| RunError::io(dir.join(NAME).display().to_string(), e))
    }
}
