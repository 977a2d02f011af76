//! The statements of the parallel workload as trees.

use serde::{Deserialize, Serialize};

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Statement {
    /// As it is written: a foreign statement, whose footprint is known by its tokens only.
    Verbatim(String),
}
