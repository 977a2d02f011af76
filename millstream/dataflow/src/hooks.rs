//! Where a test may look in.

use std::fmt;
use std::sync::Arc;

use crate::Mutant;
use crate::counters::Counters;

type Call = Arc<dyn Fn() + Send + Sync>;
type CallWithKey = Arc<dyn Fn(&str) + Send + Sync>;

/// A deliberate fault, counters to watch, and calls at two delicate moments. Default: nothing.
#[derive(Clone, Default)]
#[doc(hidden)]
pub struct Hooks {
    /// The fault to make.
    pub mutant: Mutant,
    /// Where to count; a source or sink makes its own when none is given.
    pub counters: Option<Arc<Counters>>,
    /// Called by the descriptions operator between acknowledging its wake and draining.
    pub after_acknowledge: Option<Call>,
    /// Called by the descriptions operator after draining.
    pub after_drain: Option<Call>,
    /// Called by the fetch task before each fetch, with the key of the part; may panic.
    pub before_fetch: Option<CallWithKey>,
    /// Called by the append task of a sink before each attempt.
    pub before_append: Option<Call>,
}

impl Hooks {
    /// Only a fault.
    pub fn mutant(mutant: Mutant) -> Self {
        Hooks {
            mutant,
            ..Hooks::default()
        }
    }

    pub(crate) fn after_acknowledge(&self) {
        if let Some(call) = &self.after_acknowledge {
            call();
        }
    }

    pub(crate) fn after_drain(&self) {
        if let Some(call) = &self.after_drain {
            call();
        }
    }

    pub(crate) fn before_append(&self) {
        if let Some(call) = &self.before_append {
            call();
        }
    }

    pub(crate) fn before_fetch(&self, part: &str) {
        if let Some(call) = &self.before_fetch {
            call(part);
        }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("mutant", &self.mutant)
            .finish_non_exhaustive()
    }
}
