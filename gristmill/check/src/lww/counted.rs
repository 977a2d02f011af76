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
use std::sync::{Arc, Mutex};

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

/// What was added to the counters of a partition, and what deleted them.
#[derive(Clone, Default)]
struct Counted {
    /// Of each row: when everything that was added to it had surely come.
    added: BTreeMap<Option<u64>, Tick>,
    deletions: Vec<(Op, Track)>,
}

impl Counted {
    fn count(&mut self, visit: &Visit, part: Part, track: Track, by: Tick) {
        for op in writes(visit, part) {
            if let Op::Add { row, .. } = op {
                let last = self.added.entry(*row).or_insert(by);
                *last = by.max(*last);
            } else if is_deletion(op) {
                self.deletions.push((op.clone(), track));
            }
        }
    }

    fn are_open(&self, table: &TableLayout, sent: Tick) -> bool {
        self.added.iter().any(|(row, last)| {
            let (mut met, mut settled) = (false, false);
            for (op, track) in &self.deletions {
                if !covers(table, op, *row) {
                    continue;
                }
                let after = track.visible_from > *last;
                met |= !after;
                settled |= after && track.state == State::Committed && track.visible_by < sent;
            }
            met && !settled
        })
    }
}

/// What the first writers of a partition did, as long as they were acknowledged before the floor: it is not looked at again.
#[derive(Clone)]
struct Past {
    counted: Counted,
    through: Lts,
    /// When the last of them had come.
    by: Tick,
}

impl Default for Past {
    fn default() -> Past {
        Past {
            counted: Counted::default(),
            through: Lts(0),
            by: Tick(0),
        }
    }
}

/// The [`Past`] of each partition of counters in which something was deleted.
#[derive(Default)]
pub(crate) struct Pasts(Mutex<BTreeMap<Part, Arc<Past>>>);

/// Whether a counter of the partition is open to a viewer. It looks at every writer that has begun.
pub(crate) fn are_open(store: &Store, table: &TableLayout, part: Part, viewer: &Viewer) -> bool {
    // Several clocks say nothing of what came first.
    let ordered = store.promise.real_time && store.promise.replicas <= 1;
    let sent = viewer.snapshot.sent;
    let past = store
        .counted
        .0
        .lock()
        .expect("no panic while counting")
        .get(&part)
        .cloned()
        .unwrap_or_default();
    // A viewer of earlier did not see all of it.
    let known = ordered && past.by < sent;
    let mut past = if known {
        Past::clone(&past)
    } else {
        Past::default()
    };
    let (before, mut goes_on) = (past.through, known);
    let mut counted = None;
    let floor = store.floor();
    store.begun(part, viewer, past.through, |begun| {
        let Some((visit, track)) = begun else {
            goes_on = false;
            return;
        };
        let surely = ordered && track.state == State::Committed;
        let by = if surely { track.visible_by } else { Tick(u64::MAX) };
        goes_on &= surely && by <= floor;
        if goes_on {
            past.counted.count(visit, part, track, by);
            past.through = visit.lts;
            past.by = past.by.max(by);
        } else {
            let counted = counted.get_or_insert_with(|| past.counted.clone());
            counted.count(visit, part, track, by);
        }
    });
    let open = counted.as_ref().unwrap_or(&past.counted).are_open(table, sent);
    if known && past.through > before {
        let mut pasts = store.counted.0.lock().expect("no panic while counting");
        let kept = pasts.entry(part).or_default();
        if kept.through < past.through {
            *kept = Arc::new(past);
        }
    }
    open
}

impl Store {
    /// The writers of a partition after `at` that have begun before an answer, but for those that left nothing; nothing for
    /// each that has not.
    fn begun(&self, part: Part, viewer: &Viewer, mut at: Lts, mut with: impl FnMut(Option<(&Visit, Track)>)) {
        let (mut late, mut more) = (0, Vec::new());
        loop {
            self.writers_after(part, at, &mut more);
            if more.is_empty() {
                return;
            }
            for lts in more.drain(..) {
                at = lts;
                let track = self.track(lts);
                let begun = track.state != State::Waiting && track.visible_from < viewer.snapshot.answered;
                match track.state {
                    State::Rejected | State::Skipped => continue,
                    _ if begun => {
                        late = 0;
                        self.visits.look(lts, |visit| with(Some((visit, track))));
                    }
                    _ => {
                        late += 1;
                        with(None);
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
