//! What is left of a client that was dropped: nothing in memory, and no reader in the store.

use std::ops::Range;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::applier::ShardCell;
use crate::client::Env;
use crate::rt::block_on;
use crate::store::mem::{MemBlob, MemConsensus};
use crate::store::{Blob, StoreError};
use crate::{Client, ClientConfig, Frontier, Location, Maintenance, Settings, ShardId, Update};

const CODEC: &str = "utf8";

/// Blobs in memory; whoever waits learns when the client lets go of them.
#[derive(Debug)]
struct Telling {
    blobs: Arc<MemBlob>,
    _dropped: Sender<()>,
}

#[async_trait]
impl Blob for Telling {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        self.blobs.get(key).await
    }
    async fn get_piece(&self, key: &str, range: Range<u64>) -> Result<Option<(Bytes, u32)>, StoreError> {
        self.blobs.get_piece(key, range).await
    }
    async fn set(&self, key: &str, value: Bytes) -> Result<(), StoreError> {
        self.blobs.set(key, value).await
    }
    async fn delete(&self, key: &str) -> Result<Option<usize>, StoreError> {
        self.blobs.delete(key).await
    }
    async fn list(&self, prefix: &str) -> Result<Vec<(String, usize)>, StoreError> {
        self.blobs.list(prefix).await
    }
}

/// Stores that outlive their clients.
struct Stores {
    blobs: Arc<MemBlob>,
    consensus: Arc<MemConsensus>,
}

impl Stores {
    fn new() -> Stores {
        Stores {
            blobs: Arc::new(MemBlob::new()),
            consensus: Arc::new(MemConsensus::new()),
        }
    }

    /// A client to whom something is due after every few appends, and what tells when it is gone.
    fn client(&self, maintenance: Maintenance) -> (Client, Receiver<()>) {
        let (dropped, gone) = channel();
        let blob = Telling {
            blobs: Arc::clone(&self.blobs),
            _dropped: dropped,
        };
        let location = Location::of("telling", Arc::new(blob), Arc::clone(&self.consensus) as _);
        let mut settings = Settings {
            rollup_threshold: 4,
            inline_part_bytes: 0,
            listen_poll_ms: 5,
            ..Settings::default()
        };
        settings.compaction.min_inputs = 4;
        let config = ClientConfig {
            settings,
            maintenance,
            ..ClientConfig::default()
        };
        (Client::new(location, config), gone)
    }
}

fn wait_until_gone(gone: &Receiver<()>) {
    let end = gone.recv_timeout(Duration::from_secs(60));
    assert_eq!(
        end,
        Err(RecvTimeoutError::Disconnected),
        "somebody still has its stores"
    );
}

/// Appends 40 times, reads, listens, and lets go of the handles.
async fn work(client: &Client, shard: ShardId) -> (Weak<Env>, Weak<ShardCell>) {
    let writer = client.open_writer(shard, CODEC, "test").await.unwrap();
    let reader = client.open_leased_reader(shard, CODEC, "test").await.unwrap();
    for time in 0..40 {
        let update = [Update::new(format!("{time}"), time, 1)];
        writer
            .compare_and_append(&update, Frontier::At(time), Frontier::At(time + 1))
            .await
            .unwrap();
        if client.env.maintenance == Maintenance::Manual {
            client.step_maintenance(shard).await.unwrap();
        }
    }
    assert_eq!(reader.snapshot_and_fetch(20).await.unwrap().len(), 21);
    let (parts, mut listen) = reader.subscribe(20).await.unwrap();
    let mut seen = 0;
    while listen.frontier() < Frontier::At(40) {
        seen += listen.fetch_next().await.unwrap().unwrap().0.len();
    }
    assert_eq!((seen, parts.is_empty()), (19, false));
    let cell = client.env.opened(shard).unwrap();
    (Arc::downgrade(&client.env), Arc::downgrade(&cell))
}

#[test]
fn a_dropped_client_frees_everything() {
    for maintenance in [Maintenance::Manual, Maintenance::Background] {
        let (client, gone) = Stores::new().client(maintenance);
        let shard = client.fresh_shard();
        let (env, _) = block_on(work(&client, shard));
        assert!(env.upgrade().is_some());
        let handle = block_on(client.open_writer(shard, CODEC, "the last")).unwrap();
        drop(client);
        assert!(env.upgrade().is_some(), "a handle needs what its client has");
        drop(handle);
        wait_until_gone(&gone);
        assert!(env.upgrade().is_none());
    }
}

#[test]
fn a_shard_without_handles_is_not_kept_in_memory() {
    let (client, _gone) = Stores::new().client(Maintenance::Manual);
    let shard = client.fresh_shard();
    let (_, cell) = block_on(work(&client, shard));
    assert!(cell.upgrade().is_none());
    assert!(client.env.cells.lock().is_empty());
    let again = block_on(client.open_writer(shard, CODEC, "again")).unwrap();
    assert_eq!(again.cached_upper(), Frontier::At(40));
    let same = block_on(client.open_writer(shard, CODEC, "the same")).unwrap();
    assert_eq!(client.env.cells.lock().len(), 1);
    drop((again, same));
    assert!(client.env.cells.lock().is_empty());
}

#[test]
fn a_reader_dropped_with_its_client_is_expired_all_the_same() {
    let stores = Stores::new();
    let (client, gone) = stores.client(Maintenance::Background);
    let shard = client.fresh_shard();
    let reader = block_on(client.open_leased_reader(shard, CODEC, "test")).unwrap();
    drop(client);
    drop(reader);
    wait_until_gone(&gone);
    let (other, _) = stores.client(Maintenance::Manual);
    let left = block_on(other.inspect(shard)).unwrap().unwrap();
    assert!(left.state.leased.is_empty(), "{:?}", left.state.leased);
}
