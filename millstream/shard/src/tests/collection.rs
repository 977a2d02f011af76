//! Maintenance and crashes: SH-1 to SH-6, SH-8, SH-22, SH-23, SH-31, H9, H10.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::world::{CODEC, Proof, World, at, ensure, rows};
use crate::ids::mix;
use crate::machine::Flow;
use crate::mutant::Mutant;
use crate::state::{BatchMeta, Description, Part};
use crate::testing::faulty::{Fate, Op};
use crate::time::Frontier;
use crate::{Client, FetchError, ShardId, Update};

/// Random appends, holds, compaction and collection by two processes, from a seed.
pub(super) fn random_commands_keep_the_log_sound(mutant: Mutant) -> Proof {
    for seed in 0..12 {
        let mut w = World::new(mutant);
        let (other, _) = w.process();
        let clients = [w.client.clone(), other];
        let writers = [w.writer(), w.writer_of(&clients[1])];
        let mut readers = Vec::new();
        let mut upper = 0;
        let mut model = Vec::new();
        for step in 0..60u64 {
            let draw = |index: u64| mix(seed ^ mix(step * 10 + index));
            let who = usize::try_from(draw(0) % 2).expect("below 2");
            match draw(1) % 8 {
                0..=3 => {
                    let next = upper + 1 + draw(2) % 2;
                    let row = format!("r{}", draw(3) % 5);
                    let diff = if draw(4) % 3 == 0 { -1 } else { 1 };
                    let writer = writers[who].same();
                    let updates = rows(&[(row.as_str(), upper, diff)]);
                    model.extend(updates.clone());
                    let lower = upper;
                    w.run(async move { writer.compare_and_append(&updates, at(lower), at(next)).await })
                        .map_err(|e| format!("seed {seed}: {e}"))?;
                    upper = next;
                }
                4 => {
                    let client = clients[who].clone();
                    readers.push(w.reader_of(&client));
                }
                5 if !readers.is_empty() => {
                    let reader = readers.remove(0);
                    let to = at(draw(2) % (upper + 1));
                    let keep = draw(3) % 2 == 0;
                    let back = w.run(async move {
                        reader.downgrade_since(to).await.expect("the reader lives");
                        if keep {
                            return Some(reader);
                        }
                        reader.expire().await.expect("the reader lives");
                        None
                    });
                    readers.extend(back);
                }
                6 => {
                    let (client, shard) = (clients[who].clone(), w.shard);
                    w.run(async move { client.compact(shard).await })
                        .map_err(|e| e.to_string())?;
                }
                _ => {
                    let (client, shard) = (clients[who].clone(), w.shard);
                    w.run(async move {
                        client.step_maintenance(shard).await?;
                        client.collect_garbage(shard).await
                    })
                    .map_err(|e| e.to_string())?;
                }
            }
            w.sound()
                .map_err(|why| format!("seed {seed}, step {step}: {why}"))?;
        }
        drop(readers);
        if upper > 0 {
            let contents = w.contents(upper - 1).map_err(|e| e.to_string())?;
            let mut wanted = std::collections::BTreeMap::new();
            for update in &model {
                *wanted.entry(update.row.clone()).or_insert(0) += update.diff;
            }
            let wanted: Vec<Update> = wanted
                .into_iter()
                .filter(|(_, d)| *d != 0)
                .map(|(row, diff)| Update {
                    row,
                    time: upper - 1,
                    diff,
                })
                .collect();
            ensure!(
                contents == wanted,
                "seed {seed}: contents are {contents:?}, not {wanted:?}"
            );
        }
    }
    Ok(())
}

