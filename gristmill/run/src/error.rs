//! What goes wrong on our side, or on the caller's. What a database says is never here.

use crate::known::KnownError;
use crate::plan::{PlanError, ReadError};
use history::artefact::ArtefactError;
use history::log::LogError;
use history::tracker::TrackerError;
use history::{Address, Lts};
use std::io;
use targets::Unusable;

/// Why a run did not come to a verdict.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The target cannot be used, or could not be reached again.
    #[error(transparent)]
    Target(#[from] Unusable),
    /// The plan cannot be made.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// `plan.toml` cannot be read.
    #[error("plan.toml: {0}")]
    Read(#[from] ReadError),
    /// The list of known findings cannot be read.
    #[error(transparent)]
    Known(#[from] KnownError),
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The tracker.
    #[error(transparent)]
    Tracker(#[from] TrackerError),
    /// The folder.
    #[error(transparent)]
    Folder(#[from] ArtefactError),
    /// The ring of answers.
    #[error("the ring of answers: {0}")]
    Evidence(io::Error),
    /// The disk is full; what ran was judged.
    #[error("the disk is full: the load ended early")]
    DiskFull,
    /// The two judges disagree: a bug of ours, never the database's.
    #[error(
        "our own fault: the second judge does not find {signature} in the answer to {read}; please report this with the run's folder"
    )]
    Disagreement {
        /// What the first judge found.
        signature: String,
        /// Where.
        read: Address,
    },
    /// A visit is not what it was when it was sent: a bug of ours.
    #[error(
        "our own fault: visit {lts} is not regenerated as it was sent; please report this with the run's folder"
    )]
    Regenerated {
        /// Which.
        lts: Lts,
    },
    /// A checker thread panicked: a bug of ours.
    #[error("our own fault: a checker thread panicked")]
    CheckerDied,
    /// A session thread panicked: a bug of ours.
    #[error("our own fault: a session panicked")]
    SessionDied,
    /// The worker process: could not be started, or ended in a way of its own.
    #[error("our own fault: the worker {0}")]
    Worker(String),
    /// A file or process of ours.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

impl RunError {
    pub(crate) fn evidence(source: io::Error) -> RunError {
        RunError::Evidence(source)
    }

    pub(crate) fn io(what: impl Into<String>, source: io::Error) -> RunError {
        RunError::Io {
            what: what.into(),
            source,
        }
    }

    /// What to do about it, or "".
    pub fn remedy(&self) -> String {
        match self {
            RunError::Target(unusable) | RunError::Plan(PlanError::Target(unusable)) => {
                unusable.complaint().remedy.clone()
            }
            _ => String::new(),
        }
    }

    /// The exit code: 3 usage, 4 target, 5 our own fault.
    pub fn exit_code(&self) -> u8 {
        match self {
            RunError::Target(Unusable::Server(_))
            | RunError::Plan(PlanError::Target(Unusable::Server(_))) => 4,
            RunError::Target(Unusable::Usage(_)) | RunError::Plan(_) | RunError::Known(_) => 3,
            RunError::Read(_) | RunError::Folder(_) => 3,
            _ => 5,
        }
    }
}
