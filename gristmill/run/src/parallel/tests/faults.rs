//! Faults planted in a PostgreSQL of the tests' own: each is found, and its control, the same without the fault, is silent.

use super::assert_silent;
use super::server::{Database, Server, is_load, told};
use crate::life::tests::postgres::installed;
use history::verdict::Cause;
use history::{Kind, Progress, Shape, Verdict};
use std::sync::Mutex;

/// Every table that is made gets a trigger that raises an error now and then. The catalogue does not show it: what is not
/// listed cannot be found there instead.
fn plant(database: &Database, code: &str, message: &str, one_in: u64) {
    database.tell("CREATE SCHEMA planted");
    database.tell("CREATE SEQUENCE planted.calls");
    database.tell(&format!(
        "CREATE FUNCTION planted.fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
           IF nextval('planted.calls') % {one_in} = 0 THEN \
             RAISE EXCEPTION USING ERRCODE = '{code}', MESSAGE = {message}; \
           END IF; RETURN NULL; END $$"
    ));
    database.tell(
        "CREATE FUNCTION planted.attach() RETURNS event_trigger LANGUAGE plpgsql AS $$ DECLARE made record; BEGIN \
           FOR made IN SELECT DISTINCT objid, object_identity FROM pg_event_trigger_ddl_commands() WHERE object_type = 'table' \
             AND objid NOT IN (SELECT tgrelid FROM pg_trigger WHERE tgname = 'planted') LOOP \
             EXECUTE format('CREATE TRIGGER planted AFTER INSERT OR UPDATE OR DELETE ON %s \
               FOR EACH STATEMENT EXECUTE FUNCTION planted.fault()', made.object_identity); \
             UPDATE pg_catalog.pg_trigger SET tgisinternal = true WHERE tgname = 'planted'; \
           END LOOP; END $$",
    );
    database.tell(
        "CREATE EVENT TRIGGER planted ON ddl_command_end WHEN TAG IN ('CREATE TABLE') \
         EXECUTE FUNCTION planted.attach()",
    );
}

fn refused<'v>(verdict: &'v Verdict, code: &str) -> Option<&'v Cause> {
    let is = |cause: &&Cause| matches!(&cause.finding.shape, Shape::Refused { code: c, .. } if c == code);
    verdict.causes.iter().find(is)
}

const RUN: &str = "seed=1 visits=600 sessions=4 complexity=dml isolation=read-committed";

#[test]
fn an_error_that_nothing_in_the_run_explains_is_found_whatever_its_words_are() {
    if !installed() {
        return;
    }
    let server = Server::start();
    let gone = "format('relation \"%s\" does not exist', TG_TABLE_NAME)";
    let planted = [
        ("internal", "XX000", gone),
        ("undefined", "42P01", gone),
        ("cancelled", "57014", "'canceling statement due to user request'"),
        (
            "unserializable",
            "40001",
            "'could not serialize access due to concurrent update'",
        ),
    ];
    for (name, code, message) in planted {
        let database = server.database(name);
        plant(&database, code, message, 40);
        let verdict = database.run(&server.store(), RUN, |_| {});
        let cause = refused(&verdict, code);
        assert!(cause.is_some(), "{name}: {:#?}", verdict.causes);
        assert_eq!(cause.unwrap().finding.kind, Kind::UnexpectedError, "{name}");
    }
    let database = server.database("control");
    plant(&database, "XX000", gone, 1_000_000_000);
    assert_silent(&database.run(&server.store(), RUN, |_| {}));
    let calls = told(database.open().as_mut(), "SELECT last_value FROM planted.calls");
    let calls: u64 = calls[0][0].as_ref().unwrap().parse().unwrap();
    assert!(calls > 40, "the trigger was asked {calls} times");
}

#[test]
fn what_is_dropped_from_outside_is_missed_in_the_catalogue_and_by_those_who_need_it() {
    if !installed() {
        return;
    }
    let server = Server::start();
    let database = server.database("dropped");
    let mut done = false;
    let verdict = database.run(&server.store(), &format!("{RUN} stop=never"), |progress| {
        if is_load(progress) && !std::mem::replace(&mut done, true) {
            let mut session = database.open();
            let name = &a_table(session.as_mut());
            told(session.as_mut(), &format!("DROP TABLE \"{name}\" CASCADE"));
        }
    });
    let kinds: Vec<Kind> = verdict.causes.iter().map(|cause| cause.finding.kind).collect();
    assert!(kinds.contains(&Kind::Catalog), "{:#?}", verdict.causes);
    assert!(refused(&verdict, "42P01").is_some(), "{:#?}", verdict.causes);
}

