//! What becomes of sessions and their statements on a server that other programs use, too: the same on every one of them.

use super::stage::Stage;
use super::tables::two_tables;
use crate::process;
use crate::target::{Gone, OpenOptions, Request};
use history::{Address, Answer, Level, Lts, Reason, ReasonKind, SessionId, Step, Visit};
use std::time::Duration;

/// One step in the notation of histories.
pub(crate) fn step(text: &str) -> Step {
    let visit: Visit = format!("1: {text} | auto").parse().unwrap();
    visit.steps.into_iter().next().unwrap()
}

/// BEGIN of a transaction that writes.
pub(crate) fn begin(level: Level) -> Request<'static> {
    Request::Begin { level, writes: true }
}

/// On a stage whose row t0/0/3 is there.
pub(crate) fn sessions_tell_what_became_of_them(stage: &mut Stage) {
    a_statement_that_waits_outlives_its_client(stage);
    a_waiting_statement_can_be_cancelled(stage);
    a_terminated_session_is_unknown_and_gone(stage);
}

/// The client gives up, the server does not: what waited for a lock happens later.
fn a_statement_that_waits_outlives_its_client(stage: &mut Stage) {
    let (update, read) = (step("update t0/0/3 c4=7"), step("read t0/0/3 select c4"));
    let second = stage.connect();
    stage.ask(0, (3, 0), &begin(Level::ReadCommitted));
    stage.ask(0, (3, 1), &Request::Step(&step("update t0/0/3 c4=5")));
    let at = Address {
        lts: Lts(4),
        attempt: 0,
        step: 0,
    };
    let impatient = |stage: &mut Stage| {
        let session = stage.session(second);
        session
            .execute(at, &Request::Step(&update), Duration::from_millis(300))
            .answer
    };
    let late = impatient(stage);
    let deadline = ReasonKind::Deadline;
    assert!(
        matches!(late, Answer::Unknown(Reason { kind, .. }) if kind == deadline),
        "{late:?}"
    );
    assert!(stage.session(second).broken());
    let again = impatient(stage);
    assert!(
        matches!(again, Answer::Refused(ref r) if r.kind == ReasonKind::Disconnected),
        "a broken session asks nothing"
    );
    let who = stage.session(second).identity();
    stage.drop_session(second);
    assert_eq!(stage.target.gone(&who), Gone::StillThere);
    assert_eq!(stage.ask(0, (3, 2), &Request::Commit), Answer::Affected(0));
    until_gone(stage, &who);
    let seen = stage.ask(0, (5, 0), &Request::Step(&read)).to_string();
    assert_eq!(seen, "rows (-32761)");
}

fn until_gone(stage: &Stage, who: &crate::Identity) {
    for _ in 0..6_000 {
        if stage.target.gone(who) == Gone::Gone {
            return;
        }
        process::pause(Duration::from_millis(10));
    }
    panic!("{who:?} is still there");
}

fn a_waiting_statement_can_be_cancelled(stage: &mut Stage) {
    stage.ask(0, (6, 0), &begin(Level::ReadCommitted));
    stage.ask(0, (6, 1), &Request::Step(&step("update t0/0/3 c4=5")));
    let mut waiting = stage.target.connect(SessionId(9), &stage.schema).unwrap();
    let cancel = waiting.cancel().unwrap();
    let thread = std::thread::spawn(move || {
        let at = Address {
            lts: Lts(7),
            attempt: 0,
            step: 0,
        };
        let update = step("update t0/0/3 c4=8");
        waiting
            .execute(at, &Request::Step(&update), Duration::from_secs(60))
            .answer
    });
    while !thread.is_finished() {
        cancel.cancel().unwrap();
        process::pause(Duration::from_millis(10));
    }
    let answer = thread.join().unwrap();
    assert!(
        matches!(answer, Answer::Refused(ref r) if r.kind == ReasonKind::Cancelled),
        "{answer:?}"
    );
    stage.ask(0, (6, 2), &Request::Rollback);
}

fn a_terminated_session_is_unknown_and_gone(stage: &mut Stage) {
    let victim = stage.connect();
    let who = stage.session(victim).identity();
    let control = stage.target.control().unwrap();
    assert!(control.terminate(&who).unwrap());
    until_gone(stage, &who);
    assert!(!control.terminate(&who).unwrap(), "it was gone already");
    let answer = stage.ask(victim, (8, 0), &Request::Step(&step("read t0/0 select c4")));
    assert!(
        matches!(answer, Answer::Unknown(ref r) if r.kind == ReasonKind::Disconnected),
        "{answer:?}"
    );
    assert!(stage.session(victim).broken());
}

/// On a server of our own.
pub(crate) fn after_kill_9_what_was_acknowledged_is_there(url: &str, options: &OpenOptions) {
    let mut stage = Stage::new(url, options, two_tables);
    let before = stage.target.incarnation().unwrap();
    stage.script("1: insert t0/0/3 c4=100 | commit");
    let open = stage.connect();
    stage.ask(open, (2, 0), &begin(Level::ReadCommitted));
    stage.ask(open, (2, 1), &Request::Step(&step("insert t0/0/4 c4=101")));
    let who = stage.session(open).identity();
    let upstream = stage.target.upstream().unwrap();
    let control = stage.target.control().unwrap();
    control.kill9().unwrap();
    let commit = stage.ask(open, (2, 2), &Request::Commit);
    assert!(
        matches!(commit, Answer::Unknown(ref r) if r.kind == ReasonKind::Disconnected),
        "{commit:?}"
    );
    assert!(
        matches!(stage.target.gone(&who), Gone::CannotTell(_)),
        "nobody answers"
    );
    control.restart().unwrap();
    assert_eq!(upstream, stage.target.upstream().unwrap(), "P1");
    assert_ne!(before, stage.target.incarnation().unwrap());
    assert_eq!(stage.target.gone(&who), Gone::Gone);
    let fresh = stage.connect();
    let read = step("read t0/0 select c4");
    let seen = stage.ask(fresh, (3, 0), &Request::Step(&read)).to_string();
    assert_eq!(seen, "rows (-32668)");
}
