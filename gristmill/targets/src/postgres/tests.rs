//! PostgreSQL passes the suite, on a throw-away server; and what only it can do.

use super::config::Config;
use super::local::find_binaries;
use super::wire::Wire;
use crate::conformance::{
    Stage, after_kill_9_what_was_acknowledged_is_there, begin, everything, greatest_timestamp_wins,
    sessions_tell_what_became_of_them, step, texts_mean_what_was_executed, two_tables,
};
use crate::process;
use crate::target::{OpenOptions, Request, Target};
use expect_test::{Expect, expect};
use history::{Answer, Level, ReasonKind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Whether there is a server to test with; under CI there must be.
pub(super) fn installed() -> bool {
    let there = find_binaries().is_some();
    assert!(
        there || std::env::var("CI").as_deref() != Ok("true"),
        "PostgreSQL is not installed"
    );
    if !there {
        println!("left out: PostgreSQL is not installed");
    }
    there
}

/// Servers for tests need no fsync: their machine does not die.
pub(super) const LOCAL: &str = "postgres:local?set=fsync=off";

fn options(folder: &Path, n: u32) -> OpenOptions {
    OpenOptions::new(folder, format!("gmt{n}"))
}

/// A target that keeps the server of a folder running, and how to reach that server.
fn server(folder: &Path) -> (Box<dyn Target>, Config) {
    let keep = crate::open(LOCAL, &options(folder, 0)).unwrap();
    keep.facts().unwrap();
    let home = folder.join("postgres");
    let read = |name: &str| std::fs::read_to_string(home.join(name)).unwrap();
    let url = format!(
        "postgres://gristmill:{}@127.0.0.1:{}/postgres",
        read("password"),
        read("port")
    );
    let config = Config::parse(&url, &options(folder, 0).environment).unwrap();
    (keep, config)
}

fn url(config: &Config, user: &str, password: &str, database: &str) -> String {
    format!(
        "postgres://{user}:{password}@127.0.0.1:{}/{database}",
        config.port
    )
}

fn is(answer: &Answer, kind: ReasonKind) -> bool {
    matches!(answer, Answer::Refused(r) | Answer::Unknown(r) if r.kind == kind)
}

#[test]
fn postgres_passes_the_suite() {
    if !installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (_keep, config) = server(folder.path());
    everything(LOCAL, &|n| options(folder.path(), n));
    greatest_timestamp_wins(LOCAL, &|n| options(folder.path(), n + 20));
    let mut wire = Wire::connect(&config, None, &[]).unwrap();
    texts_mean_what_was_executed(LOCAL, &|n| options(folder.path(), n + 50), &mut |sql| {
        wire.simple(sql)
            .unwrap()
            .unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    });
}

#[test]
fn a_session_on_postgres_tells_what_became_of_it() {
    if !installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (_keep, _) = server(folder.path());
    let mut stage = Stage::new(LOCAL, &options(folder.path(), 1), two_tables);
    stage.script("1: insert t0/0/3 c4=100 | auto");
    commit_of_a_failed_transaction_is_answered_by_rollback(&mut stage);
    sessions_tell_what_became_of_them(&mut stage);
}

fn commit_of_a_failed_transaction_is_answered_by_rollback(stage: &mut Stage) {
    let begun = stage.ask(0, (2, 0), &begin(Level::ReadCommitted));
    assert_eq!(begun, Answer::Affected(0));
    let duplicate = stage.ask(0, (2, 1), &Request::Step(&step("insert! t0/0/3 c4=1")));
    assert!(
        matches!(duplicate, Answer::Refused(ref r) if r.kind == ReasonKind::Duplicate && r.code == "23505")
    );
    let after = stage.ask(0, (2, 2), &Request::Step(&step("read t0/0 select c4")));
    assert!(is(&after, ReasonKind::InFailedTransaction));
    let commit = stage.ask(0, (2, 3), &Request::Commit);
    assert!(matches!(commit, Answer::Refused(r) if r.kind == ReasonKind::RolledBack));
}

#[test]
fn a_server_that_cannot_be_used_is_named_with_the_remedy() {
    if !installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (_keep, config) = server(folder.path());
    let mut root = Wire::connect(&config, None, &[]).unwrap();
    let mut sql = |text: &str| root.simple(text).unwrap().unwrap();
    sql("CREATE ROLE guest LOGIN PASSWORD 'guest'");
    sql("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0");
    let complaint = |url: &str| {
        let target = crate::open(url, &options(folder.path(), 1)).unwrap();
        let error = target.facts().unwrap_err();
        let text = format!("{error} / {}", error.complaint().remedy);
        text.replace(&config.port.to_string(), "PORT")
    };
    expect![[r#"cannot use postgres://gristmill@127.0.0.1:PORT/postgres: password authentication failed for user "gristmill" (28P01) / give the password in PGPASSWORD or in the file that PGPASSFILE names"#]].assert_eq(&complaint(&url(&config, "gristmill", "wrong", "postgres")));
    expect![[r#"cannot use postgres://guest@127.0.0.1:PORT/nowhere: database "nowhere" does not exist (3D000) / create the database, or name another one in the URL"#]].assert_eq(&complaint(&url(&config, "guest", "guest", "nowhere")));
    expect!["cannot use postgres://guest@127.0.0.1:PORT/latin: its encoding is LATIN1 / use a database whose encoding is UTF8"].assert_eq(&complaint(&url(&config, "guest", "guest", "latin")));
    expect!["cannot use postgres://guest@127.0.0.1:1/postgres: no connection: 127.0.0.1:1: Connection refused (os error 111) / see that the server runs and that the URL names its host and port"].assert_eq(&complaint("postgres://guest@127.0.0.1:1/postgres"));
    let required = format!("{}?sslmode=require", url(&config, "guest", "guest", "postgres"));
    expect!["cannot use postgres://guest@127.0.0.1:PORT/postgres?sslmode=require: TLS: the server does not support TLS / see sslmode and sslrootcert in the URL, or PGSSLMODE and PGSSLROOTCERT"].assert_eq(&complaint(&required));
    // May log in and may not create: said beforehand, refused as a whole.
    let guest = url(&config, "guest", "guest", "postgres");
    sql("REVOKE CREATE ON SCHEMA public FROM public");
    let target = crate::open(&guest, &options(folder.path(), 1)).unwrap();
    assert_eq!(
        target.facts().unwrap().rights_missing,
        ["CREATE on schema public"]
    );
    let schema = Arc::new(two_tables(&*target));
    let error = target.prepare(&schema).unwrap_err();
    expect![
        "cannot use postgres://guest@127.0.0.1:PORT/postgres: permission denied for schema public (42501)"
    ]
    .assert_eq(&error.to_string().replace(&config.port.to_string(), "PORT"));
    assert_eq!(target.cleanup().unwrap(), Vec::<String>::new());
    let bad = |url: &str| {
        crate::open(url, &options(folder.path(), 2))
            .err()
            .unwrap()
            .to_string()
    };
    expect!["cannot use postgres:local?port=5: unknown parameter `port`"]
        .assert_eq(&bad("postgres:local?port=5"));
    expect!["cannot use postgres:locl: `locl` is no part of a PostgreSQL URL"]
        .assert_eq(&bad("postgres:locl"));
}

/// A root, and a key and certificate of its for a server at 127.0.0.1, as files that anybody may read but the key.
fn certificates(folder: &Path) {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use std::os::unix::fs::PermissionsExt;
    let mut root = CertificateParams::new(Vec::new()).unwrap();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(root, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let server = server.signed_by(&key, &root).unwrap();
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        let mode = if name == "server.key" { 0o600 } else { 0o644 };
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        if let Some(user) = super::local::owner().unwrap() {
            std::os::unix::fs::chown(&path, Some(user.uid.as_raw()), None).unwrap();
        }
    };
    write("root.pem", root.pem());
    write("server.pem", server.pem());
    write("server.key", key.serialize_pem());
}

#[test]
fn tls_is_as_strict_as_sslmode_says() {
    if !installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let at = |name: &str| folder.path().join(name).display().to_string();
    let set = format!(
        "set=ssl=on&set=ssl_cert_file={}&set=ssl_key_file={}",
        at("server.pem"),
        at("server.key")
    );
    let keep = crate::open(&format!("{LOCAL}&{set}"), &options(folder.path(), 0)).unwrap();
    keep.facts().unwrap();
    let read = |name: &str| std::fs::read_to_string(folder.path().join("postgres").join(name)).unwrap();
    let (password, port) = (read("password"), read("port"));
    let root = at("root.pem");
    let check = |host: &str, mode: &str, expected: &Expect| {
        let url = format!("postgres://gristmill:{password}@{host}:{port}/postgres?sslmode={mode}");
        let config = Config::parse(&url, &options(folder.path(), 0).environment).unwrap();
        let said = match Wire::connect(&config, None, &[]) {
            Ok(mut wire) => {
                let used = wire
                    .simple("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
                    .unwrap()
                    .unwrap();
                format!("connected, TLS {}", used[0][0].as_deref().unwrap())
            }
            Err(error) => super::codes::complaint(&error)
                .0
                .replace(&folder.path().display().to_string(), "FOLDER"),
        };
        expected.assert_eq(&said);
    };
    check("127.0.0.1", "disable", &expect!["connected, TLS f"]);
    check("127.0.0.1", "prefer", &expect!["connected, TLS t"]);
    check("127.0.0.1", "require", &expect!["connected, TLS t"]);
    check(
        "127.0.0.1",
        &format!("verify-full&sslrootcert={root}"),
        &expect!["connected, TLS t"],
    );
    check(
        "localhost",
        &format!("verify-ca&sslrootcert={root}"),
        &expect!["connected, TLS t"],
    );
    check(
        "localhost",
        &format!("verify-full&sslrootcert={root}"),
        &expect![[
            r#"TLS: invalid peer certificate: certificate not valid for name "localhost"; certificate is only valid for IpAddress(127.0.0.1)"#
        ]],
    );
    check(
        "127.0.0.1",
        "verify-full",
        &expect!["TLS: invalid peer certificate: UnknownIssuer"],
    );
    check(
        "127.0.0.1",
        &format!("verify-ca&sslrootcert={}", at("none.pem")),
        &expect!["TLS: FOLDER/none.pem: I/O error: No such file or directory (os error 2)"],
    );
}

#[test]
fn after_kill_9_of_the_server_what_was_acknowledged_is_there() {
    if installed() {
        let folder = tempfile::tempdir().unwrap();
        after_kill_9_what_was_acknowledged_is_there("postgres:local", &options(folder.path(), 1));
    }
}

/// The folder of the child that the next test kills; nothing where this test is run by itself.
const CHILD: &str = "GRISTMILL_TEST_CHILD";

#[test]
fn a_child_that_starts_a_server_and_never_ends() {
    let Ok(folder) = std::env::var(CHILD) else { return };
    let (_keep, _) = server(Path::new(&folder));
    std::fs::write(Path::new(&folder).join("up"), "").unwrap();
    loop {
        std::thread::park();
    }
}

#[test]
fn no_server_outlives_us_even_when_we_are_killed() {
    if !installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args([
        "--exact",
        "postgres::tests::a_child_that_starts_a_server_and_never_ends",
    ]);
    command
        .env(CHILD, folder.path())
        .stdout(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    let soon = |what: &str, done: &dyn Fn() -> bool| {
        for _ in 0..3_000 {
            if done() {
                return;
            }
            process::pause(Duration::from_millis(20));
        }
        panic!("not in a minute: {what}");
    };
    soon("the server is up", &|| folder.path().join("up").exists());
    let home = folder.path().join("postgres");
    let pid = std::fs::read_to_string(home.join("data/postmaster.pid")).unwrap();
    let pid: u32 = pid.lines().next().unwrap().parse().unwrap();
    assert!(process::is_alive(pid));
    child.kill().unwrap();
    child.wait().unwrap();
    soon("the server is gone", &|| !process::is_alive(pid));
    // Its folder starts again: the way of a run that is taken up after a crash.
    let (_keep, _) = server(folder.path());
}
