//! What readers and openers are promised: SH-13 to SH-16, SH-24 to SH-30, H6, H12, H14, H18.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::world::{CODEC, Proof, World, at, ensure, rows};
use crate::ids::mix;
use crate::mutant::Mutant;
use crate::settings::Settings;
use crate::testing::faulty::{Fate, Op};
use crate::{AppendError, Client, FetchError, Frontier, Location, ReadError, ShardError, Update, UsageError};

/// The collection at `time`, from the updates themselves.
fn model(updates: &[Update], time: u64) -> Vec<Update> {
    let mut sums: BTreeMap<&[u8], i64> = BTreeMap::new();
    for update in updates.iter().filter(|u| u.time <= time) {
        *sums.entry(&update.row).or_default() += update.diff;
    }
    sums.into_iter()
        .filter(|(_, d)| *d != 0)
        .map(|(r, d)| Update::new(r, time, d))
        .collect()
}

pub(super) fn snapshot_waits(mutant: Mutant) -> Proof {
    let mut w = World::new(mutant);
    let writer = w.writer();
    w.append(&writer, &[("a", 2, 1)], 0, 5)
        .map_err(|e| e.to_string())?;
    let reader = w.reader();
    let snapshot = w.spawn(async move { reader.snapshot_and_fetch(5).await });
    w.sim.settle();
    ensure!(!snapshot.is_ready(), "it did not wait for 5 to be complete");
    w.append(&writer, &[("b", 5, 1)], 5, 6)
        .map_err(|e| e.to_string())?;
    w.sim.finish();
    let contents = snapshot
        .take()
        .ok_or("it did not end")?
        .map_err(|e| e.to_string())?;
    ensure!(
        contents == rows(&[("a", 5, 1), ("b", 5, 1)]),
        "contents are {contents:?}"
    );
    w.sound()
}

pub(super) fn snapshot_before_since_fails(mutant: Mutant) -> Proof {
    let mut w = World::new(mutant);
    let writer = w.writer();
    w.append(&writer, &[("a", 2, 1)], 0, 5)
        .map_err(|e| e.to_string())?;
    let reader = w.reader();
    let (early, late) = w.run(async move {
        reader.downgrade_since(at(3)).await.expect("the reader lives");
        (
            reader.snapshot_and_fetch(2).await,
            reader.snapshot_and_fetch(3).await,
        )
    });
    match early {
        Err(ReadError::AsOfBeforeSince { as_of: 2, since, .. }) => ensure!(since == at(3), "since {since}"),
        other => return Err(format!("a lost time was answered {other:?}")),
    }
    ensure!(late.is_ok(), "a held time was answered {late:?}");
    w.sound()
}

/// A random history in several batches; rows repeat, diffs cancel.
fn history(seed: u64, batches: u64) -> Vec<(u64, u64, Vec<Update>)> {
    let mut lower = 0;
    (0..batches)
        .map(|batch| {
            let draw = |index: u64| mix(seed ^ mix(batch * 100 + index));
            let upper = lower + 1 + draw(0) % 3;
            let updates = (1..=draw(1) % 4)
                .map(|i| {
                    let row = [b'a' + u8::try_from(draw(i * 3) % 4).expect("below 4")];
                    let diff = [1, 1, 2, -1][usize::try_from(draw(i * 3 + 2) % 4).expect("below 4")];
                    Update::new(row, lower + draw(i * 3 + 1) % (upper - lower), diff)
                })
                .collect();
            let out = (lower, upper, updates);
            lower = upper;
            out
        })
        .collect()
}

