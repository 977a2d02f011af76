//! Flow control: bounds what is between the descriptions and the end of decoding.
//!
//! Sits between the descriptions and the fetches. Decoders say how many bytes they retired through a
//! feedback edge that carries data but no claim on time, so no nested scope is needed (an exchange into a
//! nested scope delivers a few records a run only).
//!
//! 1. A part goes on when less than the limit is in flight; so the limit is exceeded by at most one part.
//! 2. Parts go on in the order they came, each at its own time; the capability of a waiting part is kept.
//! 3. Nothing is lost or doubled.

use std::collections::VecDeque;

use timely::dataflow::Stream;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::progress::Antichain;

use super::descriptions::Context;
use super::message::{Described, PartToRead};
use super::options::FlowLimit;
use crate::Mutant;
use crate::button::{Button, Phase, Press};

/// Whether the next part may go on.
#[derive(Debug)]
pub(crate) struct Window {
    limit: FlowLimit,
    in_flight_bytes: u64,
    mutant: Mutant,
}

impl Window {
    pub(crate) fn new(limit: FlowLimit, mutant: Mutant) -> Self {
        Window {
            limit,
            in_flight_bytes: 0,
            mutant,
        }
    }

    /// Whether a part of `time` and `bytes` may go on; it then counts as in flight.
    pub(crate) fn admit(&mut self, time: u64, bytes: u64) -> bool {
        let free = time < self.limit.from || self.in_flight_bytes < self.limit.bytes;
        let free = free || self.mutant == Mutant::FlowIgnoresLimit;
        if free {
            self.in_flight_bytes += bytes;
        }
        free
    }

    /// `bytes` are no longer in flight.
    pub(crate) fn retire(&mut self, bytes: u64) {
        self.in_flight_bytes = self.in_flight_bytes.saturating_sub(bytes);
    }
}

/// Builds the operator; `worker` is the one that listens, where all descriptions come from.
pub(crate) fn build<'scope>(
    context: Context,
    limit: FlowLimit,
    worker: usize,
    described: Stream<'scope, u64, Vec<Described>>,
    retired: Stream<'scope, u64, Vec<u64>>,
) -> (Stream<'scope, u64, Vec<Described>>, Press) {
    let scope = described.scope();
    let mut builder = OperatorBuilder::new(format!("shard_source_flow({})", context.name), scope);
    let address = builder.operator_info().address;
    let (parts_out, parts) = builder.new_output::<Vec<Described>>();
    let mut described_in = builder.new_input(described, Pipeline);
    let worker = u64::try_from(worker).expect("a worker index fits 64 bits");
    let mut retired_in = builder.new_input_connection(
        retired,
        Exchange::new(move |_: &u64| worker),
        Vec::<(usize, Antichain<u64>)>::new(),
    );
    let mut parts_out = OutputBuilder::from(parts_out);
    let (mut button, press) = Button::new(scope, &address, context.hooks.mutant);

    builder.build_reschedule(move |capabilities| {
        drop(capabilities);
        let mut window = Window::new(limit, context.hooks.mutant);
        let mut waiting: VecDeque<(Capability<u64>, Described)> = VecDeque::new();
        let mut down = false;
        move |_frontiers| {
            if !down {
                match button.phase() {
                    Phase::Running => (),
                    Phase::Wedged => return true,
                    Phase::Down => {
                        down = true;
                        waiting.clear();
                    }
                }
            }
            retired_in.for_each(|_, retired| retired.drain(..).for_each(|bytes| window.retire(bytes)));
            described_in.for_each(|capability, described| {
                let time = *capability.least().expect("descriptions carry a capability");
                for described in described.drain(..) {
                    if !down {
                        waiting.push_back((capability.delayed(&time, 0), described));
                    }
                }
            });
            let mut output = parts_out.activate();
            while let Some((capability, described)) = waiting.front() {
                let bytes = described.part.bytes();
                if !window.admit(*capability.time(), bytes) {
                    break;
                }
                let (capability, described) = waiting.pop_front().expect("looked at above");
                context.counters.parts_in_flight.add(1);
                output.session(&capability).give(described);
            }
            !down
        }
    });
    (parts, press)
}

impl PartToRead {
    /// Bytes the part counts for in flight.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            PartToRead::Stored { part, .. } => {
                u64::try_from(part.encoded_bytes()).expect("a length fits 64 bits")
            }
            PartToRead::Counted { .. } => 0,
        }
    }
}

#[cfg(test)]
mod tests;
