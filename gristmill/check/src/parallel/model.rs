//! The model: sessions, groups, facts, and the likely state; told what was sent and what came back.

use super::change::{made_visible, record};
use super::facts::Facts;
use super::groups::{Fate, Groups};
use super::oracle::Compared;
use super::session::{End, InFlight, Sent, Session};
use super::{cells, expect, likely, oracle, success};
use history::parallel::{
    Answer, Catalog, Class, Effect, Explained, Fault, FrameOp, Limit, ObjectId, Op, Rules, Said, Statement,
    TxState, View,
};
use history::{Level, SessionId, Span, Tick};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many groups settle before timelines are folded.
const FOLD_EVERY: usize = 128;

/// What became of one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Whether it could be.
    pub explained: Explained,
    /// The wire told another state of the transaction than the model had: what we had, what it said.
    pub drifted: Option<(TxState, TxState)>,
    /// Of an oracle: whether its two sides were compared.
    pub compared: Option<Compared>,
}

/// What others do to the server while we run, as far as we were told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Others {
    /// They cancel statements.
    pub cancel: bool,
    /// They end sessions.
    pub terminate: bool,
    /// They restart the server.
    pub restart: bool,
}

impl Others {
    /// Whether they can be the reason of an error of that class.
    pub(super) fn explain(self, class: Class) -> bool {
        match class {
            Class::Interrupt => self.cancel,
            Class::Connection => self.terminate || self.restart,
            _ => false,
        }
    }
}

/// The model of a run: one, behind one short lock.
#[derive(Debug)]
pub struct Model {
    pub(super) rules: &'static Rules,
    pub(super) facts: Facts,
    pub(super) groups: Groups,
    pub(super) sessions: BTreeMap<SessionId, Session>,
    pub(super) catalog: Arc<Catalog>,
    /// Counts changes of the likely state.
    pub(super) version: u64,
    /// Ceilings of rows that the likely state does not know yet.
    rows: BTreeMap<ObjectId, u64>,
    limits: BTreeMap<Limit, u64>,
    /// Of transactions that say none.
    pub(super) level: Level,
    pub(super) others: Others,
    /// When the server was killed last.
    killed: Option<Tick>,
    pub(super) now: Tick,
    /// Groups that were told as committed.
    told: u64,
    settled: usize,
    /// What a catalogue showed that is nobody's, said once.
    pub(super) strangers: std::collections::BTreeSet<history::parallel::SeenObject>,
    /// Whether a known defect of the target is reckoned with.
    reckoning: bool,
}

impl Model {
    /// A model of nothing: an empty home schema.
    pub fn new(rules: &'static Rules) -> Self {
        Self {
            rules,
            facts: Facts::default(),
            groups: Groups::default(),
            sessions: BTreeMap::new(),
            catalog: Arc::new(Catalog::default()),
            version: 0,
            rows: BTreeMap::new(),
            limits: BTreeMap::new(),
            level: Level::ReadCommitted,
            others: Others::default(),
            killed: None,
            now: Tick(0),
            told: 0,
            settled: 0,
            strangers: std::collections::BTreeSet::new(),
            reckoning: true,
        }
    }

    /// What is refused is taken as not done, even where a known defect of the target says otherwise.
    pub fn takes_at_its_word(&mut self) {
        self.reckoning = false;
    }

    /// The isolation level of transactions that say none; READ COMMITTED unless this is called.
    pub fn at_level(&mut self, level: Level) {
        self.level = level;
    }

    /// A limit that the run itself has set for every session that connects from now on, in milliseconds.
    pub fn limit(&mut self, limit: Limit, ms: u64) {
        self.limits.insert(limit, ms);
    }

    /// What others do to the server: from now on it explains what nothing else does.
    pub fn outside(&mut self, others: Others) {
        self.others = others;
    }

    /// A session has connected; its earlier incarnation is over.
    pub fn opened(&mut self, session: SessionId, incarnation: u32, at: Tick) {
        self.opened_since(session, incarnation, at, at);
    }

