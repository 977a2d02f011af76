//! The frontier and missing data: SRC-1 to SRC-4, SRC-18, SRC-26, SRC-27, SRC-30, SRC-31, and the review's bug.

use std::sync::Arc;

use dataflow::{FlowError, Mutant, RowCodec};
use shard::Frontier;

use crate::gate::Rule;
use crate::world::World;

/// Rows `row t` for the times of `times`.
pub(crate) fn rows_of(times: std::ops::Range<u64>) -> Vec<(u64, String, i64)> {
    times.map(|time| (time, format!("row {time}"), 1)).collect()
}

/// What came out before `time`.
fn before(rows: Vec<(u64, String, i64)>, time: u64) -> Vec<(u64, String, i64)> {
    rows.into_iter().filter(|(at, _, _)| *at < time).collect()
}

/// Asserts the freeze at `time` of a shard with one row a time: frontier, complete rows, error reports.
fn expect_frozen(world: &World, flow: usize, time: u64) {
    world.expect_frontier(flow, Some(time));
    assert_eq!(
        before(world.rows(flow), time),
        rows_of(0..time),
        "all rows before the freeze"
    );
    let errors = world.errors(flow);
    assert!(
        !errors.is_empty() && errors.len() <= world.workers.len(),
        "one report a worker at most: {errors:?}"
    );
}

pub(crate) fn frontier_waits_for_the_missing_time(mutant: Mutant) {
    for workers in [1, 2] {
        for held in 0..6 {
            let mut world = World::new(workers, mutant);
            world.append_each(0..6);
            world.gate.set(&world.key_at(held), Rule::Hold);
            let flow = world.install(|_| ());
            world.settle();
            world.expect_frontier(flow, Some(held));
            assert!(world.rows(flow).iter().all(|(time, _, _)| *time != held));
            world.gate.open_all();
            world.settle();
            world.expect_frontier(flow, Some(6));
            assert_eq!(world.rows(flow), rows_of(0..6));
        }
    }
}

pub(crate) fn a_missing_part_freezes_exactly_there(mutant: Mutant) {
    for workers in [1, 2] {
        for concurrency in [1, 8] {
            let mut world = World::new(workers, mutant);
            world.set_concurrency(concurrency);
            world.append_each(0..12);
            world.gate.set(&world.key_at(5), Rule::Missing);
            let flow = world.install(|_| ());
            world.settle();
            expect_frozen(&world, flow, 5);
        }
    }
}

pub(crate) fn every_order_of_completion_freezes_exactly_there(mutant: Mutant) {
    for order in permutations(&[3, 4, 5, 6]) {
        for workers in [1, 2] {
            let mut world = World::new(workers, mutant);
            world.set_concurrency(12);
            world.append_each(0..12);
            let keys = world.keys_by_time();
            world.gate.set(&keys[&5][0], Rule::Missing);
            world.gate.hold_all();
            let flow = world.install(|_| ());
            for time in [0, 1, 2, 7, 8, 9, 10, 11] {
                world.gate.open(&keys[&time][0]);
            }
            world.settle();
            let mut late_rows_at_failure = None;
            for time in &order {
                world.gate.open(&keys[time][0]);
                world.settle();
                let late = world.rows(flow).iter().filter(|(at, _, _)| *at >= 5).count();
                if !world.errors(flow).is_empty() && workers == 1 {
                    let allowed = *late_rows_at_failure.get_or_insert(late);
                    assert_eq!(
                        late, allowed,
                        "no row at or after 5 once the failure was processed"
                    );
                }
            }
            expect_frozen(&world, flow, 5);
            assert!(!world.rows(flow).iter().any(|(time, _, _)| *time == 5));
        }
    }
}

pub(crate) fn first_last_and_lesser_of_two_missing_times(mutant: Mutant) {
    for workers in [1, 2] {
        for (missing, frozen) in [(vec![0], 0), (vec![7], 7), (vec![2, 6], 2)] {
            for missing_first in [true, false] {
                let mut world = World::new(workers, mutant);
                world.set_concurrency(8);
                world.append_each(0..8);
                let keys = world.keys_by_time();
                world.gate.hold_all();
                for time in &missing {
                    world.gate.set(&keys[time][0], Rule::Missing);
                }
                let flow = world.install(|_| ());
                world.settle();
                let mut order: Vec<u64> = missing.iter().rev().copied().collect();
                if !missing_first {
                    order.reverse();
                }
                for time in order {
                    world.gate.open(&keys[&time][0]);
                    world.settle();
                }
                world.gate.open_all();
                world.settle();
                expect_frozen(&world, flow, frozen);
            }
        }
    }
}

