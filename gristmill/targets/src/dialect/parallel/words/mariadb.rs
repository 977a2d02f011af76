//! MariaDB's words, in a session that reads double quotes around names and takes backslashes for themselves: as the sessions
//! of this workload are set up.

use super::Language;
use crate::dialect::literal;
use history::Level;
use history::parallel::Type;
use history::parallel::expr::Constant;
use std::fmt::Write;

/// MariaDB's words, of 10.6 and later.
pub const MARIADB: Language = Language {
    ty,
    cast,
    collate: " COLLATE utf8mb4_nopad_bin",
    constant,
    begin,
    explain: "EXPLAIN",
    explain_analyze: "ANALYZE",
    set: |name, value, _| format!("SET SESSION {name} = {value}"),
    show: ("SHOW VARIABLES LIKE '", "'"),
    reset: ("SET SESSION ", " = DEFAULT"),
    locks: [
        "FOR UPDATE",
        "FOR UPDATE",
        "LOCK IN SHARE MODE",
        "LOCK IN SHARE MODE",
    ],
    delete_alias: false,
    defaults: " () VALUES ()",
    analyze: "ANALYZE TABLE ",
    on_conflict: false,
    next_value: ("NEXTVAL(", ")"),
    next_value_is_text: false,
    brackets_sets: true,
    no_limit: " LIMIT 18446744073709551615",
    table_options: " ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
    indexes_by_table: true,
    triggers_by_table: false,
    trigger_body: " FOR EACH ROW SET @gm_trigger = 1",
    reindex_says_kind: true,
    catalogue: &[
        (
            "relations",
            "SELECT table_type, count(*) FROM information_schema.tables WHERE table_schema = DATABASE() GROUP BY table_type",
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

/// Texts and bytes have a length, so that whole columns are keys; texts are compared byte by byte and to their end.
fn ty(ty: Type, out: &mut String) {
    const TEXT: &str = " CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin";
    let mut sized = |word: &str, n: u16| {
        write!(out, "{word}({n}){TEXT}").expect("a String takes everything");
    };
    let word = match ty {
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
        Type::Text => return sized("varchar", 200),
        Type::Varchar(n) => return sized("varchar", n),
        Type::Char(n) => return sized("char", n),
        Type::Uuid => return sized("char", 36),
        Type::Bytes => "varbinary(200)",
        Type::Date => "date",
        Type::Time => "time(6)",
        Type::Timestamp | Type::TimestampTz => "datetime(6)",
        Type::Json | Type::Jsonb | Type::Interval | Type::Int4Array | Type::TextArray | Type::Named(_) => {
            panic!("{ty:?}: nothing of it is drawn for MariaDB")
        }
    };
    out.push_str(word);
}

fn cast(of: Type, out: &mut String) {
    match of {
        Type::Bool | Type::Int2 | Type::Int4 | Type::Int8 => out.push_str("signed"),
        Type::Text | Type::Varchar(_) | Type::Char(_) | Type::Uuid => out.push_str("char"),
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
            // Without an exponent it would be a decimal.
            Type::Float4 | Type::Float8 if v.contains('e') => {
                write!(out, "({v})").expect("a String takes everything");
            }
            Type::Float4 | Type::Float8 => write!(out, "({v}e0)").expect("a String takes everything"),
            Type::Numeric(_) => write!(out, "({v})").expect("a String takes everything"),
            Type::Date => dated("DATE ", v, out),
            Type::Time => dated("TIME ", v, out),
            Type::Timestamp | Type::TimestampTz => dated("TIMESTAMP ", v, out),
            _ => literal::quoted(v, out),
        },
    }
}

fn dated(word: &str, v: &str, out: &mut String) {
    out.push_str(word);
    literal::quoted(v, out);
}

/// The level is that of the next transaction only.
fn begin(level: Option<Level>, read_only: bool) -> &'static str {
    match (level, read_only) {
        (None, false) => "START TRANSACTION READ WRITE",
        (None, true) => "START TRANSACTION READ ONLY",
        (Some(Level::ReadUncommitted | Level::ReadCommitted), false) => {
            "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION READ WRITE"
        }
        (Some(Level::ReadUncommitted | Level::ReadCommitted), true) => {
            "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION READ ONLY"
        }
        (Some(Level::RepeatableRead | Level::Snapshot), false) => {
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; START TRANSACTION READ WRITE"
        }
        (Some(Level::RepeatableRead | Level::Snapshot), true) => {
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; START TRANSACTION READ ONLY"
        }
        (Some(Level::Serializable), false) => {
            "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; START TRANSACTION READ WRITE"
        }
        (Some(Level::Serializable), true) => {
            "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; START TRANSACTION READ ONLY"
        }
    }
}
