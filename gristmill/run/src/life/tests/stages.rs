//! Loads, and between them everything that was written read back.

use super::{assert_clean, ending, plan};
use crate::look::{Look, look};
use crate::plan::Stage;
use history::artefact::Folder;
use history::{Lts, Status};

#[test]
fn every_partition_is_read_after_each_load() {
    let store = tempfile::tempdir().unwrap();
    let plan = plan(
        "sqlite:",
        "sessions=4 stop=never stages=load+300,validate,repeat+3",
    );
    let ending = ending(&plan, store.path());
    assert_clean(&ending.verdict);
    let visits = ending.verdict.visits.iter().filter(|(k, _)| *k != "writing");
    let all: u64 = visits.map(|(_, n)| n).sum();
    assert!(all > 900 + 3 * 20, "{:?}", ending.verdict.visits);
    let folder = Folder::open(&ending.folder).unwrap();
    let looked = look(&folder, &Look::default(), &mut super::Seen::default()).unwrap();
    assert_eq!((looked.at, looked.causes.len()), (Lts(all), 0));
    let again = crate::recheck::recheck(&folder).unwrap();
    assert_eq!((again.causes.len(), Some(again.held)), (0, again.of));
}

#[test]
fn a_row_that_the_load_wrote_and_is_missing_is_found_by_the_validation() {
    let store = tempfile::tempdir().unwrap();
    // No visit of the load reads anything.
    let mut plan = plan(
        "reference:",
        "sessions=2 stages=load+2000,validate lie:forgotten_row=1/2",
    );
    for kind in &mut plan.workload.visits {
        if kind.reads > 0 {
            kind.weight = 0;
        }
    }
    let ending = ending(&plan, store.path());
    assert_eq!(
        ending.verdict.status,
        Status::Finding,
        "{:?}",
        ending.verdict.counts
    );
    assert!(
        ending
            .verdict
            .causes
            .iter()
            .any(|c| c.finding.read.lts > Lts(2000)),
        "{:#?}",
        ending.verdict.causes
    );
}

#[test]
fn a_load_lasts_as_long_as_it_is_told_and_its_visits_are_known_afterwards() {
    let store = tempfile::tempdir().unwrap();
    for (url, flags) in [
        ("sqlite:", "keep=true"),
        ("reference:", "discipline=lww lie:wrong_cell=0/1"),
    ] {
        let given = plan(
            url,
            &format!("sessions=3 stop=never stages=load+400ms,validate,repeat+2 {flags}"),
        );
        let ending = ending(&given, store.path());
        assert_clean(&ending.verdict);
        let folder = Folder::open(&ending.folder).unwrap();
        let kept = crate::life::read_plan(&folder).unwrap();
        assert_eq!(kept.digest(), given.digest());
        let stages = kept.stages.unwrap();
        let taken = stages.round.iter().filter_map(|stage| match stage {
            Stage::LoadFor(_, taken) => Some(taken.expect("it is over")),
            _ => None,
        });
        let taken: Vec<u64> = taken.collect();
        assert!(taken.len() == 2 && taken.iter().all(|n| *n > 10), "{stages}");
        let visits = ending.verdict.visits.iter().filter(|(k, _)| *k != "writing");
        let all: u64 = visits.map(|(_, n)| n).sum();
        assert!(
            all > taken.iter().sum::<u64>() + 20,
            "{:?}",
            ending.verdict.visits
        );
        let again = crate::recheck::recheck(&folder).unwrap();
        assert_eq!((again.causes.len(), Some(again.held)), (0, again.of));
        if url == "sqlite:" {
            let looked = look(&folder, &Look::default(), &mut super::Seen::default()).unwrap();
            assert_eq!((looked.at, looked.causes.len()), (Lts(all), 0));
        }
    }
}
