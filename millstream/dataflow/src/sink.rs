//! The view sink: keeps a shard equal to a collection at every time, whatever is killed, whoever else
//! writes the same.
//!
//! ```text
//!   view ──▶ [watch] ──frontier──▶ [mint] ──descriptions──▶ [write] ──batches──▶ [append] ──▶ shard
//!                │                                            ▲  ▲                            │
//!                └──────────────── rows ──────────────────────┘  └──── rows read back ◀───────┘
//! ```
//!
//! `mint` and `append` are active on one worker, `write` on all. Nothing is remembered but the shard: a
//! restarted sink reads back what is there and writes the difference. Several sinks may write the same
//! view; whoever is late finds his difference gone. Must not know how the view is computed.
//!
//! 1. The shard's upper never exceeds the view's frontier (SNK-6).
//! 2. At every complete time from `as_of` on the shard equals the view (SNK-1, SNK-2).
//! 3. A dataflow that is being taken down never closes a shard (H16): its end must be announced.
//! 4. No gap is written over (H17).

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;

use shard::{Frontier, WriteHandle};
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Concat;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::vec::Map;
use timely::dataflow::{Scope, Stream};
use tokio::sync::watch;

use crate::button::Press;
use crate::counters::Counters;
use crate::hooks::Hooks;
use crate::source::{ShardInput, SourceOptions, SourceToken, chosen_worker, shard_source_hooked};
use crate::{ErrorHandler, FlowError, Row, RowUpdate};

mod append_operator;
mod correction;
mod mint;
mod mint_operator;
mod write_operator;

/// A collection to be kept in a shard.
pub struct View<'scope> {
    /// Its rows.
    pub rows: Stream<'scope, u64, Vec<RowUpdate>>,
    /// Errors that are part of it.
    pub errors: Stream<'scope, u64, Vec<RowUpdate>>,
    /// The announcements of its inputs that they have ended ([`crate::Source::ends`], concatenated).
    pub ends: Stream<'scope, u64, Vec<()>>,
    /// How many inputs will announce their end. The shard is closed when the view's frontier is empty and
    /// all have.
    pub inputs: usize,
}

/// When the sink may write.
#[derive(Clone, Debug)]
pub enum WritePermission {
    /// From the beginning.
    Now,
    /// When the value becomes true; never taken back. Until then the sink is read-only.
    When(watch::Receiver<bool>),
}

/// How a view is written. All workers must build the sink with equal options.
#[derive(Clone, Debug)]
pub struct SinkOptions {
    /// Names the operators and chooses the worker that appends.
    pub name: String,
    /// The first time at which the shard must equal the view.
    pub as_of: u64,
    /// When the sink may write.
    pub writes: WritePermission,
    /// What to do about errors.
    pub errors: ErrorHandler,
}

/// A rendered sink.
#[must_use = "dropping the token shuts the sink down"]
pub struct Sink {
    /// Shuts the sink down, once it is dropped on every worker.
    pub token: SinkToken,
    /// What the sink does, on this process's workers.
    pub counters: Arc<Counters>,
}

/// Presses the buttons of a sink's operators on this worker when dropped, then those of its read-back.
#[must_use = "dropping it shuts the sink down"]
pub struct SinkToken {
    // Fields are dropped in this order.
    _presses: Vec<Press>,
    _read_back: SourceToken,
}

/// The one token of a dataflow: dropping it presses the sinks' buttons before the sources', with no step
/// of the worker in between.
#[must_use = "dropping it shuts the dataflow down"]
pub struct DataflowToken {
    // Fields are dropped in this order.
    _sinks: Vec<SinkToken>,
    _sources: Vec<SourceToken>,
}

impl DataflowToken {
    /// The token of a dataflow of these sinks and sources.
    pub fn new(sinks: Vec<SinkToken>, sources: Vec<SourceToken>) -> Self {
        DataflowToken {
            _sinks: sinks,
            _sources: sources,
        }
    }
}

/// What every operator of a sink needs to know.
#[derive(Clone)]
struct SinkContext {
    name: String,
    as_of: u64,
    inputs: usize,
    /// Index of the worker that mints and appends.
    chosen: u64,
    output: ShardInput,
    writes: WritePermission,
    errors: ErrorHandler,
    counters: Arc<Counters>,
    hooks: Hooks,
}

impl SinkContext {
    fn is_chosen(&self, scope: Scope<'_, u64>) -> bool {
        u64::try_from(scope.index()).expect("a worker index fits 64 bits") == self.chosen
    }

    fn report(&self, error: &FlowError) {
        self.counters.errors_reported.add(1);
        self.errors.report(error);
    }

    fn shard_error(&self, error: impl Error + Send + Sync + 'static) -> FlowError {
        FlowError::Shard {
            operator: self.name.clone(),
            shard: self.output.shard,
            cause: Arc::new(error),
        }
    }

