//! Formatting, clippy and tidy: what a review should not have to say.

use anyhow::{Result, bail};
use std::process::Command;

/// Fails at the first of them that has something to say.
pub(crate) fn lint() -> Result<()> {
    cargo(&["fmt", "--all", "--check"])?;
    cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ])?;
    // The library without the command line.
    cargo(&[
        "clippy",
        "--package",
        "gristmill",
        "--no-default-features",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ])?;
    // What is left without the driver of Cassandra.
    cargo(&[
        "clippy",
        "--package",
        "gristmill-run",
        "--package",
        "gristmill-targets",
        "--no-default-features",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ])?;
    crate::tidy::run()
}

fn cargo(args: &[&str]) -> Result<()> {
    let status = Command::new(env!("CARGO"))
        .args(args)
        .current_dir(crate::root())
        .status()?;
    if !status.success() {
        bail!("cargo {} failed", args.join(" "));
    }
    Ok(())
}
