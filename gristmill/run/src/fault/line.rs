//! What is done to the server as a whole, one at a time: the others wait in a line.
//!
//! A session whose statement put something into the line begins nothing new until the line is empty, so the line is no longer
//! than sessions and statements of a visit make it, and the load cannot be over before it.
//!
//! Invariant: while the line is open, one thing is being done, or is about to be.

use super::kind::FaultKind;
use history::{Address, SessionId};
use parking_lot::Mutex;
use std::collections::VecDeque;

/// A fault that meets a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) kind: FaultKind,
    pub(super) who: SessionId,
    pub(super) address: Address,
}

/// `Some`: one is under way, and these wait.
#[derive(Debug, Default)]
pub(super) struct Line(Mutex<Option<VecDeque<Due>>>);

impl Line {
    /// Whether it is its turn already; else it waits.
    pub(super) fn enter(&self, due: Due) -> bool {
        let mut line = self.0.lock();
        match &mut *line {
            Some(waiting) => waiting.push_back(due),
            None => *line = Some(VecDeque::new()),
        }
        line.as_ref().is_some_and(VecDeque::is_empty)
    }

    /// One is done: whose turn it is now. The line closes behind the last one.
    pub(super) fn leave(&self) -> Option<Due> {
        let mut line = self.0.lock();
        let next = line.as_mut().and_then(VecDeque::pop_front);
        if next.is_none() {
            *line = None;
        }
        next
    }

    /// Whoever waits does so no more.
    pub(super) fn disperse(&self) {
        if let Some(waiting) = &mut *self.0.lock() {
            waiting.clear();
        }
    }

    /// Whether one is under way.
    pub(super) fn is_open(&self) -> bool {
        self.0.lock().is_some()
    }
}

#[cfg(test)]
mod tests;
