//! The life of one row, told by the visits that touched it: who wrote what stands there, and whence a value comes that
//! should not. Slow and thorough: asked only when an answer is wrong.

use crate::difference::Life;
use crate::judge::Judge;
use crate::judged::Overlap;
use crate::layout::TableLayout;
use crate::model::effective;
use crate::span::{Seen, Viewer};
use datagen::schema::ColumnId;
use history::finding::Why;
use history::{Lts, Op, Part, State, Step, Visit};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many visits are looked at, backwards. A row whose last definite write lies further back is told as far as that.
const WALK: usize = 5000;

/// Visits after the snapshot that may have leaked into it.
const AHEAD: usize = 16;

/// Which row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Row(u64),
    /// The companion row.
    Shared,
}

/// What a visit is to the snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Visible,
    NotYet,
    RolledBack,
}

/// What a visit did to the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Made,
    Set(ColumnId, Option<u64>),
    Removed,
}

/// See the module.
pub(crate) struct Trace {
    deeds: Vec<(Lts, Standing, Deed)>,
    exists: bool,
    maker: Option<Lts>,
    writer: Option<Lts>,
    remover: Option<Lts>,
    cells: BTreeMap<ColumnId, (Option<u64>, Lts)>,
}

/// Whose view the trace takes.
pub(crate) struct Seer<'a> {
    pub(crate) judge: &'a Judge,
    pub(crate) viewer: Viewer,
    pub(crate) open: &'a [Overlap],
    pub(crate) mask: u64,
    pub(crate) visit: &'a Visit,
    pub(crate) step: usize,
}

fn first(visit: &Visit, upto: usize) -> &[Step] {
    &visit.steps[..upto.min(visit.steps.len())]
}

impl Seer<'_> {
    /// The life of a row of a partition, oldest visit first.
    pub(crate) fn trace(&self, table: &TableLayout, part: Part, target: Target) -> Trace {
        let mut trace = Trace {
            deeds: Vec::new(),
            exists: false,
            maker: None,
            writer: None,
            remover: None,
            cells: BTreeMap::new(),
        };
        let viewer = self.viewer_of(part);
        for (lts, standing, visit) in self.visits(table, part, target, &viewer) {
            match standing {
                Standing::Visible => {
                    let upto = if lts == self.visit.lts {
                        self.step
                    } else {
                        usize::MAX
                    };
                    for op in effective(first(&visit, upto), part) {
                        trace.play(table, lts, op, target, self.judge.semantics.update_creates_rows);
                    }
                    if lts != self.visit.lts || self.step > 0 {
                        trace.hidden(table, &visit, part, target, upto);
                    }
                }
                Standing::NotYet | Standing::RolledBack => {
                    for step in &visit.steps {
                        if let Step::Write(op) = step
                            && op.part() == part
                        {
                            trace.note(table, lts, standing, op, target);
                        }
                    }
                }
            }
        }
        trace
    }

    /// The newest visit that is visible in a partition.
    pub(crate) fn newest(&self, part: Part) -> Option<Lts> {
        let viewer = self.viewer_of(part);
        let mut at = self.judge.newest_begun(part, self.visit.lts, &viewer);
        for _ in 0..WALK {
            let lts = at?;
            if self.standing(lts, &viewer) == Some(Standing::Visible) {
                return Some(lts);
            }
            at = self.judge.history.writer_before(part, lts);
        }
        None
    }

    fn viewer_of(&self, part: Part) -> Viewer {
        let own = self.viewer.unknown.is_none() && self.visit.writes.binary_search(&part).is_ok();
        Viewer {
            own: own.then_some(self.visit.lts),
            ..self.viewer
        }
    }

    fn standing(&self, lts: Lts, viewer: &Viewer) -> Option<Standing> {
        if viewer.own == Some(lts) {
            return Some(Standing::Visible);
        }
        let tracker = &*self.judge.tracker;
        let later = match tracker.get(lts).state {
            State::Rejected => Some(Standing::RolledBack),
            State::Skipped | State::Waiting => None,
            State::Open | State::Committed | State::Unknown => Some(Standing::NotYet),
        };
        match viewer.sees(lts, tracker, &self.judge.claim) {
            Ok(Seen::Must(_)) => Some(Standing::Visible),
            Ok(Seen::May(o)) => {
                let i = self.open.iter().position(|p| p.lts == o.lts);
                // Not among the choices: without real time, and followed by one that must be visible.
                Some(if i.is_none_or(|i| self.mask >> i & 1 == 1) {
                    Standing::Visible
                } else {
                    Standing::NotYet
                })
            }
            Ok(Seen::Not | Seen::End) | Err(_) => later,
        }
    }

    /// The visits to look at, oldest first: back to the last one after which the row is known to be gone.
    fn visits(
        &self,
        table: &TableLayout,
        part: Part,
        target: Target,
        viewer: &Viewer,
    ) -> Vec<(Lts, Standing, Arc<Visit>)> {
        let judge = self.judge;
        let mut found = Vec::new();
        let mut at = judge.newest_begun(part, self.visit.lts, viewer);
        let mut looked = 0;
        let mut removed = 0;
        while let Some(lts) = at {
            looked += 1;
            if looked > WALK {
                break;
            }
            if let (Some(standing), Some(visit)) = (self.standing(lts, viewer), judge.store.visit(lts)) {
                let upto = if lts == self.visit.lts {
                    self.step
                } else {
                    usize::MAX
                };
                let gone = standing == Standing::Visible
                    && effective(first(&visit, upto), part).any(|op| removes(table, op, target));
                found.push((lts, standing, visit));
                // Two removals: what the row held before the last one explains a row that came back.
                removed += usize::from(gone);
                if removed == 2 {
                    break;
                }
            }
            at = judge.history.writer_before(part, lts);
        }
        found.reverse();
        found
    }
}

