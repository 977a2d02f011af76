//! Values to PostgreSQL's binary format and back: exact for every type, and without text in between.
//!
//! Source of the layouts: the `*_send` and `*_recv` functions of the server's types, as `postgres-types` documents them.

use crate::cell::Cell;
use crate::dialect::{Slot, Want};
use bytes::{BufMut, BytesMut};
use datagen::value::Type;

/// Days from 1970-01-01 to 2000-01-01, where PostgreSQL begins to count.
const EPOCH_DAYS: i32 = 10_957;
/// The same in microseconds.
const EPOCH_US: i64 = 946_684_800_000_000;

/// Object identifiers of built-in types.
pub(super) mod oid {
    pub(in super::super) const BOOL: u32 = 16;
    pub(in super::super) const BYTEA: u32 = 17;
    pub(in super::super) const INT8: u32 = 20;
    pub(in super::super) const INT2: u32 = 21;
    pub(in super::super) const INT4: u32 = 23;
    pub(in super::super) const TEXT: u32 = 25;
    pub(in super::super) const FLOAT4: u32 = 700;
    pub(in super::super) const FLOAT8: u32 = 701;
    pub(in super::super) const DATE: u32 = 1082;
    pub(in super::super) const TIME: u32 = 1083;
    pub(in super::super) const TIMESTAMP: u32 = 1114;
    pub(in super::super) const TIMESTAMPTZ: u32 = 1184;
    pub(in super::super) const NUMERIC: u32 = 1700;
    pub(in super::super) const UUID: u32 = 2950;
}

/// The server's type of a placeholder.
pub(super) fn slot_oid(slot: Slot) -> u32 {
    match slot {
        Slot::Count | Slot::Stamp => oid::INT8,
        Slot::Value(ty) => match ty {
            Type::Bool => oid::BOOL,
            Type::Int8 | Type::Int16 => oid::INT2,
            Type::Int32 => oid::INT4,
            Type::Int64 => oid::INT8,
            Type::Float32 => oid::FLOAT4,
            Type::Float64 => oid::FLOAT8,
            Type::Numeric { .. } => oid::NUMERIC,
            Type::Text | Type::Ascii => oid::TEXT,
            Type::Bytes => oid::BYTEA,
            Type::Uuid => oid::UUID,
            Type::Date => oid::DATE,
            Type::Time => oid::TIME,
            Type::Timestamp => oid::TIMESTAMP,
            Type::TimestampTz => oid::TIMESTAMPTZ,
            Type::Inet
            | Type::Varint
            | Type::Counter
            | Type::Decimal
            | Type::Duration
            | Type::TimeUuid
            | Type::Composite(_) => {
                unreachable!("{ty} is not offered")
            }
        },
    }
}

/// Appends a value in binary; `false` for NULL. Panics on a value outside the domain of its column.
pub(super) fn encode(cell: Cell<'_>, slot: Slot, out: &mut BytesMut) -> bool {
    match cell {
        Cell::Null => return false,
        Cell::Bool(v) => out.put_u8(u8::from(v)),
        Cell::Int(v) => match slot_oid(slot) {
            oid::INT2 => out.put_i16(i16::try_from(v).expect("in the column's domain")),
            oid::INT4 => out.put_i32(i32::try_from(v).expect("in the column's domain")),
            _ => out.put_i64(v),
        },
        Cell::Float32(v) => out.put_f32(v),
        Cell::Float64(v) => out.put_f64(v),
        Cell::Numeric(unscaled, scale) => encode_numeric(unscaled, scale, out),
        Cell::Text(v) => out.put_slice(v.as_bytes()),
        Cell::Bytes(v) => out.put_slice(v),
        Cell::Composite(_) => unreachable!("composites are not offered"),
        Cell::Uuid(v) => out.put_slice(&v),
        Cell::Date(v) => out.put_i32(v - EPOCH_DAYS),
        Cell::Time(v) => out.put_i64(v),
        Cell::Timestamp(v) | Cell::TimestampTz(v) => out.put_i64(v - EPOCH_US),
    }
    true
}

/// Appends a value of an answer, given the server's type of it, in canonical bytes. What cannot be read, or is of
/// another type than was wanted, is passed on as what it is: nobody's image, and the judge says so.
pub(super) fn decode(bytes: Option<&[u8]>, ty: u32, want: Want, into: &mut Vec<u8>) {
    let Some(bytes) = bytes else {
        return Cell::Null.put(into);
    };
    read(bytes, ty, want).unwrap_or(Cell::Bytes(bytes)).put(into);
}

