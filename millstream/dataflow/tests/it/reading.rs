//! What a source reads and when: SRC-6 to SRC-9, SRC-15, SRC-16, SRC-19 to SRC-22, SRC-24, SRC-28, SRC-29, H12.

use std::collections::BTreeMap;
use std::sync::Arc;

use dataflow::{
    FilterResult, FlowError, FlowLimit, Mutant, Pushed, Row, RowCodec, SnapshotMode, StartSignal,
    chosen_worker,
};
use parking_lot::Mutex;
use shard::Frontier;
use tokio::sync::watch;

use crate::freeze::rows_of;
use crate::world::{CODEC, World};

/// Raises the shard's since.
fn raise_since(world: &World, to: u64) {
    let reader = world
        .wait(world.client.open_leased_reader(world.shard, CODEC, "raise"))
        .expect("opens");
    world
        .wait(reader.downgrade_since(Frontier::At(to)))
        .expect("holds");
    world.wait(reader.expire()).expect("expires");
}

pub(crate) fn as_of_before_since_is_an_error(mutant: Mutant) {
    let mut world = World::new(2, mutant);
    world.append_each(0..5);
    raise_since(&world, 3);
    let flow = world.install(|options| options.as_of = Some(1));
    world.settle();
    world.expect_frontier(flow, Some(1));
    let errors = world.errors(flow);
    assert!(
        matches!(
            errors[..],
            [FlowError::AsOfBeforeSince {
                as_of: 1,
                since: Frontier::At(3),
                ..
            }]
        ),
        "{errors:?}"
    );
}

pub(crate) fn an_error_is_the_last_message(mutant: Mutant) {
    // At the start, and when the reader has lost its lease.
    for at_start in [true, false] {
        let mut world = World::new(2, mutant);
        world.append_each(0..5);
        raise_since(&world, 3);
        let flow = world.install(|options| options.as_of = at_start.then_some(1));
        world.settle();
        if !at_start {
            world.expect_frontier(flow, Some(5));
            world.outlive_leases();
            world.append_each(5..6);
            world.settle();
        }
        assert_eq!(world.errors(flow).len(), 1, "{:?}", world.errors(flow));
        let frontiers = world.frontiers(flow);
        let counters = Arc::clone(&world.watches[flow].counters);
        let sent = counters.messages_sent.get();
        assert_eq!(sent, counters.messages_received.get(), "nothing comes after it");
        assert_eq!(
            counters.tasks.get(),
            2,
            "the listen task has ended, those that fetch have not"
        );
        let upper = if at_start { 5 } else { 6 };
        world.append_each(upper..upper + 3);
        world.settle();
        assert_eq!(counters.messages_sent.get(), sent);
        assert_eq!(world.frontiers(flow), frontiers);
    }
}

pub(crate) fn the_frontier_reaches_as_of_without_data(mutant: Mutant) {
    for as_of in [None, Some(42)] {
        let mut world = World::new(2, mutant);
        world.writer();
        raise_since(&world, 42);
        let flow = world.install(|options| options.as_of = as_of);
        world.settle();
        world.expect_frontier(flow, Some(42));
        assert!(world.errors(flow).is_empty());
    }
}

/// What `updates` add up to at `time`.
fn contents(updates: &[(u64, String, i64)], time: u64) -> BTreeMap<String, i64> {
    let mut sums = BTreeMap::new();
    for (at, row, diff) in updates {
        if *at <= time {
            *sums.entry(row.clone()).or_insert(0) += diff;
        }
    }
    sums.retain(|_, diff| *diff != 0);
    sums
}

fn next(state: &mut u64, below: u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state % below
}

