//! The selectors against a naive enumeration: everything that arithmetic says is compared with counting.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::deck::gcd;
use super::members::Rule;
use super::returning::Returning;
use super::window::Window;
use super::*;

fn share(table: u16, (weight, members): (u32, Members)) -> ShareOf {
    ShareOf {
        table,
        weight,
        members,
    }
}

fn table_of(table: u16, shares: Vec<(u32, Members)>) -> Vec<ShareOf> {
    shares.into_iter().map(|s| share(table, s)).collect()
}

/// Two writes on one partition, four on two, one read, one that does both.
const ROLES: [Role; 4] = [
    Role {
        visits: 5,
        partitions: 1,
        writes: 2,
        reads: 0,
    },
    Role {
        visits: 2,
        partitions: 2,
        writes: 4,
        reads: 0,
    },
    Role {
        visits: 2,
        partitions: 0,
        writes: 0,
        reads: 1,
    },
    Role {
        visits: 1,
        partitions: 1,
        writes: 1,
        reads: 1,
    },
];

/// The profiles by name, over tables of 1000 partitions.
fn profiles() -> Vec<(&'static str, Vec<ShareOf>)> {
    vec![
        ("window", table_of(0, window(7, 3))),
        ("returning", table_of(0, returning_window(4, 2))),
        ("rotation", table_of(0, rotation(37))),
        ("hot_cold", table_of(0, hot_cold(2, 60))),
        ("zipf", table_of(0, zipf(200))),
        (
            "crowded",
            table_of(
                0,
                vec![
                    (29, Members::Fixed { first: 0, count: 1 }),
                    (1, Members::Fixed { first: 1, count: 9 }),
                ],
            ),
        ),
        ("list", table_of(0, list(&[3, 900, 3, 17, 5]))),
        (
            "two tables",
            [
                table_of(0, window(5, 2)),
                table_of(1, hot_cold(1, 9)),
                table_of(1, window(3, 1)),
            ]
            .concat(),
        ),
    ]
}

/// Every visit's partitions, by asking each visit.
fn enumerate(selector: &Selector, visits: u64) -> BTreeMap<(u16, u64), BTreeSet<u64>> {
    let mut writers: BTreeMap<(u16, u64), BTreeSet<u64>> = BTreeMap::new();
    for visit in 0..visits {
        for touch in selector.touches(visit) {
            writers
                .entry((touch.table, touch.position))
                .or_default()
                .insert(visit);
        }
    }
    writers
}

/// Compares `writer_after` and `writer_before` with the enumeration from every visit of `visits`, and
/// `absent` partitions that nobody wrote.
fn compare(selector: &Selector, visits: u64, step: u64) {
    let writers = enumerate(selector, visits);
    for (&(table, position), all) in &writers {
        for visit in (0..visits)
            .step_by(usize::try_from(step).unwrap())
            .chain(all.iter().copied())
        {
            let after = all.range(visit + 1..).next().copied();
            let found = selector.writer_after(table, position, visit);
            // Beyond the enumeration there may be one; inside it must be the same.
            assert_eq!(
                found.filter(|&v| v < visits),
                after,
                "after {visit}, partition {table}/{position}"
            );
            let mut together = Vec::new();
            selector.writers_from(table, position, visit + 1, &mut together);
            assert_eq!(together.first().copied(), found, "together after {visit}");
            let inside: Vec<u64> = together.into_iter().filter(|&v| v < visits).collect();
            let expected: Vec<u64> = all.range(visit + 1..).take(inside.len()).copied().collect();
            assert_eq!(inside, expected, "together after {visit}, {table}/{position}");
            let found = selector.writer_before(table, position, visit);
            assert_eq!(
                found,
                all.range(..visit).next_back().copied(),
                "before {visit}, partition {table}/{position}"
            );
            let mut together = Vec::new();
            selector.writers_before(table, position, visit, &mut together);
            assert_eq!(together.first().copied(), found, "together before {visit}");
            let expected: Vec<u64> = all.range(..visit).rev().take(together.len()).copied().collect();
            assert_eq!(together, expected, "together before {visit}, {table}/{position}");
        }
        assert_eq!(selector.writer_from(table, position, 0), all.first().copied());
        // A step beyond the end goes to a visit that really writes it.
        if let Some(next) = selector.writer_after(table, position, visits) {
            assert!(
                selector
                    .touches(next)
                    .any(|t| (t.table, t.position) == (table, position))
            );
            assert!(
                selector
                    .writer_before(table, position, next)
                    .is_none_or(|v| v <= visits)
            );
        }
    }
}

