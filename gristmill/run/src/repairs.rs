//! When replicas were repaired: what was acknowledged before a repair began is on every one of them when it is over.
//!
//! Beside the log of a run lies the list, `repairs`: 16 bytes each, the ticks of its beginning and of its end, little-endian. So
//! whoever judges the folder again, and a later life of the worker, knows of them. A repair that failed is none.
//!
//! Invariant: a repair is in the list before any later tick is taken.

use crate::RunError;
use history::Tick;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// The file in the folder of a run.
const FILE: &str = "repairs";

/// See the module.
pub(crate) struct Repairs {
    all: Mutex<Vec<(Tick, Tick)>>,
    path: PathBuf,
}

impl Repairs {
    /// The repairs of a run in this folder; none where there is no file.
    pub(crate) fn of(folder: &Path) -> Result<Repairs, RunError> {
        let path = folder.join(FILE);
        let bytes = match path.exists() {
            true => std::fs::read(&path).map_err(|e| RunError::io(path.display().to_string(), e))?,
            false => Vec::new(),
        };
        let tick = |bytes: &[u8]| Tick(u64::from_le_bytes(bytes.try_into().expect("eight bytes")));
        let pairs = bytes.chunks_exact(16);
        let all = pairs.map(|pair| (tick(&pair[..8]), tick(&pair[8..]))).collect();
        Ok(Repairs {
            all: Mutex::new(all),
            path,
        })
    }

    /// A repair is over that succeeded on every node.
    pub(crate) fn add(&self, began: Tick, now: &dyn Fn() -> Tick) -> Result<(), RunError> {
        let mut all = self.all.lock().expect("nobody panics while holding it");
        let done = now();
        all.push((began, done));
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&began.0.to_le_bytes());
        bytes[8..].copy_from_slice(&done.0.to_le_bytes());
        let file = File::options().create(true).append(true).open(&self.path);
        let written = file.and_then(|mut file| file.write_all(&bytes));
        written.map_err(|e| RunError::io(self.path.display().to_string(), e))
    }

    /// The end of the first repair that began after a tick and was over before another.
    pub(crate) fn between(&self, by: Tick, asked: Tick) -> Option<Tick> {
        let all = self.all.lock().expect("nobody panics while holding it");
        let fits = |(began, done): &&(Tick, Tick)| by < *began && *done < asked;
        all.iter().filter(fits).map(|(_, done)| *done).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repair_spreads_what_was_acknowledged_before_it_in_every_later_life() {
        let folder = tempfile::tempdir().unwrap();
        let repairs = Repairs::of(folder.path()).unwrap();
        repairs.add(Tick(10), &|| Tick(20)).unwrap();
        repairs.add(Tick(30), &|| Tick(40)).unwrap();
        for repairs in [repairs, Repairs::of(folder.path()).unwrap()] {
            let ends = [(9, 21), (9, 20), (10, 50), (29, 41), (30, 50)];
            let ends = ends.map(|(by, asked)| repairs.between(Tick(by), Tick(asked)).map(|tick| tick.0));
            assert_eq!(ends, [Some(20), None, Some(40), Some(40), None]);
        }
    }
}
