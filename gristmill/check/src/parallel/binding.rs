//! The binding of a name is a fact of its own: which objects a name may mean in a span (P10).

use super::facts::Facts;
use super::groups::Groups;
use history::parallel::{Cause, Facet, FactValue, Name, ObjectId};
use history::{SessionId, Span};
use smallvec::SmallVec;

/// What a name may resolve to.
#[derive(Debug, Clone, Default)]
pub(super) struct Binding {
    /// Objects that may have the name at some moment, in the order in which they first had it.
    pub(super) objects: SmallVec<[ObjectId; 2]>,
    /// Whether at some moment nobody may have it.
    pub(super) can_lack: bool,
    /// Whether one object has it in the whole span: then it is the only one.
    pub(super) sure: bool,
    /// What made it so.
    pub(super) causes: SmallVec<[Cause; 2]>,
}

/// What the name may mean for `by` in the span.
pub(super) fn bound(facts: &Facts, groups: &Groups, name: &Name, span: Span, by: SessionId) -> Binding {
    let mut binding = Binding {
        can_lack: true,
        ..Binding::default()
    };
    for id in facts.named(name) {
        let thing = &facts.things[id];
        let presence = thing.presence(groups, span, by);
        let named = thing.facet(Facet::Name).map(|t| t.candidates(groups, span, by));
        let is = |value: &FactValue| matches!(value, FactValue::Name(n) if n == name);
        let (may, must) = named.as_ref().map_or((false, false), |candidates| {
            (
                candidates.list.iter().any(|c| is(c.value)),
                candidates.list.iter().all(|c| is(c.value)),
            )
        });
        binding.causes.extend(presence.causes);
        if let Some(candidates) = named
            && !(must && candidates.sure && candidates.list.len() == 1 && thing.is_named_since_birth())
        {
            binding
                .causes
                .extend(candidates.list.into_iter().map(|c| c.cause));
        }
        if !(presence.can_be && may) {
            continue;
        }
        if !presence.can_lack && must {
            binding.sure = true;
            binding.can_lack = false;
            binding.objects.clear();
            binding.objects.push(*id);
        } else if !binding.sure {
            binding.objects.push(*id);
        }
    }
    binding
}

impl super::facts::Thing {
    /// Whether nobody has ever renamed it.
    fn is_named_since_birth(&self) -> bool {
        self.facet(Facet::Name)
            .is_some_and(|t| t.writes.is_empty() && t.base.value == FactValue::Name(self.born.name.clone()))
    }
}