    /// The same for a session that began to connect at `since`: a server that was killed from then on may have been the one that
    /// it reached.
    pub fn opened_since(&mut self, session: SessionId, incarnation: u32, since: Tick, at: Tick) {
        self.now = self.now.max(at);
        let mut fresh = Session::fresh(session, incarnation, &self.limits);
        fresh.looked = at;
        if let Some(old) = self.sessions.remove(&session) {
            fresh.past = old.past;
        }
        if let Some(at) = self.killed.filter(|killed| *killed >= since) {
            let fault = Fault::Kill;
            fresh.faults.push(Sent { fault, at });
        }
        self.sessions.insert(session, fresh);
    }

    /// What the session's next op is drawn on. Panics if the session was never opened.
    pub fn view(&mut self, session: SessionId) -> View {
        let (version, catalog, told) = (self.version, Arc::clone(&self.catalog), self.told);
        // What is on its way may have been answered before now and not yet told.
        let on_its_way = self
            .sessions
            .values()
            .filter_map(|s| s.in_flight.as_ref().map(|f| f.at));
        let viewed = on_its_way.min().map_or(self.now, |at| at.min(self.now));
        let s = self
            .sessions
            .get_mut(&session)
            .expect("a session is opened before it draws");
        s.viewed = Some(viewed);
        s.viewed_told = told;
        if s.ops.is_empty() {
            return View {
                catalog,
                session: s.view.clone(),
            };
        }
        let fresh = s
            .own
            .as_ref()
            .is_some_and(|(v, ops, _)| *v == version && *ops == s.ops.len());
        if !fresh {
            let mut own = (*catalog).clone();
            for op in &s.ops {
                likely::apply(&mut own, op);
            }
            s.own = Some((version, s.ops.len(), Arc::new(own)));
        }
        let (_, _, own) = s.own.as_ref().expect("just made");
        View {
            catalog: Arc::clone(own),
            session: s.view.clone(),
        }
    }

    /// The state of a session, without its catalogue. `None` if it was never opened.
    pub fn session(&self, session: SessionId) -> Option<&history::parallel::SessionView> {
        self.sessions.get(&session).map(|s| &s.view)
    }

    /// An op is about to be sent. Panics if the session was never opened or still waits for an answer.
    pub fn sent(&mut self, op: &Arc<Op>, sql: &Arc<str>, at: Tick) {
        self.now = self.now.max(at);
        let session = op.at.session;
        let s = self
            .sessions
            .get_mut(&session)
            .expect("a session is opened before it sends");
        assert!(s.in_flight.is_none(), "{session} has sent one op and waits");
        s.busy.get_or_insert((at, op.at));
        s.names(op);
        s.writes_rows(op);
        let mut group = None;
        let (within, viewed) = (s.is_in_transaction(), s.viewed_told);
        let commits = commits(self.rules, op);
        if within
            && (commits || op.frame() == Some(&FrameOp::Commit))
            && let Some(own) = s.group
        {
            let g = self.groups.get_mut(own);
            g.fate = Fate::Sent;
            g.from = at;
            made_visible(&mut self.facts, &mut self.groups, own);
            self.resolve_pending(own, at);
        }
        if (!within || commits) && (op.changes_schema() || op.changes_cells()) {
            let own = self.groups.open(session, Fate::Sent, at);
            self.groups
                .get_mut(own)
                .ops
                .push((Arc::clone(op), Arc::clone(sql), at));
            let span = Span {
                sent: at,
                answered: at,
            };
            record(
                self.rules,
                &mut self.facts,
                &mut self.groups,
                op,
                own,
                (span, at, viewed),
            );
            made_visible(&mut self.facts, &mut self.groups, own);
            self.resolve_pending(own, at);
            group = Some(own);
        }
        let s = self.sessions.get_mut(&session).expect("found above");
        s.in_flight = Some(InFlight {
            op: Arc::clone(op),
            sql: Arc::clone(sql),
            at,
            group,
        });
    }

