//! Waiting for a lock of SQLite. Its own busy handler sleeps up to 100 ms between tries, which starves writers that meet
//! often; this one tries again soon, then less and less often, until the time is up.

use rusqlite::Connection;
use std::time::Duration;

/// Tries that only yield the processor.
const YIELDS: i32 = 8;

/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_millis(2);

/// Waits up to `limit` for locks on this connection; zero answers BUSY at once.
pub(super) fn install(connection: &mut Connection, limit: Duration) -> rusqlite::Result<()> {
    if limit.is_zero() {
        return connection.busy_handler(None::<fn(i32) -> bool>);
    }
    let mut waited = Duration::ZERO;
    connection.busy_handler(Some(move |tries: i32| {
        if tries == 0 {
            waited = Duration::ZERO;
        }
        if tries < YIELDS {
            std::thread::yield_now();
            return true;
        }
        if waited >= limit {
            return false;
        }
        let pause =
            (Duration::from_micros(50) * u32::try_from(tries - YIELDS + 1).unwrap_or(1)).min(PAUSE_MAX);
        // Nobody unparks this thread; a wake-up without reason only tries earlier.
        std::thread::park_timeout(pause);
        waited += pause;
        true
    }))
}
