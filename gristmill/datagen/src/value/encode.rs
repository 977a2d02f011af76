//! The canonical bytes of a value: a tag, then a payload whose length the tag or a count gives.
//!
//! ```text
//! null 0 | bool 1 b | int 2 i64 | float32 3 u32 | float64 4 u64 | numeric 5 scale i128
//! text 6 u32 bytes | bytes 7 u32 bytes | uuid 8 [16] | date 9 i32 | time 10 i64
//! timestamp 11 i64 | timestamptz 12 i64 | composite 13 u32 encodings of its parts, so many bytes together
//!                                                       numbers are little-endian
//! ```
//!
//! Every NaN is written as the one quiet NaN, so that equal bytes mean identical values. The bytes
//! are for equality, not for order.

use super::Value;

/// First byte of an encoding; also the order of values of different types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Tag {
    Null,
    Bool,
    Int,
    Float32,
    Float64,
    Numeric,
    Text,
    Bytes,
    Uuid,
    Date,
    Time,
    Timestamp,
    TimestampTz,
    Composite,
}

/// Why bytes are no encoding of a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end inside a value.
    #[error("the value ends {missing} bytes too early")]
    Short {
        /// How many bytes are missing at least.
        missing: usize,
    },
    /// No type has this tag.
    #[error("no value starts with tag {0}")]
    Tag(u8),
    /// A text that is not UTF-8.
    #[error("a text is not UTF-8")]
    Utf8,
    /// A bool that is neither 0 nor 1, a NaN that is not the canonical one, a scale above 38.
    #[error("a {0} that encoding never writes")]
    NotCanonical(&'static str),
}

impl Value {
    pub(crate) const fn tag(&self) -> Tag {
        match self {
            Value::Null => Tag::Null,
            Value::Bool(_) => Tag::Bool,
            Value::Int(_) => Tag::Int,
            Value::Float32(_) => Tag::Float32,
            Value::Float64(_) => Tag::Float64,
            Value::Numeric(..) => Tag::Numeric,
            Value::Text(_) => Tag::Text,
            Value::Bytes(_) => Tag::Bytes,
            Value::Uuid(_) => Tag::Uuid,
            Value::Date(_) => Tag::Date,
            Value::Time(_) => Tag::Time,
            Value::Timestamp(_) => Tag::Timestamp,
            Value::TimestampTz(_) => Tag::TimestampTz,
            Value::Composite(_) => Tag::Composite,
        }
    }

    /// Appends the canonical bytes. Inverse: [`Value::decode`].
    ///
    /// # Panics
    /// When a text has 4 GiB or more.
    pub fn encode(&self, into: &mut Vec<u8>) {
        match self {
            Value::Null => into.push(Tag::Null as u8),
            Value::Bool(v) => into.extend_from_slice(&[Tag::Bool as u8, u8::from(*v)]),
            Value::Int(v) => encode_i64(Tag::Int, *v, into),
            Value::Float32(v) => encode_f32(*v, into),
            Value::Float64(v) => encode_f64(*v, into),
            Value::Numeric(unscaled, scale) => encode_numeric(*unscaled, *scale, into),
            Value::Text(v) => encode_run(Tag::Text, v.as_bytes(), into),
            Value::Bytes(v) => encode_run(Tag::Bytes, v, into),
            Value::Uuid(v) => encode_uuid(*v, into),
            Value::Date(v) => encode_date(*v, into),
            Value::Time(v) => encode_i64(Tag::Time, *v, into),
            Value::Timestamp(v) => encode_i64(Tag::Timestamp, *v, into),
            Value::TimestampTz(v) => encode_i64(Tag::TimestampTz, *v, into),
            Value::Composite(parts) => {
                into.extend_from_slice(&[Tag::Composite as u8, 0, 0, 0, 0]);
                let start = into.len();
                parts.iter().for_each(|part| part.encode(into));
                let length = u32::try_from(into.len() - start).expect("a value is smaller than 4 GiB");
                into[start - 4..start].copy_from_slice(&length.to_le_bytes());
            }
        }
    }

