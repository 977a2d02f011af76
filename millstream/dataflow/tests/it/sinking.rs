//! The view sink: SNK-1 to SNK-11, H16, H17.

use dataflow::{FlowError, Mutant, WritePermission};
use shard::Frontier;
use tokio::sync::watch;

use crate::faults::Fault;
use crate::gate::Rule;
use crate::mill::{Mill, Setup};
use crate::world::CODEC;

fn next(state: &mut u64, below: u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state % below
}

/// Appends `batches` random batches to the input from `upper` on; answers the new upper.
fn random_input(mill: &Mill, state: &mut u64, mut upper: u64, batches: u64) -> u64 {
    for _ in 0..batches {
        let to = upper + 1 + next(state, 3);
        let mut batch = Vec::new();
        for _ in 0..next(state, 6) {
            let diff = if next(state, 3) == 0 { -1 } else { 1 };
            batch.push((
                format!("row {}", next(state, 7)),
                upper + next(state, to - upper),
                diff,
            ));
        }
        let rows: Vec<(&str, u64, i64)> = batch.iter().map(|(row, t, d)| (row.as_str(), *t, *d)).collect();
        mill.append(mill.input, &rows, upper, Frontier::At(to));
        upper = to;
    }
    upper
}

pub(crate) fn the_output_equals_the_view(mutant: Mutant) {
    for seed in 1..9u64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut mill = Mill::new(mutant);
        let (input, output) = (mill.hold(mill.input), mill.hold(mill.output));
        let middle = random_input(&mill, &mut state, 0, 5);
        let as_of = next(&mut state, middle);
        let workers = 1 + usize::try_from(next(&mut state, 4)).unwrap();
        mill.start(Setup {
            workers,
            as_of,
            ..Setup::default()
        });
        mill.settle();
        let mut end = middle;
        for _ in 0..4 {
            end = random_input(&mill, &mut state, end, 2);
            mill.settle();
        }
        mill.expect_no_errors();
        assert_eq!(mill.upper(mill.output), Frontier::At(end));
        mill.expect_equal(&input, &output, as_of);
    }
}

pub(crate) fn wrong_contents_are_corrected(mutant: Mutant) {
    for workers in [1, 2] {
        let mut mill = Mill::new(mutant);
        let (input, output) = (mill.hold(mill.input), mill.hold(mill.output));
        for time in 0..8 {
            mill.append(
                mill.input,
                &[(&format!("row {time}"), time, 1)],
                time,
                Frontier::At(time + 1),
            );
        }
        // The output ends where the sink begins, and what it holds is wrong.
        let wrong = [("\0row 1", 1, 3), ("\0nonsense", 2, 1), ("\u{1}error", 4, 1)];
        mill.append(mill.output, &wrong, 0, Frontier::At(5));
        mill.start(Setup {
            workers,
            as_of: 5,
            ..Setup::default()
        });
        mill.settle();
        mill.append(mill.input, &[("more", 8, 1)], 8, Frontier::At(9));
        mill.settle();
        mill.expect_no_errors();
        assert_eq!(mill.upper(mill.output), Frontier::At(9));
        mill.expect_equal(&input, &output, 5);
    }
}

/// Every sequence of `each` moves of replica 0 and `each` of replica 1.
fn interleavings(each: usize) -> Vec<Vec<usize>> {
    fn extend(left: [usize; 2], so_far: &mut Vec<usize>, all: &mut Vec<Vec<usize>>) {
        if left == [0, 0] {
            all.push(so_far.clone());
        }
        for replica in [0, 1] {
            if left[replica] > 0 {
                let mut left = left;
                left[replica] -= 1;
                so_far.push(replica);
                extend(left, so_far, all);
                so_far.pop();
            }
        }
    }
    let mut all = Vec::new();
    extend([each, each], &mut Vec::new(), &mut all);
    all
}

