//! Verdicts made by hand, as `design/screens` draws them.

use history::verdict::{Cause, Sent};
use history::{
    Address, Certainty, Counts, Finding, Kind, Lts, Part, SessionId, Shape, Span, Status, Tick, Verdict,
};
use std::collections::BTreeMap;

fn map<V: Copy>(pairs: &[(&str, V)]) -> BTreeMap<String, V> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect()
}

/// The clean run of the drawing.
pub(crate) fn clean() -> Verdict {
    let setup = [
        (
            "head",
            "seed 7b3f0c · SQLite 3.54.1 (temporary file, WAL) · 8 sessions · partitions, ordered · claim: serializable",
        ),
        (
            "again",
            "gristmill run --seed 7b3f0c --visits 124001 --sessions 8",
        ),
        ("folder", ".gristmill/7b3f0c"),
    ];
    Verdict {
        format: 1,
        status: Status::Clean,
        interrupted: false,
        seed: "7b3f0c".into(),
        target: "sqlite:".into(),
        server: "SQLite 3.54.1".into(),
        settings: BTreeMap::new(),
        driver: "rusqlite 0.41".into(),
        gristmill: "0.1.0 (880902b1f3)".into(),
        types: BTreeMap::from([("int64".into(), "INTEGER".into())]),
        setup: setup
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        visits: map(&[
            ("committed", 118_900),
            ("rejected", 41),
            ("rolled back by plan", 5_060),
            ("writing", 76_000),
        ]),
        load_ms: 10_003,
        counts: Counts {
            answers: 402_117,
            reads: 151_007,
            rows: 1_204_551,
            cells: 5_822_310,
            replayed: 118_900,
            overlapped: 8_212,
            not_compared: BTreeMap::new(),
            exercised: map(&[
                ("insert", 71_000),
                ("update", 50_000),
                ("read-range", 90_000),
                ("read-row", 61_007),
            ]),
        },
        never_compared: Vec::new(),
        never_drawn: Vec::new(),
        left_out: vec!["NaN (SQLite stores it as NULL)".into()],
        doubts: Vec::new(),
        causes: Vec::new(),
        faults: BTreeMap::new(),
        lies: BTreeMap::new(),
        idle_percent: 3,
        latency: BTreeMap::new(),
        statements: None,
    }
}

/// The finding of the drawing.
pub(crate) fn cause() -> Cause {
    let span = Span {
        sent: Tick(9_101),
        answered: Tick(9_104),
    };
    let sent = |session, lts, sql: &str, outcome: &str, sent_us, answered_us| Sent {
        session,
        lts,
        sql: sql.into(),
        outcome: outcome.into(),
        sent_us,
        answered_us,
    };
    Cause {
        finding: Finding {
            kind: Kind::WrongResult,
            shape: Shape::MissingRow { writer: Lts(3_998) },
            read: Address {
                lts: Lts(4_012),
                attempt: 0,
                step: 0,
            },
            session: SessionId(3),
            span,
            snapshot: span,
            action: "read-range".into(),
            part: Some(Part {
                table: 0,
                position: 17,
            }),
            row: Some(5),
            column: None,
            proof: vec![Lts(3_998)],
            certainty: Certainty::Certain,
            doubt: String::new(),
        },
        times: 3,
        known: false,
        statements: vec![
            sent(
                1,
                3_998,
                "INSERT INTO gm7b3f_t0 (p, c1, c2, v0) VALUES (17, 5, 'qh', -3)",
                "ok",
                11_101_200,
                11_113_900,
            ),
            sent(
                3,
                4_012,
                "SELECT c1, c2, v0 FROM gm7b3f_t0 WHERE p = 17 AND c1 >= 5 ORDER BY c1, c2",
                "4 rows",
                11_204_000,
                11_205_100,
            ),
        ],
        promised: "what was acknowledged before a read began is in it (read committed, real time)".into(),
        seen: "visit 4012 read partition 17 from c1 ≥ 5: row (5, 'qh') is missing, 4 rows instead of 5"
            .into(),
        proof: "visit 3998 inserted it and was acknowledged 91 ms before; nothing removed it".into(),
        how_sure: "certain: judged twice, no visit of this partition was open or unknown".into(),
    }
}

/// A run that found it.
pub(crate) fn found() -> Verdict {
    Verdict {
        status: Status::Finding,
        causes: vec![cause()],
        ..clean()
    }
}
