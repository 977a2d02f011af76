//! Visits and answers as text, both ways: for golden tests, `gristmill plan`, findings.
//!
//! ```text
//! 12: insert t0/17/5 c3=3 c4=null; delete t0/17[1:3..5) | commit
//! 13@read-committed: savepoint 1; update t1/4/0 c2=9; rollback to 1; shared t1/4 c8=1 | rollback
//! 14: read t0/17[2:..] select c3,c1 where c3>=7,c4 is-null order c1,-c2 limit 5 offset 1 | auto
//! 15: read t0/{3,9} left-join group c1 with count,sum:c4 | auto
//! s3 14.0.0 1011..1015 in 1009..1015: rows (5,'it''s',null) (n:-150/2,x'00ff',f64:-0.0)
//! s1 12.0.end 990..1020 in 990..1020: unknown disconnected '' 'connection closed'
//! ```
//!
//! | text | meaning |
//! |---|---|
//! | `t0/17`, `t0/{3,9}`, `t0/*` | partition 17 of table 0, two of them, all |
//! | `/5`, `/{5,6}`, nothing | row 5 of the partition, two rows, all |
//! | `[1,2:3..5)` | the slice with leading digits 1, 2 and the next one from 3 (inclusive) to 5 (exclusive) |
//! | `c3=17` | column 3 with the value of descriptor 17 |
//! | `@level`, `writes t0/1,t0/2` | where it is not serializable; where it is not what the steps write |
//!
//! Numbers are descriptors and positions, so the text needs no schema and means the same to every target.
//!
//! A whole history is a file of such lines: `file` has its grammar, [`HistoryFile`] is what it says.
//!
//! Invariant N1: parsing what was printed gives the same value, and printing that the same text.

mod answer;
mod ending;
mod file;
mod line;
mod scan;
#[cfg(test)]
mod tests;
mod visit;

pub use file::{FileError, HistoryFile, TITLE};

/// Why a text is not in the notation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: expected {expected}, found {found:?}")]
pub struct NotationError {
    /// Where, in characters from 1.
    pub column: usize,
    /// What could stand there.
    pub expected: &'static str,
    /// What stands there, at most twenty characters.
    pub found: String,
}
