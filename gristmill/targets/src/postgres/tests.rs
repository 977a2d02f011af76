//! PostgreSQL passes the suite, on a throw-away server; and what only it can do.

use super::local::find_binaries;
use crate::conformance::everything;
use crate::target::OpenOptions;
use std::path::Path;

/// Whether there is a server to test with; under CI there must be.
fn installed() -> bool {
    let there = find_binaries().is_some();
    assert!(
        there || std::env::var("CI").as_deref() != Ok("true"),
        "PostgreSQL is not installed"
    );
    if !there {
        println!("left out: PostgreSQL is not installed");
    }
    there
}

/// Loopback servers for tests need no fsync: their machine does not die.
const LOCAL: &str = "postgres:local?set=fsync=off";

fn options(folder: &Path, n: u32) -> OpenOptions {
    OpenOptions::new(folder, format!("gmt{n}"))
}

#[test]
fn postgres_passes_the_suite() {
    if !installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // One target kept open keeps the server between the databases of the suite.
    let keep = crate::open(LOCAL, &options(folder.path(), 0)).unwrap();
    keep.facts().unwrap();
    everything(LOCAL, &|n| options(folder.path(), n));
}
