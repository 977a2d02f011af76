//! Small histories of racing visits, drawn at random.

use crate::Judge;
use crate::judged::{Explained, Explanation, Judged, Options, Stage};
use crate::lww::counted::OPEN;
use crate::lww::scene::What;
use crate::testkit::draw::Draws;
use crate::testkit::judge_all;
use crate::testkit::racing::{Kind, TICK, corrupt, run};
use crate::testkit::sim::Run;
use crate::twin::racing::{Alone, Unit, alone, contradicts};
use history::{Answer, Answered, Discipline, Regenerate, Shape, Tick, Tracker};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

const HISTORIES: u64 = 2_500;

fn history_of(seed: u64) -> (Run, Kind) {
    let kind = Kind::of(seed);
    (
        run(seed, 8 + usize::try_from(seed % 13).expect("small"), kind),
        kind,
    )
}

fn options(seed: u64) -> Options {
    let lww = Options {
        discipline: Discipline::Lww,
        sessions: 4,
        ..Options::default()
    };
    match seed % 3 {
        0 => Options { bytes_max: 0, ..lww },
        1 => Options {
            bytes_max: 4_000,
            shards: 2,
            ..lww
        },
        _ => lww,
    }
}

fn judge(run: &Run, kind: Kind, options: Options) -> Judge {
    // Half of the judges are told how far timestamps may fall, and forget deletions.
    let displacement = if options.bytes_max == 4_000 || kind.slow {
        kind.times as i64
    } else {
        i64::MAX
    };
    let options = Options {
        displacement,
        ..options
    };
    let judge = Judge::new(
        Arc::clone(&run.world) as Arc<dyn Regenerate>,
        Arc::clone(&run.world) as Arc<dyn Tracker>,
        kind.claim(),
        kind.semantics(),
        options,
    );
    judge.with_clock(Arc::new(|tick: Tick| tick.0.checked_mul(TICK)), 0)
}

#[test]
fn truthful_histories_are_explained() {
    let (mut explained, mut overlapped, mut left_out, mut reopened) = (0, 0, 0, 0);
    for seed in 0..HISTORIES {
        let (run, kind) = history_of(seed);
        let judge = judge(&run, kind, options(seed));
        for (a, judged) in run.answers.iter().zip(judge_all(&judge, &run.answers)) {
            match judged {
                Judged::Broken(finding) => {
                    let again = judge.again(&mut run.answers.clone().into_iter(), &finding);
                    panic!("seed {seed}, {kind:?}, {a}: {finding:#?}, the twin: {again:?}");
                }
                Judged::Explained(e) if e.read => {
                    explained += 1;
                    overlapped += u64::from(e.overlapped);
                }
                // By the twin's own rule.
                Judged::NotCompared(OPEN) => {
                    assert!(
                        matches!(alone(&judge, a), Alone::NotCompared(_)),
                        "seed {seed}, {a}"
                    );
                    reopened += 1;
                }
                Judged::NotCompared(why) if matches!(a.answer, Answer::Rows(_)) => {
                    left_out += 1;
                    assert!(!why.contains("open"), "seed {seed}: {why}");
                }
                Judged::Explained(_) | Judged::NotCompared(_) => {}
            }
        }
    }
    println!("{explained} reads explained, {overlapped} overlapped, {left_out} and {reopened} not compared");
    assert!(
        overlapped > explained / 4 && left_out < explained / 10 && reopened > 0,
        "{explained} {overlapped} {left_out} {reopened}"
    );
}

/// What is certain in a stage, in the twin's words; `None`: nothing was looked for.
fn certain(stage: &Stage) -> Option<BTreeSet<Unit>> {
    let Stage::Raced(_, raced) = stage else {
        return None;
    };
    let solution = raced.solution.as_ref()?;
    let unit = |var: usize| match raced.open[var].what {
        What::Visit => Some((raced.open[var].lts, 0)),
        What::Expired => Some((raced.open[var].lts, 1)),
        _ => None,
    };
    solution.certain().map(unit).collect()
}

