//! The base bijections: what of each type is reached by arithmetic and tables.

use super::bytes::BytesBase;
use super::composite::CompositeBase;
use super::float::FloatBase;
use super::grid::Grid;
use super::own::OwnBase;
use super::text::TextBase;
use super::{DomainError, Limits};
use crate::calendar::{Civil, DAY_US, days};
use crate::stream::mix;
use crate::value::encode::{
    Tag, encode_date, encode_f32, encode_f64, encode_i64, encode_numeric, encode_uuid,
};
use crate::value::{Nulls, Type, Value};
use std::sync::Arc;

/// One bijection per kind of type; descriptors are `0..size`, ascending.
#[derive(Clone, Debug)]
pub(super) enum Base {
    Bool,
    Steps(Steps),
    Float32(FloatBase),
    Float64(FloatBase),
    Numeric { grid: Grid, scale: u8 },
    Text(TextBase),
    Bytes(BytesBase),
    Uuid,
    Own(OwnBase),
    Composite(Arc<CompositeBase>),
}

/// `first`, `first + step`, … `count` of them: integers, days, microseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    tag: Tag,
    first: i64,
    step: u64,
    /// One less than how many there are, so that 2^64 fits.
    last: u64,
}

/// Descriptors of UUIDs have 60 bits: the ones before the version, and after it up to the variant.
const UUID_BITS: u32 = 60;

impl Base {
    pub(super) fn new(ty: Type, limits: &Limits) -> Result<Base, DomainError> {
        let integers = |bits: u32| {
            let first = i64::MIN >> (64 - bits);
            Base::Steps(Steps {
                tag: Tag::Int,
                first,
                step: 1,
                last: u64::MAX >> (64 - bits),
            })
        };
        let january = |year| {
            i64::from(days(Civil {
                year,
                month: 1,
                day: 1,
            }))
        };
        let (first_day, end_day) = (january(limits.year_min), january(limits.year_max + 1));
        let step = 10_u64.pow(u32::from(6 - limits.subsecond_digits));
        let microseconds = |tag, first: i64, end: i64| {
            Base::Steps(Steps {
                tag,
                first,
                step,
                last: (end - first).cast_unsigned() / step - 1,
            })
        };
        Ok(match ty {
            Type::Bool => Base::Bool,
            Type::Int8 => integers(8),
            Type::Int16 => integers(16),
            Type::Int32 => integers(32),
            // The least is left out where there is an empty value too: descriptors are at most 2^64.
            Type::Int64 if limits.has_empty(ty) => Base::Steps(Steps {
                tag: Tag::Int,
                first: i64::MIN + 1,
                step: 1,
                last: u64::MAX - 1,
            }),
            Type::Int64 | Type::Counter => integers(64),
            Type::Float32 => Base::Float32(FloatBase::binary32(limits)),
            Type::Float64 => Base::Float64(FloatBase::binary64(limits)),
            Type::Numeric { precision, scale } => {
                if precision == 0 || precision > 38 || scale > precision {
                    return Err(DomainError::Numeric { precision, scale });
                }
                Base::Numeric {
                    grid: Grid::of_digits(precision.min(limits.numeric_digits)),
                    scale,
                }
            }
            Type::Text => Base::Text(TextBase::new(limits, limits.unicode)?),
            Type::Ascii => Base::Text(TextBase::new(limits, false)?),
            Type::Bytes => Base::Bytes(BytesBase::new(limits)?),
            Type::Uuid => Base::Uuid,
            Type::Varint => Base::Numeric {
                grid: Grid::of_digits(limits.numeric_digits),
                scale: 0,
            },
            Type::Inet => Base::Own(OwnBase::Inet),
            Type::Decimal => Base::Own(OwnBase::decimal(limits)),
            Type::Duration => Base::Own(OwnBase::Duration),
            Type::Composite(composite) => Base::Composite(Arc::new(CompositeBase::new(composite, limits)?)),
            Type::TimeUuid => Base::Own(OwnBase::TimeUuid),
            Type::Date => Base::Steps(Steps {
                tag: Tag::Date,
                first: first_day,
                step: 1,
                last: (end_day - first_day).cast_unsigned() - 1,
            }),
            Type::Time => microseconds(Tag::Time, 0, DAY_US),
            Type::Timestamp => microseconds(Tag::Timestamp, first_day * DAY_US, end_day * DAY_US),
            Type::TimestampTz => microseconds(Tag::TimestampTz, first_day * DAY_US, end_day * DAY_US),
        })
    }

