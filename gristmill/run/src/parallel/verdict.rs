//! What a parallel run ends with: the worst wins, and what explained nothing is no check.

use super::Loaded;
use super::floor::{Floor, MODEL};
use crate::plan::Scenario;
use crate::verdict::FORMAT;
use history::verdict::{ErrorCount, Latency, OracleCount, Statements};
use history::{Counts, Status, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use targets::Facts;

/// Statements below which shares are no shares yet.
const FEW: u64 = 500;
/// Failures that were not aimed at, of 100 statements, beyond which the run says that it tests little.
const FAILED_PERCENT: u64 = 15;
/// Statements that are our own mistake, of 1000.
const OURS_PERMILLE: u64 = 5;

/// How long each action took. What is a read and what a write is not told by an action's name.
fn latency(floor: &Floor) -> BTreeMap<String, Latency> {
    let mut latency = crate::latency::summary(&floor.latencies.buckets());
    let others = [Latency::READS, Latency::WRITES, MODEL];
    latency.retain(|name, _| !others.contains(&name.as_str()));
    latency
}

/// Tries of an oracle from which on one that compared nothing is said.
const TRIES: u64 = 30;

/// Oracles that were tried and compared nothing.
fn uncompared(oracles: &BTreeMap<String, OracleCount>) -> impl Iterator<Item = String> {
    oracles.iter().filter_map(|(name, count)| {
        let void: u64 = count.void.values().sum();
        (count.compared == 0 && void >= TRIES)
            .then(|| format!("{name} was tried {void} times and compared nothing"))
    })
}

/// Oracles' answers, of 100, that were compared with nothing, beyond which the run says so.
const VOID_PERCENT: u64 = 20;

/// How many answers of oracles there were, and how many of those were compared with nothing.
fn void(oracles: &BTreeMap<String, OracleCount>) -> (u64, u64) {
    oracles.values().fold((0, 0), |(all, void), count| {
        let more: u64 = count.void.values().sum();
        (all + more + count.compared, void + more)
    })
}

/// The doubt of a run whose oracles compared too little.
fn compared_too_little(oracles: &BTreeMap<String, OracleCount>) -> Option<String> {
    let (asked, void) = void(oracles);
    (asked >= FEW && void * 100 > asked * VOID_PERCENT).then(|| {
        format!("{void} of {asked} answers of oracles were compared with nothing: more than {VOID_PERCENT} %")
    })
}

pub(super) fn make(floor: &Floor, facts: &Facts, loaded: &Loaded) -> Verdict {
    let by = floor.counts.all();
    let describe = floor.target.describe();
    let causes = floor.found.all();
    let all = by.done + by.aimed + by.refused + by.unknown;
    let mut doubts: Vec<String> = Vec::new();
    if all == 0 {
        doubts.push("nothing was compared".to_owned());
    }
    if by.quiet == 0 {
        doubts.push("the catalogue was compared at no moment".to_owned());
    }
    if all >= FEW && by.refused * 100 > all * FAILED_PERCENT {
        doubts.push(format!(
            "{} of {all} statements failed without being aimed at: more than {FAILED_PERCENT} %",
            by.refused
        ));
    }
    if by.ours * 1000 > all.max(FEW) * OURS_PERMILLE {
        doubts.push(format!(
            "{} of {all} statements were our own mistakes, more than 0.5 %",
            by.ours
        ));
    }
    doubts.extend(floor.doubts.lock().iter().cloned());
    let mut setup = BTreeMap::from([
        ("sessions".to_owned(), floor.plan.sessions.to_string()),
        ("workload".to_owned(), floor.parallel.words()),
        (
            "level".to_owned(),
            crate::plan::level_name(floor.plan.level).to_owned(),
        ),
    ]);
    setup.insert(
        "oracles".to_owned(),
        format!(
            "{} % of the sessions' time",
            by.oracle_ns * 100 / by.all_ns.max(1)
        ),
    );
    if let Some(words) = floor.parallel.swarmed(floor.tongue.speech) {
        setup.insert("swarm".to_owned(), words);
    }
    if floor.plan.profile != "default" {
        setup.insert("profile".to_owned(), floor.plan.profile.clone());
    }
    doubts.extend(uncompared(&by.oracles));
    doubts.extend(compared_too_little(&by.oracles));
    if let Some(again) = &loaded.again {
        setup.insert("replayed".to_owned(), again.words());
        doubts.extend(again.doubt());
    }
    let model = crate::latency::summary(&floor.latencies.buckets()).remove(MODEL);
    if let Some(held) = model {
        let us = |ns: u64| ns.div_ceil(1_000);
        let words = format!(
            "its lock was held {} times: half no longer than {} us, 99 of 100 no longer than {} us",
            held.count,
            us(held.p50_ns),
            us(held.p99_ns)
        );
        setup.insert("model".to_owned(), words);
    }
    if let Some(words) = floor.parallel.kept_away(floor.tongue.speech) {
        setup.insert("kept away from".to_owned(), words);
    }
    if let Some(words) = floor.memory.words() {
        setup.insert("server memory".to_owned(), words);
    }
    if let Some(words) = floor.disk.words() {
        setup.insert("server disk".to_owned(), words);
    }
    let known = floor.found.known.met(&causes);
    if !known.is_empty() {
        setup.insert("known findings".to_owned(), known.join("; "));
    }
    if let Some(words) = &loaded.restarted {
        setup.insert("restarted at the end".to_owned(), words.clone());
    }
    let scenario = floor.parallel.scenario;
    let never = by.faults.is_empty() && !floor.again && !loaded.interrupted;
    if never && matches!(scenario, Scenario::Cancel | Scenario::Kill) && causes.is_empty() {
        doubts.push(format!(
            "scenario {}: nothing was done, the run was too short for it",
            scenario.name()
        ));
    }
    if by.loud > 0 {
        let words = format!("{} quiet points did not come about within 30 s", by.loud);
        setup.insert("not quiet".to_owned(), words);
    }
    let status = if causes.iter().any(|c| !c.known) {
        Status::Finding
    } else if !doubts.is_empty() {
        Status::Unknown
    } else {
        Status::Clean
    };
    let mut errors: Vec<ErrorCount> = by.errors.into_values().collect();
    errors.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.code.cmp(&b.code)));
    let exist: BTreeSet<&str> = floor.parallel.actions(floor.tongue.speech).collect();
    let tried = |name: &str| by.actions.contains_key(name);
    let never_tried = exist.iter().filter(|name| !tried(name)).map(|n| (*n).to_owned());
    let never_done = by
        .actions
        .iter()
        .filter(|(_, count)| count.done == 0)
        .map(|(name, _)| name.clone());
    Verdict {
        format: FORMAT,
        status,
        interrupted: loaded.interrupted,
        seed: floor.plan.seed.to_string(),
        target: describe.url,
        server: facts.version.clone(),
        settings: facts.settings.clone(),
        driver: describe.driver,
        gristmill: env!("CARGO_PKG_VERSION").to_owned(),
        types: BTreeMap::new(),
        setup,
        visits: [
            ("committed", by.done),
            ("rolled back by plan", by.aimed),
            ("rejected", by.refused),
            ("unknown", by.unknown),
        ]
        .into_iter()
        .map(|(name, n)| (name.to_owned(), n))
        .collect(),
        load_ms: u64::try_from(loaded.load.as_millis()).unwrap_or(u64::MAX),
        counts: Counts {
            answers: all,
            reads: by.families.get("read").copied().unwrap_or(0),
            rows: by.rows,
            exercised: by
                .actions
                .iter()
                .map(|(name, count)| (name.clone(), count.done))
                .collect(),
            ..Counts::default()
        },
        never_compared: Vec::new(),
        never_drawn: Vec::new(),
        left_out: floor.parallel.left_out(floor.tongue.speech),
        doubts,
        causes,
        faults: by.faults,
        lies: floor.liar.told(),
        idle_percent: 0,
        latency: latency(floor),
        statements: Some(Statements {
            never_tried: never_tried.collect(),
            never_done: never_done.collect(),
            actions: by.actions,
            errors,
            families: by.families,
            rows: by.rows,
            quiet: by.quiet,
            oracles: by.oracles,
            objects: by.objects,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::{OracleCount, compared_too_little};
    use std::collections::BTreeMap;

    #[test]
    fn a_fifth_of_void_answers_is_no_doubt_and_more_is_one() {
        let oracles = |compared: u64, void: u64| {
            let count = OracleCount {
                compared,
                void: BTreeMap::from([("refused".to_owned(), void)]),
            };
            BTreeMap::from([("oracle-where".to_owned(), count)])
        };
        assert_eq!(compared_too_little(&oracles(480, 120)), None);
        let doubt = compared_too_little(&oracles(479, 121)).expect("more than a fifth");
        assert!(doubt.starts_with("121 of 600"), "{doubt}");
        assert_eq!(
            compared_too_little(&oracles(10, 90)),
            None,
            "shares of few are none"
        );
    }
}
