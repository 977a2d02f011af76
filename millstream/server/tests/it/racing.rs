//! Two processes commit to one log of versions as fast as they can, one of them verifying a shard besides.
//!
//! What one process tests in the conformance suite is not enough: locks of files belong to processes, and a store in
//! memory between two threads is not a store between two hosts.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use shard::ids::SeqNo;
use shard::store::{CasResult, Consensus, Versioned};
use shard::{Client, ClientConfig, Location, ShardId, block_on};

use crate::servers::{PostgresServer, S3Server};
use crate::{location, new_shard, s3_location};

/// Attempts of each process.
const ATTEMPTS: u64 = 300;
/// Versions of this key are raced for.
const KEY: &str = "race";
/// Set in the processes that race.
const ROLE: &str = "MILLSTREAM_RACER";

#[test]
fn two_processes_never_commit_the_same_version_on_sqlite() {
    if raced_here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let location = location(folder.path());
    let name = "racing::two_processes_never_commit_the_same_version_on_sqlite";
    one_log_of_two_processes(&location, folder.path(), name);
}

#[test]
fn two_processes_never_commit_the_same_version_on_postgres() {
    if raced_here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (Some(postgres), Some(s3)) = (PostgresServer::start(), S3Server::start()) else {
        return;
    };
    let location = s3_location(&s3, "races", Some(&postgres));
    let name = "racing::two_processes_never_commit_the_same_version_on_postgres";
    one_log_of_two_processes(&location, folder.path(), name);
}

#[test]
fn two_processes_never_commit_the_same_version_on_s3() {
    if raced_here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let Some(s3) = S3Server::start() else {
        return;
    };
    let location = s3_location(&s3, "races", None);
    let name = "racing::two_processes_never_commit_the_same_version_on_s3";
    one_log_of_two_processes(&location, folder.path(), name);
}

/// This test program once more, with only the test `name`, as a racer.
fn racer(name: &str, role: &str) -> Child {
    Command::new(std::env::current_exe().expect("a program knows its path"))
        .args([name, "--exact", "--nocapture"])
        .env(ROLE, role)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program runs again")
}

fn one_log_of_two_processes(location: &str, folder: &std::path::Path, name: &str) {
    let shard = new_shard(location, folder, "{\"row\":\"a\"}\n");
    let mut racers: Vec<Child> = (0..2)
        .map(|who| racer(name, &format!("{who} {shard} {location}")))
        .collect();
    let mut answers: Vec<_> = racers
        .iter_mut()
        .map(|racer| BufReader::new(racer.stdout.take().expect("piped")).lines())
        .collect();
    let mut next = |who: usize| -> Option<String> {
        answers[who]
            .by_ref()
            .map(|line| line.expect("text"))
            .find_map(|line| line.strip_prefix("racer ").map(str::to_owned))
    };
    for who in 0..2 {
        assert_eq!(next(who).as_deref(), Some("ready"));
    }
    for racer in &mut racers {
        writeln!(racer.stdin.as_mut().expect("piped"), "go").expect("it listens");
    }
    let mut owners: BTreeMap<u64, usize> = BTreeMap::new();
    let mut won = [0u64; 2];
    let mut verified = 0;
    for (who, won) in won.iter_mut().enumerate() {
        while let Some(line) = next(who) {
            if line == "verified" {
                verified += 1;
                continue;
            }
            let seqno: u64 = line.parse().expect("a version");
            let other = owners.insert(seqno, who);
            assert_eq!(other, None, "version {seqno} was committed twice: the log forked");
            *won += 1;
        }
    }
    for mut racer in racers {
        assert!(racer.wait().expect("it ended").success());
    }
    println!("versions won: {won:?}, verified {verified} times meanwhile");
    assert!(
        verified > 0 && won.iter().all(|n| *n > 0),
        "they did not race: {won:?}"
    );
    let newest = *owners.keys().next_back().expect("somebody won");
    let all: Vec<u64> = owners.keys().copied().collect();
    assert_eq!(
        all,
        (1..=newest).collect::<Vec<_>>(),
        "a version nobody was told of"
    );
    let location = block_on(Location::open(location)).expect("it opens");
    let left = block_on(location.consensus().scan(KEY, SeqNo::ZERO, usize::MAX >> 1)).expect("it answers");
    assert_eq!(left.last().expect("never empty").seqno.get(), newest);
    for version in left {
        let owner = owners[&version.seqno.get()];
        assert_eq!(version.data, owner.to_string().into_bytes(), "{}", version.seqno);
    }
}

/// What a racer does; false in the process that starts them.
fn raced_here() -> bool {
    let Ok(role) = std::env::var(ROLE) else {
        return false;
    };
    let parts: Vec<&str> = role.splitn(3, ' ').collect();
    let [who, shard, location] = parts[..] else {
        panic!("{ROLE}={role}");
    };
    let shard: ShardId = shard.parse().expect("a shard");
    let location = block_on(Location::open(location)).expect("it opens");
    let consensus = Arc::clone(location.consensus());
    let client = Client::new(location, ClientConfig::default());
    println!("\nracer ready");
    let mut go = String::new();
    std::io::stdin().read_line(&mut go).expect("the parent lives");
    for attempt in 0..ATTEMPTS {
        if let Some(seqno) = block_on(one_attempt(&*consensus, who, attempt)) {
            println!("\nracer {seqno}");
        }
        if who == "1" && attempt % 30 == 0 {
            let found = block_on(client.verify(shard))
                .expect("it answers")
                .expect("it is there");
            assert!(found.problems.is_empty(), "{:?}", found.problems);
            println!("\nracer verified");
        }
    }
    true
}

/// The version committed, if it was this one's turn to win.
async fn one_attempt(consensus: &dyn Consensus, who: &str, attempt: u64) -> Option<u64> {
    let head = consensus.head(KEY).await.expect("it answers");
    let expected = head.map(|version| version.seqno);
    if let Some(newest) = expected
        && attempt % 40 == 39
    {
        consensus.truncate(KEY, newest).await.expect("it answers");
    }
    let new = Versioned {
        seqno: expected.map_or(SeqNo::FIRST, SeqNo::next),
        data: who.to_owned().into(),
    };
    let seqno = new.seqno.get();
    match consensus.compare_and_set(KEY, expected, new).await {
        Ok(CasResult::Committed) => Some(seqno),
        Ok(CasResult::ExpectationMismatch) => None,
        Err(error) => {
            assert!(error.is_determinate(), "{error}");
            None
        }
    }
}
