//! Changes that travel with somebody else's commit.

use std::sync::Arc;

use super::world::{CODEC, Proof, World, at, ensure};
use crate::WriteHandle;
use crate::applier::ShardCell;
use crate::ids::SeqNo;
use crate::machine::Flow;
use crate::mutant::Mutant;
use crate::riders::{Change, Ride};
use crate::state::{RollupRef, State};
use crate::testing::faulty::{Fate, Op};
use crate::testing::sim::Outcome;

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
fn world() -> (World, WriteHandle, Arc<ShardCell>, Outcome<Ride>) {
    let mut w = World::new(Mutant::None);
    let writer = w.writer();
    w.append(&writer, &[("a", 0, 1)], 0, 1).unwrap();
    let (client, shard) = (w.client.clone(), w.shard);
    let cell = w.run(async move { client.cell(shard, CODEC).await }).unwrap();
    let (riding, clock) = (Arc::clone(&cell), w.clock.clone());
    let ride = w.spawn(async move { riding.riders.ride(&clock, 1000, listing()).await });
    w.run(crate::rt::yield_now());
    (w, writer, cell, ride)
}

#[test]
fn a_change_travels_with_the_next_append() -> Proof {
    let (mut w, writer, cell, ride) = world();
    let before = cell.current().seqno;
    w.append(&writer, &[("b", 1, 1)], 1, 2)
        .map_err(|e| e.to_string())?;
    ensure!(is_listed(&cell), "it was left behind");
    ensure!(
        cell.current().seqno == before.next(),
        "it took a commit of its own"
    );
    w.sim.settle();
    ensure!(ride.take() == Some(Ride::Committed), "nobody said so");
    Ok(())
}

#[test]
fn a_change_waits_on_after_an_attempt_that_failed_for_certain() -> Proof {
    let (mut w, writer, cell, ride) = world();
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

#[test]
fn what_became_of_a_change_in_doubt_is_not_guessed() -> Proof {
    for (fate, listed) in [(Fate::Unanswered, true), (Fate::Lost, false)] {
        let (mut w, writer, cell, ride) = world();
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

#[test]
fn a_change_that_nobody_takes_stays_at_home() -> Proof {
    let (mut w, writer, cell, ride) = world();
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

#[test]
fn a_change_that_does_not_apply_is_not_committed() -> Proof {
    let (mut w, writer, cell, _ride) = world();
    let (riding, clock) = (Arc::clone(&cell), w.clock.clone());
    let again = w.spawn(async move { riding.riders.ride(&clock, 1000, listing()).await });
    w.run(crate::rt::yield_now());
    w.append(&writer, &[("b", 1, 1)], 1, 2)
        .map_err(|e| e.to_string())?;
    w.sim.settle();
    ensure!(again.take() == Some(Ride::Not), "it is listed once");
    Ok(())
}
