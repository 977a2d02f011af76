//! One shard as one process sees it: the cached state, and the loop that commits changes to it.
//!
//! Must not know what a command means; it runs pure functions and moves their results into Consensus.
//!
//! Invariants:
//! 1. The cache never goes back.
//! 2. A version is committed by compare-and-set on its predecessor; between reading the copy and that, no
//!    clock or store is asked.
//! 3. A waiter subscribes before it looks (SH-29).

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::client::{Env, Maintenance};
use crate::ids::{SeqNo, ShardId};
use crate::machine::{Flow, Skew};
use crate::maintenance::Pending;
use crate::mutant::Mutant;
use crate::retry::{Backoff, retry_external};
use crate::riders::{Aboard, Change, Ride, Riders};
use crate::rt::{Either, race};
use crate::state::codec::{DecodeError, decode_diff, decode_rollup, encode_diff, encode_rollup};
use crate::state::diff::StateDiff;
use crate::state::{APPLIER_VERSION, RollupRef, State};
use crate::store::{CasResult, StoreError, Versioned};
use crate::time::Frontier;

/// Why a shard cannot be opened or its state not be had.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ShardError {
    /// The store says no and will go on saying so.
    #[error("shard {shard}: {error}")]
    Store {
        /// Which shard.
        shard: ShardId,
        /// The store's answer.
        error: StoreError,
    },
    /// The shard's state cannot be read.
    #[error("shard {shard}: {error}")]
    State {
        /// Which shard.
        shard: ShardId,
        /// What is wrong with the bytes.
        error: DecodeError,
    },
    /// The shard's log does not hang together.
    #[error("shard {shard} is damaged: {why}")]
    Corrupt {
        /// Which shard.
        shard: ShardId,
        /// What does not hold.
        why: String,
    },
    /// The shard's rows are encoded otherwise.
    #[error("shard {shard} holds rows of codec `{actual}`, not `{requested}`")]
    CodecMismatch {
        /// Which shard.
        shard: ShardId,
        /// The codec it was made with.
        actual: String,
        /// The codec asked for.
        requested: String,
    },
    /// The shard was finalized.
    #[error("shard {shard} is finalized: it can neither be read nor written any more")]
    Finalized {
        /// Which shard.
        shard: ShardId,
    },
    /// Only a shard that is closed (or never written) can be finalized.
    #[error("shard {shard} cannot be finalized: its since is {since}, its upper {upper}; close both first")]
    NotFinalizable {
        /// Which shard.
        shard: ShardId,
        /// Its since.
        since: Frontier,
        /// Its upper.
        upper: Frontier,
    },
}

/// An attempt whose fate is open: the compare-and-set on `expected` may have committed.
#[derive(Debug, Clone)]
pub(crate) struct InDoubt {
    pub(crate) expected: Arc<State>,
    pub(crate) error: StoreError,
}

/// How a command ended.
pub(crate) enum Applied<T> {
    /// With this answer.
    Done(T),
    /// Nobody knows.
    InDoubt(InDoubt),
}

/// One shard in this process.
pub(crate) struct ShardCell {
    pub(crate) env: Arc<Env>,
    /// For those who are told to work on this shard later.
    me: Weak<ShardCell>,
    pub(crate) shard: ShardId,
    pub(crate) key: String,
    states: watch::Sender<Arc<State>>,
    /// Commands of one process take turns; others are met in Consensus.
    turn: tokio::sync::Mutex<()>,
    pub(crate) pending: Mutex<Pending>,
    pub(crate) waiters: AtomicUsize,
    pub(crate) readers: Mutex<Vec<Weak<crate::read::ReaderCore>>>,
    skew: Mutex<Option<Skew>>,
    pub(crate) riders: Riders,
}

impl fmt::Debug for ShardCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShardCell({} at {})", self.shard, self.current().seqno)
    }
}

impl ShardCell {
    /// Fetches the shard's state, or makes the shard.
    pub(crate) async fn open(
        env: &Arc<Env>,
        shard: ShardId,
        codec: &str,
    ) -> Result<Arc<ShardCell>, ShardError> {
        let key = shard.to_string();
        let state = match load(env, shard, &key).await? {
            Some(state) => state,
            None => initialize(env, shard, &key, codec).await?,
        };
        Ok(Arc::new_cyclic(|me| ShardCell {
            env: Arc::clone(env),
            me: Weak::clone(me),
            shard,
            key,
            states: watch::Sender::new(Arc::new(state)),
            turn: tokio::sync::Mutex::new(()),
            pending: Mutex::new(Pending::default()),
            waiters: AtomicUsize::new(0),
            readers: Mutex::new(Vec::new()),
            skew: Mutex::new(None),
            riders: Riders::new(env.mutant),
        }))
    }

