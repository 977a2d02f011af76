//! The process in which the engine lives: it opens the library and the database, and serves all sessions of a run, each on a
//! thread and a connection of its own.
//!
//! Invariants:
//! * D1 nothing of Gristmill is lost with this process: it holds the engine and what is on its way.
//! * D2 it ends when its input ends, in order, or when we die.
//! * D3 a statement is sent as it came; what we add is one question that touches no table, after an error inside a transaction:
//!   whether the engine has ended that.

use super::library::{Connection, Database, Outcome};
use super::lines::{Ask, Hello, Reply, State, Welcome, What};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// What the engine says when a transaction takes nothing but its end.
const ABORTED: &str = "Current transaction is aborted";

/// One session's thread.
struct Worker {
    statements: Sender<What>,
    connection: Arc<Connection>,
    thread: JoinHandle<()>,
}

/// Serves until the input ends. `Err`: nothing can be read or written, in words.
pub(super) fn serve(input: impl BufRead, output: impl Write + Send + 'static) -> Result<(), String> {
    let mut lines = input.lines();
    let mut next = || lines.next().transpose().map_err(|e| e.to_string());
    let Some(line) = next()? else { return Ok(()) };
    let hello: Hello = serde_json::from_str(&line).map_err(|e| format!("{e}: {line}"))?;
    let output = Arc::new(Mutex::new(output));
    let database = match Database::open(&hello.library, &hello.database) {
        Ok(database) => database,
        Err((library, what)) => {
            let welcome = if library {
                Welcome::Library(what)
            } else {
                Welcome::Database(what)
            };
            return say(&output, &welcome);
        }
    };
    say(&output, &Welcome::Version(database.version().to_owned()))?;
    let mut workers: BTreeMap<u64, Worker> = BTreeMap::new();
    while let Some(line) = next()? {
        let ask: Ask = serde_json::from_str(&line).map_err(|e| format!("{e}: {line}"))?;
        if let (What::Interrupt, Some(worker)) = (&ask.what, workers.get(&ask.session)) {
            worker.connection.interrupt();
            continue;
        }
        if matches!(ask.what, What::Interrupt) {
            continue;
        }
        let last = matches!(ask.what, What::Close);
        let worker = match workers.remove(&ask.session) {
            Some(worker) => worker,
            None => begin(ask.session, &database, &output)?,
        };
        if last {
            // The thread says that it is closed when its own handle was the last.
            let Worker {
                statements,
                connection,
                ..
            } = worker;
            drop(connection);
            drop(statements.send(ask.what));
        } else {
            drop(worker.statements.send(ask.what));
            workers.insert(ask.session, worker);
        }
    }
    for (_, worker) in workers {
        worker.connection.interrupt();
        drop(worker.statements);
        drop(worker.thread.join());
    }
    Ok(())
}

fn begin<W: Write + Send + 'static>(
    session: u64,
    database: &Arc<Database>,
    output: &Arc<Mutex<W>>,
) -> Result<Worker, String> {
    let connection = Arc::new(database.connect()?);
    let (statements, inbox) = channel();
    let (own, output) = (Arc::clone(&connection), Arc::clone(output));
    let thread = std::thread::Builder::new()
        .name(format!("session {session}"))
        .spawn(move || work(session, own, &inbox, &output))
        .map_err(|e| e.to_string())?;
    Ok(Worker {
        statements,
        connection,
        thread,
    })
}

fn work<W: Write>(session: u64, connection: Arc<Connection>, inbox: &Receiver<What>, output: &Mutex<W>) {
    let mut state = State::Idle;
    while let Ok(what) = inbox.recv() {
        let What::Sql(sql) = what else { break };
        let outcome = connection.run(&sql);
        let before = state;
        state = after(before, &sql, &outcome, &connection);
        let mut reply = bare(session, state);
        reply.rolled_back = before == State::Failed && state == State::Idle;
        match outcome {
            Outcome::Rows(columns, rows) => (reply.columns, reply.rows) = (Some(columns), rows),
            Outcome::Changed(n) => reply.changed = n,
            Outcome::Refused(text) => reply.error = Some(text),
        }
        if say(output, &reply).is_err() {
            return;
        }
    }
    drop(connection);
    // Who closes waits for this; nobody listens at the end of the process.
    drop(say(output, &bare(session, State::Closed)));
}

/// Where the connection stands after a statement. The library does not tell; what words begin and end a transaction is known,
/// and whether an error has ended one is asked.
fn after(before: State, sql: &str, outcome: &Outcome, connection: &Connection) -> State {
    let refused = matches!(outcome, Outcome::Refused(_));
    let word = sql
        .trim_start()
        .split(|c: char| !c.is_ascii_alphabetic())
        .next()
        .unwrap_or_default();
    match (before, word.to_ascii_uppercase().as_str()) {
        (State::Idle, "BEGIN" | "START") if !refused => State::Open,
        // A COMMIT that is refused has rolled back.
        (State::Open | State::Failed, "COMMIT" | "ROLLBACK" | "ABORT" | "END") => State::Idle,
        (State::Open, _) if refused => match connection.run("SELECT 1") {
            Outcome::Refused(text) if text.contains(ABORTED) => State::Failed,
            _ => State::Open,
        },
        (state, _) => state,
    }
}

fn bare(session: u64, state: State) -> Reply {
    Reply {
        session,
        columns: None,
        rows: Vec::new(),
        changed: 0,
        error: None,
        state,
        rolled_back: false,
    }
}

fn say<W: Write>(output: &Mutex<W>, what: &impl serde::Serialize) -> Result<(), String> {
    let mut line = serde_json::to_vec(what).map_err(|e| e.to_string())?;
    line.push(b'\n');
    let mut output = output.lock();
    output
        .write_all(&line)
        .and_then(|()| output.flush())
        .map_err(|e| e.to_string())
}