#[test]
fn writers_of_a_partition_are_those_that_enumeration_names() {
    for (name, shares) in profiles() {
        let selector = Selector::new(11, &ROLES, &shares, &[1000, 1000]).expect(name);
        compare(&selector, 1600, 13);
    }
}

#[test]
fn a_window_that_has_used_up_its_table_starts_again() {
    for partitions in [1, 2, 5, 9] {
        let selector = Selector::new(3, &ROLES, &table_of(0, window(4, 2)), &[partitions]).unwrap();
        compare(&selector, 900, 7);
        let written: BTreeSet<u64> = enumerate(&selector, 900).into_keys().map(|(_, p)| p).collect();
        assert_eq!(written, (0..partitions).collect());
    }
    let selector = Selector::new(3, &ROLES, &table_of(0, returning_window(4, 2)), &[9]).unwrap();
    compare(&selector, 900, 7);
}

#[test]
fn roles_and_shares_are_exact_in_every_block() {
    for (name, shares) in profiles() {
        let selector = Selector::new(5, &ROLES, &shares, &[1000, 1000]).unwrap();
        let block = selector.block_visits();
        let units = block / 10;
        for number in [0, 1, 2, 1 << 30] {
            let mut roles = [0; ROLES.len()];
            let mut turns = vec![0u64; shares.len()];
            for visit in number * block..(number + 1) * block {
                let seat = selector.seat(visit);
                roles[seat.role] += 1;
                let touched: Vec<Touch> = selector.touches(visit).collect();
                assert_eq!(touched.len(), usize::from(ROLES[seat.role].partitions));
                for touch in touched {
                    assert_eq!(touch.table, shares[touch.share].table);
                    turns[touch.share] += 1;
                }
            }
            assert_eq!(roles, ROLES.map(|role| u64::from(role.visits) * units), "{name}");
            let weights: u64 = shares.iter().map(|s| u64::from(s.weight)).sum();
            for (share, turns) in shares.iter().zip(turns) {
                assert_eq!(turns, 10 * units * u64::from(share.weight) / weights, "{name}");
            }
        }
    }
}

#[test]
fn numbers_of_writes_and_reads_have_no_gaps() {
    let selector = Selector::new(9, &ROLES, &table_of(0, hot_cold(3, 50)), &[1000]).unwrap();
    let visits = selector.block_visits() * 5;
    let mut writes = BTreeSet::new();
    let mut reads = BTreeSet::new();
    let mut ordinals = vec![BTreeSet::new(); ROLES.len()];
    for visit in 0..visits {
        let seat = selector.seat(visit);
        writes.extend((0..u64::from(ROLES[seat.role].writes)).map(|i| seat.first_write + i));
        reads.extend((0..u64::from(ROLES[seat.role].reads)).map(|i| seat.first_read + i));
        assert!(ordinals[seat.role].insert(seat.ordinal));
    }
    assert_eq!(writes, (0..visits / 10 * 19).collect());
    assert_eq!(reads, (0..visits / 10 * 3).collect());
    for (ordinals, role) in ordinals.iter().zip(&ROLES) {
        assert_eq!(*ordinals, (0..visits / 10 * u64::from(role.visits)).collect());
    }
}

#[test]
fn the_millionth_visit_is_reached_without_the_ones_before() {
    let selector = Selector::new(1, &ROLES, &table_of(0, window(16, 8)), &[1 << 40]).unwrap();
    let visit = 1 << 44;
    let touch = (visit..).find_map(|v| selector.touches(v).next()).unwrap();
    let (mut at, mut forward) = (
        selector.writer_before(0, touch.position, visit + 5000).unwrap(),
        Vec::new(),
    );
    while let Some(before) = selector.writer_before(0, touch.position, at) {
        assert_eq!(selector.writer_after(0, touch.position, before), Some(at));
        forward.push(at);
        at = before;
    }
    // A partition lives in 16 windows of 8 repeats each; a visit that touches it twice counts once.
    assert!((100..=128).contains(&(forward.len() + 1)), "{}", forward.len());
}

