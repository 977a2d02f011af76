//! What a server said to one statement of free-form text: data, before anybody judges it.

use serde::{Deserialize, Serialize};

/// The answer to one statement, and what the session is in after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// What came back.
    pub said: Said,
    /// As the wire (or the engine) tells it after the answer; after [`Said::Unknown`] it is [`TxState::Idle`].
    pub state: TxState,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Said {
    /// It was done.
    Done {
        /// The command tag ("INSERT 0 3", "ROLLBACK"), or "" where the target has none.
        tag: String,
        /// Rows that a write touched or a read gave, where the target counts them.
        affected: Option<u64>,
        /// The rows, where it gave some.
        rows: Option<Table>,
    },
    /// The server said no, and promises that nothing of the statement stays.
    Refused {
        /// SQLSTATE; for SQLite the extended result code in decimal digits.
        code: String,
        /// The server's words.
        text: String,
        /// More of them, or "".
        detail: String,
    },
    /// The connection ended, by itself or with the server's last word, or there was no answer in time: it may have been done.
    Unknown {
        /// SQLSTATE where there was a last word, or "".
        code: String,
        /// Why nobody knows.
        text: String,
    },
}

/// Rows as text, as the server writes them; NULL is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Names of the columns, in order.
    pub columns: Vec<String>,
    /// The rows in the order of the answer, as far as they were kept.
    pub rows: Vec<Vec<Option<String>>>,
    /// How many came.
    pub count: u64,
    /// XXH3 of all cells in their order, kept or not.
    pub digest: u64,
    /// Whether all of them are in `rows`.
    pub whole: bool,
}

/// What a session is in, between two statements.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TxState {
    /// In no transaction.
    #[default]
    Idle,
    /// In one.
    Open,
    /// In one that has failed: only its end is taken.
    Failed,
}
