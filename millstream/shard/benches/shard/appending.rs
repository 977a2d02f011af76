//! Appends: one writer, many shards, many processes, big batches.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use rusqlite::params;
use shard::{Client, Clock, Frontier, ShardId, Update, WriteHandle, block_on};

use crate::others::Other;
use crate::rounds::{ROUNDS, Rounds, Turns, percentile, seconds};
use crate::{client, peer, writer};

/// Appends one row of 100 bytes at `time`; answers the milliseconds it took.
fn append(writer: &WriteHandle, row: &[u8], time: u64) -> f64 {
    let began = Clock::monotonic_us();
    let update = [Update::new(row, time, 1)];
    block_on(writer.compare_and_append(&update, Frontier::At(time), Frontier::At(time + 1)))
        .expect("nobody else writes");
    (Clock::monotonic_us() - began) as f64 / 1e3
}

fn print_bytes(client: &Client, shard: ShardId, name: &str) {
    let seen = block_on(client.inspect(shard))
        .expect("it can be read")
        .expect("it is there");
    println!(
        "{name:10} afterwards: {} batches, {} bytes inline, {} versions of {} bytes in consensus",
        seen.state.batches.len(),
        seen.state.inline_bytes(),
        seen.live_diffs,
        seen.consensus_bytes
    );
}

/// 20,000 inline appends of 100 bytes by one writer, beside INSERTs of the same bytes into the same tables.
pub(crate) fn appends() {
    let folder = tempfile::tempdir().expect("a folder");
    let client = client(&folder.path().join("location"));
    let shard = client.fresh_shard();
    let writer = writer(&client, shard);
    let bare = peer::as_stored(&folder.path().join("bare.sqlite"));
    let row = vec![b'x'; 100];
    let mut rounds = Rounds::default();
    let mut took = Vec::new();
    for round in 0..10u64 {
        rounds
            .ours(|| took.extend((round * 2000..(round + 1) * 2000).map(|time| append(&writer, &row, time))));
        rounds.theirs(|| {
            let mut insert = bare.prepare(peer::INSERT_AS_STORED).expect("a statement");
            for number in round * 2000..(round + 1) * 2000 {
                insert
                    .execute(params!["s", number.cast_signed(), &row])
                    .expect("an insert");
            }
        });
    }
    let (ours, theirs) = rounds.rates(2000.0);
    println!(
        "appends    20000 inline appends {ours:.0}/s, INSERT {theirs:.0}/s, {}; p50 {:.2} ms, p99 {:.2} ms",
        rounds.ratio(0.5),
        percentile(&mut took, 50),
        percentile(&mut took, 99)
    );
    print_bytes(&client, shard, "appends");
}

/// Who the 64 writers are.
#[derive(Clone, Copy)]
enum Writers {
    /// Tasks of one executor on one thread, as those of a server are.
    Tasks,
    /// A thread each, all of which are woken after each commit.
    Threads,
}

/// 64 writers of 64 shards, beside the same rows 64 a transaction; and the 99th percentile beside one writer's.
pub(crate) fn writers() {
    writers_as(Writers::Tasks, "tasks");
    writers_as(Writers::Threads, "threads");
}

