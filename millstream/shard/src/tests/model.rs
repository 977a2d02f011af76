//! Random interleavings: two processes, faults at every operation, suspended and dying tasks, from a seed.
//!
//! Each history is short; what was acknowledged is compared with what an independent process reads at the end,
//! and the invariants of the log are checked. A failing seed prints how to run it again: set `SHARD_SEED`.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::world::{CODEC, Proof, World, at, ensure};
use crate::ids::mix;
use crate::mutant::Mutant;
use crate::settings::Settings;
use crate::testing::faulty::{Fate, Faulty, Op};
use crate::{AppendError, Client, ShardId, Update};

/// Draws of one history, each addressed by what it decides.
#[derive(Clone, Copy)]
struct Draws(u64);

impl Draws {
    fn of(self, what: u64, index: u64) -> u64 {
        mix(self.0 ^ mix(what ^ mix(index)))
    }
}

/// What appends were told: row to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Asked,
    Committed,
    Refused,
    Unknown,
}

type Record = Arc<Mutex<BTreeMap<String, Told>>>;

fn faults(stores: &Faulty, draws: Draws) {
    let mut index = 0;
    stores.script(move |op| {
        index += 1;
        match (draws.of(1, index) % 40, op) {
            (0, Op::Cas(_)) => Fate::Late(u32::try_from(draws.of(2, index) % 6).expect("small") + 1),
            (1, _) => Fate::Refused,
            (2, _) => Fate::Lost,
            (3 | 4, _) => Fate::Unanswered,
            (5, _) if draws.of(3, index).is_multiple_of(8) => Fate::DiesBefore,
            (6, _) if draws.of(3, index).is_multiple_of(8) => Fate::DiesAfter,
            _ => Fate::Pass,
        }
    });
}

/// Appends rows of its own as long as nobody else is in the way; a lost race reads the new upper.
async fn write(client: Client, shard: ShardId, who: &'static str, draws: Draws, record: Record) {
    let Ok(mut writer) = client.open_writer(shard, CODEC, who).await else {
        return;
    };
    let Ok(mut upper) = writer.fetch_upper().await else {
        return;
    };
    for index in 0..3 {
        let Some(lower) = upper.time() else { return };
        let row = format!("{who}{index}");
        record.lock().insert(row.clone(), Told::Asked);
        let next = at(lower + 1 + draws.of(5, index) % 2);
        match writer
            .compare_and_append(&[Update::new(row.as_bytes(), lower, 1)], upper, next)
            .await
        {
            Ok(()) => {
                record.lock().insert(row, Told::Committed);
                upper = next;
            }
            Err(AppendError::UpperMismatch { current, .. }) => {
                record.lock().insert(row, Told::Refused);
                upper = current;
            }
            Err(AppendError::Unknown { .. }) => {
                record.lock().insert(row, Told::Unknown);
                let Ok(fresh) = client.open_writer(shard, CODEC, who).await else {
                    return;
                };
                writer = fresh;
                let Ok(now) = writer.fetch_upper().await else {
                    return;
                };
                upper = now;
            }
            Err(_) => return,
        }
    }
}

/// Reads, holds and lets go; a part that is leased and missing is a finding, but for an expired lease.
async fn read(client: Client, shard: ShardId, findings: Arc<Mutex<Vec<String>>>) {
    let Ok(reader) = client.open_leased_reader(shard, CODEC, "read").await else {
        return;
    };
    for _ in 0..2 {
        let Ok(upper) = reader.fetch_upper().await else {
            return;
        };
        let Some(as_of) = upper.time().and_then(|t| t.checked_sub(1)) else {
            continue;
        };
        let Ok(parts) = reader.snapshot(as_of).await else {
            return;
        };
        if reader.downgrade_since(at(as_of)).await.is_err() {
            return;
        }
        for part in &parts {
            if let Err(error) = reader.fetcher().fetch(part.part()).await {
                findings.lock().push(error.to_string());
            }
        }
    }
    let _ = reader.expire().await;
}

async fn maintain(client: Client, shard: ShardId, draws: Draws) {
    for index in 0..3 {
        let done = match draws.of(7, index) % 2 {
            0 => client.compact(shard).await.map(drop),
            _ => client.collect_garbage(shard).await.map(drop),
        };
        if done.is_err() {
            return;
        }
    }
}

