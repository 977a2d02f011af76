//! One client session: a prepared statement for each text, values in the wire's own bytes.

use super::admin;
use super::client::{Asked, Client};
use super::codes::{self, Verdict};
use super::value::{decode, encode};
use crate::dialect::cql::{self, BATCHES};
use crate::dialect::{Beside, Renderer, Script, Statement, Want};
use crate::target::{Cancel, Executed, Identity, Rendered, Request, Session};
use history::{Address, Answer, Change, ChangeKind, ReasonKind, Rows, Step};
use scylla::deserialize::row::ColumnIterator;
use scylla::errors::ExecutionError;
use scylla::response::query_result::{QueryResult, QueryRowsResult};
use scylla::response::{PagingState, PagingStateResponse};
use scylla::serialize::SerializationError;
use scylla::serialize::row::{RowSerializationContext, SerializeRow};
use scylla::serialize::writers::RowWriter;
use scylla::statement::prepared::PreparedStatement;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How often a statement is prepared again that the server has forgotten. It says so before it does anything, so nothing is
/// done twice; a server with little memory may forget it between the two messages.
const FORGOTTEN_MAX: u32 = 8;

/// Statements that are kept prepared; then we begin anew, so that a session's memory stays bounded.
const PREPARED_MAX: usize = 1_000;

pub(super) struct CassandraSession {
    client: Client,
    renderer: Renderer,
    identity: Identity,
    prepared: BTreeMap<String, PreparedStatement>,
    broken: bool,
    keyspace: String,
}

/// The values of a statement, written without a look at what the driver thinks of their types.
struct Values<'a>(&'a Statement);

impl SerializeRow for Values<'_> {
    fn serialize(
        &self,
        _: &RowSerializationContext<'_>,
        writer: &mut RowWriter<'_>,
    ) -> Result<(), SerializationError> {
        let mut bytes = Vec::new();
        for (cell, slot) in self.0.cells().zip(&self.0.slots) {
            bytes.clear();
            let out = writer.make_cell_writer();
            if encode(cell, *slot, &mut bytes) {
                out.set_value(&bytes).map_err(SerializationError::new)?;
            } else {
                out.set_null();
            }
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.0.slots.is_empty()
    }
}

/// What one statement came to.
enum Done {
    Rows(Rows),
    Affected(u64),
}

impl CassandraSession {
    pub(super) fn new(client: Client, renderer: Renderer, identity: Identity, keyspace: String) -> Self {
        Self {
            client,
            renderer,
            identity,
            prepared: BTreeMap::new(),
            broken: false,
            keyspace,
        }
    }

    /// Changes the schema: an index is waited for until it answers, what the catalog shows already is no error, and a server
    /// without storage-attached indexes makes one of its own kind.
    fn change(&mut self, change: &Change, text: &str) -> Answer {
        if self.broken {
            return Answer::Refused(codes::words(ReasonKind::Disconnected, "the session is closed"));
        }
        let layout = self.renderer.layout();
        let table = layout.table(change.table);
        let made = self
            .client
            .ask(text)
            .or_else(|error| match text.strip_suffix(cql::SAI) {
                Some(older) if error.to_string().contains("sai") => self.client.ask(older),
                _ => Err(error),
            });
        let done = made.map(drop).and_then(|()| match change.what {
            ChangeKind::CreateIndex => {
                let questions = cql::by_column(&self.keyspace, table, table.any(change.column));
                let there = || admin::shows(&self.client, &self.keyspace, table, change);
                questions
                    .iter()
                    .try_for_each(|question| admin::await_index_while(&self.client, question, &there))
            }
            ChangeKind::DropIndex | ChangeKind::DropColumn | ChangeKind::AddColumn => Ok(()),
        });
        let Err(error) = done else {
            return Answer::Affected(0);
        };
        let Verdict { answer, broken } = codes::verdict(&error, true);
        if !broken
            && matches!(
                admin::shows(&self.client, &self.keyspace, table, change),
                Ok(true)
            )
        {
            return Answer::Affected(0);
        }
        self.broken = broken;
        answer
    }

    /// Runs the statements of a request; `keep`: rows are kept, not only counted.
    fn answer(&mut self, script: &Script, deadline: Duration, keep: bool) -> Answer {
        if self.broken {
            return Answer::Refused(codes::words(ReasonKind::Disconnected, "the session is closed"));
        }
        let (statements, beside) = (script.statements(), script.beside);
        let kind = statements
            .first()
            .and_then(|s| BATCHES.iter().position(|b| *b == s.sql));
        let done = match (kind, statements) {
            (Some(kind), [_, members @ .., _]) => {
                self.remembered(members, |me| me.batch(kind, members, &beside, deadline))
            }
            _ => self.each(statements, &beside, deadline, keep),
        };
        match done {
            Ok(Done::Rows(rows)) => Answer::Rows(rows),
            Ok(Done::Affected(count)) => Answer::Affected(count),
            Err(Verdict { answer, broken }) => {
                // Where there are several nodes, one that is away is no reason to leave the others.
                self.broken = broken && (self.client.nodes() == 1 || matches!(answer, Answer::Unknown(_)));
                answer
            }
        }
    }

