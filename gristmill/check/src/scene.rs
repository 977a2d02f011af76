//! The partitions that one answer is about, held still, and every state of them that the claim allows.
//!
//! Invariants:
//! * Z1 partitions are locked in ascending order and stay locked while the scene lives.
//! * Z2 changes for one choice are taken back at once; what a visit that asks has done itself may stay, where there is
//!   nothing to choose (the store's S3).

use crate::choice::choices;
use crate::evaluate::View;
use crate::judged::{Options, Overlap};
use crate::layout::TableLayout;
use crate::model::{Entry, Partition, Store, Tail};
use crate::span::Viewer;
use history::{Lts, Op, Part, Visit};
use std::sync::{Arc, Mutex, MutexGuard};

/// Why an answer is not compared: F11.
pub(crate) const TOO_MANY: &str = "more choices of overlapping visits than the budget allows";

/// What a scene is made for.
pub(crate) struct Asked<'a> {
    /// The visit whose statement it is.
    pub(crate) visit: &'a Arc<Visit>,
    /// The statement: steps before it stand in the visit's own partitions.
    pub(crate) step: usize,
    /// To whom things are visible; `own` is set by the scene, partition by partition.
    pub(crate) viewer: Viewer,
    /// Whether the visit's own partitions are seen as their owner sees them.
    pub(crate) owner: bool,
}

/// Entries of the partitions, before they are locked.
pub(crate) struct Entries {
    table: u16,
    entries: Vec<(Part, Arc<Mutex<Entry>>)>,
}

impl Entries {
    /// Those of sorted positions.
    pub(crate) fn of(store: &Store, table: u16, positions: impl Iterator<Item = u64>) -> Self {
        let entries = positions
            .map(|position| {
                let part = Part { table, position };
                (part, store.entry(part))
            })
            .collect();
        Self { table, entries }
    }

    /// Which partitions.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Part> {
        self.entries.iter().map(|(part, _)| *part)
    }
}

/// One partition of a scene.
struct Place<'a> {
    part: Part,
    held: Held<'a, Entry>,
    tail: Tail,
    own: bool,
}

/// A kept entry, or one for this viewer alone.
pub(crate) enum Held<'a, E> {
    Kept(MutexGuard<'a, E>),
    Past(Box<E>),
}

impl<E> Held<'_, E> {
    pub(crate) fn entry(&mut self) -> &mut E {
        match self {
            Held::Kept(guard) => guard,
            Held::Past(entry) => entry,
        }
    }

    pub(crate) fn seen(&self) -> &E {
        match self {
            Held::Kept(guard) => guard,
            Held::Past(entry) => entry,
        }
    }
}

/// See the module.
pub(crate) struct Scene<'a> {
    store: &'a Store,
    table: &'a TableLayout,
    visit: &'a Visit,
    step: usize,
    places: Vec<Place<'a>>,
    /// The visits that may or may not be visible, by `from`.
    pub(crate) open: Vec<Overlap>,
    /// The possible choices of them; empty where there is nothing to choose.
    pub(crate) masks: Vec<u64>,
    /// Visits applied so far.
    pub(crate) replayed: u64,
    /// What was said of the write that was asked about, once it stands.
    affected: Option<(u64, bool)>,
}

