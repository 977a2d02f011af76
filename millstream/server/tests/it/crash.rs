//! Real crashes: processes that append, read, compact and collect, killed at random over real stores.
//!
//! The judge is this process's record of the acknowledgements it read through pipes, and a reader that shares
//! nothing with the dead; not `verify`, which runs besides.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;

use crate::servers::{PostgresServer, S3Server};
use crate::{location, millstream, new_shard, run, s3_location, stderr, stdout};

/// How often a writer is killed; `MILLSTREAM_KILLS` asks for another number.
const KILLS: u64 = 20;

/// A draw that depends on all bits of `x` (SplitMix64's finaliser).
fn draw(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[test]
fn killed_writers_lose_nothing_that_was_acknowledged_on_sqlite_and_files() {
    let folder = tempfile::tempdir().unwrap();
    let location = location(folder.path());
    killed_writers_lose_nothing(&location, folder.path());
}

#[test]
fn killed_writers_lose_nothing_that_was_acknowledged_on_postgres_and_s3() {
    let folder = tempfile::tempdir().unwrap();
    let (Some(postgres), Some(s3)) = (PostgresServer::start(), S3Server::start()) else {
        return;
    };
    let location = s3_location(&s3, "crashes", Some(&postgres));
    killed_writers_lose_nothing(&location, folder.path());
}

#[test]
fn killed_writers_lose_nothing_that_was_acknowledged_on_s3_alone() {
    let folder = tempfile::tempdir().unwrap();
    let Some(s3) = S3Server::start() else {
        return;
    };
    let location = s3_location(&s3, "crashes", None);
    killed_writers_lose_nothing(&location, folder.path());
}

fn killed_writers_lose_nothing(location: &str, folder: &Path) {
    let kills = std::env::var("MILLSTREAM_KILLS").map_or(KILLS, |n| n.parse().expect("a number"));
    let shard = new_shard(location, folder, "{\"row\":\"first\"}\n");
    let mut acknowledged: Vec<String> = vec!["first".to_owned()];
    let mut asked: BTreeMap<String, bool> = BTreeMap::new();
    for life in 0..kills {
        let mut writer = millstream(&["append", location, &shard, "--each"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Meanwhile another process rewrites, deletes or reads; it is killed too.
        let command = ["compact", "gc", "tail"][usize::try_from(life % 3).expect("small")];
        let mut other = millstream(&[command, location, &shard])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut input = writer.stdin.take().unwrap();
        let mut answers = BufReader::new(writer.stdout.take().unwrap()).lines();
        let survive = draw(life * 7 + 1) % 6;
        let width = if draw(life * 7 + 2).is_multiple_of(2) {
            10
        } else {
            6000
        };
        // One line is always on its way when the process dies, at a moment of the scheduler's choice.
        for index in 0..=survive {
            let row = format!("{life}-{index}-{}", "x".repeat(width));
            asked.insert(row.clone(), false);
            if writeln!(input, "{{\"row\":\"{row}\"}}").is_err() {
                break;
            }
            if index == survive {
                break;
            }
            match answers.next() {
                Some(Ok(_)) => {
                    asked.insert(row.clone(), true);
                    acknowledged.push(row);
                }
                _ => break,
            }
        }
        for _ in 0..draw(life * 7 + 3) % 50_000 {
            std::hint::spin_loop();
        }
        writer.kill().unwrap();
        // An acknowledgement may have left before the kill arrived.
        for (index, line) in answers.enumerate() {
            assert!(index == 0 && line.is_ok(), "one answer was outstanding");
            let row = format!("{life}-{survive}-{}", "x".repeat(width));
            asked.insert(row.clone(), true);
            acknowledged.push(row);
        }
        writer.wait().unwrap();
        other.kill().unwrap();
        other.wait().unwrap();
    }
    let output = run(&["read", location, &shard]);
    assert!(output.status.success(), "{}", stderr(&output));
    let mut there: BTreeMap<String, i64> = BTreeMap::new();
    for line in stdout(&output).lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        there.insert(
            line["row"].as_str().unwrap().to_owned(),
            line["diff"].as_i64().unwrap(),
        );
    }
    for row in &acknowledged {
        assert_eq!(
            there.remove(row),
            Some(1),
            "acknowledged, and not there once: {}",
            &row[..row.len().min(20)]
        );
    }
    for (row, count) in &there {
        assert!(
            asked.contains_key(row) && *count == 1,
            "nobody wrote this once: {}",
            &row[..row.len().min(20)]
        );
    }
    println!(
        "{} acknowledged and there, {} in doubt and there, {kills} kills",
        acknowledged.len(),
        there.len()
    );
    let verified = run(&["verify", location, &shard]);
    assert!(
        verified.status.success(),
        "{}{}",
        stdout(&verified),
        stderr(&verified)
    );
    // Each death leaves at most what it was writing: a part or a rollup of each of the two processes.
    let leaked: u64 = stdout(&verified)
        .split("; ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next()?.parse().ok())
        .expect("verify counts what nothing references");
    assert!(leaked <= 2 * kills, "{leaked} blobs leaked by {kills} deaths");
}
