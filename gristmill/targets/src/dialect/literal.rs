//! Literals, for people and for DDL defaults. Executed statements carry their values apart.

use crate::cell::Cell;
use datagen::value::Value;
use std::fmt::Write;

/// Text in single quotes.
pub(super) fn quoted(text: &str, out: &mut String) {
    out.push('\'');
    for c in text.chars() {
        if c == '\'' {
            out.push('\'');
        }
        out.push(c);
    }
    out.push('\'');
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8], out: &mut String) {
    for b in bytes {
        write!(out, "{b:02x}").expect("a String takes everything");
    }
}

/// `x'00ff'`
pub(super) fn blob(bytes: &[u8], out: &mut String) {
    out.push_str("x'");
    hex(bytes, out);
    out.push('\'');
}

/// A numeric with its point.
pub(super) fn numeric(unscaled: i128, scale: u8, out: &mut String) {
    write!(out, "{}", Value::Numeric(unscaled, scale)).expect("a String takes everything");
}

/// What all dialects write alike; `false` where the dialect must speak for itself.
pub(super) fn common(cell: Cell<'_>, out: &mut String) -> bool {
    match cell {
        Cell::Null => out.push_str("NULL"),
        Cell::Int(v) => write!(out, "{v}").expect("a String takes everything"),
        Cell::Text(v) => quoted(v, out),
        _ => return false,
    }
    true
}
