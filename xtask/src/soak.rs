//! Long proofs, by name: tests of the suite that take their size from the environment, asked for more.
//!
//! The suite runs the same tests in their short form, so a soak can never rot unnoticed. Each prints how often
//! it did what, and a failing one how to run it again.

use anyhow::{Context, Result, bail};
use std::process::Command;
use std::time::Instant;

/// One long proof.
struct Soak {
    name: &'static str,
    package: &'static str,
    /// The test program: `--lib` or a name of `tests/`.
    target: &'static [&'static str],
    /// Which of its tests.
    filter: &'static str,
    /// What tells them their size, and the size when none is asked for.
    variable: &'static str,
    size: u64,
    what: &'static str,
}

const SOAKS: &[Soak] = &[
    Soak {
        name: "shard",
        package: "millstream-shard",
        target: &["--lib"],
        filter: "random_interleavings_keep_every_promise",
        variable: "SHARD_HISTORIES",
        size: 1_000_000,
        what: "random histories of writers, readers, compaction, crashes and faults on one shard",
    },
    Soak {
        name: "proofs",
        package: "millstream-shard",
        target: &["--lib"],
        filter: "tests::matrix::",
        variable: "SHARD_ROUNDS",
        size: 200,
        what: "every proof of the shard, so often in a row",
    },
    Soak {
        name: "crashes",
        package: "millstream",
        target: &["--test", "it"],
        filter: "killed",
        variable: "MILLSTREAM_KILLS",
        size: 200,
        what: "processes that append, compact and collect, killed",
    },
    Soak {
        name: "dataflow",
        package: "millstream-dataflow",
        target: &["--test", "it"],
        filter: "proofs::",
        variable: "FLOW_ROUNDS",
        size: 200,
        what: "every proof of source and sink, so often in a row",
    },
    Soak {
        name: "storms",
        package: "millstream-dataflow",
        target: &["--test", "it"],
        filter: "storm::",
        variable: "FLOW_STORMS",
        size: 2_000,
        what: "a source and a sink over stores that fail at every operation, and at random",
    },
    Soak {
        name: "processes",
        package: "millstream-dataflow",
        target: &["--test", "it"],
        filter: "processes::",
        variable: "FLOW_KILLS",
        size: 50,
        what: "views kept by two processes of two workers, killed",
    },
];

/// `cargo xtask soak [NAME [SIZE] …]`
pub(crate) fn run(args: &[String]) -> Result<()> {
    if args.is_empty() {
        println!("cargo xtask soak NAME [SIZE] …, or `all`:");
        for soak in SOAKS {
            println!(
                "  {:10} {} ({} = {})",
                soak.name, soak.what, soak.variable, soak.size
            );
        }
        return Ok(());
    }
    let asked = parse(args)?;
    // Says which servers are missing and what is left out for want of them, as the suite does.
    crate::servers::provide(std::env::var("CI").as_deref() == Ok("true"))?;
    let mut failed = Vec::new();
    for (soak, size) in asked {
        println!("\n== {} {}={size}: {}", soak.name, soak.variable, soak.what);
        let began = clock();
        let status = Command::new(env!("CARGO"))
            .args(["test", "--package", soak.package])
            .args(soak.target)
            .args(["--", soak.filter, "--nocapture"])
            .env(soak.variable, size.to_string())
            .current_dir(crate::root())
            .status()
            .context("cannot start cargo")?;
        let took = began.elapsed().as_secs_f64() / 60.0;
        let how = if status.success() { "passed" } else { "FAILED" };
        println!(
            "{} {}={size}: {how} in {took:.1} minutes",
            soak.name, soak.variable
        );
        if !status.success() {
            failed.push(soak.name);
        }
    }
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

/// Names, each with its size.
fn parse(args: &[String]) -> Result<Vec<(&'static Soak, u64)>> {
    let mut asked: Vec<(&'static Soak, u64)> = Vec::new();
    for arg in args {
        if arg == "all" {
            asked.extend(SOAKS.iter().map(|soak| (soak, soak.size)));
        } else if let Some(soak) = SOAKS.iter().find(|soak| soak.name == arg) {
            asked.push((soak, soak.size));
        } else if let (Ok(size), Some(last)) = (arg.replace('_', "").parse(), asked.last_mut()) {
            last.1 = size;
        } else {
            let known: Vec<&str> = SOAKS.iter().map(|soak| soak.name).collect();
            bail!(
                "`{arg}` is neither a soak nor the size of one; there are {}, and a size follows its name",
                known.join(", ")
            );
        }
    }
    Ok(asked)
}

#[expect(
    clippy::disallowed_methods,
    reason = "minutes are for people; nothing depends on them"
)]
fn clock() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Vec<(&'static str, u64)>> {
        let args: Vec<String> = line.split(' ').map(str::to_owned).collect();
        Ok(parse(&args)?
            .into_iter()
            .map(|(soak, size)| (soak.name, size))
            .collect())
    }

    #[test]
    fn a_size_follows_the_name_it_belongs_to() {
        let asked = parsed("shard crashes 1_000 dataflow").unwrap();
        assert_eq!(
            asked,
            [("shard", 1_000_000), ("crashes", 1_000), ("dataflow", 200)]
        );
        assert_eq!(parsed("all").unwrap().len(), SOAKS.len());
        let refused = parsed("5 shard").unwrap_err().to_string();
        assert!(refused.contains("`5` is neither a soak"), "{refused}");
    }
}
