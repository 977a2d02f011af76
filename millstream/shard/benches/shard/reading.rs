//! Reading everything: one big run, and what many small appends left.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use shard::{Client, Frontier, ReadHandle, ShardId, Update, block_on};

use crate::rounds::{ROUNDS, Rounds, Turns, seconds};
use crate::{client, peer, reader, writer};

/// Peak resident memory of this process so far, in MiB.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}

/// The peak begins anew.
fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").expect("a process may reset its own peak");
}

fn filled(client: &Client, rows: u64) -> ShardId {
    let shard = client.fresh_shard();
    let writer = writer(client, shard);
    block_on(async {
        let mut builder = writer.builder(Frontier::At(0));
        let mut row = [b'x'; 100];
        for index in 0..rows {
            row[..8].copy_from_slice(&index.to_be_bytes());
            builder.push(&row, 0, 1).await.expect("it is stored");
        }
        let batch = builder.finish(Frontier::At(1)).await.expect("it is stored");
        writer
            .compare_and_append_batches(vec![batch], Frontier::At(0), Frontier::At(1))
            .await
            .expect("alone");
        client.compact(shard).await.expect("it compacts");
    });
    shard
}

/// The files of what a reader sees at time 0.
fn files(location: &Path, reader: &ReadHandle) -> Vec<PathBuf> {
    let parts = block_on(reader.snapshot(0)).expect("it can be read");
    let keys: Vec<String> = parts
        .iter()
        .filter_map(|p| p.part().key().map(str::to_owned))
        .collect();
    let mut files = Vec::new();
    for entry in std::fs::read_dir(location.join("blobs")).expect("a folder") {
        for file in std::fs::read_dir(entry.expect("an entry").path()).expect("a folder") {
            let path = file.expect("an entry").path();
            let name = path
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .replace("%2f", "/");
            if keys.contains(&name) {
                files.push(path);
            }
        }
    }
    files
}

fn read_with_checksum(files: &[PathBuf]) {
    let mut buffer = vec![0u8; 1 << 20];
    let mut crc = 0;
    for path in files {
        let mut file = File::open(path).expect("a file");
        loop {
            let n = file.read(&mut buffer).expect("a read");
            if n == 0 {
                break;
            }
            crc = crc32c::crc32c_append(crc, &buffer[..n]);
        }
    }
    std::hint::black_box(crc);
}

fn scan(reader: &ReadHandle, as_of: u64) -> u64 {
    let (mut seen, mut total) = (0, 0u64);
    block_on(reader.snapshot_each(as_of, &mut |update| {
        seen += 1;
        total += u64::from(update.row[7]) + update.time + update.diff.cast_unsigned();
        true
    }))
    .expect("it can be read");
    std::hint::black_box(total);
    seen
}

/// Does `work` with all threads of this process on the first of its cores: the next block is read while one is walked,
/// and what that saves on a second core is left out.
fn on_one_core(work: impl FnOnce()) {
    let all = sched_getaffinity(Pid::from_raw(0)).expect("a process may ask where it runs");
    let first = (0..CpuSet::count()).find(|cpu| all.is_set(*cpu).expect("a number of a core"));
    let mut one = CpuSet::new();
    one.set(first.expect("it runs somewhere"))
        .expect("a number of a core");
    let move_to = |cores: &CpuSet| {
        for thread in std::fs::read_dir("/proc/self/task").expect("a process has threads") {
            let name = thread.expect("an entry").file_name();
            let id = name.to_string_lossy().parse().expect("a number");
            // A thread may have ended.
            let _ = sched_setaffinity(Pid::from_raw(id), cores);
        }
    };
    move_to(&one);
    work();
    move_to(&all);
}

