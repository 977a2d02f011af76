//! An op's effects become writes of its group: on every object that its names may mean, and on all that goes with it (P10, P12).

use super::binding::bound;
use super::facts::{Facts, goes_along};
use super::groups::Groups;
use super::timeline::Write;
use history::parallel::{
    At, CellChange, ColumnEdit, ConstraintKind, Detail, Effect, Facet, FactValue, Name, ObjectId, ObjectKind,
    Op, Piece, Rules, Target,
};
use history::{SessionId, Span, Tick};
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet};

/// Writes the effects of one op, as one of a group. Names are resolved in `span`; others' groups are taken as far as they
/// are visible by its end; what an op may miss can be as young as `began`. What was told as committed after the first `viewed`
/// groups the op was drawn without: a column that it sets as a whole may undo none of that.
pub(super) fn record(
    rules: &'static Rules,
    facts: &mut Facts,
    groups: &mut Groups,
    op: &Op,
    group: u64,
    (span, began, viewed): (Span, Tick, u64),
) {
    let mut change = Change {
        rules,
        facts,
        groups,
        at: op.at,
        by: op.at.session,
        group,
        span,
        began,
        viewed,
        meant: Vec::new(),
    };
    change.meant = op.slots.iter().map(|t| change.resolve(op, t)).collect();
    for effect in &op.effects {
        change.effect(op, effect);
    }
}

/// Whether a removal IF EXISTS finds something that it does not remove: an index is asked for, and the name is a table's. Where that
/// is no error it is as if nothing of the name were there. A sequence may be taken for a table (MariaDB).
fn is_passed_over(op: &Op, slot: u8, id: ObjectId) -> bool {
    let Some(Target::Object { object, .. }) = op.slots.get(usize::from(slot)) else {
        return false;
    };
    let as_table = object.kind == ObjectKind::Table && id.kind == ObjectKind::Sequence;
    op.lenient && object.kind != id.kind && !as_table
}

struct Change<'a> {
    rules: &'static Rules,
    facts: &'a mut Facts,
    groups: &'a mut Groups,
    at: At,
    by: SessionId,
    group: u64,
    span: Span,
    began: Tick,
    viewed: u64,
    /// What each slot may mean, and whether it is open which: resolved before anything is written.
    meant: Vec<(SmallVec<[ObjectId; 2]>, bool)>,
}

