use super::Search;
use crate::causes::signature;
use crate::clock::Clock;
use crate::life::tests::{Seen, ending, plan};
use crate::life::{history, read_plan};
use crate::shrink::TRIES_MAX;
use crate::shrink::attempt::Attempts;
use crate::shrink::case::Case;
use crate::shrink::choose::Recorded;
use crate::shrink::tests::{memory, supervision};
use history::artefact::Folder;
use history::tracker::TrackerFile;
use std::collections::BTreeMap;
use std::time::Duration;

#[test]
fn a_best_case_that_fails_no_more_is_given_up_for_the_one_before_it() {
    let store = memory();
    let lying = plan(
        "reference:",
        "sessions=2 visits=300 pace=lock-step lie:dirty_read=1/3",
    );
    let run = ending(&lying, store.path());
    let folder = Folder::open(&run.folder).unwrap();
    let (plan, finding) = (read_plan(&folder).unwrap(), &run.verdict.causes[0].finding);
    let visits = history(&plan).unwrap();
    let tracker = TrackerFile::open(&folder.tracker()).unwrap();
    let with = supervision(store.path());
    let attempts = Attempts::new(&folder, &plan, finding, &with).unwrap();
    let (clock, mut seen) = (Clock::start(Duration::ZERO), Seen::default());
    let class = signature(finding);
    let mut search = Search::new(attempts, &plan, &class, TRIES_MAX, &clock, &mut seen).unwrap();
    let recorded = Recorded::read(&folder, &plan, visits.as_ref(), &tracker).unwrap();
    assert!(search.begin(&mut recorded.cases(finding)).unwrap());
    search.run().unwrap();

    let sure = search.best.clone();
    assert!(sure.sizes().sessions > 1, "one session needs no luck");
    let honest = Case {
        lies: BTreeMap::new(),
        ..sure.clone()
    };
    assert!(search.fails_as_surely(&sure).unwrap());
    assert!(!search.fails_as_surely(&honest).unwrap());
    // As if luck had made it the best, at the last try.
    search.trail = vec![sure.clone()];
    search.best = honest;
    search.tries = search.tries_max;
    let measured = search.measure(&store.path().join("small"), 2).unwrap();
    assert_eq!((measured.times, measured.again), (2, 2));
    assert_eq!(search.best, sure);
}
