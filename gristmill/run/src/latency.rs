//! How long statements take, by their kind: histograms, and the few numbers of them that a verdict holds.
//!
//! Times are of one statement as its session sees it: from before it is handed to the driver until its answer is read.
//! Answers that never came count with their deadline.
//!
//! Invariants:
//! * L1 a session keeps a portion of its times to itself, so that sessions do not queue for the histograms.
//! * L2 a time is off by at most 1 % (two significant digits and a half of a histogram's buckets).

use hdrhistogram::Histogram;
use history::verdict::Latency;
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// Times of one kind as they are kept in the account: value in nanoseconds and how often, of each bucket that has any.
pub(crate) type Buckets = BTreeMap<String, Vec<(u64, u64)>>;

/// How late visits began, where a rate was given.
pub(crate) const LATE: &str = "behind the rate";

/// Why recording cannot fail.
const GROWS: &str = "a histogram without a greatest value grows by itself";
/// Times that a session keeps before it hands them over.
const PORTION: usize = 512;

/// Every statement of a run.
#[derive(Default)]
pub(crate) struct Latencies {
    by: Mutex<BTreeMap<&'static str, Histogram<u64>>>,
    /// Of earlier lives.
    before: Mutex<Buckets>,
}

/// The times of one session that are not handed over.
#[derive(Default)]
pub(crate) struct Portion(Vec<(&'static str, u64)>);

fn histogram() -> Histogram<u64> {
    Histogram::new(2).expect("two significant digits are possible")
}

impl Latencies {
    /// What an earlier life had measured counts on.
    pub(crate) fn go_on_from(&self, before: &Buckets) {
        self.before.lock().clone_from(before);
    }

    /// Adds one time; hands the portion over when it is full.
    pub(crate) fn add(&self, portion: &mut Portion, kind: &'static str, ns: u64) {
        portion.0.push((kind, ns));
        if portion.0.len() >= PORTION {
            self.hand_over(portion);
        }
    }

    /// Takes what a session still has.
    pub(crate) fn hand_over(&self, portion: &mut Portion) {
        let mut by = self.by.lock();
        for (kind, ns) in portion.0.drain(..) {
            let of = by.entry(kind).or_insert_with(histogram);
            of.record(ns).expect(GROWS);
        }
    }

    /// Everything so far, earlier lives included.
    pub(crate) fn buckets(&self) -> Buckets {
        let mut all = self.before.lock().clone();
        for (kind, histogram) in &*self.by.lock() {
            let into = all.entry((*kind).to_owned()).or_default();
            into.extend(
                histogram
                    .iter_recorded()
                    .map(|at| (at.value_iterated_to(), at.count_since_last_iteration())),
            );
        }
        all
    }
}

/// The numbers of a verdict: of each kind, and of all reads and all writes together.
pub(crate) fn summary(buckets: &Buckets) -> BTreeMap<String, Latency> {
    let mut all: BTreeMap<String, Histogram<u64>> = BTreeMap::new();
    for (kind, counts) in buckets {
        let together = match kind.as_str() {
            "begin" | "commit" | "rollback" | "savepoint" | LATE => None,
            kind if kind.starts_with("read") => Some(Latency::READS),
            _ => Some(Latency::WRITES),
        };
        for name in [Some(kind.as_str()), together].into_iter().flatten() {
            let histogram = all.entry(name.to_owned()).or_insert_with(histogram);
            for (ns, count) in counts {
                histogram.record_n(*ns, *count).expect(GROWS);
            }
        }
    }
    let numbers = |h: &Histogram<u64>| Latency {
        count: h.len(),
        p50_ns: h.value_at_quantile(0.5),
        p95_ns: h.value_at_quantile(0.95),
        p99_ns: h.value_at_quantile(0.99),
        p999_ns: h.value_at_quantile(0.999),
        max_ns: h.max(),
    };
    all.iter().map(|(kind, h)| (kind.clone(), numbers(h))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_times_and_survive_another_life() {
        let first = Latencies::default();
        let mut portion = Portion::default();
        for n in 1..=1000_u64 {
            first.add(&mut portion, "read-row", n * 1000);
        }
        first.hand_over(&mut portion);
        let second = Latencies::default();
        second.go_on_from(&first.buckets());
        for n in 1001..=2000_u64 {
            second.add(&mut portion, "read-row", n * 1000);
        }
        second.add(&mut portion, "commit", 7);
        second.hand_over(&mut portion);
        let summary = summary(&second.buckets());
        assert_eq!(
            summary.keys().collect::<Vec<_>>(),
            ["commit", "read-row", "reads"]
        );
        let read = &summary["read-row"];
        assert_eq!((read.count, summary["reads"]), (2000, *read));
        for (is, should_be) in [
            (read.p50_ns, 1_000_000),
            (read.p95_ns, 1_900_000),
            (read.p99_ns, 1_980_000),
            (read.p999_ns, 1_998_000),
            (read.max_ns, 2_000_000_u64),
        ] {
            assert!(is.abs_diff(should_be) * 100 <= should_be, "{is} {should_be}");
        }
    }
}
