//! Where text goes: standard output and standard error, with or without colours, as wide as the terminal.

use crate::exit::Exit;
use report::text::{self, Style};
use std::io::{self, IsTerminal, Write};

/// The two streams, and what each can show.
pub(crate) struct Out {
    stdout: Style,
    stderr: Style,
    /// Nobody reads standard output any more (C3).
    closed: bool,
}

impl Out {
    /// The streams of the process, as NO_COLOR, TERM and the terminals say.
    pub(crate) fn standard() -> Out {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) || is_dumb();
        let style = |terminal: bool, width: Option<(terminal_size::Width, terminal_size::Height)>| Style {
            color: terminal && !plain,
            width: width.filter(|_| terminal).map(|(width, _)| usize::from(width.0)),
            full: false,
        };
        let (stdout, stderr) = (io::stdout(), io::stderr());
        Out {
            stdout: style(stdout.is_terminal(), terminal_size::terminal_size_of(&stdout)),
            stderr: style(stderr.is_terminal(), terminal_size::terminal_size_of(&stderr)),
            closed: false,
        }
    }

    /// Statements are to be shown whole.
    pub(crate) fn show_all(&mut self) {
        self.stdout.full = true;
        self.stderr.full = true;
    }

    /// How text on standard output may look.
    pub(crate) fn style(&self) -> Style {
        self.stdout
    }

    /// Whether a line on standard output can be redrawn.
    pub(crate) fn live(&self) -> bool {
        self.stdout.width.is_some() && !is_dumb()
    }

    /// How text on standard error may look, and whether a line there can be redrawn.
    pub(crate) fn aside(&self) -> (Style, bool) {
        (self.stderr, self.stderr.width.is_some() && !is_dumb())
    }

    /// Writes to standard output. A reader that went away is remembered, anything else is told once on standard error.
    pub(crate) fn print(&mut self, text: &str) {
        if self.closed {
            return;
        }
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
        drop(stdout);
        self.noted(written.err());
    }

    /// Whether somebody still reads standard output.
    pub(crate) fn is_open(&self) -> bool {
        !self.closed
    }

    /// Remembers an error of writing to standard output that happened elsewhere.
    pub(crate) fn noted(&mut self, error: Option<io::Error>) {
        let Some(error) = error else { return };
        self.closed = true;
        if error.kind() != io::ErrorKind::BrokenPipe {
            self.complain(&format!("standard output: {error}"), "");
        }
    }

    /// Says what is wrong on standard error. There is nowhere to tell that this failed.
    pub(crate) fn complain(&self, what: &str, remedy: &str) {
        let what = &without_error_number(what);
        let _ = io::stderr()
            .lock()
            .write_all(text::mistake(what, remedy, self.stderr).as_bytes());
    }

    /// Says on standard error what should be known and is no mistake.
    pub(crate) fn remark(&self, what: &str) {
        let _ = writeln!(io::stderr().lock(), "note: {what}");
    }

    /// Prints what the argument parser says: help and version are no mistake.
    pub(crate) fn refused(&mut self, refused: &clap::Error) -> Exit {
        let to_stderr = refused.use_stderr();
        let style = if to_stderr { self.stderr } else { self.stdout };
        let rendered = refused.render();
        let words = if style.color {
            rendered.ansi().to_string()
        } else {
            rendered.to_string()
        };
        if !to_stderr {
            self.print(&words);
            return Exit::Clean;
        }
        let _ = io::stderr().lock().write_all(words.as_bytes());
        Exit::Usage
    }
}

/// A terminal that knows no escape codes: neither colours nor a line that is drawn again.
fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// The system's words without its number: `Connection refused (os error 111)` tells no more than `Connection refused`.
fn without_error_number(text: &str) -> String {
    let Some((before, after)) = text.split_once(" (os error ") else {
        return text.to_owned();
    };
    match after.split_once(')') {
        Some((number, rest)) if number.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{before}{}", without_error_number(rest))
        }
        _ => text.to_owned(),
    }
}
