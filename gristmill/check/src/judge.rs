//! The judge of partitions that are written in a known order (discipline `ordered`): how its parts meet.

use crate::difference::{self, Case};
use crate::evaluate::{Plan, explains};
use crate::judged::{
    Choices, Explained, Explanation, Judged, Options, PartitionState, Probe, Remains, Settled, Spread, Stage,
};
use crate::layout::{Layout, Layouts};
use crate::lww::{BY_PLAN, Clock, Racing};
use crate::model::{Store, cells};
use crate::monotone::Monotone;
use crate::scene::{Asked, Entries, Scene};
use crate::span::Viewer;
use crate::{settle, sums, twin, visible};
use history::{
    Address, Affected, Answer, Answered, Atomic, Check, Claim, Discipline, Finding, Kind, Lts, Op, Part,
    Query, ReasonKind, Regenerate, Rows, Select, Semantics, Shape, Span, Step, Tick, Tracker, Visit,
};
use std::sync::{Arc, Mutex};

/// See [`Options::check`].
const UNCHECKED: &str = "by plan: nothing is checked";
const HOLE: &str = "its visit is a hole of the plan";
const NO_ANSWER: &str = "no answer came";
const REFUSED: &str = "refused, for another reason than its key";
const NOT_REPORTED: &str = "the target reports no affected counts";
const NOT_HIDDEN: &str = "the claim does not hide uncommitted data";
const NOT_ATOMIC: &str = "the claim does not show a visit as a whole";

/// Judges answers. Two stages: [`Judge::explain`] on any number of threads, [`Judge::conclude`] on one.
pub struct Judge {
    pub(crate) history: Arc<dyn Regenerate>,
    pub(crate) tracker: Arc<dyn Tracker>,
    pub(crate) claim: Claim,
    pub(crate) semantics: Semantics,
    pub(crate) options: Options,
    pub(crate) store: Store,
    pub(crate) layouts: Layouts,
    monotone: Mutex<Monotone>,
    /// Where visits race, everything is asked here.
    pub(crate) racing: Option<Racing>,
}

impl Judge {
    /// A judge of one run.
    pub fn new(
        history: Arc<dyn Regenerate>,
        tracker: Arc<dyn Tracker>,
        claim: Claim,
        semantics: Semantics,
        options: Options,
    ) -> Self {
        let store = Store::new(
            Arc::clone(&history),
            Arc::clone(&tracker),
            claim,
            semantics.update_creates_rows,
            options.clone(),
        );
        let racing = (options.discipline == Discipline::Lww).then(|| {
            let (history, tracker) = (Arc::clone(&history), Arc::clone(&tracker));
            Racing::new(history, tracker, claim, semantics, options.clone())
        });
        Self {
            racing,
            layouts: Layouts::default(),
            monotone: Mutex::new(Monotone::new(claim)),
            history,
            tracker,
            claim,
            semantics,
            options,
            store,
        }
    }

    /// The same judge with a clock: when a tick was taken, in nanoseconds from any beginning, where that is known, and by how
    /// many nanoseconds it may differ from the server's over the life of a value. Without one a value that expires may be there
    /// or not from its write on.
    #[must_use]
    pub fn with_clock(mut self, at: Arc<dyn Fn(Tick) -> Option<u64> + Send + Sync>, slack: u64) -> Self {
        if let Some(racing) = &mut self.racing {
            racing.set_clock(Clock { at, slack });
        }
        self
    }

    /// The same judge, who knows when replicas were repaired.
    #[must_use]
    pub fn with_repairs(mut self, spread: Spread) -> Self {
        if let Some(racing) = &mut self.racing {
            racing.set_spread(spread);
        }
        self
    }

    /// A visit as [`Regenerate`] gives it, from somebody who has it at hand: it is not made a second time while it is kept.
    pub fn offer(&self, visit: Arc<Visit>) {
        match &self.racing {
            Some(racing) => racing.store.visits.offer(visit),
            None => self.store.offer(visit),
        }
    }

    /// Stage 1: which choices of the visits that span the snapshot explain the answer. Any thread, any order.
    ///
    /// Call it only when nothing that overlaps the answer is open or unresolved (F5); an answer that comes too early is
    /// not compared, and counted as such.
    pub fn explain(&self, a: Answered) -> Explained {
        let stage = self.stage(&a);
        Explained {
            address: a.address,
            session: a.session,
            span: a.span,
            snapshot: a.snapshot,
            stage,
        }
    }

