//! The selector: visits to partitions and partitions to visits.

use super::block::{Block, Role, Seat};
use super::deck::gcd;
use super::members::{Member, Members, Rule};
use super::returning::Returning;
use super::shuffles::Shuffles;
use super::window::Window;
use crate::stream::{Stream, below, draw};

/// Visits in a block at most. Weights that need a longer block to come out exactly are refused.
pub const BLOCK_VISITS_MAX: u64 = 1 << 16;
/// Shares of a layout at most.
pub const SHARES_MAX: usize = 256;

/// One share of the touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareOf {
    /// The table whose partitions it visits.
    pub table: u16,
    /// Its weight beside the other shares of the layout.
    pub weight: u32,
    /// How its turns go round.
    pub members: Members,
}

/// One partition that a visit writes, and how it came to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    /// The table.
    pub table: u16,
    /// The share that chose the partition.
    pub share: usize,
    /// Index of the partition in its table.
    pub position: u64,
    /// [`Member::nth`].
    pub nth: u64,
}

/// Which partitions of a share a reader may be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// Those being written about now: a guess by share of the block, since turns are shuffled inside it.
    Recent,
    /// Those the window has left (for other shares: anything visited before), as of the start of the block.
    Retired,
    /// Those no visit has written yet.
    Unvisited,
}

/// A layout that cannot be built, with the values that stand in the way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant is its own sentence")]
pub enum SelectError {
    #[error("no role writes a partition")]
    NoWriters,
    #[error(
        "role {role} writes {writes} operations on {partitions} partitions; each partition needs at least one, and no partitions means no writes"
    )]
    Uneven {
        role: usize,
        partitions: u16,
        writes: u16,
    },
    #[error("{shares} shares; at least 1 and at most {SHARES_MAX}")]
    Shares { shares: usize },
    #[error("share {share} has weight 0; leave it out instead")]
    Weightless { share: usize },
    #[error(
        "weights come out exactly only in blocks of {visits} visits, at most {BLOCK_VISITS_MAX} are possible: \
         choose role counts and share weights with smaller sums or common factors"
    )]
    Block { visits: u128 },
    #[error("share {share} names table {table}, but there are {tables}")]
    Table { share: usize, table: u16, tables: usize },
    #[error(
        "share {share}: a window of width {width} with {repeats} repeats; both must be at least 1 and at most 2^20"
    )]
    WindowSize { share: usize, width: u64, repeats: u64 },
    #[error("share {share}: no members")]
    NoMembers { share: usize },
    #[error("share {share} goes up to partition {end}, but table {table} has only {partitions}")]
    Beyond {
        share: usize,
        end: u64,
        table: u16,
        partitions: u64,
    },
    #[error("share {share} returns what share {window} retires, which is no window of the same table")]
    NoWindow { share: usize, window: usize },
}

impl SelectError {
    /// The share that is at fault, where it is one.
    pub fn share(&self) -> Option<usize> {
        match self {
            SelectError::NoWriters
            | SelectError::Uneven { .. }
            | SelectError::Shares { .. }
            | SelectError::Block { .. } => None,
            SelectError::Weightless { share }
            | SelectError::Table { share, .. }
            | SelectError::WindowSize { share, .. }
            | SelectError::NoMembers { share }
            | SelectError::Beyond { share, .. }
            | SelectError::NoWindow { share, .. } => Some(*share),
        }
    }
}

#[derive(Clone, Debug)]
struct Share {
    table: u16,
    /// The first of its turns among the shuffled touches of a block.
    first: u64,
    /// Turns in each block.
    turns: u64,
    /// One member gets so many turns of a block that asking its visits one by one is the shorter way.
    dense: bool,
    rule: Rule,
}

/// Selects partitions for visits, both ways. Visits are numbered from 0 and never end (up to 2^48).
#[derive(Clone, Debug)]
pub struct Selector {
    block: Block,
    /// Per block: offset to rank, touch number to shuffled turn.
    ranks: Shuffles,
    turns: Shuffles,
    shares: Vec<Share>,
    /// Partitions per table.
    partitions: Vec<u64>,
    /// Per table, the indices of its shares.
    of_table: Vec<Vec<usize>>,
}

