//! The same run again: the plan from its folder, the visits at the overlaps that the log recorded (F25), `n` of `m` times.
//!
//! Invariants:
//! * X1 a replay needs the folder and a running target, nothing else (A8).
//! * X2 it failed again when it ends with a finding of the same signature; anything else is said beside.

mod schedule;

pub use schedule::Schedule;
