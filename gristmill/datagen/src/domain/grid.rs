//! Integers wider than a descriptor, for decimals: all of them where they are few, else a grid.
//!
//! Up to 18 digits every number has its descriptor. Above, the range is cut into 2^60 equal cells
//! and a hash of the cell's number says which of its numbers is meant, so that low digits vary too.

use crate::stream::mix;

const CELLS: u64 = 1 << 60;

/// The numbers `-max..=max`, or one in each cell of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    max: i128,
    cells: u64,
    /// Numbers in a cell; 1 when all have descriptors.
    width: u128,
}

impl Grid {
    /// Integers of at most `digits` digits, 1..=38.
    pub(super) fn of_digits(digits: u8) -> Grid {
        let max = crate::value::ten_to(digits) - 1;
        match u64::try_from(2 * max.unsigned_abs() + 1) {
            Ok(cells) if cells <= 2 * CELLS => Grid { max, cells, width: 1 },
            // The rest of the division is left out at the upper end.
            _ => Grid {
                max,
                cells: CELLS,
                width: (2 * max.unsigned_abs() + 1) / u128::from(CELLS),
            },
        }
    }

    #[inline]
    pub(super) fn size(&self) -> u64 {
        self.cells
    }

    #[inline]
    pub(super) fn inflate(&self, d: u64) -> i128 {
        let low = self.width.wrapping_mul(u128::from(d));
        (-self.max).wrapping_add_unsigned(low + self.offset(d))
    }

    pub(super) fn deflate(&self, v: i128) -> Option<u64> {
        if v < -self.max || v > self.max {
            return None;
        }
        let above = v.wrapping_sub(-self.max).cast_unsigned();
        let d = u64::try_from(above / self.width)
            .ok()
            .filter(|d| *d < self.cells)?;
        (self.inflate(d) == v).then_some(d)
    }

    pub(super) fn magnitude_max(&self) -> u128 {
        self.max.unsigned_abs()
    }

    /// Where in its cell the number stands: a hash, as far as 64 bits reach.
    #[inline]
    fn offset(&self, d: u64) -> u128 {
        if self.width == 1 {
            return 0;
        }
        match u64::try_from(self.width) {
            Ok(width) => u128::from(crate::stream::below(mix(d ^ 0x510e_527f_ade6_82d1), width)),
            Err(_) => {
                let bits = u128::from(mix(d ^ 0x510e_527f_ade6_82d1)) << 64
                    | u128::from(mix(d ^ 0x9b05_688c_2b3e_6c1f));
                bits % self.width
            }
        }
    }
}
