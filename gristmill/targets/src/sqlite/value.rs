//! Values to SQLite's storage classes and back, as `dialect::sqlite` declares the columns.
//!
//! A value of another class than the column's is passed on as what it is: it is nobody's image, and the judge says so.

use crate::cell::{Cell, put_text};
use crate::dialect::Want;
use datagen::value::Type;
use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, Value as Owned, ValueRef};

/// A parameter.
pub(crate) struct Bound<'a>(pub(crate) Cell<'a>);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let borrowed = |value| Ok(ToSqlOutput::Borrowed(value));
        match self.0 {
            Cell::Null => borrowed(ValueRef::Null),
            Cell::Bool(v) => borrowed(ValueRef::Integer(i64::from(v))),
            Cell::Int(v) | Cell::Time(v) | Cell::Timestamp(v) | Cell::TimestampTz(v) => {
                borrowed(ValueRef::Integer(v))
            }
            Cell::Date(v) => borrowed(ValueRef::Integer(i64::from(v))),
            Cell::Float32(v) => borrowed(ValueRef::Real(f64::from(v))),
            Cell::Float64(v) => borrowed(ValueRef::Real(v)),
            Cell::Numeric(v, _) => borrowed(ValueRef::Integer(
                i64::try_from(v).expect("the domain keeps to 18 digits"),
            )),
            Cell::Text(v) => borrowed(ValueRef::Text(v.as_bytes())),
            Cell::Bytes(v) => borrowed(ValueRef::Blob(v)),
            Cell::Composite(_) => unreachable!("composites are not offered"),
            Cell::Uuid(v) => Ok(ToSqlOutput::Owned(Owned::Blob(v.to_vec()))),
        }
    }
}

/// Appends a value of an answer in canonical bytes.
#[inline]
pub(crate) fn decode(value: ValueRef<'_>, want: Want, into: &mut Vec<u8>) {
    let cell = match (value, want) {
        (ValueRef::Null, _) => Cell::Null,
        (ValueRef::Integer(v), Want::Value(ty)) => integer(v, ty),
        (ValueRef::Integer(v), Want::Sum(Type::Numeric { scale, .. })) => Cell::Numeric(i128::from(v), scale),
        (ValueRef::Integer(v), Want::Count | Want::Sum(_) | Want::Stamp) => Cell::Int(v),
        (ValueRef::Real(v), Want::Value(Type::Float32)) => narrow(v),
        (ValueRef::Real(v), _) => Cell::Float64(v),
        (ValueRef::Text(v), _) => return put_text(v, into),
        (ValueRef::Blob(v), Want::Value(Type::Uuid)) => match v.try_into() {
            Ok(uuid) => Cell::Uuid(uuid),
            Err(_) => Cell::Bytes(v),
        },
        (ValueRef::Blob(v), _) => Cell::Bytes(v),
    };
    cell.put(into);
}

fn integer(v: i64, ty: Type) -> Cell<'static> {
    match ty {
        Type::Bool if v == 0 || v == 1 => Cell::Bool(v == 1),
        Type::Numeric { scale, .. } => Cell::Numeric(i128::from(v), scale),
        Type::Date => i32::try_from(v).map_or(Cell::Int(v), Cell::Date),
        Type::Time => Cell::Time(v),
        Type::Timestamp => Cell::Timestamp(v),
        Type::TimestampTz => Cell::TimestampTz(v),
        _ => Cell::Int(v),
    }
}

/// The 32-bit float that the 64-bit one is, if it is one.
fn narrow(v: f64) -> Cell<'static> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the line below looks whether anything was lost"
    )]
    let short = v as f32;
    if f64::from(short).to_bits() == v.to_bits() {
        Cell::Float32(short)
    } else {
        Cell::Float64(v)
    }
}
