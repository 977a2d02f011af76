//! One connection.

use super::value::{Bound, decode};
use super::{Shared, codes, incarnation};
use crate::dialect::{Renderer, Statement, refusal};
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
    usual: Usual,
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
            usual: Usual::default(),
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
            Request::Step(_) | Request::Stamped { .. } => {
                Some(Answer::Refused(reason(ReasonKind::InFailedTransaction)))
            }
            Request::Begin { .. } => None,
        }
    }

    fn answer(&mut self, request: &Request<'_>) -> Answer {
        if let Some(answer) = self.rolled_back_by_itself(request) {
            return answer;
        }
        if let Some(answer) = refusal(request, false) {
            return answer;
        }
        let batch = matches!(request, Request::Stamped { batch: Some(_), .. });
        let ends = matches!(request, Request::Commit) || !self.in_transaction;
        let mut sum = 0;
        let mut rows = None;
        let connection = self
            .connection
            .as_ref()
            .expect("a session has its connection until it is dropped");
        let statements = self.renderer.statements();
        for (i, statement) in statements.iter().enumerate() {
            match run(connection, statement, Some(&mut self.usual)) {
                Ok(Done::Rows(r)) => rows = Some(r),
                Ok(Done::Affected(n)) => sum += n,
                Err(error) => {
                    let reason = codes::reason(&error, self.watched.end());
                    let last = !batch || i + 1 == statements.len();
                    let doubtful = ends && last && codes::is_doubtful(&error);
                    // A batch that was refused is taken back, or what was refused would be kept open.
                    let kept =
                        batch && !connection.is_autocommit() && connection.execute_batch("ROLLBACK").is_err();
                    return if doubtful || kept {
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

/// Rows that are expected when a second one has come.
const GUESSED_ROWS: usize = 16;

/// The size of the last answer of more than one row: whoever reads a whole partition will read another one. Growing one
/// doubling at a time would copy the rows again and again.
#[derive(Default)]
struct Usual {
    rows: usize,
    bytes: usize,
}

impl Usual {
    /// Most bytes that are made ready on a guess.
    const MOST: usize = 64 << 10;

    /// Makes room in an answer of two rows.
    fn make_room(&self, out: &mut Rows) {
        out.bytes
            .reserve(self.bytes.min(Self::MOST).max(GUESSED_ROWS * out.bytes.len()));
        out.ends.reserve(self.rows.clamp(GUESSED_ROWS, Self::MOST / 8));
    }

    /// Learns from an answer, and gives back what it has far too much.
    fn learn(&mut self, out: &mut Rows) {
        if out.len() < 2 {
            return;
        }
        (self.rows, self.bytes) = (out.len(), out.bytes.len());
        if out.bytes.capacity() > 4 * out.bytes.len() {
            out.bytes.shrink_to_fit();
            out.ends.shrink_to_fit();
        }
    }
}

/// Runs one statement. Without `keep` rows are read and counted.
fn run(connection: &Connection, statement: &Statement, keep: Option<&mut Usual>) -> rusqlite::Result<Done> {
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
            let value = row.get_ref(i)?;
            if keep.is_some() {
                decode(value, *want, &mut out.bytes);
            }
        }
        let Some(usual) = &keep else { continue };
        out.end_row();
        if counted == 2 {
            usual.make_room(&mut out);
        }
    }
    Ok(match keep {
        Some(usual) => {
            usual.learn(&mut out);
            Done::Rows(out)
        }
        None => Done::Affected(counted),
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
            match run(self.connection(), statement, None) {
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
        self.shared.end(connection, self.serial, self.keep);
    }
}

pub(super) struct Interrupter(pub(super) InterruptHandle);

impl Cancel for Interrupter {
    fn cancel(&self) -> Result<(), String> {
        self.0.interrupt();
        Ok(())
    }
}
