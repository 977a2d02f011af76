//! Appends and their answers: SH-9 to SH-12, H5.

use super::world::{CODEC, Proof, World, at, ensure, rows};
use crate::mutant::Mutant;
use crate::testing::faulty::{Fate, Op};
use crate::{AppendError, Update};

fn cas(op: &Op) -> bool {
    matches!(op, Op::Cas(_))
}

/// Two processes with the same expectation, interleaved at every await point in turn.
pub(super) fn exactly_one_append_wins(mutant: Mutant) -> Proof {
    for ahead in 0..24 {
        let mut w = World::new(mutant);
        let a = w.writer();
        let (other, stores) = w.process();
        let b = w.writer_of(&other);
        let first = w.spawn(async move { a.compare_and_append(&rows(&[("a", 0, 1)]), at(0), at(1)).await });
        for _ in 0..ahead {
            w.sim.poll(first.task());
        }
        let second = w.spawn(async move { b.compare_and_append(&rows(&[("b", 0, 1)]), at(0), at(1)).await });
        w.sim.finish();
        let (first, second) = (first.take(), second.take());
        let won = [&first, &second]
            .iter()
            .filter(|r| matches!(r, Some(Ok(()))))
            .count();
        ensure!(won == 1, "{won} of two appends won (lead {ahead})");
        let winner = if matches!(first, Some(Ok(()))) { "a" } else { "b" };
        let loser = if winner == "a" { second } else { first };
        match loser {
            Some(Err(AppendError::UpperMismatch { current, .. })) => {
                ensure!(current == at(1), "the loser was told {current}");
            }
            other => return Err(format!("the loser was told {other:?}")),
        }
        let contents = w.contents(0).map_err(|e| e.to_string())?;
        ensure!(
            contents == [Update::new(winner, 0, 1)],
            "contents are {contents:?}, {winner} won"
        );
        w.sound()?;
        ensure!(stores.broken().is_none(), "{:?}", stores.broken());
    }
    Ok(())
}

pub(super) fn unanswered_append_is_there_once(mutant: Mutant) -> Proof {
    let mut w = World::new(mutant);
    let writer = w.writer();
    w.stores.once(cas, Fate::Unanswered);
    let answer = w.append(&writer, &[("a", 0, 1)], 0, 1);
    ensure!(answer.is_ok(), "answered {answer:?}");
    ensure!(w.upper() == at(1), "upper is {}", w.upper());
    let contents = w.contents(0).map_err(|e| e.to_string())?;
    ensure!(contents == [Update::new("a", 0, 1)], "contents are {contents:?}");
    w.sound()
}

/// What others do to the shard between an append that landed without an answer and the look at what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meanwhile {
    Nothing,
    OthersAppend,
    TheBatchIsRewritten,
    TheWriterIsForgotten,
    TheSlotIsCut,
}

/// The rows of an append that landed are there once, as parts and inline, whatever happened to its batch, to the
/// memory of its writer and to the version that would tell.
pub(super) fn landed_append_is_not_added_again(mutant: Mutant) -> Proof {
    for inline in [0, 4096] {
        for meanwhile in [
            Meanwhile::Nothing,
            Meanwhile::OthersAppend,
            Meanwhile::TheBatchIsRewritten,
            Meanwhile::TheWriterIsForgotten,
            Meanwhile::TheSlotIsCut,
        ] {
            landed_append(mutant, inline, meanwhile)
                .map_err(|why| format!("inline below {inline}, {meanwhile:?}: {why}"))?;
        }
    }
    Ok(())
}

fn landed_append(mutant: Mutant, inline_part_bytes: u64, meanwhile: Meanwhile) -> Proof {
    let settings = crate::Settings {
        inline_part_bytes,
        ..World::settings()
    };
    let mut w = World::with(mutant, settings);
    let a = w.writer();
    let (other, _) = w.process();
    let b = w.writer_of(&other);
    let id = a.id();
    w.stores.once(cas, Fate::Unanswered);
    let landed = w.spawn(async move { a.compare_and_append(&rows(&[("a", 0, 1)]), at(0), at(1)).await });
    w.sim.settle();
    // The clock stands still, so A waits for its backoff while the others go on.
    let shard = w.shard;
    let last = if meanwhile == Meanwhile::Nothing { 1 } else { 4 };
    w.run_now(async move {
        for t in 1..last {
            b.compare_and_append(&rows(&[("b", t, 1)]), at(t), at(t + 1))
                .await
                .map_err(|e| e.to_string())?;
        }
        let done = match meanwhile {
            Meanwhile::Nothing | Meanwhile::OthersAppend => return Ok(()),
            Meanwhile::TheBatchIsRewritten => other.compact(shard).await.map(|count| count > 0),
            Meanwhile::TheWriterIsForgotten => {
                let same = other.open_writer_as(shard, CODEC, id, "test").await;
                same.map_err(|e| e.to_string())?.expire().await.map(|()| true)
            }
            Meanwhile::TheSlotIsCut => other.collect_garbage(shard).await.map(|done| done.is_some()),
        };
        match done.map_err(|e| e.to_string())? {
            true => Ok(()),
            false => Err("nothing was done meanwhile".to_owned()),
        }
    })?;
    w.sim.finish();
    match (meanwhile, landed.take()) {
        (Meanwhile::TheSlotIsCut, Some(Err(AppendError::Unknown { .. }))) => {}
        (Meanwhile::TheSlotIsCut, other) => return Err(format!("answered {other:?}, nobody can know")),
        (_, Some(Ok(()))) => {}
        (_, other) => return Err(format!("answered {other:?}")),
    }
    let time = last - 1;
    let mut expected = rows(&[("a", time, 1)]);
    if time > 0 {
        expected.push(Update::new("b", time, time.cast_signed()));
    }
    let contents = w.contents(time).map_err(|e| e.to_string())?;
    ensure!(contents == expected, "contents are {contents:?}");
    w.sound()
}