pub(crate) fn contents_equal_the_shard_at_every_time(mutant: Mutant) {
    for seed in 1..13u64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let workers = 1 + usize::try_from(next(&mut state, 4)).unwrap();
        let mut world = World::new(workers, mutant);
        let mut history: Vec<(u64, String, i64)> = Vec::new();
        let mut upper = 0;
        let mut write = |world: &World, state: &mut u64, batches: u64| {
            for _ in 0..batches {
                let to = upper + 1 + next(state, 3);
                let mut batch = Vec::new();
                for _ in 0..next(state, 6) {
                    let time = upper + next(state, to - upper);
                    let diff = if next(state, 3) == 0 { -1 } else { 1 };
                    batch.push((time, format!("row {}", next(state, 5)), diff));
                }
                let rows: Vec<(&str, u64, i64)> =
                    batch.iter().map(|(t, row, d)| (row.as_str(), *t, *d)).collect();
                world.append(&rows, upper, Frontier::At(to));
                history.extend(batch);
                upper = to;
            }
            upper
        };
        let middle = write(&world, &mut state, 6);
        let as_of = next(&mut state, middle);
        let include = world.install(|options| options.as_of = Some(as_of));
        let exclude = world.install(|options| {
            options.as_of = Some(as_of);
            options.snapshot = SnapshotMode::Exclude;
        });
        world.settle();
        let end = write(&world, &mut state, 6);
        world.settle();
        world.expect_frontier(include, Some(end));
        world.expect_frontier(exclude, Some(end));
        let (with, without) = (world.rows(include), world.rows(exclude));
        assert!(
            with.iter().all(|(time, _, _)| *time >= as_of),
            "every update is beyond as_of"
        );
        assert!(
            without.iter().all(|(time, _, _)| *time > as_of),
            "only what changed after as_of"
        );
        for time in as_of..end {
            assert_eq!(
                contents(&with, time),
                contents(&history, time),
                "seed {seed}, at {time}"
            );
            let later: Vec<_> = history.iter().filter(|(at, _, _)| *at > as_of).cloned().collect();
            assert_eq!(
                contents(&without, time),
                contents(&later, time),
                "seed {seed}, changes at {time}"
            );
        }
    }
}

pub(crate) fn nothing_at_or_after_until(mutant: Mutant) {
    for workers in [1, 2] {
        let mut world = World::new(workers, mutant);
        world.append_each(0..4);
        world.append(&[("four", 4, 1), ("six", 6, 1)], 4, Frontier::At(8));
        let flow = world.install(|options| options.until = Frontier::At(6));
        world.settle();
        world.expect_frontier(flow, None);
        let mut expected = rows_of(0..4);
        expected.push((4, "four".to_owned(), 1));
        assert_eq!(world.rows(flow), expected);
        let gets = world.gate.gets().len();
        world.append_each(8..12);
        world.settle();
        assert_eq!(world.gate.gets().len(), gets, "nothing more is read");
        world.expect_frontier(flow, None);
        let ends: usize = world
            .workers
            .on_all(move |stage| *stage.flows[flow].ends.borrow())
            .iter()
            .sum();
        assert_eq!(ends, 1, "the end is announced once");
    }
}

/// Starts a source that waits for its signal.
fn suspended(world: &mut World, as_of: Option<u64>) -> (usize, watch::Sender<bool>) {
    let (start, started) = watch::channel(false);
    let flow = world.install(|options| {
        options.as_of = as_of;
        options.start = StartSignal::When(started);
    });
    (flow, start)
}

pub(crate) fn nothing_is_read_before_the_start(mutant: Mutant) {
    let mut world = World::new(2, mutant);
    world.append_each(0..5);
    let (flow, start) = suspended(&mut world, Some(2));
    world.settle();
    world.expect_frontier(flow, Some(0));
    assert_eq!(world.gate.gets(), Vec::<String>::new());
    assert_eq!(world.watches[flow].counters.messages_sent.get(), 0);
    assert_eq!(
        world.since_if_others_let_go(4),
        Frontier::At(0),
        "the reader is registered and holds"
    );
    start.send(true).unwrap();
    world.settle();
    world.expect_frontier(flow, Some(5));
    assert_eq!(world.rows(flow).len(), 5);
}

pub(crate) fn the_hold_covers_the_waiting(mutant: Mutant) {
    let mut world = World::new(1, mutant);
    world.append_each(0..8);
    let (flow, start) = suspended(&mut world, Some(2));
    world.settle();
    world.since_if_others_let_go(7);
    start.send(true).unwrap();
    world.settle();
    assert!(world.errors(flow).is_empty(), "{:?}", world.errors(flow));
    world.expect_frontier(flow, Some(8));
}

pub(crate) fn a_source_that_waits_holds_its_as_of_only(mutant: Mutant) {
    for snapshot in [SnapshotMode::Include, SnapshotMode::Exclude] {
        let mut world = World::new(2, mutant);
        world.append_each(0..4);
        let flow = world.install(move |options| {
            options.as_of = Some(9);
            options.snapshot = snapshot;
        });
        world.settle();
        world.expect_frontier(flow, Some(9));
        assert_eq!(
            world.since_if_others_let_go(12),
            Frontier::At(9),
            "{snapshot:?}: nobody needs what lies before its as_of"
        );
        world.append_each(4..12);
        world.settle();
        world.expect_frontier(flow, Some(12));
        let expected = match snapshot {
            SnapshotMode::Include => (0..10).map(|row| (9, format!("row {row}"), 1)).collect(),
            SnapshotMode::Exclude => Vec::new(),
        };
        let later = (10..12).map(|time| (time, format!("row {time}"), 1));
        assert_eq!(
            world.rows(flow),
            expected.into_iter().chain(later).collect::<Vec<_>>()
        );
    }
}

