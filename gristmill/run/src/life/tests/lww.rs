//! Whole runs where the greatest timestamp wins, lightweight transactions among them; the last ones on a real Cassandra.

use super::{assert_clean, ending, plan};
use crate::fault::Schedule;
use crate::plan::Plan;
use history::{Address, Kind, Lts, Shape, Status, Verdict};
use std::collections::BTreeMap;

fn run(target: &str, flags: &str) -> Verdict {
    let store = tempfile::tempdir().unwrap();
    ending(&plan(target, flags), store.path()).verdict
}

/// Under CI there must be a Cassandra to test with.
fn cassandra() -> bool {
    let there = targets::cassandra_is_installed();
    assert!(
        there || std::env::var("CI").as_deref() != Ok("true"),
        "Cassandra is not installed: cargo xtask servers cassandra"
    );
    if !there {
        println!("left out: Cassandra is not installed (cargo xtask servers cassandra)");
    }
    there
}

/// A machine that does much else must not make a timeout of every slow request.
const LOCAL: &str =
    "cassandra:local?set=write_request_timeout=60s&set=read_request_timeout=60s&set=request_timeout=60s";

/// A plan on it: the clients are as patient as the server.
fn patient(flags: &str) -> Plan {
    plan(LOCAL, &format!("deadline=60s settle=60s {flags}"))
}

fn run_patiently(flags: &str) -> Verdict {
    let store = tempfile::tempdir().unwrap();
    ending(&patient(flags), store.path()).verdict
}

/// How often the plan has each fault.
fn drawn(plan: &Plan, visits: u64) -> BTreeMap<String, u64> {
    let schedule = Schedule::new(plan.seed.0, &plan.faults, &plan.faults_at);
    let mut drawn = BTreeMap::new();
    for lts in (1..=visits).map(Lts) {
        let first = Address {
            lts,
            attempt: 0,
            step: 0,
        };
        if let Some(kind) = schedule.at(first, true) {
            *drawn.entry(kind.name().to_owned()).or_default() += 1;
        }
    }
    drawn
}

#[test]
fn the_truthful_reference_is_clean_where_writes_race() {
    let verdict = run("reference:", "discipline=lww sessions=8 visits=3000");
    assert_clean(&verdict);
    assert!(verdict.counts.overlapped > 0, "{:?}", verdict.counts);
    let left: u64 = verdict.counts.not_compared.values().sum();
    assert!(
        left * 100 < verdict.counts.answers,
        "less than 1 of 100: {:?}",
        verdict.counts.not_compared
    );
}

#[test]
fn an_increment_that_is_lost_or_added_twice_is_found() {
    for lie in ["lost_increment", "added_twice"] {
        let flags = format!("discipline=lww sessions=8 visits=2000 stop=never lie:{lie}=1/20");
        let verdict = run("reference:", &flags);
        assert_eq!(verdict.status, Status::Finding, "{lie}");
        assert!(verdict.lies[lie] > 0);
        let sums = |shape: &Shape| matches!(shape, Shape::WrongCell { .. } | Shape::WrongAggregate { .. });
        assert!(
            verdict.causes.iter().any(|cause| sums(&cause.finding.shape)),
            "{lie}: {:#?}",
            verdict.causes
        );
    }
}

#[test]
fn two_lightweight_transactions_that_win_one_race_are_a_lost_update() {
    for lie in ["condition_ignored", "condition_denied"] {
        let flags = format!("discipline=lww sessions=8 visits=2000 stop=never lie:{lie}=1/10");
        let verdict = run("reference:", &flags);
        assert_eq!(verdict.status, Status::Finding, "{lie}");
        assert!(verdict.lies[lie] > 0);
        for cause in &verdict.causes {
            let finding = &cause.finding;
            assert_eq!(
                (finding.kind, &finding.shape),
                (Kind::Isolation, &Shape::NotLinearizable),
                "{lie}: {finding:#?}"
            );
        }
    }
}

