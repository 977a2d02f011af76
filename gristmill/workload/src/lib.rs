//! Seed and number into what a session does: one file a workload.
//!
//! A workload is the only maker of visits. It must not know databases, sessions, time or what came of a visit
//! before: [`partitions`] is a pure function of (configuration, seed, schema, number), so any visit can be made
//! again by anyone, in any order, on any thread.
//!
//! - **W1** Two constructions from equal arguments make equal visits.
//! - **W2** Every option that was defaulted or drawn stands in the configuration, which the plan keeps.

pub mod parallel;
pub mod partitions;

pub use partitions::{Config, Partitions};
