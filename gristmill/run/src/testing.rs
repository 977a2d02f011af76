//! Small histories for the tests of this crate.

use datagen::schema::Schema;
use history::{End, Level, Lts, Part, Regenerate, Visit};
use std::sync::Arc;

/// Visits from a list; the first has lts 1.
pub(crate) struct Listed {
    visits: Vec<Visit>,
}

impl Listed {
    /// Visits without steps that write these partitions of table 0.
    pub(crate) fn writing(writes: &[&[u64]]) -> Listed {
        let visits = writes
            .iter()
            .zip(1..)
            .map(|(parts, lts)| Visit {
                stamp: None,
                lts: Lts(lts),
                level: Level::Serializable,
                writes: parts
                    .iter()
                    .map(|p| Part {
                        table: 0,
                        position: *p,
                    })
                    .collect(),
                steps: Vec::new(),
                end: End::Commit,
            })
            .collect();
        Listed { visits }
    }
}

impl Regenerate for Listed {
    fn schema(&self, _: Lts) -> Arc<Schema> {
        unreachable!("these tests ask for no schema")
    }

    fn visit(&self, lts: Lts) -> Option<Visit> {
        self.visits.get(usize::try_from(lts.0 - 1).ok()?).cloned()
    }

    fn writer_after(&self, part: Part, lts: Lts) -> Option<Lts> {
        self.visits
            .iter()
            .find(|v| v.lts > lts && v.writes.contains(&part))
            .map(|v| v.lts)
    }

    fn writer_before(&self, part: Part, lts: Lts) -> Option<Lts> {
        self.visits
            .iter()
            .rev()
            .find(|v| v.lts < lts && v.writes.contains(&part))
            .map(|v| v.lts)
    }
}