/// A table of the run that is there.
fn a_table(session: &mut dyn targets::SqlSession) -> String {
    let sql =
        "SELECT relname FROM pg_class WHERE relname LIKE 'gm1\\_%' AND relkind = 'r' ORDER BY 1 LIMIT 1";
    told(session, sql)[0][0].clone().unwrap()
}

#[test]
fn a_lock_that_a_stranger_holds_too_long_is_a_hang_that_names_them_and_a_short_one_is_a_wait() {
    if !installed() {
        return;
    }
    let server = Server::start();
    for (name, long) in [("held", true), ("touched", false)] {
        let database = server.database(name);
        // Held until the finding, or for one look.
        let holder = Mutex::new(None);
        let mut looks = 0;
        let keys = if long { "deadline=1s" } else { "deadline=10s" };
        let verdict = database.run(&server.store(), &format!("{RUN} {keys}"), |progress| {
            let mut holder = holder.lock().unwrap();
            if is_load(progress) {
                looks += 1;
                if looks == 1 {
                    let mut session = database.open();
                    let name = a_table(session.as_mut());
                    told(session.as_mut(), "BEGIN");
                    told(
                        session.as_mut(),
                        &format!("LOCK TABLE \"{name}\" IN ACCESS EXCLUSIVE MODE"),
                    );
                    *holder = Some(session);
                } else if !long {
                    *holder = None;
                }
            }
            if matches!(progress, Progress::Found(_)) {
                *holder = None;
            }
        });
        if !long {
            assert_silent(&verdict);
            continue;
        }
        let hangs: Vec<&Cause> = verdict
            .causes
            .iter()
            .filter(|cause| cause.finding.kind == Kind::Hang)
            .collect();
        assert!(!hangs.is_empty(), "{:#?}", verdict.causes);
        assert_eq!(hangs.len(), verdict.causes.len(), "{:#?}", verdict.causes);
        for word in ["not ours", "stranger", "LOCK TABLE"] {
            assert!(hangs[0].seen.contains(word), "{word}: {}", hangs[0].seen);
        }
    }
}

/// What guests have, as rows: objects with the file and transaction that made them, and what tables hold.
fn guests(database: &Database) -> Vec<Vec<Option<String>>> {
    let mut session = database.open();
    let mut all = Vec::new();
    for sql in [
        "SELECT oid, relname, relfilenode, xmin, relacl::text FROM pg_class WHERE relname ILIKE '%guest%' ORDER BY oid",
        "SELECT oid, proname, xmin, prosrc FROM pg_proc WHERE proname LIKE '%guest%' ORDER BY oid",
        "SELECT oid, rolname, rolsuper FROM pg_roles WHERE rolname LIKE '%guest%' ORDER BY oid",
        "SELECT oid, nspname, xmin FROM pg_namespace WHERE nspname LIKE '%guest%' ORDER BY oid",
        "SELECT oid, gid FROM (SELECT 0 AS oid, gid FROM pg_prepared_xacts) AS p ORDER BY 2",
        "SELECT setdatabase, setrole, setconfig::text FROM pg_db_role_setting ORDER BY 1, 2",
        "SELECT * FROM gm1guest ORDER BY 1",
        "SELECT * FROM guests.\"GM1_guest\" ORDER BY 1",
        "SELECT last_value FROM gm1guest_seq",
    ] {
        all.push(vec![Some(sql.to_owned())]);
        all.extend(told(session.as_mut(), sql));
    }
    all
}

