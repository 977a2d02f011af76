//! Values to CQL's binary format and back: exact for every type, and without the driver's own types in between.
//!
//! Source of the layouts: native_protocol_v4.spec, section 6 ("Data Type Serialization Formats").

use crate::cell::{Cell, parts};
use crate::dialect::{Slot, Want};
use datagen::value::{Composite, Kind, Type};
use scylla::cluster::metadata::{ColumnType, NativeType};

/// What the server adds to a day so that it is not negative.
const DAY_OFFSET: i64 = 1 << 31;

/// Appends a value; `false` for NULL. Panics on a value outside the domain of its column.
pub(super) fn encode(cell: Cell<'_>, slot: Slot, out: &mut Vec<u8>) -> bool {
    match cell {
        Cell::Null => return false,
        Cell::Bool(v) => out.push(u8::from(v)),
        Cell::Int(v) => {
            let bytes = v.to_be_bytes();
            out.extend_from_slice(&bytes[8 - width(slot)..]);
        }
        Cell::Float32(v) => out.extend_from_slice(&v.to_be_bytes()),
        Cell::Float64(v) => out.extend_from_slice(&v.to_be_bytes()),
        Cell::Numeric(unscaled, _) if slot == Slot::Value(Type::Varint) => put_varint(unscaled, out),
        Cell::Numeric(unscaled, scale) => {
            out.extend_from_slice(&i32::from(scale).to_be_bytes());
            put_varint(unscaled, out);
        }
        Cell::Text(v) => out.extend_from_slice(v.as_bytes()),
        Cell::Bytes(v) => out.extend_from_slice(v),
        Cell::Composite(run) => put_parts(run, slot, out),
        Cell::Uuid(v) => out.extend_from_slice(&v),
        Cell::Date(v) => {
            let day = u32::try_from(i64::from(v) + DAY_OFFSET).expect("every day of ours has a number");
            out.extend_from_slice(&day.to_be_bytes());
        }
        Cell::Time(v) => out.extend_from_slice(&(v * 1000).to_be_bytes()),
        Cell::Timestamp(v) | Cell::TimestampTz(v) => {
            assert!(v % 1000 == 0, "the column's limits leave out microseconds");
            out.extend_from_slice(&(v / 1000).to_be_bytes());
        }
    }
    true
}

/// Lengths before the parts, and before them their number where it is not the type's; vectors have neither.
fn put_parts(run: &[u8], slot: Slot, out: &mut Vec<u8>) {
    let Slot::Value(Type::Composite(composite)) = slot else {
        panic!("a composite is the value of a column: {slot:?}");
    };
    let width = composite.parts.len();
    if matches!(composite.kind, Kind::List | Kind::Set | Kind::Map) {
        let count = parts(run).count() / width;
        out.extend_from_slice(&i32::try_from(count).expect("few elements").to_be_bytes());
    }
    for (i, part) in parts(run).enumerate() {
        let slot = Slot::Value(composite.parts[i % width]);
        if let Kind::Vector(_) = composite.kind {
            encode(part, slot, out);
            continue;
        }
        let start = out.len();
        out.extend_from_slice(&(-1_i32).to_be_bytes());
        if encode(part, slot, out) {
            let length = i32::try_from(out.len() - start - 4).expect("a part is below 2 GiB");
            out[start..start + 4].copy_from_slice(&length.to_be_bytes());
        }
    }
}

/// The inverse of [`put_parts`], in canonical bytes; `None` where the bytes are none of the type.
fn read_parts(mut bytes: &[u8], composite: &Composite, into: &mut Vec<u8>) -> Option<()> {
    let int = |bytes: &mut &[u8]| -> Option<i32> {
        let (first, rest) = bytes.split_first_chunk()?;
        *bytes = rest;
        Some(i32::from_be_bytes(*first))
    };
    let width = composite.parts.len();
    let count = match composite.kind {
        Kind::List | Kind::Set | Kind::Map => usize::try_from(int(&mut bytes)?).ok()?.checked_mul(width)?,
        Kind::Tuple | Kind::Udt => width,
        Kind::Vector(count) => usize::from(count),
    };
    let mut run = Vec::new();
    for i in 0..count {
        let ty = composite.parts[i % width];
        // Fields at the end may be left out: they were added later, or are NULL.
        let ended = bytes.is_empty() && matches!(composite.kind, Kind::Tuple | Kind::Udt);
        let length = match composite.kind {
            _ if ended => -1,
            Kind::Vector(_) => i32::try_from(bytes.len() / (count - i)).ok()?,
            _ => int(&mut bytes)?,
        };
        let Ok(length) = usize::try_from(length) else {
            Cell::Null.put(&mut run);
            continue;
        };
        let (part, rest) = bytes.split_at_checked(length)?;
        bytes = rest;
        match ty {
            Type::Composite(inner) => read_parts(part, inner, &mut run)?,
            scalar => read_native(part, &native(scalar)?, Want::Value(scalar))?.put(&mut run),
        }
    }
    Cell::Composite(&run).put(into);
    bytes.is_empty().then_some(())
}

