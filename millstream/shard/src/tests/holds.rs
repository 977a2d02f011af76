//! Holds, leases and expiry: SH-7, SH-17 to SH-21, H8, H11.

use super::world::{CODEC, Proof, World, at, ensure, rows};
use crate::ids::{CriticalId, SeqNo};
use crate::machine::Flow;
use crate::mutant::Mutant;
use crate::state::State;
use crate::{DowngradeError, FetchError, Frontier, ReadError};

pub(super) fn nothing_regresses(mutant: Mutant) -> Proof {
    let mut w = World::new(mutant);
    let writer = w.writer();
    let reader = w.reader();
    w.append(&writer, &[("a", 0, 1)], 0, 9)
        .map_err(|e| e.to_string())?;
    let since = w.run(async move {
        reader.downgrade_since(at(5)).await.expect("the reader lives");
        reader.downgrade_since(at(3)).await.expect("the reader lives")
    });
    ensure!(since == at(5), "the reader's since went back to {since}");
    let mut state = w.log()?.current;
    let (id, held) = state
        .leased
        .iter()
        .next()
        .map(|(id, r)| (*id, r.seqno))
        .ok_or("the reader is gone")?;
    let _ = state.downgrade_since(id, SeqNo::FIRST, Frontier::MIN, 0, mutant);
    ensure!(
        state.leased[&id].seqno >= held,
        "the reader's SeqNo hold went back"
    );
    w.sound()
}

/// Parts are taken; a thousand versions, compaction and collection later they can still be fetched. When the
/// lease is dropped they are collected.
pub(super) fn leased_part_survives(mutant: Mutant) -> Proof {
    let mut w = World::new(mutant);
    let writer = w.writer();
    let reader = w.reader();
    for t in 0..4 {
        w.append(&writer, &[("a", t, 1)], t, t + 1)
            .map_err(|e| e.to_string())?;
    }
    let (reader, parts) = w.run(async move {
        let parts = reader.snapshot(3).await.expect("it can be read");
        (reader, parts)
    });
    let keys: Vec<String> = parts
        .iter()
        .filter_map(|p| p.part().key().map(str::to_owned))
        .collect();
    ensure!(keys.len() == 4, "{} parts", keys.len());
    let mut reader = reader;
    for round in 0..10 {
        for t in 0..100 {
            let t = 4 + round * 100 + t;
            w.append(&writer, &[], t, t + 1).map_err(|e| e.to_string())?;
        }
        reader = w.run(async move {
            reader.downgrade_since(at(4)).await.expect("the reader lives");
            reader
        });
        w.compact();
        w.collect();
    }
    let fetcher = reader.fetcher();
    let leases = parts.clone();
    let fetched = w.run(async move {
        for part in &parts {
            fetcher.fetch(part.part()).await?;
        }
        Ok::<(), FetchError>(())
    });
    ensure!(fetched.is_ok(), "a leased part was answered {fetched:?}");
    drop(leases);
    w.run(async move {
        reader.downgrade_since(at(5)).await.expect("the reader lives");
        reader
    });
    for _ in 0..3 {
        w.append_empty(&writer).map_err(|e| e.to_string())?;
        w.collect();
    }
    let left = keys
        .iter()
        .filter(|key| w.stores.blob.peek(key).is_some())
        .count();
    ensure!(left == 0, "{left} parts that nobody holds are left");
    w.sound()
}

/// The state moves on and a downgrade commits between a snapshot's look and its lease, wherever it pauses.
pub(super) fn lease_is_taken_at_the_parts_version(mutant: Mutant) -> Proof {
    for ahead in 0..6 {
        let mut w = World::new(mutant);
        let writer = w.writer();
        let reader = std::sync::Arc::new(w.reader());
        for t in 0..2 {
            w.append(&writer, &[("a", t, 1)], t, t + 1)
                .map_err(|e| e.to_string())?;
        }
        let taker = std::sync::Arc::clone(&reader);
        let taken = w.spawn(async move { taker.snapshot(1).await });
        for _ in 0..ahead {
            w.sim.poll(taken.task());
        }
        // Meanwhile: compaction replaces the parts, the reader's hold goes as far as it may, garbage goes.
        let (client, shard, same, writer) =
            (w.client.clone(), w.shard, std::sync::Arc::clone(&reader), writer);
        w.sim.run_others(
            async move {
                client.compact(shard).await.map_err(|e| e.to_string())?;
                same.downgrade_since(at(1)).await.map_err(|e| e.to_string())?;
                writer
                    .compare_and_append(&rows(&[]), at(2), at(3))
                    .await
                    .map_err(|e| e.to_string())?;
                client.collect_garbage(shard).await.map_err(|e| e.to_string())?;
                client.collect_garbage(shard).await.map_err(|e| e.to_string())
            },
            taken.task(),
        )?;
        w.sim.settle();
        let parts = taken
            .take()
            .ok_or("the snapshot did not end")?
            .map_err(|e| e.to_string())?;
        // The lease speaks for the version the parts came from.
        let (same, writer) = (std::sync::Arc::clone(&reader), w.writer());
        w.run(async move {
            same.downgrade_since(at(2)).await.map_err(|e| e.to_string())?;
            writer
                .compare_and_append(&rows(&[]), at(3), at(4))
                .await
                .map_err(|e| e.to_string())
        })?;
        w.collect();
        w.collect();
        let fetcher = reader.fetcher();
        let fetched = w.run(async move {
            for part in &parts {
                fetcher.fetch(part.part()).await?;
            }
            Ok::<(), FetchError>(())
        });
        ensure!(
            fetched.is_ok(),
            "with a lead of {ahead} a leased part was answered {fetched:?}"
        );
        w.sound()?;
    }
    Ok(())
}