impl Selector {
    /// Lays out blocks so that every role and every share comes out exactly.
    ///
    /// `partitions[t]` is the number of partitions that table t can have (its key universe). A window wider
    /// than its table is made as wide as the table.
    pub fn new(
        seed: u64,
        roles: &[Role],
        shares: &[ShareOf],
        partitions: &[u64],
    ) -> Result<Selector, SelectError> {
        for (index, role) in roles.iter().enumerate() {
            if (role.partitions == 0) != (role.writes == 0) || role.writes < role.partitions {
                return Err(SelectError::Uneven {
                    role: index,
                    partitions: role.partitions,
                    writes: role.writes,
                });
            }
        }
        if shares.is_empty() || shares.len() > SHARES_MAX {
            return Err(SelectError::Shares { shares: shares.len() });
        }
        if let Some(share) = shares.iter().position(|share| share.weight == 0) {
            return Err(SelectError::Weightless { share });
        }
        let visits: u128 = roles.iter().map(|role| u128::from(role.visits)).sum();
        let touches: u64 = roles
            .iter()
            .map(|role| u64::from(role.visits) * u64::from(role.partitions))
            .sum();
        if touches == 0 {
            return Err(SelectError::NoWriters);
        }
        let divisor = shares.iter().fold(0, |a, share| gcd(a, u64::from(share.weight)));
        let weights: u64 = shares.iter().map(|share| u64::from(share.weight)).sum::<u64>() / divisor;
        let units = weights / gcd(touches, weights);
        if visits * u128::from(units) > u128::from(BLOCK_VISITS_MAX) {
            return Err(SelectError::Block {
                visits: visits * u128::from(units),
            });
        }
        let block = Block::new(roles, units);

        let mut built = Vec::with_capacity(shares.len());
        let mut first = 0;
        for (index, share) in shares.iter().enumerate() {
            let turns = block.touches / weights * (u64::from(share.weight) / divisor);
            let (rule, members) = rule(seed, index, shares, partitions, turns, &block, weights, divisor)?;
            let each = turns / members;
            built.push(Share {
                table: share.table,
                first,
                turns,
                dense: each * each > block.visits,
                rule,
            });
            first += turns;
        }
        let mut of_table = vec![Vec::new(); partitions.len()];
        for (index, share) in built.iter().enumerate() {
            of_table[usize::from(share.table)].push(index);
        }
        Ok(Selector {
            ranks: Shuffles::new(draw(seed, Stream::Role, &[]), block.visits),
            turns: Shuffles::new(draw(seed, Stream::Share, &[]), block.touches),
            block,
            shares: built,
            partitions: partitions.to_vec(),
            of_table,
        })
    }

    /// Visits in a block: the period in which roles and shares are exact.
    pub fn block_visits(&self) -> u64 {
        self.block.visits
    }

    /// Role and numbers of a visit.
    pub fn seat(&self, visit: u64) -> Seat {
        let number = visit / self.block.visits;
        self.block
            .seat(number, self.ranks.get(number).at(visit % self.block.visits))
    }

