//! Lists whose elements are cells of their own: which elements a list holds, how often, and in which order.
//!
//! Each element that is added gets a cell that the server's clock names, so two that are added at once stand in an order that
//! nobody here knows, and one that is added twice stands there twice. What is judged is what holds whatever that clock said:
//!
//! ```text
//!  which    the set of what is in it: judged with all other cells ([`settled`]), visits that may be visible included
//!  how often    at least as often as it was surely added and surely not deleted,
//!               at most as often as it may have been added and not surely deleted
//!  in order     what is added in front stands before what is added behind; what one statement adds keeps its order;
//!               what was acknowledged before another was sent stands before it (in front: behind it)
//! ```
//!
//! Invariants:
//! * Y1 a finding holds for every choice of the visits that may be visible, even cell by cell: a truthful answer has none.
//! * Y2 order between visits is asked only of writes through one node, where one clock names all cells.
//!
//! Source: Cassandra's `Lists.Setter`, `Lists.Appender` and `Lists.Prepender`, tried on 5.0.9.

use super::cells::{Area, elements};
use super::effects::{stamp, writes};
use super::explain::Case;
use super::see::Seen;
use crate::difference;
use crate::evaluate::projected;
use crate::layout::{Source, TableLayout};
use datagen::domain::{Domain, Elements};
use datagen::schema::ColumnId;
use datagen::value::Value;
use history::finding::Why;
use history::{Finding, Lts, Op, Part, Parts, Query, RowChoice, Rows, Shape, Tick, Visit};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Writers of a partition, at most, whose elements are counted; of partitions with more only the set is judged.
const WRITERS_MAX: usize = 1_000;

/// The lists among what a query selects: where they stand in a row, their columns.
fn lists<'t>(table: &'t TableLayout, query: &Query) -> Vec<(usize, ColumnId, &'t Domain)> {
    let columns = projected(&query.select).iter().enumerate();
    let listed = |(at, id): (usize, &ColumnId)| {
        let domain = match table.source(*id) {
            Source::Regular(c) => table.regular_domain(c),
            Source::Shared(c) => table.shared_domain(c),
            Source::PartKey(_) | Source::RowKey(_) => return None,
        };
        let is_list = domain.elements().is_some_and(|e| e.are_listed());
        is_list.then_some((at, *id, domain))
    };
    columns.filter_map(listed).collect()
}

/// The answer with each list as the set of what is in it; `None`: it asks for no list, or cannot be read.
pub(crate) fn settled(table: &TableLayout, query: &Query, rows: &Rows) -> Option<Rows> {
    let lists = lists(table, query);
    if lists.is_empty() {
        return None;
    }
    let mut settled = Rows::default();
    for row in rows.iter() {
        let mut values = decode(row)?;
        for (at, _, domain) in &lists {
            let slots = domain.elements().expect("it is a list");
            if let Some((set, _)) = slots.settled(values.get(*at)?) {
                values[*at] = set;
            }
        }
        values.iter().for_each(|value| value.encode(&mut settled.bytes));
        settled.end_row();
    }
    Some(settled)
}

fn decode(mut row: &[u8]) -> Option<Vec<Value>> {
    let mut values = Vec::new();
    while !row.is_empty() {
        values.push(Value::decode(&mut row).ok()?);
    }
    Some(values)
}

/// A visit that is visible to a read, or may be.
struct Writer {
    visit: Arc<Visit>,
    sure: bool,
    from: Tick,
    /// `Tick(u64::MAX)`: never acknowledged.
    by: Tick,
}

/// An element that a visit added.
#[derive(Clone, Copy)]
struct Added {
    slot: usize,
    in_front: bool,
    timestamp: i64,
    /// Which of the writers, which of its statements, which element of that.
    at: (usize, usize, usize),
}

/// What was done to one list.
#[derive(Default)]
struct Deeds {
    added: Vec<Added>,
    /// Up to which timestamp, by which of the writers.
    deleted: Vec<(i64, usize)>,
}

