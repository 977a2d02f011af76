//! The server's catalogue against the facts, at a quiet point: what differs is said once, what was open is decided (P17).

mod owners;

use super::binding::bound;
use super::facts::{Tombstone, called};
use super::likely;
use super::model::Model;
use super::timeline::Candidate;
use history::parallel::{
    At, Cause, Column, ConstraintKind, Facet, FactValue, Finding, KeptName, Name, ObjectId, ObjectKind,
    Persistence, Seen, SeenColumn, SeenKind, SeenObject, Space,
};
use history::{Kind, SessionId, Span};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Asks as nobody: no open transaction is its own.
const NOBODY: SessionId = SessionId(u16::MAX);

impl Model {
    /// Compares what the catalogue showed in the span with what must be there and what may be there; then takes its word
    /// for all that was open. Nothing may be on its way to the server, and no transaction be open, in the span.
    pub fn reconcile(&mut self, seen: &Seen, span: Span) -> Vec<Finding> {
        self.now = self.now.max(span.answered);
        let mut findings = Vec::new();
        let mut there: BTreeMap<ObjectId, &SeenObject> = BTreeMap::new();
        let constraints: BTreeSet<&str> = seen
            .objects
            .iter()
            .filter(|o| o.kind == SeenKind::Constraint)
            .map(|o| o.name.as_str())
            .collect();
        for object in &seen.objects {
            let Some(kind) = kind_of(object.kind) else {
                continue;
            };
            match self.meant(object, kind, span) {
                Some(id) => {
                    there.insert(id, object);
                }
                None if self.is_implied(object, &constraints, span) => {}
                None => {
                    if self.strangers.insert(object.clone()) {
                        findings.push(self.stranger(object, span));
                    }
                }
            }
        }
        self.decide_presence(&there, span, &mut findings);
        let lists_constraints = !constraints.is_empty();
        for (id, object) in &there {
            self.decide_columns(*id, object, span, &mut findings);
            self.decide_owner(*id, object, span, &mut findings);
            if lists_constraints && id.kind == ObjectKind::Table {
                let listed: BTreeSet<&str> = seen
                    .objects
                    .iter()
                    .filter(|o| {
                        o.kind == SeenKind::Constraint
                            && o.on == object.name
                            && o.namespace == object.namespace
                    })
                    .map(|o| o.name.as_str())
                    .collect();
                self.decide_constraints(*id, &listed, span, &mut findings);
            }
        }
        self.agree_with(&there, span);
        findings
    }

    /// Which of ours it may be: one that surely has the name, or else one that may.
    fn meant(&self, object: &SeenObject, kind: ObjectKind, span: Span) -> Option<ObjectId> {
        let candidates = self.names_of(object, kind, span).into_iter().flat_map(|name| {
            let binding = bound(&self.facts, &self.groups, &name, span, NOBODY);
            binding.objects
        });
        candidates.into_iter().find(|id| id.kind == kind)
    }

    /// The names by which it may be known: its parent may be any schema, or table, of that name.
    fn names_of(&self, object: &SeenObject, kind: ObjectKind, span: Span) -> Vec<Name> {
        let space = kind.space();
        let kept = KeptName::new(&object.name);
        let schemas: Vec<Option<ObjectId>> = if object.namespace.is_empty() {
            vec![None]
        } else {
            let schema = Name::home(Space::Schema, &object.namespace);
            bound(&self.facts, &self.groups, &schema, span, NOBODY)
                .objects
                .into_iter()
                .map(Some)
                .collect()
        };
        let parents = if kind == ObjectKind::Trigger {
            let mut tables = schemas.clone();
            for parent in schemas {
                let table = Name {
                    space: Space::Relation,
                    parent,
                    kept: KeptName::new(&object.on),
                };
                let binding = bound(&self.facts, &self.groups, &table, span, NOBODY);
                tables.extend(binding.objects.into_iter().map(Some));
            }
            tables
        } else {
            schemas
        };
        parents
            .into_iter()
            .map(|parent| Name {
                space,
                parent,
                kept: kept.clone(),
            })
            .collect()
    }

