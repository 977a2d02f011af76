//! Harry's workload on any database: visits write partitions in an order that the model knows, and read them.
//!
//! A visit is a function of its number: the selector says which partitions it writes, decks say of which kinds
//! its operations and reads are and how it ends, addressed draws say the rest. The other way round, the visits
//! that write a partition are found by arithmetic.
//!
//! ```text
//!  lts ──▶ seat: kind of visit ──▶ touches: partitions ──▶ writes: kind, row, cells ─┐
//!                   │                                                               ├─▶ steps, end
//!                   └────────────▶ reads: kind, partitions, rows, shape ────────────┘
//! ```
//! The discipline here is `ordered` (visits that share a partition run in lts order); who keeps it is the
//! dispatcher. This module must not know what came of a visit.
//!
//! - **P1** A visit is a function of (configuration, seed, schema, lts).
//! - **P2** `writer_after` and `writer_before` name exactly the visits whose `writes` hold the partition.
//! - **P3** Kinds of visits are exact in each block, kinds of operations, reads and ends in each deck.
//! - **P4** `writes` is sorted, without repetition, and every operation writes one of its partitions.
//! - **P5** A strict insert is the only step of its visit.

use std::cmp::Reverse;
use std::fmt;
use std::sync::Arc;

use datagen::domain::Rate;
use datagen::perm::Perm;
use datagen::schema::Schema;
use datagen::select::{Deck, Role, Seat, SelectError, Selector, Shuffle, Touch, Walk};
use datagen::stream::{First, Key, Stream, draw};
use history::{End, Lts, Part, Regenerate, Step, Visit};
use smallvec::SmallVec;

mod clock;
mod config;
mod dice;
mod layout;
mod lww;
mod profile;
mod read;
mod share;
mod view;
mod visits;
mod write;

#[cfg(test)]
mod tests;

pub use clock::{Clock, DISPLACEMENT_MAX, Policy};
pub use config::{
    AGGREGATE_OPEN_MAX, Config, Ends, IN_MAX, Mistake, PARTITIONS_PER_VISIT_MAX, Pools, Popularity, Reads,
    Rows, STEPS_PER_VISIT_MAX, Shapes, TableOptions, VISIT_KINDS_MAX, Values, VisitKind, Writes,
};
pub use lww::Lww;
pub use profile::names;
pub use share::Share;
pub use visits::VISITS;

use layout::Numbering;
use view::View;
use visits::List;

/// Why a workload cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Options that cannot be, all of them.
    #[error("{}", list(.0))]
    Mistakes(Vec<Mistake>),
    /// Weights that do not fit together.
    #[error(transparent)]
    Layout(SelectError),
    /// A popularity that a table cannot have.
    #[error("popularity of table `{table}`: {source}")]
    Popularity {
        /// The table.
        table: String,
        /// Why.
        source: SelectError,
    },
}

fn list(mistakes: &[Mistake]) -> String {
    mistakes
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

/// The workload, ready to answer for any visit.
pub struct Partitions {
    config: Config,
    seed: u64,
    schema: Arc<Schema>,
    selector: Selector,
    views: Vec<View>,
    /// Of each table, where visits leave their numbers.
    lists: Vec<Option<List>>,
    /// Of each table, the one that it is the list of.
    list_of: Vec<Option<u16>>,
    /// Tables that take part; the table deck deals indices into it.
    tables_in_use: Vec<u16>,
    /// The kinds of visits that exist, by role of the selector: index into `config.visits`.
    kinds: Vec<usize>,
    /// Numbers of writes with a free kind, and of ends.
    write_numbers: Numbering,
    end_numbers: Numbering,
    write_deck: Deck,
    read_deck: Deck,
    end_deck: Deck,
    pool_deck: Deck,
    table_deck: Deck,
    special: Rate,
    keys: Keys,
}

/// The streams, with the seed already in them.
#[derive(Debug)]
struct Keys {
    row: Key,
    value: Key,
    null: Key,
    columns: Key,
    bounds: Key,
    query: Key,
    mix: Key,
    savepoint: Key,
}

/// The keys that operations of one visit draw from: the visit's number is in them already.
struct Draws {
    n: u64,
    value: First,
    null: First,
    columns: First,
}

/// One partition of a visit, with what its operations need.
struct Spot<'a> {
    touch: Touch,
    view: &'a View,
    part: Part,
    /// Row index to position.
    rows: Shuffle<'a>,
    /// The first row of a walk by offset.
    start: u64,
    /// Addresses the draws of rows, where they are drawn.
    row_key: u64,
}