    fn each(
        &mut self,
        statements: &[Statement],
        beside: &Beside,
        deadline: Duration,
        keep: bool,
    ) -> Result<Done, Verdict> {
        let mut done = Done::Affected(0);
        for statement in statements {
            done = self.remembered(std::slice::from_ref(statement), |me| {
                me.run(statement, beside, deadline, keep)
            })?;
        }
        Ok(done)
    }

    /// Asks again where the server has forgotten what was prepared.
    fn remembered(
        &mut self,
        statements: &[Statement],
        mut ask: impl FnMut(&mut Self) -> Result<Done, Verdict>,
    ) -> Result<Done, Verdict> {
        for _ in 0..FORGOTTEN_MAX {
            match ask(self) {
                Err(verdict) if codes::is_unprepared(&verdict) => {
                    for statement in statements {
                        self.prepared.remove(&statement.sql);
                    }
                }
                done => return done,
            }
        }
        ask(self)
    }

    fn run(
        &mut self,
        statement: &Statement,
        beside: &Beside,
        deadline: Duration,
        keep: bool,
    ) -> Result<Done, Verdict> {
        let writes = statement.answer.is_empty();
        let failed = |error: Box<ExecutionError>| codes::verdict(&error, writes);
        self.know(&statement.sql).map_err(failed)?;
        let prepared = self.prepared.get_mut(&statement.sql).expect("just prepared");
        let (mut rows, mut counted) = (Rows::default(), 0);
        let mut at = PagingState::start();
        let page = beside.page.filter(|_| !writes);
        loop {
            let (result, next) = self
                .client
                .page(
                    prepared,
                    beside.stamp.as_ref(),
                    Values(statement),
                    page,
                    at,
                    deadline,
                )
                .map_err(failed)?;
            if writes {
                return Ok(Done::Affected(applied(result)));
            }
            let read = if keep { Some(&mut rows) } else { None };
            counted += collect(result, &statement.answer, read).map_err(|text| Verdict {
                answer: Answer::Unknown(codes::words(ReasonKind::Other, &text)),
                broken: true,
            })?;
            match next {
                PagingStateResponse::HasMorePages { state } => at = state,
                PagingStateResponse::NoMorePages => break,
            }
        }
        Ok(if keep {
            Done::Rows(rows)
        } else {
            Done::Affected(counted)
        })
    }

    fn batch(
        &mut self,
        kind: usize,
        members: &[Statement],
        beside: &Beside,
        deadline: Duration,
    ) -> Result<Done, Verdict> {
        let failed = |error: Box<ExecutionError>| codes::verdict(&error, true);
        let mut statements = Vec::with_capacity(members.len());
        for member in members {
            self.know(&member.sql).map_err(failed)?;
            statements.push(self.prepared[&member.sql].clone());
        }
        let values = members.iter().map(Values).collect();
        self.client
            .batch(kind, statements, beside.stamp.as_ref(), values, deadline)
            .map(|_| Done::Affected(members.len() as u64))
            .map_err(failed)
    }

    /// Sees to it that a text is prepared.
    fn know(&mut self, sql: &str) -> Asked<()> {
        if !self.prepared.contains_key(sql) {
            let prepared = self.client.prepare(sql)?;
            if self.prepared.len() >= PREPARED_MAX {
                self.prepared.clear();
            }
            self.prepared.insert(sql.to_owned(), prepared);
        }
        Ok(())
    }
}

/// What a write affected: a conditional one says whether it was applied, others say nothing and count 1.
fn applied(result: QueryResult) -> u64 {
    let Ok(rows) = result.into_rows_result() else {
        return 1;
    };
    let Ok(mut rows) = rows.rows::<ColumnIterator<'_, '_>>() else {
        return 1;
    };
    let first = rows.next().and_then(|row| row.ok()?.next()?.ok()?.slice);
    first.map_or(1, |slice| u64::from(slice.as_slice() == [1]))
}

/// Reads a page into `rows`; how many rows it has. `Err`: the page cannot be taken apart.
fn collect(result: QueryResult, wants: &[Want], mut into: Option<&mut Rows>) -> Result<u64, String> {
    let page: QueryRowsResult = result.into_rows_result().map_err(|e| e.to_string())?;
    let mut count = 0;
    for row in page.rows::<ColumnIterator<'_, '_>>().map_err(|e| e.to_string())? {
        let row = row.map_err(|e| e.to_string())?;
        count += 1;
        let Some(rows) = into.as_deref_mut() else { continue };
        for (column, want) in row.zip(wants) {
            let column = column.map_err(|e| e.to_string())?;
            let bytes = column.slice.map(|s| s.as_slice());
            decode(bytes, column.spec.typ(), *want, &mut rows.bytes);
        }
        rows.end_row();
    }
    Ok(count)
}

impl Session for CassandraSession {
    fn execute(&mut self, _: Address, request: &Request<'_>, deadline: Duration) -> Executed {
        let digest = self.renderer.render(request);
        let script = std::mem::take(&mut self.renderer.script);
        let answer = match (request, script.statements()) {
            (
                Request::Stamped {
                    steps: [Step::Change(change)],
                    ..
                },
                [statement],
            ) => self.change(change, &statement.sql),
            _ => self.answer(&script, deadline, true),
        };
        self.renderer.script = script;
        Executed { answer, digest }
    }

    fn replay(&mut self, rendered: &Rendered, deadline: Duration) -> Answer {
        self.answer(&rendered.0, deadline, false)
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
