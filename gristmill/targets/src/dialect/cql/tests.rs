//! What is sent, as a person reads it. Expectations rewrite themselves (UPDATE_EXPECT=1); read the diff.

use super::{APPLY, BATCHES, CQL, IndexKind, objects};
use crate::conformance::two_tables;
use crate::dialect::{Script, text};
use crate::layout::Layout;
use crate::target::{OpenOptions, Request};
use expect_test::expect;
use history::{Discipline, Visit};

fn layout() -> Layout {
    let options = OpenOptions {
        discipline: Discipline::Lww,
        ..OpenOptions::new("", "gm1")
    };
    let target = crate::open("cassandra:local", &options).unwrap();
    Layout::new(&two_tables(&*target), "gm1")
}

const VISITS: &str = "
    1: upsert t0/0/4 c4=100 c5=2 c9=null | auto at 5 one
    2: upsert t0/1/4 | auto at -5 quorum ttl 60
    3: update t0/0/4 c4=105 c10=8 | auto at 6 one ttl 3
    4: delete t0/0/4 c4,c5 | auto at 7 one
    5: shared t0/2 c20=7 c21=null | auto at 8 one
    6: delete t0/0/5 | auto at 9 one
    7: delete t0/0[1:0..2) | auto at 10 one
    8: delete t0/0(:1..] | auto at 11 one
    9: delete t0/0 | auto at 12 one ttl 9
    10: upsert t1/4/0 c3=9; delete t1/4/0 c2; delete t1/4 | logged-batch at 13 all
    11: update t1/4/0 c3=9 | batch at 14 one ttl 7
    12: insert t0/0/3 c4=100 | auto at 0 quorum
    13: read t0/0 select c4,c9,c20,c0 where c4>=3,c4<9 order c2,-c3 limit 3 stamps | auto at 0 quorum
    14: read t0/0/{1,3} select c2 page 7 | auto at 0 one
    15: read t0/* select c4 where c7=1 per-partition 2 | auto at 0 local-one
    16: read t0/1 of-shared select c0,c1,c20 | auto at 0 one
    17: read t0/1 aggregate count,min:c4,max:c5,count:c20 | auto at 0 one
    18: read t0/0 group c0,c1,c2 with count,max:c4 | auto at 0 one
    20: upsert t0/0/3 c4=100 | auto at 7 quorum if not-exists
    21: update t0/0/3 c4=101 | auto at 8 quorum if exists
    22: delete t0/0/3 | auto at 9 one if c4=100
    23: delete t0/0/3 c4,c5 | auto at 9 one if c6=null
    24: read t0/0 select c4 | auto at 9 serial
    19: read t0/0 select c4 order c0,-c2,c3 | auto at 0 one";

#[test]
fn cassandra_is_asked_in_its_own_words() {
    let layout = layout();
    let mut out = objects(
        &layout,
        None,
        &["gc_grace_seconds = 9".to_owned()],
        IndexKind::Sai,
    )
    .join("\n");
    out.push('\n');
    for line in VISITS.lines().map(str::trim).filter(|l| !l.is_empty()) {
        let visit: Visit = line.parse().unwrap_or_else(|e| panic!("{line}: {e}"));
        let request = Request::stamped(&visit).unwrap();
        let shown = text(&CQL, &layout, &request);
        let mut script = Script::default();
        script.render(&CQL, &layout, &request);
        for statement in script.statements() {
            // D1: as many placeholders as values.
            assert_eq!(
                statement.cells().count(),
                statement.sql.matches('?').count(),
                "{}",
                statement.sql
            );
        }
        // C1: the words around a batch stand alone.
        let words = script
            .statements()
            .iter()
            .filter(|s| BATCHES.contains(&s.sql.as_str()) || s.sql == APPLY);
        assert_eq!(
            words.count(),
            if line.contains("batch") { 2 } else { 0 },
            "{line}"
        );
        out.push_str(&shown.join("\n"));
        out.push('\n');
    }
    expect![[r#"
        CREATE TABLE gm1_t0 (p0 text, p1 smallint, c0 int, c1 ascii, v0 smallint, v1 text, v2 decimal, v3 boolean, v4 double, "order" blob, v6 uuid, s0 timestamp STATIC, s1 bigint STATIC, PRIMARY KEY ((p0, p1), c0, c1)) WITH CLUSTERING ORDER BY (c0 DESC, c1 ASC) AND gc_grace_seconds = 9
        CREATE INDEX gm1_t0_i0 ON gm1_t0 (v0) USING 'sai'
        CREATE TABLE gm1_t1 (p0 date, p1 boolean, v0 tinyint, v1 float, v2 time, PRIMARY KEY ((p0, p1))) WITH gc_grace_seconds = 9
        INSERT INTO gm1_t0 (p0, p1, c0, c1, v0, v1, "order") VALUES ('', -32768, 2147483647, 'kfqdgU6O3u', -32668, ' ', null) USING TIMESTAMP 5
        INSERT INTO gm1_t0 (p0, p1, c0, c1) VALUES ('', 32767, 2147483647, 'kfqdgU6O3u') USING TIMESTAMP -5 AND TTL 60
        UPDATE gm1_t0 USING TIMESTAMP 6 AND TTL 3 SET v0 = -32663, v6 = 00000000-0000-4007-aff2-118402ff0790 WHERE p0 = '' AND p1 = -32768 AND c0 = 2147483647 AND c1 = 'kfqdgU6O3u'
        DELETE v0, v1 FROM gm1_t0 USING TIMESTAMP 7 WHERE p0 = '' AND p1 = -32768 AND c0 = 2147483647 AND c1 = 'kfqdgU6O3u'
        UPDATE gm1_t0 USING TIMESTAMP 8 SET s0 = -210484828799994, s1 = null WHERE p0 = '􏿿' AND p1 = -32768
        DELETE FROM gm1_t0 USING TIMESTAMP 9 WHERE p0 = '' AND p1 = -32768 AND c0 = 2147483647 AND c1 = ''
        DELETE FROM gm1_t0 USING TIMESTAMP 10 WHERE p0 = '' AND p1 = -32768 AND c0 = 1 AND c1 >= '' AND c1 < 'NULL'
        DELETE FROM gm1_t0 USING TIMESTAMP 11 WHERE p0 = '' AND p1 = -32768 AND c0 < 1
        DELETE FROM gm1_t0 USING TIMESTAMP 12 WHERE p0 = '' AND p1 = -32768
        BEGIN BATCH INSERT INTO gm1_t1 (p0, p1, v1) VALUES (2219812985, false, -3.402822e38) USING TIMESTAMP 13; DELETE v0 FROM gm1_t1 USING TIMESTAMP 13 WHERE p0 = 2219812985 AND p1 = false; DELETE FROM gm1_t1 USING TIMESTAMP 13 WHERE p0 = 2219812985 AND p1 = false; APPLY BATCH
        BEGIN UNLOGGED BATCH UPDATE gm1_t1 USING TIMESTAMP 14 AND TTL 7 SET v1 = -3.402822e38 WHERE p0 = 2219812985 AND p1 = false; APPLY BATCH
        INSERT INTO gm1_t0 (p0, p1, c0, c1, v0) VALUES ('', -32768, 2147483647, 'aqk3E1Gc"S', -32668) IF NOT EXISTS
        SELECT v0, "order", s0, p0, writetime(v0), writetime("order"), writetime(s0) FROM gm1_t0 WHERE p0 = '' AND p1 = -32768 AND v0 >= -32765 AND v0 < -32759 ORDER BY c0 ASC, c1 DESC LIMIT 3 ALLOW FILTERING /* QUORUM */
        SELECT c0 FROM gm1_t0 WHERE p0 = '' AND p1 = -32768 AND (c0, c1) IN ((2147483647, 'A'), (2147483647, 'aqk3E1Gc"S')) /* pages of 7 */
        SELECT v0 FROM gm1_t0 WHERE v3 = true PER PARTITION LIMIT 2 ALLOW FILTERING /* LOCAL_ONE */
        SELECT DISTINCT p0, p1, s0 FROM gm1_t0 WHERE p0 = '' AND p1 = 32767
        SELECT count(*), min(v0), max(v1), count(s0) FROM gm1_t0 WHERE p0 = '' AND p1 = 32767
        SELECT p0, p1, c0, count(*), max(v0) FROM gm1_t0 WHERE p0 = '' AND p1 = -32768 GROUP BY p0, p1, c0
        INSERT INTO gm1_t0 (p0, p1, c0, c1, v0) VALUES ('', -32768, 2147483647, 'aqk3E1Gc"S', -32668) IF NOT EXISTS
        UPDATE gm1_t0 SET v0 = -32667 WHERE p0 = '' AND p1 = -32768 AND c0 = 2147483647 AND c1 = 'aqk3E1Gc"S' IF EXISTS
        DELETE FROM gm1_t0 WHERE p0 = '' AND p1 = -32768 AND c0 = 2147483647 AND c1 = 'aqk3E1Gc"S' IF v0 = -32668
        DELETE v0, v1 FROM gm1_t0 WHERE p0 = '' AND p1 = -32768 AND c0 = 2147483647 AND c1 = 'aqk3E1Gc"S' IF v2 = null
        SELECT v0 FROM gm1_t0 WHERE p0 = '' AND p1 = -32768 /* SERIAL */
        SELECT v0 FROM gm1_t0 WHERE p0 = '' AND p1 = -32768 ORDER BY c0 DESC, c1 ASC
    "#]].assert_eq(&out);
}

