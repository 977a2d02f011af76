//! Sessions, keyspaces, faults: what becomes of requests when something is not as it should be.

use super::{LOCAL, World, answers, installed, one_table, options, play};
use crate::conformance::Stage;
use crate::target::Maintenance;
use crate::{Request, Unusable};
use history::{Address, Answer, Lts, ReasonKind, SessionId, Visit};
use nix::sys::signal::Signal;
use std::time::Duration;

fn visit(text: &str) -> Visit {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// Where the node of a folder is reached, as a URL would say it.
fn place(folder: &std::path::Path) -> String {
    let ports = std::fs::read_to_string(folder.join("cassandra/ports")).unwrap();
    format!("127.0.0.1:{}", ports.split(' ').next().unwrap())
}

pub(super) fn what_is_not_ours_is_left_alone(world: &World<'_>) {
    let stage = world.stage(one_table);
    let options = world.options();
    let again = crate::open(LOCAL, &options).unwrap();
    let error = again.prepare(&stage.schema).unwrap_err();
    let keyspace = format!("keyspace gmt{}", world.number);
    assert_eq!(
        error.to_string(),
        format!("cannot use {LOCAL}: {keyspace} exists already")
    );
    assert_eq!(error.complaint().remedy, format!("gristmill clean {LOCAL}"));

    // In somebody's keyspace, only tables with our prefix are ours.
    let url = format!("cassandra://{}/gmt{}", place(world.folder), world.number);
    let other = crate::target::OpenOptions {
        prefix: "gmother".into(),
        ..options.clone()
    };
    let guest = crate::open(&url, &other).unwrap();
    guest.facts().unwrap();
    guest.prepare(&stage.schema).unwrap();
    assert!(
        guest
            .prepare(&stage.schema)
            .unwrap_err()
            .to_string()
            .contains("gmother_t0 exists already")
    );
    assert_eq!(
        guest.cleanup().unwrap(),
        [format!("table gmt{}.gmother_t0", world.number)]
    );
    assert_eq!(guest.cleanup().unwrap(), Vec::<String>::new());
    assert_eq!(again.cleanup().unwrap(), [keyspace]);
    assert_eq!(again.cleanup().unwrap(), Vec::<String>::new());

    let complaint = |url: &str| -> String {
        let error = crate::open(url, &options).unwrap().facts().unwrap_err();
        assert!(matches!(error, Unusable::Server(_)));
        format!("{error}; {}", error.complaint().remedy)
    };
    let gone = complaint(&url);
    assert!(
        gone.contains(&format!("there is no keyspace gmt{}; create it", world.number)),
        "{gone}"
    );
    let nobody = complaint("cassandra://127.0.0.1:1/");
    assert!(
        nobody.contains("no connection") && nobody.contains("see that the server runs"),
        "{nobody}"
    );
    let many = complaint(&format!("cassandra://{}/system?rf=3", place(world.folder)));
    assert!(
        many.contains("keyspace system has 1 replicas, and the URL says 3; write ?rf=1"),
        "{many}"
    );
}

pub(super) fn an_unavailable_level_is_refused_and_a_flush_changes_nothing(world: &World<'_>) {
    let mut stage = world.stage(one_table);
    let refused = play(&mut stage, &visit("1: upsert t0/0/0 c6=5 | auto at 10 three"));
    assert!(
        matches!(&refused, Answer::Refused(r) if r.kind == ReasonKind::Unavailable && r.code == "0x1000"),
        "{refused:?}"
    );
    let script = "
        1: upsert t0/0/0 c6=5 c4=1 | auto at 10 one
        2: upsert t0/0/5 c6=6 | auto at 10 one
        3: delete t0/0(:0..] | auto at 9 one
        4: shared t0/0 c20=3 | auto at 10 one";
    answers(&mut stage, script);
    let read = "5: read t0/0 select c1,c2,c4,c6,c20 order c1,-c2 stamps | auto at 0 one";
    let before = answers(&mut stage, read);
    for what in [Maintenance::Flush, Maintenance::Compact, Maintenance::Repair] {
        stage
            .target
            .maintain(what)
            .unwrap_or_else(|e| panic!("{what:?}: {e}"));
        assert_eq!(answers(&mut stage, read), before, "{what:?}");
        answers(&mut stage, "6: delete t0/0/5 | auto at 9 one");
    }
    assert!(!stage.session(0).broken());
}

#[test]
fn what_was_acknowledged_survives_a_killed_node() {
    if !installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(LOCAL, &options(folder.path(), 1), one_table);
    let incarnation = stage.target.incarnation().unwrap();
    answers(
        &mut stage,
        "1: upsert t0/0/0 c6=5 | auto at 10 one\n2: shared t0/0 c20=4 | logged-batch at 10 one",
    );
    let read = "3: read t0/0 select c1,c6,c20 stamps | auto at 0 one";
    let before = answers(&mut stage, read);
    let control = stage.target.control().unwrap();

    // A node that stands still answers nothing: the deadline passes, and nobody knows.
    let pid: u32 = std::fs::read_to_string(folder.path().join("cassandra/n1/pid"))
        .unwrap()
        .parse()
        .unwrap();
    crate::process::signal(pid, Signal::SIGSTOP);
    let write = visit("4: upsert t0/0/1 c6=6 | auto at 10 one");
    let address = Address {
        lts: Lts(4),
        attempt: 0,
        step: 0,
    };
    let request = Request::stamped(&write).unwrap();
    let slow = stage
        .session(0)
        .execute(address, &request, Duration::from_millis(300))
        .answer;
    assert!(
        matches!(&slow, Answer::Unknown(r) if r.kind == ReasonKind::Deadline),
        "{slow:?}"
    );
    assert!(stage.session(0).broken());
    let after = stage
        .session(0)
        .execute(address, &request, Duration::from_secs(1))
        .answer;
    assert!(
        matches!(&after, Answer::Refused(r) if r.kind == ReasonKind::Disconnected),
        "{after:?}"
    );
    crate::process::signal(pid, Signal::SIGCONT);
    stage.drop_session(0);
    stage.connect();

    // One that is killed under a session: what was asked next is not known to have happened, and never is Committed.
    let spare = stage.target.connect(SessionId(9), &stage.schema);
    control.kill9().unwrap();
    let mut spare = spare.unwrap();
    let lost = spare.execute(address, &request, Duration::from_secs(30)).answer;
    assert!(
        matches!(&lost, Answer::Unknown(_) | Answer::Refused(_)),
        "{lost:?}"
    );
    assert!(spare.broken());
    drop(spare);
    let unreachable = stage
        .target
        .connect(SessionId(10), &stage.schema)
        .err()
        .expect("it is down");
    assert!(unreachable.to_string().contains("no connection"), "{unreachable}");
    control.restart().unwrap();
    assert_ne!(stage.target.incarnation().unwrap(), incarnation);
    stage.drop_session(0);
    stage.connect();
    let rows = answers(&mut stage, read);
    assert!(
        rows.contains(before.trim_start_matches("3: rows").trim().trim_end_matches(']')),
        "{before} became {rows}"
    );

    // In order, it comes back the same.
    stage.target.maintain(Maintenance::Restart).unwrap();
    stage.drop_session(0);
    stage.connect();
    assert_eq!(answers(&mut stage, read), rows);
    println!("{:?}", stage.target.facts().unwrap().settings);
}

#[test]
fn a_wrong_password_is_said_to_be_one() {
    if !installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let local = format!("{LOCAL}&set=authenticator=PasswordAuthenticator");
    let target = crate::open(&local, &options(folder.path(), 1)).unwrap();
    target.facts().unwrap();
    let place = place(folder.path());
    let complaint = |url: &str, password: Option<&'static str>| -> String {
        let mut options = options(folder.path(), 2);
        options.environment = std::sync::Arc::new(move |name| {
            password
                .filter(|_| name == "CASSANDRA_PASSWORD")
                .map(str::to_owned)
        });
        match crate::open(url, &options).unwrap().facts() {
            Ok(facts) => facts.version,
            Err(error) => format!("{error}; {}", error.complaint().remedy),
        }
    };
    for url in [
        format!("cassandra://cassandra:wrong@{place}"),
        format!("cassandra://{place}"),
    ] {
        let said = complaint(&url, None);
        assert!(said.contains("give the user in the URL"), "{said}");
        assert!(!said.contains("wrong"), "{said}");
    }
    let welcome = complaint(&format!("cassandra://cassandra@{place}"), Some("cassandra"));
    assert!(welcome.starts_with("Cassandra "), "{welcome}");
}

