//! All facts of all objects, by identity; names and needs are found the other way round as well (P11, P19).

use super::groups::{Fate, Groups};
use super::timeline::{Base, Timeline, Write};
use history::parallel::{
    At, Cause, Column, Constraint, ConstraintKind, Detail, Facet, FactValue, KeptName, Ledger, Name, Object,
    ObjectId, ObjectKind, Space, Type,
};
use history::{SessionId, Span, Tick};
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Objects that are gone and kept for prints.
const TOMBSTONES: usize = 4096;

/// An object through time.
#[derive(Debug, Clone)]
pub(super) struct Thing {
    /// As it was made.
    pub(super) born: Arc<Object>,
    /// Whether it is there: true by its maker, false by who removes it.
    pub(super) exists: Timeline,
    /// Everything else that has ever been said of it.
    pub(super) facets: BTreeMap<Facet, Timeline>,
    /// Of a ledger: its rows by key.
    pub(super) cells: BTreeMap<u64, Timeline>,
    /// Names under which the index knows it: every one that it ever had.
    pub(super) known: Vec<Name>,
    /// Every name that a column or constraint of it ever had.
    pub(super) part_names: BTreeSet<KeptName>,
}

/// Whether an object is there in a span.
#[derive(Debug, Clone, Default)]
pub(super) struct Presence {
    /// At some moment it may be.
    pub(super) can_be: bool,
    /// At some moment it may not be.
    pub(super) can_lack: bool,
    /// Who makes it, and who takes it away.
    pub(super) causes: SmallVec<[Cause; 2]>,
}

/// An object that is gone.
#[derive(Debug, Clone)]
pub(super) struct Tombstone {
    /// Which.
    pub(super) id: ObjectId,
    /// What it was called last, as far as known.
    pub(super) name: Name,
    /// By whom, and when at the latest.
    pub(super) cause: Cause,
}

/// All facts.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Objects by identity.
    pub(super) things: BTreeMap<ObjectId, Thing>,
    /// Who ever had a name.
    names: BTreeMap<Name, SmallVec<[ObjectId; 1]>>,
    /// Who ever needed an object, or lay in it.
    dependents: BTreeMap<ObjectId, BTreeSet<ObjectId>>,
    /// The latest of those that are gone.
    pub(super) tombstones: VecDeque<Tombstone>,
}

impl Thing {
    /// Whether it is there for `by` in the span.
    pub(super) fn presence(&self, groups: &Groups, span: Span, by: SessionId) -> Presence {
        let mut presence = Presence::default();
        let (mut made, mut surely_made, mut removed) = (false, false, false);
        if self.exists.base.value == FactValue::Flag(true) {
            (made, surely_made) = (true, true);
            presence.causes.push(match self.exists.base.by {
                Some(at) => Cause::Op {
                    at,
                    from: self.exists.base.since,
                    until: Some(self.exists.base.since),
                },
                None => Cause::Base(self.exists.base.since),
            });
        }
        let mut can_lack = false;
        for write in &self.exists.writes {
            let group = groups.get(write.group);
            let own = group.fate == Fate::Open && group.session == by;
            if !own && !group.is_visible_by(span.answered) {
                continue;
            }
            let sure = !write.doubt && (own || group.is_done_before(span.sent));
            if write.value == FactValue::Flag(true) {
                made = true;
                surely_made |= sure;
            } else {
                can_lack = true;
                removed |= sure;
            }
            presence.causes.push(groups.cause(write.group, write.at));
        }
        presence.can_be = made && !removed;
        presence.can_lack = can_lack || !surely_made;
        presence
    }

    /// The facet's timeline, if anything was ever said of it.
    pub(super) fn facet(&self, facet: Facet) -> Option<&Timeline> {
        self.facets.get(&facet)
    }

    /// Columns or constraints that may have the name in the span: their facets, and whether one surely has it.
    pub(super) fn part(
        &self,
        space: Space,
        name: &KeptName,
        groups: &Groups,
        span: Span,
        by: SessionId,
    ) -> Parts {
        let mut parts = Parts::default();
        for (facet, timeline) in &self.facets {
            if !matches!(
                (facet, space),
                (Facet::Column(_), Space::Column) | (Facet::Constraint(_), Space::Constraint)
            ) {
                continue;
            }
            let candidates = timeline.candidates(groups, span, by);
            let has = |value: &FactValue| called(value) == Some(name);
            if candidates.list.iter().any(|c| has(c.value)) {
                parts.can_be = true;
                parts.surely |= candidates.sure || candidates.list.iter().all(|c| has(c.value));
                parts.facets.push(*facet);
            }
            let ever = timeline.writes.iter().any(|w| called(&w.value) == Some(name))
                || called(&timeline.base.value) == Some(name);
            if ever {
                parts.causes.extend(candidates.list.into_iter().map(|c| c.cause));
            }
        }
        parts
    }
}

