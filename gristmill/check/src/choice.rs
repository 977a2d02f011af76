//! Which sets of overlapping visits one snapshot may show together.
//!
//! A snapshot is a point (F1): it shows every visit that became visible before it and no other. So a set is possible when
//! some point lies after the beginning of each member and before the end of each other visit: the greatest `from` inside
//! is smaller than the least `by` outside. That closes the set under real time, and under the order of a partition too,
//! since visits of one partition do not overlap in time.

use crate::judged::Overlap;
use history::{Span, Tick};

/// Every possible set as a bit mask over `open`, fewest visits first visible first; `None` past `most` sets or 63 visits.
///
/// `open` must be sorted by `from`.
pub(crate) fn choices(open: &[Overlap], most: u32) -> Option<Vec<u64>> {
    if open.len() > 63 {
        return None;
    }
    let mut masks = Vec::new();
    let mut stack = vec![(0usize, 0u64, Tick(0), Tick(u64::MAX))];
    while let Some((at, mask, from, by)) = stack.pop() {
        let Some(visit) = open.get(at) else {
            if masks.len() == most as usize {
                return None;
            }
            masks.push(mask);
            continue;
        };
        let inside = from.max(visit.from);
        if inside < by {
            stack.push((at + 1, mask | 1 << at, inside, by));
        }
        let outside = by.min(visit.by);
        if from < outside {
            stack.push((at + 1, mask, from, outside));
        }
    }
    Some(masks)
}

/// Whether a set is possible for a snapshot taken within `span`, with these bounds of the visits.
pub(crate) fn possible(open: &[Overlap], mask: u64, span: Span) -> bool {
    let (mut from, mut by) = (span.sent, span.answered);
    for (i, visit) in open.iter().enumerate() {
        if mask >> i & 1 == 1 {
            from = from.max(visit.from);
        } else {
            by = by.min(visit.by);
        }
    }
    from < by
}

#[cfg(test)]
mod tests;
