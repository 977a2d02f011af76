//! MariaDB passes the suite, on a throw-away server; and what only it can do.

use super::client::Client;
use super::config::Config;
use super::local::find_binaries;
use crate::conformance::{Stage, everything, texts_mean_what_was_executed, two_tables};
use crate::process;
use crate::target::{Gone, OpenOptions, Request, Target};
use expect_test::expect;
use history::{Address, Answer, Level, Lts, Reason, ReasonKind, SessionId, Step, Visit};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Whether there is a server to test with; under CI there must be.
fn installed() -> bool {
    let there = find_binaries().is_some();
    assert!(
        there || std::env::var("CI").as_deref() != Ok("true"),
        "MariaDB is not installed"
    );
    if !there {
        println!("left out: MariaDB is not installed");
    }
    there
}

/// Servers for tests need no fsync: their machine does not die.
const LOCAL: &str = "mysql:local?set=innodb_flush_log_at_trx_commit=2";

fn options(folder: &Path, n: u32) -> OpenOptions {
    OpenOptions::new(folder, format!("gmt{n}"))
}

/// A target that keeps the server of a folder running, and how to reach that server.
fn server(folder: &Path) -> (Box<dyn Target>, Config) {
    let keep = crate::open(LOCAL, &options(folder, 0)).unwrap();
    keep.facts().unwrap();
    let home = folder.join("mariadb");
    let read = |name: &str| std::fs::read_to_string(home.join(name)).unwrap();
    let url = format!(
        "mysql://gristmill:{}@127.0.0.1:{}/gristmill",
        read("password"),
        read("port")
    );
    let config = Config::parse(&url, &options(folder, 0).environment).unwrap();
    (keep, config)
}

fn step(text: &str) -> Step {
    let visit: Visit = format!("1: {text} | auto").parse().unwrap();
    visit.steps.into_iter().next().unwrap()
}

fn begin(level: Level) -> Request<'static> {
    Request::Begin { level, writes: true }
}

#[test]
fn mariadb_passes_the_suite() {
    if !installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (_keep, config) = server(folder.path());
    everything(LOCAL, &|n| options(folder.path(), n));
    let mut client = Client::connect(&config, None).unwrap();
    texts_mean_what_was_executed(LOCAL, &|n| options(folder.path(), n + 50), &mut |sql| {
        client.run(sql).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    });
}

#[test]
fn a_session_on_mariadb_tells_what_became_of_it() {
    if !installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (_keep, _) = server(folder.path());
    let mut stage = Stage::new(LOCAL, &options(folder.path(), 1), two_tables);
    stage.script("1: insert t0/0/3 c4=100 | auto");
    a_snapshot_is_taken_at_begin_and_keeps_its_writes_from_being_lost(&mut stage);
    a_statement_that_waits_outlives_its_client(&mut stage);
    a_waiting_statement_can_be_cancelled(&mut stage);
    a_terminated_session_is_unknown_and_gone(&mut stage);
}

/// What is changed by another transaction after BEGIN is not seen, and not overwritten.
fn a_snapshot_is_taken_at_begin_and_keeps_its_writes_from_being_lost(stage: &mut Stage) {
    let second = stage.connect();
    let read = step("read t0/0/3 select c4");
    stage.ask(second, (2, 0), &begin(Level::Snapshot));
    stage.script("3: update t0/0/3 c4=6 | auto");
    let seen = stage.ask(second, (2, 1), &Request::Step(&read));
    assert_eq!(seen.to_string(), "rows (-32668)");
    let late = stage.ask(second, (2, 2), &Request::Step(&step("update t0/0/3 c4=7")));
    assert!(
        matches!(late, Answer::Refused(ref r) if r.kind == ReasonKind::Serialization),
        "{late:?}"
    );
    stage.ask(second, (2, 3), &Request::Rollback);
    stage.drop_session(second);
}

