//! Threads of a client: polling and heartbeats, rollups and garbage collection, compaction.
//!
//! Each thread looks at what is due, does it, and waits. They end when the last handle of the client is
//! dropped and what became due before that (the expiry of a dropped reader, say) is done. Must not decide what is due.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::applier::{ShardCell, ShardError};
use crate::client::Env;
use crate::clock::Clock;
use crate::ids::ShardId;
use crate::rt::{Boxed, Either, block_on_many, join_limited, race};
use crate::store::Heads;

/// What one of the threads does, until the client is gone.
type Body = fn(&Weak<Env>, &Clock, &Signals);

/// How often readers are looked through for heartbeats that are due, at most.
const LOOK_FOR_BEATS_MS: u64 = 1000;
/// Heartbeats of one client in flight at once.
const HEARTBEATS_AT_ONCE: usize = 64;

/// Shards of one client that are kept up at once: most of it is waiting. Shards that are written in step are due in step,
/// and all of them at once would be in the way of the writers.
const UPKEEP_AT_ONCE: usize = 2;

/// How often a rewrite that waits for a pause of uploads looks for one.
const LOOK_FOR_PAUSE_MS: u64 = 10;

/// What wakes the threads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Background {
    inner: Arc<Signals>,
}

type Due = BTreeMap<ShardId, Arc<ShardCell>>;

#[derive(Debug, Default)]
struct Signals {
    stopped: AtomicBool,
    /// Shards are owned for as long as something is due, so that it is done also where nobody has a handle any more.
    due: Mutex<Due>,
    to_compact: Mutex<Due>,
    /// Whose garbage is collected once uploads have paused.
    to_collect: Mutex<Due>,
    small: Notify,
    rewrite: Notify,
    poll: Notify,
}

impl Background {
    /// Starts the threads of `env`.
    pub(crate) fn start(env: &Arc<Env>) {
        let threads: [(&str, Body); 3] = [
            ("shard-poll", poll_loop),
            ("shard-upkeep", upkeep_loop),
            ("shard-rewrite", rewrite_loop),
        ];
        for (name, body) in threads {
            let (weak, clock) = (Arc::downgrade(env), env.clock.clone());
            let signals = Arc::clone(&env.background.inner);
            std::thread::Builder::new()
                .name(name.into())
                .spawn(move || body(&weak, &clock, &signals))
                .expect("a thread can be started");
        }
    }

    /// Something became due on a shard. For clients whose threads were started: nobody else takes it again.
    pub(crate) fn wake(&self, cell: Arc<ShardCell>) {
        self.inner.due.lock().insert(cell.shard, cell);
        self.inner.small.notify_one();
    }
}

impl Drop for Env {
    fn drop(&mut self) {
        let signals = &self.background.inner;
        signals.stopped.store(true, Ordering::SeqCst);
        for notify in [&signals.small, &signals.rewrite, &signals.poll] {
            notify.notify_one();
        }
    }
}

fn take_due(due: &Mutex<Due>) -> Vec<Arc<ShardCell>> {
    std::mem::take(&mut *due.lock()).into_values().collect()
}

fn upkeep_loop(_: &Weak<Env>, _: &Clock, signals: &Signals) {
    loop {
        block_on_many(signals.small.notified());
        if signals.stopped.load(Ordering::SeqCst) {
            return;
        }
        let cells = take_due(&signals.due);
        let mut steps: Vec<Boxed<'_, ()>> = Vec::new();
        for cell in &cells {
            let paused = cell.env.uploads.have_paused(&cell.env.clock);
            let mut pending = cell.pending.lock();
            let (compact, collect) = (
                std::mem::take(&mut pending.compact),
                pending.gc.is_some() && !paused,
            );
            drop(pending);
            for (due, cells) in [(compact, &signals.to_compact), (collect, &signals.to_collect)] {
                if due {
                    cells.lock().insert(cell.shard, Arc::clone(cell));
                    signals.rewrite.notify_one();
                }
            }
            steps.push(Box::pin(async move {
                // A store that fails for good is reported to those who wait for it; upkeep is tried again when
                // something becomes due next.
                let _ = crate::maintenance::step_small(cell).await;
                if paused {
                    let _ = crate::maintenance::collect(cell).await;
                }
            }));
        }
        block_on_many(join_limited(steps, UPKEEP_AT_ONCE));
    }
}