    /// Tells the background threads, if there are any, that something is due.
    pub(crate) fn wake_background(&self) {
        if self.env.maintenance != Maintenance::Background {
            return;
        }
        if let Some(me) = self.me.upgrade() {
            self.env.background.wake(me);
        }
    }

    pub(crate) fn check_codec(&self, codec: &str) -> Result<(), ShardError> {
        let actual = self.current().codec.clone();
        if actual == codec || self.env.mutant == Mutant::CodecUnchecked {
            return Ok(());
        }
        Err(ShardError::CodecMismatch {
            shard: self.shard,
            actual,
            requested: codec.to_owned(),
        })
    }

    /// The cached state.
    pub(crate) fn current(&self) -> Arc<State> {
        Arc::clone(&self.states.borrow())
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Arc<State>> {
        self.states.subscribe()
    }

    /// The last refusal to expire others because of clocks, if any.
    pub(crate) fn skew(&self) -> Option<Skew> {
        *self.skew.lock()
    }

    pub(crate) fn publish(&self, state: Arc<State>) {
        let forward_only = self.env.mutant != Mutant::CacheGoesBack;
        self.states.send_if_modified(|cached| {
            let newer = state.seqno > cached.seqno || (!forward_only && state.seqno != cached.seqno);
            if newer {
                *cached = state;
            }
            newer
        });
    }

    fn store_error(&self, error: StoreError) -> ShardError {
        ShardError::Store {
            shard: self.shard,
            error,
        }
    }

    /// Brings the cache up to what Consensus holds now.
    pub(crate) async fn fetch(&self) -> Result<Arc<State>, ShardError> {
        loop {
            let cached = self.current();
            let settings = self.env.settings.get();
            let limit = settings.recent_diffs_limit.max(1);
            let consensus = self.env.location.consensus();
            let next = cached.seqno.next();
            let versions = retry_external(&self.env, &mut || consensus.scan(&self.key, next, limit))
                .await
                .map_err(|e| self.store_error(e))?;
            let Some(first) = versions.first() else {
                return Ok(cached);
            };
            if first.seqno != next {
                let state =
                    load(&self.env, self.shard, &self.key)
                        .await?
                        .ok_or_else(|| ShardError::Corrupt {
                            shard: self.shard,
                            why: "its log has vanished".to_owned(),
                        })?;
                self.publish(Arc::new(state));
                return Ok(self.current());
            }
            let full = versions.len() >= limit;
            let mut state = State::clone(&cached);
            apply_versions(self.shard, &mut state, &versions)?;
            self.publish(Arc::new(state));
            if !full {
                return Ok(self.current());
            }
        }
    }

    /// Runs `command` on copies of the newest state until one is committed, answered, or in doubt.
    pub(crate) async fn apply<T>(
        &self,
        command: &mut (dyn FnMut(&mut State, u64) -> Flow<T> + Send),
    ) -> Result<Applied<T>, ShardError> {
        let _turn = self.turn.lock().await;
        loop {
            let base = self.current();
            match self.attempt_with(&base, command, true).await? {
                Attempt::Committed(value) | Attempt::Answered(value) => return Ok(Applied::Done(value)),
                Attempt::Doubtful(value) => {
                    if self.fetch().await?.seqno == base.seqno {
                        return Ok(Applied::Done(value));
                    }
                }
                Attempt::Mismatch => {
                    self.fetch().await?;
                }
                Attempt::InDoubt(error) => {
                    return Ok(Applied::InDoubt(InDoubt {
                        expected: base,
                        error,
                    }));
                }
            }
        }
    }

    /// Waits, then looks at the version that an attempt without an answer aimed at (H5). An error that has lasted too long
    /// is given back.
    pub(crate) async fn look_at(
        &self,
        slot: SeqNo,
        error: StoreError,
        backoff: &mut Backoff<'_>,
    ) -> Result<Slot, ShardError> {
        let (env, shard) = (&self.env, self.shard);
        let store_error = |error| ShardError::Store { shard, error };
        backoff.after(error).await.map_err(store_error)?;
        let consensus = env.location.consensus();
        let found = retry_external(env, &mut || consensus.scan(&self.key, slot, 1))
            .await
            .map_err(store_error)?;
        let Some(version) = found.first() else {
            return Ok(Slot::Empty);
        };
        if version.seqno != slot {
            return Ok(Slot::Truncated);
        }
        let diff = decode_diff(&version.data).map_err(|error| ShardError::State { shard, error })?;
        self.fetch().await?;
        Ok(Slot::Taken(Box::new(diff)))
    }

    /// One compare-and-set on exactly `base`; determinate failures are tried again.
    pub(crate) async fn attempt<T>(
        &self,
        base: &Arc<State>,
        command: &mut (dyn FnMut(&mut State, u64) -> Flow<T> + Send),
    ) -> Result<Attempt<T>, ShardError> {
        self.attempt_with(base, command, false).await
    }

    /// [`ShardCell::attempt`]; with `riders`, what waits for a commit comes along.
    async fn attempt_with<T>(
        &self,
        base: &Arc<State>,
        command: &mut (dyn FnMut(&mut State, u64) -> Flow<T> + Send),
        riders: bool,
    ) -> Result<Attempt<T>, ShardError> {
        let now = self.env.clock.now_ms();
        let mut next = State::clone(base);
        let value = match command(&mut next, now) {
            Flow::Answer(value) => return Ok(Attempt::Answered(value)),
            Flow::Doubt(value) => return Ok(Attempt::Doubtful(value)),
            Flow::Commit(value) => value,
        };
        let beside = self.env.mutant == Mutant::RideBesideCommit;
        let mut aboard = match riders && !beside {
            true => self.riders.board(&mut next),
            false => Aboard::default(),
        };
        let skew = next.expire_at(now, base.walltime_ms, self.env.mutant);
        if skew.is_some() {
            *self.skew.lock() = skew;
        }
        next.seqno = base.seqno.next();
        next.walltime_ms = now.max(base.walltime_ms + 1);
        next.hostname.clone_from(&self.env.hostname);
        next.applier_version = next.applier_version.max(APPLIER_VERSION);
        let gc = next.gc_wanted();
        if let Some(seqno) = gc {
            next.last_gc_req = seqno;
        }
        debug_assert!(
            self.env.mutant != Mutant::None || next.check().is_ok(),
            "a command broke the state: {:?}",
            next.check()
        );
        let data = Bytes::from(encode_diff(&StateDiff::between(base, &next)));
        if riders && beside {
            aboard = self.riders.board(&mut next);
        }
        let mut backoff = Backoff::new(&self.env);
        loop {
            let new = Versioned {
                seqno: next.seqno,
                data: data.clone(),
            };
            match self
                .env
                .location
                .consensus()
                .compare_and_set(&self.key, Some(base.seqno), new)
                .await
            {
                Ok(CasResult::Committed) => break,
                Ok(CasResult::ExpectationMismatch) => {
                    self.riders.put_back(aboard);
                    return Ok(Attempt::Mismatch);
                }
                Err(error) if error.is_determinate() => {
                    if let Err(error) = backoff.after(error).await {
                        self.riders.put_back(aboard);
                        return Err(self.store_error(error));
                    }
                }
                Err(error) => {
                    aboard.tell(match self.env.mutant {
                        Mutant::RideInDoubtFailed => Ride::Not,
                        Mutant::RideInDoubtCommitted => Ride::Committed,
                        _ => Ride::Unknown,
                    });
                    return Ok(Attempt::InDoubt(error));
                }
            }
        }
        aboard.tell(Ride::Committed);
        self.pending.lock().note(&self.env, &next, gc);
        self.publish(Arc::new(next));
        if self.pending.lock().any() {
            self.wake_background();
        }
        Ok(Attempt::Committed(value))
    }

    /// [`ShardCell::apply`] for commands that may run twice: doubt is resolved by running again.
    pub(crate) async fn apply_idempotent<T>(
        &self,
        command: &mut (dyn FnMut(&mut State, u64) -> Flow<T> + Send),
    ) -> Result<T, ShardError> {
        let mut backoff = Backoff::new(&self.env);
        loop {
            match self.apply(command).await? {
                Applied::Done(value) => return Ok(value),
                Applied::InDoubt(doubt) => {
                    backoff
                        .after(doubt.error)
                        .await
                        .map_err(|e| self.store_error(e))?;
                    self.fetch().await?;
                }
            }
        }
    }

    /// Waits until a version newer than `seen` is known here.
    ///
    /// With background threads the location is polled for everyone; otherwise each waiter looks for itself.
    pub(crate) async fn wait_newer(&self, seen: SeqNo, poll_ms: Option<u64>) -> Result<(), ShardError> {
        let mut states = self.subscribe();
        if self.env.mutant == Mutant::LookBeforeSubscribe {
            crate::rt::yield_now().await;
            states = self.subscribe();
            states.mark_unchanged();
        } else if states.borrow_and_update().seqno > seen {
            return Ok(());
        }
        let _waiter = WaiterGuard::new(self);
        let settings = self.env.settings.get();
        let mut wait = settings.listen_backoff_ms.max(1);
        let ceiling = poll_ms.unwrap_or(settings.listen_poll_ms).max(1);
        loop {
            let shared = self.env.maintenance == Maintenance::Background && poll_ms.is_none();
            let pause = if shared { u64::MAX / 4 } else { wait.min(ceiling) };
            if self.env.mutant == Mutant::NeverPolls {
                std::future::pending::<()>().await;
            }
            match race(states.changed(), self.env.clock.sleep(pause)).await {
                Either::Left(_) => {}
                Either::Right(()) => {
                    self.fetch().await?;
                    wait = wait.saturating_mul(2);
                }
            }
            if states.borrow_and_update().seqno > seen {
                return Ok(());
            }
        }
    }

    /// Leaves `change` to the next commit of this process, for a moment.
    pub(crate) async fn ride(&self, change: Change) -> Ride {
        let wait_ms = self.env.settings.get().upkeep_ride_ms;
        self.riders.ride(&self.env.clock, wait_ms, change).await
    }

    /// Closes since and upper and leaves a tombstone.
    pub(crate) async fn finalize(&self) -> Result<(), ShardError> {
        let verdict = self
            .apply_idempotent(&mut |state, _| state.become_tombstone())
            .await?;
        verdict.map_err(|(since, upper)| ShardError::NotFinalizable {
            shard: self.shard,
            since,
            upper,
        })
    }
}

impl Drop for ShardCell {
    fn drop(&mut self) {
        let mut cells = self.env.cells.lock();
        // The same shard may have been opened again meanwhile.
        if cells
            .get(&self.shard)
            .is_some_and(|cell| cell.strong_count() == 0)
        {
            cells.remove(&self.shard);
        }
    }
}

struct WaiterGuard<'a>(&'a ShardCell);

