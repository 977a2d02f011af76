//! Rows as files for a database's own bulk loader: CSV, and the script that its shell loads them with.
//!
//! ```text
//! (table, partition, row, cells) ──▶ a line of CSV ──▶ psql \copy, sqlite3 .import, cqlsh COPY
//! ```
//! A field holds what the dialect writes as a literal, without its quotes and casts: COPY reads exactly these. What cqlsh does
//! not read back is told by [`Bulk::takes`].
//!
//! Invariants:
//! * B1 equal rows make equal bytes, and lines are written in the order in which rows are given.
//! * B2 NULL and the empty text are told apart in every format.
//! * B3 where the greatest timestamp wins, a file for SQL has the timestamps that stand beside the cells.

use crate::cell::Cell;
use crate::dialect::cql::CQL;
use crate::dialect::{Dialect, POSTGRES, SQLITE};
use crate::layout::{Col, Layout, TableLayout};
use datagen::schema::{ColumnId, Schema};
use datagen::value::{Type, Value};
use history::{Cells, Discipline};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

/// How a database's shell is told to load files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shell {
    Psql,
    Sqlite3,
    Cqlsh,
}

/// What stands for NULL in a file for cqlsh: a word, since an empty field is a text there.
const NOTHING: &str = "(null)";
/// The days that cqlsh reads: of the years 1 to 9999.
const CQLSH_DAYS: std::ops::RangeInclusive<i32> = -719_162..=2_932_896;

/// The sheets of a schema, one for each table and one for each companion.
pub struct Bulk {
    shell: Shell,
    dialect: &'static Dialect,
    layout: Layout,
    /// Lines have the timestamps of their cells.
    stamped: bool,
}

/// What is in a row, with its timestamps: what they were written at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dated {
    /// The timestamp by which the row is there whatever its cells are.
    pub alive: Option<i64>,
    /// The cells: value and timestamp.
    pub cells: BTreeMap<ColumnId, (u64, i64)>,
}

/// One file of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// The table of the schema.
    pub table: u16,
    /// Its companion, with the shared cells, instead of its rows.
    pub shared: bool,
    /// The file's name.
    pub file: String,
    /// The table's name on the database, quoted where it must be.
    pub name: String,
}

impl Bulk {
    /// Of the database that a URL names, put through a discipline; `None` where it has no bulk loader that we know.
    pub fn of(url: &str, schema: &Schema, prefix: &str, discipline: Discipline) -> Option<Bulk> {
        let (shell, dialect) = match url.split_once(':').map_or(url, |(scheme, _)| scheme) {
            "postgres" | "postgresql" => (Shell::Psql, &POSTGRES),
            "sqlite" => (Shell::Sqlite3, &SQLITE),
            "cassandra" => (Shell::Cqlsh, &CQL),
            _ => return None,
        };
        Some(Bulk {
            shell,
            dialect,
            layout: Layout::new(schema, prefix),
            stamped: discipline == Discipline::Lww && shell != Shell::Cqlsh,
        })
    }

    /// The sheets, in the order of the schema.
    pub fn sheets(&self) -> Vec<Sheet> {
        let sheet = |table: &TableLayout, shared: bool, name: &str| Sheet {
            table: u16::try_from(table.index).expect("tables are numbered in 16 bits"),
            shared,
            file: format!("{}.csv", name.trim_matches('"')),
            name: name.to_owned(),
        };
        let both = self.layout.tables.iter().flat_map(|table| {
            // COPY of cqlsh names whole keys: static cells by themselves are nothing to it.
            let apart = table.companion.as_deref().filter(|_| self.shell != Shell::Cqlsh);
            let companion = apart.map(|name| sheet(table, true, name));
            [sheet(table, false, &table.name)].into_iter().chain(companion)
        });
        both.collect()
    }

    /// The first line: the columns' names.
    pub fn header(&self, sheet: &Sheet) -> String {
        let names = self
            .columns(sheet)
            .into_iter()
            .map(|(name, _)| csv(name.trim_matches('"')));
        names.collect::<Vec<_>>().join(",") + "\n"
    }