impl Change<'_> {
    fn effect(&mut self, op: &Op, effect: &Effect) {
        match effect {
            Effect::Create(_, object) => {
                let taken = bound(self.facts, self.groups, &object.name, self.span, self.by);
                let others = taken.objects.iter().any(|id| *id != object.id);
                let made = self.facts.things.contains_key(&object.id);
                let yields = op.lenient || op.replaces(&object.name);
                if op.replaces(&object.name) {
                    let doubt = !taken.sure || taken.objects.len() > 1;
                    for id in taken.objects.iter().filter(|id| **id != object.id) {
                        self.stands_on(op, *id, &object.depends, doubt);
                    }
                }
                if yields && taken.sure && others && !made {
                    return;
                }
                let doubt = yields && others;
                self.facts
                    .create(object, (self.group, self.at), self.span.answered, doubt);
                self.wrote(object.id, Facet::Exists);
                self.needs_by_name(op, object.id, &object.depends);
            }
            Effect::Set(slot, facet, value) => self.write_all(*slot, *facet, value),
            Effect::Edit(slot, piece, edit) => self.edit(*slot, Facet::Column(*piece), edit),
            Effect::Cell { slot, key, change } => {
                // Names may move under it; the columns that it names are of this table only.
                if let Some(Target::Object { object, .. } | Target::New { object, .. }) =
                    op.slots.get(usize::from(*slot))
                {
                    let value = match change {
                        CellChange::Delete => FactValue::Gone,
                        CellChange::Insert(n)
                        | CellChange::Put(n)
                        | CellChange::Set(n)
                        | CellChange::Add(n) => FactValue::Number(*n),
                    };
                    self.write(*object, Facet::Cell(*key), value, false);
                }
            }
            Effect::Rename { slot, to } => {
                if let Some(Target::Free(name)) = op.slots.get(usize::from(*to)) {
                    self.write_all(*slot, Facet::Name, &FactValue::Name(name.clone()));
                }
            }
            Effect::Swap(a, b) => {
                for (slot, other) in [(a, b), (b, a)] {
                    if let Some(Target::Object { name, .. }) = op.slots.get(usize::from(*other)) {
                        self.write_all(*slot, Facet::Name, &FactValue::Name(name.clone()));
                    }
                }
            }
            Effect::Remove { slot, cascade } => {
                let (targets, doubt) = self.targets(*slot);
                for id in targets.into_iter().filter(|id| !is_passed_over(op, *slot, *id)) {
                    self.remove(id, *cascade, doubt);
                }
            }
            Effect::RemovePart { slot, facet, cascade } => {
                let (targets, doubt) = self.targets(*slot);
                for id in targets {
                    let missed = op.lenient && self.may_have_another_name(op, *slot, id, *facet);
                    self.remove_part(id, *facet, *cascade, doubt || missed);
                }
            }
            _ => {}
        }
    }

    /// What was replaced needs what the new definition needs, and nothing else, whatever it needed when that was drawn. What
    /// that is was said by name, as for what is new.
    fn stands_on(&mut self, op: &Op, id: ObjectId, needs: &BTreeSet<ObjectId>, doubt: bool) {
        let Some(thing) = self.facts.things.get(&id) else {
            return;
        };
        let needed = thing.facets.keys().filter_map(|facet| match facet {
            Facet::DependsOn(other) if !needs.contains(other) => Some(*other),
            _ => None,
        });
        for other in needed.collect::<Vec<_>>() {
            self.write(id, Facet::DependsOn(other), FactValue::Flag(false), doubt);
        }
        for other in needs {
            self.write(id, Facet::DependsOn(*other), FactValue::Flag(true), doubt);
        }
        self.needs_by_name(op, id, needs);
    }

    /// What an object needs was said by name: where the name may mean several, it may need any of them.
    fn needs_by_name(&mut self, op: &Op, made: ObjectId, needs: &BTreeSet<ObjectId>) {
        for slot in 0..op.slots.len() {
            let Some(Target::Object { object, .. }) = op.slots.get(slot) else {
                continue;
            };
            if !needs.contains(object) {
                continue;
            }
            let slot = u8::try_from(slot).expect("an op has at most 255 slots");
            let (meant, _) = self.targets(slot);
            if meant.as_slice() == [*object] {
                continue;
            }
            for id in &meant {
                if id != object && *id != made {
                    self.write(made, Facet::DependsOn(*id), FactValue::Flag(true), true);
                }
            }
            self.write(made, Facet::DependsOn(*object), FactValue::Flag(false), true);
        }
    }

    /// Objects that the slot may mean, and whether it is open which.
    fn targets(&self, slot: u8) -> (SmallVec<[ObjectId; 2]>, bool) {
        self.meant.get(usize::from(slot)).cloned().unwrap_or_default()
    }

    fn resolve(&self, op: &Op, target: &Target) -> (SmallVec<[ObjectId; 2]>, bool) {
        match target {
            Target::Object { object, name } => {
                let binding = bound(self.facts, self.groups, name, self.span, self.by);
                if binding.objects.is_empty() {
                    (SmallVec::from_slice(&[*object]), true)
                } else {
                    // Where nobody has the name, another one is made or nothing is done.
                    let may_miss = op.lenient || op.replaces(name);
                    let missed = may_miss && (self.is_elsewhere(op, name) || self.may_be_unseen(name));
                    let doubt = missed || (!binding.sure && (binding.objects.len() > 1 || may_miss));
                    (binding.objects, doubt)
                }
            }
            Target::New { object, .. } => (SmallVec::from_slice(&[*object]), false),
            Target::Free(_) | Target::Part { .. } => (SmallVec::new(), false),
        }
    }

    /// Whether the column or constraint that the op says by name may be called something else: then there is none of that name.
    fn may_have_another_name(&self, op: &Op, slot: u8, id: ObjectId, facet: Facet) -> bool {
        let said = op.slots.iter().find_map(|target| match (target, facet) {
            (
                Target::Part {
                    of,
                    piece: Some(piece),
                    name,
                    ..
                },
                Facet::Column(p) | Facet::Constraint(p),
            ) if *of == slot && *piece == p => Some(name),
            _ => None,
        });
        let thing = self.facts.things.get(&id);
        let (Some(said), Some(timeline)) = (said, thing.and_then(|thing| thing.facet(facet))) else {
            return false;
        };
        let candidates = timeline.candidates(self.groups, self.span, self.by);
        candidates.list.iter().any(|c| match c.value {
            FactValue::Column(column) => column.name != *said,
            FactValue::Constraint(constraint) => constraint.name != *said,
            _ => false,
        })
    }

    /// Whether what has the name may be younger than what the op looks at.
    fn may_be_unseen(&self, name: &Name) -> bool {
        let span = Span {
            sent: self.began,
            ..self.span
        };
        self.began < self.span.sent && !bound(self.facts, self.groups, name, span, self.by).sure
    }

    /// Whether the schema in which the name is said may have another name: then nothing of the name is there.
    fn is_elsewhere(&self, op: &Op, name: &Name) -> bool {
        op.slots.iter().any(|target| match target {
            Target::Object { object, name: said } if Some(*object) == name.parent => {
                !bound(self.facts, self.groups, said, self.span, self.by).sure
            }
            _ => false,
        })
    }

    fn write_all(&mut self, slot: u8, facet: Facet, value: &FactValue) {
        let (targets, doubt) = self.targets(slot);
        for id in targets {
            if facet == Facet::Owner {
                self.leaves(id, doubt);
            }
            let doubt = doubt || self.was_changed(id, facet);
            self.write(id, facet, value.clone(), doubt);
            if let FactValue::Name(name) = value {
                self.move_along(id, name.parent, doubt);
            }
        }
    }

    /// An object goes to another owner: what was given to the old one by name goes along, away from it.
    fn leaves(&mut self, id: ObjectId, doubt: bool) {
        let end = Span {
            sent: self.span.answered,
            answered: self.span.answered,
        };
        let (given, sure) = {
            let Some(thing) = self.facts.things.get(&id) else {
                return;
            };
            let Some(owners) = thing.facet(Facet::Owner) else {
                return;
            };
            let owners = owners.candidates(self.groups, end, self.by);
            let was = |role: &ObjectId| owners.list.iter().any(|c| *c.value == FactValue::Object(*role));
            let facets = thing.facets.keys();
            let given = facets.filter(|f| matches!(f, Facet::Grant(to, _) if was(to)));
            (given.copied().collect::<Vec<Facet>>(), owners.sure)
        };
        for facet in given {
            self.write(id, facet, FactValue::Flag(false), doubt || !sure);
        }
    }

    /// Changes a column in one respect: each value that it may have at the end of the span, so that what others change of it
    /// at the same time stays.
    fn edit(&mut self, slot: u8, facet: Facet, edit: &ColumnEdit) {
        let end = Span {
            sent: self.span.answered,
            answered: self.span.answered,
        };
        let (targets, doubt) = self.targets(slot);
        for id in targets {
            let timeline = self.facts.things.get(&id).and_then(|t| t.facet(facet));
            let mut values: Vec<FactValue> = Vec::new();
            for candidate in timeline
                .into_iter()
                .flat_map(|t| t.candidates(self.groups, end, self.by).list)
            {
                if let FactValue::Column(column) = candidate.value {
                    let edited = FactValue::Column(edit.of(column));
                    if !values.contains(&edited) {
                        values.push(edited);
                    }
                }
            }
            // The latest is what it is; the others may be.
            for (i, value) in values.into_iter().rev().enumerate() {
                self.write(id, facet, value, doubt || i > 0);
            }
        }
    }

    /// Whether a column or constraint was changed by what the op was drawn without.
    fn was_changed(&self, id: ObjectId, facet: Facet) -> bool {
        if !matches!(facet, Facet::Column(_) | Facet::Constraint(_)) {
            return false;
        }
        let timeline = self.facts.things.get(&id).and_then(|t| t.facet(facet));
        timeline.is_some_and(|t| {
            t.writes.iter().any(|w| {
                w.group != self.group
                    && self
                        .groups
                        .get(w.group)
                        .told
                        .is_some_and(|told| told > self.viewed)
            })
        })
    }

    /// What goes along with an object is where it is: an index in the schema of its table.
    fn move_along(&mut self, id: ObjectId, parent: Option<ObjectId>, doubt: bool) {
        if id.kind == ObjectKind::Schema {
            // What lies in it stays in it.
            return;
        }
        let dependents: Vec<ObjectId> = self.facts.dependents(id).collect();
        for dependent in dependents {
            if dependent.kind != ObjectKind::Index {
                continue;
            }
            let (Some(sure), Some(thing)) = (self.edge(dependent, id), self.facts.things.get(&dependent))
            else {
                continue;
            };
            // Somebody may be renaming it.
            let names = thing.names(self.groups, self.span, self.by);
            if names.iter().all(|name| name.parent == parent) {
                continue;
            }
            let names: BTreeSet<Name> = names.into_iter().map(|name| Name { parent, ..name }).collect();
            let doubt = doubt || !sure || names.len() > 1;
            for name in names {
                self.write(dependent, Facet::Name, FactValue::Name(name), doubt);
            }
        }
    }

    fn write(&mut self, id: ObjectId, facet: Facet, value: FactValue, doubt: bool) {
        self.facts.write(
            id,
            facet,
            Write {
                at: self.at,
                group: self.group,
                value,
                doubt,
            },
        );
        self.wrote(id, facet);
    }

    fn wrote(&mut self, id: ObjectId, facet: Facet) {
        self.groups.get_mut(self.group).wrote.push((id, facet));
    }

    /// Removes an object and what goes with it, and with `cascade` what needs it.
    fn remove(&mut self, root: ObjectId, cascade: bool, doubt: bool) {
        let mut found: BTreeMap<ObjectId, bool> = BTreeMap::from([(root, doubt)]);
        let mut todo = vec![root];
        while let Some(id) = todo.pop() {
            let doubt = found[&id];
            let dependents: Vec<ObjectId> = self.facts.dependents(id).collect();
            for dependent in dependents {
                if !cascade && !goes_along(dependent.kind) {
                    continue;
                }
                let Some(sure) = self.edge(dependent, id) else {
                    if cascade {
                        self.drop_references(dependent, id, doubt);
                    }
                    continue;
                };
                let dependent_doubt = doubt || !sure;
                match found.get(&dependent) {
                    Some(false) => continue,
                    Some(true) if dependent_doubt => continue,
                    _ => {}
                }
                found.insert(dependent, dependent_doubt);
                todo.push(dependent);
            }
        }
        for (id, doubt) in found {
            self.write(id, Facet::Exists, FactValue::Flag(false), doubt);
        }
    }

    fn edge(&self, dependent: ObjectId, needed: ObjectId) -> Option<bool> {
        self.facts
            .edge(self.groups, dependent, needed, self.span, self.by)
    }

    /// Constraints that refer to what is gone, and columns of its type, go without their table.
    fn drop_references(&mut self, holder: ObjectId, gone: ObjectId, doubt: bool) {
        let parts = self
            .facts
            .refers_to(self.groups, holder, gone, self.span, self.by);
        for (facet, sure) in parts {
            match facet {
                Facet::Column(_) => self.remove_part(holder, facet, true, doubt || !sure),
                _ => self.write(holder, facet, FactValue::Gone, doubt || !sure),
            }
        }
    }

    /// Removes a column or constraint, what is made of it, and with `cascade` what may need it.
    fn remove_part(&mut self, id: ObjectId, facet: Facet, cascade: bool, doubt: bool) {
        self.write(id, facet, FactValue::Gone, doubt);
        let Facet::Column(piece) = facet else {
            if cascade {
                self.doubt_references(id, None);
            }
            return;
        };
        if let Some(thing) = self.facts.things.get(&id) {
            let mut parts = Vec::new();
            for (other, timeline) in &thing.facets {
                let candidates = timeline.candidates(self.groups, self.span, self.by);
                let has = candidates.list.iter().any(|c| {
                    matches!(c.value, FactValue::Constraint(constraint) if constraint.columns.contains(&piece))
                });
                if has {
                    parts.push((*other, doubt || !candidates.sure));
                }
            }
            for (other, doubt) in parts {
                self.write(id, other, FactValue::Gone, doubt);
            }
        }
        if cascade {
            self.doubt_references(id, Some(piece));
        }
        let dependents: Vec<ObjectId> = self.facts.dependents(id).collect();
        for dependent in dependents {
            let Some(sure) = self.edge(dependent, id) else {
                continue;
            };
            let detail = self.facts.things.get(&dependent).map(|t| &t.born.detail);
            match detail {
                Some(Detail::Index { keys, .. }) if keys.contains(&piece) => {
                    let rest = self.rules.keeps_rest_of_index && keys.iter().any(|key| *key != piece);
                    self.remove(dependent, cascade, doubt || !sure || rest);
                }
                Some(Detail::Index {
                    partial, expression, ..
                }) if *partial || *expression => self.remove(dependent, cascade, true),
                Some(Detail::Index { .. }) => {}
                _ if cascade => self.remove(dependent, true, true),
                _ => {}
            }
        }
    }

    /// Foreign keys of other tables on this one may be gone: those on the column, or any.
    fn doubt_references(&mut self, id: ObjectId, column: Option<Piece>) {
        let dependents: Vec<ObjectId> = self.facts.dependents(id).collect();
        for holder in dependents {
            let Some(thing) = self.facts.things.get(&holder) else {
                continue;
            };
            let mut parts = Vec::new();
            for (facet, timeline) in &thing.facets {
                let candidates = timeline.candidates(self.groups, self.span, self.by);
                let refers = candidates.list.iter().any(|c| match c.value {
                    FactValue::Constraint(constraint) => matches!(
                        &constraint.kind,
                        ConstraintKind::ForeignKey { references, columns }
                            if *references == id && column.is_none_or(|p| columns.contains(&p))
                    ),
                    _ => false,
                });
                if refers {
                    parts.push(*facet);
                }
            }
            for facet in parts {
                self.write(holder, facet, FactValue::Gone, true);
            }
        }
    }
}

