//! Several runs on the same tables at once, each with partitions of its own.

use super::postgres::installed;
use super::{Seen, assert_clean, ending, plan};
use crate::RunError;
use crate::life::{Ending, run};
use crate::look::{Look, look};
use crate::plan::Plan;
use crate::registry::Registry;
use history::Status;
use history::artefact::Folder;
use std::collections::BTreeSet;
use std::path::Path;
use targets::OpenOptions;

/// Three agents at once, each in a store of its own.
fn together(store: &Path, url: &str, flags: &str, password: Option<&str>) -> Vec<Ending> {
    let plans = [1, 2, 3].map(|n| plan(url, &format!("agent={n}/3 {flags}")));
    std::thread::scope(|scope| {
        let agents: Vec<_> = plans
            .iter()
            .map(|plan| {
                let store = store.join(plan.agent.unwrap().index.to_string());
                scope.spawn(move || run(plan, &store, password, &mut Seen::default()).unwrap())
            })
            .collect();
        agents.into_iter().map(|agent| agent.join().unwrap()).collect()
    })
}

fn looked(ending: &Ending, password: Option<&str>) -> crate::look::Looked {
    let what = Look {
        password,
        ..Look::default()
    };
    let folder = Folder::open(&ending.folder).unwrap();
    look(&folder, &what, &mut Seen::default()).unwrap()
}

/// Each is clean, and what each wrote is there, whole, beside what the others wrote.
fn assert_each_finds_its_own(endings: &[Ending], password: Option<&str>) {
    for ending in endings {
        assert_clean(&ending.verdict);
        let looked = looked(ending, password);
        assert_eq!(looked.causes.len(), 0, "{:#?}", looked.causes);
        assert!(looked.partitions > 5 && looked.counts.rows > 20, "{looked:?}");
    }
}

#[test]
fn three_agents_share_a_file_and_each_finds_its_own() {
    for flags in ["", "discipline=lww"] {
        let store = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", store.path().join("shared.db").display());
        let endings = together(
            store.path(),
            &url,
            &format!("sessions=2 visits=250 keep=true rejected-percent=60 {flags}"),
            None,
        );
        assert_each_finds_its_own(&endings, None);
    }
}

#[test]
fn three_agents_share_a_server_and_the_last_one_out_cleans_up() {
    if !installed() {
        return;
    }
    let store = tempfile::tempdir().unwrap();
    let files = store.path().join("server");
    std::fs::create_dir(&files).unwrap();
    let server = targets::open("postgres:local", &OpenOptions::new(&files, "gmtest")).unwrap();
    server.facts().unwrap();
    let word = |name: &str| {
        let text = std::fs::read_to_string(files.join("postgres").join(name)).unwrap();
        text.trim().to_owned()
    };
    let url = format!("postgres://gristmill@127.0.0.1:{}/postgres", word("port"));
    let password = word("password");
    let flags = "sessions=2 visits=300 rejected-percent=60";
    let kept = together(store.path(), &url, &format!("{flags} keep=true"), Some(&password));
    assert_each_finds_its_own(&kept, Some(&password));
    // The same again finds the tables there, and cleans nothing that it did not make.
    let first = plan(&url, &format!("{flags} agent=1/3"));
    let error = run(
        &first,
        &store.path().join("1"),
        Some(&password),
        &mut Seen::default(),
    )
    .unwrap_err();
    assert!(error.to_string().contains("exists already"), "{error}");
    let second = plan(&url, &format!("{flags} agent=2/3"));
    let error = run(
        &second,
        &store.path().join("2"),
        Some(&password),
        &mut Seen::default(),
    )
    .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("agent 2/3 of seed 7b3f0c was here already"),
        "{error}"
    );
    let removed = crate::clean(&url, Some(&password), &store.path().join("3")).unwrap();
    assert!(
        removed.iter().any(|what| what.contains("gm7b3f0c_agents")),
        "{removed:?}"
    );

    let endings = together(store.path(), &url, flags, Some(&password));
    let last = endings.iter().filter(|e| !e.verdict.setup.contains_key("agents"));
    assert_eq!(last.count(), 1, "one of them is the last");
    for ending in &endings {
        assert_clean(&ending.verdict);
    }
    assert!(
        crate::clean(&url, Some(&password), &store.path().join("1"))
            .unwrap()
            .is_empty(),
        "nothing is left"
    );
}

#[test]
fn agents_that_mean_other_tables_do_not_begin() {
    let store = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", store.path().join("shared.db").display());
    let first = ending(
        &plan(&url, "agent=1/2 sessions=1 visits=50"),
        &store.path().join("1"),
    );
    assert_eq!(first.verdict.status, Status::Clean);
    assert!(first.verdict.setup["agents"].contains("agent 2 is not done"));
    let registry = |folder: &Path| Registry::open(&Folder::open(folder).unwrap()).unwrap();
    assert!(registry(&first.folder).names(&url), "the tables are still there");
    let other = plan(&url, "agent=2/3 sessions=1 visits=50");
    let error = run(&other, &store.path().join("2"), None, &mut Seen::default()).unwrap_err();
    assert!(matches!(error, RunError::Target(_)), "{error}");
    assert!(error.to_string().contains("another number of agents"), "{error}");
    // The right one beside the first's store: as the last one out it settles what both owed.
    let second = plan(&url, "agent=2/2 sessions=1 visits=50");
    let second = ending(&second, &store.path().join("1"));
    assert_clean(&second.verdict);
    assert!(!second.verdict.setup.contains_key("agents"));
    assert!(!registry(&first.folder).names(&url) && !registry(&second.folder).names(&url));
}

#[test]
fn an_agent_in_a_killed_run_repeats_the_same_visits_alone() {
    let all = |plan: &Plan| -> Vec<_> {
        let visits = crate::history(plan).unwrap();
        (1..100).filter_map(|n| visits.visit(history::Lts(n))).collect()
    };
    let together = plan("sqlite:shared.db", "agent=2/2 sessions=1 visits=100");
    let alone = Plan {
        agent: None,
        ..together.clone()
    };
    assert_eq!(all(&together), all(&alone));
    let other = plan("sqlite:shared.db", "agent=1/2 sessions=1 visits=100");
    let parts = |plan: &Plan| -> BTreeSet<_> { all(plan).into_iter().flat_map(|v| v.writes).collect() };
    assert!(parts(&together).is_disjoint(&parts(&other)));
}