    /// Stage 2: what earlier answers showed must still be shown (F7). One thread, in order of [`Explained::answered`].
    pub fn conclude(&self, e: Explained) -> Judged {
        match e.stage {
            Stage::Raced(ref explanation, ref raced) => {
                let racing = self.racing.as_ref().expect("only racing visits are explained so");
                racing.conclude(&e, explanation, raced)
            }
            Stage::Awaited(explanation, awaited) => {
                let racing = self.racing.as_ref().expect("only racing visits are explained so");
                racing.await_order(explanation, &awaited)
            }
            Stage::NotCompared(why) => Judged::NotCompared(why),
            Stage::Broken(finding) => Judged::Broken(finding),
            Stage::Fits(ref explanation, ref choices) => {
                let mut monotone = self.monotone.lock().expect("nobody panics while holding it");
                match monotone.conclude(&e, explanation.action(), choices) {
                    None => Judged::Explained(explanation.clone()),
                    Some(finding) => Judged::Broken(Box::new(finding)),
                }
            }
        }
    }

    /// Findings that needed all answers: of lightweight transactions near the end. Once, when every answer is concluded.
    pub fn finish(&self) -> Vec<Finding> {
        self.racing.as_ref().map(Racing::finish).unwrap_or_default()
    }

    /// A promise of the caller: no answer whose snapshot began before this tick will be explained or concluded any more.
    pub fn floor(&self, tick: Tick) {
        if let Some(racing) = &self.racing {
            racing.floor(tick);
            return;
        }
        self.store.raise_floor(tick);
        self.monotone
            .lock()
            .expect("nobody panics while holding it")
            .floor(tick);
    }

    /// What became of an unknown visit, by whole-partition reads taken after its session was seen gone (F6): one for each
    /// partition it writes, and one for the companion row where it writes shared columns. Panics when a probe has no rows
    /// for an answer: ask again instead. Panics where visits race: nothing settles them there.
    pub fn settle(&self, unknown: Lts, probes: &[Probe]) -> Settled {
        assert!(
            self.racing.is_none(),
            "nothing settles visit {unknown}: visits race"
        );
        settle::settle(self, unknown, probes)
    }

    /// [`Judge::settle`] by the second judge.
    pub fn settle_again(&self, unknown: Lts, probes: &[Probe]) -> Settled {
        assert!(
            self.racing.is_none(),
            "nothing settles visit {unknown}: visits race"
        );
        twin::settle(self, unknown, probes)
    }

    /// The second judge (F34): own code, no memory, visits regenerated, answers decoded again. `evidence` holds at least
    /// the answer that the finding is about, and those whose snapshots overlap it; more does no harm.
    ///
    /// `Broken` confirms that the answer breaks a promise (the twin's own words, not copied); `Explained` contradicts.
    pub fn again(&self, evidence: &mut dyn Iterator<Item = Answered>, f: &Finding) -> Judged {
        twin::again(self, evidence, f)
    }

