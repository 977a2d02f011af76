//! One file a command. Each gathers its arguments, calls the crate that does the work, and prints what came of it.

mod check;
mod clean;
mod explain;
mod export;
mod list;
mod plan;
mod replay;
mod report;
mod resume;
mod run;
mod selfcheck;
mod shell;
mod shrink;

use crate::out::Out;
use crate::problem::Problem;
use clap::ArgMatches;
use history::artefact::{Folder, Store};
use std::path::Path;
use std::process::ExitCode;

/// Does what was asked for.
pub(crate) fn dispatch(name: &str, given: &ArgMatches, out: &mut Out) -> Result<ExitCode, Problem> {
    if given.try_get_one::<bool>("full").ok().flatten() == Some(&true) {
        out.show_all();
    }
    let exit = match name {
        "worker" => return Ok(run::worker(given)),
        targets::DUCKDB_ENGINE => return Ok(duckdb_engine()),
        "run" => run::run(given, out),
        "replay" => replay::replay(given, out),
        "resume" => resume::resume(given, out),
        "shrink" => shrink::shrink(given, out),
        "check" => check::check(given, out),
        "clean" => clean::clean(given, out),
        "selfcheck" => selfcheck::selfcheck(given, out),
        "plan" => plan::plan(given, out),
        "export" => export::export(given, out),
        "list" => list::list(given, out),
        "report" => report::report(given, out),
        "explain" => explain::explain(given, out),
        "completions" => shell::completions(given, out),
        "man" => shell::man(given, out),
        other => unreachable!("the parser knows no command {other}"),
    };
    exit.map(ExitCode::from)
}

/// The process in which DuckDB lives.
fn duckdb_engine() -> ExitCode {
    match targets::duckdb_engine() {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("gristmill: the process of DuckDB: {what}");
            ExitCode::FAILURE
        }
    }
}

/// The store that `--out` names.
fn store(given: &ArgMatches) -> Store {
    Store::new(Path::new(text(given, "out")))
}

/// The folder of RUN.
fn folder(given: &ArgMatches) -> Result<Folder, Problem> {
    Ok(store(given).find(text(given, "run"))?)
}

/// An argument that is required or has a default.
fn text<'a>(given: &'a ArgMatches, name: &str) -> &'a str {
    given.get_one::<String>(name).expect("required, or has a default")
}

/// Whether the verdict is wanted as JSON.
fn json(given: &ArgMatches) -> bool {
    text(given, "format") == "json"
}