#[test]
fn one_text_serves_all_requests_of_a_shape() {
    let layout = layout();
    let of = |text: &str| text.parse::<Visit>().unwrap();
    let pairs = [
        (
            "1: delete t0/0/4 | auto at 5 one if c4=1",
            "2: delete t0/1/4 | auto at 5 one if c4=null",
        ),
        (
            "1: upsert t0/0/4 c4=100 | auto at 5 one",
            "2: upsert t0/1/3 c4=null | auto at 9 all node 2",
        ),
        (
            "1: delete t0/0/4; upsert t0/0/3 c4=1 | batch at 5 one",
            "2: delete t0/1/3; upsert t0/1/9 c4=2 | batch at 6 one",
        ),
        (
            "1: read t0/0 select c4 page 3 | auto at 0 one",
            "2: read t0/2 select c4 page 9 | auto at 0 quorum",
        ),
        (
            "1: read t1/ring..3 select c2 | auto at 0 one",
            "2: read t1/ring2.. select c2 | auto at 0 one",
        ),
        (
            "1: read t1/ring1..3 select c2 | auto at 0 one",
            "2: read t1/ring2..5 select c2 | auto at 0 one",
        ),
        (
            "1: read t0/0 aggregate sum:c4 | auto at 0 one",
            "2: read t0/0 aggregate avg:c4 | auto at 0 one",
        ),
        (
            "1: read t0/0 select c4 stamps | auto at 0 one",
            "2: read t0/0 select c4 ttls | auto at 0 one",
        ),
    ];
    for (first, second) in pairs.map(|(a, b)| (of(a), of(b))) {
        let (mut kept, mut fresh) = (Script::default(), Script::default());
        kept.render_next(&CQL, &layout, &Request::stamped(&first).unwrap());
        kept.render_next(&CQL, &layout, &Request::stamped(&second).unwrap());
        fresh.render(&CQL, &layout, &Request::stamped(&second).unwrap());
        assert_eq!(kept.statements(), fresh.statements());
        assert_eq!(kept.beside.stamp, second.stamp);
        assert_eq!(kept.beside.page, fresh.beside.page);
    }
}

