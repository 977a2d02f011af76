//! Where a partition lies on the ring of a database that spreads partitions by the hash of their key.
//!
//! The token is that of Cassandra's `Murmur3Partitioner`: the first half of MurmurHash3 x64/128 with seed 0 over the
//! serialized key, where bytes of the tail are taken with their sign (the original takes them without), and the least
//! number stands for nothing. Sources: A. Appleby, *MurmurHash3*; CASSANDRA-3772; native_protocol_v4.spec, section 6.
//!
//! Invariants:
//! * two keys of one serialization have one token; nothing else is asked of the order of tokens than that the server has it, too.

use crate::schema::Table;
use crate::value::{Kind, Type, Value};

const C1: u64 = 0x87c3_7b91_1142_53d5;
const C2: u64 = 0x4cf5_ad43_2745_937f;

/// The token of a partition, by its position. Panics where a column of the key is NULL, or of a type that makes no key.
#[must_use]
pub fn token(table: &Table, position: u64) -> i64 {
    let values = table.partitions().inflate(position);
    let types = table.definition().partition.iter().map(|key| key.column.ty);
    let key: Vec<(Value, Type)> = values.into_iter().zip(types).collect();
    token_of(&key)
}

/// The partitions of a narrow table between two of them: above the token of `after`, at most at that of `upto`, in the order of
/// their tokens; equal tokens by position. `partitions`: how many the table has.
#[must_use]
pub fn between(table: &Table, partitions: u64, after: Option<u64>, upto: Option<u64>) -> Vec<u64> {
    let bound = |at: Option<u64>| at.map(|at| token(table, at));
    let (above, most) = (bound(after), bound(upto));
    let mut inside: Vec<(i64, u64)> = (0..partitions)
        .map(|at| (token(table, at), at))
        .filter(|(token, _)| above.is_none_or(|a| *token > a) && most.is_none_or(|m| *token <= m))
        .collect();
    inside.sort_unstable();
    inside.into_iter().map(|(_, at)| at).collect()
}

/// The token of a key.
fn token_of(key: &[(Value, Type)]) -> i64 {
    let mut bytes = Vec::new();
    match key {
        [(value, ty)] => serialize(value, *ty, &mut bytes),
        several => {
            for (value, ty) in several {
                let from = bytes.len();
                bytes.extend_from_slice(&[0; 2]);
                serialize(value, *ty, &mut bytes);
                let length = u16::try_from(bytes.len() - from - 2).expect("a key has fewer than 2^16 bytes");
                bytes[from..from + 2].copy_from_slice(&length.to_be_bytes());
                bytes.push(0);
            }
        }
    }
    murmur(&bytes)
}

/// Appends a value as CQL's binary protocol has it. Panics on NULL and on what is no scalar of the type.
pub fn serialize(value: &Value, ty: Type, out: &mut Vec<u8>) {
    match value {
        Value::Bool(v) => out.push(u8::from(*v)),
        Value::Int(v) => {
            let width = match ty {
                Type::Int8 => 1,
                Type::Int16 => 2,
                Type::Int32 => 4,
                _ => 8,
            };
            out.extend_from_slice(&v.to_be_bytes()[8 - width..]);
        }
        Value::Float32(v) => out.extend_from_slice(&v.to_be_bytes()),
        Value::Float64(v) => out.extend_from_slice(&v.to_be_bytes()),
        Value::Numeric(unscaled, _) if ty == Type::Varint => varint(*unscaled, out),
        Value::Numeric(unscaled, scale) => {
            out.extend_from_slice(&i32::from(*scale).to_be_bytes());
            varint(*unscaled, out);
        }
        Value::Text(v) => out.extend_from_slice(v.as_bytes()),
        Value::Bytes(v) => out.extend_from_slice(v),
        Value::Uuid(v) => out.extend_from_slice(v),
        Value::Date(days) => {
            // Days are counted from 2^31 before 1970.
            out.extend_from_slice(&days.cast_unsigned().wrapping_add(1 << 31).to_be_bytes());
        }
        Value::Composite(parts) => composite(parts, ty, out),
        Value::Time(us) => out.extend_from_slice(&(us * 1000).to_be_bytes()),
        Value::Timestamp(us) | Value::TimestampTz(us) => {
            out.extend_from_slice(&us.div_euclid(1000).to_be_bytes());
        }
        other => panic!("{other} in the key of a partition"),
    }
}

