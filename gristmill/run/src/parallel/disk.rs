//! How much disk the target's files take, where they lie in the folder of the run.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The most that was seen, and what is there now.
pub(crate) struct Disk {
    folder: PathBuf,
    now: AtomicU64,
    peak: AtomicU64,
    calls: AtomicU64,
}

impl Disk {
    /// Of the files in `folder`.
    pub(crate) fn of(folder: &Path) -> Disk {
        Disk {
            folder: folder.to_owned(),
            now: AtomicU64::new(0),
            peak: AtomicU64::new(0),
            calls: AtomicU64::new(0),
        }
    }

    /// Looks at every tenth call: a server has a thousand files.
    pub(crate) fn sample(&self) {
        if self.calls.fetch_add(1, Ordering::Relaxed).is_multiple_of(10) {
            let bytes = bytes_in(&self.folder);
            self.now.store(bytes, Ordering::Relaxed);
            self.peak.fetch_max(bytes, Ordering::Relaxed);
        }
    }

    /// What is there, in a few words.
    pub(crate) fn glance(&self) -> Option<String> {
        let bytes = self.now.load(Ordering::Relaxed);
        (bytes > 0).then(|| format!("disk {}", mib(bytes)))
    }

    /// In words, where anything was seen.
    pub(crate) fn words(&self) -> Option<String> {
        let peak = self.peak.load(Ordering::Relaxed);
        (peak > 0).then(|| format!("at most {} in the target's folder", mib(peak)))
    }
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

/// Bytes of all files below a folder. What vanishes meanwhile counts nothing.
fn bytes_in(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => bytes_in(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_all_folders_count_and_the_peak_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = Disk::of(folder.path());
        disk.sample();
        assert_eq!((disk.glance(), disk.words()), (None, None));
        std::fs::create_dir(folder.path().join("base")).expect("a folder");
        let file = folder.path().join("base/1");
        std::fs::write(&file, vec![0; 3 << 20]).expect("a file");
        (0..10).for_each(|_| disk.sample());
        assert_eq!(disk.glance(), Some("disk 3 MiB".to_owned()));
        std::fs::write(&file, [0]).expect("a file");
        (0..10).for_each(|_| disk.sample());
        assert_eq!(disk.glance(), Some("disk 1 MiB".to_owned()));
        assert_eq!(
            disk.words(),
            Some("at most 3 MiB in the target's folder".to_owned())
        );
    }
}
