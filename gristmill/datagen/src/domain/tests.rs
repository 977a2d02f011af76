use proptest::prelude::*;

use super::*;

fn domain(ty: Type) -> Domain {
    Domain::new(ty, Limits::default()).unwrap()
}

fn identity(ty: Type) -> Domain {
    Domain::new(
        ty,
        Limits {
            identity: true,
            ..Limits::default()
        },
    )
    .unwrap()
}

fn narrow() -> Limits {
    Limits {
        nul_bytes: false,
        unicode: false,
        empty: false,
        trailing_blanks: false,
        text_bytes_max: 12,
        bytes_max: 3,
        nan: false,
        infinities: false,
        negative_zero: false,
        numeric_digits: 15,
        year_min: 1970,
        year_max: 2037,
        subsecond_digits: 3,
        key_bytes_max: 200,
        empty_values: false,
        identity: true,
    }
}

fn domains() -> Vec<Domain> {
    let tiny = Limits {
        text_bytes_max: 1,
        bytes_max: 1,
        ..Limits::default()
    };
    let short = Limits {
        text_bytes_max: 9,
        bytes_max: 8,
        ..Limits::default()
    };
    let nothing = Limits {
        text_bytes_max: 0,
        bytes_max: 0,
        ..Limits::default()
    };
    let mut all = Vec::new();
    let empty_too = Limits {
        empty_values: true,
        ..Limits::default()
    };
    for limits in [Limits::default(), narrow(), tiny, short, nothing, empty_too] {
        all.extend(Type::ALL.map(|ty| Domain::new(ty, limits.clone()).unwrap()));
        let composites = Type::composites().into_iter();
        all.extend(composites.map(|ty| Domain::new(ty, limits.clone()).unwrap()));
    }
    all
}

