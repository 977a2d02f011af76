//! How the turns of one share go round its members, and back.
//!
//! Numbers every rule obeys (`turn` counts a share's turns over the whole run, from 0):
//! - **M1** `turn_from(p, t)` is the least turn `>= t` whose member is `p`; `turn_before(p, t)` the greatest `< t`.
//! - **M2** All of it is arithmetic: the cost does not depend on the turn.

use serde::{Deserialize, Serialize};

use super::returning::Returning;
use super::shuffles::Shuffles;
use super::window::Window;

/// The rule by which the turns of a share go to its members; plain data of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Members {
    /// A window of `width` partitions that slides by one after each `width * repeats` turns. What it leaves is
    /// retired; when the partitions of the table are used up it starts again at the first.
    Window {
        /// Partitions in the window.
        width: u64,
        /// Turns that each partition of the window gets before it slides by one.
        repeats: u64,
    },
    /// The partitions `first .. first + count`, each once a round, in an order that changes with the round.
    Fixed {
        /// The first partition.
        first: u64,
        /// How many.
        count: u64,
    },
    /// These partitions in this order, again and again; one may stand several times.
    List {
        /// Partition indices.
        positions: Vec<u64>,
    },
    /// Brings back partitions that the window of another share has left.
    Returning {
        /// The index, in the same layout, of the share whose members are a window.
        window: usize,
    },
}

/// One turn's member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Index of the partition within its table.
    pub position: u64,
    /// How often this share has come to the partition before (for a window: in all its stays; for returning
    /// members: rounds, an order, not a count).
    pub nth: u64,
}

/// [`Members`] with everything resolved: no table, no other share is needed any more.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    Window(Window),
    Fixed {
        first: u64,
        count: u64,
        rounds: Shuffles,
    },
    List {
        positions: Vec<u64>,
        sorted: Vec<(u64, u64)>,
    },
    Returning(Returning),
}

impl Rule {
    pub(super) fn fixed(key: u64, first: u64, count: u64) -> Rule {
        Rule::Fixed {
            first,
            count,
            rounds: Shuffles::new(key, count),
        }
    }

    pub(super) fn list(positions: Vec<u64>) -> Rule {
        let mut sorted: Vec<(u64, u64)> = positions.iter().zip(0..).map(|(&p, i)| (p, i)).collect();
        sorted.sort_unstable();
        Rule::List { positions, sorted }
    }

    /// The member of a turn.
    pub(super) fn at(&self, turn: u64) -> Member {
        match self {
            Rule::Window(w) => w.at(turn),
            Rule::Fixed { first, count, rounds } => {
                let round = turn / count;
                Member {
                    position: first + rounds.get(round).at(turn % count),
                    nth: round,
                }
            }
            Rule::List { positions, .. } => {
                let len = positions.len() as u64;
                Member {
                    position: positions[(turn % len) as usize],
                    nth: turn / len,
                }
            }
            Rule::Returning(r) => r.at(turn),
        }
    }

    /// The least turn `>= from` that goes to `position`.
    pub(super) fn turn_from(&self, position: u64, from: u64) -> Option<u64> {
        match self {
            Rule::Window(w) => w.turn_from(position, from),
            Rule::Fixed { first, count, rounds } => {
                let member = position.checked_sub(*first).filter(|m| m < count)?;
                let turn = |round: u64| round * count + rounds.get(round).index(member);
                let here = turn(from / count);
                Some(if here >= from {
                    here
                } else {
                    turn(from / count + 1)
                })
            }
            Rule::List { positions, sorted } => {
                let (round, at) = (from / positions.len() as u64, from % positions.len() as u64);
                let slots = slots(sorted, position)?;
                let next = slots.partition_point(|&(_, slot)| slot < at);
                Some(match slots.get(next) {
                    Some(&(_, slot)) => round * positions.len() as u64 + slot,
                    None => (round + 1) * positions.len() as u64 + slots[0].1,
                })
            }
            Rule::Returning(r) => r.turn_from(position, from),
        }
    }

    /// The greatest turn `< before` that goes to `position`.
    pub(super) fn turn_before(&self, position: u64, before: u64) -> Option<u64> {
        match self {
            Rule::Window(w) => w.turn_before(position, before),
            Rule::Fixed { first, count, rounds } => {
                let member = position.checked_sub(*first).filter(|m| m < count)?;
                let turn = |round: u64| round * count + rounds.get(round).index(member);
                let here = turn(before / count);
                if here < before {
                    Some(here)
                } else {
                    (before / count).checked_sub(1).map(turn)
                }
            }
            Rule::List { positions, sorted } => {
                let (round, at) = (before / positions.len() as u64, before % positions.len() as u64);
                let slots = slots(sorted, position)?;
                match slots.partition_point(|&(_, slot)| slot < at).checked_sub(1) {
                    Some(last) => Some(round * positions.len() as u64 + slots[last].1),
                    None => {
                        let last = slots[slots.len() - 1].1;
                        round
                            .checked_sub(1)
                            .map(|round| round * positions.len() as u64 + last)
                    }
                }
            }
            Rule::Returning(r) => r.turn_before(position, before),
        }
    }

    /// `turn_from(position, turn + 1)` where `turn` is one of the position's: the step a walk takes.
    #[inline]
    pub(super) fn turn_after(&self, position: u64, turn: u64) -> Option<u64> {
        match self {
            Rule::Window(w) => w.turn_after(position, turn),
            rule => rule.turn_from(position, turn.checked_add(1)?),
        }
    }

    /// `turn_before(position, turn)` where `turn` is one of the position's: the step a walk back takes.
    #[inline]
    pub(super) fn turn_back(&self, position: u64, turn: u64) -> Option<u64> {
        match self {
            Rule::Window(w) => w.turn_back(position, turn),
            rule => rule.turn_before(position, turn),
        }
    }

    /// How many partitions the rule can ever name: all its members are below this index.
    pub(super) fn end(&self) -> u64 {
        match self {
            Rule::Window(w) => w.limit,
            Rule::Fixed { first, count, .. } => first + count,
            Rule::List { sorted, .. } => sorted[sorted.len() - 1].0 + 1,
            Rule::Returning(r) => r.end(),
        }
    }
}

fn slots(sorted: &[(u64, u64)], position: u64) -> Option<&[(u64, u64)]> {
    let start = sorted.partition_point(|&(p, _)| p < position);
    let end = sorted.partition_point(|&(p, _)| p <= position);
    (start < end).then(|| &sorted[start..end])
}
