//! Whether a view stands on what is not there any more: where views stand on names.

use super::{Case, needs};
use history::parallel::{Cause, Facet, FactValue, ObjectId};
use history::parallel::{ObjectKind, Tri};
use std::collections::BTreeSet;

impl Case<'_> {
    /// Whether something that a view of the statement stands on, however far down, may be gone, may have another name than when
    /// it was made, or may have another column.
    pub(super) fn dangles(&self) -> (String, Tri) {
        let mut seen: BTreeSet<ObjectId> = BTreeSet::new();
        let views = self
            .objects()
            .into_iter()
            .filter(|id| id.kind == ObjectKind::View);
        let mut todo: Vec<ObjectId> = views.collect();
        // A view that is being made is not yet among the objects; what it is made of is.
        while let Some(view) = todo.pop() {
            if !seen.insert(view) {
                continue;
            }
            for needed in needs(self.model, view) {
                if let Some(cause) = self.has_changed(needed) {
                    return (format!("{view} stands on {needed}"), Tri::Possibly(vec![cause]));
                }
                if needed.kind == ObjectKind::View {
                    todo.push(needed);
                }
            }
        }
        (self.named(), Tri::Never(Vec::new()))
    }

    fn has_changed(&self, id: ObjectId) -> Option<Cause> {
        let Some(thing) = self.model.facts.things.get(&id) else {
            return self.last_of(id).into_iter().next();
        };
        let presence = thing.presence(&self.model.groups, self.span, self.by);
        if presence.can_lack {
            return Some(
                presence
                    .causes
                    .last()
                    .cloned()
                    .unwrap_or(Cause::Base(self.span.sent)),
            );
        }
        thing.facets.iter().find_map(|(facet, timeline)| {
            let counts = match facet {
                Facet::Name | Facet::Definition => true,
                Facet::Column(piece) => {
                    let born = |c: &history::parallel::Column| {
                        c.piece == *piece && timeline.base.value == FactValue::Column(c.clone())
                    };
                    !thing.born.columns.iter().any(born) || !timeline.writes.is_empty()
                }
                _ => false,
            };
            let changed = timeline.base.by != Some(id.maker().0) || !timeline.writes.is_empty();
            (counts && changed).then_some(Cause::Base(timeline.base.since))
        })
    }
}
