//! What a run has of the actions: swarm, weights, profiles, lists.

use super::super::profile::LISTS;
use super::super::{PROFILES, Profile, silenced, swarm};
use super::*;
use history::parallel::Family;
use std::collections::BTreeMap;

fn world(plan: Plan) -> Quiet {
    let mut world = Quiet::new(&POSTGRES, plan.complexity, plan.seed);
    world.prepare(&POSTGRES, plan.seed);
    world.generator = Generator::new(plan, &POSTGRES, 1);
    world
}

#[test]
fn a_swarm_leaves_actions_out_and_no_family() {
    for speech in TARGETS {
        let families = |weights: &BTreeMap<String, u32>| -> BTreeSet<Family> {
            let there = actions(Complexity::Ddl, speech, &BTreeSet::new()).into_iter();
            let weight =
                |k: &&'static super::super::Kind| weights.get(k.name).copied().unwrap_or(k.weight) > 0;
            there.filter(weight).map(|k| k.family).collect()
        };
        let all = families(&BTreeMap::new());
        let mut never = BTreeSet::new();
        for seed in 0..200 {
            let weights = swarm(seed, Complexity::Ddl, speech, &BTreeMap::new());
            assert_eq!(weights, swarm(seed, Complexity::Ddl, speech, &BTreeMap::new()));
            assert_eq!(families(&weights), all, "seed {seed} of {}", speech.of);
            let out: Vec<_> = silenced(&weights).collect();
            assert!(!out.is_empty(), "seed {seed} leaves out {out:?}");
            never.extend(out);
        }
        let there = actions(Complexity::Ddl, speech, &BTreeSet::new());
        for kind in there.iter().filter(|k| k.weight > 0 && !never.contains(k.name)) {
            // The only one of its family that every server of the kind has stays.
            let every = there
                .iter()
                .filter(|k| k.family == kind.family && k.weight > 0 && k.requires.is_empty());
            let alone = kind.requires.is_empty() && every.count() == 1;
            let first = super::super::swarm::FIRST.contains(&kind.name);
            assert!(
                first || alone || kind.family == Family::Oracle,
                "{kind:?} is never left out"
            );
        }
    }
}

#[test]
fn an_action_that_is_left_out_is_not_drawn() {
    let weights = swarm(11, Complexity::Ddl, &POSTGRES, &BTreeMap::new());
    let out: BTreeSet<_> = silenced(&weights).collect();
    let plan = Plan {
        weights: weights.clone(),
        ..Plan::new(11, "gm_", Complexity::Ddl)
    };
    let mut world = world(plan);
    for _ in 0..4_000 {
        let op = world.op();
        assert!(!out.contains(&*op.kind), "{} was left out", op.kind);
    }
}

#[test]
fn names_in_profiles_are_names_of_actions() {
    let known: BTreeSet<_> = KINDS.iter().map(|k| k.name).collect();
    for profile in PROFILES {
        for name in profile.weights().keys() {
            assert!(known.contains(name.as_str()), "{name} of {}", profile.name);
        }
        assert!(std::ptr::eq(Profile::named(profile.name).unwrap(), profile));
    }
    for (name, _) in LISTS.iter().flat_map(|list| list.actions) {
        assert!(known.contains(name), "{name} of a list");
    }
}

#[test]
fn a_session_of_the_reference_draws_from_one_list_a_block_and_has_no_transaction_in_a_list_of_autocommit() {
    let plan = Plan {
        lists: true,
        ..Plan::new(3, "gm_", Complexity::Ddl)
    };
    let mut world = world(plan);
    let mut met = BTreeSet::new();
    for _ in 0..5 * BLOCK {
        let open = world.view.session.tx;
        let list = world.generator.list(world.next).unwrap();
        let op = world.op();
        met.insert(list.actions.as_ptr());
        if list.autocommit {
            assert_ne!(op.kind, "begin");
            let ends = matches!(&*op.kind, "commit" | "rollback");
            assert!(open != TxState::Open || ends, "{} in a transaction", op.kind);
        }
    }
    assert_eq!(met.len(), LISTS.len());
}

#[test]
fn a_wide_profile_has_wide_tables() {
    let widest = |name: &str| {
        let profile = Profile::named(name).unwrap();
        let plan = Plan {
            ceilings: profile.ceilings(),
            weights: profile.weights(),
            ..Plan::new(5, "gm_", Complexity::Ddl)
        };
        let mut world = world(plan);
        (0..3_000).for_each(|_| drop(world.op()));
        let tables = world.view.catalog.of(history::parallel::ObjectKind::Table);
        tables.map(|t| t.columns.len()).max().unwrap_or(0)
    };
    assert!(
        widest("default") <= 14 && widest("wide") > 24,
        "{} {}",
        widest("default"),
        widest("wide")
    );
}

#[test]
fn naughty_names_are_unique_fit_into_the_target_and_are_read_back() {
    for speech in TARGETS {
        let plan = Plan {
            naughty: true,
            ..Plan::new(9, "gm_", Complexity::Ddl)
        };
        let mut world = Quiet::new(speech, plan.complexity, plan.seed);
        world.generator = Generator::new(plan, speech, 1);
        let mut names = BTreeSet::new();
        for _ in 0..3_000 {
            let op = world.op();
            let new = op.slots.iter().filter_map(|slot| match slot {
                Target::New { name, .. } if op.aim.is_none() && op.kind.starts_with("create-") => {
                    Some(name.kept.as_str().to_owned())
                }
                _ => None,
            });
            for name in new {
                assert!(
                    name.len() <= speech.name_bytes && name.starts_with("gm_"),
                    "{name}"
                );
                assert!(names.insert(name.clone()), "{name} comes twice");
            }
        }
        for part in ["\"", "日", "select"] {
            assert!(names.iter().any(|name| name.contains(part)), "{part} in no name");
        }
    }
}
