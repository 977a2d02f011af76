//! Sessions that take statements as text, one message a statement.
//!
//! Invariants:
//! * the state of a transaction is the server's word: the status flags of an answer; behind an error, which has none, a
//!   question of our own (`SELECT @@in_transaction`) where a transaction was open;
//! * a code is the server's number and the SQLSTATE, `1146/42S02`.

use super::client::{Client, Error, Told};
use super::codes;
use super::config::Config;
use super::session::Canceller;
use crate::sql::SqlSession;
use crate::target::{Cancel, Identity};
use history::parallel::{Answer, Said, TxState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct TextSession {
    client: Client,
    config: Arc<Config>,
    through: Option<SocketAddr>,
    identity: Identity,
    state: TxState,
    broken: bool,
}

impl TextSession {
    pub(super) fn new(
        client: Client,
        config: Arc<Config>,
        through: Option<SocketAddr>,
        identity: Identity,
    ) -> Self {
        Self {
            client,
            config,
            through,
            identity,
            state: TxState::Idle,
            broken: false,
        }
    }

    fn lost(&mut self, error: &Error) -> Answer {
        self.broken = true;
        self.state = TxState::Idle;
        let (code, text) = codes::said(error);
        Answer {
            said: Said::Unknown { code, text },
            state: TxState::Idle,
        }
    }

    /// What the session is in after an error.
    fn after_error(&mut self) -> Result<TxState, Error> {
        if self.state == TxState::Idle {
            return Ok(TxState::Idle);
        }
        let open = self.client.ask("SELECT @@in_transaction")?.concat().concat() == "1";
        Ok(if open { TxState::Open } else { TxState::Idle })
    }
}

impl SqlSession for TextSession {
    /// There is no COPY: `copy` is not looked at.
    fn send(&mut self, sql: &str, _: Option<&[u8]>, keep: bool, deadline: Duration) -> Answer {
        if self.broken {
            let said = Said::Unknown {
                code: String::new(),
                text: "the session is closed".to_owned(),
            };
            return Answer {
                said,
                state: TxState::Idle,
            };
        }
        self.client.set_patience(deadline);
        let said = match self.client.tell(sql, keep) {
            Ok(Told {
                rows, affected, open, ..
            }) => {
                self.state = if open { TxState::Open } else { TxState::Idle };
                Said::Done {
                    tag: String::new(),
                    affected: Some(rows.as_ref().map_or(affected, |table| table.count)),
                    rows,
                }
            }
            Err(error) if error.is_end() => return self.lost(&error),
            Err(error) => {
                match self.after_error() {
                    Ok(state) => self.state = state,
                    Err(error) => return self.lost(&error),
                }
                let (code, text) = codes::said(&error);
                Said::Refused {
                    code,
                    text,
                    detail: String::new(),
                }
            }
        };
        Answer {
            said,
            state: self.state,
        }
    }

    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn cancel(&self) -> Option<Arc<dyn Cancel>> {
        Some(Arc::new(Canceller {
            config: Arc::clone(&self.config),
            through: self.through,
            process: self.identity.process,
        }))
    }

    fn broken(&self) -> bool {
        self.broken
    }
}

#[cfg(test)]
mod tests;
