//! Mistakes of the caller: first what, then where, then the remedy. No back-trace, no type names of ours.

use super::{Style, Tone};

/// `error: what`, and `  help: remedy` where there is one. Lines of the remedy are indented alike.
pub fn mistake(what: &str, remedy: &str, style: Style) -> String {
    let mut out = format!("{}: {what}\n", style.paint(Tone::Bad, "error"));
    for (n, line) in remedy.lines().enumerate() {
        let word = if n == 0 {
            style.paint(Tone::Good, "help") + ": "
        } else {
            " ".repeat(6)
        };
        out += &format!("  {word}{line}\n");
    }
    out
}

/// A mistake at a place: `error: run.toml, line 4: unknown key …`.
pub fn place(place: &str, what: &str, style: Style) -> String {
    mistake(&format!("{place}: {what}"), "", style)
}
