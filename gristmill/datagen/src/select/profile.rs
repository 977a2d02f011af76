//! Popularity by name: each profile is a few shares, as data. Weights are relative within one table.

use super::members::Members;

/// A window of `width` partitions that retires what it leaves.
pub fn window(width: u64, repeats: u64) -> Vec<(u32, Members)> {
    vec![(1, Members::Window { width, repeats })]
}

/// Three of four touches go to a window, the fourth brings back what the window has left.
pub fn returning_window(width: u64, repeats: u64) -> Vec<(u32, Members)> {
    vec![
        (3, Members::Window { width, repeats }),
        (1, Members::Returning { window: 0 }),
    ]
}

/// All of `count` partitions once a round, in an order that changes.
pub fn rotation(count: u64) -> Vec<(u32, Members)> {
    vec![(1, Members::Fixed { first: 0, count })]
}

/// The same as [`rotation`]: in the long run every partition gets the same number of visits.
pub fn uniform(count: u64) -> Vec<(u32, Members)> {
    rotation(count)
}

/// Seven of eight touches go to `hot` partitions, the eighth to `cold` others.
pub fn hot_cold(hot: u64, cold: u64) -> Vec<(u32, Members)> {
    vec![
        (7, Members::Fixed { first: 0, count: hot }),
        (
            1,
            Members::Fixed {
                first: hot,
                count: cold,
            },
        ),
    ]
}

/// Zipf with exponent 1: shares of equal weight over groups of doubling size, so that partition r is visited
/// about 1 / (r + 1) as often as the first. `count` is rounded down to 2^k - 1 (at least 1).
pub fn zipf(count: u64) -> Vec<(u32, Members)> {
    let groups = (count.max(1) + 1).ilog2();
    (0..groups)
        .map(|g| {
            (
                1,
                Members::Fixed {
                    first: (1 << g) - 1,
                    count: 1 << g,
                },
            )
        })
        .collect()
}

/// These partitions, in this order.
pub fn list(positions: &[u64]) -> Vec<(u32, Members)> {
    vec![(
        1,
        Members::List {
            positions: positions.to_vec(),
        },
    )]
}
