//! MariaDB's words.

use super::Language;
use crate::dialect::literal;
use history::Level;
use history::parallel::Type;
use history::parallel::expr::Constant;
use std::fmt::Write;

/// MariaDB's words, of 10.5 and later, with `sql_mode` of `ANSI_QUOTES` off and `NO_BACKSLASH_ESCAPES` on.
pub const MARIADB: Language = Language {
    quote: '`',
    ty,
    cast,
    constant,
    casts_parameters: false,
    begin,
    explain: "EXPLAIN",
    explain_analyze: "ANALYZE",
    set: |name, value, _| format!("SET SESSION {name} = {value}"),
    show: "SHOW VARIABLES LIKE",
    next_value: ("NEXTVAL(", ")"),
    next_value_is_text: false,
    proposed: ("VALUES(", ")"),
    insert_ignore: true,
    brackets_sets: true,
    no_limit: " LIMIT 18446744073709551615",
    table_options: " ENGINE=InnoDB",
    triggers_by_table: false,
    trigger_body: " FOR EACH ROW SET @gm_trigger = 1",
    reindex_says_kind: true,
    catalogue: &[
        (
            "relations",
            "SELECT table_type, count(*) FROM information_schema.tables GROUP BY table_type",
        ),
        (
            "columns",
            "SELECT count(*) FROM information_schema.columns WHERE table_schema = DATABASE()",
        ),
        (
            "indexes",
            "SELECT count(*) FROM information_schema.statistics WHERE table_schema = DATABASE()",
        ),
        (
            "views",
            "SELECT count(*) FROM information_schema.views WHERE table_schema = DATABASE()",
        ),
    ],
};

fn ty(ty: Type, out: &mut String) {
    out.push_str(match ty {
        Type::Bool => "boolean",
        Type::Int2 => "smallint",
        Type::Int4 => "int",
        Type::Int8 => "bigint",
        Type::Float4 => "float",
        Type::Float8 => "double",
        Type::Numeric(None) => "decimal(38,10)",
        Type::Numeric(Some((precision, scale))) => {
            return write!(out, "decimal({precision},{scale})").expect("a String takes everything");
        }
        Type::Text => "varchar(200)",
        Type::Varchar(n) => return write!(out, "varchar({n})").expect("a String takes everything"),
        Type::Char(n) => return write!(out, "char({n})").expect("a String takes everything"),
        Type::Bytes => "varbinary(200)",
        Type::Date => "date",
        Type::Time => "time(6)",
        Type::Timestamp | Type::TimestampTz => "datetime(6)",
        Type::Uuid => "char(36)",
        Type::Json | Type::Jsonb => "json",
        Type::Interval | Type::Int4Array | Type::TextArray => panic!("{ty:?} is no type of MariaDB"),
        Type::Named(id) => panic!("{id} is a type of the run: nothing is drawn of it"),
    });
}

fn cast(of: Type, out: &mut String) {
    match of {
        Type::Bool | Type::Int2 | Type::Int4 | Type::Int8 => out.push_str("signed"),
        Type::Text | Type::Varchar(_) | Type::Char(_) | Type::Uuid | Type::Json | Type::Jsonb => {
            out.push_str("char")
        }
        Type::Bytes => out.push_str("binary"),
        of => ty(of, out),
    }
}

fn constant(value: &Constant, of: Type, out: &mut String) {
    match value {
        Constant::Null => out.push_str("NULL"),
        Constant::Bool(v) => out.push_str(if *v { "TRUE" } else { "FALSE" }),
        Constant::Int(v) if *v < 0 => write!(out, "({v})").expect("a String takes everything"),
        Constant::Int(v) => write!(out, "{v}").expect("a String takes everything"),
        Constant::Bytes(v) => literal::blob(v, out),
        Constant::Text(v) => match of {
            Type::Float4 | Type::Float8 => write!(out, "({v}e0)").expect("a String takes everything"),
            Type::Numeric(_) => write!(out, "({v})").expect("a String takes everything"),
            _ => literal::quoted(v, out),
        },
    }
}

fn begin(level: Option<Level>, read_only: bool) -> &'static str {
    match (level, read_only) {
        (_, false) => "START TRANSACTION",
        (_, true) => "START TRANSACTION READ ONLY",
    }
}