fn writers_as(who: Writers, words: &str) {
    const EACH: u64 = 400;
    const WRITERS: usize = 64;
    let folder = tempfile::tempdir().expect("a folder");
    let client = client(&folder.path().join("location"));
    let all: Vec<Arc<WriteHandle>> = (0..WRITERS)
        .map(|_| Arc::new(writer(&client, client.fresh_shard())))
        .collect();
    let alone = writer(&client, client.fresh_shard());
    let mut bare = peer::sqlite(&folder.path().join("bare.sqlite"));
    let row = vec![b'x'; 100];
    let (mut took, mut took_alone) = (Vec::new(), Vec::new());
    let mut rounds = Rounds::default();
    let times = |round: usize| round as u64 * EACH..(round as u64 + 1) * EACH;
    // The writers live through all rounds: what a thread costs to start is not what an append costs. Everyone meets here before
    // a round and after it.
    let meet = Barrier::new(
        1 + match who {
            Writers::Tasks => 1,
            Writers::Threads => WRITERS,
        },
    );
    thread::scope(|scope| {
        let running: Vec<_> = match who {
            Writers::Tasks => vec![scope.spawn(|| {
                let mut took = Vec::new();
                for round in 0..ROUNDS {
                    meet.wait();
                    took.extend(append_as_tasks(&all, &row, times(round)));
                    meet.wait();
                }
                took
            })],
            Writers::Threads => all
                .iter()
                .map(|writer| {
                    let (row, meet) = (&row, &meet);
                    scope.spawn(move || {
                        let mut took = Vec::new();
                        for round in 0..ROUNDS {
                            meet.wait();
                            took.extend(times(round).map(|time| append(writer, row, time)));
                            meet.wait();
                        }
                        took
                    })
                })
                .collect(),
        };
        for round in 0..ROUNDS {
            took_alone.extend(times(round).map(|time| append(&alone, &row, time)));
            rounds.ours(|| {
                meet.wait();
                meet.wait();
            });
            rounds.theirs(|| {
                for time in times(round) {
                    let transaction = bare.transaction().expect("a transaction");
                    for shard in 0..WRITERS {
                        transaction
                            .prepare_cached(peer::INSERT)
                            .expect("a statement")
                            .execute(params![format!("s{shard}"), time.cast_signed(), &row])
                            .expect("an insert");
                    }
                    transaction.commit().expect("a commit");
                }
            });
        }
        for run in running {
            took.extend(run.join().expect("a writer ended"));
        }
    });
    let (ours, theirs) = rounds.rates(WRITERS as f64 * EACH as f64);
    let (p99, p99_alone) = (percentile(&mut took, 99), percentile(&mut took_alone, 99));
    println!(
        "writers    64 writers ({words}) {ours:.0}/s, SQLite 64 a transaction {theirs:.0}/s, {}",
        rounds.ratio(0.3)
    );
    println!(
        "writers    ({words}) p50 {:.2} ms, p99 {p99:.2} ms, {:.1} × one writer's {p99_alone:.2} ms (wanted 4)",
        percentile(&mut took, 50),
        p99 / p99_alone
    );
}

/// All writers append at all times, each one after the other, as tasks on this thread; answers the milliseconds of each append.
fn append_as_tasks(all: &[Arc<WriteHandle>], row: &[u8], times: std::ops::Range<u64>) -> Vec<f64> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("an executor");
    let tasks: Vec<_> = all
        .iter()
        .map(|writer| {
            let (writer, row, times) = (Arc::clone(writer), row.to_vec(), times.clone());
            runtime.spawn(async move {
                let mut took = Vec::new();
                for time in times {
                    let began = Clock::monotonic_us();
                    let update = [Update::new(row.clone(), time, 1)];
                    writer
                        .compare_and_append(&update, Frontier::At(time), Frontier::At(time + 1))
                        .await
                        .expect("nobody else writes");
                    took.push((Clock::monotonic_us() - began) as f64 / 1e3);
                }
                took
            })
        })
        .collect();
    let mut took = Vec::new();
    for task in tasks {
        took.extend(runtime.block_on(task).expect("a writer ended"));
    }
    took
}

/// Four processes, each with a shard of its own in one location, append for a second at a time.
pub(crate) fn processes() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("file:{}", folder.path().join("location").display());
    let client = crate::client_of(&url);
    let mut others: Vec<Other> = (0..4)
        .map(|_| Other::start(&["append", &url, &client.fresh_shard().to_string()]))
        .collect();
    others
        .iter_mut()
        .for_each(|other| assert_eq!(other.answer(), "ready"));
    let (mut least, mut longest, mut total) = (f64::MAX, 0.0f64, 0);
    for _ in 0..ROUNDS {
        others.iter_mut().for_each(|other| other.tell("1000"));
        let answers: Vec<String> = others.iter_mut().map(Other::answer).collect();
        let counts: Vec<(u64, u64)> = answers
            .iter()
            .map(|line| line.split_once(' ').expect("two numbers"))
            .map(|(count, wait)| (count.parse().expect("a number"), wait.parse().expect("a number")))
            .collect();
        let sum: u64 = counts.iter().map(|c| c.0).sum();
        let fewest = counts.iter().map(|c| c.0).min().expect("there are four");
        least = least.min(fewest as f64 * 4.0 / sum as f64);
        longest = counts.iter().map(|c| c.1 as f64 / 1e6).fold(longest, f64::max);
        total += sum;
    }
    others.into_iter().for_each(Other::end);
    println!(
        "processes  4 processes {:.0}/s together; the slowest had {least:.2} of its fair share (wanted 0.5), \
         longest wait {longest:.2} s (wanted 0.5), {ROUNDS} rounds of a second",
        total as f64 / ROUNDS as f64
    );
}

