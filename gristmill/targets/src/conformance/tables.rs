//! Schemas that a target can keep.

use crate::target::Target;
use datagen::schema::{Column, ColumnId, Definition, Index, KeyColumn, Schema, SizeClass};
use datagen::value::{Order, Type};

fn column(target: &dyn Target, id: u16, name: &str, ty: Type, nullable: bool) -> Column {
    let limits = target.limits(&ty).unwrap_or_else(|| panic!("{ty} is offered"));
    Column {
        id: ColumnId(id),
        name: name.into(),
        ty,
        nullable,
        limits,
    }
}

fn with_identity(column: Column) -> Column {
    let limits = column.limits.for_key(100);
    Column { limits, ..column }
}

fn key(column: Column, order: Order) -> KeyColumn {
    KeyColumn {
        column: with_identity(column),
        order,
    }
}

/// Types that the target offers, the long numeric left out where it is not.
pub(crate) fn offered(target: &dyn Target) -> Vec<Type> {
    Type::ALL
        .into_iter()
        .filter(|ty| target.limits(ty).is_some())
        .collect()
}

/// A table for each offered type: clustered by it (both directions), with a regular column of it.
pub(crate) fn every_type(target: &dyn Target) -> Schema {
    let mut tables = Vec::new();
    for (i, ty) in offered(target).into_iter().enumerate() {
        for order in [Order::Asc, Order::Desc] {
            let suffix = if order == Order::Asc { "a" } else { "d" };
            tables.push(Definition {
                name: format!("y{i}{suffix}"),
                size: SizeClass::Narrow { partitions: 2 },
                rows_max: 64,
                key_seed: 7,
                partition: vec![key(column(target, 0, "p0", Type::Int32, false), Order::Asc)],
                clustering: vec![key(column(target, 1, "c0", ty, false), order)],
                regular: vec![
                    column(target, 2, "v0", ty, true),
                    with_identity(column(target, 3, "v1", ty, true)),
                ],
                ..Definition::default()
            });
        }
    }
    Schema::new(tables).unwrap()
}

/// A table with everything, and one without clustering key and shared columns.
pub(crate) fn two_tables(target: &dyn Target) -> Schema {
    let t = |id, name: &str, ty| column(target, id, name, ty, true);
    let numeric = Type::Numeric {
        precision: 12,
        scale: 3,
    };
    let full = Definition {
        name: "t0".into(),
        size: SizeClass::Narrow { partitions: 3 },
        rows_max: 24,
        key_seed: 11,
        partition: vec![
            key(column(target, 0, "p0", Type::Text, false), Order::Asc),
            key(column(target, 1, "p1", Type::Int16, false), Order::Asc),
        ],
        clustering: vec![
            key(column(target, 2, "c0", Type::Int32, false), Order::Desc),
            key(column(target, 3, "c1", Type::Ascii, false), Order::Asc),
        ],
        regular: vec![
            with_identity(t(4, "v0", Type::Int16)),
            t(5, "v1", Type::Text),
            with_identity(t(6, "v2", numeric)),
            with_identity(t(7, "v3", Type::Bool)),
            t(8, "v4", Type::Float64),
            with_identity(t(9, "order", Type::Bytes)),
            with_identity(t(10, "v6", Type::Uuid)),
        ],
        options: Vec::new(),
        shared: vec![t(20, "s0", Type::Timestamp), t(21, "s1", Type::Int64)],
        indexes: vec![Index {
            name: "i0".into(),
            columns: vec![ColumnId(4)],
            unique: false,
        }],
    };
    let bare = Definition {
        name: "t1".into(),
        size: SizeClass::Narrow { partitions: 6 },
        rows_max: 1,
        key_seed: 12,
        partition: vec![
            key(column(target, 0, "p0", Type::Date, false), Order::Asc),
            key(column(target, 1, "p1", Type::Bool, false), Order::Asc),
        ],
        regular: vec![
            with_identity(t(2, "v0", Type::Int8)),
            t(3, "v1", Type::Float32),
            t(4, "v2", Type::Time),
        ],
        ..Definition::default()
    };
    Schema::new(vec![full, bare]).unwrap()
}
