//! A history that is written down: visits in a list instead of a function of a seed. What files hold, tests build and the
//! shrinker ends in (F23).
//!
//! ```text
//! lines, in the order in which visits begin ──▶ visit by lts, writers by partition ──▶ Regenerate
//! ```
//! What is not in the list was never there: the model has the same holes as the run, because both read the list.
//!
//! Invariants, checked when it is made:
//! * E1 every visit has an lts of its own, from 1 to [`LTS_MAX`], and a session from 1.
//! * E2 of two visits that write one partition, the one that begins first has the smaller lts.
//! * E3 a visit may be beside an earlier one only if that has not ended: nothing that began in between needed its end, and it
//!   belongs to another session.
//! * E4 every visit fits the schema: its tables, columns, positions and descriptors are there, and its statements are such
//!   as a target can be sent.
//! * E5 a column is dropped when it is there, and nothing names it until it is added again; nor does a write whose timestamp
//!   is not above the drop's at any time after it: what becomes of such a cell depends on when the database puts its files in
//!   order. A drop's timestamp is not below that of any write of the column before it: Cassandra cannot read what is left.

mod fit;
#[cfg(test)]
mod tests;

use crate::{Change, ChangeKind, Lts, Part, Regenerate, SessionId, Step, Visit};
use datagen::schema::{ColumnId, Schema};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// The greatest lts of a written history: what becomes of visits is kept in a file of sixteen bytes each.
pub const LTS_MAX: u64 = 1 << 40;

/// One visit of a written history. As text: `s2 14 beside 12: read t0/17 select c3 | auto`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Line {
    /// Who does it.
    pub session: SessionId,
    /// What is done. `writes` is what the steps write.
    pub visit: Visit,
    /// For each step the number by which lies and faults know it: 0, 1, 2, … but where steps were taken out.
    pub numbers: Vec<u16>,
    /// Visits above that may still be open when this one begins; all others above have ended. Sorted.
    pub beside: Vec<Lts>,
}

impl Line {
    /// A visit whose steps have the numbers 0, 1, 2, …, after everything above.
    pub fn new(session: SessionId, visit: Visit) -> Line {
        let numbers = (0..).take(visit.steps.len()).collect();
        Line {
            session,
            visit,
            numbers,
            beside: Vec::new(),
        }
    }

    /// The same with other steps, each with its number. `None` where nothing is left that a visit could be.
    #[must_use]
    pub fn with_steps(&self, steps: Vec<(u16, Step)>) -> Option<Line> {
        let (numbers, steps): (Vec<u16>, Vec<Step>) = steps.into_iter().unzip();
        let does = |step: &Step| matches!(step, Step::Write(_) | Step::Read(_) | Step::Change(_));
        if !steps.iter().any(does) {
            return None;
        }
        let writes = written(&steps);
        let visit = Visit {
            steps,
            writes,
            ..self.visit.clone()
        };
        Some(Line {
            visit,
            numbers,
            ..self.clone()
        })
    }
}

/// The partitions that the steps write, sorted, none twice.
pub fn written(steps: &[Step]) -> Vec<Part> {
    let ops = steps.iter().filter_map(|step| match step {
        Step::Write(op) => Some(op.part()),
        _ => None,
    });
    let parts: BTreeSet<Part> = ops.collect();
    parts.into_iter().collect()
}

impl TryFrom<String> for Line {
    type Error = crate::notation::NotationError;

    fn try_from(text: String) -> Result<Line, Self::Error> {
        text.parse()
    }
}

impl From<Line> for String {
    fn from(line: Line) -> String {
        line.to_string()
    }
}

/// What is wrong with one line of a written history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// Which, from 0.
    pub line: usize,
    /// The visit.
    pub lts: Lts,
    /// What, and the remedy.
    pub what: String,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "visit {}: {}", self.lts, self.what)
    }
}

/// A written history; see the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explicit {
    schema: Arc<Schema>,
    lines: Vec<Line>,
    at: BTreeMap<Lts, usize>,
    /// Ascending.
    writers: BTreeMap<Part, Vec<Lts>>,
    /// Changes of the schema, ascending.
    changes: Vec<(Lts, Change)>,
}

