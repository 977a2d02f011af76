//! The line that lives while a run lives, and what is printed above it.

use super::{Style, counted, finding, number, span};
use history::Watcher;
use history::progress::{Planned, Progress};
use std::io::{self, Write};
use unicode_width::UnicodeWidthStr;

/// Columns of the bar where there is room.
const BAR: usize = 24;

/// The line of one [`Progress::Load`], without a newline; empty for other progress. At most the screen's width.
pub fn progress(at: &Progress, style: Style) -> String {
    let Progress::Load {
        visits,
        rate,
        checked,
        behind_ms,
        findings,
        elapsed_ms,
        of,
        phase,
        beside,
    } = at
    else {
        return String::new();
    };
    let unchecked = phase == Progress::UNCHECKED;
    let statements = phase == Progress::STATEMENTS;
    let doing = if statements {
        format!("{} statements/s", rate_text(*rate))
    } else if phase == "load" || unchecked {
        format!("{} visits/s", rate_text(*rate))
    } else {
        phase.clone()
    };
    let checked = if unchecked {
        "not checked".to_owned()
    } else if statements {
        format!("judged {}", number(*checked))
    } else {
        format!("checked {} of {}", number(*checked), number(*visits))
    };
    let behind = format!("behind {}", span(*behind_ms, true));
    let found = match findings {
        0 => "no findings".to_owned(),
        n => counted(*n, "finding", "findings"),
    };
    let (part, whole, reached) = match of {
        Planned::Time(ms) => (
            *elapsed_ms,
            *ms,
            format!("{} of {} s", elapsed_ms / 1000, ms.div_ceil(1000)),
        ),
        Planned::Visits(n) => (
            *visits,
            *n,
            format!(
                "{} of {} {}",
                number(*visits),
                number(*n),
                if statements { "statements" } else { "visits" }
            ),
        ),
    };
    let width = style.width.unwrap_or(usize::MAX);
    let narrow = [vec![&doing, &checked, &found], vec![&doing, &found], vec![&found]];
    // What is dropped first on a narrow screen stands last in this list of lists.
    let wide = |more: usize| -> Vec<&String> {
        let late = (!unchecked && !statements).then_some(&behind);
        [&doing, &checked]
            .into_iter()
            .chain(late)
            .chain(&beside[..more])
            .chain([&found])
            .collect()
    };
    for parts in (0..=beside.len()).rev().map(wide).chain(narrow) {
        let left: String = parts.iter().map(|part| format!("   {part}")).collect();
        let free = width.saturating_sub(left.width() + 3 + 1 + reached.width());
        if free >= 6 {
            return format!("{left}   {} {reached}", bar(part, whole, free.min(BAR)));
        }
    }
    super::cut(&format!("   {found}"), width)
}

/// `12.4 k` from a thousand on.
fn rate_text(rate: u64) -> String {
    match rate {
        0..1_000 => rate.to_string(),
        1_000..1_000_000 => format!("{}.{} k", rate / 1_000, rate % 1_000 / 100),
        _ => format!("{}.{} M", rate / 1_000_000, rate % 1_000_000 / 100_000),
    }
}

/// `━━━━╸━━`: what is done, where it stands, what is left (thin).
fn bar(part: u64, whole: u64, columns: usize) -> String {
    let done = u128::from(part.min(whole)) * columns as u128 / u128::from(whole.max(1));
    let done = usize::try_from(done).expect("at most the columns");
    let edge = if done < columns { "╸" } else { "" };
    format!(
        "{}{edge}{}",
        "━".repeat(done),
        "─".repeat(columns - done - usize::from(done < columns))
    )
}

/// Draws a run as it goes: the first line, the progress line (on terminals only), findings and notes above it.
///
/// Write errors are kept and end the drawing; a run is not disturbed by a closed pipe.
pub struct Screen<W> {
    out: W,
    style: Style,
    /// The progress line is drawn.
    live: bool,
    run: String,
    /// A line is on the screen that must be wiped before anything else is written.
    drawn: bool,
    broken: Option<io::Error>,
}

impl<W: Write> Screen<W> {
    /// Draws on `out`. `live`: it is a terminal that can be redrawn.
    pub fn new(out: W, style: Style, live: bool) -> Screen<W> {
        Screen {
            out,
            style,
            live,
            run: String::new(),
            drawn: false,
            broken: None,
        }
    }

    /// Wipes the progress line; the first error of writing, if there was one.
    pub fn finish(&mut self) -> Option<io::Error> {
        self.put("");
        self.broken.take()
    }

    fn put(&mut self, text: &str) {
        if self.broken.is_some() {
            return;
        }
        let wipe = if self.drawn { "\r\x1b[K" } else { "" };
        self.drawn = false;
        let written = write!(self.out, "{wipe}{text}").and_then(|()| self.out.flush());
        self.broken = written.err();
    }
}

impl<W: Write + Send> Watcher for Screen<W> {
    fn see(&mut self, progress: &Progress) {
        match progress {
            Progress::Started { head, folder } => {
                let name = std::path::Path::new(folder).file_name();
                self.run = name.map_or_else(|| folder.clone(), |name| name.to_string_lossy().into_owned());
                let head = super::head(head, self.style);
                self.put(&format!("{head}\n"));
            }
            Progress::Load { .. } if self.live => {
                let line = super::progress::progress(progress, self.style);
                self.put(&line);
                self.drawn = true;
            }
            Progress::Shrinking { .. } if self.live => {
                let line = super::shrinking(progress, self.style);
                self.put(&line);
                self.drawn = true;
            }
            Progress::Load { .. } | Progress::Shrinking { .. } => {}
            Progress::Found(cause) => {
                let text = finding(cause, &self.run, self.style);
                self.put(&format!("{text}\n"));
            }
            Progress::Note(text) => {
                let text = self.style.labelled("note", text);
                self.put(&text);
            }
        }
    }
}
