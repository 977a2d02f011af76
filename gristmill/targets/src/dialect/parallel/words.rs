//! What differs between the databases, one table each.

mod duckdb;
mod mariadb;
mod postgres;
mod sqlite;

pub use duckdb::DUCKDB;
pub use mariadb::MARIADB;
pub use postgres::POSTGRES;
pub use sqlite::SQLITE;

use history::Level;
use history::parallel::Type;
use history::parallel::expr::Constant;

/// Around names.
pub(super) const QUOTE: char = '"';

/// The words of one database.
#[derive(Debug, Clone, Copy)]
pub struct Language {
    /// A type, as a column wants it.
    pub(super) ty: fn(Type, &mut String),
    /// A type, as a cast wants it.
    pub(super) cast: fn(Type, &mut String),
    /// Behind a cast to text.
    pub(super) collate: &'static str,
    /// A constant with its type.
    pub(super) constant: fn(&Constant, Type, &mut String),
    /// BEGIN at a level, or at the session's own, for writing or for reading only.
    pub(super) begin: fn(Option<Level>, bool) -> &'static str,
    /// EXPLAIN.
    pub(super) explain: &'static str,
    /// EXPLAIN that runs the statement.
    pub(super) explain_analyze: &'static str,
    /// SET name, value, LOCAL.
    pub(super) set: fn(&str, &str, bool) -> String,
    /// What shows a setting: before its name and behind it.
    pub(super) show: (&'static str, &'static str),
    /// What sets it back: before its name and behind it.
    pub(super) reset: (&'static str, &'static str),
    /// Locks of rows: FOR UPDATE, its weaker form, FOR SHARE, its weaker form.
    pub(super) locks: [&'static str; 4],
    /// Whether a deletion from one table may give it an alias; where not, its columns are called by the table's name.
    pub(super) delete_alias: bool,
    /// A row of defaults.
    pub(super) defaults: &'static str,
    /// Before the name of a table whose statistics are made.
    pub(super) analyze: &'static str,
    /// Whether an upsert says ON CONFLICT; where not, ON DUPLICATE KEY.
    pub(super) on_conflict: bool,
    /// Around the name of a sequence whose next value is asked for.
    pub(super) next_value: (&'static str, &'static str),
    /// Whether that name stands in a text.
    pub(super) next_value_is_text: bool,
    /// Whether the sides of a set operation may stand in brackets.
    pub(super) brackets_sets: bool,
    /// What must stand before OFFSET where there is no limit.
    pub(super) no_limit: &'static str,
    /// Behind the closing bracket of CREATE TABLE.
    pub(super) table_options: &'static str,
    /// Whether DROP INDEX says the table.
    pub(super) indexes_by_table: bool,
    /// Whether DROP TRIGGER says the table.
    pub(super) triggers_by_table: bool,
    /// The body of a trigger without a function.
    pub(super) trigger_body: &'static str,
    /// Whether REINDEX says TABLE or INDEX.
    pub(super) reindex_says_kind: bool,
    /// Queries of the server's catalogue: name and text.
    pub(super) catalogue: &'static [(&'static str, &'static str)],
}

impl Language {
    /// A name in its quotes.
    #[must_use]
    pub fn quote_name(&self, name: &str) -> String {
        let mut out = String::with_capacity(name.len() + 2);
        self.quote_into(name, &mut out);
        out
    }

    pub(super) fn quote_into(&self, name: &str, out: &mut String) {
        out.push(QUOTE);
        for c in name.chars() {
            if c == QUOTE {
                out.push(c);
            }
            out.push(c);
        }
        out.push(QUOTE);
    }
}
