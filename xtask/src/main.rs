//! The project's automation, one command a task. `cargo xtask` alone lists them.

mod arrows;
mod bench;
mod lint;
mod metadata;
mod servers;
mod soak;
mod suite;
mod tidy;

use anyhow::{Result, bail};
use std::path::PathBuf;
use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND

  test [--install] [CRATE…]  the whole test suite, or that of some crates; prints minutes per crate.
                             With --install, or CI=true in the environment, installs the servers that the tests
                             need (root on Debian); otherwise says what it would install and what it leaves out
  lint                       formatting, clippy without a warning, tidy
  ci                         lint, then test with CI=true: nothing is left out
  tidy                       what a machine can check of the house rules, dependency arrows included
  bench [NAME [PART …]]      benchmarks; without a name, lists them. Each prints ratios from interleaved rounds
  soak [NAME [SIZE] …]       long forms of tests that count what they do; without a name, lists them
  servers [--install]        which real servers the tests would use, and where they were found; with --install gets
                             what is missing
  servers NAME [VERSION]     installs one of them; for Cassandra in any version that Maven has
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match command(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn command(args: &[String]) -> Result<()> {
    let rest = args.get(1..).unwrap_or_default();
    match args.first().map(String::as_str) {
        None | Some("help" | "--help" | "-h") => {
            print!("{HELP}");
            Ok(())
        }
        Some("test") => suite::test(rest),
        Some("lint") => lint::lint(),
        Some("ci") => {
            lint::lint()?;
            suite::all_of_it()
        }
        Some("tidy") => tidy::run(),
        Some("bench") => bench::run(rest),
        Some("soak") => soak::run(rest),
        Some("servers") => match rest {
            [] => {
                servers::list();
                Ok(())
            }
            [install] if install == "--install" => servers::provide(true),
            [name] if !name.starts_with('-') => servers::install_one(name, None),
            [name, version] if !name.starts_with('-') => servers::install_one(name, Some(version)),
            [other, ..] => bail!("unknown option {other}: cargo xtask servers [--install | NAME [VERSION]]"),
        },
        Some(other) => bail!("no such command: {other}\n\n{HELP}"),
    }
}

/// The root of the workspace.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the workspace")
        .to_path_buf()
}
