//! A value in words for people: `NULL`, `12`, `'it''s'`, `x'00ff'`, `2024-02-29 23:59:59.5`, `[1, 'a']`.
//!
//! For reports and tests. Dialects render their own SQL.

use std::fmt;

use super::{Value, ten_to};
use crate::calendar::{DAY_US, civil};

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("NULL"),
            Value::Bool(v) => write!(f, "{v}"),
            Value::Int(v) => write!(f, "{v}"),
            Value::Float32(v) => write!(f, "{v:?}"),
            Value::Float64(v) => write!(f, "{v:?}"),
            Value::Numeric(unscaled, scale) => numeric(f, *unscaled, *scale),
            Value::Text(v) => write!(f, "'{}'", v.replace('\'', "''")),
            Value::Bytes(v) => {
                f.write_str("x'")?;
                hex(f, v)?;
                f.write_str("'")
            }
            Value::Uuid(v) => {
                for (i, part) in [&v[..4], &v[4..6], &v[6..8], &v[8..10], &v[10..]]
                    .into_iter()
                    .enumerate()
                {
                    f.write_str(if i == 0 { "" } else { "-" })?;
                    hex(f, part)?;
                }
                Ok(())
            }
            Value::Date(v) => date(f, *v),
            Value::Time(v) => time(f, *v),
            Value::Timestamp(v) => timestamp(f, *v),
            Value::TimestampTz(v) => {
                timestamp(f, *v)?;
                f.write_str("Z")
            }
            Value::Composite(parts) => {
                f.write_str("[")?;
                for (i, part) in parts.iter().enumerate() {
                    write!(f, "{}{part}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
        }
    }
}

fn numeric(f: &mut fmt::Formatter<'_>, unscaled: i128, scale: u8) -> fmt::Result {
    let one = ten_to(scale).unsigned_abs();
    let magnitude = unscaled.unsigned_abs();
    let sign = if unscaled < 0 { "-" } else { "" };
    if scale == 0 {
        return write!(f, "{sign}{magnitude}");
    }
    write!(
        f,
        "{sign}{}.{:0width$}",
        magnitude / one,
        magnitude % one,
        width = usize::from(scale)
    )
}

fn hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

fn date(f: &mut fmt::Formatter<'_>, days: i32) -> fmt::Result {
    let date = civil(days);
    write!(f, "{:04}-{:02}-{:02}", date.year, date.month, date.day)
}

fn time(f: &mut fmt::Formatter<'_>, us: i64) -> fmt::Result {
    let seconds = us / 1_000_000;
    write!(
        f,
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )?;
    match us % 1_000_000 {
        0 => Ok(()),
        rest => f.write_str(format!(".{rest:06}").trim_end_matches('0')),
    }
}

fn timestamp(f: &mut fmt::Formatter<'_>, us: i64) -> fmt::Result {
    let days = i32::try_from(us.div_euclid(DAY_US)).expect("64 bits of microseconds are 2^27 days");
    date(f, days)?;
    f.write_str(" ")?;
    time(f, us.rem_euclid(DAY_US))
}
