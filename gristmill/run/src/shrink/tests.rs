use super::case::Case;
use super::{HISTORY, Options, Shrunk, Smaller, shrink};
use crate::RunError;
use crate::life::read_plan;
use crate::life::tests::{Seen, ending, plan};
use crate::plan::{Plan, Stop};
use crate::supervisor::{Supervision, no_interrupts};
use history::artefact::Folder;
use history::{Finding, Progress, Status};
use std::path::Path;

pub(super) fn supervision(store: &Path) -> Supervision<'_> {
    Supervision {
        store,
        program: Path::new("/there/is/no/worker"),
        password: None,
        known: None,
        schedule_of: None,
        interrupts: no_interrupts(),
    }
}

fn smaller(store: &Path, folder: &Path, times: u32) -> Box<Smaller> {
    let options = Options {
        times,
        ..Options::default()
    };
    let mut seen = Seen::default();
    let folder = Folder::open(folder).unwrap();
    match shrink(&folder, &options, &supervision(store), &mut seen).unwrap() {
        Shrunk::Smaller(smaller) => {
            let shrinking = |p: &&Progress| matches!(p, Progress::Shrinking { .. });
            assert!(seen.0.iter().filter(shrinking).count() > 1, "progress is told");
            smaller
        }
        Shrunk::NotAgain { class, tries } => panic!("{class} did not come back in {tries} runs"),
    }
}

fn class(finding: &Finding) -> String {
    crate::causes::signature(finding)
}

/// A folder that is fast to fill, where there is one.
pub(super) fn memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// Whether a run of the plan, in a store of its own, has a finding of the class.
fn fails(plan: &Plan, of: &str) -> bool {
    let store = memory();
    let verdict = ending(plan, store.path()).verdict;
    verdict.causes.iter().any(|c| class(&c.finding) == of)
}

/// Shrinks a lying run, and proves of the result what a shrinker promises.
fn shrinks(target: &str, flags: &str, visits_max: usize) -> Box<Smaller> {
    let store = memory();
    let run = ending(&plan(target, flags), store.path());
    assert_eq!(run.verdict.status, Status::Finding);
    let first = class(&run.verdict.causes[0].finding);
    let small = smaller(store.path(), &run.folder, 3);
    assert_eq!(small.class, first, "it keeps the class of the finding");
    assert_eq!((small.times, small.again), (3, 3));
    assert!(small.after <= small.before, "it is no larger");
    assert!(small.after.visits <= visits_max, "{}", small.history);
    assert!(!run.folder.join(".tries").exists(), "tries leave nothing behind");

    let found = Folder::open(&small.folder).unwrap();
    let left = read_plan(&found).unwrap();
    assert!(
        fails(&left, &first),
        "the folder's plan fails again:\n{}",
        small.history
    );
    let schedule = crate::replay::Schedule::read(&found);
    assert!(schedule.is_ok(), "the folder can be replayed");
    assert!(found.path().join(HISTORY).exists() && found.path().join("session1.sql").exists());

    let case = Case::new(&left, left.history.clone().unwrap());
    for gone in 0..case.lines.len() {
        let mut lines = case.lines.clone();
        lines.remove(gone);
        let less = case.with(lines).tidy();
        assert!(
            !less.is_valid() || !fails(&less.plan(&left), &first),
            "without line {gone} it fails too:\n{}",
            small.history
        );
        for step in 0..case.lines[gone].visit.steps.len() {
            let line = &case.lines[gone];
            let numbered = line.numbers.iter().copied().zip(line.visit.steps.iter().cloned());
            let kept: Vec<_> = numbered
                .enumerate()
                .filter(|(n, _)| *n != step)
                .map(|(_, s)| s)
                .collect();
            let Some(less) = line.with_steps(kept) else {
                continue;
            };
            let mut lines = case.lines.clone();
            lines[gone] = less;
            let less = case.with(lines).tidy();
            assert!(
                !less.is_valid() || !fails(&less.plan(&left), &first),
                "without step {step} of line {gone} it fails too:\n{}",
                small.history
            );
        }
    }
    small
}

