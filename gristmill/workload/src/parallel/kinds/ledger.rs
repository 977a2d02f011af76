//! Ledgers: small tables whose every row the model knows (P26 to P29), written by key and read in ranges.
//!
//! * L1 nothing but these actions writes their rows, and no DDL takes rows from them: what else happens to a table does.
//! * L2 a value names the statement that wrote it, so that an old one is told from a new one.

use crate::parallel::brush::Brush;
use crate::parallel::draw::Purpose;
use crate::parallel::query::bare;
use crate::parallel::speech::Feature;
use history::parallel::expr::{ColumnRef, Constant, Expr, Form, Named, Sort, Word};
use history::parallel::statement::{
    ColumnDef, Conflict, ConstraintDef, Define, Delete, From, Insert, Rows, Rule, Select, Source, Update,
};
use history::parallel::{
    CellChange, Column, Constraint, ConstraintKind, Detail, Effect, Ledger, Object, ObjectKind, Right,
    Statement, Type,
};

/// Keys of each.
const fn keys(of: Ledger) -> u64 {
    match of {
        Ledger::Cells => 24,
        Ledger::Counters => 4,
        Ledger::Bank => 8,
    }
}

/// More than the likely state leaves unsaid.
const MANY: u64 = 100;

fn is(object: &Object, of: Ledger) -> bool {
    matches!(object.detail, Detail::Ledger { of: its, .. } if its == of)
}

/// How many ledgers a catalogue has, and whether each is filled.
pub(crate) fn ledgers(catalog: &history::parallel::Catalog) -> (usize, bool) {
    let there = || {
        catalog
            .of(ObjectKind::Table)
            .filter(|t| matches!(t.detail, Detail::Ledger { .. }))
    };
    (there().count(), there().all(|t| t.rows > 0))
}

/// One that is there, with its key, its value and its slot as it is written or read.
struct Page<'a> {
    table: &'a Object,
    key: Named,
    value: Named,
}

fn page<'a>(b: &mut Brush<'a>, of: Ledger) -> Option<Page<'a>> {
    let table = b.choose_any(ObjectKind::Table, |t| is(t, of))?;
    let mut own = table.columns.iter().filter(|c| c.protected);
    let (key, value) = (own.next()?, own.next()?);
    Some(Page {
        table,
        key: Brush::named(key),
        value: Brush::named(value),
    })
}

fn number(n: i64) -> Expr {
    Expr::Constant(Constant::Int(n), Type::Int8)
}

fn column(named: &Named, of: Option<u8>) -> Expr {
    Expr::Column {
        of,
        column: ColumnRef::Kept(named.clone()),
    }
}

fn is_key(page: &Page<'_>, of: Option<u8>, key: u64) -> Expr {
    Expr::infix("=", column(&page.key, of), number(signed(key)))
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).expect("keys are small")
}

/// A value that no other statement writes.
fn stamp(b: &Brush<'_>) -> i64 {
    let at = b.op.at;
    (i64::from(at.session.0) << 40) | signed(at.op)
}

/// The first ledger that is not there.
pub(super) fn create(b: &mut Brush<'_>) -> Option<Statement> {
    let catalog = b.catalog();
    let missing = |of: &Ledger| !catalog.of(ObjectKind::Table).any(|t| is(t, *of));
    let of = Ledger::ALL.into_iter().find(missing)?;
    let (slot, id, name) = b.makes(ObjectKind::Table, None);
    b.op.aim = None;
    let mut object = Object::new(id, name);
    object.protected = true;
    object.detail = Detail::Ledger { of, keys: keys(of) };
    let mut columns = Vec::new();
    for letter in ['k', 'c'] {
        let named = b.part(letter);
        object.columns.push(Column {
            piece: named.piece,
            name: named.name.clone(),
            ty: Type::Int8,
            not_null: true,
            has_default: false,
            generated: false,
            protected: true,
        });
        columns.push(ColumnDef {
            column: named,
            ty: Type::Int8,
            not_null: true,
            default: None,
            generated: None,
        });
    }
    let named = b.part('n');
    object.constraints.push(Constraint {
        piece: named.piece,
        name: named.name.clone(),
        kind: ConstraintKind::PrimaryKey,
        columns: vec![object.columns[0].piece],
        valid: true,
        deferred: false,
        predicate: None,
    });
    let constraints = vec![ConstraintDef {
        constraint: named,
        rule: Rule::Primary(vec![columns[0].column.clone()]),
        not_valid: false,
        deferred: false,
    }];
    b.op.effects.push(Effect::Create(slot, Box::new(object)));
    Some(Statement::Define(Box::new(Define::Table {
        slot,
        temporary: false,
        unlogged: false,
        if_not_exists: false,
        columns,
        constraints,
    })))
}

