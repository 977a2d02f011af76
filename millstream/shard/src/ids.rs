//! Names of things: shards, readers, writers, versions, tokens.
//!
//! Must not know what the things are. Fresh ids come from [`IdSource`] alone, which a test seeds.
//!
//! Invariants:
//! 1. `Display` and `FromStr` are inverses.
//! 2. No id is made twice by one source, nor by two sources with different seeds (up to 2^-64).

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

impl ShardId {
    /// A small number, evenly spread over shards: for what shards should do at different times.
    pub(crate) fn spread(self) -> u64 {
        mix(self.0 as u64 ^ (self.0 >> 64) as u64) >> 32
    }
}

/// Text that is not an id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {kind}: expected `{prefix}` and a uuid")]
pub struct ParseIdError {
    text: String,
    kind: &'static str,
    prefix: char,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(u128);

        impl $name {
            /// The id with these 128 bits.
            pub const fn from_bits(bits: u128) -> Self {
                $name(bits)
            }

            /// The 128 bits of this id.
            pub const fn bits(self) -> u128 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", $prefix, Uuid::from_u128(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                text.strip_prefix($prefix)
                    .and_then(|rest| Uuid::try_parse(rest).ok())
                    .map(|uuid| $name(uuid.as_u128()))
                    .ok_or_else(|| ParseIdError { text: text.to_owned(), kind: $kind, prefix: $prefix })
            }
        }
    };
}

id!(
    /// One durable collection. Prints as `s` and a uuid.
    ShardId, 's', "shard id"
);
id!(
    /// One leased reader of a shard. Prints as `r` and a uuid.
    ReaderId, 'r', "reader id"
);
id!(
    /// One critical reader: a hold on `since` that outlives every process. Prints as `c` and a uuid.
    CriticalId, 'c', "critical reader id"
);
id!(
    /// One writer of a shard. Prints as `w` and a uuid.
    WriterId, 'w', "writer id"
);
id!(
    /// Names one append, so that a retry of it is recognised. Prints as `t` and a uuid.
    Token, 't', "idempotency token"
);

/// A version number of a shard's state. The first committed version is `v1`; each next is one more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SeqNo(u64);

impl SeqNo {
    /// Before the first version.
    pub const ZERO: SeqNo = SeqNo(0);
    /// The first version of every shard.
    pub const FIRST: SeqNo = SeqNo(1);
    /// The greatest version: SQL's `bigint` holds it.
    pub const MAX: SeqNo = SeqNo(i64::MAX as u64);

    /// The version with this number; none above [`SeqNo::MAX`].
    pub const fn new(number: u64) -> Option<SeqNo> {
        if number <= SeqNo::MAX.0 {
            Some(SeqNo(number))
        } else {
            None
        }
    }

    /// The next version.
    ///
    /// # Panics
    /// At [`SeqNo::MAX`], which no shard can reach.
    pub fn next(self) -> SeqNo {
        SeqNo::new(self.0 + 1).expect("fewer than 2^63 versions")
    }

    /// The number itself.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for SeqNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

impl fmt::Debug for SeqNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Makes fresh ids: random in production, a function of the seed in tests.
#[derive(Debug)]
pub struct IdSource {
    seed: u128,
    next: AtomicU64,
}

impl IdSource {
    /// Ids that nobody else has.
    pub fn random() -> IdSource {
        IdSource {
            seed: Uuid::new_v4().as_u128(),
            next: AtomicU64::new(1),
        }
    }

    /// Ids that are a function of `seed` and of how many were drawn before.
    pub fn seeded(seed: u64) -> IdSource {
        IdSource {
            seed: u128::from(seed),
            next: AtomicU64::new(1),
        }
    }

    /// Fresh 128 bits.
    pub fn fresh(&self) -> u128 {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        let high = mix((self.seed as u64) ^ mix(index));
        let low = mix(((self.seed >> 64) as u64).wrapping_add(high) ^ mix(index.rotate_left(32) ^ high));
        (u128::from(high) << 64) | u128::from(low)
    }

    /// A fresh shard id.
    pub fn shard(&self) -> ShardId {
        ShardId(self.fresh())
    }

    /// A fresh writer id.
    pub fn writer(&self) -> WriterId {
        WriterId(self.fresh())
    }

    /// A fresh leased reader id.
    pub fn reader(&self) -> ReaderId {
        ReaderId(self.fresh())
    }

    /// A fresh append token.
    pub fn token(&self) -> Token {
        Token(self.fresh())
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection whose output bits all depend on
/// all input bits.
pub fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests;
