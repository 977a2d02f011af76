//! Oracles: an answer that tells by itself whether it is right, and what must surely be so for it to count.
//!
//! An oracle's answer is one row; its left half must equal its right half, cell by cell. What it leans on beside its tables
//! (a constraint, an index, a column that refuses NULL) stands in touches of [`Mode::Uses`] and must be there in the whole
//! span (P35): otherwise nothing is compared. A single statement has one snapshot, so no exception is needed (P33).

use super::binding::bound;
use super::model::Model;
use super::print;
use super::session::InFlight;
use history::parallel::{
    Answer, Facet, FactValue, Family, Finding, Mode, ObjectId, ObjectKind, Said, Statement, Table, Target,
    Touch,
};
use history::{Kind, SessionId, Span};

#[cfg(test)]
mod tests;

/// What became of an oracle's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    /// Both sides were compared.
    Yes,
    /// They were not: why, in a few words.
    Void(&'static str),
}

/// The comparison of an oracle's answer, with a finding where the sides differ; `None` for all other ops.
pub(super) fn judge(
    model: &Model,
    flight: &InFlight,
    span: Span,
    answer: &Answer,
) -> Option<(Compared, Option<Finding>)> {
    let op = &flight.op;
    if op.family != Family::Oracle {
        return None;
    }
    let table = match &answer.said {
        Said::Done {
            rows: Some(table), ..
        } => table,
        Said::Done { rows: None, .. } => return Some((Compared::Void("no row came back"), None)),
        Said::Refused { .. } => return Some((Compared::Void("refused"), None)),
        Said::Unknown { .. } => return Some((Compared::Void("no answer"), None)),
    };
    if matches!(op.ast, Statement::Explain { .. }) {
        return Some((plan(table), None));
    }
    let [row] = table.rows.as_slice() else {
        return Some((Compared::Void("no row came back"), None));
    };
    if let Some(why) = unsure(model, flight, span) {
        return Some((Compared::Void(why), None));
    }
    let (left, right) = row.split_at(row.len() / 2);
    if left == right {
        return Some((Compared::Yes, None));
    }
    let finding = Finding {
        kind: Kind::WrongResult,
        signature: format!("{:?}/{}", Kind::WrongResult, op.kind),
        at: op.at,
        action: op.kind.to_string(),
        span,
        sql: flight.sql.to_string(),
        code: String::new(),
        text: String::new(),
        promised: format!("one snapshot, asked in two ways: {}", side(left)),
        seen: format!("the other way it says {}", side(right)),
        evidence: print::evidence(model, flight, span, &[]),
        asked: Vec::new(),
        guess: false,
    };
    Some((Compared::Yes, Some(finding)))
}

/// Whether a plan shows that one side was answered by an index and the other by looking at the rows (P36).
fn plan(table: &Table) -> Compared {
    let lines = || table.rows.iter().flatten().flatten();
    let index = |line: &String| {
        [
            "Index Scan",
            "Index Only Scan",
            "USING INDEX",
            "USING COVERING INDEX",
        ]
        .iter()
        .any(|words| line.contains(words))
    };
    let looks =
        |line: &String| line.contains("Seq Scan") || (line.contains("SCAN ") && !line.contains("USING"));
    match (lines().any(index), lines().any(looks)) {
        (true, true) => Compared::Yes,
        (false, _) => Compared::Void("no index in the plan"),
        (_, false) => Compared::Void("only indexes in the plan"),
    }
}

/// `3, NULL`
fn side(cells: &[Option<String>]) -> String {
    let cells: Vec<&str> = cells.iter().map(|c| c.as_deref().unwrap_or("NULL")).collect();
    cells.join(", ")
}

/// What it leans on and is not surely there, if anything.
fn unsure(model: &Model, flight: &InFlight, span: Span) -> Option<&'static str> {
    let op = &flight.op;
    op.touches
        .iter()
        .filter(|t| t.mode == Mode::Uses)
        .find_map(|touch| doubt(model, flight, span, touch))
}

/// Whether the fact has one value in the whole span, which is known.
fn is_settled(model: &Model, id: ObjectId, facet: Facet, span: Span, by: SessionId) -> bool {
    let timeline = model.facts.things.get(&id).and_then(|t| t.facet(facet));
    timeline.is_some_and(|t| t.candidates(&model.groups, span, by).sure || t.writes.is_empty())
}

fn doubt(model: &Model, flight: &InFlight, span: Span, touch: &Touch) -> Option<&'static str> {
    let by = flight.op.at.session;
    let Some(Target::Object { object, name }) = flight.op.slots.get(usize::from(touch.slot)) else {
        return None;
    };
    if object.kind == ObjectKind::Schema {
        return None;
    }
    let binding = bound(&model.facts, &model.groups, name, span, by);
    if binding.objects.as_slice() != [*object] {
        return Some("the name may be another table's");
    }
    let holds = |id: ObjectId, facet: Facet, is: fn(&FactValue) -> bool| {
        let timeline = model.facts.things.get(&id).and_then(|t| t.facet(facet));
        timeline.is_some_and(|t| t.says(&model.groups, span, by, is).1)
    };
    match touch.facet {
        Facet::Definition => {
            // What was told before the op was drawn is in what it was drawn on.
            let viewed = model.sessions[&by].viewed.unwrap_or(span.sent);
            let since = Span {
                sent: viewed.min(span.sent),
                ..span
            };
            (!is_settled(model, *object, touch.facet, since, by)).then_some("the definition may be another")
        }
        Facet::Name => {
            let born = model.facts.things.get(object).map(|t| &t.born.name);
            let never_renamed = is_settled(model, *object, Facet::Name, span, by) && born == Some(name);
            (!model.rules.restricts && !never_renamed).then_some("a name in the view may mean another table")
        }
        Facet::DependsOn(needed) if object.kind == ObjectKind::View => {
            let stands = model.facts.edge(&model.groups, *object, needed, span, by);
            (stands != Some(true)).then_some("the view may stand on something else")
        }
        Facet::Constraint(_) => {
            let checked = |v: &FactValue| matches!(v, FactValue::Constraint(c) if c.valid && !c.deferred);
            (!holds(*object, touch.facet, checked)).then_some("the constraint may not be in force")
        }
        Facet::Column(_) => {
            let refuses = |v: &FactValue| matches!(v, FactValue::Column(c) if c.not_null);
            (!holds(*object, touch.facet, refuses)).then_some("the column may take NULL")
        }
        Facet::DependsOn(index) => {
            let there = model
                .facts
                .things
                .get(&index)
                .is_some_and(|t| !t.presence(&model.groups, span, by).can_lack);
            let valid = holds(index, Facet::Valid, |v| *v == FactValue::Flag(true));
            (!there || !valid).then_some("the index may not be in force")
        }
        _ => None,
    }
}
