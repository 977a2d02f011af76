//! `gristmill export`: a data set as files, without a database.

use super::{store, text};
use crate::exit::Exit;
use crate::out::Out;
use crate::problem::Problem;
use crate::settings::gather;
use clap::ArgMatches;
use gristmill::{Request, Settings};
use history::Lts;
use run::export::{Exported, Form, Source, export as make};
use std::path::Path;

pub(super) fn export(given: &ArgMatches, out: &mut Out) -> Result<Exit, Problem> {
    let settings = gather(given, out)?;
    let form = match text(given, "as") {
        "csv" => Form::Csv,
        "insert" => Form::Insert,
        _ => Form::Statements,
    };
    let at = given.get_one::<u64>("at").copied().map(Lts);
    let into = Path::new(text(given, "to"));
    let named = settings.target.clone().filter(|name| !name.contains(':'));
    let exported = match named {
        // No URL is without a colon, no run has one.
        Some(name) => {
            let others = Settings {
                target: None,
                ..settings
            };
            if others != Settings::default() {
                return Err(Problem::usage(
                    format!("{name} is a run, which has its plan: settings say nothing to it"),
                    "leave out all but --at, --as, --to and --out",
                ));
            }
            make(Source::Run(&store(given).find(&name)?), at, form, into)?
        }
        None => make(Source::Plan(&Request::new(settings)?.plan), at, form, into)?,
    };
    exported.lost.iter().for_each(|lost| out.remark(lost));
    out.print(&said(&exported, into));
    Ok(Exit::Clean)
}

/// What was made, and how it is loaded and compared.
fn said(made: &Exported, into: &Path) -> String {
    let Exported {
        at,
        partitions,
        rows,
        files,
        load,
        notes,
        ..
    } = made;
    let into = into.display();
    let names: Vec<String> = files
        .iter()
        .filter_map(|f| Some(f.file_name()?.to_string_lossy().into_owned()))
        .collect();
    let mut out = format!("{into}: {rows} rows in {partitions} partitions, as after visit {at}\n");
    out += &format!("   files      {}\n", names.join(" "));
    if !load.is_empty() {
        out += &format!("   load       cd {into}; {load}\n");
    }
    out += &format!("   compare    gristmill check {into} --target URL\n");
    for note in notes {
        out += &format!("   note       {note}\n");
    }
    out
}