    /// Under `lww`: the fewest writes, each with its timestamp, that leave of a partition what every committed visit up to and
    /// including `upto` left visible. Nothing of another discipline. `Err`: as for [`Judge::state_of`].
    pub fn remains_of(&self, part: Part, upto: Lts) -> Result<Vec<Remains>, &'static str> {
        self.racing
            .as_ref()
            .map_or(Ok(Vec::new()), |racing| racing.remains_of(part, upto))
    }

    /// A partition after every committed visit up to and including `upto`. `Err`: why nobody can tell, such as that the order
    /// of its lightweight transactions is not known.
    pub fn state_of(&self, part: Part, upto: Lts) -> Result<PartitionState, &'static str> {
        if let Some(racing) = &self.racing {
            return racing.state_of(part, upto);
        }
        let layout = self.layout(upto);
        let table = layout.table(part.table);
        let asker = Arc::new(Visit {
            stamp: None,
            lts: Lts(upto.0.saturating_add(1)),
            level: self.claim.level,
            writes: vec![part],
            steps: Vec::new(),
            end: history::End::Commit,
        });
        let end = Span {
            sent: Tick(u64::MAX),
            answered: Tick(u64::MAX),
        };
        let viewer = Viewer {
            snapshot: end,
            session: history::SessionId(0),
            own: None,
            unknown: None,
        };
        let asked = Asked {
            visit: &asker,
            step: 0,
            viewer,
            owner: true,
        };
        let entries = Entries::of(&self.store, part.table, std::iter::once(part.position));
        let mut scene = Scene::set(&self.store, &self.options, table, &asked, &entries)?;
        Ok(scene.under(0, |views| {
            let partition = &*views[0].partition;
            let rows = partition
                .rows()
                .iter()
                .map(|(at, slot)| (*at, cells(partition, table, *slot)))
                .collect();
            let shared = partition.shared().map(|row| {
                row.iter()
                    .enumerate()
                    .map(|(i, d)| (table.shared_id(i), *d))
                    .collect()
            });
            PartitionState { rows, shared }
        }))
    }

    pub(crate) fn layout(&self, at: Lts) -> Arc<Layout> {
        self.layouts.of(&self.history.schema(at))
    }

    fn stage(&self, a: &Answered) -> Stage {
        if matches!(a.address.step, Address::BEGIN | Address::END) {
            return Stage::Fits(Explanation::default(), Choices::default());
        }
        if self.options.check == Check::None {
            return Stage::NotCompared(UNCHECKED);
        }
        let visits = match &self.racing {
            Some(racing) => racing.store.visits.get(a.address.lts),
            None => self.store.visit(a.address.lts),
        };
        let Some(visit) = visits else {
            return Stage::NotCompared(HOLE);
        };
        let Some(step) = visit.steps.get(usize::from(a.address.step)) else {
            return Stage::NotCompared(HOLE);
        };
        if let Some(stage) = self
            .racing
            .as_ref()
            .and_then(|racing| racing.awaited(&visit, step, a))
        {
            return stage;
        }
        match (step, &a.answer) {
            (_, Answer::Unknown(_)) => Stage::NotCompared(NO_ANSWER),
            (Step::Savepoint(_) | Step::RollbackTo(_), _) => {
                Stage::Fits(Explanation::default(), Choices::default())
            }
            (Step::Change(_), Answer::Refused(_)) => Stage::NotCompared(REFUSED),
            // What it did, the reads after it say.
            (Step::Change(change), _) => {
                let explanation = Explanation::of(change.what.name());
                Stage::Fits(explanation, Choices::default())
            }
            (Step::Write(op), answer) => match (&self.racing, answer) {
                (None, _) => self.write(&visit, op, a, answer),
                (Some(_), Answer::Refused(_)) => Stage::NotCompared(REFUSED),
                (Some(_), _) => Racing::write(&visit, op, a),
            },
            (Step::Read(_), Answer::Refused(_)) => Stage::NotCompared(REFUSED),
            (Step::Read(query), Answer::Rows(rows)) if self.options.check == Check::Visible => {
                visible::read(self, &visit, query, a, rows)
            }
            (Step::Read(query), Answer::Rows(rows)) => match &self.racing {
                Some(racing) => racing.read(&visit, query, a, rows, true),
                None => self.read(&visit, query, a, rows, None),
            },
            (Step::Read(query), Answer::Affected(n)) => {
                let what = format!("{n} affected rows where rows were asked for");
                Stage::Broken(Box::new(difference::simple(
                    a,
                    query.kind(),
                    None,
                    Shape::Unreadable { what },
                )))
            }
        }
    }

    /// Judges a read. `unknown`: a visit that is taken for unknown whatever the tracker says, and whose own partitions are
    /// read from outside (settling).
    pub(crate) fn read(
        &self,
        visit: &Arc<Visit>,
        query: &Query,
        a: &Answered,
        rows: &Rows,
        unknown: Option<Lts>,
    ) -> Stage {
        let layout = self.layout(visit.lts);
        let table = layout.table(query.table);
        let viewer = Viewer {
            snapshot: a.snapshot,
            session: a.session,
            own: None,
            unknown,
        };
        let asked = Asked {
            visit,
            step: usize::from(a.address.step),
            viewer,
            owner: unknown.is_none(),
        };
        let parts = table.parts_of(query, visit.lts);
        let entries = Entries::of(&self.store, query.table, parts.iter().map(|part| part.position));
        let foreign = unknown.is_none() && !entries.parts().all(|p| visit.writes.binary_search(&p).is_ok());
        if foreign && !self.claim.hidden_until_commit {
            return Stage::NotCompared(NOT_HIDDEN);
        }
        let mut scene = match Scene::set(&self.store, &self.options, table, &asked, &entries) {
            Ok(scene) => scene,
            Err(why) => return Stage::NotCompared(why),
        };
        if self.claim.atomic != Atomic::Visit && !scene.open.is_empty() && unknown.is_none() {
            return Stage::NotCompared(NOT_ATOMIC);
        }
        if self.options.check == Check::Quiescent && !scene.open.is_empty() && unknown.is_none() {
            return Stage::NotCompared(BY_PLAN);
        }
        let plan = Plan::new(query, table, &self.semantics, false);
        let fits = fitting(
            &mut scene,
            |scene| sums::candidates(scene, &plan, rows),
            |scene, mask| scene.under(mask, |views| explains(&plan, views, rows)),
        );
        let Some(fits) = fits else {
            let case = Case {
                answered: a,
                visit,
                plan: &plan,
                rows,
            };
            return Stage::Broken(Box::new(difference::of_read(self, &case, unknown, &mut scene)));
        };
        let explanation = Explanation {
            read: true,
            rows: rows.len() as u64,
            cells: (rows.len() * plan.width()) as u64,
            overlapped: !scene.open.is_empty(),
            replayed: scene.replayed,
            ..Explanation::of(query.kind())
        };
        Stage::Fits(explanation, choices(&mut scene, fits))
    }

    fn write(&self, visit: &Arc<Visit>, op: &Op, a: &Answered, answer: &Answer) -> Stage {
        let strict = matches!(op, Op::Insert { strict: true, .. });
        match answer {
            Answer::Refused(reason) if reason.kind == ReasonKind::Duplicate && !strict => {
                let shape = Shape::Refused {
                    code: reason.code.clone(),
                    text: reason.text.clone(),
                };
                let mut finding = difference::simple(a, op.kind(), Some(op.part()), shape);
                finding.kind = Kind::UnexpectedError;
                return Stage::Broken(Box::new(finding));
            }
            Answer::Refused(reason) if reason.kind != ReasonKind::Duplicate => {
                return Stage::NotCompared(REFUSED);
            }
            Answer::Affected(_) if !strict && self.semantics.affected == Affected::NotReported => {
                return Stage::NotCompared(NOT_REPORTED);
            }
            Answer::Rows(rows) => {
                let what = format!("{} rows where a count was due", rows.len());
                let shape = Shape::Unreadable { what };
                return Stage::Broken(Box::new(difference::simple(a, op.kind(), Some(op.part()), shape)));
            }
            Answer::Affected(_) | Answer::Refused(_) | Answer::Unknown(_) => {}
        }
        let layout = self.layout(visit.lts);
        let table = layout.table(op.part().table);
        let viewer = Viewer {
            snapshot: a.snapshot,
            session: a.session,
            own: None,
            unknown: None,
        };
        let asked = Asked {
            visit,
            step: usize::from(a.address.step),
            viewer,
            owner: true,
        };
        let entries = Entries::of(&self.store, op.part().table, std::iter::once(op.part().position));
        let mut scene = match Scene::set(&self.store, &self.options, table, &asked, &entries) {
            Ok(scene) => scene,
            Err(why) => return Stage::NotCompared(why),
        };
        if self.options.check == Check::Quiescent && !scene.open.is_empty() {
            return Stage::NotCompared(BY_PLAN);
        }
        let counted = self.semantics.affected != Affected::NotReported;
        let fits = fitting(
            &mut scene,
            |_| None,
            |scene, mask| {
                let (n, there) = scene.affected(mask, op);
                match answer {
                    Answer::Refused(_) => there,
                    Answer::Affected(seen) => !(strict && there) && (!counted || n == *seen),
                    Answer::Rows(_) | Answer::Unknown(_) => false,
                }
            },
        );
        let Some(fits) = fits else {
            return Stage::Broken(Box::new(difference::of_write(self, a, visit, op, &mut scene)));
        };
        let explanation = Explanation {
            overlapped: !scene.open.is_empty(),
            replayed: scene.replayed,
            ..Explanation::of(op.kind())
        };
        Stage::Fits(explanation, choices(&mut scene, fits))
    }
}

/// The choices under which the answer fits, none where there is nothing to choose; `None`: it fits under none of them.
/// `candidates`: which are worth looking at, if that is known.
fn fitting<'s>(
    scene: &mut Scene<'s>,
    candidates: impl FnOnce(&mut Scene<'s>) -> Option<Vec<u64>>,
    mut fits: impl FnMut(&mut Scene<'s>, u64) -> bool,
) -> Option<Vec<u64>> {
    if scene.open.is_empty() {
        return fits(scene, 0).then(Vec::new);
    }
    let mut masks = candidates(scene).unwrap_or_else(|| scene.choices());
    masks.retain(|mask| fits(scene, *mask));
    (!masks.is_empty()).then_some(masks)
}

fn choices(scene: &mut Scene<'_>, fits: Vec<u64>) -> Choices {
    if scene.open.is_empty() {
        return Choices::default();
    }
    Choices {
        open: std::mem::take(&mut scene.open),
        masks: fits,
    }
}

/// Whether an answer's columns are made of several rows each.
pub(crate) fn is_made_of_several(select: &Select) -> bool {
    !matches!(select, Select::Columns(_))
}

#[cfg(test)]
pub(crate) mod planted;
#[cfg(test)]
mod tests;