    /// What comes with something else: the index of a constraint, what belongs to one session.
    fn is_implied(&self, object: &SeenObject, constraints: &BTreeSet<&str>, span: Span) -> bool {
        if object.temporary {
            return true;
        }
        if object.kind != SeenKind::Index {
            return false;
        }
        if constraints.contains(object.name.as_str()) || object.name.starts_with("sqlite_autoindex_") {
            return true;
        }
        let kept = KeptName::new(&object.name);
        self.facts.things.values().any(|thing| {
            // The index of a foreign key stays when the key goes, where primary keys have no name of their own (MariaDB).
            (!self.rules.names_primary && thing.part_names.contains(&kept))
                || thing
                    .part(Space::Constraint, &kept, &self.groups, span, NOBODY)
                    .can_be
        })
    }

    /// Finds what must be there and is not; decides what may be there.
    fn decide_presence(
        &mut self,
        there: &BTreeMap<ObjectId, &SeenObject>,
        span: Span,
        findings: &mut Vec<Finding>,
    ) {
        let mut gone = Vec::new();
        let mut present = Vec::new();
        for (id, thing) in &self.facts.things {
            let presence = thing.presence(&self.groups, span, NOBODY);
            if let Some(object) = there.get(id) {
                present.push((*id, object.name.clone()));
                continue;
            }
            let open = thing.exists.writes.iter().any(|w| {
                let group = self.groups.get(w.group);
                matches!(group.fate, super::groups::Fate::Open | super::groups::Fate::Sent)
            });
            if open || thing.born.persistence == Persistence::Temporary || id.kind == ObjectKind::Database {
                continue;
            }
            let name = thing.last_name(&self.groups, span, NOBODY);
            if presence.can_be && !presence.can_lack {
                findings.push(self.missing(*id, &name, presence.causes.to_vec(), span));
            }
            let cause = presence
                .causes
                .last()
                .cloned()
                .unwrap_or(Cause::Base(span.answered));
            gone.push(Tombstone { id: *id, name, cause });
        }
        for tombstone in gone {
            self.facts.bury(tombstone.id);
            self.facts.entomb(tombstone);
        }
        for (id, kept) in present {
            let Some(thing) = self.facts.things.get_mut(&id) else {
                continue;
            };
            if !thing.exists.writes.is_empty() {
                thing.exists.settle(FactValue::Flag(true), span.answered);
            }
            if let Some(timeline) = thing.facets.get_mut(&Facet::Name) {
                let name = timeline
                    .candidates(&self.groups, span, NOBODY)
                    .list
                    .iter()
                    .rev()
                    .find_map(|c| match c.value {
                        FactValue::Name(name) if name.kept.as_str() == kept => Some(name.clone()),
                        _ => None,
                    });
                if let Some(name) = name
                    && !timeline.writes.is_empty()
                {
                    timeline.settle(FactValue::Name(name), span.answered);
                }
            }
        }
    }

