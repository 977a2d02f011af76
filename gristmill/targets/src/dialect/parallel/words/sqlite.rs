//! SQLite's words. Tables are STRICT, so that a value of the wrong type is refused instead of kept.

use super::Language;
use crate::dialect::literal;
use history::Level;
use history::parallel::Type;
use history::parallel::expr::Constant;
use std::fmt::Write;

/// SQLite's words, of 3.39 and later.
pub const SQLITE: Language = Language {
    ty,
    cast: ty,
    collate: "",
    constant,
    begin,
    explain: "EXPLAIN QUERY PLAN",
    explain_analyze: "EXPLAIN",
    set: |name, value, _| format!("PRAGMA {name} = {value}"),
    show: ("PRAGMA ", ""),
    reset: ("PRAGMA ", ""),
    locks: ["FOR UPDATE", "FOR NO KEY UPDATE", "FOR SHARE", "FOR KEY SHARE"],
    delete_alias: true,
    defaults: " DEFAULT VALUES",
    analyze: "ANALYZE ",
    on_conflict: true,
    next_value: ("", ""),
    next_value_is_text: false,
    brackets_sets: false,
    no_limit: " LIMIT -1",
    table_options: " STRICT",
    indexes_by_table: false,
    triggers_by_table: false,
    trigger_body: " BEGIN SELECT 1; END",
    reindex_says_kind: false,
    catalogue: &[
        (
            "relations",
            "SELECT type, count(*) FROM sqlite_schema GROUP BY type",
        ),
        ("statistics", "SELECT count(*) FROM pragma_table_list"),
        (
            "indexes",
            "SELECT count(*) FROM sqlite_schema AS s, pragma_index_list(s.name) WHERE s.type = 'table'",
        ),
        (
            "columns",
            "SELECT s.name, count(*) FROM sqlite_schema AS s, pragma_table_info(s.name) WHERE s.type = 'table' GROUP BY s.name ORDER BY s.name",
        ),
        ("functions", "SELECT count(*) FROM pragma_function_list"),
        ("settings", "SELECT * FROM pragma_compile_options"),
    ],
};

fn ty(ty: Type, out: &mut String) {
    out.push_str(match ty {
        Type::Bool | Type::Int2 | Type::Int4 | Type::Int8 => "INTEGER",
        Type::Float4 | Type::Float8 => "REAL",
        Type::Bytes => "BLOB",
        Type::Named(id) => panic!("{id} is a type of the run: nothing is drawn of it"),
        _ => "TEXT",
    });
}

fn constant(value: &Constant, of: Type, out: &mut String) {
    match value {
        Constant::Null => out.push_str("NULL"),
        Constant::Bool(v) => out.push(if *v { '1' } else { '0' }),
        Constant::Int(v) if *v < 0 => write!(out, "({v})").expect("a String takes everything"),
        Constant::Int(v) => write!(out, "{v}").expect("a String takes everything"),
        Constant::Bytes(v) => literal::blob(v, out),
        Constant::Text(v) if matches!(of, Type::Float4 | Type::Float8 | Type::Numeric(_)) => float(v, out),
        Constant::Text(v) => literal::quoted(v, out),
    }
}

/// There is no NaN, and infinity is what overflows.
fn float(v: &str, out: &mut String) {
    match v {
        "NaN" => out.push_str("NULL"),
        "Infinity" => out.push_str("9e999"),
        "-Infinity" => out.push_str("(-9e999)"),
        v if v.starts_with('-') => write!(out, "({v})").expect("a String takes everything"),
        v => out.push_str(v),
    }
}

/// Every level is serializable. A writer takes the write lock at once, or its first write could be refused.
fn begin(level: Option<Level>, read_only: bool) -> &'static str {
    match (level, read_only) {
        (Some(Level::Serializable), false) => "BEGIN EXCLUSIVE",
        (Some(_), false) => "BEGIN IMMEDIATE",
        (None, _) | (_, true) => "BEGIN DEFERRED",
    }
}
