//! Counters that were deleted: what they show where somebody may have added to them meanwhile is open.
//!
//! A counter is deleted at the time of the server's clock, and added to at that of another request; what was added is written
//! as the whole sum. So whatever may come after a deletion may bring all of it back, and nobody here can tell.
//!
//! Invariants:
//! * C1 a deletion that was sent after everything added to a counter was acknowledged leaves nothing of it, for good.
//! * C2 what a deletion met that was on its way is open, until another one as in C1 has been acknowledged.

use super::effects::writes;
use super::see::Viewer;
use super::store::Store;
use crate::layout::TableLayout;
use history::{Lts, Op, Part, State, Tick, Track, Visit};
use std::collections::BTreeMap;

/// Said of an answer that is not compared.
pub(crate) const OPEN: &str =
    "a counter was deleted while it may still have been added to: what it shows is open";

/// Whether an operation deletes rows, or a partition.
pub(crate) fn deletes(visit: &Visit, part: Part) -> bool {
    writes(visit, part).any(is_deletion)
}

fn is_deletion(op: &Op) -> bool {
    matches!(
        op,
        Op::DeleteRow { .. } | Op::DeleteSlice { .. } | Op::DeletePartition { .. }
    )
}

/// Whether a deletion covers the counters of a row (`None`: the shared ones).
fn covers(table: &TableLayout, op: &Op, row: Option<u64>) -> bool {
    match op {
        Op::DeletePartition { .. } => true,
        Op::DeleteRow { row: deleted, .. } => row == Some(*deleted),
        Op::DeleteSlice { slice, .. } => row.is_some_and(|row| table.rows_of(slice).contains(&row)),
        _ => false,
    }
}

/// Whether a counter of the partition is open to a viewer. It looks at every writer that has begun.
pub(crate) fn are_open(store: &Store, table: &TableLayout, part: Part, viewer: &Viewer) -> bool {
    // Several clocks say nothing of what came first.
    let ordered = store.promise.real_time && store.promise.replicas <= 1;
    // Of each row: when everything that was added to it had surely come.
    let mut added: BTreeMap<Option<u64>, Tick> = BTreeMap::new();
    let mut deletions: Vec<(Op, Track)> = Vec::new();
    store.begun(part, viewer, |visit, track| {
        let known = ordered && track.state == State::Committed;
        let by = if known { track.visible_by } else { Tick(u64::MAX) };
        for op in writes(visit, part) {
            if let Op::Add { row, .. } = op {
                let last = added.entry(*row).or_insert(by);
                *last = by.max(*last);
            } else if is_deletion(op) {
                deletions.push((op.clone(), track));
            }
        }
    });
    added.iter().any(|(row, last)| {
        let (mut met, mut settled) = (false, false);
        for (op, track) in &deletions {
            if !covers(table, op, *row) {
                continue;
            }
            let after = track.visible_from > *last;
            met |= !after;
            settled |= after && track.state == State::Committed && track.visible_by < viewer.snapshot.sent;
        }
        met && !settled
    })
}

impl Store {
    /// The writers of a partition that have begun before an answer, but for those that left nothing.
    fn begun(&self, part: Part, viewer: &Viewer, mut with: impl FnMut(&Visit, Track)) {
        let (mut at, mut late, mut more) = (Lts(0), 0, Vec::new());
        loop {
            self.writers_after(part, at, &mut more);
            if more.is_empty() {
                return;
            }
            for lts in more.drain(..) {
                at = lts;
                let track = self.track(lts);
                match track.state {
                    State::Rejected | State::Skipped => continue,
                    State::Waiting => late += 1,
                    _ if track.visible_from >= viewer.snapshot.answered => late += 1,
                    State::Open | State::Unknown | State::Committed => {
                        late = 0;
                        self.visits.look(lts, |visit| with(visit, track));
                    }
                }
                // Each session holds one visit.
                if late > self.sessions() {
                    return;
                }
            }
        }
    }
}
