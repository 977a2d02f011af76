//! Following a shard: how soon an append is seen, and what waiting costs.

use std::path::Path;
use std::sync::mpsc::channel;
use std::thread;

use shard::ids::mix;
use shard::{Client, ClientConfig, Clock, Frontier, Location, Settings, Update, block_on};

use crate::others::Other;
use crate::rounds::{cpu_seconds, machine_us, percentile};
use crate::{client, client_of, peer, reader, writer};

/// From the acknowledgement of an append to the update at a listener, in one process.
pub(crate) fn latency() {
    let client = Client::new(Location::mem(), ClientConfig::default());
    let shard = client.fresh_shard();
    let writer = writer(&client, shard);
    let reader = reader(&client, shard);
    let (send, receive) = channel();
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
    let append = |row: &str, time: u64| {
        let lower = if time == 1 { 0 } else { time };
        let update = [Update::new(row, time, 1)];
        block_on(writer.compare_and_append(&update, Frontier::At(lower), Frontier::At(time + 1)))
            .expect("alone");
        Clock::monotonic_us()
    };
    let mut took: Vec<f64> = (1..2001)
        .map(|time| {
            let acknowledged = append("x", time);
            let arrived = receive.recv().expect("the listener lives");
            arrived.saturating_sub(acknowledged) as f64 / 1e3
        })
        .collect();
    append("stop", 2001);
    listener.join().expect("the listener ended");
    println!(
        "latency    append acknowledged to update received over memory: median {:.3} ms (wanted 2), p99 {:.3} ms",
        percentile(&mut took, 50),
        percentile(&mut took, 99)
    );
}

const TAILED: u64 = 40;

/// Appends at moments that have nothing to do with the other's polling, and asks when each arrived.
fn follow(mut other: Other, poll_ms: u64, append: &mut dyn FnMut(&str, u64)) -> Vec<f64> {
    let clock = Clock::system();
    assert_eq!(other.answer(), "ready");
    let mut took = Vec::new();
    for time in 1..=TAILED {
        block_on(clock.sleep(mix(time) % (poll_ms + 1)));
        append("x", time);
        let acknowledged = machine_us();
        let arrived: u64 = other.answer().parse().expect("a number");
        took.push(arrived.saturating_sub(acknowledged) as f64 / 1e3);
    }
    append("stop", TAILED + 1);
    other.end();
    took
}

/// The same between two processes on SQLite and files, beside a process that polls a plain table as often.
pub(crate) fn tail() {
    let poll_ms = Settings::default().listen_poll_ms;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..crate::rounds::ROUNDS {
        let folder = tempfile::tempdir().expect("a folder");
        ours.push(follow_shard(folder.path(), poll_ms));
        theirs.push(follow_table(folder.path(), poll_ms));
    }
    for (what, rounds) in [("ours", &mut ours), ("plain table", &mut theirs)] {
        let mut medians: Vec<f64> = rounds.iter_mut().map(|took| percentile(took, 50)).collect();
        let mut all: Vec<f64> = rounds.concat();
        println!(
            "tail       two processes, polling every {poll_ms} ms, {what}: median {:.1} ms ({} rounds: {:.1} to {:.1}; \
             wanted {}), p99 {:.1} ms",
            percentile(&mut all, 50),
            medians.len(),
            percentile(&mut medians, 0),
            percentile(&mut medians, 100),
            poll_ms / 2 + 2,
            percentile(&mut all, 99)
        );
    }
}

fn follow_shard(folder: &Path, poll_ms: u64) -> Vec<f64> {
    let url = format!("file:{}", folder.join("location").display());
    let client = client_of(&url);
    let shard = client.fresh_shard();
    let writer = writer(&client, shard);
    let other = Other::start(&["tail", &url, &shard.to_string()]);
    follow(other, poll_ms, &mut |row, time| {
        let lower = if time == 1 { 0 } else { time };
        let update = [Update::new(row, time, 1)];
        block_on(writer.compare_and_append(&update, Frontier::At(lower), Frontier::At(time + 1)))
            .expect("alone");
    })
}

fn follow_table(folder: &Path, poll_ms: u64) -> Vec<f64> {
    let path = folder.join("plain.sqlite");
    let table = peer::table(&path);
    let path = path.to_str().expect("a temporary path is text");
    let other = Other::start(&["poll", path, &poll_ms.to_string()]);
    follow(other, poll_ms, &mut |row, time| {
        peer::insert_row(&table, row.as_bytes(), time)
    })
}

/// What 1,000 shards with waiting listeners cost while nothing happens, heartbeats included.
pub(crate) fn idle() {
    let folder = tempfile::tempdir().expect("a folder");
    let client = client(&folder.path().join("location"));
    let mut waiting = Vec::new();
    for _ in 0..1000 {
        let shard = client.fresh_shard();
        waiting.push(block_on(reader(&client, shard).listen(0)).expect("it can be read"));
    }
    let clock = client.clock().clone();
    block_on(async {
        let mut all: Vec<_> = waiting.iter_mut().map(|listen| Box::pin(listen.next())).collect();
        std::future::poll_fn(|cx| {
            for listen in &mut all {
                assert!(listen.as_mut().poll(cx).is_pending(), "nothing was written");
            }
            std::task::Poll::Ready(())
        })
        .await;
        let measured = async |ms: u64| {
            let (began, cpu) = (Clock::monotonic_us(), cpu_seconds());
            clock.sleep(ms).await;
            (cpu_seconds() - cpu, (Clock::monotonic_us() - began) as f64 / 1e6)
        };
        measured(1000).await;
        let (cpu, wall) = measured(10_000).await;
        // A heartbeat of everyone, now; by default there is one every half lease.
        let lease_ms = Settings::default().reader_lease_ms;
        client.settings().update(&mut |s| s.reader_lease_ms = 0);
        clock.sleep(150).await;
        client.settings().update(&mut |s| s.reader_lease_ms = lease_ms);
        let (beats, beating) = measured(5_000).await;
        let beats = (beats - cpu / wall * beating).max(0.0);
        let every = lease_ms as f64 / 2e3;
        println!(
            "idle       1000 shards with waiting listeners: {:.2} % of a core, and {beats:.2} CPU s every {every:.0} s \
             for heartbeats: {:.2} % (wanted 1)",
            cpu / wall * 100.0,
            (cpu / wall + beats / every) * 100.0
        );
    });
}
