//! `gristmill check RUN`: judges once more what a folder holds.

use super::{folder, json};
use crate::exit::Exit;
use crate::out::Out;
use crate::problem::Problem;
use clap::ArgMatches;
use history::Status;
use report::json::Recheck;

pub(super) fn check(given: &ArgMatches, out: &mut Out) -> Result<Exit, Problem> {
    let folder = folder(given)?;
    let judged = run::recheck::recheck(&folder)?;
    let status = match (judged.causes.is_empty(), judged.counts.answers) {
        (false, _) => Status::Finding,
        (true, 0) => Status::Unknown,
        (true, _) => Status::Clean,
    };
    let again = Recheck {
        status,
        held: judged.held,
        of: judged.of,
        counts: &judged.counts,
        causes: &judged.causes,
        notes: &judged.notes,
        regenerated: judged.regenerated,
    };
    let text = if json(given) {
        report::json::recheck(&again)
    } else {
        report::text::recheck(&again, &folder.name(), out.style())
    };
    out.print(&text);
    Ok(status.into())
}
