//! A PostgreSQL that answers otherwise than it was asked: rows hidden by a policy, a lower level than was asked for, an operator
//! that computes something else. Each is found, and its control is silent.

use super::assert_silent;
use super::server::{Database, Server, is_load, told};
use crate::life::tests::postgres::installed;
use history::{Kind, Verdict};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

fn kinds(verdict: &Verdict) -> Vec<Kind> {
    verdict.causes.iter().map(|c| c.finding.kind).collect()
}

/// A role like any other, that owns what it makes: policies hold for it where they are forced.
fn plain(database: &Database) -> Database {
    database.tell(
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'plain') THEN \
         CREATE ROLE plain LOGIN PASSWORD 'plain'; END IF; END $$",
    );
    database.tell("GRANT CREATE ON SCHEMA public TO plain");
    Database {
        url: database.url.replace("gristmill@", "plain@"),
        password: "plain".to_owned(),
    }
}

/// Rows of the first ledger for whose key `shown` does not hold are hidden from reads.
fn hide(database: &Database, shown: &str) {
    let mut session = database.open();
    let key = "SELECT column_name FROM information_schema.columns WHERE table_name = 'gm1_t0_1_0' AND ordinal_position = 1";
    let key = told(session.as_mut(), key)[0][0].clone().unwrap();
    let shown = shown.replace("key", &format!("\"{key}\""));
    for sql in [
        "BEGIN".to_owned(),
        format!("CREATE POLICY reads ON gm1_t0_1_0 FOR SELECT USING ({shown})"),
        "CREATE POLICY inserts ON gm1_t0_1_0 FOR INSERT WITH CHECK (true)".to_owned(),
        "CREATE POLICY updates ON gm1_t0_1_0 FOR UPDATE USING (true)".to_owned(),
        "CREATE POLICY deletes ON gm1_t0_1_0 FOR DELETE USING (true)".to_owned(),
        "ALTER TABLE gm1_t0_1_0 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY".to_owned(),
        "COMMIT".to_owned(),
    ] {
        told(session.as_mut(), &sql);
    }
}

#[test]
fn a_row_that_a_policy_hides_from_reads_is_found() {
    if !installed() {
        return;
    }
    let server = Server::start();
    for (name, shown, found) in [("hidden", "key % 3 <> 0", true), ("shown", "key >= 0", false)] {
        let database = server.database(name);
        let mut done = false;
        let keys = "seed=1 visits=1500 sessions=4 complexity=dml isolation=read-committed stop=never";
        let verdict = plain(&database).run(&server.store(), keys, |progress| {
            if is_load(progress) && !std::mem::replace(&mut done, true) {
                hide(&database, shown);
            }
        });
        assert!(done);
        if found {
            assert!(
                kinds(&verdict).contains(&Kind::WrongResult),
                "{:#?}",
                verdict.causes
            );
        } else {
            assert_silent(&verdict);
        }
    }
}

/// Levels that are taken out of what is sent, and what stands there instead.
const LEVELS: [&[u8]; 2] = [
    b"ISOLATION LEVEL SERIALIZABLE",
    b"ISOLATION LEVEL REPEATABLE READ",
];

fn lowered(bytes: &mut [u8]) {
    for level in LEVELS {
        let found = |bytes: &[u8]| bytes.windows(level.len()).position(|w| w == level);
        while let Some(at) = found(bytes) {
            bytes[at..at + level.len()].fill(b' ');
        }
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, lowers: bool) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        if lowers {
            lowered(&mut buffer[..n]);
        }
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

/// The database behind something that may lower the level of every transaction. It ends with the test's process.
fn behind(database: &Database, lowers: bool) -> Database {
    let (_, rest) = database.url.split_once("127.0.0.1:").unwrap();
    let port: u16 = rest.split_once('/').unwrap().0.parse().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else {
                return;
            };
            let (back, forth) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || copy(client, server, lowers));
            std::thread::spawn(move || copy(back, forth, false));
        }
    });
    Database {
        url: database.url.replace(&format!(":{port}/"), &format!(":{ours}/")),
        password: database.password.clone(),
    }
}

/// The few rows of one ledger are read and written all the time: two reads of one row in one transaction, and a write between, come
/// about by chance, and the more rows there are the less often.
const OFTEN: &str = "weights=oracle-cells=1000,ledger-insert=20,ledger-update=600,ledger-delete=20";

#[test]
fn a_level_that_is_lower_than_was_asked_for_is_found() {
    if !installed() {
        return;
    }
    let server = Server::start();
    for (name, lowers, visits) in [("lowered", true, 20_000), ("kept_level", false, 2_000)] {
        // What BEGIN says of a level is lost on the way: then it is the one that sessions begin with.
        let database = behind(&server.database(name), lowers);
        let keys =
            format!("seed=1 visits={visits} sessions=16 complexity=dml isolation=read-committed {OFTEN}");
        let verdict = database.run(&server.store(), &keys, |_| {});
        if lowers {
            assert!(
                kinds(&verdict).contains(&Kind::Isolation),
                "{:#?}",
                verdict.causes
            );
        } else {
            assert_silent(&verdict);
        }
    }
}

#[test]
fn an_operator_that_computes_something_else_is_found() {
    if !installed() {
        return;
    }
    let server = Server::start();
    for (name, more, found) in [("miscounted", 1, true), ("counted", 0, false)] {
        let database = server.database(name);
        database.tell(&format!(
            "CREATE FUNCTION public.rest(bigint, bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS \
             'SELECT ($1 OPERATOR(pg_catalog.%) $2) OPERATOR(pg_catalog.+) {more}'"
        ));
        database
            .tell("CREATE OPERATOR public.% (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = public.rest)");
        database.tell(&format!(
            "ALTER DATABASE {name} SET search_path = public, pg_catalog"
        ));
        let keys = "seed=1 visits=3000 sessions=4 complexity=read stop=never";
        let verdict = database.run(&server.store(), keys, |_| {});
        let by = |c: &history::verdict::Cause| c.finding.action == "oracle-evaluate";
        assert_eq!(verdict.causes.iter().any(by), found, "{:#?}", verdict.causes);
        let count = &verdict.statements.as_ref().unwrap().oracles["oracle-evaluate"];
        assert!(count.compared > 0, "{count:?}");
    }
}