pub(crate) fn discarded_parts_are_not_fetched(mutant: Mutant) {
    let mut world = World::new(2, mutant);
    world.append_each(0..6);
    let keys = world.keys_by_time();
    let presented = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&presented);
    let flow = world.install(move |options| {
        options.audit_percent = 0;
        options.snapshot = SnapshotMode::Exclude;
        options.part_filter = Some(Arc::new(move |stats, _| {
            seen.lock().push(stats.time_min);
            if stats.row_min == b"row 3" {
                FilterResult::Discard
            } else {
                FilterResult::Keep
            }
        }));
    });
    world.settle();
    world.expect_frontier(flow, Some(6));
    let gets = world.gate.gets();
    assert!(!gets.contains(&keys[&3][0]), "a discarded part is not fetched");
    assert!(gets.contains(&keys[&2][0]), "a kept part is");
    let expected: Vec<_> = rows_of(1..6)
        .into_iter()
        .filter(|(time, _, _)| *time != 3)
        .collect();
    assert_eq!(world.rows(flow), expected);

    // A part that lives in the state is never presented, nor is a stored one without statistics: the second
    // of these was to live in the state too, which had no room for it.
    let inline = |total| {
        world.client.settings().update(&mut |settings| {
            settings.inline_part_bytes = 4096;
            settings.inline_total_bytes = total;
        });
    };
    presented.lock().clear();
    let gets = world.gate.gets().len();
    inline(1 << 20);
    world.append(&[("row 3", 6, 1)], 6, Frontier::At(7));
    world.settle();
    assert_eq!(world.gate.gets().len(), gets, "nothing to fetch");
    inline(1);
    world.append(&[("row 3", 7, 1)], 7, Frontier::At(8));
    world.settle();
    assert_eq!(world.gate.gets()[gets..], [world.key_at(7)], "kept, so fetched");
    assert_eq!(*presented.lock(), Vec::<u64>::new());
    world.expect_frontier(flow, Some(8));
    assert_eq!(world.rows(flow).len(), 4 + 2);
}

pub(crate) fn a_counted_part_is_not_fetched(mutant: Mutant) {
    let mut world = World::new(2, mutant);
    world.append(&[("a", 0, 2), ("b", 1, 3)], 0, Frontier::At(2));
    world.append(&[("c", 3, 1)], 2, Frontier::At(4));
    world.append(&[("d", 4, 7)], 4, Frontier::At(5));
    let keys = world.keys_by_time();
    let flow = world.install(|options| {
        options.as_of = Some(3);
        options.audit_percent = 0;
        options.part_filter = Some(Arc::new(|_, _| FilterResult::ReplaceWith(b"any".to_vec())));
    });
    world.settle();
    world.expect_frontier(flow, Some(5));
    let expected = vec![(3, "any".to_owned(), 6), (4, "d".to_owned(), 7)];
    assert_eq!(
        world.rows(flow),
        expected,
        "the count of the snapshot is right, later parts are kept"
    );
    let gets = world.gate.gets();
    assert!(!gets.contains(&keys[&0][0]) && gets.contains(&keys[&4][0]));
}

pub(crate) fn an_audit_fetches_what_its_budget_allows(mutant: Mutant) {
    let audit = |percent: u64, budget: u64| {
        let mut world = World::new(2, mutant);
        world.append_each(0..3);
        let key = world.key_at(1);
        let flow = world.install(move |options| {
            options.audit_percent = percent;
            options.audit_budget_bytes = budget;
            options.part_filter = Some(Arc::new(|stats, _| match stats.row_min.as_slice() {
                b"row 1" => FilterResult::Discard,
                _ => FilterResult::Keep,
            }));
            options.row_filter = Some(Arc::new(|row| match row {
                b"row 1" => Pushed::Drop,
                _ => Pushed::Keep,
            }));
        });
        world.settle();
        world.expect_frontier(flow, Some(3));
        let expected = vec![(0, "row 0".to_owned(), 1), (2, "row 2".to_owned(), 1)];
        assert_eq!(world.rows(flow), expected, "an honest filter passes its audit");
        let fetched = world.gate.gets().contains(&key);
        let audited = world.watches[flow].counters.parts_audited.get();
        assert_eq!(audited, i64::from(fetched));
        fetched
    };
    assert!(audit(100, 1 << 20), "the audit fetches what was discarded");
    assert!(!audit(0, 1 << 20), "nothing is audited at 0 percent");
    // Part 0 is kept and earns its own bytes; part 1 is not smaller than that, so nothing is left for it.
    assert!(!audit(100, 0), "without a budget nothing is audited");
}

