//! The second judge: the same questions, answered the long way.
//!
//! It plays every visit of a partition from the first one, keeps values instead of descriptors, tries every subset of the
//! overlapping visits at every point of the snapshot, and evaluates each query with plain loops. It shares no code with
//! the first judge but the nouns (C2): where the two disagree, one of them is wrong, and that is our fault, not the
//! database's.

pub(crate) mod lists;
pub(crate) mod query;
pub(crate) mod race;
pub(crate) mod racing;
pub(crate) mod state;

use crate::judge::Judge;
use crate::judged::{Explanation, Judged, Probe, Settled};
use crate::settle;
use datagen::schema::{Schema, SizeClass};
use datagen::value::Value;
use history::{
    Affected, Answer, Answered, Atomic, Discipline, End, Finding, Kind, Lts, Op, Part, Parts, Query,
    ReasonKind, Rows, Shape, Snapshot, Span, State, Step, Tick, Visit,
};
use state::Content;
use std::collections::{BTreeMap, BTreeSet};

/// Overlapping visits of which every subset is tried.
const OPEN_MAX: usize = 12;

/// Answers that are judged again to confirm one finding about several.
const EVIDENCE_MAX: usize = 256;

const LOST: &str = "its answer is no longer held";
const TOO_MANY: &str = "more overlapping visits than the twin tries";

/// When a visit may have become visible.
#[derive(Debug, Clone, Copy)]
struct Window {
    from: Tick,
    by: Tick,
}

/// The overlapping visits.
type Open = BTreeMap<Lts, Window>;

/// Sets of them under which an answer is right.
type Sets = Vec<BTreeSet<Lts>>;

/// A partition's writers up to a snapshot, in order.
type Line = Vec<Writer>;

/// One writer of a partition.
struct Writer {
    visit: Visit,
    /// It must be visible; else it may be.
    must: bool,
    /// Somebody said that it happened.
    known: bool,
}