    #[inline]
    pub(super) fn size(&self) -> u128 {
        match self {
            Base::Bool => 2,
            Base::Steps(steps) => u128::from(steps.last) + 1,
            Base::Float32(float) | Base::Float64(float) => u128::from(float.size()),
            Base::Numeric { grid, .. } => u128::from(grid.size()),
            Base::Text(text) => u128::from(text.size()),
            Base::Bytes(bytes) => u128::from(bytes.size()),
            Base::Uuid => 1 << UUID_BITS,
            Base::Own(own) => own.size(),
            Base::Composite(composite) => u128::from(composite.size()),
        }
    }

    pub(super) fn inflate(&self, d: u64) -> Value {
        match self {
            Base::Bool => Value::Bool(d == 1),
            Base::Steps(steps) => steps.value(steps.inflate(d)),
            Base::Float32(float) => Value::Float32(f32::from_bits(float.inflate(d) as u32)),
            Base::Float64(float) => Value::Float64(f64::from_bits(float.inflate(d))),
            Base::Numeric { grid, scale } => Value::Numeric(grid.inflate(d), *scale),
            Base::Text(text) => {
                let mut bytes = Vec::new();
                text.write(d, &mut bytes);
                Value::Text(String::from_utf8(bytes).expect("tables of text are UTF-8").into())
            }
            Base::Bytes(base) => {
                let mut bytes = Vec::new();
                base.write(d, &mut bytes);
                Value::Bytes(bytes.into())
            }
            Base::Uuid => Value::Uuid(uuid(d)),
            Base::Own(own) => own.inflate(d),
            Base::Composite(composite) => composite.inflate(d),
        }
    }

    #[inline]
    pub(super) fn inflate_into(&self, d: u64, into: &mut Vec<u8>) {
        match self {
            Base::Bool => into.extend_from_slice(&[Tag::Bool as u8, d as u8]),
            Base::Steps(steps) if steps.tag == Tag::Date => encode_date(steps.inflate(d) as i32, into),
            Base::Steps(steps) => encode_i64(steps.tag, steps.inflate(d), into),
            Base::Float32(float) => encode_f32(f32::from_bits(float.inflate(d) as u32), into),
            Base::Float64(float) => encode_f64(f64::from_bits(float.inflate(d)), into),
            Base::Numeric { grid, scale } => encode_numeric(grid.inflate(d), *scale, into),
            Base::Text(text) => run(Tag::Text, into, |into| text.write(d, into)),
            Base::Bytes(bytes) => run(Tag::Bytes, into, |into| bytes.write(d, into)),
            Base::Uuid => encode_uuid(uuid(d), into),
            Base::Own(own) => own.inflate(d).encode(into),
            Base::Composite(composite) => composite.inflate(d).encode(into),
        }
    }

    pub(super) fn deflate(&self, value: &Value) -> Option<u64> {
        match (self, value) {
            (Base::Bool, Value::Bool(v)) => Some(u64::from(*v)),
            (Base::Steps(steps), _) => steps.deflate(value),
            (Base::Float32(float), Value::Float32(v)) => float.deflate(u64::from(v.to_bits()), v.is_nan()),
            (Base::Float64(float), Value::Float64(v)) => float.deflate(v.to_bits(), v.is_nan()),
            (Base::Numeric { grid, scale }, Value::Numeric(unscaled, s)) if s == scale => {
                grid.deflate(*unscaled)
            }
            (Base::Text(text), Value::Text(v)) => text.read(v),
            (Base::Bytes(bytes), Value::Bytes(v)) => bytes.read(v),
            (Base::Uuid, Value::Uuid(v)) => {
                let high = u64::from_be_bytes(*v.first_chunk().expect("a UUID has 16 bytes"));
                let d = (high >> 16 << 12) | (high & 0xfff);
                (uuid(d) == *v).then_some(d)
            }
            (Base::Own(own), _) => own.deflate(value),
            (Base::Composite(composite), _) => composite.deflate(value),
            _ => None,
        }
    }

