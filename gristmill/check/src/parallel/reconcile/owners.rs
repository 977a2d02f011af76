//! Whose things are.

use super::{Model, NOBODY};
use crate::parallel::binding::bound;
use history::Span;
use history::parallel::{Facet, FactValue, Finding, Name, ObjectId, ObjectKind, SeenObject, Space};

impl Model {
    /// The owner that the catalogue shows must be one that may be; what was open is decided. A thing that was never given to a
    /// role of ours is nobody's of them.
    pub(super) fn decide_owner(
        &mut self,
        id: ObjectId,
        object: &SeenObject,
        span: Span,
        findings: &mut Vec<Finding>,
    ) {
        if object.owner.is_empty()
            || matches!(
                id.kind,
                ObjectKind::Index | ObjectKind::Trigger | ObjectKind::Role
            )
        {
            return;
        }
        let named = bound(
            &self.facts,
            &self.groups,
            &Name::home(Space::Role, &object.owner),
            span,
            NOBODY,
        );
        let ours = named.objects;
        let timeline = self.facts.things[&id].facet(Facet::Owner);
        let Some(candidates) = timeline.map(|t| t.candidates(&self.groups, span, NOBODY)) else {
            if !ours.is_empty() {
                let promised = "it is the connection's own".to_owned();
                let seen = format!("it is \"{}\"'s", object.owner);
                findings.push(self.differs(object, span, promised, seen, Vec::new()));
            }
            return;
        };
        let fits = |value: &FactValue| match value {
            FactValue::Object(role) => ours.contains(role),
            _ => ours.is_empty(),
        };
        let shown = match ours.first() {
            Some(role) => FactValue::Object(*role),
            None => FactValue::Gone,
        };
        let found = candidates.list.iter().rev().find(|c| fits(c.value));
        let value = found.map_or(shown, |c| c.value.clone());
        let differs = found.is_none().then(|| {
            let owners: Vec<String> = candidates.list.iter().map(|c| format!("{:?}", c.value)).collect();
            let causes = candidates.list.iter().map(|c| c.cause.clone()).collect();
            let promised = format!("its owner is {}", owners.join(" or "));
            let seen = format!("it is \"{}\"'s", object.owner);
            self.differs(object, span, promised, seen, causes)
        });
        drop(candidates);
        findings.extend(differs);
        self.settle(id, vec![(Facet::Owner, value)], span);
    }
}
