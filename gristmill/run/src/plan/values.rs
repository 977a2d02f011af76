//! Values of a plan that have a text of their own: `7b3f0c`, `10s`, `1/1000`, `first`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A text that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct NotA {
    /// What it should have been, with an example.
    pub expected: &'static str,
}

/// The seed of a run: a number, written in hexadecimal both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Seed(pub u64);

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl FromStr for Seed {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Seed, NotA> {
        let expected = "a number of 1 to 16 hexadecimal digits such as 7b3f0c";
        let digits = !text.is_empty() && text.len() <= 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let number = u64::from_str_radix(text, 16).ok().filter(|_| digits);
        number.map(Seed).ok_or(NotA { expected })
    }
}

/// A time span in whole milliseconds: `10s`, `1500ms`, `5m`, `2h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Millis(pub u64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ms if ms == 0 || ms % 1000 > 0 => write!(f, "{ms}ms"),
            ms if ms % 60_000 > 0 => write!(f, "{}s", ms / 1000),
            ms => write!(f, "{}m", ms / 60_000),
        }
    }
}

impl FromStr for Millis {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Millis, NotA> {
        let expected = NotA {
            expected: "a duration such as 10s, 5m",
        };
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = text[..digits].parse().map_err(|_| expected.clone())?;
        let unit = match &text[digits..] {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(expected),
        };
        number.checked_mul(unit).map(Millis).ok_or(expected)
    }
}

/// How often something happens: so many times of so many, `1/1000` or `0.1%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate {
    /// So many.
    pub num: u64,
    /// Of so many; not 0.
    pub den: u64,
}

impl Rate {
    /// Of a million, rounded down; at least 1 unless the rate is 0.
    pub fn per_million(self) -> u32 {
        let rate = u128::from(self.num) * 1_000_000 / u128::from(self.den);
        u32::try_from(rate.min(1_000_000))
            .expect("at most a million")
            .max(u32::from(self.num > 0))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.num, self.den)
    }
}

impl FromStr for Rate {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Rate, NotA> {
        let rate = if let Some(percent) = text.strip_suffix('%') {
            decimal(percent).and_then(|r| {
                Some(Rate {
                    num: r.num,
                    den: r.den.checked_mul(100)?,
                })
            })
        } else if text.contains('.') {
            decimal(text)
        } else {
            let (num, den) = text.split_once('/').unwrap_or((text, "1"));
            num.parse()
                .ok()
                .zip(den.parse().ok())
                .map(|(num, den)| Rate { num, den })
        };
        rate.filter(|r| r.den > 0 && r.num <= r.den).ok_or(NotA {
            expected: "a rate such as 1/1000, 0.001 or 0.1%",
        })
    }
}

/// A decimal fraction of at most nine places, exactly.
fn decimal(text: &str) -> Option<Rate> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let places = u32::try_from(part.len()).ok().filter(|n| *n < 10)?;
    let num = format!("{whole}{part}")
        .parse()
        .ok()
        .filter(|_| digits(whole) && digits(part))?;
    Some(Rate {
        num,
        den: 10u64.pow(places),
    })
}

/// So many a second: `200/s`; `200` is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PerSecond(pub u32);

impl fmt::Display for PerSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

impl FromStr for PerSecond {
    type Err = NotA;

    fn from_str(text: &str) -> Result<PerSecond, NotA> {
        let number = text.strip_suffix("/s").unwrap_or(text);
        let number = number.parse().ok().filter(|n| *n > 0);
        number.map(PerSecond).ok_or(NotA {
            expected: "a number a second such as 200/s",
        })
    }
}

/// When findings end the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Stop {
    /// At the first.
    First,
    /// Never.
    Never,
    /// At so many, repeats included.
    At(u64),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::First => f.write_str("first"),
            Stop::Never => f.write_str("never"),
            Stop::At(n) => n.fmt(f),
        }
    }
}

impl FromStr for Stop {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Stop, NotA> {
        match text {
            "first" => Ok(Stop::First),
            "never" => Ok(Stop::Never),
            n => n.parse().ok().filter(|n| *n > 0).map(Stop::At).ok_or(NotA {
                expected: "first, never or a number from 1",
            }),
        }
    }
}

impl Stop {
    /// Whether so many findings end the load.
    pub fn reached(self, findings: u64) -> bool {
        match self {
            Stop::First => findings > 0,
            Stop::Never => false,
            Stop::At(n) => findings >= n,
        }
    }
}

/// Takes the password out of a URL: `postgres://app:secret@db/shop` is `postgres://app@db/shop` and `secret`, with escapes
/// (`%40`) resolved. A password in the query (`?password=`) is taken out too.
pub fn split_password(url: &str) -> (String, Option<String>) {
    let (mut url, query) = match url.split_once('?') {
        Some((url, query)) => (url.to_owned(), Some(query)),
        None => (url.to_owned(), None),
    };
    let mut password = None;
    if let Some((scheme, rest)) = url.split_once("://") {
        let authority = rest.split('/').next().unwrap_or(rest);
        if let Some((user, secret)) = authority
            .rsplit_once('@')
            .and_then(|(info, _)| info.split_once(':'))
        {
            password = Some(unescape(secret));
            url = format!("{scheme}://{user}{}", &rest[user.len() + 1 + secret.len()..]);
        }
    }
    let mut kept = Vec::new();
    for pair in query.into_iter().flat_map(|q| q.split('&')) {
        match pair.strip_prefix("password=") {
            Some(secret) => password = Some(unescape(secret)),
            None => kept.push(pair),
        }
    }
    if !kept.is_empty() {
        url = format!("{url}?{}", kept.join("&"));
    }
    (url, password)
}

/// Resolves `%xx`; what is no escape stays.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = (*first == b'%').then(|| tail.get(..2)).flatten();
        let byte = escaped.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

macro_rules! as_text {
    ($($ty:ty),*) => {$(
        impl TryFrom<String> for $ty {
            type Error = NotA;
            fn try_from(text: String) -> Result<Self, NotA> {
                text.parse()
            }
        }
        impl From<$ty> for String {
            fn from(value: $ty) -> String {
                value.to_string()
            }
        }
    )*};
}
as_text!(Seed, Millis, Rate, PerSecond, Stop);
