//! A source that is told to halt ends its process: SRC-5.

use dataflow::{ErrorHandler, HALT_EXIT_CODE, Mutant};

use crate::gate::Rule;
use crate::world::World;

const VARIABLE: &str = "MILLSTREAM_TEST_HALT";

/// The body of the child: does nothing unless the parent asks.
pub(crate) fn child() {
    let Ok(mutant) = std::env::var(VARIABLE) else {
        return;
    };
    let mutant = if mutant == "HaltReturns" {
        Mutant::HaltReturns
    } else {
        Mutant::None
    };
    let mut world = World::new(1, mutant);
    world.append_each(0..3);
    world.gate.set(&world.key_at(1), Rule::Missing);
    world.install(|options| options.errors = ErrorHandler::Halt("orders".to_owned()));
    world.settle();
    println!("still here");
}

pub(crate) fn halt_ends_the_process(mutant: Mutant) {
    let program = std::env::current_exe().expect("a test knows itself");
    let output = std::process::Command::new(program)
        .args(["--exact", "child_of_the_halt_test", "--nocapture"])
        .env(VARIABLE, format!("{mutant:?}"))
        .output()
        .expect("starts");
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert_eq!(output.status.code(), Some(HALT_EXIT_CODE), "{out}\n{err}");
    assert!(
        err.contains("orders: halting:") && err.contains("of time 1") && err.contains("missing"),
        "{err}"
    );
    assert!(!out.contains("still here"));
}
