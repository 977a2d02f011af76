//! What a worker thread of a test holds: the worker, its dataflows and what they put out.

use std::cell::RefCell;
use std::rc::Rc;

use dataflow::{
    Hooks, Row, RowUpdate, ShardInput, SinkOptions, SinkToken, SourceOptions, SourceToken, View,
    shard_source_hooked, view_sink_hooked,
};
use timely::dataflow::ProbeHandle;
use timely::dataflow::operators::{Inspect, Probe};
use timely::worker::Worker;

/// A worker and its dataflows, by number in order of installation.
pub(crate) struct Stage {
    pub(crate) worker: Worker,
    pub(crate) flows: Vec<Flow>,
    pub(crate) mills: Vec<MillFlow>,
}

/// One installed source with a sink behind it.
pub(crate) struct MillFlow {
    pub(crate) source: Option<SourceToken>,
    pub(crate) sink: Option<SinkToken>,
    probe: ProbeHandle<u64>,
}

impl MillFlow {
    /// The frontier of the view.
    pub(crate) fn frontier(&self) -> Option<u64> {
        self.probe.with_frontier(|frontier| frontier.first().copied())
    }
}

/// One installed source and what came out of it on this worker.
pub(crate) struct Flow {
    pub(crate) token: Option<SourceToken>,
    pub(crate) probe: ProbeHandle<u64>,
    pub(crate) rows: Rc<RefCell<Vec<RowUpdate>>>,
    pub(crate) errors: Rc<RefCell<Vec<RowUpdate>>>,
    pub(crate) ends: Rc<RefCell<usize>>,
}

impl Stage {
    pub(crate) fn new(worker: Worker) -> Self {
        Stage {
            worker,
            flows: Vec::new(),
            mills: Vec::new(),
        }
    }

    /// Renders a source into a dataflow of its own.
    pub(crate) fn install(&mut self, input: ShardInput, options: SourceOptions, hooks: Hooks) {
        let flow = self.worker.dataflow::<u64, _, _>(|scope| {
            let source = shard_source_hooked(scope, input, options, hooks);
            let rows = Rc::new(RefCell::new(Vec::new()));
            let errors = Rc::new(RefCell::new(Vec::new()));
            let ends = Rc::new(RefCell::new(0));
            let (rows_in, errors_in, ends_in) = (Rc::clone(&rows), Rc::clone(&errors), Rc::clone(&ends));
            let (probe, _) = source
                .rows
                .inspect_core(move |event| {
                    let Ok((stamp, updates)) = event else { return };
                    for update in updates {
                        assert!(
                            stamp.less_equal(&update.1),
                            "a row of time {} came out at {stamp:?}",
                            update.1
                        );
                    }
                    rows_in.borrow_mut().extend(updates.iter().cloned());
                })
                .probe();
            source
                .errors
                .inspect(move |update| errors_in.borrow_mut().push(update.clone()))
                .probe_with(&probe);
            source.ends.inspect(move |()| *ends_in.borrow_mut() += 1);
            Flow {
                token: Some(source.token),
                probe,
                rows,
                errors,
                ends,
            }
        });
        self.flows.push(flow);
    }

    /// Renders a source and a sink that writes what the source reads.
    pub(crate) fn install_mill(
        &mut self,
        (input, output): (ShardInput, ShardInput),
        (source, sink): (SourceOptions, SinkOptions),
        hooks: (Hooks, Hooks),
    ) {
        let mill = self.worker.dataflow::<u64, _, _>(|scope| {
            let source = shard_source_hooked(scope, input, source, hooks.0);
            let (probe, rows) = source.rows.probe();
            let view = View {
                rows,
                errors: source.errors,
                ends: source.ends,
                inputs: 1,
            };
            let sink = view_sink_hooked(scope, output, view, sink, hooks.1);
            MillFlow {
                source: Some(source.token),
                sink: Some(sink.token),
                probe,
            }
        });
        self.mills.push(mill);
    }

    pub(crate) fn step(&mut self) {
        self.worker.step();
    }
}

impl Flow {
    /// The frontier of rows and errors; none when it is empty.
    pub(crate) fn frontier(&self) -> Option<u64> {
        self.probe.with_frontier(|frontier| frontier.first().copied())
    }

    pub(crate) fn rows(&self) -> Vec<(Row, u64, i64)> {
        self.rows.borrow().clone()
    }
}
