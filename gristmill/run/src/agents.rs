//! How several processes on the same tables know of each other: a table in which each says that it came and that it went.
//!
//! ```text
//! agent 1   makes the tables ─▶ says what they are ─▶ here ─▶ … load … ─▶ gone ─▶ are all gone? then removes everything
//! agent n   waits until 1 was here, and meant the same ──────▶ here ─▶ … load … ─▶ gone ─▶ likewise
//! ```
//! What an agent says is a row of its partition: the database is the only place that all of them can see.
//!
//! Invariants:
//! * G1 nobody but agent 1 makes tables, and nobody removes them before every agent has said that it is gone.
//! * G2 an agent that was here does not come again, but to go on with its own run: two would write the same partitions.
//! * G3 agents that mean different tables, or differ about how many they are, do not begin.

use crate::RunError;
use crate::clock::Clock;
use crate::life::open_target;
use crate::plan::{AGENTS, Agent, Plan};
use datagen::schema::{ColumnId, Schema};
use history::{
    Address, Answer, Cells, Consistency, Discipline, Extras, From, Lts, Op, Part, Parts, Query, RowChoice,
    Select, SessionId, Stamp, Step,
};
use parking_lot::{Condvar, Mutex};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use targets::target::Environment;
use targets::{Request, Session, Target, Unusable};

/// How long the others wait for the first, and a word for a database that is busy.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Looks at tables that may not be there.
const TRIES: u32 = 20;

/// What an agent says: rows of its partition. From `MEANS` on: a digest of what it means.
const HERE: u64 = 0;
const GONE: u64 = 1;
const MEANS: u64 = 2;

/// One agent, and where it meets the others.
pub(crate) struct Meeting {
    me: Agent,
    plan: Plan,
    schema: Arc<Schema>,
    table: u16,
    target: Arc<dyn Target>,
    patience: Duration,
    /// Numbers its words: what faults and timestamps are addressed by.
    said: AtomicU64,
}

impl Meeting {
    /// Where the agents of a plan meet; `None` of a run that is alone. Nothing is connected to.
    pub(crate) fn of(
        plan: &Plan,
        files: &Path,
        environment: &Environment,
    ) -> Result<Option<Meeting>, RunError> {
        let Some(me) = plan.agent else { return Ok(None) };
        // What is said here is no part of what is tested.
        let honest = Plan {
            lies: BTreeMap::new(),
            ..plan.clone()
        };
        let target = open_target(&honest, files, environment, BTreeMap::new())?;
        let table = plan
            .schema
            .find(AGENTS)
            .expect("a plan with an agent has the table");
        Ok(Some(Meeting {
            me,
            schema: Arc::new(plan.schema.clone()),
            table,
            target,
            patience: PATIENCE.max(plan.settle()),
            plan: honest,
            said: AtomicU64::new(1),
        }))
    }

    /// Whether it is this one that makes the tables.
    pub(crate) fn makes_tables(&self) -> bool {
        self.me.index == 1
    }

    /// Comes: the first one when it has made the tables, the others when the first has come.
    ///
    /// Errors: the first does not come in time, means something else, or an agent of this number was here already.
    pub(crate) fn come(&self, interrupt: &AtomicBool) -> Result<(), RunError> {
        let mut word = Word::new(self, interrupt);
        let first = 1;
        if self.me.index == first {
            word.say(self.means())?;
            return word.say(HERE);
        }
        while !word.heard(first, HERE).unwrap_or(false) {
            if !word.wait() {
                return Err(self.problem(
                    format!(
                        "agent 1 of {} did not come within {} s",
                        self.me.of,
                        self.patience.as_secs()
                    ),
                    format!("start it with the same settings and --agent 1/{}", self.me.of),
                ));
            }
        }
        if !word.said(first, self.means())? {
            return Err(self.problem(
                format!(
                    "agent 1 of seed {} has other tables, or another number of agents",
                    self.plan.seed
                ),
                "give all agents the same seed, schema and target".to_owned(),
            ));
        }
        if word.said(self.me.index, HERE)? {
            return Err(self.problem(
                format!("agent {} of seed {} was here already", self.me, self.plan.seed),
                format!(
                    "give another --agent, or another seed; `gristmill clean {}` removes what is left",
                    self.plan.target
                ),
            ));
        }
        word.say(HERE)
    }

    /// Whether this agent has come, in an earlier life. Where the tables cannot be read it has not.
    pub(crate) fn has_come(&self) -> bool {
        let never = AtomicBool::new(false);
        let mut word = Word::new(self, &never);
        (0..TRIES).any(|_| word.heard(self.me.index, HERE).unwrap_or_else(|| !word.wait()))
    }