/// A downgrade pauses before its compare-and-set while a snapshot is taken: the hold stays below it.
pub(super) fn hold_and_lease_are_one_step(mutant: Mutant) -> Proof {
    for ahead in 0..8 {
        let mut w = World::new(mutant);
        let writer = w.writer();
        let reader = std::sync::Arc::new(w.reader());
        for t in 0..2 {
            w.append(&writer, &[("a", t, 1)], t, t + 1)
                .map_err(|e| e.to_string())?;
        }
        let (other, _) = w.process();
        let downgrader = std::sync::Arc::clone(&reader);
        let downgrade = w.spawn(async move { downgrader.downgrade_since(at(1)).await });
        for _ in 0..ahead {
            w.sim.poll(downgrade.task());
        }
        // Meanwhile a snapshot is taken, and another process replaces its parts.
        let taker = std::sync::Arc::clone(&reader);
        let shard = w.shard;
        let other = other.clone();
        let parts = w.sim.run_others(
            async move {
                let parts = taker.snapshot(1).await.map_err(|e| e.to_string())?;
                other.compact(shard).await.map_err(|e| e.to_string())?;
                other.collect_garbage(shard).await.map_err(|e| e.to_string())?;
                Ok::<_, String>(parts)
            },
            downgrade.task(),
        )?;
        w.sim.settle();
        w.append_empty(&writer).map_err(|e| e.to_string())?;
        w.collect();
        w.collect();
        let fetcher = reader.fetcher();
        let fetched = w.run(async move {
            for part in &parts {
                fetcher.fetch(part.part()).await?;
            }
            Ok::<(), FetchError>(())
        });
        ensure!(
            fetched.is_ok(),
            "with a lead of {ahead} a leased part was answered {fetched:?}"
        );
        w.sound()?;
    }
    Ok(())
}

/// A reader that is silent for its lease is removed by anyone's next change; since moves at the next
/// downgrade by someone who is left.
pub(super) fn silent_reader_expires(mutant: Mutant) -> Proof {
    let mut w = World::new(mutant);
    let writer = w.writer();
    let silent = w.reader();
    let (other, _) = w.process();
    let lively = w.reader_of(&other);
    w.append(&writer, &[("a", 0, 1)], 0, 9)
        .map_err(|e| e.to_string())?;
    let lively = w.run(async move {
        lively.downgrade_since(at(5)).await.expect("the reader lives");
        lively
    });
    ensure!(w.log()?.current.since == at(0), "the silent reader does not hold");
    let mut lively = lively;
    for _ in 0..30 {
        w.clock.advance(30_000);
        lively = w.run(async move {
            lively.heartbeat().await.expect("the reader lives");
            lively
        });
    }
    ensure!(
        w.log()?.current.leased.contains_key(&silent.id()),
        "it was removed before its lease ended"
    );
    w.clock.advance(1);
    w.append_empty(&writer).map_err(|e| e.to_string())?;
    let state = w.log()?.current;
    ensure!(!state.leased.contains_key(&silent.id()), "it is still there");
    ensure!(state.since == at(0), "expiry moved the since to {}", state.since);
    w.run(async move { lively.downgrade_since(at(5)).await.map(drop) })
        .map_err(|e| e.to_string())?;
    ensure!(w.log()?.current.since == at(5), "the since did not follow");
    let told = w.run(async move { silent.downgrade_since(at(6)).await });
    ensure!(
        matches!(told, Err(ReadError::LeaseExpired { .. })),
        "the silent reader was told {told:?}"
    );
    w.sound()
}

pub(super) fn critical_never_expires(mutant: Mutant) -> Proof {
    let mut w = World::new(mutant);
    let writer = w.writer();
    let (client, shard) = (w.client.clone(), w.shard);
    let id = CriticalId::from_bits(7);
    w.run(async move {
        client
            .open_critical_since(shard, CODEC, id, "test")
            .await
            .map(drop)
    })
    .map_err(|e| e.to_string())?;
    let reader = w.reader();
    w.append(&writer, &[("a", 0, 1)], 0, 9)
        .map_err(|e| e.to_string())?;
    drop(reader);
    w.clock.advance(10 * 365 * 24 * 3_600_000);
    for _ in 0..3 {
        w.append_empty(&writer).map_err(|e| e.to_string())?;
    }
    let reader = w.reader();
    w.run(async move { reader.downgrade_since(at(5)).await.map(drop) })
        .map_err(|e| e.to_string())?;
    let state = w.log()?.current;
    ensure!(state.critical.contains_key(&id), "it is gone");
    ensure!(state.since == at(0), "since went to {}", state.since);
    w.sound()
}

