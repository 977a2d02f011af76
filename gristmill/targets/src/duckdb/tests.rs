//! A real DuckDB in a real child. The child is this test program: see [`engine_of_the_tests`].

use super::*;
use history::parallel::{Answer, Said, TxState};

/// Not a test of its own: what the other tests start as the engine's process.
#[test]
fn engine_of_the_tests() {
    if std::env::var_os(super::ENGINE_OF_TESTS).is_some() {
        duckdb_engine().unwrap();
    }
}

/// `None` where the library is not on this machine, which a machine of CI must not be.
fn target(folder: &Path) -> Option<Duckdb> {
    if duckdb_library().is_none() {
        assert!(std::env::var("CI").is_err(), "{}", library::REMEDY);
        println!("left out: {}", library::REMEDY);
        return None;
    }
    Some(Duckdb::open("duckdb:", &OpenOptions::new(folder, "gmtest")).unwrap())
}

fn send(session: &mut Box<dyn SqlSession>, sql: &str) -> Answer {
    session.send(sql, None, true, PATIENCE)
}

/// What a script of two sessions shows: for each line its state and rows, or the kind and words of its error.
fn told(target: &Duckdb, script: &str) -> String {
    let mut sessions = [0, 1].map(|n| Sql::open(target, SessionId(n)).unwrap());
    let mut out = String::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (who, sql) = line.split_once(' ').unwrap();
        let answer = send(&mut sessions[usize::from(who == "b")], sql);
        let state = match answer.state {
            TxState::Idle => "idle",
            TxState::Open => "open",
            TxState::Failed => "failed",
        };
        let words = match answer.said {
            Said::Done {
                tag,
                affected,
                rows: None,
            } => format!("{tag}{}", affected.unwrap_or(0)),
            Said::Done {
                rows: Some(table), ..
            } => format!("{:?}", table.rows),
            Said::Refused { code, text, .. } => format!("{code}: {text}"),
            Said::Unknown { text, .. } => format!("unknown: {text}"),
        };
        out.push_str(&format!("{line} -> {state} {words}\n"));
    }
    out
}

