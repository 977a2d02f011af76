//! A shard in memory, workers that move when told, a runtime that runs when told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dataflow::{Counters, ErrorHandler, FlowError, Hooks, Mutant, Row, RowUpdate, ShardInput, SourceOptions};
use parking_lot::Mutex;
use shard::store::Blob;
use shard::store::mem::{MemBlob, MemConsensus};
use shard::{Client, ClientConfig, Frontier, Location, SeqNo, ShardId, Update, WriteHandle};

use crate::gate::Gate;
use crate::puppets::Puppets;

pub(crate) const CODEC: &str = "bytes";

/// Rounds without any change after which a world is settled.
pub(crate) const QUIET_ROUNDS: usize = 3;
/// Rounds after which a world that still changes is broken.
pub(crate) const ROUNDS_MAX: usize = 20_000;
/// Turns each ready task gets in a round.
pub(crate) const TURNS: usize = 64;

/// Steps of maintenance after each append of a churn; what is left is done by the next.
const MAINTENANCE_STEPS: usize = 3;

/// What a source reported and counted, over all workers.
#[derive(Clone, Default)]
pub(crate) struct Watch {
    pub(crate) counters: Arc<Counters>,
    pub(crate) errors: Arc<Mutex<Vec<FlowError>>>,
}

impl Watch {
    pub(crate) fn handler(&self) -> ErrorHandler {
        let errors = Arc::clone(&self.errors);
        ErrorHandler::Signal(Arc::new(move |error| errors.lock().push(error.clone())))
    }

    pub(crate) fn errors(&self) -> Vec<FlowError> {
        self.errors.lock().clone()
    }
}

