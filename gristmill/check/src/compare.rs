//! Whether an answer is one of those that ORDER BY, LIMIT and OFFSET leave open (F31).
//!
//! ```text
//!  by the model   │ group 1 │  group 2   │ group 3 │     rows with one sort key are a group, in any order
//!  window             ├──────────────────────┤         OFFSET … OFFSET + LIMIT
//!  answer             │ some│  all       │some│         of a cut group: any of its rows, each at most as often
//! ```

use crate::evaluate::Expected;
use history::Rows;

/// Whether the answer fits.
pub(crate) fn fits(expected: &Expected, answer: &Rows) -> bool {
    let (from, to) = expected.window;
    if answer.len() != to - from {
        return false;
    }
    let answer = expected.comparable(answer);
    let mut start = 0;
    for end in &expected.groups {
        let (low, high) = (start.max(from), (*end).min(to));
        if low < high && !contains(&expected.rows, start..*end, &answer, low - from..high - from) {
            return false;
        }
        start = *end;
    }
    true
}

/// Whether some rows of the one are among some of the other, each at most as often.
fn contains(all: &Rows, of: std::ops::Range<usize>, some: &Rows, rows: std::ops::Range<usize>) -> bool {
    if of.len() == rows.len()
        && of
            .clone()
            .zip(rows.clone())
            .all(|(a, b)| all.row(a) == some.row(b))
    {
        return true;
    }
    let mut left: Vec<&[u8]> = of.map(|i| all.row(i)).collect();
    let mut right: Vec<&[u8]> = rows.map(|i| some.row(i)).collect();
    left.sort_unstable();
    right.sort_unstable();
    let mut left = left.into_iter();
    right
        .into_iter()
        .all(|row| left.by_ref().find(|l| *l >= row) == Some(row))
}

#[cfg(test)]
mod tests;
