//! Leases, memory and shutdown: SRC-10 to SRC-14, SRC-17, SRC-25.

use dataflow::{FlowError, Mutant, StartSignal};
use shard::Frontier;
use tokio::sync::watch;

use crate::freeze::rows_of;
use crate::gate::Rule;
use crate::world::World;

pub(crate) fn leases_return_with_their_times(mutant: Mutant) {
    for workers in [1, 2] {
        let mut world = World::new(workers, mutant);
        world.set_concurrency(8);
        world.append_each(0..5);
        world.gate.set(&world.key_at(2), Rule::Hold);
        let flow = world.install(|_| ());
        world.settle();
        let leases = |world: &World| -> Vec<(u64, usize)> {
            let held = world.watches[flow].counters.leases_by_time();
            held.into_iter().collect()
        };
        assert_eq!(
            leases(&world),
            vec![(2, 1), (3, 1), (4, 1)],
            "times from the incomplete one on are held"
        );
        // The durable hold goes where the leased parts were seen, and stays there however far the shard goes.
        let held = [5, 6, 7, 8].map(|time| {
            world.let_holds_move();
            world.append_each(time..time + 1);
            world.settle();
            world.oldest_hold()
        });
        assert_eq!(held, [held[0]; 4], "the hold moved before the fetch was done");
        assert_eq!(leases(&world).len(), 3 + 4);
        world.gate.open_all();
        world.settle();
        assert_eq!(world.watches[flow].counters.leases.get(), 0);
        let complete = world.version();
        world.let_holds_move();
        world.append_each(9..10);
        world.settle();
        let follows = world.oldest_hold();
        assert!(
            follows >= complete,
            "all was fetched at version {complete}, the hold is at {follows}"
        );
    }
}

pub(crate) fn leases_of_ten_times(mutant: Mutant) {
    let mut world = World::new(1, mutant);
    world.set_concurrency(16);
    world.append_each(0..10);
    let keys = world.keys_by_time();
    world.gate.hold_all();
    let flow = world.install(|_| ());
    world.settle();
    let held = |world: &World| world.watches[flow].counters.leases.get();
    assert_eq!(held(&world), 10);
    for (complete, left) in [(5, 5), (9, 1), (10, 0)] {
        for time in 0..complete {
            world.gate.open(&keys[&time][0]);
        }
        world.settle();
        world.expect_frontier(flow, Some(complete));
        assert_eq!(
            held(&world),
            left,
            "after everything before {complete} was fetched"
        );
    }
}

pub(crate) fn the_hold_outlives_the_fetches(mutant: Mutant) {
    let mut world = World::new(2, mutant);
    world.append_each(0..4);
    let key = world.key_at(1);
    world.gate.set(&key, Rule::Hold);
    let flow = world.install(|options| options.until = Frontier::At(4));
    world.settle();
    world.expect_frontier(flow, Some(1));
    world.churn(4..40);
    assert!(
        world.part_exists(&key),
        "the source's reader still holds the part"
    );
    world.gate.open_all();
    world.settle();
    world.expect_frontier(flow, None);
    assert_eq!(world.rows(flow), rows_of(0..4));
    assert!(world.errors(flow).is_empty());
    world.churn(40..41);
    assert_eq!(
        world.since_if_others_let_go(39),
        Frontier::At(39),
        "its reader is gone"
    );
    world.churn(41..80);
    assert!(!world.part_exists(&key), "and garbage is collected again");
}

pub(crate) fn a_local_press_moves_nothing(mutant: Mutant) {
    for first in [0, 1] {
        let mut world = World::new(2, mutant);
        world.set_concurrency(16);
        // Many parts at time 0, so that each worker has some.
        world
            .client
            .settings()
            .update(&mut |settings| settings.blob_target_bytes = 1);
        let rows: Vec<String> = (0..8).map(|n| format!("row {n}")).collect();
        let rows: Vec<(&str, u64, i64)> = rows.iter().map(|row| (row.as_str(), 0, 1)).collect();
        world.append(&rows, 0, Frontier::At(1));
        world.append_each(1..8);
        world.gate.hold_all();
        let flow = world.install(|_| ());
        world.settle();
        let before = world.frontiers(flow);
        world.press(first, flow);
        world.settle();
        world.gate.open_all();
        world.settle();
        assert_eq!(before, vec![Some(0), Some(0)]);
        let wedged = world.frontiers(flow);
        let busy = world.rows_by_worker(flow);
        assert!(!busy[1 - first].is_empty(), "the other worker goes on");
        assert!(busy[first].is_empty(), "the wedged one does nothing");
        assert!(
            wedged
                .iter()
                .all(|frontier| frontier.is_some_and(|time| time == 0)),
            "moved to {wedged:?}"
        );
        world.press(1 - first, flow);
        world.settle();
        world.expect_frontier(flow, None);
        assert_eq!(world.installed(), vec![0, 0]);
        let ends: usize = world
            .workers
            .on_all(move |stage| *stage.flows[flow].ends.borrow())
            .iter()
            .sum();
        assert_eq!(ends, 0, "a shutdown is not an end");
    }
}

