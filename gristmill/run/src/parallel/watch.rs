//! Deadlines: who is late, whom they wait for, and what is done about it (P39).
//!
//! | what the server says three times | what it is |
//! |---|---|
//! | waits for a session of ours that is at work | a wait, as long as transactions of ours may last one after another |
//! | waits for somebody who is not ours | a hang, with the blocker; then the statement is cancelled |
//! | waits for a session of ours that does nothing | our own fault, where it lasts |
//! | waits for nobody | it is cancelled; a hang where that is not obeyed |
//! | does not answer this question either | a hang of the server |
//!
//! Invariants:
//! * D1 the model knows of a cancel before it is sent.
//! * D2 one statement is one finding at most.

use super::floor::Floor;
use crate::RunError;
use crate::clock::Clock;
use crate::plan::Scenario;
use datagen::stream::{Stream, draw};
use history::parallel::{At, Fault, Finding};
use history::{Kind, SessionId, Span, Tick};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;
use targets::{Blocker, Identity, Waiting};

/// What the cancel scenario draws, by its number in [`Stream::Plan`].
const CANCELS: u64 = 13;
/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);
/// Looks that must agree.
const SAMPLES: u32 = 3;
/// How long a cancel may take to be obeyed.
const OBEY: Duration = Duration::from_secs(10);
/// How long after its time a run may take until everything that runs is cancelled, then its sessions ended, then given up.
pub(crate) const CANCEL_AFTER: Duration = Duration::from_secs(20);
pub(crate) const TERMINATE_AFTER: Duration = Duration::from_secs(40);
pub(crate) const GIVE_UP_AFTER: Duration = Duration::from_secs(55);

/// What is known of one late statement.
#[derive(Default)]
struct Late {
    at: Option<At>,
    samples: u32,
    idle_holder: u32,
    cancelled: Option<Duration>,
    terminated: bool,
    found: bool,
}

/// One late statement as its desk shows it.
struct Seen {
    who: SessionId,
    at: At,
    action: String,
    sql: String,
    identity: Identity,
    since: Duration,
}

/// Watches until every session has ended.
pub(crate) fn watch(floor: &Floor) {
    let mut late: BTreeMap<SessionId, Late> = BTreeMap::new();
    let mut aims = 0;
    while floor.gate.ended() < floor.plan.sessions && !floor.is_over() {
        if let Err(error) = look(floor, &mut late) {
            floor.fail(error);
            return;
        }
        if floor.parallel.scenario == Scenario::Cancel && !floor.gate.is_stopped() {
            aims += 1;
            if let Err(error) = aim(floor, aims) {
                floor.fail(error);
                return;
            }
        }
        floor.gate.pause(LOOK);
    }
}

/// The cancel scenario: one session a look, whichever is drawn, if it is at work then.
fn aim(floor: &Floor, number: u64) -> Result<(), RunError> {
    let at = draw(floor.plan.seed.0, Stream::Plan, &[CANCELS, number]) % u64::from(floor.plan.sessions);
    let who = SessionId(u16::try_from(at + 1).expect("a session's number"));
    match statement(floor, who) {
        Some(_) => interrupt(floor, who, "cancel"),
        None => Ok(()),
    }
}

fn look(floor: &Floor, late: &mut BTreeMap<SessionId, Late>) -> Result<(), RunError> {
    let now = floor.clock.elapsed();
    for who in (1..=floor.plan.sessions).map(SessionId) {
        let Some(seen) = statement(floor, who) else {
            late.remove(&who);
            continue;
        };
        if now.saturating_sub(seen.since) < floor.plan.deadline() {
            continue;
        }
        let of = late.entry(who).or_default();
        if of.at != Some(seen.at) {
            *of = Late {
                at: Some(seen.at),
                ..Late::default()
            };
        }
        judge(floor, &seen, of, now)?;
    }
    Ok(())
}

