//! Composites in order: of each part a table of few values of its own domain, and numbers for all their combinations.
//!
//! ```text
//!  fixed number of parts (tuple, udt, vector)   digits, the first part the highest; of fields 0 is NULL
//!  list          the empty one, then each first element with all its continuations: a trie, from above
//!  set, map      the same trie, but a continuation takes only elements (keys) behind the last
//! ```
//!
//! A list that is not frozen is numbered as the set of what is in it: how often and in which order that stands there is the
//! affair of the server's clock, see [`Elements::settled`].
//!
//! What is not frozen has no empty value: a database keeps it as nothing at all, which is NULL. Its elements are told apart by
//! *slots*: an element of a set, a key of a map, a field. See [`Elements`].

mod inside;

use super::{Domain, DomainError, Limits};
use crate::stream::{below, mix};
use crate::value::{Composite, Kind, Type, Value};

pub use inside::{Inner, Inside};

/// Values of a part, where there are so many.
const TABLE: u64 = 256;
/// Of a part that is a cell of its own, so that equal timestamps meet equal and unequal values.
const CELLS: u64 = 64;
/// Elements that a set can have, keys that a map can have.
const SLOTS: u64 = 6;
/// Elements that a list which is not frozen can have, each any number of times.
const LISTED: u64 = 10;
/// The longest list.
const LIST_MAX: u32 = 5;
/// Descriptors are below 2^63.
const BITS: u32 = 63;
/// The longest text within a composite, in bytes.
const TEXT_MAX: u32 = 100;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct CompositeBase {
    composite: &'static Composite,
    /// As what it is numbered.
    kind: Kind,
    parts: Vec<Part>,
    /// 0, or 1 where the least combination is no value.
    first: u64,
    size: u64,
}

/// Chosen values of a part's domain, ascending.
#[derive(Clone, Debug)]
struct Part {
    domain: Domain,
    table: Vec<u64>,
}

impl Part {
    fn new(ty: Type, limits: &Limits, most: u64) -> Result<Part, DomainError> {
        let limits = limits.for_key(TEXT_MAX);
        let domain = Domain::new(ty, limits)?;
        let size = domain.size();
        let table = match u64::try_from(size) {
            Ok(size) if size <= most => (0..size).collect(),
            _ => {
                // A half of special values, spread over all there are; the others are spread over the domain.
                let specials = domain.specials();
                let half = (specials.len() as u64).min(most / 2);
                let special = |i: u64| specials[(i * specials.len() as u64 / half) as usize];
                let step = u64::try_from(size / u128::from(most - half)).unwrap_or(u64::MAX);
                let spread = |i: u64| i * step + below(mix(i ^ 0x428a_2f98_d728_ae22), step);
                let mut all: Vec<u64> = (0..half).map(special).collect();
                all.extend((0..most - half).map(spread));
                all.sort_unstable();
                all.dedup();
                all
            }
        };
        Ok(Part { domain, table })
    }

    fn len(&self) -> u64 {
        self.table.len() as u64
    }

    fn value(&self, i: u64) -> Value {
        self.domain.inflate(self.table[i as usize])
    }

    fn number(&self, value: &Value) -> Option<u64> {
        let d = self.domain.deflate(value)?;
        self.table.binary_search(&d).ok().map(|i| i as u64)
    }
}

impl CompositeBase {
    pub(super) fn new(composite: &'static Composite, limits: &Limits) -> Result<CompositeBase, DomainError> {
        let kind = match composite.kind {
            Kind::List if composite.has_cells() => Kind::Set,
            kind => kind,
        };
        let fixed = match kind {
            Kind::Vector(count) => u32::from(count),
            Kind::Tuple | Kind::Udt => composite.parts.len() as u32,
            Kind::List | Kind::Set | Kind::Map => 1,
        };
        let most = |i: usize| match kind {
            Kind::List => TABLE,
            Kind::Set if composite.kind == Kind::List => LISTED,
            Kind::Set => SLOTS,
            Kind::Map if i == 0 => SLOTS,
            Kind::Map | Kind::Udt => CELLS.min((1 << (BITS / fixed)) - 1),
            Kind::Tuple | Kind::Vector(_) => TABLE.min((1 << (BITS / fixed)) - 1),
        };
        let parts = composite.parts.iter().enumerate();
        let parts: Result<Vec<Part>, DomainError> =
            parts.map(|(i, ty)| Part::new(*ty, limits, most(i))).collect();
        let mut made = CompositeBase {
            composite,
            kind,
            parts: parts?,
            first: u64::from(!composite.frozen),
            size: 0,
        };
        made.size = made.combinations() - made.first;
        Ok(made)
    }

