//! Which interval of time to write next.
//!
//! 1. Lowers are strictly increasing: at any time at most one description is valid.
//! 2. A description starts where the shard ends and ends where the view does, so it is never empty and
//!    never promises more than the view's frontier.
//! 3. A read-only sink mints nothing; once it may write it may write for good.
//! 4. The shard is closed only after every input announced its end. An empty frontier without these
//!    announcements is a dataflow that is being taken down, and says nothing about the view.

use shard::Frontier;

use crate::Mutant;

/// An interval of time to be written: at and after `lower`, before `upper`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub(crate) struct Description {
    /// First time of the interval.
    pub lower: u64,
    /// End of the interval, exclusive.
    pub upper: Frontier,
}

/// The state of the decision.
#[derive(Debug)]
pub(crate) struct Mint {
    /// The shard's upper as last heard, at least the sink's as_of.
    persist: Frontier,
    desired: Frontier,
    last_lower: Option<u64>,
    read_only: bool,
    inputs_running: usize,
    mutant: Mutant,
}

impl Mint {
    /// A sink from `as_of` on whose view is made of `inputs` inputs that will announce their end.
    pub(crate) fn new(as_of: u64, inputs: usize, read_only: bool, mutant: Mutant) -> Self {
        Mint {
            persist: Frontier::At(as_of),
            desired: Frontier::MIN,
            last_lower: None,
            read_only: read_only && mutant != Mutant::MintsWhenReadOnly,
            inputs_running: inputs,
            mutant,
        }
    }

    /// The shard's upper is known to be `upper`.
    pub(crate) fn shard_at(&mut self, upper: Frontier) {
        self.persist = self.persist.max(upper);
    }

    /// The view's frontier is `frontier`.
    pub(crate) fn view_at(&mut self, frontier: Frontier) {
        self.desired = self.desired.max(frontier);
    }

    /// One more input announced that it has ended.
    pub(crate) fn input_ended(&mut self) {
        self.inputs_running = self.inputs_running.saturating_sub(1);
    }

    /// The sink may write from now on.
    pub(crate) fn allow_writes(&mut self) {
        self.read_only = false;
    }

    /// Whether the shard is known to be closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.persist.is_closed()
    }

    /// The next interval to write, if there is one. Counts as minted.
    pub(crate) fn next(&mut self) -> Option<Description> {
        let Frontier::At(lower) = self.persist else {
            return None;
        };
        let mut upper = self.desired;
        match self.mutant {
            Mutant::PromisesOneMore => {
                upper = upper
                    .time()
                    .map_or(Frontier::Closed, |time| Frontier::At(time + 1));
            }
            Mutant::NeverCloses if upper.is_closed() => return None,
            _ => (),
        }
        let ended = self.inputs_running == 0 || self.mutant == Mutant::SealsOnShutdown;
        if self.read_only || upper <= self.persist || (upper.is_closed() && !ended) {
            return None;
        }
        if self.last_lower.is_some_and(|last| lower <= last) {
            return None;
        }
        self.last_lower = Some(lower);
        Some(Description { lower, upper })
    }

    /// The first time at which a description may still be minted.
    pub(crate) fn open_from(&self) -> Frontier {
        match self.last_lower {
            Some(last) => Frontier::At(last + 1).max(self.persist),
            None => self.persist,
        }
    }
}

#[cfg(test)]
mod tests;
