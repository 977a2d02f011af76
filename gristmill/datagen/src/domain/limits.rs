//! What a target can keep, and what several targets can keep alike.

use serde::{Deserialize, Serialize};

use super::DomainError;
use crate::value::Type;

/// Bytes that text and bytes may have in all columns of one key or index together, unless the target takes fewer: servers
/// bound the size of an index entry.
pub const KEY_BYTES_MAX: u32 = 1000;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_usual(bytes: &u32) -> bool {
    *bytes == KEY_BYTES_MAX
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_not(holds: &bool) -> bool {
    !*holds
}

/// What a set of targets can keep of each type. The default is everything our types can say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Text may hold the character U+0000.
    pub nul_bytes: bool,
    /// Text may hold more than ASCII.
    pub unicode: bool,
    /// Text and bytes may be empty and stay so.
    pub empty: bool,
    /// Text may end in a blank and is then another text than the one without.
    pub trailing_blanks: bool,
    /// The longest text, in bytes of UTF-8.
    pub text_bytes_max: u32,
    /// The longest bytes.
    pub bytes_max: u32,
    /// Floats may be NaN.
    pub nan: bool,
    /// Floats may be infinite.
    pub infinities: bool,
    /// Floats may be −0 and come back as −0.
    pub negative_zero: bool,
    /// The most digits of a numeric, 1 to 38.
    pub numeric_digits: u8,
    /// The first year of dates and timestamps; year 0 is 1 BC.
    pub year_min: i32,
    /// The last year of dates and timestamps.
    pub year_max: i32,
    /// Decimal places of seconds, 0 to 6.
    pub subsecond_digits: u8,
    /// The most bytes of text or bytes in all columns of a key or an index together.
    #[serde(skip_serializing_if = "is_usual")]
    pub key_bytes_max: u32,
    /// Types other than text and bytes have a value of no bytes too, which is not NULL and stands before all others
    /// ([`Type::may_be_empty`]). Never in keys and indexes.
    #[serde(skip_serializing_if = "is_not")]
    pub empty_values: bool,
    /// Values that compare equal must be identical: for keys, indexes, GROUP BY, DISTINCT, min and max.
    pub identity: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            nul_bytes: true,
            unicode: true,
            empty: true,
            trailing_blanks: true,
            text_bytes_max: 10_000,
            bytes_max: 10_000,
            nan: true,
            infinities: true,
            negative_zero: true,
            numeric_digits: 38,
            year_min: 1,
            year_max: 9999,
            subsecond_digits: 6,
            key_bytes_max: KEY_BYTES_MAX,
            empty_values: false,
            identity: false,
        }
    }
}

impl Limits {
    /// What both can keep: for `--against`, where two targets must hold the same values.
    #[must_use]
    pub fn intersect(&self, other: &Limits) -> Limits {
        Limits {
            nul_bytes: self.nul_bytes && other.nul_bytes,
            unicode: self.unicode && other.unicode,
            empty: self.empty && other.empty,
            trailing_blanks: self.trailing_blanks && other.trailing_blanks,
            text_bytes_max: self.text_bytes_max.min(other.text_bytes_max),
            bytes_max: self.bytes_max.min(other.bytes_max),
            nan: self.nan && other.nan,
            infinities: self.infinities && other.infinities,
            negative_zero: self.negative_zero && other.negative_zero,
            numeric_digits: self.numeric_digits.min(other.numeric_digits),
            year_min: self.year_min.max(other.year_min),
            year_max: self.year_max.min(other.year_max),
            subsecond_digits: self.subsecond_digits.min(other.subsecond_digits),
            key_bytes_max: self.key_bytes_max.min(other.key_bytes_max),
            empty_values: self.empty_values && other.empty_values,
            identity: self.identity || other.identity,
        }
    }

    /// These limits where equal must mean identical, and values short enough to be indexed.
    ///
    /// `bytes_each` bounds text and bytes, because servers bound the bytes of an index entry; it is this column's share of
    /// [`KEY_BYTES_MAX`], and less where the target bounds them more.
    #[must_use]
    pub fn for_key(&self, bytes_each: u32) -> Limits {
        let share = u64::from(bytes_each) * u64::from(self.key_bytes_max) / u64::from(KEY_BYTES_MAX);
        let bytes_each = bytes_each.min(u32::try_from(share).unwrap_or(u32::MAX));
        Limits {
            empty_values: false,
            identity: true,
            text_bytes_max: self.text_bytes_max.min(bytes_each),
            bytes_max: self.bytes_max.min(bytes_each),
            ..self.clone()
        }
    }

    /// Whether the type has a value of no bytes, besides those that it has anyway.
    pub(super) fn has_empty(&self, ty: Type) -> bool {
        self.empty_values && ty.may_be_empty()
    }

    /// Whether −0 is a value of its own.
    pub(super) const fn minus_zero(&self) -> bool {
        self.negative_zero && !self.identity
    }

    pub(super) fn check(&self) -> Result<(), DomainError> {
        let (from, to) = (self.year_min, self.year_max);
        if from > to || from < -4712 || to > 292_000 {
            return Err(DomainError::Years { from, to });
        }
        let digits = [
            ("numeric_digits", self.numeric_digits, 1, 38),
            ("subsecond_digits", self.subsecond_digits, 0, 6),
        ];
        match digits
            .into_iter()
            .find(|(_, value, least, most)| !(least..=most).contains(&value))
        {
            Some((name, value, least, most)) => Err(DomainError::Digits {
                name,
                value,
                least,
                most,
            }),
            None => Ok(()),
        }
    }
}
