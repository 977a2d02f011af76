//! Types that only Cassandra has: addresses, decimals of any scale, durations, UUIDs of version 1.
//!
//! Values are kept as the plainest of our values that has their order: see [`crate::value::Type`]. As everywhere, descriptors
//! ascend with their values, and `deflate` gives back the descriptor of exactly the value that `inflate` made.

use super::Limits;
use super::grid::Grid;
use crate::stream::mix;
use crate::value::{Value, ten_to};

/// One bijection a type.
#[derive(Clone, Debug)]
pub(super) enum OwnBase {
    /// Addresses of version 4 below 32.0.0.0, then of version 6 in 2000::/3, whose first 61 bits count.
    Inet,
    /// A numeric of three decimal places with some zeros more, which are another scale and the same number.
    Decimal { grid: Grid, zeros: u64 },
    /// Months, days and steps of a bit over a million nanoseconds: 19, 20 and 24 bits, none negative.
    Duration,
    /// Ticks of 100 ns within seven minutes, so that the order of time is the order of bytes.
    TimeUuid,
}

/// Addresses of version 4 whose first byte is below that of every address of version 6 here.
const INET4: u64 = 1 << 29;
/// Bits of an address of version 6 that are the descriptor, behind the three of 2000::/3.
const INET6_BITS: u32 = 61;
/// Nanoseconds of one step: odd and no power of ten.
const STEP_NS: u64 = 1_000_003;
/// Zeros that a decimal may have behind its three places, and one more.
const ZEROS: u8 = 8;

impl OwnBase {
    /// Panics never: limits are checked before.
    pub(super) fn decimal(limits: &Limits) -> OwnBase {
        let zeros = limits.numeric_digits.min(ZEROS);
        OwnBase::Decimal {
            grid: Grid::of_digits(limits.numeric_digits - (zeros - 1)),
            zeros: zeros.into(),
        }
    }

    pub(super) fn size(&self) -> u128 {
        match self {
            OwnBase::Inet => u128::from(INET4) + (1 << INET6_BITS),
            OwnBase::Decimal { grid, .. } => u128::from(grid.size()),
            OwnBase::Duration => 1 << 63,
            OwnBase::TimeUuid => 1 << 32,
        }
    }

    pub(super) fn inflate(&self, d: u64) -> Value {
        match self {
            OwnBase::Inet => match d.checked_sub(INET4) {
                None => Value::Bytes(d.to_be_bytes()[4..].into()),
                Some(d) => {
                    let mut bytes = [0; 16];
                    bytes[..8].copy_from_slice(&(1 << INET6_BITS | d).to_be_bytes());
                    bytes[8..].copy_from_slice(&mix(d ^ 0x510e_527f_ade6_82d1).to_be_bytes());
                    Value::Bytes(bytes.into())
                }
            },
            OwnBase::Decimal { grid, zeros } => {
                let zeros = drawn_zeros(d, *zeros);
                Value::Numeric(grid.inflate(d) * ten_to(zeros), 3 + zeros)
            }
            OwnBase::Duration => {
                let (months, days) = (d >> 44, d >> 24 & 0xf_ffff);
                Value::Bytes(duration(
                    i64_of(months),
                    i64_of(days),
                    i64_of((d & 0xff_ffff) * STEP_NS),
                ))
            }
            OwnBase::TimeUuid => Value::Uuid(time_uuid(d)),
        }
    }

    pub(super) fn deflate(&self, value: &Value) -> Option<u64> {
        let d = match (self, value) {
            (OwnBase::Inet, Value::Bytes(bytes)) => match &**bytes {
                [a, b, c, d] => u64::from(u32::from_be_bytes([*a, *b, *c, *d])),
                long => {
                    let high = u64::from_be_bytes(*long.first_chunk()?);
                    (high ^ 1 << INET6_BITS).checked_add(INET4)?
                }
            },
            (OwnBase::Decimal { grid, .. }, Value::Numeric(unscaled, scale)) => {
                let one = ten_to(scale.checked_sub(3).filter(|zeros| *zeros < ZEROS)?);
                (unscaled % one == 0).then_some(())?;
                grid.deflate(unscaled / one)?
            }
            (OwnBase::Duration, Value::Bytes(bytes)) => {
                let mut rest = &**bytes;
                let mut part = || u64::try_from(take_vint(&mut rest)?).ok();
                let (months, days, nanos) = (part()?, part()?, part()?);
                let fits = months < 1 << 19 && days < 1 << 20 && nanos / STEP_NS < 1 << 24;
                fits.then_some((months << 44) | (days << 24) | (nanos / STEP_NS))?
            }
            (OwnBase::TimeUuid, Value::Uuid(bytes)) => u64::from(u32::from_be_bytes(
                *bytes.first_chunk().expect("a UUID has 16 bytes"),
            )),
            _ => return None,
        };
        (u128::from(d) < self.size() && self.inflate(d) == *value).then_some(d)
    }
}

fn i64_of(n: u64) -> i64 {
    i64::try_from(n).expect("a part of a duration has at most 44 bits")
}

fn drawn_zeros(d: u64, below: u64) -> u8 {
    u8::try_from(mix(d ^ 0x9b05_688c_2b3e_6c1f) % below).expect("below 8")
}

/// Of 2024, node and clock sequence from a hash. Layout: RFC 9562, 5.1.
pub(super) fn time_uuid(d: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&u32::try_from(d).expect("a descriptor below 2^32").to_be_bytes());
    bytes[4..8].copy_from_slice(&[0xb0, 0x8f, 0x11, 0xee]);
    let low = mix(d ^ 0x1f83_d9ab_fb41_bd6b) >> 2 | 1 << 63;
    bytes[8..].copy_from_slice(&low.to_be_bytes());
    bytes
}

/// As CQL serializes it: native_protocol_v5.spec, 6.9.
pub(super) fn duration(months: i64, days: i64, nanos: i64) -> Box<[u8]> {
    let mut bytes = Vec::new();
    for part in [months, days, nanos] {
        put_vint(part, &mut bytes);
    }
    bytes.into()
}

/// A signed number as a vint: zigzag, then as many leading ones as bytes follow the first.
fn put_vint(v: i64, into: &mut Vec<u8>) {
    let zigzag = (v << 1 ^ v >> 63).cast_unsigned();
    let bits = 64 - zigzag.leading_zeros().min(63);
    // Seven bits a byte; the ninth byte has eight.
    let more = ((bits - 1) / 7).min(8);
    let bytes = zigzag.to_be_bytes();
    if more == 8 {
        into.push(0xff);
        return into.extend_from_slice(&bytes);
    }
    let from = 7 - more as usize;
    let mark = !(0xff_u8.checked_shr(more).unwrap_or(0));
    into.push(bytes[from] | mark);
    into.extend_from_slice(&bytes[from + 1..]);
}

/// The inverse of [`put_vint`]; `None` where the bytes end too early.
fn take_vint(from: &mut &[u8]) -> Option<i64> {
    let (first, rest) = from.split_first()?;
    let more = first.leading_ones() as usize;
    let (tail, rest) = rest.split_at_checked(more)?;
    *from = rest;
    let first = if more >= 8 {
        0
    } else {
        u64::from(first & (0xff >> more))
    };
    let zigzag = tail.iter().fold(first, |v, byte| v << 8 | u64::from(*byte));
    Some((zigzag >> 1).cast_signed() ^ -((zigzag & 1).cast_signed()))
}

#[cfg(test)]
mod tests;