    /// The op was answered at `at`: judges the answer and takes over what it tells. Panics if the session waits for none.
    pub fn answered(&mut self, session: SessionId, at: Tick, answer: &Answer) -> Judged {
        self.now = self.now.max(at);
        let s = self
            .sessions
            .get_mut(&session)
            .expect("a session is opened before it sends");
        let flight = s.in_flight.take().expect("an answer is to an op that was sent");
        let span = Span {
            sent: flight.at,
            answered: at,
        };
        if s.is_in_transaction() && flight.op.frame().is_none() {
            s.view.statements += 1;
        }
        // Where the schema is part of the snapshot, a name may mean what it meant when the transaction began.
        let since = s.busy.map_or(flight.at, |(since, _)| since);
        let sent = if self.rules.one_writer { since } else { flight.at };
        let judged_in = Span { sent, answered: at };
        let compared = cells::read(self, &flight, judged_in, answer)
            .or_else(|| oracle::judge(self, &flight, judged_in, answer));
        let mut judged = match &answer.said {
            Said::Done { tag, .. } => self.done(&flight, (span, judged_in), answer, tag),
            Said::Refused { code, text, .. } => {
                self.refused(&flight, (span, judged_in), answer, (code, text))
            }
            Said::Unknown { code, text } => self.unknown(&flight, judged_in, (code, text)),
        };
        if let Some((compared, finding)) = compared {
            judged.compared = Some(compared);
            if compared == Compared::Yes && finding.is_none() {
                cells::remember(self, &flight, answer);
            }
            if let (Some(finding), Explained::Done) = (finding, &judged.explained) {
                judged.explained = Explained::Broken(Box::new(finding));
            }
        }
        let s = self.sessions.get_mut(&session).expect("found above");
        s.viewed = None;
        if !s.is_in_transaction() {
            s.done(at, &flight.sql);
        }
        self.settled += 1;
        if self.settled.is_multiple_of(FOLD_EVERY) {
            self.fold();
        }
        judged
    }

    /// What we do to a session or the server, before it is sent.
    pub fn fault(&mut self, fault: Fault, at: Tick) {
        self.now = self.now.max(at);
        if fault == Fault::Kill {
            self.killed = Some(at);
        }
        for (id, s) in &mut self.sessions {
            let hit = match fault {
                Fault::Cancel { session } | Fault::Terminate { session } => session == *id,
                Fault::Kill => true,
            };
            if hit {
                s.faults.push(Sent { fault, at });
            }
        }
    }

    /// The incarnation of the session is seen gone: nothing of it happens any more.
    pub fn gone(&mut self, session: SessionId, at: Tick) {
        self.now = self.now.max(at);
        if let Some(s) = self.sessions.get_mut(&session) {
            s.viewed = None;
        }
        let open: Vec<u64> = self
            .groups
            .iter()
            .filter(|(_, g)| g.session == session && g.until.is_none())
            .map(|(id, _)| id)
            .collect();
        for id in open {
            match self.groups.get(id).fate {
                Fate::Unknown => self.groups.get_mut(id).until = Some(at),
                Fate::Open => self.reject(id),
                Fate::Sent | Fate::Committed => {}
            }
        }
    }

    /// Moves into the base what nobody can ask about any more. Called by itself now and then.
    pub fn fold(&mut self) {
        let horizon = self.horizon();
        self.facts.fold(&self.groups, horizon);
        let mut used = std::collections::BTreeSet::new();
        for thing in self.facts.things.values() {
            let writes = thing.exists.writes.iter();
            used.extend(writes.map(|w| w.group));
            used.extend(
                thing
                    .facets
                    .values()
                    .chain(thing.cells.values())
                    .flat_map(|t| t.writes.iter().map(|w| w.group)),
            );
        }
        let over: Vec<u64> = self
            .groups
            .iter()
            .filter(|(id, g)| !used.contains(id) && g.is_done_before(horizon))
            .map(|(id, _)| id)
            .collect();
        for id in over {
            self.groups.remove(id);
        }
    }

    /// How many groups and objects are kept: for budgets.
    pub fn size(&self) -> (usize, usize) {
        (self.groups.len(), self.facts.things.len())
    }

