//! A success that cannot be is a finding as well: a name that nobody had, a name that somebody had, a missing right.

use super::binding::bound;
use super::model::Model;
use super::print;
use super::rights;
use super::session::InFlight;
use history::parallel::statement::{Care, walk::mentions};
use history::parallel::{
    Asked, ConstraintKind, Effect, Facet, Finding, FrameOp, Mode, ObjectId, ObjectKind, Op, Question, Right,
    Space, Statement, Target, Tri, TxState,
};
use history::{Kind, Span};

/// What is wrong with the success, if anything. The op's own effects are not yet settled.
pub(super) fn check(model: &Model, flight: &InFlight, span: Span, rolled_back: bool) -> Option<Finding> {
    let op = &flight.op;
    let by = op.at.session;
    let session = &model.sessions[&by];
    if session.view.tx == TxState::Failed {
        let may = rolled_back || matches!(op.frame(), Some(FrameOp::Rollback | FrameOp::RollbackTo(_)));
        if !may {
            let asked = asked(
                Question::FailedTransaction,
                String::new(),
                Tri::Surely(Vec::new()),
            );
            return Some(finding(model, flight, span, Kind::WrongResult, asked));
        }
        return None;
    }
    let broken = missing(model, op, span)
        .or_else(|| twice(model, op, span))
        .or_else(|| still_needed(model, op, span))
        .map(|asked| (Kind::WrongResult, asked))
        .or_else(|| without_right(model, op, span).map(|asked| (Kind::Privilege, asked)));
    broken.map(|(kind, asked)| finding(model, flight, span, kind, asked))
}

fn asked(question: Question, about: String, answer: Tri) -> Asked {
    Asked {
        question,
        about,
        answer,
    }
}

/// A name that resolves to nothing in the whole span, or a column that is never there.
fn missing(model: &Model, op: &Op, span: Span) -> Option<Asked> {
    let by = op.at.session;
    // Where what is needed may be dropped, a view is only looked at when it is read.
    let unbound = !model.rules.restricts
        && op.effects.iter().any(|e| {
            matches!(e, Effect::Create(_, object) if matches!(object.id.kind, ObjectKind::View | ObjectKind::Trigger))
        });
    // Not run, it is held against no catalogue: a plan for what is gone comes from the session's memory.
    let unseen = model.rules.remembers_schema && looks_at_nothing(op);
    if op.lenient || unbound || unseen {
        return None;
    }
    // Nor is a reference held against the table that it leads to.
    let led_to = |object: &ObjectId| {
        !model.rules.checks_references
            && op.constraints().any(|constraint| {
                matches!(&constraint.kind, ConstraintKind::ForeignKey { references, .. } if references == object)
            })
    };
    for target in &op.slots {
        match target {
            Target::Object { name, .. } if op.replaces(name) => {}
            Target::Object { object, .. } if led_to(object) => {}
            Target::Object { object, name } => {
                let binding = bound(&model.facts, &model.groups, name, span, by);
                if binding.objects.is_empty() {
                    return Some(asked(
                        Question::Gone,
                        format!("{} \"{name}\"", object.kind.word()),
                        Tri::Surely(binding.causes.to_vec()),
                    ));
                }
            }
            Target::Part {
                of,
                space,
                piece: Some(_),
                name,
            } => {
                let Some(Target::Object {
                    object,
                    name: relation,
                }) = op.slots.get(usize::from(*of))
                else {
                    continue;
                };
                if led_to(object) {
                    continue;
                }
                if op.replaces(relation) {
                    continue;
                }
                let binding = bound(&model.facts, &model.groups, relation, span, by);
                let mut causes = Vec::new();
                let mut can_be = false;
                for id in &binding.objects {
                    let parts = model.facts.things[id].part(*space, name, &model.groups, span, by);
                    let unknown = *space == Space::Column && !matches!(id.kind, ObjectKind::Table);
                    let nothing_known = unknown && !knows_columns(model, *id);
                    can_be |= parts.can_be || nothing_known;
                    causes.extend(parts.causes);
                }
                if !can_be {
                    return Some(asked(
                        Question::PartGone,
                        format!("\"{name}\" of \"{relation}\""),
                        Tri::Surely(causes),
                    ));
                }
            }
            _ => {}
        }
    }
    None
}

/// Whether a session that remembers the schema does not look whether it is still so: what is explained is not run there, and a
/// table without an index has nothing to be made anew.
pub(super) fn looks_at_nothing(op: &Op) -> bool {
    let whole = |care: &Care| {
        let Care::Reindex { kind, .. } = care else {
            return false;
        };
        *kind == ObjectKind::Table
    };
    match &op.ast {
        Statement::Explain { analyze, .. } => !analyze,
        Statement::Care(care) => whole(care),
        _ => false,
    }
}

fn knows_columns(model: &Model, id: history::parallel::ObjectId) -> bool {
    model.facts.things[&id]
        .facets
        .keys()
        .any(|f| matches!(f, Facet::Column(_)))
}

