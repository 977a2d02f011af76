use super::*;
use crate::testing::Listed;
use datagen::schema::ddl;
use history::{From, Level, Parts, Stamp};

/// Visits of a list on tables that are there.
struct OnTables(Listed, Arc<Schema>);

impl Regenerate for OnTables {
    fn schema(&self, _: Lts) -> Arc<Schema> {
        Arc::clone(&self.1)
    }
    fn visit(&self, lts: Lts) -> Option<Visit> {
        self.0.visit(lts)
    }
    fn writer_after(&self, part: Part, lts: Lts) -> Option<Lts> {
        self.0.writer_after(part, lts)
    }
    fn writer_before(&self, part: Part, lts: Lts) -> Option<Lts> {
        self.0.writer_before(part, lts)
    }
}

fn staged(writes: &[&[u64]], stages: &str) -> Staged {
    let text = "CREATE TABLE t (p int, c int, v int, s int STATIC, PRIMARY KEY ((p), c));";
    let reference = targets::open("reference:", &targets::OpenOptions::new("/nowhere", "gmtest")).unwrap();
    let schema = ddl::read(text, 1, &|ty| reference.limits(&ty)).unwrap();
    let base = OnTables(Listed::writing(writes), Arc::new(schema));
    Staged::new(Arc::new(base), stages.parse().unwrap(), Replicas::default())
}

/// `w 3,7` writes these partitions, `r 3` reads this one.
fn shown(visit: &Visit) -> String {
    let list =
        |parts: &mut dyn Iterator<Item = u64>| parts.map(|p| p.to_string()).collect::<Vec<_>>().join(",");
    match visit.steps.first() {
        Some(Step::Read(query)) => {
            let Parts::One(position) = query.parts else {
                panic!()
            };
            let way = match (query.from, query.order.first()) {
                (From::Shared, _) => "shared",
                (_, Some((_, Order::Asc))) => "forward",
                _ => "reversed",
            };
            format!("{position} {way}")
        }
        _ => format!("w {}", list(&mut visit.writes.iter().map(|p| p.position))),
    }
}

const THREE: &[&[u64]] = &[&[3], &[7, 9], &[3], &[8], &[7]];

#[test]
fn a_validation_reads_every_partition_written_before_it_and_no_other() {
    let staged = staged(THREE, "load 1, validate, load 1, validate");
    let all: Vec<String> = (1..=staged.visits())
        .map(|lts| shown(&staged.visit(Lts(lts)).unwrap()))
        .collect();
    let expected = [
        "w 3",
        "3 forward",
        "3 reversed",
        "3 shared",
        "w 7,9",
        "3 forward",
        "3 reversed",
        "3 shared",
        "7 forward",
        "7 reversed",
        "7 shared",
        "9 forward",
        "9 reversed",
        "9 shared",
    ];
    assert_eq!(all, expected);
    assert_eq!(staged.from(Lts(15)), None);
    assert_eq!(staged.visit(Lts(15)), None);
    assert_eq!(staged.validation(Lts(1)), Some((Lts(2), Lts(4))));
    assert_eq!(staged.validation(Lts(5)), Some((Lts(6), Lts(14))));
    assert_eq!(staged.validation(Lts(15)), None);
}

#[test]
fn writers_are_those_that_enumeration_names_whoever_asks_first() {
    for stages in [
        "load 5",
        "load 2, validate, load 3",
        "load 1, validate, repeat 5",
        "load 2, repeat 2",
    ] {
        let whole = staged(THREE, stages);
        let last = whole.visits();
        let visits: Vec<Visit> = (1..=last).filter_map(|lts| whole.visit(Lts(lts))).collect();
        assert!(visits.iter().zip(1..).all(|(v, n)| v.lts == Lts(n)), "{stages}");
        for position in 0..10 {
            let part = Part { table: 0, position };
            let writers: Vec<Lts> = visits
                .iter()
                .filter(|v| v.writes.contains(&part))
                .map(|v| v.lts)
                .collect();
            for lts in (0..=last + 1).map(Lts) {
                // A history that nothing was asked of before: what it says must not depend on that.
                let fresh = staged(THREE, stages);
                let after = writers.iter().copied().find(|w| *w > lts);
                let before = writers.iter().rev().copied().find(|w| *w < lts);
                assert_eq!(fresh.writer_before(part, lts), before, "{stages} {part:?} {lts}");
                assert_eq!(fresh.writer_after(part, lts), after, "{stages} {part:?} {lts}");
            }
        }
    }
}

#[test]
fn a_validation_asks_for_the_level_of_the_load() {
    let read = staged(THREE, "load 5, validate").visit(Lts(6)).unwrap();
    assert_eq!((read.level, read.end), (Level::Serializable, End::Autocommit));
}

#[test]
fn each_node_is_asked_for_every_partition() {
    let text = "CREATE TABLE t (p int, c int, v int, PRIMARY KEY ((p), c));";
    let reference = targets::open("reference:", &targets::OpenOptions::new("/nowhere", "gmtest")).unwrap();
    let schema = ddl::read(text, 1, &|ty| reference.limits(&ty)).unwrap();
    let stages: Stages = "load 5, validate, validate-replicas".parse().unwrap();
    let staged = |but: &[u16]| {
        let replicas = Replicas {
            nodes: 3,
            but: but.iter().copied().collect(),
        };
        let base = OnTables(Listed::writing(THREE), Arc::new(schema.clone()));
        let base = Stamped(base);
        Staged::new(Arc::new(base), stages.clone(), replicas)
    };
    let plain: Stages = "load 5, validate".parse().unwrap();
    let once = {
        let base = OnTables(Listed::writing(THREE), Arc::new(schema.clone()));
        Staged::new(Arc::new(Stamped(base)), plain, Replicas::default())
    };
    let reads = once.visits() - 5;
    let all = staged(&[]);
    assert_eq!(all.visits(), 5 + reads + 3 * reads);
    for n in 0..3 * reads {
        let visit = all.visit(Lts(5 + reads + n + 1)).unwrap();
        let stamp = visit.stamp.unwrap();
        assert_eq!(
            (stamp.consistency, u64::from(stamp.node)),
            (Consistency::One, n / reads)
        );
        let same = all.visit(Lts(5 + n % reads + 1)).unwrap();
        assert_eq!(visit.steps, same.steps);
    }
    assert_eq!(
        staged(&[0]).visits(),
        5 + reads,
        "read serially, it has no copies of its own"
    );
}

/// The same visits with timestamps.
struct Stamped(OnTables);

impl Regenerate for Stamped {
    fn schema(&self, at: Lts) -> Arc<Schema> {
        self.0.schema(at)
    }
    fn visit(&self, lts: Lts) -> Option<Visit> {
        let stamp = Some(Stamp {
            timestamp: 1,
            ttl: None,
            consistency: Consistency::Quorum,
            node: 0,
            condition: None,
        });
        self.0.visit(lts).map(|visit| Visit { stamp, ..visit })
    }
    fn writer_after(&self, part: Part, lts: Lts) -> Option<Lts> {
        self.0.writer_after(part, lts)
    }
    fn writer_before(&self, part: Part, lts: Lts) -> Option<Lts> {
        self.0.writer_before(part, lts)
    }
}