#[test]
fn doubling_shares_give_a_zipf_distribution() {
    let selector = Selector::new(
        2,
        &[Role {
            visits: 1,
            partitions: 1,
            writes: 1,
            reads: 0,
        }],
        &table_of(0, zipf(1023)),
        &[1023],
    )
    .unwrap();
    let mut visits = vec![0u64; 1023];
    for visit in 0..selector.block_visits() * 512 {
        visits[usize::try_from(selector.touches(visit).next().unwrap().position).unwrap()] += 1;
    }
    // The share of partition r (from 1) lies between the first's divided by r and twice that, rounds being complete.
    for (r, &n) in (1..).zip(&visits) {
        assert!(
            n * r >= visits[0] && n * r < 2 * visits[0],
            "partition {r}: {n} of {}",
            visits[0]
        );
    }
}

#[test]
fn returning_members_bring_every_retired_partition_back() {
    let selector = Selector::new(4, &ROLES, &table_of(0, returning_window(4, 2)), &[1 << 30]).unwrap();
    let mut last: BTreeMap<u64, u64> = BTreeMap::new();
    let mut back = BTreeSet::new();
    for visit in 0..8000 {
        for touch in selector.touches(visit) {
            if touch.share == 1 && last.get(&touch.position).is_some_and(|&l| l + 40 < visit) {
                back.insert(touch.position);
            }
            last.insert(touch.position, visit);
        }
    }
    assert!((1..200).all(|p| back.contains(&p)), "{back:?}");
}

#[test]
fn pools_hold_what_their_names_say() {
    for (name, shares) in profiles() {
        let selector = Selector::new(6, &ROLES, &shares, &[1 << 20, 1 << 20]).unwrap();
        for visit in [0, 50, 700, 5000] {
            for (share, ShareOf { table, .. }) in shares.iter().enumerate() {
                let table = *table;
                for bits in (0..20).map(|i| i * (u64::MAX / 19)) {
                    if let Some(p) = selector.pooled(visit, share, Pool::Retired, bits) {
                        assert!(
                            selector.writer_before(table, p, visit).is_some(),
                            "{name} {visit} {p}"
                        );
                    }
                    if let Some(p) = selector.pooled(visit, share, Pool::Unvisited, bits) {
                        assert_eq!(
                            selector.writer_before(table, p, visit),
                            None,
                            "{name} {visit} {p}"
                        );
                    }
                    let p = selector
                        .pooled(visit, share, Pool::Recent, bits)
                        .expect("something is recent");
                    let block = selector.block_visits();
                    let (start, near) = (visit / block * block, 60 * block);
                    let next = selector
                        .writer_from(table, p, start)
                        .is_some_and(|next| next < start + near);
                    let last = selector
                        .writer_before(table, p, start)
                        .is_some_and(|last| last + near > start);
                    assert!(next || last, "{name} {visit} {p}");
                }
            }
        }
    }
    let selector = Selector::new(6, &ROLES, &table_of(0, window(2, 1)), &[1000]).unwrap();
    assert_eq!(selector.pooled(0, 0, Pool::Retired, 1), None);
}

