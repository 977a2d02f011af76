use super::{Place, Schedule};
use history::log::{Record, What};
use history::{Lts, Outcome, SessionId, Tick};

/// `s1 b7` begins visit 7 on session 1, `s1 e7` ends it; a tick each.
fn schedule(text: &str) -> Schedule {
    let records = text.split(',').zip(1..).map(|(event, tick)| {
        let (session, what) = event.trim().split_once(' ').unwrap();
        let lts = Lts(what[1..].parse().unwrap());
        let what = match &what[..1] {
            "b" => What::Invoke {
                lts,
                attempt: 0,
                digest: 0,
            },
            _ => What::Complete {
                lts,
                attempt: 0,
                outcome: Outcome::Committed,
                end_sent: None,
                statements: 1,
                sent: 0,
            },
        };
        Record {
            tick: Tick(tick),
            ns: 0,
            session: SessionId(session[1..].parse().unwrap()),
            what,
        }
    });
    Schedule::of(records)
}

#[test]
fn a_visit_comes_after_what_had_finished_before_it_began() {
    let s = schedule("s1 b1, s2 b2, s1 e1, s1 b3, s2 e2, s2 b4, s1 e3, s2 e4");
    let after = |lts| {
        s.place(Lts(lts))
            .map(|Place { session, after }| (session.0, after))
    };
    assert_eq!(after(1), Some((1, 0)));
    assert_eq!(after(2), Some((2, 0)));
    assert_eq!(after(3), Some((1, 1)));
    assert_eq!(after(4), Some((2, 2)));
    assert_eq!(after(5), None);
    assert_eq!(
        [1, 2, 3, 4].map(|l| s.rank(Lts(l))),
        [Some(0), Some(1), Some(2), Some(3)]
    );
}
