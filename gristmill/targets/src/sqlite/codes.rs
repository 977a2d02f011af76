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
            let by = |code: i32| KINDS.iter().find(|(c, _)| *c == code).map(|(_, kind)| *kind);
            let kind = by(extended)
                .or_else(|| by(extended & 0xff))
                .unwrap_or(ReasonKind::Other);
            (extended.to_string(), kind)
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

/// Whether the failure leaves it open what is on the disk.
pub(super) fn is_doubtful(error: &Error) -> bool {
    matches!(error, Error::SqliteFailure(failure, _) if failure.extended_code & 0xff == ffi::SQLITE_IOERR)
}

/// The engine's own words.
pub(super) fn words(error: &Error) -> String {
    match error {
        Error::SqliteFailure(_, Some(text)) | Error::SqlInputError { msg: text, .. } => text.clone(),
        other => other.to_string(),
    }
}
