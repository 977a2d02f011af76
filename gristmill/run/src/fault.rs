//! Faults: events of the history by a session of their own.

pub mod proxy;