impl Explicit {
    /// A history of these visits, in the order in which they begin.
    ///
    /// # Errors
    /// Everything that breaks E1 to E4, line by line.
    pub fn new(schema: Arc<Schema>, lines: Vec<Line>) -> Result<Explicit, Vec<Misfit>> {
        let misfits = misfits(&schema, &lines);
        if !misfits.is_empty() {
            return Err(misfits);
        }
        let mut at = BTreeMap::new();
        let mut writers: BTreeMap<Part, Vec<Lts>> = BTreeMap::new();
        for (n, line) in lines.iter().enumerate() {
            at.insert(line.visit.lts, n);
            for part in &line.visit.writes {
                // E2: the order of the lines is that of the numbers.
                writers.entry(*part).or_default().push(line.visit.lts);
            }
        }
        let mut changes: Vec<(Lts, Change)> = lines
            .iter()
            .filter_map(|line| Some((line.visit.lts, *line.visit.change()?)))
            .collect();
        changes.sort_unstable_by_key(|(lts, _)| *lts);
        Ok(Explicit {
            changes,
            schema,
            lines,
            at,
            writers,
        })
    }

    /// The visits, in the order in which they begin.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The greatest lts; 0 where there is no visit.
    pub fn last(&self) -> Lts {
        self.at.last_key_value().map_or(Lts(0), |(lts, _)| *lts)
    }

    /// The visits that drop a column of a table, ascending.
    fn drops(&self, table: u16) -> impl DoubleEndedIterator<Item = Lts> {
        let drops = move |c: &Change| c.table == table && c.what == ChangeKind::DropColumn;
        let all = self.changes.iter();
        all.filter(move |(_, change)| drops(change)).map(|(lts, _)| *lts)
    }

    /// The greatest number of a session.
    pub fn sessions(&self) -> u16 {
        self.lines.iter().map(|l| l.session.0).max().unwrap_or(0)
    }
}

impl Regenerate for Explicit {
    fn schema(&self, _at: Lts) -> Arc<Schema> {
        Arc::clone(&self.schema)
    }

    fn visit(&self, lts: Lts) -> Option<Visit> {
        self.at.get(&lts).map(|n| self.lines[*n].visit.clone())
    }

    fn from(&self, lts: Lts) -> Option<Lts> {
        self.at.range(lts..).next().map(|(lts, _)| *lts)
    }

    fn number(&self, lts: Lts, step: u16) -> u16 {
        let numbers = self.at.get(&lts).map(|n| &self.lines[*n].numbers);
        // BEGIN, COMMIT and probes are no steps of the visit and have the same number in every one.
        numbers
            .and_then(|numbers| numbers.get(usize::from(step)).copied())
            .unwrap_or(step)
    }

    fn away(&self, table: u16, at: Lts) -> Vec<ColumnId> {
        let mut away = BTreeSet::new();
        for (_, change) in self
            .changes
            .iter()
            .filter(|(lts, c)| *lts <= at && c.table == table)
        {
            match change.what {
                ChangeKind::DropColumn => _ = away.insert(change.column),
                ChangeKind::AddColumn => _ = away.remove(&change.column),
                ChangeKind::CreateIndex | ChangeKind::DropIndex => {}
            }
        }
        away.into_iter().collect()
    }

    fn changes(&self, until: Lts) -> Vec<Lts> {
        let all = self
            .changes
            .iter()
            .filter(|(lts, change)| *lts <= until && change.what.is_alone());
        all.map(|(lts, _)| *lts).collect()
    }

    fn writer_after(&self, part: Part, lts: Lts) -> Option<Lts> {
        let writers = self.writers.get(&part).map_or(&[][..], Vec::as_slice);
        let next = writers.get(writers.partition_point(|w| *w <= lts)).copied();
        let dropped = self.drops(part.table).find(|drop| *drop > lts);
        next.into_iter().chain(dropped).min()
    }

    fn writer_before(&self, part: Part, lts: Lts) -> Option<Lts> {
        let writers = self.writers.get(&part).map_or(&[][..], Vec::as_slice);
        let before = writers.partition_point(|w| *w < lts).checked_sub(1);
        let dropped = self.drops(part.table).rfind(|drop| *drop < lts);
        before.map(|n| writers[n]).max(dropped)
    }
}