/// For every cut of random histories: snapshot and listen add up to the collection at every later time, with
/// downgrades and compaction of everything between every two steps.
pub(super) fn snapshot_and_listen_make_the_log(mutant: Mutant) -> Proof {
    for seed in 0..6 {
        let batches = history(seed, 6);
        let all: Vec<Update> = batches
            .iter()
            .flat_map(|(_, _, updates)| updates.clone())
            .collect();
        let end = batches.last().expect("there are batches").1;
        for cut in 0..end {
            let mut w = World::new(mutant);
            let writer = w.writer();
            let reader = w.reader();
            for (lower, upper, updates) in &batches[..2] {
                let (writer, updates, lower, upper) = (writer.same(), updates.clone(), *lower, *upper);
                w.run(async move { writer.compare_and_append(&updates, at(lower), at(upper)).await })
                    .map_err(|e| e.to_string())?;
            }
            let rest = batches[2..].to_vec();
            let client = w.client.clone();
            let shard = w.shard;
            let read = w.spawn(read_all(client, shard, reader, cut, end));
            w.sim.settle();
            for (lower, upper, updates) in rest {
                let writer = writer.same();
                w.run(async move { writer.compare_and_append(&updates, at(lower), at(upper)).await })
                    .map_err(|e| e.to_string())?;
            }
            w.sim.finish();
            let (snapshot, steps) = read.take().ok_or("the reader did not end")??;
            ensure!(
                snapshot == model(&all, cut),
                "seed {seed}: the snapshot at {cut} is {snapshot:?}"
            );
            let mut seen = snapshot;
            for (updates, progress) in steps {
                seen.extend(updates);
                let upto = progress.time().expect("the history does not end") - 1;
                if upto >= cut {
                    let got = model(&seen, upto);
                    ensure!(
                        got == model(&all, upto),
                        "seed {seed}, cut {cut}: at {upto} it is {got:?}"
                    );
                }
            }
            w.sound()?;
        }
    }
    Ok(())
}

type Steps = (Vec<Update>, Vec<(Vec<Update>, Frontier)>);

async fn read_all(
    client: Client,
    shard: crate::ShardId,
    reader: crate::ReadHandle,
    cut: u64,
    end: u64,
) -> Result<Steps, String> {
    let snapshot = reader.snapshot_and_fetch(cut).await.map_err(|e| e.to_string())?;
    let mut listen = reader.listen(cut).await.map_err(|e| e.to_string())?;
    let mut steps = Vec::new();
    while listen.frontier() < at(end) {
        let step = listen.fetch_next().await.map_err(|e| e.to_string())?;
        steps.push(step.ok_or("the shard is not closed")?);
        listen.downgrade_now().await.map_err(|e| e.to_string())?;
        client.compact(shard).await.map_err(|e| e.to_string())?;
    }
    Ok((snapshot, steps))
}

/// What was emitted is merged with what was not, before each step.
pub(super) fn listener_sees_each_update_once(mutant: Mutant) -> Proof {
    let mut w = World::new(mutant);
    let writer = w.writer();
    let reader = w.reader();
    let mut listen = w
        .run(async move { reader.listen(0).await })
        .map_err(|e| e.to_string())?;
    let mut seen = Vec::new();
    for t in 0..6 {
        let row = t.to_string();
        w.append(&writer, &[(row.as_str(), t, 1)], t, t + 1)
            .map_err(|e| e.to_string())?;
        w.compact();
        if t % 2 == 1 {
            let (back, updates) = w.run(async move {
                let step = listen.fetch_next().await;
                (listen, step)
            });
            listen = back;
            seen.extend(
                updates
                    .map_err(|e| e.to_string())?
                    .ok_or("the shard is not closed")?
                    .0,
            );
        }
    }
    let wanted: Vec<Update> = (1..6).map(|t| Update::new(t.to_string(), t, 1)).collect();
    ensure!(seen == wanted, "after 0 it saw {seen:?}");
    w.sound()
}

