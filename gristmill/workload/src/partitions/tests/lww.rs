//! Discipline `lww`: what its visits are made of.

use super::*;
use datagen::domain::{Inner, Limits};
use datagen::schema::{Column, ColumnId, Index, Schema};
use history::{Consistency, Explicit, Line, Select, SessionId};

fn every_profile() -> impl Iterator<Item = (&'static str, Config)> {
    crate::partitions::names().flat_map(|(name, _)| {
        let drawn = named(name).swarm(11).lww();
        [(name, named(name).lww()), (name, drawn)]
    })
}

#[test]
fn every_profile_has_visits_of_one_request_with_a_timestamp() {
    for (name, config) in every_profile() {
        assert_eq!(config.check(), [], "{name}");
        let p = workload(config.clone(), 5);
        let clock = &config.lww.as_ref().expect("under lww").clock;
        let mut kinds: BTreeSet<&'static str> = BTreeSet::new();
        for visit in visits(&p, 1..1500) {
            let stamp = visit.stamp.expect("a timestamp");
            assert_eq!(stamp.timestamp, clock.timestamp(5, visit.lts));
            assert!(visit.writes.len() <= 1, "{visit}");
            assert!(
                visit.writes.is_empty() || queries(&visit).next().is_none(),
                "{visit}"
            );
            match visit.end {
                End::Autocommit => assert_eq!(visit.steps.len(), 1, "{visit}"),
                End::Batch { .. } => assert!(visit.steps.len() > 1 && !visit.writes.is_empty(), "{visit}"),
                End::Commit | End::Rollback => panic!("{visit}"),
            }
            for query in queries(&visit) {
                let one = matches!(query.parts, Parts::One(_));
                assert_eq!((query.from, query.offset), (From::Table, 0), "{visit}");
                let listed = matches!(query.parts, Parts::In(_)) || matches!(query.rows, RowChoice::In(_));
                assert!(query.filter.is_empty() || !listed, "{visit}");
                let columns = matches!(query.select, Select::Columns(_));
                assert!(
                    columns || (query.order.is_empty() && query.extras.is_none()),
                    "{visit}"
                );
                assert!(
                    one || (query.order.is_empty() && query.limit.is_none()),
                    "{visit}"
                );
                assert!(!one || query.extras.per_partition.is_none(), "{visit}");
                assert!(query.limit.is_none() || !query.order.is_empty(), "{visit}");
            }
            kinds.extend(ops(&visit).map(Op::kind));
        }
        assert!(
            !kinds.contains("insert") && !kinds.contains("insert-strict"),
            "{name}: {kinds:?}"
        );
    }
}

#[test]
fn a_table_may_have_lightweight_transactions_only() {
    let mut config = Config::default().lww();
    let table = everything().tables[0].name.clone();
    let conditional = TableOptions {
        conditional: true,
        ..TableOptions::default()
    };
    config.tables.insert(table, conditional);
    let p = workload(config, 8);
    let mut seen = BTreeSet::new();
    for visit in visits(&p, 1..3000) {
        let stamp = visit.stamp.expect("a timestamp");
        let there = ops(&visit).any(|op| op.part().table == 0);
        assert_eq!(there, stamp.condition.is_some(), "{visit}");
        let read = queries(&visit).any(|query| query.table == 0);
        assert_eq!(read, stamp.consistency == Consistency::Serial, "{visit}");
        for query in queries(&visit).filter(|_| read) {
            assert!(
                query.extras.is_none() && matches!(query.parts, Parts::One(_)),
                "{visit}"
            );
        }
        if let Some(condition) = stamp.condition {
            let words = format!("{condition:?}");
            seen.insert((
                ops(&visit).next().map(Op::kind),
                words.split(' ').next().map(str::to_owned),
            ));
            assert_eq!((visit.steps.len(), visit.end), (1, End::Autocommit), "{visit}");
        }
    }
    assert!(seen.len() >= 7, "{seen:?}");
}

#[test]
fn its_visits_are_fit_to_be_written_down() {
    let p = workload(Config::default().lww(), 6);
    let lines: Vec<Line> = visits(&p, 1..400)
        .map(|visit| Line::new(SessionId(1), visit))
        .collect();
    for line in &lines {
        assert_eq!(line.to_string().parse::<Line>().as_ref(), Ok(line));
    }
    if let Err(misfits) = Explicit::new(everything(), lines) {
        panic!("{misfits:?}");
    }
}

