//! A worker that was killed, and the next one in its folder.

use super::{Seen, assert_clean, plan};
use crate::RunError;
use crate::life::{Circumstances, environment, live, new_folder, open_target, targets_folder};
use crate::recheck::recheck;
use crate::registry::Registry;
use crate::replay::replay;
use crate::supervisor::{Ended, Supervision, no_interrupts, supervise};
use crate::worker::{self, Orders};
use history::artefact::Folder;
use history::log::{Fate, Reader, What};
use history::{Kind, Progress, Status, Verdict, Watcher};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Where the child of a test finds its folder.
const FOLDER: &str = "GRISTMILL_TEST_FOLDER";
/// And the run that it follows.
const SCHEDULE: &str = "GRISTMILL_TEST_SCHEDULE";

/// Not a test of its own: the child process of those below.
#[test]
fn the_worker_is_a_child() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let schedule_of = std::env::var_os(SCHEDULE)
        .filter(|s| !s.is_empty())
        .map(PathBuf::from);
    let orders = Orders {
        folder: PathBuf::from(folder),
        schedule_of,
    };
    let code = worker::main(&orders);
    std::process::exit(if code == std::process::ExitCode::SUCCESS {
        0
    } else {
        5
    });
}

/// A program that is called as `PROGRAM worker FOLDER [--schedule-of FOLDER]`, and is this test binary.
fn program(dir: &Path) -> PathBuf {
    let me = std::env::current_exe().unwrap();
    let path = dir.join("gristmill");
    let test = "life::tests::resumed::the_worker_is_a_child";
    let script = format!(
        "#!/bin/sh\n{FOLDER}=\"$2\" {SCHEDULE}=\"$4\" exec {} --exact {test} --nocapture\n",
        me.display()
    );
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn supervision<'a>(store: &'a Path, program: &'a Path) -> Supervision<'a> {
    Supervision {
        store,
        program,
        password: None,
        known: None,
        schedule_of: None,
        interrupts: no_interrupts(),
    }
}

#[test]
fn a_supervised_run_ends_with_a_verdict_and_shows_its_progress() {
    let dir = tempfile::tempdir().unwrap();
    let program = program(dir.path());
    let mut seen = Seen::default();
    let plan = plan("sqlite:", "sessions=2 visits=300");
    let ended = supervise(&plan, &supervision(dir.path(), &program), &mut seen).unwrap();
    let Ended::Verdict(ending) = ended else {
        panic!("{ended:?}")
    };
    assert_clean(&ending.verdict);
    assert!(matches!(seen.0.first(), Some(Progress::Started { .. })));
}

#[test]
fn a_worker_killed_in_mid_run_is_gone_on_with_and_nothing_acknowledged_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan("sqlite:", "sessions=4 visits=6000");
    let folder = new_folder(&plan, dir.path()).unwrap();
    let mut child = Command::new(program(dir.path()))
        .arg("worker")
        .arg(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Once a thousand visits have ended.
    loop {
        let ended = Reader::open(&folder.log()).map_or(0, |log| {
            log.filter(|r| matches!(r.what, What::Complete { .. })).count()
        });
        assert!(child.try_wait().unwrap().is_none(), "killed before its end");
        if ended > 1000 {
            break;
        }
    }
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGKILL).unwrap();
    child.wait().unwrap();
    let verdict = live(&folder, Circumstances::default(), &mut Seen::default()).unwrap();
    assert_clean(&verdict);
    let visits: u64 = verdict
        .visits
        .iter()
        .filter(|(k, _)| *k != "writing")
        .map(|(_, n)| n)
        .sum();
    assert_eq!(visits, 6000);
    assert_counts_are_whole(&folder, &verdict);
    assert!(
        Reader::open(&folder.log())
            .unwrap()
            .any(|r| matches!(r.what, What::Resumed { .. }))
    );
}

#[test]
fn a_plan_that_kills_an_embedded_engine_goes_on_and_judges_durability() {
    let dir = tempfile::tempdir().unwrap();
    let program = program(dir.path());
    let plan = plan("sqlite:", "sessions=3 visits=2000 fault:kill=1/1500");
    let ended = supervise(&plan, &supervision(dir.path(), &program), &mut Seen::default()).unwrap();
    let Ended::Verdict(ending) = ended else {
        panic!("{ended:?}")
    };
    assert!(ending.verdict.faults["kill"] > 0, "{:?}", ending.verdict.faults);
    assert_clean(&ending.verdict);
    assert_counts_are_whole(&Folder::open(&ending.folder).unwrap(), &ending.verdict);
}

