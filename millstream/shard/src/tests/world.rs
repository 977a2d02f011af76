//! The common fixture: one shard over scripted stores, maintenance by hand, nothing inline.

use std::future::Future;

use crate::clock::Clock;
use crate::ids::{IdSource, ShardId};
use crate::mutant::Mutant;
use crate::settings::Settings;
use crate::testing::faulty::Faulty;
use crate::testing::invariants::Log;
use crate::testing::sim::{Outcome, Sim};
use crate::{
    AppendError, Client, ClientConfig, Frontier, Maintenance, ReadError, ReadHandle, Update, WriteHandle,
};

pub(super) const CODEC: &str = "utf8";

/// A scenario's answer: what did not hold, in words.
pub(super) type Proof = Result<(), String>;

macro_rules! ensure {
    ($condition:expr, $($why:tt)+) => {
        if !$condition {
            return Err(format!($($why)+));
        }
    };
}
pub(super) use ensure;

/// One location, one shard, one first process; more processes on demand.
pub(super) struct World {
    pub(super) stores: Faulty,
    pub(super) sim: Sim,
    pub(super) clock: Clock,
    pub(super) client: Client,
    pub(super) shard: ShardId,
    settings: Settings,
    mutant: Mutant,
    processes: u64,
}

pub(super) fn at(time: u64) -> Frontier {
    Frontier::At(time)
}

pub(super) fn rows(rows: &[(&str, u64, i64)]) -> Vec<Update> {
    rows.iter()
        .map(|(row, time, diff)| Update::new(*row, *time, *diff))
        .collect()
}

impl World {
    pub(super) fn new(mutant: Mutant) -> World {
        World::with(mutant, World::settings())
    }

    /// Every part a blob, rollups often, nothing rewritten but when asked for, and upkeep that waits for nobody's commit.
    pub(super) fn settings() -> Settings {
        Settings {
            upkeep_ride_ms: 0,
            inline_part_bytes: 0,
            rollup_threshold: 8,
            compaction: crate::CompactionSettings {
                enabled: false,
                ..Settings::default().compaction
            },
            ..Settings::default()
        }
    }

    pub(super) fn with(mutant: Mutant, settings: Settings) -> World {
        let clock = Clock::manual(1_000_000);
        let stores = Faulty::new();
        let client = client(&stores, &clock, &settings, mutant, 1);
        let shard = client.fresh_shard();
        stores.watch(shard);
        World {
            sim: Sim::new(clock.clone()),
            stores,
            clock,
            client,
            shard,
            settings,
            mutant,
            processes: 1,
        }
    }

    /// Another process on the same stores, with its own cache, and with a fault script of its own.
    pub(super) fn process(&mut self) -> (Client, Faulty) {
        self.processes += 1;
        let stores = self.stores.another_process();
        stores.watch(self.shard);
        (
            client(&stores, &self.clock, &self.settings, self.mutant, self.processes),
            stores,
        )
    }

