//! A consensus store whose compare-and-sets of one key fail by script.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use shard::SeqNo;
use shard::store::mem::MemConsensus;
use shard::store::{CasResult, Consensus, StoreError, Versioned};

/// What becomes of one compare-and-set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It happens, and nobody learns of it.
    DoneUnanswered,
    /// It does not happen, and nobody learns of it.
    LostUnanswered,
    /// Nobody learns of it; it happens after so many other operations of the store.
    Late(usize),
    /// As if there were no fault.
    None,
}

/// Wraps a memory store. Clones share the script.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faulty {
    inner: Arc<MemConsensus>,
    script: Arc<Mutex<(String, VecDeque<Fault>)>>,
    /// What is still on its way, with the operations until it arrives.
    late: Arc<Mutex<Vec<(usize, Attempt)>>>,
    /// The key of every attempt, in order.
    attempts: Arc<Mutex<Vec<String>>>,
}

/// The arguments of a compare-and-set.
type Attempt = (String, Option<SeqNo>, Versioned);

impl Faulty {
    /// The next compare-and-sets of keys that contain `key` go as `faults` say.
    pub(crate) fn script(&self, key: &str, faults: &[Fault]) {
        *self.script.lock() = (key.to_owned(), faults.iter().copied().collect());
    }

    /// Faults that did not happen yet.
    pub(crate) fn left(&self) -> usize {
        self.script.lock().1.len() + self.late.lock().len()
    }

    /// How many compare-and-sets of keys that contain `key` were tried.
    pub(crate) fn attempts(&self, key: &str) -> usize {
        let attempts = self.attempts.lock();
        attempts.iter().filter(|tried| tried.contains(key)).count()
    }

    /// One more operation: what is due arrives before it.
    async fn tick(&self) {
        let due: Vec<Attempt> = {
            let mut late = self.late.lock();
            late.iter_mut()
                .for_each(|(left, _)| *left = left.saturating_sub(1));
            late.extract_if(.., |(left, _)| *left == 0)
                .map(|(_, attempt)| attempt)
                .collect()
        };
        for (key, expected, new) in due {
            // Too late or not, nobody waits for the answer any more.
            let _ = self.inner.compare_and_set(&key, expected, new).await;
        }
    }
}

#[async_trait]
impl Consensus for Faulty {
    async fn head(&self, key: &str) -> Result<Option<Versioned>, StoreError> {
        self.tick().await;
        self.inner.head(key).await
    }

    async fn compare_and_set(
        &self,
        key: &str,
        expected: Option<SeqNo>,
        new: Versioned,
    ) -> Result<CasResult, StoreError> {
        self.tick().await;
        self.attempts.lock().push(key.to_owned());
        let fault = {
            let mut script = self.script.lock();
            if key.contains(script.0.as_str()) {
                script.1.pop_front()
            } else {
                None
            }
        };
        match fault.unwrap_or(Fault::None) {
            Fault::None => self.inner.compare_and_set(key, expected, new).await,
            Fault::LostUnanswered => Err(StoreError::indeterminate("scripted: lost")),
            Fault::Late(after) => {
                self.late
                    .lock()
                    .push((after.max(1), (key.to_owned(), expected, new)));
                Err(StoreError::indeterminate("scripted: late"))
            }
            Fault::DoneUnanswered => {
                self.inner.compare_and_set(key, expected, new).await?;
                Err(StoreError::indeterminate("scripted: done"))
            }
        }
    }

    async fn scan(&self, key: &str, from: SeqNo, limit: usize) -> Result<Vec<Versioned>, StoreError> {
        self.tick().await;
        self.inner.scan(key, from, limit).await
    }

    async fn truncate(&self, key: &str, to: SeqNo) -> Result<Option<usize>, StoreError> {
        self.tick().await;
        self.inner.truncate(key, to).await
    }

    async fn heads(&self) -> Result<Vec<(String, SeqNo)>, StoreError> {
        self.tick().await;
        self.inner.heads().await
    }
}
