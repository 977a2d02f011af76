//! Data sets without a database: loaded into one, they are what the plan says.

use crate::kit::Desk;
use std::path::Path;

const PLAN: &[&str] = &["--seed", "7b3f0c", "--visits", "1200"];

fn export(desk: &Desk, target: &str, more: &[&str]) {
    let args: Vec<&str> = [&["export", target], more].concat();
    let said = desk.run(&args);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
}

/// What `cat schema.sql data.sql | sqlite3 FILE` does.
fn load(desk: &Desk, folder: &str, file: &str) {
    let database = rusqlite::Connection::open(desk.path().join(file)).unwrap();
    for script in ["schema.sql", "data.sql"] {
        let text = std::fs::read_to_string(desk.path().join(folder).join(script)).unwrap();
        database.execute_batch(&text).unwrap();
    }
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap())
        .filter(|e| e.path().is_file())
        .map(|e| {
            (
                e.file_name().into_string().unwrap(),
                std::fs::read(e.path()).unwrap(),
            )
        })
        .collect();
    files.sort();
    files
}

#[test]
fn a_data_set_that_is_loaded_is_what_the_plan_says() {
    let desk = Desk::new();
    for form in ["insert", "statements"] {
        let (folder, file) = (format!("data-{form}"), format!("{form}.db"));
        export(
            &desk,
            "sqlite:",
            &[PLAN, &["--as", form, "--to", &folder]].concat(),
        );
        load(&desk, &folder, &file);
        let url = format!("sqlite:{file}");
        let said = desk.run(&["check", &folder, "--target", &url]);
        assert_eq!(said.code, Some(0), "{form}: {said:?}");
        assert!(
            said.out.starts_with(&format!("clean: what {url} holds of ")),
            "{said:?}"
        );
        // As after any other visit it is not.
        let said = desk.run(&["check", &folder, "--target", &url, "--at", "600"]);
        assert_eq!(said.code, Some(1), "{form}: {said:?}");
    }
}

#[test]
fn a_run_is_exported_as_it_was_after_a_visit_of_it() {
    let desk = Desk::new();
    let run = [&["run", "sqlite:", "--sessions", "4"], PLAN].concat();
    assert_eq!(desk.run(&run).code, Some(0));
    export(&desk, "latest", &["--at", "700", "--to", "data"]);
    load(&desk, "data", "run.db");
    let said = desk.run(&["check", "data", "--target", "sqlite:run.db"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.out.contains("compared with the state after visit 700"),
        "{said:?}"
    );
    let said = desk.run(&["check", "latest", "--at", "700", "--target", "sqlite:run.db"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let said = desk.run(&["check", "latest", "--at", "1200", "--target", "sqlite:run.db"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains("   rerun      gristmill check "), "{said:?}");
}

#[test]
fn equal_plans_make_equal_bytes_and_nothing_is_overwritten() {
    let desk = Desk::new();
    for target in ["postgres:", "sqlite:"] {
        for form in ["csv", "insert"] {
            let name = |n: u8| format!("{}-{form}-{n}", target.trim_end_matches(':'));
            for n in [1, 2] {
                export(&desk, target, &[PLAN, &["--as", form, "--to", &name(n)]].concat());
            }
            let (one, two) = (
                files(&desk.path().join(name(1))),
                files(&desk.path().join(name(2))),
            );
            assert!(one == two, "{target} {form}");
            assert!(one.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > 10_000);
            let to = name(1);
            let said = desk.run(&[&["export", target], PLAN, &["--as", form, "--to", &to]].concat());
            assert_eq!(said.code, Some(3), "{said:?}");
            assert!(said.err.contains("is there already"), "{said:?}");
        }
    }
    let said = desk.run(&[&["export", "reference:"], PLAN, &["--as", "csv", "--to", "x"]].concat());
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.err.contains("--as insert"), "{said:?}");
}
