//! Numbers that may change while the program runs.
//!
//! A [`Settings`] value is read at each use, so a change takes effect at the next one. Must not know who
//! reads it.

use std::sync::Arc;

use parking_lot::RwLock;

/// What makes a run of batches worth rewriting, and what rewriting may cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactionSettings {
    /// Whether appends ask for compaction at all.
    pub enabled: bool,
    /// Batches of one size class in a run before it is rewritten.
    pub min_inputs: usize,
    /// Parts in a run before it is rewritten.
    pub min_parts: usize,
    /// Batches in a run that holds nothing but inline parts before it is rewritten (in each shard a quarter more or less, so
    /// that shards written in step are not all rewritten at once): they cost no fetch, and each rewrite a commit,
    pub min_inline_inputs: usize,
    /// or bytes of its parts, which then are worth a blob of their own.
    pub min_inline_bytes: u64,
    /// Ratio of sizes of adjacent size classes.
    pub fanout: u64,
    /// A rewrite of blobs, and the deletion of what it replaced, wait this long for a pause in the uploads of appends, which
    /// they would slow down;
    pub yields_ms: u64,
    /// a rewrite not once its run has this many batches.
    pub yields_inputs: usize,
    /// Bytes of decoded parts a rewrite may hold at once.
    pub memory_bytes: u64,
}

/// Everything that can be tuned on a running client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// A leased reader may be silent for this long.
    pub reader_lease_ms: u64,
    /// A writer may be silent for this long.
    pub writer_lease_ms: u64,
    /// A critical reader is asked to downgrade at most this often.
    pub critical_downgrade_interval_ms: u64,
    /// Versions between two rollups.
    pub rollup_threshold: u64,
    /// Rollups and garbage collection wait this long for a commit of their shard to travel with before they commit by
    /// themselves, so that appends do not wait for them; 0: not at all.
    pub upkeep_ride_ms: u64,
    /// Diffs read in one scan.
    pub recent_diffs_limit: usize,
    /// A part is cut when its rows reach this many bytes.
    pub blob_target_bytes: usize,
    /// Uploads a batch builder may have in flight.
    pub outstanding_uploads: usize,
    /// A part smaller than this stays in the state.
    pub inline_part_bytes: u64,
    /// As long as all such parts together are smaller than this.
    pub inline_total_bytes: u64,
    /// Row bounds in statistics are cut to this many bytes.
    pub stats_bytes: usize,
    /// Deletes in flight during garbage collection.
    pub gc_delete_concurrency: usize,
    /// First wait of a listener between looks at the store.
    pub listen_backoff_ms: u64,
    /// Longest wait of a listener between looks at the store; also the poll interval of a location.
    pub listen_poll_ms: u64,
    /// Decoded bytes that fetches of one client may hold at once.
    pub fetch_memory_bytes: u64,
    /// Fetches in flight for one consumer.
    pub fetch_concurrency: usize,
    /// First wait before a failed store operation is tried again.
    pub retry_initial_ms: u64,
    /// Longest wait before a failed store operation is tried again.
    pub retry_max_ms: u64,
    /// A permanent store error is surfaced after this long.
    pub permanent_deadline_ms: u64,
    /// Rewriting of batches.
    pub compaction: CompactionSettings,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            reader_lease_ms: 15 * 60_000,
            writer_lease_ms: 60 * 60_000,
            critical_downgrade_interval_ms: 30_000,
            rollup_threshold: 128,
            upkeep_ride_ms: 20,
            recent_diffs_limit: 30 * 128,
            blob_target_bytes: 16 << 20,
            outstanding_uploads: 2,
            inline_part_bytes: 4096,
            inline_total_bytes: 1 << 20,
            stats_bytes: 64,
            gc_delete_concurrency: 32,
            listen_backoff_ms: 20,
            listen_poll_ms: 100,
            fetch_memory_bytes: 256 << 20,
            fetch_concurrency: 8,
            retry_initial_ms: 4,
            retry_max_ms: 4096,
            permanent_deadline_ms: 30_000,
            compaction: CompactionSettings {
                enabled: true,
                min_inputs: 8,
                min_parts: 8,
                min_inline_inputs: 32,
                min_inline_bytes: 16 << 10,
                fanout: 8,
                yields_ms: 2000,
                yields_inputs: 256,
                memory_bytes: 1 << 30,
            },
        }
    }
}

/// Settings that all handles of a client read and anyone may change.
#[derive(Clone, Debug, Default)]
pub struct LiveSettings {
    current: Arc<RwLock<Arc<Settings>>>,
}

impl LiveSettings {
    /// Starts from `settings`.
    pub fn new(settings: Settings) -> LiveSettings {
        LiveSettings {
            current: Arc::new(RwLock::new(Arc::new(settings))),
        }
    }

    /// The values as they are now.
    pub fn get(&self) -> Arc<Settings> {
        Arc::clone(&self.current.read())
    }

    /// Changes the values for every next use.
    pub fn update(&self, change: &mut dyn FnMut(&mut Settings)) {
        let mut current = self.current.write();
        let mut next = Settings::clone(&current);
        change(&mut next);
        *current = Arc::new(next);
    }
}
