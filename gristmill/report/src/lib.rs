//! What a person, a script and a build server see of a run: three faces of one verdict.
//!
//! ```text
//! Progress ──▶ text::Screen    the line that is redrawn, findings as they come
//! Verdict  ──▶ text            the closing block, findings in five lines
//!          ──▶ json            one object, as verdict.json
//!          ──▶ junit           for build servers
//!          ──▶ pages           the files of each finding
//! ```
//!
//! This crate must not judge, connect, or read a clock.
//!
//! Invariants:
//! * A9 it computes nothing but sums, shares and widths: every claim on a screen stands in the verdict.
//! * P1 nothing that was left out, not compared or doubted is hidden, however short the screen.
//! * P2 text without colour has no escape codes.

pub mod explain;
pub mod json;
pub mod junit;
pub mod pages;
pub mod text;
mod words;

#[cfg(test)]
mod testing;