const WITH_ELEMENTS: &str = "[[table]]
    name = \"t0\"
    partition = [\"p int32\"]
    clustering = [\"c int32\"]
    regular = [\"s set<bool>\", \"m map<bool,inet>\", \"u udt<a:bool,B:bool>\", \"t tuple<int8,duration>\",
               \"v vector<float32,2>\", \"l frozen<list<frozen<udt<a:bool,B:bool>>>>\", \"a list<bool>\"]
    shared = [\"z map<bool,frozen<udt<a:bool,B:bool>>>\"]";

#[test]
fn elements_have_their_own_words() {
    let options = OpenOptions {
        discipline: Discipline::Lww,
        ..OpenOptions::new("", "gm1")
    };
    let target = crate::open("cassandra:local", &options).unwrap();
    let schema = datagen::schema::toml::read(WITH_ELEMENTS, 3, &|ty| target.limits(&ty)).unwrap();
    let layout = Layout::new(&schema, "gm1");
    let made = objects(&layout, None, &[], IndexKind::Sai).join("\n");
    for part in [
        r#"CREATE TYPE gm1_u0 ("a" boolean, "B" boolean)"#,
        r#""s" set<boolean>, "m" map<boolean, inet>, "u" gm1_u0, "t" tuple<tinyint, duration>, "v" vector<float, 2>"#,
        r#""l" frozen<list<frozen<gm1_u0>>>, "a" list<boolean>, "z" map<boolean, frozen<gm1_u0>> STATIC"#,
    ] {
        assert!(made.contains(part), "{part} is not in {made}");
    }
    for (visit, part) in [
        (
            "1: elements t0/0/1 c2 0=0 | auto at 5 one ttl 9",
            r#"USING TIMESTAMP 5 AND TTL 9 SET "s" = "s" + {false} WHERE"#,
        ),
        (
            "2: elements t0/0/1 c2 0=0,1=null | auto at 5 one",
            r#"SET "s" = "s" + {false}, "s" = "s" - {true} WHERE"#,
        ),
        (
            "3: elements t0/0/1 c2 1=null | auto at 5 one ttl 9",
            r#"DELETE "s"[true] FROM gm1_t0 USING TIMESTAMP 5 WHERE"#,
        ),
        (
            "4: elements t0/0/1 c2 0=null,1=null | auto at 5 one",
            r#"SET "s" = "s" - {false, true} WHERE"#,
        ),
        (
            "5: elements t0/0/1 c3 0=1 | auto at 5 one",
            r#"SET "m"[false] = blobasinet(0x"#,
        ),
        (
            "6: elements t0/0/1 c3 0=2,1=null | auto at 5 one",
            r#", "m" = "m" - {true} WHERE"#,
        ),
        (
            "7: elements t0/0/1 c3 1=null | auto at 5 one",
            r#"DELETE "m"[true] FROM gm1_t0"#,
        ),
        (
            "13: elements t0/0/1 c8 0=1,1=0 | auto at 5 one",
            r#"SET "a" = [false] + "a", "a" = "a" + [true] WHERE"#,
        ),
        (
            "8: elements t0/0/1 c4 0=1,1=null | auto at 5 one",
            r#"SET "u"."a" = true, "u"."B" = null WHERE"#,
        ),
        (
            "9: elements t0/0/1 c4 0=null,1=null | auto at 5 one",
            r#"DELETE "u"."a", "u"."B" FROM gm1_t0"#,
        ),
        (
            "10: elements t0/0 c9 1=3 | auto at 5 one",
            r#"SET "z"[true] = {"a": "#,
        ),
        (
            "11: delete t0/0/1 c2,c4 | auto at 5 one",
            r#"DELETE "s", "u" FROM gm1_t0"#,
        ),
        (
            "12: read t0/0 select c1,c2,c5,c9 stamps | auto at 5 one",
            r#"SELECT "c", "s", "t", "z", writetime("t") FROM"#,
        ),
    ] {
        let visit: Visit = visit.parse().unwrap_or_else(|e| panic!("{visit}: {e}"));
        let request = Request::stamped(&visit).unwrap();
        let words = text(&CQL, &layout, &request).join("; ");
        assert!(words.contains(part), "{part} is not in {words}");
        let (mut kept, mut fresh) = (Script::default(), Script::default());
        kept.render_next(&CQL, &layout, &request);
        // The second time only values are written.
        kept.render_next(&CQL, &layout, &request);
        fresh.render_next(&CQL, &layout, &request);
        assert_eq!(kept.statements(), fresh.statements(), "{visit}");
    }
}

/// What a table gives by itself is left to it; what lives for ever there says so.
#[test]
fn a_time_to_live_of_a_table_is_left_to_it() {
    let target = crate::open(
        "cassandra:local",
        &OpenOptions {
            discipline: Discipline::Lww,
            ..OpenOptions::new("", "gm1")
        },
    )
    .unwrap();
    let given = "CREATE TABLE t (p int, c int, v int, PRIMARY KEY (p, c)) WITH default_time_to_live = 60";
    let schema = datagen::schema::ddl::read(given, 3, &|ty| target.limits(&ty)).unwrap();
    let layout = Layout::new(&schema, "gm1");
    let made = objects(&layout, None, &[], IndexKind::Sai).join("\n");
    assert!(made.contains("default_time_to_live = 60"), "{made}");
    let (mut kept, mut shown) = (Script::default(), String::new());
    for visit in [
        "1: upsert t0/0/1 c2=5 | auto at 5 one ttl 60",
        "2: upsert t0/0/1 c2=5 | auto at 6 one",
        "3: update t0/0/1 c2=5 | auto at 7 one ttl 9",
        "4: update t0/0/1 c2=5 | auto at 8 one ttl 60",
        "5: delete t0/0/1 c2 | auto at 9 one ttl 9",
        "6: upsert t0/0/1 c2=5 | auto at 9 quorum if not-exists",
        "7: update t0/0/1 c2=5 | auto at 9 quorum if exists",
        "8: delete t0/0/1 | auto at 9 quorum if exists",
    ] {
        let visit: Visit = visit.parse().unwrap();
        let request = Request::stamped(&visit).unwrap();
        let text = text(&CQL, &layout, &request).join(" ");
        // What is prepared says the same, whatever was prepared before it.
        kept.render_next(&CQL, &layout, &request);
        let prepared = &kept.statements()[0].sql;
        assert_eq!(
            prepared.contains("TTL"),
            text.contains("TTL"),
            "{visit}: {prepared}"
        );
        shown += &(text + "\n");
    }
    expect![[r#"
        INSERT INTO gm1_t ("p", "c", "v") VALUES (-2147483648, -2145607962, -2147483644) USING TIMESTAMP 5
        INSERT INTO gm1_t ("p", "c", "v") VALUES (-2147483648, -2145607962, -2147483644) USING TIMESTAMP 6 AND TTL 0
        UPDATE gm1_t USING TIMESTAMP 7 AND TTL 9 SET "v" = -2147483644 WHERE "p" = -2147483648 AND "c" = -2145607962
        UPDATE gm1_t USING TIMESTAMP 8 SET "v" = -2147483644 WHERE "p" = -2147483648 AND "c" = -2145607962
        DELETE "v" FROM gm1_t USING TIMESTAMP 9 WHERE "p" = -2147483648 AND "c" = -2145607962
        INSERT INTO gm1_t ("p", "c", "v") VALUES (-2147483648, -2145607962, -2147483644) IF NOT EXISTS USING TTL 0
        UPDATE gm1_t USING TTL 0 SET "v" = -2147483644 WHERE "p" = -2147483648 AND "c" = -2145607962 IF EXISTS
        DELETE FROM gm1_t WHERE "p" = -2147483648 AND "c" = -2145607962 IF EXISTS
    "#]].assert_eq(&shown);
}
