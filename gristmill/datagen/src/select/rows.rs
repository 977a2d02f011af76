//! Which rows of its partition a visit touches.

use serde::{Deserialize, Serialize};

use crate::stream::{Stream, below, draw};

/// How visits go over the rows of a partition. Row indices run from 0 to `rows - 1`; they are no keys yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Walk {
    /// The nth visit goes on where the one before ended, and starts again at the first row after the last.
    Offset,
    /// Any row, by a draw of (visit, row of the visit).
    Uniform,
    /// `in_16` of 16 go to the first `rows` rows, the others anywhere.
    Hot {
        /// Number of hot rows.
        rows: u32,
        /// How many of sixteen draws go to them.
        in_16: u8,
    },
}

impl Walk {
    /// The row for `slot` (0, 1, …, `per_visit - 1`) of the `nth` visit to a partition of `rows` rows.
    ///
    /// `key` addresses the draws of this visit on this partition. `rows >= 1`, `per_visit >= 1`.
    pub fn row(self, key: u64, rows: u64, nth: u64, per_visit: u64, slot: u64) -> u64 {
        match self {
            Walk::Offset => (Walk::start(rows, nth, per_visit) + slot) % rows,
            Walk::Uniform => below(draw(key, Stream::Row, &[slot]), rows),
            Walk::Hot { rows: hot, in_16 } => {
                let bits = draw(key, Stream::Row, &[slot]);
                let hot = if (bits & 15) < u64::from(in_16) {
                    u64::from(hot).clamp(1, rows)
                } else {
                    rows
                };
                below(bits, hot)
            }
        }
    }

    /// Where the `nth` visit begins when it walks by offset: the row of slot 0; the others follow, modulo `rows`.
    pub fn start(rows: u64, nth: u64, per_visit: u64) -> u64 {
        let step = if per_visit < rows {
            per_visit
        } else {
            per_visit % rows
        };
        ((nth % rows) * step) % rows
    }

    /// The slot in which the `nth` visit touches `row` when it walks by offset; `None` when it does not.
    ///
    /// Inverse: `slot(row(.., s)) == s` for `s < min(per_visit, rows)`.
    pub fn slot(rows: u64, nth: u64, per_visit: u64, row: u64) -> Option<u64> {
        let start = Walk::start(rows, nth, per_visit);
        let slot = (row % rows + rows - start) % rows;
        (row < rows && slot < per_visit).then_some(slot)
    }
}
