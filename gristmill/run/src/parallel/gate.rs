//! Where sessions stop: for a moment in which nobody does anything (the catalogue is read then), and at the end.
//!
//! A session asks between two statements. One that is in a transaction is told to end it first: nobody waits here while it holds
//! a lock, so those who wait for such a lock come too.
//!
//! Invariants:
//! * G1 between [`Gate::is_quiet`] and [`Gate::open`] no session sends anything.
//! * G2 after [`Gate::stop`] a session that is in no transaction gets no other answer than the end.

use parking_lot::{Condvar, Mutex};
use std::time::Duration;

/// What a session does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    /// What it likes.
    Go,
    /// It ends its transaction.
    Finish,
    /// Nothing any more.
    End,
}

/// The gate.
pub(crate) struct Gate {
    state: Mutex<State>,
    moved: Condvar,
}

struct State {
    sessions: u16,
    closed: bool,
    stopped: bool,
    parked: u16,
    ended: u16,
}

impl Gate {
    /// Of so many sessions, open.
    pub(crate) fn new(sessions: u16) -> Gate {
        Gate {
            state: Mutex::new(State {
                sessions,
                closed: false,
                stopped: false,
                parked: 0,
                ended: 0,
            }),
            moved: Condvar::new(),
        }
    }

    /// A session asks what to do; waits here while the gate is closed and it is in no transaction.
    pub(crate) fn pass(&self, idle: bool) -> Pass {
        let mut state = self.state.lock();
        loop {
            match (state.stopped, state.closed, idle) {
                (true, _, true) => return Pass::End,
                (false, false, _) => return Pass::Go,
                (true, _, false) | (_, true, false) => return Pass::Finish,
                (false, true, true) => {
                    state.parked += 1;
                    self.moved.wait(&mut state);
                    state.parked -= 1;
                }
            }
        }
    }

    /// A session has ended, however.
    pub(crate) fn leave(&self) {
        self.state.lock().ended += 1;
    }

    /// Sessions that come are to wait.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
    }

    /// Those who wait go on.
    pub(crate) fn open(&self) {
        self.state.lock().closed = false;
        self.moved.notify_all();
    }

    /// It is over: those who wait, and those who come, end.
    pub(crate) fn stop(&self) {
        self.state.lock().stopped = true;
        self.moved.notify_all();
    }

    /// Whether it was stopped.
    pub(crate) fn is_stopped(&self) -> bool {
        self.state.lock().stopped
    }

    /// Whether it is closed, and every session that has not ended waits. A session that was woken by nobody counts again when
    /// it has looked.
    pub(crate) fn is_quiet(&self) -> bool {
        let state = self.state.lock();
        state.closed && state.parked + state.ended >= state.sessions
    }

    /// Sessions that have ended.
    pub(crate) fn ended(&self) -> u16 {
        self.state.lock().ended
    }

    /// Waits for something to do, at most so long.
    pub(crate) fn pause(&self, at_most: Duration) {
        let mut state = self.state.lock();
        self.moved.wait_for(&mut state, at_most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_session_in_a_transaction_finishes_it_and_an_idle_one_waits_until_it_is_open() {
        let gate = Arc::new(Gate::new(2));
        assert_eq!(gate.pass(true), Pass::Go);
        gate.close();
        assert_eq!(gate.pass(false), Pass::Finish);
        assert!(!gate.is_quiet());
        let other = Arc::clone(&gate);
        let waiting = std::thread::spawn(move || other.pass(true));
        gate.leave();
        while !gate.is_quiet() {
            std::thread::yield_now();
        }
        gate.open();
        assert_eq!(waiting.join().unwrap(), Pass::Go);
    }

    #[test]
    fn after_the_end_nobody_begins_anything() {
        let gate = Gate::new(1);
        gate.close();
        gate.stop();
        assert_eq!(gate.pass(false), Pass::Finish);
        assert_eq!(gate.pass(true), Pass::End);
        gate.open();
        assert_eq!(gate.pass(true), Pass::End);
    }
}
