//! Merging sorted runs of parts into one stream of consolidated updates.
//!
//! Memory is one block of a part a run and one on its way, or one part where the store reads parts whole, whatever the
//! runs hold. Must not know why: snapshots in order and
//! compaction both read this way.
//!
//! The run that stands first is walked in place, without a copy or an await a row, for as long as it stays first:
//! how far that is takes one comparison where runs do not overlap, and a galloping search where they do.
//!
//! Invariants:
//! 1. Updates come out ascending by `(row, time)`, equal ones added up, zero ones left out.
//! 2. A walk that was stopped goes on at the next call with the update after the one handed out last.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;

use crate::applier::ShardCell;
use crate::fetch::{FetchError, PartFilter, admit};
use crate::format::{PartView, UpdateRef};
use crate::ids::ReaderId;
use crate::pieces::PartBlocks;
use crate::rt::{Boxed, join_limited};
use crate::state::{Description, Part};
use crate::time::Timestamp;

/// How a run's updates become the merged stream's.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Times {
    /// As a reader sees them.
    Read(PartFilter),
    /// Advanced to at least this, as compaction does.
    Advance(Timestamp),
}

impl Times {
    /// The update at the time at which it counts; none if it is outside.
    fn apply(self, update: UpdateRef<'_>, desc: Description) -> Option<UpdateRef<'_>> {
        match self {
            Times::Read(filter) => admit(update, desc, filter),
            Times::Advance(_) => {
                let inside = desc.lower.less_equal(update.time) && !desc.upper.less_equal(update.time);
                inside.then(|| UpdateRef {
                    time: self.of(update.time),
                    ..update
                })
            }
        }
    }

    /// Where an update at `time` counts if it counts at all. Never descends as `time` ascends.
    fn of(self, time: Timestamp) -> Timestamp {
        match self {
            Times::Read(PartFilter::Snapshot { as_of }) => as_of,
            Times::Read(PartFilter::Listen { .. }) => time,
            Times::Advance(to) => time.max(to),
        }
    }
}

/// One sorted run on its way.
pub(crate) struct RunCursor {
    cell: Arc<ShardCell>,
    desc: Description,
    times: Times,
    reader: Option<ReaderId>,
    ahead: VecDeque<Part>,
    /// The part being walked, and the block of it.
    part: Option<PartBlocks>,
    view: Option<PartView>,
    position: usize,
    /// The update at `position`, after bounds; its row is taken from the view.
    time: Timestamp,
}

impl RunCursor {
    pub(crate) fn new(
        cell: Arc<ShardCell>,
        desc: Description,
        times: Times,
        reader: Option<ReaderId>,
        parts: Vec<Part>,
    ) -> RunCursor {
        RunCursor {
            cell,
            desc,
            times,
            reader,
            ahead: parts.into(),
            part: None,
            view: None,
            position: 0,
            time: 0,
        }
    }

    /// Stands on the first update that counts at `position` or after it, as far as the fetched part goes.
    fn stand(&mut self) -> bool {
        let Some(view) = &self.view else { return false };
        while self.position < view.len() {
            if let Some(update) = self.times.apply(view.get(self.position), self.desc) {
                self.time = update.time;
                return true;
            }
            self.position += 1;
        }
        false
    }

    /// The same over all parts, fetching what comes next; false at the end.
    async fn advance(&mut self) -> Result<bool, FetchError> {
        while !self.stand() {
            self.view = None;
            self.position = 0;
            if let Some(part) = &mut self.part {
                self.view = part.next().await?;
                if self.view.is_some() {
                    continue;
                }
                self.part = None;
            }
            let Some(part) = self.ahead.pop_front() else {
                return Ok(false);
            };
            let time = self.desc.lower.time().unwrap_or(0);
            let counts = matches!(self.times, Times::Read(_));
            let part = PartBlocks::open(&self.cell, &part, time, self.reader, counts).await?;
            self.part = Some(part);
        }
        Ok(true)
    }

    fn view(&self) -> &PartView {
        self.view
            .as_ref()
            .expect("a cursor in the heap stands on an update")
    }

    fn current(&self) -> UpdateRef<'_> {
        UpdateRef {
            time: self.time,
            ..self.view().get(self.position)
        }
    }

    /// The end of the stretch of this part that lies at or before `bound`. The cursor itself does.
    fn reach(&self, bound: Option<UpdateRef<'_>>) -> usize {
        let view = self.view();
        let last = view.len() - 1;
        let Some(bound) = bound else { return view.len() };
        let beyond = |at: usize| {
            let update = view.get(at);
            (update.row, self.times.of(update.time)) > (bound.row, bound.time)
        };
        let mut low = self.position;
        if low == last {
            return view.len();
        }
        if beyond(low + 1) {
            return low + 1;
        }
        if !beyond(last) {
            return view.len();
        }
        low += 1;
        let mut step = 1;
        let mut high = loop {
            let at = low + step;
            if at >= last {
                break last;
            }
            if beyond(at) {
                break at;
            }
            low = at;
            step *= 2;
        };
        while high - low > 1 {
            let middle = usize::midpoint(low, high);
            if beyond(middle) {
                high = middle;
            } else {
                low = middle;
            }
        }
        high
    }
}

fn order(a: UpdateRef<'_>, b: UpdateRef<'_>) -> Ordering {
    (a.row, a.time).cmp(&(b.row, b.time))
}

