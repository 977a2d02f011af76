//! The keys of a table: positions `0..len` and the key tuples they stand for, in order.
//!
//! ```text
//!  position 0 … len            a number in mixed radix, the leading column's digit first
//!     │  ÷ 12  ÷ 4  ÷ 1
//!     ▼
//!  digits   2    1    3        digit j selects one of radix j cells of column j's descriptors;
//!     │  (DESC turns it round)  a keyed offset inside the cell names the value
//!     ▼
//!  tuple  ('Q\_', −7, 2024-02-29)
//! ```
//!
//! Each digit is free of the others, so every column varies by itself, leading columns have few
//! distinct values, and the tuples that share a prefix are an interval of positions. The first cell
//! of a column is its least value and the last its greatest; a cell with special values in it takes
//! one of them half of the time.
//!
//! This module must not know whether the key is a partition's or a row's. Invariants:
//!
//! 1. `deflate(inflate(p)) == Some(p)`; tuples that are nobody's image have no position.
//! 2. `p < q` means `inflate(p)` stands before `inflate(q)` in the key's order, column by column,
//!    DESC turned round.
//! 3. A function of columns, seed and size.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::domain::Domain;
use crate::stream::{Key, Stream, below, chance};
use crate::value::{Nulls, Order, Value};

mod digit;
mod radix;

use digit::Cells;

/// The most columns of a key.
pub const COLUMNS_MAX: usize = 16;

/// The most positions of a universe.
pub const SIZE_MAX: u64 = 1 << 62;

/// The most distinct values of one column.
pub const RADIX_MAX: u64 = 1 << 31;

/// Why columns make no universe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UniverseError {
    /// More columns than databases allow everywhere.
    #[error("a key of {columns} columns: at most {COLUMNS_MAX} are supported")]
    Columns {
        /// How many were given.
        columns: usize,
    },
    /// A size that positions cannot count.
    #[error("a key universe of {size} positions: give 1 to {SIZE_MAX}")]
    Size {
        /// What was asked for.
        size: u64,
    },
    /// Equal and identical differ in this column.
    #[error(
        "key column {column} has a domain in which different values compare equal: use limits with identity"
    )]
    Identity {
        /// Counted from 0.
        column: usize,
    },
}

/// A set of consecutive keys: an equality prefix, then bounds on the next column.
///
/// Digits count in key order: on a DESC column digit 0 is the greatest value. So a slice is an
/// interval of positions. Empty `prefix` and no bounds is the whole universe.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slice {
    /// Digits of the leading columns, which are fixed.
    pub prefix: Vec<u32>,
    /// The first digit of the column after the prefix, and whether it belongs to the slice.
    pub lower: Option<(u32, bool)>,
    /// The last digit of the column after the prefix, and whether it belongs to the slice.
    pub upper: Option<(u32, bool)>,
}

/// Positions and key tuples of one key. See the module.
#[derive(Clone, Debug)]
pub struct Universe {
    columns: Vec<Column>,
    len: u64,
}

#[derive(Clone, Debug)]
struct Column {
    domain: Domain,
    order: Order,
    cells: Cells,
    /// How many positions share a digit of this column and of all before it.
    stride: u64,
}

impl Universe {
    /// The universe of about `size` keys of these columns: as many as asked for, or all there are
    /// (two of one bool column, one of no column; 2^31 distinct values a column), and seldom a few more.
    ///
    /// # Errors
    /// When there are more than 16 columns, when `size` is 0 or above 2^62, and when a domain's
    /// limits lack [`crate::domain::Limits::identity`] and values that compare equal differ in it.
    pub fn new(columns: Vec<(Domain, Order)>, seed: u64, size: u64) -> Result<Universe, UniverseError> {
        if columns.len() > COLUMNS_MAX {
            return Err(UniverseError::Columns {
                columns: columns.len(),
            });
        }
        if size == 0 || size > SIZE_MAX {
            return Err(UniverseError::Size { size });
        }
        let coarse = |domain: &Domain| domain.special("minus zero").is_some();
        if let Some(column) = columns.iter().position(|(domain, _)| coarse(domain)) {
            return Err(UniverseError::Identity { column });
        }
        let sizes: Vec<u128> = columns.iter().map(|(domain, _)| domain.size()).collect();
        let radices = radix::choose(&sizes, size);
        let len: u64 = radices.iter().product();
        let mut stride = len;
        let columns = columns
            .into_iter()
            .zip(radices)
            .zip(0..)
            .map(|(((domain, order), radix), j)| {
                stride /= radix;
                let cells = Cells::new(&domain, radix, seed, j);
                Column {
                    domain,
                    order,
                    cells,
                    stride,
                }
            });
        Ok(Universe {
            columns: columns.collect(),
            len,
        })
    }

