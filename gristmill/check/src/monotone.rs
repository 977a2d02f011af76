//! What was seen stays seen: the second stage, over the answers in the order in which they came.
//!
//! Stage 1 says which choices of overlapping visits explain one answer alone. Answers together say more: a visit that every
//! choice of an answer shows was visible before that snapshot ended (F7), one that no choice shows became visible after
//! that snapshot began. So the two bounds of each visit draw together, and a later answer must have a choice left.
//!
//! Invariants:
//! * M1 bounds come only from answers that fit alone, and only from what all their choices agree on: each is a fact.
//! * M2 a bound is forgotten only when no snapshot can come any more that it could contradict.
//! * M3 reads of one transaction with one snapshot share its point, so their choices must agree (claims with a snapshot
//!   taken once a transaction).
//! * M4 without real time only the same session is bound: what it saw, it sees.

use crate::choice::possible;
use crate::judged::{Choices, Explained, Overlap};
use history::{Address, Certainty, Claim, Finding, Kind, Lts, SessionId, Shape, Snapshot, Span, Tick};
use std::collections::BTreeMap;

/// A fact about a visit, and the answer it comes from.
#[derive(Debug, Clone, Copy)]
struct Fact {
    at: Tick,
    source: Source,
}

/// An answer, as much as a finding about it needs.
#[derive(Debug, Clone, Copy)]
struct Source {
    address: Address,
    session: SessionId,
    span: Span,
    snapshot: Span,
    kind: &'static str,
}

/// Bounds on when a visit became visible.
#[derive(Debug, Clone, Copy, Default)]
struct Bounds {
    /// Not visible to a snapshot that began here.
    after: Option<Fact>,
    /// Visible to a snapshot that ended here.
    before: Option<Fact>,
    /// When the visit was acknowledged: from then on it must be visible anyway.
    acknowledged: Option<Tick>,
}

/// The point of a transaction's snapshot.
#[derive(Debug, Clone, Default)]
struct Point {
    began: Option<Tick>,
    /// After the snapshot's point, by which answer.
    after: Option<Fact>,
    before: Option<Fact>,
    decided: BTreeMap<Lts, (bool, Address)>,
}

/// Whose memory: everybody's, or one session's where the claim has no real time.
type Whose = Option<SessionId>;

/// See the module.
pub(crate) struct Monotone {
    claim: Claim,
    bounds: BTreeMap<(Whose, Lts), Bounds>,
    points: BTreeMap<(Lts, u8, Tick), Point>,
}

impl Monotone {
    pub(crate) fn new(claim: Claim) -> Self {
        Self {
            claim,
            bounds: BTreeMap::new(),
            points: BTreeMap::new(),
        }
    }

    /// Forgets what no later answer can contradict.
    pub(crate) fn floor(&mut self, tick: Tick) {
        self.points.retain(|_, p| p.began.is_none_or(|b| b >= tick));
        if self.claim.real_time {
            self.bounds
                .retain(|_, b| b.acknowledged.is_none_or(|by| by >= tick));
        }
    }

    /// Judges an answer that fits alone against those before it; a finding if no choice is left.
    pub(crate) fn conclude(
        &mut self,
        e: &Explained,
        kind: &'static str,
        choices: &Choices,
    ) -> Option<Finding> {
        if choices.open.is_empty() {
            return None;
        }
        let source = Source {
            address: e.address,
            session: e.session,
            span: e.span,
            snapshot: e.snapshot,
            kind,
        };
        let whose = if self.claim.real_time {
            None
        } else {
            Some(e.session)
        };
        if let Some(finding) = self.against_own_snapshot(&source, choices) {
            return Some(finding);
        }
        let open: Vec<Overlap> = choices.open.iter().map(|o| self.narrowed(whose, *o)).collect();
        if !choices
            .masks
            .iter()
            .any(|mask| possible(&open, *mask, e.snapshot))
        {
            return Some(self.broken(whose, &source, choices));
        }
        self.learn(whose, &source, choices);
        None
    }

    fn narrowed(&self, whose: Whose, mut o: Overlap) -> Overlap {
        if let Some(bounds) = self.bounds.get(&(whose, o.lts)) {
            if let Some(after) = bounds.after.filter(|_| self.claim.real_time) {
                o.from = o.from.max(after.at);
            }
            if let Some(before) = bounds.before {
                o.by = o.by.min(before.at);
            }
        }
        o
    }

    /// Takes in what all choices agree on.
    fn learn(&mut self, whose: Whose, source: &Source, choices: &Choices) {
        let all = choices.masks.iter().fold(u64::MAX, |a, m| a & m);
        let any = choices.masks.iter().fold(0, |a, m| a | m);
        for (i, o) in choices.open.iter().enumerate() {
            let (shown, hidden) = (all >> i & 1 == 1, any >> i & 1 == 0);
            if !shown && !hidden {
                continue;
            }
            let bounds = self.bounds.entry((whose, o.lts)).or_default();
            bounds.acknowledged = (o.by != Tick(u64::MAX)).then_some(o.by);
            if shown && bounds.before.is_none_or(|b| source.snapshot.answered < b.at) {
                bounds.before = Some(Fact {
                    at: source.snapshot.answered,
                    source: *source,
                });
            }
            if hidden && bounds.after.is_none_or(|b| source.snapshot.sent > b.at) {
                bounds.after = Some(Fact {
                    at: source.snapshot.sent,
                    source: *source,
                });
            }
        }
    }