#[test]
fn a_layout_that_cannot_be_exact_is_refused_by_name() {
    let bad = |roles: &[Role], shares: Vec<ShareOf>, partitions: &[u64]| {
        Selector::new(1, roles, &shares, partitions).unwrap_err()
    };
    let reader = [Role {
        visits: 1,
        partitions: 0,
        writes: 0,
        reads: 1,
    }];
    assert_eq!(
        bad(&reader, table_of(0, rotation(3)), &[9]),
        SelectError::NoWriters
    );
    let uneven = [Role {
        visits: 1,
        partitions: 2,
        writes: 1,
        reads: 0,
    }];
    assert!(matches!(
        bad(&uneven, table_of(0, rotation(3)), &[9]),
        SelectError::Uneven { role: 0, .. }
    ));
    assert!(matches!(
        bad(&ROLES, vec![], &[9]),
        SelectError::Shares { shares: 0 }
    ));
    assert!(matches!(
        bad(&ROLES, table_of(1, rotation(3)), &[9]),
        SelectError::Table { table: 1, .. }
    ));
    assert!(matches!(
        bad(&ROLES, table_of(0, rotation(10)), &[9]),
        SelectError::Beyond {
            end: 10,
            partitions: 9,
            ..
        }
    ));
    assert!(matches!(
        bad(&ROLES, table_of(0, list(&[9])), &[9]),
        SelectError::Beyond { end: 10, .. }
    ));
    assert!(matches!(
        bad(&ROLES, table_of(0, list(&[])), &[9]),
        SelectError::NoMembers { .. }
    ));
    assert!(matches!(
        bad(&ROLES, table_of(0, window(0, 1)), &[9]),
        SelectError::WindowSize { .. }
    ));
    assert!(matches!(
        bad(
            &ROLES,
            table_of(0, vec![(1, Members::Returning { window: 0 })]),
            &[9]
        ),
        SelectError::NoWindow { .. }
    ));
    let heavy = vec![
        (9970, Members::Fixed { first: 0, count: 5 }),
        (3, Members::Fixed { first: 5, count: 4 }),
    ];
    assert!(matches!(
        bad(&ROLES, table_of(0, heavy), &[9]),
        SelectError::Block { visits: 99730 }
    ));
    let weightless = vec![(0, Members::Fixed { first: 0, count: 1 })];
    assert!(matches!(
        bad(&ROLES, table_of(0, weightless), &[9]),
        SelectError::Weightless { share: 0 }
    ));
    let message = bad(&ROLES, table_of(0, rotation(10)), &[9]).to_string();
    assert_eq!(message, "share 0 goes up to partition 10, but table 0 has only 9");
}

#[test]
fn a_deck_deals_each_choice_as_often_as_its_weight() {
    let deck = Deck::new(7, &[30, 0, 10, 20]);
    assert_eq!(deck.len(), 6);
    for number in [0, 1, 1 << 40] {
        let mut dealt = [0; 4];
        for n in number * 6..number * 6 + 6 {
            dealt[deck.deal(n)] += 1;
        }
        assert_eq!(dealt, [3, 0, 1, 2]);
    }
    let mut dealer = deck.dealer(3);
    for n in (0..40).chain([7, 3, 1 << 50, 2]) {
        assert_eq!(dealer.deal(n), deck.deal(n));
    }
    let orders: BTreeSet<Vec<usize>> = (0..40)
        .map(|d| (d * 6..d * 6 + 6).map(|n| deck.deal(n)).collect())
        .collect();
    assert!(orders.len() > 20, "decks are shuffled anew: {}", orders.len());
}

#[test]
fn walking_by_offset_reaches_every_row() {
    for (rows, per_visit) in [(1, 1), (7, 3), (100, 10), (10, 25)] {
        let seen: BTreeSet<u64> = (0..rows * 2)
            .flat_map(|nth| (0..per_visit).map(move |slot| Walk::Offset.row(1, rows, nth, per_visit, slot)))
            .collect();
        assert_eq!(seen, (0..rows).collect(), "{rows} {per_visit}");
    }
}

#[test]
fn a_hot_walk_prefers_its_hot_rows() {
    let walk = Walk::Hot { rows: 4, in_16: 12 };
    let hot = (0..1600).filter(|&key| walk.row(key, 1000, 0, 1, 0) < 4).count();
    assert!((1100..1300).contains(&hot), "{hot}");
    assert!((0..500).all(|key| walk.row(key, 3, 0, 1, 0) < 3));
}

