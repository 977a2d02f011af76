//! The command line of Gristmill: arguments in, text and an exit code out. Everything else is in the other crates.
//!
//! Invariants:
//! * C1 every end has a code of [`Exit`], also a refused argument and a panic.
//! * C2 a mistake of the caller is said with the thing, its value and the remedy; never a back-trace.
//! * C3 a reader that closes our output (`| head`) is no failure.
//! * C4 passwords are read from the URL or the environment, and never written.

mod args;
mod commands;
mod exit;
mod out;
mod problem;
mod settings;

use exit::Exit;
use out::Out;
use problem::Problem;
use std::ffi::OsString;
use std::process::ExitCode;

/// What a session allocates for an answer, the judge's thread frees; this allocator takes that in its stride.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let ended = std::panic::catch_unwind(|| ended(std::env::args_os().collect()));
    ended.unwrap_or_else(|_| Exit::Ours.into())
}

/// Parses, does, prints what went wrong.
fn ended(args: Vec<OsString>) -> ExitCode {
    let out = &mut Out::standard();
    let matches = match args::command().try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(refused) => return out.refused(&refused).into(),
    };
    let (name, given) = matches.subcommand().expect("a subcommand is required");
    commands::dispatch(name, given, out).unwrap_or_else(|Problem { exit, lines }| {
        for (what, remedy) in lines {
            out.complain(&what, &remedy);
        }
        exit.into()
    })
}