    /// The finding when no choice is left: the first choice's first contradiction tells which visit.
    fn broken(&self, whose: Whose, source: &Source, choices: &Choices) -> Finding {
        let span = source.snapshot;
        let bounds = |o: &Overlap| self.bounds.get(&(whose, o.lts)).copied().unwrap_or_default();
        let mut candidates = choices.masks.iter().flat_map(|mask| {
            let split = |inside: bool| {
                let at = move |(i, _): &(usize, &Overlap)| (mask >> i & 1 == 1) == inside;
                choices.open.iter().enumerate().filter(at).map(|(_, o)| o)
            };
            let latest = split(true)
                .map(|o| self.narrowed(whose, *o).from)
                .max()
                .unwrap_or(Tick(0))
                .max(span.sent);
            let earliest = split(false)
                .map(|o| self.narrowed(whose, *o).by)
                .min()
                .unwrap_or(Tick(u64::MAX))
                .min(span.answered);
            let hidden = split(false).filter_map(move |o| {
                let fact = bounds(o).before?;
                (fact.at <= latest).then_some((o.lts, fact.source, true))
            });
            let shown = split(true).filter_map(move |o| {
                let fact = bounds(o).after?;
                (fact.at >= earliest).then_some((o.lts, fact.source, false))
            });
            hidden.chain(shown).collect::<Vec<_>>()
        });
        let (visit, other, it_showed) = candidates
            .next()
            .expect("a choice fits alone, so only an earlier answer contradicts it");
        if it_showed {
            finding(source, visit, other.address)
        } else {
            // This answer shows what an older snapshot's answer, asked later, does not: that one lost it.
            finding(&other, visit, source.address)
        }
    }

    /// Reads of one transaction see one point.
    fn against_own_snapshot(&mut self, source: &Source, choices: &Choices) -> Option<Finding> {
        if self.claim.snapshot == Snapshot::Statement {
            return None;
        }
        let key = (source.address.lts, source.address.attempt, source.snapshot.sent);
        let point = self.points.entry(key).or_default();
        point.began = Some(source.snapshot.sent);
        let span = Span {
            sent: point.after.map_or(source.snapshot.sent, |f| f.at),
            answered: point.before.map_or(source.snapshot.answered, |f| f.at),
        };
        let agrees = |mask: u64| {
            choices.open.iter().enumerate().all(|(i, o)| {
                point
                    .decided
                    .get(&o.lts)
                    .is_none_or(|(inside, _)| *inside == (mask >> i & 1 == 1))
            })
        };
        let left: Vec<u64> = choices
            .masks
            .iter()
            .copied()
            .filter(|m| agrees(*m) && possible(&choices.open, *m, span))
            .collect();
        let Some(first) = left.first() else {
            let differs = choices.open.iter().enumerate().find_map(|(i, o)| {
                let (inside, _) = point.decided.get(&o.lts)?;
                choices
                    .masks
                    .iter()
                    .all(|m| (m >> i & 1 == 1) != *inside)
                    .then_some(o.lts)
            });
            let visit = differs.unwrap_or(choices.open[0].lts);
            let mut finding = finding(source, visit, source.address);
            finding.shape = Shape::Torn { visit };
            return Some(finding);
        };
        for (i, o) in choices.open.iter().enumerate() {
            let inside = first >> i & 1 == 1;
            if left.iter().all(|m| (m >> i & 1 == 1) == inside) {
                point.decided.entry(o.lts).or_insert((inside, source.address));
            }
        }
        let inner = |mask: u64, inside: bool| {
            choices
                .open
                .iter()
                .enumerate()
                .filter(move |(i, _)| (mask >> i & 1 == 1) == inside)
                .map(|(_, o)| o)
        };
        let after = left
            .iter()
            .map(|m| inner(*m, true).map(|o| o.from).max().unwrap_or(Tick(0)))
            .min();
        let before = left
            .iter()
            .map(|m| inner(*m, false).map(|o| o.by).min().unwrap_or(Tick(u64::MAX)))
            .max();
        if let Some(at) = after.filter(|at| *at > span.sent) {
            point.after = Some(Fact { at, source: *source });
        }
        if let Some(at) = before.filter(|at| *at < span.answered) {
            point.before = Some(Fact { at, source: *source });
        }
        None
    }
}

fn finding(source: &Source, visit: Lts, shown_by: Address) -> Finding {
    Finding {
        kind: Kind::Isolation,
        shape: Shape::NotMonotonic { visit, shown_by },
        read: source.address,
        session: source.session,
        span: source.span,
        snapshot: source.snapshot,
        action: source.kind.to_owned(),
        part: None,
        row: None,
        column: None,
        proof: vec![visit],
        certainty: Certainty::Certain,
        doubt: String::new(),
    }
}
