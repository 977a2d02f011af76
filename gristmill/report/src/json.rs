//! The verdict for programs: one JSON object, the same as `verdict.json`.

use history::verdict::Cause;
use history::{Counts, Status, Verdict};
use serde::Serialize;

/// The verdict as indented JSON, with a newline at its end.
pub fn verdict(verdict: &Verdict) -> String {
    let mut text = serde_json::to_string_pretty(verdict).expect("a verdict has only text keys");
    text.push('\n');
    text
}

/// What judging a folder again gave.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Recheck<'a> {
    /// The three-valued answer, of what is held only.
    pub status: Status,
    /// Answers that the folder holds.
    pub held: u64,
    /// Answers that were judged while the run lived; `None` where it left no verdict.
    pub of: Option<u64>,
    /// What was compared.
    pub counts: &'a Counts,
    /// Findings by cause.
    pub causes: &'a [Cause],
    /// What is damaged or forgotten.
    pub notes: &'a [String],
    /// Visits of the log whose digest is that of the plan.
    pub regenerated: u64,
    /// What the database holds, where it was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<Look<'a>>,
}

/// What reading a run's data on its database gave.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Look<'a> {
    /// The three-valued answer.
    pub status: Status,
    /// The database, without its password.
    pub target: &'a str,
    /// Its version.
    pub server: &'a str,
    /// The visit whose state it was compared with.
    pub at: u64,
    /// Partitions that were read.
    pub partitions: u64,
    /// What was compared.
    pub counts: &'a Counts,
    /// Findings by cause.
    pub causes: &'a [Cause],
    /// What should be known beside it.
    pub notes: &'a [String],
}

/// The same for programs.
pub fn recheck(again: &Recheck<'_>) -> String {
    let mut text = serde_json::to_string_pretty(again).expect("only text keys");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use crate::testing::found;
    use history::Verdict;

    #[test]
    fn a_verdict_read_back_is_the_same() {
        let text = super::verdict(&found());
        assert_eq!(serde_json::from_str::<Verdict>(&text).unwrap(), found());
        assert!(text.ends_with("}\n"));
    }
}