/// Two rounds of input under every interleaving of `each` moves of two replicas.
fn race(mill: &mut Mill, each: usize) {
    mill.start(Setup::default());
    mill.start(Setup::default());
    mill.append(mill.input, &[("first", 0, 1)], 0, Frontier::At(1));
    mill.settle();
    let mut upper = 1;
    for (round, moves) in interleavings(each).into_iter().enumerate() {
        let mut seen = mill.upper(mill.output);
        for (index, replica) in moves.iter().enumerate() {
            if index == 0 || index == each {
                let row = format!("row {}", (round + index) % 5);
                let diff = if (round + index) % 3 == 0 { -1 } else { 1 };
                mill.append(mill.input, &[(&row, upper, diff)], upper, Frontier::At(upper + 1));
                upper += 1;
            }
            mill.move_one(*replica);
            let now = mill.upper(mill.output);
            assert!(now >= seen, "the upper went back from {seen} to {now}");
            seen = now;
        }
    }
    mill.settle();
    mill.expect_no_errors();
    assert_eq!(mill.upper(mill.output), Frontier::At(upper));
}

pub(crate) fn two_replicas_converge(mutant: Mutant) {
    let mut mill = Mill::new(mutant);
    let (input, output) = (mill.hold(mill.input), mill.hold(mill.output));
    race(&mut mill, 4);
    mill.expect_equal(&input, &output, 0);
}

pub(crate) fn nothing_leaks(mutant: Mutant) {
    let mut mill = Mill::new(mutant);
    let output = mill.hold(mill.output);
    race(&mut mill, 4);
    assert_eq!(mill.stored_parts(mill.output), mill.referenced_parts(&output));
    let deleted: i64 = mill
        .replicas
        .iter()
        .map(|replica| replica.sink.counters.batches_deleted.get())
        .sum();
    assert!(deleted > 0, "the race made something to delete");
}

pub(crate) fn a_zombie_has_no_effect(mutant: Mutant) {
    let mut mill = Mill::new(mutant);
    let (input, output) = (mill.hold(mill.input), mill.hold(mill.output));
    let (zombie, living) = (mill.start(Setup::default()), mill.start(Setup::default()));
    mill.append(mill.input, &[("first", 0, 1)], 0, Frontier::At(1));
    mill.settle();
    mill.append(mill.input, &[("second", 1, 1)], 1, Frontier::At(2));
    // The zombie stores its batch and gets no further: its append task gets no turn.
    let built = mill.replicas[zombie].sink.counters.batches_built.get();
    while mill.replicas[zombie].sink.counters.batches_built.get() == built {
        mill.move_one(zombie);
    }
    let lost = mill.replicas[zombie].sink.counters.appends_lost.get();
    mill.settle_only(&[living]);
    assert_eq!(mill.upper(mill.output), Frontier::At(2));
    // It comes back.
    mill.settle();
    mill.expect_no_errors();
    assert_eq!(mill.replicas[zombie].sink.counters.appends_lost.get(), lost + 1);
    mill.expect_equal(&input, &output, 0);
    assert_eq!(
        mill.stored_parts(mill.output),
        mill.referenced_parts(&output),
        "its batch is deleted"
    );
}

pub(crate) fn read_only_writes_nothing(mutant: Mutant) {
    for as_of in [0, 2] {
        let mut mill = Mill::new(mutant);
        let (input, output) = (mill.hold(mill.input), mill.hold(mill.output));
        let (allow, allowed) = watch::channel(false);
        for time in 0..4 {
            mill.append(
                mill.input,
                &[(&format!("row {time}"), time, 1)],
                time,
                Frontier::At(time + 1),
            );
        }
        mill.start(Setup {
            workers: 2,
            as_of,
            writes: WritePermission::When(allowed),
            ..Setup::default()
        });
        mill.settle();
        let nothing_written = |mill: &Mill| {
            let state = mill.state(mill.output);
            assert_eq!((state.upper(), state.batches.len()), (Frontier::MIN, 0));
            assert_eq!(state.writers.len(), 0, "nobody ever wrote");
            assert_eq!(mill.stored_parts(mill.output), Vec::<String>::new());
            assert_eq!(mill.replicas[0].sink.counters.minted.get(), 0);
        };
        nothing_written(&mill);
        // Its readers are registered; from here on the view changes, and the log of the output does not.
        let attempts = mill.consensus.attempts(&mill.output.to_string());
        for time in 4..8 {
            mill.append(mill.input, &[("more", time, 1)], time, Frontier::At(time + 1));
            mill.settle();
        }
        assert_eq!(mill.consensus.attempts(&mill.output.to_string()), attempts);
        nothing_written(&mill);
        allow.send(true).unwrap();
        mill.settle();
        mill.expect_no_errors();
        assert_eq!(mill.upper(mill.output), Frontier::At(8));
        mill.expect_equal(&input, &output, as_of);
    }
}