/// Every answer of every life, which the ring still holds, was counted once.
fn assert_counts_are_whole(folder: &Folder, verdict: &Verdict) {
    let again = recheck(folder).unwrap();
    assert_eq!(Some(again.held), again.of);
    let (a, b) = (&again.counts, &verdict.counts);
    assert_eq!((a.answers, a.rows, a.cells), (b.answers, b.rows, b.cells));
    // What was read because of a kill only the run itself knows; each of these reads is counted by its own kind, too.
    let drawn = b
        .exercised
        .iter()
        .filter(|(kind, _)| !kind.starts_with("read-after-"));
    assert_eq!(a.exercised, drawn.map(|(kind, n)| (kind.clone(), *n)).collect());
    let times = |causes: &[history::verdict::Cause]| causes.iter().map(|c| c.times).sum::<u64>();
    assert_eq!(
        times(&again.causes) + shown_by_probes(folder),
        times(&verdict.causes)
    );
}

/// Findings of probes, whose answers are not held: each leaves its visit open, and the log says so. Nothing else does here,
/// where no server session has to be waited for.
fn shown_by_probes(folder: &Folder) -> u64 {
    let log = Reader::open(&folder.log()).unwrap();
    let open = log.filter(|r| matches!(r.what, What::Settled { fate: Fate::Open, .. }));
    open.count() as u64
}

#[test]
fn findings_before_a_kill_are_in_the_verdict_once() {
    let dir = tempfile::tempdir().unwrap();
    let program = program(dir.path());
    let plan = plan(
        "sqlite:",
        "sessions=3 visits=2000 stop=never fault:kill=1/1500 lie:extra_row=1/100",
    );
    let ended = supervise(&plan, &supervision(dir.path(), &program), &mut Seen::default()).unwrap();
    let Ended::Verdict(ending) = ended else {
        panic!("{ended:?}")
    };
    assert!(ending.verdict.faults["kill"] > 0, "{:?}", ending.verdict.faults);
    assert_eq!(ending.verdict.status, Status::Finding);
    assert_counts_are_whole(&Folder::open(&ending.folder).unwrap(), &ending.verdict);
}

/// Ends the load when it has seen a thousand visits.
struct Interrupter(Arc<AtomicBool>);

impl Watcher for Interrupter {
    fn see(&mut self, progress: &Progress) {
        if matches!(progress, Progress::Load { visits, .. } if *visits > 500) {
            self.0.store(true, std::sync::atomic::Ordering::SeqCst);
        }
    }
}

#[test]
fn an_interrupted_run_leaves_a_folder_that_can_be_judged_again() {
    let dir = tempfile::tempdir().unwrap();
    let folder = new_folder(&plan("reference:", "sessions=2 time=1h"), dir.path()).unwrap();
    let interrupt = Arc::new(AtomicBool::new(false));
    let circumstances = Circumstances {
        environment: environment(None),
        interrupt: Arc::clone(&interrupt),
        ..Circumstances::default()
    };
    let verdict = live(&folder, circumstances, &mut Interrupter(interrupt)).unwrap();
    assert!(verdict.interrupted);
    assert_clean(&verdict);
    let again = recheck(&Folder::open(folder.path()).unwrap()).unwrap();
    assert!(again.causes.is_empty(), "{:#?}", again.causes);
    assert_eq!(
        again.counts.answers, verdict.counts.answers,
        "everything that was judged is still held"
    );
    let judged = verdict.counts.answers + verdict.counts.not_compared.values().sum::<u64>();
    assert_eq!((again.held, again.of), (judged, Some(judged)));
    assert_eq!(again.notes, [] as [String; 0]);
}

#[test]
fn what_a_lie_left_in_the_folder_is_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(
        "reference:",
        "sessions=2 visits=2000 stop=never lie:extra_row=1/50",
    );
    let ending = crate::run(&plan, dir.path(), None, &mut Seen::default()).unwrap();
    assert_eq!(ending.verdict.status, Status::Finding);
    let again = recheck(&Folder::open(&ending.folder).unwrap()).unwrap();
    let count = |causes: &[history::verdict::Cause]| causes.iter().map(|c| c.times).sum::<u64>();
    assert_eq!(count(&again.causes), count(&ending.verdict.causes));
}