    /// The oldest tick that somebody may still ask about.
    fn horizon(&self) -> Tick {
        self.sessions
            .values()
            .map(|s| {
                let busy = s.busy.map_or(self.now, |(since, _)| since);
                let known = busy.min(s.viewed.unwrap_or(self.now));
                match self.rules.remembers_schema {
                    true => known.min(s.looked),
                    false => known,
                }
            })
            .min()
            .unwrap_or(self.now)
    }

    fn done(
        &mut self,
        flight: &InFlight,
        (span, judged_in): (Span, Span),
        answer: &Answer,
        tag: &str,
    ) -> Judged {
        let (op, session) = (&flight.op, flight.op.at.session);
        let rolled_back = tag.starts_with("ROLLBACK") && op.frame() == Some(&FrameOp::Commit);
        let affected = match &answer.said {
            Said::Done { affected, .. } => *affected,
            _ => None,
        };
        // A write that touched no row of a ledger has changed nothing.
        let touched = affected != Some(0) || !op.changes_cells();
        let found = success::check(self, flight, judged_in, rolled_back)
            .or_else(|| cells::written(self, flight, judged_in, affected));
        let explained = match found {
            Some(finding) => Explained::Broken(Box::new(finding)),
            None => Explained::Done,
        };
        match flight.group {
            Some(group) if touched => self.settle_own(group, op, span),
            Some(group) => self.reject(group),
            None => {}
        }
        let s = self.sessions.get_mut(&session).expect("it sent the op");
        if commits(self.rules, op) && s.is_in_transaction() && answer.state == TxState::Idle {
            self.end_transaction(session, End::Committed, span.answered);
        }
        let s = self.sessions.get_mut(&session).expect("it sent the op");
        match op.frame() {
            Some(FrameOp::Begin { .. }) if !s.is_in_transaction() => s.begin(op),
            Some(FrameOp::Savepoint(name)) => s.savepoint(name, op.at),
            Some(FrameOp::Release(name)) => s.release(name),
            Some(FrameOp::RollbackTo(name)) => {
                let from = s.roll_back_to(name);
                if let (Some(group), Some(from)) = (s.group, from) {
                    let wrote = self.groups.get(group).wrote.clone();
                    self.facts.forget(group, Some(from), &wrote);
                }
            }
            Some(FrameOp::Commit) if s.is_in_transaction() => {
                self.end_transaction(
                    session,
                    if rolled_back {
                        End::Rejected
                    } else {
                        End::Committed
                    },
                    span.answered,
                );
            }
            Some(FrameOp::Rollback) if s.is_in_transaction() => {
                self.end_transaction(session, End::Rejected, span.answered);
            }
            Some(FrameOp::Commit | FrameOp::Rollback) => {
                (s.view.level, s.view.read_only) = (None, false);
            }
            Some(_) => {}
            None => {
                if !success::looks_at_nothing(op) {
                    s.looked = judged_in.sent;
                }
                s.apply(op);
                let changes = op.changes_schema() || (op.changes_cells() && touched);
                if s.is_in_transaction() && changes {
                    self.extend_transaction(flight, span);
                } else if flight.group.is_some() && op.changes_schema() {
                    self.commit_to_likely(std::slice::from_ref(op));
                }
                self.count_rows(op);
            }
        }
        Judged {
            explained,
            drifted: self.agree(session, answer.state, span.answered),
            compared: None,
        }
    }

