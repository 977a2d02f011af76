//! Histories in a small notation: who sends what when, and what came back.
//!
//! ```text
//! 1 s1 > create t        at tick 1 session s1 sends the op
//! 4 s1 < ok              at tick 4 it is answered
//! 6 s3 < 42P01 relation "t" does not exist
//! ```
//!
//! Ops: `create T`, `view V on T`, `index I on T C`, `drop T [cascade|if]`, `rename T U`, `swap T U`, `read T [C]`, `insert T`,
//! `add T C`, `dropcolumn T C [if]`, `begin [rr]`, `commit`, `rollback`, `savepoint P`, `to P`, `grant R T`, `role R`, `as R`,
//! `own R T` (and `disown T`), `type Y`, `addof T C Y`, `dropother role|type X`,
//! `renamecolumn T C D`, `refer T U C [OWN]` (a foreign key, of T's column OWN), `replace V on T`, `open C`, `close C`, `indexin S I` (with its table), `dropin S I [if [index]]` (IF EXISTS, and as an index, whatever has the name), `movein S R` (that table goes into schema R), `renamein S I J` (its index), `schemarename S R`.
//! `function F`, `trigger G on T by F`,
//! `count T` (a subquery that is an output), `fold T` (one that a plan can do without), `reindex T`.
//! `0 s1 takes refusals at their word`: a known defect is not reckoned with.
//! `9 s1 remembers refused` (or `nothing`): whether a change of the schema was refused in the open transaction.

mod duckdb;
mod ledgers;
mod notation;
mod stale;
mod twin;

use super::{MARIADB, POSTGRES, SQLITE};
use notation::{Play, play};

fn explained(text: &str) -> Play {
    let play = play(text, &POSTGRES);
    assert_eq!(play.broken, Vec::<String>::new(), "{text}");
    play
}

fn broken(text: &str) -> String {
    let play = play(text, &POSTGRES);
    assert_eq!(play.broken.len(), 1, "{text}\n{:#?}", play.broken);
    play.broken[0].clone()
}

#[test]
fn an_undefined_table_needs_a_drop_that_may_have_come_first() {
    let play = explained(
        "1 s1 > create t\n2 s1 < ok\n3 s2 > drop t\n4 s3 > read t\n6 s2 < ok\n7 s3 < 42P01 relation \"t\" does not exist",
    );
    assert_eq!(play.causes, ["s2.1 at [3, 6]"]);
    broken("1 s1 > create t\n2 s1 < ok\n4 s3 > read t\n7 s3 < 42P01 relation \"t\" does not exist");
    // The drop was sent after the answer, or refused.
    broken(
        "1 s1 > create t\n2 s1 < ok\n4 s3 > read t\n7 s3 < 42P01 relation \"t\" does not exist\n8 s2 > drop t\n9 s2 < ok",
    );
    broken(
        "0 s2 !limit\n1 s1 > create t\n2 s1 < ok\n3 s2 > drop t\n5 s2 < 57014 canceling statement due to statement timeout\n\
         6 s3 > read t\n7 s3 < 42P01 relation \"t\" does not exist",
    );
}

#[test]
fn a_read_of_what_is_surely_gone_must_be_refused() {
    let said = broken("1 s1 > create t\n2 s1 < ok\n3 s2 > drop t\n4 s2 < ok\n5 s3 > read t\n6 s3 < ok");
    assert!(said.contains("must be refused"), "{said}");
    explained("1 s1 > create t\n2 s1 < ok\n3 s2 > drop t\n4 s3 > read t\n5 s2 < ok\n6 s3 < ok");
}

#[test]
fn a_name_in_the_text_must_be_one_of_the_statement() {
    broken(
        "1 s1 > create t\n2 s1 < ok\n3 s2 > drop t\n4 s3 > read t\n6 s2 < ok\n7 s3 < 42P01 relation \"u\" does not exist",
    );
}

#[test]
fn what_a_transaction_does_is_hidden_until_its_commit_is_sent() {
    let head = "1 s1 > create t\n2 s1 < ok\n3 s2 > begin\n4 s2 < ok\n5 s2 > drop t\n6 s2 < ok\n";
    explained(&format!("{head}7 s3 > read t\n8 s3 < ok"));
    broken(&format!(
        "{head}7 s3 > read t\n8 s3 < 42P01 relation \"t\" does not exist"
    ));
    explained(&format!(
        "{head}7 s3 > read t\n8 s2 > commit\n9 s3 < 42P01 relation \"t\" does not exist\n10 s2 < ok"
    ));
    explained(&format!(
        "{head}7 s2 > rollback\n8 s2 < ok\n9 s3 > read t\n10 s3 < ok"
    ));
    broken(&format!(
        "{head}7 s2 > rollback\n8 s2 < ok\n9 s3 > read t\n10 s3 < 42P01 relation \"t\" does not exist"
    ));
    // Its own session sees it at once.
    explained(&format!(
        "{head}7 s2 > read t\n8 s2 < 42P01 relation \"t\" does not exist failed"
    ));
    broken(&format!("{head}7 s2 > read t\n8 s2 < ok"));
}

