//! Benchmarks, by name. Each is a program of the crate that it measures; this only starts them, optimised.

use anyhow::{Result, bail};
use std::process::Command;

/// Name, package, bench target, what it measures.
const BENCHES: &[(&str, &str, &str, &str)] = &[
    (
        "datagen",
        "gristmill-run",
        "gristmill",
        "operations made and values inflated by one thread, beside rand and format!",
    ),
    (
        "model",
        "gristmill-run",
        "gristmill",
        "the model: operations applied, and generated and applied",
    ),
    (
        "visit",
        "gristmill-run",
        "gristmill",
        "our own CPU for a visit: generate, log, check",
    ),
    (
        "verified",
        "gristmill-run",
        "gristmill",
        "checked runs beside the same statements unchecked, and beside pgbench",
    ),
];

/// `cargo xtask bench [NAME …]`
pub(crate) fn run(names: &[String]) -> Result<()> {
    if names.is_empty() {
        println!("cargo xtask bench NAME …, or `all`:");
        for (name, _, _, what) in BENCHES {
            println!("  {name:12} {what}");
        }
        return Ok(());
    }
    for name in names {
        if name != "all" && !BENCHES.iter().any(|b| b.0 == name) {
            let known: Vec<&str> = BENCHES.iter().map(|b| b.0).collect();
            bail!("no benchmark `{name}`; there are {}", known.join(", "));
        }
    }
    for (name, package, target, _) in BENCHES
        .iter()
        .filter(|b| names.iter().any(|n| n == "all" || n == b.0))
    {
        println!("\n== {name}");
        let status = Command::new(env!("CARGO"))
            .args([
                "bench",
                "--quiet",
                "--package",
                package,
                "--bench",
                target,
                "--",
                name,
            ])
            .current_dir(crate::root())
            .status()?;
        if !status.success() {
            bail!("benchmark {name} failed");
        }
    }
    Ok(())
}
