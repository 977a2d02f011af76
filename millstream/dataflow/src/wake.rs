//! Waking an operator from another thread.
//!
//! 1. A wake between two runs of the operator schedules it at least once, however many there are.
//! 2. The operator acknowledges first and drains its channels then. In the other order a message that
//!    arrives between the two is lost until something else wakes the operator.
//! 3. A sender puts its message into the channel first and wakes then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use timely::scheduling::SyncActivator;

use crate::Mutant;

/// Wakes one operator; clones wake the same. A parked worker is unparked.
#[derive(Clone, Debug)]
pub(crate) struct Wake(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pending: AtomicBool,
    activator: Mutex<SyncActivator>,
    forwarded: AtomicU64,
    mutant: Mutant,
}

impl Wake {
    pub(crate) fn new(activator: SyncActivator, mutant: Mutant) -> Self {
        Wake(Arc::new(Inner {
            pending: AtomicBool::new(false),
            activator: Mutex::new(activator),
            forwarded: AtomicU64::new(0),
            mutant,
        }))
    }

    /// Schedules the operator, unless it is scheduled already and has not run since.
    pub(crate) fn wake(&self) {
        if self.0.mutant == Mutant::NeverWakes {
            return;
        }
        if !self.0.pending.swap(true, Ordering::SeqCst) {
            self.0.forwarded.fetch_add(1, Ordering::Relaxed);
            // A worker that is gone needs no waking.
            let _ = self.0.activator.lock().activate();
        }
    }

    /// Called by the operator before it drains what the wakes were about.
    pub(crate) fn acknowledge(&self) {
        self.0.pending.store(false, Ordering::SeqCst);
    }
}
