//! The picture in ARCHITECTURE.md, as data: which crate may use which. A line changed here is the review.
//!
//! A1 `check` has no arrow to `workload`, `targets`, `run`: it cannot see how a history came to be.
//! A2 nothing of one house uses anything of the other.

use crate::metadata::Package;
use std::collections::BTreeMap;

/// Package, and the packages that it uses.
pub(crate) const ARROWS: &[(&str, &[&str])] = &[
    ("gristmill-datagen", &[]),
    ("gristmill-history", &["gristmill-datagen"]),
    ("gristmill-workload", &["gristmill-datagen", "gristmill-history"]),
    ("gristmill-check", &["gristmill-datagen", "gristmill-history"]),
    ("gristmill-targets", &["gristmill-datagen", "gristmill-history"]),
    (
        "gristmill-run",
        &[
            "gristmill-check",
            "gristmill-datagen",
            "gristmill-history",
            "gristmill-targets",
            "gristmill-workload",
        ],
    ),
    ("gristmill-report", &["gristmill-datagen", "gristmill-history"]),
    (
        "gristmill",
        &[
            "gristmill-check",
            "gristmill-datagen",
            "gristmill-history",
            "gristmill-report",
            "gristmill-run",
            "gristmill-targets",
            "gristmill-workload",
        ],
    ),
    ("millstream-shard", &[]),
    ("millstream-dataflow", &["millstream-shard"]),
    ("millstream", &["millstream-shard"]),
    ("xtask", &[]),
];

/// What differs between the table and the manifests, as sentences.
pub(crate) fn differences(packages: &BTreeMap<String, Package>) -> Vec<String> {
    let mut out = Vec::new();
    let table: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    for (name, package) in packages {
        match table.get(name.as_str()) {
            None => out.push(format!("{name} is not in xtask/src/arrows.rs")),
            Some(allowed) => {
                let uses: Vec<&str> = package.uses.iter().map(String::as_str).collect();
                for used in &uses {
                    if !allowed.contains(used) {
                        out.push(format!(
                            "{name} uses {used}, which xtask/src/arrows.rs does not allow"
                        ));
                    }
                }
                for unused in allowed.iter().filter(|a| !uses.contains(a)) {
                    out.push(format!(
                        "{name} does not use {unused}, though xtask/src/arrows.rs says so"
                    ));
                }
            }
        }
    }
    for name in table.keys().filter(|n| !packages.contains_key(**n)) {
        out.push(format!(
            "{name} is in xtask/src/arrows.rs and not in the workspace"
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifests_draw_the_arrows_of_the_table() {
        let packages = crate::metadata::packages().expect("cargo metadata works");
        assert_eq!(differences(&packages), Vec::<String>::new());
    }

    #[test]
    fn an_arrow_that_is_not_in_the_table_is_noticed() {
        let mut packages = crate::metadata::packages().expect("cargo metadata works");
        let check = packages
            .get_mut("gristmill-check")
            .expect("check is in the workspace");
        check.uses.push("gristmill-targets".to_owned());
        assert_eq!(
            differences(&packages),
            ["gristmill-check uses gristmill-targets, which xtask/src/arrows.rs does not allow"]
        );
    }

    #[test]
    fn no_arrow_crosses_the_street() {
        for (name, uses) in ARROWS {
            for used in *uses {
                let houses = [name, used].map(|n| n.split('-').next().unwrap_or_default());
                let adapter = *name == "gristmill-targets" && *used == "millstream";
                assert!(houses[0] == houses[1] || adapter, "{name} -> {used}");
            }
        }
    }
}
