//! A whole history as a text file: tables, then visits in the order in which they begin.
//!
//! ```text
//! gristmill history, format 1
//! # a row that is deleted and comes back
//! seed 7b3f0c
//! table t0 orders rows 16
//!   c0 p int64 partition
//!   c1 c text clustering desc
//!   c2 v int32
//!   c3 s int32 shared not-null
//!   index i1 c2
//!   with 'gc_grace_seconds = 86400'
//! s1 1: insert t0/0/3 c2=7 | auto
//! s2 2: delete t0/0/3 | auto
//! s1 3 beside 2: read t0/0 select c1,c2 | auto
//! ```
//! After `table tN NAME` may stand `partitions N` (narrow: it can be read whole), `rows N` (about so many in a partition) and
//! `keys N` (which values keys take); else it is wide, with 64 rows and keys 0. After a column's type may stand `partition`,
//! or `clustering` and `desc`, or `shared`; `not-null`; `limits(text_bytes_max=40,…)`; else it is a regular column that may
//! be NULL, with what the target can keep. Behind `with` stands what CQL says there of the table.
//!
//! Names that are not letters, digits and `_` stand in quotes. Lines that begin with `#`, and empty ones, say nothing.
//!
//! Invariant N2: reading what was printed gives the same file.

use super::NotationError;
use super::line::line;
use super::scan::{Scan, Scanned, joined, quote};
use super::visit::column;
use crate::Line;
use datagen::domain::Limits;
use datagen::schema::{Column, ColumnId, Definition, Index, KeyColumn, Schema, SizeClass};
use datagen::value::{Order, Type};
use std::collections::BTreeSet;
use std::fmt;

/// The first line of a file.
pub const TITLE: &str = "gristmill history, format 1";

/// Rows of a partition, about, where the file says nothing.
const ROWS: u64 = 64;
/// Bytes of text in all columns of a key together, where the file gives no limits: servers bound index entries.
const KEY_BYTES: u32 = 1000;

/// What a file of a history says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HistoryFile {
    /// Where lies and faults by rate are drawn from.
    pub seed: Option<u64>,
    /// The tables; limits of [`HistoryFile::open`] columns are still to be filled in.
    pub tables: Vec<Definition>,
    /// Columns, by table, whose limits the file leaves to the target.
    pub open: BTreeSet<(usize, ColumnId)>,
    /// The visits.
    pub lines: Vec<Line>,
    /// For each visit, where it stands in the text, from 1; empty where there was no text.
    pub places: Vec<usize>,
}

/// A mistake in a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {what}")]
pub struct FileError {
    /// Where, from 1.
    pub line: usize,
    /// Where in the line, in characters from 1.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// The word that stands there, if it is one.
    pub word: String,
    /// Words that could stand there, between others.
    pub expected: &'static str,
}

impl HistoryFile {
    /// Reads a file.
    ///
    /// # Errors
    /// Every line that is not in the notation.
    pub fn parse(text: &str) -> Result<HistoryFile, Vec<FileError>> {
        let mut file = HistoryFile::default();
        let mut errors = Vec::new();
        let mut titled = false;
        for (text, number) in text.lines().zip(1..) {
            let trimmed = text.trim();
            if trimmed.is_empty() || trimmed.starts_with('#') {
                continue;
            }
            let scan = &mut Scan::new(text.trim_end());
            let read = if titled {
                file.item(scan, number).and_then(|()| scan.end())
            } else {
                titled = true;
                scan.expect(TITLE).and_then(|()| scan.end())
            };
            if let Err(error) = read {
                errors.push(FileError::of(number, error));
            }
        }
        if !titled {
            errors.push(FileError::of(
                1,
                NotationError {
                    column: 1,
                    expected: TITLE,
                    found: String::new(),
                },
            ));
        }
        if errors.is_empty() { Ok(file) } else { Err(errors) }
    }

    /// The schema. `limits`: what the target can keep of a type, for columns that the file gives no limits.
    ///
    /// # Errors
    /// A type that the target does not offer, or tables that make no schema, in words.
    pub fn schema(&self, limits: &dyn Fn(Type) -> Option<Limits>) -> Result<Schema, String> {
        let mut tables = self.tables.clone();
        for (number, table) in tables.iter_mut().enumerate() {
            let name = table.name.clone();
            let share = |columns: usize| KEY_BYTES / u32::try_from(columns.max(1)).unwrap_or(KEY_BYTES);
            let keys = share(table.partition.len() + table.clustering.len());
            let indexed: BTreeSet<ColumnId> = table.indexes.iter().flat_map(|i| i.columns.clone()).collect();
            let indexes = share(table.indexes.iter().map(|i| i.columns.len()).max().unwrap_or(1));
            let fill = |column: &mut Column, key: Option<u32>| {
                if !self.open.contains(&(number, column.id)) {
                    return Ok::<(), String>(());
                }
                let own = limits(column.ty).ok_or_else(|| {
                    format!(
                        "table `{name}`: column `{}`: the target does not offer {}; use another type",
                        column.name, column.ty
                    )
                })?;
                column.limits = key.map_or_else(|| own.clone(), |share| own.for_key(share));
                Ok(())
            };
            for key in table.partition.iter_mut().chain(&mut table.clustering) {
                fill(&mut key.column, Some(keys))?;
            }
            for column in table.regular.iter_mut().chain(&mut table.shared) {
                let key = indexed.contains(&column.id).then_some(indexes);
                fill(column, key)?;
            }
        }
        Schema::new(tables).map_err(|e| e.to_string())
    }