    /// One line: the row at `row` of the partition at `part`, or the partition's shared cells where the sheet has these.
    /// Cells that are not listed are NULL. Of lines without timestamps.
    pub fn line(&self, sheet: &Sheet, part: u64, row: u64, cells: &Cells, out: &mut String) {
        debug_assert!(!self.stamped, "a line with timestamps has a Dated");
        let table = self.layout.table(sheet.table);
        let mut bytes = Vec::new();
        table.parts.universe.inflate_into(part, &mut bytes);
        let filled = if sheet.shared {
            table.fill_shared(None, cells)
        } else {
            table.rows.universe.inflate_into(row, &mut bytes);
            table.fill_regular(None, cells)
        };
        let columns = if sheet.shared {
            &table.shared
        } else {
            &table.regular
        };
        for (column, descriptor) in columns.iter().zip(filled) {
            match descriptor {
                Some(descriptor) => column.inflate_into(descriptor, &mut bytes),
                None => Cell::Null.put(&mut bytes),
            }
        }
        self.fields(sheet, &bytes, out);
    }

    /// The same with the timestamps, NULL where nothing is.
    pub fn dated_line(&self, sheet: &Sheet, part: u64, row: u64, dated: &Dated, out: &mut String) {
        let table = self.layout.table(sheet.table);
        let mut bytes = Vec::new();
        let stamp = |at: Option<i64>, bytes: &mut Vec<u8>| at.map_or(Cell::Null, Cell::Int).put(bytes);
        table.parts.universe.inflate_into(part, &mut bytes);
        let columns = if sheet.shared {
            &table.shared
        } else {
            table.rows.universe.inflate_into(row, &mut bytes);
            stamp(dated.alive, &mut bytes);
            &table.regular
        };
        for column in columns {
            let cell = dated.cells.get(&column.id);
            match cell {
                Some((descriptor, _)) => column.inflate_into(*descriptor, &mut bytes),
                None => Cell::Null.put(&mut bytes),
            }
            stamp(cell.map(|(_, at)| *at), &mut bytes);
        }
        self.fields(sheet, &bytes, out);
    }

    /// Whether lines have timestamps: [`Bulk::dated_line`] instead of [`Bulk::line`].
    pub fn is_stamped(&self) -> bool {
        self.stamped
    }

    fn fields(&self, sheet: &Sheet, mut bytes: &[u8], out: &mut String) {
        for (n, (_, ty)) in self.columns(sheet).into_iter().enumerate() {
            if n > 0 {
                out.push(',');
            }
            self.field(ty, Cell::take(&mut bytes), out);
        }
        out.push('\n');
    }

    /// Whether the shell reads a row's line back as it is: cqlsh ends a line at every line break, and has its limits.
    pub fn takes(&self, sheet: &Sheet, part: u64, row: u64, cells: &Cells) -> bool {
        if self.shell != Shell::Cqlsh {
            return true;
        }
        let table = self.layout.table(sheet.table);
        let mut bytes = Vec::new();
        table.parts.universe.inflate_into(part, &mut bytes);
        table.rows.universe.inflate_into(row, &mut bytes);
        for (column, descriptor) in table.regular.iter().zip(table.fill_regular(None, cells)) {
            match descriptor {
                Some(descriptor) => column.inflate_into(descriptor, &mut bytes),
                None => Cell::Null.put(&mut bytes),
            }
        }
        let mut rest = bytes.as_slice();
        let columns = self.columns(sheet).into_iter();
        columns
            .map(|(_, ty)| (ty, Cell::take(&mut rest)))
            .all(|(ty, cell)| readable(ty, cell))
    }

