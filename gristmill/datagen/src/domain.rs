//! One column on one set of targets: descriptors `0..size` and the values they stand for, in order.
//!
//! ```text
//!  base       b0   b1   b2        b3   b4     a bijection of the type, by arithmetic and tables
//!  specials           ▲    s0  s1    ▲        boundary and awkward values, sorted in between
//!  descriptor 0    1   2    3   4    5   6
//! ```
//!
//! A special value that the base reaches anyway (the smallest integer) is only pointed at. How often
//! specials are taken is decided where a descriptor is *drawn*, never by `inflate`.
//!
//! This module must not know SQL, targets or rows. Invariants:
//!
//! 1. `deflate(inflate(d)) == Some(d)`; `deflate(v)` is `None` for every value that is no image.
//! 2. `a < b` means `inflate(a)` stands before `inflate(b)` under [`Value::compare`]; only −0 and 0,
//!    where the limits keep both, compare equal.
//! 3. With [`Limits::identity`] the order of invariant 2 is strict.
//! 4. `deflate` looks at the whole value: one changed byte anywhere is noticed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::stream::{below, mix};
use crate::value::{Nulls, Type, Value};

mod base;
mod bytes;
mod composite;
mod float;
mod grid;
mod limits;
mod own;
mod specials;
mod text;

use base::Base;
pub use composite::{Elements, Inner, Inside};
pub use limits::{KEY_BYTES_MAX, Limits};

/// How often a draw takes a special value, as a ratio of integers. Written as `1/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate {
    num: u32,
    den: u32,
}

impl Rate {
    /// Never.
    pub const NEVER: Rate = Rate { num: 0, den: 1 };

    /// `num` of `den` draws; `None` when `den` is 0 or `num` above it.
    #[must_use]
    pub const fn new(num: u32, den: u32) -> Option<Rate> {
        if den == 0 || num > den {
            None
        } else {
            Some(Rate { num, den })
        }
    }

    /// Whether this draw is a hit.
    #[inline]
    #[must_use]
    pub const fn hits(self, draw: u64) -> bool {
        below(draw, self.den as u64) < self.num as u64
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.num, self.den)
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> String {
        rate.to_string()
    }
}

impl TryFrom<String> for Rate {
    type Error = String;

    fn try_from(text: String) -> Result<Rate, String> {
        let parts = text
            .split_once('/')
            .and_then(|(num, den)| Some((num.trim().parse().ok()?, den.trim().parse().ok()?)));
        parts
            .and_then(|(num, den)| Rate::new(num, den))
            .ok_or_else(|| format!("`{text}` is no rate: write a ratio from 0 to 1, such as 1/16"))
    }
}

/// What a cell holds, as a number: left out of the statement, NULL, or the value of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cell {
    /// The statement does not name the column.
    Unset,
    /// NULL.
    Null,
    /// The value of this descriptor.
    Of(u64),
}

/// Why a type with these limits has no domain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DomainError {
    /// A decimal that cannot be.
    #[error("numeric({precision},{scale}) is impossible: precision is 1 to 38 and scale at most precision")]
    Numeric {
        /// All digits.
        precision: u8,
        /// Digits behind the point.
        scale: u8,
    },
    /// The limits keep no year.
    #[error("years {from} to {to} hold no day: give year_min <= year_max within -4712 to 292000")]
    Years {
        /// First year.
        from: i32,
        /// Last year.
        to: i32,
    },
    /// The limits keep no digit or too many.
    #[error("{name} = {value} is impossible: it is {least} to {most}")]
    Digits {
        /// The limit.
        name: &'static str,
        /// What was given.
        value: u8,
        /// Least possible.
        least: u8,
        /// Most possible.
        most: u8,
    },
    /// The limits keep no text or no bytes at all.
    #[error("{ty} with {name} = 0 and no empty values holds nothing: raise {name}")]
    Empty {
        /// The type.
        ty: Type,
        /// The limit.
        name: &'static str,
    },
}

/// The descriptor of 0 in a counter's domain, which has every number of 64 bits: descriptors of sums differ by what is added.
pub const COUNTER_ZERO: u64 = 1 << 63;