/// Any descriptor of a domain: even, at the ends, or beside a special.
fn descriptor_of(domain: &Domain, bits: u64) -> u64 {
    let last = u64::try_from(domain.size() - 1).unwrap();
    let near = |d: u64, by: u64| (d.saturating_sub(2).saturating_add(by)).min(last);
    match bits % 4 {
        0 => near(
            domain.specials()[(bits >> 8) as usize % domain.specials().len()],
            (bits >> 3) % 5,
        ),
        1 => near(if bits & 4 == 0 { 0 } else { last }, (bits >> 3) % 5),
        _ => domain.draw(mix(bits), Rate::NEVER),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn inflate_and_deflate_are_inverses(bits: u64) {
        for domain in domains_once() {
            let d = descriptor_of(domain, bits);
            let value = domain.inflate(d);
            prop_assert_eq!(domain.deflate(&value), Some(d), "{} {}", domain.ty(), value);
            let mut direct = Vec::new();
            domain.inflate_into(d, &mut direct);
            let mut encoded = Vec::new();
            value.encode(&mut encoded);
            prop_assert_eq!(direct, encoded, "{} {}", domain.ty(), value);
        }
    }

    #[test]
    fn descriptors_are_in_the_order_of_their_values(one: u64, two: u64) {
        for domain in domains_once() {
            let (a, b) = (descriptor_of(domain, one), descriptor_of(domain, two));
            let (v, w) = (domain.inflate(a), domain.inflate(b));
            let order = v.compare(&w, Nulls::First);
            let zeros = order.is_eq() && [&v, &w].iter().all(|v| matches!(v, Value::Float32(0.0) | Value::Float64(0.0)));
            prop_assert!(a.cmp(&b) == order || zeros, "{}: {a} {v}, {b} {w}", domain.ty());
            prop_assert!(!zeros || a == b || !domain.limits().identity);
        }
    }

    #[test]
    fn neighbours_are_in_order(bits: u64) {
        for domain in domains_once() {
            let d = descriptor_of(domain, bits);
            if u128::from(d) + 1 < domain.size() {
                let (v, w) = (domain.inflate(d), domain.inflate(d + 1));
                let order = v.compare(&w, Nulls::First);
                prop_assert!(order.is_lt() || (order.is_eq() && domain.special_name(d) == Some("minus zero")), "{v} {w}");
            }
        }
    }

    #[test]
    fn values_stay_within_their_limits(bits: u64) {
        for domain in domains_once() {
            let limits = domain.limits();
            match domain.inflate(descriptor_of(domain, bits)) {
                Value::Text(v) => {
                    prop_assert!(v.len() <= limits.text_bytes_max as usize, "{v:?}");
                    prop_assert!((limits.unicode && domain.ty() == Type::Text) || v.is_ascii(), "{v:?}");
                    prop_assert!(limits.nul_bytes || !v.contains('\0'), "{v:?}");
                    prop_assert!(limits.trailing_blanks || !v.ends_with(' '), "{v:?}");
                    prop_assert!(limits.empty || !v.is_empty());
                }
                Value::Bytes(v) if domain.ty() == Type::Bytes => {
                    prop_assert!(v.len() <= limits.bytes_max as usize && (limits.empty || !v.is_empty()));
                }
                Value::Float64(v) => {
                    prop_assert!(limits.nan || !v.is_nan());
                    prop_assert!(limits.infinities || !v.is_infinite());
                    prop_assert!(limits.minus_zero() || v.to_bits() != (-0.0_f64).to_bits());
                }
                Value::Float32(v) => {
                    prop_assert!(limits.nan || !v.is_nan());
                    prop_assert!(limits.infinities || !v.is_infinite());
                    prop_assert!(limits.minus_zero() || v.to_bits() != (-0.0_f32).to_bits());
                }
                Value::Numeric(v, _) => prop_assert!(v.unsigned_abs().to_string().len() <= limits.numeric_digits.into()),
                Value::Date(v) => {
                    prop_assert!((limits.year_min..=limits.year_max).contains(&crate::calendar::civil(v).year));
                }
                Value::Time(v) | Value::Timestamp(v) | Value::TimestampTz(v) => {
                    prop_assert_eq!(v.rem_euclid(10_i64.pow(6 - u32::from(limits.subsecond_digits))), 0);
                }
                _ => {}
            }
        }
    }

    #[test]
    fn a_changed_byte_anywhere_in_a_text_is_noticed(bits: u64, at: prop::sample::Index, flip in 1_u8..128) {
        for domain in [domain(Type::Ascii), domain(Type::Text)] {
            let d = descriptor_of(&domain, bits);
            let Value::Text(text) = domain.inflate(d) else { unreachable!() };
            if text.is_empty() {
                continue;
            }
            let mut bytes = text.as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            // Another descriptor's image may be hit by chance only where texts are that short.
            prop_assert_ne!(domain.deflate(&Value::Text(changed.into())), Some(d));
        }
    }

    #[test]
    fn a_changed_bit_anywhere_in_bytes_is_noticed(bits: u64, at: prop::sample::Index, bit in 0..8) {
        let domain = domain(Type::Bytes);
        let d = descriptor_of(&domain, bits);
        let Value::Bytes(bytes) = domain.inflate(d) else { unreachable!() };
        if !bytes.is_empty() {
            let mut bytes = bytes.to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= 1_u8 << bit;
            prop_assert_ne!(domain.deflate(&Value::Bytes(bytes.into())), Some(d));
        }
    }

    #[test]
    fn a_cut_or_longer_text_is_nobodys(bits: u64, extra in "[ a']{1,3}") {
        let domain = domain(Type::Text);
        let d = domain.draw(bits, Rate::NEVER);
        let Value::Text(text) = domain.inflate(d) else { unreachable!() };
        prop_assert_eq!(domain.deflate(&Value::Text(format!("{text}{extra}").into())), None);
        let cut: String = text.chars().take(text.chars().count() - 1).collect();
        prop_assert_eq!(domain.deflate(&Value::Text(cut.into())), None);
    }

    #[test]
    fn every_finite_float_has_a_descriptor(bits: u64, small: u32) {
        let (v, w) = (f64::from_bits(bits), f32::from_bits(small));
        let back = domain(Type::Float64).deflate(&Value::Float64(v)).unwrap();
        prop_assert_eq!(domain(Type::Float64).inflate(back), Value::Float64(v));
        let back = domain(Type::Float32).deflate(&Value::Float32(w)).unwrap();
        prop_assert_eq!(domain(Type::Float32).inflate(back), Value::Float32(w));
    }

    #[test]
    fn bounds_fall_where_the_order_says(bits: u64, other: u64) {
        for domain in domains_once() {
            let bound = domain.inflate(descriptor_of(domain, bits));
            let place = domain.lower_bound(&bound);
            let d = descriptor_of(domain, other);
            prop_assert_eq!(u128::from(d) < place, domain.inflate(d).compare(&bound, Nulls::First).is_lt());
        }
    }

    #[test]
    fn a_plan_gives_the_domain_back(which in 0_usize..1000) {
        let domain = &domains_once()[which % domains_once().len()];
        let text = serde_json::to_string(domain).unwrap();
        let back: Domain = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&back, domain);
        prop_assert_eq!(back.specials(), domain.specials());
    }
}

