//! A server that is killed, connections that are cut, and a statement that outlives its client: on a throw-away PostgreSQL.

use super::{Seen, assert_clean, ending, plan};
use crate::fault::FaultKind;
use crate::life::{Circumstances, environment, history, live, new_folder, open_target, targets_folder};
use crate::plan::{FaultAt, Plan};
use history::log::{Fate, Reader, What};
use history::{Address, Answer, End, Lts, Op, Outcome, Progress, SessionId, Step, Visit, Watcher};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use targets::{Request, Target};

/// Whether there is a server to test with; under CI there must be.
pub(crate) fn installed() -> bool {
    let there = std::fs::read_dir("/usr/lib/postgresql").is_ok_and(|mut dir| dir.next().is_some())
        || std::process::Command::new("pg_config").output().is_ok();
    assert!(
        there || std::env::var("CI").as_deref() != Ok("true"),
        "PostgreSQL is not installed"
    );
    if !there {
        println!("left out: PostgreSQL is not installed");
    }
    there
}

pub(super) fn local(flags: &str) -> Plan {
    plan("postgres:local", &format!("settle=60s deadline=20s {flags}"))
}

#[test]
fn a_killed_server_keeps_what_it_acknowledged() {
    if !installed() {
        return;
    }
    let store = tempfile::tempdir().unwrap();
    let verdict = ending(
        &local("sessions=4 visits=700 rejected-percent=60 fault:kill=1/900"),
        store.path(),
    )
    .verdict;
    assert!(verdict.faults["kill"] > 0, "{:?}", verdict.faults);
    assert_clean(&verdict);
}

#[test]
fn cut_stalled_cancelled_and_terminated_statements_are_settled_and_judged() {
    if !installed() {
        return;
    }
    let store = tempfile::tempdir().unwrap();
    let faults = "fault:cut-before-commit=1/40 fault:cut-after-commit=1/40 fault:cut=1/200 fault:delay=1/200 \
                  fault:cancel=1/100 fault:terminate=1/100";
    let plan = local(&format!(
        "sessions=4 visits=800 deadline=8s rejected-percent=60 {faults}"
    ));
    let stalled = first_write(&plan).lts.0;
    let plan = Plan {
        faults_at: vec![FaultAt {
            lts: stalled,
            step: 0,
            fault: FaultKind::Stall,
        }],
        ..plan
    };
    let verdict = ending(&plan, store.path()).verdict;
    for fault in [
        "cut-before-commit",
        "cut-after-commit",
        "cancel",
        "terminate",
        "stall",
    ] {
        assert!(
            verdict.faults.get(fault).is_some_and(|n| *n > 0),
            "{fault}: {:?}",
            verdict.faults
        );
    }
    assert_clean(&verdict);
}

/// The first visit that is one insert or upsert and the first to write its partition.
pub(super) fn first_write(plan: &Plan) -> Visit {
    let visits = history(plan).unwrap();
    (1..)
        .filter_map(|lts| visits.visit(Lts(lts)))
        .find(|visit| {
            let writes = matches!(
                visit.steps.as_slice(),
                [Step::Write(Op::Insert { strict: false, .. } | Op::Upsert { .. })]
            );
            writes
                && visit.end == End::Autocommit
                && visits.writer_before(visit.writes[0], visit.lts).is_none()
        })
        .unwrap()
}

/// Somebody else who holds the row that a visit will write, until the log says that the visit's client has lost it.
struct Outsider {
    target: Arc<dyn Target>,
    plan: Plan,
    visit: Visit,
    log: PathBuf,
    waiting: Option<std::thread::JoinHandle<()>>,
}

impl Outsider {
    fn hold(&mut self) {
        let mut session = self
            .target
            .connect(SessionId(99), &Arc::new(self.plan.schema.clone()))
            .unwrap();
        let (visit, log) = (self.visit.clone(), self.log.clone());
        let mut ask = move |request: &Request<'_>| {
            let at = Address {
                lts: visit.lts,
                attempt: 0,
                step: 0,
            };
            let answer = session.execute(at, request, Duration::from_secs(10)).answer;
            assert!(matches!(answer, Answer::Affected(_)), "{answer:?}");
        };
        ask(&Request::Begin {
            level: self.visit.level,
            writes: true,
        });
        ask(&Request::Step(&self.visit.steps[0]));
        let lts = self.visit.lts;
        self.waiting = Some(std::thread::spawn(move || {
            let lost = |what: &What| matches!(what, What::Complete { lts: l, outcome: Outcome::Unknown, .. } if *l == lts);
            while !Reader::open(&log).is_ok_and(|mut log| log.any(|r| lost(&r.what))) {
                std::thread::yield_now();
            }
            ask(&Request::Rollback);
        }));
    }
}

impl Watcher for Outsider {
    fn see(&mut self, progress: &Progress) {
        if matches!(progress, Progress::Started { .. }) {
            self.hold();
        }
    }
}

#[test]
fn a_statement_that_waits_for_a_lock_when_its_client_dies_is_settled_after_it_ran() {
    if !installed() {
        return;
    }
    let store = tempfile::tempdir().unwrap();
    let mut plan = local("sessions=3 visits=200");
    let visit = first_write(&plan);
    let lts = visit.lts;
    plan.faults_at = vec![FaultAt {
        lts: lts.0,
        step: 0,
        fault: FaultKind::CutAfterCommit,
    }];
    let folder = new_folder(&plan, store.path()).unwrap();
    let files = targets_folder(&folder).unwrap();
    let target = open_target(&plan, &files, &environment(None), BTreeMap::new()).unwrap();
    let mut outsider = Outsider {
        target,
        plan,
        visit,
        log: folder.log(),
        waiting: None,
    };
    let verdict = live(&folder, Circumstances::default(), &mut outsider).unwrap();
    outsider.waiting.unwrap().join().unwrap();
    assert_clean(&verdict);
    let fates: Vec<Fate> = Reader::open(&folder.log())
        .unwrap()
        .filter_map(|r| match r.what {
            What::Settled { lts: l, fate } if l == lts => Some(fate),
            _ => None,
        })
        .collect();
    assert_eq!(
        fates,
        [Fate::Committed],
        "it was still waiting when its client died, and ran afterwards"
    );
}

#[test]
fn in_lock_step_one_session_on_a_server_sends_the_same_statements_twice() {
    if !installed() {
        return;
    }
    let sent = || {
        let store = tempfile::tempdir().unwrap();
        let ending = crate::run(
            &local("sessions=3 visits=100 pace=lock-step"),
            store.path(),
            None,
            &mut Seen::default(),
        );
        let ending = ending.unwrap();
        assert_clean(&ending.verdict);
        let log = Reader::open(&ending.folder.join("log")).unwrap();
        log.filter_map(|r| match r.what {
            What::Complete {
                lts,
                attempt,
                outcome,
                sent,
                ..
            } => Some((lts, r.session, attempt, outcome, sent)),
            _ => None,
        })
        .collect::<Vec<_>>()
    };
    assert_eq!(sent(), sent());
}
