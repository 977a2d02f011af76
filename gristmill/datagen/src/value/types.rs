//! The types a column may have, and their names in plans and schemas.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::composite::{self, Composite, Kind};

/// The type of a column. Written as `int32`, `numeric(10,2)` and so on; see [`Type::from_str`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Type {
    /// True or false.
    Bool,
    /// A signed integer of 8 bits.
    Int8,
    /// A signed integer of 16 bits.
    Int16,
    /// A signed integer of 32 bits.
    Int32,
    /// A signed integer of 64 bits.
    Int64,
    /// IEEE 754 binary32.
    Float32,
    /// IEEE 754 binary64.
    Float64,
    /// A decimal of `precision` digits (1..=38), `scale` of them (at most `precision`) behind the point.
    Numeric {
        /// All digits.
        precision: u8,
        /// Digits behind the point.
        scale: u8,
    },
    /// Unicode text.
    Text,
    /// Text of ASCII characters only.
    Ascii,
    /// Bytes.
    Bytes,
    /// A UUID.
    Uuid,
    /// A day.
    Date,
    /// A time of day to the microsecond.
    Time,
    /// A day and time without a zone.
    Timestamp,
    /// An instant.
    TimestampTz,
    /// An address of the internet, as its 4 or 16 bytes ([`super::Value::Bytes`]), which are its order.
    Inet,
    /// A whole number of any size, of which 38 digits are drawn ([`super::Value::Numeric`] without decimal places).
    Varint,
    /// A decimal in which each value has its own scale, 0 to 38 ([`super::Value::Numeric`]).
    Decimal,
    /// Months, days and nanoseconds, as CQL serializes them: three zigzag vints ([`super::Value::Bytes`]). Never a key.
    Duration,
    /// A UUID of version 1 ([`super::Value::Uuid`]); its order is that of its time, which is that of its bytes here.
    TimeUuid,
    /// A sum of increments ([`super::Value::Int`]): never written as a value, never a key, in tables of counters alone
    /// ([`crate::schema::Table::counts`]).
    Counter,
    /// Made of others ([`super::Value::Composite`]): `list<int32>`, `frozen<map<text,int32>>`, `udt<a:int32,b:text>`.
    Composite(&'static Composite),
}

impl Type {
    /// One of every scalar type that is written as a value, with `numeric(12,3)` and `numeric(38,6)` for the numerics.
    pub const ALL: [Type; 22] = [
        Type::Bool,
        Type::Int8,
        Type::Int16,
        Type::Int32,
        Type::Int64,
        Type::Float32,
        Type::Float64,
        Type::Numeric {
            precision: 12,
            scale: 3,
        },
        Type::Numeric {
            precision: 38,
            scale: 6,
        },
        Type::Text,
        Type::Ascii,
        Type::Bytes,
        Type::Uuid,
        Type::Date,
        Type::Time,
        Type::Timestamp,
        Type::TimestampTz,
        Type::Inet,
        Type::Varint,
        Type::Decimal,
        Type::Duration,
        Type::TimeUuid,
    ];

    /// One composite of every kind.
    #[must_use]
    pub fn composites() -> Vec<Type> {
        composite::examples()
    }

    /// Whether values of the type can be compared in every database that offers it: those of keys, indexes and conditions.
    #[must_use]
    pub const fn orders(self) -> bool {
        !matches!(self, Type::Duration | Type::Counter | Type::Composite(_))
    }

    /// Whether a database that keeps bytes without looking at them may keep none for the type: the types whose own bytes are
    /// never none and of which Cassandra takes them (`blobAsInt(0x)`). Such a value is [`super::Value::Bytes`] of nothing.
    #[must_use]
    pub const fn may_be_empty(self) -> bool {
        matches!(
            self,
            Type::Bool
                | Type::Int32
                | Type::Int64
                | Type::Float32
                | Type::Float64
                | Type::Numeric { .. }
                | Type::Uuid
                | Type::Timestamp
                | Type::TimestampTz
                | Type::Inet
                | Type::Varint
                | Type::Decimal
                | Type::TimeUuid
        )
    }

    /// Whether values of the type can be in keys: what has an order, and what is made of that and frozen.
    #[must_use]
    pub fn makes_keys(self) -> bool {
        match self {
            Type::Composite(composite) => {
                composite.frozen && composite.parts.iter().all(|part| part.makes_keys())
            }
            scalar => scalar.orders(),
        }
    }