pub(crate) fn coalescing_changes_frontiers_only(mutant: Mutant) {
    let run = |limit: usize| {
        let mut world = World::new(2, mutant);
        world.append_each(0..64);
        let flow = world.install(move |options| options.coalesce_bytes = limit);
        world.settle();
        world.expect_frontier(flow, Some(64));
        assert_eq!(world.rows(flow), rows_of(0..64));
        world.append_each(64..66);
        world.settle();
        world.expect_frontier(flow, Some(66));
        world.watches[flow].counters.progress_forwarded.get()
    };
    let part = {
        let world = World::new(1, mutant);
        world.append_each(0..1);
        world.blobs.peek(&world.key_at(0)).unwrap().len()
    };
    assert_eq!(run(0), 64 + 2);
    assert_eq!(run(1 << 30), 1 + 2);
    let between = run(part * 8) - 2;
    assert!(
        (7..=9).contains(&between),
        "one in eight is forwarded, here {between}"
    );
}

pub(crate) fn parts_are_spread_as_the_seed_says(mutant: Mutant) {
    let mut world = World::new(4, mutant);
    world.append_each(0..12);
    let flow = world.install(|options| options.seed = 7);
    world.settle();
    let mut worker_of = BTreeMap::new();
    for (worker, rows) in world.rows_by_worker(flow).into_iter().enumerate() {
        for (_, time, _) in rows {
            assert_eq!(worker_of.insert(time, worker), None, "each part exactly once");
        }
    }
    let workers: Vec<usize> = worker_of.into_values().collect();
    assert_eq!(workers, PREDICTED, "the assignment may not change by accident");
}

/// Workers of the first twelve parts under seed 7.
const PREDICTED: [usize; 12] = [3, 2, 0, 1, 2, 0, 3, 2, 1, 3, 3, 1];

pub(crate) fn a_wake_is_never_lost(mutant: Mutant) {
    let mut world = World::new(1, mutant);
    world.append_each(0..3);
    world.gate.hold_all();
    let inject = Arc::new(Mutex::new(Vec::<u64>::new()));
    let seen = Arc::new(Mutex::new(Vec::new()));
    // Appends a batch and lets the listen task send it, from inside the operator.
    let injector = {
        let (client, shard, runtime) = (world.client.clone(), world.shard, Arc::clone(&world.runtime));
        Arc::new(move |time: u64| {
            runtime.block_on(async {
                let writer = client.open_writer(shard, CODEC, "injector").await.unwrap();
                let update = shard::Update::new(format!("row {time}"), time, 1);
                writer
                    .compare_and_append(&[update], Frontier::At(time), Frontier::At(time + 1))
                    .await
                    .unwrap();
                for _ in 0..64 {
                    tokio::task::yield_now().await;
                }
            });
        })
    };
    let flow = world.install_hooked(
        |_| (),
        |hooks| {
            let counters = Arc::clone(hooks.counters.as_ref().unwrap());
            let (before, after) = (Arc::clone(&inject), Arc::clone(&inject));
            let (injector_before, injector_after) = (Arc::clone(&injector), injector);
            hooks.after_acknowledge = Some(Arc::new(move || {
                if before.lock().first() == Some(&4) {
                    before.lock().remove(0);
                    injector_before(4);
                }
            }));
            let seen = Arc::clone(&seen);
            hooks.after_drain = Some(Arc::new(move || {
                seen.lock()
                    .push((counters.messages_sent.get(), counters.messages_received.get()));
                if after.lock().first() == Some(&5) {
                    after.lock().remove(0);
                    injector_after(5);
                }
            }));
        },
    );
    world.settle();
    seen.lock().clear();
    inject.lock().extend([4, 5]);
    // This batch wakes the operator; the injections come within the run that it causes.
    world.append_each(3..4);
    world.drive();
    let counters = Arc::clone(&world.watches[flow].counters);
    world.step();
    let (sent, received) = seen.lock()[0];
    assert_eq!(
        sent, received,
        "a message between acknowledging and draining is taken in this run"
    );
    assert!(
        counters.messages_sent.get() > counters.messages_received.get(),
        "one came after draining"
    );
    for _ in 0..4 {
        world.step();
    }
    assert_eq!(
        counters.messages_sent.get(),
        counters.messages_received.get(),
        "and caused another run"
    );
}

