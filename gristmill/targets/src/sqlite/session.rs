//! One connection.

use super::value::{Bound, decode};
use super::{Shared, codes, incarnation};
use crate::dialect::{Renderer, Statement};
use crate::target::{Cancel, Executed, Identity, Rendered, Request, Session};
use crate::watchdog::Watched;
use history::{Address, Answer, Reason, ReasonKind, Rows, SessionId};
use rusqlite::{Connection, InterruptHandle};
use std::sync::Arc;
use std::time::Duration;

pub(super) struct SqliteSession {
    /// `None` only while it is being dropped.
    connection: Option<Connection>,
    renderer: Renderer,
    who: SessionId,
    serial: u64,
    shared: Arc<Shared>,
    watched: Arc<Watched>,
    /// The database is in memory: the connection outlives the session.
    keep: bool,
    /// BEGIN was acknowledged and neither COMMIT nor ROLLBACK was: the engine may have ended it by itself.
    in_transaction: bool,
}

impl SqliteSession {
    pub(super) fn new(
        connection: Connection,
        renderer: Renderer,
        who: SessionId,
        serial: u64,
        shared: Arc<Shared>,
        watched: Arc<Watched>,
        keep: bool,
    ) -> Self {
        let connection = Some(connection);
        Self {
            connection,
            renderer,
            who,
            serial,
            shared,
            watched,
            keep,
            in_transaction: false,
        }
    }

    fn connection(&self) -> &Connection {
        self.connection
            .as_ref()
            .expect("a session has its connection until it is dropped")
    }

    /// Some errors (a full disk, an interrupted write) end the transaction by themselves. What follows must not run
    /// outside one.
    fn rolled_back_by_itself(&self, request: &Request<'_>) -> Option<Answer> {
        if !self.in_transaction || !self.connection().is_autocommit() {
            return None;
        }
        let text = "the engine has rolled the transaction back".to_owned();
        let reason = |kind| Reason {
            kind,
            code: String::new(),
            text: text.clone(),
        };
        match request {
            Request::Rollback => Some(Answer::Affected(0)),
            Request::Commit => Some(Answer::Refused(reason(ReasonKind::RolledBack))),
            Request::Step(_) => Some(Answer::Refused(reason(ReasonKind::InFailedTransaction))),
            Request::Begin { .. } => None,
        }
    }

    fn answer(&self, request: &Request<'_>) -> Answer {
        if let Some(answer) = self.rolled_back_by_itself(request) {
            return answer;
        }
        let ends = matches!(request, Request::Commit) || !self.in_transaction;
        let mut sum = 0;
        let mut rows = None;
        for statement in self.renderer.statements() {
            match run(self.connection(), statement, true) {
                Ok(Done::Rows(r)) => rows = Some(r),
                Ok(Done::Affected(n)) => sum += n,
                Err(error) => {
                    let reason = codes::reason(&error, self.watched.end());
                    let doubtful = ends && codes::is_doubtful(&error);
                    return if doubtful {
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

enum Done {
    Rows(Rows),
    Affected(u64),
}

/// Times the room of the first two rows, made when the second has come.
const GUESSED_ROWS: usize = 16;

/// Runs one statement. Not kept, rows are read and counted.
fn run(connection: &Connection, statement: &Statement, keep: bool) -> rusqlite::Result<Done> {
    let mut prepared = connection.prepare_cached(&statement.sql)?;
    for (i, cell) in statement.cells().enumerate() {
        prepared.raw_bind_parameter(i + 1, Bound(cell))?;
    }
    if statement.answer.is_empty() {
        let affected = prepared.raw_execute()?;
        // Statements that are no writes leave the count of the write before them.
        let counts = !statement.slots.is_empty();
        return Ok(Done::Affected(if counts {
            u64::try_from(affected).expect("a count")
        } else {
            0
        }));
    }
    let mut out = Rows::default();
    let mut counted = 0;
    let mut rows = prepared.raw_query();
    while let Some(row) = rows.next()? {
        counted += 1;
        for (i, want) in statement.answer.iter().enumerate() {
            if !keep {
                row.get_ref(i)?;
                continue;
            }
            decode(row.get_ref(i)?, *want, &mut out.bytes);
        }
        out.end_row();
        if counted == 2 {
            // Whoever has two rows often has many: growing one doubling at a time would copy them all again and again.
            out.bytes.reserve(GUESSED_ROWS * out.bytes.len());
        }
    }
    Ok(if keep {
        Done::Rows(out)
    } else {
        Done::Affected(counted)
    })
}

impl Session for SqliteSession {
    fn execute(&mut self, _: Address, request: &Request<'_>, deadline: Duration) -> Executed {
        let digest = self.renderer.render(request);
        self.watched.begin(deadline);
        let answer = self.answer(request);
        self.watched.end();
        match (request, &answer) {
            (Request::Begin { .. }, Answer::Affected(_)) => self.in_transaction = true,
            (Request::Commit | Request::Rollback, Answer::Affected(_)) => self.in_transaction = false,
            _ => {}
        }
        Executed { answer, digest }
    }

    fn replay(&mut self, rendered: &Rendered, deadline: Duration) -> Answer {
        self.watched.begin(deadline);
        let mut sum = 0;
        for statement in rendered.0.statements() {
            match run(self.connection(), statement, false) {
                Ok(Done::Affected(n)) => sum += n,
                Ok(Done::Rows(_)) => unreachable!("rows are only counted"),
                Err(error) => return Answer::Refused(codes::reason(&error, self.watched.end())),
            }
        }
        self.watched.end();
        Answer::Affected(sum)
    }

    fn identity(&self) -> Identity {
        let (session, process) = (self.who, self.serial);
        Identity {
            session,
            process,
            started: process.to_string(),
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

impl Drop for SqliteSession {
    fn drop(&mut self) {
        let connection = self.connection.take().expect("dropped once");
        if self.keep {
            if !connection.is_autocommit() {
                // The only session of a database in memory ends: what it had not committed is gone, as with a file.
                connection
                    .execute_batch("ROLLBACK")
                    .expect("a transaction can be rolled back");
            }
            *self.shared.memory.lock() = Some(connection);
        } else {
            drop(connection);
        }
        // Only now: whoever sees it gone may rely on its locks being gone too.
        self.shared.open.lock().remove(&self.serial);
    }
}

struct Interrupter(InterruptHandle);

impl Cancel for Interrupter {
    fn cancel(&self) -> Result<(), String> {
        self.0.interrupt();
        Ok(())
    }
}
