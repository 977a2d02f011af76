//! One record: what happened, and its bytes.
//!
//! ```text
//!  0  u16  length of the record; 0: nothing more in this block
//!  2  u8   kind
//!  3  u8   small number of the kind (attempt)
//!  4  u32  crc32c of the record without this field
//!  8  u64  nanoseconds since the run began      ← the only field in which two runs of one plan may differ
//! 16  u64  tick
//! 24  u16  session
//! 26       body of the kind; integers little-endian, text as u16 length and UTF-8
//! ```

use crate::{Address, Lts, Outcome, Part, SessionId, Tick};

/// Bytes before the body.
pub(super) const HEAD: usize = 26;
/// Where the nanoseconds stand.
pub(super) const NS: std::ops::Range<usize> = 8..16;
/// Where the tick stands.
const TICK: std::ops::Range<usize> = 16..24;
/// Where the checksum stands.
pub(super) const CRC: std::ops::Range<usize> = 4..8;
/// Longest text in a record; more is cut at a character.
pub(super) const TEXT_MAX: usize = 4096;

/// One event of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place in the order of the run, drawn by the writer.
    pub tick: Tick,
    /// Nanoseconds since the run began.
    pub ns: u64,
    /// Who did it. Session 0 is the run itself.
    pub session: SessionId,
    /// What happened.
    pub what: What,
}

/// Whether a fault came before or after the bytes of its statement were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Before.
    BeforeSend,
    /// After.
    AfterSend,
}

/// What a visit whose outcome was unknown turned out to be (F6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Its effects are there.
    Committed,
    /// They are not and never will be.
    Rejected,
    /// With or without it the database would look the same.
    Alike,
    /// It could not be settled within the limit; its partitions are retired.
    Open,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A visit begins: appended before its first byte is sent.
    Invoke {
        /// The visit.
        lts: Lts,
        /// Which try, from 0.
        attempt: u8,
        /// Digest of what was meant (`Visit::digest`), compared whenever the visit is regenerated (F4).
        digest: u64,
    },
    /// A visit ended. The tick of this record is the one after its last answer.
    Complete {
        /// The visit.
        lts: Lts,
        /// Which try.
        attempt: u8,
        /// What became of it.
        outcome: Outcome,
        /// The tick before its COMMIT or autocommit statement was sent; `None`: it never was.
        end_sent: Option<Tick>,
        /// Statements that were answered.
        statements: u16,
        /// Digest of the statements as sent, in order (F4).
        sent: u64,
    },
    /// A visit will not be done: one of its partitions is retired (F16).
    Skipped {
        /// The visit.
        lts: Lts,
    },
    /// The whole-partition read that settles an unknown visit (F6).
    Probe {
        /// The unknown visit.
        lts: Lts,
        /// The partition that was read.
        part: Part,
        /// Rows that came back; `u32::MAX`: the probe failed.
        rows: u32,
    },
    /// An unknown visit is settled.
    Settled {
        /// The visit.
        lts: Lts,
        /// As what.
        fate: Fate,
    },
    /// A fault was done to the database or to a connection.
    Fault {
        /// The statement that it is anchored to (F26).
        at: Address,
        /// Before or after that statement was sent.
        when: When,
        /// Its name, as in `--fault`.
        name: String,
        /// What exactly was done: which process, how long.
        detail: String,
    },
    /// A session got a connection.
    Connected {
        /// Who it is for the server (pid and start, connection id).
        identity: String,
        /// Which life of the server.
        incarnation: String,
    },
    /// A session lost its connection.
    Disconnected {
        /// Why, in the driver's words.
        why: String,
    },
    /// A worker took over this folder from one that died (F38).
    Resumed {
        /// Records that the one before had written.
        records: u64,
    },
    /// Anything a reader of the log should know.
    Note {
        /// In words.
        text: String,
    },
    /// The writer closed the log: nothing follows.
    Closed {
        /// Records before this one, forgotten ones included.
        records: u64,
    },
}

impl Record {
    /// Reads one record from its bytes, `bytes.len()` being the length that its first field names.
    /// `None`: not the bytes of a record (the checksum is not looked at).
    pub(super) fn decode(bytes: &[u8]) -> Option<Record> {
        let mut take = Take(bytes.get(8..)?);
        let ns = take.u64()?;
        let tick = Tick(take.u64()?);
        let session = SessionId(take.u16()?);
        let what = unbody(bytes[2], bytes[3], &mut take)?;
        take.0.is_empty().then_some(Record {
            tick,
            ns,
            session,
            what,
        })
    }
}

/// Appends the bytes of a record that has no tick yet: [`seal`] gives it one. Inverse, after that: [`Record::decode`].
/// Text longer than 4 KiB is cut.
pub(super) fn encode(ns: u64, session: SessionId, what: &What, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&ns.to_le_bytes());
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&session.0.to_le_bytes());
    let (kind, small) = body(what, out);
    let length = u16::try_from(out.len() - start).expect("two texts of 4 KiB fit in a record");
    out[start..start + 2].copy_from_slice(&length.to_le_bytes());
    out[start + 2] = kind;
    out[start + 3] = small;
}

/// Gives the record's bytes their tick, and then their checksum.
pub(super) fn seal(record: &mut [u8], tick: Tick) {
    record[TICK].copy_from_slice(&tick.0.to_le_bytes());
    let crc = checksum(record);
    record[CRC].copy_from_slice(&crc.to_le_bytes());
}