fn domains_once() -> &'static [Domain] {
    static ALL: std::sync::OnceLock<Vec<Domain>> = std::sync::OnceLock::new();
    ALL.get_or_init(domains)
}

#[test]
fn small_domains_are_whole() {
    for domain in domains_once() {
        let Ok(size @ 1..=70_000) = u64::try_from(domain.size()) else {
            continue;
        };
        for d in 0..size {
            let value = domain.inflate(d);
            assert_eq!(domain.deflate(&value), Some(d), "{} {value}", domain.ty());
            if d > 0 {
                let order = domain.inflate(d - 1).compare(&value, Nulls::First);
                assert!(order.is_lt(), "{} {value}", domain.ty());
            }
        }
    }
}

#[test]
fn integers_reach_all_their_values() {
    for (ty, size) in [
        (Type::Int8, 1 << 8),
        (Type::Int16, 1 << 16),
        (Type::Int32, 1 << 32),
        (Type::Int64, 1_u128 << 64),
    ] {
        assert_eq!(domain(ty).size(), size);
    }
    assert_eq!(domain(Type::Int64).inflate(0), Value::Int(i64::MIN));
    assert_eq!(domain(Type::Int64).inflate(u64::MAX), Value::Int(i64::MAX));
    assert_eq!(domain(Type::Int8).deflate(&Value::Int(128)), None);
}

#[test]
fn floats_are_all_of_them_with_one_nan() {
    let all = domain(Type::Float64);
    // Both signs of 0 to infinity, and NaN.
    assert_eq!(all.size(), 2 * (u128::from(f64::INFINITY.to_bits()) + 1) + 1);
    assert_eq!(all.inflate(0), Value::Float64(f64::NEG_INFINITY));
    assert_eq!(
        all.inflate(u64::try_from(all.size()).unwrap() - 1),
        Value::Float64(f64::NAN)
    );
    let minus_zero = all.special("minus zero").unwrap();
    assert_eq!(all.special("zero"), Some(minus_zero + 1));
    let key = identity(Type::Float64);
    assert_eq!(key.size() + 1, all.size());
    assert_eq!(key.deflate(&Value::Float64(-0.0)), None);
    let finite = Limits {
        nan: false,
        infinities: false,
        ..Limits::default()
    };
    let finite = Domain::new(Type::Float32, finite).unwrap();
    assert_eq!(finite.inflate(0), Value::Float32(f32::MIN));
    for outside in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        assert_eq!(finite.deflate(&Value::Float32(outside)), None);
    }
}

#[test]
fn what_is_nobodys_image_has_no_descriptor() {
    let cases = [
        (Type::Int32, Value::Null),
        (Type::Int32, Value::Int(1 << 31)),
        (Type::Int32, Value::Text("1".into())),
        (Type::Text, Value::Bytes(b"".as_slice().into())),
        (
            Type::Numeric {
                precision: 5,
                scale: 2,
            },
            Value::Numeric(100_000, 2),
        ),
        (
            Type::Numeric {
                precision: 5,
                scale: 2,
            },
            Value::Numeric(10, 1),
        ),
        (Type::Time, Value::Time(crate::calendar::DAY_US)),
        (Type::Time, Value::Time(-1)),
        (Type::Date, Value::Date(2_932_897)),
        (Type::Timestamp, Value::TimestampTz(0)),
        (Type::Uuid, Value::Uuid([1; 16])),
    ];
    for (ty, value) in cases {
        assert_eq!(domain(ty).deflate(&value), None, "{ty} {value}");
    }
    let milliseconds = Domain::new(Type::Timestamp, narrow()).unwrap();
    assert_eq!(milliseconds.deflate(&Value::Timestamp(1)), None);
    assert!(milliseconds.deflate(&Value::Timestamp(1000)).is_some());
}