/// How a visit that writes in a transaction ends, in the order of the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Commit,
    Rollback,
    RollbackTo,
    SavepointKept,
}

impl Ending {
    /// Steps that it puts between the others.
    fn savepoints(self) -> usize {
        match self {
            Ending::Commit | Ending::Rollback => 0,
            Ending::SavepointKept => 1,
            Ending::RollbackTo => 2,
        }
    }
}

impl Partitions {
    /// Builds the workload.
    ///
    /// # Errors
    /// When the configuration has mistakes (all are told), or its weights need blocks that are too long.
    pub fn new(config: Config, seed: u64, schema: Arc<Schema>) -> Result<Partitions, Unusable> {
        let mut mistakes = config.check();
        mistakes.extend(layout::mistakes(&config, &schema));
        if !mistakes.is_empty() {
            return Err(Unusable::Mistakes(mistakes));
        }
        let views: Vec<View> = schema
            .tables
            .iter()
            .zip(0..)
            .map(|(table, number)| View::new(&config, seed, number, table))
            .collect();
        // Which partition has which index is the same for all who share; what is done to it is each one's own.
        let seed = config.share.map_or(seed, |share| share.seed(seed));
        let lists = views.iter().zip(&schema.tables).map(|(view, table)| {
            let kept = config.bookkeeping && !view.conditional && !view.counts;
            List::of(&schema, table).filter(|_| kept)
        });
        let lists: Vec<Option<List>> = lists.collect();
        let list_of = (0..schema.tables.len()).map(|number| {
            let is = |list: &Option<List>| list.as_ref().is_some_and(|l| usize::from(l.table) == number);
            let of = lists.iter().position(is)?;
            Some(u16::try_from(of).expect("tables are numbered in 16 bits"))
        });
        let list_of = list_of.collect();
        let partitions: Vec<u64> = views.iter().map(|view| view.partitions).collect();
        let kinds: Vec<usize> = (0..config.visits.len())
            .filter(|&i| config.visits[i].weight > 0)
            .collect();
        let roles: Vec<Role> = kinds
            .iter()
            .map(|&i| &config.visits[i])
            .map(|v| Role {
                visits: v.weight,
                partitions: v.partitions,
                writes: v.writes,
                reads: v.reads,
            })
            .collect();
        let (shares, tables_in_use) = layout::shares(&config, &schema, &partitions);
        let selector =
            Selector::new(seed, &roles, &shares, &partitions).map_err(|source| match source.share() {
                Some(share) => {
                    let table = schema.table(shares[share].table).name.clone();
                    Unusable::Popularity { table, source }
                }
                None => Unusable::Layout(source),
            })?;
        let numbers = |each: &dyn Fn(&VisitKind) -> u16| {
            let units =
                selector.block_visits() / roles.iter().map(|role| u64::from(role.visits)).sum::<u64>();
            let kinds = kinds.iter().map(|&i| &config.visits[i]);
            Numbering::new(kinds.map(|kind| (u64::from(kind.weight) * units, u64::from(each(kind)))))
        };
        let deck =
            |stream: Stream, which: u64, weights: &[u32]| Deck::new(draw(seed, stream, &[which]), weights);
        Ok(Partitions {
            write_numbers: numbers(&|kind| if kind.strict { 0 } else { kind.writes }),
            end_numbers: numbers(&|kind| u16::from(kind.writes > 0 && !kind.autocommit)),
            write_deck: deck(Stream::OperationKind, 0, &config.writes.weights()),
            read_deck: deck(Stream::QueryKind, 0, &config.reads.weights()),
            end_deck: deck(Stream::End, 0, &config.ends.weights()),
            pool_deck: deck(Stream::ReadPartition, 0, &config.pools.weights()),
            table_deck: deck(
                Stream::ReadPartition,
                1,
                &layout::table_weights(&config, &schema, &tables_in_use),
            ),
            special: Rate::new(u32::from(config.values.special_in_256), 256)
                .expect("checked with the configuration"),
            keys: Keys {
                row: Key::new(seed, Stream::Row),
                value: Key::new(seed, Stream::Value),
                null: Key::new(seed, Stream::Null),
                columns: Key::new(seed, Stream::Columns),
                bounds: Key::new(seed, Stream::Bounds),
                query: Key::new(seed, Stream::QueryShape),
                mix: Key::new(seed, Stream::StepOrder),
                savepoint: Key::new(seed, Stream::Savepoint),
            },
            selector,
            views,
            lists,
            list_of,
            tables_in_use,
            kinds,
            schema,
            config,
            seed,
        })
    }

