//! SQLSTATE and what it means to us; and what can be done about a server that cannot be used. Tables.

use super::wire::{Failure, Lost, NoConnection};
use history::{Reason, ReasonKind};

/// Whole codes first, then classes (two characters).
const KINDS: &[(&str, ReasonKind)] = &[
    ("23505", ReasonKind::Duplicate),
    ("40001", ReasonKind::Serialization),
    ("40P01", ReasonKind::Deadlock),
    ("55P03", ReasonKind::Busy),
    ("57014", ReasonKind::Cancelled),
    ("25P02", ReasonKind::InFailedTransaction),
    ("57P01", ReasonKind::Disconnected),
    ("57P02", ReasonKind::Unavailable),
    ("57P03", ReasonKind::Unavailable),
    ("53300", ReasonKind::Unavailable),
    ("08", ReasonKind::Disconnected),
];

pub(super) fn kind(code: &str) -> ReasonKind {
    let by = |code: &str| KINDS.iter().find(|(c, _)| *c == code).map(|(_, kind)| *kind);
    by(code)
        .or_else(|| by(code.get(..2)?))
        .unwrap_or(ReasonKind::Other)
}

pub(super) fn reason(failure: &Failure) -> Reason {
    Reason {
        kind: kind(&failure.code),
        code: failure.code.clone(),
        text: failure.text.clone(),
    }
}

pub(super) fn lost(lost: &Lost) -> Reason {
    match lost {
        Lost::Silent => Reason {
            kind: ReasonKind::Deadline,
            code: String::new(),
            text: "no answer within the deadline".into(),
        },
        Lost::Closed(why) => Reason {
            kind: ReasonKind::Disconnected,
            code: String::new(),
            text: why.clone(),
        },
    }
}

/// What to do about a refused statement or log-in, by code.
const REMEDIES: &[(&str, &str)] = &[
    (
        "28P01",
        "give the password in PGPASSWORD or in the file that PGPASSFILE names",
    ),
    (
        "28000",
        "ask for a line in the server's pg_hba.conf that lets this user in from here",
    ),
    ("3D000", "create the database, or name another one in the URL"),
    (
        "42501",
        "grant the right, or use a user that has it: CREATE on the schema is needed",
    ),
    ("3F000", "create the schema, or set search_path for this user"),
    ("53300", "use fewer sessions, or raise max_connections"),
    ("57P03", "wait until the server is up"),
    ("53100", "free some space on the server's disk"),
];

pub(super) fn remedy(code: &str) -> &'static str {
    REMEDIES
        .iter()
        .find(|(c, _)| *c == code)
        .map_or("", |(_, remedy)| remedy)
}

/// What, and the remedy.
pub(super) fn complaint(error: &NoConnection) -> (String, &'static str) {
    match error {
        NoConnection::Refused(failure) => (
            format!("{} ({})", failure.text, failure.code),
            remedy(&failure.code),
        ),
        NoConnection::Unreachable(why) => (
            format!("no connection: {why}"),
            "see that the server runs and that the URL names its host and port",
        ),
        NoConnection::Tls(why) => (
            format!("TLS: {why}"),
            "see sslmode and sslrootcert in the URL, or PGSSLMODE and PGSSLROOTCERT",
        ),
        NoConnection::Authentication(why) => (
            why.clone(),
            "give the password in PGPASSWORD or in the file that PGPASSFILE names",
        ),
    }
}
