//! What is sent, as a person reads it. Expectations rewrite themselves (UPDATE_EXPECT=1); read the diff.

use super::{Dialect, MARIADB, POSTGRES, SQLITE, Script, objects, text};
use crate::conformance::two_tables;
use crate::layout::Layout;
use crate::target::{OpenOptions, Request};
use expect_test::{Expect, expect};
use history::{Discipline, Level, Visit};

fn layout() -> Layout {
    let target = crate::open("sqlite::memory:", &OpenOptions::new("", "gm1")).unwrap();
    Layout::new(&two_tables(&*target), "gm1")
}

const STEPS: &str = "1: insert t0/0/3 c4=100 c5=2 c9=7; insert! t1/4/0 c3=9; upsert t0/0/4; upsert t0/1/4 c6=5 c7=1; \
                     update t0/0/4 c4=105 c10=8; delete t0/0/4 c4,c5; shared t0/2 c20=7 c21=null; delete t0/0/5; \
                     delete t0/0[1:0..2); delete t0/0(:1..]; delete t0/0; savepoint 1; rollback to 1; \
                     read t0/0 select c4,c9 where c4>=3,c5 is-null,c8<>4 order c2,-c3 limit 3 offset 1; \
                     read t0/{0,2}/{1,3} select c2; read t1/{0,5} select c4; read t0/* left-join group c7 with count,sum:c6 order c7; \
                     read t0/1 of-shared select c20; read t0/1 join distinct c4; \
                     read t1/3 aggregate min:c2,max:c2,count:c3 | commit";

fn check(dialect: &Dialect, expected: &Expect) {
    let layout = layout();
    let visit: Visit = STEPS.parse().unwrap_or_else(|e| panic!("{e}"));
    let begin = Request::Begin {
        level: Level::Serializable,
        writes: true,
    };
    let mut out = objects(dialect, &layout, Discipline::Ordered).join("\n");
    out.push('\n');
    for request in [begin].into_iter().chain(visit.steps.iter().map(Request::Step)) {
        let shown = text(dialect, &layout, &request);
        let mut script = Script::default();
        script.render(dialect, &layout, &request);
        assert_eq!(script.statements().len(), shown.len());
        for (statement, shown) in script.statements().iter().zip(&shown) {
            // D1: as many placeholders as values.
            let count = statement.sql.matches(dialect.placeholder).count();
            assert_eq!(statement.cells().count(), count, "{}", statement.sql);
            out.push_str(shown);
            out.push('\n');
        }
    }
    expected.assert_eq(&out);
}

