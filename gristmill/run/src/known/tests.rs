use super::{Known, day};
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
