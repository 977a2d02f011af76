use crate::target::{OpenOptions, Target};
use crate::{Gone, SqlSession};
use history::SessionId;
use history::parallel::{Answer, Said, SeenKind, TxState};
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(5);

fn target(folder: &std::path::Path) -> Box<dyn Target> {
    let mut options = OpenOptions::new(folder, "gmt");
    options.busy = Duration::from_millis(50);
    crate::open("sqlite:", &options).unwrap()
}

fn ask(session: &mut Box<dyn SqlSession>, sql: &str) -> Answer {
    session.send(sql, None, true, DEADLINE)
}

fn refused(answer: &Answer) -> &str {
    match &answer.said {
        Said::Refused { code, .. } => code,
        other => panic!("{other:?} is no refusal"),
    }
}

#[test]
fn what_is_sent_is_answered_with_rows_counts_codes_and_the_state_of_the_transaction() {
    let folder = tempfile::tempdir().unwrap();
    let target = target(folder.path());
    let sql = target.sql().unwrap();
    let mut one = sql.open(SessionId(1)).unwrap();
    let mut two = sql.open(SessionId(2)).unwrap();
    assert_eq!(
        ask(&mut one, "CREATE TABLE gmt_a (x INTEGER PRIMARY KEY, y)").state,
        TxState::Idle
    );
    let answer = ask(
        &mut one,
        "INSERT INTO gmt_a VALUES (1, 'a b'), (2, 1.0), (3, x'00ff'), (4, NULL), (5, '7')",
    );
    assert!(
        matches!(
            answer.said,
            Said::Done {
                affected: Some(5),
                rows: None,
                ..
            }
        ),
        "{answer:?}"
    );
    let answer = ask(&mut one, "SELECT y FROM gmt_a ORDER BY x");
    let Said::Done {
        rows: Some(table), ..
    } = answer.said
    else {
        panic!("it has rows")
    };
    let cells: Vec<Option<&str>> = table.rows.iter().map(|row| row[0].as_deref()).collect();
    assert_eq!(
        cells,
        [Some("a b"), Some("1.0"), Some("x'00ff'"), None, Some("'7'")]
    );
    assert_eq!(table.columns, ["y"]);
    assert_eq!(refused(&ask(&mut one, "INSERT INTO gmt_a VALUES (1, 2)")), "1555");
    assert_eq!(refused(&ask(&mut one, "SELECT nothing FROM gmt_a")), "1");
    assert_eq!(ask(&mut one, "BEGIN IMMEDIATE").state, TxState::Open);
    assert_eq!(refused(&ask(&mut two, "INSERT INTO gmt_a VALUES (9, 9)")), "5");
    assert_eq!(
        ask(&mut one, "DELETE FROM gmt_a WHERE x < 3").state,
        TxState::Open
    );
    assert_eq!(ask(&mut one, "COMMIT").state, TxState::Idle);
    let identity = one.identity();
    drop(one);
    assert_eq!(target.gone(&identity), Gone::Gone);
}

#[test]
fn the_catalogue_shows_ours_with_columns_and_nothing_foreign_and_goes_away_with_the_prefix() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shared.sqlite");
    let url = format!("sqlite:{}", file.display());
    let target = crate::open(&url, &OpenOptions::new(folder.path(), "gmt")).unwrap();
    let sql = target.sql().unwrap();
    let mut session = sql.open(SessionId(1)).unwrap();
    for statement in [
        "CREATE TABLE guest (x)",
        "CREATE TABLE gmt_a (x INTEGER NOT NULL, y TEXT)",
        "CREATE TABLE gmtoo (x)",
        "CREATE UNIQUE INDEX gmt_i ON gmt_a (x)",
        "CREATE VIEW gmt_v AS SELECT x FROM gmt_a",
    ] {
        assert!(
            matches!(ask(&mut session, statement).said, Said::Done { .. }),
            "{statement}"
        );
    }
    let seen = sql.catalog().unwrap();
    let names: Vec<_> = seen
        .objects
        .iter()
        .map(|o| (o.kind, o.name.as_str(), o.on.as_str()))
        .collect();
    assert_eq!(
        names,
        [
            (SeenKind::Table, "gmt_a", ""),
            (SeenKind::View, "gmt_v", ""),
            (SeenKind::Index, "gmt_i", "gmt_a"),
        ]
    );
    let columns: Vec<_> = seen.objects[0]
        .columns
        .iter()
        .map(|c| (c.name.as_str(), c.ty.as_str(), c.not_null))
        .collect();
    assert_eq!(columns, [("x", "INTEGER", true), ("y", "TEXT", false)]);
    drop(session);
    assert_eq!(target.cleanup().unwrap(), ["view gmt_v", "table gmt_a"]);
    assert_eq!(sql.catalog().unwrap(), history::parallel::Seen::default());
    let mut session = sql.open(SessionId(1)).unwrap();
    assert!(matches!(
        ask(&mut session, "SELECT * FROM guest, gmtoo").said,
        Said::Done { .. }
    ));
}

#[test]
fn a_statement_that_runs_for_ever_is_interrupted_from_outside() {
    let folder = tempfile::tempdir().unwrap();
    let target = target(folder.path());
    let mut session = target.sql().unwrap().open(SessionId(1)).unwrap();
    let cancel = session.cancel().unwrap();
    let ended = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Until it was at work when it came.
            while !ended.load(std::sync::atomic::Ordering::SeqCst) {
                cancel.cancel().unwrap();
                std::thread::yield_now();
            }
        });
        let for_ever =
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n";
        assert_eq!(refused(&ask(&mut session, for_ever)), "9");
        ended.store(true, std::sync::atomic::Ordering::SeqCst);
    });
}
