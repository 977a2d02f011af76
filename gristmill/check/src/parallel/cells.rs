//! Ledgers: tables whose every row the model knows, so that what a statement says of a row can be held against it.
//!
//! A row is a fact like any other: its values are writes of groups, with their windows (P27). A statement on one key says by
//! its count whether the row was there; a read of a range says what each row is. What was acknowledged must be seen, what was
//! rejected must not, and what is pending, or of a transaction whose end nobody heard, may be either.
//!
//! * C1 only what the span allows at no moment is a finding: the snapshot may be anywhere in it.
//! * C2 in a transaction with one snapshot the span begins with the transaction; a table that others changed since may be read
//!   empty there (P33), so nothing is compared then.
//! * C3 in such a transaction a row that it does not write itself is the same each time that it is read.

use super::facts::Thing;
use super::model::Model;
use super::oracle::Compared;
use super::print;
use super::session::InFlight;
use history::parallel::{
    Answer, Cause, CellChange, Detail, Effect, Facet, FactValue, Finding, Ledger, ObjectId, Said, Table,
    Target,
};
use history::{Kind, Level, SessionId, Span};
use std::collections::{BTreeMap, BTreeSet};

/// What a row may be in a span, but for what the op itself does.
struct May {
    values: BTreeSet<i64>,
    gone: bool,
    causes: Vec<Cause>,
}

/// What of the ledger a statement is held against.
struct Look<'a> {
    model: &'a Model,
    flight: &'a InFlight,
    thing: &'a Thing,
    of: Ledger,
    span: Span,
    by: SessionId,
}

/// What the count of touched rows says of one row, where it cannot be so. `None` where the op is no write of a ledger.
pub(super) fn written(
    model: &Model,
    flight: &InFlight,
    span: Span,
    affected: Option<u64>,
) -> Option<Finding> {
    let affected = affected?;
    flight.op.effects.iter().find_map(|effect| {
        let Effect::Cell { slot, key, change } = effect else {
            return None;
        };
        let look = Look::at(model, flight, span, *slot).ok()?;
        look.count(*key, *change, affected)
    })
}

/// The rows that a read of a ledger gave, against what they may be. `None`: it is no such read.
pub(super) fn read(
    model: &Model,
    flight: &InFlight,
    span: Span,
    answer: &Answer,
) -> Option<(Compared, Option<Finding>)> {
    let (slot, keys) = flight.op.effects.iter().find_map(|effect| match effect {
        Effect::Watch { slot, from, to } => Some((*slot, *from..=*to)),
        _ => None,
    })?;
    let table = match &answer.said {
        Said::Done {
            rows: Some(table), ..
        } if table.whole => table,
        Said::Done { .. } => return Some((Compared::Void("not all rows came back"), None)),
        Said::Refused { .. } => return Some((Compared::Void("refused"), None)),
        Said::Unknown { .. } => return Some((Compared::Void("no answer"), None)),
    };
    let look = match Look::at(model, flight, span, slot) {
        Ok(look) => look,
        Err(why) => return Some((Compared::Void(why), None)),
    };
    let filled = |keys: u64| u64::try_from(look.thing.cells.len()).is_ok_and(|n| n == keys);
    if let Detail::Ledger { keys, of } = look.thing.born.detail
        && of != Ledger::Cells
        && !filled(keys)
    {
        return Some((Compared::Void("it is not filled"), None));
    }
    let finding = match look.of {
        Ledger::Bank => look.sum(table),
        Ledger::Cells | Ledger::Counters => look
            .rows(keys.clone(), table)
            .or_else(|| look.unlike_before(keys, table)),
    };
    Some((Compared::Yes, finding))
}

