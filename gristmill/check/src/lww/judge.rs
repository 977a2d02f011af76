//! The judge of racing partitions: how its parts meet.

use super::effects::stamp;
use super::explain::{Case, read};
use super::lists;
use super::merged::Merged;
use super::remains::remains;
use super::scene::{Around, Clock, Scene};
use super::see::Viewer;
use super::seen::Seen;
use super::serial::{self, Awaited, Serial};
use super::store::Store;
use crate::difference;
use crate::evaluate::Plan;
use crate::judged::{Explained, Explanation, Judged, Options, PartitionState, Remains, Spread, Stage};
use crate::layout::{Layout, Layouts, TableLayout};
use crate::model::{Partition, cells};
use datagen::schema::ColumnId;
use history::{
    Answer, Answered, Cells, Check, Claim, Consistency, Finding, Kind, Lts, Part, Query, Regenerate, Rows,
    Semantics, SessionId, Shape, Span, Step, Tick, Tracker, Visit,
};
use std::sync::{Arc, Mutex};

const SERIAL: &str = "by plan: lightweight transactions are judged together or not at all";
/// W4.
const UNORDERED: &str = "lightweight transactions have an order that nobody wrote down";

/// See the module.
pub(crate) struct Racing {
    pub(crate) history: Arc<dyn Regenerate>,
    pub(crate) tracker: Arc<dyn Tracker>,
    pub(crate) claim: Claim,
    pub(crate) semantics: Semantics,
    pub(crate) options: Options,
    pub(crate) store: Store,
    layouts: Layouts,
    clock: Option<Clock>,
    seen: Mutex<Seen>,
    serial: Mutex<Serial>,
}

impl Racing {
    pub(crate) fn new(
        history: Arc<dyn Regenerate>,
        tracker: Arc<dyn Tracker>,
        claim: Claim,
        semantics: Semantics,
        options: Options,
    ) -> Self {
        Self {
            store: Store::new(
                Arc::clone(&history),
                Arc::clone(&tracker),
                claim.real_time,
                &semantics,
                options.clone(),
            ),
            layouts: Layouts::default(),
            serial: Mutex::default(),
            clock: None,
            seen: Mutex::new(Seen::new(claim.real_time, semantics.replicas.max(1))),
            history,
            tracker,
            claim,
            semantics,
            options,
        }
    }

    pub(crate) fn set_clock(&mut self, clock: Clock) {
        self.clock = Some(clock);
    }

    pub(crate) fn set_spread(&mut self, spread: Spread) {
        self.store.set_spread(spread);
    }

    /// When ticks were taken, if somebody told.
    pub(crate) fn clock(&self) -> Option<&Clock> {
        self.clock.as_ref()
    }