pub(super) fn inline_limits_hold(mutant: Mutant) -> Proof {
    let settings = Settings {
        inline_part_bytes: 200,
        inline_total_bytes: 500,
        compaction: crate::CompactionSettings {
            enabled: false,
            ..Settings::default().compaction
        },
        upkeep_ride_ms: 0,
        ..Settings::default()
    };
    let mut w = World::with(mutant, settings);
    let writer = w.writer();
    // A part is 48 bytes and its one row.
    let row = |bytes: usize| "x".repeat(bytes - 48);
    w.append(&writer, &[(row(199).as_str(), 0, 1)], 0, 1)
        .map_err(|e| e.to_string())?;
    ensure!(w.log()?.current.inline_bytes() == 199, "199 bytes are not inline");
    w.append(&writer, &[(row(200).as_str(), 1, 1)], 1, 2)
        .map_err(|e| e.to_string())?;
    ensure!(w.log()?.current.inline_bytes() == 199, "200 bytes are inline");
    w.append(&writer, &[(row(199).as_str(), 2, 1)], 2, 3)
        .map_err(|e| e.to_string())?;
    w.append(&writer, &[(row(101).as_str(), 3, 1)], 3, 4)
        .map_err(|e| e.to_string())?;
    ensure!(
        w.log()?.current.inline_bytes() == 499,
        "{} bytes are inline",
        w.log()?.current.inline_bytes()
    );
    w.append(&writer, &[(row(60).as_str(), 4, 1)], 4, 5)
        .map_err(|e| e.to_string())?;
    ensure!(
        w.log()?.current.inline_bytes() == 499,
        "the total limit was passed"
    );
    let contents = w.contents(4).map_err(|e| e.to_string())?;
    let count: i64 = contents.iter().map(|u| u.diff).sum();
    ensure!(count == 5, "contents are {contents:?}");
    w.sound()
}

pub(super) fn another_codec_is_refused(mutant: Mutant) -> Proof {
    let mut w = World::new(mutant);
    let _writer = w.writer();
    let before = w.stores.consensus.dump(&w.shard.to_string());
    let (other, _) = w.process();
    let shard = w.shard;
    for client in [w.client.clone(), other] {
        let opened = w.run(async move { client.open_leased_reader(shard, "json", "test").await });
        match opened {
            Err(ShardError::CodecMismatch {
                actual, requested, ..
            }) => {
                ensure!(
                    (actual.as_str(), requested.as_str()) == (CODEC, "json"),
                    "told {actual}, {requested}"
                );
            }
            other => return Err(format!("another codec was answered {other:?}")),
        }
    }
    ensure!(
        w.stores.consensus.dump(&w.shard.to_string()) == before,
        "the shard changed"
    );
    Ok(())
}

pub(super) fn truncated_append_shows_its_interval(mutant: Mutant) -> Proof {
    let mut w = World::new(mutant);
    let writer = w.writer();
    let (same, again) = (writer.same(), writer.same());
    let updates: Vec<Update> = (0..10).map(|t| Update::new(t.to_string(), t, 1)).collect();
    w.append(&writer, &[], 0, 3).map_err(|e| e.to_string())?;
    let wide = updates.clone();
    let answer = w.run(async move {
        let batch = same
            .batch(&wide, at(0), at(10))
            .await
            .expect("the bounds are right");
        same.compare_and_append_batches(vec![batch], at(3), at(7)).await
    });
    ensure!(answer.is_ok(), "answered {answer:?}");
    let contents = w.contents(6).map_err(|e| e.to_string())?;
    let wanted: Vec<Update> = (3..7).map(|t: u64| Update::new(t.to_string(), 6, 1)).collect();
    ensure!(contents == wanted, "contents are {contents:?}");
    let answer = w.run(async move {
        let batch = again
            .batch(&updates, at(0), at(10))
            .await
            .expect("the bounds are right");
        again.compare_and_append_batches(vec![batch], at(7), at(11)).await
    });
    ensure!(
        matches!(
            answer,
            Err(AppendError::Usage(UsageError::InvalidBatchBounds { .. }))
        ),
        "a batch too short was answered {answer:?}"
    );
    w.sound()
}