    /// The partitions that `visit` writes: `partitions` of its role, in the order of touches. One partition
    /// may come twice.
    pub fn touches(&self, visit: u64) -> impl Iterator<Item = Touch> + '_ {
        self.touches_of(&self.seat(visit))
    }

    /// [`Selector::touches`] of a visit whose seat is known.
    pub fn touches_of(&self, seat: &Seat) -> impl Iterator<Item = Touch> + use<'_> {
        let count = u64::from(self.block.role(seat.role).partitions);
        let number = seat.block;
        let within = seat.first_touch - number * self.block.touches;
        let shuffle = (count > 0).then(|| self.turns.get(number));
        (0..count).map(move |i| {
            self.touch(
                number,
                shuffle.as_ref().expect("a touch has a shuffle").at(within + i),
            )
        })
    }

    #[inline]
    fn touch(&self, number: u64, shuffled: u64) -> Touch {
        let index = match self.shares.len() {
            1 => 0,
            _ => self.shares.partition_point(|share| share.first <= shuffled) - 1,
        };
        let share = &self.shares[index];
        let Member { position, nth } = share.rule.at(number * share.turns + (shuffled - share.first));
        Touch {
            table: share.table,
            share: index,
            position,
            nth,
        }
    }

    /// The first visit after `visit` that writes the partition.
    pub fn writer_after(&self, table: u16, position: u64, visit: u64) -> Option<u64> {
        self.writer_from(table, position, visit.checked_add(1)?)
    }

    /// The first visit, counted from `from`, that writes the partition.
    pub fn writer_from(&self, table: u16, position: u64, from: u64) -> Option<u64> {
        self.shares_of(table)
            .filter_map(|share| self.share_from(share, position, from))
            .min()
    }

    /// Visits from `from` on that write the partition, ascending: those of the first block that has any, all of them. Appends
    /// nothing where there are none. Finding them together costs little more than finding one.
    pub fn writers_from(&self, table: u16, position: u64, from: u64, into: &mut Vec<u64>) {
        let before = into.len();
        let mut block = from / self.block.visits;
        loop {
            let first_turn = |share: &Share| share.rule.turn_from(position, block.checked_mul(share.turns)?);
            let next = self
                .shares_of(table)
                .filter_map(|share| Some(first_turn(share)? / share.turns))
                .min();
            let Some(next) = next else { return };
            for share in self.shares_of(table) {
                let turn = share.rule.turn_from(position, next * share.turns);
                if let Some(turn) = turn.filter(|turn| turn / share.turns == next) {
                    into.extend(
                        self.visits_of(share, position, turn)
                            .filter(|&visit| visit >= from),
                    );
                }
            }
            if into.len() > before {
                into[before..].sort_unstable();
                dedup(into, before);
                return;
            }
            let Some(after) = next.checked_add(1) else { return };
            block = after;
        }
    }

    fn share_from(&self, share: &Share, position: u64, from: u64) -> Option<u64> {
        let here = from / self.block.visits;
        let mut turn = share.rule.turn_from(position, here.checked_mul(share.turns)?)?;
        // The rest of this block first; when nothing of it is late enough, the next block that has a turn.
        loop {
            let number = turn / share.turns;
            let end = (number + 1).checked_mul(share.turns)?;
            let found = if share.dense {
                let start = from.max(number * self.block.visits);
                (start..(number + 1) * self.block.visits)
                    .find(|&visit| self.writes(visit, share.table, position))
            } else {
                self.visits_of(share, position, turn)
                    .filter(|&visit| visit >= from)
                    .min()
            };
            if found.is_some() {
                return found;
            }
            turn = share.rule.turn_from(position, end)?;
        }
    }

    /// The last visit before `visit` that writes the partition.
    pub fn writer_before(&self, table: u16, position: u64, visit: u64) -> Option<u64> {
        self.shares_of(table)
            .filter_map(|share| self.share_before(share, position, visit))
            .max()
    }

    /// Visits before `before` that write the partition, descending and without a gap: those of the last block that has
    /// any, all of them, and of blocks before it until there are some. Appends nothing where there are none. Finding
    /// them together costs little more than finding one.
    pub fn writers_before(&self, table: u16, position: u64, before: u64, into: &mut Vec<u64>) {
        const SOME: usize = 16;
        let start = into.len();
        let blocks = before.div_ceil(self.block.visits);
        // Per share the last turn of the position that is left.
        let mut left: Vec<(&Share, Option<u64>)> = self
            .shares_of(table)
            .map(|share| {
                let end = blocks.saturating_mul(share.turns);
                (share, share.rule.turn_before(position, end))
            })
            .collect();
        while into.len() - start < SOME {
            let blocks = left
                .iter()
                .filter_map(|(share, turn)| Some((*turn)? / share.turns));
            let Some(number) = blocks.max() else { return };
            let (shuffle, ranks) = (self.turns.get(number), self.ranks.get(number));
            let of_block = into.len();
            for (share, turn) in &mut left {
                let first = number * share.turns;
                while let Some(at) = turn.filter(|turn| *turn >= first) {
                    let touch = shuffle.index(share.first + (at - first));
                    let visit = number * self.block.visits + ranks.index(self.block.rank_of_touch(touch));
                    if visit < before {
                        into.push(visit);
                    }
                    *turn = share.rule.turn_back(position, at);
                }
            }
            into[of_block..].sort_unstable_by(|a, b| b.cmp(a));
            dedup(into, of_block);
        }
    }

    fn share_before(&self, share: &Share, position: u64, before: u64) -> Option<u64> {
        let here = before / self.block.visits;
        let mut turn = share
            .rule
            .turn_before(position, (here + 1).checked_mul(share.turns)?)?;
        loop {
            let number = turn / share.turns;
            let found = if share.dense {
                let end = before.min((number + 1) * self.block.visits);
                (number * self.block.visits..end)
                    .rev()
                    .find(|&visit| self.writes(visit, share.table, position))
            } else {
                let first = share.rule.turn_from(position, number * share.turns)?;
                self.visits_of(share, position, first)
                    .filter(|&visit| visit < before)
                    .max()
            };
            if found.is_some() {
                return found;
            }
            turn = share.rule.turn_before(position, number * share.turns)?;
        }
    }

    /// The visits of a member in the block of its turn `first`, from that turn on, in the order of turns.
    fn visits_of<'a>(
        &'a self,
        share: &'a Share,
        position: u64,
        first: u64,
    ) -> impl Iterator<Item = u64> + 'a {
        let number = first / share.turns;
        let (shuffle, ranks) = (self.turns.get(number), self.ranks.get(number));
        std::iter::successors(Some(first), move |turn| share.rule.turn_after(position, *turn))
            .take_while(move |turn| turn / share.turns == number)
            .map(move |turn| {
                let touch = shuffle.index(share.first + turn % share.turns);
                number * self.block.visits + ranks.index(self.block.rank_of_touch(touch))
            })
    }

    fn writes(&self, visit: u64, table: u16, position: u64) -> bool {
        self.touches(visit)
            .any(|touch| touch.table == table && touch.position == position)
    }

    /// A partition for a reader at `visit`: a function of (visit, `bits`) only, never of what was drawn before.
    ///
    /// `None` when the share has nothing of that kind, e.g. nothing retired yet.
    pub fn pooled(&self, visit: u64, share: usize, pool: Pool, bits: u64) -> Option<u64> {
        let share = &self.shares[share];
        let number = visit / self.block.visits;
        let turn = number * share.turns;
        match (pool, &share.rule) {
            (Pool::Recent, rule) => {
                let now = turn + visit % self.block.visits * share.turns / self.block.visits;
                Some(match rule {
                    Rule::Window(w) => (now / w.turns_per_slide() + below(bits, w.width)) % w.limit,
                    rule => rule.at(now + below(bits, share.turns)).position,
                })
            }
            (Pool::Retired, Rule::Window(w)) => {
                let slide = turn / w.turns_per_slide();
                (slide > 0).then(|| below(bits, slide) % w.limit)
            }
            (Pool::Retired, rule) => (turn > 0).then(|| rule.at(below(bits, turn)).position),
            (Pool::Unvisited, _) => {
                let from = self.unvisited_from(share.table, number);
                let free = self.partitions[usize::from(share.table)].saturating_sub(from);
                (free > 0).then(|| from + below(bits, free))
            }
        }
    }

    /// From this partition on, no visit up to the end of block `number` has written the table.
    fn unvisited_from(&self, table: u16, number: u64) -> u64 {
        let end = |share: &Share| match &share.rule {
            // The window's right end at the end of the block, and a slide more.
            Rule::Window(w) => (number + 1) * share.turns / w.turns_per_slide() + w.width + 1,
            Rule::Fixed { .. } | Rule::List { .. } => share.rule.end(),
            // It never goes beyond what a window has left, but for partition 0.
            Rule::Returning(_) => 1,
        };
        self.shares_of(table).map(end).max().unwrap_or(0)
    }

    /// The indices of the shares of a table, in the order of the layout.
    pub fn shares_of_table(&self, table: u16) -> &[usize] {
        self.of_table.get(usize::from(table)).map_or(&[], Vec::as_slice)
    }

    fn shares_of(&self, table: u16) -> impl Iterator<Item = &Share> {
        self.shares_of_table(table)
            .iter()
            .map(|&index| &self.shares[index])
    }
}

