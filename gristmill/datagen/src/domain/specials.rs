//! Boundary and awkward values of every type, by name, and their places among the base's values.

use super::base::Base;
use super::{Extra, Limits, own};
use crate::calendar::{Civil, DAY_US, days};
use crate::value::{Nulls, Type, Value, ten_to};

/// The special values of a type that the limits keep. A value may be named twice; the first name stays.
pub(super) fn of(ty: Type, limits: &Limits) -> Vec<(&'static str, Value)> {
    let mut named = full(ty, limits);
    if limits.has_empty(ty) {
        // See the base of these.
        named.retain(|(_, value)| ty != Type::Int64 || *value != Value::Int(i64::MIN));
        named.push(("empty", Value::Bytes(Box::new([]))));
    }
    named
}

/// All but the value of no bytes of a type that has bytes.
fn full(ty: Type, limits: &Limits) -> Vec<(&'static str, Value)> {
    match ty {
        Type::Bool => vec![("false", Value::Bool(false)), ("true", Value::Bool(true))],
        Type::Int8 => integers(8),
        Type::Int16 => integers(16),
        Type::Int32 => integers(32),
        Type::Int64 | Type::Counter => integers(64),
        Type::Float32 => floats32(limits),
        Type::Float64 => floats64(limits),
        Type::Numeric { precision, scale } => numerics(precision.min(limits.numeric_digits), scale),
        Type::Text => texts(limits, limits.unicode),
        Type::Ascii => texts(limits, false),
        Type::Bytes => bytes(limits),
        Type::Varint => numerics(limits.numeric_digits, 0),
        Type::Decimal => decimals(limits.numeric_digits),
        Type::Inet => inets(),
        Type::Duration => durations(),
        // Awkward values are within.
        Type::Composite(_) => Vec::new(),
        Type::TimeUuid => vec![
            ("first", Value::Uuid(own::time_uuid(0))),
            ("last", Value::Uuid(own::time_uuid(u64::from(u32::MAX)))),
        ],
        Type::Uuid => vec![("nil", Value::Uuid([0; 16])), ("max", Value::Uuid([255; 16]))],
        Type::Date => dates(limits)
            .into_iter()
            .map(|(name, day)| (name, Value::Date(day)))
            .collect(),
        Type::Time => times(limits),
        Type::Timestamp => instants(limits)
            .into_iter()
            .map(|(name, us)| (name, Value::Timestamp(us)))
            .collect(),
        Type::TimestampTz => instants(limits)
            .into_iter()
            .map(|(name, us)| (name, Value::TimestampTz(us)))
            .collect(),
    }
}

/// None of them equals one of the base's: their first places behind the point are further away than three.
fn decimals(digits: u8) -> Vec<(&'static str, Value)> {
    let max = ten_to(digits) - 1;
    vec![
        ("min", Value::Numeric(-max, 0)),
        ("greatest below zero", Value::Numeric(-1, 38)),
        ("least above zero", Value::Numeric(1, 38)),
        ("max", Value::Numeric(max, 0)),
    ]
}

fn inets() -> Vec<(&'static str, Value)> {
    let mut one = [0; 16];
    one[15] = 1;
    vec![
        ("none", Value::Bytes([0; 4].into())),
        ("this host", Value::Bytes([127, 0, 0, 1].into())),
        ("broadcast", Value::Bytes([255; 4].into())),
        ("none of version 6", Value::Bytes([0; 16].into())),
        ("this host of version 6", Value::Bytes(one.into())),
        ("max", Value::Bytes([255; 16].into())),
    ]
}

fn durations() -> Vec<(&'static str, Value)> {
    let of = |months: i32, days: i32, nanos| Value::Bytes(own::duration(months.into(), days.into(), nanos));
    vec![
        ("nothing", of(0, 0, 0)),
        ("minus a nanosecond", of(0, 0, -1)),
        ("minus a month", of(-1, 0, 0)),
        ("min", of(i32::MIN, i32::MIN, i64::MIN)),
        ("max", of(i32::MAX, i32::MAX, i64::MAX)),
    ]
}

fn integers(bits: u32) -> Vec<(&'static str, Value)> {
    let (min, max) = (i64::MIN >> (64 - bits), i64::MAX >> (64 - bits));
    let mut named = vec![
        ("min", min),
        ("min + 1", min + 1),
        ("minus one", -1),
        ("zero", 0),
        ("one", 1),
    ];
    named.extend([("max - 1", max - 1), ("max", max)]);
    if bits == 64 {
        // Where programs that hold integers in 32 bits or in doubles go wrong.
        named.extend([("int32 max + 1", 1 << 31), ("double max + 1", (1 << 53) + 1)]);
    }
    named.into_iter().map(|(name, v)| (name, Value::Int(v))).collect()
}

