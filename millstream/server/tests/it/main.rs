//! The `millstream` binary as its users meet it.

mod crash;
mod shard;

use std::path::Path;
use std::process::{Command, Output};

/// `millstream shard …`, ready to run.
fn millstream(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millstream"));
    command
        .arg("shard")
        .args(arguments)
        .env_remove("MILLSTREAM_LOCATION");
    command
}

fn run(arguments: &[&str]) -> Output {
    millstream(arguments).output().expect("the binary runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn location(folder: &Path) -> String {
    format!("file:{}", folder.join("location").display())
}

/// Appends lines to a new shard and answers its id.
fn new_shard(location: &str, folder: &Path, lines: &str) -> String {
    let file = folder.join("lines");
    std::fs::write(&file, lines).expect("a temporary folder can be written");
    let output = run(&[
        "append",
        location,
        "new",
        file.to_str().expect("a temporary path is text"),
    ]);
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
        .lines()
        .next()
        .expect("it prints the id")
        .to_owned()
}