/// The rows that one begins with: of cells every second.
pub(super) fn fill(b: &mut Brush<'_>) -> Option<Statement> {
    let catalog = b.catalog();
    let empty = |of: &Ledger| catalog.of(ObjectKind::Table).any(|t| is(t, *of) && t.rows == 0);
    let of = Ledger::ALL.into_iter().find(empty)?;
    let page = page(b, of)?;
    let slot = b.writes(page.table, Right::Insert);
    let stamp = stamp(b);
    let step = if of == Ledger::Cells { 2 } else { 1 };
    let mut rows = Vec::new();
    for key in (0..keys(of)).step_by(step) {
        let value = match of {
            Ledger::Cells => stamp,
            Ledger::Counters => 0,
            Ledger::Bank => Ledger::BALANCE,
        };
        rows.push(vec![Some(number(signed(key))), Some(number(value))]);
        b.op.effects.push(Effect::Cell {
            slot,
            key,
            change: CellChange::Put(value),
        });
    }
    b.op.effects.push(Effect::Rows(slot, MANY));
    Some(Statement::Insert(Box::new(Insert {
        table: slot,
        columns: vec![page.key, page.value],
        rows: Rows::Values(rows),
        conflict: None,
        returning: Vec::new(),
    })))
}

fn key_of(b: &mut Brush<'_>, of: Ledger) -> u64 {
    b.draw.below(Purpose::Value, keys(of))
}

/// A row is inserted where it is not there; or put, whether it is or not.
pub(super) fn insert(b: &mut Brush<'_>) -> Option<Statement> {
    let page = page(b, Ledger::Cells)?;
    let slot = b.writes(page.table, Right::Insert);
    let key = key_of(b, Ledger::Cells);
    let stamp = stamp(b);
    let put = b.draw.chance(Purpose::Shape, 1, 3);
    // Where a conflict has no target, it cannot be left alone either.
    let plain = !put && (!b.has(Feature::ConflictTarget) || b.draw.chance(Purpose::Shape, 1, 6));
    let set = match put {
        true => {
            b.writes(page.table, Right::Update);
            let proposed = Expr::Column {
                of: None,
                column: ColumnRef::Proposed(page.value.clone()),
            };
            vec![(page.value.clone(), proposed)]
        }
        false => Vec::new(),
    };
    if !plain {
        b.reads(page.table);
    }
    let change = match put {
        true => CellChange::Put(stamp),
        false => CellChange::Insert(stamp),
    };
    b.op.effects.push(Effect::Cell { slot, key, change });
    let target = match b.has(Feature::ConflictTarget) {
        true => vec![page.key.clone()],
        false => Vec::new(),
    };
    Some(Statement::Insert(Box::new(Insert {
        table: slot,
        columns: vec![page.key, page.value],
        rows: Rows::Values(vec![vec![Some(number(signed(key))), Some(number(stamp))]]),
        conflict: (!plain).then_some(Conflict { target, set }),
        returning: Vec::new(),
    })))
}

fn changed(
    b: &mut Brush<'_>,
    page: &Page<'_>,
    value: impl FnOnce(Expr) -> Expr,
    filter: impl FnOnce(u8) -> Expr,
) -> Statement {
    let slot = b.writes(page.table, Right::Update);
    b.reads(page.table);
    let alias = b.alias();
    let value = value(column(&page.value, Some(alias)));
    Statement::Update(Box::new(Update {
        table: slot,
        alias,
        set: vec![(page.value.clone(), Some(value))],
        from: None,
        filter: Some(filter(alias)),
        returning: Vec::new(),
    }))
}

/// A row gets a new value, where it is there.
pub(super) fn update(b: &mut Brush<'_>) -> Option<Statement> {
    let page = page(b, Ledger::Cells)?;
    let key = key_of(b, Ledger::Cells);
    let stamp = stamp(b);
    let slot = b.writes(page.table, Right::Update);
    b.op.effects.push(Effect::Cell {
        slot,
        key,
        change: CellChange::Set(stamp),
    });
    Some(changed(
        b,
        &page,
        |_| number(stamp),
        |alias| is_key(&page, Some(alias), key),
    ))
}

/// A row is deleted, where it is there.
pub(super) fn delete(b: &mut Brush<'_>) -> Option<Statement> {
    let page = page(b, Ledger::Cells)?;
    let slot = b.writes(page.table, Right::Delete);
    b.reads(page.table);
    let key = key_of(b, Ledger::Cells);
    b.op.effects.push(Effect::Cell {
        slot,
        key,
        change: CellChange::Delete,
    });
    let alias = b.alias();
    Some(Statement::Delete(Box::new(Delete {
        table: slot,
        alias,
        using: None,
        filter: Some(is_key(&page, Some(alias), key)),
        returning: Vec::new(),
    })))
}

