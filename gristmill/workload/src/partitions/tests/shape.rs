//! What operations and reads look like: every kind is reached, and none asks for what a table cannot do.

use datagen::schema::{ColumnId, SizeClass, Table};

use super::*;

#[test]
fn points_touch_one_row_a_visit() {
    let p = workload(named("points"), 5);
    for visit in visits(&p, 1..3000) {
        assert_eq!(visit.steps.len(), 1, "visit {}", visit.lts);
        let one = ops(&visit).all(|op| op.row().is_some())
            && queries(&visit).all(|q| matches!((&q.parts, &q.rows), (Parts::One(_), RowChoice::One(_))));
        assert!(one, "visit {}: {:?}", visit.lts, visit.steps);
    }
}

#[test]
fn every_kind_of_write_and_read_is_reached() {
    let p = workload(Config::default(), 37);
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut joins: BTreeSet<bool> = BTreeSet::new();
    let mut aggregates: BTreeSet<&str> = BTreeSet::new();
    let mut bounds: BTreeSet<(Option<bool>, Option<bool>)> = BTreeSet::new();
    let mut indexed: BTreeSet<bool> = BTreeSet::new();
    let (mut offsets, mut tables, mut one_key_in) = (0, 0, 0);
    for visit in visits(&p, 1..6000) {
        seen.extend(ops(&visit).map(Op::kind));
        for query in queries(&visit) {
            seen.insert(query.kind());
            match query.from {
                From::InnerJoin => joins.insert(true),
                From::LeftJoin => joins.insert(false),
                From::Table | From::Shared => false,
            };
            if let Select::Aggregates(list) | Select::Group { aggregates: list, .. } = &query.select {
                aggregates.extend(list.iter().map(|a| match a {
                    Aggregate::CountRows => "count(*)",
                    Aggregate::Count(_) => "count",
                    Aggregate::Min(_) => "min",
                    Aggregate::Max(_) => "max",
                    Aggregate::Sum(_) => "sum",
                    Aggregate::Avg(_) => "avg",
                }));
            }
            if let RowChoice::Slice(slice) = &query.rows {
                bounds.insert((slice.lower.map(|b| b.1), slice.upper.map(|b| b.1)));
            }
            let table = &p.schema.tables[usize::from(query.table)];
            indexed.extend(
                query
                    .filter
                    .iter()
                    .map(|f| table.indexes.iter().any(|i| i.columns.contains(&f.column))),
            );
            offsets += u32::from(query.offset > 0);
            tables += u32::from(query.parts == Parts::All);
            one_key_in += u32::from(matches!(&query.parts, Parts::In(list) if list.len() > 1));
        }
    }
    let kinds = [
        "insert",
        "insert-strict",
        "upsert",
        "update",
        "shared",
        "delete-row",
        "delete-cells",
        "delete-range",
        "delete-slice",
        "delete-partition",
        "read-partition",
        "read-row",
        "read-in",
        "read-slice",
        "read-range",
        "read-limit",
        "read-partitions",
        "read-table",
        "read-shared",
        "read-join",
        "read-predicate",
        "read-aggregate",
        "read-group",
        "read-distinct",
    ];
    assert_eq!(seen, BTreeSet::from(kinds));
    assert_eq!(joins.len(), 2);
    assert_eq!(
        aggregates,
        BTreeSet::from(["count(*)", "count", "min", "max", "sum"])
    );
    assert_eq!(
        bounds.len(),
        9,
        "open, closed and absent at both ends: {bounds:?}"
    );
    assert_eq!(indexed.len(), 2);
    assert!(offsets > 0 && tables > 0 && one_key_in > 0);
}

fn column(table: &Table, id: ColumnId) -> (bool, &datagen::schema::Column) {
    let keys = table
        .partition
        .iter()
        .chain(&table.clustering)
        .map(|key| (true, &key.column));
    let others = table
        .regular
        .iter()
        .chain(&table.shared)
        .map(|column| (false, column));
    keys.chain(others)
        .find(|(_, column)| column.id == id)
        .expect("a column of the table")
}

