//! The proleptic Gregorian calendar in integers: days since 1970-01-01 and back.
//!
//! It must not know time zones or leap seconds: a day has 86 400 000 000 microseconds.
//! Invariant: `days(civil(d)) == d`.
//!
//! Source: H. Hinnant, *chrono-Compatible Low-Level Date Algorithms*, 2013.

/// Microseconds of a day.
pub const DAY_US: i64 = 86_400_000_000;

/// A date by its fields. Year 0 is 1 BC, as in ISO 8601.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Civil {
    /// Astronomical year; may be negative.
    pub year: i32,
    /// 1..=12.
    pub month: u8,
    /// 1..=31.
    pub day: u8,
}

/// The date `days` after 1970-01-01. Inverse: [`days`].
#[must_use]
pub const fn civil(days: i32) -> Civil {
    let z = days as i64 + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = year_of_era + era * 400 + (month <= 2) as i64;
    Civil {
        year: year as i32,
        month: month as u8,
        day: day as u8,
    }
}

/// Days from 1970-01-01 to the date; it must exist. Inverse: [`civil`].
#[must_use]
pub const fn days(date: Civil) -> i32 {
    let year = date.year as i64 - (date.month <= 2) as i64;
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let march_month = (date.month as i64 + 9) % 12;
    let of_year = (153 * march_month + 2) / 5 + date.day as i64 - 1;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    (era * 146_097 + of_era - 719_468) as i32
}

#[cfg(test)]
mod tests;