/// One answer alone.
enum Alone {
    NotCompared(&'static str),
    Wrong,
    Fits(Open, Sets),
}

/// See [`Judge::again`].
pub(crate) fn again(judge: &Judge, evidence: &mut dyn Iterator<Item = Answered>, f: &Finding) -> Judged {
    let shown_by = match &f.shape {
        Shape::NotMonotonic { shown_by, .. } => Some(*shown_by),
        _ => None,
    };
    let related = |a: &Answered| {
        a.span.sent <= f.span.answered && f.snapshot.sent <= a.span.answered || Some(a.address) == shown_by
    };
    let mut held: Vec<Answered> = Vec::new();
    for a in evidence {
        let named = a.address == f.read || Some(a.address) == shown_by;
        if named || (related(&a) && held.len() < EVIDENCE_MAX) {
            held.push(a);
        }
    }
    let Some(read) = held.iter().find(|a| a.address == f.read && a.span == f.span) else {
        return Judged::NotCompared(LOST);
    };
    let confirmed = || Judged::Broken(Box::new(f.clone()));
    if judge.options.discipline == Discipline::Lww {
        return racing::again(judge, &held, read, f);
    }
    match alone(judge, read, None, None) {
        Alone::NotCompared(why) => Judged::NotCompared(why),
        Alone::Wrong => confirmed(),
        Alone::Fits(open, sets) => {
            let contradicted = match &f.shape {
                Shape::NotMonotonic { .. } => match shown_by.filter(|s| held.iter().any(|a| a.address == *s))
                {
                    None => return Judged::NotCompared(LOST),
                    Some(other) => against_others(judge, &held, &[f.read, other]),
                },
                Shape::Torn { .. } => no_common_point(judge, &held, read),
                _ => false,
            };
            if contradicted {
                confirmed()
            } else {
                let explanation = Explanation {
                    overlapped: !open.is_empty(),
                    ..Explanation::default()
                };
                debug_assert!(!sets.is_empty(), "fits means that something fits");
                Judged::Explained(explanation)
            }
        }
    }
}

/// See [`Judge::settle`].
pub(crate) fn settle(judge: &Judge, unknown: Lts, probes: &[Probe]) -> Settled {
    let (mut with, mut without) = (true, true);
    for probe in probes {
        settle::rows_of(probe);
        match alone(judge, &probe.answered, Some(&probe.query), Some(unknown)) {
            Alone::NotCompared(why) => panic!("visit {unknown} cannot be settled by its probe: {why}"),
            Alone::Wrong => {
                let shape = Shape::Unreadable {
                    what: "neither state of the visit".to_owned(),
                };
                let mut f = crate::difference::simple(&probe.answered, probe.query.kind(), None, shape);
                f.kind = Kind::Durability;
                return Settled::Broken(Box::new(f));
            }
            Alone::Fits(open, sets) => {
                with &= open.contains_key(&unknown) && sets.iter().any(|s| s.contains(&unknown));
                without &= sets.iter().any(|s| !s.contains(&unknown));
            }
        }
    }
    settle::verdict(unknown, probes, with, without)
}

/// The sets of overlapping visits under which an answer is right; none when it is wrong, `None` when it is not compared.
#[cfg(test)]
pub(crate) fn sets(judge: &Judge, a: &Answered) -> Option<BTreeSet<BTreeSet<Lts>>> {
    match alone(judge, a, None, None) {
        Alone::NotCompared(_) => None,
        Alone::Wrong => Some(BTreeSet::new()),
        Alone::Fits(_, sets) => Some(sets.into_iter().collect()),
    }
}

/// Whether the last of these answers, each right alone, contradicts what the others are certain of.
#[cfg(test)]
pub(crate) fn last_contradicts(judge: &Judge, answers: &[Answered]) -> bool {
    answers
        .last()
        .is_some_and(|last| against_others(judge, answers, &[last.address]))
}

/// Every set of visits under which the answer is right, by itself.
fn alone(judge: &Judge, a: &Answered, probe: Option<&Query>, unknown: Option<Lts>) -> Alone {
    let visit = judge.history.visit(a.address.lts);
    let step_at = usize::from(a.address.step);
    let (step, visit) = match (probe, visit) {
        (Some(query), _) => (Step::Read(query.clone()), None),
        (None, Some(visit)) => match visit.steps.get(step_at) {
            Some(step) => (step.clone(), Some(visit)),
            None => return Alone::NotCompared("its visit is a hole of the plan"),
        },
        (None, None) => return Alone::NotCompared("its visit is a hole of the plan"),
    };
    let schema = judge.history.schema(a.address.lts);
    let parts = match &step {
        Step::Write(op) => vec![op.part()],
        Step::Read(query) => parts_of(query, &schema),
        Step::Savepoint(_) | Step::RollbackTo(_) | Step::Change(_) => {
            return Alone::Fits(BTreeMap::new(), vec![BTreeSet::new()]);
        }
    };
    match (&a.answer, &step) {
        (Answer::Unknown(_), _) => return Alone::NotCompared("no answer came"),
        (Answer::Refused(r), Step::Write(_)) if r.kind == ReasonKind::Duplicate => {}
        (Answer::Refused(_), _) => return Alone::NotCompared("refused, for another reason than its key"),
        (Answer::Affected(_), Step::Write(Op::Insert { strict: true, .. })) => {}
        (Answer::Affected(_), Step::Write(_)) if judge.semantics.affected == Affected::NotReported => {
            return Alone::NotCompared("the target reports no affected counts");
        }
        _ => {}
    }
    let owns = |part: &Part| visit.as_ref().is_some_and(|v| v.writes.contains(part));
    if !judge.claim.hidden_until_commit && unknown.is_none() && !parts.iter().all(owns) {
        return Alone::NotCompared("the claim does not hide uncommitted data");
    }
    let mut open: Open = BTreeMap::new();
    let mut lines: Vec<(Part, Line)> = Vec::new();
    for part in &parts {
        match writers(judge, *part, a, owns(part), unknown, &mut open) {
            Ok(line) => lines.push((*part, line)),
            Err(why) => return Alone::NotCompared(why),
        }
    }
    if judge.claim.atomic != Atomic::Visit
        && unknown.is_none()
        && !open.is_empty()
        && matches!(step, Step::Read(_))
    {
        return Alone::NotCompared("the claim does not show a visit as a whole");
    }
    if open.len() > OPEN_MAX {
        return Alone::NotCompared(TOO_MANY);
    }
    let names: Vec<Lts> = open.keys().copied().collect();
    let mut fits = Vec::new();
    for bits in 0u32..1 << names.len() {
        let set: BTreeSet<Lts> = names
            .iter()
            .enumerate()
            .filter(|(i, _)| bits >> i & 1 == 1)
            .map(|(_, l)| *l)
            .collect();
        if !in_partition_order(&lines, &set) || points(&open, &set, a.snapshot).is_empty() {
            continue;
        }
        let mut contents: BTreeMap<Part, Content> = BTreeMap::new();
        for (part, line) in &lines {
            let table = schema.table(part.table);
            let mut content = Content::default();
            for Writer {
                visit: writer, must, ..
            } in line
            {
                if *must || set.contains(&writer.lts) {
                    content.play(table, *part, &writer.steps, &judge.semantics);
                }
            }
            if let Some(v) = visit.as_ref().filter(|_| owns(part)) {
                content.play(table, *part, &v.steps[..step_at], &judge.semantics);
            }
            contents.insert(*part, content);
        }
        let right = match (&step, &a.answer) {
            (Step::Read(query), Answer::Rows(rows)) => decode(rows)
                .is_some_and(|rows| query::gives(query, &schema, &contents, &rows, &judge.semantics, false)),
            (Step::Write(op), answer) => writes(judge, op, &schema, &mut contents, answer),
            _ => false,
        };
        if right {
            fits.push(set);
        }
    }
    if fits.is_empty() {
        Alone::Wrong
    } else {
        Alone::Fits(open, fits)
    }
}

/// Whether a write may answer this.
fn writes(
    judge: &Judge,
    op: &Op,
    schema: &Schema,
    contents: &mut BTreeMap<Part, Content>,
    answer: &Answer,
) -> bool {
    let content = contents.get_mut(&op.part()).expect("made for the write");
    let (strict, there) = match op {
        Op::Insert { strict, row, .. } => (*strict, content.rows.contains_key(row)),
        _ => (false, false),
    };
    let n = content.apply(schema.table(op.part().table), op, &judge.semantics);
    match answer {
        Answer::Refused(_) => strict && there,
        Answer::Affected(_) if strict && there => false,
        Answer::Affected(seen) => judge.semantics.affected == Affected::NotReported || *seen == n,
        Answer::Rows(_) | Answer::Unknown(_) => false,
    }
}

fn parts_of(query: &Query, schema: &Schema) -> Vec<Part> {
    let positions: Vec<u64> = match &query.parts {
        Parts::One(p) => vec![*p],
        Parts::In(list) => list.clone(),
        Parts::Ring { after, upto } => {
            let table = schema.table(query.table);
            let SizeClass::Narrow { partitions } = table.size else {
                panic!("a token range of a wide table")
            };
            datagen::ring::between(table, u64::from(partitions), *after, *upto)
        }
        Parts::All => match schema.table(query.table).size {
            SizeClass::Narrow { partitions } => (0..u64::from(partitions)).collect(),
            SizeClass::Wide => panic!("a read of a whole wide table"),
        },
    };
    positions
        .into_iter()
        .map(|position| Part {
            table: query.table,
            position,
        })
        .collect()
}

/// The writers of a partition up to the snapshot.
fn writers(
    judge: &Judge,
    part: Part,
    a: &Answered,
    own: bool,
    unknown: Option<Lts>,
    open: &mut Open,
) -> Result<Line, &'static str> {
    let mut line: Line = Vec::new();
    let mut at = Lts(0);
    while let Some(lts) = judge.history.writer_after(part, at) {
        at = lts;
        if own && lts >= a.address.lts {
            break;
        }
        let track = judge.tracker.get(lts);
        let state = if unknown == Some(lts) {
            State::Unknown
        } else {
            track.state
        };
        let begun = track.visible_from < a.snapshot.answered;
        let (must, by) = match state {
            State::Waiting => break,
            State::Rejected | State::Skipped => continue,
            State::Open if begun => return Err(crate::span::STILL_OPEN),
            State::Open => continue,
            State::Unknown if begun => (false, Tick(u64::MAX)),
            State::Committed if own => (true, track.visible_by),
            State::Committed if begun => {
                let mine = track.session == a.session;
                let before = track.visible_by < a.snapshot.sent;
                let by = if judge.claim.real_time {
                    track.visible_by
                } else {
                    Tick(u64::MAX)
                };
                (before && (mine || judge.claim.real_time), by)
            }
            State::Unknown | State::Committed => continue,
        };
        let Some(visit) = judge.history.visit(lts) else {
            continue;
        };
        if state == State::Unknown && visit.end == End::Rollback {
            continue;
        }
        if must {
            // What precedes a visit that must be seen, must be seen too, unless nobody knows whether it happened.
            for earlier in &mut line {
                if earlier.known && !earlier.must {
                    earlier.must = true;
                    open.remove(&earlier.visit.lts);
                }
            }
        } else {
            open.insert(
                lts,
                Window {
                    from: track.visible_from,
                    by,
                },
            );
        }
        line.push(Writer {
            visit,
            must,
            known: state == State::Committed,
        });
    }
    Ok(line)
}

