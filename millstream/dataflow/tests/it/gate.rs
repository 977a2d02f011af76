//! A blob store whose answers the test decides.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use shard::store::{Blob, StoreError};
use tokio::sync::watch;

/// What a `get` of a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Waits for the test.
    Hold,
    /// Finds nothing.
    Missing,
    /// Finds the bytes with the byte at this position (from the end if negative) flipped.
    Flip(isize),
}

#[derive(Debug, Default)]
struct Rules {
    by_key: BTreeMap<String, Rule>,
    hold_all: bool,
    open: BTreeSet<String>,
    gets: Vec<String>,
    waiting: BTreeSet<String>,
}

/// Wraps a store. Clones share the rules.
#[derive(Clone, Debug)]
pub struct Gate {
    inner: Arc<dyn Blob>,
    rules: Arc<Mutex<Rules>>,
    changed: Arc<watch::Sender<u64>>,
}

impl Gate {
    pub fn new(inner: Arc<dyn Blob>) -> Gate {
        Gate {
            inner,
            rules: Arc::default(),
            changed: Arc::new(watch::channel(0).0),
        }
    }

    fn change(&self, change: impl FnOnce(&mut Rules)) {
        change(&mut self.rules.lock());
        self.changed.send_modify(|version| *version += 1);
    }

    pub fn set(&self, key: &str, rule: Rule) {
        self.change(|rules| drop(rules.by_key.insert(key.to_owned(), rule)));
    }

    /// Gets of parts wait, except of keys let through.
    pub fn hold_all(&self) {
        self.change(|rules| rules.hold_all = true);
    }

    /// Lets gets of `key` through; a missing key stays missing.
    pub fn open(&self, key: &str) {
        self.change(|rules| {
            rules.open.insert(key.to_owned());
            if rules.by_key.get(key) == Some(&Rule::Hold) {
                rules.by_key.remove(key);
            }
        });
    }

    pub fn open_all(&self) {
        self.change(|rules| {
            rules.hold_all = false;
            rules.by_key.retain(|_, rule| *rule != Rule::Hold);
        });
    }

    /// Keys of parts whose bytes were asked for, in order, with repetitions.
    pub fn gets(&self) -> Vec<String> {
        self.rules.lock().gets.clone()
    }

    /// Keys whose get waits for the test.
    pub fn waiting(&self) -> BTreeSet<String> {
        self.rules.lock().waiting.clone()
    }
}

/// Keys of parts, not of rollups.
pub fn is_part(key: &str) -> bool {
    key.contains("/p/")
}

#[async_trait]
impl Blob for Gate {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        if !is_part(key) {
            return self.inner.get(key).await;
        }
        self.rules.lock().gets.push(key.to_owned());
        let mut changed = self.changed.subscribe();
        let rule = loop {
            let held = {
                let mut rules = self.rules.lock();
                let rule = rules.by_key.get(key).copied();
                let held = rule == Some(Rule::Hold) || (rules.hold_all && !rules.open.contains(key));
                if held {
                    rules.waiting.insert(key.to_owned());
                } else {
                    rules.waiting.remove(key);
                }
                (held, rule)
            };
            match held {
                (false, rule) => break rule,
                (true, _) => changed.changed().await.expect("the gate outlives its gets"),
            }
        };
        let found = self.inner.get(key).await?;
        Ok(match rule {
            Some(Rule::Missing) => None,
            Some(Rule::Flip(at)) => found.map(|bytes| {
                let mut bytes = bytes.to_vec();
                let length = isize::try_from(bytes.len()).expect("fits");
                let at = usize::try_from(if at < 0 { length + at } else { at }).expect("within the part");
                bytes[at] ^= 0x40;
                Bytes::from(bytes)
            }),
            _ => found,
        })
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
