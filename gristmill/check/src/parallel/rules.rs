//! The targets' rules: one table a file, read without a connection (P48).

/// Rows as a table: code, text, class, question, where the captured name stands, how we know.
macro_rules! rows {
    ($($code:literal $pattern:literal => $class:ident, $question:ident $(($inner:expr))?, $names:ident, $source:ident;)*) => {
        &[$(history::parallel::Row {
            code: $code,
            pattern: $pattern,
            class: history::parallel::Class::$class,
            question: history::parallel::Question::$question $(($inner))?,
            names: history::parallel::Match::$names,
            source: history::parallel::Source::$source,
        }),*]
    };
}

mod duckdb;
mod mariadb;
mod postgres;
mod sqlite;

pub use duckdb::DUCKDB;
pub use mariadb::MARIADB;
pub use postgres::POSTGRES;
pub use sqlite::SQLITE;
