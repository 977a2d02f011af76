//! The operator that turns part descriptions into fetched parts, and its task.
//!
//! The operator never blocks: it hands `(time, part)` to a task of its worker and takes results back as
//! they come. What it owes is kept per time ([`Outstanding`]).
//!
//! 1. The outputs exist before the input, whose default connection covers them.
//! 2. The capabilities of a time, for the parts, the completed frontier and news of failure, are released
//!    together, when all parts of that time have come.
//! 3. The input is drained in every run unless wedged, also while frozen, so that upstream is not stalled.
//! 4. Results are bounded ([`RESULTS_MAX`]), so parts do not pile up while the worker is busy. A frozen
//!    operator goes on draining them, so the task is never stuck and gives its memory back.

use std::convert::Infallible;

use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;

use super::descriptions::Context;
use super::message::{Arrived, Described, Request, Response};
use super::outstanding::Outstanding;
use crate::button::{Button, Phase, Press};
use crate::task::Task;
use crate::wake::Wake;
use crate::{FlowError, Mutant};

/// Fetched parts that wait for their operator.
pub(crate) const RESULTS_MAX: usize = 4;

/// The ends of a fetch task's channels.
pub(crate) struct Fetching {
    pub(crate) requests: Option<mpsc::UnboundedSender<Request>>,
    pub(crate) results: mpsc::Receiver<Response>,
    pub(crate) task: Task,
}

/// What comes out: fetched parts, the frontier of what is completely fetched, the button.
pub(crate) struct Fetched<'scope> {
    pub(crate) parts: Stream<'scope, u64, Vec<Arrived>>,
    pub(crate) completed: Stream<'scope, u64, Vec<Infallible>>,
    /// The times of failed parts.
    pub(crate) failed: Stream<'scope, u64, Vec<u64>>,
    pub(crate) press: Press,
}

/// Builds the operator; `start` makes the worker's fetch task, given the operator's wake.
pub(crate) fn build<'scope>(
    context: Context,
    described: Stream<'scope, u64, Vec<Described>>,
    start: Box<dyn FnOnce(Wake) -> Fetching>,
) -> Fetched<'scope> {
    let scope = described.scope();
    let mut builder = OperatorBuilder::new(format!("shard_source_fetch({})", context.name), scope);
    let address = builder.operator_info().address;
    let (parts_out, parts) = builder.new_output::<Vec<Arrived>>();
    let (completed_out, completed) = builder.new_output::<Vec<Infallible>>();
    let (failed_out, failed) = builder.new_output::<Vec<u64>>();
    let mut described_in =
        builder.new_input(described, Exchange::new(|described: &Described| described.worker));
    let mut parts_out = OutputBuilder::from(parts_out);
    let mut failed_out = OutputBuilder::from(failed_out);

    let (mut button, press) = Button::new(scope, &address, context.hooks.mutant);
    let wake = Wake::new(
        scope.worker().sync_activator_for(address.to_vec()),
        context.hooks.mutant,
    );

    builder.build_reschedule(move |capabilities| {
        drop(capabilities);
        // The completed frontier is all this output ever says; it must live as long as the operator.
        let _completed_out = completed_out;
        let mut state = Some(Fetcher {
            fetching: start(wake.clone()),
            outstanding: Outstanding::new(context.hooks.mutant),
            died: false,
        });
        move |frontiers| {
            let _ = &_completed_out;
            context.counters.schedules_fetch.add(1);
            if state.is_some() {
                match button.phase() {
                    Phase::Running => (),
                    Phase::Wedged => return true,
                    Phase::Down => state.take().expect("checked above").shut_down(&context),
                }
            }
            let Some(fetcher) = &mut state else {
                described_in.for_each(|_, described| {
                    context.counters.parts_in_flight.add(-count(described.len()));
                    described.clear();
                });
                return false;
            };
            wake.acknowledge();
            described_in.for_each(|capability, described| {
                let time = *capability.least().expect("descriptions carry a capability");
                for described in described.drain(..) {
                    let wanted = fetcher.outstanding.expect(time, || {
                        (0..3)
                            .map(|output| capability.delayed(&time, output))
                            .collect::<Vec<_>>()
                    });
                    fetcher.request(time, described, wanted, &context);
                }
            });
            fetcher.drain(&context, &mut parts_out, &mut failed_out);
            if frontiers[0].frontier().is_empty() && fetcher.outstanding.is_empty() {
                fetcher.fetching.requests = None;
            }
            true
        }
    });
    Fetched {
        parts,
        completed,
        failed,
        press,
    }
}

