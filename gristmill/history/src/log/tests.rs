use super::*;
use crate::{Address, Lts, Outcome, Part, SessionId, Tick};
use proptest::prelude::*;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

const SMALL: Limits = Limits {
    segment_bytes: 128 << 10,
    bytes_max: 1 << 30,
};

fn header() -> Header {
    Header {
        run: "7b3f0c".into(),
        plan: 0xfeed,
    }
}

/// A counter of ticks that goes on after `last`.
fn after(last: u64) -> impl Fn() -> Tick {
    let next = AtomicU64::new(last + 1);
    move || Tick(next.fetch_add(1, Ordering::Relaxed))
}

fn invoke(lts: u64) -> What {
    What::Invoke {
        lts: Lts(lts),
        attempt: 0,
        digest: lts.wrapping_mul(0x9e37_79b9_7f4a_7c15),
    }
}

fn complete(lts: u64) -> What {
    let (end_sent, sent) = (Some(Tick(lts)), !lts);
    What::Complete {
        lts: Lts(lts),
        attempt: 0,
        outcome: Outcome::Committed,
        end_sent,
        statements: 3,
        sent,
    }
}

/// Appends `visits` visits, two records each, the `n`-th record at `ns(n)`.
fn write(folder: &Path, limits: Limits, visits: u64, ns: impl Fn(u64) -> u64) -> Writer {
    let (writer, tick) = (Writer::create(folder, header(), limits).unwrap(), after(0));
    for lts in 1..=visits {
        writer
            .append(SessionId(1), ns(2 * lts), &tick, &invoke(lts))
            .unwrap();
        writer
            .append(SessionId(1), ns(2 * lts + 1), &tick, &complete(lts))
            .unwrap();
    }
    writer
}

/// The same, and closes it.
fn write_all(folder: &Path, visits: u64, ns: impl Fn(u64) -> u64) {
    write(folder, SMALL, visits, &ns)
        .close(ns(0), &after(2 * visits))
        .unwrap();
}

fn read(folder: &Path) -> (Vec<Record>, Ending) {
    let mut reader = Reader::open(folder).unwrap();
    let records: Vec<_> = reader.by_ref().collect();
    (records, reader.ending().unwrap().clone())
}

fn damage(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

#[test]
fn what_is_appended_is_read_in_tick_order_over_many_segments() {
    let dir = tempfile::tempdir().unwrap();
    write_all(dir.path(), 10_000, |n| n);
    let (records, ending) = read(dir.path());
    assert_eq!(ending, Ending::Closed);
    assert_eq!(records.len(), 20_001);
    assert_eq!(records[0].what, invoke(1));
    assert_eq!(records[19_999].what, complete(10_000));
    assert_eq!(records[20_000].what, What::Closed { records: 20_000 });
    assert!(records.is_sorted_by(|a, b| a.tick < b.tick));
    assert!(
        fs::read_dir(dir.path()).unwrap().count() > 5,
        "it took several segments"
    );
}

#[test]
fn a_log_whose_writer_was_killed_ends_open_and_complete() {
    let dir = tempfile::tempdir().unwrap();
    // Forgetting the writer leaves the files as a kill -9 would: nothing is flushed by us.
    std::mem::forget(write(dir.path(), SMALL, 3_000, |n| n));
    let (records, ending) = read(dir.path());
    assert_eq!((records.len(), ending), (6_000, Ending::Open { torn: false }));
}

#[test]
fn every_prefix_of_blocks_is_a_log() {
    for visits in [0, 1, 2, 650, 690, 700, 1_380, 1_390] {
        let dir = tempfile::tempdir().unwrap();
        std::mem::forget(write(dir.path(), SMALL, visits, |n| n));
        let (records, ending) = read(dir.path());
        assert_eq!(
            (records.len() as u64, ending),
            (2 * visits, Ending::Open { torn: false })
        );
    }
}

#[test]
fn a_record_that_was_being_written_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    std::mem::forget(write(dir.path(), SMALL, 10, |n| n));
    let path = dir.path().join("00000001.seg");
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.iter().rposition(|&b| b != 0).unwrap();
    bytes[end - 4..=end].fill(0);
    fs::write(&path, bytes).unwrap();
    let (records, ending) = read(dir.path());
    assert_eq!((records.len(), ending), (19, Ending::Open { torn: true }));
}