    fn decide_columns(&mut self, id: ObjectId, object: &SeenObject, span: Span, findings: &mut Vec<Finding>) {
        if object.columns.is_empty() || !id.kind.is_readable() {
            return;
        }
        let thing = &self.facts.things[&id];
        let mut decided = Vec::new();
        let mut known = BTreeSet::new();
        let mut knows_any = false;
        let primary: BTreeSet<_> = primary_columns(thing);
        for (facet, timeline) in &thing.facets {
            let Facet::Column(piece) = facet else {
                continue;
            };
            knows_any = true;
            let candidates = timeline.candidates(&self.groups, span, NOBODY);
            let listed = |of_it: &dyn Fn(&Column, &SeenColumn) -> bool| {
                candidates.list.iter().rev().find_map(|c| {
                    let FactValue::Column(column) = c.value else {
                        return None;
                    };
                    let listed = object.columns.iter().find(|l| l.name == column.name.as_str())?;
                    of_it(column, listed).then(|| (c.value.clone(), listed))
                })
            };
            let shows = self.rules.shows;
            let typed = |c: &Column, l: &SeenColumn| shows(c.ty).is_none_or(|ty| ty == l.ty);
            let listed = listed(&|c, l| typed(c, l) && c.not_null == l.not_null)
                .or_else(|| listed(&typed))
                .or_else(|| listed(&|_, _| true));
            match listed {
                Some((value, listed)) => {
                    known.insert(listed.name.clone());
                    let FactValue::Column(column) = &value else {
                        continue;
                    };
                    let wrong = candidates.sure
                        && id.kind == ObjectKind::Table
                        && !primary.contains(piece)
                        && column.not_null
                        && !listed.not_null;
                    if wrong {
                        findings.push(self.differs(
                            object,
                            span,
                            format!("column \"{}\" refuses NULL", column.name),
                            "it takes NULL".to_owned(),
                            candidates.list.iter().map(|c| c.cause.clone()).collect(),
                        ));
                    }
                    let other = candidates.sure && id.kind == ObjectKind::Table && !typed(column, listed);
                    if other {
                        findings.push(self.differs(
                            object,
                            span,
                            format!("column \"{}\" is of type {:?}", column.name, column.ty),
                            format!("it is listed as {}", listed.ty),
                            candidates.list.iter().map(|c| c.cause.clone()).collect(),
                        ));
                    }
                    decided.push((*facet, value));
                }
                None => {
                    let must = candidates
                        .list
                        .iter()
                        .all(|c| matches!(c.value, FactValue::Column(_)));
                    if must {
                        let names: Vec<String> = candidates
                            .list
                            .iter()
                            .filter_map(|c| called(c.value))
                            .map(ToString::to_string)
                            .collect();
                        findings.push(self.differs(
                            object,
                            span,
                            format!("column \"{}\" is there", names.join("\" or \"")),
                            "it is not listed".to_owned(),
                            candidates.list.iter().map(|c| c.cause.clone()).collect(),
                        ));
                    }
                    decided.push((*facet, FactValue::Gone));
                }
            }
        }
        if knows_any {
            for listed in object.columns.iter().filter(|l| !known.contains(&l.name)) {
                let mut stranger = object.clone();
                stranger.columns = vec![listed.clone()];
                if self.strangers.insert(stranger) {
                    findings.push(self.differs(
                        object,
                        span,
                        format!("no column \"{}\" is there", listed.name),
                        format!("it is listed, of type {}", listed.ty),
                        Vec::new(),
                    ));
                }
            }
        }
        self.settle(id, decided, span);
    }