fn floats64(limits: &Limits) -> Vec<(&'static str, Value)> {
    let mut named = vec![
        ("min", f64::MIN),
        ("minus one", -1.0),
        ("greatest below zero", -f64::from_bits(1)),
        ("zero", 0.0),
        ("least subnormal", f64::from_bits(1)),
        ("least normal", f64::MIN_POSITIVE),
        ("a tenth", 0.1),
        ("one", 1.0),
        ("first gap", 9_007_199_254_740_992.0),
        ("max", f64::MAX),
    ];
    if limits.minus_zero() {
        named.push(("minus zero", -0.0));
    }
    if limits.infinities {
        named.extend([("minus infinity", f64::NEG_INFINITY), ("infinity", f64::INFINITY)]);
    }
    if limits.nan {
        named.push(("nan", f64::NAN));
    }
    named
        .into_iter()
        .map(|(name, v)| (name, Value::Float64(v)))
        .collect()
}

fn floats32(limits: &Limits) -> Vec<(&'static str, Value)> {
    let mut named = vec![
        ("min", f32::MIN),
        ("minus one", -1.0),
        ("greatest below zero", -f32::from_bits(1)),
        ("zero", 0.0),
        ("least subnormal", f32::from_bits(1)),
        ("least normal", f32::MIN_POSITIVE),
        ("a tenth", 0.1),
        ("one", 1.0),
        ("first gap", 16_777_216.0),
        ("max", f32::MAX),
    ];
    if limits.minus_zero() {
        named.push(("minus zero", -0.0));
    }
    if limits.infinities {
        named.extend([("minus infinity", f32::NEG_INFINITY), ("infinity", f32::INFINITY)]);
    }
    if limits.nan {
        named.push(("nan", f32::NAN));
    }
    named
        .into_iter()
        .map(|(name, v)| (name, Value::Float32(v)))
        .collect()
}

fn numerics(digits: u8, scale: u8) -> Vec<(&'static str, Value)> {
    let max = ten_to(digits) - 1;
    let mut named = vec![
        ("min", -max),
        ("least below zero", -1),
        ("zero", 0),
        ("least above zero", 1),
        ("max", max),
    ];
    if scale < digits {
        named.extend([("minus one", -ten_to(scale)), ("one", ten_to(scale))]);
    }
    named
        .into_iter()
        .map(|(name, v)| (name, Value::Numeric(v, scale)))
        .collect()
}

/// Named by what they are awkward for.
const TEXTS: [(&str, &str); 33] = [
    ("empty", ""),
    ("blank", " "),
    ("blank first", " a"),
    ("blank last", "a "),
    ("lower case", "a"),
    ("upper case", "A"),
    ("quote", "'"),
    ("quotes", "''"),
    ("double quote", "\""),
    ("backslash", "\\"),
    ("backslash quote", "\\'"),
    ("percent", "%"),
    ("underscore", "_"),
    ("looks null", "NULL"),
    ("looks zero", "0"),
    ("looks a number", "-1"),
    ("looks a float", "1e3"),
    ("looks a bool", "true"),
    ("looks a parameter", "$1"),
    ("looks a comment", "a--b/*c*/"),
    ("looks SQL", "x'); SELECT 1; --"),
    ("separators", "a,b;c\td|e"),
    ("newline", "a\nb"),
    ("carriage return", "a\r\nb"),
    ("control", "\u{1}"),
    ("delete", "\u{7f}"),
    ("nul", "a\0b"),
    ("two bytes", "é"),
    ("combining", "e\u{301}"),
    ("sharp s", "ß"),
    ("right to left", "\u{5d0}\u{202e}a"),
    ("four bytes", "🦀"),
    ("max", "\u{10ffff}"),
];

const LENGTHS: [(&str, usize); 7] = [
    ("63 long", 63),
    ("64 long", 64),
    ("255 long", 255),
    ("256 long", 256),
    ("1 KiB long", 1024),
    ("just over 2 KiB long", 2049),
    ("just over 8 KiB long", 8193),
];

fn texts(limits: &Limits, unicode: bool) -> Vec<(&'static str, Value)> {
    let max = limits.text_bytes_max as usize;
    let kept = |text: &str| {
        text.len() <= max
            && (unicode || text.is_ascii())
            && (limits.nul_bytes || !text.contains('\0'))
            && (limits.trailing_blanks || !text.ends_with(' '))
            && (limits.empty || !text.is_empty())
    };
    let short = TEXTS
        .into_iter()
        .filter(|(_, text)| kept(text))
        .map(|(name, text)| (name, text.to_owned()));
    let long = LENGTHS
        .into_iter()
        .chain([("longest", max.min(10_000))])
        .filter(|(_, length)| *length <= max);
    let long = long
        .map(|(name, length)| (name, long_text(length)))
        .filter(|(_, text)| kept(text));
    short
        .chain(long)
        .map(|(name, text)| (name, Value::Text(text.into())))
        .collect()
}

