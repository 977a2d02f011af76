//! Lists of the visits of each partition, kept beside it.

use super::*;
use datagen::schema::{Column, ColumnId, Definition, KeyColumn};
use datagen::value::{Order, Type};

/// The schema that has everything, with a list for its wide table.
fn listed() -> Arc<Schema> {
    let mut tables: Vec<Definition> = everything()
        .tables
        .iter()
        .map(|t| t.definition().clone())
        .collect();
    let column = |id, name: &str, nullable| Column {
        id: ColumnId(id),
        name: name.to_owned(),
        ty: Type::Int64,
        nullable,
        limits: datagen::domain::Limits::default().for_key(64),
    };
    tables.push(Definition {
        name: format!("wide{VISITS}"),
        clustering: vec![KeyColumn {
            column: column(7, "nth", false),
            order: Order::Asc,
        }],
        regular: vec![column(8, "visit", true)],
        options: Vec::new(),
        shared: Vec::new(),
        indexes: Vec::new(),
        rows_max: 1 << 31,
        ..tables[0].clone()
    });
    Arc::new(Schema::new(tables).unwrap())
}

fn kept(mut config: Config) -> Partitions {
    config.bookkeeping = true;
    for visit in &mut config.visits {
        visit.strict = false;
    }
    let alone = TableOptions {
        weight: Some(0),
        ..TableOptions::default()
    };
    config.tables.insert(format!("wide{VISITS}"), alone);
    Partitions::new(config, 11, listed()).unwrap()
}

#[test]
fn every_visit_leaves_its_number_beside_each_partition_that_it_writes() {
    for config in [Config::default(), Config::default().lww()] {
        let p = kept(config);
        let list = p.list(0).expect("the wide table has one");
        let mut reads = 0;
        for visit in visits(&p, 1..600) {
            let wide = visit.writes.iter().filter(|part| part.table == 0);
            let due: Vec<Op> = wide.map(|part| list.entry(*part, visit.lts)).collect();
            let entries: BTreeSet<String> = ops(&visit)
                .filter(|op| op.part().table == 3)
                .map(|op| format!("{op:?}"))
                .collect();
            assert_eq!(
                entries,
                due.iter().map(|op| format!("{op:?}")).collect(),
                "{visit:?}"
            );
            assert!(due.is_empty() || visit.end != End::Autocommit, "{visit:?}");
            let mut writes = Vec::new();
            p.writes(visit.lts, &mut writes);
            assert_eq!(writes, visit.writes);
            reads += queries(&visit).filter(|query| query.table == 3).count();
        }
        assert!(reads > 3, "lists are read: {reads}");
    }
}

#[test]
fn the_writers_of_a_list_are_those_of_its_partition() {
    let p = kept(Config::default());
    for (part, writers) in enumerate(&p, 400).into_iter().filter(|(part, _)| part.table == 3) {
        let mut found = BTreeSet::new();
        let mut next = p.writer_after(part, Lts(0));
        while let Some(lts) = next.filter(|lts| lts.0 < 400) {
            found.insert(lts.0);
            next = p.writer_after(part, lts);
        }
        assert_eq!(found, writers, "{part:?}");
        let last = p.writer_before(part, Lts(400)).map(|lts| lts.0);
        assert_eq!(last, writers.last().copied());
    }
}

#[test]
fn a_strict_insert_has_no_place_for_its_number() {
    let config = Config {
        bookkeeping: true,
        ..Config::default()
    };
    let error = Partitions::new(config, 1, everything()).expect_err("strict inserts stand alone");
    assert!(error.to_string().contains("without bookkeeping"), "{error}");
}
