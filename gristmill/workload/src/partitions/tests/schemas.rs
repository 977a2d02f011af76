//! Schemas of the tests, written out: a change of how schemas are drawn changes no golden file.

use std::sync::Arc;

use datagen::domain::Limits;
use datagen::schema::{Column, ColumnId, Definition, Index, KeyColumn, Schema, SizeClass};
use datagen::value::{Order, Type};

fn column(id: u16, name: &str, ty: Type, nullable: bool) -> Column {
    Column {
        id: ColumnId(id),
        name: name.to_owned(),
        ty,
        nullable,
        limits: Limits::default(),
    }
}

fn key(id: u16, name: &str, ty: Type, order: Order) -> KeyColumn {
    let limits = Limits::default().for_key(64);
    KeyColumn {
        column: Column {
            limits,
            ..column(id, name, ty, false)
        },
        order,
    }
}

fn index(name: &str, column: u16) -> Index {
    Index {
        name: name.to_owned(),
        columns: vec![ColumnId(column)],
        unique: false,
    }
}

fn made(tables: Vec<Definition>) -> Arc<Schema> {
    Arc::new(Schema::new(tables).expect("a valid schema"))
}

/// A wide table with everything, a narrow one, and one without clustering, shared and nullable columns.
pub(super) fn everything() -> Arc<Schema> {
    let numeric = Type::Numeric {
        precision: 12,
        scale: 3,
    };
    let wide = Definition {
        name: "wide".to_owned(),
        partition: vec![
            key(0, "p0", Type::Int64, Order::Asc),
            key(1, "p1", Type::Text, Order::Asc),
        ],
        clustering: vec![
            key(2, "c0", Type::Int16, Order::Asc),
            key(3, "c1", Type::Text, Order::Desc),
        ],
        regular: vec![
            Column {
                limits: Limits::default().for_key(64),
                ..column(4, "v0", Type::Int32, false)
            },
            column(5, "v1", Type::Text, true),
            column(6, "v2", Type::Float64, true),
            column(7, "v3", Type::Bool, true),
            column(8, "v4", Type::Int64, true),
        ],
        options: Vec::new(),
        shared: vec![
            column(9, "s0", Type::Int32, true),
            column(10, "s1", Type::Text, false),
        ],
        indexes: vec![index("by_v0", 4)],
        size: SizeClass::Wide,
        rows_max: 64,
        key_seed: 1,
    };
    let narrow = Definition {
        name: "narrow".to_owned(),
        partition: vec![key(0, "p0", Type::Int32, Order::Asc)],
        clustering: vec![
            key(1, "c0", Type::Int32, Order::Desc),
            key(2, "c1", Type::Bool, Order::Asc),
            key(3, "c2", Type::Uuid, Order::Asc),
        ],
        regular: vec![
            column(4, "v0", Type::Int16, true),
            Column {
                limits: Limits::default().for_key(64),
                ..column(5, "v1", numeric, true)
            },
        ],
        options: Vec::new(),
        shared: vec![column(6, "s0", Type::Text, true)],
        indexes: vec![index("by_v1", 5)],
        size: SizeClass::Narrow { partitions: 32 },
        rows_max: 64,
        key_seed: 2,
    };
    let bare = Definition {
        name: "bare".to_owned(),
        partition: vec![key(0, "p0", Type::Int64, Order::Asc)],
        clustering: vec![],
        regular: vec![column(1, "v0", Type::Int32, false)],
        options: Vec::new(),
        shared: vec![],
        indexes: vec![],
        size: SizeClass::Wide,
        rows_max: 64,
        key_seed: 1,
    };
    made(vec![wide, narrow, bare])
}

/// Keys of one `bool`, rows of none: two partitions, one row each.
pub(super) fn narrowest() -> Arc<Schema> {
    let table = Definition {
        name: "switch".to_owned(),
        partition: vec![key(0, "p0", Type::Bool, Order::Asc)],
        clustering: vec![],
        regular: vec![],
        options: Vec::new(),
        shared: vec![],
        indexes: vec![],
        size: SizeClass::Narrow { partitions: 64 },
        rows_max: 64,
        key_seed: 3,
    };
    made(vec![table])
}
