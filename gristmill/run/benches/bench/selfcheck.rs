//! `selfcheck`: how long it takes to try every judge, by the wall; and that each lie was found, each truthful twin silent.

use run::plan::Seed;
use run::selfcheck;

/// One round: a lie that was not found ends the program.
pub(crate) fn run() {
    let scratch = tempfile::tempdir().expect("a temporary folder can be made");
    let (rows, took) =
        selfcheck::timed(scratch.path(), Seed(0x5e1f), &mut |_| {}).expect("every trial can be made");
    let failed: Vec<_> = rows.iter().filter(|row| !row.passed()).collect();
    println!("{} trials in {:.1} s", rows.len(), took.as_secs_f64());
    assert!(failed.is_empty(), "{failed:#?}");
}
