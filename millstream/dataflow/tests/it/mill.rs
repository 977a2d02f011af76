//! An input shard, an output shard, and replicas that keep the second equal to the first.
//!
//! Each replica has workers and a runtime of its own, so a script can let one run while the other stands.

use std::collections::BTreeMap;
use std::sync::Arc;

use dataflow::{Hooks, Mutant, RowCodec, ShardInput, SinkOptions, SourceOptions, WritePermission};
use shard::store::Blob;
use shard::store::mem::MemBlob;
use shard::{Client, ClientConfig, Frontier, Location, ReadHandle, ShardId, Update};

use crate::faults::Faulty;
use crate::gate::{Gate, is_part};
use crate::puppets::Puppets;
use crate::world::{CODEC, QUIET_ROUNDS, ROUNDS_MAX, TURNS, Watch};

/// One instance of the dataflow.
pub(crate) struct Replica {
    pub(crate) runtime: tokio::runtime::Runtime,
    pub(crate) workers: Puppets,
    pub(crate) source: Watch,
    pub(crate) sink: Watch,
}

/// How a replica is made.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) workers: usize,
    pub(crate) as_of: u64,
    pub(crate) writes: WritePermission,
    pub(crate) until: Frontier,
}

impl Default for Setup {
    fn default() -> Self {
        Setup {
            workers: 1,
            as_of: 0,
            writes: WritePermission::Now,
            until: Frontier::Closed,
        }
    }
}

pub(crate) struct Mill {
    pub(crate) gate: Gate,
    pub(crate) blobs: Arc<MemBlob>,
    pub(crate) consensus: Faulty,
    /// What the replicas read and write through.
    pub(crate) client: Client,
    /// What the test itself reads and writes through; the same unless the replicas' stores fail.
    judge: Client,
    pub(crate) input: ShardId,
    pub(crate) output: ShardId,
    pub(crate) replicas: Vec<Replica>,
    pub(crate) mutant: Mutant,
    /// For what the test itself does.
    runtime: tokio::runtime::Runtime,
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime without io")
}

impl Mill {
    pub(crate) fn new(mutant: Mutant) -> Mill {
        let blobs = Arc::new(MemBlob::new());
        let gate = Gate::new(Arc::clone(&blobs) as Arc<dyn Blob>);
        let consensus = Faulty::default();
        let location = Location::of("test", Arc::new(gate.clone()), Arc::new(consensus.clone()));
        let mut config = ClientConfig::manual(1_000_000, 1);
        config.settings.inline_part_bytes = 0;
        config.settings.inline_total_bytes = 0;
        config.settings.compaction.enabled = false;
        let client = Client::new(location, config);
        let judge = client.clone();
        Mill {
            gate,
            blobs,
            consensus,
            ..Mill::of(client, judge, mutant)
        }
    }

    /// Replicas over the client `client`, judged through `judge`. The store's gate and script have no say.
    pub(crate) fn of(client: Client, judge: Client, mutant: Mutant) -> Mill {
        let blobs = Arc::new(MemBlob::new());
        let (input, output) = (judge.fresh_shard(), judge.fresh_shard());
        Mill {
            gate: Gate::new(Arc::clone(&blobs) as Arc<dyn Blob>),
            blobs,
            consensus: Faulty::default(),
            client,
            judge,
            input,
            output,
            replicas: Vec::new(),
            mutant,
            runtime: runtime(),
        }
    }

    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Appends to a shard.
    pub(crate) fn append(&self, shard: ShardId, rows: &[(&str, u64, i64)], lower: u64, upper: Frontier) {
        let updates: Vec<Update> = rows
            .iter()
            .map(|(row, time, diff)| Update::new(*row, *time, *diff))
            .collect();
        self.wait(async {
            let writer = self.judge.open_writer(shard, CODEC, "test").await.expect("opens");
            writer
                .compare_and_append(&updates, Frontier::At(lower), upper)
                .await
                .expect("appends");
        });
    }

    pub(crate) fn upper(&self, shard: ShardId) -> Frontier {
        self.wait(self.judge.recent_upper(shard, CODEC))
            .expect("readable")
    }

    /// Asks for the upper so often: as many operations of the store.
    pub(crate) fn upper_often(&self, times: usize) {
        for _ in 0..times {
            self.upper(self.output);
        }
    }

    /// A shard's durable state.
    pub(crate) fn state(&self, shard: ShardId) -> Arc<shard::state::State> {
        let inspection = self.wait(self.judge.inspect(shard)).expect("readable");
        inspection.expect("made").state
    }

    pub(crate) fn hold(&self, shard: ShardId) -> ReadHandle {
        self.wait(self.judge.open_leased_reader(shard, CODEC, "judge"))
            .expect("opens")
    }