/// A group can be seen by others from now on: what it made may lie in, or need, what a pending removal takes away.
pub(super) fn made_visible(facts: &mut Facts, groups: &mut Groups, group: u64) {
    let made: Vec<ObjectId> = groups
        .get(group)
        .wrote
        .iter()
        .filter(|(_, facet)| matches!(facet, Facet::Exists | Facet::DependsOn(_) | Facet::Name))
        .map(|(id, _)| *id)
        .collect();
    for id in made {
        let Some(thing) = facts.things.get(&id) else {
            continue;
        };
        let mut needed: Vec<ObjectId> = thing
            .facets
            .keys()
            .filter_map(|f| match f {
                Facet::DependsOn(other) => Some(*other),
                _ => None,
            })
            .collect();
        if let Some(timeline) = thing.facet(Facet::Name) {
            let values = timeline.writes.iter().map(|w| &w.value);
            needed.extend(values.chain([&timeline.base.value]).filter_map(|v| match v {
                FactValue::Name(name) => name.parent,
                _ => None,
            }));
        }
        let from = groups.get(group).from;
        let mut removals = Vec::new();
        for other in needed {
            let Some(other) = facts.things.get(&other) else {
                continue;
            };
            removals.extend(
                other
                    .exists
                    .writes
                    .iter()
                    .filter(|w| w.group != group && w.value == FactValue::Flag(false))
                    .filter(|w| {
                        let g = groups.get(w.group);
                        g.fate != super::groups::Fate::Open && !g.is_done_before(from)
                    })
                    .map(|w| Write {
                        doubt: true,
                        ..w.clone()
                    }),
            );
        }
        if removals.is_empty() {
            continue;
        }
        // What was replaced has what stands on it, and that goes with it.
        let mut along = vec![id];
        let mut next = 0;
        let session = groups.get(group).session;
        let span = Span {
            sent: from,
            answered: Tick(u64::MAX),
        };
        while let Some(id) = along.get(next).copied() {
            next += 1;
            for dependent in facts.dependents(id) {
                let stands = facts.edge(groups, dependent, id, span, session).is_some();
                if stands && !along.contains(&dependent) {
                    along.push(dependent);
                }
            }
        }
        for removal in removals {
            for id in &along {
                groups.get_mut(removal.group).wrote.push((*id, Facet::Exists));
                facts.write(*id, Facet::Exists, removal.clone());
            }
        }
    }
}
