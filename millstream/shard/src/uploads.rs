//! Whether appends are uploading: work that nobody waits for keeps out of their way.
//!
//! Must not be needed for correctness: a wrong answer costs time only.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::clock::Clock;

/// Uploads follow one another within this many milliseconds, or they have paused: between two of them a writer commits.
const PAUSE_MS: u64 = 50;

/// The uploads of the batches of one client.
#[derive(Debug, Default)]
pub(crate) struct Uploads {
    under_way: AtomicUsize,
    /// When one ended last, in milliseconds of the client's clock.
    last_ms: AtomicU64,
}

impl Uploads {
    /// An upload begins; it ends when the answer is dropped.
    pub(crate) fn begin<'a>(&'a self, clock: &'a Clock) -> Uploading<'a> {
        self.under_way.fetch_add(1, Ordering::SeqCst);
        Uploading { uploads: self, clock }
    }

    /// Whether none is under way, and none ended just now.
    pub(crate) fn have_paused(&self, clock: &Clock) -> bool {
        let since = clock.now_ms().saturating_sub(self.last_ms.load(Ordering::SeqCst));
        self.under_way.load(Ordering::SeqCst) == 0 && since >= PAUSE_MS
    }
}

/// An upload under way.
#[derive(Debug)]
pub(crate) struct Uploading<'a> {
    uploads: &'a Uploads,
    clock: &'a Clock,
}

impl Drop for Uploading<'_> {
    fn drop(&mut self) {
        self.uploads.last_ms.store(self.clock.now_ms(), Ordering::SeqCst);
        self.uploads.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_pause_once_none_is_under_way_and_none_ended_just_now() {
        let (clock, uploads) = (Clock::manual(1000), Uploads::default());
        assert!(uploads.have_paused(&clock), "there was none yet");
        let (one, two) = (uploads.begin(&clock), uploads.begin(&clock));
        clock.advance(10 * PAUSE_MS);
        drop(one);
        clock.advance(10 * PAUSE_MS);
        assert!(!uploads.have_paused(&clock), "one is under way");
        drop(two);
        clock.advance(PAUSE_MS - 1);
        assert!(!uploads.have_paused(&clock), "one ended just now");
        clock.advance(1);
        assert!(uploads.have_paused(&clock));
    }
}