#[test]
fn cells_are_in_their_domains_and_sorted() {
    for (profile, _) in names() {
        let p = workload(named(profile), 41);
        let (mut nulls, mut specials, mut partial) = (0, 0, 0);
        for visit in visits(&p, 1..2000) {
            for op in ops(&visit) {
                let table = &p.schema.tables[usize::from(op.part().table)];
                let (cells, new, all) = match op {
                    Op::Insert { cells, .. } | Op::Upsert { cells, .. } => (cells, true, &table.regular),
                    Op::Update { cells, .. } => (cells, false, &table.regular),
                    Op::Shared { cells, .. } => (cells, true, &table.shared),
                    _ => continue,
                };
                assert!(new || !cells.is_empty());
                assert!(cells.windows(2).all(|pair| pair[0].0 < pair[1].0));
                partial += u32::from(cells.len() < all.len());
                for (id, cell) in cells {
                    let column = all
                        .iter()
                        .find(|c| c.id == *id)
                        .expect("a column of this part of the table");
                    let domain = table.domain(*id);
                    match cell {
                        None => {
                            assert!(column.nullable);
                            nulls += 1;
                        }
                        Some(d) => {
                            assert!(u128::from(*d) < domain.size());
                            specials += u32::from(domain.special_name(*d).is_some());
                        }
                    }
                }
                let missing = all.iter().filter(|c| !cells.iter().any(|(id, _)| *id == c.id));
                assert!(
                    !new || missing.into_iter().all(|c| c.nullable),
                    "a new row needs its NOT NULL columns"
                );
            }
        }
        assert!(
            nulls > 20 && specials > 20 && partial > 20,
            "{profile}: {nulls} {specials} {partial}"
        );
    }
}

#[test]
fn rows_and_slices_are_in_their_universes() {
    let p = workload(Config::default(), 43);
    for visit in visits(&p, 1..3000) {
        for op in ops(&visit) {
            let table = &p.schema.tables[usize::from(op.part().table)];
            assert!(op.part().position < table.partitions().len());
            match op {
                Op::Insert { row, .. }
                | Op::Upsert { row, .. }
                | Op::Update { row, .. }
                | Op::DeleteRow { row, .. } => {
                    assert!(*row < table.rows().len());
                }
                Op::DeleteSlice { slice, .. } => {
                    let range = table.rows().range(slice);
                    assert!(range.end <= table.rows().len());
                }
                Op::DeleteCells { columns, .. } => {
                    assert!(!columns.is_empty() && columns.windows(2).all(|pair| pair[0] < pair[1]));
                }
                Op::Shared { .. } | Op::DeletePartition { .. } => {}
                Op::Elements { .. } | Op::Add { .. } => panic!("only under lww: {op:?}"),
            }
        }
    }
}

#[test]
fn slices_hit_rows_that_operations_write() {
    let p = workload(Config::default(), 47);
    let (mut hits, mut all) = (0, 0);
    for visit in visits(&p, 1..4000) {
        for query in queries(&visit) {
            if let (RowChoice::Slice(slice), Parts::One(position)) = (&query.rows, &query.parts) {
                let view = &p.views[usize::from(query.table)];
                let range = view.universe.range(slice);
                all += 1;
                hits += u32::from((0..view.rows).any(|index| range.contains(&view.row(*position, index))));
            }
        }
    }
    assert!(all > 200 && hits * 10 > all * 7, "{hits} of {all}");
}

#[test]
fn reads_ask_only_for_what_their_table_can_do() {
    for (profile, _) in names() {
        let p = workload(named(profile), 53);
        for visit in visits(&p, 1..3000) {
            for query in queries(&visit) {
                well_formed(&p, query);
            }
        }
    }
}

