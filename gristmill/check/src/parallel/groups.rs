//! Groups: ops that share one fate, and the window of ticks in which they may take effect (P7, P9).

use history::parallel::{At, Cause, Facet, ObjectId, Op};
use history::{SessionId, Span, Tick};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What becomes of a group. A refused one is no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// A transaction whose COMMIT has not been sent: only its own session sees it.
    Open,
    /// COMMIT, or the one statement, is on its way.
    Sent,
    /// Acknowledged.
    Committed,
    /// Nobody knows.
    Unknown,
}

/// Ops that take effect together or not at all.
#[derive(Debug, Clone)]
pub(super) struct Group {
    /// Whose.
    pub(super) session: SessionId,
    /// What becomes of it.
    pub(super) fate: Fate,
    /// When its first statement was sent: it may hold locks from then on.
    pub(super) begun: Tick,
    /// From when on it may take effect.
    pub(super) from: Tick,
    /// Since when it has taken effect, if it ever does.
    pub(super) until: Option<Tick>,
    /// Whether it is one statement by itself: its names are resolved at any moment of its window.
    pub(super) alone: bool,
    /// The how-manieth it was to be told as committed.
    pub(super) told: Option<u64>,
    /// Its ops that change the schema, with their text and the number of writes before each.
    pub(super) ops: Vec<(Arc<Op>, Arc<str>, Tick)>,
    /// Where it has written.
    pub(super) wrote: Vec<(ObjectId, Facet)>,
}

impl Group {
    /// Whether others may see it before `end`.
    pub(super) fn is_visible_by(&self, end: Tick) -> bool {
        self.fate != Fate::Open && self.from < end
    }

    /// Whether it has surely taken effect before `start`.
    pub(super) fn is_done_before(&self, start: Tick) -> bool {
        self.fate == Fate::Committed && self.until.is_some_and(|until| until < start)
    }

    /// Whether it has written more than rows.
    pub(super) fn changes_schema(&self) -> bool {
        self.wrote
            .iter()
            .any(|(_, facet)| !matches!(facet, Facet::Cell(_)))
    }

    /// Whether it has changed one of these objects: what is known of it, not its rows.
    pub(super) fn changed_one_of(&self, objects: &BTreeSet<ObjectId>) -> bool {
        let changed =
            |(id, facet): &(ObjectId, Facet)| !matches!(facet, Facet::Cell(_)) && objects.contains(id);
        self.wrote.iter().any(changed)
    }

    /// Whether it may hold locks or take effect in some moment of the span: from its first statement to its end.
    pub(super) fn is_at_work_in(&self, span: Span) -> bool {
        self.begun < span.answered && self.until.is_none_or(|until| until > span.sent)
    }
}

/// All groups that some timeline still knows, by number.
#[derive(Debug, Default)]
pub(super) struct Groups {
    next: u64,
    all: BTreeMap<u64, Group>,
}

impl Groups {
    /// A new one; its number. One that begins as sent is one statement by itself.
    pub(super) fn open(&mut self, session: SessionId, fate: Fate, begun: Tick) -> u64 {
        self.next += 1;
        self.all.insert(
            self.next,
            Group {
                session,
                fate,
                begun,
                from: begun,
                until: None,
                alone: fate == Fate::Sent,
                told: None,
                ops: Vec::new(),
                wrote: Vec::new(),
            },
        );
        self.next
    }

    /// The group. Panics if it is no more: timelines forget first.
    pub(super) fn get(&self, id: u64) -> &Group {
        self.all.get(&id).expect("a write's group is known")
    }

    /// The group, if it is still known.
    pub(super) fn find(&self, id: u64) -> Option<&Group> {
        self.all.get(&id)
    }

    /// The group, to be changed. Panics if it is no more.
    pub(super) fn get_mut(&mut self, id: u64) -> &mut Group {
        self.all.get_mut(&id).expect("a write's group is known")
    }

    /// Forgets a group.
    pub(super) fn remove(&mut self, id: u64) -> Option<Group> {
        self.all.remove(&id)
    }

    /// Every group, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Group)> {
        self.all.iter().map(|(id, group)| (*id, group))
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The witness that an op of the group is.
    pub(super) fn cause(&self, id: u64, at: At) -> Cause {
        let group = self.get(id);
        Cause::Op {
            at,
            from: group.from,
            until: group.until,
        }
    }
}
