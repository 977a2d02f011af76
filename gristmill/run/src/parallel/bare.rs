//! A recorded run's statements once more, as fast as the database takes them: nothing is judged, written down or waited for. What
//! a run costs beyond its statements is seen beside it.

use super::again::Recorded;
use crate::RunError;
use crate::life::{environment, open_target, read_plan, targets_folder};
use history::SessionId;
use history::artefact::Folder;
use history::parallel::{Family, Said};
use std::collections::BTreeMap;
use std::path::Path;
use std::thread;
use std::time::Duration;
use targets::{Sql, SqlSession};

/// What came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bare {
    /// Nanoseconds from the first statement of the sessions to the last answer.
    pub ns: u64,
    /// Statements that were sent.
    pub sent: u64,
    /// Of them, those that succeeded now and then, oracles left out.
    pub both: u64,
    /// Of all statements, oracles.
    pub oracles: u64,
}

/// Sends what `folder` recorded of a run of the parallel workload, to the target of its plan; each session's statements in their
/// order, without regard to the other sessions. What it made is removed.
pub fn bare(folder: &Path, password: Option<&str>) -> Result<Bare, RunError> {
    let folder = Folder::open(folder)?;
    let plan = read_plan(&folder)?;
    let record = Recorded::read(folder.path())?;
    let files = targets_folder(&folder)?;
    let target = open_target(&plan, &files, &environment(password), BTreeMap::new())?;
    let sql = target.sql().expect("a run of this workload has such a target");
    one(sql, &record, SessionId(0), plan.deadline())?;
    let clock = crate::clock::Clock::start(Duration::ZERO);
    let all: Vec<Result<Bare, RunError>> = thread::scope(|scope| {
        let sessions: Vec<_> = (1..=plan.sessions)
            .map(|number| {
                let (record, plan) = (&record, &plan);
                scope.spawn(move || one(sql, record, SessionId(number), plan.deadline()))
            })
            .collect();
        sessions
            .into_iter()
            .map(|session| session.join().unwrap_or(Err(RunError::SessionDied)))
            .collect()
    });
    let ns = clock.ns();
    let mut sum = Bare {
        ns,
        ..Bare::default()
    };
    for one in all {
        let one = one?;
        sum.sent += one.sent;
        sum.both += one.both;
        sum.oracles += one.oracles;
    }
    target.cleanup()?;
    Ok(sum)
}

/// The statements of one session.
fn one(sql: &dyn Sql, record: &Recorded, me: SessionId, deadline: Duration) -> Result<Bare, RunError> {
    let mut bare = Bare::default();
    let mut held: Option<Box<dyn SqlSession>> = None;
    for statement in record.of_session(me) {
        if statement.fresh {
            held = None;
        }
        let now = match held.take() {
            Some(session) => session,
            None => sql.open(me)?,
        };
        let session = held.insert(now);
        let answer = session.send(&statement.sql, statement.copy.as_deref(), false, deadline);
        bare.sent += 1;
        let done = matches!(answer.said, Said::Done { .. });
        match statement.op.family {
            Family::Oracle => bare.oracles += 1,
            _ if done && statement.was_done() => bare.both += 1,
            _ => {}
        }
        if session.broken() {
            held = None;
        }
    }
    Ok(bare)
}