pub(super) fn compaction_preserves_contents(mutant: Mutant) -> Proof {
    for seed in 0..8u64 {
        let mut w = World::new(mutant);
        let writer = w.writer();
        let reader = w.reader();
        for t in 0..12u64 {
            let row = format!("r{}", mix(seed ^ t) % 4);
            let diff = if mix(seed ^ (t + 100)).is_multiple_of(3) {
                -1
            } else {
                1
            };
            w.append(&writer, &[(row.as_str(), t, diff)], t, t + 1)
                .map_err(|e| e.to_string())?;
        }
        let since = mix(seed) % 10;
        let reader = w.run(async move {
            reader.downgrade_since(at(since)).await.expect("the reader lives");
            reader
        });
        let mut before = Vec::new();
        for t in since..12 {
            before.push(w.contents(t).map_err(|e| e.to_string())?);
        }
        let replaced = w.compact();
        ensure!(replaced == 12, "{replaced} batches were replaced");
        ensure!(w.log()?.current.batches.len() == 1, "batches are left");
        for t in since..12 {
            let after = w.contents(t).map_err(|e| e.to_string())?;
            let index = usize::try_from(t - since).expect("small");
            ensure!(
                after == before[index],
                "seed {seed}: at {t} it was {:?}, is {after:?}",
                before[index]
            );
        }
        drop(reader);
        w.sound()?;
    }
    Ok(())
}

/// A rewrite that advanced times past what readers may still tell apart is not accepted, whoever made it.
pub(super) fn rewrite_beyond_since_is_refused(mutant: Mutant) -> Proof {
    let mut w = World::new(mutant);
    let writer = w.writer();
    for t in 0..2 {
        w.append(&writer, &[("a", t, 1)], t, t + 1)
            .map_err(|e| e.to_string())?;
    }
    let mut state = w.log()?.current;
    let request = state.merge_run();
    let (lower, upper) = request.bounds();
    let output = BatchMeta {
        desc: Description {
            lower,
            upper,
            since: at(1),
        },
        runs: vec![],
        len: 0,
    };
    ensure!(state.since == at(0), "nobody moved the since");
    let flow = state.apply_merge(&Arc::new(output), mutant);
    ensure!(flow == Flow::Doubt(false), "it was accepted: {flow:?}");
    w.sound()
}

/// What one process does in the crash scenarios, in stages; the stage reached is what was acknowledged.
async fn life(client: Client, shard: ShardId, progress: Arc<parking_lot::Mutex<u64>>) -> Result<(), String> {
    let writer = client
        .open_writer(shard, CODEC, "life")
        .await
        .map_err(|e| e.to_string())?;
    let reader = client
        .open_leased_reader(shard, CODEC, "life")
        .await
        .map_err(|e| e.to_string())?;
    for t in 0..6 {
        let update = rows(&[("a", t, 1)]);
        writer
            .compare_and_append(&update, at(t), at(t + 1))
            .await
            .map_err(|e| e.to_string())?;
        *progress.lock() = t + 1;
    }
    reader.downgrade_since(at(4)).await.map_err(|e| e.to_string())?;
    client.compact(shard).await.map_err(|e| e.to_string())?;
    // Twice: the hold passes the compaction and its rollup only at the second downgrade.
    for _ in 0..2 {
        reader.downgrade_since(at(5)).await.map_err(|e| e.to_string())?;
        client.collect_garbage(shard).await.map_err(|e| e.to_string())?;
    }
    writer
        .compare_and_append(&rows(&[("a", 6, 1)]), at(6), at(7))
        .await
        .map_err(|e| e.to_string())?;
    *progress.lock() = 7;
    reader.expire().await.map_err(|e| e.to_string())
}