    fn refused(
        &mut self,
        flight: &InFlight,
        (span, judged_in): (Span, Span),
        answer: &Answer,
        said: (&str, &str),
    ) -> Judged {
        let session = flight.op.at.session;
        if let Some(group) = flight.group {
            let codes = self.rules.done_though_refused;
            let known = self.reckoning && flight.op.alters() && codes.iter().any(|c| said.0.starts_with(c));
            if flight.op.leftover || known {
                let g = self.groups.get_mut(group);
                g.fate = Fate::Unknown;
                g.until = Some(span.answered);
            } else {
                self.reject(group);
            }
        }
        let explained = expect::explain(self, flight, judged_in, said);
        let s = self.sessions.get_mut(&session).expect("it sent the op");
        if s.is_in_transaction() {
            s.view.refused_schema |= flight.op.changes_schema();
            let commit = flight.op.frame() == Some(&FrameOp::Commit);
            let ends = commit || commits(self.rules, &flight.op);
            match answer.state {
                TxState::Idle if commits(self.rules, &flight.op) => {
                    self.end_transaction(session, End::Committed, span.answered);
                }
                TxState::Idle => {
                    let kept = (s.view.level, s.view.read_only);
                    self.end_transaction(session, End::Rejected, span.answered);
                    if self.rules.keeps_characteristics && !commit {
                        let s = self.sessions.get_mut(&session).expect("it sent the op");
                        (s.view.level, s.view.read_only) = kept;
                    }
                }
                TxState::Open if ends => {
                    if let Some(group) = s.group {
                        self.groups.get_mut(group).fate = Fate::Open;
                    }
                }
                TxState::Open => {}
                TxState::Failed => s.view.tx = TxState::Failed,
            }
        }
        Judged {
            explained,
            drifted: self.agree(session, answer.state, span.answered),
            compared: None,
        }
    }

    fn unknown(&mut self, flight: &InFlight, span: Span, said: (&str, &str)) -> Judged {
        let (op, session) = (&flight.op, flight.op.at.session);
        let explained = expect::explain(self, flight, span, said);
        let s = self.sessions.get_mut(&session).expect("it sent the op");
        if commits(self.rules, op) && s.is_in_transaction() {
            if let Some(group) = s.group {
                self.groups.get_mut(group).fate = Fate::Unknown;
            }
            s.end(End::Committed);
        }
        let (tx, group) = (s.view.tx, s.group);
        if tx == TxState::Idle {
            if let Some(group) = flight.group {
                self.groups.get_mut(group).fate = Fate::Unknown;
            }
        } else if op.frame() == Some(&FrameOp::Commit) && tx == TxState::Open {
            if let Some(group) = group {
                self.groups.get_mut(group).fate = Fate::Unknown;
            }
            s.end(End::Rejected);
        } else {
            self.end_transaction(session, End::Rejected, span.answered);
        }
        Judged {
            explained,
            drifted: None,
            compared: None,
        }
    }

    /// An autocommit op was acknowledged: its names are resolved again, in its whole span.
    fn settle_own(&mut self, group: u64, op: &Arc<Op>, span: Span) {
        let wrote = std::mem::take(&mut self.groups.get_mut(group).wrote);
        self.facts.rewrite(group, &wrote);
        self.told += 1;
        let g = self.groups.get_mut(group);
        g.fate = Fate::Committed;
        g.until = Some(span.answered);
        g.told = Some(self.told);
        let viewed = self.sessions[&op.at.session].viewed_told;
        record(
            self.rules,
            &mut self.facts,
            &mut self.groups,
            op,
            group,
            (span, span.sent, viewed),
        );
        made_visible(&mut self.facts, &mut self.groups, group);
    }

    /// A group can be seen from now on: names of statements that may still take effect may mean what it makes.
    fn resolve_pending(&mut self, seen: u64, at: Tick) {
        let pending: Vec<u64> = self
            .groups
            .iter()
            .filter(|(id, g)| {
                let open = matches!(g.fate, Fate::Sent | Fate::Unknown) && g.until.is_none();
                open && g.alone && *id != seen
            })
            .map(|(id, _)| id)
            .collect();
        for id in pending {
            let g = self.groups.get_mut(id);
            let wrote = std::mem::take(&mut g.wrote);
            let span = Span {
                sent: g.from,
                answered: Tick(at.0 + 1),
            };
            let op = g.ops.first().map(|(op, _, _)| Arc::clone(op));
            self.facts.rewrite(id, &wrote);
            if let Some(op) = op {
                let viewed = self.sessions.get(&op.at.session).map_or(0, |s| s.viewed_told);
                record(
                    self.rules,
                    &mut self.facts,
                    &mut self.groups,
                    &op,
                    id,
                    (span, span.sent, viewed),
                );
            }
        }
    }

