//! What `gristmill check RUN` says: how much of a run is still held, and what judging it again gave.

use super::{Style, Tone, counted, finding, number, percent};
use crate::json::Recheck;
use history::Status;

/// Findings, then one line and what it rests on.
pub fn recheck(again: &Recheck<'_>, run: &str, style: Style) -> String {
    let mut out = String::new();
    for cause in again.causes {
        out += &finding(cause, run, style);
        out.push('\n');
    }
    let word = match again.status {
        Status::Clean => style.paint(Tone::Good, "clean"),
        Status::Unchecked => style.paint(Tone::Doubt, "not checked"),
        Status::Unknown => style.paint(Tone::Doubt, "unknown"),
        Status::Finding => style.paint(Tone::Bad, "found"),
    };
    let held = match again.of {
        Some(of) => {
            let share = percent(again.held, of).unwrap_or_else(|| "0 %".to_owned());
            format!(
                "{} of {} ({share}) still held and judged again",
                number(again.held),
                counted(of, "answer", "answers")
            )
        }
        None => format!(
            "{} held and judged again; the run left no verdict",
            counted(again.held, "answer", "answers")
        ),
    };
    out += &format!("{word}: {held}\n");
    let c = again.counts;
    out += &style.labelled(
        "compared",
        &format!(
            "{}, {}",
            counted(c.rows, "row", "rows"),
            counted(c.cells, "cell", "cells")
        ),
    );
    if !c.not_compared.is_empty() {
        let reasons: Vec<String> = c
            .not_compared
            .iter()
            .map(|(why, n)| format!("{why} {}", number(*n)))
            .collect();
        out += &style.labelled("uncompared", &reasons.join(", "));
    }
    out += &style.labelled(
        "digests",
        &format!(
            "{} of the log are those of the plan",
            counted(again.regenerated, "visit", "visits")
        ),
    );
    for note in again.notes {
        out += &style.labelled("note", note);
    }
    out
}
