//! What the threads of one run share.
//!
//! Invariants:
//! * W1 no lock of these is held while a statement is under way.
//! * W2 the first thing that goes wrong on our side is kept, and ends the load; nobody waits for a session that is gone.

use crate::RunError;
use crate::against::Against;
use crate::baton::Baton;
use crate::causes::{Archive, Causes};
use crate::changing::Changing;
use crate::clock::Clock;
use crate::evidence::Ring;
use crate::evidence::calls::Calls;
use crate::fault::Faults;
use crate::inbox::Inbox;
use crate::latency::Latencies;
use crate::life::LeftOver;
use crate::pacer::Pacer;
use crate::plan::Plan;
use crate::repairs::Repairs;
use crate::staged::Staged;
use crate::ticks::Ticks;
use crate::turnstile::Turnstile;
use datagen::schema::Schema;
use history::log::{What, Writer};
use history::tracker::TrackerFile;
use history::{Claim, Lts, Regenerate, SessionId, Tick};
use parking_lot::{Condvar, Mutex};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use targets::Target;
use targets::outcome::Rules;

/// Everything that sessions, judge and faults look at together.
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) clock: Clock,
    pub(crate) ticks: Ticks,
    pub(crate) history: Arc<dyn Regenerate>,
    /// The same, where it has stages.
    pub(crate) staged: Option<Arc<Staged>>,
    /// The same, where its schema changes or something is done to the server as a whole.
    pub(crate) changing: Option<Arc<Changing>>,
    pub(crate) schema: Arc<Schema>,
    pub(crate) target: Arc<dyn Target>,
    pub(crate) claim: Claim,
    pub(crate) rules: Rules,
    pub(crate) log: Writer,
    /// Where the log lies, to be read back for findings.
    pub(crate) log_folder: PathBuf,
    pub(crate) tracker: Arc<TrackerFile>,
    pub(crate) judge: check::Judge,
    pub(crate) turnstile: Turnstile,
    pub(crate) baton: Option<Baton>,
    pub(crate) ring: Ring,
    /// Answers that the ring must not forget.
    pub(crate) calls: Calls,
    pub(crate) inbox: Inbox,
    pub(crate) faults: Faults,
    pub(crate) causes: Causes,
    /// When replicas were repaired.
    pub(crate) repairs: Arc<Repairs>,
    /// The second database, where the plan has one.
    pub(crate) against: Option<Against>,
    /// Indexes that come or go at this moment.
    pub(crate) building: Building,
    pub(crate) notes: Mutex<Vec<String>>,
    /// Why the verdict cannot be clean, beside what the counts say.
    pub(crate) doubts: Mutex<BTreeSet<String>>,
    /// Nanoseconds that sessions waited for a partition, and for room in the ring.
    pub(crate) idle_ns: AtomicU64,
    /// How long statements took.
    pub(crate) latencies: Latencies,
    /// When visits may begin, where the plan has a rate.
    pub(crate) pacer: Option<Pacer>,
    /// Visits that ended.
    pub(crate) ended: AtomicU64,
    /// Somebody waits for the account to be written.
    pub(crate) account_wanted: AtomicBool,
    failure: Mutex<Option<RunError>>,
    over: AtomicBool,
    pause: (Mutex<()>, Condvar),
}

/// When indexes came and went: whoever reads meanwhile may be refused.
#[derive(Default)]
pub(crate) struct Building {
    now: AtomicU64,
    /// When the last one was ready, in nanoseconds; 0: none was.
    ready_ns: AtomicU64,
    /// Reads that were refused for it.
    refused: AtomicU64,
}

