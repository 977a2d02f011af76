//! What `gristmill shrink` says: the line that lives, and the result.

use super::{Style, Tone, counted, cut, number, pad, span};
use history::progress::Progress;
use std::fmt::Write;
use unicode_width::UnicodeWidthStr;

/// A finding made small.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shrunk {
    /// Statements are counted instead of visits: the parallel workload.
    pub statements: bool,
    /// Sessions, visits, tables of the recorded run.
    pub before: (u64, u64, u64),
    /// The same of what is left.
    pub after: (u64, u64, u64),
    /// Runs that were tried.
    pub tries: u64,
    /// How long they took.
    pub took_ms: u64,
    /// What is left was run so often …
    pub times: u64,
    /// … and failed so often.
    pub again: u64,
    /// Why it could be smaller still, or "".
    pub cut_short: String,
    /// Visits in order.
    pub visits: Vec<Beside>,
    /// Where it was written, and which files.
    pub written: String,
    /// The command that runs it again.
    pub replay: String,
}

/// One visit of what is left.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Beside {
    /// Its session, from 1.
    pub session: usize,
    /// Its statements.
    pub statements: Vec<String>,
    /// What came back that must not, where it did.
    pub seen: Option<String>,
}

/// The line of one [`Progress::Shrinking`], without a newline; empty for other progress.
pub fn shrinking(at: &Progress, style: Style) -> String {
    let Progress::Shrinking {
        visits,
        sessions,
        statements,
        tries,
        elapsed_ms,
        ..
    } = at
    else {
        return String::new();
    };
    let tried = format!(
        "{} in {}",
        counted(*tries, "try", "tries"),
        span(*elapsed_ms, false)
    );
    let line = match visits {
        0 => format!("   looking for a part of the run that fails   {tried}"),
        _ => format!(
            "   {}, {}, {}   {tried}",
            counted(*sessions, "session", "sessions"),
            counted(*visits, "visit", "visits"),
            counted(*statements, "statement", "statements"),
        ),
    };
    cut(&line, style.width.unwrap_or(usize::MAX))
}

/// The result: from what to what, how surely it fails, the sessions side by side, where it lies.
pub fn shrunk(shrunk: &Shrunk, style: Style) -> String {
    let (one, many) = if shrunk.statements {
        ("statement", "statements")
    } else {
        ("visit", "visits")
    };
    let of = |(sessions, visits, tables): (u64, u64, u64)| {
        format!(
            "{}, {}, {}",
            counted(sessions, "session", "sessions"),
            counted(visits, one, many),
            counted(tables, "table", "tables")
        )
    };
    let mut out = format!(
        "   {}  →  {}     {} in {}\n",
        of(shrunk.before),
        of(shrunk.after),
        counted(shrunk.tries, "try", "tries"),
        span(shrunk.took_ms, false)
    );
    let tone = if shrunk.again == shrunk.times {
        Tone::Bad
    } else {
        Tone::Doubt
    };
    let fails = format!("fails {} of {} times", number(shrunk.again), number(shrunk.times));
    writeln!(out, "   {}", style.paint(tone, &fails)).expect("a String takes everything");
    if !shrunk.cut_short.is_empty() {
        let words = format!("{}: it may not be the smallest", shrunk.cut_short);
        writeln!(out, "   {}", style.paint(Tone::Doubt, &words)).expect("a String takes everything");
    }
    out.push('\n');
    out += &side_by_side(&shrunk.visits, style);
    out.push('\n');
    out += &style.labelled("written", &shrunk.written);
    out += &style.labelled("rerun", &shrunk.replay);
    out
}

/// One column a session where there is room for two or three, else one below the other.
fn side_by_side(visits: &[Beside], style: Style) -> String {
    let sessions = visits.iter().map(|v| v.session).max().unwrap_or(0);
    let lines = |visit: &Beside| -> Vec<String> {
        let statements = visit.statements.iter().map(|s| format!("{s};"));
        statements
            .chain(visit.seen.iter().map(|s| format!("-- wrong: {s}")))
            .collect()
    };
    let widest = visits
        .iter()
        .flat_map(lines)
        .map(|line| line.width())
        .max()
        .unwrap_or(0);
    let beside = (2..=3).contains(&sessions)
        && style
            .width
            .is_some_and(|width| 3 + sessions * (widest + 3) <= width);
    let mut out = String::new();
    if beside {
        let heads = (1..=sessions).map(|n| pad(&format!("-- session {n}"), widest + 3));
        writeln!(out, "   {}", heads.collect::<String>().trim_end()).expect("a String takes everything");
        for visit in visits {
            for line in lines(visit) {
                let indent = 3 + (visit.session - 1) * (widest + 3);
                writeln!(out, "{:indent$}{line}", "").expect("a String takes everything");
            }
        }
        return out;
    }
    let mut last = 0;
    for visit in visits {
        if visit.session != last {
            writeln!(out, "   -- session {}", visit.session).expect("a String takes everything");
            last = visit.session;
        }
        for line in lines(visit) {
            writeln!(
                out,
                "   {}",
                cut(&line, style.width.map_or(usize::MAX, |w| w.saturating_sub(3)))
            )
            .expect("a String takes everything");
        }
    }
    out
}
