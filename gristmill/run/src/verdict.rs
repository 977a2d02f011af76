//! What a run ends with, put together: the worst wins, and what compared nothing is no check.

use crate::life::Loaded;
use crate::world::World;
use history::{Counts, Discipline, End, Lts, Op, Regenerate, State, Status, Step, Tracker, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use targets::Facts;

/// Version of the format of `verdict.json`.
pub(crate) const FORMAT: u32 = 1;

pub(crate) fn make(
    world: &World,
    facts: &Facts,
    setup: &BTreeMap<String, String>,
    loaded: Loaded,
) -> Verdict {
    let describe = world.target.describe();
    let causes = world.causes.all();
    let visits = visits(
        &*world.tracker,
        &*world.history,
        loaded.last,
        loaded.tally.writing,
    );
    let mut setup = setup.clone();
    if world.building.count() > 0 {
        let words = format!("{} reads, while an index came or went", world.building.count());
        setup.insert("refused".to_owned(), words);
    }
    let enabled = enabled(world, &loaded);
    let exercised: BTreeSet<&String> = loaded.counts.exercised.keys().collect();
    let drawn: BTreeSet<String> = enabled.drawn;
    let never_compared: Vec<String> = drawn
        .iter()
        .filter(|k| !exercised.contains(k) && !loaded.interrupted && world.plan.is_checked())
        .cloned()
        .collect();
    let never_drawn: Vec<String> = enabled.all.difference(&drawn).cloned().collect();
    let mut doubts = doubts(world, &loaded, &visits);
    if !never_compared.is_empty() {
        doubts.push(format!(
            "drawn by the plan and never compared: {}",
            never_compared.join(", ")
        ));
    }
    let status = if causes.iter().any(|c| !c.known) {
        Status::Finding
    } else if !doubts.is_empty() {
        Status::Unknown
    } else if !world.plan.is_checked() {
        Status::Unchecked
    } else {
        Status::Clean
    };
    Verdict {
        format: FORMAT,
        status,
        interrupted: loaded.interrupted,
        seed: world.plan.seed.to_string(),
        target: describe.url,
        server: facts.version.clone(),
        settings: facts.settings.clone(),
        driver: describe.driver,
        // Who knows more, such as the commit, says so: this crate is not built again for each of them.
        gristmill: env!("CARGO_PKG_VERSION").to_owned(),
        types: types(world),
        setup,
        visits,
        load_ms: u64::try_from(loaded.load.as_millis()).unwrap_or(u64::MAX),
        counts: loaded.counts,
        never_compared,
        never_drawn,
        left_out: left_out(world),
        doubts,
        causes,
        faults: faults(world, loaded.last),
        lies: loaded.lies.clone(),
        idle_percent: idle_percent(world, loaded.load.as_nanos()),
        latency: crate::latency::summary(&world.latencies.buckets()),
        statements: None,
    }
}

/// What was done to the database and to its schema.
fn faults(world: &World, last: Lts) -> BTreeMap<String, u64> {
    let mut faults = world.faults.done();
    faults.extend(
        world
            .changing
            .iter()
            .flat_map(|changing| changing.made(&*world.tracker, last)),
    );
    faults
}

/// What each type of the schema is called on the target.
fn types(world: &World) -> BTreeMap<String, String> {
    let columns = world.schema.tables.iter().flat_map(|table| {
        let keys = table.partition.iter().chain(&table.clustering);
        keys.map(|key| &key.column)
            .chain(&table.regular)
            .chain(&table.shared)
    });
    columns
        .filter_map(|column| Some((column.ty.to_string(), world.target.column_type(&column.ty)?)))
        .collect()
}

/// What the target cannot keep, and what the way to it makes impossible.
fn left_out(world: &World) -> Vec<String> {
    let mut left_out = world.target.left_out();
    left_out.extend(
        world
            .target
            .pooler()
            .map(|why| format!("faults (a connection pooler stands in between: {why})")),
    );
    left_out
}

/// Visits by what became of them, from the tracker: earlier lives of the worker included.
pub(crate) fn visits(
    tracker: &dyn Tracker,
    history: &dyn Regenerate,
    last: Lts,
    writing: u64,
) -> BTreeMap<String, u64> {
    let mut unknown = 0;
    let mut skipped = 0;
    let mut committed = 0;
    let mut rejected = 0;
    let mut by_plan = 0;
    for lts in (1..=last.0).map(Lts) {
        match tracker.get(lts).state {
            State::Committed => committed += 1,
            State::Rejected if rejected_by_plan(history, lts) => by_plan += 1,
            State::Rejected => rejected += 1,
            State::Skipped => skipped += 1,
            State::Unknown => unknown += 1,
            State::Open | State::Waiting => {}
        }
    }
    [
        ("committed", committed),
        ("rejected", rejected),
        ("rolled back by plan", by_plan),
        ("skipped", skipped),
        ("unknown", unknown),
        ("writing", writing),
    ]
    .into_iter()
    .map(|(k, n)| (k.to_owned(), n))
    .collect()
}

/// Whether a visit that left nothing was meant to, or was a strict insert: that it met its key is judged like a read.
fn rejected_by_plan(history: &dyn Regenerate, lts: Lts) -> bool {
    history.visit(lts).is_some_and(|visit| {
        visit.end == End::Rollback
            || matches!(
                visit.steps.as_slice(),
                [Step::Write(Op::Insert { strict: true, .. })]
            )
    })
}

/// Kinds of statement: those that the plan enables, and those that were drawn in this run.
struct Enabled {
    all: BTreeSet<String>,
    drawn: BTreeSet<String>,
}

/// Visits at the beginning of a run that are looked through for kinds of statement; beyond, what was compared counts.
const LOOKED_THROUGH: u64 = 4096;

fn enabled(world: &World, loaded: &Loaded) -> Enabled {
    let mut drawn = BTreeSet::new();
    let mut all = BTreeSet::new();
    for lts in (1..=LOOKED_THROUGH).map(history::Lts) {
        let Some(visit) = world.history.visit(lts) else {
            continue;
        };
        let ran = lts <= loaded.last
            && matches!(world.tracker.get(lts).state, State::Committed)
            && !loaded.interrupted;
        for step in &visit.steps {
            let kind = match step {
                history::Step::Write(op) => op.kind(),
                history::Step::Read(query) => query.kind(),
                history::Step::Change(change) => change.what.name(),
                history::Step::Savepoint(_) | history::Step::RollbackTo(_) => continue,
            };
            if ran && !drawn.contains(kind) {
                drawn.insert(kind.to_owned());
            }
            if !all.contains(kind) {
                all.insert(kind.to_owned());
            }
        }
    }
    for kind in loaded.counts.exercised.keys() {
        drawn.insert(kind.clone());
        all.insert(kind.clone());
    }
    Enabled { all, drawn }
}

fn doubts(world: &World, loaded: &Loaded, visits: &BTreeMap<String, u64>) -> Vec<String> {
    let mut doubts = Vec::new();
    let Counts {
        answers,
        not_compared,
        ..
    } = &loaded.counts;
    let meant = |why: &str| why.starts_with("by plan");
    let left: u64 = not_compared
        .iter()
        .filter(|(why, _)| !meant(why))
        .map(|(_, n)| n)
        .sum();
    if !world.plan.is_checked() {
        // Nothing was to be compared.
    } else if *answers == 0 {
        doubts.push("nothing was compared".to_owned());
    } else if left * 100 > (answers + left) * u64::from(world.plan.not_compared_percent) {
        doubts.push(format!("{left} of {} answers were not compared", answers + left));
    }
    let rejected = visits["rejected"];
    let total: u64 = visits
        .iter()
        .filter(|(k, _)| *k != "writing")
        .map(|(_, n)| n)
        .sum();
    if rejected * 100 > total * u64::from(world.plan.rejected_percent) {
        doubts.push(format!(
            "{rejected} of {total} visits were rejected, against the plan"
        ));
    }
    if visits["unknown"] > 0 && world.plan.discipline == Discipline::Ordered {
        doubts.push(format!("{} visits could not be settled", visits["unknown"]));
    }
    if let Some(full) = &loaded.disk_full {
        doubts.push(format!(
            "the load ended early, the disk is full: {full} (make room there, or give another folder with --out)"
        ));
    }
    doubts.extend(world.doubts.lock().iter().cloned());
    doubts
}

fn idle_percent(world: &World, load_ns: u128) -> u32 {
    let all = load_ns * u128::from(world.plan.sessions);
    let idle = u128::from(world.idle_ns.load(Ordering::Relaxed));
    u32::try_from((idle * 100).checked_div(all).unwrap_or(0).min(100)).expect("a percentage")
}
