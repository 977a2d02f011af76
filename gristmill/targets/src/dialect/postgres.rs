//! PostgreSQL's words. Also the words of the reference, which speaks no SQL but is shown as if it did.

use super::{Conflict, Dialect, Extreme, Tuples, literal, render};
use crate::cell::Cell;
use datagen::value::{Type, Value};
use history::Level;
use std::fmt::Write;

pub(crate) const POSTGRES: Dialect = Dialect {
    walk: render::request,
    placeholder: '$',
    numbered: true,
    conflict: Conflict::OnConflict,
    tuples: Tuples::Rows,
    column_type,
    literal: write_literal,
    begin,
    batch: |_| (begin(Level::ReadCommitted, true), "COMMIT"),
    descending_keys: false,
    indexed: |_| String::new(),
    table_options: |_| "",
    extreme,
    sum,
    told_apart: |ty| matches!(ty, Type::Float32 | Type::Float64).then_some("::text COLLATE \"C\""),
};

/// A byte has no type of its own and lives in a smallint. Text is compared by bytes.
fn column_type(ty: Type) -> Option<String> {
    Some(
        match ty {
            Type::Bool => "boolean",
            Type::Int8 | Type::Int16 => "smallint",
            Type::Int32 => "integer",
            Type::Int64 => "bigint",
            Type::Float32 => "real",
            Type::Float64 => "double precision",
            Type::Numeric { precision, scale } => return Some(format!("numeric({precision},{scale})")),
            Type::Text | Type::Ascii => "text COLLATE \"C\"",
            Type::Bytes => "bytea",
            Type::Uuid => "uuid",
            Type::Date => "date",
            Type::Time => "time",
            Type::Timestamp => "timestamp",
            Type::TimestampTz => "timestamptz",
            // Some of them it has, with another meaning or another order: Cassandra's own.
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

fn begin(level: Level, writes: bool) -> &'static str {
    match (level, writes) {
        (Level::ReadUncommitted, true) => "BEGIN ISOLATION LEVEL READ UNCOMMITTED",
        (Level::ReadUncommitted, false) => "BEGIN ISOLATION LEVEL READ UNCOMMITTED READ ONLY",
        (Level::ReadCommitted, true) => "BEGIN ISOLATION LEVEL READ COMMITTED",
        (Level::ReadCommitted, false) => "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY",
        (Level::RepeatableRead | Level::Snapshot, true) => "BEGIN ISOLATION LEVEL REPEATABLE READ",
        (Level::RepeatableRead | Level::Snapshot, false) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        (Level::Serializable, true) => "BEGIN ISOLATION LEVEL SERIALIZABLE",
        (Level::Serializable, false) => "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY",
    }
}

/// PostgreSQL 15 has no `min` of boolean, uuid and bytea: their order is that of `bool_and`, and of their hexadecimal text.
fn extreme(ty: Type, which: Extreme) -> (&'static str, &'static str) {
    match (ty, which) {
        (Type::Bool, Extreme::Min) => ("bool_and(", ")"),
        (Type::Bool, Extreme::Max) => ("bool_or(", ")"),
        (Type::Uuid, Extreme::Min) => ("min(", "::text COLLATE \"C\")::uuid"),
        (Type::Uuid, Extreme::Max) => ("max(", "::text COLLATE \"C\")::uuid"),
        (Type::Bytes, Extreme::Min) => ("decode(min(encode(", ", 'hex') COLLATE \"C\"), 'hex')"),
        (Type::Bytes, Extreme::Max) => ("decode(max(encode(", ", 'hex') COLLATE \"C\"), 'hex')"),
        (_, Extreme::Min) => ("min(", ")"),
        (_, Extreme::Max) => ("max(", ")"),
    }
}

/// The sum of bigint is numeric; the plan sees to it that it fits.
fn sum(ty: Type) -> (&'static str, &'static str) {
    match ty {
        Type::Int64 => ("sum(", ")::bigint"),
        _ => ("sum(", ")"),
    }
}

fn write_literal(cell: Cell<'_>, out: &mut String) {
    if literal::common(cell, out) {
        return;
    }
    let float = |v: f64, short: &dyn std::fmt::Debug, ty: &str, out: &mut String| {
        if v.is_finite() {
            write!(out, "'{short:?}'::{ty}")
        } else if v.is_nan() {
            write!(out, "'NaN'::{ty}")
        } else {
            write!(out, "'{}Infinity'::{ty}", if v < 0.0 { "-" } else { "" })
        }
        .expect("a String takes everything");
    };
    match cell {
        Cell::Null | Cell::Int(_) | Cell::Text(_) => unreachable!("written above"),
        Cell::Composite(_) => unreachable!("composites are not offered"),
        Cell::Bool(v) => out.push_str(if v { "true" } else { "false" }),
        Cell::Float32(v) => float(f64::from(v), &v, "real", out),
        Cell::Float64(v) => float(v, &v, "double precision", out),
        Cell::Numeric(unscaled, scale) => literal::numeric(unscaled, scale, out),
        Cell::Bytes(v) => {
            out.push_str("'\\x");
            literal::hex(v, out);
            out.push_str("'::bytea");
        }
        Cell::Uuid(v) => write!(out, "'{}'::uuid", Value::Uuid(v)).expect("a String takes everything"),
        Cell::Date(v) => dated("date", &Value::Date(v), "", out),
        Cell::Time(v) => dated("time", &Value::Time(v), "", out),
        Cell::Timestamp(v) => dated("timestamp", &Value::Timestamp(v), "", out),
        Cell::TimestampTz(v) => dated("timestamptz", &Value::Timestamp(v), "+00", out),
    }
}

/// A date or timestamp; the year 0 is 1 BC, the year −43 is 44 BC.
fn dated(ty: &str, value: &Value, zone: &str, out: &mut String) {
    let text = value.to_string();
    let (year, rest) = match text.char_indices().skip(1).find(|(_, c)| *c == '-') {
        Some((at, _)) => text.split_at(at),
        None => ("1", text.as_str()),
    };
    let year: i64 = year.parse().expect("a date begins with its year");
    match value {
        Value::Time(_) => write!(out, "{ty} '{text}'"),
        _ if year < 1 => write!(out, "{ty} '{:04}{rest}{zone} BC'", 1 - year),
        _ => write!(out, "{ty} '{text}{zone}'"),
    }
    .expect("a String takes everything");
}