impl<'a> WaiterGuard<'a> {
    fn new(cell: &'a ShardCell) -> WaiterGuard<'a> {
        // In this order: a poller that knows of this wait finds the waiter.
        cell.waiters.fetch_add(1, Ordering::SeqCst);
        cell.env.waits.fetch_add(1, Ordering::SeqCst);
        cell.env.waiting.fetch_add(1, Ordering::SeqCst);
        WaiterGuard(cell)
    }
}

impl Drop for WaiterGuard<'_> {
    fn drop(&mut self) {
        self.0.waiters.fetch_sub(1, Ordering::SeqCst);
        self.0.env.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What stands in the log where an attempt without an answer aimed.
pub(crate) enum Slot {
    /// Nothing yet: the attempt may still arrive.
    Empty,
    /// Whoever committed it; the state is at least that new.
    Taken(Box<StateDiff>),
    /// A version that was there is gone: nobody can tell any more.
    Truncated,
}

/// How one compare-and-set ended.
pub(crate) enum Attempt<T> {
    Committed(T),
    Answered(T),
    Doubtful(T),
    Mismatch,
    InDoubt(StoreError),
}

/// The key of a rollup blob; parts have a `p` where this has a `v`.
pub(crate) fn rollup_key(env: &Env, shard: ShardId, seqno: SeqNo) -> String {
    format!("{shard}/{seqno}/{:032x}", env.ids.fresh())
}

async fn initialize(env: &Arc<Env>, shard: ShardId, key: &str, codec: &str) -> Result<State, ShardError> {
    let store_error = |error| ShardError::Store { shard, error };
    let before = State::empty(shard, "");
    let mut first = State::empty(shard, codec);
    first.seqno = SeqNo::FIRST;
    first.walltime_ms = env.clock.now_ms().max(1);
    first.hostname.clone_from(&env.hostname);
    let blob_key = rollup_key(env, shard, SeqNo::FIRST);
    // The rollup lists itself, and its size is part of it: the size is left at zero.
    first.rollups.insert(
        SeqNo::FIRST,
        RollupRef {
            key: blob_key.clone(),
            encoded_bytes: 0,
        },
    );
    let rollup = Bytes::from(encode_rollup(&first));
    let blob = env.location.blob();
    retry_external(env, &mut || blob.set(&blob_key, rollup.clone()))
        .await
        .map_err(store_error)?;
    let data = Bytes::from(encode_diff(&StateDiff::between(&before, &first)));
    let mut backoff = Backoff::new(env);
    loop {
        let new = Versioned {
            seqno: SeqNo::FIRST,
            data: data.clone(),
        };
        match env.location.consensus().compare_and_set(key, None, new).await {
            Ok(CasResult::Committed) => return Ok(first),
            Ok(CasResult::ExpectationMismatch) => break,
            Err(error) => backoff.after(error).await.map_err(store_error)?,
        }
    }
    // Someone else made the shard, or an earlier try of ours did.
    let state = load(env, shard, key).await?.ok_or_else(|| ShardError::Corrupt {
        shard,
        why: "a version exists that cannot be read back".to_owned(),
    })?;
    let ours = state.rollups.values().any(|rollup| rollup.key == blob_key);
    if !ours && state.seqno == SeqNo::FIRST {
        retry_external(env, &mut || blob.delete(&blob_key))
            .await
            .map_err(store_error)?;
    }
    Ok(state)
}

/// Reads the newest state from the stores, or none if the shard was never made.
pub(crate) async fn load(env: &Arc<Env>, shard: ShardId, key: &str) -> Result<Option<State>, ShardError> {
    let store_error = |error| ShardError::Store { shard, error };
    let state_error = |error| ShardError::State { shard, error };
    let consensus = env.location.consensus();
    let limit = env.settings.get().recent_diffs_limit.max(1);
    let mut missing: Option<SeqNo> = None;
    loop {
        let mut versions = retry_external(env, &mut || consensus.scan(key, SeqNo::ZERO, limit))
            .await
            .map_err(store_error)?;
        if versions.len() >= limit && env.mutant != Mutant::FullPageIsNewest {
            // A full page holds the oldest versions (H18): start from the head's rollup instead.
            let Some(head) = retry_external(env, &mut || consensus.head(key))
                .await
                .map_err(store_error)?
            else {
                continue;
            };
            let from = decode_diff(&head.data).map_err(state_error)?.latest_rollup.0;
            versions = scan_all(env, shard, key, from, limit).await?;
        }
        let Some(newest) = versions.last() else {
            return Ok(None);
        };
        let head = newest.seqno;
        let (rollup_seqno, rollup) = decode_diff(&newest.data).map_err(state_error)?.latest_rollup;
        let blob = env.location.blob();
        let bytes = retry_external(env, &mut || blob.get(&rollup.key))
            .await
            .map_err(store_error)?;
        let Some(bytes) = bytes else {
            // The state moved on and the rollup was collected; unless it did not move (SH-4).
            if missing == Some(head) {
                let why = format!("rollup {} of {rollup_seqno} is missing at {head}", rollup.key);
                return Err(ShardError::Corrupt { shard, why });
            }
            missing = Some(head);
            continue;
        };
        let mut state = decode_rollup(&bytes).map_err(state_error)?;
        if state.shard != shard || state.seqno != rollup_seqno {
            let why = format!("rollup {} holds {} of {}", rollup.key, state.seqno, state.shard);
            return Err(ShardError::Corrupt { shard, why });
        }
        versions.retain(|v| v.seqno > rollup_seqno);
        apply_versions(shard, &mut state, &versions)?;
        return Ok(Some(state));
    }
}

/// All versions from `from` on, page by page.
pub(crate) async fn scan_all(
    env: &Arc<Env>,
    shard: ShardId,
    key: &str,
    from: SeqNo,
    limit: usize,
) -> Result<Vec<Versioned>, ShardError> {
    let consensus = env.location.consensus();
    let mut all: Vec<Versioned> = Vec::new();
    loop {
        let from = all.last().map_or(from, |v| v.seqno.next());
        let page = retry_external(env, &mut || consensus.scan(key, from, limit))
            .await
            .map_err(|error| ShardError::Store { shard, error })?;
        let full = page.len() >= limit;
        all.extend(page);
        if !full {
            return Ok(all);
        }
    }
}

fn apply_versions(shard: ShardId, state: &mut State, versions: &[Versioned]) -> Result<(), ShardError> {
    for version in versions {
        let diff = decode_diff(&version.data).map_err(|error| ShardError::State { shard, error })?;
        diff.apply(state).map_err(|e| ShardError::Corrupt {
            shard,
            why: e.to_string(),
        })?;
    }
    Ok(())
}
