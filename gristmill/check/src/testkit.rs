//! A small world for tests: a schema, a history in memory, and what became of it.

pub(crate) mod corrupt;
pub(crate) mod draw;
pub(crate) mod race;
pub(crate) mod racing;
pub(crate) mod sim;

use crate::{Judge, Options};
use datagen::domain::Limits;
use datagen::schema::{Column, ColumnId, Definition, KeyColumn, Schema, SizeClass};
use datagen::value::{Order, Type};
use history::{
    Affected, Answered, Atomic, Claim, Level, Lts, Nulls, Part, Regenerate, Semantics, SessionId, Snapshot,
    State, Tick, Track, Tracker, Visit,
};
use std::sync::Arc;

/// Everything that a judge is given, in memory.
pub(crate) struct World {
    pub(crate) schema: Arc<Schema>,
    /// Ascending by lts.
    pub(crate) visits: Vec<(Visit, Track)>,
}

impl Regenerate for World {
    fn schema(&self, _: Lts) -> Arc<Schema> {
        Arc::clone(&self.schema)
    }

    fn visit(&self, lts: Lts) -> Option<Visit> {
        self.visits
            .iter()
            .find(|(v, _)| v.lts == lts)
            .map(|(v, _)| v.clone())
    }

    fn writer_after(&self, part: Part, lts: Lts) -> Option<Lts> {
        self.visits
            .iter()
            .map(|(v, _)| v)
            .find(|v| v.lts > lts && v.writes.contains(&part))
            .map(|v| v.lts)
    }

    fn writer_before(&self, part: Part, lts: Lts) -> Option<Lts> {
        self.visits
            .iter()
            .rev()
            .map(|(v, _)| v)
            .find(|v| v.lts < lts && v.writes.contains(&part))
            .map(|v| v.lts)
    }
}

impl Tracker for World {
    fn get(&self, lts: Lts) -> Track {
        let waiting = Track {
            state: State::Waiting,
            attempt: 0,
            session: SessionId(0),
            visible_from: Tick(u64::MAX),
            visible_by: Tick(u64::MAX),
        };
        self.visits
            .iter()
            .find(|(v, _)| v.lts == lts)
            .map_or(waiting, |(_, t)| *t)
    }

    fn settled(&self, _: Lts) -> Option<Tick> {
        None
    }
}

/// What a strict database promises.
pub(crate) fn claim() -> Claim {
    Claim {
        level: Level::Serializable,
        real_time: true,
        hidden_until_commit: true,
        atomic: Atomic::Visit,
        snapshot: Snapshot::FirstMessage,
        durable: true,
    }
}

pub(crate) fn semantics() -> Semantics {
    Semantics {
        update_creates_rows: false,
        nulls: Nulls::First,
        affected: Affected::Matched,
        ties: history::Ties::Greatest,
        replicas: 1,
        clustered: false,
        sums: history::Sums::Exact,
    }
}

fn column(id: u16, name: &str, ty: Type, nullable: bool) -> Column {
    // What our small worlds do not test is left out, so that a failure prints short.
    let limits = Limits {
        text_bytes_max: 6,
        identity: !matches!(ty, Type::Float64),
        negative_zero: true,
        nan: false,
        ..Limits::default()
    };
    Column {
        id: ColumnId(id),
        name: name.to_owned(),
        ty,
        nullable,
        limits,
    }
}

fn key(id: u16, name: &str, ty: Type, order: Order) -> KeyColumn {
    KeyColumn {
        column: column(id, name, ty, false),
        order,
    }
}