#[test]
fn back_to_a_savepoint_undoes_what_came_after_it() {
    let head = "1 s1 > begin\n2 s1 < ok\n3 s1 > create t\n4 s1 < ok\n5 s1 > savepoint p\n6 s1 < ok\n7 s1 > drop t\n8 s1 < ok\n9 s1 > to p\n10 s1 < ok\n";
    explained(&format!(
        "{head}11 s1 > read t\n12 s1 < ok\n13 s1 > commit\n14 s1 < ok\n15 s2 > read t\n16 s2 < ok"
    ));
    broken(&format!(
        "{head}11 s1 > read t\n12 s1 < 42P01 relation \"t\" does not exist failed"
    ));
}

#[test]
fn a_commit_that_is_answered_by_rollback_leaves_nothing() {
    explained(
        "1 s1 > begin\n2 s1 < ok\n3 s1 > create t\n4 s1 < ok\n5 s1 > commit\n6 s1 < rollback\n7 s2 > read t\n8 s2 < 42P01 relation \"t\" does not exist",
    );
}

#[test]
fn two_names_may_be_swapped_under_a_reader() {
    let head = "1 s1 > create t\n2 s1 < ok\n3 s1 > create u c9\n4 s1 < ok\n";
    explained(&format!(
        "{head}5 s2 > swap t u\n6 s3 > read t c9\n8 s2 < ok\n9 s3 < ok"
    ));
    broken(&format!("{head}6 s3 > read t c9\n9 s3 < ok"));
    explained(&format!(
        "{head}5 s2 > swap t u\n6 s3 > read u c9\n8 s2 < ok\n9 s3 < 42703 column \"c9\" does not exist"
    ));
    broken(&format!(
        "{head}6 s3 > read u c9\n9 s3 < 42703 column \"c9\" does not exist"
    ));
}

#[test]
fn a_dependent_refuses_a_drop_and_goes_with_a_cascade() {
    let head = "1 s1 > create t\n2 s1 < ok\n3 s1 > view v on t\n4 s1 < ok\n";
    explained(&format!(
        "{head}5 s2 > drop t\n6 s2 < 2BP01 cannot drop table t because other objects depend on it"
    ));
    broken(&format!("{head}5 s2 > drop t\n6 s2 < ok"));
    let cascade = format!("{head}5 s2 > drop t cascade\n6 s2 < ok\n");
    explained(&format!(
        "{cascade}7 s3 > read v\n8 s3 < 42P01 relation \"v\" does not exist"
    ));
    broken(&format!("{cascade}7 s3 > read v\n8 s3 < ok"));
    broken(
        "1 s1 > create t\n2 s1 < ok\n5 s2 > drop t\n6 s2 < 2BP01 cannot drop table t because other objects depend on it",
    );
}

#[test]
fn a_view_made_while_its_table_falls_stays_in_doubt() {
    let head =
        "1 s1 > create t\n2 s1 < ok\n3 s2 > drop t cascade\n4 s1 > view v on t\n5 s2 < ok\n6 s1 < ok\n";
    explained(&format!("{head}7 s3 > read v\n8 s3 < ok"));
    explained(&format!(
        "{head}7 s3 > read v\n8 s3 < 42P01 relation \"v\" does not exist"
    ));
    // The other way round: sent before the drop, answered after it.
    let other =
        "1 s1 > create t\n2 s1 < ok\n3 s1 > view v on t\n4 s2 > drop t cascade\n5 s2 < ok\n6 s1 < ok\n";
    explained(&format!(
        "{other}7 s3 > read v\n8 s3 < 42P01 relation \"v\" does not exist"
    ));
}

#[test]
fn a_name_given_twice_needs_two_who_give_it() {
    explained("1 s1 > create t\n2 s2 > create t\n3 s1 < ok\n4 s2 < 42P07 relation \"t\" already exists");
    broken("2 s2 > create t\n4 s2 < 42P07 relation \"t\" already exists");
    broken("1 s1 > create t\n2 s1 < ok\n3 s2 > create t\n4 s2 < ok");
    let said = explained(
        "1 s1 > create t\n2 s2 > create t\n3 s1 < ok\n\
         4 s2 < 23505 duplicate key value violates unique constraint \"pg_type_typname_nsp_index\"",
    );
    assert_eq!(said.causes, ["s1.1 at [1, 3]"]);
}

#[test]
fn a_column_that_another_drops_may_be_missed() {
    let head = "1 s1 > create t c1 c2\n2 s1 < ok\n";
    explained(&format!(
        "{head}3 s2 > dropcolumn t c2\n4 s3 > read t c2\n5 s2 < ok\n6 s3 < 42703 column \"c2\" does not exist"
    ));
    broken(&format!(
        "{head}4 s3 > read t c2\n6 s3 < 42703 column \"c2\" does not exist"
    ));
    broken(&format!(
        "{head}3 s2 > dropcolumn t c2\n4 s2 < ok\n5 s3 > read t c2\n6 s3 < ok"
    ));
    explained(&format!(
        "{head}3 s2 > add t c3\n4 s3 > add t c3\n5 s2 < ok\n6 s3 < 42701 column \"c3\" of relation \"t\" already exists"
    ));
}

#[test]
fn an_internal_error_needs_a_change_of_the_catalogue_beside_it() {
    let head = "1 s1 > create t c1\n2 s1 < ok\n";
    explained(&format!(
        "{head}3 s2 > add t c2\n4 s3 > dropcolumn t c1\n5 s2 < ok\n6 s3 < XX000 tuple concurrently updated"
    ));
    broken(&format!(
        "{head}4 s3 > dropcolumn t c1\n6 s3 < XX000 tuple concurrently updated"
    ));
    broken(&format!(
        "{head}3 s2 > add t c2\n4 s3 > dropcolumn t c1\n5 s2 < ok\n6 s3 < XX000 could not read block 7"
    ));
    broken(&format!(
        "{head}4 s3 > read t\n6 s3 < XX001 invalid page in block 0"
    ));
}

