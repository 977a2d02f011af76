//! The question whether a right was missing: of the session's role, and of the owners of what is used.

use super::{Case, needs};
use crate::parallel::rights;
use history::parallel::{
    Cause, Effect, Facet, FactValue, Match, ObjectId, ObjectKind, Right, Space, Target, Tri,
};
use std::collections::BTreeSet;

impl Case<'_> {
    pub(super) fn lacks(&self) -> (String, Tri) {
        let role = self.session().view.role;
        let (facts, groups) = (&self.model.facts, &self.model.groups);
        let within = (self.span, self.by);
        let owns = |e: &Effect| matches!(e, Effect::Set(_, Facet::Owner, FactValue::Object(_)));
        if self.op().effects.iter().any(owns) {
            // The new owner must be allowed to make such a thing where it lies, and we must be one of its members.
            return ("the new owner".to_owned(), Tri::Possibly(vec![Cause::Statement]));
        }
        if let Some(role) = role {
            let gone = match facts.things.get(&role) {
                Some(thing) => {
                    let presence = thing.presence(groups, self.span, self.by);
                    presence.can_lack.then(|| presence.causes.to_vec())
                }
                None => Some(vec![Cause::Base(self.span.sent)]),
            };
            if let Some(causes) = gone {
                return (format!("{role} is gone"), Tri::Possibly(causes));
            }
            for target in &self.op().slots {
                let name = match target {
                    Target::New { name, .. } | Target::Free(name) => name,
                    Target::Object { .. } | Target::Part { .. } => continue,
                };
                match name.parent {
                    _ if name.space == Space::Trigger => {}
                    None => {
                        let about = format!("Create where \"{name}\" is to lie");
                        return (about, Tri::Possibly(vec![Cause::Statement]));
                    }
                    Some(schema) => {
                        let has = rights::has(facts, groups, Some(role), Right::Create, schema, within);
                        if has.can_fail() {
                            let causes = has.causes().to_vec();
                            return (
                                format!("Create in the schema of \"{name}\""),
                                Tri::Possibly(causes),
                            );
                        }
                    }
                }
            }
        }
        let mut rights: BTreeSet<_> = self.op().touches.iter().filter_map(|t| t.right).collect();
        if rights.is_empty() {
            rights.insert(Right::Own);
        }
        rights.insert(Right::Select);
        for target in &self.op().slots {
            let Target::Object { object, name } = target else {
                continue;
            };
            if !self.says(&name.kept) && self.scope == Match::Footprint {
                continue;
            }
            let mut candidates = self.bound(name).objects;
            if candidates.is_empty() {
                candidates.push(*object);
            }
            for id in candidates {
                for right in rights.iter().filter(|right| fits(**right, id.kind)) {
                    let has = rights::has(facts, groups, role, *right, id, within);
                    if has.can_fail() {
                        let causes = has.causes().to_vec();
                        return (format!("{right:?} on \"{name}\""), Tri::Possibly(causes));
                    }
                }
            }
        }
        self.owners_lack()
            .unwrap_or_else(|| (self.named(), Tri::Never(Vec::new())))
    }

    /// What stands behind a relation is looked up with the rights of its owner: what a view reads, what a key refers to.
    fn owners_lack(&self) -> Option<(String, Tri)> {
        let (facts, groups) = (&self.model.facts, &self.model.groups);
        let within = (self.span, self.by);
        for id in self.closure() {
            let Some(owners) = facts.things.get(&id).and_then(|t| t.facet(Facet::Owner)) else {
                continue;
            };
            for candidate in owners.candidates(groups, self.span, self.by).list {
                let FactValue::Object(owner) = candidate.value else {
                    continue;
                };
                for needed in needs(self.model, id) {
                    let right = match needed.kind {
                        ObjectKind::Schema => Right::Usage,
                        kind if kind.is_readable() => Right::Select,
                        _ => continue,
                    };
                    let has = rights::has(facts, groups, Some(*owner), right, needed, within);
                    if has.can_fail() {
                        let about = format!("{right:?} on {needed}, which the owner of {id} lacks");
                        return Some((about, Tri::Possibly(has.causes().to_vec())));
                    }
                }
            }
        }
        None
    }
}

/// Whether such a right is asked for on such a thing.
fn fits(right: Right, kind: ObjectKind) -> bool {
    match right {
        Right::Select => kind.is_readable(),
        _ => true,
    }
}

/// Whether the op makes a role, which takes a right that no role of ours has.
pub(in crate::parallel) fn makes_role(op: &history::parallel::Op) -> bool {
    let role = |object: &ObjectId| object.kind == ObjectKind::Role;
    op.effects
        .iter()
        .any(|e| matches!(e, Effect::Create(_, object) if role(&object.id)))
}
