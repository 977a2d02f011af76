//! A data set without a database: what a run's tables hold after a visit, as files that a database loads by itself.
//!
//! ```text
//! plan, or a run's folder ─▶ the model after visit `at` ─▶ schema.sql, rows, load.sql
//! ```
//! The folder of files is the folder of a plan as well: `check` compares a database into which it was loaded.
//!
//! Invariants:
//! * D1 equal arguments make equal bytes: rows stand in the order of table, partition and key.
//! * D2 nothing is connected to.

use crate::RunError;
use crate::life::{environment, open_target, read_plan};
use crate::look::Frozen;
use crate::plan::{Length, Plan, PlanError};
use check::{PartitionState, Remains};
use datagen::value::Type;
use history::artefact::Folder;
use history::{Cells, Consistency, Discipline, End, Lts, Op, Part, Regenerate, Stamp, State, Step};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use targets::bulk::{Bulk, Dated, Sheet};
use targets::{Request, Target, Unusable};

/// What files are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One CSV file a table, for COPY and its likes.
    Csv,
    /// INSERT statements.
    Insert,
    /// Every statement that led there, in the order of the visits.
    Statements,
}

/// Where a data set comes from.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// A plan: every visit does what it planned.
    Plan(&'a Plan),
    /// A run, with what became of its visits.
    Run(&'a Folder),
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The visit whose state it is.
    pub at: Lts,
    /// Partitions, and rows in them; shared cells are a row of their own.
    pub partitions: u64,
    /// Rows.
    pub rows: u64,
    /// The files, in the order in which they were made.
    pub files: Vec<PathBuf>,
    /// The command that loads them, to be run in their folder.
    pub load: &'static str,
    /// What should be known beside it.
    pub notes: Vec<String>,
    /// What the files do not say though the source has it.
    pub lost: Option<String>,
}

/// Rows of one transaction of a script.
const AT_ONCE: u64 = 1000;

/// Makes the files in a folder that is not there yet.
///
/// Errors: the folder is there; the source has no such visit; the target has no such form.
pub fn export(source: Source<'_>, at: Option<Lts>, form: Form, into: &Path) -> Result<Exported, RunError> {
    let mut plan = match source {
        Source::Plan(plan) => plan.clone(),
        Source::Run(folder) => read_plan(folder)?,
    };
    let frozen = match (source, at, plan.length) {
        (Source::Run(folder), at, _) => Frozen::of(folder, &plan, at)?,
        (Source::Plan(plan), Some(at), _) => Frozen::planned(plan, at)?,
        (Source::Plan(plan), None, Length::Visits(visits)) => Frozen::planned(plan, Lts(visits))?,
        (Source::Plan(_), None, _) => {
            return Err(unusable(
                &plan,
                "no visit was named to end with",
                "give --at LTS or --visits N",
            ));
        }
    };
    if into.exists() {
        let what = format!("{} is there already", into.display());
        return Err(unusable(
            &plan,
            &what,
            "name a folder that is not: nothing is overwritten",
        ));
    }
    let target = open_target(&plan, into, &environment(None), BTreeMap::new())?;
    // Whatever the visits of the run were, the data set is what they left.
    plan.length = Length::Visits(frozen.at.0);
    let folder = Folder::create(into)?;
    let mut making = Making {
        plan: &plan,
        frozen: &frozen,
        target: target.as_ref(),
        into,
        made: Exported {
            at: frozen.at,
            partitions: 0,
            rows: 0,
            files: Vec::new(),
            load: "",
            notes: notes(&plan, &frozen),
            lost: None,
        },
    };
    making.schema()?;
    match form {
        Form::Csv if plan.discipline == Discipline::Lww && plan.target.starts_with("cassandra:") => {
            making.copied()?
        }
        Form::Csv if plan.discipline == Discipline::Lww => making.dated()?,
        Form::Csv => making.csv()?,
        Form::Insert if plan.discipline == Discipline::Lww => making.stamped()?,
        Form::Insert => making.inserts()?,
        Form::Statements => making.statements()?,
    }
    let made = making.made;
    if let (Source::Run(run), true) = (source, frozen.is_recorded) {
        let to = folder.tracker();
        std::fs::copy(run.tracker(), &to).map_err(|e| RunError::io(to.display().to_string(), e))?;
    }
    folder.write("plan.toml", plan.write().as_bytes())?;
    Ok(made)
}

fn notes(plan: &Plan, frozen: &Frozen) -> Vec<String> {
    let mut notes = frozen.notes();
    let columns = plan.schema.tables.iter().flat_map(|table| table.columns());
    let floats = columns
        .filter(|c| matches!(c.ty, Type::Float32 | Type::Float64))
        .count();
    if plan.target.starts_with("sqlite:") && floats > 0 {
        let text = "SQLite before 3.47 reads some floating point numbers of a text one bit off: load with a later one";
        notes.push(text.to_owned());
    }
    notes
}

fn unusable(plan: &Plan, what: &str, remedy: &str) -> RunError {
    RunError::Plan(PlanError::Target(Unusable::usage(
        plan.target.clone(),
        what.to_owned(),
        remedy.to_owned(),
    )))
}

/// What is done with what is left of a partition.
type OfPartition<'a, M> = dyn FnMut(&M, &[Remains]) -> Result<(), RunError> + 'a;

struct Making<'a> {
    plan: &'a Plan,
    frozen: &'a Frozen,
    target: &'a dyn Target,
    into: &'a Path,
    made: Exported,
}

