//! Servers that refuse: a real one where PostgreSQL is on this machine, and a false one that is too old.

use crate::kit::{Desk, Said};
use crate::lifecycle::running;
use expect_test::expect;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use targets::{OpenOptions, Target};

/// A throw-away server, its port and its password; `None`, with a line that says so, where there is none to be had and CI
/// does not insist.
fn server(folder: &Path) -> Option<(Box<dyn Target>, String, String)> {
    let target = targets::open("postgres:local", &OpenOptions::new(folder, "gmtest")).unwrap();
    match target.facts() {
        Ok(_) => {}
        Err(e) if std::env::var_os("CI").is_none_or(|ci| ci != "true") => {
            println!("left out, no PostgreSQL here: {e}");
            return None;
        }
        Err(e) => panic!("CI=true and no PostgreSQL: {e}"),
    }
    let word = |name: &str| {
        std::fs::read_to_string(folder.join("postgres").join(name))
            .unwrap()
            .trim()
            .to_owned()
    };
    Some((target, word("port"), word("password")))
}

fn psql(port: &str, password: &str, sql: &str) -> String {
    let mut command = Command::new("psql");
    command.args([
        "-X",
        "-At",
        "-h",
        "127.0.0.1",
        "-p",
        port,
        "-U",
        "gristmill",
        "-d",
        "postgres",
        "-c",
        sql,
    ]);
    let output = command.env("PGPASSWORD", password).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_wrong_password_and_a_missing_right_are_said_and_leave_nothing() {
    let desk = Desk::new();
    let folder = tempfile::tempdir().unwrap();
    let Some((_server, port, password)) = server(folder.path()) else {
        return;
    };
    psql(&port, &password, "CREATE ROLE app LOGIN PASSWORD 'rightone'");
    psql(&port, &password, "REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    let url = |user: &str| format!("postgres://{user}@127.0.0.1:{port}/postgres");
    let said = |mut said: Said| {
        said.err = said.err.replace(&port, "PORT");
        said.out = said.out.replace(&port, "PORT");
        said
    };
    said(desk.run(&["run", &url("app:wrong"), "--visits", "10"])).check(expect![[r#"
        exit 4
        ! error: cannot use postgres://app@127.0.0.1:PORT/postgres: password authentication failed for user "app" (28P01)
        !   help: give the password in PGPASSWORD or in the file that PGPASSFILE names
    "#]]);
    let environment = [("PGPASSWORD", "also wrong")];
    said(desk.run_with(&["run", &url("app"), "--visits", "10"], &environment)).check(expect![[r#"
        exit 4
        ! error: cannot use postgres://app@127.0.0.1:PORT/postgres: password authentication failed for user "app" (28P01)
        !   help: give the password in PGPASSWORD or in the file that PGPASSFILE names
    "#]]);
    said(desk.run(&["run", &url("app:rightone"), "--visits", "10", "--seed", "7"])).check(expect![[r#"
        exit 4
        ! error: cannot use postgres://app@127.0.0.1:PORT/postgres: permission denied for schema public (42501)
        !   help: grant the right, or use a user that has it: CREATE on the schema is needed
    "#]]);
    let dry = said(desk.run(&["run", &url("app:rightone"), "--dry-run", "--seed", "7"]));
    assert_eq!(dry.code, Some(4), "{dry:?}");
    assert!(
        dry.out.contains("   missing    CREATE on schema public"),
        "{dry:?}"
    );
    assert!(
        dry.out
            .ends_with("nothing was touched; a run would fail for want of rights\n"),
        "{dry:?}"
    );
    assert_eq!(
        psql(
            &port,
            &password,
            "SELECT count(*) FROM pg_class WHERE relname LIKE 'gm%'"
        ),
        "0\n"
    );
    let grep = Command::new("grep")
        .args(["-r", "-l", "rightone", ".gristmill"])
        .current_dir(desk.path())
        .output();
    assert_eq!(
        String::from_utf8_lossy(&grep.unwrap().stdout),
        "",
        "the password is in no file"
    );
}

#[test]
fn a_run_on_a_server_leaves_no_table_behind() {
    let desk = Desk::new();
    let folder = tempfile::tempdir().unwrap();
    let Some((_server, port, password)) = server(folder.path()) else {
        return;
    };
    let url = format!("postgres://gristmill@127.0.0.1:{port}/postgres");
    let said = desk.run_with(
        &["run", &url, "--visits", "200", "--seed", "7"],
        &[("PGPASSWORD", &password)],
    );
    assert!(matches!(said.code, Some(0 | 2)), "{said:?}");
    assert_eq!(
        psql(
            &port,
            &password,
            "SELECT count(*) FROM pg_class WHERE relname LIKE 'gm%'"
        ),
        "0\n"
    );
}

#[test]
fn after_kill_9_clean_removes_what_was_made_on_a_server() {
    let desk = Desk::new();
    let folder = tempfile::tempdir().unwrap();
    let Some((_server, port, password)) = server(folder.path()) else {
        return;
    };
    let url = format!("postgres://gristmill@127.0.0.1:{port}/postgres");
    let ours = || {
        let count = "SELECT count(*) FROM pg_class WHERE relname LIKE 'gm7%'";
        psql(&port, &password, count).trim().parse::<u32>().unwrap()
    };
    psql(&port, &password, "CREATE TABLE gmother (x int)");
    let mut command = desk.command(&["run", &url, "--seed", "7", "--time", "1h", "--sessions", "4"]);
    let mut child = running(&desk, command.env("PGPASSWORD", &password));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(ours() > 0, "what the run made is still there");
    let said = desk.run_with(&["clean", &url], &[("PGPASSWORD", &password)]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.starts_with("removed "), "{said:?}");
    assert_eq!(ours(), 0);
    let other = "SELECT count(*) FROM pg_class WHERE relname = 'gmother'";
    assert_eq!(psql(&port, &password, other), "1\n", "only what was ours");
}

/// Answers the questions of a start-up as PostgreSQL 9.6 would, one connection after the other.
fn old_server(listener: &TcpListener) {
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { return };
        // A client that hangs up ends its connection only.
        let _ = answer(&mut stream);
    }
}

fn answer(stream: &mut TcpStream) -> std::io::Result<()> {
    loop {
        let length = number(stream)?;
        let mut body = vec![0; length - 4];
        stream.read_exact(&mut body)?;
        // SSLRequest and GSSENCRequest are refused; the start-up packet ends the loop.
        match body.get(..4) {
            Some([4, 210, 22, 47 | 48]) => stream.write_all(b"N")?,
            _ => break,
        }
    }
    let ready = message(b'Z', b"I");
    let mut hello = message(b'R', &0u32.to_be_bytes());
    hello.extend(message(b'S', b"server_version\x009.6.24\0"));
    hello.extend(message(b'S', b"client_encoding\0UTF8\0"));
    hello.extend(message(b'K', &[0, 0, 0, 7, 0, 0, 0, 9]));
    hello.extend(&ready);
    stream.write_all(&hello)?;
    loop {
        let mut tag = [0];
        stream.read_exact(&mut tag)?;
        let length = number(stream)?;
        let mut body = vec![0; length - 4];
        stream.read_exact(&mut body)?;
        if tag != *b"Q" {
            return Ok(());
        }
        let sql = String::from_utf8_lossy(&body).into_owned();
        let row: &[&str] = if sql.contains("server_version_num") {
            &["9.6.24", "90624", "UTF8", "public", "true"]
        } else if sql.contains("pg_backend_pid") {
            &["7"]
        } else if sql.contains("SELECT") {
            &["on"]
        } else {
            &[]
        };
        let mut reply = Vec::new();
        if !row.is_empty() {
            let mut description = u16::try_from(row.len()).unwrap().to_be_bytes().to_vec();
            let mut data = description.clone();
            for value in row {
                description.extend(b"x\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0");
                data.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
                data.extend(value.as_bytes());
            }
            reply.extend(message(b'T', &description));
            reply.extend(message(b'D', &data));
        }
        reply.extend(message(b'C', b"OK\0"));
        reply.extend(&ready);
        stream.write_all(&reply)?;
    }
}

fn number(stream: &mut TcpStream) -> std::io::Result<usize> {
    let mut bytes = [0; 4];
    stream.read_exact(&mut bytes)?;
    Ok(u32::from_be_bytes(bytes) as usize)
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    out.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
    out.extend(body);
    out
}

#[test]
fn a_server_that_is_too_old_is_refused_by_its_version() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || old_server(&listener));
    let url = format!("postgres://app@127.0.0.1:{port}/shop?sslmode=disable");
    let mut said = Desk::new().run(&["run", &url, "--visits", "10", "--seed", "7"]);
    said.err = said.err.replace(&port.to_string(), "PORT");
    said.check(expect![[r#"
        exit 4
        ! error: cannot use postgres://app@127.0.0.1:PORT/shop?sslmode=disable: it is PostgreSQL 9.6.24
        !   help: use version 12 or newer
    "#]]);
}

#[test]
fn psql_loads_an_exported_data_set_and_it_is_what_the_plan_says() {
    let desk = Desk::new();
    let folder = tempfile::tempdir().unwrap();
    let Some((_server, port, password)) = server(folder.path()) else {
        return;
    };
    let url = format!("postgres://gristmill@127.0.0.1:{port}/postgres");
    let environment = [("PGPASSWORD", password.as_str())];
    for (to, form, seed, scripts, discipline) in [
        ("csv", "csv", "7", &["load.sql"][..], "ordered"),
        ("insert", "insert", "8", &["schema.sql", "data.sql"], "ordered"),
        ("dated", "csv", "9", &["load.sql"], "lww"),
    ] {
        let args = [
            "export",
            &url,
            "--seed",
            seed,
            "--visits",
            "900",
            "--as",
            form,
            "--to",
            to,
            "--discipline",
            discipline,
        ];
        let said = desk.run_with(&args, &environment);
        assert_eq!(said.code, Some(0), "{said:?}");
        for script in scripts {
            let mut command = Command::new("psql");
            command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", &url, "-f", script]);
            let loaded = command
                .current_dir(desk.path().join(to))
                .envs(environment)
                .output()
                .unwrap();
            assert!(
                loaded.status.success(),
                "{}",
                String::from_utf8_lossy(&loaded.stderr)
            );
        }
        let said = desk.run_with(&["check", to, "--target", &url], &environment);
        assert_eq!(said.code, Some(0), "{to}: {said:?}");
        assert!(
            said.out
                .starts_with("clean: what postgres://gristmill@127.0.0.1:"),
            "{said:?}"
        );
    }
}
