//! The life of one racing row, told by timestamps: who wrote what stands there, and whence a value comes that should not.
//! Slow and thorough: asked only when an answer is wrong.

use super::cell::Cell;
use super::cells::Area;
use super::effects::{effects, stamp};
use super::explain::Case;
use super::merged::{Effect, Place};
use super::scene::{Scene, What};
use super::see::{Seen, Viewer};
use crate::difference::{Life, Teller};
use crate::trace::Target;
use datagen::domain::{COUNTER_ZERO, Domain};
use datagen::schema::ColumnId;
use history::finding::Why;
use history::{Lts, Part, State};
use std::collections::{BTreeMap, BTreeSet};

/// Writers that are looked at, backwards.
const WALK: usize = 5000;

/// What a visit is to the read, under the choice that is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Visible,
    NotYet,
    RolledBack,
}

/// What a visit does to the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Live,
    Set(ColumnId, Option<u64>),
    /// An element of a column, by its slot.
    Element(ColumnId, usize, Option<u64>),
    /// To a counter.
    Added(ColumnId, i64),
    /// All elements of a column.
    Emptied(ColumnId),
    Deleted,
}

#[derive(Debug, Clone, Copy)]
struct Deed {
    lts: Lts,
    standing: Standing,
    timestamp: i64,
    act: Act,
}

/// Who tells.
pub(crate) struct Told<'a> {
    case: &'a Case<'a>,
    viewer: Viewer,
    parts: Vec<Part>,
    chosen: BTreeSet<Lts>,
    may: BTreeSet<Lts>,
}

impl<'a> Told<'a> {
    /// The teller of a scene under one choice.
    pub(crate) fn new(case: &'a Case<'a>, scene: &Scene<'_>, choice: &[bool]) -> Self {
        let chosen = scene
            .vars
            .iter()
            .zip(choice)
            .filter(|(var, yes)| **yes && !matches!(var.what, What::Expired | What::ExpiredOn(_)))
            .map(|(var, _)| var.lts)
            .collect();
        Self {
            case,
            viewer: Viewer {
                snapshot: case.answered.snapshot,
                session: case.answered.session,
                consistency: stamp(case.visit).consistency,
            },
            parts: scene.parts(),
            chosen,
            may: scene.may().map(|o| o.lts).collect(),
        }
    }

    fn standing(&self, lts: Lts) -> Option<Standing> {
        let racing = self.case.racing;
        let track = racing.tracker.get(lts);
        match track.state {
            State::Waiting | State::Skipped => return None,
            State::Rejected => return Some(Standing::RolledBack),
            _ => {}
        }
        if self.may.contains(&lts) {
            return Some(if self.chosen.contains(&lts) {
                Standing::Visible
            } else {
                Standing::NotYet
            });
        }
        let level = || racing.store.visits.once(lts).map(|v| stamp(&v).consistency);
        Some(
            match racing.store.promise.sees(lts, &track, &self.viewer, level, |by| {
                racing.store.spread(by, self.viewer.snapshot.sent)
            }) {
                Ok(Seen::Must(_)) => Standing::Visible,
                _ => Standing::NotYet,
            },
        )
    }

    /// The writers of a partition that have begun, newest number first.
    fn writers(&self, part: Part) -> Vec<(Lts, Standing)> {
        let racing = self.case.racing;
        let near = self.case.visit.lts;
        let mut ahead = Vec::new();
        let (mut at, mut late) = (near, 0);
        while let Some(next) = racing.history.writer_after(part, at) {
            at = next;
            match self.standing(next) {
                Some(standing) => {
                    ahead.push((next, standing));
                    late = 0;
                }
                None if late > racing.options.sessions => break,
                None => late += 1,
            }
            if ahead.len() > WALK {
                break;
            }
        }
        ahead.reverse();
        let mut at = Lts(near.0.saturating_add(1));
        while let Some(before) = racing.history.writer_before(part, at) {
            at = before;
            if ahead.len() > 2 * WALK {
                break;
            }
            if let Some(standing) = self.standing(before) {
                ahead.push((before, standing));
            }
        }
        ahead
    }
}

