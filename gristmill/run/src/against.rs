//! `--against URL`: every statement goes to a second database too, and the two answers are compared, beside the judge.
//!
//! ```text
//! session ─▶ first target ─▶ answer ─▶ judge
//!      └───▶ second target ─▶ answer ─▶ compared with the first
//! ```
//! Two databases do the visits of several sessions in orders of their own. So an answer is compared only where no order
//! can make a difference: nobody else writes what it reads from before its visit begins until both have answered, and
//! every visit that wrote there before has ended alike on both. Under `lww` that is exact too: when nothing is under way both
//! have taken the same writes, and in which order makes no difference. What may still differ there is not compared
//! ([`stamped`]).
//!
//! Invariants:
//! * A1 the second database is asked after the first, by the same session: a visit is over when both have ended it.
//! * A2 what was not compared is counted, with its reason.
//! * A3 a partition whose visits did not end alike is never compared again, in a later life of the worker either: it is written
//!   down beside the second database's files, `apart`, a line each.

mod compare;
mod stamped;
#[cfg(test)]
mod tests;

use crate::RunError;
use crate::life::open_target;
use crate::plan::Plan;
use compare::{Alike, Compared, compare};
use datagen::schema::Schema;
use history::artefact::Folder;
use history::tracker::TrackerFile;
use history::{
    Address, Affected, Answer, Certainty, Finding, Kind, Lts, Op, Part, Parts, Query, Regenerate, SessionId,
    Shape, Span, Step, Tick, Tracker,
};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use targets::target::Environment;
use targets::{Request, Session, Target};

/// The variable of the environment that holds the second database's password.
const PASSWORD: &str = "GRISTMILL_AGAINST_PASSWORD";
/// Partitions that are remembered before those that nobody can ask about any more are forgotten.
const PARTS_KEPT: usize = 1 << 16;
/// Why a partition is apart, without timestamps.
const NOT_ALIKE: &str = "its partition's visits did not end alike on both";
/// Differences that are told of one run.
const TOLD_MAX: usize = 100;

/// The second database, and what both did.
pub(crate) struct Against {
    target: Arc<dyn Target>,
    schema: Arc<Schema>,
    /// Its URL, without a password.
    url: String,
    /// What both do alike.
    alike: Alike,
    /// Both count the rows that a write affects.
    counts: bool,
    /// What timestamps leave open, under `lww`.
    rules: stamped::Rules,
    /// The partitions that are apart because of what became of their visits.
    apart: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Moves at every change of a partition.
    now: u64,
    parts: BTreeMap<Part, Standing>,
    /// A3, with the reason.
    apart: BTreeMap<Part, &'static str>,
    /// Timestamps of the visits of each partition, where two that are equal make it apart.
    stamps: stamped::Seen,
    /// When the visits at work began, by session.
    began: BTreeMap<SessionId, u64>,
    compared: u64,
    left: BTreeMap<&'static str, u64>,
    found: Vec<Finding>,
}

/// Who writes a partition, and when that last changed.
#[derive(Debug, Clone, Copy, Default)]
struct Standing {
    open: u32,
    changed: u64,
}

impl Against {
    /// Opens the second database of a plan that names one, and makes its tables.
    pub(crate) fn open(
        plan: &Plan,
        folder: &Folder,
        environment: &Environment,
        first: &dyn Target,
    ) -> Result<Option<Against>, RunError> {
        let Some(target) = second(plan, folder, environment)? else {
            return Ok(None);
        };
        let (a, b) = (first.semantics(), target.semantics());
        let schema = Arc::new(plan.schema.clone());
        Ok(Some(Against {
            url: target.describe().url,
            alike: Alike {
                nulls: a.nulls == b.nulls,
                lists: in_turn(plan),
            },
            counts: a.affected == Affected::Matched && b.affected == Affected::Matched,
            rules: stamped::Rules::of(plan, &a, &b),
            apart: files(folder).join("apart"),
            target,
            schema,
            state: Mutex::default(),
        }))
    }

