//! A recorded run once more: the same bytes, each session's in its order, none before all that had ended before it has ended
//! again (P45). The recorded footprints are judged with the new answers by a new model.
//!
//! Invariants:
//! * A1 nothing is drawn, and nothing is written anew: bytes and footprints are the trace's.
//! * A2 a statement waits for its place at most so long; what did not find it again is counted.

use super::floor::Floor;
use super::gate::Pass;
use super::session::{Drawn, Source};
use super::trace::{self, Record, TraceError};
use history::SessionId;
use history::parallel::{Answer, At, Op, Said};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long a statement waits for its place.
const PLACE: Duration = Duration::from_millis(500);
/// Between two looks.
const LOOK: Duration = Duration::from_micros(200);
/// Differences that are kept as examples.
const EXAMPLES: usize = 5;

/// One recorded statement.
pub(super) struct Statement {
    pub(super) op: Arc<Op>,
    pub(super) sql: Arc<str>,
    pub(super) copy: Option<Arc<[u8]>>,
    /// How many statements of each session had ended when it was sent; index 0 is session 0's, always 0.
    after: Vec<u64>,
    answer: Option<Answer>,
    /// Its session had a new connection before it.
    pub(super) fresh: bool,
}

impl Statement {
    /// Whether it succeeded.
    pub(super) fn was_done(&self) -> bool {
        let answer = self.answer.as_ref();
        answer.is_some_and(|answer| matches!(answer.said, Said::Done { .. }))
    }
}

/// A recorded run.
pub(crate) struct Recorded {
    sessions: BTreeMap<SessionId, Vec<Statement>>,
    /// How many statements of each session have ended again.
    ended: Vec<AtomicU64>,
    compared: Mutex<Compared>,
    cut: bool,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Compared {
    /// Statements that were sent again.
    pub(crate) statements: u64,
    /// Of them, those whose answer was another: code, count of rows or digest.
    pub(crate) differ: u64,
    /// Of them, those that did not find their place.
    pub(crate) misplaced: u64,
    /// Some differences, in words.
    pub(crate) examples: Vec<String>,
}

impl Compared {
    /// One line.
    pub(crate) fn words(&self) -> String {
        let mut words = format!(
            "{} recorded statements, {} answered otherwise, {} not at their recorded place",
            self.statements, self.differ, self.misplaced
        );
        for example in &self.examples {
            words += &format!("; {example}");
        }
        words
    }

    /// Why it shows nothing.
    pub(crate) fn doubt(&self) -> Option<String> {
        (self.statements == 0).then(|| "the trace holds no statement".to_owned())
    }
}

impl Recorded {
    /// Reads the trace of a folder.
    pub(crate) fn read(folder: &Path) -> Result<Recorded, TraceError> {
        Ok(Recorded::of(trace::read(folder)?))
    }

