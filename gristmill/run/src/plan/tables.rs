//! The tables of a run: drawn from the seed, or given by a file.

use super::mistake::Mistake;
use datagen::domain::Limits;
use datagen::schema::draw::{SchemaOptions, draw};
use datagen::schema::{Column, ColumnId, Definition, KeyColumn, Schema, SizeClass, ddl, toml};
use datagen::value::{Order, Type};
use history::Discipline;
use std::path::Path;
use workload::partitions::{Config, TableOptions, VISITS};

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
        return match made.tables.iter().find(|table| table.counts()) {
            Some(table) => Err(vec![Mistake {
                place: "schema".to_owned(),
                what: format!(
                    "`{}` has counters, and under ordered nobody adds to one: use discipline = \"lww\"",
                    table.name
                ),
            }]),
            None => Ok(made),
        };
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
    if given.is_none() {
        tables.extend(counters(seed, limits));
    }
    Schema::new(tables).map_err(|e| {
        vec![Mistake {
            place: "schema".to_owned(),
            what: e.to_string(),
        }]
    })
}

/// A table of counters: few partitions, so that sessions meet in them. `None` where the target has none. Given tables may have
/// static ones, which are judged like all others; here are none, because Cassandra 5.0.9 loses increments of them: of two that
/// came at one time, one is acknowledged and never seen again.
fn counters(seed: u64, limits: &dyn Fn(Type) -> Option<Limits>) -> Option<Definition> {
    let counter = |id, name: &str| {
        Some(Column {
            id: ColumnId(id),
            name: name.to_owned(),
            ty: Type::Counter,
            nullable: true,
            limits: limits(Type::Counter)?,
        })
    };
    let key = |id, name: &str| {
        Some(KeyColumn {
            column: Column {
                id: ColumnId(id),
                name: name.to_owned(),
                ty: Type::Int32,
                nullable: false,
                limits: limits(Type::Int32)?.for_key(64),
            },
            order: Order::Asc,
        })
    };
    Some(Definition {
        name: "counts".to_owned(),
        size: SizeClass::Narrow { partitions: 16 },
        rows_max: 8,
        key_seed: seed >> 2,
        partition: vec![key(0, "p")?],
        clustering: vec![key(1, "c")?],
        regular: vec![counter(2, "n")?, counter(3, "m")?],
        ..Definition::default()
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

/// The tables, and beside each that visits write by themselves another one, for the numbers of these visits: with the same
/// partition key, and a row a visit. Conditional tables have none: a lightweight transaction writes one table.
pub(super) fn with_visits(
    schema: Schema,
    config: &Config,
    limits: &dyn Fn(Type) -> Option<Limits>,
) -> Result<Schema, Mistake> {
    let mistake = |what: String| Mistake {
        place: "bookkeeping".to_owned(),
        what,
    };
    let kept = limits(Type::Int64).ok_or_else(|| mistake("the target has no 64-bit integers".to_owned()))?;
    let column = |id, name: &str, limits| Column {
        id: ColumnId(id),
        name: name.to_owned(),
        ty: Type::Int64,
        nullable: name == "visit",
        limits,
    };
    let mut tables: Vec<Definition> = schema.tables.iter().map(|t| t.definition().clone()).collect();
    let kept_of = |table: &&Definition| {
        let options = config.tables.get(&table.name);
        options.is_none_or(|options| options.weight != Some(0) && !options.conditional)
    };
    let lists: Vec<Definition> = tables
        .iter()
        .filter(kept_of)
        .map(|table| {
            let next = table
                .partition
                .iter()
                .map(|k| k.column.id.0 + 1)
                .max()
                .unwrap_or(0);
            Definition {
                name: format!("{}{VISITS}", table.name),
                rows_max: 1 << 31,
                clustering: vec![KeyColumn {
                    column: column(next, "nth_visit", kept.clone().for_key(64)),
                    order: Order::Asc,
                }],
                regular: vec![column(next + 1, "visit", kept.clone())],
                shared: Vec::new(),
                indexes: Vec::new(),
                ..table.clone()
            }
        })
        .collect();
    tables.extend(lists);
    Schema::new(tables).map_err(|e| mistake(e.to_string()))
}

/// No visit is drawn for the tables that [`with_visits`] made.
pub(super) fn leave_alone_visits(schema: &Schema, config: &mut Config) {
    let lists = schema.tables.iter().filter(|t| t.name.ends_with(VISITS));
    for list in lists.filter(|list| schema.find(list.name.trim_end_matches(VISITS)).is_some()) {
        let alone = TableOptions {
            weight: Some(0),
            ..TableOptions::default()
        };
        config.tables.insert(list.name.clone(), alone);
    }
}

/// The name of the table in which agents say that they came and went.
pub(crate) const AGENTS: &str = "agents";

/// The tables, and one more for agents: a partition for each of them. The mistake: there is one of that name.
pub(super) fn with_agents(
    schema: Schema,
    limits: &dyn Fn(Type) -> Option<Limits>,
) -> Result<Schema, Mistake> {
    let mistake = |what: String| Mistake {
        place: "agent".to_owned(),
        what,
    };
    let kept = limits(Type::Int32).ok_or_else(|| mistake("the target has no 32-bit integers".to_owned()))?;
    let column = |id, name: &str, limits| Column {
        id: ColumnId(id),
        name: name.to_owned(),
        ty: Type::Int32,
        nullable: id == 2,
        limits,
    };
    let key = |id, name| KeyColumn {
        column: column(id, name, kept.clone().for_key(64)),
        order: Order::Asc,
    };
    let mut tables: Vec<Definition> = schema.tables.iter().map(|t| t.definition().clone()).collect();
    tables.push(Definition {
        name: AGENTS.to_owned(),
        size: SizeClass::Wide,
        rows_max: 1 << 16,
        key_seed: 0,
        partition: vec![key(0, "agent")],
        clustering: vec![key(1, "said")],
        regular: vec![column(2, "v", kept.clone())],
        ..Definition::default()
    });
    Schema::new(tables).map_err(|e| mistake(e.to_string()))
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
