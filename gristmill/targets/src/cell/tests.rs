//! The layout is the one of `datagen::value`, both ways.

use super::Cell;
use datagen::value::Value;
use proptest::prelude::*;

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(2, 6, 3, |part| {
        prop::collection::vec(part, 0..3).prop_map(|parts| Value::Composite(parts.into()))
    })
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f32>().prop_map(Value::Float32),
        Just(Value::Float32(f32::NAN)),
        any::<f64>().prop_map(Value::Float64),
        Just(Value::Float64(-f64::NAN)),
        (any::<i128>(), 0..=38_u8).prop_map(|(n, s)| Value::Numeric(n, s)),
        ".{0,20}".prop_map(|t: String| Value::Text(t.into())),
        any::<Vec<u8>>().prop_map(|b| Value::Bytes(b.into())),
        any::<[u8; 16]>().prop_map(Value::Uuid),
        any::<i32>().prop_map(Value::Date),
        any::<i64>().prop_map(Value::Time),
        any::<i64>().prop_map(Value::Timestamp),
        any::<i64>().prop_map(Value::TimestampTz),
    ]
}

proptest! {
    #[test]
    fn a_cell_is_read_and_written_as_datagen_does(values in prop::collection::vec(value(), 0..8)) {
        let mut canonical = Vec::new();
        for v in &values {
            v.encode(&mut canonical);
        }
        let mut again = Vec::new();
        let mut rest = canonical.as_slice();
        while !rest.is_empty() {
            Cell::take(&mut rest).put(&mut again);
        }
        prop_assert_eq!(canonical, again);
    }
}
