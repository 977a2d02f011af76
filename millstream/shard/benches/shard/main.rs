//! Speed of durable shards, each figure beside what it could be: ratios of interleaved rounds in one run.
//!
//! `cargo xtask bench shard [NAME …]`. `SHARD_BENCH_ROWS` is the size of the snapshot (10,000,000), and
//! `SHARD_BENCH_APPENDS` the number of appends before compaction is looked at (100,000).

mod appending;
mod following;
mod others;
mod peer;
mod reading;
mod rounds;

use std::path::Path;

use shard::{Client, ClientConfig, Location, ReadHandle, ShardId, WriteHandle, block_on};

/// As in the `millstream` command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A client of a location of files and SQLite, as everyone gets it.
fn client(folder: &Path) -> Client {
    client_of(&format!("file:{}", folder.display()))
}

fn client_of(url: &str) -> Client {
    Client::new(
        block_on(Location::open(url)).expect("the location opens"),
        ClientConfig::default(),
    )
}

fn writer(client: &Client, shard: ShardId) -> WriteHandle {
    block_on(client.open_writer(shard, "bench", "bench")).expect("the shard opens")
}

fn reader(client: &Client, shard: ShardId) -> ReadHandle {
    block_on(client.open_leased_reader(shard, "bench", "bench")).expect("the shard opens")
}

const BENCHES: &[(&str, fn(), &str)] = &[
    (
        "appends",
        appending::appends,
        "inline appends by one writer, beside INSERTs",
    ),
    (
        "writers",
        appending::writers,
        "64 writers of 64 shards, beside groups of INSERTs",
    ),
    (
        "processes",
        appending::processes,
        "4 processes that append to one location: shares and waits",
    ),
    (
        "batches",
        appending::batches,
        "1 MB batches, 4 in flight, beside the least that must be done",
    ),
    (
        "snapshot",
        reading::snapshot,
        "a consolidated scan, beside reading the files, and beside SQLite",
    ),
    (
        "compaction",
        reading::compaction,
        "a snapshot after many small appends, beside one after a single one",
    ),
    ("latency", following::latency, "append to update, in one process"),
    (
        "tail",
        following::tail,
        "append to update between two processes, beside polling SQLite",
    ),
    (
        "idle",
        following::idle,
        "CPU of 1,000 shards with listeners that wait",
    ),
];

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with("--"))
        .collect();
    if arguments.first().is_some_and(|first| first == others::CHILD) {
        others::run(&arguments[1..]);
        return;
    }
    if let Some(unknown) = arguments
        .iter()
        .find(|a| !BENCHES.iter().any(|b| b.0 == a.as_str()))
    {
        println!("no benchmark `{unknown}`; there are");
        BENCHES
            .iter()
            .for_each(|(name, _, what)| println!("  {name:11} {what}"));
        std::process::exit(3);
    }
    for (name, bench, _) in BENCHES {
        if arguments.is_empty() || arguments.iter().any(|a| a == name) {
            bench();
        }
    }
}
