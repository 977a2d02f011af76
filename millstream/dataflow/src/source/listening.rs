//! The task of the chosen worker: opens the reader, takes the snapshot, listens.
//!
//! 1. The reader exists before the start signal is awaited: its hold covers the waiting.
//! 2. `as_of` is announced as progress before the snapshot, which may have to wait for data; a sink of an
//!    empty input depends on it.
//! 3. The time of a batch's parts is the frontier *before* the batch: all its rows are at or after it.
//! 4. The listen lives until everything described has been fetched. Its holds keep the parts alive.
//! 5. An error is the task's last message.
//! 6. Once `as_of` is chosen the reader holds no earlier time, however long its snapshot waits for data (H11).
//! 7. Told to stand still, because a part failed, it listens no more but keeps its holds (H11).

use std::error::Error;
use std::sync::Arc;

use shard::{Frontier, LeasedPart, ListenBatch, ReadHandle, ShardError};
use tokio::sync::{mpsc, watch};

use super::coalesce::Coalesce;
use super::descriptions::{Context, Listening};
use super::fetching::Store;
use super::filter::{Audit, Decision, FilterResult};
use super::message::{Described, Message, PartToRead};
use super::options::{SnapshotMode, SourceOptions, StartSignal};
use super::spread::part_worker;
use crate::task::Task;
use crate::wake::Wake;
use crate::{FlowError, Mutant};

/// Starts the listen task.
pub(crate) fn start(
    store: Store,
    options: SourceOptions,
    peers: usize,
    context: Context,
    wake: Wake,
) -> Listening {
    let (sender, messages) = mpsc::unbounded_channel();
    let (control, orders) = watch::channel(Order::Listen);
    let counters = Arc::clone(&context.counters);
    let runtime = store.runtime.clone();
    let outbox = Outbox {
        sender: Some(sender),
        wake,
        context: context.clone(),
    };
    let mutant = context.hooks.mutant;
    let audit = Audit::new(options.audit_percent, options.audit_budget_bytes, mutant);
    let listener = Listener {
        store,
        options,
        peers,
        context,
        outbox,
        audit,
        parts_spread: 0,
    };
    let task = Task::spawn(&runtime, &counters, listener.run(orders));
    Listening {
        messages,
        control,
        task,
    }
}

/// What the operator wants of the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Go on.
    Listen,
    /// Something failed: listen no more, keep the holds.
    StandStill,
    /// Everything has been fetched: let the holds go.
    Release,
}

/// Why the task ends early.
enum End {
    /// With this as its last message.
    Failed(FlowError),
    /// The operator is gone.
    Unheard,
}

/// The sending half; wakes the operator after each message, and when the task ends however it ends.
struct Outbox {
    sender: Option<mpsc::UnboundedSender<Message>>,
    wake: Wake,
    context: Context,
}

impl Outbox {
    /// Sends without waking.
    fn put(&self, message: Message) -> Result<(), End> {
        let sender = self.sender.as_ref().expect("open until dropped");
        // Counted before it can be received, so that the counters never show more received than sent.
        self.context.counters.messages_sent.add(1);
        sender.send(message).map_err(|_| End::Unheard)
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.sender = None;
        if self.context.hooks.mutant != Mutant::ListenErrorWakesNobody {
            self.wake.wake();
        }
    }
}

struct Listener {
    store: Store,
    options: SourceOptions,
    peers: usize,
    context: Context,
    outbox: Outbox,
    audit: Audit,
    parts_spread: u64,
}

impl Listener {
    async fn run(mut self, orders: watch::Receiver<Order>) {
        match self.read(orders).await {
            Ok(()) | Err(End::Unheard) => (),
            Err(End::Failed(error)) => {
                // Nobody left to tell is the same as told.
                let _ = self.outbox.put(Message::Failed(error));
                if self.context.hooks.mutant == Mutant::ErrorIsNotLast {
                    let _ = self.outbox.put(Message::Progress(Frontier::Closed));
                }
            }
        }
    }

