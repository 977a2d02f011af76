//! The list of faults: names, what they do, what they need.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

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
pub const FAULTS: [Fault; 8] = [
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

    /// Whether it strikes after the statement was sent.
    pub fn after_send(self) -> bool {
        matches!(
            self,
            Self::CutAfterCommit | Self::Cancel | Self::Terminate | Self::Kill
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
