//! The judge of free-form SQL over a schema that changes while it is used: every answer must be explained.
//!
//! ```text
//!  sent ──▶ group (Open, Sent, Committed, Unknown) ──▶ writes in the timelines of facts
//!  answered ──▶ settles the group ──▶ success: was it possible?   error: which row, which question, which witness?
//!                                        └────────── ask(fact, span, session) ──────────┘
//!  quiet point ──▶ reconcile: the server's catalogue against the facts; what was open is decided
//! ```
//!
//! A fact (an object is there, has this name, this column) is a *timeline*: writes, each of a group with a window of ticks
//! in which it takes effect. What a fact may be in a span follows from windows alone, as for a regular register: a write
//! is possible when its window begins before the span ends and no other is surely in between. That is never less than
//! what some order of the groups allows, so nobody is accused wrongly; it may be more, then something is missed. The
//! groups whose writes are possible *are* the witnesses: there is no second search.
//!
//! Invariants:
//! * W1 pure: no clock, no thread, no file; equal calls give equal answers.
//! * W2 whatever some order of the groups within their windows allows is answered "possibly" or stronger (the twin checks it).
//! * W3 a refused group leaves no trace in any timeline; an unknown one never becomes sure but by the catalogue.
//! * W4 an error is matched by code, whole text and question; a name in the text must be a name of the statement's.
//! * W5 a fault is spent by what it explains.

mod binding;
mod cells;
mod change;
mod expect;
mod facts;
mod groups;
mod likely;
mod model;
mod oracle;
mod pattern;
mod print;
mod questions;
mod reconcile;
mod rights;
pub mod rules;
mod session;
mod success;
mod timeline;

#[cfg(test)]
mod tests;

pub use expect::without_names;
pub use model::{Judged, Model, Others};
pub use oracle::Compared;
pub use rules::{DUCKDB, MARIADB, POSTGRES, SQLITE};
