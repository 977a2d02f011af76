//! Deadlines for engines that run inside our own process: one thread counts ticks and interrupts who is late.
//!
//! Reading a clock around each statement would cost more than many statements do; here a statement costs two stores.
//! A deadline is kept to within two ticks.

use parking_lot::{Condvar, Mutex};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Length of a tick.
pub(crate) const TICK: Duration = Duration::from_millis(20);

/// Interrupts what a session is doing; called from the watchdog's thread.
pub(crate) type Interrupt = Box<dyn Fn() + Send + Sync>;

/// One for a target; its thread ends with it, and late statements are then nobody's business.
pub(crate) struct Watchdog {
    shared: Arc<Shared>,
}

struct Shared {
    now: AtomicU64,
    watched: Mutex<Vec<Weak<Watched>>>,
    /// Woken when the watchdog is dropped.
    end: Condvar,
    ending: Mutex<bool>,
}

/// One session as the watchdog sees it.
pub(crate) struct Watched {
    clock: Arc<Shared>,
    /// The last tick at which the running statement is in time; 0 while none runs.
    until: AtomicU64,
    interrupted: AtomicBool,
    interrupt: Interrupt,
}

impl Watchdog {
    pub(crate) fn new() -> Self {
        let shared = Arc::new(Shared {
            now: AtomicU64::new(1),
            watched: Mutex::default(),
            end: Condvar::new(),
            ending: Mutex::new(false),
        });
        let watcher = Arc::downgrade(&shared);
        std::thread::Builder::new()
            .name("watchdog".into())
            .spawn(move || {
                while let Some(shared) = watcher.upgrade() {
                    let mut ending = shared.ending.lock();
                    shared.end.wait_for(&mut ending, TICK);
                    let over = *ending;
                    drop(ending);
                    if over {
                        return;
                    }
                    shared.tick();
                }
            })
            .expect("a thread can be started");
        Self { shared }
    }

    /// Watches a session from now on, until the handle is dropped.
    pub(crate) fn watch(&self, interrupt: Interrupt) -> Arc<Watched> {
        let watched = Arc::new(Watched {
            clock: Arc::clone(&self.shared),
            until: AtomicU64::new(0),
            interrupted: AtomicBool::new(false),
            interrupt,
        });
        let mut all = self.shared.watched.lock();
        all.retain(|w| w.strong_count() > 0);
        all.push(Arc::downgrade(&watched));
        watched
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        *self.shared.ending.lock() = true;
        self.shared.end.notify_all();
    }
}

impl Shared {
    fn tick(&self) {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        for watched in self.watched.lock().iter().filter_map(Weak::upgrade) {
            let until = watched.until.load(Ordering::Acquire);
            if until != 0 && until < now {
                watched.interrupted.store(true, Ordering::Release);
                (watched.interrupt)();
            }
        }
    }
}

impl Watched {
    /// A statement begins and has this long.
    pub(crate) fn begin(&self, deadline: Duration) {
        let ticks = u64::try_from(deadline.as_millis() / TICK.as_millis()).unwrap_or(u64::MAX / 4);
        self.interrupted.store(false, Ordering::Relaxed);
        self.until.store(
            self.clock.now.load(Ordering::Relaxed) + ticks.min(u64::MAX / 4) + 1,
            Ordering::Release,
        );
    }

    /// It ended; whether it was interrupted for being late.
    pub(crate) fn end(&self) -> bool {
        self.until.store(0, Ordering::Release);
        self.interrupted.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests;