/// A name that was somebody's in the whole span, given again.
fn twice(model: &Model, op: &Op, span: Span) -> Option<Asked> {
    if op.lenient {
        return None;
    }
    let meant =
        |name: &history::parallel::Name| bound(&model.facts, &model.groups, name, span, op.at.session);
    for effect in &op.effects {
        let (name, own) = match effect {
            Effect::Create(_, object) if op.replaces(&object.name) => continue,
            Effect::Create(_, object) => (&object.name, smallvec::smallvec![object.id]),
            Effect::Rename { slot, to } => {
                let target = |slot: &u8| op.slots.get(usize::from(*slot));
                let (Some(Target::Object { name: from, .. }), Some(Target::Free(name))) =
                    (target(slot), target(to))
                else {
                    continue;
                };
                (name, meant(from).objects)
            }
            _ => continue,
        };
        let binding = meant(name);
        if binding.sure && binding.objects.iter().all(|id| !own.contains(id)) {
            return Some(asked(
                Question::Taken,
                format!("\"{name}\""),
                Tri::Surely(binding.causes.to_vec()),
            ));
        }
    }
    None
}

/// A drop without CASCADE of what something surely needs.
fn still_needed(model: &Model, op: &Op, span: Span) -> Option<Asked> {
    if !model.rules.restricts {
        return None;
    }
    let by = op.at.session;
    for effect in &op.effects {
        let Effect::Remove { slot, cascade: false } = effect else {
            continue;
        };
        let Some(Target::Object { name, .. }) = op.slots.get(usize::from(*slot)) else {
            continue;
        };
        let binding = bound(&model.facts, &model.groups, name, span, by);
        let [root] = binding.objects.as_slice() else {
            continue;
        };
        for dependent in model.facts.dependents(*root) {
            if super::facts::goes_along(dependent.kind) || removes(model, op, dependent, span) {
                continue;
            }
            let surely = model.facts.edge(&model.groups, dependent, *root, span, by) == Some(true);
            if surely {
                let presence = model.facts.things[&dependent].presence(&model.groups, span, by);
                return Some(asked(
                    Question::Dependents,
                    format!("{dependent} needs \"{name}\""),
                    Tri::Surely(presence.causes.to_vec()),
                ));
            }
        }
    }
    None
}

/// Whether the same op removes the object as well: DROP TABLE a, b.
fn removes(model: &Model, op: &Op, id: history::parallel::ObjectId, span: Span) -> bool {
    op.effects.iter().any(|e| match e {
        Effect::Remove { slot, .. } => match op.slots.get(usize::from(*slot)) {
            Some(Target::Object { object, name }) => {
                *object == id
                    || bound(&model.facts, &model.groups, name, span, op.at.session)
                        .objects
                        .contains(&id)
            }
            _ => false,
        },
        _ => false,
    })
}

/// A right that the role had at no moment.
fn without_right(model: &Model, op: &Op, span: Span) -> Option<Asked> {
    let by = op.at.session;
    let role = model.sessions[&by].view.role;
    if role.is_some() && super::questions::rights::makes_role(op) {
        return Some(asked(
            Question::Lacks,
            "a role made by a role that may make none".to_owned(),
            Tri::Surely(Vec::new()),
        ));
    }
    for touch in &op.touches {
        let (Some(right), Some(Target::Object { name, .. })) =
            (touch.right, op.slots.get(usize::from(touch.slot)))
        else {
            continue;
        };
        let binding = bound(&model.facts, &model.groups, name, span, by);
        // Nobody needs a right on what is not there.
        let absent = binding.can_lack && (op.lenient || op.replaces(name));
        if binding.objects.is_empty() || absent {
            continue;
        }
        let mut causes = Vec::new();
        let never = binding.objects.iter().all(|id| {
            let may = |right, id| {
                let has = rights::has(&model.facts, &model.groups, role, right, id, (span, by));
                (has.can_be(), has.causes().to_vec())
            };
            let (can, why) = may(right, *id);
            causes.extend(why);
            // Who owns a schema may drop what lies in it.
            let parent = name.parent.filter(|_| touch.mode == Mode::Removes);
            !can && !parent.is_some_and(|schema| may(Right::Own, schema).0)
        });
        if never && !(model.rules.asks_rights_of_plan && is_spared(op, touch.slot)) {
            return Some(asked(
                Question::Lacks,
                format!("{right:?} on \"{name}\""),
                Tri::Surely(causes),
            ));
        }
    }
    None
}

/// Whether a plan may do without the object in the slot.
fn is_spared(op: &Op, slot: u8) -> bool {
    let said = mentions(&op.ast);
    said.slots.contains(&slot) && !said.planned.contains(&slot)
}

fn finding(model: &Model, flight: &InFlight, span: Span, kind: Kind, asked: Asked) -> Finding {
    let words = asked.question.words();
    let about = if asked.about.is_empty() {
        String::new()
    } else {
        format!(" ({})", asked.about)
    };
    let asked = vec![asked];
    Finding {
        kind,
        signature: format!("{kind:?}/done/{}/{words}", flight.op.kind),
        at: flight.op.at,
        action: flight.op.kind.to_string(),
        span,
        sql: flight.sql.to_string(),
        code: String::new(),
        text: String::new(),
        promised: format!("this statement must be refused: in its whole span {words}{about}"),
        seen: "it was done".to_owned(),
        evidence: print::evidence(model, flight, span, &asked),
        asked,
        guess: false,
    }
}
