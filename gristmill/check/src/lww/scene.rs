//! The racing partitions that one read is about, held still, and every choice that it may have been made of.
//!
//! A choice is a set of variables: a visit that may be visible (or, where replicas answer for themselves, one of its cells;
//! where a read is cut into pages, its part on a page), or a visit's values that may have expired.
//!
//! Invariants:
//! * Z3 partitions are locked in ascending order and stay locked while the scene lives.
//! * Z4 changes for one choice are taken back at once.

use super::cell::{CLASH, Cell, Expiring, Kind};
use super::cells::Area;
use super::counted;
use super::effects::{effects, stamp};
use super::image::{expiring, refresh, shown};
use super::merged::{Dirty, Effect, Expiry, Merged, Place as Column};
use super::see::Viewer;
use super::store::{Entry, Store, Tail};
use crate::evaluate::View;
use crate::judged::Overlap;
use crate::layout::TableLayout;
use crate::scene::Held;
use history::{Lts, Part, State, Tick, Track, Tracker};
use smallvec::SmallVec;
use std::ops::Range;
use std::sync::{Arc, Mutex};

/// When ticks were taken.
#[derive(Clone)]
pub(crate) struct Clock {
    /// A tick in nanoseconds from any beginning, where that is known.
    pub(crate) at: Arc<dyn Fn(Tick) -> Option<u64> + Send + Sync>,
    /// By how much that may differ from what the server's clock says of the same time, in nanoseconds.
    pub(crate) slack: u64,
}

/// The fewest and the most seconds that a value has still to live; the order in which it is asked for is that of the answer.
pub(crate) type Life = (i64, i64);

/// How far the moment of an expiry may be off: clocks of servers go by whole seconds.
const SECOND: u64 = 1_000_000_000;

/// How much of a visit is seen or not as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Grain {
    Visit,
    /// Each page of rows by itself: for each place its intervals of positions.
    Pages(Vec<Vec<Range<u64>>>),
    /// Each cell by itself, and each row that a deletion covers: replicas answer for themselves, and what one read repairs is
    /// as much as it read.
    Cell,
}

/// What a variable stands for, whatever read it is in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    Visit,
    /// The visit's part on a page: it means nothing to other reads.
    Page(usize),
    /// Row (`None`: shared), column (0: liveness).
    Cell(Option<u64>, usize),
    /// A deletion, by its number in the visit, of one row or (`None`) of the shared cells.
    Deletion(usize, Option<u64>),
    /// What it wrote has expired.
    Expired,
    /// What it wrote on a page has expired by the time of that page.
    ExpiredOn(usize),
}

/// See the module.
pub(crate) struct Var {
    pub(crate) place: usize,
    pub(crate) lts: Lts,
    pub(crate) what: What,
    pub(crate) overlap: Overlap,
    effects: Vec<Effect>,
    expired: Expiring,
    /// Of an expiry: the rows of its page.
    page: Range<u64>,
}

/// A row of a partition, or its shared cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Spot {
    Row(u64),
    Shared,
}

/// The liveness and cells of a row, or the shared cells, as one choice leaves them.
pub(crate) struct Cells {
    deleted: i64,
    cells: SmallVec<[Cell; 8]>,
}

struct Place<'a> {
    part: Part,
    held: Held<'a, Entry>,
    /// Which expiring values are surely gone, by their number less one.
    gone: Vec<bool>,
    /// How long they live still, if they do.
    lives: Vec<Life>,
    replayed: u64,
}

/// Entries of the partitions, before they are locked.
pub(crate) type Entries = Vec<(Part, Arc<Mutex<Entry>>)>;

/// See the module.
pub(crate) struct Scene<'a> {
    store: &'a Store,
    table: &'a TableLayout,
    viewer: Viewer,
    places: Vec<Place<'a>>,
    pub(crate) vars: Vec<Var>,
    may: Vec<(usize, Arc<history::Visit>, Overlap)>,
}

