//! Tests of source and sink. Every interleaving is scripted, nothing sleeps.
//!
//! Each invariant of the specification has a proof here: a scenario that passes, and at least one mutant
//! that it convicts. A proof's test runs both; `every_invariant_has_a_proof` prints the matrix and fails
//! when an invariant, or a mutant, is without one.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cluster;
mod faults;
mod freeze;
mod gate;
mod halt;
mod letting_go;
mod mill;
mod names;
mod parked;
mod processes;
mod proofs;
mod puppets;
mod reading;
mod refusals;
mod sinking;
mod stage;
mod storm;
mod world;

/// The number that the environment asks for, for a long form of a test.
fn asked(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |asked| {
        asked
            .parse()
            .unwrap_or_else(|_| panic!("{variable} is a number, not `{asked}`"))
    })
}

#[test]
fn child_of_the_halt_test() {
    halt::child();
}

#[test]
fn child_of_the_processes_tests() {
    processes::child();
}
