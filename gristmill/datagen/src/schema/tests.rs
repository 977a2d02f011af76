use super::*;

fn column(id: u16, name: &str, ty: Type) -> Column {
    Column {
        id: ColumnId(id),
        name: name.to_owned(),
        ty,
        nullable: true,
        limits: Limits::default(),
    }
}

fn key(id: u16, name: &str, ty: Type) -> KeyColumn {
    let limits = Limits::default().for_key(100);
    KeyColumn {
        column: Column {
            nullable: false,
            limits,
            ..column(id, name, ty)
        },
        order: Order::Asc,
    }
}

fn table() -> Definition {
    let indexed = Column {
        limits: Limits::default().for_key(100),
        ..column(3, "b", Type::Int32)
    };
    Definition {
        name: "t".to_owned(),
        rows_max: 100,
        partition: vec![key(0, "p", Type::Int64)],
        clustering: vec![key(1, "c", Type::Text)],
        regular: vec![column(2, "a", Type::Float64), indexed],
        shared: vec![column(4, "s", Type::Bytes)],
        indexes: vec![Index {
            name: "i".to_owned(),
            columns: vec![ColumnId(3)],
            unique: false,
        }],
        ..Definition::default()
    }
}

#[test]
fn a_table_knows_its_columns_by_number() {
    let schema = Schema::new(vec![table()]).unwrap();
    let table = schema.table(schema.find("t").unwrap());
    assert_eq!(table.place(ColumnId(0)), Place::Partition(0));
    assert_eq!(table.place(ColumnId(1)), Place::Clustering(0));
    assert_eq!(table.place(ColumnId(3)), Place::Regular(1));
    assert_eq!(table.place(ColumnId(4)), Place::Shared(0));
    assert_eq!(
        (
            table.column(ColumnId(3)).name.as_str(),
            table.domain(ColumnId(3)).ty()
        ),
        ("b", Type::Int32)
    );
    assert_eq!((table.partitions().len(), table.rows().len()), (1 << 31, 100));
    assert_eq!(schema.find("u"), None);
}

#[test]
fn a_key_of_one_bool_has_two_partitions_and_no_clustering_key_one_row() {
    let small = Definition {
        size: SizeClass::Narrow { partitions: 64 },
        partition: vec![key(0, "p", Type::Bool)],
        clustering: vec![],
        ..table()
    };
    let schema = Schema::new(vec![small]).unwrap();
    assert_eq!(schema.tables[0].size, SizeClass::Narrow { partitions: 2 });
    assert_eq!(
        (schema.tables[0].partitions().len(), schema.tables[0].rows().len()),
        (2, 1)
    );
}

#[test]
fn a_plan_gives_the_schema_back() {
    let narrow = Definition {
        name: "n".to_owned(),
        size: SizeClass::Narrow { partitions: 12 },
        ..table()
    };
    let schema = Schema::new(vec![table(), narrow]).unwrap();
    let text = ::toml::to_string(&schema).unwrap();
    assert_eq!(::toml::from_str::<Schema>(&text).unwrap(), schema);
    let json = serde_json::to_string(&schema).unwrap();
    assert_eq!(serde_json::from_str::<Schema>(&json).unwrap(), schema);
}

#[test]
fn a_table_of_counters_counts() {
    let counters = Definition {
        regular: vec![column(2, "a", Type::Counter)],
        shared: vec![column(4, "s", Type::Counter)],
        indexes: vec![],
        ..table()
    };
    let schema = Schema::new(vec![
        counters,
        Definition {
            name: "u".to_owned(),
            ..table()
        },
    ])
    .unwrap();
    assert!(schema.tables[0].counts() && !schema.tables[1].counts());
    assert_eq!("counter".parse(), Ok(Type::Counter));
    assert!("list<counter>".parse::<Type>().is_err());
}

#[test]
fn tables_that_cannot_be_are_refused_by_name() {
    let refused = |change: &dyn Fn(&mut Definition)| {
        let mut table = table();
        change(&mut table);
        Schema::new(vec![table]).unwrap_err().to_string()
    };
    let told = [
        Schema::new(vec![]).unwrap_err().to_string(),
        Schema::new(vec![table(), table()]).unwrap_err().to_string(),
        refused(&|t| t.name.clear()),
        refused(&|t| t.partition.clear()),
        refused(&|t| t.rows_max = 0),
        refused(&|t| t.regular[0].name = "p".to_owned()),
        refused(&|t| t.regular[0].id = ColumnId(4)),
        refused(&|t| t.clustering[0].column.nullable = true),
        refused(&|t| t.clustering[0].column.limits.identity = false),
        refused(&|t| t.indexes[0].columns = vec![ColumnId(2)]),
        refused(&|t| t.indexes[0].columns = vec![ColumnId(4)]),
        refused(&|t| t.indexes[0].columns.clear()),
        refused(&|t| t.indexes[0].unique = true),
        refused(&|t| t.regular[1].limits.year_max = 0),
        refused(&|t| t.regular[0].ty = Type::Counter),
        refused(&|t| t.clustering[0].column.ty = Type::Counter),
        refused(&|t| {
            t.partition = (10..27)
                .map(|id| key(id, &format!("p{id}"), Type::Bool))
                .collect()
        }),
    ];
    expect_test::expect![[r#"
        the schema has no table: give at least one
        table `t` is defined twice
        table ``: `` is no name: use 1 to 40 characters
        table `t` has no key: give it at least one partition column
        table `t`: rows_max = 0: a partition has at least one row
        table `t`: column `p` is defined twice
        table `t`: columns `a` and `s` have the same id 4
        table `t`: key column `c` may be NULL: say that it may not
        table `t`: column `c` is in a key or an index: its limits need identity = true
        table `t`: column `a` is in a key or an index: its limits need identity = true
        table `t`: index `i` names column 4, which is no regular column
        table `t`: index `i` has no columns
        table `t`: index `i` is unique: only the primary key may be; leave `unique` out
        table `t`: column `b`: years 1 to 0 hold no day: give year_min <= year_max within -4712 to 292000
        table `t`: column `b` stands beside counters: all columns of such a table but its key are counters, none NOT NULL
        table `t`: column `c` is in a key or an index, and a counter has no order: use another column
        table `t`: a key of 17 columns: at most 16 are supported"#]]
    .assert_eq(&told.join("\n"));
}
