//! The operator that appends what all workers wrote for an interval, and its task.
//!
//! Active on the worker that mints.
//!
//! 1. An interval is appended when the frontier of batches has passed its lower: then every worker has
//!    contributed, or has nothing to contribute.
//! 2. Only the greatest lower is valid; batches of older intervals are deleted.
//! 3. An append that another writer forestalled deletes its batches: the read-back makes up the difference.
//! 4. A batch whose append is in doubt is never deleted (H9). After such an answer a new writer tries the
//!    same batches at the same lower until the upper has moved.

use std::collections::BTreeMap;

use shard::{AppendError, Batch, Frontier, WriteHandle};
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, Stream};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;

use super::SinkContext;
use super::mint::Description;
use super::write_operator::Written;
use crate::button::{Button, Phase, Press};
use crate::task::Task;
use crate::wake::Wake;
use crate::{FlowError, Mutant};

/// To the appending task.
enum Job {
    Append {
        description: Description,
        batches: Vec<Vec<u8>>,
    },
    Delete {
        batches: Vec<Vec<u8>>,
    },
}

/// Builds the operator.
pub(super) fn build<'scope>(
    scope: Scope<'scope, u64>,
    context: SinkContext,
    descriptions: Stream<'scope, u64, Vec<Description>>,
    batches: Stream<'scope, u64, Vec<Written>>,
) -> Press {
    let mut builder = OperatorBuilder::new(format!("view_sink_append({})", context.name), scope);
    let address = builder.operator_info().address;
    let mut descriptions_in = builder.new_input(descriptions, Pipeline);
    let chosen = context.chosen;
    let mut batches_in = builder.new_input(batches, Exchange::new(move |_: &Written| chosen));
    let (mut button, press) = Button::new(scope, &address, context.hooks.mutant);
    let wake = Wake::new(
        scope.worker().sync_activator_for(address.to_vec()),
        context.hooks.mutant,
    );
    let active = context.is_chosen(scope);

    builder.build_reschedule(move |_| {
        let mut state = active.then(|| Appender::start(context.clone(), wake.clone()));
        let mut down = false;
        move |frontiers| {
            if !down {
                match button.phase() {
                    Phase::Running => (),
                    Phase::Wedged => return true,
                    Phase::Down => {
                        down = true;
                        if let Some(appender) = state.take() {
                            appender.account_for_lost_jobs();
                        }
                    }
                }
            }
            let mut described = Vec::new();
            descriptions_in.for_each(|_, descriptions| described.append(descriptions));
            let mut arrived = Vec::new();
            batches_in.for_each(|_, batches| arrived.append(batches));
            if down {
                return false;
            }
            let Some(appender) = &mut state else { return true };
            wake.acknowledge();
            described
                .into_iter()
                .for_each(|description| appender.describe(description));
            arrived.into_iter().for_each(|written| appender.collect(written));
            appender.take_answers();
            appender.append(&|lower| !frontiers[1].frontier().less_equal(&lower));
            true
        }
    });
    press
}

struct Appender {
    context: SinkContext,
    /// The greatest lower described, until it is given to the task.
    current: Option<Description>,
    greatest: Option<u64>,
    collected: BTreeMap<u64, Vec<Vec<u8>>>,
    jobs: mpsc::UnboundedSender<Job>,
    answers: mpsc::UnboundedReceiver<Result<(), FlowError>>,
    outstanding: i64,
    failed: bool,
    _task: Task,
}

impl Appender {
    fn start(context: SinkContext, wake: Wake) -> Appender {
        let (jobs, inbox) = mpsc::unbounded_channel();
        let (sender, answers) = mpsc::unbounded_channel();
        let outbox = Outbox {
            sender: Some(sender),
            wake,
        };
        let task = Task::spawn(
            &context.output.runtime,
            &context.counters,
            work(context.clone(), inbox, outbox),
        );
        Appender {
            context,
            current: None,
            greatest: None,
            collected: BTreeMap::new(),
            jobs,
            answers,
            outstanding: 0,
            failed: false,
            _task: task,
        }
    }

    fn describe(&mut self, description: Description) {
        if self.greatest.is_none_or(|greatest| greatest < description.lower) {
            self.greatest = Some(description.lower);
            self.current = Some(description);
            let valid = self.collected.split_off(&description.lower);
            let stale = std::mem::replace(&mut self.collected, valid);
            stale.into_values().for_each(|batches| self.delete(batches));
        }
    }

    fn collect(&mut self, (description, batch): Written) {
        let stale = match self.greatest {
            Some(greatest) => description.lower < greatest,
            None => false,
        };
        if stale {
            self.delete(vec![batch]);
        } else {
            self.collected.entry(description.lower).or_default().push(batch);
        }
    }