pub(super) fn lost_append_is_tried_again(mutant: Mutant) -> Proof {
    let mut w = World::new(mutant);
    let writer = w.writer();
    w.stores.once(cas, Fate::Lost);
    let answer = w.append(&writer, &[("a", 0, 1)], 0, 1);
    ensure!(answer.is_ok(), "answered {answer:?}");
    let contents = w.contents(0).map_err(|e| e.to_string())?;
    ensure!(contents == [Update::new("a", 0, 1)], "contents are {contents:?}");
    w.sound()
}

/// A's attempt is lost, B takes the slot: mismatch. A's attempt is committed, then the slot is truncated away
/// before A can look: unknown.
pub(super) fn undecidable_is_reported(mutant: Mutant) -> Proof {
    let mut w = World::new(mutant);
    let a = w.writer();
    let (other, _) = w.process();
    let b = w.writer_of(&other);
    w.stores.once(cas, Fate::Lost);
    let first = w.spawn(async move { a.compare_and_append(&rows(&[("a", 0, 1)]), at(0), at(1)).await });
    w.sim.settle();
    w.append(&b, &[("b", 0, 1)], 0, 3).map_err(|e| e.to_string())?;
    w.sim.finish();
    match first.take() {
        Some(Err(AppendError::UpperMismatch { current, .. })) => ensure!(current == at(3), "told {current}"),
        other => return Err(format!("a lost race was answered {other:?}")),
    }

    let mut w = World::new(mutant);
    let a = w.writer();
    let (other, _) = w.process();
    let b = w.writer_of(&other);
    w.stores.once(cas, Fate::Unanswered);
    let first = w.spawn(async move { a.compare_and_append(&rows(&[("a", 0, 1)]), at(0), at(1)).await });
    w.sim.settle();
    // The clock stands still, so A waits for its backoff while B goes on and cuts the log.
    let (client, shard) = (other.clone(), w.shard);
    let cut = w.spawn(async move {
        for t in 1..4 {
            b.compare_and_append(&rows(&[("b", t, 1)]), at(t), at(t + 1))
                .await
                .map_err(|e| e.to_string())?;
        }
        client.collect_garbage(shard).await.map_err(|e| e.to_string())
    });
    w.sim.settle();
    let collected = cut.take().ok_or("B did not finish")??;
    ensure!(collected.is_some(), "the log was not cut");
    w.sim.finish();
    match first.take() {
        Some(Err(AppendError::Unknown { .. })) => w.sound(),
        other => Err(format!("an undecidable append was answered {other:?}")),
    }
}

/// A delayed attempt that takes effect during the retry is recognised; a writer entry that vanished after an
/// attempt is not made again.
pub(super) fn doubt_is_decided_by_the_slot(mutant: Mutant) -> Proof {
    for after in 1..6 {
        let mut w = World::new(mutant);
        let writer = w.writer();
        w.stores.once(cas, Fate::Late(after));
        let answer = w.append(&writer, &[("a", 0, 1)], 0, 1);
        ensure!(answer.is_ok(), "late by {after}: answered {answer:?}");
        let contents = w.contents(0).map_err(|e| e.to_string())?;
        ensure!(
            contents == [Update::new("a", 0, 1)],
            "late by {after}: contents are {contents:?}"
        );
        w.sound()?;
    }
    let mut w = World::new(mutant);
    let writer = w.writer();
    w.append(&writer, &[("a", 0, 1)], 0, 1)
        .map_err(|e| e.to_string())?;
    let (other, _) = w.process();
    let shard = w.shard;
    let id = writer.id();
    w.stores.once(cas, Fate::Lost);
    let second = w.spawn(async move {
        writer
            .compare_and_append(&rows(&[("b", 1, 1)]), at(1), at(2))
            .await
    });
    w.sim.settle();
    w.run_now(async move {
        let same = other
            .open_writer_as(shard, CODEC, id, "test")
            .await
            .map_err(|e| e.to_string())?;
        same.expire().await.map_err(|e| e.to_string())
    })?;
    w.sim.finish();
    match second.take() {
        Some(Err(AppendError::Unknown { .. })) => w.sound(),
        other => Err(format!("the entry was made again: {other:?}")),
    }
}
