//! An answer that no choice explains, made into a finding: what differs, whence it comes, the smallest proof.
//!
//! ```text
//!  answer ── decode, deflate ──▶ nobody's image?            ForeignValue, Unreadable
//!         ── each row fits some choice, together none ──▶   Torn
//!         ── the choice that fits best ──▶ rows left over on either side, one difference named:
//!            twice, other cells, too many, too few, other order, other number
//!         ── trace ──▶ who wrote what should be there, whence comes what should not
//! ```

use crate::compare::fits;
use crate::evaluate::{Expected, Plan, RowAt, View, choose, encode};
use crate::judge::{Judge, is_made_of_several};
use crate::layout::{Source, TableLayout};
use crate::scene::Scene;
use crate::span::Viewer;
use crate::trace::{Seer, Target};
use datagen::schema::ColumnId;
use datagen::value::Value;
use history::finding::Why;
use history::{Answer, Answered, Certainty, Finding, Kind, Lts, Op, Part, Rows, Shape, Visit};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Choices that are looked at to name a difference.
const LOOKED_AT: usize = 64;

/// Rows that are left out by turns to explain an aggregate.
const ROWS_TRIED: usize = 256;

/// Pairs of rows without keys that are looked at for likeness.
const PAIRS_TRIED: usize = 4096;

/// A read that nothing explains.
pub(crate) struct Case<'a> {
    pub(crate) answered: &'a Answered,
    pub(crate) visit: &'a Visit,
    pub(crate) plan: &'a Plan<'a>,
    pub(crate) rows: &'a Rows,
}

/// A place in the answer or in the model.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spot {
    part: Option<Part>,
    row: Option<Target>,
    column: Option<ColumnId>,
    /// The row of the answer was taken for the row of the model by its looks.
    guessed: bool,
}

impl Spot {
    /// A cell that is known.
    pub(crate) fn of_cell(part: Part, row: Target, column: ColumnId) -> Self {
        Self {
            part: Some(part),
            row: Some(row),
            column: Some(column),
            guessed: false,
        }
    }
}

/// What differs, before it is known whence.
pub(crate) enum Difference {
    /// Told in full already.
    Told(Shape),
    Missing,
    Extra,
    /// Expected, actual.
    Cell(Value, Value),
    /// The timestamp of a cell: expected, actual.
    Stamp(Value, Value),
}

/// One choice's whole answer.
pub(crate) struct Candidate {
    pub(crate) mask: u64,
    pub(crate) expected: Expected,
    pub(crate) parts: Vec<Part>,
}

/// The life of a row: who made it, changed it, removed it.
pub(crate) trait Life {
    /// Whether the row is there.
    fn exists(&self) -> bool;
    /// Who made the row that is there.
    fn maker(&self) -> Option<Lts>;
    /// Who changed the row last.
    fn writer(&self) -> Option<Lts>;
    /// Who removed the row last.
    fn remover(&self) -> Option<Lts>;
    /// Who set the cell last.
    fn cell_writer(&self, column: ColumnId) -> Option<Lts>;
    /// Why this value should not stand in the cell, and who wrote it.
    fn why_value(&self, column: ColumnId, d: Option<u64>) -> (Why, Option<Lts>);
    /// Why the row should not be there, and who made it.
    fn why_there(&self) -> (Why, Option<Lts>);
}

/// Somebody who knows the lives of rows under one choice.
pub(crate) trait Teller {
    /// The life of a row.
    fn life(&self, part: Part, target: Target) -> Box<dyn Life>;
    /// The newest visit that is visible in a partition.
    fn newest(&self, part: Part) -> Option<Lts>;
    /// The partitions of the answer.
    fn parts(&self) -> Vec<Part>;
}

/// The teller of partitions that are written in a known order.
struct Ordered<'a> {
    seer: Seer<'a>,
    table: &'a TableLayout,
    parts: Vec<Part>,
}

impl Teller for Ordered<'_> {
    fn life(&self, part: Part, target: Target) -> Box<dyn Life> {
        Box::new(self.seer.trace(self.table, part, target))
    }

    fn newest(&self, part: Part) -> Option<Lts> {
        self.seer.newest(part)
    }

    fn parts(&self) -> Vec<Part> {
        self.parts.clone()
    }
}

