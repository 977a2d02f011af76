//! The sliding window: few partitions are busy at a time, and what the window leaves is retired.
//!
//! ```text
//! width 3, repeats 2           turn   0 1 2 0 1 2 | 1 2 3 1 2 3 | 2 3 4 2 3 4 | …
//!                              slide       0      |      1      |      2
//! ```
//! Positions are counted without end; with `limit` partitions, the window starts again after the last:
//! logical position q is partition q mod limit, and q / limit is its *lap*.

use super::members::Member;

/// `1 <= width <= limit`, `1 <= repeats`.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub(super) width: u64,
    pub(super) repeats: u64,
    pub(super) limit: u64,
}

impl Window {
    /// Turns between two slides.
    pub(super) fn turns_per_slide(&self) -> u64 {
        self.width * self.repeats
    }

    pub(super) fn at(&self, turn: u64) -> Member {
        let (slide, within) = (turn / self.turns_per_slide(), turn % self.turns_per_slide());
        let logical = slide + within % self.width;
        let entered = logical.saturating_sub(self.width - 1);
        // Most runs end in the first lap.
        let (lap, position) = if logical < self.limit {
            (0, logical)
        } else {
            (logical / self.limit, logical % self.limit)
        };
        let nth = lap * self.turns_per_slide() + (slide - entered) * self.repeats + within / self.width;
        Member { position, nth }
    }

    pub(super) fn turn_from(&self, position: u64, from: u64) -> Option<u64> {
        if position >= self.limit {
            return None;
        }
        let slide = from / self.turns_per_slide();
        // The first lap whose logical position the window has not left before this slide.
        let lap = slide.saturating_sub(position).div_ceil(self.limit);
        (lap..=lap + 1)
            .find_map(|lap| self.logical_from(lap.checked_mul(self.limit)?.checked_add(position)?, from))
    }

    /// [`Window::turn_from`] the turn after `turn`, which must be one of the position's.
    pub(super) fn turn_after(&self, position: u64, turn: u64) -> Option<u64> {
        let within = turn % self.turns_per_slide();
        if within + self.width < self.turns_per_slide() {
            turn.checked_add(self.width)
        } else {
            self.turn_from(position, turn.checked_add(1)?)
        }
    }

    /// [`Window::turn_before`] at `turn`, which must be one of the position's.
    pub(super) fn turn_back(&self, position: u64, turn: u64) -> Option<u64> {
        let within = turn % self.turns_per_slide();
        if within >= self.width {
            Some(turn - self.width)
        } else {
            self.turn_before(position, turn)
        }
    }

    fn logical_from(&self, logical: u64, from: u64) -> Option<u64> {
        let per_slide = self.turns_per_slide();
        let first_slide = logical.saturating_sub(self.width - 1);
        let slide = from / per_slide;
        let turn = |slide: u64, round: u64| {
            slide
                .checked_mul(per_slide)?
                .checked_add(round * self.width + (logical - slide))
        };
        if slide < first_slide {
            return turn(first_slide, 0);
        }
        if slide > logical {
            return None;
        }
        let (within, offset) = (from % per_slide, logical - slide);
        let round = if within <= offset {
            0
        } else {
            (within - offset).div_ceil(self.width)
        };
        if round < self.repeats {
            turn(slide, round)
        } else if slide < logical {
            turn(slide + 1, 0)
        } else {
            None
        }
    }

    pub(super) fn turn_before(&self, position: u64, before: u64) -> Option<u64> {
        if position >= self.limit || before == 0 {
            return None;
        }
        let last = before - 1;
        let slide = last / self.turns_per_slide();
        // The last lap whose logical position the window has reached by this slide.
        let lap = (slide + self.width - 1).checked_sub(position)? / self.limit;
        (lap.saturating_sub(1)..=lap)
            .rev()
            .find_map(|lap| self.logical_upto(lap * self.limit + position, last))
    }

    /// The greatest turn `<= last` of a logical position.
    fn logical_upto(&self, logical: u64, last: u64) -> Option<u64> {
        let per_slide = self.turns_per_slide();
        let first_slide = logical.saturating_sub(self.width - 1);
        let slide = last / per_slide;
        let turn = |slide: u64, round: u64| slide * per_slide + round * self.width + (logical - slide);
        if slide < first_slide {
            return None;
        }
        if slide > logical {
            return Some(turn(logical, self.repeats - 1));
        }
        let (within, offset) = (last % per_slide, logical - slide);
        if within >= offset {
            Some(turn(slide, (within - offset) / self.width))
        } else if slide > first_slide {
            Some(turn(slide - 1, self.repeats - 1))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests;
