//! Who is late is interrupted; who is not, is not.

use super::Watchdog;
use std::sync::mpsc::channel;
use std::time::Duration;

#[test]
fn a_late_statement_is_interrupted_and_one_in_time_is_not() {
    let watchdog = Watchdog::new();
    let (late, interrupted) = channel();
    let watched = watchdog.watch(Box::new(move || late.send(()).unwrap_or(())));
    watched.begin(Duration::from_secs(3600));
    assert!(!watched.end());
    watched.begin(Duration::ZERO);
    interrupted
        .recv_timeout(Duration::from_secs(30))
        .expect("the watchdog is awake");
    assert!(watched.end());
    watched.begin(Duration::from_secs(3600));
    assert!(!watched.end());
}