pub(super) fn token_fences(mutant: Mutant) -> Proof {
    let mut w = World::new(mutant);
    let (other, _) = w.process();
    let (client, shard) = (w.client.clone(), w.shard);
    let id = CriticalId::from_bits(7);
    let answer = w.run(async move {
        let mut a = client
            .open_critical_since(shard, CODEC, id, "a")
            .await
            .expect("it opens");
        a.compare_and_downgrade_since(0, 1, Frontier::MIN)
            .await
            .expect("the token is new");
        let mut b = other
            .open_critical_since(shard, CODEC, id, "b")
            .await
            .expect("it opens");
        assert_eq!(b.opaque(), 1);
        b.compare_and_downgrade_since(1, 2, Frontier::MIN)
            .await
            .expect("the token is known");
        a.compare_and_downgrade_since(1, 1, at(9)).await
    });
    match answer {
        Err(DowngradeError::OpaqueMismatch { actual: 2, .. }) => {}
        other => return Err(format!("the old owner was told {other:?}")),
    }
    ensure!(w.log()?.current.since == at(0), "the old owner moved the since");
    w.sound()
}

/// A process whose clock is ten minutes ahead expires nobody by one command, and says why; a reader that
/// beats without leases lets old versions go.
pub(super) fn skewed_clock_expires_nobody(mutant: Mutant) -> Proof {
    let mut w = World::new(mutant);
    w.client
        .settings()
        .update(&mut |s| s.reader_lease_ms = 5 * 60_000);
    let writer = w.writer();
    let reader = w.reader();
    w.clock.advance(10 * 60_000);
    w.append_empty(&writer).map_err(|e| e.to_string())?;
    ensure!(
        w.log()?.current.leased.contains_key(&reader.id()),
        "a live reader was expired"
    );
    let (client, shard) = (w.client.clone(), w.shard);
    let seen = w
        .run(async move { client.inspect(shard).await })
        .map_err(|e| e.to_string())?;
    ensure!(
        seen.is_some_and(|i| i.skew.is_some()),
        "the skew was not reported"
    );
    let reader = w
        .run(async move { reader.heartbeat().await.map(|()| reader) })
        .map_err(|e| e.to_string())?;
    for _ in 0..5 {
        w.append_empty(&writer).map_err(|e| e.to_string())?;
    }
    let reader = w
        .run(async move { reader.heartbeat().await.map(|()| reader) })
        .map_err(|e| e.to_string())?;
    let state = w.log()?.current;
    let hold = state.leased[&reader.id()].seqno;
    ensure!(
        hold.get() + 1 >= state.seqno.get(),
        "it holds {hold} at {}",
        state.seqno
    );
    a_clock_ahead_expires_nobody_who_shows_itself(mutant)?;
    w.sound()
}

/// A process whose clock is two hours ahead goes on writing, every half minute for an hour. A reader that shows
/// itself every two minutes, on a right clock and a lease of five, lives; one that does not is gone in the end.
fn a_clock_ahead_expires_nobody_who_shows_itself(mutant: Mutant) -> Proof {
    const AHEAD: u64 = 2 * 3_600_000;
    let mut w = World::new(mutant);
    w.client
        .settings()
        .update(&mut |s| s.reader_lease_ms = 5 * 60_000);
    let writer = w.writer();
    let (lively, silent) = (w.reader(), w.reader());
    w.append_empty(&writer).map_err(|e| e.to_string())?;
    let mut state = State::clone(&w.log()?.current);
    let right = state.walltime_ms;
    for step in 0..120u64 {
        let now = right + step * 30_000;
        if step % 4 == 0 {
            let flow = state.heartbeat(lively.id(), SeqNo::ZERO, now, mutant);
            ensure!(
                flow == Flow::Commit(true),
                "the lively reader is gone in step {step}"
            );
            state.walltime_ms = now.max(state.walltime_ms + 1);
        }
        let recent = state.walltime_ms;
        state.expire_at(now + AHEAD, recent, mutant);
        state.walltime_ms = (now + AHEAD).max(recent + 1);
    }
    ensure!(
        state.leased.contains_key(&lively.id()),
        "a reader that shows itself was expired by a clock ahead"
    );
    ensure!(
        !state.leased.contains_key(&silent.id()),
        "a silent reader outlived its lease twelve times over"
    );
    drop((lively, silent));
    w.sound()
}

/// An answer from the store that took long carries an old version; it must not replace a newer one.
pub(super) fn cache_never_goes_back(mutant: Mutant) -> Proof {
    let mut w = World::new(mutant);
    let writer = w.writer();
    w.append_empty(&writer).map_err(|e| e.to_string())?;
    let cell = w.client.env.opened(w.shard).ok_or("the shard is not open")?;
    let old = cell.current();
    w.append_empty(&writer).map_err(|e| e.to_string())?;
    let new = cell.current().seqno;
    ensure!(old.seqno < new, "the append made no version");
    cell.publish(old);
    let now = cell.current().seqno;
    ensure!(now == new, "the cache went from {new} back to {now}");
    Ok(())
}
