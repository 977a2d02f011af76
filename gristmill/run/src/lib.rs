//! Plan into artefact: sessions that talk to a database, a judge beside them, faults between them, and a folder in which
//! everything that happened can be read again.
//!
//! ```text
//!  supervisor ──spawns──▶ worker                                             (process by process)
//!                           │
//!  plan ─▶ turnstile ─▶ sessions ─▶ target                                   (thread by thread)
//!                           │ │ ▲
//!                           │ │ └── faults: proxy, cancel, terminate, kill
//!                       log ◀ ▶ ring of answers ─▶ judging ─▶ causes ─▶ verdict
//! ```
//!
//! This crate is the one place with threads, clocks and processes. It must not know how a statement is written (`targets`),
//! what a visit contains (`workload`), nor what an answer must be (`check`).
//!
//! Invariants:
//! * R1 a run is a function of its plan and its target (A4).
//! * R2 `invoke` is in the log before the statement leaves; `complete` before the session's next `invoke` (A5).
//! * R3 what the database said is an outcome; an `Err` of this crate is about us or about the caller (A6).
//! * R4 a worker always starts from the folder: an empty log is a new run (F38).

pub mod plan;

mod account;
mod against;
mod agents;
mod baton;
mod causes;
mod changing;
mod clean;
mod clock;
mod error;
mod evidence;
pub mod export;
pub mod fault;
mod inbox;
mod judging;
mod known;
mod latency;
mod life;
pub mod look;
mod pacer;
pub mod parallel;
pub mod recheck;
mod refusal;
mod registry;
mod repairs;
pub mod replay;
pub mod selfcheck;
mod session;
pub mod shrink;
mod staged;
pub mod stepping;
pub mod supervisor;
mod ticks;
mod times;
mod turnstile;
mod verdict;
mod whole;
pub mod worker;
mod world;

#[cfg(test)]
mod testing;

pub use clean::clean;
pub use error::RunError;
pub use known::{Known, KnownError};
pub use life::{Ending, history, run};
pub use plan::Plan;
