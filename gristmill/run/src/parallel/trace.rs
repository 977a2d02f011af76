//! The trace of a parallel run: every statement with its exact bytes, its footprint and what came back, in one order. Who has
//! it can judge the run again, send it again, and make it smaller, without drawing anything.
//!
//! ```text
//!   TRACE/trace       records: length (u32), CRC-32C of the body (u32), body (postcard), one after another
//!   TRACE/queries.log one line a statement, for people: `tail -f`
//! ```
//!
//! Invariants:
//! * E1 a statement is in the file before it leaves, its answer before the session's next statement (A5): records are handed
//!   to the operating system one by one, so the death of this process loses none.
//! * E2 a record that was cut by a death is the last one, and is left out when the trace is read.

use crate::RunError;
use history::artefact::Folder;
use history::parallel::{Answer, At, Fault, Op, Said, Seen, TxState};
use history::verdict::Sent;
use history::{SessionId, Tick};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Version of the format that this code writes, and the only one that it reads: ops of another have other numbers.
pub(crate) const FORMAT: u32 = 2;

/// The file of records.
pub(crate) const TRACE: &str = "trace";
/// The file for people.
pub(crate) const QUERIES: &str = "queries.log";

/// The longest record.
const RECORD_MAX: u32 = 64 << 20;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Record<'a> {
    /// The first.
    Head {
        /// [`FORMAT`].
        format: u32,
        /// Digest of the plan.
        plan: u64,
    },
    /// A session has connected.
    Opened {
        /// Who.
        session: SessionId,
        /// Which of its connections, from 1.
        incarnation: u32,
        /// When.
        tick: Tick,
        /// The server's name for it.
        process: u64,
    },
    /// The server has forgotten a session, or nobody can say so within the limit.
    Gone {
        /// Who.
        session: SessionId,
        /// Which of its connections.
        incarnation: u32,
        /// When.
        tick: Tick,
        /// Whether the server said so.
        seen: bool,
    },
    /// A statement is about to leave.
    Sent {
        /// When.
        tick: Tick,
        /// Nanoseconds since the run began.
        ns: u64,
        /// What it is and does.
        op: Cow<'a, Op>,
        /// Its bytes.
        sql: Cow<'a, str>,
        /// What follows where the server asks for rows.
        copy: Option<Cow<'a, [u8]>>,
    },
    /// What came back. Rows are left to their digest.
    Answered {
        /// Of which statement.
        at: At,
        /// When.
        tick: Tick,
        /// Nanoseconds since the run began.
        ns: u64,
        /// What.
        answer: Answer,
    },
    /// Something is about to be done to a session or the server on purpose.
    Fault {
        /// When.
        tick: Tick,
        /// What.
        fault: Fault,
        /// Why: a deadline, a scenario.
        why: String,
    },
    /// The catalogue was read while nobody did anything.
    Quiet {
        /// Before it was asked.
        sent: Tick,
        /// After it was answered.
        answered: Tick,
        /// What it shows.
        seen: Seen,
    },
}

/// Writes the two files.
pub(crate) struct Trace {
    files: Mutex<Files>,
    full: AtomicBool,
}

struct Files {
    records: File,
    queries: File,
    bytes: u64,
    most: u64,
}

impl Trace {
    /// Begins a trace in a folder that has none. `most`: bytes beyond which it says that it is full.
    pub(crate) fn create(folder: &Folder, plan: u64, most: u64) -> Result<Trace, RunError> {
        let create = |name: &str| {
            let path = folder.path().join(name);
            File::create(&path).map_err(|e| RunError::io(path.display().to_string(), e))
        };
        let trace = Trace {
            files: Mutex::new(Files {
                records: create(TRACE)?,
                queries: create(QUERIES)?,
                bytes: 0,
                most,
            }),
            full: AtomicBool::new(false),
        };
        trace.write(&Record::Head { format: FORMAT, plan }, None)?;
        Ok(trace)
    }