    fn combinations(&self) -> u64 {
        let fields = |base: u64| self.parts.iter().map(move |part| part.len() + base);
        match self.kind {
            Kind::List => self.lists(LIST_MAX),
            Kind::Set | Kind::Map => self.maps(0),
            Kind::Tuple | Kind::Udt => fields(1).product(),
            Kind::Vector(count) => self.parts[0].len().pow(u32::from(count)),
        }
    }

    /// Lists of at most so many elements.
    fn lists(&self, length: u32) -> u64 {
        let n = self.parts[0].len();
        (0..=length).map(|l| n.pow(l)).sum()
    }

    /// Sets of elements, or maps of keys, from number `from` on.
    fn maps(&self, from: u64) -> u64 {
        let left = u32::try_from(self.parts[0].len() - from).expect("few keys");
        (self.values() + 1).pow(left)
    }

    /// How many values a key may have; 1 in a set.
    fn values(&self) -> u64 {
        self.parts.get(1).map_or(1, Part::len)
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn inflate(&self, d: u64) -> Value {
        let mut rank = d + self.first;
        let mut out = Vec::new();
        match self.kind {
            Kind::List => out.extend(self.listed(rank).into_iter().map(|n| self.parts[0].value(n))),
            Kind::Set | Kind::Map => {
                for (slot, v) in self.entries(rank) {
                    out.push(self.parts[0].value(slot as u64));
                    out.extend(self.parts.get(1).map(|part| part.value(v)));
                }
            }
            Kind::Tuple | Kind::Udt => {
                let mut each = self.combinations();
                for part in &self.parts {
                    each /= part.len() + 1;
                    let digit = rank / each;
                    rank %= each;
                    out.push(digit.checked_sub(1).map_or(Value::Null, |i| part.value(i)));
                }
            }
            Kind::Vector(count) => {
                let part = &self.parts[0];
                for i in (0..u32::from(count)).rev() {
                    let each = part.len().pow(i);
                    out.push(part.value(rank / each));
                    rank %= each;
                }
            }
        }
        Value::Composite(out.into())
    }

    pub(super) fn deflate(&self, value: &Value) -> Option<u64> {
        let Value::Composite(values) = value else {
            return None;
        };
        let rank = match self.kind {
            Kind::List => {
                let mut left = LIST_MAX;
                let mut rank = 0;
                for value in values {
                    left = left.checked_sub(1)?;
                    rank += 1 + self.parts[0].number(value)? * self.lists(left);
                }
                rank
            }
            Kind::Set | Kind::Map => {
                let width = self.parts.len();
                if values.len() % width != 0 {
                    return None;
                }
                let mut entries = Vec::new();
                for pair in values.chunks(width) {
                    let slot = self.parts[0].number(&pair[0])? as usize;
                    if entries.last().is_some_and(|(last, _)| *last >= slot) {
                        return None;
                    }
                    let v = match self.parts.get(1) {
                        Some(part) => part.number(&pair[1])?,
                        None => 0,
                    };
                    entries.push((slot, v));
                }
                self.rank(&entries)
            }
            Kind::Tuple | Kind::Udt => {
                if values.len() != self.parts.len() {
                    return None;
                }
                let mut fields = self.parts.iter().zip(values);
                fields.try_fold(0, |rank, (part, value)| {
                    let digit = match value {
                        Value::Null => 0,
                        value => part.number(value)? + 1,
                    };
                    Some(rank * (part.len() + 1) + digit)
                })?
            }
            Kind::Vector(count) => {
                if values.len() != usize::from(count) {
                    return None;
                }
                let part = &self.parts[0];
                values
                    .iter()
                    .try_fold(0, |rank, value| Some(rank * part.len() + part.number(value)?))?
            }
        };
        rank.checked_sub(self.first)
    }

    /// The numbers of a list's elements.
    fn listed(&self, mut rank: u64) -> Vec<u64> {
        let (mut left, mut out) = (LIST_MAX, Vec::new());
        while rank > 0 {
            left -= 1;
            let each = self.lists(left);
            out.push((rank - 1) / each);
            rank = (rank - 1) % each;
        }
        out
    }

    /// The number of a set or map among those of its elements or keys.
    fn rank(&self, entries: &[(usize, u64)]) -> u64 {
        let (mut rank, mut from) = (0, 0);
        for (slot, v) in entries {
            let slot = *slot as u64;
            let before: u64 = (from..slot).map(|key| self.values() * self.maps(key + 1)).sum();
            rank += 1 + before + v * self.maps(slot + 1);
            from = slot + 1;
        }
        rank
    }

    /// The inverse of [`CompositeBase::rank`].
    fn entries(&self, mut rank: u64) -> Vec<(usize, u64)> {
        let (mut out, mut key) = (Vec::new(), 0);
        while rank > 0 {
            rank -= 1;
            let mut each = self.maps(key + 1);
            while rank >= self.values() * each {
                rank -= self.values() * each;
                key += 1;
                each = self.maps(key + 1);
            }
            out.push((key as usize, rank / each));
            rank %= each;
            key += 1;
        }
        out
    }
}

/// The elements of a list, set, map or user-defined type that are cells of their own: each has a slot, in the order of elements,
/// keys or fields, and in it one of a number of values (of a set: one, 0). An element of a list is written in front of the others
/// or behind them, and stands for all of its kind.
#[derive(Clone, Copy, Debug)]
pub struct Elements<'a>(&'a CompositeBase);

