//! Roles, and what they may.
//!
//! Rights are given and taken by the role of the connection alone: where another gives what it may not give away, PostgreSQL
//! answers with a warning and does nothing.

use super::{Kind, Place, kind, placed};
use crate::parallel::brush::Brush;
use crate::parallel::draw::Purpose;
use crate::parallel::speech::Feature as Has;
use history::parallel::Family::Privileges;
use history::parallel::statement::{Define, Rights, Session};
use history::parallel::{
    Aim, Detail, Effect, Facet, FactValue, Mode, Object, ObjectKind, Question, Right, Statement,
};

/// The actions of this family.
pub(super) const LIST: &[Kind] = &[
    kind(
        "create-role",
        Privileges,
        5,
        &[Has::Roles],
        create,
        "a role that may not log in",
    ),
    kind("drop-role", Privileges, 2, &[Has::Roles], drop, "a role dropped"),
    kind(
        "alter-role",
        Privileges,
        1,
        &[Has::Roles],
        alter,
        "a role's limit of connections",
    ),
    kind(
        "grant",
        Privileges,
        12,
        &[Has::Roles],
        grant,
        "rights on a table, view, sequence or schema given",
    ),
    kind(
        "revoke",
        Privileges,
        5,
        &[Has::Roles],
        revoke,
        "rights taken back",
    ),
    kind(
        "grant-role",
        Privileges,
        3,
        &[Has::Roles],
        join,
        "a role given to another",
    ),
    kind(
        "revoke-role",
        Privileges,
        2,
        &[Has::Roles],
        leave,
        "a role taken from another",
    ),
    kind(
        "change-owner",
        Privileges,
        4,
        &[Has::Roles],
        owner,
        "another owner of a table, sequence or schema",
    ),
    placed(
        Place::Outside,
        kind(
            "set-role",
            Privileges,
            8,
            &[Has::Roles],
            act,
            "the session acts as another role",
        ),
    ),
    placed(
        Place::Outside,
        kind(
            "reset-role",
            Privileges,
            4,
            &[Has::Roles],
            oneself,
            "the session acts as itself again",
        ),
    ),
];

/// What can be given on a table.
const ON_TABLE: &[Right] = &[
    Right::Select,
    Right::Insert,
    Right::Update,
    Right::Delete,
    Right::Truncate,
    Right::References,
];

/// What can be given on an object of the kind.
fn rights_on(kind: ObjectKind) -> &'static [Right] {
    match kind {
        ObjectKind::Schema => &[Right::Usage, Right::Create],
        ObjectKind::Sequence => &[Right::Usage],
        ObjectKind::Table => ON_TABLE,
        _ => &[Right::Select],
    }
}

fn said(rights: Rights) -> Option<Statement> {
    Some(Statement::Rights(Box::new(rights)))
}

/// Acting as another, it is an aim: that one may not.
pub(super) fn create(b: &mut Brush<'_>) -> Option<Statement> {
    let other = b.view.session.role.is_some();
    if b.catalog().count(ObjectKind::Role) >= b.plan.ceilings.roles {
        return None;
    }
    let (slot, id, name) = b.makes(ObjectKind::Role, None);
    if other && b.op.aim.is_some() {
        return None;
    }
    let mut object = Object::new(id, name);
    object.detail = Detail::Role { login: false };
    b.op.effects.push(Effect::Create(slot, Box::new(object)));
    said(Rights::Role { slot })
}

/// One that owns nothing and may nothing; now and then another, which is refused.
pub(super) fn drop(b: &mut Brush<'_>) -> Option<Statement> {
    own(b)?;
    // Who is a member of it, and what it was given, goes with it.
    b.op.catalog = true;
    let catalog = b.catalog();
    let used = |r: &Object| {
        catalog
            .iter()
            .any(|o| o.owner == Some(r.id) || o.grants.iter().any(|(to, _)| *to == r.id))
    };
    let free = b.choose(ObjectKind::Role, |r| !used(r));
    let role = match free {
        Some(role) => role,
        None if b.draw.chance(Purpose::Aim, 4, b.plan.aims) => b.choose(ObjectKind::Role, |_| true)?,
        None => return None,
    };
    let slot = b.slot(role);
    b.op.touch(slot, Facet::Exists, Mode::Removes, None);
    if free.is_none() {
        b.op.aim = Some(Aim {
            question: Question::Dependents,
            slot,
        });
    }
    let if_exists = b.draw.chance(Purpose::Shape, 1, 8);
    b.op.lenient = if_exists;
    b.op.effects.push(Effect::Remove { slot, cascade: false });
    Some(Statement::Define(Box::new(Define::Drop {
        kind: ObjectKind::Role,
        slots: vec![slot],
        on: None,
        if_exists,
        concurrently: false,
        cascade: None,
    })))
}

/// The session acts as itself.
fn own(b: &Brush<'_>) -> Option<()> {
    b.view.session.role.is_none().then_some(())
}

pub(super) fn alter(b: &mut Brush<'_>) -> Option<Statement> {
    own(b)?;
    let role = b.choose(ObjectKind::Role, |_| true)?;
    let slot = b.slot(role);
    b.op.touch(slot, Facet::Definition, Mode::Redefines, None);
    let limit = b.draw.of(Purpose::Value, &[-1, 0, 5, 100]);
    said(Rights::AlterRole { slot, limit })
}

pub(super) fn grant(b: &mut Brush<'_>) -> Option<Statement> {
    gives(b, true)
}