/// One history.
fn history(seed: u64, mutant: Mutant, watched: bool) -> Proof {
    let draws = Draws(seed);
    let mut w = World::with(
        mutant,
        Settings {
            // In every other history upkeep travels with appends where it can.
            upkeep_ride_ms: draws.of(18, 0) % 2 * 20,
            ..World::settings()
        },
    );
    if !watched {
        w.stores.unwatch();
    }
    let (other, others) = w.process();
    if !watched {
        others.unwatch();
    }
    let shard = w.shard;
    // The shard is made without faults: its making has crash tests of its own.
    drop(w.writer());
    faults(&w.stores, Draws(draws.of(11, 0)));
    faults(&others, Draws(draws.of(12, 0)));
    let record: Record = Arc::default();
    let findings: Arc<Mutex<Vec<String>>> = Arc::default();
    let first = w.client.clone();
    let tasks = [
        w.spawn(write(
            first.clone(),
            shard,
            "a",
            Draws(draws.of(13, 0)),
            Arc::clone(&record),
        ))
        .task(),
        w.spawn(write(
            other.clone(),
            shard,
            "b",
            Draws(draws.of(14, 0)),
            Arc::clone(&record),
        ))
        .task(),
        w.spawn(read(other.clone(), shard, Arc::clone(&findings))).task(),
        w.spawn(maintain(first, shard, Draws(draws.of(15, 0)))).task(),
        w.spawn(maintain(other, shard, Draws(draws.of(16, 0)))).task(),
    ];
    let mut step = 0;
    // Whoever died never moves again; the others go on until they end or wait for the dead.
    for _ in 0..400 {
        w.sim.settle_by(&mut |ready| {
            step += 1;
            usize::try_from(draws.of(17, step) % ready.len() as u64).expect("small")
        });
        let Some(deadline) = w.clock.next_deadline_ms() else {
            break;
        };
        w.clock.advance(deadline.saturating_sub(w.clock.now_ms()));
    }
    for task in tasks {
        w.sim.abort(task);
    }
    // What is still on its way arrives after everyone died.
    let (late, late_others) = (w.stores.clone(), others.clone());
    w.run(async move {
        late.deliver_late().await;
        late_others.deliver_late().await;
    });
    let broken = w.stores.broken().or_else(|| others.broken());
    ensure!(broken.is_none(), "{}", broken.unwrap_or_default());
    w.log()?.check(&w.stores.blob)?;
    let findings = findings.lock().clone();
    ensure!(findings.is_empty(), "a leased part: {findings:?}");
    let upper = w.log()?.current.upper().time().ok_or("nobody closed it")?;
    let mut there: BTreeMap<String, i64> = BTreeMap::new();
    if upper > 0 {
        for update in w.contents(upper - 1).map_err(|e| e.to_string())? {
            there.insert(String::from_utf8_lossy(&update.row).into_owned(), update.diff);
        }
    }
    for (row, told) in record.lock().iter() {
        let count = there.remove(row).unwrap_or(0);
        let right = match told {
            Told::Committed => count == 1,
            Told::Refused => count == 0,
            Told::Unknown | Told::Asked => count == 0 || count == 1,
        };
        ensure!(right, "{row} was told {told:?} and is there {count} times");
    }
    ensure!(there.is_empty(), "rows that nobody wrote: {there:?}");
    Ok(())
}

/// A stretch of seeds; the first that fails, with the way to run it again.
fn histories(from: u64, count: u64, mutant: Mutant) -> Proof {
    for seed in from..from + count {
        let told = std::panic::catch_unwind(|| history(seed, mutant, seed % 64 == 0));
        told.unwrap_or_else(|_| Err("it panicked, as printed above".to_owned())).map_err(|why| {
            format!("seed {seed}: {why}\n  again: SHARD_SEED={seed} cargo test -p millstream-shard random_interleavings")
        })?;
    }
    Ok(())
}

/// How many histories the test run takes, all threads together; `SHARD_HISTORIES` asks for another number.
const HISTORIES: u64 = 100_000;

#[test]
fn random_interleavings_keep_every_promise() {
    if let Ok(seed) = std::env::var("SHARD_SEED") {
        let seed = seed.parse().expect("SHARD_SEED is a number");
        return history(seed, Mutant::None, true).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
    }
    let asked = std::env::var("SHARD_HISTORIES")
        .ok()
        .map(|n| n.parse().expect("SHARD_HISTORIES is a number"));
    let total: u64 = asked.unwrap_or(HISTORIES);
    let threads = std::thread::available_parallelism().map_or(2, |n| n.get() as u64);
    let share = total.div_ceil(threads);
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..threads)
            .map(|i| scope.spawn(move || histories(i * share, share, Mutant::None)))
            .collect();
        for run in runs {
            run.join()
                .expect("a history panicked")
                .unwrap_or_else(|why| panic!("{why}"));
        }
    });
}

#[test]
fn random_interleavings_find_planted_defects() {
    let planted = [
        Mutant::DoubtMeansSuccess,
        Mutant::DoubtIsMismatch,
        Mutant::GcIgnoresHolds,
        Mutant::UpperUnchecked,
        Mutant::RideBesideCommit,
    ];
    for mutant in planted {
        let found = std::panic::catch_unwind(|| histories(0, 3_000, mutant));
        assert!(
            !matches!(found, Ok(Ok(()))),
            "{mutant:?} was not found in 3,000 histories"
        );
    }
}
