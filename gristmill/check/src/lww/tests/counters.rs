//! Lies about counters: what was added is in a sum once, whoever added it.

use super::planted::{PLAIN, answer_of, check_as, must, verdict, world_of};
use crate::testkit::racing::Kind;
use crate::testkit::sim;
use datagen::value::Value;
use expect_test::{Expect, expect};

const COUNTERS: Kind = Kind {
    counters: true,
    ..PLAIN
};

/// Regular counters c3 and c4, a shared one c7; two visits that are over, one that was refused, one that comes later.
const HISTORY: &str = "1: add t0/1/2 c3=5 c4=-1 | auto at 100 one ## s1 1..2 committed
     2: add t0/1/2 c3=70; add t0/1/7 c3=1; add t0/1 c7=3 | batch at 90 one ## s1 3..4 committed
     3: add t0/1/2 c3=600 | auto at 101 one ## s1 5..6 rejected
     10: add t0/1/2 c3=8000 | auto at 103 one ## s1 30..31 committed
     9: read t0/1 select c1,c2,c3,c4,c7 order c1,-c2 stamps | auto at 1 one ## s2 20..21 committed";

fn shows(history: &str, sum: i64, expected: Expect) {
    check_as(COUNTERS, history, |rows| rows[0][2] = Value::Int(sum), expected);
}