#[test]
fn what_guests_have_is_as_it_was_when_a_run_is_over() {
    if !installed() {
        return;
    }
    let server = Server::start();
    let database = server.database("shared");
    for sql in [
        "CREATE TABLE gm1guest (a int PRIMARY KEY, b text)",
        "INSERT INTO gm1guest SELECT n, n::text FROM generate_series(1, 50) AS n",
        "CREATE SEQUENCE gm1guest_seq START 7",
        "CREATE INDEX gm1guest_b ON gm1guest (b)",
        "CREATE VIEW gm1guest_v AS SELECT a FROM gm1guest",
        "CREATE MATERIALIZED VIEW gm10guest_m AS SELECT b FROM gm1guest",
        "CREATE FUNCTION gm1guest_f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE SCHEMA guests",
        "CREATE SCHEMA gm10guest",
        "CREATE TABLE guests.\"GM1_guest\" (a int)",
        "INSERT INTO guests.\"GM1_guest\" VALUES (1), (2)",
        "CREATE ROLE gm1guest",
        "GRANT SELECT ON gm1guest TO gm1guest",
    ] {
        database.tell(sql);
    }
    let before = guests(&database);
    let verdict = database.run(
        &server.store(),
        "seed=1 visits=600 sessions=4 complexity=ddl stop=never",
        |_| {},
    );
    assert!(verdict.visits["committed"] > 100, "{:?}", verdict.visits);
    assert_eq!(guests(&database), before);
    let left = told(
        database.open().as_mut(),
        "SELECT relname FROM pg_class WHERE relname LIKE 'gm1\\_%'",
    );
    assert!(left.is_empty(), "{left:?}");
}

/// The n-th ledger gets a trigger on each of its rows before something happens to it.
fn plant_rows(database: &Database, ledger: u8, event: &str, body: &str) {
    database.tell("CREATE SCHEMA planted");
    database.tell("CREATE SEQUENCE planted.calls");
    database.tell(&format!(
        "CREATE FUNCTION planted.fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
           IF nextval('planted.calls') % 4 = 0 THEN {body} END IF; RETURN NEW; END $$"
    ));
    database.tell(&format!(
        "CREATE FUNCTION planted.attach() RETURNS event_trigger LANGUAGE plpgsql AS $$ DECLARE made record; BEGIN \
           FOR made IN SELECT DISTINCT object_identity FROM pg_event_trigger_ddl_commands() WHERE object_type = 'table' \
             AND object_identity LIKE '%gm1\\_t0\\_{ledger}\\_0' LOOP \
             EXECUTE format('CREATE TRIGGER planted BEFORE {event} ON %s \
               FOR EACH ROW EXECUTE FUNCTION planted.fault()', made.object_identity); \
             UPDATE pg_catalog.pg_trigger SET tgisinternal = true WHERE tgname = 'planted'; \
           END LOOP; END $$"
    ));
    database.tell(
        "CREATE EVENT TRIGGER planted ON ddl_command_end WHEN TAG IN ('CREATE TABLE') \
         EXECUTE FUNCTION planted.attach()",
    );
}

/// Adds one to what a row is about to be.
const ONE_MORE: &str = "SELECT * INTO NEW FROM (SELECT (jsonb_populate_record(NEW, \
    jsonb_object_agg(key, to_jsonb(value::text::bigint + 1)))).* FROM jsonb_each(to_jsonb(NEW)) WHERE key LIKE 'gm1\\_c0\\_%') AS more;";

#[test]
fn a_row_that_is_not_what_was_written_is_found_and_one_that_is_not_touched_is_silent() {
    if !installed() {
        return;
    }
    let server = Server::start();
    let planted = [
        ("swallowed", 1, "INSERT", "RETURN NULL;"),
        ("kept", 1, "UPDATE", "RETURN OLD;"),
        ("doubled", 2, "UPDATE", ONE_MORE),
        ("minted", 3, "UPDATE", ONE_MORE),
    ];
    let run =
        |visits: u64| format!("seed=1 visits={visits} sessions=4 complexity=dml isolation=read-committed");
    for (name, ledger, event, body) in planted {
        let database = server.database(name);
        plant_rows(&database, ledger, event, body);
        // The first finding ends it, long before all visits are done.
        let verdict = database.run(&server.store(), &run(20_000), |_| {});
        let kinds: Vec<Kind> = verdict.causes.iter().map(|c| c.finding.kind).collect();
        let wrong = kinds.iter().all(|kind| *kind == Kind::WrongResult);
        assert!(wrong && !kinds.is_empty(), "{name}: {:#?}", verdict.causes);
    }
    for ledger in 1..=3 {
        let database = server.database(&format!("untouched{ledger}"));
        plant_rows(&database, ledger, "INSERT OR UPDATE", "RETURN NEW;");
        assert_silent(&database.run(&server.store(), &run(1_500), |_| {}));
    }
}
