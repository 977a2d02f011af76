//! What the threads of a parallel run share.
//!
//! Invariants:
//! * F1 no lock of these is held while a statement is under way.
//! * F2 the first thing that goes wrong on our side is kept, and ends the load.

use super::Tongue;
use super::count::Counts;
use super::disk::Disk;
use super::gate::Gate;
use super::lie::Liar;
use super::lives::Lives;
use super::memory::Memory;
use super::trace::{Record, Trace};
use crate::RunError;
use crate::causes::Families;
use crate::clock::Clock;
use crate::known::Known;
use crate::latency::Latencies;
use crate::plan::{Parallel, Plan};
use crate::ticks::Ticks;
use check::parallel::Model;
use history::SessionId;
use history::parallel::{At, Fault, Finding};
use history::verdict::Cause;
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use targets::{Cancel, Identity, Target};

/// The name among the times under which it is kept how long the model's lock was held.
pub(crate) const MODEL: &str = "the model's lock";

/// Everything that sessions, watch and coordinator look at together.
pub(crate) struct Floor {
    pub(crate) plan: Plan,
    pub(crate) parallel: Parallel,
    pub(crate) tongue: Tongue,
    /// Its statements are recorded ones: sessions wait for each other by the record, too.
    pub(crate) again: bool,
    pub(crate) clock: Clock,
    pub(crate) ticks: Ticks,
    pub(crate) target: Arc<dyn Target>,
    pub(crate) model: Mutex<Model>,
    pub(crate) trace: Trace,
    pub(crate) gate: Gate,
    pub(crate) counts: Counts,
    pub(crate) latencies: Latencies,
    pub(crate) found: Found,
    pub(crate) lives: Lives,
    pub(crate) memory: Memory,
    pub(crate) disk: Disk,
    pub(crate) liar: Liar,
    pub(crate) desks: Vec<Desk>,
    pub(crate) notes: Mutex<Vec<String>>,
    pub(crate) doubts: Mutex<BTreeSet<String>>,
    failure: Mutex<Option<RunError>>,
    over: AtomicBool,
}

/// Findings by cause.
pub(crate) struct Found {
    pub(crate) causes: Mutex<Families>,
    /// Those that are tolerated: apart, so that none of them hides another of the same code.
    pub(crate) tolerated: Mutex<Families>,
    pub(crate) known: Known,
    total: AtomicU64,
}

/// What one session is doing, for those who watch it.
#[derive(Default)]
pub(crate) struct Desk {
    /// Nanoseconds at which its statement was sent; 0: it has none.
    pub(crate) since_ns: AtomicU64,
    /// Statements that were answered.
    pub(crate) answered: AtomicU64,
    /// It is in a transaction.
    pub(crate) open: AtomicBool,
    pub(crate) now: Mutex<Now>,
}

/// The rest of it.
#[derive(Default)]
pub(crate) struct Now {
    pub(crate) identity: Option<Identity>,
    pub(crate) cancel: Option<Arc<dyn Cancel>>,
    pub(crate) at: Option<At>,
    pub(crate) action: String,
    pub(crate) sql: Option<Arc<str>>,
}

impl Found {
    pub(crate) fn new(known: Known) -> Found {
        Found {
            causes: Mutex::new(Families::default()),
            tolerated: Mutex::new(Families::default()),
            known,
            total: AtomicU64::new(0),
        }
    }

    /// Every cause, those that are tolerated last. Those that were met more often than their entry allows are not.
    pub(crate) fn all(&self) -> Vec<Cause> {
        let mut tolerated = self.tolerated.lock().sorted();
        for cause in &mut tolerated {
            cause.known = self.known.tolerates(&cause.finding, cause.times);
        }
        let mut all = self.causes.lock().sorted();
        all.append(&mut tolerated);
        all
    }

    /// Findings that count against the database so far, repeats included.
    pub(crate) fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }
}

/// The parts of a floor that are made one by one.
pub(crate) struct Parts {
    pub(crate) plan: Plan,
    pub(crate) parallel: Parallel,
    pub(crate) tongue: Tongue,
    pub(crate) again: bool,
    pub(crate) target: Arc<dyn Target>,
    pub(crate) model: Model,
    pub(crate) trace: Trace,
    pub(crate) known: Known,
    pub(crate) disk: Disk,
}

impl Floor {
    pub(crate) fn new(parts: Parts) -> Floor {
        let sessions = parts.plan.sessions;
        Floor {
            clock: Clock::start(std::time::Duration::ZERO),
            ticks: Ticks::new(Arc::new(AtomicU64::new(1)), sessions),
            gate: Gate::new(sessions),
            counts: Counts::default(),
            latencies: Latencies::default(),
            found: Found::new(parts.known),
            lives: Lives::default(),
            memory: Memory::default(),
            disk: parts.disk,
            liar: Liar::new(
                parts.plan.seed.0,
                parts.target.describe().scheme,
                &parts.plan.lies,
            ),
            desks: (0..=sessions).map(|_| Desk::default()).collect(),
            notes: Mutex::default(),
            doubts: Mutex::default(),
            failure: Mutex::default(),
            over: AtomicBool::new(false),
            model: Mutex::new(parts.model),
            plan: parts.plan,
            parallel: parts.parallel,
            tongue: parts.tongue,
            again: parts.again,
            target: parts.target,
            trace: parts.trace,
        }
    }

    pub(crate) fn desk(&self, who: SessionId) -> &Desk {
        &self.desks[usize::from(who.0)]
    }

    /// A finding of the model, or of the run itself.
    pub(crate) fn find(&self, finding: &Finding) {
        let cause = super::words::cause(finding, &self.found.known);
        let families = if cause.known {
            &self.found.tolerated
        } else {
            self.found.total.fetch_add(1, Ordering::Relaxed);
            &self.found.causes
        };
        let mut causes = families.lock();
        if !causes.count(&cause.finding) {
            causes.add(crate::causes::signature(&cause.finding), cause);
        }
    }

    /// What is about to be done to a session on purpose: known to the model and the trace before it is done.
    pub(crate) fn strike(&self, fault: Fault, why: &str) -> Result<(), RunError> {
        let tick = self.ticks.take();
        self.model.lock().fault(fault, tick);
        self.counts.fault(why);
        self.trace.write(
            &Record::Fault {
                tick,
                fault,
                why: why.to_owned(),
            },
            None,
        )
    }

    /// Something a person should read, once.
    pub(crate) fn note(&self, text: String) {
        let mut notes = self.notes.lock();
        if !notes.contains(&text) {
            notes.push(text);
        }
    }

    /// Something that keeps the verdict from being clean; said at once, too.
    pub(crate) fn doubt(&self, text: String) {
        self.note(text.clone());
        self.doubts.lock().insert(text);
    }

    /// Ends the load because of us: the first reason is kept.
    pub(crate) fn fail(&self, error: RunError) {
        self.failure.lock().get_or_insert(error);
        self.over.store(true, Ordering::SeqCst);
        self.gate.stop();
    }

    /// Whether nothing went wrong on our side.
    pub(crate) fn failure_is_none(&self) -> bool {
        self.failure.lock().is_none()
    }

    /// What went wrong, if anything.
    pub(crate) fn failure(&self) -> Option<RunError> {
        self.failure.lock().take()
    }

    /// Whether the load was ended because of us: nobody waits for anything any more.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }
}
