use crate::life::tests::{assert_clean, ending, plan};
use history::{Shape, Status};

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