#[test]
fn a_lost_answer_keeps_both_ways_open_until_the_catalogue_tells() {
    let head = "1 s1 > create t\n2 s1 < ok\n3 s2 !terminate\n4 s2 > drop t\n5 s2 < unknown 57P01 terminating connection due to administrator command\n";
    explained(&format!("{head}6 s3 > read t\n7 s3 < ok"));
    explained(&format!(
        "{head}6 s3 > read t\n7 s3 < 42P01 relation \"t\" does not exist"
    ));
    explained(&format!("{head}6 s2 gone\n7 list t\n9 s3 > read t\n10 s3 < ok"));
    broken(&format!(
        "{head}6 s2 gone\n7 list t\n9 s3 > read t\n10 s3 < 42P01 relation \"t\" does not exist"
    ));
    explained(&format!(
        "{head}6 s2 gone\n7 list\n9 s3 > read t\n10 s3 < 42P01 relation \"t\" does not exist"
    ));
    broken(&format!("{head}6 s2 gone\n7 list\n9 s3 > read t\n10 s3 < ok"));
}

#[test]
fn a_cancel_explains_one_interruption_and_no_second() {
    let once = "1 s1 > create t\n2 s1 < ok\n3 s2 > read t\n4 s2 !cancel\n5 s2 < 57014 canceling statement due to user request\n";
    explained(once);
    broken(&format!(
        "{once}6 s2 > read t\n7 s2 < 57014 canceling statement due to user request"
    ));
    broken("1 s1 > create t\n2 s1 < ok\n3 s2 > read t\n5 s2 < 57014 canceling statement due to user request");
    broken(
        "1 s1 > create t\n2 s1 < ok\n3 s2 > read t\n4 s1 !cancel\n5 s2 < 57014 canceling statement due to user request",
    );
}

#[test]
fn a_timeout_needs_its_limit() {
    explained("1 s1 !limit\n2 s1 > create t\n3 s1 < 57014 canceling statement due to statement timeout");
    broken("2 s1 > create t\n3 s1 < 57014 canceling statement due to statement timeout");
    broken("1 s1 !limit\n2 s1 > create t\n3 s1 < 55P03 canceling statement due to lock timeout");
}

#[test]
fn a_limit_excuses_nothing_once_it_is_reset_or_rolled_back() {
    let timeout = "57014 canceling statement due to statement timeout";
    let set = "1 s1 > limit\n2 s1 < ok\n";
    explained(&format!("{set}3 s1 > create t\n4 s1 < {timeout}"));
    broken(&format!(
        "{set}3 s1 > reset\n4 s1 < ok\n5 s1 > create t\n6 s1 < {timeout}"
    ));
    broken(&format!("{set}3 s2 > create t\n4 s2 < {timeout}"));
    broken(&format!(
        "1 s1 > begin\n2 s1 < ok\n3 s1 > limit\n4 s1 < ok\n5 s1 > rollback\n6 s1 < ok\n7 s1 > create t\n8 s1 < {timeout}"
    ));
}

#[test]
fn a_deadlock_takes_two_and_a_serialization_failure_a_level() {
    explained(
        "1 s1 > create t\n2 s1 < ok\n3 s2 > insert t\n4 s3 > insert t\n5 s3 < ok\n6 s2 < 40P01 deadlock detected",
    );
    broken("1 s1 > create t\n2 s1 < ok\n3 s2 > insert t\n6 s2 < 40P01 deadlock detected");
    let conflict = "40001 could not serialize access due to concurrent update";
    explained(&format!(
        "1 s1 > create t\n2 s1 < ok\n3 s2 > begin rr\n4 s2 < ok\n5 s3 > insert t\n6 s3 < ok\n7 s2 > insert t\n8 s2 < {conflict} failed"
    ));
    broken(&format!(
        "1 s1 > create t\n2 s1 < ok\n3 s3 > insert t\n4 s2 > insert t\n6 s3 < ok\n8 s2 < {conflict}"
    ));
}

#[test]
fn a_relation_of_a_schema_that_is_gone_is_said_to_be_gone_itself() {
    let head = "1 s1 > create t\n2 s1 < ok\n3 s1 > schema x\n4 s1 < ok\n";
    let read = "6 s3 > readin x t\n8 s3 < 42P01 relation \"x.t\" does not exist";
    explained(&format!("{head}5 s2 > dropschema x\n{read}\n9 s2 < ok"));
    broken(&format!("{head}{read}"));
}

#[test]
fn a_value_error_needs_a_value_that_can_raise_it() {
    explained("1 s1 > create t\n2 s1 < ok\n3 s1 > divide t\n4 s1 < 22012 division by zero");
    broken("1 s1 > create t\n2 s1 < ok\n3 s1 > read t\n4 s1 < 22012 division by zero");
    broken(
        "1 s1 > create t\n2 s1 < ok\n3 s1 > insert t\n4 s1 < 23505 duplicate key value violates unique constraint \"k\"",
    );
    explained(
        "1 s1 > create t\n2 s1 < ok\n2 s1 > unique k on t\n3 s1 < ok\n4 s1 > insert t\n5 s1 < 23505 duplicate key value violates unique constraint \"k\"",
    );
}

