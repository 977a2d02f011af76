//! Questions, answered from the facts: the answer is the witness (P8, P18).

mod orphans;
mod parts;
pub(super) mod rights;
mod views;

use super::binding::{Binding, bound};
use super::groups::Fate;
use super::model::Model;
use super::pattern::means;
use super::session::InFlight;
use history::parallel::{
    Asked, At, Cause, Class, ColumnEdit, ConstraintKind, DataError, Detail, Effect, Facet, FactValue, Fault,
    FrameOp, KeptName, Limit, Match, Mode, Name, ObjectId, ObjectKind, Op, Question, Statement, Target, Tri,
    TxState,
};
use history::{Level, SessionId, Span, Tick};
use std::collections::BTreeSet;

/// One answer of the server, and what its error names.
#[derive(Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) model: &'a Model,
    pub(super) flight: &'a InFlight,
    pub(super) span: Span,
    pub(super) by: SessionId,
    /// What the pattern captured.
    pub(super) names: &'a [&'a str],
    /// Where those must stand.
    pub(super) scope: Match,
    /// What the error is about.
    pub(super) class: Class,
}

impl<'a> Case<'a> {
    fn op(&self) -> &'a Op {
        &self.flight.op
    }

    fn session(&self) -> &'a super::session::Session {
        &self.model.sessions[&self.by]
    }

    /// From the first statement of the transaction on, where there is one: locks and snapshots are as old.
    fn work(&self) -> Span {
        let since = self.session().busy.map_or(self.span.sent, |(since, _)| since);
        Span {
            sent: since.min(self.span.sent),
            answered: self.span.answered,
        }
    }

    /// From the moment at which the op was drawn on: what changed since may surprise it.
    fn drawn(&self) -> Span {
        let remembers = matches!(
            self.op().ast,
            history::parallel::Statement::Cursor(_) | history::parallel::Statement::Prepared(_)
        );
        let since = if remembers {
            Tick(0)
        } else {
            let viewed = self.session().viewed.unwrap_or(self.span.sent);
            viewed.min(self.span.sent)
        };
        Span {
            sent: since,
            answered: self.span.answered,
        }
    }

    fn says(&self, kept: &KeptName) -> bool {
        self.names.is_empty()
            || self
                .names
                .iter()
                .any(|captured| means(captured, kept.as_str(), self.model.rules.folds_case))
    }

    /// Whether the text names something in this schema: a relation of a schema that is gone is said to be gone itself.
    fn says_in(&self, object: ObjectId, name: &Name) -> bool {
        object.kind == ObjectKind::Schema
            && self.names.iter().any(|captured| {
                let captured = captured.replace('"', "");
                let schema = name.kept.as_str().replace('"', "");
                captured
                    .strip_prefix(&schema)
                    .is_some_and(|rest| rest.starts_with('.'))
            })
    }

    fn bound(&self, name: &Name) -> Binding {
        bound(&self.model.facts, &self.model.groups, name, self.span, self.by)
    }

    /// Objects that the slots may mean, the drawn ones among them even where their names mean others now.
    fn objects(&self) -> BTreeSet<ObjectId> {
        let mut out = BTreeSet::new();
        for target in &self.op().slots {
            if let Target::Object { object, name } = target {
                out.extend(self.bound(name).objects);
                out.insert(*object);
            }
        }
        out
    }

    /// Those objects, what they need and lie in, and what needs them.
    fn closure(&self) -> BTreeSet<ObjectId> {
        let facts = &self.model.facts;
        let mut out = self.objects();
        let mut todo: Vec<ObjectId> = out.iter().copied().collect();
        while let Some(id) = todo.pop() {
            for needed in needs(self.model, id) {
                if out.insert(needed) {
                    todo.push(needed);
                }
            }
        }
        let mut todo: Vec<ObjectId> = self.objects().into_iter().collect();
        while let Some(id) = todo.pop() {
            for dependent in facts.dependents(id) {
                if out.insert(dependent) {
                    todo.push(dependent);
                }
            }
        }
        out
    }

    /// Asks; gives the evidence. The error is explained where the answer can be.
    pub(super) fn ask(&self, question: Question) -> Asked {
        let (about, answer) = match question {
            Question::Gone => self.as_looked_up().gone(),
            Question::Taken => self.taken(),
            Question::OtherKind => self.other_kind(),
            Question::PartGone => self.part_gone(),
            Question::PartUnseen => self.part_unseen(),
            Question::PartTaken => self.part_taken(),
            Question::Redefined => (self.named(), self.changed(self.drawn())),
            Question::CatalogRace => (self.named(), self.race()),
            Question::Dangles => self.dangles(),
            Question::Orphaned => self.orphaned(),
            Question::KeyUnsure => self.key_unsure(),
            Question::Refers => self.refers(),
            Question::Dependents => self.dependents(),
            Question::InUse => self.in_use(),
            Question::Lacks => self.lacks(),
            Question::FaultSent => (String::new(), self.fault()),
            Question::LimitInForce(limit) => (String::new(), self.limit(limit)),
            Question::Conflict => (String::new(), self.conflict()),
            Question::Overlap => (String::new(), self.overlap()),
            Question::CanRaise(error) => (self.named(), self.can_raise(error)),
            Question::ReadOnly => (String::new(), yes(self.session().view.read_only)),
            Question::FailedTransaction => (String::new(), yes(self.session().view.tx == TxState::Failed)),
            Question::TransactionState => (String::new(), self.transaction_state()),
            Question::SessionName => (self.names.join(", "), self.session_name()),
            Question::Resource => (String::new(), yes(true)),
            Question::Tool | Question::Never => (String::new(), yes(false)),
        };
        Asked {
            question,
            about,
            answer,
        }
    }

    /// GRANT and REVOKE take no lock on what they name, so nothing tells the session meanwhile of what others have made: they may
    /// look it up as it was when the transaction began.
    fn as_looked_up(&self) -> Case<'a> {
        match &self.op().ast {
            Statement::Rights(_) => Case {
                span: self.work(),
                ..*self
            },
            _ => *self,
        }
    }

    fn named(&self) -> String {
        let names: Vec<String> = self
            .op()
            .slots
            .iter()
            .filter_map(|t| match t {
                Target::Object { object, name } => Some(format!("{} \"{name}\"", object.kind.word())),
                _ => None,
            })
            .collect();
        names.join(", ")
    }

    fn gone(&self) -> (String, Tri) {
        let mut sure_of = Vec::new();
        let mut about = Vec::new();
        for target in &self.op().slots {
            match target {
                Target::Object { object, name } if self.says(&name.kept) || self.says_in(*object, name) => {
                    about.push(format!("{} \"{name}\"", object.kind.word()));
                    let binding = self.bound(name);
                    if binding.can_lack {
                        let makers: Vec<At> = binding.objects.iter().map(|id| id.maker().0).collect();
                        let later =
                            |cause: &&Cause| !matches!(cause, Cause::Op { at, .. } if makers.contains(at));
                        let mut causes: Vec<Cause> = binding.causes.iter().filter(later).cloned().collect();
                        if causes.is_empty() {
                            causes = binding.causes.to_vec();
                        }
                        if causes.is_empty() {
                            causes = self.last_of(*object);
                        }
                        let tri = if binding.objects.is_empty() {
                            Tri::Surely(causes)
                        } else {
                            Tri::Possibly(causes)
                        };
                        return (about.join(", "), tri);
                    }
                    sure_of.extend(binding.causes);
                }
                Target::Free(name) if self.says(&name.kept) && !self.gives(name) => {
                    about.push(format!("\"{name}\""));
                    let binding = self.bound(name);
                    if binding.can_lack {
                        return (about.join(", "), Tri::Surely(vec![Cause::Statement]));
                    }
                    sure_of.extend(binding.causes);
                }
                _ => {}
            }
        }
        if self.scope != Match::Footprint && !self.names.is_empty() {
            let among = match self.scope {
                _ if self.op().catalog => None,
                Match::Anywhere => None,
                _ => Some(self.closure()),
            };
            if let Some(causes) = self.gone_in(among.as_ref()) {
                return (self.names.join(", "), Tri::Possibly(causes));
            }
        }
        if about.is_empty() {
            about.push(format!("{} (no name of the statement)", self.names.join(", ")));
        }
        (about.join(", "), Tri::Never(sure_of))
    }

    /// Whether the statement gives this name to something.
    fn gives(&self, name: &Name) -> bool {
        self.op().effects.iter().any(|e| match e {
            Effect::Rename { to, .. } => {
                matches!(self.op().slots.get(usize::from(*to)), Some(Target::Free(n)) if n == name)
            }
            Effect::Create(_, object) => object.name == *name,
            _ => false,
        })
    }

    /// What of these objects (or all) has, or had, the captured name and may be gone.
    fn gone_in(&self, among: Option<&BTreeSet<ObjectId>>) -> Option<Vec<Cause>> {
        let facts = &self.model.facts;
        let is_among = |id: &ObjectId| among.is_none_or(|set| set.contains(id));
        for tombstone in facts.tombstones.iter().rev() {
            if is_among(&tombstone.id) && self.says(&tombstone.name.kept) {
                return Some(vec![tombstone.cause.clone()]);
            }
        }
        for (id, thing) in &facts.things {
            if !is_among(id) {
                continue;
            }
            let presence = thing.presence(&self.model.groups, self.span, self.by);
            let Some(named) = thing.facet(Facet::Name) else {
                continue;
            };
            let had = |value: &FactValue| matches!(value, FactValue::Name(n) if self.says(&n.kept));
            // A view by name may have been made when the name was gone already.
            let ever = thing.known.iter().any(|name| self.says(&name.kept));
            let (_, always) = named.says(&self.model.groups, self.span, self.by, had);
            if ever && (presence.can_lack || !always) {
                return Some(presence.causes.to_vec());
            }
        }
        None
    }

    /// What is remembered of an object that nobody knows any more.
    fn last_of(&self, object: ObjectId) -> Vec<Cause> {
        let tombstone = self.model.facts.tombstones.iter().rev().find(|t| t.id == object);
        tombstone.map_or_else(|| vec![Cause::Base(Tick(0))], |t| vec![t.cause.clone()])
    }

    fn taken(&self) -> (String, Tri) {
        let mut about = Vec::new();
        for target in &self.op().slots {
            let (name, own) = match target {
                Target::New { object, name } => (name, Some(*object)),
                Target::Free(name) => (name, None),
                _ => continue,
            };
            if !self.says(&name.kept) {
                continue;
            }
            about.push(format!("\"{name}\""));
            let binding = self.bound(name);
            if binding.objects.iter().any(|id| Some(*id) != own) {
                let causes = binding.causes.to_vec();
                let tri = if binding.sure {
                    Tri::Surely(causes)
                } else {
                    Tri::Possibly(causes)
                };
                return (about.join(", "), tri);
            }
        }
        (about.join(", "), Tri::Never(Vec::new()))
    }

    fn other_kind(&self) -> (String, Tri) {
        for target in &self.op().slots {
            let Target::Object { object, name } = target else {
                continue;
            };
            if !self.says(&name.kept) {
                continue;
            }
            let binding = self.bound(name);
            if binding.objects.iter().any(|id| id.kind != object.kind) {
                return (format!("\"{name}\""), Tri::Possibly(binding.causes.to_vec()));
            }
        }
        (self.named(), Tri::Never(Vec::new()))
    }

    /// Whether another group has changed, in the span, something of what the statement names, needs or is needed by.
    fn changed(&self, span: Span) -> Tri {
        let closure = self.closure();
        let viewed = self.session().viewed_told;
        let mut causes = Vec::new();
        for (_, group) in self.model.groups.iter() {
            let overlaps = group.begun < span.answered && group.until.is_none_or(|until| until > span.sent);
            let untold = group.told.is_none_or(|told| told > viewed) || span.sent == Tick(0);
            if group.fate == Fate::Open || !overlaps || !untold {
                continue;
            }
            if let Some((op, _, _)) = group.ops.last()
                && group.changed_one_of(&closure)
            {
                causes.push(Cause::Op {
                    at: op.at,
                    from: group.from,
                    until: group.until,
                });
            }
        }
        for id in &closure {
            let Some(thing) = self.model.facts.things.get(id) else {
                continue;
            };
            // An unpopulated materialized view needs no change to be unpopulated.
            if self.class == Class::Dependency
                && id.kind == ObjectKind::MaterializedView
                && let Some(valid) = thing.facet(Facet::Valid)
                && let Some(empty) = valid
                    .candidates(&self.model.groups, self.span, self.by)
                    .list
                    .into_iter()
                    .find(|c| *c.value == FactValue::Flag(false))
            {
                causes.push(empty.cause);
            }
            for timeline in thing.facets.values().filter(|t| !t.writes.is_empty()) {
                let candidates = timeline.candidates(&self.model.groups, self.span, self.by);
                if !candidates.sure
                    && let Some(last) = candidates.list.last()
                {
                    causes.push(last.cause.clone());
                }
            }
        }
        if span.sent == Tick(0) {
            for id in &closure {
                let Some(thing) = self.model.facts.things.get(id) else {
                    continue;
                };
                let changed = thing
                    .facets
                    .values()
                    .find(|t| t.base.by != Some(id.maker().0) || !t.writes.is_empty());
                if let Some(timeline) = changed {
                    causes.push(Cause::Base(timeline.base.since));
                }
            }
        }
        if causes.is_empty() {
            Tri::Never(causes)
        } else {
            Tri::Possibly(causes)
        }
    }

    /// Whether another session is changing the catalogue's rows of what the statement names, committed or not.
    fn race(&self) -> Tri {
        let span = Span {
            sent: self.drawn().sent.min(self.work().sent),
            answered: self.span.answered,
        };
        let anything = self.op().catalog;
        let mut closure = self.closure();
        // An index that is made or dropped changes its table, also where that is only stood on.
        let facts = &self.model.facts;
        let indexes = closure.iter().flat_map(|id| facts.dependents(*id));
        let indexes = indexes.filter(|id| id.kind == ObjectKind::Index);
        closure.extend(indexes.collect::<Vec<_>>());
        let mut causes = Vec::new();
        for (_, group) in self.model.groups.iter() {
            if group.session == self.by || !group.is_at_work_in(span) {
                continue;
            }
            if let Some((op, _, _)) = group.ops.last()
                && ((anything && group.changes_schema()) || group.changed_one_of(&closure))
            {
                causes.push(Cause::Op {
                    at: op.at,
                    from: group.from,
                    until: group.until,
                });
            }
        }
        for (id, session) in &self.model.sessions {
            if *id == self.by {
                continue;
            }
            if let Some(at) = session.changed_in(span, |object| anything || closure.contains(&object)) {
                causes.push(Cause::Session { session: *id, at });
            }
        }
        if causes.is_empty() {
            Tri::Never(causes)
        } else {
            Tri::Possibly(causes)
        }
    }

    fn dependents(&self) -> (String, Tri) {
        let (facts, groups) = (&self.model.facts, &self.model.groups);
        for target in &self.op().slots {
            let Target::Object { object, name } = target else {
                continue;
            };
            let mut roots = self.bound(name).objects;
            if !roots.contains(object) {
                roots.push(*object);
            }
            for root in roots {
                for dependent in facts.dependents(root) {
                    let needs = facts.edge(groups, dependent, root, self.span, self.by).is_some();
                    let refers = !facts
                        .refers_to(groups, dependent, root, self.span, self.by)
                        .is_empty();
                    if needs || refers {
                        let presence = facts.things[&dependent].presence(groups, self.span, self.by);
                        return (
                            format!("{dependent} needs \"{name}\""),
                            Tri::Possibly(presence.causes.to_vec()),
                        );
                    }
                }
                if root.kind == ObjectKind::Role
                    && let Some(cause) = self.role_is_used(root)
                {
                    return (format!("role \"{name}\" is used"), Tri::Possibly(vec![cause]));
                }
            }
        }
        (self.named(), Tri::Never(Vec::new()))
    }

    fn role_is_used(&self, role: ObjectId) -> Option<Cause> {
        self.model.facts.things.iter().find_map(|(_, thing)| {
            let uses = thing.facets.iter().any(|(facet, timeline)| {
                let fits = match facet {
                    Facet::Owner => {
                        timeline
                            .says(&self.model.groups, self.span, self.by, |v| {
                                *v == FactValue::Object(role)
                            })
                            .0
                    }
                    Facet::Grant(to, _) if *to == role => {
                        timeline
                            .says(&self.model.groups, self.span, self.by, |v| {
                                *v == FactValue::Flag(true)
                            })
                            .0
                    }
                    _ => false,
                };
                fits && thing.presence(&self.model.groups, self.span, self.by).can_be
            });
            uses.then_some(Cause::Base(self.span.sent))
        })
    }

    fn in_use(&self) -> (String, Tri) {
        if self.model.rules.one_writer {
            return ("the database".to_owned(), self.overlap());
        }
        let mut objects = self.closure();
        // Who has the name that something is to get holds it as well.
        for target in &self.op().slots {
            if let Target::New { name, .. } | Target::Free(name) = target {
                objects.extend(self.bound(name).objects);
            }
        }
        let session = self.session();
        let own = !session.view.cursors.is_empty() || session.is_in_transaction();
        if own && session.named.iter().any(|(id, _)| objects.contains(id)) {
            let at = session.busy.map_or_else(|| self.op().at, |(_, at)| at);
            return (
                self.named(),
                Tri::Possibly(vec![Cause::Session { session: self.by, at }]),
            );
        }
        let work = self.work();
        for (id, other) in &self.model.sessions {
            if *id == self.by {
                continue;
            }
            if let Some(at) = other.named_in(work, |object| objects.contains(&object)) {
                return (
                    self.named(),
                    Tri::Possibly(vec![Cause::Session { session: *id, at }]),
                );
            }
        }
        (self.named(), Tri::Never(Vec::new()))
    }

    fn fault(&self) -> Tri {
        let found = self
            .session()
            .faults
            .iter()
            .find(|f| f.at < self.span.answered && is_spent_by(f.fault, self.class));
        match found {
            Some(f) => Tri::Surely(vec![Cause::Fault(f.fault, f.at)]),
            None if self.model.others.explain(self.class) => Tri::Possibly(vec![Cause::Others]),
            None => Tri::Never(Vec::new()),
        }
    }

    fn limit(&self, limit: Limit) -> Tri {
        match self.session().limits.get(&limit) {
            Some((_, by)) => Tri::Surely(vec![Cause::Limit(limit, *by)]),
            None => Tri::Never(Vec::new()),
        }
    }

    fn conflict(&self) -> Tri {
        let level = self.session().view.level.unwrap_or(self.model.level);
        if level < Level::RepeatableRead {
            return Tri::Never(Vec::new());
        }
        self.overlap()
    }

    fn overlap(&self) -> Tri {
        let work = self.work();
        let causes: Vec<Cause> = self
            .model
            .sessions
            .iter()
            .filter(|(id, _)| **id != self.by)
            .filter_map(|(id, s)| s.at_work_in(work).map(|at| Cause::Session { session: *id, at }))
            .collect();
        if causes.is_empty() {
            Tri::Never(causes)
        } else {
            Tri::Possibly(causes)
        }
    }

    fn can_raise(&self, error: DataError) -> Tri {
        let op = self.op();
        if op.raises.contains(&error) {
            return Tri::Possibly(vec![Cause::Statement]);
        }
        let is = |kind: &ConstraintKind| {
            matches!(
                (error, kind),
                (
                    DataError::Unique,
                    ConstraintKind::PrimaryKey | ConstraintKind::Unique
                ) | (DataError::ForeignKey, ConstraintKind::ForeignKey { .. })
                    | (DataError::Check, ConstraintKind::Check)
                    | (DataError::NotNull, ConstraintKind::PrimaryKey)
            )
        };
        if op.constraints().any(|c| is(&c.kind)) {
            return Tri::Possibly(vec![Cause::Statement]);
        }
        let makes_unique = op.effects.iter().any(|e| match e {
            Effect::Create(_, object) => {
                matches!(object.detail, Detail::Index { unique: true, .. }) && error == DataError::Unique
            }
            Effect::Set(_, _, FactValue::Column(column)) => column.not_null && error == DataError::NotNull,
            Effect::Edit(_, _, edit) => *edit == ColumnEdit::NotNull(true) && error == DataError::NotNull,
            _ => false,
        });
        if makes_unique {
            return Tri::Possibly(vec![Cause::Statement]);
        }
        let writes = op
            .touches
            .iter()
            .any(|t| matches!(t.mode, Mode::Writes | Mode::Defines | Mode::Redefines));
        let ends = op.frame() == Some(&FrameOp::Commit);
        if !writes && !ends {
            return Tri::Never(Vec::new());
        }
        let (facts, groups) = (&self.model.facts, &self.model.groups);
        for id in self.closure() {
            let Some(thing) = facts.things.get(&id) else {
                continue;
            };
            if let Detail::Index { unique: true, .. } = thing.born.detail
                && error == DataError::Unique
                && thing.presence(groups, self.span, self.by).can_be
            {
                return Tri::Possibly(thing.presence(groups, self.span, self.by).causes.to_vec());
            }
            for timeline in thing.facets.values() {
                let candidates = timeline.candidates(groups, self.span, self.by);
                let found = candidates.list.into_iter().find(|c| match c.value {
                    FactValue::Constraint(constraint) => is(&constraint.kind),
                    FactValue::Column(column) => error == DataError::NotNull && column.not_null,
                    _ => false,
                });
                if let Some(found) = found {
                    return Tri::Possibly(vec![found.cause]);
                }
            }
        }
        Tri::Never(Vec::new())
    }

    /// Asked for on purpose, or sent again where an earlier answer was another one than when it was drawn.
    fn transaction_state(&self) -> Tri {
        let aimed = self
            .op()
            .aim
            .is_some_and(|a| a.question == Question::TransactionState);
        let idle = self.session().view.tx == TxState::Idle;
        let unfit = match self.op().frame() {
            None => false,
            Some(FrameOp::Begin { .. }) => !idle,
            Some(_) => idle,
        };
        yes(aimed || unfit)
    }

    fn session_name(&self) -> Tri {
        let view = &self.session().view;
        let known = |name: &str| {
            let has = |kept: &KeptName| means(name, kept.as_str(), self.model.rules.folds_case);
            view.cursors.iter().any(has) || view.prepared.iter().any(has) || view.savepoints.iter().any(has)
        };
        let makes = self.op().effects.iter().any(|e| matches!(e, Effect::Name { .. }));
        yes(self.names.iter().any(|name| known(name) == makes))
    }
}

