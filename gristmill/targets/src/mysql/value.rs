//! Values to the driver's and back. The server's binary protocol is exact for every type that is offered but decimals,
//! which are texts on the wire.

use crate::cell::{Cell, put_text};
use crate::dialect::Want;
use datagen::calendar::{Civil, DAY_US, civil, days};
use datagen::value::{Type, Value as Text};
use mysql_async::Value;

const SECOND_US: i64 = 1_000_000;

/// A value as the driver sends it.
pub(super) fn encode(cell: Cell<'_>) -> Value {
    match cell {
        Cell::Null => Value::NULL,
        Cell::Bool(v) => Value::Int(i64::from(v)),
        Cell::Int(v) => Value::Int(v),
        Cell::Float32(v) => Value::Float(v),
        Cell::Float64(v) => Value::Double(v),
        Cell::Numeric(unscaled, scale) => {
            Value::Bytes(Text::Numeric(unscaled, scale).to_string().into_bytes())
        }
        Cell::Text(v) => Value::Bytes(v.as_bytes().to_vec()),
        Cell::Bytes(v) => Value::Bytes(v.to_vec()),
        Cell::Composite(_) => unreachable!("composites are not offered"),
        Cell::Uuid(v) => Value::Bytes(v.to_vec()),
        Cell::Date(v) => moment(i64::from(v) * DAY_US),
        Cell::Time(v) => {
            let (_, hour, minute, second, micros) = clock(v);
            Value::Time(false, 0, hour, minute, second, micros)
        }
        Cell::Timestamp(v) | Cell::TimestampTz(v) => moment(v),
    }
}

/// Microseconds since 1970-01-01 as a date and a time of day.
fn moment(v: i64) -> Value {
    let (day, hour, minute, second, micros) = clock(v);
    let date = civil(i32::try_from(day).expect("a day of the years 1 to 9999"));
    let year = u16::try_from(date.year).expect("a year from 1 to 9999");
    Value::Date(year, date.month, date.day, hour, minute, second, micros)
}

/// Day, hour, minute, second, microseconds.
fn clock(v: i64) -> (i64, u8, u8, u8, u32) {
    let of_day = v.rem_euclid(DAY_US);
    let seconds = of_day / SECOND_US;
    let small = |n: i64| u8::try_from(n).expect("part of a time of day");
    let micros = u32::try_from(of_day % SECOND_US).expect("less than a second");
    (
        v.div_euclid(DAY_US),
        small(seconds / 3600),
        small(seconds / 60 % 60),
        small(seconds % 60),
        micros,
    )
}

/// Appends a value of an answer in canonical bytes. What is of another type than was wanted is passed on as what it is:
/// nobody's image, and the judge says so.
pub(super) fn decode(value: Option<&Value>, want: Want, into: &mut Vec<u8>) {
    let ty = match want {
        Want::Value(ty) | Want::Sum(ty) => ty,
        Want::Count | Want::Stamp => Type::Int64,
    };
    match (value, ty) {
        (None | Some(Value::NULL), _) => Cell::Null.put(into),
        (Some(Value::Bytes(bytes)), Type::Text | Type::Ascii) => put_text(bytes, into),
        (Some(value), ty) => match read(value, ty, want) {
            Some(cell) => cell.put(into),
            None => Cell::Bytes(value.as_sql(true).as_bytes()).put(into),
        },
    }
}

fn read(value: &Value, ty: Type, want: Want) -> Option<Cell<'_>> {
    let sum = matches!(want, Want::Sum(_));
    Some(match (value, ty) {
        (Value::Int(v @ (0 | 1)), Type::Bool) if !sum => Cell::Bool(*v == 1),
        (Value::Int(v), Type::Int8 | Type::Int16 | Type::Int32 | Type::Int64) => Cell::Int(*v),
        (Value::UInt(v), Type::Int64) => Cell::Int(i64::try_from(*v).ok()?),
        // The sum of integers is a decimal.
        (Value::Bytes(v), Type::Int8 | Type::Int16 | Type::Int32 | Type::Int64) if sum => {
            Cell::Int(std::str::from_utf8(v).ok()?.parse().ok()?)
        }
        (Value::Bytes(v), Type::Numeric { scale, .. }) => numeric(std::str::from_utf8(v).ok()?, scale)?,
        (Value::Float(v), Type::Float32) => Cell::Float32(*v),
        // `min` and `max` of a float are doubles.
        #[expect(clippy::cast_possible_truncation, reason = "compared with what it was")]
        (Value::Double(v), Type::Float32) if f64::from(*v as f32) == *v => Cell::Float32(*v as f32),
        (Value::Double(v), Type::Float64) => Cell::Float64(*v),
        (Value::Bytes(v), Type::Bytes) => Cell::Bytes(v),
        (Value::Bytes(v), Type::Uuid) => Cell::Uuid(v.as_slice().try_into().ok()?),
        (Value::Date(year, month, day, 0, 0, 0, 0), Type::Date) => Cell::Date(date(*year, *month, *day)?),
        (Value::Time(false, 0, hour, minute, second, micros), Type::Time) => {
            Cell::Time(of_day(*hour, *minute, *second, *micros))
        }
        (
            Value::Date(year, month, day, hour, minute, second, micros),
            Type::Timestamp | Type::TimestampTz,
        ) => {
            let at =
                i64::from(date(*year, *month, *day)?) * DAY_US + of_day(*hour, *minute, *second, *micros);
            match ty {
                Type::Timestamp => Cell::Timestamp(at),
                _ => Cell::TimestampTz(at),
            }
        }
        _ => return None,
    })
}

fn of_day(hour: u8, minute: u8, second: u8, micros: u32) -> i64 {
    ((i64::from(hour) * 60 + i64::from(minute)) * 60 + i64::from(second)) * SECOND_US + i64::from(micros)
}

/// The day; `None` of one that is in no calendar.
fn date(year: u16, month: u8, day: u8) -> Option<i32> {
    let written = Civil {
        year: i32::from(year),
        month,
        day,
    };
    let number = days(written);
    (civil(number) == written).then_some(number)
}

/// A decimal of this scale, and no other.
fn numeric(text: &str, scale: u8) -> Option<Cell<'static>> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    if rest.len() != usize::from(scale) {
        return None;
    }
    Some(Cell::Numeric(format!("{whole}{rest}").parse().ok()?, scale))
}

#[cfg(test)]
mod tests;