pub(crate) fn a_freeze_lasts(mutant: Mutant) {
    for workers in [1, 2] {
        let mut world = World::new(workers, mutant);
        world.append_each(0..6);
        world.gate.set(&world.key_at(3), Rule::Missing);
        let frozen = world.install(|_| ());
        world.settle();
        world.expect_frontier(frozen, Some(3));
        world.append_each(6..16);
        world.settle();
        world.expect_frontier(frozen, Some(3));
        let healthy = world.install(|options| options.as_of = Some(4));
        world.settle();
        world.expect_frontier(healthy, Some(4));
        assert!(
            !world.errors(healthy).is_empty(),
            "a snapshot needs the missing part too"
        );
        let healthy = world.install(|options| {
            options.as_of = Some(4);
            options.snapshot = dataflow::SnapshotMode::Exclude;
        });
        world.settle();
        world.expect_frontier(healthy, Some(16));
        world.expect_frontier(frozen, Some(3));
        assert_eq!(world.rows(healthy), rows_of(5..16));
    }
}

pub(crate) fn a_frozen_source_listens_no_more(mutant: Mutant) {
    let mut world = World::new(2, mutant);
    world.append_each(0..8);
    world.gate.set(&world.key_at(3), Rule::Missing);
    let frozen = world.install(|_| ());
    world.settle();
    let sent = world.watches[frozen].counters.messages_sent.get();
    world.append_each(8..18);
    world.settle();
    let counters = &world.watches[frozen].counters;
    assert_eq!(counters.messages_sent.get(), sent, "nothing is listened to");
    let leases = counters.leases_by_time();
    assert!(
        leases.keys().all(|time| *time <= 3),
        "leases after the freeze are of no use: {leases:?}"
    );
    assert_eq!(leases.get(&3), Some(&1), "what is missing is still held");
}

pub(crate) fn order_of_completion_does_not_matter(mutant: Mutant) {
    for seed in 0..6u64 {
        for workers in [1, 3] {
            let mut world = World::new(workers, mutant);
            world.set_concurrency(8);
            world.append_each(0..16);
            let keys = world.keys_by_time();
            world.gate.hold_all();
            let flow = world.install(|_| ());
            world.settle();
            let mut left: Vec<String> = keys.into_values().flatten().collect();
            let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            while !left.is_empty() {
                let waiting = world.gate.waiting();
                let reachable: Vec<&String> = left.iter().filter(|key| waiting.contains(*key)).collect();
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let pick = usize::try_from(state % reachable.len() as u64).unwrap();
                let key = reachable[pick].clone();
                world.gate.open(&key);
                left.retain(|other| *other != key);
                world.settle();
            }
            world.expect_frontier(flow, Some(16));
            assert_eq!(world.rows(flow), rows_of(0..16));
        }
    }
}

pub(crate) fn a_frozen_source_does_not_harm_its_neighbour(mutant: Mutant) {
    let mut world = World::new(1, mutant);
    world.append_each(0..16);
    // Memory for a few parts only: whoever keeps it starves the other.
    let part = world.blobs.peek(&world.key_at(0)).expect("stored").len();
    world.client.settings().update(&mut |settings| {
        settings.fetch_memory_bytes = u64::try_from(3 * part).unwrap();
    });
    world.gate.set(&world.key_at(1), Rule::Missing);
    let frozen = world.install(|_| ());
    world.settle();
    let healthy = world.install(|options| {
        options.as_of = Some(2);
        options.snapshot = dataflow::SnapshotMode::Exclude;
    });
    world.settle();
    world.append_each(16..20);
    world.settle();
    world.expect_frontier(frozen, Some(1));
    world.expect_frontier(healthy, Some(20));
    assert_eq!(world.rows(healthy), rows_of(3..20));
    assert!(world.errors(healthy).is_empty());
}