pub(crate) fn shutdown_ends_from_every_state(mutant: Mutant) {
    #[derive(Clone, Copy, Debug)]
    enum State {
        Gated,
        Messages,
        Requests,
        Results,
        Suspended,
        Snapshot,
        Frozen,
        Wedged,
        CaughtUp,
    }
    use State::*;
    for workers in [1, 2] {
        for state in [
            Gated, Messages, Requests, Results, Suspended, Snapshot, Frozen, Wedged, CaughtUp,
        ] {
            let mut world = World::new(workers, mutant);
            let (_start, started) = watch::channel(false);
            if !matches!(state, Snapshot) {
                world.append_each(0..8);
            }
            match state {
                Gated | Requests | Wedged => world.gate.hold_all(),
                Frozen => world.gate.set(&world.key_at(3), Rule::Missing),
                _ => (),
            }
            world.set_concurrency(2);
            let flow = world.install(|options| {
                if matches!(state, Suspended) {
                    options.start = StartSignal::When(started.clone());
                }
            });
            match state {
                // The listen task has sent, no operator ran.
                Messages => world.drive(),
                // Descriptions are on their way to the fetch tasks.
                Requests => {
                    world.drive();
                    world.step();
                    world.step();
                }
                // The fetch tasks have sent, no operator took it.
                Results => {
                    for _ in 0..3 {
                        world.drive();
                        world.step();
                    }
                    world.drive();
                }
                Wedged => {
                    world.settle();
                    world.press(0, flow);
                    world.settle();
                    world.gate.open_all();
                    world.settle();
                }
                _ => world.settle(),
            }
            for worker in 0..workers {
                world.press(worker, flow);
            }
            for _ in 0..50 {
                world.step();
                world.drive();
            }
            assert_eq!(world.installed(), vec![0; workers], "{state:?}: uninstalled");
            assert_eq!(
                world.watches[flow].counters.tasks.get(),
                0,
                "{state:?}: tasks ended"
            );
            assert_eq!(
                world.watches[flow].counters.parts_alive.get(),
                0,
                "{state:?}: no part is kept"
            );
            world.expect_frontier(flow, None);
        }
    }
}

pub(crate) fn parts_do_not_pile_up(mutant: Mutant) {
    for concurrency in [1, 8] {
        let mut world = World::new(1, mutant);
        world.set_concurrency(concurrency);
        world.append_each(0..100);
        world.gate.hold_all();
        let flow = world.install(|_| ());
        world.settle();
        // The worker does not move; the gates are open.
        world.gate.open_all();
        for _ in 0..50 {
            world.drive();
        }
        let most = world.watches[flow].counters.parts_alive.max();
        let bound = 4 + i64::try_from(concurrency).unwrap();
        assert!(
            most <= bound,
            "{most} parts in memory, at most {bound} are allowed"
        );
        world.settle();
        world.expect_frontier(flow, Some(100));
        assert_eq!(world.rows(flow), rows_of(0..100));
    }
}

pub(crate) fn an_expired_lease_is_named(mutant: Mutant) {
    let mut world = World::new(1, mutant);
    world.append_each(0..4);
    let key = world.key_at(1);
    world.gate.set(&key, Rule::Hold);
    let flow = world.install(|_| ());
    world.settle();
    // The source's reader is silent for longer than its lease; everyone else goes on.
    let reader = world
        .wait(
            world
                .client
                .open_leased_reader(world.shard, crate::world::CODEC, "other"),
        )
        .unwrap();
    for _ in 0..17 {
        world.client.clock().advance(60_000);
        world.wait(reader.heartbeat()).unwrap();
    }
    world.wait(reader.downgrade_since(Frontier::At(3))).unwrap();
    world.wait(reader.expire()).unwrap();
    world.churn(4..40);
    assert!(!world.part_exists(&key), "the part was collected");
    world.gate.open_all();
    world.settle();
    world.expect_frontier(flow, Some(1));
    let errors = world.errors(flow);
    let named =
        |error: &FlowError| matches!(error, FlowError::LeaseExpired { part, time: 1, .. } if *part == key);
    assert!(errors.iter().any(named), "{errors:?}");
}
