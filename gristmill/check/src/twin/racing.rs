//! The second judge where visits race: every subset of what may be visible, each time all writes looked at anew.

use super::race::{Did, Race, Written, written};
use super::{Explanation, decode, lists, parts_of, query};
use crate::judge::Judge;
use crate::judged::Judged;
use crate::twin::state::{Content, is_in};
use datagen::schema::{ColumnId, Place, Schema, Table};
use datagen::value::Value;
use history::{Answer, Answered, Atomic, Finding, Lts, Op, Part, Select, Shape, State, Step, Tick, Visit};
use std::collections::{BTreeMap, BTreeSet};

/// Things that may or may not be, of which every subset is tried.
const OPEN_MAX: usize = 12;

const TOO_MANY: &str = "more overlapping visits than the twin tries";
const LOST: &str = "its answer is no longer held";
const PAGED: &str = "the twin does not cut answers into pages";
const DOUBT: &str = "two expiring values with one timestamp";
const REOPENED: &str = "a deleted counter that may still have been added to";
const ORDERS: &str = "all calls of a partition together are judged once";
const OPEN: &str = "a visit that overlaps it is still open";

/// Something that may or may not be: a visit (0), its values' expiry (1), or one of its effects (from 2).
pub(crate) type Unit = (Lts, usize);

