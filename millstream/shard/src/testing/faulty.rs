//! Stores in memory that fail by script.
//!
//! Every operation yields once before it takes effect and once before it answers, so that a [`super::sim::Sim`]
//! can put anything between. A script decides each operation's fate; the invariants of the log are checked
//! after every commit, truncation and deletion.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::invariants::Watcher;
use crate::ids::{SeqNo, ShardId};
use crate::location::Location;
use crate::rt::yield_now;
use crate::store::mem::{MemBlob, MemConsensus};
use crate::store::{Blob, CasResult, Consensus, StoreError, Versioned};

/// An operation on a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// `head`, `scan` or `heads`.
    Look,
    /// A compare-and-set that would make this version.
    Cas(SeqNo),
    /// A truncation to this version.
    Truncate(SeqNo),
    /// A read of a blob.
    Get(String),
    /// A write of a blob.
    Set(String),
    /// A deletion of a blob.
    Delete(String),
}

/// What becomes of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It happens and is answered.
    Pass,
    /// It does not happen, and says so.
    Refused,
    /// It does not happen, and will not until a human acts.
    Denied,
    /// It does not happen, and nobody knows.
    Lost,
    /// It happens, and nobody knows.
    Unanswered,
    /// Nobody knows; it happens after this many other operations.
    Late(u32),
    /// It waits until [`Faulty::release`] of this name, then passes.
    Held(&'static str),
    /// It happens; its answer waits until [`Faulty::release`] of this name.
    HeldAfter(&'static str),
    /// The process dies before it: it never answers.
    DiesBefore,
    /// The process dies after it: it never answers.
    DiesAfter,
}

type Script = Box<dyn FnMut(&Op) -> Fate + Send>;
type Late = (u32, String, Option<SeqNo>, Versioned);

struct Inner {
    script: Script,
    log: Vec<Op>,
    late: Vec<Late>,
    released: BTreeMap<&'static str, bool>,
    died: bool,
    watcher: Option<Watcher>,
    broken: Option<String>,
}

/// Both stores of a location, in memory, failing by script.
#[derive(Clone)]
pub struct Faulty {
    /// What really is there.
    pub consensus: MemConsensus,
    /// What really is there.
    pub blob: MemBlob,
    inner: Arc<Mutex<Inner>>,
    released: Arc<Notify>,
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

impl Default for Faulty {
    fn default() -> Faulty {
        Faulty::new()
    }
}

impl Faulty {
    /// Empty stores where everything passes.
    pub fn new() -> Faulty {
        Faulty {
            consensus: MemConsensus::new(),
            blob: MemBlob::new(),
            inner: Arc::new(Mutex::new(Inner {
                script: Box::new(|_| Fate::Pass),
                log: Vec::new(),
                late: Vec::new(),
                released: BTreeMap::new(),
                died: false,
                watcher: None,
                broken: None,
            })),
            released: Arc::default(),
        }
    }

    /// The same stores as another process sees them: its operations have a script of their own.
    pub fn another_process(&self) -> Faulty {
        Faulty {
            consensus: self.consensus.clone(),
            blob: self.blob.clone(),
            ..Faulty::new()
        }
    }

    /// A location of these stores.
    pub fn location(&self) -> Location {
        Location::of("faulty:", Arc::new(self.clone()), Arc::new(self.clone()))
    }

    /// Decides every further operation's fate.
    pub fn script(&self, script: impl FnMut(&Op) -> Fate + Send + 'static) {
        self.inner.lock().script = Box::new(script);
    }

    /// Gives the next operation that `matches` this fate; everything else passes.
    pub fn once(&self, matches: impl Fn(&Op) -> bool + Send + 'static, fate: Fate) {
        let mut fate = Some(fate);
        self.script(move |op| {
            if matches(op) {
                fate.take().unwrap_or(Fate::Pass)
            } else {
                Fate::Pass
            }
        });
    }

    /// Checks the log of `shard` after every change from now on.
    pub fn watch(&self, shard: ShardId) {
        self.inner.lock().watcher = Some(Watcher::new(shard));
    }

    /// Stops checking after every change.
    pub fn unwatch(&self) {
        self.inner.lock().watcher = None;
    }

    /// The first broken invariant that was seen.
    pub fn broken(&self) -> Option<String> {
        self.inner.lock().broken.clone()
    }

    /// Lets operations held under `name` go on.
    pub fn release(&self, name: &'static str) {
        self.inner.lock().released.insert(name, true);
        self.released.notify_waiters();
    }

    /// Whether a scripted death has happened.
    pub fn died(&self) -> bool {
        self.inner.lock().died
    }

    /// Operations so far.
    pub fn log(&self) -> Vec<Op> {
        self.inner.lock().log.clone()
    }

    /// Forgets the operations so far.
    pub fn clear_log(&self) {
        self.inner.lock().log.clear();
    }

    /// Applies every late compare-and-set that is still on its way.
    pub async fn deliver_late(&self) {
        let late: Vec<Late> = std::mem::take(&mut self.inner.lock().late);
        for (_, key, expected, new) in late {
            let _ = self.consensus.compare_and_set(&key, expected, new).await;
        }
        self.check();
    }

    async fn begin(&self, op: Op) -> Fate {
        yield_now().await;
        let (fate, due) = {
            let mut inner = self.inner.lock();
            let fate = (inner.script)(&op);
            inner.log.push(op);
            for late in &mut inner.late {
                late.0 = late.0.saturating_sub(1);
            }
            let (due, rest): (Vec<Late>, Vec<Late>) = std::mem::take(&mut inner.late)
                .into_iter()
                .partition(|late| late.0 == 0);
            inner.late = rest;
            (fate, due)
        };
        for (_, key, expected, new) in due {
            let _ = self.consensus.compare_and_set(&key, expected, new).await;
            self.check();
        }
        match fate {
            Fate::Held(name) => {
                self.wait_for(name).await;
                Fate::Pass
            }
            Fate::DiesBefore => self.die().await,
            fate => fate,
        }
    }

    async fn end<T>(&self, fate: &Fate, value: T) -> Result<T, StoreError> {
        match fate {
            Fate::HeldAfter(name) => self.wait_for(name).await,
            Fate::DiesAfter => self.die().await,
            Fate::Unanswered => {
                yield_now().await;
                return Err(StoreError::indeterminate(
                    "happened and was not answered, by script",
                ));
            }
            _ => yield_now().await,
        }
        Ok(value)
    }

    async fn wait_for(&self, name: &'static str) {
        loop {
            let mut released = std::pin::pin!(self.released.notified());
            released.as_mut().enable();
            if self.inner.lock().released.contains_key(name) {
                return;
            }
            released.await;
        }
    }

    async fn die<T>(&self) -> T {
        self.inner.lock().died = true;
        std::future::pending().await
    }

    fn refusal(fate: &Fate) -> Option<StoreError> {
        match fate {
            Fate::Refused => Some(StoreError::determinate("refused by script")),
            Fate::Denied => Some(StoreError::determinate("denied by script").permanent()),
            Fate::Lost => Some(StoreError::indeterminate("lost by script")),
            Fate::Late(_) => Some(StoreError::indeterminate("delayed by script")),
            _ => None,
        }
    }

    fn check(&self) {
        let mut inner = self.inner.lock();
        let Some(mut watcher) = inner.watcher.take() else {
            return;
        };
        if let Err(broken) = watcher.check(&self.consensus, &self.blob) {
            inner.broken.get_or_insert(broken);
        }
        inner.watcher = Some(watcher);
    }
}

#[async_trait]
impl Consensus for Faulty {
    async fn head(&self, key: &str) -> Result<Option<Versioned>, StoreError> {
        let fate = self.begin(Op::Look).await;
        if let Some(error) = Faulty::refusal(&fate) {
            return Err(error);
        }
        let value = self.consensus.head(key).await?;
        self.end(&fate, value).await
    }

    async fn compare_and_set(
        &self,
        key: &str,
        expected: Option<SeqNo>,
        new: Versioned,
    ) -> Result<CasResult, StoreError> {
        let fate = self.begin(Op::Cas(new.seqno)).await;
        if let Fate::Late(after) = fate {
            self.inner
                .lock()
                .late
                .push((after.max(1), key.to_owned(), expected, new));
            return Err(StoreError::indeterminate("delayed by script"));
        }
        if let Some(error) = Faulty::refusal(&fate) {
            return Err(error);
        }
        let value = self.consensus.compare_and_set(key, expected, new).await?;
        self.check();
        self.end(&fate, value).await
    }

    async fn scan(&self, key: &str, from: SeqNo, limit: usize) -> Result<Vec<Versioned>, StoreError> {
        let fate = self.begin(Op::Look).await;
        if let Some(error) = Faulty::refusal(&fate) {
            return Err(error);
        }
        let value = self.consensus.scan(key, from, limit).await?;
        self.end(&fate, value).await
    }

    async fn truncate(&self, key: &str, to: SeqNo) -> Result<Option<usize>, StoreError> {
        let fate = self.begin(Op::Truncate(to)).await;
        if let Some(error) = Faulty::refusal(&fate) {
            return Err(error);
        }
        let value = self.consensus.truncate(key, to).await?;
        self.check();
        self.end(&fate, value).await
    }

    async fn heads(&self) -> Result<Vec<(String, SeqNo)>, StoreError> {
        let fate = self.begin(Op::Look).await;
        if let Some(error) = Faulty::refusal(&fate) {
            return Err(error);
        }
        let value = self.consensus.heads().await?;
        self.end(&fate, value).await
    }
}

#[async_trait]
impl Blob for Faulty {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        let fate = self.begin(Op::Get(key.to_owned())).await;
        if let Some(error) = Faulty::refusal(&fate) {
            return Err(error);
        }
        let value = self.blob.get(key).await?;
        self.end(&fate, value).await
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<(), StoreError> {
        let fate = self.begin(Op::Set(key.to_owned())).await;
        if let Some(error) = Faulty::refusal(&fate) {
            return Err(error);
        }
        self.blob.set(key, value).await?;
        self.end(&fate, ()).await
    }

    async fn delete(&self, key: &str) -> Result<Option<usize>, StoreError> {
        let fate = self.begin(Op::Delete(key.to_owned())).await;
        if let Some(error) = Faulty::refusal(&fate) {
            return Err(error);
        }
        let value = self.blob.delete(key).await?;
        self.check();
        self.end(&fate, value).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<(String, usize)>, StoreError> {
        self.blob.list(prefix).await
    }
}