    /// How many keys there are; at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a universe has at least one key")]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// How many columns the key has.
    #[must_use]
    pub const fn columns(&self) -> usize {
        self.columns.len()
    }

    /// The domain of column `j`.
    ///
    /// # Panics
    /// When there is no such column.
    #[must_use]
    pub fn domain(&self, j: usize) -> &Domain {
        &self.columns[j].domain
    }

    /// The direction of column `j`.
    ///
    /// # Panics
    /// When there is no such column.
    #[must_use]
    pub fn order(&self, j: usize) -> Order {
        self.columns[j].order
    }

    /// How many digits column `j` has, which is how many distinct values.
    ///
    /// # Panics
    /// When there is no such column.
    #[must_use]
    pub fn radix(&self, j: usize) -> u32 {
        digit(self.columns[j].cells.radix())
    }

    /// The digit of column `j` at a position, in key order.
    ///
    /// # Panics
    /// When there is no such column or position.
    #[inline]
    #[must_use]
    pub fn digit(&self, at: u64, j: usize) -> u32 {
        assert!(at < self.len, "the position is outside its universe");
        let column = &self.columns[j];
        digit(at / column.stride % column.cells.radix())
    }

    /// The position with these digits, one a column: the inverse of [`Universe::digit`].
    ///
    /// # Panics
    /// When there are too few or too many digits, or one is not below its radix.
    #[must_use]
    pub fn position(&self, digits: &[u32]) -> u64 {
        assert_eq!(digits.len(), self.columns.len(), "one digit a column");
        self.start(digits)
    }

    /// The descriptor that a digit of column `j` names.
    ///
    /// # Panics
    /// When there is no such column or digit.
    #[inline]
    #[must_use]
    pub fn descriptor(&self, j: usize, digit: u32) -> u64 {
        let column = &self.columns[j];
        column.cells.descriptor(column.turn(digit.into()))
    }

    /// The value that a digit of column `j` names: the bound of a range.
    ///
    /// # Panics
    /// When there is no such column or digit.
    #[must_use]
    pub fn digit_value(&self, j: usize, digit: u32) -> Value {
        self.columns[j].domain.inflate(self.descriptor(j, digit))
    }

    /// The digit of column `j` whose value this is; `None` when it is no key's.
    ///
    /// # Panics
    /// When there is no such column.
    #[must_use]
    pub fn digit_of(&self, j: usize, value: &Value) -> Option<u32> {
        let column = &self.columns[j];
        let cell = column.cells.cell(column.domain.deflate(value)?)?;
        Some(digit(column.turn(cell)))
    }

    /// The key at a position, one value a column. Inverse: [`Universe::deflate`].
    ///
    /// # Panics
    /// When there is no such position.
    #[must_use]
    pub fn inflate(&self, at: u64) -> Vec<Value> {
        (0..self.columns.len())
            .map(|j| self.inflate_column(at, j))
            .collect()
    }

    /// The value of column `j` of the key at a position.
    ///
    /// # Panics
    /// When there is no such column or position.
    #[must_use]
    pub fn inflate_column(&self, at: u64, j: usize) -> Value {
        self.digit_value(j, self.digit(at, j))
    }