#[test]
fn many_sessions_share_a_database_and_each_is_told_where_its_transaction_stands() {
    let folder = tempfile::tempdir().unwrap();
    let Some(target) = target(folder.path()) else {
        return;
    };
    let script = "
        a CREATE TABLE t (k BIGINT PRIMARY KEY, v VARCHAR, b BLOB)
        a INSERT INTO t VALUES (1, 'it''s', '\\x00a'), (2, NULL, NULL)
        a BEGIN
        a SELECT nope FROM t
        a SELECT k, v, b FROM t ORDER BY k
        b UPDATE t SET v = 'b' WHERE k = 1
        a UPDATE t SET v = 'a' WHERE k = 1
        a SELECT 1
        a COMMIT
        b BEGIN
        b INSERT INTO t VALUES (3, '', NULL)
        a INSERT INTO t VALUES (3, '', NULL)
        b COMMIT
        b ROLLBACK
        a SELECT k, v FROM t ORDER BY k
    ";
    expect_test::expect![[r#"
        a CREATE TABLE t (k BIGINT PRIMARY KEY, v VARCHAR, b BLOB) -> idle 0
        a INSERT INTO t VALUES (1, 'it''s', '\x00a'), (2, NULL, NULL) -> idle 2
        a BEGIN -> open 0
        a SELECT nope FROM t -> open Binder: Referenced column "nope" not found in FROM clause!
        a SELECT k, v, b FROM t ORDER BY k -> open [[Some("1"), Some("it's"), Some("\\x00a")], [Some("2"), None, None]]
        b UPDATE t SET v = 'b' WHERE k = 1 -> idle 1
        a UPDATE t SET v = 'a' WHERE k = 1 -> failed TransactionContext: Conflict on update!
        a SELECT 1 -> failed TransactionContext: Current transaction is aborted (please ROLLBACK)
        a COMMIT -> idle ROLLBACK0
        b BEGIN -> open 0
        b INSERT INTO t VALUES (3, '', NULL) -> open 1
        a INSERT INTO t VALUES (3, '', NULL) -> idle 1
        b COMMIT -> idle TransactionContext: Failed to commit: PRIMARY KEY or UNIQUE constraint violation: duplicate key "3"
        b ROLLBACK -> idle TransactionContext: cannot rollback - no transaction is active
        a SELECT k, v FROM t ORDER BY k -> idle [[Some("1"), Some("b")], [Some("2"), None], [Some("3"), Some("")]]
    "#]]
    .assert_eq(&told(&target, script));
}

/// `duckdb-write-to-deleted`: when this fails, DuckDB has mended it, and runs need not keep away from it.
#[test]
fn the_defect_that_runs_keep_away_from_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let Some(target) = target(folder.path()) else {
        return;
    };
    let script = "
        a CREATE TABLE t (k BIGINT PRIMARY KEY, v BIGINT)
        a INSERT INTO t VALUES (15, 0)
        a BEGIN
        a SELECT k, v FROM t
        b DELETE FROM t WHERE k = 15
        a UPDATE t SET v = 1 WHERE k = 15
        a SELECT k, v FROM t
        a COMMIT
        a SELECT k, v FROM t
    ";
    expect_test::expect![[r#"
        a CREATE TABLE t (k BIGINT PRIMARY KEY, v BIGINT) -> idle 0
        a INSERT INTO t VALUES (15, 0) -> idle 1
        a BEGIN -> open 0
        a SELECT k, v FROM t -> open [[Some("15"), Some("0")]]
        b DELETE FROM t WHERE k = 15 -> idle 1
        a UPDATE t SET v = 1 WHERE k = 15 -> open 1
        a SELECT k, v FROM t -> open [[Some("15"), Some("1")]]
        a COMMIT -> idle 0
        a SELECT k, v FROM t -> idle []
    "#]]
    .assert_eq(&told(&target, script));
}

#[test]
fn a_process_that_is_killed_is_another_life_and_what_was_acknowledged_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let Some(target) = target(folder.path()) else {
        return;
    };
    let mut session = Sql::open(&target, SessionId(1)).unwrap();
    for sql in [
        "CREATE TABLE gmtest_t (k BIGINT)",
        "INSERT INTO gmtest_t VALUES (1)",
        "BEGIN",
        "INSERT INTO gmtest_t VALUES (2)",
    ] {
        assert!(matches!(send(&mut session, sql).said, Said::Done { .. }), "{sql}");
    }
    let before = session.identity();
    assert_eq!(target.gone(&before), Gone::StillThere);
    let pid = target.0.engine().unwrap().pid();
    crate::process::signal(pid, nix::sys::signal::Signal::SIGKILL);
    let answer = send(&mut session, "SELECT 1");
    assert!(
        matches!(&answer.said, Said::Unknown { text, .. } if text.contains("by signal 9")),
        "{answer:?}"
    );
    assert!(session.broken());
    let mut session = Sql::open(&target, SessionId(1)).unwrap();
    assert_ne!(session.identity().incarnation, before.incarnation);
    assert_eq!(target.gone(&before), Gone::Gone);
    let answer = send(&mut session, "SELECT k FROM gmtest_t");
    let Said::Done { rows: Some(rows), .. } = answer.said else {
        panic!("{answer:?}")
    };
    assert_eq!(rows.rows, [[Some("1".to_owned())]]);
    let seen = target.catalog().unwrap();
    assert_eq!(seen.objects.len(), 1);
    assert_eq!(seen.objects[0].columns[0].ty, "BIGINT");
}

#[test]
fn a_statement_is_interrupted_by_another_thread_and_at_its_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let Some(target) = target(folder.path()) else {
        return;
    };
    let long = "SELECT count(*) FROM range(1000000000000) AS r(i) WHERE i % 7 = 8";
    let mut session = Sql::open(&target, SessionId(1)).unwrap();
    let cancel = session.cancel().unwrap();
    let thread = std::thread::spawn(move || {
        // Until it has hit: the statement may not have begun.
        for _ in 0..100 {
            cancel.cancel().unwrap();
            crate::process::pause(Duration::from_millis(20));
        }
    });
    let answer = send(&mut session, long);
    assert!(
        matches!(&answer.said, Said::Refused { code, .. } if code == "INTERRUPT"),
        "{answer:?}"
    );
    thread.join().unwrap();
    let answer = session.send(long, None, true, Duration::from_millis(50));
    assert!(
        matches!(&answer.said, Said::Unknown { .. }) && session.broken(),
        "{answer:?}"
    );
}

#[test]
fn what_cannot_be_used_is_said_with_its_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let options = OpenOptions::new(folder.path(), "gmtest");
    let said = |url: &str| {
        let told = Duckdb::open(url, &options).and_then(|target| target.facts());
        match told.unwrap_err() {
            Unusable::Usage(c) => format!("{c}; {}", c.remedy),
            Unusable::Server(c) => panic!("{c}"),
        }
    };
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("no.duckdb"), vec![b'x'; 20_000]).unwrap();
    std::fs::write(path("no.so"), b"x").unwrap();
    assert!(said("duckdb:?x=1").contains("unknown parameter `x`"));
    assert!(said("duckdb::memory:").contains("in memory"));
    assert!(said(&format!("duckdb:?lib={}", path("none.so"))).contains("cargo xtask servers duckdb"));
    assert!(said(&format!("duckdb:?lib={}", path("no.so"))).contains("cargo xtask servers duckdb"));
    assert!(said(&format!("duckdb:{}", path("none/x.duckdb"))).contains("there is no folder"));
    assert!(said(&format!("duckdb:{}", folder.path().display())).contains("it is a folder"));
    if target(folder.path()).is_some() {
        assert!(said(&format!("duckdb:{}", path("no.duckdb"))).contains("not a valid DuckDB database"));
    }
}