    pub(crate) fn around(&self) -> Around<'_> {
        Around {
            store: &self.store,
            tracker: &*self.tracker,
            clock: self.clock.as_ref(),
        }
    }

    pub(crate) fn layout(&self, at: Lts) -> Arc<Layout> {
        self.layouts.of(&self.history.schema(at))
    }

    /// Whether some choice explains a read.
    pub(crate) fn read(
        &self,
        visit: &Visit,
        query: &Query,
        a: &Answered,
        rows: &Rows,
        lazily: bool,
    ) -> Stage {
        let layout = self.layout(visit.lts);
        let table = layout.table(query.table);
        let plan = Plan::new(query, table, &self.semantics, true);
        let settled = lists::settled(table, query, rows);
        let case = Case {
            racing: self,
            answered: a,
            visit,
            query,
            rows: settled.as_ref().unwrap_or(rows),
            table,
            plan: &plan,
        };
        let stage = read(&case, lazily);
        match stage {
            Stage::Raced(..) if settled.is_some() => match lists::judge(&case, rows) {
                Some(finding) => Stage::Broken(Box::new(finding)),
                None => stage,
            },
            _ => stage,
        }
    }

    /// The first stage of lightweight transactions and serial reads; `None`: it is neither.
    pub(crate) fn awaited(&self, visit: &Arc<Visit>, step: &Step, a: &Answered) -> Option<Stage> {
        let rows = match &a.answer {
            Answer::Rows(rows) => Some(rows),
            _ => None,
        };
        let part = match serial::part_of(visit, rows) {
            Ok(part) => part?,
            Err(why) => return Some(Stage::NotCompared(why)),
        };
        if self.options.check != Check::Exhaustive {
            return Some(Stage::NotCompared(SERIAL));
        }
        let explanation = match step {
            Step::Read(query) => Explanation {
                read: true,
                rows: rows.map_or(0, |rows| rows.len() as u64),
                ..Explanation::of(query.kind())
            },
            Step::Write(op) => Explanation::of(op.kind()),
            Step::Savepoint(_) | Step::RollbackTo(_) | Step::Change(_) => return None,
        };
        let awaited = Awaited {
            visit: Arc::clone(visit),
            answered: a.clone(),
            part,
        };
        Some(Stage::Awaited(explanation, Box::new(awaited)))
    }

    /// Their second stage: walks on as far as everything is known.
    pub(crate) fn await_order(&self, explanation: Explanation, awaited: &Awaited) -> Judged {
        let layout = self.layout(awaited.visit.lts);
        let mut serial = self.serial.lock().expect("nobody panics while holding it");
        let table = layout.table(awaited.part.table);
        match serial.conclude(&self.surroundings(), awaited, table) {
            Err(why) => Judged::NotCompared(why),
            Ok(Some(unordered)) => Judged::Broken(Box::new(self.unordered(&unordered))),
            Ok(None) => match &awaited.answered.answer {
                Answer::Affected(_) | Answer::Rows(_) => Judged::Explained(explanation),
                Answer::Unknown(_) => Judged::NotCompared("no answer came"),
                Answer::Refused(_) => Judged::NotCompared("refused, for another reason than its key"),
            },
        }
    }

    /// What could only be said when all answers were there.
    pub(crate) fn finish(&self) -> Vec<Finding> {
        let mut serial = self.serial.lock().expect("nobody panics while holding it");
        let found = serial.finish(&self.surroundings(), |part, with| {
            let layout = self.layout(Lts(1));
            with(layout.table(part.table));
        });
        found.iter().map(|unordered| self.unordered(unordered)).collect()
    }

    fn surroundings(&self) -> serial::Around<'_> {
        serial::Around {
            history: &*self.history,
            tracker: &*self.tracker,
            sessions: self.options.sessions,
            semantics: &self.semantics,
        }
    }

    fn unordered(&self, unordered: &serial::Unordered) -> Finding {
        let a = &unordered.answered;
        let visit = self.store.visits.once(a.address.lts);
        let action = match visit.as_ref().and_then(|v| v.steps.first()) {
            Some(Step::Read(query)) => query.kind(),
            Some(Step::Write(op)) => op.kind(),
            _ => "",
        };
        let mut finding = difference::simple(a, action, Some(unordered.part), Shape::NotLinearizable);
        finding.kind = Kind::Isolation;
        finding.proof = unordered.proof.clone();
        finding
    }

    /// What a write was answered, or a whole batch: whether it is there, the reads after it say; counts mean nothing here.
    pub(crate) fn write(visit: &Visit, op: &history::Op, a: &Answered) -> Stage {
        match &a.answer {
            history::Answer::Rows(rows) => {
                let what = format!("{} rows where a count was due", rows.len());
                let shape = history::Shape::Unreadable { what };
                Stage::Broken(Box::new(difference::simple(a, op.kind(), Some(op.part()), shape)))
            }
            _ => {
                let mut explanation = Explanation::default();
                for step in &visit.steps {
                    if let Step::Write(op) = step
                        && !explanation.kinds.contains(&op.kind())
                    {
                        explanation.kinds.push(op.kind());
                    }
                }
                Stage::Fits(explanation, crate::judged::Choices::default())
            }
        }
    }

    /// The second stage.
    pub(crate) fn conclude(&self, e: &Explained, explanation: &Explanation, raced: &super::Raced) -> Judged {
        let again = |a: &Answered| {
            let visit = self.store.visits.get(a.address.lts);
            let asked = visit
                .as_ref()
                .and_then(|v| v.steps.get(usize::from(a.address.step)));
            match (&visit, asked, &a.answer) {
                (Some(visit), Some(history::Step::Read(query)), history::Answer::Rows(rows)) => {
                    self.read(visit, query, a, rows, false)
                }
                _ => unreachable!("it was a read with rows a moment ago"),
            }
        };
        let mut seen = self.seen.lock().expect("nobody panics while holding it");
        match seen.conclude(e, explanation.action(), raced, again) {
            None => Judged::Explained(explanation.clone()),
            Some(finding) => Judged::Broken(Box::new(finding)),
        }
    }

    pub(crate) fn floor(&self, tick: Tick) {
        self.store.raise_floor(tick);
        self.seen
            .lock()
            .expect("nobody panics while holding it")
            .floor(tick);
        self.serial
            .lock()
            .expect("nobody panics while holding it")
            .raise_floor(tick);
    }

    /// A partition after every committed visit up to and including `upto`; expiring values live. `Err`: nobody can tell.
    pub(crate) fn state_of(&self, part: Part, upto: Lts) -> Result<PartitionState, &'static str> {
        self.at_end(part, upto, |table, _, image| {
            let rows: Vec<(u64, Cells)> = image
                .rows()
                .iter()
                .map(|(at, slot)| (*at, cells(image, table, *slot)))
                .collect();
            let shared = image.shared().map(|row| {
                let cell =
                    |(i, d): (usize, &Option<u64>)| -> (ColumnId, Option<u64>) { (table.shared_id(i), *d) };
                row.iter().enumerate().map(cell).collect()
            });
            Ok(PartitionState { rows, shared })
        })
    }

    /// The fewest writes that leave the same as every committed visit up to and including `upto`, deletions aside.
    pub(crate) fn remains_of(&self, part: Part, upto: Lts) -> Result<Vec<Remains>, &'static str> {
        self.at_end(part, upto, |table, merged, _| remains(table, merged, part))
    }

    fn at_end<R>(
        &self,
        part: Part,
        upto: Lts,
        what: impl FnOnce(&TableLayout, &Merged, &Partition) -> Result<R, &'static str>,
    ) -> Result<R, &'static str> {
        let first = self.history.writer_after(part, Lts(0));
        let first = first.and_then(|lts| self.history.visit(lts));
        if first.is_some_and(|visit| stamp(&visit).condition.is_some()) {
            return Err(UNORDERED);
        }
        let layout = self.layout(upto);
        let table = layout.table(part.table);
        let end = Tick(u64::MAX);
        let store = Store::new(
            Arc::new(Until {
                history: Arc::clone(&self.history),
                upto,
            }),
            Arc::new(Ended(Arc::clone(&self.tracker))),
            true,
            &Semantics {
                replicas: 1,
                ..self.semantics
            },
            Options {
                bytes_max: 0,
                ..self.options.clone()
            },
        );
        let viewer = Viewer {
            snapshot: Span {
                sent: end,
                answered: end,
            },
            session: SessionId(0),
            consistency: Consistency::All,
        };
        let around = Around {
            store: &store,
            tracker: &*self.tracker,
            clock: None,
        };
        let entries = vec![(part, store.entry(part, viewer.consistency))];
        let scene = Scene::set(&around, table, viewer, &entries)?;
        let (merged, image) = scene.place(0);
        what(table, merged, image)
    }
}

