//! One cell where the greatest timestamp wins, and the rule between two writes of it.
//!
//! ```text
//!  greater timestamp  >  lesser one
//!  at one timestamp:  tombstone  >  value that expires  >  value that stays
//!  at one timestamp, both stay:     the target's rule between values (Ties)
//! ```
//!
//! A counter has no timestamp that anybody knows: what is added to it adds up.
//!
//! Invariants:
//! * L1 [`Cell::merge`] is commutative and associative, whatever the order in which writes are applied; and idempotent, but for
//!   what is added to counters, which is applied once.
//! * L2 two expiring values of one timestamp from different visits are decided by the server's clock, which nobody here
//!   knows: what is kept is marked, and whoever would compare it must not.

use datagen::domain::{COUNTER_ZERO, Domain};
use datagen::value::{Kind as Made, Type, Value};
use history::Ties;
use std::cmp::Ordering;

/// Below every timestamp that can be written: nothing.
pub(crate) const NEVER: i64 = i64::MIN;

/// A write that expires: an index into the partition's list of them, plus one; 0: it stays.
pub(crate) type Expiring = u32;

/// Two expiring writes that nobody here can tell apart.
pub(crate) const CLASH: Expiring = u32::MAX;

/// What a cell holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing was ever written, or what was is gone for good.
    Never,
    Tombstone,
    Value,
    /// What was added to a counter so far; of a write, what it adds.
    Sum,
}

/// A regular or shared cell, or a row's liveness (whose value is always 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) timestamp: i64,
    /// The descriptor; 0 unless `kind` is [`Kind::Value`] or [`Kind::Sum`].
    pub(crate) value: u64,
    pub(crate) kind: Kind,
    pub(crate) expiring: Expiring,
}

impl Cell {
    /// Nothing.
    pub(crate) const NOTHING: Cell = Cell {
        timestamp: NEVER,
        value: 0,
        kind: Kind::Never,
        expiring: 0,
    };

    /// What a write of `d` at a timestamp leaves; `None` is a tombstone.
    pub(crate) fn written(timestamp: i64, d: Option<u64>, expiring: Expiring) -> Cell {
        match d {
            Some(value) => Cell {
                timestamp,
                value,
                kind: Kind::Value,
                expiring,
            },
            None => Cell {
                timestamp,
                value: 0,
                kind: Kind::Tombstone,
                expiring: 0,
            },
        }
    }

    /// What adding `n` to a counter that is not there leaves.
    pub(crate) fn added(n: i64) -> Cell {
        Cell {
            timestamp: 0,
            value: COUNTER_ZERO.wrapping_add(n.cast_unsigned()),
            kind: Kind::Sum,
            expiring: 0,
        }
    }

    /// The sum of a counter, or what a write adds; `None` of every other cell.
    pub(crate) fn sum(&self) -> Option<i64> {
        (self.kind == Kind::Sum).then(|| self.value.wrapping_sub(COUNTER_ZERO).cast_signed())
    }

    /// Whether `new` would change this cell, under a deletion of everything up to `deleted`.
    #[inline]
    pub(crate) fn yields_to(&self, new: &Cell, deleted: i64, rule: &Rule<'_>) -> bool {
        if new.timestamp <= deleted {
            return false;
        }
        if new.kind == Kind::Sum {
            return true;
        }
        if self.timestamp != new.timestamp {
            return self.timestamp < new.timestamp;
        }
        self.loses_tie(new, rule)
    }

    #[cold]
    fn loses_tie(&self, new: &Cell, rule: &Rule<'_>) -> bool {
        let rank = |cell: &Cell| match (cell.kind, cell.expiring) {
            (Kind::Never, _) => 0,
            (Kind::Value, 0) | (Kind::Sum, _) => 1,
            (Kind::Value, _) => 2,
            (Kind::Tombstone, _) => 3,
        };
        match rank(self).cmp(&rank(new)) {
            Ordering::Less => true,
            Ordering::Greater => false,
            Ordering::Equal if self.kind != Kind::Value => false,
            Ordering::Equal if self.expiring != new.expiring => self.expiring != CLASH,
            Ordering::Equal => rule.compare(self.value, new.value).is_lt(),
        }
    }

    /// Takes a write in.
    #[inline]
    pub(crate) fn merge(&mut self, new: &Cell, deleted: i64, rule: &Rule<'_>) {
        if !self.yields_to(new, deleted, rule) {
            return;
        }
        if let (Some(a), Some(b)) = (self.sum(), new.sum()) {
            *self = Cell::added(a.wrapping_add(b));
            return;
        }
        let clash = self.timestamp == new.timestamp
            && self.kind == Kind::Value
            && new.kind == Kind::Value
            && self.expiring != 0
            && new.expiring != 0
            && self.expiring != new.expiring;
        *self = *new;
        if clash {
            // Which value it is nobody knows: one form for either order.
            (self.expiring, self.value) = (CLASH, 0);
        }
    }

    /// Takes a deletion of everything up to a timestamp in; whether that changed anything.
    #[inline]
    pub(crate) fn delete(&mut self, upto: i64) -> bool {
        let gone = self.kind != Kind::Never && self.timestamp <= upto;
        if gone {
            *self = Cell::NOTHING;
        }
        gone
    }
}