impl Building {
    pub(crate) fn begins(&self) {
        self.now.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn ends(&self, ns: u64) {
        self.ready_ns.fetch_max(ns, Ordering::SeqCst);
        self.now.fetch_sub(1, Ordering::SeqCst);
    }

    /// Whether an index came or went since a moment.
    pub(crate) fn since(&self, ns: u64) -> bool {
        self.now.load(Ordering::SeqCst) > 0 || self.ready_ns.load(Ordering::SeqCst) >= ns.max(1)
    }

    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Reads that were refused because an index came or went.
    pub(crate) fn count(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

/// The parts of a world that are made one by one.
pub(crate) struct Parts {
    pub(crate) plan: Plan,
    pub(crate) clock: Clock,
    pub(crate) ticks: Ticks,
    pub(crate) history: Arc<dyn Regenerate>,
    pub(crate) staged: Option<Arc<Staged>>,
    pub(crate) changing: Option<Arc<Changing>>,
    pub(crate) schema: Arc<Schema>,
    pub(crate) target: Arc<dyn Target>,
    pub(crate) log: Writer,
    pub(crate) log_folder: PathBuf,
    pub(crate) tracker: Arc<TrackerFile>,
    pub(crate) judge: check::Judge,
    pub(crate) turnstile: Turnstile,
    pub(crate) baton: Option<Baton>,
    pub(crate) ring: Ring,
    pub(crate) faults: Faults,
    pub(crate) causes: Causes,
    pub(crate) repairs: Arc<Repairs>,
    pub(crate) against: Option<Against>,
}

impl World {
    pub(crate) fn new(p: Parts) -> World {
        let calls = Calls::of(p.ring.dir());
        World {
            pacer: p.plan.rate.map(Pacer::new),
            latencies: Latencies::default(),
            claim: p.plan.claim,
            rules: Rules::of(p.target.describe().scheme),
            plan: p.plan,
            clock: p.clock,
            ticks: p.ticks,
            history: p.history,
            staged: p.staged,
            changing: p.changing,
            building: Building::default(),
            schema: p.schema,
            target: p.target,
            log: p.log,
            log_folder: p.log_folder,
            tracker: p.tracker,
            judge: p.judge,
            turnstile: p.turnstile,
            baton: p.baton,
            ring: p.ring,
            inbox: Inbox::new(),
            calls,
            faults: p.faults,
            causes: p.causes,
            repairs: p.repairs,
            against: p.against,
            notes: Mutex::new(Vec::new()),
            doubts: Mutex::new(BTreeSet::new()),
            idle_ns: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            account_wanted: AtomicBool::new(false),
            failure: Mutex::new(None),
            over: AtomicBool::new(false),
            pause: (Mutex::new(()), Condvar::new()),
        }
    }

    /// What an earlier life of the worker had done counts on.
    pub(crate) fn go_on_from(&self, left_over: &LeftOver) {
        self.idle_ns.store(left_over.account.idle_ns, Ordering::Relaxed);
        self.ended.store(left_over.ended, Ordering::Relaxed);
        self.latencies.go_on_from(&left_over.account.latency);
    }

    /// Lies told so far, in earlier lives of the worker too; those that the plan asks for and nobody told with 0.
    pub(crate) fn lies(&self, before: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
        let mut lies: BTreeMap<String, u64> = self.plan.lies.keys().map(|name| (name.clone(), 0)).collect();
        lies.extend(self.target.lies());
        for (name, n) in before {
            *lies.entry(name.clone()).or_default() += n;
        }
        lies
    }

    /// Asks the judge to write its account now, and waits until it has, or is gone.
    pub(crate) fn account_now(&self) {
        self.account_wanted.store(true, Ordering::SeqCst);
        while self.account_wanted.load(Ordering::SeqCst) && !self.is_over() {
            self.inbox.ring();
            self.pause(Duration::from_millis(1));
        }
    }

    /// Where findings look up what was sent.
    pub(crate) fn archive(&self) -> Archive<'_> {
        Archive {
            history: self.history.as_ref(),
            schema: &self.schema,
            target: self.target.as_ref(),
            claim: &self.claim,
            log_folder: &self.log_folder,
            logged_until: if self.plan.is_checked() {
                Lts(u64::MAX)
            } else {
                Lts(0)
            },
        }
    }

    /// Appends to the log.
    pub(crate) fn log(&self, who: SessionId, what: What) -> Result<Tick, RunError> {
        Ok(self
            .log
            .append(who, self.clock.ns(), &|| self.ticks.take(), &what)?)
    }

    /// Something a person should read, once.
    pub(crate) fn note(&self, text: impl Into<String>) {
        let text = text.into();
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

    /// A pooler stands in between: which server process does what for whom is not known any more.
    pub(crate) fn pooled(&self, why: &str) {
        self.faults.turn_off();
        self.note(format!(
            "a connection pooler stands in between ({why}): faults are off"
        ));
    }

    /// Ends the load because of us: the first reason is kept.
    pub(crate) fn fail(&self, error: RunError) {
        self.failure.lock().get_or_insert(error);
        self.abort();
    }

    /// Nobody begins anything any more, and nobody waits.
    pub(crate) fn abort(&self) {
        self.over.store(true, Ordering::SeqCst);
        self.turnstile.abort();
        self.inbox.ring();
        let _held = self.pause.0.lock();
        self.pause.1.notify_all();
    }

    /// What went wrong, if anything.
    pub(crate) fn failure(&self) -> Option<RunError> {
        self.failure.lock().take()
    }

    /// Whether the load was aborted.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Waits a little for something that tells nobody when it happens (a server coming back); ends early on abort.
    pub(crate) fn pause(&self, at_most: Duration) {
        let mut held = self.pause.0.lock();
        if !self.is_over() {
            self.pause.1.wait_for(&mut held, at_most);
        }
    }
}
