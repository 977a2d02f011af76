//! Changes that travel with somebody else's commit.

use std::sync::Arc;

use super::world::{CODEC, Proof, World, at, ensure, rows};
use crate::applier::ShardCell;
use crate::ids::SeqNo;
use crate::machine::Flow;
use crate::mutant::Mutant;
use crate::riders::{Change, Ride};
use crate::state::codec::decode_diff;
use crate::state::{RollupRef, State};
use crate::testing::faulty::{Fate, Op};
use crate::testing::sim::Outcome;
use crate::{AppendError, Settings, ShardError, WriteHandle};

const KEY: &str = "a/v1/rollup";

/// Lists a rollup of the second version.
fn listing() -> Change {
    let rollup = RollupRef {
        key: KEY.to_owned(),
        encoded_bytes: 1,
    };
    let seqno = SeqNo::FIRST.next();
    Box::new(move |state: &mut State| matches!(state.add_rollup(seqno, &rollup), Flow::Commit(true)))
}

fn is_listed(cell: &ShardCell) -> bool {
    cell.current().rollups.values().any(|rollup| rollup.key == KEY)
}

/// A shard with a row at time 0, its writer, and a change that waits for a second.
fn world(mutant: Mutant) -> (World, WriteHandle, Arc<ShardCell>, Outcome<Ride>) {
    let mut w = World::new(mutant);
    let writer = w.writer();
    w.append(&writer, &[("a", 0, 1)], 0, 1).unwrap();
    let (client, shard) = (w.client.clone(), w.shard);
    let cell = w.run(async move { client.cell(shard, CODEC).await }).unwrap();
    let (riding, clock) = (Arc::clone(&cell), w.clock.clone());
    let ride = w.spawn(async move { riding.riders.ride(&clock, 1000, listing()).await });
    w.run(crate::rt::yield_now());
    (w, writer, cell, ride)
}

pub(super) fn a_change_travels_with_the_next_append(mutant: Mutant) -> Proof {
    let (mut w, writer, cell, ride) = world(mutant);
    let before = cell.current().seqno;
    w.append(&writer, &[("b", 1, 1)], 1, 2)
        .map_err(|e| e.to_string())?;
    ensure!(is_listed(&cell), "it was left behind");
    let versions = w.stores.consensus.dump(&w.shard.to_string());
    let newest = decode_diff(&versions.last().expect("there was an append").data).unwrap();
    ensure!(newest.latest_rollup.1.key == KEY, "nobody else sees it");
    ensure!(
        cell.current().seqno == before.next(),
        "it took a commit of its own"
    );
    w.sim.settle();
    ensure!(ride.take() == Some(Ride::Committed), "nobody said so");
    Ok(())
}

pub(super) fn a_change_waits_on_after_an_attempt_that_failed_for_certain(mutant: Mutant) -> Proof {
    let (mut w, writer, cell, ride) = world(mutant);
    let (other, _) = w.process();
    let theirs = w.writer_of(&other);
    // Ours aims at a version that is taken, looks again, and appends after it.
    w.append(&theirs, &[], 1, 1).map_err(|e| e.to_string())?;
    w.append(&writer, &[("b", 1, 1)], 1, 2)
        .map_err(|e| e.to_string())?;
    ensure!(is_listed(&cell), "it was lost with the attempt");
    w.sim.settle();
    ensure!(ride.take() == Some(Ride::Committed), "nobody said so");
    Ok(())
}

/// An attempt that got no answer: the append asks the store, and whoever left the change is told that nobody knows.
pub(super) fn a_change_in_doubt_is_not_guessed(mutant: Mutant) -> Proof {
    for (fate, listed) in [(Fate::Unanswered, true), (Fate::Lost, false)] {
        let (mut w, writer, cell, ride) = world(mutant);
        w.stores.once(|op| matches!(op, Op::Cas(_)), fate);
        w.append(&writer, &[("b", 1, 1)], 1, 2)
            .map_err(|e| e.to_string())?;
        ensure!(is_listed(&cell) == listed, "listed: {}", is_listed(&cell));
        ensure!(cell.current().upper() == at(2), "the append itself was lost");
        w.sim.settle();
        ensure!(ride.take() == Some(Ride::Unknown), "somebody guessed");
    }
    Ok(())
}

/// The attempt that has it aboard outlasts its owner's patience and fails, and nobody commits any more.
pub(super) fn a_change_that_comes_back_late_stays_at_home(mutant: Mutant) -> Proof {
    let (mut w, writer, cell, ride) = world(mutant);
    let (other, _) = w.process();
    let theirs = w.writer_of(&other);
    w.stores.once(|op| matches!(op, Op::Cas(_)), Fate::Held("ours"));
    let ours = w.spawn(async move {
        let updates = rows(&[("b", 1, 1)]);
        writer.compare_and_append(&updates, at(1), at(2)).await
    });
    w.sim.settle();
    w.append(&theirs, &[("c", 1, 1)], 1, 2)
        .map_err(|e| e.to_string())?;
    w.clock.advance(1500);
    w.sim.settle();
    w.stores.release("ours");
    w.sim.settle();
    let answer = ours.take();
    ensure!(
        matches!(answer, Some(Err(AppendError::UpperMismatch { .. }))),
        "the append was answered {answer:?}"
    );
    w.sim.finish_at_most(1000, ride.task())?;
    ensure!(ride.take() == Some(Ride::Not), "its owner was told otherwise");
    ensure!(!is_listed(&cell), "it travelled");
    Ok(())
}

