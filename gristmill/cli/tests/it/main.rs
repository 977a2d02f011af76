//! The real binary: its messages, exit codes, screens, and what it leaves behind.

mod bad_input;
mod kit;
mod lifecycle;
mod screens;
mod servers;