#[test]
fn an_owner_may_everything_and_loses_it_with_what_it_was_given_by_name() {
    let head = "1 s1 > create t\n2 s1 < ok\n3 s1 > role r\n4 s1 < ok\n5 s1 > grant r t\n6 s1 < ok\n\
                7 s1 > own r t\n8 s1 < ok\n9 s2 > as r\n10 s2 < ok\n";
    let denied = "42501 permission denied for table t";
    explained(&format!("{head}11 s2 > read t\n12 s2 < ok"));
    let back = format!("{head}11 s1 > disown t\n12 s1 < ok\n13 s2 > read t\n14 s2 < ");
    explained(&format!("{back}{denied}"));
    let said = broken(&format!("{back}ok"));
    assert!(said.starts_with("Privilege"), "{said}");
    // While the owner changes, both are right.
    for answer in [denied, "ok"] {
        explained(&format!(
            "{head}11 s1 > disown t\n12 s2 > read t\n13 s2 < {answer}\n14 s1 < ok"
        ));
    }
}

#[test]
fn a_session_that_acts_as_a_role_that_is_gone_may_nothing() {
    let head = "1 s1 > create t\n2 s1 < ok\n3 s1 > role r\n4 s1 < ok\n5 s1 > grant r t\n6 s1 < ok\n7 s2 > as r\n8 s2 < ok\n";
    let denied = "42501 permission denied for table t";
    broken(&format!("{head}9 s2 > read t\n10 s2 < {denied}"));
    explained(&format!(
        "{head}9 s1 > revoke r t\n10 s1 < ok\n11 s1 > dropother role r\n12 s1 < ok\n13 s2 > read t\n14 s2 < {denied}"
    ));
}

#[test]
fn the_catalogue_must_show_the_owner() {
    let head = "1 s1 > create t\n2 s1 < ok\n3 s1 > role r\n4 s1 < ok\n";
    explained(&format!("{head}5 list t:me @r"));
    broken(&format!("{head}5 list t:r @r"));
    let owned = format!("{head}5 s1 > own r t\n6 s1 < ok\n");
    explained(&format!("{owned}7 list t:r @r"));
    broken(&format!("{owned}7 list t:me @r"));
}

#[test]
fn a_column_may_be_left_without_its_type_only_by_who_dropped_that() {
    let head = "1 s1 > create t\n2 s1 < ok\n3 s1 > type y\n4 s1 < ok\n5 s2 > addof t c y\n";
    let lost = "XX000 cache lookup failed for type 16449";
    explained(&format!(
        "{head}6 s3 > dropother type y\n7 s2 < ok\n8 s3 < ok\n9 s1 > read t\n10 s1 < {lost}"
    ));
    broken(&format!("{head}6 s2 < ok\n7 s1 > read t\n8 s1 < {lost}"));
}

#[test]
fn a_right_that_is_missing_refuses_and_one_that_is_there_does_not() {
    let head = "1 s1 > create t\n2 s1 < ok\n3 s1 > role r\n4 s1 < ok\n";
    let denied = "42501 permission denied for table t";
    explained(&format!(
        "{head}5 s2 > as r\n6 s2 < ok\n7 s2 > read t\n8 s2 < {denied}"
    ));
    let said = broken(&format!("{head}5 s2 > as r\n6 s2 < ok\n7 s2 > read t\n8 s2 < ok"));
    assert!(said.starts_with("Privilege"), "{said}");
    let granted = format!("{head}5 s1 > grant r t\n6 s1 < ok\n7 s2 > as r\n8 s2 < ok\n");
    explained(&format!("{granted}9 s2 > read t\n10 s2 < ok"));
    broken(&format!("{granted}9 s2 > read t\n10 s2 < {denied}"));
    explained(&format!(
        "{granted}9 s1 > revoke r t\n10 s2 > read t\n11 s1 < ok\n12 s2 < {denied}"
    ));
}

#[test]
fn the_catalogue_must_show_what_was_made_and_nothing_else() {
    explained("1 s1 > create t\n2 s1 < ok\n3 list t");
    assert!(
        broken("1 s1 > create t\n2 s1 < ok\n3 list").contains("is there; the catalogue does not list it")
    );
    assert!(broken("1 s1 > create t\n2 s1 < ok\n3 list t u").contains("no table \"u\" is there"));
    assert!(broken("1 s1 > create t c1\n2 s1 < ok\n3 list t(c1,c2)").contains("no column \"c2\""));
    assert!(broken("1 s1 > create t c1 c2\n2 s1 < ok\n3 list t(c1)").contains("\"c2\" is there"));
    // Said once.
    broken("1 s1 > create t\n2 s1 < ok\n3 list t u\n5 list t u");
}

#[test]
fn a_statement_of_ours_that_is_wrong_is_ours() {
    let play = explained("1 s1 > create t\n2 s1 < 42601 syntax error at or near \"tabel\"");
    assert_eq!(play.ours, 1);
}

#[test]
fn a_row_for_any_text_does_not_excuse_what_another_row_knows() {
    let text = "1 s1 > create t\n2 s1 < ok\n3 s1 > read t\n4 s1 < 1 no such table: t";
    assert_eq!(play(text, &SQLITE).broken.len(), 1);
    let text = "1 s1 > create t\n2 s1 < ok\n3 s1 > read t\n4 s1 < 1 what nobody knows";
    assert_eq!(play(text, &SQLITE).ours, 1);
    broken("1 s1 > create t\n2 s1 < ok\n3 s1 > read t\n4 s1 < 0A000 cached plan must not change result type");
}

