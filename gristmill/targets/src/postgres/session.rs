//! One client session: a prepared statement for each shape, values in binary, one round trip a statement.

use super::codes;
use super::config::Config;
use super::value::{decode, encode, slot_oid};
use super::wire::{self, Failure, Lost, Wire};
use crate::dialect::{Renderer, Statement, refusal};
use crate::target::{Cancel, Executed, Identity, Rendered, Request, Session};
use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use history::{Address, Answer, Reason, ReasonKind, Rows};
use postgres_protocol::IsNull;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_64;

/// Statements that are kept prepared; rarer ones are parsed each time, so that the server's memory stays bounded.
const PREPARED_MAX: u32 = 1_000;

pub(super) struct PostgresSession {
    wire: Wire,
    config: Arc<Config>,
    through: Option<SocketAddr>,
    renderer: Renderer,
    identity: Identity,
    /// Statements that the server knows, by the digest of their text.
    prepared: BTreeMap<u64, Vec<Prepared>>,
    /// Names given so far; one whose statement was refused is not used again.
    names: u32,
    /// Set: a pooler may hand the next transaction to another server session, so nothing is kept or sought there.
    pooled: Arc<OnceLock<String>>,
    broken: bool,
}

struct Prepared {
    sql: String,
    name: String,
    /// The server's types of the columns that come back.
    types: Vec<u32>,
}

/// Where a statement's name and result types come from.
enum Known {
    /// Prepared before, under this digest and place.
    At(u64, usize),
    /// Being prepared now, under this name.
    New(String),
}

/// What one statement was answered before ReadyForQuery.
enum Done {
    Rows(Rows),
    /// The command tag, and the count behind it.
    Tag {
        rolled_back: bool,
        affected: u64,
    },
}

impl PostgresSession {
    pub(super) fn new(
        wire: Wire,
        config: Arc<Config>,
        through: Option<SocketAddr>,
        renderer: Renderer,
        identity: Identity,
        pooled: Arc<OnceLock<String>>,
    ) -> Self {
        Self {
            wire,
            config,
            through,
            renderer,
            identity,
            prepared: BTreeMap::new(),
            names: 0,
            pooled,
            broken: false,
        }
    }

    /// Runs statements one after another until one is refused or lost.
    fn answer(&mut self, statements: &[Statement], commit: bool, keep: bool) -> Answer {
        if self.broken {
            let text = "the session is closed".to_owned();
            return Answer::Refused(Reason {
                kind: ReasonKind::Disconnected,
                code: "08003".into(),
                text,
            });
        }
        let mut sum = 0;
        let mut rows = None;
        for statement in statements {
            match self.run(statement, keep) {
                Ok(Ok(Done::Rows(r))) => rows = Some(r),
                Ok(Ok(Done::Tag {
                    rolled_back: true, ..
                })) if commit => {
                    return Answer::Refused(Reason {
                        kind: ReasonKind::RolledBack,
                        code: String::new(),
                        text: "COMMIT was answered by ROLLBACK".into(),
                    });
                }
                Ok(Ok(Done::Tag { affected, .. })) => sum += affected,
                Ok(Err(failure)) if failure.is_fatal() => {
                    // It may have died between its commit and its answer (quickdie): this is no promise.
                    self.broken = true;
                    return Answer::Unknown(codes::reason(&failure));
                }
                Ok(Err(failure)) => return Answer::Refused(codes::reason(&failure)),
                Err(lost) => {
                    self.broken = true;
                    return Answer::Unknown(codes::lost(&lost));
                }
            }
        }
        rows.map_or(Answer::Affected(sum), Answer::Rows)
    }

    /// Ends the transaction of a batch that was refused: nothing of it was committed. A COMMIT that was refused has ended it
    /// already, and another ROLLBACK only warns.
    fn take_back(&mut self) {
        if self.broken {
            return;
        }
        let rollback = Statement::of("ROLLBACK");
        if !matches!(self.run(&rollback, true), Ok(Ok(_))) {
            self.broken = true;
        }
    }

