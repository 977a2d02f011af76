//! A session that takes statements as text.

use super::child::{Cell, Child, Lost};
use crate::sql::{Rows, SqlSession};
use crate::sqlite::shown;
use crate::target::{Cancel, Identity};
use history::parallel::{Answer, Said, TxState};
use rusqlite::types::ValueRef;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct TextSession {
    child: Child,
    identity: Identity,
    broken: bool,
}

impl TextSession {
    pub(super) fn new(child: Child, identity: Identity) -> Self {
        Self {
            child,
            identity,
            broken: false,
        }
    }

    fn ask(&mut self, sql: &str, keep: bool, deadline: Duration) -> Result<Answer, Lost> {
        let reply = self.child.ask(sql, Vec::new(), deadline)?;
        let state = if reply.open { TxState::Open } else { TxState::Idle };
        let said = match reply.error {
            Some(text) => Said::Refused {
                code: reply.code,
                text,
                detail: String::new(),
            },
            None => {
                let rows = (!reply.columns.is_empty()).then(|| {
                    let mut out = Rows::new(reply.columns, keep);
                    for row in &reply.rows {
                        out.row(row.iter().map(|cell| shown(cell.as_ref())));
                    }
                    out.done()
                });
                Said::Done {
                    tag: String::new(),
                    affected: Some(rows.as_ref().map_or(reply.changed, |table| table.count)),
                    rows,
                }
            }
        };
        Ok(Answer { said, state })
    }
}

impl Cell {
    /// As SQLite's own value.
    pub(super) fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Self::Null => ValueRef::Null,
            Self::Int(v) => ValueRef::Integer(*v),
            Self::Real(v) => ValueRef::Real(*v),
            Self::Text(v) => ValueRef::Text(v.as_bytes()),
            Self::Blob(v) => ValueRef::Blob(v),
        }
    }
}

impl SqlSession for TextSession {
    /// There is no COPY: `copy` is not looked at.
    fn send(&mut self, sql: &str, _: Option<&[u8]>, keep: bool, deadline: Duration) -> Answer {
        let asked = if self.broken {
            Err("the session is closed".to_owned())
        } else {
            self.ask(sql, keep, deadline).map_err(|lost| lost.to_string())
        };
        asked.unwrap_or_else(|text| {
            self.broken = true;
            Answer {
                said: Said::Unknown {
                    code: String::new(),
                    text,
                },
                state: TxState::Idle,
            }
        })
    }

    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn cancel(&self) -> Option<Arc<dyn Cancel>> {
        None
    }

    fn broken(&self) -> bool {
        self.broken
    }
}
