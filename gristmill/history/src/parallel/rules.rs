//! A target's errors as data: the row that fits an error says which question must have been answered for it to be right.

use crate::parallel::{Class, Question, Type};
use serde::{Deserialize, Serialize};

/// How well a row is known (P48). A guess that decides a finding is printed with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Seen on a real server.
    Tried,
    /// Its documentation says so.
    Documented,
    /// Neither.
    Guess,
}

/// Where the name that a row's pattern captures must stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Match {
    /// Among the names that the statement says.
    Footprint,
    /// There, or among what those need or what needs them.
    Closure,
    /// Anywhere in the schema: the target looks at all of it.
    Anywhere,
}

/// One row: an error, and the question that makes it an expected one. Several rows may fit one error: any may explain it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// SQLSTATE or result code; a trailing `*` stands for the rest ("22*").
    pub code: &'static str,
    /// The whole text of the error. `{name}` captures a name of the footprint, `{other}` a second one, `{}` stands for anything.
    pub pattern: &'static str,
    /// Its class.
    pub class: Class,
    /// What must be so.
    pub question: Question,
    /// Where the captured name must stand.
    pub names: Match,
    /// How we know.
    pub source: Source,
}

/// How one target behaves, for the judge.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// What these are the rules of, for a person.
    pub of: &'static str,
    /// Errors.
    pub rows: &'static [Row],
    /// Whether one writer holds up all of the database.
    pub one_writer: bool,
    /// Whether an object that others need is refused to be dropped; otherwise they dangle.
    pub restricts: bool,
    /// Whether a foreign key is held against the table that it leads to when it is made.
    pub checks_references: bool,
    /// What codes begin with under which an ALTER may be refused and be done all the same: a known defect, under which it is open
    /// which.
    pub done_though_refused: &'static [&'static str],
    /// Whether a session may speak of the schema as it last saw it: EXPLAIN of what is gone, ALTER of what is new.
    pub remembers_schema: bool,
    /// Whether an index over several columns stays over the others when one of them is dropped; otherwise it goes.
    pub keeps_rest_of_index: bool,
    /// Whether rights are only asked for what the plan still has: not for what it need not read to answer.
    pub asks_rights_of_plan: bool,
    /// How the catalogue writes a type. `None`: it does not say, or not so that it could be compared.
    pub shows: fn(Type) -> Option<String>,
    /// Whether changes of the schema and upkeep are part of a transaction; otherwise they commit the one that is open, done or
    /// refused (P16).
    pub schema_in_transactions: bool,
    /// Whether statements keep the level of a transaction that a deadlock or conflict has undone, and whether it may write,
    /// until another one begins or is ended in words.
    pub keeps_characteristics: bool,
    /// Whether a primary key has the name that it was given.
    pub names_primary: bool,
    /// Whether names that differ by case only are one name.
    pub folds_case: bool,
    /// Bytes of a name that are kept.
    pub name_bytes: usize,
}
