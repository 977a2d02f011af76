//! The first hundred visits of a few seeds: the story may not change by accident.
//!
//! To accept a change on purpose: `UPDATE_EXPECT=1 cargo test -p gristmill-workload golden`, then read the diff.

use expect_test::expect_file;

use super::*;

fn story(p: &Partitions) -> String {
    visits(p, 1..101).map(|visit| format!("{visit}\n")).collect()
}

#[test]
fn the_first_hundred_visits_are_known() {
    expect_file!["../../../golden/default-1.txt"].assert_eq(&story(&workload(Config::default(), 1)));
    expect_file!["../../../golden/transactions-2.txt"].assert_eq(&story(&workload(named("transactions"), 2)));
    expect_file!["../../../golden/lww-4.txt"].assert_eq(&story(&workload(Config::default().lww(), 4)));
    expect_file!["../../../golden/narrow-swarm-3.txt"]
        .assert_eq(&story(&workload(named("narrow").swarm(3), 3)));
}
