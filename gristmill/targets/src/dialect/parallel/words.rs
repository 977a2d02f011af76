//! What differs between the databases, one table each.

mod mariadb;
mod postgres;
mod sqlite;

pub use mariadb::MARIADB;
pub use postgres::POSTGRES;
pub use sqlite::SQLITE;

use history::Level;
use history::parallel::Type;
use history::parallel::expr::Constant;

/// The words of one database.
#[derive(Debug, Clone, Copy)]
pub struct Language {
    /// Around names.
    pub(super) quote: char,
    /// A type, as a column wants it.
    pub(super) ty: fn(Type, &mut String),
    /// A type, as a cast wants it.
    pub(super) cast: fn(Type, &mut String),
    /// A constant with its type.
    pub(super) constant: fn(&Constant, Type, &mut String),
    /// Whether `$1` stands with a cast to its type.
    pub(super) casts_parameters: bool,
    /// BEGIN at a level, or at the session's own, for writing or for reading only.
    pub(super) begin: fn(Option<Level>, bool) -> &'static str,
    /// EXPLAIN.
    pub(super) explain: &'static str,
    /// EXPLAIN that runs the statement.
    pub(super) explain_analyze: &'static str,
    /// SET name, value, LOCAL.
    pub(super) set: fn(&str, &str, bool) -> String,
    /// What shows a setting.
    pub(super) show: &'static str,
    /// Around the name of a sequence whose next value is asked for.
    pub(super) next_value: (&'static str, &'static str),
    /// Whether that name stands in a text.
    pub(super) next_value_is_text: bool,
    /// Around the column whose proposed value is meant in an upsert.
    pub(super) proposed: (&'static str, &'static str),
    /// Whether upserts are spelled INSERT IGNORE and ON DUPLICATE KEY.
    pub(super) insert_ignore: bool,
    /// Whether the sides of a set operation may stand in brackets.
    pub(super) brackets_sets: bool,
    /// What must stand before OFFSET where there is no limit.
    pub(super) no_limit: &'static str,
    /// Behind the closing bracket of CREATE TABLE.
    pub(super) table_options: &'static str,
    /// Whether DROP TRIGGER says the table.
    pub(super) triggers_by_table: bool,
    /// The body of a trigger without a function.
    pub(super) trigger_body: &'static str,
    /// Whether REINDEX says TABLE or INDEX.
    pub(super) reindex_says_kind: bool,
    /// Queries of the server's catalogue: name and text.
    pub(super) catalogue: &'static [(&'static str, &'static str)],
}
