//! Functions, triggers and types of the run. Functions and types are made at home: PostgreSQL does not keep a schema from
//! being dropped while one is made in it, and leaves it there without a schema.

use super::table::{dropped, renamed};
use crate::parallel::brush::Brush;
use crate::parallel::draw::Purpose;
use crate::parallel::speech::Feature;
use history::parallel::expr::{Expr, Word};
use history::parallel::statement::Define;
use history::parallel::{
    Detail, Effect, Facet, FactValue, Mode, Object, ObjectId, ObjectKind, Right, Statement, Target, Type,
};
use std::collections::BTreeSet;
use std::sync::Arc;

fn define(define: Define) -> Option<Statement> {
    Some(Statement::Define(Box::new(define)))
}

/// What a function gives: its first parameter, mostly. It raises nothing.
fn body(b: &mut Brush<'_>, arguments: &[Type]) -> Expr {
    let first = Expr::Parameter(1, arguments[0]);
    let other = b.constant(arguments[0], false);
    match arguments.get(1) {
        None => Expr::function("coalesce", vec![first, other]),
        Some(second) => Expr::Case {
            arms: vec![(
                Expr::infix("=", Expr::Parameter(2, *second), b.constant(*second, false)),
                other,
            )],
            otherwise: Some(Box::new(first)),
        },
    }
}

pub(super) fn create(b: &mut Brush<'_>) -> Option<Statement> {
    if b.catalog().count(ObjectKind::Function) >= b.plan.ceilings.functions {
        return None;
    }
    let (slot, id, name) = b.makes(ObjectKind::Function, None);
    let result = b.any_type();
    let mut arguments = vec![result];
    if b.draw.chance(Purpose::Shape, 1, 3) {
        arguments.push(Type::Int8);
    }
    let body = body(b, &arguments);
    let mut object = Object::new(id, name);
    object.detail = Detail::Function {
        arguments: arguments.clone(),
        result,
    };
    b.op.effects.push(Effect::Create(slot, Box::new(object)));
    define(Define::Function {
        slot,
        or_replace: false,
        arguments,
        result,
        volatility: Word::Borrowed(b.draw.of(Purpose::Shape, VOLATILITIES)),
        body,
    })
}

const VOLATILITIES: &[&str] = &["IMMUTABLE", "STABLE", "VOLATILE"];

/// The same types, another body; where nobody has the name any more, it is made.
pub(super) fn replace(b: &mut Brush<'_>) -> Option<Statement> {
    let function = b.choose(ObjectKind::Function, |f| {
        matches!(f.detail, Detail::Function { .. })
    })?;
    let Detail::Function { arguments, result } = function.detail.clone() else {
        return None;
    };
    let slot = b.changes(function, Facet::Definition, Mode::Redefines);
    let body = body(b, &arguments);
    let said = Arc::new(Statement::Verbatim(Word::Borrowed("")));
    b.set(slot, Facet::Definition, FactValue::Definition(said));
    let nth = u8::try_from(b.op.slots.len()).expect("an op has at most 255 slots");
    let made = Object {
        id: ObjectId::made(ObjectKind::Function, b.op.at, nth),
        ..function.clone()
    };
    let new = b.op.slot(Target::New {
        object: made.id,
        name: made.name.clone(),
    });
    b.op.effects.push(Effect::Create(new, Box::new(made)));
    define(Define::Function {
        slot,
        or_replace: true,
        arguments,
        result,
        volatility: Word::Borrowed(b.draw.of(Purpose::Shape, VOLATILITIES)),
        body,
    })
}

pub(super) fn drop(b: &mut Brush<'_>) -> Option<Statement> {
    dropped(b, ObjectKind::Function)
}

pub(super) fn rename(b: &mut Brush<'_>) -> Option<Statement> {
    renamed(b, ObjectKind::Function)
}

/// What a trigger calls.
pub(super) fn trigger_function(b: &mut Brush<'_>) -> Option<Statement> {
    if b.catalog().count(ObjectKind::Function) >= b.plan.ceilings.functions {
        return None;
    }
    let (slot, id, name) = b.makes(ObjectKind::Function, None);
    b.op.effects
        .push(Effect::Create(slot, Box::new(Object::new(id, name))));
    define(Define::TriggerFunction { slot })
}

/// One that changes nothing: it lets every row through.
pub(super) fn trigger(b: &mut Brush<'_>) -> Option<Statement> {
    if b.catalog().count(ObjectKind::Trigger) >= b.plan.ceilings.triggers {
        return None;
    }
    let table = b.choose(ObjectKind::Table, |t| !t.columns.is_empty())?;
    let function = match b.has(Feature::TriggerFunctions) {
        true => Some(b.choose(ObjectKind::Function, |f| f.detail == Detail::Plain)?),
        false => None,
    };
    let on = b.slot(table);
    b.op.touch(on, Facet::Shape, Mode::Redefines, Some(Right::Trigger));
    let called = function.map(|f| {
        let slot = b.slot(f);
        b.op.touch(slot, Facet::Exists, Mode::Uses, Some(Right::Execute));
        slot
    });
    let (slot, id, name) = b.hangs(ObjectKind::Trigger, table);
    let mut object = Object::new(id, name);
    object.detail = Detail::Trigger { on: table.id };
    object.depends = function.map(|f| f.id).into_iter().collect::<BTreeSet<_>>();
    b.op.effects.push(Effect::Create(slot, Box::new(object)));
    let when: &[&str] = match function {
        Some(_) => &[
            "BEFORE INSERT",
            "BEFORE UPDATE",
            "BEFORE INSERT OR UPDATE",
            "AFTER INSERT",
            "AFTER INSERT OR UPDATE OR DELETE",
        ],
        None => &["BEFORE INSERT", "AFTER UPDATE", "AFTER DELETE"],
    };
    define(Define::Trigger {
        slot,
        on,
        function: called,
        when: Word::Borrowed(b.draw.of(Purpose::Shape, when)),
    })
}

