//! Merging sorted runs of parts into one stream of consolidated updates.
//!
//! Memory is one fetched part a run, whatever the runs hold. Must not know why: snapshots in order and
//! compaction both read this way.
//!
//! Invariants:
//! 1. Updates come out ascending by `(row, time)`, equal ones added up, zero ones left out.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;

use crate::applier::ShardCell;
use crate::fetch::{FetchError, PartFilter, Permit, admit, fetch_view};
use crate::format::{PartView, UpdateRef};
use crate::ids::ReaderId;
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
            Times::Advance(to) => {
                let inside = desc.lower.less_equal(update.time) && !desc.upper.less_equal(update.time);
                inside.then(|| UpdateRef {
                    time: update.time.max(to),
                    ..update
                })
            }
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
    view: Option<(PartView, Permit)>,
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
            view: None,
            position: 0,
            time: 0,
        }
    }

    /// Moves to the next update that counts; false at the end.
    async fn advance(&mut self) -> Result<bool, FetchError> {
        loop {
            if let Some((view, _)) = &self.view {
                while self.position < view.len() {
                    let update = view.get(self.position);
                    if let Some(update) = self.times.apply(update, self.desc) {
                        self.time = update.time;
                        return Ok(true);
                    }
                    self.position += 1;
                }
            }
            self.view = None;
            let Some(part) = self.ahead.pop_front() else {
                return Ok(false);
            };
            let time = self.desc.lower.time().unwrap_or(0);
            let bytes = match self.times {
                Times::Read(_) => part.decoded_bytes,
                Times::Advance(_) => 0,
            };
            let permit = self.cell.env.memory.take(bytes);
            let (view, _) = fetch_view(&self.cell, &part, time, self.reader).await?;
            self.view = Some((view, permit));
            self.position = 0;
        }
    }

    fn current(&self) -> UpdateRef<'_> {
        let (view, _) = self
            .view
            .as_ref()
            .expect("a cursor in the heap stands on an update");
        UpdateRef {
            time: self.time,
            ..view.get(self.position)
        }
    }
}

fn compare(a: &RunCursor, b: &RunCursor) -> Ordering {
    let (a, b) = (a.current(), b.current());
    (a.row, a.time).cmp(&(b.row, b.time))
}

/// The consolidated updates of several runs, in order.
pub(crate) struct Merge {
    heap: Vec<RunCursor>,
    row: Vec<u8>,
    open: Option<(Timestamp, i64)>,
    /// The update handed out last, kept apart so that its row can be lent.
    out: Vec<u8>,
}

impl Merge {
    pub(crate) async fn new(runs: Vec<RunCursor>) -> Result<Merge, FetchError> {
        let mut heap = Vec::with_capacity(runs.len());
        for mut run in runs {
            if run.advance().await? {
                heap.push(run);
            }
        }
        for at in (0..heap.len() / 2).rev() {
            sift(&mut heap, at);
        }
        Ok(Merge {
            heap,
            row: Vec::new(),
            open: None,
            out: Vec::new(),
        })
    }

    /// Calls `each` with every update until it answers false.
    ///
    /// Once a single run is left, its parts are walked in place, without a copy or an await per row.
    pub(crate) async fn for_each(
        &mut self,
        each: &mut (dyn FnMut(UpdateRef<'_>) -> bool + Send),
    ) -> Result<(), FetchError> {
        loop {
            if self.heap.len() != 1 {
                match self.next().await? {
                    Some(update) if each(update) => continue,
                    _ => return Ok(()),
                }
            }
            let run = &mut self.heap[0];
            let Some((view, _)) = &run.view else {
                unreachable!("a cursor in the heap stands on an update")
            };
            let mut carried = self.open.take().map(|(time, diff)| UpdateRef {
                row: &self.row,
                time,
                diff,
            });
            // A part of one time repeats no row: but for its first and last, nothing can be added up.
            if let Some(time) = view.one_time()
                && run.position + 2 < view.len()
            {
                let last = view.len() - 1;
                let first = view.get(run.position);
                debug_assert_eq!(time, first.time);
                let Some(first) = run.times.apply(first, run.desc) else {
                    unreachable!("a cursor in the heap stands on an update that counts")
                };
                let go_on = match carried.take() {
                    Some(open) if open.time == first.time && open.row == first.row => {
                        let diff = open.diff.wrapping_add(first.diff);
                        diff == 0 || each(UpdateRef { diff, ..first })
                    }
                    open => open.is_none_or(|open| open.diff == 0 || each(open)) && each(first),
                };
                if !go_on || !view.each_at(run.position + 1..last, first.time, each) {
                    return Ok(());
                }
                run.position = last;
            }
            for position in run.position..view.len() {
                let Some(update) = run.times.apply(view.get(position), run.desc) else {
                    continue;
                };
                match &mut carried {
                    Some(last) if last.time == update.time && last.row == update.row => {
                        last.diff = last.diff.wrapping_add(update.diff);
                    }
                    _ => {
                        let done = carried.replace(update);
                        if done.is_some_and(|done| done.diff != 0 && !each(done)) {
                            return Ok(());
                        }
                    }
                }
            }
            run.position = view.len();
            // The last update may go on in the next part.
            let kept = carried.map(|u| (u.row.to_vec(), u.time, u.diff));
            if let Some((row, time, diff)) = kept {
                self.row = row;
                self.open = Some((time, diff));
            }
            if !self.heap[0].advance().await? {
                self.heap.clear();
            }
        }
    }

    /// The next update; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<UpdateRef<'_>>, FetchError> {
        while let Some(top) = self.heap.first_mut() {
            let update = top.current();
            let (time, diff) = (update.time, update.diff);
            let mut done = None;
            match &mut self.open {
                Some((open_time, open_diff)) if *open_time == time && self.row == update.row => {
                    *open_diff = open_diff.wrapping_add(diff);
                }
                open => {
                    std::mem::swap(&mut self.row, &mut self.out);
                    self.row.clear();
                    self.row.extend_from_slice(update.row);
                    done = open.replace((time, diff)).filter(|(_, diff)| *diff != 0);
                }
            }
            top.position += 1;
            if !top.advance().await? {
                self.heap.swap_remove(0);
            }
            sift(&mut self.heap, 0);
            if let Some((time, diff)) = done {
                return Ok(Some(UpdateRef {
                    row: &self.out,
                    time,
                    diff,
                }));
            }
        }
        Ok(self
            .open
            .take()
            .filter(|(_, diff)| *diff != 0)
            .map(|(time, diff)| UpdateRef {
                row: &self.row,
                time,
                diff,
            }))
    }
}

/// Restores the heap below `at`: every cursor stands at or before its two children.
fn sift(heap: &mut [RunCursor], mut at: usize) {
    loop {
        let mut least = at;
        for child in [2 * at + 1, 2 * at + 2] {
            if child < heap.len() && compare(&heap[child], &heap[least]) == Ordering::Less {
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
