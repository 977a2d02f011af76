//! What DuckDB says, and what must have happened for it to be right.

use super::notation::play;
use crate::parallel::DUCKDB;

fn broken(text: &str) -> usize {
    play(text, &DUCKDB).broken.len()
}

#[test]
fn a_conflict_needs_somebody_else_at_work() {
    let head = "1 s1 > create t\n2 s1 < ok\n";
    for conflict in [
        "TransactionContext Conflict on update!",
        "TransactionContext Failed to commit: PRIMARY KEY or UNIQUE constraint violation: duplicate key \"7\"",
        "TransactionContext Transaction conflict: attempting to insert into table \"t\" but it has been altered by a different \
         transaction",
    ] {
        let raced = format!("{head}3 s2 > insert t\n4 s3 > insert t\n5 s2 < ok\n6 s3 < {conflict}");
        assert_eq!(broken(&raced), 0, "{conflict}");
        let alone = format!("{head}3 s2 > insert t\n4 s2 < ok\n5 s3 > insert t\n6 s3 < {conflict}");
        assert_eq!(broken(&alone), 1, "{conflict}");
    }
}

#[test]
fn a_table_that_is_not_there_was_dropped_by_somebody() {
    let head = "1 s1 > create t\n2 s1 < ok\n";
    let gone = "5 s2 > read t\n6 s2 < Catalog Table with name t does not exist!";
    assert_eq!(broken(&format!("{head}3 s1 > drop t\n4 s1 < ok\n{gone}")), 0);
    assert_eq!(broken(&format!("{head}{gone}")), 1);
}

#[test]
fn damage_is_never_expected() {
    let head = "1 s1 > create t\n2 s1 < ok\n3 s2 > drop t\n4 s1 > read t\n";
    for said in [
        "INTERNAL Attempted to access index 3 within vector of size 3",
        "FATAL Failed to roll back",
        "IO Could not read",
    ] {
        assert_eq!(broken(&format!("{head}5 s1 < {said}\n6 s2 < ok")), 1, "{said}");
    }
}