pub(super) fn tombstone_settles(mutant: Mutant) -> Proof {
    let mut w = World::new(mutant);
    let writer = w.writer();
    for t in 0..20 {
        w.append(&writer, &[("a", t, 1)], t, t + 1)
            .map_err(|e| e.to_string())?;
    }
    let (client, shard) = (w.client.clone(), w.shard);
    let early = w.run(async move { client.finalize(shard, CODEC).await });
    ensure!(
        matches!(early, Err(ShardError::NotFinalizable { .. })),
        "an open shard was answered {early:?}"
    );
    let (client, same) = (w.client.clone(), writer.same());
    w.run(async move {
        same.compare_and_append(&[], at(20), Frontier::Closed)
            .await
            .expect("the upper closes");
        let id = crate::CriticalId::from_bits(1);
        let mut since = client
            .open_critical_since(shard, CODEC, id, "test")
            .await
            .expect("it opens");
        since
            .compare_and_downgrade_since(0, 0, Frontier::Closed)
            .await
            .expect("the since closes");
        client.finalize(shard, CODEC).await.expect("it can be finalized");
    });
    for _ in 0..8 {
        if w.step_maintenance().is_nothing() {
            break;
        }
    }
    ensure!(w.step_maintenance().is_nothing(), "it never settles");
    let client = w.client.clone();
    let (reader, append) = w.run(async move {
        let reader = client.open_leased_reader(shard, CODEC, "test").await;
        let writer = client.open_writer(shard, CODEC, "test").await.expect("it opens");
        (
            reader.map(drop),
            writer.compare_and_append(&[], at(0), at(1)).await,
        )
    });
    ensure!(
        matches!(reader, Err(ShardError::Finalized { .. })),
        "a reader was answered {reader:?}"
    );
    ensure!(
        matches!(
            append,
            Err(AppendError::UpperMismatch {
                current: Frontier::Closed,
                ..
            })
        ),
        "an append was answered {append:?}"
    );
    let log = w.log()?;
    ensure!(
        log.diffs.len() + 1 == 2,
        "{} versions are left",
        log.diffs.len() + 1
    );
    let blobs = w.stores.blob.keys(&format!("{shard}/"));
    ensure!(
        blobs.len() == 1 && blobs[0].contains("/v"),
        "blobs left: {blobs:?}"
    );
    w.sound()
}

pub(super) fn two_processes_see_each_other(mutant: Mutant) -> Proof {
    let mut w = World::new(mutant);
    let a = w.writer();
    let (other, _) = w.process();
    let b = w.writer_of(&other);
    let (seen_by_b, seen_by_a) = (b.same(), a.same());
    let waiting = w.spawn(async move { seen_by_b.wait_for_upper_past(at(0)).await });
    w.sim.settle();
    ensure!(!waiting.is_ready(), "it did not wait");
    w.append(&a, &[("a", 0, 1)], 0, 1).map_err(|e| e.to_string())?;
    let waiting_a = w.spawn(async move { seen_by_a.wait_for_upper_past(at(1)).await });
    w.sim.finish_at_most(60_000, waiting.task())?;
    ensure!(
        waiting.take().is_some_and(|r| r.is_ok_and(|u| u == at(1))),
        "B did not see A's append"
    );
    w.append(&b, &[("b", 1, 1)], 1, 2).map_err(|e| e.to_string())?;
    w.sim.finish_at_most(60_000, waiting_a.task())?;
    ensure!(
        waiting_a.take().is_some_and(|r| r.is_ok_and(|u| u == at(2))),
        "A did not see B's append"
    );
    w.sound()
}

/// A commit between a waiter's look and its wait wakes it, without any poll.
pub(super) fn waiter_misses_no_wakeup(mutant: Mutant) -> Proof {
    for ahead in 0..8 {
        let mut w = World::new(mutant);
        let (client, shard) = (w.client.clone(), w.shard);
        let writer = w.writer();
        let cell = w
            .run(async move { client.cell(shard, CODEC).await })
            .map_err(|e| e.to_string())?;
        let seen = cell.current().seqno;
        let waiting = w.spawn(async move { cell.wait_newer(seen, Some(u64::MAX / 8)).await });
        w.client
            .settings()
            .update(&mut |s| s.listen_backoff_ms = u64::MAX / 8);
        for _ in 0..ahead {
            w.sim.poll(waiting.task());
        }
        let same = writer.same();
        let append = async move { same.compare_and_append(&[], at(0), at(1)).await };
        w.sim
            .run_others(append, waiting.task())
            .map_err(|e| e.to_string())?;
        w.sim.settle();
        ensure!(waiting.is_ready(), "with a lead of {ahead} it missed the commit");
    }
    Ok(())
}

