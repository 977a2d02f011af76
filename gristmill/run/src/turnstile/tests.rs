use super::{Exclusion, Options, Taken, Turnstile};
use crate::replay::Schedule;
use crate::testing::Listed;
use history::{Line, Lts, Part, SessionId};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::sync::Arc;

#[test]
fn under_lww_visits_of_one_partition_go_at_once_unless_they_are_told_not_to() {
    let all = |exclusion| {
        let options = Options {
            first: Lts(1),
            last: Lts(3),
            look_ahead: 8,
            skipped: Box::new(|_| {}),
            done: Box::new(|_| false),
            done_until: Lts(0),
            schedule: None,
            exclusion,
            follows: Box::new(|_| false),
        };
        let t = Turnstile::new(Arc::new(Listed::writing(&[&[1], &[1], &[2]])), options);
        let first = take_all(&t);
        t.release(&t.history.visit(Lts(1)).unwrap());
        (first, take_all(&t))
    };
    assert_eq!(all(Exclusion::None), (vec![1, 2, 3], vec![]));
    assert_eq!(all(Exclusion::All), (vec![1, 3], vec![2]));
}

fn part(position: u64) -> Part {
    Part { table: 0, position }
}

/// A turnstile over visits that write these partitions, and the list of what it skipped.
fn turnstile(
    writes: &[&[u64]],
    look_ahead: usize,
    schedule: Option<Arc<Schedule>>,
) -> (Turnstile, Arc<Mutex<Vec<u64>>>) {
    let skipped = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&skipped);
    let options = Options {
        first: Lts(1),
        last: Lts(writes.len() as u64),
        look_ahead,
        skipped: Box::new(move |lts| told.lock().push(lts.0)),
        done: Box::new(|_| false),
        done_until: Lts(0),
        schedule,
        exclusion: Exclusion::Writers,
        follows: Box::new(|_| false),
    };
    (
        Turnstile::new(Arc::new(Listed::writing(writes)), options),
        skipped,
    )
}

#[test]
fn with_a_record_each_session_gets_its_visits_when_their_time_has_come() {
    let line = |text: &str| text.parse::<Line>().unwrap();
    // 3 began after 1 and beside 2; 4 after all.
    let lines = [
        line("s1 1: delete t0/1/0 | auto"),
        line("s2 2 beside 1: delete t0/2/0 | auto"),
        line("s1 3 beside 2: delete t0/3/0 | auto"),
        line("s2 4: delete t0/4/0 | auto"),
    ];
    let (t, _) = turnstile(
        &[&[1], &[2], &[3], &[4]],
        8,
        Some(Arc::new(Schedule::written(&lines))),
    );
    let take = |session| match t.try_take(SessionId(session)) {
        Taken::Go(visit) => Some(visit.lts.0),
        Taken::Wait | Taken::End => None,
    };
    assert_eq!((take(2), take(1)), (Some(2), Some(1)), "they were open at once");
    assert_eq!((take(1), take(2)), (None, None), "1 had ended before 3 began");
    t.free(&[part(1)], Lts(1));
    assert_eq!((take(2), take(1)), (None, Some(3)), "3 was session 1's");
    t.free(&[part(3)], Lts(3));
    assert_eq!(take(2), None, "2 had ended before 4 began");
    t.free(&[part(2)], Lts(2));
    assert_eq!(take(2), Some(4));
}

/// Takes until nothing is ready; the numbers taken.
fn take_all(turnstile: &Turnstile) -> Vec<u64> {
    let mut taken = Vec::new();
    while let Taken::Go(visit) = turnstile.try_take(SessionId(1)) {
        taken.push(visit.lts.0);
    }
    taken
}

#[test]
fn visits_of_one_partition_go_one_after_another_and_others_overtake() {
    let (t, _) = turnstile(&[&[1], &[1], &[2], &[], &[1, 2]], 8, None);
    assert_eq!(take_all(&t), [1, 3, 4]);
    t.free(&[part(1)], Lts(1));
    assert_eq!(take_all(&t), [2]);
    t.free(&[part(2)], Lts(3));
    assert_eq!(take_all(&t), [] as [u64; 0]);
    t.free(&[part(1)], Lts(2));
    assert_eq!(take_all(&t), [5]);
    t.free(&[part(1), part(2)], Lts(5));
    assert!(matches!(t.try_take(SessionId(1)), Taken::End));
}

#[test]
fn the_window_bounds_how_far_later_visits_overtake() {
    let (t, _) = turnstile(&[&[1], &[1], &[1], &[2], &[3]], 2, None);
    assert_eq!(take_all(&t), [1]);
    t.free(&[part(1)], Lts(1));
    assert_eq!(take_all(&t), [2, 4, 5]);
}

#[test]
fn a_retired_partition_skips_who_waits_and_who_comes() {
    let (t, skipped) = turnstile(&[&[1], &[1, 2], &[2], &[2, 3], &[1], &[3]], 8, None);
    assert_eq!(take_all(&t), [1]);
    t.retire(&[part(1)], Lts(1));
    assert_eq!(*skipped.lock(), [2, 5]);
    t.free(&[part(1)], Lts(1));
    assert_eq!(take_all(&t), [3]);
    t.free(&[part(2)], Lts(3));
    assert_eq!(take_all(&t), [4]);
    t.free(&[part(2), part(3)], Lts(4));
    assert_eq!(take_all(&t), [6]);
}

#[test]
fn after_stop_the_admitted_visits_still_run() {
    let (t, _) = turnstile(&[&[1], &[1], &[2], &[2]], 8, None);
    assert_eq!(take_all(&t), [1, 3]);
    let last = t.stop();
    assert_eq!(last, Lts(4));
    t.free(&[part(1)], Lts(1));
    t.free(&[part(2)], Lts(3));
    assert_eq!(take_all(&t), [2, 4]);
}

/// Eight threads take and release while a ninth retires partitions: U1 and U4 hold, and everything ends.
#[test]
fn threads_never_meet_on_a_partition() {
    let writes: Vec<Vec<u64>> = (0..4000u64)
        .map(|i| {
            let mut parts: Vec<u64> = (0..i % 4)
                .map(|k| (i.wrapping_mul(0x9e37_79b9) >> (3 * k)) % 12)
                .collect();
            parts.sort_unstable();
            parts.dedup();
            parts
        })
        .collect();
    let borrowed: Vec<&[u64]> = writes.iter().map(Vec::as_slice).collect();
    let (t, skipped) = turnstile(&borrowed, 32, None);
    let busy: Vec<Mutex<u64>> = (0..12).map(|_| Mutex::new(0)).collect();
    let done = Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some(visit) = t.take(SessionId(1), || {}) {
                    let held: Vec<_> = visit
                        .writes
                        .iter()
                        .map(|p| {
                            busy[p.position as usize]
                                .try_lock()
                                .expect("nobody else is on the partition")
                        })
                        .collect();
                    for mut last in held {
                        assert!(*last < visit.lts.0, "visits of a partition run in lts order");
                        *last = visit.lts.0;
                    }
                    if visit.lts.0 % 1000 == 999 {
                        t.retire(&visit.writes, visit.lts);
                    }
                    done.lock().insert(visit.lts.0);
                    t.release(&visit);
                }
            });
        }
    });
    let mut done = done.into_inner();
    done.extend(skipped.lock().iter().copied());
    assert_eq!(done.len(), 4000, "each visit ran or was skipped");
}
