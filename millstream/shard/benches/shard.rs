//! Speed of durable shards, each figure beside what it could be: ratios of interleaved rounds in one process.
//!
//! `cargo bench -p millstream-shard [-- NAME …]`; names: appends, writers, batches, snapshot, latency, idle,
//! compaction. `SHARD_BENCH_ROWS` is the size of the snapshot (default 10,000,000).

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use shard::{
    Client, ClientConfig, Clock, Frontier, Location, ReadHandle, Settings, ShardId, Update, WriteHandle,
    block_on,
};

fn seconds(work: impl FnOnce()) -> f64 {
    let began = Clock::monotonic_us();
    work();
    (Clock::monotonic_us() - began) as f64 / 1e6
}

fn client(folder: &Path) -> Client {
    let url = format!("file:{}", folder.display());
    Client::new(
        block_on(Location::open(&url)).expect("the location opens"),
        ClientConfig::default(),
    )
}

fn writer(client: &Client, shard: ShardId) -> WriteHandle {
    block_on(client.open_writer(shard, "bench", "bench")).expect("the shard opens")
}

fn reader(client: &Client, shard: ShardId) -> ReadHandle {
    block_on(client.open_leased_reader(shard, "bench", "bench")).expect("the shard opens")
}

/// Bare SQLite with the durability and the table of the consensus store.
fn bare_sqlite(path: &Path) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(path).expect("SQLite opens");
    let mode: String = connection
        .query_row("PRAGMA journal_mode=WAL", [], |r| r.get(0))
        .expect("a pragma");
    assert_eq!(mode, "wal");
    connection
        .execute_batch("PRAGMA synchronous=FULL")
        .expect("a pragma");
    connection
        .execute_batch(shard::store::sqlite::SCHEMA)
        .expect("a table");
    connection
}

const INSERT: &str = "INSERT INTO consensus (shard, seq, data) VALUES (?1, ?2, ?3)";

fn percentile(sorted: &[f64], of_hundred: usize) -> f64 {
    sorted[(sorted.len() * of_hundred / 100).min(sorted.len() - 1)]
}

/// 20,000 inline appends of 100 bytes by one writer, beside INSERTs of the same bytes.
fn appends() {
    let folder = tempfile::tempdir().expect("a folder");
    let client = client(&folder.path().join("location"));
    let shard = client.fresh_shard();
    let writer = writer(&client, shard);
    let bare = bare_sqlite(&folder.path().join("bare.sqlite"));
    let row = vec![b'x'; 100];
    let (mut ours, mut theirs, mut time) = (0.0, 0.0, 0u64);
    let mut took = Vec::new();
    for round in 0..10i64 {
        ours += seconds(|| {
            for _ in 0..2000 {
                let began = Clock::monotonic_us();
                let update = [Update::new(row.clone(), time, 1)];
                let (lower, upper) = (Frontier::At(time), Frontier::At(time + 1));
                block_on(writer.compare_and_append(&update, lower, upper)).expect("nobody else writes");
                time += 1;
                took.push((Clock::monotonic_us() - began) as f64 / 1e3);
            }
        });
        theirs += seconds(|| {
            let mut insert = bare.prepare(INSERT).expect("a statement");
            for index in 0..2000 {
                insert
                    .execute(rusqlite::params!["s", round * 2000 + index, &row])
                    .expect("an insert");
            }
        });
    }
    took.sort_by(f64::total_cmp);
    println!(
        "appends    20000 inline appends {:.0}/s, bare INSERT {:.0}/s, ratio {:.2} (wanted 0.5); p50 {:.2} ms p99 {:.2} ms",
        20_000.0 / ours,
        20_000.0 / theirs,
        theirs / ours,
        percentile(&took, 50),
        percentile(&took, 99)
    );
    let seen = block_on(client.inspect(shard))
        .expect("it can be read")
        .expect("it is there");
    println!(
        "appends    afterwards: {} batches, {} versions, {} bytes in consensus",
        seen.state.batches.len(),
        seen.live_diffs,
        seen.consensus_bytes
    );
}

