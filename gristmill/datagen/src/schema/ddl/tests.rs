use expect_test::{Expect, expect};

use super::*;
use crate::domain::Limits;
use crate::schema::summary;

fn check(text: &str, expected: Expect) {
    let shown = match read(text, 7, &|_| Some(Limits::default())) {
        Ok(schema) => summary(&schema),
        Err(errors) => errors.iter().map(|error| format!("{error}\n")).collect(),
    };
    expected.assert_eq(&shown);
}

#[test]
fn sql_tables_and_indexes_are_read() {
    check(
        r#"
        -- what a shop has
        CREATE TABLE IF NOT EXISTS shop.Orders (
            customer BIGINT NOT NULL,
            day      DATE,
            nr       INT,
            "Total"  NUMERIC(12,2) NOT NULL,
            note     VARCHAR(40) DEFAULT NULL,
            paid     BOOLEAN,
            at       TIMESTAMP(3) WITH TIME ZONE,
            raw      BYTEA,
            PRIMARY KEY (customer, day DESC, nr)
        );
        CREATE INDEX by_total ON Orders ("Total", paid);
        CREATE TABLE small (id UUID PRIMARY KEY, a SMALLINT, b DOUBLE PRECISION, c REAL, d TIME, KEY k (a));
        "#,
        expect![[r#"
            orders Wide, 4096 rows
              Partition(0) customer int64 not null ≤333
              Clustering(0) day date not null desc ≤333
              Clustering(1) nr int32 not null ≤333
              Regular(0) Total numeric(12,2) not null ≤500
              Regular(1) note text ≤40
              Regular(2) paid bool ≤500
              Regular(3) at timestamptz ≤10000
              Regular(4) raw bytes ≤10000
              i1 on Total, paid
            small Wide, 1 rows
              Partition(0) id uuid not null ≤1000
              Regular(0) a int16 ≤1000
              Regular(1) b float64 ≤10000
              Regular(2) c float32 ≤10000
              Regular(3) d time ≤10000
              i1 on a
        "#]],
    );
}

#[test]
fn cassandra_tables_are_read() {
    check(
        "CREATE TABLE harry.tbl (pk1 bigint,pk2 ascii,ck1 ascii,ck2 bigint,s1 bigint static,s2 smallint static,
         v1 ascii,v2 bigint,v3 int, PRIMARY KEY ((pk1,pk2), ck1, ck2)) WITH CLUSTERING ORDER BY (ck1 ASC,ck2 DESC);
         CREATE TABLE one (a int, static text static, b blob, PRIMARY KEY ((a)));",
        expect![[r#"
            tbl Wide, 4096 rows
              Partition(0) pk1 int64 not null ≤250
              Partition(1) pk2 ascii not null ≤250
              Clustering(0) ck1 ascii not null ≤250
              Clustering(1) ck2 int64 not null desc ≤250
              Regular(0) v1 ascii ≤10000
              Regular(1) v2 int64 ≤10000
              Regular(2) v3 int32 ≤10000
              Shared(0) s1 int64 ≤10000
              Shared(1) s2 int16 ≤10000
            one Wide, 1 rows
              Partition(0) a int32 not null ≤1000
              Regular(0) b bytes ≤10000
              Shared(0) static text ≤10000
        "#]],
    );
}

#[test]
fn types_that_only_cassandra_has_are_read() {
    check(
        "CREATE TABLE t (p inet, c timeuuid, v varint, d decimal, e decimal(9,2), f duration, PRIMARY KEY (p, c));",
        expect![[r#"
            t Wide, 4096 rows
              Partition(0) p inet not null ≤500
              Clustering(0) c timeuuid not null ≤500
              Regular(0) v varint ≤10000
              Regular(1) d decimal ≤10000
              Regular(2) e numeric(9,2) ≤10000
              Regular(3) f duration ≤10000
        "#]],
    );
    check(
        "CREATE TABLE u (p duration PRIMARY KEY);",
        expect![[r#"
        table `u`: column `p` is in a key or an index, and a duration has no order: use another column
    "#]],
    );
}

#[test]
fn collections_and_types_of_ones_own_are_read() {
    check(
        "CREATE TYPE IF NOT EXISTS shop.address (street text, zip int, \"Codes\" frozen<set<int>>);
         CREATE TABLE t (p int, c int, s set<text> static, m map<text, frozen<list<int>>>, a address,
                         f frozen<address>, l list<timeuuid>, u tuple<int, text>, v vector<float, 3>, z varchar,
                         PRIMARY KEY (p, c)) WITH CLUSTERING ORDER BY (c DESC);",
        expect![[r#"
            t Wide, 4096 rows
              Partition(0) p int32 not null ≤500
              Clustering(0) c int32 not null desc ≤500
              Regular(0) m map<text,frozen<list<int32>>> ≤10000
              Regular(1) a udt<street:text,zip:int32,Codes:frozen<set<int32>>> ≤10000
              Regular(2) f frozen<udt<street:text,zip:int32,Codes:frozen<set<int32>>>> ≤10000
              Regular(3) l list<timeuuid> ≤10000
              Regular(4) u tuple<int32,text> ≤10000
              Regular(5) v vector<float32,3> ≤10000
              Regular(6) z text ≤10000
              Shared(0) s set<text> ≤10000
        "#]],
    );
    check(
        "CREATE TABLE t (p int PRIMARY KEY, a list<list<int>>, b map<duration, int>, c frozen<nothing>);",
        expect![[r#"
            table `t`: column `a`: list<list<int>> is not supported: use list, set, map, tuple, vector or a type that CREATE TYPE made before it, of scalars or of frozen types; elements of sets and keys of maps have an order, and vectors are of int, bigint, float or double
            table `t`: column `b`: map<duration,int> is not supported: use list, set, map, tuple, vector or a type that CREATE TYPE made before it, of scalars or of frozen types; elements of sets and keys of maps have an order, and vectors are of int, bigint, float or double
            table `t`: column `c`: frozen<nothing> is not supported: use list, set, map, tuple, vector or a type that CREATE TYPE made before it, of scalars or of frozen types; elements of sets and keys of maps have an order, and vectors are of int, bigint, float or double
        "#]],
    );
    check(
        "CREATE TYPE address (street nowhere);",
        expect![[r#"
            DDL: type `address`: nowhere is not supported
        "#]],
    );
}

#[test]
fn what_cannot_be_modelled_is_refused_by_name() {
    check(
        "CREATE TABLE a (id INT PRIMARY KEY, b INT UNIQUE, c INT REFERENCES x (y), d INT CHECK (d > 0),
                         e INT GENERATED ALWAYS AS (b * 2) STORED, f INT DEFAULT 7, g CHAR(3), h JSON, i NUMERIC,
                         j TEXT COLLATE \"de\", k INT UNSIGNED, l SERIAL,
                         UNIQUE (b, c), FOREIGN KEY (b) REFERENCES x (y), CHECK (b > c));
         CREATE UNIQUE INDEX u ON a (b);
         CREATE INDEX p ON a (b) WHERE b > 0;
         CREATE INDEX x ON a (lower(j));
         CREATE INDEX n ON nowhere (b);
         CREATE TABLE b (x INT);
         CREATE TABLE c (x INT, PRIMARY KEY (y));
         CREATE VIEW v AS SELECT 1;
         DROP TABLE a;",
        expect![[r#"
            table `a`: UNIQUE beside the primary key is not supported: leave it out; an index that is not unique may stay
            table `a`: REFERENCES on column `c` is not supported: leave it out; each table is checked by itself
            table `a`: CHECK is not supported: leave it out: values are drawn from the whole domain of a type
            table `a`: a generated value on column `e` is not supported: make it a plain column
            table `a`: DEFAULT on column `f` is not supported: leave it out: every insert gives every column it sets
            table `a`: column `g`: CHAR(3) is padded with blanks: use varchar or text
            table `a`: column `h`: JSON is not supported: use a signed integer, numeric(P,S), real, double precision, boolean, text, varchar, bytea, blob, uuid, date, time or timestamp
            table `a`: column `i`: NUMERIC leaves its scale open: write numeric(P,S)
            table `a`: a collation on column `j` is not supported: leave it out: text is made with the target's binary collation
            table `a`: column `k`: INT UNSIGNED is not supported: use a signed integer, numeric(P,S), real, double precision, boolean, text, varchar, bytea, blob, uuid, date, time or timestamp
            table `a`: column `l`: SERIAL is not supported: use a signed integer, numeric(P,S), real, double precision, boolean, text, varchar, bytea, blob, uuid, date, time or timestamp
            table `a`: UNIQUE beside the primary key is not supported: leave it out; an index that is not unique may stay
            table `a`: FOREIGN KEY is not supported: leave it out; each table is checked by itself
            table `a`: CHECK is not supported: leave it out: values are drawn from the whole domain of a type
            table `a`: UNIQUE beside the primary key is not supported: leave it out; an index that is not unique may stay
            table `a`: the partial index `p` is not supported: leave its WHERE out
            table `a`: the key expression lower(j) is not supported: name plain columns
            table `nowhere`: the index `n` is not supported: create its table before it
            table `b`: a table without PRIMARY KEY is not supported: name the columns that tell its rows apart
            table `c`: the key column `y`, which is not defined, is not supported: define it, once
            CREATE VIEW v is not supported: leave CREATE TABLE and CREATE INDEX only
            DROP TABLE a is not supported: leave CREATE TABLE and CREATE INDEX only
        "#]],
    );
}

#[test]
fn text_that_is_no_ddl_is_refused_with_its_place() {
    check(
        "CREATE TABLE a (id INT PRIMARY KEY,\n  b WHAT EVER);",
        expect![[r#"
            DDL: sql parser error: Expected: ',' or ')' after column definition, found: EVER at Line: 2, Column: 10
        "#]],
    );
    check(
        "hello",
        expect![[r#"
        DDL: sql parser error: Expected: an SQL statement, found: hello at Line: 1, Column: 1
    "#]],
    );
    check(
        "",
        expect![[r#"
        the schema has no table: give at least one
    "#]],
    );
    check(
        "CREATE TABLE t (a int, PRIMARY KEY (a)) WITH CLUSTERING ORDER BY a;",
        expect![[r#"
            DDL: after CLUSTERING ORDER BY stands a list such as (a ASC, b DESC)
        "#]],
    );
}

#[test]
fn options_of_tables_are_kept_as_they_are() {
    check(
        "CREATE KEYSPACE IF NOT EXISTS shop WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 2};
         USE shop;
         CREATE TABLE shop.t (p int, c int, v int, PRIMARY KEY (p, c))
           WITH CLUSTERING ORDER BY (c DESC) AND compaction = {'class':'LeveledCompactionStrategy','sstable_size_in_mb':16}
           AND gc_grace_seconds = 86400 AND default_time_to_live = 0 AND comment = 'it''s; a ''comment' AND bloom_filter_fp_chance=0.01;
         CREATE CUSTOM INDEX by_v ON shop.t (v) USING 'StorageAttachedIndex';
         CREATE TABLE u (p int PRIMARY KEY) WITH speculative_retry = 'NONE';",
        expect![[r#"
            t Wide, 4096 rows
              Partition(0) p int32 not null ≤500
              Clustering(0) c int32 not null desc ≤500
              Regular(0) v int32 ≤1000
              i1 on v
              with compaction = {'class': 'LeveledCompactionStrategy', 'sstable_size_in_mb': 16}
              with gc_grace_seconds = 86400
              with default_time_to_live = 0
              with comment = 'it''s; a ''comment'
              with bloom_filter_fp_chance = 0.01
            u Wide, 1 rows
              Partition(0) p int32 not null ≤1000
              with speculative_retry = 'NONE'
        "#]],
    );
}

#[test]
fn options_that_change_what_is_read_are_refused() {
    check(
        "CREATE TABLE t (p int PRIMARY KEY) WITH COMPACT STORAGE;",
        expect![[r#"
            table `t`: COMPACT STORAGE is not supported: leave it out: tables are made without it
        "#]],
    );
    check(
        "CREATE TABLE t (p int PRIMARY KEY) WITH default_time_to_live = 60 AND gc_grace_seconds = 10 AND cdc = true;
         CREATE TABLE u (p int PRIMARY KEY) WITH id = 5a1c395e-b41f-11e5-9f22-ba0be0483c18;",
        expect![[r#"
            DDL: expected AND or ; behind an option, found a1c395e
        "#]],
    );
    check(
        "CREATE TABLE t (p int PRIMARY KEY) WITH default_time_to_live = 60 AND gc_grace_seconds = 10;
         CREATE TABLE u (p int PRIMARY KEY) WITH default_time_to_live = 630720001;",
        expect![[r#"
            table `t`: gc_grace_seconds = 10 is not supported: give 3600 or more: deletions must be there as long as older writes may come
            table `u`: default_time_to_live = 630720001 is not supported: give whole seconds, at most 630720000 (20 years), or leave it out
        "#]],
    );
    check(
        "CREATE TABLE v (p int PRIMARY KEY, n counter) WITH default_time_to_live = 60;",
        expect![[r#"
            table `v`: default_time_to_live beside counters is not supported: leave it out: a counter lives for ever
        "#]],
    );
    check(
        "CREATE TABLE t (p int PRIMARY KEY) WITH gc_grace_seconds;",
        expect![[r#"
            DDL: option gc_grace_seconds has no value: write gc_grace_seconds = VALUE
        "#]],
    );
    check(
        "CREATE TABLE t (p int PRIMARY KEY) WITH a = 1 OR b = 2;",
        expect![[r#"
            DDL: expected AND or ; behind an option, found OR
        "#]],
    );
}

#[test]
fn a_keyspace_says_how_many_copies_there_are() {
    let says = |with: &str| match replication(&format!("CREATE KEYSPACE k WITH replication = {with}")) {
        Ok(found) => format!("{found:?}"),
        Err(error) => error.to_string(),
    };
    let all = [
        "{'class': 'SimpleStrategy', 'replication_factor': '2'}",
        "{'class':'org.apache.cassandra.locator.NetworkTopologyStrategy','dc1':3} AND durable_writes = true",
        "{'class': 'NetworkTopologyStrategy', 'dc1': 3, 'dc2': 1}",
        "{'class': 'LocalStrategy'}",
        "{'class': 'SimpleStrategy', 'replication_factor': '3/1'}",
        "{'class': 'SimpleStrategy', 'replication_factor': 1} AND durable_writes = false",
        "3",
    ];
    let shown: String = all.iter().map(|with| format!("{}\n", says(with))).collect();
    let expected = expect![[r#"
        Some(Replication { factor: 2, datacenter: None })
        Some(Replication { factor: 3, datacenter: Some("dc1") })
        DDL: keyspace `k`: replication in several data centres is not supported: name one
        DDL: keyspace `k`: replication by LocalStrategy is not supported: use SimpleStrategy or NetworkTopologyStrategy
        DDL: keyspace `k`: replication = {'class': 'SimpleStrategy', 'replication_factor': '3/1'}: copies are counted by a number above 0
        DDL: keyspace `k`: durable_writes = false is not supported: what was acknowledged may be lost; leave it out
        DDL: keyspace `k`: replication = 3 is none: write {'class': 'SimpleStrategy', 'replication_factor': 1}
    "#]];
    expected.assert_eq(&shown);
    assert_eq!(replication("CREATE TABLE t (a int PRIMARY KEY)"), Ok(None));
}
