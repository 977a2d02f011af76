//! Swarm testing: each run draws which actions exist in it, and how often they come.
//!
//! What is never left alone hides what only few together show; a run without half of the actions has room for the others.
//!
//! * W1 no family is drawn away as a whole, and what makes the first thing that the others of a family need stays (P49).
//! * W2 oracles stay as they are: they judge, and what they judge is drawn.
//! * W3 the draw of an action is keyed by its name: an action more in the list moves no other draw.
//!
//! Source: A. Groce et al., *Swarm testing*, 2012.

use super::{Complexity, KINDS, Kind, Speech, actions};
use datagen::stream::{Stream, below, chance, draw};
use history::parallel::Family;
use std::collections::{BTreeMap, BTreeSet};

/// Without these the others of their family find nothing to work on.
pub(super) const FIRST: &[&str] = &["create-table", "insert", "cursor-declare", "create-role"];

/// What a weight is multiplied by.
const SPREAD: [(u32, u32); 5] = [(1, 4), (1, 2), (1, 1), (2, 1), (4, 1)];

/// Weights of the run: an action with 0 does not exist in it. Actions that are not named keep their own.
pub fn swarm(
    seed: u64,
    complexity: Complexity,
    speech: &'static Speech,
    base: &BTreeMap<String, u32>,
) -> BTreeMap<String, u32> {
    let weight = |kind: &Kind| base.get(kind.name).copied().unwrap_or(kind.weight);
    let mut weights = base.clone();
    let drawn = |kind: &&&Kind| kind.family != Family::Oracle && weight(kind) > 0;
    let there = actions(complexity, speech, &BTreeSet::new());
    for kind in there.iter().filter(drawn) {
        let out = !FIRST.contains(&kind.name) && chance(bits(seed, kind, 0), 1, 4);
        let spread = usize::try_from(below(bits(seed, kind, 1), SPREAD.len() as u64)).expect("a place in it");
        let (num, den) = SPREAD[spread];
        let new = if out { 0 } else { (weight(kind) * num / den).max(1) };
        weights.insert(kind.name.to_owned(), new);
    }
    let families: BTreeSet<Family> = there.iter().filter(drawn).map(|k| k.family).collect();
    for family in families {
        let of = || there.iter().filter(drawn).filter(|k| k.family == family);
        if of().any(|k| weights[k.name] > 0 && k.requires.is_empty()) {
            continue;
        }
        // One that every server of the kind has, where there is one.
        let kept = of().max_by_key(|k| (k.requires.is_empty(), bits(seed, k, 2)));
        let kept = kept.expect("a family of the list has an action");
        weights.insert(kept.name.to_owned(), weight(kept));
    }
    weights
}

fn bits(seed: u64, kind: &Kind, what: u64) -> u64 {
    // FNV-1a, 64 bits.
    let name = kind.name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    draw(
        seed,
        Stream::Swarm,
        &[u64::from(Stream::Parallel as u8), name, what],
    )
}

/// Names of the actions that weights leave out.
pub fn silenced(weights: &BTreeMap<String, u32>) -> impl Iterator<Item = &'static str> {
    let out = |kind: &&Kind| kind.weight > 0 && weights.get(kind.name) == Some(&0);
    KINDS.iter().filter(out).map(|kind| kind.name)
}