/// 64 writers of 64 shards, beside the same rows 64 a transaction.
fn writers() {
    let folder = tempfile::tempdir().expect("a folder");
    let client = client(&folder.path().join("location"));
    let all: Vec<WriteHandle> = (0..64).map(|_| writer(&client, client.fresh_shard())).collect();
    let mut bare = bare_sqlite(&folder.path().join("bare.sqlite"));
    let row = vec![b'x'; 100];
    let each = 200u64;
    let mut took: Vec<f64> = Vec::new();
    let ours = seconds(|| {
        thread::scope(|scope| {
            let running: Vec<_> = all
                .iter()
                .map(|writer| {
                    let row = &row;
                    scope.spawn(move || {
                        (0..each)
                            .map(|time| {
                                let began = Clock::monotonic_us();
                                let update = [Update::new(row.clone(), time, 1)];
                                let (lower, upper) = (Frontier::At(time), Frontier::At(time + 1));
                                block_on(writer.compare_and_append(&update, lower, upper))
                                    .expect("it is alone");
                                (Clock::monotonic_us() - began) as f64 / 1e3
                            })
                            .collect::<Vec<f64>>()
                    })
                })
                .collect();
            for run in running {
                took.extend(run.join().expect("a writer ended"));
            }
        });
    });
    let theirs = seconds(|| {
        for time in 0..each {
            let transaction = bare.transaction().expect("a transaction");
            for shard in 0..64 {
                let values = rusqlite::params![format!("s{shard}"), time.cast_signed(), &row];
                transaction
                    .prepare_cached(INSERT)
                    .expect("a statement")
                    .execute(values)
                    .expect("an insert");
            }
            transaction.commit().expect("a commit");
        }
    });
    took.sort_by(f64::total_cmp);
    let total = 64.0 * each as f64;
    println!(
        "writers    64 writers {:.0}/s, bare SQLite 64 a transaction {:.0}/s, ratio {:.2} (wanted 0.3); p99 {:.2} ms",
        total / ours,
        total / theirs,
        theirs / ours,
        percentile(&took, 99)
    );
}

/// 1 MB batches, 4 in flight into one shard, beside the file and database operations they need.
fn batches() {
    let folder = tempfile::tempdir().expect("a folder");
    let client = client(&folder.path().join("location"));
    let shard = client.fresh_shard();
    let writer = Arc::new(writer(&client, shard));
    let bare = Arc::new(std::sync::Mutex::new(bare_sqlite(
        &folder.path().join("bare.sqlite"),
    )));
    let bytes = vec![b'x'; 1 << 20];
    let (mut ours, mut theirs) = (0.0, 0.0);
    let mut upper = 0u64;
    for round in 0..10u64 {
        ours += seconds(|| {
            let built: Vec<_> = thread::scope(|scope| {
                let running: Vec<_> = (0..4u64)
                    .map(|index| {
                        let (writer, bytes) = (&writer, &bytes);
                        scope.spawn(move || {
                            let lower = Frontier::At(upper + index);
                            let update = [Update::new(bytes.clone(), upper + index, 1)];
                            block_on(writer.batch(&update, lower, Frontier::At(upper + index + 1)))
                                .expect("a batch")
                        })
                    })
                    .collect();
                running
                    .into_iter()
                    .map(|run| run.join().expect("a batch"))
                    .collect()
            });
            for batch in built {
                let (lower, next) = (batch.lower(), batch.upper());
                block_on(writer.compare_and_append_batches(vec![batch], lower, next))
                    .expect("nobody else writes");
            }
        });
        upper += 4;
        theirs += seconds(|| {
            thread::scope(|scope| {
                for index in 0..4u64 {
                    let (bytes, bare, folder) = (&bytes, &bare, folder.path());
                    scope.spawn(move || {
                        let number = round * 4 + index;
                        let temporary = folder.join(format!("tmp{number}"));
                        let mut file = File::create(&temporary).expect("a file");
                        file.write_all(bytes).expect("a write");
                        file.sync_all().expect("an fsync");
                        std::fs::rename(&temporary, folder.join(format!("part{number}"))).expect("a rename");
                        File::open(folder)
                            .and_then(|f| f.sync_all())
                            .expect("an fsync of the folder");
                        let bare = bare.lock().expect("nobody panicked");
                        bare.execute(
                            INSERT,
                            rusqlite::params!["s", number.cast_signed(), &bytes[..300]],
                        )
                        .expect("an insert");
                    });
                }
            });
        });
    }
    println!(
        "batches    40 batches of 1 MB: {:.0} MB/s, minimal sequence {:.0} MB/s, ratio {:.2} (wanted 0.8)",
        40.0 / ours,
        40.0 / theirs,
        theirs / ours
    );
}

