//! The list of faults: names, what they do, what they need.

use history::ChangeKind;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use targets::Maintenance;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// The connection breaks before COMMIT, or an autocommit statement, reaches the server.
    CutBeforeCommit,
    /// The connection breaks after COMMIT, or an autocommit statement, was forwarded and before its answer.
    CutAfterCommit,
    /// The connection breaks before a statement reaches the server.
    Cut,
    /// A statement reaches the server late.
    Delay,
    /// A statement is held back until its deadline has passed, and reaches the server then.
    Stall,
    /// The running statement is cancelled.
    Cancel,
    /// The server session is ended by the server.
    Terminate,
    /// The server is killed with signal 9 and started again.
    Kill,
    /// The server is stopped in order and started again.
    Restart,
    /// What the server holds in memory goes to its files.
    Flush,
    /// The server merges its files.
    Compact,
    /// The server compares its replicas, or its indexes with their tables, and brings them to agree.
    Repair,
    /// An index comes, or the one that came goes: a visit of its own.
    Index,
    /// A column is dropped, or the one that was dropped is added again: a visit of its own, with no other beside it.
    Alter,
}

/// What a target must offer for a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Connections that a proxy can stand in.
    Proxy,
    /// A cancel handle.
    Cancel,
    /// The right to end a server session.
    Terminate,
    /// A server of our own, to kill.
    Kill,
    /// A server that can be told to put its files in order.
    Maintain(Maintenance),
    /// Tables that can be changed while visits go on.
    Change(ChangeKind),
}

/// One line of the list.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// What it is.
    pub kind: FaultKind,
    /// As in `--fault NAME=RATE`.
    pub name: &'static str,
    /// In words, for `gristmill list faults`.
    pub words: &'static str,
    /// What a target must offer.
    pub needs: Needs,
}

/// Every fault.
pub const FAULTS: [Fault; 14] = [
    Fault {
        kind: FaultKind::CutBeforeCommit,
        name: "cut-before-commit",
        words: "the connection breaks before COMMIT (or an autocommit statement) reaches the server",
        needs: Needs::Proxy,
    },
    Fault {
        kind: FaultKind::CutAfterCommit,
        name: "cut-after-commit",
        words: "the connection breaks after COMMIT (or an autocommit statement) was forwarded, before its answer",
        needs: Needs::Proxy,
    },
    Fault {
        kind: FaultKind::Cut,
        name: "cut",
        words: "the connection breaks before a statement reaches the server",
        needs: Needs::Proxy,
    },
    Fault {
        kind: FaultKind::Delay,
        name: "delay",
        words: "a statement reaches the server a twentieth of its deadline late",
        needs: Needs::Proxy,
    },
    Fault {
        kind: FaultKind::Stall,
        name: "stall",
        words: "a statement is held back until its deadline has passed, and reaches the server then",
        needs: Needs::Proxy,
    },
    Fault {
        kind: FaultKind::Cancel,
        name: "cancel",
        words: "the running statement is cancelled",
        needs: Needs::Cancel,
    },
    Fault {
        kind: FaultKind::Terminate,
        name: "terminate",
        words: "the server session is ended on the server's side",
        needs: Needs::Terminate,
    },
    Fault {
        kind: FaultKind::Kill,
        name: "kill",
        words: "the server is killed (signal 9) and started again; durability is judged",
        needs: Needs::Kill,
    },
    Fault {
        kind: FaultKind::Restart,
        name: "restart",
        words: "the server is stopped in order and started again",
        needs: Needs::Maintain(Maintenance::Restart),
    },
    Fault {
        kind: FaultKind::Flush,
        name: "flush",
        words: "what the server holds in memory goes to its files (Cassandra: flush; SQL: a checkpoint)",
        needs: Needs::Maintain(Maintenance::Flush),
    },
    Fault {
        kind: FaultKind::Compact,
        name: "compact",
        words: "the server merges its files (Cassandra: a major compaction; PostgreSQL: VACUUM)",
        needs: Needs::Maintain(Maintenance::Compact),
    },
    Fault {
        kind: FaultKind::Repair,
        name: "repair",
        words: "the server compares what it keeps twice (Cassandra: repair of replicas; SQL: REINDEX)",
        needs: Needs::Maintain(Maintenance::Repair),
    },
    Fault {
        kind: FaultKind::Index,
        name: "index",
        words: "an index on a column is made, or the one that was made is dropped; the visit after it reads by it",
        needs: Needs::Change(ChangeKind::CreateIndex),
    },
    Fault {
        kind: FaultKind::Alter,
        name: "alter",
        words: "a column is dropped (ALTER TABLE … DROP … USING TIMESTAMP), or the dropped one is added again",
        needs: Needs::Change(ChangeKind::DropColumn),
    },
];

impl FaultKind {
    /// Its line in the list.
    pub fn fault(self) -> &'static Fault {
        FAULTS
            .iter()
            .find(|f| f.kind == self)
            .expect("FAULTS lists every kind")
    }

    /// As in `--fault NAME=RATE`.
    pub fn name(self) -> &'static str {
        self.fault().name
    }

    /// Whether it strikes only the statement that makes a visit visible.
    pub fn only_at_end(self) -> bool {
        matches!(self, Self::CutBeforeCommit | Self::CutAfterCommit)
    }

    /// Whether it is a visit of the history, and strikes no other.
    pub fn is_visit(self) -> bool {
        matches!(self.fault().needs, Needs::Change(_))
    }

    /// Whether it strikes after the statement was sent.
    pub fn after_send(self) -> bool {
        matches!(
            self,
            Self::CutAfterCommit
                | Self::Cancel
                | Self::Terminate
                | Self::Kill
                | Self::Restart
                | Self::Flush
                | Self::Compact
                | Self::Repair
        )
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no fault of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no fault `{0}`: one of {list}", list = FAULTS.map(|f| f.name).join(", "))]
pub struct NoSuchFault(pub String);

impl FromStr for FaultKind {
    type Err = NoSuchFault;

    fn from_str(name: &str) -> Result<Self, NoSuchFault> {
        FAULTS
            .iter()
            .find(|f| f.name == name)
            .map(|f| f.kind)
            .ok_or_else(|| NoSuchFault(name.to_owned()))
    }
}