    /// Whether a whole value can be looked for, where the type has no order: what is made of others and frozen.
    #[must_use]
    pub const fn is_frozen(self) -> bool {
        matches!(self, Type::Composite(composite) if composite.frozen)
    }

    /// Whether an index can stand on it, where one stands on what it is made of: a list, set or map.
    #[must_use]
    pub const fn is_collection(self) -> bool {
        matches!(self, Type::Composite(composite) if matches!(composite.kind, Kind::List | Kind::Set | Kind::Map))
    }

    /// The set of such elements.
    #[must_use]
    pub fn set_of(element: Type) -> Type {
        Composite::set_of(element)
    }

    /// The composite whose elements are cells of their own; `None` of what is written and read as one value.
    #[must_use]
    pub const fn cells(self) -> Option<&'static Composite> {
        match self {
            Type::Composite(composite) if composite.has_cells() => Some(composite),
            _ => None,
        }
    }

    /// Whether a column of the type is one cell, which was written at one timestamp: no counter, nothing with elements.
    #[must_use]
    pub const fn is_dated(self) -> bool {
        !matches!(self, Type::Counter) && self.cells().is_none()
    }

    /// Whether `sum()` over the type means something exact: integers and numeric.
    #[must_use]
    pub const fn sums(self) -> bool {
        matches!(
            self,
            Type::Int8 | Type::Int16 | Type::Int32 | Type::Int64 | Type::Counter | Type::Numeric { .. }
        )
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Type::Numeric { precision, scale } => return write!(f, "numeric({precision},{scale})"),
            Type::Bool => "bool",
            Type::Int8 => "int8",
            Type::Int16 => "int16",
            Type::Int32 => "int32",
            Type::Int64 => "int64",
            Type::Float32 => "float32",
            Type::Float64 => "float64",
            Type::Text => "text",
            Type::Ascii => "ascii",
            Type::Bytes => "bytes",
            Type::Uuid => "uuid",
            Type::Date => "date",
            Type::Time => "time",
            Type::Timestamp => "timestamp",
            Type::TimestampTz => "timestamptz",
            Type::Inet => "inet",
            Type::Varint => "varint",
            Type::Decimal => "decimal",
            Type::Duration => "duration",
            Type::TimeUuid => "timeuuid",
            Type::Counter => "counter",
            Type::Composite(composite) => return write!(f, "{composite}"),
        };
        f.write_str(name)
    }
}

/// A type's name that is none of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown type `{0}`: use bool, int8, int16, int32, int64, float32, float64, numeric(P,S) with S <= P <= 38, \
     text, ascii, bytes, uuid, date, time, timestamp, timestamptz, inet, varint, decimal, duration, timeuuid, counter, \
     or of these (but for counter) \
     list<T>, set<T>, map<K,V>, tuple<T,…>, udt<name:T,…>, vector<T,N>, each perhaps as frozen<…>, as it is within another"
)]
pub struct UnknownType(pub String);

impl FromStr for Type {
    type Err = UnknownType;

    /// Reads what `Display` writes. `int8` has eight bits, not eight bytes.
    fn from_str(text: &str) -> Result<Type, UnknownType> {
        let unknown = || UnknownType(text.to_owned());
        if let Some(digits) = text
            .strip_prefix("numeric(")
            .and_then(|rest| rest.strip_suffix(')'))
        {
            let (precision, scale) = digits.split_once(',').ok_or_else(unknown)?;
            let precision = precision.trim().parse().map_err(|_| unknown())?;
            let scale = scale.trim().parse().map_err(|_| unknown())?;
            if precision == 0 || precision > 38 || scale > precision {
                return Err(unknown());
            }
            return Ok(Type::Numeric { precision, scale });
        }
        if text.contains('<') {
            return Composite::read(text).ok_or_else(unknown);
        }
        Type::ALL
            .into_iter()
            .chain([Type::Counter])
            .find(|ty| ty.to_string() == text && !text.contains('('))
            .ok_or_else(unknown)
    }
}

impl TryFrom<String> for Type {
    type Error = UnknownType;

    fn try_from(text: String) -> Result<Type, UnknownType> {
        text.parse()
    }
}

impl From<Type> for String {
    fn from(ty: Type) -> String {
        ty.to_string()
    }
}
