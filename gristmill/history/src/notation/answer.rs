//! Answers as text.

use super::NotationError;
use super::scan::{Scan, Scanned, joined, quote};
use crate::{Address, Answer, Answered, Lts, Reason, ReasonKind, Rows, SessionId, Span, Tick};
use datagen::value::Value;
use std::fmt;
use std::str::FromStr;

const REASONS: [(ReasonKind, &str); 11] = [
    (ReasonKind::Duplicate, "duplicate"),
    (ReasonKind::Serialization, "serialization"),
    (ReasonKind::Deadlock, "deadlock"),
    (ReasonKind::Busy, "busy"),
    (ReasonKind::Cancelled, "cancelled"),
    (ReasonKind::Deadline, "deadline"),
    (ReasonKind::Disconnected, "disconnected"),
    (ReasonKind::Unavailable, "unavailable"),
    (ReasonKind::RolledBack, "rolled-back"),
    (ReasonKind::InFailedTransaction, "in-failed-transaction"),
    (ReasonKind::Other, "other"),
];

impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = |s: Span| format!("{}..{}", s.sent.0, s.answered.0);
        let (statement, snapshot) = (span(self.span), span(self.snapshot));
        write!(
            f,
            "{} {} {statement} in {snapshot}: {}",
            self.session, self.address, self.answer
        )
    }
}

impl FromStr for Answered {
    type Err = NotationError;

    fn from_str(text: &str) -> Result<Answered, NotationError> {
        let scan = &mut Scan::new(text.trim());
        scan.expect("s")?;
        let session = SessionId(scan.number()?);
        scan.expect(" ")?;
        let address = address(scan)?;
        scan.expect(" ")?;
        let statement = span(scan)?;
        scan.expect(" in ")?;
        let snapshot = span(scan)?;
        scan.expect(": ")?;
        let answer = answer(scan)?;
        scan.end()?;
        Ok(Answered {
            address,
            session,
            span: statement,
            snapshot,
            answer,
        })
    }
}

fn address(scan: &mut Scan<'_>) -> Scanned<Address> {
    let lts = Lts(scan.number()?);
    scan.expect(".")?;
    let attempt = scan.number()?;
    scan.expect(".")?;
    let step = if scan.eat("begin") {
        Address::BEGIN
    } else if scan.eat("end") {
        Address::END
    } else {
        scan.number()?
    };
    Ok(Address { lts, attempt, step })
}

fn span(scan: &mut Scan<'_>) -> Scanned<Span> {
    let sent = Tick(scan.number()?);
    scan.expect("..")?;
    Ok(Span {
        sent,
        answered: Tick(scan.number()?),
    })
}

impl fmt::Display for Answer {
    /// Rows that are no canonical encoding are shown as bytes: `(raw:…)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows(rows) => {
                f.write_str("rows")?;
                rows.iter().try_for_each(|row| write!(f, " ({})", row_text(row)))
            }
            Self::Affected(n) => write!(f, "affected {n}"),
            Self::Refused(reason) => write!(f, "refused {}", reason_text(reason)),
            Self::Unknown(reason) => write!(f, "unknown {}", reason_text(reason)),
        }
    }
}

impl FromStr for Answer {
    type Err = NotationError;

    fn from_str(text: &str) -> Result<Answer, NotationError> {
        let scan = &mut Scan::new(text.trim());
        let answer = answer(scan)?;
        scan.end()?;
        Ok(answer)
    }
}

fn answer(scan: &mut Scan<'_>) -> Scanned<Answer> {
    if scan.eat("rows") {
        let mut rows = Rows::default();
        while scan.eat(" (") {
            row(scan, &mut rows.bytes)?;
            scan.expect(")")?;
            rows.end_row();
        }
        return Ok(Answer::Rows(rows));
    }
    if scan.eat("affected ") {
        return Ok(Answer::Affected(scan.number()?));
    }
    if scan.eat("refused ") {
        return Ok(Answer::Refused(reason(scan)?));
    }
    if scan.eat("unknown ") {
        return Ok(Answer::Unknown(reason(scan)?));
    }
    scan.fail("rows, affected, refused or unknown")
}

fn reason_text(reason: &Reason) -> String {
    let name = REASONS
        .iter()
        .find(|(kind, _)| *kind == reason.kind)
        .expect("every kind has a name")
        .1;
    format!("{name} {} {}", quote(&reason.code), quote(&reason.text))
}

