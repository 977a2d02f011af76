//! Others who interrupt, end and restart: told, it explains; untold, it is reported once.

use super::assert_silent;
use super::server::{Server, is_load, told};
use super::{LOCAL, ending, plan};
use crate::life::tests::postgres::installed;
use history::parallel::Said;
use history::{Kind, Progress, Status};
use std::time::Duration;

const RUN: &str = "seed=1 visits=900 sessions=4 complexity=dml stop=never";

/// Cancels or ends every session of the run, again and again while statements run. It does not look at what is asked about
/// the server's processes: that is the run's own watch.
fn storm(what: &'static str, database: &super::server::Database) -> impl FnMut(&Progress) + Send {
    let mut session = database.open();
    let sql = format!(
        "SELECT {what}(pid) FROM pg_stat_activity WHERE application_name = 'gristmill' AND datname = current_database() \
         AND backend_type = 'client backend' AND query !~ 'pg_stat_activity'"
    );
    let mut next = 50;
    move |progress| match progress {
        // Counted, so that a busy machine gets somewhere between two of them.
        Progress::Load { visits, .. } if is_load(progress) && *visits >= next => {
            told(session.as_mut(), &sql);
            next = visits + 80;
        }
        _ => {}
    }
}

#[test]
fn a_storm_that_was_told_of_explains_and_an_untold_one_is_reported_once() {
    if !installed() {
        return;
    }
    let server = Server::start();
    let storms = [
        ("pg_cancel_backend", "cancel", "57014"),
        ("pg_terminate_backend", "terminate", "57P01"),
    ];
    for (function, name, code) in storms {
        let database = server.database(&format!("told_{name}"));
        let verdict = database.run(
            &server.store(),
            &format!("{RUN} outside={name}"),
            storm(function, &database),
        );
        assert_silent(&verdict);
        let errors = &verdict.statements.as_ref().unwrap().errors;
        assert!(errors.iter().any(|e| e.code == code && e.count > 0), "{errors:?}");
        let database = server.database(&format!("untold_{name}"));
        let verdict = database.run(&server.store(), RUN, storm(function, &database));
        let codes: Vec<String> = verdict.causes.iter().map(|c| c.finding.signature()).collect();
        assert_eq!(codes.len(), 1, "{:#?}", verdict.causes);
        assert!(verdict.causes[0].times > 1, "{:#?}", verdict.causes);
        assert_eq!(verdict.causes[0].finding.kind, Kind::UnexpectedError);
    }
}

#[test]
fn a_server_that_throws_its_sessions_away_is_a_crash_reported_once() {
    if !installed() {
        return;
    }
    let server = Server::start();
    let database = server.database("crashed");
    database.tell("CREATE EXTENSION IF NOT EXISTS plpgsql");
    let mut done = false;
    let verdict = database.run(&server.store(), RUN, |progress| {
        if is_load(progress) && !std::mem::replace(&mut done, true) {
            let mut session = database.open();
            let process = told(session.as_mut(), "SELECT pg_backend_pid()")[0][0]
                .clone()
                .unwrap();
            // A process of the server that dies by a signal makes it begin again.
            let status = std::process::Command::new("kill").args(["-9", &process]).status();
            assert!(status.unwrap().success());
            let said = session.send("SELECT 1", None, false, Duration::from_secs(5)).said;
            assert!(matches!(said, Said::Unknown { .. }), "{said:?}");
        }
    });
    assert_eq!(verdict.causes.len(), 1, "{:#?}", verdict.causes);
    assert_eq!(verdict.causes[0].finding.kind, Kind::Crash);
    assert_eq!(verdict.status, Status::Finding);
}

/// Killed and started again under load: nothing is missed, and it did happen.
fn assert_survives(target: &str) {
    let store = tempfile::tempdir().unwrap();
    let keys = "seed=2 visits=4000 sessions=6 scenario=kill complexity=dml settle=60s deadline=20s";
    let verdict = ending(&plan(target, keys), store.path()).verdict;
    assert_silent(&verdict);
    assert!(verdict.faults["kill"] > 0, "{:?}", verdict.faults);
    assert!(
        verdict.setup.contains_key("restarted at the end"),
        "{:?}",
        verdict.setup
    );
}

#[test]
fn a_killed_server_keeps_its_schema_and_its_sessions_come_back() {
    if installed() {
        assert_survives(LOCAL);
    }
    if crate::life::tests::mysql::installed() {
        assert_survives("mysql:local");
    }
}

#[test]
fn rows_that_are_lost_while_the_server_ends_in_order_are_found() {
    if !installed() {
        return;
    }
    let store = tempfile::tempdir().unwrap();
    let plan = plan(LOCAL, "seed=3 visits=300 sessions=3 complexity=dml");
    let folder = crate::life::new_folder(&plan, store.path()).unwrap();
    let files = crate::life::targets_folder(&folder).unwrap();
    let environment = crate::life::environment(None);
    let target = crate::life::open_target(&plan, &files, &environment, std::collections::BTreeMap::new());
    let target = target.unwrap();
    let mut eye = super::server::Eye(|progress: &Progress| {
        if matches!(progress, Progress::Load { phase, .. } if phase == crate::parallel::RESTARTING) {
            let mut session = target.sql().unwrap().open(history::SessionId(99)).unwrap();
            let sql = "SELECT relname FROM pg_class WHERE relname LIKE 'gm3\\_%' AND relkind = 'r' \
                       AND (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %I', relname), \
                       false, true, '')))[1]::text::int > 0 ORDER BY 1 LIMIT 1";
            let name = told(session.as_mut(), sql)[0][0].clone().unwrap();
            told(session.as_mut(), "SET session_replication_role = replica");
            told(session.as_mut(), &format!("DELETE FROM \"{name}\""));
        }
    });
    let circumstances = crate::life::Circumstances::default();
    let verdict = crate::life::live(&folder, circumstances, &mut eye).unwrap();
    assert_eq!(verdict.causes.len(), 1, "{:#?}", verdict.causes);
    assert_eq!(verdict.causes[0].finding.kind, Kind::Durability);
}

#[test]
fn a_server_that_takes_no_writes_is_refused_before_anything_is_done() {
    if !installed() {
        return;
    }
    let server = Server::start();
    let database = server.database("shut");
    database.tell("REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    database.tell("CREATE ROLE reader LOGIN PASSWORD 'r'");
    let refused = |database: &super::server::Database| {
        let refused = crate::run(
            &database.plan(RUN),
            &server.store(),
            Some(&database.password),
            &mut super::Nobody,
        );
        refused.unwrap_err().to_string()
    };
    let reader = super::server::Database {
        url: database.url.replace("gristmill@", "reader@"),
        password: "r".to_owned(),
    };
    let words = refused(&reader);
    assert!(words.contains("lacks CREATE on schema public"), "{words}");
    database.tell("ALTER DATABASE shut SET default_transaction_read_only = on");
    let words = refused(&database);
    assert!(words.contains("read-only"), "{words}");
}