/// A finding without proof.
pub(crate) fn simple(a: &Answered, action: &str, part: Option<Part>, shape: Shape) -> Finding {
    let kind = match &shape {
        Shape::Torn { .. } | Shape::NotMonotonic { .. } => Kind::Isolation,
        _ => Kind::WrongResult,
    };
    Finding {
        kind,
        shape,
        read: a.address,
        session: a.session,
        span: a.span,
        snapshot: a.snapshot,
        action: action.to_owned(),
        part,
        row: None,
        column: None,
        proof: Vec::new(),
        certainty: Certainty::Certain,
        doubt: String::new(),
    }
}

/// The finding about a read; `unknown`: set while a visit is being settled.
pub(crate) fn of_read(
    judge: &Judge,
    case: &Case<'_>,
    unknown: Option<Lts>,
    scene: &mut Scene<'_>,
) -> Finding {
    let candidates: Vec<Candidate> = scene
        .choices()
        .into_iter()
        .take(LOOKED_AT)
        .map(|mask| scene.under(mask, |views| candidate(case.plan, views, mask)))
        .collect();
    let one = |mask: u64, difference, spot| {
        let teller = Ordered {
            seer: seer(judge, case.answered, case.visit, unknown, scene, mask),
            table: case.plan.table,
            parts: scene.parts().collect(),
        };
        case.finish(&teller, difference, spot)
    };
    if let Some((difference, spot)) = case.unreadable(&candidates[0]) {
        return one(candidates[0].mask, difference, spot);
    }
    if let Some(visit) = case.torn(scene, &candidates) {
        let torn = Difference::Told(Shape::Torn { visit });
        let mut finding = one(candidates[0].mask, torn, Spot::default());
        finding.proof = vec![visit];
        return finding;
    }
    let best = case.best(&candidates);
    let (difference, mut spot) = case.name(best);
    if is_made_of_several(&case.plan.query.select) {
        let left_out = scene.under(best.mask, |views| case.left_out(views));
        spot = left_out.unwrap_or(spot);
    }
    let teller = Ordered {
        seer: seer(judge, case.answered, case.visit, unknown, scene, best.mask),
        table: case.plan.table,
        parts: scene.parts().collect(),
    };
    case.finish(&teller, difference, spot)
}

/// The whole answer over these partitions.
pub(crate) fn candidate(plan: &Plan<'_>, views: &mut [View<'_>], mask: u64) -> Candidate {
    let rows = choose(plan, views);
    encode(plan, views, &rows);
    Candidate {
        mask,
        expected: Expected::new(plan, views, rows),
        parts: views.iter().map(|v: &View<'_>| v.part).collect(),
    }
}

/// The finding about a write.
pub(crate) fn of_write(
    judge: &Judge,
    a: &Answered,
    visit: &Arc<Visit>,
    op: &Op,
    scene: &mut Scene<'_>,
) -> Finding {
    let mask = scene.choices()[0];
    let (expected, there) = scene.affected(mask, op);
    let shape = match (&a.answer, op) {
        (Answer::Refused(_), _) => Shape::RefusedAbsent,
        (Answer::Affected(_), Op::Insert { strict: true, .. }) if there => Shape::AcceptedDuplicate,
        (Answer::Affected(actual), _) => Shape::WrongAffected {
            expected,
            actual: *actual,
        },
        (answer, _) => Shape::Unreadable {
            what: format!("{answer:?}"),
        },
    };
    let mut finding = simple(a, op.kind(), Some(op.part()), shape);
    finding.row = op.row();
    let layout = judge.layout(visit.lts);
    let seer = seer(judge, a, visit, None, scene, mask);
    let target = match (op, finding.row) {
        (Op::Shared { .. }, _) => Some(Target::Shared),
        (_, row) => row.map(Target::Row),
    };
    let proof = match target {
        Some(target) => {
            let trace = seer.trace(layout.table(op.part().table), op.part(), target);
            if trace.exists() {
                trace.writer()
            } else {
                trace.remover()
            }
        }
        None => seer.newest(op.part()),
    };
    finding.proof = clean(proof, visit.lts);
    finding
}

fn seer<'a>(
    judge: &'a Judge,
    a: &Answered,
    visit: &'a Visit,
    unknown: Option<Lts>,
    scene: &'a Scene<'_>,
    mask: u64,
) -> Seer<'a> {
    Seer {
        judge,
        viewer: Viewer {
            snapshot: a.snapshot,
            session: a.session,
            own: None,
            unknown,
        },
        open: &scene.open,
        mask,
        visit,
        step: usize::from(a.address.step),
    }
}

