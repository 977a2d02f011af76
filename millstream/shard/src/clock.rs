//! The one place that reads the machine's clock.
//!
//! Everything else takes a [`Clock`], so a test moves time by hand. Must not know what is waited for.
//!
//! Invariants:
//! 1. A manual clock moves only when told to; its sleepers wake exactly when their deadline is reached.
//! 2. Dropping a [`Sleep`] forgets it.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Milliseconds since 1970, and a way to wait for a later moment.
#[derive(Clone)]
pub struct Clock {
    inner: Arc<Inner>,
}

struct Inner {
    manual: bool,
    heap: Mutex<Heap>,
    changed: Condvar,
}

struct Heap {
    /// Of a manual clock only.
    now_ms: u64,
    next_id: u64,
    sleepers: BTreeMap<(u64, u64), Option<Waker>>,
    stopped: bool,
}

impl Clock {
    /// The machine's clock. Starts one thread that wakes sleepers; it ends with the last clone.
    pub fn system() -> Clock {
        let inner = Arc::new(Inner {
            manual: false,
            heap: Mutex::new(Heap {
                now_ms: 0,
                next_id: 0,
                sleepers: BTreeMap::new(),
                stopped: false,
            }),
            changed: Condvar::new(),
        });
        let weak = Arc::downgrade(&inner);
        std::thread::Builder::new()
            .name("shard-clock".into())
            .spawn(move || {
                while let Some(inner) = weak.upgrade() {
                    inner.wake_due_and_wait();
                }
            })
            .expect("a thread can be started");
        Clock { inner }
    }

    /// A clock that stands at `now_ms` until [`Clock::advance`].
    pub fn manual(now_ms: u64) -> Clock {
        Clock {
            inner: Arc::new(Inner {
                manual: true,
                heap: Mutex::new(Heap {
                    now_ms,
                    next_id: 0,
                    sleepers: BTreeMap::new(),
                    stopped: false,
                }),
                changed: Condvar::new(),
            }),
        }
    }

    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        self.inner.now_ms()
    }

    /// A clock that only grows, for measuring how long something took, in microseconds.
    #[expect(clippy::disallowed_methods, reason = "this is the house's clock")]
    pub fn monotonic_us() -> u64 {
        use std::sync::OnceLock;
        static START: OnceLock<std::time::Instant> = OnceLock::new();
        let start = *START.get_or_init(std::time::Instant::now);
        u64::try_from(start.elapsed().as_micros()).expect("less than half a million years")
    }

    /// Moves a manual clock forward and wakes whoever was waiting for that.
    ///
    /// # Panics
    /// On the system clock.
    pub fn advance(&self, by_ms: u64) {
        assert!(self.inner.manual, "only a manual clock is moved by hand");
        let due = {
            let mut heap = self.inner.heap.lock();
            heap.now_ms += by_ms;
            let now = heap.now_ms;
            take_due(&mut heap, now)
        };
        due.into_iter().for_each(Waker::wake);
    }

    /// The deadline of the sleeper that is due first, if anyone sleeps.
    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.inner.heap.lock().sleepers.keys().next().map(|(at, _)| *at)
    }

    /// Resolves `ms` milliseconds from now.
    pub fn sleep(&self, ms: u64) -> Sleep {
        let deadline = self.inner.now_ms().saturating_add(ms);
        let mut heap = self.inner.heap.lock();
        heap.next_id += 1;
        let key = (deadline, heap.next_id);
        heap.sleepers.insert(key, None);
        drop(heap);
        self.inner.changed.notify_all();
        Sleep {
            clock: Arc::clone(&self.inner),
            key,
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Clock({} ms{})",
            self.now_ms(),
            if self.inner.manual { ", manual" } else { "" }
        )
    }
}

impl Inner {
    #[expect(clippy::disallowed_methods, reason = "this is the house's clock")]
    fn now_ms(&self) -> u64 {
        if self.manual {
            return self.heap.lock().now_ms;
        }
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
    }

    /// One round of the system clock's thread: wake who is due, then wait for the next, at most a second
    /// (so that a clock nobody owns any more is noticed).
    fn wake_due_and_wait(&self) {
        let now = self.now_ms();
        let mut heap = self.heap.lock();
        let due = take_due(&mut heap, now);
        if due.is_empty() {
            let wait = heap
                .sleepers
                .keys()
                .next()
                .map_or(1000, |(at, _)| at.saturating_sub(now).min(1000));
            if !heap.stopped {
                self.changed.wait_for(&mut heap, Duration::from_millis(wait));
            }
        }
        drop(heap);
        due.into_iter().for_each(Waker::wake);
    }
}

fn take_due(heap: &mut Heap, now: u64) -> Vec<Waker> {
    let later = heap.sleepers.split_off(&(now.saturating_add(1), 0));
    let due = std::mem::replace(&mut heap.sleepers, later);
    due.into_values().flatten().collect()
}

/// A wait for a moment; made by [`Clock::sleep`].
pub struct Sleep {
    clock: Arc<Inner>,
    key: (u64, u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let now = self.clock.now_ms();
        let mut heap = self.clock.heap.lock();
        if self.key.0 <= now || !heap.sleepers.contains_key(&self.key) {
            heap.sleepers.remove(&self.key);
            return Poll::Ready(());
        }
        heap.sleepers.insert(self.key, Some(cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.clock.heap.lock().sleepers.remove(&self.key);
    }
}

#[cfg(test)]
mod tests;