/// The client gives up, the server does not: what waited for a lock happens later.
fn a_statement_that_waits_outlives_its_client(stage: &mut Stage) {
    let (update, read) = (step("update t0/0/3 c4=7"), step("read t0/0/3 select c4"));
    let second = stage.connect();
    stage.ask(0, (3, 0), &begin(Level::ReadCommitted));
    stage.ask(0, (3, 1), &Request::Step(&step("update t0/0/3 c4=5")));
    let at = Address {
        lts: Lts(4),
        attempt: 0,
        step: 0,
    };
    let impatient = |stage: &mut Stage| {
        let session = stage.session(second);
        session
            .execute(at, &Request::Step(&update), Duration::from_millis(300))
            .answer
    };
    let late = impatient(stage);
    let deadline = ReasonKind::Deadline;
    assert!(
        matches!(late, Answer::Unknown(Reason { kind, .. }) if kind == deadline),
        "{late:?}"
    );
    assert!(stage.session(second).broken());
    let again = impatient(stage);
    assert!(
        matches!(again, Answer::Refused(ref r) if r.kind == ReasonKind::Disconnected),
        "a broken session asks nothing"
    );
    let who = stage.session(second).identity();
    stage.drop_session(second);
    assert_eq!(stage.target.gone(&who), Gone::StillThere);
    assert_eq!(stage.ask(0, (3, 2), &Request::Commit), Answer::Affected(0));
    until_gone(stage, &who);
    let seen = stage.ask(0, (5, 0), &Request::Step(&read)).to_string();
    assert_eq!(seen, "rows (-32761)");
}

fn until_gone(stage: &Stage, who: &crate::Identity) {
    for _ in 0..6_000 {
        if stage.target.gone(who) == Gone::Gone {
            return;
        }
        process::pause(Duration::from_millis(10));
    }
    panic!("{who:?} is still there");
}

fn a_waiting_statement_can_be_cancelled(stage: &mut Stage) {
    stage.ask(0, (6, 0), &begin(Level::ReadCommitted));
    stage.ask(0, (6, 1), &Request::Step(&step("update t0/0/3 c4=5")));
    let mut waiting = stage.target.connect(SessionId(9), &stage.schema).unwrap();
    let cancel = waiting.cancel().unwrap();
    let thread = std::thread::spawn(move || {
        let at = Address {
            lts: Lts(7),
            attempt: 0,
            step: 0,
        };
        let update = step("update t0/0/3 c4=8");
        waiting
            .execute(at, &Request::Step(&update), Duration::from_secs(60))
            .answer
    });
    while !thread.is_finished() {
        cancel.cancel().unwrap();
        process::pause(Duration::from_millis(10));
    }
    let answer = thread.join().unwrap();
    assert!(
        matches!(answer, Answer::Refused(ref r) if r.kind == ReasonKind::Cancelled),
        "{answer:?}"
    );
    stage.ask(0, (6, 2), &Request::Rollback);
}

fn a_terminated_session_is_unknown_and_gone(stage: &mut Stage) {
    let victim = stage.connect();
    let who = stage.session(victim).identity();
    let control = stage.target.control().unwrap();
    assert!(control.terminate(&who).unwrap());
    until_gone(stage, &who);
    assert!(!control.terminate(&who).unwrap(), "it was gone already");
    let answer = stage.ask(victim, (8, 0), &Request::Step(&step("read t0/0 select c4")));
    assert!(
        matches!(answer, Answer::Unknown(ref r) if r.kind == ReasonKind::Disconnected),
        "{answer:?}"
    );
    assert!(stage.session(victim).broken());
}

