//! The way in: a [`Client`] opens writers, readers, holds and fetchers of the shards of one location.
//!
//! A client owns what its handles share: clock, ids, settings, one cached state per shard, and the
//! background threads (heartbeats, polling, rollups, garbage collection, compaction), which a test replaces
//! by steps of its own. Must not know state transitions.
//!
//! Invariants:
//! 1. One cached state per shard that somebody has a handle of, and it never goes back.
//! 2. Opening a shard with another codec than its own has no effect but the error (SH-25).
//! 3. Handles own their shard, and shards own what is common; nothing of that owns them. With the last clone and
//!    handle all of it goes, threads and stores too.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::applier::{ShardCell, ShardError};
use crate::background::Background;
use crate::clock::Clock;
use crate::critical::SinceHandle;
use crate::fetch::{BatchFetcher, MemoryGate};
use crate::ids::{CriticalId, IdSource, ShardId, WriterId};
use crate::location::Location;
use crate::mutant::Mutant;
use crate::read::ReadHandle;
use crate::settings::{LiveSettings, Settings};
use crate::time::Frontier;
use crate::uploads::Uploads;
use crate::write::WriteHandle;

/// Who does the work that nobody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maintenance {
    /// Threads of the client.
    Background,
    /// Nobody, until [`Client::step_maintenance`] is called.
    Manual,
}

/// How a client is made. [`ClientConfig::default`] is for production.
#[derive(Debug)]
pub struct ClientConfig {
    /// Where time comes from.
    pub clock: Clock,
    /// Where fresh ids come from.
    pub ids: IdSource,
    /// Numbers that may change while it runs.
    pub settings: Settings,
    /// Who does rollups, garbage collection, compaction, heartbeats and polling.
    pub maintenance: Maintenance,
    /// Host and process, as shown to people who look who holds a shard.
    pub hostname: String,
    #[doc(hidden)]
    pub mutant: Mutant,
}

impl Default for ClientConfig {
    fn default() -> ClientConfig {
        let host = nix::unistd::gethostname()
            .ok()
            .and_then(|h| h.into_string().ok())
            .unwrap_or_default();
        ClientConfig {
            clock: Clock::system(),
            ids: IdSource::random(),
            settings: Settings::default(),
            maintenance: Maintenance::Background,
            hostname: format!("{host}/{}", std::process::id()),
            mutant: Mutant::None,
        }
    }
}

impl ClientConfig {
    /// Everything by hand: a clock that stands still at `now_ms`, ids from `seed`, no background work, and upkeep that
    /// waits for nobody's commit.
    pub fn manual(now_ms: u64, seed: u64) -> ClientConfig {
        ClientConfig {
            clock: Clock::manual(now_ms),
            ids: IdSource::seeded(seed),
            settings: Settings {
                upkeep_ride_ms: 0,
                ..Settings::default()
            },
            maintenance: Maintenance::Manual,
            hostname: format!("test/{seed}"),
            mutant: Mutant::None,
        }
    }
}

impl Env {
    /// The shard, if somebody has a handle of it.
    pub(crate) fn opened(&self, shard: ShardId) -> Option<Arc<ShardCell>> {
        self.cells.lock().get(&shard).and_then(Weak::upgrade)
    }

    /// All shards that somebody has a handle of.
    pub(crate) fn all_opened(&self) -> Vec<Arc<ShardCell>> {
        self.cells.lock().values().filter_map(Weak::upgrade).collect()
    }
}

/// What all handles of a client share.
#[derive(Debug)]
pub(crate) struct Env {
    pub(crate) location: Location,
    pub(crate) clock: Clock,
    pub(crate) ids: IdSource,
    pub(crate) settings: LiveSettings,
    pub(crate) maintenance: Maintenance,
    pub(crate) hostname: String,
    pub(crate) mutant: Mutant,
    /// Shards that somebody has a handle of.
    pub(crate) cells: Mutex<BTreeMap<ShardId, Weak<ShardCell>>>,
    pub(crate) memory: MemoryGate,
    pub(crate) background: Background,
    pub(crate) uploads: Uploads,
    /// Waits for versions that began, ever: tells the poller that there is somebody new.
    pub(crate) waits: AtomicU64,
    /// Waits that go on: where there are none, nobody polls.
    pub(crate) waiting: AtomicUsize,
}

/// A connection to one location. Clones share everything; background threads end with the last clone and
/// handle.
#[derive(Clone)]
pub struct Client {
    pub(crate) env: Arc<Env>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.env.location.name())
    }
}

impl Client {
    /// A client of `location`.
    pub fn new(location: Location, config: ClientConfig) -> Client {
        let memory = MemoryGate::new();
        let env = Arc::new(Env {
            location,
            clock: config.clock,
            ids: config.ids,
            settings: LiveSettings::new(config.settings),
            maintenance: config.maintenance,
            hostname: config.hostname,
            mutant: config.mutant,
            cells: Mutex::new(BTreeMap::new()),
            memory,
            background: Background::default(),
            uploads: Uploads::default(),
            waits: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
        });
        if config.maintenance == Maintenance::Background {
            Background::start(&env);
        }
        Client { env }
    }