#[test]
fn damage_is_read_up_to_and_named() {
    for (at, expected) in [(5_000, 100..120), (100_000, 2_000..2_200), (20, 0..1)] {
        let dir = tempfile::tempdir().unwrap();
        write_all(dir.path(), 3_000, |n| n);
        damage(&dir.path().join("00000001.seg"), at);
        if at < 128 {
            assert!(matches!(Reader::open(dir.path()), Err(LogError::NotALog { .. })));
            continue;
        }
        let (records, ending) = read(dir.path());
        assert!(
            expected.contains(&records.len()),
            "{} records, {ending}",
            records.len()
        );
        let Ending::Damaged {
            offset, unread_bytes, ..
        } = &ending
        else {
            panic!("{ending}")
        };
        assert!((at as u64 - 60..=at as u64).contains(offset), "{ending}");
        assert!(*unread_bytes > 100_000);
        assert!(ending.to_string().contains("00000001.seg at byte"), "{ending}");
        // Every record that was read is one that was written.
        assert!(
            records
                .iter()
                .all(|r| matches!(r.what, What::Invoke { .. } | What::Complete { .. }))
        );
    }
}

#[test]
fn a_log_that_was_cut_says_so() {
    for keep in [200, 65_536, 70_000, 130_000] {
        let dir = tempfile::tempdir().unwrap();
        write_all(dir.path(), 1_370, |n| n);
        let path = dir.path().join("00000001.seg");
        let file = fs::OpenOptions::new().write(true).open(path).unwrap();
        assert!(file.metadata().unwrap().len() > keep);
        file.set_len(keep).unwrap();
        let (records, ending) = read(dir.path());
        assert!(
            matches!(ending, Ending::Damaged { .. }),
            "cut at {keep}: {} records, {ending}",
            records.len()
        );
    }
}

#[test]
fn a_missing_segment_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    write_all(dir.path(), 5_000, |n| n);
    fs::remove_file(dir.path().join("00000002.seg")).unwrap();
    let (_, ending) = read(dir.path());
    assert!(
        matches!(
            ending,
            Ending::Damaged {
                what: "the next segment is missing",
                ..
            }
        ),
        "{ending}"
    );
}

#[test]
fn a_log_of_a_newer_format_is_refused_by_its_number() {
    let dir = tempfile::tempdir().unwrap();
    write_all(dir.path(), 5, |n| n);
    let path = dir.path().join("00000001.seg");
    let mut bytes = fs::read(&path).unwrap();
    bytes[8] = 2;
    fs::write(&path, bytes).unwrap();
    let error = Reader::open(dir.path()).err().unwrap().to_string();
    assert!(
        error.ends_with("has log format 2, this gristmill reads up to 1: use the one that wrote it"),
        "{error}"
    );
}

#[test]
fn a_resumed_log_goes_on_where_it_ended() {
    for visits in [0, 1, 689, 690, 691, 1_379, 1_380, 1_381, 3_000] {
        for closed in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let first = write(dir.path(), SMALL, visits, |n| n);
            if closed {
                first.close(7, &after(2 * visits)).unwrap();
            } else {
                std::mem::forget(first);
            }
            let mut seen = 0;
            let (writer, resumed) = Writer::resume(dir.path(), header(), SMALL, &mut |_| seen += 1).unwrap();
            assert_eq!(seen, 2 * visits + u64::from(closed));
            assert_eq!(
                resumed,
                Resumed {
                    last_tick: Tick(seen),
                    records: seen
                }
            );
            let tick = after(seen);
            writer
                .append(SessionId(0), 8, &tick, &What::Resumed { records: seen })
                .unwrap();
            for lts in visits + 1..visits + 1_000 {
                writer.append(SessionId(2), 9, &tick, &invoke(lts)).unwrap();
            }
            writer.close(10, &tick).unwrap();
            let (records, ending) = read(dir.path());
            assert_eq!((records.len() as u64, ending), (seen + 1_001, Ending::Closed));
            assert_eq!(
                records[usize::try_from(seen).unwrap()].what,
                What::Resumed { records: seen }
            );
        }
    }
}

