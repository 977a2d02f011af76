//! Placeholder.

pub mod fault;
