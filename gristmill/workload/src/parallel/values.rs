//! Constants by type: mostly few and small, so that keys collide and predicates hit; one in five is from the edge.

use super::draw::{Draw, Purpose};
use super::speech::{DUCK, LITE, MARIA, Speech};
use history::parallel::Type;
use history::parallel::expr::{Constant, Word};

/// What stands at the edge of characters.
const TEXTS: &[&str] = &[
    "",
    " ",
    "  two blanks  ",
    "'",
    "''",
    "\"",
    "\\",
    "\\\\n",
    "%",
    "_",
    "NULL",
    "null",
    "0",
    "-1",
    "1e5",
    "true",
    "naïve",
    "straße",
    "İstanbul",
    "Ελληνικά",
    "مرحبا",
    "\u{202e}rtl\u{202c}",
    "日本語",
    "🦀",
    "👩‍👩‍👧",
    "e\u{301}",
    "\u{200b}",
    "a\tb",
    "line\nbreak",
    "; DROP TABLE x; --",
    "/* */",
    "$1",
    "$$",
    "{}",
    "[]",
    "\u{fffd}",
    "\u{10ffff}",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
];
const WORDS: &[&str] = &[
    "a", "b", "ab", "ba", "abc", "barley", "oats", "rye", "wheat", "Rye", "RYE", "spelt", "z",
];
const FLOATS: &[&str] = &[
    "NaN",
    "Infinity",
    "-Infinity",
    "-0",
    "0",
    "1.7976931348623157e308",
    "-1.7976931348623157e308",
    "5e-324",
    "2.2250738585072014e-308",
    "0.1",
    "-1",
    "1e15",
];
const SMALL_FLOATS: &[&str] = &[
    "NaN",
    "Infinity",
    "-Infinity",
    "-0",
    "3.4028235e38",
    "1.1754944e-38",
    "1e-45",
    "0.1",
];
const NUMERICS: &[&str] = &[
    "0",
    "-0.0001",
    "99999999999999.9999",
    "-99999999999999.9999",
    "NaN",
    "0.00005",
    "1",
    "10",
];
const DATES: &[&str] = &[
    "infinity",
    "-infinity",
    "0001-01-01",
    "4713-01-01 BC",
    "9999-12-31",
    "1970-01-01",
    "2000-02-29",
    "5874897-12-31",
];
const TIMES: &[&str] = &[
    "00:00:00",
    "24:00:00",
    "23:59:59.999999",
    "12:00:00",
    "00:00:00.000001",
];
const TIMESTAMPS: &[&str] = &[
    "infinity",
    "-infinity",
    "1970-01-01 00:00:00",
    "0001-01-01 00:00:00",
    "9999-12-31 23:59:59.999999",
    "294276-12-31 23:59:59.999999",
    "4713-01-01 00:00:00 BC",
    "2000-02-29 12:00:00",
    "2016-12-31 23:59:60",
];
const INTERVALS: &[&str] = &[
    "0",
    "1 day",
    "-1 day",
    "1 mon",
    "1 year -1 day",
    "178000000 years",
    "-178000000 years",
    "00:00:00.000001",
    "24:00:00",
];
const JSONS: &[&str] = &[
    "null",
    "true",
    "0",
    "-0.0",
    "1e400",
    "\"\"",
    "[]",
    "{}",
    "{\"a\": 1}",
    "{\"a\": {\"b\": [1, 2, null]}}",
    "[1, \"a\", null]",
    "{\"\": 0}",
    "\"\\u00e9\"",
    "[[[[[]]]]]",
];

