//! Libraries from the npm registry: a folder of `tests/servers` names what is wanted and, in its lock file, the checksum of
//! each package. Everything stays below `target/servers`.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A library that is one file of a package.
pub(crate) struct Package {
    /// The name of the folder with the lock file, and of the folder that the library goes into.
    pub(crate) name: &'static str,
    /// The name of the package, for x86-64.
    pub(crate) package: &'static str,
    /// The file in it.
    pub(crate) file: &'static str,
}

/// DuckDB 1.5, as its makers build it.
pub(crate) const DUCKDB: Package = Package {
    name: "duckdb",
    package: "@duckdb/node-bindings-linux-x64",
    file: "libduckdb.so",
};

impl Package {
    fn folder(&self) -> PathBuf {
        super::golang::folder().join(self.name)
    }

    /// The library, if it is there.
    pub(crate) fn found(&self) -> Option<PathBuf> {
        Some(self.folder().join(self.file)).filter(|file| file.is_file())
    }

    /// The command a person would type.
    pub(crate) fn command(&self) -> String {
        format!("cargo xtask servers {}", self.name)
    }

    /// Fetches the packages of the lock file, which npm checks, and keeps the one file. Debian's npm is installed where
    /// there is none.
    ///
    /// The file appears whole or not at all.
    pub(crate) fn install(&self) -> Result<()> {
        if std::env::consts::ARCH != "x86_64" {
            bail!(
                "the lock file knows no {} for {}",
                self.name,
                std::env::consts::ARCH
            );
        }
        let runs = || {
            let npm = Command::new("npm")
                .arg("--version")
                .stdout(Stdio::null())
                .status();
            npm.is_ok_and(|status| status.success())
        };
        if !runs() {
            super::apt(&["npm"]).context("npm is needed: install it so that `npm` is on the path")?;
        }
        let folder = self.folder();
        let work = folder.with_extension("part");
        if work.exists() {
            std::fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))?;
        }
        std::fs::create_dir_all(&work).with_context(|| format!("cannot make {}", work.display()))?;
        let wanted = crate::root().join("tests/servers").join(self.name);
        for name in ["package.json", "package-lock.json"] {
            copy(&wanted.join(name), &work.join(name))?;
        }
        let status = Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(&work)
            .status()
            .context("cannot start npm")?;
        if !status.success() {
            bail!("npm could not fetch {} ({status})", self.name);
        }
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let package = work.join("node_modules").join(self.package);
        let part = folder.join("part");
        copy(&package.join(self.file), &part)?;
        let whole = folder.join(self.file);
        std::fs::rename(&part, &whole).with_context(|| format!("cannot make {}", whole.display()))?;
        std::fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}
