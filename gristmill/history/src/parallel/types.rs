//! The types of columns and expressions, by what they mean; how they are written is the dialects'.

use crate::parallel::ObjectId;
use serde::{Deserialize, Serialize};

/// The type of a column or an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Type {
    /// True or false.
    Bool,
    /// 16 bits, signed.
    Int2,
    /// 32 bits, signed.
    Int4,
    /// 64 bits, signed.
    Int8,
    /// 32 bits, binary.
    Float4,
    /// 64 bits, binary.
    Float8,
    /// Decimal without limits, or with (precision, scale).
    Numeric(Option<(u8, u8)>),
    /// Characters without a limit.
    Text,
    /// At most so many characters.
    Varchar(u16),
    /// So many characters, padded with blanks.
    Char(u16),
    /// Bytes.
    Bytes,
    /// A day.
    Date,
    /// A time of day.
    Time,
    /// Day and time, no zone.
    Timestamp,
    /// A moment.
    TimestampTz,
    /// Months, days, microseconds.
    Interval,
    /// 128 bits.
    Uuid,
    /// JSON as written.
    Json,
    /// JSON as understood.
    Jsonb,
    /// An array of 32-bit integers.
    Int4Array,
    /// An array of texts.
    TextArray,
    /// A type that the run made.
    Named(ObjectId),
}