/// Every rule that the strategies below make, over small numbers.
fn rules() -> impl Strategy<Value = Rule> {
    prop_oneof![
        (1..9u64, 1..5u64, 0..40u64).prop_map(|(width, repeats, more)| Rule::Window(Window {
            width,
            repeats,
            limit: width + more
        })),
        (any::<u64>(), 0..5u64, 1..20u64).prop_map(|(key, first, count)| Rule::fixed(key, first, count)),
        prop::collection::vec(0..9u64, 1..12).prop_map(Rule::list),
        (any::<u64>(), 1..9u64, 1..9u64, 1..30u64, 1..80u64).prop_map(
            |(key, turns, window, slide, limit)| Rule::Returning(Returning::new(
                key, turns, window, slide, limit
            ))
        ),
    ]
}

proptest! {
    /// The inverse pair of every rule: `at` and (`turn_from`, `turn_before`).
    #[test]
    fn turns_of_a_member_are_those_at_which_it_is_named(rule in rules(), from in 0..600u64) {
        const TURNS: u64 = 800;
        let named: Vec<u64> = (0..TURNS).map(|turn| rule.at(turn).position).collect();
        for position in 0..rule.end().max(30) + 2 {
            let turns: Vec<u64> = (0..TURNS).filter(|&t| named[t as usize] == position).collect();
            let next = turns.iter().copied().find(|&t| t >= from);
            let found = rule.turn_from(position, from);
            prop_assert_eq!(found.filter(|&t| t < TURNS), next, "from {} for {}", from, position);
            prop_assert_eq!(rule.turn_before(position, from), turns.iter().copied().rfind(|&t| t < from));
            if let Some(turn) = found {
                prop_assert_eq!(rule.at(turn).position, position);
            }
        }
        prop_assert!(named.iter().all(|&p| p < rule.end()));
    }

    /// The inverse pair of the walk: `row` and `slot`.
    #[test]
    fn the_slot_of_a_row_is_where_the_walk_touches_it(rows in 1..50u64, per_visit in 1..60u64, nth in any::<u64>(), row in 0..60u64) {
        let slots: Vec<u64> = (0..per_visit).filter(|&s| Walk::Offset.row(0, rows, nth, per_visit, s) == row).collect();
        prop_assert_eq!(Walk::slot(rows, nth, per_visit, row), slots.first().copied());
    }

    /// The inverse pair of the selector: `touches` and (`writer_after`, `writer_before`), over drawn layouts.
    #[test]
    fn drawn_layouts_agree_with_enumeration(
        seed in any::<u64>(),
        single in 1..6u32, double in 0..4u32, readers in 0..5u32,
        weights in prop::collection::vec(1..6u32, 3),
        width in 1..6u64, repeats in 1..4u64, fixed in 1..9u64, partitions in 9..60u64,
    ) {
        let roles = [
            Role { visits: single, partitions: 1, writes: 1, reads: 0 },
            Role { visits: double, partitions: 2, writes: 3, reads: 1 },
            Role { visits: readers, partitions: 0, writes: 0, reads: 1 },
        ];
        let shares = [
            ShareOf { table: 0, weight: weights[0], members: Members::Window { width, repeats } },
            ShareOf { table: 0, weight: weights[1], members: Members::Returning { window: 0 } },
            ShareOf { table: 0, weight: weights[2], members: Members::Fixed { first: 0, count: fixed } },
        ];
        let selector = Selector::new(seed, &roles, &shares, &[partitions]).unwrap();
        compare(&selector, 300, 11);
    }

    /// The inverse pair of a shuffle: `at` and `index`, made beforehand and long.
    #[test]
    fn the_index_of_an_element_is_where_the_shuffle_puts_it(key in any::<u64>(), n in any::<u64>(), len in 1..10_000u64) {
        let shuffles = Shuffles::new(key, len);
        let shuffle = shuffles.get(n);
        let mut seen = vec![false; len as usize];
        for i in 0..len {
            let x = shuffle.at(i);
            prop_assert_eq!(shuffle.index(x), i);
            prop_assert!(!std::mem::replace(&mut seen[x as usize], true));
        }
    }

    #[test]
    fn the_greatest_common_divisor_divides_both(a in 1..1000u64, b in 1..1000u64) {
        let d = gcd(a, b);
        prop_assert!(a % d == 0 && b % d == 0 && (d + 1..=a.min(b)).all(|e| a % e != 0 || b % e != 0));
    }
}
