//! Requests on their way to the thread that commits them.
//!
//! Why no channel: each message of one wakes whoever waits for several, and a wake costs more than a request. Here the
//! receiver says how many it waits for. Must not know what waits.
//!
//! Invariants:
//! 1. What was put is taken once, in order of arrival.
//! 2. Once it is closed and empty, whoever waits learns so. What nobody takes any more is dropped.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::clock::Clock;

/// The receiving end.
#[derive(Debug)]
pub(super) struct Queue<T>(Arc<Inner<T>>);

/// The sending end; dropped, the queue is closed.
#[derive(Debug)]
pub(super) struct Sender<T>(Arc<Inner<T>>);

#[derive(Debug)]
struct Inner<T> {
    state: Mutex<State<T>>,
    enough: Condvar,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    /// The receiver is woken when so many wait.
    wanted: usize,
    closed: bool,
}

/// Both ends of a queue.
pub(super) fn queue<T>() -> (Sender<T>, Queue<T>) {
    let inner = Arc::new(Inner {
        state: Mutex::new(State {
            waiting: VecDeque::new(),
            wanted: usize::MAX,
            closed: false,
        }),
        enough: Condvar::new(),
    });
    (Sender(Arc::clone(&inner)), Queue(inner))
}

impl<T> Sender<T> {
    /// Puts `item` at the end; where nobody will ever take it, it is dropped.
    pub(super) fn send(&self, item: T) {
        let mut state = self.0.state.lock();
        if state.closed {
            return;
        }
        state.waiting.push_back(item);
        if state.waiting.len() >= state.wanted {
            state.wanted = usize::MAX;
            drop(state);
            self.0.enough.notify_one();
        }
    }
}

impl<T> Sender<T> {
    /// Whether nothing waits to be taken.
    pub(super) fn is_empty(&self) -> bool {
        self.0.state.lock().waiting.is_empty()
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.state.lock().closed = true;
        self.0.enough.notify_one();
    }
}

impl<T> Drop for Queue<T> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.closed = true;
        state.waiting.clear();
    }
}

impl<T> Queue<T> {
    /// Moves all that waits to the end of `into`.
    pub(super) fn take(&self, into: &mut VecDeque<T>) {
        into.append(&mut self.0.state.lock().waiting);
    }

    /// [`Queue::take`], after waiting until there is something; false if there never will be.
    pub(super) fn take_some(&self, into: &mut VecDeque<T>) -> bool {
        let mut state = self.0.state.lock();
        while state.waiting.is_empty() {
            if state.closed {
                return false;
            }
            state.wanted = 1;
            self.0.enough.wait(&mut state);
        }
        state.wanted = usize::MAX;
        into.append(&mut state.waiting);
        true
    }

    /// [`Queue::take`], after waiting until `into` would hold `count`; but at most `most_us`, and no longer than nothing
    /// came for `gap_us`.
    pub(super) fn gather(&self, into: &mut VecDeque<T>, count: usize, most_us: u64, gap_us: u64) {
        let until = Clock::monotonic_us() + most_us;
        let mut state = self.0.state.lock();
        loop {
            into.append(&mut state.waiting);
            let rest = until.saturating_sub(Clock::monotonic_us()).min(gap_us);
            if into.len() >= count || rest == 0 || state.closed {
                break;
            }
            state.wanted = count - into.len();
            self.0.enough.wait_for(&mut state, Duration::from_micros(rest));
            if state.waiting.is_empty() {
                break;
            }
        }
        state.wanted = usize::MAX;
    }
}

#[cfg(test)]
mod tests;
