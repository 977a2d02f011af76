//! Sessions that take statements as text, through the simple protocol: one message out, everything until ReadyForQuery back.
//!
//! Invariant: an answer is final at ReadyForQuery only; its status byte is the state of the transaction.

use super::config::Config;
use super::session::Canceller;
use super::wire::{Failure, Lost, Wire};
use crate::sql::{Rows, SqlSession};
use crate::target::{Cancel, Identity};
use fallible_iterator::FallibleIterator;
use history::parallel::{Answer, Said, TxState};
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;
use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct TextSession {
    wire: Wire,
    config: Arc<Config>,
    through: Option<SocketAddr>,
    identity: Identity,
    broken: bool,
}

impl TextSession {
    pub(super) fn new(
        wire: Wire,
        config: Arc<Config>,
        through: Option<SocketAddr>,
        identity: Identity,
    ) -> Self {
        Self {
            wire,
            config,
            through,
            identity,
            broken: false,
        }
    }

    fn ask(&mut self, sql: &str, copy: Option<&[u8]>, keep: bool) -> Result<Answer, Lost> {
        let closed = |e: std::io::Error| Lost::Closed(e.to_string());
        if let Err(e) = frontend::query(sql, &mut self.wire.outbox) {
            // A NUL in the text: nothing was sent.
            self.wire.outbox.clear();
            return Ok(Answer {
                said: Said::Refused {
                    code: String::new(),
                    text: e.to_string(),
                    detail: String::new(),
                },
                state: TxState::Idle,
            });
        }
        self.wire.send()?;
        let mut rows: Option<Rows> = None;
        let mut tag = String::new();
        let mut failure: Option<Failure> = None;
        loop {
            match self.wire.answer()? {
                Message::RowDescription(body) => {
                    let names = body.fields().map(|field| Ok(field.name().to_owned()));
                    rows = Some(Rows::new(names.collect().map_err(closed)?, keep));
                }
                Message::DataRow(body) => {
                    let cells: Vec<_> = body.ranges().collect().map_err(closed)?;
                    let text = |range: Option<std::ops::Range<usize>>| {
                        range.map(|r| String::from_utf8_lossy(&body.buffer()[r]))
                    };
                    if let Some(rows) = &mut rows {
                        rows.row(cells.into_iter().map(text));
                    }
                }
                Message::CopyOutResponse(_) => rows = Some(Rows::new(vec!["copy".to_owned()], keep)),
                Message::CopyData(body) => {
                    if let Some(rows) = &mut rows {
                        rows.row(std::iter::once(Some(String::from_utf8_lossy(body.data()))));
                    }
                }
                Message::CopyInResponse(_) => self.feed(copy)?,
                Message::CommandComplete(body) => body.tag().map_err(closed)?.clone_into(&mut tag),
                Message::ErrorResponse(body) => {
                    let new = Failure::read(body.fields());
                    let fatal = new.is_fatal();
                    let failure = failure.get_or_insert(new);
                    if fatal {
                        self.broken = true;
                        return Ok(unknown(failure.code.clone(), failure.text.clone()));
                    }
                }
                Message::ReadyForQuery(body) => {
                    let state = match body.status() {
                        b'T' => TxState::Open,
                        b'E' => TxState::Failed,
                        _ => TxState::Idle,
                    };
                    let said = match failure {
                        Some(failure) => Said::Refused {
                            code: failure.code,
                            text: failure.text,
                            detail: failure.detail,
                        },
                        None => Said::Done {
                            affected: tag.rsplit(' ').next().and_then(|n| n.parse().ok()),
                            tag,
                            rows: rows.map(Rows::done),
                        },
                    };
                    return Ok(Answer { said, state });
                }
                _ => {}
            }
        }
    }

    /// The rows of a COPY, or that there are none.
    fn feed(&mut self, copy: Option<&[u8]>) -> Result<(), Lost> {
        let out = &mut self.wire.outbox;
        let written = match copy {
            Some(bytes) => frontend::CopyData::new(bytes).map(|data| {
                data.write(out);
                frontend::copy_done(out);
            }),
            None => frontend::copy_fail("no rows were given", out),
        };
        written.map_err(|e| Lost::Closed(e.to_string()))?;
        self.wire.send()
    }
}

#[cfg(test)]
mod tests;

fn unknown(code: String, text: String) -> Answer {
    Answer {
        said: Said::Unknown { code, text },
        state: TxState::Idle,
    }
}

impl SqlSession for TextSession {
    fn send(&mut self, sql: &str, copy: Option<&[u8]>, keep: bool, deadline: Duration) -> Answer {
        if self.broken {
            return unknown("08003".to_owned(), "the session is closed".to_owned());
        }
        self.wire.set_patience(deadline);
        self.ask(sql, copy, keep).unwrap_or_else(|lost| {
            self.broken = true;
            let text = match lost {
                Lost::Silent => Cow::Borrowed("no answer within the deadline"),
                Lost::Closed(why) => Cow::Owned(why),
            };
            unknown(String::new(), text.into_owned())
        })
    }

    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn cancel(&self) -> Option<Arc<dyn Cancel>> {
        Some(Arc::new(Canceller {
            config: Arc::clone(&self.config),
            through: self.through,
            key: self.wire.cancel_key(),
        }))
    }

    fn broken(&self) -> bool {
        self.broken
    }
}
