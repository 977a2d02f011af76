use super::*;
use std::sync::atomic::AtomicU64;

#[test]
fn ticks_are_looked_up_as_a_time_before_they_were_taken_in_every_later_life() {
    let folder = tempfile::tempdir().unwrap();
    let next = AtomicU64::new(7);
    let draw = || next.fetch_add(1, Ordering::SeqCst);
    let times = Times::open(folder.path()).unwrap();
    assert_eq!(times.at(Tick(7)), None);
    let before = clock::unix_nanoseconds();
    let ticks: Vec<u64> = (0..1_000).map(|_| times.take(draw)).collect();
    let after = clock::unix_nanoseconds();
    let seen: Vec<u64> = ticks.iter().map(|t| times.at(Tick(*t)).unwrap()).collect();
    assert!(seen.is_sorted() && seen.iter().all(|ns| (before..=after).contains(ns)));
    drop(times);
    // A sample that was cut short by the end of the worker is not one.
    let path = folder.path().join(FILE);
    File::options()
        .append(true)
        .open(&path)
        .unwrap()
        .write_all(&[1, 2, 3])
        .unwrap();
    let again = Times::open(folder.path()).unwrap();
    assert_eq!(
        ticks
            .iter()
            .map(|t| again.at(Tick(*t)).unwrap())
            .collect::<Vec<_>>(),
        seen
    );
    again.sample(5_000, u64::MAX);
    again.sample(4_000, u64::MAX);
    let last = Times::read(folder.path()).unwrap();
    assert_eq!(last.at(Tick(9_999)), Some(u64::MAX));
    assert_eq!(last.at(Tick(4_999)), seen.last().copied());
}

#[test]
fn a_run_without_times_has_none() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Times::read(folder.path()).unwrap().at(Tick(3)), None);
}
