use super::super::tests::{LOCAL, installed};
use crate::Gone;
use crate::sql::talk::{ask, done, refused};
use crate::target::OpenOptions;
use history::SessionId;
use history::parallel::{Said, SeenKind, TxState};
use std::time::Duration;

#[test]
fn text_is_answered_with_rows_codes_and_the_state_that_the_server_tells() {
    if !installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut options = OpenOptions::new(folder.path(), "gmt");
    options.busy = Duration::from_secs(1);
    let target = crate::open(LOCAL, &options).unwrap();
    let sql = target.sql().unwrap();
    let mut one = sql.open(SessionId(1)).unwrap();
    let mut two = sql.open(SessionId(2)).unwrap();
    done(
        &mut one,
        "CREATE TABLE gmt_a (x bigint PRIMARY KEY, y varchar(20) UNIQUE)",
    );
    done(
        &mut one,
        "CREATE TABLE gmt_b (x bigint, CONSTRAINT gmt_n FOREIGN KEY (x) REFERENCES gmt_a (x))",
    );
    done(&mut one, "CREATE VIEW gmt_v AS SELECT x FROM gmt_a");
    let inserted = done(&mut one, "INSERT INTO gmt_a VALUES (1, 'one'), (2, NULL)");
    assert!(matches!(
        inserted.said,
        Said::Done {
            affected: Some(2),
            rows: None,
            ..
        }
    ));
    let Said::Done {
        rows: Some(table), ..
    } = done(&mut one, "SELECT x, y FROM gmt_a ORDER BY x").said
    else {
        panic!("it has rows")
    };
    let text = |t: &str| Some(t.to_owned());
    assert_eq!(table.rows, [[text("1"), text("one")], [text("2"), None]]);
    // Two statements in one text: BEGIN at a level.
    let begin = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION READ WRITE";
    assert_eq!(done(&mut one, begin).state, TxState::Open);
    assert_eq!(done(&mut one, "SELECT @@tx_isolation").state, TxState::Open);
    let twice = ask(&mut one, "INSERT INTO gmt_a VALUES (1, NULL)");
    assert_eq!(refused(&twice), ("1062/23000", TxState::Open));
    // What changes the schema ends the transaction, refused or not.
    let taken = ask(&mut one, "CREATE TABLE gmt_a (x bigint)");
    assert_eq!(refused(&taken), ("1050/42S01", TxState::Idle));
    // A lock is waited for as long as was said, and who holds it is seen.
    done(&mut one, "START TRANSACTION");
    done(&mut one, "UPDATE gmt_a SET y = 'two' WHERE x = 2");
    let (waits, holds) = (two.identity(), one.identity());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| ask(&mut two, "DELETE FROM gmt_a WHERE x = 2"));
        let blockers = loop {
            let seen = sql.waits(&waits).unwrap();
            if !seen.blockers.is_empty() || waiting.is_finished() {
                break seen.blockers;
            }
            std::thread::yield_now();
        };
        assert_eq!(
            blockers.first().map(|b| b.process),
            Some(holds.process),
            "{blockers:?}"
        );
        let answer = waiting.join().unwrap();
        assert_eq!(refused(&answer), ("1205/HY000", TxState::Idle));
    });
    assert_eq!(done(&mut one, "ROLLBACK").state, TxState::Idle);
    // Cancelled from another thread.
    let cancel = two.cancel().unwrap();
    std::thread::scope(|scope| {
        let long = scope.spawn(|| ask(&mut two, "SELECT sleep(15) FROM gmt_a"));
        while !long.is_finished() {
            cancel.cancel().unwrap();
            std::thread::yield_now();
        }
        assert_eq!(refused(&long.join().unwrap()), ("1317/70100", TxState::Idle));
    });
    let seen = sql.catalog().unwrap();
    let kinds: Vec<(SeenKind, &str)> = seen.objects.iter().map(|o| (o.kind, o.name.as_str())).collect();
    assert_eq!(
        kinds,
        [
            (SeenKind::Table, "gmt_a"),
            (SeenKind::Table, "gmt_b"),
            (SeenKind::View, "gmt_v"),
            (SeenKind::Index, "gmt_n"),
            (SeenKind::Index, "y"),
            (SeenKind::Constraint, "gmt_n"),
            (SeenKind::Constraint, "y"),
        ]
    );
    let columns: Vec<(&str, bool)> = seen.objects[0]
        .columns
        .iter()
        .map(|c| (c.name.as_str(), c.not_null))
        .collect();
    assert_eq!(columns, [("x", true), ("y", false)]);
    let ended = target.control().unwrap().terminate(&waits).unwrap();
    assert!(ended);
    let lost = ask(&mut two, "SELECT 1");
    assert!(matches!(lost.said, Said::Unknown { .. }), "{lost:?}");
    assert!(two.broken());
    drop(two);
    while target.gone(&waits) != Gone::Gone {
        std::thread::yield_now();
    }
    drop(one);
    assert_eq!(
        target.cleanup().unwrap(),
        ["view \"gmt_v\"", "table \"gmt_a\"", "table \"gmt_b\""]
    );
    assert!(sql.catalog().unwrap().objects.is_empty());
}