#[test]
fn judge_and_twin_agree_on_every_small_history() {
    let (mut answers, mut broken, mut monotone, mut sure) = (0u64, 0u64, 0u64, 0u64);
    for seed in 0..HISTORIES {
        let (mut run, kind) = history_of(seed);
        let mut draws = Draws::new(seed ^ 0xbad);
        for _ in 0..seed % 3 {
            corrupt(&mut draws, &mut run, kind);
        }
        let judge = judge(&run, kind, options(seed / 3));
        let mut good: Vec<Answered> = Vec::new();
        for (i, a) in run.answers.iter().enumerate() {
            let floor = run.answers[i..]
                .iter()
                .map(|a| a.snapshot.sent)
                .min()
                .expect("one is left");
            judge.floor(floor);
            if !matches!(a.answer, Answer::Rows(_)) {
                continue;
            }
            let explained = judge.explain(a.clone());
            let theirs = match alone(&judge, a) {
                Alone::NotCompared(_) => None,
                Alone::Sets(_, sets) => Some(sets),
            };
            let compared = !matches!(explained.stage, Stage::NotCompared(_));
            if let (true, Some(sets)) = (compared, &theirs) {
                answers += 1;
                let ours = !matches!(explained.stage, Stage::Broken(_));
                assert_eq!(
                    ours,
                    !sets.is_empty(),
                    "seed {seed}, {kind:?}, answer {a}: {:#?}",
                    explained.stage
                );
                if let Some(ours) = certain(&explained.stage) {
                    let all: BTreeSet<Unit> = sets.iter().flatten().copied().collect();
                    let theirs: BTreeSet<Unit> = all
                        .into_iter()
                        .filter(|u| sets.iter().all(|s| s.contains(u)))
                        .collect();
                    assert_eq!(ours, theirs, "seed {seed}, {kind:?}, answer {a}");
                    sure += u64::from(!ours.is_empty());
                }
            }
            match judge.conclude(explained) {
                Judged::Broken(finding) => {
                    broken += 1;
                    monotone += u64::from(matches!(finding.shape, Shape::NotMonotonic { .. }));
                    if theirs.is_some() {
                        let upto: Vec<Answered> = run.answers[..=i].to_vec();
                        let again = judge.again(&mut upto.into_iter(), &finding);
                        assert!(
                            matches!(again, Judged::Broken(_)),
                            "seed {seed}, {a}: {finding:#?} but {again:?}"
                        );
                    }
                }
                Judged::Explained(_) => {
                    if let Some(sets) = theirs.filter(|_| seed % 8 == 1 && kind.replicas == 1) {
                        assert!(
                            !contradicts(&judge, &good, a, &sets),
                            "seed {seed}, {a}: silent, but what was seen is gone"
                        );
                        good.push(a.clone());
                    }
                }
                Judged::NotCompared(_) => {}
            }
        }
    }
    println!(
        "{HISTORIES} histories, {answers} answers, {sure} of them certain of something, {broken} broken, {monotone} lost what was seen"
    );
    assert!(
        broken > HISTORIES / 12 && monotone > 3 && sure > HISTORIES / 8,
        "{broken} {monotone} {sure}"
    );
}

/// What must be the same: everything but how much was merged again.
fn plain(judged: Vec<Judged>) -> Vec<Judged> {
    let plain = |judged| match judged {
        Judged::Explained(e) => Judged::Explained(Explanation { replayed: 0, ..e }),
        other => other,
    };
    judged.into_iter().map(plain).collect()
}

fn verdicts(run: &Run, kind: Kind, options: Options, threads: usize) -> Vec<Judged> {
    let judge = judge(run, kind, options);
    if threads == 0 {
        return plain(judge_all(&judge, &run.answers));
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
    let concluded = explained
        .into_iter()
        .map(|e| judge.conclude(e.into_inner().unwrap().expect("explained")));
    plain(concluded.collect())
}

#[test]
fn neither_threads_nor_memory_nor_floor_change_a_verdict() {
    for seed in 0..500 {
        let (mut run, kind) = history_of(seed);
        let mut draws = Draws::new(seed ^ 0xface);
        for _ in 0..seed % 4 {
            corrupt(&mut draws, &mut run, kind);
        }
        let first = verdicts(&run, kind, options(0), 0);
        for (n, threads) in [(2, 0), (1, 0), (0, 2), (1, 1), (2, 2), (1, 4)] {
            assert_eq!(
                first,
                verdicts(&run, kind, options(n), threads),
                "seed {seed}, {kind:?}, options {n}, {threads} threads"
            );
        }
    }
}
