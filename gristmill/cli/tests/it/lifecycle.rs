//! Ends that nobody planned: Ctrl-C, kill -9, and what is left behind.

use crate::kit::{Desk, until};
use expect_test::expect;
use history::artefact::{Folder, Store};
use history::log::Reader;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Starts a run that would go on for an hour, and waits until it has done something.
fn started(desk: &Desk, target: &str) -> Child {
    let args = ["run", target, "--seed", "7", "--time", "1h", "--sessions", "4"];
    running(desk, &mut desk.command(&args))
}

/// Starts the run of seed 7, and waits until it has done something.
pub(crate) fn running(desk: &Desk, command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let log = desk.path().join(".gristmill/7/log");
    until("a hundred records in the log", || {
        let records = Reader::open(&log).ok()?.count();
        (records > 100).then_some(())
    });
    child
}

fn signal(process: u32, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(process).unwrap()), signal).unwrap();
}

/// Children of a process, whichever thread started them.
fn children(of: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{of}/task"))
        .unwrap()
        .map(|task| task.unwrap().path());
    let lists = tasks.map(|task| std::fs::read_to_string(task.join("children")).unwrap_or_default());
    lists
        .flat_map(|list| {
            list.split_whitespace()
                .map(|pid| pid.parse().unwrap())
                .collect::<Vec<u32>>()
        })
        .collect()
}

/// Gone, or a zombie that nobody has waited for.
fn is_gone(process: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{process}/stat")) else {
        return true;
    };
    stat.rsplit(')')
        .next()
        .is_some_and(|rest| rest.trim_start().starts_with('Z'))
}

#[test]
fn an_interrupted_run_is_checked_and_leaves_a_whole_folder() {
    let desk = Desk::new();
    let child = started(&desk, "reference:");
    signal(child.id(), Signal::SIGINT);
    let said = desk.said(child.wait_with_output().unwrap());
    assert!(matches!(said.code, Some(0 | 2)), "{said:?}");
    assert!(
        said.out
            .contains("   cut short  by Ctrl-C or a signal: what ran before it was checked\n"),
        "{said:?}"
    );
    let folder = Store::new(&desk.path().join(".gristmill"))
        .find("latest")
        .unwrap();
    let verdict = folder.verdict().unwrap().unwrap();
    assert!(verdict.interrupted && verdict.counts.answers > 0, "{verdict:?}");
    let mut log = Reader::open(&folder.log()).unwrap();
    assert!(log.by_ref().count() > 100);
    assert_eq!(log.ending().unwrap().to_string(), "closed");
    assert_eq!(desk.run(&["report", "latest"]).code, said.code);
    assert_eq!(desk.run(&["check", "latest"]).code, Some(0));
}

#[test]
fn a_signal_to_the_process_and_then_to_its_group_is_one_interrupt() {
    use std::os::unix::process::CommandExt;
    let desk = Desk::new();
    for (what, sent) in [
        ("as `timeout` does", Signal::SIGTERM),
        ("a terminal that closes", Signal::SIGHUP),
    ] {
        let mut command = desk.command(&["run", "reference:", "--seed", "7", "--time", "1h"]);
        command.process_group(0);
        let child = running(&desk, &mut command);
        let worker = children(child.id());
        let group = Pid::from_raw(i32::try_from(child.id()).unwrap());
        signal(child.id(), sent);
        killpg(group, sent).unwrap();
        // Service managers mean every process that they know of.
        signal(worker[0], sent);
        let said = desk.said(child.wait_with_output().unwrap());
        assert!(matches!(said.code, Some(0 | 2)), "{what}: {said:?}");
        assert_eq!(said.err, "", "{what}");
        assert!(
            said.out.contains("   cut short  by Ctrl-C or a signal: "),
            "{what}: {said:?}"
        );
        assert_eq!(
            desk.run(&["clean", "--runs", "--keep", "0"]).out,
            "removed run 7\n"
        );
    }
}

#[test]
fn the_second_interrupt_ends_at_once() {
    let desk = Desk::new();
    let child = started(&desk, "reference:");
    let worker = children(child.id());
    assert_eq!(worker.len(), 1);
    // A worker that is stopped cannot end by the first signal before the second arrives. Two that come at once count as
    // one, so they are sent as an impatient person would: until it ends.
    signal(worker[0], Signal::SIGSTOP);
    until("the supervisor to end", || {
        signal(child.id(), Signal::SIGINT);
        is_gone(child.id()).then_some(())
    });
    let said = desk.said(child.wait_with_output().unwrap());
    assert_eq!(said.code, Some(130), "{said:?}");
    assert!(said.err.contains("interrupted twice: ended at once"), "{said:?}");
    assert!(is_gone(worker[0]));
    assert!(Folder::open(&desk.path().join(".gristmill/7")).is_ok());
}