    /// Takes one value off the front of `from`, the inverse of [`Value::encode`].
    ///
    /// # Errors
    /// When the bytes are none that `encode` writes; `from` then stands where reading stopped.
    pub fn decode(from: &mut &[u8]) -> Result<Value, DecodeError> {
        let [tag] = take(from)?;
        Ok(match tag {
            0 => Value::Null,
            1 => match take(from)? {
                [0] => Value::Bool(false),
                [1] => Value::Bool(true),
                _ => return Err(DecodeError::NotCanonical("bool")),
            },
            2 => Value::Int(i64::from_le_bytes(take(from)?)),
            3 => {
                let v = f32::from_le_bytes(take(from)?);
                if v.is_nan() && v.to_bits() != f32::NAN.to_bits() {
                    return Err(DecodeError::NotCanonical("NaN"));
                }
                Value::Float32(v)
            }
            4 => {
                let v = f64::from_le_bytes(take(from)?);
                if v.is_nan() && v.to_bits() != f64::NAN.to_bits() {
                    return Err(DecodeError::NotCanonical("NaN"));
                }
                Value::Float64(v)
            }
            5 => {
                let [scale] = take(from)?;
                if scale > 38 {
                    return Err(DecodeError::NotCanonical("scale"));
                }
                Value::Numeric(i128::from_le_bytes(take(from)?), scale)
            }
            6 => {
                let text = std::str::from_utf8(take_run(from)?).map_err(|_| DecodeError::Utf8)?;
                Value::Text(text.into())
            }
            7 => Value::Bytes(take_run(from)?.into()),
            8 => Value::Uuid(take(from)?),
            9 => Value::Date(i32::from_le_bytes(take(from)?)),
            10 => Value::Time(i64::from_le_bytes(take(from)?)),
            11 => Value::Timestamp(i64::from_le_bytes(take(from)?)),
            12 => Value::TimestampTz(i64::from_le_bytes(take(from)?)),
            13 => {
                let mut run = take_run(from)?;
                let mut parts = Vec::new();
                while !run.is_empty() {
                    parts.push(Value::decode(&mut run)?);
                }
                Value::Composite(parts.into())
            }
            other => return Err(DecodeError::Tag(other)),
        })
    }
}

#[inline]
pub(crate) fn encode_i64(tag: Tag, v: i64, into: &mut Vec<u8>) {
    let mut bytes = [tag as u8; 9];
    bytes[1..].copy_from_slice(&v.to_le_bytes());
    into.extend_from_slice(&bytes);
}

#[inline]
pub(crate) fn encode_date(v: i32, into: &mut Vec<u8>) {
    let mut bytes = [Tag::Date as u8; 5];
    bytes[1..].copy_from_slice(&v.to_le_bytes());
    into.extend_from_slice(&bytes);
}

#[inline]
pub(crate) fn encode_f32(v: f32, into: &mut Vec<u8>) {
    let v = if v.is_nan() { f32::NAN } else { v };
    let mut bytes = [Tag::Float32 as u8; 5];
    bytes[1..].copy_from_slice(&v.to_le_bytes());
    into.extend_from_slice(&bytes);
}

#[inline]
pub(crate) fn encode_f64(v: f64, into: &mut Vec<u8>) {
    let v = if v.is_nan() { f64::NAN } else { v };
    let mut bytes = [Tag::Float64 as u8; 9];
    bytes[1..].copy_from_slice(&v.to_le_bytes());
    into.extend_from_slice(&bytes);
}

#[inline]
pub(crate) fn encode_numeric(unscaled: i128, scale: u8, into: &mut Vec<u8>) {
    let mut bytes = [Tag::Numeric as u8; 18];
    bytes[1] = scale;
    bytes[2..].copy_from_slice(&unscaled.to_le_bytes());
    into.extend_from_slice(&bytes);
}

#[inline]
pub(crate) fn encode_uuid(v: [u8; 16], into: &mut Vec<u8>) {
    into.push(Tag::Uuid as u8);
    into.extend_from_slice(&v);
}

#[inline]
pub(crate) fn encode_run(tag: Tag, run: &[u8], into: &mut Vec<u8>) {
    let length = u32::try_from(run.len()).expect("a value is smaller than 4 GiB");
    let mut head = [tag as u8; 5];
    head[1..].copy_from_slice(&length.to_le_bytes());
    into.extend_from_slice(&head);
    into.extend_from_slice(run);
}

fn take<const N: usize>(from: &mut &[u8]) -> Result<[u8; N], DecodeError> {
    let Some((head, rest)) = from.split_first_chunk() else {
        return Err(DecodeError::Short {
            missing: N - from.len(),
        });
    };
    *from = rest;
    Ok(*head)
}

fn take_run<'a>(from: &mut &'a [u8]) -> Result<&'a [u8], DecodeError> {
    let length = u32::from_le_bytes(take(from)?) as usize;
    let Some((run, rest)) = from.split_at_checked(length) else {
        return Err(DecodeError::Short {
            missing: length - from.len(),
        });
    };
    *from = rest;
    Ok(run)
}
