//! Mistakes of the caller: the thing, its value, the remedy; exit 3 or 4; no back-trace.

use crate::kit::Desk;
use expect_test::expect;

#[test]
fn an_unknown_scheme_is_answered_with_the_known_ones() {
    Desk::new().run(&["run", "oracel:db"]).check(expect![[r#"
        exit 3
        ! error: cannot use `oracel:db`: unknown scheme `oracel`
        !   help: known are sqlite:, postgres://USER@HOST:PORT/DATABASE, mysql://USER@HOST:PORT/DATABASE, cassandra://USER@HOST:PORT/KEYSPACE, duckdb:, exec:COMMAND, reference:
    "#]]);
}

#[test]
fn an_unreachable_server_is_named() {
    Desk::new()
        .run(&["run", "postgres://app:secret@127.0.0.1:1/shop"])
        .check(expect![[r#"
            exit 4
            ! error: cannot use postgres://app@127.0.0.1:1/shop: no connection: 127.0.0.1:1: Connection refused
            !   help: see that the server runs and that the URL names its host and port
        "#]]);
}

#[test]
fn a_run_that_never_began_says_so_and_how_it_does() {
    let desk = Desk::new();
    desk.run(&["run", "postgres://app@127.0.0.1:1/shop", "--seed", "7"]);
    for command in ["check", "replay"] {
        desk.run(&[command, "7"]).check(expect![[r#"
            exit 3
            ! error: 7 never began: it holds no visit
            !   help: `gristmill resume 7` begins it
        "#]]);
    }
}

#[test]
fn a_read_only_file_is_refused_before_anything_is_written() {
    let desk = Desk::new();
    let file = desk.file("shop.db", "");
    let mut permissions = std::fs::metadata(&file).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&file, permissions).unwrap();
    desk.run(&["run", "sqlite:shop.db", "--visits", "10"])
        .check(expect![[r#"
            exit 4
            ! error: cannot use sqlite:shop.db: the file is read-only
            !   help: give a file that may be written, or sqlite: for a temporary one
        "#]]);
    assert_eq!(std::fs::metadata(&file).unwrap().len(), 0);
}

#[test]
fn every_mistake_of_a_file_is_said_at_once() {
    let desk = Desk::new();
    let text = "# settings\nsesions = 4\nprofile = \"default\"\ntime = \"ten\"\nvisits = -1\nseed = 12.5\n\n\
                [fault]\nkil = \"1/2\"\n\n[workload]\nnope = 1\n";
    desk.file("run.toml", text);
    desk.run(&["run", "--config", "run.toml"]).check(expect![[r#"
        exit 3
        ! error: run.toml, line 2: unknown key `sesions` (did you mean `sessions`?)
        ! error: run.toml, line 4: `time` is "ten", expected a duration such as 10s, 5m
        ! error: run.toml, line 5: `visits` is -1, expected a number from 1
        ! error: run.toml, line 6: `seed` is 12.5, expected a number of 1 to 16 hexadecimal digits such as 7b3f0c
        ! error: run.toml, line 9: there is no fault `kil` (did you mean `kill`?)
        ! error: run.toml, line 12: unknown key `nope`
    "#]]);
}

#[test]
fn a_file_that_is_no_toml_is_said_with_its_line() {
    let desk = Desk::new();
    desk.file("run.toml", "sessions = 4\ntime = = 3\n");
    desk.run(&["run", "--config", "run.toml"]).check(expect![[r#"
        exit 3
        ! error: run.toml, line 2: extra `=`, expected nothing
        ! error: run.toml, line 2: unexpected key or value, expected newline, `#`
    "#]]);
}

#[test]
fn a_missing_file_of_settings_is_named() {
    Desk::new()
        .run(&["run", "--config", "nowhere.toml"])
        .check(expect![[r#"
            exit 3
            ! error: cannot read nowhere.toml: no such file or directory
            !   help: --config takes a file of settings, such as `sessions = 4`
        "#]]);
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
        .check(expect![[r#"
            exit 3
            ! error: GRISTMILL_TIME: "soon" is not a duration such as 10s, 5m
            ! error: --seed: "seventeen" is not a number of 1 to 16 hexadecimal digits such as 7b3f0c
            ! error: --sessions: "0" is not a number from 1 to 1000
            ! error: --fault: "cancel" is not NAME=RATE, such as cancel=1/1000
        "#]]);
}

#[test]
fn an_unknown_profile_or_lie_is_answered_with_a_known_one() {
    let desk = Desk::new();
    desk.run(&["run", "reference:", "--profile", "defualt"])
        .check(expect![[r#"
            exit 3
            ! error: profile: there is no profile `defualt` (did you mean `default`?)
        "#]]);
    desk.run(&["run", "reference:", "--lie", "lost_updat"])
        .check(expect![[r#"
            exit 3
            ! error: cannot use --lie lost_updat: there is no such lie
            !   help: reference: can tell dirty_read, stale_read, lost_update, torn_commit, forgotten_row, resurrected_row, wrong_cell, swapped_rows, extra_row, wrong_count, ignored_limit, lost_on_crash
        "#]]);
}

#[test]
fn a_fault_that_the_target_cannot_bear_is_refused() {
    Desk::new()
        .run(&["run", "sqlite:", "--fault", "cut=1/100"])
        .check(expect![[r#"
            exit 3
            ! error: fault: `cut` needs a server that is reached by a connection, which sqlite: is not
        "#]]);
}

#[test]
fn what_is_not_a_run_is_refused_by_every_command_that_takes_one() {
    let desk = Desk::new();
    let refused = "error: there is no run latest in .gristmill\n  help: `gristmill list runs` shows those that are there\n";
    for command in ["report", "replay", "check"] {
        let said = desk.run(&[command, "latest"]);
        assert_eq!(
            (said.code, said.err.as_str(), said.out.as_str()),
            (Some(3), refused, ""),
            "{command}"
        );
    }
    std::fs::create_dir(desk.path().join("photos")).unwrap();
    desk.run(&["report", "photos"]).check(expect![[r#"
        exit 3
        ! error: photos is not the folder of a run: it has no file `format` of ours
        !   help: name a run (`gristmill list runs`) or the folder of one
    "#]]);
}

#[test]
fn a_run_of_a_newer_format_is_refused() {
    let desk = Desk::new();
    desk.file(".gristmill/7b3f0c/format", "gristmill run, format 9\n");
    desk.run(&["report", "7b3f0c"]).check(expect![[r#"
        exit 3
        ! error: .gristmill/7b3f0c was written by a newer gristmill (folder format 9, this one reads up to 1): use that one
    "#]]);
    desk.file(".gristmill/aa/format", "gristmill run, format 1\n");
    desk.file(".gristmill/aa/plan.toml", "format = 9\nunheard-of = true\n");
    desk.run(&["replay", "aa"]).check(expect![[r#"
        exit 3
        ! error: plan.toml: plan format 9 is newer than this gristmill, which reads up to 1: use the one that wrote it
    "#]]);
}

#[test]
fn a_log_and_a_tracker_of_newer_formats_are_refused_and_left_as_they_are() {
    let desk = Desk::new();
    let run = ["run", "reference:", "--seed", "7", "--visits", "20"];
    assert!(matches!(desk.run(&run).code, Some(0 | 2)));
    let folder = desk.path().join(".gristmill/7");
    let first = |files: &str| {
        let mut files: Vec<_> = std::fs::read_dir(folder.join(files))
            .unwrap()
            .map(|f| f.unwrap().path())
            .collect();
        files.sort();
        files.remove(0)
    };
    let mut said = Vec::new();
    for (file, at) in [(first("log"), 8), (folder.join("tracker"), 7)] {
        let whole = std::fs::read(&file).unwrap();
        let mut newer = whole.clone();
        newer[at] = 9;
        std::fs::write(&file, &newer).unwrap();
        for command in ["check", "replay"] {
            let answer = desk.run(&[command, "7"]);
            assert_eq!(answer.code, Some(3), "{command}: {answer:?}");
            said.push(format!("{command}: {}", answer.err));
        }
        assert_eq!(std::fs::read(&file).unwrap(), newer);
        std::fs::write(&file, whole).unwrap();
    }
    expect![[r#"
        check: error: .gristmill/7/log/00000001.seg has log format 9, this gristmill reads up to 1: use the one that wrote it
        replay: error: .gristmill/7/log/00000001.seg has log format 9, this gristmill reads up to 1: use the one that wrote it
        check: error: .gristmill/7/tracker has tracker format 9, this gristmill reads up to 1: use the one that wrote it
        replay: error: .gristmill/7/tracker has tracker format 9, this gristmill reads up to 1: use the one that wrote it
    "#]].assert_eq(&said.concat());
}

#[test]
fn a_run_that_did_not_end_has_no_report() {
    let desk = Desk::new();
    desk.file(".gristmill/aa/format", "gristmill run, format 1\n");
    desk.run(&["report", "aa"]).check(expect![[r#"
        exit 3
        ! error: .gristmill/aa has no verdict: the run did not end
        !   help: `gristmill resume aa` goes on with it, `gristmill check aa` judges what it holds
    "#]]);
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
    Desk::new().run(&["explain", "mising-row"]).check(expect![[r#"
        exit 3
        ! error: nothing is called `mising-row`
        !   help: did you mean `missing-row`?
    "#]]);
}

#[test]
fn a_clean_of_nothing_says_so_and_of_nonsense_is_refused() {
    let desk = Desk::new();
    desk.run(&["clean", "sqlite:shop.db"]).check(expect![[r#"
        exit 0
        | nothing to remove: no registry in .gristmill names anything of ours on sqlite:shop.db
    "#]]);
    desk.run(&["clean", "sqllite:shop.db"]).check(expect![[r#"
        exit 3
        ! error: cannot use `sqllite:shop.db`: unknown scheme `sqllite`
        !   help: known are sqlite:, postgres://USER@HOST:PORT/DATABASE, mysql://USER@HOST:PORT/DATABASE, cassandra://USER@HOST:PORT/KEYSPACE, duckdb:, exec:COMMAND, reference:
    "#]]);
    desk.run(&["clean", "--runs"]).check(expect![[r#"
        exit 0
        | nothing to remove in .gristmill
    "#]]);
}

#[test]
fn a_store_that_cannot_be_made_is_named() {
    let desk = Desk::new();
    desk.file("taken", "a file");
    desk.run(&["run", "reference:", "--visits", "5", "--out", "taken"])
        .check(expect![[r#"
            exit 3
            ! error: taken: File exists
            !   help: check that the folder can be written, or give another with --out
        "#]]);
}
