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
mod parked;
mod proofs;
mod puppets;
mod reading;
mod sinking;
mod stage;
mod world;

#[test]
fn child_of_the_halt_test() {
    halt::child();
}