    fn decide_constraints(
        &mut self,
        id: ObjectId,
        listed: &BTreeSet<&str>,
        span: Span,
        findings: &mut Vec<Finding>,
    ) {
        let thing = &self.facts.things[&id];
        let table = thing.last_name(&self.groups, span, NOBODY);
        let mut decided = Vec::new();
        for (facet, timeline) in &thing.facets {
            if !matches!(facet, Facet::Constraint(_)) {
                continue;
            }
            let candidates = timeline.candidates(&self.groups, span, NOBODY);
            let found = candidates
                .list
                .iter()
                .rev()
                .find(|c| called(c.value).is_some_and(|name| listed.contains(name.as_str())));
            match found {
                Some(candidate) => decided.push((*facet, candidate.value.clone())),
                None => {
                    let unnamed = |c: &Candidate<'_>| {
                        !self.rules.names_primary
                            && matches!(c.value, FactValue::Constraint(k) if k.kind == ConstraintKind::PrimaryKey)
                    };
                    if candidates.list.iter().any(unnamed) {
                        continue;
                    }
                    let must = candidates.list.iter().find_map(|c| called(c.value));
                    let all = candidates
                        .list
                        .iter()
                        .all(|c| matches!(c.value, FactValue::Constraint(_)));
                    if let Some(name) = must
                        && all
                    {
                        findings.push(self.finding(
                            "constraint missing",
                            span,
                            format!("constraint \"{name}\" of table \"{table}\" is there"),
                            "it is not listed".to_owned(),
                            candidates.list.iter().map(|c| c.cause.clone()).collect(),
                        ));
                    }
                    decided.push((*facet, FactValue::Gone));
                }
            }
        }
        self.settle(id, decided, span);
    }

    fn settle(&mut self, id: ObjectId, decided: Vec<(Facet, FactValue)>, span: Span) {
        let Some(thing) = self.facts.things.get_mut(&id) else {
            return;
        };
        for (facet, value) in decided {
            let timeline = thing.facets.get_mut(&facet).expect("decided from its timeline");
            if !timeline.writes.is_empty() || timeline.base.value != value {
                timeline.settle(value, span.answered);
            }
        }
    }

    /// The likely state follows the catalogue.
    fn agree_with(&mut self, there: &BTreeMap<ObjectId, &SeenObject>, span: Span) {
        let catalog = Arc::make_mut(&mut self.catalog);
        let gone: Vec<ObjectId> = catalog
            .iter()
            .map(|o| o.id)
            .filter(|id| !self.facts.things.contains_key(id))
            .collect();
        for id in gone {
            likely::remove(catalog, id, false);
        }
        for id in there.keys() {
            let thing = &self.facts.things[id];
            let mut object = match catalog.get(*id) {
                Some(object) => object.clone(),
                None => (*thing.born).clone(),
            };
            let before = object.clone();
            for (facet, timeline) in &thing.facets {
                if !matches!(
                    facet,
                    Facet::Name | Facet::Owner | Facet::Column(_) | Facet::Constraint(_)
                ) {
                    continue;
                }
                let candidates = timeline.candidates(&self.groups, span, NOBODY);
                if let Some(last) = candidates.list.last() {
                    object.set(*facet, last.value.clone());
                }
            }
            if object != before || catalog.get(*id).is_none() {
                catalog.insert(Arc::new(object));
            }
        }
        self.version += 1;
    }

    fn stranger(&self, object: &SeenObject, span: Span) -> Finding {
        let tombstone = self
            .facts
            .tombstones
            .iter()
            .rev()
            .find(|t| t.name.kept.as_str() == object.name);
        let cause = tombstone.map(|t| t.cause.clone());
        self.finding(
            "object is there",
            span,
            format!("no {} \"{}\" is there", object.kind.name(), object.name),
            "the catalogue lists it".to_owned(),
            cause.into_iter().collect(),
        )
    }

    fn missing(&self, id: ObjectId, name: &Name, causes: Vec<Cause>, span: Span) -> Finding {
        self.finding(
            "object is missing",
            span,
            format!("{} \"{name}\" ({id}) is there", id.kind.word()),
            "the catalogue does not list it".to_owned(),
            causes,
        )
    }

    fn differs(
        &self,
        object: &SeenObject,
        span: Span,
        promised: String,
        seen: String,
        causes: Vec<Cause>,
    ) -> Finding {
        let promised = format!("{} \"{}\": {promised}", object.kind.name(), object.name);
        self.finding("columns", span, promised, seen, causes)
    }

    fn finding(&self, what: &str, span: Span, promised: String, seen: String, causes: Vec<Cause>) -> Finding {
        Finding {
            kind: Kind::Catalog,
            signature: format!("catalog/{what}"),
            at: At {
                session: SessionId(0),
                op: 0,
            },
            action: "catalogue".to_owned(),
            span,
            sql: String::new(),
            code: String::new(),
            text: String::new(),
            promised,
            seen,
            asked: Vec::new(),
            evidence: causes
                .iter()
                .map(|c| format!("by {}", super::print::cause(self, c)))
                .collect(),
            guess: false,
        }
    }
}

fn primary_columns(thing: &super::facts::Thing) -> BTreeSet<history::parallel::Piece> {
    let values = thing
        .facets
        .values()
        .flat_map(|t| t.writes.iter().map(|w| &w.value).chain([&t.base.value]));
    values
        .filter_map(|v| match v {
            FactValue::Constraint(c) if c.kind == ConstraintKind::PrimaryKey => Some(c.columns.clone()),
            _ => None,
        })
        .flatten()
        .collect()
}

fn kind_of(kind: SeenKind) -> Option<ObjectKind> {
    Some(match kind {
        SeenKind::Schema => ObjectKind::Schema,
        SeenKind::Table => ObjectKind::Table,
        SeenKind::View => ObjectKind::View,
        SeenKind::MaterializedView => ObjectKind::MaterializedView,
        SeenKind::Index => ObjectKind::Index,
        SeenKind::Sequence => ObjectKind::Sequence,
        SeenKind::Type => ObjectKind::Type,
        SeenKind::Function => ObjectKind::Function,
        SeenKind::Trigger => ObjectKind::Trigger,
        SeenKind::Role => ObjectKind::Role,
        SeenKind::Constraint => return None,
    })
}
