//! Files that earlier versions wrote, in `museum/vN/`: each must still open and say what it said then.
//!
//! `GRISTMILL_MUSEUM=write cargo test -p gristmill-history museum` writes those of the present version into the museum, where
//! they are missing; it never replaces one. Bump the version, write, commit.

use crate::artefact::{Folder, VERSION};
use crate::log::{Ending, Fate, Header, Limits, Reader, Record, What, When, Writer};
use crate::tracker::TrackerFile;
use crate::{
    Address, Answered, Counts, Lts, Outcome, Part, SessionId, State, Status, Tick, Tracker, Verdict, Visit,
};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const VISITS: &str = "\
1: insert t0/17/5 c3=3 c4=null; delete t0/17[1:3..5) | commit
2@read-committed: savepoint 1; update t1/4/0 c2=9; rollback to 1; shared t1/4 c8=1 | rollback
3: read t0/17[2:..] select c3,c1 where c3>=7,c4 is-null order c1,-c2 limit 5 offset 1 | auto
";
const ANSWERS: &str = "\
s3 14.0.0 1011..1015 in 1009..1015: rows (5,'it''s',null) (n:-150/2,x'00ff',f64:-0.0)
s1 12.0.end 990..1020 in 990..1020: unknown disconnected '' 'connection closed'
";

fn museum(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("museum/v{version}"))
}

/// One record of every kind, in the order of their numbers in the format.
fn events() -> Vec<What> {
    let at = Address {
        lts: Lts(2),
        attempt: 1,
        step: Address::END,
    };
    vec![
        What::Invoke {
            lts: Lts(1),
            attempt: 0,
            digest: 0x0123_4567_89ab_cdef,
        },
        What::Complete {
            lts: Lts(1),
            attempt: 0,
            outcome: Outcome::Committed,
            end_sent: Some(Tick(1)),
            statements: 3,
            sent: 0xfedc_ba98_7654_3210,
        },
        What::Skipped { lts: Lts(3) },
        What::Probe {
            lts: Lts(2),
            part: Part {
                table: 1,
                position: 4,
            },
            rows: 7,
        },
        What::Settled {
            lts: Lts(2),
            fate: Fate::Rejected,
        },
        What::Fault {
            at,
            when: When::AfterSend,
            name: "cut-after-commit".into(),
            detail: "session 4".into(),
        },
        What::Connected {
            identity: "pid 4711".into(),
            incarnation: "2026-11-22 03:00:00+00".into(),
        },
        What::Disconnected {
            why: "reset by peer".into(),
        },
        What::Resumed { records: 8 },
        What::Note {
            text: "a pooler – said".into(),
        },
    ]
}

fn verdict() -> Verdict {
    Verdict {
        format: 1,
        status: Status::Unknown,
        interrupted: true,
        seed: "7b3f0c".into(),
        target: "reference:".into(),
        server: "reference 1".into(),
        settings: BTreeMap::from([("fsync".into(), "on".into())]),
        driver: "none".into(),
        gristmill: String::new(),
        types: BTreeMap::new(),
        setup: BTreeMap::from([("folder".into(), ".gristmill/7b3f0c".into())]),
        visits: BTreeMap::from([
            ("committed".into(), 1),
            ("rejected".into(), 1),
            ("skipped".into(), 1),
        ]),
        load_ms: 10,
        counts: Counts {
            answers: 4,
            ..Counts::default()
        },
        never_compared: vec!["read-join".into()],
        never_drawn: vec!["upsert".into()],
        left_out: vec!["NaN".into()],
        doubts: vec!["it is old".into()],
        causes: Vec::new(),
        faults: BTreeMap::new(),
        lies: BTreeMap::new(),
        idle_percent: 2,
        latency: BTreeMap::new(),
        statements: None,
    }
}

