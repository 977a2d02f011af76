use expect_test::{Expect, expect};

use super::*;
use crate::domain::Limits;
use crate::schema::summary;
use crate::value::Type;

fn everything(_: Type) -> Option<Limits> {
    Some(Limits::default())
}

fn check(text: &str, expected: Expect) {
    let no_uuid = |ty| if ty == Type::Uuid { None } else { everything(ty) };
    let shown = match read(text, 7, &no_uuid) {
        Ok(schema) => summary(&schema),
        Err(errors) => errors.iter().map(|error| format!("{error}\n")).collect(),
    };
    expected.assert_eq(&shown);
}

#[test]
fn a_table_is_read_as_it_is_written() {
    check(
        r#"
        [[table]]
        name = "accounts"
        partition = ["id int64"]
        clustering = ["day date desc", "seq int32"]
        regular = ["balance numeric(12, 2) NOT NULL", "note text"]
        shared = ["owner text"]
        indexes = [["balance"], ["note", "balance"]]
        partitions = 60
        rows = 1000

        [[table]]
        name = "log"
        partition = ["host ascii not null", "up bool not null desc"]
        "#,
        expect![[r#"
            accounts Narrow { partitions: 60 }, 1000 rows
              Partition(0) id int64 not null ≤333
              Clustering(0) day date not null desc ≤333
              Clustering(1) seq int32 not null ≤333
              Regular(0) balance numeric(12,2) not null ≤500
              Regular(1) note text ≤500
              Shared(0) owner text ≤10000
              i1 on balance
              i2 on note, balance
            log Wide, 1 rows
              Partition(0) host ascii not null ≤500
              Partition(1) up bool not null desc ≤500
        "#]],
    );
}

#[test]
fn every_mistake_is_told_at_once() {
    check(
        r#"
        [[table]]
        name = "t"
        partition = ["id bigint", "k int64 null"]
        regular = ["a", "b uuid", "c numeric(40,2)", "d text desc", "e text"]
        indexes = [["e", "id"], []]
        "#,
        expect![[r#"
            table `t`: column `id`: unknown type `bigint`: use bool, int8, int16, int32, int64, float32, float64, numeric(P,S) with S <= P <= 38, text, ascii, bytes, uuid, date, time, timestamp, timestamptz, inet, varint, decimal, duration, timeuuid, counter, or of these (but for counter) list<T>, set<T>, map<K,V>, tuple<T,…>, udt<name:T,…>, vector<T,N>, each perhaps as frozen<…>, as it is within another
            table `t`: `k int64 null` is no column: write NAME TYPE, then `not null` or, in a key, `desc`
            table `t`: `a` is no column: write NAME TYPE, then `not null` or, in a key, `desc`
            table `t`: column `c`: unknown type `numeric(40,2)`: use bool, int8, int16, int32, int64, float32, float64, numeric(P,S) with S <= P <= 38, text, ascii, bytes, uuid, date, time, timestamp, timestamptz, inet, varint, decimal, duration, timeuuid, counter, or of these (but for counter) list<T>, set<T>, map<K,V>, tuple<T,…>, udt<name:T,…>, vector<T,N>, each perhaps as frozen<…>, as it is within another
            table `t`: `d text desc` is no column: write NAME TYPE, then `not null` or, in a key, `desc`
        "#]],
    );
    check(
        "[[table]]\nname = 't'\npartition = ['id uuid']\nregular = ['a text']\nindexes = [['b']]",
        expect![[r#"
            table `t`: column `id`: the target does not offer uuid; use another type
            table `t`: an index names `b`, which is no regular column of it
        "#]],
    );
    check(
        "[[table]]\nname = 't'\npartition = []",
        expect![[r#"
        table `t` has no key: give it at least one partition column
    "#]],
    );
    check(
        "[[table]]\nname = 't'\npartition = ['a int8']\nregular = ['a int8']",
        expect![[r#"
            table `t`: column `a` is defined twice
        "#]],
    );
    check(
        "[[table]]\nname = 't'\npartition = ['a int8']\nrows = 0",
        expect![[r#"
            table `t`: rows_max = 0: a partition has at least one row
        "#]],
    );
    check(
        "",
        expect![[r#"
        TOML parse error at line 1, column 1
          |
        1 | 
          | ^
        missing field `table`
    "#]],
    );
    check(
        "[[table]]\nname = 't'\npartitoin = ['id int64']",
        expect![[r#"
            TOML parse error at line 3, column 1
              |
            3 | partitoin = ['id int64']
              | ^^^^^^^^^
            unknown field `partitoin`, expected one of `name`, `partition`, `clustering`, `regular`, `shared`, `indexes`, `partitions`, `rows`, `options`
        "#]],
    );
}
