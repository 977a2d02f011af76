use super::*;

/// Frontiers forwarded of batches of 10 bytes that move the frontier to 1, 2, … 8.
fn forwarded(limit_bytes: usize, replay_upper: Option<u64>) -> Vec<u64> {
    let mut coalesce = Coalesce::new(limit_bytes, replay_upper, Mutant::None);
    (1..=8)
        .filter(|time| !coalesce.withhold(10, Some(*time)))
        .collect()
}

#[test]
fn without_a_limit_every_frontier_is_forwarded() {
    assert_eq!(forwarded(0, Some(8)), vec![1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn while_catching_up_one_is_forwarded_in_so_many_bytes() {
    assert_eq!(forwarded(30, Some(8)), vec![3, 6, 8]);
    assert_eq!(forwarded(1000, Some(8)), vec![8]);
}

#[test]
fn once_caught_up_every_frontier_is_forwarded() {
    assert_eq!(forwarded(1000, Some(5)), vec![5, 6, 7, 8]);
    assert_eq!(forwarded(1000, Some(0)), vec![1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn the_closed_frontier_is_always_forwarded() {
    assert!(!Coalesce::new(1000, None, Mutant::None).withhold(10, None));
}