/// A file that says its own name when it cannot be written.
struct Sink {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Sink {
    fn put(&mut self, text: &str) -> Result<(), RunError> {
        let written = self.file.write_all(text.as_bytes());
        written.map_err(|e| RunError::io(self.path.display().to_string(), e))
    }

    fn end(mut self) -> Result<(), RunError> {
        let flushed = self.file.flush();
        flushed.map_err(|e| RunError::io(self.path.display().to_string(), e))
    }
}

impl Making<'_> {
    fn file(&mut self, name: &str) -> Result<Sink, RunError> {
        let path = self.into.join(name);
        let file = File::create(&path).map_err(|e| RunError::io(path.display().to_string(), e))?;
        self.made.files.push(path.clone());
        Ok(Sink {
            path,
            file: BufWriter::new(file),
        })
    }

    fn schema(&mut self) -> Result<(), RunError> {
        let mut sink = self.file("schema.sql")?;
        for statement in self.target.plan_of_objects(&self.plan.schema) {
            sink.put(&ended(&statement))?;
        }
        sink.end()
    }

    /// The partitions that may hold anything, sorted (D1).
    fn parts(&self) -> BTreeSet<Part> {
        self.frozen.history.parts().into_iter().collect()
    }

    /// The state of every partition, one after another.
    fn each(
        &mut self,
        each: &mut dyn FnMut(Part, &PartitionState) -> Result<(), RunError>,
    ) -> Result<(), RunError> {
        let judge = self.frozen.judge(self.plan, self.target);
        for part in self.parts() {
            let state = judge.state_of(part, self.frozen.at).map_err(|why| {
                let name = &self.plan.schema.table(part.table).name;
                let what = format!(
                    "what partition {} of {name} holds cannot be told: {why}",
                    part.position
                );
                let remedy =
                    "export the statements (--as statements), or end with an earlier visit (--at LTS)";
                unusable(self.plan, &what, remedy)
            })?;
            let rows = state.rows.len() as u64 + u64::from(state.shared.is_some());
            self.made.rows += rows;
            self.made.partitions += u64::from(rows > 0);
            each(part, &state)?;
        }
        Ok(())
    }

    fn bulk(&self) -> Result<Bulk, RunError> {
        let plan = self.plan;
        Bulk::of(&plan.target, &plan.schema, &plan.prefix, plan.discipline).ok_or_else(|| {
            let what = "there is no bulk loader that we know";
            unusable(plan, what, "export INSERT statements: --as insert")
        })
    }

    /// The files that the shell loads, each with its header.
    fn sheets(&mut self, bulk: &Bulk) -> Result<(Vec<Sheet>, Vec<Sink>), RunError> {
        let sheets = bulk.sheets();
        let mut sinks = Vec::with_capacity(sheets.len());
        for sheet in &sheets {
            let mut sink = self.file(&sheet.file)?;
            sink.put(&bulk.header(sheet))?;
            sinks.push(sink);
        }
        Ok((sheets, sinks))
    }

    /// They are whole: what loads them, for the shell.
    fn loaded(&mut self, bulk: &Bulk, sheets: &[Sheet], sinks: Vec<Sink>) -> Result<(), RunError> {
        for sink in sinks {
            sink.end()?;
        }
        let (script, load) = bulk.script(sheets);
        self.made.load = load;
        let mut sink = self.file("load.sql")?;
        sink.put(&script)?;
        sink.end()
    }

    fn csv(&mut self) -> Result<(), RunError> {
        let bulk = self.bulk()?;
        let (sheets, mut sinks) = self.sheets(&bulk)?;
        let mut line = String::new();
        self.each(&mut |part, state| {
            for (sheet, sink) in sheets
                .iter()
                .zip(&mut sinks)
                .filter(|(s, _)| s.table == part.table)
            {
                line.clear();
                if sheet.shared {
                    if let Some(cells) = &state.shared {
                        bulk.line(sheet, part.position, 0, cells, &mut line);
                    }
                } else {
                    for (row, cells) in &state.rows {
                        bulk.line(sheet, part.position, *row, cells, &mut line);
                    }
                }
                sink.put(&line)?;
            }
            Ok(())
        })?;
        self.loaded(&bulk, &sheets, sinks)
    }

