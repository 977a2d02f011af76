//! The parallel workload on a real DuckDB, whose engine lives in a process of its own.

use crate::kit::{Desk, Said, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::process::Stdio;

/// The library; `None`, with a line that says so, where it is not on this machine and CI does not insist.
fn library() -> Option<String> {
    let found = targets::duckdb_library();
    if found.is_none() {
        assert!(
            std::env::var_os("CI").is_none_or(|ci| ci != "true"),
            "CI=true and no DuckDB"
        );
        println!("left out, no DuckDB here: cargo xtask servers duckdb");
    }
    found.map(|path| path.display().to_string())
}

const PARALLEL: [&str; 8] = [
    "run",
    "duckdb:",
    "--workload",
    "parallel",
    "--sessions",
    "4",
    "--seed",
    "5",
];

fn run(desk: &Desk, library: &str, more: &[&str]) -> Said {
    desk.run_with(&[&PARALLEL, more].concat(), &[("DUCKDB_LIBRARY", library)])
}

#[test]
fn a_lie_about_duckdb_is_found() {
    let Some(library) = library() else { return };
    let desk = Desk::new();
    let said = run(
        &desk,
        &library,
        &["--visits", "1500", "--lie", "invented_error=1/20"],
    );
    assert_eq!(said.code, Some(1), "{}{}", said.err, said.out);
    assert!(said.out.contains("Catalog: Table with name"), "{}", said.out);
}

#[test]
fn a_truthful_duckdb_is_clean_and_says_what_it_keeps_away_from() {
    let Some(library) = library() else { return };
    let desk = Desk::new();
    let said = run(&desk, &library, &["--visits", "1500", "--swarm", "off"]);
    assert_eq!(said.code, Some(0), "{}{}", said.err, said.out);
    let folder = said
        .out
        .split("folder")
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap();
    let verdict = std::fs::read_to_string(desk.path().join(folder).join("verdict.json")).unwrap();
    assert!(verdict.contains("duckdb-write-to-deleted"), "{verdict}");
}

/// The processes whose parent is this one.
fn children(parent: i32) -> Vec<i32> {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let rest = stat.rsplit(')').next().unwrap_or_default();
        rest.split_whitespace().nth(1) == Some(&parent.to_string())
    })
    .collect()
}

#[test]
fn an_engine_that_dies_by_itself_is_a_crash() {
    let Some(library) = library() else { return };
    let desk = Desk::new();
    let args = [&PARALLEL[..], &["--time", "4s"]].concat();
    let mut command = desk.command(&args);
    command
        .env("DUCKDB_LIBRARY", &library)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let supervisor = i32::try_from(child.id()).unwrap();
    // It is at work when the run writes down what is sent.
    let engine = until("the engine at work", || {
        let worker = *children(supervisor).first()?;
        let engine = *children(worker).first()?;
        let log = desk.path().join(".gristmill/latest/queries.log");
        (std::fs::metadata(log).ok()?.len() > 20_000).then_some(engine)
    });
    kill(Pid::from_raw(engine), Signal::SIGKILL).unwrap();
    let said = desk.said(child.wait_with_output().unwrap());
    assert_eq!(said.code, Some(1), "{}{}", said.err, said.out);
    assert!(said.out.contains("crash"), "{}", said.out);
}

#[test]
fn a_machine_without_the_library_is_told_how_to_get_it() {
    let desk = Desk::new();
    let said = desk.run_with(&PARALLEL, &[("DUCKDB_LIBRARY", "/nowhere/libduckdb.so")]);
    assert_eq!(said.code, Some(3), "{}{}", said.err, said.out);
    assert!(
        said.err.contains("/nowhere/libduckdb.so is no file"),
        "{}",
        said.err
    );
    assert!(said.err.contains("cargo xtask servers duckdb"), "{}", said.err);
}

#[test]
fn partitions_are_refused_before_anything_is_made() {
    let Some(library) = library() else { return };
    let desk = Desk::new();
    let said = desk.run_with(&["run", "duckdb:"], &[("DUCKDB_LIBRARY", &library)]);
    assert_eq!(said.code, Some(3), "{}{}", said.err, said.out);
    assert!(said.err.contains("--workload parallel"), "{}", said.err);
}
