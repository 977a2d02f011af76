//! How much memory the server's processes of a run have, where they are processes of this machine.
//!
//! Invariant: a number is taken only of a process that is surely the server's: one that it told us, of the server's own name.

use super::floor::Floor;
use history::SessionId;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the processes of a PostgreSQL are called.
const NAME: &str = "postgres";

/// The most that was seen.
#[derive(Default)]
pub(crate) struct Memory {
    peak_kib: AtomicU64,
    samples: AtomicU64,
    calls: AtomicU64,
}

impl Memory {
    /// Looks at the processes of all sessions at every tenth call: to look costs the system a walk over their maps.
    pub(crate) fn sample(&self, floor: &Floor) {
        let is_due = self.calls.fetch_add(1, Ordering::Relaxed).is_multiple_of(10);
        if !is_due || !floor.target.describe().can_kill {
            return;
        }
        let of = |who: u16| {
            let process = floor.desk(SessionId(who)).now.lock().identity.as_ref()?.process;
            let read = |file: &str| std::fs::read_to_string(format!("/proc/{process}/{file}")).ok();
            let is_server = read("comm")?.trim() == NAME;
            is_server
                .then(|| proportional_kib(&read("smaps_rollup")?))
                .flatten()
        };
        let all: Vec<u64> = (1..=floor.plan.sessions).filter_map(of).collect();
        if !all.is_empty() {
            self.samples.fetch_add(1, Ordering::Relaxed);
            self.peak_kib.fetch_max(all.iter().sum(), Ordering::Relaxed);
        }
    }

    /// The most so far, in a few words.
    pub(crate) fn glance(&self) -> Option<String> {
        let mib = self.peak_kib.load(Ordering::Relaxed) / 1024;
        (mib > 0).then(|| format!("memory {mib} MiB"))
    }

    /// In words, where anything was seen.
    pub(crate) fn words(&self) -> Option<String> {
        let samples = self.samples.load(Ordering::Relaxed);
        let mib = self.peak_kib.load(Ordering::Relaxed) / 1024;
        (samples > 0).then(|| {
            format!("at most {mib} MiB in the server's processes of all sessions, of {samples} looks")
        })
    }
}

/// The share of a process in all the memory that it maps, in KiB: what several map is divided among them.
fn proportional_kib(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_a_process_is_its_line_of_that_name() {
        let rollup = "55d0-7ffe ---p 00000000 00:00 0 [rollup]\nRss:            9216 kB\nPss:            4096 kB\nPss_Dirty: 1 kB\n";
        assert_eq!(proportional_kib(rollup), Some(4096));
        assert_eq!(proportional_kib("Rss: 1 kB\n"), None);
    }
}
