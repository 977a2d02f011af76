//! How fast the shard source is, as ratios within one run.
//!
//! - `scaling`: rows a second on 2 workers against 2 cores divided by the CPU seconds a row takes on 1
//!   worker. Below 0.8 the source waits instead of working.
//! - `concurrency`: parts of 1 MB from a store that takes 20 ms, with 4 and 16 fetches under way, against
//!   as many times the sequential rate.
//! - `latency`: from the acknowledgement of an append to its row out of the source, over memory.
//!
//! Run with `cargo bench -p millstream-dataflow --bench source`; one line a figure:
//! `name value unit target verdict`.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dataflow::{ErrorHandler, ShardInput, SourceOptions, shard_source};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use parking_lot::Mutex;
use shard::store::mem::{MemBlob, MemConsensus};
use shard::store::{Blob, StoreError};
use shard::{Client, ClientConfig, Clock, Frontier, Location, ShardId, Update};
use timely::communication::Config;
use timely::dataflow::operators::{Inspect, Probe};

const CODEC: &str = "bytes";
const ROW_BYTES: usize = 100;

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

struct Bench {
    runtime: tokio::runtime::Runtime,
    client: Client,
    shard: ShardId,
}

impl Bench {
    fn new(delay: Duration) -> Bench {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_time()
            .build();
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
            runtime: runtime.expect("a runtime"),
            client,
            shard,
        }
    }

    /// `batches` batches of `rows` rows each, one a time.
    fn fill(&self, batches: u64, rows: u64) {
        self.runtime.block_on(async {
            let writer = self
                .client
                .open_writer(self.shard, CODEC, "bench")
                .await
                .expect("opens");
            for time in 0..batches {
                let updates: Vec<Update> = (0..rows)
                    .map(|n| {
                        let mut row = vec![b'x'; ROW_BYTES];
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

    /// Reads up to `upper` on `workers` workers; wall and CPU microseconds.
    fn read(&self, workers: usize, upper: u64) -> (u64, u64) {
        let input = ShardInput {
            runtime: self.runtime.handle().clone(),
            client: self.client.clone(),
            shard: self.shard,
            codec: CODEC.to_owned(),
        };
        let communication = if workers == 1 {
            Config::Thread
        } else {
            Config::Process(workers)
        };
        let config = timely::Config {
            communication,
            worker: timely::WorkerConfig::default(),
        };
        let (wall, cpu) = (Clock::monotonic_us(), cpu_us());
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
        });
        drop(guards.expect("workers start"));
        (Clock::monotonic_us() - wall, cpu_us() - cpu)
    }
}

fn panicking() -> ErrorHandler {
    ErrorHandler::Signal(Arc::new(|error| panic!("{error}")))
}

/// CPU time of this process.
fn cpu_us() -> u64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("own usage");
    let total = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    u64::try_from(total).expect("not negative")
}

/// Prints a figure; `least` is the target.
fn report(name: &str, permille: u64, least: u64) {
    let verdict = if permille >= least { "ok" } else { "below" };
    println!(
        "{name} {}.{:03} ratio {}.{:03} {verdict}",
        permille / 1000,
        permille % 1000,
        least / 1000,
        least % 1000
    );
}

fn scaling() {
    let (batches, rows) = (64, 10_000);
    let bench = Bench::new(Duration::ZERO);
    bench.fill(batches, rows);
    let total = batches * rows;
    bench.read(1, batches);
    let (wall_one, cpu_one) = bench.read(1, batches);
    let (wall_two, cpu_two) = bench.read(2, batches);
    println!(
        "scaling.one_worker {} rows/s, {} ns CPU a row",
        total * 1_000_000 / wall_one,
        cpu_one * 1000 / total
    );
    println!(
        "scaling.two_workers {} rows/s, {} ns CPU a row",
        total * 1_000_000 / wall_two,
        cpu_two * 1000 / total
    );
    // Two cores could read a row each `cpu_one / 2 / total` seconds.
    report("scaling", 1000 * (cpu_one / 2) / wall_two, 800);
}

fn concurrency() {
    let (batches, rows) = (48, 10_000);
    let bench = Bench::new(Duration::from_millis(20));
    bench.fill(batches, rows);
    let wall = |fetches: usize| {
        bench
            .client
            .settings()
            .update(&mut |settings| settings.fetch_concurrency = fetches);
        bench.read(1, batches).0
    };
    let one = wall(1);
    println!("concurrency.1 {} parts/s of 1 MB", batches * 1_000_000 / one);
    for fetches in [4, 16] {
        let many = wall(fetches);
        let ideal = u64::try_from(fetches).expect("small");
        println!("concurrency.{fetches} {} parts/s", batches * 1_000_000 / many);
        report(&format!("concurrency.{fetches}"), 1000 * one / many / ideal, 800);
    }
}

fn latency() {
    let bench = Bench::new(Duration::ZERO);
    let (sender, seen) = channel();
    let sender = Mutex::new(sender);
    let input = ShardInput {
        runtime: bench.runtime.handle().clone(),
        client: bench.client.clone(),
        shard: bench.shard,
        codec: CODEC.to_owned(),
    };
    let rounds = 2_000;
    let worker_thread = timely::execute(timely::Config::thread(), move |worker| {
        let sender = sender.lock().clone();
        let input = input.clone();
        let (token, probe) = worker.dataflow::<u64, _, _>(|scope| {
            let source = shard_source(scope, input, SourceOptions::new("latency", panicking()));
            let rows = source
                .rows
                .inspect(move |_| sender.send(Clock::monotonic_us()).expect("the bench listens"));
            (source.token, rows.probe().0)
        });
        while probe.less_than(&rounds) {
            worker.step_or_park(None);
        }
        drop(token);
    })
    .expect("a worker starts");
    let mut took: Vec<u64> = Vec::new();
    for time in 0..rounds {
        bench.runtime.block_on(async {
            let writer = bench
                .client
                .open_writer(bench.shard, CODEC, "bench")
                .await
                .expect("opens");
            let update = Update::new(vec![b'x'; ROW_BYTES], time, 1);
            writer
                .compare_and_append(&[update], Frontier::At(time), Frontier::At(time + 1))
                .await
                .expect("appends");
        });
        let acknowledged = Clock::monotonic_us();
        let came = seen.recv().expect("the source lives");
        took.push(came.saturating_sub(acknowledged));
    }
    drop(worker_thread);
    took.sort_unstable();
    let (median, p99) = (took[took.len() / 2], took[took.len() * 99 / 100]);
    let verdict = if median <= 2_000 { "ok" } else { "above" };
    println!("latency.median {median} us 2000 {verdict}");
    println!("latency.p99 {p99} us");
}

fn main() {
    scaling();
    concurrency();
    latency();
}
