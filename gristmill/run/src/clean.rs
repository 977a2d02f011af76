//! What runs that died left on a target: their registries say what was theirs.

use crate::RunError;
use crate::life::{environment, head, open_target, read_plan};
use crate::plan::{Plan, split_password};
use crate::registry::Registry;
use history::artefact::{Folder, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Removes what the runs of a store left on the target, but for those that live. Returns what was removed, in words.
///
/// Nothing is removed by guess: only what a registry names, by the prefix that it names.
pub fn clean(url: &str, password: Option<&str>, store: &Path) -> Result<Vec<String>, RunError> {
    let (url, in_url) = split_password(url);
    let password = password.or(in_url.as_deref());
    let mut removed = Vec::new();
    let at_work = at_work(store, &url)?;
    for run in Store::new(store).list()? {
        if run.alive {
            continue;
        }
        let folder = Folder::open(&store.join(&run.name))?.locked()?;
        let registry = Registry::open(&folder)?;
        if !registry.names(&url) {
            continue;
        }
        let mut plan = read_plan(&folder)?;
        if at_work.contains(&plan.prefix) {
            continue;
        }
        let mut files = folder.target();
        if plan.target != url {
            // The second database of a run.
            plan.target.clone_from(&url);
            files = folder.path().join("against");
        }
        if head::lives_in_folder(&url) {
            if files.exists() {
                std::fs::remove_dir_all(&files).map_err(|e| RunError::io(files.display().to_string(), e))?;
                removed.push(format!("{} of run {}", files.display(), run.name));
            }
        } else {
            let target = open_target(&plan, &files, &environment(password), BTreeMap::new())?;
            removed.extend(target.cleanup()?);
        }
        registry.done_with(&url)?;
    }
    Ok(removed)
}

/// Prefixes of what runs that live have on the target: other agents' tables are theirs too.
fn at_work(store: &Path, url: &str) -> Result<BTreeSet<String>, RunError> {
    let mut prefixes = BTreeSet::new();
    for run in Store::new(store).list()?.into_iter().filter(|run| run.alive) {
        let folder = Folder::open(&store.join(&run.name))?;
        if Registry::open(&folder)?.names(url) {
            prefixes.insert(read_plan(&folder)?.prefix);
        }
    }
    Ok(prefixes)
}

/// The last agent has removed what all of them had made: the runs of the others beside its own owe nothing any more.
pub(crate) fn others(mine: &Folder, plan: &Plan) -> Result<(), RunError> {
    let Some(store) = mine.path().parent() else {
        return Ok(());
    };
    for run in Store::new(store).list()?.into_iter().filter(|run| !run.alive) {
        let folder = Folder::open(&store.join(&run.name))?;
        let registry = Registry::open(&folder)?;
        let is_other = |other: &Plan| other.agent.is_some() && other.prefix == plan.prefix;
        if registry.names(&plan.target) && read_plan(&folder).is_ok_and(|other| is_other(&other)) {
            registry.done_with(&plan.target)?;
        }
    }
    Ok(())
}
