use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn new() -> (tempfile::TempDir, TrackerFile) {
    let dir = tempfile::tempdir().unwrap();
    let tracker = TrackerFile::create(&dir.path().join("tracker")).unwrap();
    (dir, tracker)
}

const NONE: Tick = Tick(u64::MAX);

fn track(state: State, attempt: u8, session: u16, from: Tick, by: Tick) -> Track {
    Track {
        state,
        attempt,
        session: SessionId(session),
        visible_from: from,
        visible_by: by,
    }
}

fn fate(committed: bool) -> Outcome {
    if committed {
        Outcome::Committed
    } else {
        Outcome::Rejected
    }
}

#[test]
fn a_visit_that_was_acknowledged_is_visible_from_its_commit_on() {
    let (_dir, t) = new();
    t.reserve(Lts(7)).unwrap();
    assert_eq!(t.get(Lts(7)), track(State::Waiting, 0, 0, NONE, NONE));
    t.begin(Lts(7), 0, SessionId(3));
    assert_eq!(t.get(Lts(7)), track(State::Open, 0, 3, NONE, NONE));
    t.sent(Lts(7), Tick(100));
    assert_eq!(t.get(Lts(7)), track(State::Open, 0, 3, Tick(100), NONE));
    t.end(Lts(7), Outcome::Committed, Tick(105));
    assert_eq!(t.get(Lts(7)), track(State::Committed, 0, 3, Tick(100), Tick(105)));
    assert_eq!(t.settled(Lts(7)), None);
    assert_eq!(t.highest(), Lts(7));
}

#[test]
fn an_unknown_visit_is_visible_by_the_tick_at_which_it_was_settled() {
    let (_dir, t) = new();
    for (lts, committed) in [(1, true), (2, false)] {
        t.begin(Lts(lts), 0, SessionId(1));
        t.sent(Lts(lts), Tick(10));
        t.end(Lts(lts), Outcome::Unknown, Tick(20));
        assert_eq!(t.get(Lts(lts)), track(State::Unknown, 0, 1, Tick(10), NONE));
        assert_eq!(t.settled(Lts(lts)), None);
        t.settle(Lts(lts), fate(committed), Tick(1 << 47));
        assert_eq!(t.settled(Lts(lts)), Some(Tick(1 << 47)));
    }
    assert_eq!(
        t.get(Lts(1)),
        track(State::Committed, 0, 1, Tick(10), Tick(1 << 47))
    );
    assert_eq!(t.get(Lts(2)), track(State::Rejected, 0, 1, Tick(10), NONE));
}

#[test]
fn a_rejected_visit_may_be_tried_again_by_another_session() {
    let (_dir, t) = new();
    t.begin(Lts(1), 0, SessionId(1));
    t.end(Lts(1), Outcome::Rejected, Tick(4));
    t.begin(Lts(1), 1, SessionId(2));
    assert_eq!(t.get(Lts(1)), track(State::Open, 1, 2, NONE, NONE));
    t.sent(Lts(1), Tick(5));
    t.end(Lts(1), Outcome::Committed, Tick(6));
    assert_eq!(t.get(Lts(1)), track(State::Committed, 1, 2, Tick(5), Tick(6)));
}

#[test]
fn the_file_outlives_the_worker() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tracker");
    let far = Lts(3 * SEGMENT + 5);
    let t = TrackerFile::create(&path).unwrap();
    t.reserve(far).unwrap();
    t.begin(far, 0, SessionId(9));
    t.sent(far, Tick(77));
    t.skip(Lts(8));
    std::mem::forget(t);
    let t = TrackerFile::open(&path).unwrap();
    assert_eq!(t.get(far), track(State::Open, 0, 9, Tick(77), NONE));
    assert_eq!(t.get(Lts(8)), track(State::Skipped, 0, 0, NONE, NONE));
    assert_eq!(t.highest(), far);
    assert_eq!(
        t.get(Lts(u64::MAX)),
        track(State::Waiting, 0, 0, NONE, NONE),
        "beyond the end"
    );
    t.end(far, Outcome::Unknown, Tick(78));
    t.settle(far, Outcome::Committed, Tick(90));
    assert_eq!(t.get(far).visible_by, Tick(90));
}