pub(crate) fn the_output_never_runs_ahead(mutant: Mutant) {
    let mut mill = Mill::new(mutant);
    let (input, output) = (mill.hold(mill.input), mill.hold(mill.output));
    for time in 0..8 {
        mill.append(
            mill.input,
            &[(&format!("row {time}"), time, 1)],
            time,
            Frontier::At(time + 1),
        );
    }
    let parts = mill.wait(input.snapshot(5)).unwrap();
    let missing = parts
        .iter()
        .find(|part| part.part().desc().lower == Frontier::At(5))
        .unwrap();
    mill.gate.set(missing.part().key().unwrap(), Rule::Missing);
    mill.start(Setup {
        workers: 2,
        ..Setup::default()
    });
    for _ in 0..200 {
        mill.move_one(0);
        let upper = mill.upper(mill.output);
        assert!(
            upper <= Frontier::At(5),
            "the view is complete up to 5 only, the output says {upper}"
        );
    }
    assert_eq!(mill.upper(mill.output), Frontier::At(5));
    assert!(!mill.replicas[0].source.errors().is_empty());
    assert!(mill.replicas[0].sink.errors().is_empty());
    mill.gate.open_all();
    for time in 0..5 {
        assert_eq!(
            mill.contents(&output, time, true),
            mill.contents(&input, time, false)
        );
    }
}

pub(crate) fn progress_without_data_is_written(mutant: Mutant) {
    let mut mill = Mill::new(mutant);
    mill.start(Setup {
        workers: 2,
        ..Setup::default()
    });
    for upper in [3, 4, 9] {
        mill.append(
            mill.input,
            &[],
            mill.upper(mill.input).time().unwrap(),
            Frontier::At(upper),
        );
        mill.settle();
        assert_eq!(mill.upper(mill.output), Frontier::At(upper));
    }
    mill.expect_no_errors();
    assert_eq!(mill.stored_parts(mill.output), Vec::<String>::new());
}

pub(crate) fn the_end_closes_the_output(mutant: Mutant) {
    // By closing the input, and by reaching `until`.
    for until in [Frontier::Closed, Frontier::At(3)] {
        let mut mill = Mill::new(mutant);
        let (input, output) = (mill.hold(mill.input), mill.hold(mill.output));
        mill.start(Setup {
            workers: 2,
            until,
            ..Setup::default()
        });
        mill.append(mill.input, &[("a", 0, 1), ("b", 2, 1)], 0, Frontier::At(3));
        mill.settle();
        if until.is_closed() {
            assert_eq!(mill.upper(mill.output), Frontier::At(3));
            mill.append(mill.input, &[("c", 3, 1)], 3, Frontier::Closed);
        }
        mill.settle();
        mill.expect_no_errors();
        assert_eq!(mill.upper(mill.output), Frontier::Closed);
        for time in 0..5 {
            assert_eq!(
                mill.contents(&output, time, true),
                mill.contents(&input, time.min(if until.is_closed() { 9 } else { 2 }), false)
            );
        }
    }
}

pub(crate) fn an_unanswered_append_is_written_once(mutant: Mutant) {
    use Fault::*;
    let scripts: [&[Fault]; 10] = [
        &[DoneUnanswered],
        &[LostUnanswered],
        &[LostUnanswered, LostUnanswered, DoneUnanswered],
        // It arrives while the slot is looked at, while it is tried again, long after.
        &[Late(1)],
        &[Late(2)],
        &[Late(3)],
        &[Late(9)],
        &[Late(2), LostUnanswered, Late(1)],
        &[Late(5), Late(3), DoneUnanswered],
        // So many that the writer gives up: whether it was written is unknown, a new writer tries again.
        &[LostUnanswered; 40],
    ];
    for (number, script) in scripts.into_iter().enumerate() {
        let mut mill = Mill::new(mutant);
        // A writer gives up after half its lease.
        mill.client
            .settings()
            .update(&mut |settings| settings.writer_lease_ms = 2_000);
        let (input, output) = (mill.hold(mill.input), mill.hold(mill.output));
        mill.start(Setup {
            workers: 2,
            ..Setup::default()
        });
        mill.append(mill.input, &[("first", 0, 1)], 0, Frontier::At(1));
        mill.settle();
        mill.append(mill.input, &[("second", 1, 1)], 1, Frontier::At(2));
        // The faults hit the sink's append: its batch is stored, its append task gets its turn next.
        let built = mill.replicas[0].sink.counters.batches_built.get();
        while mill.replicas[0].sink.counters.batches_built.get() == built {
            mill.move_one(0);
        }
        mill.consensus.script(&mill.output.to_string(), script);
        for _ in 0..60 {
            for _ in 0..4 {
                mill.move_one(0);
            }
            mill.client.clock().advance(200);
        }
        mill.settle();
        mill.append(mill.input, &[("third", 2, 1)], 2, Frontier::At(3));
        mill.settle();
        mill.upper_often(8);
        assert_eq!(mill.consensus.left(), 0, "script {number} was played");
        mill.settle();
        mill.expect_no_errors();
        assert_eq!(mill.upper(mill.output), Frontier::At(3));
        mill.expect_equal(&input, &output, 0);
    }
}

