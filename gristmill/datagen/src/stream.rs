//! The list of random streams, and the draw that addresses them.
//!
//! A draw is a function of `(seed, stream, address)` through a hash of the whole tuple. Parts are
//! never xor-ed together: `a ^ b` makes `(6, 1)` and `(7, 0)` the same address. Because each use has
//! a stream of its own, adding a draw somewhere changes no other number of the run.
//!
//! Invariants:
//!
//! 1. A stream's number never changes and is never given to another use.
//! 2. Two tuples of one length that differ in one word never collide in one stream.
//! 3. The same on every platform: no floats, no pointer-sized integers.
//!
//! The hash folds the words one by one into a 64-bit state through D. Stafford's variant 13 of the
//! MurmurHash3 finaliser (the one of SplitMix64), a permutation of 64 bits. It keeps apart what
//! programs count; it is no protection against somebody who chooses seeds.

/// Who draws. Numbers are written out and never reused: they are part of what a seed means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u64)]
pub enum Stream {
    /// The number of tables, columns and the other choices of a drawn schema.
    Schema = 1,
    /// Which type a drawn column has.
    ColumnType = 2,
    /// The key of the value that names a cell of a key universe.
    UniverseCell = 3,
    /// Whether a cell of a key universe takes a special value.
    UniverseSpecial = 4,
    /// Every choice of a plan that was not given.
    Plan = 5,
    /// The descriptor of the value a write sets.
    Value = 10,
    /// Which columns a write sets.
    Columns = 11,
    /// Whether a cell that may be NULL is.
    Null = 12,
    /// The role of a visit inside its block.
    Role = 20,
    /// The share of the workload a touch falls to.
    Share = 21,
    /// The member of a share.
    Member = 22,
    /// Which partition a read looks at.
    ReadPartition = 23,
    /// Which rows of a partition a visit touches.
    Row = 24,
    /// The order of a table's partitions in its key universe.
    Partition = 26,
    /// The values of a column that come again and again.
    Recurring = 27,
    /// The orders of blocks, decks and rounds.
    Shuffle = 25,
    /// The kind of an operation.
    OperationKind = 30,
    /// How many operations a visit has.
    OperationCount = 31,
    /// The bounds of a range or slice.
    Bounds = 32,
    /// The kind of a query.
    QueryKind = 33,
    /// The shape of a query: columns, order, limit.
    QueryShape = 34,
    /// How a visit ends.
    End = 35,
    /// What a visit says beside its statements, under last-write-wins.
    Stamp = 41,
    /// Timestamps that are out of order.
    Clock = 42,
    /// Savepoints inside a visit.
    Savepoint = 36,
    /// The order of writes and reads inside a visit.
    StepOrder = 37,
    /// Which kinds exist at all in a run.
    Swarm = 38,
    /// Whether the reference tells a lie here.
    Lie = 50,
    /// Whether a fault strikes here.
    Fault = 51,
    /// The order of sessions in lock-step pace.
    Schedule = 52,
    /// Which answers are judged a second time as a sample.
    Sample = 53,
    /// Everything that the parallel workload draws, by session, op, purpose and turn.
    Parallel = 60,
}

/// 2^64 divided by the golden ratio, made odd: steps by it visit all words, far apart.
pub const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A draw at an address: a keyed hash of the whole tuple.
#[inline]
#[must_use]
pub fn draw(seed: u64, stream: Stream, address: &[u64]) -> u64 {
    Key::new(seed, stream).at(address)
}

/// Seed and stream hashed once, for loops that draw at many addresses.
///
/// `Key::new(seed, stream).at(address) == draw(seed, stream, address)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(u64);

impl Key {
    /// The state after seed and stream.
    #[inline]
    #[must_use]
    pub const fn new(seed: u64, stream: Stream) -> Key {
        Key(fold(fold(0x243f_6a88_85a3_08d3, seed), stream as u64))
    }

    /// The draw at `address`.
    #[inline]
    #[must_use]
    pub const fn at(self, address: &[u64]) -> u64 {
        let mut state = self.0;
        let mut i = 0;
        while i < address.len() {
            state = fold(state, address[i]);
            i += 1;
        }
        // The length keeps `[]`, `[0]` and `[0, 0]` apart.
        mix(state ^ (address.len() as u64).wrapping_mul(GOLDEN))
    }
}

impl Key {
    /// The first word of addresses of two, hashed once for all of them: `key.first(a).then(b) == key.at(&[a, b])`.
    #[inline]
    #[must_use]
    pub const fn first(self, word: u64) -> First {
        First(fold(self.0, word))
    }
}

/// A key and the first word of an address of two words. See [`Key::first`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct First(u64);

impl First {
    /// The draw at the address that ends in `word`.
    #[inline]
    #[must_use]
    pub const fn then(self, word: u64) -> u64 {
        mix(fold(self.0, word) ^ GOLDEN.wrapping_mul(2))
    }
}

#[inline]
const fn fold(state: u64, word: u64) -> u64 {
    mix(state ^ word).wrapping_add(GOLDEN)
}

/// A permutation of 64 bits in which every input bit reaches every output bit.
///
/// Source: D. Stafford, *Better Bit Mixing*, 2011, variant 13.
#[inline]
#[must_use]
pub const fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A number below `n` from a draw, by multiplication; the bias is below `n / 2^64`.
///
/// Order is kept: a greater draw gives no smaller number.
///
/// # Panics
/// When `n` is 0.
#[inline]
#[must_use]
pub const fn below(draw: u64, n: u64) -> u64 {
    assert!(n > 0, "there is no number below 0");
    ((draw as u128 * n as u128) >> 64) as u64
}

/// True in `num` of `den` draws. A ratio of integers: floats differ between platforms.
///
/// # Panics
/// When `den` is 0.
#[inline]
#[must_use]
pub const fn chance(draw: u64, num: u64, den: u64) -> bool {
    below(draw, den) < num
}

#[cfg(test)]
mod tests;
