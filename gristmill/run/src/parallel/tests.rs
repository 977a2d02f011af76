//! Whole runs of the parallel workload: truthful databases without a finding, a broken one found, the same again.

use super::trace::{Record, read};
use super::{Recorded, live};
use crate::life::tests::postgres::installed;
use crate::life::{Circumstances, Ending, new_folder, run};
use crate::plan::{Plan, Settings};
use history::parallel::Said;
use history::{Progress, Status, Verdict, Watcher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A server of our own; its machine does not die, so it needs no fsync.
const LOCAL: &str = "postgres:local?set=fsync=off";

struct Nobody;

impl Watcher for Nobody {
    fn see(&mut self, _: &Progress) {}
}

fn plan(target: &str, keys: &str) -> Plan {
    let mut settings = Settings::default();
    settings.set("workload", "parallel", "test").unwrap();
    settings.set("target", target, "test").unwrap();
    for pair in keys.split_whitespace() {
        let (key, value) = pair.split_once('=').unwrap();
        settings.set(key, value, "test").unwrap();
    }
    settings.plan(&crate::life::environment(None)).unwrap()
}

fn ending(plan: &Plan, store: &Path) -> Ending {
    run(plan, store, None, &mut Nobody).unwrap()
}

/// No finding, and something was done.
fn assert_silent(verdict: &Verdict) {
    assert!(verdict.causes.is_empty(), "{:#?}", verdict.causes);
    assert_ne!(verdict.status, Status::Finding);
    let of = verdict.statements.as_ref().unwrap();
    assert!(of.quiet > 0 && of.objects > 0, "{of:?}");
    assert!(verdict.visits["committed"] > 100, "{:?}", verdict.visits);
}

/// What a session said and was answered: bytes, codes, digests.
fn said(folder: &Path) -> Vec<String> {
    let words = |record: Record<'_>| match record {
        Record::Sent { op, sql, .. } => Some(format!("{} {sql}", op.at)),
        Record::Answered { at, answer, .. } => Some(format!(
            "{at} {:?} {}",
            answer.state,
            match answer.said {
                Said::Done {
                    rows: Some(table), ..
                } => format!("{} {:x}", table.count, table.digest),
                Said::Done { tag, affected, .. } => format!("{tag} {affected:?}"),
                Said::Refused { code, .. } => format!("refused {code}"),
                Said::Unknown { code, .. } => format!("unknown {code}"),
            }
        )),
        _ => None,
    };
    read(folder).unwrap().into_iter().filter_map(words).collect()
}

/// Runs the recorded statements of a folder in a folder of their own.
fn again(plan: &Plan, recorded: &Path, store: &Path) -> (Verdict, PathBuf) {
    let folder = new_folder(plan, store).unwrap();
    let circumstances = Circumstances {
        recorded: Some(Arc::new(Recorded::read(recorded).unwrap())),
        ..Circumstances::default()
    };
    let verdict = live(&folder, plan.clone(), &circumstances, &mut Nobody).unwrap();
    (verdict, folder.path().to_owned())
}

#[test]
fn sessions_that_write_and_read_sqlite_under_each_other_find_nothing_wrong() {
    let store = tempfile::tempdir().unwrap();
    for seed in ["1", "2"] {
        let plan = plan(
            "sqlite:",
            &format!("seed={seed} visits=900 sessions=6 complexity=dml"),
        );
        assert_silent(&ending(&plan, store.path()).verdict);
    }
}

#[test]
fn sessions_that_write_and_read_postgres_under_each_other_find_nothing_wrong_and_leave_nothing() {
    if !installed() {
        return;
    }
    let store = tempfile::tempdir().unwrap();
    let plan = plan(LOCAL, "seed=1 visits=600 sessions=8 complexity=dml");
    let verdict = ending(&plan, store.path()).verdict;
    assert_silent(&verdict);
    assert!(
        !verdict.doubts.iter().any(|doubt| doubt.contains("still there")),
        "{:?}",
        verdict.doubts
    );
}

#[test]
fn cancelled_statements_are_explained_by_the_cancel_that_we_sent() {
    if !installed() {
        return;
    }
    let store = tempfile::tempdir().unwrap();
    let verdict = ending(
        &plan(
            LOCAL,
            "seed=3 visits=600 sessions=8 scenario=cancel complexity=dml",
        ),
        store.path(),
    )
    .verdict;
    assert_silent(&verdict);
    assert!(verdict.faults["cancel"] > 0, "{:?}", verdict.faults);
}

#[test]
fn one_session_of_a_counted_length_says_and_hears_the_same_again() {
    let store = tempfile::tempdir().unwrap();
    let plan = plan("sqlite:", "seed=5 visits=400 sessions=1 complexity=ddl");
    let first = ending(&plan, store.path());
    let second = ending(&plan, store.path());
    let (first, second) = (said(&first.folder), said(&second.folder));
    assert!(first.len() >= 800, "{}", first.len());
    assert_eq!(first, second);
}

#[test]
fn a_recorded_run_is_sent_again_byte_by_byte_and_judged_again() {
    let store = tempfile::tempdir().unwrap();
    let one = plan("sqlite:", "seed=6 visits=300 sessions=1 complexity=ddl");
    let first = ending(&one, store.path());
    let (verdict, folder) = again(&one, &first.folder, store.path());
    assert_silent(&verdict);
    assert_eq!(said(&first.folder), said(&folder));
    assert!(
        verdict.setup["replayed"].contains(" 0 answered otherwise, 0 not at"),
        "{:?}",
        verdict.setup
    );
    let many = plan("sqlite:", "seed=7 visits=600 sessions=4 complexity=dml");
    let first = ending(&many, store.path());
    let (verdict, folder) = again(&many, &first.folder, store.path());
    assert!(verdict.causes.is_empty(), "{:#?}", verdict.causes);
    let sent = |folder: &Path| {
        let mut all: Vec<String> = read(folder)
            .unwrap()
            .into_iter()
            .filter_map(|record| match record {
                Record::Sent { op, sql, .. } => Some(format!("{} {sql}", op.at)),
                _ => None,
            })
            .collect();
        all.sort_unstable();
        all
    };
    assert_eq!(sent(&first.folder), sent(&folder));
}
