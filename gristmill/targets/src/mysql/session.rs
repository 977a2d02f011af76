//! One client session: a prepared statement for each shape, values in binary, one round trip a statement.

use super::client::{Client, Done, Error};
use super::codes::{self, NO_SUCH_THREAD};
use super::config::Config;
use crate::dialect::{Renderer, Statement};
use crate::target::{Cancel, Executed, Identity, Rendered, Request, Session};
use history::{Address, Answer, Reason, ReasonKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct MysqlSession {
    client: Client,
    config: Arc<Config>,
    through: Option<SocketAddr>,
    renderer: Renderer,
    identity: Identity,
    broken: bool,
}

impl MysqlSession {
    pub(super) fn new(
        client: Client,
        config: Arc<Config>,
        through: Option<SocketAddr>,
        renderer: Renderer,
        identity: Identity,
    ) -> Self {
        Self {
            client,
            config,
            through,
            renderer,
            identity,
            broken: false,
        }
    }

    /// Runs statements one after another until one is refused or lost.
    fn answer(&mut self, statements: &[Statement], commit: bool, keep: bool) -> Answer {
        if self.broken {
            return Answer::Refused(Reason {
                kind: ReasonKind::Disconnected,
                code: String::new(),
                text: "the session is closed".to_owned(),
            });
        }
        let mut sum = 0;
        let mut rows = None;
        for statement in statements {
            match self.client.execute(statement, keep) {
                Ok(Done::Rows(r)) => rows = Some(r),
                // An upsert that finds its row counts 2.
                Ok(Done::Count(n)) if statement.sql.contains(" ON DUPLICATE KEY UPDATE ") => sum += n.min(1),
                Ok(Done::Count(n)) => sum += n,
                Err(error) => {
                    let reason = codes::reason(&error);
                    self.broken |= error.is_end();
                    // No word of the server's about a COMMIT is a promise that it did not happen, but that it chose this
                    // transaction as the victim of a deadlock or a conflict.
                    let promised = matches!(reason.kind, ReasonKind::Deadlock | ReasonKind::Serialization);
                    return if self.broken || (commit && !promised) {
                        self.broken = true;
                        Answer::Unknown(reason)
                    } else {
                        Answer::Refused(reason)
                    };
                }
            }
        }
        rows.map_or(Answer::Affected(sum), Answer::Rows)
    }
}

impl Session for MysqlSession {
    fn execute(&mut self, _: Address, request: &Request<'_>, deadline: Duration) -> Executed {
        let digest = self.renderer.render(request);
        self.client.set_patience(deadline);
        let script = std::mem::take(&mut self.renderer.script);
        let commit = matches!(request, Request::Commit);
        let answer = self.answer(script.statements(), commit, true);
        self.renderer.script = script;
        Executed { answer, digest }
    }

    fn replay(&mut self, rendered: &Rendered, deadline: Duration) -> Answer {
        self.client.set_patience(deadline);
        self.answer(rendered.0.statements(), false, false)
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

/// Ends the statement of a connection, from another one.
pub(super) struct Canceller {
    pub(super) config: Arc<Config>,
    pub(super) through: Option<SocketAddr>,
    /// The server's number of the connection.
    pub(super) process: u64,
}

impl Cancel for Canceller {
    fn cancel(&self) -> Result<(), String> {
        let words = |error: Error| codes::reason(&error).text;
        let mut client = Client::connect(&self.config, self.through).map_err(words)?;
        match client.run(&format!("KILL QUERY {}", self.process)) {
            // It is gone already: nothing is left to cancel.
            Err(error) if error.code() == Some(NO_SUCH_THREAD) => Ok(()),
            other => other.map_err(words),
        }
    }
}
