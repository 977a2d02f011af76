//! What is a promise and what is not, error by error.

use super::{Verdict, verdict};
use history::{Answer, ReasonKind};
use scylla::errors::{ConnectionPoolError, DbError, ExecutionError, RequestAttemptError, WriteType};
use scylla::statement::Consistency;
use std::time::Duration;

fn of(error: DbError, writes: bool) -> Verdict {
    let error = RequestAttemptError::DbError(error, "so it says".to_owned());
    verdict(&ExecutionError::LastAttemptError(error), writes)
}

#[test]
fn only_a_promise_refuses_a_write() {
    let consistency = Consistency::Quorum;
    let unavailable = DbError::Unavailable {
        consistency,
        required: 2,
        alive: 1,
    };
    let write_timeout = DbError::WriteTimeout {
        consistency,
        received: 1,
        required: 2,
        write_type: WriteType::Simple,
    };
    let write_failure = DbError::WriteFailure {
        consistency,
        received: 1,
        required: 2,
        numfailures: 1,
        write_type: WriteType::Batch,
    };
    let read_timeout = DbError::ReadTimeout {
        consistency,
        received: 1,
        required: 2,
        data_present: false,
    };
    let read_failure = DbError::ReadFailure {
        consistency,
        received: 0,
        required: 1,
        numfailures: 1,
        data_present: false,
    };
    use ReasonKind::{Busy, Other, Unavailable};
    for (error, writes, refused, kind, code) in [
        (unavailable.clone(), true, true, Unavailable, "0x1000"),
        (unavailable, false, true, Unavailable, "0x1000"),
        (write_timeout, true, false, Busy, "0x1100"),
        (write_failure, true, false, Other, "0x1500"),
        (DbError::Overloaded, true, false, Busy, "0x1001"),
        (DbError::Overloaded, false, true, Busy, "0x1001"),
        (DbError::IsBootstrapping, true, true, Unavailable, "0x1002"),
        (DbError::ServerError, true, false, Other, "0x0000"),
        (DbError::ServerError, false, true, Other, "0x0000"),
        (read_timeout, false, false, Busy, "0x1200"),
        (read_failure, false, true, Other, "0x1300"),
        (DbError::Invalid, true, true, Other, "0x2200"),
        (DbError::SyntaxError, true, true, Other, "0x2000"),
        (DbError::Unauthorized, true, true, Other, "0x2100"),
        (DbError::Other(0x1700), true, false, Busy, "0x1700"),
        (DbError::Other(0x7777), true, false, Other, ""),
    ] {
        let Verdict { answer, broken } = of(error.clone(), writes);
        let (said, reason) = match answer {
            Answer::Refused(reason) => (true, reason),
            Answer::Unknown(reason) => (false, reason),
            other => panic!("{error:?}: {other:?}"),
        };
        assert_eq!(
            (said, reason.kind, reason.code.as_str()),
            (refused, kind, code),
            "{error:?} writes: {writes}"
        );
        assert!(!broken, "{error:?}: the connection is as good as before");
    }
}

#[test]
fn only_a_forgotten_statement_is_prepared_again() {
    let said = |error: DbError| {
        let error = ExecutionError::LastAttemptError(RequestAttemptError::DbError(error, String::new()));
        super::is_unprepared(&verdict(&error, true))
    };
    let forgotten = DbError::Unprepared {
        statement_id: vec![1].into(),
    };
    assert!(said(forgotten));
    assert!(!said(DbError::Overloaded) && !said(DbError::Invalid) && !said(DbError::IsBootstrapping));
}

#[test]
fn what_was_never_sent_never_happened_and_silence_says_nothing() {
    let unsent = verdict(
        &ExecutionError::ConnectionPoolError(ConnectionPoolError::Initializing),
        true,
    );
    assert!(matches!(&unsent.answer, Answer::Refused(r) if r.kind == ReasonKind::Disconnected));
    let silent = verdict(&ExecutionError::RequestTimeout(Duration::from_secs(1)), true);
    assert!(matches!(&silent.answer, Answer::Unknown(r) if r.kind == ReasonKind::Deadline));
    let strange = verdict(
        &ExecutionError::LastAttemptError(RequestAttemptError::UnableToAllocStreamId),
        true,
    );
    assert!(matches!(&strange.answer, Answer::Unknown(r) if r.kind == ReasonKind::Disconnected));
    assert!(unsent.broken && silent.broken && strange.broken);
}
