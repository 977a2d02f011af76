//! What a run ends with: written to `verdict.json`, printed by `report`, turned into an exit code by the command line.

use crate::Finding;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What was compared: a check that compared nothing is no check.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Answers judged (reads, affected counts, refusals).
    pub answers: u64,
    /// Of them, reads.
    pub reads: u64,
    /// Rows compared.
    pub rows: u64,
    /// Cells compared.
    pub cells: u64,
    /// Visits replayed into the model.
    pub replayed: u64,
    /// Reads that overlapped a writer of their partitions, and were explained by a choice.
    pub overlapped: u64,
    /// Answers not compared, by reason.
    pub not_compared: BTreeMap<String, u64>,
    /// Kinds of op and query whose answers were compared; a batch has one answer, and counts for each kind of its writes.
    pub exercised: BTreeMap<String, u64>,
}

impl Counts {
    /// Adds the other's counts.
    pub fn add(&mut self, other: &Counts) {
        self.answers += other.answers;
        self.reads += other.reads;
        self.rows += other.rows;
        self.cells += other.cells;
        self.replayed += other.replayed;
        self.overlapped += other.overlapped;
        for (k, n) in &other.not_compared {
            *self.not_compared.entry(k.clone()).or_default() += n;
        }
        for (k, n) in &other.exercised {
            *self.exercised.entry(k.clone()).or_default() += n;
        }
    }
}

/// The three-valued answer; the worst wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Everything compared, everything right.
    Clean,
    /// Nothing was to be compared, and nothing else was wrong.
    Unchecked,
    /// A doubt, or too little was compared.
    Unknown,
    /// A promise was broken.
    Finding,
}

/// Findings of one cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The first of them.
    pub finding: Finding,
    /// How often.
    pub times: u64,
    /// Tolerated by `--known`.
    pub known: bool,
    /// The statements of the proof and the read, as really sent, with session, times and outcome.
    pub statements: Vec<Sent>,
    /// One sentence: what was promised.
    pub promised: String,
    /// One sentence: what was seen.
    pub seen: String,
    /// One sentence: what the proof shows.
    pub proof: String,
    /// One sentence: how sure, and why.
    pub how_sure: String,
}

/// One statement as really sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Session number.
    pub session: u16,
    /// Visit.
    pub lts: u64,
    /// The text, with values in place.
    pub sql: String,
    /// What came back, in a word: ok, refused, unknown, 4 rows.
    pub outcome: String,
    /// Microseconds since the run began, when it was sent.
    pub sent_us: u64,
    /// Microseconds since the run began, when it was answered.
    pub answered_us: u64,
}

/// What a run ends with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Version of this format.
    pub format: u32,
    /// The three-valued answer.
    pub status: Status,
    /// Ended by Ctrl-C or another signal that asks for an end.
    pub interrupted: bool,
    /// The run's seed, as printed.
    pub seed: String,
    /// The target, without password.
    pub target: String,
    /// Server or library version.
    pub server: String,
    /// Settings of the server that matter for the claims.
    pub settings: BTreeMap<String, String>,
    /// The driver and its version.
    pub driver: String,
    /// Our own version, with the commit that it was built from where that is known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub gristmill: String,
    /// The types of the schema's columns, and what each is called on the target.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub types: BTreeMap<String, String>,
    /// Sessions, workload, discipline, level, claim: as the first line of the screen says them.
    pub setup: BTreeMap<String, String>,
    /// Visits by outcome: committed, rejected, rolled back by plan, skipped, unknown.
    pub visits: BTreeMap<String, u64>,
    /// How long the load ran, in milliseconds.
    pub load_ms: u64,
    /// What was compared.
    pub counts: Counts,
    /// Enabled by the plan and never compared: makes the run vacuous.
    pub never_compared: Vec<String>,
    /// Never drawn in this run: listed only.
    pub never_drawn: Vec<String>,
    /// What the target cannot keep, and so was left out.
    pub left_out: Vec<String>,
    /// Doubts: why the status is unknown, if it is.
    pub doubts: Vec<String>,
    /// Findings by cause, most frequent first.
    pub causes: Vec<Cause>,
    /// Faults injected, by name.
    pub faults: BTreeMap<String, u64>,
    /// Lies told by the reference or the corruptor, by name.
    pub lies: BTreeMap<String, u64>,
    /// Share of time that sessions waited for a partition, in percent.
    pub idle_percent: u32,
    /// How long statements took, by kind; of all reads and of all writes together; how late visits began where a rate
    /// was given.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub latency: BTreeMap<String, Latency>,
    /// Of the parallel workload: what its statements did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statements: Option<Statements>,
}

/// What a run of statements over a changing schema did: the parallel workload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statements {
    /// By action.
    pub actions: BTreeMap<String, ActionCount>,
    /// Refusals and silences by code, class and witness, most frequent first.
    pub errors: Vec<ErrorCount>,
    /// Statements by family.
    pub families: BTreeMap<String, u64>,
    /// Rows that came back.
    pub rows: u64,
    /// Times at which nobody did anything and the catalogue was compared with the model.
    pub quiet: u64,
    /// Objects of the catalogue that were compared then.
    pub objects: u64,
    /// Actions that exist here and were never tried.
    pub never_tried: Vec<String>,
    /// Actions that were tried and never done.
    pub never_done: Vec<String>,
    /// Oracles by name: what was compared, and what was not.
    #[serde(default)]
    pub oracles: BTreeMap<String, OracleCount>,
}

/// Tries of one oracle and what became of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OracleCount {
    /// Both sides were compared.
    pub compared: u64,
    /// Nothing was compared, by reason.
    pub void: BTreeMap<String, u64>,
}

/// Attempts of one action and what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionCount {
    /// Statements that were answered.
    pub attempts: u64,
    /// Done.
    pub done: u64,
    /// Refused.
    pub refused: u64,
    /// Without an answer, or with the connection's end for one.
    pub unknown: u64,
}

/// One sort of error: how often, and one of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorCount {
    /// The server's code.
    pub code: String,
    /// What it is about.
    pub class: String,
    /// Which question of the model explained it.
    pub witness: String,
    /// How often.
    pub count: u64,
    /// The server's words, of the first.
    pub text: String,
    /// The statement, of the first.
    pub sql: String,
}

impl ErrorCount {
    /// How many errors of each class there were, the most frequent first.
    pub fn by_class<'e>(errors: impl IntoIterator<Item = &'e ErrorCount>) -> Vec<(&'e str, u64)> {
        let mut classes: BTreeMap<&str, u64> = BTreeMap::new();
        for error in errors {
            *classes.entry(&error.class).or_default() += error.count;
        }
        let mut classes: Vec<(&str, u64)> = classes.into_iter().collect();
        classes.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        classes
    }
}

/// How long the statements of one kind took, in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// How many statements.
    pub count: u64,
    /// Half of them took no longer.
    pub p50_ns: u64,
    /// 95 of 100 took no longer.
    pub p95_ns: u64,
    /// 99 of 100 took no longer.
    pub p99_ns: u64,
    /// 999 of 1000 took no longer.
    pub p999_ns: u64,
    /// The longest.
    pub max_ns: u64,
}

impl Latency {
    /// The name under which all reads are counted together.
    pub const READS: &str = "reads";
    /// The name under which all writes are counted together.
    pub const WRITES: &str = "writes";
}