#[test]
fn a_planted_lie_shrinks_to_the_visits_that_show_it() {
    let small = shrinks("reference:", "sessions=8 visits=1500 lie:forgotten_row=1/300", 6);
    assert_eq!(small.after.sessions, 1, "{}", small.history);
    assert_eq!(small.after.tables, 1, "{}", small.history);
}

#[test]
fn a_lie_about_two_sessions_keeps_two() {
    let small = shrinks(
        "reference:",
        "sessions=2 visits=300 pace=lock-step lie:dirty_read=1/3",
        6,
    );
    assert_eq!(small.after.sessions, 2, "{}", small.history);
    assert!(small.history.contains(" beside "), "{}", small.history);
}

#[test]
fn what_a_corruptor_says_of_sqlite_shrinks_too() {
    // A lie is about a cell at a place in the answer: in which order SQLite has the rows must not depend on a race.
    let flags = "sessions=4 visits=600 pace=lock-step lie:wrong_cell=1/40";
    shrinks("sqlite:", flags, 6);
}

#[test]
fn a_race_that_two_lightweight_transactions_win_shrinks_to_them() {
    let small = shrinks(
        "reference:",
        "discipline=lww sessions=4 visits=1500 lie:condition_ignored=1/10",
        6,
    );
    assert!(small.history.contains(" if "), "{}", small.history);
}

#[test]
fn what_a_corruptor_says_of_racing_writes_shrinks_too() {
    shrinks(
        "sqlite:",
        "discipline=lww sessions=4 visits=600 pace=lock-step lie:wrong_cell=1/40",
        6,
    );
    shrinks(
        "reference:",
        "discipline=lww sessions=8 visits=1500 lie:torn_commit=1/5",
        6,
    );
}

#[test]
fn an_increment_that_is_added_twice_shrinks_to_few() {
    shrinks(
        "reference:",
        "discipline=lww sessions=2 visits=1500 lie:added_twice=1/10",
        6,
    );
}

#[test]
fn a_truthful_run_has_nothing_to_shrink() {
    let store = memory();
    let run = ending(&plan("reference:", "sessions=2 visits=100"), store.path());
    let folder = Folder::open(&run.folder).unwrap();
    let ended = shrink(
        &folder,
        &Options::default(),
        &supervision(store.path()),
        &mut Seen::default(),
    );
    let error = ended.unwrap_err();
    assert!(matches!(error, RunError::NothingToShrink { .. }));
    assert_eq!(error.exit_code(), 3);
    assert!(
        error.remedy().contains("gristmill list runs"),
        "{}",
        error.remedy()
    );
}

#[test]
fn a_finding_that_does_not_come_back_is_said_to_be_gone() {
    let store = memory();
    let lying = plan("reference:", "sessions=2 visits=300 lie:forgotten_row=1/20");
    let run = ending(&lying, store.path());
    assert_eq!(run.verdict.status, Status::Finding);
    // The database is mended: the plan of the folder tells no lie any more.
    let folder = Folder::open(&run.folder).unwrap();
    let honest = Plan {
        lies: std::collections::BTreeMap::new(),
        stop: Stop::Never,
        ..lying
    };
    std::fs::write(folder.plan(), honest.write()).unwrap();
    let ended = shrink(
        &folder,
        &Options::default(),
        &supervision(store.path()),
        &mut Seen::default(),
    );
    assert!(
        matches!(ended, Ok(Shrunk::NotAgain { tries, .. }) if tries > 1),
        "{ended:?}"
    );
}

#[test]
fn a_finding_that_is_not_there_is_refused_with_how_many_there_are() {
    let store = memory();
    let run = ending(
        &plan("reference:", "sessions=1 visits=200 lie:wrong_cell=1/10"),
        store.path(),
    );
    let many = run.verdict.causes.len();
    let options = Options {
        finding: Some(99),
        ..Options::default()
    };
    let folder = Folder::open(&run.folder).unwrap();
    let error = shrink(
        &folder,
        &options,
        &supervision(store.path()),
        &mut Seen::default(),
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot shrink {}: it has no finding 99: there are {many}",
            folder.name()
        )
    );
}