#[test]
fn every_special_has_its_name_and_comes_back() {
    for domain in domains_once() {
        assert!(domain.specials().is_sorted_by(|a, b| a < b));
        for &d in domain.specials() {
            let name = domain.special_name(d).unwrap();
            assert_eq!(domain.special(name), Some(d), "{} {name}", domain.ty());
            assert_eq!(
                domain.deflate(&domain.inflate(d)),
                Some(d),
                "{} {name}",
                domain.ty()
            );
        }
    }
}

#[test]
fn the_named_boundary_values_are_what_they_say() {
    let mut shown = String::new();
    for ty in Type::ALL {
        let domain = domain(ty);
        shown += &format!("{ty}:");
        for &d in domain.specials() {
            let name = domain.special_name(d).unwrap();
            match domain.inflate(d) {
                Value::Text(text) if text.len() > 30 => shown += &format!(" [{name}: {} bytes]", text.len()),
                Value::Bytes(bytes) if bytes.len() > 30 => {
                    shown += &format!(" [{name}: {} bytes]", bytes.len())
                }
                value => shown += &format!(" [{name}: {}]", format!("{value}").escape_debug()),
            }
        }
        shown += "\n";
    }
    expect_test::expect_file!["../../testdata/specials.txt"].assert_eq(&shown);
}

#[test]
fn draws_take_specials_at_the_plans_rate() {
    let text = domain(Type::Text);
    let count = |rate| {
        let drawn = (1..=20_000_u64).map(|n| text.draw(mix(n), rate));
        drawn.filter(|d| text.special_name(*d).is_some()).count()
    };
    assert_eq!(count(Rate::NEVER), 0);
    assert_eq!(count(Rate::new(1, 1).unwrap()), 20_000);
    let sixteenth = count(Rate::new(1, 16).unwrap());
    assert!((1100..1400).contains(&sixteenth), "{sixteenth} of 20000");
    let seen: std::collections::BTreeSet<u64> = (0..20_000_u64)
        .map(|n| text.draw(mix(n), Rate::new(1, 1).unwrap()))
        .collect();
    assert_eq!(seen.len(), text.specials().len());
}

#[test]
fn rates_are_read_as_written_and_refused_when_impossible() {
    for text in ["0/1", "1/16", "7/7"] {
        assert_eq!(
            Rate::try_from(text.to_owned()).map(String::from),
            Ok(text.to_owned())
        );
    }
    for text in ["1/0", "2/1", "0.5", "", "a/b"] {
        assert!(
            Rate::try_from(text.to_owned())
                .unwrap_err()
                .contains("write a ratio"),
            "{text}"
        );
    }
}

#[test]
fn cells_tell_unset_from_null() {
    let domain = domain(Type::Int16);
    for cell in [Cell::Unset, Cell::Null, Cell::Of(77)] {
        assert_eq!(
            domain.deflate_cell(domain.inflate_cell(cell).as_ref()),
            Some(cell)
        );
    }
    assert_eq!(domain.deflate_cell(Some(&Value::Int(1 << 20))), None);
}

#[test]
fn intersecting_limits_keeps_what_both_keep() {
    let both = Limits::default().intersect(&narrow());
    assert_eq!(both, narrow());
    assert_eq!(narrow().intersect(&Limits::default()), narrow());
    let late = Limits {
        year_min: 2038,
        ..Limits::default()
    };
    assert_eq!(
        Domain::new(Type::Date, narrow().intersect(&late))
            .unwrap_err()
            .to_string(),
        "years 2038 to 2037 hold no day: give year_min <= year_max within -4712 to 292000"
    );
}

#[test]
fn limits_that_hold_nothing_are_refused_by_name() {
    let refused = |ty, limits| Domain::new(ty, limits).unwrap_err().to_string();
    expect_test::expect![
        "text with text_bytes_max = 0 and no empty values holds nothing: raise text_bytes_max"
    ]
    .assert_eq(&refused(
        Type::Text,
        Limits {
            empty: false,
            text_bytes_max: 0,
            ..Limits::default()
        },
    ));
    expect_test::expect!["numeric_digits = 0 is impossible: it is 1 to 38"].assert_eq(&refused(
        Type::Bool,
        Limits {
            numeric_digits: 0,
            ..Limits::default()
        },
    ));
    expect_test::expect!["numeric(39,0) is impossible: precision is 1 to 38 and scale at most precision"]
        .assert_eq(&refused(
            Type::Numeric {
                precision: 39,
                scale: 0,
            },
            Limits::default(),
        ));
}

