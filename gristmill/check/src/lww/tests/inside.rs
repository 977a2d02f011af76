//! Lies about filters on what is inside of a column, or on all of what is frozen: a row that fits is left out, one that does
//! not is shown.

use super::planted::{PLAIN, answer_of, check_as, must, world_of};
use crate::testkit::racing::Kind;
use crate::testkit::sim;
use datagen::value::Value;
use expect_test::{Expect, expect};

const ELEMENTS: Kind = Kind {
    composites: true,
    ..PLAIN
};

/// Two rows of c4 (a set of bools), c5 (a map), c10 (a frozen list): every filter below fits the one, and no longer the other.
const ROWS: &str = "1: upsert t0/1/2 c3=5 c4=2 c5=1 c10=2 | auto at 100 one ## s1 1..2 committed
     2: upsert t0/1/7 c3=9 c4=2 c5=1 c10=2 | auto at 100 one ## s1 3..4 committed
     3: update t0/1/7 c4=null c5=null c10=1 | auto at 101 one ## s1 5..6 committed";

fn read(filter: &str) -> String {
    format!("{ROWS}\n9: read t0/1 select c1,c2,c3 where {filter} | auto at 1 one ## s2 20..21 committed")
}

/// The rows of a truthful answer: one.
fn truth(history: &str) -> Vec<Vec<Value>> {
    let world = world_of(history, ELEMENTS);
    let rows = sim::decode(&answer_of(&world, ELEMENTS, must(&world)));
    assert_eq!(rows.len(), 1, "{history}");
    rows
}

/// What stood in the other row before answers the filter still, or the one row is left out.
fn lies(filter: &str, left_out: Expect, shown: Expect) {
    let history = read(filter);
    truth(&history);
    check_as(ELEMENTS, &history, |rows| drop(rows.pop()), left_out);
    let all = read(filter).replace(&format!(" where {filter}"), "");
    let world = world_of(&all, ELEMENTS);
    let both = sim::decode(&answer_of(&world, ELEMENTS, must(&world)));
    check_as(ELEMENTS, &history, |rows| *rows = both, shown);
}

#[test]
fn a_filter_of_an_element_is_told_what_it_left_out_and_what_it_kept() {
    lies(
        "c4 contains 1",
        expect![[r#"
        missing row
        visit 9 (read-predicate): row (-128, '\''') of partition (-2147483645) of t0 is missing
        visit 1 wrote it; nothing removed it
        proof: 1"#]],
        expect![[r#"
            extra row
            visit 9 (read-predicate): row (-21, '') of partition (-2147483645) of t0 is there and must not be
            visit 3 removed it
            proof: 3"#]],
    );
}

#[test]
fn a_filter_of_a_key_is_told_what_it_left_out_and_what_it_kept() {
    lies(
        "c5 contains-key 0",
        expect![[r#"
        missing row
        visit 9 (read-predicate): row (-128, '\''') of partition (-2147483645) of t0 is missing
        visit 1 wrote it; nothing removed it
        proof: 1"#]],
        expect![[r#"
            extra row
            visit 9 (read-predicate): row (-21, '') of partition (-2147483645) of t0 is there and must not be
            visit 3 removed it
            proof: 3"#]],
    );
}

#[test]
fn a_filter_of_an_entry_is_told_what_it_left_out_and_what_it_kept() {
    lies(
        "c5 contains-entry 0",
        expect![[r#"
        missing row
        visit 9 (read-predicate): row (-128, '\''') of partition (-2147483645) of t0 is missing
        visit 1 wrote it; nothing removed it
        proof: 1"#]],
        expect![[r#"
            extra row
            visit 9 (read-predicate): row (-21, '') of partition (-2147483645) of t0 is there and must not be
            visit 3 removed it
            proof: 3"#]],
    );
}

#[test]
fn a_filter_of_all_of_what_is_frozen_is_told_what_it_left_out_and_what_it_kept() {
    lies(
        "c10=2",
        expect![[r#"
        missing row
        visit 9 (read-predicate): row (-128, '\''') of partition (-2147483645) of t0 is missing
        visit 1 wrote it; nothing removed it
        proof: 1"#]],
        expect![[r#"
            extra row
            visit 9 (read-predicate): row (-21, '') of partition (-2147483645) of t0 is there and must not be
            visit 3 removed it
            proof: 3"#]],
    );
}