/// Under which subsets an answer is right.
#[derive(Debug)]
pub(crate) enum Alone {
    NotCompared(&'static str),
    /// All units, and the subsets.
    Sets(BTreeSet<Unit>, BTreeSet<BTreeSet<Unit>>),
}

/// See [`Judge::again`].
pub(crate) fn again(judge: &Judge, held: &[Answered], read: &Answered, f: &Finding) -> Judged {
    if f.shape == Shape::NotLinearizable {
        return Judged::NotCompared(ORDERS);
    }
    let (units, sets) = match alone(judge, read) {
        Alone::NotCompared(why) => return Judged::NotCompared(why),
        Alone::Sets(units, sets) => (units, sets),
    };
    let confirmed = || Judged::Broken(Box::new(f.clone()));
    if sets.is_empty() {
        return confirmed();
    }
    if let Shape::NotMonotonic { shown_by, .. } = &f.shape {
        if !held.iter().any(|a| a.address == *shown_by) {
            return Judged::NotCompared(LOST);
        }
        if contradicts(judge, held, read, &sets) {
            return confirmed();
        }
    }
    Judged::Explained(Explanation {
        overlapped: !units.is_empty(),
        ..Explanation::default()
    })
}

/// Whether no subset of an answer holds all that earlier answers are certain to have shown.
pub(crate) fn contradicts(
    judge: &Judge,
    held: &[Answered],
    read: &Answered,
    sets: &BTreeSet<BTreeSet<Unit>>,
) -> bool {
    let replicas = judge.semantics.replicas.max(1);
    let level = |a: &Answered| Some(judge.history.visit(a.address.lts)?.stamp?.consistency);
    let Some(mine) = level(read) else { return false };
    let mut shown: BTreeSet<Unit> = BTreeSet::new();
    for other in held.iter().filter(|o| o.snapshot.answered < read.snapshot.sent) {
        let whose = judge.claim.real_time || other.session == read.session;
        if !whose || !level(other).is_some_and(|l| mine.meets(l, replicas)) {
            continue;
        }
        if let Alone::Sets(units, sets) = alone(judge, other) {
            shown.extend(
                units
                    .into_iter()
                    .filter(|u| !sets.is_empty() && sets.iter().all(|s| s.contains(u))),
            );
        }
    }
    let Alone::Sets(units, _) = alone(judge, read) else {
        return false;
    };
    let required: Vec<Unit> = shown.into_iter().filter(|u| units.contains(u)).collect();
    !sets.iter().any(|set| required.iter().all(|u| set.contains(u)))
}

/// Every subset of what may be visible under which the answer is right, by itself.
pub(crate) fn alone(judge: &Judge, a: &Answered) -> Alone {
    let Some(visit) = judge.history.visit(a.address.lts) else {
        return Alone::NotCompared("its visit is a hole of the plan");
    };
    let (Some(Step::Read(query)), Answer::Rows(rows)) =
        (visit.steps.get(usize::from(a.address.step)), &a.answer)
    else {
        return Alone::NotCompared("no rows were asked for, or none came");
    };
    let schema = judge.history.schema(a.address.lts);
    let mut must: BTreeMap<Part, Vec<Written>> = BTreeMap::new();
    let mut may: Vec<(Part, Visit)> = Vec::new();
    for part in parts_of(query, &schema) {
        let list = must.entry(part).or_default();
        if let Err(why) = sort(judge, part, &visit, a, list, &mut may) {
            return Alone::NotCompared(why);
        }
    }
    if must
        .iter()
        .any(|(part, list)| reopened(judge, schema.table(part.table), (*part, list), &may, a))
    {
        return Alone::NotCompared(REOPENED);
    }
    let paged =
        judge.claim.atomic != Atomic::Visit && query.extras.page.is_some_and(|n| rows.len() >= n as usize);
    let by_index = judge.options.may_use_index(&judge.claim, query, &schema);
    if paged && !by_index && !may.is_empty() {
        return Alone::NotCompared(PAGED);
    }
    let mut units: Vec<(Unit, Part, Vec<Written>)> = Vec::new();
    let theirs = may.iter().flat_map(|(part, writer)| written(writer, *part));
    let mut known: Vec<u64> = must
        .values()
        .flatten()
        .cloned()
        .chain(theirs)
        .filter_map(|w| w.op()?.row())
        .collect();
    known.sort_unstable();
    known.dedup();
    for (part, writer) in &may {
        let all = written(writer, *part);
        if judge.semantics.replicas > 1 {
            let table = schema.table(part.table);
            let pieces = all.iter().flat_map(|w| cut(w, table, &known));
            for (i, one) in summed(pieces).into_iter().enumerate() {
                units.push(((writer.lts, 2 + i), *part, vec![one]));
            }
        } else if by_index {
            let table = schema.table(part.table);
            let mut rows: BTreeMap<Option<u64>, Vec<Written>> = BTreeMap::new();
            for one in all.iter().flat_map(|w| cut(w, table, &known)) {
                rows.entry(one.op().and_then(Op::row)).or_default().push(one);
            }
            // What one fetch of a row saw says nothing to other reads.
            let own = usize::try_from(a.address.lts.0 + 1)
                .unwrap_or(usize::MAX)
                .saturating_mul(1 << 20);
            for (i, writes) in rows.into_values().enumerate() {
                units.push(((writer.lts, own.saturating_add(i)), *part, writes));
            }
        } else if !all.is_empty() {
            units.push(((writer.lts, 0), *part, all));
        }
    }
    let mut expiring: BTreeSet<(Lts, u32)> = BTreeSet::new();
    let everything = || must.values().flatten().chain(units.iter().flat_map(|(.., w)| w));
    expiring.extend(everything().filter_map(|w| Some((w.lts, w.ttl?))));
    let mut gone: BTreeSet<Lts> = BTreeSet::new();
    for (lts, ttl) in expiring {
        match is_gone(judge, lts, ttl, a) {
            Some(true) => drop(gone.insert(lts)),
            Some(false) => {}
            None => units.push((
                (lts, 1),
                Part {
                    table: 0,
                    position: 0,
                },
                Vec::new(),
            )),
        }
    }
    if units.len() > OPEN_MAX {
        return Alone::NotCompared(TOO_MANY);
    }
    let ttls = ttls_of(query, &schema);
    let mut plain = query.clone();
    plain.extras.ttls = false;
    let Some(mut seen) = decode(rows).filter(|seen| seen.iter().all(|row| row.len() >= ttls)) else {
        return Alone::Sets(units.iter().map(|(u, ..)| *u).collect(), BTreeSet::new());
    };
    let left: Vec<Vec<Value>> = seen
        .iter_mut()
        .map(|row| row.split_off(row.len() - ttls))
        .collect();
    let table = schema.table(query.table);
    let raw = seen.clone();
    lists::as_sets(table, query, &mut seen);
    let mut fits = BTreeSet::new();
    for bits in 0u32..1 << units.len() {
        let chosen: Vec<&(Unit, Part, Vec<Written>)> = (0..units.len())
            .filter(|i| bits >> i & 1 == 1)
            .map(|i| &units[i])
            .collect();
        let mut expired = gone.clone();
        expired.extend(
            chosen
                .iter()
                .filter(|((_, n), ..)| *n == 1)
                .map(|((lts, _), ..)| *lts),
        );
        let mut contents: BTreeMap<Part, Content> = BTreeMap::new();
        let mut all: BTreeMap<Part, Vec<Written>> = BTreeMap::new();
        for (part, list) in &must {
            let mut writes = list.clone();
            let more = chosen.iter().filter(|(_, p, _)| p == part).flat_map(|(.., w)| w);
            writes.extend(more.cloned());
            let race = Race {
                table: schema.table(part.table),
                writes: &writes,
                expired: &expired,
                semantics: &judge.semantics,
            };
            match race.content() {
                Some(content) => drop(contents.insert(*part, content)),
                None => return Alone::NotCompared(DOUBT),
            }
            all.insert(*part, writes);
        }
        let right = query::gives(&plain, &schema, &contents, &seen, &judge.semantics, true)
            && lists::right(judge, table, query, &raw, &all);
        if right && (ttls == 0 || live(judge, &plain, &contents, (&seen, &left), a)) {
            fits.insert(chosen.iter().map(|(u, ..)| *u).collect());
        }
    }
    Alone::Sets(units.iter().map(|(u, ..)| *u).collect(), fits)
}

/// Whether a column is one cell: not of the key, and not one of which each element is a cell.
fn is_cell(table: &Table, column: ColumnId) -> bool {
    let place = matches!(table.place(column), Place::Regular(_) | Place::Shared(_));
    place && table.column(column).ty.is_dated()
}

/// How many times to live each row of the answer ends with.
fn ttls_of(query: &history::Query, schema: &Schema) -> usize {
    let table = schema.table(query.table);
    let cell = |c: &&ColumnId| is_cell(table, **c);
    match &query.select {
        Select::Columns(columns) if query.extras.ttls => columns.iter().filter(cell).count(),
        _ => 0,
    }
}

/// Whether the rows of an answer have the times to live that they may have. The answer: its rows, and the times behind each.
fn live(
    judge: &Judge,
    query: &history::Query,
    contents: &BTreeMap<Part, Content>,
    (seen, left): (&[Vec<Value>], &[Vec<Value>]),
    a: &Answered,
) -> bool {
    let schema = judge.history.schema(a.address.lts);
    let table = schema.table(query.table);
    let Select::Columns(columns) = &query.select else {
        return false;
    };
    let cells = columns.iter().filter(|c| is_cell(table, **c));
    let cells = cells.filter_map(|c| match table.place(*c) {
        Place::Regular(_) => Some((*c, true)),
        Place::Shared(_) => Some((*c, false)),
        Place::Partition(_) | Place::Clustering(_) => None,
    });
    let cells: Vec<(ColumnId, bool)> = cells.collect();
    let is_row = |(part, row, line): &query::Placed, at: usize| {
        let part = Part {
            table: query.table,
            position: *part,
        };
        let lives = |(column, regular): (ColumnId, bool), seen: &Value| {
            let place = (row.filter(|_| regular), column);
            let stands = regular && row.is_none();
            match (contents[&part].lives.get(&place).filter(|_| !stands), seen) {
                (None, Value::Null) => true,
                (Some((lts, ttl)), Value::Int(n)) => still(judge, *lts, *ttl, a).contains(n),
                _ => false,
            }
        };
        seen[at] == *line && cells.iter().zip(&left[at]).all(|(cell, seen)| lives(*cell, seen))
    };
    let (blocks, any_order) = query::in_blocks(query, &schema, contents, &judge.semantics);
    if blocks.iter().map(Vec::len).sum::<usize>() != seen.len() {
        return false;
    }
    let mut orders = vec![(Vec::new(), 0)];
    for _ in &blocks {
        let mut longer = Vec::new();
        for (order, at) in &orders {
            let next = (0..blocks.len()).filter(|i| !order.contains(i));
            for i in next.take(if any_order { usize::MAX } else { 1 }) {
                let block: &[query::Placed] = &blocks[i];
                if (*at..).zip(block).all(|(at, row)| is_row(row, at)) {
                    let mut order: Vec<usize> = order.clone();
                    order.push(i);
                    longer.push((order, at + block.len()));
                }
            }
        }
        orders = longer;
    }
    !orders.is_empty()
}

/// The seconds that a value may have still to live.
fn still(judge: &Judge, lts: Lts, ttl: u32, a: &Answered) -> std::ops::RangeInclusive<i64> {
    let all = i128::from(ttl);
    let track = judge.tracker.get(lts);
    let clock = judge.racing.as_ref().and_then(|r| r.clock());
    let at = |tick: Tick| clock.and_then(|c| (c.at)(tick)).map(i128::from);
    let slack = clock.map_or(0, |c| i128::from(c.slack));
    let second = 1_000_000_000;
    let longest = at(track.visible_from).zip(at(a.snapshot.answered));
    let longest = longest.map_or(all, |(from, end)| ((end - from).max(0) + slack) / second + 1);
    let done = at(track.visible_by).filter(|_| track.state == State::Committed);
    let shortest = done
        .zip(at(a.snapshot.sent))
        .map_or(0, |(done, begin)| ((begin - done).max(0) - slack).max(0) / second);
    let seconds = |n: i128| i64::try_from(n.max(1)).unwrap_or(i64::MAX);
    seconds(all - longest)..=seconds(all - shortest)
}

/// Sorts the writers of a partition into those that must and those that may be visible.
fn sort(
    judge: &Judge,
    part: Part,
    reader: &Visit,
    a: &Answered,
    must: &mut Vec<Written>,
    may: &mut Vec<(Part, Visit)>,
) -> Result<(), &'static str> {
    let replicas = judge.semantics.replicas.max(1);
    let reads = reader
        .stamp
        .expect("every visit has a timestamp under lww")
        .consistency;
    let (mut at, mut late) = (Lts(0), 0);
    while let Some(lts) = judge.history.writer_after(part, at) {
        at = lts;
        let track = judge.tracker.get(lts);
        let begun = track.visible_from < a.snapshot.answered;
        match track.state {
            State::Rejected | State::Skipped => continue,
            State::Open if begun => return Err(OPEN),
            State::Committed | State::Unknown if begun => late = 0,
            _ if late > judge.options.sessions => break,
            _ => {
                late += 1;
                continue;
            }
        }
        let Some(visit) = judge.history.visit(lts) else {
            continue;
        };
        let writes = visit
            .stamp
            .expect("every visit has a timestamp under lww")
            .consistency;
        let before = track.state == State::Committed && track.visible_by < a.snapshot.sent;
        let mine = judge.claim.real_time || track.session == a.session;
        let repaired = || {
            let racing = judge.racing.as_ref()?;
            racing.store.spread(track.visible_by, a.snapshot.sent)
        };
        let meet = reads.replicas(replicas) + writes.replicas(replicas) > replicas;
        if before && mine && (meet || repaired().is_some()) {
            must.extend(written(&visit, part));
        } else {
            may.push((part, visit));
        }
    }
    Ok(())
}

