use super::super::tests::{LOCAL, installed};
use crate::Gone;
use crate::sql::talk::{DEADLINE, ask, done, refused};
use crate::target::OpenOptions;
use history::SessionId;
use history::parallel::{Said, SeenKind, TxState};

#[test]
fn text_is_answered_with_tags_rows_codes_and_the_state_that_the_wire_tells() {
    if !installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let target = crate::open(LOCAL, &OpenOptions::new(folder.path(), "gmt")).unwrap();
    let sql = target.sql().unwrap();
    let mut one = sql.open(SessionId(1)).unwrap();
    let mut two = sql.open(SessionId(2)).unwrap();
    done(&mut one, "CREATE TABLE gmt_a (x int PRIMARY KEY, y text)");
    let copied = one.send("COPY gmt_a FROM STDIN", Some(b"1\tone\n2\t\\N\n"), true, DEADLINE);
    assert!(
        matches!(&copied.said, Said::Done { tag, affected: Some(2), .. } if tag == "COPY 2"),
        "{copied:?}"
    );
    let none = ask(&mut one, "COPY gmt_a FROM STDIN");
    assert_eq!(refused(&none), ("57014", TxState::Idle));
    for read in ["SELECT x, y FROM gmt_a ORDER BY x", "COPY gmt_a TO STDOUT"] {
        let Said::Done {
            rows: Some(table), ..
        } = done(&mut one, read).said
        else {
            panic!("it has rows")
        };
        assert_eq!((table.count, table.rows.len(), table.whole), (2, 2, true));
    }
    assert_eq!(done(&mut one, "BEGIN").state, TxState::Open);
    assert_eq!(refused(&ask(&mut one, "SELECT 1/0")), ("22012", TxState::Failed));
    assert_eq!(refused(&ask(&mut one, "SELECT 1")), ("25P02", TxState::Failed));
    let commit = done(&mut one, "COMMIT");
    assert!(matches!(&commit.said, Said::Done { tag, .. } if tag == "ROLLBACK"));
    assert_eq!(commit.state, TxState::Idle);
    // Who waits for whom, and what becomes of who is ended.
    done(&mut one, "BEGIN");
    done(&mut one, "LOCK TABLE gmt_a");
    let (waits, holds) = (two.identity(), one.identity());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| ask(&mut two, "SELECT * FROM gmt_a"));
        let blockers = loop {
            let seen = sql.waits(&waits).unwrap();
            if !seen.blockers.is_empty() {
                break seen.blockers;
            }
            std::thread::yield_now();
        };
        assert_eq!(blockers[0].process, holds.process);
        assert!(
            !blockers[0].server && blockers[0].words.contains("LOCK TABLE gmt_a"),
            "{blockers:?}"
        );
        assert!(target.control().unwrap().terminate(&waits).unwrap());
        let answer = waiting.join().unwrap();
        assert!(
            matches!(&answer.said, Said::Unknown { code, .. } if code == "57P01"),
            "{answer:?}"
        );
    });
    assert!(two.broken());
    while target.gone(&waits) != Gone::Gone {
        std::thread::yield_now();
    }
    assert!(sql.waits(&waits).unwrap().gone);
}

#[test]
fn everything_of_ours_is_listed_and_removed_and_nothing_of_a_guest() {
    if !installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let target = crate::open(LOCAL, &OpenOptions::new(folder.path(), "gmt")).unwrap();
    let sql = target.sql().unwrap();
    let mut session = sql.open(SessionId(1)).unwrap();
    for statement in [
        "CREATE TABLE guest (x int)",
        "CREATE TABLE gmtoo (x int)",
        "CREATE SCHEMA gmt_s",
        "CREATE TYPE gmt_e AS ENUM ('a')",
        "CREATE DOMAIN gmt_d AS int",
        "CREATE TABLE gmt_a (x int PRIMARY KEY, y gmt_e NOT NULL)",
        "CREATE TABLE gmt_s.t (x int REFERENCES gmt_a)",
        "CREATE VIEW gmt_v AS SELECT x FROM gmt_a",
        "CREATE MATERIALIZED VIEW gmt_m AS SELECT x FROM gmt_v",
        "CREATE VIEW gmt_w AS SELECT x FROM gmt_m",
        "CREATE SEQUENCE gmt_q",
        "CREATE FUNCTION gmt_f(int) RETURNS int LANGUAGE sql AS 'SELECT $1'",
        "CREATE FUNCTION gmt_g() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'",
        "CREATE TRIGGER gmt_t BEFORE INSERT ON gmt_a FOR EACH ROW EXECUTE FUNCTION gmt_g()",
        "CREATE TEMPORARY TABLE gmt_temp (x int)",
        "CREATE ROLE gmt_r",
    ] {
        done(&mut session, statement);
    }
    let seen = sql.catalog().unwrap();
    let has = |kind: SeenKind, namespace: &str, name: &str| {
        seen.objects
            .iter()
            .any(|o| o.kind == kind && o.namespace == namespace && o.name == name)
    };
    for (kind, namespace, name) in [
        (SeenKind::Schema, "", "gmt_s"),
        (SeenKind::Type, "", "gmt_e"),
        (SeenKind::Type, "", "gmt_d"),
        (SeenKind::Table, "", "gmt_a"),
        (SeenKind::Table, "gmt_s", "t"),
        (SeenKind::Index, "", "gmt_a_pkey"),
        (SeenKind::Constraint, "", "gmt_a_pkey"),
        (SeenKind::View, "", "gmt_v"),
        (SeenKind::MaterializedView, "", "gmt_m"),
        (SeenKind::Sequence, "", "gmt_q"),
        (SeenKind::Function, "", "gmt_f"),
        (SeenKind::Trigger, "", "gmt_t"),
        (SeenKind::Role, "", "gmt_r"),
    ] {
        assert!(has(kind, namespace, name), "{kind:?} {name}: {seen:?}");
    }
    assert!(seen.objects.iter().any(|o| o.temporary && o.name == "gmt_temp"));
    assert!(
        seen.objects
            .iter()
            .all(|o| o.name != "guest" && o.name != "gmtoo")
    );
    drop(session);
    let removed = target.cleanup().unwrap();
    assert!(removed.iter().any(|words| words == "role gmt_r"), "{removed:?}");
    let left: Vec<_> = sql
        .catalog()
        .unwrap()
        .objects
        .into_iter()
        .filter(|o| !o.temporary)
        .collect();
    assert_eq!(left, []);
    let mut session = sql.open(SessionId(1)).unwrap();
    done(&mut session, "SELECT * FROM guest, gmtoo");
    // What a guest put on ours stays, and is named.
    done(&mut session, "CREATE TABLE gmt_b (x int)");
    done(&mut session, "CREATE VIEW guests AS SELECT x FROM gmt_b");
    let error = target.cleanup().unwrap_err();
    assert!(error.complaint().what.contains("gmt_b"), "{error:?}");
    done(&mut session, "SELECT * FROM guests");
}