/// Sorted, each once, without the asking visit.
fn clean(proof: impl IntoIterator<Item = Lts>, own: Lts) -> Vec<Lts> {
    let mut proof: Vec<Lts> = proof.into_iter().filter(|lts| *lts != own).collect();
    proof.sort_unstable();
    proof.dedup();
    proof
}

/// Rows of the model that the answer lacks, and rows of the answer that the model lacks: by bytes, within LIMIT.
fn left_over(expected: &Expected, answer: &Rows) -> (Vec<usize>, Vec<usize>) {
    let answer = expected.comparable(answer);
    let mut unmatched: BTreeMap<&[u8], Vec<usize>> = BTreeMap::new();
    for i in (0..answer.len()).rev() {
        unmatched.entry(answer.row(i)).or_default().push(i);
    }
    let (from, to) = expected.window;
    let mut missing = Vec::new();
    // Rows within the window first: of a cut tie group any row may stand for another.
    let order = (from..to).chain((0..from).chain(to..expected.rows.len()));
    for i in order {
        if unmatched
            .get_mut(expected.rows.row(i))
            .and_then(Vec::pop)
            .is_none()
            && (from..to).contains(&i)
        {
            missing.push(i);
        }
    }
    let mut extra: Vec<usize> = unmatched.into_values().flatten().collect();
    extra.sort_unstable();
    (missing, extra)
}

