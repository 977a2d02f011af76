//! From the acknowledgement of an append in one process to its row out of the source in another, over files and
//! SQLite; beside an insert into a plain SQLite table that the other process polls as often.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use dataflow::{ShardInput, SourceOptions, shard_source};
use nix::time::{ClockId, clock_gettime};
use shard::{Client, ClientConfig, Frontier, Location, ShardId, Update};
use timely::dataflow::operators::{Inspect, Probe};

use crate::stage::{CODEC, panicking, percentile, runtime};

const ORDERS: &str = "MILLSTREAM_BENCH_PROCESS";
const APPENDS: u64 = 200;
const DONE: &str = "done";

/// A clock that all processes of the machine share.
fn now_us() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("there is one");
    u64::try_from(now.tv_sec() * 1_000_000 + now.tv_nsec() / 1000).expect("after the start")
}

/// Waits on the runtime's timer, which exists only within it.
fn pause(runtime: &tokio::runtime::Handle, time: Duration) {
    runtime.block_on(async { tokio::time::sleep(time).await });
}

fn client(url: &str) -> Client {
    let location = shard::block_on(Location::open(url)).expect("opens");
    Client::new(location, ClientConfig::default())
}

fn plain(folder: &Path) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(folder.join("plain.sqlite")).expect("opens");
    connection
        .query_row("PRAGMA journal_mode=WAL", [], |_| Ok(()))
        .expect("a pragma");
    let schema = "PRAGMA synchronous=FULL; PRAGMA busy_timeout=5000;
        CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, row BLOB)";
    connection.execute_batch(schema).expect("a table");
    connection
}

/// Follows the shard and the table, and says when it saw what; whether this process is the other one.
pub(crate) fn child() -> bool {
    let Ok(orders) = std::env::var(ORDERS) else {
        return false;
    };
    let (folder, shard) = orders.split_once(';').expect("two orders");
    let runtime = runtime();
    let client = client(&format!("file:{folder}/location"));
    let poll = Duration::from_millis(client.settings().get().listen_poll_ms);
    let table = plain(Path::new(folder));
    let handle = runtime.handle().clone();
    let polling = std::thread::spawn(move || {
        let mut seen = 0;
        while seen < APPENDS {
            let newest = table.query_row("SELECT COALESCE(MAX(id), 0) FROM rows", [], |row| {
                row.get::<_, i64>(0)
            });
            let newest = u64::try_from(newest.expect("readable")).expect("counts up");
            if newest > seen {
                println!("table {} {}", newest - 1, now_us());
                seen = newest;
            }
            pause(&handle, poll);
        }
    });
    let input = ShardInput {
        runtime: runtime.handle().clone(),
        client,
        shard: shard.parse::<ShardId>().expect("a shard"),
        codec: CODEC.to_owned(),
    };
    let worker = timely::execute(timely::Config::thread(), move |worker| {
        let input = input.clone();
        let (token, probe) = worker.dataflow::<u64, _, _>(|scope| {
            let source = shard_source(scope, input, SourceOptions::new("follower", panicking()));
            let rows = source
                .rows
                .inspect(|(_, time, _)| println!("shard {time} {}", now_us()));
            (source.token, rows.probe().0)
        });
        while probe.less_than(&APPENDS) {
            worker.step_or_park(None);
        }
        drop(token);
    });
    drop(worker.expect("a worker starts"));
    polling.join().expect("it ends");
    println!("{DONE}");
    true
}

/// When the other process saw number `number` of `what`.
fn seen(lines: &mut Lines<BufReader<ChildStdout>>, what: &str, number: u64) -> u64 {
    let wanted = format!("{what} {number} ");
    loop {
        let line = lines.next().expect("it lives").expect("readable");
        if let Some(at) = line.strip_prefix(&wanted) {
            return at.parse().expect("a time");
        }
    }
}

pub(crate) fn run() {
    let folder = tempfile::tempdir().expect("a folder");
    let client = client(&format!("file:{}/location", folder.path().display()));
    let shard = client.fresh_shard();
    let runtime = runtime();
    let writer = runtime
        .block_on(client.open_writer(shard, CODEC, "bench"))
        .expect("opens");
    let table = plain(folder.path());
    let mut other = Command::new(std::env::current_exe().expect("a program knows itself"))
        .env(ORDERS, format!("{};{shard}", folder.path().display()))
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut lines = BufReader::new(other.stdout.take().expect("piped")).lines();
    let poll_ms = client.settings().get().listen_poll_ms;
    let row: Arc<[u8]> = vec![b'x'; 100].into();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for number in 0..APPENDS {
        // The other side looked just now. Multiples of the golden ratio lie evenly between this look and the
        // next, so the median is that of all moments and not of the few that were drawn.
        let fraction = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let moment = Duration::from_micros((fraction * poll_ms * 1000) >> 32);
        pause(runtime.handle(), moment);
        let update = [Update::new(row.to_vec(), number, 1)];
        let appended = writer.compare_and_append(&update, Frontier::At(number), Frontier::At(number + 1));
        runtime.block_on(appended).expect("appends");
        let acknowledged = now_us();
        ours.push(seen(&mut lines, "shard", number).saturating_sub(acknowledged));
        pause(runtime.handle(), moment);
        let id = i64::try_from(number + 1).expect("small");
        table
            .execute(
                "INSERT INTO rows VALUES (?1, ?2)",
                rusqlite::params![id, &row[..]],
            )
            .expect("inserts");
        let acknowledged = now_us();
        theirs.push(seen(&mut lines, "table", number).saturating_sub(acknowledged));
    }
    let status = other.wait().expect("a child");
    assert!(status.success(), "the other process: {status}");
    let wanted = poll_ms * 1000 / 2 + 2_000;
    println!(
        "processes    two processes over files and SQLite, poll {poll_ms} ms, {APPENDS} appends: median {} us (wanted {wanted}), p99 {} us; a table polled as often: median {} us, p99 {} us",
        percentile(ours.clone(), 50),
        percentile(ours, 99),
        percentile(theirs.clone(), 50),
        percentile(theirs, 99),
    );
    std::io::stdout().flush().expect("writable");
}
