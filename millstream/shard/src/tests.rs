//! The proofs: every invariant of durable shards as a scenario, and the defects each scenario notices.
//!
//! A scenario is a function of a [`Mutant`]: it holds without one and fails with each of those listed beside
//! it in [`matrix`]. Deterministic: memory stores that fail by script, a manual clock, an executor whose
//! order is a script.

mod appends;
mod collection;
mod dropping;
mod handles;
mod holds;
mod matrix;
mod model;
pub(crate) mod museum;
mod pieces;
mod riding;
mod scanning;
mod watching;
mod world;
