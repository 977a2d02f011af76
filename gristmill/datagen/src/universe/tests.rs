use std::cmp::Ordering;

use proptest::prelude::*;

use super::*;
use crate::domain::Limits;
use crate::stream::mix;
use crate::value::Type;

fn key_domain(ty: Type) -> Domain {
    Domain::new(ty, Limits::default().for_key(200)).unwrap()
}

/// `int32 text- bool`: a minus is DESC.
fn universe(columns: &str, seed: u64, size: u64) -> Universe {
    let columns = columns
        .split_whitespace()
        .map(|word| match word.strip_suffix('-') {
            Some(ty) => (key_domain(ty.parse().unwrap()), Order::Desc),
            None => (key_domain(word.parse().unwrap()), Order::Asc),
        });
    Universe::new(columns.collect(), seed, size).unwrap()
}

fn compare(universe: &Universe, a: &[Value], b: &[Value]) -> Ordering {
    let columns = a.iter().zip(b).enumerate();
    columns.fold(Ordering::Equal, |order, (j, (v, w))| {
        order.then(universe.order(j).apply(v.compare(w, Nulls::First)))
    })
}

fn some_columns() -> impl Strategy<Value = Vec<(Domain, Order)>> {
    let order = any::<bool>().prop_map(|desc| if desc { Order::Desc } else { Order::Asc });
    let column = (prop::sample::select(Type::ALL.to_vec()), order);
    prop::collection::vec(
        column.prop_map(|(ty, order)| (key_domain(ty), order)),
        0..=COLUMNS_MAX,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn inflate_and_deflate_are_inverses_and_keep_order(columns in some_columns(), seed: u64, bits in 0_u32..62, picks: [u64; 8]) {
        let universe = Universe::new(columns, seed, 1 << bits).unwrap();
        let last = universe.len() - 1;
        let mut places: Vec<u64> = picks.iter().map(|pick| below(*pick, universe.len())).collect();
        places.extend([0, last, 1.min(last), last.saturating_sub(1)]);
        let keys: Vec<Vec<Value>> = places.iter().map(|at| universe.inflate(*at)).collect();
        for (at, key) in places.iter().zip(&keys) {
            prop_assert_eq!(universe.deflate(key), Some(*at));
            let digits: Vec<u32> = (0..universe.columns()).map(|j| universe.digit(*at, j)).collect();
            prop_assert_eq!(universe.position(&digits), *at);
            let (mut direct, mut encoded) = (Vec::new(), Vec::new());
            universe.inflate_into(*at, &mut direct);
            key.iter().for_each(|value| value.encode(&mut encoded));
            prop_assert_eq!(direct, encoded);
            for (other_at, other) in places.iter().zip(&keys) {
                prop_assert_eq!(at.cmp(other_at), compare(&universe, key, other));
            }
        }
    }

    #[test]
    fn every_column_varies_by_itself(columns in some_columns(), seed: u64, pick: u64) {
        let universe = Universe::new(columns, seed, 1 << 20).unwrap();
        let at = below(pick, universe.len());
        let key = universe.inflate(at);
        for j in 0..universe.columns() {
            prop_assert!(universe.radix(j) >= 2, "column {j} is always the same");
            let mut digits: Vec<u32> = (0..universe.columns()).map(|i| universe.digit(at, i)).collect();
            digits[j] = (digits[j] + 1) % universe.radix(j);
            let other = universe.inflate(universe.position(&digits));
            for i in 0..universe.columns() {
                prop_assert_eq!(key[i] == other[i], i != j);
            }
        }
    }

    #[test]
    fn a_universe_has_the_size_wanted_where_its_columns_allow(columns in some_columns(), size in 1_u64..1 << 40) {
        let all = columns.iter().fold(1_u128, |all, (domain, _)| all.saturating_mul(domain.size().min(RADIX_MAX.into())));
        let universe = Universe::new(columns, 5, size).unwrap();
        prop_assert!(u128::from(universe.len()) >= all.min(size.into()));
        prop_assert!(universe.len() <= 2 * size + (1 << 16));
    }

    #[test]
    fn slices_are_intervals_of_positions(seed: u64, size in 1_u64..3000, prefix in 0_usize..=3, picks: [u64; 5], inclusive: [bool; 2], open: [bool; 2]) {
        let universe = universe("int16 bool- date", seed, size);
        let pick = |i: usize, j| below(picks[i], universe.radix(j).into()) as u32;
        let prefix: Vec<u32> = (0..prefix).map(|j| pick(j, j)).collect();
        let bound = |i: usize| -> Option<(u32, bool)> {
            (prefix.len() < 3 && !open[i]).then(|| (pick(3 + i, prefix.len()), inclusive[i]))
        };
        let slice = Slice { lower: bound(0), upper: bound(1), prefix };
        let range = universe.range(&slice);
        for at in 0..universe.len() {
            let starts = slice.prefix.iter().enumerate().all(|(j, digit)| universe.digit(at, j) == *digit);
            let next = || universe.digit(at, slice.prefix.len());
            let above = slice.lower.is_none_or(|(digit, inclusive)| next() > digit || (inclusive && next() == digit));
            let below = slice.upper.is_none_or(|(digit, inclusive)| next() < digit || (inclusive && next() == digit));
            prop_assert_eq!(range.contains(&at), starts && above && below, "{} in {:?}", at, slice);
        }
    }

    #[test]
    fn bounds_that_are_no_key_are_gaps_between_positions(seed: u64, a: i16, b in -800_000_i32..3_000_000, depth in 0_usize..=2, after: bool) {
        let universe = universe("int16- date", seed, 600);
        let bound = &[Value::Int(a.into()), Value::Date(b)][..depth];
        let expected = (0..universe.len()).filter(|at| {
            let order = compare(&universe, &universe.inflate(*at)[..depth], bound);
            order.is_lt() || (after && order.is_eq())
        });
        prop_assert_eq!(universe.before(bound, after), expected.count() as u64);
    }
}

#[test]
fn whole_small_universes_are_in_order() {
    for columns in [
        "",
        "bool",
        "bool-",
        "int8",
        "text- bool",
        "bool bool- bool",
        "float32- numeric(12,3) uuid-",
    ] {
        let universe = universe(columns, 3, 500);
        for at in 0..universe.len() {
            let key = universe.inflate(at);
            assert_eq!(universe.deflate(&key), Some(at), "{columns}");
            if at > 0 {
                assert_eq!(
                    compare(&universe, &universe.inflate(at - 1), &key),
                    Ordering::Less,
                    "{columns}"
                );
            }
        }
    }
}

#[test]
fn small_keys_have_small_universes() {
    let sizes: Vec<u64> = ["", "bool", "bool bool", "int8"]
        .iter()
        .map(|columns| universe(columns, 1, 1000).len())
        .collect();
    assert_eq!(sizes, [1, 2, 4, 256]);
    assert!(universe("", 1, 1000).inflate(0).is_empty());
    assert_eq!(universe("", 1, 9).range(&Slice::default()), 0..1);
}

#[test]
fn leading_columns_have_few_values_and_the_last_has_many() {
    let radices = |columns: &str, size| -> Vec<u32> {
        let universe = universe(columns, 1, size);
        (0..universe.columns()).map(|j| universe.radix(j)).collect()
    };
    assert_eq!(radices("text int64", 1000), [8, 125]);
    assert_eq!(radices("int64 int64 int64", 1_000_000), [8, 8, 15_625]);
    assert_eq!(radices("int64 int64 bool", 1000), [8, 63, 2]);
    assert_eq!(radices("int64", 1 << 40), [1 << 31]);
    assert_eq!(radices("int64 int64", 1 << 40), [1 << 9, 1 << 31]);
    assert_eq!(radices("int8 bool int8", 10), [2, 2, 3]);
}

#[test]
fn ends_are_the_least_and_the_greatest_values() {
    let universe = universe("int64 int64-", 7, 1000);
    assert_eq!(universe.inflate(0), [Value::Int(i64::MIN), Value::Int(i64::MAX)]);
    assert_eq!(
        universe.inflate(universe.len() - 1),
        [Value::Int(i64::MAX), Value::Int(i64::MIN)]
    );
}

#[test]
fn special_values_are_among_the_keys() {
    let mut met = std::collections::BTreeSet::new();
    for seed in 0..50 {
        let universe = universe("text", seed, 1 << 30);
        let domain = universe.domain(0);
        let specials = domain
            .specials()
            .iter()
            .filter(|d| universe.digit_of(0, &domain.inflate(**d)).is_some());
        let names: Vec<_> = specials.map(|d| domain.special_name(*d).unwrap()).collect();
        assert!(
            names.len() >= 6 && names.contains(&"empty"),
            "seed {seed}: {names:?}"
        );
        met.extend(names);
    }
    // Of those that share a cell with "empty" and the greatest text, only these two are ever met.
    assert!(met.len() >= 25, "{met:?}");
}

#[test]
fn values_between_the_keys_are_nobodys() {
    let universe = universe("int64 text", 7, 1000);
    let mut strangers = 0;
    for n in 0..200 {
        let value = Value::Int(mix(n).cast_signed());
        strangers += u32::from(universe.digit_of(0, &value).is_none());
        assert_eq!(universe.deflate(&[value, Value::Int(0)]), None);
    }
    assert!(strangers > 190);
}

#[test]
fn two_seeds_choose_other_values() {
    let (one, two) = (universe("int64", 1, 1000), universe("int64", 2, 1000));
    assert!((1..999).filter(|at| one.inflate(*at) != two.inflate(*at)).count() > 950);
}

#[test]
fn what_cannot_be_a_key_is_refused() {
    let many = vec![(key_domain(Type::Bool), Order::Asc); 17];
    assert_eq!(
        Universe::new(many, 1, 10).unwrap_err().to_string(),
        "a key of 17 columns: at most 16 are supported"
    );
    let coarse = vec![(Domain::new(Type::Float64, Limits::default()).unwrap(), Order::Asc)];
    assert_eq!(
        Universe::new(coarse, 1, 10).unwrap_err().to_string(),
        "key column 0 has a domain in which different values compare equal: use limits with identity"
    );
    assert_eq!(
        Universe::new(vec![], 1, 0).unwrap_err(),
        UniverseError::Size { size: 0 }
    );
}