/// Which columns or constraints have a name.
#[derive(Debug, Clone, Default)]
pub(super) struct Parts {
    /// Whether some may.
    pub(super) can_be: bool,
    /// Whether one has it in the whole span.
    pub(super) surely: bool,
    /// Which may.
    pub(super) facets: SmallVec<[Facet; 1]>,
    /// What made it so.
    pub(super) causes: SmallVec<[Cause; 2]>,
}

/// What a column or constraint is called.
pub(super) fn called(value: &FactValue) -> Option<&KeptName> {
    match value {
        FactValue::Column(column) => Some(&column.name),
        FactValue::Constraint(constraint) => Some(&constraint.name),
        _ => None,
    }
}

impl Facts {
    /// Who ever had the name.
    pub(super) fn named(&self, name: &Name) -> &[ObjectId] {
        self.names.get(name).map_or(&[], |ids| ids.as_slice())
    }

    /// Who ever needed the object, or lay in it.
    pub(super) fn dependents(&self, id: ObjectId) -> impl Iterator<Item = ObjectId> {
        self.dependents.get(&id).into_iter().flatten().copied()
    }

    /// An object comes into being by the group and its op, at `since` at the latest: all its facts at once. One that the
    /// group has made before keeps what was done to it.
    pub(super) fn create(&mut self, object: &Object, (group, at): (u64, At), since: Tick, doubt: bool) {
        if let Some(thing) = self.things.get_mut(&object.id) {
            for write in thing.exists.writes.iter_mut().filter(|w| w.group == group) {
                write.doubt = doubt;
            }
            return;
        }
        let born = Arc::new(object.clone());
        let mut exists = Timeline::gone();
        exists.writes.push(Write {
            at,
            group,
            value: FactValue::Flag(true),
            doubt,
        });
        let mut facets = BTreeMap::new();
        for (facet, value) in born_with(object) {
            let settled = Timeline {
                base: Base {
                    value,
                    by: Some(at),
                    since,
                },
                writes: Vec::new(),
            };
            facets.insert(facet, settled);
        }
        let known = Vec::new();
        let part_names = facets
            .values()
            .filter_map(|t| called(&t.base.value).cloned())
            .collect();
        self.things.insert(
            object.id,
            Thing {
                born,
                exists,
                facets,
                cells: BTreeMap::new(),
                known,
                part_names,
            },
        );
        self.know(&object.name, object.id);
        for needed in object.depends.iter().copied().chain(object.name.parent) {
            self.needs(object.id, needed);
        }
        for constraint in &object.constraints {
            self.refers(object.id, constraint);
        }
        for column in &object.columns {
            self.is_of(object.id, column);
        }
    }

    /// A fact has another value by the group.
    pub(super) fn write(&mut self, id: ObjectId, facet: Facet, write: Write) {
        if !self.things.contains_key(&id) {
            return;
        }
        match (&facet, &write.value) {
            (Facet::Name, FactValue::Name(name)) => {
                self.know(&name.clone(), id);
                if let Some(parent) = name.parent {
                    self.needs(id, parent);
                }
            }
            (Facet::DependsOn(other), FactValue::Flag(true)) => self.needs(id, *other),
            (_, FactValue::Constraint(constraint)) => self.refers(id, constraint),
            (_, FactValue::Column(column)) => self.is_of(id, column),
            _ => {}
        }
        let Some(thing) = self.things.get_mut(&id) else {
            return;
        };
        if let Some(name) = called(&write.value) {
            thing.part_names.insert(name.clone());
        }
        if facet == Facet::Exists {
            thing.exists.writes.push(write);
        } else if let Facet::Cell(key) = facet {
            let cell = thing.cells.entry(key).or_insert_with(Timeline::gone);
            cell.writes.push(write);
        } else {
            thing
                .facets
                .entry(facet)
                .or_insert_with(Timeline::gone)
                .writes
                .push(write);
        }
    }

    /// A group is written again: what it made stays, with what others did to it meanwhile; all else of it goes.
    pub(super) fn rewrite(&mut self, group: u64, wrote: &[(ObjectId, Facet)]) {
        for (id, facet) in wrote {
            let Some(thing) = self.things.get_mut(id) else {
                continue;
            };
            if *facet == Facet::Exists {
                let made = |w: &Write| w.value == FactValue::Flag(true);
                thing.exists.writes.retain(|w| w.group != group || made(w));
            } else if let Facet::Cell(key) = facet {
                if let Some(cell) = thing.cells.get_mut(key) {
                    cell.forget(group, None);
                }
            } else if let Some(timeline) = thing.facets.get_mut(facet) {
                timeline.forget(group, None);
            }
        }
    }

