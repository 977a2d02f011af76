//! SQLite's words. STRICT tables, so that a value of the wrong type is refused instead of kept.
//!
//! SQLite has five storage classes; the others live in them in a way that keeps their order: a numeric as its unscaled
//! integer, a date as days and a time as microseconds, a uuid as its 16 bytes.

use super::{Conflict, Dialect, Extreme, Tuples, literal, render};
use crate::cell::Cell;
use datagen::value::Type;
use history::Level;
use std::fmt::Write;

pub(crate) const SQLITE: Dialect = Dialect {
    walk: render::request,
    placeholder: '?',
    numbered: true,
    conflict: Conflict::OnConflict,
    tuples: Tuples::Values,
    column_type,
    literal: write_literal,
    begin,
    batch: |_| (begin(Level::ReadCommitted, true), "COMMIT"),
    descending_keys: true,
    indexed: |_| String::new(),
    table_options,
    extreme: |_, which| match which {
        Extreme::Min => ("min(", ")"),
        Extreme::Max => ("max(", ")"),
    },
    sum: |_| ("sum(", ")"),
    told_apart: |_| None,
};

/// The most decimal digits that an unscaled integer of 64 bits holds.
pub(crate) const DIGITS_MAX: u8 = 18;

fn column_type(ty: Type) -> Option<String> {
    let class = match ty {
        Type::Numeric { precision, .. } if precision > DIGITS_MAX => return None,
        Type::Inet | Type::Varint | Type::Decimal | Type::Duration | Type::TimeUuid => return None,
        Type::Counter | Type::Composite(_) => return None,
        Type::Bool
        | Type::Int8
        | Type::Int16
        | Type::Int32
        | Type::Int64
        | Type::Numeric { .. }
        | Type::Date
        | Type::Time
        | Type::Timestamp
        | Type::TimestampTz => "INTEGER",
        Type::Float32 | Type::Float64 => "REAL",
        Type::Text | Type::Ascii => "TEXT COLLATE BINARY",
        Type::Bytes | Type::Uuid => "BLOB",
    };
    Some(class.to_owned())
}

/// Every level is serializable; a writer takes the write lock at once, or its first write could be refused as BUSY.
fn begin(_: Level, writes: bool) -> &'static str {
    if writes { "BEGIN IMMEDIATE" } else { "BEGIN" }
}

/// Both kinds of b-tree are tried: clustered by key, and by rowid with the key as an index.
fn table_options(index: usize) -> &'static str {
    if index.is_multiple_of(2) {
        " STRICT, WITHOUT ROWID"
    } else {
        " STRICT"
    }
}

fn write_literal(cell: Cell<'_>, out: &mut String) {
    if literal::common(cell, out) {
        return;
    }
    match cell {
        Cell::Null | Cell::Int(_) | Cell::Text(_) => unreachable!("written above"),
        Cell::Composite(_) => unreachable!("composites are not offered"),
        Cell::Bool(v) => out.push(if v { '1' } else { '0' }),
        Cell::Float32(v) => float(f64::from(v), out),
        Cell::Float64(v) => float(v, out),
        Cell::Numeric(v, _) => write!(out, "{v}").expect("a String takes everything"),
        Cell::Bytes(v) => literal::blob(v, out),
        Cell::Uuid(v) => literal::blob(&v, out),
        Cell::Date(v) => write!(out, "{v}").expect("a String takes everything"),
        Cell::Time(v) | Cell::Timestamp(v) | Cell::TimestampTz(v) => {
            write!(out, "{v}").expect("a String takes everything");
        }
    }
}

/// There is no word for infinity, but a number that is too large is one. NaN is NULL, and outside the domain.
fn float(v: f64, out: &mut String) {
    if v.is_nan() {
        out.push_str("NULL");
    } else if v.is_infinite() {
        out.push_str(if v < 0.0 { "-9e999" } else { "9e999" });
    } else {
        write!(out, "{v:?}").expect("a String takes everything");
    }
}
