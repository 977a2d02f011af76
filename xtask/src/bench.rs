//! Benchmarks, by name. Each is a program of the crate that it measures; this only starts them, optimised.

use anyhow::{Result, bail};
use std::process::Command;

/// A bench program of a crate, or one of the several measurements that a program makes.
struct Bench {
    name: &'static str,
    package: &'static str,
    target: &'static str,
    /// What the program is told; where it is told nothing, the rest of the line says which of its parts to run.
    argument: Option<&'static str>,
    what: &'static str,
}

const BENCHES: &[Bench] = &[
    Bench {
        name: "datagen",
        package: "gristmill-run",
        target: "gristmill",
        argument: Some("datagen"),
        what: "operations made and values inflated by one thread, beside rand and format!",
    },
    Bench {
        name: "model",
        package: "gristmill-run",
        target: "gristmill",
        argument: Some("model"),
        what: "the model: operations applied, and generated and applied",
    },
    Bench {
        name: "lww",
        package: "gristmill-run",
        target: "gristmill",
        argument: Some("lww"),
        what: "the model where the greatest timestamp wins: operations merged, and generated and merged",
    },
    Bench {
        name: "cql",
        package: "gristmill-run",
        target: "gristmill",
        argument: Some("cql"),
        what: "operations made and written as CQL by one thread",
    },
    Bench {
        name: "cassandra",
        package: "gristmill-run",
        target: "gristmill",
        argument: Some("cassandra"),
        what: "checked runs beside the same with --check none, on a Cassandra node of our own",
    },
    Bench {
        name: "parallel",
        package: "gristmill-run",
        target: "gristmill",
        argument: Some("parallel"),
        what: "statements of the parallel workload drawn and written by one thread; runs on PostgreSQL beside their statements bare",
    },
    Bench {
        name: "selfcheck",
        package: "gristmill-run",
        target: "gristmill",
        argument: Some("selfcheck"),
        what: "how long it takes to try every judge with every lie",
    },
    Bench {
        name: "visit",
        package: "gristmill-run",
        target: "gristmill",
        argument: Some("visit"),
        what: "our own CPU for a visit: generate, log, check",
    },
    Bench {
        name: "verified",
        package: "gristmill-run",
        target: "gristmill",
        argument: Some("verified"),
        what: "checked runs beside the same statements unchecked, and beside pgbench",
    },
    Bench {
        name: "shard",
        package: "millstream-shard",
        target: "shard",
        argument: None,
        what: "durable shards: appends writers processes batches snapshot compaction latency tail idle",
    },
    Bench {
        name: "dataflow",
        package: "millstream-dataflow",
        target: "source",
        argument: None,
        what: "the shard source: scaling concurrency latency processes",
    },
];

/// `cargo xtask bench [NAME …]`, `cargo xtask bench NAME [PART …]` of one that has parts
pub(crate) fn run(names: &[String]) -> Result<()> {
    let Some(first) = names.first() else {
        println!("cargo xtask bench NAME …, or `all`, or NAME PART … of one that has parts:");
        for bench in BENCHES {
            println!("  {:12} {}", bench.name, bench.what);
        }
        return Ok(());
    };
    if let Some(bench) = BENCHES.iter().find(|b| b.name == first && b.argument.is_none()) {
        let parts: Vec<&str> = names[1..].iter().map(String::as_str).collect();
        return start(bench, &parts);
    }
    for name in names {
        if name != "all" && !BENCHES.iter().any(|b| b.name == name) {
            let known: Vec<&str> = BENCHES.iter().map(|b| b.name).collect();
            bail!("no benchmark `{name}`; there are {}", known.join(", "));
        }
    }
    for bench in BENCHES
        .iter()
        .filter(|b| names.iter().any(|n| n == "all" || n == b.name))
    {
        let argument: Vec<&str> = bench.argument.into_iter().collect();
        start(bench, &argument)?;
    }
    Ok(())
}

fn start(bench: &Bench, arguments: &[&str]) -> Result<()> {
    println!("\n== {}", bench.name);
    let status = Command::new(env!("CARGO"))
        .args([
            "bench",
            "--quiet",
            "--package",
            bench.package,
            "--bench",
            bench.target,
            "--",
        ])
        .args(arguments)
        .current_dir(crate::root())
        .status()?;
    if !status.success() {
        bail!("benchmark {} failed", bench.name);
    }
    Ok(())
}