#[test]
fn reads_ask_for_what_only_cql_has() {
    let mut config = Config::default().lww();
    config.lww = config.lww.map(Lww::cql);
    let p = workload(config, 7);
    let all: Vec<Query> = visits(&p, 1..4000)
        .flat_map(|v| queries(&v).cloned().collect::<Vec<_>>())
        .collect();
    let has = |which: &dyn Fn(&Query) -> bool| all.iter().filter(|q| which(q)).count() > 20;
    assert!(has(&|q| q.extras.stamps));
    assert!(has(&|q| q.extras.page.is_some()));
    assert!(has(&|q| q.extras.per_partition.is_some()));
    assert!(has(&|q| !q.order.is_empty() && q.limit.is_some()));
    assert!(has(&|q| q.extras.ttls && q.extras.stamps));
    assert!(has(&|q| q.extras.ttls && !matches!(q.parts, Parts::One(_))));
    // Which row was on which page is told by the keys.
    let schema = everything();
    let names_its_rows = |q: &&Query| {
        let Select::Columns(columns) = &q.select else {
            return true;
        };
        let mut keys = schema.table(q.table).clustering.iter();
        keys.all(|key| columns.contains(&key.column.id))
    };
    let mut paged = all.iter().filter(|q| q.extras.page.is_some());
    assert!(paged.all(|q| names_its_rows(&q)));
    let bounded = |q: &&Query| {
        matches!(
            q.parts,
            Parts::Ring {
                after: Some(_),
                upto: Some(_)
            }
        )
    };
    assert!(all.iter().filter(bounded).count() > 3);
    let has = |which: &dyn Fn(&Query) -> bool| all.iter().filter(|q| which(q)).count() > 3;
    assert!(has(&|q| matches!(q.select, Select::Group { .. })));
    assert!(has(&|q| matches!(q.select, Select::Distinct(_))));
    assert!(has(&|q| q.filter.len() > 1));
    assert!(has(
        &|q| !q.filter.is_empty() && matches!(q.rows, RowChoice::Slice(_))
    ));
    let aggregates = |q: &Query| match &q.select {
        Select::Aggregates(list) | Select::Group { aggregates: list, .. } => list.clone(),
        Select::Columns(_) | Select::Distinct(_) => Vec::new(),
    };
    assert!(has(&|q| aggregates(q)
        .iter()
        .any(|a| matches!(a, Aggregate::Sum(_)))));
    assert!(has(&|q| aggregates(q)
        .iter()
        .any(|a| matches!(a, Aggregate::Avg(_)))));
    assert!(has(
        &|q| !aggregates(q).is_empty() && !matches!(q.parts, Parts::One(_))
    ));
}

#[test]
fn every_time_to_live_and_every_level_occurs() {
    let mut config = Config::default().lww();
    let lww = config.lww.as_mut().expect("under lww");
    (lww.ttl_in_16, lww.ttls) = (4, vec![1, 2, 86_400]);
    lww.write_levels = vec![Consistency::One, Consistency::All];
    let p = workload(config, 9);
    let writes = visits(&p, 1..3000).filter(|visit| !visit.writes.is_empty());
    let stamps: Vec<_> = writes.filter_map(|visit| visit.stamp).collect();
    let of = |ttl| stamps.iter().filter(|stamp| stamp.ttl == ttl).count();
    let dying = [1, 2, 86_400].map(|ttl| of(Some(ttl)));
    // A quarter of them, in equal parts.
    assert!(
        dying.iter().all(|n| n * 16 > stamps.len()),
        "{dying:?} of {}",
        stamps.len()
    );
    assert!(of(None) * 3 > stamps.len() * 2);
    let levels: BTreeSet<_> = stamps.iter().map(|stamp| stamp.consistency).collect();
    assert_eq!(levels.len(), 2);
}