impl<'a> Elements<'a> {
    /// Of a list: an element is added behind all others.
    pub const BEHIND: u64 = 0;
    /// Of a list: an element is added in front of all others.
    pub const IN_FRONT: u64 = 1;

    pub(super) fn of(base: &'a CompositeBase) -> Option<Elements<'a>> {
        base.composite.has_cells().then_some(Elements(base))
    }

    /// Whether they are of a list: then they are only added, behind the others ([`Elements::BEHIND`]) or in front of them.
    #[must_use]
    pub fn are_listed(&self) -> bool {
        self.0.composite.kind == Kind::List
    }

    /// What is left when an element was written with a number: of a list, that it is there.
    #[must_use]
    pub fn kept(&self, number: u64) -> u64 {
        if self.are_listed() { 0 } else { number }
    }

    /// A list as the set of what is in it, and the slot of each of its elements in turn; `None`: it is no list of these elements.
    #[must_use]
    pub fn settled(&self, list: &Value) -> Option<(Value, Vec<usize>)> {
        let (Value::Composite(all), true) = (list, self.are_listed()) else {
            return None;
        };
        let slot = |value| self.0.parts[0].number(value).map(|slot| slot as usize);
        let slots: Vec<usize> = all.iter().map(slot).collect::<Option<_>>()?;
        let mut each = slots.clone();
        each.sort_unstable();
        each.dedup();
        let values = each.into_iter().map(|slot| self.0.parts[0].value(slot as u64));
        Some((Value::Composite(values.collect()), slots))
    }

    /// How many slots there are.
    #[must_use]
    pub fn slots(&self) -> usize {
        match self.0.composite.kind {
            Kind::Udt => self.0.parts.len(),
            _ => self.0.parts[0].table.len(),
        }
    }

    /// How many values a slot can have; they are numbered from 0 in their order.
    #[must_use]
    pub fn values(&self, slot: usize) -> u64 {
        match self.0.composite.kind {
            Kind::Udt => self.0.parts[slot].len(),
            Kind::List => Elements::IN_FRONT + 1,
            _ => self.0.values(),
        }
    }

    /// The element of a set or key of a map in a slot; `None` of a field, which has a name.
    #[must_use]
    pub fn key(&self, slot: usize) -> Option<Value> {
        (self.0.composite.kind != Kind::Udt).then(|| self.0.parts[0].value(slot as u64))
    }

    /// A value of a map's key or of a field; `None` in a set.
    #[must_use]
    pub fn value(&self, slot: usize, number: u64) -> Option<Value> {
        let part = match self.0.composite.kind {
            Kind::Udt => self.0.parts.get(slot),
            _ => self.0.parts.get(1),
        };
        part.map(|part| part.value(number))
    }

    /// The type of a map's values or of a field; `None` in a set.
    #[must_use]
    pub fn value_type(&self, slot: usize) -> Option<Type> {
        let parts = &self.0.composite.parts;
        match self.0.composite.kind {
            Kind::Udt => parts.get(slot).copied(),
            _ => parts.get(1).copied(),
        }
    }

    /// The slots of a descriptor's value that hold something, ascending, with what. Inverse: [`Elements::join`].
    #[must_use]
    pub fn split(&self, descriptor: u64) -> Vec<(usize, u64)> {
        let rank = descriptor + self.0.first;
        if self.0.composite.kind != Kind::Udt {
            return self.0.entries(rank);
        }
        let (mut rank, mut each, mut out) = (rank, self.0.combinations(), Vec::new());
        for (slot, part) in self.0.parts.iter().enumerate() {
            each /= part.len() + 1;
            out.extend((rank / each).checked_sub(1).map(|v| (slot, v)));
            rank %= each;
        }
        out
    }

    /// The descriptor of the value that holds this in these slots, ascending, and nothing in the others; `None` where all are
    /// empty.
    #[must_use]
    pub fn join(&self, entries: &[(usize, u64)]) -> Option<u64> {
        let rank = match self.0.composite.kind {
            Kind::Udt => {
                let digit = |slot| entries.iter().find(|(s, _)| *s == slot).map_or(0, |(_, v)| v + 1);
                let parts = self.0.parts.iter().enumerate();
                parts.fold(0, |rank, (slot, part)| rank * (part.len() + 1) + digit(slot))
            }
            _ => self.0.rank(entries),
        };
        rank.checked_sub(self.0.first)
    }
}