/// No known writer is out whose successor in the partition is in.
fn in_partition_order(lines: &[(Part, Line)], set: &BTreeSet<Lts>) -> bool {
    lines.iter().all(|(_, line)| {
        let ins: Vec<bool> = line
            .iter()
            .filter(|w| w.known)
            .map(|w| w.must || set.contains(&w.visit.lts))
            .collect();
        !ins.windows(2).any(|w| !w[0] && w[1])
    })
}

/// The points of a snapshot at which exactly a set of the overlapping visits may be visible. A point lies between two
/// ticks: twice the tick before it, plus one.
fn points(open: &Open, set: &BTreeSet<Lts>, snapshot: Span) -> Vec<u128> {
    let twice = |t: Tick| 2 * u128::from(t.0);
    let mut ticks: Vec<Tick> = vec![snapshot.sent];
    ticks.extend(open.values().flat_map(|w| [w.from, w.by]));
    let inside = |t: &u128| twice(snapshot.sent) < *t && *t < twice(snapshot.answered);
    let agrees = |t: &u128| {
        open.iter().all(|(lts, w)| {
            let (done, begun) = (twice(w.by) < *t, twice(w.from) < *t);
            if set.contains(lts) { begun } else { !done }
        })
    };
    ticks
        .into_iter()
        .map(|t| twice(t) + 1)
        .filter(|t| inside(t) && agrees(t))
        .collect()
}

