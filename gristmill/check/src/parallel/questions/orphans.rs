//! What is left without what it stands on, since that is not locked while it is made: columns without their type.

use super::Case;
use history::parallel::{Cause, ObjectKind, Tri};

impl Case<'_> {
    /// Whether a type or function that the statement's things need may be gone.
    pub(super) fn orphaned(&self) -> (String, Tri) {
        let facts = &self.model.facts;
        for id in self.closure() {
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
}
