//! The operator that describes parts to the workers.
//!
//! On the chosen worker it turns the listen task's messages into part descriptions at the time of their
//! batch, keeps the leases, and learns through the feedback edge which times are completely fetched. On
//! the others it is an empty shell: all workers must build the same shape. It never touches a part.
//!
//! 1. The output exists before the feedback input, and the input is connected to no output; so the
//!    identity summary of the feedback edge closes no cycle.
//! 2. Acknowledge the wake, then drain.
//! 3. A lease is returned when the completed frontier has passed the time of its part, also while frozen.
//! 4. Told by a worker that a part failed at `f`, it listens no more and keeps the leases up to `f` only
//!    (H11): nothing later will ever be asked for.
//! 5. A channel that ends without a last word ([`Message::Failed`] or a closed [`Message::Progress`])
//!    means the task died: report and freeze.

use std::convert::Infallible;
use std::sync::Arc;

use shard::Frontier;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, Stream};
use timely::progress::Antichain;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, watch};

use super::leases::Leases;
use super::listening::Order;
use super::message::{Described, Message};
use crate::button::{Button, Phase, Press};
use crate::counters::Counters;
use crate::hooks::Hooks;
use crate::task::Task;
use crate::wake::Wake;
use crate::{ErrorHandler, FlowError, Mutant};

/// What the chosen worker's operator owns.
pub(crate) struct Listening {
    pub(crate) messages: mpsc::UnboundedReceiver<Message>,
    pub(crate) control: watch::Sender<Order>,
    pub(crate) task: Task,
}

/// What comes out: descriptions, one announcement of the source's end, the button.
pub(crate) struct Descriptions<'scope> {
    pub(crate) parts: Stream<'scope, u64, Vec<Described>>,
    pub(crate) ends: Stream<'scope, u64, Vec<()>>,
    pub(crate) press: Press,
}

/// What every operator of a source needs to know.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) name: String,
    pub(crate) errors: ErrorHandler,
    pub(crate) counters: Arc<Counters>,
    pub(crate) hooks: Hooks,
    /// Whether flow control counts the parts in flight.
    pub(crate) limited: bool,
}

impl Context {
    /// Reports the first error of an operator; counts later ones.
    pub(crate) fn report(&self, first: bool, error: &FlowError) {
        if first {
            self.counters.errors_reported.add(1);
            if self.hooks.mutant != Mutant::HaltReturns {
                self.errors.report(error);
            }
        } else {
            self.counters.errors_suppressed.add(1);
        }
    }
}

/// Builds the operator. `listen` is called on the chosen worker alone, with the operator's wake.
pub(crate) fn build<'scope>(
    scope: Scope<'scope, u64>,
    context: Context,
    completed: Stream<'scope, u64, Vec<Infallible>>,
    failed: Stream<'scope, u64, Vec<u64>>,
    chosen: usize,
    listen: Option<Box<dyn FnOnce(Wake) -> Listening>>,
) -> Descriptions<'scope> {
    let mut builder = OperatorBuilder::new(format!("shard_source_descriptions({})", context.name), scope);
    let address = builder.operator_info().address;
    let (parts_out, parts) = builder.new_output::<Vec<Described>>();
    let (ends_out, ends) = builder.new_output::<Vec<()>>();
    let mut completed_in =
        builder.new_input_connection(completed, Pipeline, Vec::<(usize, Antichain<u64>)>::new());
    let chosen = u64::try_from(chosen).expect("a worker index fits 64 bits");
    let mut failed_in = builder.new_input_connection(
        failed,
        Exchange::new(move |_: &u64| chosen),
        Vec::<(usize, Antichain<u64>)>::new(),
    );
    let mut parts_out = OutputBuilder::from(parts_out);
    let mut ends_out = OutputBuilder::from(ends_out);

    let (mut button, press) = Button::new(scope, &address, context.hooks.mutant);
    let wake = Wake::new(
        scope.worker().sync_activator_for(address.to_vec()),
        context.hooks.mutant,
    );

    builder.build_reschedule(move |mut capabilities| {
        let ends_capability = capabilities.pop().expect("one capability an output");
        let parts_capability = capabilities.pop().expect("one capability an output");
        let mutant = context.hooks.mutant;
        let idle_holds = mutant == Mutant::IdleWorkersHold && listen.is_none();
        let mut idle_capability = idle_holds.then(|| parts_capability.clone());
        let mut chosen = listen.map(|listen| Chosen {
            listening: listen(wake.clone()),
            held: Some((parts_capability, ends_capability)),
            leases: Leases::new(mutant),
            failed: false,
            stopped_at: None,
            ended: false,
        });
        let mut down = false;
        move |frontiers| {
            context.counters.schedules_descriptions.add(1);
            if !down {
                match button.phase() {
                    Phase::Running => (),
                    Phase::Wedged => return true,
                    Phase::Down => {
                        down = true;
                        drop(idle_capability.take());
                        if let Some(chosen) = chosen.take() {
                            chosen.shut_down(&context);
                        }
                    }
                }
            }
            completed_in.for_each(|_, nothing| nothing.clear());
            let mut failures = Vec::new();
            failed_in.for_each(|_, times| failures.append(times));
            if down {
                return false;
            }
            let Some(chosen) = &mut chosen else { return true };
            if mutant != Mutant::AcknowledgesAfterDrain {
                wake.acknowledge();
            }
            context.hooks.after_acknowledge();
            chosen.return_leases(frontiers[0].frontier(), &context);
            if !matches!(mutant, Mutant::FrozenKeepsListening | Mutant::ThawsOnNewParts) {
                failures
                    .into_iter()
                    .for_each(|time| chosen.stand_still(time, &context));
            }
            if !chosen.failed {
                chosen.drain(&context, &mut parts_out, &mut ends_out);
            }
            context.hooks.after_drain();
            if mutant == Mutant::AcknowledgesAfterDrain {
                wake.acknowledge();
            }
            true
        }
    });
    Descriptions { parts, ends, press }
}

