//! Loads that are not checked, and data that is left where it was and compared later.

use super::{Seen, ending, plan};
use crate::look::{Look, look};
use history::artefact::Folder;
use history::{Lts, Shape, Status};
use std::path::Path;

fn looked(folder: &Path, what: &Look<'_>) -> crate::look::Looked {
    look(&Folder::open(folder).unwrap(), what, &mut Seen::default()).unwrap()
}

#[test]
fn a_load_that_was_not_checked_says_so_and_is_compared_later() {
    let store = tempfile::tempdir().unwrap();
    let plan = plan("sqlite:", "sessions=4 visits=600 check=none keep=true");
    let ending = ending(&plan, store.path());
    let verdict = &ending.verdict;
    assert_eq!(verdict.status, Status::Unchecked, "{verdict:?}");
    assert_eq!((verdict.counts.answers, verdict.counts.replayed), (0, 0));
    assert!(verdict.setup["kept"].contains(&plan.prefix));
    let evidence = Folder::open(&ending.folder).unwrap().evidence();
    assert_eq!(
        crate::evidence::read(&evidence).unwrap().0,
        [],
        "no answer was kept"
    );
    let looked = looked(&ending.folder, &Look::default());
    assert_eq!(
        (looked.at, looked.causes.len()),
        (Lts(600), 0),
        "{:#?}",
        looked.causes
    );
    assert!(looked.partitions > 10 && looked.counts.rows > 100, "{looked:?}");
    assert_eq!(looked.counts.not_compared.values().sum::<u64>(), 0);
}

#[test]
fn a_database_is_compared_with_the_state_after_any_visit() {
    let store = tempfile::tempdir().unwrap();
    let first = ending(&plan("sqlite:", "sessions=1 visits=300 keep=true"), store.path());
    let whole = ending(&plan("sqlite:", "sessions=1 visits=600"), store.path());
    let url = format!("sqlite:{}", first.folder.join("target/data.sqlite").display());
    let after = |at: u64| {
        let what = Look {
            at: Some(Lts(at)),
            url: Some(&url),
            password: None,
            replicas: false,
        };
        looked(&whole.folder, &what)
    };
    let same = after(300);
    assert_eq!(same.causes.len(), 0, "{:#?}", same.causes);
    // The other three hundred visits are not in this database.
    let missing = after(600);
    let shapes = missing.causes.iter().map(|c| &c.finding.shape);
    assert!(
        shapes.clone().any(|s| matches!(s, Shape::MissingRow { .. })),
        "{:?}",
        shapes.collect::<Vec<_>>()
    );
    let shown = missing
        .causes
        .iter()
        .find(|c| !c.finding.proof.is_empty())
        .unwrap();
    assert!(
        shown.statements.iter().any(|s| s.sql.starts_with("SELECT")),
        "{shown:#?}"
    );
}

#[test]
fn a_database_without_the_data_is_no_finding() {
    let store = tempfile::tempdir().unwrap();
    let ending = ending(&plan("sqlite:", "sessions=2 visits=100"), store.path());
    let folder = Folder::open(&ending.folder).unwrap();
    let url = format!("sqlite:{}", store.path().join("empty.db").display());
    let empty = Look {
        url: Some(&url),
        ..Look::default()
    };
    let error = look(&folder, &empty, &mut Seen::default()).unwrap_err();
    assert_eq!(error.exit_code(), 4);
    assert!(
        error.to_string().contains("does not hold what gm7b3f0c made"),
        "{error}"
    );
    let beyond = Look {
        at: Some(Lts(101)),
        ..Look::default()
    };
    let error = look(&folder, &beyond, &mut Seen::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no visit 101: the run has the visits 1 to 100"
    );
}
