//! What `gristmill check RUN` says of a database that still holds the run's data.

use super::finding::found;
use super::{Style, Tone, counted, number};
use crate::json::Look;
use history::Status;

/// Findings, then one line and what it rests on.
pub fn look(look: &Look<'_>, run: &str, style: Style) -> String {
    let mut out = String::new();
    for cause in look.causes {
        let rerun = format!("gristmill check {run} --at {} --target {}", look.at, look.target);
        out += &found(cause, &rerun, style);
        out.push('\n');
    }
    let word = match look.status {
        Status::Clean => style.paint(Tone::Good, "clean"),
        Status::Unchecked | Status::Unknown => style.paint(Tone::Doubt, "unknown"),
        Status::Finding => style.paint(Tone::Bad, "found"),
    };
    out += &format!(
        "{word}: what {} holds of {run}, compared with the state after visit {}\n",
        look.target,
        number(look.at)
    );
    let c = look.counts;
    let compared = format!(
        "{} in {}: {}, {}",
        counted(look.partitions, "partition", "partitions"),
        counted(c.answers, "answer", "answers"),
        counted(c.rows, "row", "rows"),
        counted(c.cells, "cell", "cells")
    );
    out += &style.labelled("compared", &compared);
    for (why, n) in &c.not_compared {
        let text = format!("{}: {why}", counted(*n, "answer", "answers"));
        out += &style.labelled("uncompared", &text);
    }
    out += &style.labelled("server", look.server);
    for note in look.notes {
        out += &style.labelled("note", note);
    }
    out
}