#[test]
fn where_the_schema_is_part_of_the_snapshot_a_transaction_may_see_what_is_gone() {
    let text = "1 s1 > create t\n2 s1 < ok\n3 s2 > begin\n4 s2 < ok\n5 s1 > drop t\n6 s1 < ok\n7 s2 > read t\n8 s2 < ok";
    assert_eq!(play(text, &SQLITE).broken, Vec::<String>::new());
    assert_eq!(play(text, &POSTGRES).broken.len(), 1);
}

#[test]
fn where_a_plan_comes_from_memory_what_is_gone_may_be_explained_and_not_read() {
    let head = "1 s1 > create t\n2 s1 < ok\n3 s1 > drop t\n4 s1 < ok\n";
    let explain = format!("{head}5 s2 > explain t\n6 s2 < ok");
    assert_eq!(play(&explain, &SQLITE).broken, Vec::<String>::new());
    assert_eq!(play(&explain, &POSTGRES).broken.len(), 1);
    let read = format!("{head}5 s2 > read t\n6 s2 < ok");
    assert_eq!(play(&read, &SQLITE).broken.len(), 1);
}

#[test]
fn a_view_breaks_when_a_column_under_it_is_dropped() {
    let head = "1 s1 > create t c1 c2\n2 s1 < ok\n3 s1 > view v on t\n4 s1 < ok\n";
    let read = "7 s2 > read v\n8 s2 < 1 no such column: r1.c2";
    let dropped = format!("{head}5 s1 > dropcolumn t c2\n6 s1 < ok\n{read}");
    assert_eq!(play(&dropped, &SQLITE).broken, Vec::<String>::new());
    assert_eq!(play(&format!("{head}{read}"), &SQLITE).broken.len(), 1);
}

#[test]
fn where_tables_fall_under_their_views_a_view_of_nothing_can_be_made_and_not_read() {
    let head = "1 s1 > create t\n2 s1 < ok\n3 s1 > drop t\n4 s1 < ok\n5 s2 > view v on t\n6 s2 < ok\n";
    assert_eq!(play(head, &SQLITE).broken, Vec::<String>::new());
    assert_eq!(play(head, &POSTGRES).broken.len(), 1);
    let read = format!("{head}7 s3 > read v\n8 s3 < 1 no such table: main.t");
    assert_eq!(play(&read, &SQLITE).broken, Vec::<String>::new());
}

#[test]
fn a_view_by_name_may_be_made_over_a_name_of_long_ago() {
    let mut head =
        "1 s1 > create t\n2 s1 < ok\n3 s1 > rename t u\n4 s1 < ok\n5 s2 > create w\n6 s2 < ok\n".to_owned();
    // Long enough for what is settled to be folded: of its names a table then knows the last.
    for n in 0..400 {
        let (from, to) = if n % 2 == 0 { ("w", "x") } else { ("x", "w") };
        head += &format!("{} s2 > rename {from} {to}\n{} s2 < ok\n", 7 + 2 * n, 8 + 2 * n);
    }
    head += "900 s2 > view v on t\n901 s2 < ok\n";
    let read = format!("{head}902 s3 > read v\n903 s3 < 1 no such table: main.t");
    assert_eq!(play(&read, &SQLITE).broken, Vec::<String>::new());
    let other = format!("{head}902 s3 > read v\n903 s3 < 1 no such table: main.s");
    assert_eq!(play(&other, &SQLITE).broken.len(), 1);
}

#[test]
fn two_changes_of_one_column_at_once_both_stay() {
    let head = "1 s1 > create t c1 c2\n2 s1 < ok\n3 s1 > begin\n4 s1 < ok\n5 s1 > default t c2\n6 s1 < ok\n";
    let race = format!("{head}7 s2 > retype t c2\n8 s1 > commit\n9 s1 < ok\n10 s2 < ok\n");
    explained(&format!("{race}11 likely t c2 Int8 true"));
    let undone = format!("{head}7 s2 > retype t c2\n8 s1 > rollback\n9 s1 < ok\n10 s2 < ok\n");
    explained(&format!("{undone}11 likely t c2 Int8 false"));
    // A value that fits the column as it was may not fit it as it is.
    let wide = "22001 value too long for type character varying(20)";
    let copy = format!("{head}7 s1 > commit\n8 s1 < ok\n9 s2 > retype t c2\n10 s3 > insert t\n11 s2 < ok\n");
    explained(&format!("{copy}12 s3 < {wide}"));
    broken(&format!(
        "{head}7 s1 > commit\n8 s1 < ok\n9 s3 > insert t\n10 s3 < {wide}"
    ));
}

#[test]
fn of_two_types_given_at_once_the_catalogue_says_which() {
    let head = "1 s1 > create t c1 c2\n2 s1 < ok\n";
    let race = format!("{head}3 s1 > retype t c2\n4 s2 > narrow t c2\n5 s1 < ok\n6 s2 < ok\n");
    explained(&format!("{race}7 list t(c1,c2:bigint)\n8 likely t c2 Int8 false"));
    explained(&format!(
        "{race}7 list t(c1,c2:smallint)\n8 likely t c2 Int2 false"
    ));
    broken(&format!(
        "{head}3 s1 > retype t c2\n4 s1 < ok\n5 list t(c1,c2:integer)"
    ));
}