/// Parts of half the limit: at most two are alive; one of three times the limit goes alone.
pub(super) fn fetches_stay_within_memory(mutant: Mutant) -> Proof {
    let mut w = World::new(mutant);
    let writer = w.writer();
    let reader = w.reader();
    for t in 0..10 {
        w.append(&writer, &[("x".repeat(952).as_str(), t, 1)], t, t + 1)
            .map_err(|e| e.to_string())?;
    }
    w.client.settings().update(&mut |s| s.fetch_memory_bytes = 2000);
    let parts = {
        let (reader, parts) = w.run(async move {
            let parts = reader.snapshot(9).await;
            (reader, parts)
        });
        let parts = parts.map_err(|e| e.to_string())?;
        ensure!(
            parts.iter().all(|p| p.part().encoded_bytes() == 1000),
            "parts are not of 1000 bytes"
        );
        (reader, parts)
    };
    let fetcher = parts.0.fetcher();
    let mut fetches: Vec<_> = parts
        .1
        .iter()
        .map(|part| {
            let (fetcher, part) = (fetcher.clone(), part.part().clone());
            w.spawn(async move { fetcher.fetch(&part).await })
        })
        .collect();
    let mut fetched = 0;
    while !fetches.is_empty() {
        w.sim.settle();
        let alive = fetches.iter().filter(|f| f.is_ready()).count();
        ensure!(alive <= 2, "{alive} parts are alive");
        ensure!(
            fetcher.memory_used() <= 2000,
            "{} bytes are in use",
            fetcher.memory_used()
        );
        let done = fetches
            .iter()
            .position(|f| f.is_ready())
            .ok_or("nobody goes on")?;
        fetches
            .remove(done)
            .take()
            .expect("it is ready")
            .map_err(|e| e.to_string())?;
        fetched += 1;
    }
    ensure!(fetched == 10, "{fetched} were fetched");
    w.client.settings().update(&mut |s| s.fetch_memory_bytes = 300);
    let big = parts.1[0].part().clone();
    let alone = w.run(async move { fetcher.fetch(&big).await.map(drop) });
    ensure!(
        alone.is_ok(),
        "a part greater than the limit was answered {alone:?}"
    );
    Ok(())
}

/// Errors that will not heal come out after the deadline, and not before.
pub(super) fn permanent_errors_surface(mutant: Mutant) -> Proof {
    let mut w = World::new(mutant);
    let _writer = w.writer();
    let (other, stores) = w.process();
    let shard = w.shard;
    let mut denials = 0;
    stores.script(move |_| {
        denials += 1;
        if denials < 200 { Fate::Denied } else { Fate::Pass }
    });
    let began = w.clock.now_ms();
    let opened = w.run(async move { other.open_writer(shard, CODEC, "test").await.map(drop) });
    match opened {
        Err(ShardError::Store { error, .. }) => ensure!(error.permanent, "told {error}"),
        other => return Err(format!("a denied location was answered {other:?}")),
    }
    let waited = w.clock.now_ms() - began;
    ensure!((30_000..120_000).contains(&waited), "it took {waited} ms");
    Ok(())
}

pub(super) fn inline_bytes_count(mutant: Mutant) -> Proof {
    let settings = Settings {
        fetch_memory_bytes: 100,
        upkeep_ride_ms: 0,
        ..Settings::default()
    };
    let mut w = World::with(mutant, settings);
    let writer = w.writer();
    let reader = w.reader();
    w.append(&writer, &[("x".repeat(1000).as_str(), 0, 1)], 0, 1)
        .map_err(|e| e.to_string())?;
    ensure!(w.log()?.current.inline_bytes() == 1048, "the part is not inline");
    let (used, after) = w.run(async move {
        let parts = reader.snapshot(0).await.expect("it can be read");
        let fetcher = reader.fetcher();
        let fetched = fetcher.fetch(parts[0].part()).await.expect("it can be fetched");
        let used = fetcher.memory_used();
        drop(fetched);
        (used, fetcher.memory_used())
    });
    ensure!(
        (used, after) == (1048, 0),
        "{used} bytes were in use, then {after}"
    );
    Ok(())
}

