//! Rows of ledgers: what was acknowledged is seen, what was not is not, what is pending may be either.

use super::{broken, explained};

const HEAD: &str = "1 s1 > ledger cells l\n2 s1 < ok\n";

#[test]
fn a_row_is_as_it_was_written_last() {
    let head = format!(
        "{HEAD}3 s1 > into l 0 5\n4 s1 < count 1\n5 s1 > set l 0 6\n6 s1 < count 1\n7 s2 > watch l\n"
    );
    explained(&format!("{head}8 s2 < rows 0=6"));
    for lie in [
        "rows none",
        "rows 0=5",
        "rows 0=6,1=6",
        "rows 0=6,0=6",
        "rows 0=6,7=6",
    ] {
        broken(&format!("{head}8 s2 < {lie}"));
    }
    let gone = format!("{head}8 s2 < rows 0=6\n9 s1 > take l 0\n10 s1 < count 1\n11 s2 > watch l\n");
    explained(&format!("{gone}12 s2 < rows none"));
    broken(&format!("{gone}12 s2 < rows 0=6"));
}

#[test]
fn a_write_on_its_way_may_be_seen_and_may_not() {
    let head = format!("{HEAD}3 s1 > into l 0 5\n4 s1 < count 1\n5 s1 > set l 0 6\n6 s2 > watch l\n");
    for either in ["0=5", "0=6"] {
        explained(&format!("{head}7 s2 < rows {either}\n8 s1 < count 1"));
    }
    broken(&format!("{head}7 s2 < rows none"));
    // Refused, it has not been.
    let refused = format!("{head}7 s2 < rows 0=5\n8 s1 < 40P01 deadlock detected\n9 s2 > watch l\n");
    explained(&format!("{refused}10 s2 < rows 0=5"));
    broken(&format!("{refused}10 s2 < rows 0=6"));
    // Nobody heard its end: either, from now on.
    let unknown = format!(
        "{head}7 s2 < rows 0=5\n7 s1 !terminate\n8 s1 < unknown 57P01 gone\n9 s1 gone\n10 s2 > watch l\n"
    );
    for either in ["0=5", "0=6"] {
        explained(&format!("{unknown}11 s2 < rows {either}"));
    }
    broken(&format!("{unknown}11 s2 < rows 0=7"));
}

#[test]
fn rows_of_an_open_transaction_are_its_own() {
    let head = format!("{HEAD}3 s1 > begin\n4 s1 < ok\n5 s1 > into l 0 5\n6 s1 < count 1\n");
    explained(&format!("{head}7 s1 > watch l\n8 s1 < rows 0=5"));
    broken(&format!("{head}7 s1 > watch l\n8 s1 < rows none"));
    explained(&format!("{head}7 s2 > watch l\n8 s2 < rows none"));
    broken(&format!("{head}7 s2 > watch l\n8 s2 < rows 0=5"));
    let kept = format!("{head}7 s1 > commit\n8 s1 < ok\n9 s2 > watch l\n");
    explained(&format!("{kept}10 s2 < rows 0=5"));
    broken(&format!("{kept}10 s2 < rows none"));
    let undone = format!("{head}7 s1 > rollback\n8 s1 < ok\n9 s2 > watch l\n");
    explained(&format!("{undone}10 s2 < rows none"));
    broken(&format!("{undone}10 s2 < rows 0=5"));
}

#[test]
fn what_came_after_a_savepoint_goes_with_the_way_back_to_it() {
    let head = format!(
        "{HEAD}3 s1 > begin\n4 s1 < ok\n5 s1 > into l 0 5\n6 s1 < count 1\n7 s1 > savepoint p\n8 s1 < ok\n9 s1 > set l 0 6\n\
         10 s1 < count 1\n11 s1 > to p\n12 s1 < ok\n13 s1 > commit\n14 s1 < ok\n15 s2 > watch l\n"
    );
    explained(&format!("{head}16 s2 < rows 0=5"));
    broken(&format!("{head}16 s2 < rows 0=6"));
}

#[test]
fn a_count_tells_whether_the_row_was_there() {
    let there = format!("{HEAD}3 s1 > into l 0 5\n4 s1 < count 1\n");
    for (does, truth, lie) in [
        ("into l 0 6", 0, 1),
        ("set l 0 6", 1, 0),
        ("take l 0", 1, 0),
        ("put l 0 6", 1, 0),
    ] {
        explained(&format!("{there}5 s2 > {does}\n6 s2 < count {truth}"));
        broken(&format!("{there}5 s2 > {does}\n6 s2 < count {lie}"));
    }
    for (does, truth, lie) in [("into l 0 6", 1, 0), ("set l 0 6", 0, 1), ("take l 0", 0, 1)] {
        explained(&format!("{HEAD}5 s2 > {does}\n6 s2 < count {truth}"));
        broken(&format!("{HEAD}5 s2 > {does}\n6 s2 < count {lie}"));
    }
    // What touched no row has changed none.
    let missed = format!("{there}5 s2 > into l 0 6\n6 s2 < count 0\n7 s1 > watch l\n");
    explained(&format!("{missed}8 s1 < rows 0=5"));
    broken(&format!("{missed}8 s1 < rows 0=6"));
}