impl Judge {
    /// The newest writer of a partition that has begun, or a few after the viewer's time.
    pub(crate) fn newest_begun(&self, part: Part, near: Lts, viewer: &Viewer) -> Option<Lts> {
        if let Some(own) = viewer.own {
            return Some(own);
        }
        let mut newest = self.history.writer_before(part, Lts(near.0.saturating_add(1)));
        let mut ahead = 0;
        let mut at = near;
        while let Some(next) = self.history.writer_after(part, at) {
            let track = self.tracker.get(next);
            if track.state == State::Waiting || ahead > AHEAD {
                break;
            }
            ahead += usize::from(track.visible_from >= viewer.snapshot.answered);
            newest = Some(next);
            at = next;
        }
        newest
    }
}

impl Life for Trace {
    fn exists(&self) -> bool {
        self.exists
    }

    fn maker(&self) -> Option<Lts> {
        self.maker.filter(|_| self.exists)
    }

    fn writer(&self) -> Option<Lts> {
        self.writer
    }

    fn remover(&self) -> Option<Lts> {
        self.remover
    }

    fn cell_writer(&self, column: ColumnId) -> Option<Lts> {
        self.cells.get(&column).map(|(_, lts)| *lts).or(self.writer)
    }

    fn why_value(&self, column: ColumnId, d: Option<u64>) -> (Why, Option<Lts>) {
        self.why(
            |deed| *deed == Deed::Set(column, d),
            |deed| {
                matches!(deed, Deed::Set(c, other) if *c == column && *other != d) || *deed == Deed::Removed
            },
        )
    }

    fn why_there(&self) -> (Why, Option<Lts>) {
        self.why(|deed| *deed == Deed::Made, |deed| *deed == Deed::Removed)
    }
}

impl Trace {
    fn why(&self, did: impl Fn(&Deed) -> bool, undid: impl Fn(&Deed) -> bool) -> (Why, Option<Lts>) {
        let last = |standing| {
            self.deeds
                .iter()
                .rposition(|(_, s, deed)| *s == standing && did(deed))
                .map(|i| (i, self.deeds[i].0))
        };
        if let Some((i, lts)) = last(Standing::Visible) {
            let by = self.deeds[i + 1..]
                .iter()
                .find(|(_, s, deed)| *s == Standing::Visible && undid(deed));
            if let Some((by, ..)) = by {
                return (Why::Overwritten(*by), Some(lts));
            }
        }
        if let Some((_, lts)) = last(Standing::NotYet) {
            return (Why::NotYetCommitted(lts), Some(lts));
        }
        if let Some((_, lts)) = last(Standing::RolledBack) {
            return (Why::RolledBack(lts), Some(lts));
        }
        match last(Standing::Visible) {
            Some((_, lts)) => (Why::Overwritten(self.writer.unwrap_or(lts)), Some(lts)),
            None => (Why::NeverWritten, None),
        }
    }