#[test]
fn a_mariadb_that_cannot_be_used_is_named_with_the_remedy() {
    if !installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (_keep, config) = server(folder.path());
    let mut root = Client::connect(&config, None).unwrap();
    for sql in [
        "CREATE USER guest@'%' IDENTIFIED BY 'guest'",
        "GRANT SELECT, INSERT ON gristmill.* TO guest@'%'",
    ] {
        root.run(sql).unwrap();
    }
    let port = config.port;
    let url = |user: &str, place: &str| format!("mysql://{user}@127.0.0.1:{port}{place}");
    let complaint = |url: &str| {
        let target = crate::open(url, &options(folder.path(), 1)).unwrap();
        let error = target.facts().unwrap_err();
        let text = format!("{error} / {}", error.complaint().remedy);
        text.replace(&port.to_string(), "PORT")
    };
    expect!["cannot use mysql://gristmill@127.0.0.1:PORT/gristmill: Access denied for user 'gristmill'@'127.0.0.1' (using password: YES) (1045) / give the password in MYSQL_PWD or in the URL, and see that the user may log in from here"].assert_eq(&complaint(&url("gristmill:wrong", "/gristmill")));
    expect!["cannot use mysql://guest@127.0.0.1:PORT/nowhere: Access denied for user 'guest'@'%' to database 'nowhere' (1044) / grant the user its rights on the database"].assert_eq(&complaint(&url("guest:guest", "/nowhere")));
    expect!["cannot use mysql://guest@127.0.0.1:PORT: no database is selected / name one in the URL: mysql://USER@HOST/DATABASE"].assert_eq(&complaint(&url("guest:guest", "")));
    expect!["cannot use mysql://guest@127.0.0.1:1/gristmill: no connection: Connection refused (os error 111) / see that the server runs and that the URL names its host and port"].assert_eq(&complaint("mysql://guest@127.0.0.1:1/gristmill"));
    // May log in and may not create: said beforehand, refused as a whole.
    let target = crate::open(&url("guest:guest", "/gristmill"), &options(folder.path(), 1)).unwrap();
    expect![
        "UPDATE on gristmill, DELETE on gristmill, CREATE on gristmill, DROP on gristmill, INDEX on gristmill"
    ]
    .assert_eq(&target.facts().unwrap().rights_missing.join(", "));
    let schema = Arc::new(two_tables(&*target));
    let error = target.prepare(&schema).unwrap_err().to_string();
    expect!["cannot use mysql://guest@127.0.0.1:PORT/gristmill: CREATE command denied to user 'guest'@'127.0.0.1' for table `gristmill`.`gmt1_t0` (1142)"].assert_eq(&error.replace(&port.to_string(), "PORT"));
    assert_eq!(target.cleanup().unwrap(), Vec::<String>::new());
    let bad = |url: &str| {
        let opened = crate::open(url, &options(folder.path(), 2));
        opened.err().unwrap().to_string()
    };
    expect!["cannot use mysql:local?port=5: unknown parameter `port`"].assert_eq(&bad("mysql:local?port=5"));
    expect!["cannot use mysql:locl: `locl` is no part of a MariaDB URL"].assert_eq(&bad("mysql:locl"));
    expect!["cannot use mysql://host:0/db: `0` is no port"].assert_eq(&bad("mysql://host:0/db"));
    expect!["cannot use mysql://host/db?tls=on: unknown parameter `tls`"]
        .assert_eq(&bad("mysql://host/db?tls=on"));
}

#[test]
fn after_kill_9_of_mariadb_what_was_acknowledged_is_there() {
    if !installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new("mysql:local", &options(folder.path(), 1), two_tables);
    let before = stage.target.incarnation().unwrap();
    stage.script("1: insert t0/0/3 c4=100 | commit");
    let open = stage.connect();
    stage.ask(open, (2, 0), &begin(Level::ReadCommitted));
    stage.ask(open, (2, 1), &Request::Step(&step("insert t0/0/4 c4=101")));
    let who = stage.session(open).identity();
    let upstream = stage.target.upstream().unwrap();
    let control = stage.target.control().unwrap();
    control.kill9().unwrap();
    let commit = stage.ask(open, (2, 2), &Request::Commit);
    assert!(
        matches!(commit, Answer::Unknown(ref r) if r.kind == ReasonKind::Disconnected),
        "{commit:?}"
    );
    assert!(
        matches!(stage.target.gone(&who), Gone::CannotTell(_)),
        "nobody answers"
    );
    control.restart().unwrap();
    assert_eq!(upstream, stage.target.upstream().unwrap(), "P1");
    assert_ne!(before, stage.target.incarnation().unwrap());
    assert_eq!(stage.target.gone(&who), Gone::Gone);
    let fresh = stage.connect();
    let read = step("read t0/0 select c4");
    let seen = stage.ask(fresh, (3, 0), &Request::Step(&read)).to_string();
    assert_eq!(seen, "rows (-32668)");
}