impl Teller for Told<'_> {
    fn life(&self, part: Part, target: Target) -> Box<dyn Life> {
        let racing = self.case.racing;
        let table = self.case.table;
        let mut deeds = Vec::new();
        for (lts, standing) in self.writers(part) {
            let Some(visit) = racing.store.visits.once(lts) else {
                continue;
            };
            for effect in effects(table, &visit, part, 0) {
                let mut deed = |timestamp: i64, act: Act| {
                    deeds.push(Deed {
                        lts,
                        standing,
                        timestamp,
                        act,
                    });
                };
                match (effect, target) {
                    (Effect::Write { row, column: 0, cell }, Target::Row(at)) if row == at => {
                        deed(cell.timestamp, Act::Live);
                    }
                    (Effect::Write { row, column, cell }, Target::Row(at)) if row == at => {
                        deed(cell.timestamp, act(Area::row(table), column, &cell));
                    }
                    (Effect::Shared { column, cell }, Target::Shared) => {
                        deed(cell.timestamp, act(Area::shared(table), column, &cell));
                    }
                    (Effect::Delete { rows, timestamp }, Target::Row(at)) if rows.contains(&at) => {
                        deed(timestamp, Act::Deleted);
                    }
                    (Effect::DeleteAll { timestamp }, _) => deed(timestamp, Act::Deleted),
                    (Effect::Drop { place, timestamp }, target) => match (place, target) {
                        (Place::Regular(slot), Target::Row(_)) => {
                            let column = table.regular_slots().column(slot).expect("a column's slot");
                            deed(timestamp, Act::Set(table.regular_id(column), None));
                        }
                        (Place::Shared(slot), Target::Shared) => {
                            let column = table.shared_slots().column(slot).expect("a column's slot");
                            deed(timestamp, Act::Set(table.shared_id(column), None));
                        }
                        _ => {}
                    },
                    _ => {}
                }
            }
        }
        // By timestamp, deletions last among equals: so the last one wins.
        deeds.sort_by_key(|d| {
            (
                d.timestamp,
                matches!(
                    d.act,
                    Act::Deleted | Act::Emptied(_) | Act::Set(_, None) | Act::Element(_, _, None)
                ),
                d.lts,
            )
        });
        let area = match target {
            Target::Shared => Area::shared(table),
            _ => Area::row(table),
        };
        Box::new(Lived::new(deeds, area.with_elements()))
    }

    fn newest(&self, part: Part) -> Option<Lts> {
        let visible = |(lts, standing): (Lts, Standing)| {
            let visit = self.case.racing.store.visits.once(lts)?;
            (standing == Standing::Visible).then(|| (stamp(&visit).timestamp, lts))
        };
        self.writers(part)
            .into_iter()
            .filter_map(visible)
            .max()
            .map(|(_, lts)| lts)
    }

    fn parts(&self) -> Vec<Part> {
        self.parts.clone()
    }
}

/// What a write of a cell does, where it is not the liveness.
fn act(area: Area<'_>, slot: usize, cell: &Cell) -> Act {
    let (column, element) = area.place(slot).expect("it is a cell of a column");
    let (id, value) = (area.id(column), super::image::shown(cell, &[]));
    if let Some(n) = cell.sum() {
        return Act::Added(id, n);
    }
    match element {
        Some(element) => Act::Element(id, element, value),
        None if area.of(column).len() > 1 => Act::Emptied(id),
        None => Act::Set(id, value),
    }
}

/// The deeds of a row, by timestamp.
struct Lived {
    deeds: Vec<Deed>,
    /// The last visible deletion.
    deleted: Option<Deed>,
    live: Option<Deed>,
    /// The winner of each column, tombstones and deletions too.
    cells: BTreeMap<ColumnId, Deed>,
    /// The winner of each element, tombstones and deletions too.
    elements: BTreeMap<(ColumnId, usize), Deed>,
    /// The values of columns that have elements.
    domains: BTreeMap<ColumnId, Domain>,
}

impl Lived {
    fn new(deeds: Vec<Deed>, domains: BTreeMap<ColumnId, Domain>) -> Self {
        let mut lived = Self {
            deleted: None,
            live: None,
            cells: BTreeMap::new(),
            elements: BTreeMap::new(),
            domains,
            deeds,
        };
        for deed in lived.deeds.iter().filter(|d| d.standing == Standing::Visible) {
            match deed.act {
                Act::Live => lived.live = Some(*deed),
                Act::Set(column, _) | Act::Added(column, _) => {
                    lived.cells.insert(column, *deed);
                }
                Act::Element(column, slot, _) => {
                    lived.cells.insert(column, *deed);
                    lived.elements.insert((column, slot), *deed);
                }
                Act::Emptied(column) => {
                    lived.cells.insert(column, *deed);
                    let of = lived.elements.range_mut((column, 0)..=(column, usize::MAX));
                    of.for_each(|(_, winner)| *winner = *deed);
                }
                Act::Deleted => {
                    lived.deleted = Some(*deed);
                    lived.live = None;
                    lived.cells.values_mut().for_each(|winner| *winner = *deed);
                    lived.elements.values_mut().for_each(|winner| *winner = *deed);
                }
            }
        }
        lived
    }

    fn why(&self, did: impl Fn(&Act) -> bool, by: Option<Lts>) -> (Why, Option<Lts>) {
        let last = |standing: Standing| {
            let deed = self
                .deeds
                .iter()
                .rev()
                .find(|d| d.standing == standing && did(&d.act));
            deed.map(|d| d.lts)
        };
        if let Some(lts) = last(Standing::Visible) {
            return (Why::Overwritten(by.unwrap_or(lts)), Some(lts));
        }
        if let Some(lts) = last(Standing::NotYet) {
            return (Why::NotYetCommitted(lts), Some(lts));
        }
        match last(Standing::RolledBack) {
            Some(lts) => (Why::RolledBack(lts), Some(lts)),
            None => (Why::NeverWritten, None),
        }
    }
}