    /// Applies a visible write to the one row.
    fn play(&mut self, table: &TableLayout, lts: Lts, op: &Op, target: Target, update_creates: bool) {
        if removes(table, op, target) {
            if self.exists {
                self.deeds.push((lts, Standing::Visible, Deed::Removed));
                self.remover = Some(lts);
                self.writer = Some(lts);
            }
            self.exists = false;
            self.cells.clear();
            return;
        }
        let Some(cells) = written(op, target) else { return };
        let creates = match op {
            Op::Insert { .. } if self.exists => return,
            Op::Insert { .. } | Op::Upsert { .. } | Op::Shared { .. } => true,
            Op::Update { .. } => update_creates,
            _ => false,
        };
        if !self.exists {
            if !creates {
                return;
            }
            self.exists = true;
            self.maker = Some(lts);
            self.deeds.push((lts, Standing::Visible, Deed::Made));
            let columns = if target == Target::Shared {
                table.shared_ids()
            } else {
                table.regular_ids()
            };
            for column in columns {
                self.cells.insert(column, (None, lts));
                if !cells.iter().any(|(c, _)| *c == column) {
                    self.deeds.push((lts, Standing::Visible, Deed::Set(column, None)));
                }
            }
        }
        self.writer = Some(lts);
        for (column, d) in cells {
            self.cells.insert(column, (d, lts));
            self.deeds.push((lts, Standing::Visible, Deed::Set(column, d)));
        }
    }

    /// Notes what a visit that is not visible would have done.
    fn note(&mut self, table: &TableLayout, lts: Lts, standing: Standing, op: &Op, target: Target) {
        if removes(table, op, target) {
            self.deeds.push((lts, standing, Deed::Removed));
        } else if let Some(cells) = written(op, target) {
            if matches!(op, Op::Insert { .. } | Op::Upsert { .. } | Op::Shared { .. }) {
                self.deeds.push((lts, standing, Deed::Made));
            }
            self.deeds
                .extend(cells.into_iter().map(|(c, d)| (lts, standing, Deed::Set(c, d))));
        }
    }

    /// Notes what a visible visit did and took back by a savepoint.
    fn hidden(&mut self, table: &TableLayout, visit: &Visit, part: Part, target: Target, upto: usize) {
        let kept: Vec<*const Op> = effective(first(visit, upto), part)
            .map(std::ptr::from_ref)
            .collect();
        for step in visit.steps.iter().take(upto) {
            if let Step::Write(op) = step
                && op.part() == part
                && !kept.contains(&std::ptr::from_ref(op))
            {
                self.note(table, visit.lts, Standing::RolledBack, op, target);
            }
        }
    }
}

fn removes(table: &TableLayout, op: &Op, target: Target) -> bool {
    match (op, target) {
        (Op::DeletePartition { .. }, _) => true,
        (Op::DeleteRow { row, .. }, Target::Row(at)) => *row == at,
        (Op::DeleteSlice { slice, .. }, Target::Row(at)) => table.rows_of(slice).contains(&at),
        _ => false,
    }
}

fn written(op: &Op, target: Target) -> Option<history::Cells> {
    match (op, target) {
        (
            Op::Insert { row, cells, .. } | Op::Upsert { row, cells, .. } | Op::Update { row, cells, .. },
            Target::Row(at),
        ) if *row == at => Some(cells.clone()),
        (Op::DeleteCells { row, columns, .. }, Target::Row(at)) if *row == at => {
            Some(columns.iter().map(|c| (*c, None)).collect())
        }
        (Op::Shared { cells, .. }, Target::Shared) => Some(cells.clone()),
        _ => None,
    }
}