pub(crate) fn flow_control_bounds_what_is_in_flight(mutant: Mutant) {
    for workers in [1, 2] {
        let mut world = World::new(workers, mutant);
        world.append_each(0..20);
        let part = world.blobs.peek(&world.key_at(0)).expect("stored").len();
        let flow = world.install(move |options| {
            options.flow = Some(FlowLimit {
                bytes: u64::try_from(part).unwrap(),
                from: 0,
            });
        });
        world.settle();
        world.expect_frontier(flow, Some(20));
        assert_eq!(world.rows(flow), rows_of(0..20));
        let most = world.watches[flow].counters.parts_in_flight.max();
        assert!((1..=2).contains(&most), "{most} parts were in flight");
        // Parts before a given time are not limited.
        let free = world.install(move |options| {
            options.flow = Some(FlowLimit { bytes: 1, from: 10 });
        });
        world.settle();
        assert!(world.watches[free].counters.parts_in_flight.max() >= 10);
        world.expect_frontier(free, Some(20));
    }
}

pub(crate) fn one_worker_listens_and_the_others_hold_nothing(mutant: Mutant) {
    // The same on every machine: these are recorded.
    let chosen: Vec<usize> = ["orders", "lines", "customers"]
        .iter()
        .map(|name| chosen_worker(name, 4))
        .collect();
    assert_eq!(chosen, CHOSEN);
    for name in ["orders", "lines", "customers"] {
        let mut world = World::new(4, mutant);
        world.append_each(0..5);
        let flow = world.install(|options| options.name = name.to_owned());
        world.settle();
        world.expect_frontier(flow, Some(5));
        assert_eq!(world.rows(flow), rows_of(0..5));
        // One task listens, each worker has one that fetches.
        assert_eq!(world.watches[flow].counters.tasks.get(), 1 + 4);
    }
}

/// Chosen workers of `orders`, `lines`, `customers` among four.
const CHOSEN: [usize; 3] = [1, 1, 3];

pub(crate) fn errors_in_the_data_are_data(mutant: Mutant) {
    let mut world = World::new(2, mutant);
    world.append(
        &[("\0ok", 0, 1), ("\u{1}division by zero", 0, 1), ("\0bad", 1, 1)],
        0,
        Frontier::At(2),
    );
    let flow = world.install(|options| {
        options.codec = RowCodec::Tagged;
        options.decode_rows_max = 1;
        options.row_filter = Some(Arc::new(|row| match row {
            b"bad" => Pushed::Error(Row::from("bad row")),
            _ => Pushed::Keep,
        }));
    });
    world.settle();
    world.expect_frontier(flow, Some(2));
    assert_eq!(world.rows(flow), vec![(0, "ok".to_owned(), 1)]);
    let errors = world
        .workers
        .on_all(move |stage| stage.flows[flow].errors.borrow().clone())
        .concat();
    let expected = vec![
        (0, "division by zero".to_owned(), 1),
        (1, "bad row".to_owned(), 1),
    ];
    assert_eq!(crate::world::sorted(errors), expected);
    assert!(world.errors(flow).is_empty(), "the source itself is well");
}

pub(crate) fn fetch_concurrency_is_read_for_each_fetch(mutant: Mutant) {
    let mut world = World::new(1, mutant);
    world.set_concurrency(1);
    world.append_each(0..12);
    let keys = world.keys_by_time();
    world.gate.hold_all();
    let flow = world.install(|_| ());
    world.settle();
    assert_eq!(world.gate.waiting().len(), 1);
    world.set_concurrency(5);
    world.gate.open(&keys[&0][0]);
    world.settle();
    assert_eq!(world.gate.waiting().len(), 5);
    world.gate.open_all();
    world.settle();
    world.expect_frontier(flow, Some(12));
}

pub(crate) fn fetches_go_on_while_a_result_waits_for_room(mutant: Mutant) {
    let mut world = World::new(1, mutant);
    world.set_concurrency(4);
    world.append_each(0..20);
    world.gate.hold_all();
    let flow = world.install(|_| ());
    world.settle();
    // From here on the worker does not move: four results fill the channel, a fifth waits for room.
    world.gate.open_all();
    for _ in 0..20 {
        world.drive();
    }
    let counters = &world.watches[flow].counters;
    assert_eq!(counters.results_sent.get() - counters.results_received.get(), 4);
    assert_eq!(
        counters.fetches_finished.get(),
        4 + 4,
        "the channel, and as many as may be under way"
    );
    world.settle();
    world.expect_frontier(flow, Some(20));
}
