use proptest::prelude::*;

use super::*;
use crate::calendar::DAY_US;

fn values() -> impl Strategy<Value = Value> {
    scalars().prop_recursive(2, 8, 4, |part| {
        prop::collection::vec(part, 0..4).prop_map(|parts| Value::Composite(parts.into()))
    })
}

fn scalars() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<u32>().prop_map(|bits| Value::Float32(f32::from_bits(bits))),
        any::<u64>().prop_map(|bits| Value::Float64(f64::from_bits(bits))),
        (any::<i128>(), 0_u8..=38).prop_map(|(unscaled, scale)| Value::Numeric(unscaled, scale)),
        any::<String>().prop_map(|text| Value::Text(text.into())),
        any::<Vec<u8>>().prop_map(|bytes| Value::Bytes(bytes.into())),
        any::<[u8; 16]>().prop_map(Value::Uuid),
        any::<i32>().prop_map(Value::Date),
        any::<i64>().prop_map(Value::Time),
        any::<i64>().prop_map(Value::Timestamp),
        any::<i64>().prop_map(Value::TimestampTz),
    ]
}

fn encoded(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.encode(&mut bytes);
    bytes
}

proptest! {
    #[test]
    fn encode_and_decode_are_inverses(first in values(), second in values()) {
        let mut bytes = encoded(&first);
        second.encode(&mut bytes);
        let mut rest = &bytes[..];
        prop_assert_eq!(Value::decode(&mut rest), Ok(first));
        prop_assert_eq!(Value::decode(&mut rest), Ok(second));
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn equal_bytes_mean_identical_values(a in values(), b in values()) {
        prop_assert_eq!(encoded(&a) == encoded(&b), a == b);
    }

    #[test]
    fn what_decodes_is_what_encode_writes(bytes: Vec<u8>, tag in 0_u8..14) {
        let bytes = [&[tag], &bytes[..]].concat();
        let mut rest = &bytes[..];
        if let Ok(value) = Value::decode(&mut rest) {
            prop_assert_eq!(encoded(&value), &bytes[..bytes.len() - rest.len()]);
        }
    }

    #[test]
    fn the_order_is_total(a in values(), b in values(), c in values()) {
        for nulls in [Nulls::First, Nulls::Last] {
            prop_assert_eq!(a.compare(&b, nulls), b.compare(&a, nulls).reverse());
            prop_assert_eq!(a.compare(&a, nulls), Ordering::Equal);
            if a.compare(&b, nulls).is_le() && b.compare(&c, nulls).is_le() {
                prop_assert!(a.compare(&c, nulls).is_le());
            }
        }
    }

    #[test]
    fn numerics_compare_by_value_at_any_scale(a: i32, b: i32, s in 0_u8..=10, t in 0_u8..=10) {
        let exact = (i128::from(a) * ten_to(10 - s)).cmp(&(i128::from(b) * ten_to(10 - t)));
        let (a, b) = (Value::Numeric(a.into(), s), Value::Numeric(b.into(), t));
        prop_assert_eq!(a.compare(&b, Nulls::First), exact);
    }
}

#[test]
fn nan_is_greatest_and_minus_zero_equals_zero() {
    let floats = [
        f64::NEG_INFINITY,
        f64::MIN,
        -1.0,
        -5e-324,
        -0.0,
        5e-324,
        1.0,
        f64::MAX,
        f64::INFINITY,
        f64::NAN,
    ];
    for pair in floats.windows(2) {
        let (a, b) = (Value::Float64(pair[0]), Value::Float64(pair[1]));
        assert_eq!(a.compare(&b, Nulls::First), Ordering::Less, "{a} < {b}");
    }
    let (zero, minus_zero) = (Value::Float64(0.0), Value::Float64(-0.0));
    assert_eq!(zero.compare(&minus_zero, Nulls::First), Ordering::Equal);
    assert_ne!(zero, minus_zero);
    let other_nan = Value::Float64(f64::from_bits(0xfff8_0000_0000_0001));
    assert_eq!(other_nan, Value::Float64(f64::NAN));
    assert_eq!(encoded(&other_nan), encoded(&Value::Float64(f64::NAN)));
}

#[test]
fn null_stands_where_the_caller_says() {
    let one = Value::Int(1);
    assert_eq!(Value::Null.compare(&one, Nulls::First), Ordering::Less);
    assert_eq!(Value::Null.compare(&one, Nulls::Last), Ordering::Greater);
    assert_eq!(one.compare(&Value::Null, Nulls::Last), Ordering::Less);
}

#[test]
fn every_type_reads_back_its_own_name() {
    for ty in Type::ALL.into_iter().chain(Type::composites()) {
        assert_eq!(ty.to_string().parse(), Ok(ty));
    }
    for (given, ours) in [
        ("map<text, frozen<set<int32>>>", "map<text,frozen<set<int32>>>"),
        ("frozen<tuple<int32, numeric(5,2)>>", "tuple<int32,numeric(5,2)>"),
        ("vector<float32, 3>", "vector<float32,3>"),
    ] {
        assert_eq!(
            given.parse::<Type>().map(|ty| ty.to_string()),
            Ok(ours.to_owned())
        );
    }
    for wrong in [
        "int",
        "numeric",
        "numeric(39,0)",
        "numeric(5,6)",
        "numeric(0,0)",
        "numeric(3)",
        "",
        "list<>",
        "list<int32",
        "list<list<int32>>",
        "frozen<int32>",
        "set<duration>",
        "set<tuple<int32>>",
        "map<int32>",
        "vector<text,2>",
        "vector<int32,0>",
        "udt<int32>",
        "udt<a:int32,a:text>",
    ] {
        assert_eq!(wrong.parse::<Type>(), Err(UnknownType(wrong.to_owned())));
    }
}

#[test]
fn values_are_shown_the_way_people_write_them() {
    let shown: Vec<String> = [
        Value::Null,
        Value::Bool(true),
        Value::Int(-7),
        Value::Float64(-0.0),
        Value::Numeric(-5, 2),
        Value::Numeric(12_345, 0),
        Value::Text("it's".into()),
        Value::Bytes([0, 255].into()),
        Value::Uuid([0x11; 16]),
        Value::Date(11_016),
        Value::Time(DAY_US - 500_000),
        Value::Timestamp(-1),
        Value::TimestampTz(0),
    ]
    .iter()
    .map(ToString::to_string)
    .collect();
    expect_test::expect![[r#"
        NULL
        true
        -7
        -0.0
        -0.05
        12345
        'it''s'
        x'00ff'
        11111111-1111-1111-1111-111111111111
        2000-02-29
        23:59:59.5
        1969-12-31 23:59:59.999999
        1970-01-01 00:00:00Z"#]]
    .assert_eq(&shown.join("\n"));
}