    fn item(&mut self, scan: &mut Scan<'_>, number: usize) -> Scanned<()> {
        if scan.eat("seed ") {
            let digits = scan.run("a seed of 1 to 16 hexadecimal digits", |c| c.is_ascii_hexdigit())?;
            match u64::from_str_radix(digits, 16) {
                Ok(seed) => self.seed = Some(seed),
                Err(_) => return scan.fail("a seed of 1 to 16 hexadecimal digits before it"),
            }
            return Ok(());
        }
        if scan.eat("table ") {
            return self.table(scan);
        }
        if scan.peek(" ") || scan.peek("\t") {
            scan.blanks();
            if scan.eat("index ") {
                return self.index(scan);
            }
            if scan.eat("with ") {
                let Some(table) = self.tables.last_mut() else {
                    return scan.fail("table before its options");
                };
                table.options.push(scan.quoted()?);
                return Ok(());
            }
            return self.column(scan);
        }
        if !scan.peek("s") {
            return scan.fail("table, seed, or a visit such as `s1 1: read t0/0 select c2 | auto`");
        }
        self.lines.push(line(scan)?);
        self.places.push(number);
        Ok(())
    }

    fn table(&mut self, scan: &mut Scan<'_>) -> Scanned<()> {
        scan.expect("t")?;
        let here = scan.mark();
        if scan.number::<usize>()? != self.tables.len() {
            scan.back(here);
            return scan.fail("the number of the table: they are numbered from 0 in their order");
        }
        scan.expect(" ")?;
        let mut table = Definition {
            name: name(scan)?,
            rows_max: ROWS,
            ..Definition::default()
        };
        while scan.eat(" ") {
            if scan.eat("partitions ") {
                let partitions = scan.number()?;
                table.size = SizeClass::Narrow { partitions };
            } else if scan.eat("rows ") {
                table.rows_max = scan.number()?;
            } else if scan.eat("keys ") {
                table.key_seed = scan.number()?;
            } else {
                return scan.fail("partitions, rows or keys");
            }
        }
        self.tables.push(table);
        Ok(())
    }

    fn column(&mut self, scan: &mut Scan<'_>) -> Scanned<()> {
        let number = self.tables.len().wrapping_sub(1);
        let Some(table) = self.tables.last_mut() else {
            return scan.fail("table before its columns");
        };
        let id = column(scan)?;
        scan.expect(" ")?;
        let name = name(scan)?;
        scan.expect(" ")?;
        let here = scan.mark();
        let text = scan.run("a type", |c| !c.is_whitespace())?;
        let Ok(ty) = text.parse::<Type>() else {
            scan.back(here);
            return scan.fail(
                "a type: bool, int8, int16, int32, int64, float32, float64, numeric(P,S), text, ascii, bytes, uuid, date, \
                 time, timestamp or timestamptz",
            );
        };
        let (mut role, mut order, mut nullable, mut limits) = ("", Order::Asc, true, None);
        while scan.eat(" ") {
            let given = ["partition", "clustering", "shared", "desc", "not-null", "limits("];
            match given.into_iter().find(|word| scan.eat(word)) {
                Some(word @ ("partition" | "clustering" | "shared")) => role = word,
                Some("desc") => order = Order::Desc,
                Some("not-null") => nullable = false,
                Some(_) => limits = Some(self::limits(scan)?),
                None => return scan.fail("partition, clustering, shared, desc, not-null or limits(…)"),
            }
        }
        if limits.is_none() {
            self.open.insert((number, id));
        }
        let key = matches!(role, "partition" | "clustering");
        let column = Column {
            id,
            name,
            ty,
            nullable: nullable && !key,
            limits: limits.unwrap_or_default(),
        };
        match role {
            "partition" => table.partition.push(KeyColumn { column, order }),
            "clustering" => table.clustering.push(KeyColumn { column, order }),
            "shared" => table.shared.push(column),
            _ => table.regular.push(column),
        }
        Ok(())
    }

    fn index(&mut self, scan: &mut Scan<'_>) -> Scanned<()> {
        let Some(table) = self.tables.last_mut() else {
            return scan.fail("table before its indexes");
        };
        let name = name(scan)?;
        scan.expect(" ")?;
        table.indexes.push(Index {
            name,
            columns: scan.list(column)?,
            unique: false,
        });
        Ok(())
    }
}