    /// A group, from the op `from` on, leaves no trace.
    pub(super) fn forget(&mut self, group: u64, from: Option<At>, wrote: &[(ObjectId, Facet)]) {
        for (id, facet) in wrote {
            let Some(thing) = self.things.get_mut(id) else {
                continue;
            };
            if *facet == Facet::Exists {
                thing.exists.forget(group, from);
                let never_made = thing.exists.base.value == FactValue::Gone
                    && !thing
                        .exists
                        .writes
                        .iter()
                        .any(|w| w.value == FactValue::Flag(true));
                if never_made {
                    self.bury(*id);
                }
            } else if let Facet::Cell(key) = facet {
                if let Some(cell) = thing.cells.get_mut(key) {
                    cell.forget(group, from);
                }
            } else if let Some(timeline) = thing.facets.get_mut(facet) {
                timeline.forget(group, from);
            }
        }
    }

    /// Takes an object out for good.
    pub(super) fn bury(&mut self, id: ObjectId) {
        let Some(thing) = self.things.remove(&id) else {
            return;
        };
        for name in &thing.known {
            if let Some(ids) = self.names.get_mut(name) {
                ids.retain(|i| *i != id);
                if ids.is_empty() {
                    self.names.remove(name);
                }
            }
        }
        self.dependents.remove(&id);
        let needed: Vec<ObjectId> = thing
            .facets
            .keys()
            .filter_map(|f| match f {
                Facet::DependsOn(other) => Some(*other),
                _ => None,
            })
            .chain(thing.born.name.parent)
            .collect();
        for other in needed {
            if let Some(set) = self.dependents.get_mut(&other) {
                set.remove(&id);
            }
        }
    }

    /// Settles what lies below the horizon; buries what is surely gone.
    pub(super) fn fold(&mut self, groups: &Groups, horizon: Tick) {
        let span = Span {
            sent: horizon,
            answered: horizon,
        };
        let nobody = SessionId(u16::MAX);
        let mut gone = Vec::new();
        for (id, thing) in &mut self.things {
            thing.fold_cells(groups, horizon);
            let touched =
                !thing.exists.writes.is_empty() || thing.facets.values().any(|t| !t.writes.is_empty());
            if !touched {
                continue;
            }
            let removal = thing.exists.writes.iter().rfind(|w| {
                w.value == FactValue::Flag(false) && !w.doubt && groups.get(w.group).is_done_before(horizon)
            });
            if let Some(removal) = removal {
                gone.push(Tombstone {
                    id: *id,
                    name: thing.last_name(groups, span, nobody),
                    cause: groups.cause(removal.group, removal.at),
                });
                continue;
            }
            let made = thing.exists.writes.iter().find(|w| {
                w.value == FactValue::Flag(true) && !w.doubt && groups.get(w.group).is_done_before(horizon)
            });
            if let Some(made) = made {
                thing.exists.base = Base {
                    value: FactValue::Flag(true),
                    by: Some(made.at),
                    since: groups.get(made.group).until.unwrap_or(horizon),
                };
                thing.exists.writes.retain(|w| w.value != FactValue::Flag(true));
            }
            for timeline in thing.facets.values_mut() {
                timeline.fold(groups, horizon);
            }
        }
        for tombstone in gone {
            self.bury(tombstone.id);
            self.entomb(tombstone);
        }
    }

    /// Keeps the memory of an object that is gone.
    pub(super) fn entomb(&mut self, tombstone: Tombstone) {
        if self.tombstones.len() == TOMBSTONES {
            self.tombstones.pop_front();
        }
        self.tombstones.push_back(tombstone);
    }

    /// Whether `dependent` needs `needed` or lies in it at some moment of the span: `None`: no; otherwise whether surely.
    /// A foreign key is no such need: see [`Facts::refers_to`].
    pub(super) fn edge(
        &self,
        groups: &Groups,
        dependent: ObjectId,
        needed: ObjectId,
        span: Span,
        by: SessionId,
    ) -> Option<bool> {
        let thing = self.things.get(&dependent)?;
        let presence = thing.presence(groups, span, by);
        if !presence.can_be {
            return None;
        }
        let both_tables = dependent.kind == ObjectKind::Table && needed.kind == ObjectKind::Table;
        let depends = thing
            .facet(Facet::DependsOn(needed))
            .filter(|_| !both_tables)
            .map(|t| t.says(groups, span, by, |v| *v == FactValue::Flag(true)));
        let lies = thing.facet(Facet::Name).map(|t| {
            t.says(
                groups,
                span,
                by,
                |v| matches!(v, FactValue::Name(n) if n.parent == Some(needed)),
            )
        });
        let (mut may, mut must) = (false, false);
        for (can, surely) in depends.into_iter().chain(lies) {
            may |= can;
            must |= surely;
        }
        may.then_some(must && !presence.can_lack)
    }