#[test]
fn what_a_session_has_not_seen_it_may_miss_in_an_alter() {
    let missed = "1 no such column: \"\"c3\"\"";
    let head = "1 s1 > create t c1\n2 s1 < ok\n3 s2 > read t\n4 s2 < ok\n5 s1 > add t c3\n6 s1 < ok\n";
    let stale = format!("{head}7 s2 > dropcolumn t c3\n8 s2 < {missed}");
    assert_eq!(play(&stale, &SQLITE).broken, Vec::<String>::new());
    let fresh = format!("{head}7 s2 > read t\n8 s2 < ok\n9 s2 > dropcolumn t c3\n10 s2 < {missed}");
    assert_eq!(play(&fresh, &SQLITE).broken.len(), 1);
}

#[test]
fn a_reference_to_a_key_that_was_renamed_may_be_wrong_for_good() {
    let head = "1 s1 > create t k\n2 s1 < ok\n3 s2 > create u c\n4 s2 < ok\n";
    let wrong = "1 foreign key mismatch - \"u\" referencing \"t\"";
    let renamed = format!("{head}5 s1 > renamecolumn t k l\n6 s2 > refer u t k\n7 s1 < ok\n8 s2 < ok\n");
    let late = format!("{renamed}90 s3 > insert u\n91 s3 < {wrong}");
    assert_eq!(play(&late, &SQLITE).broken, Vec::<String>::new());
    let other = format!("{head}6 s2 > refer u t k\n8 s2 < ok\n90 s3 > insert u\n91 s3 < {wrong}");
    assert_eq!(play(&other, &SQLITE).broken.len(), 1);
    let unrelated = format!("{renamed}90 s3 > create w c\n91 s3 < ok\n92 s3 > insert w\n93 s3 < {wrong}");
    assert_eq!(play(&unrelated, &SQLITE).broken.len(), 1);
}

#[test]
fn a_column_of_a_foreign_key_cannot_be_dropped_even_when_what_it_refers_to_is_gone() {
    let head = "1 s1 > create t k\n2 s1 < ok\n3 s2 > create u c d\n4 s2 < ok\n5 s2 > refer u t k c\n6 s2 < ok\n\
                7 s1 > drop t\n8 s1 < ok\n";
    let refused = |column: &str| {
        format!(
            "9 s2 > dropcolumn u {column}\n10 s2 < 1 error in table u after drop column: unknown column \"{column}\" \
             in foreign key definition"
        )
    };
    let play_of = |column: &str| play(&format!("{head}{}", refused(column)), &SQLITE).broken;
    assert_eq!(play_of("c"), Vec::<String>::new());
    assert_eq!(play_of("d").len(), 1);
}

#[test]
fn a_transaction_remembers_a_refused_change_of_the_schema_until_it_is_undone() {
    let head = "1 s1 > create t c\n2 s1 < ok\n3 s1 > begin\n4 s1 < ok\n5 s1 > savepoint p\n6 s1 < ok\n";
    let refused = format!("{head}7 s1 > dropcolumn t c\n8 s1 < 5 database is locked\n");
    play(&format!("{head}7 s1 remembers nothing"), &SQLITE);
    play(&format!("{refused}9 s1 remembers refused"), &SQLITE);
    for undone in ["to p", "rollback", "commit"] {
        let text = format!("{refused}9 s1 > {undone}\n10 s1 < ok\n11 s1 remembers nothing");
        play(&text, &SQLITE);
    }
}

#[test]
fn or_replace_makes_what_is_gone() {
    let head = "1 s1 > create t\n2 s1 < ok\n3 s1 > view v on t\n4 s1 < ok\n";
    let missing = "42P01 relation \"v\" does not exist";
    // Dropped and replaced at once: either may have been first.
    let race = format!("{head}5 s1 > drop v\n6 s2 > replace v on t\n7 s1 < ok\n8 s2 < ok\n9 s3 > read v\n");
    explained(&format!("{race}10 s3 < ok"));
    explained(&format!("{race}10 s3 < {missing}"));
    let after = format!("{head}5 s1 > drop v\n6 s1 < ok\n7 s2 > replace v on t\n8 s2 < ok\n9 s3 > read v\n");
    explained(&format!("{after}10 s3 < ok"));
    broken(&format!("{after}10 s3 < {missing}"));
    explained(&format!(
        "{head}5 s1 > drop v\n6 s1 < ok\n7 s2 > begin\n8 s2 < ok\n9 s2 > replace v on t\n10 s2 < ok"
    ));
    let before = format!("{head}5 s2 > replace v on t\n6 s2 < ok\n7 s1 > drop v\n8 s1 < ok\n9 s3 > read v\n");
    explained(&format!("{before}10 s3 < {missing}"));
    broken(&format!("{before}10 s3 < ok"));
}

#[test]
fn a_view_that_two_replace_stands_on_what_the_later_one_says() {
    let head = "1 s1 > create a\n2 s1 < ok\n3 s1 > create b\n4 s1 < ok\n5 s1 > view v on a\n6 s1 < ok\n";
    let dropped = "20 s3 > drop b cascade\n21 s3 < ok\n22 s3 > read v\n";
    let race = format!(
        "{head}7 s1 > begin\n8 s1 < ok\n9 s1 > replace v on b\n10 s1 < ok\n11 s2 > begin\n12 s2 < ok\n13 s2 > replace v on a\n\
         14 s1 > commit\n15 s1 < ok\n16 s2 < ok\n17 s2 > commit\n18 s2 < ok\n{dropped}"
    );
    explained(&format!("{race}23 s3 < ok"));
    let alone = format!("{head}7 s1 > replace v on b\n8 s1 < ok\n{dropped}");
    broken(&format!("{alone}23 s3 < ok"));
}

