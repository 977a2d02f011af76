//! The example passes the suite; children that crash, hang or talk nonsense.

use crate::conformance::everything;
use crate::target::{OpenOptions, Target};
use history::SessionId;
use history::parallel::{Said, TxState};
use std::path::Path;
use std::time::Duration;

/// The example of this repository, where there is a Python to run it with.
fn example() -> Option<String> {
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
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/exec_sqlite.py");
    there.then(|| format!("exec:python3 {path}"))
}

fn options(folder: &Path, n: u32) -> OpenOptions {
    OpenOptions::new(folder.join(n.to_string()), format!("gmt{n}"))
}

#[test]
fn the_example_passes_the_suite() {
    let Some(url) = example() else { return };
    let folder = tempfile::tempdir().unwrap();
    everything(&url, &|n| options(folder.path(), n));
}

/// A child that greets, and then does this.
fn child(folder: &Path, then: &str) -> Box<dyn Target> {
    let greets = r#"read hello; echo '{"speaks": "sqlite", "version": "a test"}'; read line;"#;
    let set = r#"echo '{"changed": 0, "open": false}'; read line;"#;
    let script = folder.join("child.sh");
    std::fs::write(&script, format!("{greets} {set} {then}\n")).unwrap();
    crate::open(&format!("exec:sh {}", script.display()), &options(folder, 1)).unwrap()
}

#[test]
fn a_child_that_crashes_hangs_or_talks_nonsense_ends_its_session_and_nothing_else() {
    for (then, deadline_ms, words) in [
        ("kill -SEGV $$", 20_000, "the program ended: by signal 11"),
        ("exit 3", 20_000, "the program ended: with exit code 3"),
        ("sleep 60", 200, "no answer within the deadline"),
        (
            "echo hello; sleep 60",
            20_000,
            "what is no answer, and was killed: expected value at line 1 column 1: hello",
        ),
        (
            r#"echo '{"columns": ["a"], "rows": [[]], "open": true}'"#,
            20_000,
            "a row has not as many cells",
        ),
        (r#"echo '{"rows": []}'"#, 20_000, "missing field `open`"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let target = child(folder.path(), then);
        let mut session = target.sql().unwrap().open(SessionId(1)).unwrap();
        let answer = session.send("SELECT 1", None, true, Duration::from_millis(deadline_ms));
        let Said::Unknown { text, .. } = &answer.said else {
            panic!("{then}: {answer:?}")
        };
        assert!(text.contains(words), "{then}: {text}");
        assert_eq!(answer.state, TxState::Idle);
        assert!(session.broken());
    }
}

#[test]
fn what_is_no_child_is_said_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    for (command, words) in [
        ("", "there is no command"),
        ("false", "the program ended: with exit code 1"),
        (
            "gristmill-no-such-program",
            "the program ended: with exit code 127",
        ),
        ("yes", "what is no answer"),
        (r#"echo '{"speaks": "klingon"}'"#, "it speaks `klingon`"),
    ] {
        let opened = crate::open(&format!("exec:{command}"), &options(folder.path(), 1));
        let error = opened.and_then(|target| target.facts()).unwrap_err();
        assert!(error.to_string().contains(words), "{command}: {error}");
        assert!(!error.complaint().remedy.is_empty(), "{command}");
    }
}
