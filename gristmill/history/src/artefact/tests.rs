use super::*;
use std::collections::BTreeMap;

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::new(&dir.path().join(STORE));
    (dir, store)
}

fn verdict(status: Status) -> Verdict {
    Verdict {
        format: 1,
        status,
        interrupted: false,
        seed: "7b3f0c".into(),
        target: "reference:".into(),
        server: String::new(),
        settings: BTreeMap::new(),
        driver: String::new(),
        gristmill: String::new(),
        types: BTreeMap::new(),
        setup: BTreeMap::new(),
        visits: BTreeMap::new(),
        load_ms: 10_000,
        counts: crate::Counts::default(),
        never_compared: Vec::new(),
        never_drawn: Vec::new(),
        left_out: Vec::new(),
        doubts: Vec::new(),
        causes: Vec::new(),
        faults: BTreeMap::new(),
        lies: BTreeMap::new(),
        idle_percent: 0,
        latency: BTreeMap::new(),
        statements: None,
    }
}

#[test]
fn a_new_run_is_the_latest_and_a_taken_name_gets_a_number() {
    let (_dir, store) = store();
    let first = store.create("7b3f0c").unwrap();
    let second = store.create("7b3f0c").unwrap();
    assert_eq!(
        (first.name(), second.name()),
        ("7b3f0c".into(), "7b3f0c-2".into())
    );
    assert_eq!(store.find("latest").unwrap().name(), "7b3f0c-2");
    assert_eq!(store.find("7b3f0c").unwrap().path(), first.path());
    assert_eq!(
        store.find(first.path().to_str().unwrap()).unwrap().path(),
        first.path()
    );
    assert!(first.is_alive());
    drop(first);
    assert_eq!(
        store.list().unwrap(),
        [
            Listed {
                name: "7b3f0c-2".into(),
                status: None,
                alive: true
            },
            Listed {
                name: "7b3f0c".into(),
                status: None,
                alive: false
            },
        ]
    );
}

#[test]
fn what_is_not_a_run_is_refused_with_the_remedy() {
    let (dir, store) = store();
    let says = |name: &str| {
        store
            .find(name)
            .unwrap_err()
            .to_string()
            .replace(dir.path().to_str().unwrap(), "DIR")
    };
    assert_eq!(says("latest"), "there is no run latest in DIR/.gristmill");
    drop(store.create("aa").unwrap());
    drop(store.create("bb").unwrap());
    assert_eq!(
        says("cc"),
        "there is no run cc in DIR/.gristmill (there are bb, aa)"
    );
    assert_eq!(
        says(dir.path().to_str().unwrap()),
        "DIR is not the folder of a run: it has no file `format` of ours"
    );
    fs::write(store.root().join("aa/format"), "gristmill run, format 7\n").unwrap();
    assert_eq!(
        says("aa"),
        "DIR/.gristmill/aa was written by a newer gristmill (folder format 7, this one reads up to 1): use that one"
    );
    fs::write(store.root().join("aa/format"), "a shopping list\n").unwrap();
    assert_eq!(
        says("aa"),
        "DIR/.gristmill/aa is not the folder of a run: it has no file `format` of ours"
    );
}

#[test]
fn one_process_at_a_time_works_in_a_folder() {
    let (_dir, store) = store();
    let first = store.create("aa").unwrap();
    assert!(matches!(
        store.find("aa").unwrap().locked(),
        Err(ArtefactError::InUse { .. })
    ));
    drop(first);
    assert!(store.find("aa").unwrap().locked().is_ok());
}

#[test]
fn pruning_keeps_findings_the_living_and_what_is_not_ours() {
    let (_dir, store) = store();
    for (name, status) in [
        ("a", Status::Clean),
        ("b", Status::Finding),
        ("c", Status::Unknown),
        ("d", Status::Clean),
    ] {
        store
            .create(name)
            .unwrap()
            .write_verdict(&verdict(status))
            .unwrap();
    }
    let alive = store.create("e").unwrap();
    fs::create_dir(store.root().join("mine")).unwrap();
    let names = || {
        store
            .list()
            .unwrap()
            .into_iter()
            .map(|l| l.name)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(names(), "e d c b a");
    // What a run has left on a database outlives every prune; what lies in its folder goes with it.
    let registry = |name: &str, url: &str| {
        let file = store.root().join(name).join("registry");
        fs::write(file, format!("target {url}\nprefix gm{name}\n")).unwrap();
    };
    registry("a", "sqlite:");
    registry("c", "postgres://me@host/db");
    assert_eq!(store.prune(1, false).unwrap(), ["a"]);
    fs::remove_file(store.root().join("c/registry")).unwrap();
    assert_eq!(store.prune(1, false).unwrap(), ["c"]);
    assert_eq!(names(), "e d b");
    assert_eq!(store.prune(0, true).unwrap(), ["d", "b"]);
    assert_eq!(names(), "e");
    assert!(alive.path().is_dir() && store.root().join("mine").is_dir());
}

#[test]
fn a_verdict_comes_back_as_it_was_and_nothing_lies_beside_it() {
    let (_dir, store) = store();
    let folder = store.create("aa").unwrap();
    assert_eq!(folder.verdict().unwrap(), None);
    folder.write_verdict(&verdict(Status::Unknown)).unwrap();
    folder.write_verdict(&verdict(Status::Finding)).unwrap();
    assert_eq!(folder.verdict().unwrap(), Some(verdict(Status::Finding)));
    let mut names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["format", "verdict.json"]);
    fs::write(folder.verdict_file(), "{").unwrap();
    assert!(matches!(folder.verdict(), Err(ArtefactError::Damaged { .. })));
    assert_eq!(store.list().unwrap()[0].status, None);
}

#[test]
fn a_finding_has_a_folder_named_after_its_shape() {
    let (_dir, store) = store();
    let folder = store.create("aa").unwrap();
    assert_eq!(
        folder.finding(1, "missing row").unwrap(),
        folder.path().join("findings/1-missing-row")
    );
    folder.write("findings/1-missing-row/finding.txt", b"x").unwrap();
    assert_eq!(
        fs::read(folder.findings().join("1-missing-row/finding.txt")).unwrap(),
        b"x"
    );
}
