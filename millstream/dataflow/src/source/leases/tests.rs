use std::rc::Rc;

use timely::progress::Antichain;

use super::*;

#[test]
fn a_lease_is_returned_when_its_time_is_past() {
    let lease = Rc::new(());
    let mut leases = Leases::new(Mutant::None);
    for time in 0..10 {
        leases.push_at(time, Rc::clone(&lease));
    }
    // The owner's own count is one of them.
    assert_eq!(Rc::strong_count(&lease), 11);
    for (frontier, count) in [(5, 6), (3, 6), (9, 2), (10, 1)] {
        leases.advance_to(Antichain::from_elem(frontier).borrow());
        assert_eq!(Rc::strong_count(&lease), count, "at {frontier}");
    }
}

#[test]
fn an_empty_frontier_returns_everything() {
    let lease = Rc::new(());
    let mut leases = Leases::new(Mutant::None);
    leases.push_at(u64::MAX, Rc::clone(&lease));
    leases.advance_to(Antichain::new().borrow());
    assert_eq!(Rc::strong_count(&lease), 1);
}

#[test]
fn leases_after_a_failure_are_forgotten() {
    let mut leases = Leases::new(Mutant::None);
    (0..6).for_each(|time| leases.push_at(time, ()));
    leases.forget_after(2);
    leases.forget_after(u64::MAX);
    assert_eq!(
        leases.count_by_time().into_keys().collect::<Vec<_>>(),
        vec![0, 1, 2]
    );
}