#[test]
fn cassandra_is_flushed_compacted_restarted_and_killed_in_mid_run_and_keeps_what_it_acknowledged() {
    if !cassandra() {
        return;
    }
    let flags =
        "sessions=6 visits=1500 fault:kill=1/500 fault:restart=1/600 fault:flush=1/120 fault:compact=1/240";
    let (plan, store) = (patient(flags), tempfile::tempdir().unwrap());
    let verdict = ending(&plan, store.path()).verdict;
    println!("{:?} {:?} {:?}", verdict.visits, verdict.faults, verdict.counts);
    assert_clean(&verdict);
    // Whatever else the machine does meanwhile.
    assert_eq!(verdict.faults, drawn(&plan, 1500));
    assert_eq!(verdict.faults.len(), 4);
    let left: u64 = verdict.counts.not_compared.values().sum();
    assert!(
        left * 100 < verdict.counts.answers,
        "less than 1 of 100: {:?}",
        verdict.counts.not_compared
    );
}

#[test]
fn a_killed_postgres_keeps_what_it_acknowledged_of_racing_writes() {
    if !super::postgres::installed() {
        return;
    }
    let flags = "discipline=lww sessions=4 visits=700 rejected-percent=60 fault:kill=1/500";
    let store = tempfile::tempdir().unwrap();
    let verdict = ending(&super::postgres::local(flags), store.path()).verdict;
    assert!(
        verdict.faults.get("kill").is_some_and(|n| *n > 0),
        "{:?}",
        verdict.faults
    );
    assert_clean(&verdict);
}

#[test]
fn what_a_corruptor_says_of_cassandra_and_does_to_it_is_found() {
    if !cassandra() {
        return;
    }
    let store = tempfile::tempdir().unwrap();
    for (lie, visits) in [
        ("condition_denied=1/10", 1_500),
        ("wrong_timestamp=1/50", 800),
        ("hidden_element=1/5", 800),
        ("wrong_ttl=1/5", 800),
        ("db_hide_row=1/50", 800),
        ("db_change_value=1/50", 800),
    ] {
        let flags = format!("sessions=6 visits={visits} stop=first lie:{lie}");
        let verdict = ending(&patient(&flags), store.path()).verdict;
        assert_eq!(verdict.status, Status::Finding, "{lie}: {:?}", verdict.lies);
        println!("{lie}: {}", verdict.causes[0].finding.shape.name());
    }
}

#[test]
fn lightweight_transactions_are_judged_again_though_the_ring_forgot_their_answers() {
    let store = tempfile::tempdir().unwrap();
    let plan = plan(
        "reference:",
        "discipline=lww sessions=4 visits=9000 evidence-bytes=1048576",
    );
    let ending = ending(&plan, store.path());
    assert_clean(&ending.verdict);
    let folder = history::artefact::Folder::open(&ending.folder).unwrap();
    let again = crate::recheck::recheck(&folder).unwrap();
    assert!(Some(again.held) < again.of, "the ring forgot nothing");
    assert!(again.causes.is_empty(), "{:#?}", again.causes);
    let lost = |why: &&String| why.contains("lightweight transactions are not known");
    let left = &again.counts.not_compared;
    assert_eq!(left.keys().find(lost), None, "{left:?}");
}

#[test]
fn indexes_and_columns_come_and_go_on_cassandra_while_visits_go_on() {
    if !cassandra() {
        return;
    }
    let kinds = [
        (
            "index",
            "1/60",
            ["create-index", "drop-index", "read-after-index"],
        ),
        ("alter", "1/90", ["drop-column", "add-column", "read-after-alter"]),
    ];
    for (fault, rate, expected) in kinds {
        let verdict = run_patiently(&format!("sessions=6 visits=700 fault:{fault}={rate}"));
        println!("{fault}: {:?} {:?}", verdict.faults, verdict.counts);
        assert_clean(&verdict);
        assert!(verdict.faults[fault] > 3, "{:?}", verdict.faults);
        let exercised = &verdict.counts.exercised;
        for kind in expected {
            assert!(exercised.contains_key(kind), "{kind}: {exercised:?}");
        }
    }
}
