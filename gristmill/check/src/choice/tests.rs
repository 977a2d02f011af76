use super::choices;
use crate::judged::Overlap;
use crate::testkit::draw::Draws;
use history::{Lts, SessionId, Tick};
use std::collections::BTreeSet;

/// Every subset that has a point: after all beginnings inside, before all ends outside.
fn naive(open: &[Overlap]) -> BTreeSet<u64> {
    (0..1u64 << open.len())
        .filter(|mask| {
            let inside = |i: usize| mask >> i & 1 == 1;
            (0..open.len()).filter(|i| inside(*i)).all(|i| {
                (0..open.len())
                    .filter(|j| !inside(*j))
                    .all(|j| open[i].from < open[j].by)
            })
        })
        .collect()
}

#[test]
fn exactly_the_sets_that_one_point_shows_are_possible() {
    let mut draws = Draws::new(1);
    for _ in 0..3_000 {
        let mut open: Vec<Overlap> = (0..draws.below(7))
            .map(|i| {
                let from = draws.below(20) as u64;
                let unknown = draws.one_in(6);
                let by = if unknown {
                    u64::MAX
                } else {
                    from + 1 + draws.below(9) as u64
                };
                Overlap {
                    lts: Lts(i as u64),
                    from: Tick(from),
                    by: Tick(by),
                    session: SessionId(1),
                    unknown,
                }
            })
            .collect();
        open.sort_by_key(|o| o.from);
        let found = choices(&open, 1_000).expect("few visits");
        let set: BTreeSet<u64> = found.iter().copied().collect();
        assert_eq!(set.len(), found.len(), "none twice");
        assert_eq!(set, naive(&open), "{open:?}");
    }
}

#[test]
fn more_choices_than_the_budget_are_refused() {
    let open: Vec<Overlap> = (0..4)
        .map(|i| Overlap {
            lts: Lts(i),
            from: Tick(i),
            by: Tick(100),
            session: SessionId(1),
            unknown: false,
        })
        .collect();
    assert_eq!(choices(&open, 16).map(|c| c.len()), Some(16));
    assert_eq!(choices(&open, 15), None);
    assert_eq!(choices(&vec![open[0]; 64], u32::MAX), None);
}