#[test]
fn a_run_that_was_killed_is_resumed_and_everything_is_counted_once() {
    let desk = Desk::new();
    let args = ["run", "--seed", "7", "--visits", "3000", "--sessions", "4"];
    let mut child = running(&desk, &mut desk.command(&args));
    let worker = children(child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    until("the worker to be gone", || is_gone(worker[0]).then_some(()));
    desk.run(&["report", "7"]).check(expect![[r#"
        exit 3
        ! error: .gristmill/7 has no verdict: the run did not end
        !   help: `gristmill resume 7` goes on with it, `gristmill check 7` judges what it holds
    "#]]);
    let said = desk.run(&["resume", "7"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("\nclean: 3,000 visits in "), "{said:?}");
    let check = desk.run(&["check", "7"]);
    assert!(
        check
            .out
            .contains(" answers (100 %) still held and judged again\n"),
        "{check:?}"
    );
    desk.run(&["resume", "7"]).check(expect![[r#"
        exit 3
        ! error: cannot go on with 7: its load has ended
        !   help: `gristmill report 7` shows its verdict, `gristmill replay 7` runs it again
    "#]]);
}

#[test]
fn an_engine_that_ends_its_process_is_a_crash_with_what_was_at_work() {
    let desk = Desk::new();
    let child = started(&desk, "sqlite:");
    signal(children(child.id())[0], Signal::SIGABRT);
    let said = desk.said(child.wait_with_output().unwrap());
    assert_eq!(said.code, Some(1), "{said:?}");
    for words in [
        "FOUND   crash: ",
        "the engine ended the process that it lived in: SIGABRT",
        " at work\n",
        " answers: ",
    ] {
        assert!(said.out.contains(words), "{words}: {}", said.out);
    }
    let verdict = Folder::open(&desk.path().join(".gristmill/7"))
        .unwrap()
        .verdict()
        .unwrap()
        .unwrap();
    assert!(
        verdict.counts.answers > 0 && verdict.visits["committed"] > 0,
        "{verdict:?}"
    );
    let [cause] = verdict.causes.as_slice() else {
        panic!("{verdict:?}")
    };
    assert_eq!(
        cause.finding.proof.is_empty(),
        cause.statements.is_empty(),
        "{cause:?}"
    );
    // The engine is whole again: what it had acknowledged must be there.
    let resumed = desk
        .command(&["resume", "7"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until("the resumed run to go on", || {
        (!children(resumed.id()).is_empty()).then_some(())
    });
    signal(resumed.id(), Signal::SIGINT);
    let said = desk.said(resumed.wait_with_output().unwrap());
    assert!(matches!(said.code, Some(0 | 2)), "{said:?}");
}

fn tables(file: &Path) -> Vec<String> {
    let db = rusqlite::Connection::open(file).unwrap();
    let mut names = db
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'gm%'")
        .unwrap();
    let names = names.query_map([], |row| row.get(0)).unwrap();
    names.map(Result::unwrap).collect()
}

#[test]
fn after_kill_9_nothing_runs_on_and_clean_removes_what_was_made() {
    let desk = Desk::new();
    let file = desk.path().join("shop.db");
    let other = rusqlite::Connection::open(&file).unwrap();
    other
        .execute_batch("CREATE TABLE gmother (x); INSERT INTO gmother VALUES (1)")
        .unwrap();
    drop(other);
    let mut child = started(&desk, "sqlite:shop.db");
    let worker = children(child.id());
    assert_eq!(worker.len(), 1);
    signal(child.id(), Signal::SIGKILL);
    child.wait().unwrap();
    until("the worker to end with its supervisor", || {
        is_gone(worker[0]).then_some(())
    });
    assert!(tables(&file).len() > 1, "the run's tables are still there");
    let said = desk.run(&["report", "7"]);
    assert_eq!(said.code, Some(3), "{said:?}");
    let said = desk.run(&["clean", "sqlite:shop.db"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.starts_with("removed "), "{said:?}");
    assert_eq!(tables(&file), ["gmother"], "only what was ours");
    let said = desk.run(&["clean", "sqlite:shop.db"]);
    assert!(said.out.starts_with("nothing to remove"), "{said:?}");
}

#[test]
fn old_runs_are_removed_and_those_with_findings_stay() {
    let desk = Desk::new();
    let visits = |seed: &str, more: &[&str]| {
        let args = [
            "run",
            "reference:",
            "--visits",
            "60",
            "--seed",
            seed,
            "--sessions",
            "1",
        ];
        desk.run(&args.iter().chain(more).copied().collect::<Vec<_>>())
    };
    visits("1", &[]);
    let lied = visits("2", &["--lie", "wrong_cell=1/1", "--lie", "extra_row=1/1"]);
    assert_eq!(lied.code, Some(1), "{lied:?}");
    visits("3", &[]);
    assert_eq!(
        desk.run(&["clean", "--runs", "--keep", "1"]).out,
        "removed run 1\n"
    );
    let listed = desk.run(&["list", "runs"]).out;
    assert!(listed.contains("   2   found\n"), "{listed}");
    assert_eq!(
        desk.run(&["clean", "--runs", "--findings"]).out,
        "removed run 3\nremoved run 2\n"
    );
}
