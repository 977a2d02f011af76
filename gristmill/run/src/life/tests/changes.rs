//! Indexes and columns that come and go while visits go on.

use super::{assert_clean, ending, plan};
use crate::look::{Look, look};
use crate::recheck::recheck;
use history::artefact::Folder;
use history::{Discipline, Status};

#[test]
fn columns_and_indexes_come_and_go_and_a_truthful_database_is_clean() {
    let store = tempfile::tempdir().unwrap();
    let plan = plan(
        "reference:",
        "discipline=lww sessions=4 visits=4000 stop=never fault:alter=1/100 fault:index=1/60",
    );
    let ending = ending(&plan, store.path());
    assert_clean(&ending.verdict);
    let exercised = &ending.verdict.counts.exercised;
    for kind in [
        "drop-column",
        "add-column",
        "create-index",
        "drop-index",
        "read-after-alter",
        "read-after-index",
        "read-by-index",
    ] {
        assert!(
            exercised.get(kind).is_some_and(|n| *n > 5),
            "{kind}: {exercised:?}"
        );
    }
    let sum = |kinds: [&str; 2]| kinds.iter().map(|kind| exercised[*kind]).sum::<u64>();
    let faults = &ending.verdict.faults;
    assert_eq!(faults["alter"], sum(["drop-column", "add-column"]), "{faults:?}");
    assert_eq!(faults["index"], sum(["create-index", "drop-index"]), "{faults:?}");
    let folder = Folder::open(&ending.folder).unwrap();
    let again = recheck(&folder).unwrap();
    assert_eq!((again.causes.len(), Some(again.held)), (0, again.of));
}

#[test]
fn an_index_that_comes_and_goes_changes_no_answer_under_either_discipline() {
    for discipline in ["ordered", "lww"] {
        let store = tempfile::tempdir().unwrap();
        let flags =
            format!("discipline={discipline} sessions=4 visits=1500 fault:index=1/50 fault:flush=1/100");
        let ending = ending(&plan("sqlite:", &flags), store.path());
        assert_clean(&ending.verdict);
        let exercised = &ending.verdict.counts.exercised;
        for kind in [
            "create-index",
            "drop-index",
            "read-after-index",
            "read-after-flush",
        ] {
            assert!(exercised.contains_key(kind), "{kind}: {exercised:?}");
        }
    }
}

#[test]
fn a_dropped_column_that_comes_back_with_its_old_values_is_found_and_found_again() {
    let store = tempfile::tempdir().unwrap();
    let plan = plan(
        "reference:",
        "discipline=lww sessions=4 visits=6000 stop=never fault:alter=1/60 lie:resurrected_column=1/1",
    );
    assert_eq!(plan.discipline, Discipline::Lww);
    let ending = ending(&plan, store.path());
    assert_eq!(
        ending.verdict.status,
        Status::Finding,
        "{:?}",
        ending.verdict.counts
    );
    let cites = |c: &history::verdict::Cause| c.statements.iter().any(|s| s.sql.contains("DROP"));
    assert!(
        ending.verdict.causes.iter().any(cites),
        "{:#?}",
        ending.verdict.causes
    );
    let folder = Folder::open(&ending.folder).unwrap();
    assert!(!recheck(&folder).unwrap().causes.is_empty());
}

#[test]
fn what_a_run_with_indexes_left_behind_is_compared() {
    let store = tempfile::tempdir().unwrap();
    let plan = plan("sqlite:", "sessions=4 visits=600 keep=true fault:index=1/50");
    let ending = ending(&plan, store.path());
    assert_clean(&ending.verdict);
    let folder = Folder::open(&ending.folder).unwrap();
    let looked = look(&folder, &Look::default(), &mut super::Seen::default()).unwrap();
    assert!(looked.causes.is_empty() && looked.partitions > 0, "{looked:?}");
}
