//! PCG RXS-M-XS 64/64, a random number generator that walks.
//!
//! Its output function is a bijection of the state, so a number can be turned back into the state
//! that made it, moved along the stream, and asked how far from the seed it is. The run's seed is
//! used as the state itself, and nothing is stored.
//!
//! This module must not know what a number is used for. Invariants:
//!
//! 1. `unshuffle(shuffle(s)) == s`.
//! 2. `prev(next(r, stream), stream) == r`: one multiplication each way.
//! 3. `Pcg::sequence(Pcg::rng(i, stream), stream) == i`.
//! 4. `rng(0, stream)` is the same number for every stream: indices of draws start at 1.
//!
//! Source: M. O'Neill, *PCG: A Family of Simple Fast Space-Efficient Statistically Good Algorithms
//! for Random Number Generation*, 2014.

const MULTIPLIER: u64 = 6_364_136_223_846_793_005;
/// The inverse of `MULTIPLIER` modulo 2^64.
const MULTIPLIER_INVERSE: u64 = 13_877_824_140_714_322_085;
const OUTPUT: u64 = 12_605_985_483_714_917_081;
/// The inverse of `OUTPUT` modulo 2^64.
const OUTPUT_INVERSE: u64 = 15_009_553_638_781_119_849;

/// The output function at 64 bits: a bijection of the state. Inverse: [`unshuffle`].
#[must_use]
pub const fn shuffle(state: u64) -> u64 {
    shuffle_bits(state, 64)
}

/// The state that [`shuffle`] turned into `number`.
#[must_use]
pub const fn unshuffle(number: u64) -> u64 {
    unshuffle_bits(number, 64)
}

/// The output function on the `width` low bits of `state`, a bijection of `[0, 2^width)`.
///
/// `width` is 1..=64 and higher bits of `state` are zero. At 64 it is PCG's own RXS-M-XS; at the
/// other widths it is the same construction with the shifts that the reference implementation
/// gives a type of that size. Inverse: [`unshuffle_bits`].
#[must_use]
pub const fn shuffle_bits(state: u64, width: u32) -> u64 {
    Width::new(width).shuffle(state)
}

/// The inverse of [`shuffle_bits`] at the same `width`.
#[must_use]
pub const fn unshuffle_bits(number: u64, width: u32) -> u64 {
    Width::new(width).unshuffle(number)
}

/// What the output function needs to know of a width, worked out once for many numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Width {
    /// The low bits.
    mask: u64,
    bits: u32,
    /// How many top bits choose the random shift.
    chooser: u32,
    /// The fixed shift.
    last: u32,
}

impl Width {
    /// 1 to 64 bits.
    pub(crate) const fn new(bits: u32) -> Width {
        Width {
            mask: u64::MAX >> (64 - bits),
            bits,
            chooser: match bits {
                48..=64 => 5,
                24..48 => 4,
                12..24 => 3,
                6..12 => 2,
                2..6 => 1,
                _ => 0,
            },
            last: (2 * bits).div_ceil(3),
        }
    }

    /// The low bits of `x`.
    #[inline]
    pub(crate) const fn cut(self, x: u64) -> u64 {
        x & self.mask
    }

    /// [`shuffle_bits`] at this width.
    #[inline]
    pub(crate) const fn shuffle(self, state: u64) -> u64 {
        let mut x = state;
        x ^= x >> self.random_shift(x);
        x = self.cut(x.wrapping_mul(OUTPUT));
        x ^ (x >> self.last)
    }

    /// [`unshuffle_bits`] at this width.
    #[inline]
    pub(crate) const fn unshuffle(self, number: u64) -> u64 {
        let mut x = self.unshift(number, self.last);
        x = self.cut(x.wrapping_mul(OUTPUT_INVERSE));
        // The bits that choose the random shift stand above everything it changes.
        self.unshift(x, self.random_shift(x))
    }

    /// The first shift of the output function: at least 1, and never so small that it changes the bits
    /// that choose it. At most 36.
    #[inline]
    const fn random_shift(self, x: u64) -> u32 {
        if self.chooser == 0 {
            return self.bits;
        }
        self.chooser + (x >> (self.bits - self.chooser)) as u32
    }