/// Checksum of a record's bytes without the checksum's own field.
pub(super) fn checksum(record: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&record[..CRC.start]), &record[CRC.end..])
}

fn body(what: &What, out: &mut Vec<u8>) -> (u8, u8) {
    match what {
        What::Invoke { lts, attempt, digest } => {
            put_u64(out, lts.0);
            put_u64(out, *digest);
            (1, *attempt)
        }
        What::Complete {
            lts,
            attempt,
            outcome,
            end_sent,
            statements,
            sent,
        } => {
            put_u64(out, lts.0);
            put_u64(out, end_sent.map_or(u64::MAX, |t| t.0));
            put_u64(out, *sent);
            out.extend_from_slice(&statements.to_le_bytes());
            out.push(match outcome {
                Outcome::Committed => 0,
                Outcome::Rejected => 1,
                Outcome::Unknown => 2,
            });
            (2, *attempt)
        }
        What::Skipped { lts } => {
            put_u64(out, lts.0);
            (3, 0)
        }
        What::Probe { lts, part, rows } => {
            put_u64(out, lts.0);
            put_u64(out, part.position);
            out.extend_from_slice(&part.table.to_le_bytes());
            out.extend_from_slice(&rows.to_le_bytes());
            (4, 0)
        }
        What::Settled { lts, fate } => {
            put_u64(out, lts.0);
            out.push(match fate {
                Fate::Committed => 0,
                Fate::Rejected => 1,
                Fate::Alike => 2,
                Fate::Open => 3,
            });
            (5, 0)
        }
        What::Fault {
            at,
            when,
            name,
            detail,
        } => {
            put_u64(out, at.lts.0);
            out.extend_from_slice(&at.step.to_le_bytes());
            out.push(match when {
                When::BeforeSend => 0,
                When::AfterSend => 1,
            });
            put_text(out, name);
            put_text(out, detail);
            (6, at.attempt)
        }
        What::Connected {
            identity,
            incarnation,
        } => {
            put_text(out, identity);
            put_text(out, incarnation);
            (7, 0)
        }
        What::Disconnected { why } => {
            put_text(out, why);
            (8, 0)
        }
        What::Resumed { records } => {
            put_u64(out, *records);
            (9, 0)
        }
        What::Note { text } => {
            put_text(out, text);
            (10, 0)
        }
        What::Closed { records } => {
            put_u64(out, *records);
            (11, 0)
        }
    }
}

fn unbody(kind: u8, small: u8, take: &mut Take<'_>) -> Option<What> {
    let what = match kind {
        1 => What::Invoke {
            lts: Lts(take.u64()?),
            digest: take.u64()?,
            attempt: small,
        },
        2 => {
            let lts = Lts(take.u64()?);
            let end = take.u64()?;
            What::Complete {
                lts,
                attempt: small,
                end_sent: (end != u64::MAX).then_some(Tick(end)),
                sent: take.u64()?,
                statements: take.u16()?,
                outcome: match take.u8()? {
                    0 => Outcome::Committed,
                    1 => Outcome::Rejected,
                    2 => Outcome::Unknown,
                    _ => return None,
                },
            }
        }
        3 => What::Skipped {
            lts: Lts(take.u64()?),
        },
        4 => {
            let (lts, position) = (Lts(take.u64()?), take.u64()?);
            What::Probe {
                lts,
                part: Part {
                    table: take.u16()?,
                    position,
                },
                rows: take.u32()?,
            }
        }
        5 => What::Settled {
            lts: Lts(take.u64()?),
            fate: match take.u8()? {
                0 => Fate::Committed,
                1 => Fate::Rejected,
                2 => Fate::Alike,
                3 => Fate::Open,
                _ => return None,
            },
        },
        6 => {
            let (lts, step) = (Lts(take.u64()?), take.u16()?);
            What::Fault {
                at: Address {
                    lts,
                    attempt: small,
                    step,
                },
                when: match take.u8()? {
                    0 => When::BeforeSend,
                    1 => When::AfterSend,
                    _ => return None,
                },
                name: take.text()?,
                detail: take.text()?,
            }
        }
        7 => What::Connected {
            identity: take.text()?,
            incarnation: take.text()?,
        },
        8 => What::Disconnected { why: take.text()? },
        9 => What::Resumed { records: take.u64()? },
        10 => What::Note { text: take.text()? },
        11 => What::Closed { records: take.u64()? },
        _ => return None,
    };
    Some(what)
}

fn put_u64(out: &mut Vec<u8>, n: u64) {
    out.extend_from_slice(&n.to_le_bytes());
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    let cut = &text[..text.floor_char_boundary(TEXT_MAX)];
    out.extend_from_slice(&u16::try_from(cut.len()).expect("TEXT_MAX fits").to_le_bytes());
    out.extend_from_slice(cut.as_bytes());
}

struct Take<'a>(&'a [u8]);

impl Take<'_> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn u8(&mut self) -> Option<u8> {
        self.bytes::<1>().map(|b| b[0])
    }

    fn u16(&mut self) -> Option<u16> {
        self.bytes().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::from(self.u16()?);
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(std::str::from_utf8(head).ok()?.to_owned())
    }
}
