//! Floats in order: every finite one, −0, the infinities and one NaN, as far as the limits go.
//!
//! Bits of IEEE 754 with the sign turned round are in order: −inf … −0, 0 … inf. NaN is the
//! greatest, as PostgreSQL has it.

use super::Limits;

/// The same arithmetic for both widths, on bits in a `u64`.
#[derive(Clone, Copy, Debug)]
pub(super) struct FloatBase {
    width: u32,
    /// The lowest and the highest ordered bits that are in the domain.
    lowest: u64,
    highest: u64,
    minus_zero: bool,
    nan: bool,
}

impl FloatBase {
    pub(super) fn binary32(limits: &Limits) -> FloatBase {
        let top = if limits.infinities {
            f32::INFINITY
        } else {
            f32::MAX
        };
        FloatBase::new(32, u64::from(top.to_bits()), limits)
    }

    pub(super) fn binary64(limits: &Limits) -> FloatBase {
        let top = if limits.infinities {
            f64::INFINITY
        } else {
            f64::MAX
        };
        FloatBase::new(64, top.to_bits(), limits)
    }

    fn new(width: u32, top: u64, limits: &Limits) -> FloatBase {
        let sign = 1 << (width - 1);
        FloatBase {
            width,
            lowest: sign - 1 - top,
            highest: sign + top,
            minus_zero: limits.minus_zero(),
            nan: limits.nan,
        }
    }

    #[inline]
    pub(super) fn size(&self) -> u64 {
        self.highest - self.lowest + u64::from(self.minus_zero) + u64::from(self.nan)
    }

    /// The bits of the `d`-th float.
    #[inline]
    pub(super) fn inflate(&self, d: u64) -> u64 {
        let sign = 1 << (self.width - 1);
        let mut ordered = self.lowest + d;
        if !self.minus_zero && ordered >= sign - 1 {
            ordered += 1;
        }
        if ordered > self.highest {
            return if self.width == 32 {
                u64::from(f32::NAN.to_bits())
            } else {
                f64::NAN.to_bits()
            };
        }
        if ordered >= sign {
            ordered - sign
        } else {
            sign + (sign - 1 - ordered)
        }
    }

    pub(super) fn deflate(&self, bits: u64, is_nan: bool) -> Option<u64> {
        if is_nan {
            return self.nan.then(|| self.size() - 1);
        }
        let sign = 1 << (self.width - 1);
        let ordered = if bits >= sign {
            sign - 1 - (bits - sign)
        } else {
            bits + sign
        };
        if ordered < self.lowest || ordered > self.highest || (ordered == sign - 1 && !self.minus_zero) {
            return None;
        }
        Some(ordered - self.lowest - u64::from(!self.minus_zero && ordered >= sign))
    }
}
