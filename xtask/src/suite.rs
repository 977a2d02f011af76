//! The test suite: built once with one set of features, then each test program run by itself, so that its minutes can be
//! printed beside its name.

use crate::{metadata, servers};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// One built test program.
struct Program {
    package: String,
    target: String,
    path: PathBuf,
}

/// `cargo xtask test [--install] [CRATE…]`
pub(crate) fn test(args: &[String]) -> Result<()> {
    let ci = std::env::var("CI").is_ok_and(|v| v == "true");
    let install = ci || args.iter().any(|a| a == "--install");
    let crates: Vec<&str> = args
        .iter()
        .map(String::as_str)
        .filter(|a| *a != "--install")
        .collect();
    if let Some(flag) = crates.iter().find(|c| c.starts_with('-')) {
        bail!("unknown option {flag}: cargo xtask test [--install] [CRATE…]");
    }
    servers::provide(install)?;
    suite(&crates, &[])
}

/// Everything, nothing left out.
pub(crate) fn all_of_it() -> Result<()> {
    servers::provide(true)?;
    suite(&[], &[("CI", "true")])
}

fn suite(crates: &[&str], env: &[(&str, &str)]) -> Result<()> {
    let started = clock();
    let packages = metadata::packages()?;
    for name in crates {
        if !packages.contains_key(*name) {
            let known: Vec<&str> = packages.keys().map(String::as_str).collect();
            bail!("no crate `{name}`; there are {}", known.join(", "));
        }
    }
    let programs = build()?;
    let built = started.elapsed();
    let mut minutes: Vec<(String, Duration, bool)> = Vec::new();
    for program in programs
        .iter()
        .filter(|p| crates.is_empty() || crates.contains(&p.package.as_str()))
    {
        println!("\n     Running {} ({})", program.target, program.package);
        let folder = &packages
            .get(&program.package)
            .context("a test belongs to a package")?
            .folder;
        let began = clock();
        let status = Command::new(&program.path)
            .args(["--color", "never"])
            .current_dir(folder)
            .env("CARGO_MANIFEST_DIR", folder)
            .env("CARGO_PKG_NAME", &program.package)
            .env("CARGO", env!("CARGO"))
            .envs(env.iter().copied())
            .status()
            .with_context(|| format!("cannot start {}", program.path.display()))?;
        let name = format!("{} {}", program.package, program.target);
        minutes.push((name, began.elapsed(), status.success()));
    }
    println!("\nminutes per crate");
    println!("  {:44} {:>6.2}", "build", built.as_secs_f64() / 60.0);
    for (name, took, passed) in &minutes {
        println!(
            "  {name:44} {:>6.2}{}",
            took.as_secs_f64() / 60.0,
            if *passed { "" } else { "   FAILED" }
        );
    }
    println!("  {:44} {:>6.2}", "all", started.elapsed().as_secs_f64() / 60.0);
    let failed: Vec<&str> = minutes.iter().filter(|m| !m.2).map(|m| m.0.as_str()).collect();
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

/// Builds every test program of the workspace; cargo's own messages go to the terminal.
fn build() -> Result<Vec<Program>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "test",
            "--workspace",
            "--no-run",
            "--message-format=json-render-diagnostics",
        ])
        .current_dir(crate::root())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        bail!("the tests do not build");
    }
    let mut programs = Vec::new();
    for line in output.stdout.split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
        let message: Value = serde_json::from_slice(line)?;
        let test = message["profile"]["test"].as_bool() == Some(true);
        let (true, Some(path)) = (test, message["executable"].as_str()) else {
            continue;
        };
        let id = message["package_id"]
            .as_str()
            .context("a message names its package")?;
        programs.push(Program {
            package: package_name(id),
            target: message["target"]["name"]
                .as_str()
                .context("a target has a name")?
                .to_owned(),
            path: PathBuf::from(path),
        });
    }
    if programs.is_empty() {
        bail!("cargo built no test program");
    }
    programs.sort_by(|a, b| (&a.package, &a.target).cmp(&(&b.package, &b.target)));
    Ok(programs)
}

/// `path+file:///x/gristmill/datagen#gristmill-datagen@0.1.0` or `path+file:///x/xtask#0.1.0`
fn package_name(id: &str) -> String {
    let (path, fragment) = id.split_once('#').unwrap_or((id, ""));
    match fragment.split_once('@') {
        Some((name, _)) => name.to_owned(),
        None => path.rsplit('/').next().unwrap_or_default().to_owned(),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "minutes per crate are for people; nothing depends on them"
)]
fn clock() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::package_name;

    #[test]
    fn a_package_id_gives_its_name() {
        assert_eq!(
            package_name("path+file:///a/gristmill/datagen#gristmill-datagen@0.1.0"),
            "gristmill-datagen"
        );
        assert_eq!(package_name("path+file:///a/xtask#0.1.0"), "xtask");
    }
}
