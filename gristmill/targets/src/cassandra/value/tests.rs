//! The binary format, both ways.

use super::{decode, encode, native, put_varint};
use crate::cell::Cell;
use crate::dialect::{Slot, Want};
use datagen::domain::{Domain, Limits};
use datagen::value::Type;
use proptest::prelude::*;
use scylla::cluster::metadata::{ColumnType, NativeType};

/// A type that is no scalar's: only that it is none is looked at.
fn server(ty: Type) -> ColumnType<'static> {
    match native(ty) {
        Some(native) => ColumnType::Native(native),
        None => ColumnType::Tuple(Vec::new()),
    }
}

fn types() -> Vec<Type> {
    let deep = [
        "map<inet,frozen<list<tuple<duration,varint>>>>",
        "vector<int64,2>",
        "list<date>",
    ];
    let deep = deep.into_iter().map(|name| name.parse().unwrap());
    Type::ALL
        .into_iter()
        .chain(Type::composites())
        .chain(deep)
        .collect()
}

proptest! {
    #[test]
    fn every_value_is_read_as_it_was_written(number in 0..types().len(), bits in any::<u64>(), special in any::<usize>()) {
        let ty = types()[number];
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
        decode(Some(&wire), &server(ty), Want::Value(ty), &mut again);
        prop_assert_eq!(canonical, again);
        // The tokens of keys, which are scalars, are taken of the same bytes.
        let value = domain.inflate(descriptor);
        if !matches!(value, datagen::value::Value::Composite(_)) {
            let mut hashed = Vec::new();
            datagen::ring::serialize(&value, ty, &mut hashed);
            prop_assert_eq!(hashed, wire);
        }
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