#[test]
fn every_drawn_schema_takes_every_profile() {
    use datagen::schema::draw::{SchemaOptions, draw};
    for seed in 0..24 {
        let limits = |_| Some(datagen::domain::Limits::default());
        let schema = Arc::new(draw(seed, &SchemaOptions::default(), &limits).expect("a schema"));
        for (profile, _) in names() {
            let config = named(profile).swarm(seed);
            let p = Partitions::new(config, seed, Arc::clone(&schema)).expect(profile);
            for visit in visits(&p, 1..60) {
                queries(&visit).for_each(|query| well_formed(&p, query));
                for &part in &visit.writes {
                    let next = p.writer_after(part, visit.lts).map(|lts| p.visit(lts).unwrap());
                    assert!(next.is_none_or(|v| v.writes.contains(&part)));
                    assert_eq!(p.writer_before(part, Lts(visit.lts.0 + 1)), Some(visit.lts));
                }
            }
        }
    }
}

fn well_formed(p: &Partitions, query: &Query) {
    let table = &p.schema.tables[usize::from(query.table)];
    let narrow = matches!(table.size, SizeClass::Narrow { .. });
    match &query.parts {
        Parts::One(position) => assert!(*position < table.partitions().len()),
        Parts::In(list) => {
            assert!(!list.is_empty() && list.len() <= usize::from(IN_MAX));
            assert!(list.windows(2).all(|pair| pair[0] < pair[1]));
        }
        Parts::All | Parts::Ring { .. } => assert!(narrow, "F30"),
    }
    if let RowChoice::In(list) = &query.rows {
        assert!(!list.is_empty() && list.len() <= usize::from(IN_MAX));
        assert!(list.windows(2).all(|pair| pair[0] < pair[1]));
    }
    assert!(query.from == From::Table || !table.shared.is_empty());
    assert!(query.from != From::Shared || query.rows == RowChoice::All);
    assert!(
        query.limit.is_none_or(|n| n > 0 && !query.order.is_empty()),
        "LIMIT needs an order"
    );
    assert!(query.offset == 0 || query.limit.is_some());
    for Predicate {
        column: id,
        relation,
        value,
    } in &query.filter
    {
        let (_, column) = column(table, *id);
        assert!(table.regular.iter().any(|c| c.id == *id));
        assert!(identity(column), "F19");
        assert!(u128::from(*value) < table.domain(*id).size());
        let null = matches!(relation, Relation::IsNull | Relation::IsNotNull);
        assert!(!null || column.nullable);
    }
    let sorted: Vec<ColumnId> = query.order.iter().map(|&(id, _)| id).collect();
    assert!(sorted.iter().all(|&id| identity(column(table, id).1)), "F19");
    let no_repeats = |list: &[ColumnId]| list.iter().collect::<BTreeSet<_>>().len() == list.len();
    assert!(no_repeats(&sorted));
    match &query.select {
        Select::Columns(list) => {
            assert!(!list.is_empty() && no_repeats(list));
            let shared = |id: &ColumnId| table.shared.iter().any(|c| c.id == *id);
            assert!(query.from != From::Table || !list.iter().any(shared));
        }
        Select::Distinct(list) => {
            assert!(!list.is_empty() && no_repeats(list));
            assert!(list.iter().all(|&id| identity(column(table, id).1)), "F19");
            assert!(sorted.iter().all(|id| list.contains(id)));
        }
        Select::Aggregates(list) => {
            assert!(query.order.is_empty());
            aggregates(p, query, list);
        }
        Select::Group { by, aggregates: list } => {
            assert!(by.iter().all(|&id| identity(column(table, id).1)), "F19");
            assert!(sorted.iter().all(|id| by.contains(id)));
            aggregates(p, query, list);
        }
    }
}

fn identity(column: &datagen::schema::Column) -> bool {
    column.limits.identity
        || !matches!(
            column.ty,
            datagen::value::Type::Float32 | datagen::value::Type::Float64
        )
}

