//! A session that runs visits.

use super::child::{Cell, Child, Lost};
use crate::cell;
use crate::dialect::{Renderer, Statement, refusal};
use crate::sqlite::{Bound, decode, is_of_the_disk, kind_of_code};
use crate::target::{Cancel, Executed, Identity, Rendered, Request, Session};
use history::{Address, Answer, Reason, ReasonKind, Rows};
use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use serde_json::Value as Json;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct ExecSession {
    child: Child,
    identity: Identity,
    renderer: Renderer,
    /// BEGIN was acknowledged and neither COMMIT nor ROLLBACK was.
    in_transaction: bool,
    /// A transaction is open, as the child has said last.
    open: bool,
    broken: bool,
}

/// What one statement came to.
enum Done {
    Rows(Rows),
    Affected(u64),
    Refused(Reason),
}

impl ExecSession {
    pub(super) fn new(child: Child, identity: Identity, renderer: Renderer) -> Self {
        Self {
            child,
            identity,
            renderer,
            in_transaction: false,
            open: false,
            broken: false,
        }
    }

    fn run(&mut self, statement: &Statement, deadline: Duration, keep: bool) -> Result<Done, Lost> {
        let params = statement.cells().map(parameter).collect();
        let reply = self.child.ask(&statement.sql, params, deadline)?;
        self.open = reply.open;
        if let Some(text) = reply.error {
            let extended = reply.code.parse().unwrap_or(0);
            return Ok(Done::Refused(Reason {
                kind: kind_of_code(extended),
                code: reply.code,
                text,
            }));
        }
        if statement.answer.is_empty() {
            let counts = !statement.slots.is_empty();
            return Ok(Done::Affected(if counts { reply.changed } else { 0 }));
        }
        if !keep {
            return Ok(Done::Affected(reply.rows.len() as u64));
        }
        let mut out = Rows::default();
        for row in &reply.rows {
            for (i, want) in statement.answer.iter().enumerate() {
                let value = row.get(i).map_or(ValueRef::Null, Cell::as_ref);
                decode(value, *want, &mut out.bytes);
            }
            out.end_row();
        }
        Ok(Done::Rows(out))
    }

    /// The engine may end a transaction by itself: what follows must not run outside one.
    fn rolled_back_by_itself(&self, request: &Request<'_>) -> Option<Answer> {
        if !self.in_transaction || self.open {
            return None;
        }
        let reason = |kind| Reason {
            kind,
            code: String::new(),
            text: "the engine has rolled the transaction back".to_owned(),
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

    fn answer(&mut self, statements: &[Statement], ends: bool, deadline: Duration, keep: bool) -> Answer {
        let (mut sum, mut rows) = (0, None);
        for statement in statements {
            match self.run(statement, deadline, keep) {
                Ok(Done::Rows(r)) => rows = Some(r),
                Ok(Done::Affected(n)) => sum += n,
                Ok(Done::Refused(reason)) => {
                    let doubtful = ends && reason.code.parse().is_ok_and(is_of_the_disk);
                    return if doubtful {
                        Answer::Unknown(reason)
                    } else {
                        Answer::Refused(reason)
                    };
                }
                Err(lost) => {
                    self.broken = true;
                    let kind = match lost {
                        Lost::Late => ReasonKind::Deadline,
                        _ => ReasonKind::Disconnected,
                    };
                    return Answer::Unknown(Reason {
                        kind,
                        code: String::new(),
                        text: lost.to_string(),
                    });
                }
            }
        }
        rows.map_or(Answer::Affected(sum), Answer::Rows)
    }
}

/// A value as a line has it.
fn parameter(cell: cell::Cell<'_>) -> Json {
    let bound = Bound(cell);
    let borrowed = |value: ValueRef<'_>| match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(v) => Cell::Int(v),
        ValueRef::Real(v) => Cell::Real(v),
        ValueRef::Text(v) => Cell::Text(String::from_utf8_lossy(v).into_owned()),
        ValueRef::Blob(v) => Cell::Blob(v.to_vec()),
    };
    let cell = match bound.to_sql() {
        Ok(ToSqlOutput::Borrowed(value)) => borrowed(value),
        Ok(ToSqlOutput::Owned(Value::Blob(bytes))) => Cell::Blob(bytes),
        other => unreachable!("{other:?} is no value of ours"),
    };
    cell.json()
}

impl Session for ExecSession {
    fn execute(&mut self, _: Address, request: &Request<'_>, deadline: Duration) -> Executed {
        let digest = self.renderer.render(request);
        let early = self
            .rolled_back_by_itself(request)
            .or_else(|| refusal(request, false));
        let answer = match early {
            _ if self.broken => Answer::Refused(Reason {
                kind: ReasonKind::Disconnected,
                code: String::new(),
                text: "the session is closed".to_owned(),
            }),
            Some(answer) => answer,
            None => {
                let script = std::mem::take(&mut self.renderer.script);
                let ends = matches!(request, Request::Commit) || !self.in_transaction;
                let answer = self.answer(script.statements(), ends, deadline, true);
                self.renderer.script = script;
                answer
            }
        };
        match (request, &answer) {
            (Request::Begin { .. }, Answer::Affected(_)) => self.in_transaction = true,
            (Request::Commit | Request::Rollback, Answer::Affected(_)) => self.in_transaction = false,
            _ => {}
        }
        Executed { answer, digest }
    }

    fn replay(&mut self, rendered: &Rendered, deadline: Duration) -> Answer {
        self.answer(rendered.0.statements(), false, deadline, false)
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