/// How two values of one timestamp are decided in one column.
pub(crate) struct Rule<'a> {
    pub(crate) ties: Ties,
    /// `None` for liveness, where all values are alike.
    pub(crate) domain: Option<&'a Domain>,
    /// Which element of the column's values it is about; `None` where the column is one cell.
    pub(crate) element: Option<usize>,
}

impl Rule<'_> {
    fn compare(&self, a: u64, b: u64) -> Ordering {
        match (self.ties, self.domain) {
            (_, None) => Ordering::Equal,
            // Descriptors are in the order of their values.
            (Ties::Greatest, Some(_)) => a.cmp(&b),
            (Ties::GreatestBytes, Some(domain)) => {
                let bytes = |d: u64| match (self.element, domain.elements()) {
                    // Elements of a set are alike.
                    (Some(slot), Some(elements)) => {
                        let ty = elements.value_type(slot);
                        ty.zip(elements.value(slot, d))
                            .map(|(ty, v)| tie_bytes_of(ty, &v))
                    }
                    _ => Some(tie_bytes_of(domain.ty(), &domain.inflate(d))),
                };
                bytes(a).cmp(&bytes(b))
            }
        }
    }
}

/// A value of a type as Cassandra serializes it, see [`tie_bytes`]; within a composite each part has its exact width.
fn tie_bytes_of(ty: Type, value: &Value) -> Vec<u8> {
    let (Type::Composite(composite), Value::Composite(parts)) = (ty, value) else {
        return exact(ty, value);
    };
    let counted = matches!(composite.kind, Made::List | Made::Set | Made::Map);
    let mut bytes = Vec::new();
    if counted {
        let width = composite.parts.len();
        let count = u32::try_from(parts.len() / width).expect("few elements");
        bytes.extend_from_slice(&count.to_be_bytes());
    }
    for (i, part) in parts.iter().enumerate() {
        let ty = composite.parts[i % composite.parts.len()];
        let inner = tie_bytes_of(ty, part);
        match (composite.kind, part) {
            (Made::Vector(_), _) => {}
            (_, Value::Null) => bytes.extend_from_slice(&(-1_i32).to_be_bytes()),
            _ => bytes.extend_from_slice(&u32::try_from(inner.len()).expect("a short part").to_be_bytes()),
        }
        bytes.extend(inner);
    }
    bytes
}

/// A scalar in the bytes of its type.
fn exact(ty: Type, value: &Value) -> Vec<u8> {
    let mut bytes = tie_bytes(value);
    if bytes.is_empty() {
        return bytes;
    }
    let width = match ty {
        Type::Int8 => 1,
        Type::Int16 => 2,
        Type::Int32 => 4,
        _ => return bytes_of(ty, value, bytes),
    };
    bytes.drain(..8_usize.saturating_sub(width));
    bytes
}

/// What Cassandra counts in other units than we do, or keeps without a scale.
fn bytes_of(ty: Type, value: &Value, bytes: Vec<u8>) -> Vec<u8> {
    match (ty, value) {
        (Type::Time, Value::Time(us)) => (us * 1000).to_be_bytes().to_vec(),
        (Type::Timestamp | Type::TimestampTz, Value::Timestamp(us) | Value::TimestampTz(us)) => {
            us.div_euclid(1000).to_be_bytes().to_vec()
        }
        (Type::Varint, Value::Numeric(..)) => bytes[4..].to_vec(),
        _ => bytes,
    }
}

/// A value as Cassandra serializes it, as far as the unsigned order of its bytes goes: the width of an integer does not
/// change that order, so all have eight bytes.
pub(crate) fn tie_bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::Null => Vec::new(),
        Value::Bool(b) => vec![u8::from(*b)],
        Value::Int(n) | Value::Time(n) | Value::Timestamp(n) | Value::TimestampTz(n) => {
            n.to_be_bytes().to_vec()
        }
        Value::Float32(x) => x.to_bits().to_be_bytes().to_vec(),
        Value::Float64(x) => x.to_bits().to_be_bytes().to_vec(),
        Value::Numeric(unscaled, scale) => {
            let mut bytes = i32::from(*scale).to_be_bytes().to_vec();
            bytes.extend_from_slice(minimal(&unscaled.to_be_bytes()));
            bytes
        }
        Value::Text(text) => text.as_bytes().to_vec(),
        Value::Bytes(bytes) => bytes.to_vec(),
        Value::Uuid(bytes) => bytes.to_vec(),
        Value::Composite(parts) => parts.iter().flat_map(tie_bytes).collect(),
        // Days are counted from the middle of an unsigned range.
        Value::Date(days) => (days.cast_unsigned() ^ 1 << 31).to_be_bytes().to_vec(),
    }
}

/// Two's complement in as few bytes as keep the sign.
fn minimal(bytes: &[u8]) -> &[u8] {
    let spare = |pair: &[u8]| (pair[0] == 0 && pair[1] < 0x80) || (pair[0] == 0xff && pair[1] >= 0x80);
    let start = bytes.windows(2).take_while(|pair| spare(pair)).count();
    &bytes[start..]
}