/// A process dies before or after each of its operations in turn. Everything acknowledged is there, the log
/// is sound, and after maintenance by a survivor only blobs that were never referenced are left over.
pub(super) fn crash_anywhere_loses_nothing(mutant: Mutant) -> Proof {
    // An uninterrupted life: how many operations it has, and every blob it referenced, from which version on. Ids are a
    // function of the seed, so an interrupted life uses the same keys.
    let mut ever: BTreeMap<String, u64> = BTreeMap::new();
    let operations = {
        let mut w = World::new(Mutant::None);
        let task = w.spawn(life(w.client.clone(), w.shard, Arc::default()));
        let mut versions = 0;
        while !task.is_ready() {
            w.sim.poll(task.task());
            let log = w.stores.consensus.dump(&w.shard.to_string());
            let newest = log.last().map_or(0, |v| v.seqno.get());
            if newest > versions {
                versions = newest;
                for key in w.log()?.referenced() {
                    ever.entry(key).or_insert(versions);
                }
            }
        }
        task.take().expect("it is ready")?;
        w.stores.log().len()
    };
    ensure!(operations > 30, "a life has only {operations} operations");
    for (nth, after) in (0..operations).flat_map(|nth| [(nth, false), (nth, true)]) {
        let story = format!("died {} operation {nth}", if after { "after" } else { "before" });
        let mut w = World::new(mutant);
        let progress = Arc::new(parking_lot::Mutex::new(0));
        let mut count = 0;
        w.stores.script(move |_| {
            count += 1;
            match (count == nth + 1, after) {
                (true, false) => Fate::DiesBefore,
                (true, true) => Fate::DiesAfter,
                _ => Fate::Pass,
            }
        });
        let task = w.spawn(life(w.client.clone(), w.shard, Arc::clone(&progress)));
        w.sim.settle();
        ensure!(w.stores.died() || task.is_ready(), "{story}: it hangs");
        w.sim.abort(task.task());
        w.sound_if_made().map_err(|why| format!("{story}: {why}"))?;
        let log = w.stores.consensus.dump(&w.shard.to_string());
        let committed = log.last().map_or(0, |v| v.seqno.get());
        let acknowledged = *progress.lock();
        // A survivor: it reads, writes, waits for the dead reader's lease, cleans up.
        let (other, _) = w.process();
        let upper = {
            let (client, shard) = (other.clone(), w.shard);
            w.run(async move { client.recent_upper(shard, CODEC).await })
                .map_err(|e| format!("{story}: {e}"))?
        };
        let upper = upper.time().ok_or("it was closed")?;
        ensure!(
            (acknowledged..=acknowledged + 1).contains(&upper),
            "{story}: {acknowledged} were acknowledged, the upper is {upper}"
        );
        if upper > 0 {
            let contents = w.contents(upper - 1).map_err(|e| format!("{story}: {e}"))?;
            let wanted = rows(&[("a", upper - 1, i64::try_from(upper).expect("small"))]);
            ensure!(contents == wanted, "{story}: contents are {contents:?}");
        }
        let writer = w.writer_of(&other);
        let reader = w.reader_of(&other);
        let mut reader = reader;
        for t in upper..upper + 40 {
            w.clock.advance(30_000);
            let same = writer.same();
            reader = w
                .run(async move {
                    same.compare_and_append(&[], at(t), at(t + 1))
                        .await
                        .map_err(|e| e.to_string())?;
                    reader.downgrade_since(at(t)).await.map_err(|e| e.to_string())?;
                    Ok::<_, String>(reader)
                })
                .map_err(|e| format!("{story}: {e}"))?;
        }
        let (client, shard) = (other.clone(), w.shard);
        w.run(async move {
            client.compact(shard).await.map_err(|e| e.to_string())?;
            for t in upper + 40..upper + 43 {
                writer
                    .compare_and_append(&[], at(t), at(t + 1))
                    .await
                    .map_err(|e| e.to_string())?;
                reader.downgrade_since(at(t)).await.map_err(|e| e.to_string())?;
                client.collect_garbage(shard).await.map_err(|e| e.to_string())?;
            }
            reader.expire().await.map_err(|e| e.to_string())
        })
        .map_err(|e| format!("{story}: {e}"))?;
        w.sound().map_err(|why| format!("{story}: {why}"))?;
        let leaked = w.leaked()?;
        let forgotten: Vec<&String> = leaked
            .iter()
            .filter(|key| ever.get(*key).is_some_and(|first| *first <= committed))
            .collect();
        ensure!(
            forgotten.is_empty(),
            "{story}: nobody will ever delete {forgotten:?}"
        );
        ensure!(leaked.len() <= 1, "{story}: {leaked:?} leaked");
    }
    Ok(())
}

