//! Columns of elements, each of which wins and loses by itself.

use super::planted::{PLAIN, answer_of, check_as, world_of};
use crate::testkit::racing::Kind;
use crate::testkit::{composites, sim};
use datagen::value::Value;
use expect_test::expect;

/// c4: a set of two bools. 1 is {false}, 2 is {false, true}; element 0 is false, 1 is true.
const SETS: &str = "1: update t0/1/2 c4=1 | auto at 100 one ## s1 1..2 committed
     3: elements t0/1/2 c4 1=0 | auto at 101 one ## s1 3..4 committed
     5: elements t0/1/2 c4 0=null | auto at 101 one ## s1 5..6 committed
     6: update t0/1/2 c4=1 | auto at 99 one ## s1 7..8 committed
     9: read t0/1 select c1,c2,c4 order c1,-c2 | auto at 1 one ## s2 20..21 committed";

const ELEMENTS: Kind = Kind {
    composites: true,
    ..PLAIN
};

fn set_of(bools: &[bool]) -> Value {
    Value::Composite(bools.iter().map(|b| Value::Bool(*b)).collect())
}

#[test]
fn elements_win_and_lose_one_by_one() {
    let truth = answer_of(&world_of(SETS, ELEMENTS), ELEMENTS, |_| true);
    let shown = sim::decode(&truth);
    assert_eq!(shown[0][2], set_of(&[true]));
    check_as(ELEMENTS, SETS, |_| {}, expect!["explained"]);
}

#[test]
fn an_element_that_was_removed_came_back() {
    check_as(
        ELEMENTS,
        SETS,
        |rows| rows[0][2] = set_of(&[false, true]),
        expect![[r#"
            wrong cell
            visit 9 (read-partition): column s of row (-128, '\''') of partition (-2147483645) of t0 is [false, true] and must be [true]
            visit 5 overwrote what is seen
            proof: 1 5"#]],
    );
}

#[test]
fn an_element_that_was_added_is_missed() {
    check_as(
        ELEMENTS,
        SETS,
        |rows| rows[0][2] = Value::Null,
        expect![[r#"
            wrong cell
            visit 9 (read-partition): column s of row (-128, '\''') of partition (-2147483645) of t0 is NULL and must be [true]
            visit 5 wrote what must be there; visit 3 overwrote what is seen
            proof: 1 3 5"#]],
    );
}

#[test]
fn assigning_keeps_nothing_that_is_older() {
    let history = "1: elements t0/1/2 c5 1=3 | auto at 100 one ## s1 1..2 committed
         3: update t0/1/2 c5=null c3=7 | auto at 101 one ## s1 3..4 committed
         9: read t0/1 select c1,c2,c3,c5 order c1,-c2 | auto at 1 one ## s2 20..21 committed";
    let back = |rows: &mut Vec<Vec<Value>>| {
        let schema = composites();
        let elements = schema
            .table(0)
            .domain(datagen::schema::ColumnId(5))
            .elements()
            .expect("a map");
        let entry = [elements.key(1), elements.value(1, 3)];
        rows[0][3] = Value::Composite(entry.into_iter().flatten().collect());
    };
    check_as(
        ELEMENTS,
        history,
        back,
        expect![[r#"
            wrong cell
            visit 9 (read-partition): column m of row (-128, '\''') of partition (-2147483645) of t0 is [-90, ' a'] and must be NULL
            visit 3 overwrote what is seen
            proof: 1 3"#]],
    );
}
