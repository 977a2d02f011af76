use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use proptest::prelude::*;

use super::*;

/// A counted stand-in for a timely capability: the frontier is the least time anyone holds.
#[derive(Clone, Default)]
struct Held(Rc<RefCell<BTreeMap<u64, usize>>>);

struct Token(u64, Held);

impl Held {
    fn token(&self, time: u64) -> Token {
        *self.0.borrow_mut().entry(time).or_default() += 1;
        Token(time, self.clone())
    }
    fn frontier(&self) -> Option<u64> {
        self.0.borrow().keys().next().copied()
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        let mut held = self.1.0.borrow_mut();
        let count = held.get_mut(&self.0).expect("a token is counted");
        *count -= 1;
        if *count == 0 {
            held.remove(&self.0);
        }
    }
}

/// Parts at times 0, 1, 2 … `times`, one each; results in `order`, failing where `fails`.
/// Returns the emitted times and where the frontier stands.
fn play(mutant: Mutant, times: u64, order: &[u64], fails: &[u64]) -> (Vec<u64>, Option<u64>) {
    let held = Held::default();
    let mut outstanding = Outstanding::new(mutant);
    for time in 0..times {
        outstanding.expect(time, || held.token(time));
    }
    let mut emitted = Vec::new();
    for &time in order {
        if fails.contains(&time) {
            outstanding.fail(time);
        } else {
            outstanding.succeed(time, |_| emitted.push(time));
        }
    }
    emitted.sort();
    (emitted, held.frontier())
}

#[test]
fn results_out_of_order_release_only_their_own_time() {
    assert_eq!(play(Mutant::None, 4, &[3, 1, 2], &[]), (vec![1, 2, 3], Some(0)));
    assert_eq!(
        play(Mutant::None, 4, &[3, 1, 2, 0], &[]),
        (vec![0, 1, 2, 3], None)
    );
}

#[test]
fn the_frontier_freezes_at_the_least_failed_time() {
    assert_eq!(play(Mutant::None, 4, &[2, 3, 0, 1], &[2]), (vec![0, 1], Some(2)));
    assert_eq!(play(Mutant::None, 4, &[2, 1, 0, 3], &[1, 2]), (vec![0], Some(1)));
}

#[test]
fn a_time_is_released_with_its_last_part_only() {
    let held = Held::default();
    let mut outstanding = Outstanding::new(Mutant::None);
    for _ in 0..3 {
        assert!(outstanding.expect(7, || held.token(7)));
    }
    assert!(outstanding.succeed(7, |_| ()));
    assert!(outstanding.succeed(7, |_| ()));
    assert_eq!(held.frontier(), Some(7));
    assert!(outstanding.succeed(7, |_| ()));
    assert_eq!(held.frontier(), None);
    assert!(outstanding.is_empty());
}

#[test]
fn a_part_described_after_the_freeze_is_refused() {
    let held = Held::default();
    let mut outstanding = Outstanding::new(Mutant::None);
    outstanding.expect(1, || held.token(1));
    outstanding.expect(2, || held.token(2));
    assert!(outstanding.fail(2));
    assert!(!outstanding.expect(2, || held.token(2)));
    assert!(!outstanding.expect(9, || held.token(9)));
    assert!(outstanding.succeed(1, |_| ()));
    assert_eq!(held.frontier(), Some(2));
    assert_eq!(outstanding.frozen_at(), Some(2));
}

#[test]
fn capabilities_paired_by_arrival_let_the_frontier_pass_missing_data() {
    // The review's bug: 1 fails, its capability stays in front, the result of 2 drops it.
    assert_eq!(play(Mutant::FifoUnchecked, 3, &[0, 1, 2], &[1]).1, Some(2));
    // With the check it survives in order, and fails with nothing missing at all out of order.
    assert_eq!(play(Mutant::FifoChecked, 3, &[0, 1, 2], &[1]).1, Some(1));
    assert_eq!(play(Mutant::FifoChecked, 3, &[2, 1], &[]).1, Some(2));
}

proptest! {
    #[test]
    fn any_order_and_any_failures_end_at_the_least_failure(
        order in Just((0..8u64).collect::<Vec<_>>()).prop_shuffle(),
        fails in prop::collection::btree_set(0..8u64, 0..4),
    ) {
        let fails: Vec<u64> = fails.into_iter().collect();
        let (emitted, frontier) = play(Mutant::None, 8, &order, &fails);
        prop_assert_eq!(frontier, fails.first().copied());
        let bound = frontier.unwrap_or(8);
        let before: Vec<u64> = emitted.iter().copied().filter(|time| *time < bound).collect();
        prop_assert_eq!(before, (0..bound).collect::<Vec<_>>());
    }
}
