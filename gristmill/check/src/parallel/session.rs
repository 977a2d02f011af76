//! What the model knows of one session: its transaction, what it ran, what was done to it.

use history::parallel::{
    At, Catalog, Effect, FactValue, Fault, FrameOp, KeptName, Limit, Mode, ObjectId, Op, SessionView, Target,
    TxState,
};
use history::{SessionId, Span, Tick};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Past pieces of work that are kept for witnesses and prints.
const KEPT: usize = 64;

/// A statement on its way.
#[derive(Debug, Clone)]
pub(super) struct InFlight {
    /// The op.
    pub(super) op: Arc<Op>,
    /// Its text.
    pub(super) sql: Arc<str>,
    /// When it was sent.
    pub(super) at: Tick,
    /// The group of an autocommit op that changes the schema.
    pub(super) group: Option<u64>,
}

/// A piece of work that has ended: an autocommit statement, or a whole transaction.
#[derive(Debug, Clone)]
pub(super) struct Past {
    /// Its first op.
    pub(super) at: At,
    /// From the first byte sent to the last received.
    pub(super) span: Span,
    /// The last op, for prints.
    pub(super) sql: Arc<str>,
    /// Objects that it named, and whether it changed what the catalogue says of them.
    pub(super) named: Vec<(ObjectId, bool)>,
}

/// A savepoint.
#[derive(Debug, Clone)]
pub(super) struct Savepoint {
    /// Its name.
    name: KeptName,
    /// The op that set it.
    at: At,
    /// How many ops of the transaction change the schema before it.
    ops: usize,
    /// Limits at it.
    limits: BTreeMap<Limit, (u64, Option<At>)>,
    /// Cursors at it: those that are opened after it end with what comes back to it.
    cursors: BTreeSet<KeptName>,
}

/// Something that was done to a session, not yet spent.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    /// What.
    pub(super) fault: Fault,
    /// When.
    pub(super) at: Tick,
}

/// What the model knows of one session.
#[derive(Debug, Clone)]
pub(super) struct Session {
    /// What its ops are drawn on.
    pub(super) view: SessionView,
    /// The view that the op is drawn on: everything that was answered before this tick is in it. `None` between two ops.
    pub(super) viewed: Option<Tick>,
    /// How many groups had been told as committed when the view was taken: later ones may surprise the op.
    pub(super) viewed_told: u64,
    /// Since when it has seen the schema: what came before, it knows.
    pub(super) looked: Tick,
    /// The group of the open transaction, once it has changed the schema.
    pub(super) group: Option<u64>,
    /// When the open transaction, or the statement on its way, was begun, and by what.
    pub(super) busy: Option<(Tick, At)>,
    /// Objects that the open transaction, or the statement on its way, has named, and whether to change them.
    pub(super) named: Vec<(ObjectId, bool)>,
    /// The open transaction's ops that change the schema.
    pub(super) ops: Vec<Arc<Op>>,
    /// Savepoints, oldest first.
    pub(super) savepoints: Vec<Savepoint>,
    /// The statement on its way.
    pub(super) in_flight: Option<InFlight>,
    /// What it ran.
    pub(super) past: VecDeque<Past>,
    /// What was done to it and has explained nothing yet.
    pub(super) faults: Vec<Sent>,
    /// Limits, and who set them.
    pub(super) limits: BTreeMap<Limit, (u64, Option<At>)>,
    /// Limits to go back to when the transaction is undone, or ends.
    pub(super) limits_before: Option<BTreeMap<Limit, (u64, Option<At>)>>,
    /// Limits to go back to at the end of the transaction even when it is kept: what was set with LOCAL.
    pub(super) local: BTreeMap<Limit, Option<(u64, Option<At>)>>,
    /// Rows of ledgers as the open transaction has read them, where it has one snapshot; `None`: it has written the row itself.
    pub(super) rows_seen: BTreeMap<(ObjectId, u64), Option<FactValue>>,
    /// Its catalogue while the open transaction has changed the schema, and the version it was made from.
    pub(super) own: Option<(u64, usize, Arc<Catalog>)>,
}

