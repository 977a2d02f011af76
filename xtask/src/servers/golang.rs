//! Servers that are built from the Go module proxy. Everything stays below `target/servers`.

use anyhow::{Context, Result, bail};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The compiler that is fetched where there is only one from before 1.21, which cannot fetch a newer one by itself.
const TOOLCHAIN: &str = "v0.0.1-go1.26.0";

/// Where our servers live.
pub(crate) fn folder() -> PathBuf {
    crate::root().join("target/servers")
}

/// `go install module` into `target/servers/bin`.
///
/// Without a Go compiler Debian's is installed first. Modules and objects are removed afterwards.
pub(crate) fn install(module: &str) -> Result<()> {
    let work = folder().join("go");
    std::fs::create_dir_all(&work).with_context(|| format!("cannot make {}", work.display()))?;
    let found = match compiler() {
        Some(go) => go,
        None => {
            super::apt(&["golang-go"])?;
            compiler().context("there is no `go` after installing golang-go")?
        }
    };
    let go = if minor(&found)? < 21 {
        newer(&found, &work)?
    } else {
        found
    };
    run(command(&go, &work).env("GOBIN", folder().join("bin")).args([
        "install",
        "-trimpath",
        "-ldflags=-s -w",
        module,
    ]))?;
    std::fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))
}

/// `go` with its caches below `work`, free to fetch the compiler that a module asks for.
fn command(go: &Path, work: &Path) -> Command {
    let mut command = Command::new(go);
    command
        .current_dir(work)
        .env("GOPATH", work.join("path"))
        .env("GOCACHE", work.join("cache"))
        .env("GOFLAGS", "-modcacherw -buildvcs=false")
        .env("GOTOOLCHAIN", "auto")
        .env_remove("GOROOT");
    command
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().context("cannot start go")?;
    if !status.success() {
        bail!("{command:?} failed ({status})");
    }
    Ok(())
}

/// The path's compiler, or the one where Go's own archive is unpacked by custom.
fn compiler() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/local/go/bin")])
        .map(|folder| folder.join("go"))
        .find(|program| program.is_file())
}

/// 19 of `go version go1.19.8 linux/amd64`.
fn minor(go: &Path) -> Result<u32> {
    let output = Command::new(go)
        .arg("version")
        .output()
        .context("cannot start go")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    parse_minor(&text).with_context(|| format!("{} version said {text:?}", go.display()))
}

fn parse_minor(text: &str) -> Option<u32> {
    let version = text.strip_prefix("go version go1.")?;
    version.split(['.', ' ', 'r', 'b']).next()?.parse().ok()
}

/// Fetches a newer compiler as the module that it is since 1.21; `go mod download` checks it against the checksum
/// database like any other, and drops the permission to execute.
fn newer(go: &Path, work: &Path) -> Result<PathBuf> {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => bail!("no Go compiler is known for {other}: install Go 1.25 or newer"),
    };
    let module = format!("golang.org/toolchain@{TOOLCHAIN}.linux-{arch}");
    run(command(go, work).args(["mod", "download", &module]))?;
    let root = work.join("path/pkg/mod").join(module);
    for folder in ["bin".to_owned(), format!("pkg/tool/linux_{arch}")] {
        let folder = root.join(folder);
        let entries = std::fs::read_dir(&folder).with_context(|| format!("no {}", folder.display()))?;
        for entry in entries {
            std::fs::set_permissions(entry?.path(), std::fs::Permissions::from_mode(0o755))?;
        }
    }
    Ok(root.join("bin/go"))
}

#[cfg(test)]
mod tests {
    use super::parse_minor;

    #[test]
    fn a_compiler_says_its_version() {
        for (text, minor) in [
            ("go version go1.19.8 linux/amd64", Some(19)),
            ("go version go1.26.0 linux/arm64", Some(26)),
            ("go version go1.27rc1 linux/amd64", Some(27)),
            ("gccgo (Debian 12)", None),
        ] {
            assert_eq!(parse_minor(text), minor, "{text}");
        }
    }
}
