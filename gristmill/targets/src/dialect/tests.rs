//! What is sent, as a person reads it. Expectations rewrite themselves (UPDATE_EXPECT=1); read the diff.

use super::{Dialect, POSTGRES, SQLITE, Script, objects, text};
use crate::conformance::two_tables;
use crate::layout::Layout;
use crate::target::{OpenOptions, Request};
use expect_test::{Expect, expect};
use history::{Level, Visit};

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
    let mut out = objects(dialect, &layout).join("\n");
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
    for dialect in [&SQLITE, &POSTGRES] {
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