/// A flipped byte anywhere, and another part's bytes under this key, come out of the fetch as damage.
pub(super) fn damage_is_noticed(mutant: Mutant) -> Proof {
    let mut w = World::new(mutant);
    let writer = w.writer();
    let reader = w.reader();
    w.append(&writer, &[("abc", 0, 1)], 0, 1)
        .map_err(|e| e.to_string())?;
    w.append(&writer, &[("abd", 1, 1)], 1, 2)
        .map_err(|e| e.to_string())?;
    let (reader, parts) = w.run(async move {
        let parts = reader.snapshot(1).await.expect("it can be read");
        (reader, parts)
    });
    let part = parts[1].part().clone();
    let key = part.key().expect("inline parts are off").to_owned();
    let whole = w.stores.blob.peek(&key).ok_or("the part is there")?;
    let foreign = w
        .stores
        .blob
        .peek(parts[0].part().key().unwrap_or(""))
        .ok_or("the other part is there")?;
    let mut damaged: Vec<Bytes> = vec![foreign, Bytes::new(), whole.slice(..whole.len() - 1)];
    for at in [0, 5, 20, whole.len() - 10, whole.len() - 6, whole.len() - 1] {
        let mut bytes = whole.to_vec();
        bytes[at] ^= 1;
        damaged.push(Bytes::from(bytes));
    }
    for bytes in damaged {
        w.stores.blob.poke(&key, bytes);
        let (fetcher, part) = (reader.fetcher(), part.clone());
        let answer = w.run(async move { fetcher.fetch(&part).await.map(drop) });
        match answer {
            Err(FetchError::Damaged {
                shard,
                key: named,
                time,
                ..
            }) => {
                ensure!(
                    shard == w.shard && named == key && time == 1,
                    "it named {shard} {named} {time}"
                );
            }
            other => return Err(format!("damage was answered {other:?}")),
        }
    }
    w.stores.blob.lose(&key);
    let fetcher = reader.fetcher();
    let answer = w.run(async move { fetcher.fetch(&part).await.map(drop) });
    ensure!(
        matches!(answer, Err(FetchError::Missing { .. })),
        "a lost part was answered {answer:?}"
    );
    Ok(())
}

/// With more versions than a page holds, an opener still sees the newest.
pub(super) fn full_page_is_the_oldest(mutant: Mutant) -> Proof {
    let settings = Settings {
        recent_diffs_limit: 4,
        rollup_threshold: 6,
        upkeep_ride_ms: 0,
        ..Settings::default()
    };
    let mut w = World::with(mutant, settings);
    let writer = w.writer();
    for t in 0..20 {
        w.append(&writer, &[("a", t, 1)], t, t + 1)
            .map_err(|e| e.to_string())?;
        if t == 9 {
            w.step_maintenance();
        }
    }
    let newest = w
        .stores
        .consensus
        .dump(&w.shard.to_string())
        .last()
        .map(|v| v.seqno);
    let (other, _) = w.process();
    let shard = w.shard;
    let seen = w
        .run(async move { other.inspect(shard).await })
        .map_err(|e| e.to_string())?;
    let seen = seen.map(|i| i.state.seqno);
    ensure!(seen == newest, "it sees {seen:?} of {newest:?}");
    Ok(())
}

/// Not part of the matrix: the face needs no particular runtime, and its futures move between threads.
#[test]
fn futures_of_handles_can_move_between_threads() {
    fn send<T: Send>(_: &T) {}
    let client = Client::new(Location::mem(), crate::ClientConfig::manual(0, 1));
    let shard = client.fresh_shard();
    crate::block_on(async {
        send(&client.finalize(shard, "x"));
        send(&client.step_maintenance(shard));
        let writer = client.open_writer(shard, "x", "test");
        send(&writer);
        let writer = writer.await.unwrap();
        send(&writer.append(&[], Frontier::MIN, at(1)));
        let reader = client.open_leased_reader(shard, "x", "test").await.unwrap();
        send(&reader.snapshot(0));
        send(&reader.downgrade_since(Frontier::MIN));
        let mut listen = reader.listen(0).await.unwrap();
        send(&listen.next());
    });
}

/// A location refused by the store is named by operation, and nothing is lost.
#[test]
fn a_refused_write_is_tried_again_and_lands_once() {
    let mut w = World::new(Mutant::None);
    let writer = w.writer();
    w.stores.once(|op| matches!(op, Op::Set(_)), Fate::Unanswered);
    w.append(&writer, &[("a", 0, 1)], 0, 1).unwrap();
    assert_eq!(w.contents(0).unwrap(), rows(&[("a", 0, 1)]));
    assert_eq!(w.leaked().unwrap(), Vec::<String>::new());
}
