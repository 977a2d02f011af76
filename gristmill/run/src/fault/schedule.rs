//! Which statement meets which fault: pure, from the plan.

use super::kind::FaultKind;
use crate::plan::{FaultAt, Rate};
use datagen::stream::{Stream, chance, draw};
use history::Address;
use std::collections::BTreeMap;

/// The faults of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Schedule {
    seed: u64,
    rates: Vec<(FaultKind, Rate)>,
    by_hand: BTreeMap<(u64, u16), FaultKind>,
}

impl Schedule {
    pub(crate) fn new(seed: u64, rates: &BTreeMap<FaultKind, Rate>, by_hand: &[FaultAt]) -> Schedule {
        let rates = rates
            .iter()
            .filter(|(_, rate)| rate.num > 0)
            .map(|(kind, rate)| (*kind, *rate))
            .collect();
        let by_hand = by_hand.iter().map(|f| ((f.lts, f.step), f.fault)).collect();
        Schedule { seed, rates, by_hand }
    }

    /// Whether nothing will ever strike.
    pub(crate) fn is_empty(&self) -> bool {
        self.rates.is_empty() && self.by_hand.is_empty()
    }

    /// Every kind that may strike.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = FaultKind> {
        self.rates
            .iter()
            .map(|(kind, _)| *kind)
            .chain(self.by_hand.values().copied())
    }

    /// What strikes a statement; `ends`: it makes its visit visible. Later attempts are left alone, or a visit might never end.
    pub(crate) fn at(&self, address: Address, ends: bool) -> Option<FaultKind> {
        if address.attempt > 0 {
            return None;
        }
        if let Some(kind) = self.by_hand.get(&(address.lts.0, address.step)) {
            return Some(*kind);
        }
        self.rates
            .iter()
            .map(|(kind, rate)| (*kind, *rate))
            .find_map(|(kind, rate)| {
                let number = u64::from(u8::try_from(kind as usize).expect("few kinds"));
                let drawn = draw(
                    self.seed,
                    Stream::Fault,
                    &[address.lts.0, u64::from(address.step), number],
                );
                ((ends || !kind.only_at_end()) && chance(drawn, rate.num, rate.den)).then_some(kind)
            })
    }
}
