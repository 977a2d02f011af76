use std::collections::BTreeSet;

use super::*;
use crate::schema::summary;

/// All scalars.
fn everything(ty: Type) -> Option<Limits> {
    (!matches!(ty, Type::Composite(_))).then(Limits::default)
}

fn composites_too(_: Type) -> Option<Limits> {
    Some(Limits::default())
}

#[test]
fn composites_are_drawn_where_they_are_offered() {
    let mut kinds = BTreeSet::new();
    let (mut keys, mut indexes) = (0, 0);
    for seed in 0..60 {
        let options = SchemaOptions::default();
        let schema = draw(seed, &options, &composites_too).unwrap();
        let made = |ty: Type| matches!(ty, Type::Composite(_));
        for table in &schema.tables {
            let key = table.partition.iter().chain(&table.clustering);
            keys += key.filter(|key| made(key.column.ty)).count();
            let indexed = table.indexes.iter().flat_map(|index| &index.columns);
            indexes += indexed.filter(|id| made(table.column(**id).ty)).count();
        }
        let plain = draw(seed, &options, &everything).unwrap();
        let columns = schema.tables.iter().flat_map(|table| table.columns());
        let others = plain.tables.iter().flat_map(|table| table.columns());
        for (column, other) in columns.zip(others) {
            match column.ty {
                Type::Composite(composite) => drop(kinds.insert((composite.kind, composite.frozen))),
                // Nothing else is drawn in another way.
                _ => assert_eq!(column, other, "seed {seed}"),
            }
        }
        assert!(
            schema.tables.iter().all(|table| table.regular[0].ty.sums()),
            "seed {seed}"
        );
    }
    assert_eq!(kinds.len(), 10, "{kinds:?}");
    assert!(keys > 10 && indexes > 10, "{keys} {indexes}");
}

#[test]
fn the_same_seed_draws_the_same_schema() {
    let options = SchemaOptions::default();
    for seed in 0..8 {
        let (one, two) = (
            draw(seed, &options, &everything).unwrap(),
            draw(seed, &options, &everything).unwrap(),
        );
        assert_eq!(one, two);
        let text = ::toml::to_string(&one).unwrap();
        assert_eq!(::toml::from_str::<Schema>(&text).unwrap(), one, "{text}");
    }
    assert_ne!(
        draw(1, &options, &everything).unwrap(),
        draw(2, &options, &everything).unwrap()
    );
}

#[test]
fn every_seed_reaches_what_the_workload_can_do() {
    let mut types = BTreeSet::new();
    for seed in 0..60 {
        let schema = draw(seed, &SchemaOptions::default(), &everything).unwrap();
        let (wide, narrow) = (&schema.tables[0], &schema.tables[1]);
        assert!(
            !wide.clustering.is_empty() && !wide.shared.is_empty(),
            "seed {seed}"
        );
        assert!(
            wide.partitions().len() >= 1 << 16,
            "seed {seed}: {}",
            wide.partitions().len()
        );
        assert!(
            matches!(narrow.size, SizeClass::Narrow { partitions } if u64::from(partitions) == narrow.partitions().len())
        );
        assert!(
            (2..=64).contains(&narrow.partitions().len()),
            "seed {seed}: {}",
            narrow.partitions().len()
        );
        assert!(!narrow.indexes.is_empty(), "seed {seed}");
        for table in &schema.tables {
            assert!(table.regular[0].ty.sums(), "seed {seed}");
            assert!(
                table.clustering.is_empty() || table.rows().len() >= 64,
                "seed {seed}: {}",
                table.rows().len()
            );
            types.extend(table.columns().map(|column| column.ty));
        }
    }
    assert_eq!(types, MENU.into_iter().collect());
}

#[test]
fn types_that_a_target_lacks_are_not_drawn() {
    let offered = |ty| matches!(ty, Type::Bool | Type::Text).then(Limits::default);
    for seed in 0..20 {
        let schema = draw(seed, &SchemaOptions::default(), &offered).unwrap();
        assert!(
            schema
                .tables
                .iter()
                .flat_map(|table| table.columns())
                .all(|column| offered(column.ty).is_some())
        );
        assert!(schema.tables[0].partitions().len() > 1000);
    }
    let none = SchemaOptions {
        types: vec![Type::Uuid],
        ..SchemaOptions::default()
    };
    assert_eq!(
        draw(1, &none, &offered).unwrap_err().to_string(),
        "the target offers none of the types to draw from: uuid"
    );
    let impossible = SchemaOptions {
        partition: between(0, 3),
        ..SchemaOptions::default()
    };
    assert_eq!(
        draw(1, &impossible, &everything).unwrap_err().to_string(),
        "partition = 0 to 3 is impossible: give min <= max within 1 to 16"
    );
}

#[test]
fn one_more_column_changes_no_other() {
    let few = SchemaOptions {
        regular: between(3, 3),
        ..SchemaOptions::default()
    };
    let many = SchemaOptions {
        regular: between(4, 4),
        ..SchemaOptions::default()
    };
    let types = |options: &SchemaOptions| -> Vec<Type> {
        let schema = draw(5, options, &composites_too).unwrap();
        schema.tables[0]
            .columns()
            .filter(|column| column.name != "r4")
            .map(|column| column.ty)
            .collect()
    };
    assert_eq!(types(&few), types(&many));
}

#[test]
fn the_schema_of_a_seed_does_not_change() {
    let schema = draw(42, &SchemaOptions::default(), &everything).unwrap();
    expect_test::expect![[r#"
        t1 Wide, 5304 rows
          Partition(0) p1 int8 not null ≤200
          Partition(1) p2 text not null ≤200
          Partition(2) p3 date not null ≤200
          Clustering(0) c1 numeric(18,6) not null ≤200
          Clustering(1) c2 int16 not null ≤200
          Regular(0) r1 int32 ≤10000
          Regular(1) r2 text ≤10000
          Regular(2) r3 int64 ≤10000
          Regular(3) r4 float64 ≤10000
          Regular(4) r5 bool ≤10000
          Regular(5) r6 bytes ≤10000
          Shared(0) s1 bytes ≤10000
        t2 Narrow { partitions: 36 }, 13696 rows
          Partition(0) p1 ascii not null ≤166
          Partition(1) p2 text not null ≤166
          Partition(2) p3 time not null ≤166
          Clustering(0) c1 date not null desc ≤166
          Clustering(1) c2 int64 not null ≤166
          Clustering(2) c3 int32 not null ≤166
          Regular(0) r1 int8 ≤10000
          Regular(1) r2 bytes ≤10000
          Regular(2) r3 float64 ≤500
          Regular(3) r4 int8 ≤500
          Regular(4) r5 timestamp ≤10000
          Shared(0) s1 int64 ≤10000
          Shared(1) s2 numeric(5,2) ≤10000
          Shared(2) s3 ascii ≤10000
          i1 on r3, r4
    "#]]
    .assert_eq(&summary(&schema));
}