#[test]
fn what_lies_in_a_schema_stays_in_it_when_that_is_renamed() {
    let head =
        "1 s1 > schema s\n2 s1 < ok\n3 s1 > indexin s i\n4 s1 < ok\n5 s2 > schemarename s r\n6 s2 < ok\n";
    explained(&format!("{head}7 s1 > dropin r i\n8 s1 < ok"));
    broken(&format!(
        "{head}7 s1 > dropin r i\n8 s1 < 42704 index \"i\" does not exist"
    ));
}

#[test]
fn a_cursor_ends_with_what_comes_back_to_a_savepoint_before_it() {
    let head = "1 s1 > begin\n2 s1 < ok\n3 s1 > open a\n4 s1 < ok\n5 s1 > savepoint p\n6 s1 < ok\n7 s1 > open b\n8 s1 < ok\n\
                9 s1 > to p\n10 s1 < ok\n";
    explained(&format!(
        "{head}11 s1 > close b\n12 s1 < 34000 cursor \"b\" does not exist failed"
    ));
    broken(&format!(
        "{head}11 s1 > close a\n12 s1 < 34000 cursor \"a\" does not exist failed"
    ));
}

#[test]
fn the_end_of_no_transaction_is_refused_and_of_one_is_not() {
    let refused = "1 cannot commit - no transaction is active";
    let none = format!("1 s1 > commit\n2 s1 < {refused}");
    assert_eq!(play(&none, &SQLITE).broken, Vec::<String>::new());
    let one = format!("1 s1 > begin\n2 s1 < ok\n3 s1 > commit\n4 s1 < {refused}");
    assert_eq!(play(&one, &SQLITE).broken.len() + play(&one, &SQLITE).ours, 1);
}

#[test]
fn one_writer_locks_the_database_for_the_others() {
    let head = "1 s1 > create t\n2 s1 < ok\n";
    let locked = format!("{head}3 s2 > begin\n4 s2 < ok\n5 s1 > insert t\n6 s1 < 5 database is locked");
    assert_eq!(play(&locked, &SQLITE).broken, Vec::<String>::new());
    let alone = format!("{head}5 s1 > insert t\n6 s1 < 5 database is locked");
    assert_eq!(play(&alone, &SQLITE).broken.len(), 1);
}