#[test]
fn texts_vary_in_length_and_letters() {
    let domain = domain(Type::Text);
    let (mut lengths, mut letters) = (
        std::collections::BTreeSet::new(),
        std::collections::BTreeSet::new(),
    );
    for n in 0..20_000 {
        let Value::Text(text) = domain.inflate(domain.draw(mix(n), Rate::NEVER)) else {
            unreachable!()
        };
        lengths.insert(text.chars().count());
        letters.extend(text.chars());
    }
    assert!(lengths.len() > 50, "{lengths:?}");
    assert!(
        letters.contains(&' ') && letters.contains(&'\'') && letters.contains(&'🦀') && letters.len() > 95,
        "{letters:?}"
    );
}

/// Two maps of one key have its value as a cell of its own; a list has no slots, and what is frozen is one value.
#[test]
fn splitting_into_slots_and_joining_are_inverses() {
    for (ty, slots) in [
        ("set<int32>", 6),
        ("set<bool>", 2),
        ("map<text,int64>", 6),
        ("udt<a:int32,b:text,c:bool>", 3),
    ] {
        let domain = domain(ty.parse().unwrap());
        let elements = domain.elements().unwrap();
        assert_eq!(elements.slots(), slots, "{ty}");
        assert_eq!(elements.join(&[]), None, "{ty}: what is empty is NULL");
        let size = u64::try_from(domain.size()).unwrap();
        for i in 0..200 {
            let d = if i < 8 {
                i % size
            } else {
                crate::stream::below(mix(i), size)
            };
            let entries = elements.split(d);
            assert_eq!(elements.join(&entries), Some(d), "{ty}");
            let Value::Composite(values) = domain.inflate(d) else {
                panic!("{ty}")
            };
            let there = values.iter().filter(|v| !v.is_null()).count();
            let each = if ty.starts_with("map") { 2 } else { 1 };
            assert_eq!(there, entries.len() * each, "{ty}");
            for (slot, number) in entries {
                assert!(number < elements.values(slot), "{ty}");
                let parts = [elements.key(slot), elements.value(slot, number)];
                assert!(
                    parts.into_iter().flatten().all(|part| values.contains(&part)),
                    "{ty}"
                );
            }
        }
    }
    for ty in [
        "frozen<list<int32>>",
        "frozen<set<int32>>",
        "tuple<int32,text>",
        "int32",
    ] {
        assert!(domain(ty.parse().unwrap()).elements().is_none(), "{ty}");
    }
}

#[test]
fn a_composite_that_is_not_sorted_or_not_of_its_parts_is_nobodys() {
    let of =
        |ty: &str, parts: Vec<Value>| domain(ty.parse().unwrap()).deflate(&Value::Composite(parts.into()));
    let set = domain("frozen<set<bool>>".parse().unwrap());
    let both = vec![Value::Bool(false), Value::Bool(true)];
    assert_eq!(set.size(), 4);
    assert_eq!(of("frozen<set<bool>>", both.clone()), Some(2));
    assert_eq!(of("frozen<set<bool>>", both.into_iter().rev().collect()), None);
    assert_eq!(of("frozen<set<bool>>", vec![Value::Bool(true); 2]), None);
    assert_eq!(of("frozen<set<bool>>", vec![Value::Null]), None);
    assert_eq!(of("frozen<set<bool>>", vec![]), Some(0));
    assert_eq!(of("set<bool>", vec![]), None);
    assert_eq!(of("tuple<bool,bool>", vec![Value::Bool(true)]), None);
    assert_eq!(of("tuple<bool,bool>", vec![Value::Null, Value::Null]), Some(0));
    assert_eq!(of("vector<int32,2>", vec![Value::Int(0)]), None);
    assert_eq!(of("map<bool,bool>", vec![Value::Bool(true)]), None);
    assert_eq!(of("frozen<list<bool>>", vec![Value::Bool(true); 6]), None);
    assert_eq!(of("frozen<list<bool>>", vec![Value::Bool(true); 2]), Some(48));
    assert_eq!(of("list<bool>", vec![Value::Bool(true); 2]), None);
    assert_eq!(of("list<bool>", vec![Value::Bool(true)]), Some(2));
}

