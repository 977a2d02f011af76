//! Tests as histories: the five examples hold, and each can fail.

#[path = "../../examples/histories/deletes_meet_inserts.rs"]
mod deletes_meet_inserts;
#[path = "../../examples/histories/generated_noise.rs"]
mod generated_noise;
#[path = "../../examples/histories/money_is_neither_made_nor_lost.rs"]
mod money_is_neither_made_nor_lost;
#[path = "../../examples/histories/rolled_back_is_gone.rs"]
mod rolled_back_is_gone;
#[path = "../../examples/histories/slices_of_a_partition.rs"]
mod slices_of_a_partition;
#[path = "../../examples/histories/the_greatest_timestamp_wins.rs"]
mod the_greatest_timestamp_wins;
#[path = "../../examples/histories/what_comes_back_decides.rs"]
mod what_comes_back_decides;

use gristmill::ask::Value;
use gristmill::{History, Wrong, partition};

/// It holds for tables of many kinds, and a database that lies breaks it.
fn holds_and_can_fail(history: &History, lie: &str) {
    history.holds_for_seeds("reference:", 12);
    history.holds_for_seeds("sqlite:", 2);
    let store = tempfile::tempdir().unwrap();
    let lying = history.clone().lie(lie, "1/1").keep_in(store.path());
    let found = matches!(lying.run("reference:"), Err(Wrong::Found { .. }));
    assert!(found, "{lie} is found");
}

#[test]
fn deletes_meet_inserts_holds() {
    holds_and_can_fail(&deletes_meet_inserts::history(), "forgotten_row");
}

#[test]
fn rolled_back_is_gone_holds() {
    holds_and_can_fail(&rolled_back_is_gone::history(), "forgotten_row");
}

#[test]
fn slices_of_a_partition_holds() {
    holds_and_can_fail(&slices_of_a_partition::history(), "wrong_cell");
}

#[test]
fn money_is_neither_made_nor_lost_holds() {
    let history = money_is_neither_made_nor_lost::history();
    holds_and_can_fail(&history, "wrong_count");
}

#[test]
fn generated_noise_holds_through_a_crash() {
    let history = generated_noise::history();
    holds_and_can_fail(&history, "forgotten_row");
    // Each kill takes at most the two sessions' visits with it: few enough kills stay below the share of visits that may
    // be rejected, however the sessions meet.
    let held = history.fault("kill", "1/40").holds("reference:");
    let kills = held.verdict.faults["kill"];
    assert!((1..=6).contains(&kills), "{kills} kills of 66 visits");
}

#[test]
fn the_greatest_timestamp_wins_holds() {
    holds_and_can_fail(&the_greatest_timestamp_wins::history(), "forgotten_row");
}

#[test]
fn what_comes_back_decides_holds() {
    let plain = what_comes_back_decides::history();
    let lww = plain.clone().set("discipline", "lww");
    for (history, target) in [
        (&plain, "reference:"),
        (&plain, "sqlite:"),
        (&lww, "reference:"),
        (&lww, "sqlite:"),
    ] {
        let (rows, compared) =
            what_comes_back_decides::run(history, target).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert!(
            rows > 0 && compared > 4,
            "{target}: {rows} rows, {compared} answers"
        );
        let store = tempfile::tempdir().unwrap();
        let lying = history.clone().lie("forgotten_row", "1/1").keep_in(store.path());
        let found = what_comes_back_decides::run(&lying, target);
        assert!(matches!(found, Err(Wrong::Found { .. })), "{target}: {found:?}");
    }
}

#[test]
fn a_history_that_was_done_at_once_is_one_that_a_run_does_again() {
    let store = tempfile::tempdir().unwrap();
    let mut live = History::new(8).keep_in(store.path()).open("reference:").unwrap();
    live.now(partition().number(2).inserts(3)).unwrap();
    live.generated(5).unwrap();
    let seen = live
        .now(partition().number(2).batch(|p| p.upserts(2).read()).read())
        .unwrap();
    assert_eq!(
        (seen.reads.len(), seen.reads[0] == seen.reads[1]),
        (2, true),
        "{seen:?}"
    );
    let whole = History::new(8)
        .with(partition().number(2).inserts(3))
        .generated(5)
        .with(partition().number(2).batch(|p| p.upserts(2).read()).read());
    assert_eq!(
        live.history(),
        whole.keep_in(store.path()).holds("reference:").history
    );
    live.close().unwrap();
}

#[test]
fn the_same_seed_is_the_same_history() {
    let history = deletes_meet_inserts::history();
    assert_eq!(
        history.holds("reference:").history,
        history.holds("reference:").history
    );
}

#[test]
fn a_validator_that_says_no_fails_with_its_name() {
    let history = History::new(9).with(partition().inserts(2).read().validate(
        "there are no rows",
        |rows: &[Vec<Value>]| match rows.len() {
            0 => Ok(()),
            n => Err(format!("{n} rows")),
        },
    ));
    let store = tempfile::tempdir().unwrap();
    let history = history.keep_in(store.path());
    let said = history.run("reference:").unwrap_err().to_string();
    assert!(said.starts_with("validator `there are no rows`: "), "{said}");
    assert!(said.contains("gristmill history, format 1"), "{said}");
}

#[test]
fn what_the_tables_do_not_have_is_refused_by_name() {
    let history = History::new(9)
        .tables("CREATE TABLE t (p INTEGER PRIMARY KEY, v INTEGER)")
        .with(partition().insert_row(0).set("w", Value::Int(1)));
    assert_eq!(
        history.run("reference:").unwrap_err().to_string(),
        "table `t` has no column `w` to set: there are v"
    );
}
