//! `gristmill selfcheck`: tries the judges.

use crate::exit::Exit;
use crate::out::Out;
use crate::problem::Problem;
use crate::settings::plain;
use clap::ArgMatches;
use report::text::{SelfcheckRow, selfcheck_end, selfcheck_head, selfcheck_row};
use run::plan::{NotA, Seed};
use run::selfcheck::{Row, timed};
use run::supervisor::interrupts;
use std::path::Path;
use std::thread;

/// What the trials are drawn from when nothing is given: the same every time, so that a judge that fails does so again.
const SEED: Seed = Seed(0x5e1f);

pub(super) fn selfcheck(given: &ArgMatches, out: &mut Out) -> Result<Exit, Problem> {
    let seed = match given.get_one::<String>("seed") {
        None => SEED,
        Some(text) => text
            .parse()
            .map_err(|NotA { expected }| Problem::usage(format!("--seed: {text:?} is not {expected}"), ""))?,
    };
    let style = out.style();
    let scratch = tempfile::tempdir();
    let scratch = scratch.map_err(|e| Problem::ours(format!("no temporary folder: {}", plain(&e))))?;
    remove_on_interrupt(scratch.path())?;
    out.print(&selfcheck_head(style));
    let mut shown = Vec::new();
    let (rows, total) = timed(scratch.path(), seed, &mut |row| {
        let row = as_shown(row);
        out.print(&selfcheck_row(&row, style));
        shown.push(row);
    })?;
    let total_ms = u64::try_from(total.as_millis()).unwrap_or(u64::MAX);
    out.print(&selfcheck_end(&shown, total_ms, style));
    Ok(if rows.iter().all(Row::passed) {
        Exit::Clean
    } else {
        Exit::Finding
    })
}

/// The trials run in this process; an interrupt ends it, but not before their folders are gone.
fn remove_on_interrupt(scratch: &Path) -> Result<(), Problem> {
    let scratch = scratch.to_owned();
    let listening = interrupts().and_then(|interrupts| {
        thread::Builder::new()
            .name("interrupted".to_owned())
            .spawn(move || {
                if interrupts.recv().is_ok() {
                    // What cannot be removed is in a temporary folder of the system's.
                    let _ = std::fs::remove_dir_all(&scratch);
                    std::process::exit(Exit::Interrupted as i32);
                }
            })
    });
    listening
        .map(drop)
        .map_err(|e| Problem::ours(format!("cannot listen for signals: {}", plain(&e))))
}

fn as_shown(row: &Row) -> SelfcheckRow {
    SelfcheckRow {
        lie: row.lie.clone(),
        target: row.target.clone(),
        told: row.told,
        found: row.found.clone(),
        first_after: row.first_after,
        twin_visits: row.twin_visits,
        twin_silent: row.twin_silent,
        twin_doubts: row.twin_doubts.clone(),
    }
}
