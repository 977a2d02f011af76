//! A disk that is really full: a small file system of its own, in a mount namespace that ends with the test.

use crate::kit::{Desk, Said};
use expect_test::expect;
use std::process::Command;

/// Runs a shell's words in a folder on a disk of so many KiB; `gristmill` is the binary. `None`, with a line that says so,
/// where nobody may mount one and CI does not insist.
fn on_a_small_disk(desk: &Desk, kib: u32, words: &str) -> Option<Said> {
    let script = format!(
        "mkdir disk && mount -t tmpfs -o size={kib}k none disk && cd disk || exit 99\n\
         gristmill() {{ \"$GRISTMILL\" \"$@\"; }}\n{words}"
    );
    let gristmill = desk.command(&[]);
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--map-root-user", "sh", "-c", &script])
        .current_dir(desk.path())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("GRISTMILL", gristmill.get_program());
    let said = match command.output() {
        Ok(output) => desk.said(output),
        Err(error) => Said {
            code: Some(99),
            out: String::new(),
            err: error.to_string(),
        },
    };
    // 1 is unshare's own; the scripts end by other codes.
    if !matches!(said.code, Some(1 | 99)) {
        return Some(said);
    }
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "CI=true and no disk may be mounted: {said:?}"
    );
    println!("left out, no disk may be mounted here: {}", said.err.trim());
    None
}

/// Runs until the disk is full, judges and reports what is there, shows what the folder has.
fn filled(kib: u32, run: &str) -> Option<Said> {
    let words = format!(
        "gristmill run {run} --seed 7 --time 1h; echo \"ran: $?\"\n\
         gristmill check latest; echo \"check: $?\"\n\
         gristmill report latest >report; echo \"report: $?\"\n\
         ls .gristmill/7 | tr '\\n' ' '; exit 7"
    );
    let said = on_a_small_disk(&Desk::new(), kib, &words)?;
    assert_eq!((said.code, said.err.as_str()), (Some(7), ""), "{said:?}");
    for line in ["ran: 2", "check: 0", "report: 2"] {
        assert!(said.out.lines().any(|l| l == line), "{line}: {}", said.out);
    }
    assert!(said.out.contains("\nunknown: "), "{}", said.out);
    assert!(said.out.contains("verdict.json"), "{}", said.out);
    assert!(
        !said.out.contains("not closed"),
        "the log was closed: {}",
        said.out
    );
    Some(said)
}

fn doubt(said: &Said) -> &str {
    let line = said.out.lines().find(|line| line.starts_with("   doubt"));
    line.unwrap_or_else(|| panic!("{}", said.out))
}

#[test]
fn no_room_for_answers_ends_the_load_and_what_ran_is_judged() {
    // 8 MiB of log, 4 of tracker, 8 of answers, and not 8 more.
    let Some(said) = filled(24 << 10, "reference:") else {
        return;
    };
    expect![[
        r#"   doubt      the load ended early, the disk is full: no room for more answers in .gristmill/7/evidence (make room there, or give another folder with --out)"#
    ]]
    .assert_eq(doubt(&said));
}

#[test]
fn no_room_for_the_log_ends_the_load_and_what_ran_is_judged() {
    // 2 MiB of log, 4 of tracker, 1 of answers, and not 1 more of log.
    let limits = "--log-bytes 3145728 --evidence-bytes 1048576";
    let Some(said) = filled((7 << 10) + 512, &format!("reference: {limits}")) else {
        return;
    };
    expect![[
        r#"   doubt      the load ended early, the disk is full: no room for more log in .gristmill/7/log (make room there, or give another folder with --out)"#
    ]]
    .assert_eq(doubt(&said));
}

/// The disk is full at a statement of one run and at the COMMIT of another, which SQLite takes back by itself: several runs
/// meet both.
#[test]
fn an_embedded_engine_without_room_is_a_doubt_and_no_finding() {
    for seed in 1..=8 {
        // The run's folder lies elsewhere: only the database has no room.
        let words = format!(
            "gristmill run sqlite:shop.db --out ../runs --seed {seed} --time 1h; echo \"ran: $?\"; exit 7"
        );
        let Some(said) = on_a_small_disk(&Desk::new(), 160 + 8 * seed, &words) else {
            return;
        };
        assert_eq!((said.code, said.err.as_str()), (Some(7), ""), "{said:?}");
        assert!(said.out.ends_with("ran: 2\n"), "{}", said.out);
        expect![[
            r#"   doubt      the load ended early, the database has no room on its disk left: database or disk is full"#
        ]]
        .assert_eq(doubt(&said));
    }
}

#[test]
fn a_run_that_has_no_room_to_begin_says_how_much_it_wanted() {
    let words =
        "gristmill run reference: --seed 7; echo \"ran: $?\"; gristmill check 7; echo \"check: $?\"; exit 7";
    let Some(said) = on_a_small_disk(&Desk::new(), 4 << 10, words) else {
        return;
    };
    said.check(expect![[r#"
        exit 7
        ! error: no room for 4194304 more bytes in .gristmill/7/tracker
        !   help: make room there, or give another folder with --out
        ! error: .gristmill/7/tracker is not a gristmill tracker
        | ran: 3
        | check: 3
    "#]]);
}
