//! Which choices can explain a read of many partitions, without evaluating it once for each of them.
//!
//! Rows of different partitions do not meet in a plain SELECT, so its answer, as a multiset, is the sum of what each
//! partition gives. A 128-bit hash of each row, summed, stands for a multiset: each partition is evaluated once for each
//! of its own few states, and a choice is possible only where the sums add up to the answer's. What adds up is compared
//! in full afterwards, so that a collision costs time, never a verdict.

use crate::evaluate::{Plan, choose, encode, project};
use crate::scene::Scene;
use history::{Rows, Select};
use std::collections::BTreeMap;
use xxhash_rust::xxh3::xxh3_128;

/// Fewer choices than this are simply tried.
const WORTH_IT: usize = if cfg!(test) { 2 } else { 5 };

/// Hashes of rows, summed, and how many rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Sum {
    hash: u128,
    rows: usize,
}

impl Sum {
    fn add(self, other: Sum) -> Sum {
        Sum {
            hash: self.hash.wrapping_add(other.hash),
            rows: self.rows + other.rows,
        }
    }

    fn row(self, bytes: &[u8]) -> Sum {
        self.add(Sum {
            hash: xxh3_128(bytes),
            rows: 1,
        })
    }
}

/// The choices whose rows add up to the answer's; `None` where this way does not apply or is not worth it.
pub(crate) fn candidates(scene: &mut Scene<'_>, plan: &Plan<'_>, answer: &Rows) -> Option<Vec<u64>> {
    let places = scene.parts().count();
    let plain = matches!(plan.query.select, Select::Columns(_)) && plan.query.limit.is_none();
    if !plain || places < 2 || scene.masks.len() < WORTH_IT {
        return None;
    }
    let wanted = answer.iter().fold(Sum::default(), Sum::row);
    let mut still = Sum::default();
    let mut moving: Vec<(usize, u64, BTreeMap<u64, Sum>)> = Vec::new();
    for place in 0..places {
        match scene.concerns(place) {
            0 => still = still.add(sum_of(scene, plan, place, 0)),
            bits => moving.push((place, bits, BTreeMap::new())),
        }
    }
    let mut found = Vec::new();
    for mask in scene.choices() {
        let mut sum = still;
        for (place, bits, known) in &mut moving {
            let state = mask & *bits;
            let of_place = *known
                .entry(state)
                .or_insert_with(|| sum_of(scene, plan, *place, state));
            sum = sum.add(of_place);
        }
        if sum == wanted {
            found.push(mask);
        }
    }
    Some(found)
}

fn sum_of(scene: &mut Scene<'_>, plan: &Plan<'_>, place: usize, mask: u64) -> Sum {
    scene.under_at(place, mask, |views| {
        let rows = choose(plan, views);
        encode(plan, views, &rows);
        let mut bytes = Vec::new();
        rows.into_iter().fold(Sum::default(), |sum, row| {
            bytes.clear();
            project(plan, views, row, &mut bytes);
            sum.row(&bytes)
        })
    })
}