/// A counter is added to.
pub(super) fn count(b: &mut Brush<'_>) -> Option<Statement> {
    let page = page(b, Ledger::Counters)?;
    let key = key_of(b, Ledger::Counters);
    let more = 1 + signed(b.draw.below(Purpose::Value, 3));
    let slot = b.writes(page.table, Right::Update);
    b.op.effects.push(Effect::Cell {
        slot,
        key,
        change: CellChange::Add(more),
    });
    let value = |old| Expr::infix("+", old, number(more));
    Some(changed(b, &page, value, |alias| is_key(&page, Some(alias), key)))
}

/// One row of a bank gains what another loses, in one statement.
pub(super) fn transfer(b: &mut Brush<'_>) -> Option<Statement> {
    let page = page(b, Ledger::Bank)?;
    let from = key_of(b, Ledger::Bank);
    let to = (from + 1 + b.draw.below(Purpose::Value, keys(Ledger::Bank) - 1)) % keys(Ledger::Bank);
    let sum = 1 + signed(b.draw.below(Purpose::Value, 100));
    let key = page.key.clone();
    let value = |old: Expr| {
        let Expr::Column { of, .. } = &old else {
            return old;
        };
        let loses = Expr::infix("=", column(&key, *of), number(signed(from)));
        let change = Expr::Case {
            arms: vec![(loses, number(-sum))],
            otherwise: Some(Box::new(number(sum))),
        };
        Expr::infix("+", old, change)
    };
    Some(changed(b, &page, value, |alias| Expr::In {
        of: Box::new(column(&page.key, Some(alias))),
        list: vec![number(signed(from)), number(signed(to))],
        not: false,
    }))
}

/// Keys and values of a range, in some order.
fn range(b: &mut Brush<'_>, of: Ledger) -> Option<Statement> {
    let page = page(b, of)?;
    let slot = b.reads(page.table);
    let from = key_of(b, of);
    let to = match b.draw.chance(Purpose::Shape, 1, 3) {
        true => from,
        false => from + b.draw.below(Purpose::Value, keys(of) - from),
    };
    b.op.effects.push(Effect::Watch { slot, from, to });
    let alias = b.alias();
    let key = column(&page.key, Some(alias));
    let filter = match (from == to, b.draw.below(Purpose::Shape, 3)) {
        (true, 0 | 1) => is_key(&page, Some(alias), from),
        (_, 2) => Expr::In {
            of: Box::new(key.clone()),
            list: (from..=to).map(|k| number(signed(k))).collect(),
            not: false,
        },
        _ => Expr::Between {
            of: Box::new(key.clone()),
            low: Box::new(number(signed(from))),
            high: Box::new(number(signed(to))),
            not: false,
        },
    };
    let mut query = bare(Select {
        distinct: false,
        outputs: vec![key.clone(), column(&page.value, Some(alias))],
        from: Some(From::One {
            source: Source::Slot(slot),
            alias,
        }),
        filter: Some(filter),
        group: Vec::new(),
        having: None,
    });
    if b.draw.chance(Purpose::Shape, 1, 2) {
        let by = match b.draw.chance(Purpose::Shape, 1, 2) {
            true => key,
            false => column(&page.value, Some(alias)),
        };
        query.order.push(Sort {
            by,
            descending: b.draw.chance(Purpose::Shape, 1, 2),
            nulls_first: None,
        });
    }
    Some(Statement::Query(Box::new(query)))
}

pub(super) fn cells(b: &mut Brush<'_>) -> Option<Statement> {
    range(b, Ledger::Cells)
}

pub(super) fn counters(b: &mut Brush<'_>) -> Option<Statement> {
    range(b, Ledger::Counters)
}

/// How many rows a bank has, and their sum.
pub(super) fn balance(b: &mut Brush<'_>) -> Option<Statement> {
    let page = page(b, Ledger::Bank)?;
    let slot = b.reads(page.table);
    b.op.effects.push(Effect::Watch {
        slot,
        from: 0,
        to: keys(Ledger::Bank) - 1,
    });
    let alias = b.alias();
    let count = Expr::Call {
        form: Form::Star,
        word: Word::Borrowed("count"),
        args: Vec::new(),
        filter: None,
    };
    let sum = Expr::function("sum", vec![column(&page.value, Some(alias))]);
    let query = bare(Select {
        distinct: false,
        outputs: vec![count, Expr::Cast(Box::new(sum), Type::Int8)],
        from: Some(From::One {
            source: Source::Slot(slot),
            alias,
        }),
        filter: None,
        group: Vec::new(),
        having: None,
    });
    Some(Statement::Query(Box::new(query)))
}
