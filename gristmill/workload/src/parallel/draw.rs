//! Draws of one op, addressed by (session, op, purpose, turn) (P43).
//!
//! * Each purpose has turns of its own: a draw more for one moves no draw of another.
//! * A choice among objects is by the highest keyed hash of (address, identity): an object more or less leaves all other
//!   choices as they were.

use datagen::stream::{Key, Stream, below, chance, mix};
use history::parallel::At;

/// What a draw is for. Numbers are part of what a seed means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Purpose {
    Kind = 0,
    Object = 1,
    Column = 2,
    Shape = 3,
    Expression = 4,
    Value = 5,
    Type = 6,
    Aim = 7,
    Setting = 8,
    Name = 9,
}

const PURPOSES: usize = 10;

/// The draws of one op.
#[derive(Debug, Clone)]
pub(crate) struct Draw {
    key: Key,
    at: At,
    turns: [u64; PURPOSES],
}

impl Draw {
    pub(crate) fn new(seed: u64, at: At) -> Self {
        Self {
            key: Key::new(seed, Stream::Parallel),
            at,
            turns: [0; PURPOSES],
        }
    }

    /// Whose draws these are.
    pub(crate) fn at(&self) -> At {
        self.at
    }

    /// The next word for the purpose.
    pub(crate) fn next(&mut self, purpose: Purpose) -> u64 {
        let turn = &mut self.turns[purpose as usize];
        *turn += 1;
        self.key
            .at(&[u64::from(self.at.session.0), self.at.op, purpose as u64, *turn])
    }

    /// The word of a name: by its place in the op, whatever was drawn before.
    pub(crate) fn still(&self, place: u64) -> u64 {
        let at = self.at;
        self.key
            .at(&[u64::from(at.session.0), at.op, Purpose::Name as u64, place])
    }

    /// A number below `n`; 0 where `n` is 0.
    pub(crate) fn below(&mut self, purpose: Purpose, n: u64) -> u64 {
        below(self.next(purpose), n.max(1))
    }

    /// An index of a list that is not empty.
    pub(crate) fn index(&mut self, purpose: Purpose, len: usize) -> usize {
        let n = self.below(purpose, u64::try_from(len).expect("lists are short"));
        usize::try_from(n).expect("it is below a length")
    }

    /// From `low` to `high`, both in.
    pub(crate) fn range(&mut self, purpose: Purpose, low: i64, high: i64) -> i64 {
        let width = high.abs_diff(low) + 1;
        low.wrapping_add_unsigned(self.below(purpose, width))
    }

    /// True in `num` of `den`.
    pub(crate) fn chance(&mut self, purpose: Purpose, num: u64, den: u64) -> bool {
        chance(self.next(purpose), num, den)
    }

    /// One of a list that is not empty.
    pub(crate) fn of<T: Copy>(&mut self, purpose: Purpose, list: &[T]) -> T {
        list[self.index(purpose, list.len())]
    }

    /// One by weight; `None` where all weights are 0.
    pub(crate) fn weighted<T>(
        &mut self,
        purpose: Purpose,
        items: impl Iterator<Item = (u32, T)> + Clone,
    ) -> Option<T> {
        let total: u64 = items.clone().map(|(w, _)| u64::from(w)).sum();
        let mut at = self.below(purpose, total);
        for (weight, item) in items {
            match at.checked_sub(u64::from(weight)) {
                Some(rest) => at = rest,
                None => return Some(item),
            }
        }
        None
    }

    /// The item with the highest hash of its identity.
    pub(crate) fn choose<T>(&mut self, purpose: Purpose, items: impl Iterator<Item = (u64, T)>) -> Option<T> {
        let address = self.next(purpose);
        highest(address, items)
    }

    /// The same, with an address that sessions at work at the same stage of the run have in common: they meet there.
    pub(crate) fn meet<T>(&mut self, purpose: Purpose, items: impl Iterator<Item = (u64, T)>) -> Option<T> {
        let turn = self.turns[purpose as usize];
        let address = self.key.at(&[self.at.op / 16, purpose as u64, turn]);
        highest(address, items)
    }
}

fn highest<T>(address: u64, items: impl Iterator<Item = (u64, T)>) -> Option<T> {
    items
        .map(|(identity, item)| (mix(address ^ mix(identity)), item))
        .max_by_key(|(hash, _)| *hash)
        .map(|(_, item)| item)
}
