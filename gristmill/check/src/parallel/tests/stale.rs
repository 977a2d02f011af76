//! What is looked up at another moment: ops that miss what is there, or leave behind what was to go with it.

use super::super::{MARIADB, POSTGRES, SQLITE};
use super::notation::play;
use super::{broken, explained};

#[test]
fn a_table_without_an_index_is_made_anew_from_memory() {
    let head = "1 s1 > create t\n2 s1 < ok\n3 s2 > drop t\n4 s2 < ok\n5 s1 > ";
    assert_eq!(
        play(&format!("{head}reindex t\n6 s1 < ok"), &SQLITE).broken.len(),
        0
    );
    assert_eq!(play(&format!("{head}read t\n6 s1 < ok"), &SQLITE).broken.len(), 1);
    broken(&format!("{head}reindex t\n6 s1 < ok"));
}

#[test]
fn an_index_whose_drop_was_refused_may_be_gone_and_a_unique_one_holds_its_columns() {
    let deadlock = "1213/40001 Deadlock found when trying to get lock; try restarting transaction";
    let none = "1091/42000 Can't DROP INDEX `i`; check that it exists";
    let head = "1 s1 > create t c\n2 s1 < ok\n3 s1 > index i on t c\n4 s1 < ok\n5 s3 > insert t\n";
    let refused = format!("{head}6 s2 > drop i\n7 s2 < {deadlock}\n8 s3 < ok\n9 s1 > drop i\n");
    for said in ["ok", none] {
        let told = play(&format!("{refused}10 s1 < {said}"), &MARIADB);
        assert_eq!(told.broken, Vec::<String>::new());
    }
    let alone = format!("{head}6 s1 > drop i\n7 s1 < {none}");
    assert_eq!(play(&alone, &MARIADB).broken.len(), 1);
    let held = "1072/42000 Key column 'c' doesn't exist in table";
    let told = play(&format!("{head}6 s2 > dropcolumn t c\n7 s2 < {held}"), &MARIADB);
    assert_eq!(told.broken, Vec::<String>::new());
    let free = format!("1 s1 > create t c\n2 s1 < ok\n6 s2 > dropcolumn t c\n7 s2 < {held}");
    assert_eq!(play(&free, &MARIADB).broken.len(), 1);
}

#[test]
fn a_trigger_may_be_left_without_its_function_only_by_who_dropped_that() {
    let head = "1 s1 > create t\n2 s1 < ok\n3 s1 > function f\n4 s1 < ok\n";
    let lost = "11 s3 > insert t\n12 s3 < XX000 cache lookup failed for function 16495";
    explained(&format!(
        "{head}5 s1 > dropother function f\n6 s2 > trigger g on t by f\n7 s1 < ok\n8 s2 < ok\n{lost}"
    ));
    broken(&format!("{head}6 s2 > trigger g on t by f\n8 s2 < ok\n{lost}"));
}

#[test]
fn a_view_that_is_renamed_while_it_is_replaced_may_be_left_as_it_was() {
    let head = "1 s1 > create a\n2 s1 < ok\n3 s1 > create b\n4 s1 < ok\n5 s1 > view v on a\n6 s1 < ok\n";
    let renamed = "7 s2 > begin\n8 s2 < ok\n9 s2 > rename v w\n10 s2 < ok\n";
    let race = "11 s3 > replace v on b\n12 s2 > commit\n13 s2 < ok\n14 s3 < ok\n";
    let after = "15 s1 > drop b cascade\n16 s1 < ok\n17 s3 > read w\n18 s3 < ";
    explained(&format!("{head}{renamed}{race}{after}ok"));
    explained(&format!(
        "{head}{renamed}{race}{after}42P01 relation \"w\" does not exist"
    ));
    let before = "11 s3 > replace v on b\n12 s3 < ok\n13 s2 > rename v w\n14 s2 < ok\n";
    broken(&format!("{head}{before}{after}ok"));
}

#[test]
fn a_grant_may_look_a_name_up_as_it_was_when_its_transaction_began() {
    let head = "1 s1 > create t\n2 s1 < ok\n3 s1 > role r\n4 s1 < ok\n";
    let begun = format!("{head}5 s2 > begin\n6 s2 < ok\n7 s1 > create u\n8 s1 < ok\n");
    let missing = "42P01 relation \"u\" does not exist";
    explained(&format!("{begun}9 s2 > grant r u\n10 s2 < {missing} failed"));
    broken(&format!("{begun}9 s2 > read u\n10 s2 < {missing} failed"));
    broken(&format!(
        "{head}7 s1 > create u\n8 s1 < ok\n9 s2 > grant r u\n10 s2 < {missing}"
    ));
}