fn precedes(a: &RunCursor, b: &RunCursor) -> bool {
    order(a.current(), b.current()) == Ordering::Less
}

/// What the updates are handed to; false stops the walk after this one.
type Each<'a> = dyn FnMut(UpdateRef<'_>) -> bool + Send + 'a;

/// The consolidated updates of several runs, in order.
pub(crate) struct Merge {
    /// The run that stands first is at the root.
    #[expect(
        clippy::vec_box,
        reason = "cursors are big, and what a heap does is to swap them"
    )]
    heap: Vec<Box<RunCursor>>,
    /// Time and diff of an update that was met and may still be added to, and its row.
    open: Option<(Timestamp, i64)>,
    row: Vec<u8>,
}

impl Merge {
    /// Opens the runs, several at once.
    pub(crate) async fn new(runs: Vec<RunCursor>) -> Result<Merge, FetchError> {
        let limit = runs
            .first()
            .map_or(1, |run| run.cell.env.settings.get().fetch_concurrency);
        let opening: Vec<Boxed<'_, Result<Option<Box<RunCursor>>, FetchError>>> = runs
            .into_iter()
            .map(|run| {
                let mut run = Box::new(run);
                Box::pin(async move { Ok(run.advance().await?.then_some(run)) }) as _
            })
            .collect();
        let mut heap = Vec::new();
        for opened in join_limited(opening, limit).await {
            heap.extend(opened?);
        }
        for at in (0..heap.len() / 2).rev() {
            sift(&mut heap, at);
        }
        Ok(Merge {
            heap,
            open: None,
            row: Vec::new(),
        })
    }

    /// Calls `each` with every update until it answers false; true if that was all.
    pub(crate) async fn for_each(&mut self, each: &mut Each<'_>) -> Result<bool, FetchError> {
        while let Some(first) = self.heap.first_mut() {
            // Where the last stretch ended nothing needs to count, and another run may stand before it.
            if !first.stand() && !first.advance().await? {
                self.heap.swap_remove(0);
                sift(&mut self.heap, 0);
                continue;
            }
            sift(&mut self.heap, 0);
            if !self.stretch(each) {
                return Ok(false);
            }
        }
        Ok(match self.open.take() {
            Some((time, diff)) if diff != 0 => each(UpdateRef {
                row: &self.row,
                time,
                diff,
            }),
            _ => true,
        })
    }

    /// Walks the first run until another one stands before it or its part ends.
    fn stretch(&mut self, each: &mut Each<'_>) -> bool {
        let Some((run, others)) = self.heap.split_first_mut() else {
            return true;
        };
        let others: &[Box<RunCursor>] = others;
        let bound = match others {
            [a, b, ..] if precedes(b, a) => Some(b.current()),
            [a, ..] => Some(a.current()),
            [] => None,
        };
        let end = run.reach(bound);
        let (view, times, desc) = (run.view(), run.times, run.desc);
        let mut position = run.position;
        // A part of one time repeats no row: but for its first and last, nothing can be added up.
        if view.one_time().is_some() && end - position > 2 {
            let mut first = run.current();
            if let Some((time, diff)) = self.open.take() {
                if time == first.time && self.row == first.row {
                    first.diff = first.diff.wrapping_add(diff);
                } else if diff != 0
                    && !each(UpdateRef {
                        row: &self.row,
                        time,
                        diff,
                    })
                {
                    return false;
                }
            }
            let stopped = if first.diff != 0 && !each(first) {
                Some(position)
            } else {
                view.each_at(position + 1..end - 1, first.time, each)
            };
            if let Some(at) = stopped {
                run.position = at + 1;
                return false;
            }
            position = end - 1;
        }
        let mut last: Option<UpdateRef<'_>> = None;
        for at in position..end {
            let Some(update) = times.apply(view.get(at), desc) else {
                continue;
            };
            let stop = match (&mut last, self.open) {
                (Some(held), _) if held.time == update.time && held.row == update.row => {
                    held.diff = held.diff.wrapping_add(update.diff);
                    continue;
                }
                (Some(held), _) => held.diff != 0 && !each(*held),
                (None, Some((time, diff))) if time == update.time && self.row == update.row => {
                    self.open = Some((time, diff.wrapping_add(update.diff)));
                    continue;
                }
                (None, Some((time, diff))) => {
                    self.open = None;
                    let row = self.row.as_slice();
                    diff != 0 && !each(UpdateRef { row, time, diff })
                }
                (None, None) => false,
            };
            if stop {
                run.position = at;
                return false;
            }
            last = Some(update);
        }
        let mut go_on = true;
        if let Some(last) = last {
            // Whatever else there is lies beyond the bound, or in the next part of this run.
            let alone = end < view.len() && bound.is_some_and(|bound| order(last, bound) == Ordering::Less);
            if alone {
                go_on = last.diff == 0 || each(last);
            } else {
                self.row.clear();
                self.row.extend_from_slice(last.row);
                self.open = Some((last.time, last.diff));
            }
        }
        run.position = end;
        go_on
    }
}

/// Restores the heap below `at`: every cursor stands at or before its two children.
fn sift(heap: &mut [Box<RunCursor>], mut at: usize) {
    loop {
        let mut least = at;
        for child in [2 * at + 1, 2 * at + 2] {
            if child < heap.len() && precedes(&heap[child], &heap[least]) {
                least = child;
            }
        }
        if least == at {
            return;
        }
        heap.swap(at, least);
        at = least;
    }
}
