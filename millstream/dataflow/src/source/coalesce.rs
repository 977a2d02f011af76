//! When to forward progress at start-up.
//!
//! Why: a long history of small batches would make one round of progress tracking a batch. While the
//! source catches up with what the shard held at its start, progress is forwarded once a number of
//! bytes. It cannot block: until the replay's end is reached, further batches already exist.

use crate::Mutant;

/// Decides, batch by batch, whether progress is withheld.
#[derive(Debug)]
pub(crate) struct Coalesce {
    /// Bytes between two forwarded frontiers; 0 forwards each.
    limit_bytes: usize,
    /// The shard's upper when the source started; `None` is the closed frontier.
    replay_upper: Option<u64>,
    bytes_since: usize,
    mutant: Mutant,
}

impl Coalesce {
    pub(crate) fn new(limit_bytes: usize, replay_upper: Option<u64>, mutant: Mutant) -> Self {
        Coalesce {
            limit_bytes,
            replay_upper,
            bytes_since: 0,
            mutant,
        }
    }

    /// After a batch of `bytes` that moved the frontier to `current` (`None`: closed):
    /// whether its progress is withheld.
    pub(crate) fn withhold(&mut self, bytes: usize, current: Option<u64>) -> bool {
        self.bytes_since += bytes;
        let caught_up = match (current, self.replay_upper) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(current), Some(replay_upper)) => replay_upper <= current,
        };
        let caught_up = caught_up && self.mutant != Mutant::CoalescesForEver;
        let withhold = self.limit_bytes > 0 && !caught_up && self.bytes_since < self.limit_bytes;
        if !withhold {
            self.bytes_since = 0;
        }
        withhold
    }
}

#[cfg(test)]
mod tests;
