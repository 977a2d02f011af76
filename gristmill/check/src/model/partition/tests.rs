use super::Partition;
use crate::testkit::draw::Draws;
use std::collections::BTreeMap;

type Plain = (BTreeMap<u64, Vec<Option<u64>>>, Option<Vec<Option<u64>>>);

/// More than 64, so that the bits of a row take two words.
const COLUMNS: usize = 70;

fn change(draws: &mut Draws, p: &mut Partition, plain: &mut Plain) {
    let row = draws.below(9) as u64;
    match draws.below(7) {
        0..=2 => {
            let (slot, new) = p.insert(row);
            if !new {
                p.touch(slot);
            }
            let (column, d) = (
                draws.below(COLUMNS),
                (!draws.one_in(3)).then(|| draws.below(5) as u64),
            );
            p.set(slot, column, d);
            plain.0.entry(row).or_insert_with(|| vec![None; COLUMNS])[column] = d;
        }
        3 => {
            let there = p.remove_one(row);
            assert_eq!(there, plain.0.remove(&row).is_some());
        }
        4 => {
            let range = row..row + draws.below(4) as u64;
            let before = plain.0.len();
            plain.0.retain(|at, _| !range.contains(at));
            assert_eq!(p.remove(&range), (before - plain.0.len()) as u64);
        }
        5 => {
            let d = Some(draws.below(5) as u64);
            p.write_shared(2, std::iter::once((1, d)));
            plain.1.get_or_insert_with(|| vec![None; 2])[1] = d;
        }
        _ if draws.one_in(4) => {
            assert_eq!(p.clear(), plain.0.len() as u64);
            plain.0.clear();
            p.set_shared(None);
            plain.1 = None;
        }
        _ => {}
    }
}

fn tell(p: &Partition) -> Plain {
    let row = |(at, slot): &(u64, u32)| (*at, p.cells_of(*slot).map(|(_, d)| d).collect());
    (p.rows().iter().map(row).collect(), p.shared().map(<[_]>::to_vec))
}

#[test]
fn what_was_recorded_can_be_taken_back_to_any_mark() {
    for seed in 0..600 {
        let mut draws = Draws::new(seed);
        let mut p = Partition::new(COLUMNS);
        let mut plain = Plain::default();
        for _ in 0..draws.below(20) {
            change(&mut draws, &mut p, &mut plain);
        }
        p.record();
        let mut marks: Vec<(usize, Plain)> = Vec::new();
        for _ in 0..30 {
            if draws.one_in(5) {
                marks.push((p.mark(), plain.clone()));
            }
            if draws.one_in(9)
                && let Some((mark, then)) = marks.pop()
            {
                p.undo(mark);
                plain = then;
            }
            if draws.one_in(9) && !marks.is_empty() {
                let (settled, _) = marks.remove(0);
                p.settle(settled);
                marks.iter_mut().for_each(|(mark, _)| *mark -= settled);
            }
            change(&mut draws, &mut p, &mut plain);
            assert_eq!(tell(&p), plain, "seed {seed}");
        }
        for (mark, then) in marks.into_iter().rev() {
            p.undo(mark);
            assert_eq!(tell(&p), then, "seed {seed}");
        }
    }
}

#[test]
fn a_checkpoint_restores_what_it_was_made_of() {
    for seed in 0..200 {
        let mut draws = Draws::new(seed);
        let mut p = Partition::new(COLUMNS);
        let mut plain = Plain::default();
        for _ in 0..40 {
            change(&mut draws, &mut p, &mut plain);
        }
        assert_eq!(
            tell(&Partition::restore(COLUMNS, &p.compact())),
            plain,
            "seed {seed}"
        );
    }
}