/// What surrounds a scene.
pub(crate) struct Around<'a> {
    pub(crate) store: &'a Store,
    pub(crate) tracker: &'a dyn Tracker,
    pub(crate) clock: Option<&'a Clock>,
}

/// Whether an expiring value is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Alive,
    Gone,
    Open,
}

impl Around<'_> {
    /// What became of an expiring write by the time of a read.
    fn fate(&self, expiry: Expiry, viewer: &Viewer) -> Fate {
        let track: Track = self.tracker.get(expiry.lts);
        let Some(clock) = self.clock else {
            return Fate::Open;
        };
        let lived = u64::from(expiry.ttl) * SECOND;
        let at = |tick| (clock.at)(tick);
        let (from, sent, answered) = (
            at(track.visible_from),
            at(viewer.snapshot.sent),
            at(viewer.snapshot.answered),
        );
        let by = if track.state == State::Committed {
            at(track.visible_by)
        } else {
            None
        };
        let off = SECOND + clock.slack;
        let early = from.map(|from| (from + lived).saturating_sub(off));
        let late = by.map(|by| by + lived + off);
        match (early.zip(answered), late.zip(sent)) {
            (Some((early, answered)), _) if answered < early => Fate::Alive,
            (_, Some((late, sent))) if sent > late => Fate::Gone,
            _ => Fate::Open,
        }
    }
}

impl Around<'_> {
    /// How long an expiring write has still to live when a read looks at it, if it does: the server subtracts the whole second
    /// of the read from that of the write, and the time to live from that.
    fn life(&self, expiry: Expiry, viewer: &Viewer) -> Life {
        let all = i64::from(expiry.ttl);
        let Some(clock) = self.clock else { return (1, all) };
        let track = self.tracker.get(expiry.lts);
        let at = |tick| (clock.at)(tick);
        let seconds = |ns: u64| i64::try_from(ns / SECOND).unwrap_or(i64::MAX);
        let most = at(track.visible_from).zip(at(viewer.snapshot.answered));
        let most = most.map(|(from, answered)| {
            seconds(answered.saturating_sub(from).saturating_add(clock.slack)).saturating_add(1)
        });
        let least = at(track.visible_by).filter(|_| track.state == State::Committed);
        let least = least.zip(at(viewer.snapshot.sent)).map_or(0, |(by, sent)| {
            seconds(sent.saturating_sub(by).saturating_sub(clock.slack))
        });
        let fewest = most.map_or(1, |most| all.saturating_sub(most).max(1));
        (fewest, (all - least).max(1))
    }
}