    /// The script that loads every sheet after `schema.sql`, and the command that runs it.
    pub fn script(&self, with: &[Sheet]) -> (String, &'static str) {
        let mut out = String::new();
        match self.shell {
            Shell::Psql => {
                out += "\\set ON_ERROR_STOP on\nBEGIN;\n\\i schema.sql\n";
                for sheet in with {
                    let names = self.names(sheet);
                    writeln!(
                        out,
                        "\\copy {} ({names}) FROM '{}' WITH (FORMAT csv, HEADER)",
                        sheet.name, sheet.file
                    )
                    .expect("a String takes everything");
                }
                out += "COMMIT;\n";
                (out, "psql URL -f load.sql")
            }
            Shell::Sqlite3 => {
                out += ".bail on\n.read schema.sql\nBEGIN;\n";
                for sheet in with {
                    self.import(sheet, &mut out);
                }
                out += "COMMIT;\n";
                (out, "sqlite3 FILE < load.sql")
            }
            Shell::Cqlsh => {
                for sheet in with {
                    let names = self.names(sheet);
                    writeln!(
                        out,
                        "COPY {} ({names}) FROM '{}' WITH HEADER = TRUE AND NULL = '{NOTHING}' AND ESCAPE = '\"';",
                        sheet.name, sheet.file
                    )
                    .expect("a String takes everything");
                }
                (out, "cat schema.sql data.sql load.sql | cqlsh HOST")
            }
        }
    }

    /// Everything is text when it comes in: it is kept aside first, then brought into the columns' types.
    fn import(&self, sheet: &Sheet, out: &mut String) {
        let aside = format!("aside_{}", sheet.file.trim_end_matches(".csv"));
        let columns = self.columns(sheet);
        let declared: Vec<String> = (0..columns.len()).map(|n| format!("c{n} TEXT")).collect();
        let typed: Vec<String> = (0..).zip(&columns).map(|(n, (_, ty))| typed(n, *ty)).collect();
        if columns
            .iter()
            .any(|(_, ty)| matches!(ty, Type::Bytes | Type::Uuid))
        {
            out.push_str("-- unhex() is there from SQLite 3.41 on\n");
        }
        writeln!(out, "CREATE TABLE temp.\"{aside}\" ({});", declared.join(", "))
            .expect("a String takes everything");
        writeln!(out, ".import --csv --skip 1 --schema temp {} {aside}", sheet.file)
            .expect("a String takes everything");
        writeln!(
            out,
            "INSERT INTO {} ({}) SELECT\n  {}\nFROM temp.\"{aside}\";",
            sheet.name,
            self.names(sheet),
            typed.join(",\n  ")
        )
        .expect("a String takes everything");
    }

    /// Name and type of each field.
    fn columns(&self, sheet: &Sheet) -> Vec<(&str, Type)> {
        let table = self.layout.table(sheet.table);
        fn named(col: &Col) -> (&str, Type) {
            (&col.name, col.ty)
        }
        let mut all: Vec<(&str, Type)> = table.parts.columns.iter().map(named).collect();
        let cells = if sheet.shared {
            &table.shared
        } else {
            all.extend(table.rows.columns.iter().map(named));
            if self.stamped {
                all.push((&table.hidden.liveness, Type::Int64));
            }
            &table.regular
        };
        for col in cells {
            all.push(named(col));
            if self.stamped {
                all.push((&col.stamp, Type::Int64));
            }
        }
        all
    }

    fn names(&self, sheet: &Sheet) -> String {
        let names: Vec<&str> = self.columns(sheet).iter().map(|(name, _)| *name).collect();
        names.join(", ")
    }

    fn field(&self, ty: Type, cell: Cell<'_>, out: &mut String) {
        match (cell, self.shell) {
            // An empty field without quotes.
            (Cell::Null, Shell::Psql) => {}
            (Cell::Null, Shell::Sqlite3) => out.push_str("\\N"),
            // What begins with the sign of NULL has one sign more.
            (Cell::Text(text), Shell::Sqlite3) if text.starts_with('\\') => {
                out.push_str(&csv(&format!("\\{text}")));
            }
            (Cell::Text(text), _) => out.push_str(&csv(text)),
            (Cell::Null, Shell::Cqlsh) => out.push_str(NOTHING),
            (cell, Shell::Cqlsh) => self.said_to_cqlsh(ty, cell, out),
            (cell, _) => {
                let mut literal = String::new();
                (self.dialect.literal)(cell, &mut literal);
                out.push_str(bare(&literal));
            }
        }
    }
}

