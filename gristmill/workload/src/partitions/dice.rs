//! Draws at one address, one after the other.
//!
//! What a single operation or query needs is drawn in sequence from the address (visit, step): a new draw at the
//! end of the sequence disturbs nothing, one in the middle only this operation.

use datagen::stream::{GOLDEN, below, mix};

/// A small generator that lives as long as one operation.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    /// `address` is a draw that belongs to this operation alone.
    pub(super) fn new(address: u64) -> Dice {
        Dice(address)
    }

    /// The next 64 bits. Source: G. Steele and others, *Fast splittable pseudorandom number generators*, 2014.
    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// A number below `n`; 0 where `n` is 0 or 1.
    pub(super) fn below(&mut self, n: usize) -> usize {
        if n < 2 {
            0
        } else {
            below(self.bits(), n as u64) as usize
        }
    }

    /// True in `chance` of 16.
    pub(super) fn in_16(&mut self, chance: u8) -> bool {
        chance > 0 && self.bits() >> 60 < u64::from(chance)
    }

    /// One of the items; `None` of none.
    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() {
            None
        } else {
            items.get(self.below(items.len()))
        }
    }

    /// Each item with one chance of two, in order, but at least one of a list that is not empty.
    pub(super) fn some<'a, T>(&mut self, items: &'a [T]) -> impl Iterator<Item = &'a T> + use<'a, T> {
        let sure = self.below(items.len());
        let mut masks = self.clone();
        self.bits();
        let mut mask = 0;
        items.iter().enumerate().filter_map(move |(i, item)| {
            if i % 64 == 0 {
                mask = masks.bits();
            }
            ((mask >> (i % 64)) & 1 == 1 || i == sure).then_some(item)
        })
    }
}
