//! The museum: bytes as each version of each format wrote them, kept for ever.
//!
//! Files lie in `museum/`, as hexadecimal text. Every exhibit must be readable by today's program, and what today's
//! program writes must be the newest exhibit byte for byte: a change of layout needs a new format number, and a new
//! file (`UPDATE_EXPECT=1` writes it). An old file is never changed.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use crate::format::{Columns, PartView, UpdateRef, blocks};
use crate::ids::{CriticalId, ReaderId, SeqNo, ShardId, Token, WriterId};
use crate::state::codec::{decode_diff, decode_rollup, encode_diff, encode_rollup};
use crate::state::diff::StateDiff;
use crate::state::{
    BatchMeta, CriticalReader, Description, LeasedReader, Part, PartBody, PartStats, RollupRef, State,
    WriterState,
};
use crate::time::Frontier;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("museum")
        .join(name)
}

/// The bytes of an exhibit.
pub(crate) fn exhibit(name: &str) -> Bytes {
    let text = std::fs::read_to_string(path(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// What is written today is the newest exhibit.
pub(crate) fn is_newest(name: &str, bytes: &[u8]) {
    let mut text = String::new();
    for line in bytes.chunks(32) {
        line.iter().for_each(|byte| write!(text, "{byte:02x}").unwrap());
        text.push('\n');
    }
    expect_test::expect_file![path(name)].assert_eq(&text);
}

const PLAIN: [(&str, u64, i64); 3] = [("apple", 3, 1), ("apple", 7, -1), ("fig", 3, 2)];
const ALIKE: [(&str, u64, i64); 3] = [("aaaa", 9, 1), ("bbbb", 9, 1), ("cccc", 9, 1)];

fn part(updates: &[(&str, u64, i64)]) -> Bytes {
    columns(updates).encode()
}

fn columns(updates: &[(&str, u64, i64)]) -> Columns {
    let mut columns = Columns::default();
    for (row, time, diff) in updates {
        columns.push(UpdateRef {
            row: row.as_bytes(),
            time: *time,
            diff: *diff,
        });
    }
    columns
}

#[test]
fn parts_of_every_format_are_read() {
    for (name, wanted) in [("part-v1.hex", PLAIN), ("part-v1-alike.hex", ALIKE)] {
        is_newest(name, &part(&wanted));
        let view = PartView::decode(exhibit(name)).unwrap();
        let found: Vec<_> = (0..view.len())
            .map(|at| view.get(at))
            .map(|u| (std::str::from_utf8(u.row).unwrap(), u.time, u.diff))
            .collect();
        assert_eq!(found, wanted, "{name}");
    }
    // Of several blocks.
    is_newest("part-v3.hex", &blocks::encode(&columns(&PLAIN), 40));
    for name in ["part-v2.hex", "part-v3.hex"] {
        let part = exhibit(name);
        let views = blocks::decode(&part, crc32c::crc32c(&part)).unwrap();
        assert_eq!(views.len(), 2, "{name}");
        let found: Vec<_> = views
            .iter()
            .flat_map(|view| (0..view.len()).map(|at| view.get(at)))
            .map(|u| (std::str::from_utf8(u.row).unwrap(), u.time, u.diff))
            .collect();
        assert_eq!(found, PLAIN, "{name}");
        let (_, table) = blocks::table(&part, part.len() as u64).unwrap();
        assert_eq!(table.len(), 2, "{name}");
    }
}

fn seqno(number: u64) -> SeqNo {
    SeqNo::new(number).unwrap()
}

/// A state with something in every field.
fn state() -> State {
    let mut state = State::empty(ShardId::from_bits(0x51), "text");
    state.seqno = seqno(41);
    state.walltime_ms = 1_700_000_000_000;
    state.hostname = "mill/7".to_owned();
    state.last_gc_req = seqno(30);
    state.since = Frontier::At(5);
    let rollup = RollupRef {
        key: "s51/v30/r".to_owned(),
        encoded_bytes: 512,
    };
    state.rollups.insert(seqno(30), rollup);
    let reader = LeasedReader {
        seqno: seqno(40),
        since: Frontier::At(5),
        last_heartbeat_ms: 1_699_999_999_000,
        lease_ms: 900_000,
        debug: "mill/7 view".to_owned(),
    };
    state.leased.insert(ReaderId::from_bits(0x52), reader);
    let hold = CriticalReader {
        since: Frontier::At(6),
        opaque: 3,
        debug: "controller".to_owned(),
    };
    state.critical.insert(CriticalId::from_bits(0x53), hold);
    let writer = WriterState {
        token: Token::from_bits(0x54),
        upper: Frontier::At(10),
        last_heartbeat_ms: 1_699_999_999_500,
        lease_ms: 3_600_000,
        debug: "mill/7 load".to_owned(),
    };
    state.writers.insert(WriterId::from_bits(0x55), writer);
    let stored = Part {
        body: PartBody::Blob {
            key: "s51/p/1".to_owned(),
            crc: 0xdead_beef,
        },
        encoded_bytes: 5000,
        decoded_bytes: 5000,
        stats: Some(PartStats {
            len: 3,
            diff_sum: 2,
            time_min: 3,
            time_max: 7,
            row_min: b"apple".to_vec(),
            row_max: Some(b"fig".to_vec()),
        }),
        len: 3,
    };
    let inline = Part {
        body: PartBody::Inline(part(&ALIKE)),
        encoded_bytes: 60,
        decoded_bytes: 60,
        stats: None,
        len: 3,
    };
    for (lower, upper, part) in [(0, 8, stored), (8, 10, inline)] {
        let desc = Description {
            lower: Frontier::At(lower),
            upper: Frontier::At(upper),
            since: Frontier::MIN,
        };
        let batch = BatchMeta {
            desc,
            runs: vec![vec![part]],
            len: 3,
        };
        state.batches.insert(desc.lower, Arc::new(batch));
    }
    state
}

/// The version after [`state`]: closed, a reader gone, a rollup more.
fn next() -> State {
    let mut next = state();
    next.seqno = seqno(42);
    next.walltime_ms += 1;
    next.leased = BTreeMap::new();
    let rollup = RollupRef {
        key: "s51/v41/r".to_owned(),
        encoded_bytes: 600,
    };
    next.rollups.insert(seqno(41), rollup);
    let desc = Description {
        lower: Frontier::At(10),
        upper: Frontier::Closed,
        since: Frontier::At(5),
    };
    let batch = BatchMeta {
        desc,
        runs: vec![],
        len: 0,
    };
    next.batches.insert(desc.lower, Arc::new(batch));
    next
}

#[test]
fn states_of_every_format_are_read() {
    is_newest("rollup-v1.hex", &encode_rollup(&state()));
    assert_eq!(decode_rollup(&exhibit("rollup-v1.hex")), Ok(state()));
    is_newest(
        "diff-v1.hex",
        &encode_diff(&StateDiff::between(&state(), &next())),
    );
    let diff = decode_diff(&exhibit("diff-v1.hex")).unwrap();
    let mut applied = state();
    diff.apply(&mut applied).unwrap();
    assert_eq!(applied, next());
}
