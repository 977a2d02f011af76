//! `gristmill resume RUN`: goes on with a run that was killed before its verdict.

use super::run::{conclude, supervised, watched};
use super::{folder, text};
use crate::exit::Exit;
use crate::out::Out;
use crate::problem::Problem;
use clap::ArgMatches;
use run::plan::split_password;
use run::supervisor;

pub(super) fn resume(given: &ArgMatches, out: &mut Out) -> Result<Exit, Problem> {
    let found = folder(given)?;
    let name = found.name();
    let password = given
        .get_one::<String>("target")
        .and_then(|url| split_password(url).1);
    let mut head = Vec::new();
    let ended = supervised(text(given, "out"), password.as_deref(), None, &mut |with| {
        watched(given, out, &mut head, &mut |watcher| {
            supervisor::resume(&found, with, watcher)
        })
    })?;
    conclude(given, out, ended, &head, &|_| format!("gristmill replay {name}"))
}
