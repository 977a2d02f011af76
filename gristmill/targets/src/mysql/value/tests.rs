//! Values to the driver's and back.

use super::{decode, encode};
use crate::cell::Cell;
use crate::dialect::{MARIADB, Want};
use datagen::domain::{Domain, Limits};
use datagen::value::Type;
use mysql_async::Value;
use proptest::prelude::*;

fn offered() -> Vec<Type> {
    let offered = |ty: &Type| (MARIADB.column_type)(*ty).is_some();
    Type::ALL.into_iter().filter(offered).collect()
}

proptest! {
    #[test]
    fn every_value_is_read_as_it_was_written(number in 0..offered().len(), bits in any::<u64>(), special in any::<usize>()) {
        let ty = offered()[number];
        let domain = Domain::new(ty, Limits::default()).unwrap();
        let specials = domain.specials();
        let descriptor = match special % 3 {
            0 if !specials.is_empty() => specials[special % specials.len()],
            _ => u64::try_from(u128::from(bits) % domain.size()).unwrap(),
        };
        let mut canonical = Vec::new();
        domain.inflate_into(descriptor, &mut canonical);
        let wire = encode(Cell::take(&mut canonical.as_slice()));
        let mut again = Vec::new();
        decode(Some(&wire), Want::Value(ty), &mut again);
        prop_assert_eq!(canonical, again);
    }
}

#[test]
fn what_is_not_what_was_wanted_is_nobodys_image() {
    let wrong = |value: Value, ty: Type| {
        let mut bytes = Vec::new();
        decode(Some(&value), Want::Value(ty), &mut bytes);
        matches!(Cell::take(&mut bytes.as_slice()), Cell::Bytes(_))
    };
    let scaled = Type::Numeric {
        precision: 9,
        scale: 3,
    };
    assert!(wrong(Value::Int(2), Type::Bool));
    assert!(wrong(Value::Bytes(b"1.50".to_vec()), scaled));
    assert!(wrong(Value::Date(2024, 2, 30, 0, 0, 0, 0), Type::Date));
    assert!(wrong(Value::Date(2024, 2, 29, 1, 0, 0, 0), Type::Date));
    assert!(wrong(Value::Time(true, 0, 1, 0, 0, 0), Type::Time));
    assert!(wrong(Value::Double(0.1), Type::Float32));
    assert!(wrong(Value::Bytes(vec![0xff]), Type::Text));
}
