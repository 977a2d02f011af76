//! `gristmill clean`: what killed runs left on a target; old folders of runs.

use super::{store, text};
use crate::exit::Exit;
use crate::out::Out;
use crate::problem::Problem;
use clap::ArgMatches;
use run::plan::split_password;
use std::path::{Path, PathBuf};
use targets::OpenOptions;

pub(super) fn clean(given: &ArgMatches, out: &mut Out) -> Result<Exit, Problem> {
    let Some(target) = given.get_one::<String>("target") else {
        return runs(given, out);
    };
    // A URL that nobody could have used is a mistake, not an empty list.
    let mut options = OpenOptions::new(PathBuf::new(), "gmclean");
    options.discipline = targets::own_discipline(target);
    targets::open(target, &options)?;
    let (url, password) = split_password(target);
    let removed = run::clean(&url, password.as_deref(), Path::new(text(given, "out")))?;
    for what in &removed {
        out.print(&format!("removed {what}\n"));
    }
    if removed.is_empty() {
        out.print(&format!(
            "nothing to remove: no registry in {} names anything of ours on {url}\n",
            text(given, "out")
        ));
    }
    Ok(Exit::Clean)
}

fn runs(given: &ArgMatches, out: &mut Out) -> Result<Exit, Problem> {
    let keep = *given.get_one::<usize>("keep").expect("it has a default");
    let removed = store(given).prune(keep, given.get_flag("findings"))?;
    for name in &removed {
        out.print(&format!("removed run {name}\n"));
    }
    if removed.is_empty() {
        out.print(&format!("nothing to remove in {}\n", text(given, "out")));
    }
    Ok(Exit::Clean)
}
