//! Lies about lists: an element stands in a list as often as it was added, in an order that the server's clock can have given.

use super::planted::{PLAIN, check_as};
use crate::testkit::racing::Kind;
use datagen::value::Value;
use expect_test::{Expect, expect};

const LISTS: Kind = Kind { lists: true, ..PLAIN };

/// c5: a list of bools; element 0 is false, 1 is true; 0 adds behind, 1 in front.
const ADDED: &str = "1: update t0/1/2 c5=0 | auto at 100 one ## s1 1..2 committed
     3: elements t0/1/2 c5 1=1 | auto at 101 one ## s1 3..4 committed
     4: elements t0/1/2 c5 1=0 | auto at 99 one ## s1 5..6 committed
     5: elements t0/1/2 c5 0=0 | auto at 101 one ## s1 7..8 rejected
     9: read t0/1 select c1,c2,c5 order c1,-c2 | auto at 1 one ## s2 20..21 committed";

fn list_of(bools: &[bool]) -> Value {
    Value::Composite(bools.iter().map(|b| Value::Bool(*b)).collect())
}

fn shows(history: &str, list: &[bool], expected: Expect) {
    check_as(LISTS, history, |rows| rows[0][2] = list_of(list), expected);
}

/// [true, false]: visit 4 came later, and is older than what visit 1 deleted.
#[test]
fn what_is_added_in_front_stands_before_what_is_added_behind() {
    shows(ADDED, &[true, false], expect!["explained"]);
    shows(
        ADDED,
        &[false, true],
        expect![[r#"
        wrong cell
        visit 9 (read-partition): column k of row (-128, '\''') of partition (-2147483645) of t0 is [false, true] and must be a list with true before false
        visit 3 wrote what must be there; no visit ever wrote what is seen
        proof: 1 3"#]],
    );
}

#[test]
fn an_element_that_stands_there_twice_was_added_twice() {
    shows(
        ADDED,
        &[true, true, false],
        expect![[r#"
        wrong cell
        visit 9 (read-partition): column k of row (-128, '\''') of partition (-2147483645) of t0 is [true, true, false] and must be a list with true 1 times
        visit 3 wrote what must be there; no visit ever wrote what is seen
        proof: 3"#]],
    );
    shows(
        ADDED,
        &[false],
        expect![[r#"
        wrong cell
        visit 9 (read-partition): column k of row (-128, '\''') of partition (-2147483645) of t0 is [false] and must be [false, true]
        visit 3 overwrote what is seen
        proof: 1 3"#]],
    );
}

/// Two of one kind, one of which nobody knows.
const TWICE: &str = "1: elements t0/1/2 c5 0=0 | auto at 100 one ## s1 1..2 committed
     3: elements t0/1/2 c5 0=0 | auto at 100 one ## s1 3..4 committed
     4: elements t0/1/2 c5 0=0 | auto at 100 one ## s1 5..6 unknown
     6: elements t0/1/2 c5 1=0 | auto at 90 one ## s3 9..10 committed
     9: read t0/1 select c1,c2,c5 order c1,-c2 | auto at 1 one ## s2 20..21 committed";

#[test]
fn an_element_that_was_added_twice_stands_there_twice_and_perhaps_once_more() {
    shows(TWICE, &[false, false, true], expect!["explained"]);
    shows(TWICE, &[false, false, true, false], expect!["explained"]);
    shows(
        TWICE,
        &[false, true],
        expect![[r#"
        wrong cell
        visit 9 (read-partition): column k of row (-128, '\''') of partition (-2147483645) of t0 is [false, true] and must be a list with false 2 to 3 times
        visit 4 wrote what must be there; no visit ever wrote what is seen
        proof: 1 3 4"#]],
    );
    shows(
        TWICE,
        &[false, false, false, false, true],
        expect![[r#"
        wrong cell
        visit 9 (read-partition): column k of row (-128, '\''') of partition (-2147483645) of t0 is [false, false, false, false, true] and must be a list with false 2 to 3 times
        visit 4 wrote what must be there; no visit ever wrote what is seen
        proof: 1 3 4"#]],
    );
}

/// Of two that were added at once nobody knows which came first.
#[test]
fn what_was_acknowledged_before_another_was_sent_stands_before_it() {
    let history = |second: &str| {
        format!(
            "1: elements t0/1/2 c5 0=0 | auto at 100 one ## s1 1..4 committed
             3: elements t0/1/2 c5 1=0 | auto at 50 one ## s3 {second} committed
             9: read t0/1 select c1,c2,c5 order c1,-c2 | auto at 1 one ## s2 20..21 committed"
        )
    };
    shows(&history("3..6"), &[true, false], expect!["explained"]);
    shows(
        &history("5..6"),
        &[true, false],
        expect![[r#"
        wrong cell
        visit 9 (read-partition): column k of row (-128, '\''') of partition (-2147483645) of t0 is [true, false] and must be a list with false before true
        visit 3 wrote what must be there; no visit ever wrote what is seen
        proof: 1 3"#]],
    );
}