    async fn read(&mut self, mut orders: watch::Receiver<Order>) -> Result<(), End> {
        let mutant = self.context.hooks.mutant;
        if mutant == Mutant::ReaderAfterStart {
            self.await_start().await;
        }
        let reader = self.open().await?;
        if mutant != Mutant::ReadsBeforeStart && mutant != Mutant::ReaderAfterStart {
            self.await_start().await;
        }
        let since = reader.since();
        let as_of = match (self.options.as_of, since) {
            (Some(as_of), _) if mutant != Mutant::AsOfIgnored => as_of,
            (_, Frontier::At(since)) => since,
            (_, Frontier::Closed) => {
                let shard = self.store.shard;
                return Err(self.shard_error(ShardError::Finalized { shard }));
            }
        };
        if mutant != Mutant::AsOfAfterSnapshot {
            self.outbox.put(Message::Progress(Frontier::At(as_of)))?;
            self.outbox.wake.wake();
        }
        if !since.less_equal(as_of) {
            if mutant == Mutant::AsOfErrorIsProgress {
                self.outbox.put(Message::Progress(since))?;
            }
            return Err(End::Failed(FlowError::AsOfBeforeSince {
                operator: self.context.name.clone(),
                shard: self.store.shard,
                as_of,
                since,
            }));
        }
        if since < Frontier::At(as_of) && mutant != Mutant::HoldsFromSince {
            reader
                .downgrade_since(Frontier::At(as_of))
                .await
                .map_err(|error| self.shard_error(error))?;
        }
        let mut snapshot = match self.options.snapshot {
            SnapshotMode::Include if self.options.until.less_equal(as_of) => Vec::new(),
            SnapshotMode::Include => reader
                .snapshot(as_of)
                .await
                .map_err(|error| self.shard_error(error))?,
            SnapshotMode::Exclude if mutant == Mutant::ExcludeIncludes => reader
                .snapshot(as_of)
                .await
                .map_err(|error| self.shard_error(error))?,
            SnapshotMode::Exclude => Vec::new(),
        };
        if mutant == Mutant::AsOfAfterSnapshot {
            self.outbox.put(Message::Progress(Frontier::At(as_of)))?;
            self.outbox.wake.wake();
        }
        let replay_upper = reader.cached_upper();
        let mut coalesce = Coalesce::new(self.options.coalesce_bytes, replay_upper.time(), mutant);
        let mut listen = reader
            .listen(as_of)
            .await
            .map_err(|error| self.shard_error(error))?;

        let mut current = Frontier::At(as_of);
        while let Frontier::At(at) = current
            && (!self.options.until.less_equal(at) || self.options.until.is_closed())
        {
            let next = tokio::select! {
                biased;
                // An operator that is gone wants no more either; the task is about to be aborted.
                _ = orders.wait_for(|order| *order != Order::Listen) => None,
                next = listen.next() => Some(next.map_err(|error| self.shard_error(error))?),
            };
            let Some(next) = next else {
                let _ = orders.wait_for(|order| *order == Order::Release).await;
                return Ok(());
            };
            // A listener that stands at an open frontier has a next batch, sooner or later.
            let ListenBatch { mut parts, progress } = next.expect("only a closed listener has nothing next");
            let from_snapshot = snapshot.len();
            if from_snapshot > 0 {
                snapshot.append(&mut parts);
                parts = std::mem::take(&mut snapshot);
            }
            let bytes = self.describe(at, parts, from_snapshot)?;
            current = current.max(progress);
            if !coalesce.withhold(bytes, current.time()) && !current.is_closed() {
                self.context.counters.progress_forwarded.add(1);
                self.outbox.put(Message::Progress(current))?;
            }
            self.outbox.wake.wake();
        }
        if mutant == Mutant::ListenDroppedEarly {
            drop(listen);
            self.outbox.put(Message::Progress(Frontier::Closed))?;
            return Ok(());
        }
        self.outbox.put(Message::Progress(Frontier::Closed))?;
        self.outbox.wake.wake();
        // The sender is dropped without a word when the dataflow is taken down.
        let _ = orders.wait_for(|order| *order == Order::Release).await;
        drop(listen);
        Ok(())
    }

