//! One fact through time: what it was settled to be, and the writes that may have come after.

use super::groups::{Fate, Groups};
use history::parallel::{At, Cause, FactValue};
use history::{SessionId, Span, Tick};
use smallvec::SmallVec;
use std::borrow::Cow;

/// A value that a group gives to a fact.
#[derive(Debug, Clone)]
pub(super) struct Write {
    /// By which op.
    pub(super) at: At,
    /// Of which group.
    pub(super) group: u64,
    /// The value.
    pub(super) value: FactValue,
    /// Whether it is open that this write happens at all, even if the group does (a cascade that may have missed it).
    pub(super) doubt: bool,
}

/// What a fact was settled to be, by whom and when.
#[derive(Debug, Clone)]
pub(super) struct Base {
    /// The value.
    pub(super) value: FactValue,
    /// Who made it so; `None`: the catalogue, or it was so from the beginning.
    pub(super) by: Option<At>,
    /// Since when.
    pub(super) since: Tick,
}

impl Base {
    fn cause(&self) -> Cause {
        match self.by {
            Some(at) => Cause::Op {
                at,
                from: self.since,
                until: Some(self.since),
            },
            None => Cause::Base(self.since),
        }
    }
}

/// A value that a fact may have in a span.
#[derive(Debug, Clone)]
pub(super) struct Candidate<'a> {
    /// The value.
    pub(super) value: &'a FactValue,
    /// Why.
    pub(super) cause: Cause,
}

/// What a fact may be in a span.
#[derive(Debug, Clone)]
pub(super) struct Candidates<'a> {
    /// The values, in the order of the writes. Never empty.
    pub(super) list: SmallVec<[Candidate<'a>; 2]>,
    /// Whether the one value is the fact's in the whole span.
    pub(super) sure: bool,
}

/// One fact through time.
#[derive(Debug, Clone)]
pub(super) struct Timeline {
    /// Where it begins.
    pub(super) base: Base,
    /// What came after, in the order in which it was recorded.
    pub(super) writes: Vec<Write>,
}

fn number(value: &FactValue) -> i64 {
    match value {
        FactValue::Number(n) => *n,
        _ => 0,
    }
}

impl Timeline {
    /// A fact that is not, from the beginning.
    pub(super) fn gone() -> Self {
        Self {
            base: Base {
                value: FactValue::Gone,
                by: None,
                since: Tick(0),
            },
            writes: Vec::new(),
        }
    }

    /// What the fact may be for `by` at some moment of the span.
    pub(super) fn candidates(&self, groups: &Groups, span: Span, by: SessionId) -> Candidates<'_> {
        let own = self.writes.iter().rfind(|w| {
            let group = groups.get(w.group);
            group.fate == Fate::Open && group.session == by
        });
        if let Some(own) = own {
            let of_it = |w: &&Write| w.group == own.group && w.at == own.at;
            let list: SmallVec<[Candidate<'_>; 2]> = self
                .writes
                .iter()
                .filter(of_it)
                .map(|w| Candidate {
                    value: &w.value,
                    cause: groups.cause(w.group, w.at),
                })
                .collect();
            let sure = list.len() == 1 && !own.doubt;
            return Candidates { list, sure };
        }
        let mut list: SmallVec<[Candidate<'_>; 2]> = SmallVec::new();
        let mut sure = true;
        let base_is_over = self
            .writes
            .iter()
            .any(|w| !w.doubt && groups.get(w.group).is_done_before(span.sent));
        if !base_is_over {
            list.push(Candidate {
                value: &self.base.value,
                cause: self.base.cause(),
            });
        }
        for (i, write) in self.writes.iter().enumerate() {
            let group = groups.get(write.group);
            if !group.is_visible_by(span.answered) {
                continue;
            }
            let last_of_group = !self.writes[i + 1..]
                .iter()
                .any(|w| w.group == write.group && !w.doubt);
            if !last_of_group || self.is_over(write, groups, span.sent) {
                continue;
            }
            sure = sure && !write.doubt && group.is_done_before(span.sent);
            list.push(Candidate {
                value: &write.value,
                cause: groups.cause(write.group, write.at),
            });
        }
        sure = sure && list.len() == 1;
        Candidates { list, sure }
    }

    /// Whether the fact may be such a value at some moment of the span, and whether it is at all of them.
    pub(super) fn says(
        &self,
        groups: &Groups,
        span: Span,
        by: SessionId,
        is: impl Fn(&FactValue) -> bool,
    ) -> (bool, bool) {
        let candidates = self.candidates(groups, span, by);
        let may = candidates.list.iter().any(|c| is(c.value));
        let all = candidates.list.iter().all(|c| is(c.value));
        (may, may && all && (candidates.sure || candidates.list.len() > 1))
    }

    /// Whether some other write is surely later than this one and done before `start`.
    fn is_over(&self, write: &Write, groups: &Groups, start: Tick) -> bool {
        let Some(until) = groups.get(write.group).until else {
            return false;
        };
        self.writes.iter().any(|w| {
            let group = groups.get(w.group);
            !w.doubt && w.group != write.group && group.is_done_before(start) && until < group.from
        })
    }

    /// The fact as it is but for one group.
    pub(super) fn without(&self, group: Option<u64>) -> Cow<'_, Timeline> {
        if !self.writes.iter().any(|w| Some(w.group) == group) {
            return Cow::Borrowed(self);
        }
        let mut rest = self.clone();
        rest.writes.retain(|w| Some(w.group) != group);
        Cow::Owned(rest)
    }

