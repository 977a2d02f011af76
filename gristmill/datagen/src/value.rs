//! A value as a database holds it, its order, and its canonical bytes.
//!
//! This module must not know descriptors, columns or SQL. Invariants:
//!
//! 1. `==` is identity: −0 is not 0, `1.0` is not `1.00`. All NaN are one value.
//! 2. [`Value::compare`] is the databases' order and coarser than identity: −0 equals 0, `1.0`
//!    equals `1.00`; NaN equals itself and stands above +infinity (PostgreSQL's rule); text is
//!    compared by bytes, as under a binary collation.
//! 3. Composites are compared part by part, NULL first, the shorter of two that begin alike before the longer.
//! 4. Equal encodings mean identical values, and the other way round; `decode(encode(v)) == v`.

use std::cmp::Ordering;

mod composite;
pub(crate) mod encode;
mod show;
mod types;

pub use composite::{Composite, Kind};
pub use encode::DecodeError;
pub use types::{Type, UnknownType};

/// One value of a cell. Which width an integer has is the column's affair, not the value's.
#[derive(Clone, Debug)]
pub enum Value {
    /// No value.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer of 8 to 64 bits.
    Int(i64),
    /// IEEE 754 binary32.
    Float32(f32),
    /// IEEE 754 binary64.
    Float64(f64),
    /// An unscaled integer and its number of decimal places (0..=38): `(150, 2)` is 1.50.
    Numeric(i128, u8),
    /// Text; its order is the order of its UTF-8 bytes.
    Text(Box<str>),
    /// Bytes.
    Bytes(Box<[u8]>),
    /// A UUID, ordered by its bytes.
    Uuid([u8; 16]),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since midnight.
    Time(i64),
    /// Microseconds since 1970-01-01 00:00:00, without a zone.
    Timestamp(i64),
    /// Microseconds since 1970-01-01 00:00:00 UTC.
    TimestampTz(i64),
    /// Elements of a list or vector, of a set in their order, fields of a tuple or user-defined type (which may be
    /// [`Value::Null`]), or each key of a map before its value, in the order of the keys.
    Composite(Box<[Value]>),
}

/// Where NULL stands; databases differ, so the caller says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nulls {
    /// Below every value.
    First,
    /// Above every value.
    Last,
}

/// Direction of a column in a key or an ORDER BY.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Smallest first.
    #[default]
    Asc,
    /// Greatest first.
    Desc,
}

impl Order {
    /// `ordering` as this direction shows it.
    #[must_use]
    pub const fn apply(self, ordering: Ordering) -> Ordering {
        match self {
            Order::Asc => ordering,
            Order::Desc => ordering.reverse(),
        }
    }
}

impl Value {
    /// The databases' order of two values of one type, NULL where `nulls` says (two NULLs are equal
    /// here, as in ORDER BY).
    ///
    /// Total: values of different types are ordered by type, so that an answer with the wrong types
    /// can still be sorted. `Equal` is coarser than `==`, see the module's invariant 2.
    #[must_use]
    pub fn compare(&self, other: &Value, nulls: Nulls) -> Ordering {
        use Value::{Bool, Bytes, Date, Float32, Float64, Int, Null, Numeric, Text, Time, Timestamp};
        use Value::{TimestampTz, Uuid};
        match (self, other) {
            (Null, Null) => Ordering::Equal,
            (Null, _) if nulls == Nulls::First => Ordering::Less,
            (Null, _) => Ordering::Greater,
            (_, Null) if nulls == Nulls::First => Ordering::Greater,
            (_, Null) => Ordering::Less,
            (Bool(a), Bool(b)) => a.cmp(b),
            (Int(a), Int(b)) => a.cmp(b),
            (Float32(a), Float32(b)) => compare_floats(f64::from(*a), f64::from(*b)),
            (Float64(a), Float64(b)) => compare_floats(*a, *b),
            (Numeric(a, s), Numeric(b, t)) => compare_numerics((*a, *s), (*b, *t)),
            (Text(a), Text(b)) => a.as_bytes().cmp(b.as_bytes()),
            (Bytes(a), Bytes(b)) => a.cmp(b),
            (Uuid(a), Uuid(b)) => a.cmp(b),
            (Date(a), Date(b)) => a.cmp(b),
            (Time(a), Time(b)) | (Timestamp(a), Timestamp(b)) | (TimestampTz(a), TimestampTz(b)) => a.cmp(b),
            (Value::Composite(a), Value::Composite(b)) => compare_parts(a, b),
            // The empty value of another type.
            (Bytes(a), _) if a.is_empty() => Ordering::Less,
            (_, Bytes(b)) if b.is_empty() => Ordering::Greater,
            (a, b) => a.tag().cmp(&b.tag()),
        }
    }

    /// Whether this is NULL.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }
}

fn compare_parts(a: &[Value], b: &[Value]) -> Ordering {
    let differing = a.iter().zip(b).map(|(a, b)| a.compare(b, Nulls::First));
    differing
        .into_iter()
        .find(|order| order.is_ne())
        .unwrap_or_else(|| a.len().cmp(&b.len()))
}

fn compare_floats(a: f64, b: f64) -> Ordering {
    // Only a NaN is unordered: it is greatest, and all NaN are one.
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// Whole parts first; the rests are then below 10^38 and can be brought to one scale.
fn compare_numerics((a, s): (i128, u8), (b, t): (i128, u8)) -> Ordering {
    if s == t {
        return a.cmp(&b);
    }
    let (one_a, one_b) = (ten_to(s), ten_to(t));
    let whole = a.div_euclid(one_a).cmp(&b.div_euclid(one_b));
    let scale = s.max(t);
    let rest_a = a.rem_euclid(one_a) * ten_to(scale - s);
    let rest_b = b.rem_euclid(one_b) * ten_to(scale - t);
    whole.then(rest_a.cmp(&rest_b))
}

/// 10^n for the scales a numeric may have.
///
/// # Panics
/// When `n` is above 38.
pub(crate) const fn ten_to(n: u8) -> i128 {
    assert!(n <= 38, "a numeric has at most 38 digits");
    10_i128.pow(n as u32)
}

impl PartialEq for Value {
    /// Identity, see the module's invariant 1.
    fn eq(&self, other: &Value) -> bool {
        use Value::{Bool, Bytes, Date, Float32, Float64, Int, Null, Numeric, Text, Time, Timestamp};
        use Value::{TimestampTz, Uuid};
        match (self, other) {
            (Null, Null) => true,
            (Bool(a), Bool(b)) => a == b,
            (Int(a), Int(b)) => a == b,
            (Float32(a), Float32(b)) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
            (Float64(a), Float64(b)) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
            (Numeric(a, s), Numeric(b, t)) => (a, s) == (b, t),
            (Text(a), Text(b)) => a == b,
            (Bytes(a), Bytes(b)) => a == b,
            (Uuid(a), Uuid(b)) => a == b,
            (Date(a), Date(b)) => a == b,
            (Time(a), Time(b)) | (Timestamp(a), Timestamp(b)) | (TimestampTz(a), TimestampTz(b)) => a == b,
            (Value::Composite(a), Value::Composite(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}

#[cfg(test)]
mod tests;
