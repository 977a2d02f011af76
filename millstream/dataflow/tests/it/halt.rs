//! What ends the whole process: a source that is told to halt (SRC-5), an audit that finds rows lost (SRC-20).
//!
//! The process that ends is this program again, told by a variable which scene to play.

use std::os::unix::process::ExitStatusExt;
use std::process::Output;
use std::sync::Arc;

use dataflow::{ErrorHandler, FilterResult, HALT_EXIT_CODE, Mutant, Pushed};

use crate::gate::Rule;
use crate::world::World;

const SCENE: &str = "MILLSTREAM_TEST_SCENE";
const MUTANT: &str = "MILLSTREAM_TEST_MUTANT";

/// The body of the child: does nothing unless the parent asks.
pub(crate) fn child() {
    let Ok(scene) = std::env::var(SCENE) else {
        return;
    };
    let name = std::env::var(MUTANT).expect("set with the scene");
    let mutant = Mutant::ALL.iter().find(|mutant| format!("{mutant:?}") == name);
    let mutant = *mutant.expect("named by its parent");
    match scene.as_str() {
        "halt" => missing_part(mutant),
        "audit" => wrong_filter(mutant),
        other => panic!("no scene {other}"),
    }
    println!("still here");
}

fn missing_part(mutant: Mutant) {
    let mut world = World::new(1, mutant);
    world.append_each(0..3);
    world.gate.set(&world.key_at(1), Rule::Missing);
    world.install(|options| {
        options.name = "orders".to_owned();
        options.errors = ErrorHandler::Halt("orders".to_owned());
    });
    world.settle();
}

/// The part filter discards row 1, which the row filter lets pass.
fn wrong_filter(mutant: Mutant) {
    let mut world = World::new(2, mutant);
    world.append_each(0..3);
    world.install(|options| {
        options.name = "orders".to_owned();
        options.audit_percent = 100;
        options.audit_budget_bytes = 1 << 20;
        options.part_filter = Some(Arc::new(|stats, _| match stats.row_min.as_slice() {
            b"row 1" => FilterResult::Discard,
            _ => FilterResult::Keep,
        }));
        options.row_filter = Some(Arc::new(|_| Pushed::Keep));
    });
    world.settle();
}

fn play(scene: &str, mutant: Mutant) -> (Output, String, String) {
    let program = std::env::current_exe().expect("a test knows itself");
    let output = std::process::Command::new(program)
        .args(["--exact", "child_of_the_halt_test", "--nocapture"])
        .env(SCENE, scene)
        .env(MUTANT, format!("{mutant:?}"))
        .output()
        .expect("starts");
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    );
    (output, out, err)
}

pub(crate) fn halt_ends_the_process(mutant: Mutant) {
    let (output, out, err) = play("halt", mutant);
    assert_eq!(output.status.code(), Some(HALT_EXIT_CODE), "{out}\n{err}");
    assert!(
        err.contains("orders: halting: orders: frozen at 1: shard s") && err.contains("is missing"),
        "{err}"
    );
    assert!(!out.contains("still here"));
}

pub(crate) fn a_filter_that_loses_rows_ends_the_process(mutant: Mutant) {
    let (output, out, err) = play("audit", mutant);
    let aborted = output.status.signal() == Some(nix::sys::signal::Signal::SIGABRT as i32);
    assert!(aborted, "{:?}\n{out}\n{err}", output.status);
    assert!(
        err.contains("orders: aborting:")
            && err.contains("the part filter loses rows")
            && err.contains("row 1"),
        "{err}"
    );
    assert!(!out.contains("still here"));
}
