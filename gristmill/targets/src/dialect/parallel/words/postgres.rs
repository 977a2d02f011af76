//! PostgreSQL's words.

use super::Language;
use crate::dialect::literal;
use history::Level;
use history::parallel::Type;
use history::parallel::expr::Constant;
use std::fmt::Write;

/// PostgreSQL's words, of 12 and later.
pub const POSTGRES: Language = Language {
    ty,
    cast: ty,
    collate: "",
    constant,
    begin,
    explain: "EXPLAIN",
    explain_analyze: "EXPLAIN (ANALYZE, TIMING OFF)",
    set: |name, value, local| format!("SET {}{name} = {value}", if local { "LOCAL " } else { "" }),
    show: ("SHOW ", ""),
    reset: ("RESET ", ""),
    locks: ["FOR UPDATE", "FOR NO KEY UPDATE", "FOR SHARE", "FOR KEY SHARE"],
    delete_alias: true,
    defaults: " DEFAULT VALUES",
    analyze: "ANALYZE ",
    on_conflict: true,
    next_value: ("nextval('", "')"),
    next_value_is_text: true,
    brackets_sets: true,
    no_limit: "",
    table_options: "",
    indexes_by_table: false,
    triggers_by_table: true,
    trigger_body: "",
    reindex_says_kind: true,
    catalogue: &[
        (
            "relations",
            "SELECT relkind, count(*) FROM pg_catalog.pg_class GROUP BY relkind",
        ),
        (
            "columns",
            "SELECT count(*) FROM information_schema.columns WHERE table_schema NOT IN ('pg_catalog', 'information_schema')",
        ),
        (
            "indexes",
            "SELECT count(*) FROM pg_catalog.pg_indexes WHERE schemaname <> 'pg_catalog'",
        ),
        (
            "views",
            "SELECT schemaname, count(*) FROM pg_catalog.pg_views GROUP BY schemaname",
        ),
        (
            "constraints",
            "SELECT contype, count(*) FROM pg_catalog.pg_constraint GROUP BY contype",
        ),
        (
            "locks",
            "SELECT mode, granted, count(*) FROM pg_catalog.pg_locks GROUP BY mode, granted",
        ),
        (
            "dependencies",
            "SELECT deptype, count(*) FROM pg_catalog.pg_depend GROUP BY deptype",
        ),
        ("roles", "SELECT count(*) FROM pg_catalog.pg_roles"),
        (
            "settings",
            "SELECT name, setting FROM pg_catalog.pg_settings WHERE source = 'session' ORDER BY name",
        ),
        (
            "statistics",
            "SELECT count(*) FROM pg_catalog.pg_stats WHERE schemaname <> 'pg_catalog'",
        ),
        (
            "cursors",
            "SELECT name, is_holdable, is_scrollable FROM pg_catalog.pg_cursors ORDER BY name",
        ),
        (
            "prepared",
            "SELECT name, from_sql FROM pg_catalog.pg_prepared_statements ORDER BY name",
        ),
    ],
};

fn ty(ty: Type, out: &mut String) {
    out.push_str(match ty {
        Type::Bool => "boolean",
        Type::Int2 => "smallint",
        Type::Int4 => "integer",
        Type::Int8 => "bigint",
        Type::Float4 => "real",
        Type::Float8 => "double precision",
        Type::Numeric(None) => "numeric",
        Type::Numeric(Some((precision, scale))) => {
            return write!(out, "numeric({precision},{scale})").expect("a String takes everything");
        }
        Type::Text => "text",
        Type::Varchar(n) => return write!(out, "varchar({n})").expect("a String takes everything"),
        Type::Char(n) => return write!(out, "char({n})").expect("a String takes everything"),
        Type::Bytes => "bytea",
        Type::Date => "date",
        Type::Time => "time",
        Type::Timestamp => "timestamp",
        Type::TimestampTz => "timestamptz",
        Type::Interval => "interval",
        Type::Uuid => "uuid",
        Type::Json => "json",
        Type::Jsonb => "jsonb",
        Type::Int4Array => "integer[]",
        Type::TextArray => "text[]",
        Type::Named(id) => panic!("{id} is a type of the run: nothing is drawn of it"),
    });
}

fn constant(value: &Constant, of: Type, out: &mut String) {
    match value {
        Constant::Bool(v) => return out.push_str(if *v { "true" } else { "false" }),
        Constant::Int(v) if of == Type::Int4 && (0..=i64::from(i32::MAX)).contains(v) => {
            return write!(out, "{v}").expect("a String takes everything");
        }
        Constant::Null => out.push_str("NULL"),
        Constant::Int(v) => write!(out, "'{v}'").expect("a String takes everything"),
        Constant::Text(v) => literal::quoted(v, out),
        Constant::Bytes(v) => {
            out.push_str("'\\x");
            literal::hex(v, out);
            out.push('\'');
        }
    }
    out.push_str("::");
    ty(of, out);
}

fn begin(level: Option<Level>, read_only: bool) -> &'static str {
    match (level, read_only) {
        (None, false) => "BEGIN",
        (None, true) => "BEGIN READ ONLY",
        (Some(Level::ReadUncommitted), false) => "BEGIN ISOLATION LEVEL READ UNCOMMITTED",
        (Some(Level::ReadUncommitted), true) => "BEGIN ISOLATION LEVEL READ UNCOMMITTED READ ONLY",
        (Some(Level::ReadCommitted), false) => "BEGIN ISOLATION LEVEL READ COMMITTED",
        (Some(Level::ReadCommitted), true) => "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY",
        (Some(Level::RepeatableRead | Level::Snapshot), false) => "BEGIN ISOLATION LEVEL REPEATABLE READ",
        (Some(Level::RepeatableRead | Level::Snapshot), true) => {
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        }
        (Some(Level::Serializable), false) => "BEGIN ISOLATION LEVEL SERIALIZABLE",
        (Some(Level::Serializable), true) => "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY",
    }
}