    /// Appends a record, and a line for people. When this returns both are the operating system's.
    pub(crate) fn write(&self, record: &Record<'_>, line: Option<&str>) -> Result<(), RunError> {
        let bytes = encode(record);
        let mut files = self.files.lock();
        let wrote = |e| RunError::io("the trace of the run", e);
        files.records.write_all(&bytes).map_err(wrote)?;
        if let Some(line) = line {
            files.queries.write_all(line.as_bytes()).map_err(wrote)?;
        }
        files.bytes += (bytes.len() + line.map_or(0, str::len)) as u64;
        if files.bytes > files.most {
            self.full.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Whether it has all the bytes that the plan gives it.
    pub(crate) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }
}

fn encode(record: &Record<'_>) -> Vec<u8> {
    let body = postcard::to_stdvec(record).expect("a record is plain data");
    let mut bytes = Vec::with_capacity(8 + body.len());
    bytes.extend_from_slice(
        &u32::try_from(body.len())
            .expect("a record is small")
            .to_le_bytes(),
    );
    bytes.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

/// Writes a trace of records that are there already.
pub(crate) fn write_all<'r>(
    folder: &Path,
    plan: u64,
    records: impl Iterator<Item = Record<'r>>,
) -> Result<(), RunError> {
    let head = Record::Head { format: FORMAT, plan };
    let bytes: Vec<u8> = std::iter::once(head)
        .chain(records)
        .flat_map(|record| encode(&record))
        .collect();
    let path = folder.join(TRACE);
    std::fs::write(&path, bytes).map_err(|e| RunError::io(path.display().to_string(), e))
}

/// Why a trace cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// There is none.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It was written by another gristmill, or is something else.
    #[error("{} is no trace that this gristmill reads (it reads format {FORMAT}: run the recorded plan again)", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
}

/// Reads every whole record of a trace, the head first.
pub(crate) fn read(folder: &Path) -> Result<Vec<Record<'static>>, TraceError> {
    let path = folder.join(TRACE);
    let bytes = std::fs::read(&path).map_err(|source| TraceError::Io {
        path: path.clone(),
        source,
    })?;
    let records = decode(&bytes);
    match records.first() {
        Some(Record::Head { format, .. }) if *format == FORMAT => Ok(records),
        _ => Err(TraceError::Foreign { path }),
    }
}

/// Whole records from the front; whatever is cut or damaged ends them.
fn decode(mut bytes: &[u8]) -> Vec<Record<'static>> {
    let mut records = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<8>() {
        let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (length, sum) = (number(0), number(4));
        let Some(body) = rest.get(..length as usize).filter(|_| length <= RECORD_MAX) else {
            break;
        };
        if crc32c::crc32c(body) != sum {
            break;
        }
        let Ok(record) = postcard::from_bytes(body) else {
            break;
        };
        records.push(record);
        bytes = &rest[length as usize..];
    }
    records
}

/// Statements that had no answer when a trace ended, as a verdict shows them.
pub(crate) fn at_work(folder: &Path) -> Result<Vec<Sent>, TraceError> {
    let mut open: BTreeMap<At, Sent> = BTreeMap::new();
    for record in read(folder)? {
        match record {
            Record::Sent { op, sql, ns, .. } => {
                let sent = Sent {
                    session: op.at.session.0,
                    lts: op.at.op,
                    sql: sql.into_owned(),
                    outcome: "no answer".to_owned(),
                    sent_us: ns / 1000,
                    answered_us: ns / 1000,
                };
                open.insert(op.at, sent);
            }
            Record::Answered { at, .. } => {
                open.remove(&at);
            }
            _ => {}
        }
    }
    Ok(open.into_values().collect())
}

/// What is kept of an answer: all but its rows.
pub(crate) fn without_rows(answer: &Answer) -> Answer {
    let mut answer = answer.clone();
    if let Said::Done {
        rows: Some(table), ..
    } = &mut answer.said
    {
        table.whole = table.rows.is_empty();
        table.rows.clear();
    }
    answer
}

