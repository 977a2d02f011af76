//! How many distinct values each column of a key gets.

use super::RADIX_MAX;

/// Distinct values of a leading column, at most, as long as the later ones make up the size.
const LEADING_MAX: u64 = 8;

/// One radix a column, each at most its domain's size and [`RADIX_MAX`]; their product is at least `size` where the
/// domains allow it, and below `2 * size + 2^16`.
///
/// Every column gets two values if it has them. Leading columns get few, so that an equality prefix
/// still holds many keys; the last gets what is missing, and the ones before it what it has not.
pub(super) fn choose(sizes: &[u128], size: u64) -> Vec<u64> {
    let fits = |j: usize, wanted: u64| {
        u64::try_from(sizes[j])
            .map_or(wanted, |most| wanted.min(most))
            .min(RADIX_MAX)
    };
    let Some(last) = sizes.len().checked_sub(1) else {
        return Vec::new();
    };
    let mut radices: Vec<u64> = (0..sizes.len()).map(|j| fits(j, 2)).collect();
    let fair = root(size, sizes.len()).clamp(2, LEADING_MAX);
    for j in 0..last {
        let others = product_without(&radices, j);
        radices[j] = radices[j].max(fits(j, fair.min((size / others).max(1))));
    }
    for j in (0..sizes.len()).rev() {
        let others = product_without(&radices, j);
        radices[j] = radices[j].max(fits(j, size.div_ceil(others)));
    }
    radices
}

fn product_without(radices: &[u64], without: usize) -> u64 {
    radices
        .iter()
        .enumerate()
        .filter(|(j, _)| *j != without)
        .map(|(_, radix)| radix)
        .product()
}

/// The greatest integer whose `n`-th power is at most `size`; 16 columns of 8 are below 2^62.
fn root(size: u64, n: usize) -> u64 {
    let n = u32::try_from(n).expect("a key has at most 16 columns");
    (1..=LEADING_MAX)
        .take_while(|r| r.checked_pow(n).is_some_and(|power| power <= size))
        .last()
        .unwrap_or(1)
}
