//! A statement was refused: did anything of the run explain it? What nothing explains is a finding.
//!
//! Pure: from the reason and what is known to have happened meanwhile, to a judgement.

use history::{Answer, Kind, Reason, ReasonKind};

/// What could have caused a refusal or a silence during one visit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Witnesses {
    /// Other sessions were at work: locks and serialization failures have somebody to blame.
    pub company: bool,
    /// A fault of ours cancelled a statement of this visit.
    pub cancel: bool,
    /// A fault of ours ended, cut or held up this session's connection, or the server.
    pub connection: bool,
    /// Others cancel, terminate or restart while we run (`--outside`).
    pub outside: bool,
    /// A statement of this visit was refused before.
    pub failed_before: bool,
    /// The server restarted since the visit began, and not by us.
    pub restarted: bool,
    /// It is a read, and an index came or went meanwhile.
    pub building: bool,
    /// The statement is an insert that may meet its key; whether it did is judged like a read (F27).
    pub may_be_duplicate: bool,
}

/// Whether a refusal is a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Explained {
    /// Something of the run explains it.
    Expected,
    /// Nothing does: a finding of this kind.
    Finding(Kind),
}

/// The reason of an answer that is no result.
pub(crate) fn reason(answer: &Answer) -> Option<&Reason> {
    match answer {
        Answer::Refused(reason) | Answer::Unknown(reason) => Some(reason),
        Answer::Rows(_) | Answer::Affected(_) => None,
    }
}

/// Looks for a witness.
pub(crate) fn explain(kind: ReasonKind, w: Witnesses) -> Explained {
    let expected = match kind {
        ReasonKind::Duplicate => w.may_be_duplicate,
        ReasonKind::Serialization | ReasonKind::Deadlock | ReasonKind::Busy => w.company,
        ReasonKind::Cancelled => w.cancel || w.connection || w.outside,
        ReasonKind::Deadline => w.connection,
        ReasonKind::Disconnected | ReasonKind::Unavailable => w.connection || w.outside,
        ReasonKind::RolledBack | ReasonKind::InFailedTransaction => w.failed_before,
        // "The index is not available" is how a server says that it is being built, or only that the read failed.
        ReasonKind::Other => w.building,
    };
    if expected {
        return Explained::Expected;
    }
    Explained::Finding(match kind {
        ReasonKind::Deadline => Kind::Hang,
        ReasonKind::Disconnected | ReasonKind::Unavailable if w.restarted => Kind::Crash,
        _ => Kind::UnexpectedError,
    })
}

#[cfg(test)]
mod tests;
