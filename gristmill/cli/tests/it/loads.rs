//! Loads that are not checked, data that is left there, and what `check` says of it.

use crate::kit::Desk;
use expect_test::expect;

/// Latencies and times of the load are not the same twice.
fn without_times(text: &str) -> String {
    let lines = text.lines().filter(|line| {
        ![
            "   latency ",
            "   idle ",
            "   server ",
            "   left out ",
            "   kept ",
            "not checked: ",
        ]
        .iter()
        .any(|label| line.starts_with(label))
    });
    lines.map(|line| format!("{line}\n")).collect()
}

const LOAD: &[&str] = &[
    "run",
    "sqlite:load.db",
    "--seed",
    "7b3f0c",
    "--visits",
    "400",
    "--sessions",
    "2",
    "--check",
    "none",
    "--keep",
];

#[test]
fn a_load_is_not_called_clean_and_is_compared_later() {
    let desk = Desk::new();
    let mut said = desk.run(LOAD);
    for part in [
        "\nnot checked: 400 visits in ",
        "gristmill clean sqlite:load.db removes it",
    ] {
        assert!(said.out.contains(part), "{said:?}");
    }
    said.out = without_times(&said.out);
    said.check(expect![[r#"
        exit 0
        | seed 7b3f0c · sqlite 3.54.1 (file) · 2 sessions · partitions, ordered · not checked
        | 
        |    compared   nothing: --check none
        |    again      gristmill run sqlite:load.db --seed 7b3f0c --visits 400 --sessions 2 --check none --keep
        |    folder     .gristmill/7b3f0c
    "#]]);
    let shown = desk.run(&["report", "latest", "--format", "json"]);
    let verdict: serde_json::Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!((shown.code, &verdict["status"]), (Some(0), &"unchecked".into()));
    let mut said = desk.run(&["check", "latest"]);
    said.out = without_times(&said.out);
    said.check(expect![[r#"
        exit 0
        | clean: what sqlite:load.db holds of 7b3f0c, compared with the state after visit 400
        |    compared   58 partitions in 122 answers: 242 rows, 1,586 cells
    "#]]);
}

#[test]
fn what_somebody_changed_in_the_database_is_found_later() {
    let desk = Desk::new();
    assert_eq!(desk.run(LOAD).code, Some(0));
    let database = rusqlite::Connection::open(desk.path().join("load.db")).unwrap();
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'gm7b3f0c%'";
    let mut statement = database.prepare(tables).unwrap();
    let names = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let rows = |name: &str| -> i64 {
        let count = format!("SELECT count(*) FROM {name}");
        database.query_row(&count, [], |row| row.get(0)).unwrap()
    };
    let (most, name) = names.map(|n| n.unwrap()).map(|n| (rows(&n), n)).max().unwrap();
    assert!(most > 10);
    database.execute(&format!("DELETE FROM {name}"), []).unwrap();
    drop(statement);
    let said = desk.run(&["check", "7b3f0c", "--format", "json"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    let found: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(found["database"]["status"], "finding");
    assert!(!found["database"]["causes"].as_array().unwrap().is_empty());
    // The registry knows what is ours; afterwards there is nothing to look at.
    let cleaned = desk.run(&["clean", "sqlite:load.db"]);
    assert_eq!(cleaned.code, Some(0), "{cleaned:?}");
    let gone = desk.run(&["check", "7b3f0c", "--database"]);
    assert_eq!(gone.code, Some(4), "{gone:?}");
    assert!(
        gone.err.contains("it does not hold what gm7b3f0c made"),
        "{gone:?}"
    );
}

#[test]
fn memory_cannot_be_kept_and_a_visit_must_be_there() {
    let desk = Desk::new();
    let said = desk.run(&["run", "reference:", "--keep"]);
    assert_eq!(said.code, Some(3));
    assert!(said.err.contains("in memory: nothing is left of it"), "{said:?}");
    assert_eq!(desk.run(LOAD).code, Some(0));
    let said = desk.run(&["check", "latest", "--at", "401"]);
    said.check(expect![[r#"
        exit 3
        ! error: there is no visit 401: the run has the visits 1 to 400
        !   help: `gristmill report latest` says how many there were
    "#]]);
    let said = desk.run(&["check", "latest", "--answers", "--at", "4"]);
    assert_eq!(said.code, Some(3));
}

#[test]
fn a_second_database_is_compared_and_its_password_stays_out_of_the_plan() {
    let desk = Desk::new();
    let args = [
        "run",
        "reference:",
        "--against",
        "sqlite:",
        "--check",
        "none",
        "--lie",
        "wrong_cell=1/10",
        "--seed",
        "7b3f0c",
        "--visits",
        "2000",
        "--sessions",
        "2",
    ];
    let said = desk.run(&args);
    assert_eq!(said.code, Some(1), "{said:?}");
    for part in [
        "is answered differently by the second database",
        "   against    sqlite:: ",
        "not checked",
    ] {
        assert!(said.out.contains(part), "{part}: {said:?}");
    }
    let said = desk.run(&[
        "run",
        "sqlite:",
        "--against",
        "postgres://me:secret@127.0.0.1:1/db",
    ]);
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(
        said.err.contains("GRISTMILL_AGAINST_PASSWORD") && !said.err.contains("secret"),
        "{said:?}"
    );
}

#[test]
fn a_configuration_of_harry_is_a_plan_and_what_has_no_counterpart_is_named() {
    let desk = Desk::new();
    let text = "seed: 7\ntruncate_table: true\nrunner:\n  up_to_lts:\n    max_lts: 300\n    visitors:\n      - mutating: {}\n";
    desk.file("conf.yaml", text);
    let said = desk.run(&["run", "reference:", "--harry", "conf.yaml"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.out.contains("seed 7 ") && said.out.contains("clean: 300 visits"),
        "{said:?}"
    );
    let remark = "note: conf.yaml, line 2: truncate_table: no counterpart: ";
    assert!(said.err.starts_with(remark), "{said:?}");
    desk.file("conf.yaml", "seed: 7\nrunner_: {}\n");
    let said = desk.run(&["plan", "--harry", "conf.yaml"]);
    said.check(expect![[r#"
        exit 3
        ! error: conf.yaml, line 2: unknown key `runner_` (did you mean `runner`?)
    "#]]);
}
