//! Entries of partitions, divided into independently locked shards, forgotten where memory is short.
//!
//! Invariants:
//! * H1 a shard is never locked while an entry is waited for; whoever holds an entry may lock its shard.
//! * H2 an entry that somebody holds is not forgotten.

use crate::judged::Options;
use history::Part;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};

/// What is booked of an entry.
#[derive(Default)]
pub(crate) struct Booked {
    used: bool,
    bytes: usize,
}

/// An entry that can be kept; its default knows nothing.
pub(crate) trait Keep: Default {
    /// Memory, in bytes.
    fn size(&self) -> usize;

    /// Gives memory back. Whether something is left.
    fn shrink(&mut self) -> bool;

    /// Where it is booked.
    fn booked(&mut self) -> &mut Booked;
}

/// See the module.
pub(crate) struct Shards<K, E> {
    shards: Box<[Mutex<Shard<K, E>>]>,
    /// Bytes of one shard.
    limit: usize,
}

struct Shard<K, E> {
    entries: BTreeMap<K, Arc<Mutex<E>>>,
    bytes: usize,
    hand: Option<K>,
}

impl<K: Copy + Ord, E: Keep> Shards<K, E> {
    pub(crate) fn new(options: &Options) -> Self {
        let shard = |_| {
            Mutex::new(Shard {
                entries: BTreeMap::new(),
                bytes: 0,
                hand: None,
            })
        };
        let shards: Box<[_]> = (0..options.shards.max(1)).map(shard).collect();
        Self {
            limit: options.bytes_max / shards.len(),
            shards,
        }
    }

    /// The entry of a key, which is about this partition; a new one where nothing is known.
    pub(crate) fn entry(&self, part: Part, key: K) -> Arc<Mutex<E>> {
        Arc::clone(self.shard(part).entries.entry(key).or_default())
    }

    /// Accounts for what the entry has become, and forgets others where memory is short. Its partition as for
    /// [`Self::entry`].
    pub(crate) fn release(&self, part: Part, entry: &mut E) {
        let size = entry.size();
        let booked = entry.booked();
        booked.used = true;
        let before = std::mem::replace(&mut booked.bytes, size);
        if size == before {
            return;
        }
        let mut shard = self.shard(part);
        shard.bytes = shard.bytes + size - before;
        if shard.bytes > self.limit {
            shard.evict(self.limit);
        }
    }

    fn shard(&self, part: Part) -> MutexGuard<'_, Shard<K, E>> {
        let mixed = (part.position ^ u64::from(part.table) << 56).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let n = self.shards.len() as u64;
        let shard = &self.shards[usize::try_from(mixed % n).expect("below the number of shards")];
        shard.lock().expect("nobody panics while holding a shard")
    }
}

impl<K: Copy + Ord, E: Keep> Shard<K, E> {
    /// Second chance: whoever was used since the hand passed is spared once.
    fn evict(&mut self, limit: usize) {
        let mut spared = 2 * self.entries.len();
        while self.bytes > limit && spared > 0 {
            spared -= 1;
            let from = self.hand.map_or(Bound::Unbounded, Bound::Excluded);
            let Some((key, entry)) = self
                .entries
                .range((from, Bound::Unbounded))
                .next()
                .or_else(|| self.entries.iter().next())
            else {
                return;
            };
            let key = *key;
            self.hand = Some(key);
            let Ok(mut held) = entry.try_lock() else { continue };
            if std::mem::take(&mut held.booked().used) {
                continue;
            }
            let before = held.booked().bytes;
            if held.shrink() {
                let size = held.size();
                held.booked().bytes = size;
                self.bytes = self.bytes + size - before;
            } else if Arc::strong_count(entry) == 1 {
                drop(held);
                self.entries.remove(&key);
                self.bytes -= before;
            }
        }
    }
}
