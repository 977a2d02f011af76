//! The second face of a database: statements as finished text, for workloads whose schema changes under their hands.
//!
//! [`crate::target::Session`] asks for operations that are known beforehand and prepares them; here a statement is its bytes, and
//! what comes back is kept as the server wrote it. Nothing here writes, judges or draws a statement.
//!
//! Invariants:
//! * Q1 what is sent is byte for byte what was given; nothing is sent that was not given, but for what [`Sql::open`] says of
//!   the session itself.
//! * Q2 rows are counted and digested to the last one, however few of them are kept.
//! * Q3 everything that [`Sql::catalog`] shows begins with the prefix of the run, or belongs to what does.

use crate::Unusable;
use crate::target::{Cancel, Identity};
use history::SessionId;
use history::parallel::{Answer, Seen, Table};
use std::sync::Arc;
use std::time::Duration;
use xxhash_rust::xxh3::Xxh3Default;

/// Most rows that are kept of one answer.
pub const ROWS_MAX: usize = 10_000;

/// Most bytes of cells that are kept of one answer.
pub const BYTES_MAX: usize = 4 << 20;

/// A database that takes statements as text.
pub trait Sql: Send + Sync {
    /// Opens a session that shows what it is by its `application_name` where the server knows such a thing.
    fn open(&self, who: SessionId) -> Result<Box<dyn SqlSession>, Unusable>;

    /// What is there of ours, read at one moment.
    fn catalog(&self) -> Result<Seen, Unusable>;

    /// What this server cannot do, or does not let this user do, although others of its kind can: the name of the feature
    /// (`roles`, `merge`, …), and why, with the remedy.
    fn cannot(&self) -> Result<Vec<(&'static str, String)>, Unusable> {
        Ok(Vec::new())
    }

    /// The sessions that stand in the way of one that waits, as the server tells another connection. `None` where nobody can
    /// be asked.
    fn waits(&self, who: &Identity) -> Option<Waiting>;
}

/// What a session is waiting for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Its process was not found: it is gone.
    pub gone: bool,
    /// What it waits for, in the server's words; "" when it is at work.
    pub event: String,
    /// Processes that hold what it wants.
    pub blockers: Vec<Blocker>,
    /// The server did not answer this question, and why.
    pub unasked: Option<String>,
}

/// One process that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocker {
    /// The server's name for it, as in [`Identity::process`].
    pub process: u64,
    /// A worker of the server's own (autovacuum): nobody's session.
    pub server: bool,
    /// What it is: program, user, state, statement.
    pub words: String,
}

/// One session that takes statements as text.
pub trait SqlSession: Send {
    /// Sends one statement and waits for the end of its answer. `copy` is what follows where the server asks for rows
    /// (`COPY … FROM STDIN`). With `keep` the rows are kept up to [`ROWS_MAX`] and [`BYTES_MAX`]. After `deadline` of silence
    /// the answer is [`history::parallel::Said::Unknown`] and the session [`SqlSession::broken`], or it is a refusal where
    /// the engine promises that nothing happened.
    fn send(&mut self, sql: &str, copy: Option<&[u8]>, keep: bool, deadline: Duration) -> Answer;

    /// Who we are to the server.
    fn identity(&self) -> Identity;

    /// A handle that cancels the running statement from another thread.
    fn cancel(&self) -> Option<Arc<dyn Cancel>>;

    /// It must be replaced by a new [`Sql::open`].
    fn broken(&self) -> bool;
}

/// Collects the rows of one answer.
pub(crate) struct Rows {
    table: Table,
    digest: Xxh3Default,
    bytes: usize,
    keep: bool,
}

impl Rows {
    pub(crate) fn new(columns: Vec<String>, keep: bool) -> Self {
        Self {
            table: Table {
                columns,
                whole: true,
                ..Table::default()
            },
            digest: Xxh3Default::new(),
            bytes: 0,
            keep,
        }
    }

    /// Takes one row. Lengths are digested too, so that no two rows of other cells have the same bytes.
    pub(crate) fn row<'a>(&mut self, cells: impl Iterator<Item = Option<std::borrow::Cow<'a, str>>>) {
        let table = &mut self.table;
        table.count += 1;
        let keep = self.keep && table.rows.len() < ROWS_MAX && self.bytes < BYTES_MAX;
        let mut row = Vec::new();
        for cell in cells {
            match &cell {
                None => self.digest.update(&u64::MAX.to_le_bytes()),
                Some(text) => {
                    self.digest.update(&(text.len() as u64).to_le_bytes());
                    self.digest.update(text.as_bytes());
                    self.bytes += text.len();
                }
            }
            if keep {
                row.push(cell.map(std::borrow::Cow::into_owned));
            }
        }
        self.digest.update(b"\n");
        if keep {
            table.rows.push(row);
        } else {
            table.whole = false;
        }
    }

    pub(crate) fn done(mut self) -> Table {
        self.table.digest = self.digest.digest();
        self.table
    }
}

/// What the tests of the targets' texts say and hear.
#[cfg(test)]
pub(crate) mod talk {
    use super::SqlSession;
    use history::parallel::{Answer, Said, TxState};
    use std::time::Duration;

    pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

    pub(crate) fn ask(session: &mut Box<dyn SqlSession>, sql: &str) -> Answer {
        session.send(sql, None, true, DEADLINE)
    }

    pub(crate) fn done(session: &mut Box<dyn SqlSession>, sql: &str) -> Answer {
        let answer = ask(session, sql);
        assert!(matches!(answer.said, Said::Done { .. }), "{sql}: {answer:?}");
        answer
    }

    /// Its code, and where the transaction stands.
    pub(crate) fn refused(answer: &Answer) -> (&str, TxState) {
        match &answer.said {
            Said::Refused { code, .. } => (code, answer.state),
            other => panic!("{other:?} is no refusal"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    fn digest(rows: &[&[Option<&str>]], keep: bool) -> Table {
        let mut out = Rows::new(vec!["a".into()], keep);
        for row in rows {
            out.row(row.iter().map(|cell| cell.map(Cow::Borrowed)));
        }
        out.done()
    }

    #[test]
    fn a_digest_tells_null_from_empty_and_one_row_from_two_and_does_not_need_the_rows() {
        let tables: [&[&[Option<&str>]]; 5] = [
            &[&[None]],
            &[&[Some("")]],
            &[&[Some("a"), Some("b")]],
            &[&[Some("ab"), Some("")]],
            &[&[Some("a")], &[Some("b")]],
        ];
        let all: std::collections::BTreeSet<u64> = tables.iter().map(|t| digest(t, false).digest).collect();
        assert_eq!(all.len(), tables.len());
        for table in tables {
            let (kept, counted) = (digest(table, true), digest(table, false));
            assert_eq!((kept.digest, kept.count), (counted.digest, counted.count));
            assert!(kept.whole && counted.rows.is_empty() && !counted.whole);
        }
    }

    #[test]
    fn what_is_kept_has_a_limit_and_says_so() {
        let mut out = Rows::new(vec!["a".into()], true);
        for _ in 0..=ROWS_MAX {
            out.row(std::iter::once(Some(Cow::Borrowed("x"))));
        }
        let table = out.done();
        assert_eq!((table.rows.len(), table.count), (ROWS_MAX, ROWS_MAX as u64 + 1));
        assert!(!table.whole);
    }
}