/// One line for people: when, who, how long, what came back, the statement.
pub(crate) fn line(at: At, sent_ns: u64, ns: u64, answer: &Answer, sql: &str) -> String {
    let said = match &answer.said {
        Said::Done {
            rows: Some(table), ..
        } => format!("{} rows {:016x}", table.count, table.digest),
        Said::Done { tag, affected, .. } if tag.is_empty() => format!("ok {}", affected.unwrap_or(0)),
        Said::Done { tag, .. } => format!("ok {tag}"),
        Said::Refused { code, text, .. } => format!("refused {code} {text}"),
        Said::Unknown { code, text } => format!("unknown {code} {text}"),
    };
    let state = match answer.state {
        TxState::Idle => ' ',
        TxState::Open => '+',
        TxState::Failed => '!',
    };
    let ms = sent_ns / 1_000_000;
    let flat = |text: &str| text.replace('\n', " ");
    format!(
        "{:>6}.{:03} {at}{state} {} us  {}  -- {}\n",
        ms / 1000,
        ms % 1000,
        ns.saturating_sub(sent_ns) / 1000,
        flat(sql),
        flat(&said),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use history::parallel::Table;

    fn records() -> Vec<Record<'static>> {
        let at = At {
            session: SessionId(3),
            op: 9,
        };
        let table = Table {
            columns: vec!["a".into()],
            rows: vec![vec![None], vec![Some("x\n".into())]],
            count: 2,
            digest: 7,
            whole: true,
        };
        let answer = Answer {
            said: Said::Done {
                tag: "SELECT 2".into(),
                affected: Some(2),
                rows: Some(table),
            },
            state: TxState::Open,
        };
        vec![
            Record::Head {
                format: FORMAT,
                plan: 5,
            },
            Record::Opened {
                session: SessionId(3),
                incarnation: 1,
                tick: Tick(4),
                process: 77,
            },
            Record::Answered {
                at,
                tick: Tick(6),
                ns: 1,
                answer,
            },
            Record::Fault {
                tick: Tick(8),
                fault: Fault::Cancel {
                    session: SessionId(3),
                },
                why: "deadline".into(),
            },
        ]
    }

    #[test]
    fn a_trace_comes_back_as_it_went_and_a_cut_one_without_its_last_record() {
        let bytes: Vec<u8> = records().iter().flat_map(encode).collect();
        assert_eq!(decode(&bytes), records());
        for cut in 1..20 {
            let mut shorter = records();
            shorter.pop();
            assert_eq!(decode(&bytes[..bytes.len() - cut]), shorter);
        }
    }

    /// What format 2 wrote for [`records`], kept: it must still open and say what it said then.
    const FORMAT_2: &str = "030000008887d072000205050000006d32d90a010301044d2100000047ae9e130403090601000853454c4543542032010201\
         010161020100010102780a020701010d0000003e5b0c5f0508000308646561646c696e65";

    #[test]
    fn a_trace_of_format_2_still_opens_and_says_what_it_said_then() {
        let bytes: Vec<u8> = (0..FORMAT_2.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&FORMAT_2[i..i + 2], 16).unwrap())
            .collect();
        assert_eq!(decode(&bytes), records());
    }

    #[test]
    fn a_line_for_people_is_one_line_and_an_answer_in_the_trace_has_no_rows() {
        let Record::Answered { at, answer, .. } = &records()[2] else {
            panic!("it is an answer")
        };
        let text = line(*at, 1_234_000_000, 1_234_500_000, answer, "SELECT\n1");
        assert_eq!(
            text,
            "     1.234 s3.9+ 500 us  SELECT 1  -- 2 rows 0000000000000007\n"
        );
        let bare = without_rows(answer);
        let Said::Done {
            rows: Some(table), ..
        } = bare.said
        else {
            panic!("it has rows")
        };
        assert_eq!((table.rows.len(), table.count, table.whole), (0, 2, false));
    }
}
