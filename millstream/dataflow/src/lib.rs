//! Between durable shards and timely dataflows: a source that reads a shard, a sink that keeps one equal
//! to a view.
//!
//! The one promise: **a frontier never passes data that did not come out.** A missing or damaged part, a
//! task that died, a worker that is being shut down are never taken for progress. The source keeps its
//! capabilities per time with a count ([`shard_source`]); whatever goes wrong at time `f`, its frontier
//! stops at exactly `f` and stays there.
//!
//! ```text
//!   shard ──parts──▶ source ──rows, frontier──▶ (any dataflow) ──rows, frontier──▶ sink ──batches──▶ shard
//! ```
//!
//! A view that copies a shard, rendered on every worker of every process with the same arguments:
//!
//! ```text
//! let token = worker.dataflow(|scope| {
//!     let options = SourceOptions::new("orders", ErrorHandler::Halt("orders".to_owned()));
//!     let source = shard_source(scope, ShardInput { runtime, client, shard: orders, codec }, options);
//!     let view = View { rows: source.rows, errors: source.errors, ends: source.ends, inputs: 1 };
//!     let options = SinkOptions { name: "copy".to_owned(), as_of, writes: WritePermission::Now, errors };
//!     let sink = view_sink(scope, ShardInput { runtime, client, shard: copy, codec }, view, options);
//!     DataflowToken::new(vec![sink.token], vec![source.token])
//! });
//! while worker.has_dataflows() {
//!     worker.step_or_park(None); // appends, errors and presses wake it
//! }
//! ```
//!
//! Dropping the token on every worker takes the dataflow down; the copy stays as it is and goes on when the
//! dataflow is rendered again. The rows of the copy are tagged: read it with [`RowCodec::Tagged`].
//!
//! This crate knows times (`u64`), diffs (`i64`) and rows (bytes, compared as bytes). It must not know
//! what rows mean, which views there are, or where a dataflow comes from. Operators are synchronous and
//! never wait; everything asynchronous lives in tasks on a runtime that the caller gives.
//!
//! Reading order: `row`, [`shard_source`] and `source/`, `sink/`, then the small parts they share:
//! `button` (shutdown), `wake`, `task`, `counters`, `error`.

mod button;
mod counters;
mod error;
#[doc(hidden)]
mod hooks;
#[doc(hidden)]
mod mutant;
mod row;
mod sink;
mod source;
mod task;
mod wake;

pub use counters::{Counters, Gauge};
pub use error::{Cause, ErrorHandler, FlowError, HALT_EXIT_CODE};
#[doc(hidden)]
pub use hooks::Hooks;
#[doc(hidden)]
pub use mutant::Mutant;
pub use row::{
    Row, RowBatcher, RowBuilder, RowContainer, RowLayout, RowRef, RowRowBatcher, RowRowBuilder, RowRowLayout,
    RowRowSpine, RowSpine, RowUpdate,
};
#[doc(hidden)]
pub use sink::view_sink_hooked;
pub use sink::{DataflowToken, Sink, SinkOptions, SinkToken, View, WritePermission, view_sink};
#[doc(hidden)]
pub use source::shard_source_hooked;
pub use source::{
    FilterResult, FlowLimit, PartFilter, Pushed, RowCodec, RowFilter, ShardInput, SnapshotMode, Source,
    SourceOptions, SourceToken, StartSignal, chosen_worker, shard_source,
};
