//! `gristmill plan`: what a run would send.

use super::text;
use crate::exit::Exit;
use crate::out::Out;
use crate::problem::Problem;
use crate::settings::gather;
use clap::ArgMatches;
use gristmill::{Form, Request, environment, statements};
use run::plan::Length;

/// Visits that are shown when none are asked for.
const SHOWN: u64 = 20;

pub(super) fn plan(given: &ArgMatches, out: &mut Out) -> Result<Exit, Problem> {
    let Request { plan, password } = Request::new(gather(given, out)?)?;
    plan.left_out
        .iter()
        .for_each(|what| out.remark(&format!("left out of the schema: {what}")));
    let form = match text(given, "as") {
        "toml" => {
            out.print(&plan.write());
            return Ok(Exit::Clean);
        }
        "notation" => Form::Notation,
        _ => Form::Sql,
    };
    let upto = match plan.length {
        Length::Visits(visits) => visits,
        Length::TimeMs(_) => SHOWN,
        Length::Stages => u64::MAX,
    };
    let environment = environment(password.as_deref());
    statements(&plan, &environment, upto, form, &mut |visit| {
        out.print(&visit);
        out.is_open()
    })?;
    Ok(Exit::Clean)
}
