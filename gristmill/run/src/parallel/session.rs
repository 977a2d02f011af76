//! One session of a parallel run: draw, write down, send, write down, judge, and again.
//!
//! Invariants:
//! * S1 the model knows of a statement before it leaves, so that nobody can be judged without it.
//! * S2 a connection that ended is gone on the server, or was waited for as long as the plan allows, before the next one opens:
//!   what it left undecided is decided by then (F6).
//! * S3 what is drawn depends on (session, number, likely state) only: no clock, no draw of another session.

use super::floor::{Floor, MODEL, Now};
use super::gate::Pass;
use super::trace::{self, Record};
use crate::RunError;
use crate::latency::Portion;
use crate::plan::Length;
use history::SessionId;
use history::parallel::{Answer, Explained, Family, Op, Said, TxState, View};
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use targets::{Gone, Identity, SqlSession};
use workload::parallel::{Generator, SCRIPTED, Step};

/// Between two tries to reach a server that is coming back, and between two looks whether a session is gone.
const TRY_AGAIN: Duration = Duration::from_millis(20);

/// How much longer than its deadline the connection itself waits: the watch ends a statement long before.
const GRACE: Duration = Duration::from_secs(90);

/// Where a session's ops come from.
pub(crate) trait Source: Send {
    /// The next op, on what the session sees; `None`: there are no more, once the session is in no transaction.
    fn next(&mut self, floor: &Floor, pass: Pass) -> Option<Drawn>;

    /// Its op has been answered.
    fn done(&mut self, _floor: &Floor, _answer: &Answer) {}
}

/// An op with its bytes.
pub(crate) struct Drawn {
    pub(crate) op: Arc<Op>,
    pub(crate) sql: Arc<str>,
    pub(crate) copy: Option<Arc<[u8]>>,
    /// On a new connection.
    pub(crate) fresh: bool,
}

impl Drawn {
    fn of(op: Op, floor: &Floor) -> Drawn {
        let rendered = targets::parallel::render(&op, floor.tongue.language);
        Drawn {
            sql: rendered.sql.into(),
            copy: rendered.copy.map(Into::into),
            op: Arc::new(op),
            fresh: false,
        }
    }
}

/// One client.
pub(crate) struct Client {
    floor: Arc<Floor>,
    me: SessionId,
    session: Option<Box<dyn SqlSession>>,
    identity: Option<Identity>,
    incarnation: u32,
    state: TxState,
    /// Its connection has been made and nothing was sent on it.
    unused: bool,
    timed: Portion,
}

/// Counts this session out, also if its thread panics.
struct Farewell(Arc<Floor>);

impl Drop for Farewell {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(RunError::SessionDied);
        }
        self.0.gate.leave();
    }
}

/// Runs a session until its source or the gate says that it is over.
pub(crate) fn run(floor: &Arc<Floor>, me: SessionId, source: &mut dyn Source) {
    let _farewell = Farewell(Arc::clone(floor));
    let mut client = Client::new(floor, me);
    let worked = client.open().and_then(|()| client.work(source));
    floor.latencies.hand_over(&mut client.timed);
    if let Err(error) = worked.and_then(|()| client.close()) {
        match error {
            RunError::Away(unusable) => {
                floor.doubt(format!(
                    "the load ended early, the database went away and was not back within {} s: {}",
                    floor.plan.settle().as_secs(),
                    unusable.complaint().what
                ));
                floor.gate.stop();
            }
            error => floor.fail(error),
        }
    }
    floor.ticks.end(me.0);
}

/// What is there before the sessions begin: made by session 0, judged like all else.
pub(crate) fn prepare(floor: &Arc<Floor>, source: &mut dyn Source) -> Result<(), RunError> {
    let mut client = Client::new(floor, SessionId(0));
    client.open()?;
    while let Some(drawn) = source.next(floor, Pass::Go) {
        let answer = client.send(drawn)?;
        source.done(floor, &answer);
        if client.session.as_ref().is_none_or(|session| session.broken()) {
            break;
        }
    }
    floor.latencies.hand_over(&mut client.timed);
    client.close()
}

impl Client {
    fn new(floor: &Arc<Floor>, me: SessionId) -> Client {
        Client {
            floor: Arc::clone(floor),
            me,
            session: None,
            identity: None,
            incarnation: 0,
            state: TxState::Idle,
            unused: true,
            timed: Portion::default(),
        }
    }

    fn work(&mut self, source: &mut dyn Source) -> Result<(), RunError> {
        loop {
            let pass = self.floor.gate.pass(self.state == TxState::Idle);
            if pass == Pass::End || self.floor.is_over() {
                return Ok(());
            }
            let Some(drawn) = source.next(&self.floor, pass) else {
                return Ok(());
            };
            // One that an answer has ended was made anew already.
            if drawn.fresh && !self.unused {
                self.close()?;
                self.open()?;
            }
            self.unused = false;
            let answer = self.send(drawn)?;
            source.done(&self.floor, &answer);
            if self.session.as_ref().is_none_or(|session| session.broken()) {
                self.close()?;
                self.open()?;
                self.unused = true;
            }
            if self.floor.trace.is_full() {
                self.floor.doubt(
                    "the load ended early: the trace has all the bytes that `log-bytes` gives it".to_owned(),
                );
                self.floor.gate.stop();
            }
        }
    }

