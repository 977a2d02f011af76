//! SQLite's error codes and what they mean to us: a table.

use history::{Reason, ReasonKind};
use rusqlite::Error;
use rusqlite::ffi;

/// Extended codes by the way, primary codes otherwise.
const KINDS: &[(i32, ReasonKind)] = &[
    (ffi::SQLITE_CONSTRAINT_PRIMARYKEY, ReasonKind::Duplicate),
    (ffi::SQLITE_CONSTRAINT_UNIQUE, ReasonKind::Duplicate),
    (ffi::SQLITE_CONSTRAINT_ROWID, ReasonKind::Duplicate),
    (ffi::SQLITE_BUSY_SNAPSHOT, ReasonKind::Serialization),
    (ffi::SQLITE_BUSY, ReasonKind::Busy),
    (ffi::SQLITE_LOCKED, ReasonKind::Busy),
    (ffi::SQLITE_INTERRUPT, ReasonKind::Cancelled),
];

/// What a refusal means; `late` where our watchdog interrupted it.
pub(super) fn reason(error: &Error, late: bool) -> Reason {
    let (code, kind) = match error {
        Error::SqliteFailure(failure, _) | Error::SqlInputError { error: failure, .. } => {
            let extended = failure.extended_code;
            (extended.to_string(), kind(extended))
        }
        _ => (String::new(), ReasonKind::Other),
    };
    let kind = if late && kind == ReasonKind::Cancelled {
        ReasonKind::Deadline
    } else {
        kind
    };
    Reason {
        kind,
        code,
        text: words(error),
    }
}

/// By an extended code.
pub(crate) fn kind(extended: i32) -> ReasonKind {
    let by = |code: i32| KINDS.iter().find(|(c, _)| *c == code).map(|(_, kind)| *kind);
    by(extended)
        .or_else(|| by(extended & 0xff))
        .unwrap_or(ReasonKind::Other)
}

/// Whether an extended code leaves it open what is on the disk.
pub(crate) fn is_of_the_disk(extended: i32) -> bool {
    extended & 0xff == ffi::SQLITE_IOERR
}

/// Whether the failure leaves it open what is on the disk.
pub(super) fn is_doubtful(error: &Error) -> bool {
    matches!(error, Error::SqliteFailure(failure, _) if is_of_the_disk(failure.extended_code))
}

/// The engine's own words.
pub(super) fn words(error: &Error) -> String {
    match error {
        Error::SqliteFailure(_, Some(text)) | Error::SqlInputError { msg: text, .. } => text.clone(),
        other => other.to_string(),
    }
}
