//! How a history that is not stored is read: any visit from its number, and the writers of a partition both ways.

use crate::{Lts, Part, Visit};
use datagen::schema::{ColumnId, Schema};
use std::sync::Arc;

/// A history as a function. Implemented by `workload::partitions` and by [`crate::Explicit`] (files, tests, shrunk runs),
/// handed over by `run`; `check` never sees who implements it. Pure: the same answers for ever, from any thread.
pub trait Regenerate: Send + Sync {
    /// The schema in force at a visit.
    fn schema(&self, at: Lts) -> Arc<Schema>;
    /// The visit; `None` is a hole.
    fn visit(&self, lts: Lts) -> Option<Visit>;
    /// The first visit at or after `lts`; `None`: there is none any more. A history without gaps says `lts`.
    fn from(&self, lts: Lts) -> Option<Lts> {
        Some(lts)
    }
    /// The partitions that a visit plans to write, as [`Visit::writes`]; none for a hole. What `into` held is dropped.
    fn writes(&self, lts: Lts, into: &mut Vec<Part>) {
        into.clear();
        into.extend(self.visit(lts).into_iter().flat_map(|visit| visit.writes));
    }
    /// The columns of a table that are dropped at a visit, and not added again: visits from there on name none of them.
    fn away(&self, _table: u16, _at: Lts) -> Vec<ColumnId> {
        Vec::new()
    }
    /// The visits up to one that drop or add a column, ascending.
    fn changes(&self, _until: Lts) -> Vec<Lts> {
        Vec::new()
    }
    /// The number by which lies and faults know the step that stands at index `step` of a visit. Where steps were taken
    /// out of a visit, those that are left keep the numbers that they had.
    fn number(&self, _lts: Lts, step: u16) -> u16 {
        step
    }
    /// The first visit after `lts` that plans to write the partition, or to drop a column of its table. By plan: whether it
    /// was rejected, the tracker says (F15).
    fn writer_after(&self, part: Part, lts: Lts) -> Option<Lts>;
    /// Appends visits after `lts` that plan to write the partition, ascending and without a gap: at least the first, if there
    /// is one, and as many more as come cheap with it.
    fn writers_after(&self, part: Part, lts: Lts, into: &mut Vec<Lts>) {
        into.extend(self.writer_after(part, lts));
    }
    /// The last visit before `lts` that plans to write the partition, or to drop a column of its table.
    fn writer_before(&self, part: Part, lts: Lts) -> Option<Lts>;
    /// Appends visits before `lts` that plan to write the partition, descending and without a gap: at least the last, if
    /// there is one, and as many more as come cheap with it.
    fn writers_before(&self, part: Part, lts: Lts, into: &mut Vec<Lts>) {
        into.extend(self.writer_before(part, lts));
    }
}
