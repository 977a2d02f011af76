//! `gristmill check RUN`: judges once more what a folder holds, and what a database still holds of its run.

use super::{folder, json, text};
use crate::exit::Exit;
use crate::out::Out;
use crate::problem::Problem;
use clap::ArgMatches;
use history::artefact::Folder;
use history::{Counts, Lts, Status};
use report::json::Recheck;
use report::text::Screen;
use run::look::{Look, Looked};
use run::recheck;
use std::io;

pub(super) fn check(given: &ArgMatches, out: &mut Out) -> Result<Exit, Problem> {
    let folder = folder(given)?;
    let looked = match is_wanted(given, &folder)? {
        true => Some(look(given, &folder, out)?),
        false => None,
    };
    // An exported data set has no answers, nor has a load that was not checked: then the look is all there is.
    let judged = match looked.is_some() && !folder.log().exists() {
        true => None,
        false => Some(recheck::recheck(&folder)?),
    }
    .filter(|judged| looked.is_none() || judged.held > 0);
    let database = looked.as_ref().map(|looked| report::json::Look {
        status: status(looked.causes.is_empty(), looked.counts.answers),
        target: &looked.target,
        server: &looked.server,
        at: looked.at.0,
        partitions: looked.partitions,
        counts: &looked.counts,
        causes: &looked.causes,
        notes: &looked.notes,
    });
    let (judged, nothing) = (judged.as_ref(), Counts::default());
    let again = Recheck {
        status: match (judged, &database) {
            (None, Some(database)) => database.status,
            (Some(judged), _) => status(judged.causes.is_empty(), judged.counts.answers),
            (None, None) => Status::Unknown,
        },
        held: judged.map_or(0, |j| j.held),
        of: judged.and_then(|j| j.of),
        counts: judged.map_or(&nothing, |j| &j.counts),
        causes: judged.map_or(&[], |j| &j.causes),
        notes: judged.map_or(&[], |j| &j.notes),
        regenerated: judged.map_or(0, |j| j.regenerated),
        database,
    };
    if json(given) {
        out.print(&report::json::recheck(&again));
    } else {
        if judged.is_some() || again.database.is_none() {
            out.print(&report::text::recheck(&again, &folder.name(), out.style()));
        }
        if let Some(database) = &again.database {
            out.print(&report::text::look(database, &folder.name(), out.style()));
        }
    }
    let worst = again
        .database
        .map_or(again.status, |d| d.status.max(again.status));
    Ok(worst.into())
}

fn status(nothing_found: bool, answers: u64) -> Status {
    match (nothing_found, answers) {
        (false, _) => Status::Finding,
        (true, 0) => Status::Unknown,
        (true, _) => Status::Clean,
    }
}

/// Whether the database is to be looked at: it was asked for, or the run was told to leave its data there.
fn is_wanted(given: &ArgMatches, folder: &Folder) -> Result<bool, Problem> {
    let asked = given.contains_id("target")
        || given.contains_id("at")
        || given.get_flag("database")
        || given.get_flag("replicas");
    Ok(!given.get_flag("answers") && (asked || run::look::is_kept(folder)?))
}

fn look(given: &ArgMatches, folder: &Folder, out: &mut Out) -> Result<Looked, Problem> {
    let aside = json(given);
    let (style, live) = if aside {
        out.aside()
    } else {
        (out.style(), out.live())
    };
    let stream: Box<dyn io::Write + Send> = if aside {
        Box::new(io::stderr())
    } else {
        Box::new(io::stdout())
    };
    let mut screen = Screen::new(stream, style, live);
    let look = Look {
        at: given.get_one::<u64>("at").copied().map(Lts),
        url: given.get_one::<String>("target").map(String::as_str),
        password: None,
        replicas: given.get_flag("replicas"),
    };
    let looked = run::look::look(folder, &look, &mut screen);
    out.noted(screen.finish().filter(|_| !aside));
    looked.map_err(|error| match error {
        run::RunError::NoSuchVisit { .. } => Problem::usage(
            error.to_string(),
            format!(
                "`gristmill report {}` says how many there were",
                text(given, "run")
            ),
        ),
        other => other.into(),
    })
}