    /// Of a fact that is only added to: the least and the most that it may be for `by` in the span.
    pub(super) fn bounds(&self, groups: &Groups, span: Span, by: SessionId) -> (i64, i64) {
        let base = number(&self.base.value);
        let (mut least, mut most) = (base, base);
        for write in &self.writes {
            let group = groups.get(write.group);
            let own = group.fate == Fate::Open && group.session == by;
            let more = number(&write.value);
            if own || group.is_done_before(span.sent) {
                least += more;
            }
            if own || group.is_visible_by(span.answered) {
                most += more;
            }
        }
        (least, most)
    }

    /// Of a fact that is only added to: moves into the base what is done before the horizon.
    pub(super) fn add_up(&mut self, groups: &Groups, horizon: Tick) {
        let mut sum = number(&self.base.value);
        let mut since = self.base.since;
        let before = self.writes.len();
        self.writes.retain(|w| {
            let group = groups.get(w.group);
            let done = group.is_done_before(horizon);
            if done {
                sum += number(&w.value);
                since = since.max(group.until.expect("what is done has an end"));
            }
            !done
        });
        if self.writes.len() < before {
            self.base = Base {
                value: FactValue::Number(sum),
                by: None,
                since,
            };
        }
    }

    /// Forgets the writes of a group, from the op `from` on.
    pub(super) fn forget(&mut self, group: u64, from: Option<At>) {
        self.writes
            .retain(|w| w.group != group || from.is_some_and(|from| w.at < from));
    }

    /// Settles the fact: what it is now, whatever came before.
    pub(super) fn settle(&mut self, value: FactValue, since: Tick) {
        self.writes.clear();
        self.base = Base {
            value,
            by: None,
            since,
        };
    }

    /// Moves into the base what is surely over or surely so before the horizon. Prints lose what lies below.
    pub(super) fn fold(&mut self, groups: &Groups, horizon: Tick) {
        if self.writes.is_empty() {
            return;
        }
        let over: SmallVec<[bool; 4]> = self
            .writes
            .iter()
            .map(|w| self.is_over(w, groups, horizon))
            .collect();
        let mut over = over.iter();
        let base_is_over = self
            .writes
            .iter()
            .any(|w| !w.doubt && groups.get(w.group).is_done_before(horizon));
        self.writes.retain(|_| !over.next().expect("one flag a write"));
        if base_is_over
            && let [only] = self.writes.as_slice()
            && !only.doubt
        {
            let group = groups.get(only.group);
            if group.is_done_before(horizon) {
                self.base = Base {
                    value: only.value.clone(),
                    by: Some(only.at),
                    since: group.until.expect("a committed group has an end"),
                };
                self.writes.clear();
            }
        }
    }
}