    fn send(&mut self, drawn: Drawn) -> Result<Answer, RunError> {
        let floor = Arc::clone(&self.floor);
        let Drawn { op, sql, copy, .. } = drawn;
        if self.state == TxState::Idle {
            floor.ticks.begin(self.me.0);
        }
        let sent = floor.ticks.take();
        let sent_ns = floor.clock.ns();
        let record = Record::Sent {
            tick: sent,
            ns: sent_ns,
            op: Cow::Borrowed(&op),
            sql: Cow::Borrowed(&sql),
            copy: copy.as_deref().map(Cow::Borrowed),
        };
        floor.trace.write(&record, None)?;
        floor.model.lock().sent(&op, &sql, sent);
        let desk = floor.desk(self.me);
        {
            let mut now = desk.now.lock();
            now.at = Some(op.at);
            now.action.clear();
            now.action.push_str(&op.kind);
            now.sql = Some(Arc::clone(&sql));
        }
        desk.since_ns.store(sent_ns.max(1), Ordering::SeqCst);
        // Only an oracle's rows are looked at.
        let keep = op.family == Family::Oracle;
        let session = self.session.as_mut().expect("it was opened");
        let answer = session.send(&sql, copy.as_deref(), keep, floor.plan.deadline() + GRACE);
        let answer = floor.liar.tell(&op, answer);
        desk.since_ns.store(0, Ordering::SeqCst);
        desk.answered.fetch_add(1, Ordering::SeqCst);
        let answered = floor.ticks.take();
        let ns = floor.clock.ns();
        let line = trace::line(op.at, sent_ns, ns, &answer, &sql);
        let record = Record::Answered {
            at: op.at,
            tick: answered,
            ns,
            answer: trace::without_rows(&answer),
        };
        floor.trace.write(&record, Some(&line))?;
        let (judged, held) = {
            let mut model = floor.model.lock();
            let since = floor.clock.ns();
            let judged = model.answered(self.me, answered, &answer);
            (judged, floor.clock.ns() - since)
        };
        floor.latencies.add(&mut self.timed, MODEL, held);
        let took = ns.saturating_sub(sent_ns);
        floor.counts.answer(&op, &sql, &answer.said, &judged, took);
        floor.latencies.add(&mut self.timed, super::words_of(&op), took);
        if let Explained::Broken(finding) = &judged.explained {
            floor.find(finding);
        }
        if let Some((ours, wire)) = judged.drifted {
            floor.doubt(format!(
                "our own fault: after {} we took session {} for {ours:?}, and the wire says {wire:?}",
                op.at, self.me
            ));
        }
        self.state = answer.state;
        desk.open.store(self.state != TxState::Idle, Ordering::SeqCst);
        if self.state == TxState::Idle {
            floor.ticks.end(self.me.0);
        }
        if let Said::Refused { code, text, .. } | Said::Unknown { code, text } = &answer.said {
            self.look_for_exhaustion(code, text);
        }
        Ok(answer)
    }

    /// A database that has no more of something ends the load: that is no finding of its own.
    fn look_for_exhaustion(&self, code: &str, text: &str) {
        let reason = history::Reason {
            kind: history::ReasonKind::Other,
            code: code.to_owned(),
            text: text.to_owned(),
        };
        if let Some(what) = targets::exhausted(&reason) {
            self.floor.doubt(format!(
                "the load ended early, the database has no {what} left: {text}"
            ));
            self.floor.gate.stop();
        }
    }

    /// Connects. A server that was there before is waited for, at most the settle limit.
    fn open(&mut self) -> Result<(), RunError> {
        let floor = Arc::clone(&self.floor);
        let sql = floor.target.sql().expect("the plan was made for such a target");
        let since = floor.clock.elapsed();
        let (session, connecting) = loop {
            let connecting = floor.ticks.take();
            match sql.open(self.me) {
                Ok(session) => break (session, connecting),
                Err(_) if floor.clock.elapsed() - since < floor.plan.settle() && !floor.is_over() => {
                    floor.gate.pause(TRY_AGAIN);
                }
                Err(unusable) if self.incarnation > 0 => return Err(RunError::Away(unusable)),
                Err(unusable) => return Err(RunError::Target(unusable)),
            }
        };
        self.incarnation += 1;
        self.state = TxState::Idle;
        let identity = session.identity();
        let tick = floor.ticks.take();
        floor
            .model
            .lock()
            .opened_since(self.me, self.incarnation, connecting, tick);
        floor.meets(&identity);
        let record = Record::Opened {
            session: self.me,
            incarnation: self.incarnation,
            tick,
            process: identity.process,
        };
        floor.trace.write(&record, None)?;
        *floor.desk(self.me).now.lock() = Now {
            identity: Some(identity.clone()),
            cancel: session.cancel(),
            ..Now::default()
        };
        self.identity = Some(identity);
        self.session = Some(session);
        Ok(())
    }

