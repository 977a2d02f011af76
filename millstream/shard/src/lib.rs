//! Durable shards: time-varying collections of byte rows that survive any crash, written and read by many
//! processes without a coordinator.
//!
//! The founding sentence: **a read at `t` is correct when `since <= t < upper`**. A shard is a multiset of
//! rows that changes over time, given as updates `(row, time, diff)`. `upper` says which times may still
//! change, `since` which are still told apart. Both only advance. Whoever reads holds `since` back; whoever
//! writes moves `upper` by compare-and-append, which is also the only fence between writers.
//!
//! ```text
//!   WriteHandle ──batch──▶ Blob            (parts: immutable, written once)
//!        │                  ▲
//!        └──append──▶ State (pure) ──diff──▶ Consensus   (a log of versions, compare-and-set)
//!                       ▲                        │
//!   ReadHandle ─hold────┘◀──────── fetch ────────┘
//!   Listen, snapshot ──parts + lease──▶ BatchFetcher ──▶ updates
//! ```
//!
//! Reading order: [`time`], [`ids`], [`store`] (the outside world), [`state`] and [`machine`] (pure),
//! `applier` (state meets store), [`write`](WriteHandle), [`read`](ReadHandle), [`fetch`](BatchFetcher),
//! `maintenance`, [`gc`], `compact`.
//!
//! Use from async code under any executor; nothing needs a particular runtime. A [`Client`] opens handles:
//!
//! ```text
//! let client = Client::new(Location::mem(), ClientConfig::default());
//! let shard = client.fresh_shard();
//! let writer = client.open_writer(shard, "utf8", "loader").await?;
//! writer.compare_and_append(&[Update::new("a", 0, 1)], Frontier::At(0), Frontier::At(1)).await?;
//! let reader = client.open_leased_reader(shard, "utf8", "printer").await?;
//! let (parts, mut listen) = reader.subscribe(0).await?;
//! ```

pub mod clock;
pub mod format;
pub mod ids;
pub mod machine;
#[doc(hidden)]
pub mod mutant;
pub mod settings;
pub mod state;
pub mod store;
#[doc(hidden)]
pub mod testing;
pub mod time;

mod applier;
mod background;
mod batch;
mod client;
mod compact;
mod critical;
mod fetch;
pub mod gc;
mod inspect;
mod location;
mod maintenance;
mod merge;
mod pieces;
mod read;
mod retry;
mod riders;
mod rt;
mod uploads;
mod verify;
mod write;

pub use applier::ShardError;
pub use batch::{Batch, BatchBuilder, BuildError, UsageError};
pub use client::{Client, ClientConfig, Maintenance};
pub use clock::Clock;
pub use critical::{DowngradeError, SinceHandle};
pub use fetch::{
    BatchFetcher, ExchangeablePart, FetchError, FetchedPart, Lease, LeasedPart, MissingBecause, PartFilter,
    Position,
};
pub use format::{Update, UpdateRef};
pub use ids::{CriticalId, IdSource, ReaderId, SeqNo, ShardId, WriterId};
pub use inspect::Inspection;
pub use location::{Location, LocationError, redact};
pub use machine::merge::MergeRequest;
pub use maintenance::Done;
pub use read::{Listen, ListenBatch, ReadError, ReadHandle};
pub use rt::block_on;
pub use settings::{CompactionSettings, LiveSettings, Settings};
pub use state::PartStats;
pub use time::{Frontier, Timestamp};
pub use verify::Verification;
pub use write::{AppendError, WriteHandle};

#[cfg(test)]
mod tests;
