use super::*;

#[test]
fn parts_are_spread_evenly() {
    for peers in [1, 2, 3, 7] {
        let mut parts = vec![0_u64; peers];
        (0..7000).for_each(|nth| parts[part_worker(42, nth, peers)] += 1);
        let even = 7000 / u64::try_from(peers).unwrap();
        assert!(
            parts.iter().all(|parts| parts.abs_diff(even) < even / 5),
            "{parts:?} for {peers}"
        );
    }
}

#[test]
fn another_seed_spreads_otherwise() {
    let spread = |seed| (0..32).map(|nth| part_worker(seed, nth, 4)).collect::<Vec<_>>();
    assert_eq!(spread(1), spread(1));
    assert_ne!(spread(1), spread(2));
}
