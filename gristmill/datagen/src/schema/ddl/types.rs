//! SQL's names of types, and ours.

use sqlparser::ast::{BinaryLength, CharacterLength, DataType, ExactNumberInfo, TimezoneInfo};

use crate::value::Type;

/// A type with the bounds its name carries.
pub(super) struct Read {
    pub(super) ty: Type,
    pub(super) length_max: Option<u32>,
    pub(super) subsecond_digits: Option<u8>,
}

impl From<Type> for Read {
    fn from(ty: Type) -> Read {
        Read {
            ty,
            length_max: None,
            subsecond_digits: None,
        }
    }
}

/// Our type; or why there is none, and what to write.
pub(super) fn read(ty: &DataType) -> Result<Read, String> {
    let plain = match ty {
        DataType::Bool | DataType::Boolean => Type::Bool,
        DataType::TinyInt(_) => Type::Int8,
        DataType::SmallInt(_) | DataType::Int2(_) => Type::Int16,
        DataType::Int(_) | DataType::Integer(_) | DataType::Int4(_) => Type::Int32,
        // PostgreSQL's int8 has eight bytes.
        DataType::BigInt(_) | DataType::Int8(_) => Type::Int64,
        DataType::Real | DataType::Float4 => Type::Float32,
        // FLOAT(p) of 25 bits and more is a double; without p it is one in PostgreSQL.
        DataType::Float(ExactNumberInfo::Precision(bits)) if *bits < 25 => Type::Float32,
        DataType::Float(ExactNumberInfo::None | ExactNumberInfo::Precision(_)) => Type::Float64,
        DataType::Double(ExactNumberInfo::None) | DataType::DoublePrecision | DataType::Float8 => {
            Type::Float64
        }
        DataType::Decimal(ExactNumberInfo::None) => Type::Decimal,
        DataType::Numeric(info) | DataType::Decimal(info) | DataType::Dec(info) => return numeric(ty, info),
        DataType::Varchar(length) | DataType::CharacterVarying(length) | DataType::CharVarying(length) => {
            return Ok(Read {
                length_max: characters(length.as_ref()),
                ..Type::Text.into()
            });
        }
        DataType::Text | DataType::TinyText | DataType::MediumText | DataType::LongText => Type::Text,
        DataType::String(None) | DataType::Clob(None) => Type::Text,
        DataType::Bytea | DataType::Blob(_) | DataType::TinyBlob | DataType::MediumBlob => Type::Bytes,
        DataType::LongBlob => Type::Bytes,
        DataType::Varbinary(length) => {
            let length_max = match length {
                Some(BinaryLength::IntegerLength { length }) => u32::try_from(*length).ok(),
                _ => None,
            };
            return Ok(Read {
                length_max,
                ..Type::Bytes.into()
            });
        }
        DataType::Uuid => Type::Uuid,
        DataType::Date => Type::Date,
        DataType::Time(digits, zone) if !zoned(zone) => return seconds(Type::Time, *digits),
        DataType::Datetime(digits) => return seconds(Type::Timestamp, *digits),
        DataType::Timestamp(digits, zone) if zoned(zone) => return seconds(Type::TimestampTz, *digits),
        DataType::Timestamp(digits, _) => return seconds(Type::Timestamp, *digits),
        DataType::Custom(name, _) if name.to_string().eq_ignore_ascii_case("ascii") => Type::Ascii,
        DataType::Custom(name, _) if own(&name.to_string()).is_some() => {
            own(&name.to_string()).expect("it is looked at above")
        }
        DataType::Char(_) | DataType::Character(_) => {
            return Err(format!("{ty} is padded with blanks: use varchar or text"));
        }
        other => {
            return Err(format!(
                "{other} is not supported: use a signed integer, numeric(P,S), real, double precision, boolean, \
                 text, varchar, bytea, blob, uuid, date, time or timestamp"
            ));
        }
    };
    Ok(plain.into())
}

/// Types that only CQL has. Its `decimal` is another one: a keyword.
fn own(name: &str) -> Option<Type> {
    let all = [
        Type::Inet,
        Type::Varint,
        Type::Duration,
        Type::TimeUuid,
        Type::Counter,
    ];
    all.into_iter()
        .find(|ty| name.eq_ignore_ascii_case(&ty.to_string()))
}

const fn zoned(zone: &TimezoneInfo) -> bool {
    matches!(zone, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz)
}

fn numeric(ty: &DataType, info: &ExactNumberInfo) -> Result<Read, String> {
    let (precision, scale) = match info {
        ExactNumberInfo::None => return Err(format!("{ty} leaves its scale open: write numeric(P,S)")),
        ExactNumberInfo::Precision(precision) => (*precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (*precision, *scale),
    };
    match (u8::try_from(precision), u8::try_from(scale)) {
        (Ok(precision @ 1..=38), Ok(scale)) if scale <= precision => {
            Ok(Type::Numeric { precision, scale }.into())
        }
        _ => Err(format!(
            "{ty} is not supported: precision is 1 to 38 and scale 0 to precision"
        )),
    }
}

fn seconds(ty: Type, digits: Option<u64>) -> Result<Read, String> {
    match digits {
        None => Ok(ty.into()),
        Some(digits @ 0..=6) => Ok(Read {
            subsecond_digits: u8::try_from(digits).ok(),
            ..ty.into()
        }),
        Some(digits) => Err(format!(
            "{digits} digits of a second are not supported: at most 6 are"
        )),
    }
}

fn characters(length: Option<&CharacterLength>) -> Option<u32> {
    match length? {
        CharacterLength::IntegerLength { length, .. } => u32::try_from(*length).ok(),
        CharacterLength::Max => None,
    }
}
