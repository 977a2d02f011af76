//! From the answers to a visit's statements to what became of the visit: one table, tested row by row.
//!
//! The dialects differ less than one fears, because each session makes its own peculiarities plain first:
//! * PostgreSQL: COMMIT of a failed transaction is answered by the tag ROLLBACK: the session says `Refused(RolledBack)`.
//!   An ERROR is a promise that nothing happened, and it arrives before ReadyForQuery; a FATAL is none, because a server
//!   that dies may do so between its commit and its answer: the session says `Unknown`.
//! * MariaDB: a COMMIT is refused to the victim of a deadlock or a conflict, whose transaction has ended by that; of any
//!   other error the session says `Unknown`.
//! * SQLite: COMMIT that is refused (BUSY) leaves the transaction open: [`Rules::refused_commit_ends`] is false, and only
//!   our ROLLBACK, or the end of the connection inside our own process, makes a rejection of it.
//!
//! Invariants:
//! * O1 `Committed` only where the end of the visit was acknowledged.
//! * O2 `Rejected` only where the end was refused for good, or never sent, or taken back with an acknowledged ROLLBACK.
//! * O3 everything else is `Unknown`.

#[cfg(test)]
mod tests;

use history::{Answer, End, Outcome};

/// What differs between dialects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// A refused COMMIT has ended the transaction; where not, a ROLLBACK must be acknowledged.
    pub refused_commit_ends: bool,
}

impl Rules {
    /// The rules of a scheme; unknown ones get the strictest.
    pub fn of(scheme: &str) -> Self {
        match scheme {
            "reference" | "postgres" | "cassandra" | "mysql" => Self {
                refused_commit_ends: true,
            },
            _ => Self {
                refused_commit_ends: false,
            },
        }
    }
}

/// The word that was sent to end a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// COMMIT.
    Commit,
    /// ROLLBACK.
    Rollback,
}

/// Everything that was sent for one attempt of a visit, with its answers.
#[derive(Debug, Clone, Copy)]
pub struct Ended<'a> {
    /// How the visit ends by plan.
    pub end: End,
    /// The answer to BEGIN; `None` where none was sent.
    pub begin: Option<&'a Answer>,
    /// The answers to its steps, as far as they were sent.
    pub steps: &'a [&'a Answer],
    /// What was sent to end it, in order, with the answers.
    pub ends: &'a [(Ending, &'a Answer)],
}

/// What became of the visit.
pub fn outcome(rules: Rules, what: Ended<'_>) -> Outcome {
    if matches!(what.end, End::Autocommit | End::Batch { .. }) {
        return match what.steps {
            [] => Outcome::Rejected,
            [Answer::Rows(_) | Answer::Affected(_)] => Outcome::Committed,
            [Answer::Refused(_)] => Outcome::Rejected,
            _ => Outcome::Unknown,
        };
    }
    match what.begin {
        // Nothing was sent: nothing can have happened.
        None if what.steps.is_empty() && what.ends.is_empty() => return Outcome::Rejected,
        Some(Answer::Affected(_) | Answer::Rows(_)) => {}
        // Without a transaction around them, steps would commit by themselves.
        _ if what.steps.is_empty() => return Outcome::Rejected,
        _ => return Outcome::Unknown,
    }
    let Some(commit) = what.ends.iter().position(|(word, _)| *word == Ending::Commit) else {
        // COMMIT was never sent. What the server still holds may last a while (F43), but nothing of it will be seen.
        return Outcome::Rejected;
    };
    match what.ends[commit].1 {
        Answer::Affected(_) | Answer::Rows(_) => Outcome::Committed,
        Answer::Refused(_) if rules.refused_commit_ends => Outcome::Rejected,
        Answer::Refused(_) => taken_back(&what.ends[commit + 1..]),
        Answer::Unknown(_) => Outcome::Unknown,
    }
}

/// After a refused COMMIT that left the transaction open: what was sent next decides.
fn taken_back(rest: &[(Ending, &Answer)]) -> Outcome {
    for (word, answer) in rest {
        match (word, answer) {
            (Ending::Rollback, Answer::Affected(_)) => return Outcome::Rejected,
            (Ending::Commit, Answer::Affected(_)) => return Outcome::Committed,
            (_, Answer::Unknown(_)) => return Outcome::Unknown,
            _ => {}
        }
    }
    Outcome::Unknown
}
