//! A keyed permutation of `[0, n)` with an inverse, for any `n`.
//!
//! Rounds of PCG's output function at the bit width of `n - 1`, each after adding a round key,
//! walking the cycle until the result is below `n` (at most two walks on average). It takes the
//! place of a shuffled array wherever one would be too big, or must be asked from both ends.
//!
//! It must not know what it permutes. Invariants:
//!
//! 1. `index(at(i)) == i` for all `i < n`.
//! 2. A function of `(key, n)`, the same on every platform.
//!
//! Source of cycle walking: J. Black, P. Rogaway, *Ciphers with Arbitrary Finite Domains*, 2002.

use crate::pcg::Width;
use crate::stream::{GOLDEN, below, mix};

const ROUNDS: usize = 4;

/// Up to this many elements the order is drawn outright and packed into two words: the rounds are
/// too coarse for a handful of bits, and small permutations are the ones people look at.
const PACKED_MAX: u64 = 16;

/// A permutation of `[0, n)` chosen by a key. Small and cheap to make: no allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Perm {
    n: u64,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Four bits a place, from the lowest; and the same for the inverse.
    Packed {
        order: u64,
        places: u64,
    },
    Rounds {
        width: Width,
        keys: [u64; ROUNDS],
    },
}

impl Perm {
    /// The permutation of `[0, n)` that `key` names.
    ///
    /// # Panics
    /// When `n` is 0 or above 2^63.
    #[must_use]
    pub const fn new(key: u64, n: u64) -> Perm {
        assert!(n >= 1 && n <= 1 << 63, "a permutation has 1 to 2^63 elements");
        let kind = if n <= PACKED_MAX {
            packed(key, n)
        } else {
            rounds(key, n)
        };
        Perm { n, kind }
    }

    /// How many elements are permuted; at least one.
    #[must_use]
    #[expect(
        clippy::len_without_is_empty,
        reason = "a permutation has at least one element"
    )]
    pub const fn len(&self) -> u64 {
        self.n
    }

    /// The element at place `i`. Inverse: [`Perm::index`].
    ///
    /// # Panics
    /// When `i` is not below `n`.
    #[must_use]
    #[inline]
    pub const fn at(&self, i: u64) -> u64 {
        assert!(i < self.n, "the place is outside the permutation");
        match self.kind {
            Kind::Packed { order, .. } => nibble(order, i),
            Kind::Rounds { width, keys } => {
                let mut x = i;
                loop {
                    let mut round = 0;
                    while round < ROUNDS {
                        x = width.shuffle(width.cut(x.wrapping_add(keys[round])));
                        round += 1;
                    }
                    if x < self.n {
                        return x;
                    }
                }
            }
        }
    }

    /// The place of the element `x`, the inverse of [`Perm::at`].
    ///
    /// # Panics
    /// When `x` is not below `n`.
    #[must_use]
    #[inline]
    pub const fn index(&self, x: u64) -> u64 {
        assert!(x < self.n, "the element is outside the permutation");
        match self.kind {
            Kind::Packed { places, .. } => nibble(places, x),
            Kind::Rounds { width, keys } => {
                let mut i = x;
                loop {
                    let mut round = ROUNDS;
                    while round > 0 {
                        round -= 1;
                        i = width.cut(width.unshuffle(i).wrapping_sub(keys[round]));
                    }
                    if i < self.n {
                        return i;
                    }
                }
            }
        }
    }
}

/// Fisher and Yates on the nibbles of a word.
const fn packed(key: u64, n: u64) -> Kind {
    let mut order = 0xfedc_ba98_7654_3210_u64;
    let mut state = key;
    let mut left = n;
    while left > 1 {
        state = mix(state.wrapping_add(GOLDEN));
        let pick = below(state, left);
        left -= 1;
        let swap = nibble(order, left) ^ nibble(order, pick);
        order ^= (swap << (4 * left)) | (swap << (4 * pick));
    }
    let mut places = 0;
    let mut i = 0;
    while i < n {
        places |= i << (4 * nibble(order, i));
        i += 1;
    }
    Kind::Packed { order, places }
}

const fn nibble(word: u64, i: u64) -> u64 {
    (word >> (4 * i)) & 15
}

const fn rounds(key: u64, n: u64) -> Kind {
    let width = 64 - (n - 1).leading_zeros();
    let mut keys = [0; ROUNDS];
    let mut state = key;
    let mut round = 0;
    while round < ROUNDS {
        state = mix(state.wrapping_add(GOLDEN));
        keys[round] = state >> (64 - width);
        round += 1;
    }
    Kind::Rounds {
        width: Width::new(width),
        keys,
    }
}

#[cfg(test)]
mod tests;