/// What a session is at, if it waits for an answer.
fn statement(floor: &Floor, who: SessionId) -> Option<Seen> {
    let desk = floor.desk(who);
    let since = desk.since_ns.load(Ordering::SeqCst);
    if since == 0 {
        return None;
    }
    let now = desk.now.lock();
    Some(Seen {
        who,
        at: now.at?,
        action: now.action.clone(),
        sql: now.sql.as_deref().unwrap_or_default().to_owned(),
        identity: now.identity.clone()?,
        since: Duration::from_nanos(since),
    })
}

fn judge(floor: &Floor, seen: &Seen, late: &mut Late, now: Duration) -> Result<(), RunError> {
    if let Some(cancelled) = late.cancelled {
        if now - cancelled > OBEY && !late.terminated {
            late.terminated = true;
            find(
                floor,
                seen,
                late,
                "it was cancelled, and went on for 10 s more",
                now,
            );
            terminate(floor, seen.who, &seen.identity, "not obeyed")?;
        }
        return Ok(());
    }
    let sql = floor.target.sql().expect("the plan was made for such a target");
    let Some(waiting) = sql.waits(&seen.identity) else {
        // Nobody can be asked: an engine in this process, whose own waits have an end.
        return cancel(floor, seen, late, now);
    };
    if waiting.gone {
        return Ok(());
    }
    if let Some(why) = &waiting.unasked {
        late.samples += 1;
        if late.samples >= SAMPLES {
            let words = format!("the server does not answer another connection either: {why}");
            find(floor, seen, late, &words, now);
        }
        return Ok(());
    }
    match holder(floor, &waiting) {
        Holder::Stranger(blocker) => {
            late.samples += 1;
            if late.samples >= SAMPLES {
                let words = format!(
                    "blocked by process {} (not ours: {})",
                    blocker.process, blocker.words
                );
                find(floor, seen, late, &words, now);
                return cancel(floor, seen, late, now);
            }
        }
        // It waits for its place in the record, and that has an end.
        Holder::OursIdle(_) if floor.again => late.idle_holder = 0,
        Holder::OursIdle(other) => {
            late.idle_holder += 1;
            // It may be between two statements; what does nothing in look after look holds up the run.
            if late.idle_holder >= 10 * SAMPLES {
                return Err(RunError::OwnHolder {
                    waits: seen.who.0,
                    holds: other.0,
                });
            }
        }
        Holder::OursAtWork => {
            late.idle_holder = 0;
            let bound = floor.plan.deadline() * u32::from(floor.plan.sessions).max(2);
            if now.saturating_sub(seen.since) > bound && floor.again {
                return cancel(floor, seen, late, now);
            }
            if now.saturating_sub(seen.since) > bound {
                let words = format!(
                    "sessions of the run have waited for each other in a row, longer than all their deadlines: {}",
                    described(&waiting)
                );
                find(floor, seen, late, &words, now);
                return cancel(floor, seen, late, now);
            }
        }
        Holder::Nobody => {
            late.samples += 1;
            if late.samples >= SAMPLES {
                return cancel(floor, seen, late, now);
            }
        }
    }
    Ok(())
}

/// Who stands in the way.
enum Holder<'w> {
    Nobody,
    OursAtWork,
    OursIdle(SessionId),
    Stranger(&'w Blocker),
}

fn holder<'w>(floor: &Floor, waiting: &'w Waiting) -> Holder<'w> {
    let mut found = Holder::Nobody;
    for blocker in waiting.blockers.iter().filter(|b| !b.server) {
        let ours = (1..=floor.plan.sessions).map(SessionId).find(|who| {
            let now = floor.desk(*who).now.lock();
            now.identity
                .as_ref()
                .is_some_and(|id| id.process == blocker.process)
        });
        match ours {
            None => return Holder::Stranger(blocker),
            Some(who) if floor.desk(who).since_ns.load(Ordering::SeqCst) == 0 => {
                found = Holder::OursIdle(who)
            }
            Some(_) if matches!(found, Holder::OursIdle(_)) => {}
            Some(_) => found = Holder::OursAtWork,
        }
    }
    // What the server's own workers hold up ends by itself.
    if matches!(found, Holder::Nobody) && waiting.blockers.iter().any(|b| b.server) {
        return Holder::OursAtWork;
    }
    found
}