/// Collection is aborted after each of its operations; another process finishes it. The parts left are those
/// of the uninterrupted one.
pub(super) fn collection_stops_and_resumes(mutant: Mutant) -> Proof {
    let prepared = || -> Result<World, String> {
        let mut w = World::new(mutant);
        let writer = w.writer();
        let reader = w.reader();
        for t in 0..6 {
            w.append(&writer, &[("a", t, 1)], t, t + 1)
                .map_err(|e| e.to_string())?;
        }
        w.run(async move { reader.downgrade_since(at(5)).await.map(|_| reader) })
            .map_err(|e| e.to_string())
            .and_then(|reader| {
                w.compact();
                w.run(async move { reader.expire().await })
                    .map_err(|e| e.to_string())
            })?;
        Ok(w)
    };
    let finish = |w: &mut World| -> Result<BTreeSet<String>, String> {
        let (other, _) = w.process();
        let shard = w.shard;
        w.run(async move {
            for _ in 0..2 {
                client_collect(&other, shard).await?;
            }
            Ok::<(), String>(())
        })?;
        w.sound()?;
        let keys = w.stores.blob.keys(&format!("{}/", w.shard));
        Ok(keys.into_iter().filter(|key| key.contains("/p/")).collect())
    };
    let mut w = prepared()?;
    w.stores.clear_log();
    w.collect();
    let operations = w.stores.log().len();
    let wanted = finish(&mut w)?;
    ensure!(
        wanted.len() == 1,
        "uninterrupted, {} parts are left",
        wanted.len()
    );
    for nth in 0..operations {
        let mut w = prepared()?;
        let mut count = 0;
        w.stores.script(move |_| {
            count += 1;
            if count == nth + 1 {
                Fate::DiesAfter
            } else {
                Fate::Pass
            }
        });
        let (client, shard) = (w.client.clone(), w.shard);
        let task = w.spawn(async move { client_collect(&client, shard).await });
        w.sim.settle();
        w.sim.abort(task.task());
        w.sound().map_err(|why| format!("stopped after {nth}: {why}"))?;
        let left = finish(&mut w)?;
        ensure!(
            left == wanted,
            "stopped after {nth}: {left:?} are left, not {wanted:?}"
        );
    }
    Ok(())
}

async fn client_collect(client: &Client, shard: ShardId) -> Result<(), String> {
    client
        .collect_garbage(shard)
        .await
        .map(drop)
        .map_err(|e| e.to_string())
}

/// A rewrite is committed without an answer, and overtaken before it is tried again: its blobs, which a
/// reader holds by then, stay.
pub(super) fn batch_in_doubt_is_never_deleted(mutant: Mutant) -> Proof {
    let mut w = World::new(mutant);
    let writer = w.writer();
    for t in 0..3 {
        w.append(&writer, &[("a", t, 1)], t, t + 1)
            .map_err(|e| e.to_string())?;
    }
    let (other, _) = w.process();
    let reader = w.reader_of(&other);
    w.stores.once(|op| matches!(op, Op::Cas(_)), Fate::Unanswered);
    let (client, shard) = (w.client.clone(), w.shard);
    let compaction = w.spawn(async move { client.compact(shard).await });
    w.sim.settle();
    // The clock stands: the first process waits to try again. The second reads the output, and replaces it.
    let again = other.clone();
    let (reader, parts) = w.run_now(async move {
        again.refresh(shard).await.map_err(|e| e.to_string())?;
        let parts = reader.snapshot(2).await.map_err(|e| e.to_string())?;
        let writer = again
            .open_writer(shard, CODEC, "test")
            .await
            .map_err(|e| e.to_string())?;
        writer
            .compare_and_append(&rows(&[("b", 3, 1)]), at(3), at(4))
            .await
            .map_err(|e| e.to_string())?;
        again.compact(shard).await.map_err(|e| e.to_string())?;
        Ok((reader, parts))
    })?;
    ensure!(parts.len() == 1, "the first compaction was not committed");
    w.sim.finish();
    ensure!(compaction.is_ready(), "the first compaction did not end");
    let fetcher = reader.fetcher();
    let fetched = w.run(async move {
        fetcher.fetch(parts[0].part()).await.map(drop)?;
        Ok::<(), FetchError>(())
    });
    ensure!(fetched.is_ok(), "a leased part was answered {fetched:?}");
    w.sound()
}

