//! `visit`: our own CPU for a visit: what a checked run takes more of the processor than the same statements on the same
//! engine without generating, rendering, logging and checking. SQLite in this process, so that both sides are counted whole;
//! one session, because several would also count how long SQLite's own locks make each other spin.

use crate::rounds::{self, Series, Turn, interleaved};
use crate::verified::{bare_by, checked_by, plan_at};
use nix::sys::resource::{UsageWho, getrusage};
use run::Plan;
use std::path::Path;
use workload::partitions::{Popularity, Reads, VisitKind, Writes};

const VISITS: u64 = 30_000;

pub(crate) fn run(rounds: usize) {
    let scratch = tempfile::tempdir().expect("a temporary folder can be made");
    let points = points();
    report("a point read or write", rounds, scratch.path(), &points, 5.0);
    report(
        "a read of 100 rows (with one visit of ten that writes)",
        rounds,
        scratch.path(),
        &hundred(),
        12.0,
    );
}

fn points() -> Plan {
    plan_at("sqlite:", "points", VISITS, &[("sessions", "1")])
}

/// Nine of ten visits read a whole partition of about 100 rows.
fn hundred() -> Plan {
    let mut plan = points();
    let kind = |name: &str, weight, writes: u16, reads| VisitKind {
        name: name.to_owned(),
        weight,
        partitions: u16::from(writes > 0),
        writes,
        reads,
        autocommit: writes == 0,
        strict: false,
    };
    let config = &mut plan.workload;
    config.visits = vec![kind("fill", 1, 32, 0), kind("read", 9, 0, 1)];
    config.writes = Writes {
        upsert: 1,
        ..Writes::NONE
    };
    config.reads = Reads {
        partition: 1,
        ..Reads::NONE
    };
    config.pools.recent = 1;
    config.pools.retired = 0;
    config.pools.unvisited = 0;
    config.rows.per_partition = 100;
    config.rows.per_visit = 32;
    config.wide = Popularity::Rotation { count: 16 };
    config.narrow = Popularity::Rotation { count: 4 };
    plan
}

fn report(what: &str, rounds: usize, scratch: &Path, plan: &Plan, goal: f64) {
    let turns: Vec<Turn<'_>> = vec![
        (
            "checked",
            Box::new(|| 1e6 * checked_by(plan, scratch, None, &cpu) / VISITS as f64),
        ),
        (
            "bare",
            Box::new(|| 1e6 * bare_by(plan, scratch, None, &cpu) / VISITS as f64),
        ),
    ];
    let series: Vec<Series> = interleaved(rounds, turns);
    println!("{what}: CPU of the whole process a visit, {VISITS} visits");
    for one in &series {
        rounds::print(one, 1.0, "µs");
    }
    let own = rounds::derived("our own", &series[0], &series[1], |checked, bare| checked - bare);
    rounds::print(&own, 1.0, "µs");
    rounds::at_most(&own, goal, "µs");
}

/// CPU seconds of `work`, all threads together.
fn cpu(work: &mut dyn FnMut()) -> f64 {
    let now = || {
        let usage = getrusage(UsageWho::RUSAGE_SELF).expect("a process may ask for its own usage");
        let seconds = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6;
        seconds(usage.user_time()) + seconds(usage.system_time())
    };
    let began = now();
    work();
    now() - began
}