/// A history that ends.
struct Until {
    history: Arc<dyn Regenerate>,
    upto: Lts,
}

impl Regenerate for Until {
    fn schema(&self, at: Lts) -> Arc<datagen::schema::Schema> {
        self.history.schema(at)
    }

    fn visit(&self, lts: Lts) -> Option<Visit> {
        self.history.visit(lts)
    }

    fn writer_after(&self, part: Part, lts: Lts) -> Option<Lts> {
        self.history.writer_after(part, lts).filter(|w| *w <= self.upto)
    }

    fn writers_after(&self, part: Part, lts: Lts, into: &mut Vec<Lts>) {
        self.history.writers_after(part, lts, into);
        into.retain(|w| *w <= self.upto);
    }

    fn writer_before(&self, part: Part, lts: Lts) -> Option<Lts> {
        self.history.writer_before(part, lts)
    }
}

/// What became of visits, when all that is not acknowledged is left out.
struct Ended(Arc<dyn Tracker>);

impl Tracker for Ended {
    fn get(&self, lts: Lts) -> history::Track {
        let mut track = self.0.get(lts);
        track.state = match track.state {
            history::State::Committed => history::State::Committed,
            _ => history::State::Rejected,
        };
        track
    }

    fn settled(&self, lts: Lts) -> Option<Tick> {
        self.0.settled(lts)
    }
}