impl Bulk {
    /// What cqlsh reads where it is not what CQL reads.
    fn said_to_cqlsh(&self, ty: Type, cell: Cell<'_>, out: &mut String) {
        let said = match (ty, cell) {
            (Type::Inet, Cell::Bytes(bytes)) => match <[u8; 4]>::try_from(bytes) {
                Ok(four) => Ipv4Addr::from(four).to_string(),
                Err(_) => {
                    let sixteen = <[u8; 16]>::try_from(bytes).expect("an address has 4 or 16 bytes");
                    Ipv6Addr::from(sixteen).to_string()
                }
            },
            (_, Cell::Date(day)) => Value::Date(day).to_string(),
            (_, Cell::Time(time)) => Value::Time(time).to_string(),
            (_, cell) => return (self.dialect.literal)(cell, out),
        };
        out.push_str(&said);
    }
}

/// Whether COPY of cqlsh makes of a field what is in the cell.
fn readable(ty: Type, cell: Cell<'_>) -> bool {
    match (ty, cell) {
        (_, Cell::Null) => true,
        (_, Cell::Text(text)) => text != NOTHING && !text.contains(['\n', '\r', '\0']),
        (Type::Duration | Type::Composite(_), _) => false,
        (_, Cell::Date(day)) => CQLSH_DAYS.contains(&day),
        _ => true,
    }
}

/// A column of the imported text in its own type.
fn typed(n: usize, ty: Type) -> String {
    let null = format!("nullif(c{n}, '\\N')");
    match ty {
        Type::Float32 | Type::Float64 => format!("CAST({null} AS REAL)"),
        Type::Text | Type::Ascii => format!(
            "CASE WHEN c{n} = '\\N' THEN NULL WHEN substr(c{n}, 1, 1) = '\\' THEN substr(c{n}, 2) ELSE c{n} END"
        ),
        Type::Bytes | Type::Uuid => format!("unhex({null})"),
        _ => format!("CAST({null} AS INTEGER)"),
    }
}

/// What stands between the quotes of a literal that is no text: `'\x00ff'::bytea`, `date '2024-02-29'`, `12`.
fn bare(literal: &str) -> &str {
    match (literal.find('\''), literal.rfind('\'')) {
        (Some(first), Some(last)) if first < last => &literal[first + 1..last],
        _ => literal,
    }
}