pub(crate) fn a_task_that_panics_is_not_progress(mutant: Mutant) {
    // The fetch task, when it comes to the part of time 2.
    for workers in [1, 2] {
        let mut world = World::new(workers, mutant);
        world.set_concurrency(1);
        world.append_each(0..5);
        let doomed = world.key_at(2);
        let flow = world.install_hooked(
            |_| (),
            |hooks| {
                hooks.before_fetch = Some(Arc::new(move |key| {
                    assert!(key != doomed, "scripted panic of the fetch task")
                }));
            },
        );
        world.settle();
        let frontiers = world.frontiers(flow);
        assert!(
            frontiers
                .iter()
                .all(|frontier| frontier.is_some_and(|time| time <= 2)),
            "{frontiers:?}"
        );
        let errors = world.errors(flow);
        assert!(
            matches!(&errors[..], [FlowError::TaskDied { task: "fetch", .. }]),
            "{errors:?}"
        );
    }
    // The listen task, when it judges the part of time 2.
    let mut world = World::new(2, mutant);
    world.append_each(0..5);
    let flow = world.install(|options| {
        options.part_filter = Some(Arc::new(|stats, _| {
            assert!(stats.time_min != 2, "scripted panic of the listen task");
            dataflow::FilterResult::Keep
        }));
    });
    world.settle();
    world.expect_frontier(flow, Some(2));
    let errors = world.errors(flow);
    assert!(
        matches!(&errors[..], [FlowError::TaskDied { task: "listen", .. }]),
        "{errors:?}"
    );
}

pub(crate) fn a_restart_after_a_freeze_reads_on(mutant: Mutant) {
    let mut world = World::new(2, mutant);
    world.append_each(0..6);
    world.gate.set(&world.key_at(3), Rule::Missing);
    let frozen = world.install(|_| ());
    world.settle();
    world.expect_frontier(frozen, Some(3));
    world.press(0, frozen);
    world.press(1, frozen);
    world.settle();
    assert_eq!(world.installed(), vec![0, 0]);
    world.append_each(6..9);
    let fresh = world.install(|options| {
        options.as_of = Some(5);
        options.snapshot = dataflow::SnapshotMode::Exclude;
    });
    world.settle();
    world.expect_frontier(fresh, Some(9));
    assert_eq!(world.rows(fresh), rows_of(6..9));
}

pub(crate) fn a_flipped_byte_freezes_exactly_there(mutant: Mutant) {
    for workers in [1, 2] {
        for position in [0, 44, -1] {
            let mut world = World::new(workers, mutant);
            world.append_each(0..6);
            world.gate.set(&world.key_at(4), Rule::Flip(position));
            let flow = world.install(|_| ());
            world.settle();
            expect_frozen(&world, flow, 4);
        }
    }
}

pub(crate) fn rows_that_do_not_decode_freeze_exactly_there(mutant: Mutant) {
    for workers in [1, 2] {
        let mut world = World::new(workers, mutant);
        for time in 0..6 {
            // Tag 0 is data, tag 1 an error in the data; 9 is neither.
            let tag = if time == 3 { "\u{9}" } else { "\0" };
            world.append(
                &[(&format!("{tag}row {time}"), time, 1)],
                time,
                Frontier::At(time + 1),
            );
        }
        let flow = world.install(|options| options.codec = RowCodec::Tagged);
        world.settle();
        expect_frozen(&world, flow, 3);
        assert!(matches!(
            world.errors(flow)[..],
            [FlowError::Decode { time: 3, .. }]
        ));
        world.append(&[("\0more", 6, 1)], 6, Frontier::At(7));
        world.settle();
        world.expect_frontier(flow, Some(3));
    }
}

/// The review's reproduction: batches at 0, 1, 2 and one blob missing.
pub(crate) fn three_batches_and_one_missing(mutant: Mutant, missing: u64) {
    for workers in [1, 2] {
        let mut world = World::new(workers, mutant);
        world.append_each(0..3);
        let keys = world.keys_by_time();
        world.gate.set(&keys[&missing][0], Rule::Missing);
        world.gate.hold_all();
        let flow = world.install(|_| ());
        for time in 0..3 {
            world.gate.open(&keys[&time][0]);
            world.settle();
        }
        world.expect_frontier(flow, Some(missing));
    }
}

/// Nothing missing, but the later part comes first.
pub(crate) fn later_parts_first(mutant: Mutant) {
    let mut world = World::new(1, mutant);
    world.set_concurrency(2);
    world.append_each(0..2);
    let keys = world.keys_by_time();
    world.gate.hold_all();
    let flow = world.install(|_| ());
    world.gate.open(&keys[&1][0]);
    world.settle();
    world.expect_frontier(flow, Some(0));
    world.gate.open(&keys[&0][0]);
    world.settle();
    world.expect_frontier(flow, Some(2));
    assert_eq!(world.rows(flow), rows_of(0..2));
}

fn permutations(times: &[u64]) -> Vec<Vec<u64>> {
    let Some((first, rest)) = times.split_first() else {
        return vec![vec![]];
    };
    let mut all = Vec::new();
    for shorter in permutations(rest) {
        for at in 0..=shorter.len() {
            let mut order = shorter.clone();
            order.insert(at, *first);
            all.push(order);
        }
    }
    all
}
