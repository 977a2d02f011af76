//! The operator that turns fetched parts into rows.
//!
//! 1. A part's capability is kept until all its rows are out; with a limit of rows a run, so that other
//!    operators get their turn.
//! 2. What does not decode freezes the source at its part's time exactly as a missing part does: the
//!    capability is kept for ever, parts of earlier times still come out, later ones are dropped.
//! 3. No row at or after `until` comes out.
//! 4. Errors in the data (rows written as errors, or made by the pushed-down expression) are data: they
//!    have a stream of their own.
//! 5. A row of an audited part that passes means that the part filter loses rows: a bug, so the process is
//!    aborted.

use std::collections::VecDeque;

use shard::{Frontier, ShardId};
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use super::descriptions::Context;
use super::message::{Arrived, Content, PartInMemory};
use super::options::{Pushed, RowCodec, RowFilter};
use crate::button::{Button, Phase, Press};
use crate::{FlowError, Mutant, Row, RowUpdate};

/// How rows are made of parts.
#[derive(Clone)]
pub(crate) struct Decoding {
    pub(crate) shard: ShardId,
    pub(crate) codec: RowCodec,
    pub(crate) row_filter: Option<RowFilter>,
    pub(crate) until: Frontier,
    pub(crate) rows_max: usize,
}

/// What comes out.
pub(crate) struct Decoded<'scope> {
    pub(crate) rows: Stream<'scope, u64, Vec<RowUpdate>>,
    pub(crate) errors: Stream<'scope, u64, Vec<RowUpdate>>,
    /// Bytes of parts whose decoding has ended.
    pub(crate) retired: Stream<'scope, u64, Vec<u64>>,
    /// The times of parts that do not decode.
    pub(crate) failed: Stream<'scope, u64, Vec<u64>>,
    pub(crate) press: Press,
}

/// Builds the operator.
pub(crate) fn build<'scope>(
    context: Context,
    decoding: Decoding,
    arrived: Stream<'scope, u64, Vec<Arrived>>,
) -> Decoded<'scope> {
    let scope = arrived.scope();
    let mut builder = OperatorBuilder::new(format!("shard_source_decode({})", context.name), scope);
    let address = builder.operator_info().address;
    let (rows_out, rows) = builder.new_output::<Vec<RowUpdate>>();
    let (errors_out, errors) = builder.new_output::<Vec<RowUpdate>>();
    let (retired_out, retired) = builder.new_output::<Vec<u64>>();
    let (failed_out, failed) = builder.new_output::<Vec<u64>>();
    let mut arrived_in = builder.new_input(arrived, Pipeline);
    let mut outputs = Outputs {
        rows: OutputBuilder::from(rows_out),
        errors: OutputBuilder::from(errors_out),
        retired: OutputBuilder::from(retired_out),
        failed: OutputBuilder::from(failed_out),
    };
    let (mut button, press) = Button::new(scope, &address, context.hooks.mutant);
    let activator = scope.worker().activator_for(address);

    builder.build_reschedule(move |capabilities| {
        drop(capabilities);
        let mut state = Some(Decoder {
            decoding,
            queue: VecDeque::new(),
            frozen: None,
        });
        move |_frontiers| {
            context.counters.schedules_decode.add(1);
            if state.is_some() {
                match button.phase() {
                    Phase::Running => (),
                    Phase::Wedged => return true,
                    Phase::Down => state.take().expect("checked above").shut_down(&context),
                }
            }
            let Some(decoder) = &mut state else {
                arrived_in.for_each(|_, arrived| {
                    for _ in arrived.drain(..) {
                        context.counters.parts_discarded.add(1);
                        context.counters.parts_in_flight.add(-1);
                    }
                });
                return false;
            };
            arrived_in.for_each(|capability, arrived| {
                let time = *capability.least().expect("parts carry a capability");
                for arrived in arrived.drain(..) {
                    let held = Held {
                        rows: capability.delayed(&time, 0),
                        errors: capability.delayed(&time, 1),
                        retired: capability.delayed(&time, 2),
                        failed: capability.delayed(&time, 3),
                    };
                    decoder.queue.push_back((arrived, held));
                }
            });
            if decoder.run(&context, &mut outputs) {
                activator.activate();
            }
            true
        }
    });
    Decoded {
        rows,
        errors,
        retired,
        failed,
        press,
    }
}

type RowsOut = OutputBuilder<u64, timely::container::CapacityContainerBuilder<Vec<RowUpdate>>>;

type TimesOut = OutputBuilder<u64, timely::container::CapacityContainerBuilder<Vec<u64>>>;

struct Outputs {
    rows: RowsOut,
    errors: RowsOut,
    retired: TimesOut,
    failed: TimesOut,
}

/// The capabilities of one part.
struct Held {
    rows: Capability<u64>,
    errors: Capability<u64>,
    retired: Capability<u64>,
    failed: Capability<u64>,
}

struct Decoder {
    decoding: Decoding,
    queue: VecDeque<(Arrived, Held)>,
    /// The least failed time and the capabilities that keep the frontier there.
    frozen: Option<(u64, Held)>,
}

