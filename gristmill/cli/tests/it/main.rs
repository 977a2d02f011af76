//! The real binary: its messages, exit codes, screens, and what it leaves behind.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

mod bad_input;
mod duckdb;
mod exports;
mod full_disk;
mod histories;
mod kit;
mod lifecycle;
mod loads;
mod screens;
mod servers;
mod terminal;
