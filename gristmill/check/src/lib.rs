//! History and claims into a verdict: what each answer must have been.

mod judge;
mod judged;
mod words;

pub use judge::Judge;
pub use judged::{Explained, Explanation, Judged, Options, PartitionState, Probe, Settled};
pub use words::{Words, words};
