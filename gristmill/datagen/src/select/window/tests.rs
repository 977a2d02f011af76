use sha2::{Digest, Sha256};

use super::*;
use crate::pcg::Pcg;
use crate::testing::{number, vectors};

/// The stream of Harry's partition descriptors.
const PARTITIONS: u64 = 0x706b;

fn hash(numbers: impl Iterator<Item = i64>) -> String {
    let text: Vec<String> = numbers.map(|n| n.to_string()).collect();
    let digest = Sha256::digest(text.join(","));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Harry numbers as it writes them: −1 where there is no such visit.
fn or_minus_one(turn: Option<u64>) -> i64 {
    turn.map_or(-1, u64::cast_signed)
}

#[test]
fn the_window_is_harrys_and_reproduces_every_row() {
    let vectors = vectors();
    let rows = vectors["pd_selector"].as_array().unwrap();
    assert_eq!(rows.len(), 3);
    for row in rows {
        let window = Window {
            width: number(&row["window_size"]),
            repeats: number(&row["slide_after_repeats"]),
            // So far away that the window never starts again.
            limit: 1 << 62,
        };
        let (pcg, offset) = (
            Pcg {
                seed: number(&row["seed"]),
            },
            number(&row["position_offset"]),
        );
        let position = |lts: u64| window.at(lts).position;
        let pd = |lts: u64| pcg.rng(offset + position(lts), PARTITIONS).cast_signed();
        let next = |lts: u64| or_minus_one(window.turn_from(position(lts), lts + 1));
        let prev = |lts: u64| or_minus_one(window.turn_before(position(lts), lts));

        let listed = |name: &str| -> Vec<i64> {
            row[name]
                .as_array()
                .unwrap()
                .iter()
                .map(|n| n.as_i64().unwrap())
                .collect()
        };
        assert_eq!((0..30).map(pd).collect::<Vec<_>>(), listed("pd_first_30"));
        assert_eq!(pd(999), row["pd_at_999"].as_i64().unwrap());
        let positions: Vec<i64> = (0..60).map(|lts| position(lts).cast_signed()).collect();
        assert_eq!(positions, listed("position_0_59"));
        assert_eq!((0..60).map(next).collect::<Vec<_>>(), listed("next_lts_0_59"));
        assert_eq!((0..60).map(prev).collect::<Vec<_>>(), listed("prev_lts_0_59"));
        let first: Vec<i64> = (0..40).map(|p| or_minus_one(window.turn_from(p, 0))).collect();
        assert_eq!(first, listed("min_lts_at_position_0_39"));
        // Far enough that positions up to 39 are retired.
        let last: Vec<i64> = (0..40)
            .map(|p| or_minus_one(window.turn_before(p, 1 << 30)))
            .collect();
        assert_eq!(last, listed("max_lts_for_position_0_39"));

        assert_eq!(
            hash((0..1000).map(|lts| position(lts).cast_signed())),
            row["sha256_positions_1000"]
        );
        assert_eq!(hash((0..1000).map(pd)), row["sha256_pds_1000"]);
        assert_eq!(hash((0..1000).map(next)), row["sha256_next_1000"]);
        assert_eq!(hash((0..1000).map(prev)), row["sha256_prev_1000"]);
        for lts in 0..1000 {
            let back = pcg.sequence(pd(lts).cast_unsigned(), PARTITIONS);
            assert_eq!(
                back - offset,
                position(lts),
                "the descriptor leads back to its position"
            );
        }
    }
}

/// `max_position` of the vectors is a known defect: the window slides by one position, not by its
/// width. The newest position is the number of slides and the width, as enumeration has it.
#[test]
fn the_newest_position_is_what_enumeration_says_and_not_the_recorded_defect() {
    let vectors = vectors();
    for row in vectors["pd_selector"].as_array().unwrap() {
        let (width, repeats) = (number(&row["window_size"]), number(&row["slide_after_repeats"]));
        let window = Window {
            width,
            repeats,
            limit: 1 << 62,
        };
        let mut newest = 0;
        for lts in 0..1000 {
            newest = newest.max(window.at(lts).position);
            let (slide, within) = (lts / (width * repeats), lts % (width * repeats));
            let entered = if slide == 0 {
                within.min(width - 1)
            } else {
                width - 1
            };
            // After a slide the new position comes last in the first round.
            let late = u64::from(slide > 0 && within < width - 1);
            assert_eq!(newest, slide + entered - late);
        }
        let recorded = row["max_position_0_59"].as_array().unwrap();
        let recorded: Vec<u64> = recorded.iter().map(number).collect();
        let enumerated: Vec<u64> = (0..60)
            .map(|lts| (0..=lts).map(|l| window.at(l).position).max().unwrap())
            .collect();
        assert_ne!(recorded, enumerated);
    }
}

#[test]
fn a_step_of_a_walk_goes_where_the_search_goes() {
    for (width, repeats, limit) in [(1, 1, 1), (1, 3, 2), (3, 2, 7), (4, 1, 4), (3, 20, 1000)] {
        let window = Window {
            width,
            repeats,
            limit,
        };
        for turn in 0..500 {
            let position = window.at(turn).position;
            assert_eq!(
                window.turn_after(position, turn),
                window.turn_from(position, turn + 1),
                "after turn {turn} of {window:?}"
            );
            assert_eq!(
                window.turn_back(position, turn),
                window.turn_before(position, turn),
                "before turn {turn} of {window:?}"
            );
        }
    }
}