/// `length` characters that are not all alike, so that a cut or a turn in the middle is seen.
fn long_text(length: usize) -> String {
    (0..length)
        .map(|i| char::from(b'a' + (i * i % 26) as u8))
        .collect()
}

fn bytes(limits: &Limits) -> Vec<(&'static str, Value)> {
    let max = limits.bytes_max as usize;
    let mut named: Vec<(&'static str, Vec<u8>)> = vec![
        ("empty", vec![]),
        ("zero", vec![0]),
        ("two zeros", vec![0, 0]),
        ("quote", b"'".to_vec()),
        ("backslash x", b"\\x00".to_vec()),
        ("no UTF-8", vec![0xc3, 0x28]),
        ("byte 255", vec![255]),
        ("all bytes", (0..=255).collect()),
        ("max", vec![255; 16]),
    ];
    named.extend(
        LENGTHS
            .iter()
            .map(|(name, length)| (*name, long_text(*length).into_bytes())),
    );
    named.push(("longest", long_text(max.min(10_000)).into_bytes()));
    named.retain(|(_, bytes)| bytes.len() <= max && (limits.empty || !bytes.is_empty()));
    named
        .into_iter()
        .map(|(name, bytes)| (name, Value::Bytes(bytes.into())))
        .collect()
}

fn dates(limits: &Limits) -> Vec<(&'static str, i32)> {
    let on = |year, month, day| days(Civil { year, month, day });
    let min = on(limits.year_min, 1, 1);
    let max = on(limits.year_max, 12, 31);
    let named = [
        ("min", min),
        ("before Gregory", on(1582, 10, 4)),
        ("1900, no leap year", on(1900, 2, 28)),
        ("day before 1970", -1),
        ("1970", 0),
        ("leap day", on(2000, 2, 29)),
        ("after 32 bits", on(2038, 1, 20)),
        ("year of five digits", on(10_000, 1, 1)),
        ("before Christ", on(0, 12, 31)),
        ("max", max),
    ];
    named
        .into_iter()
        .filter(|(_, day)| (min..=max).contains(day))
        .collect()
}

fn times(limits: &Limits) -> Vec<(&'static str, Value)> {
    let step = 10_i64.pow(u32::from(6 - limits.subsecond_digits));
    let named = [
        ("midnight", 0),
        ("noon", DAY_US / 2),
        ("least after midnight", step),
        ("max", DAY_US - step),
    ];
    named
        .into_iter()
        .map(|(name, us)| (name, Value::Time(us)))
        .collect()
}

fn instants(limits: &Limits) -> Vec<(&'static str, i64)> {
    let step = 10_i64.pow(u32::from(6 - limits.subsecond_digits));
    let mut named: Vec<(&'static str, i64)> = dates(limits)
        .into_iter()
        .map(|(name, day)| {
            (
                name,
                i64::from(day) * DAY_US + if name == "max" { DAY_US - step } else { 0 },
            )
        })
        .collect();
    // Before 1970 the fraction of a second counts the other way than the seconds do.
    let (first, last) = (named[0].1, named[named.len() - 1].1);
    named.extend(
        [("just before 1970", -step), ("just after 1970", step)]
            .into_iter()
            .filter(|(_, us)| (first..=last).contains(us)),
    );
    named
}

/// Finds each value's place: those the base reaches keep its number, the others are sorted in.
pub(super) fn place(
    base: &Base,
    named: Vec<(&'static str, Value)>,
) -> (Vec<Extra>, Vec<u64>, Vec<&'static str>) {
    let mut outside: Vec<(&'static str, Value)> = Vec::new();
    let mut reached: Vec<(&'static str, u64)> = Vec::new();
    for (name, value) in named {
        match base.deflate(&value) {
            Some(d) => reached.push((name, d)),
            None => outside.push((name, value)),
        }
    }
    // Stable: of two names for one value the first stays.
    outside.sort_by(|(_, a), (_, b)| a.compare(b, Nulls::First));
    outside.dedup_by(|(_, a), (_, b)| a == b);
    let mut extras = Vec::with_capacity(outside.len());
    let mut specials: Vec<(u64, &'static str)> = Vec::new();
    for ((name, value), before) in outside.into_iter().zip(0..) {
        let descriptor = u64::try_from(base.rank(&value))
            .expect("a base with values outside has fewer than 2^64")
            + before;
        let mut encoded = Vec::new();
        value.encode(&mut encoded);
        extras.push(Extra {
            descriptor,
            value,
            encoded: encoded.into(),
        });
        specials.push((descriptor, name));
    }
    for (name, d) in reached {
        let before = extras
            .iter()
            .zip(0..)
            .take_while(|(extra, i)| extra.descriptor - i <= d)
            .count();
        specials.push((d + before as u64, name));
    }
    specials.sort_by_key(|(descriptor, _)| *descriptor);
    specials.dedup_by_key(|(descriptor, _)| *descriptor);
    let (descriptors, names) = specials.into_iter().unzip();
    (extras, descriptors, names)
}
