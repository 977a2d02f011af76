//! SQLite passes the suite, in a file and in memory; bad files are named with their remedy.

use crate::conformance::{
    Stage, essentials, everything, greatest_timestamp_wins, texts_mean_what_was_executed, two_tables,
};
use crate::target::{OpenOptions, Request};
use expect_test::{Expect, expect};
use history::{Answer, Level, ReasonKind};
use std::time::Duration;

#[test]
fn sqlite_passes_the_suite_in_a_temporary_file() {
    let folder = tempfile::tempdir().unwrap();
    everything("sqlite:", &|n| {
        let own = folder.path().join(n.to_string());
        std::fs::create_dir(&own).unwrap();
        OpenOptions::new(own, "gmt1")
    });
}

#[test]
fn sqlite_passes_the_suite_in_memory_and_in_a_given_file() {
    everything("sqlite::memory:", &|_| OpenOptions::new("", "gmt1"));
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/given.db", folder.path().display());
    essentials(&url, &OpenOptions::new(folder.path(), "gmt"));
}

#[test]
fn the_greatest_timestamp_wins_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    greatest_timestamp_wins("sqlite:", &|n| {
        let own = folder.path().join(n.to_string());
        std::fs::create_dir(&own).unwrap();
        OpenOptions::new(own, "gmt1")
    });
    greatest_timestamp_wins("sqlite::memory:", &|_| OpenOptions::new("", "gmt1"));
}

#[test]
fn the_text_for_people_does_what_was_executed() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/given.db", folder.path().display());
    let connection = rusqlite::Connection::open(folder.path().join("given.db")).unwrap();
    texts_mean_what_was_executed(
        &url,
        &|n| OpenOptions::new(folder.path(), format!("gmt{n}")),
        &mut |sql| {
            let mut statement = connection.prepare(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
            let mut rows = statement.query([]).unwrap();
            while rows.next().unwrap_or_else(|e| panic!("{sql}: {e}")).is_some() {}
        },
    );
}

#[test]
fn two_writers_meet_one_waits_or_is_told_busy() {
    for (lock_step, busy) in [
        (true, Duration::from_secs(60)),
        (false, Duration::from_millis(30)),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let options = OpenOptions {
            lock_step,
            busy,
            ..OpenOptions::new(folder.path(), "gmt")
        };
        let mut stage = Stage::new("sqlite:", &options, two_tables);
        let second = stage.connect();
        let begin = Request::Begin {
            level: Level::Serializable,
            writes: true,
        };
        assert_eq!(stage.ask(0, (1, 0), &begin), Answer::Affected(0));
        let answer = stage.ask(second, (2, 0), &begin);
        assert!(matches!(answer, Answer::Refused(r) if r.kind == ReasonKind::Busy));
        stage.drop_session(0);
        // The first is gone, and its lock with it.
        assert_eq!(stage.ask(0, (3, 0), &begin), Answer::Affected(0));
    }
}

fn complaint(url: &str) -> String {
    let target = match crate::open(url, &OpenOptions::new("", "gmt")) {
        Ok(target) => target,
        Err(e) => return format!("{e} / {}", e.complaint().remedy),
    };
    let error = target.facts().unwrap_err();
    format!("{error} / {}", error.complaint().remedy)
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| format!("{}/{name}", folder.path().display());
    let check = |url: String, expected: &Expect| {
        expected.assert_eq(&complaint(&url).replace(&folder.path().display().to_string(), "FOLDER"));
    };
    std::fs::write(
        at("text"),
        "this is no database, only a text that is long enough to be looked at as one",
    )
    .unwrap();
    check(
        format!("sqlite:{}", at("text")),
        &expect![
            "cannot use sqlite:FOLDER/text: file is not a database / give the path of a SQLite database, or of a file that does not exist yet"
        ],
    );
    std::fs::write(at("locked"), "").unwrap();
    let mut permissions = std::fs::metadata(at("locked")).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(at("locked"), permissions).unwrap();
    check(
        format!("sqlite:{}", at("locked")),
        &expect![
            "cannot use sqlite:FOLDER/locked: the file is read-only / give a file that may be written, or sqlite: for a temporary one"
        ],
    );
    check(
        format!("sqlite:{}", at("none/such")),
        &expect![
            "cannot use sqlite:FOLDER/none/such: unable to open database file: FOLDER/none/such / give a path in a folder that exists and may be written"
        ],
    );
    check(
        format!("sqlite:{}", folder.path().display()),
        &expect!["cannot use sqlite:FOLDER: it is a folder / give the path of a file"],
    );
    check(
        "sqlite:x?mode=ro".into(),
        &expect![
            "cannot use sqlite:x?mode=ro: a SQLite target takes no parameters / the forms are sqlite:, sqlite:PATH and sqlite::memory:"
        ],
    );
    check(
        "sqlight:x".into(),
        &expect![
            "cannot use `sqlight:x`: unknown scheme `sqlight` / known are sqlite:, postgres://USER@HOST:PORT/DATABASE, mysql://USER@HOST:PORT/DATABASE, cassandra://USER@HOST:PORT/KEYSPACE, duckdb:, exec:COMMAND, reference:"
        ],
    );
}

#[test]
fn a_table_that_exists_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/given.db", folder.path().display());
    let stage = Stage::new(&url, &OpenOptions::new("", "gmt"), two_tables);
    let error = stage.target.prepare(&stage.schema).unwrap_err();
    assert!(
        error.to_string().ends_with("table gmt_t0 exists already"),
        "{error}"
    );
    assert_eq!(
        stage.target.cleanup().unwrap(),
        ["table gmt_t0", "table gmt_t0_s", "table gmt_t1"]
    );
    assert_eq!(stage.target.cleanup().unwrap(), Vec::<String>::new());
}

/// `sqlite-refused-alter`: when this fails, SQLite has mended it, and runs need not keep away from it.
#[test]
fn the_defect_that_runs_keep_away_from_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let open = || rusqlite::Connection::open(folder.path().join("both.db")).unwrap();
    let (one, other) = (open(), open());
    one.execute_batch(
        "CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 2); CREATE VIEW v AS SELECT b FROM t; BEGIN",
    )
    .unwrap();
    let refused = one.execute_batch("ALTER TABLE t DROP COLUMN b").unwrap_err();
    assert!(refused.to_string().contains("error in view v"), "{refused}");
    let columns = |of: &rusqlite::Connection| {
        let mut statement = of.prepare("SELECT * FROM t").unwrap();
        let mut rows = statement.query([]).unwrap();
        rows.next().unwrap().unwrap().as_ref().column_count()
    };
    one.execute_batch("COMMIT").unwrap();
    other.execute_batch("CREATE TABLE u (x)").unwrap();
    assert_eq!((columns(&one), columns(&other)), (1, 2));
    // Rolled back, it is not there.
    one.execute_batch("BEGIN").unwrap();
    one.execute_batch("ALTER TABLE t DROP COLUMN b").unwrap_err();
    one.execute_batch("ROLLBACK").unwrap();
    other.execute_batch("CREATE TABLE w (x)").unwrap();
    assert_eq!((columns(&one), columns(&other)), (2, 2));
}
