use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;
use crate::testing::{number, vectors};

#[test]
fn every_row_of_the_pure_generator_is_reproduced() {
    let vectors = vectors();
    let mut rows = 0;
    for group in vectors["pure_rng"].as_array().unwrap() {
        let pcg = Pcg {
            seed: number(&group["seed"]),
        };
        let stream = number(&group["stream"]);
        for row in group["rows"].as_array().unwrap() {
            let (i, rng) = (number(&row["i"]), number(&row["rng"]));
            assert_eq!(pcg.rng(i, stream), rng, "rng {row} of {}", group["seed"]);
            assert_eq!(pcg.sequence(rng, stream), number(&row["seq"]), "seq {row}");
            assert_eq!(pcg.next(rng, stream), number(&row["next"]), "next {row}");
            assert_eq!(pcg.prev(rng, stream), number(&row["prev"]), "prev {row}");
            rows += 1;
        }
    }
    assert_eq!(rows, 84);
}

#[test]
fn every_row_of_the_primitives_is_reproduced() {
    let vectors = vectors();
    let rows = vectors["primitives"].as_array().unwrap();
    assert_eq!(rows.len(), 5);
    for row in rows {
        let s = number(&row["state"]);
        let column = |name: &str| -> u64 {
            let cell: &Json = &row[name];
            number(cell)
        };
        assert_eq!(shuffle(s), column("shuffle"));
        assert_eq!(unshuffle(s), column("unshuffle"));
        assert_eq!(step(s, 5), column("next_state_stream5"));
        assert_eq!(advance(s, 1000, 5), column("advance_1000_stream5"));
        assert_eq!(step_back(s, 5), column("advance_minus1_stream5"));
        assert_eq!(advance(s, u64::MAX, 5), column("advance_minus1_stream5"));
        assert_eq!(
            distance(s, advance(s, 777, 5), 5),
            column("distance_to_advance_777_stream5")
        );
    }
}

#[test]
fn the_multipliers_have_their_inverses() {
    assert_eq!(MULTIPLIER.wrapping_mul(MULTIPLIER_INVERSE), 1);
    assert_eq!(OUTPUT.wrapping_mul(OUTPUT_INVERSE), 1);
}

#[test]
fn at_narrow_widths_the_output_function_permutes_everything() {
    for width in 1..=14 {
        let mut seen = vec![false; 1 << width];
        for state in 0..1_u64 << width {
            let number = shuffle_bits(state, width);
            assert!(
                !std::mem::replace(&mut seen[number as usize], true),
                "{width} bits: {number} twice"
            );
            assert_eq!(unshuffle_bits(number, width), state, "{width} bits");
        }
    }
}

#[test]
fn all_streams_share_their_number_zero() {
    let pcg = Pcg { seed: 7 };
    assert_eq!(pcg.rng(0, 1), pcg.rng(0, 2));
    assert_ne!(pcg.rng(1, 1), pcg.rng(1, 2));
}

proptest! {
    #[test]
    fn shuffle_and_unshuffle_are_inverses(state: u64, width in 1_u32..=64) {
        let state = state >> (64 - width);
        prop_assert_eq!(unshuffle_bits(shuffle_bits(state, width), width), state);
        prop_assert_eq!(shuffle_bits(unshuffle_bits(state, width), width), state);
    }

    #[test]
    fn next_and_prev_are_inverses(number: u64, stream: u64) {
        prop_assert_eq!(prev(next(number, stream), stream), number);
        prop_assert_eq!(next(prev(number, stream), stream), number);
    }

    #[test]
    fn rng_and_sequence_are_inverses(seed: u64, i: u64, stream: u64) {
        let pcg = Pcg { seed };
        prop_assert_eq!(pcg.sequence(pcg.rng(i, stream), stream), i);
        prop_assert_eq!(pcg.rng(pcg.sequence(i, stream), stream), i);
    }

    #[test]
    fn advancing_there_and_back_changes_nothing(state: u64, steps: u64, stream: u64) {
        let there = advance(state, steps, stream);
        prop_assert_eq!(advance(there, steps.wrapping_neg(), stream), state);
        prop_assert_eq!(distance(state, there, stream), steps);
    }
}