fn misfits(schema: &Schema, lines: &[Line]) -> Vec<Misfit> {
    let mut out = Vec::new();
    let mut seen: BTreeMap<Lts, SessionId> = BTreeMap::new();
    let mut writers: BTreeMap<Part, Lts> = BTreeMap::new();
    // Visits above that nothing has needed the end of yet.
    let mut open: BTreeSet<Lts> = BTreeSet::new();
    for (n, line) in lines.iter().enumerate() {
        let lts = line.visit.lts;
        let mut misfit = |what: String| out.push(Misfit { line: n, lts, what });
        if lts.0 == 0 || lts.0 > LTS_MAX {
            misfit(format!("visits are numbered from 1 to {LTS_MAX}"));
        }
        if line.session.0 == 0 {
            misfit("sessions are numbered from 1".to_owned());
        }
        for other in &line.beside {
            match seen.get(other) {
                None => misfit(format!("it is beside {other}, which is not above it")),
                Some(session) if *session == line.session => {
                    misfit(format!(
                        "it is beside {other} of its own session, which does one after another"
                    ));
                }
                Some(_) if !open.contains(other) => misfit(format!(
                    "it is beside {other}, whose end a visit in between has waited for: say `beside {other}` there too"
                )),
                Some(_) => {}
            }
        }
        open.retain(|l| line.beside.contains(l));
        open.insert(lts);
        for part in &line.visit.writes {
            if let Some(before) = writers.insert(*part, lts).filter(|before| *before >= lts) {
                misfit(format!(
                    "visit {before} above writes {part} too: visits of one partition are numbered in their order"
                ));
            }
        }
        if seen.insert(lts, line.session).is_some() {
            misfit("there are two visits of this number".to_owned());
        }
        if line.numbers.len() != line.visit.steps.len() || !line.numbers.is_sorted_by(|a, b| a < b) {
            misfit("the numbers of its steps must rise, one for each".to_owned());
        }
        fit::check(schema, &line.visit, &mut |what| misfit(what));
    }
    out.extend(absent(lines));
    out
}

/// What breaks E5. Columns come and go in the order of the numbers: nothing runs beside a visit that drops or adds one.
fn absent(lines: &[Line]) -> Vec<Misfit> {
    let mut out = Vec::new();
    let mut away: BTreeSet<(u16, ColumnId)> = BTreeSet::new();
    let mut dropped: BTreeMap<(u16, ColumnId), i64> = BTreeMap::new();
    let mut by_number: Vec<(usize, &Visit)> = lines.iter().map(|line| &line.visit).enumerate().collect();
    by_number.sort_by_key(|(_, visit)| visit.lts);
    for (line, visit) in by_number {
        let lts = visit.lts;
        let mut misfit = |what: String| out.push(Misfit { line, lts, what });
        let names = |(table, column): &&(u16, ColumnId)| visit.names(*table, *column);
        for (table, column) in away.iter().filter(names) {
            misfit(format!(
                "column c{} of table t{table} is dropped: leave it out until it is added again",
                column.0
            ));
        }
        let timestamp = visit.stamp.map_or(i64::MIN, |stamp| stamp.timestamp);
        let late = |(key, upto): &(&(u16, ColumnId), &i64)| timestamp <= **upto && !away.contains(*key);
        let writes =
            |(key, _): &(&(u16, ColumnId), &i64)| !visit.writes.is_empty() && visit.names(key.0, key.1);
        for ((table, column), upto) in dropped.iter().filter(late).filter(writes) {
            misfit(format!(
                "it writes column c{} of table t{table} at {timestamp}, and cells up to {upto} were dropped: give it a greater timestamp",
                column.0
            ));
        }
        let Some(change) = visit.change() else { continue };
        let key = (change.table, change.column);
        if change.what == ChangeKind::DropColumn {
            let before = lines.iter().map(|line| &line.visit).filter(|v| v.lts < lts);
            let wrote = before.filter(|v| !v.writes.is_empty() && v.names(key.0, key.1));
            if let Some(newest) = wrote
                .filter_map(|v| Some(v.stamp?.timestamp))
                .max()
                .filter(|t| *t > timestamp)
            {
                misfit(format!(
                    "a visit before it writes column c{} at {newest}: drop it at that timestamp or a greater one",
                    key.1.0
                ));
            }
            dropped.insert(key, timestamp);
        }
        let fits = match change.what {
            ChangeKind::DropColumn => away.insert(key),
            // A column that is there stays as it is.
            ChangeKind::AddColumn => {
                away.remove(&key);
                true
            }
            ChangeKind::CreateIndex | ChangeKind::DropIndex => !away.contains(&key),
        };
        if !fits {
            misfit(format!(
                "column c{} of table t{} is dropped already",
                change.column.0, change.table
            ));
        }
    }
    out
}
