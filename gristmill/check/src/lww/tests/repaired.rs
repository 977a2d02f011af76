//! Replicas that were repaired: what was acknowledged before must be on each of them.

use super::planted::{PLAIN, answer_of, answered, world};
use crate::Judge;
use crate::judged::{Judged, Options};
use crate::testkit::World;
use history::{Discipline, Lts, Regenerate, Semantics, Tick, Tracker};
use std::sync::Arc;

/// Both writes are acknowledged by one of two replicas; the second answers.
const WRITES: &str = "
    1: upsert t1/0/0 c2=5 | auto at 100 one ## s1 1..2 committed
    2: upsert t1/0/3 c2=6 | auto at 101 one ## s1 11..12 committed
    3: read t1/0 select c1,c2 | auto at 102 one ## s2 21..22 committed
";

/// What a judge and its twin say when the reader is shown these visits, after a repair from one tick to another.
fn said(text: &str, shown: &[u64], repair: Option<(u64, u64)>) -> String {
    let world: Arc<World> = world(text);
    let semantics = Semantics {
        replicas: 2,
        ..PLAIN.semantics()
    };
    let judge = Judge::new(
        Arc::clone(&world) as Arc<dyn Regenerate>,
        Arc::clone(&world) as Arc<dyn Tracker>,
        PLAIN.claim(),
        semantics,
        Options {
            discipline: Discipline::Lww,
            ..Options::default()
        },
    );
    let judge = judge.with_repairs(Arc::new(move |by: Tick, asked: Tick| {
        let (began, done) = repair?;
        (by.0 < began && done < asked.0).then_some(Tick(done))
    }));
    let rows = answer_of(&world, PLAIN, |visit| shown.iter().any(|n| visit.lts == Lts(*n)));
    let a = answered(&world, rows);
    match judge.conclude(judge.explain(a.clone())) {
        Judged::Explained(_) => "explained".to_owned(),
        Judged::NotCompared(why) => why.to_owned(),
        Judged::Broken(finding) => {
            let again = judge.again(&mut std::iter::once(a), &finding);
            assert!(matches!(again, Judged::Broken(_)), "the twin: {again:?}");
            finding.shape.name().to_owned()
        }
    }
}

#[test]
fn what_one_replica_took_may_be_lacking_until_a_repair() {
    for shown in [&[][..], &[1], &[2], &[1, 2]] {
        assert_eq!(said(WRITES, shown, None), "explained", "{shown:?}");
    }
    // Both, the first alone, none of them were acknowledged when the repair began.
    let lacking =
        |repair| [&[][..], &[1], &[2], &[1, 2]].map(|shown| said(WRITES, shown, Some(repair)) != "explained");
    assert_eq!(lacking((13, 14)), [true, true, true, false]);
    assert_eq!(lacking((3, 15)), [true, false, true, false]);
    assert_eq!(lacking((2, 15)), [false; 4]);
    // It was not over when the read was sent.
    assert_eq!(lacking((13, 21)), [false; 4]);
}

#[test]
fn what_nobody_acknowledged_may_be_lacking_after_a_repair_too() {
    let text = WRITES.replace("s1 1..2 committed", "s1 1..2 unknown");
    assert_eq!(said(&text, &[2], Some((13, 14))), "explained");
    assert_eq!(said(&text, &[1, 2], Some((13, 14))), "explained");
    assert_ne!(said(&text, &[1], Some((13, 14))), "explained");
}