fn rewrite_loop(_: &Weak<Env>, _: &Clock, signals: &Signals) {
    loop {
        block_on_many(signals.rewrite.notified());
        if signals.stopped.load(Ordering::SeqCst) {
            return;
        }
        let cells = take_due(&signals.to_compact);
        let small = cells.iter().map(|cell| -> Boxed<'_, ()> {
            Box::pin(async move {
                // As in upkeep, a store that fails is reported to those who wait for it.
                let _ = crate::compact::compact_due_inline(cell).await;
            })
        });
        block_on_many(join_limited(small.collect(), UPKEEP_AT_ONCE));
        let mut patience = Patience::default();
        for cell in &cells {
            let _ = block_on_many(compact_between_uploads(cell, &mut patience, signals));
        }
        for cell in take_due(&signals.to_collect) {
            let _ = block_on_many(collect_between_uploads(&cell, &mut patience, signals));
        }
    }
}

/// How long the shards of one round have waited, together.
#[derive(Default)]
struct Patience {
    waited_ms: u64,
}

impl Patience {
    /// Whether it is time for work that is in the way of uploads: they have paused, or it cannot wait any more. Else waits a
    /// moment, and it is to be asked again.
    async fn may_go(&mut self, env: &Env, signals: &Signals) -> bool {
        let goes = self.waited_ms >= env.settings.get().compaction.yields_ms
            || env.uploads.have_paused(&env.clock)
            || signals.stopped.load(Ordering::SeqCst);
        if !goes {
            env.clock.sleep(LOOK_FOR_PAUSE_MS).await;
            self.waited_ms += LOOK_FOR_PAUSE_MS;
        }
        goes
    }
}

/// Rewrites what is due while no append uploads.
async fn compact_between_uploads(
    cell: &Arc<ShardCell>,
    patience: &mut Patience,
    signals: &Signals,
) -> Result<(), ShardError> {
    let env = &cell.env;
    loop {
        let settings = env.settings.get();
        let Some(request) = crate::compact::due(cell, &settings.compaction) else {
            return Ok(());
        };
        let long = request.inputs.len() >= settings.compaction.yields_inputs;
        if (long || patience.may_go(env, signals).await) && crate::compact::compact(cell, request).await? == 0
        {
            return Ok(());
        }
    }
}

/// Deletes what is not needed any more while no append uploads.
async fn collect_between_uploads(
    cell: &Arc<ShardCell>,
    patience: &mut Patience,
    signals: &Signals,
) -> Result<(), ShardError> {
    while cell.pending.lock().gc.is_some() {
        if patience.may_go(&cell.env, signals).await {
            crate::maintenance::collect(cell).await?;
        }
    }
    Ok(())
}

fn poll_loop(weak: &Weak<Env>, clock: &Clock, signals: &Signals) {
    let mut looked = Looked::default();
    loop {
        let Some(poll_ms) = weak.upgrade().map(|env| env.settings.get().listen_poll_ms) else {
            return;
        };
        if let Either::Left(()) = block_on_many(race(signals.poll.notified(), clock.sleep(poll_ms.max(1))))
            && signals.stopped.load(Ordering::SeqCst)
        {
            return;
        }
        let Some(env) = weak.upgrade() else {
            return;
        };
        block_on_many(poll_once(&env, &mut looked));
    }
}

/// What the last look at the location found.
#[derive(Default)]
struct Looked {
    heads: Option<Heads>,
    waits: u64,
    beats_ms: u64,
}