impl<'a> Scene<'a> {
    /// Locks the partitions and brings them to the snapshot. `Err`: why the answer cannot be compared.
    pub(crate) fn set(
        store: &'a Store,
        options: &Options,
        table: &'a TableLayout,
        asked: &'a Asked<'a>,
        entries: &'a Entries,
    ) -> Result<Self, &'static str> {
        let mut scene = Self {
            store,
            table,
            visit: asked.visit,
            step: asked.step,
            places: Vec::with_capacity(entries.entries.len()),
            open: Vec::new(),
            masks: Vec::new(),
            replayed: 0,
            affected: None,
        };
        for (part, entry) in &entries.entries {
            debug_assert_eq!(part.table, entries.table, "a scene is of one table");
            let own = asked.owner && asked.visit.writes.binary_search(part).is_ok();
            let viewer = Viewer {
                own: own.then_some(asked.visit.lts),
                ..asked.viewer
            };
            let guard = entry.lock().expect("nobody panics while holding a partition");
            let mut held = if guard.serves(&viewer) {
                Held::Kept(guard)
            } else {
                Held::Past(Box::new(guard.past(&viewer)))
            };
            let tail = store.prepare(held.entry(), table, *part, &viewer, asked.visit, asked.step)?;
            scene.replayed += tail.replayed;
            scene.places.push(Place {
                part: *part,
                held,
                tail,
                own,
            });
        }
        scene.choose(options.choices_max)?;
        Ok(scene)
    }

    /// Runs `what` over the partitions under one choice.
    pub(crate) fn under<R>(&mut self, mask: u64, what: impl FnOnce(&mut [View<'_>]) -> R) -> R {
        if self.places.len() == 1 {
            return self.under_at(0, mask, what);
        }
        let marks: Vec<usize> = (0..self.places.len()).map(|i| self.play(i, mask)).collect();
        let mut views: Vec<View<'_>> = self
            .places
            .iter_mut()
            .map(|place| {
                let (partition, key) = place.held.entry().parts();
                View {
                    part: place.part,
                    key,
                    partition,
                    merged: None,
                    lives: &[],
                }
            })
            .collect();
        let result = what(&mut views);
        for (place, mark) in self.places.iter_mut().zip(marks) {
            place.held.entry().partition().undo(mark);
        }
        result
    }

    /// Runs `what` over one partition under one choice.
    pub(crate) fn under_at<R>(
        &mut self,
        place: usize,
        mask: u64,
        what: impl FnOnce(&mut [View<'_>]) -> R,
    ) -> R {
        let mark = self.play(place, mask);
        let part = self.places[place].part;
        let entry = self.places[place].held.entry();
        let (partition, key) = entry.parts();
        let result = what(&mut [View {
            part,
            key,
            partition,
            merged: None,
            lives: &[],
        }]);
        entry.partition().undo(mark);
        result
    }

    /// The choice as far as it concerns one partition.
    pub(crate) fn concerns(&self, place: usize) -> u64 {
        let bit = |o: &Overlap| {
            self.open
                .iter()
                .position(|p| p.lts == o.lts)
                .map_or(0, |i| 1 << i)
        };
        self.places[place]
            .tail
            .visits
            .iter()
            .filter_map(|(_, o)| o.as_ref())
            .map(bit)
            .fold(0, |a, b| a | b)
    }

    /// Applies a choice to one partition; the mark to take it back to.
    fn play(&mut self, place: usize, mask: u64) -> usize {
        let Place {
            part,
            held,
            tail,
            own,
        } = &mut self.places[place];
        let partition = held.entry().partition();
        let mark = partition.mark();
        for (visit, overlap) in &tail.visits {
            if overlap.is_none_or(|o| is_in(&self.open, mask, o.lts)) {
                self.store.play(partition, self.table, *part, visit);
                self.replayed += 1;
            }
        }
        if *own && !tail.visits.is_empty() {
            let steps = &self.visit.steps[..self.step];
            self.store.play_steps(partition, self.table, *part, steps);
        }
        mark
    }

    /// What a write to the first partition affects under one choice, and whether its row is there before.
    pub(crate) fn affected(&mut self, mask: u64, op: &Op) -> (u64, bool) {
        if let Some(known) = self.affected {
            return known;
        }
        let there = |partition: &Partition| op.row().is_some_and(|row| partition.find(row).is_some());
        let (store, table) = (self.store, self.table);
        let place = &mut self.places[0];
        if place.own && place.tail.visits.is_empty() {
            let entry = place.held.entry();
            let there = there(entry.partition());
            let affected = (
                store.play_next(entry, table, self.visit.lts, self.step, op),
                there,
            );
            self.affected = Some(affected);
            return affected;
        }
        self.under(mask, |views| {
            let partition: &mut Partition = views[0].partition;
            let there = there(partition);
            (store.affected(partition, table, op), there)
        })
    }

    /// Which partitions.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Part> {
        self.places.iter().map(|p| p.part)
    }

    /// The choices, `[0]` where there is nothing to choose.
    pub(crate) fn choices(&self) -> Vec<u64> {
        if self.open.is_empty() {
            vec![0]
        } else {
            self.masks.clone()
        }
    }

    fn choose(&mut self, most: u32) -> Result<(), &'static str> {
        for place in &self.places {
            self.open.extend(place.tail.visits.iter().filter_map(|(_, o)| *o));
        }
        if self.open.is_empty() {
            return Ok(());
        }
        self.open.sort_unstable_by_key(|o| (o.from, o.lts));
        self.open.dedup_by_key(|o| o.lts);
        let masks = choices(&self.open, most).ok_or(TOO_MANY)?;
        // Where acknowledgement proves nothing to others, the order of a partition still holds.
        self.masks = masks.into_iter().filter(|m| self.in_order(*m)).collect();
        Ok(())
    }

    /// Whether no known visit of a partition is left out whose successor in the partition is in.
    fn in_order(&self, mask: u64) -> bool {
        self.places.iter().all(|place| {
            let mut missing = false;
            place
                .tail
                .visits
                .iter()
                .filter_map(|(_, o)| o.as_ref())
                .filter(|o| !o.unknown)
                .all(|o| {
                    let inside = is_in(&self.open, mask, o.lts);
                    missing |= !inside;
                    !(inside && missing)
                })
        })
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

fn is_in(open: &[Overlap], mask: u64, lts: Lts) -> bool {
    open.iter()
        .position(|o| o.lts == lts)
        .is_some_and(|i| mask >> i & 1 == 1)
}