/// What the object needs or lies in, or ever did.
fn needs(model: &Model, id: ObjectId) -> Vec<ObjectId> {
    let Some(thing) = model.facts.things.get(&id) else {
        return Vec::new();
    };
    let mut out: Vec<ObjectId> = Vec::new();
    for (facet, timeline) in &thing.facets {
        if let Facet::DependsOn(other) = facet {
            out.push(*other);
        }
        let values = timeline.writes.iter().map(|w| &w.value);
        for value in values.chain([&timeline.base.value]) {
            match value {
                FactValue::Name(name) => out.extend(name.parent),
                FactValue::Constraint(constraint) => {
                    if let ConstraintKind::ForeignKey { references, .. } = &constraint.kind {
                        out.push(*references);
                    }
                }
                FactValue::Column(column) => {
                    if let history::parallel::Type::Named(ty) = column.ty {
                        out.push(ty);
                    }
                }
                _ => {}
            }
        }
    }
    out
}

fn yes(yes: bool) -> Tri {
    if yes {
        Tri::Surely(vec![Cause::Statement])
    } else {
        Tri::Never(Vec::new())
    }
}

/// Which fault explains it, to be spent: the oldest of its sort.
pub(super) fn is_spent_by(fault: Fault, class: Class) -> bool {
    match fault {
        Fault::Cancel { .. } => class == Class::Interrupt,
        Fault::Terminate { .. } | Fault::Kill => class == Class::Connection,
    }
}