/// Table 0: wide, two clustering columns, one of them descending, four regular columns, one shared.
/// Table 1: narrow, three partitions, one clustering column, a numeric and a bool.
pub(crate) fn schema() -> Arc<Schema> {
    let t0 = Definition {
        name: "t0".to_owned(),
        size: SizeClass::Wide,
        rows_max: 12,
        key_seed: 7,
        partition: vec![key(0, "p", Type::Int32, Order::Asc)],
        clustering: vec![
            key(1, "a", Type::Int8, Order::Asc),
            key(2, "b", Type::Text, Order::Desc),
        ],
        regular: vec![
            column(3, "n", Type::Int16, true),
            column(4, "s", Type::Text, true),
            column(5, "x", Type::Bool, true),
            column(6, "f", Type::Float64, true),
        ],
        options: Vec::new(),
        shared: vec![column(7, "z", Type::Int8, true)],
        indexes: Vec::new(),
    };
    let t1 = Definition {
        name: "t1".to_owned(),
        size: SizeClass::Narrow { partitions: 3 },
        rows_max: 5,
        key_seed: 8,
        partition: vec![key(0, "p", Type::Int8, Order::Asc)],
        clustering: vec![key(1, "c", Type::Int32, Order::Asc)],
        regular: vec![
            column(
                2,
                "d",
                Type::Numeric {
                    precision: 6,
                    scale: 2,
                },
                true,
            ),
            column(3, "x", Type::Bool, true),
        ],
        options: Vec::new(),
        shared: Vec::new(),
        indexes: Vec::new(),
    };
    Arc::new(Schema::new(vec![t0, t1]).expect("the small schema is sound"))
}

/// The first table of [`schema`], with columns whose elements are cells, and one composite that is one value.
pub(crate) fn composites() -> Arc<Schema> {
    let of = |id, name, ty: &str| column(id, name, ty.parse().expect("a type"), true);
    let mut tables: Vec<Definition> = schema().tables.iter().map(|t| t.definition().clone()).collect();
    tables[0].regular = vec![
        of(3, "n", "int16"),
        of(4, "s", "set<bool>"),
        of(5, "m", "map<int8,text>"),
        of(6, "t", "tuple<int16,bool>"),
        of(9, "u", "udt<a:int16,b:bool>"),
        of(10, "f", "frozen<list<bool>>"),
        of(11, "e", "int32"),
    ];
    tables[0].regular[6].limits.empty_values = true;
    tables[0].shared = vec![of(7, "z", "map<bool,int32>"), of(8, "y", "int8")];
    Arc::new(Schema::new(tables).expect("the small schema is sound"))
}

/// The first table of [`schema`], with lists whose elements are cells.
pub(crate) fn lists() -> Arc<Schema> {
    let of = |id, name, ty: &str| column(id, name, ty.parse().expect("a type"), true);
    let mut tables: Vec<Definition> = schema().tables.iter().map(|t| t.definition().clone()).collect();
    tables[0].regular = vec![
        of(3, "n", "int16"),
        of(4, "l", "list<int8>"),
        of(5, "k", "list<bool>"),
    ];
    tables[0].shared = vec![of(7, "z", "list<bool>"), of(8, "y", "int8")];
    Arc::new(Schema::new(tables).expect("the small schema is sound"))
}

/// The first table of [`schema`], with counters.
pub(crate) fn counters() -> Arc<Schema> {
    let counter = |id, name| column(id, name, Type::Counter, true);
    let mut tables: Vec<Definition> = schema().tables.iter().map(|t| t.definition().clone()).collect();
    tables[0].regular = vec![counter(3, "n"), counter(4, "m")];
    tables[0].shared = vec![counter(7, "z")];
    Arc::new(Schema::new(tables).expect("the small schema is sound"))
}

/// Judges answers one after another, in the order in which they came, the floor following.
pub(crate) fn judge_all(judge: &Judge, answers: &[Answered]) -> Vec<crate::Judged> {
    let mut left: Vec<&Answered> = answers.iter().collect();
    left.sort_by_key(|a| a.span.answered);
    (0..left.len())
        .map(|i| {
            let floor = left[i..]
                .iter()
                .map(|a| a.snapshot.sent)
                .min()
                .expect("one is left");
            judge.floor(floor);
            judge.conclude(judge.explain(left[i].clone()))
        })
        .collect()
}

/// A judge of a world.
pub(crate) fn judge(world: &Arc<World>, claim: Claim, options: Options) -> Judge {
    Judge::new(
        Arc::clone(world) as Arc<dyn Regenerate>,
        Arc::clone(world) as Arc<dyn Tracker>,
        claim,
        semantics(),
        options,
    )
}