    /// The configuration it was built from.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The kind of a visit, without making it.
    ///
    /// # Panics
    /// When `lts` is 0: visits are numbered from 1.
    pub fn what(&self, lts: Lts) -> &VisitKind {
        self.kind(&self.selector.seat(index(lts)))
    }

    /// The partitions that a visit writes, sorted, each once, without making the visit: `Visit::writes`. What
    /// `into` held is dropped.
    ///
    /// # Panics
    /// When `lts` is 0.
    pub fn writes(&self, lts: Lts, into: &mut Vec<Part>) {
        into.clear();
        for touch in self.selector.touches(index(lts)) {
            let part = self.part(&touch);
            into.push(part);
            into.extend(self.list(part.table).map(|list| list.part(part)));
        }
        into.sort_unstable();
        into.dedup();
    }

    /// Visits in the period in which kinds of visits and popularity are exact.
    pub fn block_visits(&self) -> u64 {
        self.selector.block_visits()
    }

    fn kind(&self, seat: &Seat) -> &VisitKind {
        &self.config.visits[self.kinds[seat.role]]
    }

    fn view(&self, table: u16) -> &View {
        &self.views[usize::from(table)]
    }

    fn part(&self, touch: &Touch) -> Part {
        Part {
            table: touch.table,
            position: self.view(touch.table).position(touch.position),
        }
    }

    fn list(&self, table: u16) -> Option<&List> {
        self.lists[usize::from(table)].as_ref()
    }

