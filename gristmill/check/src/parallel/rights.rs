//! Who may do what: owner, membership, grants (P13). Rights are read now, not at the snapshot.

use super::facts::Facts;
use super::groups::Groups;
use history::parallel::{Cause, Detail, Facet, FactValue, ObjectId, ObjectKind, Right, Tri};
use history::{SessionId, Span};

/// Whether the role may have the right on the object in the span. `None` as role is the connection's own, which made
/// everything that has no other owner; what it may do with another's is not known to us.
pub(super) fn has(
    facts: &Facts,
    groups: &Groups,
    role: Option<ObjectId>,
    right: Right,
    object: ObjectId,
    (span, by): (Span, SessionId),
) -> Tri {
    let Some(thing) = facts.things.get(&object) else {
        return Tri::Possibly(Vec::new());
    };
    match &thing.born.detail {
        // What lies on a table is its owner's.
        Detail::Index { on, .. } | Detail::Trigger { on } if *on != object => {
            return has(facts, groups, role, right, *on, (span, by));
        }
        _ => {}
    }
    let everybody = matches!(
        (object.kind, right),
        (ObjectKind::Function, Right::Execute) | (ObjectKind::Type, Right::Usage)
    );
    if everybody {
        return Tri::Surely(vec![Cause::Base(span.sent)]);
    }
    let mut causes: Vec<Cause> = Vec::new();
    let (mut may, mut must) = (false, false);
    let owner = thing.facet(Facet::Owner);
    match (owner, role) {
        (None, None) => return Tri::Surely(vec![Cause::Base(span.sent)]),
        (None, Some(_)) => {}
        (Some(timeline), None) => {
            let candidates = timeline.candidates(groups, span, by);
            may = true;
            must = candidates.list.iter().all(|c| *c.value == FactValue::Gone);
            causes.extend(candidates.list.into_iter().map(|c| c.cause));
        }
        (Some(timeline), Some(role)) => {
            for candidate in timeline.candidates(groups, span, by).list {
                if let FactValue::Object(owner) = candidate.value {
                    let (can, surely) = acts_as(facts, groups, role, *owner, (span, by));
                    may |= can;
                    must |= surely;
                }
                causes.push(candidate.cause);
            }
            // What was taken from an owner by name is taken: for all but what only an owner may.
            let named = right != Right::Own
                && thing
                    .facets
                    .keys()
                    .any(|f| matches!(f, Facet::Grant(_, given) if *given == right));
            must = must && !named && timeline.candidates(groups, span, by).sure;
        }
    }
    let Some(role) = role else {
        return tri(may, must, causes);
    };
    for (facet, timeline) in &thing.facets {
        let Facet::Grant(grantee, granted) = facet else {
            continue;
        };
        if *granted != right {
            continue;
        }
        let (acts, surely_acts) = acts_as(facts, groups, role, *grantee, (span, by));
        if !acts {
            continue;
        }
        let candidates = timeline.candidates(groups, span, by);
        let yes = |value: &FactValue| *value == FactValue::Flag(true);
        may |= candidates.list.iter().any(|c| yes(c.value));
        must |= surely_acts && candidates.list.iter().all(|c| yes(c.value));
        causes.extend(candidates.list.into_iter().map(|c| c.cause));
    }
    tri(may, must, causes)
}

fn tri(may: bool, must: bool, causes: Vec<Cause>) -> Tri {
    match (may, must) {
        (false, _) => Tri::Never(causes),
        (true, true) => Tri::Surely(causes),
        (true, false) => Tri::Possibly(causes),
    }
}

/// Whether `role` has what is `other`'s: is it, or is a member of it, through any number of others.
fn acts_as(
    facts: &Facts,
    groups: &Groups,
    role: ObjectId,
    other: ObjectId,
    (span, by): (Span, SessionId),
) -> (bool, bool) {
    let mut seen = std::collections::BTreeMap::from([(other, true)]);
    let mut todo = vec![other];
    while let Some(group) = todo.pop() {
        let sure = seen[&group];
        let Some(thing) = facts.things.get(&group) else {
            continue;
        };
        for (facet, timeline) in &thing.facets {
            let Facet::Member(member) = facet else {
                continue;
            };
            let (may, must) = timeline.says(groups, span, by, |v| *v == FactValue::Flag(true));
            let better = may && seen.get(member).is_none_or(|s| !*s && sure && must);
            if better {
                seen.insert(*member, sure && must);
                todo.push(*member);
            }
        }
    }
    seen.get(&role).map_or((false, false), |sure| (true, *sure))
}
