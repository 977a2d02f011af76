use std::collections::VecDeque;
use std::thread;

use super::queue;

const LONG_US: u64 = 60_000_000;

#[test]
fn what_was_sent_comes_in_order_and_then_the_end() {
    let (sender, queue) = queue();
    let mut got = VecDeque::new();
    thread::scope(|scope| {
        scope.spawn(move || (0..1000).for_each(|n| sender.send(n)));
        while queue.take_some(&mut got) {}
    });
    assert!(got.into_iter().eq(0..1000));
}

#[test]
fn a_group_waits_for_those_who_are_expected() {
    let (sender, queue) = queue();
    let mut got = VecDeque::from([0]);
    thread::scope(|scope| {
        scope.spawn(|| (1..64).for_each(|n| sender.send(n)));
        queue.gather(&mut got, 64, LONG_US, LONG_US);
    });
    assert!(got.into_iter().eq(0..64));
}

#[test]
fn a_group_does_not_wait_for_those_who_do_not_come() {
    let (sender, queue) = queue();
    sender.send(1);
    let mut got = VecDeque::new();
    queue.gather(&mut got, 2, LONG_US, 100);
    assert_eq!(got, [1]);
    queue.gather(&mut got, 2, 100, LONG_US);
    assert_eq!(got, [1]);
    sender.send(2);
    queue.take(&mut got);
    assert_eq!(got, [1, 2]);
    drop(sender);
    queue.gather(&mut got, 3, LONG_US, LONG_US);
    assert!(!queue.take_some(&mut got));
}

#[test]
fn what_nobody_takes_any_more_is_dropped() {
    let (sender, queue) = queue();
    let item = std::sync::Arc::new(());
    sender.send(std::sync::Arc::clone(&item));
    drop(queue);
    sender.send(std::sync::Arc::clone(&item));
    assert_eq!(std::sync::Arc::strong_count(&item), 1);
}