    /// Goes. Who is not gone yet; empty: it is the last one out.
    pub(crate) fn go(&self) -> Result<Vec<u16>, RunError> {
        let never = AtomicBool::new(false);
        let mut word = Word::new(self, &never);
        word.say(GONE)?;
        let mut left = Vec::new();
        for other in 1..=self.me.of {
            if other != self.me.index && !word.said(other, GONE)? {
                left.push(other);
            }
        }
        Ok(left)
    }

    /// The row by which agents that mean the same know each other.
    fn means(&self) -> u64 {
        let tables = serde_json::to_vec(&*self.schema).expect("tables are plain data");
        let digest = xxhash_rust::xxh3::xxh3_64_with_seed(&tables, u64::from(self.me.of));
        let rows = self.schema.table(self.table).rows().len();
        MEANS + digest % (rows - MEANS)
    }

    fn problem(&self, what: String, remedy: String) -> RunError {
        Unusable::server(self.plan.target.clone(), what, remedy).into()
    }

    fn part(&self, agent: u16) -> Part {
        Part {
            table: self.table,
            position: u64::from(agent - 1),
        }
    }
}

/// A connection on which something is said and heard, patiently.
struct Word<'a> {
    meeting: &'a Meeting,
    session: Option<Box<dyn Session>>,
    clock: Clock,
    interrupt: &'a AtomicBool,
    pause: (Mutex<()>, Condvar),
}

impl<'a> Word<'a> {
    fn new(meeting: &'a Meeting, interrupt: &'a AtomicBool) -> Word<'a> {
        Word {
            meeting,
            session: None,
            clock: Clock::start(Duration::ZERO),
            interrupt,
            pause: (Mutex::new(()), Condvar::new()),
        }
    }

    /// Waits a little; `false`: there is no patience left.
    fn wait(&self) -> bool {
        if self.clock.elapsed() >= self.meeting.patience || self.interrupt.load(Ordering::SeqCst) {
            return false;
        }
        self.pause.1.wait_for(&mut self.pause.0.lock(), LOOK_AGAIN);
        true
    }

    /// Asks until there is an answer.
    fn ask(&mut self, step: &Step) -> Result<Answer, RunError> {
        loop {
            let why = match self.once(step) {
                Ok(Answer::Refused(reason) | Answer::Unknown(reason)) => reason.text,
                Ok(answer) => return Ok(answer),
                Err(unusable) => unusable.complaint().what.clone(),
            };
            if !self.wait() {
                let of = self.meeting.me;
                return Err(self.meeting.problem(
                    format!("agent {of} cannot reach the others: {why}"),
                    String::new(),
                ));
            }
        }
    }

    fn once(&mut self, step: &Step) -> Result<Answer, Unusable> {
        let meeting = self.meeting;
        let session = match &mut self.session {
            Some(session) if !session.broken() => session,
            old => old.insert(meeting.target.connect(SessionId(0), &meeting.schema)?),
        };
        let number = meeting.said.fetch_add(1, Ordering::SeqCst);
        let at = Address {
            lts: Lts(number),
            attempt: 0,
            step: 0,
        };
        let stamp = Stamp {
            timestamp: 1,
            ttl: None,
            consistency: Consistency::Quorum,
            node: 0,
            condition: None,
        };
        let request = match meeting.plan.discipline {
            Discipline::Ordered => Request::Step(step),
            Discipline::Lww => Request::Stamped {
                steps: std::slice::from_ref(step),
                stamp: &stamp,
                batch: None,
            },
        };
        Ok(session.execute(at, &request, meeting.plan.deadline()).answer)
    }

    fn say(&mut self, what: u64) -> Result<(), RunError> {
        let mut cells = Cells::new();
        cells.push((ColumnId(2), Some(0)));
        self.ask(&Step::Write(Op::Upsert {
            part: self.meeting.part(self.meeting.me.index),
            row: what,
            cells,
        }))?;
        Ok(())
    }

    /// Whether an agent said it.
    fn said(&mut self, who: u16, what: u64) -> Result<bool, RunError> {
        let read = self.read(who, what);
        let answer = self.ask(&read)?;
        Ok(matches!(answer, Answer::Rows(rows) if !rows.is_empty()))
    }

    /// The same, asked once; `None`: no answer, perhaps because the tables are not there.
    fn heard(&mut self, who: u16, what: u64) -> Option<bool> {
        let read = self.read(who, what);
        match self.once(&read) {
            Ok(Answer::Rows(rows)) => Some(!rows.is_empty()),
            Ok(_) | Err(_) => None,
        }
    }

    fn read(&self, who: u16, what: u64) -> Step {
        let part = self.meeting.part(who);
        Step::Read(Query {
            table: part.table,
            from: From::Table,
            parts: Parts::One(part.position),
            rows: RowChoice::One(what),
            filter: Vec::new(),
            select: Select::Columns(vec![ColumnId(1), ColumnId(2)]),
            order: Vec::new(),
            limit: None,
            offset: 0,
            extras: Extras::default(),
        })
    }
}