/// A text as a field: always in quotes, so that an empty one is not NULL.
fn csv(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OpenOptions, open};
    use datagen::schema::ddl;
    use expect_test::expect;

    fn bulk(url: &str) -> (Bulk, Schema) {
        let mut options = OpenOptions::new("/nowhere", "gmtest");
        options.discipline = crate::own_discipline(url);
        let target = open(url, &options).unwrap();
        let text = "CREATE TABLE t (p int, c date, v text, b bytea, n numeric(5,2), s text STATIC, PRIMARY KEY ((p), c));";
        let schema = ddl::read(text, 1, &|ty| target.limits(&ty)).unwrap();
        let discipline = options.discipline;
        (Bulk::of(url, &schema, "gmtest", discipline).unwrap(), schema)
    }

    fn shown(url: &str) -> String {
        let (bulk, schema) = bulk(url);
        let mut out = String::new();
        for sheet in bulk.sheets() {
            out += &format!("{}: {}", sheet.file, bulk.header(&sheet));
        }
        let columns = &schema.table(0).definition().regular;
        let cells: Cells = columns.iter().map(|c| (c.id, None)).collect();
        bulk.line(&bulk.sheets()[0], 3, 5, &cells, &mut out);
        let values = [
            Cell::Text("it's \"so\""),
            Cell::Text(""),
            Cell::Text("\\N"),
            Cell::Null,
            Cell::Bytes(&[0, 255]),
            Cell::Bytes(&[]),
            Cell::Numeric(-150, 2),
            Cell::Bool(true),
            Cell::Float64(f64::NEG_INFINITY),
            Cell::Uuid([7; 16]),
            Cell::Timestamp(-1),
            Cell::Date(-800_000),
        ];
        for value in values {
            bulk.field(Type::Bool, value, &mut out);
            out.push('\n');
        }
        out + &bulk.script(&bulk.sheets()).0
    }

    #[test]
    fn rows_are_lines_that_copy_reads() {
        expect![[r#"
            gmtest_t.csv: "p","c","v","b","n"
            gmtest_t_s.csv: "p","s"
            -2147483641,4414-10-17 BC,,,
            "it's ""so"""
            ""
            "\N"

            \x00ff
            \x
            -1.50
            true
            -Infinity
            07070707-0707-0707-0707-070707070707
            1969-12-31 23:59:59.999999
            0222-09-04 BC
            \set ON_ERROR_STOP on
            BEGIN;
            \i schema.sql
            \copy "gmtest_t" ("p", "c", "v", "b", "n") FROM 'gmtest_t.csv' WITH (FORMAT csv, HEADER)
            \copy "gmtest_t_s" ("p", "s") FROM 'gmtest_t_s.csv' WITH (FORMAT csv, HEADER)
            COMMIT;
        "#]]
        .assert_eq(&shown("postgres://me@host/db"));
    }

    #[test]
    fn rows_are_lines_that_import_reads() {
        expect![[r#"
            gmtest_t.csv: "p","c","v","b","n"
            gmtest_t_s.csv: "p","s"
            -2147483641,-714026,\N,\N,\N
            "it's ""so"""
            ""
            "\\N"
            \N
            00ff

            -150
            1
            -9e999
            07070707070707070707070707070707
            -1
            -800000
            .bail on
            .read schema.sql
            BEGIN;
            -- unhex() is there from SQLite 3.41 on
            CREATE TABLE temp."aside_gmtest_t" (c0 TEXT, c1 TEXT, c2 TEXT, c3 TEXT, c4 TEXT);
            .import --csv --skip 1 --schema temp gmtest_t.csv aside_gmtest_t
            INSERT INTO "gmtest_t" ("p", "c", "v", "b", "n") SELECT
              CAST(nullif(c0, '\N') AS INTEGER),
              CAST(nullif(c1, '\N') AS INTEGER),
              CASE WHEN c2 = '\N' THEN NULL WHEN substr(c2, 1, 1) = '\' THEN substr(c2, 2) ELSE c2 END,
              unhex(nullif(c3, '\N')),
              CAST(nullif(c4, '\N') AS INTEGER)
            FROM temp."aside_gmtest_t";
            CREATE TABLE temp."aside_gmtest_t_s" (c0 TEXT, c1 TEXT);
            .import --csv --skip 1 --schema temp gmtest_t_s.csv aside_gmtest_t_s
            INSERT INTO "gmtest_t_s" ("p", "s") SELECT
              CAST(nullif(c0, '\N') AS INTEGER),
              CASE WHEN c1 = '\N' THEN NULL WHEN substr(c1, 1, 1) = '\' THEN substr(c1, 2) ELSE c1 END
            FROM temp."aside_gmtest_t_s";
            COMMIT;
        "#]]
        .assert_eq(&shown("sqlite:"));
    }

    #[test]
    fn a_line_has_the_timestamp_of_each_cell_where_the_greatest_wins() {
        for url in ["postgres://me@host/db", "sqlite:"] {
            let (plain, schema) = bulk(url);
            let bulk = Bulk::of(url, &schema, "gmtest", Discipline::Lww).unwrap();
            assert!(bulk.is_stamped() && !plain.is_stamped());
            let sheets = bulk.sheets();
            let table = schema.table(0).definition();
            let mut dated = Dated {
                alive: Some(-7),
                ..Dated::default()
            };
            dated.cells.insert(table.regular[2].id, (5, 9));
            let mut lines = String::new();
            bulk.dated_line(&sheets[0], 3, 5, &dated, &mut lines);
            let mut shared = Dated::default();
            shared.cells.insert(table.shared[0].id, (0, 11));
            bulk.dated_line(&sheets[1], 3, 0, &shared, &mut lines);
            for (sheet, line) in sheets.iter().zip(lines.lines()) {
                let header = bulk.header(sheet);
                assert_eq!(header.matches(',').count(), line.matches(',').count(), "{line}");
            }
            let lines: Vec<&str> = lines.lines().collect();
            assert!(lines[0].contains(",-7,") && lines[0].ends_with(",9"), "{lines:?}");
            assert!(lines[1].ends_with(",11"), "{lines:?}");
            assert!(bulk.header(&sheets[0]).contains("\"live_ts\""));
            // Every column of the base tables but those of tombstones.
            let target = open(
                url,
                &OpenOptions {
                    discipline: Discipline::Lww,
                    ..OpenOptions::new("/nowhere", "gmtest")
                },
            );
            let made = target.unwrap().plan_of_objects(&schema).join("\n");
            for name in bulk.header(&sheets[0]).trim().split(',') {
                assert!(made.contains(name.trim_matches('"')), "{name} in {made}");
            }
        }
    }

    #[test]
    fn rows_are_lines_that_cqlsh_reads() {
        expect![[r#"
            gmtest_t.csv: "p","c","v","b","n"
            -2147483641,-4413-10-17,(null),(null),(null)
            "it's ""so"""
            ""
            "\N"
            (null)
            0x00ff
            0x
            -1.50
            true
            -Infinity
            07070707-0707-0707-0707-070707070707
            -1
            -221-09-04
            COPY "gmtest_t" ("p", "c", "v", "b", "n") FROM 'gmtest_t.csv' WITH HEADER = TRUE AND NULL = '(null)' AND ESCAPE = '"';
        "#]].assert_eq(&shown("cassandra:local"));
        let inet = |bytes: &[u8]| {
            let mut out = String::new();
            bulk("cassandra:local")
                .0
                .field(Type::Inet, Cell::Bytes(bytes), &mut out);
            out
        };
        assert_eq!([inet(&[127, 0, 0, 1]), inet(&[0; 16])], ["127.0.0.1", "::"]);
    }

    #[test]
    fn what_cqlsh_would_read_as_something_else_is_no_line() {
        let (bulk, schema) = bulk("cassandra:local");
        let column = &schema.table(0).regular[0];
        let domain = schema.table(0).domain(column.id);
        let sheet = &bulk.sheets()[0];
        // Days before the year 1 are none to cqlsh.
        let row = (0..schema.table(0).rows().len()).find(|row| bulk.takes(sheet, 3, *row, &Cells::new()));
        let row = row.expect("some day is");
        assert!((0..row + 100).any(|row| !bulk.takes(sheet, 3, row, &Cells::new())));
        let of = |descriptor: u64| -> (bool, bool) {
            let cells = Cells::from_iter([(column.id, Some(descriptor))]);
            let Value::Text(text) = domain.inflate(descriptor) else {
                unreachable!("it is a text")
            };
            (
                bulk.takes(sheet, 3, row, &cells),
                text.contains(['\n', '\r', '\0']),
            )
        };
        let often = datagen::domain::Rate::new(1, 2).expect("a half is a rate");
        let all: Vec<(bool, bool)> = (0..2000_u64)
            .map(|n| of(domain.draw(datagen::stream::mix(n), often)))
            .collect();
        assert!(all.iter().all(|(takes, breaks)| takes != breaks));
        assert!(all.iter().any(|(takes, _)| *takes) && all.iter().any(|(_, breaks)| *breaks));
    }
}
