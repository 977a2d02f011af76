//! The tables of a run: drawn from the seed, or given by a file.

use super::mistake::Mistake;
use datagen::domain::Limits;
use datagen::schema::{Column, ColumnId, Definition, Index, KeyColumn, Schema, SizeClass};
use datagen::value::{Order, Type};
use std::path::Path;
use targets::Target;

/// The schema, with every column's domain resolved for the target (F20).
pub(super) fn schema(seed: u64, given: Option<&Path>, target: &dyn Target) -> Result<Schema, Mistake> {
    let mistake = |what: String| Mistake {
        place: "schema".to_owned(),
        what,
    };
    if let Some(path) = given {
        return Err(mistake(format!("{} cannot be read yet", path.display())));
    }
    let limits = |ty: Type| target.limits(&ty);
    let tables = vec![
        table("t0", SizeClass::Wide, seed >> 1, &limits),
        table(
            "t1",
            SizeClass::Narrow { partitions: 32 },
            (seed >> 1) ^ 1,
            &limits,
        ),
    ];
    Schema::new(tables).map_err(|e| mistake(e.to_string()))
}

fn table(name: &str, size: SizeClass, key_seed: u64, limits: &dyn Fn(Type) -> Option<Limits>) -> Definition {
    let mut next = 0;
    let mut column = |name: &str, ty: Type, nullable: bool, key: bool| -> Option<Column> {
        let limits = limits(ty)?;
        let limits = if key { limits.for_key(64) } else { limits };
        next += 1;
        Some(Column {
            id: ColumnId(next - 1),
            name: name.to_owned(),
            ty,
            nullable,
            limits,
        })
    };
    let key = |column: Option<Column>, order| column.map(|column| KeyColumn { column, order });
    Definition {
        name: name.to_owned(),
        size,
        rows_max: 256,
        key_seed,
        partition: [key(column("p0", Type::Int64, false, true), Order::Asc)]
            .into_iter()
            .flatten()
            .collect(),
        clustering: [
            key(column("c0", Type::Int32, false, true), Order::Asc),
            key(column("c1", Type::Text, false, true), Order::Desc),
        ]
        .into_iter()
        .flatten()
        .collect(),
        regular: [
            column("v0", Type::Int32, true, true),
            column("v1", Type::Text, true, false),
            column("v2", Type::Float64, true, false),
            column("v3", Type::Int64, false, false),
        ]
        .into_iter()
        .flatten()
        .collect(),
        shared: [
            column("s0", Type::Int64, true, false),
            column("s1", Type::Text, true, false),
        ]
        .into_iter()
        .flatten()
        .collect(),
        indexes: vec![Index {
            name: "i0".to_owned(),
            columns: vec![ColumnId(3)],
            unique: false,
        }],
    }
}
