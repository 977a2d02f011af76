//! Questions about columns and constraints.

use super::Case;
use history::Span;
use history::parallel::{Cause, Facet, KeptName, Match, Name, Piece, Space, Target, Tri};

/// A column or constraint that a statement names.
pub(super) struct Part<'a> {
    /// The slot of its relation.
    of: u8,
    space: Space,
    /// As which it was drawn.
    pub(super) piece: Option<Piece>,
    pub(super) name: &'a KeptName,
    pub(super) relation: &'a Name,
}

impl<'a> Case<'a> {
    /// Columns and constraints that the statement names and the text may mean.
    pub(super) fn parts(&self) -> impl Iterator<Item = Part<'a>> {
        let slots = &self.op().slots;
        let part = |target: &'a Target| {
            let Target::Part {
                of,
                space,
                piece,
                name,
            } = target
            else {
                return None;
            };
            let Target::Object { name: relation, .. } = slots.get(usize::from(*of))? else {
                return None;
            };
            Some(Part {
                of: *of,
                space: *space,
                piece: *piece,
                name,
                relation,
            })
        };
        slots.iter().filter_map(part).filter(|part| self.says(part.name))
    }

    pub(super) fn part_gone(&self) -> (String, Tri) {
        let mut about = Vec::new();
        let mut sure_of = Vec::new();
        for Part {
            of,
            space,
            piece,
            name,
            relation,
        } in self.parts()
        {
            if piece.is_none() && self.makes_part(of, space, name) {
                continue;
            }
            about.push(format!("\"{name}\" of \"{relation}\""));
            let binding = self.bound(relation);
            if binding.objects.is_empty() {
                return (about.join(", "), Tri::Surely(binding.causes.to_vec()));
            }
            for id in &binding.objects {
                let parts =
                    self.model.facts.things[id].part(space, name, &self.model.groups, self.span, self.by);
                if !parts.surely {
                    let mut causes = parts.causes.to_vec();
                    if piece.is_none() {
                        causes.push(Cause::Statement);
                    }
                    let tri = if parts.can_be {
                        Tri::Possibly(causes)
                    } else {
                        Tri::Surely(causes)
                    };
                    return (about.join(", "), tri);
                }
                sure_of.extend(parts.causes);
            }
        }
        if self.scope != Match::Footprint
            && let Some((whose, causes)) = self.part_gone_in()
        {
            return (whose, Tri::Possibly(causes));
        }
        (about.join(", "), Tri::Never(sure_of))
    }

    /// Whether it may not have been there when the session last ran a statement, which is when it last looked at the schema.
    pub(super) fn part_unseen(&self) -> (String, Tri) {
        let earlier = Case {
            span: Span {
                sent: self.session().looked.min(self.span.sent),
                answered: self.span.answered,
            },
            ..*self
        };
        earlier.part_gone()
    }

    /// What the statement stands on (or anything at all) once had a column of the captured name, and may have it no more.
    fn part_gone_in(&self) -> Option<(String, Vec<Cause>)> {
        let among = (self.scope == Match::Closure).then(|| self.closure());
        let groups = &self.model.groups;
        for (id, thing) in &self.model.facts.things {
            if among.as_ref().is_some_and(|set| !set.contains(id)) || self.names.is_empty() {
                continue;
            }
            for name in thing.part_names.iter().filter(|name| self.says(name)) {
                let parts = thing.part(Space::Column, name, groups, self.span, self.by);
                if !parts.surely {
                    let causes = match parts.causes.as_slice() {
                        [] => vec![Cause::Base(self.span.sent)],
                        causes => causes.to_vec(),
                    };
                    return Some((format!("\"{name}\" of {id}"), causes));
                }
            }
        }
        None
    }

    fn makes_part(&self, of: u8, space: Space, name: &KeptName) -> bool {
        let fits = |facet: Facet| {
            matches!(
                (facet, space),
                (Facet::Column(_), Space::Column) | (Facet::Constraint(_), Space::Constraint)
            )
        };
        let mut given = self.op().effects.iter().filter_map(|e| e.names_part());
        given.any(|(slot, facet, new)| slot == of && fits(facet) && new == name)
    }

    pub(super) fn part_taken(&self) -> (String, Tri) {
        let mut about = Vec::new();
        for effect in &self.op().effects {
            let Some((slot, facet, name)) = effect.names_part() else {
                continue;
            };
            let space = match facet {
                Facet::Column(_) => Space::Column,
                Facet::Constraint(_) => Space::Constraint,
                _ => continue,
            };
            let Some(Target::Object { name: relation, .. }) = self.op().slots.get(usize::from(slot)) else {
                continue;
            };
            if !self.says(name) {
                continue;
            }
            about.push(format!("\"{name}\" of \"{relation}\""));
            for id in self.bound(relation).objects {
                let parts =
                    self.model.facts.things[&id].part(space, name, &self.model.groups, self.span, self.by);
                if parts.facets.iter().any(|f| *f != facet) {
                    return (about.join(", "), Tri::Possibly(parts.causes.to_vec()));
                }
            }
        }
        (about.join(", "), Tri::Never(Vec::new()))
    }
}
