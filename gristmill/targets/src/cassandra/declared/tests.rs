use super::*;
use expect_test::expect;

fn column(name: &str, kind: &str, position: i64, ty: &str) -> ColumnOf {
    ColumnOf {
        name: name.to_owned(),
        kind: kind.to_owned(),
        position,
        ty: ty.to_owned(),
        descending: name == "day",
    }
}

fn shop() -> Catalog {
    let orders = Described {
        flags: "{'compound'}".to_owned(),
        options: [
            "compaction = {'class':'LeveledCompactionStrategy'}",
            "default_time_to_live = 60",
            "gc_grace_seconds = 864000",
        ]
        .map(str::to_owned)
        .to_vec(),
        columns: vec![
            column("Owner", "static", -1, "frozen<address>"),
            column("day", "clustering", 0, "date"),
            column("nr", "clustering", 1, "int"),
            column("shop", "partition_key", 0, "text"),
            column("tags", "regular", -1, "list<text>"),
            column("total", "regular", -1, "decimal"),
            column("when", "partition_key", 1, "timeuuid"),
            column("hits", "regular", -1, "map<text, frozen<list<int>>>"),
        ],
        indexes: vec![
            (
                "by_total".to_owned(),
                indexed("{'class_name':'sai','target':'total'}"),
            ),
            ("by_day".to_owned(), indexed("{'target':'day'}")),
            ("by_hits".to_owned(), indexed("{'target':'values(hits)'}")),
            (
                "words".to_owned(),
                indexed("{'target':'total','index_analyzer':'standard'}"),
            ),
        ],
    };
    let named = |name: &str, flags: &str, ty: &str| {
        let columns = vec![
            column("p", "partition_key", 0, ty),
            column("v", "regular", -1, "int"),
        ];
        let flags = flags.to_owned();
        let table = Described {
            flags,
            columns,
            ..Described::default()
        };
        (name.to_owned(), table)
    };
    let udt = |name: &str, fields: &[(&str, &str)]| Udt {
        name: name.to_owned(),
        fields: fields
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect(),
    };
    let mut tables = BTreeMap::from([
        named("counted", "{'compound','counter'}", "int"),
        named("old", "{'dense'}", "int"),
        named("keyed", "{'compound'}", "frozen<address>"),
        // Values of a class of the server's own: nobody here knows their order.
        named(
            "shapes",
            "{'compound'}",
            "'org.apache.cassandra.db.marshal.LexicalUUIDType'",
        ),
    ]);
    tables.insert("orders".to_owned(), orders);
    Catalog {
        keyspace: "shop".to_owned(),
        replication: Some(
            "{'class':'org.apache.cassandra.locator.SimpleStrategy','replication_factor':'2'}".to_owned(),
        ),
        durable: true,
        types: vec![
            udt("address", &[("street", "text"), ("place", "frozen<city>")]),
            udt("city", &[("name", "text"), ("Zip", "int")]),
            udt("counts", &[("n", "counter")]),
        ],
        tables,
        others: vec![("materialized view", "by_street".to_owned())],
    }
}

#[test]
fn tables_of_a_keyspace_are_written_down_and_what_cannot_be_is_named() {
    let limits = |_: Type| Some(Limits::default());
    // As on Cassandra, where an unfrozen list is nothing that can be exercised.
    let lists = |ty: Type| {
        (!ty.to_string().starts_with("list<"))
            .then(|| limits(ty))
            .flatten()
    };
    let declared = shop().declared(&[], &lists).unwrap();
    expect![[r#"
        CREATE KEYSPACE "shop" WITH replication = {'class':'org.apache.cassandra.locator.SimpleStrategy','replication_factor':'2'};
        CREATE TYPE "city" ("name" text, "Zip" int);
        CREATE TYPE "address" ("street" text, "place" frozen<city>);
        CREATE TABLE "keyed" (
          "p" frozen<address>,
          "v" int,
          PRIMARY KEY (("p"))
        );
        CREATE TABLE "orders" (
          "shop" text,
          "when" timeuuid,
          "day" date,
          "nr" int,
          "hits" map<text, frozen<list<int>>>,
          "total" decimal,
          "Owner" frozen<address> static,
          PRIMARY KEY (("shop", "when"), "day", "nr")
        ) WITH CLUSTERING ORDER BY ("day" DESC, "nr" ASC)
          AND compaction = {'class':'LeveledCompactionStrategy'}
          AND default_time_to_live = 60
          AND gc_grace_seconds = 864000;
        CREATE INDEX "by_total" ON "orders" ("total");
        CREATE INDEX "by_hits" ON "orders" ("hits");
    "#]].assert_eq(&declared.ddl);
    expect![[r#"
        type counts
        table counted: counters
        table old: COMPACT STORAGE
        column orders.tags list<text>
        index by_day on orders (day)
        index words on orders (total, index_analyzer = standard)
        table shapes: its key has column p 'org.apache.cassandra.db.marshal.LexicalUUIDType'
        materialized view by_street
    "#]]
    .assert_eq(&format!("{}\n", declared.left_out.join("\n")));
    assert_eq!(ddl::read(&declared.ddl, 1, &lists).unwrap().tables.len(), 2);
    assert_eq!(ddl::replication(&declared.ddl).unwrap().unwrap().factor, 2);
}

#[test]
fn a_keyspace_of_which_nothing_can_be_taken_over_is_refused() {
    let limits = |_: Type| Some(Limits::default());
    let refused = |catalog: &Catalog, wanted: &[&str]| {
        let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
        let (what, remedy) = catalog.declared(&wanted, &limits).unwrap_err();
        format!("{what}: {remedy}\n")
    };
    let all = [
        refused(&shop(), &["counted", "old"]),
        refused(&shop(), &["shapes"]),
        refused(&shop(), &["order"]),
        refused(
            &Catalog {
                keyspace: "nowhere".to_owned(),
                ..Catalog::default()
            },
            &[],
        ),
        refused(
            &Catalog {
                replication: Some("{'class':'SimpleStrategy','replication_factor':'1'}".to_owned()),
                keyspace: "empty".to_owned(),
                durable: true,
                ..Catalog::default()
            },
            &[],
        ),
    ];
    expect![[r#"
        nothing of keyspace shop can be exercised: left out would be type counts; table counted: counters; table old: COMPACT STORAGE: name another
        nothing of keyspace shop can be exercised: left out would be type counts; table shapes: its key has column p 'org.apache.cassandra.db.marshal.LexicalUUIDType': name another
        keyspace shop has no table order: its tables are counted, keyed, old, orders, shapes
        there is no keyspace nowhere: name one that is there; without --schema the tables are drawn
        nothing of keyspace empty can be exercised: it has no table: name another
    "#]].assert_eq(&all.concat());
}
