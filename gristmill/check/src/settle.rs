//! What became of an unknown visit, told by reads taken after nothing of it could happen any more (F6).

use crate::difference;
use crate::judge::Judge;
use crate::judged::{Probe, Settled, Stage};
use history::{Answer, End, Kind, Lts, Shape, Visit};
use std::sync::Arc;

/// See [`Judge::settle`].
pub(crate) fn settle(judge: &Judge, unknown: Lts, probes: &[Probe]) -> Settled {
    let (mut with, mut without) = (true, true);
    for probe in probes {
        let rows = rows_of(probe);
        let asker = asker(unknown, probe);
        match judge.read(&asker, &probe.query, &probe.answered, rows, Some(unknown)) {
            Stage::Raced(..) | Stage::Awaited(..) => unreachable!("nothing is settled where visits race"),
            Stage::NotCompared(why) => panic!("visit {unknown} cannot be settled by its probe: {why}"),
            Stage::Broken(mut finding) => {
                finding.kind = Kind::Durability;
                return Settled::Broken(finding);
            }
            Stage::Fits(_, choices) => match choices.open.iter().position(|o| o.lts == unknown) {
                None => with = false,
                Some(i) => {
                    with &= choices.masks.iter().any(|m| m >> i & 1 == 1);
                    without &= choices.masks.iter().any(|m| m >> i & 1 == 0);
                }
            },
        }
    }
    verdict(unknown, probes, with, without)
}

/// What the probes together say.
pub(crate) fn verdict(unknown: Lts, probes: &[Probe], with: bool, without: bool) -> Settled {
    match (with, without) {
        (true, true) => Settled::Alike,
        (true, false) => Settled::Committed,
        (false, true) => Settled::Rejected,
        (false, false) => {
            let last = probes.last().expect("without probes nothing is excluded");
            let shape = Shape::Torn { visit: unknown };
            let mut finding = difference::simple(&last.answered, last.query.kind(), None, shape);
            finding.kind = Kind::Isolation;
            finding.proof = vec![unknown];
            Settled::Broken(Box::new(finding))
        }
    }
}

/// The rows of a probe. Panics where it was not answered by rows.
pub(crate) fn rows_of(probe: &Probe) -> &history::Rows {
    match &probe.answered.answer {
        Answer::Rows(rows) => rows,
        other => panic!("a probe without rows settles nothing, ask again: {other:?}"),
    }
}

/// A reading visit that asks the probe's query at the unknown visit's place in the plan.
fn asker(unknown: Lts, probe: &Probe) -> Arc<Visit> {
    Arc::new(Visit {
        stamp: None,
        lts: unknown,
        level: history::Level::ReadCommitted,
        writes: Vec::new(),
        steps: vec![history::Step::Read(probe.query.clone())],
        end: End::Autocommit,
    })
}
