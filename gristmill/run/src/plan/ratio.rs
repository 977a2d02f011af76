//! The share of visits that only read, set exactly: weights are integers, and every block of visits holds them exactly.

use super::mistake::Mistake;
use workload::partitions::VisitKind;

/// Scales the weights so that `percent` of all visits only read; within the readers, and within the writers, the shares
/// stay as they are. Errors: there is no kind to give the share to, or the weights grow beyond what a block can hold.
pub(super) fn set(visits: &mut [VisitKind], percent: u32) -> Result<(), Mistake> {
    let mistake = |what: String| Mistake {
        place: "reads".to_owned(),
        what,
    };
    let only_reads = |visit: &VisitKind| visit.writes == 0;
    let sum = |reads: bool| -> u64 {
        let of = visits.iter().filter(|v| only_reads(v) == reads);
        of.map(|v| u64::from(v.weight)).sum()
    };
    let (readers, writers) = (sum(true), sum(false));
    if percent > 0 && readers == 0 {
        return Err(mistake(format!(
            "{percent} percent of visits that only read, but the workload has no such kind of visit: add one to \
             workload.visits"
        )));
    }
    if writers == 0 {
        return Err(mistake(
            "the workload has no kind of visit that writes: give one in workload.visits a weight".to_owned(),
        ));
    }
    let (reads, writes) = match percent {
        0 => (0, 1),
        _ => (u64::from(percent) * writers, u64::from(100 - percent) * readers),
    };
    let scaled: Vec<u64> = visits
        .iter()
        .map(|v| u64::from(v.weight) * if only_reads(v) { reads } else { writes })
        .collect();
    let common = scaled.iter().copied().fold(0, gcd).max(1);
    for (visit, weight) in visits.iter_mut().zip(scaled) {
        visit.weight = u32::try_from(weight / common)
            .map_err(|_| mistake(format!("{percent} percent needs weights beyond 32 bits")))?;
    }
    Ok(())
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::set;
    use workload::partitions::{Config, names};

    #[test]
    fn the_share_of_reads_is_exact_in_every_profile() {
        for (name, _) in names() {
            for percent in [0, 1, 5, 50, 90, 99] {
                let mut visits = Config::named(name).unwrap().visits;
                if percent > 0 && !visits.iter().any(|v| v.writes == 0 && v.weight > 0) {
                    assert!(set(&mut visits, percent).is_err(), "{name}");
                    continue;
                }
                set(&mut visits, percent).unwrap();
                let all: u64 = visits.iter().map(|v| u64::from(v.weight)).sum();
                let reads = visits.iter().filter(|v| v.writes == 0);
                let reads: u64 = reads.map(|v| u64::from(v.weight)).sum();
                assert_eq!(reads * 100, all * u64::from(percent), "{name} {percent}");
            }
        }
    }
}