#[test]
fn what_is_no_tracker_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tracker");
    std::fs::write(&path, "short").unwrap();
    assert!(matches!(
        TrackerFile::open(&path),
        Err(TrackerError::NotATracker { .. })
    ));
    std::fs::write(&path, "something else, and longer than a header").unwrap();
    assert!(matches!(
        TrackerFile::open(&path),
        Err(TrackerError::NotATracker { .. })
    ));
    let mut newer = b"GMTRACK\x02".to_vec();
    newer.extend([0; 24]);
    std::fs::write(&path, newer).unwrap();
    assert!(matches!(
        TrackerFile::open(&path),
        Err(TrackerError::Newer { found: 2, .. })
    ));
    let (_dir, t) = new();
    assert!(matches!(
        t.reserve(Lts(u64::MAX)),
        Err(TrackerError::TooFar { .. })
    ));
}

#[test]
fn readers_never_see_half_of_a_change() {
    let (_dir, t) = new();
    let rounds = 20_000u64;
    t.begin(Lts(1), 0, SessionId(1));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 1..=rounds {
                let lts = Lts(n);
                if n > 1 {
                    t.begin(lts, 0, SessionId(1));
                }
                t.sent(lts, Tick(10 * n));
                t.end(lts, Outcome::Committed, Tick(10 * n + 3));
            }
        });
        let mut next = 1;
        while next <= rounds {
            let seen = t.get(Lts(next));
            if seen.state == State::Committed {
                assert_eq!(
                    (seen.visible_from, seen.visible_by),
                    (Tick(10 * next), Tick(10 * next + 3))
                );
                next += 1;
            }
        }
    });
}

#[derive(Debug, Clone)]
enum Act {
    Invoke(u16),
    EndSent,
    End(u8),
    Settle(bool),
    Skip,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        any::<u16>().prop_map(Act::Invoke),
        Just(Act::EndSent),
        (0..3u8).prop_map(Act::End),
        any::<bool>().prop_map(Act::Settle),
        Just(Act::Skip),
    ]
}

proptest! {
    /// The packed file says what a plain map of tracks says.
    #[test]
    fn packing_loses_nothing(acts in prop::collection::vec((1..6u64, act(), 1..1u64 << 40), 1..80)) {
        let (_dir, t) = new();
        let mut plain: BTreeMap<Lts, Track> = BTreeMap::new();
        let mut settled: BTreeMap<Lts, Tick> = BTreeMap::new();
        let mut now = 0;
        for (lts, act, step) in acts {
            let lts = Lts(lts);
            now += step;
            let tick = Tick(now);
            let was = plain.get(&lts).copied();
            let state = was.map_or(State::Waiting, |w| w.state);
            let mut is = was.unwrap_or_else(|| track(State::Waiting, 0, 0, NONE, NONE));
            match (act, state) {
                (Act::Invoke(s), State::Waiting) => {
                    t.begin(lts, 0, SessionId(s));
                    is = track(State::Open, 0, s, NONE, NONE);
                }
                (Act::Invoke(s), State::Rejected) if is.attempt < ATTEMPT_MAX => {
                    t.begin(lts, is.attempt + 1, SessionId(s));
                    is = track(State::Open, is.attempt + 1, s, NONE, NONE);
                    settled.remove(&lts);
                }
                (Act::EndSent, State::Open) => {
                    t.sent(lts, tick);
                    is.visible_from = tick;
                }
                (Act::End(0), State::Open) => {
                    t.end(lts, Outcome::Committed, tick);
                    (is.state, is.visible_by) = (State::Committed, tick);
                }
                (Act::End(1), State::Open) => {
                    t.end(lts, Outcome::Rejected, tick);
                    is.state = State::Rejected;
                }
                (Act::End(_), State::Open) => {
                    t.end(lts, Outcome::Unknown, tick);
                    is.state = State::Unknown;
                }
                (Act::Settle(committed), State::Unknown) => {
                    t.settle(lts, fate(committed), tick);
                    is.state = if committed { State::Committed } else { State::Rejected };
                    is.visible_by = if committed { tick } else { NONE };
                    settled.insert(lts, tick);
                }
                (Act::Skip, State::Waiting) => {
                    t.skip(lts);
                    is.state = State::Skipped;
                }
                _ => continue,
            }
            plain.insert(lts, is);
            for n in 1..6 {
                let expected = plain.get(&Lts(n)).copied().unwrap_or_else(|| track(State::Waiting, 0, 0, NONE, NONE));
                prop_assert_eq!(t.get(Lts(n)), expected);
                prop_assert_eq!(t.settled(Lts(n)), settled.get(&Lts(n)).copied());
            }
        }
    }
}
