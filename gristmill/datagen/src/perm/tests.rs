use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[test]
fn every_small_permutation_is_one() {
    for n in 1..=300 {
        for key in 0..5 {
            let perm = Perm::new(key, n);
            let elements: BTreeSet<u64> = (0..n).map(|i| perm.at(i)).collect();
            assert_eq!(elements, (0..n).collect(), "key {key}, n {n}");
            for i in 0..n {
                assert_eq!(perm.index(perm.at(i)), i, "key {key}, n {n}");
            }
        }
    }
}

#[test]
fn every_order_of_three_and_of_four_is_reached() {
    for (n, orders) in [(2, 2), (3, 6), (4, 24)] {
        let seen: BTreeSet<Vec<u64>> = (0..4000)
            .map(|key| {
                let perm = Perm::new(key, n);
                (0..n).map(|i| perm.at(i)).collect()
            })
            .collect();
        assert_eq!(seen.len(), orders, "orders of {n}");
    }
}

/// Each element stands at each place about equally often. The bound is twelve standard deviations:
/// a structural bias is far outside, and the numbers do not change from run to run.
#[test]
fn every_place_takes_every_element_about_equally_often() {
    for n in [2_u64, 5, 16, 20, 100] {
        let keys = 500 * n;
        let mut counts = vec![0_u64; (n * n) as usize];
        for key in 0..keys {
            let perm = Perm::new(key, n);
            for i in 0..n {
                counts[(i * n + perm.at(i)) as usize] += 1;
            }
        }
        for (cell, &count) in counts.iter().enumerate() {
            let off = count.abs_diff(500);
            assert!(
                off < 270,
                "n {n}: place and element {cell} met {count} times, 500 expected"
            );
        }
    }
}

#[test]
fn neighbours_do_not_stay_neighbours() {
    let n = 1 << 20;
    let perm = Perm::new(11, n);
    let near = (0..n - 1)
        .filter(|&i| perm.at(i).abs_diff(perm.at(i + 1)) < n / 64)
        .count();
    // About 2 * 1/64 of the pairs of a random permutation.
    assert!((20_000..50_000).contains(&near), "{near} pairs stayed near");
}

proptest! {
    #[test]
    fn at_and_index_are_inverses(key: u64, n in 1_u64..=1 << 63, i: u64) {
        let perm = Perm::new(key, n);
        let i = i % n;
        let x = perm.at(i);
        prop_assert!(x < n);
        prop_assert_eq!(perm.index(x), i);
        prop_assert_eq!(perm.at(perm.index(i)), i);
    }
}