impl FileError {
    fn of(line: usize, error: NotationError) -> FileError {
        let word: String = error
            .found
            .trim_start()
            .chars()
            .take_while(|c| c.is_alphanumeric() || matches!(c, '-' | '!' | '_'))
            .collect();
        let shown = if error.found.is_empty() {
            "the end of the line".to_owned()
        } else {
            format!("`{}`", error.found)
        };
        FileError {
            line,
            column: error.column,
            what: format!("expected {}, found {shown}", error.expected),
            word,
            expected: error.expected,
        }
    }
}

impl fmt::Display for HistoryFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{TITLE}")?;
        if let Some(seed) = self.seed {
            writeln!(f, "seed {seed:x}")?;
        }
        for (number, table) in self.tables.iter().enumerate() {
            write!(f, "table t{number} {}", name_text(&table.name))?;
            if let SizeClass::Narrow { partitions } = table.size {
                write!(f, " partitions {partitions}")?;
            }
            write!(f, " rows {}", table.rows_max)?;
            if table.key_seed != 0 {
                write!(f, " keys {}", table.key_seed)?;
            }
            writeln!(f)?;
            let keys = |keys: &'_ [KeyColumn], role: &'static str| -> Vec<(Column, String)> {
                let text = |key: &KeyColumn| {
                    let desc = if key.order == Order::Desc { " desc" } else { "" };
                    (key.column.clone(), format!("{role}{desc}"))
                };
                keys.iter().map(text).collect()
            };
            let cells = |columns: &'_ [Column], role: &'static str| -> Vec<(Column, String)> {
                let text = |c: &Column| {
                    let null = if c.nullable { "" } else { " not-null" };
                    (c.clone(), format!("{role}{null}"))
                };
                columns.iter().map(text).collect()
            };
            let all = [
                keys(&table.partition, " partition"),
                keys(&table.clustering, " clustering"),
                cells(&table.regular, ""),
                cells(&table.shared, " shared"),
            ];
            for (column, role) in all.concat() {
                write!(
                    f,
                    "  c{} {} {}{role}",
                    column.id.0,
                    name_text(&column.name),
                    column.ty
                )?;
                if !self.open.contains(&(number, column.id)) {
                    write!(f, " limits({})", limits_text(&column.limits))?;
                }
                writeln!(f)?;
            }
            for index in &table.indexes {
                let columns = joined(&index.columns, |c| format!("c{}", c.0));
                writeln!(f, "  index {} {columns}", name_text(&index.name))?;
            }
            for option in &table.options {
                writeln!(f, "  with {}", quote(option))?;
            }
        }
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

fn name(scan: &mut Scan<'_>) -> Scanned<String> {
    if scan.peek("'") {
        return scan.quoted();
    }
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '_';
    scan.run("a name", letters).map(str::to_owned)
}

fn name_text(name: &str) -> String {
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain { name.to_owned() } else { quote(name) }
}

/// What differs from limits that leave everything open.
fn limits_text(limits: &Limits) -> String {
    let fields = |limits: &Limits| match serde_json::to_value(limits) {
        Ok(serde_json::Value::Object(fields)) => fields,
        other => unreachable!("limits are a table: {other:?}"),
    };
    let open = fields(&Limits::default());
    let own = fields(limits)
        .into_iter()
        .filter(|(name, value)| open.get(name) != Some(value));
    own.map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join(",")
}

/// What stands behind `limits(`.
fn limits(scan: &mut Scan<'_>) -> Scanned<Limits> {
    const EXPECTED: &str = "limits such as text_bytes_max=40,identity=true: nul_bytes, unicode, empty, trailing_blanks, \
         text_bytes_max, bytes_max, nan, infinities, negative_zero, numeric_digits, year_min, year_max, \
         subsecond_digits, empty_values, identity";
    let mut limits = Limits::default();
    if scan.eat(")") {
        return Ok(limits);
    }
    loop {
        let here = scan.mark();
        let name = scan.run(EXPECTED, |c| c.is_ascii_lowercase() || c == '_')?;
        scan.expect("=")?;
        let value = scan.run("a value", |c| c.is_ascii_alphanumeric() || c == '-')?;
        // One field of the table at a time, so that a mistake is told where it stands.
        let read = serde_json::to_value(&limits).ok().and_then(|mut all| {
            // Some are left out while they are as usual; a name that is none is refused below.
            let value = serde_json::from_str(value).ok()?;
            all.as_object_mut()?.insert(name.to_owned(), value);
            serde_json::from_value(all).ok()
        });
        match read {
            Some(read) => limits = read,
            None => {
                scan.back(here);
                return scan.fail(EXPECTED);
            }
        }
        if scan.eat(")") {
            return Ok(limits);
        }
        scan.expect(",")?;
    }
}

#[cfg(test)]
mod tests;
