//! Two runs of one plan, byte for byte.

use super::{assert_clean, ending, plan};
use crate::plan::Plan;
use history::Status;
use history::artefact::Folder;
use history::log::masked;

/// The log of a run of this plan but for its times, with so many checkers.
fn log(plan: &Plan, checkers: u16) -> Vec<u8> {
    let store = tempfile::tempdir().unwrap();
    let ending = ending(
        &Plan {
            checkers,
            ..plan.clone()
        },
        store.path(),
    );
    if ending.verdict.status != Status::Finding {
        assert_clean(&ending.verdict);
    }
    masked(&Folder::open(&ending.folder).unwrap().log()).unwrap()
}

fn same(target: &str, flags: &str) {
    let plan = plan(target, flags);
    let first = log(&plan, 1);
    assert!(first.len() > 1000, "the log holds the run");
    for checkers in [1, 2, 4] {
        assert!(
            log(&plan, checkers) == first,
            "{target} {flags}: {checkers} checkers give another log"
        );
    }
}

#[test]
fn one_session_writes_the_same_log_twice() {
    same("reference:", "sessions=1 visits=300");
    same("sqlite:", "sessions=1 visits=300");
}

#[test]
fn in_lock_step_many_sessions_write_the_same_log_twice() {
    same("reference:", "sessions=5 visits=300 pace=lock-step");
    same("sqlite:", "sessions=5 visits=300 pace=lock-step");
}

#[test]
fn in_lock_step_a_lie_stops_the_load_at_the_same_visit() {
    same(
        "reference:",
        "sessions=3 visits=3000 pace=lock-step lie:wrong_cell=1/500",
    );
}
