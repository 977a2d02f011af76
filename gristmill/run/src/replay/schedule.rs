//! What overlapped what in a recorded run: for each visit its session, and how many visits had finished before it began.

use crate::RunError;
use history::artefact::Folder;
use history::log::{Reader, Record, What};
use history::{Line, Lts, SessionId, Tick};
use std::collections::BTreeMap;

/// The recorded overlaps of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schedule {
    places: BTreeMap<u64, Place>,
    /// The order in which visits finished: rank by lts.
    ranks: BTreeMap<u64, usize>,
}

/// Where a visit stood in the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) session: SessionId,
    /// So many visits had finished before it began: all of lower rank.
    pub(crate) after: usize,
}

impl Schedule {
    /// Reads a run's log. Visits that the log has forgotten are free to go at any time.
    pub fn read(folder: &Folder) -> Result<Schedule, RunError> {
        Ok(Schedule::of(Reader::open(&folder.log())?))
    }

    /// From the records of a log, in their order.
    pub(crate) fn of(records: impl Iterator<Item = Record>) -> Schedule {
        let mut began: BTreeMap<u64, (SessionId, Tick)> = BTreeMap::new();
        let mut finished: BTreeMap<u64, Tick> = BTreeMap::new();
        for record in records {
            match record.what {
                What::Invoke { lts: Lts(lts), .. } => {
                    began.entry(lts).or_insert((record.session, record.tick));
                }
                What::Complete { lts: Lts(lts), .. } | What::Settled { lts: Lts(lts), .. } => {
                    finished.insert(lts, record.tick);
                }
                _ => {}
            }
        }
        let mut order: Vec<(Tick, u64)> = finished.iter().map(|(lts, tick)| (*tick, *lts)).collect();
        order.sort_unstable();
        let ranks = order
            .iter()
            .enumerate()
            .map(|(rank, (_, lts))| (*lts, rank))
            .collect();
        let places = began
            .into_iter()
            .map(|(lts, (session, tick))| {
                let after = order.partition_point(|(end, _)| *end < tick);
                (lts, Place { session, after })
            })
            .collect();
        Schedule { places, ranks }
    }

    /// What the lines of a history ask for (see [`Line::beside`]).
    pub(crate) fn written(lines: &[Line]) -> Schedule {
        let mut places = BTreeMap::new();
        let mut ranks = BTreeMap::new();
        let mut open: Vec<Lts> = Vec::new();
        for line in lines {
            // What nobody needed the end of yet and this visit does ends next.
            for ended in open.extract_if(.., |lts| !line.beside.contains(lts)) {
                ranks.insert(ended.0, ranks.len());
            }
            let place = Place {
                session: line.session,
                after: ranks.len(),
            };
            places.insert(line.visit.lts.0, place);
            open.push(line.visit.lts);
        }
        for lts in open {
            ranks.insert(lts.0, ranks.len());
        }
        Schedule { places, ranks }
    }

    /// Where a visit stood; `None`: the record does not say.
    pub(crate) fn place(&self, lts: Lts) -> Option<Place> {
        self.places.get(&lts.0).copied()
    }

    /// Whether two visits were open at once; `false` where the record does not say.
    pub(crate) fn overlap(&self, a: Lts, b: Lts) -> bool {
        let ended_before = |x: Lts, y: Place| self.rank(x).is_some_and(|rank| rank < y.after);
        match (self.place(a), self.place(b)) {
            (Some(at), Some(bt)) => !ended_before(a, bt) && !ended_before(b, at),
            _ => false,
        }
    }

    /// How many visits finished in the record.
    pub(crate) fn finished(&self) -> usize {
        self.ranks.len()
    }

    /// Its place in the order of finishing.
    pub(crate) fn rank(&self, lts: Lts) -> Option<usize> {
        self.ranks.get(&lts.0).copied()
    }
}

#[cfg(test)]
mod tests;