/// Judges the lists of an answer whose sets are explained. `rows`: the answer as it came.
pub(crate) fn judge(case: &Case<'_>, rows: &Rows) -> Option<Finding> {
    let (table, query) = (case.table, case.query);
    let lists = lists(table, query);
    let columns = projected(&query.select);
    let mut known: BTreeMap<u64, Option<Vec<Writer>>> = BTreeMap::new();
    for row in rows.iter() {
        let values = decode(row)?;
        let (part, position) = table.locate(columns, &values);
        let part = match &query.parts {
            Parts::One(at) => *at,
            _ => part?,
        };
        let row = position.or(match query.rows {
            RowChoice::One(at) => Some(at),
            _ => None,
        });
        for (at, id, domain) in &lists {
            let slots = domain.elements().expect("it is a list");
            let Some((_, shown)) = slots.settled(&values[*at]) else {
                continue;
            };
            let row = match table.source(*id) {
                Source::Shared(_) => None,
                _ => Some(row?),
            };
            let part = Part {
                table: query.table,
                position: part,
            };
            let writers = known.entry(part.position).or_insert_with(|| writers(case, part));
            let Some(writers) = writers else { continue };
            let deeds = deeds(table, part, row, *id, &slots, writers);
            let wrong = count(&slots, &shown, &deeds, writers)
                .or_else(|| order(case, &slots, &shown, &deeds, writers));
            if let Some((expected, proof)) = wrong {
                let shape = Shape::WrongCell {
                    expected,
                    writer: proof.last().copied(),
                    actual: values[*at].to_string(),
                    why: Why::NeverWritten,
                };
                let mut finding = difference::simple(case.answered, query.kind(), Some(part), shape);
                (finding.row, finding.column, finding.proof) = (row, Some(*id), proof);
                return Some(finding);
            }
        }
    }
    None
}

/// Everybody who wrote a partition and may be visible; `None`: too many, or one of them is open.
fn writers(case: &Case<'_>, part: Part) -> Option<Vec<Writer>> {
    let (racing, a) = (case.racing, case.answered);
    let viewer = super::see::Viewer {
        snapshot: a.snapshot,
        session: a.session,
        consistency: stamp(case.visit).consistency,
    };
    let (mut all, mut last, mut late) = (Vec::new(), Lts(0), 0);
    let mut more = Vec::new();
    loop {
        racing.history.writers_after(part, last, &mut more);
        let Some(newest) = more.last().copied() else {
            return Some(all);
        };
        for lts in more.drain(..) {
            let track = racing.tracker.get(lts);
            let level = || racing.store.visits.get(lts).map(|v| stamp(&v).consistency);
            let spread = |by| racing.store.spread(by, viewer.snapshot.sent);
            let seen = racing.store.promise.sees(lts, &track, &viewer, level, spread);
            let (sure, by) = match seen.ok()? {
                Seen::Must(_) => (true, track.visible_by),
                Seen::May(overlap) => (false, overlap.by),
                Seen::Not => continue,
                Seen::Late => {
                    late += 1;
                    // Each session holds one visit: more than that, and all that follows is later still.
                    if late > racing.options.sessions as usize {
                        return Some(all);
                    }
                    continue;
                }
            };
            if all.len() == WRITERS_MAX {
                return None;
            }
            all.push(Writer {
                visit: racing.store.visits.get(lts)?,
                sure,
                from: track.visible_from,
                by,
            });
        }
        last = newest;
    }
}

