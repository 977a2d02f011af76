//! What went wrong, for people: each mistake with its remedy, and the exit code.

use crate::exit::Exit;
use history::artefact::ArtefactError;
use run::RunError;
use run::plan::{Mistake, PlanError};
use targets::Unusable;

/// Why a command did not do its work.
#[derive(Debug)]
pub(crate) struct Problem {
    /// The code.
    pub(crate) exit: Exit,
    /// What, and the remedy or "", for each mistake.
    pub(crate) lines: Vec<(String, String)>,
}

impl Problem {
    /// One mistake of the caller.
    pub(crate) fn usage(what: impl Into<String>, remedy: impl Into<String>) -> Problem {
        Problem {
            exit: Exit::Usage,
            lines: vec![(what.into(), remedy.into())],
        }
    }
}

impl Problem {
    /// Our own fault.
    pub(crate) fn ours(what: impl Into<String>) -> Problem {
        Problem {
            exit: Exit::Ours,
            lines: vec![(what.into(), String::new())],
        }
    }
}

impl From<Vec<Mistake>> for Problem {
    fn from(mistakes: Vec<Mistake>) -> Problem {
        Problem {
            exit: Exit::Usage,
            lines: mistakes
                .into_iter()
                .map(|m| (m.to_string(), String::new()))
                .collect(),
        }
    }
}

impl From<Unusable> for Problem {
    fn from(unusable: Unusable) -> Problem {
        let exit = match &unusable {
            Unusable::Usage(_) => Exit::Usage,
            Unusable::Server(_) => Exit::Target,
        };
        Problem {
            exit,
            lines: vec![(unusable.to_string(), unusable.complaint().remedy.clone())],
        }
    }
}

impl From<PlanError> for Problem {
    fn from(error: PlanError) -> Problem {
        match error {
            PlanError::Mistakes(mistakes) => mistakes.into(),
            PlanError::Target(unusable) => unusable.into(),
            other => Problem::usage(other.to_string(), ""),
        }
    }
}

impl From<ArtefactError> for Problem {
    fn from(error: ArtefactError) -> Problem {
        let (exit, remedy) = match &error {
            ArtefactError::NoSuchRun { .. } => {
                (Exit::Usage, "`gristmill list runs` shows those that are there")
            }
            ArtefactError::NotARun { .. } => (
                Exit::Usage,
                "name a run (`gristmill list runs`) or the folder of one",
            ),
            ArtefactError::Newer { .. } => (Exit::Usage, ""),
            ArtefactError::InUse { .. } => (Exit::Usage, "wait for it to end"),
            ArtefactError::Damaged { .. } => (
                Exit::Usage,
                "the file was changed by somebody else; take it from a copy",
            ),
            ArtefactError::Io { .. } => (
                Exit::Usage,
                "check that the folder can be written, or give another with --out",
            ),
        };
        Problem {
            exit,
            lines: vec![(error.to_string(), remedy.to_owned())],
        }
    }
}

impl From<RunError> for Problem {
    fn from(error: RunError) -> Problem {
        let full = error.is_full_disk();
        match error {
            RunError::Target(unusable) => unusable.into(),
            RunError::Plan(error) => error.into(),
            RunError::Folder(error) if !full => error.into(),
            other => {
                let remedy = other.remedy();
                Problem {
                    exit: Exit::of(other.exit_code()),
                    lines: vec![(other.to_string(), remedy)],
                }
            }
        }
    }
}