#[test]
fn elements_are_written_where_a_table_has_them() {
    let text = "[[table]]\nname = \"t\"\npartition = [\"p int32\"]\nclustering = [\"c int32\"]\npartitions = 8\n\
                regular = [\"n int32\", \"s set<int32>\", \"m map<text, int32>\"]\nshared = [\"u udt<a:int32,b:text>\"]";
    let limits = |_| Some(datagen::domain::Limits::default());
    let schema = Arc::new(datagen::schema::toml::read(text, 3, &limits).unwrap());
    let p = Partitions::new(Config::default().lww(), 5, Arc::clone(&schema)).unwrap();
    let (mut set, mut removed, mut shared, mut others) = (0, 0, 0, 0);
    for visit in visits(&p, 1..3000) {
        for op in ops(&visit) {
            let Op::Elements {
                row,
                column,
                elements,
                ..
            } = op
            else {
                others += u32::from(matches!(
                    op,
                    Op::Update { .. } | Op::DeleteCells { .. } | Op::Shared { .. }
                ));
                continue;
            };
            let slots = schema.table(0).domain(*column).elements().unwrap();
            assert!(
                !elements.is_empty() && elements.is_sorted_by(|a, b| a.0 < b.0),
                "{op}"
            );
            for (slot, value) in elements {
                let slot = usize::from(*slot);
                assert!(
                    slot < slots.slots() && value.is_none_or(|v| v < slots.values(slot)),
                    "{op}"
                );
                *(if value.is_some() { &mut set } else { &mut removed }) += 1;
            }
            shared += u32::from(row.is_none());
        }
    }
    assert!(
        set > 100 && removed > 50 && shared > 20 && others > 100,
        "{set} {removed} {shared} {others}"
    );
}

#[test]
fn elements_of_lists_are_added_at_either_end_and_never_expire() {
    let text = "[[table]]\nname = \"t\"\npartition = [\"p int32\"]\nclustering = [\"c int32\"]\npartitions = 8\n\
                regular = [\"n int32\", \"l list<int32>\"]";
    let limits = |_| Some(datagen::domain::Limits::default());
    let schema = Arc::new(datagen::schema::toml::read(text, 3, &limits).unwrap());
    let mut config = Config::default().lww();
    config.lww.as_mut().unwrap().ttl_in_16 = 16;
    let p = Partitions::new(config, 5, Arc::clone(&schema)).unwrap();
    let (mut behind, mut in_front) = (0, 0);
    for visit in visits(&p, 1..2000) {
        let writes = ops(&visit).next().is_some();
        assert!(!writes || visit.stamp.unwrap().ttl.is_none(), "{visit}");
        for op in ops(&visit) {
            if let Op::Elements { elements, .. } = op {
                for (_, number) in elements {
                    *(if number.unwrap() == 0 {
                        &mut behind
                    } else {
                        &mut in_front
                    }) += 1;
                }
            }
        }
    }
    assert!(behind > 50 && in_front > 50, "{behind} {in_front}");
}

#[test]
fn a_time_to_live_of_a_table_is_mostly_left_to_it() {
    let text = "CREATE TABLE t (p int, c int, n int, s int static, PRIMARY KEY (p, c)) WITH default_time_to_live = 600;";
    let limits = |_| Some(datagen::domain::Limits::default());
    let schema = Arc::new(datagen::schema::ddl::read(text, 3, &limits).unwrap());
    let by_table = |config: Config| -> (usize, usize) {
        let p = Partitions::new(config, 5, Arc::clone(&schema)).unwrap();
        let all: Vec<Visit> = visits(&p, 1..3000)
            .filter(|visit| !visit.writes.is_empty())
            .collect();
        let ttl = |visit: &Visit| visit.stamp.unwrap().ttl;
        assert!(all.iter().all(|visit| matches!(ttl(visit), None | Some(600))));
        (all.iter().filter(|visit| ttl(visit).is_some()).count(), all.len())
    };
    let mut config = Config::default().lww();
    // Who knows no times to live is asked for none.
    assert_eq!(by_table(config.clone()).0, 0);
    config.lww = config.lww.map(Lww::cql);
    let (dying, all) = by_table(config);
    assert!((all / 2..all * 9 / 10).contains(&dying), "{dying} of {all}");
}

