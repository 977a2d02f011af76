//! One answer as bytes. Integers little-endian; texts and lists preceded by a u32 length.

use history::{Address, Answer, Answered, Lts, Reason, ReasonKind, Rows, SessionId, Span, Tick};

/// Appends the answer as a record: length, checksum, body. Inverse of [`unframe_all`].
pub(super) fn frame(answered: &Answered, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 8]);
    encode(answered, out);
    let length = u32::try_from(out.len() - start - 8).expect("an answer stays below 4 GiB");
    let crc = crc32c::crc32c(&out[start + 8..]);
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
}

/// Appends every record's answer, up to the end mark or the first damage; `false` if it was damage.
pub(super) fn unframe_all(mut bytes: &[u8], answers: &mut Vec<Answered>) -> bool {
    loop {
        let Some((length, rest)) = bytes.split_first_chunk::<4>() else {
            return bytes.is_empty();
        };
        let length = u32::from_le_bytes(*length) as usize;
        if length == 0 {
            return true;
        }
        let Some((crc, rest)) = rest.split_first_chunk::<4>() else {
            return false;
        };
        let Some((body, rest)) = rest.split_at_checked(length) else {
            return false;
        };
        if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
            return false;
        }
        let Some(answered) = decode(body) else {
            return false;
        };
        answers.push(answered);
        bytes = rest;
    }
}

fn encode(a: &Answered, out: &mut Vec<u8>) {
    for n in [
        a.address.lts.0,
        a.span.sent.0,
        a.span.answered.0,
        a.snapshot.sent.0,
        a.snapshot.answered.0,
    ] {
        out.extend_from_slice(&n.to_le_bytes());
    }
    out.extend_from_slice(&a.address.step.to_le_bytes());
    out.extend_from_slice(&a.session.0.to_le_bytes());
    out.push(a.address.attempt);
    match &a.answer {
        Answer::Rows(rows) => {
            out.push(0);
            put_bytes(out, &rows.bytes);
            out.extend_from_slice(&length(rows.ends.len()));
            let from = out.len();
            out.resize(from + 4 * rows.ends.len(), 0);
            for (place, end) in out[from..].chunks_exact_mut(4).zip(&rows.ends) {
                place.copy_from_slice(&end.to_le_bytes());
            }
        }
        Answer::Affected(n) => {
            out.push(1);
            out.extend_from_slice(&n.to_le_bytes());
        }
        Answer::Refused(reason) => {
            out.push(2);
            put_reason(out, reason);
        }
        Answer::Unknown(reason) => {
            out.push(3);
            put_reason(out, reason);
        }
    }
}

fn decode(bytes: &[u8]) -> Option<Answered> {
    let mut take = Take(bytes);
    let lts = Lts(take.u64()?);
    let span = Span {
        sent: Tick(take.u64()?),
        answered: Tick(take.u64()?),
    };
    let snapshot = Span {
        sent: Tick(take.u64()?),
        answered: Tick(take.u64()?),
    };
    let step = u16::from_le_bytes(take.chunk()?);
    let session = SessionId(u16::from_le_bytes(take.chunk()?));
    let [attempt] = take.chunk()?;
    let answer = match take.chunk()? {
        [0] => {
            let bytes = take.bytes()?.to_vec();
            let count = take.u32()?;
            let ends = (0..count).map(|_| take.u32()).collect::<Option<Vec<u32>>>()?;
            Answer::Rows(Rows { bytes, ends })
        }
        [1] => Answer::Affected(take.u64()?),
        [2] => Answer::Refused(take.reason()?),
        [3] => Answer::Unknown(take.reason()?),
        _ => return None,
    };
    take.0.is_empty().then_some(Answered {
        address: Address { lts, attempt, step },
        session,
        span,
        snapshot,
        answer,
    })
}

fn length(n: usize) -> [u8; 4] {
    u32::try_from(n)
        .expect("an answer stays below 4 GiB")
        .to_le_bytes()
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&length(bytes.len()));
    out.extend_from_slice(bytes);
}

fn put_reason(out: &mut Vec<u8>, reason: &Reason) {
    let kind = KINDS
        .iter()
        .position(|k| *k == reason.kind)
        .expect("KINDS lists every kind");
    out.push(u8::try_from(kind).expect("few kinds"));
    put_bytes(out, reason.code.as_bytes());
    put_bytes(out, reason.text.as_bytes());
}

/// Kinds by their number on disk: new ones are added at the end.
const KINDS: [ReasonKind; 11] = [
    ReasonKind::Duplicate,
    ReasonKind::Serialization,
    ReasonKind::Deadlock,
    ReasonKind::Busy,
    ReasonKind::Cancelled,
    ReasonKind::Deadline,
    ReasonKind::Disconnected,
    ReasonKind::Unavailable,
    ReasonKind::RolledBack,
    ReasonKind::InFailedTransaction,
    ReasonKind::Other,
];

struct Take<'a>(&'a [u8]);

impl<'a> Take<'a> {
    fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn u32(&mut self) -> Option<u32> {
        self.chunk().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.chunk().map(u64::from_le_bytes)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()? as usize;
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }

    fn text(&mut self) -> Option<String> {
        Some(std::str::from_utf8(self.bytes()?).ok()?.to_owned())
    }

    fn reason(&mut self) -> Option<Reason> {
        let [kind] = self.chunk()?;
        Some(Reason {
            kind: *KINDS.get(usize::from(kind))?,
            code: self.text()?,
            text: self.text()?,
        })
    }
}