/// What a run of the present version would leave, as far as this crate writes it.
fn write(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    fs::write(
        folder.join("format"),
        format!("gristmill run, format {VERSION}\n"),
    )
    .unwrap();
    let folder = Folder::open(folder).unwrap();
    let ticks = Cell::new(0);
    let tick = || Tick(ticks.replace(ticks.get() + 1) + 1);
    let limits = Limits {
        segment_bytes: 64 << 10,
        bytes_max: 1 << 20,
    };
    let log = Writer::create(
        &folder.log(),
        Header {
            run: "7b3f0c".into(),
            plan: 0xfeed,
        },
        limits,
    )
    .unwrap();
    for (n, what) in events().iter().enumerate() {
        log.append(SessionId(1), n as u64 * 1_000, &tick, what).unwrap();
    }
    log.close(11_000, &tick).unwrap();
    let tracker = TrackerFile::create(&folder.tracker()).unwrap();
    tracker.begin(Lts(1), 0, SessionId(1));
    tracker.sent(Lts(1), Tick(1));
    tracker.end(Lts(1), Outcome::Committed, Tick(2));
    tracker.begin(Lts(2), 0, SessionId(1));
    tracker.sent(Lts(2), Tick(3));
    tracker.end(Lts(2), Outcome::Unknown, Tick(4));
    tracker.settle(Lts(2), Outcome::Rejected, Tick(5));
    tracker.skip(Lts(3));
    drop(tracker);
    // What was never used is zeros; it need not be kept.
    fs::OpenOptions::new()
        .write(true)
        .open(folder.tracker())
        .unwrap()
        .set_len(64)
        .unwrap();
    folder.write_verdict(&verdict()).unwrap();
    folder.write("visits.txt", VISITS.as_bytes()).unwrap();
    folder.write("answers.txt", ANSWERS.as_bytes()).unwrap();
}

/// Opening may grow a tracker, so what lies in the museum is copied first.
fn copied(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    fs::create_dir(to.path().join("log")).unwrap();
    for name in [
        "format",
        "tracker",
        "verdict.json",
        "visits.txt",
        "answers.txt",
        "log/00000001.seg",
    ] {
        fs::copy(from.join(name), to.path().join(name))
            .unwrap_or_else(|e| panic!("{}/{name}: {e}", from.display()));
    }
    to
}

#[test]
fn what_every_version_wrote_still_opens() {
    if std::env::var_os("GRISTMILL_MUSEUM").is_some() && !museum(VERSION).exists() {
        write(&museum(VERSION));
    }
    for version in 1..=VERSION {
        let copy = copied(&museum(version));
        let folder = Folder::open(copy.path()).unwrap();
        let mut log = Reader::open(&folder.log()).unwrap();
        assert_eq!(
            *log.header(),
            Header {
                run: "7b3f0c".into(),
                plan: 0xfeed
            }
        );
        let closed = What::Closed { records: 10 };
        let expected = events().into_iter().chain([closed]).enumerate().map(|(n, what)| {
            let session = SessionId(if n == 10 { 0 } else { 1 });
            let ns = if n == 10 { 11_000 } else { n as u64 * 1_000 };
            Record {
                tick: Tick(n as u64 + 1),
                ns,
                session,
                what,
            }
        });
        assert_eq!(
            log.by_ref().collect::<Vec<_>>(),
            expected.collect::<Vec<_>>(),
            "version {version}"
        );
        assert_eq!(log.ending(), Some(&Ending::Closed));
        let tracker = TrackerFile::open(&folder.tracker()).unwrap();
        let states = [1, 2, 3, 4].map(|lts| tracker.get(Lts(lts)).state);
        assert_eq!(
            states,
            [State::Committed, State::Rejected, State::Skipped, State::Waiting]
        );
        assert_eq!(
            (tracker.get(Lts(1)).visible_by, tracker.settled(Lts(2))),
            (Tick(2), Some(Tick(5)))
        );
        assert_eq!(folder.verdict().unwrap(), Some(verdict()));
        for line in fs::read_to_string(copy.path().join("visits.txt"))
            .unwrap()
            .lines()
        {
            assert_eq!(line.parse::<Visit>().unwrap().to_string(), line);
        }
        for line in fs::read_to_string(copy.path().join("answers.txt"))
            .unwrap()
            .lines()
        {
            assert_eq!(line.parse::<Answered>().unwrap().to_string(), line);
        }
    }
}

#[test]
fn the_present_version_writes_the_same_bytes_as_in_the_museum() {
    let now = tempfile::tempdir().unwrap();
    write(now.path());
    for name in [
        "format",
        "tracker",
        "verdict.json",
        "visits.txt",
        "answers.txt",
        "log/00000001.seg",
    ] {
        let (then, now) = (
            fs::read(museum(VERSION).join(name)).unwrap(),
            fs::read(now.path().join(name)).unwrap(),
        );
        assert!(
            then == now,
            "{name} is written in another way: is that a new version?"
        );
    }
}
