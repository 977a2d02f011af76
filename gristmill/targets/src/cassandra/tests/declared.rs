//! Tables like those of somebody's keyspace.

use super::super::Cassandra;
use super::{LOCAL, World};
use crate::target::{Declared, Target};
use datagen::schema::{Definition, Schema, ddl};
use std::sync::Arc;

const TABLES: [&str; 7] = [
    "CREATE TYPE city (name text, \"Zip\" int)",
    "CREATE TYPE address (street text, place frozen<city>)",
    "CREATE TABLE orders (shop text, day date, nr int, \"Owner\" frozen<address> static, total decimal, tags set<text>, words list<text>,
     by_hour map<int, frozen<list<timestamp>>>, PRIMARY KEY (shop, day, nr))
     WITH CLUSTERING ORDER BY (day DESC, nr ASC) AND compaction = {'class': 'LeveledCompactionStrategy', 'sstable_size_in_mb': 8}
     AND gc_grace_seconds = 7200 AND speculative_retry = '77p' AND bloom_filter_fp_chance = 0.03",
    "CREATE INDEX by_total ON orders (total)",
    "CREATE TABLE counted (p int PRIMARY KEY, n counter)",
    "CREATE TABLE short (p int PRIMARY KEY, v text) WITH default_time_to_live = 60 AND gc_grace_seconds = 60",
    "CREATE INDEX by_tag ON orders (values(tags))",
];

pub(super) fn tables_like_those_of_a_keyspace_are_made_and_it_is_left_alone(world: &World<'_>) {
    let options = world.options();
    let cassandra = Cassandra::open(LOCAL, &options).unwrap();
    let theirs = format!("theirs{}", world.number);
    let replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}";
    let make = |statement: &str| cassandra.ask(|client| client.ask(statement)).map(drop).unwrap();
    make(&format!(
        "CREATE KEYSPACE {theirs} WITH replication = {replication}"
    ));
    for statement in TABLES {
        let named = statement.replace("CREATE TABLE ", &format!("CREATE TABLE {theirs}."));
        let named = named.replace("CREATE TYPE ", &format!("CREATE TYPE {theirs}."));
        make(&named.replace(" ON ", &format!(" ON {theirs}.")));
    }
    let limits = |ty| cassandra.limits(&ty);
    let read = |declared: &Declared| -> Schema { ddl::read(&declared.ddl, 7, &limits).unwrap() };
    let given = cassandra.declared(&theirs, &[]).unwrap();
    assert_eq!(
        given.left_out,
        ["table counted: counters", "table short: gc_grace_seconds = 60"]
    );
    assert_eq!(ddl::replication(&given.ddl).unwrap().map(|r| r.factor), Some(1));
    let schema = Arc::new(read(&given));
    let has = |option: &str| schema.table(0).options.iter().any(|own| own == option);
    assert!(
        has("gc_grace_seconds = 7200") && has("speculative_retry = '77p'"),
        "{:?}",
        schema.table(0).options
    );
    cassandra.prepare(&schema).unwrap();
    // Ours is declared as theirs is, but for names.
    let ours = cassandra.declared(&options.prefix, &[]).unwrap();
    assert_eq!(ours.left_out, [""; 0]);
    let bare = |schema: &Schema| -> Vec<Definition> {
        let nameless = |table: &Definition| Definition {
            name: String::new(),
            ..table.clone()
        };
        schema.tables.iter().map(|table| nameless(table)).collect()
    };
    assert_eq!(bare(&read(&ours))[..1], bare(&schema)[..1]);
    assert_eq!(cassandra.declared(&theirs, &[]).unwrap(), given);
    let one = cassandra.declared(&theirs, &["short".to_owned()]).unwrap();
    assert_eq!(read(&one).tables.len(), 1);
    let nowhere = cassandra.declared("nowhere", &[]).unwrap_err();
    assert!(
        nowhere.to_string().contains("there is no keyspace nowhere"),
        "{nowhere}"
    );
    cassandra.cleanup().unwrap();
    make(&format!("DROP KEYSPACE {theirs}"));
}
