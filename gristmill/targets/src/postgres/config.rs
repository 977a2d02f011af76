//! Where a PostgreSQL server is and who we are to it: URL, then environment, then what libpq would take.
//!
//! Understood: `postgres://user:password@host:port/database?key=value&…` with percent signs, a socket directory as host
//! (`?host=/run/postgresql` or `postgres://%2Frun%2Fpostgresql/db`), the variables `PGHOST`, `PGPORT`, `PGUSER`,
//! `PGDATABASE`, `PGPASSWORD`, `PGPASSFILE`, `PGSSLMODE`, `PGSSLROOTCERT`, `PGCONNECT_TIMEOUT`, and the password file.
//!
//! Invariant: [`Config::shown`] never holds the password.

#[cfg(test)]
mod tests;

use crate::Unusable;
use crate::target::Environment;
use crate::url::{decode, split_query, without_password};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How much of TLS is wanted; the words are libpq's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SslMode {
    /// Never.
    Disable,
    /// If the server can; anybody's certificate.
    Prefer,
    /// Or nothing; anybody's certificate, unless root certificates are given.
    Require,
    /// Signed by a known root.
    VerifyCa,
    /// And for this host.
    VerifyFull,
}

/// Where root certificates come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Roots {
    /// The ones that Mozilla trusts, built in (`sslrootcert=system`, and the default of the verifying modes).
    Public,
    /// A file of certificates in PEM.
    File(PathBuf),
}

/// Where the server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A host name or address.
    Tcp(String),
    /// A folder with `.s.PGSQL.port` in it.
    Socket(PathBuf),
}

/// Everything needed to connect.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) place: Place,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) database: String,
    pub(crate) password: Option<String>,
    pub(crate) ssl: SslMode,
    pub(crate) roots: Option<Roots>,
    pub(crate) connect_timeout: Duration,
    pub(crate) application_name: String,
    /// `options` of the startup message.
    pub(crate) options: Option<String>,
    /// The URL without its password.
    pub(crate) shown: String,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

const FORM: &str = "the form is postgres://user@host:port/database?sslmode=prefer, a socket directory goes into ?host=/run/postgresql";