/// One look at the location for everyone who waits, and the heartbeats that are due.
///
/// Where nothing was committed since the last look and nobody new waits, that is all it costs.
async fn poll_once(env: &Arc<Env>, looked: &mut Looked) {
    let waits = env.waits.load(Ordering::SeqCst);
    if env.waiting.load(Ordering::SeqCst) > 0
        && let Ok(heads) = env.location.consensus().heads_shared().await
    {
        let same = looked
            .heads
            .as_ref()
            .is_some_and(|last| Arc::ptr_eq(last, &heads));
        if !same || waits != looked.waits {
            let all = fetch_what_is_waited_for(env, &heads).await;
            looked.heads = all.then_some(heads);
            looked.waits = waits;
        }
    }
    let now = env.clock.now_ms();
    let due_after = env.settings.get().reader_lease_ms / 2;
    if now.saturating_sub(looked.beats_ms) < LOOK_FOR_BEATS_MS.min(due_after / 8) {
        return;
    }
    looked.beats_ms = now;
    let cells = env.all_opened();
    let mut beats = Vec::new();
    for cell in &cells {
        let readers: Vec<_> = cell.readers.lock().iter().filter_map(Weak::upgrade).collect();
        for reader in readers {
            let last = reader.last_beat_ms.load(Ordering::SeqCst);
            if now.saturating_sub(last) >= due_after && !reader.expired.load(Ordering::SeqCst) {
                beats.push(Box::pin(async move {
                    // A failed heartbeat is tried at the next look; the reader learns of expiry when it acts.
                    let _ = reader.heartbeat().await;
                })
                    as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>);
            }
        }
    }
    join_limited(beats, HEARTBEATS_AT_ONCE).await;
}

/// Brings the shards that somebody waits for up to date; false if one could not be.
async fn fetch_what_is_waited_for(env: &Arc<Env>, heads: &Heads) -> bool {
    let mut all = true;
    for (key, seqno) in heads.iter() {
        let Ok(shard) = key.parse::<ShardId>() else {
            continue;
        };
        let cell = env.opened(shard);
        if let Some(cell) = cell
            && cell.waiters.load(Ordering::SeqCst) > 0
            && cell.current().seqno < *seqno
        {
            // Whoever waits meets the error itself when it fetches.
            all &= cell.fetch().await.is_ok();
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Client, ClientConfig};
    use crate::location::Location;
    use crate::rt::{begin, block_on};

    #[test]
    fn work_in_the_way_of_uploads_waits_for_a_pause_but_not_for_ever() {
        let location = block_on(Location::open("mem:")).unwrap();
        let client = Client::new(location, ClientConfig::manual(1000, 1));
        let (env, signals) = (&client.env, Signals::default());
        let mut patience = Patience::default();
        let mut looks = |limit: usize| {
            (0..limit).find(|_| {
                let mut look: Boxed<'_, bool> = Box::pin(patience.may_go(env, &signals));
                let first = block_on(begin(&mut look));
                first.unwrap_or_else(|| {
                    env.clock.advance(LOOK_FOR_PAUSE_MS);
                    block_on(look)
                })
            })
        };
        assert_eq!(looks(1), Some(0), "nothing is uploaded");
        let upload = env.uploads.begin(&env.clock);
        assert_eq!(looks(50), None, "an upload is under way");
        drop(upload);
        let waits = looks(50);
        assert!(
            waits.is_some_and(|looks| looks > 0),
            "once it has paused, not before: {waits:?}"
        );
        let _upload = env.uploads.begin(&env.clock);
        let patience_ms = env.settings.get().compaction.yields_ms;
        let waits = looks(1000).expect("patience ends");
        assert!(
            waits as u64 * LOOK_FOR_PAUSE_MS < patience_ms,
            "what was waited before counts"
        );
    }
}
