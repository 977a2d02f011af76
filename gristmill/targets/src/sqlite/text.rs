//! A connection that takes statements as text.

use super::session::Interrupter;
use super::{Shared, codes, incarnation};
use crate::sql::{Rows, SqlSession};
use crate::target::{Cancel, Identity};
use crate::watchdog::Watched;
use history::SessionId;
use history::parallel::{Answer, Said, TxState};
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct TextSession {
    /// `None` only while it is being dropped.
    connection: Option<Connection>,
    who: SessionId,
    serial: u64,
    shared: Arc<Shared>,
    watched: Arc<Watched>,
    /// The database is in memory: the connection outlives the session.
    keep: bool,
}

impl TextSession {
    pub(super) fn new(
        connection: Connection,
        who: SessionId,
        serial: u64,
        shared: Arc<Shared>,
        watched: Arc<Watched>,
        keep: bool,
    ) -> Self {
        Self {
            connection: Some(connection),
            who,
            serial,
            shared,
            watched,
            keep,
        }
    }

    fn connection(&self) -> &Connection {
        self.connection
            .as_ref()
            .expect("a session has its connection until it is dropped")
    }

    fn said(&self, sql: &str, keep: bool) -> Said {
        match run(self.connection(), sql, keep) {
            Ok(said) => said,
            Err(error) if self.connection().is_autocommit() && codes::is_doubtful(&error) => {
                let reason = codes::reason(&error, false);
                Said::Unknown {
                    code: reason.code,
                    text: reason.text,
                }
            }
            Err(error) => {
                let reason = codes::reason(&error, false);
                Said::Refused {
                    code: reason.code,
                    text: reason.text,
                    detail: String::new(),
                }
            }
        }
    }
}

fn run(connection: &Connection, sql: &str, keep: bool) -> rusqlite::Result<Said> {
    let mut statement = connection.prepare(sql)?;
    let width = statement.column_count();
    // The count of changes is that of the last write that ended; a statement that is none leaves it.
    let before = connection.total_changes();
    let rows = if width == 0 {
        statement.raw_execute()?;
        None
    } else {
        let columns = statement.column_names().map(str::to_owned).collect();
        let mut out = Rows::new(columns, keep);
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            let cells: Vec<_> = (0..width).map(|i| row.get_ref(i)).collect::<Result<_, _>>()?;
            out.row(cells.into_iter().map(shown));
        }
        Some(out.done())
    };
    let changed = if connection.total_changes() > before {
        connection.changes()
    } else {
        0
    };
    Ok(Said::Done {
        tag: String::new(),
        affected: Some(rows.as_ref().map_or(changed, |table| table.count)),
        rows,
    })
}

/// A value as text that no value of another class has: a REAL has a point, an exponent or a name, a BLOB is `x'…'`, a TEXT that
/// could be taken for one of these is quoted.
pub(crate) fn shown(value: ValueRef<'_>) -> Option<Cow<'_, str>> {
    Some(match value {
        ValueRef::Null => return None,
        ValueRef::Integer(v) => Cow::Owned(v.to_string()),
        ValueRef::Real(v) => Cow::Owned(format!("{v:?}")),
        ValueRef::Text(v) => {
            let text = String::from_utf8_lossy(v);
            let plain = |c: char| c.is_alphabetic() || c == '_';
            if text.starts_with(plain) && !text.starts_with("x'") && text != "inf" && text != "NaN" {
                text
            } else {
                Cow::Owned(format!("'{text}'"))
            }
        }
        ValueRef::Blob(v) => Cow::Owned(
            v.iter().fold("x'".to_owned(), |mut out, byte| {
                out.push_str(&format!("{byte:02x}"));
                out
            }) + "'",
        ),
    })
}

impl SqlSession for TextSession {
    /// There is no COPY: `copy` is not looked at.
    fn send(&mut self, sql: &str, _: Option<&[u8]>, keep: bool, deadline: Duration) -> Answer {
        self.watched.begin(deadline);
        let said = self.said(sql, keep);
        self.watched.end();
        let state = if self.connection().is_autocommit() {
            TxState::Idle
        } else {
            TxState::Open
        };
        Answer { said, state }
    }

    fn identity(&self) -> Identity {
        Identity {
            session: self.who,
            process: self.serial,
            started: self.serial.to_string(),
            incarnation: incarnation(),
        }
    }

    fn cancel(&self) -> Option<Arc<dyn Cancel>> {
        Some(Arc::new(Interrupter(self.connection().get_interrupt_handle())))
    }

    fn broken(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests;

impl Drop for TextSession {
    fn drop(&mut self) {
        let connection = self.connection.take().expect("dropped once");
        self.shared.end(connection, self.serial, self.keep);
    }
}
