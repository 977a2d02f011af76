//! The workload against its own promises: P1 to P5, and everything the configuration says.

use std::collections::{BTreeMap, BTreeSet};

use history::{Aggregate, From, Op, Parts, Predicate, Query, Relation, RowChoice, Select};
use proptest::prelude::*;

use super::*;

mod exact;
mod golden;
mod lww;
mod mistakes;
mod schemas;
mod shape;
mod share;
mod visits;

use schemas::{everything, narrowest};

/// The workload of this configuration over the schema that has everything.
fn workload(config: Config, seed: u64) -> Partitions {
    Partitions::new(config, seed, everything()).expect("a valid configuration")
}

fn named(profile: &str) -> Config {
    Config::named(profile).expect(profile)
}

fn visits(p: &Partitions, lts: std::ops::Range<u64>) -> impl Iterator<Item = Visit> + '_ {
    lts.map(|lts| p.visit(Lts(lts)).expect("every lts from 1 has a visit"))
}

fn ops(visit: &Visit) -> impl Iterator<Item = &Op> {
    visit.steps.iter().filter_map(|step| {
        if let Step::Write(op) = step {
            Some(op)
        } else {
            None
        }
    })
}

fn queries(visit: &Visit) -> impl Iterator<Item = &Query> {
    visit.steps.iter().filter_map(|step| {
        if let Step::Read(query) = step {
            Some(query)
        } else {
            None
        }
    })
}

/// The writers of every partition, by making every visit.
fn enumerate(p: &Partitions, end: u64) -> BTreeMap<Part, BTreeSet<u64>> {
    let mut writers: BTreeMap<Part, BTreeSet<u64>> = BTreeMap::new();
    for visit in visits(p, 1..end) {
        for &part in &visit.writes {
            writers.entry(part).or_default().insert(visit.lts.0);
        }
    }
    writers
}

fn compare_with_enumeration(p: &Partitions, end: u64, step: usize) {
    for (part, all) in enumerate(p, end) {
        for lts in (0..end).step_by(step).chain(all.iter().copied()) {
            let after = p.writer_after(part, Lts(lts)).map(|l| l.0);
            assert_eq!(
                after.filter(|&l| l < end),
                all.range(lts + 1..).next().copied(),
                "after {lts}: {part}"
            );
            let mut together = Vec::new();
            p.writers_after(part, Lts(lts), &mut together);
            let together: Vec<u64> = together.iter().map(|l| l.0).filter(|&l| l < end).collect();
            let expected: Vec<u64> = all.range(lts + 1..).take(together.len()).copied().collect();
            assert_eq!(together, expected, "together after {lts}: {part}");
            assert_eq!(together.is_empty(), all.range(lts + 1..).next().is_none());
            let before = p.writer_before(part, Lts(lts)).map(|l| l.0);
            assert_eq!(
                before,
                all.range(..lts).next_back().copied(),
                "before {lts}: {part}"
            );
        }
    }
}

#[test]
fn two_constructions_make_equal_visits_and_digests() {
    for (profile, _) in names() {
        let (a, b) = (workload(named(profile), 7), workload(named(profile), 7));
        let (mut scratch, mut other) = (Vec::new(), Vec::new());
        for lts in (1..200).chain([1 << 20, 1 << 33, (1 << 40) + 1]).map(Lts) {
            let (x, y) = (a.visit(lts).unwrap(), b.visit(lts).unwrap());
            assert_eq!(x, y);
            assert_eq!(x.digest(&mut scratch), y.digest(&mut other));
        }
    }
}

#[test]
fn visits_do_not_depend_on_what_was_asked_before() {
    let (a, b) = (workload(Config::default(), 3), workload(Config::default(), 3));
    let forwards: Vec<Visit> = visits(&a, 1..300).collect();
    let mut backwards: Vec<Visit> = (1..300).rev().map(|lts| b.visit(Lts(lts)).unwrap()).collect();
    backwards.reverse();
    assert_eq!(forwards, backwards);
}