    /// Before its other writes, the visit leaves its number beside each partition; then it is no single statement any more.
    fn leave_number(
        &self,
        n: u64,
        spots: &[Spot<'_>],
        writes: &mut Vec<Part>,
        steps: &mut Vec<Step>,
    ) -> bool {
        let before = steps.len();
        for spot in spots {
            let Some(list) = self.list(spot.view.table) else {
                continue;
            };
            let part = list.part(spot.part);
            if !writes.contains(&part) {
                writes.push(part);
                steps.insert(0, Step::Write(list.entry(spot.part, Lts(n + 1))));
            }
        }
        writes.sort_unstable();
        steps.len() > before
    }

    fn make(&self, n: u64) -> Visit {
        let seat = self.selector.seat(n);
        let kind = self.kind(&seat);
        let mut spots: SmallVec<[Spot<'_>; 2]> = SmallVec::new();
        let mut writes: Vec<Part> = Vec::with_capacity(usize::from(kind.partitions));
        for touch in self.selector.touches_of(&seat) {
            let spot = self.spot(n, spots.len() as u64, touch);
            writes.push(spot.part);
            spots.push(spot);
        }
        if writes.len() > 1 {
            writes.sort_unstable();
            writes.dedup();
        }

        let (ops, reads) = (u64::from(kind.writes), u64::from(kind.reads));
        let ending = if ops > 0 && !kind.autocommit {
            self.ending(&seat)
        } else {
            Ending::Commit
        };
        let draws = Draws {
            n,
            value: self.keys.value.first(n),
            null: self.keys.null.first(n),
            columns: self.keys.columns.first(n),
        };
        let mut end = if kind.autocommit {
            End::Autocommit
        } else {
            End::Commit
        };
        let mut steps = Vec::with_capacity((ops + reads) as usize + ending.savepoints());
        let first_write = self.write_numbers.first(&seat);
        let mut kinds = self.write_deck.dealer(first_write);
        let order = (ops > 0 && reads > 0).then(|| Perm::new(self.keys.mix.at(&[n]), ops + reads));
        for i in 0..ops + reads {
            let at = order.map_or(i, |order| order.at(i));
            if at >= ops {
                let read = at - ops;
                steps.push(Step::Read(read::query(
                    self,
                    n,
                    read,
                    seat.first_read + read,
                    &spots,
                )));
                continue;
            }
            let (at_spot, slot) = match spots.len() as u32 {
                1 => (0, at as u32),
                count => (at as u32 % count, at as u32 / count),
            };
            let spot = &spots[at_spot as usize];
            if kind.strict {
                write::strict(self, &draws, at, spot, &mut steps);
                continue;
            }
            let kind = write::Kind::ALL[kinds.deal(first_write + at)].on(spot.view);
            if end == End::Autocommit && kind.spans_tables(spot.view) && self.config.lww.is_none() {
                end = End::Commit;
            }
            write::op(self, &draws, at, kind, spot, slot, &mut steps);
        }
        if self.config.bookkeeping
            && self.leave_number(n, &spots, &mut writes, &mut steps)
            && end == End::Autocommit
        {
            end = End::Commit;
        }
        let stamp = match &self.config.lww {
            None => {
                self.finish(n, ending, &mut steps, &mut end);
                None
            }
            Some(lww) => {
                let stamp;
                if let Some(spot) = spots.first() {
                    lww::elements(lww, (self.seed, n), &mut steps, spot.view);
                    lww::amounts((self.seed, n), &mut steps, spot.view);
                }
                let view = spots
                    .first()
                    .map(|spot| spot.view)
                    .filter(|view| view.conditional);
                let view = view.or_else(|| self.conditionally_read(&steps));
                let written = spots.first().map(|spot| spot.view);
                (end, stamp) = lww::ending(lww, (self.seed, n), &mut steps, view, written);
                Some(stamp)
            }
        };
        Visit {
            stamp,
            lts: Lts(n + 1),
            level: self.config.level,
            writes,
            steps,
            end,
        }
    }

    /// The view of the table that the visit reads, where its writes are lightweight transactions.
    fn conditionally_read(&self, steps: &[Step]) -> Option<&View> {
        match steps.first()? {
            Step::Read(query) => Some(self.view(query.table)).filter(|view| view.conditional),
            Step::Write(_) | Step::Savepoint(_) | Step::RollbackTo(_) | Step::Change(_) => None,
        }
    }

    #[inline]
    fn spot(&self, n: u64, t: u64, touch: Touch) -> Spot<'_> {
        let view = self.view(touch.table);
        let part = Part {
            table: touch.table,
            position: view.position(touch.position),
        };
        Spot {
            touch,
            view,
            part,
            rows: view.row_order.get(part.position),
            start: Walk::start(view.rows, touch.nth, u64::from(self.config.rows.per_visit)),
            row_key: match self.config.rows.walk {
                Walk::Offset => 0,
                Walk::Uniform | Walk::Hot { .. } => self.keys.row.at(&[n, t]),
            },
        }
    }

    /// How a transaction that writes ends.
    fn ending(&self, seat: &Seat) -> Ending {
        const ENDINGS: [Ending; 4] = [
            Ending::Commit,
            Ending::Rollback,
            Ending::RollbackTo,
            Ending::SavepointKept,
        ];
        ENDINGS[self.end_deck.deal(self.end_numbers.first(seat))]
    }

    /// Ends the visit: savepoints go between its steps.
    fn finish(&self, n: u64, ending: Ending, steps: &mut Vec<Step>, end: &mut End) {
        let dice = || dice::Dice::new(self.keys.savepoint.at(&[n]));
        match ending {
            Ending::Commit => {}
            Ending::Rollback => *end = End::Rollback,
            Ending::SavepointKept => steps.insert(dice().below(steps.len()), Step::Savepoint(1)),
            Ending::RollbackTo => {
                let mut dice = dice();
                // At least one write lies between the savepoint and the way back to it.
                let undone: Vec<usize> = (0..steps.len())
                    .filter(|&i| matches!(steps[i], Step::Write(_)))
                    .collect();
                let write = *dice.pick(&undone).expect("the visit writes");
                let from = dice.below(write + 1);
                let to = write + 1 + dice.below(steps.len() - write);
                let mut at = [(from, Step::Savepoint(1)), (to, Step::RollbackTo(1))];
                at.sort_by_key(|&(i, _)| Reverse(i));
                at.into_iter().for_each(|(i, step)| steps.insert(i, step));
            }
        }
    }

    /// The partition's index in its table, if the workload can ever write it.
    fn index_of(&self, part: Part) -> Option<u64> {
        let view = self.views.get(usize::from(self.about(part)?))?;
        view.index(part.position)
    }

    /// The table whose writes write the partition too: its own, or the one that it is a list of.
    fn about(&self, part: Part) -> Option<u16> {
        let of = self.list_of.get(usize::from(part.table))?;
        Some(of.unwrap_or(part.table))
    }
}

impl fmt::Debug for Partitions {
    /// The configuration only: all else follows from it, and tables of values are long.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partitions")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Regenerate for Partitions {
    fn schema(&self, _at: Lts) -> Arc<Schema> {
        Arc::clone(&self.schema)
    }