    /// A fresh shard id.
    pub fn fresh_shard(&self) -> ShardId {
        self.env.ids.shard()
    }

    /// The numbers that may change while this client runs.
    pub fn settings(&self) -> &LiveSettings {
        &self.env.settings
    }

    /// The clock of this client.
    pub fn clock(&self) -> &Clock {
        &self.env.clock
    }

    /// The location of this client.
    pub fn location(&self) -> &Location {
        &self.env.location
    }

    /// Opens a writer; the shard is made if it does not exist. Nothing durable is held before its first
    /// write. `purpose` is for people.
    pub async fn open_writer(
        &self,
        shard: ShardId,
        codec: &str,
        purpose: &str,
    ) -> Result<WriteHandle, ShardError> {
        let cell = self.cell(shard, codec).await?;
        Ok(WriteHandle::new(cell, purpose))
    }

    /// Opens a writer under an id chosen by the caller: one that may have written before.
    pub async fn open_writer_as(
        &self,
        shard: ShardId,
        codec: &str,
        id: WriterId,
        purpose: &str,
    ) -> Result<WriteHandle, ShardError> {
        let cell = self.cell(shard, codec).await?;
        Ok(WriteHandle::with_id(cell, id, purpose))
    }

    /// Opens a reader that holds the shard's since and its current parts under a lease; the shard is made if
    /// it does not exist. `purpose` is for people who ask who holds the shard.
    pub async fn open_leased_reader(
        &self,
        shard: ShardId,
        codec: &str,
        purpose: &str,
    ) -> Result<ReadHandle, ShardError> {
        let cell = self.cell(shard, codec).await?;
        ReadHandle::register(cell, purpose).await
    }

    /// Opens the critical reader `id`: a hold on since that no lease ends. Write the id down durably
    /// *before* calling this: nobody can find an unknown hold later.
    pub async fn open_critical_since(
        &self,
        shard: ShardId,
        codec: &str,
        id: CriticalId,
        purpose: &str,
    ) -> Result<SinceHandle, ShardError> {
        let cell = self.cell(shard, codec).await?;
        SinceHandle::register(cell, id, purpose).await
    }

    /// Something that turns parts handed out by readers, of this or another process, into updates. Holds
    /// nothing durable.
    pub async fn create_batch_fetcher(
        &self,
        shard: ShardId,
        codec: &str,
    ) -> Result<BatchFetcher, ShardError> {
        let cell = self.cell(shard, codec).await?;
        Ok(BatchFetcher::new(cell))
    }

    /// Ends a shard for good and leaves a tombstone.
    ///
    /// Its since and its upper must be closed (by an append to, and downgrades to, the closed frontier), or
    /// it must never have been written; otherwise [`ShardError::NotFinalizable`].
    pub async fn finalize(&self, shard: ShardId, codec: &str) -> Result<(), ShardError> {
        let cell = self.cell(shard, codec).await?;
        cell.finalize().await
    }

    /// The newest upper of a shard, asked from the store.
    pub async fn recent_upper(&self, shard: ShardId, codec: &str) -> Result<Frontier, ShardError> {
        let cell = self.cell(shard, codec).await?;
        cell.fetch().await?;
        Ok(cell.current().upper())
    }

    /// Does the maintenance that became due on `shard` (rollup, garbage collection, compaction, expiry of
    /// dropped readers), and says what was done. For [`Maintenance::Manual`].
    ///
    /// Of a shard that nobody has a handle of any more nothing is known to be due: what its last reader held goes
    /// with the lease, unless it was expired by [`ReadHandle::expire`].
    pub async fn step_maintenance(&self, shard: ShardId) -> Result<crate::maintenance::Done, ShardError> {
        let Some(cell) = self.env.opened(shard) else {
            return Ok(crate::maintenance::Done::default());
        };
        crate::maintenance::step(&cell).await
    }

    pub(crate) async fn cell(&self, shard: ShardId, codec: &str) -> Result<Arc<ShardCell>, ShardError> {
        if let Some(cell) = self.env.opened(shard) {
            cell.check_codec(codec)?;
            return Ok(cell);
        }
        let ours = ShardCell::open(&self.env, shard, codec).await?;
        let cell = {
            let mut cells = self.env.cells.lock();
            match cells.get(&shard).and_then(Weak::upgrade) {
                Some(theirs) => theirs,
                None => {
                    cells.insert(shard, Arc::downgrade(&ours));
                    Arc::clone(&ours)
                }
            }
        };
        cell.check_codec(codec)?;
        Ok(cell)
    }
}