    /// Takes up what an earlier life of the worker knew: what it wrote down, what its visits say by themselves, and those that
    /// were open when it ended.
    pub(crate) fn go_on(&self, tracker: &TrackerFile, visits: &dyn Regenerate) -> Result<(), RunError> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        if self.apart.exists() {
            let text = std::fs::read_to_string(&self.apart)
                .map_err(|e| RunError::io(self.apart.display().to_string(), e))?;
            let part = |line: &str| {
                let (table, position) = line.split_once(' ')?;
                Some(Part {
                    table: table.parse().ok()?,
                    position: position.parse().ok()?,
                })
            };
            state
                .apart
                .extend(text.lines().filter_map(part).map(|part| (part, NOT_ALIKE)));
        }
        for lts in (1..=tracker.highest().0).map(Lts) {
            let open = match tracker.get(lts).state {
                history::State::Waiting | history::State::Skipped => continue,
                history::State::Open | history::State::Unknown => true,
                history::State::Committed | history::State::Rejected => false,
            };
            let Some(visit) = visits.visit(lts) else { continue };
            for part in &visit.writes {
                let stamp = visit.stamp.as_ref();
                let said =
                    stamp.and_then(|s| self.rules.sets_apart(&mut state.stamps, *part, &visit.steps, s));
                if let Some(why) = open.then_some(NOT_ALIKE).or(said) {
                    state.apart.entry(*part).or_insert(why);
                }
            }
        }
        Ok(())
    }

    /// Writes a partition down that is apart. Without room the run is about to end anyway: its log has none either.
    fn note_apart(&self, part: Part) {
        let file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&self.apart);
        let line = format!("{} {}\n", part.table, part.position);
        drop(file.and_then(|mut file| file.write_all(line.as_bytes())));
    }

    /// The statements that make its tables.
    pub(crate) fn objects(&self) -> Vec<String> {
        self.target.plan_of_objects(&self.schema)
    }

    /// Makes its tables.
    pub(crate) fn prepare(&self) -> Result<(), RunError> {
        Ok(self.target.prepare(&self.schema)?)
    }

    /// Removes what was made.
    pub(crate) fn cleanup(&self) -> Result<(), RunError> {
        self.target.cleanup()?;
        Ok(())
    }

    /// Its URL, without a password.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Differences that were not told yet.
    pub(crate) fn found(&self) -> Vec<Finding> {
        std::mem::take(&mut self.state.lock().found)
    }

    /// What was compared, in words; `false`: nothing was.
    pub(crate) fn words(&self) -> (String, bool) {
        let state = self.state.lock();
        let mut words = format!("{}: {} answers compared", self.url, state.compared);
        for (why, n) in &state.left {
            words += &format!("; {n} not, {why}");
        }
        (words, state.compared > 0)
    }
}

/// Where the files of the second target lie.
fn files(folder: &Folder) -> PathBuf {
    folder.path().join("against")
}

/// The second target of a plan.
fn second(
    plan: &Plan,
    folder: &Folder,
    environment: &Environment,
) -> Result<Option<Arc<dyn Target>>, RunError> {
    let Some(url) = &plan.against else { return Ok(None) };
    let own = Plan {
        target: url.clone(),
        lies: BTreeMap::new(),
        ..plan.clone()
    };
    let files = files(folder);
    std::fs::create_dir_all(&files).map_err(|e| RunError::io(files.display().to_string(), e))?;
    let environment = Arc::clone(environment);
    let environment: Environment = Arc::new(move |name| match name {
        "PGPASSWORD" => environment(PASSWORD).or_else(|| environment(name)),
        name => environment(name),
    });
    Ok(Some(open_target(&own, &files, &environment, BTreeMap::new())?))
}

/// One session's way to the second database.
pub(crate) struct Shadow<'w> {
    against: &'w Against,
    me: SessionId,
    session: Option<Box<dyn Session>>,
    /// Between BEGIN and its end.
    transaction: bool,
    /// The second database refused something of this transaction.
    failed: bool,
    writes: BTreeSet<Part>,
}

