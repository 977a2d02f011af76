//! What goes over the pipes between us and the process in which the engine lives: one line of JSON a message.
//!
//! Sessions share the pipes: each message says whose it is. A session has at most one statement on its way; an interrupt may
//! follow it at any time.

use serde::{Deserialize, Serialize};

/// The first line to the process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Hello {
    /// The library's file.
    pub(super) library: std::path::PathBuf,
    /// The database's file.
    pub(super) database: std::path::PathBuf,
}

/// Its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Welcome {
    /// The library's version.
    Version(String),
    /// The library cannot be used.
    Library(String),
    /// The database cannot be opened.
    Database(String),
}

/// Every other line to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Ask {
    /// Whose: the number of a connection, which is made when it is first heard of.
    pub(super) session: u64,
    pub(super) what: What,
}

/// What is asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum What {
    /// One statement.
    Sql(String),
    /// The end of the statement that runs.
    Interrupt,
    /// The end of the connection; it is answered.
    Close,
}

/// The answer to a statement or to a close.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reply {
    pub(super) session: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) columns: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) rows: Vec<Vec<Option<String>>>,
    #[serde(default)]
    pub(super) changed: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    /// The transaction after it.
    pub(super) state: State,
    /// COMMIT has rolled back what an error had ended before.
    #[serde(default)]
    pub(super) rolled_back: bool,
}

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    /// No transaction.
    Idle,
    /// One that goes on.
    Open,
    /// One that an error has ended, and that takes nothing but its end.
    Failed,
    /// The connection is closed.
    Closed,
}
