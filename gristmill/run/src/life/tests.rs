use super::run;
use crate::plan::{Plan, Settings};
use history::{Progress, Status, Verdict, Watcher};
use std::path::Path;

/// Keeps everything that it sees.
#[derive(Default)]
pub(crate) struct Seen(pub(crate) Vec<Progress>);

impl Watcher for Seen {
    fn see(&mut self, progress: &Progress) {
        self.0.push(progress.clone());
    }
}

/// A plan from flags: `sessions=4 visits=200 lie:dirty_read=1/10`.
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
            settings.set(key, value, "test").unwrap();
        }
    }
    settings.plan(&super::environment(None)).unwrap()
}

pub(crate) fn verdict(plan: &Plan, store: &Path) -> Verdict {
    run(plan, store, None, &mut Seen::default()).unwrap().verdict
}

/// What is wrong with a verdict that should be clean.
fn assert_clean(verdict: &Verdict) {
    let why: Vec<String> = verdict
        .causes
        .iter()
        .map(|c| format!("{} {:#?}", c.seen, c.statements))
        .collect();
    assert_eq!(
        verdict.status,
        Status::Clean,
        "{why:#?} {:#?} {:?}",
        verdict.doubts,
        verdict.counts
    );
}

#[test]
fn the_truthful_reference_is_clean() {
    let store = tempfile::tempdir().unwrap();
    let verdict = verdict(&plan("reference:", "sessions=4 visits=2000"), store.path());
    assert_clean(&verdict);
}

#[test]
fn sqlite_is_clean() {
    let store = tempfile::tempdir().unwrap();
    let verdict = verdict(&plan("sqlite:", "sessions=4 visits=1000"), store.path());
    assert_clean(&verdict);
}
