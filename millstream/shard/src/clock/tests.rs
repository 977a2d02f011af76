use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::Clock;

#[test]
fn a_sleeper_wakes_exactly_at_its_deadline() {
    let clock = Clock::manual(100);
    let mut sleep = pin!(clock.sleep(10));
    let mut cx = Context::from_waker(Waker::noop());
    clock.advance(9);
    assert_eq!(sleep.as_mut().poll(&mut cx), Poll::Pending);
    clock.advance(1);
    assert_eq!(sleep.as_mut().poll(&mut cx), Poll::Ready(()));
    assert_eq!(clock.next_deadline_ms(), None);
}

#[test]
fn a_dropped_sleep_is_forgotten() {
    let clock = Clock::manual(0);
    drop(clock.sleep(5));
    assert_eq!(clock.next_deadline_ms(), None);
}