/// Nobody is left who would do what belongs to it.
pub(super) fn a_change_whose_owner_is_gone_does_not_travel(mutant: Mutant) -> Proof {
    let (mut w, writer, cell, ride) = world(mutant);
    let (other, _) = w.process();
    let theirs = w.writer_of(&other);
    w.stores.once(|op| matches!(op, Op::Cas(_)), Fate::Held("ours"));
    let same = writer.same();
    let ours = w.spawn(async move { same.compare_and_append(&[], at(1), at(2)).await });
    w.sim.settle();
    w.sim.abort(ride.task());
    w.append(&theirs, &[], 1, 1).map_err(|e| e.to_string())?;
    w.stores.release("ours");
    w.sim.settle();
    ensure!(matches!(ours.take(), Some(Ok(()))), "the append failed");
    ensure!(!is_listed(&cell), "it travelled");
    Ok(())
}

pub(super) fn a_change_that_nobody_takes_stays_at_home(mutant: Mutant) -> Proof {
    let (mut w, writer, cell, ride) = world(mutant);
    let clock = w.clock.clone();
    w.run(async move { clock.sleep(2000).await });
    ensure!(ride.take() == Some(Ride::Not), "nobody committed");
    w.append(&writer, &[("b", 1, 1)], 1, 2)
        .map_err(|e| e.to_string())?;
    ensure!(
        !is_listed(&cell),
        "it was done although its owner does it himself"
    );
    Ok(())
}

pub(super) fn a_change_that_does_not_apply_is_not_committed(mutant: Mutant) -> Proof {
    let (mut w, writer, cell, _ride) = world(mutant);
    let (riding, clock) = (Arc::clone(&cell), w.clock.clone());
    let again = w.spawn(async move { riding.riders.ride(&clock, 1000, listing()).await });
    w.run(crate::rt::yield_now());
    w.append(&writer, &[("b", 1, 1)], 1, 2)
        .map_err(|e| e.to_string())?;
    w.sim.settle();
    ensure!(again.take() == Some(Ride::Not), "it is listed once");
    Ok(())
}

/// A shard of three batches of parts that live in its state, if they are no greater than this, its writer, and a rewrite of
/// them that waits for a second.
fn rewriting(
    inline_part_bytes: u64,
) -> (
    World,
    WriteHandle,
    Arc<ShardCell>,
    Outcome<Result<usize, ShardError>>,
) {
    let settings = Settings {
        upkeep_ride_ms: 1000,
        inline_part_bytes,
        ..World::settings()
    };
    let mut w = World::with(Mutant::None, settings);
    let writer = w.writer();
    for time in 0..3 {
        w.append(&writer, &[("a", time, 1)], time, time + 1).unwrap();
    }
    let (client, shard) = (w.client.clone(), w.shard);
    let cell = w.run(async move { client.cell(shard, CODEC).await }).unwrap();
    let same = Arc::clone(&cell);
    let rewrite = w.spawn(async move { crate::compact::compact_everything(&same).await });
    w.sim.settle();
    (w, writer, cell, rewrite)
}

/// Parts in the state, and parts in blobs.
const WHERE: [u64; 2] = [4096, 0];

#[test]
fn a_rewrite_travels_with_the_next_append() -> Proof {
    for inline_part_bytes in WHERE {
        let (mut w, writer, cell, rewrite) = rewriting(inline_part_bytes);
        let before = cell.current();
        ensure!(before.batches.len() == 3, "it did not wait");
        w.append(&writer, &[("b", 3, 1)], 3, 4)
            .map_err(|e| e.to_string())?;
        let after = cell.current();
        ensure!(after.seqno == before.seqno.next(), "it took a commit of its own");
        ensure!(
            after.batches.len() == 2,
            "{} batches are left",
            after.batches.len()
        );
        // The new batch and the rewritten one are due next; nobody else commits, so that the rewrite does.
        w.sim.finish_at_most(5000, rewrite.task())?;
        ensure!(matches!(rewrite.take(), Some(Ok(5))), "it replaced other batches");
        let all = w.contents(3).map_err(|e| e.to_string())?;
        ensure!(all == rows(&[("a", 3, 3), ("b", 3, 1)]), "it reads {all:?}");
        w.sound()?;
    }
    Ok(())
}

/// What was not committed leaks; it is not deleted, for nobody knows that.
#[test]
fn a_rewrite_in_doubt_is_left_as_it_is() -> Proof {
    for (fate, batches) in [(Fate::Unanswered, 2), (Fate::Lost, 4)] {
        for inline_part_bytes in WHERE {
            let (mut w, writer, cell, rewrite) = rewriting(inline_part_bytes);
            w.stores.once(|op| matches!(op, Op::Cas(_)), fate.clone());
            w.append(&writer, &[("b", 3, 1)], 3, 4)
                .map_err(|e| e.to_string())?;
            let found = cell.current().batches.len();
            ensure!(found == batches, "{found} batches, not {batches}");
            w.sim.settle();
            ensure!(matches!(rewrite.take(), Some(Ok(0))), "somebody guessed");
            let leaked = w.leaked()?.len();
            let expected = usize::from(fate == Fate::Lost && inline_part_bytes == 0);
            ensure!(leaked == expected, "{leaked} blobs leaked, not {expected}");
            let all = w.contents(3).map_err(|e| e.to_string())?;
            ensure!(all == rows(&[("a", 3, 3), ("b", 3, 1)]), "it reads {all:?}");
            w.sound()?;
        }
    }
    Ok(())
}