/// An answer that something overlaps: what is open, and the sets of visits under which it is what was seen.
type Fitting<'a> = (&'a Answered, Open, Sets);

/// The held answers that something overlaps, and that fit alone.
fn fitting<'a>(judge: &Judge, held: &'a [Answered]) -> Vec<Fitting<'a>> {
    held.iter()
        .filter_map(|a| match alone(judge, a, None, None) {
            Alone::Fits(open, sets) if !open.is_empty() => Some((a, open, sets)),
            _ => None,
        })
        .collect()
}

/// What is open to an answer, given what `others` are certain of.
fn narrowed<'a>(
    judge: &Judge,
    (a, open, _): &Fitting<'_>,
    others: impl Iterator<Item = &'a Fitting<'a>>,
) -> Open {
    let mut narrowed = open.clone();
    for (other, others, choices) in others {
        if !judge.claim.real_time && (other.session != a.session || other.span.answered > a.span.answered) {
            continue;
        }
        for lts in others.keys() {
            let Some(window) = narrowed.get_mut(lts) else {
                continue;
            };
            if choices.iter().all(|s| s.contains(lts)) {
                window.by = window.by.min(other.snapshot.answered);
            } else if judge.claim.real_time && choices.iter().all(|s| !s.contains(lts)) {
                window.from = window.from.max(other.snapshot.sent);
            }
        }
    }
    narrowed
}

