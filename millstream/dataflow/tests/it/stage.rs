//! What a worker thread of a test holds: the worker, its dataflows and what they put out.

use std::cell::RefCell;
use std::rc::Rc;

use dataflow::{Hooks, Row, RowUpdate, ShardInput, SourceOptions, SourceToken, shard_source_hooked};
use timely::dataflow::ProbeHandle;
use timely::dataflow::operators::{Inspect, Probe};
use timely::worker::Worker;

/// A worker and its dataflows, by number in order of installation.
pub struct Stage {
    pub worker: Worker,
    pub flows: Vec<Flow>,
}

/// One installed source and what came out of it on this worker.
pub struct Flow {
    pub token: Option<SourceToken>,
    pub probe: ProbeHandle<u64>,
    pub rows: Rc<RefCell<Vec<RowUpdate>>>,
    pub errors: Rc<RefCell<Vec<RowUpdate>>>,
    pub ends: Rc<RefCell<usize>>,
}

impl Stage {
    pub fn new(worker: Worker) -> Self {
        Stage {
            worker,
            flows: Vec::new(),
        }
    }

    /// Renders a source into a dataflow of its own.
    pub fn install(&mut self, input: ShardInput, options: SourceOptions, hooks: Hooks) {
        let flow = self.worker.dataflow::<u64, _, _>(|scope| {
            let source = shard_source_hooked(scope, input, options, hooks);
            let rows = Rc::new(RefCell::new(Vec::new()));
            let errors = Rc::new(RefCell::new(Vec::new()));
            let ends = Rc::new(RefCell::new(0));
            let (rows_in, errors_in, ends_in) = (Rc::clone(&rows), Rc::clone(&errors), Rc::clone(&ends));
            let (probe, _) = source
                .rows
                .inspect(move |update| rows_in.borrow_mut().push(update.clone()))
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

    pub fn step(&mut self) {
        self.worker.step();
    }
}

impl Flow {
    /// The frontier of rows and errors; none when it is empty.
    pub fn frontier(&self) -> Option<u64> {
        self.probe.with_frontier(|frontier| frontier.first().copied())
    }

    pub fn rows(&self) -> Vec<(Row, u64, i64)> {
        self.rows.borrow().clone()
    }
}