type PartsOut = OutputBuilder<u64, timely::container::CapacityContainerBuilder<Vec<Arrived>>>;

type FailedOut = OutputBuilder<u64, timely::container::CapacityContainerBuilder<Vec<u64>>>;

struct Fetcher {
    fetching: Fetching,
    /// The capability for each output.
    outstanding: Outstanding<Vec<Capability<u64>>>,
    died: bool,
}

impl Fetcher {
    fn request(&mut self, time: u64, described: Described, wanted: bool, context: &Context) {
        if !wanted || self.died {
            context.counters.parts_in_flight.add(-1);
            return;
        }
        let request = Request {
            time,
            part: described.part,
        };
        match &self.fetching.requests {
            Some(requests) if requests.send(request).is_ok() => context.counters.requests_sent.add(1),
            _ => self.task_died(context),
        }
    }

    fn drain(&mut self, context: &Context, parts_out: &mut PartsOut, failed_out: &mut FailedOut) {
        if context.hooks.mutant == Mutant::FrozenStopsDraining && self.outstanding.frozen_at().is_some() {
            return;
        }
        loop {
            match self.fetching.results.try_recv() {
                Ok(response) => {
                    context.counters.results_received.add(1);
                    let failed = response.result.is_err();
                    self.take(response, context, parts_out, failed_out);
                    // The review's shape left the loop here and came back as if nothing had been.
                    if failed && context.hooks.mutant == Mutant::FifoUnchecked {
                        return;
                    }
                }
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    if !self.outstanding.is_empty() && !self.died {
                        self.task_died(context);
                    }
                    return;
                }
            }
        }
    }

    fn take(
        &mut self,
        response: Response,
        context: &Context,
        parts_out: &mut PartsOut,
        failed_out: &mut FailedOut,
    ) {
        match response.result {
            Ok(part) => {
                let mut part = Some(part);
                let emitted = self.outstanding.succeed(response.time, |capabilities| {
                    let capability = &capabilities[0];
                    let time = *capability.time();
                    let arrived = Arrived {
                        time,
                        part: part.take().expect("emitted once"),
                    };
                    context.counters.parts_emitted.add(1);
                    parts_out.activate().session(capability).give(arrived);
                });
                if !emitted {
                    context.counters.parts_in_flight.add(-1);
                }
            }
            Err(error) => {
                context.counters.parts_in_flight.add(-1);
                if context.hooks.mutant == Mutant::MissingPartIsEmpty {
                    self.outstanding.succeed(response.time, |_| ());
                    return;
                }
                let first = self.outstanding.fail(response.time);
                if let Some(capabilities) = self.outstanding.held(response.time) {
                    failed_out
                        .activate()
                        .session(&capabilities[2])
                        .give(response.time);
                }
                context.report(first, &error);
            }
        }
    }

    /// Nothing more will come: whatever is owed stays owed.
    fn task_died(&mut self, context: &Context) {
        self.died = true;
        if context.hooks.mutant == Mutant::TaskDeathIsProgress {
            self.outstanding.clear();
            return;
        }
        let first = self.outstanding.frozen_at().is_none();
        context.report(
            first,
            &FlowError::TaskDied {
                operator: context.name.clone(),
                task: "fetch",
            },
        );
    }

    fn shut_down(mut self, context: &Context) {
        self.outstanding.clear();
        self.fetching.requests = None;
        self.fetching.results.close();
        while self.fetching.results.try_recv().is_ok() {
            context.counters.results_received.add(1);
        }
        if context.hooks.mutant == Mutant::ShutdownLeavesTasks {
            std::mem::forget(self.fetching.task);
        }
    }
}

/// A length as a counter's number.
pub(crate) fn count(length: usize) -> i64 {
    i64::try_from(length).expect("a length fits 63 bits")
}