#[test]
fn a_folder_without_a_plan_is_told_as_such() {
    let dir = tempfile::tempdir().unwrap();
    let folder = history::artefact::Store::new(dir.path()).create("1").unwrap();
    let error = live(&folder, Circumstances::default(), &mut Seen::default()).unwrap_err();
    assert!(matches!(error, RunError::Io { .. }), "{error}");
}

#[test]
fn a_replay_follows_the_recorded_overlaps_and_finds_the_lie_again() {
    let dir = tempfile::tempdir().unwrap();
    let program = program(dir.path());
    let plan = plan(
        "reference:",
        "sessions=3 visits=400 stop=never lie:stale_read=1/20",
    );
    let with = supervision(dir.path(), &program);
    let Ended::Verdict(first) = supervise(&plan, &with, &mut Seen::default()).unwrap() else {
        panic!("a verdict")
    };
    assert_eq!(first.verdict.status, Status::Finding);
    let folder = Folder::open(&first.folder).unwrap();
    let replayed = replay(&folder, 2, &with, &mut Seen::default()).unwrap();
    assert_eq!((replayed.times, replayed.again), (2, 2), "{replayed:#?}");
    let Some(Ended::Verdict(second)) = replayed.endings.last() else {
        panic!("a verdict")
    };
    assert_ne!(second.folder, first.folder);
    let latest = history::artefact::Store::new(dir.path()).find("latest").unwrap();
    assert_eq!(
        latest.name(),
        folder.name(),
        "a replay is not what the person ran last"
    );
    assert_eq!(second.verdict.visits, first.verdict.visits);
}

#[test]
fn a_run_killed_before_its_first_visit_makes_its_tables_anew() {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan("sqlite:", "visits=300");
    let folder = new_folder(&plan, dir.path()).unwrap();
    let files = targets_folder(&folder).unwrap();
    let target = open_target(&plan, &files, &environment(None), BTreeMap::new()).unwrap();
    let schema = Arc::new(plan.schema.clone());
    Registry::open(&folder)
        .unwrap()
        .note(&plan.target, &plan.prefix, &target.plan_of_objects(&schema))
        .unwrap();
    target.prepare(&schema).unwrap();
    drop(target);
    let verdict = live(&folder, Circumstances::default(), &mut Seen::default()).unwrap();
    assert_clean(&verdict);
}

/// A worker that ends like this.
fn dying(dir: &Path, how: &str) -> PathBuf {
    let path = dir.join("dying");
    std::fs::write(&path, format!("#!/bin/sh\n{how}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn a_worker_that_crashes_is_a_finding_where_the_engine_lives_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let crash = dying(dir.path(), "kill -SEGV $$");
    let with = supervision(dir.path(), &crash);
    let ended = supervise(&plan("sqlite:", "visits=10"), &with, &mut Seen::default()).unwrap();
    let Ended::Verdict(ending) = ended else {
        panic!("{ended:?}")
    };
    assert_eq!(ending.verdict.status, Status::Finding);
    assert_eq!(ending.verdict.causes[0].finding.kind, Kind::Crash);
    let ended = supervise(
        &plan("postgres://nobody@127.0.0.1:1/none", "visits=10"),
        &with,
        &mut Seen::default(),
    )
    .unwrap();
    let Ended::Failed(failure) = ended else {
        panic!("{ended:?}")
    };
    assert_eq!(failure.code, 5, "a server's worker that crashes is our own fault");
}

#[test]
fn a_worker_that_somebody_killed_is_a_doubt() {
    let dir = tempfile::tempdir().unwrap();
    let killed = dying(dir.path(), "kill -KILL $$");
    let ended = supervise(
        &plan("sqlite:", "visits=10"),
        &supervision(dir.path(), &killed),
        &mut Seen::default(),
    )
    .unwrap();
    let Ended::Verdict(ending) = ended else {
        panic!("{ended:?}")
    };
    assert_eq!(ending.verdict.status, Status::Unknown);
}
