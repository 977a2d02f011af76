use super::*;
use crate::testing::{cause, clean, found};
use expect_test::{Expect, expect};
use history::artefact::Listed;
use history::progress::{Planned, Progress};
use history::{Kind, Shape, Status, Watcher};

const WIDE: Style = Style {
    color: false,
    width: Some(100),
    full: false,
};
const PIPED: Style = Style {
    color: false,
    width: None,
    full: false,
};

/// Compares a screen, each line behind a bar that shows its indentation.
fn check(text: &str, expected: Expect) {
    let framed: String = text.lines().map(|line| format!("|{line}\n")).collect();
    expected.assert_eq(&framed);
}

fn load(elapsed_ms: u64, findings: u64) -> Progress {
    Progress::Load {
        visits: 124_001,
        rate: 12_412,
        checked: 123_908,
        behind_ms: 12,
        findings,
        elapsed_ms,
        of: Planned::Time(10_000),
        phase: "load".into(),
        beside: Vec::new(),
    }
}

#[test]
fn a_clean_run_closes_with_what_it_rests_on() {
    check(
        &verdict(&clean(), PIPED),
        expect![[r#"
            |clean: 124,001 visits in 10.0 s (61 % writes, 4 % rolled back by plan, <1 % rejected)
            |   compared   402,117 answers: 1,204,551 rows, 5,822,310 cells; 8,212 reads that overlapped writes were explained
            |   exercised  all 2 kinds of write and 2 kinds of read that the plan enables
            |   left out   NaN (SQLite stores it as NULL)
            |   idle       sessions waited 3 % of their time for a partition
            |   again      gristmill run --seed 7b3f0c --visits 124001 --sessions 8
            |   folder     .gristmill/7b3f0c
        "#]],
    );
}

#[test]
fn nothing_left_out_or_doubted_is_hidden() {
    let mut v = clean();
    v.status = Status::Unknown;
    v.interrupted = true;
    v.doubts
        .push("the server process changed under us 3 times: a pooler stands in between".into());
    v.doubts.push("read-group was enabled and never compared".into());
    v.never_compared = vec!["read-group".into()];
    v.never_drawn = vec!["delete-partition".into(), "read-join".into()];
    v.counts.not_compared.insert("more than 4096 choices".into(), 7);
    v.counts.overlapped = 1;
    v.faults.insert("cut-after".into(), 12);
    v.lies.insert("dirty_read".into(), 1_041);
    v.load_ms = 185_000;
    v.visits.insert("unknown".into(), 3);
    check(
        &verdict(
            &v,
            Style {
                color: false,
                width: Some(72),
                full: false,
            },
        ),
        expect![[r#"
            |unknown: 124,004 visits in 3 min 05 s (61 % writes, 4 % rolled back by
            |   plan, <1 % rejected, <1 % unknown)
            |   cut short  by Ctrl-C or a signal: what ran before it was checked
            |   doubt      the server process changed under us 3 times: a pooler
            |              stands in between
            |   doubt      read-group was enabled and never compared
            |   compared   402,117 answers: 1,204,551 rows, 5,822,310 cells; 1 read
            |              that overlapped writes was explained
            |   uncompared 7 answers: more than 4096 choices 7
            |   exercised  2 kinds of write and 2 kinds of read
            |              never drawn in this run: delete-partition, read-join
            |   left out   NaN (SQLite stores it as NULL)
            |   faults     cut-after 12
            |   lies told  dirty_read 1,041
            |   idle       sessions waited 3 % of their time for a partition
            |   again      gristmill run --seed 7b3f0c --visits 124001 --sessions 8
            |   folder     .gristmill/7b3f0c
        "#]],
    );
}

#[test]
fn a_finding_is_five_lines_and_its_statements() {
    check(
        &finding(&cause(), "7b3f0c", WIDE),
        expect![[r#"
            |FOUND   wrong result: a range read forgets a row                                  3 times, one cause
            |   promised   what was acknowledged before a read began is in it (read committed, real time)
            |   seen       visit 4012 read partition 17 from c1 ≥ 5: row (5, 'qh') is missing, 4 rows instead of
            |              5
            |   proof      visit 3998 inserted it and was acknowledged 91 ms before; nothing removed it
            |                s1  3998  INSERT INTO gm7b3f_t0 (p, c1, c2, v0) VALUES (1…    ok       11.101–11.113
            |                s3  4012  SELECT c1, c2, v0 FROM gm7b3f_t0 WHERE p = 17 A…    4 rows   11.204–11.205
            |   rerun      gristmill replay 7b3f0c
            |   how sure   certain: judged twice, no visit of this partition was open or unknown
        "#]],
    );
}

#[test]
fn in_full_no_statement_is_cut_on_the_narrowest_screen() {
    let style = |full| Style {
        color: false,
        width: Some(76),
        full,
    };
    let cause = cause();
    let (cut, full) = (
        finding(&cause, "7b3f0c", style(false)),
        finding(&cause, "7b3f0c", style(true)),
    );
    for sent in &cause.statements {
        assert!(!cut.contains(&sent.sql), "{cut}");
        assert!(full.contains(&sent.sql), "{full}");
    }
}

#[test]
fn on_a_narrow_screen_statements_are_cut_and_sentences_wrapped() {
    let text = finding(
        &cause(),
        "7b3f0c",
        Style {
            color: false,
            width: Some(76),
            full: false,
        },
    );
    check(
        &text,
        expect![[r#"
            |FOUND   wrong result: a range read forgets a row          3 times, one cause
            |   promised   what was acknowledged before a read began is in it (read
            |              committed, real time)
            |   seen       visit 4012 read partition 17 from c1 ≥ 5: row (5, 'qh') is
            |              missing, 4 rows instead of 5
            |   proof      visit 3998 inserted it and was acknowledged 91 ms before;
            |              nothing removed it
            |   s1  3998  INSERT INTO gm7b3f_t0 (p, c1, c2, v0) VALUES (17, 5,…    ok
            |   s3  4012  SELECT c1, c2, v0 FROM gm7b3f_t0 WHERE p = 17 AND c1…    4 rows
            |   rerun      gristmill replay 7b3f0c
            |   how sure   certain: judged twice, no visit of this partition was open or
            |              unknown
        "#]],
    );
}

#[test]
fn piped_statements_are_whole() {
    let mut wide = cause();
    wide.statements[0].sql = format!("INSERT INTO t VALUES ('{}')", "日本".repeat(60));
    wide.times = 1;
    let text = finding(&wide, "7b3f0c", PIPED);
    assert!(text.contains(&wide.statements[0].sql), "{text}");
    assert!(
        text.starts_with("FOUND   wrong result: a range read forgets a row   once\n"),
        "{text}"
    );
}

#[test]
fn a_screen_shows_the_beginning_of_long_texts() {
    let mut long = cause();
    long.statements[0].sql =
        "INSERT INTO t VALUES ('0123456789abcdefg', 'it''s', '012345678901234''', 7)".into();
    let text = finding(
        &long,
        "7b3f0c",
        Style {
            color: false,
            width: Some(140),
            full: false,
        },
    );
    assert!(
        text.contains("VALUES ('0123456789abcdef…', 'it''s', '012345678901234''', 7)"),
        "{text}"
    );
}

#[test]
fn wide_characters_keep_columns_straight() {
    let mut wide = cause();
    wide.statements[0].sql = "INSERT INTO t VALUES ('日本語')\nx".into(); // narrower than the columns that are aligned
    wide.statements[1].sql = "SELECT 'éa\u{301}', 1 FROM t".into();
    let text = finding(&wide, "7b3f0c", PIPED);
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("–")).collect();
    let column = |line: &str| unicode_width::UnicodeWidthStr::width(line.split("   11.").next().unwrap());
    assert_eq!(column(lines[0]), column(lines[1]), "{text}");
}

#[test]
fn a_found_run_says_how_many_causes() {
    let first = |v: &history::Verdict| verdict(v, PIPED).lines().next().unwrap().to_owned();
    let mut v = found();
    assert_eq!(
        first(&v),
        "found: 3 findings of 1 cause, 124,001 visits in 10.0 s (61 % writes, 4 % rolled back by plan, <1 % rejected)"
    );
    v.causes[0].known = true;
    v.status = Status::Clean;
    assert_eq!(
        first(&v),
        "clean: 3 findings that --known tolerates, 124,001 visits in 10.0 s (61 % writes, 4 % rolled back by plan, <1 % rejected)"
    );
    assert!(finding(&v.causes[0], "7b3f0c", PIPED).starts_with("KNOWN   "));
}

#[test]
fn the_progress_line_fits_its_screen() {
    for width in 0..200 {
        let line = progress(
            &load(7_400, 0),
            Style {
                color: false,
                width: Some(width),
                full: false,
            },
        );
        assert!(
            unicode_width::UnicodeWidthStr::width(&*line) <= width,
            "{width}: {line}"
        );
    }
    let at = |width| {
        progress(
            &load(7_400, 2),
            Style {
                color: false,
                width: Some(width),
                full: false,
            },
        )
    };
    check(
        &format!("{}\n{}\n{}\n{}\n", at(140), at(90), at(50), at(20)),
        expect![[r#"
            |   12.4 k visits/s   checked 123,908 of 124,001   behind 0.01 s   2 findings   ━━━━━━━━━━━━━━━━━╸────── 7 of 10 s
            |   12.4 k visits/s   checked 123,908 of 124,001   2 findings   ━━━━━━━━━━━━╸──── 7 of 10 s
            |   12.4 k visits/s   2 findings   ━━━━╸─ 7 of 10 s
            |   2 findings
        "#]],
    );
    let visits = Progress::Load {
        visits: 500,
        rate: 999,
        checked: 500,
        behind_ms: 11_000,
        findings: 0,
        elapsed_ms: 1,
        of: Planned::Visits(1_000),
        phase: "settling".into(),
        beside: Vec::new(),
    };
    check(
        &progress(
            &visits,
            Style {
                color: false,
                width: Some(130),
                full: false,
            },
        ),
        expect![[r#"
            |   settling   checked 500 of 500   behind 11.0 s   no findings   ━━━━━━━━━━━━╸─────────── 500 of 1,000 visits
        "#]],
    );
}

#[test]
fn what_else_a_workload_tells_is_shown_where_there_is_room() {
    let mut statements = load(7_000, 0);
    let Progress::Load { phase, beside, .. } = &mut statements else {
        panic!("a load is a load");
    };
    Progress::STATEMENTS.clone_into(phase);
    *beside = ["oracles 1234", "errors 12 %", "families 8"]
        .map(str::to_owned)
        .to_vec();
    let at = |width| {
        progress(
            &statements,
            Style {
                color: false,
                width: Some(width),
                full: false,
            },
        )
    };
    check(
        &format!("{}\n{}\n{}\n", at(150), at(105), at(80)),
        expect![[r#"
        |   12.4 k statements/s   judged 123,908   oracles 1234   errors 12 %   families 8   no findings   ━━━━━━━━━━━━━━━━╸─────── 7 of 10 s
        |   12.4 k statements/s   judged 123,908   oracles 1234   errors 12 %   no findings   ━━━━━━━╸── 7 of 10 s
        |   12.4 k statements/s   judged 123,908   no findings   ━━━━━━━━━╸──── 7 of 10 s
    "#]],
    );
}

fn watch(live: bool, style: Style) -> String {
    let mut bytes = Vec::new();
    let mut screen = Screen::new(&mut bytes, style, live);
    let head = ["seed 7b3f0c", "SQLite 3.54.1 (temporary file, WAL)", "8 sessions"]
        .map(str::to_owned)
        .to_vec();
    screen.see(&Progress::Started {
        head,
        folder: ".gristmill/7b3f0c".into(),
    });
    screen.see(&load(1_000, 0));
    screen.see(&load(2_000, 0));
    screen.see(&Progress::Note(
        "a pooler stands in between: faults are off".into(),
    ));
    screen.see(&load(3_000, 1));
    screen.see(&Progress::Found(Box::new(cause())));
    screen.see(&load(4_000, 1));
    assert!(screen.finish().is_none());
    String::from_utf8(bytes).unwrap()
}

#[test]
fn piped_there_is_no_progress_line_and_no_escape_code() {
    let text = watch(false, PIPED);
    assert!(!text.contains(['\x1b', '\r']), "{text}");
    check(
        &text,
        expect![[r#"
            |seed 7b3f0c · SQLite 3.54.1 (temporary file, WAL) · 8 sessions
            |
            |   note       a pooler stands in between: faults are off
            |FOUND   wrong result: a range read forgets a row   3 times, one cause
            |   promised   what was acknowledged before a read began is in it (read committed, real time)
            |   seen       visit 4012 read partition 17 from c1 ≥ 5: row (5, 'qh') is missing, 4 rows instead of 5
            |   proof      visit 3998 inserted it and was acknowledged 91 ms before; nothing removed it
            |                s1  3998  INSERT INTO gm7b3f_t0 (p, c1, c2, v0) VALUES (17, 5, 'qh', -3)               ok       11.101–11.113
            |                s3  4012  SELECT c1, c2, v0 FROM gm7b3f_t0 WHERE p = 17 AND c1 >= 5 ORDER BY c1, c2    4 rows   11.204–11.205
            |   rerun      gristmill replay 7b3f0c
            |   how sure   certain: judged twice, no visit of this partition was open or unknown
            |
        "#]],
    );
}

#[test]
fn on_a_terminal_the_line_is_wiped_before_anything_else_is_written() {
    let text = watch(
        true,
        Style {
            color: true,
            width: Some(120),
            full: false,
        },
    );
    let plain: Vec<&str> = text.split("\r\x1b[K").collect();
    assert_eq!(plain.len(), 5, "four lines were drawn, each wiped once: {text:?}");
    assert!(text.ends_with("\r\x1b[K"), "nothing of the line is left");
    assert!(text.contains("\x1b[1m\x1b[31mFOUND\x1b[0m"), "{text:?}");
}

#[test]
fn a_closed_pipe_ends_the_drawing_quietly() {
    struct Closed;
    impl std::io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut screen = Screen::new(Closed, PIPED, false);
    screen.see(&Progress::Note("x".into()));
    screen.see(&Progress::Note("y".into()));
    assert_eq!(screen.finish().unwrap().kind(), std::io::ErrorKind::BrokenPipe);
}

#[test]
fn selfcheck_names_the_mute_and_those_that_cry_wolf() {
    let row = |lie: &str, found: Option<&str>, silent| SelfcheckRow {
        lie: lie.into(),
        target: "reference:".into(),
        told: if lie == "lost_on_crash" { 0 } else { 41 },
        found: found.map(str::to_owned),
        first_after: found.map(|_| 1_012),
        twin_visits: 2_000,
        twin_silent: silent,
        twin_doubts: Vec::new(),
    };
    let screen = |rows: &[SelfcheckRow]| {
        let body: String = rows.iter().map(|row| selfcheck_row(row, WIDE)).collect();
        selfcheck_head(WIDE) + &body + &selfcheck_end(rows, 18_200, WIDE)
    };
    let good = [
        row("dirty_read", Some("extra row"), true),
        row("torn_commit", Some("torn visit"), true),
    ];
    check(
        &screen(&good),
        expect![[r#"
        |   lie               told by      told  found as                first after   truthful twin
        |   dirty_read        reference:     41  extra row               1,012 visits  silent, 2,000 visits
        |   torn_commit       reference:     41  torn visit              1,012 visits  silent, 2,000 visits
        |   every judge can speak, none cries wolf        18.2 s
    "#]],
    );
    let mut bad = [
        row("dirty_read", None, true),
        row("lost_on_crash", None, true),
        row("wrong_cell", Some("wrong cell"), false),
        row("extra_row", Some("extra row"), true),
    ];
    bad[3].twin_doubts.push("nothing was compared".into());
    check(
        &screen(&bad),
        expect![[r#"
        |   lie               told by      told  found as                first after   truthful twin
        |   dirty_read        reference:     41  NOT FOUND                             silent, 2,000 visits
        |   lost_on_crash     reference:      0  NEVER TOLD                            silent, 2,000 visits
        |   wrong_cell        reference:     41  wrong cell              1,012 visits  CRIED WOLF, 2,000 visits
        |   extra_row         reference:     41  extra row               1,012 visits  silent, 2,000 visits; DOUBTS: nothing was compared
        |   1 lie was not found, 1 lie was never told, 1 truthful run had a finding, 1 truthful run proves nothing        18.2 s
    "#]],
    );
}

#[test]
fn a_recheck_says_how_much_is_still_held() {
    let (counts, notes) = (clean().counts, ["the log was not closed".to_owned()]);
    let mut again = crate::json::Recheck {
        status: Status::Clean,
        held: 1_000,
        of: Some(402_117),
        counts: &counts,
        causes: &[],
        notes: &notes,
        regenerated: 124_001,
        database: None,
    };
    let first = recheck(&again, "7b3f0c", WIDE);
    again.of = None;
    check(
        &(first + &recheck(&again, "7b3f0c", WIDE)),
        expect![[r#"
        |clean: 1,000 of 402,117 answers (<1 %) still held and judged again
        |   compared   1,204,551 rows, 5,822,310 cells
        |   digests    124,001 visits of the log are those of the plan
        |   note       the log was not closed
        |clean: 1,000 answers held and judged again; the run left no verdict
        |   compared   1,204,551 rows, 5,822,310 cells
        |   digests    124,001 visits of the log are those of the plan
        |   note       the log was not closed
    "#]],
    );
}

#[test]
fn a_dry_run_says_what_it_would_make_and_what_is_missing() {
    let mut dry = DryRun {
        head: vec!["seed 7b3f0c".into(), "PostgreSQL 15.18".into()],
        creates: vec![
            "CREATE TABLE gm7b3f_t0 (\n  p bigint\n)".into(),
            "CREATE INDEX gm7b3f_i0 ON gm7b3f_t0 (v0)".into(),
        ],
        rights_missing: Vec::new(),
        notes: vec!["NaN is left out".into()],
    };
    check(
        &dry_run(&dry, WIDE),
        expect![[r#"
            |seed 7b3f0c · PostgreSQL 15.18
            |would create, and remove at the end, 2 objects:
            |   CREATE TABLE gm7b3f_t0 (
            |     p bigint
            |   )
            |   CREATE INDEX gm7b3f_i0 ON gm7b3f_t0 (v0)
            |   note       NaN is left out
            |nothing was touched; no right is missing
        "#]],
    );
    dry.rights_missing
        .push("CREATE on schema public (for user app)".into());
    assert!(dry_run(&dry, WIDE).ends_with("nothing was touched; a run would fail for want of rights\n"));
}

#[test]
fn a_replay_says_how_often_it_failed_again() {
    let of = |recorded: &[&str], again, others: &[(&str, u64)]| Replayed {
        times: 10,
        again,
        recorded: recorded.iter().map(|s| (*s).to_owned()).collect(),
        others: others.iter().map(|(s, n)| ((*s).to_owned(), *n)).collect(),
    };
    let found = "WrongResult/missing row/read-range";
    let all = [
        of(&[found], 3, &[("Crash/died/", 1)]),
        of(&[found], 0, &[]),
        of(&[], 10, &[]),
    ];
    check(
        &all.iter().map(|r| replayed(r, PIPED)).collect::<String>(),
        expect![[r#"
            |fails 3 of 10 times
            |   recorded   wrong result: missing row, range read
            |   also found crash: died, 1 of 10 times
            |passes 10 of 10 times: what was found does not come back
            |   recorded   wrong result: missing row, range read
            |clean 10 of 10 times, as the run was
        "#]],
    );
}

#[test]
fn mistakes_say_what_where_and_the_remedy() {
    let text = mistake(
        "cannot use postgres://app@db/shop: it went away",
        "start it\nor name another",
        PIPED,
    ) + &place(
        "run.toml, line 4",
        "unknown key `sesions` (did you mean `sessions`?)",
        PIPED,
    );
    check(
        &text,
        expect![[r#"
            |error: cannot use postgres://app@db/shop: it went away
            |  help: start it
            |        or name another
            |error: run.toml, line 4: unknown key `sesions` (did you mean `sessions`?)
        "#]],
    );
}

#[test]
fn a_list_of_runs_is_aligned() {
    let run = |name: &str, status, alive| Listed {
        name: name.into(),
        status,
        alive,
    };
    let all = [
        run("7b3f0c-12", None, true),
        run("a", Some(Status::Finding), false),
        run("b", Some(Status::Clean), false),
        run("c", None, false),
    ];
    check(
        &runs(&all, PIPED),
        expect![[r#"
            |   7b3f0c-12   runs
            |   a           found
            |   b           clean
            |   c           did not end
        "#]],
    );
}

#[test]
fn every_kind_and_shape_has_a_title_and_an_explanation() {
    use history::{Address, Lts};
    let text = String::new;
    let shapes = [
        Shape::MissingRow { writer: Lts(1) },
        Shape::ExtraRow {
            why: history::finding::Why::NeverWritten,
        },
        Shape::WrongCell {
            expected: text(),
            writer: None,
            actual: text(),
            why: history::finding::Why::NeverWritten,
        },
        Shape::WrongTimestamp {
            expected: text(),
            writer: Some(Lts(1)),
            actual: text(),
        },
        Shape::WrongTtl {
            expected: text(),
            actual: text(),
        },
        Shape::ForeignValue { actual: text() },
        Shape::DuplicateRow,
        Shape::WrongOrder,
        Shape::WrongCount {
            expected: 1,
            actual: 2,
        },
        Shape::WrongAggregate {
            expected: text(),
            actual: text(),
        },
        Shape::WrongAffected {
            expected: 1,
            actual: 2,
        },
        Shape::RefusedAbsent,
        Shape::AcceptedDuplicate,
        Shape::Torn { visit: Lts(1) },
        Shape::NotMonotonic {
            visit: Lts(1),
            shown_by: Address {
                lts: Lts(1),
                attempt: 0,
                step: 0,
            },
        },
        Shape::NotLinearizable,
        Shape::Unreadable { what: text() },
        Shape::Refused {
            code: "XX000".into(),
            text: text(),
        },
        Shape::Died {
            how: "signal 11".into(),
        },
        Shape::Stalled {
            waited_ms: 30_000,
            waiting_for: text(),
        },
    ];
    let kinds = [
        Kind::WrongResult,
        Kind::Isolation,
        Kind::UnexpectedError,
        Kind::Crash,
        Kind::Hang,
        Kind::Durability,
        Kind::Stream,
        Kind::Catalog,
        Kind::Privilege,
    ];
    let mut titles = String::new();
    for shape in shapes {
        assert!(
            crate::explain::explain(&shape.name().replace(' ', "-")).is_some(),
            "{}",
            shape.name()
        );
        let mut one = cause();
        one.finding.shape = shape;
        one.finding.action = "insert-strict".into();
        titles += &format!("{}\n", crate::words::title(&one.finding));
    }
    for kind in kinds {
        assert!(
            crate::explain::explain(&crate::words::kind(kind).replace(' ', "-")).is_some(),
            "{kind:?}"
        );
    }
    check(
        &titles,
        expect![[r#"
            |wrong result: an insert forgets a row
            |wrong result: an insert shows a row that must not be there
            |wrong result: an insert shows a wrong value
            |wrong result: an insert shows a cell with a wrong timestamp
            |wrong result: an insert shows a cell with a wrong time to live
            |wrong result: an insert shows a value that nobody wrote
            |wrong result: an insert shows a row twice
            |wrong result: an insert returns its rows in a wrong order
            |wrong result: an insert returns a wrong number of rows
            |wrong result: an insert computes a wrong value
            |wrong result: an insert reports a wrong number of affected rows
            |wrong result: an insert is refused as a duplicate of a row that is not there
            |wrong result: an insert is accepted though its row is there
            |wrong result: an insert sees half of a transaction
            |wrong result: an insert loses what an earlier read had shown
            |wrong result: an insert fits no order of the lightweight transactions
            |wrong result: an insert returns what cannot be read
            |wrong result: an insert is refused with XX000, and nothing explains it
            |wrong result: the database ended by itself: signal 11
            |wrong result: no statement of session 3 ended for 30 s
        "#]],
    );
}

#[test]
fn numbers_and_spans_read_well() {
    let all = [0, 7, 999, 1_000, 1_204_551].map(number).join(" ");
    assert_eq!(all, "0 7 999 1,000 1,204,551");
    let spans = [
        (0, true),
        (12, true),
        (9_999, true),
        (10_003, true),
        (10_003, false),
        (185_000, false),
    ];
    let spans = spans.map(|(ms, fine)| span(ms, fine)).join(", ");
    assert_eq!(spans, "0.00 s, 0.01 s, 9.99 s, 10.0 s, 10.0 s, 3 min 05 s");
    assert_eq!(
        (percent(0, 9), percent(1, 900), percent(9, 9)),
        (None, Some("<1 %".into()), Some("100 %".into()))
    );
    assert_eq!(cut("日本語", 5), "日本…");
}
