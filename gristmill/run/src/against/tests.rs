use super::*;
use crate::life::tests::{assert_clean, ending, plan};
use history::Status;

#[test]
fn two_databases_that_tell_the_truth_agree() {
    let store = tempfile::tempdir().unwrap();
    for flags in [
        "sessions=1 visits=400 against=reference:",
        "sessions=4 visits=800 against=reference:",
        "sessions=4 visits=800 against=reference: discipline=lww",
    ] {
        let verdict = ending(&plan("sqlite:", flags), store.path()).verdict;
        assert_clean(&verdict);
        let words = &verdict.setup["against"];
        let compared: u64 = words.split(' ').nth(1).unwrap().parse().unwrap();
        assert!(
            compared > if flags.contains("lww") { 200 } else { 500 },
            "{words}"
        );
    }
}

#[test]
fn lies_are_told_by_the_comparison_alone() {
    let store = tempfile::tempdir().unwrap();
    for lie in ["forgotten_row", "wrong_cell", "extra_row", "lost_update"] {
        let flags = format!("sessions=4 visits=3000 check=none against=sqlite: lie:{lie}=1/20");
        let verdict = ending(&plan("reference:", &flags), store.path()).verdict;
        assert_eq!(verdict.status, Status::Finding, "{lie}: {:?}", verdict.setup);
        assert_eq!(verdict.counts.answers, 0, "{lie}: nothing was judged");
        let cause = &verdict.causes[0];
        assert!(
            matches!(cause.finding.shape, Shape::Disagreement { .. }),
            "{cause:#?}"
        );
        assert!(!cause.statements.is_empty(), "{cause:#?}");
    }
}

#[test]
fn lies_are_told_by_the_comparison_alone_where_visits_race() {
    let store = tempfile::tempdir().unwrap();
    for lie in ["static_lost", "wrong_timestamp"] {
        let flags =
            format!("sessions=4 visits=3000 check=none against=sqlite: discipline=lww lie:{lie}=1/20");
        let verdict = ending(&plan("reference:", &flags), store.path()).verdict;
        assert_eq!(verdict.status, Status::Finding, "{lie}: {:?}", verdict.setup);
        let cause = &verdict.causes[0];
        assert!(
            matches!(cause.finding.shape, Shape::Disagreement { .. }),
            "{cause:#?}"
        );
    }
}

#[test]
fn what_set_a_partition_apart_is_known_to_a_later_life() {
    let store = tempfile::tempdir().unwrap();
    let plan = plan(
        "reference:",
        "sessions=1 visits=40 against=reference: discipline=lww",
    );
    let folder = crate::life::new_folder(&plan, store.path()).unwrap();
    let environment = crate::life::environment(None);
    let files = crate::life::targets_folder(&folder).unwrap();
    let first = crate::life::open_target(&plan, &files, &environment, Default::default()).unwrap();
    let open = || {
        Against::open(&plan, &folder, &environment, first.as_ref())
            .unwrap()
            .unwrap()
    };
    let part = |position| Part { table: 0, position };
    let before = open();
    {
        let mut shadow = Shadow::new(&before, SessionId(1));
        shadow.writes.insert(part(3));
        before.state.lock().change(part(3), |standing| standing.open += 1);
        shadow.end(false);
    }
    // The last visit that was begun was open when the worker died.
    let visits = crate::life::history(&plan).unwrap();
    let tracker = TrackerFile::create(&folder.tracker()).unwrap();
    let mut writes = (1..=40)
        .map(Lts)
        .filter(|lts| visits.visit(*lts).is_some_and(|v| !v.writes.is_empty()));
    let last = writes.next_back().unwrap();
    for lts in (1..=last.0).map(Lts) {
        tracker.reserve(lts).unwrap();
        tracker.begin(lts, 0, SessionId(1));
        tracker.sent(lts, Tick(2 * lts.0));
        if lts < last {
            tracker.end(lts, history::Outcome::Committed, Tick(2 * lts.0 + 1));
        }
    }
    let after = open();
    after.go_on(&tracker, visits.as_ref()).unwrap();
    let apart = after.state.lock().apart.clone();
    assert_eq!(apart.get(&part(3)), Some(&NOT_ALIKE));
    let open = visits.visit(last).unwrap().writes[0];
    assert!(apart.contains_key(&open), "{apart:?}");
    // Others are compared as before.
    let all = (1..=last.0)
        .filter_map(|lts| visits.visit(Lts(lts)))
        .flat_map(|visit| visit.writes);
    assert!(
        all.into_iter().any(|part| !apart.contains_key(&part)),
        "{apart:?}"
    );
}
