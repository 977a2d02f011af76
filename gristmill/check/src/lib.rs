//! History and claims into a verdict: what each answer must have been.
//!
//! [`Judge`] is the judge of partitions that are written in a known order (discipline `ordered`), or at once, where the
//! greatest timestamp wins (`lww`). It is pure: it starts no thread, reads no clock, touches no file. Visits come from
//! [`history::Regenerate`], what became of them from [`history::Tracker`], answers from whoever calls.
//!
//! ```text
//!  Answered ──▶ explain (any thread, any order) ──▶ Explained ──▶ conclude (one thread, in order) ──▶ Judged
//!                 │ span: which visits overlap the snapshot             │ monotone: what was seen stays seen
//!                 │ choice: which of them may be visible together       ▼
//!                 │ model: the partitions under each choice          Finding ──▶ again (the twin) ──▶ words
//!                 ▼ evaluate, compare: the answer the model gives
//!               difference: what differs, and the smallest proof
//! ```
//!
//! Invariants:
//! * C1 a verdict is a function of plan, tracker and answers: neither the number of threads in `explain`, nor the memory
//!   that is given to the model, nor the moment of [`Judge::floor`] changes it.
//! * C2 the [`twin`] shares no code with `model`, `evaluate` and `compare`: plain maps of values, all subsets, no memory.
//! * C3 bytes that are equal are equal values, so equality decides; decoding only explains a mismatch.
//! * C4 what was not compared is said and counted, never taken for right.

mod choice;
mod compare;
mod difference;
mod evaluate;
mod judge;
mod judged;
mod layout;
mod lww;
mod model;
mod monotone;
pub mod parallel;
mod scene;
mod settle;
mod span;
mod sums;
mod trace;
mod twin;
mod visible;
mod words;

#[cfg(test)]
mod testkit;

pub use judge::Judge;
pub use judged::{Explained, Explanation, Judged, Options, PartitionState, Probe, Remains, Settled, Spread};
pub use words::{Words, words};