    /// Appends the canonical encodings of the key's values, without an allocation of its own.
    ///
    /// # Panics
    /// When there is no such position.
    #[inline]
    pub fn inflate_into(&self, at: u64, into: &mut Vec<u8>) {
        assert!(at < self.len, "the position is outside its universe");
        let mut rest = at;
        for column in &self.columns {
            let digit = rest / column.stride;
            rest %= column.stride;
            column
                .domain
                .inflate_into(column.cells.descriptor(column.turn(digit)), into);
        }
    }

    /// The position of a key; `None` when it is nobody's image in any column.
    ///
    /// # Panics
    /// When the key has another number of columns.
    #[must_use]
    pub fn deflate(&self, key: &[Value]) -> Option<u64> {
        assert_eq!(key.len(), self.columns.len(), "one value a column");
        let digits = key.iter().enumerate().map(|(j, value)| self.digit_of(j, value));
        digits
            .collect::<Option<Vec<u32>>>()
            .map(|digits| self.start(&digits))
    }

    /// The positions of a slice; empty where its bounds cross.
    ///
    /// # Panics
    /// When the prefix has more digits than the key, or bounds stand behind a whole key.
    #[must_use]
    pub fn range(&self, slice: &Slice) -> Range<u64> {
        let start = self.start(&slice.prefix);
        let depth = slice.prefix.len();
        let Some(column) = self.columns.get(depth) else {
            assert!(
                slice.lower.is_none() && slice.upper.is_none(),
                "no column is left for the bounds"
            );
            return start..start + 1;
        };
        let radix = column.cells.radix();
        let first = slice
            .lower
            .map_or(0, |(digit, inclusive)| u64::from(digit) + u64::from(!inclusive))
            .min(radix);
        let end = slice
            .upper
            .map_or(radix, |(digit, inclusive)| {
                u64::from(digit) + u64::from(inclusive)
            })
            .min(radix);
        start + first * column.stride..start + end.max(first) * column.stride
    }

    /// How many keys stand before `key`, which may be shorter than a key and need be nobody's: a
    /// bound of a range. With `after`, keys that begin with `key` count too.
    ///
    /// # Panics
    /// When `key` has more values than the universe has columns.
    #[must_use]
    pub fn before(&self, key: &[Value], after: bool) -> u64 {
        assert!(
            key.len() <= self.columns.len(),
            "a bound has at most one value a column"
        );
        let mut count = 0;
        for (column, value) in self.columns.iter().zip(key) {
            let smaller = column.first_not_before(value);
            count += smaller * column.stride;
            let found = smaller < column.cells.radix() && column.compare(smaller, value).is_eq();
            if !found {
                return count;
            }
        }
        let shared = key
            .len()
            .checked_sub(1)
            .map_or(self.len, |last| self.columns[last].stride);
        count + if after { shared } else { 0 }
    }

    /// The first position whose leading digits are these.
    fn start(&self, digits: &[u32]) -> u64 {
        assert!(digits.len() <= self.columns.len(), "at most one digit a column");
        let parts = self.columns.iter().zip(digits).map(|(column, digit)| {
            let digit = u64::from(*digit);
            assert!(digit < column.cells.radix(), "the digit is outside its column");
            digit * column.stride
        });
        parts.sum()
    }
}

/// A digit or radix in 32 bits.
#[inline]
fn digit(n: u64) -> u32 {
    u32::try_from(n).expect("a column has at most 2^31 digits")
}

impl Column {
    /// Digit to cell and cell to digit: DESC turns the order round.
    #[inline]
    fn turn(&self, digit: u64) -> u64 {
        match self.order {
            Order::Asc => digit,
            Order::Desc => self.cells.radix() - 1 - digit,
        }
    }

    /// How a digit's value stands to `value`, in key order.
    fn compare(&self, digit: u64, value: &Value) -> std::cmp::Ordering {
        let ours = self.domain.inflate(self.cells.descriptor(self.turn(digit)));
        self.order.apply(ours.compare(value, Nulls::First))
    }

    fn first_not_before(&self, value: &Value) -> u64 {
        let (mut low, mut high) = (0, self.cells.radix());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.compare(middle, value).is_lt() {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

#[cfg(test)]
mod tests;