pub(super) fn revoke(b: &mut Brush<'_>) -> Option<Statement> {
    gives(b, false)
}

const GRANTED: &[ObjectKind] = &[
    ObjectKind::Table,
    ObjectKind::Table,
    ObjectKind::Table,
    ObjectKind::Table,
    ObjectKind::View,
    ObjectKind::MaterializedView,
    ObjectKind::Schema,
    ObjectKind::Schema,
    ObjectKind::Sequence,
];

fn gives(b: &mut Brush<'_>, give: bool) -> Option<Statement> {
    own(b)?;
    let role = b.choose(ObjectKind::Role, |_| true)?;
    let has = |o: &Object| o.grants.iter().any(|(to, _)| *to == role.id);
    let object = if give {
        let kind = b.draw.of(Purpose::Shape, GRANTED);
        b.choose(kind, |_| true)?
    } else {
        let catalog = b.catalog();
        b.pick(catalog.iter().filter(|o| has(o)))?
    };
    // An owner's rights are not of this sort.
    if object.owner == Some(role.id) {
        return None;
    }
    let kind = object.id.kind;
    let all = rights_on(kind);
    let mut rights = all.to_vec();
    if b.draw.chance(Purpose::Shape, 1, 2) {
        rights.retain(|_| b.draw.chance(Purpose::Shape, 1, 2));
    }
    if rights.is_empty() {
        rights.push(all[0]);
    }
    let to = b.slot(role);
    let slot = b.slot(object);
    for right in &rights {
        let facet = Facet::Grant(role.id, *right);
        b.op.touch(slot, facet, Mode::Redefines, Some(Right::Own));
        b.set(slot, facet, FactValue::Flag(give));
    }
    b.op.touch(to, Facet::Exists, Mode::Uses, None);
    said(Rights::Grant {
        give,
        rights,
        kind,
        slot,
        role: to,
    })
}

pub(super) fn join(b: &mut Brush<'_>) -> Option<Statement> {
    joined(b, true)
}

pub(super) fn leave(b: &mut Brush<'_>) -> Option<Statement> {
    joined(b, false)
}

/// An older role is given to a younger one: there are no circles.
fn joined(b: &mut Brush<'_>, give: bool) -> Option<Statement> {
    own(b)?;
    let catalog = b.catalog();
    let role = b.choose(ObjectKind::Role, |r| give || !r.members.is_empty())?;
    let fits = |o: &Object| match give {
        true => o.id.number > role.id.number && !role.members.contains(&o.id),
        false => role.members.contains(&o.id),
    };
    let member = b.pick(catalog.of(ObjectKind::Role).filter(|o| fits(o)))?;
    let (role_slot, to) = (b.slot(role), b.slot(member));
    let facet = Facet::Member(member.id);
    b.op.touch(role_slot, facet, Mode::Redefines, None);
    b.op.touch(to, Facet::Exists, Mode::Uses, None);
    b.set(role_slot, facet, FactValue::Flag(give));
    said(Rights::Member {
        give,
        role: role_slot,
        to,
    })
}

/// To a role that can use the schema it is in, or back.
pub(super) fn owner(b: &mut Brush<'_>) -> Option<Statement> {
    own(b)?;
    let kind = b.draw.of(
        Purpose::Shape,
        &[
            ObjectKind::Table,
            ObjectKind::Table,
            ObjectKind::Sequence,
            ObjectKind::Schema,
        ],
    );
    let back = b.draw.chance(Purpose::Shape, 1, 2);
    let object = match back {
        true => b.choose(kind, |o| o.owner.is_some())?,
        false => b.choose(kind, |o| o.owner.is_none())?,
    };
    let role = match back {
        true => None,
        false => {
            let schema = object.name.parent.and_then(|p| b.catalog().get(p));
            let can = |r: &Object| {
                schema.is_none_or(|s| s.owner == Some(r.id) || s.grants.contains(&(r.id, Right::Usage)))
            };
            Some(b.choose(ObjectKind::Role, can)?)
        }
    };
    let slot = b.changes(object, Facet::Owner, Mode::Redefines);
    let to = role.map(|role| b.slot(role));
    if let Some(to) = to {
        b.op.touch(to, Facet::Exists, Mode::Uses, None);
    }
    let value = role.map_or(FactValue::Gone, |r| FactValue::Object(r.id));
    b.set(slot, Facet::Owner, value);
    said(Rights::Owner { kind, slot, role: to })
}

pub(super) fn act(b: &mut Brush<'_>) -> Option<Statement> {
    own(b)?;
    let catalog = b.catalog();
    let may = |r: &Object| {
        catalog
            .iter()
            .any(|o| o.owner == Some(r.id) || o.grants.iter().any(|(to, _)| *to == r.id))
    };
    let role = match b.choose(ObjectKind::Role, may) {
        Some(role) => role,
        None => b.choose(ObjectKind::Role, |_| true)?,
    };
    let slot = b.slot(role);
    b.op.touch(slot, Facet::Exists, Mode::Uses, None);
    b.op.effects.push(Effect::Role(Some(role.id)));
    Some(Statement::Session(Session::Role(Some(slot))))
}

pub(super) fn oneself(b: &mut Brush<'_>) -> Option<Statement> {
    b.view.session.role?;
    b.op.effects.push(Effect::Role(None));
    Some(Statement::Session(Session::Role(None)))
}
