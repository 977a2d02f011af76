//! What is left without what it stands on, since that is not locked while it is made: columns without their type, references
//! without their key; and references that stay when what they refer to is gone.

use super::{Case, needs};
use history::parallel::{Cause, Constraint, ConstraintKind, Facet, FactValue, ObjectId, ObjectKind, Tri};

impl Case<'_> {
    /// Whether a type or function that the statement's things need may be gone.
    pub(super) fn orphaned(&self) -> (String, Tri) {
        let facts = &self.model.facts;
        let mut among = self.closure();
        // What needs a table and runs with it, needs more than that.
        let triggers = among.iter().filter(|id| id.kind == ObjectKind::Trigger);
        let needed: Vec<ObjectId> = triggers.flat_map(|id| needs(self.model, *id)).collect();
        among.extend(needed);
        for id in among {
            if !matches!(id.kind, ObjectKind::Type | ObjectKind::Function) {
                continue;
            }
            let causes: Vec<Cause> = match facts.things.get(&id) {
                None => self.last_of(id),
                Some(thing) => {
                    let presence = thing.presence(&self.model.groups, self.span, self.by);
                    if !presence.can_lack {
                        continue;
                    }
                    presence.causes.to_vec()
                }
            };
            return (id.to_string(), Tri::Possibly(causes));
        }
        (self.named(), Tri::Never(Vec::new()))
    }

    /// Whether a key that the statement's tables refer to may be gone, or it or its table was ever renamed. Where a reference is
    /// not held against the other table while it is made, such a change meanwhile leaves it wrong for good.
    pub(super) fn key_unsure(&self) -> (String, Tri) {
        let facts = &self.model.facts;
        for id in self.closure() {
            let Some(thing) = facts.things.get(&id) else {
                continue;
            };
            for timeline in thing.facets.values() {
                let values = timeline.writes.iter().map(|w| &w.value);
                for value in values.chain([&timeline.base.value]) {
                    let FactValue::Constraint(constraint) = value else {
                        continue;
                    };
                    let ConstraintKind::ForeignKey { references, columns } = &constraint.kind else {
                        continue;
                    };
                    let key: Vec<Facet> = columns.iter().map(|piece| Facet::Column(*piece)).collect();
                    if let Some(cause) = self.key_changed(*references, &key) {
                        return (format!("{id} refers to {references}"), Tri::Possibly(vec![cause]));
                    }
                }
            }
        }
        (self.named(), Tri::Never(Vec::new()))
    }

    fn key_changed(&self, id: ObjectId, key: &[Facet]) -> Option<Cause> {
        let Some(thing) = self.model.facts.things.get(&id) else {
            return self.last_of(id).into_iter().next();
        };
        let presence = thing.presence(&self.model.groups, self.span, self.by);
        if presence.can_lack {
            let last = presence.causes.last().cloned();
            return Some(last.unwrap_or(Cause::Base(self.span.sent)));
        }
        // A name leads elsewhere when it is given to another table.
        key.iter().chain([&Facet::Name]).find_map(|facet| {
            let timeline = thing.facet(*facet)?;
            let changed = timeline.base.by != Some(id.maker().0) || !timeline.writes.is_empty();
            changed.then_some(Cause::Base(timeline.base.since))
        })
    }

    /// Whether a column that the statement names is in a foreign key of its table, as that was made or changed since. Where a
    /// reference stays in the table's text when what it refers to is dropped, it counts for good.
    pub(super) fn refers(&self) -> (String, Tri) {
        for part in self.parts() {
            let Some(piece) = part.piece else { continue };
            let (name, relation) = (part.name, part.relation);
            let is_in = |constraint: &Constraint| {
                matches!(constraint.kind, ConstraintKind::ForeignKey { .. })
                    && constraint.columns.contains(&piece)
            };
            for id in &self.bound(relation).objects {
                let thing = &self.model.facts.things[id];
                let born = thing.born.constraints.iter().any(is_in);
                let later = thing.facets.values().any(|timeline| {
                    let values = timeline.writes.iter().map(|w| &w.value);
                    let mut values = values.chain([&timeline.base.value]);
                    values.any(|value| matches!(value, FactValue::Constraint(c) if is_in(c)))
                });
                if born || later {
                    let about = format!("\"{name}\" of \"{relation}\"");
                    return (about, Tri::Possibly(vec![Cause::Base(self.span.sent)]));
                }
            }
        }
        (self.named(), Tri::Never(Vec::new()))
    }
}
