//! Servers of jars from the Maven registry: a pom in `tests/servers` names what is wanted, Maven finds what that needs.
//! Everything stays below `target/servers`.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A server that is a folder of jars for each version.
pub(crate) struct Jars {
    /// The name of the pom and of the folder.
    pub(crate) name: &'static str,
    /// What is installed unless a version is asked for.
    pub(crate) version: &'static str,
}

/// A real Cassandra, with the agent that flushes and compacts it.
pub(crate) const CASSANDRA: Jars = Jars {
    name: "cassandra",
    version: "5.0.9",
};

impl Jars {
    fn folder(&self, version: &str) -> PathBuf {
        super::golang::folder().join(self.name).join(version)
    }

    /// The folder of a version, if its jars are in it.
    pub(crate) fn found(&self, version: &str) -> Option<PathBuf> {
        let folder = self.folder(version);
        let has_jars = std::fs::read_dir(&folder)
            .ok()?
            .flatten()
            .any(|e| e.path().extension() == Some(OsStr::new("jar")));
        has_jars.then_some(folder)
    }

    /// The command a person would type.
    pub(crate) fn command(&self) -> String {
        format!("cargo xtask servers {}", self.name)
    }

    /// Copies the jars of a version into its folder; Java and Maven are installed first where Debian has them.
    ///
    /// The folder appears whole or not at all.
    pub(crate) fn install(&self, version: &str) -> Result<()> {
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
        if version.is_empty()
            || !version.starts_with(|c: char| c.is_ascii_digit())
            || !version.chars().all(plain)
        {
            bail!("`{version}` is no version: write one such as {}", self.version);
        }
        if !runs("java", "-version") || !runs("mvn", "-version") {
            super::apt(&["default-jdk-headless", "maven"]).context(
                "Java (17 or newer) and Maven are needed: install them so that `java` and `mvn` are on the path",
            )?;
        }
        let folder = self.folder(version);
        let fresh = folder.with_extension("part");
        if fresh.exists() {
            std::fs::remove_dir_all(&fresh).with_context(|| format!("cannot remove {}", fresh.display()))?;
        }
        let pom = crate::root()
            .join("tests/servers")
            .join(format!("{}.xml", self.name));
        let status = Command::new("mvn")
            .args(["-B", "-ntp", "-q", "-f"])
            .arg(&pom)
            .arg("dependency:copy-dependencies")
            .arg(format!("-D{}.version={version}", self.name))
            .arg(property("outputDirectory", &fresh))
            .arg("-DincludeScope=runtime")
            .status()
            .context("cannot start mvn")?;
        if !status.success() {
            bail!("mvn could not fetch {} {version} ({status})", self.name);
        }
        if folder.exists() {
            std::fs::remove_dir_all(&folder)
                .with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        std::fs::rename(&fresh, &folder).with_context(|| format!("cannot make {}", folder.display()))
    }
}

fn property(name: &str, path: &Path) -> std::ffi::OsString {
    let mut text = std::ffi::OsString::from(format!("-D{name}="));
    text.push(path);
    text
}

fn runs(program: &str, argument: &str) -> bool {
    Command::new(program)
        .arg(argument)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