#[test]
fn a_lost_increment_is_missed_by_name() {
    shows(
        HISTORY,
        5,
        expect![[r#"
        wrong cell
        visit 9 (read-partition): column n of row (-128, '\''') of partition (-2147483645) of t0 is 5 and must be 75
        what visit 2 added is not in it
        proof: 2"#]],
    );
}

#[test]
fn an_increment_that_is_counted_twice_is_found_by_name() {
    shows(
        HISTORY,
        145,
        expect![[r#"
        wrong cell
        visit 9 (read-partition): column n of row (-128, '\''') of partition (-2147483645) of t0 is 145 and must be 75
        what visit 2 added is in it twice
        proof: 2"#]],
    );
}

#[test]
fn a_refused_increment_is_in_no_sum() {
    shows(
        HISTORY,
        675,
        expect![[r#"
        wrong cell
        visit 9 (read-partition): column n of row (-128, '\''') of partition (-2147483645) of t0 is 675 and must be 75
        visit 2 wrote what must be there; only visit 3 wrote what is seen, and nothing of it was kept
        proof: 2 3"#]],
    );
}

#[test]
fn an_increment_that_was_not_sent_is_in_no_sum() {
    shows(
        HISTORY,
        8075,
        expect![[r#"
        wrong cell
        visit 9 (read-partition): column n of row (-128, '\''') of partition (-2147483645) of t0 is 8075 and must be 75
        visit 2 wrote what must be there; only visit 10 wrote what is seen, and its commit was not sent before the answer
        proof: 2 10"#]],
    );
}

#[test]
fn a_sum_that_nobody_made_is_nobodys() {
    shows(
        HISTORY,
        76,
        expect![[r#"
        wrong cell
        visit 9 (read-partition): column n of row (-128, '\''') of partition (-2147483645) of t0 is 76 and must be 75
        visit 2 wrote what must be there; no visit ever wrote what is seen
        proof: 2"#]],
    );
}

#[test]
fn half_a_batch_of_counters_is_torn() {
    let racing = HISTORY.replace("3..4 committed", "3..25 committed");
    let half = |rows: &mut Vec<Vec<Value>>| rows[0][2] = Value::Int(75);
    check_as(
        COUNTERS,
        &racing,
        half,
        expect![[r#"
        torn visit
        visit 9 (read-partition): one part of the answer shows visit 2, another part does not
        visit 2 was one transaction; no choice of it explains all that was seen
        proof: 2"#]],
    );
}

#[test]
fn an_increment_of_which_nobody_knows_is_counted_once_or_not() {
    let unknown = HISTORY.replace("5..6 rejected", "5..never unknown");
    shows(&unknown, 75, expect!["explained"]);
    shows(&unknown, 675, expect!["explained"]);
    shows(
        &unknown,
        1275,
        expect![[r#"
        wrong cell
        visit 9 (read-partition): column n of row (-128, '\''') of partition (-2147483645) of t0 is 1275 and must be 75
        visit 2 wrote what must be there; no visit ever wrote what is seen
        proof: 2"#]],
    );
}

#[test]
fn a_counter_that_nobody_added_to_is_null() {
    let alone = "1: add t0/1/2 c3=0 | auto at 100 one ## s1 1..2 committed
         9: read t0/1 select c1,c2,c3,c4 order c1,-c2 | auto at 1 one ## s2 20..21 committed";
    check_as(
        COUNTERS,
        alone,
        |rows| assert_eq!(rows[0][2..], [Value::Int(0), Value::Null]),
        expect!["explained"],
    );
    check_as(
        COUNTERS,
        alone,
        |rows| rows[0][3] = Value::Int(0),
        expect![[r#"
            wrong cell
            visit 9 (read-partition): column m of row (-128, '\''') of partition (-2147483645) of t0 is 0 and must be NULL
            no visit ever wrote what is seen
            proof: "#]],
    );
}

/// Row 2 was deleted when all that was added to it had been acknowledged.
const DELETED: &str = "1: add t0/1/2 c3=5 c4=-1 | auto at 100 one ## s1 1..2 committed
     2: add t0/1/7 c3=1; add t0/1 c7=3 | batch at 90 one ## s1 3..4 committed
     3: delete t0/1/2 | auto at 50 one ## s1 5..6 committed
     9: read t0/1 select c1,c2,c3,c4,c7 order c1,-c2 stamps | auto at 1 one ## s2 20..21 committed";

/// What is answered when the row that was deleted is there.
fn comes_back(history: &str, expected: Expect) {
    let undeleted: String = history
        .lines()
        .filter(|line| !line.contains("delete"))
        .collect::<Vec<_>>()
        .join("\n");
    let world = world_of(&undeleted, COUNTERS);
    let back = sim::decode(&answer_of(&world, COUNTERS, must(&world)));
    check_as(COUNTERS, history, |rows| *rows = back, expected);
}

#[test]
fn a_deleted_counter_that_came_back_is_found() {
    comes_back(
        DELETED,
        expect![[r#"
        extra row
        visit 9 (read-partition): row (-128, '\''') of partition (-2147483645) of t0 is there and must not be
        visit 3 removed it
        proof: 1 3"#]],
    );
}

#[test]
fn a_deleted_partition_of_counters_that_came_back_is_found() {
    comes_back(
        &DELETED.replace("3: delete t0/1/2", "3: delete t0/1"),
        expect![[r#"
            extra row
            visit 9 (read-partition): row (-128, '\''') of partition (-2147483645) of t0 is there and must not be
            visit 3 removed it
            proof: 1 3"#]],
    );
}

#[test]
fn a_deletion_of_which_nobody_knows_was_done_or_not() {
    let unknown = DELETED.replace("5..6 committed", "5..never unknown");
    let world = world_of(&unknown, COUNTERS);
    for seen in [true, false] {
        let rows = answer_of(&world, COUNTERS, |v| v.lts.0 < 3 || (seen && v.lts.0 == 3));
        assert_eq!(verdict(&world, COUNTERS, rows), "explained", "{seen}");
    }
}

#[test]
fn what_was_on_its_way_when_a_counter_was_deleted_may_bring_it_back() {
    let met = DELETED.replace("1..2 committed", "1..5 committed");
    let open =
        "not compared: a counter was deleted while it may still have been added to: what it shows is open";
    for history in [met, DELETED.replace("1..2 committed", "1..never unknown")] {
        let world = world_of(&history, COUNTERS);
        for seen in [true, false] {
            let rows = answer_of(&world, COUNTERS, |v| v.lts.0 < 3 || (seen && v.lts.0 == 3));
            assert_eq!(verdict(&world, COUNTERS, rows), open, "{history}");
        }
    }
}

#[test]
fn a_counter_that_is_deleted_again_is_gone() {
    let again = DELETED.replace("1..2 committed", "1..5 committed").replace(
        "     9: read",
        "     4: delete t0/1/2 | auto at 40 one ## s1 7..8 committed\n     9: read",
    );
    comes_back(
        &again,
        expect![[r#"
        extra row
        visit 9 (read-partition): row (-128, '\''') of partition (-2147483645) of t0 is there and must not be
        visit 4 removed it
        proof: 1 4"#]],
    );
}
