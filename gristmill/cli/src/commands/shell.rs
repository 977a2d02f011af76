//! `gristmill completions SHELL` and `gristmill man`: made from the arguments.

use crate::args;
use crate::exit::Exit;
use crate::out::Out;
use crate::problem::Problem;
use crate::settings::plain;
use clap::ArgMatches;
use clap_complete::Shell;
use clap_mangen::Man;

pub(super) fn completions(given: &ArgMatches, out: &mut Out) -> Result<Exit, Problem> {
    let shell = *given.get_one::<Shell>("shell").expect("required");
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut args::command(), "gristmill", &mut script);
    out.print(&String::from_utf8(script).expect("completions are text"));
    Ok(Exit::Clean)
}

pub(super) fn man(given: &ArgMatches, out: &mut Out) -> Result<Exit, Problem> {
    let command = args::command();
    let Some(dir) = given.get_one::<String>("dir") else {
        out.print(&page(&command));
        return Ok(Exit::Clean);
    };
    let written = clap_mangen::generate_to(command, dir);
    written.map_err(|e| {
        Problem::usage(
            format!("cannot write to {dir}: {}", plain(&e)),
            "--dir takes a folder that is there",
        )
    })?;
    Ok(Exit::Clean)
}

fn page(command: &clap::Command) -> String {
    let mut page = Vec::new();
    Man::new(command.clone())
        .render(&mut page)
        .expect("a Vec takes everything");
    String::from_utf8(page).expect("a man page is text")
}