#[test]
fn a_lenient_drop_in_a_schema_that_is_renamed_meanwhile_may_find_nothing() {
    let head = "1 s1 > schema s\n2 s1 < ok\n3 s1 > indexin s i\n4 s1 < ok\n";
    let race = format!(
        "{head}5 s2 > schemarename s r\n6 s1 > dropin s i if\n7 s2 < ok\n8 s1 < ok\n9 s1 > dropin r i\n"
    );
    explained(&format!("{race}10 s1 < ok"));
    explained(&format!("{race}10 s1 < 42704 index \"i\" does not exist"));
    let alone = format!("{head}5 s1 > dropin s i if\n6 s1 < ok\n7 s1 > dropin s i\n");
    broken(&format!("{alone}8 s1 < ok"));
}

#[test]
fn an_index_that_is_dropped_if_it_exists_is_no_table_of_the_same_name() {
    let head = "1 s1 > schema s\n2 s1 < ok\n3 s1 > indexin s i\n4 s1 < ok\n";
    let drop = |what: &str| format!("{head}5 s2 > dropin s {what}\n6 s2 < ok\n7 s1 > dropin s in\n8 s1 < ");
    explained(&format!("{}ok", drop("in if index")));
    broken(&format!(
        "{}42P01 relation \"in\" does not exist",
        drop("in if index")
    ));
    broken(&format!("{}ok", drop("in if")));
    let index = format!("{head}5 s2 > dropin s i if index\n6 s2 < ok\n7 s1 > dropin s i\n8 s1 < ");
    broken(&format!("{index}ok"));
}

#[test]
fn an_index_that_is_renamed_while_its_table_moves_goes_along_by_either_name() {
    let head = "1 s1 > schema s\n2 s1 < ok\n3 s1 > schema r\n4 s1 < ok\n5 s1 > indexin s i\n6 s1 < ok\n";
    let race = format!("{head}7 s2 > renamein s i j\n8 s1 > movein s r\n9 s1 < ok\n");
    let refused = format!("{race}10 s2 < XX000 tuple concurrently updated\n11 s3 > dropin r i\n");
    explained(&format!("{refused}12 s3 < ok"));
    explained(&format!("{race}10 s2 < ok\n11 s3 > dropin r j\n12 s3 < ok"));
    let alone = format!("{head}8 s1 > movein s r\n9 s1 < ok\n");
    explained(&format!("{alone}10 s3 > dropin r i\n11 s3 < ok"));
    broken(&format!("{alone}10 s3 > dropin s i\n11 s3 < ok"));
}

#[test]
fn a_lenient_drop_of_a_column_that_is_renamed_meanwhile_may_find_nothing() {
    let head = "1 s1 > create t c\n2 s1 < ok\n3 s1 > begin\n4 s1 < ok\n";
    let renamed = "5 s1 > renamecolumn t c d\n6 s1 < ok\n";
    let drop = "7 s2 > begin\n8 s2 < ok\n9 s2 > dropcolumn t c if\n10 s1 > commit\n11 s1 < ok\n12 s2 < ok\n\
                13 s2 > commit\n14 s2 < ok\n";
    let race = format!("{head}{renamed}{drop}");
    explained(&format!("{race}15 list t(d)"));
    explained(&format!("{race}15 list t"));
    broken(&format!("{head}{drop}15 list t(c)"));
}

#[test]
fn a_lenient_drop_in_an_old_snapshot_may_find_nothing() {
    let head = "1 s1 > begin\n2 s1 < ok\n3 s1 > read u\n4 s1 < 1 no such table: u\n";
    let made = "5 s2 > create t\n6 s2 < ok\n7 s1 > drop t if\n8 s1 < ok\n9 s1 > commit\n10 s1 < ok\n";
    let silent = |text: &str, rules| play(text, rules).broken;
    for rest in ["11 list t", "11 list"] {
        assert_eq!(
            silent(&format!("{head}{made}{rest}"), &SQLITE),
            Vec::<String>::new(),
            "{rest}"
        );
    }
    let own = "5 s1 > create t\n6 s1 < ok\n7 s1 > drop t if\n8 s1 < ok\n9 s1 > commit\n10 s1 < ok\n11 list t";
    assert_eq!(silent(&format!("{head}{own}"), &SQLITE).len(), 1);
    assert_eq!(
        silent(&format!("1 s1 > begin\n2 s1 < ok\n{made}11 list t"), &POSTGRES).len(),
        1
    );
}

#[test]
fn who_has_a_name_holds_up_who_wants_it() {
    let waited = "1205/HY000 Lock wait timeout exceeded; try restarting transaction";
    let head = "1 s1 > create t\n2 s1 < ok\n";
    let held = format!("{head}3 s2 > add t c\n4 s3 > create t\n9 s3 < {waited}\n10 s2 < ok");
    assert_eq!(play(&held, &MARIADB).broken, Vec::<String>::new());
    let free = format!("{head}4 s3 > create t\n9 s3 < {waited}");
    assert_eq!(play(&free, &MARIADB).broken.len(), 1);
}