    /// What a shard holds at `time`, its rows as text without the leading tag if `tagged`.
    pub(crate) fn contents(&self, reader: &ReadHandle, time: u64, tagged: bool) -> BTreeMap<String, i64> {
        let updates = self.wait(reader.snapshot_and_fetch(time)).expect("readable");
        let mut sums = BTreeMap::new();
        for update in updates {
            let row = if tagged { &update.row[1..] } else { &update.row[..] };
            *sums.entry(String::from_utf8_lossy(row).into_owned()).or_insert(0) += update.diff;
        }
        sums.retain(|_, diff| *diff != 0);
        sums
    }

    /// Asserts that the output equals the input at every complete time from `from` on.
    #[track_caller]
    pub(crate) fn expect_equal(&self, input: &ReadHandle, output: &ReadHandle, from: u64) {
        let end = match (self.upper(self.output), self.upper(self.input)) {
            (Frontier::At(end), _) | (Frontier::Closed, Frontier::At(end)) => end,
            (Frontier::Closed, Frontier::Closed) => from + 40,
        };
        for time in from..end {
            let expected = self.contents(input, time, false);
            assert_eq!(
                self.contents(output, time, true),
                expected,
                "the output at {time} of {end}"
            );
        }
    }

    /// Keys of all parts of a shard that are in the store.
    pub(crate) fn stored_parts(&self, shard: ShardId) -> Vec<String> {
        let mut keys = self.blobs.keys(&format!("{shard}/"));
        keys.retain(|key| is_part(key));
        keys.sort();
        keys
    }

    /// Keys of all parts that a shard's contents refer to.
    pub(crate) fn referenced_parts(&self, reader: &ReadHandle) -> Vec<String> {
        let Frontier::At(upper) = self.upper(reader.shard()) else {
            panic!("closed")
        };
        let parts = self.wait(reader.snapshot(upper - 1)).expect("readable");
        let mut keys: Vec<String> = parts
            .iter()
            .filter_map(|part| part.part().key())
            .map(str::to_owned)
            .collect();
        keys.sort();
        keys
    }

    /// Starts a replica; answers its number.
    pub(crate) fn start(&mut self, setup: Setup) -> usize {
        let replica = Replica {
            runtime: runtime(),
            workers: Puppets::threads(setup.workers),
            source: Watch::default(),
            sink: Watch::default(),
        };
        let shard_input = |shard| ShardInput {
            runtime: replica.runtime.handle().clone(),
            client: self.client.clone(),
            shard,
            codec: CODEC.to_owned(),
        };
        let (input, output) = (shard_input(self.input), shard_input(self.output));
        let mut source = SourceOptions::new("input", replica.source.handler());
        source.as_of = Some(setup.as_of);
        source.codec = RowCodec::Plain;
        source.until = setup.until;
        let sink = SinkOptions {
            name: "view".to_owned(),
            as_of: setup.as_of,
            writes: setup.writes,
            errors: replica.sink.handler(),
        };
        let source_hooks = Hooks {
            counters: Some(Arc::clone(&replica.source.counters)),
            ..Hooks::default()
        };
        let sink_hooks = Hooks {
            counters: Some(Arc::clone(&replica.sink.counters)),
            ..Hooks::mutant(self.mutant)
        };
        replica.workers.on_all(move |stage| {
            let hooks = (source_hooks.clone(), sink_hooks.clone());
            stage.install_mill(
                (input.clone(), output.clone()),
                (source.clone(), sink.clone()),
                hooks,
            );
        });
        self.replicas.push(replica);
        self.replicas.len() - 1
    }

    /// Gives each ready task of a replica its turns, then steps its workers once.
    pub(crate) fn move_one(&self, replica: usize) {
        let replica = &self.replicas[replica];
        replica.runtime.block_on(async {
            for _ in 0..TURNS {
                tokio::task::yield_now().await;
            }
        });
        replica.workers.on_all(|stage| stage.step());
    }

    /// Runs the given replicas until nothing changes any more.
    pub(crate) fn settle_only(&self, which: &[usize]) {
        let picture = || -> Vec<_> {
            which
                .iter()
                .map(|replica| {
                    let replica = &self.replicas[*replica];
                    let frontiers = replica
                        .workers
                        .on_all(|stage| stage.mills.iter().map(|mill| mill.frontier()).collect::<Vec<_>>());
                    (
                        replica.source.counters.all(),
                        replica.sink.counters.all(),
                        frontiers,
                    )
                })
                .collect()
        };
        let mut before = picture();
        let mut quiet = 0;
        for _ in 0..ROUNDS_MAX {
            which.iter().for_each(|replica| self.move_one(*replica));
            let now = picture();
            quiet = if now == before { quiet + 1 } else { 0 };
            if quiet == QUIET_ROUNDS {
                return;
            }
            before = now;
        }
        panic!("the mill does not settle");
    }

    pub(crate) fn settle(&self) {
        self.settle_only(&(0..self.replicas.len()).collect::<Vec<_>>());
    }

    /// No replica reported anything.
    #[track_caller]
    pub(crate) fn expect_no_errors(&self) {
        for replica in &self.replicas {
            assert!(
                replica.source.errors().is_empty(),
                "{:?}",
                replica.source.errors()
            );
            assert!(replica.sink.errors().is_empty(), "{:?}", replica.sink.errors());
        }
    }
}