/// The server's type of a scalar.
fn native(ty: Type) -> Option<NativeType> {
    Some(match ty {
        Type::Bool => NativeType::Boolean,
        Type::Int8 => NativeType::TinyInt,
        Type::Int16 => NativeType::SmallInt,
        Type::Int32 => NativeType::Int,
        Type::Int64 => NativeType::BigInt,
        Type::Float32 => NativeType::Float,
        Type::Float64 => NativeType::Double,
        Type::Numeric { .. } | Type::Decimal => NativeType::Decimal,
        Type::Text => NativeType::Text,
        Type::Ascii => NativeType::Ascii,
        Type::Bytes => NativeType::Blob,
        Type::Uuid => NativeType::Uuid,
        Type::Date => NativeType::Date,
        Type::Time => NativeType::Time,
        Type::Timestamp | Type::TimestampTz => NativeType::Timestamp,
        Type::Inet => NativeType::Inet,
        Type::Varint => NativeType::Varint,
        Type::Duration => NativeType::Duration,
        Type::TimeUuid => NativeType::Timeuuid,
        Type::Counter => NativeType::Counter,
        Type::Composite(_) => return None,
    })
}

/// How many bytes an integer has there.
fn width(slot: Slot) -> usize {
    match slot {
        Slot::Value(Type::Int8) => 1,
        Slot::Value(Type::Int16) => 2,
        Slot::Value(Type::Int32) | Slot::Count => 4,
        Slot::Value(_) | Slot::Stamp => 8,
    }
}

/// Appends a value of an answer, given the server's type of it, in canonical bytes. What cannot be read, or is of another
/// type than was wanted, is passed on as what it is: nobody's image, and the judge says so.
pub(super) fn decode(bytes: Option<&[u8]>, ty: &ColumnType<'_>, want: Want, into: &mut Vec<u8>) {
    let Some(bytes) = bytes else {
        return Cell::Null.put(into);
    };
    if let (Want::Value(Type::Composite(composite)), false) = (want, matches!(ty, ColumnType::Native(_))) {
        let start = into.len();
        if read_parts(bytes, composite, into).is_none() {
            into.truncate(start);
            Cell::Bytes(bytes).put(into);
        }
        return;
    }
    read(bytes, ty, want).unwrap_or(Cell::Bytes(bytes)).put(into);
}

fn read<'a>(bytes: &'a [u8], ty: &ColumnType<'_>, want: Want) -> Option<Cell<'a>> {
    let ColumnType::Native(native) = ty else {
        return None;
    };
    read_native(bytes, native, want)
}

fn read_native<'a>(bytes: &'a [u8], native: &NativeType, want: Want) -> Option<Cell<'a>> {
    let int = |v: i64| Some(Cell::Int(v));
    match native {
        NativeType::Boolean => Some(Cell::Bool(u8::from_be_bytes(bytes.try_into().ok()?) != 0)),
        NativeType::TinyInt => int(i8::from_be_bytes(bytes.try_into().ok()?).into()),
        NativeType::SmallInt => int(i16::from_be_bytes(bytes.try_into().ok()?).into()),
        NativeType::Int => int(i32::from_be_bytes(bytes.try_into().ok()?).into()),
        NativeType::BigInt | NativeType::Counter => int(i64::from_be_bytes(bytes.try_into().ok()?)),
        NativeType::Float => Some(Cell::Float32(f32::from_be_bytes(bytes.try_into().ok()?))),
        NativeType::Double => Some(Cell::Float64(f64::from_be_bytes(bytes.try_into().ok()?))),
        NativeType::Decimal => {
            let (scale, unscaled) = bytes.split_first_chunk()?;
            let scale = u8::try_from(i32::from_be_bytes(*scale))
                .ok()
                .filter(|s| *s <= 38)?;
            Some(Cell::Numeric(read_varint(unscaled)?, scale))
        }
        NativeType::Text | NativeType::Ascii => std::str::from_utf8(bytes).ok().map(Cell::Text),
        NativeType::Varint => Some(Cell::Numeric(read_varint(bytes)?, 0)),
        NativeType::Blob | NativeType::Inet | NativeType::Duration => Some(Cell::Bytes(bytes)),
        NativeType::Uuid | NativeType::Timeuuid => Some(Cell::Uuid(bytes.try_into().ok()?)),
        NativeType::Date => {
            let day = i64::from(u32::from_be_bytes(bytes.try_into().ok()?)) - DAY_OFFSET;
            Some(Cell::Date(i32::try_from(day).ok()?))
        }
        NativeType::Time => {
            let ns = i64::from_be_bytes(bytes.try_into().ok()?);
            (ns % 1000 == 0).then_some(Cell::Time(ns / 1000))
        }
        NativeType::Timestamp => {
            let us = i64::from_be_bytes(bytes.try_into().ok()?).checked_mul(1000)?;
            Some(match want {
                Want::Value(Type::TimestampTz) => Cell::TimestampTz(us),
                _ => Cell::Timestamp(us),
            })
        }
        _ => None,
    }
}

/// Two's complement, big-endian, as few bytes as keep the sign.
fn put_varint(v: i128, out: &mut Vec<u8>) {
    let bytes = v.to_be_bytes();
    let spare = |i: &usize| {
        let fill = if v < 0 { 0xff } else { 0 };
        bytes[*i] == fill && (bytes[*i + 1] ^ fill) & 0x80 == 0
    };
    let skip = (0..15).take_while(spare).count();
    out.extend_from_slice(&bytes[skip..]);
}

/// `None` for what 128 bits do not hold, and for nothing at all.
fn read_varint(bytes: &[u8]) -> Option<i128> {
    let fill = if bytes.first()? & 0x80 == 0 { 0 } else { 0xff };
    let mut all = [fill; 16];
    let from = 16_usize.checked_sub(bytes.len())?;
    all[from..].copy_from_slice(bytes);
    Some(i128::from_be_bytes(all))
}

#[cfg(test)]
mod tests;
