//! What a person, a script and a shell see.

use crate::kit::{Desk, Said};
use expect_test::expect;
use std::io::Read;
use std::process::Stdio;

/// The same run, to the byte but for times, wherever it is done.
fn same(desk: &Desk, more: &[&str]) -> Said {
    let args = [
        "run",
        "reference:",
        "--seed",
        "7b3f0c",
        "--visits",
        "1500",
        "--pace",
        "lock-step",
    ];
    desk.run(&args.iter().chain(more).copied().collect::<Vec<_>>())
}

/// Times are not the same twice: `in 1.3 s` becomes `in T`; the share of waiting falls out.
fn without_times(mut said: Said) -> Said {
    let mask = |line: &str| match line.split_once(" visits in ") {
        Some((before, after)) => format!(
            "{before} visits in T{}\n",
            &after[after.find(" s").unwrap() + 2..]
        ),
        None => format!("{line}\n"),
    };
    said.out = said
        .out
        .lines()
        .filter(|line| !line.starts_with("   idle ") && !line.starts_with("   latency "))
        .map(mask)
        .collect();
    said
}

#[test]
fn a_clean_run_piped_is_its_first_line_and_its_closing_block() {
    let desk = Desk::new();
    let said = same(&desk, &[]);
    assert!(!said.out.contains(['\x1b', '\r']), "{}", said.out);
    without_times(said).check(expect![[r#"
        exit 0
        | seed 7b3f0c · gristmill's reference 0.1.0 (in memory) · 8 sessions · partitions, ordered · claim: snapshot
        | 
        | clean: 1,500 visits in T (59 % writes, 4 % rolled back by plan)
        |    compared   3,487 answers: 3,455 rows, 24,082 cells
        |    exercised  all 10 kinds of write and 14 kinds of read that the plan enables
        |    again      gristmill run reference: --seed 7b3f0c --visits 1500 --sessions 8 --pace lock-step
        |    folder     .gristmill/7b3f0c
    "#]]);
    for file in [
        "format",
        "plan.toml",
        "verdict.json",
        "junit.xml",
        "tracker",
        "log",
    ] {
        assert!(
            desk.path().join(".gristmill/latest").join(file).exists(),
            "{file}"
        );
    }
    let again = without_times(desk.run(&["report", "latest"]));
    assert_eq!(again.code, Some(0));
    assert!(again.out.contains("clean: 1,500 visits in T"), "{}", again.out);
}

#[test]
fn a_json_run_is_one_object_and_its_status_is_the_exit_code() {
    let desk = Desk::new();
    let said = same(&desk, &["--format", "json"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    let verdict: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        (&verdict["status"], &verdict["seed"]),
        (&"clean".into(), &"7b3f0c".into())
    );
    assert_eq!(verdict["setup"]["folder"], ".gristmill/7b3f0c");
    assert!(verdict["counts"]["answers"].as_u64().unwrap() > 1_000);
    let listed = desk.run(&["list", "actions"]).out;
    for kind in verdict["counts"]["exercised"].as_object().unwrap().keys() {
        assert!(
            listed
                .lines()
                .any(|line| line.split_whitespace().nth(1) == Some(kind)),
            "{kind}\n{listed}"
        );
    }
}

#[test]
fn a_finding_is_five_lines_in_their_order_and_a_folder() {
    let desk = Desk::new();
    let said = same(&desk, &["--lie", "forgotten_row=1/20"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    let lines: Vec<&str> = said.out.lines().collect();
    let found = lines
        .iter()
        .position(|line| line.starts_with("FOUND   wrong result: "))
        .expect("a finding");
    let block = lines[found + 1..].iter().take_while(|line| !line.is_empty());
    let labels = block
        .filter_map(|line| line.strip_prefix("   "))
        .filter(|rest| !rest.starts_with(' '));
    let labels: Vec<&str> = labels.map(|rest| rest[..9].trim()).collect();
    assert_eq!(
        labels,
        ["promised", "seen", "proof", "rerun", "how sure"],
        "{}",
        said.out
    );
    assert!(
        said.out.contains("   rerun      gristmill replay 7b3f0c\n"),
        "{}",
        said.out
    );
    assert!(said.out.contains("\nfound: "), "{}", said.out);
    assert!(said.out.contains("   lies told  forgotten_row "), "{}", said.out);
    let findings = desk.path().join(".gristmill/7b3f0c/findings");
    let first = std::fs::read_dir(findings)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let words = std::fs::read_to_string(first.join("finding.txt")).unwrap();
    assert!(words.starts_with("FOUND   wrong result: "), "{words}");
    assert!(first.join("finding.json").exists());
    // Lies are drawn by address, so the same finding comes back.
    let again = desk.run(&["replay", "7b3f0c", "--times", "2"]);
    assert_eq!(again.code, Some(1), "{again:?}");
    assert!(again.out.starts_with("fails 2 of 2 times\n"), "{again:?}");
    for command in ["check", "report"] {
        let shown = desk.run(&[command, "7b3f0c"]);
        assert_eq!(shown.code, Some(1), "{command}: {shown:?}");
        assert!(
            shown.out.contains("FOUND   wrong result: "),
            "{command}: {shown:?}"
        );
    }
}

#[test]
fn a_plan_is_shown_without_a_connection() {
    let desk = Desk::new();
    let notation = desk.run(&["plan", "--seed", "7", "--visits", "3", "--as", "notation"]);
    assert_eq!(
        (notation.code, notation.out.lines().count()),
        (Some(0), 3),
        "{notation:?}"
    );
    let sql = desk.run(&[
        "plan",
        "postgres://nobody@nowhere.invalid/db",
        "--seed",
        "7",
        "--visits",
        "3",
    ]);
    assert_eq!(sql.code, Some(0), "{sql:?}");
    assert!(
        sql.out.starts_with("-- visit 1\n") && sql.out.contains("gm7_t"),
        "{sql:?}"
    );
    let plan = desk.run(&["plan", "--seed", "7", "--as", "toml"]);
    assert!(plan.out.starts_with("format = 1\nseed = \"7\"\n"), "{plan:?}");
    assert!(!desk.path().join(".gristmill").exists(), "nothing is left");
}

#[test]
fn a_dry_run_says_what_it_would_make_and_makes_nothing() {
    let desk = Desk::new();
    let said = desk.run(&["run", "sqlite:shop.db", "--dry-run", "--seed", "7"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.out.contains("would create, and remove at the end, "),
        "{said:?}"
    );
    assert!(said.out.contains("CREATE TABLE gm7_t1"), "{said:?}");
    assert!(
        said.out.ends_with("nothing was touched; no right is missing\n"),
        "{said:?}"
    );
    assert!(!desk.path().join(".gristmill").exists());
}

#[test]
fn what_is_known_is_listed() {
    let desk = Desk::new();
    for (what, word) in [
        ("targets", "sqlite:"),
        ("workloads", "read-heavy"),
        ("actions", "delete-range"),
        ("lies", "torn_commit"),
        ("faults", "cut-after-commit"),
        ("types", "timestamptz"),
        ("keys", "GRISTMILL_SESSIONS"),
    ] {
        let said = desk.run(&["list", what]);
        assert!(said.code == Some(0) && said.out.contains(word), "{said:?}");
    }
    assert_eq!(desk.run(&["list", "runs"]).out, "");
}

#[test]
fn help_teaches_with_examples_and_exit_codes() {
    let desk = Desk::new();
    let short = desk.run(&["-h"]);
    let first = short.out.split_once("Options:").unwrap().0.to_owned();
    Said { out: first, ..short }.check(expect![[r#"
        exit 0
        | Puts a database through the mill: a concurrent workload from one seed, every answer checked.
        | 
        | Usage: gristmill <COMMAND>
        | 
        | Commands:
        |   run          Runs a workload against a database and checks every answer
        |   replay       Runs the plan of a run again, with the overlaps that were recorded
        |   resume       Goes on with a run that was killed before its verdict
        |   shrink       Makes a finding small: takes out of its run whatever it fails without
        |   check        Judges the answers of a run once more, and what a database still holds of it
        |   plan         Shows what a run would send, without connecting to anything
        |   export       Writes the data set of a plan or a run as files, without a database
        |   selfcheck    Tries the judges: is every lie found, is every truthful run passed?
        |   list         Lists what this program knows, or the runs that are there
        |   clean        Removes what runs that were killed left on a target, or old folders of runs
        |   report       Prints the verdict of a run again with its latencies, and writes the files of its
        |                findings
        |   explain      Says what a kind or shape of finding means, and what to do
        |   completions  Prints completions for a shell
        |   man          Prints the man page, or writes those of all commands
        |   help         Print this message or the help of the given subcommand(s)
        | 
    "#]]);
    let run = desk.run(&["run", "--help"]);
    for words in [
        "Examples:",
        "--isolation",
        "Exit codes:",
        "130  the second Ctrl-C",
        "GRISTMILL_SESSIONS",
    ] {
        assert!(run.out.contains(words), "{words}\n{}", run.out);
    }
    assert!(
        !desk.run(&["help"]).out.contains("worker"),
        "what is not for people is hidden"
    );
}

#[test]
fn completions_and_man_pages_come_from_the_arguments() {
    let desk = Desk::new();
    for shell in ["bash", "zsh", "fish"] {
        let said = desk.run(&["completions", shell]);
        assert!(
            said.code == Some(0) && said.out.contains("not-compared-percent"),
            "{shell}"
        );
    }
    let man = desk.run(&["man"]);
    assert!(
        man.code == Some(0) && man.out.contains(".TH gristmill 1"),
        "{man:?}"
    );
    std::fs::create_dir(desk.path().join("man")).unwrap();
    assert_eq!(desk.run(&["man", "--dir", "man"]).code, Some(0));
    let page = std::fs::read_to_string(desk.path().join("man/gristmill-run.1")).unwrap();
    assert!(page.contains("isolation"), "{page}");
    desk.run(&["man", "--dir", "nowhere"]).check(expect![[r#"
        exit 3
        ! error: cannot write to nowhere: no such file or directory
        !   help: --dir takes a folder that is there
    "#]]);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let desk = Desk::new();
    let mut command = desk.command(&["plan", "--seed", "7", "--visits", "1000000", "--as", "notation"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0; 100]).unwrap();
    drop(out);
    let ended = desk.said(child.wait_with_output().unwrap());
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
}

#[test]
fn settings_come_from_file_then_environment_then_flags() {
    let desk = Desk::new();
    desk.file("run.toml", "seed = \"a\"\nsessions = 2\nvisits = 30\n");
    let plan = |args: &[&str], environment: &[(&str, &str)]| {
        let all: Vec<&str> = ["plan", "--as", "toml", "--config", "run.toml"]
            .iter()
            .chain(args)
            .copied()
            .collect();
        let said = desk.run_with(&all, environment);
        let line = |key: &str| {
            said.out
                .lines()
                .find(|l| l.starts_with(key))
                .unwrap_or("")
                .to_owned()
        };
        format!("{} {}", line("seed ="), line("sessions ="))
    };
    let both = [("GRISTMILL_SESSIONS", "3"), ("GRISTMILL_SEED", "b")];
    assert_eq!(plan(&[], &[]), "seed = \"a\" sessions = 2");
    assert_eq!(plan(&[], &both), "seed = \"b\" sessions = 3");
    assert_eq!(plan(&["--sessions", "4"], &both), "seed = \"b\" sessions = 4");
}
