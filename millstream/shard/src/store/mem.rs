//! Stores in memory. Clones share contents.
//!
//! Must not know about time or failure; the wrappers of [`crate::testing`] add those.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use super::{Blob, CasResult, Consensus, StoreError, Versioned, check_successor};
use crate::ids::SeqNo;

/// A [`Consensus`] in memory.
#[derive(Clone, Debug, Default)]
pub struct MemConsensus {
    logs: Arc<Mutex<BTreeMap<String, Vec<Versioned>>>>,
}

impl MemConsensus {
    /// An empty one.
    pub fn new() -> MemConsensus {
        MemConsensus::default()
    }

    /// All retained versions of `key`, at once and without awaiting.
    pub fn dump(&self, key: &str) -> Vec<Versioned> {
        self.logs.lock().get(key).cloned().unwrap_or_default()
    }
}

#[async_trait]
impl Consensus for MemConsensus {
    async fn head(&self, key: &str) -> Result<Option<Versioned>, StoreError> {
        Ok(self.logs.lock().get(key).and_then(|log| log.last().cloned()))
    }

    async fn compare_and_set(
        &self,
        key: &str,
        expected: Option<SeqNo>,
        new: Versioned,
    ) -> Result<CasResult, StoreError> {
        check_successor(expected, new.seqno)?;
        let mut logs = self.logs.lock();
        if logs.get(key).and_then(|log| log.last()).map(|v| v.seqno) != expected {
            return Ok(CasResult::ExpectationMismatch);
        }
        logs.entry(key.to_owned()).or_default().push(new);
        Ok(CasResult::Committed)
    }

    async fn scan(&self, key: &str, from: SeqNo, limit: usize) -> Result<Vec<Versioned>, StoreError> {
        let logs = self.logs.lock();
        let log = logs.get(key).map_or(&[][..], Vec::as_slice);
        Ok(log
            .iter()
            .filter(|v| v.seqno >= from)
            .take(limit)
            .cloned()
            .collect())
    }

    async fn truncate(&self, key: &str, to: SeqNo) -> Result<Option<usize>, StoreError> {
        let mut logs = self.logs.lock();
        let Some(log) = logs.get_mut(key) else {
            return Err(StoreError::determinate(format!("truncate of unknown key {key}")));
        };
        let newest = log.last().expect("a known key has a version").seqno;
        if to > newest {
            return Err(StoreError::determinate(format!(
                "truncate to {to} is beyond the newest, {newest}"
            )));
        }
        let before = log.len();
        log.retain(|v| v.seqno >= to);
        Ok(Some(before - log.len()))
    }

    async fn heads(&self) -> Result<Vec<(String, SeqNo)>, StoreError> {
        let logs = self.logs.lock();
        Ok(logs
            .iter()
            .filter_map(|(key, log)| log.last().map(|v| (key.clone(), v.seqno)))
            .collect())
    }
}

/// A [`Blob`] in memory.
#[derive(Clone, Debug, Default)]
pub struct MemBlob {
    blobs: Arc<Mutex<BTreeMap<String, Bytes>>>,
}

impl MemBlob {
    /// An empty one.
    pub fn new() -> MemBlob {
        MemBlob::default()
    }

    /// The bytes of `key`, at once and without awaiting.
    pub fn peek(&self, key: &str) -> Option<Bytes> {
        self.blobs.lock().get(key).cloned()
    }

    /// All keys that start with `prefix`, at once and without awaiting.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        self.blobs
            .lock()
            .keys()
            .filter(|k| k.starts_with(prefix))
            .cloned()
            .collect()
    }

    /// Replaces the bytes of `key` behind everyone's back; for tests of damage.
    pub fn poke(&self, key: &str, value: Bytes) {
        self.blobs.lock().insert(key.to_owned(), value);
    }

    /// Removes `key` behind everyone's back; for tests of loss.
    pub fn lose(&self, key: &str) {
        self.blobs.lock().remove(key);
    }
}

#[async_trait]
impl Blob for MemBlob {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        Ok(self.peek(key))
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<(), StoreError> {
        self.blobs.lock().insert(key.to_owned(), value);
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<Option<usize>, StoreError> {
        Ok(self.blobs.lock().remove(key).map(|value| value.len()))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<(String, usize)>, StoreError> {
        let blobs = self.blobs.lock();
        Ok(blobs
            .iter()
            .filter(|(k, _)| k.starts_with(prefix))
            .map(|(k, v)| (k.clone(), v.len()))
            .collect())
    }
}

#[cfg(test)]
mod tests;
