//! Weights are exact, whatever the number of operations in a visit (P3).

use super::*;

/// Counts over whole blocks, so many that each deck is dealt out completely.
fn blocks(p: &Partitions, per_block: u64, deck: usize) -> u64 {
    let deck = deck as u64;
    let mut blocks = 1;
    while !(per_block * blocks).is_multiple_of(deck) {
        blocks += 1;
    }
    blocks * p.block_visits()
}

#[test]
fn kinds_of_visits_are_exact_in_a_block() {
    for (profile, _) in names() {
        let p = workload(named(profile), 17);
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for lts in 1..=p.block_visits() {
            *counts.entry(p.what(Lts(lts)).name.as_str()).or_default() += 1;
        }
        let unit: u64 = p.config.visits.iter().map(|v| u64::from(v.weight)).sum();
        for kind in p.config.visits.iter().filter(|v| v.weight > 0) {
            assert_eq!(
                counts[kind.name.as_str()],
                u64::from(kind.weight) * p.block_visits() / unit,
                "{profile}"
            );
        }
    }
}

/// One table that can do everything, so that no operation stands for another one.
fn one_table(mut config: Config) -> Config {
    for table in ["narrow", "bare"] {
        config.tables.insert(
            table.to_owned(),
            TableOptions {
                weight: Some(0),
                popularity: None,
                conditional: false,
            },
        );
    }
    config
}

#[test]
fn kinds_of_writes_are_exact_at_any_number_of_operations_a_visit() {
    let mut config = one_table(Config::default());
    for (writes, partitions) in [(1, 1), (3, 1), (5, 2), (7, 3)] {
        config.visits.retain(|v| v.name != "read-write");
        config.visits.push(VisitKind {
            name: "read-write".to_owned(),
            weight: 8,
            partitions,
            writes,
            reads: 1,
            autocommit: false,
            strict: false,
        });
        let p = workload(config.clone(), 19);
        let per_block = p.write_numbers.per_block();
        let end = blocks(&p, per_block, p.write_deck.len());
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for visit in visits(&p, 1..end + 1) {
            for op in ops(&visit) {
                *counts.entry(op.kind()).or_default() += 1;
            }
        }
        let each = per_block * (end / p.block_visits()) / 100;
        let w = &p.config.writes;
        let expected = [
            ("insert", w.insert),
            ("upsert", w.upsert),
            ("update", w.update_all + w.update_some),
            ("shared", w.shared),
            ("delete-row", w.delete_row),
            ("delete-cells", w.delete_cells),
            ("delete-range", w.delete_range),
            ("delete-slice", w.delete_slice),
            ("delete-partition", w.delete_partition),
        ];
        for (kind, weight) in expected {
            assert_eq!(
                counts[kind],
                each * u64::from(weight),
                "{kind} with {writes} writes a visit"
            );
        }
        assert_eq!(counts["insert-strict"], 2 * end / 100);
    }
}

#[test]
fn ends_of_visits_are_exact() {
    let p = workload(one_table(Config::default()), 23);
    let per_block = p.block_visits() / 100 * 28;
    let end = blocks(&p, per_block, p.end_deck.len());
    let (mut rollbacks, mut back, mut kept) = (0, 0, 0);
    for visit in visits(&p, 1..end + 1) {
        rollbacks += u64::from(visit.end == End::Rollback);
        let has = |f: fn(&Step) -> bool| visit.steps.iter().any(f);
        let savepoint = has(|step| matches!(step, Step::Savepoint(_)));
        let undone = has(|step| matches!(step, Step::RollbackTo(_)));
        back += u64::from(undone);
        kept += u64::from(savepoint && !undone);
    }
    let each = per_block * (end / p.block_visits()) / 32;
    assert_eq!((rollbacks, back, kept), (4 * each, 3 * each, each));
}

#[test]
fn tables_share_the_writes_by_their_weights() {
    let mut config = Config::default();
    config.tables.insert(
        "narrow".to_owned(),
        TableOptions {
            weight: Some(3),
            popularity: None,
            conditional: false,
        },
    );
    let p = workload(config, 29);
    let mut touches = [0u64; 3];
    for n in 0..p.block_visits() {
        for touch in p.selector.touches(n) {
            touches[usize::from(touch.table)] += 1;
        }
    }
    let all: u64 = touches.iter().sum();
    assert_eq!(touches, [all / 5, all / 5 * 3, all / 5]);
}

#[test]
fn every_read_kind_gets_its_share_of_the_reads() {
    let p = workload(Config::default(), 31);
    let reads = p.read_deck.len() as u64;
    let mut counts = [0u32; read::Kind::ALL.len()];
    for number in reads * 3..reads * 4 {
        counts[p.read_deck.deal(number)] += 1;
    }
    assert_eq!(counts, p.config.reads.weights().map(|w| w * reads as u32 / 100));
}
