//! What a machine can check of the house rules, beyond the compiler and clippy (which sees to docs on public items,
//! `dbg!`, `todo!`, sleeping, and unordered maps).

use crate::{arrows, metadata};
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The longest a file may be without a line that says why it is longer (`//! Long because …`).
const LINES_MAX: usize = 800;

/// Runs every rule over the files that git tracks or would track; fails with all that was found.
pub(crate) fn run() -> Result<()> {
    let mut found = arrows::differences(&metadata::packages()?);
    let root = crate::root();
    let files = sources(&root)?;
    let manifests = root.join("Cargo.toml");
    for path in &files {
        let text = std::fs::read_to_string(root.join(path))?;
        found.extend(rules(path, &text));
        if text.lines().all(|l| l.trim().is_empty()) {
            found.push(format!("{}: empty file", path.display()));
        }
    }
    found.extend(orphans(&root, &files));
    if !std::fs::read_to_string(&manifests)?.contains("missing_docs = \"warn\"") {
        found.push("Cargo.toml: the workspace lints no longer ask for docs on public items".to_owned());
    }
    for package in metadata::packages()?.values() {
        let manifest = package.folder.join("Cargo.toml");
        if !std::fs::read_to_string(&manifest)?.contains("[lints]\nworkspace = true") {
            found.push(format!(
                "{}: does not take the workspace lints",
                manifest.display()
            ));
        }
    }
    if found.is_empty() {
        println!("tidy: {} files, nothing to say", files.len());
        return Ok(());
    }
    bail!("tidy:\n  {}", found.join("\n  "))
}

/// Every `.rs` file, relative to the root, sorted.
fn sources(root: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "--",
            "*.rs",
        ])
        .current_dir(root)
        .output()?;
    let mut files: Vec<PathBuf> = String::from_utf8(output.stdout)?
        .lines()
        .map(PathBuf::from)
        .filter(|p| root.join(p).exists())
        .collect();
    files.sort();
    files.dedup();
    if files.is_empty() {
        bail!("git ls-files names no Rust file below {}", root.display());
    }
    Ok(files)
}

/// The rules that read one file alone.
fn rules(path: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let name = path.display();
    let lines = text.lines().count();
    if lines > LINES_MAX && !text.contains("//! Long because ") {
        found.push(format!(
            "{name}: {lines} lines; look for the second idea, or say `//! Long because …`"
        ));
    }
    let test = is_test(path);
    for (i, line) in text.lines().enumerate() {
        let at = i + 1;
        for word in WORDS {
            if line.contains(&word.concat()) {
                found.push(format!("{name}:{at}: {}", word.concat()));
            }
        }
        if test && line.contains(&["thread::sl", "eep"].concat()) {
            found.push(format!("{name}:{at}: a test that sleeps; wait for an event"));
        }
        if test && line.contains(&["time::sl", "eep("].concat()) {
            found.push(format!("{name}:{at}: a test that sleeps; wait for an event"));
        }
        if line.trim_start().starts_with(&["#[all", "ow("].concat()) {
            found.push(format!("{name}:{at}: use expect with a reason"));
        }
        let text = line.trim_start().starts_with(['"', '<']);
        if line.chars().count() > 140 && !test && !text && !line.contains("http") {
            found.push(format!("{name}:{at}: longer than 140 characters"));
        }
    }
    let file = path.file_name().unwrap_or_default();
    if file == "mod.rs" {
        found.push(format!("{name}: a module is foo.rs beside foo/"));
    }
    if (file == "lib.rs" || file == "main.rs") && !text.starts_with("//!") {
        found.push(format!("{name}: opens without saying why it exists"));
    }
    found
}

/// What must not be left behind; in two pieces, so that this file does not find itself.
const WORDS: &[[&str; 2]] = &[
    ["to", "do!("],
    ["unimple", "mented!("],
    ["db", "g!("],
    ["#[ign", "ore"],
    ["#[should_", "panic"],
    ["FIX", "ME"],
    ["TO", "DO"],
];

fn is_test(path: &Path) -> bool {
    path.components()
        .any(|c| c.as_os_str() == "tests" || c.as_os_str() == "tests.rs")
}

/// Files that no module declaration names: nobody imports them.
fn orphans(root: &Path, files: &[PathBuf]) -> Vec<String> {
    let mut found = Vec::new();
    for path in files {
        let parent = path.parent().unwrap_or_else(|| Path::new(""));
        let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
        let folder = parent.file_name().and_then(|s| s.to_str()).unwrap_or_default();
        if matches!(stem, "lib" | "main" | "build") || matches!(folder, "benches" | "examples" | "bin") {
            continue;
        }
        if folder == "tests"
            && parent
                .parent()
                .is_some_and(|p| root.join(p).join("Cargo.toml").exists())
        {
            continue;
        }
        // The declaring file: lib.rs or main.rs beside it, or the file that bears the folder's name.
        let mut declaring = vec![parent.join("lib.rs"), parent.join("main.rs")];
        if let Some(above) = parent.parent() {
            declaring.push(above.join(format!("{folder}.rs")));
        }
        let declared = declaring
            .iter()
            .filter_map(|d| std::fs::read_to_string(root.join(d)).ok())
            .any(|text| {
                text.lines().map(str::trim).any(|l| {
                    l.strip_suffix(';')
                        .is_some_and(|l| l == format!("mod {stem}") || l.ends_with(&format!(" mod {stem}")))
                }) || text.contains(&format!("#[path = \"{stem}.rs\"]"))
            });
        if !declared {
            found.push(format!("{}: no module declaration names it", path.display()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_tidy() {
        run().expect("tidy has nothing to say");
    }

    #[test]
    fn what_is_left_behind_is_found() {
        let bad = ["fn f() { to", "do!() }\n"].concat();
        assert_eq!(rules(Path::new("a/src/b.rs"), &bad).len(), 1);
        let sleeping = ["std::thread::sl", "eep(d);\n"].concat();
        assert_eq!(rules(Path::new("a/src/tests.rs"), &sleeping).len(), 1);
        assert_eq!(rules(Path::new("a/src/b.rs"), &"x\n".repeat(801)).len(), 1);
        assert_eq!(rules(Path::new("a/src/b.rs"), "fn f() {}\n").len(), 0);
    }
}
