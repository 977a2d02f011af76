//! Several workloads on the same tables, each with partitions of its own.

use super::*;

fn shared(config: Config, index: u16, of: u16) -> Partitions {
    let share = Some(Share { index, of });
    workload(Config { share, ..config }, 5)
}

#[test]
fn nobody_writes_or_reads_a_partition_of_another_share() {
    for config in [Config::default(), Config::default().lww(), named("read-heavy")] {
        let all = [1, 2, 3].map(|index| shared(config.clone(), index, 3));
        for (i, mine) in all.iter().enumerate() {
            let is_mine = |part: Part| {
                let owners = all.iter().map(|p| p.index_of(part).is_some());
                owners.enumerate().all(|(j, owns)| owns == (i == j))
            };
            let mut written = BTreeSet::new();
            for visit in visits(mine, 1..600) {
                written.extend(visit.writes.iter().copied());
                for query in queries(&visit) {
                    let positions = match &query.parts {
                        Parts::One(position) => vec![*position],
                        Parts::In(positions) => positions.clone(),
                        Parts::All | Parts::Ring { .. } => panic!("others write this table too: {query:?}"),
                    };
                    let parts = positions.into_iter().map(|position| Part {
                        table: query.table,
                        position,
                    });
                    assert!(parts.into_iter().all(is_mine), "{visit:?}");
                }
            }
            assert!(written.iter().copied().all(is_mine));
            assert!(written.len() > 10, "{written:?}");
        }
    }
}

#[test]
fn a_share_is_exact_and_knows_its_writers() {
    let p = shared(Config::default(), 2, 3);
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for lts in 1..=p.block_visits() {
        *counts.entry(p.what(Lts(lts)).name.as_str()).or_default() += 1;
    }
    let unit: u64 = p.config.visits.iter().map(|v| u64::from(v.weight)).sum();
    for kind in p.config.visits.iter().filter(|v| v.weight > 0) {
        let exactly = u64::from(kind.weight) * p.block_visits() / unit;
        assert_eq!(counts[kind.name.as_str()], exactly, "{}", kind.name);
    }
    for (part, writers) in enumerate(&p, 400) {
        let mut found = BTreeSet::new();
        let mut next = p.writer_after(part, Lts(0));
        while let Some(lts) = next.filter(|lts| lts.0 < 400) {
            found.insert(lts.0);
            next = p.writer_after(part, lts);
        }
        assert_eq!(found, writers, "{part:?}");
    }
}

#[test]
fn a_share_without_partitions_says_so() {
    let share = Some(Share { index: 9, of: 9 });
    let config = Config {
        share,
        ..Config::default()
    };
    assert!(workload(config.clone(), 1).config().share.is_some());
    let mut small = config;
    for table in ["wide", "bare"] {
        let options = TableOptions {
            weight: Some(0),
            ..TableOptions::default()
        };
        small.tables.insert(table.to_owned(), options);
    }
    small.share = Some(Share { index: 999, of: 1000 });
    let error = Partitions::new(small.clone(), 1, everything()).expect_err("narrow has fewer");
    assert!(
        error.to_string().contains("without a partition for 999 of 1000"),
        "{error}"
    );
    small.share = Some(Share { index: 3, of: 2 });
    let error = Partitions::new(small, 1, everything()).expect_err("there is no third of two");
    assert!(error.to_string().contains("`share.index` is 3"), "{error}");
}