/// A replacement that brings back a key from elsewhere is refused.
pub(super) fn part_keys_never_return(mutant: Mutant) -> Proof {
    let mut w = World::new(mutant);
    let writer = w.writer();
    for t in 0..2 {
        w.append(&writer, &[("a", t, 1)], t, t + 1)
            .map_err(|e| e.to_string())?;
    }
    let mut state = w.log()?.current;
    let foreign: Vec<Part> = state.batches[&at(1)].parts().cloned().collect();
    let first = &state.batches[&at(0)];
    let output = Arc::new(BatchMeta {
        desc: first.desc,
        runs: vec![foreign],
        len: 1,
    });
    let answer = state.apply_merge(&output, mutant);
    ensure!(answer == Flow::Doubt(false), "it was answered {answer:?}");
    state.check()
}

/// A defect elsewhere drops a part and brings it back: collection leaves it alone and says so.
pub(super) fn referenced_blobs_are_kept(mutant: Mutant) -> Proof {
    let mut w = World::new(mutant);
    let writer = w.writer();
    w.append(&writer, &[("a", 0, 1)], 0, 1)
        .map_err(|e| e.to_string())?;
    let (client, shard) = (w.client.clone(), w.shard);
    let cell = w
        .run(async move { client.cell(shard, CODEC).await })
        .map_err(|e| e.to_string())?;
    w.run(async move {
        let whole = Arc::clone(&cell.current().batches[&Frontier::MIN]);
        let empty = Arc::new(BatchMeta {
            desc: whole.desc,
            runs: vec![],
            len: 0,
        });
        for batch in [empty, whole] {
            cell.apply_idempotent(&mut |state, _| {
                state.batches.insert(Frontier::MIN, Arc::clone(&batch));
                Flow::Commit(())
            })
            .await
            .map_err(|e| e.to_string())?;
        }
        Ok::<(), String>(())
    })?;
    let collected = w.collect().ok_or("nothing was collected")?;
    ensure!(collected.kept.len() == 1, "it reported {:?}", collected.kept);
    let contents = w.contents(0).map_err(|e| e.to_string())?;
    ensure!(contents == rows(&[("a", 0, 1)]), "contents are {contents:?}");
    w.sound()
}

/// A rewrite is committed without an answer and replaced by another before it is tried again: it is not taken
/// a second time. (Found by `random_interleavings_keep_every_promise`, seed 5846.)
pub(super) fn overtaken_output_does_not_return(mutant: Mutant) -> Proof {
    let mut w = World::new(mutant);
    let writer = w.writer();
    for t in 0..3 {
        let row = t.to_string();
        w.append(&writer, &[(row.as_str(), t, 1)], t, t + 1)
            .map_err(|e| e.to_string())?;
    }
    let (other, _) = w.process();
    let seed = w.reader_of(&other);
    w.stores.once(|op| matches!(op, Op::Cas(_)), Fate::Unanswered);
    let (client, shard) = (w.client.clone(), w.shard);
    let compaction = w.spawn(async move { client.compact(shard).await });
    w.sim.settle();
    let first: BTreeSet<String> = w
        .log()?
        .current
        .part_keys()
        .into_iter()
        .map(str::to_owned)
        .collect();
    // The clock stands. The second process replaces the output by one that is as long and reaches as far.
    w.run_now(async move {
        let cell = other.cell(shard, CODEC).await.map_err(|e| e.to_string())?;
        cell.fetch().await.map_err(|e| e.to_string())?;
        let request = cell.current().merge_run();
        let replaced = crate::compact::compact(&cell, request)
            .await
            .map_err(|e| e.to_string())?;
        drop(seed);
        if replaced == 1 {
            Ok(())
        } else {
            Err(format!("{replaced} batches were replaced"))
        }
    })?;
    w.sim.finish();
    ensure!(compaction.is_ready(), "the first compaction did not end");
    let now = w.log()?.current;
    let back: Vec<&str> = now
        .part_keys()
        .into_iter()
        .filter(|key| first.contains(*key))
        .collect();
    ensure!(back.is_empty(), "{back:?} came back");
    w.sound()
}