    fn inserts(&mut self) -> Result<(), RunError> {
        let mut sink = self.file("data.sql")?;
        let (target, plan) = (self.target, self.plan);
        let (schema, level) = (&plan.schema, plan.level);
        let begin = Request::Begin { level, writes: true };
        let between = |request: &Request<'_>| -> String {
            target.text(schema, request).iter().map(|s| ended(s)).collect()
        };
        let (begin, commit) = (between(&begin), between(&Request::Commit));
        let mut rows = 0_u64;
        self.each(&mut |part, state| {
            let inserts = state.rows.iter().map(|(row, cells)| Op::Insert {
                part,
                row: *row,
                cells: cells.clone(),
                strict: true,
            });
            let shared = state.shared.iter().map(|cells| Op::Shared {
                part,
                cells: cells.clone(),
            });
            for op in inserts.chain(shared) {
                if rows.is_multiple_of(AT_ONCE) {
                    sink.put(if rows > 0 { &commit } else { "" })?;
                    sink.put(&begin)?;
                }
                rows += 1;
                sink.put(&between(&Request::Step(&Step::Write(op))))?;
            }
            Ok(())
        })?;
        sink.put(if rows > 0 { &commit } else { "" })?;
        sink.end()?;
        self.made.load = shell(&self.plan.target);
        Ok(())
    }

    /// The fewest writes that leave the same, each with its timestamp: no more than what is visible, deletions left out.
    fn stamped(&mut self) -> Result<(), RunError> {
        let mut sink = self.file("data.sql")?;
        self.each_remains(&mut |making, remains| {
            for write in remains {
                sink.put(&making.written(write))?;
            }
            Ok(())
        })?;
        sink.end()?;
        self.made.load = shell(&self.plan.target);
        Ok(())
    }

    /// Rows as lines for a loader that knows no timestamps; what it would not read back, what expires and the cells that rows
    /// share as writes with their timestamps.
    fn copied(&mut self) -> Result<(), RunError> {
        let bulk = self.bulk()?;
        let (sheets, mut sinks) = self.sheets(&bulk)?;
        let mut apart = self.file("data.sql")?;
        let (mut lines, mut rows_apart) = (0_u64, 0_u64);
        self.each_remains(&mut |making, remains| {
            let rows = remains.chunk_by(|a, b| a.op.row() == b.op.row());
            for row in rows {
                let part = row[0].op.part();
                let sheet = sheets
                    .iter()
                    .zip(&mut sinks)
                    .find(|(sheet, _)| sheet.table == part.table);
                let line = match (row[0].op.row(), whole_cells(row), sheet) {
                    (Some(at), Some(cells), Some((sheet, sink))) => bulk
                        .takes(sheet, part.position, at, &cells)
                        .then_some((at, cells, sheet, sink)),
                    _ => None,
                };
                if let Some((at, cells, sheet, sink)) = line {
                    let mut line = String::new();
                    bulk.line(sheet, part.position, at, &cells, &mut line);
                    sink.put(&line)?;
                    lines += 1;
                    continue;
                }
                rows_apart += 1;
                for write in row {
                    apart.put(&making.written(write))?;
                }
            }
            Ok(())
        })?;
        apart.end()?;
        self.loaded(&bulk, &sheets, sinks)?;
        let lost = format!(
            "{lines} rows lose their timestamps: writetime() will say when they were loaded; the other {rows_apart} are writes with \
             theirs in data.sql (elements, what expires, cells that rows share, texts with line breaks)"
        );
        self.made.lost = Some(lost);
        Ok(())
    }

    /// Rows as lines with the timestamps of their cells: what is left, deletions left out, as [`Making::stamped`] writes it.
    fn dated(&mut self) -> Result<(), RunError> {
        let bulk = self.bulk()?;
        let (sheets, mut sinks) = self.sheets(&bulk)?;
        let mut line = String::new();
        self.each_remains(&mut |_, remains| {
            for row in remains.chunk_by(|a, b| a.op.row() == b.op.row()) {
                let (part, at) = (row[0].op.part(), row[0].op.row());
                let of = |sheet: &Sheet| sheet.table == part.table && sheet.shared == at.is_none();
                let (sheet, sink) = sheets
                    .iter()
                    .zip(&mut sinks)
                    .find(|(sheet, _)| of(sheet))
                    .expect("a table has a sheet, and one of its shared cells where it has any");
                line.clear();
                bulk.dated_line(sheet, part.position, at.unwrap_or(0), &together(row), &mut line);
                sink.put(&line)?;
            }
            Ok(())
        })?;
        self.loaded(&bulk, &sheets, sinks)
    }

    /// What is left of every partition, one after another.
    fn each_remains(&mut self, each: &mut OfPartition<'_, Self>) -> Result<(), RunError> {
        let judge = self.frozen.judge(self.plan, self.target);
        let mut left_out = BTreeMap::<&'static str, u64>::new();
        for part in self.parts() {
            let remains = match judge.remains_of(part, self.frozen.at) {
                Ok(remains) => remains,
                Err(why) => {
                    *left_out.entry(why).or_default() += 1;
                    continue;
                }
            };
            let rows: BTreeSet<Option<u64>> = remains.iter().map(|write| write.op.row()).collect();
            self.made.rows += rows.len() as u64;
            self.made.partitions += u64::from(!rows.is_empty());
            each(self, &remains)?;
        }
        for (why, n) in left_out {
            let words = if n == 1 { "partition is" } else { "partitions are" };
            let note =
                format!("{n} {words} not in the files: {why}; check will miss what the plan has there");
            self.made.notes.push(note);
        }
        Ok(())
    }

    /// The statements of one write.
    fn written(&self, write: &Remains) -> String {
        let stamp = Stamp {
            timestamp: write.timestamp,
            ttl: write.ttl,
            consistency: Consistency::All,
            node: 0,
            condition: None,
        };
        let request = Request::Stamped {
            steps: &[Step::Write(write.op.clone())],
            stamp: &stamp,
            batch: None,
        };
        let texts = self.target.text(&self.plan.schema, &request);
        texts.iter().map(|statement| ended(statement)).collect()
    }

    /// What happened, without what was rolled back, and without reads.
    fn statements(&mut self) -> Result<(), RunError> {
        let mut sink = self.file("data.sql")?;
        let (history, at) = (Arc::clone(&self.frozen.history), self.frozen.at);
        let mut parts = BTreeSet::new();
        let mut next = history.from(Lts(1));
        while let Some(lts) = next.filter(|lts| *lts <= at) {
            next = history.from(Lts(lts.0 + 1));
            let committed = self.frozen.tracker.get(lts).state == State::Committed;
            let Some(mut visit) = history.visit(lts).filter(|v| committed && !v.writes.is_empty()) else {
                continue;
            };
            visit.steps.retain(|step| !matches!(step, Step::Read(_)));
            for step in &mut visit.steps {
                // By the plan alone nobody knows whether it met its key; if it did, it did nothing.
                if let Step::Write(Op::Insert { strict, .. }) = step {
                    *strict = false;
                }
            }
            if visit.end == End::Rollback {
                continue;
            }
            parts.extend(visit.writes.iter().copied());
            self.made.rows += visit.steps.len() as u64;
            let texts = Request::of(&visit).flat_map(|r| self.target.text(&self.plan.schema, &r));
            let texts: String = texts.map(|s| ended(&s)).collect();
            sink.put(&format!("-- visit {lts}\n{texts}"))?;
        }
        self.made.partitions = parts.len() as u64;
        self.made.load = shell(&self.plan.target);
        sink.end()
    }
}