impl<'w> Shadow<'w> {
    pub(crate) fn new(against: &'w Against, me: SessionId) -> Shadow<'w> {
        Shadow {
            against,
            me,
            session: None,
            transaction: false,
            failed: false,
            writes: BTreeSet::new(),
        }
    }

    /// Before the first database is asked. Whether the answer can be compared, as far as is known by then.
    pub(crate) fn before(&mut self, request: &Request<'_>) -> Result<(), &'static str> {
        let mut state = self.against.state.lock();
        if !self.transaction {
            let now = state.now;
            state.began.insert(self.me, now);
            self.failed = false;
            self.transaction = matches!(request, Request::Begin { .. });
        }
        match request {
            Request::Step(Step::Write(op)) => {
                let part = op.part();
                if self.writes.insert(part) {
                    state.change(part, |standing| standing.open += 1);
                }
                state.may(&[part], &self.writes, self.me)
            }
            Request::Step(Step::Read(query)) => self.may_read(&state, query),
            Request::Stamped { steps, stamp, .. } => {
                let rules = &self.against.rules;
                for step in *steps {
                    if let Step::Write(op) = step
                        && self.writes.insert(op.part())
                    {
                        let part = op.part();
                        state.change(part, |standing| standing.open += 1);
                        if let Some(why) = rules.sets_apart(&mut state.stamps, part, steps, stamp) {
                            state.apart.entry(part).or_insert(why);
                        }
                    }
                }
                match steps {
                    [Step::Read(query)] => rules.may_ask(stamp).and_then(|()| self.may_read(&state, query)),
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// After the first has answered: asks the second, compares, and ends what the request ends.
    pub(crate) fn after(
        &mut self,
        at: Address,
        request: &Request<'_>,
        before: Result<(), &'static str>,
        first: &Answer,
        deadline: Duration,
    ) {
        let second = self.ask(at, request, deadline);
        self.failed |= !done(&second);
        match request {
            Request::Step(step) => {
                let may = before.and_then(|()| match step {
                    Step::Read(query) => self.may_read(&self.against.state.lock(), query),
                    _ => Ok(()),
                });
                self.compare(at, step, first, &second, may);
                if !self.transaction {
                    self.end(done(first) == done(&second) && !unknown(first) && !unknown(&second));
                }
            }
            Request::Commit => {
                let alike = done(first) == done(&second) && !unknown(first) && !unknown(&second);
                self.end(alike);
            }
            // Nothing of it is left on either.
            Request::Rollback => self.end(true),
            Request::Stamped { steps, .. } => {
                if let [step @ Step::Read(query)] = steps {
                    let may = before.and_then(|()| self.may_read(&self.against.state.lock(), query));
                    self.compare(at, step, first, &second, may);
                }
                self.end(done(first) == done(&second) && !unknown(first) && !unknown(&second));
            }
            Request::Begin { .. } => {}
        }
    }

    /// The session's connection to the first database is gone, perhaps in the midst of a visit.
    pub(crate) fn abandon(&mut self) {
        if self.transaction || !self.writes.is_empty() {
            self.session = None;
            self.end(false);
        }
    }

    fn ask(&mut self, at: Address, request: &Request<'_>, deadline: Duration) -> Answer {
        let refused = || {
            Answer::Refused(history::Reason {
                kind: history::ReasonKind::Disconnected,
                code: String::new(),
                text: String::new(),
            })
        };
        if self.session.as_ref().is_none_or(|s| s.broken()) {
            // In the midst of a transaction another connection knows nothing of it.
            if self.transaction && !matches!(request, Request::Begin { .. }) {
                return refused();
            }
            self.session = self.against.target.connect(self.me, &self.against.schema).ok();
        }
        let Some(session) = &mut self.session else {
            return refused();
        };
        // What it refused cannot be committed there.
        let request = match request {
            Request::Commit if self.failed => &Request::Rollback,
            request => request,
        };
        let answer = session.execute(at, request, deadline).answer;
        match (request, self.failed) {
            (Request::Rollback, true) => refused(),
            _ => answer,
        }
    }

    fn may_read(&self, state: &State, query: &Query) -> Result<(), &'static str> {
        let part = |position: &u64| Part {
            table: query.table,
            position: *position,
        };
        match &query.parts {
            Parts::One(position) => state.may(&[part(position)], &self.writes, self.me),
            Parts::In(list) => {
                let parts: Vec<Part> = list.iter().map(part).collect();
                state.may(&parts, &self.writes, self.me)
            }
            Parts::All | Parts::Ring { .. } => {
                let of = |p: &&Part| p.table == query.table;
                let known = state.parts.keys().filter(of).chain(state.apart.keys().filter(of));
                let parts: Vec<Part> = known.copied().collect();
                state.may(&parts, &self.writes, self.me)
            }
        }
    }

    fn compare(
        &self,
        at: Address,
        step: &Step,
        first: &Answer,
        second: &Answer,
        may: Result<(), &'static str>,
    ) {
        let (action, part) = match step {
            Step::Write(op) => (op.kind(), Some(op.part())),
            Step::Read(query) => (query.kind(), None),
            Step::Savepoint(_) | Step::RollbackTo(_) | Step::Change(_) => return,
        };
        let compared = match (may, step, first, second) {
            (Err(why), ..) => Compared::Not(why),
            (_, Step::Read(query), Answer::Rows(a), Answer::Rows(b)) => {
                compare(&self.against.schema, query, a, b, self.against.alike)
            }
            (_, Step::Write(Op::Insert { strict: true, .. }), ..)
            | (_, Step::Write(_), Answer::Affected(_), Answer::Affected(_))
                if self.against.counts =>
            {
                if first == second || (!done(first) && !done(second)) {
                    Compared::Alike
                } else {
                    Compared::Different(said(first), said(second))
                }
            }
            _ => Compared::Not("one of them did not answer it"),
        };
        let mut state = self.against.state.lock();
        match compared {
            Compared::Alike => state.compared += 1,
            Compared::Not(why) => *state.left.entry(why).or_default() += 1,
            Compared::Different(here, there) => {
                state.compared += 1;
                if state.found.len() < TOLD_MAX {
                    let finding = self.finding(at, action, part, here, there);
                    state.found.push(finding);
                }
            }
        }
    }

    fn finding(
        &self,
        read: Address,
        action: &str,
        part: Option<Part>,
        here: String,
        there: String,
    ) -> Finding {
        let never = Span {
            sent: Tick(0),
            answered: Tick(0),
        };
        Finding {
            kind: Kind::WrongResult,
            shape: Shape::Disagreement {
                with: self.against.url.clone(),
                here,
                there,
            },
            read,
            session: self.me,
            span: never,
            snapshot: never,
            action: action.to_owned(),
            part,
            row: None,
            column: None,
            proof: Vec::new(),
            certainty: Certainty::Likely,
            doubt: "it is the second database that is wrong".to_owned(),
        }
    }

    /// The visit, or its statement, is over on both.
    fn end(&mut self, alike: bool) {
        let mut state = self.against.state.lock();
        for part in std::mem::take(&mut self.writes) {
            state.change(part, |standing| standing.open -= 1);
            if !alike && state.apart.insert(part, NOT_ALIKE) != Some(NOT_ALIKE) {
                self.against.note_apart(part);
            }
        }
        state.began.remove(&self.me);
        state.forget();
        self.transaction = false;
    }
}

impl State {
    fn change(&mut self, part: Part, how: impl FnOnce(&mut Standing)) {
        self.now += 1;
        let standing = self.parts.entry(part).or_default();
        how(standing);
        standing.changed = self.now;
    }

    /// Whether these partitions are the same on both for the session that asks.
    fn may(&self, parts: &[Part], own: &BTreeSet<Part>, who: SessionId) -> Result<(), &'static str> {
        let began = self.began.get(&who).copied().unwrap_or(self.now);
        for part in parts {
            if let Some(why) = self.apart.get(part) {
                return Err(why);
            }
            let standing = self.parts.get(part).copied().unwrap_or_default();
            let others = standing.open - u32::from(own.contains(part));
            if others > 0 || (!own.contains(part) && standing.changed > began) {
                return Err("somebody wrote its partition meanwhile");
            }
        }
        Ok(())
    }

    /// What changed before any visit at work began asks nobody any more.
    fn forget(&mut self) {
        if self.parts.len() > PARTS_KEPT {
            let oldest = self.began.values().copied().min().unwrap_or(self.now);
            self.parts.retain(|_, s| s.open > 0 || s.changed > oldest);
        }
    }
}

/// Whether one visit ends before the next one begins, through one node.
fn in_turn(plan: &Plan) -> bool {
    let given = plan.history.iter().flatten().filter_map(|line| line.visit.stamp);
    let nodes = plan.workload.lww.as_ref().map_or(1, |lww| lww.nodes);
    plan.sessions == 1 && nodes == 1 && given.into_iter().all(|stamp| stamp.node == 0)
}

fn done(answer: &Answer) -> bool {
    matches!(answer, Answer::Rows(_) | Answer::Affected(_))
}

fn unknown(answer: &Answer) -> bool {
    matches!(answer, Answer::Unknown(_))
}

fn said(answer: &Answer) -> String {
    match answer {
        Answer::Affected(1) => "1 row affected".to_owned(),
        Answer::Affected(n) => format!("{n} rows affected"),
        Answer::Rows(rows) => format!("{} rows", rows.len()),
        Answer::Refused(reason) | Answer::Unknown(reason) => format!("refused: {}", reason.text),
    }
}