/// Whether a deletion of a counter met something that was added to it and may have come later, and no deletion that everybody
/// sees has come since.
fn reopened(
    judge: &Judge,
    table: &Table,
    (part, must): (Part, &[Written]),
    may: &[(Part, Visit)],
    a: &Answered,
) -> bool {
    let theirs = may.iter().filter(|(p, _)| *p == part);
    let theirs: Vec<Written> = theirs.flat_map(|(_, visit)| written(visit, part)).collect();
    let all = || must.iter().chain(&theirs).filter_map(|w| Some((w.lts, w.op()?)));
    let one = judge.semantics.replicas <= 1 && judge.claim.real_time;
    let before = |added: Lts, deleted: Lts| {
        let (added, deleted) = (judge.tracker.get(added), judge.tracker.get(deleted));
        one && added.state == State::Committed && added.visible_by < deleted.visible_from
    };
    let covers = |op: &Op, row: Option<u64>| match op {
        Op::DeletePartition { .. } => true,
        Op::DeleteRow { row: r, .. } => row == Some(*r),
        Op::DeleteSlice { slice, .. } => row.is_some_and(|row| is_in(table, row, slice)),
        _ => false,
    };
    let adds = || all().filter(|(_, op)| matches!(op, Op::Add { .. }));
    let seen = |lts: Lts| {
        let track = judge.tracker.get(lts);
        track.state == State::Committed && track.visible_by < a.snapshot.sent
    };
    adds().any(|(lts, add)| {
        let row = add.row();
        let met = all().any(|(d, op)| covers(op, row) && !before(lts, d));
        let after = |d: Lts| adds().all(|(other, op)| op.row() != row || before(other, d));
        met && !all().any(|(d, op)| covers(op, row) && seen(d) && after(d))
    })
}

