//! Where a search begins: the visits that prove the finding, then ever larger parts of the run, until one fails.

use super::case::Case;
use crate::RunError;
use crate::plan::Plan;
use crate::replay::Schedule;
use history::artefact::Folder;
use history::tracker::TrackerFile;
use history::{
    Finding, Line, Lts, Part, Parts, Regenerate, SessionId, Shape, State, Step, Tick, Tracker, Visit,
};
use std::collections::{BTreeMap, BTreeSet};

/// Visits that a case may begin with: each is held in memory.
const VISITS_MAX: usize = 400_000;
/// Partitions of a narrow table that are walked through.
const PARTITIONS_MAX: u64 = 4096;

/// A recorded run.
pub(super) struct Recorded<'a> {
    plan: &'a Plan,
    visits: &'a dyn Regenerate,
    tracker: &'a TrackerFile,
    schedule: Schedule,
}

impl<'a> Recorded<'a> {
    pub(super) fn read(
        folder: &Folder,
        plan: &'a Plan,
        visits: &'a dyn Regenerate,
        tracker: &'a TrackerFile,
    ) -> Result<Recorded<'a>, RunError> {
        Ok(Recorded {
            plan,
            visits,
            tracker,
            schedule: Schedule::read(folder)?,
        })
    }

    /// Cases to begin with, the smallest first.
    pub(super) fn cases(&self, finding: &Finding) -> impl Iterator<Item = Case> {
        let last = self.tracker.highest();
        let proof = self.proof(finding);
        let company = self.company(&proof);
        let parts = self.parts(finding, &proof);
        let of_parts: BTreeSet<Lts> = parts
            .iter()
            .flat_map(|part| self.writers(*part, last))
            .chain(company.iter().copied())
            .collect();
        let of_parts_company = self.company(&of_parts);
        let end = self.end(finding);
        let ran = move |lts: &Lts| {
            let state = self.tracker.get(*lts).state;
            !matches!(state, State::Waiting | State::Skipped)
        };
        let tail = |n: u64| -> BTreeSet<Lts> {
            (end.0.saturating_sub(n) + 1..=end.0)
                .map(Lts)
                .filter(ran)
                .collect()
        };
        let before =
            |set: &BTreeSet<Lts>| -> BTreeSet<Lts> { set.iter().copied().filter(|l| *l <= end).collect() };
        let sets = [
            proof,
            company,
            before(&of_parts),
            of_parts_company,
            tail(64),
            tail(1024),
            tail(end.0.min(VISITS_MAX as u64)),
            (1..=last.0).rev().map(Lts).filter(ran).take(VISITS_MAX).collect(),
        ];
        let mut before = BTreeSet::new();
        // Without them a visit might name what is not there.
        let changes = self.visits.changes(last);
        let with_changes = |mut set: BTreeSet<Lts>| {
            set.extend(changes.iter().copied().filter(ran));
            set
        };
        let sets = sets.map(with_changes);
        let new = sets.into_iter().filter(move |set| before.insert(set.clone()));
        new.collect::<Vec<_>>().into_iter().map(|set| self.case(&set))
    }

    /// The last visit that had begun when the answer came.
    fn end(&self, finding: &Finding) -> Lts {
        let highest = self.tracker.highest();
        if finding.read.lts == Lts(0) || finding.span.answered == Tick(0) {
            return highest;
        }
        let begun = |lts: &Lts| self.tracker.get(*lts).visible_from <= finding.span.answered;
        let after = (finding.read.lts.0..=highest.0).rev().map(Lts);
        after.into_iter().find(begun).unwrap_or(finding.read.lts)
    }

    /// The visits that the finding names.
    fn proof(&self, finding: &Finding) -> BTreeSet<Lts> {
        let mut proof: BTreeSet<Lts> = finding.proof.iter().copied().collect();
        proof.insert(finding.read.lts);
        match &finding.shape {
            Shape::NotMonotonic { visit, shown_by } => {
                proof.extend([*visit, shown_by.lts]);
            }
            Shape::Torn { visit } => {
                proof.insert(*visit);
            }
            _ => {}
        }
        proof.remove(&Lts(0));
        proof
    }

    /// With the visits that were open at the same time as one of these.
    fn company(&self, of: &BTreeSet<Lts>) -> BTreeSet<Lts> {
        let all: Vec<Lts> = of.iter().copied().collect();
        let mut company = of.clone();
        // Visits begin about in the order of their numbers: who was open with one of them is not far from it.
        let near = u64::from(self.plan.sessions) * (u64::from(self.plan.look_ahead) + 2);
        for lts in all {
            let around = (lts.0.saturating_sub(near).max(1)..=lts.0 + near).map(Lts);
            company.extend(around.filter(|other| self.schedule.overlap(lts, *other)));
        }
        company
    }

    /// The partitions that the answer and the visits of the proof are about.
    fn parts(&self, finding: &Finding, proof: &BTreeSet<Lts>) -> BTreeSet<Part> {
        let mut parts: BTreeSet<Part> = finding.part.into_iter().collect();
        if let Some(visit) = self.visits.visit(finding.read.lts) {
            parts.extend(&visit.writes);
            if let Some(Step::Read(query)) = visit.steps.get(usize::from(finding.read.step)) {
                let positions: Vec<u64> = match &query.parts {
                    Parts::One(p) => vec![*p],
                    Parts::In(all) => all.clone(),
                    Parts::All | Parts::Ring { .. } => {
                        let partitions = self.plan.schema.table(query.table).partitions().len();
                        (0..partitions.min(PARTITIONS_MAX)).collect()
                    }
                };
                parts.extend(positions.into_iter().map(|position| Part {
                    table: query.table,
                    position,
                }));
            }
        }
        for lts in proof {
            parts.extend(self.visits.visit(*lts).map(|v| v.writes).unwrap_or_default());
        }
        parts
    }

    fn writers(&self, part: Part, last: Lts) -> impl Iterator<Item = Lts> {
        let next = move |lts: &Lts| self.visits.writer_after(part, *lts);
        std::iter::successors(next(&Lts(0)), next).take_while(move |lts| *lts <= last)
    }

    /// A case of these visits, in the order in which they began, with the overlaps that were recorded.
    fn case(&self, chosen: &BTreeSet<Lts>) -> Case {
        let written: BTreeMap<Lts, &Line> = self
            .plan
            .history
            .iter()
            .flatten()
            .map(|line| (line.visit.lts, line))
            .collect();
        let mut order: Vec<(usize, Lts)> = chosen
            .iter()
            .map(|lts| (self.schedule.place(*lts).map_or(0, |p| p.after), *lts))
            .collect();
        order.sort_unstable();
        let mut open: Vec<Lts> = Vec::new();
        let mut lines = Vec::with_capacity(order.len());
        for (after, lts) in order {
            let Some(visit) = self.visits.visit(lts) else {
                continue;
            };
            let session = match self.schedule.place(lts) {
                Some(place) => place.session,
                None => self.tracker.get(lts).session,
            };
            open.retain(|l| self.schedule.rank(*l).is_none_or(|rank| rank >= after));
            let beside = open.clone();
            open.push(lts);
            let line = match written.get(&lts) {
                Some(line) => Line {
                    beside,
                    ..(*line).clone()
                },
                None => Line {
                    beside,
                    ..line(session, visit)
                },
            };
            lines.push(line);
        }
        Case::new(self.plan, lines)
    }
}

/// A visit of a plan as a line. What it writes is what its statements write, though its plan may have said more.
fn line(session: SessionId, visit: Visit) -> Line {
    let writes = history::explicit::written(&visit.steps);
    let session = SessionId(session.0.max(1));
    Line::new(session, Visit { writes, ..visit })
}
