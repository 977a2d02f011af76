//! Which worker fetches which part, and which worker listens.
//!
//! 1. Both are functions of their arguments alone: every worker of every process computes the same.
//! 2. Parts are spread pseudo-randomly, not in turn: sizes that alternate would pile up on one worker.

/// A well-mixed 64-bit value of `x` (the finalizer of SplitMix64: Steele, Lea, Flood 2014).
fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A value of `bytes`, equal on every machine and build (FNV-1a, then mixed).
pub(crate) fn stable_hash(bytes: &[u8]) -> u64 {
    let fnv = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    mix(fnv)
}

/// The worker, of `peers` over all processes, that does what only one worker may do for `name`.
///
/// Panics when `peers` is 0.
pub fn chosen_worker(name: &str, peers: usize) -> usize {
    to_index(stable_hash(name.as_bytes()), peers)
}

/// The worker that fetches the `nth` part of a source with this `seed`.
pub(crate) fn part_worker(seed: u64, nth: u64, peers: usize) -> usize {
    to_index(mix(seed ^ mix(nth.wrapping_add(0x9e37_79b9_7f4a_7c15))), peers)
}

fn to_index(hash: u64, peers: usize) -> usize {
    let peers = u64::try_from(peers).expect("a worker count fits 64 bits");
    usize::try_from(hash % peers).expect("smaller than the number of workers")
}

#[cfg(test)]
mod tests;
