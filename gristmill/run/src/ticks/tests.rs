use super::Ticks;
use history::Tick;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

fn ticks(sessions: u16) -> Ticks {
    Ticks::new(Arc::new(AtomicU64::new(1)), sessions)
}

#[test]
fn the_mark_stays_below_the_oldest_open_visit() {
    let ticks = ticks(2);
    assert_eq!(ticks.low_water(), Tick(1));
    ticks.begin(1);
    ticks.take();
    ticks.begin(2);
    ticks.take();
    assert_eq!(ticks.low_water(), Tick(1));
    ticks.end(1);
    assert_eq!(ticks.low_water(), Tick(2));
    ticks.end(2);
    assert_eq!(ticks.low_water(), Tick(3));
}

#[test]
fn no_tick_is_taken_below_a_mark_that_was_read() {
    let ticks = ticks(4);
    std::thread::scope(|scope| {
        for session in 1..=4 {
            let ticks = &ticks;
            scope.spawn(move || {
                for _ in 0..20_000 {
                    let before = ticks.low_water();
                    ticks.begin(session);
                    let tick = ticks.take();
                    assert!(tick >= before, "{tick:?} was taken below {before:?}");
                    assert!(ticks.low_water() <= tick);
                    ticks.end(session);
                }
            });
        }
    });
}