/// The number of elements, where it is not the type's; then each part with its length before it, -1 where it is NULL. Vectors
/// have neither.
fn composite(parts: &[Value], ty: Type, out: &mut Vec<u8>) {
    let Type::Composite(composite) = ty else {
        panic!("a composite in a column of {ty}");
    };
    let width = composite.parts.len();
    let be = |n: usize| i32::try_from(n).expect("parts are short and few").to_be_bytes();
    if matches!(composite.kind, Kind::List | Kind::Set | Kind::Map) {
        out.extend_from_slice(&be(parts.len() / width));
    }
    for (i, part) in parts.iter().enumerate() {
        let ty = composite.parts[i % width];
        if let Kind::Vector(_) = composite.kind {
            serialize(part, ty, out);
            continue;
        }
        let start = out.len();
        out.extend_from_slice(&(-1_i32).to_be_bytes());
        if !part.is_null() {
            serialize(part, ty, out);
            let length = be(out.len() - start - 4);
            out[start..start + 4].copy_from_slice(&length);
        }
    }
}

/// Two's complement, big-endian, as few bytes as keep the sign.
fn varint(v: i128, out: &mut Vec<u8>) {
    let bytes = v.to_be_bytes();
    let fill = if v < 0 { 0xff } else { 0 };
    let spare = bytes
        .windows(2)
        .take_while(|two| two[0] == fill && (two[1] ^ fill) & 0x80 == 0)
        .count();
    out.extend_from_slice(&bytes[spare..]);
}

fn murmur(key: &[u8]) -> i64 {
    let (mut h1, mut h2) = (0u64, 0u64);
    let mut blocks = key.chunks_exact(16);
    for block in &mut blocks {
        let half = |at: usize| {
            let bytes: [u8; 8] = block[at..at + 8].try_into().expect("eight of sixteen bytes");
            u64::from_le_bytes(bytes)
        };
        h1 ^= first(half(0));
        h1 = h1
            .rotate_left(27)
            .wrapping_add(h2)
            .wrapping_mul(5)
            .wrapping_add(0x52dc_e729);
        h2 ^= second(half(8));
        h2 = h2
            .rotate_left(31)
            .wrapping_add(h1)
            .wrapping_mul(5)
            .wrapping_add(0x3849_5ab5);
    }
    let tail = blocks.remainder();
    let part = |bytes: &[u8]| {
        let signed = |byte: u8| i64::from(byte.cast_signed()).cast_unsigned();
        let shifted = bytes.iter().zip(0u32..).map(|(byte, i)| signed(*byte) << (8 * i));
        shifted.fold(0, |a, b| a ^ b)
    };
    if tail.len() > 8 {
        h2 ^= second(part(&tail[8..]));
    }
    if !tail.is_empty() {
        h1 ^= first(part(&tail[..tail.len().min(8)]));
    }
    let length = key.len() as u64;
    (h1, h2) = (h1 ^ length, h2 ^ length);
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    let token = avalanche(h1).wrapping_add(avalanche(h2)).cast_signed();
    if token == i64::MIN { i64::MAX } else { token }
}

fn first(k: u64) -> u64 {
    k.wrapping_mul(C1).rotate_left(31).wrapping_mul(C2)
}

fn second(k: u64) -> u64 {
    k.wrapping_mul(C2).rotate_left(33).wrapping_mul(C1)
}

fn avalanche(mut k: u64) -> u64 {
    k ^= k >> 33;
    k = k.wrapping_mul(0xff51_afd7_ed55_8ccd);
    k ^= k >> 33;
    k = k.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    k ^ (k >> 33)
}

#[cfg(test)]
mod tests;