#[test]
fn a_counter_that_was_deleted_is_never_added_to_again() {
    let text = "[[table]]\nname = \"t\"\npartition = [\"p int32\"]\nclustering = [\"c int32\"]\npartitions = 8\n\
                regular = [\"n counter\", \"m counter\"]\nshared = [\"s counter\"]";
    let limits = |_| Some(datagen::domain::Limits::default());
    let schema = Arc::new(datagen::schema::toml::read(text, 3, &limits).unwrap());
    let p = Partitions::new(Config::default().lww(), 5, Arc::clone(&schema)).unwrap();
    let (mut rows, mut shared, mut batches, mut wraps) = (0, 0, 0, 0);
    let (mut dead_rows, mut dead) = (BTreeSet::new(), BTreeSet::new());
    for visit in visits(&p, 1..3000) {
        assert!(
            visit.writes.is_empty() || visit.stamp.unwrap().ttl.is_none(),
            "{visit}"
        );
        batches += u32::from(visit.end == End::Batch { logged: false });
        assert_ne!(visit.end, End::Batch { logged: true }, "{visit}");
        for op in ops(&visit) {
            let (row, amounts) = match op {
                Op::Add { row, amounts, .. } => (row, amounts),
                Op::DeleteRow { part, row } => {
                    dead_rows.insert((*part, *row));
                    continue;
                }
                Op::DeletePartition { part } => {
                    dead.insert(*part);
                    continue;
                }
                other => panic!("{other}"),
            };
            assert!(!dead.contains(&op.part()), "{visit}");
            assert!(
                row.is_none_or(|row| !dead_rows.contains(&(op.part(), row))),
                "{visit}"
            );
            assert!(
                !amounts.is_empty() && amounts.is_sorted_by(|a, b| a.0 < b.0),
                "{op}"
            );
            *(if row.is_some() { &mut rows } else { &mut shared }) += 1;
            wraps += u32::from(amounts.iter().any(|(_, n)| *n == i64::MAX));
        }
    }
    assert!(
        rows > 500 && shared > 20 && batches > 100 && wraps > 50,
        "{rows} {shared} {batches} {wraps}"
    );
    assert!(dead_rows.len() > 5, "{dead_rows:?}, partitions {dead:?}");
}

/// Collections; an index on the first.
fn collections() -> std::sync::Arc<Schema> {
    let mut table = everything().table(1).definition().clone();
    let of = |id: u16, ty: &str| Column {
        id: ColumnId(id),
        name: format!("x{id}"),
        ty: ty.parse().expect("a type"),
        nullable: true,
        limits: Limits::default().for_key(100),
    };
    table.regular.extend([
        of(40, "set<int32>"),
        of(41, "map<int32,bool>"),
        of(42, "frozen<map<int32,bool>>"),
        of(43, "tuple<int32,bool>"),
    ]);
    table.indexes = vec![Index {
        name: "x".to_owned(),
        columns: vec![ColumnId(40)],
        unique: false,
    }];
    std::sync::Arc::new(Schema::new(vec![table]).expect("it is sound"))
}

#[test]
fn collections_are_asked_for_what_is_inside_of_them() {
    let mut config = Config::default().lww();
    (config.reads.predicate, config.reads.predicate_indexed) = (20, 10);
    let p = Partitions::new(config, 7, collections()).expect("a valid configuration");
    let (mut seen, mut beside) = (BTreeSet::new(), 0);
    for visit in visits(&p, 1..6000) {
        for query in queries(&visit) {
            seen.extend(query.filter.iter().map(|c| (c.column.0, c.relation.inner())));
            let inside = |id: u16| {
                let all = query.filter.iter().filter(move |c| c.column.0 == id);
                all.filter(|c| c.relation.inner().is_some()).count()
            };
            // Of something frozen, not beside what an index answers.
            assert!(inside(40) == 0 || inside(42) == 0, "{visit}");
            beside += usize::from(inside(41) > 0 && inside(42) > 0);
            let mut whole = query
                .filter
                .iter()
                .filter(|c| c.column.0 >= 40 && c.relation.inner().is_none());
            assert!(
                whole.all(|c| c.column.0 >= 42 && c.relation == Relation::Eq),
                "{visit}"
            );
        }
    }
    let (value, key, entry) = (Some(Inner::Value), Some(Inner::Key), Some(Inner::Entry));
    let expected = [
        (40, value),
        (41, value),
        (41, key),
        (41, entry),
        (42, None),
        (42, value),
        (42, key),
        (43, None),
    ];
    assert!(expected.iter().all(|asked| seen.contains(asked)), "{seen:?}");
    assert!(!seen.contains(&(42, entry)), "CQL has no words for it");
    assert!(beside > 0, "two collections at once, where no index is");
}
