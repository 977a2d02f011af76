//! MariaDB passes the suite, on a throw-away server; and what only it can do.

use super::client::Client;
use super::config::Config;
use super::local::find_binaries;
use crate::conformance::{
    Stage, after_kill_9_what_was_acknowledged_is_there, begin, everything, sessions_tell_what_became_of_them,
    step, texts_mean_what_was_executed, two_tables,
};
use crate::target::{OpenOptions, Request, Target};
use expect_test::expect;
use history::{Answer, Level, ReasonKind};
use std::path::Path;
use std::sync::Arc;

/// Whether there is a server to test with; under CI there must be.
pub(super) fn installed() -> bool {
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
pub(super) const LOCAL: &str = "mysql:local?set=innodb_flush_log_at_trx_commit=2";

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
    sessions_tell_what_became_of_them(&mut stage);
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
fn a_folder_with_a_colon_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let target = crate::open(LOCAL, &options(&folder.path().join("a:b"), 1)).unwrap();
    let refused = target.facts().unwrap_err();
    let complaint = refused.complaint();
    assert!(complaint.what.contains("a:b"), "{complaint:?}");
    assert!(complaint.what.contains("list of folders"), "{complaint:?}");
}

#[test]
fn after_kill_9_of_mariadb_what_was_acknowledged_is_there() {
    if installed() {
        let folder = tempfile::tempdir().unwrap();
        after_kill_9_what_was_acknowledged_is_there("mysql:local", &options(folder.path(), 1));
    }
}