    /// An op of an open transaction was acknowledged: its own session sees it from now on.
    fn extend_transaction(&mut self, flight: &InFlight, span: Span) {
        let session = flight.op.at.session;
        let s = self.sessions.get_mut(&session).expect("it sent the op");
        let begun = s.busy.map_or(span.sent, |(since, _)| since);
        let group = match s.group {
            Some(group) => group,
            None => {
                let group = self.groups.open(session, Fate::Open, begun);
                s.group = Some(group);
                group
            }
        };
        let viewed = s.viewed_told;
        let began = match self.rules.one_writer {
            true => s.busy.map_or(span.sent, |(since, _)| since),
            false => span.sent,
        };
        if flight.op.changes_schema() {
            s.ops.push(Arc::clone(&flight.op));
            s.view.changed_schema = true;
        }
        let g = self.groups.get_mut(group);
        g.ops
            .push((Arc::clone(&flight.op), Arc::clone(&flight.sql), span.sent));
        record(
            self.rules,
            &mut self.facts,
            &mut self.groups,
            &flight.op,
            group,
            (span, began, viewed),
        );
    }

    fn end_transaction(&mut self, session: SessionId, how: End, at: Tick) {
        let s = self.sessions.get_mut(&session).expect("it sent the op");
        let (group, ops) = (s.group, std::mem::take(&mut s.ops));
        s.end(how);
        let Some(group) = group else {
            return;
        };
        match how {
            End::Rejected => self.reject(group),
            End::Committed => {
                self.told += 1;
                let g = self.groups.get_mut(group);
                g.fate = Fate::Committed;
                g.until = Some(at);
                g.told = Some(self.told);
                self.commit_to_likely(&ops);
            }
        }
    }

    /// The group leaves no trace (W3).
    fn reject(&mut self, group: u64) {
        if let Some(g) = self.groups.find(group) {
            let wrote = g.wrote.clone();
            self.facts.forget(group, None, &wrote);
            self.groups.remove(group);
        }
    }

    fn commit_to_likely(&mut self, ops: &[Arc<Op>]) {
        if ops.is_empty() {
            return;
        }
        let catalog = Arc::make_mut(&mut self.catalog);
        for op in ops {
            likely::apply(catalog, op);
        }
        for (id, rows) in std::mem::take(&mut self.rows) {
            catalog.rows(id, |_| rows);
        }
        self.version += 1;
    }

    /// Ceilings of rows reach the likely state when they have doubled, or when it changes anyway.
    fn count_rows(&mut self, op: &Op) {
        for effect in &op.effects {
            let Effect::Rows(slot, more) = effect else {
                continue;
            };
            let Some(history::parallel::Target::Object { object, .. }) = op.slots.get(usize::from(*slot))
            else {
                continue;
            };
            let Some(known) = self.catalog.get(*object).map(|o| o.rows) else {
                continue;
            };
            let rows = self.rows.entry(*object).or_insert(known);
            *rows = rows.saturating_add(*more);
            if *rows > known.saturating_mul(2) + 64 {
                let rows = *rows;
                self.rows.remove(object);
                Arc::make_mut(&mut self.catalog).rows(*object, |_| rows);
                self.version += 1;
            }
        }
    }

    /// Takes over the wire's word on the transaction (P23); gives both where they differ.
    fn agree(&mut self, session: SessionId, wire: TxState, at: Tick) -> Option<(TxState, TxState)> {
        let s = self.sessions.get_mut(&session).expect("it sent the op");
        let ours = s.view.tx;
        if ours == wire {
            return None;
        }
        if wire == TxState::Idle {
            self.end_transaction(session, End::Rejected, at);
        } else {
            s.view.tx = wire;
        }
        Some((ours, wire))
    }
}

/// Whether the op commits the open transaction before it does anything, if only to be refused.
fn commits(rules: &Rules, op: &Op) -> bool {
    let upkeep = matches!(op.ast, Statement::Truncate { .. } | Statement::Care(_));
    !rules.schema_in_transactions && (upkeep || op.changes_schema())
}
