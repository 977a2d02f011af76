//! The closing block of a run.

use super::{Style, Tone, counted, latency, number, percent, span};
use history::{Status, Verdict};
use std::collections::BTreeMap;
use unicode_width::UnicodeWidthStr;

/// The first line of a run: its parts with ` · ` between them, broken between parts where the screen is narrow.
pub fn head(parts: &[String], style: Style) -> String {
    let room = style.width.unwrap_or(usize::MAX);
    let mut lines = vec![String::new()];
    for part in parts {
        let line = lines.last_mut().expect("there is one");
        if line.is_empty() {
            *line += part;
        } else if line.width() + 3 + part.width() <= room {
            *line += &format!(" · {part}");
        } else {
            lines.push(format!("   {part}"));
        }
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// The closing block: the verdict in one line, then what it rests on, what was left out, how to do it again.
pub fn verdict(v: &Verdict, style: Style) -> String {
    let mut out = first_line(v, style);
    if v.interrupted {
        out += &style.labelled(
            "cut short",
            "by Ctrl-C or a signal: what ran before it was checked",
        );
    }
    for doubt in &v.doubts {
        out += &style.labelled("doubt", doubt);
    }
    match &v.statements {
        Some(of) => out += &super::statements::lines(v, of, style),
        None => out += &compared_and_exercised(v, style),
    }
    if !v.left_out.is_empty() {
        out += &style.labelled("left out", &v.left_out.join("; "));
    }
    if !v.faults.is_empty() {
        out += &style.labelled("faults", &list(&v.faults));
    }
    if !v.lies.is_empty() {
        out += &style.labelled("lies told", &list(&v.lies));
    }
    if v.idle_percent > 0 {
        out += &style.labelled(
            "idle",
            &format!(
                "sessions waited {} % of their time for a partition",
                v.idle_percent
            ),
        );
    }
    if let Some(text) = latency::line(v) {
        out += &style.labelled("latency", &text);
    }
    for (key, label) in [
        ("against", "against"),
        ("kept", "kept"),
        ("agents", "agents"),
        ("again", "again"),
        ("folder", "folder"),
    ] {
        if let Some(text) = v.setup.get(key) {
            out += &style.labelled(label, text);
        }
    }
    out
}

fn compared_and_exercised(v: &Verdict, style: Style) -> String {
    let mut out = style.labelled("compared", &compared(v));
    if !v.counts.not_compared.is_empty() {
        let all: u64 = v.counts.not_compared.values().sum();
        let text = format!(
            "{}: {}",
            counted(all, "answer", "answers"),
            list(&v.counts.not_compared)
        );
        out += &style.labelled("uncompared", &text);
    }
    // With nothing to compare there is nothing to exercise.
    let vacuous = v.counts.answers == 0 && v.doubts.is_empty() && v.never_compared.is_empty();
    if v.status != Status::Unchecked && !vacuous {
        out += &exercised(v, style);
    }
    out
}

/// `clean: 124,001 visits in 10.0 s (61 % writes, 4 % rolled back by plan)`
fn first_line(v: &Verdict, style: Style) -> String {
    let fresh = v.causes.iter().filter(|c| !c.known);
    let (causes, findings) = fresh.fold((0, 0), |(n, times), cause| (n + 1, times + cause.times));
    let word = match v.status {
        Status::Clean => style.paint(Tone::Good, "clean"),
        Status::Unchecked => style.paint(Tone::Doubt, "not checked"),
        Status::Unknown => style.paint(Tone::Doubt, "unknown"),
        Status::Finding => style.paint(Tone::Bad, "found"),
    };
    let found = match v.status {
        Status::Finding => {
            format!(
                "{} of {}, ",
                counted(findings, "finding", "findings"),
                counted(causes, "cause", "causes")
            )
        }
        Status::Clean | Status::Unchecked | Status::Unknown => String::new(),
    };
    let known: u64 = v.causes.iter().filter(|c| c.known).map(|c| c.times).sum();
    let known = match known {
        0 => String::new(),
        n => format!("{} that --known tolerates, ", counted(n, "finding", "findings")),
    };
    let all: u64 = v
        .visits
        .iter()
        .filter(|(name, _)| *name != "writing")
        .map(|(_, n)| n)
        .sum();
    let called = |name: &'static str| match (name, &v.statements) {
        ("writing", _) => "writes",
        ("rolled back by plan", Some(_)) => "failed by plan",
        ("rejected", Some(_)) => "failed",
        (name, _) => name,
    };
    let shares = ["writing", "rolled back by plan", "rejected", "skipped", "unknown"]
        .into_iter()
        .filter_map(|name| {
            let share = percent(*v.visits.get(name)?, all)?;
            Some(format!("{share} {}", called(name)))
        });
    let shares: Vec<String> = shares.collect();
    let shares = if shares.is_empty() {
        String::new()
    } else {
        format!(" ({})", shares.join(", "))
    };
    let visits = match &v.statements {
        Some(_) => counted(all, "statement", "statements"),
        None => counted(all, "visit", "visits"),
    };
    let indent = match v.status {
        Status::Unchecked => "not checked: ",
        Status::Clean | Status::Unknown | Status::Finding => "unknown: ",
    };
    let text = format!("{found}{known}{visits} in {}{shares}", span(v.load_ms, false));
    format!("{word}: {}\n", style.wrapped(&text, indent.len()).join("\n   "))
}

fn compared(v: &Verdict) -> String {
    let c = &v.counts;
    if v.status == Status::Unchecked {
        return "nothing: --check none".to_owned();
    }
    let overlapped = match c.overlapped {
        0 => String::new(),
        1 => "; 1 read that overlapped writes was explained".to_owned(),
        n => format!("; {} reads that overlapped writes were explained", number(n)),
    };
    let (rows, cells) = (counted(c.rows, "row", "rows"), counted(c.cells, "cell", "cells"));
    format!(
        "{}: {rows}, {cells}{overlapped}",
        counted(c.answers, "answer", "answers")
    )
}

/// Which kinds were compared, which were not, which were never drawn.
fn exercised(v: &Verdict, style: Style) -> String {
    let compared = v.counts.exercised.iter().filter(|(_, n)| **n > 0);
    let (reads, writes): (Vec<_>, Vec<_>) = compared.partition(|(kind, _)| kind.starts_with("read"));
    let (reads, writes) = (reads.len() as u64, writes.len() as u64);
    let all = if v.never_compared.is_empty() && v.never_drawn.is_empty() {
        "all "
    } else {
        ""
    };
    let text = format!(
        "{all}{} of write and {} of read{}",
        counted(writes, "kind", "kinds"),
        counted(reads, "kind", "kinds"),
        if all.is_empty() {
            ""
        } else {
            " that the plan enables"
        }
    );
    let mut out = style.labelled("exercised", &text);
    let never = v.never_compared.join(", ");
    // As a rule a doubt says so already.
    if !never.is_empty() && !v.doubts.iter().any(|doubt| doubt.contains(&never)) {
        out += &style.labelled("", &format!("never compared: {}", v.never_compared.join(", ")));
    }
    if !v.never_drawn.is_empty() {
        out += &style.labelled(
            "",
            &format!("never drawn in this run: {}", v.never_drawn.join(", ")),
        );
    }
    out
}

fn list(counts: &BTreeMap<String, u64>) -> String {
    counts
        .iter()
        .map(|(name, n)| format!("{name} {}", number(*n)))
        .collect::<Vec<_>>()
        .join(", ")
}
