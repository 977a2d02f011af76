//! An engine that has no room or memory left: neither a broken promise nor a matter of the run, but the end of it.

use history::Reason;

/// Codes by which engines say so, and what has run out.
const CODES: &[(&str, &str)] = &[
    // SQLite: NOMEM, IOERR_NOMEM, FULL, IOERR_SHMSIZE (its shared memory lies beside the database)
    ("7", "memory"),
    ("3082", "memory"),
    ("13", "room on its disk"),
    ("4874", "room on its disk"),
    // PostgreSQL
    ("53100", "room on its disk"),
    ("53200", "memory"),
];

/// What the engine has run out of, by the code of its refusal.
pub fn exhausted(reason: &Reason) -> Option<&'static str> {
    CODES
        .iter()
        .find(|(code, _)| *code == reason.code)
        .map(|(_, what)| *what)
}
