//! URLs, environments, password files.

use super::{Config, password_of};
use crate::target::Environment;
use crate::url::without_password;
use expect_test::{Expect, expect};
use std::sync::Arc;

fn environment(pairs: &'static [(&'static str, &'static str)]) -> Environment {
    Arc::new(move |name| {
        pairs
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, v)| (*v).to_owned())
    })
}

fn check(url: &str, pairs: &'static [(&'static str, &'static str)], expected: &Expect) {
    let text = match Config::parse(url, &environment(pairs)) {
        Ok(c) => format!(
            "{:?} {} {}@{} {:?} {:?} {:?} shown {}",
            c.place, c.port, c.user, c.database, c.password, c.ssl, c.roots, c.shown
        ),
        Err(e) => format!("{e} / {}", e.complaint().remedy),
    };
    expected.assert_eq(&text);
}

#[test]
fn a_url_says_where_and_who() {
    check(
        "postgres://ann:p%40ss@db.example:5433/shop?sslmode=verify-full&sslrootcert=/ca.pem",
        &[],
        &expect![[
            r#"Tcp("db.example") 5433 ann@shop Some("p@ss") VerifyFull Some(File("/ca.pem")) shown postgres://ann@db.example:5433/shop?sslmode=verify-full&sslrootcert=/ca.pem"#
        ]],
    );
    check(
        "postgres://[::1]:5/x",
        &[("USER", "me")],
        &expect![[r#"Tcp("::1") 5 me@x None Prefer None shown postgres://[::1]:5/x"#]],
    );
}

#[test]
fn a_socket_directory_is_a_host() {
    check(
        "postgres:///shop?host=/run/postgresql&user=ann",
        &[],
        &expect![[
            r#"Socket("/run/postgresql") 5432 ann@shop None Prefer None shown postgres:///shop?host=/run/postgresql&user=ann"#
        ]],
    );
    check(
        "postgres://ann@%2Frun%2Fpostgresql/shop",
        &[],
        &expect![[
            r#"Socket("/run/postgresql") 5432 ann@shop None Prefer None shown postgres://ann@%2Frun%2Fpostgresql/shop"#
        ]],
    );
}

#[test]
fn the_environment_fills_what_the_url_leaves_open() {
    check(
        "postgres:",
        &[
            ("PGHOST", "h"),
            ("PGPORT", "77"),
            ("PGUSER", "u"),
            ("PGDATABASE", "d"),
            ("PGPASSWORD", "s"),
            ("PGSSLMODE", "require"),
        ],
        &expect![[r#"Tcp("h") 77 u@d Some("s") Require None shown postgres:"#]],
    );
}

#[test]
fn what_is_wrong_is_named_with_its_remedy() {
    check(
        "postgres://h:x/d",
        &[],
        &expect!["cannot use postgres://h:x/d: `x` is no port / a port is a number from 1 to 65535"],
    );
    check(
        "postgres://u:secret@h/d?ssl=1",
        &[],
        &expect![
            "cannot use postgres://u@h/d?ssl=1: unknown parameter `ssl` / known are host, port, user, password, dbname, sslmode, sslrootcert, connect_timeout, application_name, options"
        ],
    );
    check(
        "postgres://a,b/d",
        &[],
        &expect![
            "cannot use postgres://a,b/d: it names several hosts / name the one server that is to be tested"
        ],
    );
}

#[test]
fn a_shown_url_holds_no_password() {
    for (url, shown) in [
        ("postgres://u:p@h/d", "postgres://u@h/d"),
        ("postgres://u:p@w@h/d", "postgres://u@h/d"),
        ("postgres://u@h/d?password=p&port=5", "postgres://u@h/d?port=5"),
        ("postgres://h/d?password=p", "postgres://h/d"),
    ] {
        assert_eq!(without_password(url), shown);
    }
}

#[test]
fn the_first_line_of_the_password_file_that_fits_counts() {
    let file = "# none\nother:*:*:*:no\nh:5432:*:u:first\\:colon\n*:*:*:*:last";
    assert_eq!(
        password_of(file, ["h", "5432", "d", "u"]).as_deref(),
        Some("first:colon")
    );
    assert_eq!(
        password_of(file, ["h", "5433", "d", "u"]).as_deref(),
        Some("last")
    );
    assert_eq!(password_of("h:1:d:u:p", ["h", "2", "d", "u"]), None);
}
