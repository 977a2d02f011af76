//! What a user can get wrong, and what is said.

use expect_test::{Expect, expect};

use super::*;

fn refused(change: impl FnOnce(&mut Config), expected: &Expect) {
    let mut config = Config::default();
    change(&mut config);
    let error = Partitions::new(config, 1, everything()).expect_err("it must be refused");
    expected.assert_eq(&error.to_string());
}

#[test]
fn all_mistakes_are_told_at_once() {
    refused(
        |c| {
            c.sessions = 0;
            c.shapes.absent_in_16 = 17;
            c.values.null_in_256 = 300;
            c.rows.per_visit = 0;
            c.writes = Writes::NONE;
            c.tables.insert("tabel".to_owned(), TableOptions::default());
            c.visits[1].writes = 2;
            c.visits[4].writes = 2;
        },
        &expect![[r#"
            `sessions` is 0: at least 1 is needed
            `writes` is all 0: give at least one kind a weight
            `shapes.absent-in-16` is 17: at most 16 of 16 are possible
            `values.null-in-256` is 300: at most 256 of 256 are possible
            `rows.per-visit` is 0: at least 1 is needed
            `visits[1] (insert-strict).autocommit` is true: it needs exactly one write or read
            `visits[1] (insert-strict).strict` is true: a strict insert stands alone in its visit
            `visits[4] (spread).writes` is 2: each partition needs a write, each write a partition
            `tables.tabel` is given: the schema has no such table; it has wide, narrow, bare"#]],
    );
}

#[test]
fn a_workload_that_never_writes_is_refused() {
    refused(
        |c| c.visits.retain(|v| v.partitions == 0),
        &expect![
            "`visits` is without a kind that writes: nothing would ever be there to read: give one a weight"
        ],
    );
    refused(
        |c| {
            for table in ["wide", "narrow", "bare"] {
                c.tables.insert(
                    table.to_owned(),
                    TableOptions {
                        weight: Some(0),
                        popularity: None,
                        conditional: false,
                    },
                );
            }
        },
        &expect!["`tables` is all of weight 0: give at least one table a weight"],
    );
}

#[test]
fn weights_that_do_not_fit_together_are_refused() {
    refused(
        |c| {
            c.tables.insert(
                "wide".to_owned(),
                TableOptions {
                    weight: Some(9967),
                    popularity: None,
                    conditional: false,
                },
            );
        },
        &expect![
            "weights come out exactly only in blocks of 996900 visits, at most 65536 are possible: choose role counts and share weights with smaller sums or common factors"
        ],
    );
    refused(
        |c| c.wide = Popularity::List { positions: vec![] },
        &expect!["popularity of table `wide`: share 0: no members"],
    );
    refused(
        |c| c.wide = Popularity::Window { width: 0, repeats: 1 },
        &expect![
            "popularity of table `wide`: share 0: a window of width 0 with 1 repeats; both must be at least 1 and at most 2^20"
        ],
    );
    refused(
        |c| c.narrow = Popularity::List { positions: vec![40] },
        &expect!["popularity of table `narrow`: share 2 goes up to partition 41, but table 1 has only 32"],
    );
}

#[test]
fn a_table_weight_beyond_counting_is_refused() {
    refused(
        |c| {
            c.tables.insert(
                "wide".to_owned(),
                TableOptions {
                    weight: Some(u32::MAX),
                    popularity: None,
                    conditional: false,
                },
            );
        },
        &expect!["`tables.wide.weight` is 4294967295: at most 10000 is possible"],
    );
}

#[test]
fn a_configuration_survives_its_file() {
    for (profile, _) in names() {
        for config in [named(profile), named(profile).swarm(5)] {
            let text = toml::to_string(&config).expect("a configuration can be written");
            let read: Config = toml::from_str(&text).expect("and read");
            assert_eq!(read, config);
        }
    }
    let partial: Config = toml::from_str("sessions = 3\n[writes]\ninsert = 7\n").unwrap();
    assert_eq!(
        partial.writes,
        Writes {
            insert: 7,
            ..Writes::default()
        }
    );
    assert_eq!(partial.visits, Config::default().visits);
    let unknown = toml::from_str::<Config>("sesions = 3\n").unwrap_err().to_string();
    assert!(unknown.contains("unknown field `sesions`"), "{unknown}");
}

#[test]
fn a_swarm_switches_kinds_off_but_never_all_of_them() {
    let mut writes: BTreeSet<usize> = BTreeSet::new();
    for seed in 0..300 {
        for (profile, _) in names() {
            let config = named(profile).swarm(seed);
            assert_eq!(config.check(), vec![], "{profile} {seed}");
            writes.insert(config.writes.weights().iter().filter(|&&w| w > 0).count());
            assert!(config.writes.insert + config.writes.upsert > 0);
            assert!(config.visits.iter().any(|v| v.weight > 0 && v.reads > 0));
            assert_eq!(config, named(profile).swarm(seed));
        }
    }
    assert!(writes.contains(&10) && writes.contains(&4), "{writes:?}");
}

#[test]
fn every_swarm_can_be_built() {
    for seed in 0..60 {
        for (profile, _) in names() {
            workload(named(profile).swarm(seed), seed);
        }
    }
}
