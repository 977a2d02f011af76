//! Our version for verdicts, `GRISTMILL_VERSION`: with the commit that this is built from, where there is a repository.
//!
//! Runs again when a file of this house or the commit changes; then the package is built again in any case.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=..");
    println!("cargo::rerun-if-changed=../../Cargo.lock");
    let version = std::env::var("CARGO_PKG_VERSION").expect("cargo says so");
    let Some(commit) = git(&["rev-parse", "--short=10", "HEAD"]) else {
        println!("cargo::rustc-env=GRISTMILL_VERSION={version}");
        return;
    };
    for name in ["HEAD", "refs/heads", "packed-refs"] {
        // A path that is not there would make this run every time.
        if let Some(path) = git(&["rev-parse", "--git-path", name]).filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let changed = git(&[
        "status",
        "--porcelain",
        "--",
        "..",
        "../../Cargo.lock",
        "../../Cargo.toml",
    ])
    .is_some_and(|status| !status.is_empty());
    let word = if changed { ", changed since" } else { "" };
    println!("cargo::rustc-env=GRISTMILL_VERSION={version} ({commit}{word})");
}

/// What git says, without its last newline; `None` where it says no, or is not there.
fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