/// Peak resident memory of this process so far, in MiB.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap_or("");
    line.split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse::<u64>().ok())
        .unwrap_or(0)
        / 1024
}

/// A consolidated run of rows of 100 bytes, a callback a row, beside reading the same files with a checksum.
fn snapshot() {
    let rows: u64 = std::env::var("SHARD_BENCH_ROWS").map_or(10_000_000, |n| n.parse().expect("a number"));
    let folder = tempfile::tempdir().expect("a folder");
    let client = client(&folder.path().join("location"));
    let shard = client.fresh_shard();
    let writer = writer(&client, shard);
    let reader = reader(&client, shard);
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
    let parts = block_on(reader.snapshot(0)).expect("it can be read");
    let keys: Vec<String> = parts
        .iter()
        .filter_map(|p| p.part().key().map(str::to_owned))
        .collect();
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder.path().join("location/blobs")).expect("a folder") {
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
    let before = peak_mib();
    let (mut ours, mut theirs) = (f64::MAX, f64::MAX);
    let mut seen = 0u64;
    for _ in 0..3 {
        theirs = theirs.min(seconds(|| {
            let mut buffer = vec![0u8; 1 << 20];
            let mut crc = 0;
            for path in &files {
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
        }));
        ours = ours.min(seconds(|| {
            seen = 0;
            let mut total = 0u64;
            let each = &mut |update: shard::UpdateRef<'_>| {
                seen += 1;
                total += u64::from(update.row[7]) + update.time + update.diff.cast_unsigned();
                true
            };
            block_on(reader.snapshot_each(0, each)).expect("it can be read");
            std::hint::black_box(total);
        }));
    }
    assert_eq!(seen, rows);
    println!(
        "snapshot   {rows} rows: {:.2} M rows/s, read with checksum {:.2} M rows/s, ratio {:.2} (wanted 0.6); \
         peak memory {before} MiB before reading, {} MiB after",
        rows as f64 / ours / 1e6,
        rows as f64 / theirs / 1e6,
        theirs / ours,
        peak_mib()
    );
}

/// From the acknowledgement of an append to the update at a listener, in one process.
fn latency() {
    let client = Client::new(Location::mem(), ClientConfig::default());
    let shard = client.fresh_shard();
    let writer = writer(&client, shard);
    let reader = reader(&client, shard);
    let (send, receive) = std::sync::mpsc::channel();
    let listener = thread::spawn(move || {
        block_on(async {
            let mut listen = reader.listen(0).await.expect("it can be read");
            while let Ok(Some((updates, _))) = listen.fetch_next().await {
                let stop = updates.iter().any(|u| u.row == b"stop");
                if updates.is_empty() {
                    continue;
                }
                if stop || send.send(Clock::monotonic_us()).is_err() {
                    break;
                }
            }
        });
    });
    let mut took = Vec::new();
    for time in 1..2001u64 {
        let lower = if time == 1 { 0 } else { time };
        let update = [Update::new("x", time, 1)];
        block_on(writer.compare_and_append(&update, Frontier::At(lower), Frontier::At(time + 1)))
            .expect("alone");
        let acknowledged = Clock::monotonic_us();
        let arrived = receive.recv().expect("the listener lives");
        took.push(arrived.saturating_sub(acknowledged) as f64 / 1e3);
    }
    let stop = [Update::new("stop", 2001, 1)];
    block_on(writer.compare_and_append(&stop, Frontier::At(2001), Frontier::At(2002))).expect("alone");
    listener.join().expect("the listener ended");
    took.sort_by(f64::total_cmp);
    println!(
        "latency    append acknowledged to update received over memory: median {:.3} ms (wanted 2), p99 {:.3} ms",
        percentile(&took, 50),
        percentile(&took, 99)
    );
}

