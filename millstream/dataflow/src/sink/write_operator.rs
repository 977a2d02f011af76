//! The operator that writes batches, on every worker for its share of the rows.
//!
//! It holds the correction buffer, `desired − persist`: what the view says with plus, what was read back
//! from the shard with minus, both exchanged by the same hash of the row.
//!
//! 1. An interval is written when everything before its lower has been read back and everything before
//!    its upper has been computed.
//! 2. A description is not thrown away because the read-back is behind; only when it is past: then
//!    somebody else has written that interval.
//! 3. Inputs are always drained: a wedged or failed operator would stop everything upstream.
//! 4. A shard that is closed and is not the view cannot be corrected: that is an error, told as soon as the view
//!    is complete at a time at which they differ.

use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::progress::Antichain;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;

use shard::Frontier;

use super::SinkContext;
use super::correction::Correction;
use super::mint::Description;
use crate::button::{Button, Phase, Press};
use crate::source::{frontier_of, stable_hash};
use crate::task::Task;
use crate::wake::Wake;
use crate::{FlowError, Mutant, RowUpdate};

/// A stored batch on its way to the appending worker: its interval and the storage's bytes for it.
pub(super) type Written = (Description, Vec<u8>);

/// To the writing task.
struct Job {
    description: Description,
    updates: Vec<RowUpdate>,
}

/// From the writing task.
struct Done {
    description: Description,
    batch: Result<Vec<u8>, FlowError>,
}

/// Builds the operator. `descriptions` and `ends`, the announcements of the view's inputs, come for each worker.
pub(super) fn build<'scope>(
    context: SinkContext,
    desired: Stream<'scope, u64, Vec<RowUpdate>>,
    persist: Stream<'scope, u64, Vec<RowUpdate>>,
    descriptions: Stream<'scope, u64, Vec<(u64, Description)>>,
    ends: Stream<'scope, u64, Vec<u64>>,
) -> (Stream<'scope, u64, Vec<Written>>, Press) {
    let scope = desired.scope();
    let mut builder = OperatorBuilder::new(format!("view_sink_write({})", context.name), scope);
    let address = builder.operator_info().address;
    let (batches_out, batches) = builder.new_output::<Vec<Written>>();
    let none = Vec::<(usize, Antichain<u64>)>::new();
    let by_row = |update: &RowUpdate| stable_hash(update.0.as_bytes());
    let mut desired_in = builder.new_input_connection(desired, Exchange::new(by_row), none.clone());
    let mut persist_in = builder.new_input_connection(persist, Exchange::new(by_row), none.clone());
    let mut ends_in = builder.new_input_connection(ends, Exchange::new(|worker: &u64| *worker), none);
    let mut descriptions_in = builder.new_input(descriptions, Exchange::new(|to: &(u64, Description)| to.0));
    let mut batches_out = OutputBuilder::from(batches_out);
    let (mut button, press) = Button::new(scope, &address, context.hooks.mutant);
    let wake = Wake::new(
        scope.worker().sync_activator_for(address.to_vec()),
        context.hooks.mutant,
    );

    builder.build_reschedule(move |capabilities| {
        drop(capabilities);
        let mut state = Some(Writer::start(context, wake.clone()));
        move |frontiers| {
            if let Some(writer) = &mut state {
                match button.phase() {
                    Phase::Running => (),
                    Phase::Wedged => return true,
                    Phase::Down => {
                        writer.account_for_lost_jobs();
                        state = None;
                    }
                }
            }
            let Some(writer) = &mut state else {
                desired_in.for_each(|_, rows| rows.clear());
                persist_in.for_each(|_, rows| rows.clear());
                ends_in.for_each(|_, ends| ends.clear());
                descriptions_in.for_each(|_, descriptions| descriptions.clear());
                return false;
            };
            wake.acknowledge();
            let mutant = writer.context.hooks.mutant;
            desired_in.for_each(|_, rows| {
                rows.drain(..)
                    .for_each(|(row, time, diff)| writer.correction.add(row, time, diff));
            });
            persist_in.for_each(|_, rows| {
                for (row, time, diff) in rows.drain(..) {
                    if mutant != Mutant::NothingReadBack {
                        writer.correction.add(row, time, -diff);
                    }
                }
            });
            ends_in.for_each(|_, ends| writer.ended += ends.drain(..).count());
            descriptions_in.for_each(|capability, descriptions| {
                for (_, description) in descriptions.drain(..) {
                    writer.pending = Some((description, capability.delayed(&description.lower, 0)));
                }
            });
            let desired = frontier_of(frontiers[0].frontier());
            let persist = frontier_of(frontiers[1].frontier());
            match persist {
                Frontier::At(persist) => writer.correction.advance(persist),
                Frontier::Closed => writer.compare_with_closed(desired),
            }
            writer.write(desired, persist);
            writer.take_done(&mut batches_out);
            true
        }
    });
    (batches, press)
}

type BatchesOut = OutputBuilder<u64, timely::container::CapacityContainerBuilder<Vec<Written>>>;