fn aggregates(p: &Partitions, query: &Query, list: &[Aggregate]) {
    let table = &p.schema.tables[usize::from(query.table)];
    assert!(!list.is_empty());
    assert!(
        query.parts != Parts::All || p.config.sessions <= AGGREGATE_OPEN_MAX,
        "F11"
    );
    for aggregate in list {
        match aggregate {
            Aggregate::Min(id) | Aggregate::Max(id) => assert!(identity(column(table, *id).1), "F19"),
            Aggregate::Sum(id) | Aggregate::Avg(id) => {
                let most = table.domain(*id).magnitude_max().expect("a number");
                assert!(most < 1 << 40, "F29: {id:?} could overflow 64 bits");
            }
            Aggregate::CountRows | Aggregate::Count(_) => {}
        }
    }
}

#[test]
fn aggregates_of_whole_tables_are_not_drawn_when_many_visits_can_be_open() {
    let wide = |sessions: u16| {
        let p = workload(
            Config {
                sessions,
                ..named("narrow")
            },
            59,
        );
        let counted = |q: &Query| {
            matches!(
                q.select,
                Select::Aggregates(_) | Select::Group { .. } | Select::Distinct(_)
            )
        };
        visits(&p, 1..4000)
            .flat_map(|v| queries(&v).cloned().collect::<Vec<_>>())
            .filter(|q| q.parts == Parts::All && counted(q))
            .count()
    };
    assert!(wide(AGGREGATE_OPEN_MAX) > 20);
    assert_eq!(wide(AGGREGATE_OPEN_MAX + 1), 0);
}

#[test]
fn reads_look_at_recent_retired_and_never_written_partitions() {
    let p = workload(named("window"), 61);
    let (mut recent, mut retired, mut never) = (0, 0, 0);
    for visit in visits(&p, 3000..6000) {
        for query in queries(&visit).filter(|q| q.table == 0) {
            if let Parts::One(position) = query.parts {
                let part = Part { table: 0, position };
                let soon = p
                    .writer_after(part, visit.lts)
                    .is_some_and(|next| next.0 < visit.lts.0 + 5000);
                match (p.writer_before(part, visit.lts), soon) {
                    (_, true) => recent += 1,
                    (Some(_), false) => retired += 1,
                    (None, false) => never += 1,
                }
            }
        }
    }
    assert!(
        recent > 3 * retired && retired > never && never > 5,
        "{recent} {retired} {never}"
    );
}

#[test]
fn reads_inside_a_writing_visit_look_at_its_own_partitions_and_at_others() {
    let p = workload(Config::default(), 67);
    let (mut own, mut foreign) = (0, 0);
    for visit in visits(&p, 1..3000).filter(|v| !v.writes.is_empty()) {
        for query in queries(&visit) {
            let is_own = |position: u64| {
                visit.writes.contains(&Part {
                    table: query.table,
                    position,
                })
            };
            match &query.parts {
                Parts::One(position) if is_own(*position) => own += 1,
                Parts::One(_) => foreign += 1,
                _ => {}
            }
        }
    }
    assert!(own > foreign && foreign > 20, "{own} own, {foreign} foreign");
}

#[test]
fn rows_are_written_again_and_again() {
    let p = workload(Config::default(), 71);
    let mut writes: BTreeMap<(Part, u64), u32> = BTreeMap::new();
    for visit in visits(&p, 1..20_000) {
        for op in ops(&visit) {
            if let Op::Insert { part, row, .. }
            | Op::Upsert { part, row, .. }
            | Op::Update { part, row, .. } = op
            {
                *writes.entry((*part, *row)).or_default() += 1;
            }
        }
    }
    let again = writes.values().filter(|&&n| n > 1).count();
    assert!(again * 3 > writes.len(), "{again} of {} rows", writes.len());
}
