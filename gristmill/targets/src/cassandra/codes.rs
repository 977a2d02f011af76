//! What the driver reports, and what it means to us. A table of the server's errors, and a few words about the rest.
//!
//! Source: native_protocol_v4.spec, section 9 ("Error codes"); which of them are promises that nothing happened:
//! `StorageProxy.mutate` of 5.0 (a coordinator may say OVERLOADED after some replicas were sent the write).

#[cfg(test)]
mod tests;

use history::{Answer, Reason, ReasonKind};
use scylla::errors::{
    ConnectionPoolError, DbError, ExecutionError, NewSessionError, PrepareError, RequestAttemptError,
};

/// What an error makes of the statement, and of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) answer: Answer,
    /// The connection can be asked nothing more.
    pub(super) broken: bool,
}

/// The server has forgotten a prepared statement, for want of memory.
const UNPREPARED: i32 = 0x2500;

/// Whether the server did nothing but say that it has forgotten the statement.
pub(super) fn is_unprepared(verdict: &Verdict) -> bool {
    matches!(&verdict.answer, Answer::Refused(reason) if reason.code == code_words(UNPREPARED))
}

fn code_words(code: i32) -> String {
    format!("0x{code:04X}")
}

/// What the server's error means: its code in the protocol, its kind, and whether a write certainly did not happen.
/// That it gave up waiting for replicas, or for another lightweight transaction, is how it says that it is busy.
fn of_server(error: &DbError) -> (i32, ReasonKind, bool) {
    use ReasonKind::{Busy, Other, Unavailable};
    match error {
        DbError::ServerError => (0x0000, Other, false),
        DbError::ProtocolError => (0x000A, Other, true),
        DbError::AuthenticationError => (0x0100, Other, true),
        DbError::Unavailable { .. } => (0x1000, Unavailable, true),
        DbError::Overloaded => (0x1001, Busy, false),
        DbError::IsBootstrapping => (0x1002, Unavailable, true),
        DbError::TruncateError => (0x1003, Other, false),
        DbError::WriteTimeout { .. } => (0x1100, Busy, false),
        DbError::ReadTimeout { .. } => (0x1200, Busy, false),
        DbError::ReadFailure { .. } => (0x1300, Other, false),
        DbError::FunctionFailure { .. } => (0x1400, Other, true),
        DbError::WriteFailure { .. } => (0x1500, Other, false),
        DbError::SyntaxError => (0x2000, Other, true),
        DbError::Unauthorized => (0x2100, Other, true),
        DbError::Invalid => (0x2200, Other, true),
        DbError::ConfigError => (0x2300, Other, true),
        DbError::AlreadyExists { .. } => (0x2400, ReasonKind::Duplicate, true),
        DbError::Unprepared { .. } => (UNPREPARED, Busy, true),
        // CAS_WRITE_UNKNOWN: another lightweight transaction came between.
        DbError::Other(0x1700) => (0x1700, Busy, false),
        _ => (-1, Other, false),
    }
}

/// The verdict over a failed statement. A read that failed changed nothing, but one that timed out says nothing either.
pub(super) fn verdict(error: &ExecutionError, writes: bool) -> Verdict {
    match error {
        ExecutionError::LastAttemptError(RequestAttemptError::DbError(db, text)) => said(db, text, writes),
        ExecutionError::PrepareError(PrepareError::AllAttemptsFailed { first_attempt }) => {
            match first_attempt {
                // Preparing executes nothing.
                RequestAttemptError::DbError(db, text) => Verdict {
                    answer: Answer::Refused(reason(db, text)),
                    broken: false,
                },
                other => unsent(&other.to_string()),
            }
        }
        ExecutionError::PrepareError(other) => unsent(&other.to_string()),
        ExecutionError::ConnectionPoolError(pool) => unsent(&pool_words(pool)),
        ExecutionError::EmptyPlan | ExecutionError::UseKeyspaceError(_) | ExecutionError::BadQuery(_) => {
            unsent(&error.to_string())
        }
        ExecutionError::RequestTimeout(_) => Verdict {
            answer: Answer::Unknown(words(ReasonKind::Deadline, "no answer within the deadline")),
            broken: true,
        },
        other => Verdict {
            answer: Answer::Unknown(words(ReasonKind::Disconnected, &other.to_string())),
            broken: true,
        },
    }
}

fn said(db: &DbError, text: &str, writes: bool) -> Verdict {
    let (_, _, promise) = of_server(db);
    let reason = reason(db, text);
    let late = matches!(db, DbError::ReadTimeout { .. });
    let answer = if promise || !writes && !late {
        Answer::Refused(reason)
    } else {
        Answer::Unknown(reason)
    };
    Verdict {
        answer,
        broken: false,
    }
}

fn reason(db: &DbError, text: &str) -> Reason {
    let (code, kind, _) = of_server(db);
    Reason {
        kind,
        code: if code < 0 { String::new() } else { code_words(code) },
        text: text.to_owned(),
    }
}

/// Nothing was sent, so nothing happened; but who cannot send cannot go on.
fn unsent(text: &str) -> Verdict {
    Verdict {
        answer: Answer::Refused(words(ReasonKind::Disconnected, text)),
        broken: true,
    }
}

/// A reason that the server gave no code for.
pub(super) fn words(kind: ReasonKind, text: &str) -> Reason {
    Reason {
        kind,
        code: String::new(),
        text: text.to_owned(),
    }
}

fn pool_words(pool: &ConnectionPoolError) -> String {
    match pool {
        ConnectionPoolError::Broken {
            last_connection_error,
        } => {
            format!("no connection: {}", chain(last_connection_error))
        }
        other => other.to_string(),
    }
}

/// What, and the remedy, of a connection that cannot be made.
pub(super) fn complaint(error: &NewSessionError) -> (String, &'static str) {
    let text = chain(error);
    let remedy = if text.contains("redentials") || text.contains("sername") || text.contains("uthenticat") {
        "give the user in the URL, and the password there or in CASSANDRA_PASSWORD"
    } else if matches!(error, NewSessionError::UseKeyspaceError(_)) {
        "create the keyspace, or leave it out of the URL: then one is made for the run"
    } else {
        "see that the server runs and that the URL names its host and its port for CQL (9042)"
    };
    (format!("no connection: {text}"), remedy)
}

/// An error with all that it was caused by, each said once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause.source();
    }
    text
}

/// What can be done about a question that was refused.
pub(super) fn remedy(reason: &Reason) -> &'static str {
    match (reason.code.as_str(), reason.kind) {
        ("0x2100", _) => {
            "grant the right, or use a user that has it: CREATE, DROP, SELECT and MODIFY are needed"
        }
        ("0x2300", _) => "see rf= and dc= in the URL",
        (_, ReasonKind::Unavailable) => "see that as many nodes are up as rf= and consistency= ask for",
        (_, ReasonKind::Busy | ReasonKind::Deadline) => "see that the server is not overloaded",
        (_, ReasonKind::Disconnected) => "see that the server runs",
        _ => "",
    }
}
