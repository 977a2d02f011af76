//! The targets' rules: one table a file, read without a connection (P48).

mod postgres;
mod sqlite;

pub use postgres::POSTGRES;
pub use sqlite::SQLITE;

use history::parallel::{Applied, Class, Match, Question, Row, Source};

/// A row that was seen on a real server.
const fn tried(
    code: &'static str,
    pattern: &'static str,
    class: Class,
    question: Question,
    names: Match,
) -> Row {
    Row {
        code,
        pattern,
        class,
        question,
        names,
        applied: Applied::No,
        source: Source::Tried,
    }
}

/// A row that the documentation tells of.
const fn told(
    code: &'static str,
    pattern: &'static str,
    class: Class,
    question: Question,
    names: Match,
) -> Row {
    Row {
        source: Source::Documented,
        ..tried(code, pattern, class, question, names)
    }
}

/// A row of which neither is known.
const fn guess(
    code: &'static str,
    pattern: &'static str,
    class: Class,
    question: Question,
    names: Match,
) -> Row {
    Row {
        source: Source::Guess,
        ..tried(code, pattern, class, question, names)
    }
}
