//! Bad input: what source and sink are given is wrong, and they say so by name, as a value and in words.

use dataflow::{FlowError, Mutant};
use shard::{FetchError, Frontier, ReadError, ShardError};

use crate::gate::Rule;
use crate::mill::{Mill, Setup};
use crate::world::{CODEC, World};

/// The storage's error behind the only, or first, report.
#[track_caller]
fn cause<E: std::error::Error + 'static>(errors: &[FlowError]) -> &E {
    let cause = errors.first().expect("something was reported").cause();
    let cause = cause.expect("it has a cause");
    cause
        .downcast_ref()
        .unwrap_or_else(|| panic!("another cause: {cause:?}"))
}

#[test]
fn a_source_of_another_codec_is_refused() {
    let mut world = World::new(2, Mutant::None);
    world.append_each(0..3);
    let mut input = world.input();
    input.codec = "csv".to_owned();
    let flow = world.install_on(input, |options| options.name = "orders".to_owned(), |_| ());
    world.settle();
    let errors = world.errors(flow);
    assert!(matches!(
        cause(&errors),
        ShardError::CodecMismatch { actual, requested, .. } if actual == CODEC && requested == "csv"
    ));
    assert_eq!(
        errors[0].to_string(),
        format!(
            "orders: shard {} holds rows of codec `bytes`, not `csv`",
            world.shard
        )
    );
    world.expect_frontier(flow, Some(0));
    assert_eq!(world.rows(flow), vec![]);
}

#[test]
fn a_sink_of_another_codec_is_refused() {
    let mut mill = Mill::new(Mutant::None);
    mill.wait(mill.client.open_writer(mill.output, "csv", "other"))
        .unwrap();
    mill.append(mill.input, &[("a", 0, 1)], 0, Frontier::At(1));
    mill.start(Setup::default());
    mill.settle();
    let errors = mill.replicas[0].sink.errors();
    assert!(matches!(cause(&errors), ShardError::CodecMismatch { .. }));
    assert_eq!(mill.state(mill.output).upper(), Frontier::MIN);
}

#[test]
fn a_closed_output_that_is_not_the_view_is_named() {
    for (held, differs_at) in [("\0a", None), ("\0b", Some(1)), ("\u{1}a", Some(1))] {
        for input_ends in [false, true] {
            let mut mill = Mill::new(Mutant::None);
            mill.append(mill.output, &[(held, 1, 1)], 0, Frontier::Closed);
            mill.append(mill.input, &[("a", 1, 1)], 0, Frontier::At(2));
            mill.start(Setup {
                workers: 2,
                ..Setup::default()
            });
            if input_ends {
                mill.append(mill.input, &[], 2, Frontier::Closed);
            }
            mill.settle();
            let errors = mill.replicas[0].sink.errors();
            let Some(at) = differs_at else {
                assert!(errors.is_empty(), "a finished view is well: {errors:?}");
                continue;
            };
            let told = format!(
                "shard {} is closed and differs from the view at {at}: ",
                mill.output
            );
            let named = |error: &FlowError| {
                matches!(error, FlowError::ClosedOtherwise { .. }) && error.to_string().contains(&told)
            };
            assert!(!errors.is_empty() && errors.iter().all(named), "{errors:?}");
        }
    }
    // A dataflow that is taken down, in whatever order, before it has read everything, finds no fault.
    let mut mill = Mill::new(Mutant::None);
    mill.append(mill.output, &[("\0a", 1, 1)], 0, Frontier::Closed);
    mill.append(mill.input, &[("a", 1, 1)], 0, Frontier::At(2));
    mill.gate.hold_all();
    mill.start(Setup::default());
    mill.settle();
    for key in mill.stored_parts(mill.output) {
        mill.gate.open(&key);
    }
    mill.settle();
    mill.replicas[0]
        .workers
        .on(0, |stage| drop(stage.mills[0].source.take()));
    mill.settle();
    mill.expect_no_errors();
}

#[test]
fn a_finalized_shard_cannot_be_followed() {
    let mut world = World::new(2, Mutant::None);
    world.append(&[], 0, Frontier::Closed);
    let reader = world
        .wait(world.client.open_leased_reader(world.shard, CODEC, "end"))
        .unwrap();
    world.wait(reader.downgrade_since(Frontier::Closed)).unwrap();
    world.wait(reader.expire()).unwrap();
    world.wait(world.client.finalize(world.shard, CODEC)).unwrap();
    let flow = world.install(|options| options.name = "orders".to_owned());
    world.settle();
    let errors = world.errors(flow);
    assert!(matches!(cause(&errors), ShardError::Finalized { .. }));
    assert_eq!(
        errors[0].to_string(),
        format!(
            "orders: shard {} is finalized: it can neither be read nor written any more",
            world.shard
        )
    );
    // Nothing is known to be complete: a source that cannot read makes no progress.
    world.expect_frontier(flow, Some(0));
}

#[test]
fn an_as_of_that_is_compacted_away_is_named_with_its_remedy() {
    let mut world = World::new(1, Mutant::None);
    world.append_each(0..5);
    let reader = world
        .wait(world.client.open_leased_reader(world.shard, CODEC, "raise"))
        .unwrap();
    world.wait(reader.downgrade_since(Frontier::At(3))).unwrap();
    world.wait(reader.expire()).unwrap();
    let flow = world.install(|options| {
        options.name = "orders".to_owned();
        options.as_of = Some(1);
    });
    world.settle();
    assert_eq!(
        world.errors(flow)[0].to_string(),
        format!(
            "orders: shard {} cannot be read as of 1: its since is {{3}}; choose an as_of at or after it",
            world.shard
        )
    );
}

#[test]
fn a_missing_and_a_damaged_part_are_named_with_shard_part_and_time() {
    for rule in [Rule::Missing, Rule::Flip(20)] {
        let mut world = World::new(2, Mutant::None);
        world.append_each(0..5);
        let key = world.key_at(2);
        world.gate.set(&key, rule);
        let flow = world.install(|options| options.name = "orders".to_owned());
        world.settle();
        world.expect_frontier(flow, Some(2));
        let errors = world.errors(flow);
        match (rule, cause(&errors)) {
            (Rule::Missing, FetchError::Missing { shard, key: part, .. })
            | (Rule::Flip(_), FetchError::Damaged { shard, key: part, .. }) => {
                assert_eq!((*shard, part), (world.shard, &key));
            }
            (_, other) => panic!("{other:?}"),
        }
        let text = errors[0].to_string();
        assert!(
            text.starts_with("orders: frozen at 2: shard s") && text.matches(&key).count() == 1,
            "{text}"
        );
    }
}

#[test]
fn a_lost_lease_is_told_as_the_value_it_is() {
    let mut world = World::new(1, Mutant::None);
    world.append_each(0..2);
    let flow = world.install(|_| ());
    world.settle();
    world.outlive_leases();
    world.append_each(2..3);
    world.settle();
    let errors = world.errors(flow);
    assert!(
        matches!(cause(&errors), ReadError::LeaseExpired { .. }),
        "{errors:?}"
    );
}
