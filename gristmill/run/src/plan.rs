//! A run as plain data: everything that was given, drawn or taken as default, written to `plan.toml` before the first action.
//!
//! ```text
//! defaults ◁ file ◁ environment ◁ flags  ──▶ Settings ──(draws)──▶ Plan ──▶ plan.toml ──▶ the same Plan
//! ```
//!
//! Invariants:
//! * P1 a run is a function of its plan and its target: nothing is drawn or defaulted later (A4).
//! * P2 `Plan::read(plan.write()) == plan`.
//! * P3 no password is ever part of a plan.

mod agent;
mod draw;
mod existing;
pub mod harry;
mod history;
mod mistake;
mod parallel;
mod ratio;
mod settings;
mod stages;
mod tables;
mod values;

pub use agent::Agent;
pub use draw::PlanError;
pub(crate) use draw::lies;
pub use mistake::{Mistake, nearest};
pub use parallel::{Asked, Parallel, Scenario, Work, scenarios};
pub use settings::{Key, SESSIONS_MAX, Settings, keys, level, level_name};
pub use stages::{Stage, Stages};
pub(crate) use tables::AGENTS;
pub use values::{Millis, NotA, PerSecond, Rate, Seed, Stop, split_password};

pub use crate::changing::Changeable;
use crate::fault::FaultKind;
use ::history::{Check, Claim, Discipline, Level, Line};
use datagen::schema::Schema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use workload::partitions::Config;

/// Version of the format of `plan.toml` that this code writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// Everything that a run is a function of, but for the target itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Plan {
    /// Version of this format.
    pub format: u32,
    /// Where every draw comes from.
    pub seed: Seed,
    /// URL of the target, without its password.
    pub target: String,
    /// URL of a second database to which everything is sent too, without its password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<String>,
    /// The profile that the workload was drawn from.
    pub profile: String,
    /// Client sessions.
    pub sessions: u16,
    /// When the load ends.
    pub length: Length,
    /// How sessions move.
    pub pace: Pace,
    /// Visits that may begin in a second, of all sessions together; `None`: as fast as they can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<PerSecond>,
    /// Which order of the writes the model assumes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub discipline: Discipline,
    /// Under `lww`: whoever writes or reads a partition runs alone on it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub exclusion: bool,
    /// Checker threads beside the judging one; 0: the judging thread explains too.
    pub checkers: u16,
    /// When findings end the load.
    pub stop: Stop,
    /// How much of what could be compared is compared.
    #[serde(default, skip_serializing_if = "is_default")]
    pub check: Check,
    /// What was made is not removed at the end.
    #[serde(default, skip_serializing_if = "is_default")]
    pub keep: bool,
    /// Which of how many processes that share the tables; `None`: they are this run's alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Agent>,
    /// Loads and validations, one after another; `None`: one load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stages: Option<Stages>,
    /// Attempts after the first, for visits that were refused for a lock or a serialization failure.
    pub retries: u8,
    /// Visits that may wait for a partition while later ones overtake them.
    pub look_ahead: u32,
    /// A statement without an answer is given up after so many milliseconds.
    pub deadline_ms: u64,
    /// A visit that cannot be settled in so many milliseconds retires its partitions.
    pub settle_ms: u64,
    /// How long SQLite waits for a lock in free pace, in milliseconds.
    pub busy_ms: u64,
    /// Bytes of log; beyond, the oldest is forgotten.
    pub log_bytes: u64,
    /// Bytes of answers that wait for the judge, or are kept to judge again.
    pub evidence_bytes: u64,
    /// Bytes of memory for the model of active partitions; 0 keeps nothing between two answers.
    pub model_bytes: u64,
    /// Choices of overlapping visits that are tried for one answer.
    pub choices: u32,
    /// Percent of visits that may be rejected without the plan's intent, before the verdict is unknown.
    pub rejected_percent: u32,
    /// Percent of answers that may be left uncompared, before the verdict is unknown.
    pub not_compared_percent: u32,
    /// What the name of everything that we make begins with.
    pub prefix: String,
    /// Faults that others do to the server while we run: `cancel`, `terminate`, `restart`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outside: Vec<String>,
    /// What stands in the schema that was given and is not in that of the plan, one thing each, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// The visits, where they are written down instead of drawn; `workload` says nothing then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<Vec<Line>>,
    /// The level that is asked of the database.
    pub level: Level,
    /// The promise that it is held to.
    pub claim: Claim,
    /// Faults by rate.
    #[serde(default)]
    pub faults: BTreeMap<FaultKind, Rate>,
    /// Faults by hand.
    #[serde(default)]
    pub faults_at: Vec<FaultAt>,
    /// The columns that `index` and `alter` are about, where the plan has such faults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<Changeable>,
    /// Lies of the reference, or of the corruptor, by rate.
    #[serde(default)]
    pub lies: BTreeMap<String, Rate>,
    /// The workload.
    pub workload: Config,
    /// Tables, with the resolved domain of each column (F20); none where the workload makes its own.
    #[serde(
        default = "parallel::no_tables",
        skip_serializing_if = "parallel::has_no_tables"
    )]
    pub schema: Schema,
    /// The parallel workload, instead of `workload`, which says nothing then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel: Option<Parallel>,
}