struct Writer {
    context: SinkContext,
    correction: Correction,
    /// The newest description, until it is written or past.
    pending: Option<(Description, Capability<u64>)>,
    /// What the task is writing, in order.
    writing: Vec<(Description, Capability<u64>)>,
    jobs: mpsc::UnboundedSender<Job>,
    done: mpsc::UnboundedReceiver<Done>,
    /// Inputs of the view that have announced their end.
    ended: usize,
    failed: bool,
    _task: Task,
}

impl Writer {
    fn start(context: SinkContext, wake: Wake) -> Writer {
        let (jobs, inbox) = mpsc::unbounded_channel();
        let (sender, done) = mpsc::unbounded_channel();
        let outbox = Outbox {
            sender: Some(sender),
            wake,
        };
        let task = Task::spawn(
            &context.output.runtime,
            &context.counters,
            work(context.clone(), inbox, outbox),
        );
        Writer {
            context,
            correction: Correction::default(),
            pending: None,
            writing: Vec::new(),
            jobs,
            done,
            ended: 0,
            failed: false,
            _task: task,
        }
    }

    /// Begins to write the pending interval if both inputs have come far enough.
    fn write(&mut self, desired: Frontier, persist: Frontier) {
        let Some((description, _)) = &self.pending else {
            return;
        };
        let (lower, upper) = (Frontier::At(description.lower), description.upper);
        if persist > lower {
            self.pending = None;
            return;
        }
        let read_back = persist >= lower || self.context.hooks.mutant == Mutant::WritesBeforeReadBack;
        if self.failed || !read_back || desired < upper {
            return;
        }
        let (description, capability) = self.pending.take().expect("looked at above");
        let upper = match (self.context.hooks.mutant, upper) {
            (Mutant::WritesOneShort, Frontier::At(time)) => Frontier::At(time - 1),
            (_, upper) => upper,
        };
        let updates = self.correction.before(description.lower, upper);
        if updates.is_empty() {
            return;
        }
        self.context.counters.jobs_sent.add(1);
        if self.jobs.send(Job { description, updates }).is_err() {
            self.context.counters.jobs_done.add(1);
            self.died();
        }
        self.writing.push((description, capability));
    }

    /// Everything the shard will ever hold has been read back: where the view is complete, nothing may be left.
    fn compare_with_closed(&mut self, desired: Frontier) {
        // An empty frontier without announcements is a dataflow that is being taken down.
        let taken_down = desired.is_closed() && self.ended < self.context.inputs;
        if self.failed || taken_down {
            return;
        }
        self.correction.advance(self.context.as_of);
        if let Some(time) = self.correction.first_before(desired) {
            self.failed = true;
            self.context.report(&FlowError::ClosedOtherwise {
                operator: self.context.name.clone(),
                shard: self.context.output.shard,
                time,
            });
        }
    }

    fn take_done(&mut self, batches_out: &mut BatchesOut) {
        loop {
            match self.done.try_recv() {
                Ok(done) => {
                    self.context.counters.jobs_done.add(1);
                    let at = self
                        .writing
                        .iter()
                        .position(|(description, _)| *description == done.description);
                    let at = at.expect("only what was asked for is written");
                    match done.batch {
                        Ok(batch) => {
                            self.context.counters.batches_built.add(1);
                            let (description, capability) = self.writing.remove(at);
                            batches_out
                                .activate()
                                .session(&capability)
                                .give((description, batch));
                        }
                        // The capability stays: nobody may take this interval for written.
                        Err(error) => {
                            self.failed = true;
                            self.context.report(&error);
                        }
                    }
                }
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    if !self.failed {
                        self.died();
                    }
                    return;
                }
            }
        }
    }

    fn died(&mut self) {
        self.failed = true;
        self.context.report(&FlowError::TaskDied {
            operator: self.context.name.clone(),
            task: "write",
        });
    }

    /// Jobs whose answers nobody will take count as done.
    fn account_for_lost_jobs(&self) {
        self.context
            .counters
            .jobs_done
            .add(crate::source::count(self.writing.len()));
    }
}

struct Outbox {
    sender: Option<mpsc::UnboundedSender<Done>>,
    wake: Wake,
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.sender = None;
        self.wake.wake();
    }
}

/// The task: stores one batch after the other.
async fn work(context: SinkContext, mut jobs: mpsc::UnboundedReceiver<Job>, outbox: Outbox) {
    let mut writer = None;
    while let Some(job) = jobs.recv().await {
        let batch = async {
            if writer.is_none() {
                writer = Some(context.open_writer().await?);
            }
            let writer = writer.as_ref().expect("opened above");
            let lower = Frontier::At(job.description.lower);
            let mut builder = writer.builder(lower);
            for (row, time, diff) in &job.updates {
                let pushed = builder.push(row.as_bytes(), *time, *diff).await;
                pushed.map_err(|error| context.shard_error(error))?;
            }
            let batch = builder
                .finish(job.description.upper)
                .await
                .map_err(|error| context.shard_error(error))?;
            Ok(batch.into_bytes())
        }
        .await;
        let sender = outbox.sender.as_ref().expect("open until dropped");
        if sender
            .send(Done {
                description: job.description,
                batch,
            })
            .is_err()
        {
            return;
        }
        outbox.wake.wake();
    }
}
