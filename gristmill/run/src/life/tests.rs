mod again;
mod agents;
mod changes;
mod kept;
mod lww;
pub(crate) mod mysql;
mod paced;
mod pooled;
pub(crate) mod postgres;
mod resumed;
mod stages;
mod stalled;
mod visits;

use super::{Ending, run};
use crate::plan::{Plan, Settings};
use history::{Certainty, Kind, Progress, Status, Verdict, Watcher};
use std::path::Path;

/// Keeps everything that it sees.
#[derive(Default)]
pub(crate) struct Seen(pub(crate) Vec<Progress>);

impl Watcher for Seen {
    fn see(&mut self, progress: &Progress) {
        self.0.push(progress.clone());
    }
}

/// A plan from flags: `sessions=4 visits=200 lie:dirty_read=1/10 fault:cancel=1/100`.
pub(crate) fn plan(target: &str, flags: &str) -> Plan {
    let mut settings = Settings {
        target: Some(target.to_owned()),
        ..Settings::default()
    };
    settings.set("seed", "7b3f0c", "test").unwrap();
    for flag in flags.split_whitespace() {
        if let Some(lie) = flag.strip_prefix("lie:") {
            settings.lie(lie, "test").unwrap();
        } else if let Some(fault) = flag.strip_prefix("fault:") {
            settings.fault(fault, "test").unwrap();
        } else {
            let (key, value) = flag.split_once('=').unwrap();
            settings.set(key, &value.replace('+', " "), "test").unwrap();
        }
    }
    settings.plan(&super::environment(None)).unwrap()
}

pub(crate) fn ending(plan: &Plan, store: &Path) -> Ending {
    run(plan, store, None, &mut Seen::default()).unwrap()
}

/// What is wrong with a verdict that should be clean.
pub(crate) fn assert_clean(verdict: &Verdict) {
    let why: Vec<String> = verdict
        .causes
        .iter()
        .map(|c| {
            format!(
                "{} times {}: {} {} {:#?} {:#?}",
                c.times,
                c.finding.signature(),
                c.seen,
                c.proof,
                c.statements,
                c.finding
            )
        })
        .collect();
    assert_eq!(
        verdict.status,
        Status::Clean,
        "{why:#?} {:#?} {:?} {:?}",
        verdict.doubts,
        verdict.counts,
        verdict.visits
    );
}

#[test]
fn the_truthful_reference_is_clean() {
    let store = tempfile::tempdir().unwrap();
    let verdict = ending(&plan("reference:", "sessions=4 visits=2000"), store.path()).verdict;
    assert_clean(&verdict);
    assert!(
        verdict.counts.overlapped > 0,
        "sessions overlap: {:?}",
        verdict.counts
    );
}

#[test]
fn sqlite_is_clean() {
    let store = tempfile::tempdir().unwrap();
    assert_clean(&ending(&plan("sqlite:", "sessions=4 visits=1000"), store.path()).verdict);
}

#[test]
fn a_lie_is_found_counted_and_shown_with_its_statements() {
    let store = tempfile::tempdir().unwrap();
    let plan = plan(
        "reference:",
        "sessions=2 visits=3000 stop=never lie:forgotten_row=1/20",
    );
    let verdict = ending(&plan, store.path()).verdict;
    assert_eq!(verdict.status, Status::Finding);
    let times: u64 = verdict.causes.iter().map(|c| c.times).sum();
    assert!(
        times > verdict.causes.len() as u64,
        "repeats of one cause are counted"
    );
    for cause in &verdict.causes {
        assert!(!cause.statements.is_empty(), "{cause:#?}");
    }
    // What a lie hides may look like a visit that came later, and then the truth that contradicts it is told as well.
    assert!(verdict.lies["forgotten_row"] > 0, "{:?}", verdict.lies);
}

#[test]
fn the_first_finding_ends_the_load() {
    let store = tempfile::tempdir().unwrap();
    let plan = plan("reference:", "sessions=2 visits=1000000 lie:wrong_cell=1/2");
    let verdict = ending(&plan, store.path()).verdict;
    assert_eq!(verdict.status, Status::Finding);
    let visits: u64 = verdict
        .visits
        .iter()
        .filter(|(k, _)| *k != "writing")
        .map(|(_, n)| n)
        .sum();
    assert!(visits < 100_000, "{visits}");
}

#[test]
fn what_a_crash_loses_is_a_question_of_durability() {
    let store = tempfile::tempdir().unwrap();
    let plan = plan(
        "reference:",
        "sessions=4 visits=3000 fault:kill=1/500 lie:lost_on_crash=1/1",
    );
    let verdict = ending(&plan, store.path()).verdict;
    assert_eq!(verdict.status, Status::Finding);
    assert!(
        verdict.causes.iter().any(|c| c.finding.kind == Kind::Durability),
        "{:#?}",
        verdict.causes
    );
    let likely = verdict
        .causes
        .iter()
        .filter(|c| c.finding.certainty != Certainty::Certain);
    assert_eq!(
        likely.count(),
        0,
        "what a probe shows is judged twice, too: {:#?}",
        verdict.causes
    );
}
