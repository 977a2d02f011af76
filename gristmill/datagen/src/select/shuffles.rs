//! An endless row of shuffles of `[0, len)`, both ways.
//!
//! Each block, deck and round needs an order of its own, and asks for it millions of times a second. A [`Perm`]
//! can make any order, but costs more than what is done with it; so short ones are chosen from a few orders made
//! beforehand, each of them turned by a draw: `SHUFFLES * len` different ones. Long ones are made by [`Perm`].

use crate::perm::Perm;
use crate::stream::{Key, Stream, below, mix};

/// Orders made beforehand.
const SHUFFLES: u64 = 32;
/// The longest that are: 32 * 4096 * 2 * 2 bytes are half a megabyte.
const LEN_MAX: u64 = 4096;

/// Shuffle number `n` of `[0, len)`, for every n; a function of (key, n).
#[derive(Clone, Debug)]
pub struct Shuffles {
    key: Key,
    len: u64,
    /// `SHUFFLES` times `len` elements, and where each stands; empty where `len` is above `LEN_MAX`.
    order: Vec<u16>,
    place: Vec<u16>,
}

/// One of them, with what does not depend on the element worked out.
#[derive(Clone, Copy, Debug)]
pub struct Shuffle<'a>(Kind<'a>);

#[derive(Clone, Copy, Debug)]
enum Kind<'a> {
    Made {
        order: &'a [u16],
        place: &'a [u16],
        turn: u64,
    },
    Long(Perm),
}

impl Shuffles {
    /// Shuffles of `[0, len)` that `key` names.
    ///
    /// # Panics
    /// When `len` is 0 or above 2^63.
    pub fn new(key: u64, len: u64) -> Shuffles {
        let key = Key::new(key, Stream::Shuffle);
        let (mut order, mut place) = (Vec::new(), Vec::new());
        if len <= LEN_MAX {
            for number in 0..SHUFFLES {
                let perm = Perm::new(key.at(&[number, len]), len);
                order.extend((0..len).map(|i| perm.at(i) as u16));
                place.extend((0..len).map(|x| perm.index(x) as u16));
            }
        }
        Shuffles {
            key,
            len,
            order,
            place,
        }
    }

    /// The shuffle of block, deck or round `n`.
    #[inline]
    pub fn get(&self, n: u64) -> Shuffle<'_> {
        if self.len == 1 {
            return Shuffle(Kind::Made {
                order: &self.order[..1],
                place: &self.place[..1],
                turn: 0,
            });
        }
        let bits = self.key.at(&[n]);
        if self.order.is_empty() {
            return Shuffle(Kind::Long(Perm::new(bits, self.len)));
        }
        let first = (below(bits, SHUFFLES) * self.len) as usize;
        let range = first..first + self.len as usize;
        let turn = below(mix(bits), self.len);
        Shuffle(Kind::Made {
            order: &self.order[range.clone()],
            place: &self.place[range],
            turn,
        })
    }
}

impl Shuffle<'_> {
    /// The element at place `i`, which must be below the length. Inverse: [`Shuffle::index`].
    #[inline]
    pub fn at(&self, i: u64) -> u64 {
        match &self.0 {
            Kind::Made { order, turn, .. } => {
                let (at, len) = (i + turn, order.len() as u64);
                u64::from(order[(if at < len { at } else { at - len }) as usize])
            }
            Kind::Long(perm) => perm.at(i),
        }
    }

    /// The place of element `x`, the inverse of [`Shuffle::at`].
    #[inline]
    pub fn index(&self, x: u64) -> u64 {
        match &self.0 {
            Kind::Made { place, turn, .. } => {
                let (at, len) = (u64::from(place[x as usize]), place.len() as u64);
                if at >= *turn { at - turn } else { at + len - turn }
            }
            Kind::Long(perm) => perm.index(x),
        }
    }
}