/// Left out of the file, so that plans that know nothing of a key keep their bytes.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// When the load ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Length {
    /// After so many milliseconds.
    TimeMs(u64),
    /// After so many visits.
    Visits(u64),
    /// After the last stage.
    Stages,
}

/// How sessions move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pace {
    /// Each is a thread and goes as fast as it can.
    Free,
    /// One moves at a time, in an order drawn from the seed.
    LockStep,
}

/// A fault by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FaultAt {
    /// The visit.
    pub lts: u64,
    /// The step; 65535 is COMMIT.
    pub step: u16,
    /// What.
    pub fault: FaultKind,
}

/// Why a plan cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It was written by a newer gristmill.
    #[error(
        "plan format {found} is newer than this gristmill, which reads up to {FORMAT}: use the one that wrote it"
    )]
    Newer {
        /// Its version.
        found: u32,
    },
    /// It is no plan, or was changed by hand.
    #[error("{0}")]
    Toml(Box<toml::de::Error>),
}

impl Plan {
    /// The text of `plan.toml`. Inverse of [`Plan::read`].
    pub fn write(&self) -> String {
        toml::to_string(self).expect("a plan is plain data")
    }

    /// Reads `plan.toml`.
    pub fn read(text: &str) -> Result<Plan, ReadError> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let toml = |e| ReadError::Toml(Box::new(e));
        let Version { format } = toml::from_str(text).map_err(toml)?;
        if format > FORMAT {
            return Err(ReadError::Newer { found: format });
        }
        toml::from_str(text).map_err(toml)
    }

    /// Digest of what the run is a function of: what the log's header repeats. How many threads judge is
    /// not part of it, nor how many visits a load took whose length is a time.
    pub fn digest(&self) -> u64 {
        let same_for_any_checkers = Plan {
            checkers: 0,
            stages: self.stages.as_ref().map(Stages::as_given),
            ..self.clone()
        };
        xxhash_rust::xxh3::xxh3_64(same_for_any_checkers.write().as_bytes())
    }

    /// Whether answers are judged at all.
    pub fn is_checked(&self) -> bool {
        self.check != Check::None
    }

    /// Whether something that is written may die by itself.
    pub(crate) fn expires(&self) -> bool {
        match (&self.history, &self.workload.lww) {
            (Some(lines), _) => lines
                .iter()
                .any(|line| line.visit.stamp.is_some_and(|s| s.ttl.is_some())),
            (None, Some(lww)) => {
                let by_table = |table: &datagen::schema::Table| table.time_to_live().is_some();
                lww.ttl_in_16 > 0 || (lww.table_ttl_in_16 > 0 && self.schema.tables.iter().any(by_table))
            }
            (None, None) => false,
        }
    }

    /// By how many nanoseconds the server's clock and ours may come apart while a value lives.
    pub(crate) fn expiry_slack(&self) -> u64 {
        let ms = self.workload.lww.as_ref().map_or(0, |lww| lww.expiry_slack_ms);
        u64::from(ms) * 1_000_000
    }

    /// Longest wait for an answer.
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }

    /// Longest time to settle a visit.
    pub fn settle(&self) -> Duration {
        Duration::from_millis(self.settle_ms)
    }
}

#[cfg(test)]
mod tests;
