//! What goes wrong on our side, or on the caller's. What a database says is never here.

use crate::known::KnownError;
use crate::plan::{PlanError, ReadError};
use history::artefact::ArtefactError;
use history::log::LogError;
use history::tracker::TrackerError;
use history::{Address, Lts};
use std::io;
use std::path::{Path, PathBuf};
use targets::Unusable;

/// Why a run did not come to a verdict.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The target cannot be used, or could not be reached again.
    #[error(transparent)]
    Target(#[from] Unusable),
    /// The target was there and cannot be reached any more; what ran is judged.
    #[error("{0}")]
    Away(Unusable),
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
    /// No room for the log to grow; what ran is judged.
    #[error("no room for more log in {}", path.display())]
    DiskFull {
        /// The folder.
        path: PathBuf,
    },
    /// No room for the ring of answers to grow; what ran is judged.
    #[error("no room for more answers in {}", path.display())]
    AnswersFull {
        /// The folder.
        path: PathBuf,
    },
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
    /// Something was asked about the visits of a run that has none.
    #[error(
        "statements of the parallel workload are drawn on what the database answers: there are no visits to look at"
    )]
    NoVisits,
    /// A session of ours holds what another one waits for, and does nothing.
    #[error(
        "our own fault: session {waits} waits for session {holds}, which is in a transaction and does nothing"
    )]
    OwnHolder {
        /// Who waits.
        waits: u16,
        /// For whom.
        holds: u16,
    },
    /// A session thread panicked: a bug of ours.
    #[error("our own fault: a session panicked")]
    SessionDied,
    /// The worker process: could not be started, or ended in a way of its own.
    #[error("our own fault: the worker {0}")]
    Worker(String),
    /// A run whose load has ended.
    #[error("cannot go on with {run}: its load has ended")]
    NothingToResume {
        /// The run.
        run: String,
    },
    /// A run whose target could not be used: it holds no visit.
    #[error("{run} never began: it holds no visit")]
    NeverBegan {
        /// The run.
        run: String,
    },
    /// A visit that the run does not have.
    #[error("there is no visit {at}: the run has the visits 1 to {last}")]
    NoSuchVisit {
        /// As asked for.
        at: Lts,
        /// The last one.
        last: Lts,
    },
    /// A run without the finding that is to be made small.
    #[error("cannot shrink {run}: {why}")]
    NothingToShrink {
        /// The run.
        run: String,
        /// Why not.
        why: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A run of ours that ended without a verdict.
    #[error("{}", .0.message)]
    Failed(crate::supervisor::Failure),
    /// The trace of a parallel run cannot be read.
    #[error(transparent)]
    Trace(#[from] crate::parallel::TraceError),
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

    /// The same where the folder matters: it has no room.
    pub(crate) fn evidence_in(dir: &Path, source: io::Error) -> RunError {
        if is_full(&source) {
            RunError::AnswersFull { path: dir.to_owned() }
        } else {
            RunError::Evidence(source)
        }
    }

    /// Whether the disk of the run's folder is full, or a quota used up.
    pub fn is_full_disk(&self) -> bool {
        match self {
            RunError::DiskFull { .. }
            | RunError::AnswersFull { .. }
            | RunError::Log(LogError::Full { .. })
            | RunError::Tracker(TrackerError::Full { .. }) => true,
            RunError::Log(LogError::Io { source, .. })
            | RunError::Tracker(TrackerError::Io { source, .. })
            | RunError::Folder(ArtefactError::Io { source, .. })
            | RunError::Evidence(source)
            | RunError::Io { source, .. } => is_full(source),
            _ => false,
        }
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
            error if error.is_full_disk() => "make room there, or give another folder with --out".to_owned(),
            RunError::NoVisits => {
                "`gristmill replay RUN` sends the statements of a run again, RUN/queries.log shows them"
                    .to_owned()
            }
            RunError::NothingToShrink { remedy, .. } => (*remedy).to_owned(),
            RunError::NothingToResume { run } => {
                format!("`gristmill report {run}` shows its verdict, `gristmill replay {run}` runs it again")
            }
            RunError::NeverBegan { run } => format!("`gristmill resume {run}` begins it"),
            RunError::Failed(failure) => failure.remedy.clone(),
            _ => String::new(),
        }
    }

    /// The exit code: 3 usage, 4 target, 5 our own fault.
    pub fn exit_code(&self) -> u8 {
        match self {
            RunError::Target(Unusable::Server(_))
            | RunError::Plan(PlanError::Target(Unusable::Server(_))) => 4,
            RunError::Target(Unusable::Usage(_)) | RunError::Plan(_) | RunError::Known(_) => 3,
            // What lies there is no run of ours, a newer one, or one that never began.
            RunError::Log(LogError::NotALog { .. } | LogError::Newer { .. })
            | RunError::Tracker(TrackerError::NotATracker { .. } | TrackerError::Newer { .. }) => 3,
            error if error.is_full_disk() => 3,
            RunError::Read(_)
            | RunError::Folder(_)
            | RunError::NothingToShrink { .. }
            | RunError::NoSuchVisit { .. }
            | RunError::Trace(_)
            | RunError::NoVisits
            | RunError::NeverBegan { .. }
            | RunError::NothingToResume { .. } => 3,
            RunError::Failed(failure) => failure.code,
            _ => 5,
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
