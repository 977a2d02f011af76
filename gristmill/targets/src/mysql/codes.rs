//! MariaDB's error numbers and what they mean to us; and what can be done about a server that cannot be used. Tables.

use super::client::Error;
use super::config::Config;
use crate::Unusable;
use history::{Reason, ReasonKind};

/// By number, from the server's `errmsg-utf8.txt`.
const KINDS: &[(u16, ReasonKind)] = &[
    (1062, ReasonKind::Duplicate),     // ER_DUP_ENTRY
    (1586, ReasonKind::Duplicate),     // ER_DUP_ENTRY_WITH_KEY_NAME
    (1020, ReasonKind::Serialization), // ER_CHECKREAD: changed since the snapshot
    (1213, ReasonKind::Deadlock),      // ER_LOCK_DEADLOCK
    (1205, ReasonKind::Busy),          // ER_LOCK_WAIT_TIMEOUT
    (1317, ReasonKind::Cancelled),     // ER_QUERY_INTERRUPTED
    (1969, ReasonKind::Cancelled),     // ER_STATEMENT_TIMEOUT
    (1927, ReasonKind::Disconnected),  // ER_CONNECTION_KILLED
    (1053, ReasonKind::Unavailable),   // ER_SERVER_SHUTDOWN
    (1040, ReasonKind::Unavailable),   // ER_CON_COUNT_ERROR
    (1203, ReasonKind::Unavailable),   // ER_TOO_MANY_USER_CONNECTIONS
];

/// ER_NO_SUCH_THREAD: the connection to be killed is gone.
pub(super) const NO_SUCH_THREAD: u16 = 1094;

/// The server closes the connection behind these. Nothing is promised by them: it may have committed before it was told.
pub(super) fn ends_connection(code: u16) -> bool {
    matches!(code, 1927 | 1053 | 1040 | 1203)
}

/// What a failure of a statement says.
pub(super) fn reason(error: &Error) -> Reason {
    let (kind, code, text) = match error {
        Error::Silent => (
            ReasonKind::Deadline,
            String::new(),
            "no answer within the deadline".to_owned(),
        ),
        Error::Driver(mysql_async::Error::Server(error)) => {
            let kind = KINDS.iter().find(|(code, _)| *code == error.code);
            (
                kind.map_or(ReasonKind::Other, |(_, kind)| *kind),
                error.code.to_string(),
                error.message.clone(),
            )
        }
        Error::Driver(other) => (ReasonKind::Disconnected, String::new(), words(other)),
    };
    Reason { kind, code, text }
}

/// Code and text of a failure as free-form statements are told: `1146/42S02`.
pub(super) fn said(error: &Error) -> (String, String) {
    match error {
        Error::Driver(mysql_async::Error::Server(error)) => {
            (format!("{}/{}", error.code, error.state), error.message.clone())
        }
        Error::Silent | Error::Driver(_) => {
            let reason = reason(error);
            (String::new(), reason.text)
        }
    }
}

/// What to do about a refused log-in or statement, by number.
const REMEDIES: &[(u16, &str)] = &[
    (
        1045,
        "give the password in MYSQL_PWD or in the URL, and see that the user may log in from here",
    ),
    (1044, "grant the user its rights on the database"),
    (1049, "create the database, or name another one in the URL"),
    (1046, "name a database in the URL: mysql://USER@HOST/DATABASE"),
    (
        1142,
        "grant the right: CREATE, DROP, INDEX, SELECT, INSERT, UPDATE and DELETE on the database are needed",
    ),
    (1040, "use fewer sessions, or raise max_connections"),
    (
        1193,
        "use MariaDB 10.11.8 or newer: it has innodb_snapshot_isolation",
    ),
    (1290, "the server is read-only: use one that may be written"),
    (1021, "free some space on the server's disk"),
];

/// Why a server cannot be used.
pub(super) fn unusable(url: &str, error: &Error) -> Unusable {
    match error {
        Error::Silent => Unusable::server(url, "the server does not answer", ""),
        Error::Driver(mysql_async::Error::Server(error)) => {
            let remedy = REMEDIES.iter().find(|(code, _)| *code == error.code);
            let what = format!("{} ({})", error.message, error.code);
            Unusable::server(url, what, remedy.map_or("", |(_, remedy)| remedy))
        }
        Error::Driver(other) => Unusable::server(
            url,
            format!("no connection: {}", words(other)),
            "see that the server runs and that the URL names its host and port",
        ),
    }
}

/// What broke, without the driver's boxes around it.
fn words(error: &mysql_async::Error) -> String {
    match error {
        mysql_async::Error::Io(mysql_async::IoError::Io(error)) => error.to_string(),
        other => other.to_string(),
    }
}

/// A host that has no address.
pub(super) fn unreachable(config: &Config, error: &std::io::Error) -> Unusable {
    Unusable::server(
        config.shown.clone(),
        format!("{}: {error}", config.host),
        "see that the URL names its host",
    )
}