impl Decoder {
    /// Decodes up to the limit of rows; whether something is left to decode.
    fn run(&mut self, context: &Context, outputs: &mut Outputs) -> bool {
        let mut budget = self.decoding.rows_max;
        while budget > 0 {
            let Some((mut arrived, held)) = self.queue.pop_front() else {
                return false;
            };
            if self
                .frozen
                .as_ref()
                .is_some_and(|(frozen_at, _)| *frozen_at <= arrived.time)
            {
                context.counters.parts_discarded.add(1);
                context.counters.parts_in_flight.add(-1);
                continue;
            }
            match self.decode(&mut arrived.part, &held, &mut budget, context, outputs) {
                Ok(false) => self.queue.push_front((arrived, held)),
                Ok(true) => {
                    context.counters.parts_decoded.add(1);
                    context.counters.parts_in_flight.add(-1);
                    outputs
                        .retired
                        .activate()
                        .session(&held.retired)
                        .give(arrived.part.bytes);
                }
                Err(cause) => {
                    outputs.failed.activate().session(&held.failed).give(arrived.time);
                    self.freeze(arrived, held, cause, context);
                }
            }
        }
        !self.queue.is_empty()
    }

    /// Decodes one part as far as `budget` goes; whether it is finished.
    fn decode(
        &self,
        part: &mut PartInMemory,
        held: &Held,
        budget: &mut usize,
        context: &Context,
        outputs: &mut Outputs,
    ) -> Result<bool, String> {
        let mut rows_activated = outputs.rows.activate();
        let mut errors_activated = outputs.errors.activate();
        let mut rows = rows_activated.session(&held.rows);
        let mut errors = errors_activated.session(&held.errors);
        let mut emitted = 0;
        let mut finished = false;
        let mut failure = None;
        while *budget > 0 {
            let Some((bytes, time, diff)) = part.content.next() else {
                finished = true;
                break;
            };
            *budget -= 1;
            if !self.decoding.until.is_closed()
                && self.decoding.until.less_equal(time)
                && context.hooks.mutant != Mutant::KeepsRowsFromUntil
            {
                continue;
            }
            match self.decoding.row(bytes) {
                Ok(Pushed::Drop) => (),
                Ok(_) if part.audited && context.hooks.mutant != Mutant::AuditsNothing => {
                    let bug = format!(
                        "a row passes the filter though the part filter discarded its part: the part filter \
                         loses rows; row {:?}",
                        Row::from(bytes)
                    );
                    crate::error::abort(&context.name, &bug);
                }
                Ok(Pushed::Keep) => {
                    emitted += 1;
                    rows.give((Row::from(self.decoding.payload(bytes)), time, diff));
                }
                Ok(Pushed::Become(row)) => {
                    emitted += 1;
                    rows.give((row, time, diff));
                }
                Ok(Pushed::Error(error)) => {
                    emitted += 1;
                    if context.hooks.mutant != Mutant::DataErrorsDropped {
                        errors.give((error, time, diff));
                    }
                }
                Err(cause) => {
                    failure = Some(cause);
                    break;
                }
            }
        }
        context.counters.rows_emitted.add(emitted);
        match failure {
            Some(cause) => Err(cause),
            None => Ok(finished),
        }
    }

    fn freeze(&mut self, arrived: Arrived, held: Held, cause: String, context: &Context) {
        let error = FlowError::Decode {
            operator: context.name.clone(),
            shard: self.decoding.shard,
            part: arrived.part.content.name(),
            time: arrived.time,
            cause,
        };
        context.counters.parts_discarded.add(1);
        context.counters.parts_in_flight.add(-1);
        if context.hooks.mutant == Mutant::DecodeErrorDropped {
            return;
        }
        context.report(self.frozen.is_none(), &error);
        if self
            .frozen
            .as_ref()
            .is_none_or(|(frozen_at, _)| arrived.time < *frozen_at)
        {
            self.frozen = Some((arrived.time, held));
        }
    }

    fn shut_down(self, context: &Context) {
        for _ in self.queue {
            context.counters.parts_discarded.add(1);
            context.counters.parts_in_flight.add(-1);
        }
    }
}

impl Decoding {
    /// What becomes of the row with these bytes.
    fn row(&self, bytes: &[u8]) -> Result<Pushed, String> {
        match (self.codec, bytes.split_first()) {
            (RowCodec::Plain, _) => Ok(self.push_down(bytes)),
            (RowCodec::Tagged, Some((0, data))) => Ok(self.push_down(data)),
            (RowCodec::Tagged, Some((1, error))) => Ok(Pushed::Error(Row::from(error))),
            (RowCodec::Tagged, Some((tag, _))) => {
                Err(format!("a row begins with tag {tag}; 0 and 1 are known"))
            }
            (RowCodec::Tagged, None) => Err("an empty row where a tag is expected".to_owned()),
        }
    }

    fn push_down(&self, data: &[u8]) -> Pushed {
        self.row_filter
            .as_ref()
            .map_or(Pushed::Keep, |filter| filter(data))
    }

    /// The data of a row that [`Decoding::row`] keeps.
    fn payload<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        match self.codec {
            RowCodec::Plain => bytes,
            RowCodec::Tagged => &bytes[1..],
        }
    }
}

impl Content {
    /// The next row: bytes, time, diff.
    fn next(&mut self) -> Option<(&[u8], u64, i64)> {
        match self {
            Content::Stored { part, position, .. } => part
                .next(position)
                .map(|update| (update.row, update.time, update.diff)),
            Content::Counted { row, time, diff } => {
                if *diff == 0 {
                    return None;
                }
                Some((row.as_slice(), *time, std::mem::take(diff)))
            }
        }
    }

    fn name(&self) -> String {
        match self {
            Content::Stored { name, .. } => name.clone(),
            Content::Counted { .. } => "of a count".to_owned(),
        }
    }
}
