//! Runs at a rate, with a share of reads, and what they say of their statements' times.

use super::{assert_clean, ending, plan};
use history::verdict::Latency;

#[test]
fn a_rate_holds_the_load_back_and_a_share_of_reads_is_kept() {
    let store = tempfile::tempdir().unwrap();
    let plan = plan(
        "reference:",
        "sessions=4 visits=500 rate=1000/s reads=80 rejected-percent=100",
    );
    let verdict = ending(&plan, store.path()).verdict;
    assert_clean(&verdict);
    // The first begins at once, the last 499 ms later.
    assert!(verdict.load_ms >= 499, "{}", verdict.load_ms);
    assert_eq!(verdict.latency["behind the rate"].count, 500);
    // Exact in whole blocks only, which are longer.
    let writing = verdict.visits["writing"];
    assert!((80..=120).contains(&writing), "{writing}");
}

#[test]
fn every_statement_is_timed_under_its_kind() {
    let store = tempfile::tempdir().unwrap();
    let verdict = ending(&plan("sqlite:", "sessions=2 visits=400"), store.path()).verdict;
    assert_clean(&verdict);
    for (kind, compared) in &verdict.counts.exercised {
        assert!(verdict.latency[kind].count >= *compared, "{kind}");
    }
    let of = |name: &str| verdict.latency[name];
    let (reads, writes) = (of(Latency::READS), of(Latency::WRITES));
    assert!(reads.count > 0 && writes.count > 0);
    for l in verdict.latency.values() {
        let rising = [l.p50_ns, l.p95_ns, l.p99_ns, l.p999_ns];
        assert!(rising.is_sorted() && l.p50_ns > 0, "{l:?}");
    }
}
