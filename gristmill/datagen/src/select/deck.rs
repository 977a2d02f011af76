//! Exact weights: a deck holds each choice as often as its weight says, is shuffled anew each time it has been
//! dealt out, and card n is known without dealing the n before it.

use super::shuffles::{Shuffle, Shuffles};

/// A shuffled multiset of choices 0, 1, 2, …; within each full deck every choice comes exactly `weight` times.
#[derive(Clone, Debug)]
pub struct Deck {
    cards: Vec<u16>,
    shuffles: Shuffles,
}

/// Cards in a deck at most; weights are reduced by their greatest common divisor first.
pub const DECK_CARDS_MAX: u64 = 1 << 16;

impl Deck {
    /// A deck with `weights[i]` cards of choice i, all divided by their greatest common divisor.
    ///
    /// `key` should differ between decks that are dealt by the same numbers, or they are correlated.
    ///
    /// # Panics
    /// When all weights are 0, or the deck would have more than [`DECK_CARDS_MAX`] cards: the caller checks
    /// what a user wrote before it makes decks of it.
    pub fn new(key: u64, weights: &[u32]) -> Deck {
        let divisor = weights.iter().fold(0, |a, &b| gcd(a, u64::from(b)));
        assert!(divisor > 0, "a deck needs a weight above 0: {weights:?}");
        let len = weights.iter().map(|&w| u64::from(w)).sum::<u64>() / divisor;
        assert!(
            len <= DECK_CARDS_MAX,
            "{len} cards in a deck; at most {DECK_CARDS_MAX}"
        );
        let mut cards = Vec::with_capacity(len as usize);
        for (choice, &weight) in (0u16..).zip(weights) {
            cards.extend(std::iter::repeat_n(
                choice,
                (u64::from(weight) / divisor) as usize,
            ));
        }
        let shuffles = Shuffles::new(key, cards.len() as u64);
        Deck { cards, shuffles }
    }

    /// Card number `n` of the endless row of shuffled decks.
    pub fn deal(&self, n: u64) -> usize {
        let len = self.cards.len() as u64;
        if len == 1 {
            return usize::from(self.cards[0]);
        }
        usize::from(self.cards[self.shuffles.get(n / len).at(n % len) as usize])
    }

    /// Deals cards near number `n` without shuffling anew for each.
    pub fn dealer(&self, n: u64) -> Dealer<'_> {
        let len = self.cards.len() as u64;
        Dealer {
            deck: self,
            first: n - n % len,
            shuffle: self.shuffles.get(n / len),
        }
    }

    /// Cards in the deck: the period in which weights are exact.
    pub fn len(&self) -> usize {
        self.cards.len()
    }

    /// Never: a deck has at least one card.
    pub fn is_empty(&self) -> bool {
        self.cards.is_empty()
    }
}

/// Deals cards one by one, in any order; fast while they are in one deck.
#[derive(Debug)]
pub struct Dealer<'a> {
    deck: &'a Deck,
    /// The number of the first card of the deck in hand.
    first: u64,
    shuffle: Shuffle<'a>,
}

impl Dealer<'_> {
    /// Card number `n`: the same as [`Deck::deal`].
    #[inline]
    pub fn deal(&mut self, n: u64) -> usize {
        if n.wrapping_sub(self.first) >= self.deck.cards.len() as u64 {
            *self = self.deck.dealer(n);
        }
        usize::from(self.deck.cards[self.shuffle.at(n - self.first) as usize])
    }
}

/// Greatest common divisor; `gcd(0, n) == n`. Source: Euclid.
pub(super) fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