    pub(super) fn run<T: Send + 'static>(&mut self, future: impl Future<Output = T> + Send + 'static) -> T {
        self.sim.run(future)
    }

    /// Runs a future that must end without time passing.
    pub(super) fn run_now<T: Send + 'static>(
        &mut self,
        future: impl Future<Output = Result<T, String>> + Send + 'static,
    ) -> Result<T, String> {
        let outcome = self.sim.spawn(future);
        self.sim.settle();
        outcome
            .take()
            .ok_or_else(|| "it waits for time to pass".to_owned())?
    }

    pub(super) fn spawn<T: Send + 'static>(
        &mut self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Outcome<T> {
        self.sim.spawn(future)
    }

    pub(super) fn writer(&mut self) -> WriteHandle {
        let client = self.client.clone();
        self.writer_of(&client)
    }

    pub(super) fn writer_of(&mut self, client: &Client) -> WriteHandle {
        let (client, shard) = (client.clone(), self.shard);
        self.run(async move { client.open_writer(shard, CODEC, "test").await })
            .expect("the shard opens")
    }

    pub(super) fn reader(&mut self) -> ReadHandle {
        let client = self.client.clone();
        self.reader_of(&client)
    }

    pub(super) fn reader_of(&mut self, client: &Client) -> ReadHandle {
        let (client, shard) = (client.clone(), self.shard);
        self.run(async move { client.open_leased_reader(shard, CODEC, "test").await })
            .expect("the shard opens")
    }

    /// Appends `[lower, upper)` through a borrowed writer.
    pub(super) fn append(
        &mut self,
        writer: &WriteHandle,
        updates: &[(&str, u64, i64)],
        lower: u64,
        upper: u64,
    ) -> Result<(), AppendError> {
        let writer = writer.same();
        let updates = rows(updates);
        self.run(async move { writer.compare_and_append(&updates, at(lower), at(upper)).await })
    }

    /// Moves the upper by one, without data.
    pub(super) fn append_empty(&mut self, writer: &WriteHandle) -> Result<(), AppendError> {
        let same = writer.same();
        self.run(async move {
            let Frontier::At(upper) = same.fetch_upper().await? else {
                return Ok(());
            };
            same.compare_and_append(&[], at(upper), at(upper + 1)).await
        })
    }

    /// The contents at `as_of` as a reader of a fresh process sees them.
    pub(super) fn contents(&mut self, as_of: u64) -> Result<Vec<Update>, ReadError> {
        let (client, _) = self.process();
        let shard = self.shard;
        self.run(async move {
            let reader = client.open_leased_reader(shard, CODEC, "contents").await?;
            let contents = reader.snapshot_and_fetch(as_of).await;
            let mut scanned = Vec::new();
            let scan = reader
                .snapshot_each(as_of, &mut |u| {
                    scanned.push(Update::new(u.row, u.time, u.diff));
                    true
                })
                .await;
            reader.expire().await?;
            let contents = contents?;
            scan?;
            assert_eq!(
                scanned, contents,
                "a scan in order at {as_of} differs from all parts added up"
            );
            Ok(contents)
        })
    }

    pub(super) fn upper(&mut self) -> Frontier {
        let client = self.client.clone();
        let shard = self.shard;
        self.run(async move { client.recent_upper(shard, CODEC).await })
            .expect("the shard opens")
    }

    pub(super) fn step_maintenance(&mut self) -> crate::Done {
        let (client, shard) = (self.client.clone(), self.shard);
        self.run(async move { client.step_maintenance(shard).await })
            .expect("maintenance runs")
    }

    pub(super) fn collect(&mut self) -> Option<crate::gc::Collected> {
        let (client, shard) = (self.client.clone(), self.shard);
        self.run(async move { client.collect_garbage(shard).await })
            .expect("collection runs")
    }

    pub(super) fn compact(&mut self) -> usize {
        let (client, shard) = (self.client.clone(), self.shard);
        self.run(async move { client.compact(shard).await })
            .expect("compaction runs")
    }

    /// What the stores hold, replayed.
    pub(super) fn log(&self) -> Result<Log, String> {
        let log = Log::read(self.shard, &self.stores.consensus, &self.stores.blob)?;
        log.ok_or_else(|| "the shard does not exist".to_owned())
    }

    /// Blobs that nothing references.
    pub(super) fn leaked(&self) -> Result<Vec<String>, String> {
        let referenced = self.log()?.referenced();
        let keys = self.stores.blob.keys(&format!("{}/", self.shard));
        Ok(keys.into_iter().filter(|key| !referenced.contains(key)).collect())
    }

    /// [`World::sound`], where a shard that was never made is sound too.
    pub(super) fn sound_if_made(&self) -> Proof {
        match Log::read(self.shard, &self.stores.consensus, &self.stores.blob)? {
            None => Ok(()),
            Some(_) => self.sound(),
        }
    }

    /// The invariants of the log held after every change so far.
    pub(super) fn sound(&self) -> Proof {
        match self.stores.broken() {
            Some(broken) => Err(broken),
            None => self.log()?.check(&self.stores.blob),
        }
    }
}

fn client(stores: &Faulty, clock: &Clock, settings: &Settings, mutant: Mutant, process: u64) -> Client {
    let config = ClientConfig {
        clock: clock.clone(),
        ids: IdSource::seeded(process),
        settings: settings.clone(),
        maintenance: Maintenance::Manual,
        hostname: format!("host/{process}"),
        mutant,
    };
    Client::new(stores.location(), config)
}