/// The coordinator waits for a replica that stands still, gives up, and the write is there all the same; and what a
/// replica missed is missing from its own answers until a repair.
#[test]
fn what_one_of_two_nodes_missed_may_have_happened_and_is_repaired() {
    if !installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // Reads wait longer than writes: they are asked while the machine is still busy with the nodes' start.
    let url = "cassandra:local?nodes=2&set=write_request_timeout=3s&set=read_request_timeout=60s&set=hinted_handoff_enabled=false";
    let mut stage = Stage::new(url, &options(folder.path(), 1), one_table);
    assert_eq!(stage.target.semantics().replicas, 2);
    let mut ask = |text: &str| play(&mut stage, &visit(text));
    for (node, row) in [(0, 0), (1, 1), (2, 2)] {
        let done = ask(&format!("1: upsert t0/0/{row} c6=5 | auto at 10 all node {node}"));
        assert_eq!(done, Answer::Affected(1), "node {node}");
    }
    let read = |level: &str, node: u16| {
        format!("2: read t0/0 select c6 order c1,-c2 stamps | auto at 0 {level} node {node}")
    };
    let before = ask(&read("all", 1));
    assert!(
        matches!(&before, Answer::Rows(rows) if rows.len() == 3),
        "{before}"
    );
    // Each replica by itself has all of it.
    assert_eq!(
        (ask(&read("one", 0)), ask(&read("one", 1))),
        (before.clone(), before)
    );

    let pid = std::fs::read_to_string(folder.path().join("cassandra/n2/pid")).unwrap();
    let pid: u32 = pid.parse().unwrap();
    crate::process::signal(pid, Signal::SIGSTOP);
    let late = ask("3: upsert t0/0/0 c6=9 | auto at 20 all node 0");
    assert!(
        matches!(&late, Answer::Unknown(r) if r.kind == ReasonKind::Busy && r.code == "0x1100"),
        "{late:?}"
    );
    crate::process::signal(pid, Signal::SIGCONT);
    let seen = ask(&read("all", 0)).to_string();
    assert!(seen.contains(",20)"), "{seen}");
    // Away altogether, it is missed once the others have noticed: then a level that needs it promises.
    crate::process::signal(pid, Signal::SIGSTOP);
    let mine = ask("4: upsert t0/0/5 c6=9 | auto at 30 one node 0");
    assert_eq!(mine, Answer::Affected(1), "the session is as good as before");
    crate::process::signal(pid, Signal::SIGKILL);
    let write = visit("5: upsert t0/0/0 c6=9 | auto at 30 all node 0");
    let promised = (0..100).any(|_| {
        matches!(play(&mut stage, &write), Answer::Refused(r) if r.kind == ReasonKind::Unavailable && r.code == "0x1000")
    });
    assert!(promised, "a node that is gone is noticed");

    // What it missed it has not, until replicas are compared.
    stage.target.control().unwrap().restart().unwrap();
    stage.drop_session(0);
    stage.connect();
    let mut rows = |node: u16| match play(&mut stage, &visit(&read("one", node))) {
        Answer::Rows(rows) => rows.len(),
        other => panic!("{other}"),
    };
    assert_eq!((rows(0), rows(1)), (4, 3), "each replica answers its own");
    stage.target.maintain(Maintenance::Repair).unwrap();
    let mut rows = |node: u16| play(&mut stage, &visit(&read("one", node))).to_string();
    assert_eq!(rows(1), rows(0));
    println!("{:?}", stage.target.facts().unwrap().settings);
}
