use super::{Known, day, fits};
use history::verdict::Cause;
use history::{Address, Certainty, Finding, Kind, Lts, SessionId, Shape, Span, Tick};

fn finding(action: &str) -> Finding {
    let span = Span {
        sent: Tick(1),
        answered: Tick(2),
    };
    Finding {
        kind: Kind::WrongResult,
        shape: Shape::MissingRow { writer: Lts(1) },
        read: Address {
            lts: Lts(2),
            attempt: 0,
            step: 0,
        },
        session: SessionId(1),
        span,
        snapshot: span,
        action: action.to_owned(),
        part: None,
        row: None,
        column: None,
        proof: Vec::new(),
        certainty: Certainty::Certain,
        doubt: String::new(),
    }
}

#[test]
fn a_known_finding_is_tolerated_until_its_day_and_number() {
    let text = r#"
        [[known]]
        kind = "wrong-result"
        shape = "missing row"
        action = "read-range"
        link = "https://example.org/1"
        expires = 2027-01-31
        times = 3
    "#;
    let until = |seconds| Known::parse(text, seconds).unwrap();
    let today = until(1_800_000_000);
    assert_eq!(day(1_800_000_000), (2027, 1, 15));
    assert!(today.tolerates(&finding("read-range"), 3));
    assert!(!today.tolerates(&finding("read-range"), 4));
    assert!(!today.tolerates(&finding("read-row"), 1));
    assert!(!until(1_802_000_000).tolerates(&finding("read-range"), 1));
}

#[test]
fn days_follow_the_calendar() {
    assert_eq!(day(0), (1970, 1, 1));
    assert_eq!(day(951_782_400), (2000, 2, 29));
    assert_eq!(day(4_102_444_799), (2099, 12, 31));
}

fn refusal(text: &str) -> Finding {
    Finding {
        kind: Kind::UnexpectedError,
        shape: Shape::Refused {
            code: "XX000".to_owned(),
            text: text.to_owned(),
        },
        ..finding("select")
    }
}

#[test]
fn a_refusal_is_known_by_code_and_whole_text_and_what_was_not_met_is_said() {
    let text = r#"
        [[known]]
        kind = "unexpected-error"
        code = "XX000"
        text = "could not find attribute {} in {}"
        link = "https://example.org/2"
        expires = 2027-01-31

        [[known]]
        kind = "unexpected-error"
        code = "XX001"
        link = "https://example.org/3"
        expires = 2026-01-31
    "#;
    let known = Known::parse(text, 1_800_000_000).unwrap();
    let met = refusal("could not find attribute 3 in subquery targetlist");
    assert!(known.tolerates(&met, 7));
    assert!(!known.tolerates(&refusal("and could not find attribute 3 in it"), 1));
    let cause = Cause {
        times: 7,
        known: true,
        statements: Vec::new(),
        promised: String::new(),
        seen: String::new(),
        proof: String::new(),
        how_sure: String::new(),
        finding: met,
    };
    assert_eq!(
        known.met(&[cause]),
        [
            "https://example.org/2 was met 7 times",
            "https://example.org/3 was not met, and the entry ended on 2026-01-31: it may be mended"
        ]
    );
    let neither = r#"
        [[known]]
        kind = "hang"
        link = "https://example.org/4"
        expires = 2027-01-31
    "#;
    let error = Known::parse(neither, 0).unwrap_err().to_string();
    assert!(error.contains("neither `shape` nor `code`"), "{error}");
}

#[test]
fn a_pattern_is_the_whole_text() {
    assert!(fits("a{}c", "abbc") && fits("{}", "") && fits("{}a{}", "bab") && fits("x", "x"));
    assert!(!fits("a{}c", "abcd") && !fits("x", "xx") && !fits("a{}", "ba"));
}
