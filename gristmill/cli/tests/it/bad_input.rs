//! Mistakes of the caller: the thing, its value, the remedy; exit 3 or 4; no back-trace.

use crate::kit::Desk;
use expect_test::expect;

#[test]
fn an_unknown_scheme_is_answered_with_the_known_ones() {
    Desk::new().run(&["run", "oracel:db"]).check(expect![""]);
}

#[test]
fn an_unreachable_server_is_named() {
    Desk::new()
        .run(&["run", "postgres://app:secret@127.0.0.1:1/shop"])
        .check(expect![""]);
}

#[test]
fn a_read_only_file_is_refused_before_anything_is_written() {
    let desk = Desk::new();
    let file = desk.file("shop.db", "");
    let mut permissions = std::fs::metadata(&file).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&file, permissions).unwrap();
    desk.run(&["run", "sqlite:shop.db", "--visits", "10"])
        .check(expect![""]);
    assert_eq!(std::fs::metadata(&file).unwrap().len(), 0);
}

#[test]
fn every_mistake_of_a_file_is_said_at_once() {
    let desk = Desk::new();
    let text = "# settings\nsesions = 4\nprofile = \"default\"\ntime = \"ten\"\nvisits = -1\nseed = 12.5\n\n\
                [fault]\nkil = \"1/2\"\n\n[workload]\nnope = 1\n";
    desk.file("run.toml", text);
    desk.run(&["run", "--config", "run.toml"]).check(expect![""]);
}

#[test]
fn a_file_that_is_no_toml_is_said_with_its_line() {
    let desk = Desk::new();
    desk.file("run.toml", "sessions = 4\ntime = = 3\n");
    desk.run(&["run", "--config", "run.toml"]).check(expect![""]);
}

#[test]
fn a_missing_file_of_settings_is_named() {
    Desk::new()
        .run(&["run", "--config", "nowhere.toml"])
        .check(expect![""]);
}

#[test]
fn mistakes_of_flags_and_environment_are_said_together() {
    let desk = Desk::new();
    let args = [
        "run",
        "--sessions",
        "0",
        "--seed",
        "seventeen",
        "--fault",
        "cancel",
    ];
    desk.run_with(&args, &[("GRISTMILL_TIME", "soon"), ("GRISTMILL_VISITS", "10")])
        .check(expect![""]);
}

#[test]
fn an_unknown_profile_or_lie_is_answered_with_a_known_one() {
    let desk = Desk::new();
    desk.run(&["run", "reference:", "--profile", "defualt"])
        .check(expect![""]);
    desk.run(&["run", "reference:", "--lie", "lost_updat"])
        .check(expect![""]);
}

#[test]
fn a_fault_that_the_target_cannot_bear_is_refused() {
    Desk::new()
        .run(&["run", "sqlite:", "--fault", "cut=1/100"])
        .check(expect![""]);
}

#[test]
fn what_is_not_a_run_is_refused_by_every_command_that_takes_one() {
    let desk = Desk::new();
    for command in ["report", "replay", "check"] {
        desk.run(&[command, "latest"]).check(expect![""]);
    }
    std::fs::create_dir(desk.path().join("photos")).unwrap();
    desk.run(&["report", "photos"]).check(expect![""]);
}

#[test]
fn a_run_of_a_newer_format_is_refused() {
    let desk = Desk::new();
    desk.file(".gristmill/7b3f0c/format", "gristmill run, format 9\n");
    desk.run(&["report", "7b3f0c"]).check(expect![""]);
    desk.file(".gristmill/aa/format", "gristmill run, format 1\n");
    desk.file(".gristmill/aa/plan.toml", "format = 9\nunheard-of = true\n");
    desk.run(&["replay", "aa"]).check(expect![""]);
}

#[test]
fn a_run_that_did_not_end_has_no_report() {
    let desk = Desk::new();
    desk.file(".gristmill/aa/format", "gristmill run, format 1\n");
    desk.run(&["report", "aa"]).check(expect![""]);
}

#[test]
fn what_the_parser_refuses_is_exit_3_too() {
    let desk = Desk::new();
    for args in [
        &["run", "--bogus"][..],
        &["replay"],
        &["list", "everything"],
        &["clean"],
        &["frobnicate"],
        &[],
    ] {
        let said = desk.run(args);
        assert_eq!((said.code, said.out.as_str()), (Some(3), ""), "{args:?}");
        let taught = said.err.contains("Usage:") || said.err.contains("possible values:");
        assert!(taught, "{args:?}: {}", said.err);
    }
}

#[test]
fn an_unknown_word_is_explained_by_its_neighbour() {
    Desk::new().run(&["explain", "mising-row"]).check(expect![""]);
}

#[test]
fn a_clean_of_nothing_says_so_and_of_nonsense_is_refused() {
    let desk = Desk::new();
    desk.run(&["clean", "sqlite:shop.db"]).check(expect![""]);
    desk.run(&["clean", "sqllite:shop.db"]).check(expect![""]);
    desk.run(&["clean", "--runs"]).check(expect![""]);
}

#[test]
fn a_store_that_cannot_be_made_is_named() {
    let desk = Desk::new();
    desk.file("taken", "a file");
    desk.run(&["run", "reference:", "--visits", "5", "--out", "taken"])
        .check(expect![""]);
}
