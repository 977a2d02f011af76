//! The real servers that tests are run against: where they are found, and how they get onto a machine.
//!
//! Tests look for a server in the same places; one that is missing makes its tests print a line and pass, unless `CI` is
//! `true`: then they fail, so that a green CI has left nothing out.

mod golang;
mod maven;
mod npm;

use anyhow::{Context, Result, bail};
use maven::{CASSANDRA, Jars};
use npm::{DUCKDB, Package};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A server that tests need.
pub(crate) struct Server {
    name: &'static str,
    way: Way,
    found: fn() -> Option<PathBuf>,
    /// What is left out without it.
    tests: &'static str,
}

/// How a server gets onto a machine.
enum Way {
    /// As Debian packages.
    Debian(&'static [&'static str]),
    /// Built by `go install` into `target/servers/bin`.
    Go(&'static str),
    /// From the Maven registry, into `target/servers/NAME/VERSION`.
    Maven(&'static Jars),
    /// From the npm registry, into `target/servers/NAME`.
    Npm(&'static Package),
}

impl Way {
    /// The command a person would type.
    fn command(&self) -> String {
        match self {
            Way::Debian(packages) => format!("apt-get install {}", packages.join(" ")),
            Way::Go(module) => format!("go install {module}"),
            Way::Maven(jars) => jars.command(),
            Way::Npm(package) => package.command(),
        }
    }

    fn install(&self) -> Result<()> {
        match self {
            Way::Debian(packages) => apt(packages),
            Way::Go(module) => golang::install(module),
            Way::Maven(jars) => jars.install(jars.version),
            Way::Npm(package) => package.install(),
        }
    }
}

/// All of them.
pub(crate) const SERVERS: &[Server] = &[
    Server {
        name: "PostgreSQL",
        way: Way::Debian(&["postgresql", "postgresql-client"]),
        found: postgres,
        tests: "conformance, faults and durability on PostgreSQL (gristmill-targets, gristmill-run, gristmill, \
                millstream-shard, millstream)",
    },
    Server {
        name: "MariaDB",
        way: Way::Debian(&["mariadb-server"]),
        found: mariadb,
        tests: "conformance, faults and durability on MariaDB (gristmill-targets, gristmill-run)",
    },
    Server {
        name: "versitygw",
        way: Way::Go("github.com/versity/versitygw/cmd/versitygw@v1.8.0"),
        found: versitygw,
        tests: "conformance and crashes on S3-compatible storage (millstream-shard, millstream)",
    },
    Server {
        name: "Cassandra",
        way: Way::Maven(&CASSANDRA),
        found: || CASSANDRA.found(CASSANDRA.version),
        tests: "conformance and faults on Cassandra (gristmill-targets, gristmill)",
    },
    Server {
        name: "DuckDB",
        way: Way::Npm(&DUCKDB),
        found: || DUCKDB.found(),
        tests: "the parallel workload on DuckDB (gristmill-targets, gristmill)",
    },
];

/// Where tests look for it: named by `VERSITYGW`, where we install it, on the path.
fn versitygw() -> Option<PathBuf> {
    let named = std::env::var_os("VERSITYGW").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("versitygw"));
    named
        .into_iter()
        .chain([golang::folder().join("bin/versitygw")])
        .chain(on_path)
        .find(|program| program.is_file())
}

fn postgres() -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = Vec::new();
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        folders.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.flatten().map(|e| e.path().join("bin")).collect())
        .unwrap_or_default();
    versions.sort();
    folders.extend(versions.into_iter().rev());
    folders
        .into_iter()
        .find(|f| f.join("postgres").exists() && f.join("initdb").exists())
}

fn mariadb() -> Option<PathBuf> {
    let folders = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"].map(PathBuf::from);
    let has = |name: &str| folders.iter().map(|f| f.join(name)).find(|p| p.is_file());
    has("mariadb-install-db").and_then(|_| has("mariadbd"))
}

/// Prints what there is.
pub(crate) fn list() {
    for server in SERVERS {
        match (server.found)() {
            Some(path) => println!("{:12} {}", server.name, path.display()),
            None => println!("{:12} not found; {}", server.name, server.way.command()),
        }
    }
}

/// `cargo xtask servers NAME [VERSION]`: installs one server, whether or not it is there.
pub(crate) fn install_one(name: &str, version: Option<&str>) -> Result<()> {
    let Some(server) = SERVERS.iter().find(|s| s.name.eq_ignore_ascii_case(name)) else {
        let known: Vec<String> = SERVERS.iter().map(|s| s.name.to_lowercase()).collect();
        bail!("no server `{name}`; there are {}", known.join(", "));
    };
    let path = match (&server.way, version) {
        (Way::Maven(jars), version) => {
            let version = version.unwrap_or(jars.version);
            jars.install(version)?;
            jars.found(version)
        }
        (_, None) => {
            server.way.install()?;
            (server.found)()
        }
        (_, Some(version)) => bail!("{} comes in one version: leave {version} out", server.name),
    };
    let path = path.with_context(|| format!("{} is still not found", server.name))?;
    println!("{:12} {}", server.name, path.display());
    Ok(())
}

/// Sees to it that the tests find their servers, or says what is left out. Fails only where installing was asked for.
pub(crate) fn provide(install: bool) -> Result<()> {
    let missing: Vec<&Server> = SERVERS.iter().filter(|s| (s.found)().is_none()).collect();
    for server in &missing {
        let command = server.way.command();
        if install {
            println!("xtask: installing {}: {command}", server.name);
            server
                .way
                .install()
                .with_context(|| format!("cannot install {}", server.name))?;
            if (server.found)().is_none() {
                bail!("{} is still not found after {command}", server.name);
            }
        } else {
            println!("xtask: {} is not on this machine.", server.name);
            println!("       left out: {}", server.tests);
            println!("       `cargo xtask test --install` would run: {command}");
        }
    }
    Ok(())
}

/// Installs Debian packages without starting their services.
fn apt(packages: &[&str]) -> Result<()> {
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("this is not Debian: install {} by hand", packages.join(", "));
    }
    let policy = Path::new("/usr/sbin/policy-rc.d");
    let ours = !policy.exists();
    if ours {
        // Debian's convention for "do not start services now".
        std::fs::write(policy, "#!/bin/sh\nexit 101\n")
            .context("cannot write /usr/sbin/policy-rc.d: not root?")?;
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(policy, std::fs::Permissions::from_mode(0o755))?;
    }
    let mut steps = vec![vec!["update"]];
    steps.push([&["install", "-y", "--no-install-recommends"], packages].concat());
    let result = steps.iter().try_for_each(|args| {
        let status = Command::new("apt-get")
            .arg("-qq")
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .status()?;
        if status.success() {
            Ok(())
        } else {
            bail!("apt-get {} failed ({status})", args.join(" "))
        }
    });
    if ours {
        std::fs::remove_file(policy)?;
    }
    result
}