    fn append(&mut self, passed: &dyn Fn(u64) -> bool) {
        let Some(description) = self.current else { return };
        if self.failed || !passed(description.lower) {
            return;
        }
        self.current = None;
        let batches = self.collected.remove(&description.lower).unwrap_or_default();
        if batches.is_empty() && self.context.hooks.mutant == Mutant::NeverAppendsNothing {
            return;
        }
        self.send(Job::Append { description, batches });
    }

    fn delete(&mut self, batches: Vec<Vec<u8>>) {
        if self.context.hooks.mutant != Mutant::StaleBatchesLeak {
            self.send(Job::Delete { batches });
        }
    }

    fn send(&mut self, job: Job) {
        self.context.counters.jobs_sent.add(1);
        self.outstanding += 1;
        if self.jobs.send(job).is_err() {
            self.died();
        }
    }

    fn take_answers(&mut self) {
        loop {
            match self.answers.try_recv() {
                Ok(answer) => {
                    self.context.counters.jobs_done.add(1);
                    self.outstanding -= 1;
                    if let Err(error) = answer {
                        self.failed = true;
                        self.context.report(&error);
                    }
                }
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => return self.died(),
            }
        }
    }

    fn died(&mut self) {
        if !std::mem::replace(&mut self.failed, true) {
            self.context.report(&FlowError::TaskDied {
                operator: self.context.name.clone(),
                task: "append",
            });
        }
    }

    fn account_for_lost_jobs(&self) {
        self.context.counters.jobs_done.add(self.outstanding);
    }
}

struct Outbox {
    sender: Option<mpsc::UnboundedSender<Result<(), FlowError>>>,
    wake: Wake,
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.sender = None;
        self.wake.wake();
    }
}

/// The task: one job after the other.
async fn work(context: SinkContext, mut jobs: mpsc::UnboundedReceiver<Job>, outbox: Outbox) {
    let mut writer = None;
    while let Some(job) = jobs.recv().await {
        let answer = perform(&context, &mut writer, job).await;
        let sender = outbox.sender.as_ref().expect("open until dropped");
        if sender.send(answer).is_err() {
            return;
        }
        outbox.wake.wake();
    }
}

async fn perform(context: &SinkContext, writer: &mut Option<WriteHandle>, job: Job) -> Result<(), FlowError> {
    if writer.is_none() {
        *writer = Some(context.open_writer().await?);
    }
    match job {
        Job::Delete { batches } => {
            let writer = writer.as_ref().expect("opened above");
            for batch in parse(context, writer, &batches)? {
                delete(context, writer, batch).await?;
            }
            Ok(())
        }
        Job::Append { description, batches } => append(context, writer, description, &batches).await,
    }
}

async fn append(
    context: &SinkContext,
    writer: &mut Option<WriteHandle>,
    description: Description,
    batches: &[Vec<u8>],
) -> Result<(), FlowError> {
    let lower = Frontier::At(description.lower);
    let mut in_doubt = false;
    loop {
        let handle = writer.as_ref().expect("opened by the caller");
        let parsed = parse(context, handle, batches)?;
        context.hooks.before_append();
        match handle
            .compare_and_append_batches(parsed, lower, description.upper)
            .await
        {
            Ok(()) => {
                context.counters.appends.add(1);
                return Ok(());
            }
            Err(AppendError::UpperMismatch { current, batches, .. }) => {
                if current < lower {
                    // The mint brought the shard to the first lower, and uppers never go back.
                    return Err(FlowError::Gap {
                        operator: context.name.clone(),
                        shard: context.output.shard,
                        upper: current,
                        as_of: description.lower,
                    });
                }
                context.counters.appends_lost.add(1);
                if !in_doubt && context.hooks.mutant != Mutant::LostBatchesLeak {
                    for batch in batches {
                        delete(context, handle, batch).await?;
                    }
                }
                return Ok(());
            }
            Err(AppendError::Unknown { .. }) => {
                if context.hooks.mutant == Mutant::InDoubtIsLost {
                    for batch in parse(context, handle, batches)? {
                        delete(context, handle, batch).await?;
                    }
                    return Ok(());
                }
                in_doubt = true;
                *writer = Some(context.open_writer().await?);
            }
            Err(error) => return Err(context.shard_error(error)),
        }
    }
}

async fn delete(context: &SinkContext, writer: &WriteHandle, batch: Batch) -> Result<(), FlowError> {
    context.counters.batches_deleted.add(1);
    writer
        .delete_batch(batch)
        .await
        .map_err(|error| context.shard_error(error))
}

fn parse(context: &SinkContext, writer: &WriteHandle, batches: &[Vec<u8>]) -> Result<Vec<Batch>, FlowError> {
    batches
        .iter()
        .map(|bytes| {
            writer
                .batch_from_bytes(bytes)
                .map_err(|error| context.shard_error(error))
        })
        .collect()
}
