//! `gristmill report RUN`: a verdict that was given before.

use super::{folder, json};
use crate::exit::Exit;
use crate::out::Out;
use crate::problem::Problem;
use clap::ArgMatches;
use history::Verdict;
use history::artefact::Folder;
use report::{pages, text};

pub(super) fn report(given: &ArgMatches, out: &mut Out) -> Result<Exit, Problem> {
    let folder = folder(given)?;
    let Some(verdict) = folder.verdict()? else {
        let what = format!("{} has no verdict: the run did not end", folder.path().display());
        let remedy = if folder.is_alive() {
            "it still runs".to_owned()
        } else {
            format!(
                "`gristmill resume {0}` goes on with it, `gristmill check {0}` judges what it holds",
                folder.name()
            )
        };
        return Err(Problem::usage(what, remedy));
    };
    write_pages(&folder, &verdict)?;
    print(&verdict, &folder.name(), json(given), out);
    Ok(verdict.status.into())
}

/// Prints a whole verdict: every finding, then the closing block; or one JSON object.
pub(super) fn print(verdict: &Verdict, run: &str, json: bool, out: &mut Out) {
    if json {
        return out.print(&report::json::verdict(verdict));
    }
    let style = out.style();
    if let Some(head) = verdict.setup.get("head") {
        let parts: Vec<String> = head.split(" · ").map(str::to_owned).collect();
        out.print(&format!("{}\n", text::head(&parts, style)));
    }
    for cause in &verdict.causes {
        out.print(&format!("{}\n", text::finding(cause, run, style)));
    }
    out.print(&text::verdict(verdict, style));
    out.print(&text::latency(verdict, style));
    out.print(&text::statements(verdict, style));
}

/// Writes `junit.xml` and the files of the findings.
pub(super) fn write_pages(folder: &Folder, verdict: &Verdict) -> Result<(), Problem> {
    for (name, content) in pages::pages(verdict, &folder.name()) {
        folder.write(&name, content.as_bytes())?;
    }
    Ok(())
}
