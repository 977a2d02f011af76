//! Whole runs of the parallel workload: truthful databases without a finding, a broken one found, the same again.

mod exec;
mod faults;
mod hidden;
mod outside;
mod planted;
mod server;

use super::trace::{Record, read};
use super::{Recorded, bare, live};
use crate::life::tests::postgres::installed;
use crate::life::{Circumstances, Ending, new_folder, run};
use crate::plan::{Plan, Settings};
use crate::shrink::{self, Shrunk};
use crate::supervisor::{Supervision, no_interrupts};
use history::artefact::Folder;
use history::parallel::{Family, Said};
use history::verdict::Cause;
use history::{Kind, Progress, SessionId, Status, Verdict, Watcher};
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
    // Every run has every action.
    settings.set("swarm", "off", "test").unwrap();
    for pair in keys.split_whitespace() {
        match pair.strip_prefix("lie:") {
            Some(lie) => settings.lie(lie, "test").unwrap(),
            None => {
                let (key, value) = pair.split_once('=').unwrap();
                settings.set(key, value, "test").unwrap();
            }
        }
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

/// Whatever a statement's text names is in its footprint, which is all that the model looks at (P5).
fn assert_named(folder: &Path) {
    for record in read(folder).unwrap() {
        if let Record::Sent { op, sql, .. } = record {
            assert_eq!(targets::parallel::strangers(&op, &sql), [], "{}: {sql}", op.at);
        }
    }
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
    let ending = ending(&plan, store.path());
    assert_named(&ending.folder);
    let verdict = ending.verdict;
    assert_silent(&verdict);
    assert!(
        !verdict.doubts.iter().any(|doubt| doubt.contains("still there")),
        "{:?}",
        verdict.doubts
    );
}

#[test]
fn what_a_run_recorded_is_sent_bare_and_succeeds_as_before() {
    let store = tempfile::tempdir().unwrap();
    let plan = plan("sqlite:", "seed=5 visits=300 sessions=1 complexity=dml");
    let ending = ending(&plan, store.path());
    let folder = copied(&ending.folder, store.path());
    let bare = bare(&folder, None).unwrap();
    let recorded = Recorded::read(&folder).unwrap();
    let sent = recorded.of_session(SessionId(1));
    let oracles = |done: bool| {
        let of = sent.iter().filter(|s| (s.op.family == Family::Oracle) == done);
        of.filter(|s| done || s.was_done()).count() as u64
    };
    assert_eq!(
        (bare.sent, bare.both, bare.oracles),
        (sent.len() as u64, oracles(false), oracles(true))
    );
    assert!(bare.both > 100 && bare.oracles > 0, "{bare:?}");
}

/// The plan and the trace of a folder in one that has no database.
fn copied(folder: &Path, store: &Path) -> PathBuf {
    let to = store.join("bare");
    std::fs::create_dir(&to).unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
    to
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
    assert_named(&first.folder);
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

#[test]
fn sessions_that_write_and_read_mariadb_under_each_other_find_nothing_wrong_and_leave_nothing() {
    if !crate::life::tests::mysql::installed() {
        return;
    }
    let store = tempfile::tempdir().unwrap();
    let local = "mysql:local?set=innodb_flush_log_at_trx_commit=2";
    let plan = plan(local, "seed=1 visits=600 sessions=8 complexity=dml");
    let verdict = ending(&plan, store.path()).verdict;
    assert_silent(&verdict);
    assert!(
        !verdict.doubts.iter().any(|doubt| doubt.contains("still there")),
        "{:?}",
        verdict.doubts
    );
}

#[test]
fn a_lie_about_one_statement_is_found_and_the_same_run_without_it_is_silent() {
    let store = tempfile::tempdir().unwrap();
    let run = |seed: u64, lie: &str| {
        let keys = format!("seed={seed} visits=900 sessions=4 complexity=ddl{lie}");
        ending(&plan("sqlite:", &keys), store.path()).verdict
    };
    let lying = run(8, " lie:invented_error=1/20");
    assert!(lying.lies["invented_error"] > 0, "{:?}", lying.lies);
    assert!(!lying.causes.is_empty(), "{:?}", lying.lies);
    // What others may have made meanwhile is not surely missed: one run of six has one that was not.
    let found = (8..14).any(|seed| {
        let lying = run(seed, " lie:invented_success=1/1");
        lying.lies["invented_success"] > 0 && !lying.causes.is_empty()
    });
    assert!(found, "a success that cannot be was told, and nobody noticed");
    assert_silent(&run(8, ""));
}

#[test]
fn what_is_known_is_counted_and_what_is_not_stays_a_finding_beside_it() {
    let store = tempfile::tempdir().unwrap();
    let plan = plan(
        "sqlite:",
        "seed=8 visits=900 sessions=4 complexity=ddl lie:invented_error=1/20 stop=never",
    );
    let list = |text: &str| {
        let path = store.path().join("known.toml");
        let entry = format!(
            "[[known]]\nkind = \"unexpected-error\"\ncode = \"1\"\ntext = \"{text}\"\nlink = \"https://example.org/1\"\n\
             expires = 2999-01-01\n"
        );
        std::fs::write(&path, entry).unwrap();
        let circumstances = Circumstances {
            known: crate::known::Known::read(&path).unwrap(),
            ..Circumstances::default()
        };
        let folder = new_folder(&plan, store.path()).unwrap();
        live(&folder, plan.clone(), &circumstances, &mut Nobody).unwrap()
    };
    let all = list("no such table: {}");
    // A write that was done and is told to be refused may show in rows besides: that is no error, and nobody lists it.
    let known = |cause: &Cause| cause.known || cause.finding.kind == Kind::WrongResult;
    assert!(all.causes.iter().all(known), "{:#?}", all.causes);
    assert!(all.causes.iter().any(|cause| cause.times > 0));
    assert!(all.setup["known findings"].contains("was met"), "{:?}", all.setup);
    let none = list("no such thing: {}");
    assert!(none.causes.iter().any(|cause| !cause.known), "{:#?}", none.causes);
    assert!(
        none.setup["known findings"].contains("was not met"),
        "{:?}",
        none.setup
    );
}

#[test]
fn a_found_lie_shrinks_to_few_statements_that_still_fail() {
    let store = tempfile::tempdir().unwrap();
    let keys = "seed=8 visits=900 sessions=4 complexity=dml lie:invented_error=1/20";
    let run = ending(&plan("sqlite:", keys), store.path());
    assert_eq!(run.verdict.status, Status::Finding);
    let supervision = Supervision {
        store: store.path(),
        program: Path::new("/there/is/no/worker"),
        password: None,
        known: None,
        schedule_of: None,
        interrupts: no_interrupts(),
    };
    let options = shrink::Options {
        times: 3,
        ..shrink::Options::default()
    };
    let folder = Folder::open(&run.folder).unwrap();
    let Shrunk::Smaller(small) = shrink::shrink(&folder, &options, &supervision, &mut Nobody).unwrap() else {
        panic!("it did not come back");
    };
    assert_eq!((small.times, small.again), (3, 3));
    // What is read or written, and perhaps what makes it.
    assert!(small.after.visits <= 3, "{:?}", small.scripts);
    assert!(small.after.visits < small.before.visits);
    let script = &small.scripts.last().unwrap().text;
    assert!(script.contains("-- wrong: 1: no such table"), "{script}");
    // What is left is a run like any other: its trace fails again.
    let plan = crate::life::read_plan(&Folder::open(&small.folder).unwrap()).unwrap();
    let (verdict, _) = again(&plan, &small.folder, store.path());
    assert_eq!(verdict.status, Status::Finding, "{:#?}", verdict.causes);
}
