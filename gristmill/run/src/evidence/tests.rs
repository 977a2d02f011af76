use super::{Ring, read};
use datagen::stream::{Stream, below, draw};
use history::{Address, Answer, Answered, Lts, Reason, ReasonKind, Rows, SessionId, Span, Tick};
use std::time::Duration;

fn drawn(i: u64) -> Answered {
    let d = |k: u64, n: u64| below(draw(7, Stream::Sample, &[i, k]), n);
    let reason = |kind| Reason {
        kind,
        code: "23505".repeat(d(9, 3) as usize),
        text: "ünïque ☂".repeat(d(8, 9) as usize),
    };
    let answer = match d(0, 4) {
        0 => {
            let mut rows = Rows::default();
            for r in 0..d(1, 20) {
                rows.bytes.extend((0..d(100 + r, 40)).map(|b| b as u8));
                rows.end_row();
            }
            Answer::Rows(rows)
        }
        1 => Answer::Affected(d(2, u64::MAX)),
        2 => Answer::Refused(reason(ReasonKind::Duplicate)),
        _ => Answer::Unknown(reason(ReasonKind::Deadline)),
    };
    let span = Span {
        sent: Tick(d(3, 1 << 40)),
        answered: Tick(d(4, 1 << 40)),
    };
    Answered {
        address: Address {
            lts: Lts(i),
            attempt: 3,
            step: 17,
        },
        session: SessionId(5),
        span,
        snapshot: Span {
            sent: Tick(1),
            answered: span.answered,
        },
        answer,
    }
}

#[test]
fn what_was_answered_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let ring = Ring::open(dir.path(), 16 << 20, &mut std::iter::empty()).unwrap();
    let answers: Vec<Answered> = (0..2000).map(drawn).collect();
    for visit in answers.chunks(3) {
        ring.append(visit).unwrap();
    }
    let (held, damaged) = read(dir.path()).unwrap();
    assert_eq!(damaged, 0);
    assert_eq!(held, answers);
}

#[test]
fn judged_answers_make_room_for_new_ones_and_the_newest_are_held() {
    let dir = tempfile::tempdir().unwrap();
    let ring = Ring::open(dir.path(), 512 << 10, &mut std::iter::empty()).unwrap();
    for i in 0..20_000 {
        let held = ring.append(&[drawn(i)]).unwrap();
        ring.judged(held, 1);
    }
    let (held, _) = read(dir.path()).unwrap();
    let numbers: Vec<u64> = held.iter().map(|a| a.address.lts.0).collect();
    assert_eq!(
        numbers,
        (20_000 - held.len() as u64..20_000).collect::<Vec<u64>>()
    );
    let bytes: u64 = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().metadata().unwrap().len())
        .sum();
    assert!(bytes <= 512 << 10, "{bytes} bytes for a ring of 512 KiB");
}

#[test]
fn answers_that_are_not_judged_are_kept_and_new_visits_wait() {
    let dir = tempfile::tempdir().unwrap();
    let ring = Ring::open(dir.path(), 512 << 10, &mut std::iter::empty()).unwrap();
    let mut held = Vec::new();
    while !ring.is_full() {
        held.push(ring.append(&[drawn(held.len() as u64)]).unwrap());
    }
    assert!(!ring.wait_for_room(Duration::from_millis(1)));
    let kept = read(dir.path()).unwrap().0.len();
    assert_eq!(kept, held.len());
    for h in held {
        ring.judged(h, 1);
    }
    assert!(ring.wait_for_room(Duration::from_millis(1)));
}

#[test]
fn a_damaged_record_ends_its_segment_and_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let ring = Ring::open(dir.path(), 16 << 20, &mut std::iter::empty()).unwrap();
    for i in 0..10 {
        ring.append(&[drawn(i)]).unwrap();
    }
    let path = dir.path().join("00000001.ring");
    let mut bytes = std::fs::read(&path).unwrap();
    let (all, _) = read(dir.path()).unwrap();
    assert_eq!(all.len(), 10);
    let used = bytes.len() - bytes.iter().rev().take_while(|b| **b == 0).count();
    bytes[used / 2] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let (some, damaged) = read(dir.path()).unwrap();
    assert!(some.len() < 10 && damaged == 1);
    assert_eq!(some[..], all[..some.len()]);
}
