//! Which partitions a visit writes, which operations it gets, and the way back: which visits wrote a partition.
//!
//! A run must be able to ask for visit 1,000,000 without making the 999,999 before it, and to walk the
//! writers of one partition forwards and backwards without a scan. Popularity (Zipf, hot and cold, a window
//! that retires what it leaves) has no closed inverse as a *distribution*, so it is built from **shares**:
//!
//! ```text
//! visit ── block, offset ──▶ rank ──▶ role: so many partitions, writes, reads        (permutation of a block)
//!                             └────▶ touch numbers ──▶ (share, turn of the share)    (second permutation)
//!                                                         └──▶ member, by the share's own rule
//! ```
//! Every arrow is a bijection or arithmetic, so each can be walked from right to left.
//!
//! This module knows numbers only: a partition is an index from 0, a table is a number. It must not know
//! keys, values, operations or databases.
//!
//! - **SEL1** In each block every role has exactly its share of the visits, every share exactly its turns.
//! - **SEL2** `writer_after` and `writer_before` name exactly the visits whose `touches` name the partition.
//! - **SEL3** Everything is a function of (seed, layout, visit); nothing is remembered between calls.
//! - **SEL4** Blocks do not overlap: each turn of block b + 1 is later than each turn of block b.

mod block;
mod deck;
mod members;
mod profile;
mod returning;
mod rows;
mod selector;
mod shuffles;
mod window;

#[cfg(test)]
mod tests;

pub use block::{Role, Seat};
pub use deck::{DECK_CARDS_MAX, Dealer, Deck};
pub use members::{Member, Members};
pub use profile::{hot_cold, list, returning_window, rotation, uniform, window, zipf};
pub use rows::Walk;
pub use selector::{BLOCK_VISITS_MAX, Pool, SHARES_MAX, SelectError, Selector, ShareOf, Touch};
pub use shuffles::{Shuffle, Shuffles};
