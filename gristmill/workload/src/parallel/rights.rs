//! What the role that a session acts as may, by the likely state; and which rights a statement surely needs.
//!
//! What is drawn here guesses: the judge asks its own facts.

use history::parallel::statement::{Care, Define, Prepared, Transaction, walk};
use history::parallel::{
    Catalog, Detail, Effect, Object, ObjectId, ObjectKind, Op, Right, Space, Statement, Target,
};
use std::collections::BTreeSet;

/// The first slot on which the role lacks a right that the op takes.
pub(crate) fn lacking(catalog: &Catalog, role: ObjectId, op: &Op) -> Option<u8> {
    let roles = acts_as(catalog, role);
    let numbered = (0u8..).zip(&op.slots);
    for (slot, target) in numbered {
        let name = match target {
            Target::New { name, .. } | Target::Free(name) => name,
            Target::Object { .. } | Target::Part { .. } => continue,
        };
        let can = match (name.space, name.parent) {
            (Space::Trigger | Space::Column | Space::Constraint, _) => true,
            // What it may make outside of our schemas is for others to say.
            (_, None) => false,
            (_, Some(schema)) => catalog
                .get(schema)
                .is_some_and(|s| may(catalog, &roles, Right::Create, s)),
        };
        if !can {
            return Some(slot);
        }
    }
    let lacks = op.touches.iter().find(|touch| {
        let (Some(right), Some(Target::Object { object, .. })) =
            (touch.right, op.slots.get(usize::from(touch.slot)))
        else {
            return false;
        };
        !catalog
            .get(*object)
            .is_some_and(|o| may(catalog, &roles, right, o))
    });
    lacks.map(|touch| touch.slot)
}

/// The role and all that it is a member of.
fn acts_as(catalog: &Catalog, role: ObjectId) -> BTreeSet<ObjectId> {
    let mut roles = BTreeSet::from([role]);
    loop {
        let more = catalog
            .of(ObjectKind::Role)
            .filter(|g| !roles.contains(&g.id) && g.members.iter().any(|m| roles.contains(m)))
            .map(|g| g.id)
            .next();
        match more {
            Some(group) => roles.insert(group),
            None => return roles,
        };
    }
}

fn may(catalog: &Catalog, roles: &BTreeSet<ObjectId>, right: Right, object: &Object) -> bool {
    let object = match &object.detail {
        Detail::Index { on, .. } | Detail::Trigger { on } => match catalog.get(*on) {
            Some(table) => table,
            None => return false,
        },
        _ => object,
    };
    let everybody = matches!(
        (object.id.kind, right),
        (ObjectKind::Function, Right::Execute) | (ObjectKind::Type, Right::Usage)
    );
    everybody
        || object.owner.is_some_and(|owner| roles.contains(&owner))
        || object
            .grants
            .iter()
            .any(|(to, given)| *given == right && roles.contains(to))
}

/// Takes out of the touches the rights that the server does not ask for in every case: what is left is surely needed. And
/// what the op makes is the role's.
pub(crate) fn surely_needed(role: ObjectId, op: &mut Op) {
    let strip: (Option<u8>, fn(Right) -> bool) = match &op.ast {
        // What a view reads is asked when it is read.
        Statement::Define(define) => match &**define {
            Define::View {
                materialized, empty, ..
            } if !materialized || *empty => (None, |r| r == Right::Select),
            _ => (None, |_| false),
        },
        Statement::Prepared(Prepared::Prepare { .. }) => (None, |r| r != Right::Usage),
        Statement::Update(update) if !walk::reads_target(&op.ast) => {
            (Some(update.table), |r| r == Right::Select)
        }
        Statement::Delete(delete) if !walk::reads_target(&op.ast) => {
            (Some(delete.table), |r| r == Right::Select)
        }
        Statement::Insert(insert) if insert.conflict.is_some() || !walk::reads_target(&op.ast) => {
            (Some(insert.table), |r| r == Right::Select)
        }
        // Without the right they leave the table out, with a warning.
        Statement::Care(Care::Analyze(_) | Care::Vacuum { .. }) => (None, |r| r == Right::Own),
        // Any right that fits the mode will do.
        Statement::Transaction(Transaction::Lock { .. }) => (None, |r| r == Right::Own),
        _ => (None, |_| false),
    };
    let (only, is) = strip;
    for touch in &mut op.touches {
        if only.is_none_or(|slot| slot == touch.slot) && touch.right.is_some_and(is) {
            touch.right = None;
        }
    }
    for effect in &mut op.effects {
        if let Effect::Create(_, object) = effect {
            object.owner = Some(role);
        }
    }
}
