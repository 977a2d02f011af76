//! Where a MariaDB server is and how to get in: `mysql://user:password@host:port/database`, and what of it the environment
//! fills (`MYSQL_HOST`, `MYSQL_TCP_PORT`, `MYSQL_PWD`, `USER`), as the server's own clients read it.

use crate::Unusable;
use crate::target::Environment;
use crate::url::{decode, split_query, without_password};
use std::time::Duration;

/// Everything needed to connect.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Config {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) password: Option<String>,
    pub(super) database: Option<String>,
    pub(super) connect_timeout: Duration,
    /// The URL without its password.
    pub(super) shown: String,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

const FORM: &str = "the form is mysql://user@host:port/database";

impl Config {
    /// Reads a URL (with its scheme). Errors: [`Unusable::Usage`] that names the part and the remedy.
    pub(super) fn parse(url: &str, environment: &Environment) -> Result<Self, Unusable> {
        let shown = without_password(url);
        let bad = |what: String, remedy: &str| Unusable::usage(shown.clone(), what, remedy);
        let rest = url.split_once(':').map_or("", |(_, rest)| rest);
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let rest = match rest.strip_prefix("//") {
            Some(rest) => rest,
            None if rest.is_empty() => "",
            None => return Err(bad(format!("`{rest}` is no part of a MariaDB URL"), FORM)),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (user, place),
            None => ("", authority),
        };
        let (user, password) = user.split_once(':').map_or((user, None), |(u, p)| (u, Some(p)));
        let (host, port) = match place.strip_prefix('[').and_then(|p| p.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':').unwrap_or(rest)),
            None => place.split_once(':').unwrap_or((place, "")),
        };
        let text = |part: &str, name: &str| {
            decode(part).ok_or_else(|| bad(format!("the {name} is not percent-encoded UTF-8"), FORM))
        };
        let environment = |name: &str| environment(name).filter(|value| !value.is_empty());
        let or = |given: String, otherwise: &dyn Fn() -> Option<String>| {
            if given.is_empty() {
                otherwise()
            } else {
                Some(given)
            }
        };
        let mut connect_timeout = Duration::from_secs(10);
        for (key, value) in split_query(query) {
            let value = text(value, key)?;
            match key {
                "connect_timeout" => {
                    let seconds: Option<u64> = value.parse().ok();
                    let seconds = seconds.filter(|n| (1..=600).contains(n)).ok_or_else(|| {
                        let remedy = "give seconds from 1 to 600";
                        bad(format!("connect_timeout is `{value}`"), remedy)
                    })?;
                    connect_timeout = Duration::from_secs(seconds);
                }
                other => {
                    return Err(bad(
                        format!("unknown parameter `{other}`"),
                        "known is connect_timeout (seconds)",
                    ));
                }
            }
        }
        let port = or(port.to_owned(), &|| environment("MYSQL_TCP_PORT")).unwrap_or_else(|| "3306".into());
        let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(|| {
            let remedy = "a port is a number from 1 to 65535";
            bad(format!("`{port}` is no port"), remedy)
        })?;
        let password = match password {
            Some(password) => Some(text(password, "password")?),
            None => environment("MYSQL_PWD"),
        };
        let host = or(text(host, "host")?, &|| environment("MYSQL_HOST"));
        let user = or(text(user, "user")?, &|| environment("USER"));
        Ok(Self {
            host: host.unwrap_or_else(|| "127.0.0.1".into()),
            port,
            user: user.unwrap_or_else(|| "root".into()),
            password,
            database: or(text(path, "database")?, &|| None),
            connect_timeout,
            shown,
        })
    }
}