    async fn open_writer(&self) -> Result<WriteHandle, FlowError> {
        let purpose = format!("sink {}", self.name);
        let opened = self
            .output
            .client
            .open_writer(self.output.shard, &self.output.codec, &purpose)
            .await;
        opened.map_err(|error| self.shard_error(error))
    }

    /// The shard's since and upper now.
    async fn bounds(&self, writer: &WriteHandle) -> Result<(Frontier, Frontier), FlowError> {
        let purpose = format!("sink {} (start)", self.name);
        let client = &self.output.client;
        let reader = client
            .open_leased_reader(self.output.shard, &self.output.codec, &purpose)
            .await;
        let reader = reader.map_err(|error| self.shard_error(error))?;
        let since = reader.since();
        reader.expire().await.map_err(|error| self.shard_error(error))?;
        let upper = writer
            .fetch_upper()
            .await
            .map_err(|error| self.shard_error(error))?;
        Ok((since, upper))
    }
}

/// Renders a sink that writes `view` to `output`. Rows are written with tag 0 in front, errors with tag 1:
/// the shard is read back with [`crate::RowCodec::Tagged`].
pub fn view_sink<'scope>(
    scope: Scope<'scope, u64>,
    output: ShardInput,
    view: View<'scope>,
    options: SinkOptions,
) -> Sink {
    view_sink_hooked(scope, output, view, options, Hooks::default())
}

/// [`view_sink`] with deliberate faults and places to look in.
#[doc(hidden)]
pub fn view_sink_hooked<'scope>(
    scope: Scope<'scope, u64>,
    output: ShardInput,
    view: View<'scope>,
    options: SinkOptions,
    hooks: Hooks,
) -> Sink {
    let counters = hooks.counters.clone().unwrap_or_default();
    let chosen = chosen_worker(&options.name, scope.peers());
    let context = SinkContext {
        name: options.name.clone(),
        as_of: options.as_of,
        inputs: view.inputs,
        chosen: u64::try_from(chosen).expect("a worker index fits 64 bits"),
        output: output.clone(),
        writes: options.writes,
        errors: options.errors.clone(),
        counters: Arc::clone(&counters),
        hooks: hooks.clone(),
    };

    // Read back from the shard's since on: data of before as_of may be there, and must be corrected.
    let back_options = SourceOptions::new(&format!("{}, read back", options.name), options.errors);
    let back_hooks = Hooks {
        counters: Some(Arc::clone(&counters)),
        ..Hooks::default()
    };
    let read_back = shard_source_hooked(scope, output, back_options, back_hooks);

    let rows = view.rows.map(|(row, time, diff)| (tagged(0, &row), time, diff));
    let errors = view.errors.map(|(row, time, diff)| (tagged(1, &row), time, diff));
    let (desired, frontier) = watch_frontier(&options.name, rows.concat(errors));
    let peers = u64::try_from(scope.peers()).expect("a worker count fits 64 bits");
    let ends = view.ends.clone().flat_map(move |()| 0..peers);
    let minted = mint_operator::build(scope, context.clone(), frontier, view.ends);
    let (batches, write_press) =
        write_operator::build(context.clone(), desired, read_back.rows, minted.to_writers, ends);
    let append_press = append_operator::build(scope, context, minted.to_appender, batches);

    let token = SinkToken {
        _presses: vec![minted.press, write_press, append_press],
        _read_back: read_back.token,
    };
    Sink { token, counters }
}

/// `row` behind one byte that says what it is.
fn tagged(tag: u8, row: &Row) -> Row {
    let mut bytes = Vec::with_capacity(1 + row.as_bytes().len());
    bytes.push(tag);
    bytes.extend_from_slice(row.as_bytes());
    Row::from(bytes)
}

/// Passes `stream` on, and its frontier alone on a second stream: nothing is copied.
fn watch_frontier<'scope>(
    name: &str,
    stream: Stream<'scope, u64, Vec<RowUpdate>>,
) -> (
    Stream<'scope, u64, Vec<RowUpdate>>,
    Stream<'scope, u64, Vec<Infallible>>,
) {
    let mut builder = OperatorBuilder::new(format!("view_sink_watch({name})"), stream.scope());
    let (rows_out, rows) = builder.new_output::<Vec<RowUpdate>>();
    let (frontier_out, frontier) = builder.new_output::<Vec<Infallible>>();
    let mut rows_in = builder.new_input(stream, Pipeline);
    let mut rows_out = OutputBuilder::from(rows_out);
    builder.build(move |capabilities| {
        drop(capabilities);
        // Says nothing but its frontier; it must live as long as the operator.
        let frontier_out = frontier_out;
        move |_| {
            let _ = &frontier_out;
            let mut output = rows_out.activate();
            rows_in.for_each(|capability, rows| output.session(&capability).give_container(rows));
        }
    });
    (rows, frontier)
}