/// What became of the transaction by an op that was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Kept.
    Committed,
    /// Undone.
    Rejected,
}

impl Session {
    /// One that has just connected.
    pub(super) fn fresh(session: SessionId, incarnation: u32, limits: &BTreeMap<Limit, u64>) -> Self {
        Self {
            view: SessionView {
                limits: limits.clone(),
                ..SessionView::fresh(session, incarnation)
            },
            viewed: None,
            viewed_told: 0,
            looked: Tick(0),
            group: None,
            busy: None,
            named: Vec::new(),
            ops: Vec::new(),
            savepoints: Vec::new(),
            in_flight: None,
            past: VecDeque::new(),
            faults: Vec::new(),
            limits: limits.iter().map(|(l, ms)| (*l, (*ms, None))).collect(),
            limits_before: None,
            local: BTreeMap::new(),
            rows_seen: BTreeMap::new(),
            own: None,
        }
    }

    /// Whether a transaction is open, failed or not.
    pub(super) fn is_in_transaction(&self) -> bool {
        self.view.tx != TxState::Idle
    }

    /// A transaction begins by this op.
    pub(super) fn begin(&mut self, op: &Op) {
        self.view.tx = TxState::Open;
        self.view.statements = 0;
        self.limits_before = Some(self.limits.clone());
        if let Some(FrameOp::Begin { level, read_only }) = op.frame() {
            self.view.level = *level;
            self.view.read_only = *read_only;
        }
    }

    /// What it writes of ledgers is no part of its snapshot any more.
    pub(super) fn writes_rows(&mut self, op: &Op) {
        for effect in &op.effects {
            if let (Effect::Cell { slot, key, .. }, true) = (effect, self.is_in_transaction())
                && let Some(Target::Object { object, .. }) = op.slots.get(usize::from(*slot))
            {
                self.rows_seen.insert((*object, *key), None);
            }
        }
    }

    /// A savepoint is set by this op.
    pub(super) fn savepoint(&mut self, name: &KeptName, at: At) {
        self.savepoints.push(Savepoint {
            name: name.clone(),
            at,
            ops: self.ops.len(),
            limits: self.limits.clone(),
            cursors: self.view.cursors.clone(),
        });
        self.show_savepoints();
    }

    /// The newest savepoint of the name and all after it are no more.
    pub(super) fn release(&mut self, name: &KeptName) {
        if let Some(i) = self.savepoints.iter().rposition(|s| s.name == *name) {
            self.savepoints.truncate(i);
        }
        self.show_savepoints();
    }

    /// Back to the newest savepoint of the name: gives the op that set it.
    pub(super) fn roll_back_to(&mut self, name: &KeptName) -> Option<At> {
        let i = self.savepoints.iter().rposition(|s| s.name == *name)?;
        self.savepoints.truncate(i + 1);
        let savepoint = &self.savepoints[i];
        self.view
            .cursors
            .retain(|cursor| savepoint.cursors.contains(cursor));
        self.ops.truncate(savepoint.ops);
        self.limits = savepoint.limits.clone();
        self.own = None;
        let at = savepoint.at;
        self.view.tx = TxState::Open;
        self.view.changed_schema = !self.ops.is_empty();
        self.view.refused_schema = false;
        self.show_limits();
        self.show_savepoints();
        Some(at)
    }

    /// The transaction has ended.
    pub(super) fn end(&mut self, how: End) {
        self.view.tx = TxState::Idle;
        self.view.level = None;
        self.view.read_only = false;
        self.view.statements = 0;
        self.view.changed_schema = false;
        self.view.refused_schema = false;
        self.view.cursors.clear();
        self.savepoints.clear();
        self.show_savepoints();
        self.ops.clear();
        self.rows_seen.clear();
        self.own = None;
        self.group = None;
        let before = self.limits_before.take();
        match (how, before) {
            (End::Rejected, Some(before)) => self.limits = before,
            _ => {
                for (limit, value) in std::mem::take(&mut self.local) {
                    match value {
                        Some(value) => self.limits.insert(limit, value),
                        None => self.limits.remove(&limit),
                    };
                }
            }
        }
        self.local.clear();
        self.show_limits();
    }

