//! The binary format, both ways.

use super::{decode, encode, encode_numeric, slot_oid};
use crate::cell::Cell;
use crate::dialect::{POSTGRES, Slot, Want};
use bytes::BytesMut;
use datagen::domain::{Domain, Limits};
use datagen::value::Type;
use proptest::prelude::*;

fn offered() -> Vec<Type> {
    let offered = |ty: &Type| (POSTGRES.column_type)(*ty).is_some();
    Type::ALL.into_iter().filter(offered).collect()
}

proptest! {
    #[test]
    fn every_value_is_read_as_it_was_written(number in 0..offered().len(), bits in any::<u64>(), special in any::<usize>()) {
        let ty = offered()[number];
        let domain = Domain::new(ty, Limits { nul_bytes: false, ..Limits::default() }).unwrap();
        let specials = domain.specials();
        let descriptor = match special % 3 {
            0 if !specials.is_empty() => specials[special % specials.len()],
            _ => u64::try_from(u128::from(bits) % domain.size()).unwrap(),
        };
        let mut canonical = Vec::new();
        domain.inflate_into(descriptor, &mut canonical);
        let mut wire = BytesMut::new();
        let slot = Slot::Value(ty);
        prop_assert!(encode(Cell::take(&mut canonical.as_slice()), slot, &mut wire));
        let mut again = Vec::new();
        decode(Some(&wire), slot_oid(slot), Want::Value(ty), &mut again);
        prop_assert_eq!(canonical, again);
    }
}

#[test]
fn a_numeric_is_groups_of_four_digits_around_the_point() {
    let check = |unscaled: i128, scale: u8, expected: &[i16]| {
        let mut wire = BytesMut::new();
        encode_numeric(unscaled, scale, &mut wire);
        let fields: Vec<i16> = wire.chunks(2).map(|c| i16::from_be_bytes([c[0], c[1]])).collect();
        assert_eq!(fields, expected, "{unscaled} at scale {scale}");
    };
    check(0, 3, &[0, 0, 0, 3]);
    check(12_345_678, 0, &[2, 1, 0, 0, 1234, 5678]);
    check(-15, 1, &[2, 0, 0x4000, 1, 1, 5000]);
    check(1, 6, &[1, -2, 0, 6, 100]);
    check(100_000_000, 0, &[1, 2, 0, 0, 1]);
}
