//! The tables of a run: drawn from the seed, or given by a file.

use super::mistake::Mistake;
use datagen::domain::Limits;
use datagen::schema::draw::{SchemaOptions, draw};
use datagen::schema::{Column, ColumnId, Definition, KeyColumn, Schema, SizeClass, ddl, toml};
use datagen::value::{Order, Type};
use history::Discipline;
use std::path::Path;

/// Tables that somebody gave.
#[derive(Debug, Clone, Copy)]
pub(super) enum Given<'a> {
    /// A `.toml` or `.sql` file.
    File(&'a Path),
    /// DDL, and where it came from.
    Ddl(&'a str, &'a str),
}

/// The schema, with every column's domain resolved for the target (F20). `lightweight`: drawn ones under `lww` have a table for
/// lightweight transactions.
pub(super) fn schema(
    seed: u64,
    given: Option<Given<'_>>,
    limits: &dyn Fn(Type) -> Option<Limits>,
    discipline: Discipline,
    lightweight: bool,
) -> Result<Schema, Vec<Mistake>> {
    let made = resolved(seed, given, limits)?;
    if discipline == Discipline::Ordered {
        return Ok(made);
    }
    // A cell that nobody wrote, or that was deleted by itself, is NULL whatever the table says.
    let mut tables: Vec<Definition> = made.tables.iter().map(|t| t.definition().clone()).collect();
    let mut mistakes = Vec::new();
    for table in &mut tables {
        let name = table.name.clone();
        if table.clustering.is_empty() && !std::mem::take(&mut table.shared).is_empty() && given.is_some() {
            mistakes.push(Mistake {
                place: "schema".to_owned(),
                what: format!(
                    "`{name}` has shared columns and no clustering key: give it one, or make them regular"
                ),
            });
        }
        for key in &mut table.partition {
            // A partition key of one empty text is none to Cassandra.
            key.column.limits.empty = false;
        }
        for column in table
            .regular
            .iter_mut()
            .chain(&mut table.shared)
            .filter(|c| !c.nullable)
        {
            column.nullable = true;
            if given.is_some() {
                mistakes.push(Mistake {
                    place: "schema".to_owned(),
                    what: format!(
                        "column `{}` of `{name}` is NOT NULL, and under lww every cell can be deleted: leave NOT NULL out",
                        column.name
                    ),
                });
            }
        }
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    if given.is_none() && lightweight {
        tables.extend(conditional(seed, limits));
    }
    Schema::new(tables).map_err(|e| {
        vec![Mistake {
            place: "schema".to_owned(),
            what: e.to_string(),
        }]
    })
}

/// The name of the table whose writes are lightweight transactions.
pub(super) const CONDITIONAL: &str = "cas";

/// A small table for lightweight transactions: few partitions of few rows, so that sessions meet on them. Their timestamps
/// are the database's, so nothing else may write it. `None` where the target has not the types.
fn conditional(seed: u64, limits: &dyn Fn(Type) -> Option<Limits>) -> Option<Definition> {
    let column = |id, name: &str, ty, key: bool| {
        let limits = limits(ty)?;
        Some(Column {
            id: ColumnId(id),
            name: name.to_owned(),
            ty,
            nullable: !key,
            limits: if key { limits.for_key(64) } else { limits },
        })
    };
    let key = |id, name| {
        Some(KeyColumn {
            column: column(id, name, Type::Int32, true)?,
            order: Order::Asc,
        })
    };
    Some(Definition {
        name: CONDITIONAL.to_owned(),
        size: SizeClass::Narrow { partitions: 8 },
        rows_max: 4,
        key_seed: seed >> 1,
        partition: vec![key(0, "p")?],
        clustering: vec![key(1, "c")?],
        regular: vec![
            column(2, "v", Type::Int64, false)?,
            column(3, "w", Type::Text, false)?,
        ],
        ..Definition::default()
    })
}

fn resolved(
    seed: u64,
    given: Option<Given<'_>>,
    limits: &dyn Fn(Type) -> Option<Limits>,
) -> Result<Schema, Vec<Mistake>> {
    let path = match given {
        Some(Given::File(path)) => path,
        Some(Given::Ddl(name, text)) => {
            let mistake = |e: &dyn ToString| Mistake {
                place: name.to_owned(),
                what: e.to_string(),
            };
            return ddl::read(text, seed, limits).map_err(|all| all.iter().map(|e| mistake(e)).collect());
        }
        None => {
            let mistake = |e: &dyn ToString| Mistake {
                place: "schema".to_owned(),
                what: e.to_string(),
            };
            return draw(seed, &SchemaOptions::default(), limits).map_err(|e| vec![mistake(&e)]);
        }
    };
    let mistake = |what: String| Mistake {
        place: path.display().to_string(),
        what,
    };
    let text = std::fs::read_to_string(path).map_err(|e| vec![mistake(e.to_string())])?;
    let read = match path.extension().and_then(|e| e.to_str()) {
        Some("toml") => toml::read(&text, seed, limits),
        Some("sql" | "ddl" | "cql") => ddl::read(&text, seed, limits),
        _ => {
            return Err(vec![mistake(
                "a schema is a .toml file or DDL in a .sql file".to_owned(),
            )]);
        }
    };
    read.map_err(|errors| errors.iter().map(|e| mistake(e.to_string())).collect())
}