    /// The effects of an op on the session itself.
    pub(super) fn apply(&mut self, op: &Op) {
        for effect in &op.effects {
            match effect {
                Effect::Limit { limit, ms, local } => {
                    if *local {
                        let now = self.limits.get(limit).copied();
                        self.local.entry(*limit).or_insert(now);
                    }
                    match ms {
                        Some(ms) => {
                            self.limits.insert(*limit, (*ms, Some(op.at)));
                        }
                        None => {
                            self.limits.remove(limit);
                        }
                    }
                    self.show_limits();
                }
                Effect::Name { name, cursor: true } => {
                    self.view.cursors.insert(name.clone());
                }
                Effect::Name { name, cursor: false } => {
                    self.view.prepared.insert(name.clone());
                }
                Effect::Unname(Some(name)) => {
                    self.view.cursors.remove(name);
                    self.view.prepared.remove(name);
                }
                Effect::Unname(None) => {
                    self.view.cursors.clear();
                    self.view.prepared.clear();
                }
                Effect::Role(role) => self.view.role = *role,
                _ => {}
            }
        }
    }

    /// A piece of work has ended.
    pub(super) fn done(&mut self, until: Tick, sql: &Arc<str>) {
        let Some((since, at)) = self.busy.take() else {
            return;
        };
        if self.past.len() == KEPT {
            self.past.pop_front();
        }
        self.past.push_back(Past {
            at,
            span: Span {
                sent: since,
                answered: until,
            },
            sql: Arc::clone(sql),
            named: std::mem::take(&mut self.named),
        });
    }

    /// Whether it was at work at some moment of the span: with which op.
    pub(super) fn at_work_in(&self, span: Span) -> Option<At> {
        if let Some((since, at)) = self.busy
            && since < span.answered
        {
            return Some(at);
        }
        self.past
            .iter()
            .rev()
            .find(|p| p.span.overlaps(&span))
            .map(|p| p.at)
    }

    /// Notes what an op names, before it is sent.
    pub(super) fn names(&mut self, op: &Op) {
        for (slot, target) in op.slots.iter().enumerate() {
            let (Target::Object { object, .. } | Target::New { object, .. }) = target else {
                continue;
            };
            let changes = op.touches.iter().any(|t| {
                usize::from(t.slot) == slot && !matches!(t.mode, Mode::Uses | Mode::Reads | Mode::Writes)
            });
            // Upkeep writes the catalogue's rows of its table whatever it says of itself.
            let upkeep = matches!(op.ast, history::parallel::Statement::Care(_));
            self.named.push((*object, changes || upkeep));
        }
    }

    /// Whether it had such an object in use at some moment of the span: by which op.
    pub(super) fn named_in(&self, span: Span, is: impl Fn(ObjectId) -> bool) -> Option<At> {
        self.used_in(span, |(id, _)| is(*id))
    }

    /// Whether it was changing such an object at some moment of the span: by which op.
    pub(super) fn changed_in(&self, span: Span, is: impl Fn(ObjectId) -> bool) -> Option<At> {
        self.used_in(span, |(id, changes)| *changes && is(*id))
    }

    fn used_in(&self, span: Span, is: impl Fn(&(ObjectId, bool)) -> bool) -> Option<At> {
        if let Some((since, at)) = self.busy
            && since < span.answered
            && self.named.iter().any(&is)
        {
            return Some(at);
        }
        self.past
            .iter()
            .rev()
            .find(|p| p.span.overlaps(&span) && p.named.iter().any(&is))
            .map(|p| p.at)
    }

    fn show_savepoints(&mut self) {
        self.view.savepoints = self.savepoints.iter().map(|s| s.name.clone()).collect();
    }

    fn show_limits(&mut self) {
        self.view.limits = self.limits.iter().map(|(l, (ms, _))| (*l, *ms)).collect();
    }
}