/// What these writers did to one list; `row`: `None` of a shared one.
fn deeds(
    table: &TableLayout,
    part: Part,
    row: Option<u64>,
    id: ColumnId,
    slots: &Elements<'_>,
    writers: &[Writer],
) -> Deeds {
    let area = match row {
        Some(_) => Area::row(table),
        None => Area::shared(table),
    };
    let mut deeds = Deeds::default();
    for (n, writer) in writers.iter().enumerate() {
        let timestamp = stamp(&writer.visit).timestamp;
        if writer.visit.drops(part.table) == Some(id) {
            deeds.deleted.push((timestamp, n));
        }
        for (step, op) in writes(&writer.visit, part).enumerate() {
            let mut add = |nth: usize, slot: usize, in_front: bool| {
                deeds.added.push(Added {
                    slot,
                    in_front,
                    timestamp,
                    at: (n, step, nth),
                });
            };
            if let Some((_, at, column, list)) = elements(table, op) {
                if at == row && column == area.index(id) {
                    for (nth, (slot, number)) in list.iter().enumerate() {
                        let in_front = *number == Some(Elements::IN_FRONT);
                        add(nth, usize::from(*slot), in_front);
                    }
                }
                continue;
            }
            let whole = match op {
                Op::Insert { row: r, cells, .. }
                | Op::Upsert { row: r, cells, .. }
                | Op::Update { row: r, cells, .. }
                    if row == Some(*r) =>
                {
                    cells.iter().find(|(c, _)| *c == id)
                }
                Op::Shared { cells, .. } if row.is_none() => cells.iter().find(|(c, _)| *c == id),
                _ => None,
            };
            if let Some((_, d)) = whole {
                let split = d.map(|d| slots.split(d)).unwrap_or_default();
                for (nth, (slot, _)) in split.into_iter().enumerate() {
                    add(nth, slot, false);
                }
                // What it replaces is older by at least one.
                deeds.deleted.push((timestamp.saturating_sub(1), n));
            }
            let deletes = match op {
                Op::DeleteCells { row: r, columns, .. } => row == Some(*r) && columns.contains(&id),
                Op::DeleteRow { row: r, .. } => row == Some(*r),
                Op::DeleteSlice { slice, .. } => row.is_some_and(|r| table.rows_of(slice).contains(&r)),
                Op::DeletePartition { .. } => true,
                _ => false,
            };
            if deletes {
                deeds.deleted.push((timestamp, n));
            }
        }
    }
    let surely = deeds.deleted.iter().filter(|(_, n)| writers[*n].sure);
    if let Some(upto) = surely.map(|(upto, _)| *upto).max() {
        deeds.added.retain(|added| added.timestamp > upto);
    }
    deeds
}

/// What is wrong with a list: what must be, and the visits that say so.
type Wrong = Option<(String, Vec<Lts>)>;

/// An element that is shown too often or not often enough.
fn count(slots: &Elements<'_>, shown: &[usize], deeds: &Deeds, writers: &[Writer]) -> Wrong {
    let perhaps = deeds.deleted.iter().map(|(upto, _)| *upto).max();
    let surely = |added: &&Added| writers[added.at.0].sure && perhaps.is_none_or(|t| added.timestamp > t);
    for slot in 0..slots.slots() {
        let all = || deeds.added.iter().filter(move |added| added.slot == slot);
        let seen = shown.iter().filter(|s| **s == slot).count();
        let (least, most) = (all().filter(surely).count(), all().count());
        if (least..=most).contains(&seen) {
            continue;
        }
        let key = slots.key(slot).expect("an element of a list");
        let times = if least == most {
            format!("a list with {key} {least} times")
        } else {
            format!("a list with {key} {least} to {most} times")
        };
        let mut proof: Vec<Lts> = all().map(|added| writers[added.at.0].visit.lts).collect();
        proof.dedup();
        return Some((times, proof));
    }
    None
}

/// Two elements that stand in an order that nobody can have given them.
fn order(case: &Case<'_>, slots: &Elements<'_>, shown: &[usize], deeds: &Deeds, writers: &[Writer]) -> Wrong {
    let node = |writer: &Writer| stamp(&writer.visit).node;
    let mut used = deeds.added.iter().map(|added| node(&writers[added.at.0]));
    let first = used.next()?;
    let one_clock = case.racing.semantics.replicas <= 1 && used.all(|node| node == first);
    let may_precede = |x: &Added, y: &Added| {
        let ((a, _, _), (b, _, _)) = (x.at, y.at);
        match (x.in_front, y.in_front) {
            (true, false) => true,
            (false, true) => false,
            (false, false) if a == b => x.at < y.at,
            // What a later statement adds stands in front of it.
            (true, true) if a == b => (y.at.1, x.at.2) < (x.at.1, y.at.2),
            _ if !one_clock => true,
            (false, false) => writers[b].by >= writers[a].from,
            (true, true) => writers[a].by >= writers[b].from,
        }
    };
    for (i, x) in shown.iter().enumerate() {
        for y in shown[i + 1..].iter().filter(|y| *y != x) {
            let all = |slot: usize| deeds.added.iter().filter(move |added| added.slot == slot);
            if all(*x).any(|x| all(*y).any(|y| may_precede(x, y))) {
                continue;
            }
            let key = |slot| slots.key(slot).expect("an element of a list");
            let mut proof: Vec<Lts> = all(*x)
                .chain(all(*y))
                .map(|a| writers[a.at.0].visit.lts)
                .collect();
            proof.sort_unstable();
            proof.dedup();
            return Some((format!("a list with {} before {}", key(*y), key(*x)), proof));
        }
    }
    None
}