    fn of(records: Vec<Record<'_>>) -> Recorded {
        let width = records
            .iter()
            .filter_map(|record| match record {
                Record::Sent { op, .. } => Some(usize::from(op.at.session.0) + 1),
                _ => None,
            })
            .max()
            .unwrap_or(1);
        let mut ended = vec![0; width];
        let mut sessions: BTreeMap<SessionId, Vec<Statement>> = BTreeMap::new();
        let mut place: BTreeMap<At, usize> = BTreeMap::new();
        // Two threads may write their records in another order than they took their ticks.
        let mut events: Vec<(u64, Record<'_>)> = records
            .into_iter()
            .filter_map(|record| match &record {
                Record::Sent { tick, .. } | Record::Answered { tick, .. } | Record::Opened { tick, .. } => {
                    Some((tick.0, record))
                }
                _ => None,
            })
            .collect();
        events.sort_by_key(|(tick, _)| *tick);
        let mut fresh: BTreeSet<SessionId> = BTreeSet::new();
        for (_, record) in events {
            match record {
                Record::Opened {
                    session, incarnation, ..
                } => {
                    if incarnation > 1 {
                        fresh.insert(session);
                    }
                }
                Record::Sent { op, sql, copy, .. } => {
                    let of = sessions.entry(op.at.session).or_default();
                    place.insert(op.at, of.len());
                    of.push(Statement {
                        fresh: fresh.remove(&op.at.session),
                        op: Arc::new(op.into_owned()),
                        sql: sql.into(),
                        copy: copy.map(Into::into),
                        after: ended.clone(),
                        answer: None,
                    });
                }
                Record::Answered { at, answer, .. } => {
                    if let (Some(of), Some(i)) = (sessions.get_mut(&at.session), place.get(&at)) {
                        of[*i].answer = Some(answer);
                        ended[usize::from(at.session.0)] += 1;
                    }
                }
                _ => unreachable!("only these were kept"),
            }
        }
        let cut = sessions
            .values()
            .flatten()
            .any(|statement| statement.answer.is_none());
        Recorded {
            sessions,
            ended: (0..width).map(|_| AtomicU64::new(0)).collect(),
            compared: Mutex::default(),
            cut,
        }
    }

    /// Some statement of the record had no answer: the run that recorded it died.
    pub(crate) fn is_cut(&self) -> bool {
        self.cut
    }

    /// The statements of a session, in their order.
    pub(super) fn of_session(&self, session: SessionId) -> &[Statement] {
        self.sessions.get(&session).map_or(&[], Vec::as_slice)
    }

    /// What came of it so far.
    pub(crate) fn compared(&self) -> Compared {
        self.compared.lock().clone()
    }
}

/// One session of a recorded run.
pub(crate) struct Again {
    record: Arc<Recorded>,
    me: SessionId,
    next: usize,
}

impl Again {
    pub(crate) fn new(record: &Arc<Recorded>, me: SessionId) -> Again {
        Again {
            record: Arc::clone(record),
            me,
            next: 0,
        }
    }

    /// Waits until all that had ended before has ended again; `false`: it gave up.
    fn wait(&self, after: &[u64], floor: &Floor) -> bool {
        let me = usize::from(self.me.0);
        let there = || {
            after
                .iter()
                .zip(&self.record.ended)
                .enumerate()
                .all(|(i, (wanted, now))| i == me || now.load(Ordering::SeqCst) >= *wanted)
        };
        let since = floor.clock.elapsed();
        while !there() {
            if floor.clock.elapsed() - since > PLACE || floor.gate.is_stopped() {
                return false;
            }
            std::thread::park_timeout(LOOK);
        }
        true
    }
}

impl Source for Again {
    /// A record ends with its transactions ended, unless it was cut: then the connection's end ends the last one.
    fn next(&mut self, floor: &Floor, _: Pass) -> Option<Drawn> {
        let statement = self.record.sessions.get(&self.me)?.get(self.next)?;
        if !self.wait(&statement.after, floor) {
            self.record.compared.lock().misplaced += 1;
        }
        Some(Drawn {
            op: Arc::clone(&statement.op),
            sql: Arc::clone(&statement.sql),
            copy: statement.copy.clone(),
            fresh: statement.fresh,
        })
    }

    fn done(&mut self, _: &Floor, answer: &Answer) {
        let statement = &self.record.sessions[&self.me][self.next];
        self.next += 1;
        let mut compared = self.record.compared.lock();
        compared.statements += 1;
        if let Some(before) = &statement.answer
            && !alike(before, answer)
        {
            compared.differ += 1;
            if compared.examples.len() < EXAMPLES {
                let words = format!(
                    "{}: {} then, {} now",
                    statement.op.at,
                    shown(before),
                    shown(answer)
                );
                compared.examples.push(words);
            }
        }
        drop(compared);
        self.record.ended[usize::from(self.me.0)].fetch_add(1, Ordering::SeqCst);
    }
}

/// Whether two answers are the same in what does not depend on the wording of a server.
fn alike(a: &Answer, b: &Answer) -> bool {
    a.state == b.state && shown(a) == shown(b)
}

/// An answer in a few words: code, or tag, or rows and digest.
fn shown(answer: &Answer) -> String {
    match &answer.said {
        Said::Done {
            rows: Some(table), ..
        } => format!("{} rows ({:016x})", table.count, table.digest),
        Said::Done { tag, affected, .. } if tag.is_empty() => format!("ok {}", affected.unwrap_or(0)),
        Said::Done { tag, .. } => format!("ok {tag}"),
        Said::Refused { code, .. } => format!("refused {code}"),
        Said::Unknown { code, .. } => format!("unknown {code}"),
    }
}
