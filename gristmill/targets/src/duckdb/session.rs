//! A session that takes statements as text.

use super::child::Child;
use super::lines::{Reply, State, What};
use crate::sql::{Rows, SqlSession};
use crate::target::{Cancel, Identity};
use history::SessionId;
use history::parallel::{Answer, Said, TxState};
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

/// How long a statement that was interrupted past its deadline may take to say so.
const GRACE: Duration = Duration::from_secs(5);

pub(super) struct DuckSession {
    child: Arc<Child>,
    number: u64,
    who: SessionId,
    inbox: Receiver<Reply>,
    broken: bool,
}

struct Interrupt {
    child: Arc<Child>,
    number: u64,
}

impl Cancel for Interrupt {
    fn cancel(&self) -> Result<(), String> {
        let told = self.child.tell(self.number, What::Interrupt);
        told.map_err(|()| "the process of the engine has ended".to_owned())
    }
}

impl DuckSession {
    pub(super) fn new(child: Arc<Child>, number: u64, who: SessionId) -> Self {
        let inbox = child.join(number);
        Self {
            child,
            number,
            who,
            inbox,
            broken: false,
        }
    }

    fn ask(&self, sql: &str, deadline: Duration) -> Result<Reply, String> {
        let ended = || format!("the process of the engine ended: {}", self.child.end());
        self.child
            .tell(self.number, What::Sql(sql.to_owned()))
            .map_err(|()| ended())?;
        match self.child.hear(&self.inbox, deadline) {
            Ok(reply) => Ok(reply),
            Err(true) => Err(ended()),
            Err(false) => {
                let _ = self.child.tell(self.number, What::Interrupt);
                let late = "no answer within the deadline: the statement was interrupted";
                match self.child.hear(&self.inbox, GRACE) {
                    Ok(_) => Err(late.to_owned()),
                    Err(_) => Err(format!("{late}, and went on")),
                }
            }
        }
    }

    /// An interrupt may come when the work is already done: a COMMIT, or a write outside of a transaction, that is said to be
    /// interrupted may be in force (seen in 1.5.6). Nobody knows, and the session is not gone on with.
    fn or_unknown(&mut self, sql: &str, answer: Answer) -> Answer {
        let reads = ["SELECT", "WITH", "EXPLAIN"]
            .iter()
            .any(|word| sql.starts_with(word));
        match answer.said {
            Said::Refused { code, text, .. }
                if code == INTERRUPTED && answer.state == TxState::Idle && !reads =>
            {
                self.broken = true;
                let said = Said::Unknown { code, text };
                Answer { said, ..answer }
            }
            said => Answer { said, ..answer },
        }
    }

    /// A question of ours: texts; NULL is "".
    pub(super) fn texts(&mut self, sql: &str, deadline: Duration) -> Result<Vec<Vec<String>>, String> {
        let reply = self.ask(sql, deadline)?;
        if let Some(error) = reply.error {
            return Err(format!("{error} ({sql})"));
        }
        let row = |row: Vec<Option<String>>| row.into_iter().map(Option::unwrap_or_default).collect();
        Ok(reply.rows.into_iter().map(row).collect())
    }
}

/// The kind of error of a statement that was interrupted.
const INTERRUPTED: &str = "INTERRUPT";

/// What hints begin with, behind the words of an error.
const HINTS: [&str; 5] = [
    "\n\nLINE ",
    "\nCandidate ",
    "\n\nDid you mean",
    "\nDid you mean",
    "\nUse DROP",
];

/// The kind of an error, its words, and the hints that follow: `Catalog`, `Table with name t does not exist!`. Words may go over
/// several lines, for they show values.
fn parts(error: &str) -> (String, String, String) {
    let end = HINTS
        .iter()
        .filter_map(|hint| error.find(hint))
        .min()
        .unwrap_or(error.len());
    let (words, hints) = error.split_at(end);
    let (kind, text) = words.split_once(": ").unwrap_or(("", words));
    let kind = kind.strip_suffix(" Error").unwrap_or(kind);
    (
        kind.to_owned(),
        text.trim_end().to_owned(),
        hints.trim().to_owned(),
    )
}

fn said(reply: Reply, keep: bool) -> Answer {
    let state = match reply.state {
        State::Idle | State::Closed => TxState::Idle,
        State::Open => TxState::Open,
        State::Failed => TxState::Failed,
    };
    let said = if let Some(error) = reply.error {
        let (code, text, detail) = parts(&error);
        Said::Refused { code, text, detail }
    } else {
        let rows = reply.columns.map(|columns| {
            let mut out = Rows::new(columns, keep);
            for row in reply.rows {
                out.row(row.into_iter().map(|cell| cell.map(Cow::Owned)));
            }
            out.done()
        });
        Said::Done {
            tag: if reply.rolled_back { "ROLLBACK" } else { "" }.to_owned(),
            affected: Some(rows.as_ref().map_or(reply.changed, |table| table.count)),
            rows,
        }
    };
    Answer { said, state }
}

impl SqlSession for DuckSession {
    /// There is no COPY from us: `copy` is not looked at.
    fn send(&mut self, sql: &str, _: Option<&[u8]>, keep: bool, deadline: Duration) -> Answer {
        let asked = if self.broken {
            Err("the session is closed".to_owned())
        } else {
            self.ask(sql, deadline)
        };
        match asked {
            Ok(reply) => self.or_unknown(sql, said(reply, keep)),
            Err(text) => {
                self.broken = true;
                let said = Said::Unknown {
                    code: String::new(),
                    text,
                };
                Answer {
                    said,
                    state: TxState::Idle,
                }
            }
        }
    }

    fn identity(&self) -> Identity {
        Identity {
            session: self.who,
            process: self.number,
            started: String::new(),
            incarnation: self.child.life.clone(),
        }
    }

    fn cancel(&self) -> Option<Arc<dyn Cancel>> {
        Some(Arc::new(Interrupt {
            child: Arc::clone(&self.child),
            number: self.number,
        }))
    }

    fn broken(&self) -> bool {
        self.broken
    }
}

/// The engine rolls back what was open.
impl Drop for DuckSession {
    fn drop(&mut self) {
        // A process that has ended has closed it.
        let _ = self.child.tell(self.number, What::Interrupt);
        let _ = self.child.tell(self.number, What::Close);
    }
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn an_error_is_its_kind_its_words_and_hints() {
        for (error, kind, text) in [
            (
                "Catalog Error: Table with name t does not exist!\nDid you mean \"u\"?\n\nLINE 1: SELECT",
                "Catalog",
                "Table with name t does not exist!",
            ),
            (
                "Conversion Error: Could not convert string 'line\nbreak' to INT64\n\nLINE 1: SELECT",
                "Conversion",
                "Could not convert string 'line\nbreak' to INT64",
            ),
            ("INTERRUPT Error: Interrupted!", "INTERRUPT", "Interrupted!"),
            ("no kind at all", "", "no kind at all"),
        ] {
            let (k, t, _) = parts(error);
            assert_eq!((k.as_str(), t.as_str()), (kind, text), "{error}");
        }
    }
}
