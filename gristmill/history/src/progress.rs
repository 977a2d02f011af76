//! What a watcher may see while a run lives. `report` implements [`Watcher`]; a worker sends the same as lines of JSON.

use crate::verdict::Cause;
use serde::{Deserialize, Serialize};

/// One thing that happened, or how far we are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    /// The run is set up.
    Started {
        /// The first line of the screen, in parts: seed, target and version, sessions, workload, claim.
        head: Vec<String>,
        /// The folder of the run.
        folder: String,
    },
    /// About ten times a second while the load runs or the judges catch up.
    Load {
        /// Visits ended so far.
        visits: u64,
        /// Visits a second, over the last second.
        rate: u64,
        /// Visits whose answers are all judged.
        checked: u64,
        /// How far judging is behind, in milliseconds.
        behind_ms: u64,
        /// Findings so far.
        findings: u64,
        /// Milliseconds since the load began.
        elapsed_ms: u64,
        /// Planned length: milliseconds, or visits.
        of: Planned,
        /// What it is doing: "load", "judging what is left", "settling", …
        phase: String,
        /// What else the workload has to tell, in words; what matters most comes first and is dropped last.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        beside: Vec<String>,
    },
    /// How far a shrinking is.
    Shrinking {
        /// Visits of the smallest case so far; 0 before there is one.
        visits: u64,
        /// Its sessions.
        sessions: u64,
        /// Its statements.
        statements: u64,
        /// Runs that were tried.
        tries: u64,
        /// Milliseconds since it began.
        elapsed_ms: u64,
        /// The signature of the finding.
        class: String,
    },
    /// A new cause.
    Found(Box<Cause>),
    /// Something a person should read: a pooler noticed, readers waiting for the judge, a ring that forgets.
    Note(String),
}

impl Progress {
    /// The phase of a load whose steps are statements, each judged as it is answered.
    pub const STATEMENTS: &str = "statements";
    /// The phase of a load of which nothing is compared.
    pub const UNCHECKED: &str = "load, not checked";
}

/// How long the load is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Planned {
    /// Milliseconds.
    Time(u64),
    /// Visits.
    Visits(u64),
}

/// Who looks on. Called from one thread; cannot influence the run.
pub trait Watcher: Send {
    /// One thing that happened.
    fn see(&mut self, progress: &Progress);
}