/// The cells of a row that is written whole; `None`: some of it expires, or elements of it are written.
fn whole_cells(row: &[Remains]) -> Option<Cells> {
    let mut all = Cells::new();
    for write in row {
        match &write.op {
            Op::Upsert { cells, .. } | Op::Update { cells, .. } if write.ttl.is_none() => {
                all.extend(cells.iter().copied())
            }
            _ => return None,
        }
    }
    all.sort_unstable();
    Some(all)
}

/// The writes that are left of a row, or of the shared cells of a partition, as what is there.
fn together(row: &[Remains]) -> Dated {
    let mut dated = Dated::default();
    for write in row {
        let cells = match &write.op {
            Op::Upsert { cells, .. } => {
                dated.alive = Some(write.timestamp);
                cells
            }
            Op::Update { cells, .. } | Op::Shared { cells, .. } => cells,
            other => unreachable!("{other} is not left where cells have their timestamps beside them"),
        };
        let there = cells
            .iter()
            .filter_map(|(id, d)| Some((*id, ((*d)?, write.timestamp))));
        dated.cells.extend(there);
    }
    dated
}

fn ended(statement: &str) -> String {
    format!("{};\n", statement.trim_end_matches(';'))
}

/// The command that runs the scripts.
fn shell(url: &str) -> &'static str {
    match url.split_once(':').map_or(url, |(scheme, _)| scheme) {
        "postgres" | "postgresql" => "psql URL -v ON_ERROR_STOP=1 -f schema.sql -f data.sql",
        "mysql" | "mariadb" => {
            "cat schema.sql data.sql | mariadb --init-command=\"SET sql_mode='ANSI_QUOTES,NO_BACKSLASH_ESCAPES'\" DATABASE"
        }
        "sqlite" => "cat schema.sql data.sql | sqlite3 -bail FILE",
        "cassandra" => "cat schema.sql data.sql | cqlsh HOST",
        _ => "",
    }
}
