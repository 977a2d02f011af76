//! A finding: one title, five lines that are always these five, then the statements that prove it.

use super::{Style, Tone, counted, cut, pad};
use crate::words;
use history::verdict::{Cause, Sent};
use std::fmt::Write;
use unicode_width::UnicodeWidthStr;

/// Columns below which the times of statements are left out.
const NARROW: usize = 80;
/// Statements up to this width are aligned where nothing is cut.
const ALIGNED: usize = 100;

/// The finding of a cause as a block of lines. `run` is what `gristmill replay` takes.
pub fn finding(cause: &Cause, run: &str, style: Style) -> String {
    found(cause, &format!("gristmill replay {run}"), style)
}

/// The same where another command shows it again.
pub(super) fn found(cause: &Cause, rerun: &str, style: Style) -> String {
    let mut out = title(cause, style);
    out += &style.labelled("promised", &cause.promised);
    out += &style.labelled("seen", &cause.seen);
    out += &style.labelled("proof", &cause.proof);
    out += &statements(&cause.statements, style);
    out += &style.labelled("rerun", rerun);
    out += &style.labelled("how sure", &cause.how_sure);
    out
}

/// `FOUND   wrong result: …                3 times, one cause`
fn title(cause: &Cause, style: Style) -> String {
    let (word, tone) = if cause.known {
        ("KNOWN", Tone::Doubt)
    } else {
        ("FOUND", Tone::Bad)
    };
    let title = words::title(&cause.finding);
    let times = match cause.times {
        1 => "once".to_owned(),
        n => format!("{}, one cause", counted(n, "time", "times")),
    };
    let used = word.width() + 3 + title.width();
    let word = style.paint(tone, word);
    match style.width {
        None => format!("{word}   {title}   {times}\n"),
        Some(width) if used + 3 + times.width() <= width => {
            let gap = width.min(100).saturating_sub(used + times.width()).max(3);
            format!("{word}   {title}{:gap$}{times}\n", "")
        }
        Some(_) => {
            let mut lines = style.wrapped(&title, 8);
            lines.push(times);
            format!("{word}   {}\n", lines.join("\n        "))
        }
    }
}

/// The statements as really sent, one a line, aligned, cut to the screen.
fn statements(all: &[Sent], style: Style) -> String {
    let session = |s: &Sent| format!("s{}", s.session);
    let lts = |s: &Sent| s.lts.to_string();
    let times = |s: &Sent| format!("{}–{}", seconds(s.sent_us), seconds(s.answered_us));
    let widest = |text: &dyn Fn(&Sent) -> String| all.iter().map(|s| text(s).width()).max().unwrap_or(0);
    let (w_session, w_lts) = (widest(&session), widest(&lts));
    let (w_outcome, w_times) = (widest(&|s| s.outcome.clone()), widest(&times));
    // A narrow screen shows when it was at the expense of nothing else.
    let narrow = style.width.is_some_and(|width| width < NARROW);
    let (indent, w_times) = if narrow { (3, 0) } else { (16, 3 + w_times) };
    let fixed = indent + w_session + 2 + w_lts + 2 + 4 + w_outcome + w_times;
    let cuts = style.width.filter(|_| !style.full);
    let sql = |s: &Sent| {
        if cuts.is_some() {
            shortened(&s.sql)
        } else {
            s.sql.clone()
        }
    };
    let longest = widest(&|s| cut(&sql(s), usize::MAX));
    // A screen cuts long statements; piped ones are whole, and only those of common length are aligned.
    let (most, aligned) = match cuts {
        Some(width) => {
            let room = longest.min(width.saturating_sub(fixed).max(if narrow { 8 } else { 20 }));
            (room, room)
        }
        None => (usize::MAX, longest.min(ALIGNED)),
    };
    let mut out = String::new();
    for s in all {
        let (session, lts) = (pad(&session(s), w_session), lts(s));
        let (sql, outcome) = (pad(&cut(&sql(s), most), aligned), pad(&s.outcome, w_outcome));
        let when = if narrow {
            String::new()
        } else {
            format!("   {}", times(s))
        };
        let line = format!("{:indent$}{session}  {lts:>w_lts$}  {sql}    {outcome}{when}", "");
        writeln!(out, "{}", line.trim_end()).expect("a String takes everything");
    }
    out
}

/// Characters of a text in quotes that a screen shows; the statement around it tells more.
const LITERAL: usize = 16;

/// The statement with long texts in quotes cut: `'0123456789abcdef…'`. Two quotes inside one are a quote.
fn shortened(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut inside = None;
    let mut chars = sql.chars().peekable();
    while let Some(c) = chars.next() {
        match (&mut inside, c) {
            (None, '\'') => {
                inside = Some(0);
                out.push(c);
            }
            (Some(_), '\'') if chars.peek() != Some(&'\'') => {
                inside = None;
                out.push(c);
            }
            (None, c) => out.push(c),
            (Some(shown), c) => {
                let pair = if c == '\'' { chars.next() } else { None };
                if *shown < LITERAL {
                    out.push(c);
                    out.extend(pair);
                } else if *shown == LITERAL {
                    out.push('…');
                }
                *shown += 1;
            }
        }
    }
    out
}

/// Seconds since the run began, to the millisecond.
fn seconds(us: u64) -> String {
    format!("{}.{:03}", us / 1_000_000, us / 1000 % 1000)
}