/// What a transaction with one snapshot has read of a ledger stays what it reads of it. To be called once the read was compared.
pub(super) fn remember(model: &mut Model, flight: &InFlight, answer: &Answer) {
    let watched = flight.op.effects.iter().find_map(|effect| match effect {
        Effect::Watch { slot, from, to } => Some((*slot, *from..=*to)),
        _ => None,
    });
    let (
        Some((slot, keys)),
        Said::Done {
            rows: Some(table), ..
        },
    ) = (watched, &answer.said)
    else {
        return;
    };
    let Some(Target::Object { object, .. }) = flight.op.slots.get(usize::from(slot)) else {
        return;
    };
    let of = model.facts.things.get(object).map(|thing| &thing.born.detail);
    if !table.whole || !matches!(of, Some(Detail::Ledger { of, .. }) if *of != Ledger::Bank) {
        return;
    }
    let level = model.level;
    let Some(session) = model.sessions.get_mut(&flight.op.at.session) else {
        return;
    };
    if !session.is_in_transaction() || session.view.level.unwrap_or(level) < Level::RepeatableRead {
        return;
    }
    let seen = values(table);
    for key in keys {
        let now = seen.get(&key).map_or(FactValue::Gone, |n| FactValue::Number(*n));
        session.rows_seen.entry((*object, key)).or_insert(Some(now));
    }
}

/// Rows by key, where they are keys and numbers.
fn values(table: &Table) -> BTreeMap<u64, i64> {
    let row = |row: &Vec<Option<String>>| Some((cell::<u64>(row, 0)?, cell::<i64>(row, 1)?));
    table.rows.iter().filter_map(row).collect()
}

