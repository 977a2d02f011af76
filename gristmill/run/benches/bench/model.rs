//! `model`: how fast one thread makes the operations of a history and applies them to the model, from nothing, without heads
//! or checkpoints: what it costs to know what a partition must hold.

use crate::datagen::{per_second, schema, writing};
use crate::rounds::{self, Turn, interleaved};
use check::{Judge, Options};
use history::{
    Affected, Atomic, Claim, Discipline, Level, Lts, Nulls, Part, Regenerate, Semantics, SessionId, Snapshot,
    State, Tick, Track, Tracker,
};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use workload::Partitions;
use workload::partitions::Config;

const VISITS: u64 = 60_000;

/// Visits one after another.
pub(crate) fn run(rounds: usize) {
    // A model may forget what a partition delete removed; without one, every operation counts.
    let mut config = writing();
    config.writes.delete_partition = 0;
    let alone = measure(rounds, config, Discipline::Ordered);
    rounds::goal(&alone.0, 3e6, 1e6, "M operations/s");
    rounds::goal(&alone.1, 5e6, 1e6, "M operations/s");
}

/// Visits that race: batches at timestamps that go back and meet, every kind of deletion.
pub(crate) fn lww(rounds: usize) {
    let alone = measure(rounds, writing().lww(), Discipline::Lww);
    rounds::goal(&alone.1, 5e6, 1e6, "M operations/s");
}

fn measure(rounds: usize, config: Config, discipline: Discipline) -> (rounds::Series, rounds::Series) {
    let visits = Arc::new(Partitions::new(config, 7, schema()).expect("the workload fits the table"));
    let mut last: BTreeMap<Part, Lts> = BTreeMap::new();
    let mut parts = Vec::new();
    let mut ops = 0;
    for lts in (1..=VISITS).map(Lts) {
        visits.writes(lts, &mut parts);
        for part in &parts {
            last.insert(*part, lts);
        }
        let made = visits.visit(lts).map_or(0, |v| v.steps.len());
        ops += made as u64;
    }
    let turns: Vec<Turn<'_>> = vec![
        ("generated", Box::new(|| per_second(ops, || generate(&visits)))),
        (
            "generated and applied",
            Box::new(|| per_second(ops, || replay(&visits, &last, discipline))),
        ),
    ];
    let mut series = interleaved(rounds, turns);
    println!(
        "the model, one thread, by its CPU time; {VISITS} visits, {ops} operations on {} partitions",
        last.len()
    );
    for one in &series {
        rounds::print(one, 1e6, "M operations/s");
    }
    let alone = rounds::derived(
        "applied alone (the difference)",
        &series[1],
        &series[0],
        |both, generated| 1.0 / (1.0 / both - 1.0 / generated).max(1e-12),
    );
    rounds::print(&alone, 1e6, "M operations/s");
    (series.swap_remove(1), alone)
}

fn generate(visits: &Partitions) {
    for lts in 1..=VISITS {
        black_box(visits.visit(Lts(lts)));
    }
}

fn replay(visits: &Arc<Partitions>, last: &BTreeMap<Part, Lts>, discipline: Discipline) {
    let claim = Claim {
        level: Level::Serializable,
        real_time: true,
        hidden_until_commit: true,
        atomic: Atomic::Visit,
        snapshot: Snapshot::Statement,
        durable: true,
    };
    let semantics = Semantics {
        update_creates_rows: false,
        nulls: Nulls::First,
        affected: Affected::Matched,
        ties: history::Ties::Greatest,
        replicas: 1,
        clustered: false,
        sums: history::Sums::Exact,
    };
    let options = Options {
        bytes_max: 0,
        discipline,
        sessions: 1,
        ..Options::default()
    };
    let history = Arc::clone(visits) as Arc<dyn Regenerate>;
    let judge = Judge::new(history, Arc::new(AllCommitted), claim, semantics, options);
    for (part, lts) in last {
        black_box(
            judge
                .state_of(*part, *lts)
                .expect("every visit was acknowledged, none has a condition"),
        );
    }
}

/// Every visit was acknowledged, one after another.
struct AllCommitted;

impl Tracker for AllCommitted {
    fn get(&self, lts: Lts) -> Track {
        Track {
            state: State::Committed,
            attempt: 0,
            session: SessionId(1),
            visible_from: Tick(2 * lts.0),
            visible_by: Tick(2 * lts.0 + 1),
        }
    }

    fn settled(&self, _: Lts) -> Option<Tick> {
        None
    }
}
