//! What a collection can be asked: whether it holds an element, a key, a key with its value. Each of them has a number, in the
//! order of the values.

use super::CompositeBase;
use crate::value::{Kind, Type, Value};

/// What is asked of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Inner {
    /// An element of a list or set, a value of a map.
    Value,
    /// A key of a map.
    Key,
    /// A key of a map with its value.
    Entry,
}

/// The inside of a list, set or map, frozen or not.
#[derive(Clone, Copy, Debug)]
pub struct Inside<'a>(&'a CompositeBase);

impl<'a> Inside<'a> {
    pub(in crate::domain) fn of(base: &'a CompositeBase) -> Option<Inside<'a>> {
        matches!(base.composite.kind, Kind::List | Kind::Set | Kind::Map).then_some(Inside(base))
    }

    /// How many there are that may be asked for; 0: not of such a collection.
    #[must_use]
    pub fn count(&self, what: Inner) -> u64 {
        let parts = &self.0.parts;
        match (what, parts.get(1)) {
            (Inner::Value, values) => values.unwrap_or(&parts[0]).len(),
            (Inner::Key | Inner::Entry, None) => 0,
            (Inner::Key, Some(_)) => parts[0].len(),
            (Inner::Entry, Some(values)) => parts[0].len() * values.len(),
        }
    }

    /// What is asked for: a value, or a key and a value, with their types.
    ///
    /// # Panics
    /// When `number` is not below [`Inside::count`].
    #[must_use]
    pub fn asked(&self, what: Inner, number: u64) -> Vec<(Type, Value)> {
        assert!(number < self.count(what), "nothing in it has such a number");
        let (parts, types) = (&self.0.parts, &self.0.composite.parts);
        let part = |i: usize, n: u64| (types[i], parts[i].value(n));
        match what {
            Inner::Value => vec![part(parts.len() - 1, number)],
            Inner::Key => vec![part(0, number)],
            Inner::Entry => {
                let values = parts[1].len();
                vec![part(0, number / values), part(1, number % values)]
            }
        }
    }

    /// The numbers of what a value holds, in its order; of a list perhaps one several times.
    #[must_use]
    pub fn held(&self, descriptor: u64, what: Inner) -> Vec<u64> {
        let base = self.0;
        if base.kind == Kind::List {
            return match what {
                Inner::Value => base.listed(descriptor + base.first),
                Inner::Key | Inner::Entry => Vec::new(),
            };
        }
        let entries = base.entries(descriptor + base.first).into_iter();
        let number = |(slot, v): (usize, u64)| match (what, base.parts.get(1)) {
            (Inner::Value, None) | (Inner::Key, Some(_)) => Some(slot as u64),
            (Inner::Value, Some(_)) => Some(v),
            (Inner::Entry, Some(values)) => Some(slot as u64 * values.len() + v),
            (Inner::Key | Inner::Entry, None) => None,
        };
        entries.filter_map(number).collect()
    }

    /// Whether a value holds it.
    #[must_use]
    pub fn holds(&self, descriptor: u64, what: Inner, number: u64) -> bool {
        self.held(descriptor, what).contains(&number)
    }
}
