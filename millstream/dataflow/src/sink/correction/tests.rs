use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn row(n: u8) -> Row {
    Row::from([n].as_slice())
}

/// The same by definition: a multiset of updates, advanced and summed when asked.
fn naive(updates: &[(u8, u64, i64)], since: u64, lower: u64, upper: Frontier) -> BTreeMap<(u64, Row), i64> {
    let mut sums = BTreeMap::new();
    for (n, time, diff) in updates {
        let time = (*time).max(since);
        if !upper.less_equal(time) {
            *sums.entry((time.max(lower), row(*n))).or_insert(0) += diff;
        }
    }
    sums.retain(|_, diff| *diff != 0);
    sums
}

proptest! {
    #[test]
    fn the_buffer_is_the_sum_of_what_went_in(
        updates in prop::collection::vec((0..6u8, 0..20u64, -2..3i64), 0..200),
        since in 0..20u64, advance_after in 0..200usize, lower in 0..20u64, upper in 0..25u64,
    ) {
        let mut buffer = Correction::default();
        for (i, (n, time, diff)) in updates.iter().enumerate() {
            if i == advance_after {
                buffer.advance(since);
            }
            buffer.add(row(*n), *time, *diff);
        }
        buffer.advance(since);
        for upper in [Frontier::At(upper), Frontier::Closed] {
            let got = buffer.before(lower, upper);
            let sums: BTreeMap<_, _> = got.iter().map(|(row, time, diff)| ((*time, row.clone()), *diff)).collect();
            prop_assert_eq!(sums.len(), got.len(), "one entry a row and time");
            prop_assert_eq!(sums, naive(&updates, since, lower, upper));
        }
    }
}

#[test]
fn what_is_read_back_cancels_what_was_desired() {
    let mut buffer = Correction::default();
    for round in 0..1000u64 {
        for n in 0..10 {
            buffer.add(row(n), round, 1);
        }
        for n in 0..10 {
            buffer.add(row(n), round, -1);
        }
        buffer.advance(round + 1);
    }
    assert_eq!(buffer.len(), 0);
}

#[test]
fn what_is_left_is_found_at_its_first_time_and_what_cancels_is_forgotten() {
    let mut buffer = Correction::default();
    for (time, diff) in [(1, 1), (1, -1), (3, 1), (5, 1), (5, -1), (8, 2)] {
        buffer.add(row(0), time, diff);
    }
    assert_eq!(buffer.first_before(Frontier::At(3)), None);
    assert_eq!(buffer.first_before(Frontier::At(4)), Some(3));
    buffer.add(row(0), 3, -1);
    assert_eq!(buffer.first_before(Frontier::At(8)), None);
    assert_eq!(buffer.len(), 1, "only time 8 is kept");
    assert_eq!(buffer.first_before(Frontier::Closed), Some(8));
}
