//! Which statement meets which fault: pure, from the plan.

use super::kind::FaultKind;
use crate::plan::{FaultAt, Rate};
use datagen::stream::{Stream, chance, draw};
use history::{Address, Lts};
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
        let by_hand = self.by_hand.get(&(address.lts.0, address.step));
        if let Some(kind) = by_hand.filter(|kind| !kind.is_visit()) {
            return Some(*kind);
        }
        self.drawn(address, &|kind| !kind.is_visit() && (ends || !kind.only_at_end()))
    }

    /// The change of the schema that a visit is.
    pub(crate) fn change_at(&self, lts: Lts) -> Option<FaultKind> {
        let of = self.by_hand.range((lts.0, 0)..=(lts.0, u16::MAX));
        let by_hand = of.map(|(_, kind)| *kind).find(|kind| kind.is_visit());
        let address = Address {
            lts,
            attempt: 0,
            step: 0,
        };
        by_hand.or_else(|| self.drawn(address, &FaultKind::is_visit))
    }

    /// The first kind among some that is drawn for a statement.
    fn drawn(&self, address: Address, among: &dyn Fn(FaultKind) -> bool) -> Option<FaultKind> {
        let rates = self.rates.iter().filter(|(kind, _)| among(*kind));
        rates.map(|(kind, rate)| (*kind, *rate)).find_map(|(kind, rate)| {
            let number = u64::from(u8::try_from(kind as usize).expect("few kinds"));
            let drawn = draw(
                self.seed,
                Stream::Fault,
                &[address.lts.0, u64::from(address.step), number],
            );
            chance(drawn, rate.num, rate.den).then_some(kind)
        })
    }
}
