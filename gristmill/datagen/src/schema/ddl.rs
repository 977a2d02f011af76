//! A schema from DDL text: CREATE TABLE and CREATE INDEX, of SQL databases and of Cassandra.
//!
//! The first column of a primary key is the partition key and the others are the clustering key;
//! `PRIMARY KEY ((a, b), c)` says it otherwise. Cassandra's `static` columns are the shared ones, and
//! its `WITH CLUSTERING ORDER BY` is understood, and options of tables are kept as they are; `CREATE KEYSPACE` says how many
//! copies there are ([`replication`]).
//!
//! What a run cannot model is refused by name: secondary UNIQUE, FOREIGN KEY, CHECK, generated
//! columns, defaults, triggers. A column that is NOT NULL is part of every insert.

use sqlparser::ast::{
    ColumnDef, ColumnOption, CreateIndex, CreateTable, Expr, Ident, IndexColumn, ObjectName, OrderBySort,
    Statement, TableConstraint,
};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;

use super::Schema;
use super::given::{GivenColumn, GivenError, GivenTable, LimitsOf, resolve};
use crate::value::Order;

mod cql;
mod options;
mod types;

pub use options::Replication;

use cql::{Cql, Table as CqlTable};

/// The schema that the text gives, resolved for targets with these limits; `seed` chooses the values
/// of its keys.
///
/// # Errors
/// Every mistake and every refusal in it; where the text cannot be parsed, that, with its line.
pub fn read(text: &str, seed: u64, limits: &LimitsOf<'_>) -> Result<Schema, Vec<GivenError>> {
    let syntax = |error: String| vec![GivenError::Syntax(format!("DDL: {error}"))];
    let Cql {
        tokens, tables: cql, ..
    } = cql::take_out(text).map_err(syntax)?;
    let mut parser = Parser::new(&GenericDialect {}).with_tokens_with_locations(tokens);
    let statements = parser
        .parse_statements()
        .map_err(|error| syntax(error.to_string()))?;
    let (mut tables, mut errors) = (Vec::new(), Vec::new());
    let mut cql = cql.into_iter();
    for statement in &statements {
        match statement {
            Statement::CreateTable(create) => {
                let extras = cql.next().unwrap_or_default();
                tables.push(table(create, &extras, &mut errors));
            }
            Statement::CreateIndex(create) => index(create, &mut tables, &mut errors),
            other => errors.push(GivenError::Statement(statement_name(other))),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    resolve(tables, seed, limits)
}

/// What the text says of copies, by CREATE KEYSPACE; `None` where it makes no keyspace.
///
/// # Errors
/// A text that makes two, or one of which we cannot make the like.
pub fn replication(text: &str) -> Result<Option<Replication>, GivenError> {
    let taken = cql::take_out(text).map_err(|error| GivenError::Syntax(format!("DDL: {error}")))?;
    Ok(taken.replication)
}

const COMPOSITES: &str = "use list, set, map, tuple, vector or a type that CREATE TYPE made before it, of scalars or of frozen \
                          types; elements of sets and keys of maps have an order, and vectors are of int, bigint, float or double";

fn refused(table: &str, what: impl Into<String>, remedy: &'static str) -> GivenError {
    GivenError::Refused {
        table: table.to_owned(),
        what: what.into(),
        remedy,
    }
}

/// The first words of a statement, which name it.
fn statement_name(statement: &Statement) -> String {
    let text = statement.to_string();
    let words: Vec<&str> = text.split_whitespace().take(3).collect();
    words.join(" ")
}

/// Unquoted names are lower case, as in PostgreSQL; quoted ones stay.
fn name(ident: &Ident) -> String {
    if ident.quote_style.is_some() {
        ident.value.clone()
    } else {
        ident.value.to_lowercase()
    }
}

/// The last part: a schema or database before it is the target's affair.
fn last_name(object: &ObjectName) -> String {
    object
        .0
        .last()
        .and_then(|part| part.as_ident())
        .map(name)
        .unwrap_or_default()
}

fn table(create: &CreateTable, cql: &CqlTable, errors: &mut Vec<GivenError>) -> GivenTable {
    let mut made = GivenTable {
        name: last_name(&create.name),
        ..GivenTable::default()
    };
    let table = made.name.clone();
    if create.query.is_some() || create.like.is_some() || create.clone.is_some() {
        errors.push(refused(
            &table,
            "a table made from another",
            "write its columns out",
        ));
    }
    if create.partition_by.is_some() {
        errors.push(refused(
            &table,
            "PARTITION BY",
            "leave it out: the run makes its own tables",
        ));
    }
    if cql.compact {
        let remedy = "leave it out: tables are made without it";
        errors.push(refused(&table, "COMPACT STORAGE", remedy));
    }
    made.options.extend(
        cql.options
            .iter()
            .map(|(option, value)| format!("{option} = {value}")),
    );
    let mut key: Vec<(Vec<Ident>, Order)> = Vec::new();
    let mut columns = Vec::new();
    for definition in &create.columns {
        if let Some(inline) = column(&table, definition, &mut columns, errors) {
            key.push(inline);
        }
    }
    for (column, ty) in &cql.composites {
        let given = columns
            .iter_mut()
            .find(|given: &&mut GivenColumn| given.name == *column);
        match (given, ty) {
            (Some(given), Ok(ty)) => given.ty = *ty,
            (_, Err(text)) => errors.push(GivenError::Type {
                table: table.clone(),
                column: column.clone(),
                why: format!("{text} is not supported: {COMPOSITES}"),
            }),
            (None, Ok(_)) => unreachable!("the column stands in the statement"),
        }
    }
    for constraint in &create.constraints {
        match constraint {
            TableConstraint::PrimaryKey(primary) => {
                if !key.is_empty() {
                    errors.push(refused(&table, "a second PRIMARY KEY", "keep one"));
                }
                key = primary
                    .columns
                    .iter()
                    .filter_map(|part| key_part(&table, part, errors))
                    .collect();
            }
            TableConstraint::Index(plain) => {
                let parts = plain
                    .columns
                    .iter()
                    .filter_map(|part| key_part(&table, part, errors));
                made.indexes.push(
                    parts
                        .flat_map(|(idents, _)| idents)
                        .map(|ident| name(&ident))
                        .collect(),
                );
            }
            TableConstraint::Unique(_) => errors.push(no_unique(&table)),
            TableConstraint::ForeignKey(_) => {
                errors.push(refused(
                    &table,
                    "FOREIGN KEY",
                    "leave it out; each table is checked by itself",
                ));
            }
            TableConstraint::Check(_) => errors.push(no_check(&table)),
            other => {
                let what = other.to_string();
                errors.push(refused(&table, what, "leave it out"));
            }
        }
    }
    if key.is_empty() {
        errors.push(refused(
            &table,
            "a table without PRIMARY KEY",
            "name the columns that tell its rows apart",
        ));
    }
    let mut take = |ident: &Ident, order: Order, errors: &mut Vec<GivenError>| {
        let wanted = name(ident);
        let order = cql
            .orders
            .iter()
            .find(|(column, _)| *column == wanted)
            .map_or(order, |(_, order)| *order);
        match columns
            .iter()
            .position(|column: &GivenColumn| column.name == wanted)
        {
            Some(at) => Some((columns.remove(at), order)),
            None => {
                let what = format!("the key column `{wanted}`, which is not defined,");
                errors.push(refused(&table, what, "define it, once"));
                None
            }
        }
    };
    for (i, (idents, order)) in key.iter().enumerate() {
        let taken = idents.iter().filter_map(|ident| take(ident, *order, errors));
        if i == 0 {
            &mut made.partition
        } else {
            &mut made.clustering
        }
        .extend(taken);
    }
    let is_shared = |column: &GivenColumn| cql.statics.contains(&column.name);
    (made.shared, made.regular) = columns.into_iter().partition(is_shared);
    made
}

fn no_unique(table: &str) -> GivenError {
    refused(
        table,
        "UNIQUE beside the primary key",
        "leave it out; an index that is not unique may stay",
    )
}

fn no_check(table: &str) -> GivenError {
    refused(
        table,
        "CHECK",
        "leave it out: values are drawn from the whole domain of a type",
    )
}

/// A part of PRIMARY KEY or of an index: a column, or in parentheses several.
fn key_part(table: &str, part: &IndexColumn, errors: &mut Vec<GivenError>) -> Option<(Vec<Ident>, Order)> {
    let idents = match &part.column.expr {
        Expr::Identifier(ident) => Some(vec![ident.clone()]),
        Expr::Nested(inner) => match &**inner {
            Expr::Identifier(ident) => Some(vec![ident.clone()]),
            _ => None,
        },
        Expr::Tuple(parts) => parts
            .iter()
            .map(|part| {
                if let Expr::Identifier(ident) = part {
                    Some(ident.clone())
                } else {
                    None
                }
            })
            .collect(),
        _ => None,
    };
    let Some(idents) = idents else {
        errors.push(refused(
            table,
            format!("the key expression {}", part.column.expr),
            "name plain columns",
        ));
        return None;
    };
    let order = match part.column.options.sort {
        Some(OrderBySort::Desc) => Order::Desc,
        _ => Order::Asc,
    };
    Some((idents, order))
}

/// Adds the column; the key part, where it is declared as primary key by itself.
fn column(
    table: &str,
    definition: &ColumnDef,
    columns: &mut Vec<GivenColumn>,
    errors: &mut Vec<GivenError>,
) -> Option<(Vec<Ident>, Order)> {
    let own = name(&definition.name);
    let mut nullable = true;
    let mut key = None;
    for option in &definition.options {
        let about = |what: &str| format!("{what} on column `{own}`");
        match &option.option {
            ColumnOption::Null | ColumnOption::Comment(_) => {}
            ColumnOption::NotNull => nullable = false,
            ColumnOption::Default(Expr::Value(value)) if value.to_string().eq_ignore_ascii_case("null") => {}
            ColumnOption::Default(_) => {
                errors.push(refused(
                    table,
                    about("DEFAULT"),
                    "leave it out: every insert gives every column it sets",
                ));
            }
            ColumnOption::PrimaryKey(_) => key = Some((vec![definition.name.clone()], Order::Asc)),
            ColumnOption::Unique(_) => errors.push(no_unique(table)),
            ColumnOption::ForeignKey(_) => {
                errors.push(refused(
                    table,
                    about("REFERENCES"),
                    "leave it out; each table is checked by itself",
                ));
            }
            ColumnOption::Check(_) => errors.push(no_check(table)),
            ColumnOption::Generated { .. } | ColumnOption::Identity(_) => {
                errors.push(refused(
                    table,
                    about("a generated value"),
                    "make it a plain column",
                ));
            }
            ColumnOption::CharacterSet(_) | ColumnOption::Collation(_) => {
                let remedy = "leave it out: text is made with the target's binary collation";
                errors.push(refused(table, about("a collation"), remedy));
            }
            other => errors.push(refused(table, about(&other.to_string()), "leave it out")),
        }
    }
    match types::read(&definition.data_type) {
        Ok(read) => columns.push(GivenColumn {
            name: own,
            ty: read.ty,
            nullable,
            length_max: read.length_max,
            subsecond_digits: read.subsecond_digits,
        }),
        Err(why) => {
            errors.push(GivenError::Type {
                table: table.to_owned(),
                column: own.clone(),
                why,
            });
            // The key may name it: one mistake is told once.
            let ty = crate::value::Type::Bool;
            columns.push(GivenColumn {
                name: own,
                ty,
                nullable,
                length_max: None,
                subsecond_digits: None,
            });
        }
    }
    key
}

fn index(create: &CreateIndex, tables: &mut [GivenTable], errors: &mut Vec<GivenError>) {
    let of = last_name(&create.table_name);
    let label = create.name.as_ref().map(last_name).unwrap_or_default();
    if create.unique {
        errors.push(no_unique(&of));
    }
    if create.predicate.is_some() {
        errors.push(refused(
            &of,
            format!("the partial index `{label}`"),
            "leave its WHERE out",
        ));
    }
    let parts: Vec<_> = create
        .columns
        .iter()
        .filter_map(|part| key_part(&of, part, errors))
        .collect();
    match tables.iter_mut().find(|table| table.name == of) {
        Some(table) => table.indexes.push(
            parts
                .into_iter()
                .flat_map(|(idents, _)| idents)
                .map(|i| name(&i))
                .collect(),
        ),
        None => errors.push(refused(
            &of,
            format!("the index `{label}`"),
            "create its table before it",
        )),
    }
}

#[cfg(test)]
mod tests;
