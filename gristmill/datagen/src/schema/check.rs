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
        if !key.column.ty.makes_keys() {
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

/// Tombstones may be purged after so many seconds at the earliest: longer than a run, whose older writes may still come.
const GC_GRACE_MIN: u64 = 3600;

/// Why `name = value` is no option that a table may have here: what it is, and the remedy. Most options change nothing that is
/// read and are the database's affair; these do, and no model knows them.
#[must_use]
pub fn option_refusal(option: &str) -> Option<(String, &'static str)> {
    let (name, value) = option.split_once('=').unwrap_or((option, ""));
    let (name, value) = (name.trim(), value.trim());
    let number = value.parse::<u64>();
    match name {
        "default_time_to_live" if !number.as_ref().is_ok_and(|seconds| *seconds <= TTL_MAX) => Some((
            option.to_owned(),
            "give whole seconds, at most 630720000 (20 years), or leave it out",
        )),
        "gc_grace_seconds" if number.as_ref().is_ok_and(|seconds| *seconds < GC_GRACE_MIN) => Some((
            option.to_owned(),
            "give 3600 or more: deletions must be there as long as older writes may come",
        )),
        "id" => Some((option.to_owned(), "leave it out: the run makes its own tables")),
        "cdc" if value == "true" => Some((option.to_owned(), "leave it out: nothing here reads such a log")),
        _ if value.is_empty() => Some((option.to_owned(), "write NAME = VALUE, as behind WITH")),
        _ => None,
    }
}

/// The longest time to live that CQL takes, in seconds.
const TTL_MAX: u64 = 20 * 365 * 86_400;

/// How long what is written without a time to live lives in a table with this option, in seconds; `None`: for ever, or it is
/// another option.
pub(super) fn time_to_live(option: &str) -> Option<u32> {
    let (name, value) = option.split_once('=')?;
    let seconds = value.trim().parse().ok().filter(|seconds| *seconds > 0);
    seconds.filter(|_| name.trim() == "default_time_to_live")
}

pub(super) fn options(table: &Definition) -> Result<(), SchemaError> {
    if table.counts() && table.time_to_live().is_some() {
        return Err(SchemaError::TableOption {
            table: table.name.clone(),
            what: "default_time_to_live beside counters".to_owned(),
            remedy: "leave it out: a counter lives for ever",
        });
    }
    if table.has_lists() && table.time_to_live().is_some() {
        return Err(SchemaError::TableOption {
            table: table.name.clone(),
            what: "default_time_to_live beside a list that is not frozen".to_owned(),
            remedy: "leave it out, or freeze the list: which of its elements have expired is not modelled",
        });
    }
    match table.options.iter().find_map(|option| option_refusal(option)) {
        None => Ok(()),
        Some((what, remedy)) => Err(SchemaError::TableOption {
            table: table.name.clone(),
            what,
            remedy,
        }),
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
            if !(column.ty.orders() || column.ty.is_collection()) {
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