#[test]
fn the_log_of_another_plan_is_not_resumed() {
    let dir = tempfile::tempdir().unwrap();
    write_all(dir.path(), 5, |n| n);
    let other = Header { plan: 1, ..header() };
    let error = Writer::resume(dir.path(), other, SMALL, &mut |_| ())
        .err()
        .unwrap();
    assert!(
        matches!(error, LogError::OtherRun { plan: 0xfeed, .. }),
        "{error}"
    );
    assert!(matches!(
        Writer::create(dir.path(), header(), SMALL),
        Err(LogError::Exists { .. })
    ));
}

#[test]
fn a_ring_forgets_its_oldest_segments_and_says_how_much() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits {
        segment_bytes: 128 << 10,
        bytes_max: 512 << 10,
    };
    let writer = write(dir.path(), limits, 20_000, |n| n);
    let bytes: u64 = fs::read_dir(dir.path())
        .unwrap()
        .map(|f| f.unwrap().metadata().unwrap().len())
        .sum();
    assert!(bytes <= limits.bytes_max, "{bytes}");
    let forgotten = writer.forgotten();
    writer.close(0, &after(40_000)).unwrap();
    let reader = Reader::open(dir.path()).unwrap();
    let said = reader.forgotten().unwrap();
    assert_eq!(said.records, forgotten);
    assert!(said.records > 20_000 && said.upto_tick == said.records);
    let (records, ending) = read(dir.path());
    assert_eq!(
        (records.len() as u64, ending),
        (40_001 - forgotten, Ending::Closed)
    );
}

#[test]
fn two_logs_of_the_same_events_differ_in_times_only() {
    let (a, b, c) = (
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
    );
    write_all(a.path(), 5_000, |n| n * 17);
    write_all(b.path(), 5_000, |n| n * n + 3);
    write_all(c.path(), 4_999, |n| n);
    let raw = |d: &Path| fs::read(d.join("00000001.seg")).unwrap();
    assert_ne!(raw(a.path()), raw(b.path()));
    assert_eq!(masked(a.path()).unwrap(), masked(b.path()).unwrap());
    assert_ne!(masked(a.path()).unwrap(), masked(c.path()).unwrap());
}

#[test]
fn many_threads_share_one_writer() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, tick) = (Writer::create(dir.path(), header(), SMALL).unwrap(), after(0));
    std::thread::scope(|scope| {
        for session in 1..=4u16 {
            let (writer, tick) = (&writer, &tick);
            scope.spawn(move || {
                for n in 0..2_000u64 {
                    writer.append(SessionId(session), n, tick, &invoke(n)).unwrap();
                }
            });
        }
    });
    writer.close(0, &tick).unwrap();
    let (records, ending) = read(dir.path());
    assert_eq!(ending, Ending::Closed);
    for session in 1..=4u16 {
        let mine = records.iter().filter(|r| r.session == SessionId(session));
        assert!(mine.map(|r| r.ns).eq(0..2_000), "session {session} in its order");
    }
}

#[test]
fn a_full_disk_is_told_a_segment_before_it_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let writer = write(dir.path(), SMALL, 10, |n| n);
    assert!(!writer.is_full());
    // A folder in the place of the next segments: they cannot be made, as on a full disk.
    fs::create_dir(dir.path().join("00000003.seg")).unwrap();
    let (mut appended, mut told) = (20, 0);
    let tick = after(20);
    let error = loop {
        match writer.append(SessionId(1), 0, &tick, &invoke(1)) {
            Ok(_) => appended += 1,
            Err(error) => break error,
        }
        told += u32::from(writer.is_full());
    };
    assert!(matches!(error, LogError::Io { .. }), "{error}");
    assert!(appended > 6_000, "{appended}");
    assert!(
        (3_000..3_300).contains(&told),
        "{told} records of room after it was told"
    );
    assert_eq!(read(dir.path()).0.len(), appended, "what was appended is there");
}