impl Case<'_> {
    /// The choice under which the least is left over.
    pub(crate) fn best<'c>(&self, candidates: &'c [Candidate]) -> &'c Candidate {
        candidates
            .iter()
            .min_by_key(|c| {
                let (missing, extra) = left_over(&c.expected, self.rows);
                missing.len() + extra.len()
            })
            .expect("there is always one choice")
    }

    /// The one row without which the answer would be right: what an aggregate forgot.
    pub(crate) fn left_out(&self, views: &mut [View<'_>]) -> Option<Spot> {
        let rows = choose(self.plan, views);
        encode(self.plan, views, &rows);
        (0..rows.len().min(ROWS_TRIED)).find_map(|i| {
            let mut fewer = rows.clone();
            let at = fewer.remove(i);
            let row = if at.slot == RowAt::SHARED {
                Target::Shared
            } else {
                Target::Row(at.position)
            };
            let spot = Spot {
                part: Some(views[at.view as usize].part),
                row: Some(row),
                column: None,
                guessed: false,
            };
            fits(&Expected::new(self.plan, views, fewer), self.rows).then_some(spot)
        })
    }

    /// A row that cannot be read, or a value that is nobody's image.
    pub(crate) fn unreadable(&self, candidate: &Candidate) -> Option<(Difference, Spot)> {
        let told = |what: String| Some((Difference::Told(Shape::Unreadable { what }), Spot::default()));
        for i in 0..self.rows.len() {
            let values = match self.decoded(i) {
                Ok(values) => values,
                Err(what) => return told(what),
            };
            for (column, value) in crate::evaluate::projected(&self.plan.query.select)
                .iter()
                .zip(&values)
            {
                let source = self.plan.table.source(*column);
                if value.is_null() {
                    match source {
                        Source::RowKey(_) if self.plan.shows_shared_alone() => continue,
                        Source::PartKey(_) | Source::RowKey(_) => {
                            return told("a key column is NULL".to_owned());
                        }
                        Source::Regular(_) | Source::Shared(_) => continue,
                    }
                }
                if self.plan.table.descriptor_of(source, value).is_some() {
                    continue;
                }
                let part = (candidate.parts.len() == 1).then(|| candidate.parts[0]);
                let spot = Spot {
                    part,
                    row: None,
                    column: Some(*column),
                    guessed: false,
                };
                return Some((
                    Difference::Told(Shape::ForeignValue {
                        actual: value.to_string(),
                    }),
                    spot,
                ));
            }
        }
        None
    }

    fn decoded(&self, row: usize) -> Result<Vec<Value>, String> {
        let mut rest = self.rows.row(row);
        let mut values = Vec::new();
        while !rest.is_empty() {
            match Value::decode(&mut rest) {
                Ok(value) => values.push(value),
                Err(e) => return Err(format!("row {}, column {}: {e}", row + 1, values.len() + 1)),
            }
        }
        let width = self.plan.width();
        if values.len() != width {
            return Err(format!(
                "row {} has {} columns instead of {width}",
                row + 1,
                values.len()
            ));
        }
        Ok(values)
    }

    /// Each distinct row fits under some choice, but some two never under the same: the visit that they disagree about.
    fn torn(&self, scene: &Scene<'_>, candidates: &[Candidate]) -> Option<Lts> {
        if candidates.len() < 2 || self.plan.query.limit.is_some() {
            return None;
        }
        let answer = candidates[0].expected.comparable(self.rows);
        let mut counts: BTreeMap<&[u8], Vec<i64>> = BTreeMap::new();
        let n = candidates.len();
        for (i, candidate) in candidates.iter().enumerate() {
            for row in candidate.expected.rows.iter() {
                counts.entry(row).or_insert_with(|| vec![0; n])[i] += 1;
            }
        }
        for row in answer.iter() {
            counts
                .entry(row)
                .or_insert_with(|| vec![0; n])
                .iter_mut()
                .for_each(|c| *c -= 1);
        }
        let fits: Vec<Vec<bool>> = counts
            .values()
            .map(|c| c.iter().map(|c| *c == 0).collect())
            .collect();
        if fits.iter().any(|f| !f.contains(&true)) {
            return None;
        }
        // Of which visits does every fitting choice of one row say yes, and of another row no?
        let says = |f: &[bool], bit: usize, yes: bool| {
            f.iter()
                .zip(candidates)
                .filter(|(fit, _)| **fit)
                .all(|(_, c)| (c.mask >> bit & 1 == 1) == yes)
        };
        let disagreed = |bit: &usize| {
            fits.iter().any(|f| says(f, *bit, true)) && fits.iter().any(|f| says(f, *bit, false))
        };
        // Some rows fit, together they do not: where no single visit tells, the oldest stands for all.
        let bit = (0..scene.open.len()).find(disagreed).or_else(|| {
            let together = (0..n).any(|i| fits.iter().all(|f| f[i]));
            (!together).then_some(0)
        })?;
        Some(scene.open[bit].lts)
    }

    /// Names the first difference from one choice.
    pub(crate) fn name(&self, candidate: &Candidate) -> (Difference, Spot) {
        let expected = &candidate.expected;
        let (missing, extra) = left_over(expected, self.rows);
        let told = |shape| (Difference::Told(shape), Spot::default());
        let (from, to) = expected.window;
        let count = Shape::WrongCount {
            expected: (to - from) as u64,
            actual: self.rows.len() as u64,
        };
        if is_made_of_several(&self.plan.query.select) {
            if self.rows.len() != to - from {
                return told(count);
            }
            return match (missing.first(), extra.first()) {
                (Some(m), Some(e)) => self.aggregate(expected, *m, *e),
                _ => told(Shape::WrongOrder),
            };
        }
        if let Some((i, _)) = extra
            .iter()
            .enumerate()
            .find(|(_, e)| expected.rows.iter().any(|row| row == self.rows.row(**e)))
        {
            let spot = self.spot_of_answer(candidate, extra[i]);
            return (Difference::Told(Shape::DuplicateRow), spot);
        }
        if self.plan.query.limit.is_some() && self.rows.len() > to - from && extra.is_empty() {
            return told(count);
        }
        for e in &extra {
            let place = self.spot_of_answer(candidate, *e);
            let same_key = |m: &&usize| {
                place.row.is_some() && {
                    let at = self.spot_of_model(candidate, **m);
                    (at.part, at.row) == (place.part, place.row)
                }
            };
            if let Some(m) = missing.iter().find(same_key) {
                return self.cell(candidate, *m, *e);
            }
        }
        if !missing.is_empty() && !extra.is_empty() && !self.rows_have_keys(candidate) {
            // Nothing names the rows: the two that are most alike are taken for one.
            let pairs = missing.iter().flat_map(|m| extra.iter().map(move |e| (*m, *e)));
            let alike = |(m, e): &(usize, usize)| {
                let (a, b) = (values(candidate.expected.rows.row(*m)), values(self.rows.row(*e)));
                a.iter().zip(&b).filter(|(a, b)| a == b).count()
            };
            let (m, e) = pairs
                .take(PAIRS_TRIED)
                .max_by_key(alike)
                .expect("there is one of each");
            let (difference, mut spot) = self.cell(candidate, m, e);
            spot.guessed = true;
            return (difference, spot);
        }
        if let Some(m) = missing.first()
            && extra.len() <= missing.len()
        {
            return (Difference::Missing, self.spot_of_model(candidate, *m));
        }
        if let Some(e) = extra.first() {
            return (Difference::Extra, self.spot_of_answer(candidate, *e));
        }
        if let Some(m) = missing.first() {
            return (Difference::Missing, self.spot_of_model(candidate, *m));
        }
        if self.rows.len() != to - from {
            return told(count);
        }
        told(Shape::WrongOrder)
    }

    /// The first column in which two rows differ.
    fn cell(&self, candidate: &Candidate, m: usize, e: usize) -> (Difference, Spot) {
        let mut spot = self.spot_of_model(candidate, m);
        let expected = values(candidate.expected.rows.row(m));
        let actual = values(self.rows.row(e));
        let columns = crate::evaluate::projected(&self.plan.query.select);
        let at = expected
            .iter()
            .zip(&actual)
            .position(|(a, b)| a != b)
            .unwrap_or(0);
        let is_cell = |c: &&ColumnId| {
            let source = self.plan.table.source(**c);
            matches!(source, Source::Regular(_) | Source::Shared(_))
        };
        // Past the columns come the timestamps of those that have one.
        let stamp = at.checked_sub(columns.len());
        spot.column = match stamp {
            Some(nth) => columns.iter().filter(is_cell).nth(nth).copied(),
            None => columns.get(at).copied(),
        };
        if let Some(Source::Shared(_)) = spot.column.map(|c| self.plan.table.source(c)) {
            spot.row = Some(Target::Shared);
        }
        let (expected, actual) = (expected[at].clone(), actual[at].clone());
        let difference = match stamp {
            Some(_) => Difference::Stamp(expected, actual),
            None => Difference::Cell(expected, actual),
        };
        (difference, spot)
    }

    fn aggregate(&self, expected: &Expected, m: usize, e: usize) -> (Difference, Spot) {
        let answer = expected.comparable(self.rows);
        let (expected, actual) = (values(expected.rows.row(m)), values(answer.row(e)));
        let at = expected
            .iter()
            .zip(&actual)
            .position(|(a, b)| a != b)
            .unwrap_or(0);
        let shape = Shape::WrongAggregate {
            expected: expected[at].to_string(),
            actual: actual[at].to_string(),
        };
        (Difference::Told(shape), Spot::default())
    }

    fn spot_of_model(&self, candidate: &Candidate, row: usize) -> Spot {
        let Some(at) = candidate.expected.origin.get(row) else {
            return Spot::default();
        };
        let row = if at.slot == RowAt::SHARED {
            Target::Shared
        } else {
            Target::Row(at.position)
        };
        Spot {
            part: Some(candidate.parts[at.view as usize]),
            row: Some(row),
            column: None,
            guessed: false,
        }
    }

    /// Where a row of the answer would be, if its columns tell.
    fn spot_of_answer(&self, candidate: &Candidate, row: usize) -> Spot {
        let Ok(values) = self.decoded(row) else {
            return Spot::default();
        };
        let columns = crate::evaluate::projected(&self.plan.query.select);
        let (parts, rows) = self.plan.table.locate(columns, &values);
        let one = (candidate.parts.len() == 1).then(|| candidate.parts[0].position);
        let part = parts.or(one).map(|position| Part {
            table: self.plan.query.table,
            position,
        });
        let row = match self.plan.query.from {
            history::From::Shared => Some(Target::Shared),
            _ if rows.is_none() && self.is_alone(columns, &values) => Some(Target::Shared),
            _ => rows.map(Target::Row),
        };
        Spot {
            guessed: false,
            part,
            row: if part.is_some() { row } else { None },
            column: None,
        }
    }

    /// Whether a row is that of shared cells alone: its clustering key is all NULL.
    fn is_alone(&self, columns: &[ColumnId], values: &[Value]) -> bool {
        let mut keys = columns
            .iter()
            .zip(values)
            .filter(|(c, _)| matches!(self.plan.table.source(**c), Source::RowKey(_)))
            .peekable();
        self.plan.shows_shared_alone() && keys.peek().is_some() && keys.all(|(_, v)| v.is_null())
    }

    fn rows_have_keys(&self, candidate: &Candidate) -> bool {
        !self.rows.is_empty() && self.spot_of_answer(candidate, 0).row.is_some()
    }

    /// Adds whence the difference comes, and the proof.
    pub(crate) fn finish(&self, teller: &dyn Teller, difference: Difference, spot: Spot) -> Finding {
        let trace = spot.part.zip(spot.row).map(|(p, t)| teller.life(p, t));
        let newest = || teller.parts().into_iter().find_map(|p| teller.newest(p));
        let (shape, proof) = match difference {
            Difference::Told(shape) => {
                let proof = match (&shape, &trace) {
                    (Shape::DuplicateRow, Some(trace)) => trace.maker(),
                    (Shape::WrongAggregate { .. }, Some(trace)) => trace.writer(),
                    (Shape::WrongAggregate { .. }, None) => newest(),
                    _ => None,
                };
                (shape, proof.into_iter().collect::<Vec<_>>())
            }
            Difference::Missing => {
                let writer = trace.as_ref().and_then(|t| t.maker());
                let writer = writer.or_else(newest).unwrap_or(self.visit.lts);
                (Shape::MissingRow { writer }, vec![writer])
            }
            Difference::Extra => {
                let (why, writer) = match &trace {
                    Some(trace) if !trace.exists() => trace.why_there(),
                    Some(trace) => (
                        trace.writer().map_or(Why::NeverWritten, Why::Overwritten),
                        trace.writer(),
                    ),
                    None => (Why::NeverWritten, None),
                };
                (Shape::ExtraRow { why }, named(why).chain(writer).collect())
            }
            Difference::Cell(expected, actual) => self.told_cell(trace.as_deref(), spot, expected, actual),
            Difference::Stamp(expected, actual) => {
                let writer = spot
                    .column
                    .zip(trace.as_ref())
                    .and_then(|(c, t)| t.cell_writer(c));
                let shape = Shape::WrongTimestamp {
                    expected: expected.to_string(),
                    writer,
                    actual: actual.to_string(),
                };
                (shape, writer.into_iter().collect())
            }
        };
        let mut finding = simple(self.answered, self.plan.query.kind(), spot.part, shape);
        if leaked(&finding.shape) {
            finding.kind = Kind::Isolation;
        }
        finding.row = match spot.row {
            Some(Target::Row(at)) => Some(at),
            _ => None,
        };
        finding.column = match finding.shape {
            Shape::MissingRow { .. } => None,
            _ => spot.column,
        };
        finding.proof = clean(proof, self.visit.lts);
        finding
    }

    fn told_cell(
        &self,
        trace: Option<&dyn Life>,
        spot: Spot,
        expected: Value,
        actual: Value,
    ) -> (Shape, Vec<Lts>) {
        let column = spot.column.zip(trace);
        let writer = column.and_then(|(c, t)| t.cell_writer(c));
        let d = column.and_then(|(c, _)| {
            let source = self.plan.table.source(c);
            if actual.is_null() {
                Some(None)
            } else {
                self.plan.table.descriptor_of(source, &actual).map(Some)
            }
        });
        let (why, whose) = match (column, d) {
            (Some((c, trace)), Some(d)) => trace.why_value(c, d),
            _ => (Why::NeverWritten, None),
        };
        if spot.guessed && why == Why::NeverWritten {
            // Two rows that have nothing to do with each other: what is sure is that one is missing.
            if let Some(writer) = trace.and_then(|t| t.maker()) {
                return (Shape::MissingRow { writer }, vec![writer]);
            }
        }
        let proof = named(why).chain(writer).chain(whose).collect();
        (
            Shape::WrongCell {
                expected: expected.to_string(),
                writer,
                actual: actual.to_string(),
                why,
            },
            proof,
        )
    }
}

/// The visit that a reason names.
fn named(why: Why) -> impl Iterator<Item = Lts> {
    match why {
        Why::NeverWritten => None,
        Why::Overwritten(lts)
        | Why::RolledBack(lts)
        | Why::NotYetCommitted(lts)
        | Why::Lacks(lts)
        | Why::AddedTwice(lts) => Some(lts),
    }
    .into_iter()
}

/// Whether something is seen that was not committed.
fn leaked(shape: &Shape) -> bool {
    let why = match shape {
        Shape::ExtraRow { why } | Shape::WrongCell { why, .. } => *why,
        Shape::Torn { .. } | Shape::NotMonotonic { .. } => return true,
        _ => return false,
    };
    matches!(why, Why::RolledBack(_) | Why::NotYetCommitted(_))
}

fn values(mut row: &[u8]) -> Vec<Value> {
    let mut values = Vec::new();
    while !row.is_empty() {
        values.push(Value::decode(&mut row).expect("read before"));
    }
    values
}