#[test]
fn another_seed_makes_another_story() {
    let (a, b) = (workload(Config::default(), 1), workload(Config::default(), 2));
    let same = (1..300)
        .map(Lts)
        .filter(|&lts| a.visit(lts) == b.visit(lts))
        .count();
    assert_eq!(same, 0);
}

#[test]
fn writers_are_those_that_enumeration_names_in_every_profile() {
    for (profile, _) in names() {
        compare_with_enumeration(&workload(named(profile), 5), 1200, 97);
    }
}

#[test]
fn writers_are_found_in_tables_of_one_partition_too() {
    let p = Partitions::new(Config::default(), 9, narrowest()).unwrap();
    compare_with_enumeration(&p, 900, 13);
}

#[test]
fn a_partition_outside_its_universe_has_no_writers() {
    let p = workload(Config::default(), 1);
    for part in [
        Part {
            table: 0,
            position: u64::MAX,
        },
        Part {
            table: 99,
            position: 0,
        },
    ] {
        assert_eq!(p.writer_after(part, Lts(0)), None);
        assert_eq!(p.writer_before(part, Lts(1000)), None);
    }
    assert_eq!(p.visit(Lts(0)), None);
}

#[test]
fn what_and_writes_agree_with_the_visit() {
    for (profile, _) in names() {
        let p = workload(named(profile), 11);
        let mut writes = Vec::new();
        for visit in visits(&p, 1..600) {
            p.writes(visit.lts, &mut writes);
            assert_eq!(writes, visit.writes);
            let kind = p.what(visit.lts);
            assert_eq!(ops(&visit).count(), usize::from(kind.writes));
            assert_eq!(queries(&visit).count(), usize::from(kind.reads));
            assert!(visit.writes.len() <= usize::from(kind.partitions));
        }
    }
}

#[test]
fn each_visit_is_well_formed() {
    for (profile, _) in names() {
        let p = workload(named(profile), 13);
        for visit in visits(&p, 1..2500) {
            let written: BTreeSet<Part> = ops(&visit).map(Op::part).collect();
            assert_eq!(visit.writes, written.into_iter().collect::<Vec<_>>(), "P4");
            let strict = ops(&visit).any(|op| matches!(op, Op::Insert { strict: true, .. }));
            assert!(!strict || visit.steps.len() == 1, "P5");
            match visit.end {
                End::Autocommit => {
                    assert_eq!(visit.steps.len(), 1);
                    let shared = |part: Part| !p.schema.tables[usize::from(part.table)].shared.is_empty();
                    let two = |op: &Op| matches!(op, Op::DeletePartition { part } if shared(*part));
                    assert!(!ops(&visit).any(two), "two statements need a transaction");
                }
                End::Rollback => assert!(!visit.writes.is_empty()),
                End::Commit | End::Batch { .. } => {}
            }
            let savepoint = visit
                .steps
                .iter()
                .position(|step| matches!(step, Step::Savepoint(_)));
            let back = visit
                .steps
                .iter()
                .position(|step| matches!(step, Step::RollbackTo(_)));
            if let Some(back) = back {
                let from = savepoint.expect("a savepoint comes first");
                assert!(
                    visit.steps[from..back]
                        .iter()
                        .any(|step| matches!(step, Step::Write(_)))
                );
                assert_eq!(visit.end, End::Commit);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The inverse pair of the workload: `visit` and (`writer_after`, `writer_before`), over swarm draws.
    #[test]
    fn drawn_workloads_agree_with_enumeration(seed in any::<u64>(), profile in 0..names().count()) {
        let (name, _) = names().nth(profile).unwrap();
        let config = named(name).swarm(seed);
        prop_assert_eq!(config.check(), vec![]);
        compare_with_enumeration(&workload(config, seed), 260, 31);
    }
}