/// Write, fsync, rename, fsync of the folder: the least a blob needs.
fn durable_file(folder: &Path, number: u64, bytes: &[u8]) {
    let temporary = folder.join(format!("tmp{number}"));
    let mut file = File::create(&temporary).expect("a file");
    file.write_all(bytes).expect("a write");
    file.sync_all().expect("an fsync");
    std::fs::rename(&temporary, folder.join(format!("part{number}"))).expect("a rename");
    File::open(folder)
        .and_then(|f| f.sync_all())
        .expect("an fsync of the folder");
}

/// 1 MB batches, 4 in flight into one shard, beside the file and database operations they need, also 4 in flight.
pub(crate) fn batches() {
    const FLIGHTS: u64 = 4;
    const EACH: u64 = 16;
    const ROUNDS_OF_BATCHES: u64 = 30;
    const LAP: u64 = 4000;
    let folder = tempfile::tempdir().expect("a folder");
    let client = client(&folder.path().join("location"));
    let shard = client.fresh_shard();
    let appending = writer(&client, shard);
    let bare = Mutex::new(peer::sqlite(&folder.path().join("bare.sqlite")));
    let bytes = vec![b'x'; 1 << 20];
    let (turns, their_turns) = (Turns::default(), Turns::default());
    let mut settling = Vec::new();
    let mut rounds = Rounds::default();
    // A log that is written for the first time grows, and each sync of it waits for the file system's journal. SQLite's own limit
    // begins it anew after 1,000 pages, the store's after 4,000: both are past that when the rounds begin.
    let other = writer(&client, client.fresh_shard());
    for time in 0..LAP {
        append(&other, &bytes[..100], time);
        bare.lock()
            .expect("nobody panicked")
            .execute(peer::INSERT, params!["other", time.cast_signed(), &bytes[..100]])
            .expect("an insert");
    }
    for round in 0..ROUNDS_OF_BATCHES {
        let first = round * FLIGHTS * EACH;
        pause();
        rounds.ours(|| {
            thread::scope(|scope| {
                for flight in 0..FLIGHTS {
                    let (writer, bytes, turns) = (&appending, &bytes, &turns);
                    scope.spawn(move || {
                        for step in 0..EACH {
                            let time = first + step * FLIGHTS + flight;
                            let (lower, upper) = (Frontier::At(time), Frontier::At(time + 1));
                            let batch = block_on(async {
                                let mut builder = writer.builder(lower);
                                builder.push(bytes, time, 1).await?;
                                builder.finish(upper).await
                            })
                            .expect("a batch");
                            turns.take(time, || {
                                block_on(writer.compare_and_append_batches(vec![batch], lower, upper))
                                    .expect("nobody else writes");
                            });
                        }
                    });
                }
            });
        });
        settling.push(seconds(|| settle(&client, shard)));
        pause();
        rounds.theirs(|| {
            thread::scope(|scope| {
                for flight in 0..FLIGHTS {
                    let (bytes, bare, folder, turns) = (&bytes, &bare, folder.path(), &their_turns);
                    scope.spawn(move || {
                        for step in 0..EACH {
                            let number = first + step * FLIGHTS + flight;
                            durable_file(folder, number, bytes);
                            turns.take(number, || {
                                let bare = bare.lock().expect("nobody panicked");
                                bare.execute(peer::INSERT, params!["s", number.cast_signed(), &bytes[..300]])
                                    .expect("an insert");
                            });
                        }
                    });
                }
            });
        });
    }
    let (ours, theirs) = rounds.rates((FLIGHTS * EACH) as f64);
    println!(
        "batches    1 MB batches, {FLIGHTS} in flight: {ours:.0} MB/s, the least that must be done {theirs:.0} MB/s, {}",
        rounds.ratio(0.8)
    );
    println!(
        "batches    compaction, which waits for a pause, rewrote each round's {} MB in {:.0} ms (median) after it",
        FLIGHTS * EACH,
        percentile(&mut settling, 50) * 1e3,
    );
}

/// For the file system to end what it began: neither side is to pay for the other's files.
fn pause() {
    block_on(Clock::system().sleep(200));
}

/// Waits until nothing is left that compaction would rewrite.
fn settle(client: &Client, shard: ShardId) {
    loop {
        let seen = block_on(client.inspect(shard))
            .expect("it can be read")
            .expect("it is there");
        if seen
            .state
            .merge_request(&client.settings().get().compaction)
            .is_none()
        {
            return;
        }
        block_on(client.clock().sleep(1));
    }
}