/// A trigger, its slot, and the slot of its table.
fn one<'a>(b: &mut Brush<'a>, facet: Facet, mode: Mode) -> Option<(&'a Object, u8, u8)> {
    let catalog = b.catalog();
    let trigger = b.choose(ObjectKind::Trigger, |_| true)?;
    let table = catalog.get(trigger.name.parent?)?;
    let on = b.changes(table, Facet::Shape, Mode::Redefines);
    let slot = b.slot(trigger);
    b.op.touch(slot, facet, mode, None);
    Some((trigger, slot, on))
}

pub(super) fn drop_trigger(b: &mut Brush<'_>) -> Option<Statement> {
    // Where a trigger is no function's, its name is the database's, and the statement names no table.
    let (slot, on) = match b.has(Feature::TriggerFunctions) {
        true => {
            let (_, slot, on) = one(b, Facet::Exists, Mode::Removes)?;
            (slot, Some(on))
        }
        false => {
            let trigger = b.choose(ObjectKind::Trigger, |_| true)?;
            let slot = b.slot(trigger);
            b.op.touch(slot, Facet::Exists, Mode::Removes, None);
            (slot, None)
        }
    };
    let if_exists = b.draw.chance(Purpose::Shape, 1, 8);
    b.op.lenient = if_exists;
    b.op.effects.push(Effect::Remove { slot, cascade: false });
    define(Define::Drop {
        kind: ObjectKind::Trigger,
        slots: vec![slot],
        on,
        if_exists,
        concurrently: false,
        cascade: None,
    })
}

pub(super) fn rename_trigger(b: &mut Brush<'_>) -> Option<Statement> {
    let (trigger, slot, on) = one(b, Facet::Name, Mode::Redefines)?;
    let (to, _) = b.renames(trigger);
    b.op.effects.push(Effect::Rename { slot, to });
    define(Define::Rename {
        kind: ObjectKind::Trigger,
        slot,
        on: Some(on),
        to,
    })
}

const LABELS: &[&[&str]] = &[
    &["rye", "oats", "barley"],
    &["", " ", "'", "\""],
    &["a"],
    &["one", "two", "three", "four", "five", "six", "seven"],
];

fn typed(b: &mut Brush<'_>, detail: Detail) -> Option<u8> {
    if b.catalog().count(ObjectKind::Type) >= b.plan.ceilings.types {
        return None;
    }
    let (slot, id, name) = b.makes(ObjectKind::Type, None);
    let mut object = Object::new(id, name);
    object.detail = detail;
    b.op.effects.push(Effect::Create(slot, Box::new(object)));
    Some(slot)
}

pub(super) fn create_enum(b: &mut Brush<'_>) -> Option<Statement> {
    let labels = b.draw.of(Purpose::Value, LABELS);
    let slot = typed(
        b,
        Detail::Type {
            labels: labels.iter().map(|l| (*l).to_owned()).collect(),
            base: None,
        },
    )?;
    define(Define::Enum {
        slot,
        labels: labels.iter().map(|l| Word::Borrowed(*l)).collect(),
    })
}

pub(super) fn create_domain(b: &mut Brush<'_>) -> Option<Statement> {
    let (base, check) = b.draw.of(
        Purpose::Type,
        &[
            (Type::Int8, ""),
            (Type::Int8, "VALUE <> 7"),
            (Type::Text, "length(VALUE) < 200"),
            (Type::Text, ""),
            (Type::Float8, "VALUE IS DISTINCT FROM 0.25"),
        ],
    );
    let labels = Vec::new();
    let slot = typed(
        b,
        Detail::Type {
            labels,
            base: Some(base),
        },
    )?;
    define(Define::Domain {
        slot,
        base,
        check: Word::Borrowed(check),
    })
}

/// A label more, which is never used: a transaction may not use its own new labels.
pub(super) fn add_label(b: &mut Brush<'_>) -> Option<Statement> {
    let ty = b.choose(ObjectKind::Type, |t| {
        matches!(&t.detail, Detail::Type { base: None, .. })
    })?;
    let slot = b.changes(ty, Facet::Definition, Mode::Redefines);
    let label = format!("label {}", b.op.at);
    define(Define::AddLabel {
        slot,
        label: Word::Owned(label),
    })
}

pub(super) fn drop_type(b: &mut Brush<'_>) -> Option<Statement> {
    dropped(b, ObjectKind::Type)
}

pub(super) fn rename_type(b: &mut Brush<'_>) -> Option<Statement> {
    renamed(b, ObjectKind::Type)
}
