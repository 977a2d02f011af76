//! What must hold of a table before its domains are made.

use super::{Column, Definition, SchemaError};
use crate::value::Type;

/// The longest name in characters: targets add a prefix, and some cut names at 63 bytes.
const NAME_MAX: usize = 40;

pub(super) fn names(table: &Definition) -> Result<(), SchemaError> {
    let own = [&table.name].into_iter();
    let all = own
        .chain(table.columns().map(|column| &column.name))
        .chain(table.indexes.iter().map(|i| &i.name));
    if let Some(name) = all
        .into_iter()
        .find(|name| name.is_empty() || name.chars().count() > NAME_MAX)
    {
        return Err(SchemaError::Name {
            table: table.name.clone(),
            name: name.clone(),
        });
    }
    let columns: Vec<&Column> = table.columns().collect();
    for (i, column) in columns.iter().enumerate() {
        if columns[..i].iter().any(|other| other.name == column.name) {
            return Err(SchemaError::ColumnTwice {
                table: table.name.clone(),
                column: column.name.clone(),
            });
        }
    }
    Ok(())
}

pub(super) fn keys(table: &Definition) -> Result<(), SchemaError> {
    if table.partition.is_empty() {
        return Err(SchemaError::NoKey(table.name.clone()));
    }
    if table.rows_max == 0 {
        return Err(SchemaError::NoRows(table.name.clone()));
    }
    for key in table.partition.iter().chain(&table.clustering) {
        let (table, column) = (table.name.clone(), key.column.name.clone());
        if key.column.nullable {
            return Err(SchemaError::NullableKey { table, column });
        }
        if !key.column.ty.orders() {
            let ty = key.column.ty;
            return Err(SchemaError::NoOrder { table, column, ty });
        }
        if !key.column.limits.identity {
            return Err(SchemaError::Identity { table, column });
        }
    }
    Ok(())
}

pub(super) fn counters(table: &Definition) -> Result<(), SchemaError> {
    let other = |column: &&Column| column.ty != Type::Counter || !column.nullable;
    match table.cells().find(other) {
        Some(column) if table.counts() => Err(SchemaError::BesideCounters {
            table: table.name.clone(),
            column: column.name.clone(),
        }),
        _ => Ok(()),
    }
}

pub(super) fn indexes(table: &Definition) -> Result<(), SchemaError> {
    for index in &table.indexes {
        let (name, index_name) = (table.name.clone(), index.name.clone());
        if index.columns.is_empty() {
            return Err(SchemaError::EmptyIndex {
                table: name,
                index: index_name,
            });
        }
        if index.unique {
            return Err(SchemaError::UniqueIndex {
                table: name,
                index: index_name,
            });
        }
        for id in &index.columns {
            let Some(column) = table.regular.iter().find(|column| column.id == *id) else {
                return Err(SchemaError::IndexColumn {
                    table: name,
                    index: index_name,
                    column: id.0,
                });
            };
            if !column.ty.orders() {
                return Err(SchemaError::NoOrder {
                    table: name,
                    column: column.name.clone(),
                    ty: column.ty,
                });
            }
            if !column.limits.identity {
                return Err(SchemaError::Identity {
                    table: name,
                    column: column.name.clone(),
                });
            }
        }
    }
    Ok(())
}