/// Takes out what stands there again, from `start` on: one visit may write one partition twice.
fn dedup(sorted: &mut Vec<u64>, start: usize) {
    let mut kept = start;
    for i in start..sorted.len() {
        if i == start || sorted[i] != sorted[kept - 1] {
            sorted[kept] = sorted[i];
            kept += 1;
        }
    }
    sorted.truncate(kept);
}

/// Resolves one share's members against its table and the other shares; also says how many members it has.
#[expect(
    clippy::too_many_arguments,
    reason = "one call site; the arguments are the layout being built"
)]
fn rule(
    seed: u64,
    index: usize,
    shares: &[ShareOf],
    partitions: &[u64],
    turns: u64,
    block: &Block,
    weights: u64,
    divisor: u64,
) -> Result<(Rule, u64), SelectError> {
    let share = &shares[index];
    let key = draw(seed, Stream::Member, &[index as u64]);
    let Some(&limit) = partitions.get(usize::from(share.table)).filter(|&&n| n > 0) else {
        return Err(SelectError::Table {
            share: index,
            table: share.table,
            tables: partitions.len(),
        });
    };
    let beyond = |end: u64| SelectError::Beyond {
        share: index,
        end,
        table: share.table,
        partitions: limit,
    };
    let window = |index: usize, width: u64, repeats: u64| {
        const MAX: u64 = 1 << 20;
        if width == 0 || repeats == 0 || width > MAX || repeats > MAX {
            return Err(SelectError::WindowSize {
                share: index,
                width,
                repeats,
            });
        }
        Ok(Window {
            width: width.min(limit),
            repeats,
            limit,
        })
    };
    Ok(match &share.members {
        Members::Window { width, repeats } => {
            let window = window(index, *width, *repeats)?;
            let members = window.width;
            (Rule::Window(window), members)
        }
        Members::Fixed { count: 0, .. } => return Err(SelectError::NoMembers { share: index }),
        Members::Fixed { first, count } => {
            let end = first.checked_add(*count).filter(|&end| end <= limit);
            end.ok_or_else(|| beyond(first.saturating_add(*count)))?;
            (Rule::fixed(key, *first, *count), *count)
        }
        Members::List { positions } => {
            let last = positions
                .iter()
                .max()
                .ok_or(SelectError::NoMembers { share: index })?;
            if *last >= limit {
                return Err(beyond(last.saturating_add(1)));
            }
            let rule = Rule::list(positions.clone());
            (rule, positions.len() as u64)
        }
        Members::Returning { window: of } => {
            let no_window = SelectError::NoWindow {
                share: index,
                window: *of,
            };
            let Some(ShareOf {
                table,
                weight,
                members: Members::Window { width, repeats },
            }) = shares.get(*of)
            else {
                return Err(no_window);
            };
            if *table != share.table {
                return Err(no_window);
            }
            let per_slide = window(*of, *width, *repeats)?.turns_per_slide();
            let window_turns = block.touches / weights * (u64::from(*weight) / divisor);
            let rule = Rule::Returning(Returning::new(key, turns, window_turns, per_slide, limit));
            let members = rule.end();
            (rule, members)
        }
    })
}
