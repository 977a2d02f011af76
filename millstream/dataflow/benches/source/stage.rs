//! What all parts share: a shard, a source that reads it, clocks, medians.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dataflow::{ErrorHandler, ShardInput, SourceOptions, shard_source};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use shard::store::mem::{MemBlob, MemConsensus};
use shard::store::{Blob, StoreError};
use shard::{Client, ClientConfig, Clock, Frontier, Location, ShardId, Update};
use timely::communication::Config;
use timely::dataflow::operators::Probe;

pub(crate) const CODEC: &str = "bytes";
/// Rounds of which the median counts.
pub(crate) const ROUNDS: usize = 7;

/// A store that takes its time before each answer.
#[derive(Debug)]
struct Slow {
    inner: MemBlob,
    delay: Duration,
}

#[async_trait]
impl Blob for Slow {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        self.inner.get(key).await
    }
    async fn set(&self, key: &str, value: Bytes) -> Result<(), StoreError> {
        self.inner.set(key, value).await
    }
    async fn delete(&self, key: &str) -> Result<Option<usize>, StoreError> {
        self.inner.delete(key).await
    }
    async fn list(&self, prefix: &str) -> Result<Vec<(String, usize)>, StoreError> {
        self.inner.list(prefix).await
    }
}

/// A shard in memory and a runtime.
pub(crate) struct Bench {
    pub(crate) runtime: tokio::runtime::Runtime,
    pub(crate) client: Client,
    pub(crate) shard: ShardId,
}

/// What reading a shard took, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Took {
    pub(crate) wall: u64,
    /// Of all threads.
    pub(crate) cpu: u64,
    /// What all threads together waited for a core that others had.
    pub(crate) queued: u64,
}

impl Took {
    /// The wall time without the share of it that threads which could run stood in the queue for a core. For work
    /// that never waits for anything else; own threads that queue behind each other count as well.
    pub(crate) fn wall_alone(self) -> u64 {
        self.wall * self.cpu / (self.cpu + self.queued).max(1)
    }
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .expect("a runtime")
}

impl Bench {
    /// An empty shard whose parts all take `delay` to fetch.
    pub(crate) fn new(delay: Duration) -> Bench {
        let blob = Arc::new(Slow {
            inner: MemBlob::new(),
            delay,
        });
        let location = Location::of("bench", blob, Arc::new(MemConsensus::new()));
        let mut config = ClientConfig::manual(1_000_000, 1);
        config.settings.inline_part_bytes = 0;
        config.settings.inline_total_bytes = 0;
        config.settings.compaction.enabled = false;
        let client = Client::new(location, config);
        let shard = client.fresh_shard();
        Bench {
            runtime: runtime(),
            client,
            shard,
        }
    }

    pub(crate) fn input(&self) -> ShardInput {
        ShardInput {
            runtime: self.runtime.handle().clone(),
            client: self.client.clone(),
            shard: self.shard,
            codec: CODEC.to_owned(),
        }
    }

    /// `batches` batches of `rows` rows of `row_bytes` each, one a time.
    pub(crate) fn fill(&self, batches: u64, rows: u64, row_bytes: usize) {
        self.runtime.block_on(async {
            let writer = self.client.open_writer(self.shard, CODEC, "bench").await;
            let writer = writer.expect("opens");
            for time in 0..batches {
                let updates: Vec<Update> = (0..rows)
                    .map(|n| {
                        let mut row = vec![b'x'; row_bytes];
                        row[..8].copy_from_slice(&(time * rows + n).to_be_bytes());
                        Update::new(row, time, 1)
                    })
                    .collect();
                let appended = writer
                    .compare_and_append(&updates, Frontier::At(time), Frontier::At(time + 1))
                    .await;
                appended.expect("appends");
            }
        });
    }

    /// Reads up to `upper` on `workers` workers.
    pub(crate) fn read(&self, workers: usize, upper: u64) -> Took {
        let communication = if workers == 1 {
            Config::Thread
        } else {
            Config::Process(workers)
        };
        let config = timely::Config {
            communication,
            worker: timely::WorkerConfig::default(),
        };
        let input = self.input();
        let workers_queued = Arc::new(AtomicU64::new(0));
        let queued = Arc::clone(&workers_queued);
        let before = (Clock::monotonic_us(), cpu_us(), queued_us("/proc/self/task"));
        let guards = timely::execute(config, move |worker| {
            let options = SourceOptions::new("bench", panicking());
            let input = input.clone();
            let (token, probe) = worker.dataflow::<u64, _, _>(|scope| {
                let source = shard_source(scope, input, options);
                let (probe, _) = source.rows.probe();
                (source.token, probe)
            });
            while probe.less_than(&upper) {
                worker.step_or_park(None);
            }
            drop(token);
            // This thread is about to end, and its account with it.
            queued.fetch_add(queued_of("/proc/thread-self"), Ordering::Relaxed);
        });
        drop(guards.expect("workers start"));
        Took {
            wall: Clock::monotonic_us() - before.0,
            cpu: cpu_us() - before.1,
            queued: workers_queued.load(Ordering::Relaxed)
                + queued_us("/proc/self/task").saturating_sub(before.2),
        }
    }
}

pub(crate) fn panicking() -> ErrorHandler {
    ErrorHandler::Signal(Arc::new(|error| panic!("{error}")))
}

/// CPU time of this process.
fn cpu_us() -> u64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("own usage");
    let total = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    u64::try_from(total).expect("not negative")
}

/// What the living threads of this process have waited for a core.
fn queued_us(tasks: &str) -> u64 {
    let tasks = std::fs::read_dir(tasks).into_iter().flatten().flatten();
    tasks.map(|task| queued_of(&task.path().to_string_lossy())).sum()
}

/// What one thread has waited for a core; nothing where the kernel does not say.
fn queued_of(task: &str) -> u64 {
    let stat = std::fs::read_to_string(format!("{task}/schedstat")).unwrap_or_default();
    let nanos = stat.split(' ').nth(1).and_then(|field| field.parse::<u64>().ok());
    nanos.unwrap_or(0) / 1000
}

/// The value in the middle.
pub(crate) fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values[values.len() / 2]
}

/// The value that so many of a hundred do not exceed.
pub(crate) fn percentile(mut values: Vec<u64>, of_hundred: usize) -> u64 {
    values.sort_unstable();
    values[(values.len() * of_hundred / 100).min(values.len() - 1)]
}

/// A number of thousandths as a decimal fraction.
pub(crate) fn decimal(thousandths: u64) -> String {
    format!("{}.{:02}", thousandths / 1000, thousandths % 1000 / 10)
}
