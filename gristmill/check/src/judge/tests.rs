//! The judge against its twin, on small histories drawn at random; and against itself, under other conditions.

use crate::judged::{Explained, Explanation, Judged, Options, Stage};
use crate::testkit::corrupt::corrupt;
use crate::testkit::draw::Draws;
use crate::testkit::sim::{Run, run};
use crate::testkit::{claim, judge, judge_all};
use crate::twin;
use history::{Answered, Claim, Lts, Shape, Snapshot};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many histories the twin and the judge must agree on.
const HISTORIES: u64 = 20_000;

fn claim_of(seed: u64) -> Claim {
    let snapshot = if seed.is_multiple_of(3) {
        Snapshot::Statement
    } else {
        Snapshot::FirstMessage
    };
    Claim {
        snapshot,
        real_time: seed % 10 != 7,
        ..claim()
    }
}

fn history_of(seed: u64) -> (Run, Claim) {
    let claim = claim_of(seed);
    let slow = seed % 4 == 1;
    let visits = if slow { 10 } else { 4 } + usize::try_from(seed % 7).expect("small");
    (run(seed, visits, claim.snapshot, slow), claim)
}

fn options(seed: u64) -> Options {
    match seed % 4 {
        0 => Options {
            bytes_max: 0,
            ..Options::default()
        },
        1 => Options {
            bytes_max: 4_000,
            checkpoint_every: 1,
            shards: 2,
            ..Options::default()
        },
        2 => Options {
            checkpoint_every: 2,
            ..Options::default()
        },
        _ => Options::default(),
    }
}

#[test]
fn truthful_histories_are_explained() {
    for seed in 0..3_000 {
        let (run, claim) = history_of(seed);
        let judge = judge(&run.world, claim, options(seed));
        for (a, judged) in run.answers.iter().zip(judge_all(&judge, &run.answers)) {
            if let Judged::Broken(finding) = judged {
                panic!("seed {seed}, {a}: {finding:#?}");
            }
        }
    }
}

/// What the twin says of an answer alone, as sets of visible visits.
fn sets(stage: &Stage) -> Option<BTreeSet<BTreeSet<Lts>>> {
    match stage {
        Stage::NotCompared(_) | Stage::Raced(..) | Stage::Awaited(..) => None,
        Stage::Broken(_) => Some(BTreeSet::new()),
        Stage::Fits(_, choices) if choices.masks.is_empty() => Some(BTreeSet::from([BTreeSet::new()])),
        Stage::Fits(_, choices) => {
            let set = |mask: &u64| {
                choices
                    .open
                    .iter()
                    .enumerate()
                    .filter(|(i, _)| mask >> i & 1 == 1)
                    .map(|(_, o)| o.lts)
                    .collect()
            };
            Some(choices.masks.iter().map(set).collect())
        }
    }
}

#[test]
fn judge_and_twin_agree_on_every_small_history() {
    let (mut answers, mut broken, mut overlapped, mut monotone) = (0u64, 0u64, 0u64, 0u64);
    for seed in 0..HISTORIES {
        let (mut run, claim) = history_of(seed);
        let mut draws = Draws::new(seed ^ 0xbad);
        for _ in 0..seed % 3 {
            corrupt(&mut draws, &mut run);
        }
        let judge = judge(&run.world, claim, options(seed / 3));
        let mut good: Vec<Answered> = Vec::new();
        for (i, a) in run.answers.iter().enumerate() {
            let floor = run.answers[i..]
                .iter()
                .map(|a| a.snapshot.sent)
                .min()
                .expect("one is left");
            judge.floor(floor);
            let explained = judge.explain(a.clone());
            let ours = sets(&explained.stage);
            let theirs = twin::sets(&judge, a);
            // A refusal that no insert may get is told without asking the model: the twin says that it fits nothing.
            if !claim.real_time && (ours.is_none() || theirs.is_none()) {
                // So many visits may be visible that one of the two gives up.
                continue;
            }
            assert_eq!(ours, theirs, "seed {seed}, answer {a}");
            answers += 1;
            overlapped += u64::from(matches!(&explained.stage, Stage::Fits(e, _) if e.overlapped));
            match judge.conclude(explained) {
                Judged::Broken(finding) => {
                    broken += 1;
                    monotone += u64::from(matches!(finding.shape, Shape::NotMonotonic { .. }));
                    let upto: Vec<Answered> = run.answers[..=i].to_vec();
                    let again = judge.again(&mut upto.into_iter(), &finding);
                    assert!(
                        matches!(again, Judged::Broken(_)),
                        "seed {seed}, {a}: {finding:#?} but {again:?}"
                    );
                }
                Judged::Explained(_) => {
                    good.push(a.clone());
                    // Long: one history in sixteen, of those in which reads meet.
                    if seed % 16 == 1 {
                        assert!(
                            !twin::last_contradicts(&judge, &good),
                            "seed {seed}, {a}: silent, but not monotonic"
                        );
                    }
                }
                Judged::NotCompared(_) => {}
            }
        }
    }
    println!(
        "{HISTORIES} histories, {answers} answers, {overlapped} overlapped, {broken} broken, {monotone} of them not monotonic"
    );
    assert!(
        broken > HISTORIES / 4 && overlapped > HISTORIES / 4 && monotone > 10,
        "the histories exercise the judge"
    );
}

/// Verdicts that must not depend on anything but plan, tracker and answers (C1).
fn verdicts(run: &Run, claim: Claim, options: Options, threads: usize) -> Vec<Judged> {
    let judge = judge(&run.world, claim, options);
    if threads == 0 {
        return judge_all(&judge, &run.answers);
    }
    let next = AtomicUsize::new(0);
    let explained: Vec<Mutex<Option<Explained>>> = run.answers.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    // From the last answer to the first, so that heads are asked below where they stand.
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some(i) = run.answers.len().checked_sub(i + 1) else {
                        return;
                    };
                    *explained[i].lock().unwrap() = Some(judge.explain(run.answers[i].clone()));
                }
            });
        }
    });
    explained
        .into_iter()
        .map(|e| judge.conclude(e.into_inner().unwrap().expect("explained")))
        .collect()
}

/// What must be the same: everything but how much was played again.
fn plain(judged: Vec<Judged>) -> Vec<Judged> {
    let plain = |judged| match judged {
        Judged::Explained(e) => Judged::Explained(Explanation {
            replayed: 0,
            overlapped: false,
            ..e
        }),
        other => other,
    };
    judged.into_iter().map(plain).collect()
}

#[test]
fn neither_threads_nor_memory_nor_floor_change_a_verdict() {
    let off = Options {
        bytes_max: 0,
        ..Options::default()
    };
    let tight = Options {
        bytes_max: 3_000,
        checkpoint_every: 1,
        shards: 1,
        ..Options::default()
    };
    for seed in 0..600 {
        let (mut run, claim) = history_of(seed);
        let mut draws = Draws::new(seed ^ 0xface);
        for _ in 0..seed % 4 {
            corrupt(&mut draws, &mut run);
        }
        let first = plain(verdicts(&run, claim, off.clone(), 0));
        for (options, threads) in [
            (Options::default(), 0),
            (tight.clone(), 0),
            (off.clone(), 2),
            (tight.clone(), 1),
            (Options::default(), 2),
            (tight.clone(), 4),
        ] {
            assert_eq!(
                first,
                plain(verdicts(&run, claim, options, threads)),
                "seed {seed}, {threads} threads"
            );
        }
    }
}