    /// Foreign keys of `holder` on `to`, and columns of its type, that may be there in the span: with whether surely.
    pub(super) fn refers_to(
        &self,
        groups: &Groups,
        holder: ObjectId,
        to: ObjectId,
        span: Span,
        by: SessionId,
    ) -> Vec<(Facet, bool)> {
        let Some(thing) = self.things.get(&holder) else {
            return Vec::new();
        };
        let presence = thing.presence(groups, span, by);
        if !presence.can_be {
            return Vec::new();
        }
        let refers = |value: &FactValue| match value {
            FactValue::Constraint(constraint) => {
                matches!(&constraint.kind, ConstraintKind::ForeignKey { references, .. } if *references == to)
            }
            FactValue::Column(column) => column.ty == Type::Named(to),
            _ => false,
        };
        thing
            .facets
            .iter()
            .filter_map(|(facet, timeline)| {
                let (may, must) = timeline.says(groups, span, by, refers);
                may.then_some((*facet, must && !presence.can_lack))
            })
            .collect()
    }

    fn know(&mut self, name: &Name, id: ObjectId) {
        let Some(thing) = self.things.get_mut(&id) else {
            return;
        };
        if !thing.known.contains(name) {
            thing.known.push(name.clone());
            self.names.entry(name.clone()).or_default().push(id);
        }
    }

    fn needs(&mut self, id: ObjectId, needed: ObjectId) {
        self.dependents.entry(needed).or_default().insert(id);
    }

    fn is_of(&mut self, id: ObjectId, column: &Column) {
        if let Type::Named(ty) = column.ty {
            self.needs(id, ty);
        }
    }

    fn refers(&mut self, id: ObjectId, constraint: &Constraint) {
        if let ConstraintKind::ForeignKey { references, .. } = &constraint.kind {
            self.needs(id, *references);
        }
    }
}

impl Thing {
    /// Every row of a ledger, as every other fact; what is added up is added up.
    fn fold_cells(&mut self, groups: &Groups, horizon: Tick) {
        let adds = matches!(
            self.born.detail,
            Detail::Ledger {
                of: Ledger::Counters,
                ..
            }
        );
        for cell in self.cells.values_mut() {
            if adds {
                cell.add_up(groups, horizon);
            } else {
                cell.fold(groups, horizon);
            }
        }
        self.cells
            .retain(|_, cell| !cell.writes.is_empty() || cell.base.value != FactValue::Gone);
    }

    /// What it may be called, the latest last.
    pub(super) fn names(&self, groups: &Groups, span: Span, by: SessionId) -> Vec<Name> {
        let timeline = self.facets.get(&Facet::Name);
        let candidates = timeline.map(|t| t.candidates(groups, span, by));
        let names = candidates
            .iter()
            .flat_map(|c| &c.list)
            .filter_map(|c| match c.value {
                FactValue::Name(name) => Some(name.clone()),
                _ => None,
            });
        let names: Vec<Name> = names.collect();
        match names.is_empty() {
            true => vec![self.born.name.clone()],
            false => names,
        }
    }

    /// What it may be called last.
    pub(super) fn last_name(&self, groups: &Groups, span: Span, by: SessionId) -> Name {
        self.names(groups, span, by).pop().expect("a name it always has")
    }
}

/// The facts that an object begins with.
fn born_with(object: &Object) -> Vec<(Facet, FactValue)> {
    let mut out = vec![
        (Facet::Name, FactValue::Name(object.name.clone())),
        (Facet::Valid, FactValue::Flag(object.valid)),
    ];
    out.extend(
        object
            .columns
            .iter()
            .map(|c| (Facet::Column(c.piece), FactValue::Column(c.clone()))),
    );
    out.extend(
        object
            .constraints
            .iter()
            .map(|c| (Facet::Constraint(c.piece), FactValue::Constraint(c.clone()))),
    );
    out.extend(
        object
            .depends
            .iter()
            .map(|o| (Facet::DependsOn(*o), FactValue::Flag(true))),
    );
    out.extend(
        object
            .grants
            .iter()
            .map(|(role, right)| (Facet::Grant(*role, *right), FactValue::Flag(true))),
    );
    out.extend(
        object
            .members
            .iter()
            .map(|role| (Facet::Member(*role), FactValue::Flag(true))),
    );
    if let Some(owner) = object.owner {
        out.push((Facet::Owner, FactValue::Object(owner)));
    }
    if let Some(definition) = &object.definition {
        out.push((Facet::Definition, FactValue::Definition(Arc::clone(definition))));
    }
    out
}

/// Whether a dependent of that kind goes with what it needs without being asked: an index with its table.
pub(super) fn goes_along(dependent: ObjectKind) -> bool {
    matches!(dependent, ObjectKind::Index | ObjectKind::Trigger)
}