impl Act {
    /// Whether something stands there afterwards.
    fn is_value(&self) -> bool {
        matches!(
            self,
            Act::Set(_, Some(_)) | Act::Element(_, _, Some(_)) | Act::Added(..)
        )
    }
}

impl Lived {
    /// Of a column with elements: whence the first of those comes that should not be there, or should. `None` of others.
    fn why_element(&self, column: ColumnId, d: Option<u64>) -> Option<(Why, Option<Lts>)> {
        let elements = self.domains.get(&column)?.elements()?;
        let seen = d.map(|d| elements.split(d)).unwrap_or_default();
        let there = |slot: usize| match self.elements.get(&(column, slot)).map(|d| d.act) {
            Some(Act::Element(_, _, value)) => value,
            _ => None,
        };
        let shows = |slot: usize| seen.iter().find(|(s, _)| *s == slot).map(|(_, v)| *v);
        let slot = (0..elements.slots()).find(|slot| shows(*slot) != there(*slot))?;
        let winner = self.elements.get(&(column, slot)).map(|d| d.lts);
        Some(match shows(slot) {
            value @ Some(_) => self.why(|act| *act == Act::Element(column, slot, value), winner),
            None => self.why(
                |act| {
                    matches!(act, Act::Deleted)
                        || *act == Act::Emptied(column)
                        || *act == Act::Element(column, slot, None)
                },
                winner,
            ),
        })
    }
}

impl Lived {
    /// Of a counter: whose amount the difference is between what was seen and what was added. `None` of others.
    fn why_sum(&self, column: ColumnId, d: Option<u64>) -> Option<(Why, Option<Lts>)> {
        let amount = |deed: &Deed| match deed.act {
            Act::Added(c, n) if c == column => Some(n),
            _ => None,
        };
        let of = |standing: Standing| {
            let all = self.deeds.iter().filter(move |deed| deed.standing == standing);
            all.filter_map(move |deed| Some((deed.lts, amount(deed)?)))
        };
        self.deeds.iter().find_map(amount)?;
        let sum = of(Standing::Visible).fold(0, |sum: i64, (_, n)| sum.wrapping_add(n));
        let seen = d.map_or(0, |d| d.wrapping_sub(COUNTER_ZERO).cast_signed());
        let more = seen.wrapping_sub(sum);
        let by = |standing: Standing, of_it: i64| of(standing).find(|(_, n)| *n == of_it).map(|(lts, _)| lts);
        let found = by(Standing::NotYet, more).map(|lts| (Why::NotYetCommitted(lts), lts));
        let found = found.or_else(|| by(Standing::RolledBack, more).map(|lts| (Why::RolledBack(lts), lts)));
        let found =
            found.or_else(|| by(Standing::Visible, more.wrapping_neg()).map(|lts| (Why::Lacks(lts), lts)));
        let found = found.or_else(|| by(Standing::Visible, more).map(|lts| (Why::AddedTwice(lts), lts)));
        Some(found.map_or((Why::NeverWritten, None), |(why, lts)| (why, Some(lts))))
    }
}

impl Life for Lived {
    fn exists(&self) -> bool {
        self.maker().is_some()
    }

    fn maker(&self) -> Option<Lts> {
        let set = self
            .cells
            .values()
            .chain(self.elements.values())
            .filter(|d| d.act.is_value())
            .max_by_key(|d| d.timestamp);
        self.live.as_ref().or(set).map(|d| d.lts)
    }

    fn writer(&self) -> Option<Lts> {
        let winners = self.cells.values().chain(&self.live).chain(&self.deleted);
        winners.max_by_key(|d| d.timestamp).map(|d| d.lts)
    }

    fn remover(&self) -> Option<Lts> {
        let tombstone = self
            .cells
            .values()
            .filter(|d| !d.act.is_value())
            .max_by_key(|d| d.timestamp);
        self.deleted.as_ref().or(tombstone).map(|d| d.lts)
    }

    fn cell_writer(&self, column: ColumnId) -> Option<Lts> {
        self.cells.get(&column).or(self.deleted.as_ref()).map(|d| d.lts)
    }

    fn why_value(&self, column: ColumnId, d: Option<u64>) -> (Why, Option<Lts>) {
        if let Some(told) = self.why_sum(column, d) {
            return told;
        }
        if let Some(told) = self.why_element(column, d) {
            return told;
        }
        let winner = self.cell_writer(column);
        match d {
            Some(_) => self.why(|act| *act == Act::Set(column, d), winner),
            None => self.why(
                |act| matches!(act, Act::Deleted) || *act == Act::Set(column, None),
                winner,
            ),
        }
    }

    fn why_there(&self) -> (Why, Option<Lts>) {
        self.why(|act| *act == Act::Live || act.is_value(), self.remover())
    }
}