fn reason(scan: &mut Scan<'_>) -> Scanned<Reason> {
    let word = scan.word()?;
    let Some((kind, _)) = REASONS.iter().find(|(_, name)| *name == word) else {
        return scan.fail("a reason before it");
    };
    scan.expect(" ")?;
    let code = scan.quoted()?;
    scan.expect(" ")?;
    Ok(Reason {
        kind: *kind,
        code,
        text: scan.quoted()?,
    })
}

/// The cells of a row, decoded; or its bytes, where they are no encoding.
pub(super) fn row_text(row: &[u8]) -> String {
    let mut rest = row;
    let mut values = Vec::new();
    while !rest.is_empty() {
        match Value::decode(&mut rest) {
            Ok(value) => values.push(value),
            Err(_) => return format!("raw:{}", hex(row)),
        }
    }
    joined(&values, value_text)
}

fn row(scan: &mut Scan<'_>, out: &mut Vec<u8>) -> Scanned<()> {
    if scan.eat("raw:") {
        out.extend(unhex(scan)?);
    } else if !scan.peek(")") {
        scan.list(value)?.iter().for_each(|value| value.encode(out));
    }
    Ok(())
}

/// A value, exactly: unlike its `Display`, which is for people, it tells the types apart.
fn value_text(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Int(n) => n.to_string(),
        Value::Float32(x) => format!("f32:{x:?}"),
        Value::Float64(x) => format!("f64:{x:?}"),
        Value::Numeric(unscaled, scale) => format!("n:{unscaled}/{scale}"),
        Value::Text(text) => quote(text),
        Value::Bytes(bytes) => format!("x'{}'", hex(bytes)),
        Value::Uuid(bytes) => format!("u'{}'", hex(bytes)),
        Value::Date(days) => format!("d:{days}"),
        Value::Time(us) => format!("t:{us}"),
        Value::Timestamp(us) => format!("ts:{us}"),
        Value::TimestampTz(us) => format!("tz:{us}"),
        Value::Composite(parts) => format!("[{}]", joined(parts, value_text)),
    }
}

fn value(scan: &mut Scan<'_>) -> Scanned<Value> {
    if scan.peek("'") {
        return Ok(Value::Text(scan.quoted()?.into()));
    }
    if scan.eat("[") {
        let parts = if scan.peek("]") {
            Vec::new()
        } else {
            scan.list(value)?
        };
        scan.expect("]")?;
        return Ok(Value::Composite(parts.into()));
    }
    if scan.eat("x'") {
        let bytes = unhex(scan)?;
        scan.expect("'")?;
        return Ok(Value::Bytes(bytes.into()));
    }
    if scan.eat("u'") {
        let bytes = unhex(scan)?;
        scan.expect("'")?;
        return match bytes.try_into() {
            Ok(bytes) => Ok(Value::Uuid(bytes)),
            Err(_) => scan.fail("sixteen bytes before it"),
        };
    }
    if scan.eat("f32:") {
        return float(scan).map(Value::Float32);
    }
    if scan.eat("f64:") {
        return float(scan).map(Value::Float64);
    }
    if scan.eat("n:") {
        let unscaled = scan.number()?;
        scan.expect("/")?;
        return Ok(Value::Numeric(unscaled, scan.number()?));
    }
    if scan.eat("null") {
        return Ok(Value::Null);
    }
    for truth in [true, false] {
        if scan.eat(if truth { "true" } else { "false" }) {
            return Ok(Value::Bool(truth));
        }
    }
    if scan.eat("d:") {
        return Ok(Value::Date(scan.number()?));
    }
    if scan.eat("ts:") {
        return Ok(Value::Timestamp(scan.number()?));
    }
    if scan.eat("tz:") {
        return Ok(Value::TimestampTz(scan.number()?));
    }
    if scan.eat("t:") {
        return Ok(Value::Time(scan.number()?));
    }
    scan.number().map(Value::Int)
}

fn float<T: FromStr>(scan: &mut Scan<'_>) -> Scanned<T> {
    let run = scan.run("a float", |c| {
        c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+')
    })?;
    run.parse().or_else(|_| scan.fail("a float before it"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(scan: &mut Scan<'_>) -> Scanned<Vec<u8>> {
    if scan.peek("'") || scan.peek(")") {
        return Ok(Vec::new());
    }
    let digits = scan.run("hexadecimal digits", |c| c.is_ascii_hexdigit())?;
    if digits.len() % 2 == 1 {
        return scan.fail("an even number of digits before it");
    }
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("two hexadecimal digits");
    Ok((0..digits.len()).step_by(2).map(byte).collect())
}
