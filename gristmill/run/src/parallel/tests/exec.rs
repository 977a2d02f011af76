//! Databases behind a program of somebody's: `exec:COMMAND`.

use super::{assert_silent, ending, plan};
use crate::life::tests::{assert_clean, plan as visits};
use history::Kind;

/// The example of this repository; `None` where there is no Python to run it with.
fn example() -> Option<&'static str> {
    let there = std::process::Command::new("python3")
        .arg("--version")
        .output()
        .is_ok();
    assert!(
        there || std::env::var("CI").as_deref() != Ok("true"),
        "python3 is not installed"
    );
    if !there {
        println!("left out: python3 is not installed");
    }
    there.then_some(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../examples/exec_sqlite.py"
    ))
}

#[test]
fn both_workloads_run_through_a_program_and_find_nothing_wrong() {
    let Some(path) = example() else { return };
    let url = format!("exec:python3 {path}");
    let store = tempfile::tempdir().unwrap();
    let statements = plan(&url, "seed=1 visits=400 sessions=4 complexity=dml");
    assert_silent(&ending(&statements, store.path()).verdict);
    let partitions = visits(&url, "sessions=3 visits=300 settle=60s deadline=20s");
    assert_clean(&ending(&partitions, store.path()).verdict);
}

#[test]
fn a_program_that_crashes_is_a_finding_and_the_run_goes_on() {
    let Some(path) = example() else { return };
    let store = tempfile::tempdir().unwrap();
    let whole = std::fs::read_to_string(path).unwrap();
    let crashing = whole.replace(
        "    for line in sys.stdin:\n",
        "    for number, line in enumerate(sys.stdin):\n        if hello['session'] == 2 and number == 30:\n            \
         __import__('os').abort()\n",
    );
    assert_ne!(whole, crashing);
    let script = store.path().join("crashing.py");
    std::fs::write(&script, crashing).unwrap();
    let plan = plan(
        &format!("exec:python3 {}", script.display()),
        "seed=1 visits=300 sessions=3 complexity=dml stop=never",
    );
    let verdict = ending(&plan, store.path()).verdict;
    assert!(!verdict.causes.is_empty());
    for cause in &verdict.causes {
        assert_eq!(cause.finding.kind, Kind::Crash, "{cause:#?}");
        assert!(cause.seen.contains("by signal 6"), "{}", cause.seen);
    }
    assert!(verdict.visits["committed"] > 100, "{:?}", verdict.visits);
}
