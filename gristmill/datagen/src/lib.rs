//! Numbers into data and back.
//!
//! Every value a run sends to a database is made from a 64-bit *descriptor*, and every value that
//! comes back is turned into its descriptor again: what is nobody's image is already a finding.
//!
//! ```text
//!  seed ── stream::draw ──▶ descriptor ── Domain::inflate ──▶ Value ── encode ──▶ bytes
//!                               ▲                              │
//!                               └────── Domain::deflate ───────┘      a column
//!
//!  position ── Universe ──▶ digits ──▶ descriptors ──▶ key tuple      a key, order kept
//! ```
//!
//! This crate must not know what an operation, a session or a database is. It does no IO, reads no
//! clock, starts no thread.
//!
//! Invariants, each held by a test:
//!
//! - **G1** `deflate(inflate(d)) == Some(d)`, and `inflate(deflate(v))` is identical to `v`.
//! - **G2** The order of descriptors is the order of values under [`value::Value::compare`].
//! - **G3** The order of positions of a [`universe::Universe`] is the order of its key tuples.
//! - **G4** Every draw is a function of `(seed, stream, address)`; a new stream disturbs no other.
//! - **G5** Equal encodings mean identical values, and the other way round.

pub mod pcg;

pub mod perm;
pub mod stream;

pub mod select;

pub mod calendar;
pub mod domain;
pub mod ring;
pub mod schema;
pub mod universe;
pub mod value;

#[cfg(test)]
mod testing;