#[test]
fn a_list_is_settled_as_the_set_of_what_is_in_it() {
    let lists = domain("list<bool>".parse().unwrap());
    let elements = lists.elements().unwrap();
    let of = |all: &[bool]| Value::Composite(all.iter().map(|b| Value::Bool(*b)).collect());
    let (set, slots) = elements.settled(&of(&[true, false, true])).unwrap();
    assert_eq!((set, slots), (of(&[false, true]), vec![1, 0, 1]));
    assert_eq!(elements.settled(&Value::Null), None);
    let foreign = Value::Composite(Box::new([Value::Int(3)]));
    assert_eq!(elements.settled(&foreign), None);
    assert!(elements.are_listed() && (0..2).all(|n| elements.kept(n) == 0));
}

#[test]
fn descriptors_of_counters_differ_by_what_is_added() {
    let domain = Domain::new(Type::Counter, Limits::default()).unwrap();
    for n in [0, 1, -1, i64::MAX, i64::MIN] {
        let d = domain.deflate(&Value::Int(n)).unwrap();
        assert_eq!(d, COUNTER_ZERO.wrapping_add(n.cast_unsigned()), "{n}");
    }
}

#[test]
fn an_empty_value_stands_before_all_others_and_is_not_null() {
    let limits = Limits {
        empty_values: true,
        ..Limits::default()
    };
    let empty = Value::Bytes(Box::new([]));
    for ty in Type::ALL.into_iter().filter(|ty| ty.may_be_empty()) {
        let domain = Domain::new(ty, limits.clone()).unwrap();
        assert_eq!(domain.inflate(0), empty, "{ty}");
        assert_eq!(domain.deflate(&empty), Some(0), "{ty}");
        assert_eq!(domain.special_name(0), Some("empty"), "{ty}");
        assert_eq!(domain.deflate(&Value::Null), None, "{ty}");
        assert!(empty.compare(&domain.inflate(1), Nulls::First).is_lt(), "{ty}");
        let without = Domain::new(ty, limits.for_key(100)).unwrap();
        assert_eq!(without.deflate(&empty), None, "{ty}: not in keys");
    }
    for ty in [Type::Int8, Type::Int16, Type::Date, Type::Time, Type::Duration] {
        let domain = Domain::new(ty, limits.clone()).unwrap();
        assert_eq!(domain.deflate(&empty), None, "{ty}");
    }
}

#[test]
fn what_is_inside_of_a_collection_is_what_its_values_hold() {
    for ty in [
        "list<int32>",
        "set<text>",
        "map<int8,bool>",
        "frozen<list<bool>>",
        "frozen<set<int32>>",
        "frozen<map<text,decimal>>",
    ] {
        let domain = domain(ty.parse().unwrap());
        let inside = domain.inside().unwrap();
        let width = if ty.contains("map") { 2 } else { 1 };
        let size = u64::try_from(domain.size()).unwrap();
        for d in (0..40).map(|i| size / 40 * i).chain([0, 1, 2, size - 1]) {
            let Value::Composite(parts) = domain.inflate(d) else {
                panic!("{ty}: a composite");
            };
            for inner in [Inner::Value, Inner::Key, Inner::Entry] {
                let count = inside.count(inner);
                assert_eq!(count == 0, width == 1 && inner != Inner::Value, "{ty}");
                for number in 0..count {
                    let asked: Vec<Value> = inside.asked(inner, number).into_iter().map(|(_, v)| v).collect();
                    let mut pairs = parts.chunks(width);
                    let holds = pairs.any(|pair| match inner {
                        Inner::Value => pair[width - 1] == asked[0],
                        Inner::Key => pair[0] == asked[0],
                        Inner::Entry => pair == asked,
                    });
                    assert_eq!(
                        inside.holds(d, inner, number),
                        holds,
                        "{ty} {d} {inner:?} {number}"
                    );
                }
                assert!(inside.held(d, inner).iter().all(|n| *n < count), "{ty}");
            }
        }
    }
    for ty in ["tuple<int32,text>", "udt<a:int32>", "vector<int32,2>", "int32"] {
        assert!(domain(ty.parse().unwrap()).inside().is_none(), "{ty}");
    }
}
