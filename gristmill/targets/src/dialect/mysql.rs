//! MariaDB's words, in a session that reads quotes as standard SQL does ([`MODE`]).
//!
//! Text and bytes are compared byte by byte and to their end: the collations neither fold nor pad. In keys and indexes the
//! server wants to be told how much of such a column it keeps: as much as the column can hold, so that nothing is cut off.

use super::{Conflict, Dialect, Extreme, Tuples, literal, render};
use crate::cell::Cell;
use crate::layout::Col;
use datagen::value::{Type, Value};
use history::Level;
use std::fmt::Write;

/// The longest text and bytes: what is sorted is compared to its end ([`MODE`]), for which each character needs three bytes.
pub(crate) const BYTES_MAX: u32 = 2_000;

/// What a session is set to before its first statement: names in double quotes, backslashes that are only themselves, values
/// that do not fit refused instead of cut, sorting by whole values.
pub(crate) const MODE: &str = "SET SESSION sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES,\
                               NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE', \
                               time_zone = '+00:00', max_sort_length = 8192, sort_buffer_size = 8388608";

pub(crate) const MARIADB: Dialect = Dialect {
    walk: render::request,
    placeholder: '?',
    numbered: false,
    conflict: Conflict::OnDuplicateKey,
    tuples: Tuples::Rows,
    column_type,
    literal: write_literal,
    begin,
    batch: |_| ("START TRANSACTION", "COMMIT"),
    descending_keys: true,
    indexed,
    table_options,
    extreme: |_, which| match which {
        Extreme::Min => ("min(", ")"),
        Extreme::Max => ("max(", ")"),
    },
    sum: |_| ("sum(", ")"),
    told_apart: |_| None,
};

/// A uuid is its 16 bytes: the server's own type of it sorts by other bytes first.
fn column_type(ty: Type) -> Option<String> {
    Some(
        match ty {
            Type::Bool | Type::Int8 => "tinyint",
            Type::Int16 => "smallint",
            Type::Int32 => "int",
            Type::Int64 => "bigint",
            Type::Float32 => "float",
            Type::Float64 => "double",
            Type::Numeric { precision, scale } => return Some(format!("decimal({precision},{scale})")),
            Type::Text => "text CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
            Type::Ascii => "text CHARACTER SET ascii COLLATE ascii_nopad_bin",
            Type::Bytes => "blob",
            Type::Uuid => "binary(16)",
            Type::Date => "date",
            Type::Time => "time(6)",
            Type::Timestamp => "datetime(6)",
            // Without NULL the server adds NOT NULL and a default of its own.
            Type::TimestampTz => "timestamp(6) NULL",
            Type::Inet
            | Type::Varint
            | Type::Decimal
            | Type::Duration
            | Type::TimeUuid
            | Type::Counter
            | Type::Composite(_) => return None,
        }
        .to_owned(),
    )
}

/// How much of a column a key keeps: characters of text, which may have four bytes each, or bytes.
fn indexed(col: &Col) -> String {
    match col.ty {
        Type::Text | Type::Ascii => format!("({})", col.limits().text_bytes_max),
        Type::Bytes => format!("({})", col.limits().bytes_max),
        _ => String::new(),
    }
}

/// Both formats of InnoDB that keys of this length fit in are tried.
fn table_options(index: usize) -> &'static str {
    if index.is_multiple_of(2) {
        " ENGINE=InnoDB ROW_FORMAT=DYNAMIC"
    } else {
        " ENGINE=InnoDB ROW_FORMAT=COMPRESSED"
    }
}

/// The level is that of the next transaction only. Under REPEATABLE READ the snapshot is taken at once, not by the first read.
fn begin(level: Level, writes: bool) -> &'static str {
    match (level, writes) {
        (Level::ReadUncommitted | Level::ReadCommitted, true) => {
            "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION READ WRITE"
        }
        (Level::ReadUncommitted | Level::ReadCommitted, false) => {
            "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION READ ONLY"
        }
        (Level::RepeatableRead | Level::Snapshot, true) => {
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; START TRANSACTION WITH CONSISTENT SNAPSHOT, READ WRITE"
        }
        (Level::RepeatableRead | Level::Snapshot, false) => {
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
        }
        (Level::Serializable, true) => {
            "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; START TRANSACTION READ WRITE"
        }
        (Level::Serializable, false) => {
            "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; START TRANSACTION READ ONLY"
        }
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
        // Without an exponent it would be a decimal, which a float is not equal to.
        Cell::Float32(v) => write!(out, "{:e}", f64::from(v)).expect("a String takes everything"),
        Cell::Float64(v) => write!(out, "{v:e}").expect("a String takes everything"),
        Cell::Numeric(unscaled, scale) => literal::numeric(unscaled, scale, out),
        Cell::Bytes(v) => literal::blob(v, out),
        Cell::Uuid(v) => literal::blob(&v, out),
        Cell::Date(v) => dated("date", &Value::Date(v), out),
        Cell::Time(v) => dated("time", &Value::Time(v), out),
        Cell::Timestamp(v) | Cell::TimestampTz(v) => dated("timestamp", &Value::Timestamp(v), out),
    }
}

fn dated(ty: &str, value: &Value, out: &mut String) {
    write!(out, "{ty} '{value}'").expect("a String takes everything");
}