    async fn open(&self) -> Result<ReadHandle, End> {
        let purpose = format!("source {}", self.context.name);
        self.store
            .client
            .open_leased_reader(self.store.shard, &self.store.codec, &purpose)
            .await
            .map_err(|error| self.shard_error(error))
    }

    async fn await_start(&mut self) {
        let StartSignal::When(start) = &mut self.options.start else {
            return;
        };
        if start.wait_for(|started| *started).await.is_err() {
            // Nobody can start this source any more; it waits until it is taken down.
            std::future::pending::<()>().await;
        }
    }

    /// Sends the parts worth fetching to their workers; answers their bytes.
    fn describe(&mut self, at: u64, parts: Vec<LeasedPart>, from_snapshot: usize) -> Result<usize, End> {
        let mut described = Vec::new();
        let mut bytes_sent = 0;
        for (index, leased) in parts.into_iter().enumerate() {
            if is_history(&leased) {
                continue;
            }
            let decision = self.judge(&leased, at, index < from_snapshot);
            let (part, lease) = leased.into_exchangeable();
            let bytes = part.encoded_bytes();
            let counters = &self.context.counters;
            let (part, lease) = match decision {
                Decision::Skip => {
                    counters.parts_filtered.add(1);
                    continue;
                }
                Decision::Fetch { audited } => {
                    counters.parts_audited.add(i64::from(audited));
                    (
                        PartToRead::Stored {
                            part: Box::new(part),
                            audited,
                        },
                        Some(lease),
                    )
                }
                Decision::Replace { row, diff } => {
                    counters.parts_replaced.add(1);
                    (PartToRead::Counted { row, time: at, diff }, None)
                }
            };
            bytes_sent += bytes;
            let worker = match self.context.hooks.mutant {
                Mutant::EverythingToOneWorker => 0,
                _ => part_worker(self.options.seed, self.parts_spread, self.peers),
            };
            self.parts_spread += 1;
            let worker = u64::try_from(worker).expect("a worker index fits 64 bits");
            described.push((Described { worker, part }, lease));
        }
        if !described.is_empty() {
            self.outbox.put(Message::Parts { at, parts: described })?;
        }
        Ok(bytes_sent)
    }

    fn judge(&mut self, leased: &LeasedPart, at: u64, snapshot: bool) -> Decision {
        let part = leased.part();
        let (result, key) = match (&self.options.part_filter, part.stats(), part.key()) {
            (Some(filter), Some(stats), Some(key)) => (filter(stats, Frontier::At(at)), key),
            (_, _, key) => (FilterResult::Keep, key.unwrap_or("inline")),
        };
        let bytes = u64::try_from(part.encoded_bytes()).expect("a length fits 64 bits");
        let diff_sum = if snapshot { part.whole_diff_sum() } else { None };
        self.audit.decide(result, key, bytes, diff_sum)
    }

    fn shard_error(&self, error: impl Error + Send + Sync + 'static) -> End {
        End::Failed(FlowError::Shard {
            operator: self.context.name.clone(),
            shard: self.store.shard,
            cause: Arc::new(error),
        })
    }
}

/// Whether every update of a listener's part is at or before its as_of: the first batch of a listener is
/// usually also the last of its snapshot, and would be fetched twice.
fn is_history(leased: &LeasedPart) -> bool {
    let part = leased.part();
    match part.filter() {
        shard::PartFilter::Listen { as_of, .. } => part
            .desc()
            .upper
            .time()
            .is_some_and(|upper| upper <= as_of.saturating_add(1)),
        shard::PartFilter::Snapshot { .. } => false,
    }
}