    /// Undoes `y = x ^ (x >> by)`: each round restores `by` more bits from the top.
    #[inline]
    const fn unshift(self, y: u64, by: u32) -> u64 {
        let mut x = y;
        let mut shift = by;
        while shift < self.bits {
            x ^= y >> shift;
            shift += by;
        }
        x
    }
}

/// The increment of a stream. Bit 63 of the stream's number is lost: there are 2^63 streams.
const fn increment(stream: u64) -> u64 {
    (stream << 1) | 1
}

/// One step of the state along `stream`. Inverse: [`step_back`].
#[must_use]
pub const fn step(state: u64, stream: u64) -> u64 {
    state.wrapping_mul(MULTIPLIER).wrapping_add(increment(stream))
}

/// The state before `state` on `stream`: one multiplication.
#[must_use]
pub const fn step_back(state: u64, stream: u64) -> u64 {
    state
        .wrapping_sub(increment(stream))
        .wrapping_mul(MULTIPLIER_INVERSE)
}

/// The number after `number` on `stream`. Inverse: [`prev`].
#[must_use]
pub const fn next(number: u64, stream: u64) -> u64 {
    shuffle(step(unshuffle(number), stream))
}

/// The number before `number` on `stream`.
#[must_use]
pub const fn prev(number: u64, stream: u64) -> u64 {
    shuffle(step_back(unshuffle(number), stream))
}

/// Moves `state` by `steps` places along `stream`, modulo 2^64: `steps.wrapping_neg()` walks back.
///
/// One round for each significant bit of `steps`. Inverse: `advance(advance(s, n, t), -n, t) == s`.
/// Source: F. Brown, *Random Number Generation with Arbitrary Strides*, 1994.
#[must_use]
pub const fn advance(state: u64, steps: u64, stream: u64) -> u64 {
    let (mut mult, mut plus) = (MULTIPLIER, increment(stream));
    let (mut all_mult, mut all_plus) = (1_u64, 0_u64);
    let mut left = steps;
    while left > 0 {
        if left & 1 == 1 {
            all_mult = all_mult.wrapping_mul(mult);
            all_plus = all_plus.wrapping_mul(mult).wrapping_add(plus);
        }
        plus = plus.wrapping_mul(mult.wrapping_add(1));
        mult = mult.wrapping_mul(mult);
        left >>= 1;
    }
    all_mult.wrapping_mul(state).wrapping_add(all_plus)
}

/// How many steps along `stream` lead from the state `from` to the state `to`, modulo 2^64.
///
/// One round for each significant bit of the answer, 64 at most.
#[must_use]
pub const fn distance(from: u64, to: u64, stream: u64) -> u64 {
    let (mut mult, mut plus) = (MULTIPLIER, increment(stream));
    let (mut at, mut bit, mut steps) = (from, 1_u64, 0_u64);
    while at != to {
        if (at ^ to) & bit != 0 {
            at = at.wrapping_mul(mult).wrapping_add(plus);
            steps |= bit;
        }
        plus = plus.wrapping_mul(mult.wrapping_add(1));
        mult = mult.wrapping_mul(mult);
        bit <<= 1;
    }
    steps
}

/// The generator of a run: random access to the numbers of every stream, and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pcg {
    /// The seed, which is the state itself.
    pub seed: u64,
}

impl Pcg {
    /// The `i`-th number of `stream`; `rng(0, stream)` is the same for all of them.
    #[must_use]
    pub const fn rng(self, i: u64, stream: u64) -> u64 {
        shuffle(advance(self.seed, i, stream))
    }

    /// The index of `number` on `stream`, the inverse of [`Pcg::rng`]. Every number has one.
    #[must_use]
    pub const fn sequence(self, number: u64, stream: u64) -> u64 {
        distance(self.seed, unshuffle(number), stream)
    }

    /// The number after `number` on `stream`; it does not depend on the seed.
    #[must_use]
    pub const fn next(self, number: u64, stream: u64) -> u64 {
        next(number, stream)
    }

    /// The number before `number` on `stream`; it does not depend on the seed.
    #[must_use]
    pub const fn prev(self, number: u64, stream: u64) -> u64 {
        prev(number, stream)
    }
}

#[cfg(test)]
mod tests;
