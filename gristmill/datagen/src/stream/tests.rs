use std::collections::BTreeSet;

use super::*;

#[test]
fn an_address_is_the_whole_tuple_and_not_the_xor_of_its_parts() {
    assert_ne!(draw(1, Stream::Value, &[6, 1]), draw(1, Stream::Value, &[7, 0]));
    assert_ne!(draw(1, Stream::Value, &[1, 2]), draw(1, Stream::Value, &[2, 1]));
    assert_ne!(draw(1, Stream::Value, &[]), draw(1, Stream::Value, &[0]));
    assert_ne!(draw(1, Stream::Value, &[0]), draw(1, Stream::Value, &[0, 0]));
    assert_ne!(draw(1, Stream::Value, &[3]), draw(1, Stream::Columns, &[3]));
    assert_ne!(draw(1, Stream::Value, &[3]), draw(2, Stream::Value, &[3]));
}

#[test]
fn an_address_of_two_words_may_be_hashed_in_two_steps() {
    let key = Key::new(42, Stream::Value);
    for (a, b) in [(0, 0), (0, 1), (1, 0), (7, u64::MAX), (u64::MAX, 3)] {
        assert_eq!(key.first(a).then(b), key.at(&[a, b]));
    }
}

#[test]
fn neighbouring_addresses_never_meet() {
    let mut seen = BTreeSet::new();
    for lts in 0..2_000 {
        for op in 0..10 {
            for column in 0..10 {
                assert!(seen.insert(draw(7, Stream::Value, &[lts, op, column])));
            }
        }
    }
}

#[test]
fn the_numbers_are_the_same_everywhere_and_for_ever() {
    let drawn: Vec<String> = [&[][..], &[0], &[1, 2, 3], &[u64::MAX]]
        .iter()
        .map(|address| format!("{:016x}", draw(42, Stream::Value, address)))
        .collect();
    expect_test::expect!["24bb7475d39214f0 900ebd20b17a6b91 5470e2d6fd60289d 56cc91e2a17c2bbf"]
        .assert_eq(&drawn.join(" "));
}

#[test]
fn every_bit_of_an_address_reaches_every_bit_of_the_draw() {
    for word in 0..3 {
        for bit in 0..64 {
            let mut flips = [0_u32; 64];
            for n in 0..400 {
                let address = [n, n + 1, 3];
                let mut other = address;
                other[word] ^= 1 << bit;
                let difference = draw(5, Stream::Value, &address) ^ draw(5, Stream::Value, &other);
                for (i, flip) in flips.iter_mut().enumerate() {
                    *flip += (difference >> i) as u32 & 1;
                }
            }
            // 200 expected, standard deviation 10.
            assert!(
                flips.iter().all(|flip| (140..260).contains(flip)),
                "word {word}, bit {bit}: {flips:?}"
            );
        }
    }
}

#[test]
fn numbers_below_a_bound_are_even_and_in_order() {
    let mut counts = [0_u32; 7];
    for n in 0..70_000 {
        counts[below(draw(3, Stream::Role, &[n]), 7) as usize] += 1;
    }
    assert!(
        counts.iter().all(|count| (9_400..10_600).contains(count)),
        "{counts:?}"
    );
    assert_eq!((below(0, 10), below(u64::MAX, 10), below(u64::MAX, 1)), (0, 9, 0));
}

#[test]
fn a_chance_keeps_its_ratio_at_both_ends() {
    let hits = |num, den| {
        (0..30_000)
            .filter(|&n| chance(draw(9, Stream::Null, &[n]), num, den))
            .count()
    };
    assert_eq!((hits(0, 3), hits(3, 3)), (0, 30_000));
    assert!((9_500..10_500).contains(&hits(1, 3)));
}
