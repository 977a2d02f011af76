//! Settings from a file, the environment and flags, each over the one before; every mistake at once.

use crate::out::Out;
use crate::problem::Problem;
use clap::ArgMatches;
use run::plan::{Mistake, Settings, harry, keys};

/// The prefix of variables of the environment: `GRISTMILL_SESSIONS` is the key `sessions`.
const ENVIRONMENT: &str = "GRISTMILL_";

/// The variable of a key.
pub(crate) fn variable(key: &str) -> String {
    format!("{ENVIRONMENT}{}", key.to_uppercase().replace('-', "_"))
}

/// What the caller asked for. Keys that no source names stay open.
pub(crate) fn gather(given: &ArgMatches, out: &Out) -> Result<Settings, Problem> {
    let mut mistakes = Vec::new();
    let mut keep = |settings: Result<Settings, Vec<Mistake>>| {
        settings.unwrap_or_else(|all| {
            mistakes.extend(all);
            Settings::default()
        })
    };
    let file = match given.get_one::<String>("config") {
        None => Settings::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path);
            let text = text.map_err(|e| {
                Problem::usage(
                    format!("cannot read {path}: {}", plain(&e)),
                    "--config takes a file of settings, such as `sessions = 4`",
                )
            })?;
            keep(Settings::parse(&text, path))
        }
    };
    let harry = match given.try_get_one::<String>("harry").ok().flatten() {
        None => Settings::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path);
            let text = text.map_err(|e| {
                Problem::usage(
                    format!("cannot read {path}: {}", plain(&e)),
                    "--harry takes a configuration of Apache Cassandra Harry",
                )
            })?;
            keep(harry::read(&text, path).map(|read| {
                read.remarks.iter().for_each(|remark| out.remark(remark));
                read.settings
            }))
        }
    };
    let environment = keep(from_environment());
    let flags = keep(from_flags(given));
    if mistakes.is_empty() {
        Ok(flags.over(environment).over(file).over(harry))
    } else {
        Err(mistakes.into())
    }
}

/// An error of the system as a part of a sentence.
pub(crate) fn plain(error: &std::io::Error) -> String {
    error.to_string().to_lowercase()
}

fn from_environment() -> Result<Settings, Vec<Mistake>> {
    let mut settings = Settings::default();
    let mut mistakes = Vec::new();
    for key in keys() {
        let name = variable(key.name);
        if let Ok(value) = std::env::var(&name) {
            mistakes.extend(settings.set(key.name, &value, &name).err());
        }
    }
    if mistakes.is_empty() {
        Ok(settings)
    } else {
        Err(mistakes)
    }
}

fn from_flags(given: &ArgMatches) -> Result<Settings, Vec<Mistake>> {
    let mut settings = Settings::default();
    let mut mistakes = Vec::new();
    for key in keys() {
        let place = if key.name == "target" {
            "TARGET".to_owned()
        } else {
            format!("--{}", key.name)
        };
        if let Ok(Some(value)) = given.try_get_one::<String>(key.name) {
            mistakes.extend(settings.set(key.name, value, &place).err());
        }
    }
    for value in given.get_many::<String>("fault").into_iter().flatten() {
        mistakes.extend(settings.fault(value, "--fault").err());
    }
    for value in given.get_many::<String>("lie").into_iter().flatten() {
        mistakes.extend(settings.lie(value, "--lie").err());
    }
    if mistakes.is_empty() {
        Ok(settings)
    } else {
        Err(mistakes)
    }
}
