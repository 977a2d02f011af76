//! The operator that decides which interval is written next, and the task that watches the shard.
//!
//! Active on one worker; the others build the same shape. It looks at the view's frontier only, never at
//! its rows.
//!
//! 1. A description leaves at its lower; the capability kept afterwards is beyond it. So when the frontier
//!    of what is made from descriptions has passed a lower, everybody has contributed.
//! 2. Nothing is minted before the shard was looked at: an as_of that would leave a gap, or data that can
//!    no longer be read back, is an error (H17).
//! 3. The shard is brought to the first lower by an empty append only while its upper is the minimum.

use std::convert::Infallible;

use shard::{AppendError, Frontier};
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, Stream};
use timely::progress::Antichain;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;

use super::mint::{Description, Mint};
use super::{SinkContext, WritePermission};
use crate::button::{Button, Phase, Press};
use crate::source::frontier_of;
use crate::task::Task;
use crate::wake::Wake;
use crate::{FlowError, Mutant};

/// From the watching task to the operator.
#[derive(Debug)]
enum News {
    Upper(Frontier),
    WritesAllowed,
    Failed(FlowError),
}

/// What comes out.
pub(super) struct Minted<'scope> {
    /// One copy for each worker.
    pub(super) to_writers: Stream<'scope, u64, Vec<(u64, Description)>>,
    /// For the appending operator, on the same worker.
    pub(super) to_appender: Stream<'scope, u64, Vec<Description>>,
    pub(super) press: Press,
}

/// Builds the operator: `desired` carries the view's frontier, `ends` the announcements of its inputs.
pub(super) fn build<'scope>(
    scope: Scope<'scope, u64>,
    context: SinkContext,
    desired: Stream<'scope, u64, Vec<Infallible>>,
    ends: Stream<'scope, u64, Vec<()>>,
) -> Minted<'scope> {
    let mut builder = OperatorBuilder::new(format!("view_sink_mint({})", context.name), scope);
    let address = builder.operator_info().address;
    let (writers_out, to_writers) = builder.new_output::<Vec<(u64, Description)>>();
    let (appender_out, to_appender) = builder.new_output::<Vec<Description>>();
    let none = Vec::<(usize, Antichain<u64>)>::new();
    let mut desired_in = builder.new_input_connection(desired, Pipeline, none.clone());
    let chosen = context.chosen;
    let mut ends_in = builder.new_input_connection(ends, Exchange::new(move |(): &()| chosen), none);
    let mut writers_out = OutputBuilder::from(writers_out);
    let mut appender_out = OutputBuilder::from(appender_out);
    let (mut button, press) = Button::new(scope, &address, context.hooks.mutant);
    let wake = Wake::new(
        scope.worker().sync_activator_for(address.to_vec()),
        context.hooks.mutant,
    );
    let active = context.is_chosen(scope);
    let peers = u64::try_from(scope.peers()).expect("a worker count fits 64 bits");

    builder.build_reschedule(move |mut capabilities| {
        let appender = capabilities.pop().expect("one capability an output");
        let writers = capabilities.pop().expect("one capability an output");
        let mut state = active.then(|| Minter::start(context.clone(), wake.clone(), writers, appender));
        let mut down = false;
        move |frontiers| {
            if !down {
                match button.phase() {
                    Phase::Running => (),
                    Phase::Wedged => return true,
                    Phase::Down => {
                        down = true;
                        state = None;
                    }
                }
            }
            desired_in.for_each(|_, nothing| nothing.clear());
            let mut ended = 0;
            ends_in.for_each(|_, ends| {
                ended += ends.len();
                ends.clear();
            });
            if down {
                return false;
            }
            let Some(minter) = &mut state else { return true };
            wake.acknowledge();
            (0..ended).for_each(|_| minter.mint.input_ended());
            minter.take_news();
            minter.mint.view_at(frontier_of(frontiers[0].frontier()));
            if minter.ready
                && let Some(description) = minter.mint.next()
            {
                minter.context.counters.minted.add(1);
                let (writers, appender) = minter.held.as_ref().expect("held until the shard is closed");
                let (writers, appender) = (
                    writers.delayed(&description.lower),
                    appender.delayed(&description.lower),
                );
                writers_out
                    .activate()
                    .session(&writers)
                    .give_iterator((0..peers).map(|worker| (worker, description)));
                appender_out.activate().session(&appender).give(description);
            }
            minter.downgrade();
            true
        }
    });
    Minted {
        to_writers,
        to_appender,
        press,
    }
}

/// The state on the active worker.
struct Minter {
    context: SinkContext,
    mint: Mint,
    held: Option<(Capability<u64>, Capability<u64>)>,
    news: mpsc::UnboundedReceiver<News>,
    /// The shard was looked at and may be written.
    ready: bool,
    failed: bool,
    _task: Task,
}

