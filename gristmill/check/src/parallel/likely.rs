//! Effects on the likely state: what ops are drawn on. It guesses; only the timelines judge.

use super::facts::goes_along;
use history::parallel::{
    Catalog, ConstraintKind, Detail, Effect, Facet, FactValue, Name, Object, ObjectId, ObjectKind, Op,
    Target, Type,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Applies what the op does, as if its names meant what its drawer meant.
pub(super) fn apply(catalog: &mut Catalog, op: &Op) {
    let object = |slot: u8| match op.slots.get(usize::from(slot)) {
        Some(Target::Object { object, .. } | Target::New { object, .. }) => Some(*object),
        _ => None,
    };
    for effect in &op.effects {
        match effect {
            Effect::Create(_, made) => {
                let taken = catalog.named(&made.name).filter(|id| *id != made.id);
                match taken {
                    Some(old) if op.replaces(&made.name) => stands_on(catalog, old, &made.depends),
                    Some(_) if op.lenient => {}
                    _ => catalog.insert(Arc::from(made.clone())),
                }
            }
            Effect::Set(slot, facet, value) => {
                if let Some(id) = object(*slot) {
                    catalog.set(id, *facet, value.clone());
                    if let FactValue::Name(name) = value {
                        move_along(catalog, id, name.parent);
                    }
                }
            }
            Effect::Edit(slot, piece, edit) => {
                if let Some(id) = object(*slot) {
                    catalog.edit(id, *piece, edit);
                }
            }
            Effect::Rename { slot, to } => {
                if let (Some(id), Some(Target::Free(name))) = (object(*slot), op.slots.get(usize::from(*to)))
                {
                    catalog.set(id, Facet::Name, FactValue::Name(name.clone()));
                }
            }
            Effect::Swap(a, b) => swap(catalog, object(*a), object(*b)),
            Effect::Remove { slot, cascade } => {
                if let Some(id) = object(*slot) {
                    remove(catalog, id, *cascade);
                }
            }
            Effect::RemovePart { slot, facet, .. } => {
                if let Some(id) = object(*slot) {
                    remove_part(catalog, id, *facet);
                }
            }
            _ => {}
        }
    }
}

/// What was replaced needs what the new definition needs, and nothing else.
fn stands_on(catalog: &mut Catalog, id: ObjectId, needs: &BTreeSet<ObjectId>) {
    let Some(old) = catalog.get(id).map(|o| o.depends.clone()) else {
        return;
    };
    for other in old.symmetric_difference(needs) {
        let yes = needs.contains(other);
        catalog.set(id, Facet::DependsOn(*other), FactValue::Flag(yes));
    }
}

fn move_along(catalog: &mut Catalog, id: ObjectId, parent: Option<ObjectId>) {
    let indexes: Vec<(ObjectId, Name)> = catalog
        .dependents(id)
        .filter(|o| o.id.kind == ObjectKind::Index && o.name.parent != parent)
        .map(|o| {
            let name = Name {
                parent,
                ..o.name.clone()
            };
            (o.id, name)
        })
        .collect();
    for (index, name) in indexes {
        catalog.set(index, Facet::Name, FactValue::Name(name));
    }
}

fn swap(catalog: &mut Catalog, a: Option<ObjectId>, b: Option<ObjectId>) {
    let (Some(a), Some(b)) = (a, b) else {
        return;
    };
    let (Some(of_a), Some(of_b)) = (catalog.get(a), catalog.get(b)) else {
        return;
    };
    let (of_a, of_b) = (of_a.name.clone(), of_b.name.clone());
    catalog.set(a, Facet::Name, FactValue::Name(of_b));
    catalog.set(b, Facet::Name, FactValue::Name(of_a));
}

/// Takes an object out with what goes along with it, and with `cascade` all that needs it.
pub(super) fn remove(catalog: &mut Catalog, root: ObjectId, cascade: bool) {
    let mut gone = BTreeSet::from([root]);
    let mut todo = vec![root];
    while let Some(id) = todo.pop() {
        let referring: Vec<(ObjectId, Facet)> = catalog
            .of(ObjectKind::Table)
            .flat_map(|table| {
                table
                    .constraints
                    .iter()
                    .filter(|c| {
                        matches!(&c.kind, ConstraintKind::ForeignKey { references, .. } if *references == id)
                    })
                    .map(|c| (table.id, Facet::Constraint(c.piece)))
                    .collect::<Vec<_>>()
            })
            .collect();
        for (table, facet) in referring {
            catalog.set(table, facet, FactValue::Gone);
        }
        if id.kind == ObjectKind::Type {
            let of_it = |table: &Object| -> Vec<(ObjectId, Facet)> {
                let columns = table.columns.iter().filter(|c| c.ty == Type::Named(id));
                columns.map(|c| (table.id, Facet::Column(c.piece))).collect()
            };
            let columns: Vec<_> = catalog.of(ObjectKind::Table).flat_map(of_it).collect();
            for (table, facet) in columns {
                remove_part(catalog, table, facet);
            }
        }
        for dependent in catalog.dependents(id) {
            let by_reference = dependent.id.kind == ObjectKind::Table && id.kind == ObjectKind::Table;
            let goes = cascade || goes_along(dependent.id.kind);
            if goes && !by_reference && gone.insert(dependent.id) {
                todo.push(dependent.id);
            }
        }
    }
    for id in gone {
        catalog.remove(id);
    }
}

fn remove_part(catalog: &mut Catalog, id: ObjectId, facet: Facet) {
    catalog.set(id, facet, FactValue::Gone);
    let Facet::Column(piece) = facet else {
        return;
    };
    let constraints: Vec<Facet> = catalog
        .get(id)
        .into_iter()
        .flat_map(|o| &o.constraints)
        .filter(|c| c.columns.contains(&piece))
        .map(|c| Facet::Constraint(c.piece))
        .collect();
    for constraint in constraints {
        catalog.set(id, constraint, FactValue::Gone);
    }
    let indexes: Vec<ObjectId> = catalog
        .dependents(id)
        .filter(|o| matches!(&o.detail, Detail::Index { keys, .. } if keys.contains(&piece)))
        .map(|o| o.id)
        .collect();
    for index in indexes {
        remove(catalog, index, false);
    }
}