impl Config {
    /// Reads a URL (with its scheme) and fills what it leaves open from the environment.
    /// Errors: [`Unusable::Usage`] that names the part and the remedy.
    pub(crate) fn parse(url: &str, environment: &Environment) -> Result<Self, Unusable> {
        let shown = without_password(url);
        let bad = |what: String, remedy: &str| Unusable::usage(shown.clone(), what, remedy);
        let rest = url.split_once(':').map_or("", |(_, rest)| rest);
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let rest = match rest.strip_prefix("//") {
            Some(rest) => rest,
            None if rest.is_empty() => "",
            None => return Err(bad(format!("`{rest}` is no part of a PostgreSQL URL"), FORM)),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        let (user, password) = match user.map(|u| u.split_once(':').map_or((u, None), |(u, p)| (u, Some(p))))
        {
            Some((user, password)) => (Some(user), password),
            None => (None, None),
        };
        let text = |part: &str, name: &str| {
            decode(part).ok_or_else(|| bad(format!("the {name} is not percent-encoded UTF-8"), FORM))
        };
        let given = |part: &str| {
            if part.is_empty() {
                None
            } else {
                Some(part.to_owned())
            }
        };
        let (host, port) = split_port(place);
        if place.contains(',') {
            return Err(bad(
                "it names several hosts".into(),
                "name the one server that is to be tested",
            ));
        }
        let env = |name: &str| environment(name).filter(|v| !v.is_empty());
        let mut host = match given(host) {
            Some(h) => Some(text(&h, "host")?),
            None => None,
        };
        let mut port = given(port);
        let mut user = match user.and_then(given) {
            Some(u) => Some(text(&u, "user")?),
            None => None,
        };
        let mut password = match password {
            Some(p) => Some(text(p, "password")?),
            None => None,
        };
        let mut database = match given(path) {
            Some(d) => Some(text(&d, "database")?),
            None => None,
        };
        let (mut sslmode, mut sslrootcert, mut timeout) = (None, None, None);
        let (mut application_name, mut options) = (None, None);
        for (key, value) in split_query(query) {
            let value = text(value, key)?;
            match key {
                "host" => host = Some(value),
                "port" => port = Some(value),
                "user" => user = Some(value),
                "password" => password = Some(value),
                "dbname" => database = Some(value),
                "sslmode" => sslmode = Some(value),
                "sslrootcert" => sslrootcert = Some(value),
                "connect_timeout" => timeout = Some(value),
                "application_name" => application_name = Some(value),
                "options" => options = Some(value),
                other => {
                    return Err(bad(
                        format!("unknown parameter `{other}`"),
                        "known are host, port, user, password, dbname, sslmode, sslrootcert, connect_timeout, application_name, options",
                    ));
                }
            }
        }
        let host = host
            .or_else(|| env("PGHOST"))
            .unwrap_or_else(|| "localhost".into());
        let port = port.or_else(|| env("PGPORT")).unwrap_or_else(|| "5432".into());
        let port: u16 = port.parse().map_err(|_| {
            bad(
                format!("`{port}` is no port"),
                "a port is a number from 1 to 65535",
            )
        })?;
        let user = user
            .or_else(|| env("PGUSER"))
            .or_else(|| env("USER"))
            .or_else(|| env("LOGNAME"))
            .unwrap_or_else(|| "postgres".into());
        let database = database
            .or_else(|| env("PGDATABASE"))
            .unwrap_or_else(|| user.clone());
        let sslmode = sslmode.or_else(|| env("PGSSLMODE"));
        let ssl = match sslmode.as_deref() {
            None | Some("prefer" | "allow") => SslMode::Prefer,
            Some("disable") => SslMode::Disable,
            Some("require") => SslMode::Require,
            Some("verify-ca") => SslMode::VerifyCa,
            Some("verify-full") => SslMode::VerifyFull,
            Some(other) => {
                return Err(bad(
                    format!("unknown sslmode `{other}`"),
                    "known are disable, allow, prefer, require, verify-ca, verify-full",
                ));
            }
        };
        let roots = match sslrootcert.or_else(|| env("PGSSLROOTCERT")).as_deref() {
            None => None,
            Some("system") => Some(Roots::Public),
            Some(file) => Some(Roots::File(file.into())),
        };
        let timeout = timeout
            .or_else(|| env("PGCONNECT_TIMEOUT"))
            .unwrap_or_else(|| "10".into());
        let seconds: u64 = timeout.parse().map_err(|_| {
            bad(
                format!("connect_timeout is `{timeout}`"),
                "give it as a number of seconds",
            )
        })?;
        let place = if host.starts_with('/') {
            Place::Socket(host.into())
        } else {
            Place::Tcp(host)
        };
        let mut config = Self {
            place,
            port,
            user,
            database,
            password: password.or_else(|| env("PGPASSWORD")),
            ssl,
            roots,
            connect_timeout: Duration::from_secs(seconds.clamp(2, 600)),
            application_name: application_name.unwrap_or_else(|| "gristmill".into()),
            options,
            shown,
        };
        if config.password.is_none() {
            config.password = config.password_of_file(environment);
        }
        Ok(config)
    }

    /// The password of the first line that fits, as libpq reads the file; a file that others may read is left alone.
    fn password_of_file(&self, environment: &Environment) -> Option<String> {
        let file = match environment("PGPASSFILE").filter(|f| !f.is_empty()) {
            Some(file) => PathBuf::from(file),
            None => Path::new(&environment("HOME")?).join(".pgpass"),
        };
        let open = {
            use std::os::unix::fs::PermissionsExt;
            std::fs::metadata(&file).ok()?.permissions().mode() & 0o077 != 0
        };
        if open {
            return None;
        }
        let text = std::fs::read_to_string(file).ok()?;
        let host = match &self.place {
            Place::Tcp(host) => host.clone(),
            Place::Socket(_) => "localhost".into(),
        };
        let port = self.port.to_string();
        password_of(&text, [&host, &port, &self.database, &self.user])
    }
}

/// `host:port`, `[v6]:port`, either part may be missing.
fn split_port(place: &str) -> (&str, &str) {
    if let Some((host, rest)) = place.strip_prefix('[').and_then(|p| p.split_once(']')) {
        return (host, rest.strip_prefix(':').unwrap_or(rest));
    }
    place.split_once(':').unwrap_or((place, ""))
}

/// Looks through the lines `host:port:database:user:password`; `*` fits everything, `\` quotes `:` and `\`.
fn password_of(file: &str, wanted: [&str; 4]) -> Option<String> {
    for line in file.lines().filter(|l| !l.starts_with('#')) {
        let mut fields = vec![String::new()];
        let mut chars = line.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => fields.last_mut()?.extend(chars.next()),
                ':' if fields.len() < 5 => fields.push(String::new()),
                c => fields.last_mut()?.push(c),
            }
        }
        if fields.len() == 5
            && fields
                .iter()
                .zip(wanted)
                .all(|(field, want)| field == "*" || field == want)
        {
            return fields.pop();
        }
    }
    None
}
