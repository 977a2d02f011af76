//! A blob store whose reads wait for the test's permission.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::store::{Blob, StoreError};

/// What a gated read answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// What the store holds.
    Through,
    /// That there is nothing.
    Missing,
}

#[derive(Debug, Default)]
struct Gates {
    closed: bool,
    permits: BTreeMap<String, Pass>,
    waiting: BTreeSet<String>,
    gets: u64,
}

/// A [`Blob`] whose `get` of a part waits, while the gate is closed, until that key is let through.
///
/// Rollups pass always. Order of completion is thereby a script.
#[derive(Clone, Debug)]
pub struct GatedBlob {
    inner: Arc<dyn Blob>,
    gates: Arc<Mutex<Gates>>,
    changed: Arc<Notify>,
}

impl GatedBlob {
    /// An open gate before `inner`.
    pub fn new(inner: Arc<dyn Blob>) -> GatedBlob {
        GatedBlob {
            inner,
            gates: Arc::default(),
            changed: Arc::default(),
        }
    }

    /// From now on every read of a part waits.
    pub fn close(&self) {
        self.gates.lock().closed = true;
    }

    /// Lets everyone through, now and later.
    pub fn open(&self) {
        self.gates.lock().closed = false;
        self.changed.notify_waiters();
    }

    /// Lets reads of `key` through, with this answer.
    pub fn permit(&self, key: &str, pass: Pass) {
        self.gates.lock().permits.insert(key.to_owned(), pass);
        self.changed.notify_waiters();
    }

    /// Keys somebody waits for.
    pub fn waiting(&self) -> Vec<String> {
        self.gates.lock().waiting.iter().cloned().collect()
    }

    /// Reads of parts begun so far.
    pub fn gets(&self) -> u64 {
        self.gates.lock().gets
    }
}

#[async_trait]
impl Blob for GatedBlob {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        if !key.contains("/p/") {
            return self.inner.get(key).await;
        }
        self.gates.lock().gets += 1;
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let pass = {
                let mut gates = self.gates.lock();
                let pass = gates
                    .permits
                    .get(key)
                    .copied()
                    .or_else(|| (!gates.closed).then_some(Pass::Through));
                match pass {
                    Some(_) => gates.waiting.remove(key),
                    None => gates.waiting.insert(key.to_owned()),
                };
                pass
            };
            match pass {
                Some(Pass::Missing) => return Ok(None),
                Some(Pass::Through) => return self.inner.get(key).await,
                None => {}
            }
            changed.await;
        }
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