#[test]
fn text_is_cut_at_a_character() {
    let long = "é".repeat(4_000);
    let dir = tempfile::tempdir().unwrap();
    let writer = Writer::create(dir.path(), header(), SMALL).unwrap();
    let tick = after(0);
    writer
        .append(SessionId(1), 0, &tick, &What::Note { text: long.clone() })
        .unwrap();
    writer.close(0, &tick).unwrap();
    let (records, _) = read(dir.path());
    assert_eq!(
        records[0].what,
        What::Note {
            text: long[..4_096].to_owned()
        }
    );
}

fn text() -> impl Strategy<Value = String> {
    "\\PC{0,40}"
}

fn what() -> impl Strategy<Value = What> {
    let outcome = prop_oneof![
        Just(Outcome::Committed),
        Just(Outcome::Rejected),
        Just(Outcome::Unknown)
    ];
    let fate = prop_oneof![
        Just(Fate::Committed),
        Just(Fate::Rejected),
        Just(Fate::Alike),
        Just(Fate::Open)
    ];
    let when = prop_oneof![Just(When::BeforeSend), Just(When::AfterSend)];
    let address = (any::<u64>(), any::<u8>(), any::<u16>());
    let address = address.prop_map(|(lts, attempt, step)| Address {
        lts: Lts(lts),
        attempt,
        step,
    });
    prop_oneof![
        any::<(u64, u8, u64)>().prop_map(|(lts, attempt, digest)| What::Invoke {
            lts: Lts(lts),
            attempt,
            digest
        }),
        (
            any::<(u64, u8, u16, u64)>(),
            outcome,
            prop::option::of(0..u64::MAX)
        )
            .prop_map(
                |((lts, attempt, statements, sent), outcome, end)| What::Complete {
                    lts: Lts(lts),
                    attempt,
                    outcome,
                    end_sent: end.map(Tick),
                    statements,
                    sent
                }
            ),
        any::<u64>().prop_map(|lts| What::Skipped { lts: Lts(lts) }),
        any::<(u64, u16, u64, u32)>().prop_map(|(lts, table, position, rows)| What::Probe {
            lts: Lts(lts),
            part: Part { table, position },
            rows
        }),
        (any::<u64>(), fate).prop_map(|(lts, fate)| What::Settled { lts: Lts(lts), fate }),
        (address, when, text(), text()).prop_map(|(at, when, name, detail)| What::Fault {
            at,
            when,
            name,
            detail
        }),
        (text(), text()).prop_map(|(identity, incarnation)| What::Connected {
            identity,
            incarnation
        }),
        text().prop_map(|why| What::Disconnected { why }),
        text().prop_map(|text| What::Note { text }),
        any::<u64>().prop_map(|records| What::Resumed { records }),
        any::<u64>().prop_map(|records| What::Closed { records }),
    ]
}

proptest! {
    #[test]
    fn encode_and_decode_are_inverse(tick: u64, ns: u64, session: u16, what in what()) {
        let record = Record { tick: Tick(tick), ns, session: SessionId(session), what };
        let mut bytes = Vec::new();
        record::encode(ns, record.session, &record.what, &mut bytes);
        record::seal(&mut bytes, record.tick);
        prop_assert_eq!(usize::from(u16::from_le_bytes([bytes[0], bytes[1]])), bytes.len());
        prop_assert_eq!(Record::decode(&bytes), Some(record));
        for cut in 0..bytes.len() {
            prop_assert_eq!(Record::decode(&bytes[..cut]), None);
        }
    }
}
