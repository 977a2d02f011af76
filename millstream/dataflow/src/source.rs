//! The shard source: a shard in, rows and progress out.
//!
//! ```text
//!  tokio: listen task  --- messages ----------> [descriptions]        all workers build it, one is active
//!  (chosen worker)                                   |
//!         ^                                          v  exchange by worker index   ([flow] sits here)
//!         | "all fetched, drop the listen"       [fetch] <---> tokio: fetch task   every worker
//!         |                                       |    |
//!         +--- completed frontier, no data <------+    v
//!                                                  [decode] --> rows, errors in the data
//! ```
//!
//! The operators are synchronous and never wait; the tasks own everything asynchronous and every durable
//! handle. Must not know what rows mean, nor what is built on top.
//!
//! 1. The output frontier never passes a time whose parts were not all emitted (SRC-1).
//! 2. After a failure at time `f` the frontier stops at exactly `f`, for good; all rows before `f` come
//!    out, whatever the timing (SRC-2). The error goes to the handler, never into progress.
//! 3. Nothing is let go before every worker has been told to shut down (SRC-13).
//! 4. The end of a source is announced ([`Source::ends`]), it is not the absence of a frontier.

use shard::{Client, Frontier, ShardId};
use std::sync::Arc;

use timely::dataflow::operators::{Concat, ConnectLoop, Feedback};
use timely::dataflow::{Scope, Stream};

use crate::button::Press;
use crate::counters::Counters;
use crate::hooks::Hooks;
use crate::{Mutant, RowUpdate};

mod coalesce;
mod decode;
mod descriptions;
mod fetch;
mod fetching;
mod filter;
mod flow;
mod leases;
mod listening;
mod message;
mod options;
mod outstanding;
mod spread;

use descriptions::Context;
pub(crate) use fetch::count;
use fetching::Store;
pub use filter::FilterResult;
pub use options::{
    FlowLimit, PartFilter, Pushed, RowCodec, RowFilter, SnapshotMode, SourceOptions, StartSignal,
};
pub use spread::chosen_worker;
pub(crate) use spread::stable_hash;

/// Which shard to read, through which client, on which runtime.
#[derive(Clone, Debug)]
pub struct ShardInput {
    /// Runs the tasks of the source.
    pub runtime: tokio::runtime::Handle,
    /// The location.
    pub client: Client,
    /// The shard.
    pub shard: ShardId,
    /// The name of its rows' encoding.
    pub codec: String,
}

/// A rendered source.
#[must_use = "dropping the token shuts the source down"]
pub struct Source<'scope> {
    /// The rows, each at or after the time of its message.
    pub rows: Stream<'scope, u64, Vec<RowUpdate>>,
    /// Errors that are part of the data.
    pub errors: Stream<'scope, u64, Vec<RowUpdate>>,
    /// One record when the shard was closed or `until` was reached; none when the source is shut down.
    pub ends: Stream<'scope, u64, Vec<()>>,
    /// Shuts the source down, once it is dropped on every worker.
    pub token: SourceToken,
    /// What the source does, on this process's workers.
    pub counters: Arc<Counters>,
}

/// Presses the buttons of a source's operators on this worker when dropped.
#[must_use = "dropping it shuts the source down"]
pub struct SourceToken {
    _presses: Vec<Press>,
}

/// Renders a source of `input`; all workers must call it with equal arguments at the same place.
pub fn shard_source<'scope>(
    scope: Scope<'scope, u64>,
    input: ShardInput,
    options: SourceOptions,
) -> Source<'scope> {
    shard_source_hooked(scope, input, options, Hooks::default())
}

/// [`shard_source`] with deliberate faults and places to look in.
#[doc(hidden)]
pub fn shard_source_hooked<'scope>(
    scope: Scope<'scope, u64>,
    input: ShardInput,
    options: SourceOptions,
    hooks: Hooks,
) -> Source<'scope> {
    let counters = hooks.counters.clone().unwrap_or_default();
    let context = Context {
        name: options.name.clone(),
        errors: options.errors.clone(),
        counters: Arc::clone(&counters),
        hooks,
        limited: options.flow.is_some(),
    };
    let store = Store {
        runtime: input.runtime,
        client: input.client,
        shard: input.shard,
        codec: input.codec,
    };
    let peers = scope.peers();
    let chosen = match context.hooks.mutant {
        Mutant::EveryWorkerIsChosen => scope.index(),
        _ => chosen_worker(&options.name, peers),
    };
    let mut presses = Vec::new();

    let (completed_loop, completed) = scope.feedback(Default::default());
    let (failed_loop, failed) = scope.feedback(Default::default());

    let listen = (scope.index() == chosen).then(|| {
        let (store, options, context) = (store.clone(), options.clone(), context.clone());
        Box::new(move |wake| listening::start(store, options, peers, context, wake))
            as Box<dyn FnOnce(_) -> _>
    });
    let described = descriptions::build(scope, context.clone(), completed, failed, chosen, listen);
    presses.push(described.press);
    let ends = described.ends;
    let (parts, retired_loop) = match options.flow {
        Some(limit) => {
            let (retired_loop, retired) = scope.feedback(Default::default());
            let (parts, press) = flow::build(context.clone(), limit, chosen, described.parts, retired);
            presses.push(press);
            (parts, Some(retired_loop))
        }
        None => (described.parts, None),
    };

    let fetch_store = store.clone();
    let fetch_context = context.clone();
    let fetched = fetch::build(
        context.clone(),
        parts,
        Box::new(move |wake| fetching::start(fetch_store, fetch_context, wake)),
    );
    presses.push(fetched.press);
    fetched.completed.connect_loop(completed_loop);

    let decoding = decode::Decoding {
        shard: store.shard,
        codec: options.codec,
        row_filter: options.row_filter.clone(),
        until: options.until,
        rows_max: options.decode_rows_max.max(1),
    };
    let decoded = decode::build(context, decoding, fetched.parts);
    presses.push(decoded.press);
    fetched.failed.concat(decoded.failed).connect_loop(failed_loop);
    if let Some(retired_loop) = retired_loop {
        decoded.retired.connect_loop(retired_loop);
    }

    Source {
        rows: decoded.rows,
        errors: decoded.errors,
        ends,
        token: SourceToken { _presses: presses },
        counters,
    }
}

/// A timely frontier of totally ordered times as the storage's.
pub(crate) fn frontier_of(frontier: timely::progress::frontier::AntichainRef<'_, u64>) -> Frontier {
    frontier
        .first()
        .map_or(Frontier::Closed, |time| Frontier::At(*time))
}