type PartsOut = OutputBuilder<u64, timely::container::CapacityContainerBuilder<Vec<Described>>>;
type EndsOut = OutputBuilder<u64, timely::container::CapacityContainerBuilder<Vec<()>>>;

/// The state of the operator on the chosen worker.
struct Chosen {
    listening: Listening,
    /// Until the source ends.
    held: Option<(Capability<u64>, Capability<u64>)>,
    leases: Leases<shard::Lease>,
    /// The listen failed, or its task died: this operator reported it and moves no more.
    failed: bool,
    /// The least time at which some worker's part failed.
    stopped_at: Option<u64>,
    ended: bool,
}

impl Chosen {
    fn return_leases(
        &mut self,
        completed: timely::progress::frontier::AntichainRef<'_, u64>,
        context: &Context,
    ) {
        self.leases.advance_to(completed);
        context.counters.set_leases(self.leases.count_by_time());
        if completed.is_empty() {
            self.listening.control.send_replace(Order::Release);
        }
    }

    /// A part failed at `time`: nothing after it will be asked for.
    fn stand_still(&mut self, time: u64, context: &Context) {
        self.stopped_at = Some(self.stopped_at.map_or(time, |stopped_at| stopped_at.min(time)));
        self.listening.control.send_if_modified(|order| {
            let listens = *order == Order::Listen;
            if listens {
                *order = Order::StandStill;
            }
            listens
        });
        self.leases.forget_after(time);
        context.counters.set_leases(self.leases.count_by_time());
    }

    fn drain(&mut self, context: &Context, parts_out: &mut PartsOut, ends_out: &mut EndsOut) {
        loop {
            match self.listening.messages.try_recv() {
                Ok(message) => {
                    context.counters.messages_received.add(1);
                    self.take(message, context, parts_out, ends_out);
                    if self.failed {
                        return;
                    }
                }
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    if !self.ended && self.stopped_at.is_none() {
                        if context.hooks.mutant == Mutant::TaskDeathIsProgress {
                            self.held = None;
                            self.ended = true;
                            return;
                        }
                        self.failed = true;
                        context.report(
                            true,
                            &FlowError::TaskDied {
                                operator: context.name.clone(),
                                task: "listen",
                            },
                        );
                    }
                    return;
                }
            }
        }
    }

    fn take(
        &mut self,
        message: Message,
        context: &Context,
        parts_out: &mut PartsOut,
        ends_out: &mut EndsOut,
    ) {
        match message {
            Message::Parts { at, parts } => {
                let Some((capability, _)) = &self.held else {
                    panic!("parts after the end of a source")
                };
                let capability = capability.delayed(&at);
                let mut output = parts_out.activate();
                let mut session = output.session(&capability);
                for (described, lease) in parts {
                    let useful = self.stopped_at.is_none_or(|stopped_at| at <= stopped_at);
                    if let Some(lease) = lease.filter(|_| useful) {
                        self.leases.push_at(at, lease);
                    }
                    if !context.limited {
                        context.counters.parts_in_flight.add(1);
                    }
                    session.give(described);
                }
                drop(session);
                context.counters.set_leases(self.leases.count_by_time());
            }
            Message::Progress(Frontier::At(time)) => {
                if let Some((parts, ends)) = &mut self.held {
                    parts.downgrade(&time);
                    ends.downgrade(&time);
                }
            }
            Message::Progress(Frontier::Closed) => {
                self.ended = true;
                if let Some((_, ends)) = self.held.take() {
                    ends_out.activate().session(&ends).give(());
                }
            }
            Message::Failed(error) => {
                if context.hooks.mutant == Mutant::ListenErrorIsTheEnd {
                    self.held = None;
                    self.ended = true;
                    return;
                }
                self.failed = true;
                context.report(true, &error);
            }
        }
    }

    /// Lets go of everything; what was sent and not received is accounted for.
    fn shut_down(mut self, context: &Context) {
        self.listening.messages.close();
        while self.listening.messages.try_recv().is_ok() {
            context.counters.messages_received.add(1);
        }
        context.counters.set_leases(Default::default());
        if context.hooks.mutant == Mutant::ShutdownLeavesTasks {
            std::mem::forget(self.listening.task);
            std::mem::forget(self.listening.control);
        }
    }
}
