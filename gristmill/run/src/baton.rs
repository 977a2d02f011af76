//! Lock-step pace: one session moves at a time, and a draw says which. Between two moves no session runs, so two runs of one
//! plan make the same statements in the same order.
//!
//! It knows session numbers; it does not know what a move is.
//!
//! Invariants:
//! * B1 at most one session holds the baton; only the holder calls anything but [`Baton::join`].
//! * B2 who moves next is a function of the seed, the number of moves so far and who can move.
//! * B3 whoever met a busy lock moves first when its holder ends, in the order in which they met it: an attempt is
//!   repeated once, not until luck helps.

use datagen::stream::{Stream, below, draw};
use parking_lot::{Condvar, Mutex};
use std::collections::{BTreeSet, VecDeque};

/// The right to move, handed from session to session.
pub(crate) struct Baton {
    seed: u64,
    sessions: usize,
    inner: Mutex<Inner>,
    passed: Condvar,
}

#[derive(Default)]
struct Inner {
    holder: Option<u16>,
    joined: usize,
    moves: u64,
    able: BTreeSet<u16>,
    parked: BTreeSet<u16>,
    busy: VecDeque<u16>,
    first: VecDeque<u16>,
}

impl Baton {
    /// A baton for so many sessions; nobody moves before all have joined.
    pub(crate) fn new(seed: u64, sessions: u16) -> Baton {
        Baton {
            seed,
            sessions: usize::from(sessions),
            inner: Mutex::new(Inner::default()),
            passed: Condvar::new(),
        }
    }

    /// Joins and waits for the first move.
    pub(crate) fn join(&self, me: u16) {
        let mut inner = self.inner.lock();
        inner.able.insert(me);
        inner.joined += 1;
        if inner.joined == self.sessions {
            self.choose(&mut inner);
        }
        self.wait(&mut inner, me);
    }

    /// Ends a move; returns when the next one is ours.
    pub(crate) fn pass(&self, me: u16) {
        let mut inner = self.inner.lock();
        self.choose(&mut inner);
        self.wait(&mut inner, me);
    }

    /// Ends a move, to be woken by [`Baton::wake`]: there is nothing to do until somebody ends a visit.
    pub(crate) fn park(&self, me: u16) {
        let mut inner = self.inner.lock();
        inner.able.remove(&me);
        inner.parked.insert(me);
        self.choose(&mut inner);
        self.wait(&mut inner, me);
    }

    /// Ends a move that met a busy lock; the next one is ours when its holder has ended.
    pub(crate) fn busy(&self, me: u16) {
        let mut inner = self.inner.lock();
        inner.able.remove(&me);
        inner.busy.push_back(me);
        self.choose(&mut inner);
        self.wait(&mut inner, me);
    }

    /// A visit has ended: those who waited for a visit can move again, and the first of those who met a busy lock moves next.
    pub(crate) fn wake(&self) {
        let mut inner = self.inner.lock();
        let parked = std::mem::take(&mut inner.parked);
        inner.able.extend(parked);
        if let Some(first) = inner.busy.pop_front() {
            inner.able.insert(first);
            inner.first.push_back(first);
        }
    }

    /// Leaves for good.
    pub(crate) fn leave(&self, me: u16) {
        let mut inner = self.inner.lock();
        inner.able.remove(&me);
        self.choose(&mut inner);
    }

    fn choose(&self, inner: &mut Inner) {
        if inner.able.is_empty() {
            // Nobody is in a visit, so whoever waits, waits for nobody.
            let parked = std::mem::take(&mut inner.parked);
            inner.able.extend(parked);
            inner.able.extend(inner.busy.drain(..));
        }
        inner.moves += 1;
        inner.holder = inner.first.pop_front().or_else(|| {
            let at = below(
                draw(self.seed, Stream::Schedule, &[inner.moves]),
                inner.able.len().max(1) as u64,
            );
            inner
                .able
                .iter()
                .nth(usize::try_from(at).expect("an index of a small set"))
                .copied()
        });
        self.passed.notify_all();
    }

    fn wait(&self, inner: &mut parking_lot::MutexGuard<'_, Inner>, me: u16) {
        while inner.holder != Some(me) {
            self.passed.wait(inner);
        }
    }
}

#[cfg(test)]
mod tests;
