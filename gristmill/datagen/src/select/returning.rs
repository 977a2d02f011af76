//! Brings back what a window has retired, so that old data is touched, evicted caches are filled again and
//! long chains of versions are walked.
//!
//! Retired partitions grow with the run; a round over all of them would have to know how many there are at
//! each turn. So time is cut into octaves: in octave o, which begins with the block at whose start the window
//! has left at least 2^o partitions, rounds go over the partitions [0, 2^o). Octave starts are arithmetic,
//! at most 63 of them; before anything is retired the share visits partition 0.

use super::members::Member;
use crate::perm::Perm;
use crate::stream::{Stream, draw};

#[derive(Clone, Debug)]
pub(super) struct Returning {
    key: u64,
    /// `starts[o]` is the first turn of octave o; sorted, `starts[0] == 0`. The last octave has no end.
    starts: Vec<u64>,
}

impl Returning {
    /// `turns_per_block` of this share, of the window's share; `turns_per_slide` of the window; `limit`
    /// partitions in the table.
    pub(super) fn new(
        key: u64,
        turns_per_block: u64,
        window_turns_per_block: u64,
        turns_per_slide: u64,
        limit: u64,
    ) -> Returning {
        let mut starts = vec![0];
        for octave in 1..63u32 {
            if 1u64 << octave > limit {
                break;
            }
            let blocks = (u128::from(turns_per_slide) << octave).div_ceil(u128::from(window_turns_per_block));
            match u64::try_from(blocks * u128::from(turns_per_block)) {
                Ok(start) if start < 1 << 62 => starts.push(start),
                _ => break,
            }
        }
        Returning { key, starts }
    }

    pub(super) fn end(&self) -> u64 {
        1 << (self.starts.len() - 1)
    }

    fn octave(&self, turn: u64) -> usize {
        self.starts.partition_point(|&start| start <= turn) - 1
    }

    fn octave_end(&self, octave: usize) -> u64 {
        self.starts.get(octave + 1).copied().unwrap_or(u64::MAX)
    }

    fn order(&self, octave: usize, round: u64) -> Perm {
        Perm::new(
            draw(self.key, Stream::Member, &[octave as u64, round]),
            1 << octave,
        )
    }

    pub(super) fn at(&self, turn: u64) -> Member {
        let octave = self.octave(turn);
        let within = turn - self.starts[octave];
        let round = within >> octave;
        let position = self.order(octave, round).at(within & ((1 << octave) - 1));
        Member {
            position,
            nth: round + octave as u64,
        }
    }

    fn turn(&self, position: u64, octave: usize, round: u64) -> u64 {
        self.starts[octave] + (round << octave) + self.order(octave, round).index(position)
    }

    pub(super) fn turn_from(&self, position: u64, from: u64) -> Option<u64> {
        if position >= self.end() {
            return None;
        }
        (self.octave(from)..self.starts.len())
            .filter(|&octave| position < 1 << octave)
            .find_map(|octave| {
                let from = from.max(self.starts[octave]);
                let round = (from - self.starts[octave]) >> octave;
                let turn = [round, round + 1]
                    .map(|round| self.turn(position, octave, round))
                    .into_iter()
                    .find(|&t| t >= from)?;
                (turn < self.octave_end(octave)).then_some(turn)
            })
    }

    pub(super) fn turn_before(&self, position: u64, before: u64) -> Option<u64> {
        let last = before.checked_sub(1)?;
        (0..=self.octave(last))
            .rev()
            .take_while(|&octave| position < 1 << octave)
            .find_map(|octave| {
                let before = before.min(self.octave_end(octave));
                let round = (before - self.starts[octave]).checked_sub(1)? >> octave;
                [Some(round), round.checked_sub(1)]
                    .into_iter()
                    .flatten()
                    .map(|round| self.turn(position, octave, round))
                    .find(|&turn| turn < before)
            })
    }
}