    /// Closes the connection and waits until the server has forgotten it.
    fn close(&mut self) -> Result<(), RunError> {
        let Some(session) = self.session.take() else {
            return Ok(());
        };
        drop(session);
        let floor = Arc::clone(&self.floor);
        {
            let desk = floor.desk(self.me);
            desk.now.lock().cancel = None;
            desk.open.store(false, Ordering::SeqCst);
        }
        let identity = self.identity.take().expect("who has a connection is somebody");
        let since = floor.clock.elapsed();
        let seen = loop {
            match floor.target.gone(&identity) {
                Gone::Gone => break true,
                Gone::StillThere | Gone::CannotTell(_)
                    if floor.clock.elapsed() - since < floor.plan.settle() && !floor.is_over() =>
                {
                    floor.gate.pause(TRY_AGAIN);
                }
                Gone::StillThere | Gone::CannotTell(_) => break false,
            }
        };
        if !seen && !floor.is_over() {
            floor.doubt(format!(
                "nobody can say whether server session {} of {} has ended: what it left is not settled",
                identity.process, self.me
            ));
        }
        let tick = floor.ticks.take();
        if seen {
            floor.model.lock().gone(self.me, tick);
        }
        self.state = TxState::Idle;
        floor.ticks.end(self.me.0);
        floor.trace.write(
            &Record::Gone {
                session: self.me,
                incarnation: self.incarnation,
                tick,
                seen,
            },
            None,
        )
    }
}

/// Ops that are drawn.
pub(crate) struct Drawing {
    generator: Generator,
    me: SessionId,
    number: u64,
    /// How many it may draw; beyond, it only ends its transaction.
    most: u64,
    /// The script that it is in: what comes next, and what the oracle asked.
    script: Option<(Step, Option<Arc<Op>>)>,
}

impl Drawing {
    pub(crate) fn new(floor: &Floor, generator: Generator, me: SessionId) -> Drawing {
        let most = match floor.plan.length {
            Length::Visits(all) => share(all, floor.plan.sessions, me),
            Length::TimeMs(_) | Length::Stages => u64::MAX,
        };
        Drawing {
            generator,
            me,
            number: 0,
            most,
            script: None,
        }
    }
}

/// Ops that make what is there first.
pub(crate) struct Preparing {
    generator: Generator,
    number: u64,
}

impl Preparing {
    /// `generator` is that of session 0.
    pub(crate) fn new(generator: Generator) -> Preparing {
        Preparing { generator, number: 0 }
    }
}

impl Source for Preparing {
    fn next(&mut self, floor: &Floor, _: Pass) -> Option<Drawn> {
        let view = floor.model.lock().view(SessionId(0));
        self.number += 1;
        let op = self.generator.prepare(&view, self.number)?;
        Some(Drawn::of(op, floor))
    }
}

/// How many of so many statements a session sends: all sessions together send them all.
fn share(all: u64, sessions: u16, me: SessionId) -> u64 {
    let (sessions, me) = (u64::from(sessions), u64::from(me.0));
    all / sessions + u64::from(me <= all % sessions)
}

impl Source for Drawing {
    fn next(&mut self, floor: &Floor, pass: Pass) -> Option<Drawn> {
        let view = floor.model.lock().view(self.me);
        let closing = pass == Pass::Finish || self.number >= self.most;
        self.number += 1;
        if closing {
            self.script = None;
            let op = self.generator.close(&view, self.number)?;
            return Some(Drawn::of(op, floor));
        }
        if let Some(drawn) = self.go_on(&view, floor) {
            return Some(drawn);
        }
        let op = self.generator.draw(&view, self.number);
        if op.kind == SCRIPTED && view.session.tx == TxState::Idle {
            self.script = Some((Step::Begin, None));
            return self.go_on(&view, floor);
        }
        Some(Drawn::of(op, floor))
    }

    fn done(&mut self, _: &Floor, answer: &Answer) {
        if !matches!(answer.said, Said::Done { .. }) {
            self.script = None;
        }
    }
}

impl Drawing {
    /// The next statement of the script, where it is in one that has more to say.
    fn go_on(&mut self, view: &View, floor: &Floor) -> Option<Drawn> {
        while let Some((step, asked)) = self.script.take() {
            let op = self.generator.step(step, view, self.number, asked.as_deref());
            let drawn = op.map(|op| Drawn::of(op, floor));
            let asked = match (step, &drawn) {
                (Step::Ask, Some(drawn)) => Some(Arc::clone(&drawn.op)),
                _ => asked,
            };
            self.script = step.next().map(|next| (next, asked));
            if drawn.is_some() {
                return drawn;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_of_all_sessions_are_all_statements() {
        for (all, sessions) in [(0, 3), (1, 3), (10, 3), (11, 8), (8, 8), (1000, 1)] {
            let sum: u64 = (1..=sessions).map(|me| share(all, sessions, SessionId(me))).sum();
            assert_eq!(sum, all);
        }
    }
}