impl<'a> Scene<'a> {
    /// Locks the partitions and brings them to the read. `Err`: why the answer cannot be compared.
    pub(crate) fn set(
        around: &Around<'a>,
        table: &'a TableLayout,
        viewer: Viewer,
        entries: &'a Entries,
    ) -> Result<Self, &'static str> {
        let mut scene = Self {
            store: around.store,
            table,
            viewer,
            places: Vec::with_capacity(entries.len()),
            vars: Vec::new(),
            may: Vec::new(),
        };
        for (i, (part, entry)) in entries.iter().enumerate() {
            let guard = entry.lock().expect("nobody panics while holding a partition");
            let mut held = if guard.serves(&viewer) {
                Held::Kept(guard)
            } else {
                Held::Past(Box::default())
            };
            let tail = around.store.prepare(held.entry(), table, *part, &viewer)?;
            let deleted = |tail: &Tail| tail.may.iter().any(|(visit, _)| counted::deletes(visit, *part));
            if table.counts()
                && (held.seen().merged().has_deletions() || deleted(&tail))
                && counted::are_open(around.store, table, *part, &viewer)
            {
                return Err(counted::OPEN);
            }
            scene
                .may
                .extend(tail.may.into_iter().map(|(visit, overlap)| (i, visit, overlap)));
            scene.places.push(Place {
                part: *part,
                held,
                gone: Vec::new(),
                lives: Vec::new(),
                replayed: tail.replayed,
            });
        }
        scene.vary(around, &Grain::Visit, None);
        Ok(scene)
    }

    /// Makes the variables anew, with another grain. `moments`: the pages that were read each at its own moment, place by place.
    pub(crate) fn vary(&mut self, around: &Around<'_>, grain: &Grain, moments: Option<&[Vec<Range<u64>>]>) {
        let mut rows: Vec<u64> = Vec::new();
        if *grain == Grain::Cell {
            // While the variables are still whole visits.
            for place in 0..self.places.len() {
                rows.extend(self.written(place));
                rows.extend(self.place(place).0.rows().iter().map(|(p, _)| *p));
            }
            rows.sort_unstable();
            rows.dedup();
        }
        self.vars.clear();
        for (place, visit, overlap) in &self.may {
            let part = self.places[*place].part;
            let merged = self.places[*place].held.entry().parts().1;
            let number = merged.expiring(visit.lts, stamp(visit).ttl);
            let all = effects(self.table, visit, part, number);
            let mut push = |what: What, effects: Vec<Effect>| {
                if !effects.is_empty() {
                    self.vars.push(Var {
                        place: *place,
                        lts: visit.lts,
                        what,
                        overlap: *overlap,
                        effects,
                        expired: 0,
                        page: 0..u64::MAX,
                    });
                }
            };
            match grain {
                Grain::Visit => push(What::Visit, all),
                Grain::Pages(pages) => {
                    for (n, page) in pages[*place].iter().enumerate() {
                        push(
                            What::Page(n),
                            all.iter().filter_map(|e| clip(e, page, n == 0)).collect(),
                        );
                    }
                }
                Grain::Cell => {
                    for (n, effect) in all.into_iter().enumerate() {
                        let (range, timestamp) = match effect {
                            Effect::Write { row, column, .. } => {
                                push(What::Cell(Some(row), column), vec![effect]);
                                continue;
                            }
                            Effect::Shared { column, .. } => {
                                push(What::Cell(None, column), vec![effect]);
                                continue;
                            }
                            // The schema is one for all replicas.
                            Effect::Drop { .. } => {
                                push(What::Visit, vec![effect]);
                                continue;
                            }
                            Effect::Delete { rows, timestamp } => (rows, timestamp),
                            Effect::DeleteAll { timestamp } => {
                                let tombstones =
                                    (0..self.table.shared_count()).map(|column| Effect::Shared {
                                        column: self.table.shared_slots().first(column),
                                        cell: Cell::written(timestamp, None, 0),
                                    });
                                push(What::Deletion(n, None), tombstones.collect());
                                (0..u64::MAX, timestamp)
                            }
                        };
                        for row in rows.iter().filter(|row| range.contains(row)) {
                            let effect = Effect::Delete {
                                rows: *row..*row + 1,
                                timestamp,
                            };
                            push(What::Deletion(n, Some(*row)), vec![effect]);
                        }
                    }
                }
            }
        }
        self.vary_expiries(around, moments);
    }

    /// The rows of a place in which something stands, or may, that expires by a number.
    fn expiring_rows(&self, place: usize, number: Expiring) -> Vec<u64> {
        let merged = self.places[place].held.seen().merged();
        let stand = merged
            .rows()
            .iter()
            .filter(|(_, slot)| merged.row(*slot).iter().any(|c| c.expiring == number))
            .map(|(at, _)| *at);
        let effects = self
            .vars
            .iter()
            .filter(|v| v.place == place)
            .flat_map(|v| &v.effects);
        let come = effects.filter_map(|e| match e {
            Effect::Write { row, cell, .. } if cell.expiring == number => Some(*row),
            _ => None,
        });
        stand.chain(come).collect()
    }

    fn vary_expiries(&mut self, around: &Around<'_>, moments: Option<&[Vec<Range<u64>>]>) {
        for i in 0..self.places.len() {
            let entry = self.places[i].held.seen();
            let expiries = entry.merged().expiries().to_vec();
            if expiries.is_empty() {
                self.places[i].gone.clear();
                self.places[i].lives.clear();
                continue;
            }
            let mut used = vec![false; expiries.len()];
            let mut uses = |n: Expiring| {
                if n != 0 && n != CLASH {
                    used[n as usize - 1] = true;
                }
            };
            for (_, slot) in entry.merged().rows() {
                entry.merged().row(*slot).iter().for_each(|c| uses(c.expiring));
            }
            entry.merged().shared().iter().for_each(|c| uses(c.expiring));
            for effect in self.vars.iter().filter(|v| v.place == i).flat_map(|v| &v.effects) {
                if let Effect::Write { cell, .. } | Effect::Shared { cell, .. } = effect {
                    uses(cell.expiring);
                }
            }
            let fates: Vec<Fate> = expiries.iter().map(|e| around.fate(*e, &self.viewer)).collect();
            let life = |(e, used): (&Expiry, &bool)| match used {
                true => around.life(*e, &self.viewer),
                false => (1, i64::from(e.ttl)),
            };
            self.places[i].lives = expiries.iter().zip(&used).map(life).collect();
            self.places[i].gone = fates.iter().map(|f| *f == Fate::Gone).collect();
            for (n, fate) in fates.iter().enumerate() {
                if *fate == Fate::Open && used[n] {
                    let lts = expiries[n].lts;
                    let expired = Expiring::try_from(n + 1).expect("fewer than 2^32 writes expire");
                    let var = |what: What, page: Range<u64>| Var {
                        place: i,
                        lts,
                        what,
                        overlap: Overlap {
                            lts,
                            from: Tick(0),
                            by: Tick(u64::MAX),
                            session: self.viewer.session,
                            unknown: true,
                        },
                        effects: Vec::new(),
                        expired,
                        page,
                    };
                    let Some(moments) = moments else {
                        self.vars.push(var(What::Expired, 0..u64::MAX));
                        continue;
                    };
                    let rows = self.expiring_rows(i, expired);
                    let pages = moments[i].iter().enumerate();
                    let pages = pages.filter(|(_, page)| rows.iter().any(|at| page.contains(at)));
                    self.vars
                        .extend(pages.map(|(k, page)| var(What::ExpiredOn(k), page.clone())));
                }
            }
        }
    }

    /// Whether visits may or may not be visible.
    pub(crate) fn has_open(&self) -> bool {
        !self.may.is_empty()
    }

    /// The visits that may or may not be visible.
    pub(crate) fn may(&self) -> impl Iterator<Item = &Overlap> {
        self.may.iter().map(|(.., overlap)| overlap)
    }

    /// Visits that were merged for it.
    pub(crate) fn replayed(&self) -> u64 {
        self.places.iter().map(|p| p.replayed).sum()
    }

    /// Which partitions.
    pub(crate) fn parts(&self) -> Vec<Part> {
        self.places.iter().map(|p| p.part).collect()
    }

    /// What is merged and visible of a partition, without any choice; expiring values live.
    pub(crate) fn place(&self, i: usize) -> (&Merged, &crate::model::Partition) {
        let entry = self.places[i].held.seen();
        (entry.merged(), entry.image())
    }

    /// Runs `what` over the partitions under one choice; `None` where the choice leaves two expiring values that nobody here
    /// can tell apart.
    pub(crate) fn under<R>(&mut self, chosen: &[bool], what: impl FnOnce(&mut [View<'_>]) -> R) -> Option<R> {
        let mut marks = Vec::with_capacity(self.places.len());
        let mut clash = false;
        for (i, place) in self.places.iter_mut().enumerate() {
            let entry = place.held.entry();
            marks.push(entry.mark());
            let (image, merged, _) = entry.parts();
            let mut dirty = Dirty::default();
            let mut gone = std::mem::take(&mut place.gone);
            let before = gone.clone();
            for (_, var) in self
                .vars
                .iter()
                .enumerate()
                .filter(|(n, v)| v.place == i && chosen.get(*n) == Some(&true))
            {
                if var.expired != 0 {
                    gone[var.expired as usize - 1] = true;
                }
                for effect in &var.effects {
                    merged.take(self.table, effect, &mut dirty);
                }
            }
            if gone.contains(&true) {
                expiring(merged, &mut dirty);
            }
            refresh(image, merged, self.table, &mut dirty, &gone);
            clash |= merged.expiries().len() > 1 && clashes(merged);
            place.gone = before;
        }
        let mut views: Vec<View<'_>> = self
            .places
            .iter_mut()
            .map(|place| {
                let part = place.part;
                let lives = &place.lives;
                let (partition, merged, key) = place.held.entry().parts();
                View {
                    part,
                    key,
                    partition,
                    merged: Some(merged),
                    lives,
                }
            })
            .collect();
        let result = (!clash).then(|| what(&mut views));
        for (place, mark) in self.places.iter_mut().zip(marks) {
            place.held.entry().undo(mark);
        }
        result
    }

    /// The rows of a partition that variables write, each once.
    pub(crate) fn written(&self, place: usize) -> Vec<u64> {
        let mut rows: Vec<u64> = self
            .vars
            .iter()
            .filter(|v| v.place == place)
            .flat_map(|v| &v.effects)
            .filter_map(|e| match e {
                Effect::Write { row, .. } => Some(*row),
                _ => None,
            })
            .collect();
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    /// The variables that may change a spot.
    pub(crate) fn touching(&self, place: usize, spot: Spot) -> Vec<usize> {
        let merged = self.places[place].held.seen().merged();
        let base = self.base(place, spot);
        let touched = |var: &Var| {
            if var.expired != 0 {
                if matches!(spot, Spot::Row(at) if !var.page.contains(&at)) {
                    return false;
                }
                let writes = |e: &Effect| match (e, spot) {
                    (Effect::Write { row, cell, .. }, Spot::Row(at)) => {
                        *row == at && cell.expiring == var.expired
                    }
                    (Effect::Shared { cell, .. }, Spot::Shared) => cell.expiring == var.expired,
                    _ => false,
                };
                return base.cells.iter().any(|c| c.expiring == var.expired)
                    || self
                        .vars
                        .iter()
                        .filter(|v| v.place == place)
                        .flat_map(|v| &v.effects)
                        .any(writes);
            }
            var.effects.iter().any(|e| match (e, spot) {
                (Effect::Write { row, column, cell }, Spot::Row(at)) => {
                    let area = Area::row(self.table);
                    let deleted = area.deleted(&base.cells, *column, base.deleted);
                    *row == at
                        && base.cells[*column].yields_to(cell, deleted, &area.rule(merged.ties(), *column))
                }
                (Effect::Shared { column, cell }, Spot::Shared) => {
                    cell.timestamp > base.deleted && base.cells[*column].timestamp <= cell.timestamp
                }
                (Effect::Delete { rows, timestamp }, Spot::Row(at)) => {
                    rows.contains(&at) && *timestamp > base.deleted
                }
                (Effect::DeleteAll { timestamp }, _) => *timestamp > base.deleted,
                (Effect::Drop { place, timestamp }, _) => {
                    column_of(*place, spot).is_some() && *timestamp > merged.dropped_at(*place)
                }
                _ => false,
            })
        };
        (0..self.vars.len())
            .filter(|i| self.vars[*i].place == place && touched(&self.vars[*i]))
            .collect()
    }

    fn base(&self, place: usize, spot: Spot) -> Cells {
        let merged = self.places[place].held.seen().merged();
        match spot {
            Spot::Row(at) => Cells {
                deleted: merged.deleted_at(at),
                cells: match merged.find(at) {
                    Some(slot) => SmallVec::from_slice(merged.row(slot)),
                    None => SmallVec::from_elem(Cell::NOTHING, self.table.regular_slots().len()),
                },
            },
            Spot::Shared => Cells {
                deleted: merged.deleted(),
                cells: SmallVec::from_slice(merged.shared()),
            },
        }
    }

    /// What a choice of the touching variables leaves in a spot: for each column what it shows with its timestamp, `None`
    /// where nothing of it is visible. `Err`: two expiring values that nobody here can tell apart.
    pub(crate) fn leaves(
        &self,
        place: usize,
        spot: Spot,
        touching: &[usize],
        mask: u64,
    ) -> Result<Shows, Clash> {
        let merged = self.places[place].held.seen().merged();
        let mut state = self.base(place, spot);
        let mut gone: SmallVec<[bool; 16]> = SmallVec::from_slice(&self.places[place].gone);
        let chosen = touching.iter().enumerate().filter(|(i, _)| mask >> i & 1 == 1);
        for var in chosen.map(|(_, var)| &self.vars[*var]) {
            if var.expired != 0 {
                gone[var.expired as usize - 1] = true;
            }
            for effect in &var.effects {
                match (effect, spot) {
                    (Effect::Write { row, column, cell }, Spot::Row(at)) if *row == at => {
                        Area::row(self.table).merge(
                            &mut state.cells,
                            *column,
                            cell,
                            merged.cell_deleted_at(state.deleted, *column),
                            merged.ties(),
                        );
                    }
                    (Effect::Shared { column, cell }, Spot::Shared) => {
                        Area::shared(self.table).merge(
                            &mut state.cells,
                            *column,
                            cell,
                            state.deleted.max(merged.dropped_at(Column::Shared(*column))),
                            merged.ties(),
                        );
                    }
                    (Effect::Delete { rows, timestamp }, Spot::Row(at)) if rows.contains(&at) => {
                        state.delete(*timestamp)
                    }
                    (Effect::DeleteAll { timestamp }, _) => state.delete(*timestamp),
                    _ => {}
                }
            }
        }
        // Over everything that the choice wrote: a drop deletes what is later applied, too.
        for var in touching
            .iter()
            .enumerate()
            .filter(|(i, _)| mask >> i & 1 == 1)
            .map(|(_, var)| &self.vars[*var])
        {
            for effect in &var.effects {
                if let Effect::Drop { place, timestamp } = effect
                    && let Some(column) = column_of(*place, spot)
                {
                    state.cells[column].delete(*timestamp);
                }
            }
        }
        if state.cells.iter().any(|c| c.expiring == CLASH) {
            return Err(Clash);
        }
        let lives = &self.places[place].lives;
        if state.cells.iter().all(|c| shown(c, &gone).is_none()) {
            return Ok(None);
        }
        let (area, columns) = match spot {
            Spot::Row(_) => (Area::row(self.table), self.table.regular_count()),
            Spot::Shared => (Area::shared(self.table), self.table.shared_count()),
        };
        let first = |c: usize| match spot {
            Spot::Row(_) => self.table.regular_slots().first(c),
            Spot::Shared => self.table.shared_slots().first(c),
        };
        let show = |c: usize| {
            let (value, timestamp) = area.shown(&state.cells, c, &gone)?;
            Some(Stood {
                value,
                timestamp,
                life: life_of(&state.cells[first(c)], lives),
            })
        };
        Ok(Some((0..columns).map(show).collect()))
    }

    /// The greatest timestamp that a value seen in a column may have, with `stamp` if that was seen too; `None`: nobody who
    /// may be visible wrote it. Only of columns that are one cell.
    pub(crate) fn newest_of(
        &self,
        place: usize,
        spot: Spot,
        column: usize,
        d: u64,
        stamp: Option<i64>,
    ) -> Option<i64> {
        let fits = |c: &Cell| c.kind == Kind::Value && c.value == d && stamp.is_none_or(|s| s == c.timestamp);
        let at = match spot {
            Spot::Row(_) => self.table.regular_slots().first(column),
            Spot::Shared => self.table.shared_slots().first(column),
        };
        let base = self.base(place, spot).cells[at];
        let written = self
            .vars
            .iter()
            .filter(|v| v.place == place)
            .flat_map(|v| &v.effects)
            .filter_map(|e| match (e, spot) {
                (Effect::Write { row, column, cell }, Spot::Row(p)) if *row == p && *column == at => {
                    Some(*cell)
                }
                (Effect::Shared { column, cell }, Spot::Shared) if *column == at => Some(*cell),
                _ => None,
            });
        std::iter::once(base)
            .chain(written)
            .filter(fits)
            .map(|c| c.timestamp)
            .max()
    }

    /// Whether a variable must be no where a column was seen with a value of at most this timestamp.
    pub(crate) fn hides(&self, var: usize, spot: Spot, column: usize, timestamp: i64) -> bool {
        let regular = |column: usize| self.table.regular_slots().first(column);
        self.vars[var].effects.iter().any(|e| match (e, spot) {
            (
                Effect::Write {
                    row,
                    column: at,
                    cell,
                },
                Spot::Row(p),
            ) => *row == p && *at == regular(column) && cell.timestamp > timestamp,
            (Effect::Shared { column: at, cell }, Spot::Shared) => {
                *at == self.table.shared_slots().first(column) && cell.timestamp > timestamp
            }
            (Effect::Delete { rows, timestamp: t }, Spot::Row(p)) => rows.contains(&p) && *t >= timestamp,
            (Effect::DeleteAll { timestamp: t }, _) => *t >= timestamp,
            (Effect::Drop { place, timestamp: t }, _) => {
                let at = match spot {
                    Spot::Row(_) => regular(column),
                    Spot::Shared => self.table.shared_slots().first(column),
                };
                column_of(*place, spot) == Some(at) && *t >= timestamp
            }
            _ => false,
        })
    }
}

/// Where the cell of a dropped column stands among those of a spot.
fn column_of(place: Column, spot: Spot) -> Option<usize> {
    match (place, spot) {
        (Column::Regular(slot), Spot::Row(_)) | (Column::Shared(slot), Spot::Shared) => Some(slot),
        _ => None,
    }
}

/// See [`Scene::leaves`].
pub(crate) type Shows = Option<SmallVec<[Option<Stood>; 8]>>;

/// What stands in a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stood {
    pub(crate) value: u64,
    pub(crate) timestamp: i64,
    /// `None`: it lives for ever.
    pub(crate) life: Option<Life>,
}

/// How long what stands in a cell has still to live; `None`: for ever.
pub(crate) fn life_of(cell: &Cell, lives: &[Life]) -> Option<Life> {
    lives.get((cell.expiring as usize).checked_sub(1)?).copied()
}

/// Two expiring values of one timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clash;

impl Cells {
    fn delete(&mut self, timestamp: i64) {
        self.deleted = self.deleted.max(timestamp);
        for cell in &mut self.cells {
            cell.delete(timestamp);
        }
    }
}

impl Drop for Scene<'_> {
    fn drop(&mut self) {
        for place in &mut self.places {
            if let Held::Kept(guard) = &mut place.held {
                self.store.release(place.part, guard);
            }
        }
    }
}

/// What of an effect falls on a page; what is of the whole partition falls on the first.
fn clip(effect: &Effect, page: &Range<u64>, first: bool) -> Option<Effect> {
    match effect {
        Effect::Write { row, .. } => page.contains(row).then(|| effect.clone()),
        Effect::Shared { .. } => first.then(|| effect.clone()),
        Effect::Delete { rows, timestamp } => {
            let rows = rows.start.max(page.start)..rows.end.min(page.end);
            (rows.start < rows.end).then_some(Effect::Delete {
                rows,
                timestamp: *timestamp,
            })
        }
        Effect::DeleteAll { timestamp } => Some(Effect::Delete {
            rows: page.clone(),
            timestamp: *timestamp,
        }),
        Effect::Drop { .. } => first.then(|| effect.clone()),
    }
}

fn clashes(merged: &Merged) -> bool {
    let rows = merged.rows().iter().flat_map(|(_, slot)| merged.row(*slot));
    rows.chain(merged.shared()).any(|c| c.expiring == CLASH)
}
