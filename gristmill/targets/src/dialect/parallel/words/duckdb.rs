//! DuckDB's words.

use super::Language;
use crate::dialect::literal;
use history::Level;
use history::parallel::Type;
use history::parallel::expr::Constant;
use std::fmt::Write;

/// DuckDB's words, of 1.5.
pub const DUCKDB: Language = Language {
    ty,
    cast: ty,
    collate: "",
    constant,
    begin,
    explain: "EXPLAIN",
    explain_analyze: "EXPLAIN ANALYZE",
    set: |name, value, _| format!("SET {name} = {value}"),
    show: ("SELECT current_setting('", "')"),
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
    triggers_by_table: false,
    trigger_body: "",
    reindex_says_kind: true,
    catalogue: &[
        (
            "relations",
            "SELECT schema_name, count(*) FROM duckdb_tables() GROUP BY schema_name",
        ),
        (
            "columns",
            "SELECT table_name, count(*) FROM duckdb_columns() WHERE NOT internal GROUP BY table_name",
        ),
        (
            "indexes",
            "SELECT is_unique, count(*) FROM duckdb_indexes() GROUP BY is_unique",
        ),
        ("views", "SELECT count(*) FROM duckdb_views() WHERE NOT internal"),
        (
            "constraints",
            "SELECT constraint_type, count(*) FROM duckdb_constraints() GROUP BY constraint_type",
        ),
        (
            "dependencies",
            "SELECT deptype, count(*) FROM duckdb_dependencies() GROUP BY deptype",
        ),
        (
            "settings",
            "SELECT name, value FROM duckdb_settings() WHERE name LIKE '%threshold' ORDER BY name",
        ),
    ],
};

fn ty(ty: Type, out: &mut String) {
    out.push_str(match ty {
        Type::Bool => "BOOLEAN",
        Type::Int2 => "SMALLINT",
        Type::Int4 => "INTEGER",
        Type::Int8 => "BIGINT",
        Type::Float4 => "FLOAT",
        Type::Float8 => "DOUBLE",
        Type::Numeric(None) => "DECIMAL(38,6)",
        Type::Numeric(Some((precision, scale))) => {
            return write!(out, "DECIMAL({precision},{scale})").expect("a String takes everything");
        }
        // A length would not be looked at.
        Type::Text | Type::Varchar(_) | Type::Char(_) => "VARCHAR",
        Type::Bytes => "BLOB",
        Type::Date => "DATE",
        Type::Time => "TIME",
        Type::Timestamp => "TIMESTAMP",
        Type::TimestampTz => "TIMESTAMPTZ",
        Type::Interval => "INTERVAL",
        Type::Uuid => "UUID",
        Type::Json | Type::Jsonb => "JSON",
        Type::Int4Array => "INTEGER[]",
        Type::TextArray => "VARCHAR[]",
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
            out.push('\'');
            for byte in v {
                write!(out, "\\x{byte:02X}").expect("a String takes everything");
            }
            out.push('\'');
        }
    }
    out.push_str("::");
    ty(of, out);
}

/// There is one level.
fn begin(_: Option<Level>, read_only: bool) -> &'static str {
    if read_only {
        "BEGIN TRANSACTION READ ONLY"
    } else {
        "BEGIN"
    }
}
