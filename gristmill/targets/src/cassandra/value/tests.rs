//! The binary format, both ways.

use super::{decode, encode, put_varint};
use crate::cell::Cell;
use crate::dialect::{Slot, Want};
use datagen::domain::{Domain, Limits};
use datagen::value::Type;
use proptest::prelude::*;
use scylla::cluster::metadata::{ColumnType, NativeType};

fn native(ty: Type) -> NativeType {
    match ty {
        Type::Bool => NativeType::Boolean,
        Type::Int8 => NativeType::TinyInt,
        Type::Int16 => NativeType::SmallInt,
        Type::Int32 => NativeType::Int,
        Type::Int64 => NativeType::BigInt,
        Type::Float32 => NativeType::Float,
        Type::Float64 => NativeType::Double,
        Type::Numeric { .. } => NativeType::Decimal,
        Type::Text => NativeType::Text,
        Type::Ascii => NativeType::Ascii,
        Type::Bytes => NativeType::Blob,
        Type::Uuid => NativeType::Uuid,
        Type::Date => NativeType::Date,
        Type::Time => NativeType::Time,
        Type::Timestamp | Type::TimestampTz => NativeType::Timestamp,
        Type::Inet => NativeType::Inet,
        Type::Varint => NativeType::Varint,
        Type::Decimal => NativeType::Decimal,
        Type::Duration => NativeType::Duration,
        Type::TimeUuid => NativeType::Timeuuid,
    }
}

proptest! {
    #[test]
    fn every_value_is_read_as_it_was_written(number in 0..Type::ALL.len(), bits in any::<u64>(), special in any::<usize>()) {
        let ty = Type::ALL[number];
        let limits = Limits { subsecond_digits: if ty == Type::Time { 6 } else { 3 }, ..Limits::default() };
        let domain = Domain::new(ty, limits).unwrap();
        let specials = domain.specials();
        let descriptor = match special % 3 {
            0 if !specials.is_empty() => specials[special % specials.len()],
            _ => u64::try_from(u128::from(bits) % domain.size()).unwrap(),
        };
        let mut canonical = Vec::new();
        domain.inflate_into(descriptor, &mut canonical);
        let mut wire = Vec::new();
        prop_assert!(encode(Cell::take(&mut canonical.as_slice()), Slot::Value(ty), &mut wire));
        let mut again = Vec::new();
        decode(Some(&wire), &ColumnType::Native(native(ty)), Want::Value(ty), &mut again);
        prop_assert_eq!(canonical, again);
    }
}

#[test]
fn a_varint_is_as_short_as_its_sign_allows() {
    let check = |v: i128, expected: &[u8]| {
        let mut wire = Vec::new();
        put_varint(v, &mut wire);
        assert_eq!(wire, expected, "{v}");
    };
    check(0, &[0]);
    check(1, &[1]);
    check(127, &[0x7f]);
    check(128, &[0, 0x80]);
    check(-1, &[0xff]);
    check(-128, &[0x80]);
    check(-129, &[0xff, 0x7f]);
    check(i128::MAX, &i128::MAX.to_be_bytes());
}

#[test]
fn a_value_of_another_type_is_nobodys_image() {
    let mut out = Vec::new();
    decode(
        Some(&[1, 2]),
        &ColumnType::Native(NativeType::Int),
        Want::Value(Type::Int32),
        &mut out,
    );
    assert_eq!(Cell::take(&mut out.as_slice()), Cell::Bytes(&[1, 2]));
}