/// Whether a value that expires is gone; `None`: it may be either.
fn is_gone(judge: &Judge, lts: Lts, ttl: u32, a: &Answered) -> Option<bool> {
    let clock = judge.racing.as_ref().and_then(|r| r.clock())?;
    let track = judge.tracker.get(lts);
    let life = u128::from(ttl) * 1_000_000_000;
    let slack = 1_000_000_000_u128 + u128::from(clock.slack);
    let at = |tick: Tick| (clock.at)(tick).map(u128::from);
    if let (Some(began), Some(ended)) = (at(track.visible_from), at(a.snapshot.answered))
        && ended + slack < began + life
    {
        return Some(false);
    }
    let known = track.state == State::Committed;
    if let (true, Some(done), Some(asked)) = (known, at(track.visible_by), at(a.snapshot.sent))
        && asked > done + life + slack
    {
        return Some(true);
    }
    None
}

/// Pieces of one visit, with what it adds to one counter together.
fn summed(pieces: impl Iterator<Item = Written>) -> Vec<Written> {
    let mut all: Vec<Written> = Vec::new();
    for piece in pieces {
        let Some(Op::Add { row, amounts, .. }) = piece.op() else {
            all.push(piece);
            continue;
        };
        let (column, n) = amounts[0];
        let same = all.iter_mut().find_map(|other| match &mut other.did {
            Did::Op(Op::Add { row: r, amounts, .. }) if r == row && amounts[0].0 == column => {
                Some(&mut amounts[0].1)
            }
            _ => None,
        });
        match same {
            Some(sum) => *sum = sum.wrapping_add(n),
            None => all.push(piece),
        }
    }
    all
}

