//! When ticks were taken, by the clock of this machine: only that says whether a value with a time to live must still be there,
//! or must be gone.
//!
//! Beside the log of a run lie the samples, `times`: 16 bytes each, the tick and the nanoseconds since 1970, little-endian, both
//! rising. So whoever judges the folder again, and a later life of the worker, judge by the same times. A server has a clock of its
//! own; what differs between the two from a write to a read is what the plan's slack allows for, whatever they are apart.
//!
//! Invariants:
//! * I1 a tick was taken at or after the time that it is looked up as, and less than [`EVERY`] and a moment after it.
//! * I2 a clock that is set back is not followed: until it has caught up, ticks are looked up as the time before.

use crate::{RunError, clock};
use history::Tick;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, RwLock};

/// Nanoseconds between two samples, where ticks are taken as often.
const EVERY: u64 = 10_000_000;

/// The file in the folder of a run.
const FILE: &str = "times";

/// See the module.
pub(crate) struct Times {
    taken: RwLock<Vec<(u64, u64)>>,
    /// The time of the last sample.
    last: AtomicU64,
    /// `None`: only read.
    file: Option<Mutex<File>>,
}

impl Times {
    /// The times of a run that begins in this folder, or goes on there.
    pub(crate) fn open(folder: &Path) -> Result<Times, RunError> {
        let mut times = Times::read(folder)?;
        let path = folder.join(FILE);
        let whole = times.taken.get_mut().expect("nobody else has it yet").len() * 16;
        let file = File::options().create(true).append(true).open(&path);
        let cut = file.and_then(|file| file.set_len(whole as u64).map(|()| file));
        let file = cut.map_err(|e| RunError::io(path.display().to_string(), e))?;
        times.file = Some(Mutex::new(file));
        Ok(times)
    }

    /// The times of a run that is over; none where it took none.
    pub(crate) fn read(folder: &Path) -> Result<Times, RunError> {
        let path = folder.join(FILE);
        let mut bytes = Vec::new();
        if path.exists() {
            let read = File::open(&path).and_then(|mut file| file.read_to_end(&mut bytes));
            read.map_err(|e| RunError::io(path.display().to_string(), e))?;
        }
        let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        let samples = bytes.chunks_exact(16);
        let taken: Vec<(u64, u64)> = samples.map(|s| (number(&s[..8]), number(&s[8..]))).collect();
        Ok(Times {
            last: AtomicU64::new(taken.last().map_or(0, |(_, ns)| *ns)),
            taken: RwLock::new(taken),
            file: None,
        })
    }

    /// Draws a tick.
    pub(crate) fn take(&self, draw: impl FnOnce() -> u64) -> u64 {
        // The clock first: the tick is taken after it (I1).
        let now = clock::unix_nanoseconds();
        let tick = draw();
        if now >= self.last.load(Ordering::Relaxed).saturating_add(EVERY) {
            self.sample(tick, now);
        }
        tick
    }

    fn sample(&self, tick: u64, now: u64) {
        let mut taken = self.taken.write().expect("nobody panics while holding it");
        let (before, then) = taken.last().copied().unwrap_or((0, 0));
        if tick <= before || now <= then {
            return;
        }
        taken.push((tick, now));
        self.last.store(now, Ordering::Relaxed);
        if let Some(file) = &self.file {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&tick.to_le_bytes());
            bytes[8..].copy_from_slice(&now.to_le_bytes());
            let mut file = file.lock().expect("nobody panics while holding it");
            // Without room the run is about to end anyway: its log has none either.
            drop(file.write_all(&bytes));
        }
    }

    /// When a tick was taken, in nanoseconds since 1970; `None` of one before the first sample.
    pub(crate) fn at(&self, tick: Tick) -> Option<u64> {
        let taken = self.taken.read().expect("nobody panics while holding it");
        let after = taken.partition_point(|(sampled, _)| *sampled <= tick.0);
        Some(taken[after.checked_sub(1)?].1)
    }
}

#[cfg(test)]
mod tests;