#[test]
fn postgres_is_asked_in_its_own_words() {
    check(
        &POSTGRES,
        &expect![[r#"
        CREATE TABLE gm1_t0 (p0 text COLLATE "C" NOT NULL, p1 smallint NOT NULL, c0 integer NOT NULL, c1 text COLLATE "C" NOT NULL, v0 smallint, v1 text COLLATE "C", v2 numeric(12,3), v3 boolean, v4 double precision, "order" bytea, v6 uuid, PRIMARY KEY (p0, p1, c0, c1))
        CREATE TABLE gm1_t0_s (p0 text COLLATE "C" NOT NULL, p1 smallint NOT NULL, s0 timestamp, s1 bigint, PRIMARY KEY (p0, p1))
        CREATE INDEX gm1_t0_o ON gm1_t0 (p0, p1, c0 DESC, c1)
        CREATE INDEX gm1_t0_i0 ON gm1_t0 (v0)
        CREATE TABLE gm1_t1 (p0 date NOT NULL, p1 boolean NOT NULL, v0 smallint, v1 real, v2 time, PRIMARY KEY (p0, p1))
        BEGIN ISOLATION LEVEL SERIALIZABLE
        INSERT INTO gm1_t0 (p0, p1, c0, c1, v0, v1, "order") VALUES ('', -32768, 2147483647, 'aqk3E1Gc"T%m,*''L', -32668, ' ', '\x00000000000004'::bytea) ON CONFLICT DO NOTHING
        INSERT INTO gm1_t1 (p0, p1, v1) VALUES (date '9999-12-31', false, '-3.4028218e38'::real)
        INSERT INTO gm1_t0 (p0, p1, c0, c1) VALUES ('', -32768, 2147483647, 'kfqdgU6O3u') ON CONFLICT (p0, p1, c0, c1) DO UPDATE SET p0 = excluded.p0
        INSERT INTO gm1_t0 (p0, p1, c0, c1, v2, v3) VALUES ('', 32767, 2147483647, 'kfqdgU6O3u', -999999999.994, true) ON CONFLICT (p0, p1, c0, c1) DO UPDATE SET v2 = excluded.v2, v3 = excluded.v3
        UPDATE gm1_t0 SET v0 = -32663, v6 = '00000000-0000-4007-aff2-118402ff0790'::uuid WHERE p0 = '' AND p1 = -32768 AND c0 = 2147483647 AND c1 = 'kfqdgU6O3u'
        UPDATE gm1_t0 SET v0 = NULL, v1 = NULL WHERE p0 = '' AND p1 = -32768 AND c0 = 2147483647 AND c1 = 'kfqdgU6O3u'
        INSERT INTO gm1_t0_s (p0, p1, s0, s1) VALUES ('􏿿', -32768, timestamp '0001-01-01 00:00:00.000007', NULL) ON CONFLICT (p0, p1) DO UPDATE SET s0 = excluded.s0, s1 = excluded.s1
        DELETE FROM gm1_t0 WHERE p0 = '' AND p1 = -32768 AND c0 = 2147483647 AND c1 = ''
        DELETE FROM gm1_t0 WHERE p0 = '' AND p1 = -32768 AND c0 = 1 AND c1 >= '' AND c1 < 'NULL'
        DELETE FROM gm1_t0 WHERE p0 = '' AND p1 = -32768 AND c0 < 1
        DELETE FROM gm1_t0 WHERE p0 = '' AND p1 = -32768
        DELETE FROM gm1_t0_s WHERE p0 = '' AND p1 = -32768
        SAVEPOINT s1
        ROLLBACK TO SAVEPOINT s1
        SELECT v0, "order" FROM gm1_t0 WHERE p0 = '' AND p1 = -32768 AND v0 >= -32765 AND v1 IS NULL AND v4 <> '-1.7976931348623151e308'::double precision ORDER BY c0, c1 DESC LIMIT 3 OFFSET 1
        SELECT c0 FROM gm1_t0 WHERE (p0, p1) IN (('', -32768), ('􏿿', -32768)) AND (c0, c1) IN ((2147483647, 'A'), (2147483647, 'aqk3E1Gc"T%m,*''L'))
        SELECT v2 FROM gm1_t1 WHERE (p0, p1) IN ((date '0001-01-01', false), (date '9999-12-31', true))
        SELECT t.v3, count(*), sum(t.v2) FROM gm1_t0 t LEFT JOIN gm1_t0_s s ON s.p0 = t.p0 AND s.p1 = t.p1 GROUP BY t.v3 ORDER BY t.v3
        SELECT s0 FROM gm1_t0_s WHERE p0 = '' AND p1 = 32767
        SELECT DISTINCT t.v0 FROM gm1_t0 t JOIN gm1_t0_s s ON s.p0 = t.p0 AND s.p1 = t.p1 WHERE t.p0 = '' AND t.p1 = 32767
        SELECT min(v0), max(v0), count(v1) FROM gm1_t1 WHERE p0 = date '6364-05-31' AND p1 = true
    "#]],
    );
}

#[test]
fn sqlite_is_asked_in_its_own_words() {
    check(
        &SQLITE,
        &expect![[r#"
        CREATE TABLE gm1_t0 (p0 TEXT COLLATE BINARY NOT NULL, p1 INTEGER NOT NULL, c0 INTEGER NOT NULL, c1 TEXT COLLATE BINARY NOT NULL, v0 INTEGER, v1 TEXT COLLATE BINARY, v2 INTEGER, v3 INTEGER, v4 REAL, "order" BLOB, v6 BLOB, PRIMARY KEY (p0, p1, c0 DESC, c1)) STRICT, WITHOUT ROWID
        CREATE TABLE gm1_t0_s (p0 TEXT COLLATE BINARY NOT NULL, p1 INTEGER NOT NULL, s0 INTEGER, s1 INTEGER, PRIMARY KEY (p0, p1)) STRICT, WITHOUT ROWID
        CREATE INDEX gm1_t0_i0 ON gm1_t0 (v0)
        CREATE TABLE gm1_t1 (p0 INTEGER NOT NULL, p1 INTEGER NOT NULL, v0 INTEGER, v1 REAL, v2 INTEGER, PRIMARY KEY (p0, p1)) STRICT
        BEGIN IMMEDIATE
        INSERT INTO gm1_t0 (p0, p1, c0, c1, v0, v1, "order") VALUES ('', -32768, 2147483647, 'aqk3E1Gc"T%m,*''L', -32668, ' ', x'00000000000004') ON CONFLICT DO NOTHING
        INSERT INTO gm1_t1 (p0, p1, v1) VALUES (2932896, 0, -3.4028218437925203e38)
        INSERT INTO gm1_t0 (p0, p1, c0, c1) VALUES ('', -32768, 2147483647, 'kfqdgU6O3u') ON CONFLICT (p0, p1, c0, c1) DO UPDATE SET p0 = excluded.p0
        INSERT INTO gm1_t0 (p0, p1, c0, c1, v2, v3) VALUES ('', 32767, 2147483647, 'kfqdgU6O3u', -999999999994, 1) ON CONFLICT (p0, p1, c0, c1) DO UPDATE SET v2 = excluded.v2, v3 = excluded.v3
        UPDATE gm1_t0 SET v0 = -32663, v6 = x'0000000000004007aff2118402ff0790' WHERE p0 = '' AND p1 = -32768 AND c0 = 2147483647 AND c1 = 'kfqdgU6O3u'
        UPDATE gm1_t0 SET v0 = NULL, v1 = NULL WHERE p0 = '' AND p1 = -32768 AND c0 = 2147483647 AND c1 = 'kfqdgU6O3u'
        INSERT INTO gm1_t0_s (p0, p1, s0, s1) VALUES ('􏿿', -32768, -62135596799999993, NULL) ON CONFLICT (p0, p1) DO UPDATE SET s0 = excluded.s0, s1 = excluded.s1
        DELETE FROM gm1_t0 WHERE p0 = '' AND p1 = -32768 AND c0 = 2147483647 AND c1 = ''
        DELETE FROM gm1_t0 WHERE p0 = '' AND p1 = -32768 AND c0 = 1 AND c1 >= '' AND c1 < 'NULL'
        DELETE FROM gm1_t0 WHERE p0 = '' AND p1 = -32768 AND c0 < 1
        DELETE FROM gm1_t0 WHERE p0 = '' AND p1 = -32768
        DELETE FROM gm1_t0_s WHERE p0 = '' AND p1 = -32768
        SAVEPOINT s1
        ROLLBACK TO SAVEPOINT s1
        SELECT v0, "order" FROM gm1_t0 WHERE p0 = '' AND p1 = -32768 AND v0 >= -32765 AND v1 IS NULL AND v4 <> -1.7976931348623151e308 ORDER BY c0, c1 DESC LIMIT 3 OFFSET 1
        SELECT c0 FROM gm1_t0 WHERE (p0, p1) IN (VALUES ('', -32768), ('􏿿', -32768)) AND (c0, c1) IN (VALUES (2147483647, 'A'), (2147483647, 'aqk3E1Gc"T%m,*''L'))
        SELECT v2 FROM gm1_t1 WHERE (p0, p1) IN (VALUES (-719162, 0), (2932896, 1))
        SELECT t.v3, count(*), sum(t.v2) FROM gm1_t0 t LEFT JOIN gm1_t0_s s ON s.p0 = t.p0 AND s.p1 = t.p1 GROUP BY t.v3 ORDER BY t.v3
        SELECT s0 FROM gm1_t0_s WHERE p0 = '' AND p1 = 32767
        SELECT DISTINCT t.v0 FROM gm1_t0 t JOIN gm1_t0_s s ON s.p0 = t.p0 AND s.p1 = t.p1 WHERE t.p0 = '' AND t.p1 = 32767
        SELECT min(v0), max(v0), count(v1) FROM gm1_t1 WHERE p0 = 1605026 AND p1 = 1
    "#]],
    );
}

#[test]
fn mariadb_is_asked_in_its_own_words() {
    check(
        &MARIADB,
        &expect![[r#"
        CREATE TABLE gm1_t0 (p0 text CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL, p1 smallint NOT NULL, c0 int NOT NULL, c1 text CHARACTER SET ascii COLLATE ascii_nopad_bin NOT NULL, v0 smallint, v1 text CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin, v2 decimal(12,3), v3 tinyint, v4 double, "order" blob, v6 binary(16), PRIMARY KEY (p0(100), p1, c0 DESC, c1(100))) ENGINE=InnoDB ROW_FORMAT=DYNAMIC
        CREATE TABLE gm1_t0_s (p0 text CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL, p1 smallint NOT NULL, s0 datetime(6), s1 bigint, PRIMARY KEY (p0(100), p1)) ENGINE=InnoDB ROW_FORMAT=DYNAMIC
        CREATE INDEX gm1_t0_i0 ON gm1_t0 (v0)
        CREATE TABLE gm1_t1 (p0 date NOT NULL, p1 tinyint NOT NULL, v0 tinyint, v1 float, v2 time(6), PRIMARY KEY (p0, p1)) ENGINE=InnoDB ROW_FORMAT=COMPRESSED
        SET TRANSACTION ISOLATION LEVEL SERIALIZABLE
        START TRANSACTION READ WRITE
        INSERT IGNORE INTO gm1_t0 (p0, p1, c0, c1, v0, v1, "order") VALUES ('', -32768, 2147483647, 'aqk3E1Gc"T%m,*''L', -32668, ' ', x'00000000000004')
        INSERT INTO gm1_t1 (p0, p1, v1) VALUES (date '9999-12-31', 0, -3.4028218437925203e38)
        INSERT INTO gm1_t0 (p0, p1, c0, c1) VALUES ('', -32768, 2147483647, 'kfqdgU6O3u') ON DUPLICATE KEY UPDATE p0 = VALUES(p0)
        INSERT INTO gm1_t0 (p0, p1, c0, c1, v2, v3) VALUES ('', 32767, 2147483647, 'kfqdgU6O3u', -999999999.994, 1) ON DUPLICATE KEY UPDATE v2 = VALUES(v2), v3 = VALUES(v3)
        UPDATE gm1_t0 SET v0 = -32663, v6 = x'0000000000004007aff2118402ff0790' WHERE p0 = '' AND p1 = -32768 AND c0 = 2147483647 AND c1 = 'kfqdgU6O3u'
        UPDATE gm1_t0 SET v0 = NULL, v1 = NULL WHERE p0 = '' AND p1 = -32768 AND c0 = 2147483647 AND c1 = 'kfqdgU6O3u'
        INSERT INTO gm1_t0_s (p0, p1, s0, s1) VALUES ('􏿿', -32768, timestamp '0001-01-01 00:00:00.000007', NULL) ON DUPLICATE KEY UPDATE s0 = VALUES(s0), s1 = VALUES(s1)
        DELETE FROM gm1_t0 WHERE p0 = '' AND p1 = -32768 AND c0 = 2147483647 AND c1 = ''
        DELETE FROM gm1_t0 WHERE p0 = '' AND p1 = -32768 AND c0 = 1 AND c1 >= '' AND c1 < 'NULL'
        DELETE FROM gm1_t0 WHERE p0 = '' AND p1 = -32768 AND c0 < 1
        DELETE FROM gm1_t0 WHERE p0 = '' AND p1 = -32768
        DELETE FROM gm1_t0_s WHERE p0 = '' AND p1 = -32768
        SAVEPOINT s1
        ROLLBACK TO SAVEPOINT s1
        SELECT v0, "order" FROM gm1_t0 WHERE p0 = '' AND p1 = -32768 AND v0 >= -32765 AND v1 IS NULL AND v4 <> -1.7976931348623151e308 ORDER BY c0, c1 DESC LIMIT 3 OFFSET 1
        SELECT c0 FROM gm1_t0 WHERE (p0, p1) IN (('', -32768), ('􏿿', -32768)) AND (c0, c1) IN ((2147483647, 'A'), (2147483647, 'aqk3E1Gc"T%m,*''L'))
        SELECT v2 FROM gm1_t1 WHERE (p0, p1) IN ((date '0001-01-01', 0), (date '9999-12-31', 1))
        SELECT t.v3, count(*), sum(t.v2) FROM gm1_t0 t LEFT JOIN gm1_t0_s s ON s.p0 = t.p0 AND s.p1 = t.p1 GROUP BY t.v3 ORDER BY t.v3
        SELECT s0 FROM gm1_t0_s WHERE p0 = '' AND p1 = 32767
        SELECT DISTINCT t.v0 FROM gm1_t0 t JOIN gm1_t0_s s ON s.p0 = t.p0 AND s.p1 = t.p1 WHERE t.p0 = '' AND t.p1 = 32767
        SELECT min(v0), max(v0), count(v1) FROM gm1_t1 WHERE p0 = date '6364-05-31' AND p1 = 1
    "#]],
    );
}

#[test]
fn digests_tell_statements_and_values_apart() {
    let layout = layout();
    let digest = |visit: &str| {
        let visit: Visit = visit.parse().unwrap();
        let mut script = Script::default();
        script.render(&POSTGRES, &layout, &Request::Step(&visit.steps[0]));
        script.digest()
    };
    let all = [
        "update t0/0/4 c4=1",
        "update t0/0/4 c4=2",
        "update t0/0/5 c4=1",
        "upsert t0/0/4 c4=1",
        "update t0/0/4 c4=null",
    ];
    let digests: Vec<u64> = all
        .iter()
        .map(|step| digest(&format!("1: {step} | auto")))
        .collect();
    let mut unique = digests.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), all.len());
    assert_eq!(digests[0], digest("1: update t0/0/4 c4=1 | auto"));
}

#[test]
fn literals_are_quoted_as_each_dialect_wants() {
    use crate::cell::Cell;
    let check = |cell: Cell<'_>, postgres: &str, sqlite: &str| {
        for (dialect, expected) in [(&POSTGRES, postgres), (&SQLITE, sqlite)] {
            let mut out = String::new();
            (dialect.literal)(cell, &mut out);
            assert_eq!(out, expected, "{cell:?}");
        }
    };
    check(Cell::Null, "NULL", "NULL");
    check(Cell::Bool(true), "true", "1");
    check(
        Cell::Text("it's \\ \"so\""),
        "'it''s \\ \"so\"'",
        "'it''s \\ \"so\"'",
    );
    check(Cell::Bytes(&[0, 255]), "'\\x00ff'::bytea", "x'00ff'");
    check(Cell::Numeric(-15, 3), "-0.015", "-15");
    check(
        Cell::Float64(f64::INFINITY),
        "'Infinity'::double precision",
        "9e999",
    );
    check(Cell::Float32(0.1), "'0.1'::real", "0.10000000149011612");
    check(Cell::Date(0), "date '1970-01-01'", "0");
    check(Cell::Date(-719_529), "date '0002-12-31 BC'", "-719529");
    check(Cell::Time(1), "time '00:00:00.000001'", "1");
    check(Cell::TimestampTz(0), "timestamptz '1970-01-01 00:00:00+00'", "0");
}

/// The requests of [`STEPS`] with other values.
const OTHERS: &str = "1: insert t0/0/4 c4=101 c5=3 c9=8; insert! t1/3/0 c3=8; upsert t0/1/5; upsert t0/0/3 c6=null c7=0; \
                      update t0/1/3 c4=null c10=9; delete t0/1/3 c4,c5; shared t0/1 c20=null c21=4; delete t0/1/4; \
                      delete t0/1[0:1..3); delete t0/1(:0..]; delete t0/1; savepoint 1; rollback to 1; \
                      read t0/1 select c4,c9 where c4>=1,c5 is-null,c8<>2 order c2,-c3 limit 7 offset 2; \
                      read t0/{1,3}/{0,2} select c2; read t1/{1,4} select c4; \
                      read t0/* left-join group c7 with count,sum:c6 order c7; \
                      read t0/0 of-shared select c20; read t0/2 join distinct c4; \
                      read t1/2 aggregate min:c2,max:c2,count:c3; read t1/2 aggregate min:c2,max:c2,count:c2; \
                      delete t0/1[0:1..3]; delete t0/1(:0..); read t0/1 select c4,c9 order c2 limit 7 | commit";

#[test]
fn a_text_written_once_for_its_shape_is_the_text_written_anew() {
    let layout = layout();
    for dialect in [&SQLITE, &POSTGRES, &MARIADB] {
        let mut session = Script::default();
        for visit in [STEPS, OTHERS, STEPS, OTHERS] {
            let visit: Visit = visit.parse().unwrap_or_else(|e| panic!("{e}"));
            let begin = |writes| Request::Begin {
                level: Level::Serializable,
                writes,
            };
            let steps = visit.steps.iter().map(Request::Step);
            let ends = [Request::Commit, begin(false), Request::Rollback];
            for request in [begin(true)].into_iter().chain(steps).chain(ends) {
                let mut anew = Script::default();
                anew.render(dialect, &layout, &request);
                session.render_next(dialect, &layout, &request);
                assert_eq!(session.statements(), anew.statements());
                assert_eq!(session.digest(), anew.digest());
            }
        }
    }
}

const STAMPED: &str = "1: upsert t0/0/3 c4=100 c8=2; upsert t1/4/0; update t0/0/4 c5=null; shared t0/2 c20=7; delete t0/0/4 c4,c5; \
                       delete t0/0/5; delete t1/3/0; delete t0/0[1:0..2); delete t0/0(:1..]; delete t0/0; \
                       read t0/0 select c2,c4 order c2,-c3 stamps; read t0/0 select c2,c20,c4 limit 3 stamps; \
                       read t0/0 select c2,c20 where c4>=1; read t0/{0,2} select c20 stamps; read t0/0 aggregate count,max:c21; \
                       read t0/{0,1} select c3 where c4>=1 order -c2,c3 limit 5 per-partition 2 page 3; \
                       read t0/0/3 select c20,c21,c4 | batch at 77 quorum node 3";

fn check_stamped(dialect: &Dialect, expected: &Expect) {
    let layout = layout();
    let visit: Visit = STAMPED.parse().unwrap_or_else(|e| panic!("{e}"));
    let mut out = objects(dialect, &layout, Discipline::Lww).join("\n");
    out.push('\n');
    let alone = visit.steps.iter().map(|step| Request::alone(&visit, step));
    let batch = Request::Stamped {
        steps: &visit.steps[..6],
        stamp: visit.stamp.as_ref().unwrap(),
        batch: Some(true),
    };
    let mut session = Script::default();
    for request in alone.chain([batch]) {
        let shown = text(dialect, &layout, &request);
        let mut script = Script::default();
        script.render(dialect, &layout, &request);
        for _ in 0..2 {
            session.render_next(dialect, &layout, &request);
            assert_eq!(session.statements(), script.statements());
        }
        for (statement, shown) in script.statements().iter().zip(&shown) {
            let count = statement.sql.matches(dialect.placeholder).count();
            assert_eq!(statement.cells().count(), count, "{}", statement.sql);
            out.push_str(shown);
            out.push('\n');
        }
    }
    expected.assert_eq(&out);
}

#[test]
fn sqlite_is_told_timestamps_in_its_own_words() {
    check_stamped(
        &SQLITE,
        &expect![[r#"
            CREATE TABLE gm1_t0 (p0 TEXT COLLATE BINARY NOT NULL, p1 INTEGER NOT NULL, c0 INTEGER NOT NULL, c1 TEXT COLLATE BINARY NOT NULL, "live_ts" INTEGER, v0 INTEGER, v0_ts INTEGER, v1 TEXT COLLATE BINARY, v1_ts INTEGER, v2 INTEGER, v2_ts INTEGER, v3 INTEGER, v3_ts INTEGER, v4 REAL, v4_ts INTEGER, "order" BLOB, "order_ts" INTEGER, v6 BLOB, v6_ts INTEGER, PRIMARY KEY (p0, p1, c0 DESC, c1)) STRICT, WITHOUT ROWID
            CREATE TABLE gm1_t0_s (p0 TEXT COLLATE BINARY NOT NULL, p1 INTEGER NOT NULL, s0 INTEGER, s0_ts INTEGER, s1 INTEGER, s1_ts INTEGER, PRIMARY KEY (p0, p1)) STRICT, WITHOUT ROWID
            CREATE TABLE gm1_t0_tombs (p0 TEXT COLLATE BINARY NOT NULL, p1 INTEGER NOT NULL, "what" TEXT COLLATE BINARY NOT NULL, c0_from INTEGER, c0_from_in INTEGER, c0_to INTEGER, c0_to_in INTEGER, c1_from TEXT COLLATE BINARY, c1_from_in INTEGER, c1_to TEXT COLLATE BINARY, c1_to_in INTEGER, "ts" INTEGER NOT NULL, PRIMARY KEY (p0, p1, "what")) STRICT, WITHOUT ROWID
            CREATE VIEW gm1_t0_live AS SELECT p0, p1, c0, c1, CASE WHEN v0_ts > "dead_ts" THEN v0 END AS v0, CASE WHEN v0_ts > "dead_ts" AND v0 IS NOT NULL THEN v0_ts END AS v0_ts, CASE WHEN v1_ts > "dead_ts" THEN v1 END AS v1, CASE WHEN v1_ts > "dead_ts" AND v1 IS NOT NULL THEN v1_ts END AS v1_ts, CASE WHEN v2_ts > "dead_ts" THEN v2 END AS v2, CASE WHEN v2_ts > "dead_ts" AND v2 IS NOT NULL THEN v2_ts END AS v2_ts, CASE WHEN v3_ts > "dead_ts" THEN v3 END AS v3, CASE WHEN v3_ts > "dead_ts" AND v3 IS NOT NULL THEN v3_ts END AS v3_ts, CASE WHEN v4_ts > "dead_ts" THEN v4 END AS v4, CASE WHEN v4_ts > "dead_ts" AND v4 IS NOT NULL THEN v4_ts END AS v4_ts, CASE WHEN "order_ts" > "dead_ts" THEN "order" END AS "order", CASE WHEN "order_ts" > "dead_ts" AND "order" IS NOT NULL THEN "order_ts" END AS "order_ts", CASE WHEN v6_ts > "dead_ts" THEN v6 END AS v6, CASE WHEN v6_ts > "dead_ts" AND v6 IS NOT NULL THEN v6_ts END AS v6_ts FROM (SELECT t.p0, t.p1, t.c0, t.c1, t."live_ts", t.v0, t.v0_ts, t.v1, t.v1_ts, t.v2, t.v2_ts, t.v3, t.v3_ts, t.v4, t.v4_ts, t."order", t."order_ts", t.v6, t.v6_ts, coalesce(max(d."ts"), -9223372036854775807 - 1) AS "dead_ts" FROM gm1_t0 t LEFT JOIN gm1_t0_tombs d ON d.p0 = t.p0 AND d.p1 = t.p1 AND (d.c0_from IS NULL OR t.c0 > d.c0_from OR (t.c0 = d.c0_from AND d.c0_from_in = 1)) AND (d.c0_to IS NULL OR t.c0 < d.c0_to OR (t.c0 = d.c0_to AND d.c0_to_in = 1)) AND (d.c1_from IS NULL OR t.c1 > d.c1_from OR (t.c1 = d.c1_from AND d.c1_from_in = 1)) AND (d.c1_to IS NULL OR t.c1 < d.c1_to OR (t.c1 = d.c1_to AND d.c1_to_in = 1)) GROUP BY t.p0, t.p1, t.c0, t.c1) x WHERE "live_ts" > "dead_ts" OR (v0_ts > "dead_ts" AND v0 IS NOT NULL) OR (v1_ts > "dead_ts" AND v1 IS NOT NULL) OR (v2_ts > "dead_ts" AND v2 IS NOT NULL) OR (v3_ts > "dead_ts" AND v3 IS NOT NULL) OR (v4_ts > "dead_ts" AND v4 IS NOT NULL) OR ("order_ts" > "dead_ts" AND "order" IS NOT NULL) OR (v6_ts > "dead_ts" AND v6 IS NOT NULL)
            CREATE VIEW gm1_t0_live_s AS SELECT s.p0, s.p1, CASE WHEN s.s0_ts > coalesce(d."ts", -9223372036854775807 - 1) THEN s.s0 END AS s0, CASE WHEN s.s0_ts > coalesce(d."ts", -9223372036854775807 - 1) AND s.s0 IS NOT NULL THEN s.s0_ts END AS s0_ts, CASE WHEN s.s1_ts > coalesce(d."ts", -9223372036854775807 - 1) THEN s.s1 END AS s1, CASE WHEN s.s1_ts > coalesce(d."ts", -9223372036854775807 - 1) AND s.s1 IS NOT NULL THEN s.s1_ts END AS s1_ts FROM gm1_t0_s s LEFT JOIN gm1_t0_tombs d ON d.p0 = s.p0 AND d.p1 = s.p1 AND d."what" = 'partition' WHERE (s.s0_ts > coalesce(d."ts", -9223372036854775807 - 1) AND s.s0 IS NOT NULL) OR (s.s1_ts > coalesce(d."ts", -9223372036854775807 - 1) AND s.s1 IS NOT NULL)
            CREATE VIEW gm1_t0_all AS SELECT r.p0, r.p1, r.c0, r.c1, r.v0, r.v0_ts, r.v1, r.v1_ts, r.v2, r.v2_ts, r.v3, r.v3_ts, r.v4, r.v4_ts, r."order", r."order_ts", r.v6, r.v6_ts, CASE WHEN s.s0_ts > coalesce(d."ts", -9223372036854775807 - 1) THEN s.s0 END AS s0, CASE WHEN s.s0_ts > coalesce(d."ts", -9223372036854775807 - 1) AND s.s0 IS NOT NULL THEN s.s0_ts END AS s0_ts, CASE WHEN s.s1_ts > coalesce(d."ts", -9223372036854775807 - 1) THEN s.s1 END AS s1, CASE WHEN s.s1_ts > coalesce(d."ts", -9223372036854775807 - 1) AND s.s1 IS NOT NULL THEN s.s1_ts END AS s1_ts, 1 AS row_1 FROM gm1_t0_live r LEFT JOIN gm1_t0_s s ON s.p0 = r.p0 AND s.p1 = r.p1 LEFT JOIN gm1_t0_tombs d ON d.p0 = r.p0 AND d.p1 = r.p1 AND d."what" = 'partition' UNION ALL SELECT s.p0, s.p1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, s.s0, s.s0_ts, s.s1, s.s1_ts, NULL FROM gm1_t0_live_s s WHERE NOT EXISTS (SELECT 1 FROM gm1_t0_live r WHERE s.p0 = r.p0 AND s.p1 = r.p1)
            CREATE INDEX gm1_t0_i0 ON gm1_t0 (v0)
            CREATE TABLE gm1_t1 (p0 INTEGER NOT NULL, p1 INTEGER NOT NULL, "live_ts" INTEGER, v0 INTEGER, v0_ts INTEGER, v1 REAL, v1_ts INTEGER, v2 INTEGER, v2_ts INTEGER, PRIMARY KEY (p0, p1)) STRICT
            CREATE TABLE gm1_t1_tombs (p0 INTEGER NOT NULL, p1 INTEGER NOT NULL, "what" TEXT COLLATE BINARY NOT NULL, "ts" INTEGER NOT NULL, PRIMARY KEY (p0, p1, "what")) STRICT
            CREATE VIEW gm1_t1_live AS SELECT p0, p1, CASE WHEN v0_ts > "dead_ts" THEN v0 END AS v0, CASE WHEN v0_ts > "dead_ts" AND v0 IS NOT NULL THEN v0_ts END AS v0_ts, CASE WHEN v1_ts > "dead_ts" THEN v1 END AS v1, CASE WHEN v1_ts > "dead_ts" AND v1 IS NOT NULL THEN v1_ts END AS v1_ts, CASE WHEN v2_ts > "dead_ts" THEN v2 END AS v2, CASE WHEN v2_ts > "dead_ts" AND v2 IS NOT NULL THEN v2_ts END AS v2_ts FROM (SELECT t.p0, t.p1, t."live_ts", t.v0, t.v0_ts, t.v1, t.v1_ts, t.v2, t.v2_ts, coalesce(max(d."ts"), -9223372036854775807 - 1) AS "dead_ts" FROM gm1_t1 t LEFT JOIN gm1_t1_tombs d ON d.p0 = t.p0 AND d.p1 = t.p1 GROUP BY t.p0, t.p1) x WHERE "live_ts" > "dead_ts" OR (v0_ts > "dead_ts" AND v0 IS NOT NULL) OR (v1_ts > "dead_ts" AND v1 IS NOT NULL) OR (v2_ts > "dead_ts" AND v2 IS NOT NULL)
            INSERT INTO gm1_t0 AS t (p0, p1, c0, c1, "live_ts", v0, v0_ts, v4, v4_ts) VALUES ('', -32768, 2147483647, 'aqk3E1Gc"T%m,*''L', 77, -32668, 77, -1.7976931348623155e308, 77) ON CONFLICT (p0, p1, c0, c1) DO UPDATE SET "live_ts" = CASE WHEN t."live_ts" > excluded."live_ts" THEN t."live_ts" ELSE excluded."live_ts" END, v0 = CASE WHEN t.v0_ts IS NULL OR excluded.v0_ts > t.v0_ts OR (excluded.v0_ts = t.v0_ts AND (excluded.v0 IS NULL OR excluded.v0 > t.v0)) THEN excluded.v0 ELSE t.v0 END, v0_ts = CASE WHEN t.v0_ts > excluded.v0_ts THEN t.v0_ts ELSE excluded.v0_ts END, v4 = CASE WHEN t.v4_ts IS NULL OR excluded.v4_ts > t.v4_ts OR (excluded.v4_ts = t.v4_ts AND (excluded.v4 IS NULL OR excluded.v4 > t.v4)) THEN excluded.v4 ELSE t.v4 END, v4_ts = CASE WHEN t.v4_ts > excluded.v4_ts THEN t.v4_ts ELSE excluded.v4_ts END
            INSERT INTO gm1_t1 AS t (p0, p1, "live_ts") VALUES (2932896, 0, 77) ON CONFLICT (p0, p1) DO UPDATE SET "live_ts" = CASE WHEN t."live_ts" > excluded."live_ts" THEN t."live_ts" ELSE excluded."live_ts" END
            INSERT INTO gm1_t0 AS t (p0, p1, c0, c1, v1, v1_ts) VALUES ('', -32768, 2147483647, 'kfqdgU6O3u', NULL, 77) ON CONFLICT (p0, p1, c0, c1) DO UPDATE SET v1 = CASE WHEN t.v1_ts IS NULL OR excluded.v1_ts > t.v1_ts OR (excluded.v1_ts = t.v1_ts AND (excluded.v1 IS NULL OR excluded.v1 > t.v1)) THEN excluded.v1 ELSE t.v1 END, v1_ts = CASE WHEN t.v1_ts > excluded.v1_ts THEN t.v1_ts ELSE excluded.v1_ts END
            INSERT INTO gm1_t0_s AS t (p0, p1, s0, s0_ts) VALUES ('􏿿', -32768, -62135596799999993, 77) ON CONFLICT (p0, p1) DO UPDATE SET s0 = CASE WHEN t.s0_ts IS NULL OR excluded.s0_ts > t.s0_ts OR (excluded.s0_ts = t.s0_ts AND (excluded.s0 IS NULL OR excluded.s0 > t.s0)) THEN excluded.s0 ELSE t.s0 END, s0_ts = CASE WHEN t.s0_ts > excluded.s0_ts THEN t.s0_ts ELSE excluded.s0_ts END
            INSERT INTO gm1_t0 AS t (p0, p1, c0, c1, v0, v0_ts, v1, v1_ts) VALUES ('', -32768, 2147483647, 'kfqdgU6O3u', NULL, 77, NULL, 77) ON CONFLICT (p0, p1, c0, c1) DO UPDATE SET v0 = CASE WHEN t.v0_ts IS NULL OR excluded.v0_ts > t.v0_ts OR (excluded.v0_ts = t.v0_ts AND (excluded.v0 IS NULL OR excluded.v0 > t.v0)) THEN excluded.v0 ELSE t.v0 END, v0_ts = CASE WHEN t.v0_ts > excluded.v0_ts THEN t.v0_ts ELSE excluded.v0_ts END, v1 = CASE WHEN t.v1_ts IS NULL OR excluded.v1_ts > t.v1_ts OR (excluded.v1_ts = t.v1_ts AND (excluded.v1 IS NULL OR excluded.v1 > t.v1)) THEN excluded.v1 ELSE t.v1 END, v1_ts = CASE WHEN t.v1_ts > excluded.v1_ts THEN t.v1_ts ELSE excluded.v1_ts END
            INSERT INTO gm1_t0_tombs AS t (p0, p1, "what", "ts", c0_from, c0_from_in, c0_to, c0_to_in, c1_from, c1_from_in, c1_to, c1_to_in) VALUES ('', -32768, 'row 5', 77, 2147483647, 1, 2147483647, 1, '', 1, '', 1) ON CONFLICT (p0, p1, "what") DO UPDATE SET "ts" = CASE WHEN t."ts" > excluded."ts" THEN t."ts" ELSE excluded."ts" END
            INSERT INTO gm1_t1_tombs AS t (p0, p1, "what", "ts") VALUES (1605026, 1, 'row 0', 77) ON CONFLICT (p0, p1, "what") DO UPDATE SET "ts" = CASE WHEN t."ts" > excluded."ts" THEN t."ts" ELSE excluded."ts" END
            INSERT INTO gm1_t0_tombs AS t (p0, p1, "what", "ts", c0_from, c0_from_in, c0_to, c0_to_in, c1_from, c1_from_in, c1_to, c1_to_in) VALUES ('', -32768, 'slice =1 >=0 <2', 77, 1, 1, 1, 1, '', 1, 'NULL', 0) ON CONFLICT (p0, p1, "what") DO UPDATE SET "ts" = CASE WHEN t."ts" > excluded."ts" THEN t."ts" ELSE excluded."ts" END
            INSERT INTO gm1_t0_tombs AS t (p0, p1, "what", "ts", c0_to, c0_to_in) VALUES ('', -32768, 'slice >1', 77, 1, 0) ON CONFLICT (p0, p1, "what") DO UPDATE SET "ts" = CASE WHEN t."ts" > excluded."ts" THEN t."ts" ELSE excluded."ts" END
            INSERT INTO gm1_t0_tombs AS t (p0, p1, "what", "ts") VALUES ('', -32768, 'partition', 77) ON CONFLICT (p0, p1, "what") DO UPDATE SET "ts" = CASE WHEN t."ts" > excluded."ts" THEN t."ts" ELSE excluded."ts" END
            SELECT c0, v0, v0_ts FROM gm1_t0_all x WHERE p0 = '' AND p1 = -32768 ORDER BY c0, c1 DESC
            SELECT c0, s0, v0, s0_ts, v0_ts FROM gm1_t0_all x WHERE p0 = '' AND p1 = -32768 LIMIT 3
            SELECT c0, s0 FROM (SELECT * FROM gm1_t0_all WHERE row_1 = 1) x WHERE p0 = '' AND p1 = -32768 AND v0 >= -32767
            SELECT s0, s0_ts FROM gm1_t0_all x WHERE ((p0 = '' AND p1 = -32768) OR (p0 = '􏿿' AND p1 = -32768))
            SELECT count(*), max(s1) FROM gm1_t0_all x WHERE p0 = '' AND p1 = -32768
            SELECT c1 FROM (SELECT x.*, row_number() OVER (PARTITION BY p0, p1 ORDER BY c0 DESC, c1) AS "nth" FROM gm1_t0_live x WHERE ((p0 = '' AND p1 = -32768) OR (p0 = '' AND p1 = 32767)) AND v0 >= -32767) y WHERE "nth" <= 2 ORDER BY c0 DESC, c1 LIMIT 5
            SELECT s0, s1, v0 FROM (SELECT * FROM gm1_t0_all WHERE row_1 = 1) x WHERE p0 = '' AND p1 = -32768 AND c0 = 2147483647 AND c1 = 'aqk3E1Gc"T%m,*''L'
            BEGIN IMMEDIATE
            INSERT INTO gm1_t0_s AS t (p0, p1, s0, s0_ts) VALUES ('􏿿', -32768, -62135596799999993, 77) ON CONFLICT (p0, p1) DO UPDATE SET s0 = CASE WHEN t.s0_ts IS NULL OR excluded.s0_ts > t.s0_ts OR (excluded.s0_ts = t.s0_ts AND (excluded.s0 IS NULL OR excluded.s0 > t.s0)) THEN excluded.s0 ELSE t.s0 END, s0_ts = CASE WHEN t.s0_ts > excluded.s0_ts THEN t.s0_ts ELSE excluded.s0_ts END
            INSERT INTO gm1_t1 AS t (p0, p1, "live_ts") VALUES (2932896, 0, 77) ON CONFLICT (p0, p1) DO UPDATE SET "live_ts" = CASE WHEN t."live_ts" > excluded."live_ts" THEN t."live_ts" ELSE excluded."live_ts" END
            INSERT INTO gm1_t0 AS t (p0, p1, c0, c1, "live_ts", v0, v0_ts, v4, v4_ts) VALUES ('', -32768, 2147483647, 'aqk3E1Gc"T%m,*''L', 77, -32668, 77, -1.7976931348623155e308, 77) ON CONFLICT (p0, p1, c0, c1) DO UPDATE SET "live_ts" = CASE WHEN t."live_ts" > excluded."live_ts" THEN t."live_ts" ELSE excluded."live_ts" END, v0 = CASE WHEN t.v0_ts IS NULL OR excluded.v0_ts > t.v0_ts OR (excluded.v0_ts = t.v0_ts AND (excluded.v0 IS NULL OR excluded.v0 > t.v0)) THEN excluded.v0 ELSE t.v0 END, v0_ts = CASE WHEN t.v0_ts > excluded.v0_ts THEN t.v0_ts ELSE excluded.v0_ts END, v4 = CASE WHEN t.v4_ts IS NULL OR excluded.v4_ts > t.v4_ts OR (excluded.v4_ts = t.v4_ts AND (excluded.v4 IS NULL OR excluded.v4 > t.v4)) THEN excluded.v4 ELSE t.v4 END, v4_ts = CASE WHEN t.v4_ts > excluded.v4_ts THEN t.v4_ts ELSE excluded.v4_ts END
            INSERT INTO gm1_t0 AS t (p0, p1, c0, c1, v1, v1_ts) VALUES ('', -32768, 2147483647, 'kfqdgU6O3u', NULL, 77) ON CONFLICT (p0, p1, c0, c1) DO UPDATE SET v1 = CASE WHEN t.v1_ts IS NULL OR excluded.v1_ts > t.v1_ts OR (excluded.v1_ts = t.v1_ts AND (excluded.v1 IS NULL OR excluded.v1 > t.v1)) THEN excluded.v1 ELSE t.v1 END, v1_ts = CASE WHEN t.v1_ts > excluded.v1_ts THEN t.v1_ts ELSE excluded.v1_ts END
            INSERT INTO gm1_t0 AS t (p0, p1, c0, c1, v0, v0_ts, v1, v1_ts) VALUES ('', -32768, 2147483647, 'kfqdgU6O3u', NULL, 77, NULL, 77) ON CONFLICT (p0, p1, c0, c1) DO UPDATE SET v0 = CASE WHEN t.v0_ts IS NULL OR excluded.v0_ts > t.v0_ts OR (excluded.v0_ts = t.v0_ts AND (excluded.v0 IS NULL OR excluded.v0 > t.v0)) THEN excluded.v0 ELSE t.v0 END, v0_ts = CASE WHEN t.v0_ts > excluded.v0_ts THEN t.v0_ts ELSE excluded.v0_ts END, v1 = CASE WHEN t.v1_ts IS NULL OR excluded.v1_ts > t.v1_ts OR (excluded.v1_ts = t.v1_ts AND (excluded.v1 IS NULL OR excluded.v1 > t.v1)) THEN excluded.v1 ELSE t.v1 END, v1_ts = CASE WHEN t.v1_ts > excluded.v1_ts THEN t.v1_ts ELSE excluded.v1_ts END
            INSERT INTO gm1_t0_tombs AS t (p0, p1, "what", "ts", c0_from, c0_from_in, c0_to, c0_to_in, c1_from, c1_from_in, c1_to, c1_to_in) VALUES ('', -32768, 'row 5', 77, 2147483647, 1, 2147483647, 1, '', 1, '', 1) ON CONFLICT (p0, p1, "what") DO UPDATE SET "ts" = CASE WHEN t."ts" > excluded."ts" THEN t."ts" ELSE excluded."ts" END
            COMMIT
        "#]],
    );
}

#[test]
fn postgres_is_told_timestamps_in_its_own_words() {
    check_stamped(
        &POSTGRES,
        &expect![[r#"
            CREATE TABLE gm1_t0 (p0 text COLLATE "C" NOT NULL, p1 smallint NOT NULL, c0 integer NOT NULL, c1 text COLLATE "C" NOT NULL, "live_ts" bigint, v0 smallint, v0_ts bigint, v1 text COLLATE "C", v1_ts bigint, v2 numeric(12,3), v2_ts bigint, v3 boolean, v3_ts bigint, v4 double precision, v4_ts bigint, "order" bytea, "order_ts" bigint, v6 uuid, v6_ts bigint, PRIMARY KEY (p0, p1, c0, c1))
            CREATE TABLE gm1_t0_s (p0 text COLLATE "C" NOT NULL, p1 smallint NOT NULL, s0 timestamp, s0_ts bigint, s1 bigint, s1_ts bigint, PRIMARY KEY (p0, p1))
            CREATE TABLE gm1_t0_tombs (p0 text COLLATE "C" NOT NULL, p1 smallint NOT NULL, "what" text COLLATE "C" NOT NULL, c0_from integer, c0_from_in smallint, c0_to integer, c0_to_in smallint, c1_from text COLLATE "C", c1_from_in smallint, c1_to text COLLATE "C", c1_to_in smallint, "ts" bigint NOT NULL, PRIMARY KEY (p0, p1, "what"))
            CREATE VIEW gm1_t0_live AS SELECT p0, p1, c0, c1, CASE WHEN v0_ts > "dead_ts" THEN v0 END AS v0, CASE WHEN v0_ts > "dead_ts" AND v0 IS NOT NULL THEN v0_ts END AS v0_ts, CASE WHEN v1_ts > "dead_ts" THEN v1 END AS v1, CASE WHEN v1_ts > "dead_ts" AND v1 IS NOT NULL THEN v1_ts END AS v1_ts, CASE WHEN v2_ts > "dead_ts" THEN v2 END AS v2, CASE WHEN v2_ts > "dead_ts" AND v2 IS NOT NULL THEN v2_ts END AS v2_ts, CASE WHEN v3_ts > "dead_ts" THEN v3 END AS v3, CASE WHEN v3_ts > "dead_ts" AND v3 IS NOT NULL THEN v3_ts END AS v3_ts, CASE WHEN v4_ts > "dead_ts" THEN v4 END AS v4, CASE WHEN v4_ts > "dead_ts" AND v4 IS NOT NULL THEN v4_ts END AS v4_ts, CASE WHEN "order_ts" > "dead_ts" THEN "order" END AS "order", CASE WHEN "order_ts" > "dead_ts" AND "order" IS NOT NULL THEN "order_ts" END AS "order_ts", CASE WHEN v6_ts > "dead_ts" THEN v6 END AS v6, CASE WHEN v6_ts > "dead_ts" AND v6 IS NOT NULL THEN v6_ts END AS v6_ts FROM (SELECT t.p0, t.p1, t.c0, t.c1, t."live_ts", t.v0, t.v0_ts, t.v1, t.v1_ts, t.v2, t.v2_ts, t.v3, t.v3_ts, t.v4, t.v4_ts, t."order", t."order_ts", t.v6, t.v6_ts, coalesce(max(d."ts"), -9223372036854775807 - 1) AS "dead_ts" FROM gm1_t0 t LEFT JOIN gm1_t0_tombs d ON d.p0 = t.p0 AND d.p1 = t.p1 AND (d.c0_from IS NULL OR t.c0 > d.c0_from OR (t.c0 = d.c0_from AND d.c0_from_in = 1)) AND (d.c0_to IS NULL OR t.c0 < d.c0_to OR (t.c0 = d.c0_to AND d.c0_to_in = 1)) AND (d.c1_from IS NULL OR t.c1 > d.c1_from OR (t.c1 = d.c1_from AND d.c1_from_in = 1)) AND (d.c1_to IS NULL OR t.c1 < d.c1_to OR (t.c1 = d.c1_to AND d.c1_to_in = 1)) GROUP BY t.p0, t.p1, t.c0, t.c1) x WHERE "live_ts" > "dead_ts" OR (v0_ts > "dead_ts" AND v0 IS NOT NULL) OR (v1_ts > "dead_ts" AND v1 IS NOT NULL) OR (v2_ts > "dead_ts" AND v2 IS NOT NULL) OR (v3_ts > "dead_ts" AND v3 IS NOT NULL) OR (v4_ts > "dead_ts" AND v4 IS NOT NULL) OR ("order_ts" > "dead_ts" AND "order" IS NOT NULL) OR (v6_ts > "dead_ts" AND v6 IS NOT NULL)
            CREATE VIEW gm1_t0_live_s AS SELECT s.p0, s.p1, CASE WHEN s.s0_ts > coalesce(d."ts", -9223372036854775807 - 1) THEN s.s0 END AS s0, CASE WHEN s.s0_ts > coalesce(d."ts", -9223372036854775807 - 1) AND s.s0 IS NOT NULL THEN s.s0_ts END AS s0_ts, CASE WHEN s.s1_ts > coalesce(d."ts", -9223372036854775807 - 1) THEN s.s1 END AS s1, CASE WHEN s.s1_ts > coalesce(d."ts", -9223372036854775807 - 1) AND s.s1 IS NOT NULL THEN s.s1_ts END AS s1_ts FROM gm1_t0_s s LEFT JOIN gm1_t0_tombs d ON d.p0 = s.p0 AND d.p1 = s.p1 AND d."what" = 'partition' WHERE (s.s0_ts > coalesce(d."ts", -9223372036854775807 - 1) AND s.s0 IS NOT NULL) OR (s.s1_ts > coalesce(d."ts", -9223372036854775807 - 1) AND s.s1 IS NOT NULL)
            CREATE VIEW gm1_t0_all AS SELECT r.p0, r.p1, r.c0, r.c1, r.v0, r.v0_ts, r.v1, r.v1_ts, r.v2, r.v2_ts, r.v3, r.v3_ts, r.v4, r.v4_ts, r."order", r."order_ts", r.v6, r.v6_ts, CASE WHEN s.s0_ts > coalesce(d."ts", -9223372036854775807 - 1) THEN s.s0 END AS s0, CASE WHEN s.s0_ts > coalesce(d."ts", -9223372036854775807 - 1) AND s.s0 IS NOT NULL THEN s.s0_ts END AS s0_ts, CASE WHEN s.s1_ts > coalesce(d."ts", -9223372036854775807 - 1) THEN s.s1 END AS s1, CASE WHEN s.s1_ts > coalesce(d."ts", -9223372036854775807 - 1) AND s.s1 IS NOT NULL THEN s.s1_ts END AS s1_ts, 1 AS row_1 FROM gm1_t0_live r LEFT JOIN gm1_t0_s s ON s.p0 = r.p0 AND s.p1 = r.p1 LEFT JOIN gm1_t0_tombs d ON d.p0 = r.p0 AND d.p1 = r.p1 AND d."what" = 'partition' UNION ALL SELECT s.p0, s.p1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, s.s0, s.s0_ts, s.s1, s.s1_ts, NULL FROM gm1_t0_live_s s WHERE NOT EXISTS (SELECT 1 FROM gm1_t0_live r WHERE s.p0 = r.p0 AND s.p1 = r.p1)
            CREATE INDEX gm1_t0_o ON gm1_t0 (p0, p1, c0 DESC, c1)
            CREATE INDEX gm1_t0_i0 ON gm1_t0 (v0)
            CREATE TABLE gm1_t1 (p0 date NOT NULL, p1 boolean NOT NULL, "live_ts" bigint, v0 smallint, v0_ts bigint, v1 real, v1_ts bigint, v2 time, v2_ts bigint, PRIMARY KEY (p0, p1))
            CREATE TABLE gm1_t1_tombs (p0 date NOT NULL, p1 boolean NOT NULL, "what" text COLLATE "C" NOT NULL, "ts" bigint NOT NULL, PRIMARY KEY (p0, p1, "what"))
            CREATE VIEW gm1_t1_live AS SELECT p0, p1, CASE WHEN v0_ts > "dead_ts" THEN v0 END AS v0, CASE WHEN v0_ts > "dead_ts" AND v0 IS NOT NULL THEN v0_ts END AS v0_ts, CASE WHEN v1_ts > "dead_ts" THEN v1 END AS v1, CASE WHEN v1_ts > "dead_ts" AND v1 IS NOT NULL THEN v1_ts END AS v1_ts, CASE WHEN v2_ts > "dead_ts" THEN v2 END AS v2, CASE WHEN v2_ts > "dead_ts" AND v2 IS NOT NULL THEN v2_ts END AS v2_ts FROM (SELECT t.p0, t.p1, t."live_ts", t.v0, t.v0_ts, t.v1, t.v1_ts, t.v2, t.v2_ts, coalesce(max(d."ts"), -9223372036854775807 - 1) AS "dead_ts" FROM gm1_t1 t LEFT JOIN gm1_t1_tombs d ON d.p0 = t.p0 AND d.p1 = t.p1 GROUP BY t.p0, t.p1) x WHERE "live_ts" > "dead_ts" OR (v0_ts > "dead_ts" AND v0 IS NOT NULL) OR (v1_ts > "dead_ts" AND v1 IS NOT NULL) OR (v2_ts > "dead_ts" AND v2 IS NOT NULL)
            INSERT INTO gm1_t0 AS t (p0, p1, c0, c1, "live_ts", v0, v0_ts, v4, v4_ts) VALUES ('', -32768, 2147483647, 'aqk3E1Gc"T%m,*''L', 77, -32668, 77, '-1.7976931348623155e308'::double precision, 77) ON CONFLICT (p0, p1, c0, c1) DO UPDATE SET "live_ts" = CASE WHEN t."live_ts" > excluded."live_ts" THEN t."live_ts" ELSE excluded."live_ts" END, v0 = CASE WHEN t.v0_ts IS NULL OR excluded.v0_ts > t.v0_ts OR (excluded.v0_ts = t.v0_ts AND (excluded.v0 IS NULL OR excluded.v0 > t.v0)) THEN excluded.v0 ELSE t.v0 END, v0_ts = CASE WHEN t.v0_ts > excluded.v0_ts THEN t.v0_ts ELSE excluded.v0_ts END, v4 = CASE WHEN t.v4_ts IS NULL OR excluded.v4_ts > t.v4_ts OR (excluded.v4_ts = t.v4_ts AND (excluded.v4 IS NULL OR excluded.v4 > t.v4 OR (excluded.v4 = t.v4 AND excluded.v4::text COLLATE "C" > t.v4::text COLLATE "C"))) THEN excluded.v4 ELSE t.v4 END, v4_ts = CASE WHEN t.v4_ts > excluded.v4_ts THEN t.v4_ts ELSE excluded.v4_ts END
            INSERT INTO gm1_t1 AS t (p0, p1, "live_ts") VALUES (date '9999-12-31', false, 77) ON CONFLICT (p0, p1) DO UPDATE SET "live_ts" = CASE WHEN t."live_ts" > excluded."live_ts" THEN t."live_ts" ELSE excluded."live_ts" END
            INSERT INTO gm1_t0 AS t (p0, p1, c0, c1, v1, v1_ts) VALUES ('', -32768, 2147483647, 'kfqdgU6O3u', NULL, 77) ON CONFLICT (p0, p1, c0, c1) DO UPDATE SET v1 = CASE WHEN t.v1_ts IS NULL OR excluded.v1_ts > t.v1_ts OR (excluded.v1_ts = t.v1_ts AND (excluded.v1 IS NULL OR excluded.v1 > t.v1)) THEN excluded.v1 ELSE t.v1 END, v1_ts = CASE WHEN t.v1_ts > excluded.v1_ts THEN t.v1_ts ELSE excluded.v1_ts END
            INSERT INTO gm1_t0_s AS t (p0, p1, s0, s0_ts) VALUES ('􏿿', -32768, timestamp '0001-01-01 00:00:00.000007', 77) ON CONFLICT (p0, p1) DO UPDATE SET s0 = CASE WHEN t.s0_ts IS NULL OR excluded.s0_ts > t.s0_ts OR (excluded.s0_ts = t.s0_ts AND (excluded.s0 IS NULL OR excluded.s0 > t.s0)) THEN excluded.s0 ELSE t.s0 END, s0_ts = CASE WHEN t.s0_ts > excluded.s0_ts THEN t.s0_ts ELSE excluded.s0_ts END
            INSERT INTO gm1_t0 AS t (p0, p1, c0, c1, v0, v0_ts, v1, v1_ts) VALUES ('', -32768, 2147483647, 'kfqdgU6O3u', NULL, 77, NULL, 77) ON CONFLICT (p0, p1, c0, c1) DO UPDATE SET v0 = CASE WHEN t.v0_ts IS NULL OR excluded.v0_ts > t.v0_ts OR (excluded.v0_ts = t.v0_ts AND (excluded.v0 IS NULL OR excluded.v0 > t.v0)) THEN excluded.v0 ELSE t.v0 END, v0_ts = CASE WHEN t.v0_ts > excluded.v0_ts THEN t.v0_ts ELSE excluded.v0_ts END, v1 = CASE WHEN t.v1_ts IS NULL OR excluded.v1_ts > t.v1_ts OR (excluded.v1_ts = t.v1_ts AND (excluded.v1 IS NULL OR excluded.v1 > t.v1)) THEN excluded.v1 ELSE t.v1 END, v1_ts = CASE WHEN t.v1_ts > excluded.v1_ts THEN t.v1_ts ELSE excluded.v1_ts END
            INSERT INTO gm1_t0_tombs AS t (p0, p1, "what", "ts", c0_from, c0_from_in, c0_to, c0_to_in, c1_from, c1_from_in, c1_to, c1_to_in) VALUES ('', -32768, 'row 5', 77, 2147483647, 1, 2147483647, 1, '', 1, '', 1) ON CONFLICT (p0, p1, "what") DO UPDATE SET "ts" = CASE WHEN t."ts" > excluded."ts" THEN t."ts" ELSE excluded."ts" END
            INSERT INTO gm1_t1_tombs AS t (p0, p1, "what", "ts") VALUES (date '6364-05-31', true, 'row 0', 77) ON CONFLICT (p0, p1, "what") DO UPDATE SET "ts" = CASE WHEN t."ts" > excluded."ts" THEN t."ts" ELSE excluded."ts" END
            INSERT INTO gm1_t0_tombs AS t (p0, p1, "what", "ts", c0_from, c0_from_in, c0_to, c0_to_in, c1_from, c1_from_in, c1_to, c1_to_in) VALUES ('', -32768, 'slice =1 >=0 <2', 77, 1, 1, 1, 1, '', 1, 'NULL', 0) ON CONFLICT (p0, p1, "what") DO UPDATE SET "ts" = CASE WHEN t."ts" > excluded."ts" THEN t."ts" ELSE excluded."ts" END
            INSERT INTO gm1_t0_tombs AS t (p0, p1, "what", "ts", c0_to, c0_to_in) VALUES ('', -32768, 'slice >1', 77, 1, 0) ON CONFLICT (p0, p1, "what") DO UPDATE SET "ts" = CASE WHEN t."ts" > excluded."ts" THEN t."ts" ELSE excluded."ts" END
            INSERT INTO gm1_t0_tombs AS t (p0, p1, "what", "ts") VALUES ('', -32768, 'partition', 77) ON CONFLICT (p0, p1, "what") DO UPDATE SET "ts" = CASE WHEN t."ts" > excluded."ts" THEN t."ts" ELSE excluded."ts" END
            SELECT c0, v0, v0_ts FROM gm1_t0_all x WHERE p0 = '' AND p1 = -32768 ORDER BY c0, c1 DESC
            SELECT c0, s0, v0, s0_ts, v0_ts FROM gm1_t0_all x WHERE p0 = '' AND p1 = -32768 LIMIT 3
            SELECT c0, s0 FROM (SELECT * FROM gm1_t0_all WHERE row_1 = 1) x WHERE p0 = '' AND p1 = -32768 AND v0 >= -32767
            SELECT s0, s0_ts FROM gm1_t0_all x WHERE (p0, p1) IN (('', -32768), ('􏿿', -32768))
            SELECT count(*), max(s1) FROM gm1_t0_all x WHERE p0 = '' AND p1 = -32768
            SELECT c1 FROM (SELECT x.*, row_number() OVER (PARTITION BY p0, p1 ORDER BY c0 DESC, c1) AS "nth" FROM gm1_t0_live x WHERE (p0, p1) IN (('', -32768), ('', 32767)) AND v0 >= -32767) y WHERE "nth" <= 2 ORDER BY c0 DESC, c1 LIMIT 5
            SELECT s0, s1, v0 FROM (SELECT * FROM gm1_t0_all WHERE row_1 = 1) x WHERE p0 = '' AND p1 = -32768 AND c0 = 2147483647 AND c1 = 'aqk3E1Gc"T%m,*''L'
            BEGIN ISOLATION LEVEL READ COMMITTED
            INSERT INTO gm1_t0_s AS t (p0, p1, s0, s0_ts) VALUES ('􏿿', -32768, timestamp '0001-01-01 00:00:00.000007', 77) ON CONFLICT (p0, p1) DO UPDATE SET s0 = CASE WHEN t.s0_ts IS NULL OR excluded.s0_ts > t.s0_ts OR (excluded.s0_ts = t.s0_ts AND (excluded.s0 IS NULL OR excluded.s0 > t.s0)) THEN excluded.s0 ELSE t.s0 END, s0_ts = CASE WHEN t.s0_ts > excluded.s0_ts THEN t.s0_ts ELSE excluded.s0_ts END
            INSERT INTO gm1_t1 AS t (p0, p1, "live_ts") VALUES (date '9999-12-31', false, 77) ON CONFLICT (p0, p1) DO UPDATE SET "live_ts" = CASE WHEN t."live_ts" > excluded."live_ts" THEN t."live_ts" ELSE excluded."live_ts" END
            INSERT INTO gm1_t0 AS t (p0, p1, c0, c1, "live_ts", v0, v0_ts, v4, v4_ts) VALUES ('', -32768, 2147483647, 'aqk3E1Gc"T%m,*''L', 77, -32668, 77, '-1.7976931348623155e308'::double precision, 77) ON CONFLICT (p0, p1, c0, c1) DO UPDATE SET "live_ts" = CASE WHEN t."live_ts" > excluded."live_ts" THEN t."live_ts" ELSE excluded."live_ts" END, v0 = CASE WHEN t.v0_ts IS NULL OR excluded.v0_ts > t.v0_ts OR (excluded.v0_ts = t.v0_ts AND (excluded.v0 IS NULL OR excluded.v0 > t.v0)) THEN excluded.v0 ELSE t.v0 END, v0_ts = CASE WHEN t.v0_ts > excluded.v0_ts THEN t.v0_ts ELSE excluded.v0_ts END, v4 = CASE WHEN t.v4_ts IS NULL OR excluded.v4_ts > t.v4_ts OR (excluded.v4_ts = t.v4_ts AND (excluded.v4 IS NULL OR excluded.v4 > t.v4 OR (excluded.v4 = t.v4 AND excluded.v4::text COLLATE "C" > t.v4::text COLLATE "C"))) THEN excluded.v4 ELSE t.v4 END, v4_ts = CASE WHEN t.v4_ts > excluded.v4_ts THEN t.v4_ts ELSE excluded.v4_ts END
            INSERT INTO gm1_t0 AS t (p0, p1, c0, c1, v1, v1_ts) VALUES ('', -32768, 2147483647, 'kfqdgU6O3u', NULL, 77) ON CONFLICT (p0, p1, c0, c1) DO UPDATE SET v1 = CASE WHEN t.v1_ts IS NULL OR excluded.v1_ts > t.v1_ts OR (excluded.v1_ts = t.v1_ts AND (excluded.v1 IS NULL OR excluded.v1 > t.v1)) THEN excluded.v1 ELSE t.v1 END, v1_ts = CASE WHEN t.v1_ts > excluded.v1_ts THEN t.v1_ts ELSE excluded.v1_ts END
            INSERT INTO gm1_t0 AS t (p0, p1, c0, c1, v0, v0_ts, v1, v1_ts) VALUES ('', -32768, 2147483647, 'kfqdgU6O3u', NULL, 77, NULL, 77) ON CONFLICT (p0, p1, c0, c1) DO UPDATE SET v0 = CASE WHEN t.v0_ts IS NULL OR excluded.v0_ts > t.v0_ts OR (excluded.v0_ts = t.v0_ts AND (excluded.v0 IS NULL OR excluded.v0 > t.v0)) THEN excluded.v0 ELSE t.v0 END, v0_ts = CASE WHEN t.v0_ts > excluded.v0_ts THEN t.v0_ts ELSE excluded.v0_ts END, v1 = CASE WHEN t.v1_ts IS NULL OR excluded.v1_ts > t.v1_ts OR (excluded.v1_ts = t.v1_ts AND (excluded.v1 IS NULL OR excluded.v1 > t.v1)) THEN excluded.v1 ELSE t.v1 END, v1_ts = CASE WHEN t.v1_ts > excluded.v1_ts THEN t.v1_ts ELSE excluded.v1_ts END
            INSERT INTO gm1_t0_tombs AS t (p0, p1, "what", "ts", c0_from, c0_from_in, c0_to, c0_to_in, c1_from, c1_from_in, c1_to, c1_to_in) VALUES ('', -32768, 'row 5', 77, 2147483647, 1, 2147483647, 1, '', 1, '', 1) ON CONFLICT (p0, p1, "what") DO UPDATE SET "ts" = CASE WHEN t."ts" > excluded."ts" THEN t."ts" ELSE excluded."ts" END
            COMMIT
        "#]],
    );
}

#[test]
fn the_order_of_a_batch_is_that_of_its_keys() {
    let layout = layout();
    let texts = |steps: &str| {
        let visit: Visit = format!("1: {steps} | batch at 3 one").parse().unwrap();
        text(&SQLITE, &layout, &Request::stamped(&visit).unwrap())
    };
    let one = texts("upsert t0/0/3 c4=1; delete t0/0; shared t0/0 c20=1; update t0/0/1 c4=2; delete t0/0/9");
    let other =
        texts("delete t0/0/9; update t0/0/1 c4=2; delete t0/0; shared t0/0 c20=1; upsert t0/0/3 c4=1");
    assert_eq!(one, other);
    assert_eq!(one.len(), 7);
}
