//! What a test needs to drive shards by hand: an executor whose order is a script, stores that fail on
//! purpose, gates, and a checker of the log's invariants.
//!
//! Nothing here is used by the product. Deterministic: no thread, no clock but the manual one.

pub mod faulty;
pub mod gated;
pub mod invariants;
pub mod sim;