/// Counters of each source, then frontier and number of rows of each source on each worker, then waiting
/// gets.
type Picture = (
    Vec<Vec<(&'static str, i64)>>,
    Vec<Vec<(Option<u64>, usize)>>,
    usize,
);

/// Everything a scenario needs.
pub(crate) struct World {
    pub(crate) runtime: Arc<tokio::runtime::Runtime>,
    pub(crate) gate: Gate,
    pub(crate) blobs: Arc<MemBlob>,
    pub(crate) client: Client,
    pub(crate) shard: ShardId,
    pub(crate) workers: Puppets,
    pub(crate) watches: Vec<Watch>,
    pub(crate) mutant: Mutant,
    /// Keeps the shard open, so that what a dropped reader leaves due is done by [`World::churn`], not with its lease.
    _opened: WriteHandle,
}

impl World {
    /// `workers` workers and an empty shard whose parts are all blobs and never rewritten.
    pub(crate) fn new(workers: usize, mutant: Mutant) -> World {
        let blobs = Arc::new(MemBlob::new());
        let gate = Gate::new(Arc::clone(&blobs) as Arc<dyn Blob>);
        let location = Location::of("test", Arc::new(gate.clone()), Arc::new(MemConsensus::new()));
        let mut config = ClientConfig::manual(1_000_000, 1);
        config.settings.inline_part_bytes = 0;
        config.settings.inline_total_bytes = 0;
        config.settings.compaction.enabled = false;
        // Garbage is collected from rollup to rollup.
        config.settings.rollup_threshold = 4;
        let client = Client::new(location, config);
        let shard = client.fresh_shard();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime without io");
        let opened = runtime
            .block_on(client.open_writer(shard, CODEC, "open"))
            .expect("opens");
        World {
            _opened: opened,
            runtime: Arc::new(runtime),
            gate,
            blobs,
            client,
            shard,
            workers: Puppets::threads(workers),
            watches: Vec::new(),
            mutant,
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

    /// Waits for a future on this thread.
    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub(crate) fn writer(&self) -> WriteHandle {
        self.wait(self.client.open_writer(self.shard, CODEC, "test"))
            .expect("opens")
    }

    /// Appends `rows` as `(row, time, diff)` in one batch and moves the upper from `lower` to `upper`.
    pub(crate) fn append(&self, rows: &[(&str, u64, i64)], lower: u64, upper: Frontier) {
        let updates: Vec<Update> = rows
            .iter()
            .map(|(row, time, diff)| Update::new(*row, *time, *diff))
            .collect();
        let writer = self.writer();
        self.wait(writer.compare_and_append(&updates, Frontier::At(lower), upper))
            .expect("appends");
    }

    /// One batch a time, one row `t` each, for the times of `times`, which continue the shard.
    pub(crate) fn append_each(&self, times: std::ops::Range<u64>) {
        for time in times {
            self.append(&[(&format!("row {time}"), time, 1)], time, Frontier::At(time + 1));
        }
    }

    /// The blob keys of the parts by the lower of their batch, each list in order.
    pub(crate) fn keys_by_time(&self) -> BTreeMap<u64, Vec<String>> {
        let reader = self
            .wait(self.client.open_leased_reader(self.shard, CODEC, "keys"))
            .expect("opens");
        let Frontier::At(since) = reader.since() else {
            panic!("finalized")
        };
        let mut keys: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
        let parts = match reader.cached_upper().less_equal(since) {
            true => Vec::new(),
            false => self.wait(reader.snapshot(since)).expect("readable"),
        };
        let upper = reader.cached_upper();
        let mut listen = self.wait(reader.listen(since)).expect("listens");
        let mut all = parts;
        while listen.frontier() < upper {
            all.extend(
                self.wait(listen.next())
                    .expect("readable")
                    .expect("not closed")
                    .parts,
            );
        }
        for part in all {
            let lower = part.part().desc().lower.time().expect("open");
            if let Some(key) = part.part().key() {
                keys.entry(lower).or_default().insert(key.to_owned());
            }
        }
        drop(listen);
        self.wait(self.client.step_maintenance(self.shard))
            .expect("maintains");
        keys.into_iter()
            .map(|(time, keys)| (time, keys.into_iter().collect()))
            .collect()
    }

    /// The one blob key of the batch at `time`.
    pub(crate) fn key_at(&self, time: u64) -> String {
        let keys = self
            .keys_by_time()
            .remove(&time)
            .expect("a batch begins at this time");
        assert_eq!(keys.len(), 1, "one part a batch");
        keys.into_iter().next().expect("one")
    }

    /// Appends one row a time for `times`, rewriting batches and collecting garbage after each.
    pub(crate) fn churn(&self, times: std::ops::Range<u64>) {
        self.client.settings().update(&mut |settings| {
            settings.compaction.enabled = true;
            settings.compaction.min_inputs = 2;
            settings.compaction.min_parts = 2;
        });
        for time in times {
            self.append_each(time..time + 1);
            self.gate.let_new_pass(true);
            for _ in 0..MAINTENANCE_STEPS {
                self.wait(self.client.step_maintenance(self.shard))
                    .expect("maintains");
            }
            self.gate.let_new_pass(false);
        }
        self.client
            .settings()
            .update(&mut |settings| settings.compaction.enabled = false);
    }

    /// What the shard's since becomes when another reader lets go of everything before `to`: how far this
    /// world's sources let it.
    pub(crate) fn since_if_others_let_go(&self, to: u64) -> Frontier {
        let open = || {
            self.wait(self.client.open_leased_reader(self.shard, CODEC, "other"))
                .expect("opens")
        };
        let other = open();
        self.wait(other.downgrade_since(Frontier::At(to)))
            .expect("not expired");
        let since = {
            let probe = open();
            let since = probe.since();
            self.wait(probe.expire()).expect("expires");
            since
        };
        self.wait(other.expire()).expect("expires");
        since
    }

    /// The version of the shard's state.
    pub(crate) fn version(&self) -> SeqNo {
        self.state().seqno
    }

    /// The oldest version that a reader of the shard holds.
    pub(crate) fn oldest_hold(&self) -> SeqNo {
        self.state().seqno_since()
    }

    fn state(&self) -> Arc<shard::state::State> {
        let inspection = self.wait(self.client.inspect(self.shard)).expect("readable");
        inspection.expect("made").state
    }

    /// Lets so much time pass, with others at work, that every reader that is silent meanwhile loses its lease.
    pub(crate) fn outlive_leases(&self) {
        let minutes = self.client.settings().get().reader_lease_ms / 60_000;
        for _ in 0..=minutes {
            self.client.clock().advance(60_000);
            let other = self.client.open_leased_reader(self.shard, CODEC, "other");
            let other = self.wait(other).expect("opens");
            self.wait(other.expire()).expect("expires");
        }
    }

    /// Lets so much time pass that a listener moves its durable holds with its next batch.
    pub(crate) fn let_holds_move(&self) {
        let lease_ms = self.client.settings().get().reader_lease_ms;
        self.client.clock().advance(lease_ms / 4 + 1);
    }

    /// Whether the bytes of a part are still in the store.
    pub(crate) fn part_exists(&self, key: &str) -> bool {
        self.blobs.peek(key).is_some()
    }

    /// Sets how many fetches a worker may have under way.
    pub(crate) fn set_concurrency(&self, concurrency: usize) {
        self.client
            .settings()
            .update(&mut |settings| settings.fetch_concurrency = concurrency);
    }

    /// Installs a source on every worker; `change` adjusts the options. Answers its number.
    pub(crate) fn install(&mut self, change: impl FnOnce(&mut SourceOptions)) -> usize {
        self.install_hooked(change, |_| ())
    }

    pub(crate) fn install_hooked(
        &mut self,
        change: impl FnOnce(&mut SourceOptions),
        hook: impl FnOnce(&mut Hooks),
    ) -> usize {
        self.install_on(self.input(), change, hook)
    }

    pub(crate) fn install_on(
        &mut self,
        input: ShardInput,
        change: impl FnOnce(&mut SourceOptions),
        hook: impl FnOnce(&mut Hooks),
    ) -> usize {
        let watch = Watch::default();
        let mut options = SourceOptions::new(&format!("test{}", self.watches.len()), watch.handler());
        options.seed = 7;
        change(&mut options);
        let mut hooks = Hooks {
            counters: Some(Arc::clone(&watch.counters)),
            ..Hooks::mutant(self.mutant)
        };
        hook(&mut hooks);
        self.workers
            .on_all(move |stage| stage.install(input.clone(), options.clone(), hooks.clone()));
        self.watches.push(watch);
        self.watches.len() - 1
    }

    /// Gives every ready task its turns.
    pub(crate) fn drive(&self) {
        self.runtime.block_on(async {
            for _ in 0..TURNS {
                tokio::task::yield_now().await;
            }
        });
    }

    /// Steps every worker once.
    pub(crate) fn step(&self) {
        self.workers.on_all(|stage| stage.step());
    }

    /// Runs tasks and workers until nothing changes any more.
    ///
    /// Panics when that does not happen.
    pub(crate) fn settle(&self) {
        let mut quiet = 0;
        let mut before = self.picture();
        for _ in 0..ROUNDS_MAX {
            self.drive();
            self.step();
            let now = self.picture();
            quiet = if now == before { quiet + 1 } else { 0 };
            if quiet == QUIET_ROUNDS {
                return;
            }
            before = now;
        }
        panic!("the world does not settle");
    }

    /// Everything that can change, but for the number of schedules of an idle worker.
    fn picture(&self) -> Picture {
        let counters = self.watches.iter().map(|watch| watch.counters.all()).collect();
        let flows = self.workers.on_all(|stage| {
            stage
                .flows
                .iter()
                .map(|flow| (flow.frontier(), flow.rows.borrow().len()))
                .collect::<Vec<_>>()
        });
        (counters, flows, self.gate.waiting().len())
    }

    /// The frontier of source `flow` on each worker.
    pub(crate) fn frontiers(&self, flow: usize) -> Vec<Option<u64>> {
        self.workers.on_all(move |stage| stage.flows[flow].frontier())
    }

    /// Asserts that the frontier is this on every worker.
    #[track_caller]
    pub(crate) fn expect_frontier(&self, flow: usize, expected: Option<u64>) {
        let expected = vec![expected; self.workers.len()];
        assert_eq!(self.frontiers(flow), expected, "the frontier on each worker");
    }

    /// What came out of source `flow`, by worker.
    pub(crate) fn rows_by_worker(&self, flow: usize) -> Vec<Vec<RowUpdate>> {
        self.workers.on_all(move |stage| stage.flows[flow].rows())
    }

    /// What came out of source `flow` on all workers, consolidated, in order of time and row.
    pub(crate) fn rows(&self, flow: usize) -> Vec<(u64, String, i64)> {
        sorted(self.rows_by_worker(flow).concat())
    }

    /// Presses the buttons of `flow` on one worker.
    pub(crate) fn press(&self, worker: usize, flow: usize) {
        self.workers
            .on(worker, move |stage| drop(stage.flows[flow].token.take()));
    }

    /// Number of dataflows installed on each worker.
    pub(crate) fn installed(&self) -> Vec<usize> {
        self.workers
            .on_all(|stage| stage.worker.installed_dataflows().len())
    }

    /// Errors reported by source `flow`.
    pub(crate) fn errors(&self, flow: usize) -> Vec<FlowError> {
        self.watches[flow].errors()
    }
}

/// Consolidated and readable.
pub(crate) fn sorted(rows: Vec<(Row, u64, i64)>) -> Vec<(u64, String, i64)> {
    let mut sums: BTreeMap<(u64, String), i64> = BTreeMap::new();
    for (row, time, diff) in rows {
        *sums
            .entry((time, String::from_utf8_lossy(row.as_bytes()).into_owned()))
            .or_insert(0) += diff;
    }
    sums.into_iter()
        .filter(|(_, diff)| *diff != 0)
        .map(|((time, row), diff)| (time, row, diff))
        .collect()
}