impl<'a> Look<'a> {
    fn at(model: &'a Model, flight: &'a InFlight, span: Span, slot: u8) -> Result<Self, &'static str> {
        let Some(Target::Object { object, .. }) = flight.op.slots.get(usize::from(slot)) else {
            return Err("it names no ledger");
        };
        let thing = model.facts.things.get(object).ok_or("the ledger may be gone")?;
        let Detail::Ledger { of, .. } = thing.born.detail else {
            return Err("it names no ledger");
        };
        let by = flight.op.at.session;
        let session = &model.sessions[&by];
        let level = session.view.level.unwrap_or(model.level);
        let one_snapshot = level >= Level::RepeatableRead;
        let since = session.busy.map_or(span.sent, |(since, _)| since).min(span.sent);
        let span = match one_snapshot {
            true => Span { sent: since, ..span },
            false => span,
        };
        if one_snapshot && !model.rules.one_writer && reshaped(model, *object, span, by) {
            return Err("the table was changed under an older snapshot");
        }
        Ok(Self {
            model,
            flight,
            thing,
            of,
            span,
            by,
        })
    }

    fn may(&self, key: u64) -> May {
        let mut may = May {
            values: BTreeSet::new(),
            gone: false,
            causes: Vec::new(),
        };
        let Some(cell) = self.thing.cells.get(&key) else {
            may.gone = true;
            return may;
        };
        let others = cell.without(self.flight.group);
        for candidate in others.candidates(&self.model.groups, self.span, self.by).list {
            match candidate.value {
                FactValue::Number(n) => {
                    may.values.insert(*n);
                }
                _ => may.gone = true,
            }
            may.causes.push(candidate.cause);
        }
        may
    }

    fn count(&self, key: u64, change: CellChange, affected: u64) -> Option<Finding> {
        if self.of != Ledger::Cells {
            // Their rows stay.
            let broken = matches!(change, CellChange::Add(_)) && affected != 1;
            return broken.then(|| {
                let promised = format!("row {key} is there, once");
                self.finding(
                    "count",
                    promised,
                    format!("{affected} rows were touched"),
                    Vec::new(),
                )
            });
        }
        let mut may = self.may(key);
        may.gone |= self.was_replaced(key);
        let (promised, seen) = match (change, affected) {
            (CellChange::Put(_), 0) => (
                format!("row {key} is there afterwards"),
                "no row was touched".to_owned(),
            ),
            (CellChange::Insert(_), 0) if may.values.is_empty() => (
                format!("row {key} was not there"),
                "the insert found it there".to_owned(),
            ),
            (CellChange::Insert(_), n) if n > 0 && !may.gone => {
                (format!("row {key} was there"), "it was inserted again".to_owned())
            }
            (CellChange::Set(_) | CellChange::Delete, 0) if !may.gone => {
                (format!("row {key} was there"), "no row was touched".to_owned())
            }
            (CellChange::Set(_) | CellChange::Delete, n) if n > 0 && may.values.is_empty() => (
                format!("row {key} was not there"),
                format!("{n} rows were touched"),
            ),
            (CellChange::Set(_) | CellChange::Delete | CellChange::Insert(_), n) if n > 1 => (
                format!("key {key} is that of one row"),
                format!("{n} rows were touched"),
            ),
            _ => return None,
        };
        Some(self.finding("count", promised, seen, may.causes))
    }

    /// Whether another group that overlaps has deleted the row on its way, even if it put another in its place: at READ
    /// COMMITTED a write that waited for the deleted one does not find the new one.
    fn was_replaced(&self, key: u64) -> bool {
        let groups = &self.model.groups;
        self.thing.cells.get(&key).is_some_and(|cell| {
            cell.writes.iter().any(|w| {
                let group = groups.get(w.group);
                let overlaps =
                    group.is_visible_by(self.span.answered) && !group.is_done_before(self.span.sent);
                w.value == FactValue::Gone && overlaps && Some(w.group) != self.flight.group
            })
        })
    }

    /// Whether an older snapshot may show the row that another transaction deleted since beside the one that its own put in its
    /// place: a key is unique among what is in force, not among what a snapshot shows.
    fn is_old_and_own(&self, key: u64) -> bool {
        let session = &self.model.sessions[&self.by];
        let one_snapshot = session.view.level.unwrap_or(self.model.level) >= Level::RepeatableRead;
        let own = self.thing.cells.get(&key).is_some_and(|cell| {
            cell.writes
                .iter()
                .any(|w| Some(w.group) == session.group && w.value != FactValue::Gone)
        });
        one_snapshot && own && self.was_replaced(key)
    }

    fn rows(&self, keys: std::ops::RangeInclusive<u64>, table: &Table) -> Option<Finding> {
        let mut seen: BTreeMap<u64, i64> = BTreeMap::new();
        let mut both: BTreeSet<u64> = BTreeSet::new();
        for row in &table.rows {
            let (Some(key), Some(value)) = (cell::<u64>(row, 0), cell::<i64>(row, 1)) else {
                let words: Vec<&str> = row.iter().map(|c| c.as_deref().unwrap_or("NULL")).collect();
                return Some(self.finding(
                    "row",
                    "keys and values are numbers".into(),
                    words.join(", "),
                    Vec::new(),
                ));
            };
            if !keys.contains(&key) {
                let promised = format!("keys from {} to {}", keys.start(), keys.end());
                return Some(self.finding("range", promised, format!("row {key}"), Vec::new()));
            }
            if seen.insert(key, value).is_some() {
                if self.is_old_and_own(key) {
                    both.insert(key);
                    continue;
                }
                let promised = format!("key {key} is that of one row");
                return Some(self.finding("twice", promised, "it came twice".into(), Vec::new()));
            }
        }
        keys.into_iter()
            .filter(|key| !both.contains(key))
            .find_map(|key| self.row(key, seen.get(&key).copied()))
    }

    /// A row that was another one when the same snapshot was read before.
    fn unlike_before(&self, keys: std::ops::RangeInclusive<u64>, table: &Table) -> Option<Finding> {
        let session = &self.model.sessions[&self.by];
        let seen = values(table);
        keys.into_iter().find_map(|key| {
            let before = session.rows_seen.get(&(self.thing.born.id, key))?.as_ref()?;
            let before = match before {
                FactValue::Number(n) => Some(*n),
                _ => None,
            };
            let now = seen.get(&key).copied();
            (before != now).then(|| {
                let promised = format!("row {key} as this snapshot had it before: {}", said(before));
                let mut finding = self.finding("snapshot", promised, said(now), Vec::new());
                finding.kind = Kind::Isolation;
                finding
            })
        })
    }

    /// One row as it was read; `None`: it did not come.
    fn row(&self, key: u64, seen: Option<i64>) -> Option<Finding> {
        if self.of == Ledger::Counters {
            let cell = self.thing.cells.get(&key)?;
            let (least, most) = cell.bounds(&self.model.groups, self.span, self.by);
            let fits = seen.is_some_and(|n| (least..=most).contains(&n));
            return (!fits).then(|| {
                let promised = format!("counter {key} is from {least} to {most}: what was acknowledged, and what may be on its way");
                let causes = cell.writes.iter().map(|w| self.model.groups.cause(w.group, w.at)).collect();
                self.finding("counter", promised, said(seen), causes)
            });
        }
        let may = self.may(key);
        let fits = match seen {
            Some(value) => may.values.contains(&value),
            None => may.gone,
        };
        if fits {
            return None;
        }
        let mut words: Vec<String> = may.values.iter().map(|v| format!("row {key} is {v}")).collect();
        if may.gone {
            words.push(format!("row {key} is not there"));
        }
        Some(self.finding("row", words.join(", or "), said(seen), may.causes))
    }

    /// One row: how many rows there are, and the sum of their values.
    fn sum(&self, table: &Table) -> Option<Finding> {
        let Detail::Ledger { keys, .. } = self.thing.born.detail else {
            return None;
        };
        let sum = i64::try_from(keys)
            .unwrap_or(i64::MAX)
            .saturating_mul(Ledger::BALANCE);
        let row = table.rows.first();
        let seen = row.and_then(|row| Some((cell::<u64>(row, 0)?, cell::<i64>(row, 1)?)));
        (seen != Some((keys, sum)) || table.rows.len() != 1).then(|| {
            let words = match seen {
                Some((n, sum)) => format!("{n} rows, {sum}"),
                None => "no such row".to_owned(),
            };
            self.finding(
                "sum",
                format!("{keys} rows, {sum}: what one gains another loses"),
                words,
                Vec::new(),
            )
        })
    }

    fn finding(&self, what: &str, promised: String, seen: String, mut causes: Vec<Cause>) -> Finding {
        causes.truncate(3);
        let op = &self.flight.op;
        let mut evidence = print::evidence(self.model, self.flight, self.span, &[]);
        evidence.splice(0..0, causes.iter().map(|cause| print::cause(self.model, cause)));
        Finding {
            kind: Kind::WrongResult,
            signature: format!("ledger/{what}/{}", op.kind),
            at: op.at,
            action: op.kind.to_string(),
            span: self.span,
            sql: self.flight.sql.to_string(),
            code: String::new(),
            text: String::new(),
            promised,
            seen,
            evidence,
            asked: Vec::new(),
            guess: false,
        }
    }
}

/// Whether another session may have changed the table, not only its rows, in the span.
fn reshaped(model: &Model, id: ObjectId, span: Span, by: SessionId) -> bool {
    let changed = |facet: &Facet| !matches!(facet, Facet::Cell(_));
    model.groups.iter().any(|(_, group)| {
        group.session != by
            && group.is_at_work_in(span)
            && group.wrote.iter().any(|(of, facet)| *of == id && changed(facet))
    })
}

fn cell<T: std::str::FromStr>(row: &[Option<String>], at: usize) -> Option<T> {
    row.get(at)?.as_deref()?.parse().ok()
}

fn said(value: Option<i64>) -> String {
    value.map_or_else(|| "no row came".to_owned(), |n| format!("it came as {n}"))
}