/// Whether one of the named answers has no set left, given what all others are certain of.
fn against_others(judge: &Judge, held: &[Answered], named: &[history::Address]) -> bool {
    let all = fitting(judge, held);
    all.iter()
        .filter(|(a, ..)| named.contains(&a.address))
        .any(|one| {
            let (a, _, sets) = one;
            let others = all.iter().filter(|(other, ..)| other.address != a.address);
            let narrowed = narrowed(judge, one, others);
            sets.iter()
                .all(|set| points(&narrowed, set, a.snapshot).is_empty())
        })
}

/// Whether the reads of one transaction have no point in common, given what all other answers are certain of.
fn no_common_point(judge: &Judge, held: &[Answered], read: &Answered) -> bool {
    if judge.claim.snapshot == Snapshot::Statement {
        return false;
    }
    let of_transaction = |a: &Answered| {
        (a.address.lts, a.address.attempt, a.snapshot)
            == (read.address.lts, read.address.attempt, read.snapshot)
            && a.span.answered <= read.span.answered
    };
    let all = fitting(judge, held);
    let (ours, others): (Vec<_>, Vec<_>) = all.iter().partition(|(a, ..)| of_transaction(a));
    let reads: Vec<(Open, Sets)> = ours
        .into_iter()
        .map(|one| (narrowed(judge, one, others.iter().copied()), one.2.clone()))
        .collect();
    let mut every: Vec<u128> = reads
        .iter()
        .flat_map(|(open, sets)| sets.iter().flat_map(|s| points(open, s, read.snapshot)))
        .collect();
    // A point of one read's own ticks is as good as its neighbours: all reads' ticks together are enough.
    let ticks: Vec<Tick> = reads
        .iter()
        .flat_map(|(open, _)| open.values().flat_map(|w| [w.from, w.by]))
        .collect();
    every.extend(ticks.iter().map(|t| 2 * u128::from(t.0) + 1));
    every.push(2 * u128::from(read.snapshot.sent.0) + 1);
    !every
        .iter()
        .any(|t| joint(&reads, *t, read.snapshot, &mut BTreeMap::new()))
}

/// Whether each read has a set that is possible at the point, all agreeing about the visits they share.
fn joint(reads: &[(Open, Sets)], t: u128, snapshot: Span, decided: &mut BTreeMap<Lts, bool>) -> bool {
    let Some(((open, sets), rest)) = reads.split_first() else {
        return true;
    };
    let twice = |t: Tick| 2 * u128::from(t.0);
    if t < twice(snapshot.sent) || t > twice(snapshot.answered) {
        return false;
    }
    sets.iter().any(|set| {
        let possible = open.iter().all(|(lts, w)| {
            let inside = set.contains(lts);
            let agrees = decided.get(lts).is_none_or(|d| *d == inside);
            agrees
                && if inside {
                    twice(w.from) < t
                } else {
                    twice(w.by) > t
                }
        });
        if !possible {
            return false;
        }
        let mut more = decided.clone();
        more.extend(open.keys().map(|lts| (*lts, set.contains(lts))));
        joint(rest, t, snapshot, &mut more)
    })
}

/// The values of an answer; `None` where it cannot be read.
pub(crate) fn decode(rows: &Rows) -> Option<Vec<Vec<Value>>> {
    rows.iter()
        .map(|mut row| {
            let mut values = Vec::new();
            while !row.is_empty() {
                values.push(Value::decode(&mut row).ok()?);
            }
            Some(values)
        })
        .collect()
}
