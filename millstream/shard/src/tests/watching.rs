//! The watcher that looks after each change says what a replay of everything says.

use std::sync::Arc;

use bytes::Bytes;

use super::world::{World, at};
use crate::ids::{SeqNo, mix};
use crate::mutant::Mutant;
use crate::rt::block_on;
use crate::state::State;
use crate::state::codec::{decode_rollup, encode_diff, encode_rollup};
use crate::state::diff::StateDiff;
use crate::store::{CasResult, Consensus, Versioned};
use crate::testing::invariants::{Log, Watcher};

/// Both verdicts on what the stores hold.
fn verdicts(w: &World, watcher: &mut Watcher) -> [Result<(), String>; 2] {
    let replayed = Log::read(w.shard, &w.stores.consensus, &w.stores.blob)
        .and_then(|log| log.map_or(Ok(()), |log| log.check(&w.stores.blob)));
    [watcher.check(&w.stores.consensus, &w.stores.blob), replayed]
}

/// A shard with a history, parts and several rollups; one watcher looks after each step, another now and then.
fn lived(seed: u64) -> (World, Watcher) {
    let mut w = World::new(Mutant::None);
    let (mut eager, mut lazy) = (Watcher::new(w.shard), Watcher::new(w.shard));
    let writer = w.writer();
    let mut reader = w.reader();
    for step in 0..40 {
        match mix(seed ^ mix(step)) % 8 {
            0 => {
                w.compact();
            }
            1 | 2 => {
                w.collect();
            }
            3 | 4 => {
                let upper = w.upper().time().expect("nobody closed it");
                reader = w.run(async move {
                    reader
                        .downgrade_since(at(upper / 2))
                        .await
                        .expect("the reader lives");
                    reader
                });
            }
            _ => {
                let upper = w.upper().time().expect("nobody closed it");
                w.append(&writer, &[("a", upper, 1)], upper, upper + 1)
                    .expect("nobody else writes");
            }
        }
        let mut looking = vec![&mut eager];
        if step % 7 == 0 {
            looking.push(&mut lazy);
        }
        for watcher in looking {
            assert_eq!(
                verdicts(&w, watcher),
                [Ok(()), Ok(())],
                "seed {seed}, step {step}"
            );
        }
    }
    drop(reader);
    (w, eager)
}

#[test]
fn what_is_sound_is_sound_for_the_watcher() {
    for seed in 0..20 {
        lived(seed);
    }
}

/// Appends a version behind everyone's back.
fn forge(w: &World, data: Vec<u8>) {
    let newest = w.log().expect("it is sound").current.seqno;
    let new = Versioned {
        seqno: newest.next(),
        data: data.into(),
    };
    let key = w.shard.to_string();
    let put = w.stores.consensus.compare_and_set(&key, Some(newest), new);
    assert_eq!(block_on(put).unwrap(), CasResult::Committed);
}

/// The diff to a state that `change` made of the newest.
fn forge_state(w: &World, change: impl FnOnce(&mut State)) {
    let old = w.log().expect("it is sound").current;
    let mut new = old.clone();
    new.seqno = old.seqno.next();
    new.walltime_ms += 1;
    change(&mut new);
    forge(w, encode_diff(&StateDiff::between(&old, &new)));
}

type Damage = fn(&World);

#[test]
fn what_is_broken_is_broken_for_the_watcher() {
    let damages: &[(&str, Damage)] = &[
        ("SH-4", |w| {
            let current = w.log().unwrap().current;
            w.stores.blob.lose(&current.latest_rollup().unwrap().1.key);
        }),
        ("SH-4", |w| {
            let log = w.log().unwrap();
            w.stores.blob.lose(&log.current.rollups[&log.start.seqno].key);
        }),
        ("SH-6", |w| {
            let current = w.log().unwrap().current;
            w.stores.blob.lose(current.part_keys().first().unwrap());
        }),
        ("SH-1", |w| {
            let current = w.log().unwrap().current;
            let (_, newest) = current.latest_rollup().unwrap();
            let mut other = decode_rollup(&w.stores.blob.peek(&newest.key).unwrap()).unwrap();
            other.codec.push('!');
            // Where readers begin: replaying from there leads elsewhere.
            w.stores
                .blob
                .poke(&newest.key, Bytes::from(encode_rollup(&other)));
        }),
        ("damaged rollup", |w| {
            let log = w.log().unwrap();
            let (_, newest) = log.current.latest_rollup().unwrap();
            w.stores.blob.poke(&newest.key, Bytes::from_static(b"MSRU"));
        }),
        ("damaged diff", |w| forge(w, b"MSDF".to_vec())),
        ("SH-1", |w| {
            let newest = w.stores.consensus.dump(&w.shard.to_string()).pop().unwrap();
            forge(w, newest.data.to_vec());
        }),
        ("SH-3", |w| {
            // Held where the log does not begin any more, though a rollup is said to be there.
            forge_state(w, |state| {
                let held = state.leased.values_mut().next().expect("a reader");
                held.seqno = SeqNo::FIRST;
                let (_, rollup) = state.latest_rollup().expect("one");
                state.rollups.insert(SeqNo::FIRST, rollup.clone());
            });
        }),
        ("state at", |w| {
            forge_state(w, |state| {
                let (_, batch) = state.batches.pop_last().expect("a batch");
                let mut twice = (*batch).clone();
                twice.desc.lower = twice.desc.upper;
                state.batches.insert(twice.desc.lower, Arc::new(twice));
            });
        }),
    ];
    let mut told = 0;
    for (wanted, damage) in damages {
        for seed in 0..6 {
            let (w, mut watcher) = lived(seed);
            let log = w.log().unwrap();
            // What the damages need: something to lose, a second rollup, and a version that is gone.
            let rollups = log.current.rollups.range(log.start.seqno..).count();
            if log.start.seqno == SeqNo::FIRST || log.current.part_keys().is_empty() || rollups < 2 {
                continue;
            }
            damage(&w);
            let [watched, replayed] = verdicts(&w, &mut watcher);
            let [fresh, _] = verdicts(&w, &mut Watcher::new(w.shard));
            let said = [watched, fresh, replayed].map(|verdict| verdict.expect_err(wanted));
            assert!(
                said.iter().any(|said| said.contains(wanted)),
                "seed {seed}, {wanted}: {said:?}"
            );
            told += 1;
        }
    }
    assert!(told > damages.len(), "{told} damages were tried");
}

#[test]
fn what_goes_back_between_two_looks_is_noticed() {
    let (w, mut watcher) = lived(1);
    let since = w.log().unwrap().current.since;
    assert!(since > at(0), "the since moved");
    forge_state(&w, |state| {
        state.since = at(0);
        let batches = state.batches.values_mut();
        for batch in batches {
            Arc::make_mut(batch).desc.since = at(0);
        }
    });
    // The next version is as it was, so that the newest state alone shows nothing.
    forge_state(&w, |state| state.since = since);
    let said = watcher.check(&w.stores.consensus, &w.stores.blob).unwrap_err();
    assert!(said.starts_with("SH-7: since went back"), "{said}");
}