/// A constant of the type, never NULL.
pub(crate) fn constant(draw: &mut Draw, speech: &Speech, ty: Type) -> Constant {
    let edge = draw.chance(Purpose::Value, 1, 5);
    if edge
        && speech.bit == MARIA
        && let Some(some) = maria(ty)
    {
        return text(draw.of(Purpose::Value, some));
    }
    if edge
        && speech.bit == DUCK
        && let Some(some) = duck(ty)
    {
        return text(draw.of(Purpose::Value, some));
    }
    let lite = speech.bit == LITE;
    match ty {
        Type::Bool => Constant::Bool(draw.chance(Purpose::Value, 1, 2)),
        Type::Int2 => integer(draw, edge, i64::from(i16::MIN), i64::from(i16::MAX)),
        Type::Int4 => integer(draw, edge, i64::from(i32::MIN), i64::from(i32::MAX)),
        Type::Int8 => integer(draw, edge, i64::MIN, i64::MAX),
        Type::Float8 if edge => text(draw.of(Purpose::Value, FLOATS)),
        Type::Float4 if edge => text(draw.of(Purpose::Value, SMALL_FLOATS)),
        Type::Numeric(_) if edge => text(draw.of(Purpose::Value, NUMERICS)),
        Type::Float8 | Type::Float4 | Type::Numeric(_) => {
            let quarters = draw.range(Purpose::Value, -400, 400);
            let sign = if quarters < 0 { "-" } else { "" };
            let (whole, part) = (quarters.abs() / 4, quarters.abs() % 4 * 25);
            Constant::Text(Word::Owned(format!("{sign}{whole}.{part:02}")))
        }
        Type::Varchar(n) | Type::Char(n) => {
            let fits = |t: &&str| t.chars().count() <= usize::from(n);
            let all: &[&str] = if edge { TEXTS } else { WORDS };
            let some = draw.of(Purpose::Value, all);
            text(Some(some).filter(fits).unwrap_or("fits"))
        }
        Type::Bytes => {
            let len = if edge { 64 } else { draw.below(Purpose::Value, 4) };
            let bytes = (0..len).map(|_| draw.next(Purpose::Value).to_le_bytes()[0]);
            Constant::Bytes(bytes.collect())
        }
        Type::Date if !lite => match edge {
            true => text(draw.of(Purpose::Value, DATES)),
            false => Constant::Text(Word::Owned(format!(
                "2024-02-{:02}",
                draw.range(Purpose::Value, 1, 29)
            ))),
        },
        Type::Time if !lite => match edge {
            true => text(draw.of(Purpose::Value, TIMES)),
            false => Constant::Text(Word::Owned(format!(
                "{:02}:30:00",
                draw.range(Purpose::Value, 0, 23)
            ))),
        },
        Type::Timestamp | Type::TimestampTz if !lite => {
            let zone = if ty == Type::TimestampTz { "+00" } else { "" };
            if edge {
                let stamp = draw.of(Purpose::Value, TIMESTAMPS);
                let stamp = match stamp.strip_suffix(" BC") {
                    Some(stamp) => format!("{stamp}{zone} BC"),
                    None if stamp.ends_with("infinity") => stamp.to_owned(),
                    None => format!("{stamp}{zone}"),
                };
                Constant::Text(Word::Owned(stamp))
            } else {
                let hour = draw.range(Purpose::Value, 0, 23);
                Constant::Text(Word::Owned(format!("2024-02-29 {hour:02}:00:00{zone}")))
            }
        }
        Type::Interval if edge => text(draw.of(Purpose::Value, INTERVALS)),
        Type::Interval => Constant::Text(Word::Owned(format!(
            "{} hours",
            draw.range(Purpose::Value, -48, 48)
        ))),
        Type::Uuid => {
            let low = if edge {
                u64::MAX
            } else {
                draw.below(Purpose::Value, 16)
            };
            let high = if edge { u64::MAX } else { 0 };
            let bits = (u128::from(high) << 64) | u128::from(low);
            let hex = format!("{bits:032x}");
            Constant::Text(Word::Owned(format!(
                "{}-{}-{}-{}-{}",
                &hex[..8],
                &hex[8..12],
                &hex[12..16],
                &hex[16..20],
                &hex[20..]
            )))
        }
        Type::Json | Type::Jsonb if edge => text(draw.of(Purpose::Value, JSONS)),
        Type::Json | Type::Jsonb => Constant::Text(Word::Owned(format!(
            "{{\"a\": {}}}",
            draw.range(Purpose::Value, 0, 9)
        ))),
        Type::Int4Array => text("{1,2,3}"),
        Type::TextArray => text("{a,b,NULL}"),
        _ if edge => text(draw.of(Purpose::Value, TEXTS)),
        _ => text(draw.of(Purpose::Value, WORDS)),
    }
}

/// Decimals where there is no NaN.
const FINITE: &[&str] = &[
    "0",
    "-0.0001",
    "99999999999999.9999",
    "-99999999999999.9999",
    "0.0001",
    "1",
    "10",
];

/// What stands at the edge of DuckDB's types, where it is not what stands at the edge of others'.
fn duck(ty: Type) -> Option<&'static [&'static str]> {
    Some(match ty {
        Type::Numeric(_) => FINITE,
        Type::Date => &[
            "infinity",
            "-infinity",
            "0001-01-01",
            "4713-01-01 (BC)",
            "9999-12-31",
            "1970-01-01",
            "2000-02-29",
            "5881580-07-10",
        ],
        Type::Timestamp => &[
            "infinity",
            "-infinity",
            "1970-01-01 00:00:00",
            "0001-01-01 00:00:00",
            "9999-12-31 23:59:59.999999",
            "294246-12-31 23:59:59.999999",
            "4713-01-01 (BC) 00:00:00",
            "2000-02-29 12:00:00",
        ],
        _ => return None,
    })
}

/// What stands at the edge in MariaDB, where it is not what does elsewhere: it has no NaN, no infinity and no year 0.
fn maria(ty: Type) -> Option<&'static [&'static str]> {
    Some(match ty {
        Type::Float8 => &[
            "-0",
            "0",
            "1.7976931348623157e308",
            "-1.7976931348623157e308",
            "2.2250738585072014e-308",
            "0.1",
            "-1",
            "1e15",
        ],
        Type::Numeric(_) => FINITE,
        Type::Date => &["0001-01-01", "9999-12-31", "1970-01-01", "2000-02-29"],
        Type::Timestamp => &[
            "0001-01-01 00:00:00",
            "9999-12-31 23:59:59.999999",
            "1970-01-01 00:00:00",
            "2000-02-29 12:00:00",
        ],
        _ => return None,
    })
}

fn text(t: &'static str) -> Constant {
    Constant::Text(Word::Borrowed(t))
}

fn integer(draw: &mut Draw, edge: bool, min: i64, max: i64) -> Constant {
    Constant::Int(if edge {
        draw.of(Purpose::Value, &[min, max, min + 1, max - 1, -1, 0, 1])
    } else {
        draw.range(Purpose::Value, 0, 99)
    })
}
