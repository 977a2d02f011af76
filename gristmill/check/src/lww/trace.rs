//! The life of one racing row, told by timestamps: who wrote what stands there, and whence a value comes that should not.
//! Slow and thorough: asked only when an answer is wrong.

use super::effects::{effects, stamp};
use super::explain::Case;
use super::merged::Effect;
use super::scene::{Scene, What};
use super::see::{Seen, Viewer};
use crate::difference::{Life, Teller};
use crate::trace::Target;
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
            .filter(|(var, yes)| **yes && var.what != What::Expired)
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
            match racing.store.promise.sees(lts, &track, &self.viewer, level) {
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
                        let value = super::image::shown(&cell, &[]);
                        deed(cell.timestamp, Act::Set(table.regular_id(column - 1), value));
                    }
                    (Effect::Shared { column, cell }, Target::Shared) => {
                        let value = super::image::shown(&cell, &[]);
                        deed(cell.timestamp, Act::Set(table.shared_id(column), value));
                    }
                    (Effect::Delete { rows, timestamp }, Target::Row(at)) if rows.contains(&at) => {
                        deed(timestamp, Act::Deleted);
                    }
                    (Effect::DeleteAll { timestamp }, _) => deed(timestamp, Act::Deleted),
                    _ => {}
                }
            }
        }
        // By timestamp, deletions last among equals: so the last one wins.
        deeds.sort_by_key(|d| {
            (
                d.timestamp,
                matches!(d.act, Act::Deleted | Act::Set(_, None)),
                d.lts,
            )
        });
        Box::new(Lived::new(deeds))
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

/// The deeds of a row, by timestamp.
struct Lived {
    deeds: Vec<Deed>,
    /// The last visible deletion.
    deleted: Option<Deed>,
    live: Option<Deed>,
    /// The winner of each column, tombstones and deletions too.
    cells: BTreeMap<ColumnId, Deed>,
}

impl Lived {
    fn new(deeds: Vec<Deed>) -> Self {
        let mut lived = Self {
            deleted: None,
            live: None,
            cells: BTreeMap::new(),
            deeds,
        };
        for deed in lived.deeds.iter().filter(|d| d.standing == Standing::Visible) {
            match deed.act {
                Act::Live => lived.live = Some(*deed),
                Act::Set(column, _) => {
                    lived.cells.insert(column, *deed);
                }
                Act::Deleted => {
                    lived.deleted = Some(*deed);
                    lived.live = None;
                    lived.cells.values_mut().for_each(|winner| *winner = *deed);
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

impl Life for Lived {
    fn exists(&self) -> bool {
        self.maker().is_some()
    }

    fn maker(&self) -> Option<Lts> {
        let set = self
            .cells
            .values()
            .filter(|d| matches!(d.act, Act::Set(_, Some(_))))
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
            .filter(|d| !matches!(d.act, Act::Set(_, Some(_))))
            .max_by_key(|d| d.timestamp);
        self.deleted.as_ref().or(tombstone).map(|d| d.lts)
    }

    fn cell_writer(&self, column: ColumnId) -> Option<Lts> {
        self.cells.get(&column).or(self.deleted.as_ref()).map(|d| d.lts)
    }

    fn why_value(&self, column: ColumnId, d: Option<u64>) -> (Why, Option<Lts>) {
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
        self.why(
            |act| matches!(act, Act::Live | Act::Set(_, Some(_))),
            self.remover(),
        )
    }
}