/// A consolidated run of rows of 100 bytes, a callback a row, beside reading the same files with a checksum, and
/// beside a plain table of the same rows.
pub(crate) fn snapshot() {
    let most: u64 = std::env::var("SHARD_BENCH_ROWS").map_or(10_000_000, |n| n.parse().expect("a number"));
    for rows in [most / 10, most] {
        let folder = tempfile::tempdir().expect("a folder");
        let location = folder.path().join("location");
        let client = client(&location);
        let shard = filled(&client, rows);
        let reader = reader(&client, shard);
        let files = files(&location, &reader);
        forget_peak();
        let before = peak_mib();
        let mut rounds = Rounds::default();
        for _ in 0..ROUNDS {
            rounds.theirs(|| read_with_checksum(&files));
            rounds.ours(|| assert_eq!(scan(&reader, 0), rows));
        }
        let mut one_core = Rounds::default();
        on_one_core(|| {
            for _ in 0..ROUNDS {
                one_core.theirs(|| read_with_checksum(&files));
                one_core.ours(|| assert_eq!(scan(&reader, 0), rows));
            }
        });
        let (ours, theirs) = one_core.rates(rows as f64 / 1e6);
        println!(
            "snapshot   {rows} rows, all threads on one core: {ours:.2} M rows/s, read with checksum {theirs:.2} M rows/s, {}",
            one_core.ratio(0.6),
        );
        let (ours, theirs) = rounds.rates(rows as f64 / 1e6);
        println!(
            "snapshot   {rows} rows: {ours:.2} M rows/s, read with checksum {theirs:.2} M rows/s, {}; \
             memory {before} MiB before, peak {} MiB",
            rounds.ratio(0.6),
            peak_mib()
        );
        let mut plain = peer::table(&folder.path().join("plain.sqlite"));
        let filling = plain.transaction().expect("a transaction");
        let mut row = [b'x'; 100];
        for index in 0..rows {
            row[..8].copy_from_slice(&index.to_be_bytes());
            peer::insert_row(&filling, &row, 0);
        }
        filling.commit().expect("a commit");
        let mut rounds = Rounds::default();
        for _ in 0..ROUNDS {
            rounds.theirs(|| {
                let (mut seen, mut total) = (0, 0u64);
                peer::rows_after(&plain, 0, &mut |id, row| {
                    seen += 1;
                    total += u64::from(row[7]) + id.cast_unsigned();
                });
                assert_eq!(seen, rows);
                std::hint::black_box(total);
            });
            rounds.ours(|| assert_eq!(scan(&reader, 0), rows));
        }
        let (_, theirs) = rounds.rates(rows as f64 / 1e6);
        println!(
            "snapshot   beside a plain SQLite table: {theirs:.2} M rows/s, {}",
            rounds.ratio(1.0)
        );
    }
}

/// Batches that are stored at once.
const FLIGHTS: u64 = 4;

/// A snapshot after many appends with background compaction, beside one after a single append of the same.
pub(crate) fn compaction() {
    let appends: u64 = std::env::var("SHARD_BENCH_APPENDS").map_or(100_000, |n| n.parse().expect("a number"));
    let folder = tempfile::tempdir().expect("a folder");
    let client = client(&folder.path().join("location"));
    let (many, once) = (client.fresh_shard(), client.fresh_shard());
    let (to_many, to_once) = (writer(&client, many), writer(&client, once));
    let (of_many, of_once) = (reader(&client, many), reader(&client, once));
    let row = |index: u64| format!("{index:090}");
    block_on(async {
        let mut builder = to_once.builder(Frontier::At(0));
        for index in 0..appends * 100 {
            builder
                .push(row(index).as_bytes(), index / 100, 1)
                .await
                .expect("it is stored");
        }
        let batch = builder.finish(Frontier::At(appends)).await.expect("it is stored");
        to_once
            .compare_and_append_batches(vec![batch], Frontier::At(0), Frontier::At(appends))
            .await
            .expect("alone");
    });
    let most = Mutex::new((0, 0, 0));
    let turns = Turns::default();
    let took = seconds(|| {
        thread::scope(|scope| {
            for flight in 0..FLIGHTS {
                let (client, turns, most) = (&client, &turns, &most);
                let (to_many, of_many) = (&to_many, &of_many);
                scope.spawn(move || {
                    for time in (flight..appends).step_by(FLIGHTS as usize) {
                        let rows: Vec<Update> = (0..100)
                            .map(|i| Update::new(row(time * 100 + i), time, 1))
                            .collect();
                        let (lower, upper) = (Frontier::At(time), Frontier::At(time + 1));
                        // Stored several at once, appended one by one.
                        let batch = block_on(to_many.batch(&rows, lower, upper)).expect("it is stored");
                        turns.take(time, || {
                            block_on(to_many.compare_and_append_batches(vec![batch], lower, upper))
                                .expect("alone");
                            if time % 100 == 99 {
                                block_on(of_many.downgrade_since(Frontier::At(time)))
                                    .expect("the reader lives");
                            }
                        });
                        if time % 1000 == 999 {
                            let seen = block_on(client.inspect(many))
                                .expect("it can be read")
                                .expect("it is there");
                            let mut most = most.lock().expect("nobody panicked");
                            most.0 = most.0.max(seen.state.batches.len());
                            most.1 = most.1.max(seen.live_diffs);
                            most.2 = most.2.max(seen.consensus_bytes);
                        }
                    }
                });
            }
        });
    });
    let most = most.into_inner().expect("nobody panicked");
    block_on(client.clock().sleep(1000));
    let seen = block_on(client.inspect(many))
        .expect("it can be read")
        .expect("it is there");
    let mut rounds = Rounds::default();
    for _ in 0..ROUNDS {
        rounds.ours(|| assert_eq!(scan(&of_many, appends - 1), appends * 100));
        rounds.theirs(|| assert_eq!(scan(&of_once, appends - 1), appends * 100));
    }
    println!(
        "compaction a snapshot after {appends} appends of 100 rows ({:.0}/s) beside one after a single append: {}",
        appends as f64 / took,
        rounds.ratio(0.5)
    );
    println!(
        "compaction {} batches, {} versions, {} bytes in consensus; at most {} batches, {} versions, {} bytes",
        seen.state.batches.len(),
        seen.live_diffs,
        seen.consensus_bytes,
        most.0,
        most.1,
        most.2
    );
}