#[test]
fn a_finding_prints_what_was_asked_and_who_was_near() {
    let said = broken(
        "1 s1 > create t\n2 s1 < ok\n3 s2 > create u\n4 s3 > read t\n6 s2 < ok\n7 s3 < 42P01 relation \"t\" does not exist",
    );
    expect_test::expect![[r#"
        UnexpectedError: this error is right only if the name is gone; nothing in the run makes it so; 42P01: relation "t" does not exist
        asked: the name is gone [table "t"]: never
          by s1.1 at [1, 2]: create t
        name "t" was drawn as table s1.1.0, may mean table s1.1.0
          s1.1 at [1, 2]: create t
        near, same object: s1.1 [1, 2] committed: create t
        near: s2.1 [3, 6] committed: create u
        s3: transaction Idle
           s3 |========================================| read t
           s2 |==========================              | s2.1 … create u"#]]
    .assert_eq(&said);
}

#[test]
fn where_the_schema_is_in_no_transaction_a_change_of_it_ends_the_one_that_is_open() {
    let head = "1 s1 > begin\n2 s1 < ok\n3 s1 > create t\n4 s1 < ended\n";
    let seen =
        format!("{head}5 s2 > read t\n6 s2 < ok\n7 s1 > rollback\n8 s1 < ok\n9 s2 > read t\n10 s2 < ok");
    assert_eq!(play(&seen, &MARIADB).broken, Vec::<String>::new());
    let none = "1146/42S02 Table 'gristmill.t' doesn't exist";
    let lost = format!("{head}5 s2 > read t\n6 s2 < {none}");
    assert_eq!(play(&lost, &MARIADB).broken.len(), 1);
    // Refused, it has ended it as well.
    let taken = "1050/42S01 Table 't' already exists ended";
    let again =
        format!("{head}5 s1 > begin\n6 s1 < ok\n7 s1 > create t\n8 s1 < {taken}\n9 s1 > read t\n10 s1 < ok");
    assert_eq!(play(&again, &MARIADB).broken, Vec::<String>::new());
}

#[test]
fn where_views_stand_on_names_a_renamed_table_breaks_its_view_and_nothing_else_does() {
    let head = "1 s1 > create t\n2 s1 < ok\n3 s1 > view v on t\n4 s1 < ok\n";
    let read = "7 s2 > read v\n8 s2 < 1356/HY000 View 'gristmill.v' references invalid table(s) or column(s) or function(s) or \
                definer/invoker of view lack rights to use them";
    let renamed = format!("{head}5 s1 > rename t u\n6 s1 < ok\n{read}");
    assert_eq!(play(&renamed, &MARIADB).broken, Vec::<String>::new());
    assert_eq!(play(&format!("{head}{read}"), &MARIADB).broken.len(), 1);
}

#[test]
fn a_conflict_with_what_was_written_since_needs_somebody_who_writes() {
    let conflict = "1020/HY000 Record has changed since last read in table 't'; try restarting transaction";
    let head = "1 s1 > create t\n2 s1 < ok\n";
    let raced = format!("{head}3 s2 > insert t\n4 s3 > insert t\n5 s2 < ok\n6 s3 < {conflict}");
    assert_eq!(play(&raced, &MARIADB).broken, Vec::<String>::new());
    let alone = format!("{head}3 s2 > insert t\n4 s2 < ok\n5 s3 > insert t\n6 s3 < {conflict}");
    assert_eq!(play(&alone, &MARIADB).broken.len(), 1);
}

#[test]
fn where_a_refused_change_may_be_done_it_is_open_which() {
    let deadlock = "1213/40001 Deadlock found when trying to get lock; try restarting transaction";
    let head = "1 s1 > create t\n2 s1 < ok\n3 s3 > insert t\n";
    let renamed = format!("{head}4 s2 > rename t u\n5 s2 < {deadlock}\n6 s3 < ok\n");
    let none = "1146/42S02 Table 'gristmill.t' doesn't exist";
    for after in [
        "7 s1 > read u\n8 s1 < ok",
        &format!("7 s1 > read t\n8 s1 < {none}"),
    ] {
        assert_eq!(
            play(&format!("{renamed}{after}"), &MARIADB).broken,
            Vec::<String>::new()
        );
    }
    // Where the defect is not reckoned with, and of what is no ALTER, a refusal is one.
    let lost = format!("7 s1 > read t\n8 s1 < {none}");
    let met = format!("0 s1 takes refusals at their word\n{renamed}");
    let dropped = format!("{head}4 s2 > drop t\n5 s2 < {deadlock}\n6 s3 < ok\n");
    for (history, lie) in [
        (&met, lost.as_str()),
        (&met, "7 s1 > read u\n8 s1 < ok"),
        (&dropped, &lost),
    ] {
        let told = play(&format!("{history}{lie}"), &MARIADB);
        assert_eq!(told.broken.len(), 1, "{history}{lie}");
        let truth = play(&format!("{history}7 s1 > read t\n8 s1 < ok"), &MARIADB);
        assert_eq!(truth.broken, Vec::<String>::new());
    }
}

#[test]
fn an_index_changes_its_table_for_who_reads_it_through_a_view() {
    let changed = "1412/HY000 Table definition has changed, please retry transaction";
    let head = "1 s1 > create t c1\n2 s1 < ok\n3 s1 > view v on t\n4 s1 < ok\n5 s1 > create w c2\n6 s1 < ok\n\
                7 s2 > begin rr\n8 s2 < ok\n";
    let read = format!("11 s2 > read v\n12 s2 < {changed}");
    let made = format!("{head}9 s1 > index i on t c1\n10 s1 < ok\n{read}");
    assert_eq!(play(&made, &MARIADB).broken, Vec::<String>::new());
    let other = format!("{head}9 s1 > index i on w c2\n10 s1 < ok\n{read}");
    assert_eq!(play(&other, &MARIADB).broken.len(), 1);
}

#[test]
fn a_view_that_is_replaced_stands_on_what_the_names_mean_then_and_takes_along_what_stands_on_it() {
    let head = "1 s1 > create a\n2 s1 < ok\n3 s1 > create b\n4 s1 < ok\n5 s1 > view v on a\n6 s1 < ok\n";
    let missing = "42P01 relation \"v\" does not exist";
    let drop = "11 s1 > drop a cascade\n12 s1 < ok\n13 s3 > read v\n";
    let race = format!("{head}7 s2 > swap a b\n8 s3 > replace v on a\n9 s2 < ok\n10 s3 < ok\n{drop}");
    explained(&format!("{race}14 s3 < ok"));
    explained(&format!("{race}14 s3 < {missing}"));
    let before = format!("{head}7 s2 > swap a b\n8 s2 < ok\n{drop}");
    broken(&format!("{before}14 s3 < {missing}"));
    // One that stands on the view goes with it.
    let head = format!("{head}7 s1 > view m on v\n8 s1 < ok\n");
    let gone = "42P01 relation \"m\" does not exist";
    let race = format!(
        "{head}9 s2 > drop b cascade\n10 s3 > replace v on b\n11 s2 < ok\n12 s3 < ok\n13 s1 > read m\n"
    );
    explained(&format!("{race}14 s1 < ok"));
    explained(&format!("{race}14 s1 < {gone}"));
    let after = format!(
        "{head}9 s2 > drop b cascade\n10 s2 < ok\n11 s3 > replace v on a\n12 s3 < ok\n13 s1 > read m\n"
    );
    broken(&format!("{after}14 s1 < {gone}"));
}

#[test]
fn rights_are_not_asked_for_what_a_plan_can_do_without() {
    let head = "1 s1 > create t\n2 s1 < ok\n3 s1 > role r\n4 s1 < ok\n5 s2 > as r\n6 s2 < ok\n";
    let denied = "42501 permission denied for table t";
    explained(&format!("{head}7 s2 > fold t\n8 s2 < ok"));
    explained(&format!("{head}7 s2 > fold t\n8 s2 < {denied}"));
    broken(&format!("{head}7 s2 > count t\n8 s2 < ok"));
    explained(&format!("{head}7 s2 > count t\n8 s2 < {denied}"));
}
