//! Text for people: what each reader needs at that moment, in the order in which it comes up.
//!
//! A [`Style`] says whether there are colours and how wide the screen is; without a width nothing is cut or wrapped.

mod finding;
mod latency;
mod look;
mod mistakes;
mod progress;
mod recheck;
mod shrunk;
mod statements;
mod summary;
mod tables;
#[cfg(test)]
mod tests;

pub use finding::finding;
pub use latency::latency;
pub use look::look;
pub use mistakes::{mistake, place};
pub use progress::{Screen, progress};
pub use recheck::recheck;
pub use shrunk::{Beside, Shrunk, shrinking, shrunk};
pub use statements::statements;
pub use summary::{head, verdict};
pub use tables::{
    DryRun, Replayed, SelfcheckRow, dry_run, replayed, runs, selfcheck_end, selfcheck_head, selfcheck_row,
    table,
};

use anstyle::{AnsiColor, Color};
use std::fmt::Write;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How text may look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// Escape codes for colours.
    pub color: bool,
    /// Columns of the terminal; `None`: no terminal, nothing is cut or wrapped.
    pub width: Option<usize>,
    /// Statements are shown whole on a terminal, too.
    pub full: bool,
}

/// What a word means, for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Bad,
    Doubt,
    Label,
}

/// Columns before a label, and of the label itself.
const INDENT: usize = 3;
const LABEL: usize = 11;

impl Style {
    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        if !self.color {
            return text.to_owned();
        }
        let style = anstyle::Style::new();
        let style = match tone {
            Tone::Good => style.bold().fg_color(Some(Color::Ansi(AnsiColor::Green))),
            Tone::Bad => style.bold().fg_color(Some(Color::Ansi(AnsiColor::Red))),
            Tone::Doubt => style.bold().fg_color(Some(Color::Ansi(AnsiColor::Yellow))),
            Tone::Label => style.dimmed(),
        };
        format!("{style}{text}{style:#}")
    }

    /// `   label      text`, the text wrapped beside its label.
    pub(crate) fn labelled(self, label: &str, text: &str) -> String {
        let mut out = String::new();
        let lines = text
            .split('\n')
            .flat_map(|line| self.wrapped(line, INDENT + LABEL));
        for (n, line) in lines.enumerate() {
            let label = if n == 0 { label } else { "" };
            let padded = format!("{label:<LABEL$}");
            let label = if label.is_empty() {
                padded
            } else {
                self.paint(Tone::Label, &padded)
            };
            writeln!(out, "{:INDENT$}{label}{line}", "").expect("a String takes everything");
        }
        out
    }

    /// Lines of at most the screen's width less `indent`, broken at blanks; a word that is longer stands alone.
    pub(crate) fn wrapped(self, text: &str, indent: usize) -> Vec<String> {
        let room = self
            .width
            .map_or(usize::MAX, |width| width.saturating_sub(indent).max(20));
        let mut lines = vec![String::new()];
        for word in text.split(' ') {
            let line = lines.last_mut().expect("there is one");
            if !line.is_empty() && line.width() + 1 + word.width() > room {
                lines.push(word.to_owned());
            } else {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
        }
        lines
    }
}

/// Cuts a text to so many columns; what was cut shows as `…`. Control characters show as blanks.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    let plain: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if plain.width() <= columns {
        return plain;
    }
    if columns == 0 {
        return String::new();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in plain.chars() {
        let w = c.width().unwrap_or(0);
        if used + w + 1 > columns {
            break;
        }
        used += w;
        out.push(c);
    }
    out.push('…');
    out
}

/// Fills a text up with blanks to so many columns.
pub(crate) fn pad(text: &str, columns: usize) -> String {
    format!("{text}{:1$}", "", columns.saturating_sub(text.width()))
}

/// A number with commas: `1,204,551`.
pub(crate) fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// A time span: `0.01 s` below ten seconds where `fine`, `10.0 s`, `5 min 03 s`.
pub(crate) fn span(ms: u64, fine: bool) -> String {
    match ms {
        _ if fine && ms < 10_000 => format!("{}.{:02} s", ms / 1000, ms % 1000 / 10),
        _ if ms < 120_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => format!("{} min {:02} s", ms / 60_000, ms / 1000 % 60),
    }
}

/// A share in percent: `61 %`, `<1 %`; `None` where it is nothing of something.
pub(crate) fn percent(part: u64, whole: u64) -> Option<String> {
    let share = u128::from(part) * 100 / u128::from(whole.max(1));
    match share {
        _ if part == 0 => None,
        0 => Some("<1 %".to_owned()),
        share => Some(format!("{share} %")),
    }
}

/// `1 cause`, `3 causes`.
pub(crate) fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(n), if n == 1 { one } else { many })
}
