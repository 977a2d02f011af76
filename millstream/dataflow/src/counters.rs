//! What a source or sink has done so far, for whoever watches it.
//!
//! Why: waiting "until nothing changes for a while" is a guess. These counters tell whether anything is
//! between sender and receiver, so a test can wait until nothing is, and an operator of the system can
//! see what a frozen source holds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::Mutex;

/// A number that may go up and down, with the greatest value it ever had.
#[derive(Debug, Default)]
pub struct Gauge {
    now: AtomicI64,
    max: AtomicI64,
}

impl Gauge {
    /// Adds `n`, which may be negative.
    pub fn add(&self, n: i64) {
        let now = self.now.fetch_add(n, Ordering::SeqCst) + n;
        self.max.fetch_max(now, Ordering::SeqCst);
    }

    /// The value now.
    pub fn get(&self) -> i64 {
        self.now.load(Ordering::SeqCst)
    }

    /// The greatest value so far.
    pub fn max(&self) -> i64 {
        self.max.load(Ordering::SeqCst)
    }
}

macro_rules! counters {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: Gauge,)*
            leases_by_time: Mutex<BTreeMap<u64, usize>>,
        }

        impl $name {
            /// Every counter by name, in order of declaration.
            pub fn all(&self) -> Vec<(&'static str, i64)> {
                vec![$((stringify!($field), self.$field.get()),)*]
            }
        }
    };
}

counters! {
    /// Counters of one source or sink, over all workers of a process.
    Counters {
        /// Messages the listen task put into its channel.
        messages_sent,
        /// Messages the descriptions operator took out.
        messages_received,
        /// Part descriptions given to fetch tasks.
        requests_sent,
        /// Part descriptions taken by fetch tasks.
        requests_received,
        /// Fetches begun.
        fetches_started,
        /// Fetches that brought a part.
        fetches_finished,
        /// Fetches that failed.
        fetches_failed,
        /// Results fetch tasks put into their channels.
        results_sent,
        /// Results fetch operators took out.
        results_received,
        /// Parts handed to decoders.
        parts_emitted,
        /// Parts completely decoded.
        parts_decoded,
        /// Parts dropped after a failure.
        parts_discarded,
        /// Parts a filter made unnecessary to fetch.
        parts_filtered,
        /// Discarded parts fetched all the same, to audit the filter.
        parts_audited,
        /// Parts replaced by their number of rows.
        parts_replaced,
        /// Rows that came out.
        rows_emitted,
        /// Fetched parts in memory.
        parts_alive,
        /// Parts between the descriptions and the end of their decoding.
        parts_in_flight,
        /// Leases held by the descriptions operator.
        leases,
        /// Tasks alive.
        tasks,
        /// Progress messages the listen task sent.
        progress_forwarded,
        /// Runs of the descriptions operator.
        schedules_descriptions,
        /// Runs of the fetch operator.
        schedules_fetch,
        /// Runs of the decode operator.
        schedules_decode,
        /// Errors reported to the handler.
        errors_reported,
        /// Errors after the first of their worker.
        errors_suppressed,
        /// Interval descriptions minted by a sink.
        minted,
        /// Batches built by a sink.
        batches_built,
        /// Batches deleted by a sink.
        batches_deleted,
        /// Intervals appended by a sink.
        appends,
        /// Appends lost to another writer.
        appends_lost,
        /// Jobs given to sink tasks.
        jobs_sent,
        /// Jobs sink tasks finished and whose answers were taken.
        jobs_done,
    }
}

impl Counters {
    /// Leases held, by the time of their description.
    pub fn leases_by_time(&self) -> BTreeMap<u64, usize> {
        self.leases_by_time.lock().clone()
    }

    pub(crate) fn set_leases(&self, by_time: BTreeMap<u64, usize>) {
        let held: usize = by_time.values().sum();
        let held = i64::try_from(held).expect("leases fit in memory");
        self.leases.add(held - self.leases.get());
        *self.leases_by_time.lock() = by_time;
    }

    /// Whether no message, request or result is on its way and no fetch or job is under way.
    pub fn quiet(&self) -> bool {
        self.tasks.get() == 0
            || self.messages_sent.get() == self.messages_received.get()
                && self.requests_sent.get() == self.requests_received.get()
                && self.results_sent.get() == self.results_received.get()
                && self.parts_emitted.get() == self.parts_decoded.get() + self.parts_discarded.get()
                && self.jobs_sent.get() == self.jobs_done.get()
    }
}

/// A value that counts as alive until dropped.
#[derive(Debug)]
pub(crate) struct Alive {
    counters: Arc<Counters>,
    which: fn(&Counters) -> &Gauge,
}

impl Alive {
    pub(crate) fn new(counters: &Arc<Counters>, which: fn(&Counters) -> &Gauge) -> Self {
        which(counters).add(1);
        Alive {
            counters: Arc::clone(counters),
            which,
        }
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        (self.which)(&self.counters).add(-1);
    }
}