    /// One statement, until the server is ready for the next. An error after the tag counts: with the extended protocol
    /// the transaction of an autocommit statement ends only at Sync. Not kept, rows are read and counted.
    fn run(&mut self, statement: &Statement, keep: bool) -> Result<Result<Done, Failure>, Lost> {
        let known = self.ask(statement);
        self.wire.send()?;
        let mut new_types = Vec::new();
        let mut described = false;
        let mut rows = Rows::default();
        let mut counted = 0;
        let mut tag = None;
        let mut failure: Option<Failure> = None;
        loop {
            match self.wire.answer()? {
                Message::RowDescription(body) => {
                    new_types = body
                        .fields()
                        .map(|field| Ok(field.type_oid()))
                        .collect()
                        .map_err(|e| Lost::Closed(e.to_string()))?;
                    described = true;
                }
                Message::NoData => described = true,
                Message::DataRow(body) => {
                    if !keep {
                        body.ranges().count().map_err(|e| Lost::Closed(e.to_string()))?;
                        counted += 1;
                        continue;
                    }
                    let types = match &known {
                        Known::At(digest, i) => &self.prepared[digest][*i].types,
                        Known::New(_) => &new_types,
                    };
                    let mut ranges = body.ranges();
                    for (i, want) in statement.answer.iter().enumerate() {
                        let range = ranges.next().map_err(|e| Lost::Closed(e.to_string()))?.flatten();
                        let bytes = range.map(|r| &body.buffer()[r]);
                        decode(bytes, types.get(i).copied().unwrap_or(0), *want, &mut rows.bytes);
                    }
                    rows.end_row();
                }
                Message::CommandComplete(body) => {
                    let text = body.tag().map_err(|e| Lost::Closed(e.to_string()))?;
                    let affected = text.rsplit(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0);
                    tag = Some(Done::Tag {
                        rolled_back: text == "ROLLBACK",
                        affected,
                    });
                }
                Message::ErrorResponse(body) => {
                    let new = Failure::read(body.fields());
                    let fatal = new.is_fatal();
                    failure = failure.or(Some(new));
                    if fatal {
                        return Ok(Err(failure.expect("set above")));
                    }
                }
                Message::ReadyForQuery(_) => break,
                _ => {}
            }
        }
        // A statement that was refused when it ran is prepared all the same.
        if let Known::New(name) = known
            && described
            && !name.is_empty()
        {
            let entry = self
                .prepared
                .entry(xxh3_64(statement.sql.as_bytes()))
                .or_default();
            entry.push(Prepared {
                sql: statement.sql.clone(),
                name,
                types: new_types,
            });
        }
        if let Some(failure) = failure {
            return Ok(Err(failure));
        }
        let counted = Done::Tag {
            rolled_back: false,
            affected: counted,
        };
        Ok(Ok(match statement.answer.is_empty() {
            true => tag.unwrap_or(counted),
            false if keep => Done::Rows(rows),
            false => counted,
        }))
    }

    /// Writes the messages of a statement into the outbox.
    fn ask(&mut self, statement: &Statement) -> Known {
        let digest = xxh3_64(statement.sql.as_bytes());
        let pooled = self.pooled.get().is_some();
        let at = self
            .prepared
            .get(&digest)
            .filter(|_| !pooled)
            .and_then(|list| list.iter().position(|p| p.sql == statement.sql));
        let out = &mut self.wire.outbox;
        let known = match at {
            Some(i) => Known::At(digest, i),
            None => {
                self.names = self.names.saturating_add(1);
                let keep = !pooled && self.names <= PREPARED_MAX;
                let name = if keep {
                    format!("g{}", self.names)
                } else {
                    String::new()
                };
                let types = statement.slots.iter().map(|slot| slot_oid(*slot));
                frontend::parse(&name, &statement.sql, types, out).expect("our statements hold no NUL");
                frontend::describe(b'S', &name, out).expect("our names hold no NUL");
                Known::New(name)
            }
        };
        let name = match &known {
            Known::At(digest, i) => &self.prepared[digest][*i].name,
            Known::New(name) => name,
        };
        let values = statement.cells().zip(&statement.slots);
        let written = frontend::bind(
            "",
            name,
            [1],
            values,
            |(cell, slot), out: &mut BytesMut| {
                Ok(if encode(cell, *slot, out) {
                    IsNull::No
                } else {
                    IsNull::Yes
                })
            },
            [1],
            out,
        );
        assert!(
            written.is_ok(),
            "a statement has fewer than 65536 values of less than 2 GiB"
        );
        frontend::execute("", 0, out).expect("the unnamed portal");
        frontend::sync(out);
        known
    }
}

impl Session for PostgresSession {
    fn execute(&mut self, _: Address, request: &Request<'_>, deadline: Duration) -> Executed {
        let digest = self.renderer.render(request);
        self.wire.set_patience(deadline);
        let script = std::mem::take(&mut self.renderer.script);
        let batch = matches!(request, Request::Stamped { batch: Some(_), .. });
        let commit = batch || matches!(request, Request::Commit);
        let answer = refusal(request, false).unwrap_or_else(|| {
            let answer = self.answer(script.statements(), commit, true);
            if batch && matches!(answer, Answer::Refused(_)) {
                self.take_back();
            }
            answer
        });
        self.renderer.script = script;
        Executed { answer, digest }
    }

    fn replay(&mut self, rendered: &Rendered, deadline: Duration) -> Answer {
        self.wire.set_patience(deadline);
        self.answer(rendered.0.statements(), false, false)
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

pub(super) struct Canceller {
    pub(super) config: Arc<Config>,
    pub(super) through: Option<SocketAddr>,
    pub(super) key: (i32, i32),
}

impl Cancel for Canceller {
    fn cancel(&self) -> Result<(), String> {
        wire::cancel(&self.config, self.through, self.key).map_err(|e| codes::complaint(&e).0)
    }
}
