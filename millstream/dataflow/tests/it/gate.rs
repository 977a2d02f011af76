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
pub(crate) enum Rule {
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
    /// Gets that begin now are not held.
    pass: bool,
    open: BTreeSet<String>,
    gets: Vec<String>,
    waiting: BTreeSet<String>,
}

/// Wraps a store. Clones share the rules.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    inner: Arc<dyn Blob>,
    rules: Arc<Mutex<Rules>>,
    changed: Arc<watch::Sender<u64>>,
}

impl Gate {
    pub(crate) fn new(inner: Arc<dyn Blob>) -> Gate {
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

    pub(crate) fn set(&self, key: &str, rule: Rule) {
        self.change(|rules| {
            rules.by_key.insert(key.to_owned(), rule);
        });
    }

    /// Gets of parts wait, except of keys let through.
    pub(crate) fn hold_all(&self) {
        self.change(|rules| rules.hold_all = true);
    }

    /// Lets gets of `key` through; a missing key stays missing.
    pub(crate) fn open(&self, key: &str) {
        self.change(|rules| {
            rules.open.insert(key.to_owned());
            if rules.by_key.get(key) == Some(&Rule::Hold) {
                rules.by_key.remove(key);
            }
        });
    }

    pub(crate) fn open_all(&self) {
        self.change(|rules| {
            rules.hold_all = false;
            rules.by_key.retain(|_, rule| *rule != Rule::Hold);
        });
    }

    /// Gets that begin while this is set are not held: maintenance reads parts too.
    pub(crate) fn let_new_pass(&self, pass: bool) {
        self.change(|rules| rules.pass = pass);
    }

    /// Keys of parts whose bytes were asked for, in order, with repetitions.
    pub(crate) fn gets(&self) -> Vec<String> {
        self.rules.lock().gets.clone()
    }

    /// Keys whose get waits for the test.
    pub(crate) fn waiting(&self) -> BTreeSet<String> {
        self.rules.lock().waiting.clone()
    }
}

/// Keys of parts, not of rollups.
pub(crate) fn is_part(key: &str) -> bool {
    key.contains("/p/")
}

#[async_trait]
impl Blob for Gate {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        if !is_part(key) {
            return self.inner.get(key).await;
        }
        let passes = {
            let mut rules = self.rules.lock();
            rules.gets.push(key.to_owned());
            rules.pass
        };
        let mut changed = self.changed.subscribe();
        let rule = loop {
            let held = {
                let mut rules = self.rules.lock();
                let rule = rules.by_key.get(key).copied();
                let held =
                    !passes && (rule == Some(Rule::Hold) || (rules.hold_all && !rules.open.contains(key)));
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