/// The values of one column, numbered in order. See the module.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Domain {
    ty: Type,
    limits: Limits,
    base: Base,
    /// The greatest descriptor.
    last: u64,
    /// Specials that the base does not reach, ascending.
    extras: Vec<Extra>,
    /// All specials' descriptors, ascending.
    specials: Vec<u64>,
    /// Their names, side by side with `specials`.
    names: Vec<&'static str>,
}

#[derive(Clone)]
struct Extra {
    descriptor: u64,
    value: Value,
    encoded: Box<[u8]>,
}

/// A domain is a function of its type and limits: these are what a plan stores.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(rename = "type")]
    ty: Type,
    limits: Limits,
}

impl TryFrom<Written> for Domain {
    type Error = DomainError;

    fn try_from(written: Written) -> Result<Domain, DomainError> {
        Domain::new(written.ty, written.limits)
    }
}

impl From<Domain> for Written {
    fn from(domain: Domain) -> Written {
        Written {
            ty: domain.ty,
            limits: domain.limits,
        }
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Domain")
            .field("ty", &self.ty)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl PartialEq for Domain {
    fn eq(&self, other: &Domain) -> bool {
        (self.ty, &self.limits) == (other.ty, &other.limits)
    }
}

impl Eq for Domain {}

impl Domain {
    /// The values of `ty` that targets with these limits can keep.
    ///
    /// # Errors
    /// When there is no such value or type.
    pub fn new(ty: Type, limits: Limits) -> Result<Domain, DomainError> {
        limits.check()?;
        let base = Base::new(ty, &limits)?;
        let (extras, specials, names) = match &base {
            // Least and greatest; what is awkward is within.
            Base::Composite(composite) => (
                Vec::new(),
                [0, composite.size() - 1][..composite.size().min(2) as usize].to_vec(),
                ["least", "greatest"][..composite.size().min(2) as usize].to_vec(),
            ),
            base => specials::place(base, specials::of(ty, &limits)),
        };
        let last =
            u64::try_from(base.size() - 1 + extras.len() as u128).expect("a domain has at most 2^64 values");
        Ok(Domain {
            ty,
            limits,
            base,
            last,
            extras,
            specials,
            names,
        })
    }

    /// How many values `ty` has without the specials that stand outside its bijection, made quickly;
    /// 0 where there is no domain.
    pub(crate) fn about(ty: Type, limits: &Limits) -> u128 {
        Base::new(ty, limits).map_or(0, |base| base.size())
    }

    /// The column's type.
    #[must_use]
    pub const fn ty(&self) -> Type {
        self.ty
    }

    /// What the targets can keep.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How many values there are: 1 to 2^64.
    #[must_use]
    pub fn size(&self) -> u128 {
        u128::from(self.last) + 1
    }

    /// The value of a descriptor. Inverse: [`Domain::deflate`].
    ///
    /// # Panics
    /// When `descriptor` is not below [`Domain::size`].
    #[must_use]
    pub fn inflate(&self, descriptor: u64) -> Value {
        match self.split(descriptor) {
            Ok(of_base) => self.base.inflate(of_base),
            Err(extra) => extra.value.clone(),
        }
    }

    /// Appends the canonical encoding of [`Domain::inflate`], without an allocation of its own.
    ///
    /// # Panics
    /// When `descriptor` is not below [`Domain::size`].
    #[inline]
    pub fn inflate_into(&self, descriptor: u64, into: &mut Vec<u8>) {
        match self.split(descriptor) {
            Ok(of_base) => self.base.inflate_into(of_base, into),
            Err(extra) => into.extend_from_slice(&extra.encoded),
        }
    }

    /// The descriptor of a value, or `None` when it is nobody's image: NULL, another type, another
    /// scale, outside the limits, or damaged anywhere. Every NaN is the one NaN.
    #[must_use]
    pub fn deflate(&self, value: &Value) -> Option<u64> {
        if let Some(extra) = self.extras.iter().find(|extra| extra.value == *value) {
            return Some(extra.descriptor);
        }
        let of_base = self.base.deflate(value)?;
        // The i-th extra stands before this value when at most `of_base` base values stand before it.
        let before = self
            .extras
            .iter()
            .zip(0..)
            .take_while(|(extra, i)| extra.descriptor - i <= of_base)
            .count();
        Some(of_base + before as u64)
    }

    /// The value of a cell; `None` when it is unset.
    ///
    /// # Panics
    /// When a descriptor is not below [`Domain::size`].
    #[must_use]
    pub fn inflate_cell(&self, cell: Cell) -> Option<Value> {
        match cell {
            Cell::Unset => None,
            Cell::Null => Some(Value::Null),
            Cell::Of(descriptor) => Some(self.inflate(descriptor)),
        }
    }

    /// The cell of a value (`None`: the column was left out), the inverse of
    /// [`Domain::inflate_cell`]; `None` when the value is nobody's image.
    #[must_use]
    pub fn deflate_cell(&self, value: Option<&Value>) -> Option<Cell> {
        match value {
            None => Some(Cell::Unset),
            Some(Value::Null) => Some(Cell::Null),
            Some(value) => self.deflate(value).map(Cell::Of),
        }
    }

    /// The first descriptor whose value does not stand before `value`; [`Domain::size`] when all do.
    ///
    /// `value` may be any value of the column's type, in the domain or not: a bound of a range.
    #[must_use]
    pub fn lower_bound(&self, value: &Value) -> u128 {
        let before = self
            .extras
            .partition_point(|extra| extra.value.compare(value, Nulls::First).is_lt());
        self.base.rank(value) + before as u128
    }

    /// The descriptors of boundary and awkward values, ascending, each once.
    #[must_use]
    pub fn specials(&self) -> &[u64] {
        &self.specials
    }

    /// What is special about a descriptor: `min`, `empty`, `minus zero`, …
    #[must_use]
    pub fn special_name(&self, descriptor: u64) -> Option<&'static str> {
        self.specials
            .binary_search(&descriptor)
            .ok()
            .map(|i| self.names[i])
    }

    /// The descriptor of the special value with this name.
    #[must_use]
    pub fn special(&self, name: &str) -> Option<u64> {
        self.names
            .iter()
            .position(|n| *n == name)
            .map(|i| self.specials[i])
    }

    /// A descriptor from one draw: a special at `rate`, else any, evenly.
    #[inline]
    #[must_use]
    pub fn draw(&self, bits: u64, rate: Rate) -> u64 {
        if rate.num > 0 && !self.specials.is_empty() && rate.hits(mix(bits ^ 0x5be0_cd19_137e_2179)) {
            let i = below(mix(bits ^ 0x1f83_d9ab_fb41_bd6b), self.specials.len() as u64);
            return self.specials[i as usize];
        }
        match u64::try_from(self.size()) {
            Ok(size) => below(bits, size),
            Err(_) => bits,
        }
    }

    /// The elements of a column whose elements are cells of their own; `None` of every other type.
    #[must_use]
    pub fn elements(&self) -> Option<Elements<'_>> {
        match &self.base {
            Base::Composite(base) => Elements::of(base),
            _ => None,
        }
    }

    /// The inside of a list, set or map, frozen or not; `None` of every other type.
    #[must_use]
    pub fn inside(&self) -> Option<Inside<'_>> {
        match &self.base {
            Base::Composite(base) => Inside::of(base),
            _ => None,
        }
    }

    /// The greatest absolute value of an integer or unscaled numeric, `None` for other types.
    ///
    /// `sum()` over `rows` rows is exact where `rows` times this fits the target's sum type.
    #[must_use]
    pub fn magnitude_max(&self) -> Option<u128> {
        self.base.magnitude_max()
    }

    /// The base descriptor, or the extra that stands here.
    #[inline]
    fn split(&self, descriptor: u64) -> Result<u64, &Extra> {
        assert!(descriptor <= self.last, "the descriptor is outside its domain");
        if self.extras.is_empty() {
            return Ok(descriptor);
        }
        let before = self.extras.partition_point(|extra| extra.descriptor < descriptor);
        match self.extras.get(before) {
            Some(extra) if extra.descriptor == descriptor => Err(extra),
            _ => Ok(descriptor - before as u64),
        }
    }
}

#[cfg(test)]
mod tests;
