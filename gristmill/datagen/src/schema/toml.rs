//! A schema in a small TOML.
//!
//! ```toml
//! [[table]]
//! name = "accounts"
//! partition = ["id int64"]                                # which partition
//! clustering = ["day date desc", "seq int32"]             # which row of it; may be left out
//! regular = ["balance numeric(12,2) not null", "note text"]
//! shared = ["owner text"]                                 # one cell a partition; may be left out
//! indexes = [["balance"], ["note", "balance"]]            # on regular columns; may be left out
//! partitions = 64                                         # narrow; left out: as many as there are keys
//! rows = 1000                                             # rows of a partition, about
//! options = ["gc_grace_seconds = 86400"]                  # of CQL; may be left out
//! ```

use serde::Deserialize;

use super::Schema;
use super::given::{GivenColumn, GivenError, GivenTable, LimitsOf, resolve};
use crate::value::Order;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    table: Vec<Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: String,
    partition: Vec<String>,
    #[serde(default)]
    clustering: Vec<String>,
    #[serde(default)]
    regular: Vec<String>,
    #[serde(default)]
    shared: Vec<String>,
    #[serde(default)]
    indexes: Vec<Vec<String>>,
    partitions: Option<u32>,
    rows: Option<u64>,
    #[serde(default)]
    options: Vec<String>,
}

/// The schema that the text gives, resolved for targets with these limits; `seed` chooses the values
/// of its keys.
///
/// # Errors
/// Every mistake in it, but where the text is no TOML of this shape: then that, with its line.
pub fn read(text: &str, seed: u64, limits: &LimitsOf<'_>) -> Result<Schema, Vec<GivenError>> {
    let file: File = ::toml::from_str(text)
        .map_err(|error| vec![GivenError::Syntax(error.to_string().trim_end().to_owned())])?;
    let mut errors = Vec::new();
    let tables: Vec<GivenTable> = file
        .table
        .into_iter()
        .map(|table| given(table, &mut errors))
        .collect();
    match resolve(tables, seed, limits) {
        Ok(schema) if errors.is_empty() => Ok(schema),
        Ok(_) => Err(errors),
        Err(_) if !errors.is_empty() => Err(errors),
        Err(more) => Err(more),
    }
}

fn given(table: Table, errors: &mut Vec<GivenError>) -> GivenTable {
    let mut key = |texts: &[String]| -> Vec<(GivenColumn, Order)> {
        texts
            .iter()
            .filter_map(|text| keep(column(&table.name, text, true), errors))
            .collect()
    };
    let (partition, clustering) = (key(&table.partition), key(&table.clustering));
    let mut cells = |texts: &[String]| -> Vec<GivenColumn> {
        let columns = texts
            .iter()
            .filter_map(|text| keep(column(&table.name, text, false), errors));
        columns.map(|(column, _)| column).collect()
    };
    let (regular, shared) = (cells(&table.regular), cells(&table.shared));
    GivenTable {
        name: table.name,
        partition,
        clustering,
        regular,
        shared,
        indexes: table.indexes,
        partitions: table.partitions,
        rows: table.rows,
        options: table.options,
    }
}

fn keep<T>(read: Result<T, GivenError>, errors: &mut Vec<GivenError>) -> Option<T> {
    read.map_err(|error| errors.push(error)).ok()
}

/// `NAME TYPE`, then `not null` on a cell or `asc`, `desc` in a key.
fn column(table: &str, text: &str, key: bool) -> Result<(GivenColumn, Order), GivenError> {
    let wrong = || GivenError::Column {
        table: table.to_owned(),
        text: text.to_owned(),
    };
    let mut words = text.split_whitespace();
    let name = words.next().ok_or_else(wrong)?;
    let mut ty = words.next().ok_or_else(wrong)?.to_owned();
    // `numeric(12, 2)`, `map<text, int32>`
    let open = |ty: &str, open, close| ty.matches(open).count() > ty.matches(close).count();
    while open(&ty, '(', ')') || open(&ty, '<', '>') {
        ty.push_str(words.next().ok_or_else(wrong)?);
    }
    let rest: Vec<String> = words.map(str::to_lowercase).collect();
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    let (nullable, order) = match (&rest[..], key) {
        ([], false) => (true, Order::Asc),
        (["not", "null"], false) => (false, Order::Asc),
        ([] | ["asc"] | ["not", "null"] | ["not", "null", "asc"], true) => (false, Order::Asc),
        (["desc"] | ["not", "null", "desc"], true) => (false, Order::Desc),
        _ => return Err(wrong()),
    };
    let ty = ty
        .parse()
        .map_err(|error: crate::value::UnknownType| GivenError::Type {
            table: table.to_owned(),
            column: name.to_owned(),
            why: error.to_string(),
        })?;
    let column = GivenColumn {
        name: name.to_owned(),
        ty,
        nullable,
        length_max: None,
        subsecond_digits: None,
    };
    Ok((column, order))
}

#[cfg(test)]
mod tests;
