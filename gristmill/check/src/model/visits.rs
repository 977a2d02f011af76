//! Visits regenerated lately. One visit is asked for by each of its statements and by each partition it writes.

use history::{Lts, Regenerate, Visit};
use std::sync::{Arc, Mutex, MutexGuard};

/// How many visits a run keeps: enough for what overlaps, few enough to lie in the processor's cache still when they go.
pub(crate) const KEPT: usize = 1024;

/// A direct-mapped cache over [`Regenerate::visit`].
pub(crate) struct Visits {
    history: Arc<dyn Regenerate>,
    slots: Box<[Mutex<Option<Arc<Visit>>>]>,
}

impl Visits {
    /// Keeps so many; at least one.
    pub(crate) fn new(history: Arc<dyn Regenerate>, kept: usize) -> Self {
        Self {
            history,
            slots: (0..kept.max(1)).map(|_| Mutex::new(None)).collect(),
        }
    }

    /// Keeps a visit that somebody has made already.
    pub(crate) fn offer(&self, visit: Arc<Visit>) {
        let lts = visit.lts;
        *self.slot(lts) = Some(visit);
    }

    /// The visit; `None` is a hole.
    pub(crate) fn get(&self, lts: Lts) -> Option<Arc<Visit>> {
        let mut kept = self.slot(lts);
        if let Some(visit) = kept.as_ref().filter(|v| v.lts == lts) {
            return Some(Arc::clone(visit));
        }
        let visit = Arc::new(self.history.visit(lts)?);
        *kept = Some(Arc::clone(&visit));
        Some(visit)
    }

    /// The visit, without keeping it: for a walk that goes over many visits once.
    pub(crate) fn once(&self, lts: Lts) -> Option<Arc<Visit>> {
        let kept = self.slot(lts).as_ref().filter(|v| v.lts == lts).map(Arc::clone);
        kept.or_else(|| self.history.visit(lts).map(Arc::new))
    }

    /// What `with` makes of the visit, which is not kept: [`Self::once`] without a place on the heap for it.
    pub(crate) fn look<R>(&self, lts: Lts, with: impl FnOnce(&Visit) -> R) -> Option<R> {
        let kept = self.slot(lts).as_ref().filter(|v| v.lts == lts).map(Arc::clone);
        match kept {
            Some(visit) => Some(with(&visit)),
            None => self.history.visit(lts).map(|visit| with(&visit)),
        }
    }

    fn slot(&self, lts: Lts) -> MutexGuard<'_, Option<Arc<Visit>>> {
        let slot = usize::try_from(lts.0 % self.slots.len() as u64).expect("below the number of slots");
        self.slots[slot]
            .lock()
            .expect("nobody panics while holding a slot")
    }
}