/// A write as single cells, a deletion as those of the rows that were ever written.
fn cut(w: &Written, table: &Table, rows: &[u64]) -> Vec<Written> {
    let with = |op: Op| Written {
        did: Did::Op(op),
        ..w.clone()
    };
    let Some(op) = w.op() else {
        return vec![w.clone()];
    };
    let cells = |part: Part, row: Option<u64>, cells: &history::Cells| -> Vec<Written> {
        let whole = |cell| match row {
            Some(row) => with(Op::Update {
                part,
                row,
                cells: std::iter::once(cell).collect(),
            }),
            None => with(Op::Shared {
                part,
                cells: std::iter::once(cell).collect(),
            }),
        };
        let each = cells.iter().flat_map(|(column, d)| {
            let Some(elements) = table.domain(*column).elements() else {
                return vec![whole((*column, *d))];
            };
            let entries = d.map(|d| elements.split(d)).unwrap_or_default();
            let single = entries.into_iter().map(|(slot, v)| {
                with(Op::Elements {
                    part,
                    row,
                    column: *column,
                    elements: std::iter::once((u16::try_from(slot).expect("few slots"), Some(v))).collect(),
                })
            });
            std::iter::once(whole((*column, None))).chain(single).collect()
        });
        each.collect()
    };
    match op {
        Op::Insert {
            part, row, cells: c, ..
        }
        | Op::Upsert { part, row, cells: c } => {
            let alone = Op::Upsert {
                part: *part,
                row: *row,
                cells: history::Cells::new(),
            };
            let mut all = vec![with(alone)];
            all.extend(cells(*part, Some(*row), c));
            all
        }
        Op::Update { part, row, cells: c } => cells(*part, Some(*row), c),
        Op::Shared { part, cells: c } => cells(*part, None, c),
        Op::Elements {
            part,
            row,
            column,
            elements,
        } => elements
            .iter()
            .map(|element| {
                with(Op::Elements {
                    part: *part,
                    row: *row,
                    column: *column,
                    elements: std::iter::once(*element).collect(),
                })
            })
            .collect(),
        Op::DeleteCells { part, row, columns } => columns
            .iter()
            .map(|c| {
                with(Op::DeleteCells {
                    part: *part,
                    row: *row,
                    columns: vec![*c],
                })
            })
            .collect(),
        Op::Add { part, row, amounts } => amounts
            .iter()
            .map(|amount| {
                with(Op::Add {
                    part: *part,
                    row: *row,
                    amounts: std::iter::once(*amount).collect(),
                })
            })
            .collect(),
        Op::DeleteRow { .. } => vec![w.clone()],
        Op::DeleteSlice { part, slice } => {
            let covered = rows.iter().filter(|row| is_in(table, **row, slice));
            let single = covered.map(|row| Op::DeleteRow {
                part: *part,
                row: *row,
            });
            single.map(with).collect()
        }
        Op::DeletePartition { part } => {
            let single = rows.iter().map(|row| Op::DeleteRow {
                part: *part,
                row: *row,
            });
            let shared = Op::Shared {
                part: *part,
                cells: table.shared.iter().map(|c| (c.id, None)).collect(),
            };
            let shared = Written {
                deletes: true,
                ..with(shared)
            };
            single.map(with).chain(Some(shared)).collect()
        }
    }
}