pub(crate) fn shutdown_never_seals(mutant: Mutant) {
    // Tokens: (worker, is the sink's). Dropped in every order, with steps in between.
    let tokens = [(0, false), (0, true), (1, false), (1, true)];
    for order in permutations(&[0, 1, 2, 3]) {
        for steps in [0, 1, 20] {
            let mut mill = Mill::new(mutant);
            mill.start(Setup {
                workers: 2,
                ..Setup::default()
            });
            mill.append(mill.input, &[("a", 0, 1)], 0, Frontier::At(1));
            mill.settle();
            for token in &order {
                let (worker, sink) = tokens[*token];
                mill.replicas[0].workers.on(worker, move |stage| {
                    let flow = &mut stage.mills[0];
                    if sink {
                        drop(flow.sink.take())
                    } else {
                        drop(flow.source.take())
                    }
                });
                for _ in 0..steps {
                    mill.move_one(0);
                }
            }
            mill.settle();
            for _ in 0..20 {
                mill.move_one(0);
            }
            assert_eq!(
                mill.upper(mill.output),
                Frontier::At(1),
                "tokens {order:?}, {steps} steps between"
            );
            let installed = mill.replicas[0]
                .workers
                .on_all(|stage| stage.worker.installed_dataflows().len());
            assert_eq!(installed, vec![0, 0]);
            assert_eq!(mill.replicas[0].sink.counters.tasks.get(), 0);
        }
    }
}

fn permutations(of: &[usize]) -> Vec<Vec<usize>> {
    let Some((first, rest)) = of.split_first() else {
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

pub(crate) fn no_gap_is_written_over(mutant: Mutant) {
    // The output ends before the sink would begin.
    let mut mill = Mill::new(mutant);
    mill.append(mill.output, &[("\0old", 1, 1)], 0, Frontier::At(3));
    mill.append(mill.input, &[("new", 6, 1)], 0, Frontier::At(8));
    mill.start(Setup {
        workers: 2,
        as_of: 5,
        ..Setup::default()
    });
    mill.settle();
    let errors = mill.replicas[0].sink.errors();
    assert!(
        matches!(
            errors[..],
            [FlowError::Gap {
                upper: Frontier::At(3),
                as_of: 5,
                ..
            }]
        ),
        "{errors:?}"
    );
    assert_eq!(mill.upper(mill.output), Frontier::At(3));

    // What is there can no longer be read.
    let mut mill = Mill::new(mutant);
    mill.append(mill.output, &[("\0old", 1, 1)], 0, Frontier::At(3));
    let reader = mill
        .wait(mill.client.open_leased_reader(mill.output, CODEC, "raise"))
        .unwrap();
    mill.wait(reader.downgrade_since(Frontier::At(6))).unwrap();
    mill.wait(reader.expire()).unwrap();
    mill.append(mill.input, &[("new", 6, 1)], 0, Frontier::At(8));
    mill.start(Setup {
        workers: 1,
        as_of: 3,
        ..Setup::default()
    });
    mill.settle();
    let errors = mill.replicas[0].sink.errors();
    assert!(matches!(errors[..], [FlowError::Unreadable { .. }]), "{errors:?}");
    assert_eq!(mill.upper(mill.output), Frontier::At(3));
}