fn described(waiting: &Waiting) -> String {
    let mut words = format!("waits for {}", waiting.event);
    for blocker in &waiting.blockers {
        words += &format!("; process {}: {}", blocker.process, blocker.words);
    }
    words
}

/// Cancels a statement: a fault of ours, so that its refusal has a witness.
fn cancel(floor: &Floor, seen: &Seen, late: &mut Late, now: Duration) -> Result<(), RunError> {
    late.cancelled = Some(now);
    interrupt(floor, seen.who, "cancel (deadline)")
}

/// Cancels what a session does, if it has a connection.
pub(crate) fn interrupt(floor: &Floor, who: SessionId, why: &str) -> Result<(), RunError> {
    let Some(handle) = floor.desk(who).now.lock().cancel.clone() else {
        return Ok(());
    };
    floor.strike(Fault::Cancel { session: who }, why)?;
    if let Err(words) = handle.cancel() {
        floor.note(format!(
            "a cancel of session {} could not be delivered: {words}",
            who.0
        ));
    }
    Ok(())
}

/// Ends a session of ours on the server, where that can be done.
pub(crate) fn terminate(
    floor: &Floor,
    who: SessionId,
    identity: &Identity,
    why: &str,
) -> Result<(), RunError> {
    let Some(control) = floor.target.control() else {
        return Ok(());
    };
    floor.strike(Fault::Terminate { session: who }, &format!("terminate ({why})"))?;
    if let Err(unusable) = control.terminate(identity) {
        floor.note(format!(
            "session {} could not be ended: {}",
            who.0,
            unusable.complaint().what
        ));
    }
    Ok(())
}

/// What is left when a run should have ended: cancelled, then ended, each once.
pub(crate) struct Ending {
    cancelled: bool,
    terminated: bool,
    since: Duration,
}

impl Ending {
    /// The run's time is over now.
    pub(crate) fn new(clock: &Clock) -> Ending {
        Ending {
            cancelled: false,
            terminated: false,
            since: clock.elapsed(),
        }
    }

    /// Presses on; `true`: nobody is waited for any more.
    pub(crate) fn press(&mut self, floor: &Floor) -> Result<bool, RunError> {
        let past = floor.clock.elapsed() - self.since;
        let at_work = || {
            (1..=floor.plan.sessions)
                .map(SessionId)
                .filter_map(|who| statement(floor, who))
        };
        if past > CANCEL_AFTER && !self.cancelled {
            self.cancelled = true;
            for seen in at_work() {
                interrupt(floor, seen.who, "cancel (end of the run)")?;
            }
        }
        if past > TERMINATE_AFTER && !self.terminated {
            self.terminated = true;
            for seen in at_work() {
                terminate(floor, seen.who, &seen.identity, "end of the run")?;
            }
        }
        if past <= GIVE_UP_AFTER {
            return Ok(false);
        }
        for seen in at_work() {
            let words = "the run was over, it was cancelled and its session ended, and there was no answer";
            find(floor, &seen, &mut Late::default(), words, floor.clock.elapsed());
        }
        Ok(true)
    }
}

/// A hang, once a statement.
fn find(floor: &Floor, seen: &Seen, late: &mut Late, words: &str, now: Duration) {
    if std::mem::replace(&mut late.found, true) {
        return;
    }
    let waited = now.saturating_sub(seen.since);
    floor.find(&Finding {
        kind: Kind::Hang,
        signature: format!("hang/{}", seen.action),
        at: seen.at,
        action: seen.action.clone(),
        span: Span {
            sent: Tick(0),
            answered: floor.ticks.now(),
        },
        sql: seen.sql.clone(),
        code: String::new(),
        text: words.to_owned(),
        promised: format!(
            "a statement is answered within {} s",
            floor.plan.deadline().as_secs()
        ),
        seen: format!(
            "server process {} after {} s: {words}",
            seen.identity.process,
            waited.as_secs()
        ),
        asked: Vec::new(),
        evidence: vec!["no session of this run stands in its way without end".to_owned()],
        guess: false,
    });
}
