//! What was seen stays seen, where visits race: the second stage.
//!
//! A visit that every choice of an answer shows was there before that answer came. Whoever asks later, at a level that
//! meets the first one's, must have a choice that shows it, too, together with all others that were seen.
//!
//! Invariants:
//! * M5 facts come only from answers that fit alone, and only from what all their choices agree on.
//! * M6 a fact is forgotten only when its visit must be visible to every later answer anyway.

use super::scene::What;
use super::solve::Solution;
use crate::judged::{Explained, Stage};
use history::{Address, Answered, Certainty, Consistency, Finding, Kind, Lts, Part, SessionId, Shape, Tick};
use std::collections::BTreeMap;

/// A variable of an answer, as far as other answers care.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Open {
    pub(crate) part: Part,
    pub(crate) lts: Lts,
    pub(crate) what: What,
    /// When its visit was acknowledged; `Tick(u64::MAX)`: never.
    pub(crate) by: Tick,
}

/// The choices that explain an answer of racing visits.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Raced {
    pub(crate) open: Vec<Open>,
    /// `None`: nothing chosen explains it; what else does was not looked for.
    pub(crate) solution: Option<Solution>,
    pub(crate) consistency: Consistency,
    /// To look for the choices after all.
    pub(crate) answered: Option<Box<Answered>>,
}

/// Whose memory: everybody's, or one session's where the claim has no real time.
type Whose = Option<SessionId>;

struct Fact {
    at: Tick,
    by: Tick,
    consistency: Consistency,
    shown_by: Address,
}

/// See the module.
pub(crate) struct Seen {
    real_time: bool,
    replicas: u16,
    shown: BTreeMap<(Whose, Lts, Part, What), Fact>,
}

impl Seen {
    pub(crate) fn new(real_time: bool, replicas: u16) -> Self {
        Self {
            real_time,
            replicas,
            shown: BTreeMap::new(),
        }
    }

    /// Forgets what every later answer must show anyway.
    pub(crate) fn floor(&mut self, tick: Tick) {
        if self.real_time && self.replicas == 1 {
            self.shown.retain(|_, fact| fact.by >= tick);
        }
    }

    /// Judges an answer that fits alone against those before it. `again` looks for the choices of an answer that had none
    /// looked for.
    pub(crate) fn conclude(
        &mut self,
        e: &Explained,
        kind: &'static str,
        raced: &Raced,
        again: impl FnOnce(&Answered) -> Stage,
    ) -> Option<Finding> {
        if raced.open.is_empty() {
            return None;
        }
        let whose = (!self.real_time).then_some(e.session);
        let looked_for;
        let mut raced = raced;
        if raced.solution.is_none() && raced.open.iter().any(|open| self.knows(whose, open.lts)) {
            let answered = raced.answered.as_ref().expect("kept while visits are open");
            let Stage::Raced(_, found) = again(answered) else {
                return None;
            };
            looked_for = *found;
            raced = &looked_for;
        }
        let solution = raced.solution.as_ref()?;
        let required: Vec<usize> = (0..raced.open.len())
            .filter(|i| {
                let fact = self.fact(whose, &raced.open[*i]);
                fact.is_some_and(|f| {
                    f.at < e.snapshot.sent && raced.consistency.meets(f.consistency, self.replicas)
                })
            })
            .collect();
        if !solution.admits(&required) {
            let single = required.iter().find(|var| !solution.admits(&[**var]));
            let var = &raced.open[*single.unwrap_or(&required[0])];
            let fact = self.fact(whose, var).expect("it is required");
            return Some(finding(e, kind, var.lts, fact.shown_by));
        }
        for var in solution.certain() {
            let open = &raced.open[var];
            if !open.what.lasts() {
                continue;
            }
            let fact = Fact {
                at: e.snapshot.answered,
                by: open.by,
                consistency: raced.consistency,
                shown_by: e.address,
            };
            let known = self.shown.entry((whose, open.lts, open.part, open.what.clone()));
            let known = known.or_insert(fact);
            if e.snapshot.answered < known.at {
                known.at = e.snapshot.answered;
                known.shown_by = e.address;
                known.consistency = raced.consistency;
            }
        }
        None
    }

    /// Whether anything of a visit was seen.
    fn knows(&self, whose: Whose, lts: Lts) -> bool {
        let first = Part {
            table: 0,
            position: 0,
        };
        let next = self.shown.range((whose, lts, first, What::Visit)..).next();
        next.is_some_and(|((w, l, ..), _)| (*w, *l) == (whose, lts))
    }

    fn fact(&self, whose: Whose, open: &Open) -> Option<&Fact> {
        self.shown.get(&(whose, open.lts, open.part, open.what.clone()))
    }
}

fn finding(e: &Explained, action: &'static str, visit: Lts, shown_by: Address) -> Finding {
    Finding {
        kind: Kind::Isolation,
        shape: Shape::NotMonotonic { visit, shown_by },
        read: e.address,
        session: e.session,
        span: e.span,
        snapshot: e.snapshot,
        action: action.to_owned(),
        part: None,
        row: None,
        column: None,
        proof: vec![visit],
        certainty: Certainty::Certain,
        doubt: String::new(),
    }
}
