//! `gristmill shrink RUN`: the smallest run that still fails in the same way.

use super::run::supervised;
use super::{folder, text};
use crate::exit::Exit;
use crate::out::Out;
use crate::problem::Problem;
use clap::ArgMatches;
use report::text::{Beside, Screen, Shrunk, shrunk};
use run::plan::split_password;
use run::shrink::{HISTORY, Options, Shrunk as Result_, Smaller};
use std::io;
use std::path::Path;

pub(super) fn shrink(given: &ArgMatches, out: &mut Out) -> Result<Exit, Problem> {
    let folder = folder(given)?;
    let options = Options {
        finding: given.get_one::<u32>("finding").map(|n| *n as usize),
        times: *given.get_one::<u32>("times").expect("it has a default"),
        tries_max: *given.get_one::<u64>("tries").expect("it has a default"),
    };
    let password = given
        .get_one::<String>("target")
        .and_then(|url| split_password(url).1);
    let mut screen = Screen::new(io::stdout(), out.style(), out.live());
    let result = supervised(text(given, "out"), password.as_deref(), None, &mut |with| {
        run::shrink::shrink(&folder, &options, with, &mut screen)
    });
    out.noted(screen.finish());
    match result? {
        Result_::NotAgain { class, tries } => {
            out.complain(
                &format!("the finding ({class}) did not come back in {tries} runs of parts of the run and of all of it"),
                "it may need luck: `gristmill replay RUN --times 100` says how often it comes back",
            );
            Ok(Exit::Unknown)
        }
        Result_::Smaller(smaller) => {
            let kept = history::artefact::Folder::open(&smaller.folder)?;
            super::report::write_pages(&kept, &smaller.verdict)?;
            out.print(&shrunk(&screen_of(&smaller, given), out.style()));
            Ok(Exit::Finding)
        }
    }
}

fn screen_of(smaller: &Smaller, given: &ArgMatches) -> Shrunk {
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let of = |s: &run::shrink::Sizes| (count(s.sessions), count(s.visits), count(s.tables));
    let mut visits: Vec<(usize, Beside)> = Vec::new();
    let statements = smaller.history.is_empty();
    // What is before all sessions (tables, or the statements that make them) is in a script of its own name.
    for script in &smaller.scripts {
        let number = script
            .name
            .strip_prefix("session")
            .and_then(|n| n.strip_suffix(".sql"));
        let Some(session) = number.and_then(|n| n.parse().ok()) else {
            continue;
        };
        for doing in &script.doings {
            let beside = Beside {
                session,
                statements: doing.statements.clone(),
                seen: doing.seen.clone(),
            };
            visits.push((doing.at, beside));
        }
    }
    visits.sort_by_key(|(at, _)| *at);
    let mut names: Vec<&str> = smaller.scripts.iter().map(|s| s.name.as_str()).collect();
    if !statements {
        names.insert(0, HISTORY);
    }
    let folder = smaller.folder.display();
    let store = match text(given, "out") {
        store if Path::new(store) == Path::new(history::artefact::STORE) => String::new(),
        store => format!(" --out {store}"),
    };
    Shrunk {
        statements,
        before: of(&smaller.before),
        after: of(&smaller.after),
        tries: smaller.tries,
        took_ms: u64::try_from(smaller.took.as_millis()).unwrap_or(u64::MAX),
        times: smaller.times.into(),
        again: smaller.again.into(),
        cut_short: smaller.cut_short.unwrap_or_default().to_owned(),
        visits: visits.into_iter().map(|(_, visit)| visit).collect(),
        written: format!("{folder}/{{{}}}", names.join(", ")),
        replay: format!("gristmill replay {folder}{store}"),
    }
}
