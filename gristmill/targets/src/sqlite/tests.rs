//! SQLite passes the suite, in a file and in memory.

use crate::conformance::everything;
use crate::target::OpenOptions;

#[test]
fn sqlite_passes_the_suite_in_a_temporary_file() {
    let folder = tempfile::tempdir().unwrap();
    everything("sqlite:", &|n| {
        let own = folder.path().join(n.to_string());
        std::fs::create_dir(&own).unwrap();
        OpenOptions::new(own, "gmt1")
    });
}

#[test]
fn sqlite_passes_the_suite_in_memory() {
    everything("sqlite::memory:", &|_| OpenOptions::new("", "gmt1"));
}