fn read(bytes: &[u8], ty: u32, want: Want) -> Option<Cell<'_>> {
    Some(match ty {
        oid::BOOL => Cell::Bool(u8::from_be_bytes(bytes.try_into().ok()?) != 0),
        oid::INT2 => Cell::Int(i64::from(i16::from_be_bytes(bytes.try_into().ok()?))),
        oid::INT4 => Cell::Int(i64::from(i32::from_be_bytes(bytes.try_into().ok()?))),
        oid::INT8 => Cell::Int(i64::from_be_bytes(bytes.try_into().ok()?)),
        oid::FLOAT4 => Cell::Float32(f32::from_be_bytes(bytes.try_into().ok()?)),
        oid::FLOAT8 => Cell::Float64(f64::from_be_bytes(bytes.try_into().ok()?)),
        oid::NUMERIC => match (read_numeric(bytes)?, want) {
            ((v, 0), Want::Sum(Type::Int8 | Type::Int16 | Type::Int32 | Type::Int64)) => {
                Cell::Int(i64::try_from(v).ok()?)
            }
            ((v, scale), _) => Cell::Numeric(v, scale),
        },
        oid::TEXT => Cell::Text(std::str::from_utf8(bytes).ok()?),
        oid::BYTEA => Cell::Bytes(bytes),
        oid::UUID => Cell::Uuid(bytes.try_into().ok()?),
        oid::DATE => Cell::Date(i32::from_be_bytes(bytes.try_into().ok()?).checked_add(EPOCH_DAYS)?),
        oid::TIME => Cell::Time(i64::from_be_bytes(bytes.try_into().ok()?)),
        oid::TIMESTAMP => Cell::Timestamp(i64::from_be_bytes(bytes.try_into().ok()?).checked_add(EPOCH_US)?),
        oid::TIMESTAMPTZ => {
            Cell::TimestampTz(i64::from_be_bytes(bytes.try_into().ok()?).checked_add(EPOCH_US)?)
        }
        _ => return None,
    })
}

const NEGATIVE: u16 = 0x4000;

/// Count, weight of the first, sign, scale, then digits to the base 10,000; no zeros at either end.
fn encode_numeric(unscaled: i128, scale: u8, out: &mut BytesMut) {
    let scale = usize::from(scale);
    // Decimal digits with the point at a multiple of four from both ends.
    let digits = format!("{:0width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, rest) = digits.split_at(digits.len() - scale);
    let lead = (4 - whole.len() % 4) % 4;
    let tail = (4 - rest.len() % 4) % 4;
    let all = (0..lead)
        .map(|_| b'0')
        .chain(whole.bytes())
        .chain(rest.bytes())
        .chain((0..tail).map(|_| b'0'));
    let mut groups: Vec<u16> = Vec::with_capacity(12);
    let mut group = 0;
    for (i, digit) in all.enumerate() {
        group = group * 10 + u16::from(digit - b'0');
        if i % 4 == 3 {
            groups.push(group);
            group = 0;
        }
    }
    let whole_groups = (whole.len() + lead) / 4;
    let first = groups.iter().position(|g| *g != 0).unwrap_or(groups.len());
    let last = groups.iter().rposition(|g| *g != 0).map_or(first, |i| i + 1);
    let weight = if first == last {
        0
    } else {
        i16_of(whole_groups) - 1 - i16_of(first)
    };
    out.put_i16(i16_of(last - first));
    out.put_i16(weight);
    out.put_u16(if unscaled < 0 { NEGATIVE } else { 0 });
    out.put_i16(i16_of(scale));
    for group in &groups[first..last] {
        out.put_u16(*group);
    }
}

fn i16_of(n: usize) -> i16 {
    i16::try_from(n).expect("a numeric has few digits")
}

/// The unscaled value and the scale; `None` for NaN, infinities and what 128 bits do not hold.
fn read_numeric(bytes: &[u8]) -> Option<(i128, u8)> {
    let field = |i: usize| Some(u16::from_be_bytes(bytes.get(i * 2..i * 2 + 2)?.try_into().ok()?));
    let (count, weight, sign, scale) = (field(0)?, field(1)?.cast_signed(), field(2)?, field(3)?);
    if sign != 0 && sign != NEGATIVE {
        return None;
    }
    let scale = u8::try_from(scale).ok().filter(|s| *s <= 38)?;
    let mut value: i128 = 0;
    for i in 0..count {
        let digit = i128::from(field(4 + usize::from(i))?);
        let exponent = 4 * (i32::from(weight) - i32::from(i)) + i32::from(scale);
        let term = match u32::try_from(exponent) {
            Ok(e) => digit.checked_mul(10_i128.checked_pow(e)?)?,
            Err(_) => {
                let divisor = 10_i128.checked_pow(exponent.unsigned_abs())?;
                (digit % divisor == 0).then_some(digit / divisor)?
            }
        };
        value = value.checked_add(term)?;
    }
    Some((if sign == NEGATIVE { -value } else { value }, scale))
}

#[cfg(test)]
mod tests;