/// CPU seconds of this process.
fn cpu_seconds() -> f64 {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).expect("usage");
    let seconds = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

/// What 1,000 shards with waiting listeners cost while nothing happens.
fn idle() {
    let folder = tempfile::tempdir().expect("a folder");
    let client = client(&folder.path().join("location"));
    let mut waiting = Vec::new();
    for _ in 0..1000 {
        let shard = client.fresh_shard();
        let listen = block_on(reader(&client, shard).listen(0)).expect("it can be read");
        waiting.push(listen);
    }
    let clock = client.clock().clone();
    block_on(async {
        let mut all: Vec<_> = waiting.iter_mut().map(|listen| Box::pin(listen.next())).collect();
        let mut sleep = Box::pin(clock.sleep(10_000));
        let (mut began, mut cpu) = (0, 0.0);
        std::future::poll_fn(|cx| {
            if began == 0 {
                for listen in &mut all {
                    assert!(listen.as_mut().poll(cx).is_pending(), "nothing was written");
                }
                (began, cpu) = (Clock::monotonic_us(), cpu_seconds());
            }
            sleep.as_mut().poll(cx)
        })
        .await;
        let wall = (Clock::monotonic_us() - began) as f64 / 1e6;
        let share = (cpu_seconds() - cpu) / wall * 100.0;
        println!("idle       1000 shards with waiting listeners: {share:.2} % of a core (wanted 1)");
    });
}

/// A snapshot after many appends with background compaction, beside one after a single append of the same.
fn compaction() {
    let appends: u64 = std::env::var("SHARD_BENCH_APPENDS").map_or(10_000, |n| n.parse().expect("a number"));
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("file:{}", folder.path().join("location").display());
    let location = block_on(Location::open(&url)).expect("the location opens");
    let client = Client::new(
        location,
        ClientConfig {
            settings: Settings::default(),
            ..ClientConfig::default()
        },
    );
    let (many, once) = (client.fresh_shard(), client.fresh_shard());
    let (to_many, to_once) = (writer(&client, many), writer(&client, once));
    let (of_many, of_once) = (reader(&client, many), reader(&client, once));
    let rows = |time: u64| -> Vec<Update> {
        (0..100u64)
            .map(|i| Update::new(format!("{:090}", time * 100 + i), time, 1))
            .collect()
    };
    for time in 0..appends {
        let (lower, upper) = (Frontier::At(time), Frontier::At(time + 1));
        block_on(to_many.compare_and_append(&rows(time), lower, upper)).expect("alone");
        if time % 100 == 99 {
            block_on(of_many.downgrade_since(lower)).expect("the reader lives");
        }
    }
    let all: Vec<Update> = (0..appends).flat_map(rows).collect();
    block_on(to_once.compare_and_append(&all, Frontier::At(0), Frontier::At(appends))).expect("alone");
    block_on(client.clock().sleep(1000));
    let read = |reader: &ReadHandle| {
        let mut count = 0u64;
        let took = seconds(|| {
            block_on(reader.snapshot_each(appends - 1, &mut |_| {
                count += 1;
                true
            }))
            .expect("it can be read");
        });
        assert_eq!(count, appends * 100);
        took
    };
    let (mut ours, mut theirs) = (f64::MAX, f64::MAX);
    for _ in 0..3 {
        ours = ours.min(read(&of_many));
        theirs = theirs.min(read(&of_once));
    }
    let seen = block_on(client.inspect(many))
        .expect("it can be read")
        .expect("it is there");
    println!(
        "compaction a snapshot after {appends} appends of 100 rows takes {:.2} × one after a single append \
         (wanted 2); {} batches, {} versions, {} bytes in consensus",
        ours / theirs,
        seen.state.batches.len(),
        seen.live_diffs,
        seen.consensus_bytes
    );
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let all: [(&str, fn()); 7] = [
        ("appends", appends),
        ("writers", writers),
        ("batches", batches),
        ("snapshot", snapshot),
        ("latency", latency),
        ("idle", idle),
        ("compaction", compaction),
    ];
    for (name, bench) in all {
        if wanted.is_empty() || wanted.iter().any(|w| w == name) {
            bench();
        }
    }
}