#[test]
fn a_write_that_waited_for_a_deleted_row_does_not_find_the_one_in_its_place() {
    let head = format!(
        "{HEAD}3 s1 > into l 0 5\n4 s1 < count 1\n5 s1 > begin\n6 s1 < ok\n7 s1 > take l 0\n8 s1 < count 1\n9 s1 > into l 0 6\n\
         10 s1 < count 1\n"
    );
    explained(&format!(
        "{head}11 s2 > set l 0 7\n12 s1 > commit\n13 s1 < ok\n14 s2 < count 0"
    ));
    broken(&format!(
        "{head}11 s1 > commit\n12 s1 < ok\n13 s2 > set l 0 7\n14 s2 < count 0"
    ));
    // A read has one snapshot: the row is there in each.
    broken(&format!(
        "{head}11 s2 > watch l\n12 s1 > commit\n13 s1 < ok\n14 s2 < rows none"
    ));
}

#[test]
fn under_an_older_snapshot_a_table_that_was_changed_may_be_read_empty() {
    let head = format!("{HEAD}3 s1 > into l 0 5\n4 s1 < count 1\n5 s2 > begin rr\n6 s2 < ok\n");
    explained(&format!(
        "{head}7 s1 > add l c9\n8 s1 < ok\n9 s2 > watch l\n10 s2 < rows none"
    ));
    broken(&format!(
        "{head}7 s1 > set l 0 6\n8 s1 < count 1\n9 s2 > watch l\n10 s2 < rows none"
    ));
    explained(&format!(
        "{head}7 s1 > set l 0 6\n8 s1 < count 1\n9 s2 > watch l\n10 s2 < rows 0=5"
    ));
}

#[test]
fn a_counter_is_between_what_was_acknowledged_and_what_may_be_on_its_way() {
    let head = "1 s1 > ledger counters l\n2 s1 < ok\n3 s1 > plus l 0 2\n4 s1 < count 1\n5 s2 > plus l 0 3\n6 s3 > watch l\n";
    for fits in [2, 5] {
        explained(&format!("{head}7 s3 < rows 0={fits},1=0"));
    }
    for lie in ["0=0,1=0", "0=6,1=0", "0=2", "0=2,1=1"] {
        broken(&format!("{head}7 s3 < rows {lie}"));
    }
    broken(&format!("{head}7 s2 < count 0"));
    // What is folded is added up as well.
    let mut long = "1 s1 > ledger counters l\n2 s1 < ok\n".to_owned();
    for n in 0..300 {
        long += &format!("{} s1 > plus l 0 1\n{} s1 < count 1\n", 3 + 2 * n, 4 + 2 * n);
    }
    explained(&format!("{long}700 s2 > watch l\n701 s2 < rows 0=300,1=0"));
    broken(&format!("{long}700 s2 > watch l\n701 s2 < rows 0=299,1=0"));
    broken(&format!("{long}700 s2 > watch l\n701 s2 < rows 0=301,1=0"));
}

#[test]
fn the_sum_of_a_bank_stays() {
    let head = "1 s1 > ledger bank l\n2 s1 < ok\n3 s2 > watch l\n";
    explained(&format!("{head}4 s2 < rows 2=2000"));
    broken(&format!("{head}4 s2 < rows 2=1999"));
    broken(&format!("{head}4 s2 < rows 1=2000"));
}

#[test]
fn an_older_snapshot_may_show_what_was_deleted_beside_what_it_put_in_its_place() {
    let head = |level: &str| {
        format!(
            "{HEAD}3 s1 > into l 0 5\n4 s1 < count 1\n5 s1 > begin{level}\n6 s1 < ok\n7 s1 > watch l\n8 s1 < rows 0=5\n"
        )
    };
    let deleted = "9 s2 > take l 0\n10 s2 < count 1\n";
    let own = "11 s1 > into l 0 6\n12 s1 < count 1\n13 s1 > watch l\n14 s1 < rows 0=5,0=6";
    explained(&format!("{}{deleted}{own}", head(" rr")));
    broken(&format!("{}{deleted}{own}", head("")));
    // Who put nothing there sees one of them.
    let nothing = "13 s1 > watch l\n14 s1 < rows 0=5,0=6";
    broken(&format!("{}{deleted}{nothing}", head(" rr")));
}

#[test]
fn one_snapshot_shows_a_row_as_it_showed_it_before() {
    let head = format!("{HEAD}3 s1 > into l 0 5\n4 s1 < count 1\n");
    let changed = "10 s1 > set l 0 6\n11 s1 < count 1\n12 s2 > watch l\n";
    let snapshot = format!("{head}5 s2 > begin rr\n6 s2 < ok\n7 s2 > watch l\n8 s2 < rows 0=5\n{changed}");
    explained(&format!("{snapshot}13 s2 < rows 0=5"));
    let said = broken(&format!("{snapshot}13 s2 < rows 0=6"));
    assert!(said.contains("as this snapshot had it before"), "{said}");
    // At a lower level, in the next transaction, and of a row that it has written itself, it may be another one.
    let lower = snapshot.replace("begin rr", "begin");
    explained(&format!("{lower}13 s2 < rows 0=6"));
    let next = changed.replace(
        "12 s2",
        "12 s2 > commit\n13 s2 < ok\n14 s2 > begin rr\n15 s2 < ok\n16 s2",
    );
    let next = snapshot.replace(changed, &next);
    explained(&format!("{next}17 s2 < rows 0=6"));
    let own = format!(
        "{head}5 s2 > begin rr\n6 s2 < ok\n7 s2 > watch l\n8 s2 < rows 0=5\n9 s2 > set l 0 7\n10 s2 < count 1\n11 s2 > watch l\n"
    );
    explained(&format!("{own}12 s2 < rows 0=7"));
}