    fn visit(&self, lts: Lts) -> Option<Visit> {
        lts.0.checked_sub(1).map(|n| self.make(n))
    }

    fn writes(&self, lts: Lts, into: &mut Vec<Part>) {
        Partitions::writes(self, lts, into);
    }

    fn writer_after(&self, part: Part, lts: Lts) -> Option<Lts> {
        let (table, index) = (self.about(part)?, self.index_of(part)?);
        // Visit numbers are one below lts, so the first visit after `lts` has at least number `lts`.
        self.selector.writer_from(table, index, lts.0).map(|n| Lts(n + 1))
    }

    fn writers_after(&self, part: Part, lts: Lts, into: &mut Vec<Lts>) {
        let (Some(table), Some(index)) = (self.about(part), self.index_of(part)) else {
            return;
        };
        let mut visits = Vec::new();
        self.selector.writers_from(table, index, lts.0, &mut visits);
        into.extend(visits.into_iter().map(|n| Lts(n + 1)));
    }

    fn writer_before(&self, part: Part, lts: Lts) -> Option<Lts> {
        let (table, index) = (self.about(part)?, self.index_of(part)?);
        self.selector
            .writer_before(table, index, lts.0.checked_sub(1)?)
            .map(|n| Lts(n + 1))
    }

    fn writers_before(&self, part: Part, lts: Lts, into: &mut Vec<Lts>) {
        let (Some(table), Some(index), Some(before)) =
            (self.about(part), self.index_of(part), lts.0.checked_sub(1))
        else {
            return;
        };
        let mut visits = Vec::new();
        self.selector.writers_before(table, index, before, &mut visits);
        into.extend(visits.into_iter().map(|n| Lts(n + 1)));
    }
}

/// The visit's number in the selector.
fn index(lts: Lts) -> u64 {
    lts.0.checked_sub(1).expect("visits are numbered from 1")
}