impl Minter {
    fn start(
        context: SinkContext,
        wake: Wake,
        writers: Capability<u64>,
        appender: Capability<u64>,
    ) -> Minter {
        let (sender, news) = mpsc::unbounded_channel();
        let read_only = matches!(context.writes, WritePermission::When(_));
        let mint = Mint::new(context.as_of, context.inputs, read_only, context.hooks.mutant);
        let outbox = Outbox {
            sender: Some(sender),
            wake,
            context: context.clone(),
        };
        let watching = watch(context.clone(), outbox);
        let task = Task::spawn(&context.output.runtime, &context.counters, watching);
        let held = Some((writers, appender));
        Minter {
            context,
            mint,
            held,
            news,
            ready: false,
            failed: false,
            _task: task,
        }
    }

    fn take_news(&mut self) {
        while !self.failed {
            match self.news.try_recv() {
                Ok(news) => {
                    self.context.counters.messages_received.add(1);
                    match news {
                        News::Upper(upper) => {
                            self.ready = true;
                            self.mint.shard_at(upper);
                        }
                        News::WritesAllowed => self.mint.allow_writes(),
                        News::Failed(error) => self.fail(&error),
                    }
                }
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    // A closed shard needs no watching.
                    if !self.mint.is_closed() {
                        self.fail(&FlowError::TaskDied {
                            operator: self.context.name.clone(),
                            task: "mint",
                        });
                    }
                    return;
                }
            }
        }
    }

    fn fail(&mut self, error: &FlowError) {
        self.failed = true;
        self.ready = false;
        self.context.report(error);
    }

    /// Keeps only the capability for what may still be minted.
    fn downgrade(&mut self) {
        match self.mint.open_from() {
            Frontier::At(time) => {
                if let Some((writers, appender)) = &mut self.held {
                    writers.downgrade(&time);
                    appender.downgrade(&time);
                }
            }
            Frontier::Closed => self.held = None,
        }
    }
}

struct Outbox {
    sender: Option<mpsc::UnboundedSender<News>>,
    wake: Wake,
    context: SinkContext,
}

impl Outbox {
    fn send(&self, news: News) {
        self.context.counters.messages_sent.add(1);
        // An operator that is gone needs no news.
        let _ = self.sender.as_ref().expect("open until dropped").send(news);
        self.wake.wake();
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.sender = None;
        self.wake.wake();
    }
}

/// The task: looks whether the shard can be written from `as_of` on, then follows its upper.
async fn watch(mut context: SinkContext, outbox: Outbox) {
    if let Err(error) = follow(&mut context, &outbox).await {
        outbox.send(News::Failed(error));
    }
}

async fn follow(context: &mut SinkContext, outbox: &Outbox) -> Result<(), FlowError> {
    let writer = context.open_writer().await?;
    let (since, upper) = context.bounds(&writer).await?;
    let first = since
        .time()
        .map_or(context.as_of, |since| since.max(context.as_of));
    let must_begin = upper == Frontier::MIN && first > 0;
    if upper == Frontier::MIN || context.hooks.mutant == Mutant::FillsTheGap {
        // Nothing is there: any beginning is right.
    } else if upper < Frontier::At(context.as_of) {
        return Err(FlowError::Gap {
            operator: context.name.clone(),
            shard: context.output.shard,
            upper,
            as_of: context.as_of,
        });
    } else if since >= upper && !upper.is_closed() {
        return Err(FlowError::Unreadable {
            operator: context.name.clone(),
            shard: context.output.shard,
            since,
            upper,
        });
    }
    if let WritePermission::When(allowed) = &mut context.writes
        && context.hooks.mutant != Mutant::MintsWhenReadOnly
    {
        if !must_begin {
            outbox.send(News::Upper(upper));
        }
        if allowed.wait_for(|allowed| *allowed).await.is_err() {
            // Nobody can allow writing any more.
            std::future::pending::<()>().await;
        }
    }
    outbox.send(News::WritesAllowed);
    let mut upper = writer
        .fetch_upper()
        .await
        .map_err(|error| context.shard_error(error))?;
    let fills_gap = context.hooks.mutant == Mutant::FillsTheGap && upper < Frontier::At(first);
    if (upper == Frontier::MIN && first > 0) || fills_gap {
        match writer.compare_and_append(&[], upper, Frontier::At(first)).await {
            Ok(()) => upper = Frontier::At(first),
            // Another instance was faster.
            Err(AppendError::UpperMismatch { current, .. }) => upper = current,
            Err(AppendError::Unknown { .. }) => {
                upper = writer
                    .fetch_upper()
                    .await
                    .map_err(|error| context.shard_error(error))?;
            }
            Err(error) => return Err(context.shard_error(error)),
        }
    }
    loop {
        outbox.send(News::Upper(upper));
        if upper.is_closed() {
            return Ok(());
        }
        upper = writer
            .wait_for_upper_past(upper)
            .await
            .map_err(|error| context.shard_error(error))?;
    }
}
