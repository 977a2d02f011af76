//! The `millstream` command: arguments, wiring, exit codes.
//!
//! Exit codes: 0 done; 1 something is wrong with the data; 3 usage or configuration; 4 the location is
//! unusable; 5 our own fault.

mod rows;
mod shard_command;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What one thread allocates another frees, all the time; this allocator takes that in its stride.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(
    name = "millstream",
    version,
    about = "A small streaming database on durable shards"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Look at, read, write and maintain durable shards.
    Shard(shard_command::ShardArguments),
}

/// How a command ended, other than well.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Somebody looked for it: the data is not what it should be.
    Finding(String),
    /// The command makes no sense as given.
    Usage(String),
    /// The location cannot be used.
    Unusable(String),
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Failure::Finding(_) => 1,
            Failure::Usage(_) => 3,
            Failure::Unusable(_) => 4,
        }
    }

    fn text(&self) -> &str {
        match self {
            Failure::Finding(text) | Failure::Usage(text) | Failure::Unusable(text) => text,
        }
    }
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no failures.
            let code = if error.use_stderr() { 3 } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let Command::Shard(arguments) = arguments.command;
    let outcome = std::panic::catch_unwind(|| shard_command::run(arguments));
    match outcome {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(failure)) => {
            eprintln!("millstream: {}", failure.text());
            ExitCode::from(failure.code())
        }
        // The panic has printed itself.
        Err(_) => ExitCode::from(5),
    }
}
