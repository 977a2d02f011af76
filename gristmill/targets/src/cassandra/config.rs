//! Where a Cassandra is and who we are to it: the URL, then the environment.
//!
//! Understood: `cassandra://user:password@host:port,host:port/keyspace?rf=&dc=&consistency=&serial=&with=`, and
//! `CASSANDRA_PASSWORD`. The same parameters go after `cassandra:local`.
//!
//! Invariant: [`Config::shown`] never holds the password.

#[cfg(test)]
mod tests;

use crate::Unusable;
use crate::target::Environment;
use crate::url::{decode, split_query, without_password};
use history::Consistency;

/// Everything needed to connect and to ask.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Config {
    /// Contact points, `host:port`; at least one.
    pub(super) hosts: Vec<String>,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    /// The keyspace that the URL names; `None`: we make one.
    pub(super) keyspace: Option<String>,
    pub(super) words: Words,
    /// The URL without its password.
    pub(super) shown: String,
}

/// What the parameters of the URL say about keyspaces and requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words {
    /// Replicas of a keyspace that we make, or that the named one has.
    pub(super) rf: u16,
    /// The data centre whose replicas are counted; `None`: SimpleStrategy.
    pub(super) dc: Option<String>,
    /// Options of every table that we make: `gc_grace_seconds = 60`.
    pub(super) with: Vec<String>,
    /// Of requests without a stamp.
    pub(super) consistency: Consistency,
    /// Lightweight transactions see those of every data centre, not only of the coordinator's.
    pub(super) serial_everywhere: bool,
}

impl Default for Words {
    fn default() -> Self {
        Self {
            rf: 1,
            dc: None,
            with: Vec::new(),
            consistency: Consistency::Quorum,
            serial_everywhere: true,
        }
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

const FORM: &str = "the form is cassandra://user@host:port,host:port/keyspace?rf=1&dc=NAME&consistency=quorum&serial=serial\
                    &with=gc_grace_seconds=60";

impl Words {
    /// Takes one parameter; `false` where it is not one of these. Errors: a value that makes no sense.
    pub(super) fn take(&mut self, url: &str, key: &str, value: &str) -> Result<bool, Unusable> {
        let bad = |what: String, remedy: &str| Err(Unusable::usage(url, what, remedy));
        match key {
            "rf" => match value.parse() {
                Ok(rf) if rf > 0 => self.rf = rf,
                _ => return bad(format!("rf={value} is no number of replicas"), "give 1 or more"),
            },
            "dc" if is_name(value) => self.dc = Some(value.to_owned()),
            "dc" => {
                return bad(
                    format!("dc={value} is no data centre's name"),
                    "give letters, digits, - and _",
                );
            }
            "with" if value.contains('=') => self.with.push(value.to_owned()),
            "with" => {
                return bad(
                    format!("with={value} is no option of a table"),
                    "write with=gc_grace_seconds=60",
                );
            }
            "consistency" => {
                let known = Consistency::ALL.iter().find(|(_, name)| *name == value);
                let Some((level, _)) = known else {
                    let names: Vec<&str> = Consistency::ALL.iter().map(|(_, name)| *name).collect();
                    let remedy = format!("known are {}", names.join(", "));
                    return bad(format!("consistency={value} is no level"), &remedy);
                };
                self.consistency = *level;
            }
            "serial" => match value {
                "serial" => self.serial_everywhere = true,
                "local-serial" => self.serial_everywhere = false,
                _ => {
                    return bad(
                        format!("serial={value} is no level"),
                        "known are serial and local-serial",
                    );
                }
            },
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Config {
    /// Reads a URL (with its scheme). Errors: [`Unusable::Usage`] that names the part and the remedy.
    pub(super) fn parse(url: &str, environment: &Environment) -> Result<Self, Unusable> {
        let shown = without_password(url);
        let bad = |what: String| Unusable::usage(shown.clone(), what, FORM);
        let text = |part: &str, name: &str| {
            decode(part).ok_or_else(|| bad(format!("the {name} is not percent-encoded UTF-8")))
        };
        let rest = url.split_once(':').map_or("", |(_, rest)| rest);
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let rest = match rest.strip_prefix("//") {
            Some(rest) => rest,
            None if rest.is_empty() => "",
            None => return Err(bad(format!("`{rest}` is no part of a Cassandra URL"))),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        let (user, password) = match user.map(|u| u.split_once(':').map_or((u, None), |(u, p)| (u, Some(p))))
        {
            Some((user, password)) => (
                Some(text(user, "user")?),
                password.map(|p| text(p, "password")).transpose()?,
            ),
            None => (None, None),
        };
        let hosts = if place.is_empty() { "127.0.0.1" } else { place }
            .split(',')
            .map(|host| with_port(host).ok_or_else(|| bad(format!("`{host}` is no host:port"))))
            .collect::<Result<Vec<String>, Unusable>>()?;
        let keyspace = match path {
            "" => None,
            name if is_keyspace(name) => Some(name.to_owned()),
            name => {
                let remedy =
                    "name one of lower-case letters, digits and underscores, a letter first, at most 48";
                return Err(Unusable::usage(
                    shown,
                    format!("`{name}` is no keyspace that we can use"),
                    remedy,
                ));
            }
        };
        let mut words = Words::default();
        for (key, value) in split_query(query) {
            let value = text(value, key)?;
            if !words.take(&shown, key, &value)? {
                return Err(bad(format!("unknown parameter `{key}`")));
            }
        }
        let password = password.or_else(|| environment("CASSANDRA_PASSWORD").filter(|p| !p.is_empty()));
        Ok(Self {
            hosts,
            user,
            password,
            keyspace,
            words,
            shown,
        })
    }

    /// Who we say we are, if anybody.
    pub(super) fn credentials(&self) -> Option<(&str, &str)> {
        let password = self.password.as_deref();
        match (&self.user, password) {
            (Some(user), password) => Some((user, password.unwrap_or_default())),
            (None, _) => None,
        }
    }
}

/// `host`, `host:port`, `[::1]`, `[::1]:port`; the port is 9042 unless given.
fn with_port(place: &str) -> Option<String> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (
                format!("[{host}]"),
                port.strip_prefix(':')
                    .or_else(|| port.is_empty().then_some("9042"))?,
            )
        }
        None => place.split_once(':').map_or_else(
            || (place.to_owned(), "9042"),
            |(host, port)| (host.to_owned(), port),
        ),
    };
    let port: u16 = port.parse().ok().filter(|p| *p > 0)?;
    (!host.is_empty()).then(|| format!("{host}:{port}"))
}

fn is_keyspace(name: &str) -> bool {
    name.len() <= 48
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && is_name(name)
        && !name.contains(['-', '.'])
        && !name.contains(|c: char| c.is_ascii_uppercase())
}

/// What may stand in quotes in CQL without a second thought.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
}