    /// How many values stand before `value`, which is of the same type and need not be one of them.
    pub(super) fn rank(&self, value: &Value) -> u128 {
        match (self, value) {
            (Base::Text(text), Value::Text(v)) => u128::from(text.rank(v.as_bytes())),
            (Base::Bytes(bytes), Value::Bytes(v)) => u128::from(bytes.rank(v)),
            _ => partition_point(self.size(), |d| {
                self.inflate(d).compare(value, Nulls::First).is_lt()
            }),
        }
    }

    pub(super) fn magnitude_max(&self) -> Option<u128> {
        match self {
            Base::Steps(Steps {
                tag: Tag::Int, first, ..
            }) => Some(u128::from(first.unsigned_abs())),
            Base::Numeric { grid, .. } => Some(grid.magnitude_max()),
            _ => None,
        }
    }
}

impl Steps {
    #[inline]
    fn inflate(&self, d: u64) -> i64 {
        // Modulo 2^64, which is exact: the result is in range.
        self.first.wrapping_add_unsigned(d.wrapping_mul(self.step))
    }

    fn deflate(&self, value: &Value) -> Option<u64> {
        let (tag, v) = match value {
            Value::Int(v) => (Tag::Int, *v),
            Value::Date(v) => (Tag::Date, i64::from(*v)),
            Value::Time(v) => (Tag::Time, *v),
            Value::Timestamp(v) => (Tag::Timestamp, *v),
            Value::TimestampTz(v) => (Tag::TimestampTz, *v),
            _ => return None,
        };
        if tag != self.tag || v < self.first {
            return None;
        }
        let above = v.wrapping_sub(self.first).cast_unsigned();
        let d = above / self.step;
        (above % self.step == 0 && d <= self.last).then_some(d)
    }

    fn value(&self, v: i64) -> Value {
        match self.tag {
            Tag::Int => Value::Int(v),
            Tag::Date => {
                Value::Date(i32::try_from(v).expect("days of the years that limits allow fit 32 bits"))
            }
            Tag::Time => Value::Time(v),
            Tag::Timestamp => Value::Timestamp(v),
            Tag::TimestampTz => Value::TimestampTz(v),
            other => unreachable!("steps are of integers and times, not {other:?}"),
        }
    }
}

/// The first of `0..n` for which `before` is false, by bisection; `n` when it is true for all.
fn partition_point(n: u128, before: impl Fn(u64) -> bool) -> u128 {
    let (mut low, mut high) = (0_u128, n);
    while low < high {
        let middle = low + (high - low) / 2;
        if before(u64::try_from(middle).expect("a domain has at most 2^64 values")) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

/// Writes tag, length and what `write` appends.
#[inline]
fn run(tag: Tag, into: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    into.extend_from_slice(&[tag as u8, 0, 0, 0, 0]);
    let start = into.len();
    write(into);
    let length = u32::try_from(into.len() - start).expect("limits are below 4 GiB");
    into[start - 4..start].copy_from_slice(&length.to_le_bytes());
}

/// A UUID of version 4 whose first 60 free bits are the descriptor; the others are its hash.
#[inline]
fn uuid(d: u64) -> [u8; 16] {
    let high = (d >> 12 << 16) | 0x4000 | (d & 0xfff);
    let low = (mix(d ^ 0x3c6e_f372_fe94_f82b) >> 2) | (1 << 63);
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&high.to_be_bytes());
    bytes[8..].copy_from_slice(&low.to_be_bytes());
    bytes
}
