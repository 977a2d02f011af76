use super::*;
use std::sync::Arc;

fn plan(target: &str, name: &str, ddl: &str) -> Result<crate::plan::Plan, PlanError> {
    let settings = Settings {
        seed: Some("7".parse().unwrap()),
        target: Some(target.to_owned()),
        schema_text: Some((name.to_owned(), ddl.to_owned())),
        ..Settings::default()
    };
    settings.plan(&(Arc::new(|_: &str| None) as targets::target::Environment))
}

const TABLE: &str = "CREATE TABLE t (p int, c int, v int, PRIMARY KEY (p, c)) WITH compaction = {'class': 'LeveledCompactionStrategy'};";

#[test]
fn copies_and_options_of_a_given_schema_are_those_of_the_run() {
    let text = format!(
        "CREATE KEYSPACE shop WITH replication = {{'class': 'NetworkTopologyStrategy', 'east': 3}}; {TABLE}"
    );
    let made = plan("cassandra://h", "shop.cql", &text).unwrap();
    assert_eq!(made.target, "cassandra://h?rf=3&dc=east");
    assert_eq!(
        made.schema.table(0).options,
        ["compaction = {'class': 'LeveledCompactionStrategy'}"]
    );
    assert_eq!(made.left_out, [""; 0]);
    let read = crate::plan::Plan::read(&made.write()).unwrap();
    assert_eq!(read, made);
    let local = plan("cassandra:local?nodes=3", "shop.cql", &text).unwrap();
    assert_eq!(local.target, "cassandra:local?nodes=3&rf=3");
    let says = |target: &str| {
        plan(target, "shop.cql", &text)
            .map(|plan| plan.target)
            .unwrap_err()
            .to_string()
    };
    assert!(
        says("cassandra://h?rf=2").contains("its keyspace keeps 3 copies, and cassandra://h?rf=2 says rf=2")
    );
    assert!(says("cassandra:local").contains("rf=3 needs as many nodes"));
}

#[test]
fn what_another_database_has_no_words_for_is_named() {
    let text = format!(
        "CREATE KEYSPACE shop WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 2}}; {TABLE}"
    );
    let made = plan("reference:", "shop.cql", &text).unwrap();
    assert_eq!(
        made.left_out,
        [
            "replication of the keyspace: reference copies nothing",
            "table t: compaction = {'class': 'LeveledCompactionStrategy'}: reference has no such options",
        ]
    );
    assert_eq!(
        plan("reference:", "t.sql", "CREATE TABLE t (p int PRIMARY KEY)")
            .unwrap()
            .left_out,
        [""; 0]
    );
}

#[test]
fn a_keyspace_is_named_on_a_cluster_that_can_have_it() {
    let says = |target: &str, schema: &str| {
        let settings = Settings {
            target: Some(target.to_owned()),
            schema: Some(schema.to_owned()),
            ..Settings::default()
        };
        let refused = settings.plan(&(Arc::new(|_: &str| None) as targets::target::Environment));
        refused.unwrap_err().to_string()
    };
    let says_so = [
        (
            "sqlite:",
            "keyspace:shop",
            "it has no keyspaces whose tables could be read",
        ),
        (
            "cassandra:local",
            "keyspace:shop",
            "a node of our own has no keyspace shop",
        ),
        (
            "cassandra://h/shop?rf=1",
            "keyspace:shop",
            "tables like those of shop would be made in it",
        ),
        ("cassandra://h", "keyspace:", "keyspace: names none"),
    ];
    for (target, schema, words) in says_so {
        let said = says(target, schema);
        assert!(said.contains(words), "{said}");
    }
}
