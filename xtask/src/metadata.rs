//! What `cargo metadata` says of the workspace's own packages.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

/// One package of the workspace.
pub(crate) struct Package {
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// The workspace packages that its code (not only its tests) may use, by package name, sorted.
    pub(crate) uses: Vec<String>,
}

/// Every package of the workspace by name.
pub(crate) fn packages() -> Result<BTreeMap<String, Package>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(crate::root())
        .output()
        .context("cannot start cargo metadata")?;
    if !output.status.success() {
        bail!(
            "cargo metadata failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let list = metadata["packages"]
        .as_array()
        .context("cargo metadata lists packages")?;
    let names: Vec<&str> = list.iter().filter_map(|p| p["name"].as_str()).collect();
    let mut packages = BTreeMap::new();
    for package in list {
        let name = package["name"]
            .as_str()
            .context("a package has a name")?
            .to_owned();
        let manifest = PathBuf::from(
            package["manifest_path"]
                .as_str()
                .context("a package has a manifest")?,
        );
        let mut uses: Vec<String> = package["dependencies"]
            .as_array()
            .context("a package has dependencies")?
            .iter()
            .filter(|d| d["kind"].is_null())
            .filter_map(|d| d["name"].as_str())
            .filter(|d| names.contains(d))
            .map(str::to_owned)
            .collect();
        uses.sort();
        let folder = manifest
            .parent()
            .context("a manifest lies in a folder")?
            .to_path_buf();
        packages.insert(name, Package { folder, uses });
    }
    Ok(packages)
}
