//! Names of what a table has beside its own columns where the greatest timestamp wins (discipline `lww`): a timestamp
//! beside each cell, a table of tombstones, and the views that apply them.
//!
//! Invariant: no name made here is the name of a column of the schema.

use super::{Col, Keys, fitting, quoted};
use std::collections::BTreeSet;

/// The names. Columns are quoted where they must be, as all names of a layout are.
#[derive(Debug)]
pub(crate) struct Hidden {
    /// The table of tombstones.
    pub(crate) tombs: String,
    /// The view of the rows that are alive.
    pub(crate) live: String,
    /// The view of the partitions with a shared cell that is alive; only for tables with shared columns, as the next.
    pub(crate) statics: Option<String>,
    /// The view of the rows with their shared cells, and of partitions that have nothing but these.
    pub(crate) all: Option<String>,
    /// The timestamp of the row's liveness, in the table.
    pub(crate) liveness: String,
    /// What a tombstone covers, in words that name it within its partition.
    pub(crate) what: String,
    /// The timestamp of a tombstone.
    pub(crate) at: String,
    /// The greatest timestamp of the tombstones over a row, inside the views.
    pub(crate) dead: String,
    /// In the view of all: 1 where there is a row.
    pub(crate) row: String,
    /// The number of a row in its partition, inside reads with a limit for each partition.
    pub(crate) nth: String,
    /// One for each clustering column: what a tombstone's bounds are called.
    pub(crate) bounds: Vec<Bounds>,
}

/// The bounds of a tombstone on one clustering column; NULL where it has none.
#[derive(Debug)]
pub(crate) struct Bounds {
    /// The least value, and 1 where that belongs to it.
    pub(crate) from: (String, String),
    /// The greatest value, and 1 where that belongs to it.
    pub(crate) to: (String, String),
}

/// Makes names that no column has.
pub(super) struct Names {
    taken: BTreeSet<String>,
}

impl Names {
    pub(super) fn new<'a>(columns: impl Iterator<Item = &'a str>) -> Self {
        Self {
            taken: columns.map(str::to_owned).collect(),
        }
    }

    /// The name, with as many underscores behind it as make it new.
    pub(super) fn new_name(&mut self, name: String) -> String {
        let mut name = fitting(name);
        while !self.taken.insert(name.clone()) {
            name.push('_');
        }
        quoted(&name)
    }
}

impl Hidden {
    pub(super) fn new(
        names: &mut Names,
        called: &dyn Fn(&str) -> String,
        rows: &Keys,
        shared: &[Col],
    ) -> Self {
        let with_shared = |suffix: &str| (!shared.is_empty()).then(|| called(suffix));
        let mut column = |name: &str| names.new_name(name.to_owned());
        let (liveness, what, at) = (column("live_ts"), column("what"), column("ts"));
        let (dead, row, nth) = (column("dead_ts"), column("row_1"), column("nth"));
        let bounds = rows.columns.iter().map(|col| {
            let plain = col.name.trim_matches('"').replace("\"\"", "\"");
            let mut bound = |suffix: &str| names.new_name(format!("{plain}_{suffix}"));
            Bounds {
                from: (bound("from"), bound("from_in")),
                to: (bound("to"), bound("to_in")),
            }
        });
        Self {
            tombs: called("_tombs"),
            live: called("_live"),
            statics: with_shared("_live_s"),
            all: with_shared("_all"),
            liveness,
            what,
            at,
            dead,
            row,
            nth,
            bounds: bounds.collect(),
        }
    }
}
